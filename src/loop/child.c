/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a process is a descriptor that becomes readable: on Linux a pidfd (pidfd_open(2)), on
 * BSD a kqueue(2) with nothing else in it. It is for a process, not for a number: one that gets the
 * number later is not mistaken for it. Reaping goes by the number, which the process keeps until
 * then.
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

#include "base/list.h"
#include "loop/inside.h"

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

/* Whether PID has ended; then it is reaped, and *STATUS is set as child_fn says. */
static bool process_is_over(pid_t pid, int *status)
{
    pid_t reaped;

    do
        reaped = waitpid(pid, status, WNOHANG);
    while (reaped < 0 && errno == EINTR);
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

/* A debugger that traces the process sees its end first: until it lets us, nothing is reaped. */
static void child_on_ready(void *owner, unsigned ready)
{
    struct child *child = owner;
    int status = -1;

    if (process_is_over(child->pid, &status) || (ready & POLLER_INVALID))
        child_end(child, status);
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
        if (process_is_over(child->pid, &status))
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
