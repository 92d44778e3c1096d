/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spinner turns whatever pollspin waits for, and the bottom line says what that is. How evenly
 * it turns is measured in tests/bench; here it has to turn at all.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { ROWS = 24, FRAME = 10, ENOUGH = 12 };

#define TICK (50 * CLOCK_MILLISECOND)

/* The changes of the spinner on the screen. */
struct motion {
    struct kit_terminal *terminal;
    char last[FRAME + 1];
    int changes;
};

static bool is_frame(const char *row)
{
    return strspn(row, ".|") == FRAME && strchr(row, '|') && strchr(row, '|') == strrchr(row, '|');
}

/* Watches for NS nanoseconds, and counts. */
static void motion_watch(struct motion *motion, int64_t ns)
{
    int64_t end = clock_now() + ns;

    do {
        kit_watch(motion->terminal, 10 * CLOCK_MILLISECOND);
        for (int i = 0; i < ROWS; i++) {
            const char *row = kit_row(motion->terminal, i);

            if (!is_frame(row) || strncmp(row, motion->last, FRAME) == 0)
                continue;
            memcpy(motion->last, row, FRAME);
            motion->changes++;
        }
    } while (clock_now() < end);
}

/* Waits for enough changes, sending LINE every 30 ms to SERVER where that is not -1. */
static void await_motion(struct kit_terminal *terminal, int server, const char *line)
{
    struct motion motion = {.terminal = terminal};
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (motion.changes < ENOUGH) {
        assert_true(clock_now() < deadline);
        if (server >= 0)
            kit_send(server, line, strlen(line));
        motion_watch(&motion, 30 * CLOCK_MILLISECOND);
    }
}

static const char *const moving[] = {"select", "poll", "epoll", "busy"};

static void during_silence(void **state)
{
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
        int server;
        struct kit_terminal *terminal =
            kit_client_on_terminal(&server, "--backend", moving[i], NULL);

        await_motion(terminal, -1, NULL);
        kit_send(server, "one\n", 4);
        kit_await_row(terminal, "one");
        kill(kit_terminal_pid(terminal), SIGINT);
        assert_int_equal(kit_terminal_end(terminal), 128 + SIGINT);
        kit_cleanup(state);
    }
}

static void while_lines_come(void **state)
{
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++) {
        int server;
        struct kit_terminal *terminal =
            kit_client_on_terminal(&server, "--backend", moving[i], NULL);

        await_motion(terminal, server, "one more line\n");
        close(server);
        assert_int_equal(kit_terminal_end(terminal), 0);
        kit_cleanup(state);
    }
}

static void while_a_line_grows(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    await_motion(terminal, server, "and more ");
    kit_await_row(terminal, "partial: and more and more");
}

/* Long enough for the frames to be counted before, also by valgrind. */
static const char *time_limit(void)
{
    return kit_is_instrumented() ? "8" : "2";
}

static void assert_timed_out(struct kit_terminal *terminal, const char *what)
{
    char text[200];

    assert_int_equal(kit_terminal_end(terminal), 4);
    snprintf(text, sizeof text, "timed out after %s s while %s", time_limit(), what);
    kit_await_row(terminal, text);
}

static void while_a_name_server_is_silent(void **state)
{
    uint16_t port;
    const char *argv[] = {"pollspin",          "--plain",    "--name-server",  NULL,
                          "--connect-timeout", time_limit(), "silent.example", NULL};
    struct kit_terminal *terminal;
    int row;

    (void)state;
    kit_bind(SOCK_DGRAM, &port);
    argv[3] = kit_target(port);
    terminal = kit_terminal(ROWS, 100, argv);
    row = kit_await_row(terminal, "looking up silent.example");
    assert_true(is_frame(kit_row(terminal, row)));
    await_motion(terminal, -1, NULL);
    assert_timed_out(terminal, "looking up silent.example");
}

/* Linux does not answer who connects while the queue of those that nobody accepts is full: with a
 * backlog of 0 one fills it, listen(2). */
static void while_a_server_accepts_nobody(void **state)
{
    char what[64];
    uint16_t port;
    int listener = kit_bind(SOCK_STREAM, &port);
    const char *argv[] = {"pollspin", "--plain", "--connect-timeout", time_limit(), NULL, NULL};
    struct kit_terminal *terminal;

    (void)state;
    assert_int_equal(listen(listener, 0), 0);
    kit_connect(port);
    argv[4] = kit_target(port);
    terminal = kit_terminal(ROWS, 100, argv);
    snprintf(what, sizeof what, "connecting to %s", kit_target(port));
    assert_true(is_frame(kit_row(terminal, kit_await_row(terminal, what))));
    await_motion(terminal, -1, NULL);
    assert_timed_out(terminal, what);
}

