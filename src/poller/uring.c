/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_uring(7): two rings in memory that is shared with the kernel. Into one go polls that are asked
 * for, out of the other come those that are done; io_uring_enter(2) hands over the one and waits
 * for the other, in a single call.
 *
 * A poll is done when it was told once. So what was reported is asked anew by the next wait, which
 * makes it level-triggered; and what came in before a wait may be out of date, since the program
 * has read the data meanwhile: it is not reported but asked anew too, and the kernel looks again.
 * What waits to be asked stands in a queue, the longest unreported first, and no more is asked at
 * once than can be reported: nobody starves. POLLER_EDGE is a poll of many shots, which tells of
 * changes until it is cancelled.
 *
 * Every descriptor counts its polls, and each carries its number: so a late word of one that was
 * cancelled is recognised.
 *
 * The kernel's surprises, and what is done here about each:
 *
 * A poll holds the open file. close(2) alone does not end the connection, and the kernel tells
 * nothing of it: so the poll of what is removed is cancelled at once. One that was closed behind
 * our back is found when it is asked anew, with EBADF.
 *
 * POLLRDHUP is told whether asked for or not. Where nobody wants it the poll would be done again
 * and again: then one of many shots takes its place, which tells it once.
 *
 * What a socket says when it wakes us is not looked into: "POLLIN or POLLPRI or POLLRDBAND" for any
 * data. And POLLPRI alone wakes nobody. So POLLRDBAND is asked for with it: it wakes us, and shows
 * an answer that is only a word, as sockets never have such data; the kernel is asked again. (What
 * wakes with POLLPRI alone, as pty(7) in packet mode does, stays unheard.)
 *
 * A poll that is done interrupts whatever call its thread is in: one that is never restarted, such
 * as epoll_wait(2), may say EINTR though there was no signal.
 */
#include "config.h"

#include "poller/backend.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "poller/names.h"
#include "poller/pollset.h"

enum { UR_ENTRIES = 256, UR_PRINTED = 32, UR_FEATURES = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG };

/* What comes with it is the word of a cancellation; no descriptor has that number. */
#define UR_CANCELLED UINT64_MAX

/* The size of the kernel's signal sets: there is none, but it wants to be told. */
#define UR_SIGSET (_NSIG / 8)

/* A descriptor, whether it is in now or was. */
struct ur_poll {
    struct loop_link link; /* in the queue, or nowhere */
    int fd;
    unsigned want;    /* as poller.c has it */
    int place;        /* among the events of this wait, + 1; 0: not there */
    uint32_t count;   /* of its polls: the last one's number */
    bool is_armed;    /* the kernel has one, and it is not done */
    bool is_unwanted; /* told what nobody wants: is polled with many shots */
};

struct ur_state {
    struct io_uring ring;
    unsigned sq_mask;
    unsigned cq_mask;
    pid_t process;          /* whose polls these are: a child has the ring, too */
    struct ur_poll **polls; /* by descriptor number; NULL: never seen */
    int size;
    struct loop_link queue; /* who is to be asked */
    unsigned expected;      /* what is on its way from cancelled polls */
    bool is_nested;         /* somebody waits for the ring: nothing may stay in the queue */
};

/* What a wait has found. */
struct ur_found {
    struct poller_event *events;
    int max;
    int count;
    bool was_full;          /* the ring, so that polls of many shots may have ended */
    struct loop_link again; /* to be asked, but not by this wait */
};

struct ur_args {
    struct poller_call_args base;
    const struct ur_state *state;
    unsigned asked; /* where in the rings what this call took and brought begins, and ends */
    unsigned asked_end;
    unsigned done;
    unsigned done_end;
    unsigned min;
    unsigned flags;
    int64_t timeout_ns;
};

/* ---- the call as text ---- */

static const struct name ur_enter_flags[] = {
    {IORING_ENTER_GETEVENTS, "IORING_ENTER_GETEVENTS"},
    {IORING_ENTER_EXT_ARG, "IORING_ENTER_EXT_ARG"},
    {0, NULL},
};

