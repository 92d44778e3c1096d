/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does a copy cost, and how long does it take? pollcopy, what people use for such a thing, and
 * bare loops copy the same, all in every round and in another order each time, so that what else
 * happens on the machine hits all alike, and so does what each leaves behind.
 *
 *     make bench                                        prints the tables that README quotes
 *     BENCH_ROUNDS=1 build/tests/bench/copy pipe        one round of one of them: pipe, pipes,
 *                                                       file, files, append, pipe-append, stalled
 *
 * Processor time is that of the copier alone, of the user and the system, and of all of them where
 * there are several; time is from the start of the first to the end of the last, what it takes to
 * load the program included. Both are medians; how pollcopy compares is divided round by round, and
 * the median of that. What was copied is counted: a copier that fails, or loses some, is left out,
 * as is one that is not here. A source is in the page cache; a destination is removed before it is
 * written back, and at once, so that the next one gets the same memory: on a virtual machine what
 * has been given back to the host takes several times as long. Nothing is asserted.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/copy.h"
#include "kit/random.h"

enum { ROUNDS_MAX = 25, ROUNDS = 5, COPIERS_MAX = 12 };

#define MIB ((uint64_t)1024 * 1024)
#define GIB (1024 * MIB)

struct task {
    const char *key;
    const char *title;
    int lanes;
    uint64_t bytes; /* in each lane */
    bool from_fifo;
    bool to_fifo;
    int dest_flags;
    struct copier copiers[COPIERS_MAX]; /* the first one is pollcopy */
};

#define POLLCOPY "pollcopy"

static struct task tasks[] = {
    {"pipe",
     "a pipe to a pipe",
     1,
     GIB,
     true,
     true,
     0,
     {{POLLCOPY, {"pollcopy", "-q", "-", "-"}, NULL, NULL},
      {"bare splice loop", {NULL}, bare_splice, NULL},
      {"bare 128 KiB loop", {NULL}, bare_buffer, NULL},
      {"pv", {"pv", "-q"}, NULL, NULL},
      {"cat", {"cat"}, NULL, NULL},
      {"dd bs=128k", {"dd", "bs=128k", "status=none"}, NULL, NULL},
      {"socat -u", {"socat", "-u", "-", "-"}, NULL, NULL},
      {"mbuffer", {"mbuffer", "-q"}, NULL, NULL},
      {"naive 8 KiB poll loop", {NULL}, bare_naive, NULL}}},
    {"pipes",
     "four fifos to four fifos",
     4,
     256 * MIB,
     true,
     true,
     0,
     {{POLLCOPY ", one process", {"pollcopy", "-q", "PAIRS"}, NULL, NULL},
      {"bare splice loops", {NULL}, bare_splice, NULL},
      {"pv", {"pv", "-q"}, NULL, NULL},
      {"cat", {"cat"}, NULL, NULL}}},
    {"file",
     "a file to a new file",
     1,
     2 * GIB,
     false,
     false,
     0,
     {{POLLCOPY, {"pollcopy", "-q", "SOURCE", "DEST"}, NULL, NULL},
      {"bare copy_file_range", {NULL}, bare_range, NULL},
      {"cat", {"cat"}, NULL, NULL},
      {"cp --reflink=never", {"cp", "--reflink=never", "SOURCE", "DEST"}, NULL, NULL},
      {"pv", {"pv", "-q", "SOURCE"}, NULL, NULL},
      {"dd bs=128k", {"dd", "bs=128k", "status=none", "if=SOURCE", "of=DEST"}, NULL, NULL},
      {"socat -u", {"socat", "-u", "-", "-"}, NULL, NULL},
      {"mbuffer", {"mbuffer", "-q", "-i", "SOURCE", "-o", "DEST"}, NULL, NULL},
      {"naive 8 KiB poll loop", {NULL}, bare_naive, NULL}}},
    {"files",
     "four files to four new files",
     4,
     512 * MIB,
     false,
     false,
     0,
     {{POLLCOPY ", one process", {"pollcopy", "-q", "PAIRS"}, NULL, NULL},
      {"cat, four at once", {"cat"}, NULL, NULL},
      {"cp, four at once", {"cp", "--reflink=never", "SOURCE", "DEST"}, NULL, NULL},
      {"bare ranges, 4 threads", {NULL}, NULL, bare_range_threads},
      {"bare io_uring", {NULL}, NULL, bare_uring}}},
    {"append",
     "a file to the end of a file, by read and write",
     1,
     512 * MIB,
     false,
     false,
     O_APPEND,
     {{POLLCOPY " --append", {"pollcopy", "-q", "--append", "SOURCE", "DEST"}, NULL, NULL},
      {"bare 128 KiB loop", {NULL}, bare_buffer, NULL},
      {"cat >>", {"cat"}, NULL, NULL}}},
    {"pipe-append",
     "a pipe to the end of a file, by read and write",
     1,
     512 * MIB,
     true,
     false,
     O_APPEND,
     {{POLLCOPY " --append", {"pollcopy", "-q", "--append", "-", "DEST"}, NULL, NULL},
      {"bare 128 KiB loop", {NULL}, bare_buffer, NULL},
      {"cat >>", {"cat"}, NULL, NULL}}},
};

