/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * However pollspin ends, its exit status and one line on standard error say how.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

static void assert_stdout(struct kit_process *client, const char *text)
{
    assert_string_equal(kit_stdout(client, NULL), text);
}

static void closed_in_order_is_0(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    kit_send(server, "one\ntwo\n", 8);
    close(server);
    kit_end_saying(client, 0, "closed by the server after 2 lines, 8 bytes");
    assert_stdout(client, "one\ntwo\n");
}

static void the_lines_asked_for_are_0_and_all_that_is_shown(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, "--lines", "2", NULL);

    (void)state;
    kit_send(server, "one\ntwo\nthree\nfo", 16);
    kit_end_saying(client, 0, ": 2 lines shown");
    assert_stdout(client, "one\ntwo\n");
}

static void a_port_without_a_server_is_3(void **state)
{
    uint16_t port;

    (void)state;
    kit_bind(SOCK_STREAM, &port);
    kit_end_saying(kit_run("pollspin", kit_target(port), NULL), 3, "Connection refused");
}

static void a_path_without_a_socket_is_3(void **state)
{
    char target[300];

    (void)state;
    snprintf(target, sizeof target, "unix:%s/none", kit_folder());
    kit_end_saying(kit_run("pollspin", target, NULL), 3, "No such file or directory");
}

static void a_name_server_that_is_silent_is_4(void **state)
{
    uint16_t port;

    (void)state;
    kit_bind(SOCK_DGRAM, &port);
    kit_end_saying(kit_run("pollspin", "--name-server", kit_target(port), "--connect-timeout",
                           "0.3", "silent.example:7", NULL),
                   4, "timed out after 0.3 s while looking up silent.example");
}

/* Answers one question, where one comes soon, that there is no such name: RFC 1035, section 4.1.1.
 */
static void deny_name(int fd)
{
    unsigned char message[512];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct timeval soon = {.tv_usec = 5000};
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    n = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &length);
    if (n < 12)
        return;
    message[2] = 0x81; /* an answer, and recursion was desired */
    message[3] = 0x83; /* recursion is available; NXDOMAIN */
    assert_int_equal(sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&from, length), n);
}

static void a_name_that_does_not_exist_is_3(void **state)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    uint16_t port;
    int fd = kit_bind(SOCK_DGRAM, &port);
    struct kit_process *client =
        kit_run("pollspin", "--name-server", kit_target(port), "nobody.example:7", NULL);

    (void)state;
    while (!strchr(kit_stderr(client), '\n') && clock_now() < deadline)
        deny_name(fd);
    kit_end_saying(client, 3, "cannot connect: nobody.example: ");
}

static void a_reset_at_once_is_5(void **state)
{
    const int times = kit_is_instrumented() ? 3 : 20;

    for (int i = 0; i < times; i++) {
        int server;
        struct kit_process *client = kit_client(&server, NULL);

        kit_reset(server);
        kit_end_saying(client, 5, "reset");
        kit_cleanup(state);
    }
}

/* connect(2) is made to return so late that the reset is there before anybody can look. */
static void a_reset_before_the_first_look_is_5(void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    struct kit_process *client;

    (void)state;
    if (!kit_has("strace"))
        kit_skip("strace is not installed");
    kit_env("ASAN_OPTIONS", "detect_leaks=0"); /* it cannot look for leaks under a tracer */
    client = kit_run("strace", "-o", "/dev/null", "-e", "trace=connect", "-e",
                     "inject=connect:delay_exit=300000", kit_program("pollspin"), kit_target(port),
                     NULL);
    kit_reset(kit_accept(listener));
    kit_end_saying(client, 5, "reset");
}

static void data_before_a_reset_is_shown(void **state)
{
    const int times = kit_is_instrumented() ? 3 : 20;

    for (int i = 0; i < times; i++) {
        int server;
        struct kit_process *client = kit_client(&server, NULL);

        kit_send(server, "one\ntw", 6);
        kit_reset(server);
        kit_end_saying(client, 5, "reset");
        assert_stdout(client, "one\ntw");
        kit_cleanup(state);
    }
}

/* The data and the reset come while the client looks whether it is connected, at each of the calls
 * that it looks with. It stands in that call for a while, which nobody can see from here: so they
 * are sent in the middle of that time. Coming at another moment, they still have to be shown. */
static void data_before_a_reset_is_shown_whenever_they_come(void **state)
{
    static const char *const calls[] = {"getpeername:delay_enter", "getpeername:delay_exit",
                                        "ioctl:delay_enter", "getsockopt:delay_enter"};

    if (!kit_has("strace"))
        kit_skip("strace is not installed");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct kit_process *client;
        char inject[80];
        uint16_t port;
        int listener = kit_listen(&port);
        int server;

        snprintf(inject, sizeof inject, "inject=%s=200000", calls[i]);
        kit_env("ASAN_OPTIONS", "detect_leaks=0"); /* it cannot look for leaks under a tracer */
        client = kit_run("strace", "-o", "/dev/null", "-e", "trace=getpeername,ioctl,getsockopt",
                         "-e", inject, kit_program("pollspin"), kit_target(port), NULL);
        server = kit_accept(listener);
        poll(NULL, 0, 100);
        kit_send(server, "one\ntw", 6);
        kit_reset(server);
        kit_end_saying(client, 5, "reset");
        assert_stdout(client, "one\ntw");
        kit_cleanup(state);
    }
}

