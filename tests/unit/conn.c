/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: what one wants as a table, without a descriptor; then one end in the loop and the
 * other in the test's hands, once for each backend.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"
#include "net/conn.h"
#include "unit/turns.h"

enum { QUEUE = 1 << 18, MANY = 3 << 18 };

/* A connection and what it told. */
struct end {
    struct loop *loop;
    struct conn conn;
    int peer;
    char bytes[256];
    size_t received;
    int ends;
    int drained;
    int closed;
    int error;
    void (*refill)(struct end *end);
    bool pause_at_data;
    bool close_at_data;
};

static void end_on_data(void *owner, const char *bytes, size_t n)
{
    struct end *end = owner;

    assert_int_equal(end->ends, 0);
    assert_false(end->conn.is_paused);
    assert_true(n > 0 && n <= CONN_READ_MAX);
    for (size_t i = 0; i < n; i++, end->received++)
        if (end->received < sizeof end->bytes)
            end->bytes[end->received] = bytes[i];
    if (end->pause_at_data)
        conn_pause(&end->conn, true);
    if (end->close_at_data)
        conn_close(&end->conn);
}

static void end_on_end(void *owner)
{
    struct end *end = owner;

    assert_int_equal(end->closed, 0);
    end->ends++;
}

static void end_on_drained(void *owner)
{
    struct end *end = owner;

    assert_int_equal(end->closed, 0);
    assert_true(buf_is_empty(&end->conn.queue));
    end->drained++;
    if (end->refill)
        end->refill(end);
}

static void end_on_closed(void *owner, int error)
{
    struct end *end = owner;

    end->closed++;
    end->error = error;
}

static const struct conn_events end_events = {
    .on_data = end_on_data,
    .on_end = end_on_end,
    .on_drained = end_on_drained,
    .on_closed = end_on_closed,
};

static void set_small(int fd, int option)
{
    int size = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &size, sizeof size), 0);
}

/* Starts the end over TCP, with the smallest send buffer that the kernel gives. */
static void end_start(struct end *end, void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    int fd = kit_connect(port);

    *end = (struct end){.loop = turns_new(*state)};
    end->peer = kit_accept(listener);
    close(listener);
    set_small(fd, SO_SNDBUF);
    assert_int_equal(conn_start(&end->conn, end->loop, fd, QUEUE, &end_events, end), 0);
}

/* The same over a pair of unix sockets. */
static void end_start_pair(struct end *end, void **state)
{
    int fds[2];

    *end = (struct end){.loop = turns_new(*state)};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    end->peer = fds[1];
    set_small(fds[0], SO_SNDBUF);
    assert_int_equal(conn_start(&end->conn, end->loop, fds[0], QUEUE, &end_events, end), 0);
}

static void end_stop(struct end *end)
{
    if (end->peer >= 0)
        close(end->peer);
    conn_close(&end->conn);
    turns_until(end->loop, end->closed == 1);
    loop_free(end->loop);
}

static void end_reset(struct end *end)
{
    kit_reset(end->peer);
    end->peer = -1;
}

/* ---- without a descriptor ---- */

static void what_is_wanted_is_a_function(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        struct conn conn = {.input = i % 2, .is_paused = i / 2 % 2, .output = i / 4 % 3};
        bool is_queued = i / 12 > 0;
        bool reads = conn.input == CONN_INPUT_OPEN && !conn.is_paused;
        bool writes = is_queued && conn.output != CONN_OUTPUT_SHUT;
        bool hopes = !reads && !writes && !conn.is_paused && conn.input == CONN_INPUT_ENDED &&
                     conn.output != CONN_OUTPUT_SHUT;

        buf_init(&conn.queue, 10);
        if (is_queued)
            assert_int_equal(buf_add(&conn.queue, "x", 1), 0);
        assert_int_equal(conn_want(&conn), (reads ? POLLER_IN : 0) | (writes ? POLLER_OUT : 0) |
                                               (hopes ? POLLER_PRI : 0));
        buf_fini(&conn.queue);
    }
}

