/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What copy.c, which makes a run of its streams, and outcome.c, which knows what becomes of it,
 * know of each other.
 */
#ifndef COPY_INSIDE_H
#define COPY_INSIDE_H

#include "copy/copy.h"
#include "copy/fan.h"
#include "copy/gather.h"
#include "copy/stream.h"

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

/* ---- outcome.c ---- */

/* What the streams are to call: of a pair; of the outlets of a fan, and of its intake; of the
 * sources of a merge, and of its outlet. */
void outcome_of_pair(struct stream *stream, enum stream_end how, int error, const char *why);
void outcome_pair_news(struct stream *stream, enum copy_event_kind kind);
void outcome_of_outlet(struct stream *stream, enum stream_end how, int error, const char *why);
void outcome_outlet_news(struct stream *stream, enum copy_event_kind kind);
void outcome_of_intake(struct stream *intake, enum stream_end how, int error, const char *why);
void outcome_intake_news(struct stream *intake, enum copy_event_kind kind);
void outcome_of_source(struct stream *stream, enum stream_end how, int error, const char *why);
void outcome_source_news(struct stream *stream, enum copy_event_kind kind);
void outcome_source_merged(void *owner, size_t index, int error);
void outcome_of_merge(struct stream *outlet, enum stream_end how, int error, const char *why);
void outcome_merge_news(struct stream *outlet, enum copy_event_kind kind);

/* Starts, or starts again, the stream with number I. */
void outcome_start_stream(struct copy *copy, size_t i);

/* Tells that PLACE could not be begun, for ERROR of something of our own. */
void outcome_cannot(struct copy *copy, const struct place *place, int error);

/* Gives up the stream with number I by STOP, stream_stop or stream_end_following; all of them; and
 * all of them for good, after which the copy is over. */
void outcome_stop_stream(struct copy *copy, size_t i, void (*stop)(struct stream *stream));
void outcome_stop_all(struct copy *copy);
void outcome_stop(void *owner);

/* Nothing is left to do: the last event follows, which outcome_tell_end tells. */
void outcome_end(struct copy *copy);
void outcome_tell_end(void *owner);

#endif
