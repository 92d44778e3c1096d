/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls that move bytes inside of the kernel, where the system has them; -1 with ENOSYS
 * where it has not, which callers take as a refusal like any other. Arguments, results and errno
 * are those of the manual page; EINTR is dealt with here: they are made again. Some raise SIGPIPE.
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

#endif