static void the_states_have_names(void **state)
{
    (void)state;
    assert_string_equal(conn_input_name(CONN_INPUT_OPEN), "open");
    assert_string_equal(conn_input_name(CONN_INPUT_ENDED), "ended");
    assert_string_equal(conn_output_name(CONN_OUTPUT_OPEN), "open");
    assert_string_equal(conn_output_name(CONN_OUTPUT_DRAINING), "draining");
    assert_string_equal(conn_output_name(CONN_OUTPUT_SHUT), "shut");
}

/* ---- for each backend ---- */

static void data_comes_and_goes(void **state)
{
    struct end end;
    char bytes[8];

    end_start(&end, state);
    watch_name(&end.conn.watch, "tcp");
    kit_send(end.peer, "hello", 5);
    turns_until(end.loop, end.received == 5);
    assert_memory_equal(end.bytes, "hello", 5);
    assert_int_equal(turns_watches(end.loop, "tcp"), 1);
    assert_int_equal(conn_write(&end.conn, "world", 5), 5);
    kit_receive_all(end.peer, bytes, 5);
    assert_memory_equal(bytes, "world", 5);
    assert_int_equal(end.conn.received, 5);
    assert_int_equal(end.conn.sent, 5);
    conn_close(&end.conn);
    assert_int_equal(turns_watches(end.loop, "tcp"), 0);
    end_stop(&end);
    assert_int_equal(end.error, 0);
}

static char pattern(size_t i)
{
    return (char)(i * 7 + i / 251);
}

/* MANY bytes through an end to a reader in the same loop, as fast as the end takes them. */
struct transfer {
    struct end end;
    struct watch reader;
    char *all;
    size_t written;
    size_t drunk;
    bool was_short;
};

static void transfer_write(struct end *end)
{
    struct transfer *transfer = (struct transfer *)end;
    size_t left = MANY - transfer->written;
    size_t room = conn_room(&end->conn);
    ssize_t n;

    if (end->conn.output != CONN_OUTPUT_OPEN)
        return;
    n = conn_write(&end->conn, transfer->all + transfer->written, left);
    assert_true(n >= 0 && (size_t)n >= (room < left ? room : left));
    transfer->written += (size_t)n;
    if ((size_t)n < left)
        transfer->was_short = true;
    else
        conn_finish(&end->conn);
}

static void transfer_drink(void *owner, unsigned ready)
{
    struct transfer *transfer = owner;
    char bytes[10000];
    ssize_t n = recv(transfer->end.peer, bytes, sizeof bytes, MSG_DONTWAIT);

    (void)ready;
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] != pattern(transfer->drunk++))
            fail_msg("byte %zu differs", transfer->drunk - 1);
    if (n == 0) {
        watch_stop(&transfer->reader);
        close(transfer->end.peer);
        transfer->end.peer = -1;
    }
}

static void check_partial_writes(struct transfer *transfer)
{
    struct end *end = &transfer->end;

    transfer->all = malloc(MANY);
    assert_non_null(transfer->all);
    for (size_t i = 0; i < MANY; i++)
        transfer->all[i] = pattern(i);
    end->refill = transfer_write;
    transfer_write(end);
    assert_int_equal(conn_room(&end->conn), 0);
    watch_init(&transfer->reader, transfer_drink, transfer);
    assert_int_equal(watch_start(&transfer->reader, end->loop, end->peer, POLLER_IN), 0);
    turns_until(end->loop, end->closed == 1);
    assert_int_equal(end->error, 0);
    assert_int_equal(end->ends, 1);
    assert_true(transfer->was_short);
    assert_true(end->drained >= 2);
    assert_int_equal(end->conn.sent, MANY);
    assert_int_equal(transfer->drunk, MANY);
    free(transfer->all);
    loop_free(end->loop);
}

