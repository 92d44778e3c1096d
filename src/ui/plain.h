/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one-line form of the screen: received lines scroll up, the bottom line is the spinner.
 *
 * Not one escape sequence is written and no terminal mode is changed, so there is nothing to
 * restore, whatever kills the program. The bottom line is painted as CR, text, spaces over what
 * stood there, CR; it is erased with spaces. Whatever a turn of the loop brings is one write in its
 * step 3, and nothing is written while the terminal is still busy with the write before.
 *
 *   PLAIN_MOTION   a terminal: lines made visible (base/sanitize.h), the spinner under them
 *   PLAIN_STILL    a terminal without motion: the same text as it comes, no bottom line
 *   PLAIN_RAW      anything else: the received bytes exactly, the last partial line too
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/output.h"
#include "pollspin/loop.h"
#include "ui/spinner.h"
#include "ui/transcript.h"

enum plain_mode { PLAIN_MOTION, PLAIN_STILL, PLAIN_RAW };

enum {
    PLAIN_CHUNK = TRANSCRIPT_CHUNK, /* received bytes that plain_show takes at once */
    PLAIN_BOTTOM = 1024             /* bytes of text on the bottom line, cut there */
};

struct plain_options {
    enum plain_mode mode;
    const struct spinner *spinner; /* NULL: the default one */
    bool shows_word;               /* plain_word's in place of the spinner: nothing moves */
    int64_t tick_ns;               /* from one frame to the next */
    const char *timestamp_format;  /* strftime(3), before each line, borrowed; NULL: none */
    uint64_t line_limit;           /* stop after so many lines; 0: never */
};

struct plain_stats {
    uint64_t frames;        /* frames that reached the terminal */
    int64_t longest_gap_ns; /* the longest time from one of them to the next */
};

/* The bottom row: a frame of the spinner, and what is behind it. */
struct plain_bottom {
    char text[PLAIN_BOTTOM];
    size_t length;
    size_t frame_length; /* bytes of the frame */
    size_t covered;      /* columns that may not be blank */
};

#define PLAIN_NO_FRAME UINT64_MAX

struct plain {
    struct loop *loop;
    struct plain_options options;
    struct output output;
    struct transcript transcript;
    loop_fn *on_change;
    void *owner;
    bool has_news; /* on_change is to be called */
    int error;     /* errno of a failure that is not the output's */

    struct timer tick;
    struct timer linger; /* an unfinished line has been standing for long enough to be shown */
    int64_t start;       /* when frame 0 was due */
    uint64_t frame;      /* the one that is due now */
    bool is_resting;
    const char *word; /* what stands in place of a frame; NULL: a frame does */
    char status[PLAIN_BOTTOM];
    size_t status_length;
    struct plain_bottom bottom; /* what stands there */
    bool is_stale;              /* ... more or less: all of it is to be painted */
    size_t below;               /* columns of the row under it that may not be blank */

    uint64_t painted; /* the last frame that was written, and that was counted */
    uint64_t counted;
    int64_t counted_at;
    struct plain_stats stats;
};

/* Starts to show on FD, which stays the caller's, open until plain_fini; the spinner turns at once.
 * Takes the loop's paint step. ON_CHANGE, which may be NULL, is called with OWNER from the loop
 * when there is room again, when all is written, or when writing has failed. Returns 0, or -1 with
 * errno. */
int plain_init(struct plain *plain, struct loop *loop, int fd, const struct plain_options *options,
               loop_fn *on_change, void *owner);

/* Drops what is not yet written, and leaves the bottom line as it stands: see plain_end. */
void plain_fini(struct plain *plain);

/* Returns how many received bytes plain_show will surely take: PLAIN_CHUNK, or 0 when the reader of
 * what is shown is slow, and the connection should be paused until on_change. */
size_t plain_room(const struct plain *plain);

/* Shows N received bytes. Returns 0; 1 when the line limit is reached, and nothing behind the last
 * line of it is shown, now or later; -1: ENOBUFS when N is more than plain_room (nothing was
 * taken), else the error that ended the output. */
int plain_show(struct plain *plain, const char *bytes, size_t n);

/* Shows a line of our own, N bytes with or without a newline, made visible and not counted. It is
 * dropped where the terminal has not taken millions of bytes before it. */
void plain_note(struct plain *plain, const char *line, size_t n);

/* Ends a stream: shows the partial line, on a terminal with a newline, and rests. The next
 * plain_show begins a line. */
void plain_end(struct plain *plain);

/* Erases the bottom line and stops turning, at once where the terminal takes it (plain_is_drained
 * says), so that others may write there; wake goes on. Neither does anything twice. */
void plain_rest(struct plain *plain);
void plain_wake(struct plain *plain);

/* Shows TEXT behind the spinner, made visible, until the next call; NULL for none. An unfinished
 * line that has been standing for 200 ms is shown in its place. */
void plain_status(struct plain *plain, const char *text);

/* Sets the word that stands in place of the spinner where shows_word asks for that: ASCII, borrowed
 * until the next call. The bottom line is painted only when what it says has changed. */
void plain_word(struct plain *plain, const char *word);

/* Asks how wide the terminal is: call it after SIGWINCH. */
void plain_resize(struct plain *plain);

/* Whether everything is written but an unfinished line that is kept back. */
bool plain_is_drained(const struct plain *plain);

/* Returns the errno that ended the output, or 0. */
int plain_error(const struct plain *plain);

/* Returns how many complete lines were shown. */
uint64_t plain_lines(const struct plain *plain);

struct plain_stats plain_statistics(const struct plain *plain);

#endif
