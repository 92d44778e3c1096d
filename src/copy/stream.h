/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stream: from a place, or a queue, to a place, or a queue. It opens both, the source first, so
 * that a source that is not there leaves no trace of a destination; pumps; and ends the destination
 * in order. A source that is followed is opened again when another file has its name.
 */
#ifndef STREAM_H
#define STREAM_H

#include "copy/copy.h"
#include "copy/crew.h"
#include "copy/end.h"
#include "copy/follow.h"
#include "copy/pump.h"

struct stream;

enum stream_end {
    STREAM_DONE,
    STREAM_SOURCE_FAILED,
    STREAM_DEST_FAILED,
    STREAM_DETACHED, /* the destination took nothing for too long */
    STREAM_STARVED /* descriptors are out: start it again, from and to the same, when some are not,
                      or stop it. Not told of one that has a queue */
};

/* The stream is closed by then, and may be freed or started again. WHY is valid during the call. */
typedef void stream_end_fn(struct stream *stream, enum stream_end how, int error, const char *why);

/* COPY_OPENED, COPY_WAITS, or one of COPY_FILE_. */
typedef void stream_news_fn(struct stream *stream, enum copy_event_kind kind);

struct stream_options {
    struct pump_options pump;
    unsigned flags;   /* REPLACE_ flags */
    size_t pipe_size; /* what end.h says of it */
    bool follows;     /* does not end where the source does */
    stream_end_fn *on_end;
    stream_news_fn *on_news; /* NULL: nobody wants to know */
};

struct stream {
    struct loop *loop;
    struct crew *crew;
    struct stream_options options;
    const struct place *source_place; /* NULL: a queue */
    const struct place *dest_place;
    struct end sources[2]; /* the one that is read, and one that is to follow it */
    size_t reading;        /* which is which */
    struct end dest;
    struct pump pump;
    struct follow follow;
    struct timer patience; /* while the destination opens, and nobody else waits for it */
    struct timer waits;    /* until it is told that it does */
    struct timer retry;    /* until the file that is followed is looked for again */
    struct job finish;
    bool is_finished; /* the destination was ended, with ... */
    int finish_error;
    enum copy_state state;
    bool is_doomed; /* what it gets is not all: its destination is not to be complete */
    bool is_gone_told;
    uint64_t before; /* bytes of the files that had the name before */
    int64_t size;    /* of the source; -1: nobody knows */
    void *owner;
    size_t index; /* the owner's */
};

void stream_init(struct stream *stream, struct loop *loop, struct crew *crew,
                 const struct stream_options *options, void *owner);

/* Say that it reads, or writes, a queue: FD, the end of a pipe of our own, which it takes. Before
 * the start. */
void stream_from_queue(struct stream *stream, int fd);
void stream_to_queue(struct stream *stream, int fd);

/* Starts from SOURCE to DEST, borrowed; NULL: from or to the queue. on_end is called once, from the
 * loop, never from within. */
void stream_start(struct stream *stream, const struct place *source, const struct place *dest);

/* Says that the source has failed further up: what is in the queue is still delivered, and then it
 * ends with STREAM_SOURCE_FAILED and ECANCELED. */
void stream_doom(struct stream *stream);

/* Gives up at once; on_end is not called. Does nothing where it has ended. Afterwards the state is
 * COPY_STOPPED; or, where the crew has ended the destination meanwhile, COPY_COMPLETE, or
 * COPY_FAILED with finish_error. */
void stream_stop(struct stream *stream);

/* The same, but it has failed. */
void stream_detach(struct stream *stream);

/* As stream_stop, but what a followed source has brought so far is all that its destination gets:
 * it is ended in order, and the state says how. */
void stream_end_following(struct stream *stream);

bool stream_has_ended(const struct stream *stream);

/* Bytes that the destination has got so far. */
uint64_t stream_copied(const struct stream *stream);

/* Bytes that wait in the queue that it reads; 0 where it reads none. */
uint64_t stream_queued(const struct stream *stream);

/* What it does; COPY_WAITING where the destination takes nothing now. */
enum copy_state stream_state(const struct stream *stream);

/* Whether it is the destination that it is opening. */
bool stream_opens_dest(const struct stream *stream);

/* What it waits for while it opens, for a person; "" where it does not. */
void stream_describe(const struct stream *stream, char *text, size_t size);

#endif
