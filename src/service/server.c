/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server has once: its loop, its output, and its end.
 *
 * The end goes in steps, each of which waits for the one before: the gates close, what is queued is
 * sent, the clients are closed, the summary is written, the output drains. None is waited for
 * longer than SERVER_GRACE_NS.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include "service/inside.h"

/* How long the end waits for what is queued, and then for the log. */
#define SERVER_GRACE_NS CLOCK_SECOND

struct loop *server_loop(const struct server *server)
{
    return server->loop;
}

int64_t server_interval(const struct server *server)
{
    return server->options.interval_ns;
}

struct server_stats *server_stats(struct server *server)
{
    return &server->stats;
}

int server_output_error(const struct server *server)
{
    return log_error(&server->log);
}

/* ---- the end ---- */

static void server_summarise(struct server *server)
{
    struct server_stats *stats = &server->stats;
    char extra[200];
    struct text text;

    stats->log_dropped = server->log.dropped_ever;
    text_init(&text, extra, sizeof extra);
    if (stats->lines_printed > 0)
        text_add(&text, ", %" PRIu64 " lines printed", stats->lines_printed);
    if (stats->refused > 0)
        text_add(&text, ", %" PRIu64 " connections refused", stats->refused);
    if (stats->pauses > 0)
        text_add(&text, ", %" PRIu64 " pauses of accepting", stats->pauses);
    if (stats->log_dropped > 0)
        text_add(&text, ", %" PRIu64 " log lines dropped", stats->log_dropped);
    log_announce(&server->log,
                 "delayserver: %" PRIu64 " connections, %" PRIu64 " lines sent, %" PRIu64
                 " skipped, %" PRIu64 " bytes in, %" PRIu64 " bytes out%s",
                 stats->connections, stats->lines_sent, stats->lines_skipped, stats->bytes_received,
                 stats->bytes_sent, extra);
}

void server_go_on_ending(struct server *server)
{
    if (!server->is_ending || server->client_count > 0)
        return;
    if (!server->is_summarised)
        server_summarise(server);
    server->is_summarised = true;
    if (!log_is_drained(&server->log))
        return;
    server->is_done = true;
    loop_stop(server->loop);
}

static void server_arm_grace(struct server *server)
{
    if (timer_set(&server->grace, loop_now(server->loop) + SERVER_GRACE_NS) < 0)
        server->is_done = true;
}

/* Nobody is waited for any longer: first the clients, and the next time the log. */
static void server_on_grace(void *owner)
{
    struct server *server = owner;

    server->is_done = server->client_count == 0;
    for (struct loop_link *link = server->clients.next; link != &server->clients; link = link->next)
        conn_close(&((struct client *)link->owner)->conn);
    if (server->is_done)
        loop_stop(server->loop);
    else
        server_arm_grace(server);
}

void server_stop(struct server *server)
{
    if (server->is_ending)
        return;
    server->is_ending = true;
    server_close_gates(server);
    watch_stop(&server->leash);
    for (struct loop_link *link = server->clients.next; link != &server->clients;
         link = link->next) {
        struct conn *conn = &((struct client *)link->owner)->conn;

        if (buf_is_empty(&conn->queue))
            conn_close(conn);
        else
            conn_pause(conn, true);
    }
    server_arm_grace(server);
    server_go_on_ending(server);
}

/* It may be a gate's own call in which this happens, so the end begins after the turn. */
void server_fail(struct server *server, int error)
{
    server->error = error;
    loop_mark_dirty(server->loop);
}

/* ---- the output ---- */

/* A server without a log goes on; one that was asked to print cannot. */
static void server_lose_output(struct server *server)
{
    if (server->is_output_lost)
        return;
    server->is_output_lost = true;
    if (server->options.on_output_lost)
        server->options.on_output_lost(server_output_error(server));
    for (struct loop_link *link = server->instances.next; link != &server->instances;
         link = link->next)
        if (((struct instance *)link->owner)->service->on_room)
            server_stop(server);
}

static void server_on_output(void *owner)
{
    struct server *server = owner;

    for (struct loop_link *link = server->instances.next; link != &server->instances;
         link = link->next) {
        struct instance *instance = link->owner;

        if (instance->service->on_room)
            instance->service->on_room(instance->shared);
    }
    server_go_on_ending(server);
}

size_t server_print_room(const struct server *server)
{
    return log_print_room(&server->log);
}

void server_print(struct server *server, const char *bytes, size_t n)
{
    log_print(&server->log, bytes, n);
}

/* ---- the whole ---- */

static void server_on_leash(void *owner, unsigned ready)
{
    struct server *server = owner;
    char byte;

    if (!(ready & POLLER_INVALID) && read(server->leash.fd, &byte, 1) > 0)
        return;
    server_stop(server);
}

static void server_init(struct server *server, const struct server_options *options)
{
    server->options = *options;
    if (server->options.interval_ns == 0)
        server->options.interval_ns = SERVER_INTERVAL_NS;
    list_init(&server->instances, NULL);
    list_init(&server->gates, NULL);
    list_init(&server->clients, NULL);
    timer_init(&server->grace, server->loop, server_on_grace, server);
    watch_init(&server->leash, server_on_leash, server);
}

static struct loop *server_new_loop(const char *backend)
{
    struct poller *poller = poller_open(backend);
    struct loop *loop = poller ? loop_new(poller) : NULL;

    if (poller && !loop)
        poller_close(poller);
    return loop;
}

struct server *server_new(const struct server_options *options)
{
    struct server *server = calloc(1, sizeof *server);
    int error;

    if (!server)
        return NULL;
    server->loop = server_new_loop(options->backend);
    if (!server->loop)
        goto fail;
    server_init(server, options);
    if (log_init(&server->log, server->loop, options->out_fd, server_on_output, server) < 0)
        goto fail;
    if (options->leash_fd >= 0 &&
        watch_start(&server->leash, server->loop, options->leash_fd, POLLER_IN) < 0)
        goto fail;
    return server;
fail:
    error = errno;
    server_free(server);
    errno = error;
    return NULL;
}

void server_free(struct server *server)
{
    struct instance *instance;

    if (!server)
        return;
    if (server->loop) {
        server_drop_clients(server);
        server_close_gates(server);
        while ((instance = list_take_first(&server->instances))) {
            if (instance->service->close)
                instance->service->close(instance->shared);
            free(instance);
        }
        watch_stop(&server->leash);
        timer_stop(&server->grace);
        log_fini(&server->log);
    }
    loop_free(server->loop);
    free(server);
}

/* What fails anywhere in a turn is looked at between two turns. */
int server_run(struct server *server)
{
    server_announce_gates(server);
    while (!server->is_done) {
        if (server_output_error(server) != 0)
            server_lose_output(server);
        if (server->error != 0)
            server_stop(server);
        if (loop_turn(server->loop) < 0)
            return -1;
    }
    errno = server->error;
    return server->error == 0 ? 0 : -1;
}
