/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text broken into rows between its words; what is wider than any row is broken where the row
 * ends. A newline begins a new row.
 */
#ifndef WRAP_H
#define WRAP_H

#include "ui/row.h"

struct wrap {
    const char *rest; /* what has not been looked at */
    struct row word;  /* the word that comes next, made visible ... */
    size_t done;      /* ... and how many bytes of it are in rows already */
};

/* Begins at the first word of TEXT, which stays the caller's. */
void wrap_init(struct wrap *wrap, const char *text);

/* Fills ROW, which is empty, with the next words. Returns false where there were none any more. */
bool wrap_row(struct wrap *wrap, struct row *row);

/* Returns how many rows of COLUMNS the text takes. */
size_t wrap_count(const char *text, size_t columns);

#endif
