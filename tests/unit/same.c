/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What would be read and written at once, or written twice, is found however it is named; and what
 * is not, is let pass.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h> /* makedev(3) */
#endif

#include "base/clock.h"
#include "copy/same.h"
#include "kit/kit.h"

enum { MOST = 8, MANY = 5000 };

#define READ_TOO "what is to be read would be overwritten"
#define PARTS    "each of them would get a part of what is in it"
#define ONCE     "each destination can be given once"

static char told[300];

/* Parses TEXTS up to NULL. */
static size_t parse(struct place *places, const char *const *texts, bool is_source)
{
    size_t count = 0;
    const char *why;

    for (; texts[count]; count++)
        if (place_parse(&places[count], texts[count], is_source, &why) < 0)
            fail_msg("%s: %s", texts[count], why);
    return count;
}

static int check(const char *const *sources, const char *const *dests)
{
    struct place from[MOST], to[MOST];
    size_t source_count = parse(from, sources, true);
    size_t dest_count = parse(to, dests, false);

    errno = 0;
    told[0] = '\0';
    return same_check(from, source_count, to, dest_count, told, sizeof told);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The two and the reason, as they are told. */
static void assert_same(const char *const *sources, const char *const *dests, const char *text)
{
    if (check(sources, dests) == 0)
        fail_msg("taken: \"%s\" is to be told", text);
    assert_int_equal(errno, 0);
    assert_string_equal(told, text);
}

static void assert_fine(const char *const *sources, const char *const *dests)
{
    if (check(sources, dests) < 0)
        fail_msg("refused: %s", told);
    assert_string_equal(told, "");
}

static void make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, path, strlen(path)), strlen(path));
    close(fd);
}

static char before[4096];

/* In a folder with the files a and b, folders d and e, and links to all. */
static int begin(void **state)
{
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(kit_folder()), 0);
    make("a");
    make("b");
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(mkdir("e", 0755), 0);
    assert_int_equal(link("a", "hard"), 0);
    assert_int_equal(symlink("a", "soft"), 0);
    assert_int_equal(symlink("../soft", "d/softer"), 0);
    assert_int_equal(symlink("d", "folder"), 0);
    assert_int_equal(symlink("new", "dangling"), 0);
    assert_int_equal(symlink("../dangling", "d/chain"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("fifo", "pipe"), 0);
    return 0;
}

static int end(void **state)
{
    if (chdir(before) < 0)
        return -1;
    return kit_cleanup(state);
}

static void what_is_fine(void **state)
{
    (void)state;
    assert_fine(TEXTS(NULL), TEXTS(NULL));
    assert_fine(TEXTS("a"), TEXTS("b"));
    assert_fine(TEXTS("a", "./a", "hard", "soft"), TEXTS("b", "new", "d/a"));
    assert_fine(TEXTS("a"), TEXTS("e/new", "d/new", "new", "New"));
}

static void a_source_that_is_the_destination(void **state)
{
    static const char *const names[] = {"./a",    "hard",          "soft",       "d/softer",
                                        "d/../a", "folder/softer", "d//..//./a", "folder/../hard"};
    char text[200], path[4200];

    (void)state;
    assert_same(TEXTS("a"), TEXTS("a"), "a and a are the same file; " READ_TOO);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "a and %s are the same file; " READ_TOO, names[i]);
        assert_same(TEXTS("b", "a"), TEXTS("new", names[i]), text);
        snprintf(text, sizeof text, "%s and a are the same file; " READ_TOO, names[i]);
        assert_same(TEXTS(names[i], "b"), TEXTS("a", "new"), text);
    }
    assert_non_null(realpath("a", path));
    assert_int_equal(check(TEXTS("a"), TEXTS(path)), -1);
}

static void a_destination_that_is_given_twice(void **state)
{
    (void)state;
    assert_same(TEXTS("b"), TEXTS("a", "a"), "a and a are the same file; " ONCE);
    assert_same(TEXTS("b"), TEXTS("a", "new", "hard"), "a and hard are the same file; " ONCE);
    assert_same(TEXTS("b"), TEXTS("d/softer", "a"), "d/softer and a are the same file; " ONCE);
}

