/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rows of the full screen show, from the top:
 *
 *   title       the connection in focus: target, state, backend, time, lines, bytes; messages
 *   pane        what was received and sent, scrolling
 *   inspector   where it is open
 *   status      a row a connection: spinner, target, state in words, time since its last line
 *   input       the prompt with the connection in focus, and the line that is typed
 *
 * All of it is a function of the state: nothing here is remembered but where the input line starts
 * when it is longer than its row. A part that nobody has touched is not composed.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/inside.h"

enum {
    TITLE_MIN_ROWS = 4,
    INSPECTOR_MIN_ROWS = 8,
    LAST_ROWS = 20,
    INPUT_BYTES = 8192,
    STATE_COLUMNS = 24 /* that no target takes: "  trying again in 12.3 s" */
};

/* ---- where everything stands ---- */

/* From the bottom up: with few rows there is the input line, then a status, the pane, the title. */
static struct face_layout lay_out(const struct app *app)
{
    struct face_layout layout = {0};
    int channels = app->channel_count > 0 ? (int)app->channel_count : 1;
    int most = app->rows / 4 > 0 ? app->rows / 4 : 1;
    int left = app->rows;

    layout.input_rows = 1;
    layout.input = --left;
    layout.status_rows = channels < most ? channels : most;
    if (layout.status_rows > left)
        layout.status_rows = left;
    left -= layout.status_rows;
    layout.status = left;
    layout.title_rows = app->rows >= TITLE_MIN_ROWS;
    left -= layout.title_rows;
    if (app->shows_inspector && left >= INSPECTOR_MIN_ROWS)
        layout.inspector_rows = app->is_stepping ? left - left / 4 : left * 5 / 8;
    else if (app->shows_inspector && left >= 2)
        layout.inspector_rows = left - 1;
    layout.pane = layout.title_rows;
    layout.pane_rows = left - layout.inspector_rows;
    layout.inspector = layout.pane + layout.pane_rows;
    return layout;
}

static void face_lay_out(struct app *app)
{
    struct face_layout layout = lay_out(app);
    bool is_same = memcmp(&layout, &app->layout, sizeof layout) == 0 &&
                   app->pane.columns == (size_t)app->columns;

    if (is_same)
        return;
    app->layout = layout;
    pane_resize(&app->pane, (size_t)layout.pane_rows, (size_t)app->columns);
    app->stale = FACE_ALL;
}

/* ---- words ---- */

