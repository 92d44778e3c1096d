/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one-line screen, judged by the cells of a real terminal (libvterm behind a pty) and by the
 * very bytes that reached it. Time is the test's own: it stands still but for pass(). After each
 * turn a NUL follows on the same terminal; when that comes out at the other end, so has everything
 * before it, and nothing has to be waited for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "ui/plain.h"
#include "ui/stamp.h"

enum { RAW_MAX = 1 << 23, ROWS = 6, COLUMNS = 40 };

/* ---- the terminal, and a loop that never waits ---- */

static struct {
    struct loop *loop;
    struct plain plain;
    struct watch always; /* a pipe with a byte in it: every wait ends at once */
    int pipe[2];
    int master;
    int slave;
    int mark_fd; /* the slave opened anew, which never blocks */
    VTerm *vterm;
    VTermScreen *screen;
    int rows;
    int columns;
    char raw[RAW_MAX];
    size_t raw_length;
    size_t turn_start; /* where in raw the last turn began */
    size_t replies;
    int bells;
    int changes; /* calls of on_change */
} t;

static int64_t virtual_now;

static int64_t virtual_clock(void)
{
    return virtual_now;
}

static void do_nothing(void *owner, unsigned ready)
{
    (void)owner;
    (void)ready;
}

static void count_change(void *owner)
{
    (void)owner;
    t.changes++;
}

static void count_reply(const char *bytes, size_t n, void *owner)
{
    (void)bytes;
    (void)owner;
    t.replies += n;
}

static int count_bell(void *owner)
{
    (void)owner;
    t.bells++;
    return 1;
}

static void open_terminal(int rows, int columns)
{
    static const VTermScreenCallbacks callbacks = {.bell = count_bell};
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    char name[256];

    assert_int_equal(openpty(&t.master, &t.slave, NULL, NULL, &size), 0);
    assert_int_equal(ttyname_r(t.slave, name, sizeof name), 0);
    t.mark_fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    assert_true(t.mark_fd >= 0);
    assert_int_equal(fcntl(t.master, F_SETFL, O_NONBLOCK), 0);
    t.rows = rows;
    t.columns = columns;
    t.vterm = vterm_new(rows, columns);
    vterm_set_utf8(t.vterm, 1);
    vterm_output_set_callback(t.vterm, count_reply, NULL);
    t.screen = vterm_obtain_screen(t.vterm);
    vterm_screen_set_callbacks(t.screen, &callbacks, NULL);
    vterm_screen_reset(t.screen, 1);
}

static void open_loop(void)
{
    virtual_now = 1000 * CLOCK_SECOND;
    clock_use(virtual_clock);
    t.loop = loop_new(poller_open("poll"));
    assert_non_null(t.loop);
    assert_int_equal(pipe(t.pipe), 0);
    assert_int_equal(write(t.pipe[1], "", 1), 1);
    watch_init(&t.always, do_nothing, NULL);
    assert_int_equal(watch_start(&t.always, t.loop, t.pipe[0], POLLER_IN), 0);
}

static void start_on(int fd, const struct plain_options *options)
{
    assert_int_equal(plain_init(&t.plain, t.loop, fd, options, count_change, NULL), 0);
}

/* Starts with 50 ms a frame, the classic spinner and no more. */
static void start(enum plain_mode mode, int rows, int columns)
{
    const struct plain_options options = {.mode = mode, .tick_ns = 50 * CLOCK_MILLISECOND};

    open_terminal(rows, columns);
    start_on(t.slave, &options);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.master = t.slave = t.mark_fd = -1;
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        kit_skip("this system has no locale C.UTF-8");
    open_loop();
    return 0;
}

static int teardown(void **state)
{
    if (t.plain.loop)
        plain_fini(&t.plain);
    if (t.loop)
        watch_stop(&t.always);
    loop_free(t.loop);
    clock_use(NULL);
    if (t.vterm)
        vterm_free(t.vterm);
    for (int i = 0; i < 2; i++)
        close(t.pipe[i]);
    if (t.master >= 0) {
        close(t.master);
        close(t.slave);
        close(t.mark_fd);
    }
    return kit_cleanup(state);
}

