/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ends of real processes, on every backend, by a pidfd as well as without: this test has a
 * syscall(2) of its own (tests/local.mk), which can say that pidfd_open(2) is not to be had, and a
 * waitid(2) that can be that of a kernel which has it, but does not wait for it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __linux__
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#endif

#include "kit/kit.h"
#include "pollspin/loop.h"
#include "unit/turns.h"

enum { NOT_CALLED = -2 };

/* ---- a system without pidfd ---- */

static int refusal; /* errno of pidfd_open; 0: it is let through */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
    long words[6];
    va_list list;

#ifdef SYS_pidfd_open
    if (number == SYS_pidfd_open && refusal != 0) {
        errno = refusal;
        return -1;
    }
#endif
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

static bool has_old_waitid;

int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int flags);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int flags);

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int flags)
{
    if (!has_old_waitid || type == P_ALL || type == P_PID || type == P_PGID)
        return __real_waitid(type, id, info, flags);
    errno = EINVAL;
    return -1;
}

/* ---- what the tests share ---- */

struct seen {
    struct child child;
    int status;
    int calls;
    void (*act)(struct seen *seen);
    struct loop *loop;
};

static void on_end(void *owner, int status)
{
    struct seen *seen = owner;

    assert_null(seen->child.loop);
    seen->status = status;
    seen->calls++;
    if (seen->act)
        seen->act(seen);
}

static void seen_init(struct seen *seen)
{
    *seen = (struct seen){.status = NOT_CALLED};
    child_init(&seen->child, on_end, seen);
}

static void seen_start(struct seen *seen, struct loop *loop, pid_t pid)
{
    seen_init(seen);
    seen->loop = loop;
    assert_int_equal(child_start(&seen->child, loop, pid), 0);
}

/* The end of GATE keeps a child until it is closed: so nothing ends before the test wants it. */
struct gate {
    int ends[2];
};

static void gate_init(struct gate *gate)
{
    assert_int_equal(pipe(gate->ends), 0);
    fcntl(gate->ends[1], F_SETFD, FD_CLOEXEC);
}

static void gate_open(struct gate *gate)
{
    close(gate->ends[0]);
    close(gate->ends[1]);
}

/* A child that exits with STATUS, behind GATE or at once where that is NULL. */
static pid_t begin(const struct gate *gate, int status)
{
    pid_t pid = fork();
    char byte;

    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
#if defined __linux__
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
#endif
    alarm((unsigned)(KIT_DEADLINE_NS / CLOCK_SECOND));
    if (gate) {
        close(gate->ends[1]);
        while (read(gate->ends[0], &byte, 1) < 0 && errno == EINTR)
            continue;
    }
    _exit(status);
}

/* Waits until PID has ended, and leaves it to be reaped. */
static void await_end(pid_t pid)
{
    siginfo_t info;
    int result;

    do
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    while (result < 0 && errno == EINTR); /* where the loop has SIGCHLD */
    assert_int_equal(result, 0);
}

