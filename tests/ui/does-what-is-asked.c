/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every command of the full screen and every key that does the same: what it does where it is used
 * well, and what it answers where it is not.
 *
 * That a command did nothing can be seen by what follows it: a line that is typed next and heard by
 * the server shows that the program is there, still connected, and has worked on all before.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "person.h"
#include "ui/spinner.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ROWS = 30, COLUMNS = 100, PANE_ROWS = ROWS - 3, FEW_MS = 100 };

static void start(struct full *full)
{
    full_start(full, ROWS, COLUMNS, NULL);
}

static void quit(const struct full *full)
{
    full_type(full, "/quit");
    assert_int_equal(kit_terminal_end(full->terminal), 0);
}

struct question {
    const char *command;
    const char *answer;
};

static void ask_all(const struct full *full, const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ask(full, questions[i].command, questions[i].answer);
}

/* ---- help, and commands that are not understood ---- */

static void help_lists_commands_and_keys(void **state)
{
    static const char *const some[] = {
        "Commands, which", "/connect TARGET ", "/log [FILE] ", "//TEXT ", "Keys:", "Ctrl-L "};
    struct full full;

    (void)state;
    full_start(&full, 50, COLUMNS, NULL);
    for (int by_key = 0; by_key < 2; by_key++) {
        if (by_key)
            kit_press(full.terminal, KEY_F1);
        else
            full_type(&full, "/help");
        for (size_t i = 0; i < COUNT(some); i++)
            kit_await_row(full.terminal, some[i]);
        full_type(&full, "/clear");
        kit_await_gone(full.terminal, some[0]);
    }
    quit(&full);
}

static void help_explains_one_command(void **state)
{
    static const struct question questions[] = {
        {"/help find", "Letters from a to z are found in either case"},
        {"/help /log", "made visible as it is on the screen"},
        {"/help ba", "The connections go on and lose nothing"},
        {"/help pauze", "there is no /pauze; did you mean /pause?"},
    };
    struct full full;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    quit(&full);
}

static void who_mistypes_is_told_what_is_near(void **state)
{
    static const struct question questions[] = {
        {"/helo", "-- there is no /helo; did you mean /help?"},
        {"/foucs", "did you mean /focus?"},
        {"/xyzzy", "-- there is no /xyzzy; /help lists them"},
        {"/st", "-- /st could be: step stats"},
        {"/c", "-- /c could be: connect close clear"},
        {"/", "-- / could be: help connect close"},
        {"/ quit", "-- / could be: help connect close"},
        {"/QUIT", "there is no /QUIT"},
    };
    struct full full;

    (void)state;
    start(&full);
    for (size_t i = 0; i < COUNT(questions); i++) {
        ask(&full, questions[i].command, questions[i].answer);
        full_type(&full, "/clear");
        kit_await_gone(full.terminal, questions[i].answer);
    }
    type_and_hear(&full, "nothing of it was sent");
    quit(&full);
}

static void arguments_are_counted(void **state)
{
    static const struct question questions[] = {
        {"/connect", "-- usage: /connect TARGET"},
        {"/backend  ", "-- usage: /backend NAME"},
        {"/spinner", "-- usage: /spinner NAME"},
        {"/tick", "-- usage: /tick MS"},
        {"/quit now", "-- /quit takes no argument"},
        {"/close 1", "-- /close takes no argument"},
        {"/clear all", "-- /clear takes no argument"},
        {"/pause 1", "-- /pause takes no argument"},
        {"/inspect this", "-- /inspect takes no argument"},
        {"/step 3", "-- /step takes no argument"},
        {"/stats x", "-- /stats takes no argument"},
    };
    struct full full;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    type_and_hear(&full, "still there");
    quit(&full);
}

/* A prefix that is clear is enough, and blanks around the argument do no harm. */
static void a_clear_beginning_is_enough(void **state)
{
    static const struct question questions[] = {
        {"/sta", "0 lines, 0 bytes in 0 reads"},
        {"/ba   select ", "-- waiting with select"},
        {"/sp line", "line"},
    };
    struct full full;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    full_type(&full, "/q");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
}

