/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places as people write them. A text that begins as one of the special forms is that form or a
 * mistake, never silently a file: who wants a file of that name writes ./ in front, and is told so.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include "base/parse.h"
#include "copy/place.h"

#define OR_A_FILE "; for a file of that name write ./ in front"

/* Returns what follows PREFIX in TEXT, or NULL where it does not begin so. */
static const char *place_behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* Whether TEXT, which target_parse has taken, ends in a port. */
static bool place_has_port(const char *text)
{
    const char *bracket = strrchr(text, ']');
    const char *colon = strchr(bracket ? bracket : text, ':');

    return colon && !strchr(colon + 1, ':');
}

/* These return what is wrong, or NULL. */
static const char *place_parse_fd(struct place *place, const char *number)
{
    uint64_t fd;

    if (parse_number(number, 0, INT_MAX, &fd) < 0)
        return "fd: wants the number of a descriptor that is open, such as fd:3" OR_A_FILE;
    place->kind = PLACE_FD;
    place->fd = (int)fd;
    return NULL;
}

static const char *place_parse_unix(struct place *place, const char *text)
{
    const char *why = NULL;

    if (strcmp(text, "unix:") == 0)
        return "unix: wants a path: unix:PATH, or unix:@NAME" OR_A_FILE;
    place->kind = PLACE_CONNECT;
    target_parse(&place->target, text, 0, &why);
    return why;
}

/* "unix:" would be understood by target_parse, and is no host. */
static const char *place_parse_tcp(struct place *place, const char *text)
{
    const char *why = NULL;

    if (*text == '\0' || place_behind(text, "unix:"))
        return "tcp: wants a host and a port: tcp:HOST:PORT" OR_A_FILE;
    place->kind = PLACE_CONNECT;
    if (target_parse(&place->target, text, 0, &why) < 0)
        return why;
    if (!place_has_port(text))
        return "the port is missing: tcp:HOST:PORT, or tcp:[ADDRESS]:PORT" OR_A_FILE;
    return place->target.port == 0 ? "port 0 is none to connect to: tcp:HOST:PORT" : NULL;
}

/* TEXT begins with the colon: a port alone is a target without a host as it stands. */
static const char *place_parse_listen(struct place *place, const char *text)
{
    struct address addresses[2];
    const char *why = NULL;

    if (text[1] == '\0' || place_behind(text, ":unix:"))
        return "tcp-listen: wants a port: tcp-listen:PORT, or tcp-listen:HOST:PORT" OR_A_FILE;
    if (strchr(text + 1, ':'))
        text++;
    place->kind = PLACE_LISTEN;
    if (target_parse(&place->target, text, 0, &why) < 0)
        return why;
    if (!place_has_port(text))
        return "the port is missing: tcp-listen:[ADDRESS]:PORT";
    if (place_listen_addresses(place, addresses) == 0)
        return "the host to listen at must be a numeric address, localhost or *";
    return NULL;
}

/* These lead to what is open, not to a file: who opened /dev/stdout anew, or replaced the file
 * behind it, would destroy what `>> log` has in there. Returns the number, or -1. */
static int place_open_already(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    uint64_t number;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path, names[i]) == 0)
            return (int)i;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *rest = place_behind(path, folders[i]);

        if (rest && parse_number(rest, 0, INT_MAX, &number) == 0)
            return (int)number;
    }
    return -1;
}

static const char *place_parse_text(struct place *place, const char *text, bool is_source)
{
    const char *rest;

    if (*text == '\0')
        return "the name is empty: write a path, or - for standard input or output";
    if (strcmp(text, "-") == 0) {
        place->kind = PLACE_FD;
        place->fd = is_source ? 0 : 1;
        return NULL;
    }
    if ((rest = place_behind(text, "fd:")))
        return place_parse_fd(place, rest);
    if ((rest = place_behind(text, "tcp:")))
        return place_parse_tcp(place, rest);
    if ((rest = place_behind(text, "tcp-listen")) && *rest == ':')
        return place_parse_listen(place, rest);
    if (place_behind(text, "unix:"))
        return place_parse_unix(place, text);
    place->fd = place_open_already(text);
    if (place->fd >= 0)
        place->kind = PLACE_FD;
    else
        place->path = text;
    return NULL;
}

int place_parse(struct place *place, const char *text, bool is_source, const char **why)
{
    *place = (struct place){.kind = PLACE_PATH, .text = text, .fd = -1};
    *why = place_parse_text(place, text, is_source);
    if (!*why)
        return 0;
    errno = EINVAL;
    return -1;
}

static int place_both(struct address addresses[2], const char *v4, const char *v6, uint16_t port)
{
    address_from_numeric(&addresses[0], v4, port);
    address_from_numeric(&addresses[1], v6, port);
    return 2;
}

int place_listen_addresses(const struct place *place, struct address addresses[2])
{
    const struct target *target = &place->target;

    assert(place->kind == PLACE_LISTEN);
    if (target->host[0] == '\0' || strcmp(target->host, "localhost") == 0)
        return place_both(addresses, "127.0.0.1", "::1", target->port);
    if (strcmp(target->host, "*") == 0)
        return place_both(addresses, "0.0.0.0", "::", target->port);
    return address_from_numeric(&addresses[0], target->host, target->port) == 0 ? 1 : 0;
}
