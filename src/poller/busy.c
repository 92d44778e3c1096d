/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lesson: polling in the bad sense of the word. poll(2) is asked again and again and never
 * allowed to wait, so the program is as quick as can be and burns a whole processor. Watch it in
 * the inspector and in top(1). This is the non-blocking model of I/O without multiplexing.
 */
#include "config.h"

#include "base/clock.h"
#include "poller/pollset.h"

/* Returns at once whatever it found; poller_wait comes back until the time is over. */
static int bu_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct pollset *set = poller->state;
    int n = pollset_ask(poller, set->fds, set->count, 0);

    (void)timeout_ns;
    return n > 0 ? pollset_collect(set, n, events, max) : n;
}

const struct poller_backend backend_busy = {
    .name = "busy",
    .summary = "a lesson: asks without end, never waits, burns a processor",
    .supports = POLLSET_SUPPORTS,
    .unit_ns = CLOCK_MILLISECOND,
    .is_lesson = true,
    .open = pollset_open,
    .close = pollset_close,
    .set = pollset_set,
    .wait = bu_wait,
};
