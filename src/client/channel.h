/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of the full screen: a session, and what of it is to be seen.
 *
 * It cuts what comes into lines and puts them into the scrollback that all channels share; the line
 * that has begun and not ended it keeps, in bounded memory. It counts, and hands each to the log.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <time.h>

#include "client/session.h"
#include "ui/pane.h"
#include "ui/scrollback.h"

struct channel;

/* What the channels of one program have in common; the owner keeps it as long as there are any. */
struct channel_world {
    struct loop *loop;
    struct scrollback *scrollback;
    void *owner;
    /* N bytes came in one read. */
    void (*on_data)(void *owner, struct channel *channel, size_t n);
    /* A line, or a piece of one (goes_on), for the log; it is in the scrollback. Returns false when
     * it ends the last line that is wanted (--lines): what is behind it is dropped, and the
     * connection ends. */
    bool (*on_line)(void *owner, struct channel *channel, const struct scrollback_line *line);
    void (*on_state)(void *owner, struct channel *channel);
    void (*on_retry)(void *owner, struct channel *channel, const char *why);
    void (*on_end)(void *owner, struct channel *channel, enum session_end end, const char *why);
};

/* Starts to connect. NUMBER is its place in the colours and in the scrollback. NULL with errno. */
struct channel *channel_new(const struct channel_world *world, unsigned number,
                            const struct session_options *options);

/* Ends it at once; the loop must make a turn before channel_free. */
void channel_cancel(struct channel *channel);

/* Frees one that is ended or cancelled. NULL is fine. */
void channel_free(struct channel *channel);

struct session *channel_session(const struct channel *channel);
unsigned channel_number(const struct channel *channel);

/* Lines that came with their newline; when the last byte came (clock_now), 0: none has yet. */
uint64_t channel_lines(const struct channel *channel);
int64_t channel_last(const struct channel *channel);

/* Fills PARTIAL, borrowed until the loop turns, where a line has begun at least 200 ms before NOW
 * and not ended; else returns false. */
bool channel_partial(const struct channel *channel, int64_t now, struct pane_partial *partial);

/* When a line that has begun will have stood for 200 ms: clock_now. -1: there is none to wait for,
 * or it has stood so long. */
int64_t channel_partial_due(const struct channel *channel);

#endif
