/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pane by example, and at random against a model that wraps everything there is, one character
 * after the other, and moves a window over it.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/sanitize.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "ui/pane.h"

enum { SEED = 1414, SCREEN = 40 };

static const char *const labels[] = {
    NULL, "srv", "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d.", "", "a\033b"};

enum { LABELS = sizeof labels / sizeof *labels };

static const char *label(void *owner, unsigned channel)
{
    assert_ptr_equal(owner, labels);
    return labels[channel];
}

static const char *no_label(void *owner, unsigned channel)
{
    (void)owner;
    (void)channel;
    return NULL;
}

/* ---- what a pane shows ---- */

struct seen {
    size_t count;
    struct row rows[SCREEN];
};

static struct seen seen;

static void see(void *owner, size_t index, const struct row *row)
{
    assert_ptr_equal(owner, &seen);
    assert_int_equal(index, seen.count);
    assert_true(index < SCREEN);
    seen.rows[seen.count++] = *row;
}

static void compose(struct pane *pane)
{
    seen.count = 0;
    pane_compose(pane, see, &seen);
    assert_int_equal(seen.count, pane->rows);
}

/* Composes, and compares with the lines of TEXT; the rows behind them are empty. */
static void expect(struct pane *pane, const char *text)
{
    compose(pane);
    for (size_t i = 0; i < seen.count; i++) {
        size_t length = strcspn(text, "\n");

        if (seen.rows[i].length != length || memcmp(seen.rows[i].bytes, text, length) != 0)
            fail_msg("row %zu is '%.*s', not '%.*s'", i, (int)seen.rows[i].length,
                     seen.rows[i].bytes, (int)length, text);
        text += length + (text[length] == '\n');
    }
    assert_string_equal(text, "");
}

static void expect_below(const struct pane *pane, uint64_t below, uint64_t unseen)
{
    uint64_t count;

    assert_int_equal(pane_below(pane, &count), below);
    assert_int_equal(count, unseen);
}

/* The style of the bytes of a row, a letter each. */
static void expect_styles(size_t index, const char *letters)
{
    static const char names[ROW_STYLES + 1] = ".dsbmGBW012345";
    const struct row *row = &seen.rows[index];
    char styles[ROW_BYTES + 1];
    size_t at = 0;

    for (size_t i = 0; i < row->span_count; i++)
        while (at < row->spans[i].end)
            styles[at++] = names[row->spans[i].style];
    styles[at] = '\0';
    assert_string_equal(styles, letters);
}

static void add_line(struct scrollback *scrollback, enum scrollback_kind kind, unsigned channel,
                     bool goes_on, const char *text)
{
    struct scrollback_line line = {.kind = kind,
                                   .channel = channel,
                                   .goes_on = goes_on,
                                   .second = 3600 * 10 + 60 * 11 + 12,
                                   .bytes = text,
                                   .length = strlen(text)};

    assert_int_equal(scrollback_add(scrollback, &line), 0);
}

static void add(struct scrollback *scrollback, const char *text)
{
    add_line(scrollback, SCROLLBACK_RECEIVED, 0, false, text);
}

static void add_numbers(struct scrollback *scrollback, int from, int to)
{
    char text[32];

    for (; from <= to; from++) {
        snprintf(text, sizeof text, "line %d", from);
        add(scrollback, text);
    }
}

static int start(void **state)
{
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void it_follows_what_comes(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 3, 80);
    expect(&pane, "");
    add(scrollback, "one");
    expect(&pane, "one");
    add_numbers(scrollback, 2, 4);
    expect(&pane, "line 2\nline 3\nline 4");
    add(scrollback, "");
    expect(&pane, "line 3\nline 4\n");
    expect_below(&pane, 0, 0);
    scrollback_free(scrollback);
}

static void lines_go_on_in_the_next_row(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 9, 4);
    add(scrollback, "abcdefghij");
    add(scrollback, "abcd");
    add(scrollback, "abc\u65e5\u672c");
    add(scrollback, "abce\u0301x");
    add(scrollback, "\u0301y");
    expect(&pane, "abcd\nefgh\nij\nabcd\nabc\n\u65e5\u672c\nabce\u0301\nx\n \u0301y");
    pane_resize(&pane, 2, 4);
    expect(&pane, "x\n \u0301y");
    pane_resize(&pane, 3, 1);
    add(scrollback, "\u65e5x");
    expect(&pane, "y\n \nx");
    scrollback_free(scrollback);
}

