/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stream: from a place, or a queue, to a place, or a queue. It opens both, source first, so
 * that a source that is not there leaves no trace of a destination; pumps; and ends the destination
 * in order.
 */
#ifndef STREAM_H
#define STREAM_H

#include "copy/copy.h"
#include "copy/crew.h"
#include "copy/end.h"
#include "copy/follow.h"
#include "copy/limit.h"
#include "copy/pump.h"

struct stream;

enum stream_end {
    STREAM_DONE,
    STREAM_SOURCE_FAILED,
    STREAM_DEST_FAILED,
    STREAM_DETACHED,
    STREAM_CANCELLED
};

/* The stream is closed by then, and may be freed. */
typedef void stream_end_fn(struct stream *stream, enum stream_end how, int error, const char *why);
typedef void stream_news_fn(struct stream *stream, enum copy_event_kind kind);

struct stream_options {
    struct pump_options pump;
    unsigned flags; /* REPLACE_ flags */
    bool follows;
    stream_end_fn *on_end;
    stream_news_fn *on_news; /* COPY_OPENED and COPY_FILE_ events */
};

struct stream {
    struct loop *loop;
    struct crew *crew;
    struct stream_options options;
    const struct place *source_place; /* NULL: the source is a queue */
    const struct place *dest_place;
    struct end source;
    struct end dest;
    struct pump pump;
    struct follow follow;
    struct job finish;
    enum copy_state state;
    bool waits_for_descriptors; /* EMFILE: stream_start again when another has ended */
    int finish_error;
    uint64_t before; /* bytes copied from files that had the name before: --follow */
    uint64_t copied; /* at the end */
    int64_t size;
    size_t index; /* the owner's */
    void *owner;
};

void stream_init(struct stream *stream, struct loop *loop, struct crew *crew,
                 const struct stream_options *options, void *owner);

/* Starts from SOURCE to DEST, borrowed; a place that is NULL is an end that the caller has opened
 * with end_adopt on stream->source or stream->dest. */
void stream_start(struct stream *stream, const struct place *source, const struct place *dest);

/* Gives up at once; on_end is not called. */
void stream_stop(struct stream *stream);

bool stream_is_ended(const struct stream *stream);
uint64_t stream_copied(const struct stream *stream);

#endif
