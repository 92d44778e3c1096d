/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of the library to the system fails: the first of its kind, then the second, and so
 * on, for each errno that it may have, until a run comes to its end without the fault. Whatever
 * fails, the library says so with that errno or does without it; it loses no descriptor and no
 * memory, and afterwards everything works.
 *
 * The linker puts the functions below between the library and libc (ld(1), --wrap).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/inotify.h>
#endif

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/loop.h"

static struct {
    const char *call; /* NULL: nothing fails */
    int after;        /* so many of them go well first */
    int error;
    int count; /* how many there were */
} fault;

static bool fails(const char *call)
{
    if (!fault.call || strcmp(fault.call, call) != 0 || fault.count++ != fault.after)
        return false;
    errno = fault.error;
    return true;
}

/* TYPE CALL(PARAMETERS) in front of libc's, which gets ARGUMENTS; FAILED is its answer to a fault.
 */
#define WRAP(type, call, parameters, arguments, failed)                                            \
    type __real_##call parameters;                                                                 \
    type __wrap_##call parameters;                                                                 \
    type __wrap_##call parameters                                                                  \
    {                                                                                              \
        return fails(#call) ? (failed) : __real_##call arguments;                                  \
    }

WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(int, pipe, (int ends[2]), (ends), -1)
WRAP(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(int, fcntl, (int fd, int what, long value), (fd, what, value), -1)
WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout), -1)
WRAP(int, select, (int n, fd_set *in, fd_set *out, fd_set *pri, struct timeval *timeout),
     (n, in, out, pri, timeout), -1)
WRAP(int, sigaction, (int signo, const struct sigaction *now, struct sigaction *before),
     (signo, now, before), -1)
WRAP(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (set, info, timeout), -1)
WRAP(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *before), (how, set, before),
     fault.error)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags), -1)
WRAP(long, syscall, (long number, long a, long b, long c, long d, long e, long f),
     (number, a, b, c, d, e, f), -1)
#ifdef __linux__
WRAP(int, epoll_create1, (int flags), (flags), -1)
WRAP(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), (epfd, op, fd, event),
     -1)
WRAP(int, epoll_wait, (int epfd, struct epoll_event *events, int max, int timeout),
     (epfd, events, max, timeout), -1)
WRAP(int, dup3, (int from, int to, int flags), (from, to, flags), -1)
WRAP(int, inotify_init1, (int flags), (flags), -1)
WRAP(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask), -1)
#endif

struct kind {
    const char *call;
    int errors[4]; /* ended by 0 */
};

static const struct kind kinds[] = {
    {"calloc", {ENOMEM}},
    {"realloc", {ENOMEM}},
    {"pipe", {EMFILE, ENFILE}},
    {"read", {EINTR, EAGAIN, EIO}},
    {"write", {EINTR, EAGAIN, EPIPE}},
    {"fcntl", {EBADF, EINVAL}},
    {"open", {EMFILE, EACCES}},
    {"fstat", {ENOMEM}},
    {"fopen", {EMFILE, EACCES}},
    {"poll", {EINTR, ENOMEM, EAGAIN}},
    {"select", {EINTR, ENOMEM}},
    {"sigaction", {EINVAL}},
    {"sigtimedwait", {EINTR, EAGAIN, EINVAL}},
    {"pthread_sigmask", {EINVAL}},
    {"waitpid", {EINTR, ECHILD}},
    {"syscall", {ENOSYS, EMFILE, EINTR, EAGAIN}},
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", {ENOMEM, ENOSPC, EPERM}},
    {"epoll_wait", {EINTR, ENOMEM}},
    {"dup3", {EBUSY, EMFILE}},
    {"inotify_init1", {EMFILE}},
    {"inotify_add_watch", {ENOSPC}},
};

enum { KINDS = sizeof kinds / sizeof *kinds, TIMES_MAX = 400, MANY = 20, MANY_FIRST = 70 };

/* What the scenarios work with; made before the faults. */
static struct {
    const char *backend;
    int pipe[2];
    int pair[2];
    int file;
    int epfd;
    char path[256];
} props;

/* A scenario does all it can and returns 0, or the errno of what failed first; it cleans up. */
typedef int scenario_fn(void);

static int first(int before, int result)
{
    return before == 0 && result < 0 ? errno : before;
}

