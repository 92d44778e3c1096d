/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo service: sends back what it receives, in order, nothing lost (RFC 862).
 *
 * A client that sends but does not read fills its queue; then it is not read from until the queue
 * is empty, TCP makes it wait, and the memory stays bounded. At its end the rest is sent, and then
 * an end.
 */
#include "config.h"

#include "service/server.h"

/* Room for what one reading brings is kept free: what has been read must be taken. */
enum { ECHO_RESERVE = CONN_READ_MAX, ECHO_QUEUE = 4 * CONN_READ_MAX };

static void echo_on_data(struct client *client, const char *bytes, size_t n)
{
    conn_write(&client->conn, bytes, n);
    if (conn_room(&client->conn) < ECHO_RESERVE)
        conn_pause(&client->conn, true);
}

static void echo_on_drained(struct client *client)
{
    conn_pause(&client->conn, false);
}

static void echo_on_end(struct client *client)
{
    conn_finish(&client->conn);
}

const struct service service_echo = {
    .name = "echo",
    .port = 10001,
    .summary = "sends back what it receives",
    .client_size = sizeof(struct client),
    .queue_max = ECHO_QUEUE,
    .on_data = echo_on_data,
    .on_end = echo_on_end,
    .on_drained = echo_on_drained,
};
