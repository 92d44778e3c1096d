/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies standard input to standard output, with a frame of a spinner on standard error every 50
 * ms, by poll(2). poll-by-library.c is the same program with the library: read them side by side.
 *
 *     cc poll-by-hand.c -o poll-by-hand
 *     (echo one; sleep 2; echo two) | ./poll-by-hand
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MS = 50, NS_IN_MS = 1000000 };

/* At most PIPE_BUF bytes: a pipe that is ready for output takes so many without blocking, pipe(7).
 * The descriptors are not made non-blocking, for they are shared with whoever started us. */
struct copy {
    char bytes[_POSIX_PIPE_BUF];
    size_t from;
    size_t to;
    bool is_over;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void copy_read(struct copy *copy)
{
    ssize_t n = read(STDIN_FILENO, copy->bytes, sizeof copy->bytes);

    if (n < 0 && errno != EINTR && errno != EAGAIN)
        fail("standard input");
    copy->from = 0;
    copy->to = n > 0 ? (size_t)n : 0;
    copy->is_over = n == 0;
}

static void copy_write(struct copy *copy)
{
    ssize_t n = write(STDOUT_FILENO, copy->bytes + copy->from, copy->to - copy->from);

    if (n < 0 && errno != EINTR && errno != EAGAIN)
        fail("standard output");
    copy->from += n > 0 ? (size_t)n : 0;
}

static void spin(void)
{
    static unsigned turn;

    fprintf(stderr, "%c\b", "|/-\\"[turn++ % 4]);
}

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 * NS_IN_MS + time.tv_nsec;
}

/* Rounded up: a time limit that is rounded down makes poll(2) return too early, again and again,
 * until the moment has come. */
static int milliseconds_until(int64_t due)
{
    int64_t left = due - now();

    return left > 0 ? (int)((left + NS_IN_MS - 1) / NS_IN_MS) : 0;
}

int main(void)
{
    struct copy copy = {.is_over = false};
    int64_t due = now() + (int64_t)FRAME_MS * NS_IN_MS;

    while (!copy.is_over) {
        bool is_full = copy.from < copy.to;
        /* A descriptor of which nothing is wanted must be left out: its hang-up would be told in
         * every turn. A negative number is how. */
        struct pollfd fds[] = {{.fd = is_full ? -1 : STDIN_FILENO, .events = POLLIN},
                               {.fd = is_full ? STDOUT_FILENO : -1, .events = POLLOUT}};
        int n = poll(fds, 2, milliseconds_until(due));

        if (n < 0 && errno != EINTR)
            fail("poll");
        if (n > 0 && ((fds[0].revents | fds[1].revents) & POLLNVAL)) {
            errno = EBADF;
            fail("poll");
        }
        if (n > 0 && fds[0].revents)
            copy_read(&copy);
        if (n > 0 && fds[1].revents)
            copy_write(&copy);
        if (now() >= due) {
            spin();
            while (due <= now())
                due += (int64_t)FRAME_MS * NS_IN_MS; /* what was missed stays missed */
        }
    }
    return EXIT_SUCCESS;
}
