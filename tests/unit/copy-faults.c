/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of a copy to the system fails: the first of its kind, then the second, and so on, for
 * each errno that it may have, until a run comes to its end without the fault; calls do one byte of
 * their work, or as much as chance will; every second one is interrupted. Whatever happens, there
 * is the right content, or an error is told, and then a file is as it was before: never a wrong one
 * that nobody speaks of. No source is changed, nothing is left behind, and nothing hangs.
 *
 * The linker puts the functions below between us and libc (ld(1), --wrap). A crew has threads, so
 * what is counted is counted by all of them.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copy/copy.h"
#include "copy/kernel.h"
#include "copy/move.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "unit/turns.h"

enum mishap { FAILS, ONE_BYTE, AT_RANDOM, EVERY_SECOND };

static struct {
    atomic_bool is_armed;
    enum mishap mishap;
    const char *call;
    int after; /* so many of them go well first */
    int times; /* ... and so many fail then */
    int error;
    atomic_int count; /* how many there were */
    atomic_uint seed;
} fault;

static bool is_made(enum mishap mishap)
{
    return fault.is_armed && fault.mishap == mishap;
}

static bool fails(const char *call)
{
    int count;

    if (is_made(EVERY_SECOND)) {
        errno = EINTR;
        return atomic_fetch_add(&fault.count, 1) % 2 == 0;
    }
    if (!is_made(FAILS) || strcmp(fault.call, call) != 0)
        return false;
    count = atomic_fetch_add(&fault.count, 1);
    if (count < fault.after || count - fault.after >= fault.times)
        return false;
    errno = fault.error;
    return true;
}

/* Returns how many of N bytes the call is to move. */
static size_t part_of(size_t n)
{
    uint32_t seed;

    if (n == 0 || !(is_made(ONE_BYTE) || is_made(AT_RANDOM)))
        return n;
    if (fault.mishap == ONE_BYTE)
        return 1;
    seed = atomic_fetch_add(&fault.seed, 1) + 1;
    kit_random(&seed, 2);
    return 1 + kit_random(&seed, n < 30000 ? (uint32_t)n : 30000);
}

/* TYPE CALL(PARAMETERS) in front of libc's, which gets ARGUMENTS; FAILED is its answer to a fault.
 */
#define WRAP(type, call, parameters, arguments, failed)                                            \
    type __real_##call parameters;                                                                 \
    type __wrap_##call parameters;                                                                 \
    type __wrap_##call parameters                                                                  \
    {                                                                                              \
        return fails(#call) ? (failed) : __real_##call arguments;                                  \
    }

/* One that is not said to be interrupted, for it never is. */
#define WRAP_WHOLE(type, call, parameters, arguments, failed)                                      \
    type __real_##call parameters;                                                                 \
    type __wrap_##call parameters;                                                                 \
    type __wrap_##call parameters                                                                  \
    {                                                                                              \
        bool is_failing = is_made(FAILS) && fails(#call);                                          \
                                                                                                   \
        return is_failing ? (failed) : __real_##call arguments;                                    \
    }

WRAP_WHOLE(int, posix_memalign, (void **memory, size_t alignment, size_t size),
           (memory, alignment, size), fault.error)
WRAP_WHOLE(void *, malloc, (size_t size), (size), NULL)
WRAP_WHOLE(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP_WHOLE(void *, realloc, (void *old, size_t size), (old, size), NULL)
WRAP_WHOLE(int, pipe, (int ends[2]), (ends), -1)
WRAP_WHOLE(int, fcntl, (int fd, int what, long value), (fd, what, value), -1)
WRAP_WHOLE(int, ioctl, (int fd, unsigned long what, void *value), (fd, what, value), -1)
WRAP_WHOLE(int, stat, (const char *path, struct stat *status), (path, status), -1)
WRAP_WHOLE(int, lstat, (const char *path, struct stat *status), (path, status), -1)
WRAP_WHOLE(int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP_WHOLE(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence), -1)
WRAP_WHOLE(int, rename, (const char *from, const char *to), (from, to), -1)
WRAP_WHOLE(int, link, (const char *from, const char *to), (from, to), -1)
WRAP_WHOLE(int, pthread_create,
           (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *context),
           (thread, how, run, context), fault.error)
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout), -1)
WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), -1)
WRAP(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, part_of(n)), -1)
WRAP(ssize_t, pread, (int fd, void *bytes, size_t n, off_t offset), (fd, bytes, part_of(n), offset),
     -1)
