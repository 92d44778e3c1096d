/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One queue of jobs, one list of those that are done, one lock for both. A job that is given is in
 * the queue, or in work and in no list, or among the done: so its link says where it is.
 *
 * A hand-over is to cost little: a thread is started only where none will come for the job, a
 * signal to a condition that nobody waits for is no system call, and a thread wakes the loop only
 * where nothing else was done and untold.
 *
 * A thread inherits the mask of signals of who makes it (pthread_sigmask(3)), so all are blocked
 * around that.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "copy/crew.h"

enum { CREW_LEAST = 4, CREW_MOST = 64 };

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job came into the queue, or the end */
    pthread_cond_t done; /* the job that is waited for is done */
    struct loop_link queue;
    struct loop_link finished;
    struct loop_link told; /* those of a round that on_done is still to be called of */
    struct wakeup wakeup;
    const struct job *waited; /* by crew_wait */
    int queued;
    int busy;  /* threads that are in a job's work: all others come for the next one */
    int count; /* threads that were started */
    int size;
    bool is_ending;
    pthread_t threads[];
};

/* Takes JOB out of whatever list it is in. */
static void crew_withdraw(struct crew *crew, struct job *job)
{
    list_remove(&job->link);
    crew->queued -= job->is_queued;
    job->is_queued = false;
}

/* ---- in the threads ---- */

/* Waits for the next job; NULL: there will be none. */
static struct job *crew_take(struct crew *crew)
{
    struct job *job;

    while (list_is_empty(&crew->queue) && !crew->is_ending)
        pthread_cond_wait(&crew->work, &crew->lock);
    if (crew->is_ending)
        return NULL;
    job = list_first(&crew->queue);
    crew_withdraw(crew, job);
    crew->busy++;
    return job;
}

/* Once it is in the list JOB may be gone. Returns whether the loop is to be woken. */
static bool crew_finish(struct crew *crew, struct job *job)
{
    bool is_first = list_is_empty(&crew->finished);

    crew->busy--;
    list_append(&crew->finished, &job->link);
    if (crew->waited == job)
        pthread_cond_signal(&crew->done);
    return is_first;
}

static void *crew_run(void *owner)
{
    struct crew *crew = owner;
    struct job *job;
    bool is_first;

    pthread_mutex_lock(&crew->lock);
    while ((job = crew_take(crew))) {
        pthread_mutex_unlock(&crew->lock);
        job->work(job->owner);
        pthread_mutex_lock(&crew->lock);
        is_first = crew_finish(crew, job);
        if (!is_first)
            continue;
        pthread_mutex_unlock(&crew->lock);
        wakeup_send(&crew->wakeup);
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- in the loop's thread ---- */

static void crew_on_wakeup(void *owner)
{
    struct crew *crew = owner;
    struct job *job;

    pthread_mutex_lock(&crew->lock);
    list_take_all(&crew->told, &crew->finished);
    pthread_mutex_unlock(&crew->lock);
    while ((job = list_take_first(&crew->told))) {
        job->is_given = false;
        job->on_done(job->owner);
    }
}

static int crew_size(int size)
{
    long processors = size > 0 ? size : sysconf(_SC_NPROCESSORS_ONLN);

    if (size <= 0 && processors < CREW_LEAST)
        processors = CREW_LEAST;
    return processors < CREW_MOST ? (int)processors : CREW_MOST;
}

struct crew *crew_new(struct loop *loop, int size)
{
    int threads = crew_size(size);
    struct crew *crew = calloc(1, sizeof *crew + (size_t)threads * sizeof crew->threads[0]);

    if (!crew)
        return NULL;
    crew->size = threads;
    list_init(&crew->queue, NULL);
    list_init(&crew->finished, NULL);
    list_init(&crew->told, NULL);
    wakeup_init(&crew->wakeup, crew_on_wakeup, crew);
    if (wakeup_start(&crew->wakeup, loop) < 0) {
        free(crew);
        return NULL;
    }
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->work, NULL);
    pthread_cond_init(&crew->done, NULL);
    return crew;
}

static void crew_forget(struct loop_link *list)
{
    struct job *job;

    while ((job = list_take_first(list)))
        job->is_given = job->is_queued = false;
}

/* No thread is left: nobody else is in the lists. */
static void crew_clear(struct crew *crew)
{
    crew_forget(&crew->queue);
    crew_forget(&crew->finished);
    wakeup_stop(&crew->wakeup);
    pthread_cond_destroy(&crew->done);
    pthread_cond_destroy(&crew->work);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

void crew_free(struct crew *crew)
{
    if (!crew)
        return;
    assert(list_is_empty(&crew->told));
    pthread_mutex_lock(&crew->lock);
    crew->is_ending = true;
    pthread_cond_broadcast(&crew->work);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->count; i++)
        pthread_join(crew->threads[i], NULL);
    crew_clear(crew);
}

void job_init(struct job *job, loop_fn *work, loop_fn *on_done, void *owner)
{
    *job = (struct job){.work = work, .on_done = on_done, .owner = owner};
    list_init(&job->link, job);
}

/* Returns 0, or an errno, as pthread_create(3). */
static int crew_start_thread(struct crew *crew)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&crew->threads[crew->count], NULL, crew_run, crew);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        crew->count++;
    return error;
}

/* Sees to it that somebody comes for what is in the queue. Returns 0, or an errno where there is
 * nobody. */
static int crew_staff(struct crew *crew)
{
    int error;

    if (crew->queued <= crew->count - crew->busy || crew->count == crew->size)
        return 0;
    error = crew_start_thread(crew);
    return crew->count > 0 ? 0 : error;
}

/* A thread is woken without the lock, which it would wait for. */
int crew_give(struct crew *crew, struct job *job)
{
    int error;

    assert(!job->is_given);
    pthread_mutex_lock(&crew->lock);
    list_append(&crew->queue, &job->link);
    job->is_queued = true;
    crew->queued++;
    error = crew_staff(crew);
    if (error != 0)
        crew_withdraw(crew, job);
    pthread_mutex_unlock(&crew->lock);
    job->is_given = error == 0;
    if (job->is_given) {
        pthread_cond_signal(&crew->work);
        return 0;
    }
    errno = error;
    return -1;
}

void crew_wait(struct crew *crew, struct job *job)
{
    if (!job->is_given)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->waited = job;
    while (list_is_empty(&job->link))
        pthread_cond_wait(&crew->done, &crew->lock);
    crew->waited = NULL;
    crew_withdraw(crew, job);
    pthread_mutex_unlock(&crew->lock);
    job->is_given = false;
}
