/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One target as its owner meets it: what it is asked and told, in which order, and what it can ask
 * for. The server is in the test's hands.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/session.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { PIECE = 64 * 1024, NAME = 300 };

/* The owner, and what it was told. */
static struct {
    struct loop *loop;
    struct session *session;
    struct session_options options;
    char name[NAME];
    int listener;
    int server;
    size_t taken; /* by the server */
    bool is_full;
    int settled; /* what is_settled says */
    int result;  /* what on_data returns */
    char bytes[256];
    size_t received;
    int breaks;
    enum session_state state; /* as on_state last saw it */
    int retries;
    bool is_busy; /* a call of ours runs: nothing of the end may be told from within */
    int ends;
    enum session_end end;
    char why[600];
} t;

static enum session_state state_now(void)
{
    struct session_view view;

    session_look(t.session, &view);
    return view.state;
}

static bool on_has_room(void *owner)
{
    assert_ptr_equal(owner, &t);
    return !t.is_full;
}

static int on_data(void *owner, const char *bytes, size_t n)
{
    (void)owner;
    for (size_t i = 0; i < n; i++, t.received++)
        if (t.received < sizeof t.bytes - 1)
            t.bytes[t.received] = bytes[i];
    errno = ENOMEM;
    return t.result;
}

static void on_break(void *owner)
{
    (void)owner;
    t.breaks++;
}

static void on_state(void *owner)
{
    (void)owner;
    t.state = state_now();
}

static int on_is_settled(void *owner)
{
    (void)owner;
    return t.settled;
}

static void on_retry(void *owner, const char *why)
{
    (void)owner;
    snprintf(t.why, sizeof t.why, "%s", why);
    t.retries++;
}

static void on_end(void *owner, enum session_end end, const char *why)
{
    (void)owner;
    assert_false(t.is_busy);
    assert_int_equal(t.settled == EAGAIN, false);
    t.end = end;
    snprintf(t.why, sizeof t.why, "%s", why);
    t.ends++;
}

static const struct session_events events = {
    .has_room = on_has_room,
    .on_data = on_data,
    .on_break = on_break,
    .on_state = on_state,
    .is_settled = on_is_settled,
    .on_retry = on_retry,
    .on_end = on_end,
};

static void start(void)
{
    t.session = session_new(t.loop, &t.options, &events, &t);
    assert_non_null(t.session);
    assert_int_equal(state_now(), SESSION_CONNECTING);
}

static void start_and_accept(void)
{
    start();
    turns_until(t.loop, t.state == SESSION_OPEN);
    t.server = kit_accept(t.listener);
}

static int setup(void **state)
{
    uint16_t port;
    const char *why;

    (void)state;
    memset(&t, 0, sizeof t);
    t.loop = turns_new("poll");
    t.listener = kit_listen(&port);
    snprintf(t.name, sizeof t.name, "%s", kit_target(port));
    t.options = (struct session_options){.input_fd = -1};
    assert_int_equal(target_parse(&t.options.target, t.name, 0, &why), 0);
    return 0;
}

static int teardown(void **state)
{
    if (t.session) {
        session_cancel(t.session);
        turns_for(t.loop, 0);
    }
    session_free(t.session);
    loop_free(t.loop);
    return kit_cleanup(state);
}

static void assert_ended(enum session_end end, const char *why)
{
    char text[NAME + 300];

    turns_until(t.loop, t.ends > 0);
    turns_for(t.loop, 0);
    snprintf(text, sizeof text, "%s: %s", t.name, why);
    assert_int_equal(t.ends, 1);
    assert_int_equal(t.end, end);
    assert_string_equal(t.why, text);
    assert_int_equal(t.state, SESSION_ENDED);
    session_describe(t.session, text, sizeof text);
    assert_string_equal(text, t.why);
}

/* ---- sending ---- */

static void what_is_sent_arrives(void **state)
{
    char bytes[8] = "";

    (void)state;
    start();
    assert_int_equal(session_send(t.session, "early\n", 6), -1);
    assert_int_equal(errno, ENOTCONN);
    turns_until(t.loop, t.state == SESSION_OPEN);
    t.server = kit_accept(t.listener);
    assert_int_equal(session_send(t.session, "one\n", 4), 0);
    kit_receive_all(t.server, bytes, 4);
    assert_string_equal(bytes, "one\n");
}

static void the_end_of_the_input_is_half_an_end(void **state)
{
    char byte;

    (void)state;
    start_and_accept();
    assert_int_equal(session_send(t.session, "x", 1), 0);
    session_end_input(t.session);
    assert_int_equal(session_send(t.session, "y", 1), -1);
    assert_int_equal(errno, EPIPE);
    kit_receive_all(t.server, &byte, 1);
    assert_int_equal(kit_receive(t.server, &byte, 1), 0);
    kit_send(t.server, "still\n", 6);
    turns_until(t.loop, t.received == 6);
    close(t.server);
    assert_ended(SESSION_CLOSED, "closed by the server after 1 line, 6 bytes");
    assert_int_equal(session_send(t.session, "z", 1), -1);
    assert_int_equal(errno, ENOTCONN);
}

