/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server turn by turn, in a time that stands still: what has to happen at once may not need a
 * timer, and what floods may not have more than its share of a turn.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "service/server.h"

enum { TURNS = 100 };

static struct server *server;
static uint16_t port;

static int64_t standing_clock(void)
{
    return CLOCK_SECOND;
}

/* Always dirty: the loop then only looks. */
static void stay_dirty(void *owner)
{
    loop_mark_dirty(owner);
}

static void start(const char *service)
{
    struct server_options options = {.out_fd = -1, .leash_fd = -1};
    int listener = kit_listen(&port);

    clock_use(standing_clock);
    server = server_new(&options);
    assert_non_null(server);
    assert_int_equal(server_adopt(server, service_find(service), dup(listener)), 0);
    close(listener);
    loop_on_paint(server_loop(server), stay_dirty, server_loop(server));
    loop_mark_dirty(server_loop(server));
}

static void turn(void)
{
    assert_int_equal(loop_turn(server_loop(server)), 0);
}

static int finish(void **state)
{
    server_free(server);
    server = NULL;
    clock_use(NULL);
    return kit_cleanup(state);
}

/* From now on there are COUNT descriptors more. Returns the limit that was. */
static struct rlimit leave_descriptors(rlim_t count)
{
    struct rlimit before;
    struct rlimit limit;
    int lowest = dup(STDIN_FILENO);

    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)lowest + count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

/* Each that leaves makes room, not only the first one in a pause. */
static void whoever_leaves_lets_others_in_at_once(void **state)
{
    enum { CLIENTS = 12, ROOM = 2 };
    const struct server_stats *stats;
    struct rlimit before;
    int fds[CLIENTS];

    (void)state;
    if (getenv("TEST_WRAPPER"))
        kit_skip("valgrind needs descriptors of its own");
    start("echo");
    stats = server_stats(server);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = kit_connect(port);
    before = leave_descriptors(ROOM);
    for (int i = 0; i < TURNS && stats->pauses == 0; i++)
        turn();
    assert_int_equal(stats->connections, ROOM);
    for (int gone = 0; stats->connections < CLIENTS; gone++) {
        uint64_t connections = stats->connections;

        kit_reset(fds[gone]);
        for (int i = 0; i < TURNS && stats->connections == connections; i++)
            turn();
        assert_true(stats->connections > connections);
    }
    assert_int_equal(stats->pauses, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void many_that_flood_get_one_share_of_a_turn(void **state)
{
    enum { CLIENTS = 8, LINES = 32 * 1024, SHARE = CONN_READ_MAX };
    static char lines[LINES];
    const struct server_stats *stats;
    uint64_t printed = 0;

    (void)state;
    memset(lines, '\n', sizeof lines);
    start("print");
    stats = server_stats(server);
    for (int i = 0; i < CLIENTS; i++)
        kit_send(kit_connect(port), lines, sizeof lines);
    for (int i = 0; i < TURNS; i++) {
        turn();
        assert_true(stats->lines_printed - printed <= SHARE);
        printed = stats->lines_printed;
    }
    assert_int_equal(printed, CLIENTS * LINES);
}

/* What was read and not printed when the end came. */
static void end_prints_what_waits_for_its_share(void **state)
{
    enum { CLIENTS = 8, LINES = 32 * 1024 };
    static char lines[LINES];
    const struct server_stats *stats;

    (void)state;
    memset(lines, '\n', sizeof lines);
    start("print");
    stats = server_stats(server);
    for (int i = 0; i < CLIENTS; i++)
        kit_send(kit_connect(port), lines, sizeof lines);
    while (stats->lines_printed == 0)
        turn();
    assert_true(stats->lines_printed < CLIENTS * LINES);
    server_stop(server);
    turn();
    assert_int_equal(stats->lines_printed, stats->bytes_received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whoever_leaves_lets_others_in_at_once, finish),
        cmocka_unit_test_teardown(many_that_flood_get_one_share_of_a_turn, finish),
        cmocka_unit_test_teardown(end_prints_what_waits_for_its_share, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
