/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a line that begins with / does: a table of names, what each does, and how it is completed.
 * "//" is no command: the line is sent with one of the two.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct app;

/* Runs LINE, which begins with one '/'. What is wrong with it is told to the person as a note. */
void commands_run(struct app *app, const char *line);

/* Writes the help, a note a line. */
void commands_help(struct app *app);

/* As editor_complete_fn: completes commands, and what they take: targets, backends, spinners. OWNER
 * is the app. */
size_t commands_complete(void *owner, const char *line, size_t cursor, char *insert, size_t size);

#endif
