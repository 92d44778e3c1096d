/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table: a row is a situation, a column is a backend.
 *
 * A descriptor is registered when it is in its situation, but for one that is closed behind the
 * poller's back. All is level-triggered and nothing is waited for: what is so is reported at once,
 * and the backend blocking would sit there for ever.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "client/selftest.h"
#include "client/situations.h"
#include "poller/names.h"
#include "pollspin/poller.h"

enum { SELFTEST_COLUMNS = 16, SELFTEST_ROWS = 100 };

enum { SELFTEST_LABEL = 19, SELFTEST_CELL = 5 /* "ioehr" */ };

enum {
    SELFTEST_ASKED = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_RDHUP,
    /* What a backend may have no word for. */
    SELFTEST_WORDS = POLLER_PRI | POLLER_ERR | POLLER_HUP | POLLER_RDHUP
};

static const struct {
    unsigned flag;
    char letter;
} selftest_letters[] = {
    {POLLER_IN, 'i'},  {POLLER_OUT, 'o'},   {POLLER_PRI, 'p'},     {POLLER_ERR, 'e'},
    {POLLER_HUP, 'h'}, {POLLER_RDHUP, 'r'}, {POLLER_INVALID, 'n'}, {0, 0},
};

static const char selftest_legend[] =
    "One wait of each, asked for IN, OUT, PRI and RDHUP as far as it can be:\n"
    "i IN, o OUT, p PRI, e ERR, h HUP, r RDHUP, n INVALID, - nothing.\n"
    "A descriptor was registered when it was so; one that is closed, before.\n"
    "* two of them differ, not only in a letter that one of them never shows.\n";

/* What rows teach in which the backend differs from poll. */
static const struct {
    const char *backend;
    const char *lesson;
} selftest_lessons[] = {
    {"select", "shows a hang-up as i, and an error as i and o"},
    {"epoll", "forgets an open file with its last descriptor, and says nothing"},
    {"kqueue", "forgets a descriptor that is closed, and says nothing"},
};

enum { SELFTEST_LESSONS = sizeof selftest_lessons / sizeof *selftest_lessons };

struct selftest_cell {
    unsigned ready;
    int error; /* of poller_add; 0: none */
};

struct selftest_column {
    struct poller_info info;
    struct poller *poller; /* one for all rows; empty between them */
    unsigned shown;        /* in any of its cells */
};

struct selftest {
    struct selftest_column columns[SELFTEST_COLUMNS];
    int column_count;
    int row_count;
    struct selftest_cell cells[SELFTEST_ROWS][SELFTEST_COLUMNS];
    struct {
        const char *name;
        char why[128];
    } missing[SELFTEST_COLUMNS];
    int missing_count;
};

/* ---- doing it ---- */

static void selftest_add_missing(struct selftest *test, const char *name, const char *why)
{
    test->missing[test->missing_count].name = name;
    snprintf(test->missing[test->missing_count].why, sizeof test->missing->why, "%s", why);
    test->missing_count++;
}

/* A backend that is compiled in can be refused all the same: io_uring by a setting of the kernel.
 * Having run out of something is another matter. */
static int selftest_add_column(struct selftest *test, const struct poller_info *info)
{
    struct poller *poller = poller_open(info->name);

    if (poller)
        test->columns[test->column_count++] =
            (struct selftest_column){.info = *info, .poller = poller};
    else if (info->missing)
        selftest_add_missing(test, info->name, info->missing);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        return -1;
    else
        selftest_add_missing(test, info->name, strerror(errno));
    return 0;
}

static int selftest_add_columns(struct selftest *test, char *where, size_t size)
{
    struct poller_info info;

    for (size_t i = 0; i < SELFTEST_COLUMNS && poller_list(i, &info) == 0; i++)
        if (selftest_add_column(test, &info) < 0) {
            snprintf(where, size, "opening %s", info.name);
            return -1;
        }
    return 0;
}