enum { TASKS = sizeof tasks / sizeof *tasks };

/* What one copier took, in all rounds. */
struct taken {
    bool is_missing;
    bool has_failed;
    double cpu[ROUNDS_MAX];  /* seconds */
    double wall[ROUNDS_MAX]; /* seconds */
};

static int rounds = ROUNDS;

/* ---- lanes ---- */

static void make_fifo(const char *path)
{
    must(mkfifo(path, 0600) == 0, path);
}

/* Neither zeroes nor anything else that a file system would make smaller. */
static void make_file(const char *path, uint64_t bytes)
{
    static uint64_t block[MIB / sizeof(uint64_t)];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint64_t x = 88172645463325252U;

    must(fd >= 0, path);
    for (; bytes > 0; bytes -= bytes < MIB ? bytes : MIB) {
        for (size_t i = 0; i < MIB / sizeof *block; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            block[i] = x;
        }
        bare_write(fd, (const char *)block, bytes < MIB ? bytes : MIB);
    }
    must(fsync(fd) == 0 && close(fd) == 0, path);
}

static void lanes_make(const struct task *task, struct lane *lanes)
{
    for (int i = 0; i < task->lanes; i++) {
        struct lane *lane = &lanes[i];

        snprintf(lane->source, sizeof lane->source, "source%d", i);
        snprintf(lane->dest, sizeof lane->dest, "dest%d", i);
        lane->dest_flags = task->dest_flags;
        if (task->from_fifo)
            make_fifo(lane->source);
        else
            make_file(lane->source, task->bytes);
        if (task->to_fifo)
            make_fifo(lane->dest);
    }
}

static void lanes_remove(const struct task *task, const struct lane *lanes)
{
    for (int i = 0; i < task->lanes; i++) {
        unlink(lanes[i].source);
        unlink(lanes[i].dest);
    }
}

/* Twice of everything must fit on the disk, and into half of the memory. */
static uint64_t bytes_that_fit(const struct task *task)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    uint64_t bytes = task->bytes;
    struct statvfs disk;
    uint64_t room;

    if (task->from_fifo && task->to_fifo)
        return bytes;
    must(statvfs(".", &disk) == 0, "statvfs");
    room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room > memory)
        room = memory;
    while (bytes > MIB && 2 * bytes * (uint64_t)task->lanes > room)
        bytes /= 2;
    return bytes;
}

/* ---- one run ---- */

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Waits for the COUNT copiers, and adds what they have used. Returns whether all went well. */
static bool copiers_await(const pid_t *pids, int count, double *cpu)
{
    bool is_fine = true;

    for (int i = 0; i < count; i++) {
        struct rusage usage;
        int status;

        must(wait4(pids[i], &status, 0, &usage) == pids[i], "wait4");
        *cpu += seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
        is_fine = is_fine && status == 0;
    }
    return is_fine;
}

