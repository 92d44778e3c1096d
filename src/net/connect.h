/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a target to a connected socket without blocking: "happy eyeballs", RFC 8305.
 *
 * Both families are asked for at once; IPv6 is given 50 ms more where IPv4 answers first
 * (section 3); the addresses are tried by turns of family (section 4), a new attempt every 250 ms
 * or as soon as the one before failed (section 5); the first that connects wins and the others are
 * closed. A numeric address or a unix path has one attempt and no look-up.
 */
#ifndef CONNECT_H
#define CONNECT_H

#include "net/address.h"
#include "pollspin/loop.h"

struct connector;

enum connect_result {
    CONNECT_DONE,    /* fd is connected */
    CONNECT_FAILED,  /* every way was tried */
    CONNECT_TIMEOUT, /* the time limit came first */
};

struct connect_outcome {
    enum connect_result result;
    int fd;                 /* non-blocking and close-on-exec; the receiver's from now on; or -1 */
    struct address address; /* where it is connected to; for CONNECT_DONE only */
    int error;     /* else errno of the last failure, or 0 where there was no address to try. With
                      ECONNRESET it was connected, and reset before we could look */
    char why[256]; /* else what happened, for a person: "127.0.0.1:9: Connection refused" */
};

/* Called once, from the loop, never from within connect_new; the connector is gone by then. */
typedef void connect_fn(void *owner, const struct connect_outcome *outcome);

struct connect_options {
    loop_fn *on_progress; /* connect_describe says something new; with on_done's owner; or NULL */
    int family;           /* AF_UNSPEC, AF_INET or AF_INET6 */
    int64_t timeout_ns;   /* for the look-up and all attempts together; 0: no limit */
    const char *name_server; /* "ADDRESS[:PORT]", or NULL for those of resolv.conf(5) */
};

/* Starts to connect to TARGET; OPTIONS and TARGET are copied. Returns NULL with errno. */
struct connector *connect_new(struct loop *loop, const struct target *target,
                              const struct connect_options *options, connect_fn *on_done,
                              void *owner);

/* Gives up; on_done is not called. NULL is fine. */
void connect_free(struct connector *connector);

/* Writes what it is waiting for, for a person: "looking up time.example", "connecting to
 * [::1]:51423 and 127.0.0.1:51423". */
void connect_describe(const struct connector *connector, char *text, size_t size);

#endif
