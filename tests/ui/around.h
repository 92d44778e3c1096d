/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is around the full screen: a shell that has written on the terminal and given it settings of
 * its own before it becomes pollspin, the terminal as the shell gets it back, and a server that
 * sends without end.
 *
 * The settings are compared byte for byte. What a terminal has been told and has no settings for is
 * read from the bytes: the last word on each mode, on the margins and on the colours counts.
 */
#ifndef AROUND_H
#define AROUND_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/clock.h"
#include "full.h"

enum { AROUND_ROWS = 40, AROUND_COLUMNS = 80, AROUND_MODES = 4096 };

#define AROUND_TEXT "this was there before"

/* Shows its text, waits for Enter, and becomes pollspin in its own process. */
#define AROUND_SHELL "printf '" AROUND_TEXT "\\n'; read -r line; exec $TEST_WRAPPER \"$0\" \"$@\""

/* The same with settings that no program would choose. */
#define AROUND_ODD_SHELL "stty -echoe ixany intr ^K erase ^H; " AROUND_SHELL

static inline struct termios around_settings(struct kit_terminal *terminal)
{
    struct termios settings;

    kit_settings(terminal, &settings);
    return settings;
}

/* Starts SCRIPT with OPTIONS (ended by NULL, or NULL), up to its wait for Enter. */
static inline struct kit_terminal *around_shell(const char *script, const char *const *options,
                                                const char *target)
{
    const char *argv[FULL_ARGS] = {"sh", "-c", script, kit_program("pollspin")};
    struct kit_terminal *terminal;
    int n = 4;

    while (options && *options) {
        assert_true(n < FULL_ARGS - 2);
        argv[n++] = *options++;
    }
    argv[n++] = target;
    argv[n] = NULL;
    terminal = kit_terminal(AROUND_ROWS, AROUND_COLUMNS, argv);
    kit_await_row(terminal, AROUND_TEXT);
    return terminal;
}

/* Starts pollspin behind such a shell, stores the settings that it finds, and waits until it is
 * connected; or, with --step, until it stands before its first turn. */
static inline void around_start(struct full *full, const char *const *options,
                                struct termios *before)
{
    bool is_stepping = options && *options && strcmp(*options, "--step") == 0;
    int listener = kit_listen(&full->port);

    snprintf(full->target, sizeof full->target, "127.0.0.1:%u", full->port);
    full->terminal = around_shell(AROUND_ODD_SHELL, options, full->target);
    *before = around_settings(full->terminal);
    kit_press(full->terminal, "\n");
    if (is_stepping) {
        kit_await_row(full->terminal, "Space makes one turn");
        return;
    }
    full->server = kit_accept(listener);
    close(listener);
}

/* ---- what the terminal was told ---- */

struct around_told {
    char modes[AROUND_MODES]; /* of DECSET, 'h' or 'l'; 0: nothing was said */
    bool has_insertion;
    bool has_application_keypad;
    bool has_margins;
    bool is_styled;
    bool was_styled;
    bool was_coloured;
};

static inline bool around_is_colour(int number)
{
    return (number >= 30 && number <= 49) || (number >= 90 && number <= 107);
}

/* Follows SGR: 39 and 49 are the plain colours, behind 38 and 48 stand numbers of colours. */
static inline void around_follow_style(struct around_told *told, const int *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        told->was_coloured |= around_is_colour(numbers[i]);
        if (numbers[i] == 0)
            told->is_styled = false;
        else if (numbers[i] != 39 && numbers[i] != 49)
            told->is_styled = told->was_styled = true;
    }
}

static inline void around_follow(struct around_told *told, bool is_private, const int *numbers,
                                 int count, char final)
{
    bool is_mode = final == 'h' || final == 'l';

    if (is_mode && is_private)
        for (int i = 0; i < count; i++)
            told->modes[numbers[i] % AROUND_MODES] = final;
    else if (is_mode && numbers[0] == 4)
        told->has_insertion = final == 'h';
    else if (final == 'r')
        told->has_margins = numbers[0] > 1 || (count > 1 && numbers[1] < AROUND_ROWS);
    else if (final == 'm')
        around_follow_style(told, numbers, count);
}

/* Reads the parameters of a control sequence and returns what stands behind it. */
static inline const char *around_sequence(struct around_told *told, const char *next)
{
    int numbers[16] = {0};
    int count = 1;
    bool is_private = *next == '?';

    for (next += is_private; (*next >= '0' && *next <= '9') || *next == ';'; next++)
        if (*next == ';')
            numbers[count < 16 ? count++ : 15] = 0;
        else
            numbers[count - 1] = numbers[count - 1] * 10 % 100000 + *next - '0';
    around_follow(told, is_private, numbers, count, *next);
    return next;
}

