/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in the rows of the full screen while lines come: the pane with all that can be in a
 * line, the window on it that a person moves, and the title and status rows, which count.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "person.h"

enum { ROWS = 24, COLUMNS = 80, PANE_ROWS = ROWS - 3, BOTTOM = PANE_ROWS, PAGE = PANE_ROWS - 1 };

#define KEY_CTRL_HOME "\033[1;5H"
#define KEY_CTRL_END  "\033[1;5F"

static void start(struct full *full)
{
    full_start(full, ROWS, COLUMNS, NULL);
}

static void quit(const struct full *full)
{
    full_type(full, "/quit");
    assert_int_equal(kit_terminal_end(full->terminal), 0);
}

static const char *numbered(int i)
{
    static char line[32];

    snprintf(line, sizeof line, "line %d", i);
    return line;
}

static void say_numbered(const struct full *full, int first, int last)
{
    for (int i = first; i <= last; i++)
        full_say(full, numbered(i));
}

static void start_with_lines(struct full *full, int count)
{
    start(full);
    say_numbered(full, 1, count);
    kit_await_row(full->terminal, numbered(count));
}

/* Waits until the pane shows the numbered lines from FIRST on, and no others. */
static void expect_lines(const struct full *full, int first)
{
    for (int row = 1; row <= PANE_ROWS; row++)
        await_row_is(full->terminal, row, numbered(first + row - 1));
}

static void await_below(const struct full *full, int count, const char *what)
{
    char text[64];

    snprintf(text, sizeof text, " %d %s below", count, what);
    await_title(full->terminal, text);
}

static void expect_bottom(const struct full *full, int last)
{
    expect_lines(full, last - PANE_ROWS + 1);
    kit_await_gone(full->terminal, " below");
}

/* ---- moving the window ---- */

static void pages_turn(void **state)
{
    struct full full;

    (void)state;
    start_with_lines(&full, 100);
    expect_bottom(&full, 100);
    kit_press(full.terminal, KEY_PAGE_UP);
    expect_lines(&full, 100 - PANE_ROWS + 1 - PAGE);
    await_below(&full, PAGE, "lines");
    kit_press(full.terminal, KEY_PAGE_UP);
    await_below(&full, 2 * PAGE, "lines");
    kit_press(full.terminal, KEY_PAGE_DOWN);
    expect_lines(&full, 100 - PANE_ROWS + 1 - PAGE);
    await_below(&full, PAGE, "lines");
    kit_press(full.terminal, KEY_PAGE_DOWN);
    expect_bottom(&full, 100);
    for (int i = 0; i < 8; i++)
        kit_press(full.terminal, KEY_PAGE_UP);
    expect_lines(&full, 1);
    await_below(&full, 100 - PANE_ROWS, "lines");
    quit(&full);
}

static void home_and_end_go_all_the_way(void **state)
{
    struct full full;

    (void)state;
    start_with_lines(&full, 100);
    kit_press(full.terminal, KEY_HOME);
    expect_lines(&full, 1);
    kit_press(full.terminal, KEY_END);
    expect_bottom(&full, 100);
    kit_press(full.terminal, KEY_CTRL_HOME);
    expect_lines(&full, 1);
    kit_press(full.terminal, KEY_CTRL_END);
    expect_bottom(&full, 100);
    quit(&full);
}

struct place {
    int column;
};

static bool cursor_is_at(struct kit_terminal *terminal, void *context)
{
    const struct place *place = context;
    int row, column;

    kit_row(terminal, ROWS - 1);
    kit_cursor(terminal, &row, &column);
    return row == ROWS - 1 && column == place->column;
}

static void await_cursor(const struct full *full, size_t behind_prompt)
{
    struct place place = {(int)(strlen(full->target) + 2 + behind_prompt)};

    kit_await_looks(full->terminal, cursor_is_at, &place, "the cursor in its place");
}

/* While a line is typed they move in it, and with Ctrl they still move the window. */
static void home_and_end_belong_to_the_line_first(void **state)
{
    struct full full;

    (void)state;
    start_with_lines(&full, 100);
    kit_press(full.terminal, "typed");
    await_cursor(&full, 5);
    kit_press(full.terminal, KEY_HOME);
    await_cursor(&full, 0);
    kit_press(full.terminal, KEY_END);
    await_cursor(&full, 5);
    expect_bottom(&full, 100);
    kit_press(full.terminal, KEY_CTRL_HOME);
    expect_lines(&full, 1);
    await_cursor(&full, 5);
    kit_press(full.terminal, KEY_PAGE_DOWN);
    expect_lines(&full, 1 + PAGE);
    kit_press(full.terminal, KEY_CTRL_END);
    expect_bottom(&full, 100);
    full_await_input(&full, "typed");
    kit_press(full.terminal, KEY_CTRL('U'));
    full_await_input(&full, "");
    quit(&full);
}

