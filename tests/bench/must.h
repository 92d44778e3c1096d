/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measurements without cmocka share: they end where a system call fails.
 */
#ifndef MUST_H
#define MUST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program unless IS_FINE. */
static inline void must(bool is_fine, const char *what)
{
    if (is_fine)
        return;
    perror(what);
    exit(1);
}

static inline void *must_have(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    must(memory, "calloc");
    return memory;
}

#endif
