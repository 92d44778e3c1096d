/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a run when a part of it ends, fails, waits for descriptors or is stopped, and
 * what is told of it. Streams end one by one, each by one of the functions below; the run is over
 * when none is left, or when the first failure or a signal stops it.
 *
 * Nothing is told twice, and nothing after the run is over but its end. A stream that has ended is
 * not touched again, since a fan or a merge may be gone with it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "copy/inside.h"

/* ---- telling ---- */

static void tell(struct copy *copy, const struct copy_event *event)
{
    if (!copy->is_over || event->kind == COPY_ENDED)
        copy->on_event(copy->owner, event);
}

void outcome_tell_end(void *owner)
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
void outcome_stop_stream(struct copy *copy, size_t i, void (*stop)(struct stream *stream))
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

void outcome_stop_all(struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        outcome_stop_stream(copy, i, stream_stop);
    for (size_t i = 0; i < copy->fan_count; i++)
        fan_fini(&copy->fans[i]);
    if (copy->gather && copy->gather->sources)
        stop_gather(copy);
}

void outcome_end(struct copy *copy)
{
    if (copy->is_over)
        return;
    copy->is_over = true;
    copy->live = 0;
    deferred_call(&copy->end);
}

void outcome_stop(void *owner)
{
    struct copy *copy = owner;

    outcome_stop_all(copy);
    outcome_end(copy);
}

static void stop_on_error(struct copy *copy)
{
    if (copy->options.stops_on_error && !copy->is_over)
        outcome_stop(copy);
}

/* What is ours has failed, not one of the places. */
void outcome_cannot(struct copy *copy, const struct place *place, int error)
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

void outcome_start_stream(struct copy *copy, size_t i)
{
    stream_start(&copy->streams[i], copy->pairs[i].source, copy->pairs[i].dest);
}

static void feed_one(struct copy *copy)
{
    copy->is_alone = copy->live == copy->starved_count;
    outcome_start_stream(copy, copy->starved[--copy->starved_count]);
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
        outcome_end(copy);
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
        outcome_end(copy);
}

/* ---- pairs ---- */

void outcome_of_pair(struct stream *stream, enum stream_end how, int error, const char *why)
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

void outcome_pair_news(struct stream *stream, enum copy_event_kind kind)
{
    tell_news(stream->owner, stream, stream->index, kind);
}

/* ---- fans ---- */

void outcome_of_outlet(struct stream *stream, enum stream_end how, int error, const char *why)
{
    struct fan *fan = stream->owner;
    struct copy *copy = fan->options.owner;
    size_t i = stream->index;

    tell_lost_of_outlet(copy, i);
    tell_end(copy, i, &copy->pairs[i], how, error, why, stream_copied(stream));
    leave(copy, how != STREAM_DONE);
}

void outcome_outlet_news(struct stream *stream, enum copy_event_kind kind)
{
    struct fan *fan = stream->owner;

    tell_news(fan->options.owner, stream, stream->index, kind);
}

/* That it is open is told of the streams behind it. */
void outcome_intake_news(struct stream *intake, enum copy_event_kind kind)
{
    struct fan *fan = intake->owner;

    if (kind != COPY_OPENED)
        tell_news(fan->options.owner, intake, fan->streams[0].index, kind);
}

/* Its destination is a pipe of our own, which has no reader any more when all outlets have failed.
 * The streams behind it have yet to end. */
void outcome_of_intake(struct stream *intake, enum stream_end how, int error, const char *why)
{
    struct fan *fan = intake->owner;
    struct copy *copy = fan->options.owner;
    size_t first = fan->streams[0].index;

    if (how == STREAM_DONE || (how == STREAM_DEST_FAILED && error == EPIPE))
        return;
    if (how == STREAM_DEST_FAILED)
        outcome_cannot(copy, copy->pairs[first].source, error);
    else
        tell_end(copy, fan->count == 1 ? first : SIZE_MAX, &copy->pairs[first],
                 STREAM_SOURCE_FAILED, error, why, stream_copied(intake));
    stop_on_error(copy);
}

/* ---- a merge ---- */

void outcome_of_source(struct stream *stream, enum stream_end how, int error, const char *why)
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

void outcome_source_news(struct stream *stream, enum copy_event_kind kind)
{
    struct gather *gather = stream->owner;

    tell_news(gather->options.owner, stream, stream->index, kind);
}

void outcome_merge_news(struct stream *outlet, enum copy_event_kind kind)
{
    struct gather *gather = outlet->owner;

    if (kind != COPY_OPENED)
        tell_news(gather->options.owner, outlet, 0, kind);
}

void outcome_source_merged(void *owner, size_t index, int error)
{
    struct copy *copy = owner;

    if (error != 0)
        tell_end(copy, index, &copy->pairs[index], STREAM_SOURCE_FAILED, error, strerror(error),
                 stream_copied(&copy->streams[index]));
    tell_lost_of_source(copy, index);
}

void outcome_of_merge(struct stream *outlet, enum stream_end how, int error, const char *why)
{
    struct gather *gather = outlet->owner;
    struct copy *copy = gather->options.owner;

    copy->gathered = stream_copied(outlet);
    if (how != STREAM_DONE)
        tell_end(copy, SIZE_MAX, &copy->pairs[0], how, error, why, copy->gathered);
    outcome_end(copy);
}
