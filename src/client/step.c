/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step mode: the loop stands still before each wait and says what it is about to ask; a key lets it
 * make exactly one turn, and what came back and was done is told before the next.
 *
 * While it stands still nothing but the keyboard, signals and what the terminal has not taken yet
 * are looked at, by a poll(2) of the terminal's own that is no part of the loop and is not shown.
 * What arrives meanwhile stays in the kernel, and the next wait reports it. The spinner stands
 * still too: that is what a loop which does not turn looks like. The wait that follows keeps the
 * limit that was said: what a slow terminal has not taken of the last frame by then goes out at its
 * end.
 *
 * In step mode all keys are for it, also those that come while a turn is being made: who presses
 * Space often gets as many turns, and no spaces in the input line. Those behind the key that ends
 * it are for the line again.
 */
#include "config.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/inside.h"

/* At the first stop there is nothing to tell of but the last wait: what the loop did while nobody
 * looked was no step. */
static void step_describe(struct app *app, int64_t timeout_ns)
{
    struct text text;
    char words[sizeof app->about / 2];

    if (app->about[0] == '\0')
        inspector_describe_next(app->inspector, timeout_ns, words, sizeof words);
    text_init(&text, app->about, sizeof app->about);
    inspector_describe_last(app->inspector, words, sizeof words);
    text_add(&text, "%s%s", words, words[0] != '\0' ? "\n" : "");
    inspector_describe_next(app->inspector, timeout_ns, words, sizeof words);
    text_add(&text, "%s", words);
}

/* Lets keys or signals come. A lone ESC is told by the loop's time, which stands still too. */
static void step_await_key(struct app *app)
{
    int64_t due = keys_due(&app->keys);
    int64_t deadline = due < 0 ? -1 : clock_now() + due - loop_now(app->loop);

    tty_await_input(&app->tty, loop_signals_fd(app->loop), deadline);
    if (due >= 0 && clock_now() >= deadline)
        keys_expire(&app->keys, due);
    loop_signals_tell(app->loop);
}

/* What a key has changed is shown before the wait, which may last. */
void step_before_wait(void *owner, int64_t timeout_ns)
{
    struct app *app = owner;

    if (!app->is_stepping || app->is_over || !app->is_on_screen)
        return;
    step_describe(app, timeout_ns);
    app->is_asking = true;
    app_touch(app, FACE_ALL);
    app_paint_now(app);
    while (app->wanted == 0 && app->is_stepping && !app->is_over) {
        step_await_key(app);
        if (app->stale != 0)
            app_paint_now(app);
    }
    app->is_asking = false;
    if (app->wanted > 0)
        app->wanted--;
}

static void step_go(struct app *app)
{
    inspector_let_go(app->inspector);
    app_touch(app, FACE_INSPECTOR);
    app->wanted++;
}

static void step_escape(struct app *app)
{
    if (!inspector_has_choice(app->inspector)) {
        app_toggle_step(app);
        return;
    }
    inspector_let_go(app->inspector);
    app_touch(app, FACE_INSPECTOR);
}

static void step_on_text(struct app *app, wchar_t c)
{
    switch (c) {
    case L' ':
    case L'\r':
    case L'\n':
    case L's':
        step_go(app);
        break;
    case 0x1b:
        step_escape(app);
        break;
    case L'c':
        app_toggle_step(app);
        break;
    case L'q':
    case 0x03:
    case 0x04:
        app_quit(app);
        break;
    case 0x1a:
        app_suspend(app);
        break;
    case 0x0c:
        screen_redraw(app->screen);
        app_touch(app, FACE_ALL);
        break;
    default:
        screen_beep(app->screen);
        app_touch(app, FACE_INPUT);
    }
}

bool step_on_key(struct app *app, const struct keys_event *event)
{
    if (!app->is_stepping)
        return false;
    switch ((int)event->key) {
    case KEYS_TEXT:
        step_on_text(app, event->character);
        return true;
    case KEYS_F1 + 3: /* closes the inspector, without which there are no steps */
        app_toggle_step(app);
        return false;
    case KEYS_F1 + 4:
        step_go(app);
        return true;
    case KEYS_UP:
    case KEYS_DOWN:
        inspector_choose(app->inspector, event->key == KEYS_UP ? -1 : 1);
        app_touch(app, FACE_INSPECTOR);
        return true;
    case KEYS_RIGHT:
    case KEYS_LEFT:
    case KEYS_INSERT:
    case KEYS_DELETE:
    case KEYS_WORD_LEFT:
    case KEYS_WORD_RIGHT:
    case KEYS_BACKTAB:
        return true; /* there is no line */
    default:
        return false; /* what scrolls, does something else as always, or is pasted */
    }
}
