/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all others are measured by: the system call and nothing around it, as one would write it for
 * this ring alone. Where the others have time limits epoll_wait has one, which costs the kernel
 * more than our own part of it, and there is nothing else.
 */
#include "config.h"

#include <poll.h>
#include <sys/select.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "bench/dispatch.h"

struct raw {
    struct ring *ring;
    int timeout_ms;
    int fd;             /* epoll's */
    struct pollfd *fds; /* poll's, in the order of the posts */
    fd_set want;        /* select's */
};

static void *raw_start(struct ring *ring, const char *method, unsigned options)
{
    struct raw *raw = must_have(1, sizeof *raw);

    (void)method;
    raw->ring = ring;
    raw->timeout_ms = options & DISPATCH_LIMITS ? DISPATCH_LIMIT_SECONDS * 1000 : -1;
    raw->fd = -1;
    return raw;
}

static void raw_stop(void *state)
{
    struct raw *raw = state;

    if (raw->fd >= 0)
        close(raw->fd);
    free(raw->fds);
    free(raw);
}

/* ---- epoll ---- */

#ifdef __linux__

static void *raw_epoll_start(struct ring *ring, const char *method, unsigned options)
{
    struct raw *raw = raw_start(ring, method, options);

    raw->fd = epoll_create1(EPOLL_CLOEXEC);
    must(raw->fd >= 0, "epoll_create1");
    for (int i = 0; i < ring->count; i++) {
        struct post *post = &ring->posts[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = post};

        must(epoll_ctl(raw->fd, EPOLL_CTL_ADD, post->fd, &event) == 0, "epoll_ctl");
    }
    return raw;
}

static void raw_epoll_run(void *state)
{
    struct raw *raw = state;
    struct epoll_event events[DISPATCH_BATCH];
    bool is_over = false;

    while (!is_over) {
        int n = epoll_wait(raw->fd, events, DISPATCH_BATCH, raw->timeout_ms);

        raw->ring->waits++;
        for (int i = 0; i < n; i++)
            is_over |= ring_pass(events[i].data.ptr);
    }
}

const struct driver driver_raw_epoll = {
    .name = "raw", .start = raw_epoll_start, .run = raw_epoll_run, .stop = raw_stop};

#else

const struct driver driver_raw_epoll = {.name = "raw", .missing = "epoll is Linux's own"};

#endif

/* ---- poll ---- */

static void *raw_poll_start(struct ring *ring, const char *method, unsigned options)
{
    struct raw *raw = raw_start(ring, method, options);

    raw->fds = must_have((size_t)ring->count, sizeof *raw->fds);
    for (int i = 0; i < ring->count; i++)
        raw->fds[i] = (struct pollfd){.fd = ring->posts[i].fd, .events = POLLIN};
    return raw;
}

static void raw_poll_run(void *state)
{
    struct raw *raw = state;
    struct ring *ring = raw->ring;
    bool is_over = false;

    while (!is_over) {
        int n = poll(raw->fds, (nfds_t)ring->count, -1);

        ring->waits++;
        for (int i = 0; i < ring->count && n > 0; i++)
            if (raw->fds[i].revents != 0) {
                n--;
                is_over |= ring_pass(&ring->posts[i]);
            }
    }
}

const struct driver driver_raw_poll = {
    .name = "raw", .start = raw_poll_start, .run = raw_poll_run, .stop = raw_stop};

/* ---- select ---- */

static void *raw_select_start(struct ring *ring, const char *method, unsigned options)
{
    struct raw *raw = raw_start(ring, method, options);

    FD_ZERO(&raw->want);
    for (int i = 0; i < ring->count; i++)
        FD_SET(ring->posts[i].fd, &raw->want);
    return raw;
}

static void raw_select_run(void *state)
{
    struct raw *raw = state;
    struct ring *ring = raw->ring;
    int size = ring->posts[ring->count - 1].fd + 1;
    bool is_over = false;

    while (!is_over) {
        fd_set got = raw->want;
        int n = select(size, &got, NULL, NULL, NULL);

        ring->waits++;
        for (int i = 0; i < ring->count && n > 0; i++)
            if (FD_ISSET(ring->posts[i].fd, &got)) {
                n--;
                is_over |= ring_pass(&ring->posts[i]);
            }
    }
}

const struct driver driver_raw_select = {
    .name = "raw", .start = raw_select_start, .run = raw_select_run, .stop = raw_stop};
