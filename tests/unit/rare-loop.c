/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to a loop once in a year: a debugger that keeps an end to itself, a handler that is
 * late, memory that is short at the wrong moment, a descriptor closed behind everybody's back.
 * Where the system does not do so on demand, the test stands in between (ld(1), --wrap).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/fake.h"
#include "kit/kit.h"
#include "loop/inside.h"
#include "loop/output.h"
#include "loop/signal.h"
#include "pollspin/loop.h"
#include "unit/turns.h"

#define MS CLOCK_MILLISECOND

/* ---- what stands in between ---- */

static struct {
    bool has_no_pidfd;
    bool has_no_memory;
    int busy;       /* so many calls of waitid are interrupted, */
    int kept;       /* ... tell of no end, */
    int full;       /* of write find no room */
    sem_t *entered; /* a handler writes: it says so ... */
    bool is_held;   /* ... and stays until somebody yields to it */
    int yields;
} script;

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int flags);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int flags);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __real_sched_yield(void);
int __wrap_sched_yield(void);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (!script.has_no_pidfd)
        return __real_syscall(number, a, b, c, d, e, f);
    errno = ENOSYS;
    return -1;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int flags)
{
    if (script.kept > 0 && script.kept-- > 0)
        return 0;
    if (script.busy == 0)
        return __real_waitid(type, id, info, flags);
    script.busy--;
    errno = EINTR;
    return -1;
}

static void hold_here(void)
{
    sem_post(script.entered);
    script.entered = NULL;
    while (__atomic_load_n(&script.is_held, __ATOMIC_SEQ_CST))
        __real_sched_yield();
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    if (script.entered)
        hold_here();
    if (script.full == 0)
        return __real_write(fd, bytes, n);
    script.full--;
    errno = EAGAIN;
    return -1;
}

void *__wrap_malloc(size_t size)
{
    if (!script.has_no_memory)
        return __real_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (!script.has_no_memory)
        return __real_realloc(old, size);
    errno = ENOMEM;
    return NULL;
}

int __wrap_sched_yield(void)
{
    script.yields++;
    __atomic_store_n(&script.is_held, false, __ATOMIC_SEQ_CST);
    return __real_sched_yield();
}

/* ---- what the tests have in common ---- */

static struct loop *loop;

static int begin(void **state)
{
    (void)state;
    memset(&script, 0, sizeof script);
    loop = turns_new("poll");
    return 0;
}

static int end(void **state)
{
    memset(&script, 0, sizeof script);
    loop_free(loop);
    loop = NULL;
    fake_stop(state);
    return kit_cleanup(state);
}

static void look(void)
{
    assert_int_equal(loop_look(loop), 0);
}

static int ticks;

static void tick(void *owner)
{
    (void)owner;
    ticks++;
}

/* Two timers are in each lane, so that none is spare. */
static void take_the_lanes(struct timer lanes[2 * TIMER_LANES], int64_t length)
{
    for (int i = 0; i < 2 * TIMER_LANES; i++) {
        timer_init(&lanes[i], loop, tick, NULL);
        assert_int_equal(timer_after(&lanes[i], length + i / 2), 0);
    }
}

/* ---- children ---- */

static int status_seen;
static int ends_seen;

static void on_exit_(void *owner, int status)
{
    (void)owner;
    status_seen = status;
    ends_seen++;
}

/* A child that has ended with status 3 and is there to be reaped. */
static pid_t ended_child(void)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(3);
    assert_int_equal(__real_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    return pid;
}

static void start_ended_child(struct child *child)
{
    ends_seen = 0;
    child_init(child, on_exit_, NULL);
    assert_int_equal(child_start(child, loop, ended_child()), 0);
}

/* As while a debugger has it: ended for us, and for the debugger first. Without memory for the
 * timer that looks again, the loop looks in each turn. */
