/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inspector shows what the program really asked the kernel: the very lines of --inspect=FILE,
 * the descriptors that it really has, and sums that follow from what was done.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "calls.h"
#include "e2e/backends.h"

enum { ROWS = 40, COLUMNS = 340, LEAST_CALLS = 5 };

static struct shown shown;

/* Starts it with BACKEND and the inspector open. */
static void start(struct full *full, struct calls *calls, const char *backend)
{
    const char *options[] = {"--backend", backend, NULL, NULL};
    char bar[64];

    calls_name(calls);
    options[2] = calls->option;
    full_start(full, ROWS, COLUMNS, options);
    kit_press(full->terminal, KEY_F4);
    snprintf(bar, sizeof bar, "inspector: %s  F4 closes", backend);
    kit_await_row(full->terminal, bar);
}

/* ---- what is waited for ---- */

static bool has_calls(struct kit_terminal *terminal, void *context)
{
    (void)context;
    shown_read(&shown, terminal, ROWS);
    return shown.count >= LEAST_CALLS;
}

static bool has_words(struct kit_terminal *terminal, void *words)
{
    shown_read(&shown, terminal, ROWS);
    return shown.marked >= 0 && strstr(shown.words, words);
}

/* Whether it says what came of the chosen call; io_uring_enter fails when its time is over. */
static bool has_outcome(struct kit_terminal *terminal, void *context)
{
    (void)context;
    return has_words(terminal, "It came back") || has_words(terminal, "the time limit was over");
}

static bool has_marked(struct kit_terminal *terminal, void *call)
{
    shown_read(&shown, terminal, ROWS);
    return shown.marked >= 0 && strcmp(shown.calls[shown.marked], call) == 0;
}

struct expected {
    const char *what;
    unsigned long long count; /* at least */
    struct shown_watch watch; /* as it was found */
};

static bool has_counted(struct kit_terminal *terminal, void *context)
{
    struct expected *expected = context;

    shown_read(&shown, terminal, ROWS);
    return shown_find(&shown, expected->what, &expected->watch) &&
           expected->watch.count >= expected->count;
}

/* A number in the row of the meters. */
struct meter {
    const char *what;
    double least;
    double most;
};

static bool meter_is_in(struct kit_terminal *terminal, void *context)
{
    const struct meter *meter = context;
    const char *place;
    double value;

    shown_read(&shown, terminal, ROWS);
    place = strstr(kit_row(terminal, shown.bar + 1), meter->what);
    return place && sscanf(place + strlen(meter->what), "%lf", &value) == 1 &&
           value >= meter->least && value <= meter->most;
}

static void await_meter(const struct full *full, const char *what, double least, double most)
{
    struct meter meter = {.what = what, .least = least, .most = most};

    kit_await_looks(full->terminal, meter_is_in, &meter, what);
}

/* ---- the calls ---- */

/* Whether what is shown are calls of the file, one after the other. */
static bool are_in_the_file(const struct calls *calls)
{
    for (size_t at = 0; at + (size_t)shown.count <= calls->count; at++) {
        int same = 0;

        while (same < shown.count &&
               strcmp(calls->lines[at + (size_t)same], shown.calls[same]) == 0)
            same++;
        if (same == shown.count)
            return true;
    }
    return false;
}

static bool shows_the_file(struct kit_terminal *terminal, void *context)
{
    struct calls *calls = context;

    if (!has_outcome(terminal, NULL) || shown.count < LEAST_CALLS)
        return false;
    calls_read(calls);
    return are_in_the_file(calls);
}

/* The list stands still as soon as a call is chosen. */
static void the_rows_are_lines_of_the_file(void **state)
{
    struct full full;
    struct calls calls;

    start(&full, &calls, backend_of(state));
    full_say(&full, "a line");
    kit_await_row(full.terminal, "a line");
    kit_await_looks(full.terminal, has_calls, NULL, "some calls");
    kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, shows_the_file, &calls, "rows that are lines of the file");
    for (int i = 0; i < shown.count; i++)
        print_message("%s\n", shown.calls[i]);
    calls_free(&calls);
}