/* ---- what reaches the terminal ---- */

/* Reads what is there. Returns whether the mark was among it. */
static bool read_terminal(void)
{
    bool is_marked = false;
    ssize_t n;

    while ((n = read(t.master, t.raw + t.raw_length, RAW_MAX - 1 - t.raw_length)) > 0) {
        if (t.raw[t.raw_length + (size_t)n - 1] == '\0') {
            is_marked = true;
            n--;
        }
        assert_null(memchr(t.raw + t.raw_length, '\0', (size_t)n));
        vterm_input_write(t.vterm, t.raw + t.raw_length, (size_t)n);
        t.raw_length += (size_t)n;
        t.raw[t.raw_length] = '\0';
    }
    assert_true(t.raw_length < RAW_MAX - 1);
    return is_marked;
}

static void await_terminal(void)
{
    struct pollfd master = {.fd = t.master, .events = POLLIN};

    assert_int_equal(poll(&master, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
}

/* Goes on, at the same moment, until the terminal has everything. */
static void settle(void)
{
    bool is_marked = false;

    while (!output_is_drained(&t.plain.output)) {
        await_terminal();
        read_terminal();
        assert_int_equal(loop_turn(t.loop), 0);
    }
    while (write(t.mark_fd, "", 1) != 1) {
        assert_int_equal(errno, EAGAIN);
        await_terminal();
        read_terminal();
    }
    while (!is_marked) {
        await_terminal();
        is_marked = read_terminal();
    }
}

/* Lets MS milliseconds pass, makes one turn and returns what the terminal got. */
static const char *pass(int64_t ms)
{
    virtual_now += ms * CLOCK_MILLISECOND;
    t.turn_start = t.raw_length;
    assert_int_equal(loop_turn(t.loop), 0);
    settle();
    return t.raw + t.turn_start;
}

static const char *shown(const char *text)
{
    assert_int_equal(plain_show(&t.plain, text, strlen(text)), 0);
    return pass(0);
}

/* Returns the text of a row, blanks at its end left out. */
static const char *row(int number)
{
    static char text[4 * 512];
    VTermRect rect = {
        .start_row = number, .end_row = number + 1, .start_col = 0, .end_col = t.columns};
    size_t n = vterm_screen_get_text(t.screen, text, sizeof text - 1, rect);

    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
    return text;
}

static int cursor_row(void)
{
    VTermPos position;

    vterm_state_get_cursorpos(vterm_obtain_state(t.vterm), &position);
    assert_int_equal(position.col, 0);
    return position.row;
}

static int count_text(const char *bytes, const char *text)
{
    int count = 0;

    while ((bytes = strstr(bytes, text))) {
        count++;
        bytes += strlen(text);
    }
    return count;
}

/* ---- the spinner ---- */

static void a_frame_is_twelve_bytes(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    assert_string_equal(pass(0), "\r|.........\r");
    assert_string_equal(pass(0), "");
    assert_string_equal(pass(49), "");
    assert_string_equal(pass(1), "\r.|........\r");
    assert_string_equal(pass(50), "\r..|.......\r");
    assert_string_equal(row(0), "..|.......");
    assert_int_equal(cursor_row(), 0);
}

static void frames_keep_to_the_schedule(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    assert_string_equal(pass(70), "\r.|........\r"); /* 20 late */
    assert_string_equal(pass(29), "");
    assert_string_equal(pass(1), "\r..|.......\r");   /* and not the next one */
    assert_string_equal(pass(510), "\r......|...\r"); /* 610: nine were missed, one is shown */
    assert_string_equal(pass(0), "");
    assert_string_equal(pass(39), "");
    assert_string_equal(pass(1), "\r.....|....\r");
    assert_int_equal(plain_statistics(&t.plain).frames, 5);
    assert_int_equal(plain_statistics(&t.plain).longest_gap_ns, 510 * CLOCK_MILLISECOND);
}

static void another_spinner_is_painted_over_itself(void **state)
{
    const struct plain_options options = {
        .mode = PLAIN_MOTION, .spinner = spinner_find("moon"), .tick_ns = 50 * CLOCK_MILLISECOND};

    (void)state;
    open_terminal(ROWS, COLUMNS);
    start_on(t.slave, &options);
    plain_status(&t.plain, "waiting");
    assert_string_equal(pass(0), "\r\U0001f311 waiting\r");
    assert_string_equal(pass(50), "\r\U0001f312\r");
    assert_string_equal(row(0), "\U0001f312 waiting");
}

/* ---- lines ---- */

static void lines_scroll_up_over_the_spinner(void **state)
{
    char text[32];

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    assert_string_equal(shown("one\ntwo\n"), "\r          \rone\r\ntwo\r\n\r|.........\r");
    assert_string_equal(row(0), "one");
    assert_string_equal(row(2), "|.........");
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "line %d\n", i);
        assert_int_equal(plain_show(&t.plain, text, strlen(text)), 0);
        pass(50);
    }
    for (int i = 0; i < ROWS - 1; i++) {
        snprintf(text, sizeof text, "line %d", 20 - (ROWS - 1) + i);
        assert_string_equal(row(i), text);
    }
    assert_string_equal(row(ROWS - 1), "..|.......");
    assert_int_equal(cursor_row(), ROWS - 1);
    assert_int_equal(plain_lines(&t.plain), 22);
}

