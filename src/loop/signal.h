/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as events of the loop.
 *
 * A handler that the kernel runs at any moment, in any thread, may do next to nothing
 * (signal-safety(7)); ours marks the signal and writes one byte to a pipe that the loop watches.
 * What has to be done is then done in step 6 of a turn, like everything else. Each loop that has
 * signals has a pipe; who has which is one table, for dispositions belong to the process.
 */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

#include "pollspin/loop.h"

/* Whether SIGNO does nothing, as SIGHUP under nohup(1): whoever began us wants it to stay so. */
bool signal_is_ignored(int signo);

/* Tells those of the loop that have come since the last turn: for the end, when no other turn
 * follows. */
void loop_signals_tell(struct loop *loop);

/* What came of SIGNO and has not been told is not told any more. */
void loop_signal_forget(int signo);

/* Returns the descriptor that is readable while there is one to be told, for who waits outside of
 * the loop; -1 where the loop has no signal. */
int loop_signals_fd(const struct loop *loop);

/* Gives every signal of the loop back what it did before, and closes the pipe, earlier than
 * loop_free does. */
void loop_signals_fini(struct loop *loop);

/* Ends the process by SIGNO itself, as if it had not been caught: so the parent sees the truth in
 * wait(2). Returns only where SIGNO does not end processes. */
void signal_die(int signo);

#endif
