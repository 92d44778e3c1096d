/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "poller/names.h"
#include "pollspin/poller.h"

/* kqueue(2)'s numbers are FreeBSD's, which macOS and libkqueue share; spelled here as epoll's are.
 * Where there is a <sys/event.h> its own count: NetBSD's differ, and none has all of them. */
#ifdef HAVE_KQUEUE_BACKEND
#include <sys/types.h>

#include <sys/event.h>
#endif
#ifndef EVFILT_READ
#define EVFILT_READ_IS_OURS
#define EVFILT_READ  (-1)
#define EVFILT_WRITE (-2)
#endif
#ifndef EVFILT_AIO
#define EVFILT_AIO (-3)
#endif
#ifndef EVFILT_VNODE
#define EVFILT_VNODE (-4)
#endif
#ifndef EVFILT_PROC
#define EVFILT_PROC (-5)
#endif
#ifndef EVFILT_SIGNAL
#define EVFILT_SIGNAL (-6)
#endif
#ifndef EVFILT_TIMER
#define EVFILT_TIMER (-7)
#endif
#ifndef EVFILT_NETDEV /* what has lost it has given its number to another */
#ifdef EVFILT_READ_IS_OURS
#define EVFILT_NETDEV (-8)
#else
#define EVFILT_NETDEV (-0x8000)
#endif
#endif
#ifndef EVFILT_USER
#define EVFILT_USER (-11)
#endif
#ifndef EV_ADD
#define EV_ADD      0x0001
#define EV_DELETE   0x0002
#define EV_ENABLE   0x0004
#define EV_DISABLE  0x0008
#define EV_ONESHOT  0x0010
#define EV_CLEAR    0x0020
#define EV_SYSFLAGS 0xf000
#define EV_FLAG1    0x2000
#define EV_ERROR    0x4000
#define EV_EOF      0x8000
#endif
#ifndef EV_RECEIPT
#define EV_RECEIPT 0x0040
#endif
#ifndef EV_DISPATCH
#define EV_DISPATCH 0x0080
#endif
#ifndef NOTE_LOWAT
#define NOTE_LOWAT 0x1
#endif
#ifndef NOTE_DELETE
#define NOTE_DELETE 0x1
#define NOTE_EXTEND 0x4
#define NOTE_ATTRIB 0x8
#define NOTE_LINK   0x10
#endif
#ifndef NOTE_WRITE
#define NOTE_WRITE 0x2
#endif
#ifndef NOTE_RENAME
#define NOTE_RENAME 0x20
#endif
#ifndef NOTE_REVOKE
#define NOTE_REVOKE 0x40
#endif
#ifndef NOTE_EXIT
#define NOTE_EXIT      0x80000000u
#define NOTE_FORK      0x40000000u
#define NOTE_EXEC      0x20000000u
#define NOTE_PCTRLMASK 0xf0000000u
#define NOTE_PDATAMASK 0x000fffffu
#endif
#ifndef NOTE_TRACK
#define NOTE_TRACK    0x1
#define NOTE_TRACKERR 0x2
#define NOTE_CHILD    0x4
#endif
#ifndef NOTE_LINKUP
#define NOTE_LINKUP   0x1
#define NOTE_LINKDOWN 0x2
#define NOTE_LINKINV  0x4
#endif

const struct name names_poller[] = {
    {POLLER_IN, "IN"},           {POLLER_OUT, "OUT"},
    {POLLER_PRI, "PRI"},         {POLLER_ERR, "ERR"},
    {POLLER_HUP, "HUP"},         {POLLER_RDHUP, "RDHUP"},
    {POLLER_INVALID, "INVALID"}, {POLLER_EDGE, "EDGE"},
    {POLLER_ONESHOT, "ONESHOT"}, {0, NULL},
};

/* In the order in which strace(1) prints them. */
const struct name names_poll[] = {
    {POLLIN, "POLLIN"},
    {POLLPRI, "POLLPRI"},
    {POLLOUT, "POLLOUT"},
    {POLLRDNORM, "POLLRDNORM"},
    {POLLRDBAND, "POLLRDBAND"},
    {POLLWRNORM, "POLLWRNORM"},
    {POLLWRBAND, "POLLWRBAND"},
    {POLLERR, "POLLERR"},
    {POLLHUP, "POLLHUP"},
    {POLLNVAL, "POLLNVAL"},
#ifdef POLLMSG
    {POLLMSG, "POLLMSG"},
#endif
#ifdef POLLRDHUP
    {POLLRDHUP, "POLLRDHUP"},
#endif
    {0, NULL},
};

/* epoll(7)'s numbers are the kernel's own, the same on every architecture; spelled here because
 * the inspector decodes them on systems that have no <sys/epoll.h> as well. */