static void partial_writes_lose_nothing(void **state)
{
    struct transfer transfer = {.written = 0};

    end_start(&transfer.end, state);
    check_partial_writes(&transfer);
    transfer = (struct transfer){.written = 0};
    end_start_pair(&transfer.end, state);
    check_partial_writes(&transfer);
}

static void the_peer_half_closes_and_still_gets_the_reply(void **state)
{
    struct end end;
    char bytes[8];

    end_start(&end, state);
    kit_send(end.peer, "ask", 3);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.ends == 1);
    assert_int_equal(end.received, 3);
    assert_int_equal(conn_want(&end.conn), POLLER_PRI);
    assert_true(turns_for(end.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(conn_write(&end.conn, "reply", 5), 5);
    conn_finish(&end.conn);
    kit_receive_all(end.peer, bytes, 5);
    assert_int_equal(kit_receive(end.peer, bytes, 1), 0);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.error, 0);
    end_stop(&end);
}

/* select(2) has no word for it: there the next write tells. */
static bool tells_who_has_gone(void **state)
{
    return strcmp(*state, "select") != 0;
}

static void who_has_gone_behind_its_end_is_noticed(void **state)
{
    struct end end;

    end_start_pair(&end, state);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.ends == 1);
    assert_true(conn_is_open(&end.conn));
    close(end.peer);
    end.peer = -1;
    if (!tells_who_has_gone(state))
        conn_write(&end.conn, "anybody?", 8);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.error, EPIPE);
    end_stop(&end);
}

/* A paused owner has not dealt with all that came, and is not to be disturbed. */
static void who_has_gone_is_not_told_in_a_pause(void **state)
{
    struct end end;

    end_start_pair(&end, state);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.ends == 1);
    conn_pause(&end.conn, true);
    close(end.peer);
    end.peer = -1;
    assert_true(turns_for(end.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(end.closed, 0);
    conn_pause(&end.conn, false);
    if (tells_who_has_gone(state)) {
        turns_until(end.loop, end.closed == 1);
        assert_int_equal(end.error, EPIPE);
    }
    end_stop(&end);
}

static void a_reset_behind_the_end_is_noticed(void **state)
{
    struct end end;

    end_start(&end, state);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.ends == 1);
    end_reset(&end);
    if (!tells_who_has_gone(state))
        while (conn_is_open(&end.conn) && end.conn.output == CONN_OUTPUT_OPEN)
            conn_write(&end.conn, "anybody?", 8);
    turns_until(end.loop, end.closed == 1);
    assert_true(end.error == EPIPE || end.error == ECONNRESET);
    end_stop(&end);
}

static void we_half_close_and_still_get_the_reply(void **state)
{
    struct end end;
    char bytes[8];

    end_start(&end, state);
    assert_int_equal(conn_write(&end.conn, "ask", 3), 3);
    conn_finish(&end.conn);
    errno = 0;
    assert_int_equal(conn_write(&end.conn, "more", 4), -1);
    assert_int_equal(errno, EPIPE);
    kit_receive_all(end.peer, bytes, 3);
    assert_int_equal(kit_receive(end.peer, bytes, 1), 0);
    assert_true(conn_is_open(&end.conn));
    kit_send(end.peer, "reply", 5);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.received, 5);
    assert_int_equal(end.ends, 1);
    assert_int_equal(end.error, 0);
    end_stop(&end);
}

