/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing to what others read, or do not: nothing may block, lose a byte or its place, or leave
 * O_NONBLOCK on a descriptor that is shared with others. If a write did block, SIGALRM would end
 * the program.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#include "base/clock.h"
#include "kit/kit.h"
#include "loop/output.h"
#include "unit/turns.h"

enum { QUEUE = 1 << 20, CHUNK = 5000, BLOCKED_S = 60 };

struct fixture {
    struct loop *loop;
    struct output output;
    int fd;             /* what is written */
    int reader;         /* -1: nobody */
    struct watch watch; /* of the reader */
    int changes;
    size_t written; /* bytes that output_write has taken */
    size_t read;
    int descriptors; /* that were open before */
};

/* The byte at PLACE of the stream that all of these write. */
static char byte_at(size_t place)
{
    return (char)(place * 31 + place / 251);
}

static void on_change(void *owner)
{
    struct fixture *fixture = owner;

    fixture->changes++;
}

static void begin(struct fixture *fixture, int fd, int reader)
{
    *fixture =
        (struct fixture){.fd = fd, .reader = reader, .descriptors = kit_descriptors(getpid())};
    fixture->loop = loop_new(poller_open(NULL));
    assert_non_null(fixture->loop);
    assert_int_equal(output_init(&fixture->output, fixture->loop, fd, QUEUE, on_change, fixture),
                     0);
    assert_int_equal(output_room(&fixture->output), QUEUE);
}

static void end(struct fixture *fixture)
{
    assert_false(fcntl(fixture->fd, F_GETFL) & O_NONBLOCK);
    output_fini(&fixture->output);
    loop_free(fixture->loop);
    if (fixture->descriptors > 0)
        assert_int_equal(kit_descriptors(getpid()), fixture->descriptors);
    assert_int_equal(close(fixture->fd), 0); /* it stayed ours */
    if (fixture->reader >= 0)
        close(fixture->reader);
}

static int put(struct fixture *fixture)
{
    char bytes[CHUNK];

    for (size_t i = 0; i < CHUNK; i++)
        bytes[i] = byte_at(fixture->written + i);
    if (output_write(&fixture->output, bytes, CHUNK) < 0)
        return -1;
    fixture->written += CHUNK;
    return 0;
}

/* Writes until no more is taken. */
static void fill(struct fixture *fixture)
{
    while (put(fixture) == 0)
        assert_true(fixture->written < (size_t)100 * QUEUE);
    assert_int_equal(errno, ENOBUFS);
    assert_true(output_room(&fixture->output) < CHUNK);
    assert_false(output_is_drained(&fixture->output));
    assert_int_equal(fixture->output.error, 0);
}

static void read_some(void *owner, unsigned ready)
{
    struct fixture *fixture = owner;
    char bytes[3000];
    ssize_t n = read(fixture->reader, bytes, sizeof bytes);

    (void)ready;
    assert_true(n > 0);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(bytes[i], byte_at(fixture->read + (size_t)i));
    fixture->read += (size_t)n;
}

/* Reads all, slowly, in the same loop. */
static void drain(struct fixture *fixture)
{
    watch_init(&fixture->watch, read_some, fixture);
    assert_int_equal(watch_start(&fixture->watch, fixture->loop, fixture->reader, POLLER_IN), 0);
    while (fixture->read < fixture->written)
        assert_int_equal(loop_turn(fixture->loop), 0);
    watch_stop(&fixture->watch);
    assert_true(output_is_drained(&fixture->output));
    assert_int_equal(output_room(&fixture->output), QUEUE);
    assert_true(fixture->changes > 0);
}

/* Stalls, is drained, and stalls again. */
static void assert_never_blocks(struct fixture *fixture)
{
    for (int i = 0; i < 2; i++) {
        fill(fixture);
        drain(fixture);
    }
    end(fixture);
}

static void a_stalled_pipe(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin(&fixture, ends[1], ends[0]);
    watch_name(&fixture.output.watch, "output");
    assert_int_equal(turns_watches(fixture.loop, "output"), 1);
    assert_never_blocks(&fixture);
}

/* Where the pipe cannot be opened anew, here for want of descriptors. */
static void a_stalled_pipe_that_is_only_ours_to_share(void **state)
{
    struct fixture fixture;
    struct rlimit before, none;
    struct loop *loop = loop_new(poller_open("poll"));
    int ends[2];

    (void)state;
    assert_non_null(loop);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)ends[1] + 1;
    fixture = (struct fixture){.fd = ends[1], .reader = ends[0], .loop = loop};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(output_init(&fixture.output, loop, ends[1], QUEUE, on_change, &fixture), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (fixture.output.is_own)
        kit_skip("the pipe was opened anew all the same");
    assert_never_blocks(&fixture);
}

static void a_stalled_socket(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    begin(&fixture, ends[1], ends[0]);
    assert_never_blocks(&fixture);
}

