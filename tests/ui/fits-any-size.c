/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen is right on a terminal of any size, while that changes and afterwards, and on any
 * kind of terminal: with few colours, with none, with one screen only. Where no screen can be drawn
 * there is the one-line form.
 *
 * Here nothing moves by itself (--no-animation), so what is seen can be compared with what a whole
 * repaint shows. A bell tells that all that was painted before it has come: two of them, since it
 * rings at the beginning of its frame.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "around.h"
#include "kit/random.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ROWS = 24, COLUMNS = 80, ROWS_MAX = 500, COLUMNS_MAX = 200, ROOM = 40, CELLS = 4 };

static const char ring[] = "\177"; /* there is nothing that could be deleted */

static struct {
    struct full full;
    int rows; /* of the terminal */
    int columns;
    bool has_inspector;
    int lines; /* that were sent one by one */
    char last[16];
} t;

/* ---- what is to be seen ---- */

/* Names are shortened where there is no room for them. */
static bool has_room(void)
{
    return t.columns >= ROOM;
}

/* What stands in the last row is the prompt, and the cursor behind it. */
static bool is_prompt_right(struct kit_terminal *terminal)
{
    const char *row = kit_row(terminal, t.rows - 1);
    int length = (int)strlen(row);
    int end = t.columns > 8 ? length + 1 : length; /* there is a space that is not told */
    int at, column;

    kit_cursor(terminal, &at, &column);
    if (length == 0 || row[length - 1] != '>' || at != t.rows - 1 || !kit_cursor_is_shown(terminal))
        return false;
    if (has_room() && strncmp(row, t.full.target, (size_t)length - 1) != 0)
        return false;
    return column == (end < t.columns ? end : t.columns - 1);
}

static bool is_bar(struct kit_terminal *terminal, int row)
{
    return kit_cell(terminal, row, 0).is_reverse &&
           kit_cell(terminal, row, t.columns - 1).is_reverse;
}

static bool begins(struct kit_terminal *terminal, int row, const char *text)
{
    int least = t.columns > 8 ? t.columns / 4 - 2 : 0;

    return strncmp(kit_row(terminal, row), text, has_room() ? strlen(text) : (size_t)least) == 0;
}

static bool is_title_right(struct kit_terminal *terminal)
{
    char title[64];

    if (t.rows < 4)
        return !is_bar(terminal, 0);
    snprintf(title, sizeof title, " %s | open | epoll", t.full.target);
    return is_bar(terminal, 0) && !is_bar(terminal, 1) && begins(terminal, 0, title);
}

static bool is_status_right(struct kit_terminal *terminal)
{
    char status[64];

    snprintf(status, sizeof status, "%s  open", t.full.target);
    return t.rows < 2 || begins(terminal, t.rows - 2, status);
}

/* The last row of the pane that shows something; the inspector leaves one. With two rows there is
 * no pane. */
static bool is_pane_right(struct kit_terminal *terminal)
{
    int row = t.rows - 3;

    if (row < 0 || *t.last == '\0')
        return true;
    while (row > 0 && (t.has_inspector ? strcmp(kit_row(terminal, row), t.last) != 0
                                       : *kit_row(terminal, row) == '\0'))
        row--;
    return strcmp(kit_row(terminal, row), t.last) == 0;
}

static bool is_right(struct kit_terminal *terminal, void *context)
{
    (void)context;
    return is_title_right(terminal) && is_pane_right(terminal) && is_status_right(terminal) &&
           is_prompt_right(terminal);
}

static void await_right(void)
{
    char what[64];

    snprintf(what, sizeof what, "the right screen of %d x %d", t.rows, t.columns);
    kit_await_looks(t.full.terminal, is_right, NULL, what);
}

/* ---- all of the screen ---- */

static bool has_rung(struct kit_terminal *terminal, void *count)
{
    return kit_bells(terminal) >= *(int *)count;
}

static void await_all(void)
{
    for (int i = 0; i < 2; i++) {
        int count = kit_bells(t.full.terminal) + 1;

        kit_press(t.full.terminal, ring);
        kit_await_looks(t.full.terminal, has_rung, &count, "a bell");
    }
}

