/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kqueue(2): the kernel keeps the list between the waits and returns only what is ready. What it
 * lists are filters, one for reading and one for writing, so what it says of one descriptor is put
 * together here. An event's raw holds the EV_ flags of all its filters.
 *
 * Its surprises, and what is done here about each:
 *
 * EV_EOF for reading is said of a peer that will send no more and of one that is gone, and a
 * pending error may show as nothing to read. So where the flags do not tell, poll(2) is asked.
 *
 * There is no filter for a hang-up alone. Where neither reading nor writing is wanted both filters
 * are in the list as edges, and are heard only at the end; what was told is then asked for anew, so
 * that it stays true as long as it is so.
 *
 * EV_ADD over a filter that is there leaves its EV_CLEAR as it was: it is deleted first.
 *
 * A closed descriptor is forgotten without a word. A regular file is not ready at its end, and some
 * systems refuse /dev/null: both are kept in a list of our own, and so is a pipe that nobody reads,
 * which is refused with EPIPE.
 *
 * A child of fork(2) does not have it: there the number may be another file by the time of close.
 *
 * libkqueue, which is this over epoll(7), does not notice a close. What was closed before it was
 * removed would stay in its tables, so a new kqueue takes its place. Its descriptor cannot be
 * waited for. And it takes a socket's pending error with SO_ERROR to put it into fflags.
 */
#include "config.h"

#include "poller/backend.h"

#ifdef HAVE_KQUEUE_BACKEND

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <sys/event.h>

#include "base/clock.h"
#include "poller/always.h"
#include "poller/names.h"
#include "poller/pollset.h"

#ifndef EV_DISPATCH
#define EV_DISPATCH 0
#endif

#ifdef LIBKQUEUE
enum { KQ_IS_EMULATED = 1 };
#else
enum { KQ_IS_EMULATED = 0 };
#endif

#ifdef POLLRDHUP
enum { KQ_POLL_HAS_RDHUP = 1 };
#else
enum { KQ_POLL_HAS_RDHUP = 0 };
#endif

#if defined EVFILT_EXCEPT && defined NOTE_OOB
#define KQ_HAS_EXCEPT
enum { KQ_PRI = POLLER_PRI };
#else
enum { KQ_PRI = 0 };
#endif

enum {
    /* libkqueue takes no more. Of as many epoll events it makes two each, and what does not fit
     * then is lost: a level comes again, an edge does not. */
    KQ_BATCH = 512,
    KQ_SWEEP = 128, /* so few that with all their filters they do not fill a batch */
    KQ_PRINTED = 32,
    KQ_ANY = POLLER_IN | POLLER_OUT | KQ_PRI,
    KQ_UNSURE = 1 << 16, /* in an event's ready: poll(2) has to be asked */
    KQ_PLACE = -3        /* in an entry's slot, and below: where its event stands in this wait */
};

enum kq_kind { KQ_STREAM, KQ_FILE, KQ_DEVICE };

/* Longer waits are cut: some systems refuse them, and libkqueue counts in an int. */
static const int64_t kq_longest_ns = 1000000 * CLOCK_SECOND;

struct kq_filter {
    unsigned want;
    struct kevent asked;
};

/* Reading is added last: of the epoll flags of two filters libkqueue keeps the later one's, and
 * that for reading has EPOLLRDHUP. */
static const struct kq_filter kq_filters[] = {
#ifdef KQ_HAS_EXCEPT
    {POLLER_PRI, {.filter = EVFILT_EXCEPT, .fflags = NOTE_OOB}},
#endif
    {POLLER_OUT, {.filter = EVFILT_WRITE}},
    {POLLER_IN, {.filter = EVFILT_READ}},
};

enum { KQ_FILTERS = sizeof kq_filters / sizeof *kq_filters };

struct kq_state {
    int fd;
    pid_t owner;
    bool is_adopted; /* what is in it is known only when it is reported */
    bool is_stale;   /* libkqueue holds what was closed */
    bool has_dead;   /* there may be a pipe without a reader among those always ready */
    unsigned turn;   /* which event is the first of the next wait */
    int unswept;     /* of how many entries edges may be lost: they are asked for anew, ... */
    int sweep;       /* ... from this one on, and round */
    bool is_odd;     /* whether the next half of an entry makes a whole one */
    struct always always;
    struct kevent got[KQ_BATCH];
    struct poller_event merged[KQ_BATCH];
};

