/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "loop/inside.h"
#include "pollspin/loop.h"

struct loop *loop_new(struct poller *poller)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return NULL;
    loop->poller = poller;
    heap_init(&loop->timers);
    list_init(&loop->due, NULL);
    list_init(&loop->deferred, NULL);
    list_init(&loop->changed, NULL);
    list_init(&loop->closing, NULL);
    list_init(&loop->members, NULL);
    loop_children_init(loop);
    loop_files_init(loop);
    loop->now = clock_now();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    poller_close(loop->poller);
    loop_signals_free(loop);
    loop_children_free(loop);
    loop_files_free(loop);
    heap_fini(&loop->timers);
    free(loop);
}

struct poller *loop_poller(const struct loop *loop)
{
    return loop->poller;
}

int64_t loop_now(const struct loop *loop)
{
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

/* Tells POLLER what its predecessor was told, not what is wanted by now: so the watch stays as it
 * is, and step 4 finds what it would have found. One that wants nothing may want something later,
 * and then it would be too late to refuse it. */
static int watch_move(struct watch *watch, struct poller *poller)
{
    if (watch->was != 0)
        return poller_add(poller, watch->fd, watch->was, watch);
    errno = ERANGE;
    return poller_can_hold(poller, watch->fd) ? 0 : -1;
}

/* Takes those that were started before LINK out of POLLER again. errno survives. */
static void loop_move_back(const struct loop *loop, struct poller *poller,
                           const struct loop_link *link)
{
    int error = errno;

    while ((link = link->prev) != &loop->members) {
        const struct watch *watch = link->owner;

        if (watch->was != 0)
            poller_remove(poller, watch->fd);
    }
    errno = error;
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

    if (watch->want == watch->was)
        return 0;
    if (watch->was == 0)
        result = poller_add(poller, watch->fd, watch->want, watch);
    else if (watch->want == 0)
        result = poller_remove(poller, watch->fd);
    else
        result = poller_modify(poller, watch->fd, watch->want, watch);
    if (result == 0)
        watch->was = watch->want;
    return result;
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
    if (watch->want != watch->was)
        list_append(&watch->loop->changed, &watch->link);
}

/* Takes the watch out of the poller, and out of the batch: its event may be still to come. The name
 * was lent to a watch that is started. */
static void watch_leave(struct watch *watch)
{
    struct loop *loop = watch->loop;

    list_remove(&watch->link);
    list_remove(&watch->member);
    watch->name = NULL;
    if (watch->was != 0)
        poller_remove(loop->poller, watch->fd);
    watch->was = 0;
    for (int i = 0; i < loop->batch_count; i++)
        if (loop->batch[i].data == watch)
            loop->batch[i].data = NULL;
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

/* ---- a moment ---- */

void timer_init(struct timer *timer, struct loop *loop, loop_fn *on_due, void *owner)
{
    *timer = (struct timer){.loop = loop, .on_due = on_due, .owner = owner};
    heap_node_init(&timer->node, timer);
    list_init(&timer->link, timer);
}

int timer_set(struct timer *timer, int64_t due)
{
    list_remove(&timer->link);
    return heap_insert(&timer->loop->timers, &timer->node, due);
}

void timer_stop(struct timer *timer)
{
    list_remove(&timer->link);
    heap_remove(&timer->loop->timers, &timer->node);
}

bool timer_is_set(const struct timer *timer)
{
    return heap_node_is_in(&timer->node) || !list_is_empty(&timer->link);
}

int64_t timer_due(const struct timer *timer)
{
    return timer->node.due;
}

/* ---- as soon as this is over ---- */

void deferred_init(struct deferred *deferred, struct loop *loop, loop_fn *on_call, void *owner)
{
    *deferred = (struct deferred){.loop = loop, .on_call = on_call, .owner = owner};
    list_init(&deferred->link, deferred);
}

void deferred_call(struct deferred *deferred)
{
    list_remove(&deferred->link);
    list_append(&deferred->loop->deferred, &deferred->link);
}

void deferred_stop(struct deferred *deferred)
{
    list_remove(&deferred->link);
}

/* ---- a turn ---- */

/* Step 2. What is due is taken out before the first of it runs: a timer that sets itself again for
 * now, or for the past, is run in the next turn, so it can starve neither the descriptors nor the
 * other timers. */
static void loop_run_timers(struct loop *loop)
{
    struct loop_node *top;
    struct timer *timer;

    while ((top = heap_top(&loop->timers)) && top->due <= loop->now) {
        timer = top->owner;
        heap_remove(&loop->timers, top);
        list_append(&loop->due, &timer->link);
    }
    while ((timer = list_take_first(&loop->due)))
        timer->on_due(timer->owner);
}

/* Step 3. */
static void loop_paint(struct loop *loop)
{
    if (!loop->is_dirty)
        return;
    loop->is_dirty = false;
    if (loop->paint)
        loop->paint(loop->painter);
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

    list_init(&failed, NULL);
    while ((watch = list_take_first(&loop->changed)))
        if (watch_tell(watch) < 0) {
            watch->error = errno;
            if (watch->was != 0)
                poller_remove(loop->poller, watch->fd);
            watch->was = watch->want = 0;
            list_append(&failed, &watch->link);
        }
    while ((watch = list_take_first(&failed)))
        watch_call(watch, POLLER_INVALID);
}

/* How long step 5 may wait. What came up since the timers ran -- something to paint, to tell or to
 * close, a stop -- is done first: the wait then only looks. */
static int64_t loop_timeout(const struct loop *loop)
{
    const struct loop_node *top = heap_top(&loop->timers);

    if (loop->is_looking || loop->is_dirty || loop->is_stopped || !list_is_empty(&loop->changed) ||
        !list_is_empty(&loop->closing))
        return 0;
    if (!top)
        return -1;
    return top->due > loop->now ? top->due - loop->now : 0;
}

/* Step 5, but for the clock. What is called before may exchange the poller, and may stop the loop,
 * which then must not wait for ever. */
static int loop_wait(struct loop *loop)
{
    int64_t timeout_ns = loop_timeout(loop);

    if (loop->before_wait)
        loop->before_wait(loop->waiter, timeout_ns);
    if (loop->is_stopped)
        timeout_ns = 0;
    return poller_wait(loop->poller, loop->batch, LOOP_BATCH, timeout_ns);
}

static void watch_dispatch(struct watch *watch, unsigned ready)
{
    if (ready & POLLER_INVALID) {
        poller_remove(watch->loop->poller, watch->fd);
        watch->was = watch->want = 0;
        watch->error = EBADF;
    } else {
        ready &= watch->want == 0 ? 0 : watch->want | POLLER_ERR | POLLER_HUP;
    }
    if (ready != 0)
        watch_call(watch, ready);
}

/* Step 6. A handler may have changed what a later one in the batch wants, or stopped it. */
static void loop_dispatch(struct loop *loop)
{
    for (int i = 0; i < loop->batch_count; i++)
        if (loop->batch[i].data)
            watch_dispatch(loop->batch[i].data, loop->batch[i].ready);
    loop->batch_count = 0;
}

/* Step 7. errno survives. */
static void loop_reap(struct loop *loop)
{
    int error = errno;
    struct watch *watch;

    while ((watch = list_take_first(&loop->closing))) {
        close(watch->fd);
        watch->loop = NULL;
        watch->fd = -1;
        if (watch->on_closed)
            watch->on_closed(watch->owner);
    }
    errno = error;
}

/* A wait that failed has nothing to dispatch; what was marked is closed all the same, since it may
 * be freed after the turn. */
int loop_turn(struct loop *loop)
{
    int n;

    loop->now = clock_now();
    loop_run_timers(loop);
    loop_paint(loop);
    loop_tell(loop);
    n = loop_wait(loop);
    loop->now = clock_now();
    loop->batch_count = n > 0 ? n : 0;
    loop_dispatch(loop);
    loop_reap(loop);
    return n < 0 ? -1 : 0;
}

int loop_look(struct loop *loop)
{
    int result;

    loop->is_looking = true;
    result = loop_turn(loop);
    loop->is_looking = false;
    return result;
}

int loop_run(struct loop *loop)
{
    int result = 0;

    loop->is_stopped = false;
    while (result == 0 && !loop->is_stopped)
        result = loop_turn(loop);
    return result;
}
