/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command line that is wrong gets 2 and one line that names the mistake; what asks for text gets
 * it on standard output, and an error where that cannot be written.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "client/app.h"
#include "kit/kit.h"
#include "ui/spinner.h"

#define TEN "abcdefghij"

static const struct mistake {
    const char *argv[4]; /* behind the name */
    const char *text;    /* what the line says */
} mistakes[] = {
    {{"--nonsense"}, "no option '--nonsense'"},
    {{"-x"}, "no option '-x'"},
    {{"-4x"}, "no option '-x'"},
    {{"--no"}, "no option '--no'"}, /* it could be two */
    {{"--lines"}, "'--lines' needs an argument"},
    {{"-n"}, "'-n' needs an argument"},
    {{"--lines", "0"}, "--lines: '0'"},
    {{"--lines", "-1"}, "--lines: '-1'"},
    {{"--lines", "+1"}, "--lines: '+1'"},
    {{"--lines", "ten"}, "--lines: 'ten'"},
    {{"--lines", "5x"}, "--lines: '5x'"},
    {{"--lines", ""}, "--lines: ''"},
    {{"--lines", "18446744073709551616"}, "--lines: '18446744073709551616'"},
    {{"--tick", "0"}, "--tick: '0' is not a number from 1 to 10000"},
    {{"--tick=10001"}, "--tick: '10001'"},
    {{"-t", "1.5"}, "--tick: '1.5'"},
    {{"--connect-timeout", "-1"}, "--connect-timeout: '-1'"},
    {{"--connect-timeout", "nan"}, "--connect-timeout: 'nan'"},
    {{"--connect-timeout", "inf"}, "--connect-timeout: 'inf'"},
    {{"--connect-timeout", "0x1p3"}, "--connect-timeout: '0x1p3'"},
    {{"--connect-timeout", "1.2.3"}, "--connect-timeout: '1.2.3'"},
    {{"--connect-timeout", "99999999999"}, "--connect-timeout: '99999999999'"},
    {{"--connect-timeout", ""}, "--connect-timeout: ''"},
    {{"--demo-interval", "0"}, "--demo-interval: '0'"},
    {{"--demo-interval", "soon"}, "--demo-interval: 'soon'"},
    {{"--demo=1"}, "'--demo=1' takes no argument"},
    {{"--demo", "localhost:7"}, "takes no target 'localhost:7'"},
    {{"--backend", "telepathy"}, "no backend 'telepathy'"},
    {{"--backend="}, "no backend ''"},
    {{"--spinner", "carousel"}, "no spinner 'carousel'"},
    {{"--timestamps="}, "--timestamps: ''"},
    {{"--timestamps=" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN}, "--timestamps: "},
    {{"--name-server", "nonsense", "localhost:7"}, "--name-server: 'nonsense'"},
    {{"localhost:7", "localhost:65536"}, "target 'localhost:65536'"},
    {{"--demo", "--", "localhost:7", "localhost:8"}, "takes no target 'localhost:7'"},
    {{"--stdin", "localhost:7", "localhost:8"}, "--stdin is for one target, not for 2"},
    {{"--scrollback", "0"}, "--scrollback: '0' is not a number from 1 to 10000000"},
    {{"--scrollback=10000001"}, "--scrollback: '10000001'"},
    {{"--scrollback"}, "'--scrollback' needs an argument"},
    {{"--keep=1"}, "'--keep=1' takes no argument"},
    {{"--selftest=1"}, "'--selftest=1' takes no argument"},
    {{"--keep"}, "--keep needs the full screen: standard input and output are not one terminal"},
    {{"--step"}, "--step needs the full screen: standard input and output are not one terminal"},
    {{"--keep", "--plain"}, "--keep needs the full screen: --plain"},
    {{"--step", "--plain"}, "--step needs the full screen: --plain"},
    {{"--step", "--no-spinner"}, "--step needs the full screen: --no-spinner"},
    {{"--keep", "--no-stdin"}, "--keep needs the full screen: --no-stdin"},
    {{"--keep", "--stdin"}, "--keep needs the full screen: --stdin"},
    {{"localhost:65536"}, "target 'localhost:65536'"},
    {{"localhost:no-such-service"}, "target 'localhost:no-such-service'"},
    {{"localhost:"}, "target 'localhost:'"},
    {{"[::1"}, "target '[::1'"},
    {{"[::1]7"}, "target '[::1]7'"},
    {{"unix:"}, "target 'unix:'"},
    {{""}, "target ''"},
    {{"--spinner", "\033[31mred\nx\177"}, "no spinner '^[[31mred^Jx^?'"},
};

