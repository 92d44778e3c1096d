/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kit itself, on programs that every system has: what the other tests believe is checked here.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

static struct kit_process *run_shell(const char *script)
{
    return kit_run("sh", "-c", script, NULL);
}

static struct kit_terminal *show_shell(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    return kit_terminal(10, 40, argv);
}

static void output_and_error_are_kept_apart(void **state)
{
    struct kit_process *process = run_shell("printf 'a\\nb\\n'; echo c >&2; exit 3");

    (void)state;
    kit_await_lines(process, 2);
    assert_int_equal(kit_end(process), 3);
    assert_string_equal(kit_stdout(process, NULL), "a\nb\n");
    assert_string_equal(kit_stderr(process), "c\n");
}

static void a_signal_is_128_and_its_number(void **state)
{
    struct kit_process *process = run_shell("echo on; exec sleep 100");

    (void)state;
    kit_await_stdout(process, "on\n");
    kit_signal(process, SIGTERM);
    assert_int_equal(kit_end(process), 128 + SIGTERM);
}

/* Far more than two pipes hold: typing would block for ever if nobody read meanwhile. */
static void typing_reads_too(void **state)
{
    enum { SIZE = 1 << 20 };
    struct kit_process *process = kit_run("cat", NULL);
    char *bytes = malloc(SIZE);
    size_t length;

    (void)state;
    memset(bytes, 'x', SIZE);
    kit_type_bytes(process, bytes, SIZE);
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    assert_memory_equal(kit_stdout(process, &length), bytes, SIZE);
    assert_int_equal(length, SIZE);
    free(bytes);
}

static void environment_is_the_same_everywhere(void **state)
{
    struct kit_process *process;

    (void)state;
    setenv("CI", "true", 1);
    kit_env("NO_COLOR", "1");
    process = run_shell("echo \"$LC_ALL ${CI-none} $NO_COLOR\"");
    assert_int_equal(kit_end(process), 0);
    assert_string_equal(kit_stdout(process, NULL), "C.UTF-8 none 1\n");
    unsetenv("CI");
}

/* The grandchild holds the pipe open; it is killed with the group, since nobody waits for it. */
/* So that no test reads or writes what is the developer's own. */
static void home_is_a_folder_of_the_test(void **state)
{
    struct kit_process *process =
        run_shell("ls -A \"$HOME\" | wc -l; printf %s \"$HOME$XDG_STATE_HOME$EDITRC\"");
    char *home;

    assert_int_equal(kit_end(process), 0);
    assert_memory_equal(kit_stdout(process, NULL), "0\n", 2);
    home = strdup(kit_stdout(process, NULL) + 2);
    assert_string_not_equal(home, getenv("HOME") ? getenv("HOME") : "");
    assert_int_equal(access(home, R_OK | W_OK | X_OK), 0);
    kit_cleanup(state);
    assert_int_equal(access(home, F_OK), -1);
    free(home);
}

static void cleanup_kills_the_whole_group(void **state)
{
    struct kit_process *process = run_shell("sleep 100 & echo $!; wait");
    pid_t sleeper;

    kit_await_lines(process, 1);
    sleeper = atoi(kit_stdout(process, NULL));
    assert_int_equal(kill(sleeper, 0), 0);
    kit_cleanup(state);
    for (int64_t end = clock_now() + KIT_DEADLINE_NS; kill(sleeper, 0) == 0;) {
        char path[64], text[512] = "";
        FILE *file;

        assert_true(clock_now() < end);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)sleeper);
        if ((file = fopen(path, "re"))) {
            assert_non_null(fgets(text, sizeof text, file));
            fclose(file);
        }
        if (strstr(text, ") Z "))
            break; /* dead, and nobody collects orphans here */
    }
}

static void screen_shows_what_was_written(void **state)
{
    struct kit_terminal *terminal = show_shell(
        "printf 'gr\\303\\274n \\346\\227\\245x\\r\\n\\033]0;t\\007\\a\\033[?25l\\033[6n'; read x");
    int row, column;

    (void)state;
    assert_int_equal(kit_await_row(terminal, "gr\303\274n \346\227\245x"), 0);
    kit_keys(terminal, "\n", 1);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_title(terminal), "t");
    assert_int_equal(kit_bells(terminal), 1);
    assert_true(kit_reply_length(terminal) > 0);
    assert_false(kit_cursor_is_shown(terminal));
    kit_cursor(terminal, &row, &column);
    assert_int_equal(row, 2); /* behind the echo of the Enter key */
}

static void settings_outlive_the_program(void **state)
{
    struct kit_terminal *terminal = show_shell("stty -echo -icanon; echo set; exec sleep 100");
    struct termios settings;

    (void)state;
    kit_await_row(terminal, "set");
    kit_settings(terminal, &settings);
    assert_false(settings.c_lflag & ECHO);
    kill(kit_terminal_pid(terminal), SIGKILL);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGKILL);
    kit_settings(terminal, &settings);
    assert_false(settings.c_lflag & (ECHO | ICANON));
}