static int ur_fd_of(uint64_t user_data)
{
    return (int)(uint32_t)user_data;
}

static void ur_print_asked(struct text *text, const struct io_uring_sqe *sqe)
{
    bool is_removal = sqe->opcode == IORING_OP_ASYNC_CANCEL;

    text_add(text, "{fd=%d, events=", is_removal ? ur_fd_of(sqe->addr) : sqe->fd);
    if (is_removal)
        text_add(text, "IORING_OP_ASYNC_CANCEL");
    else
        names_add_flags(text, names_poll, sqe->poll_events);
    text_add(text, sqe->len & IORING_POLL_ADD_MULTI ? "|IORING_POLL_ADD_MULTI}" : "}");
}

static void ur_print_done(struct text *text, const struct io_uring_cqe *cqe)
{
    text_add(text, "{fd=%d, revents=", ur_fd_of(cqe->user_data));
    if (cqe->res < 0)
        names_add_errno(text, -cqe->res);
    else
        names_add_flags(text, names_poll, (unsigned)cqe->res);
    text_add(text, "}");
}

/* What was in the rings, as a comment: strace(1) cannot see it. It lies there until the next call.
 */
static void ur_print_rings(struct text *text, const struct ur_args *args)
{
    const struct ur_state *state = args->state;
    const struct io_uring *ring = &state->ring;
    unsigned i;

    if (args->asked == args->asked_end && args->done == args->done_end)
        return;
    text_add(text, " /* SQ [");
    for (i = args->asked; i != args->asked_end && i - args->asked < UR_PRINTED; i++) {
        text_add(text, i == args->asked ? "" : ", ");
        ur_print_asked(text, &ring->sq.sqes[i & state->sq_mask]);
    }
    text_add(text, i == args->asked_end ? "], CQ [" : ", ...], CQ [");
    for (i = args->done; i != args->done_end && i - args->done < UR_PRINTED; i++) {
        text_add(text, i == args->done ? "" : ", ");
        ur_print_done(text, &ring->cq.cqes[i & state->cq_mask]);
    }
    text_add(text, i == args->done_end ? "] */" : ", ...] */");
}

static void ur_print_enter(struct text *text, const struct poller_call *call)
{
    const struct ur_args *args = (const struct ur_args *)call->args;

    text_add(text, "io_uring_enter(%d, %u, %u, ", args->state->ring.ring_fd,
             args->asked_end - args->asked, args->min);
    names_add_flags(text, ur_enter_flags, args->flags);
    if (args->flags & IORING_ENTER_EXT_ARG)
        text_add(text,
                 ", {sigmask=NULL, sigmask_sz=%d, min_wait_usec=0, "
                 "ts={tv_sec=%lld, tv_nsec=%lld}}, %zu)",
                 UR_SIGSET, (long long)(args->timeout_ns / CLOCK_SECOND),
                 (long long)(args->timeout_ns % CLOCK_SECOND),
                 sizeof(struct io_uring_getevents_arg));
    else
        text_add(text, ", NULL, %d)", UR_SIGSET);
    names_add_result(text, call->result, call->error);
    ur_print_rings(text, args);
}

/* ---- the call ---- */

/* Hands over what is in the ring and, in a wait, takes what is there when MIN of it is, or when the
 * time is over. Returns 0, or what errno is. liburing's own functions for this may leave the call
 * out, or make two of it; what is shown must be what was done. */