/* That it is refused is an answer too. */
static void selftest_register(const struct selftest_column *column, int fd,
                              struct selftest_cell *cell)
{
    if (poller_add(column->poller, fd, column->info.supports & SELFTEST_ASKED, NULL) < 0)
        cell->error = errno;
}

static int selftest_fill_cell(struct selftest_column *column, const struct situation *situation,
                              bool closes_fd, struct selftest_cell *cell)
{
    struct situation_ends ends = {-1, -1};
    struct poller_event event = {.ready = 0};
    int result = situation->open(&ends);
    int fd = ends.fd;
    int error;

    if (result == 0 && closes_fd)
        selftest_register(column, fd, cell);
    if (result == 0)
        result = situation_make(situation, &ends);
    if (result == 0 && !closes_fd)
        selftest_register(column, fd, cell);
    if (result == 0)
        result = poller_wait(column->poller, &event, 1, 0) < 0 ? -1 : 0;
    cell->ready = event.ready;
    column->shown |= event.ready;
    error = errno;
    poller_remove(column->poller, fd);
    situation_close(&ends);
    errno = error;
    return result;
}

static int selftest_fill_row(struct selftest *test, const struct situation_group *group,
                             const struct situation *situation, int row, char *where, size_t size)
{
    assert(row < SELFTEST_ROWS);
    for (int i = 0; i < test->column_count; i++)
        if (selftest_fill_cell(&test->columns[i], situation, group->closes_fd,
                               &test->cells[row][i]) < 0) {
            snprintf(where, size, "%s, %s, with %s", group->name, situation->name,
                     test->columns[i].info.name);
            return -1;
        }
    return 0;
}

static int selftest_fill(struct selftest *test, char *where, size_t size)
{
    for (const struct situation_group *group = situation_groups; group->name; group++)
        for (const struct situation *one = group->situations; one->name; one++)
            if (selftest_fill_row(test, group, one, test->row_count++, where, size) < 0)
                return -1;
    return 0;
}

/* ---- comparing ---- */

/* Whether two of them differ in what both have a word for. */
static bool selftest_cells_differ(const struct selftest *test, int row, int a, int b)
{
    const struct selftest_cell *cells = test->cells[row];
    unsigned common = test->columns[a].shown & test->columns[b].shown;
    unsigned compared = (common & SELFTEST_WORDS) | ~(unsigned)SELFTEST_WORDS;

    return cells[a].error != cells[b].error || ((cells[a].ready ^ cells[b].ready) & compared) != 0;
}

static bool selftest_row_differs(const struct selftest *test, int row)
{
    for (int a = 0; a < test->column_count; a++)
        for (int b = 0; b < a; b++)
            if (selftest_cells_differ(test, row, a, b))
                return true;
    return false;
}

static bool selftest_columns_differ(const struct selftest *test, int a, int b)
{
    for (int row = 0; row < test->row_count; row++)
        if (selftest_cells_differ(test, row, a, b))
            return true;
    return false;
}

/* Returns the number of the column, or -1 where the backend is missing. */
static int selftest_find(const struct selftest *test, const char *name)
{
    int column = test->column_count - 1;

    while (column >= 0 && strcmp(test->columns[column].info.name, name) != 0)
        column--;
    return column;
}

/* ---- printing ---- */

static void selftest_write_letters(char *letters, unsigned ready)
{
    for (int i = 0; selftest_letters[i].flag; i++)
        if (ready & selftest_letters[i].flag)
            *letters++ = selftest_letters[i].letter;
    *letters = '\0';
}

/* Only names.c knows the names of errors, so the name is cut out of what that writes. */
static void selftest_write_error(char *name, size_t size, int error)
{
    char result[128];
    struct text text;

    text_init(&text, result, sizeof result);
    names_add_result(&text, -1, error);
    snprintf(name, size, "%.*s", (int)strcspn(result + strlen(" = -1 "), " "),
             result + strlen(" = -1 "));
}

static void selftest_write_cell(char *text, size_t size, const struct selftest_cell *cell)
{
    if (cell->error)
        selftest_write_error(text, size, cell->error);
    else if (cell->ready)
        selftest_write_letters(text, cell->ready);
    else
        snprintf(text, size, "-");
}