static void finishing_waits_for_the_queue(void **state)
{
    struct transfer transfer = {.written = 0};
    struct end *end = &transfer.end;

    end_start(end, state);
    transfer.all = calloc(1, QUEUE);
    assert_non_null(transfer.all);
    assert_int_equal(conn_write(&end->conn, transfer.all, QUEUE), QUEUE);
    conn_finish(&end->conn);
    assert_int_equal(end->conn.output, CONN_OUTPUT_DRAINING);
    while (transfer.drunk < QUEUE) {
        char bytes[4096];
        ssize_t n;

        turns_for(end->loop, 0);
        while ((n = recv(end->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
            transfer.drunk += (size_t)n;
        assert_true(n < 0 || transfer.drunk == QUEUE);
    }
    turns_until(end->loop, end->conn.output == CONN_OUTPUT_SHUT);
    assert_int_equal(end->drained, 1);
    free(transfer.all);
    end_stop(end);
}

static void a_reset_is_told_as_one(void **state)
{
    struct end end;

    end_start(&end, state);
    end_reset(&end);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.error, ECONNRESET);
    assert_int_equal(end.ends, 0);
    end_stop(&end);
}

static void data_before_a_reset_is_read(void **state)
{
    struct end end;

    end_start(&end, state);
    kit_send(end.peer, "last words", 10);
    end_reset(&end);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.received, 10);
    assert_memory_equal(end.bytes, "last words", 10);
    assert_int_equal(end.error, ECONNRESET);
    end_stop(&end);
}

/* send(2) is told of the reset first, and recv(2) then sees a plain end. */
static void data_is_read_also_when_sending_meets_the_reset(void **state)
{
    struct end end;

    end_start(&end, state);
    kit_send(end.peer, "last words", 10);
    end_reset(&end);
    assert_int_equal(conn_write(&end.conn, "x", 1), 1);
    assert_int_equal(end.conn.output, CONN_OUTPUT_SHUT);
    assert_int_equal(conn_write(&end.conn, "to no effect", 12), 12);
    assert_int_equal(end.closed, 0);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.received, 10);
    assert_int_equal(end.error, ECONNRESET);
    assert_int_equal(end.ends, 0);
    assert_int_equal(conn_write(&end.conn, "x", 1), 1);
    end_stop(&end);
}

static void a_peer_that_is_gone_fails_the_writing(void **state)
{
    struct end end;

    end_start_pair(&end, state);
    kit_send(end.peer, "bye", 3);
    close(end.peer);
    end.peer = -1;
    assert_int_equal(conn_write(&end.conn, "x", 1), 1);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.error, EPIPE);
    assert_int_equal(end.received, 3);
    end_stop(&end);
}

