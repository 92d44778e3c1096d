/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for people, on standard error, each one line: `program: what: why`.
 *
 * Only the main_* files end a program; everything below them returns an error. Bytes that
 * came from outside (names, targets) are made visible before they reach the terminal.
 */
#ifndef DIE_H
#define DIE_H

/* Sets the name that stands in front of every message; borrowed for ever. */
void die_name(const char *program);

/* Prints one message and goes on. */
void die_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one message and ends the program with STATUS. */
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints one message and a hint to --help, and ends the program with 2. */
_Noreturn void die_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
