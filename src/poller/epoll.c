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
#include "poller/backend.h"
#include "poller/names.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
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

/* Values of an entry's slot; from 1 up it is the place in the list of those always ready, + 1. */
enum { EP_FIRED = -2, EP_SILENT = -1, EP_KERNEL = 0 };

struct ep_state {
    int fd;
    int *always; /* descriptors that the kernel refused with EPERM, and that are wanted */
    int always_count;
    int always_capacity;
    int always_next;   /* where the next scan of them starts */
    bool always_first; /* whose turn it is, so that neither sort starves the other */
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

static int ep_open(struct poller *poller)
{
    struct ep_state *state = calloc(1, sizeof *state);

    if (!state)
        return -1;
    state->fd = ep_create(poller);
    if (state->fd < 0) {
        free(state);
        return -1;
    }
    poller->state = state;
    return 0;
}

static void ep_close(struct poller *poller)
{
    struct ep_state *state = poller->state;

    close(state->fd);
    free(state->always);
    free(state);
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

static unsigned ep_ready(uint32_t events)
{
    unsigned ready = 0;

    if (events & EPOLLIN)
        ready |= POLLER_IN;
    if (events & EPOLLOUT)
        ready |= POLLER_OUT;
    if (events & EPOLLPRI)
        ready |= POLLER_PRI;
    if (events & EPOLLERR)
        ready |= POLLER_ERR;
    if (events & EPOLLHUP)
        ready |= POLLER_HUP;
    if (events & EPOLLRDHUP)
        ready |= POLLER_RDHUP;
    return ready;
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

static int ep_always_insert(struct poller *poller, int fd)
{
    struct ep_state *state = poller->state;
    int capacity = state->always_capacity ? 2 * state->always_capacity : 4;
    int *always;

    if (state->always_count == state->always_capacity) {
        always = realloc(state->always, (size_t)capacity * sizeof *always);
        if (!always)
            return -1;
        state->always = always;
        state->always_capacity = capacity;
    }
    state->always[state->always_count++] = fd;
    poller->entries[fd].slot = state->always_count;
    return 0;
}

static void ep_always_delete(struct poller *poller, int fd, int slot)
{
    struct ep_state *state = poller->state;
    int index = poller->entries[fd].slot - 1;
    int last = state->always[--state->always_count];

    state->always[index] = last;
    poller->entries[last].slot = index + 1;
    poller->entries[fd].slot = slot;
}

/* As ep_set, for one that is always ready. */
static int ep_always_set(struct poller *poller, int fd, unsigned want)
{
    struct poller_entry *entry = &poller->entries[fd];
    bool wanted = (want & (POLLER_IN | POLLER_OUT)) != 0;

    if (entry->slot <= EP_KERNEL && wanted)
        return ep_always_insert(poller, fd);
    if (entry->slot > EP_KERNEL && !wanted)
        ep_always_delete(poller, fd, EP_SILENT);
    if (want == 0)
        entry->slot = EP_KERNEL;
    return 0;
}

static int ep_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct ep_state *state = poller->state;
    struct poller_entry *entry = &poller->entries[fd];
    int op = was == 0 ? EPOLL_CTL_ADD : want == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    int result;

    if (entry->slot > EP_KERNEL || entry->slot == EP_SILENT)
        return ep_always_set(poller, fd, want);
    entry->slot = EP_KERNEL;
    result = ep_ctl(poller, state->fd, op, fd, want);
    if (op == EPOLL_CTL_DEL)
        return 0; /* a closed descriptor is gone already, or is found by its generation */
    if (result < 0 && op == EPOLL_CTL_ADD && errno == EEXIST)
        result = ep_ctl(poller, state->fd, EPOLL_CTL_MOD, fd, want);
    else if (result < 0 && op == EPOLL_CTL_MOD && errno == ENOENT)
        result = ep_ctl(poller, state->fd, EPOLL_CTL_ADD, fd, want);
    if (result < 0 && errno == EPERM) {
        entry->slot = EP_SILENT;
        result = ep_always_set(poller, fd, want);
        if (result < 0)
            entry->slot = EP_KERNEL; /* or the next file of this number would be taken for one */
    }
    return result;
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

static int ep_ask(struct poller *poller, int64_t timeout_ns, int max)
{
    struct ep_state *state = poller->state;
    int timeout_ms = backend_milliseconds(timeout_ns);
    struct ep_args args = {{ep_print_wait},
                           .epfd = state->fd,
                           .events = state->got,
                           .max = max,
                           .timeout_ms = timeout_ms};
    struct poller_call call = {.name = EP_IS_PWAIT ? "epoll_pwait" : "epoll_wait",
                               .is_wait = 1,
                               .timeout_ns = timeout_ns,
                               .args = &args.base};
    int64_t begin = backend_begin(poller);
    int n = epoll_wait(state->fd, state->got, max, timeout_ms);

    call.result = n;
    backend_end(poller, begin, &call);
    return n;
}

/* Fills a new instance in the place of the old one, which is closed first: so a process that is out
 * of descriptors can do it too. A one-shot that has fired stays out until it is modified. */
static int ep_rebuild(struct poller *poller)
{
    struct ep_state *state = poller->state;

    close(state->fd);
    state->fd = ep_create(poller);
    if (state->fd < 0)
        return -1;
    for (int fd = 0; fd < poller->size; fd++) {
        const struct poller_entry *entry = &poller->entries[fd];

        if (entry->want != 0 && entry->slot == EP_KERNEL &&
            ep_set(poller, fd, 0, entry->want) < 0 && errno != EBADF)
            return -1;
    }
    return 0;
}

/* Stores what the kernel reported; what is out of date is left out and counted in *STALE. */
static int ep_collect(struct poller *poller, int n, struct poller_event *events, int *stale)
{
    struct ep_state *state = poller->state;
    int stored = 0;

    for (int i = 0; i < n; i++) {
        const struct epoll_event *event = &state->got[i];
        int fd = (int)event->data.u32;
        struct poller_entry *entry = &poller->entries[fd];

        if (!entry->is_in || entry->generation != event->data.u64 >> 32) {
            ++*stale;
            continue;
        }
        if (entry->want & POLLER_ONESHOT)
            entry->slot = EP_FIRED;
        events[stored++] =
            (struct poller_event){.fd = fd, .ready = ep_ready(event->events), .raw = event->events};
    }
    return stored;
}

static int ep_wait_kernel(struct poller *poller, int64_t timeout_ns, struct poller_event *events,
                          int max)
{
    int stale = 0;
    int n = ep_ask(poller, timeout_ns, max < EP_BATCH ? max : EP_BATCH);

    if (n > 0)
        n = ep_collect(poller, n, events, &stale);
    if (stale > 0 && ep_rebuild(poller) < 0 && n == 0)
        return -1;
    return n;
}

/* Stores those that are always ready. Edge and one-shot report them once, until poller_modify; one
 * that was closed is not a file any more, and would be ready for ever. */
static int ep_always_collect(struct poller *poller, struct poller_event *events, int max)
{
    struct ep_state *state = poller->state;
    int count = state->always_count < max ? state->always_count : max;

    for (int i = 0; i < count; i++) {
        int index = state->always_next < state->always_count ? state->always_next : 0;
        int fd = state->always[index];
        unsigned want = poller->entries[fd].want;

        events[i] = (struct poller_event){.fd = fd, .ready = POLLER_INVALID};
        if (backend_is_open(fd))
            events[i].ready = want & (POLLER_IN | POLLER_OUT);
        if (want & (POLLER_EDGE | POLLER_ONESHOT))
            ep_always_delete(poller, fd, EP_SILENT);
        else
            index++;
        state->always_next = index;
    }
    return count;
}

static int ep_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct ep_state *state = poller->state;
    int first = 0;
    int n = 0;

    if (state->always_count == 0)
        return ep_wait_kernel(poller, timeout_ns, events, max);
    state->always_first = !state->always_first;
    if (state->always_first)
        first = ep_always_collect(poller, events, max);
    if (first < max)
        n = ep_wait_kernel(poller, 0, events + first, max - first);
    if (n < 0)
        n = 0; /* the ones always ready are there all the same */
    if (!state->always_first && n < max)
        n += ep_always_collect(poller, events + n, max - n);
    return first + n;
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
};

#else

const struct poller_backend backend_epoll = {
    .name = "epoll",
    .summary = "epoll(7): the kernel keeps the list",
    .missing = "epoll is Linux's own",
};

#endif
