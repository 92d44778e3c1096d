/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connected stream socket in the loop: bounded queue, partial writes, half-close.
 *
 * The two directions end independently, so each is a small machine of its own:
 *
 *   input    open -> ended             the peer sent its FIN, or the connection failed
 *   output   open -> draining -> shut  conn_finish was called; shut once the queue is written
 *
 * When both have come to their end the connection closes itself. What it wants of the kernel is
 * never set by hand: conn_want derives it from the two states and the fill of the queue.
 */
#ifndef CONN_H
#define CONN_H

#include <sys/types.h>

#include "base/buf.h"
#include "pollspin/loop.h"

enum conn_input { CONN_INPUT_OPEN, CONN_INPUT_ENDED };
enum conn_output { CONN_OUTPUT_OPEN, CONN_OUTPUT_DRAINING, CONN_OUTPUT_SHUT };

/* What on_data brings at once, at most: an owner that keeps this much room never has to refuse. */
enum { CONN_READ_MAX = 64 * 1024 };

struct conn;

struct conn_events {
    /* N bytes came, at most CONN_READ_MAX, borrowed during the call; none while it is paused. */
    void (*on_data)(void *owner, const char *bytes, size_t n);
    /* The peer will send no more. Not called when the connection failed. */
    void (*on_end)(void *owner);
    /* The queue became empty, written or thrown away by a failure. May be NULL. */
    void (*on_drained)(void *owner);
    /* The connection is closed and its memory the owner's again, in step 7 of the turn: ERROR is 0
     * when both directions ended in order or conn_close was called, else errno (ECONNRESET, EPIPE
     * ...). */
    void (*on_closed)(void *owner, int error);
};

struct conn {
    struct watch watch;
    const struct conn_events *events;
    void *owner;
    enum conn_input input;
    enum conn_output output;
    bool is_paused;   /* conn_pause: nothing is read, so that the peer has to wait */
    struct buf queue; /* written by us, not yet taken by the kernel */
    int error;
    uint64_t received; /* bytes, for the statistics */
    uint64_t sent;
};

/* Starts with the connected, non-blocking FD, which it takes in any case; queues at most MAX bytes.
 * Returns 0, or -1 with errno as poller_add and FD closed. No event is called before the loop runs.
 * What it is to people is the owner's to say afterwards: watch_name(&conn->watch, ...). */
int conn_start(struct conn *conn, struct loop *loop, int fd, size_t max,
               const struct conn_events *events, void *owner);

/* The pure function behind every interest: POLLER_IN and POLLER_OUT; POLLER_PRI, which never comes,
 * where only a failure is waited for, so that it is told; 0 while paused. */
unsigned conn_want(const struct conn *conn);

/* Returns how many bytes conn_write will surely take. */
size_t conn_room(const struct conn *conn);

/* Sends N bytes, queueing what the kernel does not take now. Returns how many were taken: less than
 * N when the queue is full; all of them, and to no effect, when the connection has failed
 * (on_closed comes). -1 with EPIPE after conn_finish. */
ssize_t conn_write(struct conn *conn, const char *bytes, size_t n);

/* Sends what is queued and then a FIN: the peer reads an end, and may still send. */
void conn_finish(struct conn *conn);

/* Stops reading, or goes on: for an owner that has no room. */
void conn_pause(struct conn *conn, bool pause);

/* Closes now; what is queued is lost, and a peer that still sends gets a RST. */
void conn_close(struct conn *conn);

bool conn_is_open(const struct conn *conn);

/* The states by name, for traces and messages. */
const char *conn_input_name(enum conn_input state);
const char *conn_output_name(enum conn_output state);

#endif
