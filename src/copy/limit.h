/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * So many bytes a second and no more: a token bucket. It holds a tenth of a second's worth at most,
 * but at least one byte, so that a pause is not made good by a burst, and begins empty. Exact over
 * time: a second after the start no more than RATE bytes have gone. Reads no clock: the caller says
 * what time it is.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdint.h>

#include "pollspin/link.h"

struct limit {
    uint64_t rate;          /* bytes a second; 0: no limit */
    int64_t filled;         /* when the bucket was last filled */
    uint64_t room;          /* bytes that may go now ... */
    uint64_t part;          /* ... and the part of a byte, in 10^-9, that is carried over */
    struct loop_link queue; /* those who wait for their turn, where several share it: theirs */
};

/* It stays where it is then. */
void limit_init(struct limit *limit, uint64_t rate, int64_t now);

/* Returns how many of WANT bytes may go at NOW; 0: none, or too few to be worth it yet, ask again
 * at limit_due. */
uint64_t limit_allow(struct limit *limit, uint64_t want, int64_t now);

/* Counts N bytes, at most what was allowed, as gone. */
void limit_take(struct limit *limit, uint64_t n);

/* Says that N bytes which were taken have not gone after all. */
void limit_give_back(struct limit *limit, uint64_t n);

/* Returns when enough of the next bytes may go to be worth waking for: a hundredth of a second's
 * worth, or one byte. */
int64_t limit_due(const struct limit *limit, int64_t now);

#endif
