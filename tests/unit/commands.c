/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands, with an app that only takes down what it was asked for: its functions are defined here,
 * so the linker leaves the real ones in the library. Notes go into a journal of their own.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/app.h"
#include "client/commands.h"
#include "kit/kit.h"
#include "pollspin/poller.h"
#include "ui/spinner.h"

enum { NOTES = 8192, COLUMNS = 78 };

struct app {
    const char *const *targets; /* ended by NULL */
    char asked[8192];
    char notes[NOTES];
    struct text notes_text;
};

/* ---- the app ---- */

static void take_down(struct app *app, const char *what, const char *argument)
{
    assert_string_equal(app->asked, "");
    snprintf(app->asked, sizeof app->asked, "%s%s%s%s", what, argument ? "(" : "",
             argument ? argument : "", argument ? ")" : "");
}

void app_note(struct app *app, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vadd(&app->notes_text, format, args);
    va_end(args);
    text_add(&app->notes_text, "\n");
    assert_false(text_is_cut(&app->notes_text));
}

void app_connect(struct app *app, const char *target)
{
    take_down(app, "connect", target);
}

void app_close(struct app *app)
{
    take_down(app, "close", NULL);
}

void app_focus(struct app *app, const char *which)
{
    take_down(app, "focus", which);
}

void app_set_backend(struct app *app, const char *name)
{
    take_down(app, "backend", name);
}

void app_set_spinner(struct app *app, const char *name)
{
    take_down(app, "spinner", name);
}

void app_set_tick(struct app *app, const char *milliseconds)
{
    take_down(app, "tick", milliseconds);
}

void app_toggle_inspector(struct app *app)
{
    take_down(app, "inspect", NULL);
}

void app_toggle_step(struct app *app)
{
    take_down(app, "step", NULL);
}

void app_toggle_pause(struct app *app)
{
    take_down(app, "pause", NULL);
}

void app_toggle_timestamps(struct app *app, const char *format)
{
    take_down(app, "timestamps", format);
}

void app_log(struct app *app, const char *file)
{
    take_down(app, "log", file);
}

void app_find(struct app *app, const char *text)
{
    take_down(app, "find", text);
}

void app_clear(struct app *app)
{
    take_down(app, "clear", NULL);
}

void app_stats(struct app *app)
{
    take_down(app, "stats", NULL);
}

void app_quit(struct app *app)
{
    take_down(app, "quit", NULL);
}

const char *app_target(const struct app *app, size_t index)
{
    for (size_t i = 0; app->targets[i]; i++)
        if (i == index)
            return app->targets[i];
    return NULL;
}

/* ---- asking it ---- */

static void app_init(struct app *app)
{
    static const char *const none[] = {NULL};

    *app = (struct app){.targets = none};
    text_init(&app->notes_text, app->notes, sizeof app->notes);
}

/* LINE must lead to ASKED, and to NOTES, lines ended by a newline. */
static void expect(const char *line, const char *asked, const char *notes)
{
    struct app app;

    app_init(&app);
    commands_run(&app, line);
    assert_string_equal(app.asked, asked);
    assert_string_equal(app.notes, notes);
}

/* Completes LINE at its end, or where it has a '|', with TARGETS known. */
static void expect_completion(const char *line, const char *const *targets, size_t count,
                              const char *inserted, const char *notes)
{
    struct app app;
    char text[256];
    char insert[256];
    size_t cursor = strcspn(line, "|");

    app_init(&app);
    if (targets)
        app.targets = targets;
    snprintf(text, sizeof text, "%.*s%s", (int)cursor, line, line + cursor + (line[cursor] == '|'));
    assert_int_equal(commands_complete(&app, text, cursor, insert, sizeof insert), count);
    assert_string_equal(insert, inserted);
    assert_string_equal(app.notes, notes);
    assert_string_equal(app.asked, "");
}

/* ---- running ---- */

static void every_command_asks_for_its_own(void **state)
{
    (void)state;
    expect("/connect localhost:7", "connect(localhost:7)", "");
    expect("/close", "close", "");
    expect("/focus 2", "focus(2)", "");
    expect("/focus", "focus", "");
    expect("/backend poll", "backend(poll)", "");
    expect("/spinner dots", "spinner(dots)", "");
    expect("/tick 100", "tick(100)", "");
    expect("/inspect", "inspect", "");
    expect("/step", "step", "");
    expect("/pause", "pause", "");
    expect("/timestamps", "timestamps", "");
    expect("/timestamps %H:%M", "timestamps(%H:%M)", "");
    expect("/log", "log", "");
    expect("/log a file", "log(a file)", "");
    expect("/find", "find", "");
    expect("/find two  words", "find(two  words)", "");
    expect("/clear", "clear", "");
    expect("/stats", "stats", "");
    expect("/quit", "quit", "");
}

