/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resident memory has a limit that does not depend on how much comes: an hour of a flood is no more
 * than its first minutes, a line without end no more than a long one, and a thousand connections
 * that came and went no more than the first hundred.
 *
 * What counts is growth, and from a moment on when everything that is bounded is full.
 */
#include "config.h"

#include <signal.h>

#include "base/clock.h"
#include "full.h"

enum {
    ROWS = 60,
    COLUMNS = 100,
    LINE = 80,          /* bytes at most */
    HOUR = 3600 * 278,  /* lines: a second has 278 of them */
    FIRST = 100 * 1000, /* of these lines, by which the scrollback is full */
    TOGETHER = 20,      /* connections */
    MEBIBYTE = 1024 * 1024
};

static void skip_where_memory_is_not_ours(void)
{
    if (kit_is_instrumented())
        kit_skip("valgrind and the sanitizers take memory of their own");
}

/* Sends the lines from FIRST to LAST - 1, of lengths that differ. */
static void send_lines(const struct full *full, int first, int last)
{
    enum { BATCH = 200 };
    static char bytes[BATCH * LINE];
    size_t n = 0;

    for (int i = first; i < last; i++) {
        n += (size_t)snprintf(bytes + n, LINE, "%d %.*s\n", i, i * 7 % 50,
                              "--------------------------------------------------");
        if (i % BATCH == BATCH - 1 || i + 1 == last) {
            kit_send(full->server, bytes, n);
            n = 0;
        }
    }
}

static void await_lines(const struct full *full, int count)
{
    char text[64];

    snprintf(text, sizeof text, "| %d lines |", count);
    kit_await_row(full->terminal, text);
}

static size_t memory_of(const struct full *full)
{
    return kit_memory(kit_terminal_pid(full->terminal));
}

static void expect_growth(const struct full *full, const char *what, size_t before)
{
    size_t after = memory_of(full);

    print_message("%s: %zu KiB, then %zu KiB\n", what, before / 1024, after / 1024);
    assert_true(after < before + MEBIBYTE);
}

static void flood(const char *option)
{
    const char *const options[] = {option, NULL};
    struct full full;
    size_t before;

    full_start(&full, ROWS, COLUMNS, options);
    send_lines(&full, 0, FIRST);
    await_lines(&full, FIRST);
    before = memory_of(&full);
    send_lines(&full, FIRST, HOUR);
    await_lines(&full, HOUR);
    expect_growth(&full, option ? option : "10000 lines kept", before);
}

static void an_hour_of_lines(void **state)
{
    (void)state;
    skip_where_memory_is_not_ours();
    flood(NULL);
}

static void an_hour_with_few_lines_kept(void **state)
{
    (void)state;
    skip_where_memory_is_not_ours();
    flood("--scrollback=100");
}

static void an_hour_with_the_inspector(void **state)
{
    (void)state;
    skip_where_memory_is_not_ours();
    flood("--inspect");
}

static void a_line_without_end(void **state)
{
    enum { PIECE = 256 * 1024, PIECES = 160, FIRST_PIECES = 40 };
    static char piece[PIECE];
    struct full full;
    size_t before = 0;
    char text[64];

    (void)state;
    skip_where_memory_is_not_ours();
    full_start(&full, ROWS, COLUMNS, NULL);
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < PIECES; i++) {
        kit_send(full.server, piece, sizeof piece);
        if (i == FIRST_PIECES) {
            snprintf(text, sizeof text, "| %d bytes", (FIRST_PIECES + 1) * PIECE);
            kit_await_row(full.terminal, text);
            before = memory_of(&full);
        }
    }
    snprintf(text, sizeof text, "| %d bytes", PIECES * PIECE);
    kit_await_row(full.terminal, text);
    expect_growth(&full, "a line of 40 MiB", before);
    full_say(&full, "");
    full_say(&full, "and another");
    kit_await_row(full.terminal, "and another");
}

/* Some go through all their life: connected, spoken to, closed, out of the screen. */
static void come_and_go(const struct full *full, int listener, uint16_t port, int number)
{
    int servers[TOGETHER];
    char text[64];

    snprintf(text, sizeof text, "/connect 127.0.0.1:%u", port);
    for (int i = 0; i < TOGETHER; i++) {
        full_type(full, text);
        servers[i] = kit_accept(listener);
    }
    for (int i = 0; i < TOGETHER; i++) {
        snprintf(text, sizeof text, "hello %d of them\n", number + i);
        kit_send(servers[i], text, strlen(text));
    }
    for (int i = 0; i < TOGETHER; i++) {
        snprintf(text, sizeof text, "hello %d of them", number + i);
        kit_await_row(full->terminal, text);
    }
    for (int i = TOGETHER - 1; i >= 0; i--) { /* the newest is in focus */
        full_type(full, "/close");
        assert_int_equal(kit_receive(servers[i], text, sizeof text), 0);
        close(servers[i]);
    }
    full_await_input(full, ""); /* to the connection that stays */
}

static void a_thousand_connections(void **state)
{
    enum { CONNECTIONS = 1000, FIRST_CONNECTIONS = 100 };
    struct full full;
    uint16_t port;
    int listener = kit_listen(&port);
    size_t before = 0;
    int descriptors;

    (void)state;
    skip_where_memory_is_not_ours();
    full_start(&full, ROWS, COLUMNS, (const char *const[]){"--scrollback=100", NULL});
    descriptors = kit_descriptors(kit_terminal_pid(full.terminal));
    for (int i = 0; i < CONNECTIONS; i += TOGETHER) {
        if (i == FIRST_CONNECTIONS)
            before = memory_of(&full);
        come_and_go(&full, listener, port, i);
    }
    expect_growth(&full, "1000 connections", before);
    assert_int_equal(kit_descriptors(kit_terminal_pid(full.terminal)), descriptors);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, kit_cleanup)
    const struct CMUnitTest tests[] = {
        CASE(an_hour_of_lines),           CASE(an_hour_with_few_lines_kept),
        CASE(an_hour_with_the_inspector), CASE(a_line_without_end),
        CASE(a_thousand_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
