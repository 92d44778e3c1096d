/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The full screen's life: it takes the terminal, runs until somebody or something ends it, and
 * gives the terminal back.
 *
 * Who waits: main calls app_run, that asks the editor for a line, libedit asks for a key, and that
 * makes turns of the loop (ui/editor.h). So all handlers run below libedit, and the way out is to
 * set is_over: the editor then returns no line, and app_run goes on behind its loop.
 *
 * Who paints: a handler changes state and touches the parts of the screen that show it. Step 3 of a
 * turn composes those parts and writes the difference, at most once every PACE_NS, and only when
 * the terminal has taken the frame before: one that is stopped misses frames and blocks nothing.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/commands.h"
#include "client/inside.h"
#include "trace/strace.h"
#include "ui/history.h"

#define PACE_NS    (20 * CLOCK_MILLISECOND)
#define MESSAGE_NS (4 * CLOCK_SECOND)

static const int app_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH};

/* ---- what others call ---- */

void app_touch(struct app *app, unsigned parts)
{
    app->stale |= parts;
    loop_mark_dirty(app->loop);
}

void app_note(struct app *app, const char *format, ...)
{
    char text[SCROLLBACK_LINE];
    struct scrollback_line line = {
        .kind = SCROLLBACK_NOTE, .second = clock_wall().tv_sec, .bytes = text};
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    line.length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    scrollback_add(app->scrollback, &line);
    app_touch(app, FACE_PANE | FACE_TITLE);
}

void app_say(struct app *app, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(app->message, sizeof app->message, format, args);
    va_end(args);
    timer_set(&app->message_end, loop_now(app->loop) + MESSAGE_NS);
    app_touch(app, FACE_TITLE);
}

/* What a key does while the loop stands still is not done because of its last wait. */
void app_did(struct app *app, const char *format, ...)
{
    char clause[INSPECTOR_DID];
    va_list args;

    if (app->is_asking)
        return;
    va_start(args, format);
    vsnprintf(clause, sizeof clause, format, args);
    va_end(args);
    inspector_did(app->inspector, "%s", clause);
}

/* Ends the program at its next turn. */
static void app_end(struct app *app)
{
    app->is_over = true;
    loop_stop(app->loop);
    editor_quit(app->editor);
}

void app_quit(struct app *app)
{
    if (app->is_over)
        return;
    app->result.is_left = true;
    app_end(app);
}

/* What the program cannot go on with. */
static void app_fail(struct app *app, const char *what, int error)
{
    if (app->is_over)
        return;
    app->result.end = SESSION_BROKEN;
    snprintf(app->result.why, sizeof app->result.why, "%s: %s", what, strerror(error));
    app_end(app);
}

struct channel *app_focused(const struct app *app)
{
    return app->focus < app->channel_count ? app->channels[app->focus] : NULL;
}

const char *app_name(const struct app *app, const struct channel *channel)
{
    return app->names[channel_number(channel)].text;
}

const char *app_target(const struct app *app, size_t index)
{
    return index < app->channel_count ? app_name(app, app->channels[index]) : NULL;
}

/* ---- calls of the poller ---- */

static void app_on_call(void *context, const struct poller_call *call)
{
    struct app *app = context;
    char line[STRACE_LINE];
    size_t n = 0;

    if (!app->options.on_call && !inspector_wants_text(app->inspector)) {
        inspector_call(app->inspector, call, NULL, 0);
        return;
    }
    n = strace_format(call, line, sizeof line - 1);
    inspector_call(app->inspector, call, line, n);
    if (!app->options.on_call)
        return;
    line[n] = '\n';
    app->options.on_call(app->options.owner, line, n + 1);
}

void app_observe(struct app *app, struct poller *poller)
{
    poller_observe(poller, app_on_call, app);
}

/* ---- painting ---- */

static void app_paint(struct app *app)
{
    const char *bytes;
    size_t n;

    face_compose(app);
    app->stale = 0;
    app->is_urgent = false;
    bytes = screen_frame(app->screen, &n);
    if (!bytes)
        app_fail(app, "screen", errno);
    else if (n > 0 && tty_write(&app->tty, bytes, n) < 0)
        app_fail(app, "terminal", errno);
    if (n == 0 || app->is_over)
        return;
    app->painted_at = loop_now(app->loop);
    app->paints++;
    app_did(app, "painted the screen");
}

