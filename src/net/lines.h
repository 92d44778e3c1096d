/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines out of a stream of bytes, in bounded memory. A line that is longer than the bound is handed
 * over in pieces as it comes: nothing is lost, and 64 MiB without a newline need no 64 MiB.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>

#include "base/buf.h"

/* A piece of N bytes, without the newline, borrowed during the call. IS_END: the line ends here. */
typedef void lines_fn(void *owner, const char *bytes, size_t n, bool is_end);

struct lines {
    struct buf partial; /* the beginning of a line whose end has not come */
    lines_fn *on_piece;
    void *owner;
};

/* Makes it empty. MAX is how many bytes a piece has at most. */
void lines_init(struct lines *lines, size_t max, lines_fn *on_piece, void *owner);
void lines_fini(struct lines *lines);

/* Takes N bytes and hands over every piece that they complete. Returns 0, or -1 with ENOMEM. */
int lines_feed(struct lines *lines, const char *bytes, size_t n);

/* Hands over what is left, as a piece that is no end of a line; for the end of the stream. */
void lines_flush(struct lines *lines);

/* Returns the unfinished line, *N bytes, borrowed until the next call. NULL where there is none. */
const char *lines_partial(const struct lines *lines, size_t *n);

#endif
