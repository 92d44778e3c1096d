/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does a frame of the spinner cost on the full screen, where nothing else happens? Bytes to
 * the terminal, system calls, and processor time.
 *
 *     make bench        prints the tables that the manual quotes
 *
 * Bytes are counted as the terminal reads them, and the screen is looked at after each read: a
 * frame is a read behind which the spinner has changed, and `alone` it is where no other cell of
 * the screen has. The others are those of the times that are shown in seconds; `all` counts these
 * too, and divides by the frames.
 *
 * Calls are counted by strace(1) in a run of its own: a frame is what lies between two waits and
 * writes to the terminal, and the wait is one of its calls. The processor time is the kernel's, of
 * the run without strace.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "bench/bench.h"

enum { CHANNELS = 3, CALLS_MAX = 1000 };

#define CPU_TIME   (30 * CLOCK_SECOND)
#define SHORT_TIME (11 * CLOCK_SECOND)
#define SETTLING   (CLOCK_SECOND)

struct scene {
    const char *name;
    const char *term;
    int channels;
    const char *spinner;
    const char *option; /* one more, or NULL */
    int width;
    const char *glyphs;
};

static const struct scene scenes[] = {
    {"classic", "xterm-256color", 1, "classic", NULL, 10, ".|"},
    {"line", "xterm-256color", 1, "line", NULL, 1, "-\\|/"},
    {"classic, three connections", "xterm-256color", CHANNELS, "classic", NULL, 10, ".|"},
    {"classic, inspector open", "xterm-256color", 1, "classic", "--inspect", 10, ".|"},
};

static const char *const terms[] = {"xterm", "screen-256color", "tmux-256color", "linux", "vt100"};

/* ---- a program on a terminal ---- */

struct stage {
    struct kit_terminal *terminal;
    char targets[CHANNELS][32];
};

/* Starts pollspin with N arguments in front of it, and waits until all its connections are open. */
static void stage_start(struct stage *stage, const struct scene *scene, const char *const *before)
{
    const char *argv[32] = {NULL};
    int listeners[CHANNELS];
    uint16_t port;
    int n = 0;

    while (before && before[n]) {
        argv[n] = before[n];
        n++;
    }
    argv[n++] = before ? kit_program("pollspin") : "pollspin";
    argv[n++] = "--spinner";
    argv[n++] = scene->spinner;
    if (scene->option)
        argv[n++] = scene->option;
    for (int i = 0; i < scene->channels; i++) {
        listeners[i] = kit_listen(&port);
        snprintf(stage->targets[i], sizeof stage->targets[i], "127.0.0.1:%u", port);
        argv[n++] = stage->targets[i];
    }
    kit_env("TERM", scene->term);
    stage->terminal = kit_terminal(BENCH_ROWS, BENCH_COLUMNS, argv);
    for (int i = 0; i < scene->channels; i++)
        kit_accept(listeners[i]);
    kit_await_row(stage->terminal, "  open");
    kit_watch(stage->terminal, SETTLING);
}

/* ---- bytes and processor time ---- */

struct bytes {
    struct motion motion;
    int channels;
    uint32_t cells[BENCH_ROWS][BENCH_COLUMNS]; /* all but the spinners */
    long all;
    long alone;
    long most;
    int frames_alone;
};

/* Notes what every cell shows that is none of a spinner. Returns whether one of them has changed.
 */
static bool look_at_others(struct bytes *bytes)
{
    bool has_changed = false;

    for (int row = 0; row < BENCH_ROWS; row++)
        for (int column = 0; column < BENCH_COLUMNS; column++) {
            bool is_status = row < BENCH_ROWS - 1 && row >= BENCH_ROWS - 1 - bytes->channels;
            uint32_t c = motion_cell(&bytes->motion, row, column);

            if (is_status && column < bytes->motion.width)
                continue;
            has_changed |= c != bytes->cells[row][column];
            bytes->cells[row][column] = c;
        }
    return has_changed;
}

static void bytes_on_output(void *context, const char *data, size_t n, int64_t now)
{
    struct bytes *bytes = context;
    int before = bytes->motion.frames;

    motion_on_output(&bytes->motion, data, n, now);
    bytes->all += (long)n;
    if (look_at_others(bytes) || bytes->motion.frames == before)
        return;
    bytes->alone += (long)n;
    bytes->frames_alone++;
    if ((long)n > bytes->most)
        bytes->most = (long)n;
}

/* Watches for NS nanoseconds; returns the processor time meanwhile. */
static int64_t count_bytes(const struct scene *scene, struct bytes *bytes, int64_t ns)
{
    struct stage stage;
    int64_t cpu;
    pid_t pid;

    *bytes = (struct bytes){.motion = {.width = scene->width, .glyphs = scene->glyphs},
                            .channels = scene->channels};
    stage_start(&stage, scene, NULL);
    pid = kit_terminal_pid(stage.terminal);
    motion_start(&bytes->motion, stage.terminal);
    look_at_others(bytes);
    kit_observe(stage.terminal, bytes_on_output, bytes);
    cpu = bench_cpu(pid);
    kit_watch(stage.terminal, ns);
    cpu = bench_cpu(pid) - cpu;
    motion_end(&bytes->motion);
    kit_cleanup(NULL);
    return cpu;
}

