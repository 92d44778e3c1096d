/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
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

static void strace_write(struct strace *strace, const char *bytes, size_t n)
{
    while (n > 0 && !strace->error) {
        ssize_t written = write(strace->fd, bytes, n);

        if (written < 0 && errno != EINTR)
            strace->error = errno;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
}

static void strace_observe(void *context, const struct poller_call *call)
{
    char line[STRACE_LINE];
    size_t length = strace_format(call, line, sizeof line - 1);

    line[length++] = '\n';
    strace_write(context, line, length);
}

void strace_start(struct strace *strace, struct poller *poller, int fd)
{
    *strace = (struct strace){.fd = fd};
    poller_observe(poller, strace_observe, strace);
}

void strace_stop(struct strace *strace, struct poller *poller)
{
    (void)strace;
    poller_observe(poller, NULL, NULL);
}
