/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever ends pollspin, and at whatever moment, the terminal is as it was: its settings, the
 * cursor, the screen but for the lines that came, and no escape sequence that anybody would have
 * to undo.
 */
#include "config.h"

#include <errno.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "kit/random.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Every new terminal has the same settings, so those that a program which sets none leaves are how
 * this one was. */
static void assert_settings_unchanged(struct kit_terminal *terminal)
{
    const char *const argv[] = {"true", NULL};
    struct kit_terminal *other = kit_terminal(24, 80, argv);
    struct termios was, is;

    assert_int_equal(kit_terminal_end(other), 0);
    kit_settings(other, &was);
    kit_settings(terminal, &is);
    assert_int_equal(is.c_iflag, was.c_iflag);
    assert_int_equal(is.c_oflag, was.c_oflag);
    assert_int_equal(is.c_cflag, was.c_cflag);
    assert_int_equal(is.c_lflag, was.c_lflag);
    assert_memory_equal(is.c_cc, was.c_cc, sizeof is.c_cc);
}

static void assert_no_modes(struct kit_terminal *terminal)
{
    size_t n;
    const char *raw = kit_raw(terminal, &n);

    for (size_t i = 0; i < n; i++)
        assert_true((unsigned char)raw[i] >= ' ' || raw[i] == '\r' || raw[i] == '\n');
    assert_true(kit_cursor_is_shown(terminal));
    assert_false(kit_is_other_screen(terminal));
    assert_settings_unchanged(terminal);
}

/* No frame of the spinner is left on the screen, and the next prompt begins at the left edge. */
static void assert_as_it_was(struct kit_terminal *terminal)
{
    int row;
    int column;

    for (row = 0; row < 24; row++) {
        assert_null(strstr(kit_row(terminal, row), "...."));
        assert_null(strchr(kit_row(terminal, row), '|'));
    }
    kit_cursor(terminal, &row, &column);
    assert_int_equal(column, 0);
    assert_no_modes(terminal);
}

static void at_the_normal_end(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);
    int row;
    int column;

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_row(terminal, "one");
    kit_await_row(terminal, "..|.......");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_as_it_was(terminal);
    assert_string_equal(kit_row(terminal, 0), "one");
    assert_memory_equal(kit_row(terminal, 1), "pollspin: 127.0.0.1:", 20);
    kit_cursor(terminal, &row, &column);
    assert_int_equal(row, 2);
}

static void at_a_line_without_end(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, "name? ", 6);
    kit_await_row(terminal, "partial: name?");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_as_it_was(terminal);
    assert_string_equal(kit_row(terminal, 0), "name?");
}

static void where_nobody_can_be_reached(void **state)
{
    uint16_t port;
    const char *const argv[] = {"pollspin", "--plain", NULL, NULL};
    const char *words[COUNT(argv)];
    struct kit_terminal *terminal;

    (void)state;
    memcpy(words, argv, sizeof argv);
    kit_bind(SOCK_STREAM, &port);
    words[2] = kit_target(port);
    terminal = kit_terminal(24, 80, words);
    assert_int_equal(kit_terminal_end(terminal), 3);
    assert_as_it_was(terminal);
    assert_non_null(strstr(kit_row(terminal, 0), "Connection refused"));
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void by_a_signal_while_it_turns(void **state)
{
    for (size_t i = 0; i < COUNT(signals); i++) {
        int server;
        struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

        kit_send(server, "one\n", 4);
        kit_await_row(terminal, "..|.......");
        kill(kit_terminal_pid(terminal), signals[i]);
        assert_int_equal(kit_terminal_end(terminal), 128 + signals[i]);
        assert_as_it_was(terminal);
        assert_non_null(strstr(kit_row(terminal, 1), "ended by signal"));
        kit_cleanup(state);
    }
}

/* The message is shorter than what stood on the bottom line. */
static void by_a_signal_in_a_line_without_end(void **state)
{
    static const char text[] = "a line that has begun and has not ended by now, and is long";
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, text, strlen(text));
    kit_await_row(terminal, text);
    kill(kit_terminal_pid(terminal), SIGTERM);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGTERM);
    assert_as_it_was(terminal);
    assert_string_equal(kit_row(terminal, 0), text);
    assert_string_equal(kit_row(terminal, 1), "pollspin: ended by signal 15 (Terminated)");
}

/* The same moments in every run; some come before the program has begun to catch signals. */
static void by_a_signal_while_it_starts(void **state)
{
    const int rounds = kit_is_instrumented() ? 2 : 8;
    const uint32_t most_us = kit_is_instrumented() ? 1000000 : 20000;
    uint32_t seed = 2026;

    for (size_t i = 0; i < (size_t)rounds * COUNT(signals); i++) {
        int signo = signals[i % COUNT(signals)];
        uint16_t port;
        int listener = kit_listen(&port);
        const char *argv[] = {"pollspin", "--plain", kit_target(port), NULL};
        struct kit_terminal *terminal = kit_terminal(24, 80, argv);

        assert_true(listener >= 0);
        kit_watch(terminal, kit_random(&seed, most_us) * INT64_C(1000));
        kill(kit_terminal_pid(terminal), signo);
        assert_int_equal(kit_terminal_end(terminal), 128 + signo);
        assert_as_it_was(terminal);
        kit_cleanup(state);
    }
}

