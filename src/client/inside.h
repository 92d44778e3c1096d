/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the full screen share: app.c (life, loop, keys), ask.c (what a person can ask
 * for), keep.c, face.c (what the rows show) and step.c (step mode). Nobody else includes this.
 */
#ifndef INSIDE_H
#define INSIDE_H

#include "client/app.h"
#include "client/channel.h"
#include "loop/signal.h"
#include "ui/editor.h"
#include "ui/inspector.h"
#include "ui/keys.h"
#include "ui/pane.h"
#include "ui/screen.h"
#include "ui/scrollback.h"
#include "ui/tty.h"

/* Bytes that the scrollback has for a line, on the average. */
enum { APP_LINE_BYTES = 256 };

/* The parts of the screen: which of them may look different now. */
enum {
    FACE_TITLE = 1 << 0,
    FACE_PANE = 1 << 1,
    FACE_INSPECTOR = 1 << 2,
    FACE_STATUS = 1 << 3,
    FACE_INPUT = 1 << 4,
    FACE_ALL = FACE_TITLE | FACE_PANE | FACE_INSPECTOR | FACE_STATUS | FACE_INPUT
};

/* Where each part begins and how many rows it has; 0: there is no room for it. */
struct face_layout {
    int title, title_rows;
    int pane, pane_rows;
    int inspector, inspector_rows;
    int status, status_rows;
    int input, input_rows;
};

struct app_name {
    char text[ADDRESS_TEXT];
    int64_t told_of; /* which of its connections was lost when that was last told; -1: none yet */
};

struct app {
    struct app_options options;
    struct loop *loop;
    struct tty tty;
    bool has_tty;
    struct screen *screen;
    struct editor *editor;
    struct keys keys;
    struct scrollback *scrollback;
    struct pane pane;
    struct inspector *inspector;
    int rows;
    int columns;

    struct channel_world world;
    struct channel *channels[APP_CHANNELS];
    size_t channel_count;
    size_t focus;
    struct app_name *names; /* of all channels there ever were, by number */
    unsigned name_count;
    struct channel *leaving[APP_CHANNELS]; /* gone, to be freed when the loop has made a turn */
    size_t leaving_count;
    uint64_t limited; /* lines received that count for --lines */

    struct timer tick; /* the spinner's next frame, or the next second */
    int64_t start;
    uint64_t frame;
    int64_t second;       /* that the title has shown */
    struct timer esc;     /* a lone ESC is a key then */
    struct timer partial; /* an unfinished line is to be shown then */
    struct timer pace;    /* the next paint may be then */
    struct timer message_end;
    unsigned stale; /* FACE_ parts */
    bool is_urgent; /* the next paint does not wait for its pace */
    int64_t painted_at;
    uint64_t paints;
    struct face_layout layout;
    size_t input_start; /* the first character of the line that is to be seen */
    char message[256];  /* shown in the title for a while */

    bool shows_inspector;
    bool has_grabbed; /* Up and Down choose in the inspector */
    bool is_stepping;
    bool is_asking;  /* step mode stands before a wait */
    unsigned wanted; /* turns that keys have asked for and that were not begun */
    char about[2048];
    char stamp_format[64];
    char find[PANE_FIND];
    int history_error; /* that was told; 0: none */

    struct output log;
    int log_fd; /* -1: there is no log */
    struct buf log_pending;

    bool is_on_screen; /* the terminal is ours */
    bool is_over;
    struct app_result result;
};

/* ---- app.c ---- */

/* Marks parts of the screen as out of date. */
void app_touch(struct app *app, unsigned parts);

/* Says something for a few seconds, in the title. */
void app_say(struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what was done in consequence of the last wait, as inspector_did. */
void app_did(struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives the terminal back, stops the process, and takes the terminal again when it goes on. */
void app_suspend(struct app *app);

/* Paints now, whatever the pace. */
void app_paint_now(struct app *app);

/* Shows every call of POLLER to the inspector and to the file. */
void app_observe(struct app *app, struct poller *poller);

struct channel *app_focused(const struct app *app); /* NULL where there is none */
const char *app_name(const struct app *app, const struct channel *channel);

/* Adds a channel to what TARGET says. Returns 0, or -1 with errno. */
int app_add(struct app *app, const struct target *target);

/* Connects the channel with index INDEX, which has ended, again to its TARGET: a new one with the
 * same place, name and colour. Returns 0, or -1 with errno. */
int app_renew(struct app *app, size_t index, const struct target *target);

/* Takes the channel with index INDEX out; it ends at once. */
void app_remove(struct app *app, size_t index);

/* ---- ask.c ---- */

void ask_on_key(void *owner, const struct keys_event *event);
void ask_submit(struct app *app, const char *line);
size_t ask_complete(void *owner, const char *line, size_t cursor, char *insert, size_t size);

/* ---- face.c ---- */

void face_compose(struct app *app);
void face_print_last(struct app *app); /* what the pane showed, on the screen of before */
const char *face_label(void *owner, unsigned channel);

/* ---- keep.c ---- */

/* Keeps a line for the log; flush writes what was kept; end ends the log, and says so only where
 * something of it is lost. Nothing where there is no log. */
void keep_line(struct app *app, const struct channel *channel, const struct scrollback_line *line);
void keep_flush(struct app *app);
void keep_end(struct app *app);

/* ---- step.c ---- */

void step_before_wait(void *owner, int64_t timeout_ns);
bool step_on_key(struct app *app, const struct keys_event *event); /* whether it was for it */

#endif