/* A device that swallows everything: one of the kind made for it, or a tunnel to nobody. */
static const char black_hole[] = "{ ip link add hole type dummy || ip tuntap add hole mode tun; } "
                                 "2>/dev/null && ip link set hole up && "
                                 "ip addr add 192.0.2.1/24 dev hole";

/* Returns the option by which unshare(1) may make a network here, or NULL. */
static const char *find_unshare(void)
{
    static const char *const options[] = {"-n", "-rn"};

    if (!kit_has("unshare") || !kit_has("ip"))
        return NULL;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (kit_end(kit_run("unshare", options[i], "sh", "-c", black_hole, NULL)) == 0)
            return options[i];
    return NULL;
}

static void while_a_host_swallows_everything(void **state)
{
    const char *option = find_unshare();
    char script[300];
    struct kit_terminal *terminal;
    int row;

    (void)state;
    if (!option)
        kit_skip("unshare(1) and ip(8) cannot make a network of our own here");
    snprintf(script, sizeof script, "%s && exec \"$0\" \"$@\"", black_hole);
    {
        const char *const argv[] = {"unshare",    option,
                                    "sh",         "-c",
                                    script,       kit_program("pollspin"),
                                    "--plain",    "--connect-timeout",
                                    time_limit(), "192.0.2.7:7",
                                    NULL};

        terminal = kit_terminal(ROWS, 100, argv);
    }
    row = kit_await_row(terminal, "connecting to 192.0.2.7:7");
    assert_true(is_frame(kit_row(terminal, row)));
    await_motion(terminal, -1, NULL);
    assert_timed_out(terminal, "connecting to 192.0.2.7:7");
}

/* That is its lesson; but its lines come, and it can be ended. */
static void but_not_with_blocking(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, "--backend", "blocking", NULL);
    struct motion motion = {.terminal = terminal};

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_row(terminal, "one");
    kit_send(server, "two\n", 4);
    kit_await_row(terminal, "two");
    motion_watch(&motion, 500 * CLOCK_MILLISECOND);
    assert_true(motion.changes <= 2);
    kill(kit_terminal_pid(terminal), SIGINT);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGINT);
}

/* The input line needs a pseudo-terminal of its own, pty(7), and not every system has one left. */
static void where_the_full_screen_cannot_start(void **state)
{
    const char *const argv[] = {"strace",
                                "-o",
                                "/dev/null",
                                "-P",
                                "/dev/ptmx",
                                "-e",
                                "inject=openat:error=ENOSPC",
                                kit_program("pollspin"),
                                "--demo-interval=0.2",
                                NULL};
    struct kit_terminal *terminal;
    int row;

    (void)state;
    if (!kit_has("strace"))
        kit_skip("strace is not installed");
    kit_env("ASAN_OPTIONS", "detect_leaks=0"); /* it cannot look for leaks under a tracer */
    terminal = kit_terminal(ROWS, 100, argv);
    row = kit_await_row(terminal, "pollspin: no full screen, going on without: ");
    assert_non_null(strstr(kit_row(terminal, row), "No space left on device"));
    await_motion(terminal, -1, NULL);
    assert_false(kit_is_other_screen(terminal));
    kit_keys(terminal, "\003", 1);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGINT);
}

/* For those to whom the screen is read out. */
static void but_not_without_animation(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, "--no-animation", NULL);
    size_t before;
    size_t length;

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_row(terminal, "one");
    assert_string_equal(kit_row(terminal, kit_await_row(terminal, "open")), "open");
    kit_raw(terminal, &before);
    kit_watch(terminal, 5 * TICK);
    kit_raw(terminal, &length);
    assert_int_equal(length, before);
    kit_send(server, "par", 3);
    kit_await_row(terminal, "open: partial: par");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_null(strchr(kit_raw(terminal, &length), '|'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(during_silence, kit_cleanup),
        cmocka_unit_test_teardown(while_lines_come, kit_cleanup),
        cmocka_unit_test_teardown(while_a_line_grows, kit_cleanup),
        cmocka_unit_test_teardown(while_a_name_server_is_silent, kit_cleanup),
        cmocka_unit_test_teardown(while_a_server_accepts_nobody, kit_cleanup),
        cmocka_unit_test_teardown(while_a_host_swallows_everything, kit_cleanup),
        cmocka_unit_test_teardown(but_not_with_blocking, kit_cleanup),
        cmocka_unit_test_teardown(where_the_full_screen_cannot_start, kit_cleanup),
        cmocka_unit_test_teardown(but_not_without_animation, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
