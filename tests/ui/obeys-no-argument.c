/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person, a script or a file gives to pollspin is text as well, and may come from somebody
 * who wishes ill: a path that was copied, a paste, a format. It is shown in titles, labels,
 * messages and the input line, and obeyed nowhere. What is typed on purpose is sent as it is.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/kit.h"
#include "ui/full.h"
#include "ui/harmless.h"

enum { ROWS = 44, COLUMNS = 200 };

#define HOSTILE   "\033]0;owned\007\302\2332J\342\200\256x"
#define SHOWN     "^[]0;owned^G<U+009B>2J<U+202E>x"
#define COMPLETED "^[]0;owned^G2J<U+202E>x" /* no line holds a C1 character */

/* To be called at the end. */
static void assert_not_obeyed(struct kit_terminal *terminal, bool has_screen)
{
    size_t n;
    const char *raw = kit_raw(terminal, &n);

    assert_null(memmem(raw, n, HOSTILE, strlen(HOSTILE)));
    assert_harmless(terminal, has_screen);
}

static void end_in_order(const struct full *full)
{
    close(full->server);
    assert_int_equal(kit_terminal_end(full->terminal), 0);
    assert_not_obeyed(full->terminal, true);
}

/* ---- the name of a target ---- */

/* The path of a socket is any bytes but NUL; of its label the beginning is shown. */
static void a_name_is_shown_wherever_it_stands(void **state)
{
    static const char *const inspect[] = {"--inspect", "unix:" HOSTILE, NULL};
    int before = open(".", O_RDONLY | O_DIRECTORY);
    struct full full;
    int listener;
    int server;

    (void)state;
    assert_int_equal(chdir(kit_folder()), 0);
    listener = kit_listen_unix(HOSTILE);
    full_start(&full, ROWS, COLUMNS, inspect);
    assert_int_equal(fchdir(before), 0);
    close(before);
    server = kit_accept(listener);
    kit_send(server, "hello\n", 6);
    kit_await_row(full.terminal, "unix:" SHOWN " | open");
    kit_await_row(full.terminal, "unix:" SHOWN "  open");
    kit_await_row(full.terminal, "unix:" SHOWN ">");
    kit_await_row(full.terminal, "unix:^[]0;owned^ hello");
    kit_press(full.terminal, "/connect unix\t");
    kit_await_row(full.terminal, "> /connect unix:" COMPLETED);
    kit_press(full.terminal, KEY_CTRL('u'));
    full_type(&full, "/stats");
    kit_await_row(full.terminal, "-- unix:" SHOWN ": open, 1 line, ");
    full_type(&full, "/pause");
    kit_await_row(full.terminal, "-- unix:" SHOWN " is not read until");
    full_type(&full, "/pause");
    close(server);
    kit_await_row(full.terminal, "-- unix:" SHOWN ": closed by the server");
    end_in_order(&full);
}

static void one_that_cannot_be_connected_to(void **state)
{
    static const char *const forms[] = {"--tick=50", "--plain", "--no-spinner"};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *argv[] = {"pollspin", forms[i], "unix:/nonexistent/" HOSTILE, NULL};
        struct kit_terminal *terminal = kit_terminal(ROWS, COLUMNS, argv);

        assert_int_equal(kit_terminal_end(terminal), 3);
        assert_non_null(strstr(kit_raw(terminal, NULL),
                               "pollspin: unix:/nonexistent/" SHOWN ": cannot connect"));
        assert_not_obeyed(terminal, i == 0);
        kit_cleanup(state);
    }
}

/* ---- the command line ---- */

/* Each is refused, in a message that holds it. */
static const struct refused {
    const char *argument;
    const char *shown;
} refused[] = {
    {HOSTILE ":99999", SHOWN ":99999"},
    {"[" HOSTILE "]", "[" SHOWN "]"},
    {"a:b:" HOSTILE, "a:b:" SHOWN},
    {"--backend=" HOSTILE, SHOWN},
    {"--spinner=" HOSTILE, SHOWN},
    {"--lines=" HOSTILE, SHOWN},
    {"--tick=" HOSTILE, SHOWN},
    {"--scrollback=" HOSTILE, SHOWN},
    {"--connect-timeout=" HOSTILE, SHOWN},
    {"--demo-interval=" HOSTILE, SHOWN},
    {"--name-server=" HOSTILE ":", SHOWN},
    {"--inspect=/nonexistent/" HOSTILE, "/nonexistent/" SHOWN},
    {"--" HOSTILE, SHOWN},
    {"--plain=" HOSTILE, "--plain"},
    {"-\033", "^["},
};

