/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that look random and are the same on every machine: a failure can be had again.
 */
#ifndef KIT_RANDOM_H
#define KIT_RANDOM_H

#include <stdint.h>

/* Returns the next number of the row that *SEED, not 0, stands for: below BELOW. */
uint32_t kit_random(uint32_t *seed, uint32_t below);

#endif
