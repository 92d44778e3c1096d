/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a process is a descriptor that becomes readable: on Linux a pidfd (pidfd_open(2)), on
 * BSD a kqueue(2) with nothing else in it. It is for a process, not for a number: one that gets the
 * number later is not mistaken for it. Reaping goes by the pidfd too (waitid(2), P_PIDFD). Before
 * Linux 5.4, on BSD and without a descriptor it goes by the number, which a child of ours keeps
 * until it is reaped; a process that is none may have lost it to a child of ours by then, whose
 * end is taken for its own.
 *
 * A descriptor may say that a process has ended before it can be reaped: a debugger that traces it
 * comes first (ptrace(2)). The descriptor stays readable meanwhile and would keep the loop from
 * waiting; so it is not watched then, but for a look whenever a timer says so.
 *
 * A pidfd is not to be had from a Linux before 5.3 or under a filter (seccomp(2)), and some systems
 * have no event for a process that has ended already. Such a child is in the loop's list: the loop
 * catches SIGCHLD from then on, beside who has asked for it with loop_signal, and looks at each
 * child in the list whenever it comes, for one SIGCHLD may stand for several. Nothing tells there
 * of a process that is no child of ours.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __linux__
#include <sys/syscall.h>
#elif defined HAVE_KQUEUE
#include <sys/event.h>
#endif

#include "base/clock.h"
#include "base/list.h"
#include "loop/inside.h"

#define CHILD_LOOK_AGAIN (100 * CLOCK_MILLISECOND)

/* Returns a descriptor that is readable once PID has ended, close-on-exec, or -1 with errno: ENOSYS
 * or EPERM where there are none. */
#if defined SYS_pidfd_open
static int process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}
#elif defined HAVE_KQUEUE && !defined __linux__
static int process_open(pid_t pid)
{
    struct kevent change;
    int queue = kqueue();
    int error;

    if (queue < 0)
        return -1;
    EV_SET(&change, (uintptr_t)pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, NULL);
    if (fcntl(queue, F_SETFD, FD_CLOEXEC) == 0 && kevent(queue, &change, 1, NULL, 0, NULL) == 0)
        return queue;
    error = errno;
    close(queue);
    errno = error;
    return -1;
}
#else
static int process_open(pid_t pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}
#endif

/* Returns 1 where PID was a child that had ended, and is reaped now; 0 where it has not ended; or
 * -1 with errno. */
static int process_reap_by_pid(pid_t pid, int *status)
{
    pid_t reaped;

    do
        reaped = waitpid(pid, status, WNOHANG);
    while (reaped < 0 && errno == EINTR);
    return reaped > 0 ? 1 : (int)reaped;
}

#if defined SYS_pidfd_open
enum { PROCESS_BY_PIDFD = 3, PROCESS_DUMPED_CORE = 0x80 }; /* P_PIDFD, which not all libcs have */

/* What waitpid says, in the words of waitid. */
static int process_status(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? PROCESS_DUMPED_CORE : 0);
}

