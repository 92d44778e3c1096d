/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the inspector shows of calls that were made up, in a time that was made up: row by row. The
 * calls of a real poller come at the end, and then anything at all, in any size.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/fake.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "trace/strace.h"
#include "ui/inspector.h"
#include "ui/wrap.h"

#define MS CLOCK_MILLISECOND

enum { ROWS = 120, LINE = 4096, WATCHES = 4, SIGNALS = 3, TERMINAL = 5, PEER = 7, NAMELESS = 9 };

struct fixture {
    struct loop *loop;
    struct inspector *inspector;
    struct watch watches[WATCHES];
    struct inspector_scene scene;
    size_t columns;
    size_t count; /* rows that were put */
    char rows[ROWS][LINE];
    enum row_style styles[ROWS]; /* of the first span */
};

static struct fixture fixture;

static void ignore(void *owner, unsigned ready)
{
    (void)owner;
    (void)ready;
}

static void watch(size_t index, int fd, unsigned want, const char *name)
{
    struct watch *watch = &fixture.watches[index];

    watch_init(watch, ignore, NULL);
    assert_int_equal(watch_start(watch, fixture.loop, fd, want), 0);
    watch_name(watch, name);
}

static int begin(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    fixture.loop = loop_new(fake_open());
    fixture.inspector = inspector_new(fixture.loop);
    fixture.scene.backend = "epoll";
    return fixture.loop && fixture.inspector ? 0 : -1;
}

static int end(void **state)
{
    inspector_free(fixture.inspector);
    loop_free(fixture.loop);
    return fake_stop(state);
}

static void watch_some(void)
{
    watch(0, SIGNALS, POLLER_IN, "signals");
    watch(1, TERMINAL, POLLER_IN | POLLER_OUT, "terminal");
    watch(2, PEER, POLLER_IN, "tcp localhost:51423");
    watch(3, NAMELESS, 0, NULL);
}

/* A turn that only looks: so the loop knows the time. */
static void turn(void)
{
    assert_int_equal(loop_look(fixture.loop), 0);
}

static void work(int64_t ns)
{
    fake_advance(ns);
    turn();
}

/* A call that took NS. */
static void call(const char *name, bool is_wait, long result, int64_t ns, const char *text)
{
    struct poller_call call = {.name = name,
                               .is_wait = is_wait,
                               .result = result,
                               .told = (int)result,
                               .begin_ns = clock_now()};

    fake_advance(ns);
    call.end_ns = clock_now();
    call.error = result < 0 ? 4 : 0;
    inspector_call(fixture.inspector, &call, text, text ? strlen(text) : 0);
    turn();
}

static void put(void *owner, size_t index, const struct row *row)
{
    (void)owner;
    assert_int_equal(index, fixture.count);
    assert_true(index < ROWS);
    assert_int_equal(row->columns, fixture.columns);
    assert_true(row->used <= row->columns);
    snprintf(fixture.rows[index], LINE, "%.*s", (int)row->length, row->bytes);
    for (size_t n = strlen(fixture.rows[index]); n > 0 && fixture.rows[index][n - 1] == ' '; n--)
        fixture.rows[index][n - 1] = '\0';
    fixture.styles[index] = row->span_count > 0 ? row->spans[0].style : ROW_PLAIN;
    fixture.count++;
}

static void compose(size_t rows, size_t columns)
{
    fixture.count = 0;
    fixture.columns = columns;
    inspector_compose(fixture.inspector, &fixture.scene, rows, columns, put, NULL);
    assert_int_equal(fixture.count, rows);
}

static void expect_row(size_t index, const char *expected)
{
    assert_string_equal(fixture.rows[index], expected);
}

/* All rows from FIRST on, joined by blanks. */
static void expect_words(size_t first, const char *expected)
{
    char words[LINE] = "";

    for (size_t i = first; i < fixture.count; i++)
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s",
                 words[0] != '\0' && fixture.rows[i][0] != '\0' ? " " : "", fixture.rows[i]);
    assert_string_equal(words, expected);
}

