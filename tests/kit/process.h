/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that a test runs: standard output and error are collected all the time, whatever the
 * test waits for, and standard input is a pipe. Each is the head of a process group of its own,
 * which kit_cleanup kills, and is killed by the kernel if the test program dies first.
 *
 * They get the environment of the test with LC_ALL=C.UTF-8, TERM=xterm-256color and an empty folder
 * for a HOME, and without CI, COLUMNS, EDITRC, LINES, NO_COLOR and XDG_STATE_HOME; kit_env changes
 * that. So no test reads or writes what is the developer's own.
 */
#ifndef KIT_PROCESS_H
#define KIT_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kit_process;

/* Starts a program. ARGV[0] is "pollspin", "delayserver" or "pollcopy" for the ones just built (run
 * through $TEST_WRAPPER, such as "valgrind -q", where that is set), or a name to be found in PATH.
 */
struct kit_process *kit_start(const char *const argv[]);

/* The same from a list that ends in NULL: kit_run("nc", "127.0.0.1", port, NULL). */
struct kit_process *kit_run(const char *program, ...);

/* Sets a variable, or takes it away where VALUE is NULL, for all that is started from now on until
 * kit_cleanup. */
void kit_env(const char *name, const char *value);

/* Returns the path of a program just built, for a command line that some other program runs;
 * borrowed for ever. */
const char *kit_program(const char *name);

pid_t kit_pid(const struct kit_process *process);

/* All that came on standard output or error so far, ended by a NUL; valid until the next call. */
const char *kit_stdout(struct kit_process *process, size_t *length);
const char *kit_stderr(struct kit_process *process);

/* Waits until standard output (error) holds TEXT. */
void kit_await_stdout(struct kit_process *process, const char *text);
void kit_await_stderr(struct kit_process *process, const char *text);

/* Waits until standard output has COUNT newlines. */
void kit_await_lines(struct kit_process *process, int count);

/* Stops, and later goes on, reading standard output: a pipe whose reader is slow. */
void kit_stall_stdout(struct kit_process *process, int stall);

/* Writes to its standard input, or closes that. */
void kit_type(struct kit_process *process, const char *text);
void kit_type_bytes(struct kit_process *process, const void *bytes, size_t n);
void kit_type_end(struct kit_process *process);

void kit_signal(struct kit_process *process, int signo);

/* Waits for its end. Returns its exit status, or 128 + the signal that ended it. All its output has
 * been collected then. */
int kit_end(struct kit_process *process);

/* Starts delayserver with the arguments, ended by NULL, waits until it listens, and stores the port
 * of its first TCP listener; PORT may be NULL. */
struct kit_process *kit_server(uint16_t *port, ...);

/* Returns the port on which SERVICE of a delayserver listens, waiting for the line that says so. */
uint16_t kit_port(struct kit_process *server, const char *service);

#endif
