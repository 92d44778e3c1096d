/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measurements of the full screen share: what a process has cost, a server that floods,
 * and a spinner that is watched where a person would see it, on the screen of a terminal.
 *
 * That screen is one of our own beside the kit's: the kit shows bytes to an observer before its own
 * screen has them, and a frame's time is that of the read that brought it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { BENCH_ROWS = 24, BENCH_COLUMNS = 80, BENCH_FRAME = 16 };

/* Processor time of a process, of the user and the system, in nanoseconds. */
static inline int64_t bench_cpu(pid_t pid)
{
    struct timespec time;
    clockid_t clock;

    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    assert_int_equal(clock_gettime(clock, &time), 0);
    return time.tv_sec * CLOCK_SECOND + time.tv_nsec;
}

/* Returns in kB what /proc/PID/status says of NAME, "VmHWM:" or "VmRSS:". */
static inline long bench_memory(pid_t pid, const char *name)
{
    char path[64];
    char line[256];
    long kb = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (kb < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), "%ld", &kb);
    fclose(file);
    return kb;
}

static inline double bench_milliseconds(int64_t ns)
{
    return (double)ns / (double)CLOCK_MILLISECOND;
}

static inline double bench_seconds(int64_t ns)
{
    return (double)ns / (double)CLOCK_SECOND;
}

/* ---- a flood ---- */

enum { FLOOD_LINE = 72, FLOOD_CHUNK = 1 << 18 };

/* Behind all lines. No capital letter is in one of them, so that a screen which is brought up to
 * date cell by cell writes it in one piece, too. */
#define FLOOD_END "THE-LAST-LINE"

/* What the server tells while it sends. */
struct flood {
    int64_t begun;
    int64_t longest; /* between two sends that succeeded */
    int64_t sent;    /* bytes */
    bool is_enough;  /* set by the other side: it is to send the last line and end */
};

/* Returns memory that a child shares. */
static inline struct flood *flood_new(void)
{
    struct flood *flood =
        mmap(NULL, sizeof *flood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(flood != MAP_FAILED);
    return flood;
}

/* Returns COUNT lines, each with its number, which the caller frees. */
static inline char *flood_lines(long count)
{
    static const char words[] = "of a flood, as long as lines of text mostly are, no longer";
    char *lines = malloc((size_t)count * FLOOD_LINE + 1);

    _Static_assert(sizeof "line 1234567 " - 1 + sizeof words == FLOOD_LINE, "a line is that long");
    assert_non_null(lines);
    for (long i = 0; i < count; i++)
        snprintf(lines + i * FLOOD_LINE, FLOOD_LINE + 1, "line %07ld %s\n", i % 10000000, words);
    return lines;
}

static inline void flood_send(struct flood *flood, int fd, const char *bytes, size_t n)
{
    int64_t last = clock_now();
    int64_t now;

    while (n > 0) {
        ssize_t sent = send(fd, bytes, n < FLOOD_CHUNK ? n : FLOOD_CHUNK, MSG_NOSIGNAL);

        if (sent < 0)
            _exit(0);
        now = clock_now();
        if (now - last > flood->longest)
            flood->longest = now - last;
        last = now;
        bytes += sent;
        n -= (size_t)sent;
        flood->sent += sent;
    }
}

/* Sends COUNT lines TIMES times to FD as fast as they are taken, or 0 for until it is enough, and
 * FLOOD_END. It does so in a process of its own, which ends when the other side has gone, so that
 * it does not keep the terminal waiting. */
static inline pid_t flood_start(struct flood *flood, int fd, const char *lines, long count,
                                int times)
{
    static const char end[] = FLOOD_END "\n";
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    flood->begun = clock_now();
    for (int i = 0; times > 0 ? i < times : !__atomic_load_n(&flood->is_enough, __ATOMIC_SEQ_CST);
         i++)
        flood_send(flood, fd, lines, (size_t)count * FLOOD_LINE);
    flood_send(flood, fd, end, sizeof end - 1);
    for (char byte; recv(fd, &byte, 1, 0) > 0;)
        continue;
    _exit(0);
}

static inline void flood_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- a spinner ---- */

/* The frames of a spinner at the beginning of a row. Each one that differs from the one before it
 * counts, with the time of the read that brought it. */
struct motion {
    VTerm *vterm;
    VTermScreen *screen;
    int row;
    int width;
    const char *glyphs; /* of which its frames are made */
    char shown[BENCH_FRAME + 1];
    int64_t first;
    int64_t last;
    int64_t longest;
    int frames;
};

static inline uint32_t motion_cell(const struct motion *motion, int row, int column)
{
    VTermPos position = {.row = row, .col = column};
    VTermScreenCell cell;

    return vterm_screen_get_cell(motion->screen, position, &cell) ? cell.chars[0] : 0;
}

static inline bool motion_read(const struct motion *motion, char *frame)
{
    for (int i = 0; i < motion->width; i++) {
        uint32_t c = motion_cell(motion, motion->row, i);

        if (c == 0 || c > 0x7f || !strchr(motion->glyphs, (int)c))
            return false;
        frame[i] = (char)c;
    }
    frame[motion->width] = '\0';
    return true;
}

static inline void motion_note_gap(struct motion *motion, int64_t now)
{
    if (now - motion->last > motion->longest)
        motion->longest = now - motion->last;
}

static inline void motion_note(struct motion *motion, int64_t now)
{
    char frame[BENCH_FRAME + 1];

    if (!motion_read(motion, frame) || strcmp(frame, motion->shown) == 0)
        return;
    motion_note_gap(motion, now);
    if (motion->frames++ == 0)
        motion->first = now;
    motion->last = now;
    strcpy(motion->shown, frame);
}

/* A kit_observer. */
static inline void motion_on_output(void *context, const char *bytes, size_t n, int64_t now)
{
    struct motion *motion = context;

    vterm_input_write(motion->vterm, bytes, n);
    motion_note(motion, now);
}

/* Forgets the frames so far; the first gap begins now. */
static inline void motion_restart(struct motion *motion)
{
    motion->last = clock_now();
    motion->longest = 0;
    motion->frames = 0;
}

static inline double motion_mean(const struct motion *motion)
{
    if (motion->frames < 2)
        return 0;
    return bench_milliseconds(motion->last - motion->first) / (motion->frames - 1);
}

/* Watches the classic spinner, or the one of WIDTH columns made of GLYPHS, at the beginning of the
 * last row but one of TERMINAL, which is that of the only connection or of the last. */
static inline void motion_start(struct motion *motion, struct kit_terminal *terminal)
{
    size_t n;
    const char *bytes = kit_raw(terminal, &n);

    motion->vterm = vterm_new(BENCH_ROWS, BENCH_COLUMNS);
    vterm_set_utf8(motion->vterm, 1);
    motion->screen = vterm_obtain_screen(motion->vterm);
    vterm_screen_enable_altscreen(motion->screen, 1);
    vterm_screen_reset(motion->screen, 1);
    motion->row = BENCH_ROWS - 2;
    if (motion->width == 0) {
        motion->width = 10;
        motion->glyphs = ".|";
    }
    vterm_input_write(motion->vterm, bytes, n);
    kit_observe(terminal, motion_on_output, motion);
    motion_restart(motion);
}

/* The last gap ends now. */
static inline void motion_end(struct motion *motion)
{
    motion_note_gap(motion, clock_now());
    vterm_free(motion->vterm);
}

#endif
