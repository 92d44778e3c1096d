/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "pollspin/loop.h"

void wakeup_init(struct wakeup *wakeup, loop_fn *on_wakeup, void *owner)
{
    *wakeup = (struct wakeup){.write_fd = -1, .on_wakeup = on_wakeup, .owner = owner};
}

int wakeup_start(struct wakeup *wakeup, struct loop *loop)
{
    (void)wakeup;
    (void)loop;
    errno = ENOTSUP;
    return -1;
}

void wakeup_send(struct wakeup *wakeup)
{
    (void)wakeup;
}

void wakeup_stop(struct wakeup *wakeup)
{
    (void)wakeup;
}
