/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: which streams there are, and how they hang together.
 *
 * A pair is a stream by itself, or a fan of one where its destination may drop; a fan of a file is
 * as many pairs with one source. So there are streams, which are seen and counted, and behind some
 * of them fans, or one gathering. What becomes of them is in outcome.c.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "copy/inside.h"

enum { FEW = 8 };

/* Whoever takes something has pauses: none is given up for a short one. */
int64_t copy_patience(const struct copy_options *options)
{
    if (options->slow != SPLIT_DETACH)
        return -1;
    return options->detach_ns > SPLIT_STALL ? options->detach_ns : SPLIT_STALL;
}

/* ---- what is to be copied ---- */

struct copy *copy_new(struct loop *loop, const struct copy_options *options,
                      copy_event_fn *on_event, void *owner)
{
    struct copy *copy = calloc(1, sizeof *copy);

    if (!copy)
        return NULL;
    copy->crew = crew_new(loop, 0);
    if (!copy->crew) {
        free(copy);
        return NULL;
    }
    copy->loop = loop;
    copy->options = *options;
    if (options->follows && !(options->flags & REPLACE_APPEND))
        copy->options.flags |= REPLACE_IN_PLACE; /* it has no end at which it could appear */
    copy->on_event = on_event;
    copy->owner = owner;
    deferred_init(&copy->end, loop, outcome_tell_end, copy);
    timer_init(&copy->patience, loop, outcome_stop, copy);
    return copy;
}

int copy_add_pair(struct copy *copy, const struct place *source, const struct place *dest)
{
    struct pair *pairs = realloc(copy->pairs, (copy->count + 1) * sizeof *pairs);

    if (!pairs)
        return -1;
    copy->pairs = pairs;
    copy->pairs[copy->count++] = (struct pair){.source = source, .dest = dest};
    return 0;
}

int copy_add_fan(struct copy *copy, const struct place *source, const struct place *dests,
                 size_t count)
{
    copy->is_fan = true;
    for (size_t i = 0; i < count; i++)
        if (copy_add_pair(copy, source, &dests[i]) < 0)
            return -1;
    return 0;
}

int copy_add_merge(struct copy *copy, const struct place *dest, const struct place *sources,
                   size_t count)
{
    copy->is_merge = true;
    for (size_t i = 0; i < count; i++)
        if (copy_add_pair(copy, &sources[i], dest) < 0)
            return -1;
    return 0;
}

/* ---- beginning ---- */

/* A large pipe saves turns. But what a user may have in pipes in all is bounded (pipe(7),
 * pipe-user-pages-soft), and whoever takes all of it leaves two pages to each other program: so
 * only few are large. */
static bool has_few(const struct copy *copy)
{
    return copy->count <= FEW;
}

static size_t pipe_size(const struct copy *copy)
{
    return has_few(copy) ? COPY_QUEUE : 0;
}

static size_t queue_size(const struct copy *copy)
{
    if (copy->options.buffer != 0)
        return copy->options.buffer;
    return has_few(copy) ? COPY_QUEUE : COPY_QUEUE_OF_MANY;
}

static struct limit *total_of(struct copy *copy)
{
    return copy->options.total_rate != 0 ? &copy->total : NULL;
}

