/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys as text: what bytes make of themselves is written down as "a<UP><ESC>b" and compared. Every
 * input is fed whole, cut in two at each place, and byte by byte: the keys must be the same.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/kit.h"
#include "kit/random.h"
#include "ui/keys.h"

enum { TOLD = 65536 };

struct told {
    char text[TOLD];
    size_t length;
    size_t paste_length; /* of the last one */
    bool is_cut;
    int events;
};

static const char *const names[KEYS_COUNT] = {
    [KEYS_UP] = "UP",          [KEYS_DOWN] = "DOWN",        [KEYS_RIGHT] = "RIGHT",
    [KEYS_LEFT] = "LEFT",      [KEYS_HOME] = "HOME",        [KEYS_END] = "END",
    [KEYS_INSERT] = "INSERT",  [KEYS_DELETE] = "DELETE",    [KEYS_PAGE_UP] = "PGUP",
    [KEYS_PAGE_DOWN] = "PGDN", [KEYS_WORD_LEFT] = "WLEFT",  [KEYS_WORD_RIGHT] = "WRIGHT",
    [KEYS_TO_TOP] = "TOP",     [KEYS_TO_BOTTOM] = "BOTTOM", [KEYS_BACKTAB] = "BACKTAB",
};

static void tell(struct told *told, const char *text, size_t n)
{
    assert_true(told->length + n < TOLD);
    memcpy(told->text + told->length, text, n);
    told->length += n;
    told->text[told->length] = '\0';
}

static void tell_text(struct told *told, wchar_t character)
{
    char text[16];

    if (character == 0x1b)
        snprintf(text, sizeof text, "<ESC>");
    else if (character < ' ')
        snprintf(text, sizeof text, "^%c", (char)(character + '@'));
    else if (character < 0x7f)
        snprintf(text, sizeof text, "%c", (char)character);
    else
        snprintf(text, sizeof text, "<%X>", (unsigned)character);
    tell(told, text, strlen(text));
}

static void on_key(void *owner, const struct keys_event *event)
{
    struct told *told = owner;
    char text[16];

    told->events++;
    if (event->key == KEYS_TEXT) {
        tell_text(told, event->character);
        assert_true(event->length > 0 && event->bytes);
    } else if (event->key == KEYS_PASTE) {
        told->paste_length = event->length;
        told->is_cut = event->is_cut;
        tell(told, "{", 1);
        if (event->length < 1000 && event->length > 0)
            tell(told, event->bytes, event->length);
        tell(told, "}", 1);
    } else {
        if (event->key >= KEYS_F1)
            snprintf(text, sizeof text, "<F%d>", (int)(event->key - KEYS_F1) + 1);
        else
            snprintf(text, sizeof text, "<%s>", names[event->key]);
        tell(told, text, strlen(text));
        assert_true(event->length > 1 && event->bytes[0] == '\033');
    }
}

static void feed(struct keys *keys, const char *text, int64_t now)
{
    keys_feed(keys, text, strlen(text), now);
}

static struct told *start(struct keys *keys)
{
    static struct told told;

    memset(&told, 0, sizeof told);
    keys_init(keys, on_key, &told);
    return &told;
}

/* Feeds N bytes in pieces of FIRST and then STEP bytes, and lets the time pass that all wait for.
 */
static void feed_cut(struct told *told, const char *bytes, size_t n, size_t first, size_t step)
{
    struct keys keys;
    int64_t due;

    keys_init(&keys, on_key, told);
    memset(told, 0, sizeof *told);
    for (size_t piece = first; n > 0; piece = step) {
        if (piece > n)
            piece = n;
        keys_feed(&keys, bytes, piece, 1000);
        bytes += piece;
        n -= piece;
    }
    while ((due = keys_due(&keys)) >= 0)
        keys_expire(&keys, due);
    keys_fini(&keys);
}

