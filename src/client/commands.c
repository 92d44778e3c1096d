/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new command is a row of the table below, and a function of app.h that does it: what is run,
 * listed, explained, completed and guessed at all comes out of that table.
 *
 * A word is understood as long as it is the beginning of one name and of no other. What is wrong is
 * told with what would be right; for a name that is not there that is the one with the least
 * distance (Levenshtein: how many letters must be put in, left out or changed), where that is so
 * small that it is likely to be a slip of the finger.
 */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/app.h"
#include "client/commands.h"
#include "pollspin/poller.h"
#include "ui/spinner.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define BLANKS " \t"

enum {
    ARGUMENT = 4096,   /* bytes, with the NUL: as long as a path may be */
    CANDIDATES = 2048, /* bytes of a list of them; what does not fit is left out */
    NAME = 32,         /* bytes of a command's name, with the NUL */
    HELP_COLUMN = 24,  /* where the explanations begin */
    SLIP = 2           /* a name further away than that is not what was meant */
};

/* Returns number INDEX of what an argument may be, borrowed; NULL past the last one. */
typedef const char *candidate_fn(const struct app *app, size_t index);

struct command {
    const char *name;
    const char
        *argument; /* for people, in brackets where it may be left out; NULL: it takes none */
    const char *summary;
    const char *detail;                                 /* what /help NAME says besides */
    void (*run)(struct app *app, const char *argument); /* ARGUMENT is NULL where it is left out */
    void (*act)(struct app *app);                       /* the same for one that takes none */
    candidate_fn *candidate;                            /* NULL: its argument is not completed */
};

static void help(struct app *app, const char *name);
static candidate_fn command_name;
static candidate_fn backend_name;
static candidate_fn spinner_name;

static const struct command commands[] = {
    {.name = "help",
     .argument = "[NAME]",
     .summary = "list the commands and keys, or explain a command",
     .detail = "A name may be cut as short as it stays clear; Tab completes it.",
     .run = help,
     .candidate = command_name},
    {.name = "connect",
     .argument = "TARGET",
     .summary = "connect to one more server",
     .detail = "TARGET is HOST, HOST:PORT, [V6]:PORT or unix:PATH.",
     .run = app_connect,
     .candidate = app_target},
    {.name = "close",
     .summary = "close the connection in focus",
     .detail = "What waits to try again stops trying; what has ended leaves the screen.",
     .act = app_close},
    {.name = "focus",
     .argument = "[N|TARGET]",
     .summary = "type to connection N, to TARGET, or to the next one",
     .detail = "N stands in front of the status rows; a part of TARGET will do.",
     .run = app_focus,
     .candidate = app_target},
    {.name = "backend",
     .argument = "NAME",
     .summary = "wait with another system call from now on",
     .detail = "The connections go on and lose nothing; the inspector shows the change.",
     .run = app_set_backend,
     .candidate = backend_name},
    {.name = "spinner",
     .argument = "NAME",
     .summary = "turn another spinner",
     .detail = "Tab lists them; one that is not ASCII needs a UTF-8 locale.",
     .run = app_set_spinner,
     .candidate = spinner_name},
    {.name = "tick",
     .argument = "MS",
     .summary = "milliseconds between two frames, from 1 to 10000",
     .detail = "The shorter it is, the more often the wait is over with nothing ready.",
     .run = app_set_tick},
    {.name = "inspect",
     .summary = "show or hide the inspector",
     .detail = "It shows what the kernel was asked, what it said, and how long it took.",
     .act = app_toggle_inspector},
    {.name = "step",
     .summary = "begin or end step mode",
     .detail = "The loop stops before each wait; F5 lets it make one turn and tells of it.",
     .act = app_toggle_step},
    {.name = "pause",
     .summary = "stop reading the connection in focus, or go on",
     .detail = "Nothing is lost: the server has to wait until reading goes on.",
     .act = app_toggle_pause},
    {.name = "timestamps",
     .argument = "[FORMAT]",
     .summary = "show when each line came, or show it no longer",
     .detail = "FORMAT is that of strftime(3), such as %H:%M:%S.",
     .run = app_toggle_timestamps},
    {.name = "log",
     .argument = "[FILE]",
     .summary = "write what comes to FILE; without it, no longer",
     .detail = "It is added to the end of FILE, made visible as it is on the screen.",
     .run = app_log},
    {.name = "find",
     .argument = "[TEXT]",
     .summary = "find TEXT further up; without it, the next one",
     .detail = "Letters from a to z are found in either case; what is found is marked.",
     .run = app_find},
    {.name = "clear",
     .summary = "forget the lines that were received",
     .detail = "The connections go on, and so do their counts.",
     .act = app_clear},
    {.name = "stats",
     .summary = "show what was counted and measured",
     .detail = "Of each connection, and of the loop.",
     .act = app_stats},
    {.name = "quit",
     .summary = "close all connections and leave",
     .detail = "The last lines are then on the screen of before.",
     .act = app_quit},
};

