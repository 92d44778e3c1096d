/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may write what: a slot of the table belongs to the loop that has put itself there, and only
 * the thread of that loop writes to it; the handler reads it, in whatever thread the kernel takes.
 * So a loop takes itself out of its slots first, then waits until no handler is running, and only
 * then closes the pipe that one might still write to.
 *
 * A child of fork(2) has the handlers of its parent and the parent's pipe, but no loop that reads
 * it. There the handler makes the signal do what it did before any loop had it.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "loop/inside.h"
#include "loop/signal.h"

/* Above every number that a system has, real-time signals included; sigaction(2) knows which. */
enum { SIGNAL_LIMIT = 129 };

struct signal_call {
    signal_fn *fn; /* NULL: nothing is to be called */
    void *owner;
};

enum { SIGNAL_BESIDE, SIGNAL_ASKED, SIGNAL_CALLS };

struct signal_slot {
    _Atomic(struct loop *) loop; /* NULL: the signal is not ours */
    atomic_bool came;
    struct signal_call calls[SIGNAL_CALLS];
    struct sigaction before;
};

static struct {
    _Atomic(pid_t) pid; /* the process whose loops are in the table; -pid: it moves in */
    atomic_int running; /* handlers */
    struct signal_slot slots[SIGNAL_LIMIT];
} signals;

static bool signals_are_here(void)
{
    return atomic_load(&signals.pid) == getpid();
}

static void signal_handler(int signo);

/* Another part of the program may have put a handler of its own in place of ours: that stays, here
 * and in a child of fork(2). Returns whether it was ours. */
static bool signal_restore(int signo)
{
    struct sigaction now;

    if (sigaction(signo, NULL, &now) < 0 || now.sa_handler != signal_handler)
        return false;
    return sigaction(signo, &signals.slots[signo].before, NULL) == 0;
}

/* A handler may come so late that the loop has gone. */
static bool signal_send(int signo)
{
    struct loop *loop = atomic_load(&signals.slots[signo].loop);

    if (loop) {
        atomic_store(&signals.slots[signo].came, true);
        wakeup_send(&loop->signals.wakeup);
    }
    return loop;
}

/* Passes on what no loop has: whoever saved our handler may have put it back meanwhile. One that is
 * called in place of another is late, or called by that one, and then raise(3) would never end. */
static void signal_handler(int signo)
{
    int error = errno;
    bool is_here = signals_are_here();
    bool is_passed_on;

    atomic_fetch_add(&signals.running, is_here);
    is_passed_on = !(is_here && signal_send(signo)) && signal_restore(signo);
    atomic_fetch_sub(&signals.running, is_here);
    if (is_passed_on)
        raise(signo); /* pending until we return */
    errno = error;
}

/* ---- the pipe ---- */

static void signals_tell(void *owner);

/* What handlers must not write to any more is closed when none is running. */
static void signals_await_handlers(void)
{
    while (signals_are_here() && atomic_load(&signals.running) > 0)
        sched_yield();
}

static void signals_end(struct loop *loop)
{
    int error = errno;

    if (loop->signals.count > 0 || loop->signals.pid == 0)
        return;
    signals_await_handlers();
    wakeup_stop(&loop->signals.wakeup);
    loop->signals.pid = 0;
    errno = error;
}

static int signals_begin(struct loop *loop)
{
    struct loop_signals *own = &loop->signals;

    if (own->pid == getpid())
        return 0;
    signals_end(loop); /* a parent's */
    wakeup_init(&own->wakeup, signals_tell, loop);
    if (wakeup_start(&own->wakeup, loop) < 0)
        return -1;
    watch_name(&own->wakeup.watch, "signals");
    own->pid = getpid();
    return 0;
}

/* ---- the table ---- */

static void signal_give_back(int signo)
{
    struct signal_slot *slot = &signals.slots[signo];
    struct loop *loop = atomic_load(&slot->loop);

    signal_restore(signo);
    slot->calls[SIGNAL_ASKED].fn = slot->calls[SIGNAL_BESIDE].fn = NULL;
    loop->signals.count--;
    atomic_store(&slot->loop, NULL); /* last: from now on another loop may take it */
}

static void signals_give_back(const struct loop *loop)
{
    for (int signo = 1; signo < SIGNAL_LIMIT; signo++)
        if (atomic_load(&signals.slots[signo].loop) == loop)
            signal_give_back(signo);
}

/* A handler that another thread of the parent was in at the fork is not here. */
static void signals_leave_parent(void)
{
    for (int signo = 1; signo < SIGNAL_LIMIT; signo++) {
        const struct loop *loop = atomic_load(&signals.slots[signo].loop);

        if (loop && loop->signals.pid != getpid())
            signal_give_back(signo);
    }
    atomic_store(&signals.running, 0);
}

/* In a child of fork(2) the table is the parent's until the child wants a signal for itself. Of the
 * threads that do so at the same moment one moves in, and the others wait. */
