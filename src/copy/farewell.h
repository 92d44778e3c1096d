/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What end.c, which opens an end, and farewell.c, which closes it, know of each other.
 */
#ifndef FAREWELL_H
#define FAREWELL_H

#include "base/clock.h"
#include "copy/end.h"

/* How long it is until a fifo, or a peer, is looked at again, at first and at most. */
#define END_RETRY_FIRST (1 * CLOCK_MILLISECOND)
#define END_RETRY_MOST  (50 * CLOCK_MILLISECOND)

/* Returns how long it is the next time. */
static inline int64_t end_later(int64_t retry_ns)
{
    return retry_ns * 2 < END_RETRY_MOST ? retry_ns * 2 : END_RETRY_MOST;
}

/* Makes a farewell that has not begun: of end_init. */
void farewell_init(struct end *end);

/* Closes them; errno survives. */
void end_close_listeners(struct end *end);

#endif
