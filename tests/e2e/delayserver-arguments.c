/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every mistake on the command line is one line on standard error that names it, with a hint, and
 * 2; what is only printed goes to standard output, and 0. Nothing is bound before all is read.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kit/kit.h"

struct mistake {
    const char *arguments[3];
    const char *named; /* a part of the message */
};

static const struct mistake mistakes[] = {
    {{"--interval=nan"}, "--interval: 'nan'"},
    {{"--interval=inf"}, "--interval: 'inf'"},
    {{"--interval=-1"}, "--interval: '-1'"},
    {{"--interval=0"}, "--interval: '0'"},
    {{"--interval=0.0009"}, "--interval: '0.0009'"},
    {{"--interval=1e3"}, "--interval: '1e3'"},
    {{"--interval=0x10"}, "--interval: '0x10'"},
    {{"--interval=5s"}, "--interval: '5s'"},
    {{"--interval=1.2.3"}, "--interval: '1.2.3'"},
    {{"--interval=99999999999"}, "--interval: '99999999999'"},
    {{"-i", ""}, "--interval: ''"},
    {{"-i", " 5"}, "--interval: ' 5'"},
    {{"-i"}, "'-i' needs an argument"},
    {{"--interval"}, "'--interval' needs an argument"},
    {{"--backend=nope"}, "no backend 'nope'"},
    {{"-b", ""}, "no backend ''"},
    {{"--max-clients=0"}, "--max-clients: '0'"},
    {{"--max-clients=-1"}, "--max-clients: '-1'"},
    {{"--max-clients=many"}, "--max-clients: 'many'"},
    {{"--max-clients=99999999999999999999"}, "--max-clients: '99999999999999999999'"},
    {{"--quiet=yes"}, "'--quiet=yes' takes no argument"},
    {{"--help=all"}, "'--help=all' takes no argument"},
    {{"--list-backends=all"}, "'--list-backends=all' takes no argument"},
    {{"--frobnicate"}, "no option '--frobnicate'"},
    {{"-z"}, "no option '-z'"},
    {{"-zq"}, "no option '-z'"},
    {{"--quiet", "-zq"}, "no option '-z'"},
    {{"--interval=5", "-qz"}, "no option '-z'"},
    {{"-:"}, "no option '-:'"},
    {{"nope"}, "no service 'nope'"},
    {{"delays"}, "no service 'delays'"},
    {{""}, "no service ''"},
    {{"51423"}, "no service '51423'"},
    {{"@7"}, "no service ''"},
    {{"delay@"}, "'delay@'"},
    {{"delay@65536"}, "'delay@65536'"},
    {{"delay@99999999999999999999"}, "'delay@99999999999999999999'"},
    {{"delay@:no-such-service"}, "'delay@:no-such-service'"},
    {{"delay@127.0.0.1:"}, "'delay@127.0.0.1:'"},
    {{"delay@127.0.0.1:-1"}, "'delay@127.0.0.1:-1'"},
    {{"delay@[::1"}, "'delay@[::1'"},
    {{"delay@example.org:7"}, "HOST must be a numeric address, localhost or *"},
    {{"delay@unix:"}, "'delay@unix:'"},
    {{"delay@\033[31m"}, "'delay@^[[31m'"},
};

static struct kit_process *run(const char *const arguments[3])
{
    return kit_run("delayserver", arguments[0], arguments[1], arguments[2], NULL);
}

static void assert_is_one_line(const char *text)
{
    assert_non_null(strchr(text, '\n'));
    assert_string_equal(strchr(text, '\n'), "\n");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct kit_process *process = run(mistakes[i].arguments);
        size_t length;

        assert_int_equal(kit_end(process), 2);
        kit_await_stderr(process, mistakes[i].named);
        assert_is_one_line(kit_stderr(process));
        assert_memory_equal(kit_stderr(process), "delayserver: ", 13);
        kit_await_stderr(process, "try 'delayserver --help'\n");
        kit_stdout(process, &length);
        assert_int_equal(length, 0);
    }
}

static void backend_of_the_environment_is_named(void **state)
{
    struct kit_process *process;

    (void)state;
    kit_env("POLLSPIN_BACKEND", "nope");
    process = kit_run("delayserver", "delay@0", NULL);
    assert_int_equal(kit_end(process), 2);
    kit_await_stderr(process, "there is no backend 'nope'");
}

static void last_mistake_leaves_no_socket_of_the_first(void **state)
{
    char path[300];
    char place[400];

    (void)state;
    snprintf(path, sizeof path, "%s/socket", kit_folder());
    snprintf(place, sizeof place, "delay@unix:%s", path);
    assert_int_equal(kit_end(kit_run("delayserver", place, "echo@65536", NULL)), 2);
    assert_int_equal(access(path, F_OK), -1);
}

static void assert_prints(const char *option, const char *text)
{
    struct kit_process *process = kit_run("delayserver", option, NULL);

    assert_int_equal(kit_end(process), 0);
    kit_await_stdout(process, text);
    assert_string_equal(kit_stderr(process), "");
}

static void what_is_asked_for_is_printed(void **state)
{
    (void)state;
    assert_prints("--help", "Usage: delayserver [OPTION]... [SERVICE[@WHERE]]...\n");
    assert_prints("-h", "--max-clients=N");
    assert_prints("--version", "delayserver (pollspin) " PACKAGE_VERSION "\n");
    assert_prints("-V", "delayserver (pollspin) " PACKAGE_VERSION "\n");
    assert_prints("--list-backends", "select ");
}

static void printing_into_a_full_disk_fails(void **state)
{
    char command[1000];
    struct kit_process *process;

    (void)state;
    if (access("/dev/full", W_OK) < 0)
        kit_skip("there is no /dev/full");
    snprintf(command, sizeof command, "%s --help >/dev/full", kit_program("delayserver"));
    process = kit_run("sh", "-c", command, NULL);
    assert_int_equal(kit_end(process), 1);
    kit_await_stderr(process, "delayserver: standard output: No space left on device\n");
}

static void port_in_use_is_named(void **state)
{
    uint16_t port;
    char place[50];
    char message[100];
    struct kit_process *process;

    (void)state;
    kit_listen(&port);
    snprintf(place, sizeof place, "echo@127.0.0.1:%u", port);
    snprintf(message, sizeof message, "delayserver: echo: 127.0.0.1:%u: Address already in use\n",
             port);
    process = kit_run("delayserver", "delay@0", place, NULL);
    assert_int_equal(kit_end(process), 1);
    assert_string_equal(kit_stderr(process), message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(mistakes_are_named, kit_cleanup),
        cmocka_unit_test_teardown(backend_of_the_environment_is_named, kit_cleanup),
        cmocka_unit_test_teardown(last_mistake_leaves_no_socket_of_the_first, kit_cleanup),
        cmocka_unit_test_teardown(what_is_asked_for_is_printed, kit_cleanup),
        cmocka_unit_test_teardown(printing_into_a_full_disk_fails, kit_cleanup),
        cmocka_unit_test_teardown(port_in_use_is_named, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
