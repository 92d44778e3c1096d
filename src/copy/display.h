/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The progress on a terminal: some lines that are painted over and over where they stand, at most
 * 20 times a second and only when they have changed, each frame one write that never blocks.
 *
 * It uses no other screen and no mode of the terminal; of escape sequences only "cursor up" and
 * "erase to the end" (ECMA-48 CUU, EL, ED), so that nothing needs to be given back but the line it
 * is on. Between two frames the cursor stands at the left edge of the last line. What there is to
 * say is written above the lines. A terminal that is slow gets fewer frames, one whose foreground
 * others have, or on which a pager paints, none. Its size is asked for with each frame.
 */
#ifndef DISPLAY_H
#define DISPLAY_H

#include <stdbool.h>

#include "copy/copy.h"
#include "copy/progress.h"
#include "loop/output.h"

enum display_mode {
    DISPLAY_NONE,   /* only what is said */
    DISPLAY_FRAMES, /* on a terminal; on anything else, where TERM is unset or "dumb", and where CI
                       is set: a line for each stream each 5 s and at the end */
    DISPLAY_JSON    /* events, and progress once a second */
};

struct display {
    struct loop *loop;
    const struct copy *copy; /* borrowed */
    enum display_mode mode;
    struct output output;
    struct progress progress;
    struct copy_view *views; /* one a stream */
    struct timer tick;
    struct timer stop;     /* a stop (Ctrl-Z) that waits for what is queued, no longer than this */
    struct deferred paint; /* a look at what signals there are comes between the two */
    int64_t begun;
    bool is_terminal;
    bool is_painting; /* frames are painted */
    bool has_ended;   /* COPY_ENDED was told */
    char *frame;      /* the lines that stand there; NULL: none */
    size_t columns;   /* that they were made for */
    char *text;       /* the one that is being made */
    size_t size;      /* ... and what is allocated for it */
};

/* Starts to show COPY, to which all is added, on FD, which stays the caller's, open until
 * display_fini; before copy_start. Where frames are painted SIGTSTP and SIGCONT are the display's.
 * Returns 0, or -1 with errno. */
int display_init(struct display *display, struct loop *loop, int fd, enum display_mode mode,
                 const struct copy *copy);

/* Says what EVENT means, above the lines, as "pollcopy: TEXT", fit for a terminal; or as JSON. It
 * is lost where a mebibyte waits to be taken already, but for COPY_ENDED. */
void display_event(struct display *display, const struct copy_event *event);

/* Prints once how far all is, whatever the mode: SIGUSR1. */
void display_print(struct display *display);

/* Paints the last frame, which stays, and leaves the cursor on a new line; makes turns of the loop
 * until all is taken: by a terminal, unless it gets JSON, at most for a second; else for as long as
 * it takes, or until that fails. Not from a handler. Stops and frees. */
void display_fini(struct display *display);

#endif
