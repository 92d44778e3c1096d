/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Received bytes as they are to be shown: lines with timestamps, made visible for a terminal,
 * counted, and no more of them than were asked for. In bounded memory: a line that is too long to
 * be kept is handed on in pieces that end where the terminal would have begun a new row anyway.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sanitize.h"

enum transcript_form {
    TRANSCRIPT_LINES, /* for a terminal, the unfinished line kept back */
    TRANSCRIPT_FLOW,  /* for a terminal, everything as it comes */
    TRANSCRIPT_RAW    /* the bytes exactly */
};

enum {
    TRANSCRIPT_CHUNK = 65536, /* bytes to be added at once */
    TRANSCRIPT_FULL = 65536,  /* nothing should be added while so much is ready */
    TRANSCRIPT_LINE = 4096,   /* bytes of an unfinished line that are kept back */
    TRANSCRIPT_STAMP = 128,   /* bytes of a timestamp, the space behind it included */
    /* What can be ready at most: every byte of a chunk may be a line, with a timestamp. */
    TRANSCRIPT_READY = TRANSCRIPT_FULL + TRANSCRIPT_CHUNK * (SANITIZE_GROWTH + TRANSCRIPT_STAMP)
};

struct transcript {
    enum transcript_form form;
    const char *stamp_format; /* strftime(3); NULL: no timestamps */
    uint64_t line_limit;      /* 0: none */
    size_t columns;           /* of the terminal: written by the owner */
    struct buf ready;         /* to be written: taken out by the owner */
    uint64_t lines;           /* complete ones so far */
    bool is_inside;           /* a line has begun and not ended */
    bool has_cr;              /* a CR came, and what follows it has not yet */
    int64_t begun;            /* when the line began */
    struct sanitize sanitize;
    char line[2 * TRANSCRIPT_LINE]; /* what is kept back of it */
    size_t line_length;
    int64_t stamp_second; /* the second that the stamp tells */
    char stamp[TRANSCRIPT_STAMP];
    size_t stamp_length;
};

void transcript_init(struct transcript *transcript, enum transcript_form form,
                     const char *stamp_format, uint64_t line_limit);
void transcript_fini(struct transcript *transcript);

/* Adds N received bytes, which came at NOW. Returns 0; 1 when the line limit is reached, and
 * nothing behind that line was added; or -1 with errno as buf_add. */
int transcript_add(struct transcript *transcript, const char *bytes, size_t n, int64_t now);

/* Ends the line that has begun, if any, on a terminal with a newline. Returns 0 or -1 as above. */
int transcript_end(struct transcript *transcript);

/* Adds a whole line of our own, made visible and not counted. Returns 0 or -1 as above. */
int transcript_note(struct transcript *transcript, const char *bytes, size_t n);

#endif
