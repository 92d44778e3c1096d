/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static const char *const session_state_names[] = {
    [SESSION_CONNECTING] = "connecting", [SESSION_OPEN] = "open",   [SESSION_ENDING] = "ending",
    [SESSION_WAITING] = "waiting",       [SESSION_ENDED] = "ended",
};

struct session {
    struct loop *loop;
    struct session_options options;
    const struct session_events *events;
    void *owner;
    enum session_state state;
    char name[ADDRESS_TEXT];                  /* the target, as it would be typed */
    char title[sizeof "tcp " + ADDRESS_TEXT]; /* the same for the loop's list of watches */
    struct connector *connector;
    struct conn conn;
    bool is_held;
    struct watch input;
    bool input_has_ended;
    struct timer timer; /* the next try, the end of the linger, or the end to be told */
    int64_t retry_limit;
    int64_t since;
    uint64_t received_before; /* by the connections before this one */
    uint64_t sent_before;
    uint64_t reads;
    uint64_t lines; /* that came whole on this connection */
    bool has_told;  /* on_end was called */
    enum session_end end;
    char why[512]; /* how it ended, or why it is to try again */
};

static void session_connect(void *owner);

static void session_set_state(struct session *session, enum session_state state)
{
    session->state = state;
    timer_stop(&session->timer);
}

static bool session_has_conn(const struct session *session)
{
    bool had_one = session->state == SESSION_OPEN || session->state == SESSION_ENDING;

    return had_one && conn_is_open(&session->conn);
}

/* What the input is watched for: it is read only while there is somebody to send it to, and room.
 */
static unsigned session_input_want(const struct session *session)
{
    bool wanted = session->state == SESSION_OPEN && !session->input_has_ended &&
                  session->conn.output == CONN_OUTPUT_OPEN &&
                  conn_room(&session->conn) >= SESSION_CHUNK;

    return wanted ? POLLER_IN : 0;
}

static void session_update(struct session *session)
{
    if (session_has_conn(session))
        conn_pause(&session->conn, session->is_held || !session->events->has_room(session->owner));
    watch_want(&session->input, session_input_want(session));
}

/* Returns the errno of showing, or 0. */
static int session_output_error(const struct session *session)
{
    int error = session->events->is_settled(session->owner);

    return error == EAGAIN ? 0 : error;
}

/* Tells the end once everything that came is shown. What could not be shown outweighs any other
 * end. */
static void session_tell_end(struct session *session)
{
    int error = session->events->is_settled(session->owner);

    if (session->state != SESSION_ENDED || session->has_told || error == EAGAIN)
        return;
    if (error != 0) {
        session->end = SESSION_BROKEN;
        snprintf(session->why, sizeof session->why, "standard output: %s", strerror(error));
    }
    session->has_told = true;
    session->events->on_end(session->owner, session->end, session->why);
}

/* Ends it but for telling that. Returns whether the connection's on_closed will come, and tell. */
static bool session_close(struct session *session, enum session_end end, const char *why)
{
    bool had_conn = session_has_conn(session);

    session_set_state(session, SESSION_ENDED);
    session->end = end;
    snprintf(session->why, sizeof session->why, "%s: %s", session->name, why);
    connect_free(session->connector);
    session->connector = NULL;
    session_update(session);
    if (had_conn)
        conn_close(&session->conn);
    session->events->on_break(session->owner);
    session->events->on_state(session->owner);
    return had_conn;
}

/* The end is told at once where there is nothing to wait for; else when the connection is closed
 * (session_on_closed), or when everything is shown (session_on_output). */
static void session_finish(struct session *session, enum session_end end, const char *why)
{
    if (session->state == SESSION_ENDED)
        return;
    if (!session_close(session, end, why) || session_output_error(session))
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
    session_set_state(session, SESSION_WAITING);
    session_update(session);
    if (timer_set(&session->timer, loop_now(session->loop) + delay) < 0) {
        session_finish(session, SESSION_BROKEN, strerror(errno));
        return;
    }
    snprintf(session->why, sizeof session->why, "%s: %s", session->name, why);
    session_describe(session, text, sizeof text);
    session->events->on_break(session->owner);
    session->events->on_state(session->owner);
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

static uint64_t session_count_lines(const char *bytes, size_t n)
{
    const char *end = bytes + n;
    uint64_t count = 0;

    while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        count++;
        bytes++;
    }
    return count;
}

