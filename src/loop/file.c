/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loop has one queue of the kernel's for all files that it watches, from the first of them to the
 * last. What is read from it at once is collected first and told then, in the order in which the
 * watches were started: so each of them is called once for it, and may stop any of them.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/file.h"

enum {
    FILE_ALL =
        FILE_DELETE | FILE_WRITE | FILE_EXTEND | FILE_ATTRIB | FILE_LINK | FILE_RENAME | FILE_REVOKE
};

#if !defined FILE_INOTIFY && !defined FILE_VNODE
static int missing_open(void)
{
    errno = ENOTSUP;
    return -1;
}

const struct file_queue file_queue = {.open = missing_open};
#endif

static void file_tell(struct file_watch *file)
{
    unsigned changes = file_queue.changes(file) & file->want;

    file->came = 0;
    if (changes != 0)
        file->on_change(file->owner, changes);
}

static void files_on_ready(void *owner, unsigned ready)
{
    struct loop_files *files = owner;
    const struct loop_link *link = files->started.next;

    (void)ready;
    file_queue.read(files->watch.fd, &files->started);
    for (; link != &files->started; link = files->next) {
        struct file_watch *file = link->owner;

        files->next = link->next;
        if (file->came != 0)
            file_tell(file);
    }
    files->next = NULL;
}

/* ---- the queue ---- */

static int files_begin(struct loop *loop)
{
    struct watch *watch = &loop->files.watch;
    int queue;

    if (watch->loop)
        return 0;
    queue = file_queue.open();
    if (queue < 0)
        return -1;
    watch_init(watch, files_on_ready, &loop->files);
    watch_name(watch, "files");
    if (watch_start(watch, loop, queue, POLLER_IN) < 0) {
        int error = errno;

        close(queue);
        errno = error;
        return -1;
    }
    return 0;
}

/* errno survives. */
static void files_end(struct loop_files *files)
{
    int error = errno;

    if (!list_is_empty(&files->started))
        return;
    watch_stop(&files->watch);
    close(files->watch.fd);
    errno = error;
}

/* ---- what others see ---- */

void file_watch_init(struct file_watch *file, file_fn *on_change, void *owner)
{
    *file = (struct file_watch){.on_change = on_change, .owner = owner, .fd = -1, .key = -1};
    list_init(&file->link, file);
}

int file_watch_start(struct file_watch *file, struct loop *loop, const char *path, unsigned want)
{
    assert(!file->loop);
    if (want == 0 || (want & ~(unsigned)FILE_ALL)) {
        errno = EINVAL;
        return -1;
    }
    if (files_begin(loop) < 0)
        return -1;
    file->want = want;
    file->came = 0;
    if (file_queue.add(loop->files.watch.fd, file, path) < 0) {
        files_end(&loop->files);
        return -1;
    }
    file->loop = loop;
    list_append(&loop->files.started, &file->link);
    return 0;
}

void file_watch_stop(struct file_watch *file)
{
    struct loop_files *files;

    if (!file->loop)
        return;
    files = &file->loop->files;
    if (files->next == &file->link)
        files->next = file->link.next;
    list_remove(&file->link);
    file->loop = NULL;
    file_queue.remove(files->watch.fd, file, &files->started);
    files_end(files);
}

void loop_files_init(struct loop *loop)
{
    list_init(&loop->files.started, NULL);
}

/* What is in the queue goes with it. */
void loop_files_free(struct loop *loop)
{
    struct file_watch *file;

    if (list_is_empty(&loop->files.started))
        return;
    close(loop->files.watch.fd);
    while ((file = list_take_first(&loop->files.started))) {
        if (file->fd >= 0)
            close(file->fd);
        file_watch_init(file, file->on_change, file->owner);
    }
}
