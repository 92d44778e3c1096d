/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves between every two kinds of ends, by random budgets, with somebody who fills the source and
 * somebody who empties the destination at random; what arrives is what was sent, whatever the way.
 * Steps are made as a pump makes them: after WAITS only when the poller would say so. Where one did
 * block, SIGALRM would end the program. What no end here says by itself is said by the functions
 * that the linker puts in between (ld(1), --wrap).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "copy/kernel.h"
#include "copy/move.h"
#include "kit/kit.h"
#include "kit/random.h"

enum { SIZE = 300000, BLOCKED_S = 300, TURNS_MAX = 10000000, HOLE = 1 << 20 };

/* ---- what stands in between ---- */

static int splice_error; /* of the next one; 0: none */

ssize_t __real_kernel_splice(int in, int64_t *offset, int out, size_t n);
ssize_t __wrap_kernel_splice(int in, int64_t *offset, int out, size_t n);

ssize_t __wrap_kernel_splice(int in, int64_t *offset, int out, size_t n)
{
    if (splice_error == 0)
        return __real_kernel_splice(in, offset, out, n);
    errno = splice_error;
    splice_error = 0;
    return -1;
}

static int empty_reads; /* so many of the next ones of a file say that there is nothing now */

ssize_t __real_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset);

ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset)
{
    if (empty_reads == 0)
        return __real_pread(fd, bytes, n, offset);
    empty_reads--;
    errno = EAGAIN;
    return -1;
}

/* ---- ends ---- */

struct kind {
    const char *name;
    enum end_kind kind;
    void (*make)(int ends[2], bool is_source); /* ends[0]: for the move; ends[1]: for us, or -1 */
};

