/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poller_from_fd and poller_fd on epoll: an instance that another program has filled, and what is
 * done to it behind the poller's back.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kit/kit.h"
#include "pollspin/poller.h"

#ifdef __linux__

#include <sys/epoll.h>

enum { PIPES = 6 };

static int epfd = -1;
static int pipes[PIPES][2];
static struct poller *poller;

static int begin(void **state)
{
    (void)state;
    epfd = epoll_create1(0);
    for (int i = 0; i < PIPES; i++)
        if (pipe(pipes[i]) < 0)
            return -1;
    return epfd < 0 ? -1 : 0;
}

static int end(void **state)
{
    if (!poller)
        close(epfd);
    poller_close(poller);
    poller = NULL;
    for (int i = 0; i < 2 * PIPES; i++)
        if (pipes[i / 2][i % 2] >= 0)
            close(pipes[i / 2][i % 2]);
    return kit_cleanup(state);
}

/* Puts FD in as a program does that knows nothing of pollers: the data is its own. */
static void put(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = ~UINT64_C(0)};

    assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
}

static void adopt(void)
{
    poller = poller_from_fd("epoll", epfd);
    assert_non_null(poller);
    assert_int_equal(poller_fd(poller), epfd);
}

/* Waits with a limit; one event or none may come. Returns its descriptor or -1. */
static int ready_one(int64_t timeout_ns, unsigned *ready, void **data)
{
    struct poller_event events[4];
    int n = poller_wait(poller, events, 4, timeout_ns);

    assert_in_range(n, 0, 1);
    if (n == 0)
        return -1;
    *ready = events[0].ready;
    *data = events[0].data;
    return events[0].fd;
}

static void assert_ready(int fd, unsigned expected, void *expected_data)
{
    unsigned ready;
    void *data;

    assert_int_equal(ready_one(KIT_DEADLINE_NS, &ready, &data), fd);
    assert_int_equal(ready, expected);
    assert_ptr_equal(data, expected_data);
}

static void assert_quiet(void)
{
    unsigned ready;
    void *data;

    assert_int_equal(ready_one(0, &ready, &data), -1);
}

static void touch(int i)
{
    assert_int_equal(write(pipes[i][1], "x", 1), 1);
}

static void drain(int i)
{
    char byte;

    assert_int_equal(read(pipes[i][0], &byte, 1), 1);
}

