/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crew of real threads beside a real loop. What a job waits for in its thread is opened by the
 * test, so nothing here depends on which is faster. pthread_create(3) is wrapped, to fail.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "copy/crew.h"
#include "kit/kit.h"
#include "unit/turns.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner);

static int create_error;
static int created;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner)
{
    if (create_error)
        return create_error;
    created++;
    return __real_pthread_create(thread, attr, run, owner);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool is_open;
    int inside; /* threads that have come to it so far */
};

static struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void gate_pass(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.change);
    while (!gate.is_open)
        pthread_cond_wait(&gate.change, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_set(bool is_open)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_open = is_open;
    gate.inside = 0;
    pthread_cond_broadcast(&gate.change);
    pthread_mutex_unlock(&gate.lock);
}

/* The alarm of the teardown ends a wait that is in vain. */
static void gate_wait_for(int inside)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < inside)
        pthread_cond_wait(&gate.change, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

struct task {
    struct crew *crew;
    struct job job;
    struct task *waits_for; /* in on_done */
    bool passes_gate;
    atomic_int worked;
    int done;
    int repeats; /* how often on_done gives it again */
    bool has_signals;
    pthread_t worker;
};

static atomic_int order;

static void task_work(void *owner)
{
    struct task *task = owner;
    sigset_t mask;

    if (task->passes_gate)
        gate_pass();
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    task->has_signals = !sigismember(&mask, SIGINT) || !sigismember(&mask, SIGUSR1);
    task->worker = pthread_self();
    task->worked = ++order;
}

static void task_on_done(void *owner)
{
    struct task *task = owner;

    assert_false(task->job.is_given);
    task->done++;
    if (task->waits_for)
        crew_wait(task->crew, &task->waits_for->job);
    if (task->repeats-- > 0)
        assert_int_equal(crew_give(task->crew, &task->job), 0);
}

static void task_init(struct task *task, struct crew *crew)
{
    *task = (struct task){.crew = crew};
    job_init(&task->job, task_work, task_on_done, task);
}

static void task_give(struct task *task)
{
    assert_int_equal(crew_give(task->crew, &task->job), 0);
    assert_true(task->job.is_given);
}

enum { TASKS = 200 };

struct fixture {
    struct loop *loop;
    struct crew *crew;
    struct task tasks[TASKS];
};

static void begin(struct fixture *fixture, int size)
{
    fixture->loop = turns_new(NULL);
    fixture->crew = crew_new(fixture->loop, size);
    assert_non_null(fixture->crew);
    for (int i = 0; i < TASKS; i++)
        task_init(&fixture->tasks[i], fixture->crew);
}

static void end(struct fixture *fixture)
{
    crew_free(fixture->crew);
    loop_free(fixture->loop);
}

static int count_done(const struct fixture *fixture)
{
    int done = 0;

    for (int i = 0; i < TASKS; i++)
        done += fixture->tasks[i].done;
    return done;
}

static void a_job_is_done_elsewhere_and_told_here(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 0);
    assert_int_equal(created, 0);
    task_give(&fixture.tasks[0]);
    assert_int_equal(fixture.tasks[0].done, 0);
    turns_until(fixture.loop, fixture.tasks[0].done == 1);
    assert_false(pthread_equal(fixture.tasks[0].worker, pthread_self()));
    assert_false(fixture.tasks[0].has_signals);
    assert_int_equal(created, 1);
    end(&fixture);
}

static void threads_leave_the_mask_as_it_was(void **state)
{
    struct fixture fixture;
    sigset_t mask;

    (void)state;
    begin(&fixture, 1);
    task_give(&fixture.tasks[0]);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGINT));
    end(&fixture);
}

static void one_thread_keeps_the_order(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 1);
    for (int i = 0; i < TASKS; i++)
        task_give(&fixture.tasks[i]);
    turns_until(fixture.loop, count_done(&fixture) == TASKS);
    for (int i = 1; i < TASKS; i++)
        assert_true(fixture.tasks[i - 1].worked < fixture.tasks[i].worked);
    assert_int_equal(created, 1);
    end(&fixture);
}

static void as_many_at_once_as_there_are_threads(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 3);
    for (int i = 0; i < 7; i++) {
        fixture.tasks[i].passes_gate = true;
        task_give(&fixture.tasks[i]);
    }
    gate_wait_for(3);
    assert_int_equal(created, 3);
    gate_set(true);
    turns_until(fixture.loop, count_done(&fixture) == 7);
    assert_int_equal(created, 3);
    end(&fixture);
}

static void at_least_four_threads_where_nobody_says(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 0);
    for (int i = 0; i < 4; i++) {
        fixture.tasks[i].passes_gate = true;
        task_give(&fixture.tasks[i]);
    }
    gate_wait_for(4);
    gate_set(true);
    turns_until(fixture.loop, count_done(&fixture) == 4);
    end(&fixture);
}

/* Who has done one comes for the next, asleep or on the way; no other is started. */
static void a_job_after_the_other_needs_one_thread(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 4);
    for (int i = 0; i < TASKS; i++) {
        task_give(&fixture.tasks[i]);
        turns_until(fixture.loop, fixture.tasks[i].done == 1);
    }
    assert_int_equal(created, 1);
    end(&fixture);
}

static void jobs_given_again_from_on_done(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 2);
    for (int i = 0; i < TASKS; i++) {
        fixture.tasks[i].repeats = 20;
        task_give(&fixture.tasks[i]);
    }
    turns_until(fixture.loop, count_done(&fixture) == 21 * TASKS);
    turns_for(fixture.loop, CLOCK_MILLISECOND);
    assert_int_equal(count_done(&fixture), 21 * TASKS);
    end(&fixture);
}

