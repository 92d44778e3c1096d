/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ncurses is asked to draw on a file in memory; what it added there is a frame. The file is read
 * from where the frame before ended, and starts anew when it has become long, so a frame costs the
 * writes of ncurses, which flushes after each movement, and one pread(2).
 *
 * A spinner must cost less: its row differs in a few cells from what is shown. Such a change is a
 * patch: the movement to it, its bytes, and the movement back, made here without any system call;
 * ncurses is told by writing the same cells to curscr, its idea of the terminal. Patches are made
 * only where the terminal is known to be as ncurses left it: no other row has changed, the cursor
 * stays, the text has no style. For everything else ncurses decides.
 *
 * What ncurses does beside drawing is undone: newterm(3) installs handlers of signals, and writes
 * what belongs to screen_begin. doupdate(3) turns SIGTSTP off and on for each frame unless newterm
 * found a handler for it.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>
#include <term.h>
#undef columns /* words of ours, which are capabilities to term.h */
#undef lines

#include "base/text.h"
#include "ui/screen.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    SCREEN_MAX = 1000,         /* rows, columns */
    SCREEN_FILE_MAX = 1 << 20, /* bytes of the memory file */
    SCREEN_BYTES = 16384,      /* of a frame, to begin with */
    SCREEN_FEW = 32,           /* bytes of a change that is a patch */
    SCREEN_PATCH_MAX = 128,    /* bytes of one, with its movement */
    SCREEN_RESCUE = 256
};

/* How a row differs from what the terminal shows. */
enum row_change { ROW_SHOWN, ROW_PATCHED, ROW_STALE };

struct screen_row {
    struct row content;
    enum row_change change;
    size_t from; /* the bytes of a patch, and where it stands */
    size_t end;
    int column;
};

struct screen {
    SCREEN *handle;
    FILE *file; /* in memory */
    off_t read; /* bytes of it that have been read */
    off_t max;  /* ... before it starts anew */
    char *bytes;
    size_t capacity;
    int rows;
    int columns;
    struct screen_row *lines;
    cchar_t *cells; /* a row, while it is written */
    attr_t attributes[ROW_STYLES];
    short pairs[ROW_STYLES];
    int cursor_row; /* where it is to stand; negative: hidden */
    int cursor_column;
    int at_row; /* where it stands */
    int at_column;
    bool is_cursor_shown;
    bool is_coloured;     /* else not even the colours of before are told */
    bool has_hard_corner; /* see fits */
    bool is_dirty;        /* something differs from what the terminal shows ... */
    bool needs_whole;     /* ... by more than patches */
    bool needs_clear;     /* ... or nobody knows what it shows */
    bool is_beeping;
    char rescue[SCREEN_RESCUE];
    size_t rescue_length;
};

/* No capability of terminfo's own names bracketed paste. Where there are two screens the terminal
 * is of a kind that knows it, or at least knows to ignore it. */
static const char paste_on[] = "\033[?2004h";
static const char paste_off[] = "\033[?2004l";

/* A character with the marks on it. */
struct glyph {
    wchar_t text[CCHARW_MAX + 1];
    int width;
};

struct look {
    attr_t attributes;
    attr_t bare;     /* added where there are no colours */
    attr_t few_more; /* added where there are few */
    short few;       /* the colour of 8; black is none */
    short many;      /* the colour of 256 */
};

static const struct look looks[ROW_STYLES] = {
    [ROW_DIM] = {.attributes = A_DIM},
    [ROW_STRONG] = {.attributes = A_BOLD},
    [ROW_BAR] = {.attributes = A_REVERSE},
    [ROW_MARK] = {.attributes = A_REVERSE | A_BOLD}, /* standout is italics on some */
    [ROW_GOOD] = {.few = COLOR_GREEN, .many = COLOR_GREEN},
    [ROW_BAD] = {.few = COLOR_RED, .many = COLOR_RED, .bare = A_BOLD},
    [ROW_BUSY] = {.few = COLOR_YELLOW, .many = COLOR_YELLOW},
    [ROW_CHANNEL + 0] = {.few = COLOR_CYAN, .many = 38},
    [ROW_CHANNEL + 1] = {.few = COLOR_MAGENTA, .many = 170},
    [ROW_CHANNEL + 2] = {.few = COLOR_BLUE, .many = 172, .few_more = A_BOLD},
    [ROW_CHANNEL + 3] = {.few = COLOR_CYAN, .many = 105, .few_more = A_BOLD},
    [ROW_CHANNEL + 4] = {.few = COLOR_MAGENTA, .many = 73, .few_more = A_BOLD},
    [ROW_CHANNEL + 5] = {.few = COLOR_BLUE, .many = 137},
};