static void a_line_of_controls_only(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 100000);
    struct pane pane;
    char bytes[SCROLLBACK_LINE];
    struct scrollback_line line = {.bytes = bytes, .length = sizeof bytes};

    (void)state;
    memset(bytes, '\xff', sizeof bytes);
    assert_int_equal(scrollback_add(scrollback, &line), 0);
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 1, 1000);
    pane_to_top(&pane);
    for (int i = 0; i < 17; i++) {
        compose(&pane);
        assert_int_equal(seen.rows[0].length, i < 16 ? 1000 : 384);
        assert_int_equal(pane.is_following, i == 16);
        pane_scroll(&pane, 1);
    }
    pane_resize(&pane, 2, 2);
    expect(&pane, "<F\nF>");
    pane_scroll(&pane, -1);
    expect(&pane, "F>\n<F");
    scrollback_free(scrollback);
}

static void time_and_label_stand_before_a_line(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, label, (void *)labels);
    pane.stamp_format = "%H:%M:%S";
    pane_resize(&pane, 3, 21);
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, false, "some text");
    add_line(scrollback, SCROLLBACK_RECEIVED, 3, false, "no label");
    expect(&pane, "10:11:12 srv some tex\nt\n10:11:12 no label");
    expect_styles(0, "dddddddd.111.........");
    pane_resize(&pane, 3, 20);
    expect(&pane, "srv some text\n10:11:12 no label\n");
    expect_styles(0, "111..........");
    pane_resize(&pane, 3, 16);
    expect(&pane, "srv some text\nno label\n");
    pane_resize(&pane, 4, 11);
    expect(&pane, "some text\nno label\n\n");
    pane_resize(&pane, 2, 22);
    add_line(scrollback, SCROLLBACK_RECEIVED, 2, false, "x");
    add_line(scrollback, SCROLLBACK_RECEIVED, 4, false, "y");
    expect(&pane, "x\n10:11:12 a^[b y");
    pane_resize(&pane, 1, 34);
    pane_scroll(&pane, -1);
    expect(&pane, "10:11:12 \u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d x");
    pane.stamp_format = NULL;
    expect(&pane, "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d x");
    scrollback_free(scrollback);
}

static void kinds_are_told_apart(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, label, (void *)labels);
    pane_resize(&pane, 4, 80);
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, false, "got");
    add_line(scrollback, SCROLLBACK_SENT, 1, false, "put");
    add_line(scrollback, SCROLLBACK_NOTE, 1, false, "said");
    expect(&pane, "srv got\nsrv > put\n-- said\n");
    expect_styles(0, "111....");
    expect_styles(1, "111.ddddd");
    expect_styles(2, "sssssss");
    scrollback_free(scrollback);
}

static void pieces_are_joined(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane_partial partial = {.channel = 1, .second = 0, .bytes = "end", .length = 3};
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, label, (void *)labels);
    pane_resize(&pane, 7, 80);
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, true, "one");
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, true, "two");
    add_line(scrollback, SCROLLBACK_NOTE, 1, false, "between");
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, true, "three");
    add_line(scrollback, SCROLLBACK_SENT, 1, true, "sent");
    add_line(scrollback, SCROLLBACK_SENT, 1, false, "rest");
    expect(&pane, "srv one\ntwo\n-- between\nsrv three\nsrv > sent\nrest\n");
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, true, "four");
    pane.partials = &partial;
    pane.partial_count = 1;
    expect(&pane, "two\n-- between\nsrv three\nsrv > sent\nrest\nsrv four\nend");
    partial.channel = 2;
    pane_resize(&pane, 2, 80);
    expect(&pane, "srv four\n\u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d end");
    scrollback_free(scrollback);
}

/* The line before the rest of it goes, and the rest stays what it is. */
static void a_rest_stays_one(void **state)
{
    struct scrollback *scrollback = scrollback_new(2, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, label, (void *)labels);
    pane_resize(&pane, 2, 80);
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, true, "one");
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, false, "two");
    add_line(scrollback, SCROLLBACK_RECEIVED, 1, false, "three");
    expect(&pane, "two\nsrv three");
    scrollback_free(scrollback);
}

