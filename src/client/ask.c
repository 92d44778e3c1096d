/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person can ask for, by a key or a command. Whatever cannot be done is said on the screen:
 * nothing here fails.
 *
 * Keys that belong to the line go through the editor's queue, Ctrl-C and Ctrl-D too: what they do
 * depends on whether the line is empty, and that is known only when all keys before them have been
 * worked on.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/sanitize.h"
#include "client/commands.h"
#include "client/inside.h"
#include "ui/stamp.h"

enum {
    CTRL_C = 0x03,
    CTRL_L = 0x0c,
    CTRL_Q = 0x11,
    CTRL_S = 0x13,
    CTRL_Z = 0x1a,
    ESC = 0x1b,
    TICK_MAX_MS = 10000
};

/* ---- keys ---- */

static void scroll_page(struct app *app, long direction)
{
    long rows = app->layout.pane_rows > 1 ? app->layout.pane_rows - 1 : 1;

    pane_scroll(&app->pane, direction * rows);
    app->is_urgent = true;
    app_touch(app, FACE_PANE | FACE_TITLE);
}

static void scroll_to(struct app *app, bool top)
{
    if (top)
        pane_to_top(&app->pane);
    else
        pane_to_bottom(&app->pane);
    app_touch(app, FACE_PANE | FACE_TITLE);
}

/* Whether the key was one that moves the pane. Home and End do while no line is being typed. */
static bool scroll_on_key(struct app *app, enum keys_key key)
{
    bool is_empty = editor_is_empty(app->editor);

    if (key == KEYS_PAGE_UP || key == KEYS_PAGE_DOWN)
        scroll_page(app, key == KEYS_PAGE_UP ? -1 : 1);
    else if (key == KEYS_TO_TOP || (key == KEYS_HOME && is_empty))
        scroll_to(app, true);
    else if (key == KEYS_TO_BOTTOM || (key == KEYS_END && is_empty))
        scroll_to(app, false);
    else
        return false;
    return true;
}

/* F4 opens the inspector and gives it Up and Down; Esc gives them back; F4 again closes it. */
static bool inspector_on_key(struct app *app, const struct keys_event *event)
{
    if (!app->shows_inspector || !app->has_grabbed)
        return false;
    if (event->key == KEYS_UP || event->key == KEYS_DOWN) {
        inspector_choose(app->inspector, event->key == KEYS_UP ? -1 : 1);
    } else if (event->key == KEYS_TEXT && event->character == ESC) {
        inspector_let_go(app->inspector);
        app->has_grabbed = false;
    } else {
        return false;
    }
    app->is_urgent = true;
    app_touch(app, FACE_INSPECTOR);
    return true;
}

static bool function_on_key(struct app *app, enum keys_key key)
{
    switch ((int)key) {
    case KEYS_F1:
        scroll_to(app, false);
        commands_help(app);
        return true;
    case KEYS_F1 + 1:
        app_focus(app, NULL);
        return true;
    case KEYS_F1 + 2:
        app_find(app, NULL);
        return true;
    case KEYS_F1 + 3:
        app_toggle_inspector(app);
        return true;
    case KEYS_F1 + 4:
        app_toggle_step(app);
        return true;
    default:
        return key >= KEYS_F1 && key <= KEYS_F12;
    }
}

/* What is typed and not worked on yet takes memory. */
static void tell_kept(struct app *app, bool is_kept)
{
    if (!is_kept)
        app_say(app, "what was typed is lost: %s", strerror(errno));
}

static void put_text(struct app *app, wchar_t c)
{
    switch (c) {
    case CTRL_C:
        if (!editor_clear(app->editor)) /* there must be a way to leave */
            app_quit(app);
        break;
    case CTRL_Z:
        app_suspend(app);
        break;
    case CTRL_L:
        screen_redraw(app->screen);
        app_touch(app, FACE_ALL);
        break;
    case CTRL_S: /* they stop and start a terminal that has them */
    case CTRL_Q:
        break;
    default:
        tell_kept(app, editor_put(app->editor, c));
    }
}

