/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to a poller once in a year: descriptors with huge numbers, no /proc, a disk error in
 * it, somebody else who takes a signal at the same moment, signals that the program sends itself.
 * Where the system does not do so on demand, the test stands in between (ld(1), --wrap).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif

#include "base/clock.h"
#include "kit/kit.h"
#include "poller/backend.h"
#include "poller/names.h"
#include "pollspin/poller.h"

/* ---- what stands in between ---- */

static struct {
    int open_fd;              /* a number that seems to be open; -1: none */
    size_t largest;           /* memory that was asked for; what is huge is refused */
    FILE *(*open_file)(void); /* in place of fopen */
    void (*behind)(void);     /* after the next sigaction */
} script = {.open_fd = -1};

int __real_fcntl(int fd, int what, long value);
int __wrap_fcntl(int fd, int what, long value);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __real_sigaction(int signo, const struct sigaction *now, struct sigaction *before);
int __wrap_sigaction(int signo, const struct sigaction *now, struct sigaction *before);

int __wrap_fcntl(int fd, int what, long value)
{
    return fd == script.open_fd ? 0 : __real_fcntl(fd, what, value);
}

void *__wrap_realloc(void *old, size_t size)
{
    if (size > script.largest)
        script.largest = size;
    if (size <= INT_MAX)
        return __real_realloc(old, size);
    errno = ENOMEM;
    return NULL;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return script.open_file ? script.open_file() : __real_fopen(path, mode);
}

int __wrap_sigaction(int signo, const struct sigaction *now, struct sigaction *before)
{
    void (*behind)(void) = script.behind;
    int result = __real_sigaction(signo, now, before);

    script.behind = NULL;
    if (behind)
        behind();
    return result;
}

/* ---- what the tests have in common ---- */

static struct poller *poller;
static int pipes[4][2];

/* What the observer saw since it was forgotten. */
static struct {
    char text[2048];
    int signals;
    void (*behind_poll)(void); /* after the next poll(2) */
} seen;

static int begin(void **state)
{
    (void)state;
    memset(&script, 0, sizeof script);
    memset(&seen, 0, sizeof seen);
    script.open_fd = -1;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pipe(pipes[i]), 0);
    return 0;
}

static int end(void **state)
{
    script.open_file = NULL;
    clock_use(NULL);
    poller_close(poller);
    poller = NULL;
    for (int i = 0; i < 8; i++)
        close(pipes[i / 2][i % 2]);
    return kit_cleanup(state);
}

static void observe(void *context, const struct poller_call *call)
{
    void (*behind)(void) = seen.behind_poll;
    size_t length = strlen(seen.text);

    (void)context;
    if (length < sizeof seen.text)
        poller_call_text(call, seen.text + length, sizeof seen.text - length);
    seen.signals += strcmp(call->name, "rt_sigtimedwait") == 0 && call->result > 0;
    if (behind && strcmp(call->name, "poll") == 0) {
        seen.behind_poll = NULL;
        behind();
    }
}

static void forget(void)
{
    memset(&seen, 0, sizeof seen);
}

static void open_one(const char *backend)
{
    poller = poller_open(backend);
    assert_non_null(poller);
    poller_observe(poller, observe, NULL);
}

static void add(int fd, unsigned want)
{
    assert_int_equal(poller_add(poller, fd, want, NULL), 0);
}

static void touch(int i)
{
    assert_int_equal(write(pipes[i][1], "x", 1), 1);
}

