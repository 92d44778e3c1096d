/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pipe into many, without copying a byte: tee(2) into a queue for each destination.
 *
 * A queue is a pipe of our own. tee(2) gives what is at the head of the source, always from there:
 * so an outlet that has got N bytes of it is N ahead, and gets nothing until the source was read
 * that far. Therefore the source is handed out in windows: what was in it at one moment is given to
 * each outlet, and what all have is taken out (splice(2) to /dev/null), until nothing of the window
 * is left. An outlet whose queue has no room for all of it is behind; its policy says what then:
 *
 *   SPLIT_BLOCK    the source is not read on until there is room: the others wait too
 *   SPLIT_DROP     the same until it is late: then the others go on, and it misses what comes until
 *                  its queue is half empty; the bytes are counted, as is each gap
 *   SPLIT_DETACH   as BLOCK, but on_late tells when it is late, and the owner may take it out
 *
 * Whoever reads a queue has pauses, and the source may be faster than all of them: of four that are
 * equally fast there is one with a full queue at any time. So an outlet is late when it has taken
 * nothing for SPLIT_STALL, or others have had to wait for it for SPLIT_PATIENCE: their queues were
 * empty, and what they could have had was not given to them. Half of the time is forgiven, and each
 * time that it was late half as much: one that stalls costs the others SPLIT_STALL, once; one that
 * is slow soon costs them next to nothing. Where nobody is late the source goes at the pace of all;
 * where all are it is read, and nobody gets it.
 *
 * A pipe holds pieces, not bytes (pipe(7)), as many as it has pages. What was written to the source
 * in small pieces fills a queue with fewer bytes than its size; what was spliced there from a
 * socket comes in pieces of up to 32 KiB, of which it holds more.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include "copy/end.h"
#include "pollspin/loop.h"

#define SPLIT_STALL    (INT64_C(200000000))  /* nanoseconds */
#define SPLIT_PATIENCE (INT64_C(1000000000)) /* the same */

enum split_policy { SPLIT_BLOCK, SPLIT_DROP, SPLIT_DETACH };

struct outlet {
    struct split *split; /* NULL while it is in none */
    int fd;              /* the end of its queue that is written, ours; -1: it is out */
    int read_fd;         /* the other, which is the owner's to read */
    enum split_policy policy;
    uint64_t ahead;   /* bytes at the head of the source that it has already */
    uint64_t dropped; /* bytes */
    uint64_t gaps;    /* how often */
    bool is_in_gap;   /* nothing was given to it since it last missed something */
    bool is_full;
    bool is_late;
    int64_t full_since;
    int64_t patience;    /* for so long others will yet wait for it ... */
    int64_t patience_at; /* ... as it was at that time */
    int64_t share;       /* one in so many of a time is forgiven */
    long bound;          /* bytes that fit in its queue */
    struct watch watch;  /* while it is full: for room, and for a reader that is gone */
    struct loop_link link;
    struct deferred tell; /* on_late, from the loop */
    loop_fn *on_late;     /* told once until it has got something again; NULL: nobody wants to know.
                             It may split_remove */
    void *owner;
};

/* ERROR is 0 at the end of the source: every queue is closed then. Else errno of the source, and
 * the queues are open until split_stop, so that no reader takes that for the end; EIO: another
 * process reads the source, too. ECANCELED: no outlet is left. */
typedef void split_fn(void *owner, int error);

struct split {
    struct loop *loop;
    struct end *source; /* END_PIPE, borrowed; NULL while it is not started, or over */
    int null_fd;        /* -1: there is none, or it cannot be spliced to */
    struct watch watch;
    struct loop_link outlets;
    uint64_t window;       /* bytes at the head of the source that not all have yet */
    uint64_t taken;        /* bytes taken out of the source */
    struct timer patience; /* until one of those that are full is late */
    struct deferred again; /* a step, or on_end, from the loop */
    int error;             /* what on_end is to be told */
    split_fn *on_end;
    void *owner;
};

/* ON_END is called once, from the loop, never from within. */
void split_init(struct split *split, struct loop *loop, split_fn *on_end, void *owner);

/* Makes OUTLET with a queue of at least SIZE bytes (fcntl(2), F_SETPIPE_SZ) and stores the end to
 * read in outlet->read_fd, non-blocking and close-on-exec, the caller's. Before split_start or
 * after it. Returns 0, or -1 and nothing is open: EPERM: the system gives no pipe of that size
 * (pipe(7), /proc/sys/fs/pipe-max-size), it may give a smaller one; else as pipe2(2). */
int split_add(struct split *split, struct outlet *outlet, size_t size, enum split_policy policy,
              loop_fn *on_late, void *owner);

/* Starts to read SOURCE, a pipe that is open. Returns 0, or
 * -1: ENOSYS: this system has no tee(2); else errno as poller_add. */
int split_start(struct split *split, struct end *source);

/* Takes OUTLET out and closes its end of the queue: the reader gets what is in it, and the end. It
 * is also what happens to one whose reader has closed, when it is to get something. A split whose
 * last outlet goes ends with ECANCELED. Does nothing where it is out. */
void split_remove(struct outlet *outlet);

/* Bytes that wait in its queue: about its bound where it is full; 0 where it is out. */
uint64_t outlet_queued(const struct outlet *outlet);

/* Stops, and takes every outlet out. Does nothing where it is not started and has none. */
void split_stop(struct split *split);

#endif