static void an_end_that_is_kept_back(void **state)
{
    static struct timer lanes[2 * TIMER_LANES];
    struct child child;

    (void)state;
    take_the_lanes(lanes, 1000 * CLOCK_SECOND);
    start_ended_child(&child);
    if (!watch_is_started(&child.watch)) {
        turns_until(loop, ends_seen == 1);
        kit_skip("pidfd_open is not to be had here");
    }
    script.kept = 2;
    script.has_no_memory = true;
    for (int i = 0; i < 2; i++)
        look();
    assert_int_equal(script.kept, 0);
    assert_int_equal(ends_seen, 0);
    look();
    assert_int_equal(ends_seen, 1);
    assert_true(WIFEXITED(status_seen));
    assert_int_equal(WEXITSTATUS(status_seen), 3);
}

/* It is told at once, though not how the child ended: nothing else would tell. */
static void a_descriptor_that_was_closed(void **state)
{
    struct child child;
    int holds[2];
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(holds), 0);
    pid = fork();
    if (pid == 0)
        _exit(__real_write(holds[1], "x", 1) != 1 || close(holds[1]) != 0 ||
              read(holds[0], &byte, 1) != 1 || pause() != -1);
    ends_seen = 0;
    child_init(&child, on_exit_, NULL);
    assert_int_equal(child_start(&child, loop, pid), 0);
    if (!watch_is_started(&child.watch)) {
        child_stop(&child);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(holds[0]);
        close(holds[1]);
        kit_skip("pidfd_open is not to be had here");
    }
    close(child.watch.fd);
    look();
    assert_int_equal(ends_seen, 1);
    assert_int_equal(status_seen, -1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(holds[0]);
    close(holds[1]);
}

static void a_look_that_is_interrupted(void **state)
{
    struct child child;

    (void)state;
    script.has_no_pidfd = true;
    script.busy = 2;
    start_ended_child(&child);
    assert_int_equal(script.busy, 0);
    turns_until(loop, ends_seen == 1);
    assert_int_equal(WEXITSTATUS(status_seen), 3);
}

/* Without a pidfd nothing tells of a process that is not ours, be it one that we may not signal. */
static void the_first_process(void **state)
{
    uid_t uid = geteuid();
    struct child child;
    int result, error;

    (void)state;
    script.has_no_pidfd = true;
    child_init(&child, on_exit_, NULL);
    if (uid == 0 && setresuid(65534, 65534, 0) < 0)
        kit_skip("this user cannot become another one");
    result = kill(1, 0);
    if (result < 0 && errno == EPERM) {
        result = child_start(&child, loop, 1);
        error = errno;
    } else {
        error = 0;
    }
    if (uid == 0)
        assert_int_equal(setresuid(0, 0, 0), 0);
    if (error == 0)
        kit_skip("this user may signal the first process");
    assert_int_equal(result, -1);
    assert_int_equal(error, ENOTSUP);
}

/* ---- signals ---- */

static int asked, beside;

static void on_asked(void *owner, int signo)
{
    (void)owner;
    (void)signo;
    asked++;
}

static void on_beside(void *owner, int signo)
{
    (void)owner;
    (void)signo;
    beside++;
}

static void hand_over(void *owner, int signo)
{
    beside++;
    assert_int_equal(loop_signal(loop, signo, NULL, NULL), 0);
    assert_int_equal(loop_signal_beside(loop, signo, NULL, NULL), 0);
    assert_int_equal(loop_signal(owner, signo, on_asked, NULL), 0);
}

static void begin_both(signal_fn *fn, void *owner)
{
    asked = beside = 0;
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(loop_signal(loop, SIGUSR1, on_asked, NULL), 0);
    assert_int_equal(loop_signal_beside(loop, SIGUSR1, fn, owner), 0);
}

static void one_of_two_is_given_back(void **state)
{
    (void)state;
    begin_both(on_beside, NULL);
    assert_int_equal(loop_signal_beside(loop, SIGUSR1, NULL, NULL), 0);
    assert_false(signal_is_ignored(SIGUSR1));
    raise(SIGUSR1);
    turns_until(loop, asked == 1);
    assert_int_equal(beside, 0);
    assert_int_equal(loop_signal(loop, SIGUSR1, NULL, NULL), 0);
    assert_true(signal_is_ignored(SIGUSR1));
}

/* The first of two that are called gives back both, and another loop takes the signal: what came
 * was not for that one. */
