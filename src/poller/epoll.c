/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll(7): the kernel keeps the list between the waits and returns only what is ready. The work
 * grows with the number ready, not with the number watched; edge and one-shot are the kernel's own.
 *
 * Its surprises, and what is done here about each:
 *
 * It watches the open file, not the number. Where dup(2) keeps the file open, closing the number
 * leaves it watched, and epoll_ctl can no longer reach it. So each event carries the generation of
 * its number; one that is out of date shows that this has happened, and a new epoll instance is
 * filled with what should be there.
 *
 * A regular file and /dev/null are refused with EPERM. They are always ready for poll(2), so they
 * are kept in a list of our own, and the wait does not wait while there is one.
 *
 * epoll_ctl says EEXIST or ENOENT where the number was closed and opened again unnoticed: the other
 * one of ADD and MOD then does what was meant.
 */
#include "config.h"

#include "base/clock.h"
#include "poller/always.h"
#include "poller/backend.h"
#include "poller/names.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer architectures have no epoll_wait system call: libc makes epoll_pwait of it, and musl does
 * so everywhere. */
#if defined SYS_epoll_wait && defined __GLIBC__
enum { EP_IS_PWAIT = 0 };
#else
enum { EP_IS_PWAIT = 1 };
#endif

enum { EP_BATCH = 512, EP_PRINTED = 32 };

/* What a poller can ask for, and what the kernel adds. */
#define EP_KNOWN                                                                                   \
    (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLONESHOT)

struct ep_state {
    int fd;               /* -1 where a new instance could not be made */
    bool is_stale;        /* reports what epoll_ctl cannot reach: a new instance is needed */
    struct always always; /* those that the kernel refused with EPERM */
    struct epoll_event got[EP_BATCH];
};

struct ep_args {
    struct poller_call_args base;
    int epfd;
    int op;
    int fd;
    const struct epoll_event *events;
    int max;
    int timeout_ms;
};

static void ep_print_create(struct text *text, const struct poller_call *call)
{
    text_add(text, "epoll_create1(EPOLL_CLOEXEC)");
    names_add_result(text, call->result, call->error);
}

static int ep_create(struct poller *poller)
{
    struct poller_call_args args = {ep_print_create};
    struct poller_call call = {.name = "epoll_create1", .args = &args};
    int64_t begin = backend_begin(poller);
    int fd = epoll_create1(EPOLL_CLOEXEC);

    call.result = fd;
    backend_end(poller, begin, &call);
    return fd;
}

static int ep_begin(struct poller *poller, int fd)
{
    struct ep_state *state = calloc(1, sizeof *state);

    if (!state)
        return -1;
    state->fd = fd;
    poller->state = state;
    return 0;
}

static int ep_open(struct poller *poller)
{
    int fd = ep_create(poller);

    if (fd < 0)
        return -1;
    if (ep_begin(poller, fd) == 0)
        return 0;
    backend_close(fd);
    return -1;
}

static void ep_free(struct poller *poller)
{
    struct ep_state *state = poller->state;

    always_fini(&state->always);
    free(state);
}

static void ep_close(struct poller *poller)
{
    const struct ep_state *state = poller->state;

    if (state->fd >= 0)
        close(state->fd);
    ep_free(poller);
}

static uint32_t ep_events(unsigned want)
{
    uint32_t events = 0;

    if (want & POLLER_IN)
        events |= EPOLLIN;
    if (want & POLLER_OUT)
        events |= EPOLLOUT;
    if (want & POLLER_PRI)
        events |= EPOLLPRI;
    if (want & POLLER_RDHUP)
        events |= EPOLLRDHUP;
    if (want & POLLER_EDGE)
        events |= EPOLLET;
    if (want & POLLER_ONESHOT)
        events |= EPOLLONESHOT;
    return events;
}