/* What does not exist yet is known by its folder and its name. */
static void a_name_that_nothing_has_yet(void **state)
{
    (void)state;
    assert_same(TEXTS("a"), TEXTS("new", "./new"), "new and ./new are the same file; " ONCE);
    assert_same(TEXTS("a"), TEXTS("d/x", "d/../folder/x"),
                "d/x and d/../folder/x are the same file; " ONCE);
    assert_same(TEXTS("a"), TEXTS("new", "dangling"), "new and dangling are the same file; " ONCE);
    assert_same(TEXTS("a"), TEXTS("d/chain", "d/../new"),
                "d/chain and d/../new are the same file; " ONCE);
    assert_same(TEXTS("new"), TEXTS("dangling"), "new and dangling are the same file; " READ_TOO);
}

/* Opening it says more. */
static void what_cannot_be_looked_at(void **state)
{
    (void)state;
    assert_fine(TEXTS("loop", "a/x"), TEXTS("loop", "loop", "a/x", "a/x"));
    assert_fine(TEXTS("a"), TEXTS("none/x", "none/x", "new/", "new/"));
    assert_fine(TEXTS("fd:999999"), TEXTS("fd:999999", "fd:999999"));
    assert_fine(TEXTS("d"), TEXTS("d", "folder"));
}

static void a_pipe(void **state)
{
    (void)state;
    assert_same(TEXTS("fifo", "a", "pipe"), TEXTS("b"),
                "fifo and pipe are the same pipe; each of them would get a part of what is in it");
    assert_same(TEXTS("fifo"), TEXTS("pipe"),
                "fifo and pipe are the same pipe; what is written would be read again");
    assert_same(TEXTS("a"), TEXTS("fifo", "pipe"), "fifo and pipe are the same pipe; " ONCE);
}

/* Puts FD in the place of descriptor N, which ends up in *SAVED. */
static void put(int fd, int n, int *saved)
{
    *saved = dup(n);
    assert_int_equal(dup2(fd, n), n);
}

static void put_back(int n, int saved)
{
    assert_int_equal(dup2(saved, n), n);
    close(saved);
}

/* cat f >> f */
static void standard_input_that_is_standard_output(void **state)
{
    int in, out, result;
    int fd = open("a", O_RDWR | O_APPEND);

    (void)state;
    fflush(stdout);
    put(fd, 0, &in);
    put(fd, 1, &out);
    result = check(TEXTS("-"), TEXTS("-"));
    put_back(0, in);
    put_back(1, out);
    close(fd);
    assert_int_equal(result, -1);
    assert_string_equal(told, "standard input and standard output are the same file; " READ_TOO);
}

static void a_descriptor_of_a_file(void **state)
{
    char name[20], text[200];
    int fd = open("hard", O_RDONLY);

    (void)state;
    snprintf(name, sizeof name, "fd:%d", fd);
    snprintf(text, sizeof text, "%s and soft are the same file; " READ_TOO, name);
    assert_same(TEXTS(name), TEXTS("soft"), text);
    assert_fine(TEXTS(name, "a"), TEXTS("b"));
    close(fd);
}

static void descriptors_of_a_pipe(void **state)
{
    char in[20], out[20], again[20], path[40];
    int ends[2];
    int copy;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    copy = dup(ends[1]);
    snprintf(in, sizeof in, "fd:%d", ends[0]);
    snprintf(out, sizeof out, "fd:%d", ends[1]);
    snprintf(again, sizeof again, "fd:%d", copy);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    assert_fine(TEXTS(in), TEXTS("b"));
    assert_int_equal(check(TEXTS("a"), TEXTS(out, again)), -1);
    assert_non_null(strstr(told, "are the same pipe; " ONCE));
    assert_int_equal(check(TEXTS("a"), TEXTS(out, path)), -1);
    assert_int_equal(check(TEXTS(in), TEXTS(out)), -1);
    assert_int_equal(check(TEXTS(in, in), TEXTS("b")), -1);
    close(copy);
    close(ends[0]);
    close(ends[1]);
}

static void devices_are_exempt(void **state)
{
    char name[20];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);

    (void)state;
    assert_fine(TEXTS("/dev/null"), TEXTS("/dev/null", "/dev/null"));
    assert_true(terminal >= 0);
    snprintf(name, sizeof name, "fd:%d", terminal);
    assert_fine(TEXTS(name, name), TEXTS(name, name));
    close(terminal);
}

/* It is known by its number, whatever leads there; nothing has these two. */
static void a_block_device_is_not_exempt(void **state)
{
    (void)state;
    if (mknod("block", S_IFBLK | 0600, makedev(7, 250)) < 0 ||
        mknod("again", S_IFBLK | 0600, makedev(7, 250)) < 0 ||
        mknod("other", S_IFBLK | 0600, makedev(7, 251)) < 0)
        kit_skip("only root can make device files");
    assert_same(TEXTS("block"), TEXTS("again"), "block and again are the same device; " READ_TOO);
    assert_fine(TEXTS("block"), TEXTS("other"));
}