struct kq_args {
    struct poller_call_args base;
    int kq;
    const struct kevent *changes;
    int change_count;
    const struct kevent *events;
    int max;
    const struct timespec *timeout;
};

static void kq_print_kqueue(struct text *text, const struct poller_call *call)
{
    text_add(text, "kqueue()");
    names_add_result(text, call->result, call->error);
}

static int kq_create(struct poller *poller)
{
    struct poller_call_args args = {kq_print_kqueue};
    struct poller_call call = {.name = "kqueue", .args = &args};
    int64_t begin = backend_begin(poller);
    int fd = kqueue();

    call.result = fd;
    backend_end(poller, begin, &call);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static int kq_begin(struct poller *poller, int fd)
{
    struct kq_state *state = calloc(1, sizeof *state);

    if (!state)
        return -1;
    state->fd = fd;
    state->owner = getpid();
    poller->state = state;
    return 0;
}

static int kq_open(struct poller *poller)
{
    int fd = kq_create(poller);

    if (fd < 0)
        return -1;
    if (kq_begin(poller, fd) == 0)
        return 0;
    close(fd);
    errno = ENOMEM;
    return -1;
}

static void kq_close(struct poller *poller)
{
    struct kq_state *state = poller->state;

    if (state->owner == getpid())
        close(state->fd);
    always_fini(&state->always);
    free(state);
}

/* With EV_EOF the filters of descriptors have an errno in fflags, or 0. */
static void kq_print_fflags(struct text *text, const struct kevent *event)
{
    bool is_stream = event->filter == EVFILT_READ || event->filter == EVFILT_WRITE;

    if (is_stream && (event->flags & EV_EOF))
        names_add_errno(text, (int)event->fflags);
    else
        names_add_notes(text, (int)event->filter, (unsigned)event->fflags);
}

static void kq_print_list(struct text *text, const struct kevent *events, int count)
{
    text_add(text, "[");
    for (int i = 0; i < count && i < KQ_PRINTED; i++) {
        text_add(text, "%s{ident=%lld, filter=", i > 0 ? ", " : "", (long long)events[i].ident);
        names_add_filter(text, (int)events[i].filter);
        text_add(text, ", flags=");
        names_add_flags(text, names_kqueue, (unsigned)events[i].flags);
        text_add(text, ", fflags=");
        kq_print_fflags(text, &events[i]);
        text_add(text, ", data=%lld, udata=%#llx}", (long long)events[i].data,
                 (unsigned long long)(uintptr_t)events[i].udata);
    }
    text_add(text, count > KQ_PRINTED ? ", ...]" : "]");
}

static void kq_print_kevent(struct text *text, const struct poller_call *call)
{
    const struct kq_args *args = (const struct kq_args *)call->args;

    text_add(text, "kevent(%d, ", args->kq);
    kq_print_list(text, args->changes, args->change_count);
    text_add(text, ", %d, ", args->change_count);
    kq_print_list(text, args->events, call->result > 0 ? (int)call->result : 0);
    text_add(text, ", %d, ", args->max);
    if (args->timeout)
        text_add(text, "{tv_sec=%lld, tv_nsec=%ld})", (long long)args->timeout->tv_sec,
                 (long)args->timeout->tv_nsec);
    else
        text_add(text, "NULL)");
    names_add_result(text, call->result, call->error);
}

/* Does FLAGS with FILTER of IDENT: a call of its own, so that an error is its result. */
static int kq_change(struct poller *poller, uintptr_t ident, const struct kevent *filter,
                     unsigned flags)
{
    struct kq_state *state = poller->state;
    struct kevent change = *filter;
    struct kq_args args = {
        {kq_print_kevent}, .kq = state->fd, .changes = &change, .change_count = 1};
    struct poller_call call = {.name = "kevent", .args = &args.base};
    int64_t begin;

    change.ident = ident;
    change.flags = (__typeof__(change.flags))flags;
    if (flags & EV_ADD)
        change.udata = (__typeof__(change.udata))(uintptr_t)poller->entries[ident].generation;
    begin = backend_begin(poller);
    call.result = kevent(state->fd, &change, 1, NULL, 0, NULL);
    backend_end(poller, begin, &call);
    return (int)call.result;
}

/* Whether the filters are there for the end alone. */
static bool kq_is_quiet(unsigned want)
{
    return !(want & POLLER_IN) && (!(want & POLLER_OUT) || (want & POLLER_RDHUP));
}

/* The filters that WANT takes. */
static unsigned kq_asked(unsigned want)
{
    if (want == 0)
        return 0;
    return (want & KQ_ANY) | (kq_is_quiet(want) ? POLLER_IN | POLLER_OUT : 0u);
}

static bool kq_is_edge(unsigned want)
{
    return (want & POLLER_EDGE) || kq_is_quiet(want);
}

/* Takes the filters ASKED away; those of what was closed are gone already. */
static void kq_disarm(struct poller *poller, int fd, unsigned asked)
{
    for (int i = 0; i < KQ_FILTERS; i++)
        if (asked & kq_filters[i].want)
            kq_change(poller, (uintptr_t)fd, &kq_filters[i].asked, EV_DELETE);
}

/* How the systems say that a filter does not go with this sort of file. */
static bool kq_is_refusal(int error)
{
    return error == EPERM || error == EINVAL || error == ENODEV || error == ENOTSUP ||
           error == EOPNOTSUPP;
}

/* Adds the filters that WANT takes, all or none. What is not for data may be refused: then this
 * sort of file has no such thing. */
static int kq_arm(struct poller *poller, int fd, unsigned want)
{
    unsigned flags = EV_ADD | (kq_is_edge(want) ? EV_CLEAR : 0u);
    unsigned asked = kq_asked(want);
    int error;

    for (int i = 0; i < KQ_FILTERS; i++) {
        const struct kq_filter *filter = &kq_filters[i];

        if (!(asked & filter->want) || kq_change(poller, (uintptr_t)fd, &filter->asked, flags) == 0)
            continue;
        if (kq_is_refusal(errno) && !(want & filter->want & (POLLER_IN | POLLER_OUT)))
            continue;
        error = errno;
        kq_disarm(poller, fd, asked);
        errno = error;
        return -1;
    }
    return 0;
}

/* Keeps FD, which the kernel has refused, in the list of our own: poll(2) says what it is. */
static int kq_keep(struct poller *poller, int fd, unsigned want)
{
    struct kq_state *state = poller->state;

    state->has_dead = true;
    return always_set(poller, &state->always, fd, want | POLLER_OUT);
}

/* Asks for FD, whose slot is no place in a wait, once more. Where that fails it must not be silent:
 * the list tells of an edge once only, so the next wait tries that again. */
static int kq_arm_anew(struct poller *poller, int fd, unsigned want)
{
    struct kq_state *state = poller->state;

    kq_disarm(poller, fd, kq_asked(want));
    if (kq_arm(poller, fd, want) == 0 || errno == EBADF)
        return 0;
    if (errno == EPIPE || !kq_is_edge(want))
        return kq_keep(poller, fd, want);
    state->unswept = poller->size;
    return -1;
}

/* Puts a new kqueue in the place of libkqueue's, and fills it. */
static int kq_rebuild(struct poller *poller)
{
    struct kq_state *state = poller->state;
    int fd = kq_create(poller);

    if (fd < 0)
        return -1;
    close(state->fd);
    state->fd = fd;
    for (fd = 0; fd < poller->size; fd++) {
        const struct poller_entry *entry = &poller->entries[fd];

        if (entry->want != 0 && !always_has(poller, fd) && kq_arm(poller, fd, entry->want) < 0 &&
            errno != EBADF)
            return -1;
    }
    state->is_stale = false;
    return 0;
}

/* Whether it has to be made anew for what was closed. What is not known could not be put into it.
 */
static bool kq_gets_stale(const struct kq_state *state)
{
    return KQ_IS_EMULATED && !state->is_adopted;
}

/* Takes FD away, and out of an adopted kqueue what has not reported yet, too. libkqueue would free
 * what its epoll instance goes on to report. */
static int kq_forget(struct poller *poller, int fd, unsigned was)
{
    struct kq_state *state = poller->state;

    if (was != 0 && kq_gets_stale(state) && !backend_is_open(fd))
        state->is_stale = true;
    else
        kq_disarm(poller, fd, state->is_adopted ? KQ_ANY : kq_asked(was));
    return always_set(poller, &state->always, fd, 0);
}

/* Says of what sort the file is, or returns -1 with EBADF, as for a mere path, of which fstat(2)
 * knows. A terminal is no device here: it makes its reader wait. */
static int kq_find_kind(int fd, enum kq_kind *kind)
{
    struct stat info;

    if (!backend_is_open(fd) || fstat(fd, &info) < 0)
        return -1;
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode))
        *kind = KQ_FILE;
    else
        *kind = S_ISCHR(info.st_mode) && !isatty(fd) ? KQ_DEVICE : KQ_STREAM;
    return 0;
}

