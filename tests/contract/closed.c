/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that were closed, kept open by a copy, or are something else by now. After each of
 * these a wait must sleep: a spin shows in the number of kernel calls.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/contract.h"

/* A wait of this long makes few calls, or it is a spin; enough for a timeout that the kernel ends
 * early and for one list of epoll's made anew. */
enum { QUIET_MS = 20, QUIET_CALLS = 12 };

/* Nothing is reported, and nothing spins: but busy, which does so by trade. */
static void assert_sleeps(struct subject *subject)
{
    int before = subject->calls;

    subject_quiet(subject, QUIET_MS * CLOCK_MILLISECOND);
    if (!subject_is(subject, "busy"))
        assert_in_range(subject->calls - before, 1, QUIET_CALLS);
}

/* Those of epoll and kqueue forget what is closed, and do not tell. */
static bool tells_invalid(const struct subject *subject)
{
    return !subject_is(subject, "epoll") && !subject_is(subject, "kqueue");
}

static void closed_behind_its_back(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_add(subject, ends[0], POLLER_IN);
    subject_close(subject, ends[0]);
    if (tells_invalid(subject))
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_INVALID);
    assert_sleeps(subject);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    assert_sleeps(subject);
}

static void closed_beside_a_ready_one(struct subject *subject)
{
    int gone[2], ready[2];

    subject_pipe(subject, gone);
    subject_pipe(subject, ready);
    subject_add(subject, gone[0], POLLER_IN);
    subject_add(subject, ready[0], POLLER_IN);
    subject_close(subject, gone[0]);
    subject_write(ready[1], "x");
    for (int i = 0, served = 0; served < 2; i++) {
        struct poller_event event;

        assert_true(i < 4);
        assert_int_equal(poller_wait(subject->poller, &event, 1, 0), 1);
        if (event.fd == ready[0])
            served++;
        else
            assert_int_equal(event.ready, POLLER_INVALID);
    }
    subject_read(ready[0], "x");
}

static void a_closed_file(struct subject *subject)
{
    int file = subject_file(subject, 1);

    subject_add(subject, file, POLLER_IN);
    assert_int_equal(subject_ready(subject, file), POLLER_IN);
    subject_close(subject, file);
    assert_int_equal(subject_ready(subject, file), POLLER_INVALID);
    assert_sleeps(subject);
    assert_int_equal(poller_remove(subject->poller, file), 0);
}

static void modified_after_invalid(struct subject *subject)
{
    int ends[2];
    int number;

    subject_pipe(subject, ends);
    number = subject_keep(subject, dup(ends[0]));
    subject_add(subject, number, POLLER_IN);
    subject_close(subject, number);
    if (tells_invalid(subject))
        assert_int_equal(subject_ready(subject, number), POLLER_INVALID);
    assert_int_equal(poller_modify(subject->poller, number, POLLER_IN, NULL), -1);
    subject_keep(subject, dup2(ends[0], number));
    assert_int_equal(poller_modify(subject->poller, number, POLLER_IN, subject_data(number)), 0);
    subject_quiet(subject, 0);
    subject_write(ends[1], "x");
    assert_int_equal(subject_ready(subject, number), POLLER_IN);
}

/* The copy keeps the pipe open, so epoll keeps watching it, under a number that epoll_ctl can no
 * longer reach. The others must come through that with what they are. */
static void removed_after_dup_and_close(struct subject *subject)
{
    int stale[2], level[2], fired[2];

    subject_pipe(subject, stale);
    subject_pipe(subject, level);
    subject_pipe(subject, fired);
    subject_add(subject, fired[0], POLLER_IN | POLLER_ONESHOT);
    subject_write(fired[1], "x");
    assert_int_equal(subject_ready(subject, fired[0]), POLLER_IN);
    subject_add(subject, stale[0], POLLER_IN);
    subject_keep(subject, dup(stale[0]));
    subject_close(subject, stale[0]);
    assert_int_equal(poller_remove(subject->poller, stale[0]), 0);
    subject_write(stale[1], "x");
    assert_sleeps(subject);
    assert_sleeps(subject);
    subject_add(subject, level[0], POLLER_IN);
    subject_write(level[1], "x");
    assert_int_equal(subject_ready(subject, level[0]), POLLER_IN);
    subject_read(level[0], "x");
    assert_int_equal(poller_modify(subject->poller, fired[0], POLLER_IN, subject_data(fired[0])),
                     0);
    assert_int_equal(subject_ready(subject, fired[0]), POLLER_IN);
}

