/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person sees of pollcopy: on a terminal of usual size and on a small one, with twelve fifos
 * that this test feeds. What is judged are the cells of the screen (libvterm). The folder of the
 * test is the current one, so that names are short.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "copy/progress.h"
#include "kit/kit.h"

enum { STREAMS = 12, ARGS = 2 * STREAMS + 8, KIB = 1024 };

static struct {
    struct kit_terminal *terminal;
    size_t count;
    char sources[STREAMS][32];
    char dests[STREAMS][32];
    int feeds[STREAMS]; /* -1: closed */
    int home;           /* the folder of before */
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    for (int i = 0; i < STREAMS; i++)
        t.feeds[i] = -1;
    signal(SIGPIPE, SIG_IGN);
    t.home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t.home >= 0);
    assert_int_equal(chdir(kit_folder()), 0);
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < STREAMS; i++)
        if (t.feeds[i] >= 0)
            close(t.feeds[i]);
    assert_int_equal(fchdir(t.home), 0);
    close(t.home);
    return kit_cleanup(state);
}

/* ---- the sources ---- */

static void make_fifos(size_t count)
{
    t.count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(t.sources[i], sizeof t.sources[i], "in%zu", i);
        snprintf(t.dests[i], sizeof t.dests[i], "out%zu", i);
        assert_int_equal(mkfifo(t.sources[i], 0600), 0);
    }
}

static size_t add_pairs(const char *argv[ARGS], size_t n)
{
    for (size_t i = 0; i < t.count; i++) {
        argv[n++] = t.sources[i];
        argv[n++] = t.dests[i];
    }
    argv[n] = NULL;
    return n;
}

