/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls are kept in a ring; they are numbered from 0, and number N stands in slot N % the size of
 * the ring. Where "none" is needed a field holds the number + 1, and 0 is none.
 *
 * Time is cut into slices, in a ring too. A wait adds to every slice that it lasted in, and what
 * came of it to the one in which it ended; so meters and strip cost nothing but sums.
 *
 * What a descriptor is has to be known as it was at the call, for a number is used again soon. So
 * each call that is kept with its text holds the names of that moment; calls between which nothing
 * changed share them. One surprise: at its EPOLL_CTL_ADD a descriptor has no name yet, and at its
 * EPOLL_CTL_DEL none any more, hence the look at the calls before and after.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sanitize.h"
#include "base/text.h"
#include "poller/names.h"
#include "ui/explain.h"
#include "ui/inspector.h"

enum {
    NAME = 24,         /* bytes of a system call's name */
    CLAUSES = 8,       /* things done after one wait that are told apart */
    NAMES = 8192,      /* bytes of all names at one moment; what does not fit has none */
    WATCHED_NAME = 96, /* bytes of one of them */
    WATCHES = 128,     /* descriptors that are listed; the others are counted */
    LISTED = 8,        /* ... in a sentence */
    WINDOW = 50,       /* slices that the meters look at */
    WORDS = 8192       /* bytes of the sentences below the calls */
};

static const int64_t slice_ns = 100 * CLOCK_MILLISECOND;

/* The descriptors at one moment: for each its number as an int, and its name with a NUL. */
struct names {
    unsigned users;
    size_t length;
    char bytes[];
};

struct did {
    unsigned count;
    size_t used;
    bool is_cut;
    uint16_t at[CLAUSES]; /* where each clause begins, ended by a NUL */
    uint32_t times[CLAUSES];
    char text[INSPECTOR_DID];
};

struct slot {
    char name[NAME];
    bool is_wait;
    long result;
    int error;
    int64_t took_ns;
    char *text;
    size_t length; /* of the text; 0: it was not kept */
    size_t capacity;
    struct names *names;
    struct did did;
};

struct slice {
    int64_t waiting_ns;
    uint64_t bytes;
    uint32_t reads;
    uint32_t waits;
    uint32_t timeouts;
    uint32_t events;
};

struct inspector {
    const struct loop *loop;
    bool is_shown;
    uint64_t count;       /* calls ever: the newest has this number - 1 */
    uint64_t last_wait;   /* number + 1 */
    uint64_t chosen;      /* number + 1 */
    uint64_t held;        /* number + 1 of the newest in the list that stands still */
    const char *backend;  /* that made the last wait */
    bool was_asked;       /* a wait was described before it was made ... */
    uint64_t asked_waits; /* ... when there had been so many */
    int64_t asked_begin;  /* from the first wait after that ... */
    int64_t asked_end;    /* ... to the last one */
    struct inspector_totals totals;
    int64_t newest; /* slice */
    struct slice slices[INSPECTOR_SLICES];
    char scratch[NAMES];
    struct slot slots[INSPECTOR_CALLS];
};

struct inspector *inspector_new(const struct loop *loop)
{
    struct inspector *inspector = calloc(1, sizeof *inspector);

    if (inspector)
        inspector->loop = loop;
    return inspector;
}

static void names_release(struct names *names)
{
    if (names && --names->users == 0)
        free(names);
}

void inspector_free(struct inspector *inspector)
{
    if (!inspector)
        return;
    for (size_t i = 0; i < INSPECTOR_CALLS; i++) {
        names_release(inspector->slots[i].names);
        free(inspector->slots[i].text);
    }
    free(inspector);
}

/* The number of the oldest call that is kept. */
static uint64_t oldest(const struct inspector *inspector)
{
    return inspector->count > INSPECTOR_CALLS ? inspector->count - INSPECTOR_CALLS : 0;
}

/* Returns the call NUMBER; NULL where it is not kept. */
static const struct slot *kept(const struct inspector *inspector, uint64_t number)
{
    if (number < oldest(inspector) || number >= inspector->count)
        return NULL;
    return &inspector->slots[number % INSPECTOR_CALLS];
}

/* ---- slices of time ---- */