static void an_unfinished_line_is_shown_when_it_stands(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    assert_string_equal(shown("log"), "");
    pass(150);
    assert_string_equal(shown("in: "), "");
    assert_string_equal(pass(49), "");
    assert_string_equal(row(0), "...|......");
    pass(1);
    assert_string_equal(row(0), "....|..... partial: login:");
    shown("root\n");
    assert_string_equal(row(0), "login: root");
    assert_string_equal(row(1), "....|.....");
    assert_int_equal(plain_lines(&t.plain), 1);
}

/* The line that stood when the timer was set is finished; the one there now is younger. */
static void a_younger_line_is_not_shown_early(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    shown("a");
    pass(140);
    shown("\nb");
    pass(60);
    assert_string_equal(row(1), "....|.....");
    pass(139);
    assert_string_equal(row(1), "......|...");
    pass(1);
    assert_string_equal(row(1), "......|... partial: b");
}

static void the_end_of_a_stream_shows_what_is_left(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    shown("whole\nhal\xe2\x82");
    assert_true(plain_is_drained(&t.plain));
    plain_end(&t.plain);
    assert_true(plain_is_drained(&t.plain));
    settle();
    assert_string_equal(row(0), "whole");
    assert_string_equal(row(1), "hal<E2><82>");
    assert_string_equal(row(2), "");
    assert_int_equal(cursor_row(), 2);
    assert_int_equal(plain_lines(&t.plain), 1);
    assert_string_equal(pass(1000), "");
    plain_end(&t.plain);
    assert_string_equal(pass(1000), "");
    plain_wake(&t.plain);
    plain_wake(&t.plain);
    assert_int_equal(count_text(pass(0), "|"), 1);
    shown("ed\n");
    assert_string_equal(row(2), "ed");
}

static void a_cr_belongs_to_its_newline(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    shown("a\r");
    shown("\nb\rc\r\r\n");
    shown("\r");
    plain_end(&t.plain);
    settle();
    assert_string_equal(row(0), "a");
    assert_string_equal(row(1), "b^Mc^M");
    assert_string_equal(row(2), "^M");
    assert_int_equal(plain_lines(&t.plain), 2);
}

static void a_long_line_fills_its_rows_and_counts_once(void **state)
{
    static char letters[20000];
    size_t in = 0;

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + i * 7 % 26);
    for (size_t i = 0; i < sizeof letters; i += 1000) {
        assert_int_equal(plain_show(&t.plain, letters + i, 1000), 0);
        pass(10);
    }
    assert_true(t.plain.transcript.line_length <= TRANSCRIPT_LINE);
    shown("\n");
    plain_rest(&t.plain);
    settle();
    for (int i = ROWS - 2; i >= 0; i--, in += COLUMNS)
        assert_memory_equal(row(i), letters + sizeof letters - COLUMNS - in, COLUMNS);
    in = 0;
    for (const char *c = t.raw; *c; c++)
        if (*c >= 'a' && *c <= 'z' && in < sizeof letters && *c == letters[in])
            in++;
    assert_int_equal(in, sizeof letters);
    assert_int_equal(plain_lines(&t.plain), 1);
}