static void reap(pid_t pid)
{
    await_end(pid);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_reaped(pid_t pid)
{
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* One backend, and whether there is a pidfd: the state of most tests here. */
struct kind {
    const char *backend;
    int refusal;
};

static bool try_pidfd(void)
{
#ifdef SYS_pidfd_open
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
#else
    return false;
#endif
}

/* Old kernels have none, nor has valgrind, which says so at length each time. */
static bool has_pidfd(void)
{
    static int answer = -1;

    if (answer < 0)
        answer = try_pidfd();
    return answer;
}

/* Fewer are no fault: libkqueue closes what is its own some time after the poller. */
static void assert_no_more_than(int descriptors)
{
    assert_in_range(kit_descriptors(getpid()), 0, descriptors);
}

static struct loop *opened;

static struct loop *open_loop(void **state)
{
    const struct kind *kind = *state;
    struct poller_info info;

    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (strcmp(info.name, kind->backend) == 0 && info.missing)
            kit_skip(info.missing);
    if (kind->refusal == 0 && !has_pidfd())
        kit_skip("pidfd_open is not to be had here");
    refusal = kind->refusal;
    opened = loop_new(poller_open(kind->backend));
    assert_non_null(opened);
    return opened;
}

/* Also after a test that has failed: what it has started is static, so it is there still. */
static int close_loop(void **state)
{
    loop_free(opened);
    opened = NULL;
    refusal = 0;
    has_old_waitid = false;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    return kit_cleanup(state);
}

static void look_once(struct loop *loop, int64_t deadline, const char *condition)
{
    if (clock_now() > deadline)
        fail_msg("not so in time: %s", condition);
    assert_int_equal(loop_look(loop), 0);
}

/* Makes turns until CONDITION holds. The backend "blocking", which sits in the pipe of the signals
 * even where the process has ended before, only looks. */
#define until(loop, condition)                                                                     \
    do {                                                                                           \
        int64_t deadline_ = clock_now() + KIT_DEADLINE_NS;                                         \
        if (strcmp(poller_name(loop_poller(loop)), "blocking") == 0)                               \
            while (!(condition))                                                                   \
                look_once(loop, deadline_, #condition);                                            \
        else                                                                                       \
            turns_until(loop, condition);                                                          \
    } while (0)

/* ---- what every backend does, with a pidfd and without ---- */

static void its_status_is_told(void **state)
{
    struct loop *loop = open_loop(state);
    int descriptors = kit_descriptors(getpid());
    struct gate gate;
    static struct seen seen;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 7));
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(seen.calls, 0);
    gate_open(&gate);
    until(loop, seen.calls > 0);
    assert_true(WIFEXITED(seen.status));
    assert_int_equal(WEXITSTATUS(seen.status), 7);
    assert_reaped(seen.child.pid);
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(seen.calls, 1);
    if (refusal == 0)
        assert_no_more_than(descriptors);
}

static void the_signal_that_killed_it_is_told(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 0));
    assert_int_equal(kill(seen.child.pid, SIGKILL), 0);
    until(loop, seen.calls > 0);
    assert_true(WIFSIGNALED(seen.status));
    assert_int_equal(WTERMSIG(seen.status), SIGKILL);
    gate_open(&gate);
}

/* It is told in a turn, and not by child_start. */
static void one_that_has_ended_already(void **state)
{
    struct loop *loop = open_loop(state);
    pid_t pid = begin(NULL, 3);
    static struct seen seen;

    await_end(pid);
    seen_start(&seen, loop, pid);
    assert_int_equal(seen.calls, 0);
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 3);
}

static void a_stopped_process_has_not_ended(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    int status;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 5));
    assert_int_equal(kill(seen.child.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(seen.child.pid, &status, WUNTRACED), seen.child.pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(seen.calls, 0);
    gate_open(&gate);
    assert_int_equal(kill(seen.child.pid, SIGCONT), 0);
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 5);
}

static int total(const struct seen *many, int count)
{
    int calls = 0;

    for (int i = 0; i < count; i++)
        calls += many[i].calls;
    return calls;
}

static void many_at_once(void **state)
{
    enum { MANY = 200 };
    struct loop *loop = open_loop(state);
    struct gate gate;
    struct seen *many = calloc(MANY, sizeof *many);

    gate_init(&gate);
    assert_non_null(many);
    for (int i = 0; i < MANY; i++)
        seen_start(&many[i], loop, begin(&gate, i));
    gate_open(&gate);
    until(loop, total(many, MANY) >= MANY);
    assert_int_equal(loop_look(loop), 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i].calls, 1);
        assert_true(WIFEXITED(many[i].status));
        assert_int_equal(WEXITSTATUS(many[i].status), i);
    }
    free(many);
}

static void one_that_was_stopped_is_left_alone(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    static struct seen other;
    int status;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 4));
    seen_start(&other, loop, begin(&gate, 0));
    child_stop(&seen.child);
    child_stop(&seen.child); /* twice does no harm */
    gate_open(&gate);
    await_end(seen.child.pid);
    until(loop, other.calls > 0);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(waitpid(seen.child.pid, &status, 0), seen.child.pid);
    assert_int_equal(WEXITSTATUS(status), 4);
}

