/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inspector tells the truth: what --inspect writes is, line by line, what strace(1) saw of the
 * same process -- arguments, results, names, and descriptor numbers too. The times that a call took
 * are each observer's own. strace cannot see what lies in io_uring's rings, which our lines tell in
 * a comment, and before version 7 it shows only the address of that call's time limit.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/backends.h"
#include "kit/kit.h"

/* Two for each line that comes, on a machine that has time for nothing else; as a rule 1500. */
enum { CALLS = 32 };

/* Where strace shows an address only, LINE may show what is there. */
static void forget_limit(char *line, const char *strace_line)
{
    static const char before[] = "IORING_ENTER_EXT_ARG, ";
    char *limit = strstr(line, before);

    if (!limit || !strstr(strace_line, "IORING_ENTER_EXT_ARG, 0x"))
        return;
    limit += strlen(before);
    assert_non_null(strrchr(limit, ','));
    memmove(limit, strrchr(limit, ','), strlen(strrchr(limit, ',')) + 1);
}

/* Cuts what the two may differ in: the duration at the end, and the time that select had left,
 * which the kernel tells strace in nanoseconds and libc tells us in microseconds. */
static void normalise(char *line)
{
    char *left = strstr(line, "left {");
    char *duration = strrchr(line, '<');
    char *comment = strstr(line, " /* ");

    line[strcspn(line, "\n")] = '\0';
    if (duration && strstr(line, " <"))
        *strrchr(line, ' ') = '\0';
    if (comment)
        *comment = '\0';
    if (left)
        memmove(left + strlen("left"), strchr(left, '}') + 1, strlen(strchr(left, '}') + 1) + 1);
}

/* strace knows what a signal of a file carries under the number of SIGIO only: in a real-time one
 * it takes the same bytes for what sigqueue(3) puts there. */
static void correct_signal(char *line)
{
    static const char *const codes[] = {"?",        "POLL_IN",  "POLL_OUT", "POLL_MSG",
                                        "POLL_ERR", "POLL_PRI", "POLL_HUP"};
    char *code = strstr(line, "si_code=0x");
    char rest[256];
    unsigned number, pid, uid;
    int fd, begin = 0, end = 0;

    if (!code || sscanf(code, "si_code=%x, %nsi_pid=%u, si_uid=%u, si_int=%d, si_ptr=%*x%n",
                        &number, &begin, &pid, &uid, &fd, &end) != 4)
        return;
    assert_in_range(number, 1, 6);
    snprintf(rest, sizeof rest, "%s", code + end);
    sprintf(code, "si_code=%s, si_band=%u, si_fd=%d%s", codes[number], pid, fd, rest);
}

static bool begins_with(const char *line, const char *text)
{
    return strncmp(line, text, strlen(text)) == 0;
}

/* Only some uses of fcntl(2) are a poller's: what only asks is not shown, and O_NONBLOCK is set by
 * others as well. */
static bool is_other_fcntl(const char *line)
{
    return begins_with(line, "fcntl") && !strstr(line, ", F_SETOWN_EX, ") &&
           !strstr(line, ", F_SETSIG, ") && !(strstr(line, ", F_SETFL, ") && strstr(line, "ASYNC"));
}

/* Reads the next line that is a call of a poller. Nobody observes it yet where an epoll instance is
 * created, nor any more where the last signals are thrown away. */
static bool next_call(FILE *file, char *line, int size)
{
    while (fgets(line, size, file)) {
        assert_non_null(strchr(line, '\n'));
        if (strchr("+-", line[0]) || begins_with(line, "epoll_create1") || is_other_fcntl(line) ||
            (begins_with(line, "rt_sigtimedwait") && strstr(line, "], NULL, ")))
            continue;
        normalise(line);
        correct_signal(line);
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
        forget_limit(inspect_line, strace_line);
        forget_limit(strace_line, strace_line);
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
    const char *backend = backend_of(state);
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
        const char *const argv[] = {
            "strace",
            "-v",
            "-a",
            "1",
            "-o",
            strace_path,
            "-e",
            "trace=?select,?pselect6,?poll,?ppoll,?epoll_create1,?epoll_"
            "ctl,?epoll_wait,?epoll_pwait,?rt_sigtimedwait,?fcntl,?io_uring_enter",
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
        {"sigio: the inspector's lines are strace's", lines_are_the_same, NULL, kit_cleanup,
         "sigio"},
        {"uring: the inspector's lines are strace's", lines_are_the_same, NULL, kit_cleanup,
         "uring"},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
