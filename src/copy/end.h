/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of a copy: a place that is opened, without blocking, and closed in order.
 *
 * A fifo that is to be written is there when somebody reads it, a client when it has connected:
 * such an end takes its time, and the loop goes on meanwhile. A fifo that is read is open at once,
 * but says "end" as long as nobody has written: wait for readiness before the first read (fifo(7)).
 *
 * Descriptors 0, 1, 2 and those of fd:N are shared with whoever started us, and never get
 * O_NONBLOCK: pipes and terminals are opened anew through /proc/self/fd, sockets are read and
 * written with MSG_DONTWAIT (END_SHARED_SOCKET), and what cannot be opened anew is END_CAREFUL.
 */
#ifndef END_H
#define END_H

#include "copy/place.h"
#include "copy/replace.h"
#include "net/connect.h"
#include "net/listen.h"
#include "pollspin/loop.h"

enum end_kind {
    END_NONE,          /* not open */
    END_FILE,          /* a regular file or block device: never waits, but a disk may be slow */
    END_PIPE,          /* a pipe or fifo, non-blocking */
    END_SOCKET,        /* non-blocking */
    END_SHARED_SOCKET, /* blocking: recv(2) and send(2) with MSG_DONTWAIT only */
    END_STREAM,        /* a terminal or another character device, non-blocking */
    END_CAREFUL        /* blocking: one read, or a write of at most PIPE_BUF bytes, each time that
                          the poller says it is ready, and nothing else */
};

/* ERROR is 0, or an errno with WHY, a text for a person to whom the place is named before it, valid
 * during the call. */
typedef void end_fn(void *owner, int error, const char *why);

/* What is known of a peer that has not got all yet. */
struct end_farewell {
    struct watch watch; /* it may still say something, which is thrown away */
    struct timer look;  /* at what it has acknowledged */
    int64_t look_ns;
    int64_t patience_ns;
    long left;     /* what it has not acknowledged */
    int64_t since; /* it acknowledged something, or first had it all */
    int64_t heard; /* when it last said something; -1: never */
};

struct end {
    struct loop *loop;
    const struct place *place; /* borrowed; NULL of one that end_adopt made */
    enum end_kind kind;
    int fd; /* -1 while not open */
    bool is_source;
    bool is_ours;     /* fd is ours to close */
    bool is_append;   /* writes go to the end of the file, whatever the offset */
    size_t pipe_size; /* bytes that a pipe is to hold, if the system lets it; 0: as it is. To be set
                         between end_init and end_open */
    unsigned flags;   /* REPLACE_ flags, of a destination */
    int64_t start;    /* END_FILE: the offset at which it begins */
    int64_t size;     /* a source: bytes from there to its end; -1: nobody knows */
    struct replace replace;      /* of a destination that is a regular file by its path */
    struct connector *connector; /* while it connects */
    struct listener listeners[2];
    struct timer retry; /* while a fifo has no reader */
    int64_t retry_ns;
    struct deferred tell; /* on_open, from the loop */
    int error;
    char why[300];
    struct end_farewell farewell; /* while it lingers */
    end_fn *on_open;
    end_fn *on_finished;
    void *owner;
};

void end_init(struct end *end, struct loop *loop, bool is_source, end_fn *on_open, void *owner);

/* Starts to open PLACE, which is borrowed until end_close; FLAGS are those of replace.h, for a
 * destination. on_open is called once, from the loop, never from within. A folder is EISDIR. A
 * unix socket in the file system that is given as a PATH is connected to. */
void end_open(struct end *end, const struct place *place, unsigned flags);

/* Writes what it waits for while it opens, for a person: "waiting for a client at 127.0.0.1:41231",
 * the real port where 0 was asked for, "waiting for a reader", or as connect_describe;
 * nothing where it waits for nothing. */
void end_describe(const struct end *end, char *text, size_t size);

/* Makes an open end of FD, which it takes, of KIND: a pipe of our own. */
void end_adopt(struct end *end, int fd, enum end_kind kind);

/* Ends in order what was written: gives the file its name, syncs it where that was asked for, tells
 * a socket's peer that no more comes; and closes. A file may take its time: for a crew. Returns 0,
 * or -1 with errno, closed as by end_close. */
int end_finish(struct end *end);

/* The same for a TCP socket of ours, whose peer may have got little of what was written: closed at
 * once it would lose that by any word of its own (RFC 2525, 2.17). It is told that no more comes;
 * what it says is thrown away; and when it has acknowledged everything, and has ended or fallen
 * silent, ON_FINISHED is called once, from the loop, never from within, the end being closed.
 * ETIMEDOUT: it has acknowledged nothing for PATIENCE_NS; 0 or less: that takes as long as it
 * takes. Returns false, and does nothing, where there is nothing to wait for: use end_finish. */
bool end_linger(struct end *end, int64_t patience_ns, end_fn *on_finished);

/* Gives up, also while it opens or lingers; what is shared stays open. A source that is shared and
 * a file stands where reading has come to: OFFSET, or -1 for where it was. Does nothing where it is
 * closed. */
void end_close(struct end *end, int64_t offset);

#endif
