/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop that waits for everything: descriptors, timers and signals.
 *
 * One turn, in this order:
 *   1 read the clock   2 run the timers that are due   3 paint, at most once
 *   4 tell the poller which wants have changed         5 wait, and read the clock again
 *   6 dispatch what is ready                           7 close what the handlers marked
 *
 * A handler changes state and says what it wants with watch_want; the kernel is told in step 4,
 * once, however often that changed. A handler closes with watch_close; that is done in step 7, so
 * that no descriptor number is used again, and no memory is freed, inside a batch of events.
 *
 * The poller can be exchanged for another at any moment, by a handler too: no watch sees it.
 *
 * The structs are members of whatever owns them; the loop borrows them between start and stop.
 * Times are clock_now's: monotonic, in nanoseconds, absolute where they are called due.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "poller/poller.h"

struct loop;

/* Makes a loop that waits with POLLER, which it takes and will close. NULL with ENOMEM. */
struct loop *loop_new(struct poller *poller);

/* Frees the loop and closes the poller. Descriptors still watched stay open. NULL is fine. */
void loop_free(struct loop *loop);

/* Returns the poller, borrowed: to observe it, name it or explain its errors. */
struct poller *loop_poller(const struct loop *loop);

/* Makes one turn. Returns 0, or -1 with errno where the wait itself failed. */
int loop_turn(struct loop *loop);

/* Makes one turn in which step 5 only looks: for who has more to do already. As loop_turn. */
int loop_look(struct loop *loop);

/* Makes turns until loop_stop. Returns 0, or -1 as loop_turn. */
int loop_run(struct loop *loop);

/* Makes loop_run return at the end of this turn. */
void loop_stop(struct loop *loop);

/* Returns the clock as this turn last read it: in a handler, when its event came back. */
int64_t loop_now(const struct loop *loop);

typedef void loop_fn(void *owner);

/* Makes the loop wait with POLLER, which nothing is in, from now on: every watch is registered
 * there as it was here, so nothing is missed and nothing is told twice; the old poller is closed. A
 * handler may call it. Takes POLLER where it returns 0. Else -1 with errno as poller_add, all is as
 * before, POLLER is still the caller's, and *REFUSED is the descriptor that it would not have. */
int loop_use(struct loop *loop, struct poller *poller, int *refused);

/* Sets what is called just before step 5, with the time limit that the wait will have; NULL for
 * nothing. It may take as long as it likes: the loop stands still (step mode). The wait keeps that
 * limit, and what was changed is done in the next turn; only after loop_stop it does not wait. */
typedef void loop_wait_fn(void *owner, int64_t timeout_ns);
void loop_on_wait(struct loop *loop, loop_wait_fn *before_wait, void *owner);

/* Sets what step 3 calls when loop_mark_dirty was called since; NULL for nothing. */
void loop_on_paint(struct loop *loop, loop_fn *paint, void *owner);
void loop_mark_dirty(struct loop *loop);

/* ---- a descriptor ---- */

/* READY is a set of POLLER_ flags. POLLER_INVALID: the descriptor could not be watched any longer,
 * watch->error says why; it is not watched until watch_want asks anew. */
typedef void watch_fn(void *owner, unsigned ready);

struct watch {
    struct loop *loop; /* NULL while not started */
    int fd;
    watch_fn *on_ready;
    loop_fn *on_closed;
    void *owner;
    unsigned want; /* what is wanted now */
    unsigned was;  /* what the poller was told; 0: it is not in the poller */
    int error;     /* errno of the registration that failed, behind POLLER_INVALID */
    bool is_closing;
    struct list link;   /* in the loop's changed ones, or in those to close */
    struct list member; /* in the loop's list of all that are started */
    const char *name;   /* what it is, for people */
    unsigned last;      /* what was ready when it was last told, and how often it was told */
    uint64_t count;
};

/* Makes a watch that is not started. */
void watch_init(struct watch *watch, watch_fn *on_ready, void *owner);

/* Starts to watch FD for WANT (POLLER_IN, OUT, PRI); 0 watches for nothing at all, hang-up
 * included. FD stays the caller's until watch_close. Returns 0, or -1 with errno as poller_add. */
int watch_start(struct watch *watch, struct loop *loop, int fd, unsigned want);

bool watch_is_started(const struct watch *watch);

/* Says what is wanted from now on; what is not is not told any more, even where it has been
 * reported in this turn. */
void watch_want(struct watch *watch, unsigned want);

/* Stops at once and leaves the descriptor open. Does nothing where it is not started. */
void watch_stop(struct watch *watch);

/* Stops at once, closes the descriptor in step 7, and then calls ON_CLOSED, which may free the
 * watch; NULL for nothing. The watch must be started. */
void watch_close(struct watch *watch, loop_fn *on_closed);

/* Says what it is, for people ("tcp localhost:51423"), before the start or after it: borrowed until
 * the watch is stopped or closed, which forgets it. NULL: nobody has said. */
void watch_name(struct watch *watch, const char *name);

/* Calls FN for each watch that is started, in the order in which they were. FN changes none. */
typedef void watch_each_fn(void *context, const struct watch *watch);
void loop_each_watch(const struct loop *loop, watch_each_fn *fn, void *context);

/* ---- a moment ---- */

struct timer {
    struct loop *loop;
    loop_fn *on_due;
    void *owner;
    struct heap_node node; /* in the loop's heap while it is set ... */
    struct list link;      /* ... and then in the list of those that run in this turn */
};

/* Makes a timer that is not set. */
void timer_init(struct timer *timer, struct loop *loop, loop_fn *on_due, void *owner);

/* Makes on_due be called once, at DUE or as soon afterwards as can be; a timer that is set already
 * is moved. Returns 0, or -1 with ENOMEM. */
int timer_set(struct timer *timer, int64_t due);

/* Forgets it. Does nothing where it is not set. */
void timer_stop(struct timer *timer);

bool timer_is_set(const struct timer *timer);

/* Returns when it is due; only for one that is set. */
int64_t timer_due(const struct timer *timer);

#endif