static void by_the_keys_that_make_signals(void **state)
{
    static const struct {
        const char *key;
        int signo;
    } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}};

    for (size_t i = 0; i < COUNT(keys); i++) {
        int server;
        struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

        kit_await_row(terminal, "..|.......");
        kit_keys(terminal, keys[i].key, 1);
        assert_int_equal(kit_terminal_end(terminal), 128 + keys[i].signo);
        assert_as_it_was(terminal);
        kit_cleanup(state);
    }
}

/* Nobody can erase anything then; but there is no mode to be left behind. */
static void by_being_killed(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_await_row(terminal, "..|.......");
    kill(kit_terminal_pid(terminal), SIGKILL);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGKILL);
    assert_no_modes(terminal);
}

/* Starts the client as the leader of the session of a new terminal, and stores the master side. */
static pid_t start_as_leader(int *master, const char *target)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    pid_t pid = forkpty(master, NULL, NULL, &size);

    if (pid != 0)
        return pid;
    setenv("TERM", "xterm-256color", 1);
    unsetenv("CI");
    execl(kit_program("pollspin"), "pollspin", target, (char *)NULL);
    _exit(127);
}

/* A window is closed: the terminal is gone, and the program must not stay behind. The kernel sends
 * SIGHUP; but the end of the terminal may be seen as an error before. */
static void by_a_terminal_that_hangs_up(void **state)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    uint16_t port;
    int listener = kit_listen(&port);
    int master;
    pid_t pid = start_as_leader(&master, kit_target(port));
    char byte;
    int status = 0;
    pid_t ended;

    (void)state;
    assert_true(pid > 0);
    kit_accept(listener);
    assert_int_equal(read(master, &byte, 1), 1);
    close(master);
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && clock_now() < deadline)
        usleep(2000);
    if (ended == 0)
        kill(pid, SIGKILL);
    assert_int_equal(ended, pid);
    assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 1));
}

/* ---- while it goes on ---- */

static void any_size_will_do(void **state)
{
    static const struct {
        int rows;
        int columns;
    } sizes[] = {{1, 1}, {5, 20}, {200, 500}, {2, 2}, {24, 11}, {24, 10}, {24, 80}};
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int64_t deadline = clock_now() + KIT_DEADLINE_NS;
        size_t before;
        size_t length;

        kit_raw(terminal, &before);
        kit_resize(terminal, sizes[i].rows, sizes[i].columns);
        kit_send(server, "0123456789012345678901234567890123456789\npart", 45);
        do {
            assert_true(clock_now() < deadline);
            kit_watch(terminal, 10 * CLOCK_MILLISECOND);
            kit_raw(terminal, &length);
        } while (length < before + 45);
    }
    kit_send(server, "\nalive\n", 7);
    kit_await_row(terminal, "alive");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_as_it_was(terminal);
}

static void many_sizes_will_do(void **state)
{
    uint32_t seed = 7;
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    for (int i = 0; i < 100; i++) {
        kit_resize(terminal, 1 + (int)kit_random(&seed, 60), 1 + (int)kit_random(&seed, 200));
        kit_send(server, "a line ", 7);
        kit_watch(terminal, CLOCK_MILLISECOND);
    }
    kit_resize(terminal, 24, 80);
    kit_send(server, "\nalive\n", 7);
    kit_await_row(terminal, "alive");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_no_modes(terminal);
}

static bool is_stopped(pid_t pid)
{
    char path[64], text[512] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return strstr(text, ") T ") != NULL;
}

static void it_can_be_stopped_and_goes_on(void **state)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    const char *wrapper = getenv("TEST_WRAPPER");
    int server;
    struct kit_terminal *terminal;

    (void)state;
    if (wrapper && strstr(wrapper, "valgrind"))
        kit_skip("valgrind does not let a program be stopped");
    terminal = kit_client_on_terminal(&server, NULL);
    kit_await_row(terminal, "..|.......");
    kit_keys(terminal, "\032", 1);
    while (!is_stopped(kit_terminal_pid(terminal)) && clock_now() < deadline)
        kit_watch(terminal, CLOCK_MILLISECOND);
    assert_true(is_stopped(kit_terminal_pid(terminal)));
    kit_send(server, "one\n", 4);
    kill(kit_terminal_pid(terminal), SIGCONT);
    kit_await_row(terminal, "one");
    kit_await_row(terminal, "|.........");
    kit_await_row(terminal, "..|.......");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_as_it_was(terminal);
}

int main(void)
{
    const struct rlimit no_core = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(at_the_normal_end, kit_cleanup),
        cmocka_unit_test_teardown(at_a_line_without_end, kit_cleanup),
        cmocka_unit_test_teardown(where_nobody_can_be_reached, kit_cleanup),
        cmocka_unit_test_teardown(by_a_signal_while_it_turns, kit_cleanup),
        cmocka_unit_test_teardown(by_a_signal_in_a_line_without_end, kit_cleanup),
        cmocka_unit_test_teardown(by_a_signal_while_it_starts, kit_cleanup),
        cmocka_unit_test_teardown(by_the_keys_that_make_signals, kit_cleanup),
        cmocka_unit_test_teardown(by_being_killed, kit_cleanup),
        cmocka_unit_test_teardown(by_a_terminal_that_hangs_up, kit_cleanup),
        cmocka_unit_test_teardown(any_size_will_do, kit_cleanup),
        cmocka_unit_test_teardown(many_sizes_will_do, kit_cleanup),
        cmocka_unit_test_teardown(it_can_be_stopped_and_goes_on, kit_cleanup),
    };

    setrlimit(RLIMIT_CORE, &no_core);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
