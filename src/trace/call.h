/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of strace(1) taken apart: the calls with which a program waits, as our backends print them
 * and as strace 6 does. Nothing is copied: all parts are parts of the line.
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CALL_SETS = 3 }; /* of select(2): in, out, except */

enum call_kind {
    CALL_POLL,
    CALL_SELECT,
    CALL_WAIT,
    CALL_CONTROL,
    CALL_CREATE,
    CALL_KQUEUE,
    CALL_KEVENT,
    CALL_SETUP,  /* io_uring_setup */
    CALL_ENTER,  /* io_uring_enter */
    CALL_SIGNAL, /* rt_sigtimedwait */
    CALL_FCNTL
};

enum call_limit { CALL_LIMIT_UNKNOWN, CALL_LIMIT_NONE, CALL_LIMIT_TIME };

/* A part of the line, or what is left of one. Empty where the line does not have it. */
struct call_part {
    const char *at;
    const char *end;
};

/* What stands in brackets. It may be cut, and then what follows it is not there. */
struct call_list {
    struct call_part inside;
    bool is_cut;
};

/* One descriptor of a list, and its flags: none where poll(2) was told to pass it over. */
struct call_entry {
    int64_t fd;
    struct call_part flags;
    struct call_part filter; /* kevent: EVFILT_READ; empty: another call's */
    struct call_part fflags; /* kevent: NOTE_LOWAT, or an errno */
};

struct call {
    enum call_kind kind;
    const char *name;   /* borrowed for ever */
    bool has_arguments; /* else "..." stands for them */
    bool is_cut;
    struct call_list asked; /* poll: what was asked; kevent: changes; io_uring_enter: requests */
    struct call_list asked_sets[CALL_SETS];
    struct call_list told; /* poll, epoll_wait, kevent, io_uring_enter: what came back */
    struct call_list told_sets[CALL_SETS];
    int64_t count;   /* poll: descriptors; select: they are below it; epoll_wait, kevent: room;
                      * io_uring_setup: room; io_uring_enter: how many are waited for; fcntl: whose
                      * signals; -1: unknown */
    int64_t changes; /* kevent, io_uring_enter: how many are handed over; -1: unknown */
    int64_t epoll;   /* the epoll instance, the kqueue, the ring; -1: unknown */
    int64_t fd;      /* epoll_ctl, fcntl, rt_sigtimedwait: whom it is about; -1: unknown */
    struct call_part operation; /* EPOLL_CTL_ADD; F_SETFL; of a signal: POLL_IN */
    struct call_part flags;     /* of the calls with one set of them; of a signal: SIGIO */
    struct call_part mask;      /* of signals, as it is printed: blocked, or waited for */
    enum call_limit limit;
    int64_t limit_ns;
    bool has_left;
    int64_t left_ns;
    bool has_result;
    int64_t result;
    struct call_part error; /* EBADF */
    struct call_part error_words;
    int64_t took_ns; /* -1: unknown */
};

/* Reads LINE, N bytes, which stay the caller's as long as CALL is used. Returns false where it is
 * no call that is known, or not understood to its end. A line that ends in "..." was cut: what
 * comes before is there, whole words and whole entries of lists. */
bool call_read(struct call *call, const char *line, size_t n);

/* Take the next one from the front. They return false where there is none that is whole. */
bool call_take_entry(struct call_list *list, struct call_entry *entry);
bool call_take_member(struct call_list *set, int64_t *fd);
bool call_take_flag(struct call_part *flags, struct call_part *flag);

size_t call_length(struct call_part part);
bool call_is(struct call_part part, const char *word);

#endif
