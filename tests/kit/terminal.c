/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the test and the program stands a holder: the leader of the terminal's session, which
 * starts the program in the foreground, tells how that ended, and then stays. The kernel hangs up a
 * terminal whose session leader ends, and gives it its first settings again: without the holder
 * nobody could see how the program left them. It also makes Ctrl-Z work, which the kernel ignores
 * where no parent in the same session could take the program to the foreground again.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vterm.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif

#include "base/clock.h"
#include "kit/inside.h"
#include "kit/kit.h"

/* What the holder says: the program's process, and, in a second message, how that ended. */
struct terminal_news {
    pid_t pid;
    int status;
};

struct kit_terminal {
    pid_t holder;
    pid_t pid; /* 0: not known yet */
    int rows;
    int columns;
    struct kit_stream stream; /* the master */
    struct kit_stream news;   /* of struct terminal_news */
    VTerm *vterm;
    VTermScreen *screen;
    struct kit_bytes cut;  /* the beginning of a character, for libvterm */
    struct kit_bytes text; /* the last row asked for */
    struct kit_bytes title;
    size_t reply_length;
    int bells;
    bool is_cursor_shown;
    bool is_other_screen;
    kit_observer *observer;
    void *context;
    bool is_ended;
    int status;
    struct kit_terminal *next;
};

static struct kit_terminal *terminals;

static int terminal_on_bell(void *owner)
{
    struct kit_terminal *terminal = owner;

    terminal->bells++;
    return 1;
}

/* libvterm 0.2 and newer give the title in pieces. */
static void terminal_set_title(struct kit_terminal *terminal, const VTermValue *value)
{
#if VTERM_VERSION_MAJOR > 0 || VTERM_VERSION_MINOR > 1
    if (value->string.initial)
        terminal->title.length = 0;
    bytes_add(&terminal->title, value->string.str, value->string.len);
#else
    terminal->title.length = 0;
    bytes_add(&terminal->title, value->string, strlen(value->string));
#endif
}

static int terminal_on_property(VTermProp property, VTermValue *value, void *owner)
{
    struct kit_terminal *terminal = owner;

    if (property == VTERM_PROP_TITLE)
        terminal_set_title(terminal, value);
    else if (property == VTERM_PROP_CURSORVISIBLE)
        terminal->is_cursor_shown = value->boolean;
    else if (property == VTERM_PROP_ALTSCREEN)
        terminal->is_other_screen = value->boolean;
    return 1;
}

/* Counted and not sent: a program that asked would read the answer as keys. */
static void terminal_on_reply(const char *bytes, size_t n, void *owner)
{
    struct kit_terminal *terminal = owner;

    (void)bytes;
    terminal->reply_length += n;
}

/* How many of N bytes, at their end, are a character of UTF-8 that is not whole. */
static size_t terminal_count_cut(const char *bytes, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char byte = (unsigned char)bytes[n - back];
        size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;

        if ((byte & 0xc0) != 0x80)
            return length > back ? back : 0;
    }
    return 0;
}

/* libvterm 0.1 shows a character that comes in two calls as U+FFFD. */
static void terminal_on_bytes(void *owner, const char *bytes, size_t n)
{
    struct kit_terminal *terminal = owner;
    struct kit_bytes *cut = &terminal->cut;
    size_t whole;

    if (terminal->observer)
        terminal->observer(terminal->context, bytes, n, clock_now());
    bytes_add(cut, bytes, n);
    whole = cut->length - terminal_count_cut(cut->data, cut->length);
    vterm_input_write(terminal->vterm, cut->data, whole);
    cut->length -= whole;
    memmove(cut->data, cut->data + whole, cut->length);
}

static void terminal_open_screen(struct kit_terminal *terminal)
{
    static const VTermScreenCallbacks callbacks = {.bell = terminal_on_bell,
                                                   .settermprop = terminal_on_property};

    terminal->vterm = vterm_new(terminal->rows, terminal->columns);
    vterm_set_utf8(terminal->vterm, 1);
    vterm_output_set_callback(terminal->vterm, terminal_on_reply, terminal);
    terminal->screen = vterm_obtain_screen(terminal->vterm);
    vterm_screen_enable_altscreen(terminal->screen, 1);
    vterm_screen_set_callbacks(terminal->screen, &callbacks, terminal);
    vterm_screen_reset(terminal->screen, 1);
    bytes_add(&terminal->title, "", 0);
    terminal->stream.on_bytes = terminal_on_bytes;
    terminal->stream.owner = terminal;
}

