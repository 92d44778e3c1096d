/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ctrl-Z and fg: while the program is stopped its terminal is that of the shell, and afterwards all
 * is there again: the screen, the line that was being typed, and what arrived meanwhile.
 *
 * SIGSTOP cannot be caught, so nothing can be given back then; but the shell sets what it needs
 * itself, and whatever was changed has to be put right when the program goes on.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "around.h"
#include "kit/random.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char shell_words[] = "the shell speaks\r\n";

static struct {
    struct full full;
    struct termios before;
} t;

static bool is_in_valgrind(void)
{
    const char *wrapper = getenv("TEST_WRAPPER");

    return wrapper && strstr(wrapper, "valgrind");
}

/* Ends the test where a program cannot stop itself. */
static void need_stops(void)
{
    if (is_in_valgrind())
        kit_skip("valgrind does not let a program stop itself");
}

/* ---- the states in which it is stopped ---- */

static void start(const char *option)
{
    const char *const options[] = {option, NULL};

    around_start(&t.full, options, &t.before);
    if (option)
        return;
    full_say(&t.full, "the first line");
    kit_await_row(t.full.terminal, "the first line");
    kit_await_row(t.full.terminal, "  open");
    kit_press(t.full.terminal, "half a li");
    full_await_input(&t.full, "half a li");
}

static void send_stop(const char *key)
{
    if (key)
        kit_press(t.full.terminal, key);
    else
        kill(kit_terminal_pid(t.full.terminal), SIGTSTP);
    around_await_stop(t.full.terminal);
}

static void go_on(void)
{
    kill(kit_terminal_pid(t.full.terminal), SIGCONT);
}

/* Whether nothing of the shell's is left on the screen, which is ours again. */
static bool is_ours(struct kit_terminal *terminal, void *context)
{
    (void)context;
    for (int row = 0; row < AROUND_ROWS; row++)
        if (strstr(kit_row(terminal, row), "the shell speaks") ||
            strstr(kit_row(terminal, row), AROUND_TEXT))
            return false;
    return kit_is_other_screen(terminal);
}

static void await_ours(void)
{
    kit_await_looks(t.full.terminal, is_ours, NULL, "the screen of before the stop");
}

/* The line of before can be gone on with, and is sent. */
static void finish_line(void)
{
    full_await_input(&t.full, "half a li");
    full_type(&t.full, "ne");
    assert_string_equal(full_hear(&t.full), "half a line");
    full_await_input(&t.full, "");
}

/* Once at the start, and once after the stop: another time would be seen as a flash. */
static void expect_taken_twice(void)
{
    const char *next = kit_raw(t.full.terminal, NULL);
    int count = 0;

    while ((next = strstr(next, "\033[?1049h"))) {
        count++;
        next++;
    }
    assert_int_equal(count, 2);
}

static void leave(void)
{
    full_type(&t.full, "/quit");
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
    around_expect_all(t.full.terminal, &t.before);
}

/* ---- the tests ---- */

static void stop_and_go_on(const char *key)
{
    start(NULL);
    send_stop(key);
    around_expect_all(t.full.terminal, &t.before);
    around_write(t.full.terminal, shell_words);
    kit_await_row(t.full.terminal, "the shell speaks");
    full_say(&t.full, "came meanwhile");
    go_on();
    kit_await_row(t.full.terminal, "came meanwhile");
    kit_await_row(t.full.terminal, "the first line");
    await_ours();
    finish_line();
    leave();
    expect_taken_twice();
    kit_await_row(t.full.terminal, "the shell speaks");
}

static void by_ctrl_z(void **state)
{
    (void)state;
    need_stops();
    stop_and_go_on(KEY_CTRL('Z'));
}

static void by_the_signal(void **state)
{
    (void)state;
    need_stops();
    stop_and_go_on(NULL);
}