static void print_bytes(const struct bytes *bytes)
{
    int frames = bytes->motion.frames;

    printf(" %7d %7d", frames, bytes->frames_alone);
    if (bytes->frames_alone > 0)
        printf(" %7.1f %6ld", (double)bytes->alone / bytes->frames_alone, bytes->most);
    else
        printf(" %7s %6s", "-", "-");
    printf(" %7.1f", frames > 0 ? (double)bytes->all / frames : 0.);
}

/* ---- system calls ---- */

struct calls {
    int frames;
    int with[CALLS_MAX]; /* frames that made so many */
    int most;
    int most_writes;
};

static void note_turn(struct calls *calls, int made, int writes)
{
    if (writes == 0)
        return;
    assert_true(made < CALLS_MAX);
    calls->frames++;
    calls->with[made]++;
    if (made > calls->most)
        calls->most = made;
    if (writes > calls->most_writes)
        calls->most_writes = writes;
}

static bool is_write_to_terminal(const char *line)
{
    return strncmp(line, "write", 5) == 0 && strstr(line, "</dev/pts/");
}

/* Reads what strace wrote from byte FROM to byte END, with the names of descriptors:
 * write(5</dev/pts/3>, ... The first turn may have begun before, and the last is not over. */
static void count_turns(struct calls *calls, const char *path, long from, long end)
{
    FILE *file = fopen(path, "re");
    char line[4096];
    int made = -1;
    int writes = 0;

    assert_non_null(file);
    fseek(file, from, SEEK_SET);
    while (ftell(file) < end && fgets(line, sizeof line, file)) {
        if (strncmp(line, "epoll_", 6) == 0 && strncmp(line, "epoll_ctl", 9) != 0) {
            if (made >= 0)
                note_turn(calls, made, writes);
            made = writes = 0;
        }
        if (made >= 0)
            made++;
        writes += is_write_to_terminal(line);
    }
    fclose(file);
}

static long file_size(const char *path)
{
    FILE *file = fopen(path, "re");
    long size;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    fclose(file);
    return size;
}

/* A signal or a line of strace's own is no call, and there are none of them in silence. */
static void count_calls(const struct scene *scene, struct calls *calls)
{
    char path[300];
    const char *const strace[] = {"strace", "-y", "-o", path, NULL};
    struct stage stage;
    long from;
    long end;

    memset(calls, 0, sizeof *calls);
    snprintf(path, sizeof path, "%s/calls", kit_folder());
    stage_start(&stage, scene, strace);
    from = file_size(path);
    kit_watch(stage.terminal, SHORT_TIME);
    end = file_size(path);
    count_turns(calls, path, from, end);
    kit_press(stage.terminal, "/quit\r"); /* not by a signal, which would be for strace */
    kit_terminal_end(stage.terminal);
    kit_cleanup(NULL);
}

/* What at least half of the frames do not exceed. */
static int usual(const struct calls *calls)
{
    int seen = 0;
    int n = 0;

    while (n < calls->most && (seen += calls->with[n]) * 2 < calls->frames)
        n++;
    return n;
}

static bool can_trace(void)
{
    return kit_has("strace") && kit_end(kit_run("strace", "-o", "/dev/null", "true", NULL)) == 0;
}

/* ---- tables ---- */

static void measure(const struct scene *scene, bool traces)
{
    struct bytes bytes;
    struct calls calls;
    int64_t cpu = count_bytes(scene, &bytes, CPU_TIME);

    printf("%-27s", scene->name);
    print_bytes(&bytes);
    if (traces) {
        count_calls(scene, &calls);
        printf(" %6d %6d %6d", usual(&calls), calls.most, calls.most_writes);
    } else {
        printf(" %6s %6s %6s", "-", "-", "-");
    }
    printf(" %6.2f s\n", bench_seconds(cpu) * (double)(60 * CLOCK_SECOND) / (double)CPU_TIME);
    fflush(stdout);
}

static void bench(void **state)
{
    bool traces = can_trace();

    (void)state;
    if (!traces)
        printf("strace(1) is missing, or may not trace here: no calls are counted\n");
    printf("%-27s %7s %15s %14s %7s %20s %8s\n", "", "", "bytes, alone:", "",
           "all:", "calls a frame:", "CPU");
    printf("%-27s %7s %7s %7s %6s %7s %6s %6s %6s %8s\n", "24 x 80, silence", "frames", "frames",
           "mean", "most", "mean", "usual", "most", "writes", "a minute");
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        measure(&scenes[i], traces);
}

static void bench_terminals(void **state)
{
    struct bytes bytes;

    (void)state;
    printf("%-27s %7s %7s %7s %6s %7s\n", "TERM, classic", "frames", "alone", "mean", "most",
           "all");
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        struct scene scene = scenes[0];

        scene.term = terms[i];
        count_bytes(&scene, &bytes, SHORT_TIME);
        printf("%-27s", terms[i]);
        print_bytes(&bytes);
        printf("\n");
        fflush(stdout);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bench, kit_cleanup),
        cmocka_unit_test_teardown(bench_terminals, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