static void drain(int i)
{
    char bytes[1024];

    assert_true(read(pipes[i][0], bytes, sizeof bytes) > 0);
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

/* ---- for every backend ---- */

static int plain_open(struct poller *of)
{
    (void)of;
    return 0;
}

static void plain_close(struct poller *of)
{
    (void)of;
}

static int plain_set(struct poller *of, int fd, unsigned was, unsigned want)
{
    (void)of;
    (void)fd;
    (void)was;
    (void)want;
    return 0;
}

static int plain_wait(struct poller *of, int64_t timeout_ns, struct poller_event *events, int max)
{
    (void)of;
    (void)timeout_ns;
    (void)events;
    (void)max;
    return 0;
}

/* One that can little, and holds few. */
static const struct poller_backend plain = {
    .name = "plain",
    .summary = "for a test",
    .supports = POLLER_IN,
    .unit_ns = 1,
    .limit = 100,
    .open = plain_open,
    .close = plain_close,
    .set = plain_set,
    .wait = plain_wait,
};

static void what_cannot_be_taken_in(void **state)
{
    (void)state;
    poller = poller_open_backend(&plain);
    assert_int_equal(backend_take_in(poller, pipes[0][0], POLLER_IN | POLLER_EDGE), -1);
    assert_int_equal(errno, ENOTSUP);
    assert_int_equal(backend_take_in(poller, 100, POLLER_IN), -1);
    assert_int_equal(errno, ERANGE);
    assert_null(backend_entry(poller, pipes[0][0]));
    assert_int_equal(backend_take_in(poller, pipes[0][0], POLLER_IN | BACKEND_ALWAYS), 0);
    assert_int_equal(poller_remove(poller, pipes[0][0]), 0);
}

static void what_a_poller_can_hold(void **state)
{
    char text[100];

    (void)state;
    poller = poller_open_backend(&plain);
    assert_int_equal(poller_can_hold(poller, 99), 1);
    assert_int_equal(poller_can_hold(poller, 100), 0);
    poller_explain(poller, 100, ERANGE, text, sizeof text);
    assert_string_equal(text, "plain holds descriptors 0 to 99 only, not 100");
    poller_close(poller);
    open_one("poll");
    assert_int_equal(poller_can_hold(poller, INT_MAX - 1), 1);
    poller_explain(poller, 7, ERANGE, text, sizeof text);
    assert_memory_equal(text, "poll: descriptor 7: ", 20);
    assert_string_equal(text + 20, strerror(ERANGE));
}

/* The table of descriptors doubles, but not beyond an int. */
static void the_largest_number(void **state)
{
    (void)state;
    open_one("poll");
    script.open_fd = INT_MAX - 1;
    assert_int_equal(poller_add(poller, INT_MAX - 1, POLLER_IN, NULL), -1);
    assert_int_equal(errno, ENOMEM);
    assert_true(script.largest == (size_t)INT_MAX * sizeof(struct poller_entry));
    add(pipes[0][0], POLLER_IN);
    touch(0);
    assert_ready(pipes[0][0], POLLER_IN);
}

static void names_of_nothing(void **state)
{
    static const struct name names[] = {{0, "NOTHING"}, {1, "ONE"}, {0, NULL}};
    char bytes[100];
    struct text text;

    (void)state;
    text_init(&text, bytes, sizeof bytes);
    names_add_flags(&text, names, 1);
    names_add_flags(&text, names, 0);
    names_add_result(&text, -1, 99999);
    assert_memory_equal(bytes, "ONE0 = -1 errno 99999 (", 23);
}

/* select(2) says EBADF of all of them; only one is meant. */
static void one_of_many_was_closed(void **state)
{
    int closed = dup(pipes[1][0]);

    (void)state;
    open_one("select");
    add(pipes[0][0], POLLER_IN);
    add(closed, POLLER_IN);
    add(pipes[2][0], POLLER_IN);
    close(closed);
    assert_ready(closed, POLLER_INVALID);
    assert_quiet();
    touch(2);
    assert_ready(pipes[2][0], POLLER_IN);
}

#ifdef __linux__

/* ---- epoll ---- */

/* One whose event comes although it was removed, and another that was closed unnoticed. */
static void closed_when_the_list_is_made_anew(void **state)
{
    int copies[2] = {dup(pipes[0][0]), dup(pipes[1][0])};

    (void)state;
    open_one("epoll");
    add(copies[0], POLLER_IN);
    add(copies[1], POLLER_IN);
    add(pipes[2][0], POLLER_IN);
    close(copies[0]);
    close(copies[1]);
    poller_remove(poller, copies[0]);
    touch(0);
    assert_quiet();
    assert_quiet();
    assert_non_null(strstr(seen.text, "epoll_create1(EPOLL_CLOEXEC) = "));
    touch(2);
    assert_ready(pipes[2][0], POLLER_IN);
}

static void put(int epfd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event), 0);
}

