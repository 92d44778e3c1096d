/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop under the scripted backend: the whole course of each turn is compared, word by word,
 * with what loop.h promises.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/fake.h"
#include "kit/kit.h"
#include "poller/backend.h"
#include "pollspin/loop.h"
#include "unit/turns.h"

#define MS CLOCK_MILLISECOND

enum { FIRST = 10, SECOND = 11, THIRD = 12 };

/* One watch or timer of a test, and what its handler does besides taking a note. */
struct actor {
    const char *name;
    struct loop *loop;
    struct watch watch;
    struct timer timer;
    struct actor *other;
    void (*act)(struct actor *actor);
    int runs;
};

static struct loop *open_loop(void)
{
    struct loop *loop = loop_new(fake_open());

    assert_non_null(loop);
    return loop;
}

static void on_ready(void *owner, unsigned ready)
{
    struct actor *actor = owner;
    char names[64];

    poller_event_names(names, sizeof names, ready);
    fake_note("%s %s", actor->name, names);
    actor->runs++;
    if (actor->act)
        actor->act(actor);
}

static void on_due(void *owner)
{
    struct actor *actor = owner;

    fake_note("%s", actor->name);
    actor->runs++;
    if (actor->act)
        actor->act(actor);
}

static void on_paint(void *owner)
{
    struct actor *actor = owner;

    fake_note("paint");
    if (actor && actor->act)
        actor->act(actor);
}

static void on_closed(void *owner)
{
    struct actor *actor = owner;

    fake_note("%s closed", actor->name);
}

static void actor_init(struct actor *actor, struct loop *loop, const char *name)
{
    *actor = (struct actor){.name = name, .loop = loop};
    watch_init(&actor->watch, on_ready, actor);
    timer_init(&actor->timer, loop, on_due, actor);
}

static void actor_watch(struct actor *actor, int fd, unsigned want)
{
    assert_int_equal(watch_start(&actor->watch, actor->loop, fd, want), 0);
}

static void turn(struct loop *loop)
{
    assert_int_equal(loop_turn(loop), 0);
}

static void make_dirty(struct actor *actor)
{
    loop_mark_dirty(actor->loop);
}

static void want_out_too(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_IN | POLLER_OUT);
}

static void close_own(struct actor *actor)
{
    watch_close(&actor->watch, on_closed);
}

static void the_seven_steps(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer, painter, reader;
    char expected[256];
    int fd = dup(0);

    (void)state;
    actor_init(&timer, loop, "timer");
    actor_init(&painter, loop, "painter");
    actor_init(&reader, loop, "reader");
    timer.act = make_dirty;
    painter.act = want_out_too;
    painter.other = &reader;
    reader.act = close_own;
    loop_on_paint(loop, on_paint, &painter);
    actor_watch(&reader, fd, POLLER_IN);
    timer_set(&timer.timer, clock_now());
    fake_at(clock_now() + 5 * MS, fd, POLLER_IN);
    turn(loop);
    snprintf(expected, sizeof expected,
             "set %d - IN; timer; paint; set %d IN IN|OUT; wait ever; reader IN; "
             "set %d IN|OUT -; reader closed",
             fd, fd, fd);
    fake_expect(expected);
    assert_int_equal(close(fd), -1);
    loop_free(loop);
}

static void equal_times_keep_their_order(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    enum { COUNT = sizeof names / sizeof *names };
    struct loop *loop = open_loop();
    struct actor actors[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        actor_init(&actors[i], loop, names[i]);
        timer_set(&actors[i].timer, clock_now() + 10 * MS);
    }
    timer_set(&actors[1].timer, clock_now() + 5 * MS);  /* earlier */
    timer_set(&actors[0].timer, clock_now() + 10 * MS); /* anew: to the end */
    timer_stop(&actors[3].timer);
    turn(loop);
    turn(loop);
    fake_expect("wait 5ms; b; wait 5ms");
    fake_at(clock_now(), FIRST, 0);
    timer_set(&actors[3].timer, clock_now() + 20 * MS);
    turn(loop);
    fake_expect("c; e; a; wait 20ms");
    loop_free(loop);
}

static void again_for_the_past(struct actor *actor)
{
    timer_set(&actor->timer, 0);
}

/* Neither the descriptors nor the other timers, be they due later than the greedy one. */
static void a_greedy_timer_starves_nobody(void **state)
{
    struct loop *loop = open_loop();
    struct actor greedy, modest, reader;

    (void)state;
    actor_init(&greedy, loop, "greedy");
    actor_init(&modest, loop, "modest");
    actor_init(&reader, loop, "reader");
    greedy.act = again_for_the_past;
    timer_set(&greedy.timer, clock_now());
    timer_set(&modest.timer, clock_now());
    actor_watch(&reader, FIRST, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; greedy; modest; wait 0; reader IN");
    turn(loop);
    fake_expect("greedy; wait 0; reader IN");
    timer_set(&modest.timer, clock_now());
    turn(loop);
    fake_expect("greedy; modest; wait 0; reader IN");
    loop_free(loop);
}

static void stop_other_timer(struct actor *actor)
{
    assert_true(timer_is_set(&actor->other->timer));
    timer_stop(&actor->other->timer);
    assert_false(timer_is_set(&actor->other->timer));
    assert_false(timer_is_set(&actor->timer));
}

static void move_other_timer(struct actor *actor)
{
    timer_set(&actor->other->timer, clock_now() + 10 * MS);
    assert_int_equal(timer_due(&actor->other->timer), clock_now() + 10 * MS);
}

static void a_timer_stops_or_moves_another(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    first.other = &second;
    first.act = stop_other_timer;
    timer_set(&first.timer, clock_now());
    timer_set(&second.timer, clock_now());
    fake_at(clock_now() + MS, FIRST, 0);
    assert_int_equal(loop_turn(loop), -1); /* nothing is left to wait for */
    assert_int_equal(errno, EDEADLK);
    fake_expect("first; wait ever");
    first.act = move_other_timer;
    timer_set(&first.timer, clock_now());
    timer_set(&second.timer, clock_now());
    turn(loop);
    fake_expect("first; wait 10ms");
    timer_stop(&second.timer);
    timer_stop(&second.timer);
    loop_free(loop);
}

static void again_in_50ms(struct actor *actor)
{
    timer_set(&actor->timer, timer_due(&actor->timer) + 50 * MS);
}

static void clear_readiness(struct actor *actor)
{
    fake_at(clock_now(), actor->watch.fd, 0);
}

/* A spinner between lines that come every 30 ms: the wait is the time left, and no line moves it.
 */
static void chatter_moves_no_timer(void **state)
{
    struct loop *loop = open_loop();
    struct actor spinner, reader;
    int64_t begin = clock_now();

    (void)state;
    actor_init(&spinner, loop, "frame");
    actor_init(&reader, loop, "line");
    spinner.act = again_in_50ms;
    reader.act = clear_readiness;
    actor_watch(&reader, FIRST, POLLER_IN);
    for (int i = 1; i <= 100; i++)
        fake_at(begin + i * 30 * MS, FIRST, POLLER_IN);
    timer_set(&spinner.timer, begin + 50 * MS);
    for (int i = 0; i < 4; i++)
        turn(loop);
    fake_expect("set 10 - IN; wait 50ms; line IN; wait 20ms; frame; wait 50ms; line IN; wait 40ms; "
                "line IN");
    while (clock_now() < begin + 3000 * MS)
        turn(loop);
    assert_in_range(spinner.runs, 59, 60);
    assert_int_equal(reader.runs, 100);
    loop_free(loop);
}

static void stop_other_watch(struct actor *actor)
{
    watch_stop(&actor->other->watch);
}

static void a_stopped_watch_hears_nothing(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    first.other = &second;
    first.act = stop_other_watch;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&second, SECOND, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; wait ever; first IN; set 11 IN -");
    assert_false(watch_is_started(&second.watch));
    watch_want(&second.watch, POLLER_IN);
    watch_stop(&second.watch);
    actor_watch(&second, SECOND, POLLER_IN); /* it can be started again */
    turn(loop);
    fake_expect("set 11 - IN; wait ever; first IN; set 11 IN -");
    loop_free(loop);
}

/* Its place in the last batch is another's in this one. */
static void who_was_told_has_no_place_in_the_next_batch(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second, third;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    actor_init(&third, loop, "third");
    first.other = &second;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&second, SECOND, POLLER_IN);
    actor_watch(&third, THIRD, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    fake_at(clock_now(), SECOND, 0);
    fake_at(clock_now(), THIRD, POLLER_IN);
    first.act = stop_other_watch;
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; set 12 - IN; wait ever; first IN; second IN; "
                "wait ever; first IN; set 11 IN -; third IN");
    loop_free(loop);
}