const struct name names_epoll[] = {
    {0x001, "EPOLLIN"},        {0x002, "EPOLLPRI"},
    {0x004, "EPOLLOUT"},       {0x040, "EPOLLRDNORM"},
    {0x080, "EPOLLRDBAND"},    {0x100, "EPOLLWRNORM"},
    {0x200, "EPOLLWRBAND"},    {0x400, "EPOLLMSG"},
    {0x008, "EPOLLERR"},       {0x010, "EPOLLHUP"},
    {0x2000, "EPOLLRDHUP"},    {1u << 28, "EPOLLEXCLUSIVE"},
    {1u << 29, "EPOLLWAKEUP"}, {1u << 30, "EPOLLONESHOT"},
    {1u << 31, "EPOLLET"},     {0, NULL},
};

const struct name names_epoll_create[] = {{02000000, "EPOLL_CLOEXEC"}, {0, NULL}};

const struct name names_kqueue[] = {
    {EV_SYSFLAGS, "EV_SYSFLAGS"},
    {EV_ADD, "EV_ADD"},
    {EV_DELETE, "EV_DELETE"},
    {EV_ENABLE, "EV_ENABLE"},
    {EV_DISABLE, "EV_DISABLE"},
    {EV_ONESHOT, "EV_ONESHOT"},
    {EV_CLEAR, "EV_CLEAR"},
    {EV_RECEIPT, "EV_RECEIPT"},
    {EV_DISPATCH, "EV_DISPATCH"},
    {EV_FLAG1, "EV_FLAG1"},
    {EV_ERROR, "EV_ERROR"},
    {EV_EOF, "EV_EOF"},
    {0, NULL},
};

const struct name names_filter[] = {
    {(unsigned)EVFILT_READ, "EVFILT_READ"},
    {(unsigned)EVFILT_WRITE, "EVFILT_WRITE"},
    {(unsigned)EVFILT_AIO, "EVFILT_AIO"},
    {(unsigned)EVFILT_VNODE, "EVFILT_VNODE"},
    {(unsigned)EVFILT_PROC, "EVFILT_PROC"},
    {(unsigned)EVFILT_SIGNAL, "EVFILT_SIGNAL"},
    {(unsigned)EVFILT_TIMER, "EVFILT_TIMER"},
#ifdef EVFILT_EXCEPT
    {(unsigned)EVFILT_EXCEPT, "EVFILT_EXCEPT"},
#endif
    {(unsigned)EVFILT_NETDEV, "EVFILT_NETDEV"},
    {(unsigned)EVFILT_USER, "EVFILT_USER"},
    {0, NULL},
};

const struct name_of_note names_note[] = {
    {EVFILT_READ, {NOTE_LOWAT, "NOTE_LOWAT"}},
    {EVFILT_WRITE, {NOTE_LOWAT, "NOTE_LOWAT"}},
#ifdef NOTE_OOB
    {EVFILT_EXCEPT, {NOTE_OOB, "NOTE_OOB"}},
#endif
    {EVFILT_VNODE, {NOTE_DELETE, "NOTE_DELETE"}},
    {EVFILT_VNODE, {NOTE_WRITE, "NOTE_WRITE"}},
    {EVFILT_VNODE, {NOTE_EXTEND, "NOTE_EXTEND"}},
    {EVFILT_VNODE, {NOTE_ATTRIB, "NOTE_ATTRIB"}},
    {EVFILT_VNODE, {NOTE_LINK, "NOTE_LINK"}},
    {EVFILT_VNODE, {NOTE_RENAME, "NOTE_RENAME"}},
    {EVFILT_VNODE, {NOTE_REVOKE, "NOTE_REVOKE"}},
    {EVFILT_PROC, {NOTE_PCTRLMASK, "NOTE_PCTRLMASK"}},
    {EVFILT_PROC, {NOTE_PDATAMASK, "NOTE_PDATAMASK"}},
    {EVFILT_PROC, {NOTE_EXIT, "NOTE_EXIT"}},
    {EVFILT_PROC, {NOTE_FORK, "NOTE_FORK"}},
    {EVFILT_PROC, {NOTE_EXEC, "NOTE_EXEC"}},
    {EVFILT_PROC, {NOTE_TRACK, "NOTE_TRACK"}},
    {EVFILT_PROC, {NOTE_TRACKERR, "NOTE_TRACKERR"}},
    {EVFILT_PROC, {NOTE_CHILD, "NOTE_CHILD"}},
    {EVFILT_NETDEV, {NOTE_LINKUP, "NOTE_LINKUP"}},
    {EVFILT_NETDEV, {NOTE_LINKDOWN, "NOTE_LINKDOWN"}},
    {EVFILT_NETDEV, {NOTE_LINKINV, "NOTE_LINKINV"}},
    {0, {0, NULL}},
};

