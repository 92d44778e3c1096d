/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the loop know of each other. Not installed. What a file keeps in the loop is set
 * up by loop_new, or lies zeroed until it is first used, and is freed by loop_free.
 */
#ifndef LOOP_INSIDE_H
#define LOOP_INSIDE_H

#include "base/heap.h"
#include "pollspin/loop.h"

enum { LOOP_BATCH = 256 };

struct loop {
    struct poller *poller;
    struct heap timers;
    struct loop_link due;      /* timers to be run in this turn */
    struct loop_link deferred; /* calls to be made in the next turn */
    struct loop_link changed;  /* watches whose want is not what the poller was told */
    struct loop_link closing;  /* watches to be closed at the end of the turn */
    struct loop_link members;  /* all watches that are started */
    struct poller_event batch[LOOP_BATCH];
    int batch_count; /* events in the batch that is being dispatched */
    int64_t now;
    loop_fn *paint;
    void *painter;
    loop_wait_fn *before_wait;
    void *waiter;
    bool is_dirty;
    bool is_stopped;
    bool is_looking; /* this turn does not wait */
};

#endif