/* Returns the slice NUMBER for adding to it; NULL where it has been forgotten. */
static struct slice *slice_reach(struct inspector *inspector, int64_t number)
{
    int64_t next = inspector->newest + 1;

    if (number <= inspector->newest - INSPECTOR_SLICES)
        return NULL;
    if (next <= number - INSPECTOR_SLICES)
        next = number - INSPECTOR_SLICES + 1;
    for (; next <= number; next++) {
        inspector->slices[next % INSPECTOR_SLICES] = (struct slice){0};
        inspector->newest = next;
    }
    return &inspector->slices[number % INSPECTOR_SLICES];
}

/* As above, for looking at it. */
static const struct slice *slice_at(const struct inspector *inspector, int64_t number)
{
    static const struct slice nothing;

    if (number < 0 || number > inspector->newest || number <= inspector->newest - INSPECTOR_SLICES)
        return &nothing;
    return &inspector->slices[number % INSPECTOR_SLICES];
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void count_wait(struct inspector *inspector, const struct poller_call *call)
{
    int64_t last = call->end_ns / slice_ns;
    int64_t number = greater(call->begin_ns / slice_ns, last - INSPECTOR_SLICES + 1);
    struct slice *slice = slice_reach(inspector, last);

    if (!slice)
        return;
    slice->waits++;
    slice->timeouts += call->result == 0;
    slice->events += call->result > 0 ? (uint32_t)call->result : 0;
    for (; number <= last; number++) {
        int64_t begin = greater(call->begin_ns, number * slice_ns);
        int64_t end = lesser(call->end_ns, (number + 1) * slice_ns);

        slice = slice_reach(inspector, number);
        if (slice)
            slice->waiting_ns += end - begin;
    }
}

void inspector_read(struct inspector *inspector, size_t n)
{
    struct slice *slice = slice_reach(inspector, inspector->newest);

    if (inspector->count == 0)
        return;
    slice->reads++;
    slice->bytes += n;
}

/* ---- names of descriptors ---- */

/* What is gathered of the watches. */
struct gathering {
    char *bytes;
    size_t length;
};

static void gather_name(void *context, const struct watch *watch)
{
    struct gathering *gathering = context;
    const char *name = watch->name ? watch->name : "";
    size_t n = strnlen(name, WATCHED_NAME - 1);

    if (gathering->length + sizeof watch->fd + n + 1 > NAMES)
        return;
    memcpy(gathering->bytes + gathering->length, &watch->fd, sizeof watch->fd);
    gathering->length += sizeof watch->fd;
    memcpy(gathering->bytes + gathering->length, name, n);
    gathering->length += n;
    gathering->bytes[gathering->length++] = '\0';
}

/* Returns the names of this moment, for one user: those of BEFORE where they are the same. NULL
 * where memory is out. */
static struct names *names_take(struct inspector *inspector, struct names *before)
{
    struct gathering gathering = {.bytes = inspector->scratch};
    struct names *names = before;

    loop_each_watch(inspector->loop, gather_name, &gathering);
    if (!before || before->length != gathering.length ||
        memcmp(before->bytes, gathering.bytes, gathering.length) != 0) {
        names = malloc(sizeof *names + gathering.length);
        if (!names)
            return NULL;
        names->users = 0;
        names->length = gathering.length;
        memcpy(names->bytes, gathering.bytes, gathering.length);
    }
    names->users++;
    return names;
}

/* Returns the name of FD, "" where it was there without one, NULL where it was not. */
static const char *names_find(const struct names *names, int fd)
{
    size_t at = 0;
    int found;

    while (names && at < names->length) {
        memcpy(&found, names->bytes + at, sizeof found);
        at += sizeof found;
        if (found == fd)
            return names->bytes + at;
        at += strlen(names->bytes + at) + 1;
    }
    return NULL;
}

/* Returns the name that FD got after the call NUMBER, before it was gone again; NULL for none. */
static const char *name_after(const struct inspector *inspector, uint64_t number, int fd)
{
    bool was_there = false;

    for (; number < inspector->count; number++) {
        const struct slot *slot = kept(inspector, number);
        const char *name = slot ? names_find(slot->names, fd) : NULL;

        if (name && *name != '\0')
            return name;
        if (was_there && !name)
            return NULL;
        was_there = was_there || name;
    }
    return NULL;
}

/* Whom a sentence is about: the call NUMBER. */
struct moment {
    const struct inspector *inspector;
    uint64_t number;
    const char *newest_name; /* what the loop calls the descriptor now */
    int fd;
};

static void match_name(void *context, const struct watch *watch)
{
    struct moment *moment = context;

    if (watch->fd == moment->fd)
        moment->newest_name = watch->name;
}

/* An explain_name_fn. A descriptor that is just being added has its name after the call. */
static const char *name_at(void *owner, int fd)
{
    struct moment *moment = owner;
    const struct slot *slot = kept(moment->inspector, moment->number);
    const struct slot *before = kept(moment->inspector, moment->number - 1);
    const char *name = slot ? names_find(slot->names, fd) : NULL;

    if ((!name || *name == '\0') && before)
        name = names_find(before->names, fd);
    if (!name || *name == '\0')
        name = name_after(moment->inspector, moment->number, fd);
    if (name)
        return name;
    moment->fd = fd;
    moment->newest_name = NULL;
    if (moment->number >= moment->inspector->last_wait)
        loop_each_watch(moment->inspector->loop, match_name, moment);
    return moment->newest_name;
}

/* ---- what is told to it ---- */

/* Returns how many bytes of the end of a call's text are the time that it took: " <0.050110>". */
static size_t tail_length(const char *text, size_t n)
{
    enum { LONGEST = 32 };

    for (size_t length = 2; length <= n && length <= LONGEST; length++)
        if (memcmp(text + n - length, " <", 2) == 0)
            return length;
    return 0;
}

static void slot_keep_text(struct slot *slot, const char *text, size_t n)
{
    size_t tail = 0;
    size_t whole = n;

    if (n >= INSPECTOR_TEXT) {
        tail = tail_length(text, n);
        n = INSPECTOR_TEXT - 1;
    }
    if (n > slot->capacity) {
        char *bigger = realloc(slot->text, n);

        if (!bigger)
            return;
        slot->text = bigger;
        slot->capacity = n;
    }
    memcpy(slot->text, text, n);
    slot->length = n;
    if (whole > n) {
        memcpy(slot->text + n - tail - 3, "...", 3);
        memcpy(slot->text + n - tail, text + whole - tail, tail);
    }
}

/* Takes the place of the oldest call. */
static struct slot *slot_next(struct inspector *inspector)
{
    struct slot *slot = &inspector->slots[inspector->count++ % INSPECTOR_CALLS];

    names_release(slot->names);
    slot->names = NULL;
    slot->length = 0;
    slot->did.count = 0;
    slot->did.used = 0;
    slot->did.is_cut = false;
    if (!inspector_has_choice(inspector))
        inspector->chosen = 0;
    return slot;
}

static void note_wait(struct inspector *inspector, const struct poller_call *call)
{
    struct inspector_totals *totals = &inspector->totals;

    if (totals->waits == inspector->asked_waits)
        inspector->asked_begin = call->begin_ns;
    inspector->asked_end = call->end_ns;
    totals->waits++;
    totals->timeouts += call->result == 0;
    totals->events += call->result > 0 ? (uint64_t)call->result : 0;
    totals->waiting_ns += call->end_ns - call->begin_ns;
    inspector->last_wait = inspector->count;
    inspector->backend = poller_name(loop_poller(inspector->loop));
    count_wait(inspector, call);
}

void inspector_call(struct inspector *inspector, const struct poller_call *call, const char *text,
                    size_t n)
{
    const struct slot *before = kept(inspector, inspector->count - 1);
    struct names *names = before ? before->names : NULL;
    struct slot *slot;

    if (inspector->count == 0) {
        inspector->totals.since = call->begin_ns;
        inspector->newest = call->begin_ns / slice_ns;
    }
    slot = slot_next(inspector);
    strncpy(slot->name, call->name, sizeof slot->name - 1);
    slot->is_wait = call->is_wait;
    slot->result = call->result;
    slot->error = call->error;
    slot->took_ns = call->end_ns - call->begin_ns;
    if (call->is_wait)
        note_wait(inspector, call);
    else
        inspector->totals.registrations++;
    if (!text)
        return;
    slot->names = names_take(inspector, names);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0)
        slot_keep_text(slot, text, n);
}

