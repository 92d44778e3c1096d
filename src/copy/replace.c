/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is complete before it has its name. Until rename(2) or link(2), the last thing that
 * can fail but one, the old file is not touched, and whatever fails takes the temporary file away.
 *
 * The system's surprises: chown(2) and write(2) clear the set-user-ID bits, so the mode comes last.
 * The group's bits in the mode of a file with an ACL are no permission of the group but the most
 * that anybody named in the ACL may, so the mode alone would say something else. The temporary file
 * inherits an ACL from its folder, whose entries are asleep until chmod(2) gives it the mode.
 * close(2) is where NFS says that the disk was full, so it comes before the name. rename(2) puts
 * the file in the place of anything but a folder, devices included. mkostemp(3) would make every
 * file 0600, and neither the umask nor a folder's default ACL (acl(5)) can be applied later on as
 * open(2) does it; so the temporary name is made here.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "copy/kernel.h"
#include "copy/replace.h"

enum {
    REPLACE_LINKS = 40, /* as many as the kernel itself follows: path_resolution(7) */
    REPLACE_TRIES = 100,
    REPLACE_RANDOM = 6,                 /* characters of a temporary name */
    REPLACE_ADDED = 2 + REPLACE_RANDOM, /* ... and the two dots */
    REPLACE_MODE = 07777
};

/* ---- names ---- */

const char *replace_last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* How many bytes of PATH name its folder, with the slash; 0: the current one. */
static size_t folder_length(const char *path)
{
    return (size_t)(replace_last_part(path) - path);
}

/* Returns what the link PATH says, seen from where PATH is. */
static char *replace_follow(const char *path, const char *target)
{
    size_t folder = target[0] == '/' ? 0 : folder_length(path);
    size_t length = strlen(target);
    char *joined = malloc(folder + length + 1);

    if (!joined)
        return NULL;
    memcpy(joined, path, folder);
    memcpy(joined + folder, target, length + 1);
    return joined;
}

