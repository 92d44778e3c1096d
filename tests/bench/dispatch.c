/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does an event cost on its way from the kernel to its handler? The bare system call, our
 * poller, our loop and those of others watch the same pipes, along which tokens travel as in
 * libevent's bench.c: each event reads a byte and writes one to the next pipe.
 *
 *     make bench        prints the table that README quotes
 *
 * Processor time of the process, of the user and the system. All take turns in every round, so that
 * what else happens on the machine hits all alike; each is divided by the bare call of the same
 * method in the same round, and the median of the rounds is shown. Nothing is asserted.
 *
 * All are linked as shared libraries. Each has at most 256 events a wait where that can be chosen.
 * One that is not here is left out, and the last line says so.
 */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

#include "bench/dispatch.h"

enum { ROUNDS = 25, SIZES = 3, ACTIVES = 2, CELLS = SIZES * ACTIVES };

/* How long one takes in a round, in processor time. */
#define SLICE_NS 6e6

/* Descriptors that a driver may open besides, below those that only are written to. */
enum { SPARE = 16 };

static const int sizes[SIZES] = {100, 1000, 9900};
static const int actives[ACTIVES] = {1, 100};

enum {
    RAW_EPOLL,
    POLLER_EPOLL,
    POLLER_URING,
    LOOP_EPOLL,
    LOOP_URING,
    LIBEVENT_EPOLL,
    LIBEV_EPOLL,
    LIBUV_EPOLL,
    RAW_POLL,
    POLLER_POLL,
    LOOP_POLL,
    LIBEVENT_POLL,
    LIBEV_POLL,
    RAW_SELECT,
    POLLER_SELECT,
    LOOP_SELECT,
    LIBEVENT_SELECT,
    LIBEV_SELECT,
    RAW_LIMITS,
    LOOP_LIMITS,
    LIBEVENT_LIMITS,
    LIBEV_LIMITS,
    LIBUV_LIMITS,
    WAITS_RAW,
    WAITS_POLLER,
    WAITS_POLLER_URING,
    WAITS_LOOP,
    WAITS_LOOP_URING,
    ROWS
};

enum shown {
    BARE,  /* nanoseconds for each event */
    RATIO, /* how many times that of the base */
    MORE,  /* nanoseconds more than that */
    WAITS  /* in a thousand events */
};

struct row {
    const char *name;
    const struct driver *driver;
    const char *method;
    unsigned options; /* DISPATCH_ */
    enum shown shown;
    int base;          /* a bare row: what it is compared with, and what sets how long it runs */
    const char *title; /* of the part of the table that begins with it */
};

static const struct row rows[ROWS] = {
    [RAW_EPOLL] = {"raw epoll, ns", &driver_raw_epoll, "epoll", 0, BARE, RAW_EPOLL, NULL},
    [POLLER_EPOLL] = {"poller", &driver_poller, "epoll", 0, RATIO, RAW_EPOLL, NULL},
    [POLLER_URING] = {"poller, uring", &driver_poller, "uring", 0, RATIO, RAW_EPOLL, NULL},
    [LOOP_EPOLL] = {"loop", &driver_loop, "epoll", 0, RATIO, RAW_EPOLL, NULL},
    [LOOP_URING] = {"loop, uring", &driver_loop, "uring", 0, RATIO, RAW_EPOLL, NULL},
    [LIBEVENT_EPOLL] = {"libevent", &driver_libevent, "epoll", 0, RATIO, RAW_EPOLL, NULL},
    [LIBEV_EPOLL] = {"libev", &driver_libev, "epoll", 0, RATIO, RAW_EPOLL, NULL},
    [LIBUV_EPOLL] = {"libuv", &driver_libuv, "epoll", 0, RATIO, RAW_EPOLL, NULL},
    [RAW_POLL] = {"raw poll, ns", &driver_raw_poll, "poll", 0, BARE, RAW_POLL, NULL},
    [POLLER_POLL] = {"poller", &driver_poller, "poll", 0, RATIO, RAW_POLL, NULL},
    [LOOP_POLL] = {"loop", &driver_loop, "poll", 0, RATIO, RAW_POLL, NULL},
    [LIBEVENT_POLL] = {"libevent", &driver_libevent, "poll", 0, RATIO, RAW_POLL, NULL},
    [LIBEV_POLL] = {"libev", &driver_libev, "poll", 0, RATIO, RAW_POLL, NULL},
    [RAW_SELECT] = {"raw select, ns", &driver_raw_select, "select", 0, BARE, RAW_SELECT, NULL},
    [POLLER_SELECT] = {"poller", &driver_poller, "select", 0, RATIO, RAW_SELECT, NULL},
    [LOOP_SELECT] = {"loop", &driver_loop, "select", 0, RATIO, RAW_SELECT, NULL},
    [LIBEVENT_SELECT] = {"libevent", &driver_libevent, "select", 0, RATIO, RAW_SELECT, NULL},
    [LIBEV_SELECT] = {"libev", &driver_libev, "select", 0, RATIO, RAW_SELECT, NULL},
    [RAW_LIMITS] = {"raw epoll, ns", &driver_raw_epoll, "epoll", DISPATCH_LIMITS, BARE, RAW_LIMITS,
                    "with a time limit for each that begins anew with each event"},
    [LOOP_LIMITS] = {"loop, ns more", &driver_loop, "epoll", DISPATCH_LIMITS, MORE, RAW_LIMITS,
                     NULL},
    [LIBEVENT_LIMITS] = {"libevent, ns more", &driver_libevent, "epoll", DISPATCH_LIMITS, MORE,
                         RAW_LIMITS, NULL},
    [LIBEV_LIMITS] = {"libev, ns more", &driver_libev, "epoll", DISPATCH_LIMITS, MORE, RAW_LIMITS,
                      NULL},
    [LIBUV_LIMITS] = {"libuv, ns more", &driver_libuv, "epoll", DISPATCH_LIMITS, MORE, RAW_LIMITS,
                      NULL},
    [WAITS_RAW] = {"raw epoll", &driver_raw_epoll, "epoll", DISPATCH_WAITS, WAITS, RAW_EPOLL,
                   "waits in 1000 events"},
    [WAITS_POLLER] = {"poller", &driver_poller, "epoll", DISPATCH_WAITS, WAITS, RAW_EPOLL, NULL},
    [WAITS_POLLER_URING] = {"poller, uring", &driver_poller, "uring", DISPATCH_WAITS, WAITS,
                            RAW_EPOLL, NULL},
    [WAITS_LOOP] = {"loop", &driver_loop, "epoll", DISPATCH_WAITS, WAITS, RAW_EPOLL, NULL},
    [WAITS_LOOP_URING] = {"loop, uring", &driver_loop, "uring", DISPATCH_WAITS, WAITS, RAW_EPOLL,
                          NULL},
};

