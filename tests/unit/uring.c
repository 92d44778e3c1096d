/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is uring's own: rings that have an end, threads that take their polls with them, and answers
 * of the kernel that are rare. Those are written into the ring by the test, which stands between
 * the backend and the kernel (ld(1), --wrap).
 */
#include "config.h"

#include "kit/kit.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "poller/backend.h"
#include "pollspin/poller.h"

enum { FIRST = 100, MANY = 600 }; /* more than either ring holds */

static struct io_uring *ring;
static unsigned hidden; /* features that the kernel does not have */
static int refusal;     /* what the next call fails with; 0: with nothing */
static void (*behind)(void);

static struct poller *poller;
static int ends[2];
static int event_fd;

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *of,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *of,
                                      struct io_uring_params *params);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *of,
                                      struct io_uring_params *params)
{
    int result = __real_io_uring_queue_init_params(entries, of, params);

    ring = of;
    ring->features &= ~hidden;
    params->features &= ~hidden;
    return result;
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    void (*now)(void) = behind;
    long result;

    errno = refusal;
    refusal = 0;
    if (errno != 0)
        return -1;
    result = __real_syscall(number, a, b, c, d, e, f);
    behind = NULL;
    if (now)
        now();
    return result;
}

static int begin(void **state)
{
    (void)state;
    hidden = 0;
    refusal = 0;
    behind = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    event_fd = eventfd(0, EFD_NONBLOCK);
    assert_true(event_fd >= 0);
    return 0;
}

static int end(void **state)
{
    poller_close(poller);
    poller = NULL;
    close(ends[0]);
    close(ends[1]);
    close(event_fd);
    return kit_cleanup(state);
}

static void open_one(void)
{
    poller = poller_open("uring");
    if (!poller)
        kit_skip("the kernel, or who rules it, refuses io_uring");
}

static void add(int fd, unsigned want)
{
    assert_int_equal(poller_add(poller, fd, want, NULL), 0);
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void assert_quiet(void)
{
    struct poller_event event;

    assert_int_equal(poller_wait(poller, &event, 1, 0), 0);
}

static void assert_ready(int fd, unsigned ready)
{
    struct poller_event event;

    assert_int_equal(poller_wait(poller, &event, 1, KIT_DEADLINE_NS), 1);
    assert_int_equal(event.fd, fd);
    assert_int_equal(event.ready, ready);
}

/* ---- answers, written in place of the latest one ---- */

/* The latest answer of the kernel. */
static struct io_uring_cqe *last_answer(void)
{
    unsigned tail = *ring->cq.ktail;

    assert_true(tail != *ring->cq.khead);
    return &ring->cq.cqes[(tail - 1) & (*ring->cq.kring_entries - 1)];
}

static const struct io_uring_sqe *last_request(void)
{
    return &ring->sq.sqes[(*ring->sq.ktail - 1) & (*ring->sq.kring_entries - 1)];
}

static void write_more(void)
{
    put(ends[1]);
}

static void say_einval(void)
{
    last_answer()->res = -EINVAL;
}

static void say_enomem(void)
{
    last_answer()->res = -ENOMEM;
}

static void say_ecanceled(void)
{
    last_answer()->res = -ECANCELED;
}

/* What a socket says when it wakes whoever polls it, whatever has come. */
static void say_a_word(void)
{
    last_answer()->res = POLLRDBAND;
}

/* As of a child of fork(2), which has the ring, too, and other descriptors. */
static void say_what_another_asked(void)
{
    last_answer()->user_data = INT_MAX;
}

/* A poll of many shots that has come to its end. */
static void say_the_end(void)
{
    last_answer()->flags &= ~(unsigned)IORING_CQE_F_MORE;
}

static void say_the_end_and_close(void)
{
    say_the_end();
    close(ends[0]);
}

static void fill(void)
{
    static const char bytes[4096];

    while (write(ends[0], bytes, sizeof bytes) > 0)
        continue;
}

static void read_all(void)
{
    char bytes[4096];

    while (read(ends[1], bytes, sizeof bytes) > 0)
        continue;
}

/* ---- more than the rings hold ---- */

/* All of them are one eventfd: one write makes all of them ready. */
static void add_many(unsigned want)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < FIRST + MANY)
        kit_skip("this needs 700 descriptors");
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(dup2(event_fd, FIRST + i), FIRST + i);
        add(FIRST + i, want);
    }
}

