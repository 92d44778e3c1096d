/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands on the terminal is known from what was written, for bytes that are queued are taken
 * in the order in which they were given. A frame goes up to the first line, writes each over what
 * was there, and erases what is left of it.
 *
 * A line is one column shorter than the terminal: when the last column is filled some terminals go
 * on to the next row at once and some do not, and "erase to the end" takes that column away on
 * those (tty_ioctl(4) knows no better). A terminal that has become narrower has folded the lines,
 * as most do today, and takes more rows for them; one that cuts them instead loses as many rows
 * above.
 *
 * After a stop (Ctrl-Z) a shell has written where the lines were: what stands there is not ours any
 * more, and the next frame begins where the cursor is. SIGCONT tells; since it is dispatched after
 * the timers of a turn, a frame is painted not when it is due but when the loop has looked once
 * more.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/sanitize.h"
#include "copy/display.h"
#include "copy/report.h"

enum { QUEUE_MAX = 1024 * 1024, DEFAULT_ROWS = 24, DEFAULT_COLUMNS = 80, TEXT_LEAST = 4096 };
enum { LAST_WORD = 4096 }; /* room that is kept for the last event */

static const int64_t frame_ns = 50 * CLOCK_MILLISECOND;
static const int64_t idle_ns = 250 * CLOCK_MILLISECOND; /* while the frames are the same */
static const int64_t lines_ns = 5 * CLOCK_SECOND;
static const int64_t json_ns = CLOCK_SECOND;
static const int64_t drain_ns = CLOCK_SECOND;

static const char prefix[] = "pollcopy: ";
static const char erase_line[] = "\033[K";
static const char erase_below[] = "\033[J";

/* ---- making a text of any length ---- */

typedef void make_fn(struct display *display, const void *what, struct text *text);

/* Returns the text that MAKE writes, valid until the next is made; NULL with ENOMEM. */
static char *display_make(struct display *display, make_fn *make, const void *what)
{
    struct text text;
    char *bytes;

    for (;;) {
        text_init(&text, display->text, display->size);
        make(display, what, &text);
        if (!text_is_cut(&text))
            return display->text;
        bytes = realloc(display->text, text.length + TEXT_LEAST);
        if (!bytes)
            return NULL;
        display->text = bytes;
        display->size = text.length + TEXT_LEAST;
    }
}

static void make_event(struct display *display, const void *what, struct text *text)
{
    (void)display;
    report_text(what, text);
}

static void make_json_event(struct display *display, const void *what, struct text *text)
{
    const struct copy_event *event = what;
    struct copy_view view;
    bool has_view = event->stream < display->progress.count;

    if (has_view)
        copy_look(display->copy, event->stream, &view);
    report_json(event, has_view ? &view : NULL, loop_now(display->loop) - display->begun, text);
}

static void make_json_progress(struct display *display, const void *what, struct text *text)
{
    (void)what;
    report_json_progress(display->views, display->progress.count, copy_total(display->copy),
                         loop_now(display->loop) - display->begun, text);
}

/* WHAT is the size. */
static void make_frame(struct display *display, const void *what, struct text *text)
{
    const struct winsize *size = what;

    progress_text(&display->progress, display->views, copy_total(display->copy),
                  loop_now(display->loop), size->ws_row, size->ws_col, text);
}

/* ---- the terminal ---- */

/* How many rows and columns a frame may have. One that says 0 does not know. */
static struct winsize display_size(const struct display *display)
{
    struct winsize size;

