/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever has happened, or a second later, follow_look compares what is read with what has its
 * name; nothing depends on what the watches say it was. What surprises:
 *   - a rotation goes on for a while after the rename: whoever writes the file keeps it open until
 *     it is told (logrotate(8), postrotate). So all of the old one is read first; and a new one
 *     that is empty still is no reason to leave the old
 *   - the name is looked at before the length of what is read: the other way round, what was
 *     written to the old file in between would be lost
 *   - close(2) of a queue of inotify(7) waits for the kernel's other readers, up to 20 ms: so the
 *     watches outlast the news
 *   - a file may say that it is longer than can be read: each of sysfs(5) says that it is a page
 *     long. Told at once each time, that would be a loop without end
 *   - those watch a file, not a name, and a folder that was made anew is another one: both begin
 *     anew when the name is another file's
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "copy/follow.h"

#define FOLLOW_PERIOD CLOCK_SECOND

/* ---- watching ---- */

static void follow_folder(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* Where one cannot be watched the timer does. The file goes first, and its folder then: so one of
 * them keeps the queue open. */
static void follow_watch(struct follow *follow)
{
    char folder[PATH_MAX];

    follow_folder(follow->path, folder);
    file_watch_stop(&follow->file);
    (void)file_watch_start(&follow->file, follow->loop, follow->path, FILE_WRITE | FILE_RENAME);
    file_watch_stop(&follow->folder);
    (void)file_watch_start(&follow->folder, follow->loop, folder, FILE_WRITE);
}

/* Watches NAMED, which has the name, where it did not; and looks again, for what has happened in
 * between. */
static void follow_watch_named(struct follow *follow, const struct stat *named)
{
    if (follow->is_watched && named->st_dev == follow->device && named->st_ino == follow->inode)
        return;
    follow->is_watched = true;
    follow->device = named->st_dev;
    follow->inode = named->st_ino;
    follow_watch(follow);
    deferred_call(&follow->again);
}

/* ---- looking ---- */

static void follow_tell(struct follow *follow, enum follow_news news)
{
    if (news != FOLLOW_GONE) {
        follow->fd = -1;
        follow->grew_at = news == FOLLOW_GREW ? follow->offset : -1;
    }
    follow->on_news(follow->owner, news);
}

/* A file of /proc has no bytes, says stat(2), but has some to read. */
static bool follow_is_cut(const struct follow *follow, const struct stat *opened)
{
    char byte;

    if (opened->st_size >= follow->offset)
        return false;
    return opened->st_size > 0 || pread(follow->fd, &byte, 1, 0) == 0;
}

/* NAMED has the name, or IS_NOBODYS. */
static void follow_compare(struct follow *follow, const struct stat *opened,
                           const struct stat *named, bool is_nobodys)
{
    bool is_same = named->st_dev == opened->st_dev && named->st_ino == opened->st_ino;
    bool was_gone = follow->is_gone;

    if (opened->st_size > follow->offset) {
        follow_tell(follow, FOLLOW_GREW);
    } else if (follow_is_cut(follow, opened)) {
        follow_tell(follow, FOLLOW_CUT);
    } else if (is_nobodys) {
        follow->is_gone = true;
        if (!was_gone)
            follow_tell(follow, FOLLOW_GONE);
    } else if (is_same || named->st_size > 0) {
        follow->is_gone = false;
        if (!is_same)
            follow_tell(follow, FOLLOW_REPLACED);
    }
}

/* What cannot be looked at, for want of a right or of an answer, has not changed until it can. */
static void follow_look(void *owner)
{
    struct follow *follow = owner;
    struct stat opened = {.st_size = follow->offset};
    struct stat named;
    bool is_named, is_nobodys;

    if (follow->fd < 0)
        return;
    is_named = stat(follow->path, &named) == 0;
    is_nobodys = !is_named && (errno == ENOENT || errno == ENOTDIR);
    (void)fstat(follow->fd, &opened);
    if (!is_named)
        named = opened;
    follow_watch_named(follow, &named);
    follow_compare(follow, &opened, &named, is_nobodys);
}

static void follow_on_change(void *owner, unsigned changes)
{
    (void)changes;
    follow_look(owner);
}

/* ---- what others see ---- */

void follow_init(struct follow *follow, struct loop *loop, follow_fn *on_news, void *owner)
{
    *follow =
        (struct follow){.loop = loop, .fd = -1, .grew_at = -1, .on_news = on_news, .owner = owner};
    file_watch_init(&follow->file, follow_on_change, follow);
    file_watch_init(&follow->folder, follow_on_change, follow);
    timer_init(&follow->look, loop, follow_look, follow);
    deferred_init(&follow->again, loop, follow_look, follow);
}

void follow_start(struct follow *follow, const char *path, int fd, int64_t offset)
{
    follow->path = path;
    follow->fd = fd;
    follow->offset = offset;
    (void)timer_every(&follow->look, FOLLOW_PERIOD); /* without memory the watches are left */
    if (offset != follow->grew_at)
        deferred_call(&follow->again);
}

void follow_stop(struct follow *follow)
{
    follow->fd = -1;
    follow->grew_at = -1;
    follow->is_watched = false;
    file_watch_stop(&follow->file);
    file_watch_stop(&follow->folder);
    timer_stop(&follow->look);
    deferred_stop(&follow->again);
}
