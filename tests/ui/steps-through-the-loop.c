/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step mode: the loop stands before each wait, tells what it is about to ask, and makes exactly one
 * turn for each Space, which the file of --inspect counts. What comes while it stands is not lost.
 */
#include "config.h"

#include "around.h"
#include "base/clock.h"
#include "calls.h"

enum { ROWS = 24, COLUMNS = 80, STEPS = 10 };

#define STEP_KEYS "Space makes one turn, c goes on"

/* Long enough for several frames and lines of a loop that does not stand still. */
static const int64_t a_while_ns = 300 * CLOCK_MILLISECOND;

static struct shown shown;

/* ---- what is waited for ---- */

/* What the loop is about to ask, in the sentences. */
static bool has_words(struct kit_terminal *terminal, void *words)
{
    shown_read(&shown, terminal, ROWS);
    return strstr(shown.words, words) != NULL;
}

static void await_words(const struct full *full, const char *words)
{
    char copy[256];

    snprintf(copy, sizeof copy, "%s", words);
    kit_await_looks(full->terminal, has_words, copy, words);
}

struct turns {
    struct calls *calls;
    size_t waits;
};

static bool has_waits(struct kit_terminal *terminal, void *context)
{
    const struct turns *turns = context;

    (void)terminal;
    return calls_waits(turns->calls) >= turns->waits;
}

/* Waits for as many waits in the file, and fails where there are more a while later. */
static void expect_waits(const struct full *full, struct calls *calls, size_t waits)
{
    struct turns turns = {.calls = calls, .waits = waits};

    kit_await_looks(full->terminal, has_waits, &turns, "a wait in the file");
    kit_watch(full->terminal, a_while_ns);
    assert_int_equal(calls_waits(calls), waits);
}

/* Starts it and stops the loop; returns how many waits there were. */
static size_t start(struct full *full, struct calls *calls)
{
    const char *options[] = {NULL, NULL};

    calls_name(calls);
    options[0] = calls->option;
    full_start(full, ROWS, COLUMNS, options);
    kit_press(full->terminal, KEY_F5);
    kit_await_row(full->terminal, STEP_KEYS);
    await_words(full, "About to ");
    return calls_waits(calls);
}

static void leave(const struct full *full, struct calls *calls)
{
    kit_press(full->terminal, "q");
    assert_int_equal(kit_terminal_end(full->terminal), 0);
    calls_free(calls);
}

/* ---- standing ---- */

static void expect_question(const struct full *full)
{
    double limit_ms;
    const char *limit = strstr(shown.words, "It is to wait at most ");

    assert_non_null(strstr(shown.words, "3 descriptors"));
    assert_non_null(strstr(shown.words, "signals"));
    assert_non_null(strstr(shown.words, "terminal"));
    assert_non_null(strstr(shown.words, full->target));
    assert_non_null(strstr(shown.words, "readable?"));
    assert_non_null(limit);
    assert_int_equal(sscanf(limit, "It is to wait at most %lf ms", &limit_ms), 1);
    assert_true(limit_ms > 0 && limit_ms <= 50);
}

/* Not even the spinner moves. */
static void the_loop_stands_still(void **state)
{
    struct full full;
    struct calls calls;
    size_t waits, before, after;

    (void)state;
    waits = start(&full, &calls);
    full_say(&full, "sent while it stands");
    kit_watch(full.terminal, a_while_ns); /* the frame may not be over */
    kit_raw(full.terminal, &before);
    kit_watch(full.terminal, a_while_ns);
    kit_raw(full.terminal, &after);
    assert_int_equal(after, before);
    assert_int_equal(calls_waits(&calls), waits);
    shown_read(&shown, full.terminal, ROWS);
    print_message("%s\n", shown.words);
    expect_question(&full);
    leave(&full, &calls);
}

/* Makes turns until the connection stands. */
static void step_until_open(const struct full *full)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (shown_row(full->terminal, ROWS, "  open") < 0) {
        assert_true(clock_now() < deadline);
        kit_press(full->terminal, " ");
        kit_watch(full->terminal, 20 * CLOCK_MILLISECOND);
    }
}

/* The connection is not even begun before the first turns. */
static void it_can_begin_so(void **state)
{
    struct full full;
    int listener = kit_listen(&full.port);
    const char *const argv[] = {"pollspin", "--step", kit_target(full.port), NULL};

    (void)state;
    full.terminal = kit_terminal(ROWS, COLUMNS, argv);
    await_words(&full, "About to wait with ");
    kit_await_row(full.terminal, STEP_KEYS);
    kit_await_row(full.terminal, "  connecting to ");
    step_until_open(&full);
    full.server = kit_accept(listener);
    kit_press(full.terminal, "c");
    kit_await_gone(full.terminal, STEP_KEYS);
    kit_press(full.terminal, KEY_CTRL('d'));
    assert_int_equal(kit_terminal_end(full.terminal), 0);
}

/* ---- turns ---- */

