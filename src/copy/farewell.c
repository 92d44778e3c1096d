/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an end is closed: in order, by end_finish; in order and with a peer that has not got
 * everything yet, by end_linger; or not in order, by end_close.
 *
 * What surprises in the kernel:
 *   - close(2) of a TCP socket in which something is unread sends a RST instead of a FIN, and so
 *     does the kernel for what comes after it; with the RST goes all that the peer has not
 *     acknowledged.
 *   - a TCP socket whose peer has ended says 0 to each recv(2), also when it is reset later: that
 *     is in SO_ERROR.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "copy/farewell.h"
#include "copy/kernel.h"

/* A peer that answers goes on answering while it reads what it has acknowledged. One that has said
 * nothing for so long has fallen silent; one that talks all the time is left after a while. */
#define END_SILENCE  (1 * CLOCK_SECOND)
#define END_FAREWELL (60 * CLOCK_SECOND)

enum {
    END_DRAIN = 64,     /* reads at most from a peer to whom nobody listens any more ... */
    END_DRAINED = 16384 /* ... and bytes in each */
};

/* ---- closing ---- */

static void end_stop_waiting(struct end *end)
{
    watch_stop(&end->farewell.watch);
    timer_stop(&end->farewell.look);
    deferred_stop(&end->tell);
    timer_stop(&end->retry);
    connect_free(end->connector);
    end->connector = NULL;
    end_close_listeners(end);
}

/* Closes, but for what is shared. It is close(2) that some file systems (NFS, quotas) tell of a
 * full disk with; after EINTR it is closed all the same on Linux, and must not be closed again. */
static int end_let_go(struct end *end)
{
    int fd = end->fd;
    bool is_ours = end->is_ours;

    end->fd = -1;
    end->kind = END_NONE;
    end->is_ours = false;
    return !is_ours || close(fd) == 0 || errno == EINTR ? 0 : -1;
}