/* Copies keep the files open, so they are in the instance still: under numbers small and large. */
static void numbers_that_are_closed(void **state)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    int fds[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        fds[i] = fcntl(pipes[0][0], F_DUPFD, i < 3 ? 0 : 200);
        put(epfd, fds[i]);
    }
    put(epfd, pipes[1][0]);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    poller = poller_from_fd("epoll", epfd);
    assert_non_null(poller);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(poller_remove(poller, fds[i]), -1);
        assert_int_equal(errno, ENOENT);
    }
    touch(1);
    assert_ready(pipes[1][0], POLLER_IN);
}

static FILE *open_nothing(void)
{
    errno = ENOENT;
    return NULL;
}

static ssize_t read_badly(void *cookie, char *bytes, size_t n)
{
    (void)cookie;
    (void)bytes;
    (void)n;
    errno = EIO;
    return -1;
}

static FILE *open_badly(void)
{
    return fopencookie(&script, "r", (cookie_io_functions_t){.read = read_badly});
}

/* The instance is as it was afterwards. */
static void assert_not_adopted(FILE *(*open_file)(void), int error)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;

    put(epfd, pipes[0][0]);
    script.open_file = open_file;
    assert_null(poller_from_fd("epoll", epfd));
    assert_int_equal(errno, error);
    touch(0);
    assert_int_equal(epoll_wait(epfd, &event, 1, 0), 1);
    assert_int_equal(event.data.fd, pipes[0][0]);
    close(epfd);
}

static void adopted_without_proc(void **state)
{
    (void)state;
    assert_not_adopted(open_nothing, ENOTSUP);
}

static void adopted_from_a_broken_proc(void **state)
{
    (void)state;
    assert_not_adopted(open_badly, EIO);
}

/* ---- sigio ---- */

static int signal_of(int fd)
{
    return fcntl(fd, F_GETSIG);
}

static struct poller *other;

static void open_the_other(void)
{
    other = poller_open("sigio");
}

/* A poller in another thread takes the signal between our look at it and our taking it. */
static void two_take_the_same_signal(void **state)
{
    (void)state;
    script.behind = open_the_other;
    open_one("sigio");
    assert_non_null(other);
    add(pipes[0][0], POLLER_IN);
    assert_int_equal(poller_add(other, pipes[1][0], POLLER_IN, NULL), 0);
    assert_true(signal_of(pipes[0][0]) > SIGRTMIN);
    assert_true(signal_of(pipes[1][0]) > SIGRTMIN);
    assert_int_not_equal(signal_of(pipes[0][0]), signal_of(pipes[1][0]));
    poller_close(other);
}

static bool is_blocked(int signo)
{
    sigset_t mask;

    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, signo);
}

static void *open_in_thread(void *context)
{
    open_one("sigio");
    add(pipes[0][0], POLLER_IN);
    return context;
}

/* What another thread has blocked is not ours to unblock. */
static void closed_by_a_thread_that_never_waited(void **state)
{
    sigset_t set;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, open_in_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    poller_close(poller);
    poller = NULL;
    assert_false(fcntl(pipes[0][0], F_GETFL) & O_ASYNC);
    assert_true(is_blocked(SIGIO));
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}

/* So nothing becomes due. */
static int64_t no_time_passes(void)
{
    return CLOCK_SECOND;
}

static void a_datagram_to_itself(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);

    (void)state;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0) {
        close(fd);
        kit_skip("no IPv6 here");
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    clock_use(no_time_passes);
    open_one("sigio");
    add(fd, POLLER_IN);
    assert_quiet();
    forget();
    assert_quiet();
    assert_null(strstr(seen.text, "poll(")); /* it is left to its signal */
    assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, length), 1);
    assert_ready(fd, POLLER_IN);
    assert_int_equal(seen.signals, 1);
    assert_int_equal(poller_remove(poller, fd), 0);
    close(fd);
}