static void expect_bytes(const char *bytes, size_t n, const char *expected)
{
    static struct told told;

    feed_cut(&told, bytes, n, n, n);
    assert_string_equal(told.text, expected);
    for (size_t cut = 1; cut < n; cut++) {
        feed_cut(&told, bytes, n, cut, n);
        assert_string_equal(told.text, expected);
    }
    feed_cut(&told, bytes, n, 1, 1);
    assert_string_equal(told.text, expected);
}

static void expect(const char *bytes, const char *expected)
{
    expect_bytes(bytes, strlen(bytes), expected);
}

/* ---- characters ---- */

static void characters_are_told_one_by_one(void **state)
{
    (void)state;
    expect("abc", "abc");
    expect("\001\r\n\t\177", "^A^M^J^I<7F>");
    expect_bytes("a\0b", 3, "a^@b");
    expect("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", "<E9><6F22><1F600>");
    expect("e\xcc\x81", "e<301>");
}

static void bytes_that_are_no_character_swallow_nothing(void **state)
{
    (void)state;
    expect("\xff", "<FFFD>");
    expect("\x80\xbfx", "<FFFD><FFFD>x");
    expect("\xc3(", "<FFFD>(");
    expect("\xe2\x82(", "<FFFD><FFFD>(");
    expect("\xe2\033[A", "<FFFD><UP>");
    expect("\xf0\x9f\xc3\xa9", "<FFFD><FFFD><E9>");
    expect("\xed\xa0\x80", "<FFFD><FFFD><FFFD>"); /* a surrogate */
    expect("\xc0\xaf", "<FFFD><FFFD>");           /* a slash in too many bytes */
}

/* They are events of our own further on: nobody must be able to type one. */
static void c1_characters_are_dropped(void **state)
{
    (void)state;
    expect("a\xc2\x9f"
           "b\xc2\x80\xc2\x9b"
           "c",
           "abc");
    expect("\xc2\xa0", "<A0>");
}

/* Half a character has no time limit. */
static void half_a_character_waits(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    feed(&keys, "\xe2\x82", 0);
    assert_int_equal(keys_due(&keys), -1);
    keys_expire(&keys, INT64_MAX);
    assert_int_equal(told->events, 0);
    feed(&keys, "\xac", INT64_MAX / 2);
    assert_string_equal(told->text, "<20AC>");
    keys_fini(&keys);
}

