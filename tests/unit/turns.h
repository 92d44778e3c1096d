/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a loop inside a test: turn by turn until something has come true, with the kit's deadline
 * as a timer in that very loop, so that a loop which waits for ever fails the test too.
 */
#ifndef TURNS_H
#define TURNS_H

#include <string.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/loop.h"

/* A turn in which a timer makes the condition true still waits afterwards; so there is a next timer
 * always. */
struct turns {
    struct timer timer;
    int64_t deadline;
    const char *condition; /* NULL: the deadline is what is waited for */
    bool is_over;
};

#define TURNS_TICK (5 * CLOCK_MILLISECOND)

static inline void turns_on_due(void *owner)
{
    struct turns *turns = owner;
    int64_t now = clock_now();

    turns->is_over = now >= turns->deadline;
    if (turns->is_over && turns->condition)
        fail_msg("waited in vain for: %s", turns->condition);
    assert_int_equal(timer_set(&turns->timer, turns->is_over ? now : now + TURNS_TICK), 0);
}

static inline void turns_begin(struct turns *turns, struct loop *loop, const char *condition)
{
    *turns = (struct turns){.deadline = clock_now() + KIT_DEADLINE_NS, .condition = condition};
    timer_init(&turns->timer, loop, turns_on_due, turns);
    assert_int_equal(timer_set(&turns->timer, clock_now() + TURNS_TICK), 0);
}

static inline struct loop *turns_new(const char *backend)
{
    struct poller *poller = poller_open(backend);
    struct loop *loop = poller ? loop_new(poller) : NULL;

    assert_non_null(loop);
    return loop;
}

/* A watch to be found by its name. */
struct turns_watch {
    const char *name;
    int found;
};

static inline void turns_find(void *context, const struct watch *watch)
{
    struct turns_watch *wanted = context;

    wanted->found += watch->name && strcmp(watch->name, wanted->name) == 0;
}

/* Returns how many watches of LOOP have the name NAME. */
static inline int turns_watches(const struct loop *loop, const char *name)
{
    struct turns_watch wanted = {.name = name};

    loop_each_watch(loop, turns_find, &wanted);
    return wanted.found;
}

/* Makes turns of LOOP for NS nanoseconds and returns how many they were: two where nothing else
 * happened. */
static inline int turns_for(struct loop *loop, int64_t ns)
{
    struct turns turns = {.deadline = clock_now() + ns};
    int made = 0;

    timer_init(&turns.timer, loop, turns_on_due, &turns);
    assert_int_equal(timer_set(&turns.timer, turns.deadline), 0);
    for (; !turns.is_over; made++)
        assert_int_equal(loop_turn(loop), 0);
    timer_stop(&turns.timer);
    return made;
}

/* Makes turns of LOOP until CONDITION holds. */
#define turns_until(loop, condition)                                                               \
    do {                                                                                           \
        struct turns turns_;                                                                       \
        turns_begin(&turns_, (loop), #condition);                                                  \
        while (!(condition))                                                                       \
            assert_int_equal(loop_turn(loop), 0);                                                  \
        timer_stop(&turns_.timer);                                                                 \
    } while (0)

#endif
