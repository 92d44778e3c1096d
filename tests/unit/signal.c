/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as events of the loop, with real signals.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "loop/signal.h"

/* What came, in order. */
struct seen {
    struct loop *loop;
    int signos[16];
    int count;
};

static void on_signal(void *owner, int signo)
{
    struct seen *seen = owner;

    assert_in_range(seen->count, 0, 15);
    seen->signos[seen->count++] = signo;
    loop_stop(seen->loop);
}

/* Those that a test has not freed, perhaps since it failed: they have signals of the process. */
static struct loop *loops[4];

enum { LOOPS = sizeof loops / sizeof *loops };

static struct loop *open_loop(void)
{
    struct loop **place = loops;

    while (*place)
        place++;
    assert_true(place < loops + LOOPS);
    *place = loop_new(poller_open(NULL));
    assert_non_null(*place);
    return *place;
}

static void close_loop(struct loop *loop)
{
    for (int i = 0; i < LOOPS; i++)
        if (loops[i] == loop)
            loops[i] = NULL;
    loop_free(loop);
}

static int forget_signals(void **state)
{
    for (int i = 0; i < LOOPS; i++)
        if (loops[i])
            close_loop(loops[i]);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    return kit_cleanup(state);
}

static void turn(struct loop *loop)
{
    assert_int_equal(loop_turn(loop), 0);
}

static void it_ends_a_wait(void **state)
{
    struct itimerval soon = {.it_value.tv_usec = 10000};
    struct seen seen = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGALRM, on_signal, &seen), 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(loop_run(seen.loop), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.signos[0], SIGALRM);
    close_loop(seen.loop);
}

static void it_is_told_without_a_turn(void **state)
{
    struct seen seen = {.loop = open_loop()};

    (void)state;
    loop_signals_tell(seen.loop); /* there are none yet */
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    raise(SIGUSR1);
    assert_int_equal(seen.count, 0);
    loop_signals_tell(seen.loop);
    loop_signals_tell(seen.loop);
    assert_int_equal(seen.count, 1);
    close_loop(seen.loop);
}

static void what_is_forgotten_is_not_told(void **state)
{
    struct seen seen = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    loop_signal_forget(SIGUSR1);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.signos[0], SIGUSR2);
    close_loop(seen.loop);
}

/* More than a pipe has room for: the handler must not block in it, and one call tells of all. */
static void many_are_one(void **state)
{
    enum { MANY = 100000 };
    struct seen seen = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    for (int i = 0; i < MANY; i++)
        raise(SIGUSR1);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    raise(SIGUSR1);
    turn(seen.loop);
    assert_int_equal(seen.count, 2);
    close_loop(seen.loop);
}

static void each_kind_is_told(void **state)
{
    static const int signos[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH};
    enum { KINDS = sizeof signos / sizeof *signos };
    struct seen seen = {.loop = open_loop()};

    (void)state;
    for (int i = 0; i < KINDS; i++)
        assert_int_equal(loop_signal(seen.loop, signos[i], on_signal, &seen), 0);
    for (int i = 0; i < KINDS; i++)
        raise(signos[i]);
    turn(seen.loop);
    assert_int_equal(seen.count, KINDS);
    for (int i = 0; i < KINDS; i++) {
        bool found = false;

        for (int j = 0; j < KINDS; j++)
            found = found || seen.signos[j] == signos[i];
        assert_true(found);
    }
    close_loop(seen.loop);
}

static void errno_survives(void **state)
{
    struct seen seen = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    errno = 12345;
    for (int i = 0; i < 70000; i++) /* until the pipe is full and write(2) fails */
        raise(SIGUSR1);
    assert_int_equal(errno, 12345);
    close_loop(seen.loop);
}

static volatile sig_atomic_t caught;

static void catch_signal(int signo)
{
    caught = signo;
}

static void what_was_is_given_back(void **state)
{
    struct seen seen = {.loop = open_loop()};
    struct sigaction own = {.sa_handler = catch_signal, .sa_flags = SA_RESTART};
    struct sigaction now;
    int descriptors = kit_descriptors(getpid());

    (void)state;
    signal(SIGUSR1, SIG_IGN);
    sigaddset(&own.sa_mask, SIGTERM);
    sigaction(SIGUSR2, &own, NULL);
    for (int i = 0; i < 2; i++) { /* the second time replaces, and must not forget what was */
        assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
        assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    }
    raise(SIGUSR2);
    assert_int_equal(caught, 0);
    loop_signals_fini(seen.loop);
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    sigaction(SIGUSR2, NULL, &now);
    assert_true(now.sa_handler == catch_signal);
    assert_true(now.sa_flags & SA_RESTART);
    assert_true(sigismember(&now.sa_mask, SIGTERM));
    raise(SIGUSR2);
    assert_int_equal(caught, SIGUSR2);
    loop_signals_fini(seen.loop); /* twice does no harm */
    assert_int_equal(seen.count, 0);
    close_loop(seen.loop);
}