/* Makes the program the one in the foreground. */
static void terminal_become(const struct child_command *command, pid_t holder, int report)
{
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(STDIN_FILENO, getpid());
    signal(SIGTTOU, SIG_DFL);
    child_become(command, holder, report);
}

/* The holder has copies of all that the test has open, and would keep it open. */
static void terminal_close_others(int keep, int keep_too)
{
    DIR *folder = opendir("/dev/fd");
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        int fd = atoi(entry->d_name);

        if (fd > STDERR_FILENO && fd != keep && fd != keep_too && fd != dirfd(folder))
            close(fd);
    }
    if (folder)
        closedir(folder);
}

static void terminal_hold(const struct child_command *command, pid_t parent, int news, int report)
{
    struct terminal_news first = {0};
    struct terminal_news last;
    pid_t holder = getpid();

    child_die_with(parent);
    terminal_close_others(news, report);
    first.pid = fork();
    if (first.pid == 0)
        terminal_become(command, holder, report);
    close(report);
    signal(SIGHUP, SIG_IGN); /* of a test that hangs the terminal up: it is for the program */
    last = first;
    if (write(news, &first, sizeof first) != sizeof first ||
        waitpid(first.pid, &last.status, 0) != first.pid ||
        write(news, &last, sizeof last) != sizeof last)
        _exit(1);
    for (;;)
        pause();
}

/* The settings stay as the program left them only as long as the holder is there. */
static void terminal_on_news(void *owner, const char *bytes, size_t n)
{
    struct kit_terminal *terminal = owner;
    struct terminal_news news;

    for (size_t i = 0; i + sizeof news <= n; i += sizeof news) {
        memcpy(&news, bytes + i, sizeof news);
        terminal->is_ended = terminal->pid != 0;
        terminal->pid = news.pid;
        terminal->status = news.status;
    }
    if (terminal->is_ended && !terminal->stream.is_stalled)
        kit_stream_drain(&terminal->stream); /* all that it wrote is there */
}

static void terminal_register(struct kit_terminal *terminal, int master, int news)
{
    terminal->news.on_bytes = terminal_on_news;
    terminal->news.owner = terminal;
    kit_stream_start(&terminal->news, news);
    kit_stream_start(&terminal->stream, master);
    terminal->next = terminals;
    terminals = terminal;
}

struct kit_terminal *kit_terminal(int rows, int columns, const char *const argv[])
{
    struct kit_terminal *terminal = calloc(1, sizeof *terminal);
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    struct child_command command;
    pid_t parent = getpid();
    int report[2], news[2];
    int master = -1;

    child_prepare(&command, argv);
    kit_pipe(report);
    kit_pipe(news);
    terminal->rows = rows;
    terminal->columns = columns;
    terminal_open_screen(terminal);
    terminal->holder = forkpty(&master, NULL, NULL, &size);
    if (terminal->holder == 0)
        terminal_hold(&command, parent, news[1], report[1]);
    close(report[1]);
    close(news[1]);
    terminal_register(terminal, master, news[0]);
    if (terminal->holder < 0)
        kit_fail("forkpty: %s", strerror(errno));
    child_await_exec(&command, report[0]);
    while (terminal->pid == 0 && terminal->news.fd >= 0)
        kit_stream_turn(-1, 0, kit_deadline());
    return terminal;
}

pid_t kit_terminal_pid(const struct kit_terminal *terminal)
{
    return terminal->pid;
}