static void unfinished_lines_stand_below(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane_partial partials[] = {
        {.channel = 1, .second = 60, .bytes = "one", .length = 3},
        {.channel = 0, .second = 120, .bytes = "two", .length = 3},
    };
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, label, (void *)labels);
    pane.stamp_format = "%M";
    pane_resize(&pane, 3, 80);
    add_numbers(scrollback, 1, 3);
    pane.partials = partials;
    pane.partial_count = 2;
    expect(&pane, "11 line 3\n01 srv one\n02 two");
    pane_scroll(&pane, -1);
    assert_false(pane.is_following);
    expect(&pane, "11 line 2\n11 line 3\n01 srv one");
    pane.partials = NULL;
    pane.partial_count = 0; /* now the window would end below the end */
    expect(&pane, "11 line 1\n11 line 2\n11 line 3");
    assert_true(pane.is_following);
    pane.partials = partials;
    pane.partial_count = 2;
    pane_resize(&pane, 1, 80);
    expect(&pane, "02 two");
    pane_scroll(&pane, -1);
    expect(&pane, "01 srv one");
    scrollback_free(scrollback);
}

static void scrolled_up_it_stands_still(void **state)
{
    struct scrollback *scrollback = scrollback_new(10, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 2, 80);
    add_numbers(scrollback, 1, 5);
    expect(&pane, "line 4\nline 5");
    pane_scroll(&pane, -2);
    expect(&pane, "line 2\nline 3");
    expect_below(&pane, 2, 0);
    add_numbers(scrollback, 6, 11); /* line 1 goes */
    expect(&pane, "line 2\nline 3");
    expect_below(&pane, 8, 6);
    add_numbers(scrollback, 12, 13); /* line 3 goes */
    expect_below(&pane, 8, 8);
    expect(&pane, "line 4\nline 5");
    pane_scroll(&pane, 7);
    assert_false(pane.is_following);
    expect(&pane, "line 11\nline 12");
    expect_below(&pane, 1, 1);
    pane_scroll(&pane, -2);
    expect_below(&pane, 3, 1);
    pane_scroll(&pane, 2);
    pane_scroll(&pane, 1);
    assert_true(pane.is_following);
    expect_below(&pane, 0, 0);
    expect(&pane, "line 12\nline 13");
    pane_scroll(&pane, -100);
    expect(&pane, "line 4\nline 5");
    pane_to_bottom(&pane);
    expect(&pane, "line 12\nline 13");
    scrollback_clear(scrollback);
    pane_reset(&pane);
    expect(&pane, "");
    add_numbers(scrollback, 14, 14);
    expect(&pane, "line 14\n");
    scrollback_free(scrollback);
}

static void a_resize_keeps_the_top(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 2, 5);
    add(scrollback, "abcdefghijklmnopqrstuvwxyz");
    add_numbers(scrollback, 1, 30);
    pane_to_top(&pane);
    pane_scroll(&pane, 2);
    expect(&pane, "klmno\npqrst");
    pane_resize(&pane, 3, 10);
    expect(&pane, "klmnopqrst\nuvwxyz\nline 1");
    pane_resize(&pane, 1, 3);
    expect(&pane, "jkl");
    pane_resize(&pane, 0, 0);
    compose(&pane);
    pane_resize(&pane, 2, 80);
    expect(&pane, "abcdefghijklmnopqrstuvwxyz\nline 1");
    assert_false(pane.is_following);
    pane_resize(&pane, 35, 80); /* more than there is */
    compose(&pane);
    assert_true(pane.is_following);
    scrollback_free(scrollback);
}

/* ---- finding ---- */

static bool find(struct pane *pane, const char *text, bool is_again)
{
    return pane_find(pane, text, strlen(text), is_again);
}

static void finds_further_and_further_up(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 3, 80);
    assert_false(find(&pane, "line", false));
    assert_false(find(&pane, "line", true));
    add_numbers(scrollback, 1, 99);
    assert_true(find(&pane, "LINE 5", false));
    expect(&pane, "line 59\nline 60\nline 61");
    expect_styles(0, "mmmmmm.");
    expect_styles(1, ".......");
    assert_true(find(&pane, "LINE 5", true));
    expect(&pane, "line 58\nline 59\nline 60");
    expect_styles(1, "mmmmmm.");
    pane_to_bottom(&pane);
    assert_true(find(&pane, "line 5", true));
    expect(&pane, "line 57\nline 58\nline 59");
    assert_true(find(&pane, "7", false));
    expect(&pane, "line 47\nline 48\nline 49");
    assert_false(find(&pane, "line 5x", false));
    expect(&pane, "line 47\nline 48\nline 49");
    assert_false(find(&pane, "", false));
    expect(&pane, "line 47\nline 48\nline 49");
    expect_styles(0, ".......");
    scrollback_free(scrollback);
}

