/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command line that is wrong gets 2 and one line that names the mistake, and nothing is made or
 * changed; what asks for text gets it on standard output, and an error where that cannot be
 * written.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kit/kit.h"

#define CONTENT "the source\n"

struct mistake {
    const char *words[5]; /* behind the name */
    const char *text;     /* what the line says */
};

/* a is a file, hard another name of it, soft a link to it. */
static const struct mistake mistakes[] = {
    {{NULL}, "what is to be copied, and where to?"},
    {{"a"}, "each source needs a destination behind it: 'a' has none"},
    {{"a", "b", "c"}, "'c' has none"},
    {{"a", "b", "--quiet", "--", "--json"}, "'--json' has none"},
    {{"--fan"}, "--fan needs a source and a destination"},
    {{"--fan", "a"}, "--fan needs a source and a destination"},
    {{"--merge"}, "--merge needs a destination and a source"},
    {{"--merge", "out"}, "--merge needs a destination and a source"},
    {{"--fan", "--merge", "a", "out"}, "--fan and --merge are two shapes: choose one"},
    {{"a", "--merge", "out", "--fan"}, "--fan and --merge are two shapes: choose one"},
    {{"--labels", "a", "out"}, "--labels is for --merge only"},
    {{"--fan", "--labels", "a", "out"}, "--labels is for --merge only"},
    {{"-a", "--in-place", "a", "out"}, "--append keeps what --in-place truncates: choose one"},
    {{"-an", "a", "out"}, "--no-clobber leaves alone: choose one"},
    {{"--frobnicate", "a", "out"}, "no option '--frobnicate'"},
    {{"-x", "a", "out"}, "no option '-x'"},
    {{"-qx", "a", "out"}, "no option '-x'"},
    {{"--f", "a", "out"}, "no option '--f'"}, /* it could be several */
    {{"--fan=a", "out"}, "'--fan=a' takes no argument"},
    {{"--help=all"}, "'--help=all' takes no argument"},
    {{"a", "out", "--limit"}, "'--limit' needs an argument"},
    {{"a", "out", "-b"}, "'-b' needs an argument"},
    {{"--backend=telepathy", "a", "out"}, "no backend 'telepathy'"},
    {{"-b", "", "a", "out"}, "no backend ''"},
    {{"-b", "blocking", "--fan", "a", "out"}, "the backend blocking waits for one descriptor"},
    {{"-b", "blocking", "--merge", "out", "a"}, "the backend blocking waits for one descriptor"},
    {{"-b", "blocking", "--slow=drop", "a", "out"}, "the backend blocking waits for one"},
    {{"--slow=detach", "a", "out"}, "--slow: detach needs to know when: detach=SECONDS"},
    {{"--slow=detach=", "a", "out"}, "--slow: '' is not a number of seconds"},
    {{"--slow=detach=-1", "a", "out"}, "--slow: '-1' is not a number of seconds"},
    {{"--slow=detach=5s", "a", "out"}, "--slow: '5s' is not a number of seconds"},
    {{"--slow=detach=99999999999", "a", "out"}, "--slow: '99999999999' is not a number"},
    {{"--slow=wait", "a", "out"}, "--slow: 'wait' is not block, drop or detach=SECONDS"},
    {{"--slow=", "a", "out"}, "--slow: '' is not block, drop or detach=SECONDS"},
    {{"--limit=fast", "a", "out"}, "--limit: 'fast' is not a number of bytes a second"},
    {{"--limit=0", "a", "out"}, "--limit: '0' is not a number of bytes a second"},
    {{"--limit=/s", "a", "out"}, "--limit: '/s' is not a number of bytes a second"},
    {{"--limit=1M/m", "a", "out"}, "--limit: '1M/m' is not a number of bytes a second"},
    {{"--limit-total=2000T", "a", "out"}, "2000T' is not a number of bytes a second up to 1024T"},
    {{"--buffer=4095", "a", "out"}, "--buffer: '4095' is not a size from 4K to 1G"},
    {{"--buffer=2G", "a", "out"}, "--buffer: '2G' is not a size from 4K to 1G"},
    {{"--buffer=64kB", "a", "out"}, "--buffer: '64kB' is not a size"},
    {{"--progress=often", "a", "out"}, "--progress: 'often' is not auto, always or never"},
    {{"--progress", "always", "a", "out"}, "'out' has none"},
    {{"", "out"}, "'': "},
    {{"a", "fd:out"}, "'fd:out': "},
    {{"a", "tcp:host"}, "'tcp:host': "},
    {{"a", "out", "tcp-listen:65536", "b"}, "'tcp-listen:65536': "},
    {{"a", "unix:"}, "'unix:': "},
    {{"a", "fd:\033[31mred"}, "'fd:^[[31mred': "},
    {{"a", "a"}, "a and a are the same file"},
    {{"a", "hard"}, "a and hard are the same file"},
    {{"soft", "a"}, "soft and a are the same file"},
    {{"--fan", "a", "out", "./out"}, "out and ./out are the same file"},
    {{"--merge", "a", "b", "a"}, "a and a are the same file"},
};

