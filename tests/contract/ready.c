/* SPDX-License-Identifier: BSD-2-Clause */
/* What is reported of pipes, sockets and files, and who is served when many are ready. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/contract.h"

static void level_repeats(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_quiet(subject, 0);
    subject_write(ends[1], "x");
    for (int i = 0; i < 3; i++)
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_read(ends[0], "x");
    subject_quiet(subject, 0);
}

static void one_entry_for_both(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN | POLLER_OUT);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN | POLLER_OUT);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_OUT, subject_data(ends[0])), 0);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_OUT);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_IN, subject_data(ends[0])), 0);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

/* The data must be told of with the hang-up, or before: who closes on HUP alone loses it. */
static void assert_data_then_hangup(struct subject *subject, const int ends[2])
{
    unsigned ready;

    subject_write(ends[1], "last words");
    subject_close(subject, ends[1]);
    subject_add(subject, ends[0], POLLER_IN);
    ready = subject_ready(subject, ends[0]);
    assert_true(ready & POLLER_IN);
    subject_read(ends[0], "last words");
    subject_read(ends[0], "");
    ready = subject_ready(subject, ends[0]);
    if (subject_tells_hangup(subject))
        assert_true(ready & POLLER_HUP);
    else
        assert_int_equal(ready, POLLER_IN);
}

static void hangup_after_data_on_a_socket(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    assert_data_then_hangup(subject, ends);
}

static void hangup_after_data_on_a_pipe(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    assert_data_then_hangup(subject, ends);
}

static void a_pipe_without_writer(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_close(subject, ends[1]);
    assert_true(subject_ready(subject, ends[0]) &
                (subject_tells_hangup(subject) ? POLLER_HUP : POLLER_IN));
}

static void a_pipe_without_reader(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[1], POLLER_OUT);
    subject_close(subject, ends[0]);
    assert_true(subject_ready(subject, ends[1]) &
                (subject_tells_hangup(subject) ? POLLER_ERR | POLLER_HUP : POLLER_OUT));
}

static void assert_pending(const struct subject *subject, int fd, int expected)
{
    int error = 0;
    socklen_t length = sizeof error;

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, subject_is_libkqueue(subject) ? 0 : expected);
}

static void a_reset(struct subject *subject)
{
    int ends[2];

    subject_tcp(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_quiet(subject, 0);
    kit_reset(dup(ends[1]));
    subject_close(subject, ends[1]);
    assert_true(subject_ready(subject, ends[0]) &
                (subject_tells_hangup(subject) ? POLLER_ERR : POLLER_IN));
    assert_pending(subject, ends[0], ECONNRESET);
}

/* A port that nobody listens on, kept free of others by the socket that is bound to it. */
static void a_refused_connection(struct subject *subject)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int bound = subject_keep(subject, socket(AF_INET, SOCK_STREAM, 0));
    int fd = subject_keep(subject, socket(AF_INET, SOCK_STREAM, 0));

    assert_int_equal(bind(bound, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), -1);
    if (errno != EINPROGRESS)
        kit_skip("the connection is refused at once here");
    subject_add(subject, fd, POLLER_OUT);
    assert_true(subject_ready(subject, fd) & POLLER_OUT);
    assert_pending(subject, fd, ECONNREFUSED);
}

static void an_urgent_byte(struct subject *subject)
{
    int ends[2];

    subject_tcp(subject, ends);
    subject_add(subject, ends[0], POLLER_PRI);
    subject_quiet(subject, 0);
    assert_int_equal(send(ends[1], "!", 1, MSG_OOB), 1);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_PRI);
}

/* A socket wakes those who wait for either in the same way; the wait must look which it is.
 * Not for blocking, which would sit in it for ever. */
static void ordinary_data_is_not_urgent(struct subject *subject)
{
    struct poller_event event;
    int ends[2];
    pid_t child;

    if (subject_is(subject, "blocking"))
        return;
    subject_tcp(subject, ends);
    subject_add(subject, ends[0], POLLER_PRI);
    child = subject_write_later(ends[1], 2 * CLOCK_MILLISECOND);
    subject_quiet(subject, 20 * CLOCK_MILLISECOND);
    subject_end_child(child);
    assert_int_equal(
        poller_modify(subject->poller, ends[0], POLLER_IN | POLLER_PRI, subject_data(ends[0])), 0);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_read(ends[0], "x");
    child = subject_write_later(ends[1], 2 * CLOCK_MILLISECOND);
    assert_int_equal(poller_wait(subject->poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.ready, POLLER_IN);
    subject_end_child(child);
}

static void the_peer_sends_no_more(struct subject *subject)
{
    int ends[2];

    subject_tcp(subject, ends);
    subject_add(subject, ends[0], POLLER_RDHUP);
    subject_quiet(subject, 0);
    subject_write(ends[1], "x");
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_RDHUP);
    assert_int_equal(
        poller_modify(subject->poller, ends[0], POLLER_IN | POLLER_RDHUP, subject_data(ends[0])),
        0);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN | POLLER_RDHUP);
}