static const struct {
    const char *name;
    const char *summary;
} keys[] = {
    {"Enter", "send the line, or run the command"},
    {"Tab", "complete a command or what it takes"},
    {"Up, Down", "lines typed before"},
    {"Ctrl-R", "search them"},
    {"PgUp, PgDn", "scroll"},
    {"Home, End", "scroll to the top or bottom, on an empty line"},
    {"F1", "this help"},
    {"F2", "the next connection"},
    {"F3", "find again"},
    {"F4", "the inspector: Up and Down choose a call and"},
    {"", "explain it, Esc gives the keys back"},
    {"F5", "step mode, and in it one turn of the loop"},
    {"Ctrl-C", "clear the line; leave, where it is empty"},
    {"Ctrl-D", "leave, where the line is empty"},
    {"Ctrl-Z", "stop; the shell's fg goes on"},
    {"Ctrl-L", "paint the screen anew"},
};

/* ---- what can be completed ---- */

static const char *command_name(const struct app *app, size_t index)
{
    (void)app;
    return index < COUNT(commands) ? commands[index].name : NULL;
}

/* Those that this system lacks are left out. */
static const char *backend_name(const struct app *app, size_t index)
{
    struct poller_info info;

    (void)app;
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        if (!info.missing && index-- == 0)
            return info.name;
    return NULL;
}

static const char *spinner_name(const struct app *app, size_t index)
{
    const struct spinner *spinner = spinner_list(index);

    (void)app;
    return spinner ? spinner->name : NULL;
}

/* The candidates that begin with what was typed. */
struct matches {
    size_t count;
    const char *first;
    size_t common; /* bytes at the start that are the same in all of them */
    char list[CANDIDATES];
};

/* There may be several connections to one target. */
static bool is_repeated(const struct app *app, candidate_fn *candidate, size_t index)
{
    const char *name = candidate(app, index);

    for (size_t i = 0; i < index; i++)
        if (strcmp(candidate(app, i), name) == 0)
            return true;
    return false;
}

static size_t common_length(const char *a, const char *b, size_t n)
{
    size_t same = 0;

    while (same < n && a[same] == b[same])
        same++;
    return same;
}

static void matches_find(struct matches *matches, const struct app *app, candidate_fn *candidate,
                         const char *typed, size_t n)
{
    const char *name;
    struct text list;

    *matches = (struct matches){.count = 0};
    text_init(&list, matches->list, sizeof matches->list);
    for (size_t i = 0; (name = candidate(app, i)); i++) {
        if (strncmp(name, typed, n) != 0 || is_repeated(app, candidate, i))
            continue;
        if (matches->count++ == 0) {
            matches->first = name;
            matches->common = strlen(name);
        }
        matches->common = common_length(matches->first, name, matches->common);
        text_add(&list, "%s%s", matches->count > 1 ? " " : "", name);
    }
}

/* Half a character of UTF-8 must not get into the line: two may begin with the same byte. */
static size_t whole_characters(const char *text, size_t n)
{
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Writes what can be added to the N bytes that were typed; too long for INSERT is nothing. */
static void matches_insert(const struct matches *matches, size_t n, char *insert, size_t size)
{
    size_t end = whole_characters(matches->first, matches->common);
    int added;

    if (end < n)
        end = n;
    added = snprintf(insert, size, "%.*s%s", (int)(end - n), matches->first + n,
                     matches->count == 1 ? " " : "");
    if (added < 0 || (size_t)added >= size)
        insert[0] = '\0';
}

/* ---- names ---- */

/* Returns the command called NAME, or the only one that begins with it; else NULL. */
static const struct command *command_match(const char *name, size_t n)
{
    const struct command *found = NULL;
    size_t count = 0;

    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strncmp(commands[i].name, name, n) != 0)
            continue;
        found = &commands[i];
        if (found->name[n] == '\0')
            return found;
        count++;
    }
    return count == 1 ? found : NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Row I of the table says what it takes to make the first J letters of NAME out of the first I of
 * WORD; only one row of it is kept, and of the one above the number that is being replaced. */
