/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of starting and ending a program that is the same on pipes and on a terminal.
 *
 * The child says by a pipe that is closed by a successful exec whether it has become the program:
 * so a program that is not there fails the test at once, and by name.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "kit/inside.h"
#include "kit/kit.h"

enum { CHILD_ENV_MAX = 32, CHILD_NOT_STARTED = 127 };

static const char *const child_ours[] = {"pollspin", "delayserver", "pollcopy"};

/* What every child gets, and behind it what kit_env said. */
static const struct child_env {
    const char *name;
    const char *value;
} child_always[] = {
    {"LC_ALL", "C.UTF-8"}, {"TERM", "xterm-256color"}, {"CI", NULL},     {"NO_COLOR", NULL},
    {"LINES", NULL},       {"COLUMNS", NULL},          {"EDITRC", NULL}, {"XDG_STATE_HOME", NULL},
};

static struct {
    char *name;
    char *value;
} child_wanted[CHILD_ENV_MAX];
static int child_wanted_count;
static const char *child_home; /* made for the first child of a test, removed with its folders */

void kit_env(const char *name, const char *value)
{
    assert_true(child_wanted_count < CHILD_ENV_MAX);
    child_wanted[child_wanted_count].name = strdup(name);
    child_wanted[child_wanted_count++].value = value ? strdup(value) : NULL;
}

void child_forget_env(void)
{
    child_home = NULL;
    while (child_wanted_count > 0) {
        child_wanted_count--;
        free(child_wanted[child_wanted_count].name);
        free(child_wanted[child_wanted_count].value);
    }
}

static void child_set_env(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void child_set_all_env(void)
{
    for (size_t i = 0; i < sizeof child_always / sizeof *child_always; i++)
        child_set_env(child_always[i].name, child_always[i].value);
    child_set_env("HOME", child_home);
    for (int i = 0; i < child_wanted_count; i++)
        child_set_env(child_wanted[i].name, child_wanted[i].value);
}

const char *kit_program(const char *name)
{
    static char paths[sizeof child_ours / sizeof *child_ours][4096];
    const char *folder = getenv("TEST_BUILDDIR");

    for (size_t i = 0; i < sizeof child_ours / sizeof *child_ours; i++)
        if (strcmp(child_ours[i], name) == 0) {
            snprintf(paths[i], sizeof paths[i], "%s/%s", folder ? folder : ".", name);
            return paths[i];
        }
    kit_fail("%s is none of the programs built here", name);
}

static bool child_is_ours(const char *name)
{
    for (size_t i = 0; i < sizeof child_ours / sizeof *child_ours; i++)
        if (strcmp(child_ours[i], name) == 0)
            return true;
    return false;
}

void child_prepare(struct child_command *command, const char *const argv[])
{
    const char *wrapper = getenv("TEST_WRAPPER");
    char *rest = command->wrapper;
    char *word;
    int n = 0;

    if (!child_home)
        child_home = kit_folder();
    *command->wrapper = '\0';
    if (child_is_ours(argv[0]) && wrapper)
        snprintf(command->wrapper, sizeof command->wrapper, "%s", wrapper);
    while ((word = strsep(&rest, " ")) && n < CHILD_ARGS / 2)
        if (*word)
            command->argv[n++] = word;
    command->argv[n++] = child_is_ours(argv[0]) ? kit_program(argv[0]) : argv[0];
    for (int i = 1; argv[i]; i++) {
        assert_true(n < CHILD_ARGS - 1);
        command->argv[n++] = argv[i];
    }
    command->argv[n] = NULL;
}

/* What the test program ignores or blocks is not the program's business, nor that all tests run in
 * the background of a script. */
static void child_reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
}

void child_die_with(pid_t parent)
{
#ifdef PR_SET_PDEATHSIG
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(CHILD_NOT_STARTED); /* it died before we could ask to be told */
}

void child_become(const struct child_command *command, pid_t parent, int report)
{
    int error;

    child_die_with(parent);
    child_reset_signals();
    child_set_all_env();
    /* The strings are not changed by execvp: its prototype is older than const. */
    execvp(command->argv[0], (char *const *)(uintptr_t)command->argv);
    error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(CHILD_NOT_STARTED);
    _exit(CHILD_NOT_STARTED);
}

void child_await_exec(const struct child_command *command, int report)
{
    int64_t deadline = kit_deadline();
    int error = 0;
    ssize_t n;

    while (!kit_stream_turn(report, POLLIN, deadline) && !kit_is_over(deadline))
        continue;
    n = read(report, &error, sizeof error);
    close(report);
    if (n > 0)
        kit_fail("cannot start %s: %s", command->argv[0], strerror(error));
}

int child_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int child_await_end(pid_t pid, void (*show)(void *owner), void *owner)
{
    const int64_t step = 2 * CLOCK_MILLISECOND;
    int64_t deadline = kit_deadline();
    int status;
    pid_t found;

    while ((found = waitpid(pid, &status, WNOHANG)) == 0 && !kit_is_over(deadline))
        kit_stream_turn(-1, 0, clock_now() + step);
    if (found != pid) {
        show(owner);
        kit_fail("process %d has not ended", (int)pid);
    }
    return child_status(status);
}

void child_kill(pid_t pid)
{
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
