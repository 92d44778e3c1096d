/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is sigio's own: signals and the state of open files belong to more than a poller, so all of
 * it must be given back, nothing may end the process, and what sends no signal is found all the
 * same.
 */
#include "config.h"

#include "kit/kit.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "pollspin/poller.h"

enum { FDS = 256, POLLERS = 64 };

/* What the observer saw since forget(). */
static struct {
    int waits;   /* for signals */
    int signals; /* taken */
    int overflows;
    int64_t longest; /* sleep that was asked for; -1 is longest */
    char signal[512];
    char registrations[1024];
} seen;

static int opened[FDS];
static int opened_count;

static void forget(void)
{
    memset(&seen, 0, sizeof seen);
}

static void observe(void *context, const struct poller_call *call)
{
    size_t length = strlen(seen.registrations);
    char line[256];

    (void)context;
    if (!call->is_wait) {
        poller_call_text(call, line, sizeof line);
        snprintf(seen.registrations + length, sizeof seen.registrations - length, "%s\n", line);
        return;
    }
    if (seen.longest >= 0 && (call->timeout_ns < 0 || call->timeout_ns > seen.longest))
        seen.longest = call->timeout_ns;
    if (strcmp(call->name, "rt_sigtimedwait") != 0)
        return;
    seen.waits++;
    if (call->result < 0)
        return;
    poller_call_text(call, seen.signal, sizeof seen.signal);
    if (call->result == SIGIO)
        seen.overflows++;
    else
        seen.signals++;
}

static struct poller *open_one(void)
{
    struct poller *poller = poller_open("sigio");

    assert_non_null(poller);
    poller_observe(poller, observe, NULL);
    forget();
    return poller;
}

static int keep(int fd)
{
    assert_true(fd >= 0);
    assert_true(opened_count < FDS);
    opened[opened_count++] = fd;
    return fd;
}

static void keep_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    keep(ends[0]);
    keep(ends[1]);
}

