/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening socket: TCP over IPv4 or IPv6, or a unix socket.
 *
 * Where accept(2) fails because descriptors or memory are out (EMFILE, ENFILE, ENOBUFS, ENOMEM),
 * the waiting client would make the listener ready for ever and the loop spin. So the listener
 * pauses, which is told once, and tries again after a while or when listener_resume says that room
 * was made; the clients wait in the kernel's backlog meanwhile. The same pause keeps a limit on
 * clients.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <sys/types.h>

#include "net/address.h"
#include "pollspin/loop.h"

/* FD is a new connection, non-blocking and close-on-exec, the receiver's from now on. */
typedef void listener_fn(void *owner, int fd, const struct address *peer);

/* Accepting paused (ERROR is errno of accept), or went on until nobody waited any more (ERROR is
 * 0). */
typedef void listener_pause_fn(void *owner, int error);

struct listener {
    struct watch watch;
    struct address address; /* as bound: the real port where 0 was asked for */
    listener_fn *on_accept;
    listener_pause_fn *on_pause;
    void *owner;
    struct timer retry;
    bool is_paused;                                       /* by a failure of accept */
    bool is_held;                                         /* by listener_hold */
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* to unlink at the end, or "" */
    dev_t device;                                         /* which file that was: another server */
    ino_t inode;                                          /* may have put its own there */
};

/* Binds and listens at ADDRESS; an IPv6 one takes no IPv4 clients. A unix socket left behind by a
 * server that is gone is replaced; one that answers is not (EADDRINUSE). Returns 0, or -1 with
 * errno, with nothing left open. */
int listener_start(struct listener *listener, struct loop *loop, const struct address *address,
                   listener_fn *on_accept, listener_pause_fn *on_pause, void *owner);

/* Stops, closes, and removes the unix socket that it made. At once; its memory is the owner's
 * again, but not yet inside one of its own calls. Does nothing where it is closed. */
void listener_close(struct listener *listener);

/* As listener_start, with a socket FD that listens already; takes FD, also when it fails. EINVAL:
 * it does not listen. */
int listener_adopt(struct listener *listener, struct loop *loop, int fd, listener_fn *on_accept,
                   listener_pause_fn *on_pause, void *owner);

/* Accepts nothing until listener_resume: there are clients enough. */
void listener_hold(struct listener *listener);

/* Accepts again, whatever it was that stopped it. */
void listener_resume(struct listener *listener);

#endif