static void close_many(void)
{
    for (int i = 0; i < MANY; i++)
        close(FIRST + i);
}

/* Waits with room for MAX events until each of the many was reported once. */
static void collect_many(int max)
{
    static struct poller_event events[MANY];
    static bool seen[MANY];
    int left = MANY;

    for (int i = 0; i < MANY; i++)
        seen[i] = false;
    while (left > 0) {
        int n = poller_wait(poller, events, max, KIT_DEADLINE_NS);

        assert_in_range(n, 1, max);
        for (int i = 0; i < n; i++) {
            assert_in_range(events[i].fd, FIRST, FIRST + MANY - 1);
            assert_int_equal(events[i].ready, POLLER_IN);
            assert_false(seen[events[i].fd - FIRST]);
            seen[events[i].fd - FIRST] = true;
            left--;
        }
    }
}

static void many_at_once(void **state)
{
    static struct poller_event events[MANY];

    (void)state;
    open_one();
    add_many(POLLER_IN);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    assert_int_equal(eventfd_write(event_fd, 1), 0);
    assert_int_equal(poller_wait(poller, events, MANY, 0), MANY);
    collect_many(MANY);
    collect_many(50);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(poller_remove(poller, FIRST + i), 0);
    assert_quiet();
    close_many();
}

/* What came in and does not hold any more is not told, be it in the ring or still outside. */
static void many_that_are_out_of_date(void **state)
{
    static struct poller_event events[MANY];
    eventfd_t value;

    (void)state;
    open_one();
    add_many(POLLER_IN);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    assert_int_equal(eventfd_write(event_fd, 1), 0);
    assert_int_equal(eventfd_read(event_fd, &value), 0);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    close_many();
}

/* Where the ring is full the kernel may end polls of many shots. */
static void many_edges_at_once(void **state)
{
    static const int refusals[] = {0, 0, EBADR, EINTR};
    static struct poller_event events[MANY];

    (void)state;
    open_one();
    add_many(POLLER_IN | POLLER_EDGE);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(eventfd_write(event_fd, 1), 0);
        behind = i == 1 ? say_the_end : NULL;
        refusal = refusals[i];
        collect_many(MANY);
        assert_int_equal(refusal, 0);
        assert_null(behind);
    }
    poller_close(poller); /* with more to cancel than the ring takes at once */
    poller = NULL;
    close_many();
}

/* A poll holds the open file: when all of them are cancelled the other end sees it closed. */
static void many_that_are_cancelled(void **state)
{
    static struct poller_event events[MANY];
    char byte;

    (void)state;
    open_one();
    close(event_fd);
    event_fd = ends[0];
    add_many(POLLER_IN);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    poller_close(poller);
    poller = NULL;
    close_many();
    event_fd = dup(ends[1]);
    close(ends[0]);
    ends[0] = dup(ends[1]);
    assert_int_equal(read(ends[1], &byte, 1), 0);
}

/* The ring is full, and the kernel takes nothing: the polls end with the ring itself. */
static void many_that_cannot_be_cancelled(void **state)
{
    static struct poller_event events[MANY];

    (void)state;
    open_one();
    add_many(POLLER_IN);
    assert_int_equal(poller_wait(poller, events, MANY, 0), 0);
    refusal = EBUSY;
    poller_close(poller);
    assert_int_equal(refusal, 0);
    poller = NULL;
    close_many();
}

/* One answer that has to be asked for again, while so many are still to be asked for the first
 * time.
 */
static void many_behind_one(void **state)
{
    static struct poller_event events[MANY];

    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    add_many(POLLER_IN);
    put(ends[1]);
    behind = say_ecanceled;
    assert_int_equal(poller_wait(poller, events, MANY, KIT_DEADLINE_NS), 1);
    assert_null(behind);
    assert_int_equal(events[0].fd, ends[0]);
    close_many();
}

/* ---- for whom the ring is one descriptor among others ---- */

static bool ring_is_ready(void)
{
    struct pollfd pfd = {.fd = ring->ring_fd, .events = POLLIN};
    int n = poll(&pfd, 1, 0);

    assert_in_range(n, 0, 1);
    return n;
}

