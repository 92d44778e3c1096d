/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One target from the first look-up to the end: connects, shows what comes, sends what is typed,
 * and tries again where that was asked for.
 *
 *   connecting -> open -> ending -> ended
 *       |          |                  ^
 *       +--> waiting (to try again)   |      straight to ended: no retry is wanted, the lines
 *       <-------+                     |      asked for were shown, or the output failed
 */
#ifndef SESSION_H
#define SESSION_H

#include "loop/loop.h"
#include "net/connect.h"
#include "ui/plain.h"

enum session_end {
    SESSION_CLOSED,      /* by the server, in order */
    SESSION_SHOWN,       /* the lines asked for were shown */
    SESSION_UNREACHABLE, /* no connection could be made */
    SESSION_TIMED_OUT,
    SESSION_RESET,
    SESSION_BROKEN, /* another failure: output, input, memory */
};

struct session_options {
    struct target target;
    struct connect_options connect;
    int input_fd; /* what goes to the server; -1: nothing */
    bool reconnects;
};

struct session_events {
    /* An end that is not the last, as WHY, and when the next try comes. */
    void (*on_retry)(void *owner, const char *why);
    /* The end: everything received is on the output. WHY is for a person, borrowed during the call.
     */
    void (*on_end)(void *owner, enum session_end end, const char *why);
};

struct session;

/* Starts. PLAIN is borrowed, OPTIONS are copied. Returns NULL with errno. */
struct session *session_new(struct loop *loop, struct plain *plain,
                            const struct session_options *options,
                            const struct session_events *events, void *owner);

/* Tells that the output has changed: there is room again, it is drained, or it failed. */
void session_on_output(struct session *session);

/* Ends it at once, without on_end; the loop must make a turn before session_free. */
void session_cancel(struct session *session);

/* Frees one that is ended or cancelled. NULL is fine. */
void session_free(struct session *session);

#endif
