/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever a server sends, it is shown and not obeyed: on the full screen, in the one-line form, in
 * the log, and in the lines that are left on the normal screen at the end. The server hears nothing
 * of it: what a terminal answers would come from this program's own questions, and it has none.
 *
 * Each hostile line is followed by a marker, which would be swallowed, moved or hidden by one that
 * was obeyed; so the rows of the screen must be a line, its marker, the next line, and so on.
 */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"
#include "ui/corpus.h"
#include "ui/full.h"
#include "ui/harmless.h"

enum { ROWS = 44, COLUMNS = 200, BATCH = 18, MEGABYTE = 1 << 20 };

/* ---- sending ---- */

static void send_bytewise(int server, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kit_send(server, bytes + i, 1);
}

/* Every few of them in pieces of a byte, which the kernel hands over as they come. */
static void send_hostile(int server, size_t index)
{
    int on = 1;

    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (index % 5 == 0)
        send_bytewise(server, corpus[index].bytes, corpus[index].length);
    else
        kit_send(server, corpus[index].bytes, corpus[index].length);
}

static const char *marker(size_t index)
{
    static char text[32];

    snprintf(text, sizeof text, "--- %zu ---", index);
    return text;
}

static size_t batch_end(size_t start)
{
    return start + BATCH < CORPUS_COUNT ? start + BATCH : CORPUS_COUNT;
}

static void send_batch(int server, size_t start)
{
    for (size_t i = start; i < batch_end(start); i++) {
        send_hostile(server, i);
        kit_send(server, "\n", 1);
        kit_send(server, marker(i), strlen(marker(i)));
        kit_send(server, "\n", 1);
    }
}

/* ---- looking ---- */

/* The rows of a batch, of which the last marker stands in row LAST. */
static void assert_batch_shown(struct kit_terminal *terminal, size_t start, int last)
{
    for (size_t i = start; i < batch_end(start); i++) {
        int row = last - 2 * (int)(batch_end(start) - 1 - i);

        if (strcmp(kit_row(terminal, row - 1), corpus[i].shown) != 0)
            fail_msg("%s: shown as \"%s\", not as \"%s\"", corpus[i].name,
                     kit_row(terminal, row - 1), corpus[i].shown);
        assert_string_equal(kit_row(terminal, row), marker(i));
    }
}

static void corpus_goes_by(const struct full *full)
{
    for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start)) {
        send_batch(full->server, start);
        assert_batch_shown(full->terminal, start,
                           kit_await_row(full->terminal, marker(batch_end(start) - 1)));
        assert_idle(full->terminal);
        assert_true(kit_is_other_screen(full->terminal));
    }
}

/* Nothing has been sent to the server before what is typed now. */
static void assert_nothing_heard(const struct full *full)
{
    full_type(full, "the first word");
    assert_string_equal(full_hear(full), "the first word");
}

static void end_in_order(const struct full *full)
{
    close(full->server);
    assert_int_equal(kit_terminal_end(full->terminal), 0);
}

/* ---- the full screen ---- */

static void the_corpus_is_large_enough(void **state)
{
    (void)state;
    print_message("%d hostile lines\n", CORPUS_COUNT);
    assert_true(CORPUS_COUNT >= 120);
}

static void every_line_is_shown_and_none_obeyed(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    corpus_goes_by(&full);
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_harmless(full.terminal, true);
}

/* With the time before each line, the inspector below, and no frames in between. */
static void nor_with_all_that_can_be_shown_besides(void **state)
{
    static const char *const options[] = {"--timestamps", "--inspect", "--no-animation", NULL};
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start)) {
        send_batch(full.server, start);
        kit_await_row(full.terminal, marker(batch_end(start) - 1));
    }
    assert_true(kit_is_other_screen(full.terminal));
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_harmless(full.terminal, true);
}

/* The C library of the C locale knows of no character beyond ASCII. */
static void nor_in_the_locale_of_ascii(void **state)
{
    struct full full;
    const char *raw;
    size_t n;

    (void)state;
    kit_env("LC_ALL", "C");
    full_start(&full, ROWS, COLUMNS, NULL);
    for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start))
        send_batch(full.server, start);
    kit_await_row(full.terminal, marker(CORPUS_COUNT - 1));
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_harmless(full.terminal, true);
    raw = kit_raw(full.terminal, &n);
    for (size_t i = 0; i < n; i++)
        assert_true((unsigned char)raw[i] < 0x80);
}

/* ---- how it is cut ---- */

/* Sends N bytes and waits until the title counts them: they have been read by themselves. */
static void send_and_await(const struct full *full, const char *bytes, size_t n, size_t *sent)
{
    char count[32];

    kit_send(full->server, bytes, n);
    *sent += n;
    snprintf(count, sizeof count, "| %zu byte%s", *sent, *sent == 1 ? "" : "s");
    kit_await_row(full->terminal, count);
}