/* Returns how much the server has read by now. */
static size_t take_from_server(void)
{
    static char piece[PIECE];
    ssize_t n = recv(t.server, piece, sizeof piece, MSG_DONTWAIT);

    t.taken += n > 0 ? (size_t)n : 0;
    return t.taken;
}

/* What a server that does not read has not taken is bounded, and all of it arrives later. */
static void what_is_too_much_is_refused_as_a_whole(void **state)
{
    static char piece[PIECE];
    struct session_view view;
    size_t sent = 0;

    (void)state;
    start_and_accept();
    while (session_send(t.session, piece, sizeof piece) == 0)
        sent += sizeof piece;
    assert_int_equal(errno, ENOBUFS);
    session_look(t.session, &view);
    assert_true(view.queued > 0);
    assert_int_equal(view.sent + view.queued, sent);
    turns_until(t.loop, take_from_server() >= sent);
    assert_int_equal(take_from_server(), sent);
    session_look(t.session, &view);
    assert_int_equal(view.queued, 0);
    assert_int_equal(session_send(t.session, piece, sizeof piece), 0);
}

/* ---- receiving ---- */

static void what_is_held_waits_in_the_kernel(void **state)
{
    struct session_view view;

    (void)state;
    start_and_accept();
    session_hold(t.session, true);
    kit_send(t.server, "later\n", 6);
    turns_until(t.loop, session_unread(t.session) == 6);
    turns_for(t.loop, 2 * TURNS_TICK);
    assert_int_equal(t.received, 0);
    session_look(t.session, &view);
    assert_true(view.is_held);
    session_hold(t.session, false);
    turns_until(t.loop, t.received == 6);
    assert_string_equal(t.bytes, "later\n");
    assert_int_equal(session_unread(t.session), 0);
}

/* Nobody reads, so nobody sees that the server has gone, but who sends. */
static void what_is_held_takes_nothing_for_a_server_that_is_gone(void **state)
{
    (void)state;
    start_and_accept();
    session_hold(t.session, true);
    kit_reset(t.server);
    turns_until(t.loop, session_send(t.session, "one\n", 4) < 0);
    assert_true(errno == ECONNRESET || errno == EPIPE);
    assert_int_equal(state_now(), SESSION_OPEN);
    assert_int_equal(session_send(t.session, "two\n", 4), -1);
    assert_int_equal(errno, EPIPE);
    session_hold(t.session, false);
    assert_ended(SESSION_RESET, "connection reset by the server after 0 lines, 0 bytes");
}

static void without_room_nothing_is_read(void **state)
{
    (void)state;
    start_and_accept();
    t.is_full = true;
    session_on_output(t.session);
    kit_send(t.server, "later\n", 6);
    turns_until(t.loop, session_unread(t.session) == 6);
    session_hold(t.session, true);
    session_hold(t.session, false);
    turns_for(t.loop, 2 * TURNS_TICK);
    assert_int_equal(t.received, 0);
    t.is_full = false;
    session_on_output(t.session);
    turns_until(t.loop, t.received == 6);
}

static void an_owner_may_have_enough(void **state)
{
    (void)state;
    start_and_accept();
    t.result = 1;
    kit_send(t.server, "one\n", 4);
    assert_ended(SESSION_SHOWN, "the lines asked for were shown");
}

static void an_owner_may_fail(void **state)
{
    (void)state;
    start_and_accept();
    t.result = -1;
    kit_send(t.server, "one\n", 4);
    assert_ended(SESSION_BROKEN, "Cannot allocate memory");
}

/* ---- ends ---- */

static void the_end_is_told_when_all_is_shown(void **state)
{
    (void)state;
    start_and_accept();
    t.settled = EAGAIN;
    close(t.server);
    turns_until(t.loop, t.state == SESSION_ENDED);
    turns_for(t.loop, 2 * TURNS_TICK);
    assert_int_equal(t.breaks, 1);
    assert_int_equal(t.ends, 0);
    t.settled = 0;
    session_on_output(t.session);
    assert_ended(SESSION_CLOSED, "closed by the server after 0 lines, 0 bytes");
}

static void leave(void)
{
    t.is_busy = true;
    session_leave(t.session);
    session_leave(t.session);
    t.is_busy = false;
    assert_int_equal(state_now(), SESSION_ENDED);
}

static void one_that_is_open_can_be_left(void **state)
{
    char byte;

    (void)state;
    start_and_accept();
    leave();
    assert_ended(SESSION_LEFT, "left");
    assert_int_equal(kit_receive(t.server, &byte, 1), 0);
}

static void one_that_connects_can_be_left(void **state)
{
    (void)state;
    start();
    leave();
    assert_ended(SESSION_LEFT, "left");
}

static void one_that_waits_can_be_left(void **state)
{
    (void)state;
    close(t.listener);
    t.options.reconnects = true;
    start();
    turns_until(t.loop, t.retries > 0);
    assert_int_equal(t.ends, 0);
    leave();
    assert_ended(SESSION_LEFT, "left");
}

