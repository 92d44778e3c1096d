/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scripted backend with a clock of its own. No time passes but in its wait, which jumps to the
 * next thing in the script or to the time limit, and in fake_advance: a test of an hour takes no
 * time, and always takes the same course.
 *
 * What happens goes into a journal, one word or more a thing, joined by "; ": what the backend was
 * told ("set 7 - IN", "set 7 IN -"; "-" is not there), each wait ("wait 50ms", "wait 0",
 * "wait ever") and what the test's own handlers note. A test compares it as a whole.
 */
#ifndef KIT_FAKE_H
#define KIT_FAKE_H

#include <stdint.h>

struct poller;

/* Opens a poller on the fake with an empty script and journal, and gives clock_now its clock.
 * The caller closes it; fake_stop follows. One at a time. */
struct poller *fake_open(void);

/* Gives clock_now the system's clock again: a cmocka teardown. Returns 0. */
int fake_stop(void **state);

/* From AT on, FD is ready with READY (POLLER_IN ...; 0: no longer). Descriptors are numbers here;
 * they need not be open. */
void fake_at(int64_t at, int fd, unsigned ready);

/* Lets the next registration of FD fail with ERROR. */
void fake_refuse(int fd, int error);

/* Lets time pass: a handler that takes that long. */
void fake_advance(int64_t ns);

void fake_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails the test where the journal is not JOURNAL; empties it. */
void fake_expect(const char *journal);

#endif
