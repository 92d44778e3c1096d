/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many into one, by whole lines: what comes from one source is never within a line of another.
 *
 * Each source has a buffer, and gives what is complete in it to the queue, a pipe of our own that a
 * pump empties. A line is written with its newline, also the last one of a source that ended
 * without; with a LABEL the line begins with that and ": ". A line longer than the buffer is
 * written in parts, each a line, and counted as cut: one source without newlines must not keep the
 * others waiting for ever.
 *
 * A queue that is full: with SPLIT_BLOCK (or DETACH) no source is read on; with SPLIT_DROP whole
 * lines are dropped, and counted.
 */
#ifndef MERGE_H
#define MERGE_H

#include "copy/end.h"
#include "copy/limit.h"
#include "copy/split.h"

struct merge_source;
struct merge;

/* A source came to its end, 0, or failed with errno ERROR; it is out then, and its end the owner's
 * to close. */
typedef void merge_source_fn(void *owner, int error);

struct merge_source {
    struct merge *merge; /* NULL while it is in none */
    struct end *end;     /* borrowed, open; a file is read as well: it is always ready */
    const char *label;   /* borrowed; NULL: none */
    char *buffer;
    size_t begin; /* what is in it and not in the queue yet */
    size_t end_at;
    uint64_t taken; /* bytes that were read */
    uint64_t dropped_bytes;
    uint64_t dropped_lines;
    uint64_t cut_lines; /* that were too long for the buffer */
    bool at_end;
    struct watch watch;
    struct loop_link link;
    merge_source_fn *on_end;
    void *owner;
};

/* No source is left, 0, or the queue has no reader any more, EPIPE. */
typedef void merge_fn(void *owner, int error);

struct merge {
    struct loop *loop;
    int fd; /* the end of the queue that is written, ours */
    enum split_policy policy;
    size_t size; /* of each buffer */
    struct loop_link sources;
    struct merge_source *writing; /* whose line has been written in part; NULL: none */
    bool is_sealed;               /* no more sources are added: it ends with the last one */
    struct watch watch;           /* for room in the queue */
    struct deferred again;
    merge_fn *on_end;
    void *owner;
};

void merge_init(struct merge *merge, struct loop *loop, merge_fn *on_end, void *owner);

/* Starts with a queue of at least QUEUE bytes and buffers of BUFFER bytes for each source. Stores
 * the end of the queue to be read in *READ_FD, non-blocking and close-on-exec, the caller's.
 * Returns 0, or -1 as split_add. */
int merge_start(struct merge *merge, size_t queue, size_t buffer, enum split_policy policy,
                int *read_fd);

/* Adds a source; on_end is called once, from the loop. Returns 0, or -1 with errno. */
int merge_add(struct merge *merge, struct merge_source *source, struct end *end, const char *label,
              merge_source_fn *on_end, void *owner);

/* Says that no more sources come. */
void merge_seal(struct merge *merge);

/* Takes SOURCE out, and drops what is in its buffer. */
void merge_remove(struct merge_source *source);

void merge_stop(struct merge *merge);

#endif
