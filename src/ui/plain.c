/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything is written by plain_flush, and only when the terminal has taken all that was written
 * before: so a terminal that is slow or stopped gets the newest frame when it comes back, not all
 * that it missed. What is to be written is gathered by the transcript meanwhile, and plain_room
 * says when that is too much.
 *
 * Between two writes the cursor stands at the left edge of the bottom row, and `bottom` says what
 * is on that row. Never more than the columns but one are used: a terminal goes on to the next row
 * when the last one has been filled, each kind at another moment.
 *
 * Lines end in a newline alone: the terminal driver adds the CR (ONLCR, termios(3)).
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "ui/plain.h"

enum {
    DEFAULT_COLUMNS = 80,
    STATUS_BYTES = 512, /* of a status as it is given */
    MESSAGE_MAX = TRANSCRIPT_READY + 8 * PLAIN_BOTTOM
};

static const int64_t linger_ns = 200 * CLOCK_MILLISECOND;
static const char partial_mark[] = "partial: ";

/* ---- the bottom row ---- */

static bool is_lingering(const struct plain *plain)
{
    const struct transcript *transcript = &plain->transcript;

    return transcript->line_length > 0 && loop_now(plain->loop) - transcript->begun >= linger_ns;
}

/* Adds what fits of N shown bytes, whole characters only. */
static void bottom_add(struct plain_bottom *bottom, size_t columns, const char *shown, size_t n)
{
    size_t room = sizeof bottom->text - bottom->length;

    n = sanitize_fit(shown, n < room ? n : room, columns - bottom->covered);
    memcpy(bottom->text + bottom->length, shown, n);
    bottom->length += n;
    bottom->covered += sanitize_width(shown, n);
}

/* Makes what the row should hold now. */
static void bottom_compose(struct plain_bottom *bottom, const struct plain *plain)
{
    const char *frame =
        plain->word ? plain->word : spinner_frame(plain->options.spinner, plain->frame);
    const char *between = plain->word ? ": " : " ";
    const struct transcript *transcript = &plain->transcript;
    size_t columns = transcript->columns - 1;

    bottom->length = bottom->covered = bottom->frame_length = 0;
    if (plain->is_resting)
        return;
    bottom_add(bottom, columns, frame, strlen(frame));
    bottom->frame_length = bottom->length;
    if (is_lingering(plain)) {
        bottom_add(bottom, columns, between, strlen(between));
        bottom_add(bottom, columns, partial_mark, strlen(partial_mark));
        bottom_add(bottom, columns, transcript->line, transcript->line_length);
    } else if (plain->status_length > 0) {
        bottom_add(bottom, columns, between, strlen(between));
        bottom_add(bottom, columns, plain->status, plain->status_length);
    }
}

/* Whether two rows are the same behind their frames, which are equally wide then. */
static bool bottom_tail_is_same(const struct plain_bottom *a, const struct plain_bottom *b)
{
    size_t length = a->length - a->frame_length;

    return a->covered == b->covered && length == b->length - b->frame_length &&
           memcmp(a->text + a->frame_length, b->text + b->frame_length, length) == 0;
}

static bool bottom_frame_is_same(const struct plain_bottom *a, const struct plain_bottom *b)
{
    return a->frame_length == b->frame_length && memcmp(a->text, b->text, a->frame_length) == 0;
}

/* ---- what is written ---- */

static int message_add_blanks(struct buf *message, size_t n)
{
    static const char blanks[] = "                                ";
    int result = 0;

    while (n > 0 && result == 0) {
        size_t piece = n < sizeof blanks - 1 ? n : sizeof blanks - 1;

        result = buf_add(message, blanks, piece);
        n -= piece;
    }
    return result;
}

/* Paints N bytes of text at the left edge and BLANKS behind them, and goes back there. */
static int message_add_row(struct buf *message, const char *text, size_t n, size_t blanks)
{
    if (buf_add(message, "\r", 1) < 0 || buf_add(message, text, n) < 0 ||
        message_add_blanks(message, blanks) < 0)
        return -1;
    return buf_add(message, "\r", 1);
}

/* Adds the lines that are ready, in the place of the bottom row, which moves down. */
static int message_add_lines(struct buf *message, struct plain *plain)
{
    struct buf *ready = &plain->transcript.ready;

    if (buf_is_empty(ready))
        return 0;
    if (plain->bottom.covered > 0 && message_add_row(message, NULL, 0, plain->bottom.covered) < 0)
        return -1;
    if (buf_add(message, buf_peek(ready), ready->length) < 0)
        return -1;
    buf_take(ready, ready->length);
    plain->bottom.covered = plain->below;
    plain->below = 0;
    plain->is_stale = true;
    plain->has_news = true;
    return 0;
}