static void it_opens_in_three_ways(void **state)
{
    static const char *const options[] = {"--inspect", NULL};
    struct full full;

    (void)state;
    full_start(&full, 24, 80, NULL);
    kit_press(full.terminal, KEY_F4);
    kit_await_row(full.terminal, "inspector: ");
    kit_press(full.terminal, KEY_F4);
    kit_await_gone(full.terminal, "inspector: ");
    full_type(&full, "/inspect");
    kit_await_row(full.terminal, "inspector: ");
    full_type(&full, "/inspect");
    kit_await_gone(full.terminal, "inspector: ");
    full_type(&full, "/quit");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
    full_start(&full, 24, 80, options);
    kit_await_row(full.terminal, "inspector: ");
}

/* ---- the table ---- */

static void read_descriptor(const struct full *full, int fd, char *text, size_t size)
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)kit_terminal_pid(full->terminal), fd);
    n = readlink(path, text, size - 1);
    assert_true(n > 0);
    text[n] = '\0';
}

/* Returns the inode of the socket that is the other end of ours. */
static unsigned long find_inode(const struct full *full)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    FILE *file = fopen("/proc/net/tcp", "re");
    char line[512];
    unsigned port, server_port;
    unsigned long inode;

    assert_non_null(file);
    assert_int_equal(getpeername(full->server, (struct sockaddr *)&peer, &length), 0);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, " %*u: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &port,
                   &server_port, &inode) == 3 &&
            port == ntohs(peer.sin_port) && server_port == full->port) {
            fclose(file);
            return inode;
        }
    fclose(file);
    fail_msg("the connection is not in /proc/net/tcp");
    return 0;
}

static void expect_watch(const struct full *full, const char *what, struct expected *expected)
{
    char wanted[128];

    *expected = (struct expected){.what = what};
    snprintf(wanted, sizeof wanted, "'%s' in the table", what);
    kit_await_looks(full->terminal, has_counted, expected, wanted);
}

static void the_table_tells_the_descriptors(void **state)
{
    struct expected tcp, terminal, signals;
    struct full full;
    struct calls calls;
    char what[64];
    char is[256];
    char should_be[256];

    start(&full, &calls, backend_of(state));
    snprintf(what, sizeof what, "tcp %s", full.target);
    expect_watch(&full, what, &tcp);
    read_descriptor(&full, tcp.watch.fd, is, sizeof is);
    snprintf(should_be, sizeof should_be, "socket:[%lu]", find_inode(&full));
    assert_string_equal(is, should_be);
    expect_watch(&full, "terminal", &terminal);
    read_descriptor(&full, terminal.watch.fd, is, sizeof is);
    read_descriptor(&full, 0, should_be, sizeof should_be);
    assert_string_equal(is, should_be);
    expect_watch(&full, "signals", &signals);
    read_descriptor(&full, signals.watch.fd, is, sizeof is);
    assert_true(strstr(is, "signalfd") || strstr(is, "pipe:"));
    assert_string_equal(tcp.watch.wanted, "IN");
    assert_string_equal(terminal.watch.wanted, "IN");
    assert_string_equal(signals.watch.wanted, "IN");
    assert_string_equal(signals.watch.last, "-");
    assert_int_equal(signals.watch.count, 0);
    calls_free(&calls);
}