static void what_is_refused_is_shown(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *argv[] = {"pollspin", refused[i].argument, NULL};
        struct kit_terminal *terminal = kit_terminal(ROWS, COLUMNS, argv);
        int status = kit_terminal_end(terminal);

        assert_in_range(status, 1, 2);
        assert_non_null(strstr(kit_raw(terminal, NULL), refused[i].shown));
        assert_not_obeyed(terminal, false);
        kit_cleanup(state);
    }
}

/* ---- a format ---- */

static void a_timestamp_is_text(void **state)
{
    static const char *const options[] = {"--timestamps=" HOSTILE "%%", NULL};
    int server;
    struct kit_terminal *terminal;
    struct full full;

    full_start(&full, ROWS, COLUMNS, options);
    full_say(&full, "hello");
    kit_await_row(full.terminal, SHOWN "% hello");
    end_in_order(&full);
    kit_cleanup(state);

    terminal = kit_client_on_terminal(&server, options[0], NULL);
    kit_send(server, "hello\n", 6);
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 0), SHOWN "% hello");
    assert_not_obeyed(terminal, false);
}

/* ---- the input line ---- */

/* Types TEXT, with Ctrl-V before each control. */
static void type_quoted(const struct full *full, const char *text)
{
    for (; *text; text++) {
        const char quoted[] = {KEY_CTRL('v')[0], *text, '\0'};

        kit_press(full->terminal, quoted + !(*text > 0 && *text < ' '));
    }
}

/* What can be typed: C1 cannot, and an ESC only by itself. */
#define TYPED       "\007\016\b\r\342\200\256x"
#define TYPED_SHOWN "^G^N^H^M<U+202E>x"

static void what_is_typed_is_shown_and_sent_as_it_is(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    type_quoted(&full, "a" TYPED "b");
    full_await_input(&full, "a" TYPED_SHOWN "b");
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "a" TYPED "b");
    kit_await_row(full.terminal, "> a" TYPED_SHOWN "b");

    type_quoted(&full, KEY_ESC);
    full_await_input(&full, "^[");
    full_type(&full, "]0;owned");
    assert_string_equal(full_hear(&full), "\033]0;owned");
    kit_await_row(full.terminal, "> ^[]0;owned");

    kit_press(full.terminal, "c\302\233d\377e"); /* a C1 is dropped, a broken byte is U+FFFD */
    full_await_input(&full, "cd\357\277\275e");
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "cd\357\277\275e");
    end_in_order(&full);
}

/* Each takes it, or refuses it, and shows it in a note or in the title. */
static const struct command {
    const char *line;
    const char *shown;
} commands[] = {
    {"/" TYPED, "there is no /" TYPED_SHOWN},
    {"/help " TYPED, "there is no /" TYPED_SHOWN},
    {"/focus " TYPED, "connection '" TYPED_SHOWN "'"},
    {"/connect " TYPED ":99999", "target '" TYPED_SHOWN ":99999'"},
    {"/connect unix:/nonexistent/" TYPED, "unix:/nonexistent/" TYPED_SHOWN ": cannot connect"},
    {"/backend " TYPED, "backend '" TYPED_SHOWN "'"},
    {"/spinner " TYPED, "spinner '" TYPED_SHOWN "'"},
    {"/tick " TYPED, "'" TYPED_SHOWN "' is not a number"},
    {"/log /nonexistent/" TYPED, "/nonexistent/" TYPED_SHOWN ": No such file"},
    {"/find " TYPED, "'" TYPED_SHOWN "' is in none"},
};