static void restart_other_watch(struct actor *actor)
{
    watch_stop(&actor->other->watch);
    actor_watch(actor->other, SECOND, POLLER_IN);
    actor->act = NULL;
}

/* What is in the batch was for the one that has been stopped. */
static void a_watch_started_anew_in_its_batch(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    first.other = &second;
    first.act = restart_other_watch;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&second, SECOND, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; wait ever; first IN; set 11 IN -; set 11 - IN; "
                "wait ever; first IN; second IN");
    loop_free(loop);
}

static void want_nothing_of_other(struct actor *actor)
{
    watch_want(&actor->other->watch, 0);
}

static void want_out_of_other(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_OUT);
}

/* The event is in the batch already when another's handler changes what is wanted: a reader would
 * take bytes for which there is nobody any more. */
static void what_is_wanted_no_longer_is_not_told(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    first.other = &second;
    first.act = want_nothing_of_other;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&second, SECOND, POLLER_IN | POLLER_OUT);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN | POLLER_OUT | POLLER_HUP);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN|OUT; wait ever; first IN");
    first.act = want_out_of_other;
    watch_want(&second.watch, POLLER_IN | POLLER_OUT);
    turn(loop);
    fake_expect("wait ever; first IN; second OUT|HUP");
    turn(loop);
    fake_expect("set 11 IN|OUT OUT; wait ever; first IN; second OUT|HUP");
    loop_free(loop);
}

/* A client that its owner allocated: freed when it is closed, while its event was still to come. */
struct client {
    struct actor actor;
    int *closed;
};

static void free_client(void *owner)
{
    struct actor *actor = owner;
    struct client *client = (struct client *)actor;

    ++*client->closed;
    free(client);
}

static int reused = -1;

/* Closes the other, and opens something: it must not get the other's number yet. */
static void close_other_and_open(struct actor *actor)
{
    if (!actor->other)
        return;
    watch_close(&actor->other->watch, free_client);
    assert_false(watch_is_started(&actor->other->watch));
    actor->other = NULL;
    reused = dup(0);
}

static void a_closed_watch_is_gone_and_its_number_is_not(void **state)
{
    struct loop *loop = open_loop();
    struct client *client = calloc(1, sizeof *client);
    struct actor first;
    int fd = dup(0);
    int other = dup(0);
    int closed = 0;

    (void)state;
    assert_true(fd < other);
    actor_init(&first, loop, "first");
    actor_init(&client->actor, loop, "second");
    client->closed = &closed;
    first.other = &client->actor;
    first.act = close_other_and_open;
    actor_watch(&first, fd, POLLER_IN);
    actor_watch(&client->actor, other, POLLER_IN);
    fake_at(clock_now(), fd, POLLER_IN);
    fake_at(clock_now(), other, POLLER_IN);
    turn(loop);
    assert_int_equal(first.runs, 1);
    assert_int_equal(closed, 1);
    assert_true(reused != other);
    close(reused);
    assert_int_equal(close(other), -1); /* closed by the loop */
    close(fd);
    loop_free(loop);
}

static void close_other_watch(struct actor *actor)
{
    watch_close(&actor->other->watch, on_closed);
}

/* What a timer closes is closed in the same turn, which does not wait. */
static void a_close_does_not_wait(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer, reader;
    int fd = dup(0);

    (void)state;
    actor_init(&timer, loop, "timer");
    actor_init(&reader, loop, "reader");
    timer.other = &reader;
    timer.act = close_other_watch;
    actor_watch(&reader, fd, 0);
    timer_set(&timer.timer, clock_now());
    turn(loop);
    fake_expect("timer; wait 0; reader closed");
    loop_free(loop);
}

static void change_ones_mind(struct actor *actor)
{
    watch_want(&actor->watch, POLLER_OUT);
    watch_want(&actor->watch, 0);
    watch_want(&actor->watch, POLLER_IN | POLLER_OUT);
}

static void change_and_change_back(struct actor *actor)
{
    watch_want(&actor->watch, POLLER_OUT);
    watch_want(&actor->watch, POLLER_IN | POLLER_OUT);
}

static void wants_are_told_once_a_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor.act = change_ones_mind;
    actor_watch(&actor, FIRST, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    actor.act = change_and_change_back;
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; wait ever; actor IN; set 10 IN IN|OUT; wait ever; actor IN; "
                "wait ever; actor IN");
    loop_free(loop);
}

static void want_nothing(struct actor *actor)
{
    watch_want(&actor->watch, 0);
}

/* The kernel reports a hang-up of what is in for nothing too: so it must be out. */
static void what_wants_nothing_is_out(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor.act = want_nothing;
    actor_watch(&actor, FIRST, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN | POLLER_HUP);
    turn(loop);
    assert_int_equal(loop_turn(loop), -1);
    assert_int_equal(errno, EDEADLK);
    fake_expect("set 10 - IN; wait ever; actor IN|HUP; set 10 IN -; wait ever");
    watch_want(&actor.watch, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; wait ever; actor IN|HUP");
    loop_free(loop);
}

static void a_refused_start(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    fake_refuse(FIRST, ENOSPC);
    assert_int_equal(watch_start(&actor.watch, loop, FIRST, POLLER_IN), -1);
    assert_int_equal(errno, ENOSPC);
    assert_false(watch_is_started(&actor.watch));
    actor_watch(&actor, FIRST, POLLER_IN);
    assert_true(watch_is_started(&actor.watch));
    loop_free(loop);
}

static void want_in(struct actor *actor)
{
    watch_want(&actor->watch, POLLER_IN);
}

static void a_refused_want_is_told(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor_watch(&actor, FIRST, POLLER_IN);
    fake_expect("set 10 - IN");
    fake_refuse(FIRST, ENOMEM);
    watch_want(&actor.watch, POLLER_OUT);
    actor.act = want_in; /* asks anew, which is told in the next turn: this one does not wait */
    turn(loop);
    assert_int_equal(actor.watch.error, ENOMEM);
    fake_expect("set 10 IN OUT; set 10 IN -; actor INVALID; wait 0");
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; wait ever; actor IN");
    loop_free(loop);
}

static void refuse_again(struct actor *actor)
{
    fake_refuse(actor->watch.fd, ENOMEM);
    watch_want(&actor->watch, POLLER_IN);
}

/* One that asks and fails in every turn leaves the turns to the others. */
static void one_refused_for_ever_starves_nobody(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor, timer;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor_init(&timer, loop, "timer");
    actor_watch(&actor, FIRST, 0);
    actor.act = refuse_again;
    refuse_again(&actor);
    turn(loop);
    timer_set(&timer.timer, clock_now());
    turn(loop);
    fake_expect("set 10 - IN; actor INVALID; wait 0; timer; set 10 - IN; actor INVALID; wait 0");
    loop_free(loop);
}

static void a_descriptor_that_is_closed_already(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor_watch(&actor, FIRST, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_INVALID);
    turn(loop);
    assert_int_equal(actor.watch.error, EBADF);
    fake_expect("set 10 - IN; wait ever; set 10 IN -; actor INVALID");
    assert_int_equal(loop_turn(loop), -1);
    fake_expect("wait ever");
    assert_true(watch_is_started(&actor.watch));
    loop_free(loop);
}

static void make_dirty_thrice(struct actor *actor)
{
    for (int i = 0; i < 3; i++)
        loop_mark_dirty(actor->loop);
}

static void paints_once_a_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor painter, reader;

    (void)state;
    actor_init(&painter, loop, "painter");
    actor_init(&reader, loop, "reader");
    reader.act = make_dirty_thrice;
    loop_on_paint(loop, on_paint, &painter);
    actor_watch(&reader, FIRST, POLLER_IN);
    actor_watch(&painter, SECOND, POLLER_IN);
    painter.act = make_dirty_thrice;
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; wait ever; reader IN; painter IN");
    turn(loop); /* painting makes it dirty: painted in the next turn, and this one does not wait */
    fake_expect("paint; wait 0; reader IN; painter IN");
    painter.act = NULL;
    turn(loop);
    fake_expect("paint; wait ever; reader IN; painter IN");
    loop_on_paint(loop, NULL, NULL);
    turn(loop);
    fake_expect("wait ever; reader IN; painter IN");
    loop_free(loop);
}

