/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a service is: a const struct of functions, like a poller's backend.
 *
 * Adding one is one file with such a struct, one line in the table in service.c, and one line in
 * Makefile.am. The server does what all have in common: it accepts, counts, logs and frees; a
 * service says what to do with bytes. It keeps what its clients share in memory of its own (what
 * `open` returns), and what it knows of one client in a struct that begins with struct client: one
 * allocation a client, made and freed by the server.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "net/conn.h"

struct client;
struct server;

struct service {
    const char *name;
    uint16_t port;       /* where WHERE gives none */
    const char *summary; /* what it does, in a few words */
    size_t client_size;  /* bytes of its struct of a client, zeroed by the server */
    size_t queue_max;    /* bytes that are queued for one client at most */

    /* Makes what all clients share. NULL with errno when it fails. Both may be NULL. */
    void *(*open)(struct server *server);
    void (*close)(void *shared);

    void (*join)(struct client *client);  /* it has come, and may be written to; may be NULL */
    void (*leave)(struct client *client); /* it has gone, and so will its memory; may be NULL */

    void (*on_data)(struct client *client, const char *bytes, size_t n);
    void (*on_end)(struct client *client);     /* it will send no more; may be NULL */
    void (*on_drained)(struct client *client); /* it has taken all that was queued; may be NULL */
    void (*on_room)(void *shared);             /* there is more server_print_room; may be NULL */
};

struct client {
    struct conn conn;
    struct server *server;
    const struct service *service;
    void *shared;          /* what open returned */
    struct loop_link link; /* in the server's clients */
};

/* Returns the service NAME, or NULL. */
const struct service *service_find(const char *name);

/* Returns the service with number INDEX, or NULL past the last one. */
const struct service *service_at(size_t index);

#endif
