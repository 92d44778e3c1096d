/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lesson: the blocking model. The program sits in one descriptor until that one is ready, as
 * read(2) would; everything else -- the other descriptors, every timer, the spinner -- waits for
 * it.
 *
 * The one is that with the highest number: in most programs the one that was opened last. When it
 * has spoken, or a signal came, the others are looked at once, so that Ctrl-C still ends the
 * program -- but for the signal that comes just before the program sits down: that one is seen when
 * the descriptor speaks, which is the old trouble of this model, pselect(2). The time limit of the
 * contract is the only part that this backend breaks: on purpose.
 */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "poller/pollset.h"

/* Returns the entry to block in; NULL where nothing is asked for. */
static struct pollfd *bl_choose(const struct pollset *set)
{
    struct pollfd *chosen = NULL;

    for (int i = 0; i < set->count; i++)
        if (set->fds[i].events != 0 && (!chosen || set->fds[i].fd > chosen->fd))
            chosen = &set->fds[i];
    return chosen;
}

static int bl_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct pollset *set = poller->state;
    struct pollfd *chosen = bl_choose(set);
    int error = 0;
    int n;

    if (chosen && timeout_ns != 0 && pollset_ask(poller, chosen, 1, -1) < 0)
        error = errno;
    n = pollset_ask(poller, set->fds, set->count, chosen ? 0 : backend_milliseconds(timeout_ns));
    if (n == 0 && error != 0) {
        errno = error;
        return -1;
    }
    return n > 0 ? pollset_collect(set, n, events, max) : n;
}

const struct poller_backend backend_blocking = {
    .name = "blocking",
    .summary = "a lesson: sits in one descriptor and lets all else wait",
    .supports = POLLSET_SUPPORTS,
    .unit_ns = CLOCK_MILLISECOND,
    .is_lesson = true,
    .open = pollset_open,
    .close = pollset_close,
    .set = pollset_set,
    .wait = bl_wait,
};
