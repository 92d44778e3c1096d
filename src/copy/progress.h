/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the streams are, as text: a line for each, and one for the total.
 *
 *   big.iso -> /mnt/big.iso   [======>            ]  34 %  1.21 GiB  412 MiB/s  0:05 left
 *   fifo -> tcp:host:9                                     3.02 MiB  1.01 MiB/s  queue 12 %
 *   total                     [====>              ]  21 %  ...
 *
 * What does not fit is left out, the least first, and names are cut in the middle, so that a line
 * never is wider than the terminal; where there are more streams than rows, those that run come
 * before those that have ended, and "7 more" says the rest. Pure but for the rates, which are
 * smoothed over some seconds of the times that the caller gives.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "copy/copy.h"

/* What is remembered of one stream, to know its rate. */
struct progress_rate {
    int64_t at;
    uint64_t bytes;
    double rate; /* bytes a second */
};

struct progress {
    struct progress_rate *rates; /* one a stream, and one for the total at the end */
    size_t count;
    int64_t begun;
};

/* Returns 0, or -1 with ENOMEM. */
int progress_init(struct progress *progress, size_t streams, int64_t now);
void progress_fini(struct progress *progress);

/* Takes down how far COPY is at NOW. */
void progress_note(struct progress *progress, const struct copy *copy, int64_t now);

/* Writes at most ROWS lines of at most COLUMNS columns, joined by newlines, without one at the end.
 * Everything in it is fit for a terminal (base/sanitize.h). Returns how many lines. */
size_t progress_text(const struct progress *progress, const struct copy *copy, int64_t now,
                     size_t rows, size_t columns, struct text *text);

/* Write a number of bytes as people read it, "1.21 GiB", "512 B", and a time, "0:05", "3:07:12". */
void progress_bytes(uint64_t bytes, char *text, size_t size);
void progress_time(int64_t ns, char *text, size_t size);

#endif