static void blanks_around_are_left_out(void **state)
{
    (void)state;
    expect("/connect \t a:1 \t ", "connect(a:1)", "");
    expect("/connect\ta:1", "connect(a:1)", "");
    expect("/close   ", "close", "");
    expect("/focus \t", "focus", "");
}

static void a_name_may_be_cut_as_long_as_it_is_clear(void **state)
{
    (void)state;
    expect("/q", "quit", "");
    expect("/co a:1", "connect(a:1)", "");
    expect("/tic 100", "tick(100)", "");
    expect("/tim", "timestamps", "");
    expect("/sta", "stats", "");
}

static void an_unclear_name_says_what_it_could_be(void **state)
{
    (void)state;
    expect("/ti 100", "", "/ti could be: tick timestamps\n");
    expect("/c", "", "/c could be: connect close clear\n");
    expect("/st", "", "/st could be: step stats\n");
    expect("/", "",
           "/ could be: help connect close focus backend spinner tick inspect step pause "
           "timestamps log find clear stats quit\n");
    expect("/ quit", "",
           "/ could be: help connect close focus backend spinner tick inspect step pause "
           "timestamps log find clear stats quit\n");
}

static void an_unknown_name_says_what_is_near(void **state)
{
    (void)state;
    expect("/conect a:1", "", "there is no /conect; did you mean /connect?\n");
    expect("/connectt", "", "there is no /connectt; did you mean /connect?\n");
    expect("/hlep", "", "there is no /hlep; did you mean /help?\n");
    expect("/Quit", "", "there is no /Quit; did you mean /quit?\n");
    expect("/exit", "", "there is no /exit; did you mean /quit?\n");
    expect("/timstmps", "", "there is no /timstmps; did you mean /timestamps?\n");
    expect("/steps", "", "there is no /steps; did you mean /step?\n");
    expect("/xelp", "", "there is no /xelp; did you mean /help?\n");
}

static void an_unknown_name_far_from_all_leads_to_help(void **state)
{
    char line[256];
    char note[sizeof line + 64];

    (void)state;
    expect("/frobnicate", "", "there is no /frobnicate; /help lists them\n");
    expect("/x", "", "there is no /x; /help lists them\n");
    expect("/xy", "", "there is no /xy; /help lists them\n");
    expect("/xg", "", "there is no /xg; /help lists them\n");
    expect("/hexxx", "", "there is no /hexxx; /help lists them\n");
    memset(line, 'x', sizeof line);
    line[0] = '/';
    line[sizeof line - 1] = '\0';
    snprintf(note, sizeof note, "there is no %s; /help lists them\n", line);
    expect(line, "", note);
}

static void a_missing_argument_says_the_usage(void **state)
{
    (void)state;
    expect("/connect", "", "usage: /connect TARGET\n");
    expect("/back  ", "", "usage: /backend NAME\n");
    expect("/spinner", "", "usage: /spinner NAME\n");
    expect("/tick", "", "usage: /tick MS\n");
}

static void an_argument_too_many_is_refused(void **state)
{
    (void)state;
    expect("/close 2", "", "/close takes no argument\n");
    expect("/quit now", "", "/quit takes no argument\n");
    expect("/inspect x", "", "/inspect takes no argument\n");
    expect("/clear x", "", "/clear takes no argument\n");
}

static void an_argument_has_a_limit(void **state)
{
    char line[6 + 4096 + 1] = "/find ";
    char asked[sizeof line + 8];

    (void)state;
    memset(line + 6, 'x', 4096);
    expect(line, "", "/find: the argument is too long\n");
    line[6 + 4095] = '\0';
    snprintf(asked, sizeof asked, "find(%s)", line + 6);
    expect(line, asked, "");
}

static void nothing_typed_is_taken_for_a_format(void **state)
{
    (void)state;
    expect("/%n%s%n", "", "there is no /%n%s%n; /help lists them\n");
    expect("/find %s%n", "find(%s%n)", "");
}

/* ---- help ---- */

/* Calls FN for each line of the notes. */
static void each_note(struct app *app, void (*fn)(const char *note))
{
    char *rest = app->notes;
    char *note;

    while ((note = strsep(&rest, "\n")) && rest)
        fn(note);
}