static void the_totals(void **state)
{
    struct inspector_totals totals = inspector_totals(fixture.inspector);

    (void)state;
    assert_int_equal(totals.since, 0);
    call("epoll_ctl", false, 0, MS, NULL);
    call("epoll_wait", true, 2, 3 * MS, NULL);
    call("epoll_wait", true, 0, 5 * MS, NULL);
    call("epoll_wait", true, -1, 1 * MS, NULL);
    totals = inspector_totals(fixture.inspector);
    assert_int_equal(totals.since, CLOCK_SECOND);
    assert_int_equal(totals.registrations, 1);
    assert_int_equal(totals.waits, 3);
    assert_int_equal(totals.timeouts, 1);
    assert_int_equal(totals.events, 2);
    assert_int_equal(totals.waiting_ns, 9 * MS);
}

static void meters_before_the_first_call(void **state)
{
    (void)state;
    fixture.scene.unread = 17;
    inspector_read(fixture.inspector, 5);
    compose(1, 80);
    expect_row(0, "waiting 0.0 %  wake-ups 0.0/s  timeouts 0.0/s  bytes a read -  unread 17");
}

static void meters_of_the_last_five_seconds(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) /* long ago */
        call("epoll_wait", true, 1, 1 * MS, NULL);
    inspector_read(fixture.inspector, 1000000);
    work(10 * CLOCK_SECOND - 40 * MS);
    for (int i = 0; i < 100; i++) {
        call("epoll_wait", true, i % 20 == 0 ? 1 : 0, 49 * MS, NULL);
        if (i % 20 == 0)
            inspector_read(fixture.inspector, 25);
        work(1 * MS);
    }
    compose(1, 80);
    expect_row(0, "waiting 98.0 %  wake-ups 20/s  timeouts 19/s  bytes a read 25  unread 0");
}

static void meters_of_a_young_program(void **state)
{
    (void)state;
    work(50 * MS);
    call("poll", true, 0, 150 * MS, NULL);
    work(150 * MS);
    compose(1, 80); /* 250 ms of 300 are in slices that are over */
    expect_row(0, "waiting 60.0 %  wake-ups 4.0/s  timeouts 4.0/s  bytes a read -  unread 0");
}

/* Cell by cell: half a slice before the first call, a wait over three slices and a half that ends
 * by its time limit, another of those, events among time limits, work, and little waiting between
 * work. */
static void the_strip(void **state)
{
    (void)state;
    work(250 * MS);
    call("poll", true, 0, 390 * MS, NULL);
    call("poll", true, 0, 110 * MS, NULL);
    call("poll", true, 1, 60 * MS, NULL);
    call("poll", true, 0, 60 * MS, NULL);
    work(120 * MS);
    call("poll", true, 1, 40 * MS, NULL);
    work(80 * MS);
    compose(10, 20);
    expect_row(2, "           ....--|##");
    compose(10, 3);
    expect_row(2, "|##");
    compose(10, 1000);
    assert_int_equal(strlen(fixture.rows[2]), 1000);
    work(600 * 100 * MS);
    compose(10, 601);
    assert_memory_equal(fixture.rows[2], "  ", 2); /* all but the slice that is not over */
    assert_int_equal(strspn(fixture.rows[2] + 2, "#"), INSPECTOR_SLICES - 1);
}

/* After a minute the same place in memory is used again. */
static void what_was_a_minute_ago_is_forgotten(void **state)
{
    (void)state;
    call("poll", true, 1, 60 * MS, NULL);
    inspector_read(fixture.inspector, 1000);
    work(60 * CLOCK_SECOND - 60 * MS);
    call("poll", true, 0, 60 * MS, NULL);
    work(40 * MS);
    compose(10, 80);
    assert_int_equal(fixture.rows[2][79], '-');
    assert_non_null(strstr(fixture.rows[1], "bytes a read -"));
}

static void a_wait_of_an_hour(void **state)
{
    (void)state;
    call("poll", true, 0, 3600 * CLOCK_SECOND + 60 * MS, NULL);
    work(40 * MS);
    compose(10, 10);
    expect_row(1, "waiting 99");
    expect_row(2, ".........-");
}

static void the_table(void **state)
{
    (void)state;
    watch_some();
    fixture.watches[2].last = POLLER_IN | POLLER_HUP;
    fixture.watches[2].count = 123456;
    compose(14, 80);
    expect_row(3, "  fd what                               wanted      last            count");
    expect_row(4, "   3 signals                            IN          -                   0");
    expect_row(5, "   5 terminal                           IN|OUT      -                   0");
    expect_row(6, "   7 tcp localhost:51423                IN          IN|HUP         123456");
    expect_row(7, "   9 descriptor 9                       -           -                   0");
    compose(10, 80);
    expect_row(4, "   7 tcp localhost:51423                IN          IN|HUP         123456");
    expect_row(5, "   9 descriptor 9                       -           -                   0");
    expect_row(6, "     2 more");
    compose(14, 20);
    expect_row(6, "   7 tcp localhos IN");
}

