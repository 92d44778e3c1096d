/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/inside.h"
#include "kit/kit.h"

const char *kit_target(uint16_t port)
{
    static char text[32];

    snprintf(text, sizeof text, "127.0.0.1:%u", port);
    return text;
}

int kit_bind(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = peer_register(socket(AF_INET, type, 0), "socket");

    if (bind(fd, (struct sockaddr *)&address, length) < 0)
        kit_fail("bind: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    return fd;
}

/* Stores what stands in LIST, up to its NULL, behind the N arguments that are there, and at last
 * the target. */
static void client_collect(const char *argv[CHILD_ARGS], int n, va_list list, uint16_t port)
{
    const char *word;

    while ((word = va_arg(list, const char *))) {
        assert_true(n < CHILD_ARGS - 2);
        argv[n++] = word;
    }
    argv[n++] = kit_target(port);
    argv[n] = NULL;
}

static int client_accept(int listener)
{
    int server = kit_accept(listener);

    close(listener);
    return server;
}

struct kit_process *kit_client(int *server, ...)
{
    const char *argv[CHILD_ARGS] = {"pollspin"};
    struct kit_process *process;
    uint16_t port;
    int listener = kit_listen(&port);
    va_list list;

    va_start(list, server);
    client_collect(argv, 1, list, port);
    va_end(list);
    process = kit_start(argv);
    *server = client_accept(listener);
    return process;
}

struct kit_process *kit_client_in_shell(int *server, const char *script, ...)
{
    const char *argv[CHILD_ARGS] = {"sh", "-c", script, kit_program("pollspin")};
    struct kit_process *process;
    uint16_t port;
    int listener = kit_listen(&port);
    va_list list;

    va_start(list, script);
    client_collect(argv, 4, list, port);
    va_end(list);
    process = kit_start(argv);
    *server = client_accept(listener);
    return process;
}

struct kit_terminal *kit_client_on_terminal(int *server, ...)
{
    const char *argv[CHILD_ARGS] = {"pollspin", "--plain"};
    struct kit_terminal *terminal;
    uint16_t port;
    int listener = kit_listen(&port);
    va_list list;

    va_start(list, server);
    client_collect(argv, 2, list, port);
    va_end(list);
    terminal = kit_terminal(24, 80, argv);
    *server = client_accept(listener);
    return terminal;
}

void kit_end_saying(struct kit_process *process, int status, const char *text)
{
    int ended = kit_end(process);
    const char *error = kit_stderr(process);
    const char *newline = strchr(error, '\n');

    if (ended == status && strstr(error, text) && newline && newline[1] == '\0')
        return;
    kit_show("standard error", error, strlen(error));
    kit_fail("ended with %d, not with %d and one line that says \"%s\"", ended, status, text);
}
