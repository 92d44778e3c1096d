/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "loop/inside.h"
#include "poller/backend.h"
#include "pollspin/loop.h"

/* Step 7. errno survives. */
static void loop_reap(struct loop *loop)
{
    int error;
    struct watch *watch;

    if (list_is_empty(&loop->closing))
        return;
    error = errno;
    while ((watch = list_take_first(&loop->closing))) {
        close(watch->fd);
        watch->loop = NULL;
        watch->fd = -1;
        if (watch->on_closed)
            watch->on_closed(watch->owner);
    }
    errno = error;
}

struct loop *loop_new(struct poller *poller)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    loop->poller = poller ? poller : poller_open(NULL);
    if (!loop->poller) {
        free(loop);
        return NULL;
    }
    timers_init(&loop->timers);
    list_init(&loop->deferred, NULL);
    list_init(&loop->changed, NULL);
    list_init(&loop->closing, NULL);
    list_init(&loop->members, NULL);
    loop_children_init(loop);
    loop_files_init(loop);
    loop->is_now_old = true;
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_reap(loop);
    poller_close(loop->poller);
    loop_signals_free(loop);
    loop_children_free(loop);
    loop_files_free(loop);
    timers_fini(&loop->timers);
    free(loop);
}

struct poller *loop_poller(const struct loop *loop)
{
    return loop->poller;
}

/* Who asks for the time changes nothing that can be seen: it is read once, when it is asked for. */
int64_t loop_now(const struct loop *loop)
{
    struct loop *cache = (struct loop *)loop;

    if (loop->is_now_old) {
        cache->now = clock_now();
        cache->is_now_old = false;
    }
    return loop->now;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}

void loop_on_wait(struct loop *loop, loop_wait_fn *before_wait, void *owner)
{
    loop->before_wait = before_wait;
    loop->waiter = owner;
}

void loop_on_paint(struct loop *loop, loop_fn *paint, void *owner)
{
    loop->paint = paint;
    loop->painter = owner;
}

void loop_mark_dirty(struct loop *loop)
{
    loop->is_dirty = true;
}

/* ---- another poller ---- */

/* Whether the poller has nothing more to say of WATCH, unless it is told anew. A one-shot that is
 * in the batch has fired too. */
static bool watch_is_silent(const struct watch *watch)
{
    return watch->was == 0 || watch->has_fired || (watch->event && (watch->was & POLLER_ONESHOT));
}

/* Tells POLLER what its predecessor was told, not what is wanted by now: so the watch stays as it
 * is, and step 4 finds what it would have found. One that is silent may want something later, and
 * then it would be too late to refuse it. */
static int watch_move(struct watch *watch, struct poller *poller)
{
    errno = 0;
    if (!poller_can_hold(poller, watch->fd))
        errno = ERANGE;
    else if (!poller_supports(poller, watch->want))
        errno = ENOTSUP;
    if (errno != 0)
        return -1;
    return watch_is_silent(watch) ? 0 : poller_add(poller, watch->fd, watch->was, watch);
}

/* Takes those that were started before LINK out of POLLER again. errno survives. */
static void loop_move_back(const struct loop *loop, struct poller *poller,
                           const struct loop_link *link)
{
    int error = errno;

    while ((link = link->prev) != &loop->members) {
        const struct watch *watch = link->owner;

        if (!watch_is_silent(watch))
            poller_remove(poller, watch->fd);
    }
    errno = error;
}

/* The poller is a new one: what is silent is not in it. */
static void loop_forget_silent(struct loop *loop)
{
    for (struct loop_link *link = loop->members.next; link != &loop->members; link = link->next) {
        struct watch *watch = link->owner;

        if (watch_is_silent(watch)) {
            watch->was = 0;
            watch->has_fired = false;
        }
    }
}

int loop_use(struct loop *loop, struct poller *poller, int *refused)
{
    assert(poller != loop->poller);
    for (struct loop_link *link = loop->members.next; link != &loop->members; link = link->next) {
        struct watch *watch = link->owner;

        if (watch_move(watch, poller) < 0) {
            *refused = watch->fd;
            loop_move_back(loop, poller, link);
            return -1;
        }
    }
    loop_forget_silent(loop);
    poller_close(loop->poller);
    loop->poller = poller;
    return 0;
}

/* ---- a descriptor ---- */

/* Tells the poller the difference between was and want. What is wanted for nothing is taken out:
 * the kernel reports a hang-up of whatever is in, and the loop would spin. */
static int watch_tell(struct watch *watch)
{
    struct poller *poller = watch->loop->poller;
    int result = 0;

    if (watch->want == watch->was && !watch->has_fired)
        return 0;
    if (watch->was == 0)
        result = poller_add(poller, watch->fd, watch->want, watch);
    else if (watch->want == 0)
        result = poller_remove(poller, watch->fd);
    else
        result = poller_modify(poller, watch->fd, watch->want, watch);
    if (result < 0)
        return -1;
    watch->was = watch->want;
    watch->has_fired = false;
    return 0;
}