void ask_on_key(void *owner, const struct keys_event *event)
{
    struct app *app = owner;

    if (app->is_over || step_on_key(app, event) || inspector_on_key(app, event) ||
        scroll_on_key(app, event->key) || function_on_key(app, event->key))
        return;
    if (event->key == KEYS_PASTE) {
        if (event->is_cut)
            app_say(app, "the paste was cut at %d bytes", KEYS_PASTE_MAX);
        tell_kept(app, editor_paste(app->editor, event->bytes, event->length));
    } else if (event->key == KEYS_TEXT) {
        put_text(app, event->character);
    } else {
        tell_kept(app, editor_put_bytes(app->editor, event->bytes, event->length));
    }
}

/* What is possible is told below, where it has to be seen. */
size_t ask_complete(void *owner, const char *line, size_t cursor, char *insert, size_t size)
{
    size_t count = commands_complete(owner, line, cursor, insert, size);

    if (count > 1 && insert[0] == '\0')
        scroll_to(owner, false);
    return count;
}

void ask_submit(struct app *app, const char *line)
{
    app->input_start = 0;
    pane_to_bottom(&app->pane);
    app_touch(app, FACE_ALL);
    if (line[0] == '/' && line[1] != '/')
        commands_run(app, line);
    else
        app_send(app, line[0] == '/' ? line + 1 : line);
}

/* ---- connections ---- */

static void keep_sent(struct app *app, const struct channel *channel, const char *text)
{
    struct scrollback_line line = {
        .kind = SCROLLBACK_SENT, .channel = channel_number(channel), .second = clock_wall().tv_sec};
    size_t left = strlen(text);

    do {
        line.bytes = text;
        line.length = scrollback_piece(text, left);
        line.goes_on = left > line.length;
        scrollback_add(app->scrollback, &line);
        text += line.length;
        left -= line.length;
    } while (left > 0);
}

static void refuse_to_send(struct app *app, const struct channel *channel, int error)
{
    const char *name = app_name(app, channel);

    if (error == ENOBUFS)
        app_note(app, "not sent: %s has not taken what was sent before; Up brings the line back",
                 name);
    else if (error == ENOTCONN)
        app_note(app, "not sent: there is no connection to %s; Up brings the line back", name);
    else
        app_note(app, "not sent: %s: %s; Up brings the line back", name, strerror(error));
}

void app_send(struct app *app, const char *text)
{
    struct channel *channel = app_focused(app);
    size_t length = strlen(text);
    char *line;
    int result;

    if (!channel) {
        app_note(app, "not sent: there is no connection; /connect TARGET makes one");
        return;
    }
    line = malloc(length + 2);
    if (!line) {
        app_note(app, "not sent: %s", strerror(errno));
        return;
    }
    memcpy(line, text, length);
    memcpy(line + length, "\n", 2);
    result = session_send(channel_session(channel), line, length + 1);
    if (result == 0) {
        app_did(app, "sent %zu bytes to %s", length + 1, app_name(app, channel));
        keep_sent(app, channel, text);
    } else {
        refuse_to_send(app, channel, errno);
    }
    free(line);
}

/* Returns the index of the connection to the target that is written NAME; the count for none. */
static size_t find_channel(const struct app *app, const char *name)
{
    size_t i = 0;

    while (i < app->channel_count && strcmp(app_target(app, i), name) != 0)
        i++;
    return i;
}

/* Returns the index of a connection to NAME that has ended; the count for none. */
static size_t find_ended_channel(const struct app *app, const char *name)
{
    struct session_view view;
    size_t i;

    for (i = 0; i < app->channel_count; i++) {
        session_look(channel_session(app->channels[i]), &view);
        if (view.state == SESSION_ENDED && strcmp(app_target(app, i), name) == 0)
            break;
    }
    return i;
}

/* A target that is there already and has ended is tried again in its place. */
void app_connect(struct app *app, const char *text)
{
    struct target target;
    char name[ADDRESS_TEXT];
    const char *why;
    size_t index;
    int result;

    if (target_parse(&target, text, app->options.default_port, &why) < 0) {
        app_note(app, "/connect: target '%s': %s", text, why);
        return;
    }
    target_format(&target, name);
    index = find_ended_channel(app, name);
    result = index < app->channel_count ? app_renew(app, index, &target) : app_add(app, &target);
    if (result == 0)
        app->focus = index;
    else
        app_note(app, "/connect: %s: %s", name,
                 errno == ENOSPC ? "there are as many connections as can be" : strerror(errno));
}