void app_paint_now(struct app *app)
{
    if (app->is_on_screen && tty_is_drained(&app->tty))
        app_paint(app);
}

static void app_on_paint(void *owner)
{
    struct app *app = owner;
    int64_t due = app->painted_at + PACE_NS;

    if (app->stale == 0 || !app->is_on_screen || !tty_is_drained(&app->tty))
        return;
    if (app->is_urgent || loop_now(app->loop) >= due)
        app_paint(app);
    else if (!timer_is_set(&app->pace) && timer_set(&app->pace, due) < 0)
        app_fail(app, "memory", errno);
}

static void app_on_pace(void *owner)
{
    struct app *app = owner;

    app->is_urgent = true;
    loop_mark_dirty(app->loop);
}

/* ---- time ---- */

static bool app_has_live_channel(const struct app *app)
{
    struct session_view view;

    for (size_t i = 0; i < app->channel_count; i++) {
        session_look(channel_session(app->channels[i]), &view);
        if (view.state != SESSION_ENDED)
            return true;
    }
    return false;
}

static bool app_is_spinning(const struct app *app)
{
    return app->options.is_animated && app_has_live_channel(app);
}

/* Which second of its connection the title shows. */
static int64_t app_second(const struct app *app)
{
    struct channel *channel = app_focused(app);
    struct session_view view;

    if (!channel)
        return -1;
    session_look(channel_session(channel), &view);
    return (loop_now(app->loop) - view.since) / CLOCK_SECOND;
}

/* The frame follows from the time: those that were missed are left out, and none is late because
 * the one before it was. Where nothing spins there is a tick a second, for the times that are
 * shown; without animation these are left out, for they would be read out, and it only finds what
 * nobody tells of, such as a queue that has been sent. */
static void app_on_tick(void *owner)
{
    struct app *app = owner;
    bool spins = app_is_spinning(app);
    int64_t period = spins ? app->options.tick_ns : CLOCK_SECOND;
    int64_t passed = loop_now(app->loop) - app->start;
    int64_t second = app_second(app);

    if (spins && app->frame != (uint64_t)(passed / period))
        app_did(app, "turned the spinner");
    app_touch(app, FACE_STATUS | (second != app->second ? FACE_TITLE : 0));
    if (app->shows_inspector)
        app_touch(app, FACE_INSPECTOR);
    app->frame = (uint64_t)(passed / app->options.tick_ns);
    app->second = second;
    app->is_urgent = true;
    if (timer_set(&app->tick, app->start + (passed / period + 1) * period) < 0)
        app_fail(app, "memory", errno);
}

static void app_on_esc(void *owner)
{
    struct app *app = owner;

    keys_expire(&app->keys, loop_now(app->loop));
}

/* Looks again when the next of the unfinished lines will have stood for long enough. */
static void app_await_partial(struct app *app)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < app->channel_count; i++) {
        int64_t due = channel_partial_due(app->channels[i]);

        if (due >= 0 && due < least)
            least = due;
    }
    if (least != INT64_MAX && !timer_is_set(&app->partial) && timer_set(&app->partial, least) < 0)
        app_fail(app, "memory", errno);
}

static void app_on_partial(void *owner)
{
    app_touch(owner, FACE_PANE);
    app_await_partial(owner);
}

static void app_on_message_end(void *owner)
{
    struct app *app = owner;

    app->message[0] = '\0';
    app_touch(app, FACE_TITLE);
}

/* ---- the terminal ---- */

static void app_on_input(void *owner, const char *bytes, size_t n)
{
    struct app *app = owner;
    int64_t due;

    if (n == 0) {
        app_fail(app, "terminal", EIO);
        return;
    }
    app_did(app, "read %zu byte%s from the terminal", n, n == 1 ? "" : "s");
    keys_feed(&app->keys, bytes, n, loop_now(app->loop));
    due = keys_due(&app->keys);
    if (due >= 0 && timer_set(&app->esc, due) < 0)
        app_fail(app, "memory", errno);
}