static int ur_enter(const struct poller *poller, bool is_wait, unsigned min, int64_t timeout_ns)
{
    struct ur_state *state = poller->state;
    struct io_uring *ring = &state->ring;
    bool has_limit = is_wait && timeout_ns > 0;
    struct __kernel_timespec ts = {timeout_ns / CLOCK_SECOND, timeout_ns % CLOCK_SECOND};
    struct io_uring_getevents_arg limit = {.sigmask_sz = UR_SIGSET, .ts = (uintptr_t)&ts};
    struct ur_args args = {{ur_print_enter},
                           .state = state,
                           .asked = io_uring_smp_load_acquire(ring->sq.khead),
                           .asked_end = ring->sq.sqe_tail,
                           .done = io_uring_smp_load_acquire(ring->cq.ktail),
                           .min = min,
                           .flags = (is_wait ? IORING_ENTER_GETEVENTS : 0u) |
                                    (has_limit ? IORING_ENTER_EXT_ARG : 0u),
                           .timeout_ns = timeout_ns};
    struct poller_call call = {
        .name = "io_uring_enter", .is_wait = is_wait, .timeout_ns = timeout_ns, .args = &args.base};
    int64_t begin = backend_begin(poller);

    io_uring_smp_store_release(ring->sq.ktail, ring->sq.sqe_tail);
    call.result =
        syscall(SYS_io_uring_enter, ring->ring_fd, args.asked_end - args.asked, min, args.flags,
                has_limit ? &limit : NULL, has_limit ? sizeof limit : (size_t)UR_SIGSET);
    args.done_end = io_uring_smp_load_acquire(ring->cq.ktail);
    call.told = call.result < 0 && errno != ETIME ? -1 : (int)(args.done_end - args.done);
    backend_end(poller, begin, &call);
    state->expected = 0;
    return call.result < 0 ? errno : 0;
}

/* A place in the ring; NULL: it is full, and the kernel takes nothing. */
static struct io_uring_sqe *ur_sqe(const struct poller *poller)
{
    struct ur_state *state = poller->state;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);

    if (!sqe && ur_enter(poller, false, 0, 0) == 0)
        sqe = io_uring_get_sqe(&state->ring);
    return sqe;
}

/* ---- one descriptor ---- */

static uint64_t ur_user_data(const struct ur_poll *poll)
{
    return (uint64_t)poll->count << 32 | (uint32_t)poll->fd;
}

/* IORING_OP_POLL_REMOVE would be refused while something is told of the poll, and one of many shots
 * would go on; this one ends it then, too. Both the cancellation and the poll have a last word: the
 * former's is spared where the kernel can, the latter's comes with the next call and must not be
 * what that waits for. */
static void ur_cancel(const struct poller *poller, struct ur_poll *poll)
{
    struct ur_state *state = poller->state;
    struct io_uring_sqe *sqe = ur_sqe(poller);

    poll->is_armed = false;
    if (!sqe)
        return;
    io_uring_prep_cancel64(sqe, ur_user_data(poll), 0);
    io_uring_sqe_set_data64(sqe, UR_CANCELLED);
    if (state->ring.features & IORING_FEAT_CQE_SKIP)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    state->expected++;
}

static unsigned ur_events(unsigned want)
{
    unsigned events = (unsigned)pollset_events(want);

    return want & POLLER_PRI ? events | POLLRDBAND : events;
}

static void ur_arm(const struct poller *poller, struct ur_poll *poll)
{
    struct ur_state *state = poller->state;
    bool is_edge = (poll->want & POLLER_EDGE) && !(poll->want & POLLER_ONESHOT);
    struct io_uring_sqe *sqe;

    if (poll->is_armed)
        ur_cancel(poller, poll);
    sqe = io_uring_get_sqe(&state->ring);
    io_uring_prep_poll_add(sqe, poll->fd, ur_events(poll->want));
    if (is_edge || poll->is_unwanted)
        sqe->len |= IORING_POLL_ADD_MULTI;
    poll->count++;
    io_uring_sqe_set_data64(sqe, ur_user_data(poll));
    poll->is_armed = true;
}

/* Puts the first of the queue into the ring, AT_MOST so many. Each takes two places there at most.
 */
static void ur_arm_some(const struct poller *poller, int at_most)
{
    struct ur_state *state = poller->state;

    while (at_most-- > 0 && !list_is_empty(&state->queue) &&
           io_uring_sq_space_left(&state->ring) >= 2)
        ur_arm(poller, list_take_first(&state->queue));
}