/* The last column is not filled up with spaces. */
static void selftest_print_cell(FILE *out, const struct selftest *test, int column,
                                const char *text)
{
    int width = (int)strlen(test->columns[column].info.name);

    if (column == test->column_count - 1)
        width = 0;
    else if (width < SELFTEST_CELL)
        width = SELFTEST_CELL;
    fprintf(out, " %-*s", width, text);
}

static void selftest_print_row(FILE *out, const struct selftest *test, const char *name, int row)
{
    char text[16];

    fprintf(out, "%c %-*s", selftest_row_differs(test, row) ? '*' : ' ', SELFTEST_LABEL, name);
    for (int i = 0; i < test->column_count; i++) {
        selftest_write_cell(text, sizeof text, &test->cells[row][i]);
        selftest_print_cell(out, test, i, text);
    }
    fputc('\n', out);
}

static void selftest_print_rows(FILE *out, const struct selftest *test)
{
    int row = 0;

    fprintf(out, "\n  %-*s", SELFTEST_LABEL, "");
    for (int i = 0; i < test->column_count; i++)
        selftest_print_cell(out, test, i, test->columns[i].info.name);
    fputc('\n', out);
    for (const struct situation_group *group = situation_groups; group->name; group++) {
        fprintf(out, "%s\n", group->name);
        for (const struct situation *one = group->situations; one->name; one++)
            selftest_print_row(out, test, one->name, row++);
    }
}

/* "select never shows e, h, r", or nothing. */
static void selftest_print_unknown(FILE *out, const struct selftest_column *column)
{
    char letters[sizeof selftest_letters / sizeof *selftest_letters];

    selftest_write_letters(letters, SELFTEST_WORDS & ~column->shown);
    if (*letters != '\0')
        fprintf(out, "%s never shows", column->info.name);
    for (const char *letter = letters; *letter != '\0'; letter++)
        fprintf(out, "%s %c%s", letter == letters ? "" : ",", *letter, letter[1] ? "" : "\n");
}

static void selftest_print_lesson(FILE *out, const struct selftest *test, int lesson)
{
    int column = selftest_find(test, selftest_lessons[lesson].backend);
    int poll = selftest_find(test, "poll");

    if (column >= 0 && poll >= 0 && selftest_columns_differ(test, column, poll))
        fprintf(out, "* %s %s\n", selftest_lessons[lesson].backend,
                selftest_lessons[lesson].lesson);
}

static void selftest_print(FILE *out, const struct selftest *test)
{
    struct utsname system;

    if (uname(&system) == 0)
        fprintf(out, "%s %s\n", system.sysname, system.release);
    fputs(selftest_legend, out);
    selftest_print_rows(out, test);
    fputc('\n', out);
    for (int i = 0; i < test->column_count; i++)
        selftest_print_unknown(out, &test->columns[i]);
    for (int i = 0; i < SELFTEST_LESSONS; i++)
        selftest_print_lesson(out, test, i);
    for (int i = 0; i < test->missing_count; i++)
        fprintf(out, "not here: %s: %s\n", test->missing[i].name, test->missing[i].why);
}

static char *selftest_text(const struct selftest *test)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool has_failed;

    if (!out)
        return NULL;
    selftest_print(out, test);
    has_failed = ferror(out);
    if (fclose(out) == 0 && !has_failed)
        return text;
    free(text);
    errno = ENOMEM;
    return NULL;
}

static void selftest_free(struct selftest *test)
{
    for (int i = 0; i < test->column_count; i++)
        poller_close(test->columns[i].poller);
    free(test);
}

char *selftest_table(char *where, size_t size)
{
    struct selftest *test = calloc(1, sizeof *test);
    char *text = NULL;
    int error;

    snprintf(where, size, "the table");
    if (!test)
        return NULL;
    if (selftest_add_columns(test, where, size) == 0 && selftest_fill(test, where, size) == 0)
        text = selftest_text(test);
    error = errno;
    selftest_free(test);
    errno = error;
    return text;
}