/* For each event: a sum without branches, each term of which is one bit moved. */
static unsigned ep_ready(uint32_t events)
{
    return (events & EPOLLIN ? POLLER_IN : 0u) | (events & EPOLLOUT ? POLLER_OUT : 0u) |
           (events & EPOLLPRI ? POLLER_PRI : 0u) | (events & EPOLLERR ? POLLER_ERR : 0u) |
           (events & EPOLLHUP ? POLLER_HUP : 0u) | (events & EPOLLRDHUP ? POLLER_RDHUP : 0u);
}

static void ep_print_event(struct text *text, const struct epoll_event *event)
{
    text_add(text, "{events=");
    names_add_flags(text, names_epoll, event->events);
    text_add(text, ", data={u32=%u, u64=%llu}}", event->data.u32,
             (unsigned long long)event->data.u64);
}

static void ep_print_ctl(struct text *text, const struct poller_call *call)
{
    static const char *const op[] = {[EPOLL_CTL_ADD] = "EPOLL_CTL_ADD",
                                     [EPOLL_CTL_DEL] = "EPOLL_CTL_DEL",
                                     [EPOLL_CTL_MOD] = "EPOLL_CTL_MOD"};
    const struct ep_args *args = (const struct ep_args *)call->args;

    text_add(text, "epoll_ctl(%d, %s, %d, ", args->epfd, op[args->op], args->fd);
    if (args->events)
        ep_print_event(text, args->events);
    else
        text_add(text, "NULL");
    text_add(text, ")");
    names_add_result(text, call->result, call->error);
}

static int ep_ctl(struct poller *poller, int epfd, int op, int fd, unsigned want)
{
    uint64_t generation = poller->entries[fd].generation;
    struct epoll_event event = {.events = ep_events(want),
                                .data.u64 = generation << 32 | (uint32_t)fd};
    struct epoll_event *told = op == EPOLL_CTL_DEL ? NULL : &event;
    struct ep_args args = {{ep_print_ctl}, .epfd = epfd, .op = op, .fd = fd, .events = told};
    struct poller_call call = {.name = "epoll_ctl", .args = &args.base};
    int64_t begin = backend_begin(poller);

    call.result = epoll_ctl(epfd, op, fd, told);
    backend_end(poller, begin, &call);
    return (int)call.result;
}

/* Tells the kernel of what is wanted now. A one-shot that has fired stays so where that fails. */
static int ep_tell(struct poller *poller, int fd, int op, unsigned want)
{
    struct ep_state *state = poller->state;
    int result = ep_ctl(poller, state->fd, op, fd, want);

    if (result < 0 && op == EPOLL_CTL_ADD && errno == EEXIST)
        result = ep_ctl(poller, state->fd, EPOLL_CTL_MOD, fd, want);
    else if (result < 0 && op == EPOLL_CTL_MOD && errno == ENOENT)
        result = ep_ctl(poller, state->fd, EPOLL_CTL_ADD, fd, want);
    if (result == 0)
        poller->entries[fd].slot = ALWAYS_KERNEL;
    else if (errno == EPERM)
        result = always_set(poller, &state->always, fd, want);
    return result;
}

/* Puts a new instance in the place of the old one, under its number. A process that is out of
 * descriptors closes the old one first, and takes what number it gets. */
static int ep_renew(struct poller *poller)
{
    struct ep_state *state = poller->state;
    int fd = ep_create(poller);
    int result;

    if (fd < 0 && state->fd >= 0 && (errno == EMFILE || errno == ENFILE)) {
        close(state->fd);
        state->fd = -1;
        fd = ep_create(poller);
    }
    if (fd < 0)
        return -1;
    if (state->fd < 0) {
        state->fd = fd;
        return 0;
    }
    result = dup3(fd, state->fd, O_CLOEXEC);
    backend_close(fd);
    return result < 0 ? -1 : 0;
}

/* Fills a new instance. A one-shot that has fired stays out until it is modified. Where it fails
 * half way the next wait does it again: what is left out must not be silent. */
