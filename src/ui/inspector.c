/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls are kept by ui/ring.c, times by ui/slices.c; here is what a person does with them: choosing
 * one, reading sentences, and the rows.
 *
 * Calls are numbered from 0. Where "none" is needed a field holds the number + 1, and 0 is none.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ui/explain.h"
#include "ui/inspector.h"
#include "ui/ring.h"
#include "ui/slices.h"
#include "ui/wrap.h"

enum {
    WATCHES = 128, /* descriptors that are listed; the others are counted */
    LISTED = 8,    /* ... in a sentence */
    WINDOW = 50,   /* slices that the meters look at */
    WORDS = 8192   /* bytes of the sentences below the calls */
};

struct inspector {
    const struct loop *loop;
    bool is_shown;
    uint64_t last_wait;   /* number + 1 */
    uint64_t chosen;      /* number + 1 */
    uint64_t held;        /* number + 1 of the newest in the list that stands still */
    const char *backend;  /* that made the last wait */
    bool was_asked;       /* a wait was described before it was made ... */
    uint64_t asked_waits; /* ... when there had been so many */
    int64_t asked_begin;  /* from the first wait after that ... */
    int64_t asked_end;    /* ... to the last one */
    struct inspector_totals totals;
    struct slices slices;
    struct ring ring;
};

struct inspector *inspector_new(const struct loop *loop)
{
    struct inspector *inspector = calloc(1, sizeof *inspector);

    if (!inspector)
        return NULL;
    inspector->loop = loop;
    ring_init(&inspector->ring, loop);
    return inspector;
}

void inspector_free(struct inspector *inspector)
{
    if (!inspector)
        return;
    ring_fini(&inspector->ring);
    free(inspector);
}

/* ---- what is told to it ---- */

static void note_wait(struct inspector *inspector, const struct poller_call *call)
{
    struct inspector_totals *totals = &inspector->totals;

    if (totals->waits == inspector->asked_waits)
        inspector->asked_begin = call->begin_ns;
    inspector->asked_end = call->end_ns;
    totals->waits++;
    totals->timeouts += call->told == 0;
    totals->events += call->told > 0 ? (uint64_t)call->told : 0;
    totals->waiting_ns += call->end_ns - call->begin_ns;
    inspector->last_wait = inspector->ring.count;
    inspector->backend = poller_name(loop_poller(inspector->loop));
    slices_add_wait(&inspector->slices, call);
}

void inspector_call(struct inspector *inspector, const struct poller_call *call, const char *text,
                    size_t n)
{
    if (inspector->ring.count == 0) {
        inspector->totals.since = call->begin_ns;
        slices_begin(&inspector->slices, call->begin_ns);
    }
    ring_add(&inspector->ring, call, text, n);
    if (!inspector_has_choice(inspector))
        inspector->chosen = 0;
    if (call->is_wait)
        note_wait(inspector, call);
    else
        inspector->totals.registrations++;
}

bool inspector_wants_text(const struct inspector *inspector)
{
    return inspector->is_shown;
}

void inspector_show(struct inspector *inspector, bool show)
{
    inspector->is_shown = show;
}

void inspector_read(struct inspector *inspector, size_t n)
{
    if (inspector->ring.count > 0)
        slices_add_read(&inspector->slices, n);
}

void inspector_did(struct inspector *inspector, const char *format, ...)
{
    char clause[INSPECTOR_DID];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(clause, sizeof clause, format, args);
    va_end(args);
    if (n >= (int)sizeof clause)
        memcpy(clause + sizeof clause - 4, "...", 3);
    if (n > 0)
        ring_did(&inspector->ring, inspector->last_wait - 1, clause);
}

/* ---- choosing ---- */

bool inspector_has_choice(const struct inspector *inspector)
{
    return inspector->chosen > ring_oldest(&inspector->ring);
}

void inspector_let_go(struct inspector *inspector)
{
    inspector->chosen = 0;
}

