/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend is to poller.c, and what poller.c keeps for it. Not installed.
 *
 * A backend is one file with one const struct of functions; poller.c names it in one line of its
 * table. Each file has the same functions in the same order -- open, close, set, wait -- so that
 * two of them can be read side by side with diff(1).
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <errno.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/text.h"
#include "pollspin/poller.h"

/* Always wanted. So what the kernel is asked for is never 0, and 0 can mean "not there". */
#define BACKEND_ALWAYS (POLLER_ERR | POLLER_HUP)

/* What poller.c knows of one descriptor number. */
struct poller_entry {
    unsigned want;       /* what the kernel was asked for, with BACKEND_ALWAYS; 0: not there */
    unsigned generation; /* how often this number was removed: tells stale events */
    int slot;            /* the backend's own: where in its array it stands */
    bool is_in;          /* between poller_add and poller_remove */
    void *data;
};

struct poller {
    const struct poller_backend *backend;
    void *state;                  /* the backend's own */
    struct poller_entry *entries; /* by descriptor number */
    int size;                     /* of entries */
    poller_observer *observer;
    void *context;
};

struct poller_backend {
    const char *name;
    const char *summary;
    const char *missing; /* what the system would need; NULL: it is here */
    unsigned supports;   /* the flags that may be asked for */
    unsigned native;     /* those of EDGE and ONESHOT that the kernel does itself */
    int64_t unit_ns;     /* a timeout is rounded up to a multiple of this */
    int limit;           /* descriptors are below this number; 0: no limit */
    bool is_lesson;
    bool sets_told; /* sets told of its waits, which do not return how many were ready */

    /* Sets poller->state. Returns 0 or -1 with errno. */
    int (*open)(struct poller *poller);
    void (*close)(struct poller *poller);

    /* Tells the kernel that FD, asked for WAS until now, is asked for WANT from now on; 0 means
     * not there, and taking away never fails. Returns 0 or -1 with errno. */
    int (*set)(struct poller *poller, int fd, unsigned was, unsigned want);

    /* Makes one wait and stores up to MAX events, all but their data; returns how many, or -1 with
     * errno; with EINTR poller.c asks again. TIMEOUT_NS is -1, or a multiple of unit_ns, of which
     * less may have passed. */
    int (*wait)(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max);

    /* Returns the kernel object's own descriptor. NULL: there is none. */
    int (*fd)(const struct poller *poller);

    /* As open, with the kernel object FD and with what is in it; where it fails, FD is as it was.
     * NULL: there is none. */
    int (*adopt)(struct poller *poller, int fd);
};

extern const struct poller_backend backend_select;
extern const struct poller_backend backend_poll;
extern const struct poller_backend backend_epoll;
extern const struct poller_backend backend_kqueue;
extern const struct poller_backend backend_uring;
extern const struct poller_backend backend_sigio;
extern const struct poller_backend backend_busy;
extern const struct poller_backend backend_blocking;

/* Opens a backend that is in no table, such as a scripted one in a test. As poller_open. */
struct poller *poller_open_backend(const struct poller_backend *backend);

/* Returns what poller.c knows of FD, whatever number that is; NULL with ENOENT: it is not in. */
static inline struct poller_entry *backend_entry(struct poller *poller, int fd)
{
    if (fd >= 0 && fd < poller->size && poller->entries[fd].is_in)
        return &poller->entries[fd];
    errno = ENOENT;
    return NULL;
}

/* Says that FD is in the kernel object already, for WANT: for adopt. EBADF: FD is not open; ENOMEM;
 * ENOTSUP: the backend cannot ask for that. */
int backend_take_in(struct poller *poller, int fd, unsigned want);

/* As poller_wait, where the caller has read the clock: the wait is over at DEADLINE. TIMEOUT_NS, of
 * which -1 and 0 need no DEADLINE, is at most INT64_MAX / 4. */
int backend_wait(struct poller *poller, struct poller_event *events, int max, int64_t timeout_ns,
                 int64_t deadline);

/* Around each system call: `begin = backend_begin(p); n = poll(...); backend_end(p, begin, &call)`.
 * Both do nothing, and begin is 0, where nobody observes. errno survives. */
static inline int64_t backend_begin(const struct poller *poller)
{
    return poller->observer ? clock_now() : 0;
}
void backend_end(const struct poller *poller, int64_t begin, struct poller_call *call);

/* How a call's arguments are printed: the part that knows their types stays in the backend's file.
 * A backend embeds this as the first member of its own struct of arguments. */
struct poller_call_args {
    void (*print)(struct text *text, const struct poller_call *call);
};

/* Returns NS as whole milliseconds for poll(2) and epoll_wait(2): -1 stays, no more than an int. */
int backend_milliseconds(int64_t ns);

/* Whether FD is an open descriptor; errno is EBADF where it is not. */
bool backend_is_open(int fd);

/* Closes FD; errno survives. */
void backend_close(int fd);

#endif