static void app_on_output(void *owner)
{
    struct app *app = owner;

    if (app->tty.output.error)
        app_fail(app, "terminal", app->tty.output.error);
    else if (app->stale != 0)
        loop_mark_dirty(app->loop);
}

static int app_write(struct app *app, const char *bytes, size_t n)
{
    return bytes ? tty_write(&app->tty, bytes, n) : -1;
}

static int app_try_terminal(struct app *app)
{
    size_t n;
    const char *guard = screen_rescue(app->screen, &n);
    const char *bytes;

    if (tty_begin(&app->tty, guard, n) < 0)
        return -1;
    bytes = screen_begin(app->screen, &n);
    if (app_write(app, bytes, n) < 0) {
        int error = errno;

        tty_end(&app->tty);
        errno = error;
        return -1;
    }
    app->is_on_screen = true;
    app->is_urgent = true;
    app_touch(app, FACE_ALL);
    return 0;
}

/* Takes the terminal, at the start and after a stop. In the background the process is stopped in
 * the middle of that, and a signal that makes it go on may be one that is to end it. */
static int app_take_terminal(struct app *app)
{
    int result;

    do {
        loop_signals_tell(app->loop);
        if (app->is_over || app->is_on_screen)
            return 0;
        result = app_try_terminal(app);
    } while (result < 0 && errno == EINTR);
    return result;
}

static void app_give_terminal(struct app *app, bool is_last)
{
    const char *bytes;
    size_t n;

    if (!app->is_on_screen)
        return;
    app->is_on_screen = false;
    bytes = screen_end(app->screen, &n);
    app_write(app, bytes, n);
    if (is_last)
        face_print_last(app);
    tty_end(&app->tty);
}

static void app_resize(struct app *app)
{
    tty_size(&app->tty, &app->rows, &app->columns);
    if (screen_resize(app->screen, app->rows, app->columns) < 0)
        app_fail(app, "screen", errno);
    app->is_urgent = true;
    app_touch(app, FACE_ALL);
}

static void app_on_signal(void *owner, int signo);

void app_suspend(struct app *app)
{
    app_give_terminal(app, false);
    signal_die(SIGTSTP); /* stops here, and returns when the process goes on */
    loop_signal(app->loop, SIGTSTP, app_on_signal, app);
    loop_signal_forget(SIGCONT);
    if (app_take_terminal(app) < 0)
        app_fail(app, "terminal", errno);
    app_resize(app);
}

/* Whoever stopped the process with SIGSTOP may have changed the terminal meanwhile. In the
 * background it is stopped again here, and its going on is told once more. The other screen is left
 * first: one that is taken twice has forgotten where the cursor stood before. */
static void app_on_continue(struct app *app)
{
    const char *bytes;
    size_t n;

    if (!app->is_on_screen || app->is_over)
        return;
    if (tty_begin_again(&app->tty) < 0) {
        if (errno != EINTR)
            app_fail(app, "terminal", errno);
        return;
    }
    bytes = screen_end(app->screen, &n);
    app_write(app, bytes, n);
    bytes = screen_begin(app->screen, &n);
    app_write(app, bytes, n);
    app_resize(app);
}

static void app_on_signal(void *owner, int signo)
{
    struct app *app = owner;

    if (signo == SIGWINCH) {
        app_resize(app);
    } else if (signo == SIGCONT) {
        app_on_continue(app);
    } else if (signo == SIGTSTP) {
        app_suspend(app);
    } else {
        app->result.signo = signo;
        app->result.is_left = true;
        app_end(app);
    }
}

static int app_catch_signals(struct app *app)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log at its limit ends, and nothing else does */
    for (size_t i = 0; i < sizeof app_signals / sizeof *app_signals; i++) {
        int signo = app_signals[i];

        if (signo == SIGHUP && signal_is_ignored(SIGHUP))
            continue;
        if (loop_signal(app->loop, signo, app_on_signal, app) < 0)
            return -1;
    }
    return 0;
}

