/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "poller/names.h"
#include "pollspin/poller.h"

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

/* strerrorname_np(3) is glibc's alone; these are the errors that the calls shown can return. */
static const struct name names_errno[] = {
    {EBADF, "EBADF"},   {EEXIST, "EEXIST"}, {EFAULT, "EFAULT"}, {EINTR, "EINTR"},
    {EINVAL, "EINVAL"}, {ELOOP, "ELOOP"},   {EMFILE, "EMFILE"}, {ENFILE, "ENFILE"},
    {ENOENT, "ENOENT"}, {ENOMEM, "ENOMEM"}, {ENOSPC, "ENOSPC"}, {EPERM, "EPERM"},
    {0, NULL},
};

void names_add_flags(struct text *text, const struct name *names, unsigned mask)
{
    const char *separator = "";

    for (; names->name; names++)
        if (mask & names->value) {
            text_add(text, "%s%s", separator, names->name);
            separator = "|";
            mask &= ~names->value;
        }
    if (mask != 0)
        text_add(text, "%s%#x", separator, mask);
    else if (*separator == '\0')
        text_add(text, "0");
}

void names_add_result(struct text *text, long result, int error)
{
    const struct name *name = names_errno;

    text_add(text, " = %ld", result);
    if (result != -1)
        return;
    while (name->name && name->value != (unsigned)error)
        name++;
    if (name->name)
        text_add(text, " %s (%s)", name->name, strerror(error));
    else
        text_add(text, " errno %d (%s)", error, strerror(error));
}