/* Opens a fifo when the program has it open to read. */
static void open_feed(size_t i)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while ((t.feeds[i] = open(t.sources[i], O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        assert_int_equal(errno, ENXIO);
        assert_true(clock_now() < deadline);
        kit_watch(t.terminal, CLOCK_MILLISECOND);
    }
    assert_int_equal(fcntl(t.feeds[i], F_SETFL, 0), 0);
}

static void open_feeds(void)
{
    for (size_t i = 0; i < t.count; i++)
        open_feed(i);
}

static void feed(size_t i, size_t kib)
{
    static const char bytes[KIB];

    while (kib-- > 0)
        assert_int_equal(write(t.feeds[i], bytes, sizeof bytes), sizeof bytes);
}

static void close_feeds(void)
{
    for (size_t i = 0; i < t.count; i++) {
        close(t.feeds[i]);
        t.feeds[i] = -1;
    }
}

/* Starts on ROWS x COLUMNS with COUNT fifos. */
static void start(int rows, int columns, size_t count)
{
    const char *argv[ARGS] = {"pollcopy"};

    make_fifos(count);
    add_pairs(argv, 1);
    t.terminal = kit_terminal(rows, columns, argv);
    open_feeds();
}

/* ---- what is to be seen ---- */

static int cursor_row(void)
{
    int row, column;

    kit_cursor(t.terminal, &row, &column);
    return row;
}

static bool row_has(struct kit_terminal *terminal, int row, const char *begin, const char *text)
{
    const char *is = kit_row(terminal, row);

    return strncmp(is, begin, strlen(begin)) == 0 && strstr(is, text);
}

/* Source I got I + 1 KiB; the block is all there is on the screen, its total where the
 * cursor is. */
static bool all_are_shown(struct kit_terminal *terminal, void *context)
{
    char name[64], bytes[32] = "  ";
    uint64_t total = 0;

    (void)context;
    for (size_t i = 0; i < t.count; i++) {
        snprintf(name, sizeof name, "in%zu -> out%zu  ", i, i);
        progress_bytes((i + 1) * KIB, bytes + 2, sizeof bytes - 2);
        if (!row_has(terminal, (int)i, name, bytes))
            return false;
        total += (i + 1) * KIB;
    }
    progress_bytes(total, bytes + 2, sizeof bytes - 2);
    return row_has(terminal, (int)t.count, "total  ", bytes) && cursor_row() == (int)t.count &&
           strlen(kit_row(terminal, (int)t.count + 1)) == 0;
}

static bool some_are_shown(struct kit_terminal *terminal, void *context)
{
    (void)context;
    return strncmp(kit_row(terminal, 0), "in0", 3) == 0 &&
           strncmp(kit_row(terminal, 1), "in1", 3) == 0 &&
           strncmp(kit_row(terminal, 2), "in2", 3) == 0 &&
           strcmp(kit_row(terminal, 3), "9 more") == 0 &&
           strncmp(kit_row(terminal, 4), "total", 5) == 0 && cursor_row() == 4;
}

static void feed_all(void)
{
    for (size_t i = 0; i < t.count; i++)
        feed(i, i + 1);
}

static void expect_all(void)
{
    kit_await_looks(t.terminal, all_are_shown, NULL, "all streams, each with its bytes");
}

static int count_rows(int rows, const char *text)
{
    int count = 0;

    for (int i = 0; i < rows; i++)
        count += strstr(kit_row(t.terminal, i), text) != NULL;
    return count;
}

/* Of all control sequences only those that the display may use. */
static void expect_harmless(void)
{
    size_t length;
    const char *bytes = kit_raw(t.terminal, &length);

    for (const char *next = bytes;
         (next = memchr(next, '\033', length - (size_t)(next - bytes)));) {
        assert_int_equal(*++next, '[');
        next += 1 + strspn(next + 1, "0123456789");
        assert_non_null(strchr("AKJ", *next));
    }
    assert_int_equal(kit_bells(t.terminal), 0);
    assert_int_equal(kit_reply_length(t.terminal), 0);
}

static void end_well(const char *total)
{
    close_feeds();
    kit_await_row(t.terminal, total);
    assert_int_equal(kit_terminal_end(t.terminal), 0);
    expect_harmless();
}

/* ---- sizes ---- */

static void twelve_on_a_usual_terminal(void **state)
{
    (void)state;
    start(24, 80, STREAMS);
    feed_all();
    expect_all();
    end_well("Number of bytes copied 79872");
    for (int i = 0; i < STREAMS; i++)
        assert_true(row_has(t.terminal, i, t.sources[i], "  done"));
    assert_true(row_has(t.terminal, STREAMS, "total", "  done"));
    assert_string_equal(kit_row(t.terminal, STREAMS + 1), "Number of bytes copied 79872");
}

static void twelve_on_a_small_terminal(void **state)
{
    (void)state;
    start(5, 20, STREAMS);
    feed_all();
    kit_await_looks(t.terminal, some_are_shown, NULL, "three streams, 9 more, the total");
    end_well("Number of bytes copi");
    assert_int_equal(count_rows(5, "9 more, 9 done"), 1);
}

static void the_size_changes_meanwhile(void **state)
{
    (void)state;
    start(24, 80, STREAMS);
    feed_all();
    expect_all();
    kit_resize(t.terminal, 5, 20);
    kit_await_looks(t.terminal, some_are_shown, NULL, "three streams, 9 more, the total");
    kit_resize(t.terminal, 24, 80);
    for (size_t i = 0; i < t.count; i++)
        feed(i, 1);
    kit_await_row(t.terminal, "in11 -> out11  ");
    end_well("Number of bytes copied 92160");
    assert_int_equal(count_rows(24, "in5 -> out5  "), 1);
}

/* ---- others on the same screen ---- */

static void a_message_stays_above(void **state)
{
    const char *argv[ARGS] = {"pollcopy", "bad", "/dev/full"};
    int bad;

    (void)state;
    if (access("/dev/full", W_OK) < 0)
        kit_skip("there is no /dev/full");
    make_fifos(2);
    assert_int_equal(mkfifo("bad", 0600), 0);
    add_pairs(argv, 3);
    t.terminal = kit_terminal(24, 80, argv);
    open_feeds();
    feed(0, 1);
    kit_await_row(t.terminal, "total");
    bad = open("bad", O_WRONLY | O_CLOEXEC);
    assert_true(bad >= 0);
    assert_int_equal(write(bad, "x", 1), 1);
    kit_await_row(t.terminal, "  failed");
    close(bad);
    assert_memory_equal(kit_row(t.terminal, 0), "pollcopy: /dev/full: No space left on device", 44);
    assert_true(row_has(t.terminal, 1, "bad -> /dev/full  ", "failed"));
    close_feeds();
    kit_await_row(t.terminal, "Number of bytes copied 1024");
    assert_int_equal(kit_terminal_end(t.terminal), 8);
    assert_int_equal(count_rows(24, "total"), 1);
    assert_int_equal(count_rows(24, "pollcopy: "), 1);
}

static void hostile_names_are_not_obeyed(void **state)
{
    static const char name[] = "\033[2J\033]0;owned\a\033[6n\xc2\x9b\xff\n";
    const char *const argv[] = {"pollcopy", name, "out", "missing\033[5n", "other", NULL};
    int fd = open(name, O_WRONLY | O_CREAT, 0600);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    t.terminal = kit_terminal(24, 100, argv);
    kit_await_row(t.terminal, "Number of bytes copied 1");
    assert_int_equal(kit_terminal_end(t.terminal), 4);
    assert_int_equal(count_rows(24, "pollcopy: missing^[[5n: No such file or directory"), 1);
    assert_int_equal(count_rows(24, "^[[2J^[]0;"), 1);
    assert_string_equal(kit_title(t.terminal), "");
    expect_harmless();
}

/* ---- frames ---- */

static void count_frames(void *context, const char *bytes, size_t n, int64_t now)
{
    static const char end[] = "\033[J";
    static size_t matched;
    int *frames = context;

    (void)now;
    for (size_t i = 0; i < n; i++) {
        matched = bytes[i] == end[matched] ? matched + 1 : bytes[i] == end[0];
        if (end[matched] == '\0') {
            matched = 0;
            ++*frames;
        }
    }
}

static void twenty_frames_a_second_at_most(void **state)
{
    int64_t begun = clock_now();
    int frames = 0;

    (void)state;
    start(24, 80, 2);
    kit_observe(t.terminal, count_frames, &frames);
    while (clock_now() - begun < 3 * CLOCK_SECOND / 2) {
        feed(0, 1);
        kit_watch(t.terminal, CLOCK_MILLISECOND);
    }
    assert_true(frames > 1);
    assert_true(frames <= 1 + (clock_now() - begun) / (50 * CLOCK_MILLISECOND));
    close_feeds();
    assert_int_equal(kit_terminal_end(t.terminal), 0);
}

static void nothing_without_a_terminal(void **state)
{
    struct kit_process *program;
    int fd = open("in", O_WRONLY | O_CREAT, 0600);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    program = kit_run("pollcopy", "in", "out", NULL);
    assert_int_equal(kit_end(program), 0);
    assert_string_equal(kit_stderr(program), "");
    assert_string_equal(kit_stdout(program, NULL), "Number of bytes copied 1\n");
}

/* ---- signals ---- */

static void ctrl_c_leaves_a_new_line(void **state)
{
    int row, column;

    (void)state;
    start(24, 80, 2);
    feed_all();
    expect_all();
    kit_press(t.terminal, "\003");
    kit_await_row(t.terminal, "Number of bytes copied 3072");
    assert_int_equal(kit_terminal_end(t.terminal), 32);
    kit_cursor(t.terminal, &row, &column);
    assert_int_equal(column, 0);
    assert_int_equal(row, 4);
    assert_true(row_has(t.terminal, 2, "total  ", "stopped"));
    assert_string_equal(kit_row(t.terminal, 3), "Number of bytes copied 3072");
}

static void ctrl_z_and_on_in_the_foreground(void **state)
{
    static const char script[] = "set -m; $TEST_WRAPPER \"$0\" \"$@\"; echo the shell speaks;"
                                 "read -r line; fg >/dev/null; echo \"ended by $?\"";
    const char *argv[ARGS] = {"sh", "-c", script, kit_program("pollcopy")};
    const char *wrapper = getenv("TEST_WRAPPER");
    int spoken;

    (void)state;
    if (wrapper && strstr(wrapper, "valgrind"))
        kit_skip("valgrind does not let a program stop itself");
    make_fifos(2);
    add_pairs(argv, 4);
    t.terminal = kit_terminal(24, 80, argv);
    open_feeds();
    feed_all();
    expect_all();
    kit_press(t.terminal, "\032");
    spoken = kit_await_row(t.terminal, "the shell speaks");
    feed_all();
    kit_press(t.terminal, "\n");
    kit_await_row(t.terminal, " 6.00 KiB");
    close_feeds();
    kit_await_row(t.terminal, "ended by 0");
    assert_int_equal(kit_terminal_end(t.terminal), 0);
    assert_true(row_has(t.terminal, 1, "in1 -> out1  ", " 2.00 KiB"));
    assert_string_equal(kit_row(t.terminal, spoken), "the shell speaks");
    assert_int_equal(count_rows(24, "in1 -> out1  "), 2);
    assert_int_equal(count_rows(24, "total  "), 2);
}

static bool is_printed_twice(struct kit_terminal *terminal, void *context)
{
    (void)context;
    return row_has(terminal, 2, "total  ", " 3.00 KiB") &&
           row_has(terminal, 5, "total  ", " 3.00 KiB") && cursor_row() == 5;
}

static void sigusr1_prints_above(void **state)
{
    (void)state;
    start(24, 80, 2);
    feed_all();
    expect_all();
    kill(kit_terminal_pid(t.terminal), SIGUSR1);
    kit_await_looks(t.terminal, is_printed_twice, NULL, "the lines, and below them the same");
    end_well("Number of bytes copied 3072");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(twelve_on_a_usual_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(twelve_on_a_small_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(the_size_changes_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_stays_above, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names_are_not_obeyed, setup, teardown),
        cmocka_unit_test_setup_teardown(twenty_frames_a_second_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_without_a_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(ctrl_c_leaves_a_new_line, setup, teardown),
        cmocka_unit_test_setup_teardown(ctrl_z_and_on_in_the_foreground, setup, teardown),
        cmocka_unit_test_setup_teardown(sigusr1_prints_above, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
