/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one descriptor to another, as far as it goes without waiting, and without bringing the bytes
 * into this process where the kernel can do that:
 *
 *   file   -> file                copy_file_range(2), holes kept (lseek(2), SEEK_DATA)
 *   file   -> socket              sendfile(2)
 *   pipe   -> anything but a terminal and what is appended to, and
 *   file, socket -> pipe          splice(2)
 *   socket -> socket, file        splice(2) through a pipe of our own
 *   all else, and where the kernel refuses one of these: read(2) and write(2) with a buffer
 *
 * A clever call that fails is asked again the plain way, which says whose fault it was; a file ends
 * where read(2) says so, since those of /proc have size 0 and copy_file_range(2) believes that.
 *
 * It knows no loop and may run in any thread: only what is said to be may be read meanwhile.
 */
#ifndef MOVE_H
#define MOVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "copy/end.h"

enum move_way { MOVE_RANGE, MOVE_SENDFILE, MOVE_SPLICE, MOVE_RELAY, MOVE_BUFFER };

enum move_result {
    MOVE_MORE,         /* the budget was used up; make another step */
    MOVE_WAITS_SOURCE, /* nothing to read now */
    MOVE_WAITS_DEST,   /* no room to write now */
    MOVE_ENDED,        /* the source is at its end, and all of it written */
    MOVE_SOURCE_FAILED,
    MOVE_DEST_FAILED
};

struct move {
    const struct end *source; /* borrowed, open */
    const struct end *dest;
    enum move_way way;
    _Atomic uint64_t copied; /* bytes written, holes included: any thread may read it */
    uint64_t skipped;        /* of these, in holes, which use up no budget; not during a step */
    _Atomic bool is_stopped; /* any thread may set it: move_step returns MOVE_MORE soon */
    int64_t offset;          /* of a file that is read: where reading has come to */
    int64_t hole_end;        /* ... up to where it is known to hold nothing */
    int64_t data_end;        /* ... and up to where data, behind that */
    bool keeps_holes;     /* behind what the destination holds nothing can be in a hole's place */
    bool at_end;          /* the source has said so */
    bool is_hole_last;    /* the destination's size is still to be set */
    bool is_source_empty; /* it gave the buffer less than there was room for */
    enum move_result short_means; /* ... a call of the kernel's ways moved less than it might */
    enum move_result waited_for;  /* what the last step said: by now it has come */
    int pipe[2];                  /* MOVE_RELAY: -1 where there is none */
    size_t piped;                 /* bytes in it */
    bool is_pipe_large;           /* or would be, if the system let it */
    char *buffer;                 /* MOVE_BUFFER: NULL until it is needed */
    size_t size;                  /* of the buffer */
    size_t begin;                 /* what is in it and not written yet */
    size_t end;
    int error; /* errno behind the two FAILED */
};

enum { MOVE_BUFFER_SIZE = 256 * 1024 };

/* Prepares to move from SOURCE to DEST with a buffer of SIZE bytes, 0: MOVE_BUFFER_SIZE, where one
 * is needed. Never fails: what it needs is had by the first step. */
void move_init(struct move *move, const struct end *source, const struct end *dest, size_t size);

/* Says, before the first step, that a source that is a file changes while it is read (--follow).
 * sendfile(2) and splice(2) do not copy a file but lend its pages to the socket or pipe: what is
 * cut or written over before the reader has come to it shows there. It is copied instead. */
void move_for_changing(struct move *move);

/* Frees what it needed. The ends are the caller's. */
void move_fini(struct move *move);

/* Moves up to BUDGET bytes, at least 1, and any holes between them, without waiting for anything
 * but a disk. Where it says WAITS, the next step is made when the poller has said that this end is
 * ready: END_CAREFUL relies on it. END_FILE is never waited for in that way: one that says EAGAIN
 * makes the step take up to 0.1 s, and MORE may have moved less than BUDGET then. After an error
 * copied is exact, what was read is kept, and a further step goes on. */
enum move_result move_step(struct move *move, uint64_t budget);

/* Goes on behind an end that has turned out to be none: a file that grows. Where the source was cut
 * to less than has been read, OFFSET is 0, else -1. */
void move_resume(struct move *move, int64_t offset);

/* Names for people: "copy_file_range", "sendfile", "splice", "splice through a pipe", "read and
 * write". */
const char *move_way_name(enum move_way way);

#endif
