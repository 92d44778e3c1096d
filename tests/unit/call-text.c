/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a poller's calls and flags are written, letter by letter; that strace(1) writes them so too
 * is another test's business. And which backend poller_open takes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/poller.h"
#include "trace/strace.h"

enum { TEXT_SIZE = 4096 };

/* The last call, as text. */
struct recorder {
    char text[TEXT_SIZE];
    char cut[8];
    int length;
    int length_cut;
    int length_unwritten;
};

struct fixture {
    struct poller *poller;
    struct recorder recorder;
    int ends[2];
};

static void record(void *context, const struct poller_call *call)
{
    struct recorder *recorder = context;

    recorder->length = poller_call_text(call, recorder->text, sizeof recorder->text);
    recorder->length_cut = poller_call_text(call, recorder->cut, sizeof recorder->cut);
    recorder->length_unwritten = poller_call_text(call, NULL, 0);
}

static void begin(struct fixture *fixture, const char *backend)
{
    *fixture = (struct fixture){.poller = poller_open(backend)};
    if (!fixture->poller && errno == ENOTSUP)
        kit_skip("this system lacks that backend");
    assert_non_null(fixture->poller);
    assert_int_equal(pipe(fixture->ends), 0);
    poller_observe(fixture->poller, record, &fixture->recorder);
}

static void end(struct fixture *fixture)
{
    poller_close(fixture->poller);
    close(fixture->ends[0]);
    close(fixture->ends[1]);
}

static void look(struct fixture *fixture, int64_t timeout_ns)
{
    struct poller_event event;

    assert_true(poller_wait(fixture->poller, &event, 1, timeout_ns) >= 0);
}