/* The text of all rows, and how the first and the last cell of each is drawn. */
static char *take_picture(void)
{
    size_t size = ((size_t)t.columns * CELLS + 16) * (size_t)t.rows + 1;
    char *picture = malloc(size);
    size_t n = 0;

    assert_non_null(picture);
    *picture = '\0';
    for (int row = 0; row < t.rows; row++)
        n += (size_t)snprintf(picture + n, size - n, "%d|%s\n", is_bar(t.full.terminal, row),
                              kit_row(t.full.terminal, row));
    return picture;
}

/* Nothing is left of what stood there before: a repaint of everything changes nothing. The cursor
 * is where it belongs, and that is the end of a frame. */
static void expect_no_remains(void)
{
    char *before = take_picture();
    char *after;

    kit_press(t.full.terminal, KEY_CTRL('L'));
    await_all();
    after = take_picture();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* What the inspector shows is never the same twice. */
static void expect_right(void)
{
    await_right();
    if (!t.has_inspector)
        expect_no_remains();
    await_right();
}

/* ---- what is done ---- */

static void start(const char *option)
{
    const char *const options[] = {"--no-animation", option, NULL};

    memset(&t, 0, sizeof t);
    t.rows = ROWS;
    t.columns = COLUMNS;
    full_start(&t.full, ROWS, COLUMNS, options);
    await_right();
}

static void say_next(void)
{
    snprintf(t.last, sizeof t.last, "%d", t.lines++ % 10);
    full_say(&t.full, t.last);
}

static void toggle_inspector(void)
{
    kit_press(t.full.terminal, KEY_F4);
    t.has_inspector = !t.has_inspector;
}

/* A size that says nothing is taken for the usual one, which is made to be true. */
static void resize(int rows, int columns)
{
    if (rows == 0 || columns == 0) {
        kit_resize(t.full.terminal, ROWS, COLUMNS);
        kit_resize(t.full.terminal, rows, columns);
    } else {
        kit_resize(t.full.terminal, rows, columns);
    }
    t.rows = rows > 0 && columns > 0 ? rows : ROWS;
    t.columns = rows > 0 && columns > 0 ? columns : COLUMNS;
}

static void leave(void)
{
    full_type(&t.full, "/quit");
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
}

/* ---- sizes ---- */

static const struct {
    int rows;
    int columns;
} sizes[] = {
    {1, 1},   {24, 80}, {2, 1},    {1, 2},    {2, 2},   {3, 3},   {4, 4},  {1, 80},   {24, 1},
    {0, 0},   {25, 79}, {200, 80}, {24, 200}, {5, 20},  {4, 80},  {3, 80}, {500, 80}, {2, 200},
    {24, 81}, {23, 80}, {0, 80},   {40, 120}, {24, 8},  {24, 9},  {24, 0}, {8, 40},   {500, 200},
    {1, 1},   {0, 0},   {12, 30},  {13, 31},  {12, 30}, {60, 20}, {7, 10}, {24, 80},
};

static void each_size(void)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        resize(sizes[i].rows, sizes[i].columns);
        await_right();
        say_next();
        expect_right();
    }
}

static void from_one_cell_to_a_wall(void **state)
{
    (void)state;
    start(NULL);
    each_size();
    leave();
}

static void the_same_with_the_inspector(void **state)
{
    (void)state;
    start(NULL);
    toggle_inspector();
    kit_await_row(t.full.terminal, "inspector: ");
    each_size();
    toggle_inspector();
    kit_await_gone(t.full.terminal, "inspector: ");
    expect_right();
    leave();
}

/* All but the pane: in the last row some of the line that is typed. */
static bool is_around_right(struct kit_terminal *terminal, void *context)
{
    int row, column;

    (void)context;
    kit_cursor(terminal, &row, &column);
    return is_title_right(terminal) && is_status_right(terminal) && row == t.rows - 1 &&
           kit_cursor_is_shown(terminal);
}