static int end(void **state)
{
    while (opened_count > 0)
        close(opened[--opened_count]);
    return kit_cleanup(state);
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void take(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
}

static void add(struct poller *poller, int fd, unsigned want)
{
    assert_int_equal(poller_add(poller, fd, want, NULL), 0);
}

/* Nothing is ready, and who can be is asleep. */
static void settle(struct poller *poller)
{
    struct poller_event event;

    assert_int_equal(poller_wait(poller, &event, 1, 0), 0);
    forget();
}

static void assert_ready(struct poller *poller, int fd, unsigned ready)
{
    struct poller_event event;

    assert_int_equal(poller_wait(poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.fd, fd);
    assert_int_equal(event.ready, ready);
}

/* FD is found ready at once, because a signal has named it. */
static void assert_signalled(struct poller *poller, int fd, unsigned ready)
{
    struct poller_event event;

    assert_int_equal(poller_wait(poller, &event, 1, 0), 1);
    assert_int_equal(event.fd, fd);
    assert_int_equal(event.ready, ready);
    assert_true(seen.signals > 0);
}

static bool is_async(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    return flags & O_ASYNC;
}

static bool is_blocked(int signo)
{
    sigset_t mask;

    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, signo);
}

static void (*disposition(int signo))(int)
{
    struct sigaction action;

    assert_int_equal(sigaction(signo, NULL, &action), 0);
    return action.sa_handler;
}

/* The signal that FD sends. */
static int signal_of(int fd)
{
    int signo = fcntl(fd, F_GETSIG);

    assert_true(signo > SIGRTMIN && signo <= SIGRTMAX);
    return signo;
}

/* Runs PART in a child, which must end by itself: not by a signal. */
static void in_child(void (*part)(void *context), void *context)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        part(context);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- what is given back ---- */

struct file_state {
    int flags;
    int signo;
    struct f_owner_ex owner;
};

static struct file_state file_state(int fd)
{
    struct file_state state = {.flags = fcntl(fd, F_GETFL), .signo = fcntl(fd, F_GETSIG)};

    assert_int_equal(fcntl(fd, F_GETOWN_EX, &state.owner), 0);
    return state;
}

static void assert_same(int fd, const struct file_state *before)
{
    struct file_state now = file_state(fd);

    assert_int_equal(now.flags, before->flags);
    assert_int_equal(now.signo, before->signo);
    assert_int_equal(now.owner.type, before->owner.type);
    assert_int_equal(now.owner.pid, before->owner.pid);
}

static void files_are_as_they_were(void **state)
{
    const struct f_owner_ex owner = {F_OWNER_PID, getpid()};
    struct poller *poller = open_one();
    struct file_state before[2];
    int ends[2];

    (void)state;
    keep_pipe(ends);
    assert_int_equal(fcntl(ends[1], F_SETOWN_EX, &owner), 0);
    assert_int_equal(fcntl(ends[1], F_SETSIG, SIGUSR2), 0);
    for (int i = 0; i < 2; i++) {
        before[i] = file_state(ends[i]);
        add(poller, ends[i], POLLER_IN);
        assert_true(is_async(ends[i]));
    }
    assert_int_equal(poller_remove(poller, ends[0]), 0);
    assert_same(ends[0], &before[0]);
    poller_close(poller);
    assert_same(ends[1], &before[1]);
}

static void a_silent_file_is_left_alone(void **state)
{
    struct poller *poller = open_one();
    struct file_state before;
    int fd = keep(eventfd(0, 0));

    (void)state;
    before = file_state(fd);
    add(poller, fd, POLLER_IN);
    assert_same(fd, &before);
    poller_close(poller);
}

static void the_thread_is_as_it_was(void **state)
{
    struct poller *poller = open_one();
    int ends[2];
    int signo;

    (void)state;
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    signo = signal_of(ends[0]);
    assert_true(is_blocked(SIGIO));
    assert_true(is_blocked(signo));
    assert_ptr_equal(disposition(signo), SIG_IGN);
    poller_close(poller);
    assert_false(is_blocked(SIGIO));
    assert_false(is_blocked(signo));
    assert_ptr_equal(disposition(signo), SIG_DFL);
}

static void what_was_blocked_stays_so(void **state)
{
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    poller_close(open_one());
    assert_true(is_blocked(SIGIO));
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void none(int signo)
{
    (void)signo;
}

static void a_signal_in_use_is_not_taken(void **state)
{
    struct poller *poller;
    int ends[2];

    (void)state;
    signal(SIGRTMIN + 1, none);
    poller = open_one();
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    assert_int_equal(signal_of(ends[0]), SIGRTMIN + 2);
    poller_close(poller);
    assert_ptr_equal(disposition(SIGRTMIN + 1), none);
    signal(SIGRTMIN + 1, SIG_DFL);
}

/* The first one leaves first, as when a loop changes its poller. */
static void several_pollers(void **state)
{
    struct poller *first = open_one();
    struct poller *second = open_one();
    int one[2], other[2];

    (void)state;
    keep_pipe(one);
    keep_pipe(other);
    add(first, one[0], POLLER_IN);
    add(second, other[0], POLLER_IN);
    assert_true(signal_of(one[0]) != signal_of(other[0]));
    settle(first);
    settle(second);
    put(one[1]);
    assert_signalled(first, one[0], POLLER_IN);
    settle(second);
    poller_close(first);
    assert_true(is_blocked(SIGIO));
    put(other[1]);
    assert_signalled(second, other[0], POLLER_IN);
    poller_close(second);
    assert_false(is_blocked(SIGIO));
}

static void no_signal_is_left(void **state)
{
    struct poller *pollers[POLLERS];
    int count = 0;

    (void)state;
    while ((pollers[count] = poller_open("sigio")))
        assert_true(++count < POLLERS);
    assert_int_equal(errno, EAGAIN);
    assert_in_range(count, SIGRTMAX - SIGRTMIN - 1, SIGRTMAX - SIGRTMIN); /* valgrind has one */
    poller_close(pollers[--count]);
    pollers[count++] = open_one();
    while (count > 0)
        poller_close(pollers[--count]);
}

/* ---- what must not end the process ---- */

static void set_queue(rlim_t length)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = length < limit.rlim_max ? length : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}

/* One signal waits in the queue, and SIGIO for one that found no room there. */
static void close_with_pending(void *context)
{
    struct poller *poller = poller_open("sigio");
    int ends[2];

    (void)context;
    if (!poller || pipe(ends) < 0 || poller_add(poller, ends[0], POLLER_IN, NULL) < 0)
        _exit(1);
    put(ends[1]);
    set_queue(0);
    put(ends[1]);
    poller_close(poller);
    put(ends[1]);
}

static void pending_at_the_close(void **state)
{
    (void)state;
    in_child(close_with_pending, NULL);
}

/* A copy keeps the file open that can no longer be told to be silent. */
static void close_with_a_copy(void *context)
{
    struct poller *poller = poller_open("sigio");
    bool removes = *(const bool *)context;
    int ends[2];
    int number;

    if (!poller || pipe(ends) < 0)
        _exit(1);
    number = dup(ends[0]);
    if (poller_add(poller, number, POLLER_IN, NULL) < 0)
        _exit(1);
    close(number);
    if (removes)
        poller_remove(poller, number);
    poller_close(poller);
    put(ends[1]);
    if (!is_async(ends[0]))
        _exit(2); /* the trap is not there */
    if (!(poller = poller_open("sigio")))
        _exit(1);
    put(ends[1]);
    poller_close(poller);
    put(ends[1]);
}

static void a_copy_sends_for_ever(void **state)
{
    bool removes = false;

    (void)state;
    in_child(close_with_a_copy, &removes);
    removes = true;
    in_child(close_with_a_copy, &removes);
}

/* ---- the queue of signals is full ---- */

static void overflow(void **state)
{
    enum { MANY = 20 };
    struct poller *poller = open_one();
    struct poller_event events[MANY];
    int ends[MANY][2];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        keep_pipe(ends[i]);
        add(poller, ends[i][0], POLLER_IN);
    }
    settle(poller);
    set_queue(0);
    for (int i = 0; i < MANY; i++)
        put(ends[i][1]);
    set_queue(RLIM_INFINITY);
    assert_int_equal(poller_wait(poller, events, MANY, 0), MANY);
    assert_int_equal(seen.overflows, 1);
    assert_non_null(strstr(seen.signal, ", {si_signo=SIGIO, si_code=SI_KERNEL}, {tv_sec="));
    assert_non_null(strstr(seen.signal, ", 8) = 29 (SIGIO)"));
    for (int i = 0; i < MANY; i++)
        take(ends[i][0]);
    settle(poller);
    put(ends[3][1]);
    assert_signalled(poller, ends[3][0], POLLER_IN);
    poller_close(poller);
}

