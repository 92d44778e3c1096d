/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from outside made fit for a terminal: shown, never obeyed.
 *
 *   what comes                          what is shown
 *   printable characters                themselves, in the locale's encoding
 *   TAB                                 spaces up to the next multiple of eight columns
 *   C0 controls, DEL                    ^[ ^G ^@ ^?
 *   C1 controls, bidi, zero-width and
 *   other format characters, unassigned <U+009B> <U+202E>
 *   bytes that are no character         <9B>
 *
 * What is shown holds no byte below space, no DEL and no C1 control in any encoding.
 * It works on a stream: a character that is split between two calls is put together.
 */
#ifndef SANITIZE_H
#define SANITIZE_H

#include <stddef.h>

struct sanitize {
    char pending[16]; /* the bytes of a character that is not complete */
    size_t pending_length;
    size_t column; /* where the next character stands, for TAB */
};

/* Shown text for one input byte is never longer than this many bytes, whatever comes. */
enum { SANITIZE_GROWTH = 16 };

/* Starts a line. Uses LC_CTYPE of the current locale. */
void sanitize_init(struct sanitize *sanitize);

/* Writes the shown form of N bytes to OUT, which has SANITIZE_GROWTH * (N + sizeof pending) bytes;
 * not ended by a NUL. Returns its length. */
size_t sanitize_bytes(struct sanitize *sanitize, const char *bytes, size_t n, char *out);

/* Ends the line: writes what is left of an incomplete character (as <C3>) to OUT, which has
 * SANITIZE_GROWTH * sizeof pending bytes, and starts the next. Returns its length. */
size_t sanitize_end(struct sanitize *sanitize, char *out);

/* Returns the columns that N shown bytes take. */
size_t sanitize_width(const char *shown, size_t n);

/* Returns how many of N shown bytes fit into COLUMNS, whole characters only. */
size_t sanitize_fit(const char *shown, size_t n, size_t columns);

#endif