/* The filters to be deleted before those for WANT are added. */
static unsigned kq_obsolete(const struct kq_state *state, unsigned was, unsigned want)
{
    if (state->is_adopted)
        return KQ_ANY;
    if (KQ_IS_EMULATED || kq_is_edge(was) || kq_is_edge(want))
        return kq_asked(was);
    return kq_asked(was) & ~kq_asked(want);
}

/* Watches FD, of which the kernel has WAS. What is in the list stays there until it is taken. */
static int kq_watch(struct poller *poller, int fd, enum kq_kind kind, unsigned was, unsigned want)
{
    struct kq_state *state = poller->state;

    kq_disarm(poller, fd, kq_obsolete(state, was, want));
    if (kind == KQ_FILE)
        return always_set(poller, &state->always, fd, want);
    if (kq_arm(poller, fd, want) == 0)
        return always_set(poller, &state->always, fd, 0);
    if (errno == EPIPE)
        return kq_keep(poller, fd, want);
    if (kind == KQ_DEVICE && kq_is_refusal(errno))
        return always_set(poller, &state->always, fd, want);
    return -1;
}

static int kq_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct kq_state *state = poller->state;
    enum kq_kind kind;
    int error;

    if (always_has(poller, fd))
        was = 0;
    if (want == 0)
        return kq_forget(poller, fd, was);
    if (kq_find_kind(fd, &kind) < 0) {
        state->is_stale |= was != 0 && kq_gets_stale(state);
        return -1;
    }
    if (state->is_stale && kq_rebuild(poller) < 0)
        return -1;
    if (kq_watch(poller, fd, kind, was, want) == 0)
        return 0;
    error = errno;
    if (was != 0)
        kq_arm_anew(poller, fd, was);
    errno = error;
    return -1;
}

