/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's constants by name, one table each, for everything that prints a call.
 */
#ifndef NAMES_H
#define NAMES_H

#include "base/text.h"

struct name {
    unsigned value;
    const char *name;
};

/* Ended by an entry without a name. */
extern const struct name names_poller[]; /* IN, HUP ...: the POLLER_ flags */
extern const struct name names_poll[];   /* POLLIN, POLLHUP ...: poll(2) */
extern const struct name names_epoll[];  /* EPOLLIN, EPOLLET ...: epoll_ctl(2) */

/* Adds the names of the flags in MASK joined by '|', what has none as 0x.., and 0 as "0". */
void names_add_flags(struct text *text, const struct name *names, unsigned mask);

/* Adds the result of a call as strace(1) prints it: "= 1", "= -1 EPERM (Operation not permitted)".
 */
void names_add_result(struct text *text, long result, int error);

#endif
