/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin --selftest, the table in pollspin(7), and poll(2) as it is known without either say the
 * same.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "kit/kit.h"

enum { COLUMNS = 16, ROWS = 100, LABEL = 21, NAME = 40, CELL = 12, SCREEN = 80 };

struct row {
    char group[NAME];
    char name[NAME];
    bool is_marked;
    char cells[COLUMNS][CELL];
};

struct table {
    char columns[COLUMNS][CELL];
    int column_count;
    struct row rows[ROWS];
    int row_count;
};

/* ---- reading a table ---- */

/* Copies the next line without its newline, and returns what is behind it; NULL after the last. */
static const char *next_line(const char *text, char line[256])
{
    size_t length = strcspn(text, "\n");

    if (*text == '\0')
        return NULL;
    assert_in_range(length, 0, 255);
    memcpy(line, text, length);
    line[length] = '\0';
    return text + length + (text[length] == '\n');
}

/* Splits TEXT at spaces, and returns how many words there are. */
static int read_words(const char *text, char words[COLUMNS][CELL])
{
    int count = 0;
    int used;

    while (count < COLUMNS && sscanf(text, "%11s%n", words[count], &used) == 1) {
        text += used;
        count++;
    }
    return count;
}

static void copy_trimmed(char to[NAME], const char *from, int length)
{
    while (length > 0 && from[length - 1] == ' ')
        length--;
    assert_in_range(length, 1, NAME - 1);
    snprintf(to, NAME, "%.*s", length, from);
}

static void read_row(struct table *table, const char *group, const char *line)
{
    struct row *row = &table->rows[table->row_count++];

    assert_in_range(table->row_count, 1, ROWS);
    assert_in_range(strlen(line), LABEL, SCREEN);
    copy_trimmed(row->group, group, (int)strlen(group));
    copy_trimmed(row->name, line + 2, LABEL - 2);
    row->is_marked = line[0] == '*';
    assert_int_equal(read_words(line + LABEL, row->cells), table->column_count);
}

/* The table stands between two empty lines, its header first. */
static void read_table(struct table *table, const char *text)
{
    char line[256];
    char group[256] = "";

    *table = (struct table){.row_count = 0};
    while ((text = next_line(text, line)) && *line != '\0')
        ;
    assert_non_null(text);
    text = next_line(text, line);
    assert_non_null(text);
    table->column_count = read_words(line, table->columns);
    while ((text = next_line(text, line)) && *line != '\0')
        if (line[0] == ' ' || line[0] == '*')
            read_row(table, group, line);
        else
            strcpy(group, line);
    assert_in_range(table->row_count, 20, ROWS);
}

static int find_column(const struct table *table, const char *name)
{
    int column = table->column_count - 1;

    while (column >= 0 && strcmp(table->columns[column], name) != 0)
        column--;
    return column;
}

