/* SPDX-License-Identifier: BSD-2-Clause */
/* Edge and one-shot, and what modify makes of them. */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "contract/contract.h"

static void change(struct subject *subject, int fd, unsigned want)
{
    assert_int_equal(poller_modify(subject->poller, fd, want, subject_data(fd)), 0);
}

static void edge_reports_changes(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN | POLLER_EDGE);
    for (int i = 0; i < 3; i++) { /* unread: the state stays, the change is what counts */
        subject_write(ends[1], "x");
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
        subject_quiet(subject, 0);
    }
}

static void modify_keeps_and_drops_edge(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN);
    change(subject, ends[0], POLLER_IN | POLLER_EDGE);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_quiet(subject, 0);
    change(subject, ends[0], POLLER_IN | POLLER_EDGE);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_quiet(subject, 0);
    change(subject, ends[0], POLLER_IN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

/* What is so when it is asked for is news, to poller_add and to poller_modify alike. */
static void edge_of_what_is_so_already(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN | POLLER_OUT | POLLER_EDGE);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN | POLLER_OUT);
    subject_quiet(subject, 0);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    subject_add(subject, ends[0], POLLER_IN | POLLER_EDGE);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_quiet(subject, 0);
}

/* Each modify has the flags that it is given, and none of the one before. */
static void modify_takes_the_flags_it_is_given(struct subject *subject)
{
    static const unsigned triggers[] = {0, POLLER_ONESHOT, POLLER_EDGE,
                                        POLLER_EDGE | POLLER_ONESHOT};
    int ends[2];

    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN);
    for (unsigned i = 0; i < 16; i++) {
        unsigned before = triggers[i / 4];
        unsigned after = triggers[i % 4];

        if (!poller_supports(subject->poller, before | after))
            continue;
        change(subject, ends[0], POLLER_IN | before);
        change(subject, ends[0], POLLER_IN | after);
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
        if (after == 0)
            assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
        else
            subject_quiet(subject, 0);
    }
}

/* A modify that is refused arms nothing. */
static void one_shot_stays_fired_when_modify_fails(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_IN | POLLER_ERR, NULL), -1);
    subject_quiet(subject, 0);
    change(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

static void one_shot_fires_once(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    subject_quiet(subject, 0);
    for (int i = 0; i < 3; i++) {
        subject_write(ends[1], "x");
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
        subject_quiet(subject, 0);
        subject_write(ends[1], "x");
        subject_quiet(subject, 0);
        change(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    }
    change(subject, ends[0], POLLER_IN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
}

static void one_shot_hides_the_hangup(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    subject_add(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    subject_write(ends[1], "x");
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    subject_close(subject, ends[1]);
    subject_quiet(subject, 0);
    subject_quiet(subject, 0);
    change(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    assert_true(subject_ready(subject, ends[0]) & POLLER_IN);
    subject_quiet(subject, 0);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    subject_add(subject, ends[0], POLLER_IN);
    assert_true(subject_ready(subject, ends[0]) & POLLER_IN);
}

static void one_shot_of_a_hangup(struct subject *subject)
{
    int ends[2];

    subject_pair(subject, ends);
    subject_add(subject, ends[0], POLLER_IN | POLLER_ONESHOT);
    subject_close(subject, ends[1]);
    assert_true(subject_ready(subject, ends[0]) & POLLER_IN);
    subject_quiet(subject, 0);
}

/* What did not fit into the caller's array has not fired. */
static void one_shots_that_do_not_fit(struct subject *subject)
{
    enum { MANY = 5 };
    struct poller_event event;
    int fired[SUBJECT_FDS] = {0};
    int ends[MANY][2];

    for (int i = 0; i < MANY; i++) {
        subject_pipe(subject, ends[i]);
        subject_add(subject, ends[i][0], POLLER_IN | POLLER_ONESHOT);
        subject_write(ends[i][1], "x");
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(poller_wait(subject->poller, &event, 1, 0), 1);
        fired[event.fd]++;
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(fired[ends[i][0]], 1);
    subject_quiet(subject, 0);
}

static void one_shot_of_a_file(struct subject *subject)
{
    int file = subject_file(subject, 1);

    subject_add(subject, file, POLLER_IN | POLLER_ONESHOT);
    assert_int_equal(subject_ready(subject, file), POLLER_IN);
    subject_quiet(subject, 0);
    change(subject, file, POLLER_OUT | POLLER_ONESHOT);
    assert_int_equal(subject_ready(subject, file), POLLER_OUT);
    subject_quiet(subject, 0);
    change(subject, file, POLLER_IN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, file), POLLER_IN);
}

/* The wait for two makes the next one begin with the third. */
static void one_shot_among_files(struct subject *subject)
{
    struct poller_event events[3];
    int files[3];

    for (int i = 0; i < 3; i++) {
        files[i] = subject_file(subject, 1);
        subject_add(subject, files[i], POLLER_IN);
    }
    assert_int_equal(poller_wait(subject->poller, events, 2, 0), 2);
    for (int i = 0; i < 3; i++)
        change(subject, files[i], i == 0 ? POLLER_IN | POLLER_ONESHOT : POLLER_IN);
    assert_int_equal(poller_wait(subject->poller, events, 3, 0), 3);
    assert_int_not_equal(events[0].fd, events[1].fd);
    assert_int_not_equal(events[0].fd, events[2].fd);
    assert_int_not_equal(events[1].fd, events[2].fd);
}

static void edge_of_a_file(struct subject *subject)
{
    int file = subject_file(subject, 1);

    subject_add(subject, file, POLLER_IN | POLLER_EDGE);
    assert_int_equal(subject_ready(subject, file), POLLER_IN);
    subject_quiet(subject, 0);
    change(subject, file, POLLER_IN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, file), POLLER_IN);
}

const struct contract_case contract_trigger[] = {
    {"edge reports changes", edge_reports_changes, POLLER_EDGE},
    {"modify keeps and drops edge", modify_keeps_and_drops_edge, POLLER_EDGE},
    {"edge of what is so already", edge_of_what_is_so_already, POLLER_EDGE},
    {"modify takes the flags it is given", modify_takes_the_flags_it_is_given, POLLER_ONESHOT},
    {"one-shot stays fired when modify fails", one_shot_stays_fired_when_modify_fails,
     POLLER_ONESHOT},
    {"one-shot is silent until modify", one_shot_fires_once, POLLER_ONESHOT},
    {"one-shot that fired hides the hang-up", one_shot_hides_the_hangup, POLLER_ONESHOT},
    {"one-shot of a hang-up", one_shot_of_a_hangup, POLLER_ONESHOT},
    {"one-shots that do not fit are not lost", one_shots_that_do_not_fit, POLLER_ONESHOT},
    {"one-shot of a file", one_shot_of_a_file, POLLER_ONESHOT},
    {"one-shot among files", one_shot_among_files, POLLER_ONESHOT},
    {"edge of a file", edge_of_a_file, POLLER_EDGE},
    {0},
};