static void the_window_stands_still_while_lines_come(void **state)
{
    struct full full;

    (void)state;
    start_with_lines(&full, 50);
    kit_press(full.terminal, KEY_PAGE_UP);
    expect_lines(&full, 50 - PANE_ROWS + 1 - PAGE);
    for (int i = 51; i <= 80; i++) {
        full_say(&full, numbered(i));
        await_below(&full, i - 50, i == 51 ? "new line" : "new lines");
    }
    expect_lines(&full, 50 - PANE_ROWS + 1 - PAGE);
    kit_press(full.terminal, KEY_END);
    expect_bottom(&full, 80);
    say_numbered(&full, 81, 81);
    expect_bottom(&full, 81);
    quit(&full);
}

/* Who sends a line wants to see what becomes of it. */
static void sending_a_line_goes_to_the_bottom(void **state)
{
    struct full full;

    (void)state;
    start_with_lines(&full, 50);
    kit_press(full.terminal, KEY_HOME);
    expect_lines(&full, 1);
    full_type(&full, "hello");
    await_row_is(full.terminal, BOTTOM, "> hello");
    quit(&full);
}

static void the_scrollback_keeps_as_many_as_it_was_told(void **state)
{
    static const char *const options[] = {"--scrollback=5", NULL};
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    say_numbered(&full, 1, 30);
    kit_await_row(full.terminal, numbered(30));
    for (int i = 0; i < 5; i++)
        await_row_is(full.terminal, 1 + i, numbered(26 + i));
    await_row_is(full.terminal, 6, "");
    kit_press(full.terminal, KEY_HOME);
    full_say(&full, numbered(31));
    await_row_is(full.terminal, 1, numbered(27));
    await_title(full.terminal, " | 31 lines | ");
    quit(&full);
}

/* ---- what is in a line ---- */

/* Says N times x and then REST, and expects the two rows. */
static void expect_edge(const struct full *full, int n, const char *rest, const char *first,
                        const char *second)
{
    char x[COLUMNS + 1];
    char line[256];

    full_type(full, "/clear");
    await_row_is(full->terminal, 1, "");
    memset(x, 'x', sizeof x);
    x[n] = '\0';
    snprintf(line, sizeof line, "%s%s", x, rest);
    full_say(full, line);
    snprintf(line, sizeof line, "%s%s", x, first);
    await_row_is(full->terminal, 2, second);
    await_row_is(full->terminal, 1, line);
}

#define KANJI  "\xe6\xbc\xa2"
#define EMOJI  "\xf0\x9f\x98\x80"
#define ACCENT "\xcc\x81"

static void characters_stay_whole_at_the_edge(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "to be cleared");
    expect_edge(&full, 79, "yz", "y", "z");
    expect_edge(&full, 80, "", "", "");
    expect_edge(&full, 78, KANJI "z", KANJI, "z");
    expect_edge(&full, 79, KANJI "z", "", KANJI "z");
    expect_edge(&full, 79, EMOJI "z", "", EMOJI "z");
    /* libvterm takes 16 characters at a time, and would lose a mark that is the first of them */
    expect_edge(&full, 77, KANJI "e" ACCENT "z", KANJI "e" ACCENT, "z");
    expect_edge(&full, 78, KANJI ACCENT "z", KANJI ACCENT, "z");
    expect_edge(&full, 78, "\033[", "^[", "[");
    expect_edge(&full, 79, "\001z", "^", "Az");
    quit(&full);
}

/* A sent line of many pieces, the first of which would end within a character. */
static void what_is_sent_keeps_its_characters(void **state)
{
    struct full full;
    char line[2 + 2 * 2050] = "x";

    (void)state;
    start(&full);
    while (strlen(line) < 2 * 2050)
        strcat(line, "\xc3\xa9");
    full_type(&full, line);
    assert_string_equal(full_hear(&full), line);
    await_row_is(full.terminal, BOTTOM, "\xc3\xa9\xc3\xa9\xc3\xa9"); /* of a piece of its own */
    for (int row = 1; row <= PANE_ROWS; row++)
        assert_null(strchr(kit_row(full.terminal, row), '<'));
    quit(&full);
}

