/* SPDX-License-Identifier: BSD-2-Clause */
/* What is refused, with which errno, and that refusing changes nothing. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "contract/contract.h"

static void assert_refused(int result, int error)
{
    int seen = errno;

    assert_int_equal(result, -1);
    assert_int_equal(seen, error);
}

static void adding_twice(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    assert_refused(poller_add(subject->poller, ends[0], POLLER_OUT, NULL), EEXIST);
    subject_write(ends[1], "x");
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

static void changing_what_is_not_in(struct subject *subject)
{
    static const int absent[] = {-1, 0, 70, 100000, INT_MAX};
    int ends[2];

    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        assert_refused(poller_modify(subject->poller, absent[i], POLLER_IN, NULL), ENOENT);
        assert_refused(poller_remove(subject->poller, absent[i]), ENOENT);
    }
    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    assert_refused(poller_modify(subject->poller, ends[0], POLLER_IN, NULL), ENOENT);
    assert_refused(poller_remove(subject->poller, ends[0]), ENOENT);
}

/* The last one would need 50 GB of table if it were taken for a descriptor. */
static void adding_what_is_not_open(struct subject *subject)
{
    int past_limit = subject_is(subject, "select") ? ERANGE : EBADF;
    int ends[2];

    subject_pipe(subject, ends);
    subject_close(subject, ends[0]);
    assert_refused(poller_add(subject->poller, ends[0], POLLER_IN, NULL), EBADF);
    assert_refused(poller_remove(subject->poller, ends[0]), ENOENT);
    assert_refused(poller_add(subject->poller, -1, POLLER_IN, NULL), EBADF);
    assert_refused(poller_add(subject->poller, INT_MAX, POLLER_IN, NULL), EBADF);
    assert_refused(poller_add(subject->poller, INT_MAX - 1, POLLER_IN, NULL), past_limit);
}

/* open(2), O_PATH: a name for a file, that can be neither read nor written nor waited for. */
static void adding_a_mere_path(struct subject *subject)
{
#ifdef O_PATH
    int fd = subject_keep(subject, open(".", O_PATH | O_CLOEXEC));

    assert_refused(poller_add(subject->poller, fd, POLLER_IN, NULL), EBADF);
    subject_quiet(subject, 0);
#else
    (void)subject;
    kit_skip("there is no O_PATH here");
#endif
}

static void unknown_flags(struct subject *subject)
{
    static const unsigned unknown[] = {POLLER_ERR, POLLER_HUP, POLLER_INVALID, 1u << 20};
    int ends[2];

    subject_pipe(subject, ends);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_refused(
            poller_add(subject->poller, ends[0], POLLER_IN | unknown[i], subject_data(ends[0])),
            EINVAL);
    subject_add(subject, ends[0], POLLER_IN);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_refused(poller_modify(subject->poller, ends[0], unknown[i], NULL), EINVAL);
    subject_write(ends[1], "x");
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

static void no_room_for_events(struct subject *subject)
{
    struct poller_event event;

    assert_refused(poller_wait(subject->poller, &event, 0, 0), EINVAL);
    assert_refused(poller_wait(subject->poller, &event, -1, 0), EINVAL);
}

/* A trigger that cannot be had is refused; it is never silently level, and what was stays. */
static void unsupported_flags(struct subject *subject)
{
    static const unsigned flags[] = {POLLER_PRI, POLLER_RDHUP, POLLER_EDGE, POLLER_ONESHOT};
    int ends[2];

    subject_pipe(subject, ends);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        unsigned want = POLLER_IN | flags[i];

        assert_int_equal(poller_supports(subject->poller, want),
                         (subject->info.supports & want) == want);
        if (poller_supports(subject->poller, want)) {
            subject_add(subject, ends[0], want);
        } else {
            assert_refused(poller_add(subject->poller, ends[0], want, NULL), ENOTSUP);
            subject_add(subject, ends[0], POLLER_IN);
            assert_refused(poller_modify(subject->poller, ends[0], want, NULL), ENOTSUP);
        }
        subject_write(ends[1], "x");
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
        subject_read(ends[0], "x");
        assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    }
}

static void the_highest_number_of_select(struct subject *subject)
{
    struct rlimit limit;
    char expected[128], text[128];
    int ends[2];
    int last, first_past;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FD_SETSIZE + 64;
    if (limit.rlim_max < limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        kit_skip("the limit of open descriptors is too low");
    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    last = subject_keep(subject, fcntl(ends[0], F_DUPFD, FD_SETSIZE - 1));
    first_past = subject_keep(subject, fcntl(ends[0], F_DUPFD, FD_SETSIZE));
    subject_add(subject, last, POLLER_IN);
    assert_int_equal(subject_ready(subject, last), POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, last), 0);
    assert_true(poller_can_hold(subject->poller, last));
    assert_int_equal(poller_can_hold(subject->poller, first_past), !subject_is(subject, "select"));
    if (!subject_is(subject, "select")) {
        subject_add(subject, first_past, POLLER_IN);
        assert_int_equal(subject_ready(subject, first_past), POLLER_IN);
        return;
    }
    assert_refused(poller_add(subject->poller, first_past, POLLER_IN, NULL), ERANGE);
    poller_explain(subject->poller, first_past, ERANGE, text, sizeof text);
    snprintf(expected, sizeof expected, "select holds descriptors 0 to %d only, not %d",
             FD_SETSIZE - 1, first_past);
    assert_string_equal(text, expected);
}

static void data_follows_modify(struct subject *subject)
{
    struct poller_event event;
    int ends[2];
    int other;

    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_IN, &other), 0);
    assert_int_equal(poller_wait(subject->poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_ptr_equal(event.data, &other);
}

const struct contract_case contract_arguments[] = {
    {"adding what is in is EEXIST", adding_twice, 0},
    {"changing what is not in is ENOENT", changing_what_is_not_in, 0},
    {"adding what is not open is EBADF", adding_what_is_not_open, 0},
    {"adding a mere path is EBADF", adding_a_mere_path, 0},
    {"an unknown flag is EINVAL", unknown_flags, 0},
    {"no room for an event is EINVAL", no_room_for_events, 0},
    {"a flag not supported is ENOTSUP", unsupported_flags, 0},
    {"a number past the limit is ERANGE", the_highest_number_of_select, 0},
    {"data follows modify", data_follows_modify, 0},
    {0},
};