static void the_newest_call_is_at_the_bottom(void **state)
{
    (void)state;
    inspector_show(fixture.inspector, true);
    call("poll", true, 0, MS, "poll(NULL, 0, 1) = 0 (Timeout) <0.001000>\n");
    call("poll", true, 1, MS,
         "poll([{fd=3, events=POLLIN}], 1, 1) = 1 ([{fd=3, revents=POLLIN}])\n");
    call("epoll_wait", true, 1, MS, NULL);
    call("epoll_wait", true, -1, MS, NULL);
    compose(8, 60);
    expect_row(0, "inspector: epoll  F4 closes, Up/Down choose");
    assert_int_equal(fixture.styles[0], ROW_BAR);
    expect_row(2, "");
    expect_row(4, "poll(NULL, 0, 1) = 0 (Timeout) <0.001000>");
    assert_int_equal(fixture.styles[4], ROW_DIM);
    expect_row(5, "poll([{fd=3, events=POLLIN... = 1 ([{fd=3, revents=POLLIN}])");
    assert_int_equal(fixture.styles[5], ROW_GOOD);
    expect_row(6, "epoll_wait(...) = 1 <0.001000>");
    expect_row(7, "epoll_wait(...) = -1 EINTR (Interrupted system call) <0.0010");
    assert_int_equal(fixture.styles[7], ROW_BAD);
    compose(2, 60);
    expect_row(1, "epoll_wait(...) = -1 EINTR (Interrupted system call) <0.0010");
}

static void text_is_wanted_while_it_is_shown(void **state)
{
    (void)state;
    assert_false(inspector_wants_text(fixture.inspector));
    inspector_show(fixture.inspector, true);
    assert_true(inspector_wants_text(fixture.inspector));
    inspector_show(fixture.inspector, false);
    assert_false(inspector_wants_text(fixture.inspector));
}

static void numbered_calls(int from, int to)
{
    char text[64];

    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "poll(NULL, 0, %d) = 0 (Timeout) <0.001000>", i);
        call("poll", true, 0, MS, text);
    }
}

static void the_list_stands_still_while_one_is_chosen(void **state)
{
    (void)state;
    inspector_choose(fixture.inspector, -1);
    assert_false(inspector_has_choice(fixture.inspector));
    numbered_calls(0, 10);
    inspector_choose(fixture.inspector, -1);
    assert_true(inspector_has_choice(fixture.inspector));
    numbered_calls(10, 22);
    compose(5, 200);
    expect_row(0, "inspector: epoll  12 newer  F4 closes, Up/Down choose, Esc lets go");
    expect_row(2, "poll(NULL, 0, 8) = 0 (Timeout) <0.001000>");
    assert_int_equal(fixture.styles[2], ROW_DIM);
    expect_row(3, "poll(NULL, 0, 9) = 0 (Timeout) <0.001000>");
    assert_int_equal(fixture.styles[3], ROW_MARK);
    inspector_choose(fixture.inspector, -1);
    compose(5, 200);
    expect_row(2, "poll(NULL, 0, 8) = 0 (Timeout) <0.001000>");
    assert_int_equal(fixture.styles[2], ROW_MARK);
    inspector_choose(fixture.inspector, -3);
    compose(5, 200);
    expect_row(2, "poll(NULL, 0, 5) = 0 (Timeout) <0.001000>");
    assert_int_equal(fixture.styles[2], ROW_MARK);
    expect_row(3, "poll(NULL, 0, 6) = 0 (Timeout) <0.001000>");
    inspector_choose(fixture.inspector, 4);
    assert_true(inspector_has_choice(fixture.inspector));
    inspector_choose(fixture.inspector, 1);
    assert_false(inspector_has_choice(fixture.inspector));
    compose(5, 200);
    expect_row(4, "poll(NULL, 0, 21) = 0 (Timeout) <0.001000>");
}