static void what_is_in_it_stays(void **state)
{
    (void)state;
    put(pipes[0][0], EPOLLIN);
    put(pipes[1][1], EPOLLOUT | EPOLLONESHOT);
    adopt();
    assert_ready(pipes[1][1], POLLER_OUT, NULL);
    assert_quiet();
    touch(0);
    assert_ready(pipes[0][0], POLLER_IN, NULL);
    drain(0);
    assert_int_equal(poller_add(poller, pipes[0][0], POLLER_IN, NULL), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(poller_modify(poller, pipes[1][1], POLLER_OUT, &epfd), 0);
    assert_ready(pipes[1][1], POLLER_OUT, &epfd);
    assert_int_equal(poller_remove(poller, pipes[1][1]), 0);
    assert_int_equal(poller_remove(poller, pipes[0][0]), 0);
    touch(0);
    assert_quiet();
}

static void its_triggers_stay(void **state)
{
    (void)state;
    put(pipes[0][0], EPOLLIN | EPOLLET);
    put(pipes[1][0], EPOLLIN);
    touch(0);
    adopt();
    assert_ready(pipes[0][0], POLLER_IN, NULL);
    assert_quiet(); /* still unread: the edge is over */
    touch(1);
    for (int i = 0; i < 2; i++)
        assert_ready(pipes[1][0], POLLER_IN, NULL);
}

static void a_one_shot_that_has_fired_is_silent(void **state)
{
    struct epoll_event event;

    (void)state;
    put(pipes[0][0], EPOLLIN | EPOLLONESHOT);
    touch(0);
    assert_int_equal(epoll_wait(epfd, &event, 1, 0), 1);
    adopt();
    assert_quiet();
    assert_int_equal(poller_modify(poller, pipes[0][0], POLLER_IN, poller), 0);
    assert_ready(pipes[0][0], POLLER_IN, poller);
}

/* The number of one is closed, that of another is a different pipe by now; copies keep both open,
 * and their events carry what the poller cannot know. */
static void numbers_that_are_gone(void **state)
{
    int copies[2];

    (void)state;
    put(pipes[0][0], EPOLLIN);
    put(pipes[1][0], EPOLLIN);
    put(pipes[2][0], EPOLLIN);
    copies[0] = dup(pipes[0][0]);
    copies[1] = dup(pipes[1][0]);
    close(pipes[0][0]);
    assert_int_equal(dup2(pipes[3][0], pipes[1][0]), pipes[1][0]);
    adopt();
    touch(0);
    touch(1);
    for (int i = 0; i < 3; i++)
        assert_quiet();
    assert_int_equal(poller_fd(poller), epfd);
    touch(2);
    assert_ready(pipes[2][0], POLLER_IN, NULL);
    close(copies[0]);
    close(copies[1]);
    pipes[0][0] = -1;
}

/* Put in by somebody else while the poller is at work: the instance is made anew without it. */
static void what_is_put_in_later_is_thrown_out(void **state)
{
    (void)state;
    adopt();
    assert_int_equal(poller_add(poller, pipes[0][0], POLLER_IN, poller), 0);
    put(pipes[1][0], EPOLLIN);
    touch(1);
    for (int i = 0; i < 3; i++)
        assert_quiet();
    assert_int_equal(poller_fd(poller), epfd);
    touch(0);
    assert_ready(pipes[0][0], POLLER_IN, poller);
}

static void many_are_taken_over(void **state)
{
    enum { MANY = 300 };
    int copies[MANY];
    int count = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        copies[i] = dup(pipes[0][0]);
        assert_true(copies[i] >= 0);
        put(copies[i], EPOLLIN);
    }
    adopt();
    for (int i = 0; i < MANY; i++)
        count += poller_remove(poller, copies[i]) == 0;
    assert_int_equal(count, MANY);
    for (int i = 0; i < MANY; i++)
        close(copies[i]);
}

/* What a poller cannot ask for must not be dropped. The instance is left as it was. */
static void one_that_cannot_be_taken_over(void **state)
{
    static const uint32_t others[] = {EPOLLEXCLUSIVE, EPOLLRDNORM, EPOLLRDBAND};
    struct epoll_event event;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put(pipes[i + 1][0], EPOLLIN | others[i]);
        errno = 0;
        assert_null(poller_from_fd("epoll", epfd));
        assert_int_equal(errno, ENOTSUP);
        assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_DEL, pipes[i + 1][0], NULL), 0);
    }
    put(pipes[0][0], EPOLLIN | EPOLLEXCLUSIVE);
    errno = 0;
    assert_null(poller_from_fd("epoll", epfd));
    assert_int_equal(errno, ENOTSUP);
    touch(0);
    assert_int_equal(epoll_wait(epfd, &event, 1, 0), 1);
    assert_true(event.data.u64 == ~UINT64_C(0));
}

static void without_a_descriptor_to_spare(void **state)
{
    struct rlimit before, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    assert_null(poller_from_fd("epoll", epfd));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(errno, EMFILE);
    adopt();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_in_it_stays, begin, end),
        cmocka_unit_test_setup_teardown(its_triggers_stay, begin, end),
        cmocka_unit_test_setup_teardown(a_one_shot_that_has_fired_is_silent, begin, end),
        cmocka_unit_test_setup_teardown(numbers_that_are_gone, begin, end),
        cmocka_unit_test_setup_teardown(what_is_put_in_later_is_thrown_out, begin, end),
        cmocka_unit_test_setup_teardown(many_are_taken_over, begin, end),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_taken_over, begin, end),
        cmocka_unit_test_setup_teardown(without_a_descriptor_to_spare, begin, end),
    };

    return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}

#else

static void not_here(void **state)
{
    (void)state;
    kit_skip("epoll is Linux's own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_here)};

    return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}

#endif
