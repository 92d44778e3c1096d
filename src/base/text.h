/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building a string piece by piece in memory that the caller provides. Like snprintf(3): what
 * does not fit is cut, the result is always ended by a NUL, and LENGTH counts what a buffer without
 * bounds would hold.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *bytes;
    size_t size;
    size_t length;
};

/* Starts an empty string in SIZE bytes at BYTES, which stay the caller's. Where SIZE is 0 (BYTES
 * may be NULL then) it is only measured. */
void text_init(struct text *text, char *bytes, size_t size);

bool text_is_cut(const struct text *text);

/* Adds what printf(3) would print. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vadd(struct text *text, const char *format, va_list args);

#endif