void inspector_choose(struct inspector *inspector, long step)
{
    uint64_t distance = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    uint64_t first = ring_oldest(&inspector->ring) + 1;

    if (!inspector_has_choice(inspector))
        inspector->chosen = inspector->held = inspector->ring.count;
    else if (step < 0)
        inspector->chosen =
            distance < inspector->chosen - first ? inspector->chosen - distance : first;
    else if (distance <= inspector->held - inspector->chosen)
        inspector->chosen += distance;
    else
        inspector_let_go(inspector);
}

/* ---- sentences ---- */

/* Whom a sentence is about: the call NUMBER. */
struct moment {
    const struct ring *ring;
    uint64_t number;
};

static const char *name_at(void *owner, int fd)
{
    const struct moment *moment = owner;

    return ring_name(moment->ring, moment->number, fd);
}

typedef int explain_fn(const char *line, size_t n, explain_name_fn *name_of, void *owner,
                       char *text, size_t size);

/* Adds the sentences that EXPLAIN makes of the call NUMBER, which is kept, and what was done. */
static void add_explanation(struct text *text, const struct inspector *inspector, uint64_t number,
                            explain_fn *explain)
{
    const struct ring_call *call = ring_get(&inspector->ring, number);
    struct moment moment = {.ring = &inspector->ring, .number = number};
    char line[INSPECTOR_TEXT];
    char words[WORDS];
    struct text whole;

    text_init(&whole, line, sizeof line);
    ring_add_line(call, &whole);
    explain(line, strlen(line), name_at, &moment, words, sizeof words);
    text_add(text, "%s", words);
    ring_add_did(call, text);
}

int inspector_describe_last(const struct inspector *inspector, char *bytes, size_t size)
{
    uint64_t number = inspector->last_wait - 1;
    const struct ring_call *call = ring_get(&inspector->ring, number);
    uint64_t calls = inspector->totals.waits - inspector->asked_waits;
    struct text text;

    text_init(&text, bytes, size);
    if (!call)
        return 0;
    if (inspector->was_asked && calls > 1) {
        text_add(&text, "%s was called %llu times within ", call->name, (unsigned long long)calls);
        explain_time(&text, inspector->asked_end - inspector->asked_begin);
        text_add(&text, ". The last time: ");
    }
    add_explanation(&text, inspector, number, explain_result);
    return (int)text.length;
}

/* The watches of the loop, in the order in which they were started. */
struct watches {
    size_t count; /* more than WATCHES are not in the list */
    const struct watch *list[WATCHES];
};

static void gather_watch(void *context, const struct watch *watch)
{
    struct watches *watches = context;

    if (watches->count < WATCHES)
        watches->list[watches->count] = watch;
    watches->count++;
}

static void gather_asked(void *context, const struct watch *watch)
{
    if (watch->want != 0)
        gather_watch(context, watch);
}

static size_t listed(const struct watches *watches)
{
    return watches->count < WATCHES ? watches->count : WATCHES;
}

static void add_watch(struct text *text, const struct watch *watch)
{
    if (watch->name)
        text_add(text, "%s", watch->name);
    else
        text_add(text, "descriptor %d", watch->fd);
}

/* Adds those that are asked for FLAG: "is one of signals, terminal readable". */
static bool add_question(struct text *text, const struct watches *watches, unsigned flag,
                         const char *word, const char *separator)
{
    size_t count = 0;
    size_t said = 0;

    for (size_t i = 0; i < listed(watches); i++)
        count += (watches->list[i]->want & flag) != 0;
    if (count == 0)
        return false;
    text_add(text, "%s%s", separator, count > 1 ? "one of " : "");
    for (size_t i = 0; i < listed(watches) && said < LISTED; i++)
        if (watches->list[i]->want & flag) {
            text_add(text, "%s", said++ > 0 ? ", " : "");
            add_watch(text, watches->list[i]);
        }
    if (count > said)
        text_add(text, " and %zu more", count - said);
    text_add(text, " %s", word);
    return true;
}