static void with_the_inspector(void **state)
{
    (void)state;
    need_stops();
    start(NULL);
    kit_press(t.full.terminal, KEY_F4);
    kit_await_row(t.full.terminal, "inspector: ");
    send_stop(KEY_CTRL('Z'));
    around_expect_all(t.full.terminal, &t.before);
    go_on();
    kit_await_row(t.full.terminal, "inspector: ");
    finish_line();
    leave();
}

/* The loop does not turn, so keys and signals have another way in. */
static void step_by_step(const char *key)
{
    start("--step");
    send_stop(key);
    around_expect_all(t.full.terminal, &t.before);
    go_on();
    kit_await_row(t.full.terminal, "Space makes one turn");
    await_ours();
    kit_press(t.full.terminal, "c");
    kit_await_row(t.full.terminal, "  open");
    leave();
}

static void in_step_mode(void **state)
{
    (void)state;
    need_stops();
    step_by_step(KEY_CTRL('Z'));
    around_cleanup(state);
    step_by_step(NULL);
}

static void in_a_flood(void **state)
{
    (void)state;
    need_stops();
    start(NULL);
    flood_start(&t.full);
    kit_await_row(t.full.terminal, "of the flood");
    send_stop(KEY_CTRL('Z'));
    around_expect_all(t.full.terminal, &t.before);
    go_on();
    kit_await_row(t.full.terminal, "of the flood");
    flood_stop();
    full_say(&t.full, "the flood is over");
    kit_await_row(t.full.terminal, "the flood is over");
    finish_line();
    leave();
}

/* What was not written then is written by nobody: the screen is painted anew. */
static void on_a_terminal_that_takes_nothing(void **state)
{
    (void)state;
    need_stops();
    start(NULL);
    flood_start(&t.full);
    kit_stall(t.full.terminal, true);
    around_await_full(t.full.terminal);
    send_stop(KEY_CTRL('Z'));
    around_expect_settings(t.full.terminal, &t.before);
    flood_stop();
    kit_stall(t.full.terminal, false);
    full_say(&t.full, "the flood is over");
    go_on();
    kit_await_row(t.full.terminal, "the flood is over");
    await_ours();
    finish_line();
    full_type(&t.full, "/quit");
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
    around_expect_settings(t.full.terminal, &t.before);
}

static void again_and_again(void **state)
{
    (void)state;
    need_stops();
    start(NULL);
    for (int i = 0; i < 20; i++) {
        char line[32];

        send_stop(i % 2 == 0 ? KEY_CTRL('Z') : NULL);
        around_expect_all(t.full.terminal, &t.before);
        snprintf(line, sizeof line, "line %d", i);
        full_say(&t.full, line);
        go_on();
        kit_await_row(t.full.terminal, line);
    }
    finish_line();
    leave();
}

/* Some of these stops come before it catches any signal. */
static void while_it_starts(void **state)
{
    uint32_t seed = 2026;

    need_stops();
    for (int i = 0; i < 30; i++) {
        int64_t due;
        int listener = kit_listen(&t.full.port);

        snprintf(t.full.target, sizeof t.full.target, "127.0.0.1:%u", t.full.port);
        t.full.terminal = around_shell(AROUND_SHELL, NULL, t.full.target);
        t.before = around_settings(t.full.terminal);
        kit_press(t.full.terminal, "\n");
        due = clock_now() + kit_random(&seed, 10 * CLOCK_MILLISECOND);
        while (clock_now() < due)
            continue;
        send_stop(NULL);
        around_expect_all(t.full.terminal, &t.before);
        go_on();
        kit_accept(listener);
        kit_await_row(t.full.terminal, "  open");
        leave();
        around_cleanup(state);
    }
}

/* A shell with job control ends what it has stopped by a signal, and by letting it go on in the
 * background: there it would be stopped anew, as soon as it takes the terminal. */