static void two_slashes_send_one(void **state)
{
    static const struct question lines[] = {
        {"//quit", "/quit"}, {"//", "/"}, {"///etc/hosts", "//etc/hosts"}, {"// x", "/ x"}};
    struct full full;

    (void)state;
    start(&full);
    for (size_t i = 0; i < COUNT(lines); i++) {
        full_type(&full, lines[i].command);
        assert_string_equal(full_hear(&full), lines[i].answer);
    }
    kit_await_row(full.terminal, "> /quit");
    kit_await_row(full.terminal, "> //etc/hosts");
    quit(&full);
}

/* ---- connections ---- */

static void connect_adds_a_connection(void **state)
{
    struct full full, other;
    char label[64];

    (void)state;
    start(&full);
    say_and_see(&full, "before");
    connect_other(&full, &other);
    await_title(full.terminal, other.target);
    assert_int_equal(count_rows(full.terminal, ROWS, "  open"), 2);
    full_say(&other, "from the second");
    snprintf(label, sizeof label, "%s from the second", other.target);
    kit_await_row(full.terminal, label);
    snprintf(label, sizeof label, "%s before", full.target);
    kit_await_row(full.terminal, label);
    type_and_hear(&other, "to the second");
    quit(&full);
}

static void connect_says_why_it_cannot(void **state)
{
    static const struct question questions[] = {
        {"/connect host:70000", "-- /connect: target 'host:70000': port"},
        {"/connect unix:", "-- /connect: target 'unix:': "},
        {"/connect [::1", "-- /connect: target '[::1': "},
        {"/connect a:b:c", "-- /connect: target 'a:b:c': "},
        {"/connect unix:/nonexistent/x", "No such file or directory"},
    };
    struct full full;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    kit_await_row(full.terminal, "unix:/nonexistent/x  ended");
    full_type(&full, "/focus 1");
    full_await_input(&full, "");
    type_and_hear(&full, "still there");
    quit(&full);
}

/* It comes back in its place: no further row, and no further number. */
static void connect_tries_again_what_has_ended(void **state)
{
    struct full full, second, third;
    char command[64];

    (void)state;
    start(&full);
    connect_other(&full, &second);
    connect_other(&full, &third);
    close(second.server);
    await_state(&second, "  ended");
    close(third.server);
    await_state(&third, "  ended");
    full_type(&full, "/focus 1");
    full_await_input(&full, "");
    for (int i = 0; i < 2; i++) {
        second.server = -1;
        snprintf(command, sizeof command, "/connect %s", second.target);
        full_type(&full, command);
        kit_await_row(full.terminal, "cannot connect");
        await_state(&second, "  ended");
    }
    assert_int_equal(count_rows(full.terminal, ROWS, "  ended"), 2);
    await_title(full.terminal, second.target);
    snprintf(command, sizeof command, ">2 %s  ended", second.target);
    kit_await_row(full.terminal, command);
    quit(&full);
}

static void close_closes_the_one_in_focus(void **state)
{
    struct full full, other;
    char note[64];
    char byte;

    (void)state;
    start(&full);
    connect_other(&full, &other);
    full_type(&full, "/close");
    assert_int_equal(kit_receive(other.server, &byte, 1), 0);
    full_await_input(&full, "");
    snprintf(note, sizeof note, "-- %s: closed", other.target);
    kit_await_row(full.terminal, note);
    await_title(full.terminal, full.target);
    type_and_hear(&full, "to the first");
    assert_int_equal(count_rows(full.terminal, ROWS, "  open"), 1);
    quit(&full);
}

static void close_takes_what_has_ended_off_the_screen(void **state)
{
    struct full full, other;
    char row[64];

    (void)state;
    start(&full);
    connect_other(&full, &other);
    close(other.server);
    await_state(&other, "  ended");
    full_type(&full, "/close");
    snprintf(row, sizeof row, "%s  ended", other.target);
    kit_await_gone(full.terminal, row);
    full_await_input(&full, "");
    quit(&full);
}

