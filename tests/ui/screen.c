/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen, judged by the cells of a terminal: the bytes of each frame go straight into
 * libvterm, and after each frame every cell is what was put, whatever stood there before.
 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <vterm.h>
#include <wchar.h>

#include "kit/kit.h"
#include "kit/random.h"
#include "ui/screen.h"
#include "ui/spinner.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ROWS = 24, COLUMNS = 80, MAX = 1000, LOG_MAX = 1 << 20 };

static struct {
    struct screen *screen;
    VTerm *vterm;
    VTermScreen *cells;
    int rows;
    int columns;
    int cursor_row;
    int cursor_column;
    struct row *model; /* what was put */
    char log[LOG_MAX]; /* the bytes of the last frames, a string */
    size_t logged;
    bool is_alternate;
    bool is_hidden;
    bool can_hide;
    bool has_hard_corner; /* no wide characters at the end of the last row */
    bool is_old;          /* no wide characters, and its cursor does not wait in the last column */
    int bells;
} t;

/* ---- the terminal ---- */

static int on_property(VTermProp property, VTermValue *value, void *owner)
{
    (void)owner;
    if (property == VTERM_PROP_ALTSCREEN)
        t.is_alternate = value->boolean;
    if (property == VTERM_PROP_CURSORVISIBLE)
        t.is_hidden = !value->boolean;
    return 1;
}

static int on_bell(void *owner)
{
    (void)owner;
    t.bells++;
    return 1;
}

static void open_vterm(int rows, int columns)
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_property, .bell = on_bell};

    t.vterm = vterm_new(rows, columns);
    vterm_set_utf8(t.vterm, 1);
    t.cells = vterm_obtain_screen(t.vterm);
    vterm_screen_set_callbacks(t.cells, &callbacks, NULL);
    vterm_screen_enable_altscreen(t.cells, 1);
    vterm_screen_reset(t.cells, 1);
}

static void feed(const char *bytes, size_t n)
{
    vterm_input_write(t.vterm, bytes, n);
    if (t.logged + n >= LOG_MAX)
        t.logged = 0;
    if (n < LOG_MAX - t.logged)
        memcpy(t.log + t.logged, bytes, n);
    t.logged += n < LOG_MAX - t.logged ? n : 0;
    t.log[t.logged] = '\0';
}

static void feed_text(const char *text)
{
    feed(text, strlen(text));
}

static void forget_log(void)
{
    t.logged = 0;
    t.log[0] = '\0';
}

static VTermScreenCell cell_at(int row, int column)
{
    VTermScreenCell cell;

    memset(&cell, 0, sizeof cell);
    assert_true(vterm_screen_get_cell(t.cells, (VTermPos){.row = row, .col = column}, &cell));
    if (cell.chars[0] == 0)
        cell.chars[0] = ' ';
    return cell;
}

static VTermPos cursor(void)
{
    VTermPos position;

    vterm_state_get_cursorpos(vterm_obtain_state(t.vterm), &position);
    return position;
}

/* ---- the screen ---- */

static void forget_rows(void)
{
    for (int i = 0; i < t.rows; i++)
        row_init(&t.model[i], (size_t)t.columns);
}

static void begin(void)
{
    size_t n;
    const char *bytes = screen_begin(t.screen, &n);

    assert_non_null(bytes);
    feed(bytes, n);
}

static void end(void)
{
    size_t n;
    const char *bytes = screen_end(t.screen, &n);

    assert_non_null(bytes);
    feed(bytes, n);
}

static void open_terminal(const char *name, int rows, int columns, bool has_colour)
{
    setenv("TERM", name, 1);
    if (!screen_is_possible(NULL))
        kit_skip("terminfo has no such terminal");
    t.rows = rows;
    t.columns = columns;
    t.cursor_row = t.cursor_column = t.bells = 0;
    t.is_hidden = t.is_alternate = false;
    t.has_hard_corner =
        strcmp(name, "screen") == 0 || strcmp(name, "tmux") == 0 || strcmp(name, "rxvt") == 0;
    t.is_old = strcmp(name, "ansi") == 0;
    t.can_hide = strcmp(name, "vt100") != 0 && strcmp(name, "ansi") != 0;
    forget_rows();
    open_vterm(rows, columns);
    t.screen = screen_open(rows, columns, has_colour);
    assert_non_null(t.screen);
    begin();
}

static void open_xterm(void)
{
    open_terminal("xterm-256color", ROWS, COLUMNS, true);
}

static void close_terminal(void)
{
    screen_close(t.screen);
    t.screen = NULL;
    if (t.vterm)
        vterm_free(t.vterm);
    t.vterm = NULL;
}