static void a_socket_that_is_connected_to_is_exempt(void **state)
{
    int listener = kit_listen_unix("socket");

    (void)state;
    assert_fine(TEXTS("tcp:localhost:7", "unix:/x"), TEXTS("tcp:localhost:7", "unix:/x"));
    assert_fine(TEXTS("socket", "socket"), TEXTS("socket", "socket"));
    close(listener);
}

static void a_descriptor_of_a_socket(void **state)
{
    char name[20], again[20], text[200];
    int ends[2];
    int copy;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    copy = dup(ends[0]);
    snprintf(name, sizeof name, "fd:%d", ends[0]);
    snprintf(again, sizeof again, "fd:%d", copy);
    assert_fine(TEXTS(name), TEXTS(name)); /* an echo */
    snprintf(text, sizeof text, "%s and %s are the same socket; " PARTS, name, again);
    assert_same(TEXTS(name, again), TEXTS("new", again), text);
    snprintf(text, sizeof text, "%s and %s are the same socket; " ONCE, again, name);
    assert_same(TEXTS(name, "a"), TEXTS(again, name), text);
    snprintf(again, sizeof again, "fd:%d", ends[1]);
    assert_fine(TEXTS(name, again), TEXTS(name, again));
    close(copy);
    close(ends[0]);
    close(ends[1]);
}

/* Of several that are wrong the first is told. */
static void the_first_of_several(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_same(TEXTS(i ? "a" : "b", i ? "b" : "a"),
                    TEXTS("new", i ? "hard" : "./b", i ? "./b" : "hard"),
                    i ? "a and hard are the same file; " READ_TOO
                      : "b and ./b are the same file; " READ_TOO);
    }
}

static void what_is_told_is_cut(void **state)
{
    struct place source, dest;
    const char *why;
    char text[10];

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(place_parse(&source, "a", true, &why), 0);
    assert_int_equal(place_parse(&dest, "soft", false, &why), 0);
    assert_int_equal(same_check(&source, 1, &dest, 1, text, sizeof text), -1);
    assert_string_equal(text, "a and sof");
}

/* Thousands are compared in no time; comparing each with each would take 25 million looks. */
static void thousands(void **state)
{
    struct place *places = calloc(MANY, sizeof *places);
    char(*names)[16] = calloc(MANY, sizeof *names);
    int64_t begun = clock_now();
    const char *why;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%s%d", i == MANY - 1 ? "d/../" : "", i % (MANY - 1));
        assert_int_equal(place_parse(&places[i], names[i], false, &why), 0);
    }
    assert_int_equal(same_check(places, 0, places, MANY - 1, told, sizeof told), 0);
    assert_int_equal(same_check(places, 0, places, MANY, told, sizeof told), -1);
    assert_string_equal(told, "0 and d/../0 are the same file; " ONCE);
    assert_true(clock_now() - begun < KIT_DEADLINE_NS);
    free(names);
    free(places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_fine, begin, end),
        cmocka_unit_test_setup_teardown(a_source_that_is_the_destination, begin, end),
        cmocka_unit_test_setup_teardown(a_destination_that_is_given_twice, begin, end),
        cmocka_unit_test_setup_teardown(a_name_that_nothing_has_yet, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_looked_at, begin, end),
        cmocka_unit_test_setup_teardown(a_pipe, begin, end),
        cmocka_unit_test_setup_teardown(standard_input_that_is_standard_output, begin, end),
        cmocka_unit_test_setup_teardown(a_descriptor_of_a_file, begin, end),
        cmocka_unit_test_setup_teardown(descriptors_of_a_pipe, begin, end),
        cmocka_unit_test_setup_teardown(devices_are_exempt, begin, end),
        cmocka_unit_test_setup_teardown(a_block_device_is_not_exempt, begin, end),
        cmocka_unit_test_setup_teardown(a_socket_that_is_connected_to_is_exempt, begin, end),
        cmocka_unit_test_setup_teardown(a_descriptor_of_a_socket, begin, end),
        cmocka_unit_test_setup_teardown(the_first_of_several, begin, end),
        cmocka_unit_test_setup_teardown(what_is_told_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(thousands, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
