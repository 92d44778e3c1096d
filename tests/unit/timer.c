/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers against a naive model: all that are set, searched for the earliest. The time is the
 * script's, so what takes hours takes no time, and each course is always the same.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "kit/fake.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "loop/inside.h"
#include "pollspin/loop.h"

#define MS CLOCK_MILLISECOND

static struct loop *open_loop(void)
{
    struct loop *loop = loop_new(fake_open());

    assert_non_null(loop);
    return loop;
}

/* ---- the model ---- */

enum { THINGS = 60, TURNS = 30000, SEED = 1871 };

struct thing {
    struct timer timer;
    struct model *model;
    bool is_set;
    bool is_waiting; /* to be run in this turn */
    int64_t due;
    int64_t period;
    uint64_t order;
    uint64_t missed;
};

struct model {
    struct loop *loop;
    struct thing things[THINGS];
    int64_t begun; /* when the turn began */
    uint64_t orders;
    uint32_t seed;
    int runs;
};

/* The one that comes out first among those that wait, or among all that are set. */
static struct thing *model_first(struct model *model, bool that_wait)
{
    struct thing *first = NULL;

    for (int i = 0; i < THINGS; i++) {
        struct thing *thing = &model->things[i];

        if (!thing->is_set || (that_wait && !thing->is_waiting))
            continue;
        if (!first || thing->due < first->due ||
            (thing->due == first->due && thing->order < first->order))
            first = thing;
    }
    return first;
}

static void model_set(struct thing *thing, int64_t due, int64_t period)
{
    thing->is_set = true;
    thing->is_waiting = false;
    thing->due = due;
    thing->period = period;
    thing->order = thing->model->orders++;
}

static int64_t some_length(struct model *model)
{
    static const int64_t usual[] = {0, 1, 5, 10, 10, 10, 30, 30, 50, 100, 1000, 3000};
    uint32_t kind = kit_random(&model->seed, 3);

    if (kind == 0)
        return kit_random(&model->seed, 60);
    return usual[kit_random(&model->seed, sizeof usual / sizeof *usual)];
}

static void some_operation(struct model *model, struct thing *thing)
{
    int64_t length = some_length(model);
    int64_t now = loop_now(model->loop);

    switch (kit_random(&model->seed, 7)) {
    case 0:
        timer_stop(&thing->timer);
        thing->is_set = thing->is_waiting = false;
        break;
    case 1:
        assert_int_equal(timer_set(&thing->timer, now + length - 20), 0);
        model_set(thing, now + length - 20, 0);
        break;
    case 2:
    case 3:
        assert_int_equal(timer_every(&thing->timer, length + 1), 0);
        model_set(thing, now + length + 1, length + 1);
        thing->missed = 0;
        break;
    default:
        assert_int_equal(timer_after(&thing->timer, length), 0);
        model_set(thing, now + length, 0);
    }
}

static void check(struct model *model)
{
    for (int i = 0; i < THINGS; i++) {
        struct thing *thing = &model->things[i];

        assert_int_equal(timer_is_set(&thing->timer), thing->is_set);
        if (thing->is_set)
            assert_int_equal(timer_due(&thing->timer), thing->due);
        assert_int_equal(thing->timer.missed, thing->missed);
    }
}

static struct thing *some_thing(struct model *model)
{
    return &model->things[kit_random(&model->seed, THINGS)];
}

static void on_thing_due(void *owner)
{
    struct thing *thing = owner;
    struct model *model = thing->model;
    int64_t due = thing->due;

    assert_ptr_equal(thing, model_first(model, true));
    thing->is_set = thing->is_waiting = false;
    if (thing->period > 0) {
        for (due += thing->period; due <= model->begun; due += thing->period)
            thing->missed++;
        model_set(thing, due, thing->period);
    }
    model->runs++;
    if (kit_random(&model->seed, 4) == 0)
        some_operation(model, some_thing(model));
    if (kit_random(&model->seed, 2) == 0)
        some_operation(model, thing);
}

/* The wait lasts until the first is due, and no longer. */
static void model_turn(struct model *model)
{
    const struct thing *first;

    model->begun = clock_now();
    for (int i = 0; i < THINGS; i++) {
        struct thing *thing = &model->things[i];

        thing->is_waiting = thing->is_set && thing->due <= model->begun;
    }
    assert_int_equal(loop_turn(model->loop), 0);
    assert_null(model_first(model, true));
    first = model_first(model, false);
    assert_int_equal(clock_now(), first->due > model->begun ? first->due : model->begun);
}

