/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever the full screen waits for, it goes on: its spinner turns, seen on the screen, while a
 * key, a character, a paste, a search or a command of vi is not complete, while lines pour in, and
 * while a name or a connection does not come. And when it is the terminal itself that takes
 * nothing, all else goes on, and what the screen shows later was not kept in a queue.
 *
 * How evenly it turns is measured in tests/bench; here it has to turn at all.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "around.h"
#include "typing.h"

enum {
    FRAME = 10,
    ENOUGH = 10, /* changes of the spinner */
    STATUS_ROW = TYPING_ROWS - 2,
    PASTE = 10240,
    HISTORY = 1000,
    TYPED_INTO_SEARCH = 20480,
    POURED = 16 * 1024 * 1024, /* more than the kernel keeps for a connection */
    PAINTS = 300,
    HELD_BACK = 128 * 1024 /* bytes; the kernel's part of it is some kilobytes */
};

#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

/* Fast, so that little time is enough for many frames. */
static const char *const fast[] = {"--tick=20", NULL};

/* ---- the spinner ---- */

struct motion {
    char last[FRAME + 1];
    int changes;
};

static bool is_frame(const char *text)
{
    return strspn(text, ".|") == FRAME && memchr(text, '|', FRAME);
}

static bool motion_is_enough(struct kit_terminal *terminal, void *context)
{
    struct motion *motion = context;
    const char *row = kit_row(terminal, STATUS_ROW);

    if (is_frame(row) && strncmp(row, motion->last, FRAME) != 0) {
        memcpy(motion->last, row, FRAME);
        motion->changes++;
    }
    return motion->changes > ENOUGH; /* the first was none */
}

static void await_motion(struct kit_terminal *terminal)
{
    struct motion motion = {.changes = 0};

    kit_await_looks(terminal, motion_is_enough, &motion, "a spinner that turns");
}

static void start(struct full *full)
{
    full_start(full, TYPING_ROWS, TYPING_COLUMNS, fast);
}

/* ---- what is not complete ---- */

struct half {
    const char *line;   /* typed before */
    const char *begun;  /* keys, and then the spinner has to turn */
    const char *rest;   /* the rest of them */
    const char *marked; /* and how the line looks then */
};

static void play_halves(const struct full *full, const struct half *halves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kit_press(full->terminal, halves[i].line);
        kit_press(full->terminal, halves[i].begun);
        await_motion(full->terminal);
        kit_press(full->terminal, halves[i].rest);
        typing_await(full, halves[i].marked);
        kit_press(full->terminal, "\003");
        typing_await(full, "|");
    }
}

static void while_a_key_is_not_complete(void **state)
{
    static const struct half halves[] = {
        {"one two", "\033", "b", "one |two"},      {"one two", "\033", "[D", "one tw|o"},
        {"one two", "\033[", "D", "one tw|o"},     {"one two", "\033O", "D", "one tw|o"},
        {"one two", "\033[1;", "5D", "one |two"},  {"one two\001", "\033[3", "~", "|ne two"},
        {"one two", "\026", "\001", "one two^A|"}, {"one two", "\0333", "!", "one two!!!|"},
        {"one two", "\030", "\030", "|one two"},
    };
    struct full full;

    (void)state;
    start(&full);
    play_halves(&full, halves, TYPING_COUNT(halves));
    typing_quit(&full);
}

static void while_a_character_is_not_complete(void **state)
{
    static const struct half halves[] = {
        {"h", "\xc3", "\xa9", "h\xc3\xa9|"},
        {"h", "\xe6", "\xbc\xa2", "h\xe6\xbc\xa2|"},
        {"h", "\xe6\xbc", "\xa2", "h\xe6\xbc\xa2|"},
        {"h", "\xf0\x9f\x98", "\x80!", "h\xf0\x9f\x98\x80!|"},
    };
    struct full full;

    (void)state;
    start(&full);
    play_halves(&full, halves, TYPING_COUNT(halves));
    typing_quit(&full);
}

