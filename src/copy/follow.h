/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that grows, is cut, or is replaced by another of its name: what tail -F follows.
 *
 * While the reader of the file rests at its end, the file is watched (file_watch of the loop), its
 * folder for a new file of its name, and, since not every file system tells of changes (those on a
 * network), it is looked at once a second.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "pollspin/loop.h"

enum follow_news {
    FOLLOW_GREW,     /* it is longer than was read */
    FOLLOW_CUT,      /* it is shorter than was read: read it from its beginning */
    FOLLOW_REPLACED, /* its name is another file's now: open that, from its beginning; nothing more
                        will come of the old one, whose end has been read */
    FOLLOW_GONE      /* its name is nobody's now: told once; wait */
};

typedef void follow_fn(void *owner, enum follow_news news);

struct follow {
    struct loop *loop;
    const char *path; /* borrowed */
    int fd;           /* the file that is read, borrowed */
    int64_t offset;   /* up to where it was read */
    bool is_gone;
    struct file_watch file;
    struct file_watch folder;
    struct timer look;
    struct deferred tell;
    follow_fn *on_news;
    void *owner;
};

void follow_init(struct follow *follow, struct loop *loop, follow_fn *on_news, void *owner);

/* Watches PATH, which was opened as FD and read up to OFFSET. on_news is called from the loop,
 * never from within, and after anything but FOLLOW_GONE it is stopped: read, and start it again at
 * the next end. Never fails: where the system cannot watch, it looks. */
void follow_start(struct follow *follow, const char *path, int fd, int64_t offset);

void follow_stop(struct follow *follow);

#endif