static void fits(const char *note)
{
    assert_true(strlen(note) <= COLUMNS);
    assert_true(*note == '\0' || !isspace(note[strlen(note) - 1]));
}

/* The names begin in the third column and the explanations in one and the same. */
static void is_aligned(const char *note)
{
    if (*note != ' ')
        return;
    assert_int_equal(strspn(note, " ") == 2 || strspn(note, " ") == 24, true);
    assert_true(note[23] == ' ' && note[22] == ' ' && note[24] != ' ');
    fits(note);
}

static void help_lists_commands_and_keys(void **state)
{
    static const char *const words[] = {
        "  /help [NAME] ",
        "  /connect TARGET ",
        "  /close ",
        "  /focus [N|TARGET] ",
        "  /backend NAME ",
        "  /spinner NAME ",
        "  /tick MS ",
        "  /inspect ",
        "  /step ",
        "  /pause ",
        "  /log [FILE] ",
        "  /timestamps [FORMAT] ",
        "  /find [TEXT] ",
        "  /clear ",
        "  /stats ",
        "  /quit ",
        "  //TEXT ",
        "  Enter ",
        "  Tab ",
        "  Up, Down ",
        "  PgUp, PgDn ",
        "  Home, End ",
        "  F1 ",
        "  F2 ",
        "  F3 ",
        "  F4 ",
        "  F5 ",
        "  Ctrl-C ",
        "  Ctrl-D ",
        "  Ctrl-L ",
        "  Ctrl-R ",
        "  Ctrl-Z ",
    };
    struct app app;
    struct app same;

    (void)state;
    app_init(&app);
    commands_help(&app);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(app.notes, words[i]));
    app_init(&same);
    commands_run(&same, "/help");
    assert_string_equal(same.notes, app.notes);
    each_note(&app, is_aligned);
}

static void help_explains_one_command(void **state)
{
    static const char explained[] =
        "  /timestamps [FORMAT]  show when each line came, or show it no longer\n"
        "  FORMAT is that of strftime(3), such as %H:%M:%S.\n";

    (void)state;
    expect("/help timestamps", "", explained);
    expect("/help /tim", "", explained);
    expect("/help ti", "", "/ti could be: tick timestamps\n");
    expect("/help qiut", "", "there is no /qiut; did you mean /quit?\n");
}

static const char *name_in(const char *note)
{
    static char name[32];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(note + 3, " "), note + 3);
    return name;
}

static void is_explained(const char *note)
{
    struct app app;
    char line[64];

    if (strncmp(note, "  /", 3) != 0 || note[3] == '/')
        return;
    app_init(&app);
    snprintf(line, sizeof line, "/help %s", name_in(note));
    commands_run(&app, line);
    assert_int_equal(strncmp(app.notes, note, strlen(note)), 0);
    assert_true(strlen(app.notes) > strlen(note) + 10);
    each_note(&app, fits);
}

static void help_explains_every_command(void **state)
{
    struct app app;

    (void)state;
    app_init(&app);
    commands_help(&app);
    each_note(&app, is_explained);
}

/* ---- completing ---- */

static void a_command_is_completed(void **state)
{
    (void)state;
    expect_completion("/q", NULL, 1, "uit ", "");
    expect_completion("/quit", NULL, 1, " ", "");
    expect_completion("/h|elp", NULL, 1, "elp ", "");
    expect_completion("/t", NULL, 2, "i", "");
    expect_completion("/ti", NULL, 2, "", "tick timestamps\n");
    expect_completion("/x", NULL, 0, "", "");
    expect_completion("/help qu", NULL, 1, "it ", "");
}

static void what_is_no_command_is_not_completed(void **state)
{
    (void)state;
    expect_completion("", NULL, 0, "", "");
    expect_completion("q", NULL, 0, "", "");
    expect_completion("|/q", NULL, 0, "", "");
    expect_completion("//q", NULL, 0, "", "");
    expect_completion("/|/q", NULL, 0, "", "");
    expect_completion(" /q", NULL, 0, "", "");
}

static void an_argument_that_may_be_anything_is_not_completed(void **state)
{
    (void)state;
    expect_completion("/tick ", NULL, 0, "", "");
    expect_completion("/find a", NULL, 0, "", "");
    expect_completion("/close ", NULL, 0, "", "");
    expect_completion("/unknown ", NULL, 0, "", "");
    expect_completion("/c a", NULL, 0, "", "");
}