static void stop_loop(struct actor *actor)
{
    loop_stop(actor->loop);
}

static void a_stop_ends_the_turn_first(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer, reader;

    (void)state;
    actor_init(&timer, loop, "timer");
    actor_init(&reader, loop, "reader");
    timer.act = stop_loop;
    timer_set(&timer.timer, clock_now() + 10 * MS);
    actor_watch(&reader, THIRD, POLLER_IN);
    fake_at(clock_now() + 10 * MS, THIRD, POLLER_IN);
    reader.act = clear_readiness;
    assert_int_equal(loop_run(loop), 0);
    fake_expect("set 12 - IN; wait 10ms; reader IN; timer; wait 0");
    assert_int_equal(loop_run(loop), -1); /* runs anew, and the failed wait ends it */
    assert_int_equal(errno, EDEADLK);
    loop_free(loop);
}

static int64_t seen_now;

static void take_long(struct actor *actor)
{
    seen_now = loop_now(actor->loop);
    fake_advance(7 * MS);
    assert_int_equal(loop_now(actor->loop), seen_now);
}

/* In the handlers of a step the time stands still from when it is asked for; the next turn reads
 * the clock anew. */
static void the_clock_is_read_twice_a_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor reader, timer;
    int64_t begin = clock_now();

    (void)state;
    actor_init(&reader, loop, "reader");
    actor_init(&timer, loop, "timer");
    reader.act = take_long;
    actor_watch(&reader, FIRST, POLLER_IN);
    fake_at(begin + 3 * MS, FIRST, POLLER_IN);
    timer_set(&timer.timer, begin + 5 * MS);
    turn(loop);
    assert_int_equal(seen_now, begin + 3 * MS);
    turn(loop);
    fake_expect("set 10 - IN; wait 5ms; reader IN; timer; wait ever; reader IN");
    assert_int_equal(seen_now,
                     begin + 10 * MS); /* when the timer had run, and no wait was needed */
    loop_free(loop);
}

static void turn_again(struct actor *actor)
{
    assert_int_equal(loop_turn(actor->loop), -1);
    assert_int_equal(errno, EDEADLK);
    assert_int_equal(loop_look(actor->loop), -1);
    assert_int_equal(errno, EDEADLK);
    assert_int_equal(loop_run(actor->loop), -1);
    assert_int_equal(errno, EDEADLK);
}

/* It would dispatch from the same batch, and close what the outer one has still to tell. */
static void a_turn_in_a_turn_is_refused(void **state)
{
    struct loop *loop = open_loop();
    struct actor reader, timer;

    (void)state;
    actor_init(&reader, loop, "reader");
    actor_init(&timer, loop, "timer");
    reader.act = timer.act = turn_again;
    actor_watch(&reader, FIRST, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    timer_set(&timer.timer, clock_now());
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; timer; wait ever; reader IN; wait ever; reader IN");
    loop_free(loop);
}

static void a_stop_is_for_one_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer;

    (void)state;
    actor_init(&timer, loop, "timer");
    timer_set(&timer.timer, clock_now() + 5 * MS);
    loop_stop(loop);
    turn(loop);
    turn(loop);
    timer.act = stop_loop;
    assert_int_equal(loop_run(loop), 0);
    timer_set(&timer.timer, clock_now() + 5 * MS);
    turn(loop);
    fake_expect("wait 0; wait 5ms; timer; wait 0; wait 5ms");
    loop_free(loop);
}

static void freeing_closes_what_was_marked(void **state)
{
    struct loop *loop = open_loop();
    struct actor reader;
    int fd = dup(0);

    (void)state;
    actor_init(&reader, loop, "reader");
    actor_watch(&reader, fd, POLLER_IN);
    watch_close(&reader.watch, on_due);
    loop_free(loop);
    assert_int_equal(close(fd), -1); /* by the loop */
    assert_int_equal(reader.runs, 1);
}

static void take_four(struct actor *actor)
{
    (void)actor;
    fake_advance(4 * MS);
}

static void time_in_step_4_does_not_lengthen_the_wait(void **state)
{
    struct loop *loop = open_loop();
    struct actor refused, timer;

    (void)state;
    actor_init(&refused, loop, "refused");
    actor_init(&timer, loop, "timer");
    actor_watch(&refused, FIRST, 0);
    timer_set(&timer.timer, clock_now() + 5 * MS);
    refused.act = take_four;
    refuse_again(&refused);
    turn(loop);
    fake_expect("set 10 - IN; refused INVALID; wait 1ms");
    loop_free(loop);
}

/* Outside of a turn, too, time counts from when it is asked for. */
static void a_delay_counts_from_now(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer;

    (void)state;
    actor_init(&timer, loop, "timer");
    for (int i = 0; i < 2; i++) {
        fake_advance(100 * MS);
        assert_int_equal(timer_after(&timer.timer, 5 * MS), 0);
        assert_int_equal(timer_due(&timer.timer), clock_now() + 5 * MS);
        turn(loop);
    }
    loop_free(loop);
}

/* As the inspector prints it: number, name, how often it was told, and what came last. */
static void note_watch(void *context, const struct watch *watch)
{
    int *left = context;
    char names[64];

    poller_event_names(names, sizeof names, watch->last);
    fake_note("%d %s %dx %s", watch->fd, watch->name ? watch->name : "?", (int)watch->count, names);
    --*left;
}

static void note_watches(struct loop *loop, int expected)
{
    loop_each_watch(loop, note_watch, &expected);
    assert_int_equal(expected, 0);
}

/* In the order of their starts, which only a new start changes. */
static void all_that_are_started_are_listed(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second, third;

    (void)state;
    note_watches(loop, 0);
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    actor_init(&third, loop, "third");
    actor_watch(&second, SECOND, 0);
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&third, THIRD, POLLER_OUT);
    watch_name(&first.watch, "a pipe");
    watch_want(&third.watch, 0);
    note_watches(loop, 3);
    fake_expect("set 10 - IN; set 12 - OUT; 11 ? 0x 0; 10 a pipe 0x 0; 12 ? 0x 0");
    watch_stop(&second.watch);
    watch_stop(&second.watch);
    note_watches(loop, 2);
    actor_watch(&second, SECOND, 0);
    note_watches(loop, 3);
    fake_expect("10 a pipe 0x 0; 12 ? 0x 0; 10 a pipe 0x 0; 12 ? 0x 0; 11 ? 0x 0");
    fake_refuse(SECOND, ENOSPC);
    watch_stop(&second.watch);
    assert_int_equal(watch_start(&second.watch, loop, SECOND, POLLER_IN), -1);
    note_watches(loop, 2);
    loop_free(loop);
}

static void list_and_close_own(struct actor *actor)
{
    note_watches(actor->loop, 2);
    watch_close(&actor->watch, on_closed);
    note_watches(actor->loop, 1);
}

/* It has a descriptor until step 7, but nobody could say anything of it any more. */
static void what_is_being_closed_is_not_listed(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second;
    int fd = dup(0);

    (void)state;
    assert_in_range(fd, 3, FIRST - 1);
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    first.act = list_and_close_own;
    actor_watch(&first, fd, POLLER_IN);
    actor_watch(&second, SECOND, 0);
    watch_name(&first.watch, "closing");
    watch_name(&second.watch, "idle");
    fake_at(clock_now(), fd, POLLER_IN);
    turn(loop);
    assert_null(first.watch.name);
    note_watches(loop, 1);
    actor_watch(&first, FIRST, POLLER_IN); /* begins anew, without a name */
    note_watches(loop, 2);
    watch_stop(&second.watch);
    watch_stop(&first.watch);
    note_watches(loop, 0);
    loop_free(loop);
}

