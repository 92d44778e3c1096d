/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One small interface over every way in which a program can wait for descriptors.
 *
 * The contract is the same for every backend:
 *
 *   default          level-triggered: reported as long as it is so; EDGE and ONESHOT by flag
 *   ERR, HUP         reported whether asked for or not, together with the data that is still
 *                    there: read first, then close. select(2) has no word for either and shows
 *                    them as IN or OUT, whichever was asked for
 *   INVALID          a descriptor that was closed behind the poller's back; reported once, where
 *                    the kernel tells
 *   regular file     always ready, also where epoll(7) refuses it
 *   one-shot         having fired, silent until the next poller_modify, hang-up included
 *   one entry        per descriptor and wait, and nobody starves when more are ready than fit
 *   a signal         does not end a wait: it goes on with the time that is left
 *
 * Functions return -1 and set errno when they fail; nothing here prints or exits. A poller is
 * used by one thread at a time. Sources: select(2), poll(2), epoll(7).
 */
#ifndef POLLSPIN_POLLER_H
#define POLLSPIN_POLLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    POLLER_IN = 1 << 0,      /* reading would not block */
    POLLER_OUT = 1 << 1,     /* writing would not block */
    POLLER_PRI = 1 << 2,     /* exceptional data, such as TCP's urgent byte */
    POLLER_ERR = 1 << 3,     /* an error is pending; never asked for, always reported */
    POLLER_HUP = 1 << 4,     /* the other end is gone; never asked for, always reported */
    POLLER_RDHUP = 1 << 5,   /* the peer will send no more */
    POLLER_INVALID = 1 << 6, /* not an open descriptor; never asked for, reported once */
    POLLER_EDGE = 1 << 7,    /* asked for: report changes, not states */
    POLLER_ONESHOT = 1 << 8  /* asked for: report once, then wait for poller_modify */
};

struct poller;

struct poller_event {
    int fd;
    unsigned ready; /* POLLER_IN ... POLLER_INVALID */
    unsigned raw;   /* the backend's own bits, such as EPOLLIN|EPOLLRDHUP */
    void *data;     /* as given to poller_add or poller_modify */
};

/* Opens the backend NAME. NULL and "auto" mean the one that the environment variable
 * POLLSPIN_BACKEND names, or else the best that this system has. The caller closes it. EINVAL: no
 * backend has that name; ENOTSUP: this system lacks it; else as the system call set it. */
struct poller *poller_open(const char *name);

/* Frees it; the descriptors in it stay open. NULL is fine. */
void poller_close(struct poller *poller);

/* Makes a poller of the backend NAME, "epoll" or "kqueue", out of its kernel object FD, which is
 * the poller's from then on. What is in it already stays, with data NULL, and can be modified and
 * removed; a kqueue cannot be asked what that is, so there a descriptor is in from its first event
 * on. EINVAL: no backend has that name, or FD is no such object; EBADF: FD is not open; ENOTSUP: a
 * poller of NAME has no kernel object, or this system cannot say what is in it, or something in it
 * is watched for what a poller cannot be asked for, as EPOLLEXCLUSIVE. */
struct poller *poller_from_fd(const char *name, int fd);

/* Returns the descriptor of the kernel object that waits, borrowed: it is readable while something
 * is ready, so that one poller can be in another. -1 with ENOTSUP: it has none. The object may be
 * made anew by poller_wait (poller(3) says when), as a rule under the same number. */
int poller_fd(const struct poller *poller);

/* Returns the backend's name, borrowed for ever. */
const char *poller_name(const struct poller *poller);

/* Returns 1 where every one of FLAGS can be asked for, else 0. */
int poller_supports(const struct poller *poller, unsigned flags);

/* Returns 1 where a descriptor with the number FD can be in it, else 0: poller_add says ERANGE. */
int poller_can_hold(const struct poller *poller, int fd);

/* Starts to watch FD for WANT: any of IN, OUT, PRI, RDHUP, with EDGE or ONESHOT; 0 watches for ERR
 * and HUP alone. EEXIST: it is in; EBADF: not an open descriptor; ENOTSUP: a flag that
 * poller_supports denies; ERANGE: a number that the backend cannot hold; EINVAL: an unknown flag.
 */
int poller_add(struct poller *poller, int fd, unsigned want, void *data);

/* Changes what FD is watched for, its trigger flags included, and re-arms a one-shot. ENOENT: it
 * is not in; else as poller_add, but a descriptor that was closed meanwhile may be told as INVALID
 * by the next wait instead. */
int poller_modify(struct poller *poller, int fd, unsigned want, void *data);

/* Stops watching FD, open or not: nothing of it is reported afterwards. Call it before close(2).
 * ENOENT: it is not in. */
int poller_remove(struct poller *poller, int fd);

/* Waits until something is ready, at most TIMEOUT_NS nanoseconds and never less: 0 not at all, a
 * negative time without end. Stores up to MAX events, in any order, and returns how many; 0 when
 * the time is over. EINVAL: MAX is less than 1; else as the system call set it. */
int poller_wait(struct poller *poller, struct poller_event *events, int max, int64_t timeout_ns);

/* Writes what ERROR, the errno of a failed poller_add of FD, means here: "select holds descriptors
 * 0 to 1023 only, not 2000". Cut to SIZE bytes, NUL included. */
void poller_explain(const struct poller *poller, int fd, int error, char *text, size_t size);

/* What a backend is, whether this system has it or not. The strings are borrowed for ever. */
struct poller_info {
    const char *name;
    const char *summary; /* what it does, a few words */
    const char *missing; /* what this system would need to have it; NULL: it is here */
    unsigned supports;   /* the flags that can be asked for */
    int is_lesson;       /* exists to be watched; "auto" never takes it */
};

/* Stores what the backend with number INDEX is, the best first. Returns 0, or -1 with ERANGE past
 * the last one. */
int poller_list(size_t index, struct poller_info *info);

/* One system call that a poller made, as its observer is shown it: valid during that call only. */
struct poller_call {
    const char *name; /* the call that was really made: "pselect6", "epoll_ctl" */
    int is_wait;      /* a wait, else a registration */
    long result;      /* what it returned */
    int error;        /* errno where result is -1, else 0 */
    int told;         /* a wait: how many it told of; 0: its time was over; -1: it failed */
    int64_t begin_ns; /* monotonic time before the call and after it */
    int64_t end_ns;
    int64_t timeout_ns;                  /* a wait's time limit as the kernel got it; -1: none */
    const struct poller_call_args *args; /* the backend's own: for poller_call_text */
};

typedef void poller_observer(void *context, const struct poller_call *call);

/* Shows every later system call of POLLER to OBSERVER; NULL ends that. OBSERVER must not use the
 * poller. It costs two clock readings a call; without one there is no cost. */
void poller_observe(struct poller *poller, poller_observer *observer, void *context);

/* Writes CALL as strace(1) does, without the time it took:
 *     poll([{fd=3, events=POLLIN}], 1, 50) = 0 (Timeout)
 * Cut to SIZE bytes, NUL included; returns the whole length, as snprintf(3) does. */
int poller_call_text(const struct poller_call *call, char *text, size_t size);

/* Writes the names of MASK, any of the POLLER_ flags: "IN|HUP". Cut and returns as above. */
int poller_event_names(char *text, size_t size, unsigned mask);

#ifdef __cplusplus
}
#endif

#endif