static const struct row *find_row(const struct table *table, const char *group, const char *name)
{
    for (int i = 0; i < table->row_count; i++)
        if (strcmp(table->rows[i].group, group) == 0 && strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

static struct kit_process *run(void)
{
    struct kit_process *program = kit_run("pollspin", "--selftest", NULL);

    assert_int_equal(kit_end(program), 0);
    assert_string_equal(kit_stderr(program), "");
    return program;
}

static void run_table(struct table *table)
{
    read_table(table, kit_stdout(run(), NULL));
}

/* ---- the manual ---- */

/* The table in a literal display between the comments about the selftest. */
static void read_manual(struct table *table)
{
    static char text[200000];
    FILE *file = fopen(MANUAL, "r");
    char *begin;
    char *end;

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    begin = strstr(text, ".\\\" selftest begins\n");
    assert_non_null(begin);
    begin = strstr(begin, ".Bd -literal\n");
    assert_non_null(begin);
    end = strstr(begin, ".Ed\n");
    assert_non_null(end);
    *end = '\0';
    read_table(table, strchr(begin, '\n') + 1);
}

/* Returns the number of rows that both have. */
static int compare_column(const struct table *manual, int manual_column,
                          const struct table *program, int program_column)
{
    int compared = 0;

    for (int i = 0; i < program->row_count; i++) {
        const struct row *ours = &program->rows[i];
        const struct row *its = find_row(manual, ours->group, ours->name);

        if (!its)
            continue;
        compared++;
        if (strcmp(ours->cells[program_column], its->cells[manual_column]) != 0)
            fail_msg("%s, %s, %s: the program says %s, the manual %s", ours->group, ours->name,
                     program->columns[program_column], ours->cells[program_column],
                     its->cells[manual_column]);
    }
    return compared;
}

static void say_what_is_missing(const struct table *has, const struct table *lacks,
                                const char *where)
{
    for (int i = 0; i < has->column_count; i++)
        if (find_column(lacks, has->columns[i]) < 0)
            print_message("not compared: %s has no %s\n", where, has->columns[i]);
}

static void it_is_what_the_manual_says(void **state)
{
    static const char *const always[] = {"select", "poll", "epoll"};
    static struct table manual, program;
    struct utsname system;

    (void)state;
    if (uname(&system) < 0 || strcmp(system.sysname, "Linux") != 0)
        kit_skip("the table in the manual was made on Linux");
    read_manual(&manual);
    run_table(&program);
    for (int i = 0; i < program.column_count; i++) {
        int column = find_column(&manual, program.columns[i]);

        if (column >= 0)
            assert_int_equal(compare_column(&manual, column, &program, i), manual.row_count);
    }
    say_what_is_missing(&manual, &program, "this system");
    say_what_is_missing(&program, &manual, "the manual");
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        assert_true(find_column(&program, always[i]) >= 0);
        assert_true(find_column(&manual, always[i]) >= 0);
    }
}

/* ---- what is known without either ---- */

/* From poll(2), select(2), epoll(7), pipe(7), unix(7) and tcp(7). */
static const struct known {
    const char *group;
    const char *name;
    const char *poll;
    const char *epoll;
    const char *select;
} known[] = {
    {"pipe, reading end", "idle", "-", "-", "-"},
    {"pipe, reading end", "data", "i", "i", "i"},
    {"pipe, reading end", "writer closed", "h", "h", "i"},
    {"pipe, reading end", "data, then closed", "ih", "ih", "i"},
    {"pipe, writing end", "idle", "o", "o", "o"},
    {"pipe, writing end", "full", "-", "-", "-"},
    {"pipe, writing end", "reader closed", "oe", "oe", "io"},
    {"fifo, reading end", "no writer yet", "-", "-", "-"},
    {"fifo, reading end", "next writer came", "-", "-", "-"},
    {"socketpair", "idle", "o", "o", "o"},
    {"socketpair", "full", "-", "-", "-"},
    {"socketpair", "peer half-closed", "ior", "ior", "io"},
    {"socketpair", "peer closed", "iohr", "iohr", "io"},
    {"tcp", "data", "io", "io", "io"},
    {"tcp", "urgent byte", "op", "op", "op"},
    {"tcp", "full", "-", "-", "-"},
    {"tcp", "peer closed", "ior", "ior", "io"},
    {"tcp", "both ways closed", "iohr", "iohr", "io"},
    {"tcp", "reset", "ioehr", "ioehr", "io"},
    {"tty", "half a line", "o", "o", "o"},
    {"tty", "a line", "io", "io", "io"},
    {"tty", "output stopped", "-", "-", "-"},
    {"regular file", "at its end", "io", "io", "io"},
    {"/dev/null", "open", "io", "io", "io"},
    {"timerfd", "idle", "-", "-", "-"},
    {"timerfd", "expired", "i", "i", "i"},
    {"closed behind the poller's back", "tcp", "n", "-", "n"},
    {"closed behind the poller's back", "regular file", "n", "n", "n"},
};

/* All but two ask what poll(2) asks. */
static const char *known_cell(const struct known *known_row, const char *column)
{
    if (strcmp(column, "epoll") == 0)
        return known_row->epoll;
    return strcmp(column, "select") == 0 ? known_row->select : known_row->poll;
}

static void assert_column_is_known(const struct table *table, int column)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct row *row = find_row(table, known[i].group, known[i].name);

        if (!row)
            fail_msg("no row %s, %s", known[i].group, known[i].name);
        if (strcmp(row->cells[column], known_cell(&known[i], table->columns[column])) != 0)
            fail_msg("%s, %s, %s: %s", row->group, row->name, table->columns[column],
                     row->cells[column]);
    }
}

