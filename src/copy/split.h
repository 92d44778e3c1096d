/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pipe into many, without copying a byte: tee(2) into a queue for each destination.
 *
 * A queue is a pipe of our own. tee(2) gives what is at the head of the source, always from there:
 * so a queue that has got N bytes of it is N ahead, and gets nothing until the source was read that
 * far. What every outlet has is taken out of the source (splice(2) to /dev/null). An outlet whose
 * queue is full is behind; its policy says what then: SPLIT_BLOCK    the source is not read on
 * until there is room: the others wait too SPLIT_DROP     the others go on; what it misses is
 * counted, as is each gap SPLIT_DETACH   as BLOCK, but on_full tells when it is full, and the owner
 * may take it out
 */
#ifndef SPLIT_H
#define SPLIT_H

#include "copy/end.h"
#include "copy/limit.h"
#include "pollspin/loop.h"

enum split_policy { SPLIT_BLOCK, SPLIT_DROP, SPLIT_DETACH };

struct outlet {
    struct split *split; /* NULL while it is in none */
    int fd;              /* the end of its queue that is written, ours; -1: it is out */
    int read_fd;         /* the other, which is the owner's to read */
    enum split_policy policy;
    uint64_t ahead;   /* bytes at the head of the source that it has already */
    uint64_t dropped; /* bytes */
    uint64_t gaps;    /* how often */
    bool is_full;
    struct watch watch; /* while it is full: for room, and for a reader that is gone */
    struct loop_link link;
    loop_fn *on_full; /* it is behind; NULL: nobody wants to know. It may split_remove */
    void *owner;
};

/* ERROR is 0 at the end of the source: every queue is closed then. Else errno of the source.
 * ECANCELED: no outlet is left. */
typedef void split_fn(void *owner, int error);

struct split {
    struct loop *loop;
    struct end *source; /* END_PIPE, borrowed */
    int null_fd;
    struct watch watch;
    struct loop_link outlets;
    uint64_t taken; /* bytes taken out of the source */
    struct limit limit;
    struct limit *total; /* borrowed; NULL: none */
    struct timer wait;
    split_fn *on_end;
    void *owner;
};

void split_init(struct split *split, struct loop *loop, split_fn *on_end, void *owner);

/* Makes OUTLET with a queue of at least SIZE bytes (fcntl(2), F_SETPIPE_SZ) and stores the end to
 * read in outlet->read_fd, non-blocking and close-on-exec, the caller's. Before split_start or
 * after it. Returns 0, or -1: EPERM: the system gives no pipe of that size (pipe(7),
 * /proc/sys/fs/pipe-max-size); else as pipe2(2). */
int split_add(struct split *split, struct outlet *outlet, size_t size, enum split_policy policy,
              loop_fn *on_full, void *owner);

/* Starts to read SOURCE, a pipe that is open, RATE bytes a second or 0 for no limit. Returns 0, or
 * -1 with errno as poller_add. */
int split_start(struct split *split, struct end *source, uint64_t rate, struct limit *total);

/* Takes OUTLET out and closes its end of the queue: the reader gets what is in it, and the end. It
 * is also what happens to one whose reader has closed. A split whose last outlet goes ends with
 * ECANCELED. */
void split_remove(struct outlet *outlet);

/* Bytes that wait in its queue: at most its bound. */
uint64_t outlet_queued(const struct outlet *outlet);

void split_stop(struct split *split);

#endif
