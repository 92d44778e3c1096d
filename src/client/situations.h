/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of every kind, and what can happen to each: the rows of pollspin --selftest.
 *
 * Nothing here waits for a while and hopes: where the kernel needs a moment, such as TCP on the
 * loopback interface, poll(2) says when the situation has arrived. Sources: pipe(7), fifo(7),
 * unix(7), tcp(7), pty(7), timerfd_create(2).
 */
#ifndef SITUATIONS_H
#define SITUATIONS_H

#include <stdbool.h>

struct situation_ends {
    int fd;   /* the one that is looked at */
    int peer; /* the other end of it */
};            /* -1: there is none, or it is closed */

/* Both functions return 0, or -1 with errno; what they have opened stands in ENDS either way. */
struct situation {
    const char *name;
    int (*open)(struct situation_ends *ends);
    int (*make)(struct situation_ends *ends); /* NULL: it is as it was opened */
    short arrives;                            /* what poll(2) says of fd when it is so */
};

struct situation_group {
    const char *name;
    const struct situation *situations; /* ended by one without a name */
    bool closes_fd; /* what happens is that fd is closed, so it is registered before */
};

/* Ended by one without a name. */
extern const struct situation_group situation_groups[];

/* Makes it happen, and returns when it has: 0, or -1 with errno. ETIMEDOUT: it did not within a
 * second. */
int situation_make(const struct situation *situation, struct situation_ends *ends);

/* Closes what is open. errno survives. */
void situation_close(struct situation_ends *ends);

#endif
