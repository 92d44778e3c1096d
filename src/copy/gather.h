/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many sources and one destination, by whole lines: a stream from each source into a pipe, a merge
 * (copy/merge.h), and a stream from its queue to the destination.
 *
 *   source -> stream -> pipe -> merge -> queue -> outlet -> destination
 *   source -> stream -> pipe ->
 *
 * So a source that is a file is read by the crew, and can be followed. A source that fails does not
 * spoil what the others have brought.
 */
#ifndef GATHER_H
#define GATHER_H

#include "copy/copy.h"
#include "copy/merge.h"
#include "copy/stream.h"

struct gather_options {
    struct crew *crew;
    const struct copy_options *copy; /* borrowed while it is there */
    struct limit *total;             /* of the outlet; borrowed; NULL: none */
    size_t queue;                    /* bytes: of the queue */
    size_t pipe_size;                /* of what it opens: see end.h */
    size_t buffer;                   /* ... and of what is kept of each source */
    stream_end_fn *on_source_end;
    stream_news_fn *on_source_news;
    stream_end_fn *on_outlet_end;
    stream_news_fn *on_outlet_news;
    /* All that it brought is in the queue; or, with an errno, not all. */
    void (*on_source_merged)(void *owner, size_t index, int error);
    void *owner;
};

struct gather {
    struct loop *loop;
    struct gather_options options;
    struct merge merge;
    struct merge_source *sources;
    struct end *stages;     /* where the merge reads what the streams bring */
    struct stream *streams; /* the owner's, one for each source */
    size_t count;
    struct stream outlet;
};

/* Makes one of COUNT STREAMS, which are the owner's memory and are initialised here, with their
 * index. Returns 0, or -1 with ENOMEM. */
int gather_init(struct gather *gather, struct loop *loop, const struct gather_options *options,
                struct stream *streams, size_t count);

/* Starts from each of SOURCES to DEST, borrowed. Returns 0, or -1 with errno, and nothing is
 * started. */
int gather_start(struct gather *gather, const struct place *dest, const struct place *sources);

/* What was dropped of the source with number I, and cut. */
const struct merge_source *gather_source(const struct gather *gather, size_t i);

/* Stops all that is left of it and frees. The streams are stopped. Nothing is told. */
void gather_fini(struct gather *gather);

#endif
