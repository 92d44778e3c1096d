/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "trace/strace.h"

/* The duration is the part that matters most, so it is kept where the arguments have to be cut. */
size_t strace_format(const struct poller_call *call, char *bytes, size_t size)
{
    enum { TAIL = 32 };
    int64_t took = (call->end_ns - call->begin_ns) / CLOCK_MICROSECOND;
    size_t length = (size_t)poller_call_text(call, bytes, size - TAIL);
    struct text tail;

    if (length >= size - TAIL) {
        length = size - TAIL - 1;
        memcpy(bytes + length - 3, "...", 3);
    }
    text_init(&tail, bytes + length, TAIL);
    text_add(&tail, " <%lld.%06lld>", (long long)(took / 1000000), (long long)(took % 1000000));
    return length + (text_is_cut(&tail) ? TAIL - 1 : tail.length);
}

/* Returns what write(2) would, and 0 where the descriptor is O_NONBLOCK and there was no room, but
 * is now. */
static ssize_t strace_put(const struct strace_file *file, const char *line, size_t n)
{
    struct pollfd room = {.fd = file->fd, .events = POLLOUT};
    ssize_t written = write(file->fd, line, n);
    int ready;

    if (written >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return written;
    ready = poll(&room, 1, file->patience_ms > 0 ? file->patience_ms : -1);
    if (ready == 0)
        errno = EAGAIN;
    return ready > 0 ? 0 : -1;
}

/* Whether it was a signal that cut a write to FD short. Otherwise there is room, or nobody waited.
 */
static bool strace_was_interrupted(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    return poll(&room, 1, 0) == 0 && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* EINTR is a failure too: a reader that does not read would otherwise keep the loop for ever from
 * the very signal that should end the program. */
void strace_to_file(void *owner, const char *line, size_t n)
{
    struct strace_file *file = owner;

    while (n > 0 && !file->error) {
        ssize_t written = strace_put(file, line, n);

        if (written < 0) {
            file->error = errno;
            return;
        }
        line += written;
        n -= (size_t)written;
        if (n > 0 && strace_was_interrupted(file->fd))
            file->error = EINTR;
    }
}

static void strace_observe(void *context, const struct poller_call *call)
{
    const struct strace *strace = context;
    char line[STRACE_LINE];
    size_t length = strace_format(call, line, sizeof line - 1);

    line[length++] = '\n';
    strace->write(strace->owner, line, length);
}

void strace_start(struct strace *strace, struct poller *poller, strace_fn *write, void *owner)
{
    *strace = (struct strace){.write = write, .owner = owner};
    poller_observe(poller, strace_observe, strace);
}
