/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes into lines. A line that is whole in what was read goes to the scrollback from where it
 * lies; only the beginning of one is copied, and waits for the rest.
 *
 * What is kept depends on the bytes alone and never on where the reads cut them: a line that is too
 * long is handed over in pieces as soon as it is known to be, and not when the memory is just full,
 * since the newline, or a CR and the newline, may be all that is still to come. So there is room
 * for one byte more than a line has, and what is kept is never empty while a line has begun.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/channel.h"

/* A line that comes in two reads, as most do that are cut, would flicker. */
#define CHANNEL_LINGER (200 * CLOCK_MILLISECOND)

struct channel {
    const struct channel_world *world;
    struct session *session;
    unsigned number;
    uint64_t lines;
    int64_t last;
    bool has_begun; /* a line, since BEGUN and the time of day SECOND */
    int64_t begun;
    time_t second;
    size_t length; /* of what is kept of it */
    char kept[SCROLLBACK_LINE + 1];
};

/* ---- lines ---- */

/* Hands over N bytes. Returns 0; 1: they end the last line that is wanted; -1 with errno. */
static int channel_hand_over(struct channel *channel, const char *bytes, size_t n, time_t second,
                             bool goes_on)
{
    const struct channel_world *world = channel->world;
    struct scrollback_line line = {.channel = channel->number,
                                   .goes_on = goes_on,
                                   .second = second,
                                   .bytes = bytes,
                                   .length = n};

    if (scrollback_add(world->scrollback, &line) < 0)
        return -1;
    return !world->on_line(world->owner, channel, &line) && !goes_on;
}

static int channel_hand_over_piece(struct channel *channel)
{
    size_t n = scrollback_piece(channel->kept, channel->length);
    int result = channel_hand_over(channel, channel->kept, n, channel->second, true);

    channel->length -= n;
    memmove(channel->kept, channel->kept + n, channel->length);
    return result;
}

/* Keeps N bytes of a line that is not whole yet. */
static int channel_keep(struct channel *channel, const char *bytes, size_t n)
{
    int result = 0;

    while (n > 0 && result == 0) {
        size_t room = sizeof channel->kept - channel->length;
        size_t piece = n < room ? n : room;

        memcpy(channel->kept + channel->length, bytes, piece);
        channel->length += piece;
        bytes += piece;
        n -= piece;
        if (n > 0)
            result = channel_hand_over_piece(channel);
    }
    return result;
}

/* How long a line of N bytes is without the CR that may be a part of its end. */
static size_t line_length(const char *bytes, size_t n)
{
    return n > 0 && bytes[n - 1] == '\r' ? n - 1 : n;
}

/* Hands over what is kept: all that is still to come of the line. */
static int channel_end_kept(struct channel *channel)
{
    int result = 0;

    channel->length = line_length(channel->kept, channel->length);
    if (channel->length > SCROLLBACK_LINE)
        result = channel_hand_over_piece(channel);
    if (result == 0)
        result = channel_hand_over(channel, channel->kept, channel->length, channel->second, false);
    channel->has_begun = false;
    channel->length = 0;
    return result;
}

static void channel_begin(struct channel *channel, time_t second)
{
    if (channel->has_begun)
        return;
    channel->has_begun = true;
    channel->begun = loop_now(channel->world->loop);
    channel->second = second;
}

/* Takes N bytes and the newline behind them. */
static int channel_end_line(struct channel *channel, const char *bytes, size_t n, time_t second)
{
    channel->lines++;
    if (!channel->has_begun && line_length(bytes, n) <= SCROLLBACK_LINE)
        return channel_hand_over(channel, bytes, line_length(bytes, n), second, false);
    channel_begin(channel, second);
    if (channel_keep(channel, bytes, n) < 0)
        return -1;
    return channel_end_kept(channel);
}

/* Returns as on_data of session.h. */
static int channel_take(struct channel *channel, const char *bytes, size_t n)
{
    time_t second = clock_wall().tv_sec;
    const char *end = bytes + n;
    const char *newline;
    int result = 0;

    while (result == 0 && (newline = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        result = channel_end_line(channel, bytes, (size_t)(newline - bytes), second);
        bytes = newline + 1;
    }
    if (result != 0 || bytes == end)
        return result;
    channel_begin(channel, second);
    return channel_keep(channel, bytes, (size_t)(end - bytes));
}

/* ---- what the session asks and tells ---- */

/* The scrollback forgets its oldest lines: there is always room. */
static bool channel_has_room(void *owner)
{
    (void)owner;
    return true;
}

static int channel_is_settled(void *owner)
{
    (void)owner;
    return 0;
}

static int channel_on_data(void *owner, const char *bytes, size_t n)
{
    struct channel *channel = owner;
    const struct channel_world *world = channel->world;
    int result = channel_take(channel, bytes, n);
    int error = errno;

    channel->last = loop_now(world->loop);
    world->on_data(world->owner, channel, n);
    errno = error;
    return result;
}

/* The line is lost where memory is out: there is nobody left to be told. */
static void channel_on_break(void *owner)
{
    struct channel *channel = owner;

    if (channel->has_begun)
        channel_end_kept(channel);
}

static void channel_on_state(void *owner)
{
    struct channel *channel = owner;

    channel->world->on_state(channel->world->owner, channel);
}

static void channel_on_retry(void *owner, const char *why)
{
    struct channel *channel = owner;

    channel->world->on_retry(channel->world->owner, channel, why);
}

static void channel_on_end(void *owner, enum session_end end, const char *why)
{
    struct channel *channel = owner;

    channel->world->on_end(channel->world->owner, channel, end, why);
}

static const struct session_events channel_events = {
    .has_room = channel_has_room,
    .on_data = channel_on_data,
    .on_break = channel_on_break,
    .on_state = channel_on_state,
    .is_settled = channel_is_settled,
    .on_retry = channel_on_retry,
    .on_end = channel_on_end,
};

/* ---- the outside ---- */

struct channel *channel_new(const struct channel_world *world, unsigned number,
                            const struct session_options *options)
{
    struct channel *channel = calloc(1, sizeof *channel);

    if (!channel)
        return NULL;
    channel->world = world;
    channel->number = number;
    channel->session = session_new(world->loop, options, &channel_events, channel);
    if (!channel->session) {
        int error = errno;

        free(channel);
        errno = error;
        return NULL;
    }
    return channel;
}

void channel_cancel(struct channel *channel)
{
    session_cancel(channel->session);
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    session_free(channel->session);
    free(channel);
}

struct session *channel_session(const struct channel *channel)
{
    return channel->session;
}

unsigned channel_number(const struct channel *channel)
{
    return channel->number;
}

uint64_t channel_lines(const struct channel *channel)
{
    return channel->lines;
}

int64_t channel_last(const struct channel *channel)
{
    return channel->last;
}

bool channel_partial(const struct channel *channel, int64_t now, struct pane_partial *partial)
{
    size_t n = line_length(channel->kept, channel->length);

    if (n == 0 || now < channel->begun + CHANNEL_LINGER)
        return false;
    *partial = (struct pane_partial){.channel = channel->number,
                                     .second = channel->second,
                                     .bytes = channel->kept,
                                     .length = n < SCROLLBACK_LINE ? n : SCROLLBACK_LINE};
    return true;
}

int64_t channel_partial_due(const struct channel *channel)
{
    int64_t due = channel->begun + CHANNEL_LINGER;

    return channel->has_begun && due > loop_now(channel->world->loop) ? due : -1;
}