/* Makes the ring, for which somebody waits, know of all that is to be asked. */
static int ur_arm_all(const struct poller *poller)
{
    struct ur_state *state = poller->state;
    int error = 0;

    while (error == 0 && !list_is_empty(&state->queue)) {
        ur_arm_some(poller, UR_ENTRIES);
        error = ur_enter(poller, false, 0, 0);
    }
    errno = error;
    return error == 0 ? 0 : -1;
}

/* ---- what is told ---- */

/* Whose CQE is; NULL: nobody's any more. */
static struct ur_poll *ur_whose(const struct ur_state *state, const struct io_uring_cqe *cqe)
{
    int fd = ur_fd_of(cqe->user_data);
    struct ur_poll *poll = fd >= 0 && fd < state->size ? state->polls[fd] : NULL;

    return poll && poll->is_armed && cqe->user_data == ur_user_data(poll) ? poll : NULL;
}

/* Stores that POLL is READY; several words of it are one event. */
static void ur_store(struct ur_found *found, struct ur_poll *poll, unsigned ready, int res)
{
    struct poller_event *event;

    if (poll->place == 0) {
        poll->place = ++found->count;
        found->events[poll->place - 1] = (struct poller_event){.fd = poll->fd};
    }
    event = &found->events[poll->place - 1];
    event->ready |= ready;
    event->raw |= res > 0 ? (unsigned)res : 0;
}

/* Whether the kernel has no way to wait for POLL. It says EINVAL of a regular file or of /dev/null
 * where that is not ready for what is asked; and a file of three wait queues is too much for it. */
static bool ur_is_refused(const struct ur_poll *poll, int res)
{
    return res == -EINVAL && !(poll->want & (POLLER_IN | POLLER_OUT));
}

/* What RES tells of POLL, which is not refused. Any other failure is an error of the descriptor. */
static unsigned ur_told(const struct ur_poll *poll, int res)
{
    if (res >= 0)
        return pollset_ready((unsigned)res) & poll->want;
    if (res == -ECANCELED)
        return 0; /* its thread has ended */
    return res == -EBADF ? POLLER_INVALID : POLLER_ERR;
}

static void ur_take(const struct ur_state *state, const struct io_uring_cqe *cqe,
                    struct ur_found *found)
{
    struct ur_poll *poll = ur_whose(state, cqe);
    bool is_a_word = cqe->res > 0 && (cqe->res & POLLRDBAND);
    unsigned ready;

    if (!poll)
        return;
    poll->is_armed = cqe->flags & IORING_CQE_F_MORE;
    if (!list_is_empty(&poll->link) || ur_is_refused(poll, cqe->res))
        return;
    ready = ur_told(poll, cqe->res);
    poll->is_unwanted = ready == 0 && cqe->res > 0 && !is_a_word;
    if (ready != 0 && !is_a_word && (poll->place > 0 || found->count < found->max)) {
        ur_store(found, poll, ready, cqe->res);
        return;
    }
    if (!poll->is_unwanted || !poll->is_armed)
        list_append(&found->again, &poll->link);
}

static void ur_collect(struct ur_state *state, struct ur_found *found)
{
    struct io_uring_cqe *cqe;
    unsigned count = 0;
    unsigned head;

    found->was_full = found->was_full || io_uring_cq_ready(&state->ring) > state->cq_mask;
    io_uring_for_each_cqe(&state->ring, head, cqe)
    {
        ur_take(state, cqe, found);
        count++;
    }
    io_uring_cq_advance(&state->ring, count);
}

static void ur_queue_again(struct ur_state *state, struct ur_found *found)
{
    struct ur_poll *poll;

    while ((poll = list_take_first(&found->again)))
        list_append(&state->queue, &poll->link);
}

/* ---- a wait ---- */

/* The kernel had no memory for all that was done, and does not say what is lost. */
static void ur_queue_all(struct ur_state *state)
{
    for (int fd = 0; fd < state->size; fd++) {
        struct ur_poll *poll = state->polls[fd];

        if (poll && poll->is_armed && list_is_empty(&poll->link))
            list_append(&state->queue, &poll->link);
    }
}