/* What is out of date takes up no room: a look with room for one finds the one that is ready. */
static void stale_beside_a_ready_one(struct subject *subject)
{
    struct poller_event event;
    int stale[2], ready[2];

    subject_pipe(subject, stale);
    subject_pipe(subject, ready);
    subject_add(subject, stale[0], POLLER_IN);
    subject_add(subject, ready[0], POLLER_IN);
    subject_keep(subject, dup(stale[0]));
    subject_close(subject, stale[0]);
    assert_int_equal(poller_remove(subject->poller, stale[0]), 0);
    subject_write(stale[1], "x");
    subject_write(ready[1], "x");
    assert_int_equal(poller_wait(subject->poller, &event, 1, 0), 1);
    assert_int_equal(event.fd, ready[0]);
}

/* Removed after dup and close, while the process has no descriptor left for a new list of the
 * kernel's. */
static void removed_after_dup_without_descriptors(struct subject *subject)
{
    struct rlimit before;
    struct rlimit none;
    int stale[2];

    subject_pipe(subject, stale);
    subject_add(subject, stale[0], POLLER_IN);
    subject_keep(subject, dup(stale[0]));
    subject_close(subject, stale[0]);
    assert_int_equal(poller_remove(subject->poller, stale[0]), 0);
    subject_write(stale[1], "x");
    subject_keep(subject, dup(stale[1])); /* fills the gap */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    subject->waits = 0;
    if (poller_wait(subject->poller, &(struct poller_event){0}, 1, 50 * CLOCK_MILLISECOND) < 0)
        assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(subject->waits <= 3 || subject_is(subject, "busy"));
}

/* As above, and the number is another pipe by the time the old one speaks. */
static void reused_after_dup_and_close(struct subject *subject)
{
    int old[2], young[2];
    int number;

    subject_pipe(subject, old);
    subject_pipe(subject, young);
    number = subject_keep(subject, dup(old[0]));
    subject_add(subject, number, POLLER_IN);
    subject_close(subject, number);
    assert_int_equal(poller_remove(subject->poller, number), 0);
    subject_keep(subject, dup2(young[0], number));
    subject_add(subject, number, POLLER_IN);
    subject_write(old[1], "x");
    subject_quiet(subject, 0);
    subject_quiet(subject, 0);
    subject_write(young[1], "y");
    assert_int_equal(subject_ready(subject, number), POLLER_IN);
    subject_read(number, "y");
}

/* The very same pipe comes back under the number, while epoll still watches it there. */
static void the_same_again_after_dup_and_close(struct subject *subject)
{
    int ends[2];
    int number;

    subject_pipe(subject, ends);
    number = subject_keep(subject, dup(ends[0]));
    subject_add(subject, number, POLLER_OUT);
    subject_close(subject, number);
    assert_int_equal(poller_remove(subject->poller, number), 0);
    subject_keep(subject, dup2(ends[0], number));
    subject_add(subject, number, POLLER_IN);
    subject_quiet(subject, 0);
    subject_write(ends[1], "x");
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, number), POLLER_IN);
}

static void a_number_used_again(struct subject *subject)
{
    int old[2], young[2];

    subject_pipe(subject, old);
    subject_write(old[1], "x");
    subject_add(subject, old[0], POLLER_IN | POLLER_ONESHOT);
    assert_int_equal(subject_ready(subject, old[0]), POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, old[0]), 0);
    subject_pipe(subject, young);
    subject_close(subject, old[0]);
    subject_keep(subject, dup2(young[0], old[0]));
    subject_add(subject, old[0], POLLER_IN);
    subject_quiet(subject, 0);
    subject_write(young[1], "y");
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, old[0]), POLLER_IN);
    subject_read(old[0], "y");
}

/* The old file is closed without a word; the number, a socket now, is modified. */
static void a_number_used_again_unnoticed(struct subject *subject)
{
    int old[2], young[2];
    int number;

    subject_pipe(subject, old);
    subject_pair(subject, young);
    number = subject_keep(subject, dup(old[0]));
    subject_add(subject, number, POLLER_IN);
    assert_int_equal(dup2(young[0], number), number);
    assert_int_equal(
        poller_modify(subject->poller, number, POLLER_IN | POLLER_OUT, subject_data(number)), 0);
    assert_int_equal(subject_ready(subject, number), POLLER_OUT);
    subject_write(young[1], "y");
    assert_int_equal(subject_ready(subject, number), POLLER_IN | POLLER_OUT);
}

static void removed_is_silent(struct subject *subject)
{
    int ends[2];

    subject_pipe(subject, ends);
    subject_write(ends[1], "x");
    subject_add(subject, ends[0], POLLER_IN);
    assert_int_equal(subject_ready(subject, ends[0]), POLLER_IN);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    subject_close(subject, ends[1]);
    assert_sleeps(subject);
    subject_add(subject, ends[0], POLLER_IN);
    assert_true(subject_ready(subject, ends[0]) & POLLER_IN);
}

