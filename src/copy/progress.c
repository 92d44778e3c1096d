/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame is made in two passes over the streams that are shown: one finds how wide each column has
 * to be, the other writes the lines; what a cell says is found anew in each, so that nothing has to
 * be kept. Columns have a least width, that of what they usually hold, so that a frame does not
 * tremble when a number becomes shorter.
 *
 * A rate is an exponential average. Its weight for a look after dt is dt / 3 s, and while the
 * stream is younger than that dt / age, which makes it the plain mean: it does not have to climb up
 * from zero, and does not depend on how often there is a look.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sanitize.h"
#include "copy/progress.h"

enum {
    PLACE_BYTES = 256, /* of the name of a place that are shown; a longer one is cut before */
    NAME_BYTES = 3 * SANITIZE_GROWTH * (PLACE_BYTES + 16),
    CELL_BYTES = 64,
    NAME_LEAST = 8, /* columns */
    BAR_LEAST = 10,
    BAR_MOST = 34,
    GAP = 2
};

static const int64_t smooth_ns = 3 * CLOCK_SECOND;
static const int64_t steady_ns = 2 * CLOCK_SECOND; /* a younger rate foretells nothing */
static const int64_t stalled_ns = CLOCK_SECOND;
static const double left_most_s = 100 * 3600.0;
static const char ellipsis[] = "...";

/* ---- numbers for people ---- */

/* Three digits that count, and four where there is no shorter way: 1023 KiB. */
void progress_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;
    int decimals;

    if (bytes < 1024) {
        snprintf(text, size, "%" PRIu64 " B", bytes);
        return;
    }
    for (; value >= 1023.5; value /= 1024)
        unit++;
    decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text, size, "%.*f %s", decimals, value, units[unit]);
}