static void a_space_makes_one_turn(void **state)
{
    struct full full;
    struct calls calls;
    size_t waits;

    (void)state;
    waits = start(&full, &calls);
    for (size_t i = 1; i <= 3; i++) {
        kit_press(full.terminal, " ");
        expect_waits(&full, &calls, waits + i);
        await_words(&full, "About to call epoll_wait");
    }
    full_say(&full, "a line of twenty-five by");
    kit_press(full.terminal, " ");
    await_words(&full, "read 25 bytes from 127.0.0.1:");
    expect_waits(&full, &calls, waits + 4);
    shown_read(&shown, full.terminal, ROWS); /* what was awaited may have been half a frame */
    assert_non_null(strstr(shown.words, "1 was ready"));
    assert_non_null(strstr(shown.words, "(tcp 127.0.0.1:"));
    kit_await_row(full.terminal, "a line of twenty-five by");
    leave(&full, &calls);
}

/* Also those that come while a turn is being made. */
static void as_many_turns_as_spaces(void **state)
{
    struct full full;
    struct calls calls;
    size_t waits;

    (void)state;
    waits = start(&full, &calls);
    kit_press(full.terminal, "          ");
    expect_waits(&full, &calls, waits + STEPS);
    for (int i = 0; i < STEPS; i++) {
        kit_press(full.terminal, " ");
        kit_watch(full.terminal, 7 * CLOCK_MILLISECOND);
    }
    expect_waits(&full, &calls, waits + 2 * STEPS);
    kit_press(full.terminal, "\rs" KEY_F5);
    expect_waits(&full, &calls, waits + 2 * STEPS + 3);
    kit_press(full.terminal, "c");
    kit_await_gone(full.terminal, STEP_KEYS);
    full_await_input(&full, ""); /* no Space went there */
    kit_press(full.terminal, KEY_CTRL('c'));
    assert_int_equal(kit_terminal_end(full.terminal), 0);
    calls_free(&calls);
}

static void what_came_back_is_told(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls);
    await_words(&full, "read 5 bytes from the terminal"); /* F5 */
    kit_press(full.terminal, " ");
    await_words(&full, "the time limit was over");
    kit_press(full.terminal, " ");
    await_words(&full, "turned the spinner");
    leave(&full, &calls);
}

/* What the loop did by itself in between was no step. */
static void a_second_beginning_tells_of_one_wait(void **state)
{
    struct full full;
    struct calls calls;
    struct turns turns = {.calls = &calls};

    (void)state;
    turns.waits = start(&full, &calls) + STEPS;
    kit_press(full.terminal, "c");
    kit_await_looks(full.terminal, has_waits, &turns, "waits without steps");
    kit_press(full.terminal, KEY_F5);
    await_words(&full, "About to ");
    await_words(&full, "It came back");
    assert_null(strstr(shown.words, "was called"));
    leave(&full, &calls);
}

/* ---- nothing is lost ---- */

static void what_comes_meanwhile_is_shown_later(void **state)
{
    enum { LINES = 300 };
    struct full full;
    struct calls calls;
    char line[64];

    (void)state;
    start(&full, &calls);
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%d of many lines that nobody reads", i);
        full_say(&full, line);
    }
    kit_press(full.terminal, "chello\r");
    snprintf(line, sizeof line, "%d of many lines", LINES - 1);
    kit_await_row(full.terminal, line);
    kit_await_row(full.terminal, "| 300 lines |");
    assert_string_equal(full_hear(&full), "hello");
    kit_press(full.terminal, "half" KEY_F5);
    kit_await_row(full.terminal, STEP_KEYS);
    kit_press(full.terminal, "\033[200~ pasted\033[201~");
    kit_press(full.terminal, "c\r");
    assert_string_equal(full_hear(&full), "half pasted");
    calls_free(&calls);
}

static void the_end_of_the_connection_is_found(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls);
    full_say(&full, "the last line");
    close(full.server);
    kit_press(full.terminal, "          ");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
    kit_await_row(full.terminal, "the last line"); /* on the screen of before */
    assert_false(kit_is_other_screen(full.terminal));
    calls_free(&calls);
}

/* ---- choosing ---- */

static bool has_choice(struct kit_terminal *terminal, void *context)
{
    int *row = context;

    shown_read(&shown, terminal, ROWS);
    return shown.marked >= 0 && shown.first + shown.marked < *row;
}

static bool has_no_choice(struct kit_terminal *terminal, void *context)
{
    (void)context;
    shown_read(&shown, terminal, ROWS);
    return shown.count > 0 && shown.marked < 0;
}

static void a_call_is_explained_meanwhile(void **state)
{
    struct full full;
    struct calls calls;
    size_t waits;
    int row = ROWS;

    (void)state;
    waits = start(&full, &calls);
    kit_press(full.terminal, KEY_UP);
    await_words(&full, "epoll_wait asked the epoll instance");
    kit_await_looks(full.terminal, has_choice, &row, "a chosen call");
    row = shown.first + shown.marked;
    kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, has_choice, &row, "the call above it");
    kit_press(full.terminal, KEY_ESC); /* first it lets go ... */
    kit_await_looks(full.terminal, has_no_choice, NULL, "no chosen call");
    kit_await_row(full.terminal, STEP_KEYS);
    expect_waits(&full, &calls, waits);
    kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, has_choice, &(int){ROWS}, "a chosen call");
    kit_press(full.terminal, " ");
    kit_await_looks(full.terminal, has_no_choice, NULL, "no chosen call after a turn");
    kit_press(full.terminal, KEY_ESC); /* ... then it ends step mode */
    kit_await_gone(full.terminal, STEP_KEYS);
    calls_free(&calls);
}