static void terminal_add_utf8(struct kit_bytes *text, uint32_t c)
{
    char utf8[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n - 1; i > 0; i--) {
        utf8[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    utf8[0] = (char)(lead[n == 1 ? 0 : n] | c);
    bytes_add(text, utf8, n);
}

/* A wide character's second cell holds -1. */
static void terminal_add_cell(const struct kit_terminal *terminal, int row, int column,
                              struct kit_bytes *text)
{
    VTermPos position = {.row = row, .col = column};
    VTermScreenCell cell;

    if (!vterm_screen_get_cell(terminal->screen, position, &cell) || cell.chars[0] == (uint32_t)-1)
        return;
    if (cell.chars[0] == 0)
        bytes_add(text, " ", 1);
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++)
        terminal_add_utf8(text, cell.chars[i]);
}

static const char *terminal_row(struct kit_terminal *terminal, int row)
{
    struct kit_bytes *text = &terminal->text;

    text->length = 0;
    bytes_add(text, "", 0);
    for (int column = 0; column < terminal->columns; column++)
        terminal_add_cell(terminal, row, column, text);
    while (text->length > 0 && text->data[text->length - 1] == ' ')
        text->data[--text->length] = '\0';
    return text->data;
}

const char *kit_row(struct kit_terminal *terminal, int row)
{
    if (!terminal->stream.is_stalled)
        kit_stream_drain(&terminal->stream);
    return terminal_row(terminal, row);
}

static void terminal_show(void *owner)
{
    struct kit_terminal *terminal = owner;

    print_message("the screen:\n");
    for (int row = 0; row < terminal->rows; row++)
        print_message("%3d|%.500s\n", row, terminal_row(terminal, row));
}

static int terminal_find(struct kit_terminal *terminal, const char *text)
{
    for (int row = 0; row < terminal->rows; row++)
        if (strstr(terminal_row(terminal, row), text))
            return row;
    return -1;
}

int kit_await_row(struct kit_terminal *terminal, const char *text)
{
    int64_t deadline = kit_deadline();
    int row;

    while ((row = terminal_find(terminal, text)) < 0) {
        if (terminal->is_ended || kit_is_over(deadline)) {
            terminal_show(terminal);
            kit_fail("the terminal does not show \"%.200s\"%s", text,
                     terminal->is_ended ? " and the program has ended" : "");
        }
        kit_stream_turn(-1, 0, deadline);
    }
    return row;
}

/* Who looks reads too: a part that was looked at before may be right now, and nothing more come. */
static bool terminal_looks(struct kit_terminal *terminal, kit_looks *looks, void *context,
                           int64_t deadline)
{
    size_t before;

    do {
        before = terminal->stream.bytes.length;
        if (looks(terminal, context))
            return true;
    } while (terminal->stream.bytes.length != before && !kit_is_over(deadline));
    return false;
}

void kit_await_looks(struct kit_terminal *terminal, kit_looks *looks, void *context,
                     const char *what)
{
    int64_t deadline = kit_deadline();

    while (!terminal_looks(terminal, looks, context, deadline)) {
        if (terminal->is_ended || kit_is_over(deadline)) {
            terminal_show(terminal);
            kit_fail("waited in vain for: %s%s", what,
                     terminal->is_ended ? "; the program has ended" : "");
        }
        kit_stream_turn(-1, 0, deadline);
    }
}

static bool terminal_lacks(struct kit_terminal *terminal, void *text)
{
    return terminal_find(terminal, text) < 0;
}

void kit_await_gone(struct kit_terminal *terminal, const char *text)
{
    char what[256];
    char copy[200];

    snprintf(copy, sizeof copy, "%s", text);
    snprintf(what, sizeof what, "no row with \"%s\"", copy);
    kit_await_looks(terminal, terminal_lacks, copy, what);
}

static uint32_t terminal_colour(const struct kit_terminal *terminal, VTermColor colour)
{
    vterm_screen_convert_color_to_rgb(terminal->screen, &colour);
    return (uint32_t)colour.rgb.red << 16 | (uint32_t)colour.rgb.green << 8 | colour.rgb.blue;
}

struct kit_cell kit_cell(struct kit_terminal *terminal, int row, int column)
{
    VTermPos position = {.row = row, .col = column};
    VTermScreenCell cell = {0};
    VTermColor plain;
    VTermColor background;

    vterm_state_get_default_colors(vterm_obtain_state(terminal->vterm), &plain, &background);
    if (!vterm_screen_get_cell(terminal->screen, position, &cell))
        kit_fail("there is no cell %d, %d", row, column);
    return (struct kit_cell){.is_bold = cell.attrs.bold,
                             .is_reverse = cell.attrs.reverse,
                             .is_coloured = terminal_colour(terminal, cell.fg) !=
                                            terminal_colour(terminal, plain),
                             .foreground = terminal_colour(terminal, cell.fg)};
}

void kit_press(struct kit_terminal *terminal, const char *keys)
{
    kit_keys(terminal, keys, strlen(keys));
}

void kit_hang_up(struct kit_terminal *terminal)
{
    kit_stream_close(&terminal->stream);
}

void kit_keys(struct kit_terminal *terminal, const char *bytes, size_t n)
{
    int64_t deadline = kit_deadline();

    while (n > 0) {
        ssize_t written = write(terminal->stream.fd, bytes, n);

        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        } else if (errno != EAGAIN || kit_is_over(deadline)) {
            terminal_show(terminal);
            kit_fail("the program does not read its terminal: %s", strerror(errno));
        } else {
            kit_stream_turn(terminal->stream.fd, POLLOUT, deadline);
        }
    }
}