static int kq_ask(struct poller *poller, int64_t timeout_ns)
{
    struct kq_state *state = poller->state;
    int64_t limit_ns = timeout_ns < kq_longest_ns ? timeout_ns : kq_longest_ns;
    struct timespec limit = {(time_t)(limit_ns / CLOCK_SECOND), (long)(limit_ns % CLOCK_SECOND)};
    struct timespec *timeout = timeout_ns < 0 ? NULL : &limit;
    struct kq_args args = {{kq_print_kevent},
                           .kq = state->fd,
                           .events = state->got,
                           .max = KQ_BATCH,
                           .timeout = timeout};
    struct poller_call call = {
        .name = "kevent", .is_wait = 1, .timeout_ns = limit_ns, .args = &args.base};
    int64_t begin = backend_begin(poller);
    int n = kevent(state->fd, NULL, 0, state->got, KQ_BATCH, timeout);

    call.result = n;
    backend_end(poller, begin, &call);
    return n;
}

static const struct kq_filter *kq_filter_of(const struct kevent *event)
{
    for (int i = 0; i < KQ_FILTERS; i++)
        if (kq_filters[i].asked.filter == event->filter)
            return &kq_filters[i];
    return NULL;
}

/* Returns the entry that asked for EVENT; NULL: none. */
static struct poller_entry *kq_entry(struct poller *poller, const struct kevent *event)
{
    struct poller_entry *entry = backend_entry(poller, (int)event->ident);
    const struct kq_filter *filter = kq_filter_of(event);

    if (entry && filter && (kq_asked(entry->want) & filter->want) &&
        (uintptr_t)event->udata == entry->generation)
        return entry;
    return NULL;
}

/* The trigger flags that FLAGS of an adopted filter stand for. */
static unsigned kq_trigger(unsigned flags)
{
    return (flags & EV_CLEAR ? POLLER_EDGE : 0u) |
           (flags & (EV_ONESHOT | EV_DISPATCH) ? POLLER_ONESHOT : 0u);
}

/* Takes in what was in an adopted kqueue, now that it is known, and makes EVENT one of ours. What
 * can be no event of ours is taken out. */
