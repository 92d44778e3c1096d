/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names to addresses without blocking: c-ares, whose sockets sit in our own loop, so that the
 * look-up shows in the inspector and the spinner turns meanwhile.
 *
 * Two questions are asked at once, one a family, and each is answered by itself, as RFC 8305
 * section 3 asks for: the connector need not wait for both. /etc/hosts is read first.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "net/address.h"
#include "pollspin/loop.h"

struct resolve;

/* An answer for FAMILY (AF_INET or AF_INET6): COUNT addresses, borrowed during the call; 0 with
 * WHY, a short text borrowed for ever, where there is none. Called once a family asked for, from
 * the loop, never from within resolve_new. It may call resolve_free. */
typedef void resolve_fn(void *owner, int family, const struct address *addresses, size_t count,
                        const char *why);

/* Asks for the addresses of HOST. FAMILY is AF_UNSPEC for both. NAME_SERVER is "ADDRESS[:PORT]", or
 * NULL for those of resolv.conf(5). Returns NULL with errno: EINVAL for a bad NAME_SERVER, ENOMEM.
 */
struct resolve *resolve_new(struct loop *loop, const char *host, uint16_t port, int family,
                            const char *name_server, resolve_fn *on_answer, void *owner);

/* Ends it; what has not been answered never will be. NULL is fine. */
void resolve_free(struct resolve *resolve);

#endif