static void while_a_command_of_vi_is_not_complete(void **state)
{
    static const struct half halves[] = {
        {"one two three\0330", "d", "w", "|two three"},
        {"one two three\0330", "2", "dw", "|three"},
        {"one two three\0330", "2d", "w", "|three"},
        {"one two three\0330", "f", "h", "one two t|hree"},
        {"one two three\0330", "r", "O", "|One two three"},
        {"one two three\0330", "c", "wsix", "six| two three"},
        {"one two three", "\033", "0", "|one two three"},
    };
    struct full full;

    (void)state;
    typing_write_editrc("bind -v\n");
    start(&full);
    play_halves(&full, halves, TYPING_COUNT(halves));
    typing_quit(&full);
}

/* ---- much ---- */

static char *make_text(size_t n)
{
    char *text = malloc(n + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i * i / 7 % 26);
    text[n] = '\0';
    return text;
}

/* Waits until the end of TEXT is seen, turns, and is heard. */
static void expect_line(const struct full *full, const char *text)
{
    kit_await_row(full->terminal, text + strlen(text) - TYPING_COLUMNS / 4);
    await_motion(full->terminal);
    typing_enter(full, text);
}

static void while_a_long_paste_comes(void **state)
{
    char *text = make_text(PASTE);
    struct full full;

    (void)state;
    start(&full);
    kit_press(full.terminal, PASTE_BEGIN);
    await_motion(full.terminal);
    kit_keys(full.terminal, text, PASTE / 2);
    await_motion(full.terminal);
    kit_press(full.terminal, text + PASTE / 2);
    await_motion(full.terminal);
    kit_press(full.terminal, PASTE_END);
    expect_line(&full, text);
    free(text);
    typing_quit(&full);
}

/* From a terminal that marks no pastes, or from a machine. */
static void while_a_long_line_is_typed_at_once(void **state)
{
    char *text = make_text(PASTE);
    struct full full;

    (void)state;
    start(&full);
    kit_press(full.terminal, text);
    expect_line(&full, text);
    free(text);
    typing_quit(&full);
}

