/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The source is handed out in windows. While there is one (window > 0) each outlet has the first
 * `ahead` bytes of it, at most all, and the source itself is not watched: it is ready all the time.
 * Those that have nothing of it are full, and watched for room. When the window is used up, all are
 * level again, which keeps the steps large: were each given what happens to be there, one that is a
 * page ahead and one that is a page behind would go on in steps of a page.
 *
 * Surprises: tee(2) says EAGAIN for an empty source and for a full queue alike, so the bytes in the
 * source are asked for (FIONREAD, pipe(7)). A queue is writable, for poll(2), with one free page.
 * A fifo nobody has opened for writing yet reads as at its end (fifo(7)), but has no POLLHUP.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/list.h"
#include "copy/kernel.h"
#include "copy/split.h"

enum {
    PATIENCE_LEAST = SPLIT_STALL / 200, /* worth a timer */
    PATIENCE_MOST = SPLIT_STALL / 20,   /* lost in one step */
    SHARE_MOST = 2,                     /* ones in so many */
    SHARE_LEAST = 1024
};

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the end ---- */

static bool split_is_running(const struct split *split)
{
    return split->source != NULL;
}

static void outlet_leave(struct outlet *outlet)
{
    watch_stop(&outlet->watch);
    deferred_stop(&outlet->tell);
    list_remove(&outlet->link);
    close(outlet->fd);
    outlet->fd = -1;
    outlet->ahead = 0;
    outlet->is_full = false;
    outlet->is_late = false;
    outlet->split = NULL;
}

static void split_close_queues(struct split *split)
{
    struct outlet *outlet;

    while ((outlet = list_first(&split->outlets)))
        outlet_leave(outlet);
}

static void split_halt(struct split *split)
{
    watch_stop(&split->watch);
    timer_stop(&split->patience);
    split->source = NULL;
    if (split->null_fd >= 0)
        close(split->null_fd);
    split->null_fd = -1;
}

/* Nothing is watched any more; on_end follows. */
static void split_end(struct split *split, int error)
{
    struct loop_link *link;

    split_halt(split);
    split->error = error;
    if (error == 0)
        split_close_queues(split);
    for (link = split->outlets.next; link->owner; link = link->next) {
        struct outlet *outlet = link->owner;

        watch_want(&outlet->watch, 0);
        deferred_stop(&outlet->tell);
    }
    deferred_call(&split->again);
}

/* ---- a window ---- */

/* The writer may write and close between two looks: only what is empty after it has hung up is at
 * its end. */
static long split_look(struct split *split)
{
    struct pollfd source = {.fd = split->source->fd, .events = POLLIN};
    long n = kernel_readable(split->source->fd);

    if (n != 0 || poll(&source, 1, 0) <= 0 || !(source.revents & POLLHUP))
        return n;
    n = kernel_readable(split->source->fd);
    if (n == 0)
        split_end(split, 0);
    return n;
}

/* Returns whether there is one now. */
static bool split_open_window(struct split *split)
{
    long n = split_look(split);

    if (n < 0)
        split_end(split, errno);
    if (n <= 0)
        return false;
    split->window = (uint64_t)n;
    return true;
}

/* ---- who is late ---- */

static void outlet_be_late(struct outlet *outlet)
{
    if (outlet->is_late)
        return;
    outlet->is_late = true;
    if (outlet->share < SHARE_LEAST)
        outlet->share *= 2;
    if (outlet->on_late)
        deferred_call(&outlet->tell);
}

/* Returns whether one that has got more of the window than others has read it all. */
static bool split_starves_one(const struct split *split)
{
    const struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        const struct outlet *outlet = link->owner;

        if (outlet->ahead > 0 && outlet_queued(outlet) == 0)
            return true;
    }
    return false;
}

static bool split_has_full_one(const struct split *split)
{
    const struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        const struct outlet *outlet = link->owner;

        if (outlet->is_full && !outlet->is_late && outlet->policy != SPLIT_BLOCK)
            return true;
    }
    return false;
}

/* Where this process was stopped itself no more than a little is counted. */
static void outlet_lose_patience(struct outlet *outlet, int64_t now, bool starves_others)
{
    int64_t time = now - outlet->patience_at;

    outlet->patience_at = now;
    outlet->patience += time / outlet->share;
    if (outlet->is_full && starves_others)
        outlet->patience -= time < PATIENCE_MOST ? time : PATIENCE_MOST;
    if (outlet->patience > SPLIT_PATIENCE)
        outlet->patience = SPLIT_PATIENCE;
    if (outlet->patience < 0)
        outlet->patience = 0;
}

/* Counts how long others had to wait since the last step. */
static void split_lose_patience(struct split *split)
{
    bool starves_others = split_has_full_one(split) && split_starves_one(split);
    int64_t now = loop_now(split->loop);
    struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next)
        outlet_lose_patience(link->owner, now, starves_others);
}