static void a_choice_ends_where_its_call_is_forgotten(void **state)
{
    (void)state;
    numbered_calls(0, 1);
    inspector_choose(fixture.inspector, 1);
    numbered_calls(1, INSPECTOR_CALLS);
    assert_true(inspector_has_choice(fixture.inspector));
    compose(5, 60);
    expect_row(3, "poll(NULL, 0, 0) = 0 (Timeout) <0.001000>");
    numbered_calls(0, 1);
    assert_false(inspector_has_choice(fixture.inspector));
    inspector_choose(fixture.inspector, -1);
    inspector_choose(fixture.inspector, -1000000);
    assert_true(inspector_has_choice(fixture.inspector));
    compose(5, 60);
    expect_row(2, "poll(NULL, 0, 1) = 0 (Timeout) <0.001000>");
    inspector_let_go(fixture.inspector);
    assert_false(inspector_has_choice(fixture.inspector));
}

static void a_chosen_call_is_explained(void **state)
{
    (void)state;
    watch_some();
    inspector_did(fixture.inspector, "came too early");
    call("epoll_wait", true, 1, 12300 * CLOCK_MICROSECOND,
         "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 512, 37) = 1 <0.012300>");
    inspector_choose(fixture.inspector, 1);
    inspector_did(fixture.inspector, "read %d bytes from localhost:51423", 25);
    inspector_did(fixture.inspector, "painted a frame");
    inspector_did(fixture.inspector, "read %d bytes from localhost:51423", 25);
    compose(12, 80);
    assert_int_equal(fixture.styles[7], ROW_MARK);
    expect_words(8, "epoll_wait asked the epoll instance 4 what is ready, 512 events at most, and "
                    "was to wait at most 37 ms. It came back after 12.3 ms: 1 was ready, 7 (tcp "
                    "localhost:51423) with EPOLLIN. EPOLLIN: reading would not block. The program "
                    "read 25 bytes from localhost:51423 (2 times); painted a frame.");
    compose(8, 20);
    expect_row(4, "epoll_wait asked the");
    expect_row(7, "events at most, ...");
}

/* What is done after a wait belongs to it, also when registrations are a part of it. */
static void what_was_done_belongs_to_the_wait(void **state)
{
    (void)state;
    call("poll", true, 0, MS, "poll(NULL, 0, 1) = 0 (Timeout)");
    call("epoll_ctl", false, 0, 0, "epoll_ctl(4, EPOLL_CTL_DEL, 7, NULL) = 0");
    inspector_did(fixture.inspector, "turned the spinner");
    inspector_choose(fixture.inspector, 1);
    compose(8, 200);
    expect_words(7, "epoll_ctl asked the epoll instance 4 not to watch 7 any longer "
                    "(EPOLL_CTL_DEL). It was done.");
    inspector_choose(fixture.inspector, -1);
    compose(8, 200);
    expect_words(7, "poll asked about no descriptor and was to wait at most 1 ms. It came back: "
                    "nothing was ready, and the time limit was over. The program turned the "
                    "spinner.");
}

static void only_so_much_of_what_was_done_is_kept(void **state)
{
    char text[1024];
    char clause[400];

    (void)state;
    call("poll", true, 0, MS, "poll(NULL, 0, 1) = 0 (Timeout)");
    for (int i = 0; i < 12; i++)
        inspector_did(fixture.inspector, "did %d", i);
    inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_non_null(strstr(text, "The program did 0; did 1; did 2; did 3; did 4; did 5; did 6; did "
                                 "7; and more."));
    call("poll", true, 0, MS, "poll(NULL, 0, 1) = 0 (Timeout)");
    memset(clause, 'x', sizeof clause - 1);
    clause[sizeof clause - 1] = '\0';
    inspector_did(fixture.inspector, "%s", clause);
    inspector_did(fixture.inspector, "%s", "no more room");
    inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_non_null(strstr(text, "xxx...; and more."));
    assert_int_equal(strspn(strstr(text, "xxx"), "x"), INSPECTOR_DID - 4);
}

static void explain_newest(char *text, size_t size, long back)
{
    inspector_let_go(fixture.inspector);
    inspector_choose(fixture.inspector, 1);
    if (back > 0)
        inspector_choose(fixture.inspector, -back);
    compose(ROWS, 100);
    text[0] = '\0';
    for (size_t i = 0; i < fixture.count; i++)
        snprintf(text + strlen(text), size - strlen(text), "%s ", fixture.rows[i]);
}

