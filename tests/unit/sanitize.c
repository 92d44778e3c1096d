/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing that comes from outside may reach the terminal as a control. Tables say what becomes of
 * each kind of byte; a random test with a decoder of its own says that nothing slips through, and
 * that it does not matter how the input was cut.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/sanitize.h"
#include "kit/kit.h"

enum { LONGEST = 4096 };

static void use_locale(const char *name)
{
    if (!setlocale(LC_CTYPE, name))
        kit_skip("this system has no such locale");
}

/* Feeds N bytes, at CUT in two, ends the line, and returns the length of what is shown. */
static size_t show_cut(const char *bytes, size_t n, size_t cut, char *out)
{
    struct sanitize sanitize;
    size_t length;

    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, bytes, cut, out);
    length += sanitize_bytes(&sanitize, bytes + cut, n - cut, out + length);
    length += sanitize_end(&sanitize, out + length);
    out[length] = '\0';
    return length;
}

/* Whole, and cut at every place. */
static void expect_bytes(const char *bytes, size_t n, const char *expected)
{
    char out[SANITIZE_GROWTH * LONGEST];

    assert_true(SANITIZE_GROWTH * (n + 3 * 16) < sizeof out);
    for (size_t cut = 0; cut <= n; cut++) {
        show_cut(bytes, n, cut, out);
        assert_string_equal(out, expected);
    }
}

struct example {
    const char *bytes;
    const char *shown;
};

static void expect_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_bytes(examples[i].bytes, strlen(examples[i].bytes), examples[i].shown);
}

#define EXPECT_ALL(examples) expect_all(examples, sizeof(examples) / sizeof *(examples))

static void controls_are_shown_with_a_caret(void **state)
{
    const char *const locales[] = {"C.UTF-8", "C"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        use_locale(locales[i]);
        for (int c = 0; c < 0x20; c++) {
            char byte = (char)c;
            char expected[3] = {'^', (char)(c + '@'), '\0'};

            if (c != '\t')
                expect_bytes(&byte, 1, expected);
        }
        expect_bytes("\x7f", 1, "^?");
        expect_bytes("a\0b", 3, "a^@b");
    }
}

static void printable_ascii_is_itself(void **state)
{
    char all[0x7f - ' ' + 1];

    (void)state;
    use_locale("C.UTF-8");
    for (int c = ' '; c < 0x7f; c++)
        all[c - ' '] = (char)c;
    all[sizeof all - 1] = '\0';
    expect_bytes(all, strlen(all), all);
}

static void c1_controls_are_shown_by_number(void **state)
{
    (void)state;
    use_locale("C.UTF-8");
    for (unsigned c = 0x80; c < 0xa0; c++) {
        const char raw = (char)c;
        const char coded[] = {'\xc2', (char)c};
        char expected[16];

        snprintf(expected, sizeof expected, "<%02X>", c);
        expect_bytes(&raw, 1, expected);
        snprintf(expected, sizeof expected, "<U+%04X>", c);
        expect_bytes(coded, 2, expected);
    }
}

static void sequences_are_not_obeyed(void **state)
{
    static const struct example examples[] = {
        {"\033[2J\033[1;1H", "^[[2J^[[1;1H"},
        {"\033]0;title\007", "^[]0;title^G"},
        {"\033]52;c;YQ==\033\\", "^[]52;c;YQ==^[\\"},
        {"\033P$q\"p\033\\", "^[P$q\"p^[\\"},
        {"\033c\033[6n\033[?1049h", "^[c^[[6n^[[?1049h"},
        {"\233"
         "31mred",
         "<9B>31mred"},
        {"\302\233"
         "31mred",
         "<U+009B>31mred"},
        {"\302\235"
         "0;t\302\234",
         "<U+009D>0;t<U+009C>"},
        {"\016lines\017", "^Nlines^O"},
        {"back\b\b\b\bgone", "back^H^H^H^Hgone"},
        {"over\rwrite", "over^Mwrite"},
    };

    (void)state;
    use_locale("C.UTF-8");
    EXPECT_ALL(examples);
}