/* More keys than are looked at in a millisecond, before the loop has closed what is to be closed.
 */
static void close_twice_in_one_breath(void **state)
{
    static const char slow[] = "/help\r/help\r/help\r/help\r/help\r/help\r/help\r/help\r/help\r";
    static const char *const options[] = {"--keep", NULL}; /* nobody listens any more */
    struct full full;
    char keys[256];

    (void)state;
    full_start(&full, ROWS, COLUMNS, options);
    snprintf(keys, sizeof keys, "/close\r/connect %s\r%s/close\r/close\r%s", full.target, slow,
             slow);
    kit_press(full.terminal, keys);
    kit_await_row(full.terminal, "Keys:");
    kit_await_row(full.terminal, "no connection; /connect TARGET");
    quit(&full);
}

static void without_connections_it_stays(void **state)
{
    static const struct question questions[] = {
        {"/close", "no connection; /connect TARGET makes one, /quit leaves"},
        {"/close", "-- /close: there is no connection"},
        {"/pause", "-- /pause: there is no connection"},
        {"/focus", "there is no connection"},
        {"/focus 1", "there is no connection"},
        {"lost?", "-- not sent: there is no connection; /connect TARGET makes one"},
        {"/stats", "epoll: "},
    };
    struct full full, other;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    await_title(full.terminal, "no connection");
    connect_other(&full, &other);
    kit_press(full.terminal, KEY_UP KEY_UP KEY_UP);
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&other), "lost?");
    quit(&full);
}

/* ---- focus ---- */

static void await_focus(const struct full *full)
{
    await_title(full->terminal, full->target);
    full_await_input(full, "");
    type_and_hear(full, "to whom?");
}

static void focus_decides_where_lines_go(void **state)
{
    struct full full, other;
    char command[64];

    (void)state;
    start(&full);
    connect_other(&full, &other);
    full_type(&full, "/focus 1");
    await_focus(&full);
    full_type(&full, "/focus 2");
    await_focus(&other);
    kit_press(full.terminal, KEY_F2);
    await_focus(&full);
    kit_press(full.terminal, KEY_F2);
    await_focus(&other);
    snprintf(command, sizeof command, "/focus %s", full.target);
    full_type(&full, command);
    await_focus(&full);
    snprintf(command, sizeof command, "/focus %s", strchr(other.target, ':'));
    full_type(&full, command);
    await_focus(&other);
    full_type(&full, "/focus");
    await_focus(&full);
    snprintf(command, sizeof command, "/focus %u", other.port);
    full_type(&full, command);
    await_focus(&other);
    ask(&full, "/focus 3", "-- /focus: there is no connection '3'");
    ask(&full, "/focus nobody", "-- /focus: there is no connection 'nobody'");
    await_focus(&other);
    quit(&full);
}

/* What has been typed belongs to the person, not to the connection. */
static void a_line_goes_along_with_the_focus(void **state)
{
    struct full full, other;

    (void)state;
    start(&full);
    connect_other(&full, &other);
    kit_press(full.terminal, "half a li");
    full_await_input(&other, "half a li");
    kit_press(full.terminal, KEY_F2);
    full_await_input(&full, "half a li");
    full_type(&full, "ne");
    assert_string_equal(full_hear(&full), "half a line");
    quit(&full);
}

/* ---- waiting ---- */

static void backend_changes_while_lines_come(void **state)
{
    static const char *const names[] = {"poll", "select", "epoll"};
    struct full full;
    char text[64];

    (void)state;
    start(&full);
    await_title(full.terminal, " | epoll | ");
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(text, sizeof text, "/backend %s", names[i]);
        full_type(&full, text);
        snprintf(text, sizeof text, " | %s | ", names[i]);
        await_title(full.terminal, text);
        say_and_see(&full, names[i]);
        type_and_hear(&full, "heard");
    }
    ask(&full, "/backend magic", "-- /backend: there is no backend 'magic'; Tab shows them");
    ask(&full, "/backend auto", "-- waiting with epoll");
    quit(&full);
}

