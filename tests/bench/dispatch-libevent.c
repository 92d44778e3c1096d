/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libevent: a persistent event for each post. Its time limit begins anew by itself whenever it
 * fires, and is a common timeout, as event_base_init_common_timeout recommends for many that are
 * equal.
 */
#include "config.h"

#include "bench/dispatch.h"

#ifdef HAVE_LIBEVENT

#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

struct seat {
    struct event event;
    struct post *post;
};

struct house {
    struct event_base *base;
    struct seat *seats;
    int count;
};

static void seat_on_ready(evutil_socket_t fd, short ready, void *owner)
{
    struct seat *seat = owner;

    (void)fd;
    must(!(ready & EV_TIMEOUT), "a token that is late");
    if (ring_pass(seat->post))
        event_base_loopbreak(event_get_base(&seat->event));
}

static struct event_base *base_with(const char *method)
{
    struct event_config *config = event_config_new();
    const char **methods = event_get_supported_methods();
    struct event_base *base;

    must(config, "event_config_new");
    for (int i = 0; methods[i]; i++)
        if (strcmp(methods[i], method) != 0)
            event_config_avoid_method(config, methods[i]);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void *house_start(struct ring *ring, const char *method, unsigned options)
{
    const struct timeval length = {.tv_sec = DISPATCH_LIMIT_SECONDS};
    struct house *house = must_have(1, sizeof *house);
    const struct timeval *limit = NULL;

    /* libev has functions of these names, too. */
    must(strncmp(event_get_version(), "2.", 2) == 0, "libevent behind libev");
    house->base = base_with(method);
    must(house->base, "event_base_new_with_config");
    if (options & DISPATCH_LIMITS)
        limit = event_base_init_common_timeout(house->base, &length);
    house->count = ring->count;
    house->seats = must_have((size_t)ring->count, sizeof *house->seats);
    for (int i = 0; i < ring->count; i++) {
        struct seat *seat = &house->seats[i];

        seat->post = &ring->posts[i];
        must(event_assign(&seat->event, house->base, seat->post->fd, EV_READ | EV_PERSIST,
                          seat_on_ready, seat) == 0,
             "event_assign");
        must(event_add(&seat->event, limit) == 0, "event_add");
    }
    return house;
}

static void house_run(void *state)
{
    struct house *house = state;

    must(event_base_dispatch(house->base) == 0, "event_base_dispatch");
}

static void house_stop(void *state)
{
    struct house *house = state;

    for (int i = 0; i < house->count; i++)
        event_del(&house->seats[i].event);
    event_base_free(house->base);
    free(house->seats);
    free(house);
}

const struct driver driver_libevent = {
    .name = "libevent", .start = house_start, .run = house_run, .stop = house_stop};

#else

const struct driver driver_libevent = {.name = "libevent", .missing = "not here"};

#endif