static void what_came_is_counted(void **state)
{
    struct loop *loop = open_loop();
    struct actor actor;

    (void)state;
    actor_init(&actor, loop, "actor");
    actor_watch(&actor, FIRST, POLLER_IN | POLLER_OUT);
    watch_name(&actor.watch, "a");
    fake_at(clock_now(), FIRST, POLLER_IN | POLLER_OUT);
    turn(loop);
    note_watches(loop, 1);
    watch_want(&actor.watch, POLLER_OUT);
    turn(loop);
    note_watches(loop, 1);
    fake_expect("set 10 - IN|OUT; wait ever; actor IN|OUT; 10 a 1x IN|OUT; "
                "set 10 IN|OUT OUT; wait ever; actor OUT; 10 a 2x OUT");
    fake_at(clock_now(), FIRST, POLLER_INVALID);
    turn(loop);
    note_watches(loop, 1);
    fake_expect("wait ever; set 10 OUT -; actor INVALID; 10 a 3x INVALID");
    fake_refuse(FIRST, ENOMEM);
    watch_want(&actor.watch, POLLER_IN);
    fake_at(clock_now(), FIRST, 0);
    timer_set(&actor.timer, clock_now() + MS);
    turn(loop);
    assert_int_equal(actor.watch.count, 4);
    watch_stop(&actor.watch);
    actor_watch(&actor, FIRST, POLLER_IN);
    assert_int_equal(actor.watch.count, 0);
    assert_int_equal(actor.watch.last, 0);
    loop_free(loop);
}

/* A second one on the same script: the journal tells the two apart only by what each is told. */
static struct poller *open_another(const struct loop *loop)
{
    struct poller *poller = poller_open_backend(loop_poller(loop)->backend);

    assert_non_null(poller);
    return poller;
}

static void exchange(struct actor *actor)
{
    int refused = -1;

    fake_note("exchange");
    assert_int_equal(loop_use(actor->loop, open_another(actor->loop), &refused), 0);
    assert_int_equal(refused, -1);
}

static void the_poller_is_exchanged(void **state)
{
    struct loop *loop = open_loop();
    struct poller *before = loop_poller(loop);
    struct actor reader, idle;

    (void)state;
    actor_init(&reader, loop, "reader");
    actor_init(&idle, loop, "idle");
    exchange(&reader); /* nobody to be moved */
    assert_ptr_not_equal(loop_poller(loop), before);
    fake_expect("exchange");
    actor_watch(&reader, FIRST, POLLER_IN);
    actor_watch(&idle, SECOND, 0);
    exchange(&reader);
    fake_expect("set 10 - IN; exchange; set 10 - IN");
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    watch_want(&idle.watch, POLLER_IN);
    watch_want(&reader.watch, 0);
    turn(loop);
    fake_expect("wait ever; reader IN; set 11 - IN; set 10 IN -; wait ever; idle IN");
    loop_free(loop);
}

static void change_both_and_exchange(struct actor *actor)
{
    actor->act = NULL;
    watch_want(&actor->watch, POLLER_IN | POLLER_OUT);
    watch_want(&actor->other->watch, 0);
    exchange(actor);
}

/* What was changed and not told yet is told in step 4, as the difference that it is. */
static void changes_outlast_an_exchange(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second, third;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    actor_init(&third, loop, "third");
    first.act = change_both_and_exchange;
    first.other = &second;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&second, SECOND, POLLER_IN);
    actor_watch(&third, THIRD, 0);
    watch_want(&third.watch, POLLER_IN); /* told in the first turn */
    fake_at(clock_now(), FIRST, POLLER_IN | POLLER_OUT);
    fake_at(clock_now(), THIRD, POLLER_IN);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; set 12 - IN; wait ever; first IN; "
                "exchange; set 10 - IN; set 11 - IN; set 12 - IN; third IN");
    watch_want(&third.watch, 0);
    turn(loop);
    fake_expect("set 10 IN IN|OUT; set 11 IN -; set 12 IN -; wait ever; first IN|OUT");
    watch_want(&third.watch, POLLER_OUT);
    exchange(&first);
    fake_at(clock_now(), FIRST, 0);
    fake_at(clock_now(), THIRD, POLLER_OUT);
    turn(loop);
    fake_expect("exchange; set 10 - IN|OUT; set 12 - OUT; wait ever; third OUT");
    loop_free(loop);
}

static void close_other_and_exchange(struct actor *actor)
{
    if (!watch_is_started(&actor->other->watch))
        return;
    watch_close(&actor->other->watch, on_closed);
    exchange(actor);
}

/* In the middle of a batch: the rest of it is told, each event once; what was closed is not. */
static void a_handler_exchanges_the_poller(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, second, third;
    int fd = dup(0);
    char expected[256];

    (void)state;
    assert_in_range(fd, 3, FIRST - 1);
    actor_init(&first, loop, "first");
    actor_init(&second, loop, "second");
    actor_init(&third, loop, "third");
    second.act = close_other_and_exchange;
    second.other = &first;
    third.act = stop_other_watch;
    third.other = &second;
    actor_watch(&first, fd, POLLER_OUT);
    actor_watch(&second, SECOND, POLLER_IN);
    actor_watch(&third, THIRD, POLLER_IN);
    fake_at(clock_now(), fd, POLLER_OUT);
    fake_at(clock_now(), SECOND, POLLER_IN);
    fake_at(clock_now(), THIRD, POLLER_IN);
    turn(loop);
    snprintf(expected, sizeof expected,
             "set %d - OUT; set 11 - IN; set 12 - IN; wait ever; first OUT; second IN; "
             "set %d OUT -; exchange; set 11 - IN; set 12 - IN; third IN; set 11 IN -; "
             "first closed",
             fd, fd);
    fake_expect(expected);
    third.act = NULL;
    turn(loop);
    fake_expect("wait ever; third IN");
    loop_free(loop);
}

/* A timer, the painter, and one that is told that it cannot be watched exchange it, too. */
static void everybody_exchanges_the_poller(void **state)
{
    struct loop *loop = open_loop();
    struct actor timer, painter, refused;

    (void)state;
    actor_init(&timer, loop, "timer");
    actor_init(&painter, loop, "painter");
    actor_init(&refused, loop, "refused");
    timer.act = painter.act = refused.act = exchange;
    loop_on_paint(loop, on_paint, &painter);
    actor_watch(&refused, FIRST, 0);
    timer_set(&timer.timer, clock_now());
    loop_mark_dirty(loop);
    fake_refuse(FIRST, ENOMEM);
    watch_want(&refused.watch, POLLER_IN);
    fake_at(clock_now() + MS, FIRST, POLLER_IN);
    timer_set(&painter.timer, clock_now() + 2 * MS);
    turn(loop);
    fake_expect("timer; exchange; paint; exchange; set 10 - IN; refused INVALID; exchange; "
                "wait 2ms");
    loop_free(loop);
}

/* All is as before, and the poller that did not work out is as empty as it was. */
static void a_refused_exchange_changes_nothing(void **state)
{
    struct loop *loop = open_loop();
    struct poller *before = loop_poller(loop);
    struct poller *after = open_another(loop);
    struct actor first, idle, second, third;
    int refused = -1;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&idle, loop, "idle");
    actor_init(&second, loop, "second");
    actor_init(&third, loop, "third");
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&idle, 13, 0);
    actor_watch(&second, SECOND, POLLER_IN);
    actor_watch(&third, THIRD, POLLER_IN);
    watch_want(&first.watch, POLLER_OUT);
    fake_expect("set 10 - IN; set 11 - IN; set 12 - IN");
    fake_refuse(SECOND, ENOSPC);
    assert_int_equal(loop_use(loop, after, &refused), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(refused, SECOND);
    assert_ptr_equal(loop_poller(loop), before);
    fake_expect("set 10 - IN; set 11 - IN; set 10 IN -");
    fake_at(clock_now(), FIRST, POLLER_OUT);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    fake_expect("set 10 IN OUT; wait ever; first OUT; second IN");
    assert_int_equal(loop_use(loop, after, &refused), 0);
    assert_ptr_equal(loop_poller(loop), after);
    turn(loop);
    fake_expect("set 10 - OUT; set 11 - IN; set 12 - IN; wait ever; first OUT; second IN");
    loop_free(loop);
}

