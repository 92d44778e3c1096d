/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/session.h"
#include "net/conn.h"

enum {
    SESSION_QUEUE = 256 * 1024, /* bytes typed or piped in that the server has not taken */
    SESSION_CHUNK = 16 * 1024   /* read from the input at once */
};

/* Exponential back-off with full jitter: the time is anything between 0 and the limit, so that many
 * clients of a server that comes back do not all come back together. */
#define SESSION_RETRY_FIRST (CLOCK_SECOND / 2)
#define SESSION_RETRY_MOST  (30 * CLOCK_SECOND)

/* How long a server that has finished sending may take to receive what is still queued. */
#define SESSION_LINGER (5 * CLOCK_SECOND)

enum session_state {
    SESSION_STATE_CONNECTING,
    SESSION_STATE_OPEN,
    SESSION_STATE_ENDING,  /* the server has finished; what is queued is still sent */
    SESSION_STATE_WAITING, /* to try again */
    SESSION_STATE_ENDED    /* but for what the output has not taken yet */
};

struct session {
    struct loop *loop;
    struct plain *plain;
    struct session_options options;
    const struct session_events *events;
    void *owner;
    enum session_state state;
    char name[ADDRESS_TEXT]; /* the target, as it would be typed */
    struct connector *connector;
    struct conn conn;
    struct watch input;
    bool input_has_ended;
    struct timer timer; /* the next try, or the end of the linger */
    int64_t retry_limit;
    uint64_t lines_before; /* shown before this connection */
    bool has_told;         /* on_end was called */
    enum session_end end;
    char why[512];
};

static void session_connect(void *owner);

static void session_set_state(struct session *session, enum session_state state)
{
    session->state = state;
    timer_stop(&session->timer);
}

static bool session_has_conn(const struct session *session)
{
    bool had_one = session->state == SESSION_STATE_OPEN || session->state == SESSION_STATE_ENDING;

    return had_one && conn_is_open(&session->conn);
}

/* What the input is watched for: it is read only while there is somebody to send it to, and room.
 */
static unsigned session_input_want(const struct session *session)
{
    bool wanted = session->state == SESSION_STATE_OPEN && !session->input_has_ended &&
                  session->conn.output == CONN_OUTPUT_OPEN &&
                  conn_room(&session->conn) >= SESSION_CHUNK;

    return wanted ? POLLER_IN : 0;
}

static void session_update(struct session *session)
{
    if (session_has_conn(session))
        conn_pause(&session->conn, plain_room(session->plain) == 0);
    watch_want(&session->input, session_input_want(session));
}

/* What could not be written outweighs any other end. */
static void session_blame_output(struct session *session)
{
    session->end = SESSION_BROKEN;
    snprintf(session->why, sizeof session->why, "standard output: %s",
             strerror(plain_error(session->plain)));
}

/* Tells the end once everything that came is on the output. */
static void session_tell_end(struct session *session)
{
    if (session->state != SESSION_STATE_ENDED || session->has_told)
        return;
    if (plain_error(session->plain))
        session_blame_output(session);
    else if (!plain_is_drained(session->plain))
        return;
    session->has_told = true;
    session->events->on_end(session->owner, session->end, session->why);
}

/* The end is told at once where there is nothing to wait for; else when the connection is closed
 * (session_on_closed), or when the output has taken everything (session_on_output). */
static void session_finish(struct session *session, enum session_end end, const char *why)
{
    bool had_conn = session_has_conn(session);

    if (session->state == SESSION_STATE_ENDED)
        return;
    session_set_state(session, SESSION_STATE_ENDED);
    session->end = end;
    snprintf(session->why, sizeof session->why, "%s: %s", session->name, why);
    connect_free(session->connector);
    session->connector = NULL;
    session_update(session);
    if (had_conn)
        conn_close(&session->conn); /* its on_closed tells */
    plain_end(session->plain);
    if (!had_conn || plain_error(session->plain))
        session_tell_end(session);
}

static int64_t session_random_below(int64_t limit)
{
    uint64_t bits;

    if (getentropy(&bits, sizeof bits) < 0)
        bits = (uint64_t)clock_now();
    return (int64_t)(bits % (uint64_t)limit);
}