static void without_utf8_no_byte_waits_for_another(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C"));
    feed(&keys, "a\033[A\xc3", 0);
    assert_int_equal(told->events, 3);
    feed(&keys, "(", 0);
    assert_int_equal(told->events, 4);
    keys_fini(&keys);
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

/* ---- ESC ---- */

static void a_lone_esc_is_told_by_time(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    assert_int_equal(keys_due(&keys), -1);
    feed(&keys, "\033", 1000);
    assert_int_equal(keys_due(&keys), 1000 + KEYS_ESC_NS);
    keys_expire(&keys, 999 + KEYS_ESC_NS);
    assert_string_equal(told->text, "");
    keys_expire(&keys, 1000 + KEYS_ESC_NS);
    assert_string_equal(told->text, "<ESC>");
    assert_int_equal(keys_due(&keys), -1);
    feed(&keys, "[A", 1000 + KEYS_ESC_NS);
    assert_string_equal(told->text, "<ESC>[A");
    keys_fini(&keys);
}

/* The loop may be late: what comes after the time is over does not belong to the ESC. */
static void what_comes_too_late_is_by_itself(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    feed(&keys, "\033", 0);
    feed(&keys, "[", KEYS_ESC_NS);
    assert_string_equal(told->text, "<ESC>[");
    feed(&keys, "\033[", 2 * KEYS_ESC_NS);
    assert_int_equal(keys_due(&keys), -1);
    feed(&keys, "A", 1000 * KEYS_ESC_NS); /* bytes can be slow */
    assert_string_equal(told->text, "<ESC>[<UP>");
    keys_fini(&keys);
}

static void meta_is_esc_and_the_key(void **state)
{
    (void)state;
    expect("\033b", "<ESC>b");
    expect("\033\177", "<ESC><7F>");
    expect("\033\r", "<ESC>^M");
    expect("\033\xc3\xa9", "<ESC><E9>");
    expect("\033\033", "<ESC><ESC>");
    expect("\033\033\033", "<ESC><ESC><ESC>");
    expect("\033\033b", "<ESC><ESC>b");
    expect("\033\033[A", "<UP>");
    expect("\033\033OA", "<UP>");
    expect("\033\033[D\033\033OC", "<WLEFT><WRIGHT>");
    expect("\033\033[5~", "<PGUP>");
    expect("\033\033\033[A", "<ESC><ESC><UP>");
    expect("\033\033[?1;2c", "<ESC>");
}

/* ---- the keys of terminals ---- */

static const struct {
    const char *bytes;
    const char *told;
} sequences[] = {
    {"\033[A\033[B\033[C\033[D", "<UP><DOWN><RIGHT><LEFT>"},
    {"\033OA\033OB\033OC\033OD", "<UP><DOWN><RIGHT><LEFT>"},
    {"\033[H\033[F\033OH\033OF", "<HOME><END><HOME><END>"},
    {"\033[1~\033[4~\033[7~\033[8~", "<HOME><END><HOME><END>"},
    {"\033[2~\033[3~\033[5~\033[6~", "<INSERT><DELETE><PGUP><PGDN>"},
    {"\033[1;5C\033[1;5D\033[1;3C\033[1;3D\033[1;9D", "<WRIGHT><WLEFT><WRIGHT><WLEFT><WLEFT>"},
    {"\033[5C\033[5D\033O5C\033Oc\033Od", "<WRIGHT><WLEFT><WRIGHT><WRIGHT><WLEFT>"},
    {"\033[1;2A\033[1;2D\033[a\033[d", "<UP><LEFT><UP><LEFT>"},
    {"\033[1;5H\033[1;5F\033[7^\033[8^\033[1;6H", "<TOP><BOTTOM><TOP><BOTTOM><TOP>"},
    {"\033[7$\033[5$\033[3^\033[2@", "<HOME><PGUP><DELETE><INSERT>"},
    {"\033[5;2~\033[6;5~\033[3;5~", "<PGUP><PGDN><DELETE>"},
    {"\033[Z", "<BACKTAB>"},
    {"\033OP\033OQ\033OR\033OS", "<F1><F2><F3><F4>"},
    {"\033[11~\033[12~\033[13~\033[14~\033[15~", "<F1><F2><F3><F4><F5>"},
    {"\033[[A\033[[B\033[[C\033[[D\033[[E", "<F1><F2><F3><F4><F5>"},
    {"\033[17~\033[18~\033[19~\033[20~\033[21~\033[23~\033[24~", "<F6><F7><F8><F9><F10><F11><F12>"},
    {"\033[1;2P\033[15;5~", "<F1><F5>"},
    {"\033OM\033Op\033Oy\033Ok", "^M09+"}, /* the keypad of a vt100 */
    {"\033[A\033[Aab\033[B", "<UP><UP>ab<DOWN>"},
};

static void the_keys_of_known_terminals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        expect(sequences[i].bytes, sequences[i].told);
}

struct bytes {
    char bytes[KEYS_SEQUENCE];
    size_t length;
};

static void keep_bytes(void *owner, const struct keys_event *event)
{
    struct bytes *kept = owner;

    kept->length = event->length;
    memcpy(kept->bytes, event->bytes, event->length);
}

static void the_bytes_of_a_key_are_those_of_xterm(void **state)
{
    static const char *const homes[] = {"\033[H", "\033OH", "\033[1~", "\033[7~", "\033[7$"};
    struct bytes kept;
    struct keys keys;

    (void)state;
    keys_init(&keys, keep_bytes, &kept);
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        memset(&kept, 0, sizeof kept);
        keys_feed(&keys, homes[i], strlen(homes[i]), 0);
        assert_int_equal(kept.length, 3);
        assert_memory_equal(kept.bytes, "\033[H", 3);
    }
    feed(&keys, "\xc3\xa9", 0);
    assert_int_equal(kept.length, 2);
    assert_memory_equal(kept.bytes, "\xc3\xa9", 2);
    keys_fini(&keys);
}

