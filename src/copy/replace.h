/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A regular file that appears under its name only when it is complete.
 *
 * It is written under a temporary name in the same folder, .NAME.XXXXXX, gets the owner and then
 * the ACL and the mode of the file it replaces (or 0666 less the umask, and what the folder says,
 * where there is none), and takes its name with rename(2). Where that owner or group cannot be
 * given, the file is ours, without the set-user-ID and set-group-ID bits, and a group that is
 * another may no more than all others; where the ACL cannot be, or is of another group's file,
 * nobody but the owner may anything. A mode that the file system does not take is none to fail
 * for, where the one that it gives allows no more. Behind a symbolic link the file that it leads
 * to is replaced, and the link stays. A file that may not be written is not replaced either,
 * though its folder would allow it. What is lost of a replaced file: its other hard links keep
 * the old content, and its extended attributes, ACLs of other kinds than Linux's acl(5) among
 * them, are not kept. Blocking calls throughout: for a crew (copy/crew.h) where that matters.
 */
#ifndef REPLACE_H
#define REPLACE_H

#include <stdbool.h>
#include <sys/types.h>

enum {
    REPLACE_IN_PLACE = 1 << 0,   /* truncate and write the file itself */
    REPLACE_APPEND = 1 << 1,     /* the same, at its end, with O_APPEND; nothing is truncated */
    REPLACE_NO_CLOBBER = 1 << 2, /* EEXIST where there is one by that name, at the end too */
    REPLACE_SYNC = 1 << 3        /* on disk, with its name, before replace_commit returns */
};

struct replace {
    int fd;     /* to be written; -1 before replace_open, and after commit and abort */
    int folder; /* REPLACE_SYNC: to be synced when the name is there; -1: no name comes */
    unsigned flags;
    char *path;      /* the name it will have, links resolved; NULL where fd is -1 */
    char *temporary; /* the one that it has; NULL: it has its own already */
    bool is_new;     /* there was no file by that name; in place, abort leaves it */
    mode_t mode;     /* of the file that is there; not where is_new */
    uid_t uid;
    gid_t gid;
    void *acl; /* its, as kernel_acl_get has it; NULL: it has none */
    size_t acl_size;
};

void replace_init(struct replace *replace);

/* Starts: nothing is changed under PATH itself but with IN_PLACE and APPEND. PATH is a regular file
 * or does not exist. Returns 0, or -1 with errno as open(2); EEXIST: NO_CLOBBER; EINVAL: it is
 * neither; EACCES also where the folder cannot be written, EPERM where the name is another's in a
 * sticky folder, or file or folder can only be appended to, and EBUSY where something is mounted on
 * the name, though the file itself could be written: IN_PLACE or APPEND can do that. With SYNC the
 * folder is opened, too, so that no descriptor is needed at the end: it must be readable. A file
 * without a name, which only /proc leads to, is written in place whatever the flags.
 */
int replace_open(struct replace *replace, const char *path, unsigned flags);

/* Ends: the file has its name when this returns 0. Else -1 with errno, and it is as after
 * replace_abort: the old file is untouched. Only where it took its name and the folder then could
 * not be synced, or the temporary name not be removed (NO_CLOBBER), the new file is there. EPERM
 * and EBUSY as above, where that could not be seen at the beginning. */
int replace_commit(struct replace *replace);

/* Gives up: removes the temporary file. What was written in place stays. Does nothing where fd is
 * -1; errno survives. */
void replace_abort(struct replace *replace);

/* Returns the name of what PATH leads to behind symbolic links in its last part, whether that is
 * there or not; to be freed. NULL with errno as readlink(2), or ELOOP. */
char *replace_resolve(const char *path);

/* Returns the last part of PATH: "" where it ends in a slash. */
const char *replace_last_part(const char *path);

/* fsync(2), made again where a signal has interrupted it. */
int replace_sync(int fd);

#endif
