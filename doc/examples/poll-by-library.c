/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies standard input to standard output, with a frame of a spinner on standard error every 50
 * ms, by the loop. poll-by-hand.c is the same program with poll(2): read them side by side.
 *
 *     cc poll-by-library.c $(pkg-config --cflags --libs pollspin) -o poll-by-library
 *     (echo one; sleep 2; echo two) | ./poll-by-library
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <limits.h>
#include <pollspin/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* At most PIPE_BUF bytes: a pipe that is ready for output takes so many without blocking, pipe(7).
 * The descriptors are not made non-blocking, for they are shared with whoever started us. */
struct copy {
    struct loop *loop;
    struct watch input;
    struct watch output;
    char bytes[_POSIX_PIPE_BUF];
    size_t from;
    size_t to;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* What is wanted follows from the state, and from nothing else. */
static void copy_want(struct copy *copy)
{
    int is_full = copy->from < copy->to;

    watch_want(&copy->input, is_full ? 0 : POLLER_IN);
    watch_want(&copy->output, is_full ? POLLER_OUT : 0);
}

static void copy_read(void *owner, unsigned ready)
{
    struct copy *copy = owner;
    ssize_t n;

    errno = copy->input.error;
    if (ready & POLLER_INVALID)
        fail("standard input");
    n = read(STDIN_FILENO, copy->bytes, sizeof copy->bytes);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        fail("standard input");
    copy->from = 0;
    copy->to = n > 0 ? (size_t)n : 0;
    if (n == 0)
        loop_stop(copy->loop);
    copy_want(copy);
}

static void copy_write(void *owner, unsigned ready)
{
    struct copy *copy = owner;
    ssize_t n;

    errno = copy->output.error;
    if (ready & POLLER_INVALID)
        fail("standard output");
    n = write(STDOUT_FILENO, copy->bytes + copy->from, copy->to - copy->from);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        fail("standard output");
    copy->from += n > 0 ? (size_t)n : 0;
    copy_want(copy);
}

static void spin(void *owner)
{
    unsigned *turn = owner;

    fprintf(stderr, "%c\b", "|/-\\"[(*turn)++ % 4]);
}

int main(void)
{
    const int64_t frame_ns = INT64_C(50000000);
    struct copy copy = {.loop = loop_new(NULL)};
    struct timer spinner;
    unsigned turn = 0;

    if (!copy.loop)
        fail("loop_new");
    watch_init(&copy.input, copy_read, &copy);
    watch_init(&copy.output, copy_write, &copy);
    if (watch_start(&copy.input, copy.loop, STDIN_FILENO, POLLER_IN) < 0)
        fail("standard input");
    if (watch_start(&copy.output, copy.loop, STDOUT_FILENO, 0) < 0)
        fail("standard output");
    timer_init(&spinner, copy.loop, spin, &turn);
    if (timer_every(&spinner, frame_ns) < 0)
        fail("timer_every");
    if (loop_run(copy.loop) < 0)
        fail("loop_run");
    timer_stop(&spinner);
    watch_stop(&copy.input);
    watch_stop(&copy.output);
    loop_free(copy.loop);
    return EXIT_SUCCESS;
}
