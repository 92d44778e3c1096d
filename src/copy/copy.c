/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: which streams there are, how they hang together, and what becomes of the whole when one
 * of them ends.
 *
 * A pair is a stream by itself, or a fan of one where its destination may drop; a fan of a file is
 * as many pairs with one source. So there are streams, which are seen and counted, and behind some
 * of them fans, or one gathering.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "copy/copy.h"
#include "copy/fan.h"
#include "copy/gather.h"
#include "copy/stream.h"

enum { FEW = 8 };

struct pair {
    const struct place *source;
    const struct place *dest;
};

struct copy {
    struct loop *loop;
    struct copy_options options;
    copy_event_fn *on_event;
    void *owner;
    struct crew *crew;
    struct limit total;
    struct pair *pairs; /* what each stream copies, in places */
    size_t count;
    struct stream *streams;
    struct fan *fans; /* of the streams behind one; as many as there are streams, or NULL */
    struct fan **fan_of;
    size_t fan_count;
    struct gather *gather;
    bool is_fan;
    bool is_merge;
    size_t live;     /* streams that have not ended; of a merge, its outlet alone */
    size_t *starved; /* those of them that wait for descriptors */
    size_t starved_count;
    bool is_alone; /* one was tried with nobody beside it */
    unsigned status;
    uint64_t gathered; /* bytes that the outlet of a merge has written, at its end */
    bool is_over;
    struct deferred end;
    struct timer patience; /* after an interruption */
};

/* ---- telling ---- */

static void tell(struct copy *copy, const struct copy_event *event)
{
    if (!copy->is_over || event->kind == COPY_ENDED)
        copy->on_event(copy->owner, event);
}

static void end(void *owner)
{
    struct copy *copy = owner;

    timer_stop(&copy->patience);
    tell(copy,
         &(struct copy_event){.kind = COPY_ENDED, .stream = SIZE_MAX, .bytes = copy_total(copy)});
}

/* ---- the end of a stream ---- */

static unsigned status_of(enum stream_end how)
{
    static const unsigned statuses[] = {
        [STREAM_DONE] = 0,
        [STREAM_SOURCE_FAILED] = COPY_SOURCE,
        [STREAM_DEST_FAILED] = COPY_DEST,
        [STREAM_DETACHED] = COPY_LOST,
        [STREAM_STARVED] = COPY_SOURCE,
    };

    return statuses[how];
}

static enum copy_event_kind event_of(enum stream_end how)
{
    static const enum copy_event_kind kinds[] = {
        [STREAM_DONE] = COPY_DONE,
        [STREAM_SOURCE_FAILED] = COPY_SOURCE_FAILED,
        [STREAM_DEST_FAILED] = COPY_DEST_FAILED,
        [STREAM_DETACHED] = COPY_DETACHED,
        [STREAM_STARVED] = COPY_SOURCE_FAILED,
    };

    return kinds[how];
}

/* Tells how the stream INDEX from SOURCE to DEST has ended. */
static void tell_end(struct copy *copy, size_t index, const struct pair *pair, enum stream_end how,
                     int error, const char *why, uint64_t bytes)
{
    bool is_source = how == STREAM_SOURCE_FAILED || how == STREAM_STARVED;
    struct copy_event event = {
        .kind = event_of(how),
        .stream = index,
        .name = how == STREAM_DONE ? NULL
                : is_source        ? pair->source->text
                                   : pair->dest->text,
        .error = error,
        .why = how == STREAM_DONE ? NULL : why,
        .bytes = bytes,
    };

    copy->status |= status_of(how);
    tell(copy, &event);
}

/* ---- the end of all ---- */

static void tell_lost(struct copy *copy, enum copy_event_kind kind, size_t index,
                      const struct place *place, uint64_t bytes, uint64_t lines)
{
    if (bytes == 0 && lines == 0)
        return;
    copy->status |= COPY_LOST;
    tell(copy,
         &(struct copy_event){
             .kind = kind, .stream = index, .name = place->text, .bytes = bytes, .lines = lines});
}

