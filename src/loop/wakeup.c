/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A word from another thread or from a signal handler: one byte in a pipe that the loop watches.
 *
 * Of all that could be done there, write(2) alone is safe in both (signal-safety(7)). The byte says
 * no more than that somebody was here: where the pipe is full the loop has a byte to come anyway,
 * so a write that fails loses nothing.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pollspin/loop.h"

/* Before the call: what is sent during it is told again. */
static void wakeup_on_ready(void *owner, unsigned ready)
{
    struct wakeup *wakeup = owner;
    char bytes[1024];

    (void)ready;
    while (read(wakeup->watch.fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        continue;
    wakeup->on_wakeup(wakeup->owner);
}

void wakeup_init(struct wakeup *wakeup, loop_fn *on_wakeup, void *owner)
{
    *wakeup = (struct wakeup){.write_fd = -1, .on_wakeup = on_wakeup, .owner = owner};
    watch_init(&wakeup->watch, wakeup_on_ready, wakeup);
}

static int wakeup_set_flags(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

int wakeup_start(struct wakeup *wakeup, struct loop *loop)
{
    int ends[2];

    assert(wakeup->write_fd < 0);
    if (pipe(ends) < 0)
        return -1;
    if (wakeup_set_flags(ends[0]) < 0 || wakeup_set_flags(ends[1]) < 0 ||
        watch_start(&wakeup->watch, loop, ends[0], POLLER_IN) < 0) {
        int error = errno;

        close(ends[0]);
        close(ends[1]);
        errno = error;
        return -1;
    }
    watch_name(&wakeup->watch, "wakeup");
    wakeup->write_fd = ends[1];
    return 0;
}

void wakeup_send(struct wakeup *wakeup)
{
    int error = errno;
    int fd = wakeup->write_fd;

    if (fd < 0)
        return;
    while (write(fd, "", 1) < 0 && errno == EINTR)
        continue;
    errno = error;
}

/* A signal handler may send in the middle of this: the pipe loses its writer before its reader, for
 * else SIGPIPE would come. The reader's number may be used again in this batch: its event is gone
 * with the watch. */
void wakeup_stop(struct wakeup *wakeup)
{
    int write_fd = wakeup->write_fd;

    if (write_fd < 0)
        return;
    wakeup->write_fd = -1;
    close(write_fd);
    watch_stop(&wakeup->watch);
    close(wakeup->watch.fd);
}
