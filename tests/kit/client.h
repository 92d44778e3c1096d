/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin as most tests run it: with one connection, to the test itself.
 */
#ifndef KIT_CLIENT_H
#define KIT_CLIENT_H

#include <stdint.h>

struct kit_process;
struct kit_terminal;

/* Returns "127.0.0.1:PORT", valid until the next call. */
const char *kit_target(uint16_t port);

/* Binds a socket of TYPE, which does not listen, to a free port of 127.0.0.1: who connects to it is
 * refused, who sends to it gets no answer. */
int kit_bind(int type, uint16_t *port);

/* Starts pollspin with the options, ended by NULL, and a listener of the test as the target, and
 * stores the connection that it made; the listener is closed then. */
struct kit_process *kit_client(int *server, ...);

/* The same behind a shell SCRIPT, which runs `exec "$0" "$@"` when it has prepared what it wants.
 */
struct kit_process *kit_client_in_shell(int *server, const char *script, ...);

/* The same on a terminal of 24 x 80, with --plain. */
struct kit_terminal *kit_client_on_terminal(int *server, ...);

/* Waits for the end, and fails unless it is STATUS, with one line on standard error, which holds
 * TEXT. */
void kit_end_saying(struct kit_process *process, int status, const char *text);

#endif