/* ---- what is no key ---- */

static const char *const answers[] = {
    "\033[?1;2c",      /* what it is */
    "\033[>41;354;0c", /* ... and which version */
    "\033[?65;1;2;6;9;15;16;17;18;21;22;28;29c" /* ... in more than fits */,
    "\033[24;80R", /* where the cursor is */
    "\033[1;5R",
    "\033[0c", /* ... of an old one */
    "\033[0n",
    "\033[?2026;2$y",
    "\033[4;2$y",
    "\033[8;24;80t",
    "\033[I",
    "\033[O",          /* focus */
    "\033[M !!",       /* the mouse */
    "\033[M#\xff\xfe", /* ... far to the right */
    "\033[<0;10;20M\033[<0;10;20m" /* ... of today */,
    "\033[97;5u",
    "\033[27;5;97~",
    "\033[25~",
    "\033[999999999999999999999999999999999999999999999999999999999~",
    "\033[1;1:3A",
    "\033[ q",
    "\033[201~", /* the end of a paste that has not begun */
    "\033]11;rgb:ffff/0000/ffff\033\\",
    "\033]11;rgb:ffff/0000/ffff\a",
    "\033]lrm -rf ~\033\\", /* the title */
    "\033]L\xc3\xa9\xe2\x82\033\\",
    "\033]52;c;bHM=\a",
    "\033P1$r0m\033\\", /* a setting */
    "\033P>|XTerm(370)\033\\",
    "\033P!|00000000\033\\",
    "\033P1+r544e=787465726d\033\\",
    "\033_Gi=1;OK\033\\",
    "\033^private\033\\",
    "\033Xstring\033\\",
};

static void answers_of_a_terminal_are_no_keys(void **state)
{
    char around[256];

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        expect(answers[i], "");
        snprintf(around, sizeof around, "a%sb", answers[i]);
        expect(around, "ab");
        snprintf(around, sizeof around, "\033[A%s\033[B", answers[i]);
        expect(around, "<UP><DOWN>");
    }
}

static void what_does_not_belong_ends_a_sequence(void **state)
{
    (void)state;
    expect("\033[\r", "^M");
    expect("\033[1;\003x", "^Cx");
    expect("\033[12\033[A", "<UP>");
    expect("\033[\xc3\xa9", "<E9>");
    expect("\033O\n", "^J");
    expect("\033O\033OA", "<UP>");
    expect("\033[[\r", "^M");
    expect("\033[M!\r", "^M");
    expect("\033[00000000000000000000000000000000000000\rx", "^Mx");
}

static void a_string_begins_or_meta_was_typed(void **state)
{
    (void)state;
    expect("\033]", "<ESC>]");
    expect("\033P", "<ESC>P");
    expect("\033]hello", "<ESC>]hello");
    expect("\033Phello", "<ESC>Phello");
    expect("\033]\r", "<ESC>]^M");
    expect("\033]\033[A", "<ESC>]<UP>");
    expect("\033_\a", "<ESC>_^G");
    expect("\033\033]", "<ESC><ESC>]");
    expect("\033\033]0;x\ay", "<ESC>y");
}

static void a_string_without_an_end_gives_the_keyboard_back(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    expect("\033]0;abc\rdef", "^Mdef");
    expect("\033]0;abc\003def", "^Cdef");
    expect("\033]0;abc\177", "<7F>");
    expect("\033]0;abc\033[Adef", "<UP>def");
    expect("\033]0;abc\033OPdef", "<F1>def");
    expect("\033]0;abc\033", "");
    feed(&keys, "\033]0;abc", 0);
    assert_int_equal(keys_due(&keys), KEYS_STRING_NS);
    feed(&keys, "def", KEYS_STRING_NS - 1);
    assert_int_equal(keys_due(&keys), 2 * KEYS_STRING_NS - 1);
    feed(&keys, "ghi", 2 * KEYS_STRING_NS - 1);
    assert_string_equal(told->text, "ghi");
    keys_fini(&keys);
}

