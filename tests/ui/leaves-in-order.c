/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the full screen ends, or does not: the exit status, the line on standard error that says
 * which end it was, and the last lines, which are then on the screen of before.
 *
 * Ctrl-C and Ctrl-D leave on an empty line only. Whether it is empty depends on the keys before
 * them, which may have come in the same read and not been worked on yet.
 */
#include "config.h"

#include <stdlib.h>

#include "person.h"

enum { ROWS = 24, COLUMNS = 80 };

static void start(struct full *full, const char *option)
{
    const char *const options[] = {option, NULL};

    full_start(full, ROWS, COLUMNS, options);
    full_await_input(full, "");
}

/* Standard error is this terminal: the line stands below what is left of the pane. Returns its
 * row. */
static int expect_said(const struct full *full, const char *text)
{
    char line[256];
    int row, column;

    snprintf(line, sizeof line, "pollspin: %s: %s", full->target, text);
    kit_cursor(full->terminal, &row, &column);
    assert_int_equal(column, 0);
    for (int i = row - 2; i < row; i++) /* one row or two */
        if (i >= 0 && strncmp(kit_row(full->terminal, i), line, strlen(line)) == 0)
            return i;
    fail_msg("'%s' is not above row %d", line, row);
    return -1;
}

static int expect_end(const struct full *full, int status, const char *text)
{
    assert_int_equal(kit_terminal_end(full->terminal), status);
    assert_false(kit_is_other_screen(full->terminal));
    return expect_said(full, text);
}

/* Who leaves knows why. */
static void expect_left(const struct full *full)
{
    assert_int_equal(kit_terminal_end(full->terminal), 0);
    assert_false(kit_is_other_screen(full->terminal));
    assert_int_equal(count_rows(full->terminal, ROWS, "pollspin:"), 0);
}

/* ---- the connection ends ---- */

static void closed_by_the_server(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    kit_send(full.server, "one\ntwo\n", 8);
    close(full.server);
    expect_end(&full, 0, "closed by the server after 2 lines, 8 bytes");
}

static void reset_by_the_server(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    say_and_see(&full, "one");
    kit_reset(full.server);
    expect_end(&full, 5, "connection reset by the server after 1 line, 4 bytes");
}

static void refused_at_once(void **state)
{
    struct full full;
    const char *const options[] = {full.target, NULL};

    (void)state;
    reserve(&full);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    expect_end(&full, 3, "cannot connect: ");
    kit_await_row(full.terminal, "Connection refused");
}

static void timed_out(void **state)
{
    struct full full = {.target = "time.example:7"};
    char option[64];
    const char *const options[] = {"--connect-timeout=0.3", option, full.target, NULL};
    uint16_t port;

    (void)state;
    kit_bind(SOCK_DGRAM, &port);
    snprintf(option, sizeof option, "--name-server=127.0.0.1:%u", port);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    kit_await_row(full.terminal, "looking up time.example");
    expect_end(&full, 4, "timed out after 0.3 s while looking up");
}

static void the_lines_asked_for_were_shown(void **state)
{
    struct full full;

    (void)state;
    start(&full, "--lines=2");
    kit_send(full.server, "one\ntwo\nthree\nfo", 16);
    expect_end(&full, 0, "2 lines shown");
    kit_await_row(full.terminal, "one");
    kit_await_row(full.terminal, "two");
    assert_int_equal(count_rows(full.terminal, ROWS, "three"), 0);
}

/* ---- the person leaves ---- */

static void ctrl_c_clears_the_line_first(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    kit_press(full.terminal, "half a line");
    full_await_input(&full, "half a line");
    kit_press(full.terminal, KEY_CTRL('C'));
    full_await_input(&full, "");
    type_and_hear(&full, "still there");
    kit_press(full.terminal, KEY_CTRL('C'));
    expect_left(&full);
}

