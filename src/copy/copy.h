/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that one run of pollcopy copies: streams, each from one place to another, none of which waits
 * for another.
 *
 * A stream opens its source, then its destination, pumps (copy/pump.h), and ends its destination in
 * order. How streams hang together:
 *
 *   pairs   one stream for each pair
 *   fan     of a source that can be read at an offset: one stream for each destination, each at
 *           its own pace. Of another: an intake stream into a pipe where it is none itself, a split
 *           (copy/split.h), and a stream from each queue to its destination
 *   merge   a merge (copy/merge.h), and a stream from its queue to the destination
 *
 * Nothing is printed here: what happens is told as events, how far it is as views.
 */
#ifndef COPY_H
#define COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "copy/place.h"
#include "copy/split.h"
#include "pollspin/loop.h"

struct copy;

/* The exit status is the sum of what has happened. */
enum copy_status {
    COPY_BROKEN = 1,      /* the program could not start or go on */
    COPY_USAGE = 2,       /* the command line was wrong; nothing was opened */
    COPY_SOURCE = 4,      /* a source could not be opened or read */
    COPY_DEST = 8,        /* a destination could not be opened or written */
    COPY_LOST = 16,       /* data was dropped, a destination detached, or a long line cut */
    COPY_INTERRUPTED = 32 /* a signal ended it */
};

/* Bytes: the bound of a queue, and where there are more than eight streams. */
enum { COPY_QUEUE = 1024 * 1024, COPY_QUEUE_OF_MANY = 128 * 1024 };

struct copy_options {
    enum split_policy slow;
    int64_t detach_ns; /* of SPLIT_DETACH: less than SPLIT_STALL: when it is late (copy/split.h) */
    uint64_t rate; /* of each pair, of a fan's source, of a merge's destination; bytes a second, 0:
                      none */
    uint64_t total_rate;
    size_t buffer;  /* 0: MOVE_BUFFER_SIZE, and COPY_QUEUE for queues */
    unsigned flags; /* REPLACE_ flags */
    bool follows;   /* sources that are files by their path are followed */
    bool labels;    /* of a merge */
    bool stops_on_error;
};

enum copy_event_kind {
    COPY_OPENED, /* both ends of a stream are open */
    COPY_WAITS,  /* name, why: an end takes its time to open: a client or reader is to come */
    COPY_DONE,   /* it is complete, under its name */
    COPY_SOURCE_FAILED, /* name, error, why; ECANCELED: of each destination behind one that has
                           been told */
    COPY_DEST_FAILED,
    COPY_DETACHED,      /* name: a destination; it took nothing for too long, or too little */
    COPY_DROPPED,       /* at its end: bytes, and for a merge lines, that were dropped; name is the
                           destination, or the source of a merge */
    COPY_CUT,           /* at its end: lines that were longer than the buffer; name: the source */
    COPY_FILE_CUT,      /* --follow: the source became shorter, and is read from its beginning */
    COPY_FILE_REPLACED, /* ... another file has its name, which is read now */
    COPY_FILE_GONE,     /* ... no file has its name; it is waited for */
    COPY_CANNOT,        /* it could not be begun: no memory, no pipe of that size */
    COPY_ENDED          /* nothing is left to do: the last event. bytes: the total */
};

/* Valid during the call. */
struct copy_event {
    enum copy_event_kind kind;
    size_t stream;    /* its number; SIZE_MAX: of none */
    const char *name; /* of the place that it is about, as it was given; NULL: of both */
    int error;
    const char *why; /* for a person; NULL where there is nothing to say */
    uint64_t bytes;
    uint64_t lines;
};

typedef void copy_event_fn(void *owner, const struct copy_event *event);

enum copy_state {
    COPY_OPENING, /* for the source, or for the destination */
    COPY_RUNNING,
    COPY_WAITING, /* for the destination to take something */
    COPY_FINISHING,
    COPY_COMPLETE,
    COPY_FAILED, /* or detached */
    COPY_STOPPED /* given up for another's failure, or for a signal */
};

/* How far one stream is. The names are borrowed as long as the copy is there. */
struct copy_view {
    const char *source;
    const char *dest;
    enum copy_state state;
    uint64_t copied; /* bytes; of a merge's source: read */
    int64_t size;    /* bytes in all; -1: nobody knows */
    uint64_t queued; /* bytes in its queue */
    uint64_t bound;  /* ... and how many fit; 0: it has none */
    uint64_t dropped;
};

/* How long a destination that takes nothing is waited for, in nanoseconds; -1: without end. */
int64_t copy_patience(const struct copy_options *options);

/* Makes an empty one. OPTIONS are copied; ON_EVENT is called from the loop and from copy_start.
 * NULL with errno. */
struct copy *copy_new(struct loop *loop, const struct copy_options *options,
                      copy_event_fn *on_event, void *owner);

/* Add what is to be copied, before copy_start; the places are borrowed until copy_free. Return 0,
 * or -1 with ENOMEM. One run has pairs, or one fan, or one merge. */
int copy_add_pair(struct copy *copy, const struct place *source, const struct place *dest);
int copy_add_fan(struct copy *copy, const struct place *source, const struct place *dests,
                 size_t count);
int copy_add_merge(struct copy *copy, const struct place *dest, const struct place *sources,
                   size_t count);

/* Starts all streams. Descriptors that are out (EMFILE) only make streams wait for others to end.
 * What fails is told as an event; COPY_ENDED comes, from the loop, when all have ended. Returns 0,
 * or -1 with ENOMEM, and nothing is started. */
int copy_start(struct copy *copy);

/* Gives up all that is not complete; the old files stand as they were. What follows is ended in
 * order, within a second, since it has no other end. COPY_ENDED comes, from the loop; copy_status
 * has COPY_INTERRUPTED. */
void copy_interrupt(struct copy *copy);

/* The sum of enum copy_status so far. */
unsigned copy_status(const struct copy *copy);

/* Bytes written to all destinations. */
uint64_t copy_total(const struct copy *copy);

/* Streams that are to be seen: pairs, a fan's destinations, a merge's sources. */
size_t copy_stream_count(const struct copy *copy);
void copy_look(const struct copy *copy, size_t stream, struct copy_view *view);

void copy_free(struct copy *copy);

#endif
