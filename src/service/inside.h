/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What server.c and gate.c share. gate.c lets clients in, counts and frees them; server.c has what
 * is there once: the loop, the output, the end.
 */
#ifndef INSIDE_H
#define INSIDE_H

#include "service/log.h"
#include "service/server.h"

/* A service that runs, with what its clients share. */
struct instance {
    const struct service *service;
    struct server *server;
    void *shared;
    struct loop_link link;
};

struct server {
    struct server_options options;
    struct loop *loop;
    struct log log;
    struct loop_link instances; /* made by gate.c when the first gate of a service opens */
    struct loop_link gates;     /* gate.c's own */
    struct loop_link clients;
    size_t client_count;
    struct server_stats stats;
    int64_t next_notice; /* before that, pauses are not logged */
    struct watch leash;
    struct timer grace;
    bool is_shut; /* some gate lets nobody in, until a client leaves */
    bool is_ending;
    bool is_summarised;
    bool is_output_lost;
    bool is_done;
    int error; /* of server_fail */
};

/* Goes on with the end, where there is one and it has waited for what has just happened. */
void server_go_on_ending(struct server *server);

/* Writes a line for each listener. */
void server_announce_gates(struct server *server);

/* Accepts no more, and removes unix sockets. */
void server_close_gates(struct server *server);

/* Closes and frees the clients without the loop, which cannot go on; else none is left. */
void server_drop_clients(struct server *server);

#endif