static void tell_lost_of_outlet(struct copy *copy, size_t i)
{
    const struct fan *fan = copy->fan_of[i];
    const struct outlet *outlet = fan_outlet(fan, (size_t)(&copy->streams[i] - fan->streams));

    tell_lost(copy, COPY_DROPPED, i, copy->pairs[i].dest, outlet->dropped, 0);
}

static void tell_lost_of_source(struct copy *copy, size_t i)
{
    const struct merge_source *source = gather_source(copy->gather, i);
    const struct place *place = copy->pairs[i].source;

    tell_lost(copy, COPY_DROPPED, i, place, source->dropped_bytes, source->dropped_lines);
    tell_lost(copy, COPY_CUT, i, place, 0, source->cut_lines);
}

/* The crew may have ended its destination before it could be told to leave it. */
static void tell_stopped(struct copy *copy, const struct stream *stream, size_t i,
                         const struct pair *pair)
{
    if (stream->state == COPY_COMPLETE)
        tell_end(copy, i, pair, STREAM_DONE, 0, NULL, stream_copied(stream));
    else if (stream->state == COPY_FAILED)
        tell_end(copy, i, pair, STREAM_DEST_FAILED, stream->finish_error,
                 strerror(stream->finish_error), stream_copied(stream));
}

/* Memory may have been out before it was made. */
static void stop_stream(struct copy *copy, size_t i, void (*stop)(struct stream *stream))
{
    struct stream *stream = &copy->streams[i];

    if (!stream->loop || stream_has_ended(stream))
        return;
    if (copy->fan_of[i])
        tell_lost_of_outlet(copy, i);
    stop(stream);
    tell_stopped(copy, stream, i, &copy->pairs[i]);
}

static void stop_gather(struct copy *copy)
{
    struct stream *outlet = &copy->gather->outlet;

    for (size_t i = 0; i < copy->count; i++)
        if (gather_source(copy->gather, i)->merge)
            tell_lost_of_source(copy, i);
    if (!stream_has_ended(outlet)) {
        stream_stop(outlet);
        tell_stopped(copy, outlet, SIZE_MAX, &copy->pairs[0]);
    }
    copy->gathered = stream_copied(outlet);
    gather_fini(copy->gather);
}

static void stop_all(struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        stop_stream(copy, i, stream_stop);
    for (size_t i = 0; i < copy->fan_count; i++)
        fan_fini(&copy->fans[i]);
    if (copy->gather && copy->gather->sources)
        stop_gather(copy);
}

static void be_over(struct copy *copy)
{
    if (copy->is_over)
        return;
    copy->is_over = true;
    copy->live = 0;
    deferred_call(&copy->end);
}

static void stop(void *owner)
{
    struct copy *copy = owner;

    stop_all(copy);
    be_over(copy);
}

static void stop_on_error(struct copy *copy)
{
    if (copy->options.stops_on_error && !copy->is_over)
        stop(copy);
}

/* What is ours has failed, not one of the places. */
static void cannot(struct copy *copy, const struct place *place, int error)
{
    const char *why = strerror(error);

    if (error == EPERM)
        why = "this system lets no queue be as large as --buffer: see /proc/sys/fs/pipe-max-size";
    if (error == ENOSYS)
        why = "this system has no tee(2), which --fan of a pipe and --slow=drop need";
    copy->status |= COPY_BROKEN;
    tell(copy, &(struct copy_event){.kind = COPY_CANNOT,
                                    .stream = SIZE_MAX,
                                    .name = place->text,
                                    .error = error,
                                    .why = why});
    stop_on_error(copy);
}

/* ---- descriptors that are out ---- */

static void start_stream(struct copy *copy, size_t i)
{
    stream_start(&copy->streams[i], copy->pairs[i].source, copy->pairs[i].dest);
}

static void feed_one(struct copy *copy)
{
    copy->is_alone = copy->live == copy->starved_count;
    start_stream(copy, copy->starved[--copy->starved_count]);
}

