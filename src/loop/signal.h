/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals as events of the loop.
 *
 * A handler that the kernel runs at any moment may do next to nothing (signal-safety(7)); ours
 * marks the signal and writes one byte to a pipe that the loop watches. What has to be done is then
 * done in step 6 of a turn, like everything else. One loop in a process can do this.
 */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

#include "pollspin/loop.h"

/* Whether SIGNO does nothing, as SIGHUP under nohup(1): whoever began us wants it to stay so. */
bool signal_is_ignored(int signo);

/* Tells those that have come since the last turn: for the end, when no other turn follows. */
void loop_signals_tell(void);

/* What came of SIGNO and has not been told is not told any more. */
void loop_signal_forget(int signo);

/* Returns the descriptor that is readable while there is one to be told, for who waits outside of
 * the loop; -1 where no signal is caught. */
int loop_signals_fd(void);

/* Gives every signal back what it did before, and closes the pipe. Call it before loop_free. */
void loop_signals_fini(void);

/* Ends the process by SIGNO itself, as if it had not been caught: so the parent sees the truth in
 * wait(2). Returns only where SIGNO does not end processes. */
void signal_die(int signo);

#endif