/* One of two pollers takes SIGIO; it was for the other. */
static void overflow_of_another_poller(void **state)
{
    struct poller *one = open_one();
    struct poller *other = open_one();
    struct poller_event event;
    int ends[2];

    (void)state;
    keep_pipe(ends);
    add(other, ends[0], POLLER_IN);
    settle(other);
    set_queue(0);
    put(ends[1]);
    set_queue(RLIM_INFINITY);
    assert_int_equal(poller_wait(one, &event, 1, 0), 0);
    assert_int_equal(seen.overflows, 1);
    assert_int_equal(poller_wait(other, &event, 1, 0), 1);
    assert_int_equal(event.fd, ends[0]);
    poller_close(one);
    poller_close(other);
}

/* ---- who gets the signals ---- */

static void close_it(void *poller)
{
    poller_close(poller);
}

static void remove_and_close_it(void *context)
{
    struct poller *poller = context;

    poller_remove(poller, opened[0]);
    poller_close(poller);
}

static void a_child_that_closes(void **state)
{
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    in_child(close_it, poller);
    in_child(remove_and_close_it, poller);
    assert_true(is_async(ends[0]));
    put(ends[1]);
    assert_signalled(poller, ends[0], POLLER_IN);
    poller_close(poller);
    assert_false(is_async(ends[0]));
}