    if (!display->is_terminal || ioctl(display->output.fd, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){0};
    if (size.ws_row == 0)
        size.ws_row = DEFAULT_ROWS;
    if (size.ws_col == 0)
        size.ws_col = DEFAULT_COLUMNS;
    return size;
}

static unsigned short columns_of(const struct winsize *size)
{
    return size->ws_col > 1 ? (unsigned short)(size->ws_col - 1) : 1;
}

/* A terminal that is not the one that controls us has no foreground that we might not be in. A
 * pager or an editor at the other end of our pipe takes the lines from the terminal, and paints. */
static bool is_taken(const struct display *display)
{
    pid_t foreground = tcgetpgrp(display->output.fd);
    struct termios mode;

    if (foreground >= 0 && foreground != getpgrp())
        return true;
    return tcgetattr(display->output.fd, &mode) == 0 && !(mode.c_lflag & ICANON);
}

static void display_forget(struct display *display)
{
    free(display->frame);
    display->frame = NULL;
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

/* Returns how many rows stand above the last line now that the terminal is COLUMNS wide. */
static size_t rows_above(const char *frame, size_t columns)
{
    size_t rows = 0;

    for (size_t n = line_length(frame); frame[n] != '\0'; n = line_length(frame)) {
        size_t width = sanitize_width(frame, n);

        rows += width > columns ? (width + columns - 1) / columns : 1;
        frame += n + 1;
    }
    return rows;
}

/* ---- what is written ---- */

static int add(struct buf *message, const char *text)
{
    return buf_add(message, text, strlen(text));
}

/* Goes to where the frame begins. */
static int add_return(struct buf *message, const struct display *display, size_t columns)
{
    size_t rows = display->frame ? rows_above(display->frame, columns) : 0;
    char up[32];

    snprintf(up, sizeof up, "\033[%zuA", rows);
    if (add(message, "\r") < 0)
        return -1;
    return rows > 0 ? add(message, up) : 0;
}

static int add_frame(struct buf *message, const char *frame)
{
    size_t n;

    for (n = line_length(frame); frame[n] != '\0'; n = line_length(frame)) {
        if (buf_add(message, frame, n) < 0 || add(message, erase_line) < 0 ||
            add(message, "\n") < 0)
            return -1;
        frame += n + 1;
    }
    if (buf_add(message, frame, n) < 0 || add(message, erase_below) < 0)
        return -1;
    return add(message, "\r");
}

/* Adds a text from outside: a newline in a name must not forge a line of ours in a log either. */
static int add_shown(struct buf *message, const char *text)
{
    struct sanitize sanitize;
    size_t n = strlen(text);
    size_t length;
    int result;
    char *shown;

    shown = malloc(SANITIZE_GROWTH * (n + 2 * sizeof sanitize.pending));
    if (!shown)
        return -1;
    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, text, n, shown);
    length += sanitize_end(&sanitize, shown + length);
    result = buf_add(message, shown, length);
    free(shown);
    return result;
}

/* Gives MESSAGE away and frees it. Returns 0, or -1 where it is not taken. */
static int display_send(struct display *display, struct buf *message)
{
    size_t kept = display->has_ended ? 0 : LAST_WORD;
    int result = -1;

    if (output_room(&display->output) >= message->length + kept)
        result = output_write(&display->output, buf_peek(message), message->length);
    buf_fini(message);
    return result;
}

/* ---- frames ---- */

static void display_look(struct display *display)
{
    for (size_t i = 0; i < display->progress.count; i++)
        copy_look(display->copy, i, &display->views[i]);
    progress_note(&display->progress, display->views, copy_total(display->copy),
                  loop_now(display->loop));
}

/* Paints the frame FRESH, made for COLUMNS, which stands there then. */
static void display_put(struct display *display, const char *fresh, size_t columns)
{
    char *kept = strdup(fresh);
    struct buf message;

    buf_init(&message, QUEUE_MAX);
    if (!kept || add_return(&message, display, columns) < 0 || add_frame(&message, fresh) < 0) {
        buf_fini(&message);
        free(kept);
        return;
    }
    if (display_send(display, &message) < 0) {
        free(kept);
        return;
    }
    display_forget(display);
    display->frame = kept;
    display->columns = columns;
}

/* Returns whether the frame has changed. */
static bool display_repaint(struct display *display)
{
    struct winsize size = display_size(display);
    size_t columns = size.ws_col;
    const char *fresh;

    if (is_taken(display)) {
        display_forget(display);
        return false;
    }
    size.ws_col = columns_of(&size);
    display_look(display);
    fresh = display_make(display, make_frame, &size);
    if (!fresh ||
        (display->frame && display->columns == columns && strcmp(display->frame, fresh) == 0))
        return false;
    display_put(display, fresh, columns);
    return true;
}

static void display_on_paint(void *owner)
{
    struct display *display = owner;
    bool is_new = output_is_drained(&display->output) && display_repaint(display);

    if (!display->output.error)
        (void)timer_after(&display->tick, is_new ? frame_ns : idle_ns);
}

/* ---- lines and objects ---- */

/* Writes one that is ours, and a newline. */
static void display_write(struct display *display, const char *text)
{
    struct buf message;

    buf_init(&message, QUEUE_MAX);
    if (add(&message, text) == 0 && add(&message, "\n") == 0)
        (void)display_send(display, &message);
    buf_fini(&message);
}

static void display_write_json_progress(struct display *display)
{
    const char *text;

    display_look(display);
    text = display_make(display, make_json_progress, NULL);
    if (text)
        display_write(display, text);
}

/* A line for each stream, however many. */
static char *display_make_lines(struct display *display)
{
    struct winsize size = display_size(display);

    size.ws_col = columns_of(&size);
    size.ws_row = USHRT_MAX;
    display_look(display);
    return display_make(display, make_frame, &size);
}

static void display_write_lines(struct display *display)
{
    const char *text = display_make_lines(display);

    if (text)
        display_write(display, text);
}

/* ---- stopping and going on ---- */

/* Paints the last frame, also over what was typed meanwhile (the ^C of Ctrl-C), and leaves it. */
static void display_leave(struct display *display)
{
    display->columns = 0;
    display_repaint(display);
    if (display->frame)
        display_write(display, "");
    display_forget(display);
}

static void display_on_continue(void *owner, int signo)
{
    (void)signo;
    display_forget(owner);
}

static void display_on_stop(void *owner, int signo);

/* What the signal did before does the rest, and this returns when the program goes on. */
static void display_stop(void *owner)
{
    struct display *display = owner;

    timer_stop(&display->stop);
    loop_signal(display->loop, SIGTSTP, NULL, NULL);
    raise(SIGTSTP);
    loop_signal(display->loop, SIGTSTP, display_on_stop, display);
    (void)timer_after(&display->tick, frame_ns);
}

/* What is queued would be written when the program goes on, over what a shell has written. */
static void display_on_stop(void *owner, int signo)
{
    struct display *display = owner;

    (void)signo;
    if (timer_is_set(&display->stop))
        return;
    timer_stop(&display->tick);
    deferred_stop(&display->paint);
    display_leave(display);
    if (output_is_drained(&display->output) || timer_after(&display->stop, drain_ns) < 0)
        display_stop(display);
}

static void display_on_output(void *owner)
{
    struct display *display = owner;

    if (timer_is_set(&display->stop) && output_is_drained(&display->output))
        display_stop(display);
}

/* ---- what is due ---- */

static void display_on_tick(void *owner)
{
    struct display *display = owner;

    if (display->is_painting)
        deferred_call(&display->paint);
    else if (!output_is_drained(&display->output))
        return;
    else if (display->mode == DISPLAY_JSON)
        display_write_json_progress(display);
    else
        display_write_lines(display);
}

/* ---- what is said ---- */

/* Adds the frame that stood there below what was said. */
static int add_frame_again(struct buf *message, struct display *display)
{
    return display->frame ? add_frame(message, display->frame) : 0;
}

/* Writes above the lines: BEFORE, and TEXT, which comes from outside unless it IS_OURS. */
static void display_say(struct display *display, const char *before, const char *text, bool is_ours)
{
    struct buf message;
    int result = 0;

    if (display->is_painting && is_taken(display))
        display_forget(display);
    buf_init(&message, QUEUE_MAX);
    if (display->frame)
        result = add_return(&message, display, display_size(display).ws_col) < 0 ||
                 add(&message, erase_below) < 0;
    if (result == 0 && add(&message, before) == 0 &&
        (is_ours ? add(&message, text) : add_shown(&message, text)) == 0 &&
        add(&message, "\n") == 0 && add_frame_again(&message, display) == 0)
        (void)display_send(display, &message);
    buf_fini(&message);
}

void display_event(struct display *display, const struct copy_event *event)
{
    bool is_json = display->mode == DISPLAY_JSON;
    const char *text = display_make(display, is_json ? make_json_event : make_event, event);

    if (event->kind == COPY_ENDED) {
        timer_stop(&display->tick);
        display->has_ended = true;
    }
    if (text && is_json)
        display_write(display, text);
    else if (text && text[0] != '\0' &&
             (event->kind != COPY_WAITS || display->mode == DISPLAY_FRAMES))
        display_say(display, prefix, text, false);
}

void display_print(struct display *display)
{
    const char *text;

    if (display->mode == DISPLAY_JSON) {
        display_write_json_progress(display);
        return;
    }
    text = display_make_lines(display);
    if (text)
        display_say(display, "", text, true);
}

/* ---- begin and end ---- */

/* What cannot go up, or is kept as a file by who started us, gets lines. */
static bool can_paint(void)
{
    const char *term = getenv("TERM");

    return term && term[0] != '\0' && strcmp(term, "dumb") != 0 && !getenv("CI");
}

static int display_start(struct display *display)
{
    switch (display->mode) {
    case DISPLAY_JSON:
        return timer_every(&display->tick, json_ns);
    case DISPLAY_FRAMES:
        if (!display->is_painting)
            return timer_every(&display->tick, lines_ns);
        if (loop_signal(display->loop, SIGCONT, display_on_continue, display) < 0 ||
            loop_signal(display->loop, SIGTSTP, display_on_stop, display) < 0)
            return -1;
        return timer_after(&display->tick, frame_ns);
    default:
        return 0;
    }
}

static void display_free(struct display *display)
{
    timer_stop(&display->tick);
    timer_stop(&display->stop);
    deferred_stop(&display->paint);
    if (display->is_painting) {
        loop_signal(display->loop, SIGCONT, NULL, NULL);
        loop_signal(display->loop, SIGTSTP, NULL, NULL);
    }
    output_fini(&display->output);
    progress_fini(&display->progress);
    display_forget(display);
    free(display->views);
    free(display->text);
}

int display_init(struct display *display, struct loop *loop, int fd, enum display_mode mode,
                 const struct copy *copy)
{
    size_t count = copy_stream_count(copy);
    int error;

    *display = (struct display){.loop = loop, .copy = copy, .mode = mode};
    display->begun = loop_now(loop);
    display->is_terminal = isatty(fd);
    display->is_painting = mode == DISPLAY_FRAMES && display->is_terminal && can_paint();
    timer_init(&display->tick, loop, display_on_tick, display);
    timer_init(&display->stop, loop, display_stop, display);
    deferred_init(&display->paint, loop, display_on_paint, display);
    display->views = calloc(count + 1, sizeof *display->views);
    if (output_init(&display->output, loop, fd, QUEUE_MAX + LAST_WORD, display_on_output,
                    display) == 0 &&
        display->views && progress_init(&display->progress, count, display->begun) == 0 &&
        display_start(display) == 0) {
        watch_name(&display->output.watch, "progress");
        return 0;
    }
    error = errno;
    display_free(display);
    errno = error;
    return -1;
}

static void do_nothing(void *owner)
{
    (void)owner;
}

/* A last frame can be missed. What a log or a program is to read cannot: a slow reader of that is
 * waited for, as by everybody who writes to a pipe. */
static void display_drain(struct display *display)
{
    bool is_patient = !display->is_terminal || display->mode == DISPLAY_JSON;
    struct timer patience;

    timer_init(&patience, display->loop, do_nothing, NULL);
    if (!is_patient && timer_after(&patience, drain_ns) < 0)
        return;
    while ((is_patient || timer_is_set(&patience)) && !output_is_drained(&display->output) &&
           !display->output.error)
        if (loop_turn(display->loop) < 0)
            break;
    timer_stop(&patience);
}

void display_fini(struct display *display)
{
    timer_stop(&display->tick);
    timer_stop(&display->stop);
    deferred_stop(&display->paint);
    if (display->is_painting)
        display_leave(display);
    else if (display->mode == DISPLAY_FRAMES)
        display_write_lines(display);
    display_drain(display);
    display_free(display);
}