/* strerrorname_np(3) is glibc's alone; these are the errors that the calls shown can return, and
 * those of a socket that kqueue(2) hands on. */
static const struct name names_errno[] = {
    {EACCES, "EACCES"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
    {EAGAIN, "EAGAIN"},
    {EBADF, "EBADF"},
#ifdef EBADR
    {EBADR, "EBADR"},
#endif
    {EBUSY, "EBUSY"},
    {ECANCELED, "ECANCELED"},
    {ECONNABORTED, "ECONNABORTED"},
    {ECONNREFUSED, "ECONNREFUSED"},
    {ECONNRESET, "ECONNRESET"},
    {EDEADLK, "EDEADLK"},
    {EDQUOT, "EDQUOT"},
    {EEXIST, "EEXIST"},
    {EFAULT, "EFAULT"},
    {EFBIG, "EFBIG"},
    {EHOSTDOWN, "EHOSTDOWN"},
    {EHOSTUNREACH, "EHOSTUNREACH"},
    {EINTR, "EINTR"},
    {EINVAL, "EINVAL"},
    {EIO, "EIO"},
    {EISDIR, "EISDIR"},
    {ELOOP, "ELOOP"},
    {EMFILE, "EMFILE"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {ENETDOWN, "ENETDOWN"},
    {ENETUNREACH, "ENETUNREACH"},
    {ENFILE, "ENFILE"},
    {ENOBUFS, "ENOBUFS"},
    {ENODEV, "ENODEV"},
    {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},
    {ENOSPC, "ENOSPC"},
    {ENOSYS, "ENOSYS"},
    {ENOTCONN, "ENOTCONN"},
    {ENOTDIR, "ENOTDIR"},
    {ENOTSOCK, "ENOTSOCK"},
    {ENOTSUP, "ENOTSUP"},
    {ENXIO, "ENXIO"},
    {EOVERFLOW, "EOVERFLOW"},
    {EPERM, "EPERM"},
    {EPIPE, "EPIPE"},
    {ERANGE, "ERANGE"},
    {EROFS, "EROFS"},
    {ESPIPE, "ESPIPE"},
    {ESTALE, "ESTALE"},
#ifdef ETIME
    {ETIME, "ETIME"},
#endif
    {ETIMEDOUT, "ETIMEDOUT"},
    {ETXTBSY, "ETXTBSY"},
    {EXDEV, "EXDEV"},
    {0, NULL},
};

/* Adds a name where all its bits are in *MASK, and takes them out. */
static void names_take(struct text *text, const struct name *name, unsigned *mask,
                       const char **separator)
{
    if (name->value == 0 || (*mask & name->value) != name->value)
        return;
    text_add(text, "%s%s", *separator, name->name);
    *separator = "|";
    *mask &= ~name->value;
}

/* Adds what of a mask has no name. */
static void names_add_rest(struct text *text, unsigned mask, const char *separator)
{
    if (mask != 0)
        text_add(text, "%s%#x", separator, mask);
    else if (*separator == '\0')
        text_add(text, "0");
}

void names_add_flags(struct text *text, const struct name *names, unsigned mask)
{
    const char *separator = "";

    for (; names->name; names++)
        names_take(text, names, &mask, &separator);
    names_add_rest(text, mask, separator);
}

void names_add_notes(struct text *text, int filter, unsigned mask)
{
    const char *separator = "";

    for (const struct name_of_note *note = names_note; note->bit.name; note++)
        if (note->filter == filter)
            names_take(text, &note->bit, &mask, &separator);
    names_add_rest(text, mask, separator);
}

/* Returns the name of a number; NULL: it has none. */
static const char *names_find(const struct name *names, unsigned value)
{
    while (names->name && names->value != value)
        names++;
    return names->name;
}

void names_add_filter(struct text *text, int filter)
{
    const char *name = names_find(names_filter, (unsigned)filter);

    if (name)
        text_add(text, "%s", name);
    else
        text_add(text, "%d", filter);
}

void names_add_errno(struct text *text, int error)
{
    const char *name = names_find(names_errno, (unsigned)error);

    if (name)
        text_add(text, "%s", name);
    else
        text_add(text, "%d", error);
}

void names_add_result(struct text *text, long result, int error)
{
    const char *name = names_find(names_errno, (unsigned)error);

    text_add(text, " = %ld", result);
    if (result != -1)
        return;
    if (name)
        text_add(text, " %s (%s)", name, strerror(error));
    else
        text_add(text, " errno %d (%s)", error, strerror(error));
}
