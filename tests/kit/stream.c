/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/inside.h"
#include "kit/kit.h"

enum { STREAM_MAX = 64, STREAM_READ = 65536 };

static struct kit_stream *streams;

void bytes_add(struct kit_bytes *bytes, const char *data, size_t n)
{
    size_t capacity = bytes->capacity ? bytes->capacity : 4096;

    while (capacity <= bytes->length + n)
        capacity *= 2;
    if (capacity != bytes->capacity) {
        bytes->data = realloc(bytes->data, capacity);
        if (!bytes->data)
            abort();
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->length, data, n);
    bytes->length += n;
    bytes->data[bytes->length] = '\0';
}

bool bytes_hold(const struct kit_bytes *bytes, const char *text)
{
    return memmem(bytes->data, bytes->length, text, strlen(text)) != NULL;
}

void bytes_free(struct kit_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct kit_bytes){0};
}

void kit_stream_start(struct kit_stream *stream, int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    stream->fd = fd;
    stream->next = streams;
    streams = stream;
    bytes_add(&stream->bytes, "", 0);
}

void kit_stream_close(struct kit_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

void kit_stream_free(struct kit_stream *stream)
{
    struct kit_stream **link = &streams;

    while (*link && *link != stream)
        link = &(*link)->next;
    if (*link) {
        *link = stream->next;
        kit_stream_close(stream);
    }
    bytes_free(&stream->bytes);
}

/* The end of a terminal is EIO on Linux. Returns whether something was read. */
static bool stream_read(struct kit_stream *stream)
{
    static char data[STREAM_READ];
    ssize_t n = read(stream->fd, data, sizeof data);

    if (n > 0) {
        bytes_add(&stream->bytes, data, (size_t)n);
        if (stream->on_bytes)
            stream->on_bytes(stream->owner, data, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        kit_stream_close(stream);
    }
    return n > 0;
}

void kit_stream_drain(struct kit_stream *stream)
{
    while (stream->fd >= 0 && stream_read(stream))
        continue;
}

static int stream_milliseconds(int64_t deadline)
{
    int64_t left = deadline - clock_now();

    if (left <= 0)
        return 0;
    return (int)(left / CLOCK_MILLISECOND) + 1;
}

int kit_stream_turn(int fd, int events, int64_t deadline)
{
    struct pollfd fds[STREAM_MAX + 1] = {{.fd = fd, .events = (short)events}};
    struct kit_stream *source[STREAM_MAX + 1];
    nfds_t count = 1;

    for (struct kit_stream *stream = streams; stream && count <= STREAM_MAX; stream = stream->next)
        if (stream->fd >= 0 && !stream->is_stalled) {
            source[count] = stream;
            fds[count++] = (struct pollfd){.fd = stream->fd, .events = POLLIN};
        }
    if (poll(fds, count, stream_milliseconds(deadline)) <= 0)
        return 0;
    for (nfds_t i = 1; i < count; i++)
        if (fds[i].revents)
            stream_read(source[i]);
    return fds[0].revents;
}

int64_t kit_deadline(void)
{
    return clock_now() + KIT_DEADLINE_NS;
}

bool kit_is_over(int64_t deadline)
{
    return clock_now() >= deadline;
}