static void put(int row, const struct row *content)
{
    screen_put(t.screen, row, content);
    if (row >= 0 && row < t.rows)
        memcpy(&t.model[row], content, sizeof *content);
}

static void put_text(int row, enum row_style style, const char *text)
{
    static struct row content;

    row_init(&content, (size_t)t.columns);
    row_add_shown(&content, style, text, strlen(text));
    put(row, &content);
}

static void place_cursor(int row, int column)
{
    screen_cursor(t.screen, row, column);
    t.cursor_row = row;
    t.cursor_column = column;
}

static void resize(int rows, int columns)
{
    assert_int_equal(screen_resize(t.screen, rows, columns), 0);
    vterm_set_size(t.vterm, rows, columns);
    t.rows = rows;
    t.columns = columns;
    forget_rows();
}

/* ---- what is expected ---- */

struct expected {
    int column;
    uint32_t chars[VTERM_MAX_CHARS_PER_CELL];
    int width;
    enum row_style style;
};

static void check_style(const VTermScreenCell *cell, enum row_style style)
{
    bool is_reverse = style == ROW_BAR || style == ROW_MARK;

    assert_int_equal(cell->attrs.reverse, is_reverse);
    if (style < ROW_GOOD)
        assert_int_equal(cell->attrs.bold, style == ROW_STRONG || style == ROW_MARK);
    if (style == ROW_PLAIN)
        assert_true(VTERM_COLOR_IS_DEFAULT_FG(&cell->fg));
    assert_true(VTERM_COLOR_IS_DEFAULT_BG(&cell->bg));
}

static void check_cell(int row, const struct expected *expected)
{
    VTermScreenCell cell = cell_at(row, expected->column);

    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && (i == 0 || expected->chars[i - 1]); i++)
        if (cell.chars[i] != expected->chars[i])
            fail_msg("%d,%d: U+%04X in place of U+%04X", row, expected->column,
                     (unsigned)cell.chars[i], (unsigned)expected->chars[i]);
    check_style(&cell, expected->style);
}

/* Checks the cells from COLUMN to the right edge to be blank, of no style. */
static void check_blank(int row, int column)
{
    for (; column < t.columns; column++)
        check_cell(row, &(struct expected){.column = column, .chars = {' '}});
}

static wchar_t next_character(const struct row *row, size_t *i)
{
    mbstate_t state;
    wchar_t c;
    size_t n;

    memset(&state, 0, sizeof state);
    n = mbrtowc(&c, row->bytes + *i, row->length - *i, &state);
    assert_in_range(n, 1, row->length - *i);
    *i += n;
    return c;
}

static enum row_style style_at(const struct row *row, size_t i)
{
    for (size_t span = 0; span < row->span_count; span++)
        if (i < row->spans[span].end)
            return row->spans[span].style;
    fail_msg("byte %zu has no style", i);
    return ROW_PLAIN;
}

/* Reads the next cell of what was put, with its marks. */
static bool next_expected(const struct row *row, size_t *i, struct expected *expected)
{
    int count = 1;

    if (*i >= row->length)
        return false;
    memset(expected->chars, 0, sizeof expected->chars);
    expected->column += expected->width;
    expected->style = style_at(row, *i);
    expected->chars[0] = (uint32_t)next_character(row, i);
    expected->width = wcwidth((wchar_t)expected->chars[0]);
    while (*i < row->length) {
        size_t before = *i;
        wchar_t mark = next_character(row, i);

        if (wcwidth(mark) != 0) {
            *i = before;
            break;
        }
        if (count < 5)
            expected->chars[count++] = (uint32_t)mark;
    }
    return true;
}

static bool is_seen(int row, const struct expected *expected)
{
    bool is_hard = t.has_hard_corner && row == t.rows - 1 && expected->width > 1;

    return expected->column + expected->width <= t.columns - (is_hard ? 2 : 0);
}

static void check_row(int row)
{
    struct expected expected = {.column = 0};
    int end = 0;
    size_t i = 0;

    while (next_expected(&t.model[row], &i, &expected) && is_seen(row, &expected)) {
        check_cell(row, &expected);
        end = expected.column + expected.width;
    }
    check_blank(row, end);
}

static void check_cursor(void)
{
    int row = t.cursor_row < t.rows ? t.cursor_row : t.rows - 1;
    int column = t.cursor_column < t.columns ? t.cursor_column : t.columns - 1;

    assert_int_equal(t.is_hidden, t.can_hide && t.cursor_row < 0);
    if (t.cursor_row < 0)
        return;
    assert_int_equal(cursor().row, row);
    assert_int_equal(cursor().col, column);
}

