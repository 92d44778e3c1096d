/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket in whole numbers: room + part / 10^9 is what it holds. One second fills any bucket
 * whole, so no more than a second's worth is ever worked out, and nothing overflows, neither with
 * the highest rate nor after the longest pause.
 */
#include "config.h"

#include "base/clock.h"
#include "base/list.h"
#include "copy/limit.h"

enum { LIMIT_HELD = 10, LIMIT_WORTH = 100 }; /* parts of a second */

static const uint64_t second = CLOCK_SECOND;

static uint64_t at_least_one(uint64_t n)
{
    return n > 0 ? n : 1;
}

static uint64_t limit_most(const struct limit *limit)
{
    return at_least_one(limit->rate / LIMIT_HELD);
}

static uint64_t limit_worth(const struct limit *limit)
{
    return at_least_one(limit->rate / LIMIT_WORTH);
}

void limit_init(struct limit *limit, uint64_t rate, int64_t now)
{
    *limit = (struct limit){.rate = rate, .filled = now};
    list_init(&limit->queue, NULL);
}

static void limit_cut(struct limit *limit)
{
    if (limit->room < limit_most(limit))
        return;
    limit->room = limit_most(limit);
    limit->part = 0;
}

/* The rate is taken apart into whole bytes a nanosecond and the rest, since the product of both
 * would not fit. */
static void limit_fill(struct limit *limit, int64_t now)
{
    uint64_t passed = (uint64_t)now - (uint64_t)limit->filled;

    if (now <= limit->filled)
        return;
    limit->filled = now;
    if (passed >= second) {
        limit->room = limit_most(limit);
    } else {
        limit->part += limit->rate % second * passed;
        limit->room += limit->rate / second * passed + limit->part / second;
        limit->part %= second;
    }
    limit_cut(limit);
}

uint64_t limit_allow(struct limit *limit, uint64_t want, int64_t now)
{
    uint64_t worth;

    if (limit->rate == 0)
        return want;
    limit_fill(limit, now);
    worth = limit_worth(limit);
    if (limit->room < (want < worth ? want : worth))
        return 0;
    return want < limit->room ? want : limit->room;
}

void limit_take(struct limit *limit, uint64_t n)
{
    if (limit->rate > 0)
        limit->room -= n;
}

void limit_give_back(struct limit *limit, uint64_t n)
{
    if (limit->rate == 0 || n == 0)
        return;
    limit->room += n;
    limit_cut(limit);
}

/* Where the product would not fit both are halved, and what is rounded makes it later. */
int64_t limit_due(const struct limit *limit, int64_t now)
{
    uint64_t rate = limit->rate;
    uint64_t missing = limit_worth(limit);

    if (rate == 0 || limit->room >= missing)
        return now;
    missing -= limit->room;
    for (; rate > UINT32_MAX; rate /= 2)
        missing = missing / 2 + 1;
    return limit->filled + (int64_t)((missing * second - limit->part + rate - 1) / rate);
}
