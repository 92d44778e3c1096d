/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing is kept of how lines are wrapped: a line is wrapped when it is looked at, which are those
 * of the window and those that a movement passes. The same code wraps to count rows and to compose
 * them, so the two cannot differ.
 *
 * A place is a line and one of its rows. The unfinished lines are one more line behind the last,
 * with as many rows as they took when they were composed last; between two frames their bytes are
 * not looked at, for they change.
 *
 * Invariant: the window never ends before the last row does, unless it shows all rows. Its lowest
 * place is worked out from the end each time; who stands there follows.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/sanitize.h"
#include "ui/pane.h"
#include "ui/stamp.h"

enum {
    PIECE = 256, /* bytes made visible at once */
    SHOWN = SANITIZE_GROWTH * (PIECE + sizeof((struct sanitize *)NULL)->pending),
};

struct place {
    uint64_t line;
    size_t row;
};

/* ---- a line becomes rows ---- */

struct flow;

/* Is given each row when it is complete; returns whether more are wanted. */
typedef bool flow_row_fn(void *owner, const struct flow *flow);

struct flow {
    struct row row;
    size_t count;  /* rows before this one */
    size_t begins; /* bytes of shown text before this row ... */
    size_t taken;  /* ... and in all so far */
    struct sanitize sanitize;
    flow_row_fn *on_row; /* NULL: rows are only counted */
    void *owner;
    bool is_over;
};

static size_t width(const struct pane *pane)
{
    return pane->columns > 0 ? pane->columns : 1;
}

static void flow_init(struct flow *flow, const struct pane *pane, flow_row_fn *on_row, void *owner)
{
    row_init(&flow->row, width(pane));
    flow->count = flow->begins = flow->taken = 0;
    sanitize_init(&flow->sanitize);
    flow->on_row = on_row;
    flow->owner = owner;
    flow->is_over = false;
}

static void flow_end_row(struct flow *flow)
{
    if (flow->on_row && !flow->is_over)
        flow->is_over = !flow->on_row(flow->owner, flow);
    flow->count++;
    flow->begins = flow->taken;
    row_init(&flow->row, flow->row.columns);
}

/* Takes a character that is wider than the whole row, and leaves a blank in its place. */
static size_t flow_take_wide(struct flow *flow, enum row_style style, const char *shown, size_t n)
{
    size_t length = 1;

    while (length < n && sanitize_fit(shown, length, 2) == 0)
        length++;
    row_pad(&flow->row, style, flow->row.columns);
    return length;
}

/* A row ends only when there is something that must go to the next one. */
static void flow_add_shown(struct flow *flow, enum row_style style, const char *shown, size_t n)
{
    while (n > 0 && !flow->is_over) {
        size_t taken = row_fill(&flow->row, style, shown, n);

        if (taken == 0 && flow->row.used > 0)
            flow_end_row(flow);
        else if (taken == 0)
            taken = flow_take_wide(flow, style, shown, n);
        flow->taken += taken;
        shown += taken;
        n -= taken;
    }
}

static void flow_add(struct flow *flow, enum row_style style, const char *bytes, size_t n)
{
    char shown[SHOWN];

    while (n > 0 && !flow->is_over) {
        size_t piece = n < PIECE ? n : PIECE;

        flow_add_shown(flow, style, shown, sanitize_bytes(&flow->sanitize, bytes, piece, shown));
        bytes += piece;
        n -= piece;
    }
}

/* Adds the text of a line, and marks in it what was searched for. */
static void flow_add_text(struct flow *flow, const struct pane *pane, enum row_style style,
                          const char *bytes, size_t n)
{
    char shown[SHOWN];

    while (pane->find_length > 0 && n > 0 && !flow->is_over) {
        size_t before = scrollback_find_in(bytes, n, pane->find, pane->find_length);

        flow_add(flow, style, bytes, before);
        bytes += before;
        n -= before;
        if (n == 0)
            break;
        flow_add(flow, ROW_MARK, bytes, pane->find_length);
        bytes += pane->find_length;
        n -= pane->find_length;
    }
    flow_add(flow, style, bytes, n);
    flow_add_shown(flow, style, shown, sanitize_end(&flow->sanitize, shown));
}

