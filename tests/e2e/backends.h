/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One behaviour on every backend that really waits: the state of such a test is the backend's name.
 */
#ifndef BACKENDS_H
#define BACKENDS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/kit.h"
#include "pollspin/poller.h"

/* Four entries of a group of cmocka tests. */
#define ON_EVERY_BACKEND(test)                                                                     \
    {#test " (select)", test, NULL, kit_cleanup, (void *)"select"},                                \
        {#test " (poll)", test, NULL, kit_cleanup, (void *)"poll"},                                \
        {#test " (epoll)", test, NULL, kit_cleanup, (void *)"epoll"},                              \
    {                                                                                              \
#test " (uring)", test, NULL, kit_cleanup, (void *)"uring"                                 \
    }

/* Returns the backend to be tested, or skips the test where this system lacks or refuses it. */
static inline const char *backend_of(void **state)
{
    const char *name = *state;
    struct poller *poller = poller_open(name);
    struct poller_info info;

    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (strcmp(info.name, name) == 0 && info.missing)
            kit_skip(info.missing);
    if (!poller)
        kit_skip(strerror(errno));
    poller_close(poller);
    if (strcmp(name, "uring") == 0 && getenv("TEST_WRAPPER") && *getenv("TEST_WRAPPER"))
        kit_skip("valgrind lets no signal into io_uring_enter: nothing would end the program");
    return name;
}

#endif