static void each_mistake_is_named(void **state)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *const *words = mistakes[i].argv;
        struct kit_process *client =
            kit_run("pollspin", words[0], words[1], words[2], words[3], NULL);

        kit_end_saying(client, 2, mistakes[i].text);
        assert_memory_equal(kit_stderr(client), "pollspin: ", strlen("pollspin: "));
        assert_non_null(strstr(kit_stderr(client), "pollspin --help"));
        assert_string_equal(kit_stdout(client, NULL), "");
        kit_cleanup(state);
    }
}

/* What the full screen cannot be had on, and how that is said. */
static void a_terminal_without_a_full_screen_is_named(void **state)
{
    static const struct {
        const char *variable;
        const char *value;
        const char *text;
    } cases[] = {{"CI", "1", "CI is set"}, {"TERM", "dumb", "TERM"}, {"TERM", NULL, "TERM"}};
    const char *const argv[] = {"pollspin", "--keep", NULL};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit_terminal *terminal;
        const char *why;
        int row;

        kit_env(cases[i].variable, cases[i].value);
        terminal = kit_terminal(24, 100, argv);
        assert_int_equal(kit_terminal_end(terminal), 2);
        row = kit_await_row(terminal, "pollspin: --keep needs the full screen: ");
        why = strstr(kit_row(terminal, row), "screen: ");
        assert_non_null(strstr(why, cases[i].text));
        kit_cleanup(state);
    }
}

static void the_number_of_targets_is_bounded(void **state)
{
    const char *argv[APP_CHANNELS + 3] = {"pollspin"};

    (void)state;
    for (int i = 1; i <= APP_CHANNELS + 1; i++)
        argv[i] = "localhost:7";
    kit_end_saying(kit_start(argv), 2, "no more than 64 targets at once, not also 'localhost:7'");
}

static void a_long_mistake_is_one_line_too(void **state)
{
    static char word[100000];
    struct kit_process *client;

    (void)state;
    memset(word, 'x', sizeof word - 1);
    client = kit_run("pollspin", word, NULL);
    kit_end_saying(client, 2, "xxx");
    assert_true(strlen(kit_stderr(client)) < 2000);
}

static const struct request {
    const char *word;
    const char *text; /* a part of what it prints */
} requests[] = {
    {"--help", "Usage: pollspin "},
    {"-h", "Usage: pollspin "},
    {"--version", "pollspin (pollspin) " PACKAGE_VERSION "\n"},
    {"-V", "pollspin (pollspin) " PACKAGE_VERSION "\n"},
    {"--list-backends", "select"},
    {"--list-backends", "poll"},
    {"--list-backends", "epoll"},
    {"--list-backends", "kqueue"},
    {"--list-backends", "uring"},
    {"--list-backends", "sigio"},
    {"--list-backends", "busy"},
    {"--list-backends", "blocking"},
    {"--spinner=help", "classic"},
};

static void text_asked_for_is_on_standard_output(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct kit_process *client = kit_run("pollspin", requests[i].word, NULL);

        assert_int_equal(kit_end(client), 0);
        assert_non_null(strstr(kit_stdout(client, NULL), requests[i].text));
        assert_string_equal(kit_stderr(client), "");
        kit_cleanup(state);
    }
}