static int a_file(void)
{
    static int count;
    char path[300];
    int fd;

    snprintf(path, sizeof path, "%s/file-%d", kit_folder(), count++);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void make_file(int ends[2], bool is_source)
{
    (void)is_source;
    ends[0] = a_file();
    ends[1] = -1;
}

static void make_pipe(int ends[2], bool is_source)
{
    int both[2];

    assert_int_equal(kernel_pipe(both), 0);
    ends[0] = both[is_source ? 0 : 1];
    ends[1] = both[is_source ? 1 : 0];
}

static void make_careful(int ends[2], bool is_source)
{
    make_pipe(ends, is_source);
    fcntl(ends[0], F_SETFL, 0);
}

static void make_shared(int ends[2], bool is_source)
{
    (void)is_source;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

static void make_unix(int ends[2], bool is_source)
{
    make_shared(ends, is_source);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void make_tcp(int ends[2], bool is_source)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int size = 1 << 17; /* of the buffers, so that they are full soon */

    (void)is_source;
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, sizeof address), 0);
    ends[0] = accept(listener, NULL, NULL);
    assert_true(ends[0] >= 0);
    close(listener);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

/* The master is read, so that what was written outlives the slave. */
static void make_terminal(int ends[2], bool is_source)
{
    struct termios mode;
    int master, slave;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    tcgetattr(slave, &mode);
    cfmakeraw(&mode);
    tcsetattr(slave, TCSANOW, &mode);
    fcntl(master, F_SETFL, O_NONBLOCK | O_RDWR);
    fcntl(slave, F_SETFL, O_NONBLOCK | O_RDWR);
    ends[0] = is_source ? master : slave;
    ends[1] = is_source ? slave : master;
}

enum { A_FILE, A_PIPE, A_UNIX, A_TCP, A_SHARED, A_TERMINAL, A_CAREFUL, KINDS };
static const struct kind kinds[KINDS] = {
    [A_FILE] = {"file", END_FILE, make_file},
    [A_PIPE] = {"pipe", END_PIPE, make_pipe},
    [A_UNIX] = {"unix socket", END_SOCKET, make_unix},
    [A_TCP] = {"tcp socket", END_SOCKET, make_tcp},
    [A_SHARED] = {"shared socket", END_SHARED_SOCKET, make_shared},
    [A_TERMINAL] = {"terminal", END_STREAM, make_terminal},
    [A_CAREFUL] = {"careful pipe", END_CAREFUL, make_careful},
};

static struct end an_end(enum end_kind kind, int fd)
{
    return (struct end){.kind = kind, .fd = fd, .size = -1};
}

/* ---- a move with somebody at both ends ---- */

struct rig {
    struct end source;
    struct end dest;
    struct move move;
    int feed;  /* written by us; -1: a file, or closed */
    int drain; /* read by us; -1: a file */
    char *sent;
    size_t size;
    size_t fed;
    char *got;
    size_t drained;
    enum move_result last;
    size_t part_max; /* that is fed or drained at once */
    uint32_t seed;
};

/* Bytes of which no part is like one that begins elsewhere. */
static char *noise(size_t size, uint32_t seed)
{
    char *bytes = malloc(size + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251 + (i >> 16) * 7 + seed);
    return bytes;
}

static void put_all(int fd, const char *bytes, size_t n)
{
    assert_int_equal(pwrite(fd, bytes, n, 0), n);
}

static void set_up(struct rig *rig, int from, int to, size_t size, uint32_t seed)
{
    int source[2], dest[2];

    kinds[from].make(source, true);
    kinds[to].make(dest, false);
    *rig = (struct rig){.feed = source[1],
                        .drain = dest[1],
                        .sent = noise(size, seed),
                        .got = malloc(size + 1),
                        .size = size,
                        .last = MOVE_MORE,
                        .part_max = 100000,
                        .seed = seed};
    rig->source = an_end(kinds[from].kind, source[0]);
    rig->dest = an_end(kinds[to].kind, dest[0]);
    if (rig->feed < 0) {
        put_all(source[0], rig->sent, size);
        rig->fed = size;
    }
    move_init(&rig->move, &rig->source, &rig->dest, 1 + kit_random(&rig->seed, 70000));
}

static void tear_down(struct rig *rig)
{
    move_fini(&rig->move);
    close(rig->source.fd);
    close(rig->dest.fd);
    if (rig->feed >= 0)
        close(rig->feed);
    if (rig->drain >= 0)
        close(rig->drain);
    free(rig->sent);
    free(rig->got);
}

static size_t a_part(struct rig *rig, size_t max)
{
    size_t n = 1 + kit_random(&rig->seed, (uint32_t)rig->part_max);

    return n < max ? n : max;
}

static bool feed(struct rig *rig)
{
    ssize_t n;

    if (rig->feed < 0)
        return false;
    if (rig->fed == rig->size) {
        close(rig->feed);
        rig->feed = -1;
        return true;
    }
    n = write(rig->feed, rig->sent + rig->fed, a_part(rig, rig->size - rig->fed));
    rig->fed += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool drain(struct rig *rig)
{
    ssize_t n;

    if (rig->drain < 0)
        return false;
    n = read(rig->drain, rig->got + rig->drained, a_part(rig, rig->size - rig->drained + 1));
    rig->drained += n > 0 ? (size_t)n : 0;
    assert_true(rig->drained <= rig->size);
    return n > 0;
}

static struct pollfd awaited(const struct rig *rig)
{
    if (rig->last == MOVE_WAITS_DEST)
        return (struct pollfd){.fd = rig->dest.fd, .events = POLLOUT};
    return (struct pollfd){.fd = rig->source.fd, .events = POLLIN};
}

static bool is_ready(const struct rig *rig)
{
    struct pollfd fd = awaited(rig);

    return rig->last == MOVE_MORE || poll(&fd, 1, 0) > 0;
}

/* What goes through a socket or a terminal may take a moment. */
static void expect_something(const struct rig *rig)
{
    struct pollfd fds[] = {
        awaited(rig), {.fd = rig->feed, .events = POLLOUT}, {.fd = rig->drain, .events = POLLIN}};

    assert_true(is_ready(rig) || poll(fds, 3, KIT_DEADLINE_NS / 1000000) > 0);
}

/* A hole is of no budget. */
static void step(struct rig *rig, uint64_t budget)
{
    uint64_t before = rig->move.copied - rig->move.skipped;
    uint64_t moved;

    rig->last = move_step(&rig->move, budget);
    moved = rig->move.copied - rig->move.skipped - before;
    assert_true(moved <= budget);
    if (rig->last == MOVE_MORE)
        assert_true(moved == budget);
}

/* Until the move ends or fails. Nobody at all with something to do is a hang; a hundred steps in a
 * row that wait for what is there already are a spin. */
static void run(struct rig *rig, uint32_t budget_max)
{
    int spins = 0;

    for (int turn = 0; rig->last < MOVE_ENDED; turn++) {
        uint32_t whose = kit_random(&rig->seed, 4);
        uint64_t before = rig->move.copied;
        bool is_done;

        if ((is_done = is_ready(rig)) && whose > 1)
            step(rig, 1 + kit_random(&rig->seed, budget_max));
        else if (whose == 0)
            is_done |= feed(rig) || drain(rig);
        else
            is_done |= drain(rig) || feed(rig);
        if (!is_done && !feed(rig) && !drain(rig))
            expect_something(rig);
        if (whose > 1)
            spins = is_done && rig->move.copied == before ? spins + 1 : 0;
        assert_true(spins < 100);
        assert_true(turn < TURNS_MAX);
    }
}

/* What was written to a socket or a terminal may take a moment to be read. */
static void wait_for_rest(struct rig *rig)
{
    struct pollfd fd = {.fd = rig->drain, .events = POLLIN};

    while (rig->drain >= 0 && rig->drained < rig->size) {
        assert_int_equal(poll(&fd, 1, KIT_DEADLINE_NS / 1000000), 1);
        assert_true(drain(rig));
    }
    assert_false(drain(rig));
}

static void check_content(struct rig *rig)
{
    assert_int_equal(rig->last, MOVE_ENDED);
    assert_true(rig->move.copied == rig->size);
    wait_for_rest(rig);
    if (rig->drain < 0)
        rig->drained = (size_t)pread(rig->dest.fd, rig->got, rig->size + 1, 0);
    assert_int_equal(rig->drained, rig->size);
    assert_memory_equal(rig->got, rig->sent, rig->size);
}

/* ---- all pairs ---- */

static enum move_way way_of(int from, int to)
{
    bool is_plain_source = from >= A_SHARED;
    bool is_plain_dest = to >= A_SHARED;

    if (is_plain_source || is_plain_dest)
        return MOVE_BUFFER;
    if (from == A_PIPE || to == A_PIPE)
        return MOVE_SPLICE;
    if (from == A_FILE)
        return to == A_FILE ? MOVE_RANGE : MOVE_SENDFILE;
    return MOVE_RELAY;
}

static void copy_pair(int from, int to, size_t size, uint32_t budget_max, size_t part_max)
{
    struct rig rig;

    set_up(&rig, from, to, size, (uint32_t)(1 + from * KINDS + to) + budget_max);
    rig.part_max = part_max;
    assert_int_equal(rig.move.way, way_of(from, to));
    run(&rig, budget_max);
    if (rig.last != MOVE_ENDED)
        print_message("%s -> %s: %d, %s\n", kinds[from].name, kinds[to].name, rig.last,
                      strerror(rig.move.error));
    check_content(&rig);
    tear_down(&rig);
}

static void test_every_pair(void **state)
{
    int descriptors = kit_descriptors(getpid());

    (void)state;
    for (int from = 0; from < KINDS; from++) {
        for (int to = 0; to < KINDS; to++) {
            copy_pair(from, to, SIZE, 200000, 100000);
            copy_pair(from, to, SIZE / 10, 5000, 9000);
            copy_pair(from, to, 700, 1, 1000);
            copy_pair(from, to, 700, 1000, 1);
            copy_pair(from, to, 1, 10, 10);
            copy_pair(from, to, 0, 10, 10);
        }
    }
    assert_int_equal(kit_descriptors(getpid()), descriptors);
}

/* ---- what is refused goes on plainly ---- */

static void test_appends(void **state)
{
    struct rig rig;

    (void)state;
    for (int from = 0; from < KINDS; from++) {
        set_up(&rig, from, A_FILE, SIZE, 7);
        assert_int_equal(write(rig.dest.fd, "before", 6), 6);
        lseek(rig.dest.fd, 0, SEEK_SET);
        fcntl(rig.dest.fd, F_SETFL, O_APPEND);
        rig.dest.is_append = true;
        move_init(&rig.move, &rig.source, &rig.dest, 0);
        assert_int_equal(rig.move.way, MOVE_BUFFER);
        run(&rig, 200000);
        assert_int_equal(rig.last, MOVE_ENDED);
        assert_int_equal(pread(rig.dest.fd, rig.got, 6, 0), 6);
        assert_memory_equal(rig.got, "before", 6);
        assert_int_equal(pread(rig.dest.fd, rig.got, SIZE, 6), SIZE);
        assert_memory_equal(rig.got, rig.sent, SIZE);
        tear_down(&rig);
    }
}

/* Nobody has said that it appends: the kernel refuses, a relay with its pipe full. */
static void test_refused_dest_loses_nothing(void **state)
{
    static const int sources[] = {A_FILE, A_PIPE, A_UNIX, A_TCP};
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        set_up(&rig, sources[i], A_FILE, SIZE, 9);
        fcntl(rig.dest.fd, F_SETFL, O_APPEND);
        run(&rig, 200000);
        assert_int_equal(rig.move.way, MOVE_BUFFER);
        check_content(&rig);
        tear_down(&rig);
    }
}

static void copy_open_file(const char *path, int to)
{
    struct rig rig;
    char *bytes = malloc(SIZE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, SIZE);

    if (n <= 0)
        kit_skip("there is no such file here");
    lseek(fd, 0, SEEK_SET);
    set_up(&rig, A_FILE, to, (size_t)n, 3);
    close(rig.source.fd);
    rig.source.fd = fd;
    memcpy(rig.sent, bytes, (size_t)n);
    run(&rig, 3000);
    check_content(&rig);
    tear_down(&rig);
    free(bytes);
}

/* Their size is 0, or a page, and says nothing. */
static void test_proc(void **state)
{
    (void)state;
    for (int to = 0; to < KINDS; to++) {
        copy_open_file("/proc/version", to);
        copy_open_file("/proc/filesystems", to);
        copy_open_file("/sys/kernel/mm/transparent_hugepage/enabled", to);
    }
}

/* ---- devices, and who is to blame ---- */

static enum move_result copy_fds(struct rig *rig, int from, const char *path, int flags)
{
    set_up(rig, from, A_FILE, 1000, 5);
    close(rig->dest.fd);
    rig->dest = an_end(END_STREAM, open(path, flags | O_CLOEXEC | O_NONBLOCK));
    move_init(&rig->move, &rig->source, &rig->dest, 0);
    run(rig, 3000);
    return rig->last;
}

static void test_null(void **state)
{
    struct rig rig;

    (void)state;
    for (int from = 0; from < KINDS; from++) {
        assert_int_equal(copy_fds(&rig, from, "/dev/null", O_WRONLY), MOVE_ENDED);
        assert_true(rig.move.copied == rig.size);
        assert_int_equal(rig.move.way, from == A_PIPE ? MOVE_SPLICE : MOVE_BUFFER);
        tear_down(&rig);
    }
}

static void test_full_device(void **state)
{
    struct rig rig;

    (void)state;
    for (int from = 0; from < KINDS; from++) {
        assert_int_equal(copy_fds(&rig, from, "/dev/full", O_WRONLY), MOVE_DEST_FAILED);
        assert_int_equal(rig.move.error, ENOSPC);
        assert_true(rig.move.copied == 0);
        tear_down(&rig);
    }
}

static void test_file_too_big(void **state)
{
    struct rig rig;
    struct rlimit before, limit;

    (void)state;
    getrlimit(RLIMIT_FSIZE, &before);
    for (int from = 0; from < KINDS; from++) {
        set_up(&rig, from, A_FILE, SIZE, 5);
        limit = (struct rlimit){SIZE / 2, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        run(&rig, 200000);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(rig.last, MOVE_DEST_FAILED);
        assert_int_equal(rig.move.error, EFBIG);
        assert_true(rig.move.copied == SIZE / 2);
        tear_down(&rig);
    }
}

static void test_folder_is_the_source(void **state)
{
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rig, A_FILE, to, 10, 5);
        close(rig.source.fd);
        rig.source.fd = open(kit_folder(), O_RDONLY);
        run(&rig, 3000);
        assert_int_equal(rig.last, MOVE_SOURCE_FAILED);
        assert_int_equal(rig.move.error, EISDIR);
        tear_down(&rig);
    }
}

