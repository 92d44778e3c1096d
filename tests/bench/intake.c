/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast is a flood taken in? A server sends 1,000,000 lines of 72 bytes as fast as it can to
 * programs that people use for such a thing, each on a terminal of its own which takes everything
 * at once, one after the other in five rounds.
 *
 *     make bench        prints the tables that README quotes
 *
 * The time is that from the first byte sent until the last line came out at the terminal. pollspin
 * on the full screen is the only one that need not write every line there: it keeps them, and shows
 * where it has got to fifty times a second. Times are of this machine on this day; nothing is
 * asserted.
 */
#include "config.h"

#include <pty.h>

#include "bench/bench.h"

enum { COUNT = 1000000, ROUNDS = 5, WORDS = 8, PROGRAMS = 6, OVERLAP = sizeof FLOOD_END };

struct program {
    const char *name;
    const char *needs; /* to be found in PATH, or NULL: it is ours */
    const char *argv[WORDS];
    bool is_missing;
    double seconds[ROUNDS];
    double cpu[ROUNDS];
};

/* Words in which PORT is to be replaced. */
static struct program programs[PROGRAMS] = {
    {"pollspin, full screen", NULL, {"pollspin", "127.0.0.1:PORT"}, false, {0}, {0}},
    {"pollspin --plain", NULL, {"pollspin", "--plain", "127.0.0.1:PORT"}, false, {0}, {0}},
    {"nc", "nc", {"nc", "127.0.0.1", "PORT"}, false, {0}, {0}},
    {"socat", "socat", {"socat", "STDIO", "TCP:127.0.0.1:PORT"}, false, {0}, {0}},
    {"telnet", "telnet", {"telnet", "127.0.0.1", "PORT"}, false, {0}, {0}},
    {"tt++", "tt++", {"tt++", "-G", "-e", "#session {bench} {127.0.0.1} {PORT}"}, false, {0}, {0}},
};

/* ---- a terminal that takes everything at once ---- */

struct drain {
    int master;
    pid_t pid;
    char bytes[OVERLAP + 65536]; /* the end of what was read before, and what was read */
    size_t kept;
};