bool inspector_wants_text(const struct inspector *inspector)
{
    return inspector->is_shown;
}

void inspector_show(struct inspector *inspector, bool show)
{
    inspector->is_shown = show;
}

/* Returns whether CLAUSE was done already, and counts it then. */
static bool did_again(struct did *did, const char *clause)
{
    for (unsigned i = 0; i < did->count; i++)
        if (strcmp(did->text + did->at[i], clause) == 0) {
            did->times[i]++;
            return true;
        }
    return false;
}

static void did_add(struct did *did, const char *clause, size_t n)
{
    size_t room = sizeof did->text - did->used;

    if (did->count == CLAUSES || n >= room) {
        did->is_cut = true;
        return;
    }
    memcpy(did->text + did->used, clause, n + 1);
    did->at[did->count] = (uint16_t)did->used;
    did->times[did->count++] = 1;
    did->used += n + 1;
}

void inspector_did(struct inspector *inspector, const char *format, ...)
{
    char clause[INSPECTOR_DID];
    struct did *did;
    va_list args;
    int n;

    if (!kept(inspector, inspector->last_wait - 1))
        return;
    did = &inspector->slots[(inspector->last_wait - 1) % INSPECTOR_CALLS].did;
    va_start(args, format);
    n = vsnprintf(clause, sizeof clause, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof clause) {
        n = sizeof clause - 1;
        memcpy(clause + n - 3, "...", 3);
    }
    if (!did_again(did, clause))
        did_add(did, clause, (size_t)n);
}