/* Reads the link PATH into TARGET. Returns 1, or 0: it is none, or -1. */
static int replace_read_link(const char *path, char target[PATH_MAX])
{
    ssize_t length = readlink(path, target, PATH_MAX);

    if (length < 0)
        return errno == EINVAL || errno == ENOENT ? 0 : -1;
    if (length == PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    target[length] = '\0';
    return 1;
}

char *replace_resolve(const char *path)
{
    char target[PATH_MAX];
    char *name = strdup(path);

    for (int links = 0; name; links++) {
        int is_link = replace_read_link(name, target);
        char *next = NULL;
        int error;

        if (is_link == 0)
            return name;
        if (links == REPLACE_LINKS)
            errno = ELOOP;
        else if (is_link > 0)
            next = replace_follow(name, target);
        error = errno;
        free(name);
        errno = error;
        name = next;
    }
    return NULL;
}

/* How many bytes of NAME, at most ROOM, go into a temporary one: whole characters, since some file
 * systems take no broken ones. */
static size_t replace_cut(const char *name, size_t room)
{
    if (strlen(name) <= room)
        return strlen(name);
    while (room > 0 && ((unsigned char)name[room] & 0xc0) == 0x80)
        room--;
    return room;
}

/* Writes other characters into NAME each time, hard to foresee; it is O_EXCL that makes them safe,
 * so they need not be more. */
static void replace_vary(char *name, uint64_t *state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (int i = 0; i < REPLACE_RANDOM; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        name[i] = letters[(*state >> 33) % (sizeof letters - 1)];
    }
}

/* ---- opening ---- */

static int replace_open_again(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Whether STATUS, of what is there, is that of a file that can be replaced. */
static int replace_check(const struct replace *replace, const struct stat *status)
{
    if (S_ISDIR(status->st_mode))
        errno = EISDIR;
    else if (!S_ISREG(status->st_mode))
        errno = EINVAL;
    else if (replace->flags & REPLACE_NO_CLOBBER)
        errno = EEXIST;
    else
        return access(replace->path, W_OK);
    return -1;
}

/* Takes down what is there by the name. */
static int replace_look(struct replace *replace)
{
    struct stat status;

    if (stat(replace->path, &status) == 0) {
        replace->mode = status.st_mode & REPLACE_MODE;
        replace->uid = status.st_uid;
        replace->gid = status.st_gid;
        return replace_check(replace, &status);
    }
    if (errno != ENOENT)
        return -1;
    replace->is_new = true;
    if (replace_last_part(replace->path)[0] != '\0')
        return 0;
    errno = replace->path[0] == '\0' ? ENOENT : EISDIR; /* NAME/: as open(2) with O_CREAT */
    return -1;
}

/* A file that is there is opened without O_CREAT, which some systems do not allow for another's
 * file in a folder of all: proc_sys_fs(5), protected_regular. A fifo that has come in its place
 * since must not block. */
static int replace_open_in_place(struct replace *replace)
{
    int flags = O_WRONLY | O_NONBLOCK | (replace->flags & REPLACE_APPEND ? O_APPEND : O_TRUNC);

    if (replace->is_new)
        flags |= O_CREAT;
    if (replace->flags & REPLACE_NO_CLOBBER)
        flags |= O_EXCL;
    replace->fd = replace_open_again(replace->path, flags, 0666);
    return replace->fd < 0 ? -1 : 0;
}

/* A new file has the mode that it will keep, one that replaces another is nobody's but ours. NAME
 * ends in the characters that vary. */
static int replace_create(char *name, bool is_new)
{
    char *end = name + strlen(name) - REPLACE_RANDOM;
    uint64_t state = (uint64_t)clock_now() ^ (uint64_t)getpid() << 32;
    int fd = -1;

    errno = EEXIST;
    for (int i = 0; fd < 0 && errno == EEXIST && i < REPLACE_TRIES; i++) {
        replace_vary(end, &state);
        fd = replace_open_again(name, O_WRONLY | O_CREAT | O_EXCL, is_new ? 0666 : 0600);
    }
    return fd;
}

/* Makes the temporary file, with at most ROOM bytes of the name in its own. */
static int replace_make(struct replace *replace, size_t room)
{
    size_t folder = folder_length(replace->path);
    size_t part = replace_cut(replace->path + folder, room);
    size_t size = folder + part + REPLACE_ADDED + 1;
    char *name = malloc(size);

    if (!name)
        return -1;
    snprintf(name, size, "%.*s.%.*s.%*s", (int)folder, replace->path, (int)part,
             replace->path + folder, REPLACE_RANDOM, "");
    replace->fd = replace_create(name, replace->is_new);
    if (replace->fd < 0) {
        int error = errno;

        free(name);
        errno = error;
        return -1;
    }
    replace->temporary = name;
    return 0;
}

/* Not all file systems take names of NAME_MAX bytes, and the whole may not be longer than PATH_MAX
 * either. */
static int replace_open_temporary(struct replace *replace)
{
    if (replace_make(replace, NAME_MAX - REPLACE_ADDED) == 0)
        return 0;
    return errno == ENAMETOOLONG ? replace_make(replace, 0) : -1;
}

/* Whether PATH leads to a file that is not what has the name RESOLVED: links in /proc do, to one
 * that was removed or is out of our sight. */
static bool replace_is_elsewhere(const char *path, const char *resolved)
{
    struct stat file;
    struct stat named;

    if (stat(path, &file) < 0)
        return false;
    if (stat(resolved, &named) < 0)
        return errno == ENOENT;
    return file.st_dev != named.st_dev || file.st_ino != named.st_ino;
}

/* A link is asked twice, since somebody may replace the file between two looks. */
static int replace_set_path(struct replace *replace, const char *path)
{
    replace->path = replace_resolve(path);
    if (!replace->path)
        return -1;
    if (strcmp(path, replace->path) == 0 || !replace_is_elsewhere(path, replace->path) ||
        !replace_is_elsewhere(path, replace->path))
        return 0;
    free(replace->path);
    replace->path = strdup(path);
    replace->flags |= REPLACE_IN_PLACE;
    return replace->path ? 0 : -1;
}

static char *replace_folder(const char *path)
{
    size_t length = folder_length(path);

    return length > 0 ? strndup(path, length) : strdup(".");
}

static int replace_open_folder(const char *path)
{
    char *folder = replace_folder(path);
    int fd = folder ? replace_open_again(folder, O_RDONLY | O_DIRECTORY, 0) : -1;
    int error = errno;

    free(folder);
    errno = error;
    return fd;
}

/* Only a name that is new to the folder makes it one to be synced. */
static int replace_keep_folder(struct replace *replace, bool in_place)
{
    if (!(replace->flags & REPLACE_SYNC) || (in_place && !replace->is_new))
        return 0;
    replace->folder = replace_open_folder(replace->path);
    return replace->folder < 0 ? -1 : 0;
}

/* Whether the name in a folder of STATUS is to be kept for others, who alone may take it away:
 * inode(7) on the sticky bit. */
static bool is_others_name(const struct replace *replace, const struct stat *status)
{
    uid_t us = geteuid();

    return status->st_mode & S_ISVTX && us != 0 && us != status->st_uid && us != replace->uid;
}

/* The name in FOLDER; as replace_foresee. */
static int replace_foresee_in(const struct replace *replace, const char *folder)
{
    unsigned marks = replace->is_new ? 0 : kernel_marks(replace->path);
    struct stat status;

    if (stat(folder, &status) < 0)
        return -1;
    if (marks & KERNEL_MOUNTED)
        errno = EBUSY;
    else if ((marks | kernel_marks(folder)) & KERNEL_FIXED ||
             (!replace->is_new && is_others_name(replace, &status)))
        errno = EPERM;
    else
        return 0;
    return -1;
}

/* Says at once what rename(2) would say when all is written: -1 with its errno, or 0: as far as can
 * be seen, the name can be taken. */
static int replace_foresee(const struct replace *replace)
{
    char *folder = replace_folder(replace->path);
    int result = folder ? replace_foresee_in(replace, folder) : -1;
    int error = errno;

    free(folder);
    errno = error;
    return result;
}

static int replace_keep_acl(struct replace *replace)
{
    ssize_t n = replace->is_new ? 0 : kernel_acl_get(replace->path, NULL, 0);

    if (n <= 0)
        return (int)n;
    replace->acl = malloc((size_t)n);
    if (!replace->acl)
        return -1;
    n = kernel_acl_get(replace->path, replace->acl, (size_t)n);
    replace->acl_size = n > 0 ? (size_t)n : 0;
    return n < 0 ? -1 : 0;
}

/* The folder comes first: where that fails, nothing is made or truncated yet. */
static int replace_open_file(struct replace *replace)
{
    bool in_place = replace->flags & (REPLACE_IN_PLACE | REPLACE_APPEND);

    if (replace_keep_folder(replace, in_place) < 0)
        return -1;
    if (in_place)
        return replace_open_in_place(replace);
    if (replace_foresee(replace) < 0 || replace_keep_acl(replace) < 0)
        return -1;
    return replace_open_temporary(replace);
}

void replace_init(struct replace *replace)
{
    *replace = (struct replace){.fd = -1, .folder = -1};
}

int replace_open(struct replace *replace, const char *path, unsigned flags)
{
    assert(replace->fd < 0);
    replace_init(replace);
    replace->flags = flags;
    if (replace_set_path(replace, path) == 0 && replace_look(replace) == 0 &&
        replace_open_file(replace) == 0)
        return 0;
    replace_abort(replace);
    return -1;
}

/* ---- ending ---- */

/* Whether ERROR says that this user or file system cannot give that, and trying was harmless:
 * EINVAL is for an owner, or one in an ACL, that a user namespace does not know. */
static bool is_not_for_us(int error)
{
    return error == EPERM || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/* Returns 1: it has that owner; 0: it cannot be given; or -1. */
static int replace_give(int fd, uid_t uid, gid_t gid)
{
    int result;

    do
        result = fchown(fd, uid, gid);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 1;
    return is_not_for_us(errno) ? 0 : -1;
}

/* Where the file system keeps no modes, or not for us, the one that the file has will do, unless it
 * allows more. */
static int replace_set_mode(int fd, mode_t mode)
{
    struct stat now;
    int result;

    if (fstat(fd, &now) < 0)
        return -1;
    if ((now.st_mode & REPLACE_MODE) == mode)
        return 0;
    do
        result = fchmod(fd, mode);
    while (result < 0 && errno == EINTR);
    if (result == 0 || !is_not_for_us(errno) || now.st_mode & REPLACE_MODE & ~mode)
        return result;
    return 0;
}

/* What is left of MODE for an owner or a group that is another: it must allow nobody more. */
static mode_t replace_less(mode_t mode, bool has_group)
{
    mode_t others = (mode & S_IRWXO) << 3;

    mode &= ~(mode_t)(S_ISUID | S_ISGID);
    return has_group ? mode : mode & (others | ~(mode_t)S_IRWXG);
}

/* Gives the new file the ACL of the old one, or takes away what it has inherited. An entry may also
 * keep somebody out, so that without it MODE is too much for the group and for all others. */
static int replace_give_acl(const struct replace *replace, bool has_group, mode_t *mode)
{
    size_t n = has_group ? replace->acl_size : 0;
    int result = kernel_acl_set(replace->fd, replace->acl, n);

    if (result < 0 && !is_not_for_us(errno))
        return -1;
    if (result < 0 || n < replace->acl_size)
        *mode &= S_IRWXU;
    return 0;
}

/* Gives the new file owner, ACL and mode of the old one. */
static int replace_dress(const struct replace *replace)
{
    struct stat now;
    mode_t mode = replace->mode;
    int given = 1;

    if (!replace->temporary || replace->is_new)
        return 0;
    if (fstat(replace->fd, &now) < 0)
        return -1;
    if (now.st_uid != replace->uid || now.st_gid != replace->gid)
        given = replace_give(replace->fd, replace->uid, replace->gid);
    if (given == 0) {
        given = replace_give(replace->fd, (uid_t)-1, replace->gid);
        mode = replace_less(mode, given > 0);
    }
    if (given < 0 || replace_give_acl(replace, given > 0, &mode) < 0)
        return -1;
    return replace_set_mode(replace->fd, mode);
}

int replace_sync(int fd)
{
    int result;

    do
        result = fsync(fd);
    while (result < 0 && errno == EINTR);
    return result;
}

static int replace_sync_file(const struct replace *replace)
{
    return replace->flags & REPLACE_SYNC ? replace_sync(replace->fd) : 0;
}

/* EINVAL: this file system syncs no folders. */
static int replace_sync_folder(const struct replace *replace)
{
    if (replace->folder < 0 || replace_sync(replace->folder) == 0)
        return 0;
    return errno == EINVAL ? 0 : -1;
}

/* close(2) lets go of the descriptor also where it fails. */
static int replace_close(struct replace *replace)
{
    int fd = replace->fd;

    replace->fd = -1;
    return close(fd);
}

/* For file systems without hard links. Between the look and rename(2) somebody may still take the
 * name: nothing that all systems have would tell. */
static int replace_look_and_rename(const struct replace *replace)
{
    struct stat status;

    if (lstat(replace->path, &status) < 0)
        return errno == ENOENT ? rename(replace->temporary, replace->path) : -1;
    errno = EEXIST;
    return -1;
}

/* Takes the name where nobody has it. */
static int replace_take_free_name(const struct replace *replace)
{
    if (link(replace->temporary, replace->path) == 0)
        return unlink(replace->temporary);
    switch (errno) {
    case EPERM:
    case EMLINK:
    case ENOSYS:
    case EOPNOTSUPP:
        return replace_look_and_rename(replace);
    default:
        return -1;
    }
}

/* Takes the name from whatever file has it, though from no device or fifo that came meanwhile. */
static int replace_take_any_name(const struct replace *replace)
{
    struct stat status;

    if (lstat(replace->path, &status) < 0 || S_ISREG(status.st_mode))
        return rename(replace->temporary, replace->path);
    errno = S_ISDIR(status.st_mode) ? EISDIR : EEXIST;
    return -1;
}

static int replace_take_name(struct replace *replace)
{
    bool is_careful = replace->flags & REPLACE_NO_CLOBBER;

    if (!replace->temporary)
        return 0;
    if ((is_careful ? replace_take_free_name(replace) : replace_take_any_name(replace)) < 0)
        return -1;
    free(replace->temporary);
    replace->temporary = NULL;
    return 0;
}

int replace_commit(struct replace *replace)
{
    int result = -1;

    assert(replace->fd >= 0);
    if (replace_dress(replace) == 0 && replace_sync_file(replace) == 0 &&
        replace_close(replace) == 0 && replace_take_name(replace) == 0)
        result = replace_sync_folder(replace);
    replace_abort(replace);
    return result;
}

void replace_abort(struct replace *replace)
{
    int error = errno;

    if (replace->fd >= 0)
        close(replace->fd);
    if (replace->folder >= 0)
        close(replace->folder);
    if (replace->temporary)
        unlink(replace->temporary);
    free(replace->path);
    free(replace->temporary);
    free(replace->acl);
    replace_init(replace);
    errno = error;
}
