/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "loop/timer.h"

int timer_after(struct timer *timer, int64_t delay_ns)
{
    return timer_set(timer, loop_now(timer->loop) + delay_ns);
}

int timer_every(struct timer *timer, int64_t period_ns)
{
    (void)timer;
    (void)period_ns;
    errno = ENOTSUP;
    return -1;
}