static size_t distance(const char *word, size_t n, const char *name)
{
    size_t row[NAME];
    size_t length = strlen(name);

    assert(length < NAME);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; i < n; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t changed = diagonal + (word[i] != name[j]);

            diagonal = row[j + 1];
            row[j + 1] = least(changed, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[length];
}

/* Returns the command that WORD may have been meant to be, or NULL: where every letter would have
 * to be changed it is another word. */
static const struct command *command_near(const char *word, size_t n)
{
    const struct command *near = NULL;
    size_t nearest = least(SLIP + 1, n);

    if (n >= NAME)
        return NULL;
    for (size_t i = 0; i < COUNT(commands); i++) {
        size_t away = distance(word, n, commands[i].name);

        if (away < nearest) {
            nearest = away;
            near = &commands[i];
        }
    }
    return near;
}

/* Returns the command that WORD stands for; NULL where that is not clear, and then says so. */
static const struct command *command_find(struct app *app, const char *word, size_t n)
{
    const struct command *command = command_match(word, n);
    struct matches matches;

    if (command)
        return command;
    matches_find(&matches, app, command_name, word, n);
    command = command_near(word, n);
    if (matches.count > 1)
        app_note(app, "/%.*s could be: %s", (int)n, word, matches.list);
    else if (command)
        app_note(app, "there is no /%.*s; did you mean /%s?", (int)n, word, command->name);
    else
        app_note(app, "there is no /%.*s; /help lists them", (int)n, word);
    return NULL;
}

/* ---- help ---- */

static void help_row(struct app *app, const char *name, const char *summary)
{
    app_note(app, "  %-*s%s", HELP_COLUMN - 2, name, summary);
}

static void help_command(struct app *app, const struct command *command)
{
    char usage[HELP_COLUMN];

    snprintf(usage, sizeof usage, "/%s %s", command->name,
             command->argument ? command->argument : "");
    help_row(app, usage, command->summary);
}

void commands_help(struct app *app)
{
    app_note(app, "Commands, which may be cut as short as they stay clear:");
    for (size_t i = 0; i < COUNT(commands); i++)
        help_command(app, &commands[i]);
    help_row(app, "//TEXT", "send a line that begins with /");
    app_note(app, "Keys:");
    for (size_t i = 0; i < COUNT(keys); i++)
        help_row(app, keys[i].name, keys[i].summary);
}

static void help(struct app *app, const char *name)
{
    const struct command *command;

    if (!name) {
        commands_help(app);
        return;
    }
    name += *name == '/';
    command = command_find(app, name, strlen(name));
    if (!command)
        return;
    help_command(app, command);
    app_note(app, "  %s", command->detail);
}

/* ---- running one ---- */

/* Copies TEXT without the blanks around it. Returns false where it is too long. */
static bool trim(const char *text, char argument[ARGUMENT])
{
    size_t n;

    text += strspn(text, BLANKS);
    n = strlen(text);
    while (n > 0 && strchr(BLANKS, text[n - 1]))
        n--;
    if (n >= ARGUMENT)
        return false;
    memcpy(argument, text, n);
    argument[n] = '\0';
    return true;
}

static void command_run(const struct command *command, struct app *app, const char *argument)
{
    bool is_given = *argument != '\0';

    if (is_given && !command->argument)
        app_note(app, "/%s takes no argument", command->name);
    else if (!is_given && command->argument && *command->argument != '[')
        app_note(app, "usage: /%s %s", command->name, command->argument);
    else if (command->act)
        command->act(app);
    else
        command->run(app, is_given ? argument : NULL);
}

void commands_run(struct app *app, const char *line)
{
    const char *word = line + 1;
    size_t n = strcspn(word, BLANKS);
    const struct command *command;
    char argument[ARGUMENT];

    assert(*line == '/');
    command = command_find(app, word, n);
    if (!command)
        return;
    if (trim(word + n, argument))
        command_run(command, app, argument);
    else
        app_note(app, "/%s: the argument is too long", command->name);
}

/* ---- completing ---- */

/* Returns what of the line is to be completed: from there to END; NULL where it cannot be. */
static const char *part_to_complete(const char *line, const char *end, candidate_fn **candidate)
{
    const char *word = line + 1;
    const char *part = word + least(strcspn(word, BLANKS), (size_t)(end - word));
    const struct command *command;

    *candidate = command_name;
    if (part == end)
        return word;
    command = command_match(word, (size_t)(part - word));
    if (!command || !command->candidate)
        return NULL;
    *candidate = command->candidate;
    while (part < end && strchr(BLANKS, *part))
        part++;
    return part;
}

size_t commands_complete(void *owner, const char *line, size_t cursor, char *insert, size_t size)
{
    struct app *app = owner;
    const char *end = line + cursor;
    candidate_fn *candidate;
    const char *part;
    struct matches matches;

    assert(size > 0);
    insert[0] = '\0';
    if (cursor == 0 || line[0] != '/' || line[1] == '/')
        return 0;
    part = part_to_complete(line, end, &candidate);
    if (!part)
        return 0;
    matches_find(&matches, app, candidate, part, (size_t)(end - part));
    if (matches.count > 0)
        matches_insert(&matches, (size_t)(end - part), insert, size);
    if (matches.count > 1 && insert[0] == '\0')
        app_note(app, "%s", matches.list);
    return matches.count;
}
