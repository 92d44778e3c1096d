/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command line that is wrong gets 2 and one line that names the mistake; what asks for text gets
 * it on standard output, and an error where that cannot be written.
 */
#include "config.h"

#include <string.h>

#include "kit/kit.h"

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
    {{"localhost:7", "localhost:8"}, "not also 'localhost:8'"},
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

static void text_asked_for_that_cannot_be_written_is_an_error(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        kit_end_saying(kit_run("sh", "-c", "exec \"$0\" \"$1\" >/dev/full", kit_program("pollspin"),
                               requests[i].word, NULL),
                       1, "standard output: No space left on device");
        kit_cleanup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_mistake_is_named, kit_cleanup),
        cmocka_unit_test_teardown(a_long_mistake_is_one_line_too, kit_cleanup),
        cmocka_unit_test_teardown(text_asked_for_is_on_standard_output, kit_cleanup),
        cmocka_unit_test_teardown(text_asked_for_that_cannot_be_written_is_an_error, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
