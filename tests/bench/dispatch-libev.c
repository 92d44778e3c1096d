/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libev: an ev_io for each post; its time limit is an ev_timer that ev_timer_again winds up, which
 * ev(3) calls the easiest way and the one to prefer.
 */
#include "config.h"

#include "bench/dispatch.h"

#ifdef HAVE_LIBEV

#include <ev.h>
#include <string.h>

struct seat {
    ev_io io;
    ev_timer timer;
    struct post *post;
};

struct house {
    struct ev_loop *loop;
    struct seat *seats;
};

static void seat_on_ready(struct ev_loop *loop, ev_io *io, int ready)
{
    struct seat *seat = io->data;

    (void)ready;
    if (ring_pass(seat->post))
        ev_break(loop, EVBREAK_ALL);
}

static void seat_on_ready_in_time(struct ev_loop *loop, ev_io *io, int ready)
{
    struct seat *seat = io->data;

    ev_timer_again(loop, &seat->timer);
    seat_on_ready(loop, io, ready);
}

static void seat_on_due(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)timer;
    (void)ready;
    must(false, "a token that is late");
}

static unsigned backend_of(const char *method)
{
    if (strcmp(method, "epoll") == 0)
        return EVBACKEND_EPOLL;
    return strcmp(method, "poll") == 0 ? EVBACKEND_POLL : EVBACKEND_SELECT;
}

static void *house_start(struct ring *ring, const char *method, unsigned options)
{
    struct house *house = must_have(1, sizeof *house);
    bool has_limits = (options & DISPATCH_LIMITS) != 0;

    house->loop = ev_loop_new(backend_of(method) | EVFLAG_NOENV);
    must(house->loop, "ev_loop_new");
    house->seats = must_have((size_t)ring->count, sizeof *house->seats);
    for (int i = 0; i < ring->count; i++) {
        struct seat *seat = &house->seats[i];

        seat->post = &ring->posts[i];
        ev_io_init(&seat->io, has_limits ? seat_on_ready_in_time : seat_on_ready, seat->post->fd,
                   EV_READ);
        ev_timer_init(&seat->timer, seat_on_due, 0., DISPATCH_LIMIT_SECONDS);
        seat->io.data = seat;
        ev_io_start(house->loop, &seat->io);
        if (has_limits)
            ev_timer_again(house->loop, &seat->timer);
    }
    return house;
}

static void house_run(void *state)
{
    struct house *house = state;

    ev_run(house->loop, 0);
}

static void house_stop(void *state)
{
    struct house *house = state;

    ev_loop_destroy(house->loop);
    free(house->seats);
    free(house);
}

const struct driver driver_libev = {
    .name = "libev", .start = house_start, .run = house_run, .stop = house_stop};

#else

const struct driver driver_libev = {.name = "libev", .missing = "not here"};

#endif