static void set_env(const char *home)
{
    setenv("HOME", home, 1);
    setenv("TERM", "xterm-256color", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("CI");
    unsetenv("COLUMNS");
    unsetenv("LINES");
    unsetenv("NO_COLOR");
    unsetenv("XDG_STATE_HOME");
}

static void drain_start(struct drain *drain, const char *const *argv, const char *home)
{
    struct winsize size = {.ws_row = BENCH_ROWS, .ws_col = BENCH_COLUMNS};

    drain->kept = 0;
    drain->pid = forkpty(&drain->master, NULL, NULL, &size);
    assert_true(drain->pid >= 0);
    if (drain->pid > 0)
        return;
    set_env(home);
    execvp(argv[0], (char **)argv);
    _exit(127);
}

/* Reads on until the last line has come. */
static void drain_await_end(struct drain *drain)
{
    for (;;) {
        ssize_t n = read(drain->master, drain->bytes + drain->kept, sizeof drain->bytes - OVERLAP);
        size_t length = drain->kept + (size_t)n;

        assert_true(n > 0);
        if (memmem(drain->bytes, length, FLOOD_END, strlen(FLOOD_END)))
            return;
        drain->kept = length < OVERLAP ? length : OVERLAP;
        memmove(drain->bytes, drain->bytes + length - drain->kept, drain->kept);
    }
}

static void drain_end(struct drain *drain)
{
    kill(drain->pid, SIGKILL);
    close(drain->master);
    waitpid(drain->pid, NULL, 0);
}

/* ---- one run ---- */

struct outcome {
    int64_t time;
    int64_t cpu;
    long most_memory; /* kB */
};

static const char *with_port(const char *word, uint16_t port, char *to, size_t size)
{
    const char *at = strstr(word, "PORT");

    if (!at)
        return word;
    snprintf(to, size, "%.*s%u%s", (int)(at - word), word, port, at + strlen("PORT"));
    return to;
}

static void run(const char *const *words, const char *lines, int times, struct outcome *outcome)
{
    static struct drain drain;
    const char *argv[WORDS + 1] = {NULL};
    char texts[WORDS][80];
    struct flood *flood = flood_new();
    uint16_t port;
    int listener = kit_listen(&port);
    pid_t server;

    for (int i = 0; i < WORDS && words[i]; i++)
        argv[i] = with_port(words[i], port, texts[i], sizeof texts[i]);
    if (strcmp(argv[0], "pollspin") == 0)
        argv[0] = kit_program("pollspin");
    drain_start(&drain, argv, kit_folder());
    server = flood_start(flood, kit_accept(listener), lines, COUNT, times);
    drain_await_end(&drain);
    outcome->time = clock_now() - flood->begun;
    outcome->cpu = bench_cpu(drain.pid);
    outcome->most_memory = bench_memory(drain.pid, "VmHWM:");
    drain_end(&drain);
    flood_stop(server);
    munmap(flood, sizeof *flood);
    kit_cleanup(NULL);
}

/* ---- tables ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *sorted)
{
    return sorted[ROUNDS / 2];
}

/* Debian holds tt++ for a game. */
static void find_programs(void)
{
    char path[4096];

    snprintf(path, sizeof path, "%s:/usr/games", getenv("PATH"));
    setenv("PATH", path, 1);
    for (int i = 0; i < PROGRAMS; i++) {
        programs[i].is_missing = programs[i].needs && !kit_has(programs[i].needs);
        if (programs[i].is_missing)
            printf("%s is missing here, and left out\n", programs[i].name);
    }
}

static void run_all(const char *lines)
{
    struct outcome outcome;

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < PROGRAMS; i++) {
            if (programs[i].is_missing)
                continue;
            run(programs[i].argv, lines, 1, &outcome);
            programs[i].seconds[round] = bench_seconds(outcome.time);
            programs[i].cpu[round] = bench_seconds(outcome.cpu);
        }
    for (int i = 0; i < PROGRAMS; i++) {
        qsort(programs[i].seconds, ROUNDS, sizeof(double), compare);
        qsort(programs[i].cpu, ROUNDS, sizeof(double), compare);
    }
}

static double fastest(void)
{
    double best = 0;

    for (int i = 0; i < PROGRAMS; i++) {
        double time = median(programs[i].seconds);

        if (!programs[i].is_missing && (best == 0 || time < best))
            best = time;
    }
    return best;
}

static void bench_time(void **state)
{
    char *lines = flood_lines(COUNT);
    double best;

    (void)state;
    find_programs();
    run_all(lines);
    best = fastest();
    printf("%-24s %9s %18s %7s %10s\n", "1,000,000 lines, 72 MB", "median", "from .. to", "ratio",
           "processor");
    for (int i = 0; i < PROGRAMS; i++)
        if (!programs[i].is_missing)
            printf("%-24s %7.2f s %7.2f .. %5.2f s %7.2f %8.2f s\n", programs[i].name,
                   median(programs[i].seconds), programs[i].seconds[0],
                   programs[i].seconds[ROUNDS - 1], median(programs[i].seconds) / best,
                   median(programs[i].cpu));
    fflush(stdout);
    free(lines);
}

static void measure_memory(const char *lines, const char *option, int times)
{
    const char *const argv[WORDS] = {"pollspin", "127.0.0.1:PORT", option};
    struct outcome outcome;

    run(argv, lines, times, &outcome);
    printf("%-24s %10d %12ld kB %9.2f s\n", option ? option : "(10,000 lines)", times * COUNT,
           outcome.most_memory, bench_seconds(outcome.time));
    fflush(stdout);
}

static void bench_memory_of_lines(void **state)
{
    char *lines = flood_lines(COUNT);

    (void)state;
    printf("%-24s %10s %15s %11s\n", "scrollback", "lines", "most memory", "time");
    measure_memory(lines, "--scrollback=1000", 1);
    measure_memory(lines, NULL, 1);
    measure_memory(lines, NULL, 10);
    measure_memory(lines, "--scrollback=1000000", 10);
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bench_time, kit_cleanup),
        cmocka_unit_test_teardown(bench_memory_of_lines, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