static void a_stalled_terminal(void **state)
{
    struct fixture fixture;
    struct termios raw;
    int master, slave;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    begin(&fixture, slave, master);
    assert_never_blocks(&fixture);
}

static void a_file(void **state)
{
    struct fixture fixture;
    struct stat status;
    char path[512];
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/file", kit_folder());
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    begin(&fixture, fd, open(path, O_RDONLY));
    for (int i = 0; i < 100; i++)
        assert_int_equal(put(&fixture), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, fixture.written);
    assert_true(output_is_drained(&fixture.output));
    while (fixture.read < fixture.written)
        read_some(&fixture, POLLER_IN);
    end(&fixture);
}

/* Appending and truncating are the open file's business, and ours goes on writing through it. */
static void a_file_is_appended_to(void **state)
{
    struct fixture fixture;
    char path[512], bytes[16] = "";
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/file", kit_folder());
    fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_int_equal(write(fd, "old ", 4), 4);
    begin(&fixture, fd, -1);
    assert_int_equal(output_write(&fixture.output, "new", 3), 0);
    assert_int_equal(pread(fd, bytes, sizeof bytes - 1, 0), 7);
    assert_string_equal(bytes, "old new");
    end(&fixture);
}

static void assert_fails_for_good(struct fixture *fixture, int error)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(output_write(&fixture->output, "x", 1), -1);
        assert_int_equal(errno, error);
        assert_int_equal(fixture->output.error, error);
        assert_true(output_is_drained(&fixture->output)); /* nobody waits for what cannot be */
    }
    end(fixture);
}

static void a_full_disk(void **state)
{
    struct fixture fixture;
    int fd = open("/dev/full", O_WRONLY);

    (void)state;
    if (fd < 0)
        kit_skip("there is no /dev/full");
    begin(&fixture, fd, -1);
    assert_fails_for_good(&fixture, ENOSPC);
}

static void a_pipe_without_reader(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin(&fixture, ends[1], -1);
    close(ends[0]);
    fixture.descriptors--;
    assert_fails_for_good(&fixture, EPIPE);
}

static void a_pipe_without_reader_from_the_first(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    begin(&fixture, ends[1], -1);
    for (int i = 0; i < 10 && !fixture.output.error; i++) {
        if (output_write(&fixture.output, "x", 1) == 0)
            assert_int_equal(loop_turn(fixture.loop), 0);
    }
    assert_fails_for_good(&fixture, EPIPE);
}

static void a_socket_without_peer(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    begin(&fixture, ends[1], -1);
    close(ends[0]);
    fixture.descriptors--;
    assert_fails_for_good(&fixture, EPIPE);
}

/* The reader leaves while bytes are queued: the loop must hear of it, once, and not spin. */
static void the_reader_leaves_in_between(void **state)
{
    struct fixture fixture;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin(&fixture, ends[1], -1);
    fill(&fixture);
    close(ends[0]);
    fixture.descriptors--;
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.changes, 1);
    assert_int_equal(fixture.output.error, EPIPE);
    assert_fails_for_good(&fixture, EPIPE);
}

static void too_much_is_not_begun(void **state)
{
    static const char bytes[QUEUE + 1];
    struct fixture fixture;
    int ends[2];
    int pending;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin(&fixture, ends[1], ends[0]);
    assert_int_equal(output_write(&fixture.output, bytes, sizeof bytes), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(fixture.output.error, 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(ends[0], &pending, sizeof pending), -1);
    assert_int_equal(output_write(&fixture.output, NULL, 0), 0);
    end(&fixture);
}

static int guard(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    alarm(BLOCKED_S);
    return 0;
}

static int unguard(void **state)
{
    alarm(0);
    return kit_cleanup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stalled_pipe, guard, unguard),
        cmocka_unit_test_setup_teardown(a_stalled_pipe_that_is_only_ours_to_share, guard, unguard),
        cmocka_unit_test_setup_teardown(a_stalled_socket, guard, unguard),
        cmocka_unit_test_setup_teardown(a_stalled_terminal, guard, unguard),
        cmocka_unit_test_setup_teardown(a_file, guard, unguard),
        cmocka_unit_test_setup_teardown(a_file_is_appended_to, guard, unguard),
        cmocka_unit_test_setup_teardown(a_full_disk, guard, unguard),
        cmocka_unit_test_setup_teardown(a_pipe_without_reader, guard, unguard),
        cmocka_unit_test_setup_teardown(a_pipe_without_reader_from_the_first, guard, unguard),
        cmocka_unit_test_setup_teardown(a_socket_without_peer, guard, unguard),
        cmocka_unit_test_setup_teardown(the_reader_leaves_in_between, guard, unguard),
        cmocka_unit_test_setup_teardown(too_much_is_not_begun, guard, unguard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