/* Paints, and compares all cells. Returns how many bytes that took. */
static size_t frame(void)
{
    size_t n;
    const char *bytes = screen_frame(t.screen, &n);

    assert_non_null(bytes);
    assert_null(memchr(bytes, '\0', n));
    forget_log();
    feed(bytes, n);
    for (int row = 0; row < t.rows; row++)
        check_row(row);
    check_cursor();
    return n;
}

/* ---- frames ---- */

static void a_frame_shows_what_was_put(void **state)
{
    (void)state;
    open_xterm();
    put_text(0, ROW_BAR, "title");
    put_text(1, ROW_PLAIN, "text");
    put_text(ROWS - 1, ROW_STRONG, "the last row");
    place_cursor(ROWS - 1, 5);
    assert_true(frame() > 0);
    assert_int_equal(frame(), 0);
    put_text(1, ROW_PLAIN, "text");
    place_cursor(ROWS - 1, 5);
    assert_int_equal(frame(), 0);
    put_text(1, ROW_PLAIN, "te");
    assert_true(frame() > 0);
    put_text(1, ROW_DIM, "te");
    assert_true(frame() > 0);
    assert_non_null(strstr(t.log, ";2m"));
}

static void rows_outside_are_ignored(void **state)
{
    (void)state;
    open_xterm();
    frame();
    put_text(-1, ROW_PLAIN, "above");
    put_text(ROWS, ROW_PLAIN, "below");
    assert_int_equal(frame(), 0);
}

static void the_cursor_stands_where_it_is_put(void **state)
{
    static const int places[][2] = {{0, 0},    {3, 79},  {23, 79}, {-1, 0}, {5, 5},
                                    {40, 200}, {-1, -1}, {-1, -1}, {2, 2}};

    (void)state;
    open_xterm();
    for (size_t i = 0; i < COUNT(places); i++) {
        place_cursor(places[i][0], places[i][1]);
        frame();
    }
}

static void wide_characters_and_marks_are_right(void **state)
{
    (void)state;
    open_xterm();
    put_text(0, ROW_PLAIN, "\u00e9\u6f22\u5b57\U0001f600e\u0301x\u0301\u0302\u0303\u0304y");
    put_text(1, ROW_PLAIN, "a\u6f22\u5b57");
    frame();
    put_text(0, ROW_PLAIN, "\u6f22\u00e9\u5b57\U0001f600e\u0302");
    put_text(1, ROW_PLAIN, "\u6f22\u5b57a");
    frame();
    put_text(1, ROW_PLAIN, "ab\u5b57a");
    frame();
    put_text(1, ROW_PLAIN, "ab\u5b57\u5b57");
    frame();
}

/* The row is wider than the screen, as it is for a moment when that shrinks. */
static void half_a_wide_character_is_not_shown(void **state)
{
    static struct row content;

    (void)state;
    open_terminal("xterm-256color", 3, 5, true);
    row_init(&content, 80);
    row_add_shown(&content, ROW_PLAIN, "abcd\u6f22x", 8);
    put(0, &content);
    row_init(&content, 80);
    row_add_shown(&content, ROW_PLAIN, "abc\u6f22\u0301x", 9);
    put(1, &content);
    frame();
    assert_int_equal(cell_at(0, 4).chars[0], ' ');
    assert_int_equal(cell_at(1, 3).chars[0], 0x6f22);
}

static void text_that_was_not_made_visible_is_not_obeyed(void **state)
{
    static struct row content;
    static const char *const texts[] = {"ab\033[2J\302\2335\377", "xb\033[2J\302\2335\377",
                                        "xb\033[2J\302\2335\376", "xb\007[2J\302\2335\376"};

    (void)state;
    open_xterm();
    for (size_t i = 0; i < 4; i++) {
        size_t n;
        const char *bytes;

        row_init(&content, 80);
        row_add_shown(&content, ROW_PLAIN, "..........", 10);
        memcpy(content.bytes, texts[i], 10);
        screen_put(t.screen, 0, &content);
        bytes = screen_frame(t.screen, &n);
        if (i > 0)
            assert_true(n > 0 && n < 30);
        feed(bytes, n);
        assert_int_equal(cell_at(0, 2).chars[0], '?');
        assert_int_equal(cell_at(0, 6).chars[0], '?');
        assert_int_equal(cell_at(0, 8).chars[0], '?');
        assert_int_equal(t.bells, 0);
    }
}

static void the_bell_rings_once(void **state)
{
    (void)state;
    open_xterm();
    frame();
    screen_beep(t.screen);
    screen_beep(t.screen);
    frame();
    assert_int_equal(t.bells, 1);
    assert_int_equal(frame(), 0);
    assert_int_equal(t.bells, 1);
}