/* Whether each of several can read it at its own pace. */
static bool is_file(const struct place *place)
{
    struct stat status;
    int result = -1;

    if (place->kind == PLACE_PATH)
        result = stat(place->path, &status);
    else if (place->kind == PLACE_FD)
        result = fstat(place->fd, &status);
    return result == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

static void init_pair(struct copy *copy, size_t i)
{
    struct stream_options options = {
        .pump = {.buffer = copy->options.buffer,
                 .rate = copy->options.rate,
                 .total = total_of(copy),
                 .stall_ns = copy_patience(&copy->options)},
        .flags = copy->options.flags,
        .pipe_size = pipe_size(copy),
        .follows = copy->options.follows,
        .on_end = outcome_of_pair,
        .on_news = outcome_pair_news,
    };

    stream_init(&copy->streams[i], copy->loop, copy->crew, &options, copy);
    copy->streams[i].index = i;
}

/* Makes a fan of the COUNT streams from FIRST on. */
static int init_fan(struct copy *copy, size_t first, size_t count)
{
    struct fan_options options = {
        .crew = copy->crew,
        .copy = &copy->options,
        .total = total_of(copy),
        .queue = queue_size(copy),
        .pipe_size = pipe_size(copy),
        .on_outlet_end = outcome_of_outlet,
        .on_outlet_news = outcome_outlet_news,
        .on_intake_end = outcome_of_intake,
        .on_intake_news = outcome_intake_news,
        .owner = copy,
    };
    struct fan *fan = &copy->fans[copy->fan_count];

    if (fan_init(fan, copy->loop, &options, &copy->streams[first], count, first) < 0)
        return -1;
    copy->fan_count++;
    for (size_t i = 0; i < count; i++)
        copy->fan_of[first + i] = fan;
    return 0;
}

static int init_gather(struct copy *copy)
{
    struct gather_options options = {
        .crew = copy->crew,
        .copy = &copy->options,
        .total = total_of(copy),
        .queue = queue_size(copy),
        .buffer = queue_size(copy),
        .pipe_size = pipe_size(copy),
        .on_source_end = outcome_of_source,
        .on_source_news = outcome_source_news,
        .on_outlet_end = outcome_of_merge,
        .on_outlet_news = outcome_merge_news,
        .on_source_merged = outcome_source_merged,
        .owner = copy,
    };

    copy->gather = calloc(1, sizeof *copy->gather);
    if (!copy->gather)
        return -1;
    if (gather_init(copy->gather, copy->loop, &options, copy->streams, copy->count) == 0)
        return 0;
    free(copy->gather);
    copy->gather = NULL;
    return -1;
}

/* A source that cannot be read twice goes through a fan, where there are several destinations, or
 * where the only one may drop. */
static bool needs_fan(const struct copy *copy, size_t i)
{
    return (copy->is_fan || copy->options.slow == SPLIT_DROP) && !is_file(copy->pairs[i].source);
}

static int init_streams(struct copy *copy)
{
    size_t n = copy->count > 0 ? copy->count : 1;

    copy->streams = calloc(n, sizeof *copy->streams);
    copy->fans = calloc(n, sizeof *copy->fans);
    copy->fan_of = calloc(n, sizeof(struct fan *));
    copy->starved = calloc(n, sizeof *copy->starved);
    if (!copy->streams || !copy->fans || !copy->fan_of || !copy->starved)
        return -1;
    if (copy->is_merge)
        return init_gather(copy);
    if (copy->is_fan && copy->count > 0 && needs_fan(copy, 0))
        return init_fan(copy, 0, copy->count);
    for (size_t i = 0; i < copy->count; i++)
        if (!needs_fan(copy, i))
            init_pair(copy, i);
        else if (init_fan(copy, i, 1) < 0)
            return -1;
    return 0;
}

static void start_fan(struct copy *copy, struct fan *fan)
{
    size_t first = fan->streams[0].index;
    const struct place *source = copy->pairs[first].source;

    if (fan_start(fan, source, copy->pairs[first].dest) == 0)
        return;
    copy->live -= fan->count;
    outcome_cannot(copy, source, errno);
}

static void start_all(struct copy *copy)
{
    copy->live = copy->is_merge ? 1 : copy->count;
    if (copy->gather &&
        gather_start(copy->gather, copy->pairs[0].dest, copy->pairs[0].source) < 0) {
        copy->live = 0;
        outcome_cannot(copy, copy->pairs[0].dest, errno);
    }
    for (size_t i = 0; i < copy->fan_count && !copy->is_over; i++)
        start_fan(copy, &copy->fans[i]);
    for (size_t i = 0; i < copy->count && !copy->gather && !copy->is_over; i++)
        if (!copy->fan_of[i])
            outcome_start_stream(copy, i);
    if (copy->live == 0)
        outcome_end(copy);
}

int copy_start(struct copy *copy)
{
    limit_init(&copy->total, copy->options.total_rate, clock_now());
    if (init_streams(copy) < 0)
        return -1;
    start_all(copy);
    return 0;
}

/* ---- interruption ---- */

/* Their sources end, and so do they when they have passed on what they hold. */
static void dry_up(struct copy *copy)
{
    for (size_t i = 0; i < copy->fan_count; i++)
        stream_stop(&copy->fans[i].intake);
    for (size_t i = 0; i < copy->count && copy->gather; i++)
        stream_stop(&copy->streams[i]);
    timer_after(&copy->patience, CLOCK_SECOND);
}

void copy_interrupt(struct copy *copy)
{
    bool is_drying = copy->options.follows && (copy->fan_count > 0 || copy->gather);

    if (copy->is_over)
        return;
    copy->status |= COPY_INTERRUPTED;
    for (size_t i = 0; i < copy->count && copy->options.follows && !copy->gather; i++)
        if (!copy->fan_of[i])
            outcome_stop_stream(copy, i, stream_end_following);
    if (is_drying)
        dry_up(copy);
    else
        outcome_stop(copy);
}

/* ---- looking ---- */

unsigned copy_status(const struct copy *copy)
{
    return copy->status;
}

uint64_t copy_total(const struct copy *copy)
{
    uint64_t total = 0;

    if (copy->is_merge)
        return copy->is_over || !copy->gather ? copy->gathered
                                              : stream_copied(&copy->gather->outlet);
    for (size_t i = 0; i < copy->count && copy->streams; i++)
        total += stream_copied(&copy->streams[i]);
    return total;
}

size_t copy_stream_count(const struct copy *copy)
{
    return copy->count;
}

void copy_look(const struct copy *copy, size_t i, struct copy_view *view)
{
    const struct stream *stream = &copy->streams[i];
    struct fan *fan = copy->fan_of[i];

    *view = (struct copy_view){
        .source = copy->pairs[i].source->text,
        .dest = copy->pairs[i].dest->text,
        .state = stream_state(stream),
        .copied = stream_copied(stream),
        .size = fan ? fan->intake.size : stream->size,
    };
    if (fan && fan->outlets) {
        const struct outlet *outlet = fan_outlet(fan, (size_t)(stream - fan->streams));

        view->queued = stream_queued(stream);
        view->bound = outlet->bound > 0 ? (uint64_t)outlet->bound : 0;
        view->dropped = outlet->dropped;
    } else if (copy->gather && copy->gather->sources) {
        view->dropped = gather_source(copy->gather, i)->dropped_bytes;
    }
}

void copy_free(struct copy *copy)
{
    if (!copy)
        return;
    copy->is_over = true; /* nothing more is told */
    if (copy->streams)
        outcome_stop_all(copy);
    deferred_stop(&copy->end);
    timer_stop(&copy->patience);
    free(copy->gather);
    crew_free(copy->crew);
    free(copy->streams);
    free(copy->fans);
    free(copy->fan_of);
    free(copy->starved);
    free(copy->pairs);
    free(copy);
}
