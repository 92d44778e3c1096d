/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * select(2): three sets of bits, one for each kind of readiness, that the kernel overwrites with
 * its answer; so each wait is made on copies.
 *
 * Its surprises: a descriptor from FD_SETSIZE up does not fit, and FD_SET would write past the set;
 * one closed descriptor fails the whole call with EBADF, without saying which; there is no word for
 * a hang-up or an error, both show as readable or writable.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "poller/backend.h"
#include "poller/names.h"

/* Newer architectures have no select system call, and glibc leaves it alone since 2.34: then
 * select() is made of pselect6. Other libraries do not know the name __GLIBC_PREREQ, so no #if may
 * use it. */
#if defined __linux__ && !defined SYS_select
enum { SEL_IS_PSELECT6 = 1 };
#elif defined __linux__ && defined __GLIBC__
enum { SEL_IS_PSELECT6 = __GLIBC_PREREQ(2, 34) };
#else
enum { SEL_IS_PSELECT6 = 0 };
#endif

enum { SEL_IN, SEL_OUT, SEL_PRI, SEL_KINDS };

/* Descriptors from a multiple of SEL_BITS on are those of one such word, whichever is the system's
 * own and in whichever order its bytes are. */
typedef uint64_t sel_word;
enum { SEL_BITS = sizeof(sel_word) * CHAR_BIT };

static const unsigned sel_flags[SEL_KINDS] = {POLLER_IN, POLLER_OUT, POLLER_PRI};

struct sel_state {
    fd_set want[SEL_KINDS];
    int members[SEL_KINDS]; /* how many are in each set; an empty one is not passed at all */
    int nfds;               /* the highest member + 1 */
    int next;               /* where the next scan starts: behind the last one that was served */
};

/* What a select() was given and what it left. */
struct sel_args {
    struct poller_call_args base;
    int nfds;
    const fd_set *want[SEL_KINDS];
    const fd_set *got[SEL_KINDS];
    const struct timeval *timeout;
    const struct timeval *left;
};

static int sel_open(struct poller *poller)
{
    struct sel_state *state = calloc(1, sizeof *state);

    if (!state)
        return -1;
    for (int kind = 0; kind < SEL_KINDS; kind++)
        FD_ZERO(&state->want[kind]);
    poller->state = state;
    return 0;
}

static void sel_close(struct poller *poller)
{
    free(poller->state);
}

static bool sel_has(const struct sel_state *state, int fd)
{
    for (int kind = 0; kind < SEL_KINDS; kind++)
        if (FD_ISSET(fd, &state->want[kind]))
            return true;
    return false;
}

static int sel_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct sel_state *state = poller->state;

    if (was == 0 && !backend_is_open(fd))
        return -1; /* EBADF; select(2) would fail as a whole, and only later */
    for (int kind = 0; kind < SEL_KINDS; kind++) {
        if (FD_ISSET(fd, &state->want[kind]))
            state->members[kind]--;
        FD_CLR(fd, &state->want[kind]);
        if (want & sel_flags[kind]) {
            FD_SET(fd, &state->want[kind]);
            state->members[kind]++;
        }
    }
    if (fd >= state->nfds)
        state->nfds = fd + 1;
    while (state->nfds > 0 && !sel_has(state, state->nfds - 1))
        state->nfds--;
    return 0;
}

/* Some systems refuse more than 100,000,000 s; the wait may end early. */
static struct timeval sel_time(int64_t ns)
{
    int64_t longest = 1000000 * CLOCK_SECOND;

    ns = ns < longest ? ns : longest;
    return (struct timeval){.tv_sec = ns / CLOCK_SECOND,
                            .tv_usec = ns % CLOCK_SECOND / CLOCK_MICROSECOND};
}

static void sel_print_set(struct text *text, const fd_set *set, int nfds)
{
    const char *separator = "";

    if (!set) {
        text_add(text, "NULL");
        return;
    }
    text_add(text, "[");
    for (int fd = 0; fd < nfds; fd++)
        if (FD_ISSET(fd, set)) {
            text_add(text, "%s%d", separator, fd);
            separator = " ";
        }
    text_add(text, "]");
}

static void sel_print_time(struct text *text, const struct timeval *time)
{
    if (!time)
        text_add(text, "NULL");
    else if (SEL_IS_PSELECT6)
        text_add(text, "{tv_sec=%lld, tv_nsec=%lld}", (long long)time->tv_sec,
                 (long long)time->tv_usec * CLOCK_MICROSECOND);
    else
        text_add(text, "{tv_sec=%lld, tv_usec=%lld}", (long long)time->tv_sec,
                 (long long)time->tv_usec);
}

static bool sel_set_is_empty(const fd_set *set, int nfds)
{
    for (int fd = 0; set && fd < nfds; fd++)
        if (FD_ISSET(fd, set))
            return false;
    return true;
}

static void sel_print_ready(struct text *text, const struct sel_args *args)
{
    static const char *const label[SEL_KINDS] = {"in", "out", "except"};
    const char *separator = " (";

    for (int kind = 0; kind < SEL_KINDS; kind++)
        if (!sel_set_is_empty(args->got[kind], args->nfds)) {
            text_add(text, "%s%s ", separator, label[kind]);
            sel_print_set(text, args->got[kind], args->nfds);
            separator = ", ";
        }
    if (args->left) {
        text_add(text, "%sleft ", separator);
        sel_print_time(text, args->left);
    }
    text_add(text, ")");
}

