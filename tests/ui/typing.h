/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input line as a person sees it: the last row, and in it the cursor. What it should look like
 * is written with a | where the cursor is to stand: "one |two".
 *
 * Columns are counted with the locale, so the test has to have one of UTF-8: typing_locale.
 */
#ifndef TYPING_H
#define TYPING_H

#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>

#include "base/sanitize.h"
#include "person.h"

enum { TYPING_ROWS = 12, TYPING_COLUMNS = 80, TYPING_TEXT = 1024 };

#define TYPING_COUNT(array) (sizeof(array) / sizeof *(array))

static inline int typing_locale(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

/* Writes a ~/.editrc, editrc(5), for what is started from now on. */
static inline void typing_write_editrc(const char *text)
{
    const char *home = kit_folder();
    char path[512];
    FILE *file;

    kit_env("HOME", home);
    snprintf(path, sizeof path, "%s/.editrc", home);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline void typing_start(struct full *full)
{
    full_start(full, TYPING_ROWS, TYPING_COLUMNS, NULL);
}

static inline void typing_quit(const struct full *full)
{
    full_type(full, "/quit");
    assert_int_equal(kit_terminal_end(full->terminal), 0);
}

struct typing_wish {
    char row[TYPING_TEXT];
    int column;
};

static inline bool typing_is_seen(struct kit_terminal *terminal, void *context)
{
    const struct typing_wish *wish = context;
    bool is_same = strcmp(kit_row(terminal, TYPING_ROWS - 1), wish->row) == 0;
    int row, column;

    kit_cursor(terminal, &row, &column);
    return is_same && row == TYPING_ROWS - 1 && column == wish->column &&
           kit_cursor_is_shown(terminal);
}

/* Waits until the last row is PROMPT and what MARKED says, and the cursor stands there. */
static inline void typing_await_behind(const struct full *full, const char *prompt,
                                       const char *marked)
{
    const char *mark = strchr(marked, '|');
    struct typing_wish wish;
    char what[TYPING_TEXT + 64];
    size_t before;
    size_t n;

    assert_non_null(mark);
    before = strlen(prompt) + (size_t)(mark - marked);
    n = (size_t)snprintf(wish.row, sizeof wish.row, "%s%.*s%s", prompt, (int)(mark - marked),
                         marked, mark + 1);
    assert_true(n < sizeof wish.row);
    wish.column = (int)sanitize_width(wish.row, before);
    while (n > 0 && wish.row[n - 1] == ' ') /* rows are told without spaces at their end */
        wish.row[--n] = '\0';
    snprintf(what, sizeof what, "'%s' with the cursor in column %d", wish.row, wish.column);
    kit_await_looks(full->terminal, typing_is_seen, &wish, what);
}

/* The same behind the name of the connection in focus. */
static inline void typing_await(const struct full *full, const char *marked)
{
    char prompt[sizeof full->target + 2];

    snprintf(prompt, sizeof prompt, "%s> ", full->target);
    typing_await_behind(full, prompt, marked);
}

/* Keys, and how the line looks then. */
struct typing_step {
    const char *keys;
    const char *marked;
};

static inline void typing_play(const struct full *full, const struct typing_step *steps,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kit_press(full->terminal, steps[i].keys);
        typing_await(full, steps[i].marked);
    }
}

/* Types Enter and waits until the server has heard LINE, and nothing else before. */
static inline void typing_enter(const struct full *full, const char *line)
{
    kit_press(full->terminal, KEY_ENTER);
    assert_string_equal(full_hear(full), line);
    typing_await(full, "|");
}

#endif
