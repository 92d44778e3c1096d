/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one place that asks what time it is.
 *
 * Everything that waits or is due uses the monotonic clock, in nanoseconds: it never jumps when
 * somebody sets the date. 2^63 ns are 292 years, so sums of two such times do not overflow.
 * Source: clock_gettime(2).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND      INT64_C(1000000000)
#define CLOCK_MILLISECOND INT64_C(1000000)
#define CLOCK_MICROSECOND INT64_C(1000)

typedef int64_t clock_fn(void);

/* Returns the monotonic time in nanoseconds. Never fails. */
int64_t clock_now(void);

/* Returns the time of day, for people: timestamps and the delay service. */
struct timespec clock_wall(void);

/* Makes clock_now ask SOURCE instead of the system; NULL gives the system back. For tests. */
void clock_use(clock_fn *source);

/* Returns SECONDS as nanoseconds, at most about 31 years so that deadlines never overflow. */
int64_t clock_from_seconds(double seconds);

#endif