static void who_waits_for_the_ring_hears_at_once(void **state)
{
    (void)state;
    open_one();
    assert_int_equal(poller_fd(poller), ring->ring_fd);
    add(ends[0], POLLER_IN);
    assert_false(ring_is_ready());
    put(ends[1]);
    assert_true(ring_is_ready());
    assert_ready(ends[0], POLLER_IN);
    assert_true(ring_is_ready()); /* it is not read yet */
}

static void more_than_the_ring_takes_at_once(void **state)
{
    (void)state;
    open_one();
    add_many(POLLER_IN);
    assert_int_equal(poller_fd(poller), ring->ring_fd);
    assert_int_equal(eventfd_write(event_fd, 1), 0);
    assert_true(ring_is_ready());
    collect_many(MANY);
    close_many();
}

static void a_ring_that_takes_nothing(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    refusal = EAGAIN;
    assert_int_equal(poller_fd(poller), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(poller_fd(poller), ring->ring_fd);
    put(ends[1]);
    assert_ready(ends[0], POLLER_IN);
}

/* ---- threads ---- */

static void *wait_in_thread(void *context)
{
    struct poller_event event;

    return poller_wait(poller, &event, 1, 0) == 0 ? context : NULL;
}

/* The kernel cancels what a thread has asked for when that ends. */
static void a_thread_that_ended(void **state)
{
    pthread_t thread;
    void *result;

    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, poller), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, poller);
    assert_quiet();
    put(ends[1]);
    assert_ready(ends[0], POLLER_IN);
}

/* ---- rare answers ---- */

static void show(void *context, const struct poller_call *call)
{
    poller_call_text(call, context, 512);
}

/* It was asked by an earlier call: this one hands over nothing, and brings the answer. */
static void an_answer_to_an_earlier_call(void **state)
{
    char text[512], expected[100];
    struct poller_event event;

    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    assert_quiet();
    poller_observe(poller, show, text);
    behind = write_more;
    assert_int_equal(poller_wait(poller, &event, 1, 0), 1);
    snprintf(expected, sizeof expected, "/* SQ [], CQ [{fd=%d, revents=POLLIN}] */", ends[0]);
    assert_non_null(strstr(text, expected));
}

static void two_words_are_one_event(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN | POLLER_OUT | POLLER_EDGE);
    behind = write_more;
    assert_ready(ends[0], POLLER_IN | POLLER_OUT);
    assert_quiet();
}

static void an_answer_that_is_an_error(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    put(ends[1]);
    behind = say_enomem;
    assert_ready(ends[0], POLLER_ERR);
    assert_ready(ends[0], POLLER_IN);
    behind = say_einval;
    assert_ready(ends[0], POLLER_ERR);
    assert_ready(ends[0], POLLER_IN);
}

/* Neither room nor data is wanted, so that the kernel cannot wait: nothing is told. */
static void an_answer_that_is_a_refusal(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_RDHUP);
    shutdown(ends[1], SHUT_WR);
    behind = say_einval;
    assert_quiet();
    assert_null(behind);
    assert_int_equal(poller_modify(poller, ends[0], POLLER_RDHUP, NULL), 0);
    assert_ready(ends[0], POLLER_RDHUP);
}

/* The kernel had no memory for all that was done: everything is asked anew. */
static void answers_that_are_lost(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    add(ends[1], POLLER_IN);
    assert_quiet();
    put(ends[1]);
    refusal = EBADR;
    assert_ready(ends[0], POLLER_IN);
    assert_int_equal(refusal, 0);
}

/* RDHUP is told unasked, so a poll of many shots has taken the place of that of one: it is to be
 * cancelled when it has told what was asked. */
static void one_shot_after_an_unwanted_word(void **state)
{
    struct poller_event event;

    (void)state;
    open_one();
    fill();
    add(ends[0], POLLER_OUT | POLLER_ONESHOT);
    assert_quiet();
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_quiet();
    behind = read_all;
    assert_int_equal(poller_wait(poller, &event, 1, 0), 1);
    assert_int_equal(event.ready, POLLER_OUT);
    fill();
    read_all();
    assert_quiet();
    assert_int_equal(poller_modify(poller, ends[0], POLLER_OUT, NULL), 0);
    assert_ready(ends[0], POLLER_OUT);
}

/* Neither data nor anything else is behind it. */
static void a_word_and_nothing_else(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN | POLLER_PRI);
    put(ends[1]);
    behind = say_a_word;
    assert_ready(ends[0], POLLER_IN);
    assert_null(behind);
}

