/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input line through the real program: what keys do to it, what of it is to be seen, and what
 * the server hears. That the editor understands its keys is for tests/unit/editor; here they come
 * as a terminal sends them, and what counts are the cells, the cursor and the file of the lines.
 */
#include "config.h"

#include <limits.h>
#include <sys/stat.h>

#include "around.h"
#include "kit/random.h"
#include "typing.h"

#define META(key) "\033" key

#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

/* ---- keys ---- */

static void keys_of_emacs(void **state)
{
    static const struct typing_step steps[] = {
        {"one two three", "one two three|"},
        {"\001", "|one two three"},
        {"\005", "one two three|"},
        {META("b"), "one two |three"},
        {META("b"), "one |two three"},
        {META("f"), "one two| three"},
        {"\013", "one two|"},
        {"\027", "one |"},
        {"\031", "one two|"},
        {"\001\006\006", "on|e two"},
        {"\002", "o|ne two"},
        {"\004", "o|e two"},
        {"\010", "|e two"},
        {"\005\177", "e tw|"},
        {META("d"), "e tw|"},
        {META("b") META("u"), "e TW|"},
        {"\001\013", "|"},
        {"\031", "e TW|"},
        {"\025", "|"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    kit_press(full.terminal, "end");
    typing_enter(&full, "end");
    typing_quit(&full);
}

/* Each key in all forms that terminals have for it. */
static void keys_of_the_keyboard(void **state)
{
    static const struct typing_step steps[] = {
        {"one two", "one two|"},  {"\033[D", "one tw|o"},    {"\033OD", "one t|wo"},
        {"\033[C", "one tw|o"},   {"\033OC", "one two|"},    {"\033[H", "|one two"},
        {"\033[F", "one two|"},   {"\033OH", "|one two"},    {"\033OF", "one two|"},
        {"\033[1~", "|one two"},  {"\033[4~", "one two|"},   {"\033[7~", "|one two"},
        {"\033[3~", "|ne two"},   {"\033[1;5C", "ne| two"},  {"\033[1;5C", "ne two|"},
        {"\033[1;5D", "ne |two"}, {"\033\033[D", "|ne two"}, {"\033[3~\033[3~\033[3~", "|two"},
        {"\033[A", "|two"}, /* there is no line before */
        {"\033OB", "|two"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "two");
    typing_quit(&full);
}

static void keys_of_vi_by_editrc(void **state)
{
    static const struct typing_step steps[] = {
        {"one two three four five", "one two three four five|"},
        {"\033", "one two three four fiv|e"},
        {"0", "|one two three four five"},
        {"dw", "|two three four five"},
        {"2dw", "|four five"},
        {"fv", "four fi|ve"},
        {"rX", "four fi|Xe"},
        {"0", "|four fiXe"},
        {"cw", "| fiXe"},
        {"seven", "seven| fiXe"},
        {"\033", "seve|n fiXe"},
        {"\033[D", "sev|en fiXe"},
        {"\033OC", "seve|n fiXe"},
        {"A!", "seven fiXe!|"},
        {"\033[D\033[D", "seven fiX|e!"},
        {"y", "seven fiXy|e!"}, /* an arrow key has not left the insertion */
    };
    struct full full;

    (void)state;
    typing_write_editrc("bind -v\n");
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "seven fiXye!");
    kit_press(full.terminal, "again\033k");
    typing_await(&full, "|seven fiXye!");
    typing_enter(&full, "seven fiXye!");
    typing_quit(&full);
}

static void editrc_binds_keys(void **state)
{
    struct full full;

    (void)state;
    typing_write_editrc("bind -e\npollspin:bind -s ^O hello\nother:bind -s ^O goodbye\n");
    typing_start(&full);
    kit_press(full.terminal, "\017");
    typing_await(&full, "hello|");
    typing_enter(&full, "hello");
    typing_quit(&full);
}

static void keys_of_the_screen_leave_the_line_alone(void **state)
{
    static const struct typing_step steps[] = {
        {"one two", "one two|"},   {"\033[5~\033[6~", "one two|"},
        {"\021\023", "one two|"},  {"\033[1;5H\033[1;5F", "one two|"},
        {KEY_F3, "one two|"},      {"\033[20~\033[24~", "one two|"},
        {"\033[2~!", "one two!|"}, {"\033[Z\033[99~\033[M\033]0;x\007?", "one two!?|"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps) - 1);
    typing_enter(&full, "one two!");
    typing_quit(&full);
}

static void ctrl_c_clears_the_line(void **state)
{
    static const struct typing_step steps[] = {
        {"one", "one|"}, {"\003", "|"},        {"two\001", "|two"},
        {"\003", "|"},   {META("3\003"), "|"}, {"three", "three|"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, 4);
    kit_press(full.terminal, "three");
    typing_enter(&full, "three");
    typing_quit(&full);
}

/* Nothing else wakes the program up meanwhile, and where a key had to wait for the next frame of
 * the spinner, there would be one a key. */
static void keys_are_shown_at_once(void **state)
{
    static const char *const options[] = {"--tick=5000", NULL};
    static const struct typing_step steps[] = {
        {"o", "o|"}, {"n", "on|"}, {"e", "one|"}, {"\001", "|one"}, {"\005", "one|"}, {"\025", "|"},
    };
    struct full full;

    (void)state;
    full_start(&full, TYPING_ROWS, TYPING_COLUMNS, options);
    typing_play(&full, steps, TYPING_COUNT(steps));
    assert_true(strcspn(kit_row(full.terminal, TYPING_ROWS - 2), "|") < TYPING_COUNT(steps) - 1);
    typing_quit(&full);
}

/* Another program has written on the terminal. */
static void ctrl_l_paints_anew(void **state)
{
    static const char garbage[] = "\033[H\033[7mgarbage\r\ngarbage\033[12;3Hgarbage";
    struct full full;
    int other;

    (void)state;
    typing_start(&full);
    kit_press(full.terminal, "half a line");
    typing_await(&full, "half a line|");
    say_and_see(&full, "a line of the server's");
    other = around_open(full.terminal);
    assert_int_equal(write(other, garbage, sizeof garbage - 1), sizeof garbage - 1);
    close(other);
    kit_await_row(full.terminal, "garbage");
    kit_press(full.terminal, "\f");
    kit_await_gone(full.terminal, "garbage");
    typing_await(&full, "half a line|");
    kit_await_row(full.terminal, "a line of the server's");
    await_title(full.terminal, full.target);
    typing_enter(&full, "half a line");
    typing_quit(&full);
}

/* ---- what is seen ---- */

static void the_prompt_names_the_connection_in_focus(void **state)
{
    struct full first = {0};
    struct full second;
    int listener = kit_listen(&first.port);
    const char *const options[] = {first.target, NULL};

    (void)state;
    snprintf(first.target, sizeof first.target, "127.0.0.1:%u", first.port);
    full_start(&second, TYPING_ROWS, TYPING_COLUMNS, options);
    first.terminal = second.terminal;
    first.server = kit_accept(listener);
    close(listener);
    await_state(&first, "  open");
    typing_await(&first, "|");
    kit_press(first.terminal, "to whom");
    typing_await(&first, "to whom|");
    kit_press(first.terminal, KEY_F2);
    typing_await(&second, "to whom|");
    typing_enter(&second, "to whom");
    kit_press(first.terminal, KEY_F2 "to you");
    typing_await(&first, "to you|");
    typing_enter(&first, "to you");
    full_type(&first, "/close");
    typing_await(&second, "|");
    typing_quit(&second);
}

/* Of a name that would take more than half of the row both ends are seen: FIRST columns of its
 * beginning, LAST of its end, in which one character takes two bytes. */
static void await_short_prompt(const struct full *full, const char *target, int first, int last)
{
    char prompt[128];

    snprintf(prompt, sizeof prompt, "%.*s~%s> ", first, target,
             target + strlen(target) - (size_t)last - 1);
    typing_await_behind(full, prompt, "here|");
}

static void a_long_name_leaves_room_for_the_line(void **state)
{
    char target[100] = "unix:";
    char *path = target + strlen(target);
    const char *const argv[] = {"pollspin", target, NULL};
    struct full full;
    int listener;

    (void)state;
    snprintf(path, 90, "%s/a-name-as-long-as-some-are-h\xc3\xa9", kit_folder());
    listener = kit_listen_unix(path);
    full.terminal = kit_terminal(TYPING_ROWS, TYPING_COLUMNS, argv);
    full.server = kit_accept(listener);
    kit_press(full.terminal, "here");
    await_short_prompt(&full, target, 19, 20);
    kit_resize(full.terminal, TYPING_ROWS, 20);
    await_short_prompt(&full, target, 4, 5);
    kit_resize(full.terminal, TYPING_ROWS, 14);
    await_short_prompt(&full, target, 3, 3);
    kit_press(full.terminal, KEY_ENTER);
    assert_string_equal(full_hear(&full), "here");
    typing_quit(&full);
}

static void wide_characters_take_two_columns(void **state)
{
    static const struct typing_step steps[] = {
        {"h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x98\x80x",
         "h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x98\x80x|"},
        {"\033[D", "h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x98\x80|x"},
        {"\033[D", "h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97|\xf0\x9f\x98\x80x"},
        {"\033[D", "h\xc3\xa9\xe6\xbc\xa2|\xe5\xad\x97\xf0\x9f\x98\x80x"},
        {"\177", "h\xc3\xa9|\xe5\xad\x97\xf0\x9f\x98\x80x"},
        {"\xe3\x81\x82", "h\xc3\xa9\xe3\x81\x82|\xe5\xad\x97\xf0\x9f\x98\x80x"},
        {"\001", "|h\xc3\xa9\xe3\x81\x82\xe5\xad\x97\xf0\x9f\x98\x80x"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "h\xc3\xa9\xe3\x81\x82\xe5\xad\x97\xf0\x9f\x98\x80x");
    typing_quit(&full);
}

static void marks_stay_with_their_character(void **state)
{
    static const struct typing_step steps[] = {
        {"ae\xcc\x81\xcc\xa7z", "ae\xcc\x81\xcc\xa7z|"},
        {"\033[D", "ae\xcc\x81\xcc\xa7|z"},
        {"\177", "ae\xcc\x81|z"},
        {"\177", "ae|z"},
        {"\xcc\x88", "ae\xcc\x88|z"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "ae\xcc\x88z");
    typing_quit(&full);
}

static void quoted_controls_are_made_visible(void **state)
{
    static const struct typing_step steps[] = {
        {"\026\001", "^A|"},
        {"x\026\033", "^Ax^[|"},
        {"\033[D", "^Ax|^["},
        {"\033[D\033[D", "|^Ax^["},
        {"\xe2\x80\xae", "<U+202E>|^Ax^["}, /* it would write the rest from right to left */
        {"\177\026\xc2\x9b", "|^Ax^["},     /* and a C1 control is none at all */
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps) - 1);
    kit_press(full.terminal, "\177");
    typing_enter(&full, "\001x\033");
    typing_quit(&full);
}

/* ---- a line that is longer than its row ---- */

/* A line of cells that are all different, so that what is seen says where it is from. */
struct strip {
    char cells[90][8];
    int count;
    int width;      /* columns of a cell */
    int characters; /* ... and keys that it takes */
};

struct strip_wish {
    const struct strip *strip;
    int columns;
    int cursor; /* the cell at which it stands */
};

/* Returns how many cells from FIRST on TEXT consists of, or -1. In the last column libvterm 0.1 has
 * only the mark of a character where the two come in different pieces. */
static int strip_match(const struct strip *strip, int first, const char *text)
{
    int last = first;

    while (*text != '\0') {
        size_t n = last < strip->count ? strlen(strip->cells[last]) : 0;

        if (strip->characters > 1 && n > 0 && strcmp(text, strip->cells[last] + 1) == 0)
            return last + 1 - first;
        if (n == 0 || strncmp(strip->cells[last], text, n) != 0)
            return -1;
        text += n;
        last++;
    }
    return last - first;
}

/* The row is a prompt and some cells on end, as many as fit where there are more, and the cursor
 * stands where it should among them. */
static bool strip_is_seen(struct kit_terminal *terminal, void *context)
{
    const struct strip_wish *wish = context;
    const struct strip *strip = wish->strip;
    const char *text = strstr(kit_row(terminal, TYPING_ROWS - 1), "> ");
    int row, column, prompt;

    kit_cursor(terminal, &row, &column);
    if (!text || row != TYPING_ROWS - 1 || column >= wish->columns)
        return false;
    prompt = (int)(text - kit_row(terminal, TYPING_ROWS - 1)) + 2;
    text += 2;
    for (int first = 0; first <= wish->cursor; first++) {
        int shown = strip_match(strip, first, text);
        bool is_full = (shown + 1) * strip->width > wish->columns - prompt;

        if (shown >= 0 && (is_full || first + shown == strip->count) &&
            column == prompt + (wish->cursor - first) * strip->width)
            return true;
    }
    return false;
}

static void await_strip(const struct full *full, const struct strip *strip, int columns, int cursor)
{
    struct strip_wish wish = {.strip = strip, .columns = columns, .cursor = cursor};
    char what[100];

    snprintf(what, sizeof what, "a part of the line, and the cursor at its cell %d", cursor);
    kit_await_looks(full->terminal, strip_is_seen, &wish, what);
}

static void strip_type(const struct full *full, const struct strip *strip)
{
    for (int i = 0; i < strip->count; i++)
        kit_press(full->terminal, strip->cells[i]);
}

/* Goes to and fro in steps of all sizes. */
static void walk_strip(const struct full *full, const struct strip *strip, int columns)
{
    static const int steps[] = {-1, -1, -3, -20, 7, -30, -1, -7, 1, 2, 40, -40, 30, 1, 3};
    int cursor = strip->count;

    strip_type(full, strip);
    await_strip(full, strip, columns, cursor);
    for (size_t i = 0; i < TYPING_COUNT(steps); i++) {
        int left = steps[i] < 0 ? -steps[i] : steps[i];

        cursor += steps[i];
        assert_in_range(cursor, 0, strip->count);
        for (left *= strip->characters; left > 0; left--)
            kit_press(full->terminal, steps[i] < 0 ? KEY_LEFT : KEY_RIGHT);
        await_strip(full, strip, columns, cursor);
    }
    kit_press(full->terminal, "\001");
    await_strip(full, strip, columns, 0);
    kit_press(full->terminal, "\005");
    await_strip(full, strip, columns, strip->count);
}

static void hear_strip(const struct full *full, const struct strip *strip)
{
    const char *line;

    kit_press(full->terminal, KEY_ENTER);
    line = full_hear(full);
    assert_int_equal(strip_match(strip, 0, line), strip->count);
}

/* Cell I is the character FIRST + I, or what stands for it with MARK behind. */
static struct strip make_strip(const char *first, int width, const char *mark)
{
    struct strip strip = {.count = width == 1 ? 90 : 60, .width = width, .characters = 1};

    for (int i = 0; i < strip.count; i++) {
        char *cell = strip.cells[i];
        size_t last = strlen(first) - 1;

        snprintf(cell, sizeof strip.cells[i], "%s%s", first, mark);
        cell[last] = (char)(cell[last] + i);
    }
    strip.characters += *mark != '\0';
    return strip;
}

static void a_long_line_moves_sideways(void **state)
{
    const struct strip strips[] = {make_strip("#", 1, ""), make_strip("\xe4\xb8\x80", 2, ""),
                                   make_strip("#", 1, "\xcc\x81")};
    static const int widths[] = {TYPING_COLUMNS, 20};

    for (size_t i = 0; i < TYPING_COUNT(widths); i++) {
        struct full full;

        full_start(&full, TYPING_ROWS, widths[i], NULL);
        for (size_t j = 0; j < TYPING_COUNT(strips); j++) {
            walk_strip(&full, &strips[j], widths[i]);
            hear_strip(&full, &strips[j]);
        }
        typing_quit(&full);
        kit_cleanup(state);
    }
}

static void a_long_line_follows_the_size(void **state)
{
    static const int widths[] = {30, 200, 18, 81, 40};
    const struct strip strip = make_strip("\xe4\xb8\x80", 2, "");
    struct full full;

    (void)state;
    typing_start(&full);
    strip_type(&full, &strip);
    for (int i = 0; i < 20; i++)
        kit_press(full.terminal, KEY_LEFT);
    for (size_t i = 0; i < TYPING_COUNT(widths); i++) {
        kit_resize(full.terminal, TYPING_ROWS, widths[i]);
        await_strip(&full, &strip, widths[i], strip.count - 20);
    }
    hear_strip(&full, &strip);
    typing_quit(&full);
}

/* ---- lines typed before ---- */

static void type_all(const struct full *full, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        type_and_hear(full, lines[i]);
}

static void up_and_down_bring_lines_back(void **state)
{
    static const char *const lines[] = {"one", "two", " secret", "two", "", "\xe6\xbc\xa2 three"};
    static const struct typing_step steps[] = {
        {"dra", "dra|"},    {KEY_UP, "\xe6\xbc\xa2 three|"},
        {KEY_UP, "two|"},   {"\033OA", "one|"},
        {KEY_UP, "one|"},   {KEY_DOWN, "two|"},
        {"\020", "one|"},   {"\016\016", "\xe6\xbc\xa2 three|"},
        {"\033OB", "dra|"}, {KEY_DOWN, "dra|"},
        {"ft", "draft|"},   {KEY_UP KEY_UP "!", "two!|"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    type_all(&full, lines, TYPING_COUNT(lines));
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "two!");
    kit_press(full.terminal, KEY_UP);
    typing_await(&full, "two!|");
    kit_press(full.terminal, "\003");
    typing_quit(&full);
}

/* Fails unless PATH under FOLDER has MODE. */
static void expect_mode(const char *folder, const char *path, mode_t mode)
{
    char name[512];
    struct stat status;

    snprintf(name, sizeof name, "%s/%s", folder, path);
    if (stat(name, &status) < 0)
        fail_msg("%s: %s", name, strerror(errno));
    assert_int_equal(status.st_mode & 07777, mode);
}

/* Types LINES in a first run and meets them in a second. */
static void expect_lines_are_kept(void)
{
    static const char *const lines[] = {"one", " secret", "h\xc3\xa9 two"};
    struct full full;

    typing_start(&full);
    type_all(&full, lines, TYPING_COUNT(lines));
    typing_quit(&full);
    typing_start(&full);
    kit_press(full.terminal, KEY_UP);
    typing_await(&full, "/quit|");
    kit_press(full.terminal, KEY_UP);
    typing_await(&full, "h\xc3\xa9 two|");
    kit_press(full.terminal, KEY_UP);
    typing_await(&full, "one|");
    typing_enter(&full, "one");
    typing_quit(&full);
}

/* Whatever the mask is that says what files others may read, umask(2). */
static void lines_are_kept_for_the_next_run(void **state)
{
    mode_t mask = umask(0);
    const char *home = kit_folder();
    char state_home[512];

    (void)state;
    snprintf(state_home, sizeof state_home, "%s/my/state", home);
    kit_env("HOME", home);
    expect_lines_are_kept();
    kit_env("XDG_STATE_HOME", state_home);
    expect_lines_are_kept();
    umask(mask);
    expect_mode(home, ".local", 0700);
    expect_mode(home, ".local/state", 0700);
    expect_mode(home, ".local/state/pollspin", 0700);
    expect_mode(home, ".local/state/pollspin/history", 0600);
    expect_mode(home, "my", 0700);
    expect_mode(home, "my/state", 0700);
    expect_mode(home, "my/state/pollspin", 0700);
    expect_mode(home, "my/state/pollspin/history", 0600);
}

/* Fails unless the file of the lines is TEXT. */
static void expect_history(const char *home, const char *text)
{
    char path[512];
    char found[4096];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "%s/.local/state/pollspin/history", home);
    file = fopen(path, "re");
    assert_non_null(file);
    n = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    found[n] = '\0';
    assert_string_equal(found, text);
}

static void two_runs_at_once_lose_nothing(void **state)
{
    static const char *const expected[] = {"/quit", "/quit", "two B", "two A",
                                           "one B", "one A", "one A"};
    const char *home = kit_folder();
    struct full a, b;

    (void)state;
    kit_env("HOME", home);
    typing_start(&a);
    typing_start(&b);
    type_and_hear(&a, "one A");
    type_and_hear(&b, "one B");
    type_and_hear(&a, "two A");
    type_and_hear(&b, "two B");
    kit_press(a.terminal, KEY_UP KEY_UP KEY_UP); /* it began before the other's lines were there */
    typing_await(&a, "one A|");
    kit_press(a.terminal, "\003");
    typing_quit(&a);
    typing_quit(&b);
    expect_history(home, "one A\none B\ntwo A\ntwo B\n/quit\n/quit\n");
    typing_start(&a);
    for (size_t i = 1; i < TYPING_COUNT(expected); i++) { /* what was typed twice is there once */
        char marked[32];

        kit_press(a.terminal, KEY_UP);
        snprintf(marked, sizeof marked, "%s|", expected[i]);
        typing_await(&a, marked);
    }
    kit_press(a.terminal, "\003");
    typing_quit(&a);
}

static void a_history_that_cannot_be_kept_is_no_failure(void **state)
{
    struct full full;

    (void)state;
    kit_env("XDG_STATE_HOME", "/dev/null");
    typing_start(&full);
    kit_await_row(full.terminal, "what is typed is not kept: Not a directory");
    type_and_hear(&full, "one");
    kit_press(full.terminal, KEY_UP);
    typing_await(&full, "one|");
    typing_enter(&full, "one");
    typing_quit(&full);
}

/* ---- search ---- */

struct search_step {
    const char *keys;
    const char *prompt; /* NULL: the usual one */
    const char *marked;
};

static void play_search(const struct full *full, const struct search_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kit_press(full->terminal, steps[i].keys);
        if (steps[i].prompt)
            typing_await_behind(full, steps[i].prompt, steps[i].marked);
        else
            typing_await(full, steps[i].marked);
    }
}

static void ctrl_r_finds(void **state)
{
    static const char *const lines[] = {"alpha one", "beta", "alpha two"};
    static const struct search_step steps[] = {
        {"draft", NULL, "draft|"},
        {"\022", "bck:> ", "draft|"},
        {"al", "bck:al> ", "|alpha two"},
        {"\022", "bck:al> ", "|alpha one"},
        {"pha tw", "bck?alpha tw> ", "|alpha one"},
        {"\007", "bck:alpha > ", "|alpha one"}, /* first what is not found is taken back */
        {"\007", NULL, "draft|"},               /* and then all of it */
        {"\022zzz", "bck?zzz> ", "draft|"},
        {"\177\177\177", "bck:> ", "draft|"},
        {"bet", "bck:bet> ", "|beta"},
        {"\033", NULL, "|beta"},
        {"!", NULL, "!|beta"},
        {"\003", NULL, "|"},
        {"\022one", "bck:one> ", "alpha |one"},
        {"\005", NULL, "alpha one|"},
        {" more", NULL, "alpha one more|"},
        {"\022lph", "bck:lph> ", "a|lpha one more"},
        {"\003", NULL, "|"},
        {"\022be", "bck:be> ", "|beta"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    type_all(&full, lines, TYPING_COUNT(lines));
    play_search(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "beta");
    typing_quit(&full);
}

/* ---- Tab ---- */

static void tab_completes(void **state)
{
    static const struct typing_step steps[] = {
        {"/h\t", "/help |"},
        {"ba\t", "/help backend |"},
        {"\025/ba\t", "/backend |"},
        {"sel\t", "/backend select |"},
        {"\025/spinner cla\t", "/spinner classic |"},
        {"\025/co\t", "/connect |"},
        {"\025/t\t\t", "/ti|"}, /* both that begin so go on so */
        {"\025text\t", "text|"},
        {"\025//h\t", "//h|"},
        {"\025", "|"},
        {"/qu\001\006\006\t", "/quit |u"}, /* what stands behind the cursor stays */
    };
    struct full full;
    char marked[64];

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    kit_press(full.terminal, "\025/focus 127\t");
    snprintf(marked, sizeof marked, "/focus %s |", full.target);
    typing_await(&full, marked);
    kit_press(full.terminal, "\025/connect 1\t");
    snprintf(marked, sizeof marked, "/connect %s |", full.target);
    typing_await(&full, marked);
    kit_press(full.terminal, "\003");
    typing_quit(&full);
}

static void tab_shows_what_is_possible(void **state)
{
    static const struct {
        const char *keys;
        const char *shown;
    } tries[] = {
        {"/s\t", "-- spinner step stats"},
        {"/st\t", "-- step stats"},
        {"/backend \t", "poll select sigio"},
        {"/spinner \t", "classic"},
    };
    struct full full;
    int bells;

    (void)state;
    typing_start(&full);
    for (size_t i = 0; i < TYPING_COUNT(tries); i++) {
        char marked[64];

        kit_press(full.terminal, tries[i].keys);
        kit_await_row(full.terminal, tries[i].shown);
        snprintf(marked, sizeof marked, "%.*s|", (int)strlen(tries[i].keys) - 1, tries[i].keys);
        typing_await(&full, marked);
        kit_press(full.terminal, "\003");
        typing_await(&full, "|");
    }
    bells = kit_bells(full.terminal);
    kit_press(full.terminal, "/backend zz\t!");
    typing_await(&full, "/backend zz!|");
    assert_true(kit_bells(full.terminal) > bells);
    kit_press(full.terminal, "\003");
    typing_quit(&full);
}

/* Who has scrolled back wants to see what he asked for all the same. */
static void what_is_possible_is_shown_below(void **state)
{
    static const char *const answers[][2] = {{"/s\t", "-- spinner step stats"},
                                             {KEY_F1, "paint the screen anew"}};
    char line[32];
    struct full full;

    (void)state;
    typing_start(&full);
    for (int i = 0; i < 2 * TYPING_ROWS; i++) {
        snprintf(line, sizeof line, "line %d", i);
        full_say(&full, line);
    }
    kit_await_row(full.terminal, line);
    for (size_t i = 0; i < TYPING_COUNT(answers); i++) {
        kit_press(full.terminal, KEY_PAGE_UP);
        await_title(full.terminal, " below");
        kit_press(full.terminal, answers[i][0]);
        kit_await_row(full.terminal, answers[i][1]);
    }
    typing_await(&full, "/s|");
    kit_press(full.terminal, "\003");
    typing_quit(&full);
}

/* ---- paste ---- */

static void a_paste_is_one_line(void **state)
{
    static const struct typing_step steps[] = {
        {"<>\033[D", "<|>"},
        {PASTE_BEGIN "one\ntwo\r\nthree\tfour\n\n" PASTE_END, "<one two three four|>"},
        {PASTE_BEGIN "\r" PASTE_END, "<one two three four|>"},
        {PASTE_BEGIN PASTE_END, "<one two three four|>"},
        {PASTE_BEGIN "\xe6\xbc\xa2" PASTE_END, "<one two three four\xe6\xbc\xa2|>"},
    };
    struct full full;

    (void)state;
    typing_start(&full);
    typing_play(&full, steps, TYPING_COUNT(steps));
    typing_enter(&full, "<one two three four\xe6\xbc\xa2>");
    typing_quit(&full);
}

/* Nothing in it is a key: neither one that edits nor one that sends. */
static void nothing_in_a_paste_is_a_command(void **state)
{
    struct full full;

    (void)state;
    typing_start(&full);
    kit_press(full.terminal,
              PASTE_BEGIN "/quit\n\001\003\004\022\026\033[D\033OP\tx\033[200~\xc2\x9b"
                          "A\x7f\n" PASTE_END);
    typing_await(&full, "/quit [DOP x[200~A|");
    kit_press(full.terminal, "\001/");
    typing_enter(&full, "/quit [DOP x[200~A");
    typing_quit(&full);
}

/* ---- nothing is lost ---- */

enum { TYPED = 2000, LINE_LENGTH = 60, PIECE = 40 };

/* Appends a random character, of one to four bytes. */
static size_t add_character(char *text, uint32_t *seed)
{
    static const uint32_t first[] = {0x20, 0xa1, 0x300, 0x400, 0x4e00, 0x1f600};
    static const uint32_t count[] = {95, 95, 111, 256, 20000, 64};
    uint32_t range = kit_random(seed, 2) ? 0 : kit_random(seed, TYPING_COUNT(first));
    wchar_t character = (wchar_t)(first[range] + kit_random(seed, count[range]));
    int n = wctomb(text, character);

    assert_true(n > 0);
    return (size_t)n;
}

/* Lines of random characters; none begins as a command does. */
static char *make_lines(size_t *length, uint32_t *seed)
{
    char *text = malloc(TYPED * (MB_LEN_MAX + 2));
    size_t n = 0;

    for (int i = 0; i < TYPED; i++) {
        if (i % LINE_LENGTH == 0) {
            if (i > 0)
                text[n++] = '\n';
            text[n++] = ':';
        }
        n += add_character(text + n, seed);
    }
    text[n++] = '\n';
    *length = n;
    return text;
}

/* Types TEXT in random pieces, and sometimes looks at the screen in between. */
static void type_in_pieces(const struct full *full, const char *text, size_t n, uint32_t *seed)
{
    char piece[PIECE];

    while (n > 0) {
        size_t some = 1 + kit_random(seed, PIECE);

        some = some < n ? some : n;
        for (size_t i = 0; i < some; i++)
            piece[i] = (char)(text[i] == '\n' ? '\r' : text[i]);
        kit_keys(full->terminal, piece, some);
        if (kit_random(seed, 4) == 0)
            kit_watch(full->terminal, CLOCK_MILLISECOND);
        text += some;
        n -= some;
    }
}

static void what_is_typed_in_a_flood_arrives(void **state)
{
    uint32_t seed = 20;
    struct full full;
    size_t length;
    char *text = make_lines(&length, &seed);
    char *heard = malloc(length);

    (void)state;
    typing_start(&full);
    flood_start(&full);
    kit_await_row(full.terminal, "of the flood");
    type_in_pieces(&full, text, length, &seed);
    kit_receive_all(full.server, heard, length);
    assert_memory_equal(heard, text, length);
    flood_stop();
    free(text);
    free(heard);
    typing_await(&full, "|");
    typing_quit(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(keys_of_emacs, kit_cleanup),
        cmocka_unit_test_teardown(keys_of_the_keyboard, kit_cleanup),
        cmocka_unit_test_teardown(keys_of_vi_by_editrc, kit_cleanup),
        cmocka_unit_test_teardown(editrc_binds_keys, kit_cleanup),
        cmocka_unit_test_teardown(keys_of_the_screen_leave_the_line_alone, kit_cleanup),
        cmocka_unit_test_teardown(ctrl_c_clears_the_line, kit_cleanup),
        cmocka_unit_test_teardown(keys_are_shown_at_once, kit_cleanup),
        cmocka_unit_test_teardown(ctrl_l_paints_anew, kit_cleanup),
        cmocka_unit_test_teardown(the_prompt_names_the_connection_in_focus, kit_cleanup),
        cmocka_unit_test_teardown(a_long_name_leaves_room_for_the_line, kit_cleanup),
        cmocka_unit_test_teardown(wide_characters_take_two_columns, kit_cleanup),
        cmocka_unit_test_teardown(marks_stay_with_their_character, kit_cleanup),
        cmocka_unit_test_teardown(quoted_controls_are_made_visible, kit_cleanup),
        cmocka_unit_test_teardown(a_long_line_moves_sideways, kit_cleanup),
        cmocka_unit_test_teardown(a_long_line_follows_the_size, kit_cleanup),
        cmocka_unit_test_teardown(up_and_down_bring_lines_back, kit_cleanup),
        cmocka_unit_test_teardown(lines_are_kept_for_the_next_run, kit_cleanup),
        cmocka_unit_test_teardown(two_runs_at_once_lose_nothing, kit_cleanup),
        cmocka_unit_test_teardown(a_history_that_cannot_be_kept_is_no_failure, kit_cleanup),
        cmocka_unit_test_teardown(ctrl_r_finds, kit_cleanup),
        cmocka_unit_test_teardown(tab_completes, kit_cleanup),
        cmocka_unit_test_teardown(tab_shows_what_is_possible, kit_cleanup),
        cmocka_unit_test_teardown(what_is_possible_is_shown_below, kit_cleanup),
        cmocka_unit_test_teardown(a_paste_is_one_line, kit_cleanup),
        cmocka_unit_test_teardown(nothing_in_a_paste_is_a_command, kit_cleanup),
        cmocka_unit_test_teardown(what_is_typed_in_a_flood_arrives, around_cleanup),
    };

    return cmocka_run_group_tests(tests, typing_locale, NULL);
}