void app_close(struct app *app)
{
    struct channel *channel = app_focused(app);
    struct session_view view;

    if (!channel) {
        app_note(app, "/close: there is no connection");
        return;
    }
    session_look(channel_session(channel), &view);
    if (view.state == SESSION_ENDED)
        app_remove(app, app->focus);
    else
        session_leave(channel_session(channel));
}

/* A part of the target will do; of a number that is none of the status rows, all of the port. */
static bool has_part(const char *target, const char *part)
{
    const char *port = strrchr(target, ':');

    if (part[strspn(part, "0123456789")] != '\0')
        return strstr(target, part) != NULL;
    return port && strcmp(port + 1, part) == 0;
}

/* By its number in the status rows, or by its target. */
static size_t choose_channel(const struct app *app, const char *which)
{
    uint64_t number;
    size_t i = 0;

    if (parse_number(which, 1, app->channel_count, &number) == 0)
        return (size_t)number - 1;
    i = find_channel(app, which);
    if (i < app->channel_count)
        return i;
    for (i = 0; i < app->channel_count && !has_part(app_target(app, i), which);)
        i++;
    return i;
}

void app_focus(struct app *app, const char *which)
{
    size_t index = app->focus + 1;

    if (app->channel_count == 0) {
        app_say(app, "there is no connection");
        return;
    }
    if (which)
        index = choose_channel(app, which);
    else
        index %= app->channel_count;
    if (index >= app->channel_count) {
        app_note(app, "/focus: there is no connection '%s'", which);
        return;
    }
    app->focus = index;
    app->is_urgent = true;
    app_touch(app, FACE_TITLE | FACE_STATUS | FACE_INPUT);
}

void app_toggle_pause(struct app *app)
{
    struct channel *channel = app_focused(app);
    struct session_view view;

    if (!channel) {
        app_note(app, "/pause: there is no connection");
        return;
    }
    session_look(channel_session(channel), &view);
    session_hold(channel_session(channel), !view.is_held);
    app_note(app, view.is_held ? "%s is read again" : "%s is not read until /pause comes again",
             view.name);
    app_touch(app, FACE_STATUS);
}

/* ---- waiting ---- */

static void refuse_backend(struct app *app, const char *name, int error)
{
    if (error == EINVAL)
        app_note(app, "/backend: there is no backend '%s'; Tab shows them", name);
    else if (error == ENOTSUP)
        app_note(app, "/backend: this system has no %s", name);
    else
        app_note(app, "/backend: %s: %s", name, strerror(error));
}

void app_set_backend(struct app *app, const char *name)
{
    struct poller *poller = poller_open(name);
    char why[256];
    int refused;

    if (!poller) {
        refuse_backend(app, name, errno);
        return;
    }
    app_observe(app, poller);
    if (loop_use(app->loop, poller, &refused) < 0) {
        poller_explain(poller, refused, errno, why, sizeof why);
        app_note(app, "/backend: %s; it stays %s", why, poller_name(loop_poller(app->loop)));
        poller_close(poller);
        return;
    }
    app_did(app, "moved every descriptor to %s", poller_name(poller));
    app_note(app, "waiting with %s", poller_name(poller));
    app_touch(app, FACE_ALL);
}

void app_toggle_inspector(struct app *app)
{
    app->shows_inspector = !app->shows_inspector;
    app->has_grabbed = app->shows_inspector;
    inspector_show(app->inspector, app->shows_inspector);
    inspector_let_go(app->inspector);
    app->is_urgent = true;
    app_touch(app, FACE_ALL);
}

