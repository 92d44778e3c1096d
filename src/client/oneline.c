/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session hands on up to 64 KiB at once and cannot be told to take some of it back, while plain
 * may have room for less of it once every line has a name in front. So what one of several sends
 * first goes into a buffer of its own, which is cut into lines as plain has room; until it is
 * empty nothing more is read from that server, and the others do not notice.
 *
 * All is over when every session has told its end, and plain has written everything or has failed.
 * Each session counts as shown what plain has: a server that has gone while others flood a slow
 * terminal must not wait for a moment at which nothing is queued, for there is none.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/oneline.h"
#include "loop/signal.h"
#include "net/conn.h"
#include "net/lines.h"

enum {
    ONELINE_PIECE = 4096, /* bytes of a line that are shown at once */
    ONELINE_STATUS = 700
};

struct member {
    struct oneline *oneline;
    struct session *session;
    char label[ADDRESS_TEXT + sizeof ": "];
    struct buf pending; /* what came and is not cut into lines yet */
    struct lines lines;
    bool is_broken; /* the connection has ended: what is left of its last line is to be shown */
};

struct oneline {
    struct oneline_options options;
    struct plain plain;
    bool has_plain;
    struct member *members;
    size_t count;
    size_t told;    /* sessions that have told their end */
    uint64_t lines; /* of several: shown with their ends */
    bool is_full;   /* the lines asked for were shown */
    /* What one piece of input makes: the rest of a line that is full, and its end. */
    char text[2 * (sizeof((struct member *)NULL)->label + ONELINE_PIECE + 1)];
    size_t text_length;
    struct oneline_result result;
};

static bool oneline_has_several(const struct oneline *oneline)
{
    return oneline->count > 1;
}

/* ---- what several send, as lines ---- */

static void oneline_add(struct oneline *oneline, const char *bytes, size_t n)
{
    assert(n <= sizeof oneline->text - oneline->text_length);
    memcpy(oneline->text + oneline->text_length, bytes, n);
    oneline->text_length += n;
}

static void member_on_piece(void *owner, const char *bytes, size_t n, bool is_end)
{
    struct member *member = owner;
    struct oneline *oneline = member->oneline;

    if (oneline->is_full)
        return;
    oneline_add(oneline, member->label, strlen(member->label));
    oneline_add(oneline, bytes, n);
    oneline_add(oneline, "\n", 1);
    oneline->lines += is_end;
    oneline->is_full = is_end && oneline->lines == oneline->options.plain.line_limit;
}

static int oneline_show_text(struct oneline *oneline)
{
    size_t n = oneline->text_length;

    oneline->text_length = 0;
    return plain_show(&oneline->plain, oneline->text, n);
}

/* Shows one line of what is pending, or a piece of it. */
static int member_show_line(struct member *member)
{
    const char *bytes = buf_peek(&member->pending);
    size_t n = member->pending.length < ONELINE_PIECE ? member->pending.length : ONELINE_PIECE;
    const char *newline = memchr(bytes, '\n', n);

    if (newline)
        n = (size_t)(newline - bytes) + 1;
    if (lines_feed(&member->lines, bytes, n) < 0)
        return -1;
    buf_take(&member->pending, n);
    return oneline_show_text(member->oneline);
}

static bool oneline_has_room(const struct oneline *oneline)
{
    return plain_room(&oneline->plain) > 0 && !oneline->is_full;
}

/* Shows as much as there is room for. Returns 0, or -1 with errno. */
static int member_drain(struct member *member)
{
    struct oneline *oneline = member->oneline;

    while (!buf_is_empty(&member->pending) && oneline_has_room(oneline))
        if (member_show_line(member) < 0)
            return -1;
    if (oneline->is_full)
        buf_fini(&member->pending);
    if (!member->is_broken || !buf_is_empty(&member->pending) || !plain_room(&oneline->plain))
        return 0;
    member->is_broken = false;
    lines_flush(&member->lines);
    return oneline_show_text(oneline);
}

/* Once the lines asked for were shown nobody has anything more to do. */
static void oneline_leave_when_full(struct oneline *oneline)
{
    for (size_t i = 0; oneline->is_full && i < oneline->count; i++)
        session_leave(oneline->members[i].session);
}

/* ---- the bottom line ---- */

struct tally {
    size_t open;
    size_t ended;
    const struct session *busy; /* the first that is on its way to be open; NULL: there is none */
    enum session_state state;   /* its state, or that of all */
};