static void test_nobody_reads(void **state)
{
    static const int dests[] = {A_PIPE, A_UNIX, A_SHARED, A_CAREFUL};
    struct rig rig;

    (void)state;
    for (int from = 0; from < KINDS; from++) {
        for (size_t i = 0; i < sizeof dests / sizeof *dests; i++) {
            set_up(&rig, from, dests[i], SIZE, 5);
            for (int turn = 0; turn < 5; turn++)
                if (!feed(&rig) || is_ready(&rig))
                    step(&rig, 1000);
            close(rig.drain);
            rig.drain = -1;
            run(&rig, 5000);
            assert_int_equal(rig.last, MOVE_DEST_FAILED);
            assert_int_equal(rig.move.error, EPIPE);
            tear_down(&rig);
        }
    }
}

/* It says so once. What was said to a call that is given up must not pass for an end. */
static void test_source_breaks_off(void **state)
{
    struct linger now = {.l_onoff = 1};
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rig, A_TCP, to, SIZE, 5);
        assert_true(feed(&rig));
        setsockopt(rig.feed, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(rig.feed);
        rig.feed = -1;
        run(&rig, 5000);
        assert_int_equal(rig.last, MOVE_SOURCE_FAILED);
        assert_int_equal(rig.move.error, ECONNRESET);
        tear_down(&rig);
    }
}