static void a_reset_after_data_says_how_much_came(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_stdout(client, "one\n");
    kit_reset(server);
    kit_end_saying(client, 5, "connection reset by the server after 1 line, 4 bytes");
}

static void a_full_disk_is_1(void **state)
{
    int server;
    struct kit_process *client =
        kit_client_in_shell(&server, "exec \"$0\" \"$@\" >/dev/full", NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_end_saying(client, 1, "standard output: No space left on device");
}

static void a_full_disk_with_the_last_line_is_1(void **state)
{
    int server;
    struct kit_process *client =
        kit_client_in_shell(&server, "exec \"$0\" \"$@\" >/dev/full", "--lines", "1", NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_end_saying(client, 1, "standard output: No space left on device");
}

static void a_closed_output_is_1(void **state)
{
    int server;
    struct kit_process *client = kit_client_in_shell(&server, "exec \"$0\" \"$@\" >&-", NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_end_saying(client, 1, "standard output: Bad file descriptor");
}

/* The shell opens both ends of the pipe, and only the one to write goes on. */
static void a_pipe_that_nobody_reads_is_1(void **state)
{
    char path[300];
    int server;
    struct kit_process *client;

    (void)state;
    snprintf(path, sizeof path, "%s/pipe", kit_folder());
    assert_int_equal(mkfifo(path, 0600), 0);
    kit_env("PIPE", path);
    client = kit_client_in_shell(&server, "exec 3<>\"$PIPE\" 1>\"$PIPE\" 3<&-; exec \"$0\" \"$@\"",
                                 NULL);
    kit_send(server, "one\n", 4);
    kit_end_saying(client, 1, "standard output: Broken pipe");
}

static void a_signal_ends_it_by_that_signal(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int server;
        struct kit_process *client = kit_client(&server, NULL);
        char text[64];

        snprintf(text, sizeof text, "ended by signal %d (", signals[i]);
        kit_send(server, "on\n", 3);
        kit_await_stdout(client, "on\n");
        kit_signal(client, signals[i]);
        kit_end_saying(client, 128 + signals[i], text);
        kit_cleanup(state);
    }
}

static void a_signal_ends_a_look_up_too(void **state)
{
    uint16_t port;
    int fd = kit_bind(SOCK_DGRAM, &port);
    struct kit_process *client =
        kit_run("pollspin", "--name-server", kit_target(port), "silent.example:7", NULL);
    char question[512];

    (void)state;
    assert_true(recv(fd, question, sizeof question, 0) > 0);
    kit_signal(client, SIGTERM);
    kit_end_saying(client, 128 + SIGTERM, "ended by signal");
}

static void a_hang_up_that_nohup_ignores_is_ignored(void **state)
{
    int server;
    struct kit_process *client =
        kit_client_in_shell(&server, "trap '' HUP; exec \"$0\" \"$@\"", NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_stdout(client, "one\n");
    kit_signal(client, SIGHUP);
    kit_send(server, "two\n", 4);
    kit_await_stdout(client, "two\n");
    close(server);
    kit_end_saying(client, 0, "closed by the server");
}

static void a_backend_that_does_not_exist_is_2(void **state)
{
    (void)state;
    kit_env("POLLSPIN_BACKEND", "telepathy");
    kit_end_saying(kit_run("pollspin", "localhost:9", NULL), 2, "no backend 'telepathy'");
}

int main(void)
{
    const struct rlimit no_core = {0};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(closed_in_order_is_0, kit_cleanup),
        cmocka_unit_test_teardown(the_lines_asked_for_are_0_and_all_that_is_shown, kit_cleanup),
        cmocka_unit_test_teardown(a_port_without_a_server_is_3, kit_cleanup),
        cmocka_unit_test_teardown(a_path_without_a_socket_is_3, kit_cleanup),
        cmocka_unit_test_teardown(a_name_server_that_is_silent_is_4, kit_cleanup),
        cmocka_unit_test_teardown(a_name_that_does_not_exist_is_3, kit_cleanup),
        cmocka_unit_test_teardown(a_reset_at_once_is_5, kit_cleanup),
        cmocka_unit_test_teardown(a_reset_before_the_first_look_is_5, kit_cleanup),
        cmocka_unit_test_teardown(data_before_a_reset_is_shown, kit_cleanup),
        cmocka_unit_test_teardown(data_before_a_reset_is_shown_whenever_they_come, kit_cleanup),
        cmocka_unit_test_teardown(a_reset_after_data_says_how_much_came, kit_cleanup),
        cmocka_unit_test_teardown(a_full_disk_is_1, kit_cleanup),
        cmocka_unit_test_teardown(a_full_disk_with_the_last_line_is_1, kit_cleanup),
        cmocka_unit_test_teardown(a_closed_output_is_1, kit_cleanup),
        cmocka_unit_test_teardown(a_pipe_that_nobody_reads_is_1, kit_cleanup),
        cmocka_unit_test_teardown(a_signal_ends_it_by_that_signal, kit_cleanup),
        cmocka_unit_test_teardown(a_signal_ends_a_look_up_too, kit_cleanup),
        cmocka_unit_test_teardown(a_hang_up_that_nohup_ignores_is_ignored, kit_cleanup),
        cmocka_unit_test_teardown(a_backend_that_does_not_exist_is_2, kit_cleanup),
    };

    setrlimit(RLIMIT_CORE, &no_core);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
