/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen as the tests run it: pollspin on a terminal of its own, the test as its server.
 * What is judged are the cells of the screen (libvterm); every wait has the kit's deadline.
 */
#ifndef FULL_H
#define FULL_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kit/kit.h"

enum { FULL_ARGS = 32 };

/* Keys as a terminal sends them. */
#define KEY_ENTER     "\r"
#define KEY_ESC       "\033"
#define KEY_UP        "\033[A"
#define KEY_DOWN      "\033[B"
#define KEY_RIGHT     "\033[C"
#define KEY_LEFT      "\033[D"
#define KEY_HOME      "\033[H"
#define KEY_END       "\033[F"
#define KEY_PAGE_UP   "\033[5~"
#define KEY_PAGE_DOWN "\033[6~"
#define KEY_F1        "\033OP"
#define KEY_F2        "\033OQ"
#define KEY_F3        "\033OR"
#define KEY_F4        "\033OS"
#define KEY_F5        "\033[15~"
#define KEY_CTRL(c)   ((const char[]){(c)&0x1f, '\0'})

struct full {
    struct kit_terminal *terminal;
    int server; /* the connection that it made */
    uint16_t port;
    char target[32]; /* "127.0.0.1:PORT": the prompt is that and "> " */
};

/* Starts pollspin with OPTIONS (ended by NULL, or NULL) on ROWS x COLUMNS, and waits until it is
 * connected and shows its prompt. */
static inline void full_start(struct full *full, int rows, int columns, const char *const *options)
{
    const char *argv[FULL_ARGS] = {"pollspin"};
    int listener = kit_listen(&full->port);
    int n = 1;

    snprintf(full->target, sizeof full->target, "127.0.0.1:%u", full->port);
    while (options && *options) {
        assert_true(n < FULL_ARGS - 2);
        argv[n++] = *options++;
    }
    argv[n++] = full->target;
    argv[n] = NULL;
    full->terminal = kit_terminal(rows, columns, argv);
    full->server = kit_accept(listener);
    close(listener);
    if (rows >= 4 && columns >= 40)
        kit_await_row(full->terminal, "  open");
}

/* Sends a line as the server. */
static inline void full_say(const struct full *full, const char *line)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s\n", line);

    assert_true(n > 0 && (size_t)n < sizeof text);
    kit_send(full->server, text, (size_t)n);
}

/* Reads one line as the server, without its newline; valid until the next call. */
static inline const char *full_hear(const struct full *full)
{
    static char line[1 << 20];
    size_t n = 0;

    do {
        assert_true(n < sizeof line);
        kit_receive_all(full->server, line + n, 1);
    } while (line[n++] != '\n');
    line[n - 1] = '\0';
    return line;
}

/* Types keys and Enter. */
static inline void full_type(const struct full *full, const char *keys)
{
    kit_press(full->terminal, keys);
    kit_press(full->terminal, KEY_ENTER);
}

/* Waits until the input line, the last row, shows the prompt and TEXT behind it, and nothing else.
 */
static inline bool full_input_is(struct kit_terminal *terminal, void *text)
{
    const char *row = text;
    int cursor_row, cursor_column;

    kit_cursor(terminal, &cursor_row, &cursor_column);
    return strcmp(kit_row(terminal, cursor_row), row) == 0;
}

static inline void full_await_input(const struct full *full, const char *text)
{
    char row[1024];
    char what[1200];
    size_t n = (size_t)snprintf(row, sizeof row, "%s> %s", full->target, text);

    while (n > 0 && row[n - 1] == ' ') /* rows are told without spaces at their end */
        row[--n] = '\0';
    snprintf(what, sizeof what, "the input line '%s'", row);
    kit_await_looks(full->terminal, full_input_is, row, what);
}

#endif
