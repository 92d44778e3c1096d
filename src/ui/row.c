/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text is made visible in small pieces, in memory on the stack: the shown form can be many times as
 * long as what came. A piece may end between a character and its marks, so a row that is full still
 * takes marks: the result is the same however a text was cut.
 *
 * Invariant: columns that are used hold at least one byte each, and the last span ends where the
 * text does.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/sanitize.h"
#include "ui/row.h"

enum {
    PIECE = 256, /* bytes made visible at once */
    SHOWN = SANITIZE_GROWTH * (PIECE + sizeof((struct sanitize *)NULL)->pending),
    PRINT = 1024
};

void row_init(struct row *row, size_t columns)
{
    row->columns = columns < ROW_COLUMNS_MAX ? columns : ROW_COLUMNS_MAX;
    row->used = 0;
    row->length = 0;
    row->span_count = 0;
}

/* Returns how many of N shown bytes, at their beginning, are marks without a column. */
static size_t count_marks(const char *shown, size_t n)
{
    size_t i = 0;
    size_t length;
    mbstate_t state;
    wchar_t c;

    for (; i < n; i += length) {
        memset(&state, 0, sizeof state);
        length = mbrtowc(&c, shown + i, n - i, &state);
        if (length == 0 || length > n - i || wcwidth(c) != 0)
            break;
    }
    return i;
}

/* Says that the text from the end of the last span on is of STYLE. */
static void extend_spans(struct row *row, enum row_style style)
{
    size_t count = row->span_count;

    if (count == 0 || (row->spans[count - 1].style != style && count < ROW_SPANS))
        row->spans[row->span_count++].style = style;
    row->spans[row->span_count - 1].end = (uint16_t)row->length;
}

/* Adds N bytes, which fit. */
static void append(struct row *row, enum row_style style, const char *shown, size_t n)
{
    if (n == 0)
        return;
    memcpy(row->bytes + row->length, shown, n);
    row->length += n;
    row->used += sanitize_width(shown, n);
    extend_spans(row, style);
}

/* Adds what fits of N shown bytes. Where they begin with marks, there is a character before. */
static size_t append_fitting(struct row *row, enum row_style style, const char *shown, size_t n)
{
    size_t marks = count_marks(shown, n);

    if (marks > 0) /* of the style that their character has */
        append(row, row->spans[row->span_count - 1].style, shown, marks);
    n = sanitize_fit(shown + marks, n - marks, row->columns - row->used);
    append(row, style, shown + marks, n);
    return marks + n;
}

size_t row_fill(struct row *row, enum row_style style, const char *shown, size_t n)
{
    size_t room;

    if (row->columns == 0)
        return 0;
    if (row->used == 0 && count_marks(shown, n) > 0)
        append(row, style, " ", 1);
    room = ROW_BYTES - row->length;
    return append_fitting(row, style, shown, n < room ? n : room);
}

size_t row_add_shown(struct row *row, enum row_style style, const char *shown, size_t n)
{
    size_t before = row->used;

    row_fill(row, style, shown, n);
    return row->used - before;
}

size_t row_add(struct row *row, enum row_style style, const char *text, size_t n)
{
    struct sanitize sanitize;
    char shown[SHOWN];
    size_t before = row->used;
    size_t length;

    sanitize_init(&sanitize);
    while (n > 0) {
        size_t piece = n < PIECE ? n : PIECE;

        length = sanitize_bytes(&sanitize, text, piece, shown);
        if (row_fill(row, style, shown, length) < length)
            return row->used - before;
        text += piece;
        n -= piece;
    }
    length = sanitize_end(&sanitize, shown);
    row_fill(row, style, shown, length);
    return row->used - before;
}

size_t row_print(struct row *row, enum row_style style, const char *format, ...)
{
    char text[PRINT + 1];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0)
        return 0;
    return row_add(row, style, text, length < PRINT ? (size_t)length : PRINT);
}

void row_pad(struct row *row, enum row_style style, size_t column)
{
    if (column > row->columns)
        column = row->columns;
    while (row->used < column && row->length < ROW_BYTES)
        append(row, style, " ", 1);
}

static bool spans_are_same(const struct row *a, const struct row *b)
{
    if (a->span_count != b->span_count)
        return false;
    for (size_t i = 0; i < a->span_count; i++)
        if (a->spans[i].style != b->spans[i].style || a->spans[i].end != b->spans[i].end)
            return false;
    return true;
}

bool row_is_same_shape(const struct row *a, const struct row *b)
{
    return a->columns == b->columns && a->length == b->length && spans_are_same(a, b);
}

bool row_is_same(const struct row *a, const struct row *b)
{
    return row_is_same_shape(a, b) && memcmp(a->bytes, b->bytes, a->length) == 0;
}
