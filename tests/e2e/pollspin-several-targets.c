/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several targets in the one-line form: whole lines with the name of who sent them, one end each,
 * and none that disturbs another.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"

enum { SIDES = 2 };

/* One target, its name in front of its lines, and the test's end of the connection. */
struct side {
    char name[64];
    int listener;
    int fd;
};

static struct side sides[SIDES];

static void listen_at_both(void)
{
    for (int i = 0; i < SIDES; i++) {
        uint16_t port;

        sides[i].listener = kit_listen(&port);
        snprintf(sides[i].name, sizeof sides[i].name, "%s", kit_target(port));
    }
}

static void accept_at_both(void)
{
    for (int i = 0; i < SIDES; i++)
        sides[i].fd = kit_accept(sides[i].listener);
}

static struct kit_process *start_with(const char *option)
{
    struct kit_process *client;

    listen_at_both();
    if (option)
        client = kit_run("pollspin", option, sides[0].name, sides[1].name, NULL);
    else
        client = kit_run("pollspin", sides[0].name, sides[1].name, NULL);
    accept_at_both();
    return client;
}

static void say(int side, const char *text)
{
    kit_send(sides[side].fd, text, strlen(text));
}

/* Waits until the text of SIDE stands on a line of its own. */
static void await_line(struct kit_process *client, int side, const char *text)
{
    char line[200];

    snprintf(line, sizeof line, "%s: %s\n", sides[side].name, text);
    kit_await_stdout(client, line);
}

static void await_error(struct kit_process *client, int side, const char *text)
{
    char line[300];

    snprintf(line, sizeof line, "pollspin: %s: %s\n", sides[side].name, text);
    kit_await_stderr(client, line);
}

static int count_lines(const char *text)
{
    int count = 0;

    while ((text = strchr(text, '\n'))) {
        text++;
        count++;
    }
    return count;
}

static void lines_never_mix(void **state)
{
    struct kit_process *client = start_with(NULL);
    char expected[400];

    (void)state;
    say(0, "on");
    say(1, "two\nthr");
    await_line(client, 1, "two");
    say(0, "e\n");
    await_line(client, 0, "one");
    say(1, "ee\n");
    await_line(client, 1, "three");
    snprintf(expected, sizeof expected, "%s: two\n%s: one\n%s: three\n", sides[1].name,
             sides[0].name, sides[1].name);
    assert_string_equal(kit_stdout(client, NULL), expected);
    close(sides[0].fd);
    await_error(client, 0, "closed by the server after 1 line, 4 bytes");
    close(sides[1].fd);
    assert_int_equal(kit_end(client), 0);
    await_error(client, 1, "closed by the server after 2 lines, 10 bytes");
    assert_int_equal(count_lines(kit_stderr(client)), 2);
}

static void the_rest_at_the_end_is_a_line(void **state)
{
    struct kit_process *client = start_with(NULL);

    (void)state;
    say(0, "no end");
    close(sides[0].fd);
    await_line(client, 0, "no end");
    say(1, "an end\n");
    await_line(client, 1, "an end");
    close(sides[1].fd);
    assert_int_equal(kit_end(client), 0);
    assert_int_equal(count_lines(kit_stdout(client, NULL)), 2);
}

/* The pieces are not lines of their own to --lines. */
static void a_long_line_comes_in_pieces(void **state)
{
    enum { PIECE = 4096, REST = 100 };
    static char line[2 * PIECE + REST + 2];
    struct kit_process *client = start_with("--lines=1");
    const char *text;

    (void)state;
    memset(line, 'x', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    say(1, line);
    assert_int_equal(kit_end(client), 0);
    text = kit_stdout(client, NULL);
    assert_int_equal(count_lines(text), 3);
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(sides[1].name) + 2;

        assert_memory_equal(text, sides[1].name, n - 2);
        assert_memory_equal(text + n - 2, ": ", 2);
        assert_int_equal(strspn(text + n, "x"), i < 2 ? PIECE : REST);
        text = strchr(text, '\n') + 1;
    }
}

static void the_lines_asked_for_are_those_of_all(void **state)
{
    struct kit_process *client = start_with("--lines=3");

    (void)state;
    say(0, "one\ntwo\n");
    await_line(client, 0, "two");
    say(1, "three\nfour\nfi");
    kit_end_saying(client, 0, "pollspin: 3 lines shown\n");
    await_line(client, 1, "three");
    assert_int_equal(count_lines(kit_stdout(client, NULL)), 3);
}