static int ep_rebuild(struct poller *poller)
{
    struct ep_state *state = poller->state;

    if (ep_renew(poller) < 0)
        return -1;
    for (int fd = 0; fd < poller->size; fd++) {
        const struct poller_entry *entry = &poller->entries[fd];

        if (entry->want != 0 && entry->slot == ALWAYS_KERNEL &&
            ep_tell(poller, fd, EPOLL_CTL_ADD, entry->want) < 0 && errno != EBADF)
            return -1;
    }
    state->is_stale = false;
    return 0;
}

static int ep_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct ep_state *state = poller->state;

    if (always_has(poller, fd))
        return always_set(poller, &state->always, fd, want);
    if (want != 0 && state->fd < 0 && ep_rebuild(poller) < 0)
        return -1;
    if (want != 0)
        return ep_tell(poller, fd, was == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, want);
    poller->entries[fd].slot = ALWAYS_KERNEL;
    ep_ctl(poller, state->fd, EPOLL_CTL_DEL, fd, 0);
    return 0; /* a closed descriptor is gone already, or is found by its generation */
}

static void ep_print_wait(struct text *text, const struct poller_call *call)
{
    const struct ep_args *args = (const struct ep_args *)call->args;

    text_add(text, "%s(%d, ", call->name, args->epfd);
    text_add(text, "[");
    for (int i = 0; i < call->result && i < EP_PRINTED; i++) {
        text_add(text, i > 0 ? ", " : "");
        ep_print_event(text, &args->events[i]);
    }
    text_add(text, "%s], %d, %d%s)", call->result > EP_PRINTED ? ", ..." : "", args->max,
             args->timeout_ms, EP_IS_PWAIT ? ", NULL, 8" : "");
    names_add_result(text, call->result, call->error);
}

static void ep_show_wait(struct poller *poller, int64_t begin, int n, int max, int64_t timeout_ns)
{
    struct ep_state *state = poller->state;
    struct ep_args args = {{ep_print_wait},
                           .epfd = state->fd,
                           .events = state->got,
                           .max = max,
                           .timeout_ms = backend_milliseconds(timeout_ns)};
    struct poller_call call = {.name = EP_IS_PWAIT ? "epoll_pwait" : "epoll_wait",
                               .is_wait = 1,
                               .result = n,
                               .timeout_ns = timeout_ns,
                               .args = &args.base};

    backend_end(poller, begin, &call);
}

static int ep_ask(struct poller *poller, int64_t timeout_ns, int max)
{
    struct ep_state *state = poller->state;
    int64_t begin = backend_begin(poller);
    int n = epoll_wait(state->fd, state->got, max, backend_milliseconds(timeout_ns));

    if (poller->observer)
        ep_show_wait(poller, begin, n, max, timeout_ns);
    return n;
}

/* Stores what the kernel reported, but for what is out of date; returns how many were stored. */
static int ep_collect(struct poller *poller, int n, struct poller_event *events)
{
    struct ep_state *state = poller->state;
    int stored = 0;

    for (int i = 0; i < n; i++) {
        const struct epoll_event *event = &state->got[i];
        int fd = (int)event->data.u32;
        struct poller_entry *entry = backend_entry(poller, fd);

        if (!entry || entry->generation != event->data.u64 >> 32) {
            state->is_stale = true;
            continue;
        }
        if (entry->want & POLLER_ONESHOT)
            entry->slot = ALWAYS_FIRED;
        events[stored++] =
            (struct poller_event){.fd = fd, .ready = ep_ready(event->events), .raw = event->events};
    }
    return stored;
}

static int ep_wait_kernel(struct poller *poller, int64_t timeout_ns, struct poller_event *events,
                          int max)
{
    struct ep_state *state = poller->state;
    int n;

    if (state->is_stale && ep_rebuild(poller) < 0)
        return -1;
    n = ep_ask(poller, timeout_ns, max < EP_BATCH ? max : EP_BATCH);
    if (n <= 0)
        return n;
    n = ep_collect(poller, n, events);
    if (n > 0)
        return n;
    errno = EINTR; /* all of it was out of date: what is not may be ready behind it */
    return -1;
}