/* As a library does that saves all handlers for a while, and knows nothing of the loop. */
static void our_handler_may_be_put_back_late(void **state)
{
    struct seen seen = {.loop = open_loop()};
    struct sigaction saved;

    (void)state;
    caught = 0;
    signal(SIGUSR2, catch_signal);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    sigaction(SIGUSR2, NULL, &saved);
    close_loop(seen.loop);
    sigaction(SIGUSR2, &saved, NULL);
    raise(SIGUSR2);
    assert_int_equal(caught, SIGUSR2);
}

/* ... and then the loop takes it for what was before. */
static void our_handler_is_not_what_was_before(void **state)
{
    struct seen seen = {.loop = open_loop()};
    struct sigaction saved;

    (void)state;
    caught = 0;
    signal(SIGUSR2, catch_signal);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    sigaction(SIGUSR2, NULL, &saved);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, NULL, NULL), 0);
    sigaction(SIGUSR2, &saved, NULL);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    close_loop(seen.loop);
    raise(SIGUSR2);
    assert_int_equal(caught, SIGUSR2);
}

/* Whoever has come behind the loop stays. */
static void a_handler_of_others_stays(void **state)
{
    struct seen seen = {.loop = open_loop()};

    (void)state;
    caught = 0;
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    signal(SIGUSR2, catch_signal);
    close_loop(seen.loop);
    raise(SIGUSR2);
    assert_int_equal(caught, SIGUSR2);
}

static struct sigaction chained;

static void catch_and_call(int signo)
{
    caught++;
    chained.sa_handler(signo);
}

/* Such a handler may call what it has found, which was ours, when the loop has gone, too; and may
 * be what the loop finds when it comes again. */
static void a_handler_of_others_may_call_ours(void **state)
{
    struct seen seen = {.loop = open_loop()};
    struct sigaction own = {.sa_handler = catch_and_call};

    (void)state;
    caught = 0;
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    sigaction(SIGUSR2, &own, &chained);
    raise(SIGUSR2);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, NULL, NULL), 0);
    raise(SIGUSR2);
    assert_int_equal(caught, 2);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    close_loop(seen.loop);
    raise(SIGUSR2);
    assert_int_equal(caught, 3);
    assert_int_equal(seen.count, 1);
}

static void it_can_be_begun_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct seen seen = {.loop = open_loop()};

        assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
        raise(SIGUSR1);
        turn(seen.loop);
        assert_int_equal(seen.count, 1);
        close_loop(seen.loop);
    }
}

static void what_is_no_signal(void **state)
{
    struct loop *loop = open_loop();

    (void)state;
    assert_int_equal(loop_signal(loop, 0, on_signal, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(loop_signal(loop, 1000, on_signal, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(loop_signal(loop, SIGKILL, on_signal, NULL), -1);
    assert_int_equal(errno, EINVAL);
    close_loop(loop);
}

/* A caught and blocked signal, and still the parent sees the death by it. */
static void dying_is_seen_by_the_parent(void **state)
{
    struct seen seen = {.loop = open_loop()};
    sigset_t mask;
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGTERM, on_signal, &seen), 0);
    child = fork();
    if (child == 0) {
        sigfillset(&mask);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        signal_die(SIGTERM);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    close_loop(seen.loop);
}

static void find_signals(void *context, const struct watch *watch)
{
    int *fd = context;

    if (watch->name && strcmp(watch->name, "signals") == 0)
        *fd = watch->fd;
}

static bool is_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    assert_true(poll(&readable, 1, 0) >= 0);
    return readable.revents == POLLIN;
}

/* For who stops the loop for a while and waits himself, and for who looks at what it watches. */
static void its_descriptor_can_be_waited_for(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int listed = -1;

    (void)state;
    assert_int_equal(loop_signals_fd(seen.loop), -1);
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    loop_each_watch(seen.loop, find_signals, &listed);
    assert_true(listed >= 0);
    assert_int_equal(loop_signals_fd(seen.loop), listed);
    assert_false(is_readable(listed));
    raise(SIGUSR1);
    assert_true(is_readable(listed));
    loop_signals_tell(seen.loop);
    assert_int_equal(seen.count, 1);
    assert_false(is_readable(listed));
    loop_signals_fini(seen.loop);
    assert_int_equal(loop_signals_fd(seen.loop), -1);
    close_loop(seen.loop);
}

/* ---- several loops ---- */

static void has_nothing(int signo)
{
    struct sigaction now;

    assert_int_equal(sigaction(signo, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

static void a_signal_is_of_one_loop(void **state)
{
    struct seen first = {.loop = open_loop()};
    struct seen second = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(first.loop, SIGUSR1, on_signal, &first), 0);
    assert_int_equal(loop_signal(second.loop, SIGUSR1, on_signal, &second), -1);
    assert_int_equal(errno, EBUSY);
    assert_int_equal(loop_signals_fd(second.loop), -1);
    assert_int_equal(loop_signal(second.loop, SIGUSR1, NULL, NULL), -1);
    assert_int_equal(errno, EBUSY);
    assert_int_equal(loop_signal(second.loop, SIGUSR2, on_signal, &second), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    turn(first.loop);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.signos[0], SIGUSR1);
    assert_int_equal(second.count, 0);
    turn(second.loop);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.signos[0], SIGUSR2);
    close_loop(first.loop);
    assert_int_equal(loop_signal(second.loop, SIGUSR1, on_signal, &second), 0);
    raise(SIGUSR1);
    turn(second.loop);
    assert_int_equal(second.count, 2);
    close_loop(second.loop);
    has_nothing(SIGUSR1);
    has_nothing(SIGUSR2);
}

static void one_is_given_back_by_itself(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int descriptors = kit_descriptors(getpid());

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, NULL, NULL), 0); /* nobody has it */
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, on_signal, &seen), 0);
    raise(SIGUSR1); /* and what it was not told of yet is never told */
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, NULL, NULL), 0);
    has_nothing(SIGUSR1);
    raise(SIGUSR2);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.signos[0], SIGUSR2);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, NULL, NULL), 0);
    has_nothing(SIGUSR2);
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    close_loop(seen.loop);
}

