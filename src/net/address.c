/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing places. A text is taken apart once, here, and every way in which it can be
 * wrong has a sentence of its own. Nothing here asks a name server.
 *
 * The kernel's surprise is unix(7): the length of an address is part of it. An unnamed socket has
 * no path at all, an abstract one begins with a NUL byte and may hold others, and a path that fills
 * sun_path is not ended by one.
 */
#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "net/address.h"

#define ADDRESS_PATH_START offsetof(struct sockaddr_un, sun_path)

static bool port_is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

/* Returns what is wrong, or NULL. */
static const char *port_parse(uint16_t *port, const char *text)
{
    const struct servent *service;
    unsigned long number;

    if (*text == '\0')
        return "port is empty";
    if (port_is_number(text)) {
        number = strtoul(text, NULL, 10);
        if (number > UINT16_MAX)
            return "port is greater than 65535";
        *port = (uint16_t)number;
        return NULL;
    }
    service = getservbyname(text, "tcp");
    if (!service)
        return "port is not a number from 0 to 65535 or a service name";
    *port = ntohs((uint16_t)service->s_port);
    return NULL;
}

/* A host may end up in a message and on a terminal, so what is no part of any name is refused. */
static const char *host_check(const char *host, size_t length)
{
    if (length >= sizeof((struct target *)0)->host)
        return "host is longer than 255 characters";
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)host[i];

        if (byte == ' ')
            return "host has a space in it";
        if (byte < ' ' || byte == 0x7f)
            return "host has a control character in it";
        if (byte > 0x7f)
            return "host is not ASCII: write its xn-- form";
        if (byte == '[' || byte == ']')
            return "host has a stray bracket";
    }
    return NULL;
}

static const char *host_parse(struct target *target, const char *host, size_t length)
{
    const char *why = host_check(host, length);

    if (!why)
        memcpy(target->host, host, length); /* the rest is zero */
    return why;
}

static const char *target_parse_path(struct target *target, const char *path)
{
    if (*path == '\0')
        return "path is empty";
    if (strcmp(path, "@") == 0)
        return "name behind @ is empty";
    if (strlen(path) >= sizeof target->path)
        return "path is too long for a unix socket";
    strcpy(target->path, path);
    target->is_unix = true;
    return NULL;
}

static const char *target_parse_brackets(struct target *target, const char *text)
{
    const char *end = strchr(text, ']');
    struct address address;
    const char *why;

    if (!end)
        return "[ has no ]";
    why = host_parse(target, text + 1, (size_t)(end - text - 1));
    if (why)
        return why;
    if (!strchr(target->host, ':') || address_from_numeric(&address, target->host, 0) < 0)
        return "what stands in brackets is not an IPv6 address";
    if (end[1] == '\0')
        return NULL;
    if (end[1] != ':')
        return "something other than :PORT follows the ]";
    return port_parse(&target->port, end + 2);
}

static const char *target_parse_plain(struct target *target, const char *text)
{
    const char *colon = strchr(text, ':');
    struct address address;
    const char *why;

    if (!colon)
        return host_parse(target, text, strlen(text));
    if (!strchr(colon + 1, ':')) {
        why = host_parse(target, text, (size_t)(colon - text));
        return why ? why : port_parse(&target->port, colon + 1);
    }
    why = host_parse(target, text, strlen(text));
    if (!why && address_from_numeric(&address, text, 0) < 0)
        why = "more than one colon, but not an IPv6 address (with a port: [ADDRESS]:PORT)";
    return why;
}

int target_parse(struct target *target, const char *text, uint16_t default_port, const char **why)
{
    *target = (struct target){.port = default_port};
    if (*text == '\0')
        *why = "text is empty";
    else if (strncmp(text, "unix:", 5) == 0)
        *why = target_parse_path(target, text + 5);
    else if (*text == '[')
        *why = target_parse_brackets(target, text);
    else
        *why = target_parse_plain(target, text);
    if (!*why)
        return 0;
    errno = EINVAL;
    return -1;
}

void target_format(const struct target *target, char text[ADDRESS_TEXT])
{
    if (target->is_unix)
        snprintf(text, ADDRESS_TEXT, "unix:%s", target->path);
    else
        snprintf(text, ADDRESS_TEXT, strchr(target->host, ':') ? "[%s]:%u" : "%s:%u", target->host,
                 target->port);
}

/* The NUL that ends a path is part of its address; an abstract name has none. */
static void address_from_path(struct address *address, const char *path)
{
    struct sockaddr_un *un = &address->sock.un;
    size_t length = strlen(path);

    assert(length > 0 && length < sizeof un->sun_path);
    *address = (struct address){.length = (socklen_t)(ADDRESS_PATH_START + length)};
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length);
    if (path[0] == '@')
        un->sun_path[0] = '\0';
    else
        address->length++;
}

