/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One destination of four that takes nothing: what do the other three get? All that comes through a
 * pipe is read at once from three fifos (of ncat(1), which knows none: sockets); the fourth is
 * open, and nobody reads. It is over when the three have got all, or nothing for a second.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/copy.h"

enum { OUTLETS = 4, READ_SIZE = 64 * 1024, SILENCE_MS = 1000, BYTES = 64 * 1024 * 1024 };

#define SOURCE   "source"
#define PATIENCE (10 * CLOCK_SECOND)

struct stalled_row {
    struct copier copier;
    bool is_broker; /* DEST0 is a port; all are its clients, the writer, too */
    bool none_stalls;
};

static const struct stalled_row stalled_rows[] = {
    {{"pollcopy, none stalled",
      {"pollcopy", "-q", "--slow=detach=0", "--fan", "-", "DEST0", "DEST1", "DEST2", "DEST3"},
      NULL,
      NULL},
     false,
     true},
    {{"pollcopy, detach=0",
      {"pollcopy", "-q", "--slow=detach=0", "--fan", "-", "DEST0", "DEST1", "DEST2", "DEST3"},
      NULL,
      NULL},
     false,
     false},
    {{"pollcopy, drop",
      {"pollcopy", "-q", "--slow=drop", "--fan", "-", "DEST0", "DEST1", "DEST2", "DEST3"},
      NULL,
      NULL},
     false,
     false},
    {{"tee", {"tee", "DEST0", "DEST1", "DEST2", "DEST3"}, NULL, NULL}, false, false},
    {{"pee", {"pee", "cat >DEST0", "cat >DEST1", "cat >DEST2", "cat >DEST3"}, NULL, NULL},
     false,
     false},
    {{"mbuffer",
      {"mbuffer", "-q", "-f", "-o", "DEST0", "-o", "DEST1", "-o", "DEST2", "-o", "DEST3"},
      NULL,
      NULL},
     false,
     false},
    {{"ncat --broker", {"ncat", "-l", "--broker", "127.0.0.1", "DEST0"}, NULL, NULL}, true, false},
};

enum { STALLED_ROWS = sizeof stalled_rows / sizeof *stalled_rows };

struct stalled {
    const struct stalled_row *row;
    struct lane lanes[OUTLETS];
    int fds[OUTLETS]; /* -1: at its end */
    uint64_t got[OUTLETS];
    pid_t writer;
    pid_t copier;
};

/* ---- the other ends ---- */

static int outlet_open(const char *path)
{
    int fd;

    must(mkfifo(path, 0600) == 0, path);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    must(fd >= 0, path);
    return fd;
}

/* A port that is free now. */
static void port_name(char name[NAME_SIZE])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 && bind(fd, (const struct sockaddr *)&address, length) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &length) == 0,
         "bind");
    close(fd);
    snprintf(name, NAME_SIZE, "%u", ntohs(address.sin_port));
}

/* Tries until somebody listens. */
static int client_open(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int64_t begun = clock_now();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        must(clock_now() - begun < PATIENCE, port);
        close(fd); /* one that was refused may not be tried again everywhere */
        poll(NULL, 0, 10);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    return fd;
}

/* The broker has a client when a byte of that comes to the first. */
static void clients_open(int fds[OUTLETS], const char *port)
{
    char byte;

    for (int i = 0; i < OUTLETS; i++) {
        fds[i] = client_open(port);
        bare_write(fds[i], "x", 1);
        must(i == 0 || read(fds[0], &byte, 1) == 1, "read");
    }
}

static void client_write(const char *path)
{
    static char block[READ_SIZE];
    int fd = client_open(path);

    memset(block, 'x', sizeof block);
    for (int i = 0; i < BYTES / READ_SIZE; i++)
        bare_write(fd, block, sizeof block);
}

