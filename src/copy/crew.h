/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that do what may block on a disk, so that the loop never does: the loop waits, the crew
 * works. Jobs begin in the order in which they were given.
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
    bool is_given; /* from crew_give until on_done is called */
    struct loop_link link;
};

/* Makes a crew of at most SIZE threads, 0: as many as there are processors, but at least 4, so that
 * one slow disk does not stop all; each is started when it is first needed. NULL with errno. */
struct crew *crew_new(struct loop *loop, int size);

/* Waits for the jobs that have begun, and forgets the others; on_done is not called. NULL is fine.
 */
void crew_free(struct crew *crew);

void job_init(struct job *job, loop_fn *work, loop_fn *on_done, void *owner);

/* Has JOB, which must not be given, done. Returns 0, or -1 with errno where no thread could be
 * started and there is none. on_done is called from the loop, never from within. */
int crew_give(struct crew *crew, struct job *job);

#endif
