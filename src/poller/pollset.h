/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The array that poll(2) takes, kept up to date between waits. Three backends share it: poll, and
 * the lessons busy and blocking, which differ from it in how they wait and in nothing else.
 */
#ifndef POLLSET_H
#define POLLSET_H

#include <poll.h>

#include "poller/backend.h"

#ifdef POLLRDHUP
#define POLLSET_SUPPORTS (POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_RDHUP | POLLER_ONESHOT)
#else
#define POLLSET_SUPPORTS (POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_ONESHOT)
#endif

struct pollset {
    struct pollfd *fds;
    int count;
    int capacity;
    int next; /* where the next scan starts: behind the last one that was served */
};

/* The open, close and set of a backend whose state is a pollset. */
int pollset_open(struct poller *poller);
void pollset_close(struct poller *poller);
int pollset_set(struct poller *poller, int fd, unsigned was, unsigned want);

/* The bits of poll(2) for WANT, and what those that it returned are called here. */
short pollset_events(unsigned want);
unsigned pollset_ready(unsigned revents);

/* Calls poll(2) for COUNT entries at FDS, and shows it to the observer. As poll(2). */
int pollset_ask(struct poller *poller, struct pollfd *fds, int count, int timeout_ms);

/* Stores what the last pollset_ask, which found N ready in the whole set, has left in it. Returns
 * how many were stored, at most MAX. */
int pollset_collect(struct pollset *set, int n, struct poller_event *events, int max);

#endif
