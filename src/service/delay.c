/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The delay service: the time of day as a line, at once, and then at the client's own connect time
 * plus 1, 2, 3 ... intervals.
 *
 * All intervals are equal, so no heap is needed: who has just had a tick is due after everybody who
 * had one before, and who has just come is due after everybody who came before. That makes two
 * queues, each in order of due time, and one timer for the earlier of their heads. (It takes two:
 * a tick that is late is counted from when it was due, and so may be due before a newcomer.)
 *
 * A client that has not taken its last line skips a tick, and its schedule stays what it was.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include "service/server.h"

/* How many are served in one turn: the descriptors get theirs in between. */
enum { DELAY_BATCH = 1000 };

enum { DELAY_QUEUE = 128, DELAY_TEXT = 64 };

struct delay {
    struct server *server;
    struct loop_link regulars; /* who had a tick, in order of due */
    struct loop_link newcomers;
    struct timer timer;    /* for the earlier of the two heads */
    time_t second;         /* whose text this is */
    char text[DELAY_TEXT]; /* shared by all who are due in it */
    size_t length;
};

struct delay_client {
    struct client client; /* first: a service's client begins with it */
    struct loop_link link;
    int64_t due;
};

static struct delay_client *delay_next(const struct delay *delay)
{
    struct delay_client *regular = list_first(&delay->regulars);
    struct delay_client *newcomer = list_first(&delay->newcomers);

    if (!regular || !newcomer)
        return regular ? regular : newcomer;
    return regular->due <= newcomer->due ? regular : newcomer;
}

static void delay_arm(struct delay *delay)
{
    const struct delay_client *next = delay_next(delay);

    if (next && timer_set(&delay->timer, next->due) < 0)
        server_fail(delay->server, ENOMEM);
}

/* What asctime(3) writes, which is the same in every locale, also for a year of five digits, which
 * asctime(3) has no room for. */
static void delay_format(struct delay *delay)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t second = clock_wall().tv_sec;
    struct tm at = {.tm_mday = 1};
    struct text text;

    if (delay->length > 0 && second == delay->second)
        return;
    localtime_r(&second, &at);
    text_init(&text, delay->text, sizeof delay->text);
    text_add(&text, "%s %s%3d %02d:%02d:%02d %d\n", days[at.tm_wday], months[at.tm_mon], at.tm_mday,
             at.tm_hour, at.tm_min, at.tm_sec, 1900 + at.tm_year);
    delay->length = text.length;
    delay->second = second;
}

static void delay_send(struct delay *delay, struct delay_client *client)
{
    struct server_stats *stats = server_stats(delay->server);
    struct conn *conn = &client->client.conn;

    if (!buf_is_empty(&conn->queue)) {
        stats->lines_skipped++;
        return;
    }
    conn_write(conn, delay->text, delay->length);
    stats->lines_sent++;
}

/* Where the next tick is due as well -- the program was stopped, say -- the newest one wins. */
static void delay_tick(struct delay *delay, struct delay_client *client, int64_t now)
{
    client->due += server_interval(delay->server);
    list_remove(&client->link);
    list_append(&delay->regulars, &client->link);
    if (client->due <= now)
        server_stats(delay->server)->lines_skipped++;
    else if (conn_is_open(&client->client.conn))
        delay_send(delay, client);
}

static void delay_on_due(void *owner)
{
    struct delay *delay = owner;
    int64_t now = loop_now(server_loop(delay->server));
    struct delay_client *client;

    delay_format(delay);
    for (int i = 0; i < DELAY_BATCH && (client = delay_next(delay)) && client->due <= now; i++)
        delay_tick(delay, client, now);
    delay_arm(delay);
}

static void *delay_open(struct server *server)
{
    struct delay *delay = calloc(1, sizeof *delay);

    if (!delay)
        return NULL;
    delay->server = server;
    list_init(&delay->regulars, NULL);
    list_init(&delay->newcomers, NULL);
    timer_init(&delay->timer, server_loop(server), delay_on_due, delay);
    tzset();
    return delay;
}

static void delay_close(void *shared)
{
    struct delay *delay = shared;

    timer_stop(&delay->timer);
    free(delay);
}

/* The clock is read anew: the turn's time may be from before this client connected, which is let in
 * together with others. */
static void delay_join(struct client *client)
{
    struct delay *delay = client->shared;
    struct delay_client *member = (struct delay_client *)client;

    member->due = clock_now() + server_interval(delay->server);
    list_init(&member->link, member);
    list_append(&delay->newcomers, &member->link);
    delay_format(delay);
    delay_send(delay, member);
    delay_arm(delay);
}

static void delay_leave(struct client *client)
{
    list_remove(&((struct delay_client *)client)->link);
}

/* What a client sends is read and forgotten, so that its RST or end is seen behind it. There is no
 * on_end: who is half-closed (nc -N, any pipe into a client) goes on reading. */
static void delay_on_data(struct client *client, const char *bytes, size_t n)
{
    (void)client;
    (void)bytes;
    (void)n;
}

const struct service service_delay = {
    .name = "delay",
    .port = 51423,
    .summary = "sends the time of day at once, and then at every interval",
    .client_size = sizeof(struct delay_client),
    .queue_max = DELAY_QUEUE,
    .open = delay_open,
    .close = delay_close,
    .join = delay_join,
    .leave = delay_leave,
    .on_data = delay_on_data,
};
