/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "kit/random.h"

/* Marsaglia's xorshift. */
uint32_t kit_random(uint32_t *seed, uint32_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % below;
}
