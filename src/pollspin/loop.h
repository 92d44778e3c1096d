/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop that waits for everything: descriptors, moments, signals, processes, files.
 *
 * One turn, in this order:
 *   1 read the clock   2 run the timers that are due, and what was deferred
 *   3 paint, at most once                              4 tell the poller which wants have changed
 *   5 wait                                             6 dispatch what is ready
 *   7 close what the handlers marked
 *
 * The clock is read in step 1 where there are timers, again behind what ran before the wait, and in
 * step 6 where a handler asks.
 *
 * A handler changes state and says what it wants with watch_want; the kernel is told in step 4,
 * once, however often that changed. A handler closes with watch_close; that is done in step 7, so
 * that no descriptor number is used again, and no memory is freed, inside a batch of events.
 *
 * The poller can be exchanged for another at any moment, by a handler too: no watch sees it.
 *
 * The structs are members of whatever owns them; the loop borrows them between start and stop, and
 * what is in them is the loop's own. X_init makes one that is not started, X_stop does nothing
 * where it is not. Times are those of CLOCK_MONOTONIC, in nanoseconds, and
 * absolute where they are called due. A loop is used by one thread; wakeup_send alone may come
 * from others.
 */
#ifndef POLLSPIN_LOOP_H
#define POLLSPIN_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pollspin/link.h"
#include "pollspin/poller.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loop;

/* Makes a loop that waits with POLLER, which nothing is in and which it takes and will close; NULL:
 * poller_open(NULL). NULL with ENOMEM, or as poller_open. */
struct loop *loop_new(struct poller *poller);

/* Closes what was marked and the poller, gives signals back what they did, and frees the loop; not
 * from a handler. Descriptors still watched stay open, and what is started is the loop's no more:
 * stop first what is to be used again, or owns descriptors, as a wakeup does. NULL is fine. */
void loop_free(struct loop *loop);

/* Returns the poller, borrowed: to observe it, name it or explain its errors. */
struct poller *loop_poller(const struct loop *loop);

/* Makes one turn. Returns 0, or -1 with errno where the wait itself failed; EDEADLK: from a
 * handler, which is within a turn already. */
int loop_turn(struct loop *loop);

/* Makes one turn in which step 5 only looks: for who has more to do already. As loop_turn. */
int loop_look(struct loop *loop);

/* Makes turns until loop_stop. Returns 0, or -1 as loop_turn. */
int loop_run(struct loop *loop);

/* Makes loop_run return at the end of this turn, and the turn not wait; outside of a turn it is for
 * the next loop_turn. */
void loop_stop(struct loop *loop);

/* Returns the time as the loop knows it: read when it is first asked for after the wait, and then
 * the same for all handlers of step 6. */
int64_t loop_now(const struct loop *loop);

typedef void loop_fn(void *owner);

/* Makes the loop wait with POLLER, which nothing is in, from now on: every watch is registered
 * there as it was here, so nothing is missed, and nothing told twice but an edge; the old poller is
 * closed. A handler may call it. Takes POLLER where it returns 0. Else -1 with errno as poller_add,
 * all is as before, POLLER is still the caller's, and *REFUSED is the descriptor that it would not
 * have. */
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

/* What an event touches stands together: where there are thousands, memory is slower than code. */
struct watch {
    struct loop *loop; /* NULL while not started */
    int fd;
    unsigned want;              /* what is wanted now */
    unsigned was;               /* what the poller was told; 0: it is not in the poller */
    unsigned last;              /* what was ready when it was last told ... */
    uint64_t count;             /* ... and how often it was told */
    struct poller_event *event; /* what this turn has still to tell; NULL: nothing */
    watch_fn *on_ready;
    void *owner;
    bool has_fired; /* the poller keeps silent until it is told anew, be it the same */
    bool is_closing;
    int error; /* errno of the registration that failed, behind POLLER_INVALID */
    loop_fn *on_closed;
    struct loop_link link;   /* in the loop's changed ones, or in those to close */
    struct loop_link member; /* in the loop's list of all that are started */
    const char *name;        /* what it is, for people */
};

void watch_init(struct watch *watch, watch_fn *on_ready, void *owner);