static void give_back(void *owner, int signo)
{
    struct seen *seen = owner;

    seen->signos[seen->count++] = signo;
    loop_signals_fini(seen->loop);
}

static void what_is_called_may_give_back(void **state)
{
    struct seen seen = {.loop = open_loop()};

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, give_back, &seen), 0);
    assert_int_equal(loop_signal(seen.loop, SIGUSR2, give_back, &seen), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    has_nothing(SIGUSR1);
    has_nothing(SIGUSR2);
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, give_back, &seen), 0);
    raise(SIGUSR1);
    turn(seen.loop);
    assert_int_equal(seen.count, 2);
    close_loop(seen.loop);
}

static void real_time_signals_are_told(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int signos[] = {SIGRTMIN, SIGRTMAX - 1}; /* valgrind keeps the last one */

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_signal(seen.loop, signos[i], on_signal, &seen), 0);
        if (raise(signos[i]) != 0 || raise(signos[i]) != 0)
            kit_skip("this user has no room for more real-time signals now");
        turn(seen.loop);
        assert_int_equal(seen.count, i + 1);
        assert_int_equal(seen.signos[i], signos[i]);
    }
    close_loop(seen.loop);
}

/* ---- behind fork(2) ---- */

static void end_by(struct loop *loop, int signo)
{
    (void)loop;
    raise(signo);
    _exit(1);
}

/* Runs BODY in a child and returns what waitpid(2) says of it. */
static int in_child(struct loop *loop, int signo, void (*body)(struct loop *loop, int signo))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        alarm((unsigned)(KIT_DEADLINE_NS / CLOCK_SECOND));
        body(loop, signo);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* SIGTERM ends it, as if nobody had caught it, and the parent sees nothing in its pipe. */
static void a_child_of_fork_has_not_caught_it(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int status;

    (void)state;
    signal(SIGUSR1, catch_signal);
    assert_int_equal(loop_signal(seen.loop, SIGTERM, on_signal, &seen), 0);
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    status = in_child(seen.loop, SIGTERM, end_by);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    status = in_child(seen.loop, SIGUSR1, end_by); /* the test's own handler returns */
    assert_true(WIFEXITED(status));
    assert_false(is_readable(loop_signals_fd(seen.loop)));
    raise(SIGTERM);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    close_loop(seen.loop);
}

static void have_own_loop(struct loop *loop, int signo)
{
    struct seen seen = {.loop = loop_new(poller_open(NULL))};

    if (loop_signal(seen.loop, signo, on_signal, &seen) < 0)
        _exit(2);
    raise(signo);
    if (loop_turn(seen.loop) < 0 || seen.count != 1)
        _exit(3);
    loop_free(seen.loop);
    loop_free(loop);
    raise(signo);
    _exit(4);
}

/* The child frees its copy of the parent's loop, too, of which the parent notices nothing. */
static void a_child_of_fork_may_have_its_own(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int status;

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGTERM, on_signal, &seen), 0);
    status = in_child(seen.loop, SIGTERM, have_own_loop);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_false(is_readable(loop_signals_fd(seen.loop)));
    raise(SIGTERM);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    close_loop(seen.loop);
}

