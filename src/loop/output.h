/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor that is only written, and never waited for: standard output, a log.
 *
 * Descriptors 0, 1 and 2 are shared with whoever started the program, so O_NONBLOCK is never set on
 * them (it would stay set for the shell). How a write is kept from blocking depends on what FD is:
 *   terminal, pipe   opened anew, which gives an open file of our own that may be O_NONBLOCK
 *   socket           send(2) with MSG_DONTWAIT
 *   those that cannot be opened anew: at most PIPE_BUF bytes, and only when the poller says OUT,
 *                    which a pipe then takes at once, and a terminal nearly always
 *   anything else    regular files and devices, which do not wait for anybody
 * What cannot be written yet stays in a bounded queue.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "base/buf.h"
#include "pollspin/loop.h"

enum output_kind { OUTPUT_PLAIN, OUTPUT_NONBLOCKING, OUTPUT_SOCKET, OUTPUT_CAREFUL };

struct output {
    enum output_kind kind;
    int fd;      /* what is written: the caller's descriptor, or our own of the same file */
    bool is_own; /* fd is ours to close */
    int error;   /* errno of the write that failed; nothing is written any more */
    struct buf queue;
    struct watch watch;
    loop_fn *on_change; /* the queue became shorter, or a write failed */
    void *owner;
};

/* Starts to write to FD through a queue of at most MAX bytes. FD stays the caller's, open until
 * output_fini. ON_CHANGE, which may be NULL, is called with OWNER from the loop. Returns 0, or -1
 * with errno. What it is to people is the owner's to say: watch_name(&output->watch, ...). */
int output_init(struct output *output, struct loop *loop, int fd, size_t max, loop_fn *on_change,
                void *owner);

/* Drops what is still queued. */
void output_fini(struct output *output);

/* Returns how many bytes output_write will surely take. */
size_t output_room(const struct output *output);

bool output_is_drained(const struct output *output);

/* Writes N bytes, or queues what cannot be written now. Returns 0, or -1: ENOBUFS when N is more
 * than output_room (nothing was taken); else the error that ended the output, now or before. */
int output_write(struct output *output, const char *bytes, size_t n);

#endif