static void what_cannot_be_seen_is_shown_by_number(void **state)
{
    static const struct example examples[] = {
        {"a\u202eb\u202c", "a<U+202E>b<U+202C>"}, /* right-to-left override */
        {"\u202a\u202b\u202d", "<U+202A><U+202B><U+202D>"},
        {"\u2066\u2067\u2068\u2069", "<U+2066><U+2067><U+2068><U+2069>"},
        {"\u200e\u200f\u061c", "<U+200E><U+200F><U+061C>"},
        {"\u200b\u200c\u200d", "<U+200B><U+200C><U+200D>"}, /* zero-width, ZWJ */
        {"\u2060\u2061\u2064\ufeff", "<U+2060><U+2061><U+2064><U+FEFF>"},
        {"\U000e0001\U000e0041\U000e007f", "<U+E0001><U+E0041><U+E007F>"}, /* tags */
        {"\u00ad", "<U+00AD>"},                                            /* soft hyphen */
        {"\u180e\u034f\u115f\u3164", "<U+180E><U+034F><U+115F><U+3164>"},
        {"\ufe0f\U000e0100", "<U+FE0F><U+E0100>"},               /* variation selectors */
        {"\u2028\u2029", "<U+2028><U+2029>"},                    /* separators */
        {"\ufff9\ufffa\ufffb", "<U+FFF9><U+FFFA><U+FFFB>"},      /* annotation */
        {"\ufdd0\uffff\U0001fffe", "<U+FDD0><U+FFFF><U+1FFFE>"}, /* noncharacters */
        {"\u0378", "<U+0378>"},                                  /* unassigned */
    };

    (void)state;
    use_locale("C.UTF-8");
    EXPECT_ALL(examples);
}

static void text_of_every_script_stays(void **state)
{
    static const struct example examples[] = {
        {"Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe"},
        {"e\u0301a\u0308", "e\u0301a\u0308"}, /* combining marks */
        {"\u65e5\u672c\u8a9e \uff21", "\u65e5\u672c\u8a9e \uff21"},
        {"\U0001f311\U0001f600", "\U0001f311\U0001f600"},
        {"\u05d0\u0627", "\u05d0\u0627"},
        {"\ufffd", "\ufffd"},
    };

    (void)state;
    use_locale("C.UTF-8");
    EXPECT_ALL(examples);
}

static void bytes_that_are_no_character_are_shown_each(void **state)
{
    static const struct example examples[] = {
        {"\xff\xfe", "<FF><FE>"},
        {"\x80\xbf", "<80><BF>"},
        {"\xc0\xaf", "<C0><AF>"}, /* overlong */
        {"\xc1\xbf", "<C1><BF>"},
        {"\xe0\x80\xaf", "<E0><80><AF>"},
        {"\xf0\x80\x80\xaf", "<F0><80><80><AF>"},
        {"\xc0\x9b", "<C0><9B>"},         /* overlong ESC */
        {"\xed\xa0\x80", "<ED><A0><80>"}, /* surrogates */
        {"\xed\xbf\xbf", "<ED><BF><BF>"},
        {"\xf4\x90\x80\x80", "<F4><90><80><80>"}, /* above 10FFFF */
        {"\xf8\x88\x80\x80\x80", "<F8><88><80><80><80>"},
        {"\xc3", "<C3>"}, /* cut off by the end */
        {"\xe2\x82", "<E2><82>"},
        {"\xf0\x9f\x8c", "<F0><9F><8C>"},
        {"\xe2\x82z", "<E2><82>z"},         /* cut off by text */
        {"\xe2\x82\x1b[m", "<E2><82>^[[m"}, /* ... by an escape */
        {"\xe2\xc3\xa9", "<E2>\xc3\xa9"},   /* ... by a character */
        {"\xf0\x9f\xe2\x82\xac", "<F0><9F>\xe2\x82\xac"},
        {"\xf0\x9f\x8c\xc2\x9b", "<F0><9F><8C><U+009B>"},
    };

    (void)state;
    use_locale("C.UTF-8");
    EXPECT_ALL(examples);
}