static void what_a_command_is_given_is_shown(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        type_quoted(&full, commands[i].line);
        kit_press(full.terminal, KEY_ENTER);
        kit_await_row(full.terminal, commands[i].shown);
        full_type(&full, "/clear");
        assert_idle(full.terminal);
    }
    kit_press(full.terminal, "/focus 1\r");
    full_type(&full, "the first word");
    assert_string_equal(full_hear(&full), "the first word");
    close(full.server);
    kit_terminal_end(full.terminal);
    assert_not_obeyed(full.terminal, true);
}

/* ---- a paste ---- */

#define PASTE(text) "\033[200~" text "\033[201~"

static const struct paste {
    const char *bytes;
    const char *line;  /* what it makes */
    const char *shown; /* ... and how that looks */
} pastes[] = {
    {PASTE("\033]0;owned\007 a"), "]0;owned a", "]0;owned a"},
    {PASTE("\033[31mred\033[0m"), "[31mred[0m", "[31mred[0m"},
    {PASTE("a\302\233c\302\2350;owned\302\234"), "ac0;owned", "ac0;owned"},
    {PASTE("a\233c"), "a\357\277\275c", "a\357\277\275c"},
    {PASTE("a\342\200\256b\342\200\213c"), "a\342\200\256b\342\200\213c", "a<U+202E>b<U+200B>c"},
    {PASTE("a\001\003\004\005\010\016\017\025\032\177b"), "ab", "ab"},
    {PASTE("one\ntwo\r\nthree\n"), "one two three", "one two three"},
    {PASTE("//quit\n"), "/quit", "//quit"},
    {PASTE("a\033[200~b"), "a[200~b", "a[200~b"},
    {PASTE("a\033[201"), "a[201", "a[201"},
    /* an end inside of it is its end: what follows is as if typed, and its own end is nothing */
    {PASTE("a\033[201~b"), "ab", "ab"},
    {PASTE("a\033[201~b\033[200~c"), "abc", "abc"},
    {PASTE("a\033[201~\302\233b"), "ab", "ab"},
};

static void a_paste_is_text(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    for (size_t i = 0; i < sizeof pastes / sizeof *pastes; i++) {
        kit_press(full.terminal, pastes[i].bytes);
        full_await_input(&full, pastes[i].shown);
        kit_press(full.terminal, KEY_ENTER);
        assert_string_equal(full_hear(&full), pastes[i].line);
        full_await_input(&full, "");
        assert_idle(full.terminal);
    }
    assert_true(kit_is_other_screen(full.terminal));
    end_in_order(&full);
}

/* ---- the history ---- */

static void write_history(const char *folder, const char *bytes)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/pollspin", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/pollspin/history", folder);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    close(fd);
}

static void what_stands_in_the_history_is_shown(void **state)
{
    const char *folder = kit_folder();
    struct full full;

    (void)state;
    write_history(folder, "older\302\2332J\302\235\na\033]0;owned\007\342\200\256b\n");
    kit_env("XDG_STATE_HOME", folder);
    full_start(&full, ROWS, COLUMNS, NULL);
    kit_press(full.terminal, KEY_UP);
    full_await_input(&full, "a]0;owned<U+202E>b");
    kit_press(full.terminal, KEY_UP);
    kit_await_row(full.terminal, "> older");
    kit_press(full.terminal, KEY_DOWN KEY_ENTER);
    assert_string_equal(full_hear(&full), "a]0;owned\342\200\256b");
    end_in_order(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_name_is_shown_wherever_it_stands, kit_cleanup),
        cmocka_unit_test_teardown(one_that_cannot_be_connected_to, kit_cleanup),
        cmocka_unit_test_teardown(what_is_refused_is_shown, kit_cleanup),
        cmocka_unit_test_teardown(a_timestamp_is_text, kit_cleanup),
        cmocka_unit_test_teardown(what_is_typed_is_shown_and_sent_as_it_is, kit_cleanup),
        cmocka_unit_test_teardown(what_a_command_is_given_is_shown, kit_cleanup),
        cmocka_unit_test_teardown(a_paste_is_text, kit_cleanup),
        cmocka_unit_test_teardown(what_stands_in_the_history_is_shown, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
