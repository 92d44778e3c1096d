/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Services on sockets in one loop: what delayserver is, and what `pollspin --demo` runs in a child.
 *
 * No client can hurt another one or the server: queues are bounded, who does not read is waited for
 * alone, and where descriptors or the limit on clients are used up new clients wait in the kernel's
 * backlog. Nor can a reader of standard output that stalls: what is written there goes through a
 * bounded queue. Lines of the log that do not fit are dropped and counted; a service that prints
 * asks for room first.
 *
 *     server = server_new(&options);
 *     server_listen(server, service_find("delay"), addresses, 2, &failed);
 *     server_run(server);
 *     server_free(server);
 */
#ifndef SERVER_H
#define SERVER_H

#include "net/address.h"
#include "service/service.h"

/* Of the delay service, where no other is asked for. */
#define SERVER_INTERVAL_NS INT64_C(5000000000)

struct server_options {
    const char *backend; /* as for poller_open */
    int64_t interval_ns; /* of the delay service; 0: SERVER_INTERVAL_NS */
    size_t max_clients;  /* 0: as many as there are descriptors */
    bool is_quiet;       /* connections are not logged */
    int out_fd;          /* for announcements, log, prints and summary; -1: nowhere */
    int leash_fd;        /* when this reads an end, the server ends; stays the caller's; -1: none */

    /* out_fd cannot be written any longer, with errno; told once. May be NULL. */
    void (*on_output_lost)(int error);
};

/* What it did, for the summary. */
struct server_stats {
    uint64_t connections;
    uint64_t refused; /* ... that could not be served */
    uint64_t pauses;  /* of accepting, for want of descriptors or room for clients */
    uint64_t lines_sent;
    uint64_t lines_skipped; /* ticks that a client had no room for */
    uint64_t lines_printed;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t log_dropped; /* lines */
};

/* Makes a server with its own poller and loop. OPTIONS is copied, its backend's name borrowed.
 * Returns NULL with errno, as poller_open. */
struct server *server_new(const struct server_options *options);

/* Closes and frees whatever is left. NULL is fine. */
void server_free(struct server *server);

/* Listens with SERVICE at COUNT addresses. Where the first one's port is 0 the kernel picks, and
 * the others get the same port. An address whose family this machine lacks is left out where
 * another remains. Returns 0, or -1 with errno, none of them listening, and *FAILED the culprit. */
int server_listen(struct server *server, const struct service *service,
                  const struct address *addresses, size_t count, struct address *failed);

/* Serves SERVICE on the socket FD, which listens already. Takes FD, also when it fails (-1, errno).
 */
int server_adopt(struct server *server, const struct service *service, int fd);

/* Announces the listeners and serves until server_stop or the end of the leash. Returns 0 after an
 * end in order, or -1 with errno where it could not go on: the wait failed, or server_fail. */
int server_run(struct server *server);

/* Begins the end: accepts no more, sends what is queued (for a second at most), closes every
 * client, removes unix sockets, writes the summary, and makes server_run return. */
void server_stop(struct server *server);

/* Returns errno of the write that ended the output, or 0. */
int server_output_error(const struct server *server);

/* ---- for services ---- */

struct loop *server_loop(const struct server *server);
int64_t server_interval(const struct server *server);
struct server_stats *server_stats(struct server *server);

/* Returns how many bytes server_print will surely take. */
size_t server_print_room(const struct server *server);

/* Writes whole lines, N bytes, to the output; not more than there is room for. */
void server_print(struct server *server, const char *bytes, size_t n);

/* Begins the end because of ERROR, an errno that makes serving impossible: server_run fails with
 * it. */
void server_fail(struct server *server, int error);

#endif
