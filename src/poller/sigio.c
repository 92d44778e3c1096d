/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "poller/backend.h"

const struct poller_backend backend_sigio = {
    .name = "sigio",
    .summary = "a lesson: a real-time signal says what is ready",
    .missing = "sigio is of Linux",
};
