/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin --selftest: what each backend of this system reports of each kind of descriptor in each
 * situation, as a table for standard output. Every cell is made by doing it, with a descriptor and
 * one wait of its own.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stddef.h>

/* Returns the table as text, which the caller frees, or NULL with errno; WHERE, cut to SIZE bytes,
 * then says which cell could not be made: "tcp, full, with epoll". */
char *selftest_table(char *where, size_t size);

#endif
