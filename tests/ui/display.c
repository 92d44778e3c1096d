/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The progress of pollcopy on a terminal, judged by its cells (libvterm behind a pty) and by the
 * very bytes that reached it. The copy is a fake of this file, time stands still but for pass().
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
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "copy/display.h"
#include "kit/kit.h"

enum { RAW_MAX = 1 << 21, STREAMS = 3, MIB = 1 << 20, ROWS = 8, FOLD_ROWS = 20, COLUMNS = 60 };

/* ---- a copy that is none ---- */

struct copy {
    struct copy_view views[STREAMS];
    size_t count;
};

static struct copy copy;

size_t copy_stream_count(const struct copy *of)
{
    return of->count;
}

void copy_look(const struct copy *of, size_t stream, struct copy_view *view)
{
    *view = of->views[stream];
}

uint64_t copy_total(const struct copy *of)
{
    uint64_t total = 0;

    for (size_t i = 0; i < of->count; i++)
        total += of->views[i].copied;
    return total;
}

/* ---- the terminal, and a loop that never waits ---- */

static struct {
    struct loop *loop;
    struct display display;
    bool is_open;
    struct watch always; /* a pipe with a byte in it: every wait ends at once */
    int pipe[2];
    int master;
    int slave;
    VTerm *vterm;
    VTermScreen *screen;
    int columns;
    char raw[RAW_MAX];
    size_t raw_length;
    bool is_stalled; /* the terminal takes nothing */
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

static void open_terminal(int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    assert_int_equal(openpty(&t.master, &t.slave, NULL, NULL, &size), 0);
    assert_int_equal(fcntl(t.slave, F_SETFL, O_NONBLOCK), 0);
    t.columns = columns;
    t.vterm = vterm_new(rows, columns);
    vterm_set_utf8(t.vterm, 1);
    t.screen = vterm_obtain_screen(t.vterm);
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

static int setup(void **state)
{
    static const char *const names[] = {"one", "two", "three"};

    (void)state;
    memset(&t, 0, sizeof t);
    copy = (struct copy){.count = STREAMS};
    for (size_t i = 0; i < STREAMS; i++)
        copy.views[i] =
            (struct copy_view){.source = "in", .dest = names[i], .state = COPY_RUNNING, .size = -1};
    t.master = t.slave = -1;
    setenv("TERM", "xterm", 1);
    unsetenv("CI");
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        kit_skip("this system has no locale C.UTF-8");
    open_loop();
    return 0;
}

static void start(enum display_mode mode, int fd)
{
    assert_int_equal(display_init(&t.display, t.loop, fd, mode, &copy), 0);
    t.is_open = true;
}

static void finish(void)
{
    display_fini(&t.display);
    t.is_open = false;
}

static void start_frames(int rows, int columns)
{
    open_terminal(rows, columns);
    start(DISPLAY_FRAMES, t.slave);
}

static void stall(void)
{
    assert_int_equal(tcflow(t.slave, TCOOFF), 0);
    t.is_stalled = true;
}

static void unstall(void)
{
    assert_int_equal(tcflow(t.slave, TCOON), 0);
    t.is_stalled = false;
}

static int teardown(void **state)
{
    signal(SIGTSTP, SIG_DFL);
    if (t.is_stalled)
        unstall();
    if (t.is_open)
        finish();
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
    }
    return kit_cleanup(state);
}

/* ---- what reaches it ---- */

/* Reads what is there. Returns whether the mark was the last of it. */
static bool read_some(void)
{
    struct pollfd master = {.fd = t.master, .events = POLLIN};
    bool is_marked;
    ssize_t n;

    assert_int_equal(poll(&master, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
    n = read(t.master, t.raw + t.raw_length, RAW_MAX - 1 - t.raw_length);
    assert_true(n > 0);
    is_marked = t.raw[t.raw_length + (size_t)n - 1] == '\0';
    n -= is_marked;
    assert_null(memchr(t.raw + t.raw_length, '\0', (size_t)n));
    vterm_input_write(t.vterm, t.raw + t.raw_length, (size_t)n);
    t.raw_length += (size_t)n;
    t.raw[t.raw_length] = '\0';
    return is_marked;
}

/* Reads all that was written: a NUL is written behind it, and when that comes out, so has the rest.
 */
static void read_terminal(void)
{
    while (t.is_open && !output_is_drained(&t.display.output)) {
        read_some();
        assert_int_equal(loop_turn(t.loop), 0);
    }
    while (write(t.slave, "", 1) != 1) {
        assert_int_equal(errno, EAGAIN);
        read_some();
    }
    while (!read_some())
        continue;
}

/* Lets MS milliseconds pass, makes the turns of a frame, and returns what the terminal got. */
static const char *pass(int64_t ms)
{
    size_t before = t.raw_length;

    virtual_now += ms * CLOCK_MILLISECOND;
    for (int i = 0; i < 2; i++)
        assert_int_equal(loop_turn(t.loop), 0);
    if (!t.is_stalled)
        read_terminal();
    return t.raw + before;
}

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

static void expect_rows(int first, const char *const rows[])
{
    for (int i = 0; rows[i]; i++)
        assert_string_equal(row(first + i), rows[i]);
}

static void expect_cursor(int expected)
{
    VTermPos position;

    vterm_state_get_cursorpos(vterm_obtain_state(t.vterm), &position);
    assert_int_equal(position.col, 0);
    assert_int_equal(position.row, expected);
}

/* Most terminals fold lines that have become too long; libvterm cuts them. So it is told anew what
 * stood there, and the cursor is put where its line begins. */
static void resize(int columns)
{
    struct winsize size = {.ws_row = FOLD_ROWS, .ws_col = (unsigned short)columns};
    char text[1 << 14] = "";
    VTermPos cursor, folded;
    size_t n = 0;

    vterm_state_get_cursorpos(vterm_obtain_state(t.vterm), &cursor);
    for (int i = 0; i < cursor.row; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\r\n", row(i));
    t.columns = columns;
    vterm_set_size(t.vterm, FOLD_ROWS, columns);
    vterm_screen_reset(t.screen, 1);
    vterm_input_write(t.vterm, text, n);
    vterm_state_get_cursorpos(vterm_obtain_state(t.vterm), &folded);
    assert_true(folded.row >= cursor.row && folded.row < FOLD_ROWS - 2);
    assert_int_equal(ioctl(t.master, TIOCSWINSZ, &size), 0);
}

static const struct copy_event no_space = {
    .kind = COPY_DEST_FAILED, .stream = 1, .name = "two", .error = ENOSPC};

/* ---- frames ---- */

static const char *const first_frame[] = {"one         0 B       0 B/s", /* */
                                          "two         0 B       0 B/s", /* */
                                          "three       0 B       0 B/s", /* */
                                          "total       0 B       0 B/s", "", NULL};

static void a_frame_is_painted_over_the_last(void **state)
{
    static const char *const rows[] = {"one    1.00 MiB  20.0 MiB/s", /* */
                                       "two         0 B       0 B/s",
                                       "three       0 B       0 B/s",
                                       "total  1.00 MiB  20.0 MiB/s",
                                       "",
                                       NULL};

    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    expect_rows(0, first_frame);
    expect_cursor(3);
    copy.views[0].copied = MIB;
    virtual_now += 50 * CLOCK_MILLISECOND;
    assert_string_equal(pass(0), "\r\033[3Aone    1.00 MiB  20.0 MiB/s\033[K\r\n"
                                 "two         0 B       0 B/s\033[K\r\n"
                                 "three       0 B       0 B/s\033[K\r\n"
                                 "total  1.00 MiB  20.0 MiB/s\033[J\r");
    expect_rows(0, rows);
    expect_cursor(3);
}

static void what_has_not_changed_is_not_painted(void **state)
{
    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    for (int i = 0; i < 100; i++)
        assert_string_equal(pass(50), "");
}

static void twenty_frames_a_second_at_most(void **state)
{
    int frames = 0;

    (void)state;
    start_frames(ROWS, COLUMNS);
    for (int ms = 0; ms < 1000; ms += 5) {
        copy.views[0].copied += MIB;
        frames += pass(5)[0] != '\0';
    }
    assert_in_range(frames, 15, 20);
}

static void a_message_stays_above(void **state)
{
    (void)state;
    start_frames(ROWS, COLUMNS);
    display_event(&t.display, &no_space); /* before there is a frame */
    pass(50);
    assert_string_equal(row(0), "pollcopy: two: No space left on device");
    expect_rows(1, first_frame);
    display_event(&t.display, &no_space);
    pass(0);
    assert_string_equal(row(1), "pollcopy: two: No space left on device");
    expect_rows(2, first_frame);
    expect_cursor(5);
    display_event(&t.display, &(struct copy_event){.kind = COPY_OPENED});
    assert_string_equal(pass(0), "");
}

static void hostile_names_are_not_obeyed(void **state)
{
    struct copy_event event = no_space;

    (void)state;
    event.name = copy.views[0].dest = "\033[2J\a\x9b\n\xe2\x80\xae";
    start_frames(ROWS, 79);
    display_event(&t.display, &event);
    pass(50);
    assert_string_equal(row(0), "pollcopy: ^[[2J^G<9B>^J<U+202E>: No space left on device");
    assert_string_equal(row(1), "^[[2J^G<9B>^J<U+202E>       0 B       0 B/s");
    expect_cursor(4);
}

static void a_printed_frame_stays(void **state)
{
    (void)state;
    start_frames(12, COLUMNS);
    pass(50);
    display_print(&t.display);
    pass(0);
    for (int i = 0; i < 4; i++)
        assert_string_equal(row(i), first_frame[i]);
    expect_rows(4, first_frame);
    expect_cursor(7);
}

static void the_end_is_on_a_new_line(void **state)
{
    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    assert_int_equal(write(t.slave, "^C", 2), 2); /* what the terminal echoes */
    finish();
    read_terminal();
    expect_rows(0, first_frame);
    expect_cursor(4);
}

static void an_end_before_the_first_frame(void **state)
{
    (void)state;
    start_frames(ROWS, COLUMNS);
    finish();
    read_terminal();
    expect_rows(0, first_frame);
    expect_cursor(4);
}

static void more_streams_than_rows(void **state)
{
    static const char *const rows[] = {"one         0 B", "2 more", "total       0 B", NULL};

    (void)state;
    start_frames(3, 20);
    pass(50);
    expect_rows(0, rows);
    copy.views[0].copied = MIB;
    pass(250);
    assert_string_equal(row(0), "one    1.00 MiB");
    expect_cursor(2);
}

/* ---- other sizes ---- */

/* The screen holds TEXT once, and nothing of a frame twice. */
static void expect_clean(int rows)
{
    int totals = 0;

    for (int i = 0; i < rows; i++)
        totals += strstr(row(i), "total") != NULL;
    assert_int_equal(totals, 1);
}

static void a_terminal_that_becomes_narrower_has_folded_the_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < STREAMS; i++)
        copy.views[i].size = 100 * MIB;
    start_frames(FOLD_ROWS, COLUMNS);
    display_event(&t.display, &no_space);
    pass(50);
    for (int columns = COLUMNS - 1; columns >= 39; columns -= 5) {
        resize(columns);
        pass(250);
        assert_string_equal(row(0), "pollcopy: two: No space left on device");
        assert_memory_equal(row(1), "one  ", 5);
        expect_clean(FOLD_ROWS);
        expect_cursor(4);
    }
    resize(80);
    pass(250);
    expect_clean(FOLD_ROWS);
    expect_cursor(4);
}

static void a_terminal_without_a_size(void **state)
{
    (void)state;
    start_frames(24, 80);
    assert_int_equal(ioctl(t.master, TIOCSWINSZ, &(struct winsize){0}), 0);
    pass(50);
    expect_rows(0, first_frame);
}

static void as_small_as_can_be(void **state)
{
    (void)state;
    start_frames(1, 1);
    for (int i = 0; i < 20; i++) {
        copy.views[0].copied += 1000;
        pass(50);
    }
    assert_true(strlen(row(0)) <= 1);
}

/* ---- slow, stopped ---- */

static void a_stopped_terminal_gets_the_newest_frame(void **state)
{
    int frames = 0;
    const char *bytes;

    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    stall();
    for (int i = 0; i < 1000; i++) {
        copy.views[0].copied += MIB;
        pass(50);
    }
    unstall();
    bytes = pass(250);
    for (; (bytes = strstr(bytes, "\033[J")); bytes++)
        frames++;
    assert_in_range(frames, 1, 3);
    pass(250);
    assert_non_null(strstr(row(0), "1000 MiB"));
    expect_clean(ROWS);
}

/* A second of the clock that is frozen here would be for ever. */
static void a_stopped_terminal_is_not_waited_for(void **state)
{
    int64_t begun;

    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    stall();
    copy.views[0].copied += MIB;
    clock_use(NULL);
    begun = clock_now();
    virtual_now = begun;
    finish();
    assert_true(clock_now() - begun < 30 * CLOCK_SECOND);
    unstall();
}

static void after_a_stop_it_begins_where_the_cursor_is(void **state)
{
    (void)state;
    start_frames(12, COLUMNS);
    pass(50);
    assert_int_equal(write(t.slave, "^Z\nStopped\n$ fg\n", 16), 16);
    virtual_now += 50 * CLOCK_MILLISECOND;
    raise(SIGCONT);
    copy.views[0].copied += MIB;
    pass(250);
    assert_string_equal(row(2), first_frame[2]);
    assert_string_equal(row(4), "Stopped");
    assert_string_equal(row(5), "$ fg");
    assert_non_null(strstr(row(6), "one    1.00 MiB"));
    expect_cursor(9);
}

/* ---- Ctrl-Z ---- */

static struct {
    int count;
    bool was_drained;
} stops;

/* In place of the kernel. */
static void note_stop(int signo)
{
    (void)signo;
    stops.count++;
    stops.was_drained = output_is_drained(&t.display.output);
}

static void ignore_signal(void *owner, int signo)
{
    (void)owner;
    (void)signo;
}

static void catch_stop(void)
{
    stops.count = 0;
    assert_true(signal(SIGTSTP, note_stop) != SIG_ERR);
}

/* A terminal that cannot be opened anew, as after su(1): here for want of descriptors, but for
 * those of the loop's signals, which are there by then. */
static void start_careful(int rows, int columns)
{
    struct rlimit limit, none;

    open_terminal(rows, columns);
    assert_int_equal(loop_signal(t.loop, SIGUSR1, ignore_signal, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    start(DISPLAY_FRAMES, t.slave);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(t.display.output.kind, OUTPUT_CAREFUL);
}

static void what_is_queued_is_written_before_a_stop(void **state)
{
    (void)state;
    catch_stop();
    start_careful(12, COLUMNS);
    pass(50);
    copy.views[0].copied += MIB;
    raise(SIGTSTP);
    while (stops.count == 0)
        assert_int_equal(loop_turn(t.loop), 0);
    assert_true(stops.was_drained);
    read_terminal();
    assert_memory_equal(row(3), "total  1.00 MiB", 15);
    expect_cursor(4);
    pass(50); /* it paints again */
    expect_cursor(7);
}

static void a_stalled_terminal_holds_a_stop_up_for_a_second(void **state)
{
    (void)state;
    catch_stop();
    start_frames(ROWS, COLUMNS);
    pass(50);
    stall();
    copy.views[0].copied += MIB;
    raise(SIGTSTP);
    pass(0);
    pass(999);
    raise(SIGTSTP); /* one stop, however often it was asked for */
    pass(0);
    assert_int_equal(stops.count, 0);
    pass(1);
    assert_int_equal(stops.count, 1);
    assert_false(stops.was_drained);
    unstall();
}

/* Who takes the editing of lines from a terminal, as less does, paints on it. */
static void a_pager_has_the_terminal_to_itself(void **state)
{
    struct termios mode;

    (void)state;
    start_frames(ROWS, COLUMNS);
    pass(50);
    assert_int_equal(tcgetattr(t.slave, &mode), 0);
    mode.c_lflag ^= ICANON;
    assert_int_equal(tcsetattr(t.slave, TCSANOW, &mode), 0);
    copy.views[0].copied += MIB;
    assert_string_equal(pass(250), "");
    mode.c_lflag ^= ICANON;
    assert_int_equal(tcsetattr(t.slave, TCSANOW, &mode), 0);
    assert_non_null(strstr(pass(250), "one    1.00 MiB"));
}

/* ---- where nothing can be painted ---- */

static const char *contents(int fd)
{
    static char text[1 << 16];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static int open_file(void)
{
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/file", kit_folder());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void turn(int64_t ms)
{
    virtual_now += ms * CLOCK_MILLISECOND;
    assert_int_equal(loop_turn(t.loop), 0);
}

#define LINES                                                                                      \
    "one         0 B       0 B/s\ntwo         0 B       0 B/s\n"                                   \
    "three       0 B       0 B/s\ntotal       0 B       0 B/s\n"

static void a_file_gets_lines(void **state)
{
    int fd = open_file();

    (void)state;
    start(DISPLAY_FRAMES, fd);
    turn(4999);
    assert_string_equal(contents(fd), "");
    turn(1);
    assert_string_equal(contents(fd), LINES);
    display_event(&t.display, &no_space);
    finish();
    assert_string_equal(contents(fd), LINES "pollcopy: two: No space left on device\n" LINES);
    close(fd);
}

static void a_name_forges_no_line_of_a_log(void **state)
{
    struct copy_event event = no_space;
    int fd = open_file();

    (void)state;
    event.name = "two\npollcopy: three\x1b";
    start(DISPLAY_NONE, fd);
    display_event(&t.display, &event);
    finish();
    assert_string_equal(contents(fd),
                        "pollcopy: two^Jpollcopy: three^[: No space left on device\n");
    close(fd);
}

static void expect_lines_on_the_terminal(void)
{
    start_frames(12, COLUMNS);
    assert_string_equal(pass(4000), "");
    pass(1000);
    expect_rows(0, first_frame);
    assert_null(strchr(t.raw, '\033'));
    expect_cursor(4);
}

static void a_dumb_terminal_gets_lines(void **state)
{
    (void)state;
    setenv("TERM", "dumb", 1);
    expect_lines_on_the_terminal();
}

static void so_does_one_that_is_recorded(void **state)
{
    (void)state;
    setenv("CI", "true", 1);
    expect_lines_on_the_terminal();
}

static void nothing_is_shown_unasked(void **state)
{
    int fd = open_file();

    (void)state;
    start(DISPLAY_NONE, fd);
    turn(60000);
    assert_string_equal(contents(fd), "");
    display_print(&t.display);
    assert_string_equal(contents(fd), LINES);
    finish();
    assert_string_equal(contents(fd), LINES);
    close(fd);
}

/* ---- JSON ---- */

static void json_once_a_second(void **state)
{
    static const struct copy_event ended = {.kind = COPY_ENDED, .stream = SIZE_MAX, .bytes = 7};
    int fd = open_file();

    (void)state;
    start(DISPLAY_JSON, fd);
    turn(999);
    assert_string_equal(contents(fd), "");
    turn(1);
    assert_memory_equal(contents(fd), "{\"event\":\"progress\",\"time\":1.000,", 33);
    display_event(&t.display, &no_space);
    assert_non_null(
        strstr(contents(fd), "\n{\"event\":\"dest-failed\",\"time\":1.000,\"stream\":1,"));
    display_event(&t.display, &ended);
    turn(5000);
    finish();
    assert_non_null(strstr(contents(fd), "\n{\"event\":\"ended\",\"time\":1.000,\"bytes\":7}\n"));
    assert_null(strstr(contents(fd), "\"time\":6"));
    close(fd);
}

/* Progress is left out, events are not. */
static void json_for_a_slow_reader(void **state)
{
    static char bytes[1 << 20];
    int ends[2];
    size_t length = 0;
    int events = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    start(DISPLAY_JSON, ends[1]);
    for (int i = 0; i < 2000; i++)
        display_event(&t.display, &no_space);
    assert_false(output_is_drained(&t.display.output));
    for (int i = 0; i < 100; i++)
        turn(1000);
    while (!output_is_drained(&t.display.output)) {
        length += (size_t)read(ends[0], bytes + length, sizeof bytes - 1 - length);
        turn(0);
    }
    finish();
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], bytes + length, sizeof bytes - 1 - length)) > 0;)
        length += (size_t)n;
    close(ends[0]);
    assert_null(strstr(bytes, "progress"));
    for (const char *next = bytes; (next = strstr(next, "}\n")); next++)
        events++;
    assert_int_equal(events, 2000);
}

/* A reader that begins to read when many seconds have passed. */
static struct {
    int fd;
    int turns_left;
    char bytes[1 << 21];
    size_t length;
} late;

static void read_late(void *owner, unsigned ready)
{
    ssize_t n;

    (void)owner;
    (void)ready;
    virtual_now += CLOCK_SECOND;
    if (late.turns_left > 0 && late.turns_left-- > 0)
        return;
    while ((n = read(late.fd, late.bytes + late.length, sizeof late.bytes - 1 - late.length)) > 0)
        late.length += (size_t)n;
}

static void tell_late(enum display_mode mode, const struct copy_event *event, int count)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    memset(&late, 0, sizeof late);
    late.fd = ends[0];
    late.turns_left = 20;
    start(mode, ends[1]);
    watch_stop(&t.always);
    watch_init(&t.always, read_late, NULL);
    assert_int_equal(watch_start(&t.always, t.loop, t.pipe[0], POLLER_IN), 0);
    for (int i = 0; i < count; i++)
        display_event(&t.display, event);
    display_event(&t.display, &(struct copy_event){.kind = COPY_ENDED, .stream = SIZE_MAX});
    finish();
    read_late(NULL, 0);
    close(ends[0]);
    close(ends[1]);
}

static int count_lines(const char *text)
{
    int count = 0;

    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static void a_late_reader_gets_all_json(void **state)
{
    (void)state;
    tell_late(DISPLAY_JSON, &no_space, 2000);
    assert_int_equal(count_lines(late.bytes), 2001);
    assert_non_null(strstr(late.bytes, "\n{\"event\":\"ended\","));
}

static void a_late_reader_gets_all_messages(void **state)
{
    (void)state;
    tell_late(DISPLAY_NONE, &no_space, 2000);
    assert_int_equal(count_lines(late.bytes), 2000);
    assert_int_equal(late.bytes[late.length - 1], '\n');
}

/* Events are lost then, but whole ones, and not that one, though it is longer than these. */
static void one_that_is_a_mebibyte_behind_gets_the_last_event(void **state)
{
    static const char line[] = "{\"event\":\"done\",";
    static const struct copy_event done = {.kind = COPY_DONE, .stream = SIZE_MAX};
    const char *next = late.bytes;

    (void)state;
    tell_late(DISPLAY_JSON, &done, 60000);
    assert_in_range(late.length, 1 << 20, (1 << 20) + (1 << 17));
    while (strncmp(next, line, strlen(line)) == 0)
        next = strchr(next, '\n') + 1;
    assert_memory_equal(next, "{\"event\":\"ended\",", 17);
    assert_int_equal(count_lines(next), 1);
}

/* It could be waited for in vain. */
static void a_reader_that_goes_at_the_end_ends_it(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    start(DISPLAY_JSON, ends[1]);
    for (int i = 0; i < 2000; i++)
        display_event(&t.display, &no_space);
    assert_false(output_is_drained(&t.display.output));
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    finish();
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_is_painted_over_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_not_changed_is_not_painted, setup, teardown),
        cmocka_unit_test_setup_teardown(twenty_frames_a_second_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_stays_above, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names_are_not_obeyed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_printed_frame_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_is_on_a_new_line, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_before_the_first_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(more_streams_than_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_terminal_that_becomes_narrower_has_folded_the_lines,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_terminal_without_a_size, setup, teardown),
        cmocka_unit_test_setup_teardown(as_small_as_can_be, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_terminal_gets_the_newest_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_terminal_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_stop_it_begins_where_the_cursor_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_queued_is_written_before_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stalled_terminal_holds_a_stop_up_for_a_second, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pager_has_the_terminal_to_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_gets_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_forges_no_line_of_a_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dumb_terminal_gets_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(so_does_one_that_is_recorded, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_shown_unasked, setup, teardown),
        cmocka_unit_test_setup_teardown(json_once_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(json_for_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_reader_gets_all_json, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_reader_gets_all_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_a_mebibyte_behind_gets_the_last_event, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_goes_at_the_end_ends_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