static void watch_take_out(struct watch *watch)
{
    if (watch->was != 0)
        poller_remove(watch->loop->poller, watch->fd);
    watch->was = 0;
    watch->has_fired = false;
}

void watch_init(struct watch *watch, watch_fn *on_ready, void *owner)
{
    *watch = (struct watch){.fd = -1, .on_ready = on_ready, .owner = owner};
    list_init(&watch->link, watch);
    list_init(&watch->member, watch);
}

void watch_name(struct watch *watch, const char *name)
{
    watch->name = name;
}

int watch_start(struct watch *watch, struct loop *loop, int fd, unsigned want)
{
    assert(!watch->loop);
    watch->loop = loop;
    watch->fd = fd;
    watch->want = want;
    watch->was = 0;
    watch->error = 0;
    watch->is_closing = false;
    watch->has_fired = false;
    watch->last = 0;
    watch->count = 0;
    if (watch_tell(watch) < 0) {
        watch->loop = NULL;
        return -1;
    }
    list_append(&loop->members, &watch->member);
    return 0;
}

bool watch_is_started(const struct watch *watch)
{
    return watch->loop && !watch->is_closing;
}

void watch_want(struct watch *watch, unsigned want)
{
    if (!watch_is_started(watch))
        return;
    watch->want = want;
    list_remove(&watch->link);
    if (watch->want != watch->was || watch->has_fired)
        list_append(&watch->loop->changed, &watch->link);
}

/* Takes the watch out of the poller, and out of the batch: its event may be still to come. The name
 * was lent to a watch that is started. */
static void watch_leave(struct watch *watch)
{
    list_remove(&watch->link);
    list_remove(&watch->member);
    watch->name = NULL;
    watch_take_out(watch);
    if (watch->event)
        watch->event->data = NULL;
    watch->event = NULL;
}

void watch_stop(struct watch *watch)
{
    if (!watch_is_started(watch))
        return;
    watch_leave(watch);
    watch->loop = NULL;
}

void watch_close(struct watch *watch, loop_fn *on_closed)
{
    assert(watch_is_started(watch));
    watch_leave(watch);
    watch->is_closing = true;
    watch->on_closed = on_closed;
    list_append(&watch->loop->closing, &watch->link);
}

void loop_each_watch(const struct loop *loop, watch_each_fn *fn, void *context)
{
    for (struct loop_link *link = loop->members.next; link != &loop->members; link = link->next)
        fn(context, link->owner);
}

/* ---- as soon as this is over ---- */

void deferred_init(struct deferred *deferred, struct loop *loop, loop_fn *on_call, void *owner)
{
    *deferred = (struct deferred){.loop = loop, .on_call = on_call, .owner = owner};
    list_init(&deferred->link, deferred);
}

void deferred_call(struct deferred *deferred)
{
    if (list_is_empty(&deferred->link))
        list_append(&deferred->loop->deferred, &deferred->link);
}

void deferred_stop(struct deferred *deferred)
{
    list_remove(&deferred->link);
}

/* ---- a turn ---- */

/* Step 2. What was deferred is taken out before a timer runs: what a timer defers, or what defers
 * itself again, is for the next turn. What runs takes its time, which the wait must not add to, so
 * the clock is read again behind it. */
static void loop_run_due(struct loop *loop)
{
    struct loop_link calls;
    struct deferred *deferred;

    if (list_is_empty(&loop->deferred) && !timers_next(&loop->timers))
        return;
    list_take_all(&calls, &loop->deferred);
    if (timers_next(&loop->timers) && timers_run(&loop->timers, loop_now(loop)))
        loop->is_now_old = true;
    while ((deferred = list_take_first(&calls))) {
        deferred->on_call(deferred->owner);
        loop->is_now_old = true;
    }
}

/* Step 3. */
static void loop_paint(struct loop *loop)
{
    if (!loop->is_dirty)
        return;
    loop->is_dirty = false;
    if (loop->paint)
        loop->paint(loop->painter);
    loop->is_now_old = true;
}

static void watch_call(struct watch *watch, unsigned ready)
{
    watch->last = ready;
    watch->count++;
    watch->on_ready(watch->owner, ready);
}

/* Step 4. One that fails is told so, and is out until it asks anew; the kernel hears of that in the
 * next turn, so that one which fails for ever does not hold up this one. */
static void loop_tell(struct loop *loop)
{
    struct loop_link failed;
    struct watch *watch;

    if (list_is_empty(&loop->changed))
        return;
    list_init(&failed, NULL);
    while ((watch = list_take_first(&loop->changed)))
        if (watch_tell(watch) < 0) {
            watch->error = errno;
            watch_take_out(watch);
            watch->want = 0;
            list_append(&failed, &watch->link);
        }
    while ((watch = list_take_first(&failed)))
        watch_call(watch, POLLER_INVALID);
    loop->is_now_old = true;
}

