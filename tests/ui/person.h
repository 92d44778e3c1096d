/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person at the full screen does and looks at, where it is more than a key and a row: the
 * title, the row of a connection, commands and their answers, and further connections, each of
 * which is a struct full with the same terminal and a target and a server of its own.
 */
#ifndef PERSON_H
#define PERSON_H

#include <sys/socket.h>

#include "full.h"

/* ---- starting ---- */

/* Starts pollspin with OPTIONS (ended by NULL, or NULL), among them the targets, and waits for
 * nothing. */
static inline struct kit_terminal *start_alone(int rows, int columns, const char *const *options)
{
    const char *argv[FULL_ARGS] = {"pollspin"};
    int n = 1;

    while (options && *options) {
        assert_true(n < FULL_ARGS - 1);
        argv[n++] = *options++;
    }
    return kit_terminal(rows, columns, argv);
}

/* Names a port at which nobody listens yet; listen(2) on what is returned changes that. */
static inline int reserve(struct full *full)
{
    int fd = kit_bind(SOCK_STREAM, &full->port);

    snprintf(full->target, sizeof full->target, "127.0.0.1:%u", full->port);
    return fd;
}

/* ---- looking ---- */

struct row_wish {
    int row;
    const char *text;
};

static inline bool row_holds(struct kit_terminal *terminal, void *context)
{
    const struct row_wish *wish = context;

    return strstr(kit_row(terminal, wish->row), wish->text) != NULL;
}

/* Waits until row ROW holds TEXT. */
static inline void await_row_at(struct kit_terminal *terminal, int row, const char *text)
{
    struct row_wish wish = {.row = row, .text = text};
    char what[300];

    snprintf(what, sizeof what, "'%.200s' in row %d", text, row);
    kit_await_looks(terminal, row_holds, &wish, what);
}

static inline void await_title(struct kit_terminal *terminal, const char *text)
{
    await_row_at(terminal, 0, text);
}

static inline bool row_equals(struct kit_terminal *terminal, void *context)
{
    const struct row_wish *wish = context;

    return strcmp(kit_row(terminal, wish->row), wish->text) == 0;
}

/* Waits until row ROW is TEXT and nothing else. */
static inline void await_row_is(struct kit_terminal *terminal, int row, const char *text)
{
    struct row_wish wish = {.row = row, .text = text};
    char what[300];

    snprintf(what, sizeof what, "row %d to be '%.200s'", row, text);
    kit_await_looks(terminal, row_equals, &wish, what);
}

/* Returns how many of ROWS rows hold TEXT now. */
static inline int count_rows(struct kit_terminal *terminal, int rows, const char *text)
{
    int count = 0;

    for (int row = 0; row < rows; row++)
        count += strstr(kit_row(terminal, row), text) != NULL;
    return count;
}

/* Waits until the row of the connection says TEXT: "  open", "  ended". Returns the row. */
static inline int await_state(const struct full *full, const char *text)
{
    char row[128];

    snprintf(row, sizeof row, "%s%s", full->target, text);
    return kit_await_row(full->terminal, row);
}

/* ---- asking ---- */

/* Types a command and waits for its answer. */
static inline void ask(const struct full *full, const char *command, const char *answer)
{
    full_type(full, command);
    kit_await_row(full->terminal, answer);
}

/* Waits until a line that is said is shown: all that came before it is too. */
static inline void say_and_see(const struct full *full, const char *line)
{
    full_say(full, line);
    kit_await_row(full->terminal, line);
}

/* Types a line and waits until it is heard. */
static inline void type_and_hear(const struct full *full, const char *line)
{
    full_type(full, line);
    assert_string_equal(full_hear(full), line);
}

/* ---- further connections ---- */

/* Opens a server that can be asked for; it is in OTHER->server, and listens only. */
static inline void prepare_other(const struct full *full, struct full *other)
{
    *other = (struct full){.terminal = full->terminal};
    other->server = kit_listen(&other->port);
    snprintf(other->target, sizeof other->target, "127.0.0.1:%u", other->port);
}

/* Takes the connection to a server that was prepared. */
static inline void accept_other(struct full *other)
{
    int listener = other->server;

    other->server = kit_accept(listener);
    close(listener);
}

/* Types /connect and waits until the connection is open and in focus. */
static inline void connect_other(const struct full *full, struct full *other)
{
    char command[64];

    prepare_other(full, other);
    snprintf(command, sizeof command, "/connect %s", other->target);
    full_type(full, command);
    accept_other(other);
    await_state(other, "  open");
    full_await_input(other, "");
}

#endif
