/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One list of cases for the contract of src/poller/poller.h, run for every backend. A case is a
 * function of a subject: a poller just opened on one backend, with an observer that counts.
 *
 * Where a backend is an exception the case says so by name, and checks the exception.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "base/clock.h"
#include "kit/kit.h"
#include "pollspin/poller.h"

enum { SUBJECT_FDS = 256, SUBJECT_EVENTS = 64 };

struct subject {
    struct poller *poller;
    struct poller_info info;
    int calls;               /* kernel calls of any kind since the case began */
    int waits;               /* those that wait */
    int64_t first_timeout;   /* what the kernel was given by the first wait ... */
    int64_t longest_timeout; /* ... and by the one that might have lasted longest; -1 is longest */
    int fds[SUBJECT_FDS];    /* what the case opened; -1 where it has closed that itself */
    int fd_count;
};

struct contract_case {
    const char *name;
    void (*run)(struct subject *subject);
    unsigned needs; /* for backends with these flags; what the others do is a case of its own */
};

/* Each ended by one without a name. */
extern const struct contract_case contract_arguments[];
extern const struct contract_case contract_ready[];
extern const struct contract_case contract_trigger[];
extern const struct contract_case contract_closed[];
extern const struct contract_case contract_time[];
extern const struct contract_case contract_object[];
extern const struct contract_case contract_random[];

bool subject_is(const struct subject *subject, const char *backend);

/* Whether the backend can say that the other end is gone: select(2) has no word for it. */
bool subject_tells_hangup(const struct subject *subject);

/* Whether kqueue is libkqueue here: its descriptor cannot be waited for, and it takes a socket's
 * pending error for itself. */
bool subject_is_libkqueue(const struct subject *subject);

/* Opens a thing that is closed after the case. */
int subject_keep(struct subject *subject, int fd);
void subject_pipe(struct subject *subject, int ends[2]);
void subject_pair(struct subject *subject, int ends[2]); /* of stream sockets */
void subject_tcp(struct subject *subject, int ends[2]);
int subject_file(struct subject *subject, size_t size); /* a regular file, read and write */

/* Closes one now. */
void subject_close(struct subject *subject, int fd);

/* Adds FD with itself as data. */
void subject_add(struct subject *subject, int fd, unsigned want);

/* Waits, for as long as a deadline allows, and returns what FD is ready for; nothing else may be.
 */
unsigned subject_ready(struct subject *subject, int fd);

/* Waits with TIMEOUT_NS; nothing may be ready. */
void subject_quiet(struct subject *subject, int64_t timeout_ns);

/* Data for descriptor FD: no two are the same. */
void *subject_data(int fd);

void subject_write(int fd, const char *text);
void subject_read(int fd, const char *text);

/* Has a child write one byte to FD after NS nanoseconds. */
pid_t subject_write_later(int fd, int64_t ns);
void subject_end_child(pid_t child);

#endif
