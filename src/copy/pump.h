/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pump moves everything from one open end to another: one pair.
 *
 * It moves in steps (copy/move.h). Where neither end is a file the loop makes them; a step that
 * touches a file may wait for the disk and is made by the crew, and the pump wants nothing of the
 * loop meanwhile. A step has a budget, so that pumps have turns. What a pump waits for is derived
 * from its state by pump_want alone.
 */
#ifndef PUMP_H
#define PUMP_H

#include "copy/crew.h"
#include "copy/limit.h"
#include "copy/move.h"

enum pump_state {
    PUMP_IDLE,    /* not started */
    PUMP_READY,   /* a step is to be made in the next turn */
    PUMP_IN_CREW, /* the crew makes one */
    PUMP_WAITS_SOURCE,
    PUMP_WAITS_DEST,
    PUMP_WAITS_LIMIT, /* for the time when more bytes may go */
    PUMP_RESTS,       /* at an end that may turn out to be none (pump_options, rests_at_end) */
    PUMP_ENDED
};

struct pump_options {
    size_t buffer;       /* bytes; 0: MOVE_BUFFER_SIZE */
    uint64_t rate;       /* bytes a second; 0: no limit */
    struct limit *total; /* a limit that several share, borrowed; NULL: none */
    int64_t stall_ns;    /* fail with ETIMEDOUT where the destination takes nothing for so long; -1
                            or 0: never */
    bool rests_at_end;   /* do not end at the end of the source: --follow */
};

/* RESULT is MOVE_ENDED, MOVE_SOURCE_FAILED or MOVE_DEST_FAILED with errno in ERROR; ETIMEDOUT with
 * MOVE_DEST_FAILED: it was stalled. With rests_at_end also MOVE_ENDED each time that it rests. */
typedef void pump_fn(void *owner, enum move_result result, int error);

struct pump {
    struct loop *loop;
    struct crew *crew;  /* borrowed */
    struct end *source; /* borrowed, and open until pump_stop or on_end */
    struct end *dest;
    struct pump_options options;
    enum pump_state state;
    struct move move;
    enum move_result result; /* of the step that the crew made */
    uint64_t budget;         /* of the last step, taken from the limits */
    uint64_t before;         /* bytes copied before it ... */
    uint64_t skipped;        /* ... and of these, in holes */
    int64_t since;           /* what pump_stalled_since returns */
    struct limit limit;
    struct loop_link turn; /* in the queue of a limit that is shared */
    struct watch in;       /* of the end's descriptor, or a copy where that is watched already */
    struct watch out;
    struct timer wait; /* for the limit, or for the end of patience */
    struct deferred again;
    struct job job;
    pump_fn *on_end;
    void *owner;
};

void pump_init(struct pump *pump, struct loop *loop, struct crew *crew, pump_fn *on_end,
               void *owner);

/* Starts to move from SOURCE to DEST; on_end is called once, from the loop, never from within; the
 * pump may be freed then. OPTIONS are copied. Returns 0, or -1 with errno as poller_add (ERANGE:
 * the backend cannot hold the descriptor *REFUSED). */
int pump_start(struct pump *pump, struct end *source, struct end *dest,
               const struct pump_options *options, int *refused);

/* Stops. Where the crew has it, that step is waited for, and made short. What was copied stays
 * known. Does nothing where it is not started. */
void pump_stop(struct pump *pump);

/* Goes on from PUMP_RESTS; OFFSET as move_resume's. */
void pump_resume(struct pump *pump, int64_t offset);

/* What each watch is to want in STATE: POLLER_IN or 0, POLLER_OUT or 0. */
unsigned pump_want(enum pump_state state, bool is_source);

/* Bytes copied so far; any time. */
uint64_t pump_copied(const struct pump *pump);

/* Returns when the destination last took something, or since when it is waited for; -1: it is not
 * waited for. */
int64_t pump_stalled_since(const struct pump *pump);

#endif
