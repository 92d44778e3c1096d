/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine that is fed one byte at a time, so the result cannot depend on how its input was cut.
 * The bytes of the character that is being put together are decoded anew from the first one each
 * time: mbrtowc(3) leaves its state undefined after an error, and so none is kept. When they turn
 * out to be no character, the first is shown as a byte and the others are tried again.
 *
 * The C library says what is printable and how wide it is, in whatever encoding the locale has. It
 * calls some characters printable that show nothing and change what stands around them; those are
 * in a table here, by their Unicode numbers, which is what wchar_t holds on the systems of today.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/sanitize.h"

enum { TAB_COLUMNS = 8, ASCII_DELETE = 0x7f, UNICODE_LAST = 0x10ffff };

struct range {
    unsigned long first;
    unsigned long last;
};

/* Unicode's general category Cf and the property Default_Ignorable_Code_Point. Sorted. */
static const struct range invisible[] = {
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x034f, 0x034f},   /* combining grapheme joiner */
    {0x0600, 0x0605},   /* Arabic number signs */
    {0x061c, 0x061c},   /* Arabic letter mark */
    {0x06dd, 0x06dd},   /* Arabic end of ayah */
    {0x070f, 0x070f},   /* Syriac abbreviation mark */
    {0x0890, 0x0891},   /* Arabic pound and piastre marks */
    {0x08e2, 0x08e2},   /* Arabic disputed end of ayah */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian selectors */
    {0x200b, 0x200f},   /* zero-width space and joiners, direction marks */
    {0x2028, 0x202e},   /* line and paragraph separators, bidi embeddings and overrides */
    {0x2060, 0x206f},   /* word joiner, invisible operators, bidi isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfe00, 0xfe0f},   /* variation selectors: terminals disagree about the width */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0xfff0, 0xfffb},   /* unassigned, interlinear annotation */
    {0x110bd, 0x110bd}, /* Kaithi number signs */
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, /* Egyptian joiners */
    {0x1bca0, 0x1bca3},                     /* shorthand format controls */
    {0x1d173, 0x1d17a},                     /* musical beams and slurs */
    {0xe0000, 0xe0fff},                     /* tags, more variation selectors */
};

static int range_compare(const void *key, const void *element)
{
    unsigned long c = *(const unsigned long *)key;
    const struct range *range = element;

    if (c < range->first)
        return -1;
    return c > range->last;
}

static bool is_invisible(unsigned long c)
{
    return bsearch(&c, invisible, sizeof invisible / sizeof *invisible, sizeof *invisible,
                   range_compare) != NULL;
}

void sanitize_init(struct sanitize *sanitize)
{
    sanitize->pending_length = 0;
    sanitize->column = 0;
}

/* Most of what comes is printable ASCII. Where no character is open it means itself, also in an
 * encoding with shift states: each character is decoded from the initial one. Eight bytes at once:
 * a top bit is set in the sum by DEL and in the difference by a control. */
static size_t count_ascii(const char *bytes, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    size_t i = 0;

    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if ((word | (word + ones) | (word - ones * ' ')) & ones << 7)
            break;
    }
    while (i < n && bytes[i] >= ' ' && bytes[i] < ASCII_DELETE)
        i++;
    return i;
}

/* Each of the put functions writes to OUT, moves the column, and returns how many bytes it wrote:
 * at most 10, for <U+10FFFF>. */
static size_t put_ascii(struct sanitize *sanitize, const char *text, char *out)
{
    size_t length = strlen(text);

    memcpy(out, text, length);
    sanitize->column += length;
    return length;
}

/* Not with snprintf(3): a flood of such bytes would keep everybody else waiting. */
static size_t put_byte(struct sanitize *sanitize, char byte, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char number = (unsigned char)byte;
    const char text[] = {'<', digits[number >> 4], digits[number & 0xf], '>', '\0'};

    return put_ascii(sanitize, text, out);
}

static size_t put_number(struct sanitize *sanitize, wchar_t c, char *out)
{
    char text[32];

    snprintf(text, sizeof text, "<U+%04lX>", (unsigned long)c);
    return put_ascii(sanitize, text, out);
}

static bool is_control(char byte)
{
    return (byte >= 0 && byte < ' ') || byte == ASCII_DELETE;
}

static size_t put_control(struct sanitize *sanitize, char byte, char *out)
{
    const char text[] = {'^', (char)(byte ^ 0x40), '\0'};

    return put_ascii(sanitize, text, out);
}

static size_t put_tab(struct sanitize *sanitize, char *out)
{
    size_t spaces = TAB_COLUMNS - sanitize->column % TAB_COLUMNS;

    memset(out, ' ', spaces);
    sanitize->column += spaces;
    return spaces;
}

