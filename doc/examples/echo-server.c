/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Returns to each client what it sends, as fast as the client takes it, and closes when the client
 * has half-closed and has got everything.
 *
 *     cc echo-server.c $(pkg-config --cflags --libs pollspin) -o echo-server
 *     ./echo-server 7777 & echo hello | nc -N 127.0.0.1 7777
 *
 * A client that sends and does not read fills its own 4096 bytes here, is not read any more, and so
 * fills the socket's buffers and has to wait itself: backpressure. When all places are taken the
 * next client waits in the queue of listen(2).
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pollspin/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct watch watch; /* not started: the place is free */
    char bytes[4096];
    size_t from;
    size_t to;
    bool is_over; /* it sends no more */
};

static struct loop *loop;
static struct watch listener;
static struct timer rest;
static struct client clients[500];

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* What is wanted follows from the state: to write what is there, and only then to read more. */
static void client_want(struct client *client)
{
    if (client->from < client->to)
        watch_want(&client->watch, POLLER_OUT);
    else if (!client->is_over)
        watch_want(&client->watch, POLLER_IN);
    else
        watch_close(&client->watch, NULL); /* at the end of the turn; then the place is free */
}

static void client_read(struct client *client)
{
    ssize_t n = read(client->watch.fd, client->bytes, sizeof client->bytes);

    client->from = 0;
    client->to = n > 0 ? (size_t)n : 0;
    client->is_over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void client_write(struct client *client)
{
    ssize_t n = write(client->watch.fd, client->bytes + client->from, client->to - client->from);

    if (n > 0) {
        client->from += (size_t)n;
    } else if (errno != EAGAIN && errno != EINTR) {
        client->from = client->to; /* it is gone, and with it what it did not take */
        client->is_over = true;
    }
}

/* A hang-up and an error need no branch of their own: the read or the write finds out. */
static void client_serve(void *owner, unsigned ready)
{
    struct client *client = owner;

    if (ready & POLLER_INVALID) {
        client->from = client->to;
        client->is_over = true;
    } else if (client->from < client->to) {
        client_write(client);
    } else {
        client_read(client);
    }
    client_want(client);
}

static void listen_again(void *owner)
{
    (void)owner;
    watch_want(&listener, POLLER_IN);
}

static struct client *client_place(void)
{
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        if (!clients[i].watch.loop)
            return &clients[i];
    return NULL;
}

/* Without a place, or a descriptor, for the client it stays in the queue and the listener stays
 * readable: to ask again at once would spin. */
static void accept_one(void *owner, unsigned ready)
{
    const int64_t rest_ns = INT64_C(100000000);
    struct client *client = client_place();
    int fd = client ? accept(listener.fd, NULL, NULL) : -1;

    (void)owner;
    (void)ready;
    if (fd < 0) {
        watch_want(&listener, 0);
        if (timer_after(&rest, rest_ns) < 0)
            fail("timer_after");
        return;
    }
    client->from = client->to = 0;
    client->is_over = false;
    watch_init(&client->watch, client_serve, client);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || watch_start(&client->watch, loop, fd, POLLER_IN) < 0)
        close(fd); /* a number that select(2) cannot hold, for one */
}

static void stop(void *owner, int signo)
{
    (void)owner;
    (void)signo;
    loop_stop(loop);
}

static void listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, SOMAXCONN) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        fail("listen");
    watch_init(&listener, accept_one, NULL);
    if (watch_start(&listener, loop, fd, POLLER_IN) < 0)
        fail("watch_start");
    printf("echo listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    if (fflush(stdout) == EOF)
        fail("standard output");
}

int main(int argc, char **argv)
{
    loop = loop_new(NULL);
    if (!loop)
        fail("loop_new");
    signal(SIGPIPE, SIG_IGN); /* write(2) then says EPIPE */
    timer_init(&rest, loop, listen_again, NULL);
    listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    if (loop_signal(loop, SIGINT, stop, NULL) < 0 || loop_signal(loop, SIGTERM, stop, NULL) < 0)
        fail("loop_signal");
    if (loop_run(loop) < 0)
        fail("loop_run");
    loop_free(loop);
    return EXIT_SUCCESS;
}