/* The peer has come to the end, without another wait. */
static void assert_peer_at_end(int peer)
{
    struct pollfd pfd = {.fd = peer, .events = POLLIN};

    assert_int_equal(poll(&pfd, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
    subject_read(peer, "");
}

/* io_uring holds the open file as long as it polls it. */
static void removed_is_let_go(struct subject *subject)
{
    int ends[2], fired[2];

    subject_pair(subject, ends);
    subject_pair(subject, fired);
    subject_add(subject, ends[0], POLLER_IN);
    subject_add(subject, fired[0], POLLER_IN);
    subject_quiet(subject, 0);
    assert_int_equal(poller_remove(subject->poller, ends[0]), 0);
    subject_close(subject, ends[0]);
    assert_peer_at_end(ends[1]);
    subject_write(fired[1], "x");
    assert_int_equal(subject_ready(subject, fired[0]), POLLER_IN);
    subject_read(fired[0], "x");
    assert_int_equal(poller_modify(subject->poller, fired[0], 0, subject_data(fired[0])), 0);
    subject_quiet(subject, 0);
    assert_int_equal(poller_modify(subject->poller, fired[0], POLLER_IN, subject_data(fired[0])),
                     0);
    assert_int_equal(poller_remove(subject->poller, fired[0]), 0);
    subject_close(subject, fired[0]);
    assert_peer_at_end(fired[1]);
}

/* Starts one that has all descriptors but FD, until UNTIL is closed. */
static pid_t start_holder(struct subject *subject, int fd, int *until)
{
    int hold[2];
    pid_t child;
    char byte;

    subject_pair(subject, hold);
    child = fork();
    if (child == 0) {
        close(fd);
        close(hold[1]);
        _exit(write(hold[0], "x", 1) != 1 || read(hold[0], &byte, 1) != 0);
    }
    assert_true(child > 0);
    subject_read(hold[1], "x");
    *until = hold[1];
    return child;
}

/* ... so that, say, the port of a listener is free as soon as both are closed; also while a child
 * has the kernel's object. */
static void closed_poller_lets_go(struct subject *subject)
{
    struct poller *poller = poller_open(subject->info.name);
    struct poller_event event;
    int ends[2];
    int until;
    pid_t holder;

    assert_non_null(poller);
    subject_pair(subject, ends);
    assert_int_equal(poller_add(poller, ends[0], POLLER_IN, NULL), 0);
    assert_int_equal(poller_wait(poller, &event, 1, 0), 0);
    holder = start_holder(subject, ends[0], &until);
    poller_close(poller);
    subject_close(subject, ends[0]);
    assert_peer_at_end(ends[1]);
    subject_close(subject, until);
    subject_end_child(holder);
}

/* Nobody asked for POLLER_RDHUP, which io_uring tells unasked. What comes after it is told. Not for
 * blocking, which would sit in it for ever. */
static void end_of_the_peer_unasked(struct subject *subject)
{
    int ends[2];

    if (subject_is(subject, "blocking"))
        return;
    subject_tcp(subject, ends);
    subject_add(subject, ends[0], 0);
    subject_quiet(subject, 0);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_sleeps(subject);
    assert_sleeps(subject);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_OUT, subject_data(ends[0])), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_OUT);
    assert_int_equal(poller_modify(subject->poller, ends[0], POLLER_PRI, subject_data(ends[0])), 0);
    assert_sleeps(subject);
    if (!subject_tells_hangup(subject))
        return;
    assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(subject_ready(subject, ends[0]), POLLER_HUP);
}

const struct contract_case contract_closed[] = {
    {"closed behind its back", closed_behind_its_back, 0},
    {"closed behind its back beside a ready one", closed_beside_a_ready_one, 0},
    {"a file closed behind its back", a_closed_file, 0},
    {"modified after it was invalid", modified_after_invalid, 0},
    {"removed after dup and close", removed_after_dup_and_close, 0},
    {"stale beside a ready one", stale_beside_a_ready_one, 0},
    {"removed after dup, no descriptor left", removed_after_dup_without_descriptors, 0},
    {"number used again after dup and close", reused_after_dup_and_close, 0},
    {"the same again after dup and close", the_same_again_after_dup_and_close, 0},
    {"number used again", a_number_used_again, 0},
    {"number used again unnoticed", a_number_used_again_unnoticed, 0},
    {"what is removed is silent", removed_is_silent, 0},
    {"what is removed is let go of", removed_is_let_go, 0},
    {"a poller that is closed lets go", closed_poller_lets_go, 0},
    {"the peer's end, which nobody asked for", end_of_the_peer_unasked, POLLER_PRI},
    {0},
};
