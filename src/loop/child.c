/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "loop/inside.h"

void child_init(struct child *child, child_fn *on_exit, void *owner)
{
    *child = (struct child){.on_exit = on_exit, .owner = owner};
}

int child_start(struct child *child, struct loop *loop, pid_t pid)
{
    (void)child;
    (void)loop;
    (void)pid;
    errno = ENOTSUP;
    return -1;
}

void child_stop(struct child *child)
{
    (void)child;
}

void loop_children_init(struct loop *loop)
{
    (void)loop;
}

void loop_children_free(struct loop *loop)
{
    (void)loop;
}