static void add_questions(struct text *text, const struct watches *watches)
{
    static const struct {
        unsigned flag;
        const char *word;
    } kinds[] = {{POLLER_IN, "readable"},
                 {POLLER_OUT, "writable"},
                 {POLLER_PRI, "in an exceptional state"},
                 {POLLER_RDHUP, "closed by its peer"}};
    const char *separator = ": is ";

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (add_question(text, watches, kinds[i].flag, kinds[i].word, separator))
            separator = ", or ";
    text_add(text, "?");
}

/* Adds what is about to be called. The call itself has a name only once it has been seen. */
static void add_next_call(struct text *text, const struct inspector *inspector)
{
    const char *backend = poller_name(loop_poller(inspector->loop));
    const struct ring_call *last = ring_get(&inspector->ring, inspector->last_wait - 1);
    struct poller_info info;

    if (last && inspector->backend == backend)
        text_add(text, "About to call %s", last->name);
    else
        text_add(text, "About to wait with %s", backend);
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (info.is_lesson && strcmp(info.name, backend) == 0)
            text_add(text, " (%s, %s)", backend, info.summary);
}

static void add_limit(struct text *text, int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        text_add(text, " No timer is set, so it is to wait without a time limit.");
    } else if (timeout_ns == 0) {
        text_add(text, " It is only to look, not to wait: something is to be done at once.");
    } else {
        text_add(text, " It is to wait at most ");
        explain_time(text, timeout_ns);
        text_add(text, ", until the next timer is due.");
    }
}

int inspector_describe_next(struct inspector *inspector, int64_t timeout_ns, char *bytes,
                            size_t size)
{
    struct watches watches = {.count = 0};
    struct text text;

    inspector->was_asked = true;
    inspector->asked_waits = inspector->totals.waits;
    loop_each_watch(inspector->loop, gather_asked, &watches);
    text_init(&text, bytes, size);
    add_next_call(&text, inspector);
    if (watches.count == 0) {
        text_add(&text, " for no descriptor.");
    } else {
        text_add(&text, " for %zu descriptor%s", watches.count, watches.count == 1 ? "" : "s");
        add_questions(&text, &watches);
    }
    add_limit(&text, timeout_ns);
    return (int)text.length;
}

struct inspector_totals inspector_totals(const struct inspector *inspector)
{
    return inspector->totals;
}

/* ---- rows ---- */

/* What is being composed. */
struct page {
    const struct inspector *inspector;
    const struct inspector_scene *scene;
    size_t columns;
    inspector_put_fn *put;
    void *owner;
    size_t index; /* of the row that comes next */
    struct row row;
};

static struct row *page_begin(struct page *page)
{
    row_init(&page->row, page->columns);
    return &page->row;
}

static void page_end(struct page *page)
{
    page->put(page->owner, page->index++, &page->row);
}

/* Adds TEXT, cut or filled up to WIDTH columns. */
static void add_cell(struct row *row, enum row_style style, size_t width, const char *text)
{
    size_t end = row->used + width;
    struct row cell;

    row_init(&cell, width);
    row_add(&cell, style, text, strlen(text));
    row_add_shown(row, style, cell.bytes, cell.length);
    row_pad(row, style, end);
}

static const char strip_legend[] = "  . waited - timeout | ready # busy";

static void put_bar(struct page *page, bool has_strip)
{
    const struct inspector *inspector = page->inspector;
    struct row *row = page_begin(page);
    bool has_choice = inspector_has_choice(inspector);
    uint64_t newer = has_choice ? inspector->ring.count - inspector->held : 0;

    row_print(row, ROW_BAR, "inspector: %s", page->scene->backend);
    if (newer > 0)
        row_print(row, ROW_BAR, "  %llu newer", (unsigned long long)newer);
    row_print(row, ROW_BAR, "  F4 closes, Up/Down choose%s", has_choice ? ", Esc lets go" : "");
    if (has_strip && row->used + sizeof strip_legend <= page->columns)
        row_print(row, ROW_BAR, "%s", strip_legend);
    row_pad(row, ROW_BAR, page->columns);
    page_end(page);
}