/* ---- exchanges among the real ones ---- */

static const char *const real_names[] = {"epoll", "poll", "select"};

enum { REAL = sizeof real_names / sizeof *real_names };

/* The next of those that this system has. */
static struct poller *open_next(int *turn)
{
    struct poller *poller = NULL;

    for (int tries = 0; tries < REAL && !poller; tries++)
        poller = poller_open(real_names[(*turn)++ % REAL]);
    assert_non_null(poller);
    return poller;
}

/* Opens a pipe, and returns a copy of its reading end whose number select(2) has no room for. */
static int open_past_select(int ends[2])
{
    struct rlimit limit;
    int fd;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FD_SETSIZE + 64;
    if (limit.rlim_max < limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        kit_skip("the limit of open descriptors is too low");
    assert_int_equal(pipe(ends), 0);
    fd = fcntl(ends[0], F_DUPFD, FD_SETSIZE);
    assert_true(fd >= FD_SETSIZE);
    return fd;
}

static void count_ready(void *owner, unsigned ready)
{
    struct actor *actor = owner;

    assert_int_equal(ready, POLLER_IN);
    actor->runs++;
}

static void assert_refused_by_select(struct loop *loop, int fd)
{
    struct poller *before = loop_poller(loop);
    struct poller *select = poller_open("select");
    int refused = -1;

    assert_non_null(select);
    assert_int_equal(loop_use(loop, select, &refused), -1);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(refused, fd);
    assert_ptr_equal(loop_poller(loop), before);
    poller_close(select);
}

/* Also the one that wants nothing for a while: it could not be told later that it is lost. */
static void select_refuses_a_high_number(void **state)
{
    struct loop *loop = turns_new("poll");
    struct actor low, high;
    int ends[2];
    int fd = open_past_select(ends);

    (void)state;
    actor_init(&low, loop, "low");
    actor_init(&high, loop, "high");
    low.watch.on_ready = high.watch.on_ready = count_ready;
    actor_watch(&low, ends[0], POLLER_IN);
    actor_watch(&high, fd, POLLER_IN);
    assert_refused_by_select(loop, fd);
    assert_int_equal(write(ends[1], "x", 1), 1);
    turn(loop);
    assert_int_equal(low.runs, 1);
    assert_int_equal(high.runs, 1);
    watch_want(&high.watch, 0);
    assert_refused_by_select(loop, fd);
    turn(loop);
    assert_refused_by_select(loop, fd);
    watch_want(&high.watch, POLLER_IN);
    assert_refused_by_select(loop, fd);
    turn(loop);
    assert_int_equal(low.runs, 3);
    assert_int_equal(high.runs, 2);
    loop_free(loop);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

/* A pipe that carries a known sequence from one handler to the other. */
struct stream {
    struct loop *loop;
    struct watch reader;
    struct watch writer;
    size_t written;
    size_t read;
    int exchanges;
    int next; /* poller */
};

enum { EXCHANGES = 100, STREAM_PIECE = 4099, STREAM_LENGTH = 8 * EXCHANGES * STREAM_PIECE };

static char stream_byte(size_t at)
{
    return (char)(at % 251);
}

/* The writer is wanted while there is little in the pipe: in and out of the poller all the time. */
static void stream_settle(struct stream *stream)
{
    bool is_low = stream->written - stream->read < 4 * STREAM_PIECE;
    int refused = -1;

    if (stream->written >= STREAM_LENGTH && watch_is_started(&stream->writer))
        watch_close(&stream->writer, NULL);
    watch_want(&stream->writer, is_low ? POLLER_OUT : 0);
    if (stream->read / (7 * STREAM_PIECE) <= (size_t)stream->exchanges)
        return;
    assert_int_equal(loop_use(stream->loop, open_next(&stream->next), &refused), 0);
    stream->exchanges++;
}

static void stream_on_room(void *owner, unsigned ready)
{
    struct stream *stream = owner;
    char bytes[STREAM_PIECE];
    ssize_t n;

    assert_int_equal(ready, POLLER_OUT);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = stream_byte(stream->written + i);
    n = write(stream->writer.fd, bytes, sizeof bytes);
    assert_true(n > 0);
    stream->written += (size_t)n;
    stream_settle(stream);
}

static void stream_on_data(void *owner, unsigned ready)
{
    struct stream *stream = owner;
    char bytes[STREAM_PIECE];
    ssize_t n = read(stream->reader.fd, bytes, sizeof bytes);

    assert_int_equal(ready & POLLER_INVALID, 0);
    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] != stream_byte(stream->read + (size_t)i))
            fail_msg("byte %zu of the stream is wrong", stream->read + (size_t)i);
    stream->read += (size_t)n;
    stream_settle(stream);
    if (n == 0)
        watch_close(&stream->reader, NULL);
}

static void a_hundred_exchanges_lose_no_byte(void **state)
{
    struct stream stream = {.loop = turns_new("poll")};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    watch_init(&stream.reader, stream_on_data, &stream);
    watch_init(&stream.writer, stream_on_room, &stream);
    assert_int_equal(watch_start(&stream.writer, stream.loop, ends[1], POLLER_OUT), 0);
    assert_int_equal(watch_start(&stream.reader, stream.loop, ends[0], POLLER_IN), 0);
    turns_until(stream.loop, !watch_is_started(&stream.reader));
    assert_int_equal(stream.read, stream.written);
    assert_true(stream.read >= STREAM_LENGTH);
    assert_true(stream.exchanges >= EXCHANGES);
    loop_free(stream.loop);
}

/* ---- before the wait ---- */

static void on_wait(void *owner, int64_t timeout_ns)
{
    struct actor *actor = owner;

    if (timeout_ns < 0)
        fake_note("ask ever");
    else
        fake_note("ask %dms", (int)(timeout_ns / MS));
    actor->runs++;
    if (actor->act)
        actor->act(actor);
}

static void a_look_does_not_wait(void **state)
{
    struct loop *loop = open_loop();
    struct actor reader, timer;

    (void)state;
    actor_init(&reader, loop, "reader");
    actor_init(&timer, loop, "timer");
    actor_watch(&reader, FIRST, POLLER_IN);
    timer_set(&timer.timer, clock_now() + 50 * MS);
    assert_int_equal(loop_look(loop), 0);
    fake_expect("set 10 - IN; wait 0");
    turn(loop);
    fake_expect("wait 50ms");
    loop_free(loop);
}

static void the_wait_is_announced_once_a_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor stepper, timer, reader;

    (void)state;
    actor_init(&stepper, loop, "stepper");
    actor_init(&timer, loop, "timer");
    actor_init(&reader, loop, "reader");
    loop_on_wait(loop, on_wait, &stepper);
    actor_watch(&reader, FIRST, 0);
    watch_want(&reader.watch, POLLER_IN);
    timer_set(&timer.timer, clock_now() + 50 * MS);
    turn(loop);
    fake_expect("set 10 - IN; ask 50ms; wait 50ms");
    timer.act = again_for_the_past;
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    fake_expect("timer; ask 0ms; wait 0; reader IN");
    timer.act = NULL;
    turn(loop);
    fake_expect("timer; ask ever; wait ever; reader IN");
    assert_int_equal(stepper.runs, 3);
    loop_on_wait(loop, NULL, NULL);
    turn(loop);
    fake_expect("wait ever; reader IN");
    loop_free(loop);
}

static void take_an_hour(struct actor *actor)
{
    (void)actor;
    fake_advance(3600 * CLOCK_SECOND);
}

/* Somebody reads the screen before the step is made: what is asked is what was announced. */
static void time_before_the_wait_does_not_shorten_it(void **state)
{
    struct loop *loop = open_loop();
    struct actor stepper, timer;

    (void)state;
    actor_init(&stepper, loop, "stepper");
    actor_init(&timer, loop, "timer");
    loop_on_wait(loop, on_wait, &stepper);
    stepper.act = take_an_hour;
    timer.act = again_in_50ms;
    timer_set(&timer.timer, clock_now() + 50 * MS);
    turn(loop);
    stepper.act = NULL;
    turn(loop);
    fake_expect("ask 50ms; wait 50ms; timer; ask 0ms; wait 0");
    loop_free(loop);
}

