/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening is asked of a place that may answer now, later or never, so whatever comes of it, also at
 * once, is told by one deferred call, end_on_tell. Until then exactly one thing is under way: a
 * connector, listeners, or the timer that looks for the reader of a fifo.
 *
 * What surprises in the kernel:
 *   - open(2) of a fifo, a device or a lease blocks without O_NONBLOCK; stat(2) before it has no
 *     side effects, but what was opened is what counts: the name may have changed hands.
 *   - O_NONBLOCK belongs to the open file, which others share (fcntl(2)), and opening
 *     /proc/self/fd/N makes another open file of the same pipe or terminal (proc(5)). Of a fifo
 *     whose writers have all gone that one does not know that there ever were any, and never hangs
 *     up; of /dev/ptmx it is another terminal altogether, and so it is with other devices that
 *     hand out something new (tun, fuse).
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "copy/end.h"
#include "copy/farewell.h"
#include "copy/kernel.h"

enum {
    END_PICKS = 50, /* how often a port that the kernel picked is given back, since the other
                       family has it taken */
    END_OPEN_FLAGS = O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* ---- what came of it ---- */

static void end_on_tell(void *owner)
{
    struct end *end = owner;
    char why[sizeof end->why];

    memcpy(why, end->why, sizeof why); /* on_open may open it anew */
    end->on_open(end->owner, end->error, end->error ? why : NULL);
}

static void end_fail(struct end *end, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void end_fail(struct end *end, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(end->why, sizeof end->why, format, args);
    va_end(args);
    end->error = error;
    deferred_call(&end->tell);
}

static void end_fail_as(struct end *end, int error)
{
    end_fail(end, error, "%s", strerror(error));
}

/* As the last call on FD failed, which is closed. */
static void end_fail_with(struct end *end, int fd)
{
    int error = errno;

    close(fd);
    end_fail_as(end, error);
}

static void end_succeed(struct end *end, int fd, enum end_kind kind, bool is_ours)
{
    end->fd = fd;
    end->kind = kind;
    end->is_ours = is_ours;
    if (kind == END_PIPE && end->pipe_size > 0)
        kernel_pipe_size(fd, end->pipe_size); /* a smaller one is only slower */
    deferred_call(&end->tell);
}

/* ---- names ---- */

/* TEXT, behind START where it begins with that. */
static const char *without(const char *text, const char *start)
{
    size_t n = strlen(start);

    return strncmp(text, start, n) == 0 ? text + n : text;
}

/* What is behind the colon of WHY, where NAME is before it; or WHY. */
static const char *without_name(const char *why, const char *name)
{
    const char *rest = without(why, name);

    return rest != why && strncmp(rest, ": ", 2) == 0 ? rest + 2 : why;
}

/* Returns WHY without the name of the place, which is told with it: "tcp:127.0.0.1:9: Connection
 * refused". An address that it was not given by is news. */
static const char *end_news(const struct end *end, const char *why)
{
    static const char *const schemes[] = {
        [PLACE_CONNECT] = "tcp:", [PLACE_LISTEN] = "tcp-listen:", [PLACE_FD] = ""};
    const struct place *place = end->place;
    const char *news;

    if (place->kind == PLACE_PATH)
        return without_name(without(why, "unix:"), place->text);
    if (place->target.is_unix)
        return without_name(why, place->text);
    news = without_name(why, without(place->text, schemes[place->kind]));
    return news != why ? news : without_name(why, place->target.host);
}

/* ---- files ---- */

static int64_t device_length(int fd, int64_t start)
{
    off_t length = lseek(fd, 0, SEEK_END);

    lseek(fd, start, SEEK_SET);
    return length;
}

/* Of a size of 0 nobody knows whether it is true: files of /proc have it. */
static void end_measure(struct end *end, int fd, const struct stat *status)
{
    off_t here = lseek(fd, 0, end->is_append ? SEEK_END : SEEK_CUR);
    int64_t length = status->st_size;

    end->start = here > 0 ? here : 0;
    if (!end->is_source)
        return;
    if (S_ISBLK(status->st_mode))
        length = device_length(fd, end->start);
    if (length > 0)
        end->size = length > end->start ? length - end->start : 0;
}

static void end_succeed_with_file(struct end *end, int fd, const struct stat *status, bool is_ours)
{
    end_measure(end, fd, status);
    end_succeed(end, fd, END_FILE, is_ours);
}

/* The file may be fit to be written, but a name beside it cannot be made, or not take its name. */
static void end_fail_to_replace(struct end *end, int error)
{
    bool has_another_way =
        !(end->flags & (REPLACE_IN_PLACE | REPLACE_APPEND)) && access(end->place->path, W_OK) == 0;

    if (has_another_way && error == EACCES)
        end_fail(end, error, "%s: its folder cannot be written; the file itself can, in place",
                 strerror(error));
    else if (has_another_way && (error == EPERM || error == EBUSY))
        end_fail(end, error,
                 "%s: no new file can take its name; the file itself can be written, in place or "
                 "at its end",
                 strerror(error));
    else
        end_fail_as(end, error);
}

/* A destination that is a regular file, or nothing yet. */
static void end_open_replace(struct end *end)
{
    struct stat status;

    if (replace_open(&end->replace, end->place->path, end->flags) < 0) {
        end_fail_to_replace(end, errno);
        return;
    }
    if (fstat(end->replace.fd, &status) < 0) {
        int error = errno;

        replace_abort(&end->replace);
        end_fail_as(end, error);
        return;
    }
    end->is_append = end->flags & REPLACE_APPEND;
    end_succeed_with_file(end, end->replace.fd, &status, false);
}

/* ---- sockets ---- */

static void end_on_connect(void *owner, const struct connect_outcome *outcome)
{
    struct end *end = owner;

    end->connector = NULL;
    if (outcome->result == CONNECT_DONE)
        end_succeed(end, outcome->fd, END_SOCKET, true);
    else
        end_fail(end, outcome->error ? outcome->error : EHOSTUNREACH, "%s",
                 end_news(end, outcome->why));
}

static void end_connect(struct end *end, const struct target *target)
{
    static const struct connect_options options = {.family = AF_UNSPEC};

    end->connector = connect_new(end->loop, target, &options, end_on_connect, end);
    if (!end->connector)
        end_fail_as(end, errno);
}

/* An @ at the beginning of its name would make another place of it (net/address.h). */
static void end_connect_path(struct end *end)
{
    const char *path = end->place->path;
    struct target target = {.is_unix = true};
    int length =
        snprintf(target.path, sizeof target.path, "%s%s", path[0] == '@' ? "./" : "", path);

    if ((size_t)length < sizeof target.path)
        end_connect(end, &target);
    else
        end_fail_as(end, ENAMETOOLONG);
}

void end_close_listeners(struct end *end)
{
    int error = errno;

    listener_close(&end->listeners[0]);
    listener_close(&end->listeners[1]);
    errno = error;
}

/* The first client is the only one: who comes after it is refused. */
static void end_on_accept(void *owner, int fd, const struct address *peer)
{
    struct end *end = owner;

    (void)peer;
    end_close_listeners(end);
    end_succeed(end, fd, END_SOCKET, true);
}

static bool is_family_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Listens at those ADDRESSES that this machine has, the second at the port of the first. Returns 0,
 * or -1 with errno, and *FAILED. */
static int end_try_listen(struct end *end, const struct address addresses[2], int count,
                          struct address *failed)
{
    int missing = EADDRNOTAVAIL;
    uint16_t port = 0;
    bool listens = false;

    for (int i = 0; i < count; i++) {
        struct address address = addresses[i];

        if (port != 0)
            address_set_port(&address, port);
        if (listener_start(&end->listeners[i], end->loop, &address, end_on_accept, NULL, end) ==
            0) {
            port = address_port(&end->listeners[i].address);
            listens = true;
            continue;
        }
        *failed = address;
        missing = errno;
        if (!is_family_missing(missing)) {
            end_close_listeners(end);
            return -1;
        }
    }
    errno = missing;
    return listens ? 0 : -1;
}

static void end_fail_to_listen(struct end *end, int error, const struct address *address)
{
    char where[ADDRESS_TEXT];
    char why[ADDRESS_TEXT + 100];

    address_format(address, where);
    snprintf(why, sizeof why, "%s: %s", where, strerror(error));
    end_fail(end, error, "%s", end_news(end, why));
}

static void end_listen(struct end *end)
{
    struct address addresses[2];
    struct address failed;
    int count = place_listen_addresses(end->place, addresses);
    int picks = count > 1 && address_port(&addresses[0]) == 0 ? END_PICKS : 1;

    if (count == 0) {
        end_fail(end, EINVAL, "the host must be a numeric address, localhost or *");
        return;
    }
    while (end_try_listen(end, addresses, count, &failed) < 0) {
        int error = errno;

        if (error == EADDRINUSE && --picks > 0)
            continue;
        end_fail_to_listen(end, error, &failed);
        return;
    }
}

/* ---- by its path ---- */

static int open_anyhow(const char *path, bool is_source)
{
    int fd;

    do
        fd = open(path, (is_source ? O_RDONLY : O_WRONLY) | END_OPEN_FLAGS);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum end_kind kind_of(mode_t mode)
{
    if (S_ISREG(mode) || S_ISBLK(mode))
        return END_FILE;
    if (S_ISFIFO(mode))
        return END_PIPE;
    return S_ISCHR(mode) ? END_STREAM : END_NONE;
}

/* A destination that has become a regular file in between must not be written over in place. */
static void end_take(struct end *end, int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        end_fail_with(end, fd);
        return;
    }
    errno = S_ISDIR(status.st_mode) ? EISDIR : ESTALE;
    if (kind_of(status.st_mode) == END_NONE || (!end->is_source && S_ISREG(status.st_mode)))
        end_fail_with(end, fd);
    else if (kind_of(status.st_mode) == END_FILE)
        end_succeed_with_file(end, fd, &status, true);
    else
        end_succeed(end, fd, kind_of(status.st_mode), true);
}

static void end_try_later(struct end *end)
{
    if (timer_after(&end->retry, end->retry_ns) < 0)
        end_fail_as(end, errno);
    end->retry_ns = end_later(end->retry_ns);
}

static void end_open_as_it_is(struct end *end, mode_t mode)
{
    int fd = open_anyhow(end->place->path, end->is_source);

    if (fd >= 0)
        end_take(end, fd);
    else if (errno == ENXIO && S_ISFIFO(mode) && !end->is_source)
        end_try_later(end);
    else
        end_fail_as(end, errno);
}

/* Of what has no content of its own nothing can be clobbered; a disk has. */
static void end_open_path(struct end *end)
{
    struct stat status;

    if (stat(end->place->path, &status) < 0) {
        if (errno != ENOENT || end->is_source)
            end_fail_as(end, errno);
        else
            end_open_replace(end);
    } else if (S_ISDIR(status.st_mode))
        end_fail(end, EISDIR, "%s%s", strerror(EISDIR), end->is_source ? "" : ": write DIR/NAME");
    else if (S_ISSOCK(status.st_mode))
        end_connect_path(end);
    else if (S_ISREG(status.st_mode) && !end->is_source)
        end_open_replace(end);
    else if (S_ISBLK(status.st_mode) && end->flags & REPLACE_NO_CLOBBER)
        end_fail_as(end, EEXIST);
    else if (S_ISBLK(status.st_mode) && end->flags & REPLACE_APPEND)
        end_fail(end, EINVAL, "a device has no end to write behind");
    else
        end_open_as_it_is(end, status.st_mode);
}

/* From the beginning: another kind of file may have the name by now. */
static void end_on_retry(void *owner)
{
    end_open_path(owner);
}

/* ---- by its descriptor ---- */

/* What "-" is, that stands for one of two. */
static const char *end_subject(const struct end *end)
{
    if (strcmp(end->place->text, "-") != 0)
        return "";
    return end->is_source ? "standard input is " : "standard output is ";
}

static bool has_direction(int flags, bool is_source)
{
    int mode = flags & O_ACCMODE;

    return mode == O_RDWR || mode == (is_source ? O_RDONLY : O_WRONLY);
}

/* Devices that have an answer at once, whoever has them open. */
static bool never_waits(dev_t device)
{
    static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"};
    struct stat status;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (stat(paths[i], &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device)
            return true;
    return false;
}

static bool is_hung_up(int fd)
{
    struct pollfd asked = {.fd = fd};

    return poll(&asked, 1, 0) > 0 && asked.revents & POLLHUP;
}

/* Returns FD where that is still what STATUS says, or else -1, and it is closed. */
static int the_same(int fd, const struct stat *status)
{
    struct stat now;

    if (fd < 0 || (fstat(fd, &now) == 0 && now.st_dev == status->st_dev &&
                   now.st_ino == status->st_ino && now.st_rdev == status->st_rdev))
        return fd;
    close(fd);
    return -1;
}

/* Opens the pipe or terminal FD anew, non-blocking. A terminal has a name, a pipe has one only
 * where there is a /proc. Returns -1 where that cannot be, or would be something else. */
static int end_open_anew(const struct end *end, int fd, const struct stat *status)
{
    char name[PATH_MAX];
    int own = -1;

    if (S_ISCHR(status->st_mode) && (!isatty(fd) || ptsname(fd)))
        return -1;
    if (S_ISCHR(status->st_mode) && ttyname_r(fd, name, sizeof name) == 0)
        own = the_same(open_anyhow(name, end->is_source), status);
    if (own < 0) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        own = the_same(open_anyhow(name, end->is_source), status);
    }
    if (own >= 0 && end->is_source && is_hung_up(fd) && !is_hung_up(own)) {
        close(own);
        return -1;
    }
    return own;
}

/* A pipe or a device. */
static void end_share_stream(struct end *end, int fd, const struct stat *status,
                             bool is_nonblocking)
{
    enum end_kind kind = kind_of(status->st_mode);
    int own;

    if (is_nonblocking || (kind == END_STREAM && never_waits(status->st_rdev))) {
        end_succeed(end, fd, kind, false);
        return;
    }
    own = end_open_anew(end, fd, status);
    if (own >= 0)
        end_succeed(end, own, kind, true);
    else
        end_succeed(end, fd, END_CAREFUL, false);
}

static void end_share(struct end *end, int fd, const struct stat *status, bool is_nonblocking)
{
    if (S_ISSOCK(status->st_mode)) {
        end_succeed(end, fd, is_nonblocking ? END_SOCKET : END_SHARED_SOCKET, false);
        return;
    }
    switch (kind_of(status->st_mode)) {
    case END_FILE:
        end_succeed_with_file(end, fd, status, false);
        break;
    case END_NONE:
        end_succeed(end, fd, END_CAREFUL, false);
        break;
    default:
        end_share_stream(end, fd, status, is_nonblocking);
    }
}

static void end_open_fd(struct end *end)
{
    int fd = end->place->fd;
    int flags = fcntl(fd, F_GETFL);
    struct stat status;

    if (flags < 0)
        end_fail(end, errno, "%snot open", end_subject(end));
    else if (!has_direction(flags, end->is_source))
        end_fail(end, EBADF, "%snot open for %s", end_subject(end),
                 end->is_source ? "reading" : "writing");
    else if (fstat(fd, &status) < 0)
        end_fail_as(end, errno);
    else if (S_ISDIR(status.st_mode))
        end_fail_as(end, EISDIR);
    else {
        end->is_append = !end->is_source && flags & O_APPEND;
        end_share(end, fd, &status, flags & O_NONBLOCK);
    }
}

/* ---- opening ---- */

void end_init(struct end *end, struct loop *loop, bool is_source, end_fn *on_open, void *owner)
{
    *end = (struct end){.loop = loop,
                        .fd = -1,
                        .is_source = is_source,
                        .size = -1,
                        .on_open = on_open,
                        .owner = owner};
    replace_init(&end->replace);
    timer_init(&end->retry, loop, end_on_retry, end);
    deferred_init(&end->tell, loop, end_on_tell, end);
    farewell_init(end);
}

static void end_reset(struct end *end, const struct place *place, unsigned flags)
{
    assert(end->kind == END_NONE);
    end->place = place;
    end->flags = flags;
    end->is_append = false;
    end->start = 0;
    end->size = -1;
    end->retry_ns = END_RETRY_FIRST;
    end->error = 0;
}

void end_open(struct end *end, const struct place *place, unsigned flags)
{
    end_reset(end, place, flags);
    switch (place->kind) {
    case PLACE_PATH:
        end_open_path(end);
        break;
    case PLACE_FD:
        end_open_fd(end);
        break;
    case PLACE_CONNECT:
        end_connect(end, &place->target);
        break;
    case PLACE_LISTEN:
        end_listen(end);
        break;
    }
}

void end_adopt(struct end *end, int fd, enum end_kind kind)
{
    end_reset(end, NULL, 0);
    end->fd = fd;
    end->kind = kind;
    end->is_ours = true;
}

void end_describe(const struct end *end, char *bytes, size_t size)
{
    char where[ADDRESS_TEXT];
    bool is_first = true;
    struct text text;

    text_init(&text, bytes, size);
    if (end->connector)
        connect_describe(end->connector, bytes, size);
    else if (timer_is_set(&end->retry))
        text_add(&text, "waiting for a reader");
    for (int i = 0; i < 2; i++) {
        if (!watch_is_started(&end->listeners[i].watch))
            continue;
        address_format(&end->listeners[i].address, where);
        text_add(&text, "%s%s", is_first ? "waiting for a client at " : " and ", where);
        is_first = false;
    }
}