static void session_wait(struct session *session, const char *why)
{
    int64_t delay = session_random_below(session->retry_limit);
    char text[600];

    session->retry_limit *= 2;
    if (session->retry_limit > SESSION_RETRY_MOST)
        session->retry_limit = SESSION_RETRY_MOST;
    session_set_state(session, SESSION_STATE_WAITING);
    session_update(session);
    if (timer_set(&session->timer, loop_now(session->loop) + delay) < 0) {
        session_finish(session, SESSION_BROKEN, strerror(errno));
        return;
    }
    snprintf(text, sizeof text, "trying again in %.1f s: %s: %s",
             (double)delay / (double)CLOCK_SECOND, session->name, why);
    plain_end(session->plain);
    plain_wake(session->plain);
    plain_status(session->plain, text);
    session->events->on_retry(session->owner, text);
}

static void session_fail(struct session *session, enum session_end end, const char *why)
{
    if (session->options.reconnects && end != SESSION_BROKEN)
        session_wait(session, why);
    else
        session_finish(session, end, why);
}

/* ---- what the connection tells ---- */

static void session_finish_shown(struct session *session)
{
    unsigned long long lines = plain_lines(session->plain);
    char why[64];

    snprintf(why, sizeof why, "%llu line%s shown", lines, lines == 1 ? "" : "s");
    session_finish(session, SESSION_SHOWN, why);
}

static void session_on_data(void *owner, const char *bytes, size_t n)
{
    struct session *session = owner;
    int result;

    if (session->state == SESSION_STATE_ENDED)
        return;
    session->retry_limit = SESSION_RETRY_FIRST;
    result = plain_show(session->plain, bytes, n);
    if (result < 0)
        session_finish(session, SESSION_BROKEN, "standard output");
    else if (result > 0)
        session_finish_shown(session);
    else
        session_update(session);
}

static void session_on_linger(struct session *session)
{
    char why[128];

    snprintf(why, sizeof why, "timed out after %d s while sending the last %zu bytes",
             (int)(SESSION_LINGER / CLOCK_SECOND), session->conn.queue.length);
    session_finish(session, SESSION_TIMED_OUT, why);
}

static void session_on_server_end(void *owner)
{
    struct session *session = owner;

    if (session->state != SESSION_STATE_OPEN)
        return;
    session_set_state(session, SESSION_STATE_ENDING);
    session_update(session);
    if (timer_set(&session->timer, loop_now(session->loop) + SESSION_LINGER) < 0)
        session_finish(session, SESSION_BROKEN, strerror(errno));
    else
        conn_finish(&session->conn);
}

static void session_on_drained(void *owner)
{
    session_update(owner);
}

static enum session_end session_end_of(int error)
{
    switch (error) {
    case 0:
        return SESSION_CLOSED;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return SESSION_RESET;
    case ETIMEDOUT:
        return SESSION_TIMED_OUT;
    default:
        return SESSION_BROKEN;
    }
}

static const char *session_name_end(int error)
{
    switch (session_end_of(error)) {
    case SESSION_CLOSED:
        return "closed by the server";
    case SESSION_RESET:
        return "connection reset by the server";
    default:
        return strerror(error);
    }
}

static void session_on_closed(void *owner, int error)
{
    struct session *session = owner;
    unsigned long long lines = plain_lines(session->plain) - session->lines_before;
    char why[256];

    if (session->state == SESSION_STATE_ENDED) {
        session_tell_end(session);
        return;
    }
    snprintf(why, sizeof why, "%s after %llu line%s, %llu bytes", session_name_end(error), lines,
             lines == 1 ? "" : "s", (unsigned long long)session->conn.received);
    session_fail(session, session_end_of(error), why);
}

static const struct conn_events session_conn_events = {
    .on_data = session_on_data,
    .on_end = session_on_server_end,
    .on_drained = session_on_drained,
    .on_closed = session_on_closed,
};

/* ---- what the input tells ---- */

static void session_end_input(struct session *session)
{
    session->input_has_ended = true;
    if (session->state == SESSION_STATE_OPEN)
        conn_finish(&session->conn);
}

/* What could not be read must not look to the server like an end in order. */
static void session_fail_input(struct session *session, int error)
{
    char why[128];

    snprintf(why, sizeof why, "standard input: %s", strerror(error));
    session_finish(session, SESSION_BROKEN, why);
}