/* Whether the file has a call of poll(2) that was to wait for longer than a second. */
static bool waits_long(const char *file)
{
    char line[4096];
    FILE *stream = fopen(file, "r");
    bool is_found = false;

    assert_non_null(stream);
    while (fgets(line, sizeof line, stream)) {
        char *end = strstr(line, ") = ");
        char *limit = end;

        while (limit && limit > line && isdigit((unsigned char)limit[-1]))
            limit--;
        is_found |= strncmp(line, "poll(", 5) == 0 && limit && atol(limit) > 1000;
    }
    fclose(stream);
    return is_found;
}

static void tick_sets_how_long_a_wait_is(void **state)
{
    static const char *const bad[] = {"0", "10001", "-1", "1.5", "x", "5x", "99999999999999999999"};
    char file[256];
    char option[300];
    const char *const options[] = {option, "--backend=poll", NULL};
    struct full full;
    int64_t deadline;
    char text[128];

    (void)state;
    snprintf(file, sizeof file, "%s/calls", kit_folder());
    snprintf(option, sizeof option, "--inspect=%s", file);
    full_start(&full, ROWS, COLUMNS, options);
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof text, "/tick %s", bad[i]);
        full_type(&full, text);
        snprintf(text, sizeof text,
                 "-- /tick: '%s' is not a number of milliseconds from 1 to 10000", bad[i]);
        kit_await_row(full.terminal, text);
    }
    type_and_hear(&full, "at the old pace");
    assert_false(waits_long(file));
    full_type(&full, "/tick 10000");
    deadline = clock_now() + KIT_DEADLINE_NS;
    do { /* a wait is written when it is over, and what is typed ends it */
        type_and_hear(&full, "at the new pace");
        assert_true(clock_now() < deadline);
    } while (!waits_long(file));
    quit(&full);
}

static void inspect_shows_and_hides_the_inspector(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "a line");
    ask(&full, "/inspect", "inspector: ");
    kit_await_row(full.terminal, "epoll_wait(");
    kit_await_row(full.terminal, "a line");
    full_type(&full, "/inspect");
    kit_await_gone(full.terminal, "epoll_wait(");
    full_await_input(&full, "");
    quit(&full);
}

/* ---- pause ---- */

enum { LINE = 64, FLOOD = 1 << 16 };

static char flood[FLOOD * LINE];

static void make_flood(void)
{
    char line[LINE];

    memset(flood, 'x', sizeof flood);
    for (int i = 0; i < FLOOD; i++) {
        int n = snprintf(line, sizeof line, "line %d ", i + 1);

        memcpy(flood + i * LINE, line, (size_t)n);
        flood[i * LINE + LINE - 1] = '\n';
    }
}