/* Whether it has taken anything is known by now. */
static void split_find_late_ones(struct split *split)
{
    int64_t now = loop_now(split->loop);
    struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        struct outlet *outlet = link->owner;

        if (outlet->is_full && outlet->policy != SPLIT_BLOCK &&
            (outlet->patience == 0 || now - outlet->full_since >= SPLIT_STALL))
            outlet_be_late(outlet);
    }
}

/* One that is late is waited for no more; what it has not read is asked for with the next window.
 */
static void split_set_patience(struct split *split)
{
    int64_t due = INT64_MAX;
    const struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        const struct outlet *outlet = link->owner;
        int64_t stalled = outlet->full_since + SPLIT_STALL;
        int64_t left = outlet->patience > PATIENCE_LEAST ? outlet->patience : PATIENCE_LEAST;
        int64_t spent = outlet->patience_at + left;

        if (!outlet->is_full || outlet->is_late || outlet->policy == SPLIT_BLOCK)
            continue;
        due = stalled < due ? stalled : due;
        due = spent < due ? spent : due;
    }
    if (due == INT64_MAX)
        timer_stop(&split->patience);
    else if (timer_set(&split->patience, due) < 0)
        split_end(split, errno);
}

/* ---- handing it out ---- */

static void outlet_fill(struct outlet *outlet)
{
    if (outlet->is_full)
        return;
    outlet->is_full = true;
    outlet->full_since = loop_now(outlet->split->loop);
}

/* Returns whether it misses what comes. */
static bool outlet_is_lost(const struct outlet *outlet)
{
    return outlet->is_late && outlet->policy == SPLIT_DROP;
}

static bool outlet_may_return(const struct outlet *outlet)
{
    return outlet_queued(outlet) <= (uint64_t)outlet->bound / 2;
}

/* Nothing was given although there was a window: the queue is full, or somebody has read from the
 * source what was there for all, which cannot be made good. */
static void outlet_refused(struct outlet *outlet, int error)
{
    struct split *split = outlet->split;

    if (error == EPIPE)
        split_remove(outlet);
    else if (error != EAGAIN && error != 0)
        split_end(split, error);
    else if (kernel_readable(split->source->fd) < (long)split->window)
        split_end(split, EIO);
}

static void outlet_give(struct outlet *outlet)
{
    const struct split *split = outlet->split;
    ssize_t n = kernel_tee(split->source->fd, outlet->fd, split->window);

    if (n <= 0) {
        outlet_refused(outlet, n < 0 ? errno : 0);
        return;
    }
    outlet->ahead = (uint64_t)n;
    outlet->is_full = false;
    outlet->is_late = false;
    outlet->is_in_gap = false;
    deferred_stop(&outlet->tell);
}

static void split_hand_out(struct split *split)
{
    struct loop_link *link = split->outlets.next;

    while (split_is_running(split) && link->owner) {
        struct outlet *outlet = link->owner;

        link = link->next;
        if (outlet->ahead == 0 && (!outlet_is_lost(outlet) || outlet_may_return(outlet)))
            outlet_give(outlet);
    }
}

/* ---- taking it out ---- */

/* Returns how much of the window is done with: what all have but those who are lost. */
static uint64_t split_done(const struct split *split)
{
    uint64_t done = split->window;
    const struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        const struct outlet *outlet = link->owner;

        if (!outlet_is_lost(outlet))
            done = least_of(done, outlet->ahead);
    }
    return list_is_empty(&split->outlets) ? 0 : done;
}

