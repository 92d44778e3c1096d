/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests share. Nothing here sleeps and looks: everything waits for a condition, at most
 * KIT_DEADLINE_NS, and fails the running cmocka test, with what was seen, when that is over. What a
 * test starts is ended by process id and what it makes is removed, also when it fails: call
 * kit_cleanup from its teardown.
 *
 * This includes all of it: cmocka and what that wants before itself, the programs, the terminal,
 * the peer and the client.
 */
#ifndef KIT_H
#define KIT_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* ... and it itself */
#include <cmocka.h>

#include <stdbool.h>
#include <sys/types.h>

#include "kit/client.h"
#include "kit/peer.h"
#include "kit/process.h"
#include "kit/terminal.h"

/* Long enough for a loaded machine under valgrind; a test that passes never waits for it. */
#define KIT_DEADLINE_NS INT64_C(60000000000)

/* Prints `skipped: REASON` and skips the running test. */
#define kit_skip(reason)                                                                           \
    do {                                                                                           \
        print_message("skipped: %s\n", reason);                                                    \
        skip();                                                                                    \
    } while (0)

/* A new folder, removed with all in it by kit_cleanup; valid until then. */
const char *kit_folder(void);

/* Whether PROGRAM can be found in PATH. */
bool kit_has(const char *program);

/* Resident memory of a process in bytes, its open descriptors, and the processor time it used in
 * nanoseconds (in steps of a clock tick), from /proc. */
size_t kit_memory(pid_t pid);
int kit_descriptors(pid_t pid);
int64_t kit_cpu(pid_t pid);

/* Whether the tests run under valgrind or a sanitizer: then they take memory and time of their own.
 */
bool kit_is_instrumented(void);

/* Ends and removes everything: a cmocka teardown. Returns 0. */
int kit_cleanup(void **state);

#endif