static void a_search_wraps_round(void **state)
{
    struct scrollback *scrollback = scrollback_new(3, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 1, 80);
    add(scrollback, "found first");
    add(scrollback, "then");
    add(scrollback, "found last");
    assert_true(find(&pane, "found", false));
    expect(&pane, "found first");
    assert_true(find(&pane, "found", true));
    expect(&pane, "found last");
    assert_true(find(&pane, "found", true));
    expect(&pane, "found first");
    add(scrollback, "news");
    assert_true(find(&pane, "found", true)); /* the one found last is gone */
    expect(&pane, "found last");
    pane_to_bottom(&pane);
    assert_true(find(&pane, "news", false)); /* it is to be seen */
    assert_true(pane.is_following);
    pane_to_top(&pane);
    assert_true(find(&pane, "news", false));
    assert_true(pane.is_following);
    assert_true(find(&pane, "then", true));
    expect(&pane, "then");
    scrollback_free(scrollback);
}

static void the_row_that_is_marked_is_shown(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    struct pane pane;

    (void)state;
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 2, 4);
    add(scrollback, "abcdefghijklmNEEDLEstuv");
    add_numbers(scrollback, 1, 9);
    assert_true(find(&pane, "needle", false));
    expect(&pane, "mNEE\nDLEs");
    expect_styles(0, ".mmm");
    expect_styles(1, "mmm.");
    pane_scroll(&pane, 2);
    expect(&pane, "tuv\nline");
    assert_true(find(&pane, "needle", false)); /* above, in the line at the top */
    expect(&pane, "mNEE\nDLEs");
    pane_resize(&pane, 9, 4);
    pane_to_bottom(&pane);
    assert_true(find(&pane, "needle", false));
    expect(&pane, "abcd\nefgh\nijkl\nmNEE\nDLEs\ntuv\nline\n 1\nline");
    scrollback_free(scrollback);
}

static void a_text_to_be_found_is_cut(void **state)
{
    struct scrollback *scrollback = scrollback_new(100, 10000);
    char text[PANE_FIND + 2];
    struct pane pane;

    (void)state;
    memset(text, 'x', PANE_FIND);
    strcpy(text + PANE_FIND, "y");
    pane_init(&pane, scrollback, no_label, NULL);
    pane_resize(&pane, 1, 500);
    text[PANE_FIND] = '\0';
    add(scrollback, text);
    text[PANE_FIND] = 'y';
    assert_true(find(&pane, text, false));
    assert_int_equal(pane.find_length, PANE_FIND);
    assert_int_equal(pane.rows, 1);
    assert_int_equal(pane.columns, 500);
    scrollback_free(scrollback);
}

/* ---- a model that wraps everything ---- */

enum { ROWS_MAX = 60000, BYTES_MAX = 1500000, MODEL_BYTES = 6000 };

struct model_row {
    uint64_t line;
    size_t row;    /* of the line */
    size_t begins; /* bytes of shown text before it */
    size_t offset; /* into bytes and styles */
    size_t length;
    size_t used;
};

struct model {
    struct model_row rows[ROWS_MAX];
    size_t count;
    char bytes[BYTES_MAX];
    unsigned char styles[BYTES_MAX];
    size_t length;
    size_t columns;
};

static struct model model;

static void model_begin_row(uint64_t line, size_t row, size_t begins)
{
    assert_true(model.count < ROWS_MAX);
    model.rows[model.count++] =
        (struct model_row){.line = line, .row = row, .begins = begins, .offset = model.length};
}

/* Adds one shown character to the row. */
static void model_put(const char *character, size_t n, size_t columns, unsigned style)
{
    struct model_row *row = &model.rows[model.count - 1];

    assert_true(model.length + n <= BYTES_MAX);
    memcpy(model.bytes + model.length, character, n);
    memset(model.styles + model.length, (int)style, n);
    model.length += n;
    row->length += n;
    row->used += columns;
}

static size_t shown_width(const char *character, size_t n)
{
    wchar_t wide[16] = {0};
    char text[16] = {0};

    memcpy(text, character, n);
    assert_int_equal(mbstowcs(wide, text, 16), 1);
    return (size_t)wcwidth(wide[0]);
}