/* Returns what is wrong with it, and forgets it; 0: nothing. */
static int socket_error(int fd)
{
    socklen_t length = sizeof(int);
    int error = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

/* Reads what the peer has sent, which nobody wants any more. Returns as the last recv(2), and
 * whether there was anything in *HAS_HEARD. */
static ssize_t socket_drain(int fd, bool *has_heard)
{
    char bytes[END_DRAINED];
    ssize_t n = 1;

    *has_heard = false;
    for (int i = 0; i < END_DRAIN && n > 0; i++) {
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        *has_heard |= n > 0;
    }
    return n;
}

/* Where the peer has reset it, ENOTCONN is all that shutdown(2) says. */
static int socket_shut(int fd)
{
    int error;

    if (shutdown(fd, SHUT_WR) == 0)
        return 0;
    error = errno;
    errno = socket_error(fd);
    if (errno == 0)
        errno = error;
    return -1;
}

static int socket_finish(int fd)
{
    bool has_heard;

    if (socket_shut(fd) < 0)
        return -1;
    socket_drain(fd, &has_heard);
    return 0;
}

/* A shared socket is not shut: others may have more to say through it. */
static int end_flush(const struct end *end)
{
    if (end->kind == END_FILE && end->flags & REPLACE_SYNC)
        return replace_sync(end->fd);
    if (end->kind == END_SOCKET && end->is_ours)
        return socket_finish(end->fd);
    return 0;
}

int end_finish(struct end *end)
{
    int result;
    int error;

    if (end->kind == END_NONE)
        return 0;
    result = end->replace.fd >= 0 ? replace_commit(&end->replace) : end_flush(end);
    error = errno;
    if (end_let_go(end) < 0 && result == 0)
        return -1;
    errno = error;
    return result;
}

/* ---- closing what the peer has not got yet ---- */

static void end_finished(struct end *end, int error)
{
    end_stop_waiting(end);
    if (end_let_go(end) < 0 && error == 0)
        error = errno;
    end->on_finished(end->owner, error, error ? strerror(error) : NULL);
}

/* Reads what there is. Returns what is wrong with the socket; 0: nothing. */
static int end_hear(struct end *end, bool *has_ended)
{
    struct end_farewell *farewell = &end->farewell;
    bool has_heard;
    ssize_t n = socket_drain(end->fd, &has_heard);

    *has_ended = n == 0;
    if (has_heard)
        farewell->heard = loop_now(end->loop);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return errno;
    return socket_error(end->fd);
}

static void end_measure_left(struct end *end)
{
    struct end_farewell *farewell = &end->farewell;
    long left = kernel_unacknowledged(end->fd);

    if (left == farewell->left)
        return;
    farewell->left = left;
    farewell->since = loop_now(end->loop);
}

static bool has_lost_patience(const struct end_farewell *farewell, int64_t now)
{
    return farewell->left > 0 && farewell->patience_ns > 0 &&
           now - farewell->since >= farewell->patience_ns;
}

/* Of a peer that has acknowledged everything. */
static bool may_be_left(const struct end_farewell *farewell, int64_t now)
{
    return farewell->heard < 0 || now - farewell->heard >= END_SILENCE ||
           now - farewell->since >= END_FAREWELL;
}

/* A peer that has ended may have closed, or only have nothing to say: if it has closed, what it has
 * not acknowledged by then comes back as a reset. */
static void end_look(struct end *end)
{
    struct end_farewell *farewell = &end->farewell;
    int64_t now = loop_now(end->loop);
    bool has_ended;
    int error = end_hear(end, &has_ended);

    end_measure_left(end);
    if (farewell->left <= 0 && (error != 0 || has_ended || may_be_left(farewell, now)))
        end_finished(end, 0);
    else if (error != 0)
        end_finished(end, error);
    else if (has_lost_patience(farewell, now))
        end_finished(end, ETIMEDOUT);
    else if (has_ended)
        watch_want(&farewell->watch, 0); /* it would be told for ever */
}

/* Where the poller cannot have it, the timer alone does. */
static void end_on_word(void *owner, unsigned ready)
{
    if (!(ready & POLLER_INVALID))
        end_look(owner);
}

static void end_on_look(void *owner)
{
    struct end *end = owner;
    struct end_farewell *farewell = &end->farewell;

    if (timer_after(&farewell->look, farewell->look_ns) < 0) {
        end_finished(end, errno);
        return;
    }
    farewell->look_ns = end_later(farewell->look_ns);
    end_look(end);
}

void farewell_init(struct end *end)
{
    watch_init(&end->farewell.watch, end_on_word, end);
    timer_init(&end->farewell.look, end->loop, end_on_look, end);
}

static bool is_tcp(int fd)
{
    struct address address;

    return address_of_socket(&address, fd, false) == 0 && address.sock.any.sa_family != AF_UNIX;
}

/* Without a watch, which the poller may refuse, the timer sees it all a little later. */
bool end_linger(struct end *end, int64_t patience_ns, end_fn *on_finished)
{
    struct end_farewell *farewell = &end->farewell;

    if (end->kind != END_SOCKET || !end->is_ours || !is_tcp(end->fd) ||
        kernel_unacknowledged(end->fd) < 0 || timer_after(&farewell->look, 0) < 0)
        return false;
    if (shutdown(end->fd, SHUT_WR) < 0) {
        timer_stop(&farewell->look);
        return false;
    }
    farewell->look_ns = END_RETRY_FIRST;
    farewell->patience_ns = patience_ns;
    farewell->left = -1;
    farewell->heard = -1;
    end->on_finished = on_finished;
    watch_start(&farewell->watch, end->loop, end->fd, POLLER_IN);
    return true;
}

/* ---- giving up ---- */

/* A shared descriptor that has lost its place is no worse than one that we never had. */
void end_close(struct end *end, int64_t offset)
{
    int error = errno;

    end_stop_waiting(end);
    replace_abort(&end->replace);
    if (end->kind == END_FILE && end->is_source && !end->is_ours)
        lseek(end->fd, offset >= 0 ? offset : end->start, SEEK_SET);
    end_let_go(end);
    errno = error;
}
