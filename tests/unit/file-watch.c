/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real changes of real files. A change is in the kernel's queue when the call that made it returns,
 * so what is told of it is compared as a whole: nothing may be missing, and nothing more be there.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"
#include "pollspin/loop.h"
#include "unit/turns.h"

enum {
    ALL =
        FILE_DELETE | FILE_WRITE | FILE_EXTEND | FILE_ATTRIB | FILE_LINK | FILE_RENAME | FILE_REVOKE
};

/* ---- a system without /proc, and one with too many watches ---- */

static bool has_no_proc;
static bool has_no_room;

int __real_inotify_add_watch(int queue, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int queue, const char *path, uint32_t mask);

int __wrap_inotify_add_watch(int queue, const char *path, uint32_t mask)
{
    errno = 0;
    if (has_no_proc && strncmp(path, "/proc/", 6) == 0)
        errno = ENOENT;
    if (has_no_room)
        errno = ENOSPC;
    return errno == 0 ? __real_inotify_add_watch(queue, path, mask) : -1;
}

/* ---- what the tests share ---- */

struct seen {
    struct file_watch file;
    unsigned changes; /* of all calls */
    int calls;
    struct loop *loop;
    void (*act)(struct seen *seen);
    struct seen *other;
};

static void on_change(void *owner, unsigned changes)
{
    struct seen *seen = owner;

    assert_int_not_equal(changes, 0);
    seen->changes |= changes;
    seen->calls++;
    if (seen->act)
        seen->act(seen);
}

/* Fewer are no fault: libkqueue closes what is its own some time after the poller. */
static void assert_no_more_than(int descriptors)
{
    assert_in_range(kit_descriptors(getpid()), 0, descriptors);
}

static struct loop *opened;
static const char *folder; /* in which all that a test does is done */

static struct loop *open_loop(void **state)
{
    const char *backend = *state;
    struct poller_info info;

    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (strcmp(info.name, backend) == 0 && info.missing)
            kit_skip(info.missing);
    opened = loop_new(poller_open(backend));
    assert_non_null(opened);
    folder = kit_folder();
    return opened;
}

/* Also after a test that has failed: what it has started is static, so it is there still. */
static int close_loop(void **state)
{
    loop_free(opened);
    opened = NULL;
    has_no_proc = has_no_room = false;
    return kit_cleanup(state);
}