static void a_word_for_another_process(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN);
    put(ends[1]);
    behind = say_what_another_asked;
    assert_quiet();
    assert_null(behind);
    assert_int_equal(poller_modify(poller, ends[0], POLLER_IN, NULL), 0);
    assert_ready(ends[0], POLLER_IN);
}

static void an_edge_that_the_kernel_has_ended(void **state)
{
    (void)state;
    open_one();
    add(ends[0], POLLER_IN | POLLER_EDGE);
    put(ends[1]);
    behind = say_the_end;
    assert_ready(ends[0], POLLER_IN);
    behind = say_the_end_and_close;
    put(ends[1]);
    assert_ready(ends[0], POLLER_IN);
    assert_null(behind);
    assert_ready(ends[0], POLLER_INVALID);
    ends[0] = dup(ends[1]);
}

/* An edge of what never changes is told once, be it a file, a folder or a device. */
static void an_edge_of_what_never_changes(void **state)
{
    static const char *const paths[] = {"/proc/self/exe", "/", "/dev/null"};

    (void)state;
    open_one();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = open(paths[i], O_RDONLY);

        assert_true(fd >= 0);
        add(fd, POLLER_IN | POLLER_EDGE);
        assert_ready(fd, POLLER_IN);
        assert_quiet();
        assert_int_equal(poller_modify(poller, fd, POLLER_IN | POLLER_EDGE, NULL), 0);
        assert_ready(fd, POLLER_IN);
        assert_int_equal(poller_remove(poller, fd), 0);
        close(fd);
    }
}

/* ---- older kernels ---- */

/* Then a cancellation has a word of its own. */
static void a_kernel_that_cannot_skip(void **state)
{
    (void)state;
    hidden = IORING_FEAT_CQE_SKIP;
    open_one();
    add(ends[0], POLLER_IN);
    assert_quiet();
    assert_int_equal(poller_remove(poller, ends[0]), 0);
    assert_int_not_equal(last_request()->opcode, IORING_OP_POLL_ADD);
    assert_false(last_request()->flags & IOSQE_CQE_SKIP_SUCCESS);
    put(ends[1]);
    add(ends[1], POLLER_IN | POLLER_OUT);
    assert_ready(ends[1], POLLER_OUT);
    assert_int_equal(poller_modify(poller, ends[1], POLLER_IN, NULL), 0);
    assert_quiet();
    put(ends[0]);
    assert_ready(ends[1], POLLER_IN);
}

static void a_kernel_that_is_too_old(void **state)
{
    int descriptors = kit_descriptors(getpid());

    (void)state;
    hidden = IORING_FEAT_EXT_ARG;
    poller = poller_open("uring");
    assert_null(poller);
    if (errno != ENOSYS)
        kit_skip("the kernel, or who rules it, refuses io_uring");
    assert_int_equal(kit_descriptors(getpid()), descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_at_once, begin, end),
        cmocka_unit_test_setup_teardown(many_edges_at_once, begin, end),
        cmocka_unit_test_setup_teardown(many_that_are_out_of_date, begin, end),
        cmocka_unit_test_setup_teardown(many_that_are_cancelled, begin, end),
        cmocka_unit_test_setup_teardown(many_that_cannot_be_cancelled, begin, end),
        cmocka_unit_test_setup_teardown(many_behind_one, begin, end),
        cmocka_unit_test_setup_teardown(who_waits_for_the_ring_hears_at_once, begin, end),
        cmocka_unit_test_setup_teardown(more_than_the_ring_takes_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_ring_that_takes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_thread_that_ended, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_to_an_earlier_call, begin, end),
        cmocka_unit_test_setup_teardown(two_words_are_one_event, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_that_is_an_error, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_that_is_a_refusal, begin, end),
        cmocka_unit_test_setup_teardown(answers_that_are_lost, begin, end),
        cmocka_unit_test_setup_teardown(one_shot_after_an_unwanted_word, begin, end),
        cmocka_unit_test_setup_teardown(a_word_and_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(a_word_for_another_process, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_that_the_kernel_has_ended, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_of_what_never_changes, begin, end),
        cmocka_unit_test_setup_teardown(a_kernel_that_cannot_skip, begin, end),
        cmocka_unit_test_setup_teardown(a_kernel_that_is_too_old, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void not_here(void **state)
{
    (void)state;
    kit_skip("io_uring is Linux's own, and used with liburing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_here)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
