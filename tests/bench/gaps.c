/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does anything keep the spinner of the full screen waiting? The gaps between its frames, each
 * noted when the terminal has got it, while the program is given what programs stall on.
 *
 *     make bench        prints the table that the manual quotes
 *
 * A terminal that has been stopped shows no frames at all; what is told instead are the gaps of the
 * server, which sends as fast as it can all the time, and how long the last line takes to the
 * screen when the terminal goes on. Times are of this machine on this day; nothing is asserted.
 */
#include "config.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include "bench/bench.h"
#include "ui/full.h"

enum {
    MILLION = 1000000,
    SMALL_PASTE = 10000,
    LARGE_PASTE = 1000000,
    OLD_LINES = 1000,
    LONG_SEARCH = 20000
};

#define SECONDS   10
#define STALL     (5 * CLOCK_SECOND)
#define AFTERMATH (2 * CLOCK_SECOND)
#define KEY_PAUSE (20 * CLOCK_MILLISECOND)
#define VI_PAUSE  (500 * CLOCK_MILLISECOND)

struct stage {
    struct full full;
    struct motion motion;
    char note[100];
};

/* Starts pollspin with OPTIONS, which may be NULL, and a target of its own. */
static void stage_start(struct stage *stage, const char *const *options)
{
    memset(stage, 0, sizeof *stage);
    full_start(&stage->full, BENCH_ROWS, BENCH_COLUMNS, options);
    motion_start(&stage->motion, stage->full.terminal);
    kit_watch(stage->full.terminal, CLOCK_SECOND);
    motion_restart(&stage->motion);
}

static void stage_watch(struct stage *stage, int64_t ns)
{
    kit_watch(stage->full.terminal, ns);
}

static void print_gaps(const struct stage *stage, const char *name)
{
    const struct motion *motion = &stage->motion;

    printf("%-34s %6d %8.1f ms %8.1f ms  %s\n", name, motion->frames, motion_mean(motion),
           bench_milliseconds(motion->longest), stage->note);
    fflush(stdout);
}

static void stage_end(struct stage *stage, const char *name)
{
    motion_end(&stage->motion);
    print_gaps(stage, name);
    kit_cleanup(NULL);
}

/* ---- nothing, and too much ---- */

static void during_silence(void)
{
    struct stage stage;

    stage_start(&stage, NULL);
    stage_watch(&stage, SECONDS * CLOCK_SECOND);
    stage_end(&stage, "silence");
}

static void note_flood(struct stage *stage, const struct flood *flood, int64_t ns)
{
    long lines = (long)(flood->sent / FLOOD_LINE);

    snprintf(stage->note, sizeof stage->note, "%ld lines in %.2f s", lines, bench_seconds(ns));
}

static void during_a_flood(const char *lines)
{
    struct stage stage;
    struct flood *flood = flood_new();
    pid_t server;

    stage_start(&stage, NULL);
    server = flood_start(flood, stage.full.server, lines, MILLION, 1);
    kit_await_row(stage.full.terminal, FLOOD_END);
    note_flood(&stage, flood, clock_now() - flood->begun);
    kit_await_row(stage.full.terminal, " 1000001 lines ");
    stage_end(&stage, "a flood of 1,000,000 lines");
    flood_stop(server);
}

static void during_a_long_flood(const char *lines, const char *option, const char *name)
{
    const char *const options[] = {option, NULL};
    struct stage stage;
    struct flood *flood = flood_new();
    pid_t server;

    stage_start(&stage, options);
    server = flood_start(flood, stage.full.server, lines, MILLION, 0);
    stage_watch(&stage, SECONDS * CLOCK_SECOND);
    note_flood(&stage, flood, clock_now() - flood->begun);
    stage_end(&stage, name);
    flood_stop(server);
}

/* ---- a terminal that has been stopped ---- */

static void print_stall(const struct flood *flood, int64_t sent, int64_t after)
{
    printf("%-34s %6s %11s %8.1f ms  %ld lines taken in 5 s, the last one shown after %.1f ms\n",
           "a stopped terminal: its server", "-", "-", bench_milliseconds(flood->longest),
           (long)(sent / FLOOD_LINE), bench_milliseconds(after));
    fflush(stdout);
}

static void while_the_terminal_is_stopped(const char *lines)
{
    struct stage stage;
    struct flood *flood = flood_new();
    int64_t before;
    int64_t sent;
    pid_t server;

    stage_start(&stage, NULL);
    server = flood_start(flood, stage.full.server, lines, MILLION / 100, 0);
    stage_watch(&stage, CLOCK_SECOND);
    before = flood->sent;
    flood->longest = 0;
    kit_stall(stage.full.terminal, true);
    stage_watch(&stage, STALL);
    sent = flood->sent - before;
    __atomic_store_n(&flood->is_enough, true, __ATOMIC_SEQ_CST);
    stage_watch(&stage, CLOCK_SECOND); /* the last line is sent and taken in */
    before = clock_now();
    kit_stall(stage.full.terminal, false);
    kit_await_row(stage.full.terminal, FLOOD_END);
    print_stall(flood, sent, clock_now() - before);
    motion_end(&stage.motion);
    kit_cleanup(NULL);
    flood_stop(server);
}

/* ---- nobody answers ---- */