WRAP(ssize_t, recv, (int fd, void *bytes, size_t n, int flags), (fd, bytes, part_of(n), flags), -1)
WRAP(ssize_t, send, (int fd, const void *bytes, size_t n, int flags),
     (fd, bytes, part_of(n), flags), -1)
WRAP(ssize_t, splice, (int in, off_t *from, int out, off_t *to, size_t n, unsigned flags),
     (in, from, out, to, part_of(n), flags), -1)
WRAP(ssize_t, tee, (int in, int out, size_t n, unsigned flags), (in, out, part_of(n), flags), -1)
WRAP(ssize_t, copy_file_range, (int in, off_t *from, int out, off_t *to, size_t n, unsigned flags),
     (in, from, out, to, part_of(n), flags), fault.error == 0 ? 0 : -1)
WRAP(ssize_t, sendfile, (int out, int in, off_t *from, size_t n), (out, in, from, part_of(n)), -1)

ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __real_close(int fd);

/* One byte is a wakeup of the loop, which a pipe refuses only where there is one to come anyway. */
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    return n > 1 && fails("write") ? -1 : __real_write(fd, bytes, part_of(n));
}

/* The disk need not do it for us. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return fails("fsync") ? -1 : 0;
}

/* It lets go of the descriptor also where it fails. */
int __wrap_close(int fd)
{
    bool is_failing = is_made(FAILS) && fails("close");
    int error = errno;
    int result = __real_close(fd);

    if (!is_failing)
        return result;
    errno = error;
    return -1;
}

/* 0 ends the errors; in copy_file_range, -1 is that it moves nothing, as in /proc. */
struct call {
    const char *name;
    int errors[10];
};

/* What those say that move bytes; and all others. */
static const struct call movers[] = {
    {"read", {EINTR, EAGAIN, EIO}},
    {"pread", {EINTR, EIO, EISDIR}},
    {"recv", {EINTR, EAGAIN, ECONNRESET}},
    {"write", {EINTR, EAGAIN, EIO, ENOSPC, EFBIG, EDQUOT, EPIPE}},
    {"send", {EINTR, EAGAIN, ECONNRESET, EPIPE}},
    {"splice", {EINTR, EAGAIN, EINVAL, ENOMEM, EIO, ENOSYS, EPERM, ENOSPC}},
    {"copy_file_range", {EINTR, EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EIO, ENOSPC, -1}},
    {"sendfile", {EINTR, EAGAIN, EINVAL, ENOMEM, EIO, ENOSYS, EPIPE}},
    {"tee", {EINTR, EAGAIN, ENOMEM}},
    {"lseek", {EINVAL, EIO}},
    {"ftruncate", {EINTR, EIO, EFBIG, EPERM}},
    {"fstat", {ENOMEM, EIO}},
    {"fcntl", {EPERM, EMFILE}},
    {"ioctl", {ENOTTY}},
    {"poll", {EINTR, ENOMEM}},
    {"pipe", {EMFILE, ENFILE}},
    {"malloc", {ENOMEM}},
    {"posix_memalign", {ENOMEM}},
};
static const struct call others[] = {
    {"calloc", {ENOMEM}},      {"realloc", {ENOMEM}},      {"stat", {EACCES, EIO, ENOMEM}},
    {"lstat", {EACCES}},       {"open", {EMFILE, EACCES}}, {"fchmod", {EPERM, EIO}},
    {"fchown", {EPERM, EIO}},  {"fsync", {EIO, EINTR}},    {"rename", {EIO, ENOSPC, EXDEV}},
    {"link", {EPERM, EEXIST}}, {"close", {EIO, EINTR}},    {"pthread_create", {EAGAIN}},
};
enum { MOVERS = sizeof movers / sizeof *movers, OTHERS = sizeof others / sizeof *others };

/* How often a call fails once it does: a mishap, and one that lasts. */
enum { CALLS_MAX = 2000, STEPS_MAX = 1000000, HANGS_S = 60 };
static const int stubbornness[] = {1, 20};

/* Does everything once, with the fault armed meanwhile, checks it, and returns 0 or the errno that
 * it has told. */
