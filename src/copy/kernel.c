/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif
#include <sys/ioctl.h>
#ifdef HAVE_SYS_SENDFILE_H
#include <sys/sendfile.h>
#endif
#include <sys/socket.h>
#include <sys/stat.h>
#if defined HAVE_SYS_XATTR_H && defined __linux__ /* macOS has another of that name */
#include <sys/xattr.h>
#define HAS_ACL
#endif
#include <unistd.h>

#include "copy/kernel.h"

#ifndef HAVE_SPLICE
static ssize_t not_here(void)
{
    errno = ENOSYS;
    return -1;
}
#endif

ssize_t kernel_splice(int in, int64_t *offset, int out, size_t n)
{
#ifdef HAVE_SPLICE
    ssize_t moved;

    do
        moved = splice(in, offset, out, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (moved < 0 && errno == EINTR);
    return moved;
#else
    (void)in, (void)offset, (void)out, (void)n;
    return not_here();
#endif
}

ssize_t kernel_tee(int in, int out, size_t n)
{
#ifdef HAVE_SPLICE
    ssize_t copied;

    do
        copied = tee(in, out, n, SPLICE_F_NONBLOCK);
    while (copied < 0 && errno == EINTR);
    return copied;
#else
    (void)in, (void)out, (void)n;
    return not_here();
#endif
}

ssize_t kernel_range(int in, int64_t *offset, int out, size_t n)
{
#ifdef HAVE_SPLICE
    ssize_t copied;

    do
        copied = copy_file_range(in, offset, out, NULL, n, 0);
    while (copied < 0 && errno == EINTR);
    return copied;
#else
    (void)in, (void)offset, (void)out, (void)n;
    return not_here();
#endif
}

ssize_t kernel_sendfile(int in, int64_t *offset, int out, size_t n)
{
#ifdef HAVE_SPLICE
    ssize_t sent;

    do
        sent = sendfile(out, in, offset, n);
    while (sent < 0 && errno == EINTR);
    return sent;
#else
    (void)in, (void)offset, (void)out, (void)n;
    return not_here();
#endif
}

long kernel_pipe_size(int fd, size_t size)
{
#ifdef F_SETPIPE_SZ
    long has = fcntl(fd, F_GETPIPE_SZ);

    if (has >= 0 && (unsigned long)has >= size)
        return has;
    if (size > INT32_MAX) {
        errno = EPERM;
        return -1;
    }
    return fcntl(fd, F_SETPIPE_SZ, (int)size);
#else
    (void)fd, (void)size;
    errno = ENOSYS;
    return -1;
#endif
}

bool kernel_is_master(int fd)
{
#ifdef TIOCGPTN
    unsigned number;

    return ioctl(fd, TIOCGPTN, &number) == 0;
#else
    (void)fd;
    return false;
#endif
}

long kernel_readable(int fd)
{
    int n;

    return ioctl(fd, FIONREAD, &n) < 0 ? -1 : n;
}

long kernel_unacknowledged(int fd)
{
    int n;
#if defined SIOCOUTQ
    return ioctl(fd, SIOCOUTQ, &n) < 0 ? -1 : n;
#elif defined FIONWRITE
    return ioctl(fd, FIONWRITE, &n) < 0 ? -1 : n;
#elif defined SO_NWRITE
    socklen_t length = sizeof n;

    return getsockopt(fd, SOL_SOCKET, SO_NWRITE, &n, &length) < 0 ? -1 : n;
#else
    (void)fd, (void)n;
    errno = ENOSYS;
    return -1;
#endif
}

static int prepare(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fcntl(fd, F_SETFL, O_NONBLOCK);
}

int kernel_pipe(int ends[2])
{
    int error;

    if (pipe(ends) < 0)
        return -1;
    if (prepare(ends[0]) == 0 && prepare(ends[1]) == 0)
        return 0;
    error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

int64_t kernel_seek(int fd, int64_t offset, int hole)
{
#ifdef SEEK_DATA
    return lseek(fd, offset, hole ? SEEK_HOLE : SEEK_DATA);
#else
    (void)fd, (void)offset, (void)hole;
    errno = EINVAL;
    return -1;
#endif
}

#ifdef HAS_ACL
static const char acl_name[] = "system.posix_acl_access"; /* xattr(7) */

/* Takes what a call on the ACL has said: 0 where there is none. */
static ssize_t none_is_nothing(ssize_t result)
{
    bool is_none = errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSYS;

    return result < 0 && is_none ? 0 : result;
}
#endif

ssize_t kernel_acl_get(const char *path, void *acl, size_t size)
{
#ifdef HAS_ACL
    return none_is_nothing(getxattr(path, acl_name, acl, size));
#else
    (void)path, (void)acl, (void)size;
    return 0;
#endif
}

int kernel_acl_set(int fd, const void *acl, size_t n)
{
#ifdef HAS_ACL
    ssize_t has;

    if (n > 0)
        return fsetxattr(fd, acl_name, acl, n, 0);
    has = none_is_nothing(fgetxattr(fd, acl_name, NULL, 0));
    return has > 0 ? fremovexattr(fd, acl_name) : (int)has;
#else
    (void)fd, (void)acl;
    errno = ENOSYS;
    return n > 0 ? -1 : 0;
#endif
}

unsigned kernel_marks(const char *path)
{
    unsigned marks = 0;
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx status;

    if (statx(AT_FDCWD, path, 0, STATX_TYPE, &status) < 0)
        return 0;
    if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        marks |= KERNEL_MOUNTED;
    if (status.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
        marks |= KERNEL_FIXED;
#else
    (void)path;
#endif
    return marks;
}