/* ---- choosing ---- */

bool inspector_has_choice(const struct inspector *inspector)
{
    return inspector->chosen > oldest(inspector);
}

void inspector_let_go(struct inspector *inspector)
{
    inspector->chosen = 0;
}

void inspector_choose(struct inspector *inspector, long step)
{
    uint64_t distance = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    uint64_t first = oldest(inspector) + 1;

    if (!inspector_has_choice(inspector))
        inspector->chosen = inspector->held = inspector->count;
    else if (step < 0)
        inspector->chosen =
            distance < inspector->chosen - first ? inspector->chosen - distance : first;
    else if (distance <= inspector->held - inspector->chosen)
        inspector->chosen += distance;
    else
        inspector_let_go(inspector);
}

/* ---- sentences ---- */

/* A call without its text still has its numbers. */
static void slot_add_line(const struct slot *slot, struct text *text)
{
    long long took = slot->took_ns / CLOCK_MICROSECOND;

    if (slot->length > 0) {
        text_add(text, "%.*s", (int)slot->length, slot->text);
        return;
    }
    text_add(text, "%s(...)", slot->name);
    names_add_result(text, slot->result, slot->error);
    text_add(text, " <%lld.%06lld>", took / 1000000, took % 1000000);
}

static void add_did(struct text *text, const struct did *did)
{
    if (did->count == 0)
        return;
    text_add(text, " The program");
    for (unsigned i = 0; i < did->count; i++) {
        text_add(text, "%s %s", i > 0 ? ";" : "", did->text + did->at[i]);
        if (did->times[i] > 1)
            text_add(text, " (%u times)", did->times[i]);
    }
    text_add(text, "%s.", did->is_cut ? "; and more" : "");
}

typedef int explain_fn(const char *line, size_t n, explain_name_fn *name_of, void *owner,
                       char *text, size_t size);

/* Adds the sentences that EXPLAIN makes of the call NUMBER, which is kept, and what was done. */
static void add_explanation(struct text *text, const struct inspector *inspector, uint64_t number,
                            explain_fn *explain)
{
    const struct slot *slot = kept(inspector, number);
    struct moment moment = {.inspector = inspector, .number = number};
    char line[INSPECTOR_TEXT];
    char words[WORDS];
    struct text whole;

    text_init(&whole, line, sizeof line);
    slot_add_line(slot, &whole);
    explain(line, strlen(line), name_at, &moment, words, sizeof words);
    text_add(text, "%s", words);
    add_did(text, &slot->did);
}

