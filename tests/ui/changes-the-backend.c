/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to wait is changed while the program runs: the title and the calls show it, nothing that
 * is received or typed is lost or told twice, and what cannot be is refused and changes nothing.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "calls.h"
#include "pollspin/poller.h"

enum { ROWS = 24, COLUMNS = 100, SWITCHES = 100 };

/* At most so many bytes a line, at least so many on the average, and so many lines a write. */
enum { FLOOD_LINE = 64, FLOOD_BYTES = 30, FLOOD_LINES = 256, FLOOD_LEAST = 3000000 };

static const char *const backends[] = {"select", "poll", "epoll", "uring"};

/* uring, the last, may be missing or refused. */
static int backend_count(void)
{
    int count = sizeof backends / sizeof *backends;
    struct poller *poller = poller_open(backends[count - 1]);

    if (!poller)
        return count - 1;
    poller_close(poller);
    return count;
}

static struct shown shown;

/* ---- one change ---- */

/* The system call that belongs to a backend, by its beginning. */
static bool newest_call_is_of(struct kit_terminal *terminal, void *backend)
{
    const char *call;

    shown_read(&shown, terminal, ROWS);
    if (shown.count == 0)
        return false;
    call = shown.calls[shown.count - 1];
    if (strcmp(backend, "select") == 0)
        return strncmp(call, "select(", 7) == 0 || strncmp(call, "pselect6(", 9) == 0;
    if (strcmp(backend, "poll") == 0)
        return strncmp(call, "poll(", 5) == 0 || strncmp(call, "ppoll(", 6) == 0;
    if (strcmp(backend, "uring") == 0)
        return strncmp(call, "io_uring_enter(", 15) == 0;
    return strncmp(call, "epoll_", 6) == 0;
}

static void expect_backend(const struct full *full, const char *backend)
{
    char text[64];

    snprintf(text, sizeof text, "waiting with %s", backend);
    kit_await_row(full->terminal, text);
    snprintf(text, sizeof text, "| open | %s |", backend);
    assert_int_equal(kit_await_row(full->terminal, text), 0);
    snprintf(text, sizeof text, "inspector: %s ", backend);
    kit_await_row(full->terminal, text);
    kit_await_looks(full->terminal, newest_call_is_of, (void *)backend, backend);
}

/* Both directions work. */
static void expect_exchange(const struct full *full, const char *word)
{
    full_say(full, word);
    kit_await_row(full->terminal, word);
    full_type(full, word);
    assert_string_equal(full_hear(full), word);
}

static void it_is_seen_and_nothing_stops(void **state)
{
    static const char *const options[] = {"--backend=poll", "--inspect", NULL};
    struct full full;
    char line[64];

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    for (int i = 0; i < 6; i++) {
        const char *backend = backends[i % backend_count()];

        full_type(&full, "/clear");
        snprintf(line, sizeof line, "/backend %s", backend);
        full_type(&full, line);
        expect_backend(&full, backend);
        snprintf(line, sizeof line, "word %d", i);
        expect_exchange(&full, line);
    }
}

/* ---- during a flood ---- */

static pid_t flooder;
static volatile sig_atomic_t is_enough;

static void on_enough(int signo)
{
    (void)signo;
    is_enough = 1;
}

static int flood_line(char line[FLOOD_LINE], unsigned long number)
{
    return snprintf(line, FLOOD_LINE, "%lu drops of a flood, %08lx\n", number,
                    number * 2654435761UL & 0xffffffffUL);
}

static void flood_write(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno != EINTR)
            _exit(1);
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
}

/* Sends lines until SIGTERM has come and there were LEAST of them, and tells REPORT how many. */
static void flood(int fd, int report, unsigned long least)
{
    char bytes[FLOOD_LINES * FLOOD_LINE];
    unsigned long number = 0;

    while (!is_enough || number < least) {
        size_t n = 0;

        for (int i = 0; i < FLOOD_LINES; i++)
            n += (size_t)flood_line(bytes + n, number++);
        flood_write(fd, bytes, n);
    }
    flood_write(report, (const char *)&number, sizeof number);
    _exit(0);
}