static void long_lines_go_on_in_the_next_row(void **state)
{
    struct full full;
    char line[201];

    (void)state;
    start(&full);
    for (int i = 0; i < 200; i++)
        line[i] = (char)('a' + i % 26);
    line[200] = '\0';
    full_say(&full, line);
    full_say(&full, "the next");
    await_row_is(full.terminal, 4, "the next");
    await_row_is(full.terminal, 3, line + 160);
    line[160] = '\0';
    await_row_is(full.terminal, 2, line + 80);
    line[80] = '\0';
    await_row_is(full.terminal, 1, line);
    quit(&full);
}

static void tabs_go_to_their_stops(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    full_say(&full, "a\tb\t\tc");
    full_say(&full, "\tindented\t!");
    full_say(&full, "a CR at the end\r");
    await_row_is(full.terminal, 1, "a       b               c");
    await_row_is(full.terminal, 2, "        indented        !");
    await_row_is(full.terminal, 3, "a CR at the end");
    quit(&full);
}

/* It stands for 200 ms first: most lines that come in two reads are complete by then. */
static void an_unfinished_line_is_completed_in_place(void **state)
{
    struct full full;
    int64_t sent;

    (void)state;
    start(&full);
    say_and_see(&full, "before");
    sent = clock_now();
    kit_send(full.server, "half a", 6);
    await_row_is(full.terminal, 2, "half a");
    assert_true(clock_now() - sent >= 200 * CLOCK_MILLISECOND);
    await_title(full.terminal, " | 1 line | 13 bytes");
    kit_send(full.server, " line", 5);
    await_row_is(full.terminal, 2, "half a line");
    kit_send(full.server, "!\nnext\n", 7);
    await_row_is(full.terminal, 3, "next");
    await_row_is(full.terminal, 2, "half a line!");
    await_title(full.terminal, " | 3 lines | 25 bytes");
    quit(&full);
}

/* What is sent and what is told while a line is unfinished stands above it. */
static void an_unfinished_line_stays_below(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    kit_send(full.server, "Password: ", 10);
    await_row_is(full.terminal, 1, "Password:");
    full_type(&full, "/log");
    await_row_is(full.terminal, 2, "Password:");
    type_and_hear(&full, "secret");
    await_row_is(full.terminal, 2, "> secret");
    await_row_is(full.terminal, 3, "Password:");
    quit(&full);
}

/* Whether ROW is HH:MM:SS and REST. */
static void expect_stamped(const struct full *full, int row, const char *rest)
{
    char copy[256];

    await_row_at(full->terminal, row, rest);
    snprintf(copy, sizeof copy, "%s", kit_row(full->terminal, row));
    for (int i = 0; i < 8; i++)
        assert_true(i % 3 == 2 ? copy[i] == ':' : isdigit((unsigned char)copy[i]));
    assert_string_equal(copy + 8, rest);
}

static void time_and_label_stand_before_the_line(void **state)
{
    static const char *const options[] = {"--timestamps", NULL};
    struct full full, other;
    char rest[128];

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    full_say(&full, "one");
    expect_stamped(&full, 1, " one");
    connect_other(&full, &other);
    snprintf(rest, sizeof rest, " %s one", full.target);
    expect_stamped(&full, 1, rest);
    full_say(&other, "a\ttab");
    snprintf(rest, sizeof rest, " %s a       tab", other.target);
    expect_stamped(&full, 2, rest);
    type_and_hear(&other, "sent");
    snprintf(rest, sizeof rest, " %s > sent", other.target);
    expect_stamped(&full, 3, rest);
    ask(&full, "/log", "-- /log FILE");
    expect_stamped(&full, 4, " -- /log FILE keeps what is received in a file");
    quit(&full);
}

/* ---- title and status ---- */

/* Returns the number of seconds behind WORDS in a row, or -1. */
static long seconds_in(struct kit_terminal *terminal, int row, const char *words)
{
    const char *found = strstr(kit_row(terminal, row), words);

    return found ? strtol(found + strlen(words), NULL, 10) : -1;
}

struct ageing {
    const struct full *full;
    int row;
    const char *words;
    long least, most; /* seconds */
};