/* The line that is typed stays, whether there is room for it or not. */
static void a_line_that_is_typed(void **state)
{
    static const char line[] = "a line that is longer than the narrow ones";

    (void)state;
    start(NULL);
    kit_press(t.full.terminal, line);
    full_await_input(&t.full, line);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        resize(sizes[i].rows, sizes[i].columns);
        kit_await_looks(t.full.terminal, is_around_right, NULL, "the parts around the pane");
    }
    full_await_input(&t.full, line);
    full_type(&t.full, "!");
    assert_string_equal(full_hear(&t.full), "a line that is longer than the narrow ones!");
    expect_right();
    leave();
}

static void random_size(uint32_t *seed)
{
    switch (kit_random(seed, 10)) {
    case 0:
        resize(0, 0);
        break;
    case 1:
        resize(1 + (int)kit_random(seed, ROWS_MAX), 1 + (int)kit_random(seed, COLUMNS_MAX));
        break;
    default:
        resize(1 + (int)kit_random(seed, 50), 1 + (int)kit_random(seed, 120));
    }
}

/* Some of the sizes are gone before anything is painted for them. */
static void resize_in_a_flood(uint32_t seed)
{
    flood_start(&t.full);
    for (int i = 1; i <= 100; i++) {
        random_size(&seed);
        *t.last = '\0';
        if (i % 10 == 0)
            await_right();
        else
            kit_watch(t.full.terminal, kit_random(&seed, 4) * CLOCK_MILLISECOND);
    }
    flood_stop();
    full_say(&t.full, "");
    say_next();
    expect_right();
}

static void a_hundred_sizes_in_a_flood(void **state)
{
    (void)state;
    start(NULL);
    resize_in_a_flood(1);
    resize(ROWS, COLUMNS);
    expect_right();
    leave();
}

static void a_hundred_sizes_with_the_inspector(void **state)
{
    (void)state;
    start(NULL);
    toggle_inspector();
    kit_await_row(t.full.terminal, "inspector: ");
    resize_in_a_flood(2);
    resize(ROWS, COLUMNS);
    kit_await_row(t.full.terminal, "inspector: ");
    expect_right();
    toggle_inspector();
    expect_right();
    leave();
}

static bool asks_at_the_bottom(struct kit_terminal *terminal, void *context)
{
    (void)context;
    return strstr(kit_row(terminal, 29), "Space makes one turn") != NULL;
}

static void while_the_loop_stands_still(void **state)
{
    const char *const options[] = {"--step", "--no-animation", NULL};
    struct termios before;

    (void)state;
    around_start(&t.full, options, &before);
    for (size_t i = 0; i < COUNT(sizes); i++)
        kit_resize(t.full.terminal, sizes[i].rows, sizes[i].columns);
    kit_resize(t.full.terminal, 30, 100);
    kit_await_looks(t.full.terminal, asks_at_the_bottom, NULL, "the question in the last row");
    kit_press(t.full.terminal, "q");
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
    around_expect_settings(t.full.terminal, &before);
}

/* ---- terminals ---- */

static bool has_terminfo(const char *name)
{
    return kit_has("infocmp") && kit_end(kit_run("infocmp", name, NULL)) == 0;
}

/* One that has no other screen ends below what it has shown. */
static void expect_restored(const struct termios *before, bool has_other_screen)
{
    int row, column;

    if (has_other_screen) {
        around_expect_all(t.full.terminal, before);
        return;
    }
    around_expect_settings(t.full.terminal, before);
    around_expect_told(t.full.terminal);
    kit_cursor(t.full.terminal, &row, &column);
    assert_int_equal(row, t.rows - 1);
    assert_int_equal(column, 0);
    assert_string_equal(kit_row(t.full.terminal, row), "");
}

