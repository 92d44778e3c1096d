/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source that can be read once only, and many destinations: an intake stream from the source into
 * a pipe, a split (copy/split.h), and a stream from each queue to its destination.
 *
 *   source -> intake -> pipe -> split -> queue -> stream -> destination
 *                                     -> queue -> stream -> destination
 *
 * A pair whose destination drops what it does not take is a fan of one.
 */
#ifndef FAN_H
#define FAN_H

#include "copy/copy.h"
#include "copy/split.h"
#include "copy/stream.h"

/* What it is made of, and what its owner is told. */
struct fan_options {
    struct crew *crew;
    const struct copy_options *copy; /* borrowed while it is there */
    struct limit *total;             /* of the intake; borrowed; NULL: none */
    size_t queue;                    /* bytes */
    size_t pipe_size;                /* of what it opens: see end.h */
    stream_end_fn *on_outlet_end;    /* of each of the streams to the destinations */
    stream_news_fn *on_outlet_news;
    stream_end_fn *on_intake_end; /* told before those whose destination is not complete by it */
    stream_news_fn *on_intake_news;
    void *owner; /* for these to find */
};

struct fan_outlet {
    struct outlet outlet;
    struct stream *stream;
    struct timer patience; /* while its queue is full and it has not opened yet */
};

struct fan {
    struct loop *loop;
    struct fan_options options;
    struct stream intake;
    struct end stage; /* where the split reads what the intake brings */
    struct split split;
    struct fan_outlet *outlets;
    struct stream *streams; /* the owner's, one for each outlet; their owner is the fan */
    size_t count;
};

/* Makes one of COUNT STREAMS, which are the owner's memory and are initialised here; their index is
 * from FIRST on. Returns 0, or -1 with ENOMEM. */
int fan_init(struct fan *fan, struct loop *loop, const struct fan_options *options,
             struct stream *streams, size_t count, size_t first);

/* Starts from SOURCE to each of DESTS, borrowed. Returns 0, or -1 with errno, and nothing is
 * started: EPERM: the system gives no queue of the size that was asked for (copy->buffer); where
 * none was, it makes do with less. */
int fan_start(struct fan *fan, const struct place *source, const struct place *dests);

/* The outlet of the stream with number I: what it has dropped, and what waits in it. */
const struct outlet *fan_outlet(const struct fan *fan, size_t i);

/* Stops all that is left of it and frees. The streams are stopped. Nothing is told. */
void fan_fini(struct fan *fan);

#endif