/* ---- the connections ---- */

static void app_on_data(void *owner, struct channel *channel, size_t n)
{
    struct app *app = owner;

    keep_flush(app);
    inspector_read(app->inspector, n);
    app_did(app, "read %zu byte%s from %s", n, n == 1 ? "" : "s", app_name(app, channel));
    app_await_partial(app);
    app_touch(app, FACE_PANE | FACE_TITLE | FACE_STATUS);
}

static bool app_on_line(void *owner, struct channel *channel, const struct scrollback_line *line)
{
    struct app *app = owner;
    uint64_t limit = app->options.line_limit;

    keep_line(app, channel, line);
    if (line->goes_on || limit == 0)
        return true;
    app->limited++;
    return app->limited < limit;
}

static void app_on_state(void *owner, struct channel *channel)
{
    struct app *app = owner;
    struct session_view view;

    session_look(channel_session(channel), &view);
    keep_flush(app); /* a line may have ended with its connection */
    app_did(app, "found %s %s", view.name, session_state_name(view.state));
    app_touch(app, FACE_TITLE | FACE_STATUS | FACE_INPUT);
}

/* Told once for each connection that was lost, and once for the first that could not be made; the
 * tries in between are in its status row. */
static void app_on_retry(void *owner, struct channel *channel, const char *why)
{
    struct app *app = owner;
    struct app_name *name = &app->names[channel_number(channel)];
    struct session_view view;

    session_look(channel_session(channel), &view);
    if (name->told_of == view.since)
        return;
    name->told_of = view.since;
    app_note(app, "%s", why);
}

/* The first end that is not one in order is what the program tells; else the last one. */
static void app_keep_end(struct app *app, enum session_end end, const char *why)
{
    bool is_good = app->result.end == SESSION_CLOSED || app->result.end == SESSION_SHOWN;

    if (!is_good && app->result.why[0] != '\0')
        return;
    app->result.end = end;
    snprintf(app->result.why, sizeof app->result.why, "%s", why);
}

static void app_remove_channel(struct app *app, const struct channel *channel)
{
    for (size_t i = 0; i < app->channel_count; i++)
        if (app->channels[i] == channel)
            app_remove(app, i);
}

static void app_on_end(void *owner, struct channel *channel, enum session_end end, const char *why)
{
    struct app *app = owner;
    char shown[ADDRESS_TEXT + 64];

    if (end == SESSION_SHOWN) {
        snprintf(shown, sizeof shown, "%s: %llu line%s shown", app_name(app, channel),
                 (unsigned long long)app->limited, app->limited == 1 ? "" : "s");
        why = shown;
    }
    app_touch(app, FACE_ALL);
    if (end == SESSION_LEFT) {
        app_note(app, "%s: closed", app_name(app, channel));
        app_remove_channel(app, channel);
        return;
    }
    app_keep_end(app, end, why);
    if (end == SESSION_SHOWN || (!app->options.keeps_open && !app_has_live_channel(app)))
        app_end(app);
    if (!app->is_over || strcmp(why, app->result.why) != 0) /* else it is told behind the screen */
        app_note(app, "%s", why);
}

/* To be called behind a turn of the loop: what the channels have marked is closed by then. */
static void app_reap(struct app *app)
{
    for (size_t i = 0; i < app->leaving_count; i++)
        channel_free(app->leaving[i]);
    app->leaving_count = 0;
}

static void app_dismiss(struct app *app, struct channel *channel)
{
    channel_cancel(channel);
    app->leaving[app->leaving_count++] = channel;
    app_touch(app, FACE_ALL);
}

void app_remove(struct app *app, size_t index)
{
    struct channel *channel = app->channels[index];

    if (app->leaving_count == APP_CHANNELS)
        return;
    app->channel_count--;
    memmove(app->channels + index, app->channels + index + 1,
            (app->channel_count - index) * sizeof *app->channels);
    if (app->focus > index || (app->focus == app->channel_count && app->focus > 0))
        app->focus--;
    app_dismiss(app, channel);
}