/* Nanoseconds for each event, or waits; 0: not measured. */
static double taken[ROWS][CELLS][ROUNDS];

/* ---- the ring ---- */

/* Opens the pipe that leads from BEFORE to POST. The ends to read from get the lowest numbers, so
 * that select can have them. */
static void post_open(struct post *post, struct post *before, struct ring *ring)
{
    int first = ring->count + SPARE > FD_SETSIZE ? ring->count + SPARE : FD_SETSIZE;
    int ends[2];

    must(pipe(ends) == 0, "pipe");
    post->ring = ring;
    post->fd = ends[0];
    before->next_fd = fcntl(ends[1], F_DUPFD, first);
    must(before->next_fd >= 0, "fcntl");
    close(ends[1]);
    must(fcntl(post->fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    must(fcntl(before->next_fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
}

static void ring_open(struct ring *ring, int count)
{
    *ring = (struct ring){.posts = must_have((size_t)count, sizeof(struct post)), .count = count};
    for (int i = 0; i < count; i++)
        post_open(&ring->posts[i], &ring->posts[i > 0 ? i - 1 : count - 1], ring);
}

static void ring_close(struct ring *ring)
{
    for (int i = 0; i < ring->count; i++) {
        close(ring->posts[i].fd);
        close(ring->posts[i].next_fd);
    }
    free(ring->posts);
}

/* Puts ACTIVE tokens into the ring, evenly, to make STEPS steps together. */
static void ring_begin(struct ring *ring, int active, long steps)
{
    int gap = ring->count / active;

    ring->steps = steps;
    ring->begun = active;
    ring->done = 0;
    for (int i = 0; i < active; i++)
        must(write(ring->posts[i * gap].next_fd, "", 1) == 1, "write");
}

/* ---- measuring ---- */

static double processor_ns(void)
{
    struct timespec time;

    must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "clock_gettime");
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double run_ns(const struct driver *driver, void *state, struct ring *ring, int active,
                     long steps)
{
    double begin;

    ring_begin(ring, active, steps);
    begin = processor_ns();
    driver->run(state);
    return processor_ns() - begin;
}

/* Whether the highest number in RING, that of the last post, is one that ROW's method can watch. */
static bool row_can_hold(const struct row *row, const struct ring *ring)
{
    return strcmp(row->method, "select") != 0 || ring->posts[ring->count - 1].fd < FD_SETSIZE;
}

static void *row_start(const struct row *row, struct ring *ring)
{
    if (row->driver->missing || !row_can_hold(row, ring))
        return NULL;
    return row->driver->start(ring, row->method, row->options);
}

/* Returns how many steps the bare call of ROW's method makes in a slice; all that are compared with
 * it make as many. 0: it is not here. */
static long row_steps(const struct row *row, struct ring *ring, int active)
{
    void *state = row_start(row, ring);
    long steps = 2L * active;
    double ns = 0;

    while (state && (ns = run_ns(row->driver, state, ring, active, steps)) < SLICE_NS / 8)
        steps *= 2;
    if (!state)
        return 0;
    row->driver->stop(state);
    return (long)((double)steps * SLICE_NS / ns);
}

/* Returns what a step took, or how many waits there were in a thousand. */
static double row_run(const struct row *row, void *state, struct ring *ring, int active, long steps)
{
    double ns;

    ring->waits = 0;
    ns = run_ns(row->driver, state, ring, active, steps);
    return (row->shown == WAITS ? 1000. * (double)ring->waits : ns) / (double)steps;
}

/* Before it is measured it runs once around the ring, or for as long as it will be measured. */
static void row_measure(const struct row *row, struct ring *ring, const long *steps,
                        double (*cells)[ROUNDS], int round)
{
    void *state = row_start(row, ring);

    if (!state)
        return;
    for (int i = 0; i < ACTIVES; i++)
        if (steps[i] > 0) {
            row_run(row, state, ring, actives[i], steps[i] < ring->count ? steps[i] : ring->count);
            cells[i][round] = row_run(row, state, ring, actives[i], steps[i]);
        }
    row->driver->stop(state);
}

static void measure(struct ring *ring, int cell)
{
    long steps[ROWS][ACTIVES] = {{0}};

    for (int row = 0; row < ROWS; row++)
        for (int i = 0; rows[row].shown == BARE && i < ACTIVES; i++)
            steps[row][i] = row_steps(&rows[row], ring, actives[i]);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < ROWS; i++) {
            int row = (i + round) % ROWS;

            if (rows[row].shown == WAITS && round > 0)
                continue;
            row_measure(&rows[row], ring, steps[rows[row].base], &taken[row][cell], round);
        }
}

/* Whether COUNT pipes can be open at once. */
static bool can_open(int count)
{
    struct rlimit limit;

    must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    return limit.rlim_cur >=
           (rlim_t)(count > FD_SETSIZE ? count : FD_SETSIZE) + (rlim_t)count + (rlim_t)(2 * SPARE);
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double cell_value(int row, int cell, int round)
{
    double value = taken[row][cell][round];
    double base = taken[rows[row].base][cell][round];

    switch (rows[row].shown) {
    case RATIO:
        return value / base;
    case MORE:
        return value - base;
    case BARE:
    case WAITS:
        break;
    }
    return value;
}

static double cell_median(int row, int cell)
{
    double values[ROUNDS];

    if (rows[row].shown == WAITS)
        return taken[row][cell][0];
    for (int round = 0; round < ROUNDS; round++)
        values[round] = cell_value(row, cell, round);
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static bool cell_is_there(int row, int cell)
{
    return taken[row][cell][0] > 0;
}

static bool row_is_there(int row)
{
    for (int cell = 0; cell < CELLS; cell++)
        if (cell_is_there(row, cell))
            return true;
    return false;
}

static void print_head(void)
{
    printf("    %-18s", "watched, active");
    for (int cell = 0; cell < CELLS; cell++) {
        char text[32];

        snprintf(text, sizeof text, "%d, %d", sizes[cell / ACTIVES], actives[cell % ACTIVES]);
        printf("%11s", text);
    }
    printf("\n");
}

static void print_row(int row)
{
    static const int digits[] = {[BARE] = 0, [RATIO] = 2, [MORE] = 0, [WAITS] = 0};

    if (rows[row].title)
        printf("    %s:\n", rows[row].title);
    printf("    %-18s", rows[row].name);
    for (int cell = 0; cell < CELLS; cell++)
        if (cell_is_there(row, cell))
            printf("%11.*f", digits[rows[row].shown], cell_median(row, cell));
        else
            printf("%11s", "-");
    printf("\n");
}

static void print_missing(void)
{
    const char *separator = "    not here: ";

    for (int row = 0; row < ROWS; row++)
        if (rows[row].shown == RATIO && !row_is_there(row)) {
            printf("%s%s with %s", separator, rows[row].driver->name, rows[row].method);
            separator = ", ";
        }
    printf("%s", *separator == ',' ? "\n" : "");
}

int main(void)
{
    for (int i = 0; i < SIZES; i++)
        if (can_open(sizes[i])) {
            struct ring ring;

            ring_open(&ring, sizes[i]);
            measure(&ring, i * ACTIVES);
            ring_close(&ring);
        }
    print_head();
    for (int row = 0; row < ROWS; row++)
        if (row_is_there(row))
            print_row(row);
    print_missing();
    return 0;
}