static void work_on(const char *name, bool has_other_screen)
{
    const char *const options[] = {"--no-animation", NULL};
    struct termios before;

    if (!has_terminfo(name))
        kit_skip("terminfo does not know this terminal, or there is no infocmp");
    memset(&t, 0, sizeof t);
    kit_env("TERM", name);
    t.rows = AROUND_ROWS;
    t.columns = AROUND_COLUMNS;
    around_start(&t.full, options, &before);
    await_right();
    assert_int_equal(kit_is_other_screen(t.full.terminal), has_other_screen);
    for (int i = 0; i < 50; i++)
        say_next();
    kit_await_row(t.full.terminal, " | 50 lines | "); /* every tenth looks like the last */
    expect_right();
    full_type(&t.full, "words");
    assert_string_equal(full_hear(&t.full), "words");
    kit_press(t.full.terminal, KEY_PAGE_UP KEY_PAGE_DOWN);
    toggle_inspector();
    kit_await_row(t.full.terminal, "inspector: ");
    toggle_inspector();
    kit_await_gone(t.full.terminal, "inspector: ");
    resize(20, 60);
    say_next();
    expect_right();
    resize(AROUND_ROWS, AROUND_COLUMNS);
    expect_right();
    full_type(&t.full, "/quit");
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
    expect_restored(&before, has_other_screen);
}

static void on_xterm(void **state)
{
    (void)state;
    work_on("xterm", true);
}

static void on_xterm_256color(void **state)
{
    (void)state;
    work_on("xterm-256color", true);
}

static void on_tmux_256color(void **state)
{
    (void)state;
    work_on("tmux-256color", true);
}

static void on_screen(void **state)
{
    (void)state;
    work_on("screen", true);
}

static void on_linux(void **state)
{
    (void)state;
    work_on("linux", false);
}

static void on_vt100(void **state)
{
    (void)state;
    work_on("vt100", false);
}

/* Where no cursor can be moved: lines as they come, and not one escape sequence. */
static void be_plain(const char *name)
{
    kit_env("TERM", name);
    full_start(&t.full, ROWS, 1, NULL);
    kit_resize(t.full.terminal, ROWS, COLUMNS);
    full_say(&t.full, "a line");
    kit_await_row(t.full.terminal, "a line");
    close(t.full.server);
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
    assert_null(strchr(kit_raw(t.full.terminal, NULL), '\033'));
}

static void where_no_screen_can_be_drawn(void **state)
{
    static const char *const names[] = {"dumb", NULL, "", "no-such-terminal"};

    for (size_t i = 0; i < COUNT(names); i++) {
        be_plain(names[i]);
        around_cleanup(state);
    }
}

/* ---- colours ---- */

enum { CONNECTIONS = 6 };

static const char *const words[CONNECTIONS] = {"one", "two", "three", "four", "five", "six"};

/* Connects to the same server as often as there are colours, and has each connection say which it
 * is. */
