/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that happens -- an answer, a failure, a timer -- ends in connector_step, which begins
 * attempts as long as no delay forbids it, and sees when nothing is left to hope for.
 *
 * The kernel's surprises, connect(2) and tcp(7): how a non-blocking connect ended is in SO_ERROR,
 * whatever the event was called. Asking for SO_ERROR clears it, so where data came before a RST it
 * is left for the reader of that data. A connect to a free port of this very machine can meet
 * itself: the kernel picked that port for our end too. And a unix socket whose backlog is full says
 * EAGAIN, and gives no event when that changes.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/connect.h"
#include "net/resolve.h"

#define CONNECT_RESOLUTION_DELAY (50 * CLOCK_MILLISECOND)
#define CONNECT_ATTEMPT_DELAY    (250 * CLOCK_MILLISECOND)
#define CONNECT_BACKLOG_DELAY    (20 * CLOCK_MILLISECOND)

enum {
    CONNECT_SIDE_MAX = 16, /* addresses of one family */
    CONNECT_DESCRIBED = 3, /* addresses named in a description */
};

/* The addresses of one family. */
struct side {
    int family;
    bool is_pending; /* asked for, and not answered */
    const char *why; /* there are none */
    size_t count;
    size_t used; /* the first ones, that have been tried */
    struct address addresses[CONNECT_SIDE_MAX];
};

struct attempt {
    struct connector *connector;
    struct address address;
    struct watch watch; /* started while it is under way */
    char name[sizeof "connecting to " + ADDRESS_TEXT];
};

struct connector {
    struct loop *loop;
    struct target target;
    struct connect_options options;
    connect_fn *on_done;
    void *owner;
    struct resolve *resolve;
    struct side sides[2]; /* IPv6 and IPv4; a unix path or a numeric address is in the first */
    int turn;             /* the side whose turn it is */
    struct attempt attempts[2 * CONNECT_SIDE_MAX];
    size_t begun;       /* attempts, those that are over included */
    bool had_delay;     /* the resolution delay was given, or is not due any more */
    bool is_in_delay;   /* it runs, on next */
    struct timer next;  /* set: no attempt begins before */
    struct timer limit; /* the time limit */
    int error;          /* errno of the last failure */
    struct text failures;
    char why[sizeof((struct connect_outcome *)0)->why];
};

/* ---- in words ---- */

static const char *connector_host(const struct connector *connector)
{
    return connector->target.host[0] != '\0' ? connector->target.host : "localhost";
}

static void connector_add_failure(struct connector *connector, const char *who, const char *why)
{
    text_add(&connector->failures, "%s%s: %s", connector->failures.length > 0 ? "; " : "", who,
             why);
}

static void connector_fail_address(struct connector *connector, const struct address *address,
                                   int error)
{
    char text[ADDRESS_TEXT];

    address_format(address, text);
    connector_add_failure(connector, text, strerror(error));
    connector->error = error;
}

/* What the look-ups said, for a host without any address. */
static void connector_fail_host(struct connector *connector)
{
    const char *host = connector_host(connector);
    const char *const why[2] = {connector->sides[0].why, connector->sides[1].why};

    if (why[0] && why[1] && strcmp(why[0], why[1]) != 0) {
        text_add(&connector->failures, "%s: IPv6: %s; IPv4: %s", host, why[0], why[1]);
        return;
    }
    connector_add_failure(connector, host, why[0] ? why[0] : why[1]);
}

/* Marks a text that had no room for everything. */
static void connector_end_text(struct text *text)
{
    static const char dots[] = "...";

    if (text_is_cut(text) && text->size > sizeof dots)
        memcpy(text->bytes + text->size - sizeof dots, dots, sizeof dots);
}

static size_t connector_under_way(const struct connector *connector)
{
    size_t n = 0;

    for (size_t i = 0; i < connector->begun; i++)
        n += watch_is_started(&connector->attempts[i].watch);
    return n;
}

