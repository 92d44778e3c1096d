/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the loop know of each other. Not installed.
 */
#ifndef LOOP_INSIDE_H
#define LOOP_INSIDE_H

#include "pollspin/loop.h"

#endif
