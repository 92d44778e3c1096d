/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of files by inotify(7), in the words of kqueue(2). What surprises:
 *   - it takes a path, whose file may be another one by then: so the file is opened (O_PATH), and
 *     its path is that of the descriptor in /proc. Where /proc is missing the path itself has to do
 *   - it names the inode: several watches of one file get the same number, and one mask
 *   - IN_ATTRIB stands for a new mode as well as for a name that came or went: fstat(2) tells;
 *     and where one came and another went, what it was opened by is " (deleted)" in /proc
 *   - IN_DELETE_SELF comes when the last descriptor of the file has gone too. Ours would be one; so
 *     it is kept only where fstat is needed, and there the number of names says it at once
 *   - what is kept open keeps its file system from being unmounted, as with a kqueue
 *   - rmdir(2) makes no IN_ATTRIB. A directory is therefore never kept open; that a subdirectory
 *     came or went shows in the entry itself
 *   - a watch of a directory also tells of changes of what is in it: only entries count
 *   - a new time of change alone (touch -m) is IN_MODIFY, as a write is; one of reading is
 *     IN_ACCESS, as a read is, of which there are too many to ask for it
 *
 * So what was known of a file is compared with what it is like, but only in what events have come
 * for: else a change would be told before its event, which would then stand for nothing. Then:
 *   - a time of change is new by itself where no IN_MODIFY came, or where it is none that a write
 *     can have set: before the last change that was known, or after the last of all. One that a
 *     write may have set is told as WRITE; and, where the size is as it was, as ATTRIB to who does
 *     not ask for WRITE
 *   - an IN_ATTRIB that changed nothing to be seen was an extended attribute, or the same mode
 *     again, or one name that came and another that went while that which is known stayed: ATTRIB
 *     and LINK are told. DELETE is not, for it makes many a program give up the file
 */
#include "config.h"

#include "loop/file.h"

#ifdef FILE_INOTIFY

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    INOTIFY_ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
    INOTIFY_BYTES = 4096, /* of events that are read at once; one has fewer than 300 */
    INOTIFY_NAME_SIZE = sizeof "/proc/self/fd/-2147483648",
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

    if (want & (FILE_WRITE | FILE_EXTEND | FILE_ATTRIB) && !is_directory)
        mask |= IN_MODIFY;
    if (want & (FILE_WRITE | FILE_LINK) && is_directory)
        mask |= INOTIFY_ENTRIES;
    if (want & (FILE_ATTRIB | FILE_LINK | FILE_DELETE))
        mask |= IN_ATTRIB;
    if (want & FILE_RENAME)
        mask |= IN_MOVE_SELF;
    return mask;
}

static void inotify_name(char name[INOTIFY_NAME_SIZE], int fd)
{
    snprintf(name, INOTIFY_NAME_SIZE, "/proc/self/fd/%d", fd);
}

/* Those that watch the file already keep what they want: the masks are added. */
static int inotify_enter(int queue, int fd, const char *path, uint32_t mask)
{
    char name[INOTIFY_NAME_SIZE];
    int key;

    inotify_name(name, fd);
    key = inotify_add_watch(queue, name, mask | IN_MASK_ADD);
    if (key < 0 && errno == ENOENT)
        key = inotify_add_watch(queue, path, mask | IN_MASK_ADD);
    return key;
}

/* Whether the name that FD was opened by has gone; false where that cannot be known. */
static bool inotify_is_nameless(int fd)
{
    static const char mark[] = " (deleted)";
    const size_t mark_length = sizeof mark - 1;
    char name[INOTIFY_NAME_SIZE];
    char path[PATH_MAX];
    ssize_t n;

    inotify_name(name, fd);
    n = readlink(name, path, sizeof path);
    return n > (ssize_t)mark_length &&
           memcmp(path + (size_t)n - mark_length, mark, mark_length) == 0;
}

static int64_t inotify_time(const struct timespec *time)
{
    return (int64_t)time->tv_sec * CLOCK_SECOND + time->tv_nsec;
}

static int inotify_state(int fd, struct file_state *state)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    *state = (struct file_state){
        .mode = status.st_mode,
        .uid = status.st_uid,
        .gid = status.st_gid,
        .size = status.st_size,
        .links = status.st_nlink,
        .modified = inotify_time(&status.st_mtim),
        .changed = inotify_time(&status.st_ctim),
        .is_nameless = inotify_is_nameless(fd),
    };
    return 0;
}

/* What is known of the file is from before it is watched, or a change in between would seem to be
 * none. */
static int inotify_begin(int queue, struct file_watch *file, const char *path)
{
    bool is_directory;

    if (inotify_state(file->fd, &file->known) < 0)
        return -1;
    is_directory = S_ISDIR(file->known.mode);
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

/* Of those whose IN_ATTRIB has come. */
static unsigned inotify_names(const struct file_state *known, const struct file_state *now)
{
    unsigned changes = 0;

    if (now->links != known->links)
        changes |= FILE_LINK;
    if (now->links < known->links)
        changes |= FILE_DELETE;
    if (now->is_nameless && !known->is_nameless)
        changes |= FILE_LINK | FILE_DELETE;
    return changes;
}

static unsigned inotify_times(const struct file_watch *file, const struct file_state *now)
{
    const struct file_state *known = &file->known;

    if (now->modified == known->modified)
        return 0;
    if (!(file->came & IN_MODIFY) || now->modified < known->changed || now->modified > now->changed)
        return FILE_ATTRIB;
    return now->size == known->size && !(file->want & FILE_WRITE) ? FILE_ATTRIB : 0;
}

static unsigned inotify_compare(const struct file_watch *file, const struct file_state *now)
{
    const struct file_state *known = &file->known;
    unsigned changes = inotify_names(known, now) | inotify_times(file, now);

    if (now->mode != known->mode || now->uid != known->uid || now->gid != known->gid)
        changes |= FILE_ATTRIB;
    if (file->came & IN_ATTRIB && changes == 0)
        changes |= FILE_ATTRIB | FILE_LINK;
    if (now->size > known->size)
        changes |= FILE_EXTEND;
    return changes;
}

/* Looks at what has come for; where some was lost, at all. */
static unsigned inotify_look(struct file_watch *file)
{
    struct file_state now;
    unsigned changes;

    if (file->fd < 0 || inotify_state(file->fd, &now) < 0)
        return 0;
    if (!(file->came & (IN_ATTRIB | IN_Q_OVERFLOW))) {
        now.mode = file->known.mode;
        now.uid = file->known.uid;
        now.gid = file->known.gid;
        now.links = file->known.links;
        now.is_nameless = file->known.is_nameless;
    }
    if (!(file->came & (IN_MODIFY | IN_Q_OVERFLOW)))
        now.size = file->known.size;
    changes = inotify_compare(file, &now);
    file->known = now;
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