/* One has ended, and its descriptors are free for others: two, so that there are again as many at
 * once as can be. */
static void feed_starved(struct copy *copy)
{
    for (int i = 0; i < 2 && copy->starved_count > 0; i++)
        feed_one(copy);
}

/* What it held is another's then. */
static void give_up_starved(struct copy *copy)
{
    size_t i = copy->starved[--copy->starved_count];

    stream_stop(&copy->streams[i]);
    copy->live--;
    tell_end(copy, i, &copy->pairs[i], STREAM_STARVED, EMFILE, strerror(EMFILE), 0);
    stop_on_error(copy);
    if (copy->live == 0)
        be_over(copy);
}

/* Nobody may be running at all, where each has one of the two descriptors that it needs. Then one
 * is tried alone; where that does not help it is given up. */
static void starve(struct copy *copy, size_t i)
{
    copy->starved[copy->starved_count++] = i;
    if (copy->live > copy->starved_count)
        return;
    if (copy->is_alone)
        give_up_starved(copy);
    if (copy->starved_count > 0 && !copy->is_over)
        feed_one(copy);
}

static void leave(struct copy *copy, bool has_failed)
{
    if (copy->is_over)
        return;
    copy->live--;
    if (has_failed)
        stop_on_error(copy);
    if (copy->is_over)
        return;
    feed_starved(copy);
    if (copy->live == 0)
        be_over(copy);
}

/* ---- pairs ---- */

static void pair_ended(struct stream *stream, enum stream_end how, int error, const char *why)
{
    struct copy *copy = stream->owner;

    if (how == STREAM_STARVED) {
        starve(copy, stream->index);
        return;
    }
    tell_end(copy, stream->index, &copy->pairs[stream->index], how, error, why,
             stream_copied(stream));
    leave(copy, how != STREAM_DONE);
}

/* What waits is the destination, where the source is open. */
static const struct place *place_of(const struct pair *pair, const struct stream *stream,
                                    enum copy_event_kind kind)
{
    if (kind == COPY_OPENED)
        return NULL;
    return kind == COPY_WAITS && stream_opens_dest(stream) ? pair->dest : pair->source;
}

static void tell_news(struct copy *copy, const struct stream *stream, size_t index,
                      enum copy_event_kind kind)
{
    const struct place *place = place_of(&copy->pairs[index], stream, kind);
    char why[256] = "";

    if (kind == COPY_WAITS)
        stream_describe(stream, why, sizeof why);
    tell(copy, &(struct copy_event){.kind = kind,
                                    .stream = index,
                                    .name = place ? place->text : NULL,
                                    .why = *why != '\0' ? why : NULL});
}

static void pair_news(struct stream *stream, enum copy_event_kind kind)
{
    tell_news(stream->owner, stream, stream->index, kind);
}

/* ---- fans ---- */

static void fan_stream_ended(struct stream *stream, enum stream_end how, int error, const char *why)
{
    struct fan *fan = stream->owner;
    struct copy *copy = fan->options.owner;
    size_t i = stream->index;

    tell_lost_of_outlet(copy, i);
    tell_end(copy, i, &copy->pairs[i], how, error, why, stream_copied(stream));
    leave(copy, how != STREAM_DONE);
}

static void fan_stream_news(struct stream *stream, enum copy_event_kind kind)
{
    struct fan *fan = stream->owner;

    tell_news(fan->options.owner, stream, stream->index, kind);
}

/* That it is open is told of the streams behind it. */
static void intake_news(struct stream *intake, enum copy_event_kind kind)
{
    struct fan *fan = intake->owner;

    if (kind != COPY_OPENED)
        tell_news(fan->options.owner, intake, fan->streams[0].index, kind);
}

/* Its destination is a pipe of our own, which has no reader any more when all outlets have failed.
 * The streams behind it have yet to end. */
