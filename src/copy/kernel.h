/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls that not all systems have, such as those that move bytes inside of the kernel;
 * -1 with ENOSYS where they are not, which callers take as a refusal like any other. Arguments,
 * results and errno are those of the manual page; EINTR is dealt with here: they are made again.
 * Some raise SIGPIPE.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* splice(2) with SPLICE_F_MOVE and NONBLOCK; *OFFSET of IN, where that is a file, is moved; NULL:
 * its own offset. OUT has its own. */
ssize_t kernel_splice(int in, int64_t *offset, int out, size_t n);

/* tee(2) with SPLICE_F_NONBLOCK. */
ssize_t kernel_tee(int in, int out, size_t n);

/* copy_file_range(2): *OFFSET of IN is moved, OUT has its own. */
ssize_t kernel_range(int in, int64_t *offset, int out, size_t n);

/* Linux's sendfile(2): *OFFSET of IN is moved. */
ssize_t kernel_sendfile(int in, int64_t *offset, int out, size_t n);

/* Makes the pipe FD hold at least SIZE bytes (fcntl(2), F_SETPIPE_SZ). Returns how many it holds,
 * or -1: EPERM: more than an unprivileged user may have; EBUSY: more is in it. */
long kernel_pipe_size(int fd, size_t size);

/* Whether FD is the master of a pseudo-terminal, which says EIO for "end" (pty(7)). */
bool kernel_is_master(int fd);

/* Returns how many bytes can be read from FD now (ioctl(2), FIONREAD), or -1. */
long kernel_readable(int fd);

/* Returns how much of what was written to the TCP socket FD its peer has not acknowledged, its end
 * included on Linux (tcp(7), SIOCOUTQ), or -1 where the system cannot say. */
long kernel_unacknowledged(int fd);

/* Makes a pipe, close-on-exec and non-blocking. 0, or -1 with errno as pipe(2). */
int kernel_pipe(int ends[2]);

/* Returns the offset of the next data (HOLE 0) or the next hole (HOLE 1) at or behind OFFSET,
 * lseek(2), SEEK_DATA and SEEK_HOLE, or -1: ENXIO: there is none; EINVAL: this file or system
 * cannot say. FD's offset is where it was told then: use the explicit ones. */
int64_t kernel_seek(int fd, int64_t offset, int hole);

/* Reads the access ACL of the file PATH, acl(5), as the kernel writes it, into SIZE bytes at ACL.
 * Returns its length, where SIZE is 0 too; 0: it has none, or nobody here knows of any; or -1 with
 * errno as getxattr(2). */
ssize_t kernel_acl_get(const char *path, void *acl, size_t size);

/* Gives FD that ACL of N bytes; N 0: takes away the one that it has. 0, or -1 with errno as
 * fsetxattr(2) and fremovexattr(2); to have none to take away is no error. */
int kernel_acl_set(int fd, const void *acl, size_t n);

enum {
    KERNEL_MOUNTED = 1 << 0, /* something is mounted on it */
    KERNEL_FIXED = 1 << 1    /* it can only be appended to, or not be changed: ioctl_iflags(2) */
};

/* Returns which of these are true of PATH, as far as anybody can say (statx(2)). */
unsigned kernel_marks(const char *path);

#endif
