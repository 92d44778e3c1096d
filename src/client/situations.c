/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#ifdef HAVE_TIMERFD_CREATE
#include <sys/timerfd.h>
#endif

#include "base/clock.h"
#include "client/situations.h"

/* Where poll(2) has no word for it the end of file is readable, which is all that can be seen. */
#ifndef POLLRDHUP
#define POLLRDHUP POLLIN
#endif

/* What was sent and not yet acknowledged gives room in the sender's buffer back. It is at most what
 * the receiver has room for, and less than the third of the sender's that makes TCP writable: so a
 * full connection stays full. */
enum { TCP_SENDER_BYTES = 65536, TCP_RECEIVER_BYTES = 2048 };

/* ---- waiting and closing ---- */

static int64_t situation_deadline(void)
{
    return clock_now() + CLOCK_SECOND;
}

/* Waits until poll(2) says all of EVENTS of FD. */
static int await(int fd, short events)
{
    struct pollfd now = {.fd = fd, .events = events};
    int64_t deadline = situation_deadline();
    int64_t left;

    while ((left = deadline - clock_now()) > 0) {
        if (poll(&now, 1, (int)(left / CLOCK_MILLISECOND) + 1) < 0 && errno != EINTR)
            return -1;
        if ((now.revents & events) == events)
            return 0;
    }
    errno = ETIMEDOUT;
    return -1;
}

int situation_make(const struct situation *situation, struct situation_ends *ends)
{
    if (situation->make && situation->make(ends) < 0)
        return -1;
    return situation->arrives ? await(ends->fd, situation->arrives) : 0;
}

static int close_end(int *end)
{
    int fd = *end;

    *end = -1;
    return fd < 0 ? 0 : close(fd);
}

void situation_close(struct situation_ends *ends)
{
    int error = errno;

    close_end(&ends->fd);
    close_end(&ends->peer);
    errno = error;
}

/* No program that is started inherits it, and filling it must not block. */
static int prepare(int fd)
{
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int prepare_both(const struct situation_ends *ends)
{
    return prepare(ends->fd) < 0 || prepare(ends->peer) < 0 ? -1 : 0;
}

/* ---- things ---- */

static int open_pipe_reader(struct situation_ends *ends)
{
    int fds[2];

    if (pipe(fds) < 0)
        return -1;
    *ends = (struct situation_ends){.fd = fds[0], .peer = fds[1]};
    return prepare_both(ends);
}

static void swap(struct situation_ends *ends)
{
    *ends = (struct situation_ends){.fd = ends->peer, .peer = ends->fd};
}

static int open_pipe_writer(struct situation_ends *ends)
{
    int result = open_pipe_reader(ends);

    swap(ends);
    return result;
}

/* Writes the name of something that will be in the folder for temporary files, made unique by
 * mkdtemp(3) or mkstemp(3). */
static void temporary_name(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, size, "%s/pollspin-selftest-XXXXXX", folder && *folder ? folder : P_tmpdir);
}

/* Has TAKE open the ends of a new fifo by its path, which is gone afterwards. */
static int with_fifo(struct situation_ends *ends,
                     int (*take)(struct situation_ends *, const char *))
{
    char folder[1024];
    char path[sizeof folder + sizeof "/fifo"];
    int result = -1;
    int error;

    temporary_name(folder, sizeof folder);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/fifo", folder);
    if (mkfifo(path, 0600) == 0)
        result = take(ends, path);
    error = errno;
    unlink(path);
    rmdir(folder);
    errno = error;
    return result;
}

static int take_reader(struct situation_ends *ends, const char *path)
{
    ends->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return ends->fd < 0 ? -1 : 0;
}

/* A writer that does not block is refused where there is no reader. */
static int take_writer(struct situation_ends *ends, const char *path)
{
    ends->peer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return ends->peer < 0 ? -1 : 0;
}

static int take_both(struct situation_ends *ends, const char *path)
{
    return take_reader(ends, path) < 0 ? -1 : take_writer(ends, path);
}

static int take_second_writer(struct situation_ends *ends, const char *path)
{
    if (take_both(ends, path) < 0 || close_end(&ends->peer) < 0)
        return -1;
    return take_writer(ends, path);
}

static int open_fifo_reader(struct situation_ends *ends)
{
    return with_fifo(ends, take_both);
}

static int open_fifo_without_writer(struct situation_ends *ends)
{
    return with_fifo(ends, take_reader);
}

static int open_fifo_with_second_writer(struct situation_ends *ends)
{
    return with_fifo(ends, take_second_writer);
}

static int open_fifo_writer(struct situation_ends *ends)
{
    int result = open_fifo_reader(ends);

    swap(ends);
    return result;
}

static int open_socketpair(struct situation_ends *ends)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return -1;
    *ends = (struct situation_ends){.fd = fds[0], .peer = fds[1]};
    return prepare_both(ends);
}

static int set_size(int fd, int option, int size)
{
    return setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
}

