/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The print service: writes what each client sends to standard output, made safe for a terminal.
 *
 * It goes out in whole lines, so that those of several clients do not mix; a line that is longer
 * than PRINT_LINE is cut into pieces that end in a backslash. Nothing is dropped: where standard
 * output has no room, what was read waits in the client's rest, and the client is not read from.
 *
 * Making bytes fit for a terminal is work, and many clients that flood would keep the whole server
 * at it for seconds. So all of them together have a share of each turn, and who comes too late in
 * it waits in the same way.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/sanitize.h"
#include "net/lines.h"
#include "service/server.h"

enum { PRINT_LINE = 4096, PRINT_SLICE = 1024, PRINT_QUEUE = 512, PRINT_SHARE = CONN_READ_MAX };

/* What a slice, and the piece of a line that waits before it, can become: every byte grows, every
 * byte may be a newline, and each piece may get a backslash and a newline. */
enum { PRINT_SHOWN = SANITIZE_GROWTH * (PRINT_LINE + PRINT_SLICE + 64) + 2 * PRINT_SLICE };

struct print {
    struct server *server;
    struct loop_link waiting; /* clients whose rest waits for room, or for the next turn */
    struct timer turn;        /* set while the share is used up */
    size_t share;             /* bytes that may still be printed in this turn */
    size_t length;
    char shown[PRINT_SHOWN];
};

struct print_client {
    struct client client;  /* first: a service's client begins with it */
    struct loop_link link; /* in waiting */
    struct lines lines;
    struct sanitize sanitize;
    struct buf rest; /* read, and not printed yet */
    bool is_ended;   /* it will send no more */
    bool is_flushed; /* what comes out now is the last line */
};

static void print_add(struct print *print, const char *text)
{
    size_t length = strlen(text);

    memcpy(print->shown + print->length, text, length);
    print->length += length;
}

static void print_end_line(struct print *print, struct print_client *client)
{
    print->length += sanitize_end(&client->sanitize, print->shown + print->length);
    print_add(print, "\n");
    server_stats(print->server)->lines_printed++;
}

/* A line's end may be CR LF, as telnet sends it. A piece that is no end leaves the sanitizer as it
 * is: a character may go on in the next one. */
static void print_piece(void *owner, const char *bytes, size_t n, bool is_end)
{
    struct print_client *client = owner;
    struct print *print = client->client.shared;

    if (is_end && n > 0 && bytes[n - 1] == '\r')
        n--;
    print->length += sanitize_bytes(&client->sanitize, bytes, n, print->shown + print->length);
    if (is_end || client->is_flushed)
        print_end_line(print, client);
    else
        print_add(print, "\\\n");
}

static bool print_has_room(const struct print *print)
{
    return server_print_room(print->server) >= PRINT_SHOWN;
}

static bool print_may_go_on(const struct print *print)
{
    return print->share > 0 && print_has_room(print);
}

static void print_out(struct print *print)
{
    server_print(print->server, print->shown, print->length);
    print->length = 0;
}

static void print_use_share(struct print *print, size_t n)
{
    print->share -= n < print->share ? n : print->share;
    if (print->share == 0 && timer_set(&print->turn, loop_now(server_loop(print->server))) < 0)
        server_fail(print->server, ENOMEM);
}

/* Prints as much of N bytes as it may. Returns how many. */
static size_t print_some(struct print_client *client, const char *bytes, size_t n)
{
    struct print *print = client->client.shared;
    size_t taken = 0;

    while (taken < n && print_may_go_on(print)) {
        size_t slice = n - taken < PRINT_SLICE ? n - taken : PRINT_SLICE;

        if (lines_feed(&client->lines, bytes + taken, slice) < 0)
            conn_close(&client->client.conn);
        print_out(print);
        print_use_share(print, slice);
        taken += slice;
    }
    return taken;
}

/* Prints the last line, which had no end. */
static void print_flush(struct print_client *client)
{
    struct print *print = client->client.shared;

    client->is_flushed = true;
    lines_flush(&client->lines);
    if (client->sanitize.pending_length > 0)
        print_end_line(print, client);
    print_out(print);
}

/* Goes on where it had to stop. Returns whether the client waits no longer. */
static bool print_go_on(struct print_client *client)
{
    struct print *print = client->client.shared;

    buf_take(&client->rest, print_some(client, buf_peek(&client->rest), client->rest.length));
    if (!buf_is_empty(&client->rest) || !print_may_go_on(print))
        return false;
    if (client->is_ended) {
        print_flush(client);
        conn_finish(&client->client.conn);
    }
    conn_pause(&client->client.conn, false);
    return true;
}

/* One after the other, and who has not done goes to the end: all get their part of the room. */
static void print_on_room(void *shared)
{
    struct print *print = shared;
    struct print_client *client;

    while (print_may_go_on(print) && (client = list_take_first(&print->waiting)))
        if (!print_go_on(client))
            list_append(&print->waiting, &client->link);
}

static void print_on_turn(void *owner)
{
    struct print *print = owner;

    print->share = PRINT_SHARE;
    print_on_room(print);
}

static void *print_open(struct server *server)
{
    struct print *print = calloc(1, sizeof *print);

    if (!print)
        return NULL;
    print->server = server;
    print->share = PRINT_SHARE;
    list_init(&print->waiting, NULL);
    timer_init(&print->turn, server_loop(server), print_on_turn, print);
    return print;
}

static void print_close(void *shared)
{
    struct print *print = shared;

    timer_stop(&print->turn);
    free(print);
}

static void print_join(struct client *client)
{
    struct print_client *member = (struct print_client *)client;

    list_init(&member->link, member);
    lines_init(&member->lines, PRINT_LINE, print_piece, member);
    sanitize_init(&member->sanitize);
    buf_init(&member->rest, CONN_READ_MAX);
}

/* It cannot wait for the next turn any more. */
static void print_leave(struct client *client)
{
    struct print_client *member = (struct print_client *)client;
    struct print *print = client->shared;

    list_remove(&member->link);
    print->share += member->rest.length;
    print_some(member, buf_peek(&member->rest), member->rest.length);
    if (print_has_room(print))
        print_flush(member);
    lines_fini(&member->lines);
    buf_fini(&member->rest);
}

static void print_wait(struct print_client *client)
{
    struct print *print = client->client.shared;

    conn_pause(&client->client.conn, true);
    list_remove(&client->link);
    list_append(&print->waiting, &client->link);
}

static void print_on_data(struct client *client, const char *bytes, size_t n)
{
    struct print_client *member = (struct print_client *)client;
    size_t taken = print_some(member, bytes, n);

    if (taken == n)
        return;
    if (buf_add(&member->rest, bytes + taken, n - taken) < 0)
        conn_close(&client->conn);
    else
        print_wait(member);
}

static void print_on_end(struct client *client)
{
    struct print_client *member = (struct print_client *)client;

    member->is_ended = true;
    print_wait(member);
    print_on_room(client->shared);
}

const struct service service_print = {
    .name = "print",
    .port = 33445,
    .summary = "prints what each client sends, made safe for the terminal",
    .client_size = sizeof(struct print_client),
    .queue_max = PRINT_QUEUE,
    .open = print_open,
    .close = print_close,
    .join = print_join,
    .leave = print_leave,
    .on_data = print_on_data,
    .on_end = print_on_end,
    .on_room = print_on_room,
};
