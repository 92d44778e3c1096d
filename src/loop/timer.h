/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TIMER_H
#define TIMER_H

#include "base/heap.h"
#include "pollspin/loop.h"

#endif
