/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inspector tells the truth: what --inspect writes is, line by line, what strace(1) saw of the
 * same process -- arguments, results, names, and descriptor numbers too. The times that a call took
 * are each observer's own.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/kit.h"

enum { CALLS = 200 };

/* Cuts what the two may differ in: the duration at the end, and the time that select had left,
 * which the kernel tells strace in nanoseconds and libc tells us in microseconds. */
static void normalise(char *line)
{
    char *left = strstr(line, "left {");
    char *duration = strrchr(line, '<');

    line[strcspn(line, "\n")] = '\0';
    if (duration && strstr(line, " <"))
        *strrchr(line, ' ') = '\0';
    if (left)
        memmove(left + strlen("left"), strchr(left, '}') + 1, strlen(strchr(left, '}') + 1) + 1);
}

/* Reads the next line that is a call of a poller. Creating an epoll instance comes before there is
 * anybody to observe it. */
static bool next_call(FILE *file, char *line, int size)
{
    while (fgets(line, size, file)) {
        assert_non_null(strchr(line, '\n'));
        if (strchr("+-", line[0]) || strncmp(line, "epoll_create1", strlen("epoll_create1")) == 0)
            continue;
        normalise(line);
        return true;
    }
    return false;
}

static int compare(const char *strace_path, const char *inspect_path)
{
    enum { LINE = 20000 };
    static char strace_line[LINE];
    static char inspect_line[LINE];
    FILE *strace = fopen(strace_path, "r");
    FILE *inspect = fopen(inspect_path, "r");
    int same = 0;

    assert_non_null(strace);
    assert_non_null(inspect);
    while (next_call(strace, strace_line, LINE)) {
        assert_true(next_call(inspect, inspect_line, LINE));
        assert_string_equal(inspect_line, strace_line);
        same++;
    }
    assert_false(next_call(inspect, inspect_line, LINE));
    fclose(strace);
    fclose(inspect);
    return same;
}

static void lines_are_the_same(void **state)
{
    const char *backend = *state;
    char strace_path[256];
    char inspect_path[256];
    char inspect[300];
    int same;

    if (!kit_has("strace"))
        kit_skip("strace is not installed");
    kit_env("ASAN_OPTIONS", "detect_leaks=0"); /* it cannot look for leaks under a tracer */
    snprintf(strace_path, sizeof strace_path, "%s/strace", kit_folder());
    snprintf(inspect_path, sizeof inspect_path, "%s/inspect", kit_folder());
    snprintf(inspect, sizeof inspect, "--inspect=%s", inspect_path);
    {
        const char *const argv[] = {"strace",
                                    "-v",
                                    "-a",
                                    "1",
                                    "-o",
                                    strace_path,
                                    "-e",
                                    "trace=?select,?pselect6,?poll,?ppoll,?epoll_create1,?epoll_"
                                    "ctl,?epoll_wait,?epoll_pwait",
                                    kit_program("pollspin"),
                                    "--plain",
                                    "--demo-interval=0.2",
                                    "--tick=2",
                                    "--lines=16",
                                    inspect,
                                    "--backend",
                                    backend,
                                    NULL};

        assert_int_equal(kit_terminal_end(kit_terminal(24, 80, argv)), 0);
    }
    same = compare(strace_path, inspect_path);
    print_message("%s: %d calls, the same in both\n", backend, same);
    assert_true(same >= CALLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"select: the inspector's lines are strace's", lines_are_the_same, NULL, kit_cleanup,
         "select"},
        {"poll: the inspector's lines are strace's", lines_are_the_same, NULL, kit_cleanup, "poll"},
        {"epoll: the inspector's lines are strace's", lines_are_the_same, NULL, kit_cleanup,
         "epoll"},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
