/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting a stream into lines. How it was cut into reads must not show: the pieces depend on the
 * bytes alone. So a full piece is kept until one more byte of its line comes; only then is it known
 * not to be the end. A line that is whole in what was fed is handed over without a copy.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "net/lines.h"

void lines_init(struct lines *lines, size_t max, lines_fn *on_piece, void *owner)
{
    assert(max > 0);
    *lines = (struct lines){.on_piece = on_piece, .owner = owner};
    buf_init(&lines->partial, max);
}

void lines_fini(struct lines *lines)
{
    buf_fini(&lines->partial);
}

/* Hands over what was kept. It is taken out first, so that on_piece sees no partial line and may
 * call lines_fini. */
static void lines_release(struct lines *lines, bool is_end)
{
    struct buf piece = lines->partial;

    buf_init(&lines->partial, piece.max);
    lines->on_piece(lines->owner, buf_peek(&piece), piece.length, is_end);
    buf_fini(&piece);
}

/* Hands over one full piece: what was kept, and the ROOM bytes that it still takes. */
static int lines_cut(struct lines *lines, const char *bytes, size_t room)
{
    if (buf_is_empty(&lines->partial)) {
        lines->on_piece(lines->owner, bytes, room, false);
        return 0;
    }
    if (buf_add(&lines->partial, bytes, room) < 0)
        return -1;
    lines_release(lines, false);
    return 0;
}

/* Takes N bytes of one line; IS_END: it ends behind them. */
static int lines_take(struct lines *lines, const char *bytes, size_t n, bool is_end)
{
    size_t room;

    while (n > (room = buf_room(&lines->partial))) {
        if (lines_cut(lines, bytes, room) < 0)
            return -1;
        bytes += room;
        n -= room;
    }
    if (is_end && buf_is_empty(&lines->partial)) {
        lines->on_piece(lines->owner, bytes, n, true);
        return 0;
    }
    if (buf_add(&lines->partial, bytes, n) < 0)
        return -1;
    if (is_end)
        lines_release(lines, true);
    return 0;
}

int lines_feed(struct lines *lines, const char *bytes, size_t n)
{
    while (n > 0) {
        const char *newline = memchr(bytes, '\n', n);
        size_t length = newline ? (size_t)(newline - bytes) : n;

        if (lines_take(lines, bytes, length, newline != NULL) < 0)
            return -1;
        if (newline)
            length++;
        bytes += length;
        n -= length;
    }
    return 0;
}

void lines_flush(struct lines *lines)
{
    if (!buf_is_empty(&lines->partial))
        lines_release(lines, false);
}

const char *lines_partial(const struct lines *lines, size_t *n)
{
    *n = lines->partial.length;
    return buf_peek(&lines->partial);
}
