/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of files by inotify(7), in the words of kqueue(2). What surprises:
 *   - it takes a path, whose file may be another one by then: so the file is opened (O_PATH), and
 *     its path is that of the descriptor in /proc. Where /proc is missing the path itself has to do
 *   - it names the inode: several watches of one file get the same number, and one mask
 *   - IN_ATTRIB stands for a new mode as well as for a name that came or went: fstat(2) tells
 *   - IN_DELETE_SELF comes when the last descriptor of the file has gone too. Ours would be one; so
 *     it is kept only where fstat is needed, and there the number of names says it at once
 *   - what is kept open keeps its file system from being unmounted, as with a kqueue
 *   - rmdir(2) makes no IN_ATTRIB. A directory is therefore never kept open; that a subdirectory
 *     came or went shows in the entry itself
 *   - a watch of a directory also tells of changes of what is in it: only entries count
 *   - of a new time of change alone (touch -m) it says IN_MODIFY
 */
#include "config.h"

#include "loop/file.h"

#ifdef FILE_INOTIFY

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    INOTIFY_ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
    INOTIFY_BYTES = 4096, /* of events that are read at once; one has fewer than 300 */
    INOTIFY_NEEDS_FD = FILE_DELETE | FILE_EXTEND | FILE_ATTRIB | FILE_LINK
};

static int inotify_open(void)
{
    return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

/* ---- to begin and to end ---- */

/* IN_DELETE_SELF is always there, for a mask must not be empty. */
static uint32_t inotify_mask(unsigned want, bool is_directory)
{
    uint32_t mask = IN_DELETE_SELF;

    if (want & (FILE_WRITE | FILE_EXTEND) && !is_directory)
        mask |= IN_MODIFY;
    if (want & (FILE_WRITE | FILE_LINK) && is_directory)
        mask |= INOTIFY_ENTRIES;
    if (want & (FILE_ATTRIB | FILE_LINK | FILE_DELETE))
        mask |= IN_ATTRIB;
    if (want & FILE_RENAME)
        mask |= IN_MOVE_SELF;
    return mask;
}

/* Those that watch the file already keep what they want: the masks are added. */
static int inotify_enter(int queue, int fd, const char *path, uint32_t mask)
{
    char name[sizeof "/proc/self/fd/-2147483648"];
    int key;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    key = inotify_add_watch(queue, name, mask | IN_MASK_ADD);
    if (key < 0 && errno == ENOENT)
        key = inotify_add_watch(queue, path, mask | IN_MASK_ADD);
    return key;
}

/* What is known of the file is from before it is watched, or a change in between would seem to be
 * none. */
static int inotify_begin(int queue, struct file_watch *file, const char *path)
{
    struct stat status;
    bool is_directory;

    if (fstat(file->fd, &status) < 0)
        return -1;
    is_directory = S_ISDIR(status.st_mode);
    file->size = status.st_size;
    file->links = status.st_nlink;
    file->key = inotify_enter(queue, file->fd, path, inotify_mask(file->want, is_directory));
    if (file->key < 0)
        return -1;
    if (is_directory || !(file->want & INOTIFY_NEEDS_FD)) {
        close(file->fd);
        file->fd = -1;
    }
    return 0;
}

static int inotify_add(int queue, struct file_watch *file, const char *path)
{
    int error;

    file->fd = open(path, O_PATH | O_CLOEXEC);
    if (file->fd < 0)
        return -1;
    if (inotify_begin(queue, file, path) == 0)
        return 0;
    error = errno;
    close(file->fd);
    file->fd = -1;
    errno = error;
    return -1;
}

static bool inotify_has(const struct loop_link *started, int key)
{
    const struct loop_link *link = started->next;

    while (link != started && ((const struct file_watch *)link->owner)->key != key)
        link = link->next;
    return link != started;
}

static void inotify_remove(int queue, struct file_watch *file, const struct loop_link *started)
{
    if (file->key >= 0 && !inotify_has(started, file->key))
        inotify_rm_watch(queue, file->key);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = file->key = -1;
}

/* ---- what has come ---- */

/* IN_ISDIR is left only where a subdirectory has come or gone. */
static uint32_t inotify_concerns(const struct inotify_event *event)
{
    if (event->len == 0)
        return event->mask & ~(uint32_t)IN_ISDIR;
    return event->mask & INOTIFY_ENTRIES ? event->mask & (INOTIFY_ENTRIES | IN_ISDIR) : 0;
}

/* Of IN_Q_OVERFLOW, which is for all, the key is -1; so is that of a watch that the kernel has
 * ended. */
static void inotify_note(const struct inotify_event *event, const struct loop_link *started)
{
    for (const struct loop_link *link = started->next; link != started; link = link->next) {
        struct file_watch *file = link->owner;

        if (file->key != event->wd && !(event->mask & IN_Q_OVERFLOW))
            continue;
        file->came |= inotify_concerns(event);
        if (event->mask & IN_IGNORED)
            file->key = -1;
    }
}

static void inotify_read(int queue, const struct loop_link *started)
{
    _Alignas(struct inotify_event) char bytes[INOTIFY_BYTES];
    const struct inotify_event *event;
    ssize_t n = read(queue, bytes, sizeof bytes);

    for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof *event + event->len)) {
        event = (const void *)(bytes + at);
        inotify_note(event, started);
    }
}

/* Compares the file with what was known of it. */
static unsigned inotify_look(struct file_watch *file)
{
    struct stat status;
    unsigned changes = 0;

    if (file->fd < 0 || fstat(file->fd, &status) < 0)
        return 0;
    if (status.st_nlink != file->links)
        changes |= FILE_LINK;
    else if (file->came & IN_ATTRIB)
        changes |= FILE_ATTRIB;
    if (status.st_nlink < file->links)
        changes |= FILE_DELETE;
    if (status.st_size > file->size)
        changes |= FILE_EXTEND;
    file->links = status.st_nlink;
    file->size = status.st_size;
    return changes;
}

static unsigned inotify_changes(struct file_watch *file)
{
    unsigned changes = inotify_look(file);

    if (file->came & IN_Q_OVERFLOW)
        changes |= file->want;
    if (file->came & (IN_MODIFY | INOTIFY_ENTRIES))
        changes |= FILE_WRITE;
    if (file->came & IN_ISDIR)
        changes |= FILE_LINK;
    if (file->came & IN_ATTRIB && file->fd < 0)
        changes |= FILE_ATTRIB;
    if (file->came & IN_DELETE_SELF)
        changes |= FILE_DELETE;
    if (file->came & IN_MOVE_SELF)
        changes |= FILE_RENAME;
    if (file->came & IN_UNMOUNT)
        changes |= FILE_REVOKE;
    return changes;
}

const struct file_queue file_queue = {
    .open = inotify_open,
    .add = inotify_add,
    .remove = inotify_remove,
    .read = inotify_read,
    .changes = inotify_changes,
};

#endif
