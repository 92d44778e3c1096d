/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a wait lasts. Only "never early" is judged by the clock; what a loaded machine could
 * make late is judged by what the kernel was asked for.
 *
 * Two lessons break this on purpose: blocking keeps no time limit while it has a descriptor to sit
 * in, and busy asks again and again with no time at all. A third, sigio, keeps it in pieces: what
 * was just added is looked at first, and no sleep is longer than a second.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "contract/contract.h"

static int64_t unit_of(const struct subject *subject)
{
    return subject_is(subject, "select") ? CLOCK_MICROSECOND : CLOCK_MILLISECOND;
}

/* What a wait without end gives the kernel. */
static void assert_endless(const struct subject *subject)
{
    if (subject_is(subject, "busy"))
        assert_int_equal(subject->longest_timeout, 0);
    else if (subject_is(subject, "sigio"))
        assert_in_range(subject->longest_timeout, 1, CLOCK_SECOND);
    else
        assert_int_equal(subject->longest_timeout, -1);
}

/* An idle descriptor for the wait to have; not for blocking, which would sit in it for ever. */
static void add_idle(struct subject *subject)
{
    int ends[2];

    if (subject_is(subject, "blocking"))
        return;
    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
}

static void zero_asks(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_quiet(subject, 0);
    assert_int_equal(subject->waits, subject_is(subject, "sigio") ? 2 : 1);
    assert_int_equal(subject->longest_timeout, 0);
}

static void never_early(struct subject *subject)
{
    static const int64_t odd[] = {1, 999, 1001, 123457, 999999, 1000001, 1500001, 2999999};

    add_idle(subject);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int64_t begin = clock_now();

        subject_quiet(subject, odd[i]);
        assert_true(clock_now() - begin >= odd[i]);
    }
}

static void rounded_up(struct subject *subject)
{
    static const int64_t odd[] = {1, 999, 1000, 1001, 999999, 1000000, 1000001, 2500001};
    int64_t unit = unit_of(subject);

    add_idle(subject);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        subject->waits = 0;
        subject_quiet(subject, odd[i]);
        if (subject_is(subject, "busy")) {
            assert_int_equal(subject->longest_timeout, 0);
        } else if (subject_is(subject, "sigio")) {
            assert_true(subject->longest_timeout <= odd[i]);
        } else {
            assert_true(subject->first_timeout >= odd[i]);
            assert_true(subject->first_timeout < odd[i] + unit);
            assert_true(subject->longest_timeout == subject->first_timeout);
        }
    }
}

static void waits_without_end(struct subject *subject)
{
    static const int64_t endless[] = {-1, -2, INT64_MIN};
    struct poller_event event;
    int ends[2];
    pid_t child;

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        subject->waits = 0;
        child = subject_write_later(ends[1], 20 * CLOCK_MILLISECOND);
        assert_int_equal(poller_wait(subject->poller, &event, 1, endless[i]), 1);
        assert_int_equal(event.ready, POLLER_IN);
        assert_endless(subject);
        subject_end_child(child);
        subject_read(ends[0], "x");
    }
}

/* The longest time there is must not become a short one. */
static void the_longest_time(struct subject *subject)
{
    struct poller_event event;
    int ends[2];
    pid_t child;

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    child = subject_write_later(ends[1], 5 * CLOCK_MILLISECOND);
    assert_int_equal(poller_wait(subject->poller, &event, 1, INT64_MAX), 1);
    assert_int_equal(event.ready, POLLER_IN);
    subject_end_child(child);
}

/* The limit ends the wait though a descriptor is there that will be ready only later. blocking is
 * the exception, and a lesson: it comes back with the event, long after. */
static void the_limit_holds(struct subject *subject)
{
    struct poller_event event;
    int ends[2];
    pid_t child;

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    if (!subject_is(subject, "blocking")) {
        subject_quiet(subject, CLOCK_MILLISECOND);
        return;
    }
    child = subject_write_later(ends[1], 20 * CLOCK_MILLISECOND);
    assert_int_equal(poller_wait(subject->poller, &event, 1, CLOCK_MILLISECOND), 1);
    assert_int_equal(subject->longest_timeout, -1);
    subject_end_child(child);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signo)
{
    (void)signo;
    alarms++;
}

/* Sends SIGALRM every 5 ms, or no longer. One may still be on its way then, so it stays ignored. */
static void set_alarms(bool on)
{
    const struct itimerval every = {.it_interval.tv_usec = on ? 5000 : 0,
                                    .it_value.tv_usec = on ? 5000 : 0};
    struct sigaction action = {.sa_handler = on ? count_alarm : SIG_IGN};

    alarms = 0;
    if (!on)
        setitimer(ITIMER_REAL, &every, NULL);
    sigaction(SIGALRM, &action, NULL);
    if (on)
        setitimer(ITIMER_REAL, &every, NULL);
}

static bool is_in_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload");
}

static void signals_do_not_end_it(struct subject *subject)
{
    const int64_t limit = 50 * CLOCK_MILLISECOND;
    int64_t begin = clock_now();

    if (subject_is(subject, "uring") && is_in_valgrind())
        kit_skip("valgrind lets no signal into io_uring_enter(2)");
    add_idle(subject);
    set_alarms(true);
    subject_quiet(subject, limit);
    assert_true(clock_now() - begin >= limit);
    assert_true(alarms > 0);
    set_alarms(false);
    if (!subject_is(subject, "busy")) { /* with the time that was left, not from the start */
        assert_true(subject->waits > 1);
        assert_true(subject->longest_timeout <= limit + unit_of(subject));
    }
}

static void signals_do_not_end_one_without_end(struct subject *subject)
{
    struct poller_event event;
    int ends[2];
    pid_t child;
    int n;

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    child = subject_write_later(ends[1], 30 * CLOCK_MILLISECOND);
    set_alarms(true);
    n = poller_wait(subject->poller, &event, 1, -1);
    set_alarms(false);
    assert_int_equal(n, 1);
    assert_int_equal(event.ready, POLLER_IN);
    subject_end_child(child);
}

/* One call that sleeps, or a few; busy, which makes as many as it can, gives none of them time. */
static void a_wait_sleeps(struct subject *subject)
{
    add_idle(subject);
    subject_quiet(subject, 20 * CLOCK_MILLISECOND);
    if (subject_is(subject, "busy"))
        assert_int_equal(subject->longest_timeout, 0);
    else
        assert_in_range(subject->waits, 1, 4);
}

static void nothing_to_wait_for(struct subject *subject)
{
    subject_quiet(subject, 0);
    subject_quiet(subject, CLOCK_MILLISECOND);
}

const struct contract_case contract_time[] = {
    {"0 asks", zero_asks, 0},
    {"never early", never_early, 0},
    {"rounded up to the unit", rounded_up, 0},
    {"-1 waits without end", waits_without_end, 0},
    {"the longest time is long", the_longest_time, 0},
    {"the limit holds beside an idle descriptor", the_limit_holds, 0},
    {"a signal does not end a wait", signals_do_not_end_it, 0},
    {"a signal does not end a wait without end", signals_do_not_end_one_without_end, 0},
    {"a wait sleeps", a_wait_sleeps, 0},
    {"a wait for nothing", nothing_to_wait_for, 0},
    {0},
};