/* Starts to watch FD for WANT: POLLER_IN, OUT, PRI, RDHUP, with EDGE or ONESHOT where the poller
 * has them; 0 watches for nothing at all, hang-up included. FD stays the caller's until
 * watch_close. Returns 0, or -1 with errno as poller_add. */
int watch_start(struct watch *watch, struct loop *loop, int fd, unsigned want);

bool watch_is_started(const struct watch *watch);

/* Says what is wanted from now on; what is not is not told any more, even where it has been
 * reported in this turn. A one-shot that has fired is armed again by it. */
void watch_want(struct watch *watch, unsigned want);

/* Stops at once and leaves the descriptor open. */
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

/* Timers that are due at the same time run in the order in which they were set. */
struct timer {
    struct loop *loop;
    loop_fn *on_due;
    void *owner;
    int64_t period_ns;     /* of timer_every; 0: it runs once */
    uint64_t missed;       /* how many periods it has left out since timer_every */
    struct loop_node node; /* when it is due, and its place in the loop's heap ... */
    struct loop_link link; /* ... or among those of one length, or those that run in this turn */
};

void timer_init(struct timer *timer, struct loop *loop, loop_fn *on_due, void *owner);

/* Makes on_due be called once, at DUE or as soon afterwards as can be; a timer that is set already
 * is moved, here and below. Returns 0, or -1 with ENOMEM. */
int timer_set(struct timer *timer, int64_t due);

/* The same, DELAY_NS after loop_now. Where many have the same delay, as the time limits of
 * connections do, setting, moving and stopping one takes the same time however many there are. */
int timer_after(struct timer *timer, int64_t delay_ns);

/* Makes on_due be called every PERIOD_NS, from one period after loop_now on, until timer_stop or
 * timer_set; O(1) as timer_after. The moments stay multiples of the period after the first: a loop
 * that comes late calls it once, counts what it has left out in timer->missed, and goes on with
 * the next moment to come. When on_due is called it is set again: stop it before it is freed.
 * EINVAL: PERIOD_NS is less than 1. */
int timer_every(struct timer *timer, int64_t period_ns);

void timer_stop(struct timer *timer);

bool timer_is_set(const struct timer *timer);

/* Returns when it is due; only for one that is set. In on_due: the moment that has come, or, of
 * timer_every, the next one. */
int64_t timer_due(const struct timer *timer);

/* ---- as soon as this is over ---- */

struct deferred {
    struct loop *loop;
    loop_fn *on_call;
    void *owner;
    struct loop_link link;
};

void deferred_init(struct deferred *deferred, struct loop *loop, loop_fn *on_call, void *owner);

/* Makes on_call be called once, in step 2 of the next turn, which the loop comes to without
 * waiting. Calling it again before that changes nothing; on_call may do so for the turn after. */
void deferred_call(struct deferred *deferred);

void deferred_stop(struct deferred *deferred);

/* ---- a word from another thread, or from a signal handler ---- */

struct wakeup {
    struct watch watch;
    volatile int write_fd; /* -1 while not started; a signal handler reads it */
    loop_fn *on_wakeup;
    void *owner;
};

void wakeup_init(struct wakeup *wakeup, loop_fn *on_wakeup, void *owner);

/* Starts to listen. Returns 0, or -1 with errno as pipe(2) or poller_add. */
int wakeup_start(struct wakeup *wakeup, struct loop *loop);

/* Makes on_wakeup be called in step 6, once for all that were sent since it was last called. Any
 * thread and any signal handler may call it, while it is started; errno survives. */
void wakeup_send(struct wakeup *wakeup);

/* No other thread may be in wakeup_send meanwhile, or call it later. A signal handler of this
 * thread may: before the start, in the middle of the stop and after it that does nothing. */
void wakeup_stop(struct wakeup *wakeup);

/* ---- a signal ---- */

/* SIGNO came once or more often since the last call. */
typedef void signal_fn(void *owner, int signo);

/* Calls ON_SIGNAL for each SIGNO from now on, in step 6, in place of what the signal did before;
 * NULL gives it back what it did, unless others have a handler in its place by now; one that has
 * come and was not told is not told then. A signal has one function in a process. A child of
 * fork(2) has caught none: there each does what it did before, until the child asks for it with a
 * loop of its own. Returns 0, or -1: EBUSY: another loop has it; else as pipe(2), sigaction(2) or
 * poller_add. */
