/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The delay service sends asctime(3) text at once, and then at the client's connect time plus
 * 1, 2, 3 ... intervals: never early, and without a delay that adds up.
 */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/backends.h"

enum { LINE = 25, TICKS = 60 };

#define INTERVAL (40 * CLOCK_MILLISECOND)

static void receive_line(int fd, char line[LINE + 1])
{
    kit_receive_all(fd, line, LINE);
    line[LINE] = '\0';
}

/* What asctime makes of a second between the two is what was to be sent. */
static void assert_is_asctime_between(const char *line, time_t first, time_t last)
{
    for (time_t second = first; second <= last; second++)
        if (strcmp(asctime(localtime(&second)), line) == 0)
            return;
    fail_msg("not the time of day: %s", line);
}

static void first_line_is_the_time_of_day(void **state)
{
    const char *backend = backend_of(state);
    uint16_t port;
    char line[LINE + 1];
    time_t before = clock_wall().tv_sec;

    kit_env("TZ", "UTC+3:17");
    kit_env("LC_ALL", "de_DE.UTF-8");
    setenv("TZ", "UTC+3:17", 1);
    tzset();
    kit_server(&port, "-b", backend, "-i", "3600", "delay@0", NULL);
    receive_line(kit_connect(port), line);
    assert_is_asctime_between(line, before, clock_wall().tv_sec); /* time(2) is a tick behind */
}

/* How late the ticks came, counted from the first one. */
struct lateness {
    int64_t last;
    int64_t least[2]; /* in the first half of them, and in the second */
    int64_t worst;
    int64_t left_out; /* how many ticks may have been: there was a gap for them */
};

static void lateness_note(struct lateness *lateness, int tick, int64_t late)
{
    int64_t *least = &lateness->least[tick > TICKS / 2];

    if (late - lateness->last > INTERVAL * 3 / 4)
        lateness->left_out += (late - lateness->last + INTERVAL / 4) / INTERVAL;
    lateness->last = late;
    lateness->worst = late > lateness->worst ? late : lateness->worst;
    *least = late < *least ? late : *least;
}

/* A machine that is busy is late now and then; one that drifts is late every time, so the least
 * lateness grows. A server that did not run for an interval leaves a tick out: what remains is late
 * by a whole one then. */
static void assert_no_drift(const struct lateness *lateness)
{
    int64_t grown = lateness->least[1] - lateness->least[0];
    int64_t intervals = (grown + INTERVAL / 2) / INTERVAL;

    assert_in_range(intervals, 0, lateness->left_out);
    assert_true(llabs(grown - intervals * INTERVAL) < INTERVAL / 4);
}

static void ticks_come_at_their_times(void **state)
{
    const char *backend = backend_of(state);
    struct lateness lateness = {.least = {INT64_MAX, INT64_MAX}};
    uint16_t port;
    char line[LINE + 1];
    int64_t asked, first;
    int fd;

    kit_server(&port, "-b", backend, "--interval=0.04", "delay@0", NULL);
    asked = clock_now();
    fd = kit_connect(port);
    receive_line(fd, line);
    first = clock_now();
    for (int k = 1; k <= TICKS; k++) {
        receive_line(fd, line);
        lateness_note(&lateness, k, clock_now() - (first + k * INTERVAL));
        assert_true(clock_now() >= asked + k * INTERVAL);
    }
    print_message("%s: %d ticks, %.1f ms late at worst, %d may be left out\n", backend, TICKS,
                  (double)lateness.worst / 1e6, (int)lateness.left_out);
    assert_no_drift(&lateness);
}

/* nc -N, or any pipe into a client: it sends no more, and wants to see the ticks. */
static void half_closed_client_gets_ticks(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *server;
    uint16_t port;
    char line[LINE + 1];
    int fd;

    server = kit_server(&port, "-b", backend, "-i", "0.02", "delay@0", NULL);
    fd = kit_connect(port);
    kit_send(fd, "nobody reads this\n", 18);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 10; i++)
        receive_line(fd, line);
    close(fd);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, "18 bytes in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(first_line_is_the_time_of_day),
        ON_EVERY_BACKEND(ticks_come_at_their_times),
        ON_EVERY_BACKEND(half_closed_client_gets_ticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