/* Makes a file of lines typed before, as full as it gets. */
static void write_history(void)
{
    const char *folder = kit_folder();
    char path[512];
    FILE *file;

    kit_env("XDG_STATE_HOME", folder);
    snprintf(path, sizeof path, "%s/pollspin", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/pollspin/history", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "the oldest one\n");
    for (int i = 1; i < HISTORY; i++)
        fprintf(file, "line %d of those that were typed in %d\n", i, i * 7919 % 1000);
    fclose(file);
}

static void while_lines_of_before_are_searched(void **state)
{
    struct full full;

    (void)state;
    write_history();
    start(&full);
    kit_press(full.terminal, "\022");
    typing_await_behind(&full, "bck:> ", "|");
    await_motion(full.terminal);
    kit_press(full.terminal, "the oldest");
    typing_await_behind(&full, "bck:the oldest> ", "|the oldest one");
    await_motion(full.terminal);
    kit_press(full.terminal, "\022");
    typing_await_behind(&full, "bck?the oldest> ", "|the oldest one");
    await_motion(full.terminal);
    typing_enter(&full, "the oldest one");
    typing_quit(&full);
}

/* Types KEYS again and again, and then a character that is there to be cleared. */
static void search_for_much(const struct full *full, const char *keys)
{
    char text[TYPED_INTO_SEARCH];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = keys[i % strlen(keys)];
    kit_press(full->terminal, "\022");
    kit_keys(full->terminal, text, sizeof text);
    await_motion(full->terminal);
    kit_press(full->terminal, "!\003");
    typing_await(full, "|");
    type_and_hear(full, "done");
}

/* Each key has the lines searched, for a pattern that can match in many ways, or goes further and
 * further back. */
static void while_much_is_typed_into_a_search(void **state)
{
    struct full full;

    (void)state;
    write_history();
    start(&full);
    search_for_much(&full, "t.*");
    search_for_much(&full, "\022");
    typing_quit(&full);
}

static void while_lines_pour_in(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    flood_start(&full);
    kit_await_row(full.terminal, "of the flood");
    await_motion(full.terminal);
    kit_press(full.terminal, "one\033[");
    await_motion(full.terminal);
    kit_press(full.terminal, "D");
    typing_await(&full, "on|e");
    typing_enter(&full, "one");
    flood_stop();
    typing_quit(&full);
}

/* ---- what does not come ---- */

/* The person can go on typing, and leave. */
static void expect_life(struct full *full, const char *what)
{
    char prompt[64];

    snprintf(prompt, sizeof prompt, "%s> ", full->target);
    kit_await_row(full->terminal, what);
    await_motion(full->terminal);
    kit_press(full->terminal, "half a line");
    typing_await_behind(full, prompt, "half a line|");
    await_motion(full->terminal);
    kit_press(full->terminal, "\003");
    typing_await_behind(full, prompt, "|");
    typing_quit(full);
}

static void while_a_name_server_is_silent(void **state)
{
    struct full full = {.target = "silent.example:51423"};
    const char *argv[] = {"pollspin", fast[0], "--name-server", NULL, "silent.example", NULL};
    uint16_t port;

    (void)state;
    kit_bind(SOCK_DGRAM, &port);
    argv[3] = kit_target(port);
    full.terminal = kit_terminal(TYPING_ROWS, TYPING_COLUMNS, argv);
    expect_life(&full, "looking up silent.example");
}

/* Linux does not answer who connects while the queue of those that nobody accepts is full: with a
 * backlog of 0 one fills it, listen(2). */
static void while_a_server_accepts_nobody(void **state)
{
    struct full full;
    const char *argv[] = {"pollspin", fast[0], full.target, NULL};
    int listener = kit_bind(SOCK_STREAM, &full.port);
    char what[64];

    (void)state;
    assert_int_equal(listen(listener, 0), 0);
    kit_connect(full.port);
    snprintf(full.target, sizeof full.target, "%s", kit_target(full.port));
    full.terminal = kit_terminal(TYPING_ROWS, TYPING_COLUMNS, argv);
    snprintf(what, sizeof what, "connecting to %s", full.target);
    expect_life(&full, what);
}

/* ---- a terminal that takes nothing ---- */

/* Stops it, fills it with what a terminal leaves out, and makes the program paint. A write is
 * refused also for the moment in which the program itself writes; so once is not enough. */
static void stall(const struct full *full)
{
    static const char nothing[256];
    int slave = around_open(full->terminal);
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    kit_stall(full->terminal, true);
    for (int refused = 0; refused < 5;) {
        assert_true(clock_now() < deadline);
        if (write(slave, nothing, sizeof nothing) > 0) {
            refused = 0;
            continue;
        }
        assert_int_equal(errno, EAGAIN);
        kit_watch(full->terminal, CLOCK_MILLISECOND);
        refused++;
    }
    close(slave);
    kit_press(full->terminal, "\f" KEY_PAGE_UP);
}

/* Lets it go on, and waits until the screen is right: LAST is the last line that came, and the
 * input line looks as MARKED says. What was kept for it is bounded. */
static void go_on(const struct full *full, const char *last, const char *marked)
{
    size_t before;
    size_t length;

    kit_raw(full->terminal, &before);
    kit_stall(full->terminal, false);
    kit_await_row(full->terminal, last);
    typing_await(full, marked);
    kit_raw(full->terminal, &length);
    assert_true(length - before < HELD_BACK);
    await_title(full->terminal, full->target);
}

/* Sends lines as the server; each must be taken. */
static void pour(const struct full *full)
{
    char line[1024];
    size_t sent = 0;

    for (int i = 0; sent < POURED; i++) {
        int n = snprintf(line, sizeof line, "drop %d %0990d\n", i, 0);

        kit_send(full->server, line, (size_t)n);
        sent += (size_t)n;
    }
}

/* Has the screen painted as often as it would be if the terminal took it. */
static void paint_often(const struct full *full)
{
    for (int i = 0; i < PAINTS; i++) {
        kit_press(full->terminal, "\f" KEY_PAGE_UP);
        type_and_hear(full, "painted?");
    }
}

static void await_file(const struct full *full, const char *path, const char *text)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    char content[4096] = "";

    while (!strstr(content, text)) {
        FILE *file = fopen(path, "re");
        size_t n;

        assert_true(clock_now() < deadline);
        assert_non_null(file);
        n = fread(content, 1, sizeof content - 1, file);
        content[n] = '\0';
        fclose(file);
        kit_watch(full->terminal, CLOCK_MILLISECOND);
    }
}