/* As a firewall makes a connection end: asked again, it is at its end. */
static void test_source_is_forbidden(void **state)
{
    static const int errors[] = {EACCES, EPERM, EIO, ENOMEM};
    static const int dests[] = {A_FILE, A_PIPE, A_TCP};
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        for (size_t to = 0; to < sizeof dests / sizeof *dests; to++) {
            set_up(&rig, A_TCP, dests[to], 0, 5);
            assert_true(feed(&rig)); /* closes */
            splice_error = errors[i];
            run(&rig, 5000);
            assert_int_equal(rig.last, MOVE_SOURCE_FAILED);
            assert_int_equal(rig.move.error, errors[i]);
            tear_down(&rig);
        }
    }
}

static void test_splice_is_refused(void **state)
{
    static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP};
    static const int dests[] = {A_FILE, A_PIPE, A_TCP};
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        for (size_t to = 0; to < sizeof dests / sizeof *dests; to++) {
            set_up(&rig, A_TCP, dests[to], SIZE, 5);
            splice_error = errors[i];
            run(&rig, 5000);
            assert_int_equal(rig.move.way, MOVE_BUFFER);
            check_content(&rig);
            tear_down(&rig);
        }
    }
}

/* ---- who is waited for ---- */

static void test_waits_for_who_has_nothing(void **state)
{
    struct rig rig;

    (void)state;
    for (int from = A_PIPE; from < KINDS; from++) {
        for (int to = A_PIPE; to < KINDS; to++) {
            set_up(&rig, from, to, 4 * 1000 * 1000, 5);
            step(&rig, SIZE);
            assert_int_equal(rig.last, MOVE_WAITS_SOURCE);
            while (rig.last != MOVE_WAITS_DEST)
                if (!feed(&rig) && is_ready(&rig))
                    step(&rig, SIZE);
            run(&rig, SIZE);
            check_content(&rig);
            tear_down(&rig);
        }
    }
}