static void end_by_own_handler(int signo)
{
    (void)signo;
    _exit(7);
}

/* With SIGTERM of its own the child comes to have a loop, or frees the parent's. */
static void have_own_handler(struct loop *loop, int signo)
{
    struct seen seen = {.loop = loop_new(poller_open(NULL))};

    signal(signo, end_by_own_handler);
    if (loop_signal(seen.loop, SIGUSR2, on_signal, &seen) < 0)
        _exit(2);
    loop_free(seen.loop);
    loop_free(loop);
    raise(signo);
    _exit(3);
}

static void free_behind_own_handler(struct loop *loop, int signo)
{
    signal(signo, end_by_own_handler);
    loop_free(loop);
    raise(signo);
    _exit(3);
}

static void a_handler_of_a_child_stays(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int status;

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGTERM, on_signal, &seen), 0);
    status = in_child(seen.loop, SIGTERM, have_own_handler);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    status = in_child(seen.loop, SIGTERM, free_behind_own_handler);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    close_loop(seen.loop);
}

/* ---- in other threads ---- */

static atomic_bool is_over;

static void *raise_on_and_on(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over))
        raise(SIGUSR1);
    return NULL;
}

/* The handler runs in a thread that has nothing to do with the loop, at every moment of its coming
 * and going; what it did before is to be ignored, or the process would end. */
static void another_thread_is_interrupted(void **state)
{
    struct seen seen = {.loop = NULL};
    pthread_t threads[2];

    (void)state;
    signal(SIGUSR1, SIG_IGN);
    atomic_store(&is_over, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, raise_on_and_on, NULL), 0);
    for (int i = 0; i < 200; i++) {
        int ends[2];

        seen.loop = open_loop();
        seen.count = 0;
        assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
        turn(seen.loop);
        assert_int_equal(seen.count, 1);
        close_loop(seen.loop);
        assert_int_equal(pipe(ends), 0); /* has the numbers of the loop's */
        assert_false(is_readable(ends[0]));
        close(ends[0]);
        close(ends[1]);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void it_outlasts_the_poller(void **state)
{
    struct seen seen = {.loop = open_loop()};
    int refused = -1;

    (void)state;
    assert_int_equal(loop_signal(seen.loop, SIGUSR1, on_signal, &seen), 0);
    raise(SIGUSR1);
    assert_int_equal(loop_use(seen.loop, poller_open("select"), &refused), 0);
    turn(seen.loop);
    assert_int_equal(seen.count, 1);
    raise(SIGUSR1);
    turn(seen.loop);
    assert_int_equal(seen.count, 2);
    close_loop(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_ends_a_wait, forget_signals),
        cmocka_unit_test_teardown(many_are_one, forget_signals),
        cmocka_unit_test_teardown(it_is_told_without_a_turn, forget_signals),
        cmocka_unit_test_teardown(what_is_forgotten_is_not_told, forget_signals),
        cmocka_unit_test_teardown(each_kind_is_told, forget_signals),
        cmocka_unit_test_teardown(errno_survives, forget_signals),
        cmocka_unit_test_teardown(what_was_is_given_back, forget_signals),
        cmocka_unit_test_teardown(our_handler_may_be_put_back_late, forget_signals),
        cmocka_unit_test_teardown(our_handler_is_not_what_was_before, forget_signals),
        cmocka_unit_test_teardown(a_handler_of_others_stays, forget_signals),
        cmocka_unit_test_teardown(a_handler_of_others_may_call_ours, forget_signals),
        cmocka_unit_test_teardown(it_can_be_begun_again, forget_signals),
        cmocka_unit_test_teardown(what_is_no_signal, forget_signals),
        cmocka_unit_test_teardown(its_descriptor_can_be_waited_for, forget_signals),
        cmocka_unit_test_teardown(it_outlasts_the_poller, forget_signals),
        cmocka_unit_test_teardown(a_signal_is_of_one_loop, forget_signals),
        cmocka_unit_test_teardown(one_is_given_back_by_itself, forget_signals),
        cmocka_unit_test_teardown(what_is_called_may_give_back, forget_signals),
        cmocka_unit_test_teardown(real_time_signals_are_told, forget_signals),
        cmocka_unit_test_teardown(a_child_of_fork_has_not_caught_it, forget_signals),
        cmocka_unit_test_teardown(a_child_of_fork_may_have_its_own, forget_signals),
        cmocka_unit_test_teardown(a_handler_of_a_child_stays, forget_signals),
        cmocka_unit_test_teardown(another_thread_is_interrupted, forget_signals),
        cmocka_unit_test_teardown(dying_is_seen_by_the_parent, forget_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
