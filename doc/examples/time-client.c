/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the lines of a delay server, and turns a spinner while none comes: one wait for both.
 *
 *     cc time-client.c $(pkg-config --cflags --libs pollspin) -o time-client
 *     ./time-client localhost 51423
 *
 * Each line puts off the next frame: poll-by-library.c shows a spinner that keeps its pace.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pollspin/poller.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const int64_t frame_ns = INT64_C(50000000);

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* Tries the addresses of HOST one after the other. This much still blocks. */
static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int error = getaddrinfo(host, port, &hints, &addresses);
    int fd = -1;

    if (error != 0) {
        fprintf(stderr, "%s: %s\n", host, gai_strerror(error));
        exit(EXIT_FAILURE);
    }
    for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            error = errno;
            close(fd);
            fd = -1;
            errno = error;
        }
    }
    if (fd < 0)
        fail(host);
    freeaddrinfo(addresses);
    return fd;
}

/* Prints what has come. Returns 0 at the end of it. */
static int print_some(int fd)
{
    char bytes[4096];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1; /* select(2), BUGS: what was ready need not be so any more */
    if (n < 0)
        fail("read");
    if (fwrite(bytes, 1, (size_t)n, stdout) < (size_t)n || fflush(stdout) == EOF)
        fail("standard output");
    return n > 0;
}

int main(int argc, char **argv)
{
    int fd = dial(argc > 1 ? argv[1] : "localhost", argc > 2 ? argv[2] : "51423");
    struct poller *poller = poller_open(NULL);
    struct poller_event event;
    unsigned turn = 0;
    int n;

    if (!poller)
        fail("poller_open");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || poller_add(poller, fd, POLLER_IN, NULL) < 0)
        fail("poller_add");
    do {
        n = poller_wait(poller, &event, 1, frame_ns);
        if (n < 0)
            fail("poller_wait");
        if (n == 0)
            fprintf(stderr, "%c\b", "|/-\\"[turn++ % 4]);
    } while (n == 0 || print_some(fd));
    poller_close(poller);
    close(fd);
    return EXIT_SUCCESS;
}