/* splice(2) says EAGAIN as from a source that has nothing, which is ready for ever. */
static void test_end_behind_a_full_pipe(void **state)
{
    static const int sources[] = {A_PIPE, A_UNIX, A_TCP};
    static const char page[4096];
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        set_up(&rig, sources[i], A_PIPE, 0, 5);
        while (write(rig.dest.fd, page, sizeof page) > 0)
            ;
        assert_true(feed(&rig));
        assert_true(is_ready(&rig));
        step(&rig, 1000);
        if (rig.last != MOVE_ENDED)
            assert_int_equal(rig.last, MOVE_WAITS_DEST);
        tear_down(&rig);
    }
}

/* One call takes a burst, and none is made to hear that there is no more. */
static void test_burst_is_one_step(void **state)
{
    struct rig rig;

    (void)state;
    set_up(&rig, A_PIPE, A_PIPE, SIZE, 5);
    for (int i = 0; i < 3; i++) {
        rig.part_max = 30000;
        assert_true(feed(&rig));
        step(&rig, SIZE);
        assert_int_equal(rig.last, MOVE_WAITS_SOURCE);
        assert_true(rig.move.copied == rig.fed);
        while (drain(&rig))
            ;
    }
    tear_down(&rig);
}

/* The source is at its end while its last bytes are held in the relay. */
static void test_end_with_bytes_held(void **state)
{
    struct rig rig;

    (void)state;
    set_up(&rig, A_UNIX, A_UNIX, 4 * 1000 * 1000, 5);
    while (feed(&rig) || is_ready(&rig))
        step(&rig, 10 * 1000 * 1000);
    assert_int_equal(rig.last, MOVE_WAITS_DEST);
    assert_true(rig.move.piped > 0);
    rig.size = rig.fed;
    assert_true(feed(&rig)); /* closes */
    run(&rig, 100000);
    check_content(&rig);
    tear_down(&rig);
}

/* Who brings little is content with the pipe that everybody gets: they are counted. */
static void test_relay_of_bursts_is_large(void **state)
{
    enum { LARGE = 1024 * 1024, LITTLE = 100, MUCH = 50000 };
    int pipe[2];
    struct rig rig;
    long usual;

    (void)state;
    assert_int_equal(kernel_pipe(pipe), 0);
    usual = kernel_pipe_size(pipe[1], 1);
    if (kernel_pipe_size(pipe[1], LARGE) < LARGE)
        kit_skip("a pipe of this size cannot be had");
    set_up(&rig, A_UNIX, A_UNIX, SIZE, 5);
    rig.source.pipe_size = LARGE;
    assert_int_equal(write(rig.feed, rig.sent, LITTLE), LITTLE);
    step(&rig, SIZE);
    assert_int_equal(kernel_pipe_size(rig.move.pipe[1], 1), usual);
    assert_int_equal(write(rig.feed, rig.sent + LITTLE, MUCH), MUCH);
    step(&rig, SIZE);
    assert_true(kernel_pipe_size(rig.move.pipe[1], 1) >= LARGE);
    rig.fed = LITTLE + MUCH;
    run(&rig, SIZE);
    check_content(&rig);
    tear_down(&rig);
    close(pipe[0]);
    close(pipe[1]);
}

