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
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "base/clock.h"
#include "kit/kit.h"
#include "loop/output.h"
#include "pollspin/loop.h"

static struct {
    const char *call; /* NULL: nothing fails */
    int after;        /* so many of them go well first */
    int times;        /* ... and so many fail then */
    int error;
    int count; /* how many there were */
} fault;

static bool fails(const char *call)
{
    if (!fault.call || strcmp(fault.call, call) != 0)
        return false;
    fault.count++;
    if (fault.count <= fault.after || fault.count - fault.after > fault.times)
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

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP(int, pipe, (int ends[2]), (ends), -1)
WRAP(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), -1)
WRAP(ssize_t, send, (int fd, const void *bytes, size_t n, int flags), (fd, bytes, n, flags), -1)
WRAP(int, fcntl, (int fd, int what, long value), (fd, what, value), -1)
WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP(int, ttyname_r, (int fd, char *name, size_t size), (fd, name, size), fault.error)
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
     (fd, level, name, value, length), -1)
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
WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int flags), (type, id, info, flags), -1)
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
#ifdef HAVE_LIBURING
WRAP(int, io_uring_queue_init_params,
     (unsigned entries, struct io_uring *ring, struct io_uring_params *params),
     (entries, ring, params), -fault.error)
#endif

struct kind {
    const char *call;
    int errors[8]; /* ended by 0 */
};

static const struct kind kinds[] = {
    {"malloc", {ENOMEM}},
    {"calloc", {ENOMEM}},
    {"realloc", {ENOMEM}},
    {"pipe", {EMFILE, ENFILE}},
    {"read", {EINTR, EAGAIN, EIO}},
    {"write", {EINTR, EAGAIN, EPIPE}},
    {"send", {EINTR, EAGAIN, EPIPE}},
    {"fcntl", {EBADF, EINVAL}},
    {"open", {EMFILE, EACCES}},
    {"fstat", {ENOMEM}},
    {"ttyname_r", {ENOTTY}},
    {"getsockopt", {ENOPROTOOPT}},
    {"fopen", {EMFILE, EACCES}},
    {"poll", {EINTR, ENOMEM, EAGAIN}},
    {"select", {EINTR, ENOMEM, EBADF}},
    {"sigaction", {EINVAL}},
    {"sigtimedwait", {EINTR, EAGAIN, EINVAL}},
    {"pthread_sigmask", {EINVAL}},
    {"waitpid", {EINTR, ECHILD}},
    {"waitid", {EINTR}},
#ifdef __linux__
    {"syscall", {ENOSYS, EMFILE, EINTR, EAGAIN, EBUSY, EBADR, ETIME}},
#endif
    {"io_uring_queue_init_params", {EPERM, ENOMEM}},
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", {ENOMEM, ENOSPC, EPERM}},
    {"epoll_wait", {EINTR, ENOMEM}},
    {"dup3", {EBUSY, EMFILE}},
    {"inotify_init1", {EMFILE}},
    {"inotify_add_watch", {ENOSPC}},
};

enum { KINDS = sizeof kinds / sizeof *kinds, CALLS_MAX = 400, MANY = 20, MANY_FIRST = 70 };

/* How often a call fails once it does: a mishap, one that a second try does not mend, and one that
 * lasts. */
enum { STUBBORN = 20 };
static const int stubbornness[] = {1, 2, STUBBORN};

/* What the scenarios work with; made before the faults. */
static struct {
    const char *backend;
    int pipe[2];
    int pair[2];
    int file;
    int epfd;
    int output;
    int reader; /* of what comes out there */
    char path[256];
} props;

/* A scenario does all it can and returns 0, or the errno of what failed first; it cleans up. */
typedef int scenario_fn(void);

static int first(int before, int result)
{
    return before == 0 && result < 0 ? errno : before;
}

/* What failed is printed so, and what is cut is the same up to there. */
static void read_call(void *context, const struct poller_call *call)
{
    char text[4096], cut[12], result[64];
    int length = poller_call_text(call, text, sizeof text);

    (void)context;
    assert_int_equal(length, strlen(text));
    assert_int_equal(poller_call_text(call, cut, sizeof cut), length);
    assert_memory_equal(cut, text, sizeof cut - 1);
    snprintf(result, sizeof result, ") = %ld", call->result);
    assert_non_null(strstr(text, result));
    if (call->result == -1)
        assert_non_null(strstr(text, strerror(call->error)));
}

