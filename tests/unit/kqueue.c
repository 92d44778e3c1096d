/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kqueue's own: a kqueue that somebody else has filled, which cannot be asked what is in
 * it, what an event's raw holds, what kevent(2) refuses, and more than it tells of at once. The
 * rest is the contract's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/poller.h"

#ifdef HAVE_KQUEUE_BACKEND
#include <sys/types.h>

#include <sys/event.h>

enum { MANY = 600 }; /* so that a batch cannot hold them, whichever of its limits is met */

struct fixture {
    struct poller *poller;
    int ends[2];
    int calls;
};

/* What kevent(2) says to the next ones instead: to each that adds one of these filters, and to that
 * many waits. */
static struct {
    int error;
    bool is_for_write_alone;
    int waits;
} refusal;

int __real_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                  int max, const struct timespec *timeout);
int __wrap_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                  int max, const struct timespec *timeout);

static bool is_refused(const struct kevent *changes, int change_count)
{
    if (change_count == 0)
        return refusal.waits > 0 && refusal.waits-- > 0;
    return refusal.error != 0 && (changes->flags & EV_ADD) &&
           (changes->filter == EVFILT_WRITE || !refusal.is_for_write_alone);
}

int __wrap_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                  int max, const struct timespec *timeout)
{
    if (!is_refused(changes, change_count))
        return __real_kevent(kq, changes, change_count, events, max, timeout);
    errno = change_count > 0 ? refusal.error : ENOMEM;
    return -1;
}

static void refuse_to_write(int error)
{
    refusal.error = error;
    refusal.is_for_write_alone = true;
}

static int forgive(void **state)
{
    (void)state;
    refusal.error = 0;
    refusal.is_for_write_alone = false;
    refusal.waits = 0;
    return 0;
}

/* The other's data is an address that must not come back. */
static void put_in(int kq, int ident, int filter, unsigned flags)
{
    struct kevent change = {.ident = (uintptr_t)ident};

    change.filter = (__typeof__(change.filter))filter;
    change.flags = (__typeof__(change.flags))(EV_ADD | flags);
    change.udata = (__typeof__(change.udata))(uintptr_t)77;
    assert_int_equal(kevent(kq, &change, 1, NULL, 0, NULL), 0);
}

static void count_call(void *context, const struct poller_call *call)
{
    (void)call;
    ++*(int *)context;
}

static void begin(struct fixture *fixture, int kq)
{
    fixture->poller = poller_from_fd("kqueue", kq);
    assert_non_null(fixture->poller);
    poller_observe(fixture->poller, count_call, &fixture->calls);
}

static void end(struct fixture *fixture)
{
    poller_close(fixture->poller);
    close(fixture->ends[0]);
    close(fixture->ends[1]);
}

static void expect(struct fixture *fixture, unsigned ready, const void *data)
{
    struct poller_event event;

    assert_int_equal(poller_wait(fixture->poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.fd, fixture->ends[0]);
    assert_int_equal(event.ready, ready);
    assert_ptr_equal(event.data, data);
}

static void expect_quiet(struct fixture *fixture)
{
    struct poller_event event;

    assert_int_equal(poller_wait(fixture->poller, &event, 1, CLOCK_MILLISECOND), 0);
}

static void what_is_reported_is_in(void **state)
{
    struct fixture fixture = {0};
    int kq = kqueue();

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    put_in(kq, fixture.ends[0], EVFILT_READ, 0);
    begin(&fixture, kq);
    assert_int_equal(poller_modify(fixture.poller, fixture.ends[0], POLLER_IN, NULL), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    expect(&fixture, POLLER_IN, NULL);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[0], POLLER_IN, NULL), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(
        poller_modify(fixture.poller, fixture.ends[0], POLLER_IN | POLLER_OUT, &fixture), 0);
    expect(&fixture, POLLER_IN | POLLER_OUT, &fixture);
    assert_int_equal(poller_remove(fixture.poller, fixture.ends[0]), 0);
    expect_quiet(&fixture);
    end(&fixture);
}

/* The one who adds knows nothing of the filter that is there, nor of its EV_CLEAR. */
static void what_is_added_replaces_what_is_in(void **state)
{
    struct fixture fixture = {0};
    int kq = kqueue();

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    put_in(kq, fixture.ends[0], EVFILT_READ, EV_CLEAR);
    put_in(kq, fixture.ends[0], EVFILT_WRITE, 0);
    begin(&fixture, kq);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[0], POLLER_IN, &fixture), 0);
    expect_quiet(&fixture);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        expect(&fixture, POLLER_IN, &fixture);
    end(&fixture);
}