static void make_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, CONTENT, strlen(CONTENT)), strlen(CONTENT));
    assert_int_equal(close(fd), 0);
}

static void enter_folder(void)
{
    assert_int_equal(chdir(kit_folder()), 0);
    make_file("a");
    assert_int_equal(link("a", "hard"), 0);
    assert_int_equal(symlink("a", "soft"), 0);
}

static int leave_folder(void **state)
{
    assert_int_equal(chdir("/"), 0);
    return kit_cleanup(state);
}

/* The three that were made, and no more, temporary ones included. */
static void assert_nothing_is_made(void)
{
    DIR *folder = opendir(".");
    int count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    assert_int_equal(count, 2 + 3);
}

static void assert_is_whole(const char *name)
{
    char bytes[sizeof CONTENT + 1];
    int fd = open(name, O_RDONLY);

    assert_int_equal(read(fd, bytes, sizeof bytes), strlen(CONTENT));
    assert_memory_equal(bytes, CONTENT, strlen(CONTENT));
    close(fd);
}

static void each_mistake_is_named(void **state)
{
    (void)state;
    enter_folder();
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *const *words = mistakes[i].words;
        struct kit_process *copy =
            kit_run("pollcopy", words[0], words[1], words[2], words[3], words[4], NULL);

        kit_end_saying(copy, 2, mistakes[i].text);
        assert_memory_equal(kit_stderr(copy), "pollcopy: ", strlen("pollcopy: "));
        assert_string_equal(kit_stdout(copy, NULL), "");
    }
    assert_nothing_is_made();
    assert_is_whole("a");
}

static void backend_of_the_environment_is_named(void **state)
{
    (void)state;
    enter_folder();
    kit_env("POLLSPIN_BACKEND", "nope");
    kit_end_saying(kit_run("pollcopy", "a", "out", NULL), 2, "there is no backend 'nope'");
    assert_nothing_is_made();
}

static struct kit_process *in_shell(const char *script)
{
    return kit_run("sh", "-c", script, kit_program("pollcopy"), NULL);
}

/* The program opens descriptors of its own, which must not be taken for one that was closed. */
static void descriptors_that_are_closed_are_named(void **state)
{
    (void)state;
    enter_folder();
    kit_end_saying(in_shell("exec \"$0\" -q - out <&-"), 4, "standard input is not open");
    kit_end_saying(in_shell("exec \"$0\" -q a - >&-"), 8, "standard output is not open");
    kit_end_saying(in_shell("exec 4<&- 4>&-; exec \"$0\" -q a fd:4"), 8, "fd:4: not open");
    kit_end_saying(in_shell("exec 3<&-; exec \"$0\" -q fd:3 out"), 4, "fd:3: not open");
    assert_nothing_is_made();
}

/* Nobody is left to be told. */
static void closed_error_does_no_harm(void **state)
{
    (void)state;
    enter_folder();
    assert_int_equal(kit_end(in_shell("exec \"$0\" -q no-such-file out 2>&-")), 4);
    assert_nothing_is_made();
    assert_int_equal(kit_end(in_shell("exec \"$0\" -q a out 2>&-")), 0);
    assert_is_whole("out");
}

static const struct request {
    const char *word;
    const char *text; /* a part of what it prints */
} requests[] = {
    {"--help", "Usage: pollcopy "}, {"-h", "--merge DEST SOURCE"},
    {"--list-backends", "select "}, {"--version", "pollcopy (pollspin) " PACKAGE_VERSION "\n"},
    {"-V", "pollcopy (pollspin) "},
};

static void text_asked_for_is_on_standard_output(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct kit_process *copy = kit_run("pollcopy", requests[i].word, NULL);

        assert_int_equal(kit_end(copy), 0);
        assert_non_null(strstr(kit_stdout(copy, NULL), requests[i].text));
        assert_string_equal(kit_stderr(copy), "");
    }
}

static void the_help_fits_80_columns(void **state)
{
    struct kit_process *copy = kit_run("pollcopy", "--help", NULL);
    const char *line;

    (void)state;
    assert_int_equal(kit_end(copy), 0);
    for (line = kit_stdout(copy, NULL); *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

static void what_cannot_be_printed_is_an_error(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) < 0)
        kit_skip("there is no /dev/full");
    enter_folder();
    kit_end_saying(in_shell("exec \"$0\" --help >/dev/full"), 1,
                   "standard output: No space left on device");
    kit_end_saying(in_shell("exec \"$0\" a out >/dev/full"), 1,
                   "standard output: No space left on device");
    assert_is_whole("out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_mistake_is_named, leave_folder),
        cmocka_unit_test_teardown(backend_of_the_environment_is_named, leave_folder),
        cmocka_unit_test_teardown(descriptors_that_are_closed_are_named, leave_folder),
        cmocka_unit_test_teardown(closed_error_does_no_harm, leave_folder),
        cmocka_unit_test_teardown(text_asked_for_is_on_standard_output, leave_folder),
        cmocka_unit_test_teardown(the_help_fits_80_columns, leave_folder),
        cmocka_unit_test_teardown(what_cannot_be_printed_is_an_error, leave_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
