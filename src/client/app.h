/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen: connections, the input line, the pane and the inspector in one loop.
 *
 * app.c holds the parts together and has no other job; what a person can ask for is a function
 * here, called by the commands (client/commands.c) and the keys. What the rows show is composed by
 * client/face.c, step mode is client/step.c.
 */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/session.h"
#include "ui/spinner.h"

enum { APP_CHANNELS = 64 };

struct app_options {
    struct loop *loop;
    struct session_options session; /* for every target but its name */
    const char *const *targets;     /* as they were typed, checked */
    size_t target_count;
    uint16_t default_port;
    const struct spinner *spinner;
    int64_t tick_ns;
    const char *timestamp_format; /* NULL: none */
    const char *default_format;   /* what /timestamps turns on */
    uint64_t line_limit;          /* 0: none */
    size_t scrollback_lines;
    bool has_colour;
    bool is_animated; /* else the state in a word in place of the spinner */
    bool keeps_open;  /* --keep */
    bool shows_inspector;
    bool is_stepping;
    /* Also shown every call of the poller (--inspect=FILE); NULL for nobody. */
    void (*on_call)(void *owner, const char *line, size_t n);
    void *owner;
};

struct app;

/* Takes the terminal and starts. NULL with errno, the terminal as it was, and *WHAT says what
 * failed, borrowed for ever ("terminal"). */
struct app *app_new(const struct app_options *options, const char **what);

/* Runs until it is over; gives the terminal back, and prints the last lines on it. */
struct app_result {
    int signo;            /* the signal that ended it, or 0 */
    bool is_left;         /* by the person, or by a signal */
    enum session_end end; /* else how the connections ended: the first that did not end in order */
    char why[600];        /* ... in words */
};
void app_run(struct app *app, struct app_result *result);

/* Ends what is left of it; the loop is the caller's. */
void app_free(struct app *app);

/* ---- what a person can ask for; what cannot be done is told as a note ---- */

/* Adds a line of our own to the pane. */
void app_note(struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

void app_send(struct app *app, const char *text); /* to the connection in focus, with a newline */
void app_connect(struct app *app, const char *target);
void app_close(struct app *app);
void app_focus(struct app *app, const char *which); /* number or target; NULL: the next one */
void app_set_backend(struct app *app, const char *name);
void app_set_spinner(struct app *app, const char *name);
void app_set_tick(struct app *app, const char *milliseconds);
void app_toggle_inspector(struct app *app);
void app_toggle_step(struct app *app);
void app_toggle_pause(struct app *app);
void app_toggle_timestamps(struct app *app, const char *format); /* NULL: the default one */
void app_log(struct app *app, const char *file);                 /* NULL: ends the log */
void app_find(struct app *app, const char *text);                /* NULL: again, further up */
void app_clear(struct app *app);
void app_stats(struct app *app);
void app_quit(struct app *app);

/* For completion: the target of connection INDEX, borrowed; NULL past the last one. */
const char *app_target(const struct app *app, size_t index);

#endif