static int freed;

static void free_it(struct seen *seen)
{
    freed = WEXITSTATUS(seen->status);
    free(seen);
}

static void what_is_called_may_free_it(void **state)
{
    struct loop *loop = open_loop(state);
    struct seen *seen = malloc(sizeof *seen);

    freed = 0;
    assert_non_null(seen);
    seen_start(seen, loop, begin(NULL, 9));
    seen->act = free_it;
    until(loop, freed != 0);
    assert_int_equal(freed, 9);
}

static void start_another(struct seen *seen)
{
    if (seen->calls < 5)
        assert_int_equal(child_start(&seen->child, seen->loop, begin(NULL, seen->calls)), 0);
}

static void what_is_called_may_start_it_anew(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    seen_start(&seen, loop, begin(NULL, 0));
    seen.act = start_another;
    until(loop, seen.calls == 5);
    assert_int_equal(WEXITSTATUS(seen.status), 4);
}

static struct seen *victims[2];

static void stop_the_other(struct seen *seen)
{
    child_stop(&victims[seen == victims[0]]->child);
}

/* Both have ended when the loop looks. */
static void what_is_called_may_stop_another(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen pair[2];

    for (int i = 0; i < 2; i++) {
        pid_t pid = begin(NULL, i);

        await_end(pid);
        seen_start(&pair[i], loop, pid);
        pair[i].act = stop_the_other;
        victims[i] = &pair[i];
    }
    until(loop, pair[0].calls + pair[1].calls > 0);
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(pair[0].calls + pair[1].calls, 1);
}

static void somebody_else_has_reaped_it(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 0));
    gate_open(&gate);
    reap(seen.child.pid);
    until(loop, seen.calls > 0);
    assert_int_equal(seen.status, -1);
}

static void what_is_no_process(void **state)
{
    struct loop *loop = open_loop(state);
    int descriptors = kit_descriptors(getpid());
    pid_t pid = begin(NULL, 0);
    static struct seen seen;

    seen_init(&seen);
    reap(pid);
    assert_int_equal(child_start(&seen.child, loop, pid), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(child_start(&seen.child, loop, 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(child_start(&seen.child, loop, -1), -1);
    assert_int_equal(errno, EINVAL);
    child_stop(&seen.child);
    assert_no_more_than(descriptors);
}

static void the_loop_may_go_first(void **state)
{
    struct gate gate;
    static struct seen seen;
    struct sigaction now;
    int fd;

    gate_init(&gate);
    seen_start(&seen, open_loop(state), begin(&gate, 6));
    fd = seen.child.watch.fd;
    assert_int_equal(fd >= 0, refusal == 0);
    loop_free(opened);
    opened = NULL;
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    child_stop(&seen.child);
    gate_open(&gate);
    reap(seen.child.pid);
    assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

static void it_outlasts_the_poller(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    int refused;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 8));
    assert_int_equal(loop_use(loop, poller_open("poll"), &refused), 0);
    gate_open(&gate);
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 8);
}

/* ---- where the two differ ---- */

static struct kind with_pidfd = {"poll", 0};
static struct kind without_pidfd = {"poll", ENOSYS};

/* A grandchild; its parent tells its number, and reaps it as soon as the gate is open. */
static pid_t begin_stranger(const struct gate *gate, pid_t *parent)
{
    int ends[2];
    pid_t stranger = 0;

    assert_int_equal(pipe(ends), 0);
    *parent = fork();
    if (*parent == 0) {
        stranger = begin(gate, 0);
        if (write(ends[1], &stranger, sizeof stranger) != sizeof stranger)
            _exit(1);
        close(gate->ends[1]);
        waitpid(stranger, NULL, 0);
        _exit(0);
    }
    assert_int_equal(read(ends[0], &stranger, sizeof stranger), sizeof stranger);
    close(ends[0]);
    close(ends[1]);
    return stranger;
}

static void one_that_is_no_child_of_ours(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    pid_t parent;

    gate_init(&gate);
    seen_start(&seen, loop, begin_stranger(&gate, &parent));
    gate_open(&gate);
    until(loop, seen.calls > 0);
    assert_int_equal(seen.status, -1);
    reap(parent);
}

/* A child of ours that exits with STATUS behind GATE and has the number PID, which must be free; or
 * the test is skipped. */
#if defined SYS_clone3 && defined CLONE_ARGS_SIZE_VER1
static void begin_with_number(const struct gate *gate, int status, pid_t pid)
{
    struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
    char byte;

    switch (syscall(SYS_clone3, &how, sizeof how)) {
    case -1:
        kit_skip("the number of a process cannot be chosen here");
        break;
    case 0:
        alarm((unsigned)(KIT_DEADLINE_NS / CLOCK_SECOND));
        close(gate->ends[1]);
        _exit(read(gate->ends[0], &byte, 1) == 0 ? status : -1);
    default:
        break;
    }
}
#else
static void begin_with_number(const struct gate *gate, int status, pid_t pid)
{
    (void)gate;
    (void)status;
    (void)pid;
    kit_skip("the number of a process cannot be chosen here");
}
#endif

static void a_child_of_ours_that_has_its_number(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    pid_t parent;
    int status;

    gate_init(&gate);
    seen_start(&seen, loop, begin_stranger(&gate, &parent));
    gate_open(&gate);
    reap(parent);
    gate_init(&gate);
    begin_with_number(&gate, 7, seen.child.pid);
    gate_open(&gate);
    await_end(seen.child.pid);
    until(loop, seen.calls > 0);
    assert_int_equal(seen.status, -1);
    assert_int_equal(waitpid(seen.child.pid, &status, 0), seen.child.pid);
    assert_int_equal(WEXITSTATUS(status), 7);
}

/* Linux 5.3 has a pidfd, but does not wait for it. */
static void one_waited_for_by_its_number(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    has_old_waitid = true;
    seen_start(&seen, loop, begin(NULL, 6));
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 6);
    assert_reaped(seen.child.pid);
}

