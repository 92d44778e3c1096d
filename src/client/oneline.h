/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one-line form of the program: one target or several onto one struct plain, in one loop.
 *
 * What one target sends is shown as plain shows it. What several send comes in whole lines with
 * "TARGET: " in front, so that lines never mix: the line that has begun and not ended is kept back
 * until its end, or the connection's, and one of more than 4096 bytes comes in pieces.
 */
#ifndef ONELINE_H
#define ONELINE_H

#include "client/session.h"
#include "ui/plain.h"

struct oneline_options {
    struct loop *loop;
    struct session_options session; /* for every target but its name; several have no input */
    const char *const *targets;     /* as they were typed, checked */
    size_t target_count;
    uint16_t default_port;
    int out_fd; /* stays the caller's, open until oneline_free */
    struct plain_options plain;
    /* What a person is to be told at once: the end of one of several, and, where no bottom line
     * says it, that it is tried again. */
    void (*on_say)(void *owner, const char *text);
    void *owner;
};

struct oneline;

/* Starts to connect; OPTIONS are copied, what they point at is borrowed. Takes the loop's paint
 * step. NULL with errno, and *WHAT says what failed, borrowed for ever ("standard output"). */
struct oneline *oneline_new(const struct oneline_options *options, const char **what);

struct oneline_result {
    int signo;            /* as oneline_stop was given, or 0 */
    enum session_end end; /* that of the first that did not end in order, else SESSION_CLOSED */
    char why[600];        /* ... in words; "" where on_say has said it all */
};

/* Runs until all have ended, or have shown the lines asked for, or it is stopped. */
void oneline_run(struct oneline *oneline, struct oneline_result *result);

/* Ends it because of the signal SIGNO; from the loop. */
void oneline_stop(struct oneline *oneline, int signo);

/* As plain_resize and plain_note. */
void oneline_resize(struct oneline *oneline);
void oneline_note(struct oneline *oneline, const char *line, size_t n);

/* Ends what is left of it; the loop is the caller's. NULL is fine. */
void oneline_free(struct oneline *oneline);

#endif
