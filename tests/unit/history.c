/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of the lines that were typed: what it holds after each thing that can happen to it,
 * several runs at once among them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"
#include "ui/history.h"

enum { PATH = 4096 };

/* The lines that were told. */
struct told {
    size_t count;
    char *lines[HISTORY_LINES + 1];
};

static void on_line(void *owner, const char *line)
{
    struct told *told = owner;

    assert_true(told->count < HISTORY_LINES);
    told->lines[told->count++] = strdup(line);
}

static void told_free(struct told *told)
{
    for (size_t i = 0; i < told->count; i++)
        free(told->lines[i]);
    told->count = 0;
}

static const char *in_folder(const char *name)
{
    static char path[PATH];

    snprintf(path, sizeof path, "%s/%s", kit_folder(), name);
    return path;
}

static void write_file(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void expect_file(const char *path, const char *expected)
{
    static char bytes[65536];
    FILE *file = fopen(path, "re");
    size_t n;

    assert_non_null(file);
    n = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[n] = '\0';
    fclose(file);
    assert_string_equal(bytes, expected);
}

static off_t file_size(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void expect_mode(const char *path, mode_t mode)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, mode);
}

/* Opens the file and compares what is told, joined by |. */
static void expect_lines(const char *path, const char *expected)
{
    struct told told = {0};
    struct history history;
    char joined[4096] = "";

    assert_int_equal(history_open(&history, path, on_line, &told), 0);
    for (size_t i = 0; i < told.count; i++) {
        strcat(joined, i > 0 ? "|" : "");
        strcat(joined, told.lines[i]);
    }
    assert_string_equal(joined, expected);
    told_free(&told);
    history_close(&history);
}

static void expect_refused(const char *path, int error)
{
    struct told told = {0};
    struct history history;

    assert_int_equal(history_open(&history, path, on_line, &told), -1);
    assert_int_equal(errno, error);
    assert_int_equal(history.fd, -1);
    assert_int_equal(told.count, 0);
    errno = 0;
    assert_int_equal(history_add(&history, "line"), -1);
    assert_int_equal(errno, EBADF);
    history_close(&history);
}

/* ---- where it is ---- */

static void where_the_file_is(void **state)
{
    char path[PATH];

    (void)state;
    setenv("HOME", "/h", 1);
    setenv("XDG_STATE_HOME", "/x/y", 1);
    assert_int_equal(history_path(path, sizeof path), 0);
    assert_string_equal(path, "/x/y/pollspin/history");
    setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored, says the specification */
    assert_int_equal(history_path(path, sizeof path), 0);
    assert_string_equal(path, "/h/.local/state/pollspin/history");
    assert_int_equal(history_path(path, 32), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(history_path(path, 33), 0);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(history_path(path, sizeof path), -1);
    assert_int_equal(errno, ENOENT);
}

static void folders_are_made_for_the_owner_alone(void **state)
{
    const char *folder = kit_folder();
    char path[PATH];

    (void)state;
    umask(0);
    snprintf(path, sizeof path, "%s/.local/state/pollspin/history", folder);
    expect_lines(path, "");
    expect_mode(path, 0600);
    *strrchr(path, '/') = '\0';
    expect_mode(path, 0700);
    *strrchr(path, '/') = '\0';
    expect_mode(path, 0700);
}

/* ---- lines ---- */

static void lines_are_told_in_the_next_run(void **state)
{
    const char *path = in_folder("history");
    struct history history;

    (void)state;
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(history_add(&history, "one"), 0);
    assert_int_equal(history_add(&history, "tab\there, \xc3\xa9"), 0);
    assert_int_equal(history_add(&history, "one"), 0);
    history_close(&history);
    expect_lines(path, "one|tab\there, \xc3\xa9|one");
}

static void some_lines_are_not_kept(void **state)
{
    static char longest[HISTORY_LINE_MAX + 2];
    const char *path = in_folder("history");
    struct history history;

    (void)state;
    memset(longest, 'x', HISTORY_LINE_MAX + 1);
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(history_add(&history, ""), 0);
    assert_int_equal(history_add(&history, " secret"), 0);
    assert_int_equal(history_add(&history, "two\nlines"), 0);
    assert_int_equal(history_add(&history, longest), 0);
    expect_file(path, "");
    longest[HISTORY_LINE_MAX] = '\0';
    assert_int_equal(history_add(&history, longest), 0);
    assert_int_equal(file_size(path), HISTORY_LINE_MAX + 1);
    history_close(&history);
}

static void the_file_is_cut_when_a_run_starts(void **state)
{
    const char *path = in_folder("history");
    struct told told = {0};
    struct history history;
    char line[32];

    (void)state;
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    for (int i = 0; i < HISTORY_LINES + 500; i++) {
        snprintf(line, sizeof line, "line %d", i);
        assert_int_equal(history_add(&history, line), 0);
    }
    history_close(&history);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(history_open(&history, path, on_line, &told), 0);
        assert_int_equal(told.count, HISTORY_LINES);
        assert_string_equal(told.lines[0], "line 500");
        assert_string_equal(told.lines[HISTORY_LINES - 1], "line 1499");
        told_free(&told);
        history_close(&history);
        assert_int_equal(file_size(path), 500 * 9 + 500 * 10);
        expect_mode(path, 0600);
    }
}