static void both_are_given_back(void **state)
{
    struct loop *other = turns_new("poll");

    (void)state;
    begin_both(hand_over, other);
    raise(SIGUSR1);
    turns_until(loop, beside == 1);
    look();
    assert_int_equal(asked, 0);
    raise(SIGUSR1);
    turns_until(other, asked == 1);
    assert_int_equal(beside, 1);
    loop_free(other);
    assert_true(signal_is_ignored(SIGUSR1));
}

static void what_is_ignored(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    assert_true(signal_is_ignored(SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    assert_false(signal_is_ignored(SIGUSR1));
    assert_false(signal_is_ignored(0));
}

static void *signal_itself(void *context)
{
    pthread_kill(pthread_self(), SIGUSR1);
    return context;
}

/* Its pipe must be there until it has written: the loop waits for it. */
static void a_handler_that_is_late(void **state)
{
    pthread_t thread;
    sem_t entered;

    (void)state;
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    begin_both(on_beside, NULL);
    script.is_held = true;
    script.entered = &entered;
    assert_int_equal(pthread_create(&thread, NULL, signal_itself, NULL), 0);
    while (sem_wait(&entered) < 0)
        assert_int_equal(errno, EINTR);
    loop_free(loop);
    assert_true(script.yields > 0);
    assert_false(script.is_held);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(signal_is_ignored(SIGUSR1));
    sem_destroy(&entered);
    loop = turns_new("poll");
}

/* In a child of fork(2) what the parent has caught is as it was before, as soon as the child
 * catches anything itself. */
static bool child_has_its_own(void)
{
    struct loop *own = loop_new(poller_open("poll"));

    asked = 0;
    if (!own || loop_signal(own, SIGUSR2, on_asked, NULL) < 0 || !signal_is_ignored(SIGUSR1))
        return false;
    raise(SIGUSR2);
    if (loop_look(own) < 0 || loop_look(own) < 0 || asked != 1)
        return false;
    loop_free(own);
    return true;
}

static void a_child_that_catches_another(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    begin_both(on_beside, NULL);
    pid = fork();
    if (pid == 0)
        _exit(child_has_its_own() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    raise(SIGUSR1);
    turns_until(loop, asked == 1 && beside == 1);
}

/* The dispositions are its own; the pipe and the handlers of its parent are not its business. */
static void a_child_that_frees_the_loop(void **state)
{
    int status;
    pid_t pid;

    (void)state;
    begin_both(on_beside, NULL);
    pid = fork();
    if (pid == 0) {
        loop_free(loop);
        _exit(signal_is_ignored(SIGUSR1) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    raise(SIGUSR1);
    turns_until(loop, asked == 1 && beside == 1);
}

/* ---- output ---- */

static int changes;

static void on_change(void *owner)
{
    (void)owner;
    changes++;
}

static void fill(int fd)
{
    static const char bytes[4096];

    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
}

struct writer {
    struct output output;
    int ends[2];
};

static void begin_output(struct writer *writer, loop_fn *fn)
{
    changes = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, writer->ends), 0);
    assert_int_equal(output_init(&writer->output, loop, writer->ends[0], 100, fn, NULL), 0);
}

static void end_output(struct writer *writer)
{
    output_fini(&writer->output);
    close(writer->ends[0]);
    close(writer->ends[1]);
}

static void an_output_without_memory(void **state)
{
    struct writer writer;

    (void)state;
    begin_output(&writer, on_change);
    fill(writer.ends[0]);
    script.has_no_memory = true;
    assert_int_equal(output_write(&writer.output, "x", 1), -1);
    script.has_no_memory = false;
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(output_write(&writer.output, "x", 1), -1);
    assert_int_equal(errno, ENOMEM);
    end_output(&writer);
}

static void an_output_that_was_closed(void **state)
{
    struct writer writer;

    (void)state;
    begin_output(&writer, on_change);
    fill(writer.ends[0]);
    assert_int_equal(output_write(&writer.output, "x", 1), 0);
    close(writer.ends[0]);
    look();
    assert_int_equal(changes, 1);
    assert_int_equal(output_write(&writer.output, "x", 1), -1);
    assert_int_equal(errno, EBADF);
    writer.ends[0] = dup(0);
    end_output(&writer);
}

/* There is room for the kernel, and then there is not: nothing has changed. */
static void room_that_is_none(void **state)
{
    struct output output;
    int fd = open("/dev/null", O_WRONLY);

    (void)state;
    changes = 0;
    assert_int_equal(output_init(&output, loop, fd, 100, on_change, NULL), 0);
    script.full = 2;
    assert_int_equal(output_write(&output, "x", 1), 0);
    look();
    assert_int_equal(script.full, 0);
    assert_int_equal(changes, 0);
    assert_false(output_is_drained(&output));
    turns_until(loop, output_is_drained(&output));
    assert_int_equal(changes, 1);
    output_fini(&output);
    close(fd);
}

/* ---- timers ---- */

enum { OTHERS = 100 };

static struct timer others[OTHERS];
/* All that is free in the heap is taken, and there is no more. */
static void take_the_memory(void *owner)
{
    int set = 0;

    (void)owner;
    script.has_no_memory = true;
    while (set < OTHERS && timer_set(&others[set], INT64_MAX) == 0)
        set++;
    assert_int_equal(errno, ENOMEM);
}

/* A period goes on where there is memory neither for the heap nor a lane of its own: in another
 * lane, among timers that come out LENGTH after the beginning. */
static void a_period_without_memory(int64_t length)
{
    struct timer lanes[2 * TIMER_LANES];
    struct timer thief, period;
    int64_t begun;

    ticks = 0;
    loop_free(loop);
    loop = loop_new(fake_open());
    assert_non_null(loop);
    begun = loop_now(loop);
    for (int i = 0; i < OTHERS; i++)
        timer_init(&others[i], loop, tick, NULL);
    take_the_lanes(lanes, length);
    timer_init(&thief, loop, take_the_memory, NULL);
    timer_init(&period, loop, tick, NULL);
    assert_int_equal(timer_every(&period, 10 * MS), 0);
    assert_int_equal(timer_set(&thief, begun + 10 * MS - 1), 0);
    fake_advance(10 * MS);
    look();
    assert_true(script.has_no_memory);
    assert_int_equal(ticks, 1);
    assert_true(timer_due(&period) == begun + 20 * MS);
    fake_advance(5 * MS);
    look();
    assert_int_equal(ticks, length < 15 * MS ? 1 + 2 * TIMER_LANES : 1);
    fake_advance(5 * MS);
    look();
    assert_int_equal(ticks, length < 15 * MS ? 2 + 2 * TIMER_LANES : 2);
    script.has_no_memory = false;
}

static void a_period_among_later_timers(void **state)
{
    (void)state;
    a_period_without_memory(1000 * MS);
}

static void a_period_among_earlier_timers(void **state)
{
    (void)state;
    a_period_without_memory(12 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_that_is_kept_back, begin, end),
        cmocka_unit_test_setup_teardown(a_descriptor_that_was_closed, begin, end),
        cmocka_unit_test_setup_teardown(a_look_that_is_interrupted, begin, end),
        cmocka_unit_test_setup_teardown(the_first_process, begin, end),
        cmocka_unit_test_setup_teardown(one_of_two_is_given_back, begin, end),
        cmocka_unit_test_setup_teardown(both_are_given_back, begin, end),
        cmocka_unit_test_setup_teardown(what_is_ignored, begin, end),
        cmocka_unit_test_setup_teardown(a_handler_that_is_late, begin, end),
        cmocka_unit_test_setup_teardown(a_child_that_catches_another, begin, end),
        cmocka_unit_test_setup_teardown(a_child_that_frees_the_loop, begin, end),
        cmocka_unit_test_setup_teardown(an_output_without_memory, begin, end),
        cmocka_unit_test_setup_teardown(an_output_that_was_closed, begin, end),
        cmocka_unit_test_setup_teardown(room_that_is_none, begin, end),
        cmocka_unit_test_setup_teardown(a_period_among_later_timers, begin, end),
        cmocka_unit_test_setup_teardown(a_period_among_earlier_timers, begin, end),
    };

    return cmocka_run_group_tests_name("rare", tests, NULL, NULL);
}