#if defined __linux__
/* A debugger of PID, which lets it go when HOLD is opened. */
static pid_t begin_tracer(pid_t pid, const struct gate *hold, const struct gate *gate)
{
    int ends[2];
    pid_t tracer;
    char byte;

    assert_int_equal(pipe(ends), 0);
    tracer = fork();
    assert_true(tracer >= 0);
    if (tracer == 0) {
        alarm((unsigned)(KIT_DEADLINE_NS / CLOCK_SECOND));
        close(gate->ends[1]);
        close(hold->ends[1]);
        byte = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
        if (write(ends[1], &byte, 1) == 1)
            _exit((int)read(hold->ends[0], &byte, 1));
        _exit(1);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    if (!byte)
        kit_skip("no process can be traced here");
    return tracer;
}

/* Its end is known long before it can be reaped: the loop waits meanwhile. */
static void one_that_is_traced(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate, hold;
    static struct seen seen;
    struct pollfd ended = {.events = POLLIN};
    pid_t tracer;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 5));
    gate_init(&hold);
    tracer = begin_tracer(seen.child.pid, &hold, &gate);
    gate_open(&gate);
    ended.fd = seen.child.watch.fd;
    assert_int_equal(poll(&ended, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
    assert_in_range(turns_for(loop, 250 * CLOCK_MILLISECOND), 1, 20);
    assert_int_equal(seen.calls, 0);
    gate_open(&hold);
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 5);
    reap(tracer);
}

static void one_that_is_traced_may_be_stopped(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate, hold;
    static struct seen seen;
    pid_t tracer;

    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 5));
    gate_init(&hold);
    tracer = begin_tracer(seen.child.pid, &hold, &gate);
    gate_open(&gate);
    until(loop, timer_is_set(&seen.child.again));
    child_stop(&seen.child);
    assert_false(timer_is_set(&seen.child.again));
    gate_open(&hold);
    reap(tracer);
    reap(seen.child.pid);
    assert_int_equal(seen.calls, 0);
}
#endif

