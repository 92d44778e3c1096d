/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that do what may block on a disk, so that the loop never does: the loop waits, the crew
 * works. Jobs begin in the order in which they were given. Only the loop's thread calls what is
 * here.
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>

#include "pollspin/loop.h"

struct crew;

struct job {
    loop_fn *work;    /* in a thread of the crew */
    loop_fn *on_done; /* then, in the loop's */
    void *owner;
    bool is_given;  /* from crew_give until on_done is called */
    bool is_queued; /* the crew's own: it has not begun */
    struct loop_link link;
};

/* Makes a crew of at most SIZE threads, 0: as many as there are processors, but at least 4, so that
 * one slow disk does not stop all; each is started when it is first needed. All signals are blocked
 * in them: handlers run in the loop's thread. NULL with errno. */
struct crew *crew_new(struct loop *loop, int size);

/* Waits for the jobs that have begun, and forgets the others; on_done is not called, also not of
 * what is done and not told yet. Not from on_done. NULL is fine. */
void crew_free(struct crew *crew);

void job_init(struct job *job, loop_fn *work, loop_fn *on_done, void *owner);

/* Has JOB, which must not be given, done. Returns 0, or -1 with errno where no thread could be
 * started and there is none. on_done is called from the loop, never from within; it may give the
 * job again, or free it. */
int crew_give(struct crew *crew, struct job *job);

/* Forgets JOB: it does not begin, or, where it has, its end is waited for. on_done is not called.
 * Does nothing where it is not given. */
void crew_wait(struct crew *crew, struct job *job);

#endif