/* Marks on one character take memory and no columns. */
static void a_heap_of_marks_is_bounded(void **state)
{
    static const int widths[] = {80, 2, 1};

    for (size_t i = 0; i < 3; i++) {
        start(PLAIN_MOTION, ROWS, widths[i]);
        for (int k = 0; k < 9000; k++)
            assert_int_equal(plain_show(&t.plain, k % 3000 ? "\u0301" : "e", k % 3000 ? 2 : 1), 0);
        assert_true(t.plain.transcript.line_length <= TRANSCRIPT_LINE);
        plain_end(&t.plain);
        settle();
        assert_int_equal(count_text(t.raw, "\u0301"), 9000 - 3);
        plain_wake(&t.plain);
        for (int k = 0; k < 1500; k++)
            assert_int_equal(plain_show(&t.plain, "\u0301", 2), 0);
        assert_true(strlen(pass(200)) <= PLAIN_BOTTOM + 2);
        teardown(state);
        setup(state);
    }
}

/* A full row first, and then more marks in its last place than are kept. */
static void marks_behind_a_full_row_are_bounded(void **state)
{
    char bytes[4 + 2 * 2110] = "eeee";

    (void)state;
    start(PLAIN_MOTION, ROWS, 2);
    for (size_t i = 4; i < sizeof bytes; i += 2)
        memcpy(bytes + i, "\u0301", 2);
    assert_int_equal(plain_show(&t.plain, bytes, sizeof bytes), 0);
    assert_true(t.plain.transcript.line_length <= TRANSCRIPT_LINE);
    plain_end(&t.plain);
    settle();
    assert_int_equal(count_text(t.raw, "\u0301"), 2110);
}

/* ---- the text behind the spinner ---- */

static void a_status_stands_behind_the_spinner(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    plain_status(&t.plain, "connecting to localhost:80");
    assert_string_equal(pass(0), "\r|......... connecting to localhost:80\r");
    assert_string_equal(pass(50), "\r.|........\r");
    plain_status(&t.plain, "retrying");
    pass(0);
    assert_string_equal(row(0), ".|........ retrying");
    shown("text\n");
    assert_string_equal(row(1), ".|........ retrying");
    plain_status(&t.plain, "\033[31mred\n\x9b");
    pass(0);
    assert_string_equal(row(1), ".|........ ^[[31mred^J<9B>");
    plain_status(&t.plain, NULL);
    pass(0);
    assert_string_equal(row(1), ".|........");
    assert_string_equal(row(0), "text");
    assert_string_equal(row(2), "");
}

static void a_word_stands_still_in_place_of_the_spinner(void **state)
{
    const struct plain_options options = {.mode = PLAIN_MOTION, .shows_word = true};

    (void)state;
    open_terminal(ROWS, COLUMNS);
    start_on(t.slave, &options);
    plain_word(&t.plain, "connecting");
    plain_status(&t.plain, "looking up example");
    assert_string_equal(pass(0), "\rconnecting: looking up example\r");
    assert_string_equal(pass(5000), "");
    plain_word(&t.plain, "open");
    plain_status(&t.plain, NULL);
    pass(0);
    assert_string_equal(row(0), "open");
    assert_string_equal(shown("text\n"), "\r    \rtext\r\n\ropen\r");
    plain_word(&t.plain, "open");
    assert_string_equal(pass(5000), "");
    shown("unfinished");
    pass(200);
    assert_string_equal(row(1), "open: partial: unfinished");
}

