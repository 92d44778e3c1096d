/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers out of what a person wrote. The whole text has to be the number: "5x", "", " 5" and
 * "nan" are none. Functions return 0, or -1 with EINVAL (no number) or ERANGE (out of bounds).
 */
#ifndef PARSE_H
#define PARSE_H

#include <stdint.h>

/* Reads a decimal number from MIN, which is not negative, to MAX. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* Reads seconds with an optional fraction, "0.25", as nanoseconds from MIN_NS up to 10^9 s. What is
 * not 0 and less than a nanosecond is ERANGE: 0 often means something else. */
int parse_seconds(const char *text, int64_t min_ns, int64_t *ns);

#endif