/* ST can be cut between two packets, for longer than a lone ESC takes. */
static void the_end_of_a_string_can_be_slow(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    feed(&keys, "\033]0;abc\033", 0);
    feed(&keys, "\\x", 4 * KEYS_ESC_NS);
    assert_string_equal(told->text, "x");
    keys_fini(&keys);
}

/* ---- pastes ---- */

static void a_paste_is_one_text(void **state)
{
    (void)state;
    expect("a\033[200~b\033[201~c", "a{b}c");
    expect("\033[200~\033[201~", "{}");
    expect("\033[200~one\rtwo\n\033[201~\r", "{one\rtwo\n}^M");
    expect("\033[200~\xc3\xa9\xff\033[201~", "{\xc3\xa9\xff}");
}

static void a_paste_may_hold_anything(void **state)
{
    (void)state;
    expect("\033[200~\033[A\033]0;x\a\003\033[201~", "{\033[A\033]0;x\a\003}");
    expect("\033[200~\033[200~\033[201~x", "{\033[200~}x");
    expect("\033[200~\033\033[201~x", "{\033}x");
    expect("\033[200~\033[20\033[201~x", "{\033[20}x");
    expect("\033[200~\033[201\033[201~x", "{\033[201}x");
    expect("\033[200~\033[202~\033[201~x", "{\033[202~}x");
}

static void a_paste_without_an_end_gives_the_keyboard_back(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    expect("\033[200~abc", "{abc}");
    expect("\033[200~abc\033[20", "{abc\033[20}");
    feed(&keys, "\033[200~abc", 0);
    assert_int_equal(keys_due(&keys), KEYS_PASTE_NS);
    feed(&keys, "\r", KEYS_PASTE_NS);
    assert_string_equal(told->text, "{abc}^M");
    keys_fini(&keys);
}

static void a_paste_is_bounded(void **state)
{
    static char block[65536];
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    memset(block, 'x', sizeof block);
    feed(&keys, "\033[200~", 0);
    for (int i = 0; i < 20; i++)
        keys_feed(&keys, block, sizeof block, 0);
    feed(&keys, "\033[201~y", 0);
    assert_string_equal(told->text, "{}y");
    assert_int_equal(told->paste_length, KEYS_PASTE_MAX);
    assert_true(told->is_cut);
    feed(&keys, "\033[200~z\033[201~", 0);
    assert_false(told->is_cut);
    assert_string_equal(told->text, "{}y{z}");
    keys_fini(&keys);
}

/* ---- what terminfo says ---- */

static void what_was_learnt_is_known(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    feed(&keys, "\033[224z\033h", 0);
    assert_string_equal(told->text, "<ESC>h");
    keys_learn(&keys, KEYS_F1, "\033[224z"); /* sun */
    keys_learn(&keys, KEYS_HOME, "\033h");   /* hp */
    keys_learn(&keys, KEYS_DOWN, "\033[A");  /* it knows better */
    feed(&keys, "\033[224z\033hx\033[A\033\033h", 0);
    assert_string_equal(told->text, "<ESC>h<F1><HOME>x<DOWN><HOME>");
    keys_fini(&keys);
}

static void what_cannot_be_learnt_is_ignored(void **state)
{
    struct keys keys;
    struct told *told = start(&keys);

    (void)state;
    keys_learn(&keys, KEYS_F1, "");
    keys_learn(&keys, KEYS_F1, "\033");
    keys_learn(&keys, KEYS_F1, "x");
    keys_learn(&keys, KEYS_F1, "\033[");
    keys_learn(&keys, KEYS_F1, "\033]0;x\a");
    keys_learn(&keys, KEYS_F1, "\033[Ax");
    keys_learn(&keys, KEYS_F1, "\033ab");
    keys_learn(&keys, KEYS_F1, "\033[0000000000000000000000000000000000000~");
    assert_int_equal(keys.learnt_count, 0);
    for (int i = 0; i < 2 * KEYS_TOLD; i++)
        keys_learn(&keys, KEYS_F12, "\033[99~");
    assert_int_equal(keys.learnt_count, KEYS_TOLD);
    feed(&keys, "\033ab\033[99~", 0);
    assert_string_equal(told->text, "<ESC>ab<F12>");
    keys_fini(&keys);
}