static void make_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* The filter that had nothing to say until then, too. */
static void what_is_removed_stays_out(void **state)
{
    struct fixture fixture = {0};
    static char bytes[4096];
    int kq = kqueue();

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    make_nonblocking(fixture.ends[0]);
    make_nonblocking(fixture.ends[1]);
    while (write(fixture.ends[0], bytes, sizeof bytes) > 0)
        ;
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    put_in(kq, fixture.ends[0], EVFILT_READ, 0);
    put_in(kq, fixture.ends[0], EVFILT_WRITE, 0);
    begin(&fixture, kq);
    expect(&fixture, POLLER_IN, NULL);
    assert_int_equal(poller_remove(fixture.poller, fixture.ends[0]), 0);
    while (read(fixture.ends[1], bytes, sizeof bytes) > 0)
        ;
    expect_quiet(&fixture);
    end(&fixture);
}

static void the_trigger_is_taken_in_too(void **state)
{
    static const unsigned flags[] = {
        EV_CLEAR,
        EV_ONESHOT,
#ifdef EV_DISPATCH
        EV_DISPATCH,
#endif
    };

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct fixture fixture = {0};
        struct poller_event event;
        int kq = kqueue();

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
        put_in(kq, fixture.ends[0], EVFILT_READ, flags[i]);
        begin(&fixture, kq);
        assert_int_equal(write(fixture.ends[1], "x", 1), 1);
        expect(&fixture, POLLER_IN, NULL);
        poller_wait(fixture.poller, &event, 1, 0); /* an edge may be told once more */
        expect_quiet(&fixture);
        end(&fixture);
    }
}

#ifdef EVFILT_USER
/* One that stays triggered would make every wait a look. */
static void what_is_no_descriptor_is_taken_out(void **state)
{
    struct kevent trigger = {.ident = 5, .filter = EVFILT_USER, .fflags = NOTE_TRIGGER};
    struct fixture fixture = {0};
    int kq = kqueue();
    int before;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    put_in(kq, 5, EVFILT_USER, 0);
    assert_int_equal(kevent(kq, &trigger, 1, NULL, 0, NULL), 0);
    begin(&fixture, kq);
    expect_quiet(&fixture);
    before = fixture.calls;
    expect_quiet(&fixture);
    assert_in_range(fixture.calls - before, 1, 3);
    end(&fixture);
}
#else
static void what_is_no_descriptor_is_taken_out(void **state)
{
    (void)state;
    kit_skip("this system has no EVFILT_USER");
}
#endif

/* Under a number that no kqueue had: libkqueue learns of a close in a thread of its own. */
static void what_is_no_kqueue_is_refused(void **state)
{
    int ends[2];
    int fd;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    fd = fcntl(ends[0], F_DUPFD, 100);
    assert_true(fd >= 0);
    assert_null(poller_from_fd("kqueue", fd));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(write(ends[1], "x", 1), 1);
    close(fd);
    assert_null(poller_from_fd("kqueue", fd));
    assert_int_equal(errno, EBADF);
    close(ends[0]);
    close(ends[1]);
}

