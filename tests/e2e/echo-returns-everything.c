/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo service returns what it received: every byte, in order, whatever the speed at which the
 * client reads, with bounded memory, and then an end.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "e2e/backends.h"

enum { CHUNK = 16 * 1024, STALL_MS = 300 };

/* A stream of bytes that is the same whenever it is begun with the same state. */
struct noise {
    uint64_t state;
};

static void noise_fill(struct noise *noise, char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        noise->state ^= noise->state << 13;
        noise->state ^= noise->state >> 7;
        noise->state ^= noise->state << 17;
        bytes[i] = (char)noise->state;
    }
}

/* One client: what it still has to send, and what it expects back. */
struct client {
    int fd;
    struct noise sent;
    struct noise expected;
    size_t to_send;
    size_t to_receive;
    char chunk[CHUNK];
    size_t chunk_start;
    size_t chunk_length;
};

/* Its own buffers are small, so that what it does not read waits in the server. */
static void client_start(struct client *client, uint16_t port, size_t size)
{
    int buffer = 64 * 1024;

    *client = (struct client){.fd = kit_connect(port),
                              .sent = {.state = 88172645463325252},
                              .expected = {.state = 88172645463325252},
                              .to_send = size,
                              .to_receive = size};
    setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
}

static void client_fill(struct client *client)
{
    client->chunk_start = 0;
    client->chunk_length = client->to_send < CHUNK ? client->to_send : CHUNK;
    noise_fill(&client->sent, client->chunk, client->chunk_length);
}

/* Sends some; at the end, half-closes. */
static void client_send(struct client *client)
{
    ssize_t n;

    if (client->chunk_start == client->chunk_length)
        client_fill(client);
    n = send(client->fd, client->chunk + client->chunk_start,
             client->chunk_length - client->chunk_start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        assert_true(errno == EAGAIN);
    if (n <= 0)
        return;
    client->chunk_start += (size_t)n;
    client->to_send -= (size_t)n;
    if (client->to_send == 0)
        shutdown(client->fd, SHUT_WR);
}

static void client_receive(struct client *client)
{
    char received[CHUNK];
    char expected[CHUNK];
    ssize_t n = recv(client->fd, received, sizeof received, MSG_DONTWAIT);

    if (n < 0)
        assert_true(errno == EAGAIN);
    if (n <= 0)
        return;
    assert_true((size_t)n <= client->to_receive);
    noise_fill(&client->expected, expected, (size_t)n);
    assert_memory_equal(received, expected, (size_t)n);
    client->to_receive -= (size_t)n;
}

/* Waits until EVENTS or for MS milliseconds; returns what came. */
static int client_wait(const struct client *client, short events, int ms)
{
    struct pollfd pollfd = {.fd = client->fd, .events = events};

    assert_true(poll(&pollfd, 1, ms) >= 0);
    return pollfd.revents;
}

/* Sends without reading until the server takes no more. */
static void client_fill_the_way(struct client *client)
{
    while (client->to_send > 0 && client_wait(client, POLLOUT, STALL_MS))
        client_send(client);
}

static void client_finish(struct client *client)
{
    char byte;

    while (client->to_receive > 0) {
        short wanted = client->to_send > 0 ? POLLIN | POLLOUT : POLLIN;
        int ready = client_wait(client, wanted, (int)(KIT_DEADLINE_NS / 1000000));

        assert_true(ready != 0);
        if (ready & POLLIN)
            client_receive(client);
        if (client->to_send > 0 && ready & POLLOUT)
            client_send(client);
    }
    assert_int_equal(kit_receive(client->fd, &byte, 1), 0);
}

static void every_byte_comes_back(void **state)
{
    enum { SIZE = 64 * 1024 * 1024 };
    const char *backend = backend_of(state);
    static struct client client;
    uint16_t port;

    kit_server(&port, "-b", backend, "echo@0", NULL);
    client_start(&client, port, SIZE);
    client_finish(&client);
}

static void slow_reader_costs_bounded_memory(void **state)
{
    enum { CLIENTS = 8, SIZE = 24 * 1024 * 1024, BOUND = 8 * 1024 * 1024 };
    const char *backend = backend_of(state);
    static struct client clients[CLIENTS];
    struct kit_process *server;
    uint16_t port;
    size_t before;

    server = kit_server(&port, "-b", backend, "echo@0", NULL);
    before = kit_memory(kit_pid(server));
    for (int i = 0; i < CLIENTS; i++) {
        client_start(&clients[i], port, SIZE);
        client_fill_the_way(&clients[i]);
        assert_true(clients[i].to_send > 0);
    }
    print_message("%s: %d clients that do not read: %zu KiB more\n", backend, CLIENTS,
                  (kit_memory(kit_pid(server)) - before) / 1024);
    if (!kit_is_instrumented())
        assert_true(kit_memory(kit_pid(server)) < before + BOUND);
    for (int i = 0; i < CLIENTS; i++)
        client_finish(&clients[i]);
}

static void end_alone_is_answered_by_an_end(void **state)
{
    const char *backend = backend_of(state);
    struct kit_process *server;
    uint16_t port;
    char byte;
    int fd;

    server = kit_server(&port, "-b", backend, "echo@0", NULL);
    fd = kit_connect(port);
    shutdown(fd, SHUT_WR);
    assert_int_equal(kit_receive(fd, &byte, 1), 0);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, " 0 bytes in, 0 bytes out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(every_byte_comes_back),
        ON_EVERY_BACKEND(slow_reader_costs_bounded_memory),
        ON_EVERY_BACKEND(end_alone_is_answered_by_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