static void add_time(struct text *text, int64_t ns)
{
    long long seconds = ns / CLOCK_SECOND;

    text_add(text, "%02lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

static void add_count(struct text *text, uint64_t n, const char *what)
{
    text_add(text, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

/* A time that has passed, as exact as is of interest. */
static void add_age(struct text *text, int64_t ns)
{
    long long seconds = ns / CLOCK_SECOND;

    if (seconds < 60)
        text_add(text, "%lld s", seconds);
    else if (seconds < 3600)
        text_add(text, "%lld min", seconds / 60);
    else
        text_add(text, "%lld h %lld min", seconds / 3600, seconds / 60 % 60);
}

/* Returns the end of NAME, whole characters of UTF-8, that takes at most COLUMNS. */
static const char *name_end(const char *name, size_t columns)
{
    struct row row;

    for (;; name++) {
        row_init(&row, ROW_COLUMNS_MAX);
        row_print(&row, ROW_PLAIN, "%s", name);
        if (row.used <= columns && (*name & 0xc0) != 0x80)
            return name;
    }
}

/* Adds a target in at most ROOM columns. One that is too long loses its middle: hosts differ at the
 * beginning, ports and files at the end. */
static void add_name_in(struct row *row, enum row_style style, const char *name, size_t room)
{
    size_t columns = row->columns;
    size_t at_end = room / 2;

    if (name_end(name, room) == name) {
        row_print(row, style, "%s", name);
    } else if (room > 0) {
        row->columns = row->used + room - at_end - 1;
        row_print(row, style, "%s", name);
        row->columns = columns;
        row_print(row, style, "~%s", name_end(name, at_end));
    }
}

/* Adds a target, and leaves room for its state; half of what there is where that is little. */
static void add_name(struct row *row, enum row_style style, const char *name)
{
    size_t left = row->columns - row->used;

    add_name_in(row, style, name,
                left > (size_t)2 * STATE_COLUMNS ? left - STATE_COLUMNS : left / 2);
}

static enum row_style state_style(enum session_state state)
{
    switch (state) {
    case SESSION_OPEN:
        return ROW_GOOD;
    case SESSION_ENDED:
        return ROW_BAD;
    default:
        return ROW_BUSY;
    }
}

/* ---- title ---- */

/* Adds a part, or nothing where there is no room for all of it: half a number would be wrong. */
static void title_add_part(struct row *row, const struct text *part)
{
    if (row->used + 3 + part->length <= row->columns)
        row_print(row, ROW_BAR, " | %s", part->bytes);
}

static void title_add_count(struct row *row, uint64_t n, const char *what)
{
    char bytes[64];
    struct text part;

    text_init(&part, bytes, sizeof bytes);
    add_count(&part, n, what);
    title_add_part(row, &part);
}

static void title_add_age(struct row *row, int64_t ns)
{
    char bytes[64];
    struct text part;

    text_init(&part, bytes, sizeof bytes);
    add_time(&part, ns);
    title_add_part(row, &part);
}

/* Where there are more connections than rows for them, the others are hidden. */
static void title_add_place(const struct app *app, struct row *row)
{
    char bytes[64];
    struct text part;

    if (app->channel_count <= (size_t)app->layout.status_rows)
        return;
    text_init(&part, bytes, sizeof bytes);
    text_add(&part, "%zu of %zu", app->focus + 1, app->channel_count);
    title_add_part(row, &part);
}

static void title_add_state(const struct app *app, struct row *row)
{
    const char *backend = poller_name(loop_poller(app->loop));
    struct channel *channel = app_focused(app);
    struct session_view view;

    if (!channel) {
        row_print(row, ROW_BAR, " no connection | %s", backend);
        return;
    }
    session_look(channel_session(channel), &view);
    row_print(row, ROW_BAR, " ");
    add_name(row, ROW_BAR, view.name);
    row_print(row, ROW_BAR, " | %s | %s", session_state_name(view.state), backend);
    title_add_place(app, row);
    if (view.state == SESSION_OPEN && app->options.is_animated)
        title_add_age(row, loop_now(app->loop) - view.since);
    title_add_count(row, channel_lines(channel), "line");
    title_add_count(row, view.received, "byte");
}

/* What is not always so, at the right. */
static void title_add_marks(struct app *app, struct text *text)
{
    uint64_t unseen;
    uint64_t below = pane_below(&app->pane, &unseen);

    if (app->message[0] != '\0')
        text_add(text, " %s ", app->message);
    if (below > 0) {
        text_add(text, " ");
        add_count(text, unseen > 0 ? unseen : below, unseen > 0 ? "new line" : "line");
        text_add(text, " below ");
    } else if (!app->pane.is_following) {
        text_add(text, " scrolled back ");
    }
    if (app->is_stepping)
        text_add(text, " step mode ");
    if (app->log_fd >= 0)
        text_add(text, " log ");
}

static void face_title(struct app *app)
{
    char right[512];
    struct text text;
    struct row row;
    struct row marks;

    text_init(&text, right, sizeof right);
    title_add_marks(app, &text);
    row_init(&marks, (size_t)app->columns);
    row_add(&marks, ROW_BAR, right, strlen(right));
    row_init(&row, (size_t)app->columns - marks.used);
    title_add_state(app, &row);
    row_pad(&row, ROW_BAR, row.columns);
    row.columns = (size_t)app->columns;
    row_add_shown(&row, ROW_BAR, marks.bytes, marks.length);
    screen_put(app->screen, app->layout.title, &row);
}

/* ---- pane ---- */

const char *face_label(void *owner, unsigned channel)
{
    const struct app *app = owner;

    return app->name_count > 1 && channel < app->name_count ? app->names[channel].text : NULL;
}

static void put_pane_row(void *owner, size_t index, const struct row *row)
{
    const struct app *app = owner;

    screen_put(app->screen, app->layout.pane + (int)index, row);
}

/* Composes the pane; the unfinished lines stay the channels' own. */
static void compose_pane(struct app *app, pane_put_fn *put, void *owner)
{
    struct pane_partial partials[APP_CHANNELS];
    int64_t now = app->is_over ? INT64_MAX : loop_now(app->loop);

    app->pane.partials = partials;
    app->pane.partial_count = 0;
    for (size_t i = 0; i < app->channel_count; i++)
        if (channel_partial(app->channels[i], now, &partials[app->pane.partial_count]))
            app->pane.partial_count++;
    pane_compose(&app->pane, put, owner);
    app->pane.partials = NULL;
    app->pane.partial_count = 0;
}

/* ---- inspector ---- */

static void put_inspector_row(void *owner, size_t index, const struct row *row)
{
    const struct app *app = owner;

    screen_put(app->screen, app->layout.inspector + (int)index, row);
}

static void face_inspector(struct app *app)
{
    struct inspector_scene scene = {.about = app->is_stepping ? app->about : NULL,
                                    .backend = poller_name(loop_poller(app->loop))};

    for (size_t i = 0; i < app->channel_count; i++)
        scene.unread += session_unread(channel_session(app->channels[i]));
    inspector_compose(app->inspector, &scene, (size_t)app->layout.inspector_rows,
                      (size_t)app->columns, put_inspector_row, app);
}

/* ---- status ---- */

static void status_add_spinner(const struct app *app, struct row *row, enum session_state state)
{
    const struct spinner *spinner = app->options.spinner;
    const char *frame = spinner_frame(spinner, app->frame);

    if (!app->options.is_animated)
        return;
    if (state != SESSION_ENDED)
        row_add(row, ROW_PLAIN, frame, strlen(frame));
    row_pad(row, ROW_PLAIN, spinner->columns + 1);
}

static void status_add_wait(const struct app *app, struct text *text,
                            const struct session_view *view)
{
    int64_t left = view->retry_due - loop_now(app->loop);

    text_add(text, "trying again");
    if (app->options.is_animated && left > 0)
        text_add(text, " in %.1f s", (double)left / (double)CLOCK_SECOND);
}

static void status_add_words(const struct app *app, struct row *row, const struct channel *channel,
                             const struct session_view *view)
{
    char words[1024];
    struct text text;

    text_init(&text, words, sizeof words);
    if (view->state == SESSION_CONNECTING)
        session_describe(channel_session(channel), words, sizeof words);
    else if (view->state == SESSION_WAITING) /* why stands in the pane */
        status_add_wait(app, &text, view);
    else
        text_add(&text, "%s", session_state_name(view->state));
    row_print(row, state_style(view->state), "%s", words);
    if (view->is_held)
        row_print(row, ROW_BUSY, ", paused");
    if (view->queued > 0)
        row_print(row, ROW_BUSY, ", %zu bytes to send", view->queued);
    if (view->state != SESSION_OPEN || !app->options.is_animated)
        return;
    text_init(&text, words, sizeof words);
    if (channel_last(channel) == 0) {
        text_add(&text, ", nothing received yet");
    } else {
        text_add(&text, ", last received ");
        add_age(&text, loop_now(app->loop) - channel_last(channel));
        text_add(&text, " ago");
    }
    row_add(row, ROW_DIM, words, strlen(words));
}

static void put_status(struct app *app, int at, size_t index)
{
    const struct channel *channel = app->channels[index];
    unsigned colour = channel_number(channel) % ROW_CHANNELS;
    struct session_view view;
    struct row row;

    session_look(channel_session(channel), &view);
    row_init(&row, (size_t)app->columns);
    status_add_spinner(app, &row, view.state);
    if (app->channel_count > 1)
        row_print(&row, ROW_PLAIN, "%c%zu ", index == app->focus ? '>' : ' ', index + 1);
    add_name(&row, (enum row_style)(ROW_CHANNEL + colour), view.name);
    row_print(&row, ROW_PLAIN, "  ");
    status_add_words(app, &row, channel, &view);
    screen_put(app->screen, at, &row);
}

static void put_no_status(struct app *app, int at)
{
    struct row row;

    row_init(&row, (size_t)app->columns);
    row_print(&row, ROW_DIM, "no connection; /connect TARGET makes one, /quit leaves");
    screen_put(app->screen, at, &row);
}

/* Where there are more connections than rows, those around the one in focus. */
static void face_status(struct app *app)
{
    size_t rows = (size_t)app->layout.status_rows;
    size_t first = 0;

    if (app->focus >= rows && rows > 0)
        first = app->focus - rows + 1;
    for (size_t i = 0; i < rows; i++)
        if (first + i < app->channel_count)
            put_status(app, app->layout.status + (int)i, first + i);
        else
            put_no_status(app, app->layout.status + (int)i);
}

/* ---- input ---- */

/* Adds the characters from START to END as far as they fit. */
static void input_add(struct row *row, const struct editor_view *view, size_t start, size_t end)
{
    char bytes[INPUT_BYTES];
    size_t length = 0;
    mbstate_t state;

    memset(&state, 0, sizeof state);
    while (start < end && length + MB_LEN_MAX <= sizeof bytes) {
        size_t n = wcrtomb(bytes + length, view->line[start++], &state);

        if (n == (size_t)-1) {
            memset(&state, 0, sizeof state);
            bytes[length] = '?';
            n = 1;
        }
        length += n;
    }
    row_add(row, ROW_PLAIN, bytes, length);
}

/* Whether the cursor, behind the characters from START on, stands within the row behind USED. */
static bool input_fits(const struct app *app, const struct editor_view *view, size_t start,
                       size_t used)
{
    struct row row;

    row_init(&row, ROW_COLUMNS_MAX);
    input_add(&row, view, start, view->cursor);
    return used + row.used < (size_t)app->columns;
}

/* Whether the character takes no column, and stands on the one before it. */
static bool input_is_mark(const struct editor_view *view, size_t at)
{
    struct row row;

    row_init(&row, ROW_COLUMNS_MAX);
    row_add(&row, ROW_PLAIN, "x", 1);
    input_add(&row, view, at, at + 1);
    return row.used == 1;
}

/* Moves the start as little as is needed, and then by a few characters, so that it does not move
 * with every key. Never to a mark, which would stand on the prompt. */
static void input_scroll(struct app *app, const struct editor_view *view, size_t used)
{
    size_t step = (size_t)app->columns / 4 + 1;

    if (app->input_start > view->length)
        app->input_start = view->length;
    while (app->input_start > view->cursor)
        app->input_start = app->input_start > step ? app->input_start - step : 0;
    if (view->cursor > app->input_start + (size_t)app->columns)
        app->input_start = view->cursor - (size_t)app->columns;
    while (app->input_start < view->cursor && !input_fits(app, view, app->input_start, used))
        app->input_start +=
            step < view->cursor - app->input_start ? step : view->cursor - app->input_start;
    while (app->input_start > 0 && app->input_start < view->cursor &&
           input_is_mark(view, app->input_start))
        app->input_start++;
}

/* Shows more of the beginning where all behind it has room: the row has become longer, or the line
 * shorter. */
static void input_unscroll(struct app *app, const struct editor_view *view, size_t used)
{
    struct editor_view whole = *view;
    size_t step = (size_t)app->columns / 4 + 1;

    whole.cursor = whole.length;
    while (app->input_start > 0) {
        size_t start = app->input_start > step ? app->input_start - step : 0;

        if (!input_fits(app, &whole, start, used))
            return;
        app->input_start = start;
    }
}

static void input_add_prompt(struct app *app, struct row *row, const struct editor_view *view)
{
    struct channel *channel = app_focused(app);
    size_t columns = row->columns;

    if (view->search) {
        struct editor_view search = {.line = view->search, .length = view->search_length};

        row->columns = columns / 2;
        input_add(row, &search, 0, search.length);
        row->columns = columns;
    } else if (channel) {
        add_name_in(row, ROW_STRONG, app_name(app, channel), columns / 2);
    }
    row_print(row, ROW_STRONG, "%s", columns > 8 ? "> " : ">");
}

static const char step_keys[] =
    "Space makes one turn, c goes on, Up and Down choose a call, q leaves";

static void face_input(struct app *app)
{
    struct editor_view view;
    struct row row;
    struct row before;
    size_t used;

    row_init(&row, (size_t)app->columns);
    if (app->is_stepping) {
        row_add(&row, ROW_MARK, step_keys, sizeof step_keys - 1);
        screen_put(app->screen, app->layout.input, &row);
        screen_cursor(app->screen, app->layout.input, 0);
        return;
    }
    editor_view(app->editor, &view);
    input_add_prompt(app, &row, &view);
    used = row.used;
    input_unscroll(app, &view, used);
    input_scroll(app, &view, used);
    before = row;
    input_add(&before, &view, app->input_start, view.cursor);
    input_add(&row, &view, app->input_start, view.length);
    screen_put(app->screen, app->layout.input, &row);
    screen_cursor(app->screen, app->layout.input,
                  (int)before.used < app->columns ? (int)before.used : app->columns - 1);
}

/* ---- all of it ---- */

void face_compose(struct app *app)
{
    face_lay_out(app);
    if (app->stale & FACE_TITLE && app->layout.title_rows > 0)
        face_title(app);
    if (app->stale & FACE_PANE)
        compose_pane(app, put_pane_row, app);
    if (app->stale & FACE_INSPECTOR && app->layout.inspector_rows > 0)
        face_inspector(app);
    if (app->stale & FACE_STATUS)
        face_status(app);
    if (app->stale & FACE_INPUT)
        face_input(app);
}

struct printer {
    struct app *app;
    size_t blank; /* rows without text that were not printed: there may be no lines below */
};

static void print_row(void *owner, size_t index, const struct row *row)
{
    struct printer *printer = owner;
    struct tty *tty = &printer->app->tty;

    (void)index;
    if (row->length == 0) {
        printer->blank++;
        return;
    }
    for (; printer->blank > 0; printer->blank--)
        tty_write(tty, "\r\n", 2);
    tty_write(tty, row->bytes, row->length);
    tty_write(tty, "\r\n", 2);
}

void face_print_last(struct app *app)
{
    struct printer printer = {.app = app};
    size_t rows = (size_t)app->layout.pane_rows + (size_t)app->layout.inspector_rows;

    pane_resize(&app->pane, rows < LAST_ROWS ? rows : LAST_ROWS, (size_t)app->columns);
    pane_to_bottom(&app->pane);
    compose_pane(app, print_row, &printer);
}