static void random_operations(void **state)
{
    static struct model model = {.seed = SEED};

    (void)state;
    print_message("seed %d\n", SEED);
    model.loop = open_loop();
    for (int i = 0; i < THINGS; i++) {
        model.things[i].model = &model;
        timer_init(&model.things[i].timer, model.loop, on_thing_due, &model.things[i]);
    }
    for (int i = 0; i < TURNS; i++) {
        for (uint32_t n = kit_random(&model.seed, 4); n > 0; n--)
            some_operation(&model, some_thing(&model));
        if (!model_first(&model, false))
            continue;
        model_turn(&model);
        if (kit_random(&model.seed, 20) == 0)
            fake_advance(kit_random(&model.seed, 500)); /* a stall of many periods */
        if (i % 16 == 0)
            check(&model);
    }
    print_message("%d runs\n", model.runs);
    assert_true(model.runs > TURNS);
    loop_free(model.loop);
}

/* ---- one by one ---- */

struct actor {
    const char *name;
    struct timer timer;
    struct actor *other;
    void (*act)(struct actor *actor);
};

static void on_due(void *owner)
{
    struct actor *actor = owner;

    fake_note("%s", actor->name);
    if (actor->act)
        actor->act(actor);
}

static void actor_init(struct actor *actor, struct loop *loop, const char *name)
{
    *actor = (struct actor){.name = name};
    timer_init(&actor->timer, loop, on_due, actor);
}

static void turns(struct loop *loop, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(loop_turn(loop), 0);
}

/* How many of the loop's timers are in its heap. */
static size_t in_heap(const struct loop *loop)
{
    return loop->timers.heap.count;
}

/* The phases are 0, 3 and 6 of 10 ms. After the stall b is the next, c behind it, a the last. */
static void a_stall_leaves_periods_out_and_keeps_the_phase(void **state)
{
    struct loop *loop = open_loop();
    struct actor a, b, c;

    (void)state;
    actor_init(&a, loop, "a");
    actor_init(&b, loop, "b");
    actor_init(&c, loop, "c");
    assert_int_equal(timer_every(&a.timer, 10 * MS), 0);
    fake_advance(3 * MS);
    assert_int_equal(loop_look(loop), 0);
    timer_every(&b.timer, 10 * MS);
    fake_advance(3 * MS);
    assert_int_equal(loop_look(loop), 0);
    timer_every(&c.timer, 10 * MS);
    turns(loop, 4);
    fake_expect("wait 0; wait 0; wait 4ms; a; wait 3ms; b; wait 3ms; c; wait 4ms");
    assert_int_equal(in_heap(loop), 0);
    fake_advance(32 * MS); /* to 52 */
    turns(loop, 4);
    fake_expect("a; b; c; wait 1ms; b; wait 3ms; c; wait 4ms; a; wait 3ms");
    assert_int_equal(a.timer.missed, 3);
    assert_int_equal(b.timer.missed, 2);
    assert_int_equal(c.timer.missed, 2);
    turns(loop, 3);
    fake_expect("b; wait 3ms; c; wait 4ms; a; wait 3ms");
    assert_int_equal(in_heap(loop), 0); /* and the lane has them all again */
    timer_every(&a.timer, 10 * MS);
    assert_int_equal(a.timer.missed, 0);
    loop_free(loop);
}

static void stop_own(struct actor *actor)
{
    assert_true(timer_is_set(&actor->timer));
    timer_stop(&actor->timer);
}

static void set_own_once(struct actor *actor)
{
    actor->act = NULL;
    timer_set(&actor->timer, timer_due(&actor->timer) + 5 * MS);
}

static void take_long(struct actor *actor)
{
    (void)actor;
    fake_advance(25 * MS);
}

static void a_period_ends_when_it_is_told_to(void **state)
{
    struct loop *loop = open_loop();
    struct actor every, other;

    (void)state;
    actor_init(&every, loop, "every");
    actor_init(&other, loop, "other");
    timer_every(&every.timer, 10 * MS);
    timer_set(&other.timer, clock_now() + 1000 * MS);
    turns(loop, 2);
    assert_int_equal(timer_due(&every.timer), clock_now());
    every.act = stop_own;
    turns(loop, 1);
    fake_expect("wait 10ms; every; wait 10ms; every; wait 980ms");
    assert_false(timer_is_set(&every.timer));
    timer_every(&every.timer, 10 * MS);
    timer_set(&other.timer, clock_now() + 1000 * MS);
    every.act = set_own_once; /* 5 ms after its next moment, and then never again */
    turns(loop, 3);
    fake_expect("wait 10ms; every; wait 15ms; every; wait 975ms");
    timer_every(&every.timer, 10 * MS);
    timer_after(&every.timer, 10 * MS); /* once, too */
    timer_stop(&other.timer);
    turns(loop, 1);
    timer_set(&other.timer, clock_now() + 10 * MS);
    turns(loop, 1);
    fake_expect("wait 10ms; every; wait 10ms");
    loop_free(loop);
}