static void measure_waiting(const char *const *argv, const char *words, const char *name)
{
    struct stage stage = {.note = ""};

    stage.full.terminal = kit_terminal(BENCH_ROWS, BENCH_COLUMNS, argv);
    motion_start(&stage.motion, stage.full.terminal);
    kit_await_row(stage.full.terminal, words);
    motion_restart(&stage.motion);
    stage_watch(&stage, SECONDS * CLOCK_SECOND);
    stage_end(&stage, name);
}

static void while_a_name_server_is_silent(void)
{
    const char *argv[] = {"pollspin", "--name-server", NULL, "silent.example", NULL};
    uint16_t port;

    kit_bind(SOCK_DGRAM, &port);
    argv[2] = kit_target(port);
    measure_waiting(argv, "looking up silent.example", "a name server without answer");
}

/* Linux does not answer who connects while the queue of those that nobody accepts is full: with a
 * backlog of 0 one fills it, listen(2). */
static void while_connecting_to_a_black_hole(void)
{
    const char *argv[] = {"pollspin", NULL, NULL};
    uint16_t port;
    int listener = kit_bind(SOCK_STREAM, &port);

    assert_int_equal(listen(listener, 0), 0);
    kit_connect(port);
    argv[1] = kit_target(port);
    measure_waiting(argv, "connecting to", "a connection without answer");
}

/* ---- keys ---- */

static void during_a_paste(size_t n, bool is_bracketed, const char *name)
{
    struct stage stage;
    char *text = malloc(n);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = i % 80 == 79 && is_bracketed ? '\n' : (char)('a' + i % 26);
    stage_start(&stage, NULL);
    if (is_bracketed)
        kit_press(stage.full.terminal, "\033[200~");
    kit_keys(stage.full.terminal, text, n);
    if (is_bracketed)
        kit_press(stage.full.terminal, "\033[201~");
    stage_watch(&stage, AFTERMATH);
    stage_end(&stage, name);
    free(text);
}

/* Lines that begin alike for very long: nothing is found before their end. */
static void write_history(const char *folder)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/pollspin", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/pollspin/history", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    for (int i = 0; i < OLD_LINES; i++) {
        for (int j = 0; j < 200; j++)
            fputs("again", file);
        fprintf(file, " %d\n", i);
    }
    fclose(file);
    chmod(path, 0600);
}

static void start_search(struct stage *stage)
{
    const char *folder = kit_folder();

    write_history(folder);
    kit_env("XDG_STATE_HOME", folder);
    stage_start(stage, NULL);
    kit_press(stage->full.terminal, KEY_CTRL('r'));
    kit_await_row(stage->full.terminal, "bck:");
}

static void during_a_search(void)
{
    struct stage stage;

    start_search(&stage);
    for (int i = 0; i < 24; i++) {
        kit_press(stage.full.terminal, "again");
        stage_watch(&stage, KEY_PAUSE);
    }
    kit_press(stage.full.terminal, " none");
    kit_press(stage.full.terminal, KEY_CTRL('r'));
    kit_press(stage.full.terminal, KEY_CTRL('r'));
    stage_watch(&stage, AFTERMATH);
    stage_end(&stage, "Ctrl-R in 1000 lines of 1000 bytes");
}

static void during_a_long_search(void)
{
    struct stage stage;
    char keys[LONG_SEARCH];

    start_search(&stage);
    memset(keys, 'a', sizeof keys);
    kit_keys(stage.full.terminal, keys, sizeof keys);
    stage_watch(&stage, AFTERMATH);
    stage_end(&stage, "the same, 20,000 keys at once");
}

static void write_editrc(char *path, size_t size)
{
    FILE *file;

    snprintf(path, size, "%s/editrc", kit_folder());
    file = fopen(path, "we");
    assert_non_null(file);
    fputs("bind -v\n", file);
    fclose(file);
    kit_env("EDITRC", path);
}

static void during_keys_of_vi(void)
{
    static const char *const keys[] = {"hello world, how do you do",
                                       KEY_ESC,
                                       "0",
                                       "d",
                                       "w",
                                       "c",
                                       "w",
                                       "all",
                                       KEY_ESC,
                                       "f",
                                       "o",
                                       "2",
                                       "d",
                                       "w",
                                       "r",
                                       "x",
                                       "/",
                                       "hello",
                                       "\r",
                                       "y",
                                       "w",
                                       "p",
                                       "u"};
    struct stage stage;
    char path[300];

    write_editrc(path, sizeof path);
    stage_start(&stage, NULL);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        kit_press(stage.full.terminal, keys[i]);
        stage_watch(&stage, VI_PAUSE);
    }
    full_await_input(&stage.full, "all, hxou do");
    stage_end(&stage, "keys of vi, every half a second");
}

/* ---- all of it ---- */

static void bench(void **state)
{
    char *lines = flood_lines(MILLION);

    (void)state;
    printf("%-34s %6s %11s %11s\n", "24 x 80, full screen", "frames", "mean gap", "longest gap");
    during_silence();
    during_a_flood(lines);
    during_a_long_flood(lines, NULL, "a flood of 10 s");
    during_a_long_flood(lines, "--inspect", "the same, inspector open");
    while_the_terminal_is_stopped(lines);
    while_a_name_server_is_silent();
    while_connecting_to_a_black_hole();
    during_a_paste(SMALL_PASTE, true, "a paste of 10 kB");
    during_a_paste(LARGE_PASTE, true, "a paste of 1 MB");
    during_a_paste(SMALL_PASTE, false, "10 kB typed at once");
    during_a_search();
    during_a_long_search();
    during_keys_of_vi();
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(bench, kit_cleanup)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
