/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows by example, and at random against cells that are filled one character after the other.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/sanitize.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "ui/row.h"

enum { SEED = 2718 };

static void use_locale(const char *name)
{
    if (!setlocale(LC_CTYPE, name))
        kit_skip("this system has no such locale");
}

static size_t add(struct row *row, enum row_style style, const char *text)
{
    return row_add(row, style, text, strlen(text));
}

static void check(const struct row *row)
{
    assert_true(row->used <= row->columns);
    assert_true(row->length <= ROW_BYTES);
    assert_int_equal(sanitize_width(row->bytes, row->length), row->used);
    assert_int_equal(row->span_count == 0, row->length == 0);
    for (size_t i = 0; i < row->span_count; i++) {
        assert_true(row->spans[i].end > (i > 0 ? row->spans[i - 1].end : 0));
        assert_true(i == 0 || row->spans[i].style != row->spans[i - 1].style);
    }
    if (row->span_count > 0)
        assert_int_equal(row->spans[row->span_count - 1].end, row->length);
}

static void expect(const struct row *row, const char *text)
{
    check(row);
    assert_int_equal(row->length, strlen(text));
    assert_memory_equal(row->bytes, text, row->length);
}

static void text_is_made_visible_and_cut(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 10);
    expect(&row, "");
    assert_int_equal(add(&row, ROW_PLAIN, "a\033[m"), 5);
    expect(&row, "a^[[m");
    assert_int_equal(add(&row, ROW_PLAIN, "\xff\x80"), 5);
    expect(&row, "a^[[m<FF><");
    assert_int_equal(add(&row, ROW_PLAIN, "more"), 0);
    expect(&row, "a^[[m<FF><");
    row_init(&row, 10);
    assert_int_equal(add(&row, ROW_PLAIN, "\xe2\x82"), 8); /* cut off by its end */
    expect(&row, "<E2><82>");
}

static void a_tab_counts_from_where_its_text_begins(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 40);
    add(&row, ROW_PLAIN, "12345");
    assert_int_equal(add(&row, ROW_PLAIN, "a\tb"), 9);
    expect(&row, "12345a       b");
}

static void wide_characters_are_not_halved(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 3);
    assert_int_equal(add(&row, ROW_PLAIN, "\u65e5\u672c\u8a9e"), 2);
    expect(&row, "\u65e5");
    row_init(&row, 1);
    assert_int_equal(add(&row, ROW_PLAIN, "\u65e5x"), 0);
    expect(&row, "");
    row_init(&row, 0);
    assert_int_equal(add(&row, ROW_PLAIN, "x\u0301"), 0);
    row_pad(&row, ROW_PLAIN, 9);
    expect(&row, "");
}

static void marks_stay_with_their_character(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 2);
    add(&row, ROW_PLAIN, "ae\u0301\u0302b\u0303");
    expect(&row, "ae\u0301\u0302");
    assert_int_equal(add(&row, ROW_MARK, "\u0303c"), 0); /* as if in one */
    expect(&row, "ae\u0301\u0302\u0303");
    assert_int_equal(row.span_count, 1);
    row_init(&row, 4);
    assert_int_equal(add(&row, ROW_MARK, "\u0301\u0302a"), 2); /* nothing to stand on */
    expect(&row, " \u0301\u0302a");
}

static void shown_text_is_taken_as_far_as_it_fits(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 4);
    assert_int_equal(row_add_shown(&row, ROW_PLAIN, "\u65e5", 3), 2);
    assert_int_equal(row_fill(&row, ROW_PLAIN, "a\u65e5b", 5), 1);
    expect(&row, "\u65e5a");
    assert_int_equal(row_fill(&row, ROW_PLAIN, "b\u0301c", 4), 3);
    expect(&row, "\u65e5ab\u0301");
    row_init(&row, 4);
    assert_int_equal(row_fill(&row, ROW_PLAIN, "\u0301a", 3), 3); /* the blank is not counted */
}

static void equal_styles_are_one_span(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 80);
    add(&row, ROW_DIM, "12:00");
    add(&row, ROW_DIM, " ");
    add(&row, ROW_CHANNEL + 2, "");
    add(&row, ROW_CHANNEL + 3, "host");
    add(&row, ROW_PLAIN, " text");
    row_pad(&row, ROW_PLAIN, 20);
    expect(&row, "12:00 host text     ");
    assert_int_equal(row.span_count, 3);
    assert_int_equal(row.spans[0].style, ROW_DIM);
    assert_int_equal(row.spans[0].end, 6);
    assert_int_equal(row.spans[1].style, ROW_CHANNEL + 3);
    assert_int_equal(row.spans[1].end, 10);
    assert_int_equal(row.spans[2].style, ROW_PLAIN);
    row_pad(&row, ROW_BAR, 20);
    row_pad(&row, ROW_BAR, 3);
    assert_int_equal(row.used, 20);
    row_pad(&row, ROW_BAR, 1000);
    assert_int_equal(row.used, 80);
    check(&row);
}

static void too_many_spans_go_on_in_the_last(void **state)
{
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 1000);
    for (int i = 0; i < 3 * ROW_SPANS; i++)
        add(&row, i % 2 ? ROW_DIM : ROW_PLAIN, "x");
    check(&row);
    assert_int_equal(row.span_count, ROW_SPANS);
    assert_int_equal(row.length, 3 * ROW_SPANS);
    assert_int_equal(row.spans[ROW_SPANS - 1].style, ROW_DIM);
}

