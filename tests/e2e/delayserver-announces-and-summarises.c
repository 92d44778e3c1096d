/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What delayserver says on standard output: every listener with its real port, every connection,
 * and a summary when a signal ends it in order.
 */
#include "config.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/backends.h"

static void end_is_in_order_after(int signo, const char *backend)
{
    struct kit_process *server;
    uint16_t port;
    char byte[25];
    int fd;

    server = kit_server(&port, "-b", backend, "-i", "3600", "delay@0", NULL);
    fd = kit_connect(port);
    kit_receive_all(fd, byte, sizeof byte);
    kit_signal(server, signo);
    assert_int_equal(kit_receive(fd, byte, 1), 0);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "delayserver: 1 connections, 1 lines sent, 0 skipped, 0 bytes in, "
                             "25 bytes out\n");
    assert_string_equal(kit_stderr(server), "");
}

static void signals_end_it_in_order(void **state)
{
    const char *backend = backend_of(state);

    end_is_in_order_after(SIGTERM, backend);
    end_is_in_order_after(SIGINT, backend);
    end_is_in_order_after(SIGHUP, backend);
}

static void nohup_keeps_it_alive(void **state)
{
    struct kit_process *server;
    char command[1000];

    (void)state;
    snprintf(command, sizeof command, "trap '' HUP; exec %s delay@0", kit_program("delayserver"));
    server = kit_run("sh", "-c", command, NULL);
    kit_port(server, "delay");
    kit_signal(server, SIGHUP);
    close(kit_connect(kit_port(server, "delay")));
    kit_await_stdout(server, "Got connection from ");
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
}

static void every_listener_is_announced(void **state)
{
    struct kit_process *server =
        kit_server(NULL, "delay@127.0.0.1:0", "echo@127.0.0.1:0", "print@0.0.0.0:0", NULL);
    char line[100];

    (void)state;
    snprintf(line, sizeof line, "delay listening on 127.0.0.1:%u\n", kit_port(server, "delay"));
    kit_await_stdout(server, line);
    snprintf(line, sizeof line, "echo listening on 127.0.0.1:%u\n", kit_port(server, "echo"));
    kit_await_stdout(server, line);
    kit_await_stdout(server, "print listening on 0.0.0.0:");
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
}

/* Without a host it is loopback in both families, also on a port that the kernel picks. */
static void both_families_have_the_same_port(void **state)
{
    struct kit_process *server;
    uint16_t port;
    char line[100];

    (void)state;
    if (access("/proc/net/if_inet6", R_OK) < 0)
        kit_skip("this machine has no IPv6");
    server = kit_server(&port, "delay@0", NULL);
    snprintf(line, sizeof line, "delay listening on [::1]:%u\n", port);
    kit_await_stdout(server, line);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
}

static void connections_are_logged_by_address(void **state)
{
    struct sockaddr_in local;
    socklen_t length = sizeof local;
    struct kit_process *server;
    uint16_t port;
    char line[100];
    int fd;

    (void)state;
    server = kit_server(&port, "delay@0", NULL);
    fd = kit_connect(port);
    getsockname(fd, (struct sockaddr *)&local, &length);
    snprintf(line, sizeof line, "Got connection from 127.0.0.1:%u\n", ntohs(local.sin_port));
    kit_await_stdout(server, line);
}

static void quiet_keeps_connections_out_of_the_log(void **state)
{
    struct kit_process *server;
    uint16_t port;
    char byte;

    (void)state;
    server = kit_server(&port, "--quiet", "delay@0", NULL);
    kit_receive_all(kit_connect(port), &byte, 1);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "delayserver: 1 connections");
    assert_null(strstr(kit_stdout(server, NULL), "Got connection"));
}

/* An inherited descriptor 1 that is closed must not become a client's. */
static void closed_output_is_an_error(void **state)
{
    struct kit_process *server;
    char command[1000];

    (void)state;
    snprintf(command, sizeof command, "exec %s delay@0 >&-", kit_program("delayserver"));
    server = kit_run("sh", "-c", command, NULL);
    kit_await_stderr(server, "delayserver: standard output: Bad file descriptor\n");
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 1);
    assert_string_equal(strchr(kit_stderr(server), '\n'), "\n");
}

/* The reader of the log ends: the ticks go on, with one message. */
static void lost_output_leaves_the_clients_alone(void **state)
{
    struct kit_process *server;
    char command[1000];
    char bytes[20 * 25];
    uint16_t port;

    (void)state;
    snprintf(command, sizeof command,
             "{ %s -i 0.02 delay@127.0.0.1:0; echo status $? >&2; } | head -n 1",
             kit_program("delayserver"));
    server = kit_run("sh", "-c", command, NULL);
    port = kit_port(server, "delay");
    for (int i = 0; i < 3; i++)
        kit_receive_all(kit_connect(port), bytes, sizeof bytes);
    kit_await_stderr(server, "delayserver: standard output: Broken pipe\n");
    assert_string_equal(strchr(kit_stderr(server), '\n'), "\n");
}

static void print_ends_when_its_output_is_lost(void **state)
{
    struct kit_process *server;
    char command[1000];

    (void)state;
    if (access("/dev/full", W_OK) < 0)
        kit_skip("there is no /dev/full");
    snprintf(command, sizeof command, "exec %s print@0 >/dev/full", kit_program("delayserver"));
    server = kit_run("sh", "-c", command, NULL);
    assert_int_equal(kit_end(server), 1);
    assert_string_equal(kit_stderr(server),
                        "delayserver: standard output: No space left on device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(signals_end_it_in_order),
        cmocka_unit_test_teardown(nohup_keeps_it_alive, kit_cleanup),
        cmocka_unit_test_teardown(every_listener_is_announced, kit_cleanup),
        cmocka_unit_test_teardown(both_families_have_the_same_port, kit_cleanup),
        cmocka_unit_test_teardown(connections_are_logged_by_address, kit_cleanup),
        cmocka_unit_test_teardown(quiet_keeps_connections_out_of_the_log, kit_cleanup),
        cmocka_unit_test_teardown(closed_output_is_an_error, kit_cleanup),
        cmocka_unit_test_teardown(lost_output_leaves_the_clients_alone, kit_cleanup),
        cmocka_unit_test_teardown(print_ends_when_its_output_is_lost, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