static void raw_is_the_flags(void **state)
{
    struct fixture fixture = {.poller = poller_open("kqueue")};
    struct poller_event event;

    (void)state;
    assert_non_null(fixture.poller);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[0], POLLER_IN | POLLER_EDGE, &fixture),
                     0);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    assert_int_equal(poller_wait(fixture.poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.raw & (EV_CLEAR | EV_EOF), EV_CLEAR);
    assert_int_equal(shutdown(fixture.ends[1], SHUT_WR), 0);
    assert_int_equal(poller_wait(fixture.poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.raw & (EV_CLEAR | EV_EOF), EV_CLEAR | EV_EOF);
    assert_int_equal(event.ready, POLLER_IN);
    end(&fixture);
}

static void begin_pipe(struct fixture *fixture)
{
    fixture->poller = poller_open("kqueue");
    assert_non_null(fixture->poller);
    assert_int_equal(pipe(fixture->ends), 0);
}

/* The writing end of a pipe whose reader has gone, where the system refuses to watch it. */
static void begin_dead(struct fixture *fixture, unsigned want)
{
    begin_pipe(fixture);
    close(fixture->ends[0]);
    refuse_to_write(EPIPE);
    assert_int_equal(poller_add(fixture->poller, fixture->ends[1], want, fixture), 0);
}

static void end_dead(struct fixture *fixture)
{
    poller_close(fixture->poller);
    close(fixture->ends[1]);
}

static void expect_dead(struct fixture *fixture)
{
    struct poller_event event;

    assert_int_equal(poller_wait(fixture->poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.fd, fixture->ends[1]);
    assert_int_not_equal(event.ready & (POLLER_ERR | POLLER_HUP), 0);
    assert_ptr_equal(event.data, fixture);
}

static void a_failed_wait_fails_after_a_dead_pipe(void **state)
{
    struct fixture fixture = {0};
    struct poller_event event;

    (void)state;
    begin_dead(&fixture, POLLER_OUT);
    expect_dead(&fixture);
    assert_int_equal(poller_remove(fixture.poller, fixture.ends[1]), 0);
    refusal.waits = 1;
    assert_int_equal(poller_wait(fixture.poller, &event, 1, CLOCK_MILLISECOND), -1);
    assert_int_equal(errno, ENOMEM);
    expect_quiet(&fixture);
    end_dead(&fixture);
}

/* BSD refuses to watch it from then on, and says so when it is asked anew. */
static void a_pipe_that_dies_stays_told(void **state)
{
    static const unsigned wants[] = {0, POLLER_RDHUP, POLLER_OUT, POLLER_OUT | POLLER_RDHUP};

    (void)state;
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        struct fixture fixture = {0};

        begin_pipe(&fixture);
        assert_int_equal(poller_add(fixture.poller, fixture.ends[1], wants[i], &fixture), 0);
        refuse_to_write(EPIPE);
        close(fixture.ends[0]);
        for (int times = 0; times < 3; times++)
            expect_dead(&fixture);
        end_dead(&fixture);
        forgive(NULL);
    }
}

/* What was told is asked for anew, and there is no memory for it. */
static void what_cannot_be_asked_anew_is_tried_again(void **state)
{
    struct fixture fixture = {0};
    struct poller_event event;

    (void)state;
    begin_pipe(&fixture);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[1], 0, &fixture), 0);
    close(fixture.ends[0]);
    refuse_to_write(ENOMEM);
    expect_dead(&fixture);
    assert_int_equal(poller_wait(fixture.poller, &event, 1, CLOCK_MILLISECOND), -1);
    assert_int_equal(errno, ENOMEM);
    forgive(NULL);
    expect_dead(&fixture);
    end_dead(&fixture);
}

static void fail_to_modify(struct fixture *fixture, int fd, unsigned want)
{
    assert_int_equal(poller_modify(fixture->poller, fd, want, NULL), -1);
    assert_int_equal(errno, ENOMEM);
}

static void a_failed_modify_changes_nothing(void **state)
{
    static const unsigned wants[] = {POLLER_IN, POLLER_IN | POLLER_EDGE};

    (void)state;
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        struct fixture fixture = {.poller = poller_open("kqueue")};
        int *fd = fixture.ends;

        assert_non_null(fixture.poller);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
        assert_int_equal(poller_add(fixture.poller, *fd, wants[i], &fixture), 0);
        refuse_to_write(ENOMEM);
        fail_to_modify(&fixture, *fd, POLLER_IN | POLLER_OUT);
        expect_quiet(&fixture);
        assert_int_equal(write(fixture.ends[1], "x", 1), 1);
        expect(&fixture, POLLER_IN, &fixture);
        end(&fixture);
        forgive(NULL);
    }
}

/* Even where the old watch cannot be had back at once. */
static void a_modify_that_fails_twice_changes_nothing(void **state)
{
    struct fixture fixture = {.poller = poller_open("kqueue")};

    (void)state;
    assert_non_null(fixture.poller);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[0], POLLER_IN, &fixture), 0);
    refusal.error = ENOMEM;
    fail_to_modify(&fixture, fixture.ends[0], POLLER_OUT);
    expect_quiet(&fixture);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    expect(&fixture, POLLER_IN, &fixture);
    forgive(NULL);
    expect(&fixture, POLLER_IN, &fixture);
    end(&fixture);
}

