/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input line, edited by libedit (editline(3)), which never sees the terminal: it sits on a
 * private pseudo-terminal into which no byte goes, is fed whole keys, and its line is read out of
 * it and drawn by somebody else.
 *
 * libedit asks for the next key inside of its own call and cannot be told "none yet": half a
 * command would be lost. So the function that gives it keys runs the loop until there is one:
 *
 *     while ((line = editor_read(editor)))     main's loop
 *         el_wgets -> our getter -> pump -> loop_turn -> handlers -> editor_put
 *
 * A handler must never call editor_read, therefore (asserted); and to leave, editor_quit makes the
 * getter return an end, so that every frame of libedit is left in order.
 *
 * One key is one character for libedit. A paste, the clearing of the line, and the keys that send
 * sequences reach it as C1 characters, which keys.h never lets through: so none can be cut in two
 * by what libedit is doing, and ESC stays ESC in vi's modes.
 */
#ifndef EDITOR_H
#define EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

struct editor;

/* Makes one turn of the loop; false: there is no going on, and editor_read returns NULL. With
 * MAY_WAIT false the turn must not wait: keys are there to be worked on. */
typedef bool editor_pump_fn(void *owner, bool may_wait);

/* Completes LINE up to CURSOR (bytes, multibyte): writes what is to be inserted there to INSERT
 * ("" for none); returns how many candidates there are, and tells them by itself where they are
 * several and nothing is to be inserted. */
typedef size_t editor_complete_fn(void *owner, const char *line, size_t cursor, char *insert,
                                  size_t size);

struct editor_options {
    const char *program;      /* what ~/.editrc calls it: "pollspin" */
    const char *history_path; /* NULL: none is kept */
    editor_pump_fn *pump;
    editor_complete_fn *complete;
    void *owner;
};

/* Makes one, reads $EDITRC or ~/.editrc (editrc(5)) and the history. NULL with errno, ENOENT or
 * EACCES for instance where there are no pseudo-terminals. A history that cannot be kept is no
 * failure: editor_history_error says so. Must be called before screen_open: libedit uses termcap,
 * and so does it here alone. */
struct editor *editor_new(const struct editor_options *options);
void editor_free(struct editor *editor); /* NULL is fine */

/* Returns the next line typed, multibyte, without its newline, borrowed until the next call; NULL
 * after editor_quit, or when pump said so, from then on. Adds it to the history, unless it is
 * empty, begins with a space or holds a newline (typed as Ctrl-V Ctrl-J). Where memory is out the
 * line is lost and the bell rung. */
const char *editor_read(struct editor *editor);

/* Ends editor_read as soon as its getter is asked again. */
void editor_quit(struct editor *editor);

/* Keys for libedit, from handlers: a character, or the bytes of a keys_event for a key that sends a
 * sequence. Returns false where memory is out, and the key is lost. */
bool editor_put(struct editor *editor, wchar_t key);
bool editor_put_bytes(struct editor *editor, const char *bytes, size_t n);

/* Inserts N bytes of pasted text at the cursor, in its order among the keys; nothing in it is a
 * command. Newlines at its end are left out, others and tabs become a space each, other controls
 * are left out. A line is cut to EDITOR_LINE_MAX characters, and the bell is rung. Ends a search
 * that is going on. */
enum { EDITOR_LINE_MAX = 65536 };
bool editor_paste(struct editor *editor, const char *bytes, size_t n);

/* Empties the line and ends what is going on in it, as Ctrl-C: in its order among the keys. Where
 * there is nothing to empty it is editor_quit, and so is Ctrl-D. */
bool editor_clear(struct editor *editor);

/* What is to be drawn: the line as wide characters with the cursor's place in it; and, while a
 * search (Ctrl-R, vi's /) is going on, its prompt, such as "bck:pat", else NULL. The line holds
 * what was typed with Ctrl-V: controls. Borrowed until libedit works again. */
struct editor_view {
    const wchar_t *line;
    size_t length;
    size_t cursor;
    const wchar_t *search;
    size_t search_length;
};
void editor_view(const struct editor *editor, struct editor_view *view);

/* Whether there is nothing: in the line, of a search, or of keys that are still to be worked on. */
bool editor_is_empty(const struct editor *editor);

/* Whether the view may have changed since the last call. */
bool editor_take_change(struct editor *editor);

/* How often libedit has rung the bell since the last call. */
int editor_take_bells(struct editor *editor);

/* errno why no history is kept, or 0. */
int editor_history_error(const struct editor *editor);

#endif