/* Returns the path of NAME in the test's folder; good until the fourth call from now. */
static const char *path_of(const char *name)
{
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

/* Writes LENGTH bytes to the file NAME, opened with FLAGS besides. */
static void put(const char *name, int flags, size_t length)
{
    static const char bytes[4096];
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void seen_init(struct seen *seen, struct loop *loop)
{
    *seen = (struct seen){.loop = loop};
    file_watch_init(&seen->file, on_change, seen);
}

static void seen_start(struct seen *seen, struct loop *loop, const char *name, unsigned want)
{
    seen_init(seen, loop);
    if (file_watch_start(&seen->file, loop, path_of(name), want) == 0)
        return;
    if (errno == ENOTSUP)
        kit_skip("this system has neither inotify nor kqueue");
    fail_msg("%s: %s", name, strerror(errno));
}

static void seen_fails(struct loop *loop, const char *name, unsigned want, int error)
{
    static struct seen seen;
    int descriptors = kit_descriptors(getpid());

    seen_init(&seen, loop);
    assert_int_equal(file_watch_start(&seen.file, loop, path_of(name), want), -1);
    assert_int_equal(errno, error);
    file_watch_stop(&seen.file);
    assert_no_more_than(descriptors);
}

static void quiet(struct seen *seen)
{
    assert_int_equal(loop_look(seen->loop), 0);
    assert_int_equal(seen->changes, 0);
}

/* One call tells of CHANGES, and of nothing else. */
static void expect(struct seen *seen, unsigned changes)
{
    turns_until(seen->loop, seen->calls > 0);
    assert_int_equal(loop_look(seen->loop), 0);
    assert_int_equal(seen->changes, changes);
    assert_int_equal(seen->calls, 1);
    seen->changes = 0;
    seen->calls = 0;
}

/* ---- changes of a file, on every backend ---- */

static void what_is_written(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 100);
    seen_start(&seen, loop, "file", ALL);
    quiet(&seen);
    put("file", O_APPEND, 10);
    expect(&seen, FILE_WRITE | FILE_EXTEND);
    put("file", 0, 50);
    expect(&seen, FILE_WRITE);
    assert_int_equal(truncate(path_of("file"), 20), 0);
    expect(&seen, FILE_WRITE);
    assert_int_equal(truncate(path_of("file"), 30), 0);
    expect(&seen, FILE_WRITE | FILE_EXTEND);
    put("file", O_TRUNC, 10);
    expect(&seen, FILE_WRITE);
}

static void what_it_is_like(void **state)
{
    const struct timespec times[2] = {{1, 0}, {2, 0}};
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", ALL);
    assert_int_equal(chmod(path_of("file"), 0400), 0);
    expect(&seen, FILE_ATTRIB);
    assert_int_equal(utimensat(AT_FDCWD, path_of("file"), times, 0), 0);
    expect(&seen, FILE_ATTRIB);
}

static void its_names(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", ALL);
    assert_int_equal(link(path_of("file"), path_of("second")), 0);
    expect(&seen, FILE_LINK);
    assert_int_equal(unlink(path_of("second")), 0);
    expect(&seen, FILE_LINK | FILE_DELETE);
    assert_int_equal(rename(path_of("file"), path_of("third")), 0);
    expect(&seen, FILE_RENAME);
    put("file", 0, 1); /* the name is another's now */
    quiet(&seen);
    assert_int_equal(rename(path_of("file"), path_of("third")), 0);
    expect(&seen, FILE_LINK | FILE_DELETE);
}

/* As long as somebody has it open the inode lives; its name has gone. */
static void the_last_name_of_an_open_file(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;
    int fd;

    put("file", 0, 1);
    fd = open(path_of("file"), O_WRONLY | O_CLOEXEC);
    seen_start(&seen, loop, "file", ALL);
    assert_int_equal(unlink(path_of("file")), 0);
    expect(&seen, FILE_LINK | FILE_DELETE);
    assert_int_equal(write(fd, "ab", 2), 2);
    expect(&seen, FILE_WRITE | FILE_EXTEND);
    close(fd);
    quiet(&seen);
}

static void entries_of_a_directory(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    seen_start(&seen, loop, "folder", ALL);
    put("folder/entry", 0, 0);
    expect(&seen, FILE_WRITE);
    put("folder/entry", O_APPEND, 10);
    assert_int_equal(chmod(path_of("folder/entry"), 0400), 0);
    quiet(&seen);
    assert_int_equal(rename(path_of("folder/entry"), path_of("entry")), 0);
    expect(&seen, FILE_WRITE);
    assert_int_equal(rename(path_of("entry"), path_of("folder/entry")), 0);
    expect(&seen, FILE_WRITE);
    assert_int_equal(unlink(path_of("folder/entry")), 0);
    expect(&seen, FILE_WRITE);
    assert_int_equal(mkdir(path_of("folder/inner"), 0700), 0);
    expect(&seen, FILE_WRITE | FILE_LINK);
    assert_int_equal(chmod(path_of("folder/inner"), 0500), 0);
    quiet(&seen);
    assert_int_equal(rmdir(path_of("folder/inner")), 0);
    expect(&seen, FILE_WRITE | FILE_LINK);
}

static void a_directory_itself(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    seen_start(&seen, loop, "folder", ALL);
    assert_int_equal(chmod(path_of("folder"), 0500), 0);
    expect(&seen, FILE_ATTRIB);
    assert_int_equal(rename(path_of("folder"), path_of("other")), 0);
    expect(&seen, FILE_RENAME);
    assert_int_equal(rmdir(path_of("other")), 0);
    expect(&seen, FILE_DELETE);
}

/* The name has gone, but the directory is told to be so when nobody is in it any more. */
static void a_directory_that_is_open(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;
    int fd;

    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    fd = open(path_of("folder"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    seen_start(&seen, loop, "folder", ALL);
    assert_int_equal(rmdir(path_of("folder")), 0);
    quiet(&seen);
    close(fd);
    expect(&seen, FILE_DELETE);
}

static void it_outlasts_the_poller(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;
    int refused;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", FILE_WRITE);
    put("file", 0, 1);
    assert_int_equal(loop_use(loop, poller_open("select"), &refused), 0);
    expect(&seen, FILE_WRITE);
}

/* ---- what the kernel says in one word ---- */

static void set_times(const char *name, struct timespec read, struct timespec modified)
{
    const struct timespec times[2] = {read, modified};

    assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

static const struct timespec long_ago = {1000000000, 0};
static const struct timespec right_now = {.tv_nsec = UTIME_NOW};
static const struct timespec as_it_was = {.tv_nsec = UTIME_OMIT};

static void its_mode_beside_its_names(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen all, attrib;

    put("file", 0, 1);
    seen_start(&all, loop, "file", ALL);
    seen_start(&attrib, loop, "file", FILE_ATTRIB);
    assert_int_equal(chmod(path_of("file"), 0640), 0);
    assert_int_equal(link(path_of("file"), path_of("second")), 0);
    turns_until(loop, attrib.calls > 0);
    expect(&all, FILE_ATTRIB | FILE_LINK);
    expect(&attrib, FILE_ATTRIB);
    assert_int_equal(unlink(path_of("second")), 0);
    assert_int_equal(chmod(path_of("file"), 0600), 0);
    turns_until(loop, attrib.calls > 0);
    expect(&all, FILE_ATTRIB | FILE_LINK | FILE_DELETE);
    expect(&attrib, FILE_ATTRIB);
}

/* As who keeps the old version by a link, and puts the new one in its place. */
static void a_name_for_another(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    put("new", 0, 1);
    seen_start(&seen, loop, "file", FILE_DELETE | FILE_LINK | FILE_ATTRIB);
    assert_int_equal(link(path_of("file"), path_of("backup")), 0);
    assert_int_equal(rename(path_of("new"), path_of("file")), 0);
    expect(&seen, FILE_DELETE | FILE_LINK);
    assert_int_equal(chmod(path_of("backup"), 0640), 0);
    expect(&seen, FILE_ATTRIB);
}

static void a_name_for_another_beside_its_mode(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", ALL);
    assert_int_equal(chmod(path_of("file"), 0640), 0);
    assert_int_equal(link(path_of("file"), path_of("backup")), 0);
    assert_int_equal(unlink(path_of("file")), 0);
    expect(&seen, FILE_DELETE | FILE_LINK | FILE_ATTRIB);
}

/* It may be that a name came and went. */
static void the_mode_that_it_has(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", ALL);
    assert_int_equal(chmod(path_of("file"), 0600), 0);
    expect(&seen, FILE_ATTRIB | FILE_LINK);
}

static void a_new_time_of_change(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen all, attrib;

    put("file", 0, 1);
    seen_start(&all, loop, "file", ALL);
    seen_start(&attrib, loop, "file", FILE_ATTRIB);
    set_times("file", as_it_was, long_ago);
    turns_until(loop, attrib.calls > 0);
    assert_true(all.changes & FILE_ATTRIB);
    expect(&attrib, FILE_ATTRIB);
    set_times("file", as_it_was, right_now);
    expect(&attrib, FILE_ATTRIB);
    assert_true(all.changes & FILE_WRITE);
    all.changes = (unsigned)(all.calls = 0);
    put("file", O_APPEND, 1);
    quiet(&attrib);
    expect(&all, FILE_WRITE | FILE_EXTEND);
}

static void a_name_beside_what_is_written(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    set_times("file", long_ago, long_ago);
    seen_start(&seen, loop, "file", ALL);
    put("file", O_APPEND, 1);
    assert_int_equal(link(path_of("file"), path_of("second")), 0);
    expect(&seen, FILE_WRITE | FILE_EXTEND | FILE_LINK);
    put("file", O_APPEND, 1);
    assert_int_equal(rename(path_of("file"), path_of("third")), 0);
    expect(&seen, FILE_WRITE | FILE_EXTEND | FILE_RENAME);
}

/* ---- what is told, and how ---- */

static void only_what_is_wanted(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen writes, deletes, extends, revokes;

    put("file", 0, 10);
    seen_start(&extends, loop, "file", FILE_EXTEND);
    seen_start(&deletes, loop, "file", FILE_DELETE);
    seen_start(&revokes, loop, "file", FILE_REVOKE);
    seen_start(&writes, loop, "file", FILE_WRITE);
    put("file", 0, 10);
    expect(&writes, FILE_WRITE);
    quiet(&extends);
    put("file", O_APPEND, 10);
    turns_until(loop, writes.calls > 0);
    expect(&extends, FILE_EXTEND);
    expect(&writes, FILE_WRITE);
    assert_int_equal(chmod(path_of("file"), 0400), 0);
    assert_int_equal(link(path_of("file"), path_of("second")), 0);
    assert_int_equal(rename(path_of("second"), path_of("third")), 0);
    quiet(&writes);
    quiet(&extends);
    quiet(&deletes);
    assert_int_equal(unlink(path_of("third")), 0);
    expect(&deletes, FILE_DELETE);
    quiet(&writes);
    quiet(&extends);
    quiet(&revokes);
}

static void several_changes_are_one_call(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    seen_start(&seen, loop, "file", ALL);
    put("file", 0, 1);
    assert_int_equal(chmod(path_of("file"), 0700), 0);
    put("file", O_APPEND, 1);
    assert_int_equal(rename(path_of("file"), path_of("other")), 0);
    expect(&seen, FILE_WRITE | FILE_EXTEND | FILE_ATTRIB | FILE_RENAME);
}

static void a_symbolic_link_is_followed(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    assert_int_equal(symlink("file", path_of("symbolic")), 0);
    seen_start(&seen, loop, "symbolic", ALL);
    assert_int_equal(unlink(path_of("symbolic")), 0);
    quiet(&seen);
    put("file", 0, 1);
    expect(&seen, FILE_WRITE);
}

/* The kernel has one watch for all of an inode. */
static void several_watches_of_one_file(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen[3];
    int descriptors = kit_descriptors(getpid());

    put("file", 0, 1);
    assert_int_equal(link(path_of("file"), path_of("second")), 0);
    seen_start(&seen[0], loop, "file", FILE_WRITE | FILE_ATTRIB);
    seen_start(&seen[1], loop, "second", FILE_WRITE);
    seen_start(&seen[2], loop, "file", FILE_RENAME);
    put("file", 0, 1);
    turns_until(loop, seen[1].calls > 0);
    expect(&seen[0], FILE_WRITE);
    expect(&seen[1], FILE_WRITE);
    file_watch_stop(&seen[0].file);
    put("second", 0, 1);
    assert_int_equal(rename(path_of("file"), path_of("third")), 0);
    turns_until(loop, seen[1].calls > 0);
    expect(&seen[1], FILE_WRITE);
    expect(&seen[2], FILE_RENAME);
    assert_int_equal(seen[0].calls, 0);
    file_watch_stop(&seen[1].file);
    file_watch_stop(&seen[1].file); /* twice does no harm */
    file_watch_stop(&seen[2].file);
    assert_no_more_than(descriptors);
}

static void it_can_be_started_again(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    for (int i = 0; i < 3; i++) {
        seen_start(&seen, loop, "file", FILE_WRITE);
        put("file", 0, 1);
        expect(&seen, FILE_WRITE);
        put("file", 0, 1); /* and is never told */
        file_watch_stop(&seen.file);
    }
    quiet(&seen);
}

/* ---- what a handler may do ---- */

static void stop_own(struct seen *seen)
{
    file_watch_stop(&seen->file);
}

static void stop_other(struct seen *seen)
{
    file_watch_stop(&seen->other->file);
}

static void start_anew(struct seen *seen)
{
    file_watch_stop(&seen->file);
    seen->act = NULL;
    assert_int_equal(file_watch_start(&seen->file, seen->loop, path_of("file"), FILE_ATTRIB), 0);
}

/* Three of one file and one of another, of which the first does ACT when both files change. */
static struct seen quartet[4];

static void run_quartet(void **state, void (*act)(struct seen *seen), int other)
{
    struct loop *loop = open_loop(state);

    put("file", 0, 1);
    put("last", 0, 1);
    for (int i = 0; i < 4; i++)
        seen_start(&quartet[i], loop, i < 3 ? "file" : "last", FILE_WRITE);
    quartet[0].act = act;
    quartet[0].other = &quartet[other];
    put("file", 0, 1);
    put("last", 0, 1);
    turns_until(loop, quartet[0].calls > 0);
    assert_int_equal(loop_look(loop), 0);
    assert_int_equal(quartet[0].calls, 1);
    for (int i = 1; i < 4; i++)
        assert_int_equal(quartet[i].calls, act == stop_other && i == other ? 0 : 1);
}

static void a_handler_may_stop_its_own(void **state)
{
    run_quartet(state, stop_own, 0);
    put("file", 0, 1);
    turns_until(opened, quartet[1].calls == 2);
    assert_int_equal(quartet[0].calls, 1);
}

static void a_handler_may_stop_the_next(void **state)
{
    run_quartet(state, stop_other, 1);
}

static void a_handler_may_stop_the_last(void **state)
{
    run_quartet(state, stop_other, 3);
}

static void a_handler_may_start_anew(void **state)
{
    run_quartet(state, start_anew, 0);
    assert_int_equal(chmod(path_of("file"), 0400), 0);
    turns_until(opened, quartet[0].calls == 2);
}

static void stop_all(struct seen *seen)
{
    for (int i = 0; i < 4; i++)
        file_watch_stop(&quartet[i].file);
    seen->calls++;
}

static void a_handler_may_stop_all(void **state)
{
    struct loop *loop = open_loop(state);
    int descriptors = kit_descriptors(getpid());

    put("file", 0, 1);
    for (int i = 0; i < 4; i++) {
        seen_start(&quartet[i], loop, "file", ALL);
        quartet[i].act = stop_all;
    }
    put("file", 0, 1);
    turns_until(loop, quartet[0].calls > 0);
    assert_int_equal(quartet[1].calls + quartet[2].calls + quartet[3].calls, 0);
    assert_no_more_than(descriptors);
}

static bool is_freed;

static void free_own(struct seen *seen)
{
    file_watch_stop(&seen->file);
    free(seen);
    is_freed = true;
}

static void a_handler_may_free_it(void **state)
{
    struct loop *loop = open_loop(state);
    struct seen *seen = malloc(sizeof *seen);

    assert_non_null(seen);
    put("file", 0, 1);
    seen_start(seen, loop, "file", FILE_WRITE);
    seen->act = free_own;
    is_freed = false;
    put("file", 0, 1);
    turns_until(loop, is_freed);
}

static void the_loop_may_go_first(void **state)
{
    int descriptors = kit_descriptors(getpid());
    static struct seen seen[2];

    open_loop(state);
    put("file", 0, 1);
    for (int i = 0; i < 2; i++)
        seen_start(&seen[i], opened, "file", ALL);
    loop_free(opened);
    opened = NULL;
    file_watch_stop(&seen[0].file);
    assert_no_more_than(descriptors);
}

/* ---- where something is missing ---- */

static void what_cannot_be_watched(void **state)
{
    struct loop *loop = open_loop(state);

    put("file", 0, 1);
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    assert_int_equal(symlink("round", path_of("round")), 0);
    seen_fails(loop, "nothing", ALL, ENOENT);
    seen_fails(loop, "dangling", ALL, ENOENT);
    seen_fails(loop, "round", ALL, ELOOP);
    seen_fails(loop, "file/below", ALL, ENOTDIR);
    seen_fails(loop, "file", 0, EINVAL);
    seen_fails(loop, "file", ALL + 1, EINVAL);
    has_no_room = true;
    seen_fails(loop, "file", ALL, ENOSPC);
}

/* A file may be watched by who may read it. */
static void what_may_not_be_read(void **state)
{
    struct loop *loop = open_loop(state);
    bool is_root = geteuid() == 0;

    put("file", 0, 1);
    assert_int_equal(chmod(path_of("file"), 0), 0);
    assert_int_equal(chmod(folder, 0711), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    seen_fails(loop, "file", ALL, EACCES);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
}

static void there_may_be_no_descriptor_left(void **state)
{
    struct loop *loop = open_loop(state);
    struct rlimit limit, less;
    static struct seen seen;
    int next, queue_error, file_error;

    put("file", 0, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    seen_init(&seen, loop);
    next = dup(0);
    close(next);
    less = limit;
    less.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &less);
    queue_error = file_watch_start(&seen.file, loop, path_of("file"), ALL) < 0 ? errno : 0;
    less.rlim_cur++;
    setrlimit(RLIMIT_NOFILE, &less);
    file_error = file_watch_start(&seen.file, loop, path_of("file"), ALL) < 0 ? errno : 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(queue_error, EMFILE);
    assert_int_equal(file_error, EMFILE);
    seen_start(&seen, loop, "file", ALL);
    put("file", 0, 1);
    expect(&seen, FILE_WRITE);
}

static void there_may_be_no_proc(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen;

    put("file", 0, 1);
    has_no_proc = true;
    seen_start(&seen, loop, "file", ALL);
    put("file", 0, 1);
    expect(&seen, FILE_WRITE);
}

/* How many changes the kernel keeps for a queue at most. */
static int queue_length(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    int length = 0;

    if (!file || fscanf(file, "%d", &length) != 1 || length > 100000)
        kit_skip("how long a queue is cannot be known, or it is very long");
    fclose(file);
    return length;
}

/* Two that take turns, for the kernel merges a change with one before that is the same. */
static void overflow(struct loop *loop, struct seen *seen)
{
    int length = queue_length();
    int fds[2];

    for (int i = 0; i < 2; i++) {
        put(i ? "second" : "first", 0, 1);
        seen_start(&seen[i], loop, i ? "second" : "first", ALL);
        fds[i] = open(path_of(i ? "second" : "first"), O_WRONLY | O_CLOEXEC);
    }
    for (int i = 0; i < length + 1000; i++)
        assert_int_equal(pwrite(fds[i % 2], "x", 1, 0), 1);
    close(fds[0]);
    close(fds[1]);
}

static void what_was_lost_may_be_anything(void **state)
{
    struct loop *loop = open_loop(state);
    static struct seen seen[3];

    put("third", 0, 1);
    seen_start(&seen[2], loop, "third", FILE_RENAME | FILE_LINK);
    overflow(loop, seen);
    turns_until(loop, seen[2].calls > 0);
    assert_int_equal(seen[0].changes, ALL);
    assert_int_equal(seen[1].changes, ALL);
    expect(&seen[2], FILE_RENAME | FILE_LINK);
    for (int i = 0; i < 2; i++)
        seen[i].changes = (unsigned)(seen[i].calls = 0);
    put("second", O_APPEND, 1);
    expect(&seen[1], FILE_WRITE | FILE_EXTEND);
    quiet(&seen[0]);
}

/* ---- a file system that goes ---- */

enum { GOES_RIGHT, GOES_WRONG, GOES_NOT_HERE };

static void goes(bool is_right)
{
    if (!is_right)
        _exit(GOES_WRONG);
}

static void on_revoke(void *owner, unsigned changes)
{
    unsigned *all = owner;

    *all |= changes;
}

/* In a process of its own, which has mounts of its own. */
static void unmount(const char *backend)
{
    struct loop *loop = loop_new(poller_open(backend));
    struct file_watch file, held;
    unsigned changes = 0;
    char path[PATH_MAX];

    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", 0, NULL) < 0)
        _exit(GOES_NOT_HERE);
    snprintf(path, sizeof path, "%s/file", folder);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    file_watch_init(&file, on_revoke, &changes);
    file_watch_init(&held, on_revoke, &changes);
    goes(file_watch_start(&file, loop, path, FILE_WRITE | FILE_REVOKE) == 0);
    goes(file_watch_start(&held, loop, path, FILE_LINK) == 0);
    goes(umount(folder) < 0 && errno == EBUSY);
    file_watch_stop(&held);
    goes(umount(folder) == 0);
    for (int i = 0; changes == 0 && i < 1000; i++)
        goes(loop_turn(loop) == 0);
    goes(changes == FILE_REVOKE);
    file_watch_stop(&file);
    loop_free(loop);
    _exit(GOES_RIGHT);
}

static void its_file_system_may_be_unmounted(void **state)
{
    pid_t pid;
    int status;

    folder = kit_folder();
    pid = fork();
    if (pid == 0) {
        alarm((unsigned)(KIT_DEADLINE_NS / CLOCK_SECOND));
        unmount(*state);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == GOES_NOT_HERE)
        kit_skip("nothing can be mounted here");
    assert_int_equal(WEXITSTATUS(status), GOES_RIGHT);
}

/* ---- the list ---- */

typedef void test_fn(void **state);

static const struct {
    const char *name;
    test_fn *run;
} everywhere[] = {
    {"what_is_written", what_is_written},
    {"what_it_is_like", what_it_is_like},
    {"its_names", its_names},
    {"the_last_name_of_an_open_file", the_last_name_of_an_open_file},
    {"entries_of_a_directory", entries_of_a_directory},
    {"a_directory_itself", a_directory_itself},
    {"a_directory_that_is_open", a_directory_that_is_open},
    {"it_outlasts_the_poller", it_outlasts_the_poller},
    {"several_watches_of_one_file", several_watches_of_one_file},
};

#define ON_POLL(test)                                                                              \
    {                                                                                              \
#test, test, NULL, close_loop, (void *)"poll"                                              \
    }

static const struct CMUnitTest apart[] = {
    ON_POLL(its_mode_beside_its_names),
    ON_POLL(a_name_for_another),
    ON_POLL(a_name_for_another_beside_its_mode),
    ON_POLL(the_mode_that_it_has),
    ON_POLL(a_new_time_of_change),
    ON_POLL(a_name_beside_what_is_written),
    ON_POLL(only_what_is_wanted),
    ON_POLL(several_changes_are_one_call),
    ON_POLL(a_symbolic_link_is_followed),
    ON_POLL(it_can_be_started_again),
    ON_POLL(a_handler_may_stop_its_own),
    ON_POLL(a_handler_may_stop_the_next),
    ON_POLL(a_handler_may_stop_the_last),
    ON_POLL(a_handler_may_start_anew),
    ON_POLL(a_handler_may_stop_all),
    ON_POLL(a_handler_may_free_it),
    ON_POLL(the_loop_may_go_first),
    ON_POLL(what_cannot_be_watched),
    ON_POLL(what_may_not_be_read),
    ON_POLL(there_may_be_no_descriptor_left),
    ON_POLL(there_may_be_no_proc),
    ON_POLL(what_was_lost_may_be_anything),
    ON_POLL(its_file_system_may_be_unmounted),
};

enum {
    BACKENDS_MAX = 16,
    EVERYWHERE = sizeof everywhere / sizeof *everywhere,
    APART = sizeof apart / sizeof *apart,
    TESTS_MAX = BACKENDS_MAX * EVERYWHERE + APART
};

static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][96];

int main(void)
{
    struct poller_info info;
    size_t count = 0;

    /* The contract's suite says which backends are missing. */
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        for (int j = 0; !info.missing && j < EVERYWHERE; j++, count++) {
            snprintf(names[count], sizeof names[count], "%s (%s)", everywhere[j].name, info.name);
            tests[count] = (struct CMUnitTest){names[count], everywhere[j].run, NULL, close_loop,
                                               (void *)info.name};
        }
    memcpy(tests + count, apart, sizeof apart);
    return _cmocka_run_group_tests("file-watch", tests, count + APART, NULL, NULL);
}
