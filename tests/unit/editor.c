/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input line without a terminal: a script types into it where the loop would be, and looks at
 * it before it types the next thing. Keys are written as text, with names in angle brackets; the
 * line as text with a bar where the cursor stands, and what is asked or searched in braces.
 *
 * Each script runs twice: with all keys of a step at once, and with one key a turn.
 */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "ui/editor.h"

enum { SHOWN = 8192, LONGEST = 3 * EDITOR_LINE_MAX };

struct step {
    const char *keys;
    const char *shown; /* NULL: whatever it is */
};

struct play {
    struct editor *editor;
    const struct step *steps;
    size_t count;
    size_t next;      /* step */
    const char *rest; /* of its keys */
    bool is_slow;     /* one key a turn */
    char lines[SHOWN];
    int bells;
    int turns;
    int hasty_turns; /* that might not wait */
    char completed[256];
};

/* ---- keys ---- */

static const struct {
    const char *name;
    const char *bytes;
} names[] = {
    {"ESC", "\033"},
    {"ENTER", "\r"},
    {"TAB", "\t"},
    {"BS", "\177"},
    {"UP", "\033[A"},
    {"DOWN", "\033[B"},
    {"RIGHT", "\033[C"},
    {"LEFT", "\033[D"},
    {"HOME", "\033[H"},
    {"END", "\033[F"},
    {"DELETE", "\033[3~"},
    {"INSERT", "\033[2~"},
    {"WLEFT", "\033[1;5D"},
    {"WRIGHT", "\033[1;5C"},
    {"PGUP", "\033[5~"},
    {"F5", "\033[15~"},
    {"LT", "<"},
};

/* Types what stands between angle brackets, N bytes. */
static void type_name(struct editor *editor, const char *name, size_t n)
{
    if (n > 6 && memcmp(name, "PASTE:", 6) == 0) {
        assert_true(editor_paste(editor, name + 6, n - 6));
        return;
    }
    if (n == 5 && memcmp(name, "CLEAR", 5) == 0) {
        assert_true(editor_clear(editor));
        return;
    }
    if (n == 3 && name[0] == 'C' && name[1] == '-') {
        assert_true(editor_put(editor, name[2] & 0x1f));
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0) {
            assert_true(editor_put_bytes(editor, names[i].bytes, strlen(names[i].bytes)));
            return;
        }
    fail_msg("no such key: %.*s", (int)n, name);
}

/* Types the first key of KEYS. Returns what is behind it. */
static const char *type_key(struct editor *editor, const char *keys)
{
    wchar_t character;
    int n;

    if (*keys == '<') {
        const char *end = strchr(keys, '>');

        type_name(editor, keys + 1, (size_t)(end - keys) - 1);
        return end + 1;
    }
    n = mbtowc(&character, keys, MB_CUR_MAX);
    assert_true(n > 0);
    assert_true(editor_put(editor, character));
    return keys + n;
}

/* ---- what is seen ---- */

/* Adds N characters and then the text BEHIND. */
static void add(char shown[SHOWN], const wchar_t *text, size_t n, const char *behind)
{
    size_t length = strlen(shown);

    for (size_t i = 0; i < n; i++)
        length += (size_t)wctomb(shown + length, text[i]);
    strcpy(shown + length, behind);
}

static void show(const struct editor *editor, char shown[SHOWN])
{
    struct editor_view view;

    editor_view(editor, &view);
    if (view.length > 1000) {
        snprintf(shown, SHOWN, "%zu characters, cursor at %zu", view.length, view.cursor);
        return;
    }
    shown[0] = '\0';
    add(shown, view.line, view.cursor, "|");
    add(shown, view.line + view.cursor, view.length - view.cursor, view.search ? "{" : "");
    if (view.search)
        add(shown, view.search, view.search_length, "}");
}

static void expect_step(struct play *play)
{
    const struct step *step = &play->steps[play->next - 1];
    char shown[SHOWN];

    show(play->editor, shown);
    if (step->shown && strcmp(shown, step->shown) != 0)
        fail_msg("after %.200s: %.200s, and not %.200s", step->keys, shown, step->shown);
    assert_int_equal(editor_is_empty(play->editor), strcmp(shown, "|") == 0);
}

static bool on_pump(void *owner, bool may_wait)
{
    struct play *play = owner;

    play->turns++;
    play->hasty_turns += !may_wait;
    if (!may_wait)
        return true;
    if (*play->rest == '\0') {
        if (play->next > 0)
            expect_step(play);
        if (play->next == play->count)
            return false;
        play->rest = play->steps[play->next++].keys;
    }
    while (*play->rest != '\0') {
        play->rest = type_key(play->editor, play->rest);
        if (play->is_slow)
            break;
    }
    return true;
}

static size_t on_complete(void *owner, const char *line, size_t cursor, char *insert, size_t size)
{
    struct play *play = owner;

    snprintf(play->completed, sizeof play->completed, "%.*s|%s", (int)cursor, line, line + cursor);
    if (cursor >= 2 && memcmp(line + cursor - 2, "/q", 2) == 0) {
        snprintf(insert, size, "uit ");
        return 1;
    }
    if (cursor >= 2 && memcmp(line + cursor - 2, "/c", 2) == 0)
        return 3;
    return 0;
}