/* ---- the rest of the world ---- */

static bool is_in_last_row(struct kit_terminal *terminal, void *context)
{
    const int *rows = context;

    return strstr(kit_row(terminal, *rows - 1), STEP_KEYS) != NULL;
}

static void the_size_may_change(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls);
    kit_resize(full.terminal, 40, 100);
    kit_await_looks(full.terminal, is_in_last_row, &(int){40}, "keys in row 40");
    kit_resize(full.terminal, 1, 1);
    kit_resize(full.terminal, ROWS, COLUMNS);
    kit_await_looks(full.terminal, is_in_last_row, &(int){ROWS}, "keys in row 24");
    await_words(&full, "About to call");
    leave(&full, &calls);
}

static void a_signal_ends_it(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls);
    kill(kit_terminal_pid(full.terminal), SIGTERM);
    assert_int_equal(kit_terminal_end(full.terminal), 128 + SIGTERM);
    assert_false(kit_is_other_screen(full.terminal));
    calls_free(&calls);
}

static bool is_other_screen(struct kit_terminal *terminal, void *is)
{
    return kit_is_other_screen(terminal) == *(bool *)is;
}

static void stop_and_go_on(const struct full *full)
{
    kit_await_looks(full->terminal, is_other_screen, &(bool){false}, "the screen of before");
    around_await_stop(full->terminal);
    kill(kit_terminal_pid(full->terminal), SIGCONT);
    kit_await_looks(full->terminal, is_other_screen, &(bool){true}, "our screen");
    kit_await_row(full->terminal, STEP_KEYS);
    await_words(full, "About to call");
}

static void it_can_be_stopped(void **state)
{
    const char *wrapper = getenv("TEST_WRAPPER");
    struct full full;
    struct calls calls;
    size_t waits;

    (void)state;
    if (wrapper && strstr(wrapper, "valgrind"))
        kit_skip("valgrind does not let a program stop itself");
    waits = start(&full, &calls);
    kit_press(full.terminal, KEY_CTRL('z'));
    stop_and_go_on(&full);
    kill(kit_terminal_pid(full.terminal), SIGTSTP);
    stop_and_go_on(&full);
    expect_waits(&full, &calls, waits);
    leave(&full, &calls);
}

static void keys_leave(void **state)
{
    static const char *const keys[] = {"q", "\003", "\004"};
    struct full full;
    struct calls calls;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        start(&full, &calls);
        kit_press(full.terminal, keys[i]);
        assert_int_equal(kit_terminal_end(full.terminal), 0);
        assert_false(kit_is_other_screen(full.terminal));
        calls_free(&calls);
    }
}

static void commands_begin_and_end_it(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    full_type(&full, "/step");
    kit_await_row(full.terminal, STEP_KEYS);
    kit_await_row(full.terminal, "inspector: ");
    kit_press(full.terminal, "c");
    kit_await_gone(full.terminal, STEP_KEYS);
    full_await_input(&full, "");
    full_type(&full, "/step");
    kit_await_row(full.terminal, STEP_KEYS);
    kit_press(full.terminal, KEY_F4);
    kit_await_gone(full.terminal, STEP_KEYS);
    kit_await_gone(full.terminal, "inspector: ");
    full_type(&full, "hello");
    assert_string_equal(full_hear(&full), "hello");
}

/* The frame is longer than what a terminal takes at once, and is still shown whole. */
static void a_slow_terminal_gets_the_whole_frame(void **state)
{
    struct full full;
    char line[1000];

    (void)state;
    full_start(&full, 150, 400, NULL);
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < 60; i++)
        full_say(&full, line);
    kit_await_row(full.terminal, "| 60 lines |");
    kit_stall(full.terminal, true);
    kit_press(full.terminal, KEY_CTRL('l'));
    kit_press(full.terminal, KEY_F5);
    kit_watch(full.terminal, a_while_ns);
    kit_stall(full.terminal, false);
    kit_await_row(full.terminal, STEP_KEYS);
    kit_press(full.terminal, "q");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, kit_cleanup)
    const struct CMUnitTest tests[] = {
        CASE(the_loop_stands_still),
        CASE(it_can_begin_so),
        CASE(a_space_makes_one_turn),
        CASE(as_many_turns_as_spaces),
        CASE(what_came_back_is_told),
        CASE(a_second_beginning_tells_of_one_wait),
        CASE(what_comes_meanwhile_is_shown_later),
        CASE(the_end_of_the_connection_is_found),
        CASE(a_call_is_explained_meanwhile),
        CASE(the_size_may_change),
        CASE(a_signal_ends_it),
        CASE(it_can_be_stopped),
        CASE(keys_leave),
        CASE(commands_begin_and_end_it),
        CASE(a_slow_terminal_gets_the_whole_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