static void session_on_data(void *owner, const char *bytes, size_t n)
{
    struct session *session = owner;
    int result;

    if (session->state == SESSION_ENDED)
        return;
    session->retry_limit = SESSION_RETRY_FIRST;
    session->reads++;
    session->lines += session_count_lines(bytes, n);
    result = session->events->on_data(session->owner, bytes, n);
    if (result < 0)
        session_finish(session, SESSION_BROKEN, strerror(errno));
    else if (result > 0)
        session_finish(session, SESSION_SHOWN, "the lines asked for were shown");
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

    if (session->state != SESSION_OPEN)
        return;
    session_set_state(session, SESSION_ENDING);
    session_update(session);
    if (timer_set(&session->timer, loop_now(session->loop) + SESSION_LINGER) < 0) {
        session_finish(session, SESSION_BROKEN, strerror(errno));
        return;
    }
    conn_finish(&session->conn);
    session->events->on_state(session->owner);
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
    unsigned long long lines = session->lines;
    char why[256];

    if (session->state == SESSION_ENDED) {
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

/* The connection before this one goes into the sums. */
static void session_count_before(struct session *session)
{
    session->received_before += session->conn.received;
    session->sent_before += session->conn.sent;
    session->lines = 0;
}

static void session_on_connected(struct session *session, int fd)
{
    char why[128];

    session_count_before(session);
    if (conn_start(&session->conn, session->loop, fd, SESSION_QUEUE, &session_conn_events,
                   session) < 0) {
        int error = errno;

        poller_explain(loop_poller(session->loop), fd, error, why, sizeof why);
        session_finish(session, SESSION_BROKEN, why);
        return;
    }
    watch_name(&session->conn.watch, session->title);
    session->since = clock_now();
    session_set_state(session, SESSION_OPEN);
    if (session->input_has_ended)
        conn_finish(&session->conn);
    session_update(session);
    session->events->on_state(session->owner);
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

    session->events->on_state(session->owner);
}

static void session_connect(void *owner)
{
    struct session *session = owner;

    session_set_state(session, SESSION_CONNECTING);
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

    if (session->state == SESSION_ENDED)
        session_tell_end(session);
    else if (session->state == SESSION_ENDING)
        session_on_linger(session);
    else
        session_connect(session);
}

/* ---- the outside ---- */

void session_on_output(struct session *session)
{
    if (session_output_error(session))
        session_finish(session, SESSION_BROKEN, "standard output");
    session_update(session);
    if (!session_has_conn(session))
        session_tell_end(session);
}

static void session_set_names(struct session *session)
{
    target_format(&session->options.target, session->name);
    snprintf(session->title, sizeof session->title, "%s%s",
             session->options.target.is_unix ? "" : "tcp ", session->name);
}

static int session_start_input(struct session *session, int fd)
{
    watch_init(&session->input, session_on_input, session);
    if (fd < 0)
        return 0;
    if (watch_start(&session->input, session->loop, fd, 0) < 0)
        return -1;
    watch_name(&session->input, "standard input");
    return 0;
}

struct session *session_new(struct loop *loop, const struct session_options *options,
                            const struct session_events *events, void *owner)
{
    struct session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->loop = loop;
    session->options = *options;
    session->options.connect.on_progress = session_on_progress;
    session->events = events;
    session->owner = owner;
    session->retry_limit = SESSION_RETRY_FIRST;
    session_set_names(session);
    timer_init(&session->timer, loop, session_on_timer, session);
    /* From a timer, so that nothing is told before the caller has its session. */
    if (session_start_input(session, options->input_fd) < 0 ||
        timer_set(&session->timer, loop_now(loop)) < 0) {
        session_free(session);
        return NULL;
    }
    return session;
}

int session_send(struct session *session, const char *bytes, size_t n)
{
    int error = 0;

    if (session->state != SESSION_OPEN)
        error = ENOTCONN;
    else if (session->conn.output != CONN_OUTPUT_OPEN)
        error = EPIPE;
    else if (conn_room(&session->conn) < n)
        error = ENOBUFS;
    if (error != 0) {
        errno = error;
        return -1;
    }
    conn_write(&session->conn, bytes, n);
    session_update(session);
    if (session->conn.error != 0) {
        errno = session->conn.error;
        return -1;
    }
    return 0;
}

void session_end_input(struct session *session)
{
    session->input_has_ended = true;
    if (session->state == SESSION_OPEN)
        conn_finish(&session->conn);
    session_update(session);
}

void session_hold(struct session *session, bool hold)
{
    session->is_held = hold;
    session_update(session);
}

/* Where there is no connection to be closed the end is told by the timer, so that the caller is not
 * told from within its own call. */
void session_leave(struct session *session)
{
    if (session->state == SESSION_ENDED || session_close(session, SESSION_LEFT, "left"))
        return;
    if (timer_set(&session->timer, loop_now(session->loop)) < 0)
        session_tell_end(session);
}

void session_cancel(struct session *session)
{
    bool had_conn = session_has_conn(session);

    session_set_state(session, SESSION_ENDED);
    session->has_told = true;
    connect_free(session->connector);
    session->connector = NULL;
    session_update(session);
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

/* ---- to be looked at ---- */

void session_look(const struct session *session, struct session_view *view)
{
    *view = (struct session_view){
        .state = session->state,
        .name = session->name,
        .is_held = session->is_held,
        .since = session->since,
        .received = session->received_before + session->conn.received,
        .sent = session->sent_before + session->conn.sent,
        .reads = session->reads,
    };
    if (session->state == SESSION_WAITING)
        view->retry_due = timer_due(&session->timer);
    if (session_has_conn(session))
        view->queued = session->conn.queue.length;
}

const char *session_state_name(enum session_state state)
{
    return session_state_names[state];
}

/* A timer may be due for a moment before it runs. */
static double session_seconds_to_retry(const struct session *session)
{
    int64_t left = timer_due(&session->timer) - loop_now(session->loop);

    return left > 0 ? (double)left / (double)CLOCK_SECOND : 0;
}

void session_describe(const struct session *session, char *text, size_t size)
{
    *text = '\0';
    if (session->state == SESSION_CONNECTING && session->connector)
        connect_describe(session->connector, text, size);
    else if (session->state == SESSION_WAITING)
        snprintf(text, size, "trying again in %.1f s: %s", session_seconds_to_retry(session),
                 session->why);
    else if (session->state == SESSION_ENDED)
        snprintf(text, size, "%s", session->why);
}

size_t session_unread(const struct session *session)
{
    int unread;

    if (!session_has_conn(session) || ioctl(session->conn.watch.fd, FIONREAD, &unread) < 0)
        return 0;
    return (size_t)unread;
}