static void a_pause_stops_reading(void **state)
{
    struct end end;

    end_start(&end, state);
    end.pause_at_data = true;
    kit_send(end.peer, "one", 3);
    turns_until(end.loop, end.received == 3);
    kit_send(end.peer, "two", 3);
    assert_true(turns_for(end.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(end.received, 3);
    end.pause_at_data = false;
    conn_pause(&end.conn, false);
    turns_until(end.loop, end.received == 6);
    assert_memory_equal(end.bytes, "onetwo", 6);
    end_stop(&end);
}

static void a_reset_in_a_pause_does_not_spin(void **state)
{
    struct end end;

    end_start(&end, state);
    conn_pause(&end.conn, true);
    kit_send(end.peer, "kept", 4);
    end_reset(&end);
    assert_true(turns_for(end.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(end.closed, 0);
    conn_pause(&end.conn, false);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.received, 4);
    assert_int_equal(end.error, ECONNRESET);
    end_stop(&end);
}

/* The owner waits for room; it must not wait for ever. */
static void a_queue_that_is_thrown_away_is_told_as_empty(void **state)
{
    struct end end;
    char *all = calloc(1, MANY);

    assert_non_null(all);
    end_start(&end, state);
    conn_pause(&end.conn, true);
    assert_true(conn_write(&end.conn, all, MANY) < MANY);
    assert_int_equal(conn_room(&end.conn), 0);
    end_reset(&end);
    turns_until(end.loop, end.drained == 1);
    assert_int_equal(conn_room(&end.conn), QUEUE);
    assert_int_equal(end.closed, 0);
    conn_pause(&end.conn, false);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.error, ECONNRESET);
    end_stop(&end);
    free(all);
}

static void closing_in_the_midst_of_data_is_the_end(void **state)
{
    struct end end;

    end_start(&end, state);
    end.close_at_data = true;
    kit_send(end.peer, "data", 4);
    shutdown(end.peer, SHUT_WR);
    turns_until(end.loop, end.closed == 1);
    assert_int_equal(end.ends, 0);
    assert_int_equal(end.error, 0);
    conn_close(&end.conn);
    conn_finish(&end.conn);
    conn_pause(&end.conn, true);
    turns_for(end.loop, CLOCK_MILLISECOND);
    assert_int_equal(end.closed, 1);
    end_stop(&end);
}

static void urgent_data_is_text_like_any_other(void **state)
{
    struct end end;

    end_start(&end, state);
    kit_send(end.peer, "ab", 2);
    assert_int_equal(send(end.peer, "!", 1, MSG_OOB), 1);
    kit_send(end.peer, "cd", 2);
    turns_until(end.loop, end.received == 5);
    assert_memory_equal(end.bytes, "ab!cd", 5);
    end_stop(&end);
}

static void a_flood_gets_one_reading_a_turn(void **state)
{
    struct end end;
    char *all = calloc(1, MANY);
    size_t before = 0;

    assert_non_null(all);
    end_start(&end, state);
    assert_true(send(end.peer, all, MANY, MSG_DONTWAIT) > 0);
    for (int turn = 0; turn < 100; turn++) {
        turns_for(end.loop, 0);
        assert_true(end.received - before <= 2 * CONN_READ_MAX); /* turns_for makes one or two */
        before = end.received;
    }
    free(all);
    end_stop(&end);
}

static void what_the_poller_cannot_watch_is_refused(void **state)
{
    struct loop *loop = turns_new(*state);
    struct conn conn;

    errno = 0;
    assert_int_equal(conn_start(&conn, loop, 1 << 20, QUEUE, &end_events, NULL), -1);
    assert_true(errno == EBADF || errno == ERANGE);
    loop_free(loop);
}

/* ---- each of them with each backend ---- */

#define CASE(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }

static const struct {
    const char *name;
    CMUnitTestFunction function;
} cases[] = {
    CASE(data_comes_and_goes),
    CASE(partial_writes_lose_nothing),
    CASE(the_peer_half_closes_and_still_gets_the_reply),
    CASE(who_has_gone_behind_its_end_is_noticed),
    CASE(who_has_gone_is_not_told_in_a_pause),
    CASE(a_reset_behind_the_end_is_noticed),
    CASE(we_half_close_and_still_get_the_reply),
    CASE(finishing_waits_for_the_queue),
    CASE(a_reset_is_told_as_one),
    CASE(data_before_a_reset_is_read),
    CASE(data_is_read_also_when_sending_meets_the_reset),
    CASE(a_peer_that_is_gone_fails_the_writing),
    CASE(a_pause_stops_reading),
    CASE(a_reset_in_a_pause_does_not_spin),
    CASE(a_queue_that_is_thrown_away_is_told_as_empty),
    CASE(closing_in_the_midst_of_data_is_the_end),
    CASE(urgent_data_is_text_like_any_other),
    CASE(a_flood_gets_one_reading_a_turn),
    CASE(what_the_poller_cannot_watch_is_refused),
};

enum { CASES = sizeof cases / sizeof *cases, BACKENDS = 3, PURE = 2 };

int main(void)
{
    static char backends[BACKENDS][8] = {"select", "poll", "epoll"};
    static char names[BACKENDS * CASES][100];
    struct CMUnitTest tests[PURE + BACKENDS * CASES] = {
        cmocka_unit_test(what_is_wanted_is_a_function),
        cmocka_unit_test(the_states_have_names),
    };

    for (int i = 0; i < BACKENDS * CASES; i++) {
        snprintf(names[i], sizeof names[i], "%s: %s", backends[i / CASES], cases[i % CASES].name);
        tests[PURE + i] = (struct CMUnitTest){.name = names[i],
                                              .test_func = cases[i % CASES].function,
                                              .teardown_func = kit_cleanup,
                                              .initial_state = backends[i / CASES]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
