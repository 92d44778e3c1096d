/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --max-clients: the others wait in the backlog, over all services, and are let in one by one as
 * somebody leaves; the log says so once.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "e2e/backends.h"

enum { LIMIT = 3, CLIENTS = 8, LINE = 25 };

static void clients_beyond_it_wait(void **state)
{
    struct kit_process *server;
    uint16_t port;
    int fds[CLIENTS];
    char line[LINE];
    const char *notice;

    server = kit_server(&port, "-b", backend_of(state), "-i", "3600", "--max-clients=3", "delay@0",
                        "echo@0", NULL);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = kit_connect(port);
    for (int i = 0; i < LIMIT; i++)
        kit_receive_all(fds[i], line, LINE);
    kit_await_stdout(server, "3 at once is the limit of clients: new ones wait until one leaves\n");
    for (int i = LIMIT; i < CLIENTS; i++) {
        struct pollfd pollfd = {.fd = fds[i], .events = POLLIN};

        assert_int_equal(poll(&pollfd, 1, 0), 0);
        kit_reset(fds[i - LIMIT]);
        kit_receive_all(fds[i], line, LINE);
    }
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    notice = strstr(kit_stdout(server, NULL), "is the limit");
    assert_null(strstr(notice + 1, "is the limit"));
}

/* The limit is over all services: a client of one keeps those of the other waiting. */
static void limit_is_over_all_services(void **state)
{
    struct kit_process *server;
    char answer[3];
    char line[LINE];
    int delay;
    int echo;

    server = kit_server(NULL, "-b", backend_of(state), "-i", "3600", "--max-clients=1", "delay@0",
                        "echo@0", NULL);
    delay = kit_connect(kit_port(server, "delay"));
    kit_receive_all(delay, line, LINE);
    echo = kit_connect(kit_port(server, "echo"));
    kit_send(echo, "now", 3);
    kit_reset(delay);
    kit_receive_all(echo, answer, 3);
    assert_memory_equal(answer, "now", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(clients_beyond_it_wait),
        ON_EVERY_BACKEND(limit_is_over_all_services),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