static void keys_make_signals_and_resize_is_seen(void **state)
{
    struct kit_terminal *terminal =
        show_shell("trap 'stty size' WINCH; echo go; while :; do sleep 0.1; done");

    (void)state;
    kit_await_row(terminal, "go");
    kit_resize(terminal, 12, 50);
    kit_await_row(terminal, "12 50");
    kit_keys(terminal, "\003", 1);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGINT);
}

/* Looks at the second row until it holds something, having looked at the first one before. */
static bool two_rows_are_there(struct kit_terminal *terminal, void *context)
{
    bool has_first = strcmp(kit_row(terminal, 0), "gone") == 0;

    (void)context;
    if (!has_first)
        kit_press(terminal, "\n");
    while (*kit_row(terminal, 1) == '\0')
        continue;
    return has_first;
}

static void looking_is_done_again_after_reading(void **state)
{
    struct kit_terminal *terminal =
        show_shell("stty -echo; printf go; read x; printf 'ne\\r\\ntwo'; exec sleep 100");
    int64_t begin = clock_now();

    (void)state;
    kit_await_row(terminal, "go");
    kit_await_looks(terminal, two_rows_are_there, NULL, "two rows");
    assert_true(clock_now() - begin < KIT_DEADLINE_NS);
}

/* Each half is read by itself. */
static void a_character_in_two_halves_is_one(void **state)
{
    struct kit_terminal *terminal =
        show_shell("stty -echo; printf 'gr\\303'; read x; printf '\\274n \\346'; read x;"
                   "printf '\\227'; read x; printf '\\245!'");

    (void)state;
    kit_await_row(terminal, "gr");
    kit_keys(terminal, "\n", 1);
    kit_await_row(terminal, "gr\303\274n");
    kit_keys(terminal, "\n\n", 2);
    kit_await_row(terminal, "gr\303\274n \346\227\245!");
    assert_int_equal(kit_terminal_end(terminal), 0);
}

static void a_stalled_terminal_blocks_its_program(void **state)
{
    struct kit_terminal *terminal = show_shell("echo go; read x; seq 100000; echo all");
    size_t before;
    size_t length;

    (void)state;
    kit_await_row(terminal, "go");
    kit_raw(terminal, &before);
    kit_stall(terminal, true);
    kit_keys(terminal, "\n", 1);
    kit_watch(terminal, 50 * CLOCK_MILLISECOND);
    kit_raw(terminal, &length);
    assert_int_equal(length, before);
    kit_stall(terminal, false);
    kit_await_row(terminal, "all");
    assert_int_equal(kit_terminal_end(terminal), 0);
}

static void peers_talk_and_reset(void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    int client = kit_connect(port);
    int server = kit_accept(listener);
    char bytes[5];

    (void)state;
    kit_send(client, "hello", 5);
    kit_receive_all(server, bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    kit_reset(client);
    assert_int_equal(kit_receive(server, bytes, sizeof bytes), -1);
}

static void a_folder_is_removed_with_all_in_it(void **state)
{
    char folder[256], inner[300];

    snprintf(folder, sizeof folder, "%s", kit_folder());
    snprintf(inner, sizeof inner, "%s/inner", folder);
    assert_int_equal(mkdir(inner, 0700), 0);
    kit_cleanup(state);
    assert_int_equal(access(folder, F_OK), -1);
}

static void a_process_can_be_measured(void **state)
{
    char *waste = NULL;
    int64_t before = kit_cpu(getpid());

    (void)state;
    assert_true(kit_memory(getpid()) > 100000);
    assert_true(kit_descriptors(getpid()) >= 3);
    while (kit_cpu(getpid()) == before)
        free(waste), waste = malloc(1);
    free(waste);
    assert_true(kit_has("sh"));
    assert_false(kit_has("no-program-has-this-name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(output_and_error_are_kept_apart, kit_cleanup),
        cmocka_unit_test_teardown(a_signal_is_128_and_its_number, kit_cleanup),
        cmocka_unit_test_teardown(typing_reads_too, kit_cleanup),
        cmocka_unit_test_teardown(environment_is_the_same_everywhere, kit_cleanup),
        cmocka_unit_test_teardown(home_is_a_folder_of_the_test, kit_cleanup),
        cmocka_unit_test_teardown(cleanup_kills_the_whole_group, kit_cleanup),
        cmocka_unit_test_teardown(screen_shows_what_was_written, kit_cleanup),
        cmocka_unit_test_teardown(settings_outlive_the_program, kit_cleanup),
        cmocka_unit_test_teardown(keys_make_signals_and_resize_is_seen, kit_cleanup),
        cmocka_unit_test_teardown(looking_is_done_again_after_reading, kit_cleanup),
        cmocka_unit_test_teardown(a_character_in_two_halves_is_one, kit_cleanup),
        cmocka_unit_test_teardown(a_stalled_terminal_blocks_its_program, kit_cleanup),
        cmocka_unit_test_teardown(peers_talk_and_reset, kit_cleanup),
        cmocka_unit_test_teardown(a_folder_is_removed_with_all_in_it, kit_cleanup),
        cmocka_unit_test_teardown(a_process_can_be_measured, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