static void a_failed_modify_leaves_a_dead_pipe(void **state)
{
    struct fixture fixture = {0};

    (void)state;
    begin_dead(&fixture, POLLER_OUT);
    refuse_to_write(ENOMEM);
    fail_to_modify(&fixture, fixture.ends[1], POLLER_OUT | POLLER_RDHUP);
    expect_dead(&fixture);
    end_dead(&fixture);
}

/* Numbers for one and the same file, each watched for WANT. */
static void begin_many(struct fixture *fixture, int fds[MANY], unsigned want)
{
    for (int i = 0; i < MANY; i++) {
        fds[i] = dup(fixture->ends[0]);
        assert_true(fds[i] >= 0);
        assert_int_equal(poller_add(fixture->poller, fds[i], want, &fds[i]), 0);
    }
}

static void close_many(const int fds[MANY])
{
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

/* An edge may be told twice, but that must come to an end. */
static void tell_many_edges(int max)
{
    struct fixture fixture = {.poller = poller_open("kqueue")};
    struct poller_event events[MANY];
    unsigned told[MANY] = {0};
    int fds[MANY];
    int waits = 0;
    int n;

    assert_non_null(fixture.poller);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends), 0);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    begin_many(&fixture, fds, POLLER_IN | POLLER_OUT | POLLER_EDGE);
    while ((n = poller_wait(fixture.poller, events, max, CLOCK_MILLISECOND)) > 0) {
        for (int i = 0; i < n; i++)
            told[(int *)events[i].data - fds] |= events[i].ready;
        assert_true(++waits < 100);
    }
    assert_int_equal(n, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(told[i], POLLER_IN | POLLER_OUT);
    close_many(fds);
    end(&fixture);
}

static void many_edges_are_all_told(void **state)
{
    (void)state;
    tell_many_edges(MANY);
    tell_many_edges(64);
}

/* There are filters for both, as edges, and nothing else tells of the end. */
static void many_ends_are_all_told(void **state)
{
    struct fixture fixture = {0};
    struct poller_event events[MANY];
    int fds[MANY];
    int left = MANY;

    (void)state;
    begin_pipe(&fixture);
    begin_many(&fixture, fds, 0);
    close(fixture.ends[1]);
    while (left > 0) {
        int n = poller_wait(fixture.poller, events, MANY, KIT_DEADLINE_NS);

        assert_true(n > 0);
        for (int i = 0; i < n; i++)
            assert_int_equal(poller_remove(fixture.poller, events[i].fd), 0);
        left -= n;
    }
    close_many(fds);
    close(fixture.ends[0]);
    poller_close(fixture.poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_reported_is_in),
        cmocka_unit_test(what_is_added_replaces_what_is_in),
        cmocka_unit_test(what_is_removed_stays_out),
        cmocka_unit_test(the_trigger_is_taken_in_too),
        cmocka_unit_test(what_is_no_descriptor_is_taken_out),
        cmocka_unit_test(what_is_no_kqueue_is_refused),
        cmocka_unit_test(raw_is_the_flags),
        cmocka_unit_test_teardown(a_failed_wait_fails_after_a_dead_pipe, forgive),
        cmocka_unit_test_teardown(a_pipe_that_dies_stays_told, forgive),
        cmocka_unit_test_teardown(what_cannot_be_asked_anew_is_tried_again, forgive),
        cmocka_unit_test_teardown(a_failed_modify_changes_nothing, forgive),
        cmocka_unit_test_teardown(a_modify_that_fails_twice_changes_nothing, forgive),
        cmocka_unit_test_teardown(a_failed_modify_leaves_a_dead_pipe, forgive),
        cmocka_unit_test(many_edges_are_all_told),
        cmocka_unit_test(many_ends_are_all_told),
    };

    return cmocka_run_group_tests(tests, NULL, kit_cleanup);
}

#else

static void every_case(void **state)
{
    (void)state;
    kit_skip("no kqueue here, and no libkqueue");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

    return cmocka_run_group_tests(tests, NULL, kit_cleanup);
}
#endif
