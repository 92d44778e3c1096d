/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What turns while a program waits: a table of short texts to be shown one after another in the
 * same place. All frames of one spinner take the same columns, so each covers the one before it.
 */
#ifndef SPINNER_H
#define SPINNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spinner {
    const char *name;
    const char *summary;
    bool is_unicode; /* its frames are UTF-8 beyond ASCII */
    size_t columns;  /* how wide each frame is */
    size_t count;    /* how many frames make a cycle */
    const char *const *frames;
};

/* Returns the spinner with number INDEX, borrowed for ever, the default one first; NULL past the
 * last one. */
const struct spinner *spinner_list(size_t index);

/* Returns the spinner called NAME, or NULL where there is none. */
const struct spinner *spinner_find(const char *name);

/* Returns SPINNER where the current locale can show it, else the default one, which is ASCII. */
const struct spinner *spinner_for_locale(const struct spinner *spinner);

/* Returns frame INDEX, counted on over all cycles, as a string borrowed for ever. */
const char *spinner_frame(const struct spinner *spinner, uint64_t index);

#endif
