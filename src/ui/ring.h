/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last calls of a poller: what is known of each, who the descriptors were at that moment, and
 * what the program did after it. Calls are numbered from 0, and keep their number.
 */
#ifndef RING_H
#define RING_H

#include "base/text.h"
#include "pollspin/loop.h"

enum {
    RING_CALLS = 512, /* kept */
    RING_TEXT = 4096, /* bytes of a call's text, cut there with "..." */
    RING_DID = 256,   /* bytes of what was done after a call */
    RING_CLAUSES = 8, /* things done that are told apart */
    RING_NAME = 24,   /* bytes of a system call's name */
    RING_NAMES = 8192 /* bytes of the names of all descriptors; what does not fit has none */
};

/* What was done after a call: clauses, each with a NUL. */
struct ring_did {
    unsigned count;
    size_t used;
    bool is_cut;
    uint16_t at[RING_CLAUSES]; /* where each begins */
    uint32_t times[RING_CLAUSES];
    char text[RING_DID];
};

struct ring_names;

struct ring_call {
    char name[RING_NAME];
    bool is_wait;
    long result;
    int error;
    int told;
    int64_t took_ns;
    char *text;
    size_t length; /* of the text; 0: it was not kept */
    size_t capacity;
    struct ring_names *names;
    struct ring_did did;
};

struct ring {
    const struct loop *loop;
    uint64_t count; /* calls ever: the newest has this number - 1 */
    char scratch[RING_NAMES];
    struct ring_call calls[RING_CALLS];
};

/* Makes an empty one; LOOP's watches tell what the descriptors are. RING is all zero before. */
void ring_init(struct ring *ring, const struct loop *loop);
void ring_fini(struct ring *ring);

/* Keeps CALL in the place of the oldest; its text, N bytes, and the names of this moment only where
 * TEXT is not NULL. Where memory is out it is kept without them. */
void ring_add(struct ring *ring, const struct poller_call *call, const char *text, size_t n);

/* The number of the oldest that is kept; RING->count where there is none. */
uint64_t ring_oldest(const struct ring *ring);

/* Returns the call NUMBER, borrowed until the next one; NULL where it is not kept. */
const struct ring_call *ring_get(const struct ring *ring, uint64_t number);

/* Adds CLAUSE to what was done after the call NUMBER, or counts it; nothing where that is not kept.
 */
void ring_did(struct ring *ring, uint64_t number, const char *clause);

/* Adds the call as strace(1) prints it, "poll(...) = 1 <0.000012>" where its text was not kept. */
void ring_add_line(const struct ring_call *call, struct text *text);

/* Adds " The program read 5 bytes from a (2 times); painted a frame." or nothing. */
void ring_add_did(const struct ring_call *call, struct text *text);

/* Returns what FD was at the call NUMBER, borrowed until the next call, or that of the watch; NULL:
 * nobody knows. */
const char *ring_name(const struct ring *ring, uint64_t number, int fd);

#endif