void app_toggle_step(struct app *app)
{
    app->is_stepping = !app->is_stepping;
    app->wanted = 0;
    app->about[0] = '\0';
    inspector_let_go(app->inspector);
    if (app->is_stepping && !app->shows_inspector)
        app_toggle_inspector(app);
    app->is_urgent = true;
    app_touch(app, FACE_ALL);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void tell_channel(struct app *app, const struct channel *channel)
{
    uint64_t lines = channel_lines(channel);
    struct session_view view;

    session_look(channel_session(channel), &view);
    app_note(app, "%s: %s, %llu line%s, %llu byte%s in %llu read%s, %llu byte%s sent", view.name,
             session_state_name(view.state), (unsigned long long)lines, plural(lines),
             (unsigned long long)view.received, plural(view.received),
             (unsigned long long)view.reads, plural(view.reads), (unsigned long long)view.sent,
             plural(view.sent));
}

void app_stats(struct app *app)
{
    struct inspector_totals totals = inspector_totals(app->inspector);
    int64_t lasted = loop_now(app->loop) - totals.since;
    double share = lasted > 0 ? 100.0 * (double)totals.waiting_ns / (double)lasted : 0;

    for (size_t i = 0; i < app->channel_count; i++)
        tell_channel(app, app->channels[i]);
    app_note(app, "%s: %llu waits, %llu of them to their time limit, %llu events, %.1f %% waiting",
             poller_name(loop_poller(app->loop)), (unsigned long long)totals.waits,
             (unsigned long long)totals.timeouts, (unsigned long long)totals.events, share);
    app_note(app, "%llu paintings; %zu KiB of lines kept", (unsigned long long)app->paints,
             scrollback_memory(app->scrollback) / 1024);
}

/* ---- how it looks ---- */

void app_set_spinner(struct app *app, const char *name)
{
    const struct spinner *spinner = spinner_find(name);

    if (!spinner) {
        app_note(app, "/spinner: there is no spinner '%s'; Tab shows them", name);
        return;
    }
    app->options.spinner = spinner_for_locale(spinner);
    if (app->options.spinner != spinner)
        app_note(app, "/spinner: %s needs UTF-8; %s turns instead", name,
                 app->options.spinner->name);
    app_touch(app, FACE_STATUS);
}

void app_set_tick(struct app *app, const char *milliseconds)
{
    uint64_t ms;

    if (parse_number(milliseconds, 1, TICK_MAX_MS, &ms) < 0) {
        app_note(app, "/tick: '%s' is not a number of milliseconds from 1 to %d", milliseconds,
                 TICK_MAX_MS);
        return;
    }
    app->options.tick_ns = (int64_t)ms * CLOCK_MILLISECOND;
    timer_set(&app->tick, loop_now(app->loop));
}

static void set_timestamps(struct app *app, const char *format)
{
    if (strlen(format) >= sizeof app->stamp_format || !stamp_is_possible(format)) {
        app_note(app, "/timestamps: '%s' makes no text, or too long a one", format);
        return;
    }
    snprintf(app->stamp_format, sizeof app->stamp_format, "%s", format);
    app->pane.stamp_format = app->stamp_format;
}

/* Without a format they come back in the one that they had. */
void app_toggle_timestamps(struct app *app, const char *format)
{
    if (format)
        set_timestamps(app, format);
    else if (app->pane.stamp_format)
        app->pane.stamp_format = NULL;
    else if (app->stamp_format[0] != '\0')
        app->pane.stamp_format = app->stamp_format;
    else
        set_timestamps(app, app->options.default_format);
    app_touch(app, FACE_PANE);
}

void app_find(struct app *app, const char *text)
{
    bool is_again = !text;

    if (is_again && app->find[0] == '\0') {
        app_say(app, "/find TEXT looks for a text first");
        return;
    }
    if (text)
        snprintf(app->find, sizeof app->find, "%s", text);
    if (!pane_find(&app->pane, app->find, strlen(app->find), is_again))
        app_say(app, "'%s' is in none of the lines", app->find);
    app->is_urgent = true;
    app_touch(app, FACE_PANE | FACE_TITLE);
}

void app_clear(struct app *app)
{
    scrollback_clear(app->scrollback);
    pane_reset(&app->pane);
    app_touch(app, FACE_PANE | FACE_TITLE);
}