static void a_stranger_needs_a_pidfd(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;
    pid_t parent;

    gate_init(&gate);
    seen_init(&seen);
    assert_int_equal(child_start(&seen.child, loop, begin_stranger(&gate, &parent)), -1);
    assert_int_equal(errno, ENOTSUP);
    gate_open(&gate);
    reap(parent);
}

/* The kernel reaps it itself, without a word. */
static void sigchld_is_ignored(void **state)
{
    struct loop *loop = open_loop(state);
    struct gate gate;
    static struct seen seen;

    signal(SIGCHLD, SIG_IGN);
    gate_init(&gate);
    seen_start(&seen, loop, begin(&gate, 0));
    gate_open(&gate);
    until(loop, seen.calls > 0);
    assert_int_equal(seen.status, -1);
    signal(SIGCHLD, SIG_DFL);
}

static int signals_seen;

static void on_sigchld(void *owner, int signo)
{
    (void)owner;
    assert_int_equal(signo, SIGCHLD);
    signals_seen++;
}

/* Both are called, whichever was first, and also once the other has gone. */
static void sigchld_can_be_had_beside_it(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    signals_seen = 0;
    assert_int_equal(loop_signal(loop, SIGCHLD, on_sigchld, NULL), 0);
    seen_start(&seen, loop, begin(NULL, 1));
    until(loop, seen.calls > 0 && signals_seen > 0);
    assert_int_equal(loop_signal(loop, SIGCHLD, NULL, NULL), 0);
    seen_start(&seen, loop, begin(NULL, 2));
    until(loop, seen.calls > 0);
    signals_seen = 0;
    assert_int_equal(loop_signal(loop, SIGCHLD, on_sigchld, NULL), 0);
    seen_start(&seen, loop, begin(NULL, 3));
    until(loop, seen.calls > 0 && signals_seen > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 3);
}

static void sigchld_is_of_another_loop(void **state)
{
    struct loop *loop = open_loop(state);
    struct loop *other = loop_new(poller_open("poll"));
    static struct seen seen;
    pid_t pid = begin(NULL, 0);

    assert_non_null(other);
    assert_int_equal(loop_signal(other, SIGCHLD, on_sigchld, NULL), 0);
    seen_init(&seen);
    assert_int_equal(child_start(&seen.child, loop, pid), -1);
    assert_int_equal(errno, EBUSY);
    loop_free(other);
    assert_int_equal(child_start(&seen.child, loop, pid), 0);
    until(loop, seen.calls > 0);
}

static void a_filter_may_forbid_a_pidfd(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    refusal = EPERM;
    seen_start(&seen, loop, begin(NULL, 2));
    until(loop, seen.calls > 0);
    assert_int_equal(WEXITSTATUS(seen.status), 2);
}

static void another_error_is_told(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;
    pid_t pid = begin(NULL, 0);

    refusal = EMFILE;
    seen_init(&seen);
    assert_int_equal(child_start(&seen.child, loop, pid), -1);
    assert_int_equal(errno, EMFILE);
    reap(pid);
}

static struct kind on_select = {"select", 0};

/* Takes descriptor numbers until the next one is LIMIT, or fails. */
static int fill_below(int limit)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && fd < limit - 1);
    return fd;
}

static void close_from(int first)
{
    for (int fd = first; fd <= FD_SETSIZE; fd++)
        close(fd);
}

static void a_pidfd_may_be_too_high(void **state)
{
    struct loop *loop = open_loop(state);
    struct rlimit limit;
    static struct seen seen;
    pid_t pid = begin(NULL, 0);
    int first = dup(0);
    int result;
    int error;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (fill_below(FD_SETSIZE) < 0) {
        close_from(first);
        kit_skip("too few descriptors are allowed here");
    }
    seen_init(&seen);
    result = child_start(&seen.child, loop, pid);
    error = errno;
    close_from(first);
    assert_int_equal(result, -1);
    assert_int_equal(error, ERANGE);
    assert_int_equal(child_start(&seen.child, loop, pid), 0);
    until(loop, seen.calls > 0);
}