/* As process_reap_by_pid. EINVAL: the kernel knows of no pidfd here. */
static int process_reap_by_fd(int fd, int *status)
{
    siginfo_t info = {0};
    int result;

    do
        result = waitid((idtype_t)PROCESS_BY_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        return -1;
    if (info.si_pid == 0)
        return 0;
    *status = process_status(&info);
    return 1;
}
#else
static int process_reap_by_fd(int fd, int *status)
{
    (void)fd;
    (void)status;
    errno = EINVAL;
    return -1;
}
#endif

/* Whether it has ended; then it is reaped, and *STATUS is set as child_fn says. */
static bool child_is_over(const struct child *child, int *status)
{
    int fd = child->watch.fd;
    int reaped = fd >= 0 ? process_reap_by_fd(fd, status) : -1;

    if (fd < 0 || (reaped < 0 && errno == EINVAL))
        reaped = process_reap_by_pid(child->pid, status);
    if (reaped < 0)
        *status = -1;
    return reaped != 0;
}

/* Whether PID, which may have ended, is a child that nobody has reaped. */
static bool process_is_ours(pid_t pid)
{
    siginfo_t info;
    int result;

    do
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    while (result < 0 && errno == EINTR);
    return result == 0;
}

static void child_end(struct child *child, int status)
{
    child_stop(child);
    child->on_exit(child->owner, status);
}

/* ---- with a descriptor ---- */

/* Without memory for the timer the loop does not wait, but nothing is missed. */
static void child_look_again(struct child *child)
{
    if (timer_after(&child->again, CHILD_LOOK_AGAIN) == 0)
        watch_want(&child->watch, 0);
}

static void child_on_ready(void *owner, unsigned ready)
{
    struct child *child = owner;
    int status = -1;

    if (child_is_over(child, &status) || (ready & POLLER_INVALID))
        child_end(child, status);
    else
        child_look_again(child);
}

static void child_on_again(void *owner)
{
    struct child *child = owner;

    watch_want(&child->watch, POLLER_IN);
}

static int child_watch(struct child *child, struct loop *loop, int fd)
{
    if (!child->watch.name)
        watch_name(&child->watch, "child");
    if (watch_start(&child->watch, loop, fd, POLLER_IN) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    timer_init(&child->again, loop, child_on_again, child);
    list_append(&loop->children.watched, &child->link);
    return 0;
}

/* ---- in the list ---- */

/* What is called may stop any child, or start one: that is not looked at in this round. */
static void children_look(void *owner)
{
    struct loop_children *children = &((struct loop *)owner)->children;
    struct loop_link todo;
    struct child *child;

    list_take_all(&todo, &children->listed);
    while ((child = list_take_first(&todo))) {
        int status;

        list_append(&children->listed, &child->link);
        if (child_is_over(child, &status))
            child_end(child, status);
    }
}

static void children_on_signal(void *owner, int signo)
{
    (void)signo;
    children_look(owner);
}

static int child_list(struct child *child, struct loop *loop)
{
    if (!process_is_ours(child->pid)) {
        errno = kill(child->pid, 0) < 0 && errno == ESRCH ? ESRCH : ENOTSUP;
        return -1;
    }
    if (loop_signal_beside(loop, SIGCHLD, children_on_signal, loop) < 0)
        return -1;
    list_append(&loop->children.listed, &child->link);
    deferred_call(&loop->children.look); /* it may have ended before SIGCHLD was caught */
    return 0;
}

/* ---- what others see ---- */

void child_init(struct child *child, child_fn *on_exit, void *owner)
{
    *child = (struct child){.on_exit = on_exit, .owner = owner};
    watch_init(&child->watch, child_on_ready, child);
    list_init(&child->link, child);
}

int child_start(struct child *child, struct loop *loop, pid_t pid)
{
    int result;
    int fd;

    assert(!child->loop);
    if (pid <= 0) {
        errno = EINVAL;
        return -1;
    }
    child->pid = pid;
    fd = process_open(pid);
    if (fd >= 0)
        result = child_watch(child, loop, fd);
    else if (errno == ENOSYS || errno == EPERM || errno == ESRCH)
        result = child_list(child, loop);
    else
        result = -1;
    if (result == 0)
        child->loop = loop;
    return result;
}

void child_stop(struct child *child)
{
    if (!child->loop)
        return;
    child->loop = NULL;
    list_remove(&child->link);
    if (watch_is_started(&child->watch)) {
        timer_stop(&child->again);
        watch_stop(&child->watch);
        close(child->watch.fd);
        child->watch.fd = -1;
    }
}

void loop_children_init(struct loop *loop)
{
    list_init(&loop->children.watched, NULL);
    list_init(&loop->children.listed, NULL);
    deferred_init(&loop->children.look, loop, children_look, loop);
}

static void children_abandon(struct loop_link *list)
{
    struct child *child;

    while ((child = list_take_first(list))) {
        if (child->watch.fd >= 0)
            close(child->watch.fd);
        watch_init(&child->watch, child_on_ready, child);
        child->loop = NULL;
    }
}

void loop_children_free(struct loop *loop)
{
    children_abandon(&loop->children.watched);
    children_abandon(&loop->children.listed);
}
