/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded queue of bytes: written at the end, taken from the front.
 *
 * The bytes in the queue are always one span, so that they can be handed to write(2) as they
 * are. Memory is held only while there are bytes: an empty queue costs nothing, which is what
 * makes a hundred thousand idle connections cheap.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *bytes;     /* NULL while empty */
    size_t start;    /* where the first queued byte stands */
    size_t length;   /* queued bytes */
    size_t capacity; /* allocated bytes */
    size_t max;      /* length never exceeds this */
};

/* Makes an empty queue that will hold at most MAX bytes. Allocates nothing. */
void buf_init(struct buf *buf, size_t max);

/* Frees what is queued. The buf may be used again. */
void buf_fini(struct buf *buf);

bool buf_is_empty(const struct buf *buf);

/* Returns how many bytes may still be added. */
size_t buf_room(const struct buf *buf);

/* Copies N bytes to the end. Returns 0, or -1 with the queue unchanged: ENOBUFS when they are more
 * than buf_room, ENOMEM when memory is out. */
int buf_add(struct buf *buf, const void *bytes, size_t n);

/* Returns the first queued byte, with buf->length bytes behind it, borrowed until the next call
 * that changes the queue; NULL when empty. */
const char *buf_peek(const struct buf *buf);

/* Drops the first N bytes, which must be there. */
void buf_take(struct buf *buf, size_t n);

#endif