/* ---- files that are not ready ---- */

/* Returns how long a step took that got nothing, in ns. */
static int64_t time_step(struct rig *rig)
{
    int64_t before = clock_now();

    assert_int_equal(move_step(&rig->move, SIZE), MOVE_MORE);
    return clock_now() - before;
}

/* As the kernel's log is: a file by its kind, and a pipe by what it does. */
static void be_a_log(struct rig *rig, int to)
{
    set_up(rig, A_PIPE, to, SIZE, 5);
    rig->source.kind = END_FILE;
    move_init(&rig->move, &rig->source, &rig->dest, 0);
}

static void test_file_without_data_is_not_spun_on(void **state)
{
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        be_a_log(&rig, to);
        rig.part_max = 1000;
        assert_true(time_step(&rig) > 50 * CLOCK_MILLISECOND);
        assert_true(feed(&rig));
        while (rig.move.copied < rig.fed)
            assert_in_range(move_step(&rig.move, rig.fed), MOVE_MORE, MOVE_WAITS_DEST);
        tear_down(&rig);
    }
}

static void *feed_all(void *context)
{
    struct rig *rig = context;

    while (rig->feed >= 0)
        feed(rig);
    return NULL;
}

/* What comes while a step waits, or just before, is not waited for again. */
static void test_file_gets_data_meanwhile(void **state)
{
    struct rig rig;
    pthread_t thread;

    (void)state;
    be_a_log(&rig, A_FILE);
    rig.part_max = 5000;
    assert_int_equal(pthread_create(&thread, NULL, feed_all, &rig), 0);
    while ((rig.last = move_step(&rig.move, SIZE)) == MOVE_MORE)
        ;
    pthread_join(thread, NULL);
    check_content(&rig);
    tear_down(&rig);
}

/* It says that it is ready all the same. */
static void test_file_says_again_and_again(void **state)
{
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rig, A_FILE, to, 1000, 5);
        rig.move.way = MOVE_BUFFER;
        empty_reads = 3;
        for (int i = 0; i < 3; i++)
            assert_true(time_step(&rig) > 5 * CLOCK_MILLISECOND);
        assert_int_equal(empty_reads, 0);
        run(&rig, 5000);
        check_content(&rig);
        tear_down(&rig);
    }
}

/* ---- holes ---- */

/* Whether FD has data at the letters of MAP, each a mebibyte, and holes at its dots. */
static bool has_map(int fd, const char *map)
{
    for (int64_t i = 0; map[i]; i++)
        if ((kernel_seek(fd, i * HOLE, 0) == i * HOLE) != (map[i] != '.'))
            return false;
    return true;
}

static void make_map(int fd, const char *map, char *block)
{
    for (int64_t i = 0; map[i]; i++) {
        memset(block, map[i], HOLE);
        if (map[i] != '.')
            assert_int_equal(pwrite(fd, block, HOLE, i * HOLE), HOLE);
    }
    assert_int_equal(ftruncate(fd, (off_t)strlen(map) * HOLE), 0);
}

static void check_same(int a, int b)
{
    static char some[HOLE], other[HOLE];
    off_t offset = 0;
    ssize_t n;

    do {
        n = pread(a, some, HOLE, offset);
        assert_int_equal(pread(b, other, HOLE, offset), n);
        assert_memory_equal(some, other, (size_t)n);
        offset += n;
    } while (n > 0);
}

static void copy_map(const char *map, enum move_way way, uint32_t budget_max)
{
    char *block = malloc(HOLE);
    struct rig rig;

    set_up(&rig, A_FILE, A_FILE, 0, 11);
    make_map(rig.source.fd, map, block);
    if (!has_map(rig.source.fd, map)) {
        free(block);
        kit_skip("this file system has no holes");
    }
    rig.move.way = way;
    run(&rig, budget_max);
    assert_int_equal(rig.last, MOVE_ENDED);
    assert_true(rig.move.copied == strlen(map) * HOLE);
    check_same(rig.source.fd, rig.dest.fd);
    assert_true(has_map(rig.dest.fd, map));
    tear_down(&rig);
    free(block);
}