/* ---- what the terminal can do ---- */

/* Returns what terminfo(5) has under NAME for the current terminal, or NULL. */
static const char *capability(const char *name)
{
    const char *value = tigetstr(name);

    return value == (const char *)-1 ? NULL : value;
}

/* Adds a capability without its delays, `$<5>`: they were for terminals that could not keep up. */
static void add_capability(struct text *text, const char *value)
{
    while (value && *value) {
        size_t n = strcspn(value, "$");

        text_add(text, "%.*s", (int)n, value);
        value += n;
        if (value[0] == '$' && value[1] == '<' && strchr(value, '>'))
            value = strchr(value, '>') + 1;
        else if (*value)
            text_add(text, "%c", *value++);
    }
}

static const char *find_obstacle(void)
{
    const char *name = getenv("TERM");
    int found;

    if (!name || !*name)
        return "TERM is not set";
    if (setupterm(NULL, STDOUT_FILENO, &found) != OK && found < 0)
        return "there is no terminfo database";
    if (!cur_term)
        return "TERM names a terminal that terminfo does not know";
    if (!capability("cup") || !capability("clear"))
        return "the terminal that TERM names cannot move its cursor";
    return NULL;
}

bool screen_is_possible(const char **why)
{
    TERMINAL *before = set_curterm(NULL);
    const char *obstacle = find_obstacle();

    if (cur_term)
        del_curterm(cur_term);
    set_curterm(before);
    if (why)
        *why = obstacle;
    return !obstacle;
}

/* ---- signals, which ncurses is to leave alone ---- */

static const int meddled[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};

struct dispositions {
    sigset_t mask;
    struct sigaction actions[COUNT(meddled)];
};

static void do_nothing(int signo)
{
    (void)signo;
}

/* What comes meanwhile waits until the handlers are back. The one for SIGTSTP is what newterm has
 * to find. */
static void hold_signals(struct dispositions *before)
{
    struct sigaction nothing = {.sa_handler = do_nothing};
    sigset_t mask;

    sigemptyset(&mask);
    for (size_t i = 0; i < COUNT(meddled); i++)
        sigaddset(&mask, meddled[i]);
    sigprocmask(SIG_BLOCK, &mask, &before->mask);
    for (size_t i = 0; i < COUNT(meddled); i++)
        sigaction(meddled[i], NULL, &before->actions[i]);
    sigaction(SIGTSTP, &nothing, NULL);
}

