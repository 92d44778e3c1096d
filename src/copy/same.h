/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a copy would read what it writes, or write one file from two sides. Asked before anything
 * is opened for writing: a file that is truncated is gone.
 *
 * Two names are the same file where device and inode are (stat(2)): hard and symbolic links, a
 * descriptor and a path. A name that does not exist yet is the folder that it will be in and its
 * last part, behind symbolic links, dangling ones too. A block device is its number, whatever name
 * it has. Character devices are exempt: /dev/null may be written by all, and a terminal read and
 * written. A socket that is a descriptor may be read and written, but each only once; others are no
 * names, and folders cannot be opened.
 */
#ifndef SAME_H
#define SAME_H

#include <stddef.h>

#include "copy/place.h"

/* Looks at all sources and all destinations. Sources may be the same file, but not the same pipe
 * or socket, where each would get a part. Returns 0; or -1 with errno 0 and in TEXT, cut to SIZE
 * bytes, which two are the same, as they were given, and why that cannot be: "a and b are the same
 * file; each destination can be given once"; or -1 with ENOMEM. What cannot be looked at is left
 * for its opening to complain of. */
int same_check(const struct place *sources, size_t source_count, const struct place *dests,
               size_t dest_count, char *text, size_t size);

#endif