static void oneline_count(const struct oneline *oneline, struct tally *tally)
{
    struct session_view view;

    *tally = (struct tally){.state = SESSION_ENDED};
    for (size_t i = 0; i < oneline->count; i++) {
        session_look(oneline->members[i].session, &view);
        tally->open += view.state == SESSION_OPEN || view.state == SESSION_ENDING;
        tally->ended += view.state == SESSION_ENDED;
        if (tally->busy || view.state == SESSION_ENDED)
            continue;
        tally->state = view.state;
        if (view.state == SESSION_CONNECTING || view.state == SESSION_WAITING)
            tally->busy = oneline->members[i].session;
    }
}

static void oneline_show_status(struct oneline *oneline, const struct tally *tally)
{
    char text[ONELINE_STATUS] = "";
    size_t n = 0;

    if (oneline_has_several(oneline))
        n = (size_t)snprintf(text, sizeof text, "%zu of %zu connected%s", tally->open,
                             oneline->count, tally->busy ? ": " : "");
    if (tally->busy)
        session_describe(tally->busy, text + n, sizeof text - n);
    plain_wake(&oneline->plain);
    plain_word(&oneline->plain, session_state_name(tally->state));
    plain_status(&oneline->plain, text);
}

/* ---- what the sessions ask and tell ---- */

static bool member_has_room(void *owner)
{
    const struct member *member = owner;

    return plain_room(&member->oneline->plain) > 0 && buf_is_empty(&member->pending) &&
           !member->is_broken;
}

static int member_on_data(void *owner, const char *bytes, size_t n)
{
    struct member *member = owner;
    struct oneline *oneline = member->oneline;

    if (!oneline_has_several(oneline))
        return plain_show(&oneline->plain, bytes, n);
    if (buf_add(&member->pending, bytes, n) < 0 || member_drain(member) < 0)
        return -1;
    oneline_leave_when_full(oneline);
    return 0;
}

/* A failure shows in plain_error. */
static void member_on_break(void *owner)
{
    struct member *member = owner;
    struct oneline *oneline = member->oneline;

    if (!oneline_has_several(oneline)) {
        plain_end(&oneline->plain);
        return;
    }
    member->is_broken = true;
    member_drain(member);
    oneline_leave_when_full(oneline);
}

static void member_on_state(void *owner)
{
    struct member *member = owner;
    struct oneline *oneline = member->oneline;
    struct tally tally;

    oneline_count(oneline, &tally);
    if (tally.ended == oneline->count)
        plain_end(&oneline->plain);
    else
        oneline_show_status(oneline, &tally);
}

static int member_is_settled(void *owner)
{
    const struct member *member = owner;
    int error = plain_error(&member->oneline->plain);

    if (error != 0)
        return error;
    return buf_is_empty(&member->pending) && !member->is_broken ? 0 : EAGAIN;
}

static void member_on_retry(void *owner, const char *why)
{
    const struct member *member = owner;
    const struct oneline_options *options = &member->oneline->options;

    if (options->plain.mode != PLAIN_MOTION)
        options->on_say(options->owner, why);
}

static bool oneline_is_in_order(enum session_end end)
{
    return end == SESSION_CLOSED || end == SESSION_SHOWN || end == SESSION_LEFT;
}

static void oneline_check_over(struct oneline *oneline)
{
    if (oneline->told < oneline->count)
        return;
    if (plain_error(&oneline->plain) || plain_is_drained(&oneline->plain))
        loop_stop(oneline->options.loop);
}

static void member_on_end(void *owner, enum session_end end, const char *why)
{
    struct member *member = owner;
    struct oneline *oneline = member->oneline;
    const struct oneline_options *options = &oneline->options;

    if (oneline_is_in_order(oneline->result.end))
        oneline->result.end = oneline_is_in_order(end) ? SESSION_CLOSED : end;
    if (!oneline_has_several(oneline))
        snprintf(oneline->result.why, sizeof oneline->result.why, "%s", why);
    else if (end != SESSION_LEFT && !plain_error(&oneline->plain))
        options->on_say(options->owner, why);
    oneline->is_full |= end == SESSION_SHOWN;
    oneline->told++;
    oneline_check_over(oneline);
}

static const struct session_events member_events = {
    .has_room = member_has_room,
    .on_data = member_on_data,
    .on_break = member_on_break,
    .on_state = member_on_state,
    .is_settled = member_is_settled,
    .on_retry = member_on_retry,
    .on_end = member_on_end,
};

static void oneline_on_output(void *owner)
{
    struct oneline *oneline = owner;

    for (size_t i = 0; i < oneline->count; i++)
        member_drain(&oneline->members[i]);
    oneline_leave_when_full(oneline);
    for (size_t i = 0; i < oneline->count; i++)
        session_on_output(oneline->members[i].session);
    oneline_check_over(oneline);
}

/* ---- the outside ---- */