static void release_signals(const struct dispositions *before)
{
    for (size_t i = 0; i < COUNT(meddled); i++)
        sigaction(meddled[i], &before->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* ---- the file in memory ---- */

static FILE *memory_open(void)
{
#ifdef HAVE_MEMFD_CREATE
    int fd = memfd_create("pollspin screen", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

    if (!file && fd >= 0)
        close(fd);
    return file;
#else
    FILE *file = tmpfile();

    if (file)
        fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
    return file;
#endif
}

/* The limit on files is one for those in memory too, and behind what was read there must be room
 * for a frame. */
static off_t memory_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur / 2 > SCREEN_FILE_MAX)
        return SCREEN_FILE_MAX;
    return (off_t)(limit.rlim_cur / 2);
}

static int memory_rewind(struct screen *screen)
{
    int fd = fileno(screen->file);

    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    screen->read = 0;
    return 0;
}

static int memory_grow(struct screen *screen)
{
    char *bytes = realloc(screen->bytes, 2 * screen->capacity);

    if (!bytes)
        return -1;
    screen->bytes = bytes;
    screen->capacity *= 2;
    return 0;
}

/* Reads what was added since the last time into screen->bytes, and says in *N how much that is. */
static int memory_read(struct screen *screen, size_t *n)
{
    size_t length = 0;

    for (;;) {
        ssize_t got = pread(fileno(screen->file), screen->bytes + length, screen->capacity - length,
                            screen->read + (off_t)length);

        if (got < 0 && errno != EINTR)
            return -1;
        length += got < 0 ? 0 : (size_t)got;
        if (got >= 0 && length < screen->capacity)
            break;
        if (length == screen->capacity && memory_grow(screen) < 0)
            return -1;
    }
    *n = length;
    screen->read += (off_t)length;
    return screen->read < screen->max ? 0 : memory_rewind(screen);
}

/* ---- characters and cells ---- */

/* Reads one character of N bytes, n > 0; what is none, or cannot be shown, is a question mark.
 * Returns how many bytes it has. */
static size_t character_read(const char *bytes, size_t n, wchar_t *c)
{
    mbstate_t state;
    size_t used;

    memset(&state, 0, sizeof state);
    used = mbrtowc(c, bytes, n, &state);
    if (used == 0 || used > n) {
        *c = L'?';
        return 1;
    }
    if (wcwidth(*c) < 0)
        *c = L'?';
    return used;
}

/* ASCII means itself in every encoding, where no character is open, and has no marks. */
static bool is_ascii(char c)
{
    return c >= ' ' && c <= '~';
}

/* Reads a character and the marks on it, as many as ncurses can hold; more are left out. One that
 * stands on nothing has no width. Returns how many bytes they have. */
static size_t glyph_read(const char *bytes, size_t n, struct glyph *glyph)
{
    size_t used;
    size_t count = 1;

    if (is_ascii(bytes[0]) && (n == 1 || is_ascii(bytes[1]))) {
        *glyph = (struct glyph){.text = {(wchar_t)bytes[0]}, .width = 1};
        return 1;
    }
    used = character_read(bytes, n, &glyph->text[0]);
    glyph->width = wcwidth(glyph->text[0]);
    while (used < n) {
        wchar_t mark;
        size_t more = character_read(bytes + used, n - used, &mark);

        if (wcwidth(mark) != 0)
            break;
        if (count < CCHARW_MAX)
            glyph->text[count++] = mark;
        used += more;
    }
    glyph->text[count] = L'\0';
    return used;
}

static void set_cell(const struct screen *screen, cchar_t *cell, const wchar_t *text,
                     enum row_style style)
{
    setcchar(cell, text, screen->attributes[style], screen->pairs[style], NULL);
}

/* Whether a glyph fits into row AT from COLUMN on. Where the terminal might scroll after its last
 * cell, ncurses writes that by inserting the one before it, which goes wrong with wide ones. */
static bool fits(const struct screen *screen, int at, int column, int width)
{
    bool is_hard = width > 1 && at == screen->rows - 1 && screen->has_hard_corner;

    return column + width <= screen->columns - (is_hard ? 2 : 0);
}

/* Makes the cells of row AT, one each for a wide character too, and blanks up to the right edge.
 * Returns how many. */
static int compose_cells(struct screen *screen, int at)
{
    const struct row *row = &screen->lines[at].content;
    struct glyph glyph;
    size_t span = 0;
    int column = 0;
    int count = 0;

    for (size_t i = 0; i < row->length;) {
        size_t n = glyph_read(row->bytes + i, row->length - i, &glyph);

        if (!fits(screen, at, column, glyph.width))
            break;
        while (span + 1 < row->span_count && i >= row->spans[span].end)
            span++;
        if (glyph.width > 0)
            set_cell(screen, &screen->cells[count++], glyph.text, row->spans[span].style);
        column += glyph.width;
        i += n;
    }
    for (; column < screen->columns; column++)
        set_cell(screen, &screen->cells[count++], L" ", ROW_PLAIN);
    return count;
}

/* ---- what a row differs in ---- */

/* The style of the bytes from FROM to END, or ROW_STYLES where they have several. */
static enum row_style style_of(const struct row *row, size_t from, size_t end)
{
    size_t span = 0;

    while (span + 1 < row->span_count && from >= row->spans[span].end)
        span++;
    return end <= row->spans[span].end ? row->spans[span].style : ROW_STYLES;
}

/* Widens the patch of LINE by a glyph of N bytes at byte I. */
static void patch_add(struct screen_row *line, size_t i, size_t n, int column)
{
    if (line->change == ROW_SHOWN || i < line->from) {
        line->from = i;
        line->column = column;
    }
    if (line->change == ROW_SHOWN || i + n > line->end)
        line->end = i + n;
    line->change = ROW_PATCHED;
}

/* Makes the patch of LINE, or widens it, so that it shows CONTENT. Returns whether that is one. The
 * last columns are left to ncurses, which knows what each terminal does there. */
static bool patch_make(struct screen_row *line, const struct row *content, int columns)
{
    int column = 0;

    if (line->change == ROW_STALE || !row_is_same_shape(&line->content, content))
        return false;
    for (size_t i = 0; i < content->length;) {
        struct glyph was;
        struct glyph is;
        size_t n = glyph_read(content->bytes + i, content->length - i, &is);

        if (glyph_read(line->content.bytes + i, content->length - i, &was) != n ||
            was.width != is.width)
            return false;
        if (memcmp(line->content.bytes + i, content->bytes + i, n) != 0) {
            patch_add(line, i, n, column);
            if (is.width == 0 || column + is.width >= columns - 2 ||
                line->end - line->from > SCREEN_FEW)
                return false;
        }
        column += is.width;
        i += n;
    }
    return line->change == ROW_PATCHED && style_of(content, line->from, line->end) == ROW_PLAIN;
}

/* Copies what is used of a row. */
static void row_copy(struct row *to, const struct row *from)
{
    memcpy(to, from, offsetof(struct row, bytes) + from->length);
}

void screen_put(struct screen *screen, int row, const struct row *content)
{
    struct screen_row *line;

    if (row < 0 || row >= screen->rows)
        return;
    line = &screen->lines[row];
    if (row_is_same(&line->content, content))
        return;
    if (!patch_make(line, content, screen->columns)) {
        line->change = ROW_STALE;
        screen->needs_whole = true;
    }
    row_copy(&line->content, content);
    screen->is_dirty = true;
}

/* ---- patches ---- */

struct pen {
    struct text text;
    int row;
    int column;
};

/* Goes to a column of the row: by the carriage return, or by its number. */
static void pen_to_column(struct pen *pen, int column)
{
    if (column == pen->column)
        return;
    if (column == 0)
        text_add(&pen->text, "\r");
    else
        add_capability(&pen->text, tiparm(column_address, column));
    pen->column = column;
}

/* Goes one row up or down, if that is what it takes. A reverse index is what ESC M means, and
 * shorter than cuu1; there is no scrolling, as there is a row to go to. */
static bool pen_step(struct pen *pen, int row)
{
    bool has_index = scroll_reverse && strncmp(scroll_reverse, "\033M", 2) == 0;

    if (!column_address || abs(row - pen->row) > 1)
        return false;
    if ((row < pen->row && !has_index) || (row > pen->row && !cursor_down))
        return false;
    if (row < pen->row)
        text_add(&pen->text, "\033M");
    else if (row > pen->row)
        add_capability(&pen->text, cursor_down);
    pen->row = row;
    return true;
}

static void pen_go(struct pen *pen, int row, int column)
{
    if (pen_step(pen, row)) {
        pen_to_column(pen, column);
        return;
    }
    add_capability(&pen->text, tiparm(cursor_address, row, column));
    pen->row = row;
    pen->column = column;
}

/* What is written is what was read, character by character, so nothing unseen slips through. */
static void pen_write(struct pen *pen, const struct glyph *glyph)
{
    char bytes[MB_LEN_MAX];
    mbstate_t state;

    memset(&state, 0, sizeof state);
    for (const wchar_t *c = glyph->text; *c; c++) {
        size_t n = wcrtomb(bytes, *c, &state);

        if (n <= sizeof bytes)
            text_add(&pen->text, "%.*s", (int)n, bytes);
    }
    pen->column += glyph->width;
}

/* Draws the patch of a row, and tells ncurses: stdscr holds what is wanted, curscr what is shown.
 */
static void patch_draw(struct screen *screen, int row, struct pen *pen)
{
    struct screen_row *line = &screen->lines[row];
    struct glyph glyph;
    int count = 0;

    pen_go(pen, row, line->column);
    for (size_t i = line->from; i < line->end;) {
        i += glyph_read(line->content.bytes + i, line->end - i, &glyph);
        set_cell(screen, &screen->cells[count++], glyph.text, ROW_PLAIN);
        pen_write(pen, &glyph);
    }
    mvadd_wchnstr(row, line->column, screen->cells, count);
    mvwadd_wchnstr(curscr, row, line->column, screen->cells, count);
    line->change = ROW_SHOWN;
}

/* Writes all patches into screen->bytes, which has room for one a row. */
static size_t draw_patches(struct screen *screen)
{
    struct pen pen = {.row = screen->at_row, .column = screen->at_column};

    text_init(&pen.text, screen->bytes, screen->capacity);
    for (int row = 0; row < screen->rows; row++)
        if (screen->lines[row].change == ROW_PATCHED)
            patch_draw(screen, row, &pen);
    pen_go(&pen, screen->at_row, screen->at_column);
    assert(!text_is_cut(&pen.text));
    return pen.text.length;
}

/* ---- frames ---- */

/* Has ncurses write what it has been told. It says nothing of a write(2) that failed, and tries no
 * other: errno is all that is left of it. */
static int write_frame(void)
{
    errno = 0;
    if (wnoutrefresh(stdscr) == ERR || doupdate() == ERR)
        errno = EIO;
    return errno == EIO || errno == EFBIG || errno == ENOSPC || errno == EDQUOT ? -1 : 0;
}

static int at_most(int value, int limit)
{
    return value < limit ? value : limit;
}

static void place_cursor(struct screen *screen)
{
    bool is_shown = screen->cursor_row >= 0;

    if (is_shown) {
        screen->at_row = screen->cursor_row;
        screen->at_column = screen->cursor_column < 0 ? 0 : screen->cursor_column;
    }
    screen->at_row = at_most(screen->at_row, screen->rows - 1);
    screen->at_column = at_most(screen->at_column, screen->columns - 1);
    move(screen->at_row, screen->at_column);
    if (is_shown != screen->is_cursor_shown)
        curs_set(is_shown);
    screen->is_cursor_shown = is_shown;
}

/* Returns what sets the margins to the whole screen, whatever its size is by now: a frame that was
 * under way when that changed has set those of before. */
static const char *full_margins(void)
{
    bool has_usual = change_scroll_region && strncmp(change_scroll_region, "\033[", 2) == 0;

    return has_usual ? "\033[r" : "";
}

static int write_margins(const struct screen *screen)
{
    const char *margins = full_margins();
    ssize_t n = (ssize_t)strlen(margins);
    ssize_t written;

    do
        written = write(fileno(screen->file), margins, (size_t)n);
    while (written < 0 && errno == EINTR);
    if (written >= 0 && written < n)
        errno = ENOSPC;
    return written == n ? 0 : -1;
}

/* Has ncurses draw all that has changed. */
static int draw_whole(struct screen *screen, size_t *n)
{
    for (int row = 0; row < screen->rows; row++)
        if (screen->lines[row].change != ROW_SHOWN) {
            int count = compose_cells(screen, row);

            mvadd_wchnstr(row, 0, screen->cells, count);
            screen->lines[row].change = ROW_SHOWN;
        }
    place_cursor(screen);
    if (screen->is_beeping)
        beep();
    if (screen->needs_clear) {
        clearok(curscr, TRUE);
        if (write_margins(screen) < 0)
            return -1;
    }
    return write_frame() < 0 ? -1 : memory_read(screen, n);
}

const char *screen_frame(struct screen *screen, size_t *n)
{
    *n = 0;
    if (!screen->is_dirty)
        return screen->bytes;
    set_term(screen->handle);
    if (!screen->needs_whole) {
        *n = draw_patches(screen);
    } else if (draw_whole(screen, n) < 0) {
        screen_redraw(screen);
        return NULL;
    }
    screen->is_dirty = screen->needs_whole = screen->needs_clear = screen->is_beeping = false;
    return screen->bytes;
}

static void screen_need(struct screen *screen, bool *what)
{
    *what = true;
    screen->is_dirty = screen->needs_whole = true;
}

void screen_cursor(struct screen *screen, int row, int column)
{
    if (row == screen->cursor_row && column == screen->cursor_column)
        return;
    screen->cursor_row = row;
    screen->cursor_column = column;
    screen->is_dirty = screen->needs_whole = true;
}

void screen_redraw(struct screen *screen)
{
    screen_need(screen, &screen->needs_clear);
}

void screen_beep(struct screen *screen)
{
    screen_need(screen, &screen->is_beeping);
}

/* ---- from beginning to end ---- */

const char *screen_begin(struct screen *screen, size_t *n)
{
    struct text text;

    set_term(screen->handle);
    text_init(&text, screen->bytes, screen->capacity);
    add_capability(&text, enter_ca_mode);
    if (enter_ca_mode)
        text_add(&text, "%s", paste_on);
    add_capability(&text, exit_attribute_mode);
    if (!screen->is_cursor_shown)
        add_capability(&text, cursor_invisible);
    screen_redraw(screen);
    *n = text.length;
    return screen->bytes;
}

const char *screen_end(struct screen *screen, size_t *n)
{
    struct text text;

    set_term(screen->handle);
    text_init(&text, screen->bytes, screen->capacity);
    text_add(&text, "%s", full_margins());
    add_capability(&text, exit_attribute_mode);
    if (screen->is_coloured)
        add_capability(&text, orig_pair);
    add_capability(&text, cursor_normal);
    if (enter_ca_mode) {
        text_add(&text, "%s", paste_off);
        add_capability(&text, exit_ca_mode);
    } else {
        add_capability(&text, tiparm(cursor_address, screen->rows - 1, 0));
        text_add(&text, "\r\n");
    }
    *n = text.length;
    return screen->bytes;
}

/* The bytes may come in the middle of a sequence, which the first ESC ends, of an insertion, or of
 * a scroll; and at any size, so the margins are reset without their numbers. */
static void make_rescue(struct screen *screen)
{
    struct text text;

    text_init(&text, screen->rescue, sizeof screen->rescue);
    text_add(&text, "%s", full_margins());
    add_capability(&text, exit_insert_mode);
    add_capability(&text, enter_am_mode);
    add_capability(&text, exit_attribute_mode);
    if (screen->is_coloured)
        add_capability(&text, orig_pair);
    add_capability(&text, cursor_normal);
    add_capability(&text, keypad_local);
    if (enter_ca_mode) {
        text_add(&text, "%s", paste_off);
        add_capability(&text, exit_ca_mode);
    } else {
        add_capability(&text, tiparm(cursor_address, SCREEN_MAX - 2, 0));
        text_add(&text, "\r\n");
    }
    screen->rescue_length = strlen(screen->rescue);
}

const char *screen_rescue(const struct screen *screen, size_t *n)
{
    *n = screen->rescue_length;
    return screen->rescue;
}

/* ---- styles ---- */

static void set_colour(struct screen *screen, enum row_style style, bool has_default)
{
    const struct look *look = &looks[style];
    bool has_many = COLORS >= 256;
    short colour = has_many ? look->many : look->few;

    if (style == ROW_DIM && !enter_dim_mode && COLORS >= 16)
        colour = 8 + COLOR_BLACK;
    if (colour == 0 || init_pair((short)style, colour, has_default ? -1 : COLOR_BLACK) == ERR)
        return;
    screen->pairs[style] = (short)style;
    if (!has_many)
        screen->attributes[style] |= look->few_more;
}

/* Without start_color ncurses knows of no colours: that is how NO_COLOR is obeyed. */
static void set_styles(struct screen *screen, bool has_colour)
{
    bool has_default;

    screen->is_coloured = has_colour && has_colors() && start_color() == OK && COLORS >= 8;
    has_default = screen->is_coloured && use_default_colors() == OK;
    for (int style = 0; style < ROW_STYLES; style++) {
        screen->attributes[style] = looks[style].attributes;
        if (screen->is_coloured)
            set_colour(screen, (enum row_style)style, has_default);
        else
            screen->attributes[style] |= looks[style].bare;
    }
}

/* ---- the outside ---- */

/* Drops what newterm and the first doupdate have written: the other screen is not taken here. */
static int drop_greeting(struct screen *screen)
{
    size_t n;

    return write_frame() < 0 ? -1 : memory_read(screen, &n);
}

/* Opens the terminal for ncurses, at any size: not that of the environment, and of the two other
 * sources that may be asked one is always silent, since a file in memory has none. */
static int screen_start(struct screen *screen, bool has_colour)
{
    struct dispositions before;

    use_env(FALSE);
    use_tioctl(TRUE);
    hold_signals(&before);
    screen->handle = newterm(NULL, screen->file, screen->file);
    release_signals(&before);
    if (!screen->handle) {
        errno = ENOTSUP;
        return -1;
    }
    typeahead(-1);
    nonl();
    idlok(stdscr, TRUE);
    set_styles(screen, has_colour);
    screen->is_cursor_shown = true;
    screen->has_hard_corner = auto_right_margin && !(enter_am_mode && exit_am_mode);
    make_rescue(screen);
    return drop_greeting(screen);
}

struct screen *screen_open(int rows, int columns, bool has_colour)
{
    struct screen *screen;
    int error;

    if (!screen_is_possible(NULL)) {
        errno = ENOTSUP;
        return NULL;
    }
    screen = calloc(1, sizeof *screen);
    if (!screen)
        return NULL;
    screen->capacity = SCREEN_BYTES;
    screen->bytes = malloc(screen->capacity);
    screen->file = memory_open();
    screen->max = memory_max();
    if (screen->bytes && screen->file && screen_start(screen, has_colour) == 0 &&
        screen_resize(screen, rows, columns) == 0)
        return screen;
    error = errno;
    screen_close(screen);
    errno = error;
    return NULL;
}

void screen_close(struct screen *screen)
{
    struct dispositions before;

    if (!screen)
        return;
    if (screen->handle) {
        hold_signals(&before);
        set_term(screen->handle);
        endwin();
        delscreen(screen->handle);
        release_signals(&before);
    }
    if (screen->file)
        fclose(screen->file);
    free(screen->bytes);
    free(screen->lines);
    free(screen->cells);
    free(screen);
}

/* Makes room for rows of their size, with nothing on them, and for a patch of each. */
static int screen_allocate(struct screen *screen, int rows, int columns)
{
    struct screen_row *lines = calloc((size_t)rows, sizeof *lines);
    cchar_t *cells = calloc((size_t)columns, sizeof *cells);

    while (lines && cells && screen->capacity < (size_t)(rows + 1) * SCREEN_PATCH_MAX)
        if (memory_grow(screen) < 0)
            break;
    if (!lines || !cells || screen->capacity < (size_t)(rows + 1) * SCREEN_PATCH_MAX) {
        free(lines);
        free(cells);
        errno = ENOMEM;
        return -1;
    }
    free(screen->lines);
    free(screen->cells);
    screen->lines = lines;
    screen->cells = cells;
    return 0;
}

int screen_resize(struct screen *screen, int rows, int columns)
{
    assert(rows >= 1 && rows <= SCREEN_MAX && columns >= 1 && columns <= SCREEN_MAX);
    set_term(screen->handle);
    if (resize_term(rows, columns) == ERR) {
        errno = ENOMEM;
        return -1;
    }
    if (screen_allocate(screen, rows, columns) < 0)
        return -1;
    screen->rows = rows;
    screen->columns = columns;
    erase();
    screen_redraw(screen);
    return 0;
}

/* ---- keys ---- */

static const struct {
    const char *name;
    enum keys_key key;
} told[] = {
    {"kcuu1", KEYS_UP},         {"kcud1", KEYS_DOWN},      {"kcuf1", KEYS_RIGHT},
    {"kcub1", KEYS_LEFT},       {"khome", KEYS_HOME},      {"kend", KEYS_END},
    {"kich1", KEYS_INSERT},     {"kdch1", KEYS_DELETE},    {"kpp", KEYS_PAGE_UP},
    {"knp", KEYS_PAGE_DOWN},    {"kcbt", KEYS_BACKTAB},    {"kLFT5", KEYS_WORD_LEFT},
    {"kRIT5", KEYS_WORD_RIGHT}, {"kLFT3", KEYS_WORD_LEFT}, {"kRIT3", KEYS_WORD_RIGHT},
    {"kHOM5", KEYS_TO_TOP},     {"kEND5", KEYS_TO_BOTTOM},
};

static void tell_key(struct keys *decoder, const char *name, enum keys_key key)
{
    const char *bytes = capability(name);

    if (bytes)
        keys_learn(decoder, key, bytes);
}

void screen_tell_keys(const struct screen *screen, struct keys *decoder)
{
    char name[16];

    set_term(screen->handle);
    for (size_t i = 0; i < COUNT(told); i++)
        tell_key(decoder, told[i].name, told[i].key);
    for (int i = 1; i <= 12; i++) {
        snprintf(name, sizeof name, "kf%d", i);
        tell_key(decoder, name, (enum keys_key)(KEYS_F1 + i - 1));
    }
}