/* A number is used again: an old call still tells who it was then. */
static void names_are_those_of_the_moment(void **state)
{
    static const char line[] = "poll([{fd=7, events=POLLIN}], 1, 1) = 0 (Timeout)";
    char text[65536];

    (void)state;
    watch(0, PEER, POLLER_IN, "tcp first:1");
    call("poll", true, 0, MS, line);
    watch_stop(&fixture.watches[0]);
    watch(0, PEER, POLLER_IN, "tcp second:2");
    call("poll", true, 0, MS, line);
    explain_newest(text, sizeof text, 0);
    assert_non_null(strstr(text, "7 (tcp second:2) for POLLIN"));
    explain_newest(text, sizeof text, 1);
    assert_non_null(strstr(text, "7 (tcp first:1) for POLLIN"));
    watch_stop(&fixture.watches[0]);
    explain_newest(text, sizeof text, 0);
    assert_non_null(strstr(text, "7 (tcp second:2) for POLLIN"));
}

/* One without a name does not get that of the next one with its number. */
static void the_nameless_stay_so(void **state)
{
    static const char line[] = "poll([{fd=7, events=POLLIN}], 1, 1) = 0 (Timeout)";
    char text[65536];

    (void)state;
    watch(0, PEER, POLLER_IN, NULL);
    call("poll", true, 0, MS, line);
    watch_stop(&fixture.watches[0]);
    call("poll", true, 0, MS, "poll(NULL, 0, 1) = 0 (Timeout)");
    watch(0, PEER, POLLER_IN, "tcp second:2");
    call("poll", true, 0, MS, line);
    explain_newest(text, sizeof text, 2);
    assert_non_null(strstr(text, "1 descriptor, 7 for POLLIN"));
}

/* A descriptor gets its name after EPOLL_CTL_ADD, and has lost it at EPOLL_CTL_DEL. */
static void names_at_registrations(void **state)
{
    static const char add[] = "epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN, data={u32=7, "
                              "u64=7}}) = 0";
    static const char del[] = "epoll_ctl(4, EPOLL_CTL_DEL, 7, NULL) = 0";
    static const char wait[] = "epoll_wait(4, [], 512, 37) = 0";
    char text[65536];

    (void)state;
    call("epoll_wait", true, 0, MS, wait);
    call("epoll_ctl", false, 0, 0, add);
    watch(0, PEER, POLLER_IN, "tcp first:1");
    explain_newest(text, sizeof text, 0);
    assert_non_null(strstr(text, "to watch 7 (tcp first:1) for"));
    call("epoll_wait", true, 0, MS, wait);
    watch_stop(&fixture.watches[0]);
    call("epoll_ctl", false, 0, 0, del);
    explain_newest(text, sizeof text, 0);
    assert_non_null(strstr(text, "not to watch 7 (tcp first:1) any"));
    call("epoll_wait", true, 0, MS, wait);
    call("epoll_ctl", false, 0, 0, add);
    watch(0, PEER, POLLER_IN, "tcp second:2");
    call("epoll_wait", true, 0, MS, wait);
    explain_newest(text, sizeof text, 1);
    assert_non_null(strstr(text, "to watch 7 (tcp second:2) for"));
    explain_newest(text, sizeof text, 3);
    assert_non_null(strstr(text, "not to watch 7 (tcp first:1) any"));
    explain_newest(text, sizeof text, 5);
    assert_non_null(strstr(text, "to watch 7 (tcp first:1) for"));
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    static char text[2 * INSPECTOR_TEXT];
    static char words[65536];

    (void)state;
    strcpy(text, "poll([");
    while (strlen(text) < INSPECTOR_TEXT)
        strcat(text, "{fd=3, events=POLLIN}, ");
    strcat(text, "{fd=3, events=POLLIN}], 200, 0) = 0 (Timeout) <0.012300>");
    call("poll", true, 0, MS, text);
    explain_newest(words, sizeof words, 0);
    assert_non_null(strstr(words, "It came back after 12.3 ms. The line was cut."));
    compose(2, ROW_COLUMNS_MAX);
    assert_int_equal(strlen(fixture.rows[1]), ROW_COLUMNS_MAX);
}

static void what_is_about_to_be_asked(void **state)
{
    (void)state;
    fixture.scene.about = "It came back.\nAbout to call epoll_wait for 4 descriptors.";
    numbered_calls(0, 20);
    compose(9, 30);
    expect_row(5, "poll(NULL, 0, 19) = 0 (Timeout");
    expect_row(6, "It came back.");
    expect_row(7, "About to call epoll_wait for 4");
    expect_row(8, "descriptors.");
    inspector_choose(fixture.inspector, 1);
    compose(14, 100);
    expect_row(13, "About to call epoll_wait for 4 descriptors.");
}