/* Queues all that has come before this wait. What the ring had no room for comes in meanwhile. */
static void ur_put_off(struct poller *poller, struct ur_found *found)
{
    struct ur_state *state = poller->state;
    int error = 0;

    ur_collect(state, found);
    while (error == 0 && io_uring_cq_has_overflow(&state->ring)) {
        error = ur_enter(poller, true, 0, 0);
        ur_collect(state, found);
    }
    if (error == EBADR)
        ur_queue_all(state);
    ur_queue_again(state, found);
}

/* Makes one call. It waits only where there is nothing else to ask, and nothing found yet. Returns
 * 0, or what errno is. */
static int ur_ask(struct poller *poller, struct ur_found *found, int64_t timeout_ns)
{
    struct ur_state *state = poller->state;
    int error;

    ur_arm_some(poller, found->max - found->count);
    if (!list_is_empty(&state->queue) || !list_is_empty(&found->again) || found->count > 0)
        timeout_ns = 0;
    error = ur_enter(poller, true, timeout_ns == 0 ? 0 : 1 + state->expected, timeout_ns);
    ur_collect(state, found);
    if (error == EBADR)
        ur_queue_all(state);
    return error == ETIME || error == EBUSY || error == EBADR ? 0 : error;
}

/* Whether nothing can change in FD: it is always ready, and an edge of that is told once. */
static bool ur_is_constant(int fd)
{
    struct stat stat;

    return fstat(fd, &stat) == 0 && (S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode) ||
                                     S_ISBLK(stat.st_mode) || S_ISCHR(stat.st_mode));
}

/* Whether POLL, which was just reported, is to be asked again. A poll of many shots goes on by
 * itself, unless the ring was full; or it was of one shot, there being nothing to wait for. */
static bool ur_asks_again(const struct ur_poll *poll, const struct ur_found *found)
{
    if (poll->want & POLLER_ONESHOT)
        return false;
    if (!(poll->want & POLLER_EDGE))
        return true;
    return !poll->is_armed && (found->was_full || !ur_is_constant(poll->fd));
}

/* What was reported goes to the end of the queue, behind those that were not. */
static void ur_finish(struct poller *poller, struct ur_found *found)
{
    struct ur_state *state = poller->state;

    ur_queue_again(state, found);
    for (int i = 0; i < found->count; i++) {
        struct ur_poll *poll = state->polls[found->events[i].fd];

        poll->place = 0;
        list_remove(&poll->link);
        if (ur_asks_again(poll, found))
            list_append(&state->queue, &poll->link);
        else if (poll->is_armed && (poll->want & POLLER_ONESHOT))
            ur_cancel(poller, poll);
    }
    if (state->is_nested)
        ur_arm_all(poller);
}

static int ur_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct ur_state *state = poller->state;
    struct ur_found found = {.events = events};
    int error;

    list_init(&found.again, NULL);
    ur_put_off(poller, &found);
    found.max = max;
    do
        error = ur_ask(poller, &found, timeout_ns);
    while (error == 0 && found.count < max && !list_is_empty(&state->queue));
    ur_finish(poller, &found);
    errno = error;
    return found.count == 0 && error != 0 ? -1 : found.count;
}

/* ---- the rest of a backend ---- */

static int ur_open(struct poller *poller)
{
    struct io_uring_params params = {0};
    struct ur_state *state = calloc(1, sizeof *state);
    int error;

    if (!state)
        return -1;
    error = -io_uring_queue_init_params(UR_ENTRIES, &state->ring, &params);
    if (error == 0 && (params.features & UR_FEATURES) != UR_FEATURES) {
        io_uring_queue_exit(&state->ring);
        error = ENOSYS;
    }
    if (error != 0) {
        free(state);
        errno = error;
        return -1;
    }
    state->sq_mask = params.sq_entries - 1;
    state->cq_mask = params.cq_entries - 1;
    for (unsigned i = 0; state->ring.sq.array && i < params.sq_entries; i++)
        state->ring.sq.array[i] = i;
    state->process = getpid();
    list_init(&state->queue, NULL);
    poller->state = state;
    return 0;
}