static void one_that_cannot_be_reached_disturbs_nobody(void **state)
{
    struct kit_process *client;
    uint16_t port;

    (void)state;
    listen_at_both();
    close(sides[0].listener);
    kit_bind(SOCK_STREAM, &port);
    snprintf(sides[0].name, sizeof sides[0].name, "%s", kit_target(port));
    client = kit_run("pollspin", sides[0].name, sides[1].name, NULL);
    sides[1].fd = kit_accept(sides[1].listener);
    kit_await_stderr(client, "Connection refused\n");
    say(1, "one\n");
    await_line(client, 1, "one");
    kit_reset(sides[1].fd);
    assert_int_equal(kit_end(client), 3); /* that of the first failure */
    await_error(client, 1, "connection reset by the server after 1 line, 4 bytes");
    assert_int_equal(count_lines(kit_stderr(client)), 2);
}

static void one_that_has_ended_stays_so(void **state)
{
    struct kit_process *client = start_with(NULL);
    struct pollfd again = {.fd = sides[0].listener, .events = POLLIN};

    (void)state;
    say(0, "zero\n");
    await_line(client, 0, "zero");
    kit_reset(sides[0].fd);
    await_error(client, 0, "connection reset by the server after 1 line, 5 bytes");
    say(1, "one\n");
    await_line(client, 1, "one");
    close(sides[1].fd);
    assert_int_equal(kit_end(client), 5);
    assert_int_equal(poll(&again, 1, 0), 0);
}

static void one_that_tries_again_disturbs_nobody(void **state)
{
    struct kit_process *client = start_with("--reconnect");

    (void)state;
    say(0, "par");
    close(sides[0].fd);
    await_line(client, 0, "par");
    kit_await_stderr(client, "trying again in ");
    say(1, "one\n");
    await_line(client, 1, "one");
    sides[0].fd = kit_accept(sides[0].listener);
    say(0, "t\n");
    await_line(client, 0, "t");
    kit_signal(client, SIGTERM);
    assert_int_equal(kit_end(client), 128 + SIGTERM);
    kit_await_stderr(client, "pollspin: ended by signal 15 (Terminated)\n");
    assert_int_equal(count_lines(kit_stdout(client, NULL)), 3);
    assert_int_equal(count_lines(kit_stderr(client)), 2);
}

static void nobody_gets_what_is_typed(void **state)
{
    struct kit_process *client = start_with(NULL);
    char byte;

    (void)state;
    kit_type(client, "to whom?\n");
    kit_type_end(client);
    say(0, "one\n");
    await_line(client, 0, "one");
    kit_signal(client, SIGINT);
    assert_int_equal(kit_end(client), 128 + SIGINT);
    assert_int_equal(kit_receive(sides[0].fd, &byte, 1), 0);
    assert_int_equal(kit_receive(sides[1].fd, &byte, 1), 0);
}

static void an_output_that_fails_is_told_once(void **state)
{
    struct kit_process *client;

    (void)state;
    listen_at_both();
    client = kit_run("sh", "-c", "exec \"$0\" \"$@\" >/dev/full", kit_program("pollspin"),
                     sides[0].name, sides[1].name, NULL);
    accept_at_both();
    say(0, "one\n");
    kit_end_saying(client, 1, "pollspin: standard output: No space left on device\n");
}

static void a_name_may_be_a_path(void **state)
{
    char target[SIDES][300];
    int listeners[SIDES];
    struct kit_process *client;
    char line[400];

    (void)state;
    for (int i = 0; i < SIDES; i++) {
        snprintf(target[i], sizeof target[i], "unix:%s/%d", kit_folder(), i);
        listeners[i] = kit_listen_unix(target[i] + strlen("unix:"));
    }
    client = kit_run("pollspin", "-n1", target[0], target[1], NULL);
    kit_accept(listeners[0]);
    kit_send(kit_accept(listeners[1]), "one\n", 4);
    assert_int_equal(kit_end(client), 0);
    snprintf(line, sizeof line, "%s: one\n", target[1]);
    assert_string_equal(kit_stdout(client, NULL), line);
}

/* ---- a flood ---- */

enum { CHUNKS = 200, CHUNK_LINES = 500, STALLED_CHUNKS = 20 };