static void killed_while_it_is_stopped(void **state)
{
    static const char script[] =
        "set -m; $TEST_WRAPPER \"$0\" \"$1\"; kill %1; kill -CONT %1;"
        "while kill -0 %1 2>/dev/null; do sleep 0.01; wait %1; status=$?; done;"
        "echo \"ended by $status\"";
    const char *const argv[] = {"sh", "-c", script, kit_program("pollspin"), t.full.target, NULL};
    int listener = kit_listen(&t.full.port);

    (void)state;
    need_stops();
    snprintf(t.full.target, sizeof t.full.target, "127.0.0.1:%u", t.full.port);
    t.full.terminal = kit_terminal(AROUND_ROWS, AROUND_COLUMNS, argv);
    t.full.server = kit_accept(listener);
    close(listener);
    kit_await_row(t.full.terminal, "  open");
    kit_press(t.full.terminal, KEY_CTRL('Z'));
    kit_await_row(t.full.terminal, "ended by 143");
    assert_false(kit_is_other_screen(t.full.terminal));
    assert_int_equal(kit_terminal_end(t.full.terminal), 0);
}

/* ---- stopped by force ---- */

static void set_settings(const struct termios *settings)
{
    int fd = around_open(t.full.terminal);

    assert_int_equal(tcsetattr(fd, TCSANOW, settings), 0);
    close(fd);
}

static void stop_by_force(void)
{
    kill(kit_terminal_pid(t.full.terminal), SIGSTOP);
    around_await_stop(t.full.terminal);
}

static void by_force(void **state)
{
    (void)state;
    start(NULL);
    stop_by_force();
    full_say(&t.full, "came meanwhile");
    around_write(t.full.terminal, shell_words);
    kit_await_row(t.full.terminal, "the shell speaks");
    go_on();
    kit_await_row(t.full.terminal, "came meanwhile");
    await_ours();
    finish_line();
    leave();
}

/* As shells do: the settings of before, and words on whichever screen there is. What the person has
 * set there meanwhile is what the terminal is to be like afterwards. */
static void by_force_with_other_settings(void **state)
{
    struct termios raw;
    struct termios is;

    (void)state;
    start(NULL);
    raw = around_settings(t.full.terminal);
    stop_by_force();
    t.before.c_cc[VERASE] = 'X';
    t.before.c_lflag &= ~(tcflag_t)ECHOK;
    set_settings(&t.before);
    around_write(t.full.terminal, shell_words);
    go_on();
    await_ours();
    finish_line();
    is = around_settings(t.full.terminal);
    assert_int_equal(is.c_lflag, raw.c_lflag & ~(tcflag_t)ECHOK);
    assert_int_equal(is.c_iflag, raw.c_iflag);
    assert_int_equal(is.c_oflag, raw.c_oflag);
    leave();
}

/* The shell shows another full screen and leaves that again. */
static void by_force_with_the_screen_given_back(void **state)
{
    (void)state;
    start(NULL);
    stop_by_force();
    set_settings(&t.before);
    around_write(t.full.terminal, "\033[?1049l\033[?2004l\033[?25h");
    kit_await_row(t.full.terminal, AROUND_TEXT);
    go_on();
    await_ours();
    finish_line();
    leave();
}

int main(void)
{
    const struct rlimit no_core = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(by_ctrl_z, around_cleanup),
        cmocka_unit_test_teardown(by_the_signal, around_cleanup),
        cmocka_unit_test_teardown(with_the_inspector, around_cleanup),
        cmocka_unit_test_teardown(in_step_mode, around_cleanup),
        cmocka_unit_test_teardown(in_a_flood, around_cleanup),
        cmocka_unit_test_teardown(on_a_terminal_that_takes_nothing, around_cleanup),
        cmocka_unit_test_teardown(again_and_again, around_cleanup),
        cmocka_unit_test_teardown(while_it_starts, around_cleanup),
        cmocka_unit_test_teardown(killed_while_it_is_stopped, around_cleanup),
        cmocka_unit_test_teardown(by_force, around_cleanup),
        cmocka_unit_test_teardown(by_force_with_other_settings, around_cleanup),
        cmocka_unit_test_teardown(by_force_with_the_screen_given_back, around_cleanup),
    };

    setrlimit(RLIMIT_CORE, &no_core);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