static int member_start(struct member *member, const char *target)
{
    struct oneline *oneline = member->oneline;
    struct session_options options = oneline->options.session;
    struct session_view view;
    const char *why;

    if (target_parse(&options.target, target, oneline->options.default_port, &why) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (oneline_has_several(oneline))
        options.input_fd = -1;
    member->session = session_new(oneline->options.loop, &options, &member_events, member);
    if (!member->session)
        return -1;
    session_look(member->session, &view);
    snprintf(member->label, sizeof member->label, "%s: ", view.name);
    return 0;
}

static int oneline_start_members(struct oneline *oneline)
{
    for (size_t i = 0; i < oneline->options.target_count; i++) {
        struct member *member = &oneline->members[i];

        member->oneline = oneline;
        buf_init(&member->pending, CONN_READ_MAX);
        lines_init(&member->lines, ONELINE_PIECE, member_on_piece, member);
        if (member_start(member, oneline->options.targets[i]) < 0)
            return -1;
    }
    return 0;
}

/* The limit is plain's own only where what plain counts are the lines of the server. */
static int oneline_start_plain(struct oneline *oneline)
{
    struct plain_options options = oneline->options.plain;

    if (oneline_has_several(oneline))
        options.line_limit = 0;
    oneline->has_plain = plain_init(&oneline->plain, oneline->options.loop, oneline->options.out_fd,
                                    &options, oneline_on_output, oneline) == 0;
    return oneline->has_plain ? 0 : -1;
}

struct oneline *oneline_new(const struct oneline_options *options, const char **what)
{
    struct oneline *oneline = calloc(1, sizeof *oneline);
    int error;

    *what = "starting";
    if (!oneline)
        return NULL;
    oneline->options = *options;
    oneline->result.end = SESSION_CLOSED;
    oneline->members = calloc(options->target_count, sizeof *oneline->members);
    if (oneline->members) {
        oneline->count = options->target_count;
        if (oneline_start_plain(oneline) < 0)
            *what = "standard output";
        else if (oneline_start_members(oneline) == 0)
            return oneline;
    }
    error = errno;
    oneline_free(oneline);
    errno = error;
    return NULL;
}

static void oneline_cancel(struct oneline *oneline)
{
    for (size_t i = 0; i < oneline->count; i++) {
        session_cancel(oneline->members[i].session);
        member_on_break(&oneline->members[i]);
    }
    plain_end(&oneline->plain);
}

/* Says how it ended where that is one thing for all of them. */
static void oneline_sum_up(struct oneline *oneline)
{
    bool has_several = oneline_has_several(oneline);
    unsigned long long lines = has_several ? oneline->lines : plain_lines(&oneline->plain);
    struct oneline_result *result = &oneline->result;

    if (plain_error(&oneline->plain)) {
        result->end = SESSION_BROKEN;
        snprintf(result->why, sizeof result->why, "standard output: %s",
                 strerror(plain_error(&oneline->plain)));
    } else if (oneline->is_full) {
        snprintf(result->why, sizeof result->why, "%s%llu line%s shown",
                 has_several ? "" : oneline->members[0].label, lines, lines == 1 ? "" : "s");
    }
}

/* The loop cannot wait any longer. */
static void oneline_give_up(struct oneline *oneline, int error)
{
    struct oneline_result *result = &oneline->result;

    result->end = SESSION_BROKEN;
    snprintf(result->why, sizeof result->why, "waiting: %s", strerror(error));
    oneline_cancel(oneline);
}

void oneline_run(struct oneline *oneline, struct oneline_result *result)
{
    if (loop_run(oneline->options.loop) < 0)
        oneline_give_up(oneline, errno);
    else
        oneline_sum_up(oneline);
    /* One that came together with another end says more about it. */
    loop_signals_tell(oneline->options.loop);
    *result = oneline->result;
}

void oneline_stop(struct oneline *oneline, int signo)
{
    oneline->result.signo = signo;
    oneline_cancel(oneline);
    loop_stop(oneline->options.loop);
}

void oneline_resize(struct oneline *oneline)
{
    plain_resize(&oneline->plain);
}

void oneline_note(struct oneline *oneline, const char *line, size_t n)
{
    plain_note(&oneline->plain, line, n);
}

void oneline_free(struct oneline *oneline)
{
    if (!oneline)
        return;
    for (size_t i = 0; i < oneline->count; i++) {
        if (oneline->members[i].session)
            session_cancel(oneline->members[i].session);
        session_free(oneline->members[i].session);
        lines_fini(&oneline->members[i].lines);
        buf_fini(&oneline->members[i].pending);
    }
    if (oneline->has_plain)
        plain_fini(&oneline->plain);
    free(oneline->members);
    free(oneline);
}