static int use_poller(struct poller *poller)
{
    struct poller_event events[4];
    int copy = dup(props.pair[0]);
    int error = 0;

    poller_observe(poller, read_call, NULL);
#ifdef O_ASYNC
    __real_fcntl(copy, F_SETFL, O_RDWR | O_ASYNC); /* as somebody who died has left it */
    __real_fcntl(copy, F_SETOWN, 0);
#endif
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
    for (int i = 0; i < 3; i++) {
        error = first(error, poller_wait(poller, events, 4, CLOCK_MILLISECOND));
        error = first(error, poller_modify(poller, props.pipe[0], POLLER_IN, NULL));
    }
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
    poller_observe(poller, read_call, NULL);
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
    error =
        first(error, file_watch_start(&things->file, loop, props.path, FILE_WRITE | FILE_EXTEND));
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

static struct loop *open_loop(void)
{
    struct poller *poller = poller_open(props.backend);
    struct loop *loop = poller ? loop_new(poller) : NULL;
    int error = errno;

    if (!loop)
        poller_close(poller);
    errno = error;
    return loop;
}

/* The child has ended and is there to be reaped. What gcov(1) does at a fork must not fail. */
static pid_t start_child(void)
{
    const char *call = fault.call;
    siginfo_t info;
    pid_t pid;

    fault.call = NULL;
    pid = fork();
    if (pid == 0)
        _exit(0);
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    fault.call = call;
    return pid;
}

static int a_loop(void)
{
    struct things things = {.loop = open_loop()};
    int error;
    pid_t pid;

    if (!things.loop)
        return errno;
    pid = start_child();
    error = start_things(&things, pid);
    error = error ? error : turn_things(&things);
    stop_things(&things);
    loop_free(things.loop);
    __real_waitpid(pid, NULL, 0);
    return error;
}

/* At last somebody who has saved the loop's handler puts it back, when no loop has the signal: that
 * is undone by the next signal, or by the first for which sigaction(2) does not fail. */
static int a_signal(void)
{
    struct loop *loop = open_loop();
    struct sigaction action;
    int error = 0;

    if (!loop)
        return errno;
    error = first(error, loop_signal(loop, SIGUSR1, nothing_signalled, NULL));
    error = first(error, loop_signal(loop, SIGUSR1, nothing_signalled, loop));
    raise(SIGUSR1);
    error = first(error, loop_look(loop));
    __real_sigaction(SIGUSR1, NULL, &action);
    error = first(error, loop_signal(loop, SIGUSR1, NULL, NULL));
    loop_free(loop);
    __real_sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i <= STUBBORN; i++)
        raise(SIGUSR1);
    __real_sigaction(SIGUSR1, NULL, &action);
    assert_ptr_equal(action.sa_handler, SIG_IGN);
    return error;
}

static void drain(int fd)
{
    char bytes[1024];

    while (__real_read(fd, bytes, sizeof bytes) > 0)
        continue;
}

/* Both of them may have to wait until the loop finds room. */
static int an_output(void)
{
    static const char bytes[600];
    struct loop *loop = open_loop();
    struct output output;
    int error = 0;

    if (!loop)
        return errno;
    error = first(error, output_init(&output, loop, props.output, sizeof bytes, NULL, NULL));
    for (int i = 0; i < 2 && error == 0; i++) {
        error = first(error, output_write(&output, bytes, sizeof bytes / 2));
        error = first(error, loop_look(loop));
    }
    output_fini(&output);
    loop_free(loop);
    drain(props.reader);
    return error;
}

static int a_loop_with_the_best(void)
{
    struct loop *loop = loop_new(NULL);

    loop_free(loop);
    return loop ? 0 : errno;
}

/* Runs SCENARIO with a fault; returns whether it came to it. */
static bool run_once(scenario_fn *scenario, const char *call, int after, int times, int error)
{
    int descriptors = kit_descriptors(getpid());
    int result;

    fault.call = call;
    fault.after = after;
    fault.times = times;
    fault.error = error;
    fault.count = 0;
    result = scenario();
    fault.call = NULL;
    if (result != 0 && result != error)
        fail_msg("%s, call %d: %s; said %s", call, after, strerror(error), strerror(result));
    if (kit_descriptors(getpid()) != descriptors)
        fail_msg("%s, call %d: %s: descriptors are lost", call, after, strerror(error));
    return fault.count > after;
}

/* Runs SCENARIO with the call failing, later and later, until it is not made any more. */
static void run_with(scenario_fn *scenario, const char *call, int times, int error)
{
    int after = 0;

    while (run_once(scenario, call, after, times, error))
        if (++after > CALLS_MAX)
            fail_msg("%s is called without end", call);
}

static void run(scenario_fn *scenario)
{
    assert_int_equal(scenario(), 0);
    for (size_t i = 0; i < KINDS; i++)
        for (const int *error = kinds[i].errors; *error != 0; error++)
            for (size_t j = 0; j < sizeof stubbornness / sizeof *stubbornness; j++)
                run_with(scenario, kinds[i].call, stubbornness[j], *error);
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

static void signals(void **state)
{
    (void)state;
    props.backend = "poll";
    signal(SIGUSR1, SIG_IGN);
    run(a_signal);
}

static int open_terminal(void)
{
    props.reader = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_int_equal(grantpt(props.reader), 0);
    assert_int_equal(unlockpt(props.reader), 0);
    return open(ptsname(props.reader), O_RDWR | O_NOCTTY);
}

static void outputs(void **state)
{
    int terminal = open_terminal();
    int master = props.reader;

    (void)state;
    props.backend = "poll";
    props.output = terminal;
    run(an_output);
    props.reader = props.pair[1];
    props.output = props.pair[0];
    run(an_output);
    props.reader = props.pipe[0];
    props.output = props.pipe[1];
    run(an_output);
    props.reader = -1;
    props.output = props.file;
    run(an_output);
    close(terminal);
    close(master);
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
    assert_int_equal(fcntl(props.pipe[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(props.pair[1], F_SETFL, O_NONBLOCK), 0);
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
        cmocka_unit_test_setup_teardown(signals, begin, end),
        cmocka_unit_test_setup_teardown(outputs, begin, end),
        cmocka_unit_test_setup_teardown(the_best, begin, end),
        cmocka_unit_test_setup_teardown(adopted, begin, end),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