static void ctrl_d_deletes_before_it_leaves(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    kit_press(full.terminal, "abXc" KEY_LEFT KEY_LEFT);
    kit_press(full.terminal, KEY_CTRL('D'));
    full_await_input(&full, "abc");
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "abc");
    kit_press(full.terminal, KEY_CTRL('D'));
    expect_left(&full);
}

static void keys_of_one_write_are_worked_on_in_order(void **state)
{
    static const struct {
        const char *keys;
        const char *heard;
    } writes[] = {
        {"abc\004\r", "abc"},         {"abc\033[D\004\r", "ab"},       {"abc\003def\r", "def"},
        {"abc\004\004\004\r", "abc"}, {"abc\003\020\025def\r", "def"}, {"a\r\025b\003c\004\r", "a"},
    };
    struct full full;

    (void)state;
    start(&full, NULL);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        kit_press(full.terminal, writes[i].keys);
        assert_string_equal(full_hear(&full), writes[i].heard);
    }
    assert_string_equal(full_hear(&full), "c");
    kit_press(full.terminal, "abc\003\003");
    expect_left(&full);
}

static void a_line_that_was_emptied_is_empty(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    kit_press(full.terminal, "ab\177\177\004");
    expect_left(&full);
}

static void quit_leaves(void **state)
{
    struct full full;
    char byte;

    (void)state;
    start(&full, NULL);
    kit_press(full.terminal, "the last word\r/quit\rignored\r");
    expect_left(&full);
    assert_string_equal(full_hear(&full), "the last word");
    assert_int_equal(kit_receive(full.server, &byte, 1), 0);
}

static void who_leaves_before_it_is_connected_leaves_with_0(void **state)
{
    struct full full = {.target = "time.example:7"};
    char option[64];
    const char *const options[] = {option, full.target, NULL};
    uint16_t port;

    (void)state;
    kit_bind(SOCK_DGRAM, &port);
    snprintf(option, sizeof option, "--name-server=127.0.0.1:%u", port);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    kit_await_row(full.terminal, "looking up time.example");
    kit_press(full.terminal, KEY_CTRL('D'));
    expect_left(&full);
}

/* ---- not yet ---- */

static void keep_stays_and_connects_again(void **state)
{
    struct full full;
    char command[64];
    int listener;

    (void)state;
    full.server = -1;
    listener = reserve(&full);
    assert_int_equal(listen(listener, 1), 0);
    full.terminal = start_alone(ROWS, COLUMNS, (const char *const[]){"--keep", full.target, NULL});
    full.server = kit_accept(listener);
    say_and_see(&full, "once");
    close(full.server);
    await_state(&full, "  ended");
    kit_await_row(full.terminal, ": closed by the server after 1 line, 5 bytes");
    ask(&full, "lost?", "Up brings the line back");
    snprintf(command, sizeof command, "/connect %s", full.target);
    full_type(&full, command);
    full.server = kit_accept(listener);
    await_state(&full, "  open");
    await_row_is(full.terminal, 1, "once"); /* there is still only one: no label */
    kit_press(full.terminal, KEY_UP KEY_UP KEY_ENTER);
    assert_string_equal(full_hear(&full), "lost?");
    say_and_see(&full, "twice");
    full_type(&full, "/quit");
    expect_left(&full);
}

struct countdown {
    double last;
    int falls; /* how often it was less than before */
    int rises; /* ... and more, since there was another try */
};

static bool counts_down(struct kit_terminal *terminal, void *context)
{
    static const char words[] = "trying again in ";
    struct countdown *countdown = context;
    const char *found = strstr(kit_row(terminal, ROWS - 2), words);
    double now = found ? strtod(found + strlen(words), NULL) : 0;

    if (found && now < countdown->last)
        countdown->falls++;
    if (found && now > countdown->last)
        countdown->rises++;
    countdown->last = now;
    return countdown->falls >= 3 && countdown->rises >= 3;
}

