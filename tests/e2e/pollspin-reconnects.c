/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With --reconnect an end is not the end: pollspin says why and when it tries again, and goes on
 * counting and showing where it was.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

static const char again[] = "trying again in ";

static int count_retries(const char *text)
{
    int count = 0;

    while ((text = strstr(text, again))) {
        text++;
        count++;
    }
    return count;
}

static void await_retries(struct kit_process *client, int count)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (count_retries(kit_stderr(client)) < count) {
        assert_true(clock_now() < deadline);
        usleep(1000);
    }
}

static void to_a_server_that_comes_back(void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    struct kit_process *client =
        kit_run("pollspin", "--reconnect", "--lines", "4", kit_target(port), NULL);
    int server = kit_accept(listener);

    (void)state;
    kit_send(server, "one\npar", 7);
    close(server);
    server = kit_accept(listener);
    kit_send(server, "t\ntwo\n", 6);
    kit_await_stdout(client, "two\n");
    kit_reset(server);
    server = kit_accept(listener);
    kit_send(server, "four\nfive\n", 10);
    assert_int_equal(kit_end(client), 0);
    assert_string_equal(kit_stdout(client, NULL), "one\npart\ntwo\nfour\n");
    assert_int_equal(count_retries(kit_stderr(client)), 2);
    assert_non_null(strstr(kit_stderr(client), "closed by the server after 1 line, 7 bytes\n"));
    assert_non_null(strstr(kit_stderr(client), "reset by the server after 2 lines, 6 bytes\n"));
    assert_non_null(strstr(kit_stderr(client), ": 4 lines shown\n"));
}

static void to_a_server_that_comes_late(void **state)
{
    uint16_t port;
    int listener = kit_bind(SOCK_STREAM, &port);
    struct kit_process *client =
        kit_run("pollspin", "--reconnect", "--lines", "1", kit_target(port), NULL);

    (void)state;
    await_retries(client, 1);
    assert_non_null(strstr(kit_stderr(client), "Connection refused\n"));
    assert_int_equal(listen(listener, 1), 0);
    kit_send(kit_accept(listener), "here\n", 5);
    assert_int_equal(kit_end(client), 0);
    assert_string_equal(kit_stdout(client, NULL), "here\n");
}

/* Nobody can say how long a random time is; but how long it is at most. */
static void after_times_that_grow_up_to_a_limit(void **state)
{
    const int retries = 3;
    uint16_t port;
    struct kit_process *client;
    const char *text;
    double limit = 0.5;

    (void)state;
    kit_bind(SOCK_STREAM, &port);
    client = kit_run("pollspin", "--reconnect", kit_target(port), NULL);
    await_retries(client, retries);
    text = kit_stderr(client);
    for (int i = 0; i < retries; i++, limit *= 2) {
        text = strstr(text, again) + strlen(again);
        assert_true(strtod(text, NULL) <= limit + 0.05);
    }
    kit_signal(client, SIGTERM);
    assert_int_equal(kit_end(client), 128 + SIGTERM);
}

static void with_no_descriptor_lost(void **state)
{
    const int times = 3;
    uint16_t port;
    int listener = kit_listen(&port);
    struct kit_process *client = kit_run("pollspin", "--reconnect", kit_target(port), NULL);
    int server = kit_accept(listener);
    int count;

    (void)state;
    kit_send(server, "0\n", 2);
    kit_await_lines(client, 1);
    count = kit_descriptors(kit_pid(client));
    for (int i = 0; i < times; i++) {
        close(server);
        server = kit_accept(listener);
        kit_send(server, "1\n", 2);
        kit_await_lines(client, i + 2);
    }
    assert_int_equal(kit_descriptors(kit_pid(client)), count);
}

/* It is not read while there is nobody to send it to, and its end is told to each server. */
static void with_the_rest_of_the_input(void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    struct kit_process *client = kit_run("pollspin", "--reconnect", kit_target(port), NULL);
    int server = kit_accept(listener);
    char bytes[4];

    (void)state;
    kit_type(client, "one\n");
    kit_receive_all(server, bytes, 4);
    assert_memory_equal(bytes, "one\n", 4);
    kit_send(server, "x\n", 2);
    kit_await_lines(client, 1);
    close(server);
    await_retries(client, 1);
    kit_type(client, "two\n");
    server = kit_accept(listener);
    kit_receive_all(server, bytes, 4);
    assert_memory_equal(bytes, "two\n", 4);
    kit_type_end(client);
    assert_int_equal(kit_receive(server, bytes, 1), 0);
    close(server);
    server = kit_accept(listener);
    assert_int_equal(kit_receive(server, bytes, 1), 0);
}

/* The spinner turns, and behind it stands what it waits for; the line that had begun is ended. */
static void on_a_terminal_too(void **state)
{
    char path[200];
    char target[220];
    const char *argv[] = {"pollspin", "--plain", "--reconnect", "--lines=2", target, NULL};
    struct kit_terminal *terminal;
    int listener;
    int server;
    int row;

    (void)state;
    snprintf(path, sizeof path, "%s/socket", kit_folder());
    snprintf(target, sizeof target, "unix:%s", path);
    listener = kit_listen_unix(path);
    terminal = kit_terminal(24, 200, argv);
    server = kit_accept(listener);
    kit_send(server, "one\npart", 8);
    kit_await_row(terminal, "partial: part");
    close(listener); /* for a while: one random time can be too short to be seen */
    close(server);
    row = kit_await_row(terminal, again);
    assert_int_equal(row, 2);
    assert_non_null(strstr(kit_row(terminal, row), target));
    assert_string_equal(kit_row(terminal, 0), "one");
    assert_string_equal(kit_row(terminal, 1), "part");
    assert_int_equal(unlink(path), 0);
    server = kit_accept(kit_listen_unix(path));
    kit_send(server, "two\n", 4);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 2), "two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(to_a_server_that_comes_back, kit_cleanup),
        cmocka_unit_test_teardown(to_a_server_that_comes_late, kit_cleanup),
        cmocka_unit_test_teardown(after_times_that_grow_up_to_a_limit, kit_cleanup),
        cmocka_unit_test_teardown(with_no_descriptor_lost, kit_cleanup),
        cmocka_unit_test_teardown(with_the_rest_of_the_input, kit_cleanup),
        cmocka_unit_test_teardown(on_a_terminal_too, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