static bool has_age(struct kit_terminal *terminal, void *context)
{
    const struct ageing *ageing = context;
    long seconds = seconds_in(terminal, ageing->row, ageing->words);

    return seconds >= ageing->least && seconds <= ageing->most;
}

static bool has_age_with_news(struct kit_terminal *terminal, void *context)
{
    const struct ageing *ageing = context;

    kit_send(ageing->full->server, "x", 1);
    return has_age(terminal, context);
}

static void the_title_counts(void **state)
{
    static const char *const options[] = {"--keep", "--backend=poll", NULL};
    struct full full;
    struct ageing ageing = {&full, 0, " | 00:00:", 0, 58};
    char title[128];

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    snprintf(title, sizeof title, " %s | open | poll | 00:00:", full.target);
    await_title(full.terminal, title);
    await_title(full.terminal, " | 0 lines | 0 bytes");
    full_say(&full, "");
    await_title(full.terminal, " | 1 line | 1 byte");
    full_say(&full, "two");
    await_title(full.terminal, " | 2 lines | 5 bytes");
    ageing.least = seconds_in(full.terminal, 0, ageing.words) + 1;
    kit_await_looks(full.terminal, has_age, &ageing, "a later time");
    close(full.server);
    snprintf(title, sizeof title, " %s | ended | poll | 2 lines | 5 bytes", full.target);
    await_row_is(full.terminal, 0, title);
    assert_true(kit_cell(full.terminal, 0, 0).is_reverse);
    assert_true(kit_cell(full.terminal, 0, COLUMNS - 1).is_reverse);
    quit(&full);
}

/* Half a number would be a wrong one. */
static void the_title_leaves_out_what_has_no_room(void **state)
{
    struct full full;
    char row[128];

    (void)state;
    full_start(&full, ROWS, 60, NULL);
    await_title(full.terminal, " | 0 lines");
    assert_null(strstr(kit_row(full.terminal, 0), " | 0 b"));
    say_numbered(&full, 1, 50);
    kit_await_row(full.terminal, numbered(50));
    kit_press(full.terminal, KEY_PAGE_UP);
    await_below(&full, PAGE, "lines");
    snprintf(row, sizeof row, " %s | open | epoll     ", full.target);
    assert_memory_equal(kit_row(full.terminal, 0), row, strlen(row) - 4);
    quit(&full);
}

static void the_status_row_tells_how_long_it_is_silent(void **state)
{
    struct full full;
    struct ageing ageing = {&full, ROWS - 2, "  open, last received ", 0, 58};

    (void)state;
    start(&full);
    await_state(&full, "  open, nothing received yet");
    full_say(&full, "a line");
    kit_await_looks(full.terminal, has_age, &ageing, "its age");
    await_row_at(full.terminal, ageing.row, " s ago");
    ageing.least = seconds_in(full.terminal, ageing.row, ageing.words) + 1;
    kit_await_looks(full.terminal, has_age, &ageing, "a later age");
    ageing.most = seconds_in(full.terminal, ageing.row, ageing.words) - 1;
    ageing.least = 0;
    kit_await_looks(full.terminal, has_age_with_news, &ageing, "the age of what came");
    quit(&full);
}

/* ---- without animation ---- */

static void await_silence(struct kit_terminal *terminal, int64_t ns)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    size_t before, now;

    kit_raw(terminal, &now);
    do {
        assert_true(clock_now() < deadline);
        before = now;
        kit_watch(terminal, ns);
        kit_raw(terminal, &now);
    } while (now != before);
}

static void nothing_moves_without_animation(void **state)
{
    static const char *const options[] = {"--no-animation", NULL};
    struct full full;
    char row[128];

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    snprintf(row, sizeof row, "%s  open", full.target);
    await_row_is(full.terminal, ROWS - 2, row);
    say_and_see(&full, "a line");
    snprintf(row, sizeof row, " %s | open | epoll | 1 line | 7 bytes", full.target);
    await_row_is(full.terminal, 0, row);
    await_silence(full.terminal, 2500 * CLOCK_MILLISECOND);
    say_and_see(&full, "another");
    type_and_hear(&full, "and back");
    quit(&full);
}

/* Types lines until the kernel takes no more of them. */
static void type_until_queued(const struct full *full)
{
    char line[4000];
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    memset(line, 'x', sizeof line);
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\0';
    while (count_rows(full->terminal, ROWS, " bytes to send") == 0) {
        assert_true(clock_now() < deadline);
        kit_press(full->terminal, line);
        kit_watch(full->terminal, CLOCK_MILLISECOND);
    }
}

