/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The print service writes what clients send in whole lines, its controls shown and never obeyed;
 * nothing is lost, also where nobody reads its standard output for a while.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/backends.h"

static struct kit_process *print_server(void **state, uint16_t *port)
{
    return kit_server(port, "-q", "-b", backend_of(state), "print@0", NULL);
}

static void controls_are_shown(void **state)
{
    static const char bytes[] = "a\033[2Jb\a\n\302\2331m\n\377\0c\r\n";
    struct kit_process *server;
    uint16_t port;

    server = print_server(state, &port);
    kit_send(kit_connect(port), bytes, sizeof bytes - 1);
    kit_await_stdout(server, "a^[[2Jb^G\n<U+009B>1m\n<FF>^@c\n");
}

static void last_line_needs_no_newline(void **state)
{
    struct kit_process *server;
    uint16_t port;
    char byte;
    int fd;

    server = print_server(state, &port);
    fd = kit_connect(port);
    kit_send(fd, "partial \303", 9);
    shutdown(fd, SHUT_WR);
    assert_int_equal(kit_receive(fd, &byte, 1), 0);
    kit_await_stdout(server, "partial <C3>\n");
}

static void lines_of_two_clients_do_not_mix(void **state)
{
    struct kit_process *server;
    uint16_t port;
    int a;
    int b;

    server = print_server(state, &port);
    a = kit_connect(port);
    b = kit_connect(port);
    kit_send(a, "one ", 4);
    kit_send(b, "first\n", 6);
    kit_await_stdout(server, "first\n");
    kit_send(a, "line\n", 5);
    kit_await_stdout(server, "\nfirst\none line\n");
}

static void long_line_comes_in_pieces(void **state)
{
    enum { PIECE = 4096 };
    static char bytes[PIECE + 10];
    static char expected[PIECE + 20];
    struct kit_process *server;
    uint16_t port;

    server = print_server(state, &port);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes + PIECE - 1, "\303\244", 2); /* a character across the cut */
    bytes[sizeof bytes - 1] = '\n';
    memset(expected, 'x', PIECE - 1);
    strcpy(expected + PIECE - 1, "\\\n\303\244xxxxxxxx\n");
    kit_send(kit_connect(port), bytes, sizeof bytes);
    kit_await_stdout(server, expected);
}

static int number_line(char line[100], int n)
{
    return snprintf(line, 100, "this is line %d of a flood\n", n);
}

/* Sends numbered lines until the server takes no more. Returns how many; the last one may have been
 * taken in part. */
static int send_lines(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    char line[100];
    int n = 0;

    while (poll(&pollfd, 1, 300) > 0) {
        int length = number_line(line, n);
        ssize_t sent = send(fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0)
            continue;
        n++;
        if (sent < length)
            break;
    }
    return n;
}

static void stalled_output_makes_clients_wait(void **state)
{
    enum { BOUND = 4 * 1024 * 1024 };
    struct kit_process *server;
    uint16_t port;
    size_t before;
    const char *at;
    int sent;
    int fd;

    server = print_server(state, &port);
    before = kit_memory(kit_pid(server));
    kit_stall_stdout(server, 1);
    fd = kit_connect(port);
    sent = send_lines(fd);
    if (!kit_is_instrumented())
        assert_true(kit_memory(kit_pid(server)) < before + BOUND);
    shutdown(fd, SHUT_WR);
    kit_stall_stdout(server, 0);
    kit_await_lines(server, sent);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    at = strstr(kit_stdout(server, NULL), "this is line");
    for (int i = 0; i < sent - 1; i++) {
        char line[100];
        int length = number_line(line, i);

        assert_memory_equal(at, line, (size_t)length);
        at += length;
    }
    print_message("%d lines waited\n", sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(controls_are_shown),
        ON_EVERY_BACKEND(last_line_needs_no_newline),
        ON_EVERY_BACKEND(lines_of_two_clients_do_not_mix),
        ON_EVERY_BACKEND(long_line_comes_in_pieces),
        ON_EVERY_BACKEND(stalled_output_makes_clients_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