/* A word that is wider than any row is broken; nothing is lost, and it always ends. */
static void narrow_words(void **state)
{
    (void)state;
    fixture.scene.about = "abcdefgh \xc3\xa9 ij";
    numbered_calls(0, 1);
    compose(60, 3);
    for (size_t i = 3; i + 1 < fixture.count; i++)
        if (strcmp(fixture.rows[i], "abc") == 0) {
            expect_row(i + 1, "def");
            assert_memory_equal(fixture.rows[i + 2], "gh", 2);
            return;
        }
    fail_msg("the words are missing");
}

static void a_paragraph_begins_a_row(void **state)
{
    static const char *const rows[] = {"one two", "three", "four"};
    struct wrap wrap;
    struct row row;

    (void)state;
    wrap_init(&wrap, "one two three\nfour"); /* the last word of the first moves down */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row_init(&row, 9);
        assert_true(wrap_row(&wrap, &row));
        assert_int_equal(row.length, strlen(rows[i]));
        assert_memory_equal(row.bytes, rows[i], row.length);
    }
    assert_false(wrap_row(&wrap, &row));
}

static void with_few_rows_the_meters_stay(void **state)
{
    static const char meters[] = "waiting";

    (void)state;
    watch_some();
    numbered_calls(0, 20);
    compose(1, 1);
    expect_row(0, "w");
    compose(1, 80);
    assert_memory_equal(fixture.rows[0], meters, 7);
    compose(3, 80);
    assert_memory_equal(fixture.rows[0], meters, 7);
    expect_row(2, "poll(NULL, 0, 19) = 0 (Timeout) <0.001000>");
    compose(5, 20);
    expect_row(0, "inspector: epoll  F4");
    expect_row(1, "waiting 0.0 %  wake-");
    expect_row(4, "poll(NULL, 0, 19) =");
    compose(8, 80);
    assert_memory_equal(fixture.rows[2], "  fd what", 9);
    compose(12, 80);
    expect_row(0, "inspector: epoll  F4 closes, Up/Down choose  . waited - timeout | ready # busy");
    assert_memory_equal(fixture.rows[3], "  fd what", 9);
    expect_row(11, "poll(NULL, 0, 19) = 0 (Timeout) <0.001000>");
    compose(0, 80);
    compose(3, 0);
}

static void a_wide_screen_has_the_table_beside_the_calls(void **state)
{
    (void)state;
    watch_some();
    numbered_calls(0, 100);
    compose(20, 200);
    expect_row(19, "poll(NULL, 0, 99) = 0 (Timeout) <0.001000>");
    assert_memory_equal(fixture.rows[3], "poll(NULL, 0, 83)", 17);
    assert_non_null(strstr(fixture.rows[3], "  fd what "));
    assert_non_null(strstr(fixture.rows[6], "   7 tcp localhost:51423 "));
    assert_int_equal(strlen(fixture.rows[6]), 200);
    compose(20, 139);
    assert_memory_equal(fixture.rows[3], "  fd what ", 10);
}

static void the_next_wait_in_words(void **state)
{
    char text[1024];
    int length;

    (void)state;
    inspector_describe_next(fixture.inspector, -1, text, sizeof text);
    assert_string_equal(text,
                        "About to wait with fake for no descriptor. No timer is set, so it is "
                        "to wait without a time limit.");
    watch(0, SIGNALS, POLLER_IN, "signals");
    inspector_describe_next(fixture.inspector, 0, text, sizeof text);
    assert_string_equal(text,
                        "About to wait with fake for 1 descriptor: is signals readable? It is "
                        "only to look, not to wait: something is to be done at once.");
    watch_stop(&fixture.watches[0]);
    watch_some();
    call("epoll_wait", true, 0, MS, NULL);
    length = inspector_describe_next(fixture.inspector, 37 * MS, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "About to call epoll_wait for 3 descriptors: is one of signals, "
                              "terminal, tcp localhost:51423 readable, or terminal writable? It is "
                              "to wait at most 37.0 ms, until the next timer is due.");
    assert_true(inspector_describe_next(fixture.inspector, 37 * MS, NULL, 0) > 100);
    assert_true(inspector_describe_next(fixture.inspector, 37 * MS, text, 6) > 100);
    assert_string_equal(text, "About");
}

