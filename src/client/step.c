/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step mode: the loop stands still before each wait and says what it is about to ask; a key lets it
 * make exactly one turn, and what came back and was done is told before the next.
 *
 * While it stands still nothing but the keyboard and signals are looked at, by a poll(2) of the
 * terminal's own that is no part of the loop and is not shown. What arrives meanwhile stays in the
 * kernel, and the next wait reports it. The spinner stands still too: that is what a loop which
 * does not turn looks like.
 */
#include "config.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/inside.h"

static void step_describe(struct app *app, int64_t timeout_ns)
{
    struct text text;
    char words[sizeof app->about / 2];

    text_init(&text, app->about, sizeof app->about);
    inspector_describe_last(app->inspector, words, sizeof words);
    text_add(&text, "%s%s", words, words[0] != '\0' ? "\n" : "");
    inspector_describe_next(app->inspector, timeout_ns, words, sizeof words);
    text_add(&text, "%s", words);
}

/* Lets one key or signal come, and shows what it has changed. */
static void step_await_key(struct app *app)
{
    bool has_more = !tty_is_drained(&app->tty);

    if (app->stale != 0 && !has_more)
        app_paint_now(app);
    tty_await_input(&app->tty, loop_signals_fd(), -1);
    loop_signals_tell();
}

void step_before_wait(void *owner, int64_t timeout_ns)
{
    struct app *app = owner;

    if (!app->is_stepping || app->is_over || !app->is_on_screen)
        return;
    step_describe(app, timeout_ns);
    app->may_go = false;
    app->is_asking = true;
    app_touch(app, FACE_ALL);
    while (!app->may_go && app->is_stepping && !app->is_over)
        step_await_key(app);
    app->is_asking = false;
    app_touch(app, FACE_INPUT | FACE_INSPECTOR);
}

static void step_go(struct app *app)
{
    inspector_let_go(app->inspector);
    app->may_go = true;
}

static bool step_on_text(struct app *app, wchar_t c)
{
    switch (c) {
    case L' ':
    case L'\r':
    case L'\n':
    case L's':
        step_go(app);
        return true;
    case L'c':
    case 0x1b:
        app_toggle_step(app);
        return true;
    case L'q':
    case 0x03:
    case 0x04:
        app_quit(app);
        return true;
    case 0x1a:
        app_suspend(app);
        return true;
    default:
        screen_beep(app->screen);
        app_touch(app, FACE_INPUT);
        return true;
    }
}

bool step_on_key(struct app *app, const struct keys_event *event)
{
    if (!app->is_asking)
        return false;
    switch ((int)event->key) {
    case KEYS_TEXT:
        return step_on_text(app, event->character);
    case KEYS_F1 + 4:
        step_go(app);
        return true;
    case KEYS_UP:
    case KEYS_DOWN:
        inspector_choose(app->inspector, event->key == KEYS_UP ? -1 : 1);
        app_touch(app, FACE_INSPECTOR);
        return true;
    case KEYS_PAGE_UP:
    case KEYS_PAGE_DOWN:
    case KEYS_HOME:
    case KEYS_END:
    case KEYS_TO_TOP:
    case KEYS_TO_BOTTOM:
        return false; /* they scroll, as always */
    default:
        return true;
    }
}