static void a_redraw_repairs_everything(void **state)
{
    (void)state;
    open_xterm();
    for (int row = 0; row < ROWS; row++)
        put_text(row, ROW_PLAIN, "what stands here");
    frame();
    feed_text("\033[5;5Hgarbage\033[2J\033[Hmore");
    screen_redraw(t.screen);
    frame();
    assert_int_equal(frame(), 0);
}

/* ---- bytes ---- */

/* What the rows above the last one hold does not matter. */
static size_t turn_spinner(int at, int step)
{
    char text[64];
    int place = step % 18 < 10 ? step % 18 : 18 - step % 18;

    snprintf(text, sizeof text, "%*s.......... waiting", at, "");
    text[at + place] = '|';
    put_text(ROWS - 2, ROW_PLAIN, text);
    return frame();
}

static void a_frame_of_the_spinner_is_at_most_14_bytes(void **state)
{
    (void)state;
    open_xterm();
    put_text(ROWS - 3, ROW_STRONG, "styled up to the edge of the screen, and a spinner below it");
    for (int column = 17; column <= 40; column++) {
        place_cursor(ROWS - 1, column);
        turn_spinner(0, 0);
        for (int step = 1; step < 19; step++)
            assert_in_range(turn_spinner(0, step), 1, 14);
    }
}

static void several_spinners_are_one_frame(void **state)
{
    (void)state;
    open_xterm();
    place_cursor(ROWS - 1, 30);
    for (int step = 0; step < 40; step++) {
        for (int row = 10; row < ROWS - 2; row++)
            put_text(row, ROW_PLAIN, step % 2 ? "\u280b spins" : "\u2819 spins");
        turn_spinner(1, step);
        if (step > 0)
            assert_true(t.logged < 14 * 14);
    }
}

/* What is drawn without ncurses is part of what it thinks is there. */
static void a_small_change_is_taken_back_by_a_large_one(void **state)
{
    (void)state;
    open_xterm();
    place_cursor(ROWS - 1, 30);
    turn_spinner(0, 0);
    turn_spinner(0, 1);
    put_text(3, ROW_STRONG, "another row");
    turn_spinner(0, 0);
}

static void characters_of_other_widths_are_no_small_change(void **state)
{
    static const char *const texts[] = {"ab\u280bcd|", "ab\u6f22cd|", "ab\u280bcd|", "e\u0301cde|",
                                        "e\u00e9cde|"};

    (void)state;
    open_xterm();
    for (size_t i = 0; i < COUNT(texts); i++) {
        put_text(5, ROW_PLAIN, texts[i]);
        frame();
    }
}

static void the_end_of_the_last_row_is_no_small_change(void **state)
{
    (void)state;
    open_terminal("tmux", 3, 10, true);
    put_text(2, ROW_PLAIN, "abcdefg\u6f22");
    frame();
    put_text(2, ROW_PLAIN, "abcdefg\u5b57");
    frame();
}

/* All of them are as wide on a terminal as they are here. */
static void every_spinner_turns_in_its_place(void **state)
{
    const struct spinner *spinner;
    char text[128];

    (void)state;
    open_xterm();
    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        for (uint64_t k = 0; k < 2 * spinner->count; k++) {
            snprintf(text, sizeof text, "%s %s", spinner_frame(spinner, k), spinner->name);
            put_text(ROWS - 2, ROW_PLAIN, text);
            frame();
        }
}

static void append_lines(const char *name)
{
    char text[128];

    open_terminal(name, ROWS, COLUMNS, true);
    place_cursor(ROWS - 1, 20);
    for (int line = 0; line < 60; line++) {
        for (int row = 0; row < 20; row++) {
            snprintf(text, sizeof text, "%-60d%010d", (line + row) * 7919, line + row);
            put_text(1 + row, ROW_PLAIN, text);
        }
        if (frame() > 150 && line > 0)
            fail_msg("%s: %zu bytes for a line of 70", name, t.logged);
    }
    close_terminal();
}

/* By margins, and by inserting and deleting lines. */
static void an_appended_line_scrolls_the_others(void **state)
{
    (void)state;
    append_lines("xterm-256color");
    append_lines("vt100");
    append_lines("ansi");
}

/* ---- anything ---- */

enum { NARROW = 6 }; /* so many of them are ASCII */

static const char *const pieces[] = {
    "a",      "b",          "the quick ", "  ", ".....",        "|",          "\u00e9",
    "\u6f22", "\U0001f600", "e\u0301",    "|",  "\u5b57\u0302", "brown fox ", "\u280b\u2819"};

/* libvterm puts a mark that belongs to the last column on the next row, when its character set is
 * ASCII, which sgr0 makes it: so there is none. */
