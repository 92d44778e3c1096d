/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of strace(1) in plain words: what was asked, what each flag in it means, what came back.
 *
 *     poll([{fd=3, events=POLLIN}], 1, 50) = 0 (Timeout) <0.050110>
 *
 *     poll asked about 1 descriptor, 3 for POLLIN, and was to wait at most 50 ms. POLLIN: reading
 *     would not block. It came back after 50.1 ms: nothing was ready, and the time limit was over.
 *
 * It reads the text alone, so it explains the lines of any backend, and those of a file. The
 * meanings are those of poll(2), select(2), epoll(7), kqueue(2), io_uring_enter(2) and, for
 * signals, fcntl(2) and sigwaitinfo(2). What epoll_wait(2) returns names no descriptor: it carries
 * the data that epoll_ctl(2) was given, whose lower half is taken for the descriptor, since
 * poller/epoll.c puts that there.
 *
 * A line that ends in "..." was cut: what is left of it is explained. Anything else that is not
 * understood to its end is not explained at all.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Writes the explanation of the call LINE, N bytes, to TEXT, cut to SIZE; returns its length as
 * snprintf(3). NAME_OF, which may be NULL, says what a descriptor is ("tcp localhost:7"); NULL from
 * it: nobody knows. */
typedef const char *explain_name_fn(void *owner, int fd);
int explain_call(const char *line, size_t n, explain_name_fn *name_of, void *owner, char *text,
                 size_t size);

/* The part of it that says what came back: "It came back after 12.3 ms: 1 of 3 was ready, 7 (tcp
 * localhost:7) with POLLIN. Of the time limit ..." Arguments and result as above. */
int explain_result(const char *line, size_t n, explain_name_fn *name_of, void *owner, char *text,
                   size_t size);

/* The meaning of one flag, such as "POLLIN" or "EPOLLET", as a clause; NULL where it is unknown. */
const char *explain_flag(const char *flag, size_t n);

/* Adds how long NS nanoseconds are: "0.012 ms", "50.1 ms", "2.5 s". */
void explain_time(struct text *text, int64_t ns);

#endif
