/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the lines of the delay server on this machine, and turns a spinner while none comes: one
 * wait for both.
 *
 *     cc time-client.c $(pkg-config --cflags --libs pollspin) -o time-client
 *     ./time-client 51423
 *
 * Each line puts off the next frame: poll-by-library.c shows a spinner that keeps its pace.
 */
#include <arpa/inet.h>
#include <pollspin/poller.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int went_well, const char *what)
{
    if (!went_well) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 51423),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct poller *poller = poller_open(NULL);
    struct poller_event event;
    char bytes[4096];
    unsigned turn = 0;
    ssize_t n = 1;

    check(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    check(poller && poller_add(poller, fd, POLLER_IN, NULL) == 0, "poller");
    while (n > 0) {
        int ready = poller_wait(poller, &event, 1, 50000000);

        check(ready >= 0, "poller_wait");
        if (ready == 0) {
            fprintf(stderr, "%c\b", "|/-\\"[turn++ % 4]);
        } else {
            check((n = read(fd, bytes, sizeof bytes)) >= 0, "read");
            check(write(STDOUT_FILENO, bytes, (size_t)n) == n, "write");
        }
    }
    poller_close(poller);
    close(fd);
}
