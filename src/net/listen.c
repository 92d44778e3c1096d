/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening. What accept(2) fails with is of two kinds: the client is at fault or gone, and the
 * next one is taken; or this process lacks something, and then the client stays in the backlog
 * and keeps the socket ready, so the listener goes out of the poller until it has waited a while.
 *
 * The name of a unix socket outlives its server. A left-over one refuses connections, and only then
 * it is removed. Two servers that start in the same moment can still take the name from each
 * other, between our last look and unlink(2) or between their bind(2) and listen(2): the kernel has
 * no call that removes a name only if it is still that socket.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listen.h"

/* How many clients are taken in one turn, so that a storm of them does not stop all others. */
enum { LISTEN_BATCH = 64 };

#define LISTEN_RETRY CLOCK_SECOND

/* Closes FD and leaves errno as it was. Returns -1, for the caller to return. */
static int listener_give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

static unsigned listener_want(const struct listener *listener)
{
    return listener->is_held || timer_is_set(&listener->retry) ? 0 : POLLER_IN;
}

/* Whether the fault is the client's or the network's: accept(2) passes on what happened to a
 * connection before it was taken. */
static bool listener_error_is_theirs(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* As accept4(2) with both flags. */
static int listener_take(const struct listener *listener, struct address *peer)
{
    int fd;

    memset(peer, 0, sizeof *peer);
    peer->length = sizeof peer->sock;
#if defined(HAVE_ACCEPT4)
    fd = accept4(listener->watch.fd, &peer->sock.any, &peer->length, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    fd = accept(listener->watch.fd, &peer->sock.any, &peer->length);
    if (fd >= 0 && address_prepare(fd) < 0)
        return listener_give_up(fd);
#endif
    return fd;
}

static void listener_tell_pause(struct listener *listener, bool is_paused, int error)
{
    if (listener->is_paused == is_paused)
        return;
    listener->is_paused = is_paused;
    if (listener->on_pause)
        listener->on_pause(listener->owner, error);
}

/* Without memory even for the timer, only listener_resume can wake it. */
static void listener_pause(struct listener *listener, int error)
{
    if (timer_set(&listener->retry, loop_now(listener->watch.loop) + LISTEN_RETRY) < 0)
        listener->is_held = true;
    listener_tell_pause(listener, true, error);
}

/* Accepts one. Returns whether there may be more. A pause has ended only when nobody waits any
 * longer: so one pause is told once, however often a single descriptor becomes free in it. */
static bool listener_accept(struct listener *listener)
{
    struct address peer;
    int fd = listener_take(listener, &peer);

    if (fd >= 0)
        listener->on_accept(listener->owner, fd, &peer);
    else if (listener_error_is_theirs(errno))
        return true;
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
        listener_tell_pause(listener, false, 0);
    else
        listener_pause(listener, errno);
    return fd >= 0;
}

/* What is called may close or hold the listener. */
static void listener_work(struct listener *listener)
{
    for (int i = 0; i < LISTEN_BATCH; i++) {
        if (!watch_is_started(&listener->watch) || listener_want(listener) == 0)
            break;
        if (!listener_accept(listener))
            break;
    }
    watch_want(&listener->watch, listener_want(listener));
}

static void listener_on_ready(void *owner, unsigned ready)
{
    struct listener *listener = owner;

    if (ready & POLLER_INVALID)
        listener_pause(listener, listener->watch.error);
    else
        listener_work(listener);
}

static void listener_on_retry(void *owner)
{
    listener_work(owner);
}

/* A descriptor that does not listen would be ready for ever. */
static int listener_check(int fd)
{
    int is_listening = 0;
    socklen_t length = sizeof is_listening;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0)
        return -1;
    errno = EINVAL;
    return is_listening ? 0 : -1;
}

int listener_adopt(struct listener *listener, struct loop *loop, int fd, listener_fn *on_accept,
                   listener_pause_fn *on_pause, void *owner)
{
    *listener = (struct listener){.on_accept = on_accept, .on_pause = on_pause, .owner = owner};
    watch_init(&listener->watch, listener_on_ready, listener);
    watch_name(&listener->watch, "listener");
    timer_init(&listener->retry, loop, listener_on_retry, listener);
    if (address_prepare(fd) < 0 || listener_check(fd) < 0 ||
        address_of_socket(&listener->address, fd, false) < 0 ||
        watch_start(&listener->watch, loop, fd, POLLER_IN) < 0)
        return listener_give_up(fd);
    return 0;
}

/* The path of a unix address that is a file, or NULL. */
static const char *listener_path(const struct address *address)
{
    if (address->sock.any.sa_family != AF_UNIX || address->sock.un.sun_path[0] == '\0')
        return NULL;
    return address->sock.un.sun_path;
}

/* Whether nobody listens at ADDRESS any longer. Any other answer, or none, is not proof enough. */
static bool listener_is_stale(const struct address *address)
{
    int fd = address_open(address);
    bool is_stale =
        fd >= 0 && connect(fd, &address->sock.any, address->length) < 0 && errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return is_stale;
}

static bool listener_is_same(const struct stat *a, const struct stat *b)
{
    return S_ISSOCK(a->st_mode) && S_ISSOCK(b->st_mode) && a->st_dev == b->st_dev &&
           a->st_ino == b->st_ino;
}

/* Removes the socket file that a dead server left at ADDRESS. Returns whether it did. */
static bool listener_remove_stale(const struct address *address)
{
    const char *path = listener_path(address);
    struct stat before;
    struct stat after;

    if (!path || lstat(path, &before) < 0 || !S_ISSOCK(before.st_mode))
        return false;
    if (!listener_is_stale(address) || lstat(path, &after) < 0)
        return false;
    return listener_is_same(&before, &after) && unlink(path) == 0;
}

static int listener_bind(int fd, const struct address *address)
{
    if (bind(fd, &address->sock.any, address->length) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    if (listener_remove_stale(address))
        return bind(fd, &address->sock.any, address->length);
    errno = EADDRINUSE;
    return -1;
}

/* Without SO_REUSEADDR a server could not start again while connections of the last one linger in
 * TIME-WAIT. */
static int listener_set_options(int fd, int family)
{
    int on = 1;

    if (family == AF_UNIX)
        return 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return 0;
}

static int listener_open(const struct address *address)
{
    int fd = address_open(address);

    if (fd < 0)
        return -1;
    if (listener_set_options(fd, address->sock.any.sa_family) < 0 || listener_bind(fd, address) < 0)
        return listener_give_up(fd);
    return fd;
}

/* Removes the file that bind(2) made, and no other. errno survives. */
static void listener_unlink(const char *path, dev_t device, ino_t inode)
{
    int error = errno;
    struct stat now;

    if (lstat(path, &now) == 0 && now.st_dev == device && now.st_ino == inode)
        unlink(path);
    errno = error;
}

static int listener_start_at(struct listener *listener, struct loop *loop, int fd,
                             listener_fn *on_accept, listener_pause_fn *on_pause, void *owner)
{
    if (listen(fd, SOMAXCONN) < 0)
        return listener_give_up(fd);
    return listener_adopt(listener, loop, fd, on_accept, on_pause, owner);
}

int listener_start(struct listener *listener, struct loop *loop, const struct address *address,
                   listener_fn *on_accept, listener_pause_fn *on_pause, void *owner)
{
    const char *path = listener_path(address);
    struct stat made = {0};
    int fd = listener_open(address);

    if (fd < 0)
        return -1;
    if (path && lstat(path, &made) < 0)
        return listener_give_up(fd);
    if (listener_start_at(listener, loop, fd, on_accept, on_pause, owner) < 0) {
        if (path)
            listener_unlink(path, made.st_dev, made.st_ino);
        return -1;
    }
    if (path)
        strcpy(listener->path, path);
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    return 0;
}

/* The name goes before the socket: who still finds it is answered, not refused. */
void listener_close(struct listener *listener)
{
    int fd = listener->watch.fd;

    if (!watch_is_started(&listener->watch))
        return;
    timer_stop(&listener->retry);
    if (listener->path[0] != '\0')
        listener_unlink(listener->path, listener->device, listener->inode);
    watch_stop(&listener->watch);
    close(fd);
}

void listener_hold(struct listener *listener)
{
    listener->is_held = true;
    watch_want(&listener->watch, listener_want(listener));
}

/* In a pause the next turn tries at once, to tell the end of the pause also where nobody waits. */
void listener_resume(struct listener *listener)
{
    listener->is_held = false;
    if (!watch_is_started(&listener->watch))
        return;
    if (!listener->is_paused || timer_set(&listener->retry, loop_now(listener->watch.loop)) < 0)
        timer_stop(&listener->retry);
    watch_want(&listener->watch, listener_want(listener));
}
