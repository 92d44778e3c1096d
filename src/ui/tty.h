/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal as a device: its modes, its size, bytes in and bytes out, none of which ever blocks.
 *
 * It is opened anew (termios(3), tty(4)), so O_NONBLOCK is on an open file of our own and not on
 * the one that is shared with the shell. Modes are changed only between tty_begin and tty_end, and
 * given back byte for byte as they were found: at the end, when the program is stopped, and by a
 * handler that needs no other part of the program when a fatal signal kills it (SIGSEGV, SIGBUS,
 * SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP), which also writes the guard of tty_begin.
 *
 * In between: no echo, no lines, no signals from keys (Ctrl-C, Ctrl-Z, Ctrl-S are bytes), no
 * translation on output.
 */
#ifndef TTY_H
#define TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "loop/output.h"
#include "pollspin/loop.h"

/* N bytes were typed, borrowed; 0: the terminal has been hung up or failed, and no more come. */
typedef void tty_input_fn(void *owner, const char *bytes, size_t n);

struct tty {
    struct loop *loop;
    int fd; /* of our own, read */
    struct watch watch;
    struct output output;
    struct termios before;
    bool is_begun;
    tty_input_fn *on_input;
    loop_fn *on_output; /* all is written, or writing has failed */
    void *owner;
};

/* Whether two descriptors are one and the same terminal. */
bool tty_is_same(int a, int b);

/* Opens the terminal that is standard input and output; changes nothing on it. Returns 0, or -1
 * with errno: ENOTTY where they are not one and the same terminal. */
int tty_open(struct tty *tty, struct loop *loop, tty_input_fn *on_input, loop_fn *on_output,
             void *owner);

/* Ends (tty_end) and closes. */
void tty_close(struct tty *tty);

/* Takes the terminal: sets the modes and starts to read; GUARD, N bytes borrowed until tty_end, is
 * what a fatal signal writes. Returns 0, or -1 with errno: EINTR where nothing was done for a
 * signal came, in the background one that made the process go on. */
int tty_begin(struct tty *tty, const char *guard, size_t n);

/* Sets the modes again when somebody may have changed them. Where that is so, what they are now is
 * what will be given back. Returns 0, or -1 with errno as tty_begin. */
int tty_begin_again(struct tty *tty);

/* Gives the modes back, unless a shell has put us into the background and set its own, and stops
 * reading. What is still to be written has at most 200 ms; the guard is written where writing has
 * failed before. */
void tty_end(struct tty *tty);

/* Writes, or queues, N bytes. Returns 0, or -1 with errno as output_write. */
int tty_write(struct tty *tty, const char *bytes, size_t n);

/* Whether everything is written. Nothing should be painted before. */
bool tty_is_drained(const struct tty *tty);

/* Writes what is queued outside of the loop, at most until DEADLINE (clock_now). Returns whether
 * all is written. Gives up at any error but EAGAIN. */
bool tty_drain(struct tty *tty, int64_t deadline);

/* Reads what has been typed, outside of the loop, and hands it to on_input. Waits for it, or for
 * OTHER_FD to be readable (-1: none), at most until DEADLINE; -1: for ever. EINTR ends it too, and
 * so does the terminal when it takes something of what is queued, which is written then. Where it
 * cannot wait no more input comes. */
void tty_await_input(struct tty *tty, int other_fd, int64_t deadline);

/* Asks for the size: at least 1 x 1, at most 1000 x 1000, 24 x 80 where it is unknown (0 x 0). */
void tty_size(const struct tty *tty, int *rows, int *columns);

#endif
