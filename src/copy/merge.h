/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many into one, by whole lines: what comes from one source is never within a line of another.
 *
 * Each source has a buffer. What is complete in it goes, with the label, into a stage that all
 * share, by turns; the stage goes into the queue, a pipe of our own that a pump empties. A line is
 * written with its newline, also the last one of a source that ended without; with a LABEL the line
 * begins with that and ": ". A line longer than the buffer is written in parts, each a line, and
 * counted as cut: one source without newlines must not keep the others waiting for ever. NUL is a
 * byte as any other.
 *
 * Where the queue and the stage are full: with SPLIT_BLOCK (or DETACH) no source is read on; with
 * SPLIT_DROP whole lines are dropped, and counted.
 */
#ifndef MERGE_H
#define MERGE_H

#include "copy/end.h"
#include "copy/split.h"

struct merge_source;
struct merge;

/* A source came to its end, 0, or failed with errno ERROR, and all that it gave is on its way; it
 * is out then, and its end the owner's to close. */
typedef void merge_source_fn(void *owner, int error);

struct merge_source {
    struct merge *merge; /* NULL while it is in none */
    struct end *end;     /* borrowed, open; a file is read as well: it is always ready */
    const char *label;   /* borrowed; NULL: none */
    size_t label_length;
    char *buffer;
    size_t begin;     /* what is in it and not in the stage yet ... */
    size_t lines_end; /* ... up to here whole lines, ended by newlines */
    size_t end_at;
    uint64_t taken;         /* bytes that were read */
    uint64_t dropped_bytes; /* without labels */
    uint64_t dropped_lines;
    uint64_t cut_lines; /* that were too long for the buffer */
    bool is_cut;        /* what is in the buffer begins within such a line */
    bool at_end;
    int error;
    struct watch watch;
    struct loop_link link;
    struct deferred tell; /* on_end, from the loop */
    merge_source_fn *on_end;
    void *owner;
};

/* No source is left, 0, and the queue is closed; or it has no reader any more, EPIPE, or could not
 * be written otherwise. */
typedef void merge_fn(void *owner, int error);

struct merge {
    struct loop *loop;
    int fd; /* the end of the queue that is written, ours; -1: closed */
    enum split_policy policy;
    size_t size; /* of each buffer */
    struct loop_link sources;
    char *stage;        /* whole lines that are to be written */
    size_t stage_size;  /* the longest line fits, with the longest label */
    size_t stage_begin; /* what has not been written yet: it may begin within a line */
    size_t stage_end;
    bool is_sealed;        /* no more sources are added: it ends with the last one */
    struct watch watch;    /* for room in the queue */
    struct deferred again; /* a step, or on_end, from the loop */
    int error;             /* what on_end is to be told */
    merge_fn *on_end;
    void *owner;
};

/* ON_END is called once, from the loop, never from within. */
void merge_init(struct merge *merge, struct loop *loop, merge_fn *on_end, void *owner);

/* Starts with a queue of at least QUEUE bytes and buffers of BUFFER bytes, at least 1, for each
 * source. Stores the end of the queue to be read in *READ_FD, non-blocking and close-on-exec, the
 * caller's. Returns 0, or -1 as split_add or with ENOMEM, and nothing is open. */
int merge_start(struct merge *merge, size_t queue, size_t buffer, enum split_policy policy,
                int *read_fd);

/* Adds a source; ON_END is called once, from the loop, never from within. Returns 0, or -1 with
 * ENOMEM, EPIPE where it is over, or errno as poller_add. */
int merge_add(struct merge *merge, struct merge_source *source, struct end *end, const char *label,
              merge_source_fn *on_end, void *owner);

/* Says that no more sources come. */
void merge_seal(struct merge *merge);

/* Takes SOURCE out, and drops what is in its buffer; on_end is not called. Does nothing where it is
 * out. */
void merge_remove(struct merge_source *source);

/* Stops, takes every source out and closes the queue. Does nothing where it is not started. */
void merge_stop(struct merge *merge);

#endif
