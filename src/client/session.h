/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One target from the first look-up to the end: connects, hands on what comes, sends what it is
 * given, and tries again where that was asked for. It shows nothing: its owner does.
 *
 *   connecting -> open -> ending -> ended
 *       |          |                  ^
 *       +--> waiting (to try again)   |      straight to ended: no retry is wanted, the owner has
 *       <-------+                     |      enough, or could not show what came
 */
#ifndef SESSION_H
#define SESSION_H

#include "net/connect.h"
#include "pollspin/loop.h"

enum session_state {
    SESSION_CONNECTING,
    SESSION_OPEN,
    SESSION_ENDING,  /* the server has finished; what is queued is still sent */
    SESSION_WAITING, /* to try again */
    SESSION_ENDED    /* but for what its owner has not shown yet */
};

enum session_end {
    SESSION_CLOSED,      /* by the server, in order */
    SESSION_SHOWN,       /* the lines asked for were shown */
    SESSION_LEFT,        /* by session_leave */
    SESSION_UNREACHABLE, /* no connection could be made */
    SESSION_TIMED_OUT,
    SESSION_RESET,
    SESSION_BROKEN, /* another failure: output, input, memory */
};

struct session_options {
    struct target target;
    struct connect_options connect;
    int input_fd; /* what goes to the server; -1: nothing but session_send's */
    bool reconnects;
};

/* What its owner is asked and told; always from the loop. None may be NULL. */
struct session_events {
    /* Whether a piece (CONN_READ_MAX) could be shown now; else the server has to wait until
     * session_on_output. */
    bool (*has_room)(void *owner);
    /* N bytes came, borrowed. Returns 0; 1: it was the last to be shown; -1 with errno: it could
     * not be shown. */
    int (*on_data)(void *owner, const char *bytes, size_t n);
    /* A connection has ended, with more to come or not: a line that has begun is all there is. */
    void (*on_break)(void *owner);
    /* The state has changed, or what it is waiting for, see session_describe. */
    void (*on_state)(void *owner);
    /* 0 when everything handed over is shown, EAGAIN while it is not, or errno: showing failed. */
    int (*is_settled)(void *owner);
    /* An end that is not the last, as WHY, which says when the next try comes. */
    void (*on_retry)(void *owner, const char *why);
    /* The end: everything received was shown, or could not be. WHY is for a person, borrowed. */
    void (*on_end)(void *owner, enum session_end end, const char *why);
};

struct session;

/* Starts. OPTIONS are copied. Returns NULL with errno. */
struct session *session_new(struct loop *loop, const struct session_options *options,
                            const struct session_events *events, void *owner);

/* Tells that has_room or is_settled may say something new. */
void session_on_output(struct session *session);

/* Sends N bytes. Returns 0, or -1 with nothing sent: ENOTCONN while it is not open, EPIPE after
 * session_end_input and where the connection takes no more, ENOBUFS when the server has not taken
 * what was sent before, or as send(2). One that is held finds its end only so. */
int session_send(struct session *session, const char *bytes, size_t n);

/* Sends no more: half-closes when all is sent. */
void session_end_input(struct session *session);

/* Reads nothing until it is called again with false, so that the server has to wait. */
void session_hold(struct session *session, bool hold);

/* Closes, or stops trying; on_end follows with SESSION_LEFT. */
void session_leave(struct session *session);

/* Ends it at once, without on_end; the loop must make a turn before session_free. */
void session_cancel(struct session *session);

/* Frees one that is ended or cancelled. NULL is fine. */
void session_free(struct session *session);

/* ---- to be looked at ---- */

struct session_view {
    enum session_state state;
    const char *name; /* the target as it would be typed, borrowed */
    bool is_held;
    int64_t since;     /* when the connection was made, clock_now; only once there was one */
    int64_t retry_due; /* when the next try comes; only while it waits */
    uint64_t received; /* bytes over all its connections */
    uint64_t sent;
    uint64_t reads; /* calls of on_data */
    size_t queued;  /* to be sent */
};
void session_look(const struct session *session, struct session_view *view);

/* The state in a word: "connecting", "open" ... */
const char *session_state_name(enum session_state state);

/* Writes what it is doing, for a person: "looking up time.example", "trying again in 2.1 s:
 * localhost:7: cannot connect: Connection refused"; "" while it is open. */
void session_describe(const struct session *session, char *text, size_t size);

/* Returns how many bytes wait in the kernel to be read: FIONREAD, tcp(7). 0 where it is not open.
 */
size_t session_unread(const struct session *session);

#endif
