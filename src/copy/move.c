/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One step of a copy. Each way has a function that makes one try of it; move_step goes on trying
 * until the budget is used up, an end has to be waited for, or all is done.
 *
 * Every byte is in one of three places: not read, held (in the pipe of a relay, or in the buffer),
 * or written and counted. So a way can be given up at any moment: the buffer goes on behind what is
 * held, and its plain calls say what is wrong, and with which end.
 *
 * What surprises in the kernel:
 *   - progress needs both ends ready. So to wait for one that is not is never wrong, whichever it
 *     is, and to wait for one that is costs a turn for nothing: a guess can neither hang nor, as
 *     EAGAIN is looked into (blocker), spin;
 *   - a pipe that is at its end and another that is full are EAGAIN to splice(2), though the source
 *     is as ready as it will ever be;
 *   - a socket tells an error once (SO_ERROR, socket(7)); asked again it is at its end, and a copy
 *     that has broken off would pass for a complete one. It may be any that icmp(7) leads to,
 *     EACCES of a firewall too;
 *   - copy_file_range(2) takes a file's size for its end, and in /proc that is 0;
 *   - reading the master of a pseudo-terminal that nobody has open any longer is EIO.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy/kernel.h"
#include "copy/move.h"

/* Of one call: so that a stop is seen soon, and progress moves. */
enum { CHUNK = 16 * 1024 * 1024, PAGE = 4096 };

/* Of a relay's pipe. All pipes of a user have 64 MiB together (pipe(7), pipe-user-pages-soft), so
 * it is large only where so many bytes came at once. */
enum { RELAY_SIZE = 1024 * 1024, RELAY_BURST = 16 * 1024 };

/* Of a file that is not ready, and of one that said both that it is and that it is not. */
enum { FILE_WAIT_MS = 100, FILE_PAUSE_MS = 10 };

static bool is_socket(const struct end *end)
{
    return end->kind == END_SOCKET || end->kind == END_SHARED_SOCKET;
}

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

/* ---- results ---- */

static enum move_result fail(struct move *move, enum move_result result, int error)
{
    move->error = error;
    return result;
}

static void count(struct move *move, uint64_t n)
{
    move->is_hole_last = false;
    atomic_fetch_add_explicit(&move->copied, n, memory_order_relaxed);
}

/* Goes on with the buffer, for good. */
static enum move_result go_plainly(struct move *move)
{
    move->way = MOVE_BUFFER;
    return MOVE_MORE;
}

/* Whether ERROR may mean the clever call rather than one of the ends, or comes again when that is
 * asked plainly: but for the first three, a socket that is read may say it for itself, and once. */
static bool is_refusal(int error, bool reads_socket)
{
    static const int refusals[] = {EINVAL, ENOSYS, EOPNOTSUPP, EXDEV, EPERM,
                                   EACCES, EBADF,  ENOMEM,     EIO,   ESTALE};
    size_t n = reads_socket ? 3 : sizeof refusals / sizeof *refusals;

    for (size_t i = 0; i < n; i++)
        if (error == refusals[i])
            return true;
    return false;
}

/* Deals with errno of a clever call; WHOSE is the end that failed where it was no refusal. */
static enum move_result give_up(struct move *move, enum move_result whose)
{
    bool reads_socket = whose == MOVE_SOURCE_FAILED && is_socket(move->source);

    return is_refusal(errno, reads_socket) ? go_plainly(move) : fail(move, whose, errno);
}

/* Which end a call that said EAGAIN was about. What has come since the call is no harm: the
 * destination has room then, or is waited for rightly. */
static enum move_result blocker(const struct move *move)
{
    struct pollfd source = {.fd = move->source->fd, .events = POLLIN};

    if (move->dest->kind == END_FILE)
        return MOVE_WAITS_SOURCE;
    return poll(&source, 1, 0) > 0 ? MOVE_WAITS_DEST : MOVE_WAITS_SOURCE;
}

/* ---- ways through the kernel, where it reads and writes in one call ---- */

/* Takes what a call that was to move N bytes has said. */
static enum move_result take(struct move *move, ssize_t moved, size_t n)
{
    if (moved > 0) {
        count(move, (uint64_t)moved);
        return (size_t)moved < n ? move->short_means : MOVE_MORE;
    }
    if (moved == 0 && move->source->kind == END_FILE)
        return go_plainly(move);
    if (moved == 0) {
        move->at_end = true;
        return MOVE_MORE;
    }
    if (errno == EAGAIN)
        return move->short_means = blocker(move);
    return give_up(move, is_socket(move->source) && errno != EPIPE ? MOVE_SOURCE_FAILED
                                                                   : MOVE_DEST_FAILED);
}

/* What is wrong between two files is never said only once, so everything may be asked plainly. */
static enum move_result by_range(struct move *move, size_t n)
{
    ssize_t moved = kernel_range(move->source->fd, &move->offset, move->dest->fd, n);

