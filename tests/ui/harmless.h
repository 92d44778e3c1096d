/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges all that pollspin wrote to a terminal, as bytes: what is in there was meant, or the test
 * fails and shows where.
 *
 * On the full screen that is text, CR, LF, backspace, and the sequences with which ncurses draws on
 * an xterm: CSI with numbers and a letter of a short list, and a few that have to be the very same.
 * There is no OSC, DCS, APC, PM or SOS, no C1 in either encoding, and no character beyond ASCII
 * that the corpus does not show as itself.
 */
#ifndef HARMLESS_H
#define HARMLESS_H

#include <stdbool.h>
#include <string.h>

#include "kit/kit.h"
#include "ui/corpus.h"

/* ---- characters ---- */

/* Whether the N bytes are in a shown form of the corpus. */
static inline bool is_to_be_seen(const char *bytes, size_t n)
{
    for (size_t i = 0; i < CORPUS_COUNT; i++)
        if (memmem(corpus[i].shown, strlen(corpus[i].shown), bytes, n))
            return true;
    return false;
}

/* The length of the character that BYTES begin with, 0 where they begin with none that may be. */
static inline size_t harmless_character(const char *bytes, size_t n)
{
    unsigned char lead = (unsigned char)bytes[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (length == 1)
        return lead >= ' ' && lead != 0x7f;
    if (lead < 0xc2 || lead > 0xf4 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            return 0;
    return is_to_be_seen(bytes, length) ? length : 0;
}

/* ---- sequences ---- */

static inline size_t harmless_exactly(const char *bytes, size_t n)
{
    static const char *const allowed[] = {
        "\033M",                                   /* a row up */
        "\033(B",                                  /* ASCII: with the end of the styles */
        "\033[?1049h", "\033[22;0;0t",             /* the other screen, the title put away */
        "\033[?1049l", "\033[23;0;0t",             /* ... and back */
        "\033[?2004h", "\033[?2004l",              /* bracketed paste */
        "\033[?12l",   "\033[?25h",    "\033[?25l" /* the cursor */
    };

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        size_t length = strlen(allowed[i]);

        if (length <= n && memcmp(bytes, allowed[i], length) == 0)
            return length;
    }
    return 0;
}

/* Movements, erasing, inserting, deleting and scrolling; margins; repeating; styles. */
static inline size_t harmless_csi(const char *bytes, size_t n)
{
    size_t i = 2;

    if (n < 3 || memcmp(bytes, "\033[", 2) != 0)
        return 0;
    while (i < n && ((bytes[i] >= '0' && bytes[i] <= '9') || bytes[i] == ';'))
        i++;
    return i < n && bytes[i] != '\0' && strchr("ABCDGHJKLMPSTXbdmr@", bytes[i]) ? i + 1 : 0;
}

static inline size_t harmless_control(const char *bytes, size_t n)
{
    size_t length = harmless_exactly(bytes, n);

    if (bytes[0] == '\r' || bytes[0] == '\n' || bytes[0] == '\b')
        return 1;
    return length > 0 ? length : harmless_csi(bytes, n);
}

/* ---- all of it ---- */

static inline void fail_at(const char *raw, size_t n, size_t at)
{
    size_t end = at + 40 < n ? at + 40 : n;
    char shown[4 * 80 + 1];
    size_t length = 0;

    for (size_t i = at > 40 ? at - 40 : 0; i < end; i++)
        length += (size_t)sprintf(shown + length, raw[i] >= ' ' && raw[i] < 0x7f ? "%c" : "<%02X>",
                                  (unsigned char)raw[i]);
    fail_msg("byte %zu of what was written is none of ours: %s", at, shown);
}

static inline void assert_harmless_bytes(const char *raw, size_t n, bool has_screen)
{
    for (size_t i = 0; i < n;) {
        size_t length = harmless_character(raw + i, n - i);

        if (length == 0 && has_screen)
            length = harmless_control(raw + i, n - i);
        else if (length == 0)
            length = raw[i] == '\r' || raw[i] == '\n';
        if (length == 0)
            fail_at(raw, n, i);
        i += length;
    }
}

/* None of the corpus has reached it as it came, but what is text. */
static inline void assert_none_raw(const char *raw, size_t n)
{
    for (size_t i = 0; i < CORPUS_COUNT; i++) {
        const struct hostile *hostile = &corpus[i];

        if (strcmp(hostile->bytes, hostile->shown) != 0 &&
            memmem(raw, n, hostile->bytes, hostile->length))
            fail_msg("%s: came raw to the terminal", hostile->name);
    }
}

/* What the terminal would have done. */
static inline void assert_idle(const struct kit_terminal *terminal)
{
    assert_string_equal(kit_title(terminal), "");
    assert_int_equal(kit_reply_length(terminal), 0);
    assert_int_equal(kit_bells(terminal), 0);
    assert_true(kit_cursor_is_shown(terminal));
}

/* To be called when the program has ended: the last sequence is whole then. */
static inline void assert_harmless(struct kit_terminal *terminal, bool has_screen)
{
    size_t n;
    const char *raw = kit_raw(terminal, &n);

    assert_none_raw(raw, n);
    assert_harmless_bytes(raw, n, has_screen);
    assert_idle(terminal);
    assert_false(kit_is_other_screen(terminal));
}

#endif