static void the_last_wait_in_words(void **state)
{
    char text[1024];
    int length;

    (void)state;
    watch_some();
    assert_int_equal(inspector_describe_last(fixture.inspector, text, sizeof text), 0);
    assert_string_equal(text, "");
    call("poll", true, 1, MS,
         "poll([{fd=5, events=POLLIN}, {fd=7, events=POLLIN}], 2, 37) = 1 "
         "([{fd=7, revents=POLLIN}]) <0.012300>");
    inspector_did(fixture.inspector, "read 25 bytes from localhost:51423");
    length = inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "It came back after 12.3 ms: 1 of 2 was ready, 7 (tcp "
                              "localhost:51423) with POLLIN. POLLIN: reading would not block. The "
                              "program read 25 bytes from localhost:51423.");
    call("poll", true, 0, 50 * MS, NULL);
    inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_string_equal(text, "It came back after 50.0 ms: nothing was ready.");
    call("poll", true, -1, MS, NULL);
    inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_string_equal(text, "It failed after 1.0 ms with EINTR: a signal came first; the call is "
                              "to be made again.");
}

/* The backend busy asks again and again in one wait of the loop. */
static void many_calls_in_one_wait(void **state)
{
    char text[1024];

    (void)state;
    numbered_calls(0, 3);
    inspector_describe_next(fixture.inspector, 37 * MS, text, sizeof text);
    call("poll", true, 0, 1000, "poll(NULL, 0, 0) = 0 (Timeout) <0.000001>");
    call("poll", true, 0, 1000, "poll(NULL, 0, 0) = 0 (Timeout) <0.000001>");
    work(36 * MS);
    call("poll", true, 0, 1000, "poll(NULL, 0, 0) = 0 (Timeout) <0.000001>");
    inspector_describe_last(fixture.inspector, text, sizeof text);
    assert_string_equal(text, "poll was called 3 times within 36.0 ms. The last time: It came back "
                              "at once (0.001 ms): nothing was ready.");
}

static void observe(void *context, const struct poller_call *call)
{
    char line[STRACE_LINE];
    size_t n = strace_format(call, line, sizeof line);

    inspector_call(context, call, line, n);
}

/* A loop with a real poller and a pipe. The call's own name is known, and nothing is made up. */
static void a_real_poller(const char *backend)
{
    struct poller *poller = poller_open(backend);
    char text[1024];
    char expected[64];
    int ends[2];

    if (!poller)
        return;
    end(NULL);
    fixture.loop = loop_new(poller);
    fixture.inspector = inspector_new(fixture.loop);
    inspector_show(fixture.inspector, true);
    poller_observe(poller, observe, fixture.inspector);
    assert_int_equal(pipe(ends), 0);
    watch(0, ends[0], POLLER_IN, "the pipe");
    turn();
    inspector_describe_next(fixture.inspector, -1, text, sizeof text);
    assert_non_null(strstr(text, ": is the pipe readable? No timer is set"));
    assert_memory_equal(text, "About to call ", 14);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(loop_turn(fixture.loop), 0);
    inspector_describe_last(fixture.inspector, text, sizeof text);
    snprintf(expected, sizeof expected, "%d (the pipe) ", ends[0]);
    assert_non_null(strstr(text, expected));
    assert_int_equal(inspector_totals(fixture.inspector).events, 1);
    compose(12, 80);
    watch_stop(&fixture.watches[0]);
    close(ends[0]);
    close(ends[1]);
}

static void real_pollers(void **state)
{
    (void)state;
    a_real_poller("epoll");
    a_real_poller("poll");
    a_real_poller("select");
}

/* The name of the call is the next one's, too, only as long as the poller is the same. */
static void after_a_change_of_backend(void **state)
{
    struct poller *poller = poller_open("poll");
    char text[1024];
    int refused;

    (void)state;
    assert_non_null(poller);
    a_real_poller("select");
    inspector_describe_next(fixture.inspector, 0, text, sizeof text);
    assert_memory_equal(text, "About to call ", 14);
    assert_int_equal(loop_use(fixture.loop, poller, &refused), 0);
    inspector_describe_next(fixture.inspector, 0, text, sizeof text);
    assert_memory_equal(text, "About to wait with poll ", 24);
}