typedef int scenario_fn(void);

static void arm(void)
{
    fault.count = 0;
    fault.seed = 1;
    alarm(HANGS_S);
    fault.is_armed = true;
}

static void disarm(void)
{
    fault.is_armed = false;
    alarm(0);
}

static void on_alarm(int signo)
{
    (void)signo;
    fault.is_armed = false;
    fprintf(stdout, "hangs: %s, call %d, errno %d\n", fault.call, fault.after, fault.error);
    fflush(stdout);
    _exit(1);
}

/* Whether what TOLD says can come of the fault. A hole that is too large is EINVAL to lseek(2);
 * what a pipe has and will not give is EIO to a split; what fails on the way to a fan cancels all
 * of it. */
static bool is_fit(int told)
{
    return told == 0 || told == fault.error || (told == EFBIG && fault.error == EINVAL) ||
           (told == EIO && fault.error == EAGAIN) || told == ECANCELED;
}

/* Returns whether it came to the fault. */
static bool fail_once(scenario_fn *scenario, const char *call, int after, int times, int error)
{
    int descriptors = kit_descriptors(getpid());
    int told;

    fault.mishap = FAILS;
    fault.call = call;
    fault.after = after;
    fault.times = times;
    fault.error = error == -1 ? 0 : error;
    told = scenario();
    if (!is_fit(told) || (told != 0 && fault.count <= after))
        fail_msg("%s, call %d: %s; told %s", call, after, strerror(error), strerror(told));
    if (kit_descriptors(getpid()) != descriptors)
        fail_msg("%s, call %d: %s: descriptors are lost", call, after, strerror(error));
    return fault.count > after;
}

static void fail_later_and_later(scenario_fn *scenario, const char *call, int times, int error)
{
    int step = kit_is_instrumented() ? 7 : 1;

    for (int after = 0; fail_once(scenario, call, after, times, error); after += step)
        assert_true(after < CALLS_MAX);
}

static void fail_each(scenario_fn *scenario, const struct call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (const int *error = calls[i].errors; *error != 0; error++)
            for (size_t j = 0; j < sizeof stubbornness / sizeof *stubbornness; j++)
                fail_later_and_later(scenario, calls[i].name, stubbornness[j], *error);
}

static void expect_success(scenario_fn *scenario, enum mishap mishap)
{
    int told;

    fault.mishap = mishap;
    fault.call = "all";
    fault.after = mishap;
    told = scenario();
    if (told != 0)
        fail_msg("mishap %d: %s", mishap, strerror(told));
}

static void suffer(scenario_fn *scenario, const struct call *calls, size_t count)
{
    expect_success(scenario, ONE_BYTE);
    expect_success(scenario, AT_RANDOM);
    expect_success(scenario, EVERY_SECOND);
    fail_each(scenario, calls, count);
}

/* ---- a move ---- */

enum { SIZE = 6000, HOLE = 1 << 14, WHOLE = SIZE + HOLE + SIZE + HOLE, BUDGET = 7000 };
enum { A_FILE, A_PIPE, A_SOCKET, A_CAREFUL, KINDS, A_SHARED = KINDS };

static const enum end_kind end_kinds[] = {END_FILE, END_PIPE, END_SOCKET, END_CAREFUL,
                                          END_SHARED_SOCKET};

static struct {
    int from;
    int to;
    char bytes[WHOLE]; /* of the source: data, a hole, data, a hole */
    char got[WHOLE + 1];
    size_t size;
    size_t drained;
    const char *folder;
    char in[300];
    char out[300];
} scene;

/* ENDS[0] is the move's, ENDS[1] ours, -1 for a file. */
static void make_pair(int which, int ends[2], bool is_source)
{
    int both[2];

    if (which == A_SOCKET || which == A_SHARED)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both), 0);
    else
        assert_int_equal(kernel_pipe(both), 0);
    ends[0] = both[is_source ? 0 : 1];
    ends[1] = both[is_source ? 1 : 0];
}

static struct end make_source(void)
{
    struct end end = {.kind = end_kinds[scene.from], .size = -1};
    int ends[2];

