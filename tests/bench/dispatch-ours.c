/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ours, twice: poller_wait alone, and the loop with a watch for each post.
 */
#include "config.h"

#include <pollspin/loop.h>
#include <pollspin/poller.h>

#include "bench/dispatch.h"

#define OURS_LIMIT_NS (DISPATCH_LIMIT_SECONDS * INT64_C(1000000000))

static void ours_count_wait(void *context, const struct poller_call *call)
{
    struct ring *ring = context;

    ring->waits += call->is_wait;
}

static struct poller *ours_open(struct ring *ring, const char *method, unsigned options)
{
    struct poller *poller = poller_open(method);

    if (poller && (options & DISPATCH_WAITS))
        poller_observe(poller, ours_count_wait, ring);
    return poller;
}

/* ---- the poller alone ---- */

static void *poller_start(struct ring *ring, const char *method, unsigned options)
{
    struct poller *poller = ours_open(ring, method, options);

    for (int i = 0; poller && i < ring->count; i++)
        must(poller_add(poller, ring->posts[i].fd, POLLER_IN, &ring->posts[i]) == 0, "poller_add");
    return poller;
}

static void poller_run(void *state)
{
    struct poller_event events[DISPATCH_BATCH];
    bool is_over = false;

    while (!is_over) {
        int n = poller_wait(state, events, DISPATCH_BATCH, -1);

        must(n > 0, "poller_wait");
        for (int i = 0; i < n; i++)
            is_over |= ring_pass(events[i].data);
    }
}

static void poller_stop(void *state)
{
    poller_close(state);
}

const struct driver driver_poller = {
    .name = "poller", .start = poller_start, .run = poller_run, .stop = poller_stop};

/* ---- the loop ---- */

struct seat {
    struct watch watch;
    struct timer timer;
    struct post *post;
};

struct house {
    struct loop *loop;
    struct seat *seats;
};

static void seat_on_ready(void *owner, unsigned ready)
{
    struct seat *seat = owner;

    (void)ready;
    if (ring_pass(seat->post))
        loop_stop(seat->watch.loop);
}

static void seat_on_ready_in_time(void *owner, unsigned ready)
{
    struct seat *seat = owner;

    must(timer_after(&seat->timer, OURS_LIMIT_NS) == 0, "timer_after");
    seat_on_ready(owner, ready);
}

static void seat_on_due(void *owner)
{
    (void)owner;
    must(false, "a token that is late");
}

static void *house_start(struct ring *ring, const char *method, unsigned options)
{
    struct poller *poller = ours_open(ring, method, options);
    bool has_limits = (options & DISPATCH_LIMITS) != 0;
    struct house *house;

    if (!poller)
        return NULL;
    house = must_have(1, sizeof *house);
    house->loop = loop_new(poller);
    must(house->loop, "loop_new");
    house->seats = must_have((size_t)ring->count, sizeof *house->seats);
    for (int i = 0; i < ring->count; i++) {
        struct seat *seat = &house->seats[i];

        seat->post = &ring->posts[i];
        watch_init(&seat->watch, has_limits ? seat_on_ready_in_time : seat_on_ready, seat);
        timer_init(&seat->timer, house->loop, seat_on_due, seat);
        must(watch_start(&seat->watch, house->loop, seat->post->fd, POLLER_IN) == 0, "watch_start");
        if (has_limits)
            must(timer_after(&seat->timer, OURS_LIMIT_NS) == 0, "timer_after");
    }
    return house;
}

static void house_run(void *state)
{
    struct house *house = state;

    must(loop_run(house->loop) == 0, "loop_run");
}

static void house_stop(void *state)
{
    struct house *house = state;

    loop_free(house->loop);
    free(house->seats);
    free(house);
}

const struct driver driver_loop = {
    .name = "loop", .start = house_start, .run = house_run, .stop = house_stop};