/* ---- what stands before a line ---- */

static void make_stamp(const struct pane *pane, time_t second, struct row *stamp)
{
    char raw[STAMP_BYTES];

    row_init(stamp, STAMP_BYTES);
    if (pane->stamp_format)
        row_add(stamp, ROW_DIM, raw, stamp_write(pane->stamp_format, second, raw));
}

static void make_label(const struct pane *pane, const struct scrollback_line *line,
                       struct row *label)
{
    const char *text = NULL;

    row_init(label, PANE_LABEL);
    if (pane->label && line->kind != SCROLLBACK_NOTE)
        text = pane->label(pane->owner, line->channel);
    if (text)
        row_add(label, ROW_CHANNEL + line->channel % ROW_CHANNELS, text, strlen(text));
}

/* Adds PART and a blank behind it; nothing where PART is empty. */
static void add_part(struct row *row, const struct row *part)
{
    if (part->used == 0)
        return;
    row_add_shown(row, part->spans[0].style, part->bytes, part->length);
    row_add_shown(row, ROW_PLAIN, " ", 1);
}

static void add_prefix(struct row *row, const struct pane *pane, const struct scrollback_line *line)
{
    size_t room = row->columns > PANE_TEXT ? row->columns - PANE_TEXT : 0;
    struct row stamp;
    struct row label;
    size_t label_width;

    make_stamp(pane, line->second, &stamp);
    make_label(pane, line, &label);
    label_width = label.used + (label.used > 0);
    if (stamp.used > 0 && stamp.used + 1 + label_width <= room)
        add_part(row, &stamp);
    if (label_width <= room)
        add_part(row, &label);
}

static void flow_line(struct flow *flow, const struct pane *pane,
                      const struct scrollback_line *line)
{
    static const struct {
        enum row_style style;
        const char *mark;
    } kinds[] = {
        [SCROLLBACK_RECEIVED] = {ROW_PLAIN, ""},
        [SCROLLBACK_SENT] = {ROW_DIM, "> "},
        [SCROLLBACK_NOTE] = {ROW_STRONG, "-- "},
    };
    enum row_style style = kinds[line->kind].style;
    const char *mark = kinds[line->kind].mark;

    if (!line->is_rest) {
        add_prefix(&flow->row, pane, line);
        flow_add_shown(flow, style, mark, strlen(mark));
    }
    flow_add_text(flow, pane, style, line->bytes, line->length);
    flow_end_row(flow);
}

/* Gives the rows of a line in the scrollback to ON_ROW. Returns how many it was given, or all. */
static size_t wrap(const struct pane *pane, uint64_t number, flow_row_fn *on_row, void *owner)
{
    struct scrollback_line line;
    struct flow flow;

    scrollback_get(pane->scrollback, number, &line);
    flow_init(&flow, pane, on_row, owner);
    flow_line(&flow, pane, &line);
    return flow.count;
}

/* The first unfinished line may be the rest of the last one. */
static bool is_rest(const struct pane *pane, size_t index)
{
    uint64_t end = scrollback_end(pane->scrollback);
    struct scrollback_line last;

    if (index > 0 || end == scrollback_first(pane->scrollback))
        return false;
    scrollback_get(pane->scrollback, end - 1, &last);
    return last.goes_on && last.kind == SCROLLBACK_RECEIVED &&
           last.channel == pane->partials[0].channel;
}

static size_t wrap_partial(const struct pane *pane, size_t index, flow_row_fn *on_row, void *owner)
{
    const struct pane_partial *partial = &pane->partials[index];
    struct scrollback_line line = {
        .kind = SCROLLBACK_RECEIVED,
        .channel = partial->channel,
        .is_rest = is_rest(pane, index),
        .second = partial->second,
        .bytes = partial->bytes,
        .length = partial->length,
    };
    struct flow flow;

    flow_init(&flow, pane, on_row, owner);
    flow_line(&flow, pane, &line);
    return flow.count;
}

/* ---- places ---- */

static uint64_t first_line(const struct pane *pane)
{
    return scrollback_first(pane->scrollback);
}

static uint64_t end_line(const struct pane *pane)
{
    return scrollback_end(pane->scrollback);
}