/* Sends lines until the server cannot go on, since nobody reads. Returns how many bytes it sent. */
static size_t send_until_full(int server)
{
    struct pollfd room = {.fd = server, .events = POLLOUT};
    int least = 1;
    size_t n = 0;

    make_flood();
    setsockopt(server, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    do {
        ssize_t sent = send(server, flood + n, sizeof flood - n, MSG_DONTWAIT | MSG_NOSIGNAL);

        n += sent > 0 ? (size_t)sent : 0;
        assert_true(n < sizeof flood);
    } while (poll(&room, 1, FEW_MS) != 0);
    return n;
}

static void pause_lets_the_server_wait(void **state)
{
    struct full full;
    char text[64];
    size_t n;
    size_t lines;

    (void)state;
    start(&full);
    full_type(&full, "/pause");
    kit_await_row(full.terminal, " is not read until /pause comes again");
    await_state(&full, "  open, paused");
    n = send_until_full(full.server);
    lines = n / LINE + 1;
    type_and_hear(&full, "sending goes on");
    assert_int_equal(count_rows(full.terminal, ROWS, "line "), 0);
    await_title(full.terminal, " | 0 lines | 0 bytes");
    full_type(&full, "/pause");
    kit_send(full.server, flood + n, lines * LINE - n);
    snprintf(text, sizeof text, " | %zu lines | %zu bytes", lines, lines * LINE);
    await_title(full.terminal, text);
    snprintf(text, sizeof text, "line %zu ", lines);
    kit_await_row(full.terminal, text);
    quit(&full);
}

/* The end comes behind the data, so it is not seen before that is read. */
static void pause_hides_the_end_too(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    ask(&full, "/pause", "paused");
    full_say(&full, "the last words");
    close(full.server);
    ask(&full, "/stats", "open, 0 lines");
    full_type(&full, "/pause");
    assert_int_equal(kit_terminal_end(full.terminal), 0);
    kit_await_row(full.terminal, "the last words");
}

/* ---- how it looks ---- */

struct turning {
    const struct full *full;
    const struct spinner *spinner;
    unsigned seen; /* a bit a frame */
};

/* Whether two frames of the spinner have been in the status row. */
static bool turns(struct kit_terminal *terminal, void *context)
{
    struct turning *turning = context;
    const struct spinner *spinner = turning->spinner;
    char row[128];

    for (size_t i = 0; i < spinner->count; i++) {
        snprintf(row, sizeof row, "%s %s", spinner_frame(spinner, i), turning->full->target);
        if (strncmp(kit_row(terminal, ROWS - 2), row, strlen(row)) == 0)
            turning->seen |= 1U << i;
    }
    return (turning->seen & (turning->seen - 1)) != 0;
}

static void await_turns(const struct full *full, const struct spinner *spinner)
{
    struct turning turning = {.full = full, .spinner = spinner};

    kit_await_looks(full->terminal, turns, &turning, spinner->name);
}

static void spinner_turns_another_one(void **state)
{
    const struct spinner *spinner;
    struct full full;
    char command[64];

    (void)state;
    start(&full);
    await_turns(&full, spinner_list(0));
    for (size_t i = 1; (spinner = spinner_list(i)); i++) {
        snprintf(command, sizeof command, "/spinner %s", spinner->name);
        full_type(&full, command);
        await_turns(&full, spinner);
    }
    ask(&full, "/spinner top", "-- /spinner: there is no spinner 'top'; Tab shows them");
    quit(&full);
}

static void spinner_keeps_to_what_the_locale_has(void **state)
{
    struct full full;

    (void)state;
    kit_env("LC_ALL", "C");
    start(&full);
    ask(&full, "/spinner line", "");
    await_turns(&full, spinner_find("line"));
    ask(&full, "/spinner moon", "-- /spinner: moon needs UTF-8; classic turns instead");
    await_turns(&full, spinner_find("classic"));
    quit(&full);
}

/* Whether TEXT is HH:MM:SS and then REST. */
static bool is_stamped(const char *text, const char *rest)
{
    static const char shape[] = "00:00:00";

    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    return strcmp(text + strlen(shape), rest) == 0;
}

static void timestamps_come_and_go(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "hello");
    await_row_is(full.terminal, 1, "hello");
    full_type(&full, "/timestamps");
    await_row_at(full.terminal, 1, " hello");
    assert_true(is_stamped(kit_row(full.terminal, 1), " hello"));
    full_type(&full, "/timestamps [%%]");
    await_row_is(full.terminal, 1, "[%] hello");
    full_say(&full, "there");
    await_row_is(full.terminal, 2, "[%] there");
    full_type(&full, "/timestamps");
    await_row_is(full.terminal, 1, "hello");
    await_row_is(full.terminal, 2, "there");
    full_type(&full, "/timestamps"); /* as they were */
    await_row_is(full.terminal, 1, "[%] hello");
    quit(&full);
}