/* ---- running a script ---- */

static char *home;

static struct editor *make(struct play *play, const char *history)
{
    struct editor_options options = {.program = "pollspin",
                                     .history_path = history,
                                     .pump = on_pump,
                                     .complete = on_complete,
                                     .owner = play};

    *play = (struct play){.rest = ""};
    play->editor = editor_new(&options);
    assert_non_null(play->editor);
    return play->editor;
}

/* Runs it to its end; the lines that were entered are in play->lines, each with a newline. */
static void run(struct play *play, const struct step *steps, size_t count, bool is_slow)
{
    const char *line;

    play->steps = steps;
    play->count = count;
    play->is_slow = is_slow;
    while ((line = editor_read(play->editor))) {
        assert_true(strlen(play->lines) + strlen(line) + 2 < SHOWN);
        strcat(play->lines, line);
        strcat(play->lines, "\n");
    }
    assert_int_equal(play->next, count);
    assert_null(editor_read(play->editor));
    play->bells += editor_take_bells(play->editor);
}

static void expect_play(const struct step *steps, size_t count, const char *lines, int bells)
{
    for (int is_slow = 0; is_slow < 2; is_slow++) {
        struct play play;

        make(&play, NULL);
        run(&play, steps, count, is_slow);
        assert_string_equal(play.lines, lines);
        if (bells >= 0)
            assert_int_equal(play.bells, bells);
        editor_free(play.editor);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int prepare(void **state)
{
    (void)state;
    home = strdup(kit_folder());
    setenv("HOME", home, 1);
    setenv("TERM", "no-such-terminal", 1);
    unsetenv("EDITRC");
    return 0;
}

static int clean_up(void **state)
{
    free(home);
    return kit_cleanup(state);
}

static void write_editrc(const char *text)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/.editrc", home);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* ---- emacs ---- */

static void a_line_is_typed(void **state)
{
    static const struct step steps[] = {
        {"abc", "abc|"}, {"<BS>", "ab|"}, {"<ENTER>", "|"}, {"<ENTER>", "|"}, {"x y<ENTER>", "|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "ab\n\nx y\n", 0);
}

static void keys_of_emacs(void **state)
{
    static const struct step steps[] = {
        {"one two three", "one two three|"},
        {"<C-a>", "|one two three"},
        {"<RIGHT><RIGHT>", "on|e two three"},
        {"<LEFT>", "o|ne two three"},
        {"<END>", "one two three|"},
        {"<HOME>", "|one two three"},
        {"<ESC>f", "one| two three"},
        {"<WRIGHT>", "one two| three"},
        {"<WLEFT>", "one |two three"},
        {"<ESC>b", "|one two three"},
        {"<C-d>", "|ne two three"},
        {"<DELETE>", "|e two three"},
        {"<C-e>", "e two three|"},
        {"<C-w>", "e two |"},
        {"<C-y>", "e two three|"},
        {"<C-b><C-b>", "e two thr|ee"},
        {"<C-k>", "e two thr|"},
        {"<C-a><C-y>", "ee|e two thr"},
        {"<C-u>", "|"},
        {"<C-y>", "eee two thr|"},
        {"<C-a><ESC>3x", "xxx|eee two thr"},
        {"<C-t>", "xxexee two thr|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps) - 1, "", 0);
}

static void characters_of_all_widths(void **state)
{
    static const struct step steps[] = {
        {"h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x98\x80",
         "h\xc3\xa9\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x98\x80|"},
        {"<LEFT><LEFT>", "h\xc3\xa9\xe6\xbc\xa2|\xe5\xad\x97\xf0\x9f\x98\x80"},
        {"<BS>", "h\xc3\xa9|\xe5\xad\x97\xf0\x9f\x98\x80"},
        {"e\xcc\x81", "h\xc3\xa9"
                      "e\xcc\x81|\xe5\xad\x97\xf0\x9f\x98\x80"},
        {"<C-a><C-k>\xc2\xa1\xc3\xbf<ENTER>", "|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "\xc2\xa1\xc3\xbf\n", 0);
}

static void keys_that_belong_to_others_are_harmless(void **state)
{
    static const struct step steps[] = {
        {"ab<C-c><C-z><C-s><C-q>c", "abc|"}, {"<C-d>", "abc|"}, {"<CLEAR>", "|"},
        {"d<PGUP><F5><INSERT>e", "de|"},     {"<C-g>", "de|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "", 5);
}

/* What leaves has its order among the keys: a line typed ahead of it is entered, and one that holds
 * something is not left. */
static void an_empty_line_is_left(void **state)
{
    static const struct step end[] = {{"ab<C-d><LEFT><C-d>", "a|"}, {"<ENTER><C-d>", NULL}};
    static const struct step clear[] = {
        {"ab<CLEAR>", "|"}, {"<C-r>x<CLEAR>", "|"}, {"c<ENTER><CLEAR>", NULL}};

    (void)state;
    expect_play(end, COUNT(end), "a\n", 1);
    expect_play(clear, COUNT(clear), "c\n", 1);
}

/* ... and nothing is asked for behind it. */
static void what_leaves_ends_the_script(void **state)
{
    static const char *const keys[] = {"<C-d>", "<CLEAR>", "a<CLEAR><CLEAR>", "a<BS><C-d>"};

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct step steps[] = {{keys[i], NULL}, {"more", NULL}};
        struct play play;

        make(&play, NULL);
        play.steps = steps;
        play.count = COUNT(steps);
        assert_null(editor_read(play.editor));
        assert_int_equal(play.next, 1);
        editor_free(play.editor);
    }
}

static void a_control_can_be_quoted(void **state)
{
    static const struct step steps[] = {
        {"a<C-v>", "a|"},       {"<C-g>b<ENTER>", "|"},
        {"a<C-v><UP>b", "ab|"}, /* what no line should hold */
        {"<ENTER>", "|"},       {"a<C-v><C-j>bck:x<HOME>", NULL},
        {"<ENTER>", "|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "a\ab\nab\na\nbck:x\n", -1);
}

/* An ESC that was typed for itself is waiting for its second key. */
static void esc_before_another_key_leaves_no_garbage(void **state)
{
    static const struct step steps[] = {
        {"one<ENTER>two", "two|"},
        {"<ESC>", "two|"},
        {"<UP>", "one|"},
        {"<ESC><DOWN>", "two|"},
        {"<ESC><LEFT>", "tw|o"},
        {"<C-x><LEFT>", "tw|o"}, /* swallowed as a whole */
        {"<ESC><PASTE:x>", "twx|o"},
        {"<ESC><CLEAR>", "|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "one\n", -1);
}

/* ---- history ---- */

static void lines_come_back(void **state)
{
    static const struct step steps[] = {
        {"one<ENTER>two<ENTER>two<ENTER> secret<ENTER><ENTER>dra", "dra|"},
        {"<UP>", "two|"},
        {"<UP>", "one|"},
        {"<UP>", "one|"},
        {"<DOWN>", "two|"},
        {"<DOWN>", "dra|"},
        {"<DOWN>", "dra|"},
        {"<UP><UP>!<ENTER>", "|"},
        {"<UP>", "one!|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "one\ntwo\ntwo\n secret\n\none!\n", -1);
}

static void lines_come_back_in_the_next_run(void **state)
{
    static const struct step first[] = {{"\xc3\xa9 one<ENTER>two<ENTER>", "|"}};
    static const struct step second[] = {{"<UP>", "two|"}, {"<UP>", "\xc3\xa9 one|"}};
    char path[4096];
    struct play play;

    (void)state;
    snprintf(path, sizeof path, "%s/state/history", home);
    make(&play, path);
    run(&play, first, COUNT(first), false);
    assert_int_equal(editor_history_error(play.editor), 0);
    editor_free(play.editor);
    make(&play, path);
    run(&play, second, COUNT(second), false);
    editor_free(play.editor);
}

/* What would be an event of the editor's own cannot come out of the file. */
static void no_line_comes_back_with_c1(void **state)
{
    static const struct step steps[] = {{"<UP>", "ab|"}, {"<ENTER>", "|"}};
    char path[4096];
    struct play play;
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/history", home);
    file = fopen(path, "we");
    fputs("a\xc2\x9f\xc2\x9b"
          "b\n",
          file);
    fclose(file);
    make(&play, path);
    run(&play, steps, COUNT(steps), false);
    assert_string_equal(play.lines, "ab\n");
    editor_free(play.editor);
}

static void a_history_that_cannot_be_kept_is_no_failure(void **state)
{
    static const struct step steps[] = {{"one<ENTER>two<ENTER><UP><UP>", "one|"}};
    struct play play;

    (void)state;
    make(&play, home); /* a folder */
    assert_int_equal(editor_history_error(play.editor), EPERM);
    run(&play, steps, COUNT(steps), false);
    editor_free(play.editor);
}

static void a_search_goes_backwards(void **state)
{
    static const struct step steps[] = {
        {"connect alpha<ENTER>close<ENTER>connect beta<ENTER>draft", "draft|"},
        {"<C-r>", "draft|{bck:}"},
        {"con", "|connect beta{bck:con}"},
        {"<C-r>", "|connect alpha{bck:con}"},
        {"<BS>", "|connect beta{bck:con}"},
        {"<RIGHT>", "c|onnect beta"},
        {"<C-e><C-u>draft<C-r>zzz", "draft|{bck?zzz}"},
        {"<C-g>", NULL},
        {"<C-g>", "draft|"},
        {"<C-r>clo<ENTER>", "|"},
        {"x<C-r>al", "connect |alpha{bck:al}"},
        {"<ESC>", "connect |alpha"},
        {"!", "connect !|alpha"},
        {"<UP>", "connect alpha|"}, /* there is no older one */
        {"<DOWN>", "close|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "connect alpha\nclose\nconnect beta\nclose\n", -1);
}

/* libedit looks at the last eight bits of a character only: of U+0112 they are Ctrl-R. */
static void any_character_can_be_typed_in_a_search(void **state)
{
    static const struct step steps[] = {
        {"\xe6\xbc\xa2 h\xc3\xa9<ENTER>zwei<ENTER>", "|"},
        {"<C-r>\xe6\xbc\xa2", "|\xe6\xbc\xa2 h\xc3\xa9{bck:\xe6\xbc\xa2}"},
        {"<CLEAR>", "|"},
        {"<C-r>\xc3\xa9", "\xe6\xbc\xa2 h|\xc3\xa9{bck:\xc3\xa9}"},
        {"<CLEAR>", "|"},
        {"<C-r>\xc4\x92x", "\xc4\x92x|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "\xe6\xbc\xa2 h\xc3\xa9\nzwei\n", -1);
}

/* ---- vi ---- */

static void keys_of_vi(void **state)
{
    static const struct step steps[] = {
        {"one two three four", "one two three four|"},
        {"<ESC>0", "|one two three four"},
        {"dw", "|two three four"},
        {"2dw", "|four"},
        {"u", "|two three four"},
        {"fe", "two thr|ee four"},
        {"rE", "two thr|Ee four"},
        {"0cwTWO<ESC>", NULL},
        {"0", "|TWO thrEe four"},
        {"$", NULL},
        {"x", NULL},
        {"<ENTER>", "|"},
        {"new<ESC>ddinew<ENTER>", "|"},
        {"abc<ESC><ESC>x", NULL}, /* no ESC swallows what follows */
        {"<ENTER>", "|"},
    };

    (void)state;
    write_editrc("bind -v\n");
    expect_play(steps, COUNT(steps), "TWO thrEe fou\nnew\nab\n", -1);
}

/* With libedit's own bindings each of them would leave the mode that inserts. */
static void keys_of_the_keyboard_in_vi(void **state)
{
    static const struct step steps[] = {
        {"one two<LEFT><LEFT>x", "one tx|wo"},
        {"<HOME>", "|one txwo"},
        {"<RIGHT><DELETE>y", NULL},
        {"<END>z", "oye txwoz|"},
        {"<LEFT><RIGHT>!", "oye txwoz!|"},
        {"<ENTER>d<UP><END>?", "oye txwoz!?|"},
        {"<DOWN><END>r", "dr|"},
        {"<ESC><LEFT>", NULL},
        {"<ESC><ESC>0dw", "|"},
        {"iab<ESC><PASTE:c>", NULL},
        {"<CLEAR>ab", "ab|"}, /* where one inserts */
    };

    (void)state;
    write_editrc("bind -v\n");
    expect_play(steps, COUNT(steps), "oye txwoz!\n", -1);
}

static void a_question_of_vi_can_be_left(void **state)
{
    static const struct step steps[] = {
        {"connect alpha<ENTER>close<ENTER>draft<ESC>", NULL},
        {"/", "|{/}"},
        {"alp", "|{/alp}"},
        {"<BS>", "|{/al}"},
        {"<UP>", "|{/al}"}, /* rings */
        {"<ENTER>", NULL},
        {"0", "|connect alpha"},
        {"/zz<ESC>", NULL},
        {"0", "|connect alpha"}, /* ESC has run nothing, and lost nothing */
        {"/zz<ENTER>", NULL},
        {"0", "|connect alpha"},
        {"/zz<PASTE:new >", NULL},
        {"0", "|new connect alpha"},
        {"/zz<CLEAR>", "|"},
    };

    (void)state;
    write_editrc("bind -v\n");
    expect_play(steps, COUNT(steps), "connect alpha\nclose\n", -1);
}

/* It would start an editor on the terminal. */
static void v_starts_nothing(void **state)
{
    static const struct step steps[] = {{"one<ESC>v", NULL}, {"0", "|one"}};

    (void)state;
    setenv("EDITOR", "false", 1);
    write_editrc("bind -v\n");
    expect_play(steps, COUNT(steps), "", 1);
    unsetenv("EDITOR");
}

/* ---- ~/.editrc ---- */

static void editrc_has_its_say(void **state)
{
    static const struct step steps[] = {
        {"abc<C-o>", "|abc"},
        {"one<ENTER>two<ENTER>one <UP>", NULL},
        {"<C-a><C-k>", "|"},
        {"ne<UP>", "oneabc|"}, /* the last one with that in it */
    };

    (void)state;
    write_editrc("pollspin:bind ^O ed-move-to-beg\nother:bind ^O ed-newline\n"
                 "bind \"\\e[A\" ed-search-prev-history\n");
    expect_play(steps, COUNT(steps), "oneabc\ntwo\n", -1);
}

static void editrc_takes_nothing_that_is_needed(void **state)
{
    static const struct step steps[] = {
        {"ab<LEFT><PASTE:x y>", "ax y|b"},
        {"<CLEAR>/q<TAB>", "/quit |"},
        {"<DELETE><HOME><DELETE>", "|quit "},
    };

    (void)state;
    write_editrc(
        "bind -v\nbind -e\nbind ^I ed-newline\nedit off\nbind -r \"\\e[3~\"\nbind\ntelltc\n"
        "setty -a\nhistory size 0\nnonsense\n");
    expect_play(steps, COUNT(steps), "", 1);
}

/* What is asked for while one types can take all our bindings away. */
static void bindings_come_back(void **state)
{
    static const struct step steps[] = {
        {"ab<ESC>xbind -e", "|{: bind -e}"},
        {"<ENTER>", "ab|"},
        {"<PASTE:cd>", "abcd|"},
        {"<ESC>xfoo<ESC>e<ESC>xedit off<ENTER>f", "abcdef|"},
        {"<ESC>xbind -v<ENTER><LEFT>g", "abcdeg|f"},
        {"<ESC>x:bind -e<ENTER><PASTE:h><TAB>", NULL},
        {"<CLEAR>ab<LEFT>c<ENTER>", "|"},
        {"ab<LEFT>c", "ac|b"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "acb\n", -1);
}

/* ---- pastes ---- */

static void a_paste_comes_in_its_order(void **state)
{
    static const struct step steps[] = {
        {"a<PASTE:one two>b<PASTE:three>c", "aone twobthreec|"},
        {"<C-a><PASTE:\n\xc3\xa9\t\x01x\r\ny\x1b[A\r\n>", " \xc3\xa9 x y[A|aone twobthreec"},
        {"<CLEAR><PASTE:\n>", "|"},
        {"<PASTE:\xff>", "\xef\xbf\xbd|"},
        {"<CLEAR><PASTE:\xc2\x9f\xc2\x85x>", "x|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "", 0);
}

static void a_paste_ends_a_search(void **state)
{
    static const struct step steps[] = {
        {"connect<ENTER>close<ENTER><C-r>con", "|connect{bck:con}"},
        {"<PASTE:x>!", "x!|connect"},
        {"<CLEAR><C-r>zz<PASTE:y>", "y|"},
        {"<C-r>con<CLEAR>a", "a|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "connect\nclose\n", -1);
}

/* Ctrl-V takes any character, and f looks for any. */
static void nothing_swallows_a_paste(void **state)
{
    static const struct step emacs[] = {
        {"ab<C-v><PASTE:one>c", "abonec|"},
        {"<C-v><CLEAR>d", "d|"},
        {"<C-x><PASTE:two>", "dtwo|"},
        {"<ESC>2<PASTE:three>", "dtwothree|"},
    };
    static const struct step vi[] = {
        {"ab<C-v><PASTE:one>c", "abonec|"},
        {"<ESC>0f<PASTE:two>", "two|abonec"},
        {"0d<PASTE:three>", "three|twoabonec"},
        {"0df<PASTE:four>", "four|threetwoabonec"},
        {"0r<PASTE:five>", NULL},
        {"<CLEAR>x", "x|"},
    };

    (void)state;
    expect_play(emacs, COUNT(emacs), "", -1);
    write_editrc("bind -v\n");
    expect_play(vi, COUNT(vi), "", -1);
}

static char *repeat(char character, size_t n)
{
    char *text = malloc(n + 1);

    memset(text, character, n);
    text[n] = '\0';
    return text;
}

struct long_paste {
    struct play play;
    size_t length; /* of the paste */
    bool is_typed; /* character by character */
    int step;
};

static bool pump_long_paste(void *owner, bool may_wait)
{
    struct long_paste *paste = owner;
    char *text = repeat('x', paste->length);

    paste->play.turns++;
    paste->play.hasty_turns += !may_wait;
    if (may_wait && paste->step++ == 0) {
        if (!paste->is_typed)
            assert_true(editor_paste(paste->play.editor, text, paste->length));
        for (size_t i = 0; paste->is_typed && i < paste->length; i++)
            assert_true(editor_put(paste->play.editor, 'x'));
    } else if (may_wait) {
        show(paste->play.editor, paste->play.lines);
        editor_put(paste->play.editor, '\r');
    }
    free(text);
    return true;
}

/* Pastes or types LENGTH characters. Returns how long the line is. */
static size_t paste_long(struct long_paste *paste, size_t length, bool is_typed)
{
    struct editor_options options = {
        .program = "pollspin", .pump = pump_long_paste, .owner = paste};
    size_t n;

    *paste = (struct long_paste){.length = length, .is_typed = is_typed};
    paste->play.editor = editor_new(&options);
    assert_non_null(paste->play.editor);
    n = strlen(editor_read(paste->play.editor));
    paste->play.bells = editor_take_bells(paste->play.editor);
    editor_free(paste->play.editor);
    return n;
}

static void long_lines_are_whole(void **state)
{
    static const size_t lengths[] = {1020, 1021, 1022, 1023, 1024, 1025, 2047, 10000, 65535, 65536};
    struct long_paste paste;

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        assert_int_equal(paste_long(&paste, lengths[i], false), lengths[i]);
        assert_int_equal(paste.play.bells, 0);
        assert_int_equal(paste_long(&paste, lengths[i], true), lengths[i]);
        assert_int_equal(paste.play.bells, 0);
    }
}

static void lines_that_are_too_long_are_cut_and_it_rings(void **state)
{
    struct long_paste paste;

    (void)state;
    assert_int_equal(paste_long(&paste, LONGEST, false), EDITOR_LINE_MAX);
    assert_true(paste.play.bells > 0);
    assert_int_equal(paste_long(&paste, EDITOR_LINE_MAX + 10, true), EDITOR_LINE_MAX);
    assert_int_equal(paste.play.bells, 10);
}

static void a_count_makes_no_line_too_long(void **state)
{
    static const struct step steps[] = {
        {"ab<LEFT><ESC>9999999x", "65536 characters, cursor at 65536"},
        {"<PASTE:c>", "65536 characters, cursor at 65536"},
        {"<C-a><C-k>", "|"},
        {"1234567890<ESC>3x", "1234567890xxx|"},
    };

    (void)state;
    expect_play(steps, COUNT(steps), "", 4);
}

/* libedit keeps 1024 characters of it. */
static void a_long_draft_comes_back(void **state)
{
    char *text = repeat('y', 5000);
    char paste[5100], typed[5100];
    const struct step steps[] = {
        {"one<ENTER>two<ENTER>", "|"},
        {paste, "5000 characters, cursor at 5000"},
        {"<UP>", "two|"},
        {"<UP>", "one|"},
        {"<DOWN><DOWN>", "5000 characters, cursor at 5000"},
        {"<C-a><C-d><UP>", "two|"},
        {"<DOWN>", "4999 characters, cursor at 4999"},
        {"<ENTER>", "|"},
        {"<UP>", "4999 characters, cursor at 4999"},
        {"<UP><DOWN><DOWN>", "|"},
        {typed, "5000 characters, cursor at 5000"},
        {"<UP><DOWN><ENTER>", "|"},
    };
    char expected[SHOWN * 2];
    (void)state;
    snprintf(paste, sizeof paste, "<PASTE:%s>", text);
    snprintf(typed, sizeof typed, "%s", text);
    snprintf(expected, sizeof expected, "one\ntwo\n%.4999s\n%s\n", text, text);
    for (int is_slow = 0; is_slow < 2; is_slow++) {
        static char lines[SHOWN * 2];
        struct play play;
        const char *line;

        make(&play, NULL);
        play.steps = steps;
        play.count = COUNT(steps);
        play.is_slow = is_slow;
        lines[0] = '\0';
        while ((line = editor_read(play.editor)))
            strcat(strcat(lines, line), "\n");
        assert_string_equal(lines, expected);
        editor_free(play.editor);
    }
    free(text);
}

/* It would take libedit too long, with the loop standing still. */
static void long_lines_are_not_searched(void **state)
{
    char *text = repeat('y', 900);
    char paste[1000], shown[1000];
    const struct step steps[] = {
        {"needle 1<ENTER>", "|"}, {paste, "|"},     {"<C-r>needle", "|needle 1{bck:needle}"},
        {"<CLEAR><UP>", shown},                     /* it is there */
        {"<C-r>ne", NULL},        {"<ESC>", shown}, /* and is left alone */
    };
    struct play play;

    (void)state;
    snprintf(paste, sizeof paste, "needle 2 %s<ENTER>", text);
    snprintf(shown, sizeof shown, "needle 2 %s|", text);
    make(&play, NULL);
    run(&play, steps, COUNT(steps), false);
    assert_int_equal(play.bells, 2);
    editor_free(play.editor);
    free(text);
}

enum { ENTERED = 12, EACH = 10000, OLDEST = 4 };

static bool pump_much(void *owner, bool may_wait)
{
    struct long_paste *paste = owner;
    size_t n = EACH + (size_t)paste->step;
    char *text = repeat('x', n);

    if (may_wait && paste->step < ENTERED) {
        assert_true(editor_paste(paste->play.editor, text, n));
        editor_put(paste->play.editor, '\r');
    }
    for (int i = 0; may_wait && paste->step == ENTERED && i < 2 * ENTERED; i++)
        editor_put_bytes(paste->play.editor, "\033[A", 3);
    free(text);
    if (may_wait && paste->step++ > ENTERED) {
        show(paste->play.editor, paste->play.lines);
        return false;
    }
    return true;
}

/* The oldest lines go first. */
static void libedit_is_given_no_more_than_it_can_search(void **state)
{
    struct long_paste paste = {0};
    struct editor_options options = {.program = "pollspin", .pump = pump_much, .owner = &paste};
    char expected[64];
    int lines = 0;

    (void)state;
    paste.play.editor = editor_new(&options);
    while (editor_read(paste.play.editor))
        lines++;
    assert_int_equal(lines, ENTERED);
    snprintf(expected, sizeof expected, "%d characters, cursor at %d", EACH + OLDEST,
             EACH + OLDEST);
    assert_string_equal(paste.play.lines, expected);
    editor_free(paste.play.editor);
}

/* ---- completion ---- */

static void completion(void **state)
{
    static const struct step steps[] = {
        {"/q<TAB>", "/quit |"},
        {"<CLEAR>/c<TAB>", "/c|"},
        {"<CLEAR>\xc3\xa9/qx<LEFT><TAB>", "\xc3\xa9/quit |x"},
    };
    static const struct step none[] = {{"a\xc3\xa9z<LEFT><TAB>", "a\xc3\xa9|z"}};
    struct play play;

    (void)state;
    expect_play(steps, COUNT(steps), "", 0);
    make(&play, NULL);
    run(&play, none, COUNT(none), false);
    assert_string_equal(play.completed, "a\xc3\xa9|z");
    assert_int_equal(play.bells, 1);
    editor_free(play.editor);
}

/* ---- leaving, and not standing still ---- */

static void one_can_leave_from_anywhere(void **state)
{
    static const char *const starts[] = {"",       "abc",        "<C-r>",  "one<ENTER><C-r>on",
                                         "<C-v>",  "<ESC>",      "<C-x>",  "<ESC>xbind",
                                         "<ESC>3", "<C-r><C-r>", "<C-r>zz"};
    static const char *const vi[] = {"a<ESC>",   "a<ESC>d",   "a<ESC>f",
                                     "a<ESC>/x", "a<ESC>2d2", "a<ESC>r"};

    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++)
        expect_play(&(struct step){starts[i], NULL}, 1, i == 3 ? "one\n" : "", -1);
    write_editrc("bind -v\n");
    for (size_t i = 0; i < COUNT(vi); i++)
        expect_play(&(struct step){vi[i], NULL}, 1, "", -1);
}

static bool pump_and_quit(void *owner, bool may_wait)
{
    struct play *play = owner;

    (void)may_wait;
    play->turns++;
    editor_quit(play->editor);
    editor_put(play->editor, 'x');
    editor_paste(play->editor, "abc", 3);
    return true;
}

static void after_quit_no_key_is_worked_on(void **state)
{
    struct play play = {0};
    struct editor_options options = {.program = "pollspin", .pump = pump_and_quit, .owner = &play};

    (void)state;
    play.editor = editor_new(&options);
    assert_null(editor_read(play.editor));
    assert_null(editor_read(play.editor));
    assert_int_equal(play.turns, 1);
    editor_free(play.editor);
}

struct flood {
    struct editor *editor;
    int step;
    int hasty_turns;
    int64_t last;
    int64_t longest_ns; /* between two turns, after the first */
    size_t pattern;     /* the longest, and the last */
    size_t last_pattern;
};

enum { FLOOD = 20000 };

static bool pump_flood(void *owner, bool may_wait)
{
    struct flood *flood = owner;
    struct editor_view view;
    int64_t now = clock_now();

    if (flood->last > 0 && now - flood->last > flood->longest_ns)
        flood->longest_ns = now - flood->last;
    editor_view(flood->editor, &view);
    flood->last_pattern = view.search_length;
    if (view.search_length > flood->pattern)
        flood->pattern = view.search_length;
    if (!may_wait) {
        flood->hasty_turns++;
    } else if (flood->step++ == 0) {
        editor_put(flood->editor, 0x12);
        for (int i = 0; i < FLOOD; i++)
            editor_put(flood->editor, i % 7 == 0 ? ' ' : 'a' + i % 3);
    } else if (flood->step == 2) {
        editor_clear(flood->editor);
        editor_put(flood->editor, 0x12);
        editor_put(flood->editor, 'l');
        for (int i = 0; i < FLOOD / 10; i++)
            editor_put(flood->editor, 0x12);
    } else {
        return false;
    }
    flood->last = clock_now();
    return true;
}

/* Neither its regular expressions nor its recursion may stop the loop. */
static void a_flood_into_a_search_is_bounded(void **state)
{
    struct flood flood = {0};
    struct editor_options options = {.program = "pollspin", .pump = pump_flood, .owner = &flood};
    char path[4096];
    FILE *file;

    (void)state;
    snprintf(path, sizeof path, "%s/history", home);
    file = fopen(path, "we");
    for (int i = 0; i < (kit_is_instrumented() ? 100 : 1000); i++)
        fprintf(file, "line %d, which is about as long as what people type into it\n", i);
    fclose(file);
    options.history_path = path;
    flood.editor = editor_new(&options);
    assert_null(editor_read(flood.editor));
    assert_int_equal(flood.step, 3);
    assert_true(flood.pattern > 50 && flood.pattern < 80);
    assert_int_equal(flood.last_pattern, 4); /* a search ends, and the next begins, with "bck:" */
    assert_true(flood.hasty_turns > 0);
    print_message("longest gap: %.1f ms in %d turns\n", (double)flood.longest_ns / 1e6,
                  flood.hasty_turns);
    assert_true(editor_take_bells(flood.editor) > FLOOD / 2);
    editor_free(flood.editor);
}

static void changes_are_told_when_a_key_is_handed_out(void **state)
{
    static const struct step steps[] = {{"a", "a|"}};
    struct play play;

    (void)state;
    make(&play, NULL);
    editor_take_change(play.editor);
    assert_true(editor_put(play.editor, 'x'));
    assert_false(editor_take_change(play.editor));
    run(&play, steps, 0, false);
    assert_true(editor_take_change(play.editor));
    assert_false(editor_take_change(play.editor));
    editor_free(play.editor);
}

static void typed_c1_characters_are_no_events(void **state)
{
    static const struct step steps[] = {{"a\xc2\x9f\xc2\x9e\xc2\x80"
                                         "b",
                                         "ab|"}};

    (void)state;
    expect_play(steps, COUNT(steps), "", 0);
}

/* In the C locale a line cannot hold what was pasted: it becomes something that it can. */
static void what_the_locale_has_not_is_a_question_mark(void **state)
{
    static const struct step steps[] = {{"a<PASTE:\xc3\xa9>b<ENTER>", "|"}};
    struct play play;

    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C"));
    make(&play, NULL);
    run(&play, steps, COUNT(steps), false);
    assert_true(play.lines[0] == 'a' && strchr(play.lines, 'b'));
    editor_free(play.editor);
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

/* Each in a child: tgetent(3) forgets to free what it made for the last terminal. */
static void any_terminal_will_do(void **state)
{
    static const char *const terms[] = {"xterm", "dumb", "vt100", "linux", "tmux", ""};
    static const struct step steps[] = {{"ab<LEFT>c<HOME>d<C-v><UP><END>e<LEFT><DELETE>", "dacb|"}};

    (void)state;
    for (size_t i = 0; i < COUNT(terms); i++) {
        struct play play;
        int status;
        pid_t pid;

        setenv("TERM", terms[i], 1);
        pid = fork();
        if (pid == 0) {
            make(&play, NULL);
            run(&play, steps, COUNT(steps), false);
            editor_free(play.editor);
            _exit(play.bells == 1 ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void nothing_is_left_behind(void **state)
{
    int before = kit_descriptors(getpid());
    struct play play;

    (void)state;
    for (int i = 0; i < 3; i++) {
        make(&play, NULL);
        assert_int_equal(kit_descriptors(getpid()), before + 2);
        assert_true(editor_paste(play.editor, "left", 4));
        editor_free(play.editor);
        assert_int_equal(kit_descriptors(getpid()), before);
    }
    editor_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_typed, prepare, clean_up),
        cmocka_unit_test_setup_teardown(keys_of_emacs, prepare, clean_up),
        cmocka_unit_test_setup_teardown(characters_of_all_widths, prepare, clean_up),
        cmocka_unit_test_setup_teardown(keys_that_belong_to_others_are_harmless, prepare, clean_up),
        cmocka_unit_test_setup_teardown(an_empty_line_is_left, prepare, clean_up),
        cmocka_unit_test_setup_teardown(what_leaves_ends_the_script, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_control_can_be_quoted, prepare, clean_up),
        cmocka_unit_test_setup_teardown(esc_before_another_key_leaves_no_garbage, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(lines_come_back, prepare, clean_up),
        cmocka_unit_test_setup_teardown(lines_come_back_in_the_next_run, prepare, clean_up),
        cmocka_unit_test_setup_teardown(no_line_comes_back_with_c1, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_history_that_cannot_be_kept_is_no_failure, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(a_search_goes_backwards, prepare, clean_up),
        cmocka_unit_test_setup_teardown(any_character_can_be_typed_in_a_search, prepare, clean_up),
        cmocka_unit_test_setup_teardown(keys_of_vi, prepare, clean_up),
        cmocka_unit_test_setup_teardown(keys_of_the_keyboard_in_vi, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_question_of_vi_can_be_left, prepare, clean_up),
        cmocka_unit_test_setup_teardown(v_starts_nothing, prepare, clean_up),
        cmocka_unit_test_setup_teardown(editrc_has_its_say, prepare, clean_up),
        cmocka_unit_test_setup_teardown(editrc_takes_nothing_that_is_needed, prepare, clean_up),
        cmocka_unit_test_setup_teardown(bindings_come_back, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_paste_comes_in_its_order, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_paste_ends_a_search, prepare, clean_up),
        cmocka_unit_test_setup_teardown(nothing_swallows_a_paste, prepare, clean_up),
        cmocka_unit_test_setup_teardown(long_lines_are_whole, prepare, clean_up),
        cmocka_unit_test_setup_teardown(lines_that_are_too_long_are_cut_and_it_rings, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(a_count_makes_no_line_too_long, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_long_draft_comes_back, prepare, clean_up),
        cmocka_unit_test_setup_teardown(long_lines_are_not_searched, prepare, clean_up),
        cmocka_unit_test_setup_teardown(libedit_is_given_no_more_than_it_can_search, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(completion, prepare, clean_up),
        cmocka_unit_test_setup_teardown(one_can_leave_from_anywhere, prepare, clean_up),
        cmocka_unit_test_setup_teardown(after_quit_no_key_is_worked_on, prepare, clean_up),
        cmocka_unit_test_setup_teardown(a_flood_into_a_search_is_bounded, prepare, clean_up),
        cmocka_unit_test_setup_teardown(changes_are_told_when_a_key_is_handed_out, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(typed_c1_characters_are_no_events, prepare, clean_up),
        cmocka_unit_test_setup_teardown(what_the_locale_has_not_is_a_question_mark, prepare,
                                        clean_up),
        cmocka_unit_test_setup_teardown(any_terminal_will_do, prepare, clean_up),
        cmocka_unit_test_setup_teardown(nothing_is_left_behind, prepare, clean_up),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
