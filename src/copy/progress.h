/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the streams are, as text: a line for each, and where there are several one for the total.
 *
 *   big.iso -> /mnt/big.iso  [=======>        ]   34 %  1.21 GiB   412 MiB/s  0:05 left
 *   fifo -> tcp:host:9                                  3.02 MiB     stalled  queue 12 %
 *   total                                               1.22 GiB   412 MiB/s
 *
 * The columns are the same for all lines. What does not fit into the width is left out of all, the
 * bar first, then the rate and the time left, and names are cut in the middle; where there are more
 * streams than rows, those that run come before those that have failed, and these before those that
 * are done; "7 more" says the rest. Where all streams have one source or one destination, that is
 * not repeated in each line.
 *
 * Pure, but for the rates, which are smoothed over three seconds of the times that the caller
 * gives, however often it does.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "copy/copy.h"

/* What is remembered of one stream, to know its rate. */
struct progress_rate {
    int64_t since; /* when it began to move */
    int64_t moved; /* when it last did */
    int64_t at;    /* when it was last looked at, and what it had then */
    uint64_t bytes;
    double rate; /* bytes a second */
};

struct progress {
    struct progress_rate *rates; /* one a stream, and one for the total at the end */
    size_t count;                /* streams */
};

/* Returns 0, or -1 with ENOMEM. */
int progress_init(struct progress *progress, size_t streams, int64_t now);
void progress_fini(struct progress *progress);

/* Takes down how far the streams are at NOW: a view of each, and TOTAL bytes. */
void progress_note(struct progress *progress, const struct copy_view *views, uint64_t total,
                   int64_t now);

/* Writes at most ROWS lines of at most COLUMNS columns, both at least 1, joined by newlines,
 * without one at the end. Everything in it is fit for a terminal (base/sanitize.h). Returns how
 * many lines. */
size_t progress_text(const struct progress *progress, const struct copy_view *views, uint64_t total,
                     int64_t now, size_t rows, size_t columns, struct text *text);

/* Write a number of bytes as people read it, "1.21 GiB", "512 B", at most 8 columns; and a time,
 * "0:05", "3:07:12". */
void progress_bytes(uint64_t bytes, char *text, size_t size);
void progress_time(int64_t ns, char *text, size_t size);

#endif