/* What is accepted takes the receiver's size from the listener. */
static int open_listener(int *listener, struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM, 0);
    if (prepare(*listener) < 0 || set_size(*listener, SO_RCVBUF, TCP_RECEIVER_BYTES) < 0)
        return -1;
    if (bind(*listener, (struct sockaddr *)address, length) < 0 || listen(*listener, 1) < 0)
        return -1;
    return getsockname(*listener, (struct sockaddr *)address, &length);
}

static int connect_to(struct situation_ends *ends, int listener, const struct sockaddr_in *address)
{
    ends->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (prepare(ends->fd) < 0 || set_size(ends->fd, SO_SNDBUF, TCP_SENDER_BYTES) < 0)
        return -1;
    if (connect(ends->fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
        errno != EINPROGRESS)
        return -1;
    if (await(listener, POLLIN) < 0 || await(ends->fd, POLLOUT) < 0)
        return -1;
    ends->peer = accept(listener, NULL, NULL);
    return prepare(ends->peer);
}

static int open_tcp(struct situation_ends *ends)
{
    struct situation_ends listener = {-1, -1};
    struct sockaddr_in address;
    int result = open_listener(&listener.fd, &address);

    if (result == 0)
        result = connect_to(ends, listener.fd, &address);
    situation_close(&listener);
    return result;
}

/* What the other end gets by its being echoed says that it has come. */
static int set_line(int fd)
{
    struct termios line;

    if (tcgetattr(fd, &line) < 0)
        return -1;
    line.c_lflag |= ICANON | ECHO;
    return tcsetattr(fd, TCSANOW, &line);
}

static int open_tty(struct situation_ends *ends)
{
    const char *name;

    ends->peer = posix_openpt(O_RDWR | O_NOCTTY);
    if (ends->peer < 0 || grantpt(ends->peer) < 0 || unlockpt(ends->peer) < 0)
        return -1;
    name = ptsname(ends->peer);
    if (!name)
        return -1;
    ends->fd = open(name, O_RDWR | O_NOCTTY);
    return prepare_both(ends) < 0 ? -1 : set_line(ends->fd);
}

static int open_file(struct situation_ends *ends)
{
    char path[1024];

    temporary_name(path, sizeof path);
    ends->fd = mkstemp(path);
    if (ends->fd < 0)
        return -1;
    unlink(path);
    return prepare(ends->fd);
}

static int open_null(struct situation_ends *ends)
{
    ends->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return ends->fd < 0 ? -1 : 0;
}

#ifdef HAVE_TIMERFD_CREATE
static int set_timer(int fd, time_t seconds, long ns)
{
    struct itimerspec due = {.it_value = {.tv_sec = seconds, .tv_nsec = ns}};

    return timerfd_settime(fd, 0, &due, NULL);
}

static int open_timer(struct situation_ends *ends)
{
    ends->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return ends->fd < 0 ? -1 : set_timer(ends->fd, 3600, 0);
}

static int expire(struct situation_ends *ends)
{
    return set_timer(ends->fd, 0, 1);
}
#endif

/* ---- what happens to them ---- */

static int put(int fd, const char *bytes)
{
    return write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes) ? 0 : -1;
}

static int get_data(struct situation_ends *ends)
{
    return put(ends->peer, "a line\n");
}

/* Not before a newline does a terminal give it to who reads, but it echoes it. */
static int get_half_line(struct situation_ends *ends)
{
    return put(ends->peer, "half") < 0 ? -1 : await(ends->peer, POLLIN);
}

static int get_urgent_byte(struct situation_ends *ends)
{
    return send(ends->peer, "!", 1, MSG_OOB) == 1 ? 0 : -1;
}

static bool is_writable(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLOUT};

    return poll(&now, 1, 0) > 0;
}

static int fill(struct situation_ends *ends)
{
    static const char bytes[4096];
    int64_t deadline = situation_deadline();

    do {
        while (write(ends->fd, bytes, sizeof bytes) >= 0 || errno == EINTR)
            ;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return -1;
    } while (is_writable(ends->fd) && clock_now() < deadline);
    return 0;
}

static int stop_output(struct situation_ends *ends)
{
    return tcflow(ends->fd, TCOOFF);
}

static int close_peer(struct situation_ends *ends)
{
    return close_end(&ends->peer);
}

static int get_data_then_close(struct situation_ends *ends)
{
    if (get_data(ends) < 0 || await(ends->fd, POLLIN) < 0)
        return -1;
    return close_peer(ends);
}

static int fill_then_close(struct situation_ends *ends)
{
    return fill(ends) < 0 ? -1 : close_peer(ends);
}

static int shut_peer(struct situation_ends *ends)
{
    return shutdown(ends->peer, SHUT_WR);
}

static int close_both_ways(struct situation_ends *ends)
{
    return close_peer(ends) < 0 ? -1 : shutdown(ends->fd, SHUT_WR);
}

/* A unix socket that is closed with data unread resets the other. */
static int close_unread(struct situation_ends *ends)
{
    return put(ends->fd, "never read") < 0 ? -1 : close_peer(ends);
}

static int reset(struct situation_ends *ends)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    if (setsockopt(ends->peer, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0)
        return -1;
    return close_peer(ends);
}