void progress_time(int64_t ns, char *text, size_t size)
{
    int64_t s = ns / CLOCK_SECOND;

    if (s < 3600)
        snprintf(text, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else
        snprintf(text, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
}

/* ---- rates ---- */

int progress_init(struct progress *progress, size_t streams, int64_t now)
{
    *progress = (struct progress){.count = streams};
    progress->rates = calloc(streams + 1, sizeof *progress->rates);
    if (!progress->rates)
        return -1;
    for (size_t i = 0; i <= streams; i++)
        progress->rates[i] = (struct progress_rate){.since = now, .moved = now, .at = now};
    return 0;
}

void progress_fini(struct progress *progress)
{
    free(progress->rates);
    *progress = (struct progress){0};
}

static void rate_note(struct progress_rate *rate, uint64_t bytes, int64_t now)
{
    int64_t passed = now - rate->at;
    uint64_t news = bytes > rate->bytes ? bytes - rate->bytes : 0;
    int64_t span;

    if (passed <= 0)
        return;
    if (rate->bytes == 0)
        rate->since = rate->at;
    if (news > 0)
        rate->moved = now;
    rate->at = now;
    rate->bytes = bytes;
    span = now - rate->since < smooth_ns ? now - rate->since : smooth_ns;
    if (span < passed)
        span = passed;
    rate->rate += (double)passed / (double)span *
                  ((double)news * (double)CLOCK_SECOND / (double)passed - rate->rate);
}

void progress_note(struct progress *progress, const struct copy_view *views, uint64_t total,
                   int64_t now)
{
    for (size_t i = 0; i < progress->count; i++)
        rate_note(&progress->rates[i], views[i].copied, now);
    rate_note(&progress->rates[progress->count], total, now);
}

/* ---- one line, as it is to be seen ---- */

struct line {
    const char *source; /* NULL: it is not repeated */
    const char *dest;
    enum copy_state state;
    uint64_t copied;
    uint64_t done; /* of SIZE: of a total not what was written, where a stream has failed */
    int64_t size;
    uint64_t queued;
    uint64_t bound;
    uint64_t dropped;
    size_t failures; /* of a total */
    size_t stopped;  /* ... */
    int64_t whole;   /* ... the size of all, also of what has ended before its end */
    double rate;
    bool is_stalled;
    bool is_steady; /* the rate says when it will be done */
};

static bool has_ended(enum copy_state state)
{
    return state >= COPY_COMPLETE;
}

static struct line line_of(const struct progress *progress, const struct copy_view *views, size_t i,
                           int64_t now)
{
    const struct copy_view *view = &views[i];
    const struct progress_rate *rate = &progress->rates[i];
    bool is_stalled = view->state == COPY_WAITING && now - rate->moved >= stalled_ns;

    return (struct line){
        .source = view->source,
        .dest = view->dest,
        .state = view->state,
        .copied = view->copied,
        .done = view->copied,
        .size = view->size,
        .queued = view->queued,
        .bound = view->bound,
        .dropped = view->dropped,
        .rate = rate->rate,
        .is_stalled = is_stalled,
        .is_steady = (view->state == COPY_RUNNING || view->state == COPY_WAITING) && !is_stalled &&
                     now - rate->since >= steady_ns,
    };
}

static int64_t sum_of_sizes(int64_t a, int64_t b)
{
    return a < 0 || b < 0 || b > INT64_MAX - a ? -1 : a + b;
}

/* Nobody knows the size of all where that of one is unknown. What has ended is not waited for: its
 * size is what it has done. */
static void total_add(struct line *total, const struct line *line)
{
    bool is_over = has_ended(line->state);
    int64_t size = is_over ? (int64_t)line->copied : line->size;

    total->dropped += line->dropped;
    total->done += line->copied;
    total->failures += line->state == COPY_FAILED;
    total->stopped += line->state == COPY_STOPPED;
    total->is_steady &= is_over || line->is_steady;
    if (!is_over)
        total->state = COPY_RUNNING;
    total->size = sum_of_sizes(total->size, line->size < 0 ? -1 : size);
    total->whole = sum_of_sizes(total->whole, line->size);
}

static struct line line_of_total(const struct progress *progress, const struct copy_view *views,
                                 uint64_t bytes, int64_t now)
{
    const struct progress_rate *rate = &progress->rates[progress->count];
    struct line total = {.dest = "total",
                         .state = COPY_COMPLETE,
                         .copied = bytes,
                         .rate = rate->rate,
                         .is_steady = now - rate->since >= steady_ns};

    for (size_t i = 0; i < progress->count; i++) {
        struct line line = line_of(progress, views, i, now);

        total_add(&total, &line);
    }
    if (total.state == COPY_COMPLETE && total.failures + total.stopped > 0) {
        total.state = total.failures > 0 ? COPY_FAILED : COPY_STOPPED;
        total.size = total.whole;
    }
    return total;
}

/* ---- names ---- */

static size_t show(const char *bytes, size_t n, char *out)
{
    struct sanitize sanitize;
    size_t length;

    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, bytes, n, out);
    return length + sanitize_end(&sanitize, out + length);
}

static size_t show_place(const char *name, char *out)
{
    size_t n = strlen(name);
    size_t length;

    if (n <= PLACE_BYTES)
        return show(name, n, out);
    length = show(name, PLACE_BYTES / 2, out);
    length += show(ellipsis, strlen(ellipsis), out + length);
    return length + show(name + n - PLACE_BYTES / 2, PLACE_BYTES / 2, out + length);
}

/* OUT has NAME_BYTES. Returns the length. */
static size_t show_name(const struct line *line, char *out)
{
    static const char arrow[] = " -> ";
    size_t length = 0;

    if (line->source)
        length += show_place(line->source, out);
    if (line->source && line->dest)
        length += show(arrow, strlen(arrow), out + length);
    if (line->dest)
        length += show_place(line->dest, out + length);
    return length;
}

/* Returns where the end of N shown bytes begins that takes at most COLUMNS of their WIDTH. */
static size_t find_tail(const char *shown, size_t n, size_t width, size_t columns)
{
    size_t skipped = sanitize_fit(shown, n, width - columns);

    if (sanitize_width(shown, skipped) < width - columns) /* a wide character stands there */
        skipped += sanitize_fit(shown + skipped, n - skipped, 2);
    return skipped;
}

/* Adds N shown bytes, cut in the middle where they are wider than COLUMNS. Returns their width. */
static size_t add_cut(struct text *text, const char *shown, size_t n, size_t columns)
{
    size_t width = sanitize_width(shown, n);
    size_t dots = strlen(ellipsis);
    size_t head = n, tail = n;

    if (width > columns && columns > dots + 1) {
        tail = find_tail(shown, n, width, (columns - dots + 1) / 2);
        head = sanitize_fit(shown, n, (columns - dots) / 2);
    } else if (width > columns) {
        head = sanitize_fit(shown, n, columns);
        dots = 0;
    }
    text_add(text, "%.*s", (int)head, shown);
    if (width <= columns)
        return width;
    text_add(text, "%.*s%.*s", (int)dots, ellipsis, (int)(n - tail), shown + tail);
    return sanitize_width(shown, head) + dots + sanitize_width(shown + tail, n - tail);
}

/* ---- cells ---- */

enum column { NAME, BAR, PERCENT, STATE, BRIEF, BYTES, RATE, NOTES, NOTE, COLUMN_COUNT };

/* The cells of one line but the name and the bar, which depend on the room. */
typedef void cell_fn(const struct line *line, char *text, size_t size);

/* Returns how many of PIECES, at most 1000, PART of WHOLE is; all only where nothing is missing. */
static unsigned share(uint64_t part, uint64_t whole, unsigned pieces)
{
    uint64_t n;

    if (part >= whole)
        return pieces;
    n = whole <= UINT64_MAX / 1000 ? part * pieces / whole : part / (whole / pieces);
    return n < pieces ? (unsigned)n : pieces - 1;
}

static void cell_percent(const struct line *line, char *text, size_t size)
{
    if (line->size >= 0)
        snprintf(text, size, "%u %%", share(line->done, (uint64_t)line->size, 100));
}

static void cell_bytes(const struct line *line, char *text, size_t size)
{
    progress_bytes(line->copied, text, size);
}

/* Says what there is to say in place of a number. */
static void cell_word(const struct line *line, char *text, size_t size)
{
    static const char *const words[] = {
        [COPY_OPENING] = "opening",  [COPY_RUNNING] = "",      [COPY_WAITING] = "",
        [COPY_FINISHING] = "ending", [COPY_COMPLETE] = "done", [COPY_FAILED] = "failed",
        [COPY_STOPPED] = "stopped",
    };

    if (line->failures > 0 && line->state == COPY_FAILED)
        snprintf(text, size, "%zu failed", line->failures);
    else
        snprintf(text, size, "%s", line->is_stalled ? "stalled" : words[line->state]);
}

static void cell_state(const struct line *line, char *text, size_t size)
{
    cell_word(line, text, size);
    if (text[0] == '\0')
        cell_percent(line, text, size);
}

static void cell_brief(const struct line *line, char *text, size_t size)
{
    cell_state(line, text, size);
    if (text[0] == '\0')
        cell_bytes(line, text, size);
}

static void cell_rate(const struct line *line, char *text, size_t size)
{
    char rate[CELL_BYTES];

    cell_word(line, text, size);
    if (text[0] != '\0')
        return;
    progress_bytes((uint64_t)line->rate, rate, sizeof rate);
    snprintf(text, size, "%s/s", rate);
}

static void note_dropped(const struct line *line, char *text, size_t size)
{
    char bytes[CELL_BYTES];

    if (line->dropped == 0)
        return;
    progress_bytes(line->dropped, bytes, sizeof bytes);
    snprintf(text, size, "dropped %s", bytes);
}

static void note_queue(const struct line *line, char *text, size_t size)
{
    if (line->bound > 0 && !has_ended(line->state))
        snprintf(text, size, "queue %u %%", share(line->queued, line->bound, 100));
}

static void note_left(const struct line *line, char *text, size_t size)
{
    char left[CELL_BYTES];
    double s;

    if (!line->is_steady || line->rate < 1 || line->size < 0 || has_ended(line->state))
        return;
    s = line->done < (uint64_t)line->size ? (double)((uint64_t)line->size - line->done) / line->rate
                                          : 0;
    if (s > left_most_s)
        return;
    progress_time((int64_t)((s + 0.99) * (double)CLOCK_SECOND), left, sizeof left);
    snprintf(text, size, "%s left", left);
}

static cell_fn *const notes[] = {note_left, note_queue, note_dropped};

enum { NOTE_COUNT = sizeof notes / sizeof *notes };

static void cell_notes(const struct line *line, char *text, size_t size)
{
    char note[CELL_BYTES];
    struct text all;

    text_init(&all, text, size);
    for (size_t i = 0; i < NOTE_COUNT; i++) {
        note[0] = '\0';
        notes[i](line, note, sizeof note);
        if (note[0] != '\0')
            text_add(&all, "%s%s", all.length > 0 ? "  " : "", note);
    }
}

/* Says the one that matters most. */
static void cell_note(const struct line *line, char *text, size_t size)
{
    for (size_t i = NOTE_COUNT; i-- > 0 && text[0] == '\0';)
        notes[i](line, text, size);
}

/* WIDTH is the least one of a column that has anything in it. */
static const struct {
    cell_fn *cell;
    size_t width;
    bool is_left; /* aligned so */
} columns_of[COLUMN_COUNT] = {
    [PERCENT] = {cell_percent, sizeof "100 %" - 1, false},
    [STATE] = {cell_state, sizeof "stalled" - 1, false},
    [BRIEF] = {cell_brief, sizeof "1023 MiB" - 1, false},
    [BYTES] = {cell_bytes, sizeof "1023 MiB" - 1, false},
    [RATE] = {cell_rate, sizeof "1023 MiB/s" - 1, false},
    [NOTES] = {cell_notes, sizeof "queue 100 %" - 1, true},
    [NOTE] = {cell_note, sizeof "queue 100 %" - 1, true},
};

static void cell_of(const struct line *line, enum column column, char text[CELL_BYTES])
{
    text[0] = '\0';
    columns_of[column].cell(line, text, CELL_BYTES);
}

static void add_blanks(struct text *text, size_t n)
{
    text_add(text, "%*s", (int)n, "");
}

/* Returns the columns it takes. */
static size_t add_bar(struct text *text, const struct line *line, size_t width)
{
    unsigned room = (unsigned)width - 2;
    unsigned filled;

    if (line->size < 0)
        return 0;
    filled = share(line->done, (uint64_t)line->size, room);
    text_add(text, "[");
    for (unsigned i = 0; i < room; i++)
        text_add(text, "%c", i >= filled ? ' ' : i + 1 < filled || filled == room ? '=' : '>');
    text_add(text, "]");
    return width;
}

/* ---- which columns there are, and how wide ---- */

struct layout {
    size_t width[COLUMN_COUNT]; /* 0: it is left out */
    size_t columns;             /* of the terminal */
};

static void layout_measure(struct layout *layout, const struct line *line)
{
    char name[NAME_BYTES];
    char text[CELL_BYTES];
    size_t width = sanitize_width(name, show_name(line, name));

    if (width > layout->width[NAME])
        layout->width[NAME] = width;
    if (line->size >= 0)
        layout->width[BAR] = BAR_LEAST;
    for (enum column column = PERCENT; column < COLUMN_COUNT; column++) {
        cell_of(line, column, text);
        width = strlen(text);
        if (width > 0 && width < columns_of[column].width)
            width = columns_of[column].width;
        if (width > layout->width[column])
            layout->width[column] = width;
    }
}

static size_t layout_needs(const size_t width[COLUMN_COUNT], unsigned wanted)
{
    size_t sum = 0;

    for (enum column column = NAME; column < COLUMN_COUNT; column++)
        if (wanted & 1U << column && width[column] > 0)
            sum += width[column] + (sum > 0 ? GAP : 0);
    return sum;
}

/* The sets of columns from the fullest to the least; the first that fits is taken, with the least
 * of a name and a bar. */
static const unsigned layouts[] = {
    1 << NAME | 1 << BAR | 1 << PERCENT | 1 << BYTES | 1 << RATE | 1 << NOTES,
    1 << NAME | 1 << PERCENT | 1 << BYTES | 1 << RATE | 1 << NOTES,
    1 << NAME | 1 << PERCENT | 1 << BYTES | 1 << RATE | 1 << NOTE,
    1 << NAME | 1 << STATE | 1 << BYTES | 1 << NOTE,
    1 << NAME | 1 << STATE | 1 << BYTES,
    1 << NAME | 1 << BRIEF,
    1 << BRIEF,
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void layout_choose(struct layout *layout)
{
    size_t last = sizeof layouts / sizeof *layouts - 1;
    size_t i = 0;

    while (i < last && layout_needs(layout->width, layouts[i]) > layout->columns)
        i++;
    for (enum column column = NAME; column < COLUMN_COUNT; column++)
        if (!(layouts[i] & 1U << column))
            layout->width[column] = 0;
    if (i == last)
        layout->width[BRIEF] = least(layout->width[BRIEF], layout->columns);
}

/* Widens COLUMN up to MOST out of *ROOM. */
static void layout_widen(struct layout *layout, enum column column, size_t most, size_t *room)
{
    size_t has = layout->width[column];
    size_t more = has > 0 && has < most ? least(most - has, *room) : 0;

    layout->width[column] += more;
    *room -= more;
}

/* Gives out the room that is left: to the name up to two fifths of the line, to the bar, to the
 * name. */
static void layout_fit(struct layout *layout)
{
    size_t name = layout->width[NAME];
    size_t quarter = layout->columns / 4;
    size_t room;

    layout->width[NAME] = least(name, quarter > NAME_LEAST ? quarter : NAME_LEAST);
    layout_choose(layout);
    room = layout->columns - layout_needs(layout->width, ~0U);
    layout_widen(layout, NAME, least(name, layout->columns * 2 / 5), &room);
    layout_widen(layout, BAR, BAR_MOST, &room);
    layout_widen(layout, NAME, name, &room);
}

/* ---- lines ---- */

static void add_cell(struct text *text, const struct layout *layout, const struct line *line,
                     enum column column, size_t *blanks)
{
    size_t width = layout->width[column];
    char cell[CELL_BYTES];
    size_t length;

    cell_of(line, column, cell);
    length = least(strlen(cell), width);
    if (!columns_of[column].is_left)
        *blanks += width - length;
    if (length == 0)
        return;
    add_blanks(text, *blanks);
    text_add(text, "%.*s", (int)length, cell);
    *blanks = 0;
}

/* Blanks are written before what stands behind them: none at the end of a line. */
static void add_line(struct text *text, const struct layout *layout, const struct line *line)
{
    char name[NAME_BYTES];
    size_t blanks = 0;
    size_t taken;

    if (layout->width[NAME] > 0) {
        taken = add_cut(text, name, show_name(line, name), layout->width[NAME]);
        blanks = layout->width[NAME] - taken + GAP;
    }
    if (layout->width[BAR] > 0) {
        if (line->size >= 0) {
            add_blanks(text, blanks);
            blanks = 0;
        }
        blanks += layout->width[BAR] - add_bar(text, line, layout->width[BAR]) + GAP;
    }
    for (enum column column = PERCENT; column < COLUMN_COUNT; column++)
        if (layout->width[column] > 0) {
            add_cell(text, layout, line, column, &blanks);
            blanks += GAP;
        }
}

/* ---- which streams are shown ---- */

enum rank { RANK_RUNNING, RANK_FAILED, RANK_DONE, RANK_COUNT };

static enum rank rank_of(enum copy_state state)
{
    if (!has_ended(state))
        return RANK_RUNNING;
    return state == COPY_COMPLETE ? RANK_DONE : RANK_FAILED;
}

struct frame {
    const struct progress *progress;
    const struct copy_view *views;
    int64_t now;
    size_t shown[RANK_COUNT];  /* how many of each rank, the first ones */
    size_t hidden[RANK_COUNT]; /* ... and how many are not */
    bool has_more;             /* a line says how many are not shown */
    bool has_total;
    bool is_one_source;
    bool is_one_dest;
    struct line total;
};

static void frame_choose(struct frame *frame, size_t rows)
{
    size_t count = frame->progress->count;
    size_t room = rows;

    for (size_t i = 0; i < count; i++)
        frame->hidden[rank_of(frame->views[i].state)]++;
    frame->has_total = count != 1;
    room -= frame->has_total;
    frame->has_more = room > 1 && count > room;
    room -= frame->has_more;
    for (enum rank rank = RANK_RUNNING; rank < RANK_COUNT; rank++) {
        frame->shown[rank] = least(room, frame->hidden[rank]);
        frame->hidden[rank] -= frame->shown[rank];
        room -= frame->shown[rank];
    }
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void frame_compare(struct frame *frame)
{
    const struct copy_view *views = frame->views;
    size_t count = frame->progress->count;

    frame->is_one_source = frame->is_one_dest = count > 1;
    for (size_t i = 1; i < count; i++) {
        frame->is_one_source &= is_same(views[0].source, views[i].source);
        frame->is_one_dest &= is_same(views[0].dest, views[i].dest);
    }
}

static struct line frame_line(const struct frame *frame, size_t i)
{
    struct line line = line_of(frame->progress, frame->views, i, frame->now);

    if (frame->is_one_source)
        line.source = NULL;
    else if (frame->is_one_dest)
        line.dest = NULL;
    return line;
}

typedef void frame_fn(void *context, const struct line *line);

static void frame_each(const struct frame *frame, frame_fn *fn, void *context)
{
    size_t left[RANK_COUNT];

    memcpy(left, frame->shown, sizeof left);
    for (size_t i = 0; i < frame->progress->count; i++) {
        size_t *rank = &left[rank_of(frame->views[i].state)];

        if (*rank > 0) {
            struct line line = frame_line(frame, i);

            fn(context, &line);
            --*rank;
        }
    }
}

/* ---- the whole ---- */

static void measure_line(void *context, const struct line *line)
{
    layout_measure(context, line);
}

struct writing {
    struct text *text;
    struct layout layout;
    size_t lines;
};

static void begin_line(struct writing *writing)
{
    if (writing->lines++ > 0)
        text_add(writing->text, "\n");
}

static void write_line(void *context, const struct line *line)
{
    struct writing *writing = context;

    begin_line(writing);
    add_line(writing->text, &writing->layout, line);
}

static void more_add(struct text *more, size_t columns, size_t n, const char *what)
{
    char part[CELL_BYTES];

    snprintf(part, sizeof part, "%s%zu %s", more->length > 0 ? ", " : "", n, what);
    if (n > 0 && more->length + strlen(part) <= columns)
        text_add(more, "%s", part);
}

static void write_more(struct writing *writing, const size_t hidden[RANK_COUNT])
{
    size_t columns = writing->layout.columns;
    char text[3 * CELL_BYTES];
    struct text more;

    text_init(&more, text, sizeof text);
    more_add(&more, columns, hidden[RANK_RUNNING] + hidden[RANK_FAILED] + hidden[RANK_DONE],
             "more");
    more_add(&more, columns, hidden[RANK_FAILED], "failed");
    more_add(&more, columns, hidden[RANK_DONE], "done");
    begin_line(writing);
    text_add(writing->text, "%s", text);
}

size_t progress_text(const struct progress *progress, const struct copy_view *views, uint64_t total,
                     int64_t now, size_t rows, size_t columns, struct text *text)
{
    struct frame frame = {.progress = progress, .views = views, .now = now};
    struct writing writing = {.text = text, .layout = {.columns = columns}};

    frame_choose(&frame, rows);
    frame_compare(&frame);
    frame.total = line_of_total(progress, views, total, now);
    if (frame.has_total)
        layout_measure(&writing.layout, &frame.total);
    frame_each(&frame, measure_line, &writing.layout);
    layout_fit(&writing.layout);
    frame_each(&frame, write_line, &writing);
    if (frame.has_more)
        write_more(&writing, frame.hidden);
    if (frame.has_total)
        write_line(&writing, &frame.total);
    return writing.lines;
}