static int ep_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct ep_state *state = poller->state;

    return always_wait(poller, &state->always, ep_wait_kernel, timeout_ns, events, max);
}

static int ep_fd(const struct poller *poller)
{
    errno = EBADF; /* where there is none now */
    return ((const struct ep_state *)poller->state)->fd;
}

/* epoll_ctl tells what is no epoll instance before it looks for the descriptor in it, which it does
 * not find. */
static int ep_check(int fd)
{
    int probe;

    if (!backend_is_open(fd))
        return -1;
    probe = epoll_create1(EPOLL_CLOEXEC);
    if (probe < 0)
        return -1;
    epoll_ctl(fd, EPOLL_CTL_DEL, probe, NULL);
    backend_close(probe);
    return errno == ENOENT ? 0 : -1;
}

/* Takes over FD, which is in the instance for EVENTS: from now on its events carry what ours do.
 * One that is asked for no hang-up has fired. A number that is closed by now, or another file, is
 * left out. */
static int ep_adopt_one(struct poller *poller, int fd, uint32_t events)
{
    unsigned want = ep_ready(events) | (events & EPOLLET ? POLLER_EDGE : 0u) |
                    (events & EPOLLONESHOT ? POLLER_ONESHOT : 0u);
    bool has_fired = (events & EPOLLHUP) == 0;

    if (backend_take_in(poller, fd, want) < 0)
        return errno == EBADF ? 0 : -1;
    if (has_fired)
        poller->entries[fd].slot = ALWAYS_FIRED;
    if (has_fired || ep_ctl(poller, ep_fd(poller), EPOLL_CTL_MOD, fd, want) == 0)
        return 0;
    if (errno != EBADF && errno != ENOENT && errno != EPERM)
        return -1;
    poller_remove(poller, fd);
    return 0;
}

/* What EPOLL_CTL_MOD does not do, as EPOLLEXCLUSIVE, or what a poller cannot be asked for is seen
 * before anything is changed. */
static int ep_adopt_check(struct poller *poller, int fd, uint32_t events)
{
    (void)poller;
    (void)fd;
    errno = ENOTSUP;
    return events & ~(uint32_t)EP_KNOWN ? -1 : 0;
}

/* The kernel says what is in it: proc_pid_fdinfo(5). */
static int ep_each(struct poller *poller, FILE *info,
                   int (*one)(struct poller *poller, int fd, uint32_t events))
{
    char line[256];
    unsigned events;
    int result = 0;
    int fd;

    rewind(info);
    while (result == 0 && fgets(line, sizeof line, info))
        if (sscanf(line, "tfd: %d events: %x", &fd, &events) == 2)
            result = one(poller, fd, events);
    return ferror(info) ? -1 : result;
}

static int ep_adopt(struct poller *poller, int fd)
{
    char path[64];
    FILE *info;
    int result;

    if (ep_check(fd) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "re");
    if (!info) {
        errno = errno == ENOENT ? ENOTSUP : errno;
        return -1;
    }
    result = ep_begin(poller, fd);
    if (result == 0 && (result = ep_each(poller, info, ep_adopt_check)) == 0)
        result = ep_each(poller, info, ep_adopt_one);
    if (result < 0 && poller->state)
        ep_free(poller);
    fclose(info);
    return result;
}

const struct poller_backend backend_epoll = {
    .name = "epoll",
    .summary = "epoll(7): the kernel keeps the list",
    .supports = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_RDHUP | POLLER_EDGE | POLLER_ONESHOT,
    .native = POLLER_EDGE | POLLER_ONESHOT,
    .unit_ns = CLOCK_MILLISECOND,
    .open = ep_open,
    .close = ep_close,
    .set = ep_set,
    .wait = ep_wait,
    .fd = ep_fd,
    .adopt = ep_adopt,
};

#else

const struct poller_backend backend_epoll = {
    .name = "epoll",
    .summary = "epoll(7): the kernel keeps the list",
    .missing = "epoll is Linux's own",
};

#endif
