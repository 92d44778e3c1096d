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

/* What a bit means depends on the filter it is for. */
struct name_of_note {
    int filter;
    struct name bit;
};

/* Ended by an entry without a name. A mask of several bits stands before the bits that are in it.
 */
extern const struct name names_poller[];       /* IN, HUP ...: the POLLER_ flags */
extern const struct name names_poll[];         /* POLLIN, POLLHUP ...: poll(2) */
extern const struct name names_epoll[];        /* EPOLLIN, EPOLLET ...: epoll_ctl(2) */
extern const struct name names_epoll_create[]; /* EPOLL_CLOEXEC: epoll_create1(2) */
extern const struct name names_kqueue[];       /* EV_ADD, EV_EOF ...: what to do, what was */
extern const struct name names_filter[];       /* EVFILT_READ ...: numbers, not bits */
extern const struct name_of_note names_note[]; /* NOTE_LOWAT, NOTE_EXIT ... */

/* Adds the names of the flags in MASK joined by '|', what has none as 0x.., and 0 as "0". */
void names_add_flags(struct text *text, const struct name *names, unsigned mask);

/* Adds the name of a filter of kqueue(2), or its number. */
void names_add_filter(struct text *text, int filter);

/* Adds the NOTE_ bits in MASK that are FILTER's, as names_add_flags. */
void names_add_notes(struct text *text, int filter, unsigned mask);

/* Adds the name of an errno, or its number. */
void names_add_errno(struct text *text, int error);

/* Adds the result of a call as strace(1) prints it: "= 1", "= -1 EPERM (Operation not permitted)".
 */
void names_add_result(struct text *text, long result, int error);

#endif
