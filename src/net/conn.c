/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection is two small machines and a queue; every call and every event changes one of them
 * and ends in conn_settle, which alone closes, half-closes, and tells the loop what is wanted.
 *
 * What arrived before a failure is still in the kernel, so a send that fails ends the output only:
 * reading goes on to the end, and then the error is reported. The kernel's surprise is that an
 * error is told once: when send(2) was told ECONNRESET, recv(2) behind it sees a plain end of file
 * (tcp(7)), so the first error is kept here.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

static const char *const conn_input_names[] = {
    [CONN_INPUT_OPEN] = "open",
    [CONN_INPUT_ENDED] = "ended",
};

static const char *const conn_output_names[] = {
    [CONN_OUTPUT_OPEN] = "open",
    [CONN_OUTPUT_DRAINING] = "draining",
    [CONN_OUTPUT_SHUT] = "shut",
};

const char *conn_input_name(enum conn_input state)
{
    return conn_input_names[state];
}

const char *conn_output_name(enum conn_output state)
{
    return conn_output_names[state];
}

/* Both machines only ever go forward. */
static void conn_set_input(struct conn *conn, enum conn_input state)
{
    assert(state >= conn->input);
    conn->input = state;
}

static void conn_set_output(struct conn *conn, enum conn_output state)
{
    assert(state >= conn->output);
    conn->output = state;
}

unsigned conn_want(const struct conn *conn)
{
    unsigned want = 0;

    if (conn->input == CONN_INPUT_OPEN && !conn->is_paused)
        want |= POLLER_IN;
    if (conn->output != CONN_OUTPUT_SHUT && !buf_is_empty(&conn->queue))
        want |= POLLER_OUT;
    if (want == 0 && !conn->is_paused && conn->input == CONN_INPUT_ENDED &&
        conn->output != CONN_OUTPUT_SHUT)
        want = POLLER_PRI;
    return want;
}

bool conn_is_open(const struct conn *conn)
{
    return watch_is_started(&conn->watch);
}

static void conn_on_reaped(void *owner)
{
    struct conn *conn = owner;

    buf_fini(&conn->queue);
    conn->events->on_closed(conn->owner, conn->error);
}

/* Where the two states lead. ENOTCONN of shutdown(2) says that the connection is gone; recv(2) will
 * say how. */
static void conn_settle(struct conn *conn)
{
    if (!conn_is_open(conn))
        return;
    if (conn->output == CONN_OUTPUT_DRAINING && buf_is_empty(&conn->queue)) {
        shutdown(conn->watch.fd, SHUT_WR);
        conn_set_output(conn, CONN_OUTPUT_SHUT);
    }
    if (conn->input == CONN_INPUT_ENDED && conn->output == CONN_OUTPUT_SHUT)
        watch_close(&conn->watch, conn_on_reaped);
    else
        watch_want(&conn->watch, conn_want(conn));
}

/* EPIPE only says that something came before; ECONNRESET says what. */
static void conn_note_error(struct conn *conn, int error)
{
    if (conn->error == 0 || error == ECONNRESET)
        conn->error = error;
}

/* Nothing can be sent any more. */
static void conn_fail_output(struct conn *conn, int error)
{
    conn_note_error(conn, error);
    buf_fini(&conn->queue);
    conn_set_output(conn, CONN_OUTPUT_SHUT);
}

static void conn_fail(struct conn *conn, int error)
{
    conn_fail_output(conn, error);
    conn_set_input(conn, CONN_INPUT_ENDED);
}

static bool conn_is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* One read a turn and at most CONN_READ_MAX bytes: a peer that floods gets its share and no more.
 */
static void conn_receive(struct conn *conn)
{
    char bytes[CONN_READ_MAX];
    ssize_t n = recv(conn->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0) {
        conn->received += (uint64_t)n;
        conn->events->on_data(conn->owner, bytes, (size_t)n);
    } else if (n == 0) {
        conn_set_input(conn, CONN_INPUT_ENDED);
        if (conn->error == 0)
            conn->events->on_end(conn->owner);
    } else if (!conn_is_transient(errno)) {
        conn_fail(conn, errno);
    }
}