static void others_may_write_while_it_rests(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    plain_status(&t.plain, "waiting");
    pass(0);
    plain_rest(&t.plain);
    plain_rest(&t.plain);
    assert_true(plain_is_drained(&t.plain));
    assert_int_equal(write(t.slave, "prog: what: why\n", 16), 16);
    assert_string_equal(pass(500), "\r                  \rprog: what: why\r\n");
    plain_wake(&t.plain);
    pass(0);
    assert_string_equal(row(0), "prog: what: why");
    assert_string_equal(row(1), "........|. waiting");
    assert_int_equal(plain_statistics(&t.plain).longest_gap_ns, 0);
}

static void a_note_is_a_line_that_does_not_count(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    shown("unfin");
    plain_note(&t.plain, "poll([], 0, 50)\n", 16);
    plain_note(&t.plain, "= \033\n0", 5);
    shown("ished\n");
    assert_string_equal(row(0), "poll([], 0, 50)");
    assert_string_equal(row(1), "= ^[^J0");
    assert_string_equal(row(2), "unfinished");
    assert_string_equal(row(3), "|.........");
    assert_int_equal(plain_lines(&t.plain), 1);
}

/* ---- narrow terminals ---- */

static void no_terminal_is_too_narrow(void **state)
{
    for (int columns = 1; columns <= 14; columns++) {
        char text[32] = "";

        start(PLAIN_MOTION, ROWS, columns);
        plain_status(&t.plain, "\u65e5\u672c\u8a9e");
        for (int k = 0; k < 20; k++)
            pass(50);
        snprintf(text, columns < 11 ? (size_t)columns : 11U, "%s", "..|.......");
        assert_memory_equal(row(0), text, strlen(text));
        if (columns == 14)
            assert_string_equal(row(0), "..|....... \u65e5");
        if (columns == 13)
            assert_string_equal(row(0), "..|.......");
        assert_string_equal(row(1), "");
        shown("x\n");
        assert_string_equal(row(0), "x");
        assert_memory_equal(row(1), text, strlen(text));
        assert_string_equal(row(2), "");
        teardown(state);
        setup(state);
    }
}

static void resize(int columns)
{
    struct winsize size = {.ws_row = (unsigned short)t.rows, .ws_col = (unsigned short)columns};

    assert_int_equal(ioctl(t.master, TIOCSWINSZ, &size), 0);
    vterm_set_size(t.vterm, t.rows, columns > 0 ? columns : t.columns);
    t.columns = columns > 0 ? columns : t.columns;
    plain_resize(&t.plain);
    pass(0);
}

static void it_follows_the_terminals_size(void **state)
{
    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    plain_status(&t.plain, "connecting to localhost:51423");
    pass(0);
    resize(20);
    assert_string_equal(row(0), "|......... connecti");
    shown("a\nb\n");
    assert_string_equal(row(0), "a");
    assert_string_equal(row(1), "b");
    assert_string_equal(row(2), "|......... connecti");
    assert_string_equal(row(3), "");
    resize(60);
    assert_string_equal(row(2), "|......... connecting to localhost:51423");
    resize(4);
    assert_string_equal(row(2), "|..");
    resize(80);
    assert_string_equal(row(2), "|......... connecting to localhost:51423");
    resize(0); /* a size that nobody set */
    assert_string_equal(row(2), "|......... connecting to localhost:51423");
}

/* libvterm cuts a row that has become too long. Other terminals wrap it, so here the rest is put on
 * the next row by hand. */
static void what_a_terminal_wrapped_is_painted_over(void **state)
{
    static const char wrapped[] = "\n0123456789012345678\033[A\r";

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    plain_status(&t.plain, "connecting to localhost:51423"); /* 39 columns */
    pass(0);
    vterm_input_write(t.vterm, wrapped, sizeof wrapped - 1);
    plain_status(&t.plain, NULL);
    resize(20);
    assert_string_equal(row(0), "|.........");
    assert_string_equal(row(1), "0123456789012345678");
    shown("\n");
    assert_string_equal(row(0), "");
    assert_string_equal(row(1), "|.........");
    plain_rest(&t.plain);
    settle();
    assert_string_equal(row(1), "");
}

/* ---- floods and stops ---- */