    scene.size = scene.from == A_FILE ? WHOLE : SIZE;
    if (scene.from == A_FILE) {
        end.fd = open(scene.in, O_RDONLY | O_CLOEXEC);
        return end;
    }
    make_pair(scene.from, ends, true);
    assert_int_equal(write(ends[1], scene.bytes, SIZE), SIZE);
    close(ends[1]);
    end.fd = ends[0];
    return end;
}

static struct end make_dest(int *reader)
{
    struct end end = {.kind = end_kinds[scene.to], .size = -1};
    int ends[2];

    scene.drained = 0;
    *reader = -1;
    if (scene.to == A_FILE) {
        unlink(scene.out);
        end.fd = open(scene.out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return end;
    }
    make_pair(scene.to, ends, false);
    *reader = ends[1];
    end.fd = ends[0];
    return end;
}

static void drain(int reader)
{
    ssize_t n;

    if (reader < 0)
        return;
    while ((n = __real_read(reader, scene.got + scene.drained, sizeof scene.got - scene.drained)) >
           0)
        scene.drained += (size_t)n;
}

static enum move_result make_steps(struct move *move, int reader)
{
    enum move_result result = MOVE_MORE;

    for (int i = 0; result < MOVE_ENDED; i++) {
        assert_true(i < STEPS_MAX);
        result = move_step(move, BUDGET);
        drain(reader);
    }
    return result;
}

/* What has arrived is what was counted, and the beginning of what was sent, if not all of it. */
static void check_move(const struct move *move, enum move_result result)
{
    size_t copied = (size_t)move->copied;

    if (scene.to == A_FILE) {
        memset(scene.got, 0, sizeof scene.got);
        scene.drained = (size_t)pread(move->dest->fd, scene.got, sizeof scene.got, 0);
        assert_int_equal(lseek(move->dest->fd, 0, SEEK_CUR), copied);
    }
    if (result == MOVE_ENDED)
        assert_int_equal(copied, scene.size);
    if (result == MOVE_ENDED || scene.to != A_FILE)
        assert_int_equal(scene.drained, copied);
    assert_true(scene.drained <= copied);
    assert_memory_equal(scene.got, scene.bytes, copied);
}

static int a_move(void)
{
    int reader;
    struct end source = make_source();
    struct end dest = make_dest(&reader);
    struct move move;
    enum move_result result;

    arm();
    move_init(&move, &source, &dest, 0);
    result = make_steps(&move, reader);
    disarm();
    check_move(&move, result);
    move_fini(&move);
    close(source.fd);
    close(dest.fd);
    if (reader >= 0)
        close(reader);
    return result == MOVE_ENDED ? 0 : move.error;
}

static void fill(char *bytes, size_t n, size_t seed)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 251 + seed);
}

static void write_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static void make_sparse_file(void)
{
    int fd;

    memset(scene.bytes, 0, WHOLE);
    fill(scene.bytes, SIZE, 1);
    fill(scene.bytes + SIZE + HOLE, SIZE, 2);
    write_file(scene.in, scene.bytes, SIZE);
    fd = open(scene.in, O_WRONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, SIZE + HOLE, SEEK_SET), SIZE + HOLE);
    assert_int_equal(write(fd, scene.bytes + SIZE + HOLE, SIZE), SIZE);
    assert_int_equal(ftruncate(fd, WHOLE), 0);
    close(fd);
}

static void moves(void **state)
{
    (void)state;
    snprintf(scene.in, sizeof scene.in, "%s/in", scene.folder);
    snprintf(scene.out, sizeof scene.out, "%s/out", scene.folder);
    make_sparse_file();
    for (scene.from = 0; scene.from < KINDS; scene.from++)
        for (scene.to = 0; scene.to < KINDS; scene.to++)
            suffer(a_move, movers, MOVERS);
}

/* Counts how often CALL is made by a step that takes a burst of 1000 bytes. */
static int calls_of_burst(const char *call, int from, int to)
{
    struct end source, dest;
    struct move move;
    int in[2], out[2];

    make_pair(from, in, true);
    make_pair(to, out, false);
    source = (struct end){.kind = end_kinds[from], .fd = in[0]};
    dest = (struct end){.kind = end_kinds[to], .fd = out[0]};
    move_init(&move, &source, &dest, 0);
    assert_int_equal(write(in[1], scene.bytes, 1000), 1000);
    fault.mishap = FAILS;
    fault.call = call;
    fault.after = INT32_MAX;
    arm();
    assert_int_equal(move_step(&move, BUDGET), MOVE_WAITS_SOURCE);
    disarm();
    assert_true(move.copied == 1000);
    move_fini(&move);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
    return fault.count;
}