static void sel_print(struct text *text, const struct poller_call *call)
{
    const struct sel_args *args = (const struct sel_args *)call->args;

    text_add(text, "%s(%d, ", call->name, args->nfds);
    for (int kind = 0; kind < SEL_KINDS; kind++) {
        sel_print_set(text, args->want[kind], args->nfds);
        text_add(text, ", ");
    }
    sel_print_time(text, args->timeout);
    text_add(text, SEL_IS_PSELECT6 ? ", NULL)" : ")");
    names_add_result(text, call->result, call->error);
    if (call->result == 0)
        text_add(text, " (Timeout)");
    else if (call->result > 0)
        sel_print_ready(text, args);
}

/* Shows a wait to the observer: LEFT is its time limit as the kernel left it. */
static void sel_show_wait(struct poller *poller, int64_t begin, int n, int64_t timeout_ns,
                          const struct timeval *left, fd_set *const got[SEL_KINDS])
{
    const struct sel_state *state = poller->state;
    struct timeval timeout = sel_time(timeout_ns);
    struct sel_args args = {.base = {sel_print},
                            .nfds = state->nfds,
                            .timeout = timeout_ns < 0 ? NULL : &timeout,
                            .left = timeout_ns < 0 ? NULL : left};
    struct poller_call call = {.name = SEL_IS_PSELECT6 ? "pselect6" : "select",
                               .is_wait = 1,
                               .result = n,
                               .timeout_ns = timeout_ns,
                               .args = &args.base};

    for (int kind = 0; kind < SEL_KINDS; kind++) {
        args.want[kind] = got[kind] ? &state->want[kind] : NULL;
        args.got[kind] = got[kind];
    }
    backend_end(poller, begin, &call);
}

/* Calls select(2) on a copy of the sets, GOT, and shows it to the observer. */
static int sel_ask(struct poller *poller, int64_t timeout_ns, fd_set got[SEL_KINDS])
{
    const struct sel_state *state = poller->state;
    struct timeval left = sel_time(timeout_ns);
    fd_set *sets[SEL_KINDS] = {NULL};
    int64_t begin;
    int n;

    for (int kind = 0; kind < SEL_KINDS; kind++)
        if (state->members[kind] > 0) {
            got[kind] = state->want[kind];
            sets[kind] = &got[kind];
        }
    begin = backend_begin(poller);
    n = select(state->nfds, sets[SEL_IN], sets[SEL_OUT], sets[SEL_PRI],
               timeout_ns < 0 ? NULL : &left);
    if (poller->observer)
        sel_show_wait(poller, begin, n, timeout_ns, &left, sets);
    return n;
}

/* Finds the descriptors that made select(2) fail with EBADF. */
static int sel_find_invalid(struct sel_state *state, struct poller_event *events, int max)
{
    int stored = 0;

    for (int fd = 0; fd < state->nfds && stored < max; fd++)
        if (sel_has(state, fd) && !backend_is_open(fd))
            events[stored++] = (struct poller_event){.fd = fd, .ready = POLLER_INVALID};
    errno = EINTR; /* where it is open again by now: ask again */
    return stored > 0 ? stored : -1;
}

/* Returns what is in any of the sets. */
static fd_set sel_union(const struct sel_state *state, const fd_set got[SEL_KINDS])
{
    fd_set any;

    FD_ZERO(&any);
    for (int kind = 0; kind < SEL_KINDS; kind++)
        for (size_t i = 0; state->members[kind] > 0 && i < sizeof any; i++)
            ((unsigned char *)&any)[i] |= ((const unsigned char *)&got[kind])[i];
    return any;
}

/* Whether none of the SEL_BITS descriptors from FD on is in SET. */
static bool sel_is_empty_from(const fd_set *set, int fd)
{
    sel_word word;

    memcpy(&word, (const char *)set + fd / CHAR_BIT, sizeof word);
    return word == 0;
}

/* What FD is ready for, of which *N, that counts bits, is less then: one descriptor can be in all
 * three sets. */
static unsigned sel_ready(const struct sel_state *state, int fd, const fd_set got[SEL_KINDS],
                          int *n)
{
    unsigned ready = 0;

    for (int kind = 0; kind < SEL_KINDS; kind++)
        if (state->members[kind] > 0 && FD_ISSET(fd, &got[kind])) {
            ready |= sel_flags[kind];
            --*n;
        }
    return ready;
}

/* Goes around once from where the last one ended. What is ready is rare, as a rule, so it looks at
 * many at once where it can. */
static int sel_collect(struct sel_state *state, int n, const fd_set got[SEL_KINDS],
                       struct poller_event *events, int max)
{
    fd_set any = sel_union(state, got);
    int stored = 0;
    int fd = state->next < state->nfds ? state->next : 0;
    int step;

    for (int seen = 0; seen < state->nfds && stored < max && n > 0; seen += step) {
        step = 1;
        if (fd % SEL_BITS == 0 && sel_is_empty_from(&any, fd)) {
            step = state->nfds - fd < SEL_BITS ? state->nfds - fd : SEL_BITS;
        } else if (FD_ISSET(fd, &any)) {
            unsigned ready = sel_ready(state, fd, got, &n);

            events[stored++] = (struct poller_event){.fd = fd, .ready = ready, .raw = ready};
        }
        fd = fd + step < state->nfds ? fd + step : 0;
    }
    state->next = fd;
    return stored;
}

static int sel_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct sel_state *state = poller->state;
    fd_set got[SEL_KINDS];
    int n = sel_ask(poller, timeout_ns, got);

    if (n < 0 && errno == EBADF)
        return sel_find_invalid(state, events, max);
    return n > 0 ? sel_collect(state, n, got, events, max) : n;
}

const struct poller_backend backend_select = {
    .name = "select",
    .summary = "select(2): three sets of bits, copied with each wait",
    .supports = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_ONESHOT,
    .unit_ns = CLOCK_MICROSECOND,
    .limit = FD_SETSIZE,
    .open = sel_open,
    .close = sel_close,
    .set = sel_set,
    .wait = sel_wait,
};