/* Adds "A", "A and B", "A, B and C", "A, B, C and 5 more". */
static void connector_add_attempts(const struct connector *connector, struct text *text)
{
    size_t total = connector_under_way(connector);
    size_t n = 0;

    for (size_t i = 0; i < connector->begun && n < CONNECT_DESCRIBED; i++) {
        char name[ADDRESS_TEXT];

        if (!watch_is_started(&connector->attempts[i].watch))
            continue;
        address_format(&connector->attempts[i].address, name);
        n++;
        text_add(text, "%s%s", n == 1 ? "" : n == total ? " and " : ", ", name);
    }
    if (total > n)
        text_add(text, " and %zu more", total - n);
}

void connect_describe(const struct connector *connector, char *bytes, size_t size)
{
    char name[ADDRESS_TEXT];
    struct text text;

    text_init(&text, bytes, size);
    if (connector_under_way(connector) > 0) {
        text_add(&text, "connecting to ");
        connector_add_attempts(connector, &text);
    } else if (connector->sides[0].is_pending || connector->sides[1].is_pending) {
        text_add(&text, "looking up %s", connector_host(connector));
    } else {
        target_format(&connector->target, name);
        text_add(&text, "connecting to %s", name);
    }
    connector_end_text(&text);
}

/* ---- the end ---- */

/* Tells OUTCOME, with the connector freed before. */
static void connector_finish(struct connector *connector, struct connect_outcome *outcome)
{
    connect_fn *on_done = connector->on_done;
    void *owner = connector->owner;

    outcome->error = connector->error;
    memcpy(outcome->why, connector->why, sizeof outcome->why);
    connect_free(connector);
    on_done(owner, outcome);
}

static void connector_win(struct connector *connector, int fd, const struct address *address)
{
    struct connect_outcome outcome = {.result = CONNECT_DONE, .fd = fd, .address = *address};

    connector->why[0] = '\0';
    connector->error = 0;
    connector_finish(connector, &outcome);
}

static void connector_lose(struct connector *connector)
{
    struct connect_outcome outcome = {.result = CONNECT_FAILED, .fd = -1};

    if (connector->failures.length == 0)
        connector_fail_host(connector);
    connector_end_text(&connector->failures);
    connector_finish(connector, &outcome);
}

static void connector_on_limit(void *owner)
{
    struct connector *connector = owner;
    struct connect_outcome outcome = {.result = CONNECT_TIMEOUT, .fd = -1};
    double seconds = (double)connector->options.timeout_ns / (double)CLOCK_SECOND;
    char doing[sizeof connector->why];
    struct text text;

    connect_describe(connector, doing, sizeof doing);
    text_init(&text, connector->why, sizeof connector->why);
    text_add(&text, "timed out after %g s while %s", seconds, doing);
    connector_end_text(&text);
    connector->error = ETIMEDOUT;
    connector_finish(connector, &outcome);
}

/* ---- one attempt ---- */

static bool socket_met_itself(int fd)
{
    struct address own;
    struct address peer;

    if (address_of_socket(&own, fd, false) < 0 || address_of_socket(&peer, fd, true) < 0)
        return false;
    return own.sock.any.sa_family != AF_UNIX && own.length == peer.length &&
           memcmp(&own.sock, &peer.sock, own.length) == 0;
}

