/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gate is a listener of one service, and lets clients in.
 *
 * Every way in which a client ends -- its own, ours, a failure -- comes to client_on_closed, and
 * nothing else frees one while the loop runs. Its descriptor is closed by then, so that is also the
 * moment at which a gate that was out of descriptors, or held by the limit, may open again.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "net/listen.h"
#include "service/inside.h"

/* How often at most a pause of accepting is logged: it may come and go with every client. */
#define GATE_NOTICE_NS (60 * CLOCK_SECOND)

/* How often a port that the kernel picked is given back, since another family has it taken. */
enum { GATE_PICKS = 50 };

struct gate {
    struct listener listener;
    struct instance *instance;
    struct loop_link link;
};

/* ---- clients ---- */

static void client_on_data(void *owner, const char *bytes, size_t n)
{
    struct client *client = owner;

    client->service->on_data(client, bytes, n);
}

static void client_on_end(void *owner)
{
    struct client *client = owner;

    if (client->service->on_end)
        client->service->on_end(client);
}

static void client_on_drained(void *owner)
{
    struct client *client = owner;

    if (client->server->is_ending)
        conn_close(&client->conn);
    else if (client->service->on_drained)
        client->service->on_drained(client);
}

/* A pause that goes on is not told again: the next client that leaves has to open it as well. */
static void server_open_gates(struct server *server)
{
    server->is_shut = false;
    for (struct loop_link *link = server->gates.next; link != &server->gates; link = link->next) {
        struct gate *gate = link->owner;

        listener_resume(&gate->listener);
        server->is_shut |= gate->listener.is_paused;
    }
}

static void client_on_closed(void *owner, int error)
{
    struct client *client = owner;
    struct server *server = client->server;

    (void)error;
    if (client->service->leave)
        client->service->leave(client);
    server->stats.bytes_received += client->conn.received;
    server->stats.bytes_sent += client->conn.sent;
    list_remove(&client->link);
    free(client);
    server->client_count--;
    if (server->is_shut)
        server_open_gates(server);
    server_go_on_ending(server);
}

static const struct conn_events client_events = {
    .on_data = client_on_data,
    .on_end = client_on_end,
    .on_drained = client_on_drained,
    .on_closed = client_on_closed,
};

/* Makes a client of FD, which is closed when that fails. Returns 0, or -1 with errno. */
static int client_new(struct instance *instance, int fd)
{
    struct server *server = instance->server;
    struct client *client = calloc(1, instance->service->client_size);

    if (!client) {
        close(fd);
        errno = ENOMEM;
        return -1;
    }
    client->server = server;
    client->service = instance->service;
    client->shared = instance->shared;
    list_init(&client->link, client);
    if (conn_start(&client->conn, server->loop, fd, client->service->queue_max, &client_events,
                   client) < 0) {
        free(client);
        return -1;
    }
    list_append(&server->clients, &client->link);
    server->client_count++;
    if (client->service->join)
        client->service->join(client);
    return 0;
}

/* ---- gates ---- */

/* Counts a pause of accepting; returns whether it is to be logged. */
static bool server_note_pause(struct server *server)
{
    int64_t now = loop_now(server->loop);

    server->is_shut = true;
    server->stats.pauses++;
    if (now < server->next_notice)
        return false;
    server->next_notice = now + GATE_NOTICE_NS;
    return true;
}

static void server_hold_gates(struct server *server)
{
    if (server_note_pause(server))
        log_line(&server->log,
                 "%zu at once is the limit of clients: new ones wait until one leaves",
                 server->options.max_clients);
    for (struct loop_link *link = server->gates.next; link != &server->gates; link = link->next)
        listener_hold(&((struct gate *)link->owner)->listener);
}

static void gate_refuse(struct gate *gate, int fd, int error, const char *who)
{
    struct server *server = gate->instance->server;
    char why[128];

    server->stats.refused++;
    poller_explain(loop_poller(server->loop), fd, error, why, sizeof why);
    log_line(&server->log, "refused %s: %s", who, why);
}

/* Who comes over a unix socket mostly has no name of its own: it is called after where it came to.
 */
static void gate_name_peer(const struct gate *gate, const struct address *peer,
                           char text[ADDRESS_TEXT])
{
    address_format(peer, text);
    if (strcmp(text, "unix:") == 0)
        address_format(&gate->listener.address, text);
}

static void gate_on_accept(void *owner, int fd, const struct address *peer)
{
    struct gate *gate = owner;
    struct server *server = gate->instance->server;
    char who[ADDRESS_TEXT];

    gate_name_peer(gate, peer, who);
    server->stats.connections++;
    if (client_new(gate->instance, fd) < 0) {
        gate_refuse(gate, fd, errno, who);
        return;
    }
    if (!server->options.is_quiet)
        log_line(&server->log, "Got connection from %s", who);
    if (server->client_count == server->options.max_clients)
        server_hold_gates(server);
}

