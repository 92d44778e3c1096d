/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollcopy --follow: what is written to a file comes out at the other end, whatever is done to the
 * file meanwhile, each byte once, until a signal ends it. What was written then stays.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { COPY_SOURCE = 4, COPY_INTERRUPTED = 32, SEVERAL = 5, ROTATIONS = 20, LINES = 50 };

static const char *folder; /* in which all that a test does is done */

static int prepare(void **state)
{
    (void)state;
    folder = kit_folder();
    return 0;
}

/* Returns the path of NAME; good until the eighth call from now. */
static const char *path_of(const char *name)
{
    static char paths[8][PATH_MAX];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void append(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

static const char *content(const char *name)
{
    static char text[64 * 1024];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

    assert_true(n >= 0);
    text[n] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

/* Waits until the file NAME holds TEXT, and nothing else. */
static void await(const char *name, const char *text)
{
    int64_t begun = clock_now();

    while (strcmp(content(name), text) != 0) {
        if (clock_now() - begun > KIT_DEADLINE_NS)
            assert_string_equal(content(name), text);
        poll(NULL, 0, 1);
    }
}

static struct kit_process *follow(const char *option, const char *from, const char *to)
{
    return kit_run("pollcopy", "--follow", option, path_of(from), path_of(to), NULL);
}

/* Ends PROGRAM by SIGNO; it has said ERRORS on standard error. */
static void end_by(struct kit_process *program, int signo, const char *errors)
{
    kit_signal(program, signo);
    assert_int_equal(kit_end(program), COPY_INTERRUPTED);
    if (errors)
        assert_string_equal(kit_stderr(program), errors);
}

/* ---- one file ---- */

static void what_is_appended(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one\n");
    program = follow("--in-place", "log", "out");
    await("out", "one\n");
    append("log", "two\n");
    await("out", "one\ntwo\n");
    append("log", "three\n");
    await("out", "one\ntwo\nthree\n");
    end_by(program, SIGTERM, "");
    assert_string_equal(content("out"), "one\ntwo\nthree\n");
    assert_non_null(strstr(kit_stdout(program, NULL), "Number of bytes copied 14\n"));
}

/* Its destination is never complete, so it has no other name meanwhile. */
static void what_was_there_before_is_overwritten(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "new\n");
    append("out", "old and longer\n");
    program = follow("--quiet", "log", "out");
    await("out", "new\n");
    end_by(program, SIGINT, "");
    assert_string_equal(content("out"), "new\n");
}

static void what_was_there_before_is_appended_to(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "new\n");
    append("out", "old\n");
    program = follow("--append", "log", "out");
    await("out", "old\nnew\n");
    append("log", "more\n");
    await("out", "old\nnew\nmore\n");
    end_by(program, SIGHUP, "");
}

static void to_standard_output_a_line_at_a_time(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one\n");
    program = kit_run("pollcopy", "-f", path_of("log"), "-", NULL);
    kit_await_stdout(program, "one\n");
    append("log", "two\n");
    kit_await_stdout(program, "one\ntwo\n");
    end_by(program, SIGTERM, "");
    assert_string_equal(kit_stdout(program, NULL), "one\ntwo\n");
}

static void a_hole_at_the_end_is_kept_as_long_as_it_is(void **state)
{
    struct kit_process *program;
    struct stat status;

    (void)state;
    append("log", "one\n");
    program = follow("--quiet", "log", "out");
    await("out", "one\n");
    assert_int_equal(truncate(path_of("log"), 1 << 20), 0);
    append("log", "two\n");
    for (int64_t begun = clock_now();
         stat(path_of("out"), &status), status.st_size < (1 << 20) + 4;)
        assert_true(clock_now() - begun < KIT_DEADLINE_NS && poll(NULL, 0, 1) == 0);
    end_by(program, SIGTERM, "");
    assert_int_equal(status.st_size, (1 << 20) + 4);
}

/* ---- its name ---- */

static void rotation_by_rename(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one\n");
    program = follow("--quiet", "log", "out");
    await("out", "one\n");
    append("log", "two\n");
    move("log", "log.1");
    append("log.1", "late\n");
    append("log", "three\n");
    await("out", "one\ntwo\nlate\nthree\n");
    append("log", "four\n");
    await("out", "one\ntwo\nlate\nthree\nfour\n");
    end_by(program, SIGTERM, NULL);
    assert_non_null(strstr(kit_stderr(program), "log: has been replaced; reading the new file\n"));
}

/* A writer that never waits for the reader: not a line is missing, and none comes twice. */
static void rotation_again_and_again(void **state)
{
    static char expected[ROTATIONS * LINES * 16];
    struct kit_process *program;
    char line[64], old[32];
    size_t n = 0;

    (void)state;
    append("log", "");
    program = follow("--quiet", "log", "out");
    for (int i = 0; i < ROTATIONS; i++) {
        for (int j = 0; j < LINES; j++) {
            snprintf(line, sizeof line, "line %d of %d\n", j, i);
            append("log", line);
            n += (size_t)snprintf(expected + n, sizeof expected - n, "%s", line);
        }
        await("out", expected); /* two rotations between two looks leave out a whole file */
        snprintf(old, sizeof old, "log.%d", i);
        move("log", old);
    }
    end_by(program, SIGTERM, NULL);
}

static void rotation_by_copytruncate(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one, and long\n");
    program = follow("--quiet", "log", "out");
    await("out", "one, and long\n");
    assert_int_equal(truncate(path_of("log"), 0), 0);
    kit_await_stderr(program, "log: has become shorter; reading it from its beginning\n");
    append("log", "two\n");
    await("out", "one, and long\ntwo\n");
    end_by(program, SIGTERM, NULL);
}

static void it_goes_and_another_comes(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one\n");
    program = follow("--quiet", "log", "out");
    await("out", "one\n");
    assert_int_equal(unlink(path_of("log")), 0);
    kit_await_stderr(program, "log: no file has that name; waiting for one\n");
    append("log", "two\n");
    await("out", "one\ntwo\n");
    end_by(program, SIGTERM, NULL);
}

static void it_comes_later(void **state)
{
    struct kit_process *program;

    (void)state;
    program = follow("--quiet", "log", "out");
    kit_await_stderr(program, "log: no file has that name; waiting for one\n");
    append("log", "one\n");
    await("out", "one\n");
    end_by(program, SIGTERM, NULL);
}

static void what_cannot_be_followed(void **state)
{
    struct kit_process *program;

    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    program = kit_run("pollcopy", "--follow", path_of("fifo"), path_of("out"), NULL);
    assert_int_equal(kit_end(program), COPY_SOURCE);
    assert_int_equal(access(path_of("out"), F_OK), -1);
}

/* ---- several ---- */

static void several_at_once(void **state)
{
    const char *argv[2 * SEVERAL + 4] = {"pollcopy", "--follow", "--quiet"};
    struct kit_process *program;
    char names[2 * SEVERAL][PATH_MAX], name[16];

    (void)state;
    for (int i = 0; i < 2 * SEVERAL; i++) {
        snprintf(names[i], PATH_MAX, "%s/%s%d", folder, i % 2 ? "out" : "log", i / 2);
        argv[3 + i] = names[i];
    }
    for (int i = 0; i < SEVERAL; i++) {
        snprintf(name, sizeof name, "log%d", i);
        append(name, "one\n");
    }
    program = kit_start(argv);
    for (int i = 0; i < SEVERAL; i++) {
        snprintf(name, sizeof name, "out%d", i);
        await(name, "one\n");
    }
    move("log1", "old1");
    for (int i = SEVERAL - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "log%d", i);
        append(name, "two\n");
        snprintf(name, sizeof name, "out%d", i);
        await(name, "one\ntwo\n");
    }
    end_by(program, SIGTERM, NULL);
}