static void expect(struct fixture *fixture, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void expect(struct fixture *fixture, const char *format, ...)
{
    char expected[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    assert_string_equal(fixture->recorder.text, expected);
    assert_int_equal(fixture->recorder.length, strlen(expected));
    assert_int_equal(fixture->recorder.length_cut, strlen(expected));
    assert_int_equal(fixture->recorder.length_unwritten, strlen(expected));
    assert_int_equal(strlen(fixture->recorder.cut), sizeof fixture->recorder.cut - 1);
    assert_memory_equal(fixture->recorder.cut, expected, sizeof fixture->recorder.cut - 1);
}

static void poll_calls(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, "poll");
#ifndef SYS_poll
    end(&fixture);
    kit_skip("poll is not a system call here");
#endif
    look(&fixture, 0);
    expect(&fixture, "poll(NULL, 0, 0) = 0 (Timeout)");
    assert_int_equal(poller_add(fixture.poller, fixture.ends[0], POLLER_IN | POLLER_PRI, NULL), 0);
    look(&fixture, CLOCK_MILLISECOND);
    expect(&fixture, "poll([{fd=%d, events=POLLIN|POLLPRI}], 1, 1) = 0 (Timeout)", fixture.ends[0]);
    assert_int_equal(poller_add(fixture.poller, fixture.ends[1], POLLER_OUT, NULL), 0);
    look(&fixture, -1);
    expect(&fixture,
           "poll([{fd=%d, events=POLLIN|POLLPRI}, {fd=%d, events=POLLOUT}], 2, -1) = 1 "
           "([{fd=%d, revents=POLLOUT}])",
           fixture.ends[0], fixture.ends[1], fixture.ends[1]);
    close(fixture.ends[0]);
    look(&fixture, -1);
    expect(&fixture,
           "poll([{fd=%d, events=POLLIN|POLLPRI}, {fd=%d, events=POLLOUT}], 2, -1) = 2 "
           "([{fd=%d, revents=POLLNVAL}, {fd=%d, revents=POLLOUT|POLLERR}])",
           fixture.ends[0], fixture.ends[1], fixture.ends[0], fixture.ends[1]);
    end(&fixture);
}

/* The name and the time of the system call behind select(2) depend on libc. */
static bool select_is_pselect6(void)
{
#if defined __GLIBC__ && defined __linux__ && __GLIBC_PREREQ(2, 34)
    return true;
#else
    return false;
#endif
}

static void select_calls(void **state)
{
    struct fixture fixture;
    int in, out;

    (void)state;
    if (!select_is_pselect6())
        kit_skip("select is another system call here");
    begin(&fixture, "select");
    in = fixture.ends[0];
    out = fixture.ends[1];
    look(&fixture, 0);
    expect(&fixture, "pselect6(0, NULL, NULL, NULL, {tv_sec=0, tv_nsec=0}, NULL) = 0 (Timeout)");
    assert_int_equal(poller_add(fixture.poller, in, POLLER_IN | POLLER_PRI, NULL), 0);
    look(&fixture, 1500001);
    expect(&fixture,
           "pselect6(%d, [%d], NULL, [%d], {tv_sec=0, tv_nsec=1501000}, NULL) = 0 (Timeout)",
           in + 1, in, in);
    assert_int_equal(poller_add(fixture.poller, out, POLLER_OUT, NULL), 0);
    look(&fixture, -1);
    expect(&fixture, "pselect6(%d, [%d], [%d], [%d], NULL, NULL) = 1 (out [%d])", out + 1, in, out,
           in, out);
    close(in);
    look(&fixture, -1);
    expect(&fixture, "pselect6(%d, [%d], [%d], [%d], NULL, NULL) = -1 EBADF (Bad file descriptor)",
           out + 1, in, out, in);
    end(&fixture);
}

#ifdef SYS_epoll_wait
/* The instance is the number that was free when the poller was opened: the lowest. */
static void epoll_calls(void **state)
{
    struct fixture fixture;
    int epfd = dup(0);
    int in;

    (void)state;
    close(epfd);
    begin(&fixture, "epoll");
    in = fixture.ends[0];
    assert_int_equal(poller_add(fixture.poller, in, POLLER_IN | POLLER_EDGE | POLLER_RDHUP, NULL),
                     0);
    expect(&fixture,
           "epoll_ctl(%d, EPOLL_CTL_ADD, %d, {events=EPOLLIN|EPOLLRDHUP|EPOLLET, data={u32=%d, "
           "u64=%d}}) = 0",
           epfd, in, in, in);
    look(&fixture, CLOCK_MILLISECOND);
    expect(&fixture, "epoll_wait(%d, [], 1, 1) = 0", epfd);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    look(&fixture, -1);
    expect(&fixture, "epoll_wait(%d, [{events=EPOLLIN, data={u32=%d, u64=%d}}], 1, -1) = 1", epfd,
           in, in);
    assert_int_equal(poller_modify(fixture.poller, in, 0, NULL), 0);
    expect(&fixture, "epoll_ctl(%d, EPOLL_CTL_MOD, %d, {events=0, data={u32=%d, u64=%d}}) = 0",
           epfd, in, in, in);
    close(in);
    assert_int_equal(poller_remove(fixture.poller, in), 0);
    expect(&fixture, "epoll_ctl(%d, EPOLL_CTL_DEL, %d, NULL) = -1 EBADF (Bad file descriptor)",
           epfd, in);
    end(&fixture);
}
#else
static void epoll_calls(void **state)
{
    (void)state;
    kit_skip("no system call epoll_wait here");
}
#endif

/* The kqueue is the number that was free when the poller was opened, or near it: libkqueue opens
 * others first. */
static void kqueue_calls(void **state)
{
    struct fixture fixture;
    int in, kq;

    (void)state;
    begin(&fixture, "kqueue");
    in = fixture.ends[0];
    assert_int_equal(poller_add(fixture.poller, in, POLLER_IN | POLLER_EDGE, NULL), 0);
    assert_int_equal(sscanf(fixture.recorder.text, "kevent(%d, ", &kq), 1);
    expect(&fixture,
           "kevent(%d, [{ident=%d, filter=EVFILT_READ, flags=EV_ADD|EV_CLEAR, fflags=0, data=0, "
           "udata=0}], 1, [], 0, NULL) = 0",
           kq, in);
    look(&fixture, 1500001);
    expect(&fixture, "kevent(%d, [], 0, [], 512, {tv_sec=0, tv_nsec=1500001}) = 0", kq);
    assert_int_equal(write(fixture.ends[1], "x", 1), 1);
    look(&fixture, -1);
    assert_non_null(strstr(fixture.recorder.text, "filter=EVFILT_READ, flags="));
    assert_non_null(strstr(fixture.recorder.text, "fflags=0, data=1, udata=0}], 512, NULL) = 1"));
    assert_int_equal(poller_remove(fixture.poller, in), 0);
    expect(&fixture,
           "kevent(%d, [{ident=%d, filter=EVFILT_READ, flags=EV_DELETE, fflags=0, data=0, "
           "udata=0}], 1, [], 0, NULL) = 0",
           kq, in);
    end(&fixture);
}

/* Only so many are printed, and the rest is said to be there. */
static void long_lists_are_cut(void **state)
{
    enum { MANY = 40, PRINTED = 32 };
    struct fixture fixture;
    char last[64];
    int fds[MANY];

    (void)state;
    begin(&fixture, "poll");
    for (int i = 0; i < MANY; i++) {
        fds[i] = dup(fixture.ends[0]);
        assert_int_equal(poller_add(fixture.poller, fds[i], POLLER_IN, NULL), 0);
    }
    look(&fixture, 0);
    snprintf(last, sizeof last, "{fd=%d, events=POLLIN}, ...], %d, ", fds[PRINTED - 1], MANY);
    assert_non_null(strstr(fixture.recorder.text, last));
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    end(&fixture);
}

static void event_names(void **state)
{
    static const unsigned all = POLLER_ONESHOT * 2 - 1;
    char text[128];

    (void)state;
    assert_int_equal(poller_event_names(text, sizeof text, POLLER_IN | POLLER_HUP), 6);
    assert_string_equal(text, "IN|HUP");
    poller_event_names(text, sizeof text, 0);
    assert_string_equal(text, "0");
    poller_event_names(text, sizeof text, all);
    assert_string_equal(text, "IN|OUT|PRI|ERR|HUP|RDHUP|INVALID|EDGE|ONESHOT");
    poller_event_names(text, sizeof text, POLLER_OUT | 0x10000);
    assert_string_equal(text, "OUT|0x10000");
    assert_int_equal(poller_event_names(text, 4, POLLER_IN | POLLER_HUP), 6);
    assert_string_equal(text, "IN|");
    assert_int_equal(poller_event_names(NULL, 0, POLLER_IN | POLLER_HUP), 6);
}

static void explanations(void **state)
{
    struct poller *poller = poller_open("poll");
    char text[128];

    (void)state;
    assert_non_null(poller);
    poller_explain(poller, 3, ENOTSUP, text, sizeof text);
    assert_string_equal(text, "poll cannot be asked for that");
    poller_explain(poller, 3, EBADF, text, sizeof text);
    assert_string_equal(text, "poll: descriptor 3: Bad file descriptor");
    poller_explain(poller, 3, EBADF, text, 5);
    assert_string_equal(text, "poll");
    poller_close(poller);
}

static void assert_opens(const char *name, const char *expected)
{
    struct poller *poller = poller_open(name);

    assert_non_null(poller);
    assert_string_equal(poller_name(poller), expected);
    poller_close(poller);
}

static void choice_of_a_backend(void **state)
{
    struct poller_info best;

    (void)state;
    assert_int_equal(poller_list(0, &best), 0);
    unsetenv("POLLSPIN_BACKEND");
    if (!best.missing) {
        assert_opens(NULL, best.name);
        assert_opens("auto", best.name);
        setenv("POLLSPIN_BACKEND", "", 1);
        assert_opens(NULL, best.name);
        setenv("POLLSPIN_BACKEND", "auto", 1);
        assert_opens(NULL, best.name);
    }
    setenv("POLLSPIN_BACKEND", "select", 1);
    assert_opens(NULL, "select");
    assert_opens("auto", "select");
    assert_opens("poll", "poll");
    setenv("POLLSPIN_BACKEND", "nonsense", 1);
    assert_null(poller_open(NULL));
    assert_int_equal(errno, EINVAL);
    assert_opens("poll", "poll");
    unsetenv("POLLSPIN_BACKEND");
    assert_null(poller_open("nonsense"));
    assert_int_equal(errno, EINVAL);
    assert_null(poller_open(""));
    poller_close(NULL);
}

static void the_list_ends(void **state)
{
    struct poller_info info;
    size_t count = 0;

    (void)state;
    while (poller_list(count, &info) == 0) {
        assert_non_null(info.name);
        assert_non_null(info.summary);
        count++;
    }
    assert_int_equal(errno, ERANGE);
    assert_true(count >= 5);
}

static void wake(int signo)
{
    (void)signo;
}

/* The signal that comes while nobody reads has to be obeyed: the write must not go on waiting. */
static void a_stuck_reader_gives_way_to_a_signal(void **state)
{
    const struct sigaction action = {.sa_handler = wake};
    const struct itimerval often = {{0, 10000}, {0, 10000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    struct strace_file file = {.fd = -1};
    struct sigaction before;
    static char line[STRACE_LINE];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    file.fd = ends[1];
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < 1000 && !file.error; i++)
        strace_to_file(&file, line, sizeof line);
    assert_int_equal(file.error, EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    close(ends[0]);
    close(ends[1]);
}

static void a_stuck_reader_is_waited_for_in_bounds(void **state)
{
    struct strace_file file = {.patience_ms = 10};
    static char line[STRACE_LINE];
    int64_t start = clock_now();
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    file.fd = ends[1];
    for (int i = 0; i < 1000 && !file.error; i++)
        strace_to_file(&file, line, sizeof line);
    assert_int_equal(file.error, EAGAIN);
    assert_in_range(clock_now() - start, 10 * CLOCK_MILLISECOND, KIT_DEADLINE_NS);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_calls),
        cmocka_unit_test(select_calls),
        cmocka_unit_test(epoll_calls),
        cmocka_unit_test(kqueue_calls),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(event_names),
        cmocka_unit_test(explanations),
        cmocka_unit_test(choice_of_a_backend),
        cmocka_unit_test(the_list_ends),
        cmocka_unit_test(a_stuck_reader_gives_way_to_a_signal),
        cmocka_unit_test(a_stuck_reader_is_waited_for_in_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