static ssize_t read_away(int fd, size_t n)
{
    char bytes[16 * 1024];
    ssize_t got;

    do
        got = read(fd, bytes, n < sizeof bytes ? n : sizeof bytes);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Not every kernel splices to /dev/null, and not every place has one. */
static ssize_t split_discard_some(struct split *split, size_t n)
{
    ssize_t gone;

    if (split->null_fd >= 0) {
        gone = kernel_splice(split->source->fd, NULL, split->null_fd, n);
        if (gone >= 0 || errno == EAGAIN)
            return gone;
        close(split->null_fd);
        split->null_fd = -1;
    }
    return read_away(split->source->fd, n);
}

/* Takes N bytes, which are there, out of the source. */
static int split_discard(struct split *split, uint64_t n)
{
    while (n > 0) {
        ssize_t gone = split_discard_some(split, n);

        if (gone < 0 && errno != EAGAIN)
            return -1;
        if (gone <= 0) {
            errno = EIO;
            return -1;
        }
        n -= (uint64_t)gone;
    }
    return 0;
}

/* N bytes have gone: who had not all of them has missed the rest. */
static void outlet_advance(struct outlet *outlet, uint64_t n)
{
    uint64_t had = least_of(outlet->ahead, n);

    outlet->ahead -= had;
    if (had == n)
        return;
    outlet->dropped += n - had;
    outlet->gaps += !outlet->is_in_gap;
    outlet->is_in_gap = true;
}

static void split_take_out(struct split *split, uint64_t n)
{
    struct loop_link *link;

    if (n == 0)
        return;
    if (split_discard(split, n) < 0) {
        split_end(split, errno);
        return;
    }
    for (link = split->outlets.next; link->owner; link = link->next)
        outlet_advance(link->owner, n);
    split->window -= n;
    split->taken += n;
}

/* ---- in the loop ---- */

static void split_update_wants(struct split *split)
{
    struct loop_link *link;

    for (link = split->outlets.next; link->owner; link = link->next) {
        struct outlet *outlet = link->owner;

        if (split->window > 0 && outlet->ahead == 0)
            outlet_fill(outlet);
        watch_want(&outlet->watch, outlet->is_full && !outlet_is_lost(outlet) ? POLLER_OUT : 0);
    }
    watch_want(&split->watch, split->window == 0 ? POLLER_IN : 0);
}

static void split_pass_on(struct split *split)
{
    if (split->window > 0 || split_open_window(split))
        split_hand_out(split);
    if (!split_is_running(split))
        return;
    split_find_late_ones(split);
    split_take_out(split, split_done(split));
}

static void split_step(struct split *split)
{
    split_lose_patience(split);
    split_pass_on(split);
    if (split_is_running(split))
        split_update_wants(split);
    if (split_is_running(split))
        split_set_patience(split);
}

static void split_on_ready(void *owner, unsigned ready)
{
    struct split *split = owner;

    if (ready & POLLER_INVALID)
        split_end(split, split->watch.error);
    else
        split_step(split);
}

static void split_on_due(void *owner)
{
    split_step(owner);
}

static void split_on_again(void *owner)
{
    struct split *split = owner;

    if (split_is_running(split))
        split_step(split);
    else if (split->on_end)
        split->on_end(split->owner, split->error);
}

static void outlet_on_ready(void *owner, unsigned ready)
{
    struct outlet *outlet = owner;

    if (ready & POLLER_INVALID)
        split_end(outlet->split, outlet->watch.error);
    else
        split_step(outlet->split);
}

static void outlet_on_tell(void *owner)
{
    const struct outlet *outlet = owner;

    outlet->on_late(outlet->owner);
}

/* ---- for others ---- */

void split_init(struct split *split, struct loop *loop, split_fn *on_end, void *owner)
{
    *split = (struct split){.loop = loop, .null_fd = -1, .on_end = on_end, .owner = owner};
    watch_init(&split->watch, split_on_ready, split);
    list_init(&split->outlets, NULL);
    timer_init(&split->patience, loop, split_on_due, split);
    deferred_init(&split->again, loop, split_on_again, split);
}

static int outlet_open_queue(struct outlet *outlet, struct loop *loop, size_t size)
{
    int ends[2];

    if (kernel_pipe(ends) < 0)
        return -1;
    outlet->bound = kernel_pipe_size(ends[1], size);
    if (outlet->bound < 0 || watch_start(&outlet->watch, loop, ends[1], 0) < 0) {
        int error = errno;

        close(ends[0]);
        close(ends[1]);
        errno = error;
        return -1;
    }
    watch_name(&outlet->watch, "queue");
    outlet->read_fd = ends[0];
    outlet->fd = ends[1];
    return 0;
}

int split_add(struct split *split, struct outlet *outlet, size_t size, enum split_policy policy,
              loop_fn *on_late, void *owner)
{
    *outlet = (struct outlet){.fd = -1,
                              .read_fd = -1,
                              .policy = policy,
                              .on_late = on_late,
                              .owner = owner,
                              .share = SHARE_MOST,
                              .patience = SPLIT_PATIENCE,
                              .patience_at = loop_now(split->loop)};
    watch_init(&outlet->watch, outlet_on_ready, outlet);
    deferred_init(&outlet->tell, split->loop, outlet_on_tell, outlet);
    list_init(&outlet->link, outlet);
    if (outlet_open_queue(outlet, split->loop, size) < 0)
        return -1;
    outlet->split = split;
    list_append(&split->outlets, &outlet->link);
    if (split_is_running(split))
        deferred_call(&split->again); /* there may have been nobody to give a window to */
    return 0;
}

int split_start(struct split *split, struct end *source)
{
    assert(!split_is_running(split));
    if (kernel_tee(source->fd, source->fd, 0) < 0)
        return -1; /* ENOSYS: nothing else can be wrong with no bytes */
    if (watch_start(&split->watch, split->loop, source->fd, POLLER_IN) < 0)
        return -1;
    watch_name(&split->watch, "source");
    split->source = source;
    split->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    split->window = 0;
    return 0;
}

void split_remove(struct outlet *outlet)
{
    struct split *split = outlet->split;

    if (!split)
        return;
    outlet_leave(outlet);
    if (!split_is_running(split))
        return;
    if (list_is_empty(&split->outlets))
        split_end(split, ECANCELED);
    else
        deferred_call(&split->again); /* the others may have waited for this one */
}

uint64_t outlet_queued(const struct outlet *outlet)
{
    long n = outlet->fd < 0 ? 0 : kernel_readable(outlet->fd);

    return n < 0 ? 0 : (uint64_t)n;
}

void split_stop(struct split *split)
{
    split_halt(split);
    split_close_queues(split);
    deferred_stop(&split->again);
}