static void start_many(const char *name)
{
    const char *argv[FULL_ARGS] = {"pollspin", "--no-animation"};
    int listener = kit_listen(&t.full.port);
    char line[32];

    kit_env("TERM", name);
    snprintf(t.full.target, sizeof t.full.target, "127.0.0.1:%u", t.full.port);
    for (int i = 0; i < CONNECTIONS; i++)
        argv[2 + i] = t.full.target;
    t.full.terminal = kit_terminal(AROUND_ROWS, AROUND_COLUMNS, argv);
    for (int i = 0; i < CONNECTIONS; i++) {
        t.full.server = kit_accept(listener);
        snprintf(line, sizeof line, "this is %s", words[i]);
        full_say(&t.full, line);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        kit_await_row(t.full.terminal, words[i]);
    close(listener);
}

/* How the name of connection INDEX is drawn in its status. */
static struct kit_cell status_cell(int index)
{
    int row = AROUND_ROWS - 1 - CONNECTIONS + index;
    const char *text = kit_row(t.full.terminal, row);
    const char *name = strstr(text, t.full.target);

    assert_non_null(name);
    return kit_cell(t.full.terminal, row, (int)(name - text));
}

static bool looks_same(const struct kit_cell *a, const struct kit_cell *b)
{
    return a->foreground == b->foreground && a->is_bold == b->is_bold;
}

static bool is_all_open(struct kit_terminal *terminal, void *context)
{
    (void)context;
    for (int i = 0; i < CONNECTIONS; i++)
        if (!strstr(kit_row(terminal, AROUND_ROWS - 1 - CONNECTIONS + i), "  open"))
            return false;
    return true;
}

/* Each connection has a colour of its own, in its status and at its lines. */
static void tell_apart(const char *name)
{
    struct kit_cell cells[CONNECTIONS];

    start_many(name);
    kit_await_looks(t.full.terminal, is_all_open, NULL, "six open connections");
    for (int i = 0; i < CONNECTIONS; i++) {
        int row = kit_await_row(t.full.terminal, words[i]);
        struct kit_cell label = kit_cell(t.full.terminal, row, 0);

        cells[i] = status_cell(i);
        assert_true(cells[i].is_coloured);
        assert_true(looks_same(&cells[i], &label));
        for (int j = 0; j < i; j++)
            assert_false(looks_same(&cells[i], &cells[j]));
    }
}

static void eight_colours_tell_connections_apart(void **state)
{
    (void)state;
    tell_apart("xterm");
}

static void many_colours_tell_connections_apart(void **state)
{
    (void)state;
    tell_apart("xterm-256color");
}

/* Everything that has a colour elsewhere is shown, and the end of the connections too. */
static void show_all(const char *name)
{
    start_many(name);
    kit_press(t.full.terminal, KEY_F4);
    kit_await_row(t.full.terminal, "inspector: ");
    full_type(&t.full, "/no-such-command");
    full_type(&t.full, "/connect 127.0.0.1:1");
    kit_await_row(t.full.terminal, "refused");
    assert_true(kit_cell(t.full.terminal, 0, 0).is_reverse);
    full_type(&t.full, "/quit");
    kit_terminal_end(t.full.terminal);
}

static void expect_no_colour(void)
{
    static struct around_told told;

    around_read(t.full.terminal, &told);
    assert_false(told.was_coloured);
    assert_true(told.was_styled);
}

static void no_colour_where_none_is_wanted(void **state)
{
    static const char *const names[] = {"xterm-256color", "xterm", "linux", "screen"};

    for (size_t i = 0; i < COUNT(names); i++) {
        kit_env("NO_COLOR", "1");
        show_all(names[i]);
        expect_no_colour();
        around_cleanup(state);
    }
}

static void no_colour_where_there_is_none(void **state)
{
    (void)state;
    show_all("vt100");
    expect_no_colour();
}

/* Else the two before would say nothing. */
static void colour_where_there_is_some(void **state)
{
    static struct around_told told;

    (void)state;
    show_all("xterm");
    around_read(t.full.terminal, &told);
    assert_true(told.was_coloured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(from_one_cell_to_a_wall, around_cleanup),
        cmocka_unit_test_teardown(the_same_with_the_inspector, around_cleanup),
        cmocka_unit_test_teardown(a_line_that_is_typed, around_cleanup),
        cmocka_unit_test_teardown(a_hundred_sizes_in_a_flood, around_cleanup),
        cmocka_unit_test_teardown(a_hundred_sizes_with_the_inspector, around_cleanup),
        cmocka_unit_test_teardown(while_the_loop_stands_still, around_cleanup),
        cmocka_unit_test_teardown(on_xterm, around_cleanup),
        cmocka_unit_test_teardown(on_xterm_256color, around_cleanup),
        cmocka_unit_test_teardown(on_tmux_256color, around_cleanup),
        cmocka_unit_test_teardown(on_screen, around_cleanup),
        cmocka_unit_test_teardown(on_linux, around_cleanup),
        cmocka_unit_test_teardown(on_vt100, around_cleanup),
        cmocka_unit_test_teardown(where_no_screen_can_be_drawn, around_cleanup),
        cmocka_unit_test_teardown(eight_colours_tell_connections_apart, around_cleanup),
        cmocka_unit_test_teardown(many_colours_tell_connections_apart, around_cleanup),
        cmocka_unit_test_teardown(no_colour_where_none_is_wanted, around_cleanup),
        cmocka_unit_test_teardown(no_colour_where_there_is_none, around_cleanup),
        cmocka_unit_test_teardown(colour_where_there_is_some, around_cleanup),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
