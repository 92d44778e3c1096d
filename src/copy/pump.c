/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pump's states, and what leads from one to the next.
 *
 *   a step says MORE          READY, or WAITS_SOURCE where that comes to the same
 *   ... WAITS_ or ENDED       the state of that name; RESTS
 *   what is waited for comes  a step: in the loop, or IN_CREW
 *   a limit has no room       WAITS_LIMIT in place of the step
 *
 * All that a turn costs beside the step itself is one wait: the wants stay as they are as long as
 * the same end is the slow one, and no timer is set but for a limit or for somebody's patience.
 *
 * Those who share a limit queue up for it. The first has a timer, takes what there is when that is
 * worth it, and goes behind the others when it wants more; the next gets the timer then.
 *
 * A descriptor can be in a poller once (epoll_ctl(2), EEXIST). One that is an end twice, as fd:3
 * may be, is watched through a copy of it where both are waited for.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/list.h"
#include "copy/pump.h"

enum { STEP_IN_LOOP = 1024 * 1024, STEP_IN_CREW = 16 * 1024 * 1024 };

static const int64_t not_yet_known = INT64_MAX;

unsigned pump_want(enum pump_state state, bool is_source)
{
    if (state == PUMP_WAITS_SOURCE && is_source)
        return POLLER_IN;
    return state == PUMP_WAITS_DEST && !is_source ? POLLER_OUT : 0;
}

static void pump_enter(struct pump *pump, enum pump_state state)
{
    pump->state = state;
    watch_want(&pump->in, pump_want(state, true));
    watch_want(&pump->out, pump_want(state, false));
}

/* ---- the limits ---- */

/* Goes out of the queue and has the next one look what there is for it. */
static void pump_leave_queue(struct pump *pump)
{
    struct pump *next;

    if (list_is_empty(&pump->turn))
        return;
    list_remove(&pump->turn);
    next = list_first(&pump->options.total->queue);
    if (next && timer_set(&next->wait, loop_now(next->loop)) < 0)
        deferred_call(&next->again);
}

/* Returns how many of N bytes the shared limit lets go, 0: none before *DUE. */
static uint64_t pump_allow_shared(struct pump *pump, uint64_t n, int64_t *due)
{
    struct limit *total = pump->options.total;
    int64_t now = loop_now(pump->loop);

    if (!total || total->rate == 0)
        return n;
    if (list_is_empty(&pump->turn))
        list_append(&total->queue, &pump->turn);
    *due = not_yet_known;
    if (list_first(&total->queue) != pump)
        return 0;
    *due = limit_due(total, now);
    return limit_allow(total, n, now);
}

static uint64_t pump_allow(struct pump *pump, uint64_t want, int64_t *due)
{
    int64_t now = loop_now(pump->loop);
    uint64_t n = limit_allow(&pump->limit, want, now);

    *due = limit_due(&pump->limit, now);
    return n > 0 ? pump_allow_shared(pump, n, due) : 0;
}

/* What the step will use is taken beforehand, so that nobody else is given the same meanwhile. */
static void pump_take(struct pump *pump, uint64_t n)
{
    pump->budget = n;
    pump->before = pump_copied(pump);
    pump->skipped = pump->move.skipped;
    limit_take(&pump->limit, n);
    if (pump->options.total)
        limit_take(pump->options.total, n);
    pump_leave_queue(pump);
}

static void pump_give_back(struct pump *pump)
{
    uint64_t holes = pump->move.skipped - pump->skipped;
    uint64_t unused = pump->budget - (pump_copied(pump) - pump->before - holes);

    limit_give_back(&pump->limit, unused);
    if (pump->options.total)
        limit_give_back(pump->options.total, unused);
}

static void pump_wait_for_limit(struct pump *pump, int64_t due)
{
    pump->since = -1;
    pump_enter(pump, PUMP_WAITS_LIMIT);
    if (due != not_yet_known && timer_set(&pump->wait, due) < 0)
        deferred_call(&pump->again);
}

/* ---- the end ---- */

static void pump_stop_watch(struct watch *watch, const struct end *end)
{
    int fd = watch->fd;

    if (!watch_is_started(watch))
        return;
    watch_stop(watch);
    if (fd != end->fd)
        close(fd);
}