/* The kernel clears up a closed ring later, and holds the open files until then. */
static void ur_cancel_all(struct poller *poller)
{
    struct ur_state *state = poller->state;

    for (int fd = 0; fd < state->size; fd++)
        if (state->polls[fd] && state->polls[fd]->is_armed)
            ur_cancel(poller, state->polls[fd]);
    if (io_uring_sq_ready(&state->ring) > 0)
        ur_enter(poller, false, 0, 0);
}

static void ur_close(struct poller *poller)
{
    struct ur_state *state = poller->state;

    if (state->process == getpid())
        ur_cancel_all(poller);
    io_uring_queue_exit(&state->ring);
    for (int fd = 0; fd < state->size; fd++)
        free(state->polls[fd]);
    free(state->polls);
    free(state);
}

/* Makes polls[fd] for every number that poller.c knows. */
static int ur_reach(struct poller *poller)
{
    struct ur_state *state = poller->state;
    struct ur_poll **polls = realloc(state->polls, (size_t)poller->size * sizeof(void *));

    if (!polls)
        return -1;
    for (int fd = state->size; fd < poller->size; fd++)
        polls[fd] = NULL;
    state->polls = polls;
    state->size = poller->size;
    return 0;
}

static struct ur_poll *ur_poll_of(struct poller *poller, int fd)
{
    struct ur_state *state = poller->state;
    struct ur_poll *poll;

    if (fd >= state->size && ur_reach(poller) < 0)
        return NULL;
    if (state->polls[fd])
        return state->polls[fd];
    poll = calloc(1, sizeof *poll);
    if (!poll)
        return NULL;
    list_init(&poll->link, poll);
    poll->fd = fd;
    state->polls[fd] = poll;
    return poll;
}

static void ur_forget(struct poller *poller, struct ur_poll *poll)
{
    struct ur_state *state = poller->state;

    poll->want = 0;
    list_remove(&poll->link);
    if (poll->is_armed)
        ur_cancel(poller, poll);
    if (io_uring_sq_ready(&state->ring) > 0)
        ur_enter(poller, false, 0, 0);
}

static int ur_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct ur_state *state = poller->state;
    struct ur_poll *poll;

    (void)was;
    if (want == 0) {
        ur_forget(poller, state->polls[fd]);
        return 0;
    }
    poll = backend_is_open(fd) ? ur_poll_of(poller, fd) : NULL;
    if (!poll)
        return -1;
    poll->want = want;
    poll->is_unwanted = false;
    list_remove(&poll->link);
    list_append(&state->queue, &poll->link);
    if (state->is_nested)
        ur_arm_all(poller);
    return 0;
}

/* From now on somebody may wait for it: so from now on it knows of everything at once. */
static int ur_fd(const struct poller *poller)
{
    struct ur_state *state = poller->state;

    state->is_nested = true;
    return ur_arm_all(poller) < 0 ? -1 : state->ring.ring_fd;
}

const struct poller_backend backend_uring = {
    .name = "uring",
    .summary = "io_uring(7): polls asked for and answered in shared rings",
    .supports = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_RDHUP | POLLER_EDGE | POLLER_ONESHOT,
    .native = POLLER_EDGE | POLLER_ONESHOT,
    .unit_ns = 1,
    .sets_told = true,
    .open = ur_open,
    .close = ur_close,
    .set = ur_set,
    .wait = ur_wait,
    .fd = ur_fd,
};

#else

const struct poller_backend backend_uring = {
    .name = "uring",
    .summary = "io_uring(7): polls asked for and answered in shared rings",
    .missing = "io_uring is Linux's own, and used with liburing 2.2 or newer",
};

#endif