/* Returns how many of the N bytes the kernel took; 0 too when that failed. */
static size_t conn_send(struct conn *conn, const char *bytes, size_t n)
{
    ssize_t sent = send(conn->watch.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0) {
        conn->sent += (uint64_t)sent;
        return (size_t)sent;
    }
    if (!conn_is_transient(errno))
        conn_fail_output(conn, errno);
    return 0;
}

/* A queue that was thrown away is empty too: an owner that waits for room must hear of it. */
static void conn_flush(struct conn *conn)
{
    size_t sent = conn_send(conn, buf_peek(&conn->queue), conn->queue.length);

    if (sent > 0)
        buf_take(&conn->queue, sent);
    if (buf_is_empty(&conn->queue) && conn->events->on_drained)
        conn->events->on_drained(conn->owner);
}

/* The peer has finished and nothing is queued: what is told now can only be that it is gone. */
static void conn_find_failure(struct conn *conn)
{
    int error = 0;
    socklen_t length = sizeof error;

    if (getsockopt(conn->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    conn_fail(conn, error == 0 ? EPIPE : error);
}

/* A hang-up or an error is found by reading on, or else by writing: so no data is lost before it,
 * and what is paused is not in the poller, where it would be reported for ever. */
static void conn_on_ready(void *owner, unsigned ready)
{
    struct conn *conn = owner;
    unsigned gone = POLLER_HUP | POLLER_ERR;

    if (ready & POLLER_INVALID) {
        conn_fail(conn, conn->watch.error);
        conn_settle(conn);
        return;
    }
    if ((ready & (POLLER_IN | gone)) && (conn_want(conn) & POLLER_IN))
        conn_receive(conn);
    if (conn_is_open(conn) && (ready & (POLLER_OUT | gone)) && (conn_want(conn) & POLLER_OUT))
        conn_flush(conn);
    if (conn_is_open(conn) && (ready & gone) && conn_want(conn) == POLLER_PRI)
        conn_find_failure(conn);
    conn_settle(conn);
}

/* Neither is worth a failure: a unix socket has no Nagle and no urgent data. */
static void conn_set_options(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on); /* an urgent byte is text too */
}

int conn_start(struct conn *conn, struct loop *loop, int fd, size_t max,
               const struct conn_events *events, void *owner)
{
    *conn = (struct conn){.events = events, .owner = owner};
    buf_init(&conn->queue, max);
    watch_init(&conn->watch, conn_on_ready, conn);
    conn_set_options(fd);
    if (watch_start(&conn->watch, loop, fd, conn_want(conn)) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return 0;
}

size_t conn_room(const struct conn *conn)
{
    return buf_room(&conn->queue);
}

/* Adds as many of the N bytes as there is room for. Returns how many. */
static size_t conn_enqueue(struct conn *conn, const char *bytes, size_t n)
{
    if (n > conn_room(conn))
        n = conn_room(conn);
    if (buf_add(&conn->queue, bytes, n) < 0)
        conn_fail(conn, errno);
    return n;
}

ssize_t conn_write(struct conn *conn, const char *bytes, size_t n)
{
    size_t taken = 0;

    if (!conn_is_open(conn) || conn->error != 0)
        return (ssize_t)n;
    if (conn->output != CONN_OUTPUT_OPEN) {
        errno = EPIPE;
        return -1;
    }
    if (buf_is_empty(&conn->queue) && n > 0)
        taken = conn_send(conn, bytes, n);
    if (conn->error == 0)
        taken += conn_enqueue(conn, bytes + taken, n - taken);
    conn_settle(conn);
    return (ssize_t)(conn->error == 0 ? taken : n);
}

void conn_finish(struct conn *conn)
{
    if (!conn_is_open(conn) || conn->output != CONN_OUTPUT_OPEN)
        return;
    conn_set_output(conn, CONN_OUTPUT_DRAINING);
    conn_settle(conn);
}

void conn_pause(struct conn *conn, bool pause)
{
    conn->is_paused = pause;
    conn_settle(conn);
}

void conn_close(struct conn *conn)
{
    if (!conn_is_open(conn))
        return;
    conn_fail(conn, 0);
    conn->error = 0;
    conn_settle(conn);
}