/* ---- files that are damaged ---- */

static void what_does_not_belong_into_a_line_is_left_out(void **state)
{
    static const char bytes[] = "on\0e\n\n\033[31mred\r\n\001\002\n\x7ftwo\n";
    const char *path = in_folder("history");

    (void)state;
    write_file(path, bytes, sizeof bytes - 1);
    expect_lines(path, "one|[31mred|two");
    expect_file(path, "one\n[31mred\ntwo\n");
}

static void what_a_killed_run_has_left_is_no_obstacle(void **state)
{
    char left[PATH + 8];
    const char *path = in_folder("history");

    (void)state;
    snprintf(left, sizeof left, "%s.new", path);
    write_file(left, "half", 4);
    write_file(path, "one\n\ntwo\n", 9);
    expect_lines(path, "one|two");
    expect_file(path, "one\ntwo\n");
    assert_int_equal(access(left, F_OK), -1);
}

static void a_last_line_without_a_newline_is_one(void **state)
{
    const char *path = in_folder("history");
    struct history history;

    (void)state;
    write_file(path, "one\ntw", 6);
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(history_add(&history, "three"), 0);
    history_close(&history);
    expect_lines(path, "one|tw|three");
}

static void lines_that_are_too_long_are_dropped(void **state)
{
    static char bytes[3 * HISTORY_LINE_MAX];
    const char *path = in_folder("history");

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "one\n", 4);
    memcpy(bytes + sizeof bytes - 5, "\ntwo\n", 5);
    write_file(path, bytes, sizeof bytes);
    expect_lines(path, "one|two");
    expect_file(path, "one\ntwo\n");
}

/* A gigabyte of nothing takes no place on the disk. The child has not the memory to read it all. */
static void of_a_huge_file_the_end_is_read(void **state)
{
    const char *path = in_folder("history");
    int status;
    pid_t pid;
    int fd;

    (void)state;
    write_file(path, "", 0);
    assert_int_equal(truncate(path, 1 << 30), 0);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "\nlast\n", 6), 6);
    close(fd);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
        struct told told = {0};
        struct history history;

        if (!kit_is_instrumented())
            setrlimit(RLIMIT_AS, &limit);
        _exit(history_open(&history, path, on_line, &told) == 0 && told.count == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect_file(path, "last\n");
}

/* ---- files that are refused ---- */

static void what_is_no_regular_file_is_refused(void **state)
{
    const char *path = in_folder("history");

    (void)state;
    assert_int_equal(symlink("/dev/zero", path), 0);
    expect_refused(path, access(path, R_OK | W_OK) == 0 ? EPERM : EACCES);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(path, EPERM);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(path, EPERM);
}

static void a_file_of_somebody_else_is_refused(void **state)
{
    const char *path = in_folder("history");

    (void)state;
    if (geteuid() != 0)
        kit_skip("only root can give a file away");
    write_file(path, "one\n", 4);
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    expect_refused(path, EPERM);
    expect_file(path, "one\n");
}

static void a_file_that_others_could_read_is_closed_to_them(void **state)
{
    const char *path = in_folder("history");

    (void)state;
    write_file(path, "one\n", 4);
    assert_int_equal(chmod(path, 0664), 0);
    expect_lines(path, "one");
    expect_mode(path, 0600);
}

