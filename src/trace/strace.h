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

#include "pollspin/poller.h"

/* Longest line, newline included; a longer one is cut and ends in "...". */
enum { STRACE_LINE = 16384 };

/* Writes CALL with its duration, without a newline, to TEXT. Returns its length, less than SIZE. */
size_t strace_format(const struct poller_call *call, char *text, size_t size);

/* Takes one line of N bytes, newline included, borrowed during the call. It must not use the
 * poller. */
typedef void strace_fn(void *owner, const char *line, size_t n);

struct strace {
    strace_fn *write;
    void *owner;
};

/* Hands a line for every call of POLLER to WRITE from now on. */
void strace_start(struct strace *strace, struct poller *poller, strace_fn *write, void *owner);

/* Where lines go to a descriptor. It is waited for, until a signal comes or patience ends (EAGAIN):
 * a lost line would be a lie, and so either is an error. */
struct strace_file {
    int fd;
    int patience_ms; /* for one that is O_NONBLOCK; 0: for ever */
    int error;       /* errno of the write that failed; nothing is written any more */
};

/* The strace_fn whose owner is a struct strace_file. */
void strace_to_file(void *owner, const char *line, size_t n);

#endif