static void timestamps_need_a_format_of_some_length(void **state)
{
    static const char format[] = "%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z%Z";
    struct full full;
    char text[256];

    (void)state;
    start(&full);
    say_and_see(&full, "hello");
    snprintf(text, sizeof text, "/timestamps %s", format);
    full_type(&full, text);
    snprintf(text, sizeof text, "-- /timestamps: '%s' makes no text, or", format);
    kit_await_row(full.terminal, text);
    await_row_is(full.terminal, 1, "hello");
    quit(&full);
}

/* ---- the log ---- */

/* Fails the test unless the file holds TEXT and nothing else. */
static void expect_file(const char *path, const char *text)
{
    static char bytes[1 << 16];
    FILE *stream = fopen(path, "r");
    size_t n;

    assert_non_null(stream);
    n = fread(bytes, 1, sizeof bytes - 1, stream);
    bytes[n] = '\0';
    fclose(stream);
    assert_string_equal(bytes, text);
}

static const char *log_path(void)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/the log", kit_folder());
    return path;
}

static void start_log(const struct full *full, const char *path)
{
    char command[300];

    snprintf(command, sizeof command, "/log %s", path);
    full_type(full, command);
}

static void log_keeps_what_is_received(void **state)
{
    static const char *const lines[] = {
        "one", "", "tab\there", "caf\xc3\xa9 \xe6\xbc\xa2", "\033[31mred\033[m", "last"};
    const char *path = log_path();
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "too early");
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    await_title(full.terminal, " log");
    for (size_t i = 0; i < COUNT(lines); i++)
        full_say(&full, lines[i]);
    kit_await_row(full.terminal, "last");
    type_and_hear(&full, "what is sent is not received");
    ask(&full, "/log", "-- the log has ended");
    say_and_see(&full, "too late");
    expect_file(path, "one\n\ntab     here\ncaf\xc3\xa9 \xe6\xbc\xa2\n^[[31mred^[[m\nlast\n");
    start_log(&full, path);
    say_and_see(&full, "added");
    quit(&full);
    expect_file(path,
                "one\n\ntab     here\ncaf\xc3\xa9 \xe6\xbc\xa2\n^[[31mred^[[m\nlast\nadded\n");
}

static void log_labels_lines_where_the_pane_does(void **state)
{
    const char *path = log_path();
    struct full full, other;
    char text[128];

    (void)state;
    start(&full);
    connect_other(&full, &other);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    say_and_see(&full, "first");
    say_and_see(&other, "second");
    quit(&full);
    snprintf(text, sizeof text, "%s: first\n%s: second\n", full.target, other.target);
    expect_file(path, text);
}

/* Up to the end, as it is on the normal screen then. */
static void log_keeps_a_line_without_its_end(void **state)
{
    const char *path = log_path();
    struct full full;

    (void)state;
    start(&full);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    kit_send(full.server, "whole\nnot whole", 15);
    kit_await_row(full.terminal, "not whole");
    quit(&full);
    expect_file(path, "whole\nnot whole\n");
}

static bool log_is_whole(struct kit_terminal *terminal, void *path)
{
    struct stat status;

    (void)terminal;
    return stat(path, &status) == 0 && status.st_size == (off_t)strlen("whole\nnot whole\n");
}

/* The end of a connection is the end of its last line, in the file as on the screen. */
static void log_has_the_last_line_of_a_connection(void **state)
{
    static const char *const options[] = {"--keep", NULL};
    char path[256];
    struct full full;

    (void)state;
    snprintf(path, sizeof path, "%s", log_path());
    full_start(&full, ROWS, COLUMNS, options);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    kit_send(full.server, "whole\nnot whole", 15);
    close(full.server);
    kit_await_row(full.terminal, "closed by the server");
    kit_await_looks(full.terminal, log_is_whole, path, "the last line in the log");
    quit(&full);
}