    return moved < 0 ? go_plainly(move) : take(move, moved, n);
}

static enum move_result by_sendfile(struct move *move, size_t n)
{
    return take(move, kernel_sendfile(move->source->fd, &move->offset, move->dest->fd, n), n);
}

static enum move_result by_splice(struct move *move, size_t n)
{
    int64_t *offset = move->source->kind == END_FILE ? &move->offset : NULL;

    return take(move, kernel_splice(move->source->fd, offset, move->dest->fd, n), n);
}

/* ---- through a pipe of our own ---- */

/* A page of a socket has a place of its own in a pipe, however few bytes are in it; so the usual 16
 * are few; but there may be many relays (end.h, pipe_size). */
static void enlarge_pipe(struct move *move)
{
    if (!move->is_pipe_large && move->source->pipe_size > 0)
        (void)kernel_pipe_size(move->pipe[1], move->source->pipe_size);
    move->is_pipe_large = true;
}

static enum move_result fill_pipe(struct move *move, size_t n)
{
    ssize_t got;

    if (move->pipe[0] < 0 && kernel_pipe(move->pipe) < 0) {
        move->pipe[0] = -1;
        return go_plainly(move);
    }
    got = kernel_splice(move->source->fd, NULL, move->pipe[1], smaller(n, RELAY_SIZE));
    if (got < 0)
        return errno == EAGAIN ? MOVE_WAITS_SOURCE : give_up(move, MOVE_SOURCE_FAILED);
    move->piped = (size_t)got;
    move->at_end = got == 0;
    if (got >= RELAY_BURST)
        enlarge_pipe(move);
    return MOVE_MORE;
}

static enum move_result drain_pipe(struct move *move, size_t n)
{
    ssize_t put = kernel_splice(move->pipe[0], NULL, move->dest->fd, smaller(n, move->piped));

    if (put < 0)
        return errno == EAGAIN ? MOVE_WAITS_DEST : give_up(move, MOVE_DEST_FAILED);
    if (put == 0)
        return go_plainly(move);
    move->piped -= (size_t)put;
    count(move, (uint64_t)put);
    return MOVE_MORE;
}

static enum move_result by_relay(struct move *move, size_t n)
{
    return move->piped > 0 ? drain_pipe(move, n) : fill_pipe(move, n);
}

/* ---- through the buffer ---- */

/* A file in /proc or of a tracer may look like one and have no offsets. */
static ssize_t read_file(const struct move *move, char *bytes, size_t n)
{
    ssize_t got = pread(move->source->fd, bytes, n, move->offset);

    return got < 0 && errno == ESPIPE ? read(move->source->fd, bytes, n) : got;
}

/* Reads what the relay has left over, or from the source; as read(2). */
static ssize_t read_once(const struct move *move, char *bytes, size_t n)
{
    const struct end *source = move->source;

    if (move->piped > 0)
        return read(move->pipe[0], bytes, smaller(n, move->piped));
    if (is_socket(source))
        return recv(source->fd, bytes, n, MSG_DONTWAIT);
    return source->kind == END_FILE ? read_file(move, bytes, n) : read(source->fd, bytes, n);
}

