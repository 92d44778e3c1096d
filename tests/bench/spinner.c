/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the spinner keep its time? pollspin runs on a terminal for ten seconds each of silence, a
 * line every 30 ms, and 100,000 lines a second; every frame is noted with the moment at which the
 * terminal got it.
 *
 *     make bench        prints the table that README quotes
 *
 * A frame counts when it differs from the one before it: the same one painted again below new lines
 * is no sign of life. Times are of this machine on this day; nothing is asserted.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { CELLS = 10, LOADS = 3 };

#define SECONDS   10
#define FLOOD     100000
#define CHATTER   (30 * CLOCK_MILLISECOND)
#define BURST     CLOCK_MILLISECOND
#define LINE_TEXT "a line of a flood, as long as lines of text mostly are: sixty-four bytes\n"

struct watcher {
    char run[CELLS + 1]; /* the bytes since the last CR, as far as they look like a frame */
    size_t length;
    int shown; /* where the bar stood in the last frame; -1: none yet */
    int64_t last;
    int64_t first;
    int64_t longest;
    int frames;
    int lines;
};

static void note_frame(struct watcher *watcher, int bar, int64_t now)
{
    if (bar == watcher->shown)
        return;
    if (watcher->shown >= 0 && now - watcher->last > watcher->longest)
        watcher->longest = now - watcher->last;
    if (watcher->frames++ == 0)
        watcher->first = now;
    watcher->shown = bar;
    watcher->last = now;
}

static void look_at_run(struct watcher *watcher, int64_t now)
{
    const char *bar = memchr(watcher->run, '|', watcher->length);

    if (watcher->length == CELLS && bar)
        note_frame(watcher, (int)(bar - watcher->run), now);
}

static void on_output(void *context, const char *bytes, size_t n, int64_t now)
{
    struct watcher *watcher = context;

    for (size_t i = 0; i < n; i++) {
        watcher->lines += bytes[i] == '\n';
        if (bytes[i] == '\r') {
            look_at_run(watcher, now);
            watcher->length = 0;
        } else if (watcher->length < CELLS && strchr(".|", bytes[i])) {
            watcher->run[watcher->length++] = bytes[i];
        } else {
            watcher->length = CELLS + 1; /* no frame until the next CR */
        }
    }
}

static void wait_until(int64_t due)
{
    int64_t left = due - clock_now();
    struct timespec time = {.tv_sec = left / CLOCK_SECOND, .tv_nsec = left % CLOCK_SECOND};

    if (left > 0)
        nanosleep(&time, NULL);
}

/* Sends COUNT lines every PERIOD, until the client has gone. Runs in a process of its own, so that
 * it does not keep the terminal waiting. */
static _Noreturn void serve(int listener, int count, int64_t period)
{
    size_t size = (size_t)count * strlen(LINE_TEXT);
    char *lines = malloc(size + 1);
    int fd = accept(listener, NULL, NULL);
    int64_t due = clock_now();

    for (int i = 0; lines && i < count; i++)
        memcpy(lines + (size_t)i * strlen(LINE_TEXT), LINE_TEXT, strlen(LINE_TEXT));
    for (;;) {
        size_t sent = 0;

        wait_until(due);
        due += period;
        while (sent < size) {
            ssize_t n = send(fd, lines + sent, size - sent, MSG_NOSIGNAL);

            if (n < 0)
                _exit(0);
            sent += (size_t)n;
        }
    }
}

static pid_t start_server(int count, int64_t period, uint16_t *port)
{
    int listener = kit_listen(port);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, count, period);
    close(listener);
    return pid;
}

static void print_row(const char *load, const struct watcher *watcher, int64_t cpu)
{
    double mean = (double)(watcher->last - watcher->first) / (watcher->frames - 1);

    printf("%-22s %8d %6d %9.1f ms %9.1f ms %8.2f s\n", load, watcher->lines, watcher->frames,
           mean / (double)CLOCK_MILLISECOND, (double)watcher->longest / (double)CLOCK_MILLISECOND,
           (double)cpu / (double)CLOCK_SECOND);
    fflush(stdout);
}

static void measure(const char *load, const char *backend, int count, int64_t period)
{
    struct watcher watcher = {.shown = -1};
    char target[32];
    uint16_t port;
    pid_t server = start_server(count, period, &port);
    const char *const argv[] = {"pollspin", "--plain", "--backend", backend, target, NULL};
    struct kit_terminal *terminal;

    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    terminal = kit_terminal(24, 80, argv);
    kit_observe(terminal, on_output, &watcher);
    kit_watch(terminal, SECONDS * CLOCK_SECOND);
    print_row(load, &watcher, kit_cpu(kit_terminal_pid(terminal)));
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    kit_cleanup(NULL);
}

static void bench(void **state)
{
    static const char *const backends[] = {"epoll", "poll", "select"};

    (void)state;
    printf("%-22s %8s %6s %12s %12s %10s\n", "load, 10 s each", "lines", "frames", "mean gap",
           "longest gap", "processor");
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        char load[64];

        snprintf(load, sizeof load, "%s, silence", backends[i]);
        measure(load, backends[i], 0, CLOCK_SECOND);
        snprintf(load, sizeof load, "%s, 33 lines/s", backends[i]);
        measure(load, backends[i], 1, CHATTER);
        snprintf(load, sizeof load, "%s, %d lines/s", backends[i], FLOOD);
        measure(load, backends[i], (int)(FLOOD * BURST / CLOCK_SECOND), BURST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(bench, kit_cleanup)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