static void random_row(uint32_t *seed, struct row *row)
{
    uint32_t count = kit_random(seed, 24);

    row_init(row, (size_t)t.columns - t.is_old);
    for (uint32_t i = 0; i < count; i++) {
        const char *piece = pieces[kit_random(seed, t.is_old ? NARROW : COUNT(pieces))];
        enum row_style style = kit_random(seed, 3) ? ROW_PLAIN : kit_random(seed, ROW_STYLES);

        if (!strpbrk(piece, "\314") || row->used + 3 < row->columns)
            row_add_shown(row, style, piece, strlen(piece));
    }
}

/* Puts a row again with a few of its ASCII characters replaced, as a spinner does. */
static void change_little(uint32_t *seed, int row)
{
    static struct row content;

    content = t.model[row];
    for (uint32_t i = kit_random(seed, 4); i > 0 && content.length > 0; i--) {
        uint32_t place = kit_random(seed, (uint32_t)content.length);

        if ((unsigned char)content.bytes[place] < 0x80)
            content.bytes[place] = (char)('A' + kit_random(seed, 26));
    }
    put(row, &content);
}

static void scroll(uint32_t *seed)
{
    static struct row content;
    int from = (int)kit_random(seed, (uint32_t)t.rows);

    for (int row = from; row + 1 < t.rows; row++) {
        content = t.model[row + 1];
        put(row, &content);
    }
    random_row(seed, &content);
    put(t.rows - 1, &content);
}

static void random_step(uint32_t *seed)
{
    static struct row content;
    int row = (int)kit_random(seed, (uint32_t)t.rows);
    uint32_t what = kit_random(seed, 100);

    random_row(seed, &content);
    if (what < 30)
        put(row, &content);
    else if (what < 60)
        change_little(seed, row);
    else if (what < 80)
        scroll(seed);
    else if (what < 90)
        place_cursor((int)kit_random(seed, (uint32_t)t.rows + 3) - 1,
                     (int)kit_random(seed, (uint32_t)t.columns));
    else if (what < 93)
        resize((int)kit_random(seed, 40) + 1, (int)kit_random(seed, 120) + 1);
    else if (what < 95)
        screen_redraw(t.screen);
    else if (what < 97)
        screen_beep(t.screen);
    else if (what < 98) {
        end();
        begin();
    }
}

static void random_frames(uint32_t seed, const char *name, int steps)
{
    open_terminal(name, ROWS, COLUMNS, true);
    for (int i = 0; i < steps; i++) {
        random_step(&seed);
        if (kit_random(&seed, 3))
            frame();
    }
    frame();
    close_terminal();
}

static void every_cell_is_right_after_anything(void **state)
{
    int steps = kit_is_instrumented() ? 300 : 1500;

    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++)
        random_frames(seed, "xterm-256color", steps);
}

static void other_terminals_are_right_too(void **state)
{
    static const char *const names[] = {"vt100", "linux", "screen", "tmux",
                                        "rxvt",  "xterm", "ansi"};
    int steps = kit_is_instrumented() ? 60 : 400;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        random_frames((uint32_t)i + 1, names[i], steps);
}

/* ---- sizes ---- */

static void fill(void)
{
    char text[MAX + 1];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int row = 0; row < t.rows; row++) {
        text[0] = (char)('a' + row % 26);
        put_text(row, row % 2 ? ROW_PLAIN : ROW_STRONG, text);
    }
}

static void any_size_and_back(void **state)
{
    static const int sizes[][2] = {{1, 1},  {24, 80}, {1, 80}, {24, 1},    {2, 2},
                                   {3, 10}, {1, 1},   {1, 2},  {200, 500}, {24, 80}};

    (void)state;
    open_xterm();
    for (size_t i = 0; i < COUNT(sizes); i++) {
        resize(sizes[i][0], sizes[i][1]);
        place_cursor(sizes[i][0] - 1, 0);
        frame();
        fill();
        frame();
        put_text(0, ROW_PLAIN, "y");
        frame();
    }
}

/* Scrolls all rows but the first and the last, which is done between margins. */
static const char *scroll_some(size_t *n)
{
    const char *bytes;

    for (int row = 1; row < t.rows - 2; row++)
        put(row, &t.model[row + 1]);
    put_text(t.rows - 2, ROW_PLAIN, "one more");
    bytes = screen_frame(t.screen, n);
    assert_non_null(bytes);
    return bytes;
}

/* The terminal has grown before it gets a frame, and that sets margins for the size of before. */
static void grow_under_a_frame(const char *name)
{
    const char *bytes;
    size_t n;

    open_terminal(name, 10, 40, true);
    fill();
    frame();
    bytes = scroll_some(&n);
    vterm_set_size(t.vterm, 20, 40);
    feed(bytes, n);
    assert_non_null(strstr(t.log, ";10r"));
}