static void targets_are_completed(void **state)
{
    static const char *const targets[] = {"localhost:51423", "localhost:7", "unix:/run/x",
                                          "localhost:7", NULL};
    static const char *const twins[] = {"a:1", "a:1", NULL};

    (void)state;
    expect_completion("/connect ", NULL, 0, "", "");
    expect_completion("/connect u", targets, 1, "nix:/run/x ", "");
    expect_completion("/connect l", targets, 2, "ocalhost:", "");
    expect_completion("/focus localhost:", targets, 2, "", "localhost:51423 localhost:7\n");
    expect_completion("/foc \t localhost:5|1", targets, 1, "1423 ", "");
    expect_completion("/focus ", targets, 3, "", "localhost:51423 localhost:7 unix:/run/x\n");
    expect_completion("/focus |  x", targets, 3, "", "localhost:51423 localhost:7 unix:/run/x\n");
    expect_completion("/focus unix:/run/x y", targets, 0, "", "");
    expect_completion("/focus ", twins, 1, "a:1 ", "");
}

static void half_a_character_is_not_inserted(void **state)
{
    static const char *const alike[] = {"unix:/\xc3\xa9", "unix:/\xc3\xa8", NULL};

    (void)state;
    expect_completion("/focus ", alike, 2, "unix:/", "");
    expect_completion("/focus unix:/", alike, 2, "", "unix:/\xc3\xa9 unix:/\xc3\xa8\n");
    expect_completion("/focus unix:/\xc3", alike, 2, "", "unix:/\xc3\xa9 unix:/\xc3\xa8\n");
    expect_completion("/focus unix:/\xc3\xa8", alike, 1, " ", "");
}

static void backends_that_are_here_are_completed(void **state)
{
    struct poller_info info;
    char line[64];

    (void)state;
    for (size_t i = 0; poller_list(i, &info) == 0; i++) {
        snprintf(line, sizeof line, "/backend %s", info.name);
        expect_completion(line, NULL, info.missing ? 0 : 1, info.missing ? "" : " ", "");
    }
    expect_completion("/backend sel", NULL, 1, "ect ", "");
    expect_completion("/backend nothing", NULL, 0, "", "");
}

static void spinners_are_completed(void **state)
{
    const struct spinner *spinner;
    size_t count = 0;
    struct app app;
    char insert[64];

    (void)state;
    while ((spinner = spinner_list(count)))
        count++;
    expect_completion("/spinner cla", NULL, 1, "ssic ", "");
    app_init(&app);
    assert_int_equal(commands_complete(&app, "/sp ", 4, insert, sizeof insert), count);
    assert_non_null(strstr(app.notes, "classic line "));
}

static void what_does_not_fit_is_not_inserted(void **state)
{
    struct app app;
    char insert[5];

    (void)state;
    app_init(&app);
    assert_int_equal(commands_complete(&app, "/q", 2, insert, 5), 1);
    assert_string_equal(insert, "uit ");
    assert_int_equal(commands_complete(&app, "/q", 2, insert, 4), 1);
    assert_string_equal(insert, "");
    assert_string_equal(app.notes, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_asks_for_its_own),
        cmocka_unit_test(blanks_around_are_left_out),
        cmocka_unit_test(a_name_may_be_cut_as_long_as_it_is_clear),
        cmocka_unit_test(an_unclear_name_says_what_it_could_be),
        cmocka_unit_test(an_unknown_name_says_what_is_near),
        cmocka_unit_test(an_unknown_name_far_from_all_leads_to_help),
        cmocka_unit_test(a_missing_argument_says_the_usage),
        cmocka_unit_test(an_argument_too_many_is_refused),
        cmocka_unit_test(an_argument_has_a_limit),
        cmocka_unit_test(nothing_typed_is_taken_for_a_format),
        cmocka_unit_test(help_lists_commands_and_keys),
        cmocka_unit_test(help_explains_one_command),
        cmocka_unit_test(help_explains_every_command),
        cmocka_unit_test(a_command_is_completed),
        cmocka_unit_test(what_is_no_command_is_not_completed),
        cmocka_unit_test(an_argument_that_may_be_anything_is_not_completed),
        cmocka_unit_test(targets_are_completed),
        cmocka_unit_test(half_a_character_is_not_inserted),
        cmocka_unit_test(backends_that_are_here_are_completed),
        cmocka_unit_test(spinners_are_completed),
        cmocka_unit_test(what_does_not_fit_is_not_inserted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