/* As after daemon(3). */
static void wait_in_child(void *context)
{
    struct poller *poller = context;
    struct poller_event event;

    forget();
    if (poller_wait(poller, &event, 1, 0) != 0)
        _exit(1);
    put(opened[1]);
    if (poller_wait(poller, &event, 1, -1) != 1 || event.fd != opened[0] || seen.signals != 1)
        _exit(2);
    poller_close(poller);
    if (is_async(opened[0]))
        _exit(3);
}

static void a_child_that_goes_on(void **state)
{
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    in_child(wait_in_child, poller);
    poller_close(poller);
}

static void *wait_in_thread(void *context)
{
    struct poller *poller = context;
    struct poller_event event;

    forget();
    if (poller_wait(poller, &event, 1, 0) != 0)
        return NULL;
    put(opened[1]);
    if (poller_wait(poller, &event, 1, -1) != 1 || event.fd != opened[0] || seen.signals != 1)
        return NULL;
    poller_close(poller);
    return poller;
}

static void another_thread(void **state)
{
    struct poller *poller = open_one();
    sigset_t pending;
    pthread_t thread;
    void *result;
    int ends[2];
    int signo;

    (void)state;
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    signo = signal_of(ends[0]);
    put(ends[1]); /* it stays with the thread that is left */
    take(ends[0]);
    assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, poller), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, poller);
    assert_false(is_async(ends[0]));
    assert_true(is_blocked(SIGIO));
    assert_true(is_blocked(signo));
    if (kit_is_instrumented())
        return; /* valgrind keeps what is pending by itself, and does not throw it away */
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, signo));
}

static void arm_for_nobody(void *context)
{
    int fd = *(const int *)context;
    const struct f_owner_ex owner = {F_OWNER_PID, getpid()};

    if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, SIGUSR1) < 0 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) < 0)
        _exit(1);
}

static void left_behind_by_the_dead(void **state)
{
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    keep_pipe(ends);
    in_child(arm_for_nobody, ends);
    assert_true(is_async(ends[0]));
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    put(ends[1]);
    assert_signalled(poller, ends[0], POLLER_IN);
    poller_close(poller);
}

static void somebody_elses_stays_so(void **state)
{
    const struct f_owner_ex owner = {F_OWNER_PID, getpid()};
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    keep_pipe(ends);
    assert_int_equal(fcntl(ends[0], F_SETOWN_EX, &owner), 0);
    assert_int_equal(fcntl(ends[0], F_SETSIG, SIGURG), 0); /* ignored by default */
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK | O_ASYNC), 0);
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    put(ends[1]);
    assert_ready(poller, ends[0], POLLER_IN);
    poller_close(poller);
    assert_int_equal(fcntl(ends[0], F_GETSIG), SIGURG);
    assert_true(is_async(ends[0]));
}

/* ---- what sends a signal ---- */

static void a_signal_as_strace_prints_it(void **state)
{
    struct poller *poller = open_one();
    char expected[512];
    int ends[2];
    int number;

    (void)state;
    keep_pipe(ends);
    add(poller, ends[0], POLLER_IN);
    number = signal_of(ends[0]) - 32;
    snprintf(expected, sizeof expected,
             "fcntl(%d, F_SETOWN_EX, {type=F_OWNER_TID, pid=%d}) = 0\n"
             "fcntl(%d, F_SETSIG, SIGRT_%d) = 0\n"
             "fcntl(%d, F_SETFL, O_RDONLY|O_NONBLOCK|FASYNC) = 0\n",
             ends[0], (int)gettid(), ends[0], number, ends[0]);
    assert_string_equal(seen.registrations, expected);
    settle(poller);
    put(ends[1]);
    assert_signalled(poller, ends[0], POLLER_IN);
    snprintf(expected, sizeof expected,
             "rt_sigtimedwait([IO RT_%d], {si_signo=SIGRT_%d, si_code=POLL_IN, si_band=65, "
             "si_fd=%d}, {tv_sec=0, tv_nsec=",
             number, number, ends[0]);
    assert_memory_equal(seen.signal, expected, strlen(expected));
    snprintf(expected, sizeof expected, "}, 8) = %d (SIGRT_%d)", number + 32, number);
    assert_non_null(strstr(seen.signal, expected));
    poller_close(poller);
}

