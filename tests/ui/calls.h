/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of a program twice: as --inspect=FILE has them, and as its inspector shows them. The
 * file is written call by call, so what is on the screen is in the file already.
 */
#ifndef CALLS_H
#define CALLS_H

#include <ctype.h>
#include <stdlib.h>

#include "full.h"

enum { CALLS_SHOWN = 64, CALLS_COLUMNS = 512 };

struct calls {
    char path[256];
    char option[300]; /* --inspect=PATH */
    char *text;       /* what calls_read has read ... */
    char **lines;     /* ... cut into lines */
    size_t count;
};

static inline void calls_name(struct calls *calls)
{
    *calls = (struct calls){.count = 0};
    snprintf(calls->path, sizeof calls->path, "%s/calls", kit_folder());
    snprintf(calls->option, sizeof calls->option, "--inspect=%s", calls->path);
}

static inline void calls_free(struct calls *calls)
{
    free(calls->lines);
    free(calls->text);
    calls->lines = NULL;
    calls->text = NULL;
    calls->count = 0;
}

static inline char *calls_load(const char *path, size_t *length)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    assert_non_null(file);
    *length = 0;
    do {
        size = size > 0 ? 2 * size : 65536;
        text = realloc(text, size);
        assert_non_null(text);
        *length += fread(text + *length, 1, size - *length, file);
    } while (*length == size);
    fclose(file);
    return text;
}

/* Reads the lines that are there now; one that is being written is left out. */
static inline void calls_read(struct calls *calls)
{
    size_t length;
    char *next;

    calls_free(calls);
    calls->text = calls_load(calls->path, &length);
    for (size_t i = 0; i < length; i++)
        calls->count += calls->text[i] == '\n';
    calls->lines = calloc(calls->count + 1, sizeof *calls->lines);
    assert_non_null(calls->lines);
    next = calls->text;
    for (size_t i = 0; i < calls->count; i++) {
        calls->lines[i] = next;
        next = memchr(next, '\n', length - (size_t)(next - calls->text));
        *next++ = '\0';
    }
}

/* Returns how long the name of the call is that LINE begins with; 0 where that is none. */
static inline size_t call_name(const char *line)
{
    static const char *const names[] = {"epoll_wait", "epoll_pwait", "epoll_ctl", "poll",
                                        "ppoll",      "select",      "pselect6",  "io_uring_enter"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);

        if (strncmp(line, names[i], n) == 0 && line[n] == '(')
            return n;
    }
    return 0;
}

static inline bool call_is_wait(const char *line)
{
    if (strncmp(line, "io_uring_enter", strlen("io_uring_enter")) == 0)
        return strstr(line, "IORING_ENTER_GETEVENTS") != NULL;
    return call_name(line) > 0 && strncmp(line, "epoll_ctl", strlen("epoll_ctl")) != 0;
}

/* Returns how many waits the file has. */
static inline size_t calls_waits(struct calls *calls)
{
    size_t count = 0;

    calls_read(calls);
    for (size_t i = 0; i < calls->count; i++)
        count += call_is_wait(calls->lines[i]);
    return count;
}

/* ---- the inspector ---- */

struct shown {
    int bar;    /* the row of its bar; the meters and the strip follow */
    int count;  /* of the calls */
    int first;  /* the row of the first of them */
    int marked; /* which of them is chosen; -1: none */
    int table_rows;
    char calls[CALLS_SHOWN][CALLS_COLUMNS];
    char table[CALLS_SHOWN][CALLS_COLUMNS];  /* below its heading */
    char words[CALLS_SHOWN * CALLS_COLUMNS]; /* below the calls, a space between two rows */
};

static inline int shown_row(struct kit_terminal *terminal, int rows, const char *text)
{
    for (int row = 0; row < rows; row++)
        if (strstr(kit_row(terminal, row), text))
            return row;
    return -1;
}

static inline void shown_trim(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
}

/* Takes TEXT from column AT on, where the table is, out of it. */
static inline void shown_take_table(struct shown *shown, char *text, size_t at)
{
    if (strlen(text) <= at || shown->table_rows == CALLS_SHOWN)
        return;
    strcpy(shown->table[shown->table_rows++], text + at);
    text[at] = '\0';
    shown_trim(text);
}

static inline void shown_take_call(struct shown *shown, struct kit_terminal *terminal, int row,
                                   const char *text)
{
    if (shown->count == CALLS_SHOWN)
        return;
    if (shown->count == 0)
        shown->first = row;
    if (kit_cell(terminal, row, 0).is_reverse)
        shown->marked = shown->count;
    strcpy(shown->calls[shown->count++], text);
}

/* Reads what stands between the bar and the two rows of status and input. The table stands above
 * the calls, or where its heading does beside them; sentences, below them, take the whole row. */
static inline void shown_read(struct shown *shown, struct kit_terminal *terminal, int rows)
{
    char text[CALLS_COLUMNS];
    const char *heading;
    int at = -1;
    int row = 0;

    memset(shown, 0, sizeof *shown);
    shown->marked = -1;
    while (row < rows && !strstr(kit_row(terminal, row), "inspector: "))
        row++;
    shown->bar = row;
    while (++row < rows - 2) {
        snprintf(text, sizeof text, "%s", kit_row(terminal, row));
        heading = strstr(text, "  fd what");
        if (heading) {
            at = (int)(heading - text);
            text[at] = '\0';
        } else if (at >= 0 && (shown->count == 0 || call_name(text) > 0) &&
                   (at > 0 || call_name(text) == 0)) {
            shown_take_table(shown, text, (size_t)at);
        }
        shown_trim(text);
        if (call_name(text) > 0) {
            shown_take_call(shown, terminal, row, text);
        } else if (shown->count > 0) {
            strcat(shown->words, " ");
            strcat(shown->words, text);
        }
    }
}

/* One descriptor of the table. */
struct shown_watch {
    int fd;
    char wanted[16];
    char last[16];
    unsigned long long count;
};

/* Finds the row of the table that says WHAT. */
static inline bool shown_find(const struct shown *shown, const char *what,
                              struct shown_watch *watch)
{
    for (int i = 0; i < shown->table_rows; i++) {
        const char *row = shown->table[i];
        const char *name = strstr(row, what);

        if (name && name == row + 5 && name[strlen(what)] == ' ' && name[strlen(what) + 1] != '(' &&
            sscanf(row, "%d", &watch->fd) == 1 &&
            sscanf(name + strlen(what), " %15s %15s %llu", watch->wanted, watch->last,
                   &watch->count) == 3)
            return true;
    }
    return false;
}

#endif