static void kq_take_in(struct poller *poller, struct kevent *event)
{
    const struct kq_filter *filter = kq_filter_of(event);
    struct poller_entry *entry = backend_entry(poller, (int)event->ident);
    void *data = entry ? entry->data : NULL;
    unsigned want = entry ? entry->want : 0;
    int fd = (int)event->ident;

    if (!filter) {
        kq_change(poller, event->ident, event, EV_DELETE);
        return;
    }
    want |= filter->want | kq_trigger((unsigned)event->flags);
    if (backend_take_in(poller, fd, want) < 0)
        return;
    entry = &poller->entries[fd];
    entry->data = data;
    event->udata = (__typeof__(event->udata))(uintptr_t)entry->generation;
    kq_arm_anew(poller, fd, want);
}

static void kq_take_in_all(struct poller *poller, int n)
{
    struct kq_state *state = poller->state;

    for (int i = 0; i < n; i++)
        if (!kq_entry(poller, &state->got[i]))
            kq_take_in(poller, &state->got[i]);
}

/* What one filter says. */
static unsigned kq_ready(const struct kevent *event)
{
    unsigned ready = kq_filter_of(event)->want;
    bool is_end = (ready & (POLLER_IN | POLLER_OUT)) && (event->flags & EV_EOF);

    if (is_end && event->fflags != 0)
        ready |= POLLER_ERR;
    if (is_end && event->filter == EVFILT_READ)
        ready |= POLLER_RDHUP;
    if (is_end || (event->filter == EVFILT_READ && event->data == 0))
        ready |= KQ_UNSURE;
    return ready;
}

/* Puts together what the filters say of each descriptor. Returns of how many. */
static int kq_merge(struct poller *poller, int n)
{
    struct kq_state *state = poller->state;
    int count = 0;

    for (int i = 0; i < n; i++) {
        const struct kevent *got = &state->got[i];
        struct poller_entry *entry = kq_entry(poller, got);
        struct poller_event *event;

        state->is_stale |= !entry && kq_gets_stale(state);
        if (!entry || always_has(poller, (int)got->ident))
            continue;
        if (entry->slot > KQ_PLACE) {
            entry->slot = KQ_PLACE - count;
            state->merged[count++] = (struct poller_event){.fd = (int)got->ident};
        }
        event = &state->merged[KQ_PLACE - entry->slot];
        event->ready |= kq_ready(got);
        event->raw |= (unsigned)got->flags;
    }
    for (int i = 0; i < count; i++)
        poller->entries[state->merged[i].fd].slot = ALWAYS_KERNEL;
    return count;
}

