/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pollcopy says of what it did: the exit status bit by bit and summed up, the total, nothing
 * where nothing is to be said, JSON that another program reads, and what signals make of it.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

/* The exit status, as the manual page has it. */
enum { BROKEN = 1, USAGE = 2, SOURCE = 4, DEST = 8, LOST = 16, INTERRUPTED = 32 };

enum { LONG = 10000, MANY = 3 * 1024 * 1024 };

#define SMALL "seven\n\n"
#define OLD   "what was there before\n"

/* ---- a folder to work in ---- */

static char before[PATH_MAX];

static void write_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* One with small, long and old, and a fifo that nobody writes. */
static int begin(void **state)
{
    static char bytes[LONG];

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(kit_folder()), 0);
    memset(bytes, 'x', sizeof bytes);
    write_file("long", bytes, sizeof bytes);
    write_file("small", SMALL, strlen(SMALL));
    write_file("old", OLD, strlen(OLD));
    assert_int_equal(mkfifo("fifo", 0600), 0);
    return 0;
}

static int end(void **state)
{
    if (chdir(before) < 0)
        return -1;
    return kit_cleanup(state);
}

/* Reads what is at PATH; valid until the next call. */
static const char *content_of(const char *path)
{
    static char bytes[LONG + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    n = read(fd, bytes, sizeof bytes - 1);
    assert_true(n >= 0);
    bytes[n] = '\0';
    close(fd);
    return bytes;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* How many names there are beside those of begin: temporary ones would be. */
static int new_names(void)
{
    DIR *folder = opendir(".");
    int count = -6; /* ., .., and the four */

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* ---- the program ---- */

static void assert_status(struct kit_process *process, int status, const char *output,
                          const char *messages)
{
    int ended = kit_end(process);

    assert_string_equal(kit_stderr(process), messages);
    assert_string_equal(kit_stdout(process, NULL), output);
    assert_int_equal(ended, status);
}

#define assert_run(status, output, messages, ...)                                                  \
    assert_status(kit_run("pollcopy", __VA_ARGS__, NULL), status, output, messages)

/* Starts what copies standard input, with --json: that tells when it is under way. */
#define start_json(...) await_opened(kit_run("pollcopy", "--json", __VA_ARGS__, NULL))

static struct kit_process *await_opened(struct kit_process *process)
{
    kit_await_stderr(process, "\"opened\"");
    return process;
}

/* ---- the status ---- */

static void nothing_wrong_is_0(void **state)
{
    (void)state;
    assert_run(0, "Number of bytes copied 7\n", "", "small", "new");
    assert_string_equal(content_of("new"), SMALL);
}

static void a_source_is_4(void **state)
{
    (void)state;
    assert_run(SOURCE, "Number of bytes copied 0\n",
               "pollcopy: nothing: No such file or directory\n", "nothing", "new");
    assert_int_equal(new_names(), 0);
}

static void a_destination_is_8(void **state)
{
    (void)state;
    assert_run(DEST, "Number of bytes copied 0\n",
               "pollcopy: nowhere/new: No such file or directory\n", "small", "nowhere/new");
    assert_int_equal(new_names(), 0);
}

static void usage_is_2(void **state)
{
    struct kit_process *process = kit_run("pollcopy", "small", NULL);

    (void)state;
    assert_int_equal(kit_end(process), USAGE);
    assert_string_equal(kit_stdout(process, NULL), "");
    assert_true(strncmp(kit_stderr(process), "pollcopy: ", 10) == 0);
}

static void a_long_line_is_16(void **state)
{
    (void)state;
    assert_run(LOST, "", "pollcopy: long: cut 1 line longer than the buffer\n", "-q", "--buffer=4K",
               "--merge", "new", "long");
}

/* The fifo has a reader that takes nothing. */
static void a_detached_destination_is_16(void **state)
{
    int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct kit_process *process =
        kit_run("pollcopy", "-q", "--slow=detach=0", "--fan", "-", "fifo", "new", NULL);
    char *bytes = calloc(1, MANY);
    struct stat status;

    (void)state;
    assert_non_null(bytes);
    kit_type_bytes(process, bytes, MANY);
    kit_type_end(process);
    free(bytes);
    assert_int_equal(kit_end(process), LOST);
    assert_non_null(strstr(kit_stderr(process), "pollcopy: fifo: detached: "));
    assert_int_equal(stat("new", &status), 0);
    assert_int_equal(status.st_size, MANY);
    close(reader);
}

static void a_total_that_cannot_be_told_is_1(void **state)
{
    struct kit_process *process =
        kit_run("sh", "-c", "exec $TEST_WRAPPER \"$0\" small new >/dev/full",
                kit_program("pollcopy"), NULL);

    (void)state;
    if (!is_there("/dev/full"))
        kit_skip("there is no /dev/full");
    assert_status(process, BROKEN, "", "pollcopy: standard output: No space left on device\n");
    assert_string_equal(content_of("new"), SMALL);
}

static void a_total_that_nobody_wants_is_0(void **state)
{
    static const char *const scripts[] = {
        "exec 3<>fifo 4>fifo 3<&-; exec $TEST_WRAPPER \"$0\" small new >&4", /* no reader */
        "exec $TEST_WRAPPER \"$0\" small new >&-",
    };

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        assert_status(kit_run("sh", "-c", scripts[i], kit_program("pollcopy"), NULL), 0, "", "");
        assert_string_equal(content_of("new"), SMALL);
    }
}

/* The pair between the two that fail is copied. */
static void a_source_and_a_destination_are_12(void **state)
{
    struct kit_process *process =
        kit_run("pollcopy", "nothing", "a", "small", "b", "small", "nowhere/c", NULL);

    (void)state;
    assert_int_equal(kit_end(process), SOURCE + DEST);
    assert_non_null(strstr(kit_stderr(process), "pollcopy: nothing: No such file or directory\n"));
    assert_non_null(
        strstr(kit_stderr(process), "pollcopy: nowhere/c: No such file or directory\n"));
    assert_string_equal(kit_stdout(process, NULL), "Number of bytes copied 7\n");
    assert_string_equal(content_of("b"), SMALL);
    assert_int_equal(new_names(), 1);
}

static void a_source_and_a_lost_line_are_20(void **state)
{
    struct kit_process *process =
        kit_run("pollcopy", "-q", "--buffer=4K", "--merge", "new", "nothing", "long", NULL);

    (void)state;
    assert_int_equal(kit_end(process), SOURCE + LOST);
}

static void a_source_and_a_signal_are_36(void **state)
{
    struct kit_process *process = kit_run("pollcopy", "nothing", "a", "-", "b", NULL);

    (void)state;
    kit_await_stderr(process, "nothing: No such file or directory\n");
    kit_signal(process, SIGTERM);
    assert_int_equal(kit_end(process), SOURCE + INTERRUPTED);
    assert_int_equal(new_names(), 0);
}

static void the_first_error_ends_all_where_that_was_asked_for(void **state)
{
    struct kit_process *process =
        kit_run("pollcopy", "--stop-on-error", "-", "old", "nothing", "b", NULL);

    (void)state;
    assert_status(process, SOURCE, "Number of bytes copied 0\n",
                  "pollcopy: nothing: No such file or directory\n");
    assert_string_equal(content_of("old"), OLD);
    assert_int_equal(new_names(), 0);
}

/* ---- the total ---- */

static void the_total_is_of_all_destinations(void **state)
{
    (void)state;
    assert_run(0, "Number of bytes copied 21\n", "", "--fan", "small", "a", "b", "c");
    assert_run(0, "Number of bytes copied 29\n", "", "small", "a", "old", "b");
}

static void quiet_tells_no_total_but_what_went_wrong(void **state)
{
    (void)state;
    assert_run(0, "", "", "-q", "small", "a");
    assert_run(0, "", "", "--quiet", "--fan", "small", "a", "b");
    assert_run(SOURCE, "", "pollcopy: nothing: No such file or directory\n", "-q", "nothing", "c");
}

/* In the middle of the bytes it would be one of them. */
static void no_total_where_standard_output_is_a_destination(void **state)
{
    (void)state;
    assert_run(0, SMALL, "", "small", "-");
    assert_run(0, SMALL, "", "small", "fd:1");
    assert_run(0, SMALL, "", "small", "/dev/stdout");
    assert_run(0, SMALL, "", "--fan", "small", "a", "-");
    assert_run(0, SMALL, "", "--merge", "-", "small");
}

static void no_total_in_a_file_that_is_standard_output(void **state)
{
    struct kit_process *process =
        kit_run("sh", "-c", "exec $TEST_WRAPPER \"$0\" --in-place small new >>new",
                kit_program("pollcopy"), NULL);

    (void)state;
    assert_status(process, 0, "", "");
    assert_string_equal(content_of("new"), SMALL);
}

/* ---- JSON ---- */

/* Reads events, one a line, and prints the value of an expression over them. */
static void assert_json(const char *events, const char *expression, const char *value)
{
    static const char program[] =
        "import json, sys\n"
        "events = [json.loads(line) for line in open('events', encoding='utf-8')]\n"
        "times = [e['time'] for e in events]\n"
        "assert times == sorted(times) and times[0] >= 0\n"
        "def of(kind): return [e for e in events if e['event'] == kind]\n"
        "print(eval(sys.argv[1]), end='')\n";
    struct kit_process *python;

    if (!kit_has("python3"))
        kit_skip("there is no python3 to read JSON with");
    write_file("events", events, strlen(events));
    python = kit_run("python3", "-c", program, expression, NULL);
    assert_status(python, 0, value, "");
}

static void json_tells_what_happened(void **state)
{
    struct kit_process *process =
        kit_run("pollcopy", "--json", "small", "a", "nothing", "b", "old", "nowhere/c", NULL);
    const char *events;

    (void)state;
    assert_int_equal(kit_end(process), SOURCE + DEST);
    assert_string_equal(kit_stdout(process, NULL), "Number of bytes copied 7\n");
    events = kit_stderr(process);
    assert_json(events, "len(events), events[-1]['event'], events[-1]['bytes']", "(5, 'ended', 7)");
    assert_json(events, "[(e['stream'], e['source'], e['dest']) for e in of('opened')]",
                "[(0, 'small', 'a')]");
    assert_json(events, "[(e['stream'], e['source'], e['dest'], e['copied']) for e in of('done')]",
                "[(0, 'small', 'a', 7)]");
    assert_json(events,
                "[(e['stream'], e['name'], e['error'], e['why']) for e in events"
                " if 'failed' in e['event']] == [(1, 'nothing', 'ENOENT',"
                " 'No such file or directory'), (2, 'nowhere/c', 'ENOENT',"
                " 'No such file or directory')]",
                "True");
}

static void json_holds_any_name(void **state)
{
    struct kit_process *process = kit_run("pollcopy", "-q", "--json", "small",
                                          "a\"\\\n\t\x1b\xff"
                                          "\xc3\xa4",
                                          NULL);

    (void)state;
    assert_int_equal(kit_end(process), 0);
    assert_json(kit_stderr(process), "of('done')[0]['dest'] == 'a\"\\\\\\n\\t\\x1b\\ufffd\\xe4'",
                "True");
}

static void json_tells_of_losses(void **state)
{
    struct kit_process *process =
        kit_run("pollcopy", "-q", "--json", "--buffer=4K", "--merge", "new", "long", "small", NULL);

    (void)state;
    assert_int_equal(kit_end(process), LOST);
    assert_json(kit_stderr(process), "[(e['name'], e['lines']) for e in of('cut')]",
                "[('long', 1)]");
}

/* Once a second: here the first one is waited for. */
static void json_tells_how_far_it_is(void **state)
{
    struct kit_process *process = start_json("-q", "-", "new");

    (void)state;
    kit_type(process, "12345");
    kit_await_stderr(process, "\"copied\":5");
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    assert_json(kit_stderr(process),
                "[(s['source'], s['dest'], s['state'], s['copied'], s['size'], s['queued'],"
                " s['bound'], s['dropped']) for s in of('progress')[-1]['streams']]",
                "[('-', 'new', 'running', 5, None, 0, 0, 0)]");
    assert_json(kit_stderr(process), "of('progress')[-1]['total'], events[-1]['bytes']", "(5, 5)");
}

/* ---- signals ---- */

static int count_lines(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* A second signal has a line of its own: so the first had one, and all goes on. */
static void usr1_prints_once_and_goes_on(void **state)
{
    struct kit_process *process = kit_run("pollcopy", "-", "-", NULL);

    (void)state;
    for (int i = 1; i <= 2; i++) {
        kit_type(process, "x\n");
        kit_await_lines(process, i);
        kit_signal(process, SIGUSR1);
        kit_await_stderr(process, i == 1 ? " 2 B" : " 4 B");
    }
    kit_type(process, "y\n");
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    assert_string_equal(kit_stdout(process, NULL), "x\nx\ny\n");
    assert_int_equal(count_lines(kit_stderr(process)), 2);
}

static void usr1_prints_in_json(void **state)
{
    struct kit_process *process = start_json("-q", "-", "-");

    (void)state;
    kit_type(process, "x\n");
    kit_await_lines(process, 1);
    kit_signal(process, SIGUSR1);
    kit_await_stderr(process, "\"copied\":2");
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    assert_json(kit_stderr(process), "of('progress')[-1]['streams'][0]['copied']", "2");
}

static void a_signal_ends_it_and_leaves_all_as_it_was(void **state)
{
    static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct kit_process *process = start_json("-", "old", "fifo", "new");

        kit_type(process, "half of it");
        kit_signal(process, signals[i]);
        assert_int_equal(kit_end(process), INTERRUPTED);
        assert_non_null(strstr(kit_stderr(process), "{\"event\":\"ended\""));
        assert_string_equal(content_of("old"), OLD);
        assert_int_equal(new_names(), 0);
    }
}

/* As by nohup, or of what a script has in the background. */
static void assert_stays_ignored(const char *name, int signo)
{
    char script[128];
    struct kit_process *process;

    snprintf(script, sizeof script, "trap '' %s; exec $TEST_WRAPPER \"$0\" - -", name);
    process = kit_run("sh", "-c", script, kit_program("pollcopy"), NULL);
    kit_type(process, "x\n");
    kit_await_lines(process, 1);
    kit_signal(process, signo);
    kit_type(process, "y\n");
    kit_await_lines(process, 2);
    kit_type_end(process);
    assert_status(process, 0, "x\ny\n", "");
}

static void what_is_ignored_at_the_start_stays_so(void **state)
{
    (void)state;
    assert_stays_ignored("HUP", SIGHUP);
    assert_stays_ignored("INT", SIGINT);
    assert_stays_ignored("QUIT", SIGQUIT);
}

static void sigterm_ends_it_though_it_was_ignored(void **state)
{
    struct kit_process *process =
        kit_run("sh", "-c", "trap '' INT TERM; exec $TEST_WRAPPER \"$0\" - -",
                kit_program("pollcopy"), NULL);

    (void)state;
    kit_type(process, "x\n");
    kit_await_lines(process, 1);
    kit_signal(process, SIGTERM);
    assert_status(process, INTERRUPTED, "x\n", "");
}

/* ---- readers that go away ---- */

static void a_reader_that_goes_is_a_failed_destination(void **state)
{
    int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct kit_process *process = start_json("-", "fifo", "small", "new");

    (void)state;
    assert_true(reader >= 0);
    close(reader);
    kit_type(process, "x");
    kit_type_end(process);
    assert_int_equal(kit_end(process), DEST);
    assert_non_null(strstr(kit_stderr(process), "\"error\":\"EPIPE\",\"why\":\"Broken pipe\""));
    assert_string_equal(content_of("new"), SMALL);
}

static void standard_output_that_nobody_reads_is_8(void **state)
{
    static const char script[] =
        "yes | { $TEST_WRAPPER \"$0\" -q - - 2>said; echo $? >status; } | head -c 1 >/dev/null";
    struct kit_process *process = kit_run("sh", "-c", script, kit_program("pollcopy"), NULL);

    (void)state;
    kit_end(process);
    assert_string_equal(content_of("status"), "8\n");
    assert_string_equal(content_of("said"), "pollcopy: -: Broken pipe\n");
}

/* ---- rates ---- */

/* Runs it and asserts that it took as long as N bytes take at RATE. Longer is the machine's affair.
 */
static void assert_takes(struct kit_process *process, int64_t begun, int64_t n, int64_t rate)
{
    int status = kit_end(process);
    int64_t taken = clock_now() - begun;

    assert_string_equal(kit_stderr(process), "");
    assert_int_equal(status, 0);
    assert_true(taken >= n * CLOCK_SECOND / rate);
}

static void a_pair_is_never_faster_than_its_limit(void **state)
{
    int64_t begun = clock_now();

    (void)state;
    assert_takes(kit_run("pollcopy", "--limit=40000", "long", "a", "small", "b", NULL), begun, LONG,
                 40000);
    assert_int_equal(strlen(content_of("a")), LONG);
    begun = clock_now();
    assert_takes(kit_run("pollcopy", "-q", "--limit=40000", "long", "-", NULL), begun, LONG, 40000);
}

static void all_together_are_never_faster_than_the_limit_of_all(void **state)
{
    int64_t begun = clock_now();

    (void)state;
    assert_takes(
        kit_run("pollcopy", "--limit-total=100K", "long", "a", "long", "b", "long", "c", NULL),
        begun, 3 * LONG, 102400);
    assert_int_equal(strlen(content_of("c")), LONG);
}

static void what_comes_from_a_pipe_is_limited_too(void **state)
{
    static char bytes[LONG];
    int64_t begun = clock_now();
    struct kit_process *fan = kit_run("pollcopy", "--limit=40000", "--fan", "-", "a", "b", NULL);

    (void)state;
    kit_type_bytes(fan, bytes, LONG);
    kit_type_end(fan);
    assert_takes(fan, begun, LONG, 40000);
    begun = clock_now();
    assert_takes(kit_run("pollcopy", "--limit=40000", "--merge", "c", "long", NULL), begun, LONG,
                 40000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_wrong_is_0),
        CASE(a_source_is_4),
        CASE(a_destination_is_8),
        CASE(usage_is_2),
        CASE(a_long_line_is_16),
        CASE(a_detached_destination_is_16),
        CASE(a_total_that_cannot_be_told_is_1),
        CASE(a_total_that_nobody_wants_is_0),
        CASE(a_source_and_a_destination_are_12),
        CASE(a_source_and_a_lost_line_are_20),
        CASE(a_source_and_a_signal_are_36),
        CASE(the_first_error_ends_all_where_that_was_asked_for),
        CASE(the_total_is_of_all_destinations),
        CASE(quiet_tells_no_total_but_what_went_wrong),
        CASE(no_total_where_standard_output_is_a_destination),
        CASE(no_total_in_a_file_that_is_standard_output),
        CASE(json_tells_what_happened),
        CASE(json_holds_any_name),
        CASE(json_tells_of_losses),
        CASE(json_tells_how_far_it_is),
        CASE(usr1_prints_once_and_goes_on),
        CASE(usr1_prints_in_json),
        CASE(a_signal_ends_it_and_leaves_all_as_it_was),
        CASE(what_is_ignored_at_the_start_stays_so),
        CASE(sigterm_ends_it_though_it_was_ignored),
        CASE(a_reader_that_goes_is_a_failed_destination),
        CASE(standard_output_that_nobody_reads_is_8),
        CASE(a_pair_is_never_faster_than_its_limit),
        CASE(all_together_are_never_faster_than_the_limit_of_all),
        CASE(what_comes_from_a_pipe_is_limited_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
