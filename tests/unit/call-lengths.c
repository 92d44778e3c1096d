/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls as text, cut at every length: what fits is the same, ends with NUL, and says how long all
 * of it would be. On every backend, with more descriptors than are printed.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/poller.h"

enum { MANY = 40, PRINTED = 32, TEXT_SIZE = 16384 };

struct shown {
    int waits;
    int registrations;
    int cut_lists; /* that end with "..." */
};

/* All lengths up to a line's, and then ever fewer: some lists are long. */
static void at_every_length(void *context, const struct poller_call *call)
{
    static char text[TEXT_SIZE], cut[TEXT_SIZE];
    struct shown *shown = context;
    size_t length = (size_t)poller_call_text(call, text, sizeof text);

    assert_in_range(length, 1, TEXT_SIZE - 2);
    assert_int_equal(strlen(text), length);
    for (size_t size = 1; size <= length + 1; size += 1 + size / 128) {
        cut[size] = '#';
        assert_int_equal(poller_call_text(call, cut, size), length);
        assert_memory_equal(cut, text, size - 1);
        assert_int_equal(cut[size - 1], '\0');
        assert_int_equal(cut[size], '#');
    }
    shown->waits += call->is_wait;
    shown->registrations += !call->is_wait;
    shown->cut_lists += strstr(text, ", ...]") != NULL;
}

static void look(struct poller *poller, int64_t timeout_ns, int at_least)
{
    struct poller_event events[MANY];

    assert_in_range(poller_wait(poller, events, MANY, timeout_ns), at_least, MANY);
}

/* Every kind of call, on the reading ends of one pipe: first there is nothing to read, then there
 * is. */
static void make_calls(struct poller *poller, const int fds[MANY], int writer)
{
    unsigned edge = poller_supports(poller, POLLER_EDGE) ? POLLER_EDGE : 0;

    look(poller, 0, 0);
    look(poller, CLOCK_MILLISECOND + 1, 0); /* only now: "blocking" would not come back */
    for (int i = 0; i < MANY; i++)
        assert_int_equal(poller_add(poller, fds[i], POLLER_IN | (i % 2 ? edge : 0), NULL), 0);
    look(poller, 0, 0);
    assert_int_equal(write(writer, "x", 1), 1);
    look(poller, KIT_DEADLINE_NS, 1);
    look(poller, -1, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(poller_modify(poller, fds[i], POLLER_IN | POLLER_ONESHOT, NULL), 0);
    look(poller, -1, 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(poller_remove(poller, fds[i]), 0);
}

static bool prints_long_lists(const char *backend)
{
    return strcmp(backend, "epoll") == 0 || strcmp(backend, "kqueue") == 0 ||
           strcmp(backend, "uring") == 0 || strcmp(backend, "poll") == 0;
}

static void one_backend(void **state)
{
    const char *backend = *state;
    struct poller *poller = poller_open(backend);
    struct shown shown = {0};
    int fds[MANY];
    int ends[2];

    if (!poller)
        kit_skip("it cannot be opened here");
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < MANY; i++)
        assert_true((fds[i] = dup(ends[0])) >= 0);
    poller_observe(poller, at_every_length, &shown);
    make_calls(poller, fds, ends[1]);
    poller_close(poller);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close(ends[0]);
    close(ends[1]);
    assert_true(shown.waits >= 5);
    assert_true(shown.cut_lists > 0 || !prints_long_lists(backend));
    assert_true(shown.registrations >= 2 * MANY || strcmp(backend, "epoll") != 0);
}

enum { BACKENDS_MAX = 16 };

int main(void)
{
    struct CMUnitTest tests[BACKENDS_MAX] = {{0}};
    struct poller_info info;
    size_t count = 0;

    while (count < BACKENDS_MAX && poller_list(count, &info) == 0)
        tests[count++] = (struct CMUnitTest){
            .name = info.name, .test_func = one_backend, .initial_state = (void *)info.name};
    return _cmocka_run_group_tests("lengths", tests, count, NULL, NULL);
}