int address_from_target(struct address *address, const struct target *target, int family)
{
    if (target->is_unix) {
        address_from_path(address, target->path);
        return 0;
    }
    if (address_from_numeric(address, target->host, target->port) < 0)
        errno = EAGAIN;
    else if (family != AF_UNSPEC && address->sock.any.sa_family != family)
        errno = EAFNOSUPPORT;
    else
        return 0;
    return -1;
}

/* Reads what follows the % of fe80::1%eth0: the name of an interface, or its number. */
static int scope_parse(uint32_t *scope, const char *text)
{
    unsigned long number = if_nametoindex(text);

    if (number == 0 && *text != '\0' && port_is_number(text))
        number = strtoul(text, NULL, 10);
    *scope = (uint32_t)number;
    return number == 0 || number > UINT32_MAX ? -1 : 0;
}

static int address_from_ipv6(struct address *address, const char *text, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    char digits[INET6_ADDRSTRLEN] = "";
    size_t length = strcspn(text, "%");

    if (length >= sizeof digits)
        return -1;
    memcpy(digits, text, length);
    if (inet_pton(AF_INET6, digits, &in6.sin6_addr) != 1)
        return -1;
    if (text[length] == '%' && scope_parse(&in6.sin6_scope_id, text + length + 1) < 0)
        return -1;
    memcpy(&address->sock, &in6, sizeof in6);
    address->length = sizeof in6;
    return 0;
}

int address_from_numeric(struct address *address, const char *text, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&address->sock, &in, sizeof in);
        address->length = sizeof in;
        return 0;
    }
    if (address_from_ipv6(address, text, port) == 0)
        return 0;
    errno = EINVAL;
    return -1;
}

uint16_t address_port(const struct address *address)
{
    switch (address->sock.any.sa_family) {
    case AF_INET:
        return ntohs(address->sock.in.sin_port);
    case AF_INET6:
        return ntohs(address->sock.in6.sin6_port);
    default:
        return 0;
    }
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->sock.any.sa_family == AF_INET)
        address->sock.in.sin_port = htons(port);
    else if (address->sock.any.sa_family == AF_INET6)
        address->sock.in6.sin6_port = htons(port);
}

static void address_add_scope(struct text *text, uint32_t scope)
{
    char name[IF_NAMESIZE];

    if (scope == 0)
        return;
    if (if_indextoname(scope, name))
        text_add(text, "%%%s", name);
    else
        text_add(text, "%%%u", (unsigned)scope);
}

static void address_add_ipv6(struct text *text, const struct sockaddr_in6 *in6)
{
    char digits[INET6_ADDRSTRLEN];

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], digits, sizeof digits);
        text_add(text, "%s:%u", digits, ntohs(in6->sin6_port));
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, digits, sizeof digits);
    text_add(text, "[%s", digits);
    address_add_scope(text, in6->sin6_scope_id);
    text_add(text, "]:%u", ntohs(in6->sin6_port));
}

/* A peer chooses its own path, and this text goes to logs: what is not plain is shown as '?'. */
static void address_add_path(struct text *text, const char *path, size_t length)
{
    bool is_abstract = length > 0 && path[0] == '\0';

    if (!is_abstract)
        length = strnlen(path, length);
    text_add(text, "unix:%s", is_abstract ? "@" : "");
    for (size_t i = is_abstract ? 1 : 0; i < length; i++) {
        unsigned char byte = (unsigned char)path[i];

        text_add(text, "%c", byte < ' ' || byte >= 0x7f ? '?' : byte);
    }
}

void address_format(const struct address *address, char bytes[ADDRESS_TEXT])
{
    char digits[INET_ADDRSTRLEN];
    size_t length = address->length;
    struct text text;

    text_init(&text, bytes, ADDRESS_TEXT);
    switch (address->sock.any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->sock.in.sin_addr, digits, sizeof digits);
        text_add(&text, "%s:%u", digits, ntohs(address->sock.in.sin_port));
        break;
    case AF_INET6:
        address_add_ipv6(&text, &address->sock.in6);
        break;
    case AF_UNIX:
        length = length > ADDRESS_PATH_START ? length - ADDRESS_PATH_START : 0;
        if (length > sizeof address->sock.un.sun_path)
            length = sizeof address->sock.un.sun_path;
        address_add_path(&text, address->sock.un.sun_path, length);
        break;
    default:
        text_add(&text, "unknown address family %d", address->sock.any.sa_family);
    }
}

int address_of_socket(struct address *address, int fd, bool peer)
{
    memset(address, 0, sizeof *address);
    address->length = sizeof address->sock;
    return peer ? getpeername(fd, &address->sock.any, &address->length)
                : getsockname(fd, &address->sock.any, &address->length);
}

int address_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int address_open(const struct address *address)
{
    int fd = socket(address->sock.any.sa_family, SOCK_STREAM, 0);

    if (fd >= 0 && address_prepare(fd) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