static void log_says_why_it_cannot(void **state)
{
    static const struct question questions[] = {
        {"/log", "-- /log FILE keeps what is received in a file"},
        {"/log /nonexistent/file", "-- /log: /nonexistent/file: No such file or directory"},
        {"/log /", "-- /log: /: Is a directory"},
    };
    struct full full;

    (void)state;
    start(&full);
    ask_all(&full, questions, COUNT(questions));
    say_and_see(&full, "going on");
    quit(&full);
}

static void log_ends_when_the_disk_is_full(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    ask(&full, "/log /dev/full", "goes to /dev/full too");
    say_and_see(&full, "one");
    kit_await_row(full.terminal, "-- /log: No space left on device; the log has ended here");
    say_and_see(&full, "two");
    ask(&full, "/log", "-- /log FILE keeps");
    quit(&full);
}

/* Sends 256 lines of 1 KiB, which is more than a pipe takes whose reader sleeps. */
static void send_too_much(const struct full *full)
{
    char line[1024];

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 256; i++)
        kit_send(full->server, line, sizeof line);
    await_title(full->terminal, " | 256 lines | ");
}

/* A pipe that refuses a piece may still have room for a short line. */
static void fill_fifo(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    while (write(fd, "x", 1) == 1)
        continue;
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void log_says_what_was_not_taken(void **state)
{
    const char *path = log_path();
    struct full full;
    int fifo;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fifo >= 0);
    start(&full);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    send_too_much(&full);
    ask(&full, "/log", " bytes were not taken");
    full_type(&full, "/clear");
    kit_await_gone(full.terminal, " bytes were not taken");
    fill_fifo(path);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    say_and_see(&full, "one more");
    quit(&full);
    kit_await_row(full.terminal, " bytes were not taken");
    close(fifo);
}

/* Starts pollspin with a limit on how large a file may become. */
static void start_limited(struct full *full, rlim_t limit)
{
    struct rlimit before, now;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    start(full);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* The signal that a write behind the limit raises must not end the program. */
static void log_ends_at_the_limit_of_a_file(void **state)
{
    const char *path = log_path();
    struct stat status;
    struct full full;
    char line[512];

    (void)state;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    start_limited(&full, 128 * sizeof line + 1);
    start_log(&full, path);
    kit_await_row(full.terminal, "goes to ");
    for (int i = 0; i < 128; i++)
        kit_send(full.server, line, sizeof line);
    await_title(full.terminal, " | 128 lines | ");
    say_and_see(&full, "one too many");
    kit_await_row(full.terminal, "-- /log: File too large; the log has ended here");
    say_and_see(&full, "going on");
    type_and_hear(&full, "both ways");
    quit(&full);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 128 * sizeof line + 1);
}

/* ---- find ---- */

static void say_lines(const struct full *full, int count, const char *(*line_of)(int i))
{
    for (int i = 1; i <= count; i++)
        full_say(full, line_of(i));
    kit_await_row(full->terminal, line_of(count));
}

static const char *line_with_needles(int i)
{
    static char line[64];

    snprintf(line, sizeof line, "line %d%s", i,
             i == 5    ? " has a needle"
             : i == 50 ? ", the NEEDLE and the needle"
                       : "");
    return line;
}

static bool is_marked(struct kit_terminal *terminal, int row, int column)
{
    return kit_cell(terminal, row, column).is_reverse;
}

static void find_marks_scrolls_and_goes_round(void **state)
{
    struct full full;
    int row;

    (void)state;
    start(&full);
    say_lines(&full, 90, line_with_needles);
    full_type(&full, "/find needle");
    row = kit_await_row(full.terminal, "line 50, the NEEDLE and the needle");
    kit_await_row(full.terminal, " lines below");
    assert_false(is_marked(full.terminal, row, 12));
    assert_true(is_marked(full.terminal, row, 13));
    assert_true(is_marked(full.terminal, row, 18));
    assert_false(is_marked(full.terminal, row, 19));
    assert_true(is_marked(full.terminal, row, 28));
    kit_press(full.terminal, KEY_F3);
    row = kit_await_row(full.terminal, "line 5 has a needle");
    assert_true(is_marked(full.terminal, row, 13));
    kit_press(full.terminal, KEY_F3);
    kit_await_gone(full.terminal, "line 5 has");
    kit_await_row(full.terminal, "line 50,");
    full_type(&full, "/find");
    kit_await_row(full.terminal, "line 5 has a needle");
    kit_press(full.terminal, KEY_END);
    kit_await_row(full.terminal, "line 90");
    quit(&full);
}