static void add_rate(struct row *row, const char *what, uint32_t count, int64_t ns)
{
    double rate = ns > 0 ? (double)count * CLOCK_SECOND / (double)ns : 0;

    row_print(row, ROW_PLAIN, rate < 9.95 ? "  %s %.1f/s" : "  %s %.0f/s", what, rate);
}

static void put_meters(struct page *page)
{
    const struct inspector *inspector = page->inspector;
    struct row *row = page_begin(page);
    struct slice sum;
    int64_t window_ns = slices_sum(&inspector->slices, loop_now(inspector->loop), WINDOW, &sum);
    double share = window_ns > 0 ? 100.0 * (double)sum.waiting_ns / (double)window_ns : 0;

    row_print(row, ROW_PLAIN, "waiting %.1f %%", share);
    add_rate(row, "wake-ups", sum.waits, window_ns);
    add_rate(row, "timeouts", sum.timeouts, window_ns);
    if (sum.reads > 0)
        row_print(row, ROW_PLAIN, "  bytes a read %.0f", (double)sum.bytes / sum.reads);
    else
        row_print(row, ROW_PLAIN, "  bytes a read -");
    row_print(row, ROW_PLAIN, "  unread %llu", (unsigned long long)page->scene->unread);
    page_end(page);
}

static void put_strip(struct page *page)
{
    const struct inspector *inspector = page->inspector;
    struct row *row = page_begin(page);

    for (size_t i = page->columns; i > 0; i--) {
        char cell = slices_cell(&inspector->slices, loop_now(inspector->loop), (int64_t)i - 1);

        row_add_shown(row, ROW_PLAIN, &cell, 1);
    }
    page_end(page);
}

/* ---- the table ---- */

enum { TABLE_FD = 5, TABLE_FLAGS = 12, TABLE_WHAT = 34, TABLE_COUNT = 10 };

static void add_table_heading(struct row *row, size_t what)
{
    add_cell(row, ROW_STRONG, TABLE_FD, "  fd");
    add_cell(row, ROW_STRONG, what, "what");
    add_cell(row, ROW_STRONG, TABLE_FLAGS, " wanted");
    add_cell(row, ROW_STRONG, TABLE_FLAGS, " last");
    add_cell(row, ROW_STRONG, TABLE_COUNT, "     count");
}

static void add_table_flags(struct row *row, unsigned mask)
{
    char cell[64] = " -";

    if (mask != 0)
        poller_event_names(cell + 1, sizeof cell - 1, mask);
    add_cell(row, ROW_PLAIN, TABLE_FLAGS, cell);
}

static void add_table_watch(struct row *row, const struct watch *watch, size_t what)
{
    char name[ROW_COLUMNS_MAX];
    char number[32];
    struct text text;

    text_init(&text, name, sizeof name);
    add_watch(&text, watch);
    snprintf(number, sizeof number, "%4d ", watch->fd);
    add_cell(row, ROW_PLAIN, TABLE_FD, number);
    add_cell(row, ROW_PLAIN, what, name);
    add_table_flags(row, watch->want);
    add_table_flags(row, watch->last);
    snprintf(number, sizeof number, "%10llu", (unsigned long long)watch->count);
    add_cell(row, ROW_PLAIN, TABLE_COUNT, number);
}

/* Adds row INDEX of ROWS of the table, the heading first; WIDTH is what it may take. Those without
 * room are the first: the program's own, before the connections that one wants to watch. */