static void tab_goes_to_the_next_stop(void **state)
{
    static const struct example examples[] = {
        {"\t|", "        |"},
        {"a\t|", "a       |"},
        {"1234567\t|", "1234567 |"},
        {"12345678\t|", "12345678        |"},
        {"\u65e5\u672c\t|", "\u65e5\u672c    |"}, /* two columns each */
        {"e\u0301\t|", "e\u0301       |"},        /* one column */
        {"\033\t|", "^[      |"},
        {"\xff\t|", "<FF>    |"},
        {"\u200b\t|", "<U+200B>        |"},
    };

    (void)state;
    use_locale("C.UTF-8");
    EXPECT_ALL(examples);
}

static void a_line_begins_at_column_0_again(void **state)
{
    struct sanitize sanitize;
    char out[SANITIZE_GROWTH * 32];
    size_t length;

    (void)state;
    use_locale("C.UTF-8");
    sanitize_init(&sanitize);
    sanitize_bytes(&sanitize, "abc\xe2\x82", 5, out);
    assert_int_equal(sanitize.column, 3);
    assert_int_equal(sanitize_end(&sanitize, out), 8);
    assert_memory_equal(out, "<E2><82>", 8);
    assert_int_equal(sanitize_end(&sanitize, out), 0);
    length = sanitize_bytes(&sanitize, "\xac\t", 2, out);
    assert_int_equal(length, 8);
    assert_memory_equal(out, "<AC>    ", 8);
}

static void the_c_locale_shows_high_bytes(void **state)
{
    (void)state;
    use_locale("C");
    for (unsigned c = 0x80; c <= 0xff; c++) {
        const char byte = (char)c;
        char expected[16];

        snprintf(expected, sizeof expected, "<%02X>", c);
        expect_bytes(&byte, 1, expected);
    }
    expect_bytes("Gr\u00fc\u00dfe", 7, "Gr<C3><BC><C3><9F>e");
}

static void width_and_fit_count_columns(void **state)
{
    static const char wide[] = "a\u65e5\u672ce\u0301z";
    static const size_t fits[] = {0, 1, 1, 4, 4, 7, 10, 11, 11};

    (void)state;
    use_locale("C.UTF-8");
    assert_int_equal(sanitize_width(wide, strlen(wide)), 7);
    assert_int_equal(sanitize_width("", 0), 0);
    for (size_t columns = 0; columns < sizeof fits / sizeof *fits; columns++)
        assert_int_equal(sanitize_fit(wide, strlen(wide), columns), fits[columns]);
    assert_int_equal(sanitize_fit("\u0301", 2, 0), 0);
    assert_int_equal(sanitize_fit("a\u65e5", 3, 80), 1); /* its end is cut off */
}

/* ---- at random ---- */