/* How long step 5 may wait. What came up since step 2 -- something to call, to paint, to tell or to
 * close, a stop -- is done first: the wait then only looks. */
static int64_t loop_timeout(const struct loop *loop)
{
    int64_t longest = INT64_MAX / 4; /* 73 years: then the loop looks whether it is time */
    const struct timer *next;
    int64_t left;

    if (loop->is_looking || loop->is_dirty || loop->is_stopped || !list_is_empty(&loop->deferred) ||
        !list_is_empty(&loop->changed) || !list_is_empty(&loop->closing))
        return 0;
    next = timers_next(&loop->timers);
    if (!next)
        return -1;
    if (next->node.due <= loop_now(loop))
        return 0;
    left = next->node.due - loop_now(loop);
    return left < longest ? left : longest;
}

/* Step 5, but for the clock, which has just been read where there is a time limit. What is called
 * before may take its time, may exchange the poller, and may stop the loop, which then must not
 * wait for ever. */
static int loop_wait(struct loop *loop)
{
    int64_t timeout_ns = loop_timeout(loop);

    if (loop->before_wait) {
        loop->before_wait(loop->waiter, timeout_ns);
        loop->is_now_old = true;
    }
    if (loop->is_stopped)
        timeout_ns = 0;
    return backend_wait(loop->poller, loop->batch, LOOP_BATCH, timeout_ns,
                        timeout_ns > 0 ? loop_now(loop) + timeout_ns : 0);
}

/* Closed behind our back. */
static void watch_lose(struct watch *watch)
{
    list_remove(&watch->link);
    watch_take_out(watch);
    watch->want = 0;
    watch->error = EBADF;
    watch_call(watch, POLLER_INVALID);
}

/* An edge or a one-shot has come, of which READY is told and the rest left out. The poller will not
 * repeat either by itself. A one-shot that is told is not told anew before watch_want says so, not
 * even for a change that it made before. */
static void watch_fire(struct watch *watch, unsigned ready, unsigned rest)
{
    if ((watch->was & POLLER_ONESHOT) || ((watch->was & POLLER_EDGE) && rest != 0))
        watch->has_fired = true;
    if (ready == 0 || !(watch->want & POLLER_ONESHOT))
        return;
    list_remove(&watch->link);
    if (!(watch->was & POLLER_ONESHOT))
        watch_take_out(watch);
}

static void watch_dispatch(struct watch *watch, unsigned reported)
{
    unsigned heard = watch->want == 0 ? 0 : watch->want | POLLER_ERR | POLLER_HUP;

    watch->event = NULL;
    if (reported & POLLER_INVALID) {
        watch_lose(watch);
        return;
    }
    if ((watch->was | watch->want) & (POLLER_EDGE | POLLER_ONESHOT))
        watch_fire(watch, reported & heard, reported & ~heard);
    if (reported & heard)
        watch_call(watch, reported & heard);
}

/* Step 6. Each watch but the first knows its event, so that a handler which changes what a later
 * one wants, or stops it, finds that without a search. */
static void loop_dispatch(struct loop *loop, int count)
{
    struct poller_event *batch = loop->batch;

    for (int i = 1; i < count; i++)
        ((struct watch *)batch[i].data)->event = &batch[i];
    for (int i = 0; i < count; i++)
        if (batch[i].data)
            watch_dispatch(batch[i].data, batch[i].ready);
}

/* A wait that failed has nothing to dispatch; what was marked is closed all the same, since it may
 * be freed after the turn. */
static int loop_make_turn(struct loop *loop)
{
    int n;

    loop->is_now_old = true;
    loop_run_due(loop);
    loop_paint(loop);
    loop_tell(loop);
    n = loop_wait(loop);
    loop->is_now_old = true;
    loop_dispatch(loop, n);
    loop_reap(loop);
    loop->is_now_old = true;
    return n < 0 ? -1 : 0;
}

/* A turn in a turn would dispatch from the same batch. */
static int loop_enter(struct loop *loop, bool is_looking)
{
    if (loop->is_turning) {
        errno = EDEADLK;
        return -1;
    }
    loop->is_turning = true;
    loop->is_looking = is_looking;
    return 0;
}

static int loop_leave(struct loop *loop, int result)
{
    loop->is_turning = false;
    loop->is_looking = false;
    loop->is_stopped = false;
    return result;
}

int loop_turn(struct loop *loop)
{
    return loop_enter(loop, false) < 0 ? -1 : loop_leave(loop, loop_make_turn(loop));
}

int loop_look(struct loop *loop)
{
    return loop_enter(loop, true) < 0 ? -1 : loop_leave(loop, loop_make_turn(loop));
}

int loop_run(struct loop *loop)
{
    int result = 0;

    if (loop_enter(loop, false) < 0)
        return -1;
    loop->is_stopped = false;
    while (result == 0 && !loop->is_stopped)
        result = loop_make_turn(loop);
    return loop_leave(loop, result);
}