static inline void around_read(struct kit_terminal *terminal, struct around_told *told)
{
    const char *next = kit_raw(terminal, NULL);

    *told = (struct around_told){0};
    while ((next = strchr(next, '\033')))
        if (*++next == '[')
            next = around_sequence(told, next + 1);
        else if (*next == '=' || *next == '>')
            told->has_application_keypad = *next == '=';
}

/* Modes that are set by themselves: wrapping and the cursor. */
static inline void around_expect_modes(const struct around_told *told)
{
    for (int mode = 0; mode < AROUND_MODES; mode++)
        if (told->modes[mode] != 0 && told->modes[mode] != (mode == 7 || mode == 25 ? 'h' : 'l'))
            fail_msg("mode ?%d was left at '%c'", mode, told->modes[mode]);
}

/* ---- what the shell gets back ---- */

static inline void around_expect_settings(struct kit_terminal *terminal,
                                          const struct termios *before)
{
    struct termios is = around_settings(terminal);

    assert_memory_equal(&is, before, sizeof is);
}

/* The text of before stands where it stood. What was told on the normal screen stands right below
 * it, and below that the shell goes on, at the left edge. */
static inline void around_expect_screen(struct kit_terminal *terminal)
{
    int row, column;

    assert_false(kit_is_other_screen(terminal));
    assert_true(kit_cursor_is_shown(terminal));
    kit_cursor(terminal, &row, &column);
    assert_int_equal(column, 0);
    assert_string_equal(kit_row(terminal, 0), AROUND_TEXT);
    assert_string_equal(kit_row(terminal, 1), "");
    for (int told = 2; told < row; told++)
        assert_true(kit_row(terminal, told)[0] > ' ');
    for (; row < AROUND_ROWS; row++)
        assert_string_equal(kit_row(terminal, row), "");
}

/* Nothing of what it was told holds any more. */
static inline void around_expect_told(struct kit_terminal *terminal)
{
    static struct around_told told;

    around_read(terminal, &told);
    around_expect_modes(&told);
    assert_false(told.has_insertion);
    assert_false(told.has_application_keypad);
    assert_false(told.has_margins);
    assert_false(told.is_styled);
}

static inline void around_expect_all(struct kit_terminal *terminal, const struct termios *before)
{
    around_expect_settings(terminal, before);
    around_expect_told(terminal);
    around_expect_screen(terminal);
}

/* ---- the terminal's other end ---- */

/* Opens the terminal as another process on it would. */
static inline int around_open(const struct kit_terminal *terminal)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/fd/0", (int)kit_terminal_pid(terminal));
    fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* What somebody else writes there. */
static inline void around_write(const struct kit_terminal *terminal, const char *text)
{
    int fd = around_open(terminal);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Waits until the terminal, which is stalled, takes nothing more. */
static inline void around_await_full(const struct kit_terminal *terminal)
{
    struct pollfd slave = {.fd = around_open(terminal), .events = POLLOUT};
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (poll(&slave, 1, 0) != 0) {
        assert_true(clock_now() < deadline);
        poll(NULL, 0, 1);
    }
    close(slave.fd);
}

/* ---- a program that stands still ---- */

static inline bool around_is_stopped(const struct kit_terminal *terminal)
{
    char path[64], text[512] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)kit_terminal_pid(terminal));
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return strstr(text, ") T ") != NULL;
}

static inline void around_await_stop(struct kit_terminal *terminal)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (!around_is_stopped(terminal)) {
        assert_true(clock_now() < deadline);
        kit_watch(terminal, CLOCK_MILLISECOND);
    }
}

/* ---- a flood ---- */

static pid_t around_flood; /* 0: there is none */

/* In a process of its own, which holds nothing else: a terminal could not be hung up. */
static inline void flood_send(int fd)
{
    char line[64];

    for (int other = 0; other < 256; other++)
        if (other != fd)
            close(other);
    for (unsigned long i = 0;; i++) {
        int n = snprintf(line, sizeof line, "drop %lu of the flood\n", i);

        if (write(fd, line, (size_t)n) != n)
            _exit(0);
    }
}

/* Sends lines without end, as the server, until it is stopped or nobody reads them. */
static inline void flood_start(const struct full *full)
{
    around_flood = fork();
    assert_true(around_flood >= 0);
    if (around_flood == 0)
        flood_send(full->server);
}

static inline void flood_stop(void)
{
    if (around_flood == 0)
        return;
    kill(around_flood, SIGKILL);
    while (waitpid(around_flood, NULL, 0) < 0 && errno == EINTR)
        continue;
    around_flood = 0;
}

/* A cmocka teardown, as kit_cleanup. */
static inline int around_cleanup(void **state)
{
    flood_stop();
    return kit_cleanup(state);
}

#endif
