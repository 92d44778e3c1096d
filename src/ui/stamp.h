/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time in front of a line, in the format of strftime(3) that somebody chose.
 */
#ifndef STAMP_H
#define STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { STAMP_BYTES = 64 };

/* Writes the local time SECOND to STAMP. Returns its length; 0 where that makes no text, or too
 * long a one. It is not made visible: the format may hold what a terminal would obey. */
size_t stamp_write(const char *format, time_t second, char stamp[STAMP_BYTES]);

/* Whether FORMAT makes a stamp now. */
bool stamp_is_possible(const char *format);

#endif
