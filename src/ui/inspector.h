/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loop asks the kernel, what that says, and what the program does about it, as rows.
 *
 *   calls     every system call of the poller, newest last, the very text of trace/strace.h
 *   table     the descriptors: number, what it is, what is wanted, what came last, how often
 *   meters    share of time waiting, wake-ups a second, timeouts, bytes a read, ready but unread;
 *             all but the last over 5 s that end at a whole slice, or since the first call
 *   strip     the last seconds, a cell a slice of 100 ms, the newest that is over at the right:
 *             . waited all the time   - a time limit was over   | something was ready
 *             # less than half of it was spent waiting: busy, or standing still in step mode
 *             blank: before the first call
 *
 * A call can be chosen and is then explained in sentences (ui/explain.h), with what the program did
 * after it: whoever acts says so with inspector_did. While one is chosen the list stands still, and
 * newer calls are counted. A choice ends where its call is no longer kept.
 *
 * It is fed by the poller's observer all the time, at the cost of formatting nothing: a call is
 * turned into text only when it comes to be seen -- but its arguments die with the call, so while
 * the inspector is shown the text is made at once, and while it is hidden only the numbers are
 * kept. inspector_show says which.
 */
#ifndef INSPECTOR_H
#define INSPECTOR_H

#include "pollspin/loop.h"
#include "ui/ring.h"
#include "ui/row.h"
#include "ui/slices.h"

enum {
    INSPECTOR_CALLS = RING_CALLS, /* kept */
    INSPECTOR_TEXT = RING_TEXT,   /* bytes of a call's text, cut there with "..." */
    INSPECTOR_DID = RING_DID,     /* ... and of what was done after it: "...", or "; and more" */
    INSPECTOR_SLICES = SLICES     /* of the strip, 100 ms each */
};

struct inspector;

/* Makes one for LOOP, whose watches tell what the descriptors are, at each call anew: a number can
 * stand for one connection now and for another one later. NULL with ENOMEM. */
struct inspector *inspector_new(const struct loop *loop);
void inspector_free(struct inspector *inspector); /* NULL is fine */

/* A call of the poller, and its text (strace_format), NULL while that is not wanted. Without its
 * text it is listed as "poll(...) = 1". */
void inspector_call(struct inspector *inspector, const struct poller_call *call, const char *text,
                    size_t n);
bool inspector_wants_text(const struct inspector *inspector);
void inspector_show(struct inspector *inspector, bool show);

/* What the program did in consequence of the last wait: "read 25 bytes from localhost:51423". A
 * clause in the past tense without its subject; several are joined by "; ", equal ones counted.
 * Nothing is kept before the first wait. */
void inspector_did(struct inspector *inspector, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One read(2) of N bytes from a connection: for the meters. */
void inspector_read(struct inspector *inspector, size_t n);

/* Chooses: +1 the next newer call, -1 the one before; the newest when none was. Going past the
 * newest of the list, which stands still, lets go. */
void inspector_choose(struct inspector *inspector, long step);
void inspector_let_go(struct inspector *inspector);
bool inspector_has_choice(const struct inspector *inspector);

/* What it needs to know to compose. */
struct inspector_scene {
    uint64_t unread;   /* bytes that are ready in the kernel and not read */
    const char *about; /* in step mode: what the loop is about to ask, in words, or in several
                          paragraphs; else NULL */
    const char *backend;
};

/* Composes ROWS x COLUMNS, one call of PUT each row, from the top; borrowed during the call. With
 * few rows the meters stay, then the calls, then the table, then the strip; but what is to be read,
 * the explanation and what is about to be asked, takes up to two thirds of the rows below that. */
typedef void inspector_put_fn(void *owner, size_t index, const struct row *row);
void inspector_compose(const struct inspector *inspector, const struct inspector_scene *scene,
                       size_t rows, size_t columns, inspector_put_fn *put, void *owner);

/* In words, for step mode: what the loop is about to ask with TIMEOUT_NS, and what came of the last
 * wait and was done ("" before the first). Cut to SIZE; return the length as snprintf(3). A wait of
 * the loop can be many calls, with the backend busy for instance: those since the last
 * inspector_describe_next are told as one, so call it last and before each wait. */
int inspector_describe_next(struct inspector *inspector, int64_t timeout_ns, char *text,
                            size_t size);
int inspector_describe_last(const struct inspector *inspector, char *text, size_t size);

/* Totals for /stats. */
struct inspector_totals {
    uint64_t waits;
    uint64_t timeouts;
    uint64_t events;
    uint64_t registrations;
    int64_t waiting_ns;
    int64_t since; /* clock_now at the first call; 0: there was none */
};
struct inspector_totals inspector_totals(const struct inspector *inspector);

#endif
