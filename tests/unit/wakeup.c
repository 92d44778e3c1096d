/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words to a real loop from a real thread and from a real signal handler.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "kit/kit.h"
#include "pollspin/loop.h"
#include "unit/turns.h"

struct receiver {
    struct loop *loop;
    struct wakeup wakeup;
    int calls;
    bool sends_again;
};

static void on_wakeup(void *owner)
{
    struct receiver *receiver = owner;

    receiver->calls++;
    if (receiver->sends_again)
        wakeup_send(&receiver->wakeup);
    receiver->sends_again = false;
}

static void receiver_start(struct receiver *receiver, const char *backend)
{
    *receiver = (struct receiver){.loop = turns_new(backend)};
    wakeup_init(&receiver->wakeup, on_wakeup, receiver);
    assert_int_equal(wakeup_start(&receiver->wakeup, receiver->loop), 0);
    assert_int_equal(turns_watches(receiver->loop, "wakeup"), 1);
}

static void receiver_stop(struct receiver *receiver)
{
    wakeup_stop(&receiver->wakeup);
    loop_free(receiver->loop);
}

static void many_words_are_one_call(void **state)
{
    struct receiver receiver;

    (void)state;
    receiver_start(&receiver, NULL);
    for (int i = 0; i < 3000; i++)
        wakeup_send(&receiver.wakeup);
    assert_int_equal(loop_turn(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    assert_int_equal(loop_look(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    receiver.sends_again = true;
    wakeup_send(&receiver.wakeup);
    assert_int_equal(loop_turn(receiver.loop), 0);
    assert_int_equal(receiver.calls, 2);
    assert_int_equal(loop_turn(receiver.loop), 0); /* what it sent itself */
    assert_int_equal(receiver.calls, 3);
    receiver_stop(&receiver);
}

/* More than any pipe holds: nobody waits, errno is what it was, and the call comes. */
static void a_full_pipe_is_a_word_too(void **state)
{
    struct receiver receiver;

    (void)state;
    receiver_start(&receiver, NULL);
    errno = EDOM;
    for (int i = 0; i < 300000; i++)
        wakeup_send(&receiver.wakeup);
    assert_int_equal(errno, EDOM);
    assert_int_equal(loop_turn(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    assert_int_equal(loop_look(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    receiver_stop(&receiver);
}

/* ---- a thread ---- */

enum { WORDS = 20000 };

struct sender {
    struct receiver *receiver;
    atomic_int made;
    int seen; /* of them, when on_wakeup was last called */
};

static void *send_words(void *owner)
{
    struct sender *sender = owner;

    for (int i = 0; i < WORDS; i++) {
        atomic_fetch_add(&sender->made, 1);
        wakeup_send(&sender->receiver->wakeup);
    }
    return NULL;
}

static void on_word(void *owner)
{
    struct sender *sender = owner;

    sender->receiver->calls++;
    sender->seen = atomic_load(&sender->made);
}

/* The last word is never lost, or this waits for ever; a wait is ended by a word. */
static void assert_thread_is_heard(const char *backend)
{
    struct receiver receiver;
    struct sender sender = {.receiver = &receiver};
    pthread_t thread;

    receiver_start(&receiver, backend);
    receiver.wakeup.on_wakeup = on_word;
    receiver.wakeup.owner = &sender;
    assert_int_equal(pthread_create(&thread, NULL, send_words, &sender), 0);
    turns_until(receiver.loop, sender.seen == WORDS);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(receiver.calls, 1, WORDS + 1);
    receiver_stop(&receiver);
}

/* valgrind runs one thread at a time, and does not know that io_uring_enter(2) waits: the sender
 * would not come to its turn. */
static bool can_have_threads(const char *backend)
{
    return !kit_is_instrumented() || strcmp(backend, "uring") != 0;
}

static void a_thread_is_heard(void **state)
{
    struct poller_info info;

    (void)state;
    for (size_t i = 0; poller_list(i, &info) == 0; i++) {
        bool is_tried = !info.missing && !info.is_lesson && can_have_threads(info.name);

        print_message("%s: %s\n", info.name, is_tried ? "heard" : "left out here");
        if (is_tried)
            assert_thread_is_heard(info.name);
    }
}

/* ---- a signal handler ---- */

static struct wakeup *signalled;

static void on_signal(int signo)
{
    (void)signo;
    wakeup_send(signalled);
}

static void *send_signals(void *owner)
{
    pthread_t *target = owner;

    for (int i = 0; i < 100; i++)
        pthread_kill(*target, SIGUSR1);
    return NULL;
}

static void a_signal_handler_is_heard(void **state)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    struct receiver receiver;
    pthread_t self = pthread_self();
    pthread_t thread;

    (void)state;
    receiver_start(&receiver, NULL);
    signalled = &receiver.wakeup;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    assert_int_equal(loop_turn(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    assert_int_equal(pthread_create(&thread, NULL, send_signals, &self), 0);
    assert_int_equal(loop_turn(receiver.loop), 0); /* in the wait, as a rule */
    assert_int_equal(receiver.calls, 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    receiver_stop(&receiver);
}

static volatile sig_atomic_t heard;

static void on_alarm(int signo)
{
    heard++;
    on_signal(signo);
}

/* At every moment of the start and the stop, and SIGPIPE, which would end this, never comes. */
static void a_signal_handler_may_send_meanwhile(void **state)
{
    enum { SIGNALS = 500 };
    struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
    struct itimerval never = {.it_value.tv_usec = 0};
    struct sigaction action = {.sa_handler = on_alarm};
    struct receiver receiver;

    (void)state;
    receiver_start(&receiver, "poll");
    signalled = &receiver.wakeup;
    heard = 0;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (heard < SIGNALS) {
        wakeup_stop(&receiver.wakeup);
        assert_int_equal(wakeup_start(&receiver.wakeup, receiver.loop), 0);
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    signal(SIGALRM, SIG_IGN); /* valgrind has kept one that came before */
    receiver_stop(&receiver);
}

/* ---- start and stop ---- */

static void stop_own(void *owner)
{
    struct receiver *receiver = owner;

    receiver->calls++;
    wakeup_stop(&receiver->wakeup);
}

static void it_stops_and_starts_again(void **state)
{
    struct receiver receiver;
    int before = kit_descriptors(getpid());

    (void)state;
    receiver_start(&receiver, NULL);
    wakeup_send(&receiver.wakeup);
    wakeup_stop(&receiver.wakeup);
    wakeup_stop(&receiver.wakeup);
    wakeup_send(&receiver.wakeup);
    assert_int_equal(receiver.wakeup.write_fd, -1);
    assert_int_equal(loop_look(receiver.loop), 0);
    assert_int_equal(receiver.calls, 0);
    assert_int_equal(wakeup_start(&receiver.wakeup, receiver.loop), 0);
    assert_int_equal(fcntl(receiver.wakeup.write_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(receiver.wakeup.watch.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(loop_look(receiver.loop), 0); /* the old word is gone with the old pipe */
    assert_int_equal(receiver.calls, 0);
    receiver.wakeup.on_wakeup = stop_own;
    wakeup_send(&receiver.wakeup);
    assert_int_equal(loop_turn(receiver.loop), 0);
    assert_int_equal(receiver.calls, 1);
    receiver_stop(&receiver);
    assert_int_equal(kit_descriptors(getpid()), before);
}

/* First no pipe at all, then a pipe that no select(2) can hold. */
static void a_start_that_fails(void **state)
{
    struct receiver receiver = {.loop = turns_new("select")};
    int before = kit_descriptors(getpid());
    struct rlimit limit;
    struct rlimit none;
    int held[FD_SETSIZE];
    int count = 0;

    (void)state;
    wakeup_init(&receiver.wakeup, on_wakeup, &receiver);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(wakeup_start(&receiver.wakeup, receiver.loop), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = FD_SETSIZE + 64;
    if (limit.rlim_max < limit.rlim_cur || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        kit_skip("the limit of open descriptors is too low");
    while (count < FD_SETSIZE && (held[count] = dup(0)) < FD_SETSIZE)
        count++;
    assert_int_equal(wakeup_start(&receiver.wakeup, receiver.loop), -1);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(receiver.wakeup.write_fd, -1);
    assert_false(watch_is_started(&receiver.wakeup.watch));
    for (; count >= 0; count--)
        close(held[count]);
    assert_int_equal(kit_descriptors(getpid()), before);
    receiver_stop(&receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_words_are_one_call),
        cmocka_unit_test(a_full_pipe_is_a_word_too),
        cmocka_unit_test(a_thread_is_heard),
        cmocka_unit_test(a_signal_handler_is_heard),
        cmocka_unit_test(a_signal_handler_may_send_meanwhile),
        cmocka_unit_test(it_stops_and_starts_again),
        cmocka_unit_test(a_start_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
