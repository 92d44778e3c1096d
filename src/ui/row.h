/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One row of the screen before it is on the screen: text in styles, never wider than the row.
 *
 * Whoever has something to show composes rows; only ui/screen.c puts them on the terminal. The text
 * is made visible here (base/sanitize.h), so a row holds nothing that a terminal would obey.
 *
 * What fits is counted in whole characters. Marks that take no column stay with the character
 * before them, also where that is the last one; at the very beginning of a row they get a blank to
 * stand on.
 */
#ifndef ROW_H
#define ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum row_style {
    ROW_PLAIN,
    ROW_DIM,     /* timestamps, what was typed, what is of little weight */
    ROW_STRONG,  /* headings */
    ROW_BAR,     /* the title and other bars: reverse video */
    ROW_MARK,    /* what was searched for; the selected line */
    ROW_GOOD,    /* open, ready */
    ROW_BAD,     /* failed, closed */
    ROW_BUSY,    /* connecting, waiting to try again */
    ROW_CHANNEL, /* ROW_CHANNEL + n: the colour of connection n modulo ROW_CHANNELS */
    ROW_CHANNELS = 6,
    ROW_STYLES = ROW_CHANNEL + ROW_CHANNELS
};

enum {
    ROW_BYTES = 8192, /* of text; more is cut, as at the right edge */
    ROW_SPANS = 64,   /* changes of style; more go on in the last one's */
    ROW_COLUMNS_MAX = 1000
};

struct row_span {
    enum row_style style;
    uint16_t end; /* where it ends in bytes */
};

struct row {
    size_t columns; /* how wide the row is */
    size_t used;    /* columns that hold text */
    size_t length;  /* bytes of text */
    size_t span_count;
    struct row_span spans[ROW_SPANS];
    char bytes[ROW_BYTES];
};

/* Makes an empty row of COLUMNS, at most ROW_COLUMNS_MAX. */
void row_init(struct row *row, size_t columns);

/* Adds N bytes of raw text, made visible, as much as fits. Returns how many columns it took. The
 * stops of TAB count from where the text begins. */
size_t row_add(struct row *row, enum row_style style, const char *text, size_t n);

/* Adds N bytes that are made visible already (by sanitize), as much as fits, whole characters. */
size_t row_add_shown(struct row *row, enum row_style style, const char *shown, size_t n);

/* The same, but returns how many of the N bytes it took: the others are for the next row. */
size_t row_fill(struct row *row, enum row_style style, const char *shown, size_t n);

/* Adds what printf(3) would print, at most 1 KiB, made visible. */
size_t row_print(struct row *row, enum row_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds blanks up to COLUMN; nothing where the row is that far already. */
void row_pad(struct row *row, enum row_style style, size_t column);

/* Whether two rows look the same; and whether they do but for characters of the same size. */
bool row_is_same(const struct row *a, const struct row *b);
bool row_is_same_shape(const struct row *a, const struct row *b);

#endif