static void change_everything(struct actor *actor)
{
    actor->act = NULL;
    watch_want(&actor->other->watch, POLLER_IN | POLLER_OUT);
    timer_set(&actor->timer, clock_now() + 10 * MS);
    loop_mark_dirty(actor->loop);
    exchange(actor);
}

static void changes_before_the_wait_are_for_the_next_turn(void **state)
{
    struct loop *loop = open_loop();
    struct actor stepper, reader;

    (void)state;
    actor_init(&stepper, loop, "stepper");
    actor_init(&reader, loop, "reader");
    loop_on_wait(loop, on_wait, &stepper);
    loop_on_paint(loop, on_paint, NULL);
    stepper.act = change_everything;
    stepper.other = &reader;
    actor_watch(&reader, FIRST, POLLER_IN);
    fake_at(clock_now() + 5 * MS, FIRST, POLLER_IN);
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; ask ever; exchange; set 10 - IN; wait ever; reader IN; "
                "paint; set 10 IN IN|OUT; ask 5ms; wait 5ms; reader IN");
    loop_free(loop);
}

static void a_stop_before_the_wait_ends_it(void **state)
{
    struct loop *loop = open_loop();
    struct actor stepper, reader;

    (void)state;
    actor_init(&stepper, loop, "stepper");
    actor_init(&reader, loop, "reader");
    loop_on_wait(loop, on_wait, &stepper);
    stepper.act = stop_loop;
    actor_watch(&reader, FIRST, POLLER_IN);
    assert_int_equal(loop_run(loop), 0);
    fake_expect("set 10 - IN; ask ever; wait 0");
    loop_free(loop);
}

/* Whoever closed it frees it after the turn. */
static void a_failed_wait_closes_what_was_marked(void **state)
{
    struct loop *loop = open_loop();
    struct actor stepper, reader;
    int fd = dup(0);

    (void)state;
    actor_init(&stepper, loop, "stepper");
    actor_init(&reader, loop, "reader");
    loop_on_wait(loop, on_wait, &stepper);
    stepper.act = close_other_watch;
    stepper.other = &reader;
    actor_watch(&reader, fd, POLLER_IN);
    assert_int_equal(loop_turn(loop), -1);
    assert_int_equal(errno, EDEADLK);
    assert_false(watch_is_started(&reader.watch));
    assert_int_equal(close(fd), -1); /* by the loop */
    loop_free(loop);
}

/* ---- deferred calls ---- */

struct call {
    struct deferred deferred;
    struct actor actor;
    struct call *other;
    void (*act)(struct call *call);
};

static void on_call(void *owner)
{
    struct call *call = owner;

    fake_note("%s", call->actor.name);
    if (call->act)
        call->act(call);
}

static void on_call_due(void *owner)
{
    struct call *call = owner;

    fake_note("%s due", call->actor.name);
    deferred_call(&call->deferred);
}

static void call_init(struct call *call, struct loop *loop, const char *name)
{
    *call = (struct call){.actor.name = name};
    deferred_init(&call->deferred, loop, on_call, call);
    timer_init(&call->actor.timer, loop, on_call_due, call);
}

static void call_own(struct call *call)
{
    deferred_call(&call->deferred);
}

static void stop_other_call(struct call *call)
{
    deferred_stop(&call->other->deferred);
}

static void call_other(struct call *call)
{
    deferred_call(&call->other->deferred);
}

/* Behind the timers, in the order of the first asking; what a timer asks for comes a turn later,
 * and no wait comes between. */
static void deferred_calls_come_behind_the_timers(void **state)
{
    struct loop *loop = open_loop();
    struct call a, b, c;

    (void)state;
    call_init(&a, loop, "a");
    call_init(&b, loop, "b");
    call_init(&c, loop, "c");
    deferred_call(&b.deferred);
    deferred_call(&a.deferred);
    deferred_call(&b.deferred);
    timer_set(&c.actor.timer, clock_now());
    timer_set(&a.actor.timer, clock_now()); /* a has been asked for already */
    turn(loop);
    fake_expect("c due; a due; b; a; wait 0");
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(loop_look(loop), 0);
    fake_expect("c; wait 0; wait 0");
    loop_free(loop);
}

static void a_deferred_call_may_ask_anew(void **state)
{
    struct loop *loop = open_loop();
    struct call a, b, c;

    (void)state;
    call_init(&a, loop, "a");
    call_init(&b, loop, "b");
    call_init(&c, loop, "c");
    a.act = call_own;
    b.act = stop_other_call;
    b.other = &c;
    c.act = call_other;
    c.other = &b;
    deferred_call(&a.deferred);
    deferred_call(&b.deferred);
    deferred_call(&c.deferred);
    turn(loop);
    fake_expect("a; b; wait 0");
    deferred_call(&c.deferred);
    a.act = NULL;
    turn(loop);
    fake_expect("a; c; wait 0");
    deferred_stop(&b.deferred);
    deferred_stop(&b.deferred);
    assert_int_equal(loop_look(loop), 0);
    fake_expect("wait 0");
    loop_free(loop);
}

/* ---- the time that handlers take ---- */

static void take_7ms(struct actor *actor)
{
    (void)actor;
    fake_advance(7 * MS);
}

static void on_slow_call(void *owner)
{
    (void)owner;
    fake_note("call");
    fake_advance(7 * MS);
}

/* What runs before the wait makes it shorter, and no timer late. */
static void the_wait_begins_when_all_has_run(void **state)
{
    struct loop *loop = open_loop();
    struct actor slow, due;
    struct deferred deferred;
    int64_t begin = clock_now();

    (void)state;
    actor_init(&slow, loop, "slow");
    actor_init(&due, loop, "due");
    deferred_init(&deferred, loop, on_slow_call, NULL);
    slow.act = take_7ms;
    timer_set(&slow.timer, begin);
    timer_set(&due.timer, begin + 20 * MS);
    deferred_call(&deferred);
    turn(loop);
    fake_expect("slow; call; wait 6ms");
    loop_on_paint(loop, on_paint, &slow);
    loop_mark_dirty(loop);
    timer_set(&due.timer, begin + 40 * MS);
    turn(loop);
    fake_expect("paint; wait 13ms");
    timer_set(&due.timer, begin + 45 * MS);
    timer_set(&slow.timer, begin + 40 * MS);
    turn(loop);
    fake_expect("slow; wait 0");
    timer_set(&due.timer, loop_now(loop) + 20 * MS);
    deferred_call(&deferred);
    turn(loop);
    fake_expect("call; wait 13ms");
    loop_free(loop);
}

/* ---- one-shots ---- */

static void want_in_once(struct actor *actor)
{
    watch_want(&actor->watch, POLLER_IN | POLLER_ONESHOT);
}

/* Silent until it is armed, be it for the same; and one call then tells the poller. */
static void a_one_shot_fires_once(void **state)
{
    struct loop *loop = open_loop();
    struct actor once, timer;

    (void)state;
    actor_init(&once, loop, "once");
    actor_init(&timer, loop, "timer");
    actor_watch(&once, FIRST, POLLER_IN | POLLER_ONESHOT);
    fake_at(clock_now(), FIRST, POLLER_IN);
    timer_set(&timer.timer, clock_now() + MS);
    turn(loop);
    assert_true(once.watch.has_fired);
    turn(loop);
    fake_expect("set 10 - IN|ONESHOT; wait 1ms; set 10 IN|ONESHOT -; once IN; wait 1ms");
    want_in_once(&once);
    want_in_once(&once);
    turn(loop);
    fake_expect("timer; set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; once IN");
    once.act = want_in_once; /* from its own function */
    want_in_once(&once);
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; once IN; "
                "set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; once IN");
    loop_free(loop);
}

/* The poller of a one-shot that has fired knows it still: want 0 takes it out for good. */
static void a_fired_one_shot_is_taken_out(void **state)
{
    struct loop *loop = open_loop();
    struct actor once;

    (void)state;
    actor_init(&once, loop, "once");
    actor_watch(&once, FIRST, POLLER_IN | POLLER_ONESHOT);
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    watch_want(&once.watch, 0);
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(poller_remove(loop_poller(loop), FIRST), -1);
    assert_int_equal(once.watch.was, 0);
    fake_expect("set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; once IN; wait 0");
    watch_want(&once.watch, POLLER_IN);
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; wait ever; once IN; wait ever; once IN");
    want_in_once(&once);
    turn(loop);
    assert_true(once.watch.has_fired);
    watch_stop(&once.watch);
    assert_int_equal(poller_remove(loop_poller(loop), FIRST), -1);
    actor_watch(&once, FIRST, POLLER_IN);
    assert_false(once.watch.has_fired);
    loop_free(loop);
}