/* It runs once a turn, and says what it could not do. */
static void a_function_longer_than_its_period(void **state)
{
    struct loop *loop = open_loop();
    struct actor every;

    (void)state;
    actor_init(&every, loop, "every");
    every.act = take_long;
    timer_every(&every.timer, 10 * MS);
    turns(loop, 3); /* at 10 ms, and at 35 for 20 and 30 */
    fake_expect("wait 10ms; every; wait 0; every; wait 0");
    assert_int_equal(every.timer.missed, 1);
    loop_free(loop);
}

static void what_is_too_short_or_too_long(void **state)
{
    struct loop *loop = open_loop();
    struct actor late, early, every;

    (void)state;
    actor_init(&late, loop, "late");
    actor_init(&early, loop, "early");
    actor_init(&every, loop, "every");
    assert_int_equal(timer_every(&every.timer, 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_false(timer_is_set(&every.timer));
    timer_every(&every.timer, INT64_MAX);
    assert_int_equal(timer_every(&every.timer, -1), -1);
    assert_int_equal(timer_due(&every.timer), INT64_MAX);
    timer_after(&late.timer, INT64_MAX - 1);
    assert_int_equal(timer_due(&late.timer), INT64_MAX);
    timer_after(&late.timer, 10 * MS);
    timer_after(&early.timer, INT64_MIN);
    assert_int_equal(timer_due(&early.timer), clock_now());
    turns(loop, 1);
    timer_set(&early.timer, INT64_MIN);
    turns(loop, 1);
    fake_expect("early; wait 10ms; early; late; wait 2305843009213693951ns"); /* 73 years */
    loop_free(loop);
}

/* Who is due at the same moment runs in the order of the settings, wherever they are kept. */
static void equal_times_across_lanes_and_heap(void **state)
{
    struct loop *loop = open_loop();
    struct actor a, b, c, d, e;

    (void)state;
    actor_init(&a, loop, "a");
    actor_init(&b, loop, "b");
    actor_init(&c, loop, "c");
    actor_init(&d, loop, "d");
    actor_init(&e, loop, "e");
    timer_after(&a.timer, 30 * MS);
    timer_set(&b.timer, clock_now() + 30 * MS);
    timer_after(&c.timer, 30 * MS);
    fake_advance(10 * MS);
    assert_int_equal(loop_look(loop), 0);
    timer_after(&d.timer, 20 * MS);
    timer_set(&e.timer, clock_now() + 20 * MS);
    timer_after(&a.timer, 20 * MS); /* anew: to the end */
    turns(loop, 1);
    timer_after(&b.timer, 0); /* from the heap into a lane */
    timer_set(&c.timer, clock_now());
    timer_stop(&a.timer);
    timer_stop(&a.timer);
    assert_false(timer_is_set(&a.timer));
    assert_int_equal(loop_look(loop), 0);
    fake_expect("wait 0; wait 20ms; d; e; b; c; wait 0");
    loop_free(loop);
}

static void free_own(struct actor *actor)
{
    free(actor);
}

static void stop_other(struct actor *actor)
{
    assert_true(timer_is_set(&actor->other->timer));
    timer_stop(&actor->other->timer);
    assert_false(timer_is_set(&actor->other->timer));
}

static void again_at_once(struct actor *actor)
{
    timer_after(&actor->timer, 0);
}

static void a_timer_may_do_anything_to_timers(void **state)
{
    struct loop *loop = open_loop();
    struct actor *mortal = malloc(sizeof *mortal);
    struct actor first, second, greedy;

    (void)state;
    actor_init(mortal, loop, "mortal");
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    actor_init(&greedy, loop, "greedy");
    mortal->act = free_own;
    first.act = stop_other;
    first.other = &second;
    greedy.act = again_at_once;
    timer_after(&mortal->timer, MS);
    timer_after(&first.timer, MS);
    timer_every(&second.timer, MS);
    timer_after(&greedy.timer, MS);
    turns(loop, 3);
    fake_expect("wait 1ms; mortal; first; greedy; wait 0; greedy; wait 0");
    loop_free(loop);
}

/* ---- lanes ---- */

enum { LENGTHS = TIMER_LANES + 4 };

/* One alone gives its lane away, two do not; who has no lane is in the heap, and all are in time.
 */
static void more_lengths_than_lanes(void **state)
{
    static char names[2][LENGTHS][8];
    struct actor actors[2][LENGTHS];
    struct loop *loop = open_loop();
    char expected[32 * LENGTHS];
    struct text text;

    (void)state;
    for (int i = 0; i < 2 * LENGTHS; i++) {
        char *name = names[i / LENGTHS][i % LENGTHS];

        snprintf(name, sizeof names[0][0], "%c%d", 'a' + i / LENGTHS, i % LENGTHS);
        actor_init(&actors[i / LENGTHS][i % LENGTHS], loop, name);
        assert_int_equal(
            timer_after(&actors[i / LENGTHS][i % LENGTHS].timer, (LENGTHS - i % LENGTHS) * MS), 0);
        if (i == LENGTHS - 1)
            assert_int_equal(in_heap(loop), LENGTHS - TIMER_LANES);
    }
    assert_in_range(in_heap(loop), LENGTHS - TIMER_LANES, 2 * LENGTHS - 1 - TIMER_LANES);
    turns(loop, LENGTHS);
    text_init(&text, expected, sizeof expected);
    text_add(&text, "wait 1ms");
    for (int i = LENGTHS - 1; i > 0; i--)
        text_add(&text, "; a%d; b%d; wait 1ms", i, i);
    fake_expect(expected);
    loop_free(loop);
}

/* ---- a million ---- */

enum { CROWD = 1000000, CROWD_INSTRUMENTED = 20000 };

struct crowd {
    struct loop *loop;
    struct timer *timers;
    int count;
    int runs;
};

static void on_crowd_due(void *owner)
{
    struct crowd *crowd = owner;

    crowd->runs++;
}

static struct crowd crowd_gather(void)
{
    struct crowd crowd = {.loop = open_loop()};

    crowd.count = kit_is_instrumented() ? CROWD_INSTRUMENTED : CROWD;
    crowd.timers = calloc((size_t)crowd.count, sizeof *crowd.timers);
    assert_non_null(crowd.timers);
    return crowd;
}

static void crowd_leave(struct crowd *crowd)
{
    loop_free(crowd->loop);
    free(crowd->timers);
}

/* Of one length, they need no memory at all: nothing is allocated, and nothing is searched. */
static void a_million_of_one_length(void **state)
{
    struct crowd crowd = crowd_gather();
    const struct timers *timers = &crowd.loop->timers;

    (void)state;
    for (int i = 0; i < crowd.count; i++) {
        timer_init(&crowd.timers[i], crowd.loop, on_crowd_due, &crowd);
        timer_after(&crowd.timers[i], 1000 * MS);
    }
    fake_advance(500 * MS);
    assert_int_equal(loop_look(crowd.loop), 0);
    for (int i = 0; i < crowd.count; i += 2) /* moved */
        timer_after(&crowd.timers[i], 1000 * MS);
    for (int i = 0; i < crowd.count; i += 5)
        timer_stop(&crowd.timers[i]);
    assert_int_equal(timers->lane_count, 1);
    assert_int_equal(timers->heap.capacity, 0);
    turns(crowd.loop, 2);
    assert_int_equal(crowd.runs, crowd.count / 10 * 4);
    assert_int_equal(loop_look(crowd.loop), 0);
    assert_int_equal(crowd.runs, crowd.count / 10 * 8);
    assert_null(timers_next(timers));
    crowd_leave(&crowd);
}

/* Of any length, they need a place in the heap each, at most twice as many as there ever were. */
static void a_million_of_any_length(void **state)
{
    struct crowd crowd = crowd_gather();
    const struct timers *timers = &crowd.loop->timers;
    uint32_t seed = SEED;

    (void)state;
    for (int i = 0; i < crowd.count; i++) {
        timer_init(&crowd.timers[i], crowd.loop, on_crowd_due, &crowd);
        timer_after(&crowd.timers[i], kit_random(&seed, 3600000) * MS);
    }
    for (int i = 0; i < crowd.count; i += 2)
        timer_after(&crowd.timers[i], kit_random(&seed, 3600000) * MS);
    for (int i = 0; i < crowd.count; i += 5)
        timer_stop(&crowd.timers[i]);
    assert_true(timers->heap.capacity < 2 * (size_t)crowd.count);
    fake_advance(3600 * CLOCK_SECOND);
    assert_int_equal(loop_look(crowd.loop), 0);
    assert_int_equal(crowd.runs, crowd.count / 5 * 4);
    assert_null(timers_next(timers));
    crowd_leave(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_operations, fake_stop),
        cmocka_unit_test_teardown(a_stall_leaves_periods_out_and_keeps_the_phase, fake_stop),
        cmocka_unit_test_teardown(a_period_ends_when_it_is_told_to, fake_stop),
        cmocka_unit_test_teardown(a_function_longer_than_its_period, fake_stop),
        cmocka_unit_test_teardown(what_is_too_short_or_too_long, fake_stop),
        cmocka_unit_test_teardown(equal_times_across_lanes_and_heap, fake_stop),
        cmocka_unit_test_teardown(a_timer_may_do_anything_to_timers, fake_stop),
        cmocka_unit_test_teardown(more_lengths_than_lanes, fake_stop),
        cmocka_unit_test_teardown(a_million_of_one_length, fake_stop),
        cmocka_unit_test_teardown(a_million_of_any_length, fake_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
