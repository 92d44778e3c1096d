/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin --selftest: what each backend of this system reports for each kind of descriptor in each
 * situation, as a table for standard output; made by doing it.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "base/text.h"

/* Returns the table as text, which the caller frees, or NULL with errno. */
char *selftest_table(void);

#endif