/* Adds one shown character, in the next row where there is no room. */
static void model_flow(const char *character, size_t n, unsigned style, size_t begins)
{
    struct model_row *row = &model.rows[model.count - 1];
    size_t columns = shown_width(character, n);

    if (columns == 0 && row->used == 0)
        model_put(" ", 1, 1, style);
    else if (columns == 0)
        style = model.styles[model.length - 1];
    if (row->used + columns > model.columns && row->used > 0) {
        model_begin_row(row->line, row->row + 1, begins);
        row++;
    }
    if (columns > model.columns)
        model_put(" ", 1, 1, style);
    else
        model_put(character, n, columns, style);
}

static size_t character_length(const char *shown)
{
    return (unsigned char)*shown < 0x80   ? 1
           : (unsigned char)*shown < 0xe0 ? 2
           : (unsigned char)*shown < 0xf0 ? 3
                                          : 4;
}

static size_t model_flow_all(const char *shown, size_t n, unsigned style, size_t begins)
{
    for (size_t i = 0; i < n; i += character_length(shown + i))
        model_flow(shown + i, character_length(shown + i), style, begins + i);
    return begins + n;
}

/* Which bytes of a line are of a place where the text was found. */
static void mark_bytes(const struct pane *pane, const struct scrollback_line *line, bool *marks)
{
    memset(marks, 0, line->length);
    for (size_t i = 0; pane->find_length > 0 && i + pane->find_length <= line->length;) {
        bool is_there = true;

        for (size_t j = 0; j < pane->find_length; j++)
            is_there = is_there && line->bytes[i + j] == pane->find[j]; /* has no letters */
        for (size_t j = 0; is_there && j < pane->find_length; j++)
            marks[i + j] = true;
        i += is_there ? pane->find_length : 1;
    }
}

static void model_text(const struct pane *pane, const struct scrollback_line *line, unsigned style,
                       size_t begins)
{
    struct sanitize sanitize;
    bool marks[SCROLLBACK_LINE];
    char shown[SANITIZE_GROWTH * 32];
    size_t n;

    mark_bytes(pane, line, marks);
    sanitize_init(&sanitize);
    for (size_t i = 0; i < line->length; i++) {
        n = sanitize_bytes(&sanitize, line->bytes + i, 1, shown);
        begins = model_flow_all(shown, n, marks[i] ? ROW_MARK : style, begins);
    }
    n = sanitize_end(&sanitize, shown);
    model_flow_all(shown, n, style, begins);
}

static void model_prefix(const struct pane *pane, const struct scrollback_line *line)
{
    static const char *const cut[LABELS] = {
        "", "srv", "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d", "", "a^[b"};
    static const size_t widths[LABELS] = {0, 4, 17, 0, 5};
    bool is_note = line->kind == SCROLLBACK_NOTE;
    size_t room = model.columns < 8 ? 0 : model.columns - 8;
    size_t label_width = is_note ? 0 : widths[line->channel];
    char stamp[32];
    struct tm local;

    localtime_r(&line->second, &local);
    snprintf(stamp, sizeof stamp, "%02d:%02d", local.tm_hour, local.tm_min);
    if (pane->stamp_format && 6 + label_width <= room) {
        model_flow_all(stamp, 5, ROW_DIM, 0);
        model_flow_all(" ", 1, ROW_PLAIN, 0);
    }
    if (label_width > 0 && label_width <= room) {
        model_flow_all(cut[line->channel], strlen(cut[line->channel]), ROW_CHANNEL + line->channel,
                       0);
        model_flow_all(" ", 1, ROW_PLAIN, 0);
    }
}

static void model_line(const struct pane *pane, uint64_t number, const struct scrollback_line *line)
{
    static const unsigned styles[] = {ROW_PLAIN, ROW_DIM, ROW_STRONG};
    static const char *const signs[] = {"", "> ", "-- "};
    size_t begins = 0;

    model_begin_row(number, 0, 0);
    if (!line->is_rest) {
        model_prefix(pane, line);
        begins =
            model_flow_all(signs[line->kind], strlen(signs[line->kind]), styles[line->kind], 0);
    }
    model_text(pane, line, styles[line->kind], begins);
}

/* Wraps all that is in the scrollback; returns how many rows that makes. */
static size_t model_lines(const struct pane *pane)
{
    uint64_t end = scrollback_end(pane->scrollback);
    struct scrollback_line line;

    model.count = model.length = 0;
    model.columns = pane->columns > 0 ? pane->columns : 1;
    for (uint64_t number = scrollback_first(pane->scrollback); number < end; number++) {
        scrollback_get(pane->scrollback, number, &line);
        model_line(pane, number, &line);
    }
    return model.count;
}

