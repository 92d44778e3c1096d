/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kit/inside.h"
#include "kit/kit.h"

/* A socket of the kit's, known by its inode too: the test may have closed the descriptor itself,
 * and the number may be something else by now. */
struct peer {
    int fd;
    ino_t inode;
    struct peer *next;
};

static struct peer *peers;

int peer_register(int fd, const char *what)
{
    struct peer *peer;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        kit_fail("%s: %s", what, strerror(errno));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    peer = calloc(1, sizeof *peer);
    *peer = (struct peer){.fd = fd, .inode = status.st_ino, .next = peers};
    peers = peer;
    return fd;
}

void peer_cleanup(void)
{
    while (peers) {
        struct peer *peer = peers;
        struct stat status;

        peers = peer->next;
        if (fstat(peer->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
            status.st_ino == peer->inode)
            close(peer->fd);
        free(peer);
    }
}

static struct sockaddr_in peer_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_un peer_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        kit_fail("%s is too long for a socket", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int peer_listen(const void *address, socklen_t length, int family)
{
    int fd = peer_register(socket(family, SOCK_STREAM, 0), "socket");

    if (bind(fd, address, length) < 0 || listen(fd, SOMAXCONN) < 0)
        kit_fail("bind: %s", strerror(errno));
    return fd;
}

int kit_listen(uint16_t *port)
{
    struct sockaddr_in address = peer_loopback(0);
    socklen_t length = sizeof address;
    int fd = peer_listen(&address, length, AF_INET);

    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    return fd;
}

int kit_listen_unix(const char *path)
{
    struct sockaddr_un address = peer_path(path);

    return peer_listen(&address, sizeof address, AF_UNIX);
}

/* Waits until FD shows one of EVENTS, an error or a hang-up. */
static void peer_await(int fd, int events, const char *what)
{
    int64_t deadline = kit_deadline();

    while (!kit_stream_turn(fd, events, deadline))
        if (kit_is_over(deadline))
            kit_fail("the other end does not %s", what);
}

int kit_accept(int listener)
{
    peer_await(listener, POLLIN, "connect");
    return peer_register(accept(listener, NULL, NULL), "accept");
}

static int peer_connect(const void *address, socklen_t length, int family)
{
    int fd = peer_register(socket(family, SOCK_STREAM, 0), "socket");

    if (connect(fd, address, length) < 0)
        kit_fail("connect: %s", strerror(errno));
    return fd;
}

int kit_connect(uint16_t port)
{
    struct sockaddr_in address = peer_loopback(port);

    return peer_connect(&address, sizeof address, AF_INET);
}

int kit_connect_unix(const char *path)
{
    struct sockaddr_un address = peer_path(path);

    return peer_connect(&address, sizeof address, AF_UNIX);
}

void kit_send(int fd, const void *bytes, size_t n)
{
    const char *next = bytes;

    while (n > 0) {
        ssize_t sent = send(fd, next, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            next += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN) {
            peer_await(fd, POLLOUT, "read");
        } else if (errno != EINTR) {
            kit_fail("send: %s", strerror(errno));
        }
    }
}

ssize_t kit_receive(int fd, void *bytes, size_t n)
{
    ssize_t received;

    while ((received = recv(fd, bytes, n, MSG_DONTWAIT)) < 0 && errno != ECONNRESET) {
        if (errno != EAGAIN && errno != EINTR)
            kit_fail("recv: %s", strerror(errno));
        peer_await(fd, POLLIN, "write");
    }
    return received;
}

void kit_receive_all(int fd, void *bytes, size_t n)
{
    char *next = bytes;

    while (n > 0) {
        ssize_t received = kit_receive(fd, next, n);

        if (received <= 0) {
            kit_show("received", bytes, (size_t)(next - (char *)bytes));
            kit_fail("%s, and %zu bytes are missing", received == 0 ? "the end" : "a reset", n);
        }
        next += received;
        n -= (size_t)received;
    }
}

void kit_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}