static void the_counts_grow(void **state)
{
    struct expected tcp, terminal, signals;
    struct full full;
    struct calls calls;
    char what[64];

    start(&full, &calls, backend_of(state));
    snprintf(what, sizeof what, "tcp %s", full.target);
    expect_watch(&full, what, &tcp);
    for (int i = 0; i < 3; i++) {
        full_say(&full, "a line");
        tcp.count = tcp.watch.count + 1;
        kit_await_looks(full.terminal, has_counted, &tcp, "a greater count");
        assert_int_equal(tcp.watch.count, tcp.count);
        assert_string_equal(tcp.watch.last, "IN");
    }
    expect_watch(&full, "terminal", &terminal);
    kit_press(full.terminal, "x");
    terminal.count = terminal.watch.count + 1;
    kit_await_looks(full.terminal, has_counted, &terminal, "a key that is counted");
    expect_watch(&full, "signals", &signals);
    kit_resize(full.terminal, ROWS, COLUMNS + 1);
    signals.count = 1;
    kit_await_looks(full.terminal, has_counted, &signals, "a signal that is counted");
    assert_string_equal(signals.watch.last, "IN");
    calls_free(&calls);
}

/* ---- meters and strip ---- */

static void the_meters_are_plausible(void **state)
{
    struct full full;
    struct calls calls;

    start(&full, &calls, backend_of(state));
    await_meter(&full, "waiting ", 50, 100);
    await_meter(&full, "wake-ups ", 0.1, 1000);
    await_meter(&full, "timeouts ", 0.1, 1000);
    await_meter(&full, "unread ", 0, 0);
    full_say(&full, "a line of twenty-five by");
    await_meter(&full, "bytes a read ", 25, 25);
    calls_free(&calls);
}

static void what_is_ready_and_not_read_is_counted(void **state)
{
    enum { BYTES = 5000 };
    static char bytes[BYTES];
    struct full full;
    struct calls calls;

    start(&full, &calls, backend_of(state));
    full_type(&full, "/pause");
    kit_await_row(full.terminal, "is not read until");
    memset(bytes, 'x', sizeof bytes);
    bytes[BYTES - 1] = '\n';
    kit_send(full.server, bytes, sizeof bytes);
    await_meter(&full, "unread ", BYTES, BYTES);
    full_type(&full, "/pause");
    await_meter(&full, "unread ", 0, 0);
    kit_await_row(full.terminal, "xxxxxxxx");
    calls_free(&calls);
}

static bool strip_has(struct kit_terminal *terminal, void *cell)
{
    const char *row;

    shown_read(&shown, terminal, ROWS);
    row = kit_row(terminal, shown.bar + 2);
    return strchr(row, *(const char *)cell) && row[strspn(row, " .-|#")] == '\0';
}

/* On a slow machine the cell of an event may be that of a busy time. */
static void say_until_it_is_in_the_strip(const struct full *full)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (!strip_has(full->terminal, "|")) {
        assert_true(clock_now() < deadline);
        full_say(full, "a line");
        kit_watch(full->terminal, 200 * CLOCK_MILLISECOND);
    }
}

static void the_strip_shows_waits_and_events(void **state)
{
    struct full full;
    struct calls calls;

    start(&full, &calls, backend_of(state));
    kit_await_looks(full.terminal, strip_has, "-", "a timeout in the strip");
    say_until_it_is_in_the_strip(&full);
    calls_free(&calls);
}

/* ---- a call is chosen ---- */

/* Returns the last line of the file before END that says that FD is ready. */
static size_t find_event(const struct calls *calls, size_t end, int fd)
{
    char of_epoll[64], of_poll[64], of_select[64];

    snprintf(of_epoll, sizeof of_epoll, "{events=EPOLLIN, data={u32=%d,", fd);
    snprintf(of_poll, sizeof of_poll, "{fd=%d, revents=POLLIN}", fd);
    snprintf(of_select, sizeof of_select, "(in [%d]", fd);
    while (end-- > 0) {
        const char *line = calls->lines[end];

        if (call_is_wait(line) &&
            (strstr(line, of_epoll) || strstr(line, of_poll) || strstr(line, of_select)))
            return end;
    }
    fail_msg("no call said that %d was ready", fd);
    return 0;
}

/* Chooses the newest call, and returns its place in the file. */
static size_t choose_newest(const struct full *full, struct calls *calls)
{
    size_t at;

    kit_press(full->terminal, KEY_UP);
    kit_await_looks(full->terminal, has_outcome, NULL, "an explanation");
    calls_read(calls);
    for (at = calls->count; at > 0; at--)
        if (strcmp(calls->lines[at - 1], shown.calls[shown.marked]) == 0)
            return at - 1;
    fail_msg("'%s' is not in the file", shown.calls[shown.marked]);
    return 0;
}