/* Adds what has changed on the bottom row; often that is the frame alone. */
static int message_add_bottom(struct buf *message, struct plain *plain)
{
    struct plain_bottom *now = &plain->bottom;
    struct plain_bottom next;
    bool is_same;
    size_t old = now->covered;

    bottom_compose(&next, plain);
    is_same = !plain->is_stale && bottom_tail_is_same(&next, now);
    if (is_same && bottom_frame_is_same(&next, now))
        return 0;
    *now = next;
    plain->is_stale = false;
    plain->painted = next.frame_length > 0 ? plain->frame : PLAIN_NO_FRAME;
    if (is_same)
        return message_add_row(message, next.text, next.frame_length, 0);
    if (old == 0 && next.covered == 0)
        return 0;
    return message_add_row(message, next.text, next.length,
                           old > next.covered ? old - next.covered : 0);
}

/* Counts the last frame as shown when nothing of it is queued any more. */
static void plain_count_frame(struct plain *plain)
{
    int64_t now;

    if (plain->painted == plain->counted || plain->painted == PLAIN_NO_FRAME ||
        !output_is_drained(&plain->output))
        return;
    now = clock_now();
    if (plain->counted != PLAIN_NO_FRAME && now - plain->counted_at > plain->stats.longest_gap_ns)
        plain->stats.longest_gap_ns = now - plain->counted_at;
    plain->counted = plain->painted;
    plain->counted_at = now;
    plain->stats.frames++;
}

static int plain_write(struct plain *plain, struct buf *message)
{
    if (message_add_lines(message, plain) < 0)
        return -1;
    if (plain->options.mode == PLAIN_MOTION && message_add_bottom(message, plain) < 0)
        return -1;
    if (buf_is_empty(message))
        return 0;
    return output_write(&plain->output, buf_peek(message), message->length);
}

static void plain_fail(struct plain *plain, int error)
{
    plain->error = error;
    plain->has_news = true;
    loop_mark_dirty(plain->loop);
}

static void plain_flush(struct plain *plain)
{
    struct buf message;

    if (plain_error(plain) || !output_is_drained(&plain->output))
        return;
    buf_init(&message, MESSAGE_MAX);
    if (plain_write(plain, &message) < 0)
        plain_fail(plain, errno);
    else
        plain_count_frame(plain);
    buf_fini(&message);
}

static void plain_on_paint(void *owner)
{
    struct plain *plain = owner;

    plain_flush(plain);
    if (!plain->has_news)
        return;
    plain->has_news = false;
    if (plain->on_change)
        plain->on_change(plain->owner);
}

/* What was held back while the terminal was busy can be written by the next paint. */
static void plain_on_output(void *owner)
{
    struct plain *plain = owner;

    if (!output_is_drained(&plain->output) && !plain->output.error)
        return;
    plain_count_frame(plain);
    plain->has_news = true;
    loop_mark_dirty(plain->loop);
}

/* ---- time ---- */

/* The frame follows from the time, so frames that were missed are left out, and none is late
 * because the one before it was. */
static void plain_on_tick(void *owner)
{
    struct plain *plain = owner;
    int64_t tick_ns = plain->options.tick_ns;

    plain->frame = (uint64_t)((loop_now(plain->loop) - plain->start) / tick_ns);
    if (timer_set(&plain->tick, plain->start + (int64_t)(plain->frame + 1) * tick_ns) < 0)
        plain_fail(plain, errno);
    loop_mark_dirty(plain->loop);
}

/* Looks again when the line that is unfinished now will have been standing for long enough. Set
 * once for all the lines of that time: a flood has many. */
static void plain_await_linger(struct plain *plain)
{
    if (plain->options.mode != PLAIN_MOTION || plain->transcript.line_length == 0 ||
        is_lingering(plain) || timer_is_set(&plain->linger))
        return;
    if (timer_set(&plain->linger, plain->transcript.begun + linger_ns) < 0)
        plain_fail(plain, errno);
}

static void plain_on_linger(void *owner)
{
    struct plain *plain = owner;

    plain_await_linger(plain);
    loop_mark_dirty(plain->loop);
}

void plain_wake(struct plain *plain)
{
    if (plain->options.mode != PLAIN_MOTION || !plain->is_resting)
        return;
    plain->is_resting = false;
    plain->painted = plain->counted = PLAIN_NO_FRAME;
    if (plain->options.shows_word)
        loop_mark_dirty(plain->loop);
    else
        plain_on_tick(plain);
}

void plain_rest(struct plain *plain)
{
    timer_stop(&plain->tick);
    timer_stop(&plain->linger);
    plain->is_resting = true;
    plain_flush(plain);
    if (plain->has_news)
        loop_mark_dirty(plain->loop);
}

/* ---- the outside ---- */

