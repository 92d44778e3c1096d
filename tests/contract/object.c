/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel object behind a poller: its descriptor, a poller made of one, and what becomes of it
 * in a child of fork(2).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "contract/contract.h"

/* Whether there is an object, and whether it knows of what was added before the next wait. */
static bool has_object(const struct subject *subject)
{
    return subject_is(subject, "epoll") || subject_is(subject, "uring") ||
           (subject_is(subject, "kqueue") && !subject_is_libkqueue(subject));
}

static void its_descriptor(struct subject *subject)
{
    int fd = poller_fd(subject->poller);

    if (has_object(subject)) {
        assert_true(fd >= 0);
        assert_int_equal(poller_fd(subject->poller), fd);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        return;
    }
    assert_int_equal(fd, -1);
    assert_int_equal(errno, ENOTSUP);
}

static void one_in_another(struct subject *subject)
{
    struct poller *outer;
    struct poller_event event;
    int ends[2];

    if (!has_object(subject))
        return;
    outer = poller_open("poll");
    assert_non_null(outer);
    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_quiet(subject, 0);
    assert_int_equal(poller_add(outer, poller_fd(subject->poller), POLLER_IN, outer), 0);
    assert_int_equal(poller_wait(outer, &event, 1, 0), 0);
    subject_write(ends[1], "x");
    assert_int_equal(poller_wait(outer, &event, 1, KIT_DEADLINE_NS), 1);
    assert_ptr_equal(event.data, outer);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    poller_close(outer);
}

static void assert_refused(const char *name, int fd, int error)
{
    errno = 0;
    assert_null(poller_from_fd(name, fd));
    assert_int_equal(errno, error);
}

static void refuses_what_is_no_object(struct subject *subject)
{
    bool adopts = subject_is(subject, "epoll") || subject_is(subject, "kqueue");
    int ends[2];
    int closed;

    subject_pipe(subject, ends);
    closed = dup(ends[0]);
    close(closed);
    assert_refused("no such backend", ends[0], EINVAL);
    assert_refused(subject->info.name, ends[0], adopts ? EINVAL : ENOTSUP);
    assert_refused(subject->info.name, closed, adopts ? EBADF : ENOTSUP);
    assert_refused(subject->info.name, -1, adopts ? EBADF : ENOTSUP);
    subject_write(ends[1], "x"); /* neither closed nor changed */
    subject_read(ends[0], "x");
}

static void count_call(void *context, const struct poller_call *call)
{
    (void)call;
    ++*(int *)context;
}

/* Whoever observed it may have gone before. */
static void closing_is_not_observed(struct subject *subject)
{
    struct poller *poller = poller_open(subject->info.name);
    struct poller_event event;
    int count = 0;
    int before;
    int ends[2];

    assert_non_null(poller);
    subject_pipe(subject, ends);
    poller_observe(poller, count_call, &count);
    assert_int_equal(poller_add(poller, ends[0], POLLER_IN, NULL), 0);
    assert_int_equal(poller_wait(poller, &event, 1, 0), 0);
    before = count;
    assert_true(before > 0);
    poller_close(poller);
    assert_int_equal(count, before);
}

/* A child has the descriptors of its parent, and a copy of the poller; poller_close there must
 * change nothing for the parent. */
static void closed_by_a_child(struct subject *subject)
{
    int ends[2], more[2];
    pid_t child;

    subject_pipe(subject, ends);
    subject_pair(subject, more);
    subject_add(subject, ends[0], POLLER_IN);
    subject_add(subject, more[0], POLLER_IN | POLLER_OUT);
    assert_int_equal(subject_ready(subject, more[0]), POLLER_OUT);
    assert_int_equal(poller_modify(subject->poller, more[0], POLLER_IN, subject_data(more[0])), 0);
    child = fork();
    if (child == 0) {
        poller_close(subject->poller);
        _exit(0);
    }
    subject_end_child(child);
    subject_quiet(subject, 0);
    subject_write(more[1], "y"); /* the higher number first: blocking sits in that one */
    assert_int_equal(subject_ready(subject, more[0]), POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, more[0]), 0);
    subject_write(ends[1], "x");
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

/* ... and a poller that the child opens is its own. */
static int wait_in_a_child(struct subject *subject, int fd)
{
    struct poller_event event;
    struct poller *poller;

    poller_close(subject->poller);
    poller = poller_open(subject->info.name);
    if (!poller || poller_add(poller, fd, POLLER_IN, NULL) < 0)
        return 1;
    return poller_wait(poller, &event, 1, KIT_DEADLINE_NS) == 1 && event.fd == fd ? 0 : 2;
}

static void opened_by_a_child(struct subject *subject)
{
    int ends[2];
    pid_t child;

    subject_pipe(subject, ends);
    child = fork();
    if (child == 0)
        _exit(wait_in_a_child(subject, ends[0]));
    subject_write(ends[1], "x");
    subject_end_child(child);
    subject_quiet(subject, 0);
}

/* A child that holds a copy of a descriptor keeps the open file, and with it epoll's registration,
 * alive: what was removed before it was closed is silent all the same. */
static void removed_while_a_child_holds_it(struct subject *subject)
{
    int ends[2], hold[2];
    pid_t child;
    char byte;

    subject_pipe(subject, ends);
    subject_pair(subject, hold);
    subject_add(subject, ends[0], POLLER_IN);
    subject_quiet(subject, 0);
    child = fork();
    if (child == 0) {
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    subject_close(subject, ends[0]);
    subject_write(ends[1], "x");
    subject_quiet(subject, 5 * CLOCK_MILLISECOND);
    subject_close(subject, hold[1]);
    subject_close(subject, hold[0]);
    subject_end_child(child);
}

const struct contract_case contract_object[] = {
    {"its descriptor, where it has one", its_descriptor, 0},
    {"one poller in another", one_in_another, 0},
    {"from_fd refuses what is no such object", refuses_what_is_no_object, 0},
    {"closing is not observed", closing_is_not_observed, 0},
    {"fork: closed by a child", closed_by_a_child, 0},
    {"fork: opened by a child", opened_by_a_child, 0},
    {"fork: removed while a child holds it", removed_while_a_child_holds_it, 0},
    {0},
};