static void the_lessons_say_what_they_are(void **state)
{
    char text[1024];

    (void)state;
    a_real_poller("busy");
    inspector_describe_next(fixture.inspector, MS, text, sizeof text);
    assert_non_null(strstr(text, " (busy, a lesson: asks without end, never waits, burns a "
                                 "processor) for no descriptor."));
}

static const char *any_text(uint32_t *seed)
{
    static char text[2 * INSPECTOR_TEXT];
    static const char *const parts[] = {
        "poll([{fd=7, events=POLLIN}], 1, 50) = 0 (Timeout) <0.050110>",
        "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 512, 37) = 1 <0.012300>",
        "epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN, data={u32=7, u64=7}}) = 0 <0.000001>",
        "\x1b[31m\xc3\xa9 \xff\n\t <0",
        "",
    };

    text[0] = '\0';
    for (uint32_t i = kit_random(seed, 40) == 0 ? 100 : 1; i > 0; i--)
        strcat(text, parts[kit_random(seed, sizeof parts / sizeof *parts)]);
    return kit_random(seed, 4) == 0 ? NULL : text;
}

static void any_call(uint32_t *seed)
{
    static const char *const names[] = {"poll", "epoll_wait", "epoll_ctl", "io_uring_enter_or_so"};
    static const int64_t times[] = {0, 1000, MS, 70 * MS, 3 * CLOCK_SECOND, 500 * CLOCK_SECOND};

    fake_advance(times[kit_random(seed, 6)]);
    call(names[kit_random(seed, 4)], kit_random(seed, 3) > 0, (long)kit_random(seed, 4) - 1,
         times[kit_random(seed, 6)], any_text(seed));
}

static void any_step(uint32_t *seed)
{
    char text[512];

    switch (kit_random(seed, 9)) {
    case 0:
        inspector_choose(fixture.inspector, (long)kit_random(seed, 9) - 4);
        break;
    case 1:
        inspector_did(fixture.inspector, "did %*u", (int)kit_random(seed, 300), 1);
        break;
    case 2:
        inspector_read(fixture.inspector, kit_random(seed, 100));
        break;
    case 3:
        compose(kit_random(seed, ROWS), kit_random(seed, 250));
        break;
    case 4:
        inspector_describe_next(fixture.inspector, MS, text, kit_random(seed, sizeof text));
        inspector_describe_last(fixture.inspector, text, kit_random(seed, sizeof text));
        break;
    case 5:
        fixture.scene.about = kit_random(seed, 2) ? "About to\n\nbe in\xff step  mode\n" : NULL;
        break;
    case 6:
        watch_stop(&fixture.watches[0]);
        watch(0, (int)kit_random(seed, 9), POLLER_IN, any_text(seed));
        break;
    default:
        any_call(seed);
    }
}

/* The sanitizers look on. */
static void anything_at_any_size(void **state)
{
    uint32_t seed = 5;

    (void)state;
    watch_init(&fixture.watches[0], ignore, NULL);
    for (int i = 0; i < 4000; i++)
        any_step(&seed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_totals),
        TEST(meters_before_the_first_call),
        TEST(meters_of_the_last_five_seconds),
        TEST(meters_of_a_young_program),
        TEST(the_strip),
        TEST(what_was_a_minute_ago_is_forgotten),
        TEST(a_wait_of_an_hour),
        TEST(the_table),
        TEST(the_newest_call_is_at_the_bottom),
        TEST(text_is_wanted_while_it_is_shown),
        TEST(the_list_stands_still_while_one_is_chosen),
        TEST(a_choice_ends_where_its_call_is_forgotten),
        TEST(a_chosen_call_is_explained),
        TEST(what_was_done_belongs_to_the_wait),
        TEST(only_so_much_of_what_was_done_is_kept),
        TEST(names_are_those_of_the_moment),
        TEST(the_nameless_stay_so),
        TEST(names_at_registrations),
        TEST(a_text_that_is_too_long_is_cut),
        TEST(what_is_about_to_be_asked),
        TEST(narrow_words),
        TEST(a_paragraph_begins_a_row),
        TEST(with_few_rows_the_meters_stay),
        TEST(a_wide_screen_has_the_table_beside_the_calls),
        TEST(the_next_wait_in_words),
        TEST(the_last_wait_in_words),
        TEST(many_calls_in_one_wait),
        TEST(real_pollers),
        TEST(after_a_change_of_backend),
        TEST(the_lessons_say_what_they_are),
        TEST(anything_at_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, kit_cleanup);
}