static void expect_explanation(const struct full *full)
{
    char done[128];
    char name[64];

    snprintf(name, sizeof name, "(tcp %s)", full->target);
    snprintf(done, sizeof done, "read 25 bytes from %s", full->target);
    assert_non_null(strstr(shown.words, name));
    assert_non_null(strstr(shown.words, done));
    assert_true(strstr(shown.words, "POLLIN: reading would not block") ||
                strstr(shown.words, "for reading"));
}

static void a_chosen_call_is_explained(void **state)
{
    struct expected tcp;
    struct full full;
    struct calls calls;
    char what[64];
    size_t newest, event;

    start(&full, &calls, backend_of(state));
    snprintf(what, sizeof what, "tcp %s", full.target);
    full_say(&full, "a line of twenty-five by");
    expect_watch(&full, what, &tcp);
    tcp.count = 1;
    kit_await_looks(full.terminal, has_counted, &tcp, "an event");
    newest = choose_newest(&full, &calls);
    event = find_event(&calls, newest, tcp.watch.fd);
    for (size_t i = newest; i > event; i--)
        kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, has_marked, calls.lines[event], "the call to be chosen");
    kit_await_looks(full.terminal, has_words, "The program", "what was done");
    print_message("%s\n%s\n", calls.lines[event], shown.words);
    expect_explanation(&full);
    kit_press(full.terminal, KEY_DOWN);
    kit_await_looks(full.terminal, has_marked, calls.lines[event + 1], "the call behind it");
    calls_free(&calls);
}

static bool has_no_choice(struct kit_terminal *terminal, void *context)
{
    (void)context;
    shown_read(&shown, terminal, ROWS);
    return shown.count > 0 && shown.marked < 0 && shown.words[0] == '\0';
}

static void escape_gives_the_keys_back(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls, "poll");
    full_type(&full, "typed before");
    assert_string_equal(full_hear(&full), "typed before");
    kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, has_words, "POLLIN", "an explanation");
    full_await_input(&full, "");
    kit_press(full.terminal, KEY_ESC);
    kit_await_looks(full.terminal, has_no_choice, NULL, "that nothing is chosen");
    kit_press(full.terminal, KEY_UP);
    full_await_input(&full, "typed before");
    kit_press(full.terminal, KEY_F4);
    kit_await_gone(full.terminal, "inspector: ");
    full_await_input(&full, "typed before");
    calls_free(&calls);
}

static void typing_goes_on_beside_it(void **state)
{
    struct full full;
    struct calls calls;

    (void)state;
    start(&full, &calls, "epoll");
    kit_press(full.terminal, KEY_UP);
    kit_await_looks(full.terminal, has_outcome, NULL, "an explanation");
    full_type(&full, "hello");
    assert_string_equal(full_hear(&full), "hello");
    kit_press(full.terminal, KEY_DOWN); /* past the newest of the list */
    kit_await_looks(full.terminal, has_no_choice, NULL, "that nothing is chosen");
    calls_free(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(the_rows_are_lines_of_the_file),
        ON_EVERY_BACKEND(the_table_tells_the_descriptors),
        ON_EVERY_BACKEND(the_counts_grow),
        ON_EVERY_BACKEND(the_meters_are_plausible),
        ON_EVERY_BACKEND(what_is_ready_and_not_read_is_counted),
        ON_EVERY_BACKEND(the_strip_shows_waits_and_events),
        ON_EVERY_BACKEND(a_chosen_call_is_explained),
        cmocka_unit_test_teardown(it_opens_in_three_ways, kit_cleanup),
        cmocka_unit_test_teardown(escape_gives_the_keys_back, kit_cleanup),
        cmocka_unit_test_teardown(typing_goes_on_beside_it, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