static void a_flood_is_one_write_a_turn(void **state)
{
    static char lines[1000 * 8];
    int number = 0;

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    for (int k = 0; k < 100; k++) { /* 100,000 lines in a second */
        const char *raw;

        for (int i = 0; i < 1000; i++)
            snprintf(lines + i * 7, 8, "%06d\n", number++);
        assert_int_equal(plain_show(&t.plain, lines, 3500), 0);
        assert_int_equal(plain_show(&t.plain, lines + 3500, 3500), 0);
        raw = pass(10);
        assert_int_equal(strlen(raw), 12 + 1000 * 8 + 12);
        assert_memory_equal(raw, "\r          \r", 12);
        assert_int_equal(count_text(raw, "|"), 1);
        assert_string_equal(strrchr(raw, '\n') + 1 + 11, "\r");
    }
    assert_int_equal(plain_statistics(&t.plain).frames, 21);
    assert_int_equal(plain_statistics(&t.plain).longest_gap_ns, 50 * CLOCK_MILLISECOND);
    assert_int_equal(plain_lines(&t.plain), number);
    number = 0;
    for (const char *c = t.raw; *c; c++)
        if (*c >= '0' && *c <= '9') {
            assert_int_equal(strtol(c, NULL, 10), number++);
            c += 6;
        }
    assert_int_equal(number, 100000);
}

/* Makes turns without reading the terminal. */
static void stall_turn(int64_t ms)
{
    virtual_now += ms * CLOCK_MILLISECOND;
    assert_int_equal(loop_turn(t.loop), 0);
}

static void a_stopped_terminal_gets_all_text_and_the_newest_frame(void **state)
{
    static char lines[PLAIN_CHUNK + 1];
    size_t sent = 0;
    size_t changes;

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    for (size_t i = 0; i < PLAIN_CHUNK; i += 16)
        snprintf(lines + i, 17, "%15zu\n", i / 16);
    for (int k = 0; plain_room(&t.plain) > 0; k++) {
        assert_true(k < 100);
        assert_int_equal(plain_show(&t.plain, lines, PLAIN_CHUNK), 0);
        sent += PLAIN_CHUNK / 16;
        stall_turn(10);
    }
    errno = 0;
    assert_int_equal(plain_show(&t.plain, lines, 1), -1);
    assert_int_equal(errno, ENOBUFS);
    for (int k = 0; k < 200; k++)
        stall_turn(50);
    assert_false(plain_is_drained(&t.plain));
    assert_true(t.plain.output.queue.length + t.plain.transcript.ready.length < 6 * PLAIN_CHUNK);
    changes = (size_t)t.changes;
    pass(0);
    pass(0);
    assert_true(plain_is_drained(&t.plain));
    assert_int_equal(plain_room(&t.plain), PLAIN_CHUNK);
    assert_true((size_t)t.changes > changes);
    assert_int_equal(count_text(t.raw, "\r\n"), sent);
    assert_true(count_text(t.raw, "|") <= 2 + (int)(sent * 16 / PLAIN_CHUNK));
    assert_string_equal(row(ROWS - 2), "           4095");
    assert_int_equal(t.plain.painted, t.plain.frame);
}

static void resting_waits_for_a_stopped_terminal(void **state)
{
    static char filler[PLAIN_CHUNK];

    (void)state;
    start(PLAIN_MOTION, ROWS, COLUMNS);
    pass(0);
    memset(filler, '\n', sizeof filler);
    assert_int_equal(plain_show(&t.plain, filler, sizeof filler), 0);
    stall_turn(0);
    assert_int_equal(plain_show(&t.plain, "last", 4), 0);
    stall_turn(50);
    plain_end(&t.plain);
    assert_false(plain_is_drained(&t.plain));
    pass(0);
    pass(0);
    assert_true(plain_is_drained(&t.plain));
    assert_string_equal(row(ROWS - 2), "last");
    assert_string_equal(row(ROWS - 1), "");
}

/* ---- lines asked for, timestamps ---- */

