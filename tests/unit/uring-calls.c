/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that uring makes: as few as there can be, how they are shown, and that ten thousand
 * that are ready in one moment are all told, by rings that hold a few hundred.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/poller.h"

enum { MANY = 10000, FEW = 600, ROOM = 64 };

static struct {
    struct poller *poller;
    int ends[2];
    int calls;
    char text[512]; /* of the last call */
    int fds[MANY];  /* copies of ends[0] */
    int count;
    int told[2 * MANY]; /* how often, by descriptor number */
} fixture;

static void observe(void *context, const struct poller_call *call)
{
    (void)context;
    fixture.calls++;
    poller_call_text(call, fixture.text, sizeof fixture.text);
}

static int begin(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    fixture.poller = poller_open("uring");
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fixture.ends);
}

static int end(void **state)
{
    poller_close(fixture.poller);
    close(fixture.ends[0]);
    close(fixture.ends[1]);
    while (fixture.count > 0)
        close(fixture.fds[--fixture.count]);
    return kit_cleanup(state);
}

/* A test begins with it: there may be no ring. */
static void need_a_ring(void)
{
    if (!fixture.poller)
        kit_skip("there is no io_uring here");
    poller_observe(fixture.poller, observe, NULL);
}

static void add(int fd, unsigned want)
{
    assert_int_equal(poller_add(fixture.poller, fd, want, NULL), 0);
}

static void change(int fd, unsigned want)
{
    assert_int_equal(poller_modify(fixture.poller, fd, want, NULL), 0);
}

/* Waits, and returns what FD, which nothing else is, is ready for; 0: nothing. */
static unsigned ready(int fd, int64_t timeout_ns)
{
    struct poller_event events[ROOM];
    int n = poller_wait(fixture.poller, events, ROOM, timeout_ns);

    if (n == 0)
        return 0;
    assert_int_equal(n, 1);
    assert_int_equal(events[0].fd, fd);
    return events[0].ready;
}

/* What was reported is asked again by the call that waits; so is what was changed, and the word of
 * the old poll does not end that wait. */
static void one_wait_is_one_call(void **state)
{
    int in = fixture.ends[0];

    (void)state;
    need_a_ring();
    add(in, POLLER_IN);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(ready(in, KIT_DEADLINE_NS), POLLER_IN);
        assert_int_equal(fixture.calls, i);
    }
    change(in, 0);
    assert_int_equal(ready(in, 0), 0);
    fixture.calls = 0;
    change(in, POLLER_RDHUP);
    assert_int_equal(ready(in, 20 * CLOCK_MILLISECOND), 0);
    assert_int_equal(fixture.calls, 1);
    assert_int_equal(poller_remove(fixture.poller, in), 0);
    assert_int_equal(fixture.calls, 2);
}

static void expect(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What the last call was, without the name and the ring. */
static void expect(const char *format, ...)
{
    const char *arguments = strchr(fixture.text, ',');
    char expected[512];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    assert_non_null(arguments);
    assert_string_equal(arguments, expected);
}

static void what_is_shown(void **state)
{
    int fd = fixture.ends[0];

    (void)state;
    need_a_ring();
    add(fd, POLLER_IN | POLLER_RDHUP);
    assert_int_equal(ready(fd, 0), 0);
    expect(", 1, 0, IORING_ENTER_GETEVENTS, NULL, 8) = 1 /* SQ [{fd=%d, "
           "events=POLLIN|POLLRDHUP}], CQ [] */",
           fd);
    assert_int_equal(ready(fd, 1500001), 0);
    assert_non_null(strstr(fixture.text, "{sigmask=NULL, sigmask_sz=8, min_wait_usec=0, "
                                         "ts={tv_sec=0, tv_nsec="));
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    assert_int_equal(ready(fd, -1), POLLER_IN);
    expect(", 1, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 1 /* SQ [{fd=%d, "
           "events=POLLIN|POLLRDHUP}], CQ [{fd=%d, revents=POLLIN}] */",
           fd, fd);
    change(fd, POLLER_RDHUP | POLLER_EDGE);
    assert_int_equal(ready(fd, 0), 0);
    expect(", 1, 0, IORING_ENTER_GETEVENTS, NULL, 8) = 1 /* SQ [{fd=%d, "
           "events=POLLRDHUP|IORING_POLL_ADD_MULTI}], CQ [] */",
           fd);
    assert_int_equal(poller_remove(fixture.poller, fd), 0);
    expect(", 1, 0, 0, NULL, 8) = 1 /* SQ [{fd=%d, events=IORING_OP_ASYNC_CANCEL}], CQ [{fd=%d, "
           "revents=ECANCELED}] */",
           fd, fd);
}

/* As many as the process may have. */
static void add_many(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 2 * MANY ? limit.rlim_max : 2 * MANY;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (fixture.count < MANY) {
        int fd = dup(fixture.ends[0]);

        if (fd < 0)
            break;
        assert_true(fd < 2 * MANY);
        fixture.fds[fixture.count++] = fd;
        add(fd, POLLER_IN);
    }
    if (fixture.count < FEW)
        kit_skip("the limit of open descriptors is too low");
}

/* Takes what is ready, ROOM at a time, until TOTAL or more are. Returns how many. */
static int take(int total)
{
    struct poller_event events[ROOM];
    int taken = 0;
    int n;

    while (taken < total && (n = poller_wait(fixture.poller, events, ROOM, 0)) > 0) {
        for (int i = 0; i < n; i++)
            fixture.told[events[i].fd]++;
        taken += n;
    }
    return taken;
}

static void ten_thousand_at_once(void **state)
{
    (void)state;
    need_a_ring();
    add_many();
    print_message("%d descriptors\n", fixture.count);
    assert_int_equal(take(1), 0);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    for (int round = 1; round <= 3; round++) {
        assert_true(take(fixture.count) >= fixture.count);
        for (int i = 0; i < fixture.count; i++)
            assert_in_range(fixture.told[fixture.fds[i]], round, round + 1);
    }
}

/* Waits once, so that the poll is of this thread, and then sits still until the pipe ends. */
static void *wait_once(void *pipe_end)
{
    struct poller_event event;
    char byte;

    poller_wait(fixture.poller, &event, 1, 0);
    if (write(fixture.ends[1], "r", 1) != 1 || read(*(const int *)pipe_end, &byte, 1) != 0)
        return pipe_end;
    return NULL;
}

static bool sees_the_end(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)) == 1;
}

/* The word of the poll waits for its thread, which sits still. IORING_OP_POLL_REMOVE is refused
 * then, and a poll of many shots went on, with the open file in its hand. */
static void an_edge_that_is_removed_lets_go(void **state)
{
    int held[2], watched[2];
    pthread_t thread;
    char byte;

    (void)state;
    need_a_ring();
    assert_int_equal(pipe(held), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, watched), 0);
    assert_int_equal(poller_add(fixture.poller, watched[0], POLLER_IN | POLLER_EDGE, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_once, &held[0]), 0);
    assert_int_equal(read(fixture.ends[0], &byte, 1), 1);
    assert_int_equal(write(watched[1], "x", 1), 1);
    assert_int_equal(poller_remove(fixture.poller, watched[0]), 0);
    close(watched[0]);
    assert_true(sees_the_end(watched[1]));
    close(held[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(held[0]);
    close(watched[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_wait_is_one_call, begin, end),
        cmocka_unit_test_setup_teardown(what_is_shown, begin, end),
        cmocka_unit_test_setup_teardown(ten_thousand_at_once, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_that_is_removed_lets_go, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