static void a_stopped_terminal_stops_nothing_else(void **state)
{
    struct full full, other;
    char log[300];
    char command[320];

    (void)state;
    snprintf(log, sizeof log, "%s/log", kit_folder());
    snprintf(command, sizeof command, "/log %s", log);
    start(&full);
    connect_other(&full, &other);
    ask(&full, command, "what is received goes to");
    stall(&full);
    full_type(&full, "to the other");
    assert_string_equal(full_hear(&other), "to the other");
    full_say(&full, "while nothing is shown");
    full_say(&other, "nor of the other");
    await_file(&full, log, "while nothing is shown");
    await_file(&full, log, "nor of the other");
    kit_press(full.terminal, KEY_F2);
    full_type(&full, "to the first");
    assert_string_equal(full_hear(&full), "to the first");
    kit_press(full.terminal, "half a line\033[");
    go_on(&full, "nor of the other", "half a line|");
    await_motion(full.terminal);
    kit_press(full.terminal, "D");
    typing_await(&full, "half a lin|e");
    typing_enter(&full, "half a line");
    typing_quit(&full);
}

static void what_a_stopped_terminal_misses_is_not_kept(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "the first line");
    stall(&full);
    pour(&full);
    paint_often(&full);
    full_say(&full, "the last line");
    go_on(&full, "the last line", "|");
    type_and_hear(&full, "afterwards");
    typing_quit(&full);
}

/* Also where nothing but the terminal wakes the program up. */
static void a_terminal_may_stop_often(void **state)
{
    static const char *const still[] = {"--no-animation", NULL};
    static const int widths[] = {TYPING_COLUMNS, 100, 50};
    char last[64];
    struct full full;

    (void)state;
    full_start(&full, TYPING_ROWS, TYPING_COLUMNS, still);
    for (size_t i = 0; i < TYPING_COUNT(widths); i++) {
        stall(&full);
        kit_resize(full.terminal, TYPING_ROWS, widths[i]);
        snprintf(last, sizeof last, "line %zu", i);
        full_say(&full, last);
        type_and_hear(&full, "first");
        type_and_hear(&full, "then");
        go_on(&full, last, "|");
    }
    typing_quit(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(while_a_key_is_not_complete, kit_cleanup),
        cmocka_unit_test_teardown(while_a_character_is_not_complete, kit_cleanup),
        cmocka_unit_test_teardown(while_a_command_of_vi_is_not_complete, kit_cleanup),
        cmocka_unit_test_teardown(while_a_long_paste_comes, kit_cleanup),
        cmocka_unit_test_teardown(while_a_long_line_is_typed_at_once, kit_cleanup),
        cmocka_unit_test_teardown(while_lines_of_before_are_searched, kit_cleanup),
        cmocka_unit_test_teardown(while_much_is_typed_into_a_search, kit_cleanup),
        cmocka_unit_test_teardown(while_lines_pour_in, around_cleanup),
        cmocka_unit_test_teardown(while_a_name_server_is_silent, kit_cleanup),
        cmocka_unit_test_teardown(while_a_server_accepts_nobody, kit_cleanup),
        cmocka_unit_test_teardown(a_stopped_terminal_stops_nothing_else, kit_cleanup),
        cmocka_unit_test_teardown(what_a_stopped_terminal_misses_is_not_kept, kit_cleanup),
        cmocka_unit_test_teardown(a_terminal_may_stop_often, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, typing_locale, NULL);
}