static void a_link_stays_one(void **state)
{
    char target[PATH];
    const char *path;
    struct stat status;

    (void)state;
    snprintf(target, sizeof target, "%s", in_folder("elsewhere"));
    path = in_folder("history");
    write_file(target, "one\n\n\ntwo\n", 10);
    assert_int_equal(symlink(target, path), 0);
    expect_lines(path, "one|two");
    expect_file(target, "one\ntwo\n"); /* cut where it is */
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

/* Whoever is root may write everywhere, so there the folder's place is taken by a file. */
static void where_nothing_can_be_made_nothing_is_kept(void **state)
{
    const char *folder = kit_folder();
    char path[PATH];

    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    write_file(path, "", 0);
    snprintf(path, sizeof path, "%s/file/pollspin/history", folder);
    expect_refused(path, ENOTDIR);
    if (geteuid() == 0)
        return;
    assert_int_equal(chmod(folder, 0500), 0);
    snprintf(path, sizeof path, "%s/pollspin/history", folder);
    expect_refused(path, EACCES);
    assert_int_equal(chmod(folder, 0700), 0);
}

/* ---- no room ---- */

/* In a child, since the limit is for good. SIGXFSZ would end it. */
static void a_limit_on_files_loses_nothing_old(void **state)
{
    const char *path = in_folder("history");
    int status;
    pid_t pid;

    (void)state;
    write_file(path, "one\ntwo\n", 8);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 16, .rlim_max = 16};
        struct history history;
        int result;

        signal(SIGXFSZ, SIG_DFL);
        setrlimit(RLIMIT_FSIZE, &limit);
        result = history_open(&history, path, NULL, NULL);
        result |= history_add(&history, "three");
        errno = 0;
        result |= !(history_add(&history, "four") == -1 && errno == EFBIG);
        result |= history_add(&history, "4");
        _exit(result == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect_file(path, "one\ntwo\nthree\n4\n");
}

static void a_file_that_cannot_be_cut_is_kept(void **state)
{
    static char bytes[8192];
    const char *path = in_folder("history");
    int status;
    pid_t pid;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i += 4)
        memcpy(bytes + i, "abc\n", 4);
    write_file(path, bytes, sizeof bytes);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
        struct told told = {0};
        struct history history;
        int result;

        setrlimit(RLIMIT_FSIZE, &limit);
        result = history_open(&history, path, on_line, &told);
        _exit(result == 0 && told.count == HISTORY_LINES ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(file_size(path), sizeof bytes);
}

/* ---- several runs at once ---- */

static void a_file_that_was_replaced_is_found_again(void **state)
{
    char moved[PATH];
    const char *path;
    struct history history;

    (void)state;
    snprintf(moved, sizeof moved, "%s", in_folder("moved"));
    path = in_folder("history");
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(history_add(&history, "one"), 0);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(history_add(&history, "two"), 0);
    history_close(&history);
    expect_file(path, "two\n");
    expect_mode(path, 0600);
    expect_file(moved, "one\n");
}

/* A run that is stopped while it has the lock keeps nobody from adding. */
static void a_lock_that_is_never_given_back_is_no_obstacle(void **state)
{
    const char *path = in_folder("history");
    struct history history;
    int fd;

    (void)state;
    write_file(path, "one\n\n", 5);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(history_add(&history, "two"), 0);
    history_close(&history);
    expect_file(path, "one\n\ntwo\n");
    close(fd);
}

/* The program goes on meanwhile. */
static void what_another_run_holds_up_is_written_later(void **state)
{
    const char *path = in_folder("history");
    struct history history;
    int fd;

    (void)state;
    write_file(path, "one", 3);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    for (int i = 0; i < 30; i++)
        assert_int_equal(history_add(&history, i % 2 == 0 ? "two" : "three"), 0);
    expect_file(path, "one");
    assert_int_equal(flock(fd, LOCK_UN), 0);
    assert_int_equal(history_add(&history, "four"), 0);
    history_close(&history);
    assert_int_equal(file_size(path), 4 + 15 * (4 + 6) + 5);
    close(fd);
}

/* More than is kept back is written all the same. */
static void what_is_held_up_has_a_limit(void **state)
{
    const char *path = in_folder("history");
    char line[HISTORY_LINE_MAX + 1];
    struct history history;
    int count = 0;
    int fd;

    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    assert_int_equal(history_open(&history, path, NULL, NULL), 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    for (; file_size(path) == 0; count++)
        assert_int_equal(history_add(&history, line), 0);
    assert_in_range(count, 60, 64);
    assert_int_equal(file_size(path), count * (HISTORY_LINE_MAX + 1));
    history_close(&history);
    assert_int_equal(file_size(path), count * (HISTORY_LINE_MAX + 1));
    close(fd);
}

enum { RUNS = 4, LINES = 60 };

static int add_lines(const char *path, int run)
{
    struct history history;
    char line[64];

    if (history_open(&history, path, NULL, NULL) < 0)
        return 1;
    for (int i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "run %d line %d", run, i);
        if (history_add(&history, line) < 0)
            return 2;
    }
    history_close(&history);
    return 0;
}

/* Adds what has to be cut out, and cuts, until GO_ON is closed. */
static int cut_again_and_again(const char *path, int go_on)
{
    char byte;

    fcntl(go_on, F_SETFL, O_NONBLOCK);
    while (read(go_on, &byte, 1) != 0) {
        struct history history;
        int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd < 0 || write(fd, "\n", 1) != 1 || history_open(&history, path, NULL, NULL) < 0)
            return 1;
        close(fd);
        history_close(&history);
    }
    return 0;
}

