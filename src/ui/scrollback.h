/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has been shown, line by line, in bounded memory: when it is full the oldest lines go.
 *
 * Lines are kept as they were received. Taking one in is a copy; it is made visible (ui/row.h) only
 * when it comes to stand on the screen: in a flood almost none does.
 */
#ifndef SCROLLBACK_H
#define SCROLLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum scrollback_kind {
    SCROLLBACK_RECEIVED,
    SCROLLBACK_SENT, /* what was typed and sent */
    SCROLLBACK_NOTE  /* a line of our own */
};

enum { SCROLLBACK_LINE = 4096 }; /* bytes of a line; whoever has more hands it over in pieces */

struct scrollback_line {
    enum scrollback_kind kind;
    unsigned channel; /* which connection, from 0 */
    bool goes_on;     /* a piece: the next line of this channel continues it */
    bool is_rest;     /* set by scrollback_get: continues the line before it */
    time_t second;    /* when it came, time of day */
    const char *bytes;
    size_t length;
};

struct scrollback;

/* Makes one for at most MAX_LINES lines (at least 1) and MAX_BYTES bytes of text (at least
 * SCROLLBACK_LINE), exactly; memory is taken as it fills. NULL with ENOMEM. */
struct scrollback *scrollback_new(size_t max_lines, size_t max_bytes);
void scrollback_free(struct scrollback *scrollback); /* NULL is fine */

/* Returns how many of N bytes of a line make its next piece: all of them, or as many as a line
 * takes, but no half of a character of UTF-8. */
size_t scrollback_piece(const char *bytes, size_t n);

/* Copies LINE to the end; bytes beyond SCROLLBACK_LINE are cut. Where memory is out the oldest
 * lines make room earlier; -1 with ENOMEM where not even that helps. */
int scrollback_add(struct scrollback *scrollback, const struct scrollback_line *line);

/* Lines are numbered from 0 in the order in which they came, and keep their number: those from
 * first to end - 1 are there. */
uint64_t scrollback_first(const struct scrollback *scrollback);
uint64_t scrollback_end(const struct scrollback *scrollback);

/* Fills LINE, its bytes borrowed until the next change. NUMBER must be there. */
void scrollback_get(const struct scrollback *scrollback, uint64_t number,
                    struct scrollback_line *line);

/* Finds N bytes of TEXT, N not 0, letters of ASCII in either case, in the lines from NUMBER on,
 * NUMBER included, towards the oldest (backward) or the newest. At most LIMIT lines are looked at;
 * returns true and the number where it was found; false and in *NUMBER where to go on: the last
 * one's neighbour, or first - 1 or end when there are no more. */
bool scrollback_find(const struct scrollback *scrollback, const char *text, size_t n,
                     bool is_backward, size_t limit, uint64_t *number);

/* Finds it in LENGTH bytes. Returns where it begins; LENGTH where it is not there. */
size_t scrollback_find_in(const char *bytes, size_t length, const char *text, size_t n);

/* Forgets all lines and gives their memory back; numbers go on. */
void scrollback_clear(struct scrollback *scrollback);

/* Bytes of memory held. */
size_t scrollback_memory(const struct scrollback *scrollback);

#endif
