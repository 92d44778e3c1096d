/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows onto a terminal, by ncurses as a pure renderer: it writes into a memory file, and what is in
 * there after a frame goes to the terminal as one write that never blocks (ui/tty.h). ncurses reads
 * nothing, sets no mode, and catches no signal.
 *
 * This is the only file that knows curses and terminfo.
 *
 * Life: screen_open looks the terminal up and allocates, and writes nothing. screen_begin takes the
 * other screen, screen_end gives the one of before back; both may be repeated (Ctrl-Z and fg). Open
 * it AFTER the editor: libedit's tgetent(3) would replace the terminal that ncurses draws for.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "ui/keys.h"
#include "ui/row.h"

struct screen;

/* Whether TERM names a terminal on which a screen can be drawn: one that can move its cursor and be
 * cleared. Says why not, borrowed for ever, where WHY is not NULL: "TERM is not set". */
bool screen_is_possible(const char **why);

/* Makes a screen of ROWS x COLUMNS, from 1 x 1 to 1000 x 1000, for TERM. HAS_COLOUR false: as
 * NO_COLOR asks for. NULL with errno (ENOTSUP: as screen_is_possible). */
struct screen *screen_open(int rows, int columns, bool has_colour);

/* Frees it. NULL is fine. */
void screen_close(struct screen *screen);

/* Sets what row ROW, from 0, shows; what lies outside is ignored, and on some terminals a
 * wide character at the end of the last row. Nothing happens before screen_frame. A row that is the
 * same as before costs next to nothing; one in which a few adjacent characters of no style are
 * others of the same size costs little (a spinner). */
void screen_put(struct screen *screen, int row, const struct row *content);

/* Where the cursor is to stand after a frame; hidden where ROW is negative. */
void screen_cursor(struct screen *screen, int row, int column);

/* Makes the bytes that turn what the terminal shows into what was put, and lends them until the
 * next call: *N bytes, 0 where nothing has changed. NULL with errno when that failed. After it the
 * terminal is taken to show them: they must all be written, or screen_redraw be called. */
const char *screen_frame(struct screen *screen, size_t *n);

/* The next frame paints every cell anew. */
void screen_redraw(struct screen *screen);

/* Changes the size; all rows are to be put again, and the next frame paints every cell anew. */
int screen_resize(struct screen *screen, int rows, int columns);

/* The bytes that begin (the other screen, bracketed paste) and end it (the screen of before, the
 * cursor shown, colours and modes reset, paste off), lent as screen_frame does. Where the terminal
 * has one screen only, ending leaves the cursor below everything. After screen_begin the next frame
 * paints every cell. */
const char *screen_begin(struct screen *screen, size_t *n);
const char *screen_end(struct screen *screen, size_t *n);

/* The bytes that put a terminal right whatever the program was doing, for a handler of fatal
 * signals; borrowed for the life of the screen. */
const char *screen_rescue(const struct screen *screen, size_t *n);

/* Tells DECODER what the keys of this terminal send (kpp, kf4 ...), beside the common ones. */
void screen_tell_keys(const struct screen *screen, struct keys *decoder);

/* The next frame rings the bell, or flashes where there is none. */
void screen_beep(struct screen *screen);

#endif