static void test_holes(void **state)
{
    static const char *const maps[] = {".a", "a.", ".", "a.b", "..ab..c..", "abc"};

    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        copy_map(maps[i], MOVE_RANGE, 16 * HOLE);
        copy_map(maps[i], MOVE_RANGE, 300000);
        copy_map(maps[i], MOVE_BUFFER, 300000);
    }
}

/* What the destination holds already would show in the holes. */
static void test_holes_over_old_content(void **state)
{
    char *block = malloc(HOLE);
    struct rig rig;

    (void)state;
    set_up(&rig, A_FILE, A_FILE, 0, 11);
    make_map(rig.source.fd, ".a.", block);
    make_map(rig.dest.fd, "xxx", block);
    move_init(&rig.move, &rig.source, &rig.dest, 0);
    run(&rig, HOLE);
    assert_int_equal(rig.last, MOVE_ENDED);
    check_same(rig.source.fd, rig.dest.fd);
    tear_down(&rig);
    free(block);
}

static void test_hole_is_too_big(void **state)
{
    struct rlimit before, limit;
    struct rig rig;

    (void)state;
    set_up(&rig, A_FILE, A_FILE, 0, 11);
    assert_int_equal(ftruncate(rig.source.fd, HOLE), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){HOLE / 2, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    run(&rig, HOLE);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rig.last, MOVE_DEST_FAILED);
    assert_int_equal(rig.move.error, EFBIG);
    tear_down(&rig);
}

/* ---- files that change, and are shared ---- */

static void test_file_grows(void **state)
{
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rig, A_FILE, to, 3000, 13);
        assert_int_equal(ftruncate(rig.source.fd, 1000), 0);
        run(&rig, 700);
        assert_int_equal(rig.last, MOVE_ENDED);
        assert_true(rig.move.copied == 1000);
        for (size_t size = 2000; size <= 3000; size += 1000) {
            assert_int_equal(pwrite(rig.source.fd, rig.sent, size, 0), size);
            move_resume(&rig.move, -1);
            rig.last = MOVE_MORE;
            run(&rig, 700);
            assert_true(rig.move.copied == size);
        }
        check_content(&rig);
        tear_down(&rig);
    }
}

static void test_file_grows_behind_a_hole(void **state)
{
    struct rig rig;

    (void)state;
    set_up(&rig, A_FILE, A_FILE, 0, 13);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ftruncate(rig.source.fd, (2 * i + 1) * (off_t)HOLE), 0);
        move_resume(&rig.move, -1);
        rig.last = MOVE_MORE;
        run(&rig, HOLE);
        check_same(rig.source.fd, rig.dest.fd);
        assert_int_equal(pwrite(rig.source.fd, "data", 4, (2 * i + 1) * (off_t)HOLE), 4);
        move_resume(&rig.move, -1);
        rig.last = MOVE_MORE;
        run(&rig, HOLE);
        check_same(rig.source.fd, rig.dest.fd);
    }
    tear_down(&rig);
}

/* What was moved before must not change with it, though nobody has read it yet. */
static void test_file_is_cut(void **state)
{
    struct rig rig;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rig, A_FILE, to, 3000, 13);
        move_for_changing(&rig.move);
        step(&rig, 1500);
        while (rig.last != MOVE_MORE)
            step(&rig, 1500 - rig.move.copied);
        assert_int_equal(ftruncate(rig.source.fd, 1200), 0);
        run(&rig, 700);
        assert_int_equal(rig.last, MOVE_ENDED);
        assert_true(rig.move.copied == 1500);
        assert_int_equal(pwrite(rig.source.fd, rig.sent + 1500, 1500, 0), 1500);
        move_resume(&rig.move, 0);
        rig.last = MOVE_MORE;
        run(&rig, 700);
        check_content(&rig);
        tear_down(&rig);
    }
}