/* None is made only to hear that there is no more. */
static void bursts(void **state)
{
    (void)state;
    assert_int_equal(calls_of_burst("splice", A_PIPE, A_PIPE), 1);
    assert_int_equal(calls_of_burst("splice", A_PIPE, A_SOCKET), 1);
    assert_int_equal(calls_of_burst("splice", A_SOCKET, A_PIPE), 1);
    assert_int_equal(calls_of_burst("poll", A_PIPE, A_PIPE), 0);
    assert_int_equal(calls_of_burst("recv", A_SHARED, A_SHARED), 1);
}

/* ---- a copy ---- */

enum { PLACES = 4, TEXT = 400, LINES = 300 };
enum shape { PAIRS, FAN, MERGE };
static const char old_content[] = "as it was before\n";

/* A row of sources, then the destinations. Where a source is a pipe it is number 0. */
static struct {
    enum shape shape;
    size_t sources;
    size_t dests;
    bool is_pipe;
    struct copy_options options;
    char texts[PLACES][TEXT];
    size_t size; /* of what each destination gets */
    char bytes[WHOLE];
    int error; /* that was told first */
} plan;

static void on_event(void *owner, const struct copy_event *event)
{
    struct loop *loop = owner;

    if (plan.error == 0)
        plan.error = event->error;
    if (event->kind == COPY_ENDED)
        loop_stop(loop);
}

static void path_of(size_t place, char *path)
{
    snprintf(path, TEXT, "%s/place-%zu", scene.folder, place);
}

/* Returns the length of what is in the file PLACE. */
static size_t look_into(size_t place)
{
    char path[TEXT];
    ssize_t n;
    int fd;

    path_of(place, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    n = read(fd, scene.got, sizeof scene.got);
    close(fd);
    assert_true(n >= 0);
    return (size_t)n;
}

static void expect_content(size_t place, const char *bytes, size_t size)
{
    assert_int_equal(look_into(place), size);
    assert_memory_equal(scene.got, bytes, size);
}

static bool is_old(size_t place)
{
    return look_into(place) == strlen(old_content) &&
           memcmp(scene.got, old_content, strlen(old_content)) == 0;
}

/* Lines of A and B may come in any order, but not each one's own. Where a source has failed, those
 * are missing that it had not given yet. */
static void expect_merged(size_t place, bool is_whole)
{
    size_t size = look_into(place);
    size_t next[2] = {0, 0};
    char *at = scene.got;

    scene.got[size] = '\0';
    while (at < scene.got + size) {
        char line[20];
        size_t which = *at == 'b';
        int length = snprintf(line, sizeof line, "%c %zu\n", "ab"[which], next[which]++);

        assert_memory_equal(at, line, (size_t)length);
        at += length;
    }
    assert_true(!is_whole || (next[0] == LINES && next[1] == LINES));
}

static void expect_new(size_t place, unsigned status)
{
    if (plan.shape == MERGE)
        expect_merged(place, status == 0);
    else
        expect_content(place, plan.bytes, plan.size);
}

static size_t count_files(void)
{
    DIR *folder = opendir(scene.folder);
    size_t count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 2;
}

static void write_lines(const char *path, char letter)
{
    FILE *file = fopen(path, "w");

    for (size_t i = 0; i < LINES; i++)
        fprintf(file, "%c %zu\n", letter, i);
    fclose(file);
}

/* Returns the descriptor of the pipe that is the first source, or -1. */
static int set_scene(struct place places[])
{
    size_t count = plan.sources + plan.dests;
    const char *why;
    int ends[2] = {-1, -1};

    for (size_t i = 0; i < count; i++) {
        path_of(i, plan.texts[i]);
        if (i >= plan.sources) {
            unlink(plan.texts[i]);
            write_file(plan.texts[i], old_content, strlen(old_content));
        }
    }
    if (plan.is_pipe) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], plan.bytes, plan.size), plan.size);
        close(ends[1]);
        snprintf(plan.texts[0], TEXT, "fd:%d", ends[0]);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(place_parse(&places[i], plan.texts[i], i < plan.sources, &why), 0);
    return ends[0];
}