static void show_up_to(uint64_t limit, enum plain_mode mode)
{
    const struct plain_options options = {
        .mode = mode, .tick_ns = 50 * CLOCK_MILLISECOND, .line_limit = limit};

    open_terminal(ROWS, COLUMNS);
    start_on(t.slave, &options);
    assert_int_equal(plain_show(&t.plain, "a\nb", 3), limit == 1);
    assert_int_equal(plain_show(&t.plain, "b\ncc\ndd\ne", 9), 1);
    assert_int_equal(plain_show(&t.plain, "f\n", 2), 1);
    assert_int_equal(plain_lines(&t.plain), limit);
    plain_end(&t.plain);
    settle();
}

static void the_line_limit_is_exact(void **state)
{
    static const char *const lines[] = {"a", "bb", "cc", "dd"};

    for (uint64_t limit = 1; limit <= 4; limit++)
        for (int mode = PLAIN_MOTION; mode <= PLAIN_RAW; mode++) {
            show_up_to(limit, (enum plain_mode)mode);
            for (uint64_t i = 0; i <= limit; i++)
                assert_string_equal(row((int)i), i < limit ? lines[i] : "");
            teardown(state);
            setup(state);
        }
}

static void timestamps_stand_before_each_line(void **state)
{
    for (int mode = PLAIN_MOTION; mode <= PLAIN_RAW; mode++) {
        const struct plain_options options = {.mode = (enum plain_mode)mode,
                                              .tick_ns = 50 * CLOCK_MILLISECOND,
                                              .timestamp_format = "at<\033>"};

        open_terminal(ROWS, COLUMNS);
        start_on(t.slave, &options);
        shown("on");
        shown("e\n\na\tb");
        plain_end(&t.plain);
        settle();
        if (mode == PLAIN_RAW) {
            assert_string_equal(t.raw, "at<\033> one\r\nat<\033> \r\nat<\033> a\tb");
        } else {
            assert_string_equal(row(0), "at<^[> one");
            assert_string_equal(row(1), "at<^[>");
            assert_string_equal(row(2), "at<^[> a        b"); /* a stop at column 16 */
        }
        teardown(state);
        setup(state);
    }
}

static void a_timestamp_is_the_time(void **state)
{
    const struct plain_options options = {.mode = PLAIN_RAW, .timestamp_format = "%s"};
    time_t before = clock_wall().tv_sec;
    long long told;

    (void)state;
    open_terminal(ROWS, COLUMNS);
    start_on(t.slave, &options);
    shown("x\n");
    told = strtoll(row(0), NULL, 10);
    assert_in_range(told, before, clock_wall().tv_sec); /* time(2) is a tick behind */
    assert_true(stamp_is_possible("%H:%M:%S"));
    assert_false(stamp_is_possible(""));
    assert_false(stamp_is_possible("%c %c %c %c %c %c"));
}

/* ---- hostile bytes ---- */

static void expect_no_control(const char *raw)
{
    for (const unsigned char *c = (const unsigned char *)raw; *c; c++)
        if ((*c < ' ' && *c != '\r' && *c != '\n') || *c == 0x7f ||
            (*c == 0xc2 && c[1] < 0xa0 && c[1] >= 0x80))
            fail_msg("byte %#x reached the terminal", *c);
    assert_int_equal(t.replies, 0);
    assert_int_equal(t.bells, 0);
}

static void no_byte_of_the_peer_is_obeyed(void **state)
{
    static const char hostile[] = "\033[6n\033]0;title\007\033c\033[?1049h\033P$qm\033\\\233"
                                  "5n"
                                  "\302\2335n\005\016\b\b\b\v\f\r\033[2J\033[1;1Hend\n";

    for (int mode = PLAIN_MOTION; mode <= PLAIN_STILL; mode++) {
        uint32_t seed = 1;

        start((enum plain_mode)mode, ROWS, COLUMNS);
        for (size_t i = 0; i < sizeof hostile - 1; i++) {
            assert_int_equal(plain_show(&t.plain, hostile + i, 1), 0);
            pass(25);
        }
        for (int k = 0; k < 300; k++) {
            char bytes[257];

            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
            assert_int_equal(plain_show(&t.plain, bytes, sizeof bytes), 0);
            bytes[sizeof bytes - 1] = '\0';
            plain_status(&t.plain, k % 5 ? NULL : bytes);
            pass(k % 7 * 50);
        }
        plain_end(&t.plain);
        settle();
        expect_no_control(t.raw);
        teardown(state);
        setup(state);
    }
}

