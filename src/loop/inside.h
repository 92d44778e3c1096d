/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the loop know of each other. Not installed. What a file keeps in the loop is
 * set up by loop_new, or lies zeroed until it is first used, and is freed by loop_free.
 */
#ifndef LOOP_INSIDE_H
#define LOOP_INSIDE_H

#include "loop/timer.h"
#include "pollspin/loop.h"

enum { LOOP_BATCH = 256 };

/* The signals that this loop has are in the table in signal.c: they belong to the process. */
struct loop_signals {
    struct wakeup wakeup; /* what the handlers send */
    pid_t pid;            /* who started that; 0: it is not started */
    int count;            /* signals that it has */
};

struct loop_children {
    struct loop_link watched; /* those that have a descriptor */
    struct loop_link listed;  /* those that have none: SIGCHLD makes the loop look at each */
    struct deferred look;     /* ... as does this, for those that had ended before */
};

struct loop_files {
    struct watch watch;       /* the kernel's queue of changes, while a file is watched */
    struct loop_link started; /* all struct file_watch that are */
    struct loop_link *next;   /* where the round that tells them goes on */
};

struct loop {
    struct poller *poller;
    struct timers timers;
    struct loop_link deferred; /* calls to be made in the next turn */
    struct loop_link changed;  /* watches whose want is not what the poller was told */
    struct loop_link closing;  /* watches to be closed at the end of the turn */
    struct loop_link members;  /* all watches that are started */
    struct poller_event batch[LOOP_BATCH];
    int64_t now;
    bool is_now_old; /* the clock is to be read before NOW is used */
    loop_fn *paint;
    void *painter;
    loop_wait_fn *before_wait;
    void *waiter;
    struct loop_signals signals;
    struct loop_children children;
    struct loop_files files;
    bool is_dirty;
    bool is_stopped;
    bool is_looking; /* this turn does not wait */
    bool is_turning;
};

/* Gives back all signals that the loop has, behind its poller. */
void loop_signals_free(struct loop *loop);

/* As loop_signal, for the loop itself and beside what loop_signal has for it. */
int loop_signal_beside(struct loop *loop, int signo, signal_fn *on_signal, void *owner);

/* The lists of a new loop; and those of one whose poller is closed, which stops what is in them. */
void loop_children_init(struct loop *loop);
void loop_children_free(struct loop *loop);
void loop_files_init(struct loop *loop);
void loop_files_free(struct loop *loop);

#endif