static void await_countdown(const struct full *full)
{
    struct countdown countdown = {0};

    kit_await_looks(full->terminal, counts_down, &countdown, "the seconds to be counted down");
}

static void reconnect_tries_until_there_is_a_server(void **state)
{
    struct full full;
    const char *const options[] = {"--reconnect", full.target, NULL};
    int listener;

    (void)state;
    listener = reserve(&full);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    await_countdown(&full);
    kit_await_row(full.terminal, "cannot connect");
    assert_int_equal(count_rows(full.terminal, ROWS, "cannot connect"), 1);
    ask(&full, "lost?", "Up brings the line back");
    assert_int_equal(listen(listener, 1), 0);
    full.server = kit_accept(listener);
    await_state(&full, "  open");
    kit_press(full.terminal, KEY_UP KEY_ENTER);
    assert_string_equal(full_hear(&full), "lost?");
    say_and_see(&full, "one");
    close(full.server);
    full.server = kit_accept(listener);
    kit_await_row(full.terminal, "closed by the server after 1");
    say_and_see(&full, "two");
    await_title(full.terminal, " | 2 lines | 8 bytes");
    full_type(&full, "/quit");
    expect_left(&full);
}

static void close_stops_trying(void **state)
{
    struct full full;
    const char *const options[] = {"--reconnect", full.target, NULL};

    (void)state;
    reserve(&full);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    kit_await_row(full.terminal, "trying again");
    ask(&full, "/close", "no connection; /connect TARGET makes one");
    kit_press(full.terminal, KEY_CTRL('D'));
    expect_left(&full);
}

/* ---- what is left on the screen of before ---- */

static void expect_rows(const struct full *full, int row, const char *const *rows)
{
    for (; *rows; rows++)
        assert_string_equal(kit_row(full->terminal, row++), *rows);
}

static void say_numbered_lines(const struct full *full, int count)
{
    char line[32];

    for (int i = 1; i <= count; i++) {
        snprintf(line, sizeof line, "line %d", i);
        full_say(full, line);
    }
}

static void the_last_lines_are_on_the_screen_of_before(void **state)
{
    static const char *const rows[] = {"line 28", "",       "caf\xc3\xa9 ^[[2J <U+202E>",
                                       "> typed", "no end", NULL};
    struct full full;
    int row;

    (void)state;
    start(&full, NULL);
    say_numbered_lines(&full, 28);
    full_say(&full, "");
    full_say(&full, "caf\xc3\xa9 \033[2J \xe2\x80\xae");
    kit_await_row(full.terminal, "<U+202E>");
    type_and_hear(&full, "typed");
    kit_await_row(full.terminal, "> typed");
    kit_send(full.server, "no end", 6);
    close(full.server);
    row = expect_end(&full, 0, "closed by the server after 30 lines, ");
    expect_rows(&full, row - 5, rows);
    for (int i = 1; i <= 15; i++) {
        char line[32];

        snprintf(line, sizeof line, "line %d", 28 - i);
        assert_string_equal(kit_row(full.terminal, row - 5 - i), line);
    }
}

static void so_they_are_when_the_person_leaves(void **state)
{
    struct full full;
    char line[200];
    int row, column;

    (void)state;
    start(&full, NULL);
    memset(line, 'x', 100);
    snprintf(line + 100, 2, "y");
    full_say(&full, line);
    kit_await_row(full.terminal, "xxxy");
    kit_send(full.server, "no end", 6);
    await_title(full.terminal, " | 108 bytes"); /* it has come, and is not shown yet */
    kit_press(full.terminal, KEY_CTRL('D'));
    expect_left(&full);
    kit_cursor(full.terminal, &row, &column);
    assert_int_equal(column, 0);
    assert_string_equal(kit_row(full.terminal, row - 1), "no end");
    assert_string_equal(kit_row(full.terminal, row - 2), line + 80);
    line[80] = '\0';
    assert_string_equal(kit_row(full.terminal, row - 3), line);
}

