/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that is driven by hand, in the test's own process, with calls that block until the
 * deadline. The programs' output is collected meanwhile. What is still open is closed by
 * kit_cleanup; the test may close(2) it before.
 */
#ifndef KIT_PEER_H
#define KIT_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Listens on a free loopback port, or on a new socket in the file system. */
int kit_listen(uint16_t *port);
int kit_listen_unix(const char *path);
int kit_accept(int listener);
int kit_connect(uint16_t port);
int kit_connect_unix(const char *path);
void kit_send(int fd, const void *bytes, size_t n);
/* Reads up to N bytes; 0 at the end. A reset is -1. */
ssize_t kit_receive(int fd, void *bytes, size_t n);
/* Reads until the N bytes are there, or the test fails. */
void kit_receive_all(int fd, void *bytes, size_t n);
/* Closes with a RST. */
void kit_reset(int fd);

#endif
