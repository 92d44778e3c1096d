/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that grows, is cut, or is replaced by another of its name: what tail -F follows.
 *
 * While the reader of the file rests at its end, the file that has the name is watched (file_watch
 * of the loop), its folder for a new file of its name, and, since not every file system tells of
 * changes (those on a network), it is looked at once a second.
 *
 * What nobody can notice: a file that is cut, and has grown to where it was read or beyond it when
 * it is looked at. It is read on from there, as tail does.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pollspin/loop.h"

enum follow_news {
    FOLLOW_GREW,     /* it is longer than was read, or says so: those of sysfs are not. Where it
                        is started again at the same offset, this is told a second later */
    FOLLOW_CUT,      /* it is shorter than was read: read it from its beginning */
    FOLLOW_REPLACED, /* its name is another file's now, which is not empty: open that, from its
                        beginning; nothing more is expected of the old one, whose end has been
                        read */
    FOLLOW_GONE      /* its name is nobody's now: told once; wait */
};

typedef void follow_fn(void *owner, enum follow_news news);

struct follow {
    struct loop *loop;
    const char *path; /* borrowed */
    int fd;           /* the file that is read, borrowed; -1 while nothing is told */
    int64_t offset;   /* up to where it was read */
    int64_t grew_at;  /* ... when FOLLOW_GREW was last told; -1: something else was */
    bool is_gone;
    bool is_watched; /* or would be, if the system could: the file that this is */
    dev_t device;
    ino_t inode;
    struct file_watch file;
    struct file_watch folder;
    struct timer look;
    struct deferred again;
    follow_fn *on_news;
    void *owner;
};

void follow_init(struct follow *follow, struct loop *loop, follow_fn *on_news, void *owner);

/* Watches PATH, which was opened as FD and read up to OFFSET. on_news is called from the loop,
 * never from within. After anything but FOLLOW_GONE nothing more is told and FD is not looked at:
 * read, and start it again at the next end. The watches stay meanwhile, since to end and begin them
 * takes milliseconds: PATH must be the same until follow_stop. Never fails: where the system cannot
 * watch, it looks. */
void follow_start(struct follow *follow, const char *path, int fd, int64_t offset);

/* Ends the watches; also after news. Does nothing where there are none. */
void follow_stop(struct follow *follow);

#endif