static pid_t client_start(const char *path)
{
    pid_t pid = fork();

    must(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    client_write(path);
    _exit(0);
}

/* ---- one run ---- */

static void stalled_name(struct stalled *stalled)
{
    for (int i = 0; i < OUTLETS; i++) {
        snprintf(stalled->lanes[i].source, NAME_SIZE, SOURCE);
        snprintf(stalled->lanes[i].dest, NAME_SIZE, "dest%d", i);
    }
}

static void broker_start(struct stalled *stalled)
{
    struct lane *lane = &stalled->lanes[0];

    snprintf(lane->source, NAME_SIZE, "/dev/null");
    port_name(lane->dest);
    stalled->copier = copier_start(&stalled->row->copier, lane, 1);
    clients_open(stalled->fds, lane->dest);
    stalled->writer = client_start(lane->dest);
}

static void stalled_start(struct stalled *stalled)
{
    for (int i = 0; i < OUTLETS; i++)
        stalled->fds[i] = outlet_open(stalled->lanes[i].dest);
    stalled->writer = writer_start(SOURCE, BYTES);
    stalled->copier = copier_start(&stalled->row->copier, stalled->lanes, 1);
}

static void outlet_read(struct stalled *stalled, int i)
{
    static char block[READ_SIZE];
    ssize_t n = read(stalled->fds[i], block, sizeof block);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        stalled->got[i] += (uint64_t)n;
        return;
    }
    close(stalled->fds[i]);
    stalled->fds[i] = -1;
}

/* Reads what comes for all but the last, or that, too. Returns when somebody last got something. */
static int64_t stalled_read(struct stalled *stalled)
{
    int count = stalled->row->none_stalls ? OUTLETS : OUTLETS - 1;
    int64_t last = clock_now();
    struct pollfd fds[OUTLETS];

    for (;;) {
        bool is_over = true;

        for (int i = 0; i < count; i++) {
            fds[i] = (struct pollfd){.fd = stalled->fds[i], .events = POLLIN};
            is_over = is_over && (stalled->fds[i] < 0 || stalled->got[i] >= BYTES);
        }
        if (is_over || poll(fds, (nfds_t)count, SILENCE_MS) <= 0)
            return last;
        for (int i = 0; i < count; i++)
            if (fds[i].revents)
                outlet_read(stalled, i);
        last = clock_now();
    }
}

static void stalled_end(struct stalled *stalled)
{
    process_kill(stalled->writer); /* or it would complain that nobody reads */
    process_kill(stalled->copier);
    for (int i = 0; i < OUTLETS; i++) {
        if (stalled->fds[i] >= 0)
            close(stalled->fds[i]);
        unlink(stalled->lanes[i].dest);
    }
}

static void stalled_print(const struct stalled *stalled, int64_t ns)
{
    uint64_t least = BYTES;

    for (int i = 0; i < OUTLETS - 1; i++)
        if (stalled->got[i] < least)
            least = stalled->got[i];
    printf("    %-24s %8.2f MiB %8.3f s%s\n", stalled->row->copier.name,
           (double)least / (1024 * 1024), (double)ns / (double)CLOCK_SECOND,
           least < BYTES ? ", then nothing for a second" : "");
    fflush(stdout);
}

static void stalled_run(const struct stalled_row *row)
{
    static struct stalled stalled;
    int64_t begun;

    stalled = (struct stalled){.row = row};
    stalled_name(&stalled);
    must(mkfifo(SOURCE, 0600) == 0, SOURCE);
    begun = clock_now();
    if (row->is_broker)
        broker_start(&stalled);
    else
        stalled_start(&stalled);
    stalled_print(&stalled, stalled_read(&stalled) - begun);
    stalled_end(&stalled);
    unlink(SOURCE);
}

void bench_stalled(void)
{
    printf(
        "one of four destinations takes nothing, 64 MiB through a pipe: each of the others gets\n");
    fflush(stdout);
    for (int i = 0; i < STALLED_ROWS; i++)
        if (copier_is_here(&stalled_rows[i].copier))
            stalled_run(&stalled_rows[i]);
        else
            printf("    left out: %s is not here\n", stalled_rows[i].copier.name);
    fflush(stdout);
}