/* Nobody knows what it sends a signal for: it is looked at often. */
static void a_socket_of_another_kind(void **state)
{
    const struct nlmsghdr ask = {.nlmsg_len = sizeof ask, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

    (void)state;
    if (fd < 0)
        kit_skip("no netlink here");
    clock_use(no_time_passes);
    open_one("sigio");
    add(fd, POLLER_IN);
    assert_quiet();
    forget();
    assert_quiet();
    assert_non_null(strstr(seen.text, "poll("));
    assert_int_equal(send(fd, &ask, sizeof ask, 0), sizeof ask);
    assert_ready(fd, POLLER_IN);
    assert_int_equal(poller_remove(poller, fd), 0);
    close(fd);
}

/* Somebody has given the file another signal: from then on it is theirs, and looked at often. */
static void a_signal_that_was_changed(void **state)
{
    (void)state;
    open_one("sigio");
    add(pipes[0][0], POLLER_IN);
    assert_int_equal(fcntl(pipes[0][0], F_SETSIG, SIGURG), 0); /* ignored by default */
    assert_int_equal(poller_modify(poller, pipes[0][0], POLLER_IN, NULL), 0);
    assert_quiet();
    forget();
    touch(0);
    assert_ready(pipes[0][0], POLLER_IN);
    assert_int_equal(seen.signals, 0);
    assert_int_equal(poller_remove(poller, pipes[0][0]), 0);
    assert_int_equal(signal_of(pipes[0][0]), SIGURG);
}

static void *wait_in_thread(void *context)
{
    struct poller_event event;

    return poller_wait(poller, &event, 1, 0) == 0 ? context : NULL;
}

/* Of three, one sends no signal, and one was told by somebody else to be silent: that stays so. */
static void another_thread_takes_over(void **state)
{
    struct f_owner_ex before, owner;
    int silent = eventfd(0, 0);
    pthread_t thread;
    void *result;

    (void)state;
    open_one("sigio");
    add(silent, POLLER_IN);
    add(pipes[0][0], POLLER_IN);
    add(pipes[1][0], POLLER_IN);
    assert_int_equal(fcntl(pipes[0][0], F_SETFL, 0), 0);
    assert_int_equal(fcntl(pipes[0][0], F_GETOWN_EX, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, poller), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, poller);
    assert_int_equal(fcntl(pipes[0][0], F_GETOWN_EX, &owner), 0);
    assert_int_equal(owner.pid, before.pid);
    assert_int_equal(fcntl(pipes[1][0], F_GETOWN_EX, &owner), 0);
    assert_int_not_equal(owner.pid, before.pid);
    touch(1);
    assert_ready(pipes[1][0], POLLER_IN);
    close(silent);
}

static void signals_that_the_program_sends(void **state)
{
    union sigval value = {.sival_int = 0};
    char expected[100];
    int signo;

    (void)state;
    open_one("sigio");
    add(pipes[0][0], POLLER_IN);
    assert_quiet();
    signo = signal_of(pipes[0][0]);
    forget();
    assert_int_equal(pthread_sigqueue(pthread_self(), signo, value), 0);
    assert_quiet();
    snprintf(expected, sizeof expected, "{si_signo=SIGRT_%d, si_code=-1}", signo - 32);
    assert_non_null(strstr(seen.text, expected));
    forget();
    assert_int_equal(kill(getpid(), SIGIO), 0);
    assert_quiet();
    snprintf(expected, sizeof expected, "{si_signo=SIGIO, si_code=SI_USER, si_pid=%d, si_uid=%u}",
             (int)getpid(), getuid());
    assert_non_null(strstr(seen.text, expected));
}

/* An empty poller has nothing to look at, so it sleeps without end: until a signal. */
static void a_sleep_without_end(void **state)
{
    struct poller_event event;

    (void)state;
    open_one("sigio");
    assert_quiet();
    forget();
    raise(SIGIO);
    assert_int_equal(poller->backend->wait(poller, -1, &event, 1), 0);
    assert_non_null(strstr(seen.text, "}, NULL, 8) = 29 (SIGIO)"));
}

static void touch_the_first(void)
{
    touch(0);
}

/* Another byte comes when the one-shot is about to be told: its signal is taken when it has been
 * told, and says nothing. */
static void a_signal_after_the_one_shot(void **state)
{
    (void)state;
    open_one("sigio");
    add(pipes[0][0], POLLER_IN | POLLER_ONESHOT);
    assert_quiet();
    touch(0);
    seen.behind_poll = touch_the_first;
    assert_ready(pipes[0][0], POLLER_IN);
    forget();
    assert_quiet();
    assert_int_equal(seen.signals, 1);
    assert_int_equal(poller_modify(poller, pipes[0][0], POLLER_IN, NULL), 0);
    assert_ready(pipes[0][0], POLLER_IN);
}

/* More signals than are taken at once: the others are left to the next wait. */
static void signals_without_end(void **state)
{
    (void)state;
    open_one("sigio");
    add(pipes[0][0], POLLER_IN);
    assert_quiet();
    forget();
    for (int i = 0; i < 300; i++)
        touch(0);
    assert_ready(pipes[0][0], POLLER_IN);
    assert_int_equal(seen.signals, 256);
    assert_ready(pipes[0][0], POLLER_IN);
    assert_int_equal(seen.signals, 300);
    drain(0);
    assert_quiet();
}

static int64_t two_seconds_later(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec + 2) * CLOCK_SECOND + now.tv_nsec;
}