static void model_partials(const struct pane *pane)
{
    uint64_t end = scrollback_end(pane->scrollback);
    struct scrollback_line last = {.goes_on = false};

    if (end > scrollback_first(pane->scrollback))
        scrollback_get(pane->scrollback, end - 1, &last);
    for (size_t i = 0; i < pane->partial_count; i++) {
        const struct pane_partial *partial = &pane->partials[i];
        struct scrollback_line line = {.channel = partial->channel,
                                       .second = partial->second,
                                       .bytes = partial->bytes,
                                       .length = partial->length};

        line.is_rest = i == 0 && last.goes_on && last.kind == SCROLLBACK_RECEIVED &&
                       last.channel == line.channel;
        model_line(pane, end + i, &line);
    }
}

/* ---- random movements ---- */

struct world {
    struct scrollback *scrollback;
    struct pane pane;
    struct pane_partial partials[3];
    size_t partial_rows; /* when composed last */
    bool is_following;
    uint64_t top;
    size_t top_row;
    uint64_t seen; /* lines before this one were composed, or stood above one that was */
    uint64_t found;
    uint32_t seed;
};

/* The index of the row at the top, of COUNT rows and the unfinished lines. */
static size_t top_index(const struct world *world, size_t count)
{
    size_t all = count + world->partial_rows;
    size_t lowest = all > world->pane.rows ? all - world->pane.rows : 0;
    size_t index = 0;

    if (world->is_following)
        return lowest;
    if (world->top >= scrollback_end(world->scrollback))
        index = count + world->top_row;
    else
        while (model.rows[index].line < world->top ||
               (model.rows[index].line == world->top && model.rows[index].row < world->top_row &&
                index + 1 < count && model.rows[index + 1].line == world->top))
            index++;
    return index < lowest ? index : lowest;
}

static void go_to(struct world *world, size_t count, size_t index)
{
    size_t all = count + world->partial_rows;
    size_t lowest = all > world->pane.rows ? all - world->pane.rows : 0;

    world->is_following = index >= lowest;
    world->top = index < count ? model.rows[index].line : scrollback_end(world->scrollback);
    world->top_row = index < count ? model.rows[index].row : index - count;
}

/* More spans than a row has go on in the last one's style. */
static void expect_row(const struct row *row, const struct model_row *expected)
{
    unsigned char styles[ROW_BYTES];
    size_t spans = 0;
    size_t at = 0;

    assert_int_equal(row->length, expected->length);
    assert_memory_equal(row->bytes, model.bytes + expected->offset, row->length);
    for (size_t i = 0; i < row->length; i++) {
        styles[i] = model.styles[expected->offset + i];
        if (i == 0 || styles[i] != styles[i - 1])
            spans++;
        if (spans > ROW_SPANS)
            styles[i] = styles[i - 1];
    }
    for (size_t i = 0; i < row->span_count; i++)
        for (; at < row->spans[i].end; at++)
            assert_int_equal(row->spans[i].style, styles[at]);
    assert_int_equal(at, row->length);
}

static void check_composed(struct world *world)
{
    size_t count = model_lines(&world->pane);
    size_t top;

    model_partials(&world->pane);
    world->partial_rows = model.count - count;
    top = top_index(world, count);
    go_to(world, count, top);
    compose(&world->pane);
    for (size_t i = 0; i < seen.count; i++)
        if (top + i < model.count)
            expect_row(&seen.rows[i], &model.rows[top + i]);
        else
            assert_int_equal(seen.rows[i].length, 0);
    assert_int_equal(world->pane.is_following, world->is_following);
    for (size_t i = top; i < count && i < top + seen.count; i++)
        if (model.rows[i].line >= world->seen)
            world->seen = model.rows[i].line + 1;
    if (top < count && model.rows[top].line > world->seen)
        world->seen = model.rows[top].line;
    if (top >= count)
        world->seen = scrollback_end(world->scrollback);
}

static void check_below(struct world *world)
{
    size_t count = model_lines(&world->pane);
    size_t last = top_index(world, count) + world->pane.rows;
    uint64_t below = 0;
    uint64_t unseen = scrollback_end(world->scrollback) - world->seen;

    if (!world->is_following && world->pane.rows > 0 && last < count)
        below = model.rows[count - 1].line - model.rows[last - 1].line;
    expect_below(&world->pane, below, unseen < below ? unseen : below);
}

