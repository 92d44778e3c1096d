/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "poller/names.h"
#include "poller/pollset.h"

/* Newer architectures have no poll system call: libc makes ppoll of it. */
#if defined SYS_ppoll && !defined SYS_poll
enum { POLLSET_IS_PPOLL = 1 };
#else
enum { POLLSET_IS_PPOLL = 0 };
#endif

enum { POLLSET_FIRST = 16, POLLSET_PRINTED = 32 };

/* What a poll() was given; its results stand in the same array afterwards. */
struct pollset_args {
    struct poller_call_args base;
    const struct pollfd *fds;
    int count;
    int timeout_ms;
};

int pollset_open(struct poller *poller)
{
    poller->state = calloc(1, sizeof(struct pollset));
    return poller->state ? 0 : -1;
}

void pollset_close(struct poller *poller)
{
    struct pollset *set = poller->state;

    free(set->fds);
    free(set);
}

short pollset_events(unsigned want)
{
    unsigned events = 0;

    if (want & POLLER_IN)
        events |= POLLIN;
    if (want & POLLER_OUT)
        events |= POLLOUT;
    if (want & POLLER_PRI)
        events |= POLLPRI;
#ifdef POLLRDHUP
    if (want & POLLER_RDHUP)
        events |= POLLRDHUP;
#endif
    return (short)events;
}

unsigned pollset_ready(unsigned revents)
{
    unsigned ready = 0;

    if (revents & POLLIN)
        ready |= POLLER_IN;
    if (revents & POLLOUT)
        ready |= POLLER_OUT;
    if (revents & POLLPRI)
        ready |= POLLER_PRI;
    if (revents & POLLERR)
        ready |= POLLER_ERR;
    if (revents & POLLHUP)
        ready |= POLLER_HUP;
    if (revents & POLLNVAL)
        ready |= POLLER_INVALID;
#ifdef POLLRDHUP
    if (revents & POLLRDHUP)
        ready |= POLLER_RDHUP;
#endif
    return ready;
}

static int pollset_insert(struct poller *poller, int fd)
{
    struct pollset *set = poller->state;
    int capacity = set->capacity ? 2 * set->capacity : POLLSET_FIRST;
    struct pollfd *fds;

    if (!backend_is_open(fd))
        return -1; /* EBADF; poll(2) itself would tell only later, by POLLNVAL */
    if (set->count == set->capacity) {
        fds = realloc(set->fds, (size_t)capacity * sizeof *fds);
        if (!fds)
            return -1;
        set->fds = fds;
        set->capacity = capacity;
    }
    poller->entries[fd].slot = set->count;
    set->fds[set->count++] = (struct pollfd){.fd = fd};
    return 0;
}

/* The last entry takes the place of the removed one. */
static void pollset_delete(struct poller *poller, int slot)
{
    struct pollset *set = poller->state;
    struct pollfd last = set->fds[--set->count];

    set->fds[slot] = last;
    poller->entries[last.fd].slot = slot;
}

int pollset_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct pollset *set = poller->state;

    if (was == 0 && pollset_insert(poller, fd) < 0)
        return -1;
    if (want == 0)
        pollset_delete(poller, poller->entries[fd].slot);
    else
        set->fds[poller->entries[fd].slot].events = pollset_events(want);
    return 0;
}

static void pollset_print_timeout(struct text *text, int timeout_ms)
{
    if (!POLLSET_IS_PPOLL)
        text_add(text, "%d", timeout_ms);
    else if (timeout_ms < 0)
        text_add(text, "NULL, NULL, 0");
    else
        text_add(text, "{tv_sec=%d, tv_nsec=%d}, NULL, 0", timeout_ms / 1000,
                 timeout_ms % 1000 * (int)CLOCK_MILLISECOND);
}

static void pollset_print_ready(struct text *text, const struct pollset_args *args)
{
    const char *separator = "";

    text_add(text, " ([");
    for (int i = 0; i < args->count; i++)
        if (args->fds[i].revents != 0) {
            text_add(text, "%s{fd=%d, revents=", separator, args->fds[i].fd);
            names_add_flags(text, names_poll, (unsigned short)args->fds[i].revents);
            text_add(text, "}");
            separator = ", ";
        }
    text_add(text, "])");
}

static void pollset_print(struct text *text, const struct poller_call *call)
{
    const struct pollset_args *args = (const struct pollset_args *)call->args;

    text_add(text, "%s(%s", call->name, args->fds ? "[" : "NULL");
    for (int i = 0; i < args->count && i < POLLSET_PRINTED; i++) {
        text_add(text, "%s{fd=%d, events=", i > 0 ? ", " : "", args->fds[i].fd);
        names_add_flags(text, names_poll, (unsigned short)args->fds[i].events);
        text_add(text, "}");
    }
    text_add(text, "%s%s, %d, ", args->count > POLLSET_PRINTED ? ", ..." : "", args->fds ? "]" : "",
             args->count);
    pollset_print_timeout(text, args->timeout_ms);
    text_add(text, ")");
    names_add_result(text, call->result, call->error);
    if (call->result == 0)
        text_add(text, " (Timeout)");
    else if (call->result > 0)
        pollset_print_ready(text, args);
}

int pollset_ask(struct poller *poller, struct pollfd *fds, int count, int timeout_ms)
{
    struct pollset_args args = {{pollset_print}, fds, count, timeout_ms};
    struct poller_call call = {.name = POLLSET_IS_PPOLL ? "ppoll" : "poll",
                               .is_wait = 1,
                               .timeout_ns = timeout_ms < 0 ? -1 : timeout_ms * CLOCK_MILLISECOND,
                               .args = &args.base};
    int64_t begin = backend_begin(poller);
    int n = poll(fds, (nfds_t)count, timeout_ms);

    call.result = n;
    backend_end(poller, begin, &call);
    return n;
}

/* Goes on from where STORED events are stored, with the slots from FIRST to LAST, until there are
 * N; returns how many there are then. */
static int pollset_scan(struct pollset *set, int first, int last, struct poller_event *events,
                        int stored, int n)
{
    for (int slot = first; slot < last && stored < n; slot++) {
        const struct pollfd *pfd = &set->fds[slot];

        if (pfd->revents == 0)
            continue;
        events[stored++] = (struct poller_event){.fd = pfd->fd,
                                                 .ready = pollset_ready((unsigned)pfd->revents),
                                                 .raw = (unsigned short)pfd->revents};
        set->next = slot + 1;
    }
    return stored;
}

int pollset_collect(struct pollset *set, int n, struct poller_event *events, int max)
{
    int first = set->next < set->count ? set->next : 0;
    int stored;

    if (n > max)
        n = max;
    stored = pollset_scan(set, first, set->count, events, 0, n);
    return pollset_scan(set, 0, first, events, stored, n);
}