static void a_still_terminal_shows_bytes_as_they_come(void **state)
{
    (void)state;
    start(PLAIN_STILL, ROWS, COLUMNS);
    plain_status(&t.plain, "not shown");
    assert_string_equal(shown("login: "), "login: ");
    assert_string_equal(shown("\033"), "^[");
    assert_string_equal(pass(1000), "");
    plain_end(&t.plain);
    settle();
    assert_string_equal(t.raw, "login: ^[\r\n");
    plain_wake(&t.plain);
    assert_string_equal(pass(1000), "");
}

/* ---- no terminal ---- */

static void raw_bytes_pass_exactly(void **state)
{
    const struct plain_options options = {.mode = PLAIN_RAW};
    char sent[1000];
    char got[sizeof sent + 1];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    start_on(ends[1], &options);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof sent; i += 10) {
        assert_int_equal(plain_show(&t.plain, sent + i, 10), 0);
        if (i % 30 == 0)
            stall_turn(100);
    }
    plain_end(&t.plain);
    assert_true(plain_is_drained(&t.plain));
    assert_int_equal(read(ends[0], got, sizeof got), sizeof sent);
    assert_memory_equal(got, sent, sizeof sent);
    close(ends[0]);
    close(ends[1]);
}

static void expect_error(int fd, int error)
{
    const struct plain_options options = {.mode = PLAIN_RAW};

    start_on(fd, &options);
    assert_int_equal(plain_show(&t.plain, "x", 1), 0);
    stall_turn(0);
    assert_int_equal(plain_error(&t.plain), error);
    assert_int_equal(t.changes, 1);
    errno = 0;
    assert_int_equal(plain_show(&t.plain, "x", 1), -1);
    assert_int_equal(errno, error);
    plain_end(&t.plain);
    assert_int_equal(plain_error(&t.plain), error);
}

static void a_failed_write_is_told(void **state)
{
    int ends[2];
    int full;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    expect_error(ends[1], EPIPE);
    teardown(state);
    close(ends[1]);
    setup(state);
    full = open("/dev/full", O_WRONLY);
    if (full < 0)
        kit_skip("this system has no /dev/full");
    expect_error(full, ENOSPC);
    close(full);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_frame_is_twelve_bytes),
        CASE(frames_keep_to_the_schedule),
        CASE(another_spinner_is_painted_over_itself),
        CASE(lines_scroll_up_over_the_spinner),
        CASE(an_unfinished_line_is_shown_when_it_stands),
        CASE(a_younger_line_is_not_shown_early),
        CASE(the_end_of_a_stream_shows_what_is_left),
        CASE(a_cr_belongs_to_its_newline),
        CASE(a_long_line_fills_its_rows_and_counts_once),
        CASE(a_heap_of_marks_is_bounded),
        CASE(marks_behind_a_full_row_are_bounded),
        CASE(a_status_stands_behind_the_spinner),
        CASE(a_word_stands_still_in_place_of_the_spinner),
        CASE(others_may_write_while_it_rests),
        CASE(a_note_is_a_line_that_does_not_count),
        CASE(no_terminal_is_too_narrow),
        CASE(it_follows_the_terminals_size),
        CASE(what_a_terminal_wrapped_is_painted_over),
        CASE(a_flood_is_one_write_a_turn),
        CASE(a_stopped_terminal_gets_all_text_and_the_newest_frame),
        CASE(resting_waits_for_a_stopped_terminal),
        CASE(the_line_limit_is_exact),
        CASE(timestamps_stand_before_each_line),
        CASE(a_timestamp_is_the_time),
        CASE(no_byte_of_the_peer_is_obeyed),
        CASE(a_still_terminal_shows_bytes_as_they_come),
        CASE(raw_bytes_pass_exactly),
        CASE(a_failed_write_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