static void expect_scrolling(void)
{
    for (int i = 0; i < t.rows; i++)
        feed_text("x\r\n");
    assert_int_equal(cursor().row, t.rows - 1);
    assert_int_equal(cell_at(t.rows - 2, 0).chars[0], 'x');
}

static void margins_do_not_outlast_their_size(void **state)
{
    static const char *const names[] = {"xterm-256color", "linux", "vt100"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        grow_under_a_frame(names[i]);
        resize(20, 40);
        fill();
        frame();
        expect_scrolling();
        close_terminal();
        grow_under_a_frame(names[i]);
        t.rows = 20;
        end();
        expect_scrolling();
        close_terminal();
    }
}

static void it_opens_at_any_size(void **state)
{
    static const int sizes[][2] = {{1, 1}, {1, 30}, {30, 1}, {2, 200}, {MAX, 3}, {3, MAX}};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        open_terminal("xterm-256color", sizes[i][0], sizes[i][1], true);
        fill();
        place_cursor(0, 0);
        frame();
        close_terminal();
    }
}

static void the_largest_size(void **state)
{
    (void)state;
    if (kit_is_instrumented())
        kit_skip("a million cells take too long here");
    open_terminal("xterm-256color", MAX, MAX, true);
    fill();
    assert_true(frame() > MAX * MAX / 2);
    put_text(MAX / 2, ROW_PLAIN, "x");
    assert_true(frame() < 100);
}

/* terminfo knows the size of the one and not of the other. */
static void the_environment_does_not_set_the_size(void **state)
{
    static const char *const names[] = {"xterm-256color", "linux"};

    (void)state;
    setenv("LINES", "30000", 1);
    setenv("COLUMNS", "30000", 1);
    for (size_t i = 0; i < COUNT(names); i++) {
        open_terminal(names[i], ROWS, COLUMNS, true);
        fill();
        frame();
        close_terminal();
    }
    unsetenv("LINES");
    unsetenv("COLUMNS");
}

/* ---- styles ---- */

static void styled(enum row_style style, VTermScreenCell *cell)
{
    put_text(0, style, "text");
    frame();
    *cell = cell_at(0, 0);
}

static bool looks_same(const VTermScreenCell *a, const VTermScreenCell *b)
{
    return a->attrs.bold == b->attrs.bold && a->attrs.reverse == b->attrs.reverse &&
           vterm_color_is_equal(&a->fg, &b->fg);
}

static void expect_colour(enum row_style style, int colour)
{
    VTermScreenCell cell;

    styled(style, &cell);
    assert_false(VTERM_COLOR_IS_DEFAULT_FG(&cell.fg));
    assert_true(VTERM_COLOR_IS_INDEXED(&cell.fg));
    assert_int_equal(cell.fg.indexed.idx, colour);
}

static void states_and_connections_have_colours(void **state)
{
    static const char *const names[] = {"xterm", "xterm-256color", "linux", "tmux"};
    VTermScreenCell channels[ROW_CHANNELS];

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        open_terminal(names[i], ROWS, COLUMNS, true);
        expect_colour(ROW_BAD, 1);
        expect_colour(ROW_GOOD, 2);
        expect_colour(ROW_BUSY, 3);
        for (int k = 0; k < ROW_CHANNELS; k++) {
            styled(ROW_CHANNEL + (enum row_style)k, &channels[k]);
            assert_false(VTERM_COLOR_IS_DEFAULT_FG(&channels[k].fg));
            for (int other = 0; other < k; other++)
                assert_false(looks_same(&channels[k], &channels[other]));
        }
        close_terminal();
    }
}

/* frame() itself looks at what is bold and reverse. */
static void expect_no_colour(const char *name, bool has_colour)
{
    VTermScreenCell cell;
    size_t n;

    open_terminal(name, ROWS, COLUMNS, has_colour);
    for (int style = 0; style < ROW_STYLES; style++) {
        styled((enum row_style)style, &cell);
        assert_true(VTERM_COLOR_IS_DEFAULT_FG(&cell.fg));
        assert_true(VTERM_COLOR_IS_DEFAULT_BG(&cell.bg));
        assert_null(strstr(t.log, "\033[3"));
    }
    end();
    assert_null(strstr(t.log, "\033[3"));
    assert_null(strstr(screen_rescue(t.screen, &n), "\033[3"));
    close_terminal();
}

static void without_colour_there_are_attributes(void **state)
{
    (void)state;
    expect_no_colour("xterm-256color", false);
    expect_no_colour("linux", false);
    expect_no_colour("vt100", true);
}

/* ---- from beginning to end ---- */