static int add_places(struct copy *copy, const struct place places[])
{
    const struct place *dests = places + plan.sources;
    int result = 0;

    if (plan.shape == FAN)
        return copy_add_fan(copy, places, dests, plan.dests);
    if (plan.shape == MERGE)
        return copy_add_merge(copy, dests, places, plan.sources);
    for (size_t i = 0; i < plan.sources && result == 0; i++)
        result = copy_add_pair(copy, &places[i], &dests[i]);
    return result;
}

/* Returns the status. What could not be begun is told by errno. */
static unsigned copy_all(struct loop *loop, const struct place places[])
{
    struct copy *copy = copy_new(loop, &plan.options, on_event, loop);
    unsigned status = COPY_BROKEN;

    if (!copy || add_places(copy, places) < 0 || copy_start(copy) < 0) {
        plan.error = errno;
        copy_free(copy);
        return status;
    }
    assert_int_equal(loop_run(loop), 0);
    status = copy_status(copy);
    copy_free(copy);
    return status;
}

/* What has failed is as it was, or complete all the same: under its name, but not for sure on the
 * disk (fsync(2) of the folder). */
static void check_copy(unsigned status, size_t files)
{
    for (size_t i = plan.sources; i < plan.sources + plan.dests; i++)
        if (status == 0 || !is_old(i))
            expect_new(i, status);
    if (status != 0)
        assert_int_not_equal(plan.error, 0);
    if (plan.shape != MERGE)
        for (size_t i = plan.is_pipe; i < plan.sources; i++)
            expect_content(i, plan.bytes, plan.size);
    assert_int_equal(count_files(), files);
}

static int a_copy(void)
{
    struct place places[PLACES];
    struct loop *loop = loop_new(NULL);
    int fd = set_scene(places);
    size_t files = count_files();
    unsigned status;

    plan.error = 0;
    arm();
    status = copy_all(loop, places);
    disarm();
    loop_free(loop);
    if (fd >= 0)
        close(fd);
    check_copy(status, files);
    return status == 0 ? 0 : plan.error;
}

static void prepare(enum shape shape, size_t sources, size_t dests, bool is_pipe)
{
    char path[TEXT];

    memset(&plan, 0, sizeof plan);
    plan.shape = shape;
    plan.sources = sources;
    plan.dests = dests;
    plan.is_pipe = is_pipe;
    plan.size = is_pipe ? SIZE : WHOLE;
    snprintf(scene.in, sizeof scene.in, "%s/place-0", scene.folder);
    make_sparse_file();
    memcpy(plan.bytes, scene.bytes, WHOLE);
    for (size_t i = is_pipe; i < sources; i++) {
        path_of(i, path);
        if (shape == MERGE)
            write_lines(path, "ab"[i]);
        else
            write_file(path, plan.bytes, plan.size);
    }
    if (!is_pipe && shape != MERGE)
        make_sparse_file();
}

static void suffer_all(void)
{
    suffer(a_copy, movers, MOVERS);
    fail_each(a_copy, others, OTHERS);
}

static void pairs(void **state)
{
    (void)state;
    prepare(PAIRS, 2, 2, true);
    plan.options.flags = REPLACE_SYNC;
    suffer_all();
    prepare(PAIRS, 1, 1, false);
    suffer_all();
}

static void fans(void **state)
{
    (void)state;
    prepare(FAN, 1, 2, false);
    suffer_all();
    prepare(FAN, 1, 2, true);
    suffer_all();
}

static void merges(void **state)
{
    (void)state;
    prepare(MERGE, 2, 1, false);
    suffer_all();
}

static int begin(void **state)
{
    (void)state;
    disarm();
    scene.folder = kit_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(moves, begin, kit_cleanup),
        cmocka_unit_test_setup_teardown(bursts, begin, kit_cleanup),
        cmocka_unit_test_setup_teardown(pairs, begin, kit_cleanup),
        cmocka_unit_test_setup_teardown(fans, begin, kit_cleanup),
        cmocka_unit_test_setup_teardown(merges, begin, kit_cleanup),
    };

    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, on_alarm);
    return cmocka_run_group_tests_name("copy-faults", tests, NULL, NULL);
}