static bool kq_is_socket(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

/* Asks poll(2) about EVENT. Where that has no POLLRDHUP, EV_EOF is that word; macOS's knows no
 * devices, and for those the flags count. */
static unsigned kq_truth(struct poller *poller, const struct poller_event *event, unsigned want)
{
    struct pollfd pfd = {.fd = event->fd, .events = pollset_events(want)};
    unsigned told = event->ready & (KQ_ANY | POLLER_ERR);
    unsigned half = 0;

    if (pollset_ask(poller, &pfd, 1, 0) < 0)
        return told;
    if (!KQ_POLL_HAS_RDHUP && (event->ready & POLLER_RDHUP) && kq_is_socket(event->fd))
        half = POLLER_RDHUP;
    if (!(pfd.revents & POLLNVAL))
        return pollset_ready((unsigned)pfd.revents) | (told & POLLER_ERR) | half;
    if (!backend_is_open(event->fd))
        return 0;
    return told | (event->raw & EV_EOF ? POLLER_HUP : 0u);
}

/* Leaves in EVENT what is to be told; returns whether that is anything. */
static bool kq_settle(struct poller *poller, struct poller_event *event)
{
    unsigned want = poller->entries[event->fd].want;

    if (event->ready & KQ_UNSURE)
        event->ready = kq_truth(poller, event, want);
    event->ready &= want;
    if (event->ready != 0 && kq_is_quiet(want) && !(want & POLLER_EDGE))
        kq_arm_anew(poller, event->fd, want);
    return event->ready != 0;
}

/* Stores what was told, beginning at another place each time, so that nobody starves when more are
 * ready than fit. Of what does not fit, edges are asked for anew; the others come by themselves. */
static int kq_collect(struct poller *poller, int n, struct poller_event *events, int max)
{
    struct kq_state *state = poller->state;
    unsigned count = (unsigned)kq_merge(poller, n);
    unsigned first = state->turn;
    int stored = 0;

    for (unsigned i = 0; i < count; i++) {
        struct poller_event *event = &state->merged[(first + i) % count];
        unsigned want = poller->entries[event->fd].want;

        if (stored < max) {
            if (kq_settle(poller, event))
                events[stored++] = *event;
            state->turn++;
        } else if (kq_is_edge(want)) {
            kq_arm_anew(poller, event->fd, want);
        }
    }
    return stored;
}

/* Asks anew for edges that may be lost, for half as many as the wait can tell of: else what is
 * ready all the time, as for writing, would fill every batch and be told for ever. What an adopted
 * kqueue has not told of yet cannot be asked for. */
static int kq_sweep(struct poller *poller, int max)
{
    struct kq_state *state = poller->state;
    int left = max < 2 * KQ_SWEEP ? (max + state->is_odd) / 2 : KQ_SWEEP;

    state->is_odd = !state->is_odd;
    while (state->unswept > 0 && left > 0) {
        int fd = state->sweep % poller->size;
        unsigned want = poller->entries[fd].want;

        state->sweep = fd + 1;
        state->unswept--;
        if (want == 0 || always_has(poller, fd) || !kq_is_edge(want))
            continue;
        if (kq_arm_anew(poller, fd, want) < 0)
            return -1;
        left--;
    }
    return 0;
}

static int kq_wait_kernel(struct poller *poller, int64_t timeout_ns, struct poller_event *events,
                          int max)
{
    struct kq_state *state = poller->state;
    int n;

    if (state->is_stale && kq_rebuild(poller) < 0)
        return -1;
    if (kq_sweep(poller, max) < 0)
        return -1;
    n = kq_ask(poller, state->unswept > 0 ? 0 : timeout_ns);
    if (KQ_IS_EMULATED && n == KQ_BATCH)
        state->unswept = poller->size;
    if (n > 0 && state->is_adopted)
        kq_take_in_all(poller, n);
    return n > 0 ? kq_collect(poller, n, events, max) : n;
}

/* Says what a pipe without a reader is ready for. A FIFO may have found another one. */
static int kq_settle_dead(struct poller *poller, struct poller_event *events, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        unsigned want = poller->entries[events[i].fd].want;

        if (events[i].raw == 0 && events[i].ready != POLLER_INVALID)
            events[i].ready = want & kq_truth(poller, &events[i], want);
        if (events[i].ready != 0)
            events[kept++] = events[i];
        else
            kq_set(poller, events[i].fd, want, want);
    }
    return kept;
}

static int kq_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct kq_state *state = poller->state;
    int n = always_wait(poller, &state->always, kq_wait_kernel, timeout_ns, events, max);

    if (n > 0 && state->has_dead) {
        n = kq_settle_dead(poller, events, n);
        state->has_dead = state->always.count > 0;
    }
    return n;
}

static int kq_fd(const struct poller *poller)
{
    return ((const struct kq_state *)poller->state)->fd;
}

static int kq_adopt(struct poller *poller, int fd)
{
    const struct timespec at_once = {0, 0};

    if (kevent(fd, NULL, 0, NULL, 0, &at_once) < 0) {
        errno = backend_is_open(fd) ? EINVAL : EBADF;
        return -1;
    }
    if (kq_begin(poller, fd) < 0)
        return -1;
    ((struct kq_state *)poller->state)->is_adopted = true;
    return 0;
}

const struct poller_backend backend_kqueue = {
    .name = "kqueue",
    .summary = "kqueue(2): the kernel keeps the list",
    .supports = KQ_ANY | POLLER_RDHUP | POLLER_EDGE | POLLER_ONESHOT,
    .native = POLLER_EDGE,
    .unit_ns = 1,
    .open = kq_open,
    .close = kq_close,
    .set = kq_set,
    .wait = kq_wait,
    .fd = KQ_IS_EMULATED ? NULL : kq_fd,
    .adopt = kq_adopt,
};

#else

const struct poller_backend backend_kqueue = {
    .name = "kqueue",
    .summary = "kqueue(2): the kernel keeps the list",
    .missing = "kqueue is of BSD and macOS; elsewhere libkqueue brings it",
};

#endif