static size_t line_rows(const struct pane *pane, uint64_t number)
{
    return number == end_line(pane) ? pane->partial_rows : wrap(pane, number, NULL, NULL);
}

static bool is_before(struct place a, struct place b)
{
    return a.line < b.line || (a.line == b.line && a.row < b.row);
}

/* Stops at the first row. */
static struct place place_up(const struct pane *pane, struct place place, size_t n)
{
    while (n > place.row) {
        if (place.line == first_line(pane))
            return (struct place){.line = place.line};
        n -= place.row + 1;
        place.line--;
        place.row = line_rows(pane, place.line) - 1;
    }
    place.row -= n;
    return place;
}

/* May go on past the last row. */
static struct place place_down(const struct pane *pane, struct place place, size_t n)
{
    while (place.line < end_line(pane)) {
        size_t left = line_rows(pane, place.line) - place.row;

        if (n < left)
            break;
        n -= left;
        place.line++;
        place.row = 0;
    }
    place.row += n;
    return place;
}

/* The top of the window at the bottom. */
static struct place lowest_place(const struct pane *pane)
{
    struct place end = {.line = end_line(pane), .row = pane->partial_rows};

    return place_up(pane, end, pane->rows);
}

/* The top of the window. What stood there may be gone, or have fewer rows than it had. */
static struct place top_place(const struct pane *pane, struct place lowest)
{
    struct place top = {.line = pane->top, .row = pane->top_row};
    size_t rows;

    if (top.line < first_line(pane))
        top = (struct place){.line = first_line(pane)};
    if (pane->is_following || !is_before(top, lowest))
        return lowest;
    rows = line_rows(pane, top.line);
    if (top.row >= rows)
        top.row = rows - 1;
    return top;
}

static void move_to(struct pane *pane, struct place place, struct place lowest)
{
    pane->is_following = !is_before(place, lowest);
    pane->top = place.line;
    pane->top_row = place.row;
}

/* ---- size ---- */

void pane_init(struct pane *pane, const struct scrollback *scrollback, pane_label_fn *label,
               void *owner)
{
    *pane = (struct pane){.scrollback = scrollback, .label = label, .owner = owner};
    pane_reset(pane);
}

void pane_reset(struct pane *pane)
{
    pane->is_following = true;
    pane->found = UINT64_MAX;
}

/* Which row of a line begins with, or before, which byte of its shown text. */
struct seek {
    size_t row;
    size_t offset;
};

static bool seek_offset(void *owner, const struct flow *flow)
{
    struct seek *seek = owner;

    seek->offset = flow->begins;
    return flow->count < seek->row;
}

static bool seek_row(void *owner, const struct flow *flow)
{
    struct seek *seek = owner;

    if (flow->begins > seek->offset)
        return false;
    seek->row = flow->count;
    return true;
}

void pane_resize(struct pane *pane, size_t rows, size_t columns)
{
    struct seek seek = {.row = pane->top_row};
    bool is_kept = !pane->is_following && columns != pane->columns &&
                   pane->top >= first_line(pane) && pane->top < end_line(pane);

    pane->rows = rows;
    if (is_kept)
        wrap(pane, pane->top, seek_offset, &seek);
    pane->columns = columns;
    if (is_kept)
        wrap(pane, pane->top, seek_row, &seek);
    pane->top_row = seek.row;
}

/* ---- what is to be seen ---- */

struct window {
    size_t skip; /* rows above it, of its first line */
    size_t index;
    size_t rows;
    pane_put_fn *put;
    void *owner;
};

static bool window_put(void *owner, const struct flow *flow)
{
    struct window *window = owner;

    if (window->skip > 0) {
        window->skip--;
        return true;
    }
    window->put(window->owner, window->index++, &flow->row);
    return window->index < window->rows;
}

static void window_fill(struct window *window, size_t columns)
{
    struct row row;

    row_init(&row, columns);
    while (window->index < window->rows)
        window->put(window->owner, window->index++, &row);
}

static size_t count_partial_rows(const struct pane *pane)
{
    size_t rows = 0;

    for (size_t i = 0; i < pane->partial_count; i++)
        rows += wrap_partial(pane, i, NULL, NULL);
    return rows;
}