static void one_to_several(void **state)
{
    struct kit_process *program;

    (void)state;
    append("log", "one\n");
    program = kit_run("pollcopy", "--follow", "--fan", path_of("log"), path_of("out1"),
                      path_of("out2"), NULL);
    await("out1", "one\n");
    append("log", "two\n");
    await("out2", "one\ntwo\n");
    await("out1", "one\ntwo\n");
    end_by(program, SIGTERM, "");
}

static void several_into_one(void **state)
{
    struct kit_process *program;

    (void)state;
    append("a", "one\n");
    append("b", "");
    program = kit_run("pollcopy", "--follow", "--merge", path_of("out"), path_of("a"), path_of("b"),
                      NULL);
    await("out", "one\n");
    append("b", "two\n");
    await("out", "one\ntwo\n");
    append("a", "three\n");
    await("out", "one\ntwo\nthree\n");
    end_by(program, SIGTERM, "");
    assert_string_equal(content("out"), "one\ntwo\nthree\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, prepare, kit_cleanup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_appended),
        TEST(what_was_there_before_is_overwritten),
        TEST(what_was_there_before_is_appended_to),
        TEST(to_standard_output_a_line_at_a_time),
        TEST(a_hole_at_the_end_is_kept_as_long_as_it_is),
        TEST(rotation_by_rename),
        TEST(rotation_again_and_again),
        TEST(rotation_by_copytruncate),
        TEST(it_goes_and_another_comes),
        TEST(it_comes_later),
        TEST(what_cannot_be_followed),
        TEST(several_at_once),
        TEST(one_to_several),
        TEST(several_into_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