static void a_sequence_in_two_reads(void **state)
{
    static const struct hostile cut[] = {
        {"DA1", BYTES("\033[c"), "^[[c"},
        {"OSC 0", BYTES("\033]0;x\033\\"), "^[]0;x^[\\"},
        {"U+009B", BYTES("a\302\2335n"), "a<U+009B>5n"},
        {"RLO", BYTES("a\342\200\256b"), "a<U+202E>b"},
        {"a tag", BYTES("a\363\240\200\201b"), "a<U+E0001>b"},
    };
    struct full full;
    size_t sent = 0;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        for (size_t at = 1; at < cut[i].length; at++) {
            send_and_await(&full, cut[i].bytes, at, &sent);
            send_and_await(&full, cut[i].bytes + at, cut[i].length - at, &sent);
            send_and_await(&full, "\n", 1, &sent);
            assert_idle(full.terminal);
            kit_await_row(full.terminal, cut[i].shown);
        }
    assert_nothing_heard(&full);
    end_in_order(&full);
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        size_t n;
        const char *raw = kit_raw(full.terminal, &n);

        assert_null(memmem(raw, n, cut[i].bytes, cut[i].length));
    }
    assert_harmless(full.terminal, true);
}

/* All of them in one, which has no end: it is shown as it is after a while. */
static void a_line_without_end_is_shown_and_not_obeyed(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    for (size_t i = 0; i < CORPUS_COUNT; i++) {
        send_hostile(full.server, i);
        kit_send(full.server, ".", 1);
    }
    kit_send(full.server, marker(0), strlen(marker(0)));
    kit_await_row(full.terminal, marker(0));
    assert_idle(full.terminal);
    assert_true(kit_is_other_screen(full.terminal));
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_harmless(full.terminal, true);
}

static void a_megabyte_without_a_newline(void **state)
{
    static char line[MEGABYTE];
    struct full full;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; n + corpus[i].length <= sizeof line; i = (i + 1) % CORPUS_COUNT) {
        memcpy(line + n, corpus[i].bytes, corpus[i].length);
        n += corpus[i].length;
    }
    full_start(&full, 24, 80, NULL);
    kit_send(full.server, line, n);
    kit_send(full.server, "\n", 1);
    full_say(&full, marker(0));
    kit_await_row(full.terminal, marker(0));
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_harmless(full.terminal, true);
}

/* ---- the right edge ---- */

enum { EDGE_ROWS = 24, EDGE_COLUMNS = 40 };

#define FORTY "0123456789012345678901234567890123456789"
#define MARK  "\314\201"

/* A line, and the rows that it takes. */
static const struct edge {
    const char *line;
    const char *rows[3];
} edges[] = {
    {FORTY, {FORTY}},
    {FORTY "x", {FORTY, "x"}},
    {FORTY "\033[2J", {FORTY, "^[[2J"}},
    {"  " FORTY "\033", {"  01234567890123456789012345678901234567", "89^["}},
    /* a wide character that does not fit, and one that does */
    {"x" FORTY "\346\274\242", {"x012345678901234567890123456789012345678", "9\346\274\242"}},
    {"012345678901234567890123456789012345678\346\274\242x",
     {"012345678901234567890123456789012345678", "\346\274\242x"}},
    {"01234567890123456789012345678901234567\346\274\242x",
     {"01234567890123456789012345678901234567\346\274\242", "x"}},
    /* marks stay with the last character; those on nothing stand on a blank; a pile is cut */
    {"012345678901234567890123456789012345678" MARK "9x",
     {"012345678901234567890123456789012345678" MARK "9", "x"}},
    {MARK "x", {" " MARK "x"}},
    {"z" TEN(MARK) "x", {"z" MARK MARK MARK MARK "x"}},
    {"x" TEN(TEN(MARK)) FORTY,
     {"x" MARK MARK MARK MARK "012345678901234567890123456789012345678", "9"}},
};

static void assert_edge(const struct edge *edge, struct kit_terminal *terminal)
{
    int count = edge->rows[1] ? 2 : 1;
    int row = kit_await_row(terminal, "the end of it") - count;

    for (int i = 0; i < count; i++)
        assert_string_equal(kit_row(terminal, row + i), edge->rows[i]);
    assert_idle(terminal);
}

/* The lines stay where they are until a marker comes behind them: both are read, and so shown,
 * together. */
static void what_stands_at_the_right_edge(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, EDGE_ROWS, EDGE_COLUMNS, NULL);
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        full_say(&full, edges[i].line);
        full_say(&full, "the end of it");
        assert_edge(&edges[i], full.terminal);
        full_type(&full, "/clear");
        kit_await_gone(full.terminal, "the end of it");
    }
    assert_nothing_heard(&full);
    end_in_order(&full);
    assert_idle(full.terminal);
}