/* When it goes on, the connections that are logged then show it. */
static void gate_on_pause(void *owner, int error)
{
    struct gate *gate = owner;
    struct server *server = gate->instance->server;
    char where[ADDRESS_TEXT];

    if (error == 0 || !server_note_pause(server))
        return;
    address_format(&gate->listener.address, where);
    log_line(&server->log, "%s: %s: new clients wait: %s", gate->instance->service->name, where,
             strerror(error));
}

static struct instance *server_find_instance(struct server *server, const struct service *service)
{
    for (struct loop_link *link = server->instances.next; link != &server->instances;
         link = link->next) {
        struct instance *instance = link->owner;

        if (instance->service == service)
            return instance;
    }
    return NULL;
}

/* Returns the instance of SERVICE, made when it is asked for first; NULL with errno. */
static struct instance *server_instance(struct server *server, const struct service *service)
{
    struct instance *instance = server_find_instance(server, service);

    if (instance)
        return instance;
    instance = calloc(1, sizeof *instance);
    if (!instance)
        return NULL;
    instance->service = service;
    instance->server = server;
    list_init(&instance->link, instance);
    if (service->open && !(instance->shared = service->open(server))) {
        free(instance);
        return NULL;
    }
    list_append(&server->instances, &instance->link);
    return instance;
}

static struct gate *gate_new(struct server *server, const struct service *service)
{
    struct instance *instance = server_instance(server, service);
    struct gate *gate = instance ? calloc(1, sizeof *gate) : NULL;

    if (!gate)
        return NULL;
    gate->instance = instance;
    list_init(&gate->link, gate);
    return gate;
}

/* Lets clients in at ADDRESS. Returns the gate, or NULL with errno. */
static struct gate *server_open_gate(struct server *server, const struct service *service,
                                     const struct address *address)
{
    struct gate *gate = gate_new(server, service);

    if (!gate)
        return NULL;
    if (listener_start(&gate->listener, server->loop, address, gate_on_accept, gate_on_pause,
                       gate) < 0) {
        free(gate);
        return NULL;
    }
    list_append(&server->gates, &gate->link);
    return gate;
}

static void gate_free(struct gate *gate)
{
    list_remove(&gate->link);
    listener_close(&gate->listener);
    free(gate);
}

/* Closes the newest COUNT gates. */
static void server_take_back(struct server *server, size_t count)
{
    int error = errno;

    while (count-- > 0)
        gate_free(server->gates.prev->owner);
    errno = error;
}

static bool is_family_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Opens a gate at every address, the later ones at the port of the first that is open. Returns 0,
 * or -1 with errno, no gate more than before, and *FAILED. */
static int server_try_listen(struct server *server, const struct service *service,
                             const struct address *addresses, size_t count, struct address *failed)
{
    size_t opened = 0;
    uint16_t port = 0;
    int missing = 0;

    for (size_t i = 0; i < count; i++) {
        struct address address = addresses[i];
        struct gate *gate;

        if (port != 0)
            address_set_port(&address, port);
        gate = server_open_gate(server, service, &address);
        if (gate) {
            port = address_port(&gate->listener.address);
            opened++;
            continue;
        }
        *failed = address;
        missing = errno;
        if (!is_family_missing(errno)) {
            server_take_back(server, opened);
            return -1;
        }
    }
    errno = missing;
    return opened > 0 ? 0 : -1;
}

int server_listen(struct server *server, const struct service *service,
                  const struct address *addresses, size_t count, struct address *failed)
{
    int picks = address_port(&addresses[0]) == 0 && count > 1 ? GATE_PICKS : 1;
    int result;

    do
        result = server_try_listen(server, service, addresses, count, failed);
    while (result < 0 && errno == EADDRINUSE && --picks > 0);
    return result;
}

int server_adopt(struct server *server, const struct service *service, int fd)
{
    struct gate *gate = gate_new(server, service);

    if (!gate) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    if (listener_adopt(&gate->listener, server->loop, fd, gate_on_accept, gate_on_pause, gate) <
        0) {
        free(gate);
        return -1;
    }
    list_append(&server->gates, &gate->link);
    return 0;
}

/* ---- all of them ---- */

void server_announce_gates(struct server *server)
{
    for (struct loop_link *link = server->gates.next; link != &server->gates; link = link->next) {
        const struct gate *gate = link->owner;
        char where[ADDRESS_TEXT];

        address_format(&gate->listener.address, where);
        log_announce(&server->log, "%s listening on %s", gate->instance->service->name, where);
    }
}

void server_close_gates(struct server *server)
{
    struct gate *gate;

    while ((gate = list_first(&server->gates)))
        gate_free(gate);
}

static void client_drop(struct client *client)
{
    if (client->service->leave)
        client->service->leave(client);
    watch_stop(&client->conn.watch);
    close(client->conn.watch.fd);
    buf_fini(&client->conn.queue);
    list_remove(&client->link);
    free(client);
}

void server_drop_clients(struct server *server)
{
    struct client *client;

    while ((client = list_first(&server->clients)))
        client_drop(client);
}