static size_t random_text(uint32_t *seed, char *bytes, size_t max)
{
    static const char *const pieces[] = {
        "plain text ", "\u65e5\u672c", "e\u0301", "\u0301\u0308", "\t",
        "\033[1m",     "\xff",         "\u202e",  "\xe2\x82",     "x",
        "12"};
    size_t limit = kit_random(seed, 20) == 0 ? max : kit_random(seed, 8) == 0 ? 300 : 30;
    size_t only = kit_random(seed, 3) == 0 ? kit_random(seed, 11) : 11;
    size_t n = 0;

    limit = kit_random(seed, (uint32_t)limit + 1);
    for (;;) {
        const char *piece = pieces[only < 11 ? only : kit_random(seed, 11)];

        if (n + strlen(piece) > limit)
            return n;
        memcpy(bytes + n, piece, strlen(piece));
        n += strlen(piece);
    }
}

static void do_add(struct world *world)
{
    char bytes[SCROLLBACK_LINE];
    struct scrollback_line line = {
        .kind = (enum scrollback_kind)kit_random(&world->seed, 3),
        .channel = kit_random(&world->seed, LABELS),
        .goes_on = kit_random(&world->seed, 4) == 0,
        .second = (time_t)kit_random(&world->seed, 86400),
        .bytes = bytes,
    };

    for (uint32_t n = 1 + kit_random(&world->seed, 3); n > 0; n--) {
        line.length = random_text(&world->seed, bytes, sizeof bytes);
        assert_int_equal(scrollback_add(world->scrollback, &line), 0);
    }
}

static void do_scroll(struct world *world)
{
    size_t count = model_lines(&world->pane);
    size_t top = top_index(world, count);
    long n = (long)kit_random(&world->seed, kit_random(&world->seed, 2) ? 6 : 300);

    if (kit_random(&world->seed, 2) == 0) {
        pane_scroll(&world->pane, n);
        go_to(world, count, top + (size_t)n);
    } else {
        pane_scroll(&world->pane, -n);
        go_to(world, count, top > (size_t)n ? top - (size_t)n : 0);
    }
}

static void do_jump(struct world *world)
{
    size_t count = model_lines(&world->pane);

    if (kit_random(&world->seed, 3) == 0) {
        pane_to_bottom(&world->pane);
        world->is_following = true;
    } else {
        pane_to_top(&world->pane);
        go_to(world, count, 0);
    }
}

/* Up and down again is where it was, where no end is in the way. */
static void do_nothing(struct world *world)
{
    long n = (long)kit_random(&world->seed, 20);
    size_t count = model_lines(&world->pane);
    size_t top = top_index(world, count);

    if (world->is_following || top < (size_t)n)
        return;
    pane_scroll(&world->pane, -n);
    pane_scroll(&world->pane, n);
}

static void do_resize(struct world *world)
{
    static const size_t columns[] = {0, 1, 2, 3, 5, 13, 14, 20, 31, 80, 80, 200};
    size_t begins = 0;
    size_t count = model_lines(&world->pane);
    bool is_there = !world->is_following && world->top >= scrollback_first(world->scrollback) &&
                    world->top < scrollback_end(world->scrollback);

    for (size_t i = 0; i < count; i++)
        if (model.rows[i].line == world->top && model.rows[i].row <= world->top_row)
            begins = model.rows[i].begins;
    pane_resize(&world->pane, kit_random(&world->seed, SCREEN),
                columns[kit_random(&world->seed, 12)]);
    count = model_lines(&world->pane);
    for (size_t i = 0; is_there && i < count; i++)
        if (model.rows[i].line == world->top && model.rows[i].begins <= begins)
            world->top_row = model.rows[i].row;
}

static void do_change_look(struct world *world)
{
    world->pane.stamp_format = kit_random(&world->seed, 2) ? "%H:%M" : NULL;
}

static void do_partials(struct world *world)
{
    static char bytes[3][SCROLLBACK_LINE];

    world->pane.partials = world->partials;
    world->pane.partial_count = kit_random(&world->seed, 4);
    for (size_t i = 0; i < world->pane.partial_count; i++)
        world->partials[i] = (struct pane_partial){
            .channel = kit_random(&world->seed, LABELS),
            .second = (time_t)kit_random(&world->seed, 86400),
            .bytes = bytes[i],
            .length = random_text(&world->seed, bytes[i], i == 0 ? sizeof *bytes : 60),
        };
}