static uint64_t random_state = 88172645463325252U;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t put_utf8(unsigned long c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Bytes, ASCII, and characters (surrogates and C1 among them), some with their end cut off. */
static size_t random_input(char *bytes, size_t max)
{
    static const unsigned long limits[] = {0x80, 0xa0, 0x800, 0x2100, 0x10000, 0x110000};
    size_t n = 0;

    while (n + 4 <= max) {
        uint64_t dice = random_next();
        unsigned long limit = limits[dice >> 8 & 3 ? dice >> 16 & 3 : dice >> 16 & 1 ? 4 : 5];

        if ((dice & 7) == 0)
            bytes[n++] = (char)(dice >> 32);
        else
            n += put_utf8((unsigned long)(dice >> 32) % limit, bytes + n);
        if ((dice & 0xf0) == 0 && n > 1)
            n--;
    }
    return n;
}

static size_t show_in_pieces(const char *bytes, size_t n, char *out)
{
    struct sanitize sanitize;
    size_t length = 0;

    sanitize_init(&sanitize);
    for (size_t i = 0; i < n;) {
        size_t piece = random_next() % 9;
        size_t shown;

        if (piece > n - i)
            piece = n - i;
        shown = sanitize_bytes(&sanitize, bytes + i, piece, out + length);
        assert_true(shown <= SANITIZE_GROWTH * (piece + sizeof sanitize.pending));
        length += shown;
        i += piece;
    }
    return length + sanitize_end(&sanitize, out + length);
}

/* Returns the length of the well-formed UTF-8 character at BYTES, or 0 (RFC 3629, section 4). */
static size_t take_utf8(const unsigned char *bytes, size_t n, unsigned long *c)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80   ? 1
                    : bytes[0] < 0xc0 ? 0
                    : bytes[0] < 0xe0 ? 2
                    : bytes[0] < 0xf0 ? 3
                    : bytes[0] < 0xf8 ? 4
                                      : 0;

    if (length == 0 || length > n)
        return 0;
    *c = length == 1 ? bytes[0] : bytes[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (bytes[i] & 0x3f);
    }
    return *c < least[length] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : length;
}

static bool is_allowed(unsigned long c)
{
    return !(c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
             (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
             (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfe00 && c <= 0xfe0f) ||
             (c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c < 0xe1000));
}

static void expect_harmless(const char *shown, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)shown;

    for (size_t i = 0; i < n;) {
        unsigned long c = 0;
        size_t length = take_utf8(bytes + i, n - i, &c);

        if (length == 0 || !is_allowed(c))
            fail_msg("byte %zu of what is shown is %#x, U+%04lX", i, bytes[i], c);
        i += length;
    }
}

static void random_bytes_in(const char *locale, int rounds)
{
    static char bytes[LONGEST];
    static char whole[SANITIZE_GROWTH * (LONGEST + 32) + 1];
    static char pieces[sizeof whole];

    use_locale(locale);
    for (int round = 0; round < rounds; round++) {
        size_t n = random_input(bytes, sizeof bytes);
        size_t length = show_cut(bytes, n, n, whole);

        assert_true(length <= SANITIZE_GROWTH * n);
        expect_harmless(whole, length);
        assert_int_equal(show_in_pieces(bytes, n, pieces), length);
        assert_memory_equal(pieces, whole, length);
    }
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    random_bytes_in("C.UTF-8", kit_is_instrumented() ? 100 : 1500);
}

static void random_bytes_do_no_harm_in_the_c_locale(void **state)
{
    (void)state;
    random_bytes_in("C", kit_is_instrumented() ? 50 : 500);
}

/* ---- runs of ASCII, which are not decoded, against the C library ---- */

struct naive {
    char shown[SANITIZE_GROWTH * LONGEST];
    size_t length;
    size_t column;
};

static void naive_add(struct naive *naive, const char *shown, size_t n, size_t columns)
{
    memcpy(naive->shown + naive->length, shown, n);
    naive->length += n;
    naive->column += columns;
}

/* Adds what is shown of one byte that is no printable character. */
static void naive_add_byte(struct naive *naive, unsigned char byte)
{
    char text[16];

    if (byte == '\t')
        snprintf(text, sizeof text, "%*s", (int)(8 - naive->column % 8), "");
    else if (byte < 0x80)
        snprintf(text, sizeof text, "^%c", byte ^ 0x40);
    else
        snprintf(text, sizeof text, "<%02X>", byte);
    naive_add(naive, text, strlen(text), strlen(text));
}

