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

/* Reads bytes from MIN to MAX: a decimal number, and behind it nothing or one of k, M, G and T, in
 * either case, for powers of 1024; "iB" may follow that. */
int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *size);

#endif