int plain_init(struct plain *plain, struct loop *loop, int fd, const struct plain_options *options,
               loop_fn *on_change, void *owner)
{
    static const enum transcript_form forms[] = {[PLAIN_MOTION] = TRANSCRIPT_LINES,
                                                 [PLAIN_STILL] = TRANSCRIPT_FLOW,
                                                 [PLAIN_RAW] = TRANSCRIPT_RAW};

    assert(options->tick_ns > 0 || options->mode != PLAIN_MOTION || options->shows_word);
    *plain = (struct plain){.loop = loop,
                            .options = *options,
                            .on_change = on_change,
                            .owner = owner,
                            .start = loop_now(loop),
                            .word = options->shows_word ? "" : NULL,
                            .is_resting = true};
    if (!options->spinner)
        plain->options.spinner = spinner_list(0);
    plain->options.spinner = spinner_for_locale(plain->options.spinner);
    transcript_init(&plain->transcript, forms[options->mode], options->timestamp_format,
                    options->line_limit);
    timer_init(&plain->tick, loop, plain_on_tick, plain);
    timer_init(&plain->linger, loop, plain_on_linger, plain);
    if (output_init(&plain->output, loop, fd, MESSAGE_MAX, plain_on_output, plain) < 0) {
        int error = errno;

        output_fini(&plain->output);
        errno = error;
        return -1;
    }
    loop_on_paint(loop, plain_on_paint, plain);
    plain_resize(plain);
    plain_wake(plain);
    return 0;
}

void plain_fini(struct plain *plain)
{
    loop_on_paint(plain->loop, NULL, NULL);
    timer_stop(&plain->tick);
    timer_stop(&plain->linger);
    output_fini(&plain->output);
    transcript_fini(&plain->transcript);
}

size_t plain_room(const struct plain *plain)
{
    return plain->transcript.ready.length < TRANSCRIPT_FULL ? PLAIN_CHUNK : 0;
}

int plain_show(struct plain *plain, const char *bytes, size_t n)
{
    int result;

    if (plain_error(plain) || n > plain_room(plain)) {
        errno = plain_error(plain) ? plain_error(plain) : ENOBUFS;
        return -1;
    }
    result = transcript_add(&plain->transcript, bytes, n, loop_now(plain->loop));
    if (result < 0) {
        plain_fail(plain, errno);
        errno = plain->error;
        return -1;
    }
    if (!buf_is_empty(&plain->transcript.ready))
        loop_mark_dirty(plain->loop);
    plain_await_linger(plain);
    return result;
}

void plain_note(struct plain *plain, const char *line, size_t n)
{
    if (transcript_note(&plain->transcript, line, n) < 0 && errno != ENOBUFS)
        plain_fail(plain, errno);
    loop_mark_dirty(plain->loop);
}

void plain_end(struct plain *plain)
{
    if (transcript_end(&plain->transcript) < 0)
        plain_fail(plain, errno);
    plain_rest(plain);
}

void plain_status(struct plain *plain, const char *text)
{
    char shown[SANITIZE_GROWTH * (STATUS_BYTES + sizeof plain->transcript.sanitize.pending)];
    struct sanitize sanitize;
    size_t n;

    sanitize_init(&sanitize);
    n = sanitize_bytes(&sanitize, text ? text : "", text ? strnlen(text, STATUS_BYTES) : 0, shown);
    if (n > sizeof plain->status)
        n = sizeof plain->status;
    n = sanitize_fit(shown, n, SIZE_MAX);
    memcpy(plain->status, shown, n);
    plain->status_length = n;
    loop_mark_dirty(plain->loop);
}

void plain_word(struct plain *plain, const char *word)
{
    if (plain->options.shows_word)
        plain->word = word;
    loop_mark_dirty(plain->loop);
}

/* Some terminals wrap a row again that has become too long, some cut it. */
void plain_resize(struct plain *plain)
{
    struct winsize size;
    size_t columns = DEFAULT_COLUMNS;

    if (ioctl(plain->output.fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    if (plain->bottom.covered > columns) {
        plain->below = plain->bottom.covered - columns;
        if (plain->below > columns)
            plain->below = columns;
        plain->bottom.covered = columns;
    }
    plain->transcript.columns = columns;
    plain->is_stale = true;
    loop_mark_dirty(plain->loop);
}

bool plain_is_drained(const struct plain *plain)
{
    if (plain->is_resting && plain->bottom.covered > 0)
        return false;
    return buf_is_empty(&plain->transcript.ready) && output_is_drained(&plain->output);
}

int plain_error(const struct plain *plain)
{
    return plain->error ? plain->error : plain->output.error;
}

uint64_t plain_lines(const struct plain *plain)
{
    return plain->transcript.lines;
}

struct plain_stats plain_statistics(const struct plain *plain)
{
    return plain->stats;
}
