/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inspector's text form: every system call of a poller, one a line, in strace(1)'s grammar with
 * the time that it took (strace -T), so that grep, diff and the tools made for strace logs can read
 * it:
 *
 *     poll([{fd=3, events=POLLIN}], 1, 50) = 0 (Timeout) <0.050110>
 */
#ifndef STRACE_H
#define STRACE_H

#include <stddef.h>

#include "poller/poller.h"

/* Longest line, newline included; a longer one is cut and ends in "...". */
enum { STRACE_LINE = 16384 };

/* Writes CALL with its duration, without a newline, to TEXT. Returns its length, less than SIZE. */
size_t strace_format(const struct poller_call *call, char *text, size_t size);

struct strace {
    int fd;    /* where the lines go; waited for, since a lost line would be a lie */
    int error; /* errno of the write that failed; nothing is written any more */
};

/* Writes every call of POLLER from now on to FD, which stays the caller's. */
void strace_start(struct strace *strace, struct poller *poller, int fd);

/* Ends that. */
void strace_stop(struct strace *strace, struct poller *poller);

#endif