static void the_help_fits_80_columns(void **state)
{
    struct kit_process *client = kit_run("pollspin", "--help", NULL);
    const char *line;

    (void)state;
    assert_int_equal(kit_end(client), 0);
    for (line = kit_stdout(client, NULL); *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

static void text_asked_for_that_cannot_be_written_is_an_error(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        kit_end_saying(kit_run("sh", "-c", "exec \"$0\" \"$1\" >/dev/full", kit_program("pollspin"),
                               requests[i].word, NULL),
                       1, "standard output: No space left on device");
        kit_cleanup(state);
    }
}

/* Returns the line behind the one that NAME begins in TEXT. */
static const char *line_behind(const char *text, const char *name)
{
    char line[64];
    const char *at;

    snprintf(line, sizeof line, "\n%s ", name);
    at = strncmp(text, name, strlen(name)) == 0 ? text : strstr(text, line) + 1;
    assert_non_null(strchr(at, '\n'));
    return strchr(at, '\n') + 1;
}

/* All its frames where they fit into 60 columns, or else those that do. */
static void assert_frames(const char *line, const struct spinner *spinner)
{
    const int indent = 11;
    size_t i;

    assert_int_equal(strspn(line, " ") >= (size_t)indent, true);
    line += indent;
    for (i = 0; i < spinner->count && strncmp(line, "...\n", 4) != 0; i++) {
        const char *frame = spinner_frame(spinner, i);

        assert_memory_equal(line, frame, strlen(frame));
        line += strlen(frame);
        assert_int_equal(*line++, ' ');
    }
    assert_true(i == spinner->count || (i + 1) * (spinner->columns + 1) > 56);
    assert_true(i * (spinner->columns + 1) <= 61);
    assert_memory_equal(line, i < spinner->count ? "...\n" : "\n", i < spinner->count ? 4 : 1);
}

static void every_spinner_is_shown(void **state)
{
    const struct spinner *spinner;
    struct kit_process *client;
    const char *text;

    (void)state;
    client = kit_run("pollspin", "--spinner=help", NULL);
    assert_int_equal(kit_end(client), 0);
    text = kit_stdout(client, NULL);
    assert_null(strstr(text, "UTF-8 locale"));
    for (size_t i = 0; (spinner = spinner_list(i)); i++) {
        assert_non_null(strstr(text, spinner->summary));
        assert_frames(line_behind(text, spinner->name), spinner);
    }
}

static void only_ascii_is_shown_without_utf8(void **state)
{
    const struct spinner *spinner;
    struct kit_process *client;
    const char *text;

    (void)state;
    kit_env("LC_ALL", "C");
    client = kit_run("pollspin", "--spinner=help", NULL);
    assert_int_equal(kit_end(client), 0);
    text = kit_stdout(client, NULL);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    for (size_t i = 0; (spinner = spinner_list(i)); i++) {
        const char *line = line_behind(text, spinner->name);

        if (!spinner->is_unicode)
            assert_frames(line, spinner);
        else
            assert_memory_equal(line - strlen(" (needs a UTF-8 locale)\n"),
                                " (needs a UTF-8 locale)\n", 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_mistake_is_named, kit_cleanup),
        cmocka_unit_test_teardown(a_terminal_without_a_full_screen_is_named, kit_cleanup),
        cmocka_unit_test_teardown(the_number_of_targets_is_bounded, kit_cleanup),
        cmocka_unit_test_teardown(a_long_mistake_is_one_line_too, kit_cleanup),
        cmocka_unit_test_teardown(every_spinner_is_shown, kit_cleanup),
        cmocka_unit_test_teardown(only_ascii_is_shown_without_utf8, kit_cleanup),
        cmocka_unit_test_teardown(text_asked_for_is_on_standard_output, kit_cleanup),
        cmocka_unit_test_teardown(the_help_fits_80_columns, kit_cleanup),
        cmocka_unit_test_teardown(text_asked_for_that_cannot_be_written_is_an_error, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
