/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The progress on a terminal: some lines that are painted over and over where they stand, at most
 * 20 times a second and only when they have changed, each frame one write that never blocks.
 *
 * It uses no other screen and no mode of the terminal; of escape sequences only CR, "cursor up" and
 * "erase to the end" (ECMA-48 CUU, EL, ED), so that nothing needs to be given back but the line it
 * is on. What others have to say goes through display_say, above the lines. A terminal that is slow
 * gets fewer frames. It has no size of its own: that is asked for with each frame.
 */
#ifndef DISPLAY_H
#define DISPLAY_H

#include <stdbool.h>

#include "copy/copy.h"
#include "copy/progress.h"
#include "loop/output.h"

struct display {
    struct loop *loop;
    const struct copy *copy; /* borrowed */
    struct output output;
    struct progress progress;
    struct timer tick;
    int64_t begun;
    bool is_shown; /* frames are painted; else only what is said */
    bool is_json;
    size_t lines;   /* that stand there, the last one holding the cursor */
    size_t columns; /* how wide the terminal was then: a narrower one has folded them */
    char *frame;    /* the text that stands there */
};

enum display_mode {
    DISPLAY_NONE,   /* only what is said */
    DISPLAY_FRAMES, /* on a terminal; on anything else a line for each stream now and then (each 5
                       s) */
    DISPLAY_JSON    /* events, and progress once a second */
};

/* Starts to show COPY on FD, which stays the caller's, open until display_fini. Returns 0, or -1
 * with errno. */
int display_init(struct display *display, struct loop *loop, int fd, enum display_mode mode,
                 const struct copy *copy);

/* Says what EVENT means, above the lines, as "pollcopy: TEXT"; or as JSON. */
void display_event(struct display *display, const struct copy_event *event);

/* Prints once how far all is, whatever the mode: SIGUSR1. */
void display_print(struct display *display);

/* Paints the last frame, which stays, and leaves the cursor on a new line; waits for a terminal
 * that is slow at most a second. Stops and frees. */
void display_fini(struct display *display);

#endif