/* Where copiers have failed, nobody opens the fifos any more. */
static bool peers_end(const pid_t *writers, const pid_t *readers, int count, bool is_fine)
{
    for (int i = 0; i < count; i++) {
        int status = 0;

        if (writers[i] > 0)
            process_kill(writers[i]);
        if (readers[i] > 0 && !is_fine)
            process_kill(readers[i]);
        else if (readers[i] > 0)
            must(waitpid(readers[i], &status, 0) == readers[i], "waitpid");
        is_fine = is_fine && status == 0;
    }
    return is_fine;
}

static bool files_are_whole(const struct task *task, const struct lane *lanes)
{
    struct stat status;

    for (int i = 0; i < task->lanes && !task->to_fifo; i++)
        if (stat(lanes[i].dest, &status) < 0 || (uint64_t)status.st_size != task->bytes)
            return false;
    return true;
}

static void files_clear(const struct task *task, const struct lane *lanes)
{
    if (task->to_fifo)
        return;
    for (int i = 0; i < task->lanes; i++)
        unlink(lanes[i].dest);
}

static void run(const struct task *task, const struct copier *copier, const struct lane *lanes,
                struct taken *taken, int round)
{
    int processes = copier_takes_all(copier) ? 1 : task->lanes;
    pid_t writers[LANES_MAX] = {0}, readers[LANES_MAX] = {0}, pids[LANES_MAX];
    int64_t begun;

    for (int i = 0; i < task->lanes; i++) {
        if (task->from_fifo)
            writers[i] = writer_start(lanes[i].source, task->bytes);
        if (task->to_fifo)
            readers[i] = reader_start(lanes[i].dest, task->bytes);
    }
    begun = clock_now();
    for (int i = 0; i < processes; i++)
        pids[i] = copier_start(copier, lanes + i, processes == 1 ? task->lanes : 1);
    taken->has_failed |= !copiers_await(pids, processes, &taken->cpu[round]);
    taken->wall[round] = (double)(clock_now() - begun) / (double)CLOCK_SECOND;
    if (!peers_end(writers, readers, task->lanes, !taken->has_failed) ||
        !files_are_whole(task, lanes))
        taken->has_failed = true;
    files_clear(task, lanes);
}