static int app_name_channel(struct app *app, const struct target *target)
{
    size_t size = (size_t)(app->name_count + 1) * sizeof *app->names;
    struct app_name *names = realloc(app->names, size);

    if (!names)
        return -1;
    app->names = names;
    names[app->name_count].told_of = -1;
    target_format(target, names[app->name_count++].text);
    return 0;
}

static struct channel *app_open_channel(struct app *app, unsigned number,
                                        const struct target *target)
{
    struct session_options options = app->options.session;

    options.target = *target;
    options.input_fd = -1;
    return channel_new(&app->world, number, &options);
}

int app_add(struct app *app, const struct target *target)
{
    struct channel *channel;

    if (app->channel_count == APP_CHANNELS) {
        errno = ENOSPC;
        return -1;
    }
    if (app_name_channel(app, target) < 0)
        return -1;
    channel = app_open_channel(app, app->name_count - 1, target);
    if (!channel) {
        app->name_count--;
        return -1;
    }
    app->channels[app->channel_count++] = channel;
    app_touch(app, FACE_ALL);
    return 0;
}

int app_renew(struct app *app, size_t index, const struct target *target)
{
    unsigned number = channel_number(app->channels[index]);
    struct channel *channel;

    if (app->leaving_count == APP_CHANNELS) {
        errno = EAGAIN;
        return -1;
    }
    channel = app_open_channel(app, number, target);
    if (!channel)
        return -1;
    app_dismiss(app, app->channels[index]);
    app->channels[index] = channel;
    app->names[number].told_of = -1;
    return 0;
}

static int app_add_all(struct app *app)
{
    const struct app_options *options = &app->options;
    struct target target;
    const char *why;

    for (size_t i = 0; i < options->target_count; i++) {
        if (target_parse(&target, options->targets[i], options->default_port, &why) < 0) {
            errno = EINVAL;
            return -1;
        }
        if (app_add(app, &target) < 0)
            return -1;
    }
    return 0;
}

/* ---- the beginning ---- */

static void app_check_history(struct app *app)
{
    int error = editor_history_error(app->editor);

    if (error == app->history_error)
        return;
    app->history_error = error;
    app_say(app, "what is typed is not kept: %s", strerror(error));
}

/* What the last keys did to the line is painted by this turn, before it waits. */
static bool app_pump(void *owner, bool may_wait)
{
    struct app *app = owner;
    int result;

    if (app->is_over)
        return false;
    if (editor_take_change(app->editor))
        app_touch(app, FACE_INPUT);
    if (editor_take_bells(app->editor) > 0)
        screen_beep(app->screen);
    result = may_wait ? loop_turn(app->loop) : loop_look(app->loop);
    if (result < 0)
        app_fail(app, "waiting", errno);
    app_reap(app);
    return !app->is_over;
}

static void app_init_timers(struct app *app)
{
    timer_init(&app->tick, app->loop, app_on_tick, app);
    timer_init(&app->esc, app->loop, app_on_esc, app);
    timer_init(&app->partial, app->loop, app_on_partial, app);
    timer_init(&app->pace, app->loop, app_on_pace, app);
    timer_init(&app->message_end, app->loop, app_on_message_end, app);
}

static struct editor *app_open_editor(struct app *app)
{
    char path[4096];
    struct editor_options options = {
        .program = "pollspin", .pump = app_pump, .complete = ask_complete, .owner = app};

    if (history_path(path, sizeof path) == 0)
        options.history_path = path;
    return editor_new(&options);
}

/* The editor comes before the screen: libedit's terminal would else be the one drawn for. */
static const char *app_open_parts(struct app *app)
{
    const struct app_options *options = &app->options;

    if (app_catch_signals(app) < 0)
        return "signals";
    app->scrollback = scrollback_new(options->scrollback_lines,
                                     options->scrollback_lines * APP_LINE_BYTES + SCROLLBACK_LINE);
    app->inspector = inspector_new(app->loop);
    if (!app->scrollback || !app->inspector)
        return "memory";
    app->world.scrollback = app->scrollback;
    app->editor = app_open_editor(app);
    if (!app->editor)
        return "input line";
    if (tty_open(&app->tty, app->loop, app_on_input, app_on_output, app) < 0)
        return "terminal";
    app->has_tty = true;
    tty_size(&app->tty, &app->rows, &app->columns);
    app->screen = screen_open(app->rows, app->columns, options->has_colour);
    return app->screen ? NULL : "screen";
}

