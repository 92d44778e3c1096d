/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>

#include "loop/inside.h"

void file_watch_init(struct file_watch *file, file_fn *on_change, void *owner)
{
    *file = (struct file_watch){.on_change = on_change, .owner = owner, .fd = -1};
}

int file_watch_start(struct file_watch *file, struct loop *loop, const char *path, unsigned want)
{
    (void)file;
    (void)loop;
    (void)path;
    (void)want;
    errno = ENOTSUP;
    return -1;
}

void file_watch_stop(struct file_watch *file)
{
    (void)file;
}

void loop_files_init(struct loop *loop)
{
    (void)loop;
}

void loop_files_free(struct loop *loop)
{
    (void)loop;
}