/* The program was busy for long: everything is looked at, and nothing is waited for before. */
static void a_look_that_is_overdue(void **state)
{
    (void)state;
    open_one("sigio");
    add(pipes[0][0], POLLER_IN);
    assert_quiet();
    forget();
    clock_use(two_seconds_later);
    assert_int_equal(fcntl(pipes[0][0], F_SETFL, 0), 0); /* no signal comes */
    touch(0);
    assert_ready(pipes[0][0], POLLER_IN);
    assert_int_equal(seen.signals, 0);
    assert_non_null(strstr(seen.text, "{tv_sec=0, tv_nsec=0}, 8) = -1 EAGAIN"));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_taken_in, begin, end),
        cmocka_unit_test_setup_teardown(what_a_poller_can_hold, begin, end),
        cmocka_unit_test_setup_teardown(the_largest_number, begin, end),
        cmocka_unit_test_setup_teardown(names_of_nothing, begin, end),
        cmocka_unit_test_setup_teardown(one_of_many_was_closed, begin, end),
#ifdef __linux__
        cmocka_unit_test_setup_teardown(closed_when_the_list_is_made_anew, begin, end),
        cmocka_unit_test_setup_teardown(numbers_that_are_closed, begin, end),
        cmocka_unit_test_setup_teardown(adopted_without_proc, begin, end),
        cmocka_unit_test_setup_teardown(adopted_from_a_broken_proc, begin, end),
        cmocka_unit_test_setup_teardown(two_take_the_same_signal, begin, end),
        cmocka_unit_test_setup_teardown(closed_by_a_thread_that_never_waited, begin, end),
        cmocka_unit_test_setup_teardown(a_datagram_to_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_socket_of_another_kind, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_that_was_changed, begin, end),
        cmocka_unit_test_setup_teardown(another_thread_takes_over, begin, end),
        cmocka_unit_test_setup_teardown(signals_that_the_program_sends, begin, end),
        cmocka_unit_test_setup_teardown(a_sleep_without_end, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_after_the_one_shot, begin, end),
        cmocka_unit_test_setup_teardown(signals_without_end, begin, end),
        cmocka_unit_test_setup_teardown(a_look_that_is_overdue, begin, end),
#endif
    };

    return cmocka_run_group_tests_name("rare", tests, NULL, NULL);
}