void kit_resize(struct kit_terminal *terminal, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    if (rows > 0 && columns > 0) {
        terminal->rows = rows;
        terminal->columns = columns;
        vterm_set_size(terminal->vterm, rows, columns);
    }
    if (ioctl(terminal->stream.fd, TIOCSWINSZ, &size) < 0)
        kit_fail("TIOCSWINSZ: %s", strerror(errno));
}

void kit_watch(struct kit_terminal *terminal, int64_t ns)
{
    int64_t deadline = clock_now() + ns;

    while (!terminal->is_ended && !kit_is_over(deadline))
        kit_stream_turn(-1, 0, deadline);
}

void kit_observe(struct kit_terminal *terminal, kit_observer *observer, void *context)
{
    terminal->observer = observer;
    terminal->context = context;
}

void kit_stall(struct kit_terminal *terminal, bool stall)
{
    terminal->stream.is_stalled = stall;
    if (!stall)
        kit_stream_drain(&terminal->stream);
}

const char *kit_raw(struct kit_terminal *terminal, size_t *length)
{
    if (!terminal->stream.is_stalled)
        kit_stream_drain(&terminal->stream);
    if (length)
        *length = terminal->stream.bytes.length;
    return terminal->stream.bytes.data;
}

size_t kit_reply_length(const struct kit_terminal *terminal)
{
    return terminal->reply_length;
}

const char *kit_title(const struct kit_terminal *terminal)
{
    return terminal->title.data;
}

int kit_bells(const struct kit_terminal *terminal)
{
    return terminal->bells;
}

void kit_cursor(const struct kit_terminal *terminal, int *row, int *column)
{
    VTermPos position;

    vterm_state_get_cursorpos(vterm_obtain_state(terminal->vterm), &position);
    *row = position.row;
    *column = position.col;
}

bool kit_cursor_is_shown(const struct kit_terminal *terminal)
{
    return terminal->is_cursor_shown;
}

bool kit_is_other_screen(const struct kit_terminal *terminal)
{
    return terminal->is_other_screen;
}

void kit_settings(const struct kit_terminal *terminal, struct termios *settings)
{
    memset(settings, 0, sizeof *settings); /* it has gaps, and is compared as a whole */
    if (tcgetattr(terminal->stream.fd, settings) < 0)
        kit_fail("tcgetattr: %s", strerror(errno));
}

int kit_terminal_end(struct kit_terminal *terminal)
{
    int64_t deadline = kit_deadline();

    while (!terminal->is_ended) {
        if (terminal->news.fd < 0 || kit_is_over(deadline)) {
            terminal_show(terminal);
            kit_fail("process %d has not ended", (int)terminal->pid);
        }
        kit_stream_turn(-1, 0, deadline);
    }
    kit_stream_drain(&terminal->stream);
    return child_status(terminal->status);
}

void terminal_cleanup(void)
{
    while (terminals) {
        struct kit_terminal *terminal = terminals;

        terminals = terminal->next;
        if (!terminal->is_ended && terminal->pid > 0)
            kill(-terminal->pid, SIGKILL);
        if (terminal->holder > 0)
            child_kill(terminal->holder);
        kit_stream_free(&terminal->news);
        kit_stream_free(&terminal->stream);
        vterm_free(terminal->vterm);
        bytes_free(&terminal->cut);
        bytes_free(&terminal->text);
        bytes_free(&terminal->title);
        free(terminal);
    }
}
