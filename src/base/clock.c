/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/clock.h"

static clock_fn *clock_source;

int64_t clock_now(void)
{
    struct timespec now;

    if (clock_source)
        return clock_source();
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

struct timespec clock_wall(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

void clock_use(clock_fn *source)
{
    clock_source = source;
}

int64_t clock_from_seconds(double seconds)
{
    const double longest = 1e9;

    return (int64_t)((seconds < longest ? seconds : longest) * (double)CLOCK_SECOND);
}
