/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where to connect to or listen: what a person writes, and what the kernel takes.
 *
 *   HOST   HOST:PORT   ADDRESS   ADDRESS:PORT   [V6]   [V6]:PORT   V6   :PORT   unix:PATH
 *
 * PORT is a number from 0 to 65535 or a service name of services(5). A bare IPv6 address needs no
 * brackets where no port follows it. A PATH that begins with @ is in Linux's abstract namespace.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A place by name. */
struct target {
    bool is_unix;
    char host[256]; /* a name or a numeric address without brackets; "" where none was given, which
                       resolve_new takes as localhost */
    uint16_t port;  /* host byte order */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/* A place as the kernel takes it. */
struct address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } sock;
};

/* Longest result of address_format and target_format, with its NUL. */
enum { ADDRESS_TEXT = 300 };

/* Reads TEXT; a port that it does not give is DEFAULT_PORT. Returns 0, or -1 and sets *WHY to what
 * is wrong with it, borrowed for ever ("port is not a number from 0 to 65535 or a service name").
 */
int target_parse(struct target *target, const char *text, uint16_t default_port, const char **why);

/* Writes TARGET as it would be typed, port included: "localhost:51423", "[::1]:7", "unix:/run/x".
 */
void target_format(const struct target *target, char text[ADDRESS_TEXT]);

/* Makes an address of TARGET without asking anybody: numeric hosts and unix paths only. FAMILY is
 * AF_UNSPEC, AF_INET or AF_INET6. Returns 0, or -1: EAGAIN where the host is a name to be resolved,
 * EAFNOSUPPORT where it is a numeric address of the other family. */
int address_from_target(struct address *address, const struct target *target, int family);

/* Makes an address of a numeric IPv4 or IPv6 TEXT ("fe80::1%eth0" too). Returns 0, or -1 EINVAL. */
int address_from_numeric(struct address *address, const char *text, uint16_t port);

/* The port of an IPv4 or IPv6 address, host byte order; 0 for a unix one. */
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* Writes "127.0.0.1:51423", "[::1]:51423", "unix:/run/x", "unix:" for an unnamed one; what the
 * kernel hands out as a v4-mapped IPv6 address is written as the IPv4 address that it is. */
void address_format(const struct address *address, char text[ADDRESS_TEXT]);

/* Fills ADDRESS with the local (peer = false) or the peer's address of socket FD. 0, or -1. */
int address_of_socket(struct address *address, int fd, bool peer);

/* Opens a stream socket for ADDRESS, non-blocking and close-on-exec. As socket(2). */
int address_open(const struct address *address);

/* Makes FD non-blocking and close-on-exec. Returns 0, or -1 with errno as fcntl(2). */
int address_prepare(int fd);

#endif