static void want_other_in(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_IN);
}

static void want_other_once(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_IN | POLLER_ONESHOT);
}

static void want_other_out_once(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_OUT | POLLER_ONESHOT);
}

/* Another's function asks for something else, and then for the same again, while the event is in
 * the batch: who asked last is told, and nothing is lost. */
static void a_one_shot_changed_in_its_batch(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, once, third;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&once, loop, "once");
    actor_init(&third, loop, "third");
    first.other = third.other = &once;
    first.act = want_other_out_once;
    third.act = want_other_once;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&once, SECOND, POLLER_IN | POLLER_ONESHOT);
    actor_watch(&third, THIRD, POLLER_IN);
    for (int fd = FIRST; fd <= THIRD; fd++)
        fake_at(clock_now(), fd, POLLER_IN);
    turn(loop);
    first.act = third.act = NULL;
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN|ONESHOT; set 12 - IN; wait ever; "
                "set 11 IN|ONESHOT -; first IN; third IN; "
                "set 11 - IN|ONESHOT; wait ever; set 11 IN|ONESHOT -; first IN; once IN; third IN");
    first.act = want_other_in; /* no one-shot any more, though one is in the batch */
    want_in_once(&once);
    turn(loop);
    first.act = NULL;
    turn(loop);
    fake_expect("set 11 - IN|ONESHOT; wait ever; set 11 IN|ONESHOT -; first IN; once IN; third IN; "
                "set 11 - IN; wait ever; first IN; once IN; third IN");
    loop_free(loop);
}

/* The event in the batch is the one that it was made a one-shot for. */
static void a_watch_made_a_one_shot_in_its_batch(void **state)
{
    struct loop *loop = open_loop();
    struct actor first, once;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&once, loop, "once");
    first.other = &once;
    first.act = want_other_once;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&once, SECOND, POLLER_IN);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    turn(loop);
    first.act = NULL;
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN; wait ever; first IN; set 11 IN -; once IN; "
                "wait ever; first IN");
    want_in_once(&once);
    turn(loop);
    fake_expect("set 11 - IN|ONESHOT; wait ever; set 11 IN|ONESHOT -; first IN; once IN");
    loop_free(loop);
}

/* What has fired, or is about to be told, is not told by the next poller too. */
static void one_shots_outlast_an_exchange(void **state)
{
    struct loop *loop = open_loop();
    struct actor fired, first, pending;

    (void)state;
    actor_init(&fired, loop, "fired");
    actor_init(&first, loop, "first");
    actor_init(&pending, loop, "pending");
    actor_watch(&fired, 13, POLLER_IN | POLLER_ONESHOT);
    fake_at(clock_now(), 13, POLLER_IN);
    turn(loop);
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&pending, SECOND, POLLER_IN | POLLER_ONESHOT);
    fake_at(clock_now(), FIRST, POLLER_IN);
    fake_at(clock_now(), SECOND, POLLER_IN);
    first.act = exchange;
    turn(loop);
    fake_expect("set 13 - IN|ONESHOT; wait ever; set 13 IN|ONESHOT -; fired IN; set 10 - IN; "
                "set 11 - IN|ONESHOT; wait ever; set 11 IN|ONESHOT -; first IN; exchange; "
                "set 10 - IN; pending IN");
    first.act = NULL;
    turn(loop);
    watch_want(&fired.watch, 0);
    want_in_once(&pending);
    turn(loop);
    fake_expect("wait ever; first IN; set 11 - IN|ONESHOT; wait ever; set 11 IN|ONESHOT -; "
                "first IN; pending IN");
    want_in_once(&fired);
    turn(loop);
    fake_expect("set 13 - IN|ONESHOT; wait ever; set 13 IN|ONESHOT -; first IN; fired IN");
    loop_free(loop);
}

/* A refused exchange leaves one-shots as they were: also those that it did not try. */
static void a_refused_exchange_leaves_one_shots(void **state)
{
    struct loop *loop = open_loop();
    struct poller *after = open_another(loop);
    struct actor fired, second;
    int refused = -1;

    (void)state;
    actor_init(&fired, loop, "fired");
    actor_init(&second, loop, "second");
    actor_watch(&fired, FIRST, POLLER_IN | POLLER_ONESHOT);
    fake_at(clock_now(), FIRST, POLLER_IN);
    turn(loop);
    actor_watch(&second, SECOND, POLLER_IN);
    fake_refuse(SECOND, ENOSPC);
    fake_expect("set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; fired IN; set 11 - IN");
    assert_int_equal(loop_use(loop, after, &refused), -1);
    assert_int_equal(refused, SECOND);
    assert_true(fired.watch.has_fired);
    poller_close(after);
    want_in_once(&fired);
    turn(loop);
    fake_expect("set 11 - IN; set 10 - IN|ONESHOT; wait ever; set 10 IN|ONESHOT -; fired IN");
    loop_free(loop);
}

/* ---- edges and one-shots of the real ones ---- */

struct bell {
    struct loop *loop;
    struct watch watch;
    int ends[2];
    int runs;
};

static void on_bell(void *owner, unsigned ready)
{
    struct bell *bell = owner;

    assert_int_equal(ready, POLLER_IN);
    bell->runs++;
}

static void bell_start(struct bell *bell, struct loop *loop, unsigned want)
{
    *bell = (struct bell){.loop = loop};
    assert_int_equal(pipe(bell->ends), 0);
    watch_init(&bell->watch, on_bell, bell);
    assert_int_equal(watch_start(&bell->watch, loop, bell->ends[0], want), 0);
}

static void bell_stop(struct bell *bell)
{
    watch_stop(&bell->watch);
    close(bell->ends[0]);
    close(bell->ends[1]);
}

static void bell_ring(struct bell *bell)
{
    assert_int_equal(write(bell->ends[1], "x", 1), 1);
}

/* Makes a turn in which BELL, if it is told, is told once more; returns how often in all. */
static int bell_look(struct bell *bell)
{
    assert_int_equal(loop_look(bell->loop), 0);
    return bell->runs;
}

static void assert_bell_rings_once(const char *backend, unsigned trigger)
{
    struct loop *loop = turns_new(backend);
    struct bell bell;

    bell_start(&bell, loop, POLLER_IN | trigger);
    assert_int_equal(bell_look(&bell), 0);
    bell_ring(&bell);
    turns_until(loop, bell.runs > 0);
    assert_int_equal(bell_look(&bell), 1); /* it is still readable */
    if (trigger & POLLER_ONESHOT)
        watch_want(&bell.watch, POLLER_IN | trigger);
    else
        bell_ring(&bell);
    turns_until(loop, bell.runs > 1);
    assert_int_equal(bell_look(&bell), 2);
    watch_want(&bell.watch, POLLER_IN); /* and any backend can be told to speak at length */
    turns_until(loop, bell.runs > 4);
    bell_stop(&bell);
    loop_free(loop);
}

static void triggers_on_each_backend(void **state)
{
    static const unsigned triggers[] = {POLLER_EDGE, POLLER_ONESHOT, POLLER_EDGE | POLLER_ONESHOT};
    struct poller_info info;
    int tried = 0;

    (void)state;
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        for (size_t k = 0; k < sizeof triggers / sizeof *triggers; k++)
            if (!info.missing && !info.is_lesson && (triggers[k] & ~info.supports) == 0) {
                assert_bell_rings_once(info.name, triggers[k]);
                tried++;
            }
    print_message("%d pairs of backend and trigger\n", tried);
    assert_true(tried > 0);
}

/* The script's own, which says that it has edges: it is silent for nobody, so that what is told
 * anew can be seen in the journal alone. */
static struct poller *open_with_edges(const struct loop *loop)
{
    static struct poller_backend with_edges;
    struct poller *poller;