void pane_compose(struct pane *pane, pane_put_fn *put, void *owner)
{
    struct window window = {.rows = pane->rows, .put = put, .owner = owner};
    struct place lowest;
    struct place top;
    uint64_t line;

    pane->partial_rows = count_partial_rows(pane);
    lowest = lowest_place(pane);
    top = top_place(pane, lowest);
    move_to(pane, top, lowest);
    window.skip = top.row;
    for (line = top.line; line < end_line(pane) && window.index < window.rows; line++)
        wrap(pane, line, window_put, &window);
    if (line > pane->seen)
        pane->seen = line;
    for (size_t i = 0; i < pane->partial_count && window.index < window.rows; i++)
        wrap_partial(pane, i, window_put, &window);
    window_fill(&window, width(pane));
}

uint64_t pane_below(const struct pane *pane, uint64_t *unseen)
{
    uint64_t end = end_line(pane);
    uint64_t below = 0;
    struct place last;

    if (!pane->is_following && pane->rows > 0) {
        last = place_down(pane, top_place(pane, lowest_place(pane)), pane->rows - 1);
        below = last.line < end ? end - 1 - last.line : 0;
    }
    *unseen = end - pane->seen < below ? end - pane->seen : below;
    return below;
}

/* ---- movement ---- */

void pane_scroll(struct pane *pane, long n)
{
    struct place lowest = lowest_place(pane);
    struct place top = top_place(pane, lowest);

    if (n < 0)
        move_to(pane, place_up(pane, top, 0 - (size_t)n), lowest);
    else
        move_to(pane, place_down(pane, top, (size_t)n), lowest);
}

void pane_to_top(struct pane *pane)
{
    move_to(pane, (struct place){.line = first_line(pane)}, lowest_place(pane));
}

void pane_to_bottom(struct pane *pane)
{
    pane->is_following = true;
}

/* ---- finding ---- */

/* Returns false at the first row that has a mark. */
static bool seek_mark(void *owner, const struct flow *flow)
{
    struct seek *seek = owner;

    seek->row = flow->count;
    for (size_t i = 0; i < flow->row.span_count; i++)
        if (flow->row.spans[i].style == ROW_MARK)
            return false;
    return true;
}

/* Returns the first row of a line with a mark; the last one where there is none. */
static size_t marked_row(const struct pane *pane, uint64_t number)
{
    struct seek seek = {0};

    wrap(pane, number, seek_mark, &seek);
    return seek.row;
}

/* Brings a line that was found into the window, with its marked row. */
static void reveal(struct pane *pane, uint64_t number)
{
    struct place lowest = lowest_place(pane);
    struct place top = top_place(pane, lowest);
    struct place mark = {.line = number, .row = marked_row(pane, number)};

    if (!is_before(mark, top) && is_before(mark, place_down(pane, top, pane->rows)))
        return;
    if (mark.row < pane->rows)
        mark.row = 0;
    move_to(pane, mark, lowest);
}

/* Returns the newest line above the window; that at its top may have a mark above it. */
static uint64_t line_above(const struct pane *pane)
{
    struct place top = top_place(pane, lowest_place(pane));

    if (top.row > 0 && top.line < end_line(pane) && marked_row(pane, top.line) < top.row)
        return top.line;
    return top.line - 1;
}

static bool find_above(struct pane *pane, uint64_t from, size_t limit)
{
    if (!scrollback_find(pane->scrollback, pane->find, pane->find_length, true, limit, &from))
        return false;
    pane->found = from;
    reveal(pane, from);
    return true;
}

bool pane_find(struct pane *pane, const char *text, size_t n, bool is_again)
{
    uint64_t end = end_line(pane);
    uint64_t from;

    pane->find_length = n < PANE_FIND ? n : PANE_FIND;
    if (n == 0)
        return false;
    memmove(pane->find, text, pane->find_length);
    from = is_again && pane->found != UINT64_MAX ? pane->found - 1 : line_above(pane);
    return find_above(pane, from, SIZE_MAX) || find_above(pane, end - 1, (size_t)(end - 1 - from));
}
