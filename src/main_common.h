/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the main_* files of all programs have in common: how a program begins, how it refuses a
 * command line, and how it prints what was asked for.
 */
#ifndef MAIN_COMMON_H
#define MAIN_COMMON_H

#include "loop/signal.h"

enum { MAIN_OK = 0, MAIN_FAILED = 1 };

/* Gives descriptors from 0 to 2 that are closed to /dev/null. Else the next socket would get the
 * number, and what is meant for the terminal go to a peer. It reads an end, and cannot be written:
 * so the mistake still shows. */
void main_fill_descriptors(void);

/* Allows as many descriptors as the system does; with select(2) no more than it can hold, since one
 * beyond that could only be refused. */
void main_raise_descriptors(const char *backend);

/* Ends with MAIN_OK after all of standard output is written, or with MAIN_FAILED where it cannot
 * be. */
_Noreturn void main_end_printing(void);

/* Prints what --list-backends asks for, and ends. */
_Noreturn void main_print_backends(void);

/* Ends with a message for what getopt_long(3) returned, ':' or '?'; with opterr 0 and a ':' in
 * front of LETTERS, the short options. */
_Noreturn void main_refuse_option(int result, char **argv, const char *letters);

/* Ends with a message for poller_open of NAME, which may be NULL, that failed with ERROR. */
_Noreturn void main_refuse_backend(const char *name, int error);

/* Calls ON_SIGNAL for SIGNO. A SIGHUP that is ignored stays so: nohup(1) means it. A shell without
 * job control ignores SIGINT for what it starts with &, and means only the keyboard's: a kill(1) by
 * name shall work, and where it shall not, the caller does not come here. Ends where it fails. */
void main_catch(struct loop *loop, int signo, signal_fn *on_signal, void *owner);

#endif
