/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server says on its standard output, one line at a time, each flushed at once.
 *
 * Whoever reads it may stall; the server must not. So there is a bounded queue, and three shares of
 * it: lines of the log fill the first and are dropped (and counted) beyond it; what a service
 * prints fills the second too and is never dropped, since the service asks for room; the rest is
 * kept for what has to be said: announcements and the summary.
 */
#ifndef LOG_H
#define LOG_H

#include "loop/output.h"

struct log {
    struct output output;
    bool is_open;     /* else nobody reads it, and everything is taken and forgotten */
    uint64_t dropped; /* lines, since the last one that was taken */
    uint64_t dropped_ever;
};

/* Starts to write to FD, which stays the caller's; -1: nowhere. ON_CHANGE is as for output_init.
 * Returns 0, or -1 with errno. */
int log_init(struct log *log, struct loop *loop, int fd, loop_fn *on_change, void *owner);
void log_fini(struct log *log);

/* Writes one line, its newline added and its control bytes made visible, or drops it. */
void log_line(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a line that must come out: it uses the share that is kept for it. */
void log_announce(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns how many bytes log_print will surely take. */
size_t log_print_room(const struct log *log);

/* Writes N bytes as they are, not more than log_print_room. */
void log_print(struct log *log, const char *bytes, size_t n);

/* Whether nothing is left to be written; so it is when writing has failed. */
bool log_is_drained(const struct log *log);

/* Returns errno of the write that failed, or 0. */
int log_error(const struct log *log);

#endif