static char replies[64];

static void on_reply(const char *bytes, size_t n, void *owner)
{
    (void)owner;
    snprintf(replies, sizeof replies, "%.*s", (int)n, bytes);
}

/* The terminal says itself whether pasted text is marked. */
static bool is_paste_marked(void)
{
    replies[0] = '\0';
    vterm_output_set_callback(t.vterm, on_reply, NULL);
    vterm_keyboard_start_paste(t.vterm);
    return strcmp(replies, "\033[200~") == 0;
}

/* What is written now has no style, and nothing stops the cursor on its way to the last row. */
static void expect_restored(void)
{
    VTermScreenCell cell;

    assert_false(t.is_alternate);
    assert_false(t.is_hidden);
    assert_false(is_paste_marked());
    feed_text("\033[21;1H\n\n\n\rx");
    cell = cell_at(ROWS - 1, 0);
    assert_int_equal(cell.chars[0], 'x');
    check_style(&cell, ROW_PLAIN);
}

static void the_screen_of_before_is_given_back(void **state)
{
    (void)state;
    open_xterm();
    end();
    feed_text("\033[2J\033[5;7Hbefore");
    for (int round = 0; round < 3; round++) {
        VTermPos before = cursor();

        begin();
        assert_true(t.is_alternate);
        assert_true(is_paste_marked());
        fill();
        place_cursor(round ? -1 : 3, 4);
        frame();
        end();
        assert_int_equal(cell_at(4, 6).chars[0], 'b');
        assert_int_equal(cell_at(0, 0).chars[0], ' ');
        assert_int_equal(cursor().row, before.row);
        assert_int_equal(cursor().col, before.col);
    }
    expect_restored();
}

static void after_the_end_the_next_beginning_paints_all(void **state)
{
    (void)state;
    open_xterm();
    fill();
    place_cursor(-1, 0);
    frame();
    end();
    feed_text("\033[2J\033[31mshell");
    begin();
    assert_true(frame() > ROWS * (COLUMNS - 1));
    put_text(0, ROW_BAR, "bar");
    end();
    begin();
    frame();
}

static void one_screen_only_ends_below_everything(void **state)
{
    static const char *const names[] = {"vt100", "linux", "ansi"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        open_terminal(names[i], ROWS, COLUMNS, true);
        assert_null(strstr(t.log, "2004"));
        put_text(ROWS - 1, ROW_PLAIN, "the last row");
        place_cursor(3, 3);
        frame();
        end();
        assert_null(strstr(t.log, "2004"));
        assert_false(t.is_hidden);
        assert_int_equal(cursor().row, ROWS - 1);
        assert_int_equal(cursor().col, 0);
        assert_int_equal(cell_at(ROWS - 2, 4).chars[0], 'l');
        assert_int_equal(cell_at(ROWS - 1, 4).chars[0], ' ');
        close_terminal();
    }
}

/* A frame that scrolls, with styles, cut anywhere. */
static void rescue_at(size_t cut)
{
    size_t n;
    const char *bytes;

    open_xterm();
    fill();
    place_cursor(-1, 0);
    frame();
    for (int row = 1; row < ROWS - 3; row++)
        put(row, &t.model[row + 1]);
    put_text(ROWS - 3, ROW_CHANNEL, "\u6f22 new \u00e9");
    put_text(ROWS - 2, ROW_BAR, "reverse");
    bytes = screen_frame(t.screen, &n);
    assert_non_null(bytes);
    feed(bytes, cut < n ? cut : n);
    bytes = screen_rescue(t.screen, &n);
    assert_true(n > 0 && memchr(bytes, '\0', n) == NULL);
    feed(bytes, n);
    expect_restored();
    close_terminal();
}

static void the_rescue_is_good_in_the_middle_of_anything(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 80; cut++)
        rescue_at(cut);
    rescue_at(SIZE_MAX);
}

/* ---- what ncurses must not do ---- */

static void handler(int signo)
{
    (void)signo;
}

static void expect_handlers(void (*expected)(int))
{
    static const int signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    struct sigaction action;

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sigaction(signals[i], NULL, &action), 0);
        assert_ptr_equal(action.sa_handler, expected);
    }
}

static void handlers_of_signals_stay(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    void (*const handlers[])(int) = {SIG_DFL, handler};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 4; k++)
            signal(signals[k], handlers[i]);
        open_xterm();
        expect_handlers(handlers[i]);
        fill();
        frame();
        expect_handlers(handlers[i]);
        close_terminal();
        expect_handlers(handlers[i]);
    }
    for (size_t k = 0; k < 4; k++)
        signal(signals[k], SIG_DFL);
}