    with_edges = *loop_poller(loop)->backend;
    with_edges.supports |= POLLER_EDGE;
    with_edges.native |= POLLER_EDGE;
    poller = poller_open_backend(&with_edges);
    assert_non_null(poller);
    return poller;
}

static void want_other_out_by_edge(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_OUT | POLLER_EDGE);
}

static void want_other_in_by_edge(struct actor *actor)
{
    watch_want(&actor->other->watch, POLLER_IN | POLLER_EDGE);
}

static void change_other_and_change_back(struct actor *actor)
{
    want_other_out_by_edge(actor);
    want_other_in_by_edge(actor);
}

/* The poller will not repeat an edge that was left out, so it is told the same anew. */
static void an_edge_left_out_is_not_lost(void **state)
{
    struct loop *loop = open_loop();
    struct poller *without = open_another(loop);
    struct actor first, edge, third;
    int refused = -1;

    (void)state;
    actor_init(&first, loop, "first");
    actor_init(&edge, loop, "edge");
    actor_init(&third, loop, "third");
    assert_int_equal(loop_use(loop, open_with_edges(loop), &refused), 0);
    first.other = third.other = &edge;
    first.act = want_other_out_by_edge;
    third.act = want_other_in_by_edge;
    actor_watch(&first, FIRST, POLLER_IN);
    actor_watch(&edge, SECOND, POLLER_IN | POLLER_EDGE);
    actor_watch(&third, THIRD, POLLER_IN);
    for (int fd = FIRST; fd <= THIRD; fd++)
        fake_at(clock_now(), fd, POLLER_IN);
    turn(loop);
    first.act = change_other_and_change_back;
    turn(loop);
    turn(loop);
    fake_expect("set 10 - IN; set 11 - IN|EDGE; set 12 - IN; wait ever; first IN; third IN; "
                "set 11 IN|EDGE IN|EDGE; wait ever; first IN; edge IN; third IN; "
                "wait ever; first IN; edge IN; third IN");
    assert_int_equal(loop_use(loop, without, &refused), -1);
    assert_int_equal(errno, ENOTSUP);
    assert_int_equal(refused, SECOND);
    first.act = third.act = NULL;
    watch_want(&edge.watch, 0);
    assert_int_equal(loop_look(loop), 0);
    watch_want(&edge.watch, POLLER_IN | POLLER_EDGE); /* not told yet, and it would be too late */
    assert_int_equal(loop_use(loop, without, &refused), -1);
    assert_int_equal(errno, ENOTSUP);
    watch_want(&edge.watch, 0);
    assert_int_equal(loop_use(loop, without, &refused), 0);
    loop_free(loop);
}

/* ---- the loop's own poller ---- */

static void a_loop_opens_the_best_poller(void **state)
{
    struct poller *best = poller_open(NULL);
    struct loop *loop = loop_new(NULL);
    const char *asked = getenv("POLLSPIN_BACKEND");

    (void)state;
    assert_non_null(best);
    assert_non_null(loop);
    assert_string_equal(poller_name(loop_poller(loop)), poller_name(best));
    poller_close(best);
    loop_free(loop);
    loop_free(NULL);
    assert_int_equal(setenv("POLLSPIN_BACKEND", "nonsense", 1), 0);
    assert_null(loop_new(NULL));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(asked ? setenv("POLLSPIN_BACKEND", asked, 1) : unsetenv("POLLSPIN_BACKEND"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_seven_steps, fake_stop),
        cmocka_unit_test_teardown(equal_times_keep_their_order, fake_stop),
        cmocka_unit_test_teardown(a_greedy_timer_starves_nobody, fake_stop),
        cmocka_unit_test_teardown(a_timer_stops_or_moves_another, fake_stop),
        cmocka_unit_test_teardown(chatter_moves_no_timer, fake_stop),
        cmocka_unit_test_teardown(a_stopped_watch_hears_nothing, fake_stop),
        cmocka_unit_test_teardown(what_is_wanted_no_longer_is_not_told, fake_stop),
        cmocka_unit_test_teardown(a_closed_watch_is_gone_and_its_number_is_not, fake_stop),
        cmocka_unit_test_teardown(a_close_does_not_wait, fake_stop),
        cmocka_unit_test_teardown(wants_are_told_once_a_turn, fake_stop),
        cmocka_unit_test_teardown(what_wants_nothing_is_out, fake_stop),
        cmocka_unit_test_teardown(a_refused_start, fake_stop),
        cmocka_unit_test_teardown(a_refused_want_is_told, fake_stop),
        cmocka_unit_test_teardown(one_refused_for_ever_starves_nobody, fake_stop),
        cmocka_unit_test_teardown(a_descriptor_that_is_closed_already, fake_stop),
        cmocka_unit_test_teardown(paints_once_a_turn, fake_stop),
        cmocka_unit_test_teardown(a_stop_ends_the_turn_first, fake_stop),
        cmocka_unit_test_teardown(the_clock_is_read_twice_a_turn, fake_stop),
        cmocka_unit_test_teardown(a_turn_in_a_turn_is_refused, fake_stop),
        cmocka_unit_test_teardown(a_stop_is_for_one_turn, fake_stop),
        cmocka_unit_test_teardown(freeing_closes_what_was_marked, fake_stop),
        cmocka_unit_test_teardown(time_in_step_4_does_not_lengthen_the_wait, fake_stop),
        cmocka_unit_test_teardown(a_delay_counts_from_now, fake_stop),
        cmocka_unit_test_teardown(all_that_are_started_are_listed, fake_stop),
        cmocka_unit_test_teardown(what_is_being_closed_is_not_listed, fake_stop),
        cmocka_unit_test_teardown(what_came_is_counted, fake_stop),
        cmocka_unit_test_teardown(the_poller_is_exchanged, fake_stop),
        cmocka_unit_test_teardown(changes_outlast_an_exchange, fake_stop),
        cmocka_unit_test_teardown(a_handler_exchanges_the_poller, fake_stop),
        cmocka_unit_test_teardown(everybody_exchanges_the_poller, fake_stop),
        cmocka_unit_test_teardown(a_refused_exchange_changes_nothing, fake_stop),
        cmocka_unit_test_teardown(select_refuses_a_high_number, fake_stop),
        cmocka_unit_test_teardown(a_hundred_exchanges_lose_no_byte, fake_stop),
        cmocka_unit_test_teardown(a_look_does_not_wait, fake_stop),
        cmocka_unit_test_teardown(the_wait_is_announced_once_a_turn, fake_stop),
        cmocka_unit_test_teardown(time_before_the_wait_does_not_shorten_it, fake_stop),
        cmocka_unit_test_teardown(changes_before_the_wait_are_for_the_next_turn, fake_stop),
        cmocka_unit_test_teardown(a_stop_before_the_wait_ends_it, fake_stop),
        cmocka_unit_test_teardown(a_failed_wait_closes_what_was_marked, fake_stop),
        cmocka_unit_test_teardown(deferred_calls_come_behind_the_timers, fake_stop),
        cmocka_unit_test_teardown(a_deferred_call_may_ask_anew, fake_stop),
        cmocka_unit_test_teardown(the_wait_begins_when_all_has_run, fake_stop),
        cmocka_unit_test_teardown(a_one_shot_fires_once, fake_stop),
        cmocka_unit_test_teardown(a_fired_one_shot_is_taken_out, fake_stop),
        cmocka_unit_test_teardown(a_one_shot_changed_in_its_batch, fake_stop),
        cmocka_unit_test_teardown(a_watch_made_a_one_shot_in_its_batch, fake_stop),
        cmocka_unit_test_teardown(one_shots_outlast_an_exchange, fake_stop),
        cmocka_unit_test_teardown(a_refused_exchange_leaves_one_shots, fake_stop),
        cmocka_unit_test_teardown(triggers_on_each_backend, fake_stop),
        cmocka_unit_test_teardown(an_edge_left_out_is_not_lost, fake_stop),
        cmocka_unit_test_teardown(a_loop_opens_the_best_poller, fake_stop),
        cmocka_unit_test_teardown(a_watch_started_anew_in_its_batch, fake_stop),
        cmocka_unit_test_teardown(who_was_told_has_no_place_in_the_next_batch, fake_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