static int use_poller(struct poller *poller)
{
    struct poller_event events[4];
    int copy = dup(props.pair[0]);
    int error = 0;

    error = first(error, poller_add(poller, props.file, POLLER_IN, NULL));
    error = first(error, poller_add(poller, props.pipe[0], POLLER_IN | POLLER_ONESHOT, NULL));
    error = first(error, poller_add(poller, copy, POLLER_IN | POLLER_OUT, NULL));
    error = first(error, poller_wait(poller, events, 4, 0));
    error = first(error, poller_modify(poller, props.pipe[0], POLLER_IN, NULL));
    error = first(error, poller_modify(poller, copy, POLLER_OUT, NULL));
    error = first(error, poller_wait(poller, events, 1, CLOCK_MILLISECOND));
    close(copy);
    poller_remove(poller, copy);
    poller_remove(poller, props.file);
    for (int i = 0; i < 2; i++)
        error = first(error, poller_wait(poller, events, 4, CLOCK_MILLISECOND));
    poller_remove(poller, props.pipe[0]);
    poller_close(poller);
    return error;
}

static int a_poller(void)
{
    struct poller *poller = poller_open(props.backend);

    return poller ? use_poller(poller) : errno;
}

static int the_best_poller(void)
{
    struct poller *poller = poller_open(NULL);

    return poller ? use_poller(poller) : errno;
}

static int a_poller_of_many(void)
{
    struct poller *poller = poller_open(props.backend);
    struct poller_event events[4];
    int copies[MANY];
    int error = 0;

    if (!poller)
        return errno;
    for (int i = 0; i < MANY; i++) {
        copies[i] = dup2(i % 2 ? props.file : props.pipe[0], MANY_FIRST + i);
        error = first(error, poller_add(poller, copies[i], POLLER_IN, NULL));
    }
    error = first(error, poller_wait(poller, events, 4, 0));
    for (int i = 0; i < MANY; i++) {
        poller_remove(poller, copies[i]);
        close(copies[i]);
    }
    poller_close(poller);
    return error;
}

static int an_adopted_poller(void)
{
    int fd = dup(props.epfd);
    struct poller *poller = poller_from_fd("epoll", fd);
    int error = errno;

    if (poller)
        poller_close(poller);
    else
        close(fd);
    return poller ? 0 : error;
}

/* What is set off in the loop; nothing of it has to come. */
struct things {
    struct loop *loop;
    struct watch watch;
    struct timer timers[40];
    struct deferred deferred;
    struct wakeup wakeup;
    struct child child;
    struct file_watch file;
};

static void nothing(void *owner)
{
    (void)owner;
}

static void nothing_ready(void *owner, unsigned ready)
{
    (void)owner;
    (void)ready;
}

static void nothing_signalled(void *owner, int signo)
{
    (void)owner;
    (void)signo;
}

static void nothing_ended(void *owner, int status)
{
    (void)owner;
    (void)status;
}

static int start_timers(struct things *things)
{
    int error = 0;

    for (int i = 0; i < 40; i++) {
        struct timer *timer = &things->timers[i];

        timer_init(timer, things->loop, nothing, NULL);
        if (i % 3 == 0)
            error = first(error, timer_set(timer, i));
        else
            error = first(error, i % 3 == 1 ? timer_after(timer, i) : timer_every(timer, i));
    }
    return error;
}

static int start_things(struct things *things, pid_t pid)
{
    struct loop *loop = things->loop;
    int error = start_timers(things);

    watch_init(&things->watch, nothing_ready, NULL);
    deferred_init(&things->deferred, loop, nothing, NULL);
    wakeup_init(&things->wakeup, nothing, NULL);
    child_init(&things->child, nothing_ended, NULL);
    file_watch_init(&things->file, nothing_ready, NULL);
    error = first(error, watch_start(&things->watch, loop, props.pair[0], POLLER_OUT));
    error = first(error, wakeup_start(&things->wakeup, loop));
    error = first(error, child_start(&things->child, loop, pid));
    error = first(error, file_watch_start(&things->file, loop, props.path, FILE_WRITE));
    error = first(error, loop_signal(loop, SIGUSR1, nothing_signalled, NULL));
    return error;
}

static int turn_things(struct things *things)
{
    int fd = open(props.path, O_WRONLY | O_APPEND);
    int error = 0;

    deferred_call(&things->deferred);
    if (things->wakeup.write_fd >= 0)
        wakeup_send(&things->wakeup);
    error = first(error, loop_look(things->loop));
    if (write(fd, "x", 1) == 1)
        watch_want(&things->watch, POLLER_IN | POLLER_OUT);
    close(fd);
    for (int i = 0; i < 3; i++)
        error = first(error, loop_look(things->loop));
    return error;
}