/* EBADF says that it is not open for reading, as nohup(1) leaves it: there is nothing to send. */
static void session_on_input(void *owner, unsigned ready)
{
    struct session *session = owner;
    char bytes[SESSION_CHUNK];
    ssize_t n = 0;

    if (!(ready & POLLER_INVALID))
        n = read(session->input.fd, bytes, sizeof bytes);
    if (n > 0)
        conn_write(&session->conn, bytes, (size_t)n); /* session_input_want saw to the room */
    else if (n == 0 || errno == EBADF)
        session_end_input(session);
    else if (errno != EAGAIN && errno != EINTR)
        session_fail_input(session, errno);
    session_update(session);
}

/* ---- connecting ---- */

static void session_on_connected(struct session *session, int fd)
{
    char why[128];

    session->lines_before = plain_lines(session->plain);
    if (conn_start(&session->conn, session->loop, fd, SESSION_QUEUE, &session_conn_events,
                   session) < 0) {
        int error = errno;

        poller_explain(loop_poller(session->loop), fd, error, why, sizeof why);
        session_finish(session, SESSION_BROKEN, why);
        return;
    }
    session_set_state(session, SESSION_STATE_OPEN);
    plain_status(session->plain, NULL);
    if (session->options.input_fd >= 0 && session->input_has_ended)
        conn_finish(&session->conn);
    session_update(session);
}

/* A server that resets at once is one that was reached. */
static enum session_end session_end_of_outcome(const struct connect_outcome *outcome)
{
    if (outcome->result == CONNECT_TIMEOUT)
        return SESSION_TIMED_OUT;
    return outcome->error == ECONNRESET ? SESSION_RESET : SESSION_UNREACHABLE;
}

static void session_on_connect(void *owner, const struct connect_outcome *outcome)
{
    struct session *session = owner;
    enum session_end end;
    char why[300];

    session->connector = NULL;
    if (outcome->result == CONNECT_DONE) {
        session_on_connected(session, outcome->fd);
        return;
    }
    end = session_end_of_outcome(outcome);
    if (end == SESSION_RESET)
        snprintf(why, sizeof why, "connection reset by the server at once");
    else
        snprintf(why, sizeof why, "%s%s", end == SESSION_UNREACHABLE ? "cannot connect: " : "",
                 outcome->why);
    session_fail(session, end, why);
}

static void session_on_progress(void *owner)
{
    struct session *session = owner;
    char text[256];

    connect_describe(session->connector, text, sizeof text);
    plain_status(session->plain, text);
}

static void session_connect(void *owner)
{
    struct session *session = owner;

    session_set_state(session, SESSION_STATE_CONNECTING);
    session->connector = connect_new(session->loop, &session->options.target,
                                     &session->options.connect, session_on_connect, session);
    if (session->connector)
        session_on_progress(session);
    else
        session_finish(session, SESSION_BROKEN, strerror(errno));
}

static void session_on_timer(void *owner)
{
    struct session *session = owner;

    if (session->state == SESSION_STATE_ENDING)
        session_on_linger(session);
    else
        session_connect(session);
}

/* ---- the outside ---- */

void session_on_output(struct session *session)
{
    if (plain_error(session->plain))
        session_finish(session, SESSION_BROKEN, "standard output");
    session_update(session);
    if (!session_has_conn(session))
        session_tell_end(session);
}

struct session *session_new(struct loop *loop, struct plain *plain,
                            const struct session_options *options,
                            const struct session_events *events, void *owner)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->loop = loop;
    session->plain = plain;
    session->options = *options;
    session->options.connect.on_progress = session_on_progress;
    session->events = events;
    session->owner = owner;
    session->retry_limit = SESSION_RETRY_FIRST;
    target_format(&options->target, session->name);
    timer_init(&session->timer, loop, session_on_timer, session);
    watch_init(&session->input, session_on_input, session);
    if (options->input_fd >= 0 && watch_start(&session->input, loop, options->input_fd, 0) < 0) {
        free(session);
        return NULL;
    }
    /* From a timer, so that nothing is told before the caller has its session. */
    if (timer_set(&session->timer, loop_now(loop)) < 0) {
        session_free(session);
        return NULL;
    }
    return session;
}

void session_cancel(struct session *session)
{
    bool had_conn = session_has_conn(session);

    session_set_state(session, SESSION_STATE_ENDED);
    session->has_told = true;
    connect_free(session->connector);
    session->connector = NULL;
    if (had_conn)
        conn_close(&session->conn);
}

void session_free(struct session *session)
{
    if (!session)
        return;
    timer_stop(&session->timer);
    watch_stop(&session->input);
    free(session);
}