/* Nor does a file that is not read from its beginning, or whose offset is elsewhere. */
static void test_shared_file(void **state)
{
    struct rig rigs[KINDS];
    bool is_open = true;

    (void)state;
    for (int to = 0; to < KINDS; to++) {
        set_up(&rigs[to], A_FILE, to, SIZE, 17);
        close(rigs[to].source.fd);
        rigs[to].source.fd = to == 0 ? a_file() : dup(rigs[0].source.fd);
        rigs[to].source.start = 1000;
        move_init(&rigs[to].move, &rigs[to].source, &rigs[to].dest, 5000);
    }
    assert_int_equal(pwrite(rigs[0].source.fd, rigs[0].sent, SIZE, 1000), SIZE);
    lseek(rigs[0].source.fd, 777, SEEK_SET);
    while (is_open) {
        is_open = false;
        for (int to = 0; to < KINDS; to++) {
            drain(&rigs[to]);
            if (rigs[to].last < MOVE_ENDED && is_ready(&rigs[to]))
                step(&rigs[to], 1 + kit_random(&rigs[to].seed, 50000));
            is_open |= rigs[to].last < MOVE_ENDED;
        }
    }
    for (int to = 0; to < KINDS; to++) {
        check_content(&rigs[to]);
        tear_down(&rigs[to]);
    }
}

/* ---- the rest ---- */

static void *stop(void *context)
{
    struct move *move = context;

    while (move->copied == 0)
        ;
    move->is_stopped = true;
    return NULL;
}

static void test_is_stopped(void **state)
{
    struct end source = an_end(END_STREAM, open("/dev/zero", O_RDONLY));
    struct end dest = an_end(END_STREAM, open("/dev/null", O_WRONLY));
    struct move move;
    pthread_t thread;

    (void)state;
    move_init(&move, &source, &dest, 0);
    assert_int_equal(pthread_create(&thread, NULL, stop, &move), 0);
    assert_int_equal(move_step(&move, UINT64_MAX), MOVE_MORE);
    assert_int_equal(move_step(&move, UINT64_MAX), MOVE_MORE);
    pthread_join(thread, NULL);
    move_fini(&move);
    close(source.fd);
    close(dest.fd);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(move_way_name(MOVE_RANGE), "copy_file_range");
    assert_string_equal(move_way_name(MOVE_SENDFILE), "sendfile");
    assert_string_equal(move_way_name(MOVE_SPLICE), "splice");
    assert_string_equal(move_way_name(MOVE_RELAY), "splice through a pipe");
    assert_string_equal(move_way_name(MOVE_BUFFER), "read and write");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_pair, kit_cleanup),
        cmocka_unit_test_teardown(test_appends, kit_cleanup),
        cmocka_unit_test_teardown(test_refused_dest_loses_nothing, kit_cleanup),
        cmocka_unit_test_teardown(test_proc, kit_cleanup),
        cmocka_unit_test_teardown(test_null, kit_cleanup),
        cmocka_unit_test_teardown(test_full_device, kit_cleanup),
        cmocka_unit_test_teardown(test_file_too_big, kit_cleanup),
        cmocka_unit_test_teardown(test_folder_is_the_source, kit_cleanup),
        cmocka_unit_test_teardown(test_nobody_reads, kit_cleanup),
        cmocka_unit_test_teardown(test_source_breaks_off, kit_cleanup),
        cmocka_unit_test_teardown(test_source_is_forbidden, kit_cleanup),
        cmocka_unit_test_teardown(test_splice_is_refused, kit_cleanup),
        cmocka_unit_test_teardown(test_waits_for_who_has_nothing, kit_cleanup),
        cmocka_unit_test_teardown(test_end_behind_a_full_pipe, kit_cleanup),
        cmocka_unit_test_teardown(test_burst_is_one_step, kit_cleanup),
        cmocka_unit_test_teardown(test_end_with_bytes_held, kit_cleanup),
        cmocka_unit_test_teardown(test_relay_of_bursts_is_large, kit_cleanup),
        cmocka_unit_test_teardown(test_file_without_data_is_not_spun_on, kit_cleanup),
        cmocka_unit_test_teardown(test_file_gets_data_meanwhile, kit_cleanup),
        cmocka_unit_test_teardown(test_file_says_again_and_again, kit_cleanup),
        cmocka_unit_test_teardown(test_holes, kit_cleanup),
        cmocka_unit_test_teardown(test_holes_over_old_content, kit_cleanup),
        cmocka_unit_test_teardown(test_hole_is_too_big, kit_cleanup),
        cmocka_unit_test_teardown(test_file_grows, kit_cleanup),
        cmocka_unit_test_teardown(test_file_grows_behind_a_hole, kit_cleanup),
        cmocka_unit_test_teardown(test_file_is_cut, kit_cleanup),
        cmocka_unit_test_teardown(test_shared_file, kit_cleanup),
        cmocka_unit_test_teardown(test_is_stopped, kit_cleanup),
        cmocka_unit_test(test_names),
    };

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    alarm(BLOCKED_S);
    return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
