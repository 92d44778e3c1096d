/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal with a program on it: forkpty(3) and libvterm, which says what the screen shows. The
 * environment is that of process.h; TERM=xterm-256color.
 */
#ifndef KIT_TERMINAL_H
#define KIT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kit_terminal;
struct termios;

/* Starts a program, found as by kit_start, on a new terminal of ROWS x COLUMNS. */
struct kit_terminal *kit_terminal(int rows, int columns, const char *const argv[]);

pid_t kit_terminal_pid(const struct kit_terminal *terminal);

/* The text of a row, spaces at its end left out; valid until the next call. */
const char *kit_row(struct kit_terminal *terminal, int row);

/* Waits until some row holds TEXT, and returns its number. */
int kit_await_row(struct kit_terminal *terminal, const char *text);

/* Waits until no row holds TEXT. */
void kit_await_gone(struct kit_terminal *terminal, const char *text);

/* Waits until LOOKS says that what is to be seen is right; WHAT says what that is. */
typedef bool kit_looks(struct kit_terminal *terminal, void *context);
void kit_await_looks(struct kit_terminal *terminal, kit_looks *looks, void *context,
                     const char *what);

/* How one cell is drawn. */
struct kit_cell {
    bool is_bold;
    bool is_reverse;
    bool is_coloured;    /* another colour than that of plain text */
    uint32_t foreground; /* red, green and blue in 0xrrggbb, to be compared with others */
};
struct kit_cell kit_cell(struct kit_terminal *terminal, int row, int column);

void kit_keys(struct kit_terminal *terminal, const char *bytes, size_t n);
void kit_press(struct kit_terminal *terminal, const char *keys); /* a string of them */

/* Changes the size; 0 x 0 is told to the program, and the screen keeps its own. */
void kit_resize(struct kit_terminal *terminal, int rows, int columns);

/* Closes the terminal's window. */
void kit_hang_up(struct kit_terminal *terminal);

/* Reads what comes for NS nanoseconds, or until the program ends. */
void kit_watch(struct kit_terminal *terminal, int64_t ns);

/* Shows each piece of output to OBSERVER, with the time of its reading, as it comes. */
typedef void kit_observer(void *context, const char *bytes, size_t n, int64_t now);
void kit_observe(struct kit_terminal *terminal, kit_observer *observer, void *context);

/* Stops, and later goes on, reading: a terminal that has been stopped with Ctrl-S. */
void kit_stall(struct kit_terminal *terminal, bool stall);

/* Every byte that the program wrote, NULs included; valid until the next call. */
const char *kit_raw(struct kit_terminal *terminal, size_t *length);

/* What the terminal would have answered to queries, its title, and how often it rang. */
size_t kit_reply_length(const struct kit_terminal *terminal);
const char *kit_title(const struct kit_terminal *terminal);
int kit_bells(const struct kit_terminal *terminal);

/* Where the cursor stands and whether it is shown, whether the other screen is, and the settings of
 * the line, as the program set or left them. */
void kit_cursor(const struct kit_terminal *terminal, int *row, int *column);
bool kit_cursor_is_shown(const struct kit_terminal *terminal);
bool kit_is_other_screen(const struct kit_terminal *terminal);
void kit_settings(const struct kit_terminal *terminal, struct termios *settings);

int kit_terminal_end(struct kit_terminal *terminal); /* as kit_end */

#endif