/* The first row of a line with a mark, or its last one, as an index. */
static size_t marked_index(uint64_t line, size_t count)
{
    size_t index = 0;

    for (size_t i = 0; i < count; i++)
        if (model.rows[i].line == line) {
            index = i;
            if (memchr(model.styles + model.rows[i].offset, ROW_MARK, model.rows[i].length))
                break;
        }
    return index;
}

static bool is_marked(uint64_t line, size_t count)
{
    const struct model_row *row = &model.rows[marked_index(line, count)];

    return memchr(model.styles + row->offset, ROW_MARK, row->length) != NULL;
}

static void expect_found(struct world *world, uint64_t line, size_t count)
{
    size_t top = top_index(world, count);
    size_t mark = marked_index(line, count);

    world->found = line;
    if (mark >= top && mark < top + world->pane.rows)
        return;
    go_to(world, count,
          model.rows[mark].row < world->pane.rows ? mark - model.rows[mark].row : mark);
}

/* Looks naively for the line that is to be found, and goes there. */
static bool model_find(struct world *world, bool is_again)
{
    uint64_t first = scrollback_first(world->scrollback);
    uint64_t end = scrollback_end(world->scrollback);
    size_t count = model_lines(&world->pane);
    size_t top = top_index(world, count);
    uint64_t below = top < count ? model.rows[top].line : end; /* the one not looked at first */

    if (is_again && world->found != UINT64_MAX)
        below = world->found;
    else if (top < count && model.rows[top].row > 0 && is_marked(below, count) &&
             marked_index(below, count) < top)
        below++;
    if (below < first)
        below = first;
    for (uint64_t n = 0; n < end - first; n++) {
        uint64_t line = below > first + n ? below - 1 - n : end - 1 - (n - (below - first));

        if (is_marked(line, count)) {
            expect_found(world, line, count);
            return true;
        }
    }
    return false;
}

static void do_find(struct world *world)
{
    static const char *const texts[] = {"12", "\u65e5",     "2",      "\033",
                                        " ",  "1212\u65e5", "absent", ""};
    const char *text = texts[kit_random(&world->seed, 8)];
    bool is_again = kit_random(&world->seed, 2) == 0;
    bool was_found;

    memcpy(world->pane.find, text, strlen(text)); /* the model marks what the pane is to mark */
    world->pane.find_length = strlen(text);
    was_found = *text && model_find(world, is_again);
    world->pane.find_length = 0;
    assert_int_equal(pane_find(&world->pane, text, strlen(text), is_again), was_found);
    assert_int_equal(world->pane.find_length, strlen(text));
}

static void random_step(struct world *world)
{
    static void (*const steps[])(struct world *) = {
        do_add,    do_add,      do_add,  do_scroll,      do_scroll,  do_scroll, do_jump,
        do_resize, do_partials, do_find, do_change_look, do_nothing, do_scroll, do_add,
    };

    steps[kit_random(&world->seed, sizeof steps / sizeof *steps)](world);
    check_below(world);
    if (kit_random(&world->seed, 3) > 0)
        check_composed(world);
    if (kit_random(&world->seed, 500) == 0) {
        scrollback_clear(world->scrollback);
        pane_reset(&world->pane);
        world->is_following = true;
        world->found = UINT64_MAX;
    }
}

static void random_movements(void **state)
{
    static struct world world;

    (void)state;
    print_message("seed %d\n", SEED);
    world = (struct world){.is_following = true, .found = UINT64_MAX, .seed = SEED};
    world.scrollback = scrollback_new(30, MODEL_BYTES);
    pane_init(&world.pane, world.scrollback, label, (void *)labels);
    pane_resize(&world.pane, 10, 20);
    for (int step = 0; step < (kit_is_instrumented() ? 250 : 4000); step++)
        random_step(&world);
    scrollback_free(world.scrollback);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_follows_what_comes),
        cmocka_unit_test(lines_go_on_in_the_next_row),
        cmocka_unit_test(a_line_of_controls_only),
        cmocka_unit_test(time_and_label_stand_before_a_line),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(pieces_are_joined),
        cmocka_unit_test(a_rest_stays_one),
        cmocka_unit_test(unfinished_lines_stand_below),
        cmocka_unit_test(scrolled_up_it_stands_still),
        cmocka_unit_test(a_resize_keeps_the_top),
        cmocka_unit_test(finds_further_and_further_up),
        cmocka_unit_test(a_search_wraps_round),
        cmocka_unit_test(the_row_that_is_marked_is_shown),
        cmocka_unit_test(a_text_to_be_found_is_cut),
        cmocka_unit_test(random_movements),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