static void find_says_what_is_not_there(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    kit_press(full.terminal, KEY_F3);
    await_title(full.terminal, "/find TEXT looks for a text first");
    say_and_see(&full, "hay");
    full_type(&full, "/find needle");
    await_title(full.terminal, "'needle' is in none of the lines");
    say_and_see(&full, "the needle");
    kit_press(full.terminal, KEY_F3);
    kit_await_row(full.terminal, "the needle");
    quit(&full);
}

/* ---- the rest ---- */

static void clear_forgets_lines_and_keeps_counts(void **state)
{
    struct full full;

    (void)state;
    start(&full);
    say_and_see(&full, "one");
    say_and_see(&full, "two");
    full_type(&full, "/clear");
    kit_await_gone(full.terminal, "two");
    assert_string_equal(kit_row(full.terminal, 1), "");
    await_title(full.terminal, " | 2 lines | 8 bytes");
    full_say(&full, "three");
    await_row_is(full.terminal, 1, "three");
    quit(&full);
}

static void stats_tell_of_each_connection(void **state)
{
    struct full full, other;
    char text[128];

    (void)state;
    start(&full);
    connect_other(&full, &other);
    say_and_see(&full, "one");
    type_and_hear(&other, "four");
    full_type(&full, "/stats");
    snprintf(text, sizeof text, "-- %s: open, 1 line, 4 bytes in 1 read, 0 bytes sent",
             full.target);
    kit_await_row(full.terminal, text);
    snprintf(text, sizeof text, "-- %s: open, 0 lines, 0 bytes in 0 reads, 5 bytes sent",
             other.target);
    kit_await_row(full.terminal, text);
    kit_await_row(full.terminal, "-- epoll: ");
    kit_await_row(full.terminal, " of lines kept");
    quit(&full);
}

#define test(name) cmocka_unit_test_teardown(name, kit_cleanup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(help_lists_commands_and_keys),
        test(help_explains_one_command),
        test(who_mistypes_is_told_what_is_near),
        test(arguments_are_counted),
        test(a_clear_beginning_is_enough),
        test(two_slashes_send_one),
        test(connect_adds_a_connection),
        test(connect_says_why_it_cannot),
        test(connect_tries_again_what_has_ended),
        test(close_closes_the_one_in_focus),
        test(close_takes_what_has_ended_off_the_screen),
        test(close_twice_in_one_breath),
        test(without_connections_it_stays),
        test(focus_decides_where_lines_go),
        test(a_line_goes_along_with_the_focus),
        test(backend_changes_while_lines_come),
        test(tick_sets_how_long_a_wait_is),
        test(inspect_shows_and_hides_the_inspector),
        test(pause_lets_the_server_wait),
        test(pause_hides_the_end_too),
        test(spinner_turns_another_one),
        test(spinner_keeps_to_what_the_locale_has),
        test(timestamps_come_and_go),
        test(timestamps_need_a_format_of_some_length),
        test(log_keeps_what_is_received),
        test(log_labels_lines_where_the_pane_does),
        test(log_keeps_a_line_without_its_end),
        test(log_has_the_last_line_of_a_connection),
        test(log_says_why_it_cannot),
        test(log_ends_when_the_disk_is_full),
        test(log_says_what_was_not_taken),
        test(log_ends_at_the_limit_of_a_file),
        test(find_marks_scrolls_and_goes_round),
        test(find_says_what_is_not_there),
        test(clear_forgets_lines_and_keeps_counts),
        test(stats_tell_of_each_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