static ssize_t write_once(const struct move *move, const char *bytes, size_t n)
{
    const struct end *dest = move->dest;

    if (is_socket(dest))
        return send(dest->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(dest->fd, bytes, dest->kind == END_CAREFUL ? smaller(n, PIPE_BUF) : n);
}

/* Whether END, which may block, may be used: once each time that it was waited for. */
static bool may_use(struct move *move, const struct end *end, enum move_result waits)
{
    bool was_waited_for = move->waited_for == waits;

    if (end->kind != END_CAREFUL)
        return true;
    move->waited_for = MOVE_MORE;
    return was_waited_for;
}

static void take_read(struct move *move, size_t got, size_t n)
{
    move->begin = 0;
    move->end = got;
    if (move->piped > 0) {
        move->piped -= got;
        return;
    }
    move->at_end = got == 0;
    move->offset += (int64_t)got;
    move->is_source_empty = got < n && move->source->kind != END_FILE;
}

static enum move_result not_read(struct move *move, int error)
{
    if (error == EAGAIN || error == EWOULDBLOCK)
        return MOVE_WAITS_SOURCE;
    if (error != EIO || !kernel_is_master(move->source->fd))
        return fail(move, MOVE_SOURCE_FAILED, error);
    move->at_end = true;
    return MOVE_MORE;
}

/* At the beginning of a page, where the kernel copies from and to: elsewhere, as malloc(3) lays out
 * what is large, that takes a sixth longer. */
static bool make_buffer(struct move *move)
{
    void *buffer;

    if (posix_memalign(&buffer, PAGE, move->size) != 0)
        return false;
    move->buffer = buffer;
    return true;
}

/* Memory that is out is told as the destination's failure: a source is never to blame for it. */
static enum move_result fill_buffer(struct move *move, size_t n)
{
    ssize_t got;

    if (!move->buffer && !make_buffer(move))
        return fail(move, MOVE_DEST_FAILED, ENOMEM);
    if (move->piped == 0 && !may_use(move, move->source, MOVE_WAITS_SOURCE))
        return MOVE_WAITS_SOURCE;
    n = smaller(n, move->size);
    do
        got = read_once(move, move->buffer, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return not_read(move, errno);
    take_read(move, (size_t)got, n);
    return MOVE_MORE;
}

/* A file or device that takes nothing and says nothing is full. */
static enum move_result drain_buffer(struct move *move, size_t n)
{
    ssize_t put;

    if (!may_use(move, move->dest, MOVE_WAITS_DEST))
        return MOVE_WAITS_DEST;
    do
        put = write_once(move, move->buffer + move->begin, smaller(n, move->end - move->begin));
    while (put < 0 && errno == EINTR);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return MOVE_WAITS_DEST;
    if (put <= 0)
        return fail(move, MOVE_DEST_FAILED, put < 0 ? errno : ENOSPC);
    move->begin += (size_t)put;
    count(move, (uint64_t)put);
    return move->begin == move->end && move->is_source_empty ? MOVE_WAITS_SOURCE : MOVE_MORE;
}

static enum move_result by_buffer(struct move *move, size_t n)
{
    return move->begin < move->end ? drain_buffer(move, n) : fill_buffer(move, n);
}

/* ---- what comes next in a file ---- */

/* Up to where it makes sense to ask for data. A block device has no size here. */
static int64_t file_size(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return 0;
    return S_ISBLK(status.st_mode) ? INT64_MAX : status.st_size;
}

/* Finds the next hole and the data behind it; data_end is offset where the file seems to end: then
 * read(2) has the word. The size is asked for first: what is appended between the two is behind it,
 * and cannot be taken for a hole. */
static void look_ahead(struct move *move)
{
    int64_t size = file_size(move->source->fd);
    int64_t data = move->offset;
    int64_t hole = -1;

    if (move->keeps_holes && move->offset < size)
        data = kernel_seek(move->source->fd, move->offset, 0);
    if (data < 0)
        data = errno == ENXIO ? size : move->offset;
    else if (move->keeps_holes && data < size)
        hole = kernel_seek(move->source->fd, data, 1);
    move->hole_end = data;
    move->data_end = hole >= 0 ? hole : size;
}

/* All of it, however large: it is a single call. */
static enum move_result skip_hole(struct move *move)
{
    int64_t n = move->hole_end - move->offset;

    if (lseek(move->dest->fd, (off_t)n, SEEK_CUR) < 0)
        return fail(move, MOVE_DEST_FAILED, errno == EINVAL ? EFBIG : errno);
    move->offset += n;
    move->skipped += (uint64_t)n;
    count(move, (uint64_t)n);
    move->is_hole_last = true;
    return MOVE_MORE;
}

/* A hole at the end is nothing but the file's size. */
static enum move_result finish(struct move *move)
{
    int fd = move->dest->fd;
    off_t size;

    if (!move->is_hole_last)
        return MOVE_ENDED;
    size = lseek(fd, 0, SEEK_CUR);
    if (size < 0 || (file_size(fd) < size && ftruncate(fd, size) < 0))
        return errno == EINTR ? MOVE_MORE : fail(move, MOVE_DEST_FAILED, errno);
    move->is_hole_last = false;
    return MOVE_ENDED;
}

/* ---- steps ---- */

static enum move_result try_way(struct move *move, size_t n)
{
    switch (move->way) {
    case MOVE_RANGE:
        return by_range(move, n);
    case MOVE_SENDFILE:
        return by_sendfile(move, n);
    case MOVE_SPLICE:
        return by_splice(move, n);
    case MOVE_RELAY:
        return by_relay(move, n);
    default:
        return by_buffer(move, n);
    }
}

static enum move_result try_file(struct move *move, size_t n)
{
    if (move->offset >= move->data_end)
        look_ahead(move);
    if (move->offset < move->hole_end)
        return skip_hole(move);
    if (move->offset < move->data_end)
        return try_way(move, smaller(n, (uint64_t)(move->data_end - move->offset)));
    return by_buffer(move, n);
}

static enum move_result move_once(struct move *move, uint64_t left)
{
    size_t n = smaller(left, CHUNK);

    if (move->begin < move->end)
        return by_buffer(move, n);
    if (move->at_end)
        return finish(move);
    return move->source->kind == END_FILE ? try_file(move, n) : try_way(move, n);
}

/* One that said EAGAIN all the same, as for a lock or a lease, or as the kernel's log where there
 * is no more of it (proc(5), kmsg), is asked again in the next step. */
static bool waits_for_file(const struct move *move, enum move_result result)
{
    return (result == MOVE_WAITS_SOURCE && move->source->kind == END_FILE) ||
           (result == MOVE_WAITS_DEST && move->dest->kind == END_FILE);
}

/* Waits until it is ready, though not for long: a stop is to be seen. Many files always say that
 * they are; those are given a moment. */
static void pause_for_file(const struct move *move, enum move_result result)
{
    bool reads = result == MOVE_WAITS_SOURCE;
    struct pollfd file = {.fd = reads ? move->source->fd : move->dest->fd,
                          .events = reads ? POLLIN : POLLOUT};

    if (poll(&file, 1, 0) == 0)
        (void)poll(&file, 1, FILE_WAIT_MS);
    else
        (void)poll(NULL, 0, FILE_PAUSE_MS);
}

enum move_result move_step(struct move *move, uint64_t budget)
{
    uint64_t before = atomic_load(&move->copied) - move->skipped;
    enum move_result result = MOVE_MORE;
    uint64_t done = 0;

    assert(budget > 0);
    while (result == MOVE_MORE && done < budget && !atomic_load(&move->is_stopped)) {
        result = move_once(move, budget - done);
        done = atomic_load(&move->copied) - move->skipped - before;
    }
    if (waits_for_file(move, result)) {
        pause_for_file(move, result);
        result = MOVE_MORE;
    }
    move->waited_for = result;
    return result;
}

/* ---- from init to fini ---- */

static bool is_simple(const struct end *end)
{
    return end->kind == END_FILE || end->kind == END_PIPE || end->kind == END_SOCKET;
}

static enum move_way choose_way(const struct end *source, const struct end *dest)
{
    if (!is_simple(source) || dest->is_append)
        return MOVE_BUFFER;
    if (source->kind == END_PIPE && dest->kind == END_STREAM && !isatty(dest->fd))
        return MOVE_SPLICE;
    if (!is_simple(dest))
        return MOVE_BUFFER;
    if (source->kind == END_PIPE || dest->kind == END_PIPE)
        return MOVE_SPLICE;
    if (source->kind == END_SOCKET)
        return MOVE_RELAY;
    return dest->kind == END_FILE ? MOVE_RANGE : MOVE_SENDFILE;
}

/* What is skipped at the end of a regular file is 0; anywhere else something may stand there. */
static bool can_keep_holes(const struct end *source, const struct end *dest)
{
    struct stat status;

    if (source->kind != END_FILE || dest->kind != END_FILE || dest->is_append)
        return false;
    return fstat(dest->fd, &status) == 0 && S_ISREG(status.st_mode) &&
           lseek(dest->fd, 0, SEEK_CUR) >= status.st_size;
}

/* Who has no more where a clever call moves less than it was asked to: a file always has, and takes
 * all. Between two others it is what it was the last time. */
static enum move_result first_guess(const struct end *source, const struct end *dest)
{
    if (source->kind != END_FILE)
        return MOVE_WAITS_SOURCE;
    return dest->kind == END_FILE ? MOVE_MORE : MOVE_WAITS_DEST;
}

void move_init(struct move *move, const struct end *source, const struct end *dest, size_t size)
{
    int64_t start = source->kind == END_FILE ? source->start : 0;

    *move = (struct move){.source = source,
                          .dest = dest,
                          .way = choose_way(source, dest),
                          .offset = start,
                          .hole_end = start,
                          .data_end = start,
                          .keeps_holes = can_keep_holes(source, dest),
                          .short_means = first_guess(source, dest),
                          .pipe = {-1, -1},
                          .size = size > 0 ? size : MOVE_BUFFER_SIZE};
}

void move_for_changing(struct move *move)
{
    if (move->source->kind == END_FILE && move->way != MOVE_RANGE)
        move->way = MOVE_BUFFER;
}

void move_fini(struct move *move)
{
    if (move->pipe[0] >= 0) {
        close(move->pipe[0]);
        close(move->pipe[1]);
    }
    free(move->buffer);
    move->pipe[0] = -1;
    move->piped = 0;
    move->buffer = NULL;
    move->begin = move->end = 0;
}

void move_resume(struct move *move, int64_t offset)
{
    if (offset >= 0)
        move->offset = offset;
    move->hole_end = move->data_end = move->offset;
    move->at_end = false;
}

const char *move_way_name(enum move_way way)
{
    static const char *const names[] = {[MOVE_RANGE] = "copy_file_range",
                                        [MOVE_SENDFILE] = "sendfile",
                                        [MOVE_SPLICE] = "splice",
                                        [MOVE_RELAY] = "splice through a pipe",
                                        [MOVE_BUFFER] = "read and write"};

    return names[way];
}