static void add_table_row(struct row *row, const struct watches *watches, size_t index, size_t rows,
                          size_t width)
{
    size_t others = TABLE_FD + 2 * TABLE_FLAGS + TABLE_COUNT;
    size_t what = width > others + TABLE_FLAGS ? width - others : TABLE_FLAGS;
    size_t shown = listed(watches) < rows - 1 ? listed(watches) : rows - 1;
    size_t first;

    if (shown < watches->count && shown > 0)
        shown--;
    first = listed(watches) - shown;
    if (index == 0)
        add_table_heading(row, what < TABLE_WHAT ? what : TABLE_WHAT);
    else if (index <= shown)
        add_table_watch(row, watches->list[first + index - 1],
                        what < TABLE_WHAT ? what : TABLE_WHAT);
    else if (index == shown + 1 && shown < watches->count)
        row_print(row, ROW_DIM, "     %zu more", watches->count - shown);
}

/* ---- the calls ---- */

static enum row_style style_of(const struct ring_call *call)
{
    if (call->is_wait ? call->told < 0 : call->result < 0)
        return ROW_BAD;
    if (!call->is_wait)
        return ROW_PLAIN;
    return call->told > 0 ? ROW_GOOD : ROW_DIM;
}

/* The number + 1 of the call in the lowest of ROWS: the newest, or the newest of the list that
 * stands still, unless the chosen one would be above the highest row then. */
static uint64_t lowest_call(const struct inspector *inspector, size_t rows)
{
    if (!inspector_has_choice(inspector))
        return inspector->ring.count;
    if (inspector->chosen + rows > inspector->held)
        return inspector->held;
    return inspector->chosen + rows - 1;
}

/* Cuts LINE to WIDTH where it is of least interest: before the result and the time. */
static void cut_line(char *line, size_t width)
{
    static const char mark[] = "...";
    const size_t least = 12; /* of the call itself: its name, and a little more */
    size_t length = strlen(line);
    const char *result = NULL;
    size_t tail;

    for (const char *at = line; (at = strstr(at, " = ")); at++)
        result = at;
    tail = result ? strlen(result) : length;
    if (length <= width || least + sizeof mark + tail > width)
        return;
    memcpy(line + width - tail - (sizeof mark - 1), mark, sizeof mark - 1);
    memmove(line + width - tail, result, tail + 1);
}

static void add_call(struct row *row, const struct inspector *inspector, uint64_t number,
                     size_t width)
{
    const struct ring_call *call = ring_get(&inspector->ring, number);
    bool is_chosen = inspector_has_choice(inspector) && number + 1 == inspector->chosen;
    char line[INSPECTOR_TEXT];
    struct text text;

    if (!call)
        return;
    text_init(&text, line, sizeof line);
    ring_add_line(call, &text);
    cut_line(line, width);
    add_cell(row, is_chosen ? ROW_MARK : style_of(call), width, line);
}

/* ---- sentences in rows ---- */

/* What is to be read below the calls. */
static void make_words(const struct page *page, char words[WORDS])
{
    const struct inspector *inspector = page->inspector;
    struct text text;

    text_init(&text, words, WORDS);
    if (inspector_has_choice(inspector))
        add_explanation(&text, inspector, inspector->chosen - 1, explain_call);
    if (page->scene->about)
        text_add(&text, "%s%s", text.length > 0 ? "\n" : "", page->scene->about);
}

/* ALL is how many rows the words would take. */
static void put_words(struct page *page, const char *words, size_t rows, size_t all)
{
    static const char more[] = " ...";
    size_t room = page->columns > strlen(more) ? page->columns - strlen(more) : 0;
    struct wrap wrap;

    wrap_init(&wrap, words);
    for (size_t i = 0; i < rows; i++) {
        struct row *row = page_begin(page);
        bool is_cut = i + 1 == rows && all > rows;

        row->columns = is_cut ? room : page->columns;
        wrap_row(&wrap, row);
        row->columns = page->columns;
        if (is_cut)
            row_add(row, ROW_PLAIN, more, strlen(more));
        page_end(page);
    }
}

/* ---- the whole ---- */