/* Writes the character C, which the first N pending bytes are. In an encoding of single bytes what
 * cannot be printed is shown as a byte: the C locale has no numbers for those above ASCII. */
static size_t put_character(struct sanitize *sanitize, wchar_t c, size_t n, char *out)
{
    char first = sanitize->pending[0];
    int width = wcwidth(c);

    if (n == 1 && first == '\t')
        return put_tab(sanitize, out);
    if (n == 1 && is_control(first))
        return put_control(sanitize, first, out);
    if (!iswprint((wint_t)c) || width < 0 || is_invisible((unsigned long)c))
        return MB_CUR_MAX == 1 ? put_byte(sanitize, first, out) : put_number(sanitize, c, out);
    memcpy(out, sanitize->pending, n);
    sanitize->column += (size_t)width;
    return n;
}

static void drop_pending(struct sanitize *sanitize, size_t n)
{
    sanitize->pending_length -= n;
    memmove(sanitize->pending, sanitize->pending + n, sanitize->pending_length);
}

/* Decodes the first character of N bytes, N not 0. Returns its length, which is 1 for NUL too; 0
 * where it is not complete; -1 where there is none. (glibc decodes numbers that are too big.) */
static int decode(const char *bytes, size_t n, wchar_t *c)
{
    mbstate_t state;
    size_t length;

    memset(&state, 0, sizeof state);
    length = mbrtowc(c, bytes, n, &state);
    if (length == (size_t)-2)
        return 0;
    if (length == (size_t)-1 || *c > UNICODE_LAST)
        return -1;
    return length == 0 ? 1 : (int)length;
}

/* Writes what the pending bytes make, and leaves the beginning of a character pending. */
static size_t put_pending(struct sanitize *sanitize, char *out)
{
    size_t length = 0;

    while (sanitize->pending_length > 0) {
        wchar_t c;
        int n = decode(sanitize->pending, sanitize->pending_length, &c);

        if (n == 0 && sanitize->pending_length < sizeof sanitize->pending)
            break;
        if (n > 0)
            length += put_character(sanitize, c, (size_t)n, out + length);
        else
            length += put_byte(sanitize, sanitize->pending[0], out + length);
        drop_pending(sanitize, n > 0 ? (size_t)n : 1);
    }
    return length;
}

size_t sanitize_bytes(struct sanitize *sanitize, const char *bytes, size_t n, char *out)
{
    size_t length = 0;

    while (n > 0) {
        size_t taken = sanitize->pending_length == 0 ? count_ascii(bytes, n) : 0;

        if (taken > 0) {
            memcpy(out + length, bytes, taken);
            sanitize->column += taken;
            length += taken;
        } else {
            taken = 1;
            sanitize->pending[sanitize->pending_length++] = *bytes;
            length += put_pending(sanitize, out + length);
        }
        bytes += taken;
        n -= taken;
    }
    return length;
}

size_t sanitize_end(struct sanitize *sanitize, char *out)
{
    size_t length = 0;

    while (sanitize->pending_length > 0) {
        length += put_byte(sanitize, sanitize->pending[0], out + length);
        drop_pending(sanitize, 1);
        length += put_pending(sanitize, out + length);
    }
    sanitize_init(sanitize);
    return length;
}

/* Returns the length of the first character of N shown bytes, and its columns; 0 where the end of
 * the bytes cuts it. */
static size_t measure(const char *shown, size_t n, size_t *columns)
{
    wchar_t c;
    int length = decode(shown, n, &c);
    int width = length > 0 ? wcwidth(c) : 1;

    *columns = width >= 0 ? (size_t)width : 1;
    return length >= 0 ? (size_t)length : 1;
}

size_t sanitize_width(const char *shown, size_t n)
{
    size_t width = 0;
    size_t i = 0;
    size_t columns;
    size_t length;

    for (;;) {
        size_t ascii = count_ascii(shown + i, n - i);

        i += ascii;
        width += ascii;
        if (i == n || (length = measure(shown + i, n - i, &columns)) == 0)
            return width;
        i += length;
        width += columns;
    }
}

size_t sanitize_fit(const char *shown, size_t n, size_t columns)
{
    size_t i = 0;
    size_t width;
    size_t length;

    /* A mark takes no column, but needs a character to stand on. */
    if (columns == 0)
        return 0;
    for (;;) {
        size_t ascii = count_ascii(shown + i, n - i < columns ? n - i : columns);

        i += ascii;
        columns -= ascii;
        if (i == n || (length = measure(shown + i, n - i, &width)) == 0 || width > columns)
            return i;
        i += length;
        columns -= width;
    }
}