static void intake_ended(struct stream *intake, enum stream_end how, int error, const char *why)
{
    struct fan *fan = intake->owner;
    struct copy *copy = fan->options.owner;
    size_t first = fan->streams[0].index;

    if (how == STREAM_DONE || (how == STREAM_DEST_FAILED && error == EPIPE))
        return;
    if (how == STREAM_DEST_FAILED)
        cannot(copy, copy->pairs[first].source, error);
    else
        tell_end(copy, fan->count == 1 ? first : SIZE_MAX, &copy->pairs[first],
                 STREAM_SOURCE_FAILED, error, why, stream_copied(intake));
    stop_on_error(copy);
}

/* ---- a merge ---- */

static void merge_source_ended(struct stream *stream, enum stream_end how, int error,
                               const char *why)
{
    struct gather *gather = stream->owner;
    struct copy *copy = gather->options.owner;

    if (how == STREAM_DEST_FAILED && error == EPIPE)
        return; /* the merge has ended before: the outlet tells why */
    if (how == STREAM_DEST_FAILED)
        how = STREAM_SOURCE_FAILED; /* a pipe of our own: all that is told of is the source */
    tell_end(copy, stream->index, &copy->pairs[stream->index], how, error, why,
             stream_copied(stream));
    if (how != STREAM_DONE)
        stop_on_error(copy);
}

static void merge_source_news(struct stream *stream, enum copy_event_kind kind)
{
    struct gather *gather = stream->owner;

    tell_news(gather->options.owner, stream, stream->index, kind);
}

static void merge_outlet_news(struct stream *outlet, enum copy_event_kind kind)
{
    struct gather *gather = outlet->owner;

    if (kind != COPY_OPENED)
        tell_news(gather->options.owner, outlet, 0, kind);
}

static void source_merged(void *owner, size_t index, int error)
{
    struct copy *copy = owner;

    if (error != 0)
        tell_end(copy, index, &copy->pairs[index], STREAM_SOURCE_FAILED, error, strerror(error),
                 stream_copied(&copy->streams[index]));
    tell_lost_of_source(copy, index);
}

static void merge_outlet_ended(struct stream *outlet, enum stream_end how, int error,
                               const char *why)
{
    struct gather *gather = outlet->owner;
    struct copy *copy = gather->options.owner;

    copy->gathered = stream_copied(outlet);
    if (how != STREAM_DONE)
        tell_end(copy, SIZE_MAX, &copy->pairs[0], how, error, why, copy->gathered);
    be_over(copy);
}

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
    deferred_init(&copy->end, loop, end, copy);
    timer_init(&copy->patience, loop, stop, copy);
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
        .on_end = pair_ended,
        .on_news = pair_news,
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
        .on_outlet_end = fan_stream_ended,
        .on_outlet_news = fan_stream_news,
        .on_intake_end = intake_ended,
        .on_intake_news = intake_news,
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
        .on_source_end = merge_source_ended,
        .on_source_news = merge_source_news,
        .on_outlet_end = merge_outlet_ended,
        .on_outlet_news = merge_outlet_news,
        .on_source_merged = source_merged,
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
    cannot(copy, source, errno);
}

static void start_all(struct copy *copy)
{
    copy->live = copy->is_merge ? 1 : copy->count;
    if (copy->gather &&
        gather_start(copy->gather, copy->pairs[0].dest, copy->pairs[0].source) < 0) {
        copy->live = 0;
        cannot(copy, copy->pairs[0].dest, errno);
    }
    for (size_t i = 0; i < copy->fan_count && !copy->is_over; i++)
        start_fan(copy, &copy->fans[i]);
    for (size_t i = 0; i < copy->count && !copy->gather && !copy->is_over; i++)
        if (!copy->fan_of[i])
            start_stream(copy, i);
    if (copy->live == 0)
        be_over(copy);
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
            stop_stream(copy, i, stream_end_following);
    if (is_drying)
        dry_up(copy);
    else
        stop(copy);
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
        stop_all(copy);
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