/* Puts the numbers below COUNT in an order that looks random and is the same on every machine. */
static void shuffle(int *order, int count)
{
    static uint32_t seed = 20261122;

    for (int i = 0; i < count; i++) {
        int j = (int)kit_random(&seed, (uint32_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}

static void run_all(const struct task *task, const struct lane *lanes, struct taken *taken)
{
    struct taken warm_up = {0};
    int order[COPIERS_MAX] = {0};
    int count = 0;

    while (count < COPIERS_MAX && task->copiers[count].name)
        count++;
    for (int i = 0; i < count; i++)
        taken[i].is_missing = !copier_is_here(&task->copiers[i]);
    run(task, &task->copiers[1], lanes, &warm_up, 0);
    for (int round = 0; round < rounds; round++) {
        shuffle(order, count);
        for (int i = 0; i < count; i++) {
            struct taken *now = &taken[order[i]];

            if (!now->is_missing && !now->has_failed)
                run(task, &task->copiers[order[i]], lanes, now, round);
        }
    }
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Returns the median of VALUES, divided by those of BY where that is not NULL. */
static double median(const double *values, const double *by)
{
    double sorted[ROUNDS_MAX];

    for (int round = 0; round < rounds; round++)
        sorted[round] = by ? values[round] / by[round] : values[round];
    qsort(sorted, (size_t)rounds, sizeof *sorted, compare);
    return sorted[rounds / 2];
}

/* Speed is the other way round than time. */
static void print_row(const char *name, const struct taken *taken, const struct taken *ours,
                      double gigabytes)
{
    printf("    %-24s %8.3f %8.2f %8.2f", name, median(taken->cpu, NULL) / gigabytes,
           median(taken->wall, NULL), gigabytes / median(taken->wall, NULL));
    if (taken != ours && !ours->has_failed)
        printf(" %13.2f %15.2f", median(ours->cpu, taken->cpu), median(taken->wall, ours->wall));
    printf("\n");
}

static void print_left_out(const struct task *task, const struct taken *taken)
{
    for (int i = 0; i < COPIERS_MAX && task->copiers[i].name; i++)
        if (taken[i].is_missing || taken[i].has_failed)
            printf("    left out: %s %s\n", task->copiers[i].name,
                   taken[i].is_missing ? "is not here" : "has failed");
}

static void print_table(const struct task *task, const struct taken *taken)
{
    double gigabytes = (double)task->bytes * task->lanes / 1e9;

    printf("%s, %llu MiB%s, %d round%s\n", task->title, (unsigned long long)(task->bytes / MIB),
           task->lanes > 1 ? " each" : "", rounds, rounds > 1 ? "s" : "");
    printf("    %-24s %8s %8s %8s %13s %15s\n", "", "CPU s/GB", "wall s", "GB/s", "pollcopy: CPU",
           "pollcopy: speed");
    for (int i = 0; i < COPIERS_MAX && task->copiers[i].name; i++)
        if (!taken[i].is_missing && !taken[i].has_failed)
            print_row(task->copiers[i].name, &taken[i], &taken[0], gigabytes);
    print_left_out(task, taken);
    fflush(stdout);
}

static void bench_task(struct task *task)
{
    static struct lane lanes[LANES_MAX];
    struct taken *taken = must_have(COPIERS_MAX, sizeof *taken);
    uint64_t fits = bytes_that_fit(task);

    if (fits < task->bytes)
        printf("there is no room for %llu MiB here\n", (unsigned long long)(task->bytes / MIB));
    task->bytes = fits;
    lanes_make(task, lanes);
    run_all(task, lanes, taken);
    print_table(task, taken);
    lanes_remove(task, lanes);
    free(taken);
}

/* ---- all of them ---- */

static bool is_wanted(const char *key, char **argv)
{
    if (!argv[1])
        return true;
    for (int i = 1; argv[i]; i++)
        if (strcmp(argv[i], key) == 0)
            return true;
    return false;
}

static void bench_all(char **argv)
{
    const char *text = getenv("BENCH_ROUNDS");

    printf("Processor time and speed of copies; behind them how many times that of each pollcopy's "
           "are\n");
    if (text && atoi(text) > 0 && atoi(text) <= ROUNDS_MAX)
        rounds = atoi(text);
    for (int i = 0; i < TASKS; i++)
        if (is_wanted(tasks[i].key, argv))
            bench_task(&tasks[i]);
    if (is_wanted("stalled", argv))
        bench_stalled();
}

/* In what was built, which is on a disk. The names in it are short enough for a socket's. */
static void enter_folder(char path[PATH_MAX])
{
    const char *parent = getenv("TEST_BUILDDIR");
    char built[PATH_MAX - sizeof "/bench-copy.XXXXXX"];

    must(chdir(parent ? parent : ".") == 0 && getcwd(built, sizeof built), "TEST_BUILDDIR");
    must(setenv("TEST_BUILDDIR", built, 1) == 0, "setenv");
    snprintf(path, PATH_MAX, "%s/bench-copy.XXXXXX", built);
    must(mkdtemp(path) && chdir(path) == 0, path);
}

static void remove_folder(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    must(directory, path);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    must(rmdir(path) == 0, path);
}

/* All is done in a child, so that gigabytes are removed also where that is interrupted. */
int main(int argc, char **argv)
{
    char path[PATH_MAX];
    int status;
    pid_t pid;

    (void)argc;
    enter_folder(path);
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        bench_all(argv);
        exit(0);
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    remove_folder(path);
    return status == 0 ? 0 : 1;
}