int inspector_describe_last(const struct inspector *inspector, char *bytes, size_t size)
{
    uint64_t number = inspector->last_wait - 1;
    const struct slot *slot = kept(inspector, number);
    uint64_t calls = inspector->totals.waits - inspector->asked_waits;
    struct text text;

    text_init(&text, bytes, size);
    if (!slot)
        return 0;
    if (inspector->was_asked && calls > 1) {
        text_add(&text, "%s was called %llu times within ", slot->name, (unsigned long long)calls);
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
    const struct slot *last = kept(inspector, inspector->last_wait - 1);
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

static void put_bar(struct page *page, bool has_strip)
{
    const struct inspector *inspector = page->inspector;
    struct row *row = page_begin(page);
    bool has_choice = inspector_has_choice(inspector);
    uint64_t newer = has_choice ? inspector->count - inspector->held : 0;

    row_print(row, ROW_BAR, "inspector: %s", page->scene->backend);
    if (newer > 0)
        row_print(row, ROW_BAR, "  %llu newer", (unsigned long long)newer);
    row_print(row, ROW_BAR, "  F4 closes, Up/Down choose%s", has_choice ? ", Esc lets go" : "");
    if (has_strip)
        row_print(row, ROW_BAR, "  . waited - timeout | ready # busy, 0.1 s each");
    row_pad(row, ROW_BAR, page->columns);
    page_end(page);
}

/* The number of the slice that comes after the last one that is over. */
static int64_t slice_now(const struct inspector *inspector)
{
    return loop_now(inspector->loop) / slice_ns;
}

/* Sums up the WINDOW; returns how long that is, which can be 0. */
static int64_t sum_window(const struct inspector *inspector, struct slice *sum)
{
    int64_t end = slice_now(inspector);
    int64_t begin = greater(inspector->totals.since, (end - WINDOW) * slice_ns);

    *sum = (struct slice){0};
    for (int64_t number = end - WINDOW; number < end; number++) {
        const struct slice *slice = slice_at(inspector, number);

        sum->waiting_ns += slice->waiting_ns;
        sum->bytes += slice->bytes;
        sum->reads += slice->reads;
        sum->waits += slice->waits;
        sum->timeouts += slice->timeouts;
    }
    return inspector->count > 0 ? greater(end * slice_ns - begin, 0) : 0;
}

static void add_rate(struct row *row, const char *what, uint32_t count, int64_t ns)
{
    double rate = ns > 0 ? (double)count * CLOCK_SECOND / (double)ns : 0;

    row_print(row, ROW_PLAIN, rate < 9.95 ? "  %s %.1f/s" : "  %s %.0f/s", what, rate);
}

static void put_meters(struct page *page)
{
    struct row *row = page_begin(page);
    struct slice sum;
    int64_t window_ns = sum_window(page->inspector, &sum);
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

static char strip_cell(const struct inspector *inspector, int64_t number)
{
    const struct slice *slice = slice_at(inspector, number);
    int64_t newest = greater(inspector->newest, slice_now(inspector));
    int64_t begin = greater(number * slice_ns, inspector->totals.since);
    int64_t length = (number + 1) * slice_ns - begin;

    if (inspector->count == 0 || length <= 0 || number <= newest - INSPECTOR_SLICES)
        return ' ';
    if (2 * slice->waiting_ns < length)
        return '#';
    return slice->events > 0 ? '|' : slice->timeouts > 0 ? '-' : '.';
}

static void put_strip(struct page *page)
{
    struct row *row = page_begin(page);
    int64_t first = slice_now(page->inspector) - (int64_t)page->columns;

    for (size_t i = 0; i < page->columns; i++) {
        char cell = strip_cell(page->inspector, first + (int64_t)i);

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
    char name[WATCHED_NAME];
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

/* Adds row INDEX of ROWS of the table, the heading first; WIDTH is what it may take. */
static void add_table_row(struct row *row, const struct watches *watches, size_t index, size_t rows,
                          size_t width)
{
    size_t others = TABLE_FD + 2 * TABLE_FLAGS + TABLE_COUNT;
    size_t what = width > others + TABLE_FLAGS ? width - others : TABLE_FLAGS;
    size_t shown = listed(watches) < rows - 1 ? listed(watches) : rows - 1;

    if (shown < watches->count && shown > 0)
        shown--;
    if (index == 0)
        add_table_heading(row, what < TABLE_WHAT ? what : TABLE_WHAT);
    else if (index <= shown)
        add_table_watch(row, watches->list[index - 1], what < TABLE_WHAT ? what : TABLE_WHAT);
    else if (index == shown + 1 && shown < watches->count)
        row_print(row, ROW_DIM, "     %zu more", watches->count - shown);
}

/* ---- the calls ---- */

static enum row_style style_of(const struct slot *slot)
{
    if (slot->result < 0)
        return ROW_BAD;
    if (!slot->is_wait)
        return ROW_PLAIN;
    return slot->result > 0 ? ROW_GOOD : ROW_DIM;
}

/* The number + 1 of the call in the lowest of ROWS: the newest, or the newest of the list that
 * stands still, unless the chosen one would be above the highest row then. */
static uint64_t lowest_call(const struct inspector *inspector, size_t rows)
{
    if (!inspector_has_choice(inspector))
        return inspector->count;
    if (inspector->chosen + rows > inspector->held)
        return inspector->held;
    return inspector->chosen + rows - 1;
}

static void add_call(struct row *row, const struct inspector *inspector, uint64_t number,
                     size_t width)
{
    const struct slot *slot = kept(inspector, number);
    bool is_chosen = inspector_has_choice(inspector) && number + 1 == inspector->chosen;
    char line[INSPECTOR_TEXT];
    struct text text;

    if (!slot)
        return;
    text_init(&text, line, sizeof line);
    slot_add_line(slot, &text);
    add_cell(row, is_chosen ? ROW_MARK : style_of(slot), width, line);
}

/* ---- sentences in rows ---- */

/* A text that is broken into rows between its words. */
struct wrap {
    const char *rest; /* what has not been looked at */
    struct row word;  /* the word that comes next, made visible ... */
    size_t done;      /* ... and how much of it is in rows already */
};

static void wrap_init(struct wrap *wrap, const char *text)
{
    wrap->rest = text;
    row_init(&wrap->word, ROW_COLUMNS_MAX);
    wrap->done = 0;
}

/* Makes the next word ready; false at the end of a paragraph. */
static bool wrap_next_word(struct wrap *wrap)
{
    size_t n;

    if (wrap->done < wrap->word.length)
        return true;
    wrap->rest += strspn(wrap->rest, " ");
    n = strcspn(wrap->rest, " \n");
    row_init(&wrap->word, ROW_COLUMNS_MAX);
    row_add(&wrap->word, ROW_PLAIN, wrap->rest, n);
    wrap->done = 0;
    wrap->rest += n;
    return wrap->word.length > 0;
}

/* Puts what fits of the word into ROW; false where the row is full. What is too long for any row is
 * broken. */
static bool wrap_put_word(struct wrap *wrap, struct row *row)
{
    const char *shown = wrap->word.bytes + wrap->done;
    size_t length = wrap->word.length - wrap->done;
    size_t gap = row->used > 0;
    size_t fit;

    if (gap && row->used + gap + sanitize_width(shown, length) > row->columns)
        return false;
    row_pad(row, ROW_PLAIN, row->used + gap);
    fit = sanitize_fit(shown, length, row->columns - row->used);
    row_add_shown(row, ROW_PLAIN, shown, fit);
    wrap->done += fit > 0 ? fit : length;
    return fit == length;
}

/* Fills ROW, which is empty, with the next words. Returns false when there were none any more. */
static bool wrap_row(struct wrap *wrap, struct row *row)
{
    if (*wrap->rest == '\n')
        wrap->rest++;
    if (wrap->done == wrap->word.length && *wrap->rest == '\0')
        return false;
    while (wrap_next_word(wrap) && wrap_put_word(wrap, row))
        continue;
    return true;
}

static size_t wrap_count(const char *text, size_t columns)
{
    struct wrap wrap;
    struct row row;
    size_t count = 0;

    wrap_init(&wrap, text);
    for (;;) {
        row_init(&row, columns);
        if (!wrap_row(&wrap, &row))
            return count;
        count++;
    }
}

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

    if (rows < 2 * LEAST_TABLE)
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