static void stop_things(struct things *things)
{
    watch_stop(&things->watch);
    wakeup_stop(&things->wakeup);
    child_stop(&things->child);
    file_watch_stop(&things->file);
    deferred_stop(&things->deferred);
    for (int i = 0; i < 40; i++)
        timer_stop(&things->timers[i]);
}

static int a_loop(void)
{
    struct poller *poller = poller_open(props.backend);
    struct things things = {.loop = poller ? loop_new(poller) : NULL};
    int error = errno;
    pid_t pid;
    int status;

    if (!things.loop) {
        poller_close(poller);
        return error;
    }
    pid = fork();
    if (pid == 0)
        _exit(0);
    error = start_things(&things, pid);
    error = error ? error : turn_things(&things);
    stop_things(&things);
    loop_free(things.loop);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return error;
}

static int a_loop_with_the_best(void)
{
    struct loop *loop = loop_new(NULL);

    loop_free(loop);
    return loop ? 0 : errno;
}

/* Runs SCENARIO with the call failing, later and later, until it is not made any more. */
static void run_with(scenario_fn *scenario, const char *call, int error)
{
    int result;

    for (int after = 0; after < TIMES_MAX; after++) {
        int descriptors = kit_descriptors(getpid());

        fault.call = call;
        fault.after = after;
        fault.error = error;
        fault.count = 0;
        result = scenario();
        fault.call = NULL;
        if (result != 0 && result != error)
            fail_msg("%s, call %d: %s; said %s", call, after, strerror(error), strerror(result));
        if (kit_descriptors(getpid()) != descriptors)
            fail_msg("%s, call %d: %s: descriptors are lost", call, after, strerror(error));
        if (fault.count <= after)
            return;
    }
    fail_msg("%s is called without end", call);
}

static void run(scenario_fn *scenario)
{
    assert_int_equal(scenario(), 0);
    for (size_t i = 0; i < KINDS; i++)
        for (const int *error = kinds[i].errors; *error != 0; error++)
            run_with(scenario, kinds[i].call, *error);
    assert_int_equal(scenario(), 0);
}

/* Where the kernel or valgrind refuses a backend, there is nothing to fail. */
static bool can_open(const struct poller_info *info)
{
    struct poller *poller = info->missing ? NULL : poller_open(info->name);

    poller_close(poller);
    return poller != NULL;
}

/* On each backend that is here. */
static void run_all(scenario_fn *scenario)
{
    struct poller_info info;

    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (can_open(&info)) {
            print_message("%s\n", info.name);
            props.backend = info.name;
            run(scenario);
        }
}

static void pollers(void **state)
{
    (void)state;
    run_all(a_poller);
}

static void pollers_of_many(void **state)
{
    (void)state;
    run_all(a_poller_of_many);
}

static void loops(void **state)
{
    (void)state;
    props.backend = "poll";
    run(a_loop);
}

static void the_best(void **state)
{
    (void)state;
    run(the_best_poller);
    run(a_loop_with_the_best);
}

static void adopted(void **state)
{
    (void)state;
#ifdef __linux__
    run(an_adopted_poller);
#else
    kit_skip("epoll is Linux's own");
#endif
}

static int begin(void **state)
{
    (void)state;
    snprintf(props.path, sizeof props.path, "%s/file", kit_folder());
    props.file = open(props.path, O_CREAT | O_RDWR, 0600);
    assert_true(props.file >= 0);
    assert_int_equal(pipe(props.pipe), 0);
    assert_int_equal(write(props.pipe[1], "x", 1), 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, props.pair), 0);
#ifdef __linux__
    props.epfd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        assert_int_equal(epoll_ctl(props.epfd, EPOLL_CTL_ADD, props.pair[i], &event), 0);
    }
#endif
    return 0;
}

static int end(void **state)
{
    fault.call = NULL;
    close(props.file);
    for (int i = 0; i < 2; i++) {
        close(props.pipe[i]);
        close(props.pair[i]);
    }
#ifdef __linux__
    close(props.epfd);
#endif
    return kit_cleanup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pollers, begin, end),
        cmocka_unit_test_setup_teardown(pollers_of_many, begin, end),
        cmocka_unit_test_setup_teardown(loops, begin, end),
        cmocka_unit_test_setup_teardown(the_best, begin, end),
        cmocka_unit_test_setup_teardown(adopted, begin, end),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
