/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several fifos, and for each that has something a worker process, which puts it on standard output
 * in capitals and may take its time over that.
 *
 *     cc oneshot-worker.c $(pkg-config --cflags --libs pollspin) -o oneshot-worker
 *     mkfifo a b; ./oneshot-worker a b & echo hello >a; echo world >b
 *
 * While the worker is at it the fifo is still readable, and a level-triggered poller would say so
 * without end. A one-shot says it once, and nothing more until poller_modify: so no two workers
 * ever have the same fifo. Each worker holds the end of a pipe, and whatever ends the worker closes
 * that: the hang-up is how the fifo comes back.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pollspin/poller.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKER_READ = 0, WORKER_FOUND_END = 10 }; /* exit statuses of a worker */

struct job {
    const char *name;
    int fd;
    int held; /* the end of the pipe that is ours, while a worker is at it, else -1 */
    pid_t worker;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* In the worker: one helping. What is not read is told again when the fifo is armed again. */
static int work(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes)) < 0 && errno == EINTR)
        continue;
    if (n < 0 && errno != EAGAIN)
        return EXIT_FAILURE;
    for (ssize_t i = 0; i < n; i++)
        bytes[i] = (char)toupper((unsigned char)bytes[i]);
    if (n > 0 && (fwrite(bytes, 1, (size_t)n, stdout) < (size_t)n || fflush(stdout) == EOF))
        return EXIT_FAILURE;
    return n == 0 ? WORKER_FOUND_END : WORKER_READ;
}

static void job_hand_out(struct job *job, struct poller *poller)
{
    int ends[2];

    if (pipe(ends) < 0)
        fail("pipe");
    job->worker = fork();
    if (job->worker < 0)
        fail("fork");
    if (job->worker == 0) {
        poller_close(poller); /* all that a child may do with it */
        close(ends[0]);
        _exit(work(job->fd));
    }
    close(ends[1]);
    job->held = ends[0];
    if (poller_add(poller, job->held, POLLER_IN, job) < 0)
        fail("poller_add");
}

/* Returns 1 where that was the end of the fifo. */
static int job_take_back(struct job *job, struct poller *poller)
{
    int status;

    poller_remove(poller, job->held);
    close(job->held);
    job->held = -1;
    while (waitpid(job->worker, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_READ) {
        if (poller_modify(poller, job->fd, POLLER_IN | POLLER_ONESHOT, job) < 0)
            fail("poller_modify");
        return 0;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != WORKER_FOUND_END)
        fprintf(stderr, "%s: the worker failed\n", job->name);
    poller_remove(poller, job->fd);
    close(job->fd);
    return 1;
}

int main(int argc, char **argv)
{
    struct job *jobs = calloc((size_t)argc, sizeof *jobs);
    struct poller *poller = poller_open(NULL);
    struct poller_event event;
    int open_jobs = argc - 1;

    if (!poller || !jobs)
        fail("poller_open");
    for (int i = 1; i < argc; i++) {
        jobs[i] = (struct job){.name = argv[i], .held = -1};
        jobs[i].fd = open(argv[i], O_RDONLY | O_NONBLOCK);
        if (jobs[i].fd < 0 ||
            poller_add(poller, jobs[i].fd, POLLER_IN | POLLER_ONESHOT, &jobs[i]) < 0)
            fail(argv[i]);
    }
    while (open_jobs > 0) {
        struct job *job;

        if (poller_wait(poller, &event, 1, -1) < 0)
            fail("poller_wait");
        job = event.data;
        if (event.fd == job->held)
            open_jobs -= job_take_back(job, poller);
        else
            job_hand_out(job, poller);
    }
    poller_close(poller);
    free(jobs);
    return EXIT_SUCCESS;
}
