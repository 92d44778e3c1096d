/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window on a scrollback: which rows of which lines are to be seen, in so many rows and columns.
 *
 * A line that is wider than the pane goes on in the next row. At the bottom the pane follows what
 * comes; scrolled up, it stands still while lines come in below (pane_below counts them), also
 * when the oldest lines go, until those that it shows themselves are gone.
 *
 * A row looks like   [HH:MM:SS ][label ]text   with both parts optional. They stand in the first
 * row of a line only, and where they would leave less than PANE_TEXT columns for the text the time
 * is left out, then the label too. A line that was typed has "> " before its text, one of our own
 * "-- " and no label. The rest of a line that came in pieces begins a row at its left edge, without
 * all that, if nothing else came between. In a pane of one column the place of a wide character is
 * blank.
 */
#ifndef PANE_H
#define PANE_H

#include "ui/row.h"
#include "ui/scrollback.h"

enum { PANE_FIND = 256, PANE_LABEL = 16, PANE_TEXT = 8 };

/* Returns what stands before the lines of CHANNEL, at most PANE_LABEL columns are shown; NULL or ""
 * for nothing. */
typedef const char *pane_label_fn(void *owner, unsigned channel);

/* An unfinished line, shown below all others. */
struct pane_partial {
    unsigned channel;
    time_t second;
    const char *bytes;
    size_t length;
};

struct pane {
    const struct scrollback *scrollback;
    pane_label_fn *label;
    void *owner;
    const char *stamp_format; /* strftime(3); NULL: no timestamps */
    size_t rows;
    size_t columns;
    bool is_following; /* at the bottom */
    uint64_t top;      /* else: the line in the first row, and which of its rows that is */
    size_t top_row;
    uint64_t seen;        /* lines before this one have been in the window, or were above it */
    char find[PANE_FIND]; /* what is marked */
    size_t find_length;
    uint64_t found;                      /* the line that was found last, or UINT64_MAX */
    const struct pane_partial *partials; /* borrowed: set by the owner for pane_compose, */
    size_t partial_count;                /* which alone looks at them */
    size_t partial_rows;                 /* that they took when they were composed last */
};

void pane_init(struct pane *pane, const struct scrollback *scrollback, pane_label_fn *label,
               void *owner);

/* Says how large it is; what stood at the top stays there, or it goes on following. */
void pane_resize(struct pane *pane, size_t rows, size_t columns);

/* Composes the rows to be seen, pane->rows of them, the first at the top (rows that have no line
 * are empty), one call of PUT each. Borrowed during the call. */
typedef void pane_put_fn(void *owner, size_t index, const struct row *row);
void pane_compose(struct pane *pane, pane_put_fn *put, void *owner);

/* Moves the window by N rows: up where it is negative; past the last one it follows again. */
void pane_scroll(struct pane *pane, long n);
void pane_to_top(struct pane *pane);
void pane_to_bottom(struct pane *pane);

/* Lines below those of which a row is to be seen, and in *UNSEEN how many of them have never been
 * composed: they came while the window stood still. 0 while it follows. */
uint64_t pane_below(const struct pane *pane, uint64_t *unseen);

/* Sets what is marked (letters of ASCII in either case, cut to PANE_FIND), and moves to the newest
 * line above the window that has it -- or, IS_AGAIN, to the next one above the one found last.
 * Where that is to be seen already nothing moves. N 0 marks nothing. Returns whether there was one;
 * wraps round to the newest. */
bool pane_find(struct pane *pane, const char *text, size_t n, bool is_again);

/* To be called after scrollback_clear. */
void pane_reset(struct pane *pane);

#endif