static void fill(int fd)
{
    static const char bytes[4096];

    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
}

static void drain(int fd)
{
    char bytes[4096];

    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

/* The other end reads until there is room again. */
static void await_room(struct poller *poller, const int ends[2])
{
    fill(ends[0]);
    add(poller, ends[0], POLLER_OUT);
    settle(poller);
    for (int i = 0; i < 1000 && seen.signals == 0; i++) {
        struct poller_event event;

        drain(ends[1]);
        if (poller_wait(poller, &event, 1, CLOCK_MILLISECOND) == 1) {
            assert_int_equal(event.ready, POLLER_OUT);
            return;
        }
    }
    fail_msg("no room");
}

static void room_in_tcp(void **state)
{
    struct poller *poller = open_one();
    uint16_t port;
    int listener = keep(kit_listen(&port));
    int ends[2] = {keep(kit_connect(port)), -1};

    (void)state;
    ends[1] = keep(kit_accept(listener));
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
    await_room(poller, ends);
    assert_true(seen.signals > 0);
    assert_non_null(strstr(seen.signal, ", si_code=POLL_OUT, "));
    poller_close(poller);
}

/* More is in it than the kernel calls room, but no write has failed: no signal comes. */
static void room_in_a_unix_socket(void **state)
{
    static const char bytes[65536];
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    keep(ends[0]);
    keep(ends[1]);
    assert_int_equal(write(ends[0], bytes, sizeof bytes), sizeof bytes);
    add(poller, ends[0], POLLER_OUT);
    settle(poller);
    drain(ends[1]);
    assert_ready(poller, ends[0], POLLER_OUT);
    assert_int_equal(seen.signals, 0);
    assert_in_range(seen.longest, 0, 50 * CLOCK_MILLISECOND);
    poller_close(poller);
}

/* ---- what sends none ---- */

static void *put_number(void *context)
{
    const int *fd = context;

    eventfd_write(*fd, 1);
    return NULL;
}

static void an_eventfd_is_found(void **state)
{
    struct poller *poller = open_one();
    int fd = keep(eventfd(0, EFD_NONBLOCK));
    pthread_t thread;

    (void)state;
    add(poller, fd, POLLER_IN);
    settle(poller);
    assert_int_equal(pthread_create(&thread, NULL, put_number, &fd), 0);
    assert_ready(poller, fd, POLLER_IN);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(seen.longest, 0, 10 * CLOCK_MILLISECOND);
    poller_close(poller);
}

static void a_copy_is_found(void **state)
{
    struct poller *poller = open_one();
    struct poller_event events[3];
    int ends[2];
    int copy;

    (void)state;
    keep_pipe(ends);
    copy = keep(dup(ends[0]));
    add(poller, ends[0], POLLER_IN);
    add(poller, copy, POLLER_IN);
    settle(poller);
    put(ends[1]);
    assert_int_equal(poller_wait(poller, events, 3, KIT_DEADLINE_NS), 2);
    assert_int_equal(poller_remove(poller, ends[0]), 0);
    assert_ready(poller, copy, POLLER_IN);
    take(copy);
    settle(poller);
    put(ends[1]);
    assert_ready(poller, copy, POLLER_IN);
    poller_close(poller);
}

static void a_terminal_is_found(void **state)
{
    struct poller *poller = open_one();
    int master = keep(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
    int slave;

    (void)state;
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    add(poller, master, POLLER_IN);
    settle(poller);
    put(slave);
    assert_ready(poller, master, POLLER_IN);
    take(master);
    settle(poller);
    close(slave);
    assert_ready(poller, master, POLLER_HUP);
    assert_in_range(seen.longest, 0, 50 * CLOCK_MILLISECOND);
    poller_close(poller);
}

static void shut_down_by_itself(void **state)
{
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    keep(ends[0]);
    keep(ends[1]);
    add(poller, ends[0], 0);
    settle(poller);
    assert_int_equal(shutdown(ends[0], SHUT_RDWR), 0);
    assert_ready(poller, ends[0], POLLER_HUP);
    poller_close(poller);
}

static void closed_after_a_look(void **state)
{
    struct poller *poller = open_one();
    int ends[2];

    (void)state;
    keep_pipe(ends);
    ends[0] = dup(ends[0]);
    add(poller, ends[0], POLLER_IN);
    settle(poller);
    close(ends[0]);
    assert_ready(poller, ends[0], POLLER_INVALID);
    settle(poller);
    poller_close(poller);
}

/* A pipe takes the number of another unnoticed: no signal comes of it until modify. */
static void another_file_under_the_number(void **state)
{
    struct poller *poller = open_one();
    int old[2], young[2];
    int number;

    (void)state;
    keep_pipe(old);
    keep_pipe(young);
    number = keep(dup(old[0]));
    add(poller, number, POLLER_IN);
    settle(poller);
    assert_int_equal(dup2(young[0], number), number);
    assert_int_equal(poller_modify(poller, number, POLLER_IN, NULL), 0);
    settle(poller);
    put(young[1]);
    assert_signalled(poller, number, POLLER_IN);
    poller_close(poller);
}

/* Each wait is ended before its slice is over; the one that sends none must be looked at all the
 * same. */
static void signals_of_the_program(void **state)
{
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    const struct itimerval never = {0};
    struct poller *poller = open_one();
    struct poller_event event;
    int fd = keep(eventfd(0, EFD_NONBLOCK));
    int n;

    (void)state;
    add(poller, fd, POLLER_IN);
    settle(poller);
    signal(SIGALRM, none);
    setitimer(ITIMER_REAL, &often, NULL);
    eventfd_write(fd, 1);
    n = poller_wait(poller, &event, 1, KIT_DEADLINE_NS);
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN);
    assert_int_equal(n, 1);
    assert_in_range(seen.waits, 1, 10);
    poller_close(poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(files_are_as_they_were, end),
        cmocka_unit_test_teardown(a_silent_file_is_left_alone, end),
        cmocka_unit_test_teardown(the_thread_is_as_it_was, end),
        cmocka_unit_test_teardown(what_was_blocked_stays_so, end),
        cmocka_unit_test_teardown(a_signal_in_use_is_not_taken, end),
        cmocka_unit_test_teardown(several_pollers, end),
        cmocka_unit_test_teardown(no_signal_is_left, end),
        cmocka_unit_test_teardown(pending_at_the_close, end),
        cmocka_unit_test_teardown(a_copy_sends_for_ever, end),
        cmocka_unit_test_teardown(overflow, end),
        cmocka_unit_test_teardown(overflow_of_another_poller, end),
        cmocka_unit_test_teardown(a_child_that_closes, end),
        cmocka_unit_test_teardown(a_child_that_goes_on, end),
        cmocka_unit_test_teardown(left_behind_by_the_dead, end),
        cmocka_unit_test_teardown(somebody_elses_stays_so, end),
        cmocka_unit_test_teardown(a_signal_as_strace_prints_it, end),
        cmocka_unit_test_teardown(room_in_tcp, end),
        cmocka_unit_test_teardown(room_in_a_unix_socket, end),
        cmocka_unit_test_teardown(an_eventfd_is_found, end),
        cmocka_unit_test_teardown(a_copy_is_found, end),
        cmocka_unit_test_teardown(a_terminal_is_found, end),
        cmocka_unit_test_teardown(shut_down_by_itself, end),
        cmocka_unit_test_teardown(closed_after_a_look, end),
        cmocka_unit_test_teardown(another_file_under_the_number, end),
        cmocka_unit_test_teardown(signals_of_the_program, end),
        cmocka_unit_test_teardown(another_thread, end), /* leaves the mask of this one changed */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void not_here(void **state)
{
    (void)state;
    kit_skip("signals with a descriptor in them are Linux's own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_here)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
