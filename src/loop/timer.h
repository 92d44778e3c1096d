/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timers of a loop: which is next, and to run those that are due.
 *
 * Most timers of a program have one of a few lengths -- every connection has the same time limit --
 * and then the last one set is the last one due. So there are lanes, each a queue for one length,
 * in which a timer joins at the end and leaves from anywhere in O(1); one that would not be the
 * last in its lane, and all that fits in no lane, goes into a heap.
 *
 * The invariant: a lane is in the order in which its timers come out. Its length only says who
 * tries to join it.
 */
#ifndef TIMER_H
#define TIMER_H

#include "base/heap.h"
#include "pollspin/loop.h"

enum { TIMER_LANES = 8 };

struct timer_lane {
    int64_t length;
    struct loop_link head;
};

struct timers {
    struct heap heap;
    uint64_t orders; /* how many were ever set */
    int lane_count;  /* of lanes that have been needed so far */
    struct timer_lane lanes[TIMER_LANES];
};

void timers_init(struct timers *timers);

/* Frees the memory of TIMERS; each timer is its owner's. */
void timers_fini(struct timers *timers);

/* Returns the timer that is due first, or NULL. */
struct timer *timers_next(const struct timers *timers);

/* Runs all that are due at NOW, in order; returns whether there were any. */
bool timers_run(struct timers *timers, int64_t now);

#endif
