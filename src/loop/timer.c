/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "base/list.h"
#include "loop/inside.h"
#include "loop/timer.h"

void timers_init(struct timers *timers)
{
    heap_init(&timers->heap);
    timers->orders = 0;
    timers->lane_count = 0;
}

void timers_fini(struct timers *timers)
{
    heap_fini(&timers->heap);
}

struct timer *timers_next(const struct timers *timers)
{
    const struct loop_node *first = heap_top(&timers->heap);

    for (int i = 0; i < timers->lane_count; i++) {
        const struct timer *timer = list_first(&timers->lanes[i].head);

        if (timer && (!first || heap_before(&timer->node, first)))
            first = &timer->node;
    }
    return first ? first->owner : NULL;
}

/* ---- lanes ---- */

static struct timer_lane *timers_add_lane(struct timers *timers)
{
    struct timer_lane *lane = &timers->lanes[timers->lane_count++];

    list_init(&lane->head, NULL);
    return lane;
}

/* Makes room in LANE, which holds one timer at most: a timer alone is as well off in the heap. */
static int lane_clear(struct timer_lane *lane, struct timers *timers)
{
    struct timer *alone = list_first(&lane->head);

    if (!alone)
        return 0;
    if (heap_insert(&timers->heap, &alone->node, alone->node.due, alone->node.order) < 0)
        return -1;
    list_remove(&alone->link);
    return 0;
}

/* Returns the lane for LENGTH; NULL: all are taken by other lengths. */
static struct timer_lane *timers_lane(struct timers *timers, int64_t length)
{
    struct timer_lane *spare = NULL;

    for (int i = 0; i < timers->lane_count; i++) {
        struct timer_lane *lane = &timers->lanes[i];

        if (lane->length == length)
            return lane;
        if (lane->head.next == lane->head.prev && (!spare || list_is_empty(&lane->head)))
            spare = lane;
    }
    if (timers->lane_count < TIMER_LANES)
        spare = timers_add_lane(timers);
    else if (!spare || lane_clear(spare, timers) < 0)
        return NULL;
    spare->length = length;
    return spare;
}

/* Puts TIMER before LINK, the place in a lane where what comes out at DUE and was set last belongs.
 */
static void lane_insert(struct loop_link *link, struct timer *timer, int64_t due)
{
    struct timers *timers = &timer->loop->timers;

    heap_remove(&timers->heap, &timer->node);
    list_remove(&timer->link);
    timer->node.due = due;
    timer->node.order = timers->orders++;
    list_append(link, &timer->link);
}

/* As lane_insert where that belongs: behind all that are due no later. */
static void lane_insert_sorted(struct timer_lane *lane, struct timer *timer, int64_t due)
{
    struct loop_link *link = &lane->head;

    while (link->prev != &lane->head && ((struct timer *)link->prev->owner)->node.due > due)
        link = link->prev;
    lane_insert(link, timer, due);
}

static int timer_enter_heap(struct timer *timer, int64_t due)
{
    struct timers *timers = &timer->loop->timers;

    if (heap_insert(&timers->heap, &timer->node, due, timers->orders) < 0)
        return -1;
    timers->orders++;
    list_remove(&timer->link);
    return 0;
}

/* Makes TIMER come out at DUE, in the lane for LENGTH where it would be the last one there. After a
 * stall a periodic one may not be. */
static int timer_enter(struct timer *timer, int64_t length, int64_t due)
{
    struct timer_lane *lane = timers_lane(&timer->loop->timers, length);
    const struct timer *last = lane ? list_last(&lane->head) : NULL;

    if (!lane || (last && last->node.due > due))
        return timer_enter_heap(timer, due);
    lane_insert(&lane->head, timer, due);
    return 0;
}

/* A moment later than INT64_MAX is never. */
static int64_t timer_sum(int64_t moment, int64_t ns)
{
    return moment > INT64_MAX - ns ? INT64_MAX : moment + ns;
}

/* ---- a timer ---- */

void timer_init(struct timer *timer, struct loop *loop, loop_fn *on_due, void *owner)
{
    *timer = (struct timer){.loop = loop, .on_due = on_due, .owner = owner};
    heap_node_init(&timer->node, timer);
    list_init(&timer->link, timer);
}

int timer_set(struct timer *timer, int64_t due)
{
    if (timer_enter_heap(timer, due) < 0)
        return -1;
    timer->period_ns = 0;
    return 0;
}

int timer_after(struct timer *timer, int64_t delay_ns)
{
    int64_t length = delay_ns > 0 ? delay_ns : 0;

    if (timer_enter(timer, length, timer_sum(loop_now(timer->loop), length)) < 0)
        return -1;
    timer->period_ns = 0;
    return 0;
}

int timer_every(struct timer *timer, int64_t period_ns)
{
    if (period_ns < 1) {
        errno = EINVAL;
        return -1;
    }
    if (timer_enter(timer, period_ns, timer_sum(loop_now(timer->loop), period_ns)) < 0)
        return -1;
    timer->period_ns = period_ns;
    timer->missed = 0;
    return 0;
}

void timer_stop(struct timer *timer)
{
    list_remove(&timer->link);
    heap_remove(&timer->loop->timers.heap, &timer->node);
}

bool timer_is_set(const struct timer *timer)
{
    return heap_node_is_in(&timer->node) || !list_is_empty(&timer->link);
}

int64_t timer_due(const struct timer *timer)
{
    return timer->node.due;
}

/* ---- what is due ---- */

/* Sets TIMER, which is due, for its next moment. That cannot fail, or a period would end unseen:
 * without memory for the heap its place is looked for in a lane, be it of another length. */
static void timer_repeat(struct timer *timer, int64_t now)
{
    int64_t late = now - timer->node.due;
    int64_t missed = late / timer->period_ns;
    int64_t due = timer_sum(timer->node.due + missed * timer->period_ns, timer->period_ns);

    timer->missed += (uint64_t)missed;
    if (timer_enter(timer, timer->period_ns, due) < 0)
        lane_insert_sorted(&timer->loop->timers.lanes[0], timer, due);
}

/* The first timer, taken out, where it is due at NOW. */
static struct timer *timers_take_due(struct timers *timers, int64_t now)
{
    struct timer *timer = timers_next(timers);

    if (!timer || timer->node.due > now)
        return NULL;
    heap_remove(&timers->heap, &timer->node);
    list_remove(&timer->link);
    return timer;
}

/* What is due is taken out before the first of it runs: a timer that sets itself again for now, or
 * for the past, is run in the next turn, so it can starve neither the descriptors nor the other
 * timers. In its function a timer may be freed. */
bool timers_run(struct timers *timers, int64_t now)
{
    struct loop_link due;
    struct timer *timer;

    list_init(&due, NULL);
    while ((timer = timers_take_due(timers, now)))
        list_append(&due, &timer->link);
    if (list_is_empty(&due))
        return false;
    while ((timer = list_take_first(&due))) {
        if (timer->period_ns > 0)
            timer_repeat(timer, now);
        timer->on_due(timer->owner);
    }
    return true;
}
