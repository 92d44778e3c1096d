/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/output.h"

static int output_reopen(const char *path)
{
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* A terminal has a name; an unnamed pipe has one only where there is a /proc or a /dev/fd that
 * opens anew instead of duplicating. */
static int output_open_own(int fd, bool is_tty)
{
    char name[PATH_MAX];
    int own = -1;

    if (is_tty && ttyname_r(fd, name, sizeof name) == 0)
        own = output_reopen(name);
    if (own < 0) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        own = output_reopen(name);
    }
    return own;
}

static void output_find_kind(struct output *output, int fd)
{
    struct stat status;
    bool is_tty = isatty(fd);

    output->fd = fd;
    output->kind = OUTPUT_PLAIN;
    if (fstat(fd, &status) < 0)
        return;
    if (S_ISSOCK(status.st_mode))
        output->kind = OUTPUT_SOCKET;
    if (!is_tty && !S_ISFIFO(status.st_mode))
        return;
    output->fd = output_open_own(fd, is_tty);
    output->is_own = output->fd >= 0;
    output->kind = output->is_own ? OUTPUT_NONBLOCKING : OUTPUT_CAREFUL;
    if (!output->is_own)
        output->fd = fd;
}

/* Returns what write(2) would. */
static ssize_t output_put(const struct output *output, const char *bytes, size_t n)
{
    ssize_t written;

    if (output->kind == OUTPUT_CAREFUL && n > PIPE_BUF)
        n = PIPE_BUF;
    do
        written = output->kind == OUTPUT_SOCKET
                      ? send(output->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                      : write(output->fd, bytes, n);
    while (written < 0 && errno == EINTR && output->kind != OUTPUT_PLAIN);
    return written;
}

static void output_fail(struct output *output, int error)
{
    output->error = error;
    buf_fini(&output->queue);
    watch_want(&output->watch, 0);
}

/* Writes what can be written of the N bytes. Returns how many, 0 for none, or -1 when it failed. */
static ssize_t output_try(struct output *output, const char *bytes, size_t n)
{
    ssize_t written = output_put(output, bytes, n);

    if (written >= 0)
        return written;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    output_fail(output, errno);
    return -1;
}

static void output_on_ready(void *owner, unsigned ready)
{
    struct output *output = owner;
    ssize_t written = 0;

    if (ready & POLLER_INVALID)
        output_fail(output, output->watch.error);
    else
        written = output_try(output, buf_peek(&output->queue), output->queue.length);
    if (written > 0)
        buf_take(&output->queue, (size_t)written);
    if (buf_is_empty(&output->queue))
        watch_want(&output->watch, 0);
    if (output->on_change && (written > 0 || output->error))
        output->on_change(output->owner);
}

int output_init(struct output *output, struct loop *loop, int fd, size_t max, loop_fn *on_change,
                void *owner)
{
    *output = (struct output){.on_change = on_change, .owner = owner};
    buf_init(&output->queue, max);
    output_find_kind(output, fd);
    watch_init(&output->watch, output_on_ready, output);
    return watch_start(&output->watch, loop, output->fd, 0);
}

void output_fini(struct output *output)
{
    buf_fini(&output->queue);
    watch_stop(&output->watch);
    if (output->is_own)
        close(output->fd);
    output->is_own = false;
}

size_t output_room(const struct output *output)
{
    return buf_room(&output->queue);
}

bool output_is_drained(const struct output *output)
{
    return buf_is_empty(&output->queue);
}

int output_write(struct output *output, const char *bytes, size_t n)
{
    ssize_t written = 0;

    if (n > output_room(output)) {
        errno = ENOBUFS;
        return -1;
    }
    if (!output->error && buf_is_empty(&output->queue) && output->kind != OUTPUT_CAREFUL && n > 0)
        written = output_try(output, bytes, n);
    if (output->error) {
        errno = output->error;
        return -1;
    }
    if (buf_add(&output->queue, bytes + written, n - (size_t)written) < 0) {
        output_fail(output, errno);
        return -1;
    }
    if (!buf_is_empty(&output->queue))
        watch_want(&output->watch, POLLER_OUT);
    return 0;
}
