/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "poller/backend.h"

const struct poller_backend backend_uring = {
    .name = "uring",
    .summary = "io_uring(7): polls asked for and answered in shared rings",
    .missing = "io_uring is of Linux, by liburing",
};