static void pump_close(struct pump *pump)
{
    pump->state = PUMP_ENDED;
    pump->since = -1;
    pump_stop_watch(&pump->in, pump->source);
    pump_stop_watch(&pump->out, pump->dest);
    timer_stop(&pump->wait);
    deferred_stop(&pump->again);
    pump_leave_queue(pump);
    move_fini(&pump->move);
}

static void pump_end(struct pump *pump, enum move_result result, int error)
{
    pump_close(pump);
    pump->on_end(pump->owner, result, error);
}

/* ---- what a step has said ---- */

/* Whether the next step can do something although the source says nothing. */
static bool pump_has_more(const struct pump *pump)
{
    const struct move *move = &pump->move;

    return !watch_is_started(&pump->in) || move->at_end || move->piped > 0 ||
           move->begin < move->end;
}

/* A source that is asked anew says at once whether it has more, and nothing is told to the poller
 * for it. */
static void pump_go_on(struct pump *pump)
{
    if (!pump_has_more(pump)) {
        pump_enter(pump, PUMP_WAITS_SOURCE);
        return;
    }
    pump_enter(pump, PUMP_READY);
    deferred_call(&pump->again);
}

/* Fails where the destination's time is over; else there is a timer for that. */
static void pump_watch_patience(struct pump *pump)
{
    int64_t left = pump->options.stall_ns - (loop_now(pump->loop) - pump->since);

    if (pump->options.stall_ns <= 0)
        return;
    if (left <= 0)
        pump_end(pump, MOVE_DEST_FAILED, ETIMEDOUT);
    else if (timer_after(&pump->wait, left) < 0)
        deferred_call(&pump->again);
}

static void pump_wait_for_dest(struct pump *pump)
{
    if (pump->since < 0 || pump_copied(pump) > pump->before)
        pump->since = loop_now(pump->loop);
    pump_enter(pump, PUMP_WAITS_DEST);
    pump_watch_patience(pump);
}

static void pump_rest(struct pump *pump)
{
    pump_enter(pump, PUMP_RESTS);
    pump->on_end(pump->owner, MOVE_ENDED, 0);
}

/* The last that is done in a handler: what is called may free the pump. */
static void pump_settle(struct pump *pump, enum move_result result)
{
    pump_give_back(pump);
    if (result != MOVE_WAITS_DEST)
        pump->since = -1;
    if (result == MOVE_MORE)
        pump_go_on(pump);
    else if (result == MOVE_WAITS_SOURCE)
        pump_enter(pump, PUMP_WAITS_SOURCE);
    else if (result == MOVE_WAITS_DEST)
        pump_wait_for_dest(pump);
    else if (result == MOVE_ENDED && pump->options.rests_at_end)
        pump_rest(pump);
    else
        pump_end(pump, result, result == MOVE_ENDED ? 0 : pump->move.error);
}

/* ---- steps ---- */

static bool pump_touches_file(const struct pump *pump)
{
    return pump->source->kind == END_FILE || pump->dest->kind == END_FILE;
}

static void pump_work(void *owner)
{
    struct pump *pump = owner;

    pump->result = move_step(&pump->move, pump->budget);
}

static void pump_on_done(void *owner)
{
    struct pump *pump = owner;

    pump_settle(pump, pump->result);
}

/* Where no thread can be had the loop waits for the disk: slower is better than not at all. */
static void pump_make_step(struct pump *pump)
{
    if (pump_touches_file(pump) && crew_give(pump->crew, &pump->job) == 0)
        pump_enter(pump, PUMP_IN_CREW);
    else
        pump_settle(pump, move_step(&pump->move, pump->budget));
}

static void pump_step(struct pump *pump)
{
    uint64_t want = pump_touches_file(pump) ? STEP_IN_CREW : STEP_IN_LOOP;
    uint64_t n;
    int64_t due;

    timer_stop(&pump->wait);
    deferred_stop(&pump->again);
    n = pump_allow(pump, want, &due);
    if (n == 0) {
        pump_wait_for_limit(pump, due);
        return;
    }
    pump_take(pump, n);
    pump_make_step(pump);
}

static void pump_on_time(void *owner)
{
    struct pump *pump = owner;

    if (pump->state == PUMP_WAITS_DEST)
        pump_watch_patience(pump);
    else
        pump_step(pump);
}

/* ---- readiness ---- */

