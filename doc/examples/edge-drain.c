/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads several fifos to their ends, edge-triggered, and counts what came.
 *
 *     cc edge-drain.c $(pkg-config --cflags --libs pollspin) -o edge-drain
 *     mkfifo a b; ./edge-drain a b & cat edge-drain.c >a; echo hello >b
 *
 * An edge is told once. So whoever was told reads until EAGAIN: what is left unread without that
 * would wait for an edge that need not come. And one fast writer must not keep us in its fifo for
 * ever: each source that is not dry yet gets one read in a turn, and the wait does not wait.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <pollspin/poller.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct source {
    const char *name;
    int fd;
    bool has_more; /* told, and not read until EAGAIN */
    unsigned long long bytes;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void source_open(struct source *source, struct poller *poller, const char *name)
{
    source->name = name;
    source->fd = open(name, O_RDONLY | O_NONBLOCK);
    if (source->fd < 0 || poller_add(poller, source->fd, POLLER_IN | POLLER_EDGE, source) < 0)
        fail(name);
}

/* Reads once. Returns how many sources have come to their end by it. */
static int source_read(struct source *source, struct poller *poller)
{
    char bytes[4096];
    ssize_t n = read(source->fd, bytes, sizeof bytes);

    if (n > 0)
        source->bytes += (unsigned long long)n;
    if (n > 0 || (n < 0 && errno == EINTR))
        return 0;
    source->has_more = false;
    if (n < 0 && errno == EAGAIN)
        return 0; /* dry: the next byte is a new edge */
    if (n < 0)
        fail(source->name);
    poller_remove(poller, source->fd); /* before close(2): see poller(3) */
    close(source->fd);
    printf("%s: %llu bytes\n", source->name, source->bytes);
    return 1;
}

/* Asks who has something new; waits for that only where nobody has something old. */
static void wait_for_edges(struct poller *poller, bool is_busy)
{
    struct poller_event events[16];
    int n = poller_wait(poller, events, 16, is_busy ? 0 : -1);

    if (n < 0)
        fail("poller_wait");
    for (int i = 0; i < n; i++)
        ((struct source *)events[i].data)->has_more = true;
}

int main(int argc, char **argv)
{
    struct source *sources = calloc((size_t)argc, sizeof *sources);
    struct poller *poller = poller_open(NULL);
    bool is_busy = false;
    int open_sources = argc - 1;

    if (!poller || !sources)
        fail("poller_open");
    if (!poller_supports(poller, POLLER_EDGE)) {
        fprintf(stderr, "%s knows states only, not edges\n", poller_name(poller));
        poller_close(poller);
        free(sources);
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++)
        source_open(&sources[i], poller, argv[i]);
    while (open_sources > 0) {
        wait_for_edges(poller, is_busy);
        is_busy = false;
        for (int i = 1; i < argc; i++) {
            if (sources[i].has_more)
                open_sources -= source_read(&sources[i], poller);
            is_busy |= sources[i].has_more;
        }
    }
    poller_close(poller);
    free(sources);
    return EXIT_SUCCESS;
}