static int get_to_start(struct situation_ends *ends)
{
    return put(ends->fd, "a line\n") < 0 || lseek(ends->fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

static int close_fd(struct situation_ends *ends)
{
    return close_end(&ends->fd);
}

/* ---- the rows ---- */

static const struct situation of_pipe_reader[] = {
    {"idle", open_pipe_reader, NULL, 0},
    {"data", open_pipe_reader, get_data, POLLIN},
    {"writer closed", open_pipe_reader, close_peer, POLLHUP},
    {"data, then closed", open_pipe_reader, get_data_then_close, POLLIN | POLLHUP},
    {0},
};

static const struct situation of_pipe_writer[] = {
    {"idle", open_pipe_writer, NULL, 0},
    {"full", open_pipe_writer, fill, 0},
    {"reader closed", open_pipe_writer, close_peer, POLLERR},
    {"full, then closed", open_pipe_writer, fill_then_close, POLLERR},
    {0},
};

static const struct situation of_fifo_reader[] = {
    {"no writer yet", open_fifo_without_writer, NULL, 0},
    {"idle", open_fifo_reader, NULL, 0},
    {"data", open_fifo_reader, get_data, POLLIN},
    {"writer closed", open_fifo_reader, close_peer, POLLHUP},
    {"data, then closed", open_fifo_reader, get_data_then_close, POLLIN | POLLHUP},
    {"next writer came", open_fifo_with_second_writer, NULL, 0},
    {0},
};

static const struct situation of_fifo_writer[] = {
    {"idle", open_fifo_writer, NULL, 0},
    {"full", open_fifo_writer, fill, 0},
    {"reader closed", open_fifo_writer, close_peer, POLLERR},
    {0},
};

static const struct situation of_socketpair[] = {
    {"idle", open_socketpair, NULL, 0},
    {"data", open_socketpair, get_data, POLLIN},
    {"full", open_socketpair, fill, 0},
    {"peer half-closed", open_socketpair, shut_peer, POLLRDHUP},
    {"peer closed", open_socketpair, close_peer, POLLHUP},
    {"data, then closed", open_socketpair, get_data_then_close, POLLIN | POLLHUP},
    {"closed, not read", open_socketpair, close_unread, POLLHUP},
    {0},
};

static const struct situation of_tcp[] = {
    {"idle", open_tcp, NULL, 0},
    {"data", open_tcp, get_data, POLLIN},
    {"urgent byte", open_tcp, get_urgent_byte, POLLPRI},
    {"full", open_tcp, fill, 0},
    {"peer half-closed", open_tcp, shut_peer, POLLRDHUP},
    {"peer closed", open_tcp, close_peer, POLLRDHUP},
    {"data, then closed", open_tcp, get_data_then_close, POLLIN | POLLRDHUP},
    {"both ways closed", open_tcp, close_both_ways, POLLHUP},
    {"reset", open_tcp, reset, POLLERR | POLLHUP},
    {0},
};

static const struct situation of_tty[] = {
    {"idle", open_tty, NULL, 0},
    {"half a line", open_tty, get_half_line, 0},
    {"a line", open_tty, get_data, POLLIN},
    {"output stopped", open_tty, stop_output, 0},
    {"closed", open_tty, close_peer, POLLHUP},
    {"a line, then closed", open_tty, get_data_then_close, POLLHUP},
    {0},
};

static const struct situation of_file[] = {
    {"data", open_file, get_to_start, 0},
    {"at its end", open_file, NULL, 0},
    {0},
};

static const struct situation of_null[] = {
    {"open", open_null, NULL, 0},
    {0},
};

#ifdef HAVE_TIMERFD_CREATE
static const struct situation of_timer[] = {
    {"idle", open_timer, NULL, 0},
    {"expired", open_timer, expire, POLLIN},
    {0},
};
#endif

static const struct situation of_closed[] = {
    {"pipe, reading end", open_pipe_reader, close_fd, 0},
    {"pipe, writing end", open_pipe_writer, close_fd, 0},
    {"fifo, reading end", open_fifo_reader, close_fd, 0},
    {"fifo, writing end", open_fifo_writer, close_fd, 0},
    {"socketpair", open_socketpair, close_fd, 0},
    {"tcp", open_tcp, close_fd, 0},
    {"tty", open_tty, close_fd, 0},
    {"regular file", open_file, close_fd, 0},
    {"/dev/null", open_null, close_fd, 0},
#ifdef HAVE_TIMERFD_CREATE
    {"timerfd", open_timer, close_fd, 0},
#endif
    {0},
};

const struct situation_group situation_groups[] = {
    {"pipe, reading end", of_pipe_reader, false},
    {"pipe, writing end", of_pipe_writer, false},
    {"fifo, reading end", of_fifo_reader, false},
    {"fifo, writing end", of_fifo_writer, false},
    {"socketpair", of_socketpair, false},
    {"tcp", of_tcp, false},
    {"tty", of_tty, false},
    {"regular file", of_file, false},
    {"/dev/null", of_null, false},
#ifdef HAVE_TIMERFD_CREATE
    {"timerfd", of_timer, false},
#endif
    {"closed behind the poller's back", of_closed, true},
    {0},
};