/* Decodes every character with mbrtowc(3); none of them is printable and not to be seen. */
static void naive_show(struct naive *naive, const char *bytes, size_t n)
{
    size_t length;

    naive->length = naive->column = 0;
    for (size_t i = 0; i < n; i += length) {
        mbstate_t state;
        wchar_t c;

        memset(&state, 0, sizeof state);
        length = mbrtowc(&c, bytes + i, n - i, &state);
        if (length == 0 || length > 4 || !iswprint((wint_t)c)) {
            naive_add_byte(naive, (unsigned char)bytes[i]);
            length = 1;
        } else {
            naive_add(naive, bytes + i, length, (size_t)wcwidth(c));
        }
    }
}

/* Long and short runs of ASCII, with DEL and the neighbours of the bounds, between other bytes. */
static size_t random_runs(char *bytes, size_t max)
{
    static const char *const others[] = {"\x1f", "\x7f", "\x80", "\xff", "\t",      "\xc3\xa9",
                                         "\xc3", "\n",   "\0",   "\x1b", "e\u0301", "\u65e5"};
    size_t n = 0;

    while (n + 64 <= max) {
        const char *other = others[random_next() % (sizeof others / sizeof *others)];
        size_t run = random_next() % (random_next() % 4 == 0 ? 50 : 10);

        for (; run > 0; run--)
            bytes[n++] = (char)(' ' + random_next() % ('~' - ' ' + 1));
        memcpy(bytes + n, other, *other ? strlen(other) : 1);
        n += *other ? strlen(other) : 1;
    }
    return n;
}

/* Returns how many of the shown bytes fit, one character after the other. */
static size_t naive_fit(const struct naive *naive, size_t columns, size_t *width)
{
    size_t i = 0;

    *width = 0;
    for (size_t length; columns > 0 && i < naive->length; i += length) {
        unsigned long c = 0;
        size_t wide;

        length = take_utf8((const unsigned char *)naive->shown + i, naive->length - i, &c);
        wide = (size_t)wcwidth((wchar_t)c);
        if (*width + wide > columns)
            break;
        *width += wide;
    }
    return i;
}

static void runs_of_ascii_in(const char *locale, int rounds)
{
    static struct naive naive;
    static char bytes[LONGEST];
    static char shown[SANITIZE_GROWTH * (LONGEST + 32)];

    use_locale(locale);
    for (int round = 0; round < rounds; round++) {
        size_t n = random_runs(bytes, 64 + random_next() % (LONGEST - 64));
        size_t columns = random_next() % 1000;
        size_t fit;
        size_t width;

        naive_show(&naive, bytes, n);
        assert_int_equal(show_in_pieces(bytes, n, shown), naive.length);
        assert_memory_equal(shown, naive.shown, naive.length);
        assert_int_equal(sanitize_width(shown, naive.length), naive.column);
        fit = naive_fit(&naive, columns, &width);
        assert_int_equal(sanitize_fit(shown, naive.length, columns), fit);
        assert_int_equal(sanitize_width(shown, fit), width);
    }
}

static void runs_of_ascii_are_what_the_library_says(void **state)
{
    (void)state;
    runs_of_ascii_in("C.UTF-8", kit_is_instrumented() ? 50 : 1000);
    runs_of_ascii_in("C", kit_is_instrumented() ? 50 : 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_are_shown_with_a_caret),
        cmocka_unit_test(printable_ascii_is_itself),
        cmocka_unit_test(c1_controls_are_shown_by_number),
        cmocka_unit_test(sequences_are_not_obeyed),
        cmocka_unit_test(what_cannot_be_seen_is_shown_by_number),
        cmocka_unit_test(text_of_every_script_stays),
        cmocka_unit_test(bytes_that_are_no_character_are_shown_each),
        cmocka_unit_test(tab_goes_to_the_next_stop),
        cmocka_unit_test(a_line_begins_at_column_0_again),
        cmocka_unit_test(the_c_locale_shows_high_bytes),
        cmocka_unit_test(width_and_fit_count_columns),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(random_bytes_do_no_harm_in_the_c_locale),
        cmocka_unit_test(runs_of_ascii_are_what_the_library_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
