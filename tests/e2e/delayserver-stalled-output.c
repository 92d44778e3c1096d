/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nobody reads delayserver's standard output: its clients do not notice, the log has a gap that is
 * counted, and the summary still comes out.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e/backends.h"

/* More lines of log than a pipe and the queue hold. */
enum { CONNECTIONS = 5000, LINE = 25 };

static void clients_are_served_meanwhile(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *server;
    uint16_t port;
    char line[LINE];
    int ticking;

    server = kit_server(&port, "-b", backend, "-i", "0.02", "delay@0", NULL);
    kit_stall_stdout(server, 1);
    ticking = kit_connect(port);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = kit_connect(port);

        kit_receive_all(fd, line, LINE);
        kit_reset(fd);
        if (i % 100 == 0)
            kit_receive_all(ticking, line, LINE);
    }
    kit_stall_stdout(server, 0);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "delayserver: 5001 connections");
    kit_await_stdout(server, " log lines dropped\n");
}

/* Stalled for good: it ends all the same. */
static void end_does_not_wait_for_ever(void **state)
{
    struct kit_process *server;
    uint16_t port;
    char line[LINE];

    server = kit_server(&port, "-b", backend_of(state), "-i", "3600", "delay@0", NULL);
    kit_stall_stdout(server, 1);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = kit_connect(port);

        kit_receive_all(fd, line, LINE);
        kit_reset(fd);
    }
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(clients_are_served_meanwhile),
        ON_EVERY_BACKEND(end_does_not_wait_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