static void what_is_printed_is_made_visible(void **state)
{
    char longest[2000];
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&row, 40);
    assert_int_equal(row_print(&row, ROW_PLAIN, "%d%s", 42, "\n\u202e"), 12);
    expect(&row, "42^J<U+202E>");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    row_init(&row, 2000);
    assert_int_equal(row.columns, ROW_COLUMNS_MAX);
    assert_int_equal(row_print(&row, ROW_PLAIN, "%s", longest), ROW_COLUMNS_MAX);
    check(&row);
}

/* More marks than anybody needs: the bytes are full before the columns are. */
static void bytes_have_a_bound(void **state)
{
    static char marks[2 * ROW_BYTES + 2];
    struct row row;

    (void)state;
    use_locale("C.UTF-8");
    for (size_t i = 0; i + 2 < sizeof marks; i += 2)
        memcpy(marks + i, "\u0301", 2);
    row_init(&row, 10);
    add(&row, ROW_PLAIN, "abc");
    add(&row, ROW_DIM, marks);
    assert_int_equal(row.length, ROW_BYTES - 1); /* no half of one */
    check(&row);
    add(&row, ROW_DIM, marks);
    assert_int_equal(row.length, ROW_BYTES - 1);
    row_pad(&row, ROW_BAR, 10);
    assert_int_equal(row.length, ROW_BYTES);
    assert_int_equal(row.used, 4);
    check(&row);
    assert_int_equal(add(&row, ROW_DIM, "x"), 0);
}

static void rows_are_the_same_when_they_look_it(void **state)
{
    struct row a, b;

    (void)state;
    use_locale("C.UTF-8");
    row_init(&a, 80);
    row_init(&b, 80);
    assert_true(row_is_same(&a, &b));
    add(&a, ROW_PLAIN, "one");
    assert_false(row_is_same(&a, &b));
    add(&b, ROW_PLAIN, "o");
    add(&b, ROW_PLAIN, "ne");
    assert_true(row_is_same(&a, &b));
    add(&a, ROW_PLAIN, "two");
    add(&b, ROW_DIM, "two");
    assert_false(row_is_same(&a, &b));
    row_init(&a, 80);
    row_init(&b, 81);
    assert_false(row_is_same(&a, &b));
    row_init(&b, 80);
    add(&a, ROW_DIM, "ab");
    add(&a, ROW_BAR, "c");
    add(&b, ROW_DIM, "a");
    add(&b, ROW_BAR, "bc");
    assert_false(row_is_same(&a, &b));
}

/* ---- at random ---- */

static const char *const characters[] = {
    "a",      "Z",      "~",      " ",      "\u00e9",     "\u0301",     "\u0308", "\u65e5",
    "\uff21", "\u202e", "\u05d0", "\u20d7", "\U0001f600", "\U000e0001", "\x1b",   "\xff",
};

/* What is shown of it, and over how many columns. */
static size_t naive_shown(const char *character, char *shown, size_t *width)
{
    struct sanitize sanitize;
    size_t length;

    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, character, strlen(character), shown);
    *width = sanitize.column;
    return length;
}

/* Adds one character as a row would: what is shown of one may itself be cut, byte by byte. */
static bool naive_add(char *cells, size_t *length, size_t *used, size_t columns, const char *what)
{
    char shown[SANITIZE_GROWTH * 32];
    size_t width;
    size_t n = naive_shown(what, shown, &width);
    size_t piece = n > 0 && shown[0] > 0 ? 1 : n;

    if (width == 0 && *used == 0) {
        cells[(*length)++] = ' ';
        ++*used;
    }
    for (size_t i = 0; i < n; i += piece) {
        size_t wide = piece < n ? 1 : width;

        if (*used + wide > columns)
            return false;
        memcpy(cells + *length, shown + i, piece);
        *length += piece;
        *used += wide;
    }
    return true;
}

static void a_row_of_any_text(void **state)
{
    uint32_t seed = SEED;

    (void)state;
    use_locale("C.UTF-8");
    print_message("seed %d\n", SEED);
    for (int round = 0; round < (kit_is_instrumented() ? 1000 : 20000); round++) {
        size_t columns = 1 + kit_random(&seed, round % 3 ? 20 : 500);
        static char text[4 * 600];
        static char cells[16 * 600];
        struct row row;
        size_t length = 0;
        size_t used = 0;
        size_t n = 0;
        bool is_fitting = true;

        for (uint32_t count = kit_random(&seed, round % 3 ? 30 : 600); count > 0; count--) {
            const char *what = characters[kit_random(&seed, 16)];

            memcpy(text + n, what, strlen(what));
            n += strlen(what);
            is_fitting = is_fitting && naive_add(cells, &length, &used, columns, what);
        }
        row_init(&row, columns);
        assert_int_equal(row_add(&row, ROW_PLAIN, text, n), used);
        assert_int_equal(row.length, length);
        assert_memory_equal(row.bytes, cells, length);
        check(&row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_visible_and_cut),
        cmocka_unit_test(a_tab_counts_from_where_its_text_begins),
        cmocka_unit_test(wide_characters_are_not_halved),
        cmocka_unit_test(marks_stay_with_their_character),
        cmocka_unit_test(shown_text_is_taken_as_far_as_it_fits),
        cmocka_unit_test(equal_styles_are_one_span),
        cmocka_unit_test(too_many_spans_go_on_in_the_last),
        cmocka_unit_test(what_is_printed_is_made_visible),
        cmocka_unit_test(bytes_have_a_bound),
        cmocka_unit_test(rows_are_the_same_when_they_look_it),
        cmocka_unit_test(a_row_of_any_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
