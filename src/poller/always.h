/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that are always ready and that the kernel's list refuses, such as a regular file with
 * epoll(7): a list of our own. The wait does not wait while there is one in it.
 *
 * An entry's slot says where it stands: from 1 up it is its place in this list, + 1.
 */
#ifndef ALWAYS_H
#define ALWAYS_H

#include "poller/backend.h"

enum { ALWAYS_FIRED = -2, ALWAYS_SILENT = -1, ALWAYS_KERNEL = 0 };

struct always {
    int *fds;
    int count;
    int capacity;
    int next;   /* where the next scan of them starts */
    bool first; /* whose turn it is, so that neither sort starves the other */
};

/* Frees the list's own memory. */
void always_fini(struct always *always);

/* Whether FD is in the list, or was refused and is not wanted now. */
bool always_has(const struct poller *poller, int fd);

/* The set of a backend for FD, once always_has or the kernel has refused it. */
int always_set(struct poller *poller, struct always *always, int fd, unsigned want);

typedef int always_wait_fn(struct poller *poller, int64_t timeout_ns, struct poller_event *events,
                           int max);

/* Both the list, in which there is one, and what ASK reports. */
int always_wait_both(struct poller *poller, struct always *always, always_wait_fn *ask,
                     struct poller_event *events, int max);

/* The wait of a backend: both the list and what ASK, the wait for the kernel's own, reports. */
static inline int always_wait(struct poller *poller, struct always *always, always_wait_fn *ask,
                              int64_t timeout_ns, struct poller_event *events, int max)
{
    if (always->count == 0)
        return ask(poller, timeout_ns, events, max);
    return always_wait_both(poller, always, ask, events, max);
}

#endif
