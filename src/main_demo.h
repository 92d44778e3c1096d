/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `pollspin --demo`: a delayserver of its own, in a child process, on a loopback port that the
 * kernel picks. The socket listens before the child exists, so the client cannot come too early.
 * The child holds one end of a pipe and ends when the other end is closed, however that happens.
 */
#ifndef MAIN_DEMO_H
#define MAIN_DEMO_H

#include <stdint.h>
#include <sys/types.h>

struct demo {
    pid_t pid;
    int leash; /* the end of the pipe that keeps the server alive */
    uint16_t port;
};

/* Starts the server on 127.0.0.1, or on ::1 where FAMILY is AF_INET6. Call it before anything else
 * is opened. Returns 0, or -1 with errno. */
int demo_start(struct demo *demo, int family, int64_t interval_ns);

/* Ends it and waits for its end. */
void demo_stop(struct demo *demo);

#endif