/* What is read out must be true, also where nothing else changes. */
static void a_queue_that_has_gone_is_shown_no_more(void **state)
{
    char target[100] = "unix:";
    const char *const argv[] = {"pollspin", "--no-animation", target, NULL};
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct full full;
    char bytes[65536];

    (void)state;
    snprintf(strchr(target, '\0'), 90, "%s/socket", kit_folder()); /* has a short queue */
    full.server = kit_listen_unix(strchr(target, '/'));
    full.terminal = kit_terminal(ROWS, COLUMNS, argv);
    full.server = kit_accept(full.server);
    type_until_queued(&full);
    await_silence(full.terminal, 1500 * CLOCK_MILLISECOND); /* no other change is still to come */
    while (count_rows(full.terminal, ROWS, " bytes to send") > 0) {
        assert_true(clock_now() < deadline);
        while (recv(full.server, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            continue;
        kit_watch(full.terminal, 10 * CLOCK_MILLISECOND);
    }
    quit(&full);
}

static void nothing_moves_while_it_waits_to_try_again(void **state)
{
    struct full full;
    const char *const options[] = {"--no-animation", "--reconnect", full.target, NULL};
    char row[128];

    (void)state;
    reserve(&full);
    full.terminal = start_alone(ROWS, COLUMNS, options);
    snprintf(row, sizeof row, "%s  trying again", full.target);
    await_row_is(full.terminal, ROWS - 2, row);
    quit(&full);
}

/* ---- other terminals ---- */

static void show_the_basics(const char *name)
{
    struct full full;
    char said[64];
    int row, column;

    kit_env("TERM", name);
    start_with_lines(&full, 100);
    expect_bottom(&full, 100);
    kit_press(full.terminal, KEY_PAGE_UP);
    expect_lines(&full, 100 - PANE_ROWS + 1 - PAGE);
    kit_press(full.terminal, KEY_END);
    expect_bottom(&full, 100);
    full_say(&full, "caf\xc3\xa9 " KANJI);
    await_row_is(full.terminal, BOTTOM, "caf\xc3\xa9 " KANJI);
    kit_press(full.terminal, "ab" KEY_LEFT "c");
    full_await_input(&full, "acb");
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "acb");
    await_row_is(full.terminal, BOTTOM, "> acb");
    close(full.server);
    assert_int_equal(kit_terminal_end(full.terminal), 0);
    snprintf(said, sizeof said, "pollspin: %s: closed", full.target);
    kit_await_row(full.terminal, said);
    kit_cursor(full.terminal, &row, &column);
    assert_int_equal(column, 0);
}

static void terminal_linux(void **state)
{
    (void)state;
    show_the_basics("linux");
}

static void terminal_vt100(void **state)
{
    (void)state;
    show_the_basics("vt100");
}

static void terminal_screen(void **state)
{
    (void)state;
    show_the_basics("screen");
}

static void terminal_tmux(void **state)
{
    (void)state;
    show_the_basics("tmux-256color");
}

static void terminal_xterm(void **state)
{
    (void)state;
    show_the_basics("xterm");
}

#define test(name) cmocka_unit_test_teardown(name, kit_cleanup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(pages_turn),
        test(home_and_end_go_all_the_way),
        test(home_and_end_belong_to_the_line_first),
        test(the_window_stands_still_while_lines_come),
        test(sending_a_line_goes_to_the_bottom),
        test(the_scrollback_keeps_as_many_as_it_was_told),
        test(characters_stay_whole_at_the_edge),
        test(what_is_sent_keeps_its_characters),
        test(long_lines_go_on_in_the_next_row),
        test(tabs_go_to_their_stops),
        test(an_unfinished_line_is_completed_in_place),
        test(an_unfinished_line_stays_below),
        test(time_and_label_stand_before_the_line),
        test(the_title_counts),
        test(the_title_leaves_out_what_has_no_room),
        test(the_status_row_tells_how_long_it_is_silent),
        test(nothing_moves_without_animation),
        test(a_queue_that_has_gone_is_shown_no_more),
        test(nothing_moves_while_it_waits_to_try_again),
        test(terminal_linux),
        test(terminal_vt100),
        test(terminal_screen),
        test(terminal_tmux),
        test(terminal_xterm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
