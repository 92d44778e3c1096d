/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a key are collected in pending and looked at anew with each: scan says whether they
 * are a whole sequence, the beginning of one, or none. So the state between two bytes is nothing
 * but the bytes, and it cannot matter how they were cut.
 *
 * What does not belong into a sequence ends it, is not lost, and is looked at by itself: Enter
 * after Meta-[ is Enter. Two forms break the grammar of ECMA-48: linux sends ESC [[A for F1, and
 * rxvt ends the shifted keys with $. ESC [M has three bytes behind it: a report of the mouse.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "ui/keys.h"

enum { ESC = 0x1b, BEL = 0x07, DELETE = 0x7f, REPLACEMENT = 0xfffd };

static const char paste_end[] = "\033[201~";
enum { PASTE_END = sizeof paste_end - 1, PASTE_START = 200 };

/* What xterm sends. */
static const char *const normal[KEYS_COUNT] = {
    [KEYS_UP] = "\033[A",         [KEYS_DOWN] = "\033[B",         [KEYS_RIGHT] = "\033[C",
    [KEYS_LEFT] = "\033[D",       [KEYS_HOME] = "\033[H",         [KEYS_END] = "\033[F",
    [KEYS_INSERT] = "\033[2~",    [KEYS_DELETE] = "\033[3~",      [KEYS_PAGE_UP] = "\033[5~",
    [KEYS_PAGE_DOWN] = "\033[6~", [KEYS_WORD_LEFT] = "\033[1;5D", [KEYS_WORD_RIGHT] = "\033[1;5C",
    [KEYS_TO_TOP] = "\033[1;5H",  [KEYS_TO_BOTTOM] = "\033[1;5F", [KEYS_BACKTAB] = "\033[Z",
    [KEYS_F1] = "\033OP",         [KEYS_F1 + 1] = "\033OQ",       [KEYS_F1 + 2] = "\033OR",
    [KEYS_F1 + 3] = "\033OS",     [KEYS_F1 + 4] = "\033[15~",     [KEYS_F1 + 5] = "\033[17~",
    [KEYS_F1 + 6] = "\033[18~",   [KEYS_F1 + 7] = "\033[19~",     [KEYS_F1 + 8] = "\033[20~",
    [KEYS_F1 + 9] = "\033[21~",   [KEYS_F1 + 10] = "\033[23~",    [KEYS_F12] = "\033[24~",
};

/* By the letter at the end: CSI A, SS3 A, CSI 1;5A. KEYS_TEXT means that it is no key. */
static const enum keys_key by_letter[128] = {
    ['A'] = KEYS_UP,     ['B'] = KEYS_DOWN,   ['C'] = KEYS_RIGHT,   ['D'] = KEYS_LEFT,
    ['H'] = KEYS_HOME,   ['F'] = KEYS_END,    ['Z'] = KEYS_BACKTAB, ['P'] = KEYS_F1,
    ['Q'] = KEYS_F1 + 1, ['S'] = KEYS_F1 + 3, ['a'] = KEYS_UP,      ['b'] = KEYS_DOWN,
    ['c'] = KEYS_RIGHT,  ['d'] = KEYS_LEFT, /* rxvt */
};

/* By the number before ~: vt220 and what came after it. */
static const enum keys_key by_number[] = {
    [1] = KEYS_HOME,    [2] = KEYS_INSERT,    [3] = KEYS_DELETE,   [4] = KEYS_END,
    [5] = KEYS_PAGE_UP, [6] = KEYS_PAGE_DOWN, [7] = KEYS_HOME,     [8] = KEYS_END,
    [11] = KEYS_F1,     [12] = KEYS_F1 + 1,   [13] = KEYS_F1 + 2,  [14] = KEYS_F1 + 3,
    [15] = KEYS_F1 + 4, [17] = KEYS_F1 + 5,   [18] = KEYS_F1 + 6,  [19] = KEYS_F1 + 7,
    [20] = KEYS_F1 + 8, [21] = KEYS_F1 + 9,   [23] = KEYS_F1 + 10, [24] = KEYS_F12,
};

enum { SHIFT = 1, ALT = 2, CTRL = 4, META = 8 };

/* ---- telling ---- */

static void tell_character(struct keys *keys, wchar_t character, const char *bytes, size_t n)
{
    struct keys_event event = {
        .key = KEYS_TEXT, .character = character, .bytes = bytes, .length = n};

    if (character < 0x80 || character > 0x9f)
        keys->on_key(keys->owner, &event);
}

static void tell_escape(struct keys *keys)
{
    tell_character(keys, ESC, "\033", 1);
}

static void tell_key(struct keys *keys, enum keys_key key)
{
    struct keys_event event = {.key = key, .bytes = normal[key], .length = strlen(normal[key])};

    keys->on_key(keys->owner, &event);
}

static void tell_paste(struct keys *keys)
{
    struct keys_event event = {.key = KEYS_PASTE,
                               .bytes = buf_peek(&keys->paste),
                               .length = keys->paste.length,
                               .is_cut = keys->is_paste_cut};

    keys->mode = KEYS_IN_KEY;
    keys->on_key(keys->owner, &event);
    buf_fini(&keys->paste);
}

/* ---- the grammar: what bytes are, of which the first is ESC ---- */

enum scan {
    SCAN_PART,   /* the beginning of a sequence */
    SCAN_WHOLE,  /* a sequence */
    SCAN_BROKEN, /* the last byte does not belong to it */
    SCAN_STRING, /* the beginning of OSC, DCS, APC, PM or SOS */
    SCAN_META    /* ESC, and something that is no sequence with it */
};

static bool is_between(char byte, int low, int high)
{
    return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

static enum scan scan_final(const char *bytes, size_t n, size_t at)
{
    if (at == n)
        return SCAN_PART;
    return is_between(bytes[at], 0x40, 0x7e) ? SCAN_WHOLE : SCAN_BROKEN;
}

/* The three bytes behind ESC [M are numbers from a space on. */
static enum scan scan_mouse(const char *bytes, size_t n)
{
    if (n > 1 && (unsigned char)bytes[n - 1] < ' ')
        return SCAN_BROKEN;
    return n < 4 ? SCAN_PART : SCAN_WHOLE;
}

/* What follows ESC [. */
static enum scan scan_csi(const char *bytes, size_t n)
{
    size_t at = 0;
    size_t digits = 0;

    if (n > 0 && bytes[0] == 'M')
        return scan_mouse(bytes, n);
    if (n > 1 && bytes[0] == '[')
        return scan_final(bytes, n, 1);
    if (n == 1 && bytes[0] == '[')
        return SCAN_PART;
    while (digits < n && is_between(bytes[digits], '0', '9'))
        digits++;
    if (digits > 0 && digits + 1 == n && bytes[digits] == '$')
        return SCAN_WHOLE;
    while (at < n && is_between(bytes[at], 0x30, 0x3f))
        at++;
    while (at < n && is_between(bytes[at], 0x20, 0x2f))
        at++;
    return scan_final(bytes, n, at);
}

/* What follows ESC O. */
static enum scan scan_ss3(const char *bytes, size_t n)
{
    size_t at = 0;

    if (n == 1 && bytes[0] == ' ')
        return SCAN_WHOLE;
    while (at < n && is_between(bytes[at], '0', ';'))
        at++;
    return scan_final(bytes, n, at);
}

/* What follows ESC ] and the like; the first byte tells an answer from Meta-]. */
static enum scan scan_string(char introducer, const char *bytes, size_t n)
{
    bool is_answer;

    if (n == 0)
        return SCAN_PART;
    if (introducer == ']')
        is_answer = is_between(bytes[0], '0', '9') || strchr("lLI", bytes[0]);
    else if (introducer == 'P')
        is_answer = is_between(bytes[0], ' ', '?');
    else
        is_answer = is_between(bytes[0], ' ', '~');
    return is_answer && bytes[0] != '\0' ? SCAN_STRING : SCAN_META;
}

static enum scan scan(const char *bytes, size_t n)
{
    if (n == 1)
        return SCAN_PART;
    switch (bytes[1]) {
    case '[':
        return scan_csi(bytes + 2, n - 2);
    case 'O':
        return scan_ss3(bytes + 2, n - 2);
    case ']':
    case 'P':
    case '_':
    case '^':
    case 'X':
        return scan_string(bytes[1], bytes + 2, n - 2);
    default:
        return SCAN_META;
    }
}

/* ---- which key a whole sequence is ---- */

static enum keys_key key_modified(enum keys_key key, unsigned modifiers)
{
    bool by_word = modifiers & (CTRL | ALT | META);
    bool by_all = modifiers & CTRL;

    if (key == KEYS_LEFT && by_word)
        return KEYS_WORD_LEFT;
    if (key == KEYS_RIGHT && by_word)
        return KEYS_WORD_RIGHT;
    if (key == KEYS_HOME && by_all)
        return KEYS_TO_TOP;
    if (key == KEYS_END && by_all)
        return KEYS_TO_BOTTOM;
    return key;
}

/* Reads up to two numbers, 0 where there is none. Returns where the last of the sequence stands, or
 * NULL where anything else is in it. */
static const char *read_numbers(const char *bytes, size_t n, unsigned long numbers[2])
{
    size_t count = 0;

    numbers[0] = numbers[1] = 0;
    for (size_t i = 0; i + 1 < n; i++)
        if (bytes[i] == ';' && count == 0)
            count++;
        else if (is_between(bytes[i], '0', '9') && numbers[count] < 1000)
            numbers[count] = numbers[count] * 10 + (unsigned long)(bytes[i] - '0');
        else
            return NULL;
    return bytes + n - 1;
}

/* xterm adds 1 to the sum of the modifiers; before it did so for CSI 1;5A it sent CSI 5A. */
static enum keys_key key_by_letter(char letter, const unsigned long numbers[2])
{
    unsigned long sum = numbers[1] > 0 ? numbers[1] : numbers[0];

    return key_modified(by_letter[(unsigned char)letter & 0x7f], sum > 0 ? (unsigned)(sum - 1) : 0);
}

/* rxvt says by the last byte what is pressed besides. */
static enum keys_key key_by_number(char last, const unsigned long numbers[2])
{
    unsigned modifiers = numbers[1] > 0 ? (unsigned)(numbers[1] - 1) : 0;

    if (numbers[0] >= sizeof by_number / sizeof *by_number)
        return KEYS_TEXT;
    if (last == '^' || last == '@')
        modifiers |= CTRL;
    return key_modified(by_number[numbers[0]], modifiers);
}

/* What follows ESC [. R is no key here: the terminal answers with it where the cursor stands. */
static enum keys_key key_of_csi(const char *bytes, size_t n)
{
    unsigned long numbers[2];
    const char *last = read_numbers(bytes, n, numbers);

    if (n == 2 && bytes[0] == '[' && is_between(bytes[1], 'A', 'E'))
        return KEYS_F1 + (enum keys_key)(bytes[1] - 'A');
    if (!last || (n > 1 && is_between(*last, 'a', 'd')))
        return KEYS_TEXT;
    if (strchr("~^$@", *last))
        return key_by_number(*last, numbers);
    return key_by_letter(*last, numbers);
}

/* What follows ESC O. rxvt sends ESC Oc for Ctrl-Right. */
static enum keys_key key_of_ss3(const char *bytes, size_t n)
{
    unsigned long numbers[2];
    const char *last = read_numbers(bytes, n, numbers);

    if (!last)
        return KEYS_TEXT;
    if (*last == 'R')
        return KEYS_F1 + 2;
    if (is_between(*last, 'a', 'd'))
        return key_modified(by_letter[(unsigned char)*last], CTRL);
    return key_by_letter(*last, numbers);
}

/* Returns what the keypad of a vt100 types in its application mode, or NUL. */
static char keypad_character(const char *bytes, size_t n)
{
    static const char letters[] = "jklmnopqrstuvwxyXM ";
    static const char typed[] = "*+,-./0123456789=\r ";
    const char *letter = n == 1 ? strchr(letters, bytes[0]) : NULL;

    return letter ? typed[letter - letters] : '\0';
}

static bool is_paste_start(const char *bytes, size_t n)
{
    unsigned long numbers[2];
    const char *last = read_numbers(bytes, n, numbers);

    return last && *last == '~' && numbers[0] == PASTE_START && numbers[1] == 0;
}

static const enum keys_key *key_learnt(const struct keys *keys, const char *bytes, size_t n)
{
    for (size_t i = 0; i < keys->learnt_count; i++)
        if (keys->learnt[i].length == n && memcmp(keys->learnt[i].bytes, bytes, n) == 0)
            return &keys->learnt[i].key;
    return NULL;
}

/* ---- a whole sequence ---- */

/* Tells which key N bytes are that begin with ESC. Returns whether they are one. */
static bool tell_sequence(struct keys *keys, const char *bytes, size_t n, bool has_meta)
{
    const enum keys_key *learnt = key_learnt(keys, bytes, n);
    enum keys_key key;

    if (learnt)
        key = *learnt;
    else
        key = bytes[1] == '[' ? key_of_csi(bytes + 2, n - 2) : key_of_ss3(bytes + 2, n - 2);
    if (key == KEYS_TEXT)
        return false;
    tell_key(keys, has_meta ? key_modified(key, META) : key);
    return true;
}

/* An ESC before what is no key was one by itself. */
static void take_sequence(struct keys *keys, bool has_meta)
{
    const char *bytes = keys->pending + has_meta;
    size_t n = keys->pending_length - has_meta;
    char typed = bytes[1] == 'O' ? keypad_character(bytes + 2, n - 2) : '\0';

    keys->pending_length = 0;
    if (tell_sequence(keys, bytes, n, has_meta))
        return;
    if (has_meta)
        tell_escape(keys);
    if (typed != '\0')
        tell_character(keys, typed, bytes, n);
    if (bytes[1] == '[' && is_paste_start(bytes + 2, n - 2)) {
        keys->mode = KEYS_IN_PASTE;
        keys->end_matched = 0;
        keys->is_paste_cut = false;
    }
}

/* ---- one byte ---- */

static void take_key_byte(struct keys *keys, char byte);

/* Looks at the bytes of pending from FROM on each by itself; nothing is pending any more. */
static void take_again(struct keys *keys, size_t from)
{
    char rest[KEYS_SEQUENCE];
    size_t n = keys->pending_length - from;

    memcpy(rest, keys->pending + from, n);
    keys->pending_length = 0;
    for (size_t i = 0; i < n; i++)
        take_key_byte(keys, rest[i]);
}

/* Goes on without keeping what comes; an ESC before it was one by itself. */
static void take_mode(struct keys *keys, enum keys_mode mode, bool has_meta)
{
    keys->mode = mode;
    keys->pending_length = 0;
    if (has_meta)
        tell_escape(keys);
}

static void take_escape(struct keys *keys)
{
    bool has_meta = keys->pending_length > 1 && keys->pending[1] == ESC;
    const char *bytes = keys->pending + has_meta;
    size_t n = keys->pending_length - has_meta;
    enum scan found = key_learnt(keys, bytes, n) ? SCAN_WHOLE : scan(bytes, n);

    if (found == SCAN_WHOLE) {
        take_sequence(keys, has_meta);
    } else if (found == SCAN_STRING) {
        take_mode(keys, KEYS_IN_STRING, has_meta);
    } else if (found == SCAN_PART && keys->pending_length == KEYS_SEQUENCE) {
        take_mode(keys, KEYS_IN_LONG_KEY, has_meta);
    } else if (found == SCAN_BROKEN) {
        if (has_meta)
            tell_escape(keys);
        take_again(keys, keys->pending_length - 1);
    } else if (found == SCAN_META) {
        for (size_t i = 0; i <= has_meta; i++)
            tell_escape(keys);
        take_again(keys, 1 + has_meta);
    }
}

/* Where the bytes are no character the first of them is none, and what follows it may be one. */
static void take_text(struct keys *keys)
{
    mbstate_t state = {0};
    wchar_t character;
    size_t n = mbrtowc(&character, keys->pending, keys->pending_length, &state);

    if (n == (size_t)-2 && keys->pending_length < KEYS_SEQUENCE)
        return;
    if (n == (size_t)-1 || n == (size_t)-2) {
        tell_character(keys, REPLACEMENT, keys->pending, 1);
        take_again(keys, 1);
    } else {
        tell_character(keys, character, keys->pending, keys->pending_length);
        keys->pending_length = 0;
    }
}

static void take_key_byte(struct keys *keys, char byte)
{
    keys->pending[keys->pending_length++] = byte;
    if (keys->pending[0] == ESC)
        take_escape(keys);
    else
        take_text(keys);
}

static void take_long_key_byte(struct keys *keys, char byte)
{
    if (is_between(byte, 0x20, 0x3f))
        return;
    keys->mode = KEYS_IN_KEY;
    if (!is_between(byte, 0x40, 0x7e))
        take_key_byte(keys, byte);
}

/* ST is ESC \; ESC before anything else begins a key, and so does any other control. */
static void take_string_byte(struct keys *keys, char byte)
{
    bool has_escape = keys->pending_length > 0;
    bool is_control = is_between(byte, 0, 0x1f) || byte == DELETE;

    if (byte == BEL || (has_escape && byte == '\\')) {
        keys->mode = KEYS_IN_KEY;
        keys->pending_length = 0;
    } else if (byte == ESC && !has_escape) {
        keys->pending[keys->pending_length++] = byte;
    } else if (has_escape || is_control) {
        keys->mode = KEYS_IN_KEY;
        take_key_byte(keys, byte);
    }
}

/* ---- a paste ---- */

static void paste_add(struct keys *keys, const char *bytes, size_t n)
{
    size_t room = buf_room(&keys->paste);

    if (n > room)
        keys->is_paste_cut = true;
    if (buf_add(&keys->paste, bytes, n < room ? n : room) < 0)
        keys->is_paste_cut = true;
}

/* Its end has one ESC, the first byte: where the match fails none can have begun inside of it. */
static void take_paste_byte(struct keys *keys, char byte)
{
    if (byte != paste_end[keys->end_matched]) {
        paste_add(keys, paste_end, keys->end_matched);
        keys->end_matched = 0;
    }
    if (byte != paste_end[keys->end_matched])
        paste_add(keys, &byte, 1);
    else if (++keys->end_matched == PASTE_END)
        tell_paste(keys);
}

/* Takes what can be no end in one piece. Returns how much that is. */
static size_t take_paste_run(struct keys *keys, const char *bytes, size_t n)
{
    const char *escape = memchr(bytes, ESC, n);
    size_t run = escape ? (size_t)(escape - bytes) : n;

    if (keys->end_matched > 0)
        return 0;
    paste_add(keys, bytes, run);
    return run;
}

/* ---- the outside ---- */

void keys_init(struct keys *keys, keys_fn *on_key, void *owner)
{
    *keys = (struct keys){.on_key = on_key, .owner = owner};
    buf_init(&keys->paste, KEYS_PASTE_MAX);
}

void keys_fini(struct keys *keys)
{
    buf_fini(&keys->paste);
}

void keys_learn(struct keys *keys, enum keys_key key, const char *bytes)
{
    size_t n = strnlen(bytes, KEYS_SEQUENCE);
    enum scan found;

    assert(key > KEYS_PASTE && key < KEYS_COUNT);
    if (n < 2 || n == KEYS_SEQUENCE || bytes[0] != ESC || keys->learnt_count == KEYS_TOLD)
        return;
    for (size_t i = 2; i < n; i++)
        if (scan(bytes, i) != SCAN_PART)
            return;
    found = scan(bytes, n);
    if (found != SCAN_WHOLE && !(found == SCAN_META && n == 2 && is_between(bytes[1], ' ', '~')))
        return;
    keys->learnt[keys->learnt_count].key = key;
    keys->learnt[keys->learnt_count].length = n;
    memcpy(keys->learnt[keys->learnt_count++].bytes, bytes, n);
}

static void take_byte(struct keys *keys, char byte)
{
    switch (keys->mode) {
    case KEYS_IN_KEY:
        take_key_byte(keys, byte);
        break;
    case KEYS_IN_LONG_KEY:
        take_long_key_byte(keys, byte);
        break;
    case KEYS_IN_STRING:
        take_string_byte(keys, byte);
        break;
    case KEYS_IN_PASTE:
        take_paste_byte(keys, byte);
        break;
    }
}

void keys_feed(struct keys *keys, const char *bytes, size_t n, int64_t now)
{
    keys_expire(keys, now);
    keys->since = now;
    while (n > 0) {
        size_t run = keys->mode == KEYS_IN_PASTE ? take_paste_run(keys, bytes, n) : 0;

        if (run == 0)
            take_byte(keys, bytes[run++]);
        bytes += run;
        n -= run;
    }
}

/* How long what is pending may stay so, or -1 for ever. */
static int64_t patience_ns(const struct keys *keys)
{
    bool has_meta = keys->pending_length > 1 && keys->pending[1] == ESC;
    size_t n = keys->pending_length - has_meta;

    if (keys->mode == KEYS_IN_PASTE)
        return KEYS_PASTE_NS;
    if (keys->mode == KEYS_IN_STRING)
        return KEYS_STRING_NS;
    if (keys->pending_length == 0 || keys->pending[0] != ESC)
        return -1;
    if (n == 1)
        return KEYS_ESC_NS;
    return n == 2 && !strchr("[O", keys->pending[has_meta + 1]) ? KEYS_STRING_NS : -1;
}

int64_t keys_due(const struct keys *keys)
{
    int64_t patience = patience_ns(keys);

    return patience < 0 ? -1 : keys->since + patience;
}

void keys_expire(struct keys *keys, int64_t now)
{
    int64_t due = keys_due(keys);
    size_t n = keys->pending_length;

    if (due < 0 || now < due)
        return;
    keys->pending_length = 0;
    if (keys->mode == KEYS_IN_PASTE) {
        paste_add(keys, paste_end, keys->end_matched);
        tell_paste(keys);
    } else if (keys->mode == KEYS_IN_STRING) {
        keys->mode = KEYS_IN_KEY;
    } else {
        for (size_t i = 0; i < n; i++)
            tell_character(keys, keys->pending[i], keys->pending + i, 1);
    }
}