static void say_chunk(int side, int chunk)
{
    static char text[CHUNK_LINES * 16];
    size_t n = 0;

    for (int i = 0; i < CHUNK_LINES; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%d\n", chunk * CHUNK_LINES + i);
    kit_send(sides[side].fd, text, n);
}

/* Every line is there, and those of each side are in order. */
static void assert_all_in_order(const char *text)
{
    long next[SIDES] = {0};

    while (*text) {
        int side = strncmp(text, sides[0].name, strlen(sides[0].name)) == 0 ? 0 : 1;
        size_t n = strlen(sides[side].name);
        char *end;

        assert_memory_equal(text, sides[side].name, n);
        assert_memory_equal(text + n, ": ", 2);
        assert_int_equal(strtol(text + n + 2, &end, 10), next[side]++);
        assert_int_equal(*end, '\n');
        text = end + 1;
    }
    assert_int_equal(next[0], CHUNKS * CHUNK_LINES);
    assert_int_equal(next[1], CHUNKS * CHUNK_LINES);
}

static void a_flood_of_both_loses_no_line(void **state)
{
    struct kit_process *client = start_with(NULL);

    (void)state;
    kit_stall_stdout(client, 1);
    for (int i = 0; i < CHUNKS; i++) {
        if (i == STALLED_CHUNKS)
            kit_stall_stdout(client, 0);
        say_chunk(0, i);
        say_chunk(1, i);
    }
    close(sides[0].fd);
    close(sides[1].fd);
    assert_int_equal(kit_end(client), 0);
    assert_all_in_order(kit_stdout(client, NULL));
}

/* The one that ends has lines that could not be shown yet; they come before its end is told. */
static void what_came_before_an_end_is_shown_before_it(void **state)
{
    struct kit_process *client = start_with(NULL);
    char last[32];

    (void)state;
    kit_stall_stdout(client, 1);
    for (int i = 0; i < STALLED_CHUNKS; i++) {
        say_chunk(0, i);
        say_chunk(1, i);
    }
    say(1, "the rest");
    close(sides[1].fd);
    kit_stall_stdout(client, 0);
    await_line(client, 1, "the rest");
    kit_await_stderr(client, "closed by the server after");
    snprintf(last, sizeof last, "%d", STALLED_CHUNKS * CHUNK_LINES - 1);
    await_line(client, 0, last);
    close(sides[0].fd);
    assert_int_equal(kit_end(client), 0);
    assert_int_equal(count_lines(kit_stdout(client, NULL)), 2 * STALLED_CHUNKS * CHUNK_LINES + 1);
}

/* ---- on a terminal ---- */

static void the_bottom_line_says_how_many_are_open(void **state)
{
    const char *const argv[] = {"pollspin",    "--plain",     "--reconnect",
                                sides[0].name, sides[1].name, NULL};
    struct kit_terminal *terminal;

    (void)state;
    listen_at_both();
    terminal = kit_terminal(24, 100, argv);
    accept_at_both();
    kit_await_row(terminal, " 2 of 2 connected");
    say(0, "\033[31mred\n");
    kit_await_row(terminal, ": ^[[31mred");
    close(sides[1].listener);
    kit_reset(sides[1].fd);
    kit_await_row(terminal, " 1 of 2 connected: trying again in ");
    kill(kit_terminal_pid(terminal), SIGTERM);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGTERM);
}

static void on_a_terminal_ends_are_lines_above_the_spinner(void **state)
{
    const char *const argv[] = {"pollspin", "--plain", sides[0].name, sides[1].name, NULL};
    struct kit_terminal *terminal;
    int row;

    (void)state;
    listen_at_both();
    terminal = kit_terminal(24, 100, argv);
    accept_at_both();
    kit_await_row(terminal, " 2 of 2 connected");
    close(sides[0].fd);
    row = kit_await_row(terminal, "closed by the server after 0 lines, 0 bytes");
    assert_memory_equal(kit_row(terminal, row), "pollspin: 127.0.0.1:", 20);
    assert_int_equal(kit_await_row(terminal, " 1 of 2 connected"), row + 1);
    say(1, "still here\n");
    assert_int_equal(kit_await_row(terminal, ": still here"), row + 1);
    close(sides[1].fd);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_memory_equal(kit_row(terminal, row + 2), "pollspin: 127.0.0.1:", 20);
    assert_string_equal(kit_row(terminal, row + 3), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_never_mix, kit_cleanup),
        cmocka_unit_test_teardown(the_rest_at_the_end_is_a_line, kit_cleanup),
        cmocka_unit_test_teardown(a_long_line_comes_in_pieces, kit_cleanup),
        cmocka_unit_test_teardown(the_lines_asked_for_are_those_of_all, kit_cleanup),
        cmocka_unit_test_teardown(one_that_cannot_be_reached_disturbs_nobody, kit_cleanup),
        cmocka_unit_test_teardown(one_that_has_ended_stays_so, kit_cleanup),
        cmocka_unit_test_teardown(one_that_tries_again_disturbs_nobody, kit_cleanup),
        cmocka_unit_test_teardown(nobody_gets_what_is_typed, kit_cleanup),
        cmocka_unit_test_teardown(an_output_that_fails_is_told_once, kit_cleanup),
        cmocka_unit_test_teardown(a_name_may_be_a_path, kit_cleanup),
        cmocka_unit_test_teardown(a_flood_of_both_loses_no_line, kit_cleanup),
        cmocka_unit_test_teardown(what_came_before_an_end_is_shown_before_it, kit_cleanup),
        cmocka_unit_test_teardown(the_bottom_line_says_how_many_are_open, kit_cleanup),
        cmocka_unit_test_teardown(on_a_terminal_ends_are_lines_above_the_spinner, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