static void expect_impossible(const char *name, const char *expected)
{
    const char *why = NULL;

    if (name)
        setenv("TERM", name, 1);
    else
        unsetenv("TERM");
    assert_false(screen_is_possible(&why));
    assert_non_null(strstr(why, expected));
    errno = 0;
    assert_null(screen_open(ROWS, COLUMNS, true));
    assert_int_equal(errno, ENOTSUP);
}

static void some_terminals_cannot_show_it(void **state)
{
    const char *why = "";

    (void)state;
    expect_impossible(NULL, "not set");
    expect_impossible("", "not set");
    expect_impossible("no-such-terminal", "does not know");
    expect_impossible("dumb", "cannot move");
    setenv("TERM", "xterm-256color", 1);
    assert_true(screen_is_possible(&why));
    assert_null(why);
}

/* Frames go through the file in memory, which starts anew now and then. */
static void many_frames_need_no_more_memory(void **state)
{
    uint32_t seed = 1;
    size_t total = 0;

    (void)state;
    open_xterm();
    while (total < 3 << 20) {
        static struct row content;

        for (int row = 0; row < ROWS; row++) {
            random_row(&seed, &content);
            screen_put(t.screen, row, &content);
            t.model[row] = content;
        }
        if (total % 7)
            screen_redraw(t.screen);
        total += frame();
        forget_log();
    }
}

static struct rlimit limit_files(rlim_t bytes)
{
    struct rlimit before, now;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = (struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    return before;
}

/* What is cut off would be missing on the terminal for ever. */
static void files_may_have_a_limit(void **state)
{
    struct rlimit before = limit_files(64 * 1024);
    uint32_t seed = 1;
    size_t n;

    (void)state;
    open_xterm();
    for (int i = 0; i < 100; i++) {
        static struct row content;

        random_row(&seed, &content);
        put(i % ROWS, &content);
        screen_redraw(t.screen);
        frame();
    }
    limit_files(0);
    screen_redraw(t.screen);
    assert_null(screen_frame(t.screen, &n));
    assert_int_equal(errno, EFBIG);
    assert_null(screen_open(ROWS, COLUMNS, true));
    assert_int_equal(errno, EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void it_tells_the_keys_of_the_terminal(void **state)
{
    struct keys keys;
    bool has_up = false;

    (void)state;
    memset(&keys, 0, sizeof keys);
    open_xterm();
    screen_tell_keys(t.screen, &keys);
    for (size_t i = 0; i < keys.learnt_count; i++)
        has_up |= keys.learnt[i].key == KEYS_UP && keys.learnt[i].length == 3 &&
                  memcmp(keys.learnt[i].bytes, "\033OA", 3) == 0;
    assert_true(has_up);
    assert_true(keys.learnt_count > 20);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.model = calloc(MAX, sizeof *t.model);
    assert_non_null(t.model);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        kit_skip("this system has no locale C.UTF-8");
    return 0;
}

static int teardown(void **state)
{
    close_terminal();
    free(t.model);
    return kit_cleanup(state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_frame_shows_what_was_put),
        CASE(rows_outside_are_ignored),
        CASE(the_cursor_stands_where_it_is_put),
        CASE(wide_characters_and_marks_are_right),
        CASE(half_a_wide_character_is_not_shown),
        CASE(text_that_was_not_made_visible_is_not_obeyed),
        CASE(the_bell_rings_once),
        CASE(a_redraw_repairs_everything),
        CASE(a_frame_of_the_spinner_is_at_most_14_bytes),
        CASE(several_spinners_are_one_frame),
        CASE(a_small_change_is_taken_back_by_a_large_one),
        CASE(characters_of_other_widths_are_no_small_change),
        CASE(the_end_of_the_last_row_is_no_small_change),
        CASE(every_spinner_turns_in_its_place),
        CASE(an_appended_line_scrolls_the_others),
        CASE(every_cell_is_right_after_anything),
        CASE(other_terminals_are_right_too),
        CASE(any_size_and_back),
        CASE(margins_do_not_outlast_their_size),
        CASE(it_opens_at_any_size),
        CASE(the_largest_size),
        CASE(the_environment_does_not_set_the_size),
        CASE(states_and_connections_have_colours),
        CASE(without_colour_there_are_attributes),
        CASE(the_screen_of_before_is_given_back),
        CASE(after_the_end_the_next_beginning_paints_all),
        CASE(one_screen_only_ends_below_everything),
        CASE(the_rescue_is_good_in_the_middle_of_anything),
        CASE(handlers_of_signals_stay),
        CASE(some_terminals_cannot_show_it),
        CASE(many_frames_need_no_more_memory),
        CASE(files_may_have_a_limit),
        CASE(it_tells_the_keys_of_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
