/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loops that pollcopy is measured by. They block, end where something fails, and know nothing
 * but the one case that they are for.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "bench/copy.h"

void bare_write(int fd, const char *from, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, from, n);

        must(written > 0, "write");
        from += written;
        n -= (size_t)written;
    }
}

static void copy_by(char *buffer, size_t size, bool polls)
{
    ssize_t n;

    do {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

        if (polls)
            must(poll(&in, 1, -1) == 1, "poll");
        n = read(STDIN_FILENO, buffer, size);
        must(n >= 0, "read");
        bare_write(STDOUT_FILENO, buffer, (size_t)n);
    } while (n > 0);
}

void bare_buffer(void)
{
    static char buffer[BARE_SIZE];

    copy_by(buffer, sizeof buffer, false);
}

void bare_naive(void)
{
    static char buffer[NAIVE_SIZE];

    copy_by(buffer, sizeof buffer, true);
}

#ifdef HAVE_SPLICE
void bare_splice(void)
{
    ssize_t n;

    while ((n = splice(STDIN_FILENO, NULL, STDOUT_FILENO, NULL, 1 << 20, SPLICE_F_MOVE)) > 0)
        continue;
    must(n == 0, "splice");
}

static void copy_range(int from, int to)
{
    ssize_t n;

    while ((n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
        continue;
    must(n == 0, "copy_file_range");
}
#else
void bare_splice(void)
{
    bare_buffer();
}

static void copy_range(int from, int to)
{
    (void)from, (void)to;
    must(false, "copy_file_range");
}
#endif

void bare_range(void)
{
    copy_range(STDIN_FILENO, STDOUT_FILENO);
}

static int open_source(const struct lane *lane)
{
    int fd = open(lane->source, O_RDONLY | O_CLOEXEC);

    must(fd >= 0, lane->source);
    return fd;
}

static int open_dest(const struct lane *lane)
{
    int fd = open(lane->dest, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    must(fd >= 0, lane->dest);
    return fd;
}

static void *copy_lane(void *lane)
{
    copy_range(open_source(lane), open_dest(lane));
    return NULL;
}

void bare_range_threads(const struct lane *lanes, int count)
{
    pthread_t threads[LANES_MAX];

    for (int i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, copy_lane, (void *)&lanes[i]) == 0, "thread");
    for (int i = 0; i < count; i++)
        must(pthread_join(threads[i], NULL) == 0, "thread");
}

/* ---- io_uring ---- */

#ifdef HAVE_LIBURING

/* Of each lane DEPTH chunks are on their way at once, each in a buffer of its own. Buffers that are
 * registered made it slower. */
enum { DEPTH = 4, CHUNK = 256 * 1024, CHUNKS = LANES_MAX * DEPTH };

struct chunk {
    int buffer; /* its number */
    int from;
    int to;
    uint64_t at;
    uint64_t size; /* of the file */
    unsigned length;
    bool is_read; /* and is to be written */
};

static char buffers[CHUNKS][CHUNK];

const char *const bare_uring_missing = NULL;

static void chunk_submit(struct chunk *chunk, struct io_uring *ring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);

    must(entry, "io_uring_get_sqe");
    if (chunk->is_read)
        io_uring_prep_write(entry, chunk->to, buffers[chunk->buffer], chunk->length, chunk->at);
    else
        io_uring_prep_read(entry, chunk->from, buffers[chunk->buffer], chunk->length, chunk->at);
    io_uring_sqe_set_data(entry, chunk);
}

/* Returns whether there is a place to go on. */
static bool chunk_begin(struct chunk *chunk, struct io_uring *ring)
{
    if (chunk->at >= chunk->size)
        return false;
    chunk->is_read = false;
    chunk->length = chunk->size - chunk->at < CHUNK ? (unsigned)(chunk->size - chunk->at) : CHUNK;
    chunk_submit(chunk, ring);
    return true;
}

/* Takes the next one that is done a step further. Returns how many are on their way less. */
static int chunk_step(struct io_uring *ring)
{
    struct io_uring_cqe *done;
    struct chunk *chunk;

    must(io_uring_submit_and_wait(ring, 1) >= 0, "io_uring_submit_and_wait");
    must(io_uring_peek_cqe(ring, &done) == 0, "io_uring_peek_cqe");
    chunk = io_uring_cqe_get_data(done);
    must(done->res == (int)chunk->length, "io_uring");
    io_uring_cqe_seen(ring, done);
    chunk->is_read = !chunk->is_read;
    if (chunk->is_read) {
        chunk_submit(chunk, ring);
        return 0;
    }
    chunk->at += (uint64_t)DEPTH * CHUNK;
    return chunk_begin(chunk, ring) ? 0 : 1;
}

static void chunks_open(struct chunk *chunks, int number, const struct lane *lane)
{
    int from = open_source(lane);
    int to = open_dest(lane);
    struct stat status;

    must(fstat(from, &status) == 0, lane->source);
    for (int i = 0; i < DEPTH; i++)
        chunks[i] = (struct chunk){.buffer = number * DEPTH + i,
                                   .from = from,
                                   .to = to,
                                   .at = (uint64_t)i * CHUNK,
                                   .size = (uint64_t)status.st_size};
}

void bare_uring(const struct lane *lanes, int count)
{
    static struct chunk chunks[CHUNKS];
    struct io_uring ring;
    int busy = 0;

    must(io_uring_queue_init(CHUNKS, &ring, 0) == 0, "io_uring_queue_init");
    for (int i = 0; i < count; i++)
        chunks_open(chunks + i * DEPTH, i, &lanes[i]);
    for (int i = 0; i < count * DEPTH; i++)
        busy += chunk_begin(&chunks[i], &ring);
    while (busy > 0)
        busy -= chunk_step(&ring);
    io_uring_queue_exit(&ring);
}

#else

const char *const bare_uring_missing = "there is no liburing";

void bare_uring(const struct lane *lanes, int count)
{
    (void)lanes, (void)count;
    must(false, "io_uring");
}

#endif