/* Returns where the number of lines will be told. */
static int flood_start(int fd, unsigned long least)
{
    struct sigaction action = {.sa_handler = on_enough};
    struct sigaction before;
    int report[2];

    assert_int_equal(pipe(report), 0);
    sigaction(SIGTERM, &action, &before);
    flooder = fork();
    assert_true(flooder >= 0);
    if (flooder == 0)
        flood(fd, report[1], least);
    sigaction(SIGTERM, &before, NULL);
    close(report[1]);
    return report[0];
}

/* The terminal is read meanwhile. */
static unsigned long flood_end(const struct full *full, int report)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct pollfd told = {.fd = report, .events = POLLIN};
    unsigned long number;

    kill(flooder, SIGTERM);
    while (poll(&told, 1, 0) == 0) {
        assert_true(clock_now() < deadline);
        kit_watch(full->terminal, 10 * CLOCK_MILLISECOND);
    }
    assert_int_equal(read(report, &number, sizeof number), sizeof number);
    close(report);
    return number;
}

static int teardown(void **state)
{
    int result = kit_cleanup(state);

    if (flooder > 0) {
        kill(flooder, SIGKILL);
        while (waitpid(flooder, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    flooder = 0;
    return result;
}

/* FNV-1a of 64 bits. */
static uint64_t hash_add(uint64_t hash, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static uint64_t hash_of_flood(unsigned long lines, size_t *length)
{
    uint64_t hash = hash_start;
    char line[FLOOD_LINE];

    *length = 0;
    for (unsigned long number = 0; number < lines; number++) {
        size_t n = (size_t)flood_line(line, number);

        hash = hash_add(hash, line, n);
        *length += n;
    }
    return hash;
}

static uint64_t hash_of_file(const char *path, size_t *length)
{
    uint64_t hash = hash_start;
    static char bytes[65536];
    FILE *file = fopen(path, "re");
    size_t n;

    assert_non_null(file);
    *length = 0;
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0) {
        hash = hash_add(hash, bytes, n);
        *length += n;
    }
    fclose(file);
    return hash;
}

static void await_size(const struct full *full, const char *path, off_t size)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct stat status;

    while (stat(path, &status) < 0 || status.st_size < size) {
        assert_true(clock_now() < deadline);
        kit_watch(full->terminal, CLOCK_MILLISECOND);
    }
}

/* Switches and types in turn, all over a flood of LEAST lines that comes to LOG. What was typed has
 * to arrive before the next switch, so each waits at least once. */
static void switch_often(const struct full *full, const char *log, unsigned long least)
{
    char keys[128];
    char word[64];

    for (int i = 0; i < SWITCHES; i++) {
        await_size(full, log, (off_t)least * FLOOD_BYTES / SWITCHES * i);
        snprintf(word, sizeof word, "word %d of mine", i);
        snprintf(keys, sizeof keys, "/backend %s\r%s\r", backends[i % backend_count()], word);
        kit_press(full->terminal, keys);
        assert_string_equal(full_hear(full), word);
    }
}

/* Returns how often the name of the call that waits has changed. */
static int count_switches(struct calls *calls)
{
    const char *before = NULL;
    int count = 0;

    calls_read(calls);
    for (size_t i = 0; i < calls->count; i++) {
        const char *line = calls->lines[i];

        if (!call_is_wait(line))
            continue;
        count += before && strncmp(before, line, call_name(line) + 1) != 0;
        before = line;
    }
    return count;
}

static void a_hundred_times_in_a_flood(void **state)
{
    struct full full;
    struct calls calls;
    char log[280], command[300], lines[64];
    unsigned long least = kit_is_instrumented() ? FLOOD_LEAST / 100 : FLOOD_LEAST;
    uint64_t received, sent;
    size_t received_length, sent_length;
    unsigned long number;
    int report;

    (void)state;
    calls_name(&calls);
    snprintf(log, sizeof log, "%.250s.log", calls.path);
    full_start(&full, ROWS, COLUMNS, (const char *const[]){calls.option, "--backend=epoll", NULL});
    snprintf(command, sizeof command, "/log %s", log);
    full_type(&full, command);
    kit_await_row(full.terminal, "what is received goes to");
    report = flood_start(full.server, least);
    switch_often(&full, log, least);
    number = flood_end(&full, report);
    snprintf(lines, sizeof lines, " | %lu lines", number);
    kit_await_row(full.terminal, lines);
    received = hash_of_file(log, &received_length);
    sent = hash_of_flood(number, &sent_length);
    print_message("%lu lines, %zu bytes, hash %016llx; received %zu, %016llx\n", number,
                  sent_length, (unsigned long long)sent, received_length,
                  (unsigned long long)received);
    assert_int_equal(received_length, sent_length);
    assert_true(received == sent);
    assert_int_equal(count_switches(&calls), SWITCHES);
    calls_free(&calls);
}

/* ---- what cannot be ---- */

static void an_unknown_name_is_refused(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, (const char *const[]){"--backend=poll", NULL});
    full_type(&full, "/backend nothing");
    kit_await_row(full.terminal, "there is no backend 'nothing'");
    kit_await_row(full.terminal, "| open | poll |");
    expect_exchange(&full, "and goes on");
}

/* The descriptors below are taken, so that the program's own are beyond what an fd_set holds. */
static void numbers_too_high_for_select_are_refused(void **state)
{
    static const char script[] = "ulimit -n 4096 && for ((i = 0; i < 1100; i++)); do "
                                 "exec {fd}<>/dev/null; done; exec $TEST_WRAPPER \"$0\" \"$@\"";
    struct full full;
    int listener = kit_listen(&full.port);
    const char *const argv[] = {
        "bash", "-c", script, kit_program("pollspin"), "--keep", kit_target(full.port), NULL};

    (void)state;
    if (!kit_has("bash"))
        kit_skip("bash, which can open so many descriptors, is not installed");
    snprintf(full.target, sizeof full.target, "%s", kit_target(full.port));
    full.terminal = kit_terminal(ROWS, COLUMNS, argv);
    full.server = kit_accept(listener);
    kit_await_row(full.terminal, "  open");
    full_type(&full, "/backend select");
    kit_await_row(full.terminal, "; it stays epoll");
    kit_await_row(full.terminal, "| open | epoll |");
    expect_exchange(&full, "and goes on");
    full_type(&full, "/backend poll");
    kit_await_row(full.terminal, "| open | poll |");
    expect_exchange(&full, "and on");
}

/* ---- the lessons ---- */

static void busy_is_left_again(void **state)
{
    struct full full;

    (void)state;
    full_start(&full, ROWS, COLUMNS, NULL);
    full_type(&full, "/backend busy");
    kit_await_row(full.terminal, "| open | busy |");
    expect_exchange(&full, "never waiting");
    full_type(&full, "/backend epoll");
    kit_await_row(full.terminal, "| open | epoll |");
    expect_exchange(&full, "waiting again");
}

/* Only when the server speaks is there a turn. What is painted at most so often may need one more.
 */
static void block(struct full *full)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    full_start(full, ROWS, COLUMNS, NULL);
    full_type(full, "/backend blocking");
    while (shown_row(full->terminal, ROWS, "| open | blocking |") < 0) {
        assert_true(clock_now() < deadline);
        full_say(full, "a line");
        kit_watch(full->terminal, 100 * CLOCK_MILLISECOND);
    }
}

static void blocking_hears_the_server_alone(void **state)
{
    struct full full;
    size_t before, after;

    (void)state;
    block(&full);
    kit_raw(full.terminal, &before);
    full_type(&full, "/quit");
    kit_watch(full.terminal, 300 * CLOCK_MILLISECOND);
    kit_raw(full.terminal, &after);
    assert_int_equal(after, before); /* no spinner, no key */
    full_say(&full, "now it looks at the keyboard too");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
}

static void blocking_is_ended_by_a_signal(void **state)
{
    struct full full;

    (void)state;
    block(&full);
    kill(kit_terminal_pid(full.terminal), SIGTERM);
    assert_int_equal(kit_terminal_end(full.terminal), 128 + SIGTERM);
    assert_false(kit_is_other_screen(full.terminal));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        CASE(it_is_seen_and_nothing_stops),
        CASE(a_hundred_times_in_a_flood),
        CASE(an_unknown_name_is_refused),
        CASE(numbers_too_high_for_select_are_refused),
        CASE(busy_is_left_again),
        CASE(blocking_hears_the_server_alone),
        CASE(blocking_is_ended_by_a_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
