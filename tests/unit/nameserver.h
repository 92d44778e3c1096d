/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name server on a free loopback port, in the loop of the test that asks it. It gives every name
 * the same answer, one a family: at once, or when the test says so, or never.
 */
#ifndef NAMESERVER_H
#define NAMESERVER_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"
#include "net/address.h"
#include "pollspin/loop.h"

enum { NAMESERVER_OK, NAMESERVER_FAILS = 2, NAMESERVER_NO_SUCH_NAME = 3 };

/* What is answered to the questions of one family, and the last one of those. */
struct nameserver_side {
    bool is_held; /* the test answers, with nameserver_answer */
    int code;
    const char *addresses; /* "127.0.0.1 127.0.0.2" */
    int asked;
    unsigned char question[512];
    size_t length;
    struct address client;
};

struct nameserver {
    struct watch watch;
    char where[ADDRESS_TEXT]; /* for the option of the one who asks */
    struct nameserver_side ipv6;
    struct nameserver_side ipv4;
};

static inline size_t nameserver_put(unsigned char *bytes, const void *from, size_t n)
{
    memcpy(bytes, from, n);
    return n;
}

/* Writes one record for the numeric address TEXT: its name is a reference to the question's. */
static inline size_t nameserver_record(unsigned char *bytes, const char *text)
{
    bool is_six = strchr(text, ':') != NULL;
    unsigned char head[] = {0xc0, 12, 0, is_six ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, is_six ? 16 : 4};
    unsigned char number[16];
    size_t n = nameserver_put(bytes, head, sizeof head);

    assert_int_equal(inet_pton(is_six ? AF_INET6 : AF_INET, text, number), 1);
    return n + nameserver_put(bytes + n, number, is_six ? 16 : 4);
}

/* Answers the question of SIDE that came last. */
static inline void nameserver_answer(struct nameserver *server, struct nameserver_side *side)
{
    unsigned char reply[2048] = {
        side->question[0], side->question[1], 0x81, (unsigned char)(0x80 | side->code), 0, 1};
    size_t n = nameserver_put(reply + 12, side->question + 12, side->length - 12) + 12;
    char addresses[1024];
    char *rest;

    snprintf(addresses, sizeof addresses, "%s", side->addresses ? side->addresses : "");
    for (char *one = strtok_r(addresses, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
        n += nameserver_record(reply + n, one);
        reply[7]++;
    }
    assert_int_equal(
        sendto(server->watch.fd, reply, n, 0, &side->client.sock.any, side->client.length), n);
}

/* The type of a question stands behind its name, which an empty label ends. */
static inline void nameserver_on_ready(void *owner, unsigned ready)
{
    struct nameserver *server = owner;
    struct nameserver_side *side;
    struct address client = {.length = sizeof client.sock};
    unsigned char bytes[512];
    size_t end = 12;
    ssize_t n = recvfrom(server->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT, &client.sock.any,
                         &client.length);

    (void)ready;
    assert_true(n > 12);
    while (end < (size_t)n && bytes[end] != 0)
        end += bytes[end] + 1U;
    assert_true(end + 5 <= (size_t)n);
    side = bytes[end + 2] == 28 ? &server->ipv6 : &server->ipv4;
    memcpy(side->question, bytes, end + 5);
    side->length = end + 5;
    side->client = client;
    side->asked++;
    if (!side->is_held)
        nameserver_answer(server, side);
}

static inline void nameserver_start(struct nameserver *server, struct loop *loop)
{
    struct address address;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    *server = (struct nameserver){.ipv6 = {.is_held = false}};
    address_from_numeric(&address, "127.0.0.1", 0);
    assert_int_equal(bind(fd, &address.sock.any, address.length), 0);
    assert_int_equal(address_of_socket(&address, fd, false), 0);
    address_format(&address, server->where);
    watch_init(&server->watch, nameserver_on_ready, server);
    assert_int_equal(watch_start(&server->watch, loop, fd, POLLER_IN), 0);
}

static inline void nameserver_stop(struct nameserver *server)
{
    int fd = server->watch.fd;

    watch_stop(&server->watch);
    close(fd);
}

#endif
