/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "poller/backend.h"

const struct poller_backend backend_kqueue = {
    .name = "kqueue",
    .summary = "kqueue(2): the kernel keeps the list",
    .missing = "kqueue is of BSD and macOS; elsewhere libkqueue brings it",
};