static void free_waits_for_what_has_begun_and_forgets_the_rest(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 1);
    task_give(&fixture.tasks[0]);
    for (int i = 1; i < 5; i++) {
        fixture.tasks[i].passes_gate = true;
        task_give(&fixture.tasks[i]);
    }
    gate_wait_for(1);
    gate_set(true);
    end(&fixture);
    assert_true(fixture.tasks[0].worked);
    assert_true(fixture.tasks[1].worked);
    assert_int_equal(count_done(&fixture), 0);
    for (int i = 0; i < 5; i++)
        assert_false(fixture.tasks[i].job.is_given);
}

static void wait_takes_back_what_has_not_begun(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 1);
    fixture.tasks[0].passes_gate = true;
    for (int i = 0; i < 3; i++)
        task_give(&fixture.tasks[i]);
    gate_wait_for(1);
    crew_wait(fixture.crew, &fixture.tasks[1].job);
    assert_false(fixture.tasks[1].job.is_given);
    gate_set(true);
    turns_until(fixture.loop, fixture.tasks[2].done == 1);
    assert_int_equal(fixture.tasks[1].worked, 0);
    assert_int_equal(count_done(&fixture), 2);
    task_give(&fixture.tasks[1]);
    turns_until(fixture.loop, fixture.tasks[1].done == 1);
    end(&fixture);
}

static void *open_gate(void *owner)
{
    (void)owner;
    gate_wait_for(1);
    gate_set(true);
    return NULL;
}

static void wait_waits_for_what_has_begun(void **state)
{
    struct fixture fixture;
    pthread_t opener;

    (void)state;
    begin(&fixture, 1);
    fixture.tasks[0].passes_gate = true;
    task_give(&fixture.tasks[0]);
    gate_wait_for(1);
    assert_int_equal(__real_pthread_create(&opener, NULL, open_gate, NULL), 0);
    crew_wait(fixture.crew, &fixture.tasks[0].job);
    assert_true(fixture.tasks[0].worked);
    assert_false(fixture.tasks[0].job.is_given);
    pthread_join(opener, NULL);
    turns_for(fixture.loop, CLOCK_MILLISECOND);
    assert_int_equal(fixture.tasks[0].done, 0);
    end(&fixture);
}

static void wait_forgets_what_is_done_and_untold(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 1);
    task_give(&fixture.tasks[0]);
    task_give(&fixture.tasks[1]);
    crew_wait(fixture.crew, &fixture.tasks[1].job);
    crew_wait(fixture.crew, &fixture.tasks[0].job);
    crew_wait(fixture.crew, &fixture.tasks[0].job);
    turns_for(fixture.loop, CLOCK_MILLISECOND);
    assert_int_equal(count_done(&fixture), 0);
    end(&fixture);
}

/* Both are done in one round, and the first forgets the second while that is under way. */
static void on_done_forgets_one_of_the_same_round(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 1);
    fixture.tasks[0].waits_for = &fixture.tasks[1];
    for (int i = 0; i < 4; i++)
        task_give(&fixture.tasks[i]);
    crew_wait(fixture.crew, &fixture.tasks[3].job);
    turns_until(fixture.loop, fixture.tasks[2].done == 1);
    assert_int_equal(fixture.tasks[0].done, 1);
    assert_int_equal(fixture.tasks[1].done, 0);
    end(&fixture);
}

static void no_thread_is_an_error_only_where_there_is_none(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, 4);
    create_error = EAGAIN;
    assert_int_equal(crew_give(fixture.crew, &fixture.tasks[0].job), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(fixture.tasks[0].job.is_given);
    create_error = 0;
    fixture.tasks[1].passes_gate = true;
    task_give(&fixture.tasks[1]);
    gate_wait_for(1);
    create_error = EAGAIN;
    task_give(&fixture.tasks[0]);
    gate_set(true);
    turns_until(fixture.loop, count_done(&fixture) == 2);
    assert_int_equal(created, 1);
    end(&fixture);
}

static void none_is_freed_too(void **state)
{
    struct fixture fixture;

    (void)state;
    crew_free(NULL);
    begin(&fixture, 1000);
    end(&fixture);
    assert_int_equal(created, 0);
}

static int guard(void **state)
{
    (void)state;
    create_error = 0;
    created = 0;
    gate_set(false);
    alarm(KIT_DEADLINE_NS / CLOCK_SECOND);
    return 0;
}

static int unguard(void **state)
{
    (void)state;
    alarm(0);
    gate_set(true);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, guard, unguard)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_job_is_done_elsewhere_and_told_here),
        CASE(threads_leave_the_mask_as_it_was),
        CASE(one_thread_keeps_the_order),
        CASE(as_many_at_once_as_there_are_threads),
        CASE(at_least_four_threads_where_nobody_says),
        CASE(a_job_after_the_other_needs_one_thread),
        CASE(jobs_given_again_from_on_done),
        CASE(free_waits_for_what_has_begun_and_forgets_the_rest),
        CASE(wait_takes_back_what_has_not_begun),
        CASE(wait_waits_for_what_has_begun),
        CASE(wait_forgets_what_is_done_and_untold),
        CASE(on_done_forgets_one_of_the_same_round),
        CASE(no_thread_is_an_error_only_where_there_is_none),
        CASE(none_is_freed_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