/* ---- the list ---- */

typedef void test_fn(void **state);

static const struct {
    const char *name;
    test_fn *run;
} everywhere[] = {
    {"its_status_is_told", its_status_is_told},
    {"the_signal_that_killed_it_is_told", the_signal_that_killed_it_is_told},
    {"one_that_has_ended_already", one_that_has_ended_already},
    {"a_stopped_process_has_not_ended", a_stopped_process_has_not_ended},
    {"many_at_once", many_at_once},
    {"one_that_was_stopped_is_left_alone", one_that_was_stopped_is_left_alone},
    {"what_is_called_may_free_it", what_is_called_may_free_it},
    {"what_is_called_may_start_it_anew", what_is_called_may_start_it_anew},
    {"what_is_called_may_stop_another", what_is_called_may_stop_another},
    {"what_is_no_process", what_is_no_process},
    {"the_loop_may_go_first", the_loop_may_go_first},
    {"it_outlasts_the_poller", it_outlasts_the_poller},
    {"somebody_else_has_reaped_it", somebody_else_has_reaped_it},
};

static const struct CMUnitTest apart[] = {
    {"one_that_is_no_child_of_ours", one_that_is_no_child_of_ours, NULL, close_loop, &with_pidfd},
    {"a_child_of_ours_that_has_its_number", a_child_of_ours_that_has_its_number, NULL, close_loop,
     &with_pidfd},
    {"one_waited_for_by_its_number", one_waited_for_by_its_number, NULL, close_loop, &with_pidfd},
#if defined __linux__
    {"one_that_is_traced", one_that_is_traced, NULL, close_loop, &with_pidfd},
    {"one_that_is_traced_may_be_stopped", one_that_is_traced_may_be_stopped, NULL, close_loop,
     &with_pidfd},
#endif
    {"sigchld_is_ignored", sigchld_is_ignored, NULL, close_loop, &with_pidfd},
    {"another_error_is_told", another_error_is_told, NULL, close_loop, &with_pidfd},
    {"a_filter_may_forbid_a_pidfd", a_filter_may_forbid_a_pidfd, NULL, close_loop, &with_pidfd},
    {"a_pidfd_may_be_too_high", a_pidfd_may_be_too_high, NULL, close_loop, &on_select},
    {"a_stranger_needs_a_pidfd", a_stranger_needs_a_pidfd, NULL, close_loop, &without_pidfd},
    {"sigchld_can_be_had_beside_it", sigchld_can_be_had_beside_it, NULL, close_loop,
     &without_pidfd},
    {"sigchld_is_of_another_loop", sigchld_is_of_another_loop, NULL, close_loop, &without_pidfd},
};

enum {
    BACKENDS_MAX = 16,
    EVERYWHERE = sizeof everywhere / sizeof *everywhere,
    APART = sizeof apart / sizeof *apart,
    TESTS_MAX = 2 * BACKENDS_MAX * EVERYWHERE + APART
};

static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][96];
static struct kind kinds[2 * BACKENDS_MAX];

static size_t add_kind(size_t count, struct kind *kind)
{
    for (int i = 0; i < EVERYWHERE; i++, count++) {
        snprintf(names[count], sizeof names[count], "%s (%s%s)", everywhere[i].name, kind->backend,
                 kind->refusal ? ", no pidfd" : "");
        tests[count] = (struct CMUnitTest){names[count], everywhere[i].run, NULL, close_loop, kind};
    }
    return count;
}

int main(void)
{
    struct poller_info info;
    size_t count = 0;
    int n = 0;

    /* The contract's suite says which backends are missing. */
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        for (int error = 0; !info.missing && error <= ENOSYS; error += ENOSYS) {
            kinds[n] = (struct kind){info.name, error};
            count = add_kind(count, &kinds[n++]);
        }
    memcpy(tests + count, apart, sizeof apart);
    return _cmocka_run_group_tests("child", tests, count + APART, NULL, NULL);
}