static void one_that_is_cancelled_tells_nothing(void **state)
{
    char byte;

    (void)state;
    start_and_accept();
    session_cancel(t.session);
    turns_for(t.loop, 2 * TURNS_TICK);
    assert_int_equal(t.ends, 0);
    assert_int_equal(kit_receive(t.server, &byte, 1), 0);
}

/* ---- looking ---- */

static void it_counts_over_all_its_connections(void **state)
{
    struct session_view view;

    (void)state;
    t.options.reconnects = true;
    start_and_accept();
    assert_int_equal(session_send(t.session, "12345", 5), 0);
    kit_send(t.server, "one\n", 4);
    turns_until(t.loop, t.received == 4);
    kit_reset(t.server);
    turns_until(t.loop, t.retries == 1);
    turns_until(t.loop, t.state == SESSION_OPEN);
    t.server = kit_accept(t.listener);
    assert_int_equal(session_send(t.session, "678", 3), 0);
    kit_send(t.server, "two\n", 4);
    turns_until(t.loop, t.received == 8);
    session_look(t.session, &view);
    assert_string_equal(view.name, t.name);
    assert_int_equal(view.received, 8);
    assert_int_equal(view.sent, 8);
    assert_int_equal(view.reads, 2);
    assert_in_range(view.since, 1, clock_now());
}

/* The text has a tenth of a second, and says what is left. */
static void assert_counted_down(void)
{
    struct session_view view;
    char text[400];
    double seconds;

    session_look(t.session, &view);
    session_describe(t.session, text, sizeof text);
    assert_int_equal(sscanf(text, "trying again in %lf s: ", &seconds), 1);
    assert_string_equal(strchr(text, ':'), strchr(t.why, ':'));
    seconds -= (double)(view.retry_due - loop_now(t.loop)) / (double)CLOCK_SECOND;
    assert_true(view.retry_due < loop_now(t.loop) || (seconds > -0.051 && seconds < 0.051));
}

static void what_it_waits_for_is_counted_down(void **state)
{
    (void)state;
    close(t.listener);
    t.options.reconnects = true;
    start();
    turns_until(t.loop, t.retries == 3); /* then the time may be long enough */
    assert_non_null(strstr(t.why, ": cannot connect: "));
    /* Not while it waits: the next try may fail, and the next wait begin, between two looks. */
    while (t.retries == 3 && state_now() == SESSION_WAITING) {
        assert_counted_down();
        turns_for(t.loop, TURNS_TICK);
    }
}

static void each_state_has_a_word(void **state)
{
    static const char *const words[] = {"connecting", "open", "ending", "waiting", "ended"};
    char text[400];

    (void)state;
    for (enum session_state i = SESSION_CONNECTING; i <= SESSION_ENDED; i++)
        assert_string_equal(session_state_name(i), words[i]);
    start_and_accept();
    session_describe(t.session, text, sizeof text);
    assert_string_equal(text, "");
}

static void its_watches_have_names(void **state)
{
    char title[NAME + 8];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    t.options.input_fd = ends[0];
    start_and_accept();
    snprintf(title, sizeof title, "tcp %s", t.name);
    assert_int_equal(turns_watches(t.loop, title), 1);
    assert_int_equal(turns_watches(t.loop, "standard input"), 1);
    close(t.server);
    assert_int_equal(write(ends[1], "typed\n", 6), 6);
    turns_until(t.loop, t.ends == 1);
    turns_for(t.loop, 0);
    assert_int_equal(turns_watches(t.loop, title), 0);
    session_free(t.session);
    t.session = NULL;
    assert_int_equal(turns_watches(t.loop, "standard input"), 0);
    close(ends[0]);
    close(ends[1]);
}

static void a_path_is_its_own_name(void **state)
{
    const char *why;

    (void)state;
    snprintf(t.name, sizeof t.name, "unix:%s/socket", kit_folder());
    assert_int_equal(target_parse(&t.options.target, t.name, 0, &why), 0);
    t.listener = kit_listen_unix(t.name + strlen("unix:"));
    start_and_accept();
    assert_int_equal(turns_watches(t.loop, t.name), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_sent_arrives),
        CASE(the_end_of_the_input_is_half_an_end),
        CASE(what_is_too_much_is_refused_as_a_whole),
        CASE(what_is_held_waits_in_the_kernel),
        CASE(what_is_held_takes_nothing_for_a_server_that_is_gone),
        CASE(without_room_nothing_is_read),
        CASE(an_owner_may_have_enough),
        CASE(an_owner_may_fail),
        CASE(the_end_is_told_when_all_is_shown),
        CASE(one_that_is_open_can_be_left),
        CASE(one_that_connects_can_be_left),
        CASE(one_that_waits_can_be_left),
        CASE(one_that_is_cancelled_tells_nothing),
        CASE(it_counts_over_all_its_connections),
        CASE(what_it_waits_for_is_counted_down),
        CASE(each_state_has_a_word),
        CASE(its_watches_have_names),
        CASE(a_path_is_its_own_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