enum {
    BAR_ROWS = 4,         /* from so many rows on there is a bar */
    STRIP_ROWS = 10,      /* ... and a strip */
    BESIDE_ROWS = 16,     /* ... and the table stands beside the calls */
    BESIDE_COLUMNS = 140, /* ... where there are so many columns, too */
    LEAST_CALLS = 2,      /* beside sentences */
    LEAST_TABLE = 3,      /* the heading, one, and how many there are beside it */
    SMALL_TABLE = 5,      /* may take more than half of the rows that it shares with the calls */
    TABLE_WIDTH = TABLE_FD + TABLE_WHAT + 2 * TABLE_FLAGS + TABLE_COUNT
};

struct layout {
    bool has_bar;
    bool has_strip;
    bool is_beside;
    size_t table; /* rows, the heading included */
    size_t calls;
    size_t words;
};

/* How many of ROWS, which the calls share, a table of ALL rows gets; it must not be cut to less
 * than makes sense. */
static size_t table_rows(size_t rows, size_t all)
{
    size_t most = rows / 2;

    if (rows < (size_t)2 * LEAST_TABLE)
        return 0;
    if (most < SMALL_TABLE)
        most = rows - LEAST_TABLE < SMALL_TABLE ? rows - LEAST_TABLE : SMALL_TABLE;
    return all < most ? all : most;
}

/* Shares ROWS out. There are WATCHES to list, and sentences of WORDS rows. */
static struct layout lay_out(size_t rows, size_t columns, size_t watches, size_t words)
{
    struct layout layout = {.has_bar = rows >= BAR_ROWS,
                            .has_strip = rows >= STRIP_ROWS,
                            .is_beside = rows >= BESIDE_ROWS && columns >= BESIDE_COLUMNS};
    size_t left = rows - 1 - layout.has_bar - layout.has_strip;
    size_t most = left > LEAST_CALLS ? left - LEAST_CALLS : 0;

    if (most > left * 2 / 3)
        most = left * 2 / 3;
    layout.words = words < most ? words : most;
    left -= layout.words;
    if (layout.is_beside)
        layout.table = left;
    else if (watches > 0)
        layout.table = table_rows(left, watches + 1);
    if (!layout.is_beside)
        left -= layout.table;
    layout.calls = left;
    return layout;
}

static void put_table(struct page *page, const struct layout *layout, const struct watches *watches)
{
    for (size_t i = 0; i < layout->table && !layout->is_beside; i++) {
        add_table_row(page_begin(page), watches, i, layout->table, page->columns);
        page_end(page);
    }
}

static void put_calls(struct page *page, const struct layout *layout, const struct watches *watches)
{
    uint64_t lowest = lowest_call(page->inspector, layout->calls);
    size_t width = page->columns - (layout->is_beside ? TABLE_WIDTH + 1 : 0);

    for (size_t i = 0; i < layout->calls; i++) {
        struct row *row = page_begin(page);

        if (lowest + i >= layout->calls)
            add_call(row, page->inspector, lowest + i - layout->calls, width);
        if (layout->is_beside) {
            row_pad(row, ROW_PLAIN, width + 1);
            add_table_row(row, watches, i, layout->calls, TABLE_WIDTH);
        }
        page_end(page);
    }
}

void inspector_compose(const struct inspector *inspector, const struct inspector_scene *scene,
                       size_t rows, size_t columns, inspector_put_fn *put, void *owner)
{
    struct page page = {.inspector = inspector,
                        .scene = scene,
                        .columns = columns < ROW_COLUMNS_MAX ? columns : ROW_COLUMNS_MAX,
                        .put = put,
                        .owner = owner};
    struct watches watches = {.count = 0};
    char words[WORDS];
    struct layout layout;
    size_t all;

    if (rows == 0)
        return;
    make_words(&page, words);
    loop_each_watch(inspector->loop, gather_watch, &watches);
    all = wrap_count(words, page.columns);
    layout = lay_out(rows, page.columns, watches.count, all);
    if (layout.has_bar)
        put_bar(&page, layout.has_strip);
    put_meters(&page);
    if (layout.has_strip)
        put_strip(&page);
    put_table(&page, &layout, &watches);
    put_calls(&page, &layout, &watches);
    put_words(&page, words, layout.words, all);
}
