/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source or a destination as a person writes it:
 *
 *   PATH                    a regular file, a fifo, a device; ./tcp:x where it looks like another
 *   -                       standard input or output
 *   fd:N                    a descriptor that is open already; /dev/stdin, /dev/stdout,
 *                           /dev/stderr, /dev/fd/N and /proc/self/fd/N are such, too
 *   tcp:HOST:PORT           connects; HOST as in net/address.h
 *   tcp-listen:[HOST:]PORT  waits for one client; HOST is numeric, localhost or *: localhost
 *                           where it is left out
 *   unix:PATH               connects; a PATH that begins with @ is abstract
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>

#include "net/address.h"

enum place_kind { PLACE_PATH, PLACE_FD, PLACE_CONNECT, PLACE_LISTEN };

struct place {
    enum place_kind kind;
    const char *text;     /* as it was written, borrowed: its name in messages */
    const char *path;     /* of PLACE_PATH: within text */
    int fd;               /* of PLACE_FD; 0 or 1 for "-" */
    struct target target; /* of PLACE_CONNECT and PLACE_LISTEN */
};

/* Reads TEXT, which is borrowed as long as the place is used. Opens nothing. Returns 0, or -1 and
 * sets *WHY to what is wrong with it, borrowed for ever. */
int place_parse(struct place *place, const char *text, bool is_source, const char **why);

/* Stores the addresses to listen at, one or both families of localhost or *, and returns how many;
 * 0: HOST must be numeric, localhost or *. */
int place_listen_addresses(const struct place *place, struct address addresses[2]);

#endif