/* What stood below the window when the person had scrolled up is what came last. */
static void so_they_are_when_it_is_scrolled_back(void **state)
{
    struct full full;

    (void)state;
    start(&full, NULL);
    say_numbered_lines(&full, 60);
    kit_await_row(full.terminal, "line 60");
    kit_press(full.terminal, KEY_HOME);
    await_row_is(full.terminal, 1, "line 1");
    close(full.server);
    expect_end(&full, 0, "closed by the server after 60 lines, ");
    assert_int_equal(kit_await_row(full.terminal, "line 60") + 1,
                     kit_await_row(full.terminal, "pollspin: "));
}

/* It left the pane a few rows. */
static void so_they_are_when_the_inspector_was_open(void **state)
{
    struct full full;

    (void)state;
    start(&full, "--inspect");
    kit_await_row(full.terminal, "inspector: ");
    say_numbered_lines(&full, 28);
    kit_await_row(full.terminal, "line 28");
    assert_int_equal(count_rows(full.terminal, ROWS, "line 15"), 0);
    kit_press(full.terminal, KEY_CTRL('C'));
    expect_left(&full);
    kit_await_row(full.terminal, "line 15");
    kit_await_row(full.terminal, "line 28");
}

/* ---- typed ahead ---- */

/* The program takes the terminal and leaves what waits in it where it is. */
static void keys_from_before_the_start_are_kept(void **state)
{
    static const char script[] = "echo ready; read -r line; exec $TEST_WRAPPER \"$0\" \"$@\"";
    struct full full;
    const char *argv[] = {"sh", "-c", script, kit_program("pollspin"), full.target, NULL};
    int listener;

    (void)state;
    listener = kit_listen(&full.port);
    snprintf(full.target, sizeof full.target, "127.0.0.1:%u", full.port);
    full.terminal = kit_terminal(ROWS, COLUMNS, argv);
    kit_await_row(full.terminal, "ready");
    kit_press(full.terminal, "\nan early bird");
    full.server = kit_accept(listener);
    await_state(&full, "  open");
    full_await_input(&full, "an early bird");
    full_type(&full, "!");
    assert_string_equal(full_hear(&full), "an early bird!");
    full_type(&full, "/quit");
    expect_left(&full);
}

static void keys_from_before_the_connection_are_kept(void **state)
{
    struct full full;
    const char *const options[] = {"--reconnect", full.target, NULL};
    int listener;

    (void)state;
    listener = reserve(&full);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    kit_press(full.terminal, "typed ");
    kit_await_row(full.terminal, "trying again");
    kit_press(full.terminal, "meanwhile");
    full_await_input(&full, "typed meanwhile");
    assert_int_equal(listen(listener, 1), 0);
    full.server = kit_accept(listener);
    await_state(&full, "  open");
    full_await_input(&full, "typed meanwhile");
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "typed meanwhile");
    full_type(&full, "/quit");
    expect_left(&full);
}

#define test(name) cmocka_unit_test_teardown(name, kit_cleanup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(closed_by_the_server),
        test(reset_by_the_server),
        test(refused_at_once),
        test(timed_out),
        test(the_lines_asked_for_were_shown),
        test(ctrl_c_clears_the_line_first),
        test(ctrl_d_deletes_before_it_leaves),
        test(keys_of_one_write_are_worked_on_in_order),
        test(a_line_that_was_emptied_is_empty),
        test(quit_leaves),
        test(who_leaves_before_it_is_connected_leaves_with_0),
        test(keep_stays_and_connects_again),
        test(reconnect_tries_until_there_is_a_server),
        test(close_stops_trying),
        test(the_last_lines_are_on_the_screen_of_before),
        test(so_they_are_when_the_person_leaves),
        test(so_they_are_when_it_is_scrolled_back),
        test(so_they_are_when_the_inspector_was_open),
        test(keys_from_before_the_start_are_kept),
        test(keys_from_before_the_connection_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
