/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time in slices of 100 ms, the last minute of it: how long of each was spent waiting, and what
 * came of the waits that ended in it. Meters are sums over them, the strip is a cell for each.
 */
#ifndef SLICES_H
#define SLICES_H

#include "pollspin/poller.h"

#define SLICES_NS (100 * INT64_C(1000000))

enum { SLICES = 600 };

struct slice {
    int64_t waiting_ns;
    uint64_t bytes;
    uint32_t reads;
    uint32_t waits;
    uint32_t timeouts;
    uint32_t events;
};

struct slices {
    int64_t since;  /* when the first call began; 0: there was none */
    int64_t newest; /* number: time / SLICES_NS */
    struct slice list[SLICES];
};

/* Begins at the first call, at NOW. SLICES is all zero before. */
void slices_begin(struct slices *slices, int64_t now);

/* Adds a wait to every slice that it lasted in, and what came of it to the one in which it ended.
 * slices_begin comes first, and times only grow. */
void slices_add_wait(struct slices *slices, const struct poller_call *call);

/* Adds a read(2) of N bytes to the newest slice. */
void slices_add_read(struct slices *slices, size_t n);

/* Sums up the last COUNT slices that are over at NOW. Returns how long that is: less where the
 * first call was later, 0 where there was none. */
int64_t slices_sum(const struct slices *slices, int64_t now, int count, struct slice *sum);

/* The cell of the slice that is BACK before the last one that is over at NOW:
 *     . waited all the time   - a time limit was over   | something was ready
 *     # less than half of it was spent waiting   blank: before the first call, or forgotten */
char slices_cell(const struct slices *slices, int64_t now, int64_t back);

#endif
