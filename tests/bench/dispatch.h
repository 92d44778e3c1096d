/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the drivers of the dispatch measurement share: a ring of posts along which tokens travel.
 *
 * A post is a pipe. Whoever finds that its end is readable calls ring_pass, which takes a byte out
 * and writes one to the next post; so as many posts are ready as tokens are on their way. A driver
 * is one way to find out: it watches all posts between start and stop, and runs until the tokens
 * have made all their steps. The work besides the finding out is the same for all.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/must.h"

/* How many events a wait returns at most, where that can be chosen: as many as our loop takes. */
enum { DISPATCH_BATCH = 256 };

/* The time limit of a post, where it has one: never over before the next token comes. */
enum { DISPATCH_LIMIT_SECONDS = 10 };

struct ring;

struct post {
    int fd;      /* the end to read from */
    int next_fd; /* the next post's end to write to */
    struct ring *ring;
};

struct ring {
    struct post *posts;
    int count;
    long steps; /* to be made in this run */
    long begun; /* of them: a byte was written */
    long done;  /* and read */
    long waits; /* system calls made to wait, where the driver can tell */
};

enum {
    DISPATCH_LIMITS = 1 << 0, /* each post has a time limit, that begins anew with each event */
    DISPATCH_WAITS = 1 << 1   /* count the waits; the time does not matter */
};

struct driver {
    const char *name;
    const char *missing; /* why it is not here; NULL: it is */

    /* Starts to watch all posts of RING with METHOD, "epoll"; returns the driver's own state, or
     * NULL where it lacks the method. */
    void *(*start)(struct ring *ring, const char *method, unsigned options);

    /* Calls ring_pass for whatever is ready until it returns true. */
    void (*run)(void *state);

    /* Stops watching, and frees the state. */
    void (*stop)(void *state);
};

extern const struct driver driver_raw_epoll;
extern const struct driver driver_raw_poll;
extern const struct driver driver_raw_select;
extern const struct driver driver_poller;
extern const struct driver driver_loop;
extern const struct driver driver_libevent;
extern const struct driver driver_libev;
extern const struct driver driver_libuv;

/* Takes a token that has come to POST and sends it on. Returns whether that was the last step. */
static inline bool ring_pass(struct post *post)
{
    struct ring *ring = post->ring;
    char byte;

    must(read(post->fd, &byte, 1) == 1, "read");
    if (ring->begun < ring->steps) {
        ring->begun++;
        must(write(post->next_fd, &byte, 1) == 1, "write");
    }
    return ++ring->done == ring->steps;
}

#endif
