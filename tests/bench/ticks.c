/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Are the ticks on time? Sixty clients of one delayserver, which came at sixty different moments,
 * and one more that never reads; each tick is compared with its client's own schedule: the moment
 * of its first line plus k intervals.
 *
 *     make bench        prints the table that README quotes
 *
 * The lateness has that of the first line in it, and of this process in reading; nothing is
 * asserted.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { CLIENTS = 60, TICKS = 50 };

#define INTERVAL_TEXT "0.2"
#define INTERVAL      (200 * CLOCK_MILLISECOND)

struct lateness {
    int64_t first; /* when its first line came */
    int ticks;
    int64_t worst;
    int64_t sum;
};

static void note_line(struct lateness *client, int64_t now)
{
    int64_t late;

    if (client->first == 0) {
        client->first = now;
        return;
    }
    client->ticks++;
    late = now - (client->first + client->ticks * INTERVAL);
    client->sum += late;
    if (late > client->worst)
        client->worst = late;
}

static void read_lines(int fd, struct lateness *client)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);
    int64_t now = clock_now();

    assert_true(n > 0);
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] == '\n')
            note_line(client, now);
}

/* Reads until the slowest has had its ticks. */
static void gather(struct pollfd *fds, struct lateness *clients)
{
    int done = 0;

    while (done < CLIENTS) {
        assert_true(poll(fds, CLIENTS, 60000) > 0);
        done = 0;
        for (int i = 0; i < CLIENTS; i++) {
            if (fds[i].revents != 0)
                read_lines(fds[i].fd, &clients[i]);
            done += clients[i].ticks >= TICKS;
        }
    }
}

static void print_row(const char *backend, const struct lateness *clients, int64_t cpu)
{
    int64_t worst = 0;
    int64_t sum = 0;
    int ticks = 0;

    for (int i = 0; i < CLIENTS; i++) {
        worst = clients[i].worst > worst ? clients[i].worst : worst;
        sum += clients[i].sum;
        ticks += clients[i].ticks;
    }
    printf("%-8s %6d %11.2f ms %11.2f ms %8.2f s\n", backend, ticks,
           (double)sum / ticks / (double)CLOCK_MILLISECOND,
           (double)worst / (double)CLOCK_MILLISECOND, (double)cpu / (double)CLOCK_SECOND);
    fflush(stdout);
}

static void measure(const char *backend)
{
    struct pollfd fds[CLIENTS];
    struct lateness clients[CLIENTS];
    struct kit_process *server;
    uint16_t port;

    memset(clients, 0, sizeof clients);
    server = kit_server(&port, "-q", "-b", backend, "-i", INTERVAL_TEXT, "delay@0", NULL);
    kit_connect(port); /* reads nothing */
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = (struct pollfd){.fd = kit_connect(port), .events = POLLIN};
        read_lines(fds[i].fd, &clients[i]);
        poll(NULL, 0, 3); /* another moment for each */
    }
    gather(fds, clients);
    print_row(backend, clients, kit_cpu(kit_pid(server)));
    kit_cleanup(NULL);
}

static void bench(void **state)
{
    static const char *const backends[] = {"epoll", "poll", "select"};

    (void)state;
    printf("%-8s %6s %14s %14s %10s\n", "backend", "ticks", "mean lateness", "worst", "processor");
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        measure(backends[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(bench, kit_cleanup)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
