/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slices stand in a ring: number N at N % SLICES. Those from newest - SLICES + 1 to newest are
 * there; what comes later than newest is empty as yet, and is cleared when it is first reached.
 */
#include "config.h"

#include "ui/slices.h"

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Returns the slice NUMBER for adding to it; NULL where it has been forgotten. */
static struct slice *slice_reach(struct slices *slices, int64_t number)
{
    int64_t next = greater(slices->newest + 1, number - SLICES + 1);

    if (number <= slices->newest - SLICES)
        return NULL;
    for (; next <= number; next++) {
        slices->list[next % SLICES] = (struct slice){0};
        slices->newest = next;
    }
    return &slices->list[number % SLICES];
}

/* As above, for looking at it. */
static const struct slice *slice_at(const struct slices *slices, int64_t number)
{
    static const struct slice nothing;

    if (number < 0 || number > slices->newest || number <= slices->newest - SLICES)
        return &nothing;
    return &slices->list[number % SLICES];
}

void slices_begin(struct slices *slices, int64_t now)
{
    slices->since = now;
    slices->newest = now / SLICES_NS;
}

void slices_add_wait(struct slices *slices, const struct poller_call *call)
{
    int64_t last = call->end_ns / SLICES_NS;
    int64_t number = greater(call->begin_ns / SLICES_NS, last - SLICES + 1);
    struct slice *slice = slice_reach(slices, last);

    if (!slice)
        return;
    slice->waits++;
    slice->timeouts += call->told == 0;
    slice->events += call->told > 0 ? (uint32_t)call->told : 0;
    for (; number <= last; number++) {
        int64_t begin = greater(call->begin_ns, number * SLICES_NS);
        int64_t end = lesser(call->end_ns, (number + 1) * SLICES_NS);

        slice = slice_reach(slices, number);
        if (slice)
            slice->waiting_ns += end - begin;
    }
}

void slices_add_read(struct slices *slices, size_t n)
{
    struct slice *slice = slice_reach(slices, slices->newest);

    slice->reads++;
    slice->bytes += n;
}

int64_t slices_sum(const struct slices *slices, int64_t now, int count, struct slice *sum)
{
    int64_t end = now / SLICES_NS;
    int64_t begin = greater(slices->since, (end - count) * SLICES_NS);

    *sum = (struct slice){0};
    for (int64_t number = end - count; number < end; number++) {
        const struct slice *slice = slice_at(slices, number);

        sum->waiting_ns += slice->waiting_ns;
        sum->bytes += slice->bytes;
        sum->reads += slice->reads;
        sum->waits += slice->waits;
        sum->timeouts += slice->timeouts;
        sum->events += slice->events;
    }
    return slices->since > 0 ? greater(end * SLICES_NS - begin, 0) : 0;
}

char slices_cell(const struct slices *slices, int64_t now, int64_t back)
{
    int64_t number = now / SLICES_NS - 1 - back;
    const struct slice *slice = slice_at(slices, number);
    int64_t newest = greater(slices->newest, number + 1 + back);
    int64_t length = (number + 1) * SLICES_NS - greater(number * SLICES_NS, slices->since);

    if (slices->since == 0 || length <= 0 || number <= newest - SLICES)
        return ' ';
    if (2 * slice->waiting_ns < length)
        return '#';
    return slice->events > 0 ? '|' : slice->timeouts > 0 ? '-' : '.';
}