/* ---- elsewhere ---- */

/* What was written behind the sequences that leave the full screen. */
static const char *after_leaving(struct kit_terminal *terminal)
{
    static const char leaving[] = "\033[?1049l\033[23;0;0t";
    const char *left = strstr(kit_raw(terminal, NULL), leaving);

    assert_non_null(left);
    return left + strlen(leaving);
}

/* The last lines of the pane are on the screen of before, where a sequence would be obeyed by the
 * shell's terminal. */
static void nor_at_the_end_on_the_normal_screen(void **state)
{
    for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start)) {
        struct full full;
        const char *left;

        full_start(&full, ROWS, COLUMNS, NULL);
        for (size_t i = start; i < batch_end(start); i++) {
            send_hostile(full.server, i);
            kit_send(full.server, "\n", 1);
        }
        end_in_order(&full);
        left = after_leaving(full.terminal);
        assert_harmless_bytes(left, strlen(left), false);
        for (size_t i = start; i < batch_end(start); i++, left += 2) {
            if (strncmp(left, corpus[i].shown, strlen(corpus[i].shown)) != 0)
                fail_msg("%s: left on the screen as \"%.200s\"", corpus[i].name, left);
            left += strlen(corpus[i].shown);
            assert_memory_equal(left, "\r\n", 2);
        }
        assert_harmless(full.terminal, true);
        kit_cleanup(state);
    }
}

static void the_log_holds_what_the_screen_shows(void **state)
{
    static char log[1 << 16];
    char command[4096];
    char file[4000];
    const char *line = log;
    struct full full;
    FILE *stream;

    (void)state;
    snprintf(file, sizeof file, "%s/log", kit_folder());
    snprintf(command, sizeof command, "/log %s", file);
    full_start(&full, ROWS, COLUMNS, NULL);
    full_type(&full, command);
    kit_await_row(full.terminal, "what is received goes to");
    for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start))
        send_batch(full.server, start);
    kit_await_row(full.terminal, marker(CORPUS_COUNT - 1));
    end_in_order(&full);
    stream = fopen(file, "r");
    assert_non_null(stream);
    log[fread(log, 1, sizeof log - 1, stream)] = '\0';
    fclose(stream);
    for (size_t i = 0; i < CORPUS_COUNT; i++) {
        char both[1024];
        size_t n = (size_t)snprintf(both, sizeof both, "%s\n%s\n", corpus[i].shown, marker(i));

        if (strncmp(line, both, n) != 0)
            fail_msg("%s: in the log as \"%.200s\"", corpus[i].name, line);
        line += n;
    }
    assert_string_equal(line, "");
}

/* The one-line form shows the same, and sends nothing but text and the ends of lines. */
static void nor_in_the_one_line_form(void **state)
{
    static const char *const modes[] = {"--plain", "--no-spinner"};

    for (size_t mode = 0; mode < 2; mode++) {
        uint16_t port;
        int listener = kit_listen(&port);
        const char *argv[] = {"pollspin", modes[mode], kit_target(port), NULL};
        struct kit_terminal *terminal = kit_terminal(2 * CORPUS_COUNT + 10, COLUMNS, argv);
        int server = kit_accept(listener);

        for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start))
            send_batch(server, start);
        close(server);
        assert_int_equal(kit_terminal_end(terminal), 0);
        for (size_t start = 0; start < CORPUS_COUNT; start = batch_end(start))
            assert_batch_shown(terminal, start, 2 * (int)batch_end(start) - 1);
        assert_harmless(terminal, false);
        kit_cleanup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_corpus_is_large_enough, kit_cleanup),
        cmocka_unit_test_teardown(every_line_is_shown_and_none_obeyed, kit_cleanup),
        cmocka_unit_test_teardown(nor_with_all_that_can_be_shown_besides, kit_cleanup),
        cmocka_unit_test_teardown(nor_in_the_locale_of_ascii, kit_cleanup),
        cmocka_unit_test_teardown(a_sequence_in_two_reads, kit_cleanup),
        cmocka_unit_test_teardown(a_line_without_end_is_shown_and_not_obeyed, kit_cleanup),
        cmocka_unit_test_teardown(a_megabyte_without_a_newline, kit_cleanup),
        cmocka_unit_test_teardown(what_stands_at_the_right_edge, kit_cleanup),
        cmocka_unit_test_teardown(nor_at_the_end_on_the_normal_screen, kit_cleanup),
        cmocka_unit_test_teardown(the_log_holds_what_the_screen_shows, kit_cleanup),
        cmocka_unit_test_teardown(nor_in_the_one_line_form, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
