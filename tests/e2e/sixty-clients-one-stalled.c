/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sixty clients at once on one server, each with its own schedule, and one of them stalled: every
 * tick of the other fifty-nine comes, in its time.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/backends.h"

enum { CLIENTS = 60, TICKS = 400, LINE = 25, STALLED = 17 };

#define INTERVAL (10 * CLOCK_MILLISECOND)

struct client {
    int64_t asked; /* before it connected: no tick may be earlier than counted from here */
    int64_t first; /* when its first line came */
    int64_t least; /* how late at least a line of the later half was, against that */
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
        if (client->lines++ > TICKS / 2 && late < client->least)
            client->least = late;
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

static struct kit_process *start(const char *backend, uint16_t *port, char path[300])
{
    char place[400];

    snprintf(path, 300, "%s/socket", kit_folder());
    snprintf(place, sizeof place, "delay@unix:%s", path);
    return kit_server(port, "-q", "-b", backend, "-i", "0.01", "delay@127.0.0.1:0", place, NULL);
}

/* The stalled one comes over a unix socket, which holds some hundred lines: then it is behind. (TCP
 * would take megabytes.) poll(2) passes over a negative descriptor. */
static void connect_all(uint16_t port, const char *path)
{
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].asked = clock_now();
        clients[i].least = INT64_MAX;
        pollfds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (i == STALLED)
            kit_connect_unix(path);
        else
            pollfds[i].fd = kit_connect(port);
    }
}

static unsigned long number_before(const char *text, const char *word)
{
    const char *at = strstr(text, word);

    assert_non_null(at);
    while (at[-1] >= '0' && at[-1] <= '9')
        at--;
    return strtoul(at, NULL, 10);
}

/* A line that was lost would make every later one an interval late, so the least lateness of the
 * later half tells; an interval or ten are for a machine that has other things to do. One that has
 * very many makes the server skip ticks of the others too, and say so: those are not lost. */
static void everybody_else_is_on_time(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *server;
    char path[300];
    uint16_t port;
    int64_t worst = 0;
    int64_t least = 0;
    int64_t skipped;

    server = start(backend, &port, path);
    connect_all(port, path);
    while (!is_done()) {
        int64_t late = read_what_comes();

        worst = late > worst ? late : worst;
    }
    for (int i = 0; i < CLIENTS; i++)
        if (i != STALLED && clients[i].least > least)
            least = clients[i].least;
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "delayserver: 60 connections");
    skipped = (int64_t)number_before(kit_stdout(server, NULL), " skipped");
    print_message("%s: 60 clients, 1 of them stalled: %d ticks each, %.1f ms late at worst; %lld "
                  "skipped\n",
                  backend, TICKS, (double)worst / 1e6, (long long)skipped);
    assert_true(skipped > 0);
    if (!kit_is_instrumented())
        assert_true(least < (10 + (skipped > TICKS ? skipped - TICKS : 0)) * INTERVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(everybody_else_is_on_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
