/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines typed in earlier runs: a file of lines, oldest first, readable by its owner alone.
 *
 * A run reads it once and appends each line as it is entered, with one write(2) to an O_APPEND
 * descriptor under flock(2): several runs at once add to the same file and none loses the lines of
 * another. It is cut to its bound when a run starts: a new file takes its place by rename(2), so
 * each line is added to what has the name then.
 *
 * Where: $XDG_STATE_HOME/pollspin/history, or ~/.local/state/pollspin/history (XDG Base Directory
 * Specification). Folders are made as 0700, the file is 0600.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum {
    HISTORY_LINES = 1000,    /* kept in the file */
    HISTORY_LINE_MAX = 16384 /* bytes; a longer one is not kept */
};

struct history {
    int fd;          /* -1: nothing is kept */
    char *path;      /* of the file itself, where PATH was a link to it */
    struct buf late; /* lines that are still to be written */
};

typedef void history_fn(void *owner, const char *line);

/* Writes where the file is to PATH. Returns 0, or -1: ENOENT where there is neither XDG_STATE_HOME
 * (an absolute path) nor HOME, ENAMETOOLONG. */
int history_path(char *path, size_t size);

/* Opens and, where needed, makes and cuts the file at PATH, and tells the lines in it, oldest
 * first, the last HISTORY_LINES. Controls are left out of them, and lines in which nothing remains.
 * A file that is not a regular one or is another user's is refused (EPERM). Returns 0, or -1 with
 * errno, and then nothing is kept. A file that cannot be cut is kept as it is. */
int history_open(struct history *history, const char *path, history_fn *on_line, void *owner);

/* Writes what is still to be written and closes. Waits for another run that is busy with the file
 * for a second at most. */
void history_close(struct history *history);

/* Whether LINE is one to be remembered: not empty, not begun with a space, without a newline. */
bool history_takes(const char *line);

/* Appends LINE, unless it is not to be remembered, or is longer than HISTORY_LINE_MAX: then it
 * returns 0 too. Where another run is busy with the file for more than 20 ms the line is written
 * with the next one, or by history_close. Returns 0, or -1 with errno and the file as it was. */
int history_add(struct history *history, const char *line);

#endif
