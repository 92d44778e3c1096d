/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sixty clients at once on one server, each with its own schedule, and one of them stalled: every
 * tick of the other fifty-nine comes, in its time.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/backends.h"

enum { CLIENTS = 60, TICKS = 20, LINE = 25, STALLED = 17 };

#define INTERVAL (100 * CLOCK_MILLISECOND)

struct client {
    int64_t asked; /* before it connected: no tick may be earlier than counted from here */
    int64_t first; /* when its first line came */
    int lines;
    size_t part; /* of a line that is not whole yet */
};

static struct client clients[CLIENTS];
static struct pollfd pollfds[CLIENTS];

/* Notes the lines in N bytes; returns the lateness of the latest, against the client's schedule. */
static int64_t note(struct client *client, size_t n)
{
    int64_t late = 0;

    for (client->part += n; client->part >= LINE; client->part -= LINE) {
        if (client->lines == 0)
            client->first = clock_now();
        assert_true(clock_now() >= client->asked + client->lines * INTERVAL);
        late = clock_now() - (client->first + client->lines * INTERVAL);
        client->lines++;
    }
    return late;
}

static bool is_done(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (i != STALLED && clients[i].lines <= TICKS)
            return false;
    return true;
}

static int64_t read_what_comes(void)
{
    int64_t worst = 0;
    char bytes[1000];

    assert_true(poll(pollfds, CLIENTS, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)) > 0);
    for (int i = 0; i < CLIENTS; i++)
        if (pollfds[i].revents) {
            ssize_t n = recv(pollfds[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
            int64_t late;

            assert_true(n > 0);
            late = note(&clients[i], (size_t)n);
            worst = late > worst ? late : worst;
        }
    return worst;
}

/* The stalled one has hardly a buffer, and floods the server with what it does not read. */
static void stall(int fd)
{
    static char flood[64 * 1024];
    int size = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    send(fd, flood, sizeof flood, MSG_DONTWAIT);
}

static void everybody_else_is_on_time(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *server;
    uint16_t port;
    int64_t worst = 0;

    server = kit_server(&port, "-q", "-b", backend, "-i", "0.1", "delay@0", NULL);
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].asked = clock_now();
        pollfds[i] = (struct pollfd){.fd = kit_connect(port), .events = POLLIN};
    }
    stall(pollfds[STALLED].fd);
    pollfds[STALLED].fd = -1 - pollfds[STALLED].fd; /* poll(2) passes over it */
    while (!is_done()) {
        int64_t late = read_what_comes();

        worst = late > worst ? late : worst;
    }
    print_message("%s: %d clients, one stalled: %d ticks each, %.1f ms late at worst\n", backend,
                  CLIENTS, TICKS, (double)worst / 1e6);
    if (!kit_is_instrumented())
        assert_true(worst < 5 * INTERVAL);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "delayserver: 60 connections");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(everybody_else_is_on_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