int loop_signal(struct loop *loop, int signo, signal_fn *on_signal, void *owner);

/* ---- the end of a process ---- */

/* STATUS is what waitpid(2) says: the process is reaped. -1: it was no child of ours, or somebody
 * else has reaped it. */
typedef void child_fn(void *owner, int status);

struct child {
    struct loop *loop;
    pid_t pid;
    child_fn *on_exit;
    void *owner;
    struct watch watch;    /* of a pidfd, where the system has them */
    struct timer again;    /* ... or this, while it has ended and a debugger keeps it */
    struct loop_link link; /* in the loop's list, where it has not */
};

void child_init(struct child *child, child_fn *on_exit, void *owner);

/* Calls on_exit once, when PID has ended, or soon where it has already; the child is stopped by
 * then, and may be freed or started anew. Nothing else may wait for PID. Where the system has no
 * pidfd and no kqueue the loop catches SIGCHLD until loop_free, beside loop_signal. Returns 0, or
 * -1: ESRCH: no such process; EBUSY: SIGCHLD is needed, and another loop has it; ENOTSUP: it is
 * needed, and PID is no child of ours; else as pidfd_open(2), loop_signal or poller_add. */
int child_start(struct child *child, struct loop *loop, pid_t pid);

/* Forgets it; the process is not ended and not reaped. */
void child_stop(struct child *child);

/* ---- changes of a file ---- */

enum {
    FILE_DELETE = 1 << 0, /* a name of it was removed */
    FILE_WRITE = 1 << 1,  /* it was written to; a directory: an entry came or went */
    FILE_EXTEND = 1 << 2, /* it has become longer */
    FILE_ATTRIB = 1 << 3, /* its mode, owner or times were changed */
    FILE_LINK = 1 << 4,   /* the number of its names has changed */
    FILE_RENAME = 1 << 5, /* it has another name */
    FILE_REVOKE = 1 << 6  /* it cannot be used any more: its file system was unmounted */
};

/* CHANGES is a set of FILE_ flags: what has happened since the last call. */
typedef void file_fn(void *owner, unsigned changes);

/* What is known of a file, to see what has changed: the loop's own. */
struct file_state {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool is_nameless; /* the name that it was opened by has gone */
    int64_t size;
    uint64_t links;
    int64_t modified; /* when, as stat(2) says, in nanoseconds */
    int64_t changed;
};

struct file_watch {
    struct loop *loop;
    file_fn *on_change;
    void *owner;
    unsigned want;
    int fd;        /* the file, open for nothing but to be known again */
    int key;       /* what the kernel calls it */
    unsigned came; /* what the kernel has said and is not told yet */
    struct file_state known;
    struct loop_link link;
};

void file_watch_init(struct file_watch *file, file_fn *on_change, void *owner);

/* Calls on_change, in step 6, for those changes of the file at PATH that are in WANT. It is the
 * file that is watched, not the name: another file that takes the name is not. The kernel may merge
 * changes, and where it has lost some (inotify(7), IN_Q_OVERFLOW) all of WANT are told.
 *
 * On Linux the removal of a directory is told when nobody has it open any more, and a file that is
 * watched for DELETE, EXTEND, ATTRIB or LINK keeps its file system from being unmounted. Where it
 * does not say what happened, more may be told:
 *   - LINK beside ATTRIB, of an extended attribute, and of a mode or owner set to what it was
 *   - ATTRIB, to who does not want WRITE, of a write that leaves the length as it was
 *   - LINK, of a subdirectory that gets another name in its directory
 * or less:
 *   - WRITE in place of ATTRIB, to who wants both, of a time of change set to the present
 *   - nothing, of a new time of reading alone, and of a directory's new time of change alone
 *   - in one turn: no ATTRIB, of an extended attribute beside a name that comes or goes; and no
 *     DELETE, of a name that goes, not being PATH, beside one that comes
 *
 * Returns 0, or -1 with errno as open(2), inotify_add_watch(2) or poller_add; EINVAL: WANT is 0 or
 * has an unknown flag; ENOTSUP: this system has neither inotify nor kqueue. */
int file_watch_start(struct file_watch *file, struct loop *loop, const char *path, unsigned want);

void file_watch_stop(struct file_watch *file);

#ifdef __cplusplus
}
#endif

#endif