static void it_is_what_is_known(void **state)
{
    static struct table table;
    struct utsname system;

    (void)state;
    if (uname(&system) < 0 || strcmp(system.sysname, "Linux") != 0)
        kit_skip("what is known is known of Linux");
    run_table(&table);
    for (int i = 0; i < table.column_count; i++)
        if (strcmp(table.columns[i], "kqueue") != 0)
            assert_column_is_known(&table, i);
}

/* ---- its form ---- */

static bool is_uniform(const struct table *table, const struct row *row)
{
    for (int i = 1; i < table->column_count; i++)
        if (strcmp(row->cells[i], row->cells[0]) != 0)
            return false;
    return true;
}

/* A hang-up of a pipe and a closed descriptor are told differently wherever there is select beside
 * poll, or epoll. */
static void a_mark_means_a_difference(void **state)
{
    static struct table table;
    const struct row *row;

    (void)state;
    run_table(&table);
    for (int i = 0; i < table.row_count; i++)
        if (is_uniform(&table, &table.rows[i]))
            assert_false(table.rows[i].is_marked);
    row = find_row(&table, "pipe, reading end", "writer closed");
    assert_true(row->is_marked);
    row = find_row(&table, "closed behind the poller's back", "socketpair");
    assert_true(row->is_marked || find_column(&table, "epoll") < 0);
    row = find_row(&table, "tcp", "idle");
    assert_false(row->is_marked);
}

static void it_fits_a_terminal(void **state)
{
    struct kit_process *program = run();
    const char *text = kit_stdout(program, NULL);
    char line[256];

    (void)state;
    while ((text = next_line(text, line))) {
        assert_in_range(strlen(line), 0, SCREEN);
        for (const char *byte = line; *byte != '\0'; byte++)
            assert_true(isprint((unsigned char)*byte));
    }
}

/* ---- what can go wrong ---- */

static struct kit_process *run_in_shell(const char *script)
{
    return kit_run("sh", "-c", script, kit_program("pollspin"), NULL);
}

static void few_descriptors_are_enough(void **state)
{
    struct kit_process *program = run_in_shell("ulimit -n 20; exec \"$0\" --selftest");
    static struct table table;

    (void)state;
    assert_int_equal(kit_end(program), 0);
    read_table(&table, kit_stdout(program, NULL));
}

static void too_few_descriptors_are_told(void **state)
{
    struct kit_process *program = run_in_shell("ulimit -n 5; exec \"$0\" --selftest");

    (void)state;
    kit_end_saying(program, 1, "Too many open files");
    assert_non_null(strstr(kit_stderr(program), "pollspin: selftest: "));
    assert_string_equal(kit_stdout(program, NULL), "");
}

static int count_files(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void nothing_is_left_behind(void **state)
{
    const char *folder = kit_folder();
    int before = count_files(folder);

    (void)state;
    kit_env("TMPDIR", folder);
    run();
    assert_int_equal(count_files(folder), before);
}

static void no_folder_is_told(void **state)
{
    (void)state;
    kit_end_saying(run_in_shell("TMPDIR=/nonexistent exec \"$0\" --selftest"), 1,
                   "fifo, reading end, no writer yet");
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    kit_end_saying(run_in_shell("exec \"$0\" --selftest >/dev/full"), 1, "standard output");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_what_the_manual_says, kit_cleanup),
        cmocka_unit_test_teardown(it_is_what_is_known, kit_cleanup),
        cmocka_unit_test_teardown(a_mark_means_a_difference, kit_cleanup),
        cmocka_unit_test_teardown(it_fits_a_terminal, kit_cleanup),
        cmocka_unit_test_teardown(few_descriptors_are_enough, kit_cleanup),
        cmocka_unit_test_teardown(too_few_descriptors_are_told, kit_cleanup),
        cmocka_unit_test_teardown(nothing_is_left_behind, kit_cleanup),
        cmocka_unit_test_teardown(no_folder_is_told, kit_cleanup),
        cmocka_unit_test_teardown(a_full_disk_is_told, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