/* select, which has no word for a hang-up, says nothing. */
static void hangup_without_a_want(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    subject_add(subject, ends[0], 0);
    subject_write(ends[1], "x");
    subject_quiet(subject, 0);
    subject_close(subject, ends[1]);
    if (subject_tells_hangup(subject))
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_HUP);
    else
        subject_quiet(subject, 0);
}

static void files_are_ready(struct subject *subject)
{
    int file = subject_file(subject, 10);
    int null = subject_keep(subject, open("/dev/null", O_RDWR));

    subject_add(subject, file, POLLER_IN | POLLER_OUT);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, file), POLLER_IN | POLLER_OUT);
    assert_int_equal(poller_modify(subject->poller, file, 0, subject_data(file)), 0);
    subject_quiet(subject, 0);
    subject_add(subject, null, POLLER_IN);
    assert_int_equal(subject_ready(subject, null), POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, null), 0);
    assert_int_equal(poller_modify(subject->poller, file, POLLER_OUT, subject_data(file)), 0);
    assert_int_equal(subject_ready(subject, file), POLLER_OUT);
    assert_int_equal(poller_remove(subject->poller, file), 0);
    subject_quiet(subject, 0);
}

/* Asks for one event again and again, and counts who got how many. */
static void serve(struct subject *subject, int max, int rounds, int served[SUBJECT_FDS])
{
    struct poller_event events[SUBJECT_EVENTS];

    for (int i = 0; i < SUBJECT_FDS; i++)
        served[i] = 0;
    while (rounds-- > 0) {
        int n = poller_wait(subject->poller, events, max, 0);

        assert_in_range(n, 1, max);
        for (int i = 0; i < n; i++) {
            assert_in_range(events[i].fd, 0, SUBJECT_FDS - 1);
            served[events[i].fd]++;
        }
    }
}

static void files_and_sockets_together(struct subject *subject)
{
    int served[SUBJECT_FDS];
    int ready[2], idle[2];
    int file = subject_file(subject, 10);
    int null = subject_keep(subject, open("/dev/null", O_RDWR));

    subject_pair(subject, ready);
    subject_pair(subject, idle);
    subject_write(ready[1], "x");
    subject_add(subject, file, POLLER_IN);
    subject_add(subject, idle[0], POLLER_IN);
    subject_add(subject, ready[0], POLLER_IN);
    subject_add(subject, null, POLLER_OUT);
    for (int max = 1; max <= 4; max++) {
        serve(subject, max, 12, served);
        assert_true(served[file] >= 2);
        assert_true(served[null] >= 2);
        assert_true(served[ready[0]] >= 2);
        assert_int_equal(served[idle[0]], 0);
    }
}

static void nobody_starves(struct subject *subject)
{
    enum { MANY = 20 };
    int served[SUBJECT_FDS];
    int ends[MANY][2];

    for (int i = 0; i < MANY; i++) {
        subject_pipe(subject, ends[i]);
        subject_add(subject, ends[i][0], POLLER_IN);
        subject_write(ends[i][1], "x");
    }
    for (int max = 1; max <= 7; max += 3) {
        serve(subject, max, 2 * MANY, served);
        for (int i = 0; i < MANY; i++)
            assert_true(served[ends[i][0]] > 0);
    }
}

const struct contract_case contract_ready[] = {
    {"level repeats until it is read", level_repeats, 0},
    {"reading and writing are one entry", one_entry_for_both, 0},
    {"hang-up after data on a socket", hangup_after_data_on_a_socket, 0},
    {"hang-up after data on a pipe", hangup_after_data_on_a_pipe, 0},
    {"a pipe without writer", a_pipe_without_writer, 0},
    {"a pipe without reader", a_pipe_without_reader, 0},
    {"a reset connection", a_reset, 0},
    {"a refused connection", a_refused_connection, 0},
    {"an urgent byte", an_urgent_byte, POLLER_PRI},
    {"ordinary data is not urgent", ordinary_data_is_not_urgent, POLLER_PRI},
    {"the peer sends no more", the_peer_sends_no_more, POLLER_RDHUP},
    {"hang-up where nothing is wanted", hangup_without_a_want, 0},
    {"files are always ready", files_are_ready, 0},
    {"files and sockets do not starve each other", files_and_sockets_together, 0},
    {"nobody starves when more are ready than fit", nobody_starves, 0},
    {0},
};
