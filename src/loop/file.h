/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What file.c needs of a kernel: inotify.c and vnode.c have it, each for its systems. Not
 * installed.
 */
#ifndef FILE_H
#define FILE_H

#include "loop/inside.h"

#if defined __linux__
#define FILE_INOTIFY 1
#elif defined HAVE_KQUEUE
#define FILE_VNODE 1
#endif

struct file_queue {
    /* Returns a new queue of changes, close-on-exec, or -1 with errno. */
    int (*open)(void);

    /* Has changes of the file at PATH that are in file->want put into QUEUE, and sets fd, and what
     * else is the kernel's own. Returns 0, or -1 with errno. */
    int (*add)(int queue, struct file_watch *file, const char *path);

    /* Ends that, but for who else among STARTED watches the same file, and closes fd. */
    void (*remove)(int queue, struct file_watch *file, const struct loop_link *started);

    /* Takes out of QUEUE what it has, or a part of that, and adds it to file->came of those
     * concerned among STARTED. */
    void (*read)(int queue, const struct loop_link *started);

    /* Returns as FILE_ flags what has come. */
    unsigned (*changes)(struct file_watch *file);
};

extern const struct file_queue file_queue;

#endif
