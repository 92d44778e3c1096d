/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock is there for one moment only: a run that cuts the file reads it, writes a new one and
 * renames it, and a line that another adds meanwhile would be gone. Appending needs none, as
 * O_APPEND places each write at the end (open(2)). While somebody holds the lock, a line is kept
 * until the next one comes, for the program must not stand still; at the end it waits for longer.
 * Whoever holds it for too long even then, be it a run that was stopped, keeps nobody from adding,
 * and only the cutting is left out.
 *
 * Whoever waited for the lock may have it on a file that has lost its name: then it opens anew.
 *
 * The file may hold anything: only as much of its end is read as the lines can be long.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "ui/history.h"

enum {
    PATH_SIZE = 4096,
    TAIL_MAX = HISTORY_LINES * (HISTORY_LINE_MAX + 1), /* bytes that are looked at */
    LOCK_STEP_MS = 5,
    LOCK_TRIES = 200,   /* at the beginning and at the end */
    LOCK_FEW_TRIES = 4, /* in between */
    LATE_MAX = 64 * (HISTORY_LINE_MAX + 2),
    OPEN_TRIES = 200
};

enum lock {
    LOCK_OURS,
    LOCK_TAKEN, /* by another run */
    LOCK_NONE   /* cannot be had at all: not every file system has one */
};

/* ---- where ---- */

