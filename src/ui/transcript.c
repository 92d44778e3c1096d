/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes go through in small pieces, each made visible in memory on the stack: the shown form can
 * be many times as long as what came. A CR is held until the next byte is there, since before a
 * newline it is a part of that, and anywhere else it is to be seen.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ui/stamp.h"
#include "ui/transcript.h"

enum {
    PIECE = 128, /* received bytes made visible at once */
    SHOWN = SANITIZE_GROWTH * (PIECE + sizeof((struct sanitize *)NULL)->pending)
};

_Static_assert(2 * TRANSCRIPT_LINE >= TRANSCRIPT_LINE + SHOWN, "a piece more than is kept back");

void transcript_init(struct transcript *transcript, enum transcript_form form,
                     const char *stamp_format, uint64_t line_limit)
{
    *transcript = (struct transcript){
        .form = form, .stamp_format = stamp_format, .line_limit = line_limit, .columns = 80};
    buf_init(&transcript->ready, TRANSCRIPT_READY);
    sanitize_init(&transcript->sanitize);
    transcript->stamp_second = -1;
}

void transcript_fini(struct transcript *transcript)
{
    buf_fini(&transcript->ready);
}

/* Moves the first N bytes that are kept back to the ready ones. */
static int line_release(struct transcript *transcript, size_t n)
{
    if (buf_add(&transcript->ready, transcript->line, n) < 0)
        return -1;
    transcript->line_length -= n;
    memmove(transcript->line, transcript->line + n, transcript->line_length);
    return 0;
}

/* Hands on all whole rows of a line that is too long; what is left is never nothing, so that the
 * newline to come ends a row that has text. Marks on one character could fill any memory and make
 * no row: then all is handed on. */
static int line_break(struct transcript *transcript)
{
    size_t length = transcript->line_length;
    size_t rows = 0;
    size_t row;

    while ((row = sanitize_fit(transcript->line + rows, length - rows, transcript->columns)) > 0 &&
           rows + row < length)
        rows += row;
    if (rows == 0 || length - rows > TRANSCRIPT_LINE)
        rows = length;
    if (line_release(transcript, rows) < 0)
        return -1;
    return buf_add(&transcript->ready, "\n", 1);
}

static int put_shown(struct transcript *transcript, const char *shown, size_t n)
{
    if (transcript->form != TRANSCRIPT_LINES)
        return buf_add(&transcript->ready, shown, n);
    memcpy(transcript->line + transcript->line_length, shown, n);
    transcript->line_length += n;
    return transcript->line_length > TRANSCRIPT_LINE ? line_break(transcript) : 0;
}

static int put_visible(struct transcript *transcript, const char *bytes, size_t n)
{
    while (n > 0) {
        char shown[SHOWN];
        size_t piece = n < PIECE ? n : PIECE;
        size_t length = sanitize_bytes(&transcript->sanitize, bytes, piece, shown);

        if (put_shown(transcript, shown, length) < 0)
            return -1;
        bytes += piece;
        n -= piece;
    }
    return 0;
}

static int put_held_cr(struct transcript *transcript)
{
    if (!transcript->has_cr)
        return 0;
    transcript->has_cr = false;
    return put_visible(transcript, "\r", 1);
}

/* Adds N bytes of one line, its newline left out. */
static int put_text(struct transcript *transcript, const char *bytes, size_t n)
{
    if (n == 0)
        return 0;
    if (transcript->form == TRANSCRIPT_RAW)
        return buf_add(&transcript->ready, bytes, n);
    if (put_held_cr(transcript) < 0)
        return -1;
    transcript->has_cr = bytes[n - 1] == '\r';
    return put_visible(transcript, bytes, n - transcript->has_cr);
}

/* Makes the stamp of this second: a flood has many lines in one. The user's format may hold what
 * a terminal would obey, and its shown form be too long: then there is none. */
static void stamp_refresh(struct transcript *transcript)
{
    time_t second = clock_wall().tv_sec;
    char raw[STAMP_BYTES];
    char shown[SHOWN];
    struct sanitize sanitize;
    size_t length;

    if (second == transcript->stamp_second)
        return;
    transcript->stamp_second = second;
    length = stamp_write(transcript->stamp_format, second, raw);
    memcpy(shown, raw, length);
    if (transcript->form != TRANSCRIPT_RAW) {
        sanitize_init(&sanitize);
        length = sanitize_bytes(&sanitize, raw, length, shown);
    }
    if (length >= TRANSCRIPT_STAMP)
        length = 0;
    memcpy(transcript->stamp, shown, length);
    transcript->stamp[length] = ' ';
    transcript->stamp_length = length > 0 ? length + 1 : 0;
}

static int line_begin(struct transcript *transcript, int64_t now)
{
    if (transcript->is_inside)
        return 0;
    transcript->is_inside = true;
    transcript->begun = now;
    if (!transcript->stamp_format)
        return 0;
    stamp_refresh(transcript);
    if (transcript->form != TRANSCRIPT_RAW) /* the stops of TAB count from the edge */
        transcript->sanitize.column = sanitize_width(transcript->stamp, transcript->stamp_length);
    return put_shown(transcript, transcript->stamp, transcript->stamp_length);
}

/* Adds what is left of the line, without a newline. */
static int line_finish(struct transcript *transcript)
{
    char shown[SHOWN];
    size_t length = sanitize_end(&transcript->sanitize, shown);

    transcript->is_inside = false;
    transcript->has_cr = false;
    if (put_shown(transcript, shown, length) < 0)
        return -1;
    return line_release(transcript, transcript->line_length);
}

static int line_complete(struct transcript *transcript)
{
    if (line_finish(transcript) < 0 || buf_add(&transcript->ready, "\n", 1) < 0)
        return -1;
    transcript->lines++;
    return 0;
}

static bool is_at_limit(const struct transcript *transcript)
{
    return transcript->line_limit > 0 && transcript->lines >= transcript->line_limit;
}

int transcript_add(struct transcript *transcript, const char *bytes, size_t n, int64_t now)
{
    while (n > 0 && !is_at_limit(transcript)) {
        const char *newline = memchr(bytes, '\n', n);
        size_t length = newline ? (size_t)(newline - bytes) : n;

        if (line_begin(transcript, now) < 0 || put_text(transcript, bytes, length) < 0)
            return -1;
        if (newline && line_complete(transcript) < 0)
            return -1;
        bytes += length + (newline != NULL);
        n -= length + (newline != NULL);
    }
    return is_at_limit(transcript);
}

int transcript_end(struct transcript *transcript)
{
    if (!transcript->is_inside)
        return 0;
    if (put_held_cr(transcript) < 0 || line_finish(transcript) < 0)
        return -1;
    return transcript->form == TRANSCRIPT_RAW ? 0 : buf_add(&transcript->ready, "\n", 1);
}

int transcript_note(struct transcript *transcript, const char *bytes, size_t n)
{
    struct sanitize sanitize;
    char shown[SHOWN];

    if (n > 0 && bytes[n - 1] == '\n')
        n--;
    sanitize_init(&sanitize);
    while (n > 0) {
        size_t piece = n < PIECE ? n : PIECE;
        size_t length = sanitize_bytes(&sanitize, bytes, piece, shown);

        if (buf_add(&transcript->ready, shown, length) < 0)
            return -1;
        bytes += piece;
        n -= piece;
    }
    return buf_add(&transcript->ready, "\n", 1);
}