/* Closes with a RST: otherwise TIME-WAIT would keep the port from the server that we looked for. */
static void socket_abort(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/* Returns 0 where FD is connected, or was and has left something to be read; else the errno that
 * tells why not. A socket without a peer has come to its end, so what is asked after that is asked
 * of a thing that stands still. */
static int socket_result(int fd)
{
    struct address peer;
    int error = 0;
    int unread = 0;
    socklen_t length = sizeof error;

    if (address_of_socket(&peer, fd, true) == 0)
        return 0;
    if (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return errno;
    return error == 0 ? ENOTCONN : error;
}

/* Returns 0 where FD is connected, EINPROGRESS where it will be seen, else what went wrong. */
static int socket_connect(int fd, const struct address *address)
{
    if (connect(fd, &address->sock.any, address->length) == 0)
        return 0;
    return errno == EINTR ? EINPROGRESS : errno; /* an interrupted connect goes on by itself */
}

static void connector_step(struct connector *connector);

/* The attempt on FD has connected, or failed with ERROR. Returns whether the connector is gone. */
static bool attempt_end(struct attempt *attempt, int fd, int error)
{
    struct connector *connector = attempt->connector;

    watch_stop(&attempt->watch);
    if (error == 0 && !socket_met_itself(fd)) {
        connector_win(connector, fd, &attempt->address);
        return true;
    }
    if (error == 0)
        socket_abort(fd);
    else
        close(fd);
    connector_fail_address(connector, &attempt->address, error == 0 ? ECONNREFUSED : error);
    timer_stop(&connector->next);
    return false;
}

static void attempt_on_ready(void *owner, unsigned ready)
{
    struct attempt *attempt = owner;
    struct connector *connector = attempt->connector;
    int fd = attempt->watch.fd;
    int error = ready & POLLER_INVALID ? attempt->watch.error : socket_result(fd);

    if (!attempt_end(attempt, fd, error))
        connector_step(connector);
}

/* A unix socket whose backlog is full: the same address again, a little later. Returns whether that
 * is so and can be done. */
static bool connector_try_later(struct connector *connector, struct side *side, int error)
{
    if (error != EAGAIN || side->family != AF_UNIX ||
        timer_set(&connector->next, loop_now(connector->loop) + CONNECT_BACKLOG_DELAY) < 0)
        return false;
    side->used--;
    connector->begun--;
    return true;
}

static void attempt_init(struct attempt *attempt, struct connector *connector,
                         const struct address *address)
{
    char where[ADDRESS_TEXT];

    attempt->connector = connector;
    attempt->address = *address;
    address_format(address, where);
    snprintf(attempt->name, sizeof attempt->name, "connecting to %s", where);
    watch_init(&attempt->watch, attempt_on_ready, attempt);
    watch_name(&attempt->watch, attempt->name);
}

/* Begins an attempt at the next address of SIDE. Returns whether the connector is gone. Where the
 * timer cannot be set the next attempt begins at once, which is rude but no failure. */
static bool connector_begin(struct connector *connector, struct side *side)
{
    struct attempt *attempt = &connector->attempts[connector->begun++];
    int error;
    int fd;

    attempt_init(attempt, connector, &side->addresses[side->used++]);
    fd = address_open(&attempt->address);
    if (fd < 0) {
        connector_fail_address(connector, &attempt->address, errno);
        return false;
    }
    error = socket_connect(fd, &attempt->address);
    if (error == EINPROGRESS)
        error = watch_start(&attempt->watch, connector->loop, fd, POLLER_OUT) < 0 ? errno : -1;
    if (error == -1)
        timer_set(&connector->next, loop_now(connector->loop) + CONNECT_ATTEMPT_DELAY);
    else if (connector_try_later(connector, side, error))
        close(fd);
    else
        return attempt_end(attempt, fd, error);
    return false;
}

/* ---- which, and when ---- */

/* The families take turns, as long as both have addresses left. */
static struct side *connector_side(struct connector *connector)
{
    for (int i = 0; i < 2; i++) {
        int which = (connector->turn + i) % 2;
        struct side *side = &connector->sides[which];

        if (side->used < side->count) {
            connector->turn = 1 - which;
            return side;
        }
    }
    return NULL;
}

/* IPv4 answered first: IPv6 is given a moment, once. */
static bool connector_has_to_wait(struct connector *connector)
{
    if (connector->had_delay)
        return false;
    connector->had_delay = true;
    if (!connector->sides[0].is_pending)
        return false;
    connector->is_in_delay =
        timer_set(&connector->next, loop_now(connector->loop) + CONNECT_RESOLUTION_DELAY) == 0;
    return connector->is_in_delay;
}

static void connector_step(struct connector *connector)
{
    struct side *side = NULL;

    while (!timer_is_set(&connector->next)) {
        side = connector_side(connector);
        if (!side)
            break;
        if (side != &connector->sides[0] && connector_has_to_wait(connector)) {
            connector->turn = 0;
            return;
        }
        connector->had_delay = true;
        if (connector_begin(connector, side))
            return;
    }
    if (!side && !timer_is_set(&connector->next) && connector_under_way(connector) == 0 &&
        !connector->sides[0].is_pending && !connector->sides[1].is_pending)
        connector_lose(connector);
    else if (connector->options.on_progress)
        connector->options.on_progress(connector->owner);
}

static void connector_on_next(void *owner)
{
    struct connector *connector = owner;

    connector->is_in_delay = false;
    connector_step(connector);
}

static void connector_on_answer(void *owner, int family, const struct address *addresses,
                                size_t count, const char *why)
{
    struct connector *connector = owner;
    struct side *side = &connector->sides[family == AF_INET6 ? 0 : 1];

    side->is_pending = false;
    side->why = why;
    for (size_t i = 0; i < count && side->count < CONNECT_SIDE_MAX; i++)
        side->addresses[side->count++] = addresses[i];
    if (connector->is_in_delay) {
        connector->is_in_delay = false;
        timer_stop(&connector->next);
    }
    connector_step(connector);
}

/* ---- the beginning ---- */

/* A place that needs no look-up is the only address. */
static int connector_look_up(struct connector *connector)
{
    const struct target *target = &connector->target;
    int family = connector->options.family;
    struct side *side = &connector->sides[0];

    if (address_from_target(&side->addresses[0], target, family) == 0) {
        side->family = side->addresses[0].sock.any.sa_family;
        side->count = 1;
        return 0;
    }
    if (errno == EAFNOSUPPORT) {
        connector_add_failure(connector, target->host,
                              family == AF_INET ? "not an IPv4 address" : "not an IPv6 address");
        connector->error = EAFNOSUPPORT;
        return 0;
    }
    side->is_pending = family != AF_INET;
    connector->sides[1].is_pending = family != AF_INET6;
    connector->resolve =
        resolve_new(connector->loop, target->host, target->port, family,
                    connector->options.name_server, connector_on_answer, connector);
    return connector->resolve ? 0 : -1;
}

/* The first step is made by the loop, so that on_done is never called from within connect_new, and
 * is long due, since the blocking poller would not wait for a timer. For the limit the clock is
 * read anew, since the loop may not have turned for a while. */
static int connector_start(struct connector *connector)
{
    if (connector->options.timeout_ns > 0 &&
        timer_set(&connector->limit, clock_now() + connector->options.timeout_ns) < 0)
        return -1;
    if (connector_look_up(connector) < 0)
        return -1;
    return timer_set(&connector->next, 0);
}

struct connector *connect_new(struct loop *loop, const struct target *target,
                              const struct connect_options *options, connect_fn *on_done,
                              void *owner)
{
    struct connector *connector = calloc(1, sizeof *connector);

    if (!connector)
        return NULL;
    connector->loop = loop;
    connector->target = *target;
    connector->options = *options;
    connector->on_done = on_done;
    connector->owner = owner;
    text_init(&connector->failures, connector->why, sizeof connector->why);
    timer_init(&connector->next, loop, connector_on_next, connector);
    timer_init(&connector->limit, loop, connector_on_limit, connector);
    if (connector_start(connector) == 0)
        return connector;
    connect_free(connector);
    return NULL;
}

/* Attempts under way are closed at once: their watches are out of the batch, so that the numbers of
 * their descriptors may be used again in it. */
void connect_free(struct connector *connector)
{
    int error = errno;

    if (!connector)
        return;
    for (size_t i = 0; i < connector->begun; i++) {
        struct watch *watch = &connector->attempts[i].watch;

        if (watch_is_started(watch)) {
            watch_stop(watch);
            close(watch->fd);
        }
    }
    resolve_free(connector->resolve);
    timer_stop(&connector->next);
    timer_stop(&connector->limit);
    free(connector);
    errno = error;
}