static void signals_move_in(void)
{
    pid_t self = getpid();
    pid_t was = atomic_load(&signals.pid);

    for (; was != self; was = atomic_load(&signals.pid)) {
        if (was != -self && atomic_compare_exchange_strong(&signals.pid, &was, -self)) {
            signals_leave_parent();
            atomic_store(&signals.pid, self);
        } else {
            sched_yield();
        }
    }
}

/* Where our own handler was put back without a loop, what was before it still is. */
static int signal_install(struct signal_slot *slot, int signo, bool is_new)
{
    struct sigaction action = {.sa_handler = signal_handler};
    struct sigaction was;

    sigfillset(&action.sa_mask);
    if (sigaction(signo, &action, &was) < 0)
        return -1;
    if (is_new && was.sa_handler != signal_handler)
        slot->before = was;
    return 0;
}

/* Makes the signal the loop's, or catches it again where it is so already. A handler that has found
 * no loop would undo that: it must have ended. */
static int signal_take(struct loop *loop, int signo)
{
    struct signal_slot *slot = &signals.slots[signo];
    struct loop *has = NULL;
    bool is_new = atomic_compare_exchange_strong(&slot->loop, &has, loop);

    if (!is_new && has != loop) {
        errno = EBUSY;
        return -1;
    }
    if (is_new) {
        atomic_store(&slot->came, false);
        signals_await_handlers();
    }
    if (signal_install(slot, signo, is_new) < 0) {
        if (is_new)
            atomic_store(&slot->loop, NULL);
        return -1;
    }
    loop->signals.count += is_new;
    return 0;
}

static int signal_catch(struct loop *loop, int signo, int which, struct signal_call call)
{
    if (signals_begin(loop) < 0)
        return -1;
    if (signal_take(loop, signo) < 0) {
        signals_end(loop);
        return -1;
    }
    signals.slots[signo].calls[which] = call;
    return 0;
}

static int signal_drop(struct loop *loop, int signo, int which)
{
    struct signal_slot *slot = &signals.slots[signo];
    const struct loop *has = atomic_load(&slot->loop);

    if (has && has != loop) {
        errno = EBUSY;
        return -1;
    }
    slot->calls[which].fn = NULL;
    if (has && !slot->calls[SIGNAL_ASKED].fn && !slot->calls[SIGNAL_BESIDE].fn) {
        signal_give_back(signo);
        signals_end(loop);
    }
    return 0;
}

static int signal_set(struct loop *loop, int signo, int which, struct signal_call call)
{
    if (signo < 1 || signo >= SIGNAL_LIMIT) {
        errno = EINVAL;
        return -1;
    }
    signals_move_in();
    return call.fn ? signal_catch(loop, signo, which, call) : signal_drop(loop, signo, which);
}

/* ---- what others see ---- */

int loop_signal(struct loop *loop, int signo, signal_fn *on_signal, void *owner)
{
    return signal_set(loop, signo, SIGNAL_ASKED, (struct signal_call){on_signal, owner});
}

int loop_signal_beside(struct loop *loop, int signo, signal_fn *on_signal, void *owner)
{
    return signal_set(loop, signo, SIGNAL_BESIDE, (struct signal_call){on_signal, owner});
}

/* What is called may give the signal back. */
static void signal_tell(const struct loop *loop, int signo)
{
    struct signal_slot *slot = &signals.slots[signo];

    for (int i = 0; i < SIGNAL_CALLS; i++)
        if (atomic_load(&slot->loop) == loop && slot->calls[i].fn)
            slot->calls[i].fn(slot->calls[i].owner, signo);
}

static void signals_tell(void *owner)
{
    struct loop *loop = owner;

    for (int signo = 1; signo < SIGNAL_LIMIT; signo++)
        if (atomic_load(&signals.slots[signo].loop) == loop &&
            atomic_exchange(&signals.slots[signo].came, false))
            signal_tell(loop, signo);
}

void loop_signals_tell(struct loop *loop)
{
    char bytes[64];

    if (loop->signals.pid == 0)
        return;
    while (read(loop->signals.wakeup.watch.fd, bytes, sizeof bytes) > 0)
        continue;
    signals_tell(loop);
}

void loop_signal_forget(int signo)
{
    atomic_store(&signals.slots[signo].came, false);
}

int loop_signals_fd(const struct loop *loop)
{
    return loop->signals.pid == 0 ? -1 : loop->signals.wakeup.watch.fd;
}

void loop_signals_fini(struct loop *loop)
{
    signals_give_back(loop);
    signals_end(loop);
}

void loop_signals_free(struct loop *loop)
{
    signals_give_back(loop);
    if (loop->signals.pid == 0)
        return;
    signals_await_handlers();
    close(loop->signals.wakeup.watch.fd);
    close(loop->signals.wakeup.write_fd);
}

bool signal_is_ignored(int signo)
{
    struct sigaction action;

    return sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signal_die(int signo)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t mask;

    sigaction(signo, &action, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, signo);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    raise(signo);
}