/* ---- anything ---- */

/* Random pieces of everything above, and random bytes. */
static size_t make_stream(char *stream, size_t size, uint32_t *seed)
{
    static const char *const pieces[] = {"\033",        "[",         "O",    "]",  "200~", "201~",
                                         "\033[200~",   "\033[201~", "M",    ";",  "5",    "\\",
                                         "\xe2",        "\x82",      "\xac", "\a", "\r",   "A",
                                         "\033]11;rgb", "\033P1$r",  "x",    "~",  "$",    "\x9b"};
    size_t n = 0;

    while (n + 16 < size) {
        const char *piece = pieces[kit_random(seed, sizeof pieces / sizeof *pieces)];

        memcpy(stream + n, piece, strlen(piece));
        n += strlen(piece);
        if (kit_random(seed, 8) == 0)
            stream[n++] = (char)kit_random(seed, 256);
    }
    return n;
}

static void feed_randomly(struct told *told, const char *bytes, size_t n, uint32_t *seed)
{
    struct keys keys;
    int64_t due;

    keys_init(&keys, on_key, told);
    memset(told, 0, sizeof *told);
    while (n > 0) {
        size_t piece = kit_random(seed, 12) + 1;

        piece = piece < n ? piece : n;
        keys_feed(&keys, bytes, piece, 1000);
        assert_true(keys.pending_length < KEYS_SEQUENCE);
        bytes += piece;
        n -= piece;
    }
    while ((due = keys_due(&keys)) >= 0)
        keys_expire(&keys, due);
    keys_fini(&keys);
}

static void keys_do_not_depend_on_the_cuts(void **state)
{
    static struct told whole, cut;
    char stream[600];
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t n = make_stream(stream, sizeof stream, &seed);

        feed_cut(&whole, stream, n, n, n);
        feed_randomly(&cut, stream, n, &seed);
        assert_int_equal(cut.events, whole.events);
        assert_int_equal(cut.length, whole.length);
        assert_memory_equal(cut.text, whole.text, whole.length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_told_one_by_one),
        cmocka_unit_test(bytes_that_are_no_character_swallow_nothing),
        cmocka_unit_test(c1_characters_are_dropped),
        cmocka_unit_test(half_a_character_waits),
        cmocka_unit_test(without_utf8_no_byte_waits_for_another),
        cmocka_unit_test(a_lone_esc_is_told_by_time),
        cmocka_unit_test(what_comes_too_late_is_by_itself),
        cmocka_unit_test(meta_is_esc_and_the_key),
        cmocka_unit_test(the_keys_of_known_terminals),
        cmocka_unit_test(the_bytes_of_a_key_are_those_of_xterm),
        cmocka_unit_test(answers_of_a_terminal_are_no_keys),
        cmocka_unit_test(what_does_not_belong_ends_a_sequence),
        cmocka_unit_test(a_string_begins_or_meta_was_typed),
        cmocka_unit_test(a_string_without_an_end_gives_the_keyboard_back),
        cmocka_unit_test(the_end_of_a_string_can_be_slow),
        cmocka_unit_test(a_paste_is_one_text),
        cmocka_unit_test(a_paste_may_hold_anything),
        cmocka_unit_test(a_paste_without_an_end_gives_the_keyboard_back),
        cmocka_unit_test(a_paste_is_bounded),
        cmocka_unit_test(what_was_learnt_is_known),
        cmocka_unit_test(what_cannot_be_learnt_is_ignored),
        cmocka_unit_test(keys_do_not_depend_on_the_cuts),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
