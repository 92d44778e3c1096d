/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of files by kqueue(2), whose words ours are. A file is watched as long as it is open:
 * closing it takes it out of the queue, with what is there of it.
 */
#include "config.h"

#include "loop/file.h"

#ifdef FILE_VNODE

#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/list.h"

/* Opened so, on macOS, a file does not keep its volume from being ejected. */
#ifndef O_EVTONLY
#define O_EVTONLY O_RDONLY
#endif

enum { VNODE_BATCH = 64 };

static const struct {
    unsigned change;
    unsigned note;
} vnode_notes[] = {
    {FILE_DELETE, NOTE_DELETE}, {FILE_WRITE, NOTE_WRITE}, {FILE_EXTEND, NOTE_EXTEND},
    {FILE_ATTRIB, NOTE_ATTRIB}, {FILE_LINK, NOTE_LINK},   {FILE_RENAME, NOTE_RENAME},
    {FILE_REVOKE, NOTE_REVOKE},
};

enum { VNODE_NOTES = sizeof vnode_notes / sizeof *vnode_notes };

static int vnode_open(void)
{
    int queue = kqueue();

    if (queue >= 0)
        fcntl(queue, F_SETFD, FD_CLOEXEC);
    return queue;
}

static int vnode_add(int queue, struct file_watch *file, const char *path)
{
    struct kevent change;
    unsigned notes = 0;
    int error;

    for (int i = 0; i < VNODE_NOTES; i++)
        if (file->want & vnode_notes[i].change)
            notes |= vnode_notes[i].note;
    file->fd = open(path, O_EVTONLY | O_NONBLOCK | O_CLOEXEC);
    if (file->fd < 0)
        return -1;
    EV_SET(&change, (uintptr_t)file->fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, notes, 0, file);
    if (kevent(queue, &change, 1, NULL, 0, NULL) == 0)
        return 0;
    error = errno;
    close(file->fd);
    file->fd = -1;
    errno = error;
    return -1;
}

static void vnode_remove(int queue, struct file_watch *file, const struct loop_link *started)
{
    (void)queue;
    (void)started;
    close(file->fd);
    file->fd = -1;
}

static void vnode_read(int queue, const struct loop_link *started)
{
    static const struct timespec at_once;
    struct kevent events[VNODE_BATCH];
    int n = kevent(queue, NULL, 0, events, VNODE_BATCH, &at_once);

    (void)started;
    for (int i = 0; i < n; i++)
        ((struct file_watch *)events[i].udata)->came |= events[i].fflags;
}

static unsigned vnode_changes(struct file_watch *file)
{
    unsigned changes = 0;

    for (int i = 0; i < VNODE_NOTES; i++)
        if (file->came & vnode_notes[i].note)
            changes |= vnode_notes[i].change;
    return changes;
}

const struct file_queue file_queue = {
    .open = vnode_open,
    .add = vnode_add,
    .remove = vnode_remove,
    .read = vnode_read,
    .changes = vnode_changes,
};

#endif