int history_path(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    struct text text;

    text_init(&text, path, size);
    if (state && *state == '/') {
        text_add(&text, "%s/pollspin/history", state);
    } else if (home && *home) {
        text_add(&text, "%s/.local/state/pollspin/history", home);
    } else {
        errno = ENOENT;
        return -1;
    }
    if (text_is_cut(&text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

/* Where it may not be made because the one above is not ours, it may be there all the same. */
static int make_folder(const char *folder)
{
    int error;

    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return 0;
    error = errno;
    if (access(folder, F_OK) == 0)
        return 0;
    errno = error;
    return -1;
}

/* Makes the folders above PATH that are missing. */
static int make_folders(const char *path)
{
    char folder[PATH_SIZE];
    struct text text;

    text_init(&text, folder, sizeof folder);
    text_add(&text, "%s", path);
    if (text_is_cut(&text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (make_folder(folder) < 0)
            return -1;
        *slash = '/';
    }
    return 0;
}

/* ---- opening ---- */

/* Makes sure that it is a file of our own which nobody else can read. */
static int check_file(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
        errno = EPERM;
        return -1;
    }
    return (status.st_mode & 07777) == 0600 ? 0 : fchmod(fd, 0600);
}

static void close_quietly(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
}

/* Neither waits for the other end of a FIFO nor makes a terminal ours. */
static int open_file(const char *path, int more_flags)
{
    int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | more_flags;
    int fd = open(path, flags, 0600);

    if (fd < 0) {
        if (errno == EISDIR || errno == ENXIO)
            errno = EPERM;
        return -1;
    }
    if (check_file(fd) < 0) {
        close_quietly(fd);
        return -1;
    }
    return fd;
}

static int open_and_make(const char *path)
{
    int fd = open_file(path, 0);

    if (fd < 0 && errno == ENOENT && make_folders(path) == 0)
        fd = open_file(path, 0);
    return fd;
}

/* Tries are counted, not time: on a busy machine a second may hold a single one. */
static enum lock take_lock(int fd, int tries)
{
    for (int i = 0; i < tries; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return LOCK_OURS;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return LOCK_NONE;
        poll(NULL, 0, LOCK_STEP_MS);
    }
    return LOCK_TAKEN;
}

static bool has_name(int fd, const char *path)
{
    struct stat ours;
    struct stat named;

    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

/* Locks what has the name now, opened anew where that is another file than before. *LOCK says
 * whether it could be had. Returns 0, or -1 with errno. */
static int lock_named(struct history *history, int tries, enum lock *lock)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int fd;

        *lock = take_lock(history->fd, tries);
        if (has_name(history->fd, history->path))
            return 0;
        fd = open_and_make(history->path);
        if (fd < 0)
            return -1;
        close(history->fd);
        history->fd = fd;
    }
    errno = ESTALE;
    return -1;
}

static void unlock(const struct history *history)
{
    int error = errno;

    flock(history->fd, LOCK_UN);
    errno = error;
}

/* ---- writing ---- */

/* A write beyond the limit would raise SIGXFSZ, which ends a program that does not expect it. */
static bool is_within_limit(off_t size, size_t n)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           (rlim_t)size + n <= limit.rlim_cur;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return 0;
}

/* Adds N bytes to a file of SIZE bytes, all of them or, as far as nobody else adds, none. */
static int append(const struct history *history, off_t size, const char *bytes, size_t n,
                  bool is_locked)
{
    int error;

    if (!is_within_limit(size, n)) {
        errno = EFBIG;
        return -1;
    }
    if (write_all(history->fd, bytes, n) == 0)
        return 0;
    error = errno;
    if (is_locked && ftruncate(history->fd, size) < 0)
        error = errno;
    errno = error;
    return -1;
}

/* Whether the last line of a file of SIZE bytes has no newline: somebody wrote half of one. */
static bool is_open_ended(int fd, off_t size)
{
    char last;

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* Adds LINE to what is to be written. A newline stands before it all, for a file that needs it. */
static int keep_late(struct history *history, const char *line)
{
    char *bytes = malloc(HISTORY_LINE_MAX + 3);
    struct text text;
    int result;

    if (!bytes)
        return -1;
    text_init(&text, bytes, HISTORY_LINE_MAX + 3);
    text_add(&text, "%s%s\n", buf_is_empty(&history->late) ? "\n" : "", line);
    result = buf_add(&history->late, bytes, text.length);
    free(bytes);
    return result;
}

static int append_late(const struct history *history, bool is_locked)
{
    const char *bytes = buf_peek(&history->late);
    size_t n = history->late.length;
    struct stat status;

    if (fstat(history->fd, &status) < 0)
        return -1;
    if (!is_open_ended(history->fd, status.st_size)) {
        bytes++;
        n--;
    }
    return append(history, status.st_size, bytes, n, is_locked);
}

/* Writes what is to be written, unless another run has the lock and there is time. */
static int write_late(struct history *history, int tries, bool is_last)
{
    enum lock lock;
    int result = lock_named(history, tries, &lock);
    int error;

    if (result == 0 && lock == LOCK_TAKEN && !is_last &&
        buf_room(&history->late) > HISTORY_LINE_MAX + 1)
        return 0;
    if (result == 0) {
        result = append_late(history, lock == LOCK_OURS);
        unlock(history);
    }
    error = errno;
    buf_fini(&history->late);
    errno = error;
    return result;
}

bool history_takes(const char *line)
{
    return *line != '\0' && *line != ' ' && !strchr(line, '\n');
}

int history_add(struct history *history, const char *line)
{
    if (!history_takes(line) || strlen(line) > HISTORY_LINE_MAX)
        return 0;
    if (history->fd < 0) {
        errno = EBADF;
        return -1;
    }
    if (keep_late(history, line) < 0)
        return -1;
    return write_late(history, LOCK_FEW_TRIES, false);
}

/* ---- reading ---- */

/* The end of the file: all of it that can matter. */
struct tail {
    char *bytes;
    size_t length;
    bool is_all; /* nothing stands before it */
};

static int read_tail(int fd, struct tail *tail)
{
    struct stat status;
    off_t from;
    size_t size;

    if (fstat(fd, &status) < 0)
        return -1;
    from = status.st_size > TAIL_MAX ? status.st_size - TAIL_MAX : 0;
    size = (size_t)(status.st_size - from);
    *tail = (struct tail){.bytes = malloc(size + 1), .is_all = from == 0};
    if (!tail->bytes)
        return -1;
    while (tail->length < size) {
        ssize_t n =
            pread(fd, tail->bytes + tail->length, size - tail->length, from + (off_t)tail->length);

        if (n == 0 || (n < 0 && errno != EINTR))
            return (int)n;
        tail->length += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Takes the next line, of which FROM is the beginning, without what does not belong into one.
 * Returns where the one after it begins; LINE is empty where there is none to be kept. */
static size_t take_line(const struct tail *tail, size_t from, char line[HISTORY_LINE_MAX + 1])
{
    const char *begin = tail->bytes + from;
    const char *newline = memchr(begin, '\n', tail->length - from);
    size_t n = newline ? (size_t)(newline - begin) : tail->length - from;
    size_t kept = 0;

    for (size_t i = 0; n <= HISTORY_LINE_MAX && i < n; i++)
        if (begin[i] == '\t' || ((unsigned char)begin[i] >= ' ' && begin[i] != 0x7f))
            line[kept++] = begin[i];
    line[kept] = '\0';
    return from + n + 1;
}

/* What is told and, where the file is cut, written again. */
struct reading {
    struct tail tail;
    size_t begin; /* of the first whole line in the tail */
    size_t lines;
    size_t good; /* lines that are to be kept, were there no bound */
    struct buf kept;
};

static void count_lines(struct reading *reading)
{
    char line[HISTORY_LINE_MAX + 1];

    reading->begin = reading->tail.is_all ? 0 : take_line(&reading->tail, 0, line);
    for (size_t at = reading->begin; at < reading->tail.length; reading->lines++) {
        at = take_line(&reading->tail, at, line);
        reading->good += line[0] != '\0';
    }
}

static int tell_lines(struct reading *reading, history_fn *on_line, void *owner)
{
    char line[HISTORY_LINE_MAX + 1];
    size_t skipped = reading->good > HISTORY_LINES ? reading->good - HISTORY_LINES : 0;

    for (size_t at = reading->begin; at < reading->tail.length;) {
        at = take_line(&reading->tail, at, line);
        if (line[0] == '\0' || skipped > 0) {
            skipped -= line[0] != '\0';
            continue;
        }
        if (buf_add(&reading->kept, line, strlen(line)) < 0 || buf_add(&reading->kept, "\n", 1) < 0)
            return -1;
        if (on_line)
            on_line(owner, line);
    }
    return 0;
}

static bool has_to_be_cut(const struct reading *reading)
{
    return !reading->tail.is_all || reading->good != reading->lines ||
           reading->good > HISTORY_LINES;
}

/* ---- cutting ---- */

static int write_kept(int fd, const struct buf *kept)
{
    if (!is_within_limit(0, kept->length)) {
        errno = EFBIG;
        return -1;
    }
    return write_all(fd, buf_peek(kept), kept->length);
}

/* Puts a new file with what is kept in the place of the one that is locked. */
static void cut(struct history *history, const struct buf *kept)
{
    char path[PATH_SIZE];
    struct text text;
    int fd;

    text_init(&text, path, sizeof path);
    text_add(&text, "%s.new", history->path);
    if (text_is_cut(&text))
        return;
    unlink(path); /* of a run that was killed here */
    fd = open_file(path, O_EXCL | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (write_kept(fd, kept) < 0 || rename(path, history->path) < 0) {
        unlink(path);
        close(fd);
        return;
    }
    close(history->fd);
    history->fd = fd;
}

static int read_and_cut(struct history *history, bool is_locked, history_fn *on_line, void *owner)
{
    struct reading reading = {0};
    int result = read_tail(history->fd, &reading.tail);

    buf_init(&reading.kept, TAIL_MAX);
    if (result == 0) {
        count_lines(&reading);
        result = tell_lines(&reading, on_line, owner);
    }
    if (result == 0 && is_locked && has_to_be_cut(&reading))
        cut(history, &reading.kept);
    buf_fini(&reading.kept);
    free(reading.tail.bytes);
    return result;
}

/* ---- the outside ---- */

int history_open(struct history *history, const char *path, history_fn *on_line, void *owner)
{
    enum lock lock;

    *history = (struct history){.fd = open_and_make(path)};
    if (history->fd < 0)
        return -1;
    buf_init(&history->late, LATE_MAX);
    history->path = realpath(path, NULL);
    if (!history->path || lock_named(history, LOCK_TRIES, &lock) < 0 ||
        read_and_cut(history, lock == LOCK_OURS, on_line, owner) < 0) {
        int error = errno;

        history_close(history);
        errno = error;
        return -1;
    }
    unlock(history);
    return 0;
}

void history_close(struct history *history)
{
    if (!buf_is_empty(&history->late))
        write_late(history, LOCK_TRIES, true);
    if (history->fd >= 0)
        close(history->fd);
    free(history->path);
    *history = (struct history){.fd = -1};
}
