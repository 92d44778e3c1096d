/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { BUF_FIRST = 512 };

void buf_init(struct buf *buf, size_t max)
{
    memset(buf, 0, sizeof *buf);
    buf->max = max;
}

void buf_fini(struct buf *buf)
{
    free(buf->bytes);
    buf_init(buf, buf->max);
}

bool buf_is_empty(const struct buf *buf)
{
    return buf->length == 0;
}

size_t buf_room(const struct buf *buf)
{
    return buf->max - buf->length;
}

/* Makes room for N more bytes behind the queued ones. Sliding is tried first, but only where at
 * least half of the memory is free: so each byte is moved a bounded number of times. */
static int buf_reserve(struct buf *buf, size_t n)
{
    size_t need = buf->length + n;
    size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST;
    char *bytes;

    if (buf->start + need <= buf->capacity)
        return 0;
    if (need > buf->capacity / 2) {
        while (capacity / 2 < need)
            capacity *= 2;
        bytes = malloc(capacity);
        if (!bytes)
            return -1;
        if (buf->length > 0)
            memcpy(bytes, buf->bytes + buf->start, buf->length);
        free(buf->bytes);
        buf->bytes = bytes;
        buf->capacity = capacity;
    } else {
        memmove(buf->bytes, buf->bytes + buf->start, buf->length);
    }
    buf->start = 0;
    return 0;
}

int buf_add(struct buf *buf, const void *bytes, size_t n)
{
    if (n > buf_room(buf)) {
        errno = ENOBUFS;
        return -1;
    }
    if (n == 0)
        return 0;
    if (buf_reserve(buf, n) < 0)
        return -1;
    memcpy(buf->bytes + buf->start + buf->length, bytes, n);
    buf->length += n;
    return 0;
}

const char *buf_peek(const struct buf *buf)
{
    return buf->bytes ? buf->bytes + buf->start : NULL;
}

void buf_take(struct buf *buf, size_t n)
{
    assert(n <= buf->length);
    buf->start += n;
    buf->length -= n;
    if (buf->length == 0)
        buf_fini(buf);
}
