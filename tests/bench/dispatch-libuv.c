/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libuv: a uv_poll_t for each post; its time limit is a uv_timer_t that uv_timer_again winds up.
 * It has epoll only, on Linux.
 */
#include "config.h"

#include "bench/dispatch.h"

#ifdef HAVE_LIBUV

#include <uv.h>

struct seat {
    uv_poll_t poll;
    uv_timer_t timer;
    struct post *post;
};

struct house {
    uv_loop_t loop;
    struct seat *seats;
    int count;
};

static void seat_on_ready(uv_poll_t *handle, int status, int ready)
{
    struct seat *seat = handle->data;

    (void)ready;
    must(status == 0, "uv_poll_t");
    if (ring_pass(seat->post))
        uv_stop(handle->loop);
}

static void seat_on_ready_in_time(uv_poll_t *handle, int status, int ready)
{
    struct seat *seat = handle->data;

    must(uv_timer_again(&seat->timer) == 0, "uv_timer_again");
    seat_on_ready(handle, status, ready);
}

static void seat_on_due(uv_timer_t *timer)
{
    (void)timer;
    must(false, "a token that is late");
}

static void seat_start(struct seat *seat, uv_loop_t *loop, bool has_limit)
{
    const uint64_t ms = DISPATCH_LIMIT_SECONDS * 1000;

    seat->poll.data = seat;
    must(uv_poll_init(loop, &seat->poll, seat->post->fd) == 0, "uv_poll_init");
    must(uv_timer_init(loop, &seat->timer) == 0, "uv_timer_init");
    must(uv_poll_start(&seat->poll, UV_READABLE,
                       has_limit ? seat_on_ready_in_time : seat_on_ready) == 0,
         "uv_poll_start");
    if (has_limit)
        must(uv_timer_start(&seat->timer, seat_on_due, ms, ms) == 0, "uv_timer_start");
}

static void *house_start(struct ring *ring, const char *method, unsigned options)
{
    struct house *house = must_have(1, sizeof *house);

    (void)method;
    must(uv_loop_init(&house->loop) == 0, "uv_loop_init");
    house->count = ring->count;
    house->seats = must_have((size_t)ring->count, sizeof *house->seats);
    for (int i = 0; i < ring->count; i++) {
        house->seats[i].post = &ring->posts[i];
        seat_start(&house->seats[i], &house->loop, (options & DISPATCH_LIMITS) != 0);
    }
    return house;
}

static void house_run(void *state)
{
    struct house *house = state;

    uv_run(&house->loop, UV_RUN_DEFAULT);
}

/* A handle is the loop's until a turn has closed it. */
static void house_stop(void *state)
{
    struct house *house = state;

    for (int i = 0; i < house->count; i++) {
        uv_close((uv_handle_t *)&house->seats[i].poll, NULL);
        uv_close((uv_handle_t *)&house->seats[i].timer, NULL);
    }
    uv_run(&house->loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&house->loop) == 0, "uv_loop_close");
    free(house->seats);
    free(house);
}

const struct driver driver_libuv = {
    .name = "libuv", .start = house_start, .run = house_run, .stop = house_stop};

#else

const struct driver driver_libuv = {.name = "libuv", .missing = "not here"};

#endif