static int pump_start_watch(struct pump *pump, struct watch *watch, int fd, unsigned want)
{
    if (watch_start(watch, pump->loop, fd, want) < 0)
        return -1;
    watch_name(watch, watch == &pump->in ? "source" : "destination");
    return 0;
}

/* Watches a copy of the descriptor. Returns 0, or -1 with errno. */
static int pump_watch_copy(struct pump *pump, struct watch *watch)
{
    int fd = fcntl(watch->fd, F_DUPFD_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    watch_stop(watch);
    if (pump_start_watch(pump, watch, fd, pump_want(pump->state, watch == &pump->in)) == 0)
        return 0;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void pump_on_ready(struct pump *pump, struct watch *watch, unsigned ready)
{
    bool is_source = watch == &pump->in;
    int error = watch->error;

    if (!(ready & POLLER_INVALID)) {
        pump_step(pump);
        return;
    }
    if (error == EEXIST && pump_watch_copy(pump, watch) == 0)
        return;
    if (error == EEXIST)
        error = errno;
    pump_end(pump, is_source ? MOVE_SOURCE_FAILED : MOVE_DEST_FAILED, error);
}

static void pump_on_in(void *owner, unsigned ready)
{
    struct pump *pump = owner;

    pump_on_ready(pump, &pump->in, ready);
}

static void pump_on_out(void *owner, unsigned ready)
{
    struct pump *pump = owner;

    pump_on_ready(pump, &pump->out, ready);
}

/* ---- from init to stop ---- */

void pump_init(struct pump *pump, struct loop *loop, struct crew *crew, pump_fn *on_end,
               void *owner)
{
    *pump =
        (struct pump){.loop = loop, .crew = crew, .since = -1, .on_end = on_end, .owner = owner};
    list_init(&pump->turn, pump);
    watch_init(&pump->in, pump_on_in, pump);
    watch_init(&pump->out, pump_on_out, pump);
    timer_init(&pump->wait, loop, pump_on_time, pump);
    deferred_init(&pump->again, loop, pump_on_time, pump);
    job_init(&pump->job, pump_work, pump_on_done, pump);
}

/* The poller hears of a descriptor when it is first waited for, and then it is too late to say
 * which one it cannot hold. */
static int pump_add(struct pump *pump, struct watch *watch, const struct end *end, int *refused)
{
    if (end->kind == END_FILE)
        return 0;
    *refused = end->fd;
    errno = ERANGE;
    if (!poller_can_hold(loop_poller(pump->loop), end->fd))
        return -1;
    return pump_start_watch(pump, watch, end->fd, 0);
}

int pump_start(struct pump *pump, struct end *source, struct end *dest,
               const struct pump_options *options, int *refused)
{
    assert(pump->state == PUMP_IDLE || pump->state == PUMP_ENDED);
    if (pump_add(pump, &pump->in, source, refused) < 0)
        return -1;
    if (pump_add(pump, &pump->out, dest, refused) < 0) {
        watch_stop(&pump->in);
        return -1;
    }
    pump->source = source;
    pump->dest = dest;
    pump->options = *options;
    pump->before = pump->budget = pump->skipped = 0;
    limit_init(&pump->limit, options->rate, loop_now(pump->loop));
    move_init(&pump->move, source, dest, options->buffer ? options->buffer : MOVE_BUFFER_SIZE);
    if (options->rests_at_end)
        move_for_changing(&pump->move);
    pump_enter(pump, source->kind == END_FILE ? PUMP_READY : PUMP_WAITS_SOURCE);
    if (pump->state == PUMP_READY)
        deferred_call(&pump->again);
    return 0;
}

void pump_stop(struct pump *pump)
{
    if (pump->state == PUMP_IDLE || pump->state == PUMP_ENDED)
        return;
    if (pump->state == PUMP_IN_CREW) {
        atomic_store(&pump->move.is_stopped, true);
        crew_wait(pump->crew, &pump->job);
        pump_give_back(pump);
    }
    pump_close(pump);
}

void pump_resume(struct pump *pump, int64_t offset)
{
    assert(pump->state == PUMP_RESTS);
    move_resume(&pump->move, offset);
    pump_enter(pump, PUMP_READY);
    deferred_call(&pump->again);
}

uint64_t pump_copied(const struct pump *pump)
{
    return atomic_load_explicit(&pump->move.copied, memory_order_relaxed);
}

int64_t pump_stalled_since(const struct pump *pump)
{
    return pump->since;
}
