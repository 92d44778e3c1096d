/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll(2): the whole list of descriptors goes to the kernel with each wait, and the whole list has
 * to be looked at afterwards. The work grows with the number watched, not with the number ready.
 *
 * The kernel's surprises: a hang-up is reported where nothing was asked for, and the last data of
 * a peer can come in the same event as its hang-up, POLLIN|POLLHUP: read first.
 */
#include "config.h"

#include "base/clock.h"
#include "poller/pollset.h"

static int po_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct pollset *set = poller->state;
    int n = pollset_ask(poller, set->fds, set->count, backend_milliseconds(timeout_ns));

    return n > 0 ? pollset_collect(set, n, events, max) : n;
}

const struct poller_backend backend_poll = {
    .name = "poll",
    .summary = "poll(2): the whole list with each wait",
    .supports = POLLSET_SUPPORTS,
    .unit_ns = CLOCK_MILLISECOND,
    .open = pollset_open,
    .close = pollset_close,
    .set = pollset_set,
    .wait = po_wait,
};