static void app_init_view(struct app *app)
{
    const char *format = app->options.timestamp_format;

    keys_init(&app->keys, ask_on_key, app);
    screen_tell_keys(app->screen, &app->keys);
    pane_init(&app->pane, app->scrollback, face_label, app);
    if (format)
        app_toggle_timestamps(app, format);
    app->options.spinner = spinner_for_locale(app->options.spinner);
    app->start = loop_now(app->loop);
    app_observe(app, loop_poller(app->loop));
    loop_on_paint(app->loop, app_on_paint, app);
    loop_on_wait(app->loop, step_before_wait, app);
    if (app->options.shows_inspector)
        app_toggle_inspector(app);
    app->has_grabbed = false;
    app_check_history(app);
    if (app->options.is_stepping)
        app_toggle_step(app);
}

static const char *app_start(struct app *app)
{
    const char *what = app_open_parts(app);

    if (what)
        return what;
    app_init_view(app);
    if (app_add_all(app) < 0)
        return "targets";
    if (timer_set(&app->tick, app->start) < 0)
        return "memory";
    return app_take_terminal(app) < 0 ? "terminal" : NULL;
}

struct app *app_new(const struct app_options *options, const char **what)
{
    struct app *app = calloc(1, sizeof *app);
    int error;

    *what = "memory";
    if (!app)
        return NULL;
    app->options = *options;
    app->loop = options->loop;
    app->log_fd = -1;
    app->world = (struct channel_world){.loop = app->loop,
                                        .owner = app,
                                        .on_data = app_on_data,
                                        .on_line = app_on_line,
                                        .on_state = app_on_state,
                                        .on_retry = app_on_retry,
                                        .on_end = app_on_end};
    app_init_timers(app);
    *what = app_start(app);
    if (!*what)
        return app;
    error = errno;
    app_free(app);
    errno = error;
    return NULL;
}

/* ---- the end ---- */

/* Nothing is told any more; the loop makes the turn that closes what is marked. */
static void app_stop(struct app *app)
{
    loop_on_wait(app->loop, NULL, NULL);
    loop_on_paint(app->loop, NULL, NULL);
    for (size_t i = 0; i < app->channel_count; i++)
        channel_cancel(app->channels[i]);
    if (app->channel_count + app->leaving_count > 0)
        loop_look(app->loop);
    app_reap(app);
    for (size_t i = 0; i < app->channel_count; i++)
        channel_free(app->channels[i]);
    app->channel_count = 0;
}

static void app_stop_timers(struct app *app)
{
    struct timer *const timers[] = {&app->tick, &app->esc, &app->partial, &app->pace,
                                    &app->message_end};

    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        timer_stop(timers[i]);
}

void app_run(struct app *app, struct app_result *result)
{
    const char *line;

    while (!app->is_over && (line = editor_read(app->editor))) {
        ask_submit(app, line);
        app_check_history(app);
    }
    if (!app->is_over)
        app_quit(app); /* Ctrl-D, or Ctrl-C, on an empty line */
    /* One that came together with another end says more about it. */
    loop_signals_tell(app->loop);
    keep_end(app);
    app_give_terminal(app, true);
    *result = app->result;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    app_give_terminal(app, false);
    /* The turn that is still to be made must not take the terminal again. */
    loop_signals_fini(app->loop);
    keep_end(app);
    app_stop(app);
    app_stop_timers(app);
    poller_observe(loop_poller(app->loop), NULL, NULL);
    screen_close(app->screen);
    if (app->has_tty)
        tty_close(&app->tty);
    editor_free(app->editor);
    keys_fini(&app->keys);
    inspector_free(app->inspector);
    scrollback_free(app->scrollback);
    free(app->names);
    free(app);
}
