/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the kit share with each other and not with the tests.
 *
 * A stream is a descriptor from which all is collected, always: whatever a test waits for, every
 * stream is read meanwhile, so that no program waits for us in a full pipe while we wait for it.
 */
#ifndef KIT_INSIDE_H
#define KIT_INSIDE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes collected, with a NUL behind them. */
struct kit_bytes {
    char *data;
    size_t length;
    size_t capacity;
};

void bytes_add(struct kit_bytes *bytes, const char *data, size_t n);
bool bytes_hold(const struct kit_bytes *bytes, const char *text);
void bytes_free(struct kit_bytes *bytes);

struct kit_stream {
    int fd; /* -1: at its end */
    bool is_stalled;
    struct kit_bytes bytes;
    void (*on_bytes)(void *owner, const char *data, size_t n); /* may be NULL */
    void *owner;
    struct kit_stream *next;
};

/* Starts to collect from FD, which is kept, and made non-blocking and close-on-exec. */
void kit_stream_start(struct kit_stream *stream, int fd);
/* Reads what is there now. */
void kit_stream_drain(struct kit_stream *stream);
void kit_stream_close(struct kit_stream *stream); /* what came stays */
void kit_stream_free(struct kit_stream *stream);

/* Reads from all streams until something came, or FD, -1 for none, shows one of EVENTS (poll(2)),
 * or DEADLINE is over. Returns what FD showed. */
int kit_stream_turn(int fd, int events, int64_t deadline);

int64_t kit_deadline(void);
bool kit_is_over(int64_t deadline);

/* Prints what was seen, its last part where it is long, in a form fit for a terminal. */
void kit_show(const char *label, const char *bytes, size_t n);
/* Fails the test. */
void kit_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- a child ---- */

enum { CHILD_ARGS = 128 };

/* The argument list of a program that stands in ARGV[0], found and wrapped as kit_start says.
 * Filled before the fork, since afterwards there is nobody to be told of a mistake. */
struct child_command {
    const char *argv[CHILD_ARGS];
    char wrapper[1024];
};
void child_prepare(struct child_command *command, const char *const argv[]);

/* In the child: has the kernel kill it when PARENT ends. */
void child_die_with(pid_t parent);

/* In the child: becomes the program, or writes errno to REPORT and ends. */
void child_become(const struct child_command *command, pid_t parent, int report)
    __attribute__((noreturn));

/* In the parent: waits for REPORT's end, which it closes, and fails where the program could not
 * be started. */
void child_await_exec(const struct child_command *command, int report);

/* Returns what kit_end does for the STATUS of wait(2). */
int child_status(int status);

/* Waits until PID has ended, and returns its status as kit_end does; fails after the deadline,
 * having called SHOW. */
int child_await_end(pid_t pid, void (*show)(void *owner), void *owner);

/* Ends PID and its process group now, and waits for that. */
void child_kill(pid_t pid);

void child_forget_env(void);

/* A pipe whose ends are closed on exec. */
void kit_pipe(int ends[2]);

/* ---- a socket ---- */

/* Has kit_cleanup close FD, and returns it; fails where it is -1, with errno, in WHAT. */
int peer_register(int fd, const char *what);

/* ---- each part's own share of kit_cleanup ---- */

void process_cleanup(void);
void terminal_cleanup(void);
void peer_cleanup(void);

#endif