static void expect_each_line_once(const char *path)
{
    struct told told = {0};
    struct history history;
    int next[RUNS] = {0};

    assert_int_equal(history_open(&history, path, on_line, &told), 0);
    for (size_t i = 0; i < told.count; i++) {
        int run, line;

        assert_int_equal(sscanf(told.lines[i], "run %d line %d", &run, &line), 2);
        assert_int_equal(line, next[run]++);
    }
    for (int i = 0; i < RUNS; i++)
        assert_int_equal(next[i], LINES);
    told_free(&told);
    history_close(&history);
}

static void several_runs_lose_no_line(void **state)
{
    const char *path = in_folder("history");
    pid_t pids[RUNS + 1];
    int go_on[2];
    int status;

    (void)state;
    expect_lines(path, "");
    assert_int_equal(pipe(go_on), 0);
    for (int i = 0; i <= RUNS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(go_on[1]);
            _exit(i < RUNS ? add_lines(path, i) : cut_again_and_again(path, go_on[0]));
        }
    }
    for (int i = 0; i <= RUNS; i++) {
        if (i == RUNS)
            close(go_on[1]);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    close(go_on[0]);
    expect_each_line_once(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(where_the_file_is, kit_cleanup),
        cmocka_unit_test_teardown(folders_are_made_for_the_owner_alone, kit_cleanup),
        cmocka_unit_test_teardown(lines_are_told_in_the_next_run, kit_cleanup),
        cmocka_unit_test_teardown(some_lines_are_not_kept, kit_cleanup),
        cmocka_unit_test_teardown(the_file_is_cut_when_a_run_starts, kit_cleanup),
        cmocka_unit_test_teardown(what_does_not_belong_into_a_line_is_left_out, kit_cleanup),
        cmocka_unit_test_teardown(what_a_killed_run_has_left_is_no_obstacle, kit_cleanup),
        cmocka_unit_test_teardown(a_last_line_without_a_newline_is_one, kit_cleanup),
        cmocka_unit_test_teardown(lines_that_are_too_long_are_dropped, kit_cleanup),
        cmocka_unit_test_teardown(of_a_huge_file_the_end_is_read, kit_cleanup),
        cmocka_unit_test_teardown(what_is_no_regular_file_is_refused, kit_cleanup),
        cmocka_unit_test_teardown(a_file_of_somebody_else_is_refused, kit_cleanup),
        cmocka_unit_test_teardown(a_file_that_others_could_read_is_closed_to_them, kit_cleanup),
        cmocka_unit_test_teardown(a_link_stays_one, kit_cleanup),
        cmocka_unit_test_teardown(where_nothing_can_be_made_nothing_is_kept, kit_cleanup),
        cmocka_unit_test_teardown(a_limit_on_files_loses_nothing_old, kit_cleanup),
        cmocka_unit_test_teardown(a_file_that_cannot_be_cut_is_kept, kit_cleanup),
        cmocka_unit_test_teardown(a_file_that_was_replaced_is_found_again, kit_cleanup),
        cmocka_unit_test_teardown(a_lock_that_is_never_given_back_is_no_obstacle, kit_cleanup),
        cmocka_unit_test_teardown(what_another_run_holds_up_is_written_later, kit_cleanup),
        cmocka_unit_test_teardown(what_is_held_up_has_a_limit, kit_cleanup),
        cmocka_unit_test_teardown(several_runs_lose_no_line, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
