/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libedit is kept as it is, and kept in: give_key is the one place where it waits, and so the one
 * where what goes wrong in it is put right.
 *
 * A paste and a clearing stay at the head of the queue until their function has run. What swallows
 * their character (Ctrl-V, vi's f, the second key of a sequence) gets no other: it is handed out
 * again. What libedit 3.1 does that one would not expect:
 *   - an incremental search and a question ("/", ":") are a part of the line behind a newline
 *   - a search takes one stack frame a key and compiles a regular expression a line: bounded here
 *   - ESC ends vi's question by running the line that it finds: here it is left without an answer
 *   - a question forgets the line, and going to another line of the history forgets what stands
 *     behind the first 1024 characters of it: copies bring it back
 *   - with isatty(3) false on either descriptor it silently edits nothing: hence the pty
 * Source: editline(3), editrc(5), and libedit's source.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wctype.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ui/editor.h"
#include "ui/history.h"

enum {
    CTRL_D = 0x04,
    CTRL_W = 0x17,
    ESC = 0x1b,
    DELETE = 0x7f,
    C1_FIRST = 0x80,
    KEY_FIRST = C1_FIRST, /* the keys of key_table, one behind the other */
    KEY_CLEAR = 0x9e,
    KEY_PASTE = 0x9f,
    C1_LAST = 0x9f,
    REPLACEMENT = 0xfffd
};

enum {
    QUEUE_MAX = 1 << 22,   /* bytes of keys that wait */
    PATTERN_MAX = 64,      /* characters in a search */
    SEARCH_LINE = 800,     /* ... and in a line that is searched: from one, Ctrl-W takes a word */
    HISTORY_TEXT = 100000, /* ... and in all of them */
    SEARCH_KEYS = 1000,    /* keys that one search takes */
    LIBEDIT_KEEPS = 1024,  /* characters of a draft that libedit keeps by itself */
    COUNT_MAX = 5,         /* digits in a count: libedit would insert ten million */
    INSERT_SIZE = 1024,    /* bytes of a completion */
    TRIES = 4              /* to get a paste to its function */
};

static const int64_t pump_ns = 20 * CLOCK_MILLISECOND;

struct paste {
    struct paste *next;
    bool is_cut;
    size_t length;
    wchar_t text[];
};

struct copy {
    wchar_t *text; /* ended by a NUL */
    size_t length;
    size_t cursor;
    size_t room;
};

struct editor {
    struct editor_options options;
    EditLine *el;
    HistoryW *lines;
    struct history history;
    int history_error;
    size_t history_text; /* characters in lines, or more */
    int master;
    int slave;
    FILE *out; /* where libedit draws: only its bells are heard */
    FILE *err; /* where it complains */
    bool has_complained;
    struct buf keys;      /* wchar_t each */
    struct paste *pastes; /* one for each KEY_PASTE in keys */
    int tries;            /* how often the one at the head was handed out */
    wchar_t handed;       /* the last key */
    size_t search_keys;
    size_t digits; /* of a count: all but the first */
    size_t digits_at;
    bool is_searching;
    bool has_asked;
    bool has_searched; /* when the clearing at the head of the queue was handed out */
    int64_t pumped;
    bool is_vi;
    bool is_reading;
    bool has_quit;
    bool has_changed;
    int bells;
    struct copy before; /* the line as it was before the last command */
    struct copy draft;  /* ... and as it last was without being one of the history */
    char *line;         /* what editor_read returned */
};

static struct editor *editor_of(EditLine *el)
{
    void *editor = NULL;

    el_wget(el, EL_CLIENTDATA, &editor);
    return editor;
}

/* ---- characters ---- */

static bool is_c1(wchar_t character)
{
    return character >= C1_FIRST && character <= C1_LAST;
}

static bool is_printable(wchar_t key)
{
    return key >= ' ' && key != DELETE && !is_c1(key);
}

static bool is_event(wchar_t key)
{
    return key == KEY_PASTE || key == KEY_CLEAR;
}

/* Writes N bytes as wide characters, at most N, to OUT; C1, which mean events here, are left out.
 * Returns how many there are. */
static size_t widen(const char *bytes, size_t n, wchar_t *out)
{
    size_t count = 0;
    mbstate_t state = {0};

    for (size_t at = 0; at < n;) {
        size_t used = mbrtowc(&out[count], bytes + at, n - at, &state);

        if (used == (size_t)-1 || used == (size_t)-2) {
            out[count] = REPLACEMENT;
            state = (mbstate_t){0};
            used = 1;
        }
        at += used > 0 ? used : 1;
        count += !is_c1(out[count]);
    }
    return count;
}

/* Returns N characters as a string of bytes, what the locale does not have as "?", or NULL. NUL
 * and C1, which no line should hold, are left out. */
static char *narrow(const wchar_t *text, size_t n, size_t *length)
{
    char *bytes = malloc(n * MB_CUR_MAX + 1);
    mbstate_t state = {0};

    *length = 0;
    for (size_t i = 0; bytes && i < n; i++) {
        size_t used;

        if (text[i] == '\0' || is_c1(text[i]))
            continue;
        used = wcrtomb(bytes + *length, text[i], &state);
        if (used == (size_t)-1) {
            state = (mbstate_t){0};
            bytes[*length] = '?';
            used = 1;
        }
        *length += used;
    }
    if (bytes)
        bytes[*length] = '\0';
    return bytes;
}

/* ---- the line, and what stands in it besides ---- */

enum prompt {
    PROMPT_NONE,
    PROMPT_SEARCH,  /* "line\nbck:pattern" with the cursor in the line */
    PROMPT_QUESTION /* "\n/answer ", "\n: answer " with the cursor on the last space */
};

static size_t line_length(const LineInfoW *info)
{
    return (size_t)(info->lastchar - info->buffer);
}

static bool is_search(const wchar_t *text, size_t n)
{
    return n >= 4 && (wcsncmp(text, L"bck", 3) == 0 || wcsncmp(text, L"fwd", 3) == 0) &&
           (text[3] == ':' || text[3] == '?');
}

static bool is_question(const LineInfoW *info)
{
    const wchar_t *text = info->buffer;

    return line_length(info) >= 3 && text[0] == '\n' && info->cursor == info->lastchar - 1 &&
           *info->cursor == ' ' &&
           (text[1] == '/' || text[1] == '?' || (text[1] == ':' && text[2] == ' '));
}

/* Finds out what is going on; *AT is the newline before the prompt, or the end of the line. */
static enum prompt find_prompt(const LineInfoW *info, const wchar_t **at)
{
    const wchar_t *tail = info->lastchar;

    *at = info->buffer;
    if (is_question(info))
        return PROMPT_QUESTION;
    while (tail > info->cursor && tail[-1] != '\n')
        tail--;
    *at = tail - 1;
    if (tail > info->cursor && is_search(tail, (size_t)(info->lastchar - tail)))
        return PROMPT_SEARCH;
    *at = info->lastchar;
    return PROMPT_NONE;
}

/* history_w(3) for a search: it takes the square of the length of the line that it finds, and so
 * finds no long one. */
static int search_history(void *lines, HistEventW *event, int operation, ...)
{
    int result = history_w(lines, event, operation, NULL);

    if (result == 0 && wcsnlen(event->str, SEARCH_LINE + 1) > SEARCH_LINE)
        event->str = L"";
    return result;
}

static void ring(struct editor *editor)
{
    editor->bells++;
}

/* Deletes N characters before AT, which is counted from the beginning of the line. */
static void delete_before(struct editor *editor, size_t at, size_t n)
{
    int now = el_cursor(editor->el, 0);

    el_cursor(editor->el, (int)at - now);
    el_wdeletestr(editor->el, (int)n);
}

/* ---- copies of what was typed and must not get lost ---- */

static void copy_make(struct copy *copy, const LineInfoW *info)
{
    size_t n = line_length(info);

    if (n >= copy->room) {
        wchar_t *text = realloc(copy->text, 2 * (n + 1) * sizeof *text);

        if (!text)
            return;
        copy->text = text;
        copy->room = 2 * (n + 1);
    }
    wmemcpy(copy->text, info->buffer, n);
    copy->text[n] = '\0';
    copy->length = n;
    copy->cursor = (size_t)(info->cursor - info->buffer);
}

static bool is_in_history(const struct editor *editor, const LineInfoW *info)
{
    size_t n = line_length(info);
    HistEventW event;

    for (int found = history_w(editor->lines, &event, H_FIRST); found == 0;
         found = history_w(editor->lines, &event, H_NEXT))
        if (wcsncmp(event.str, info->buffer, n) == 0 && event.str[n] == '\0')
            return true;
    return false;
}

static void keep_line(struct editor *editor)
{
    const LineInfoW *info = el_wline(editor->el);

    copy_make(&editor->before, info);
    if (!is_in_history(editor, info))
        copy_make(&editor->draft, info);
}

/* Puts back the line that a question has emptied. */
static void restore_line(struct editor *editor)
{
    const struct copy *copy = &editor->before;

    if (copy->length > 0 && el_winsertstr(editor->el, copy->text) == 0)
        el_cursor(editor->el, (int)copy->cursor - (int)copy->length);
}

/* Writes over what libedit has forgotten. Returns whether it was this line. */
static bool restore_end(const struct editor *editor, const LineInfoW *info)
{
    const struct copy *copy = &editor->draft;

    if (line_length(info) != copy->length || wmemcmp(info->buffer, copy->text, LIBEDIT_KEEPS) != 0)
        return false;
    wmemcpy((wchar_t *)info->buffer, copy->text, copy->length);
    return true;
}

/* ---- putting things right, between two commands ---- */

static void bind_keys(struct editor *editor);

/* Ctrl-V takes any character. */
static void remove_stray(struct editor *editor)
{
    const LineInfoW *info = el_wline(editor->el);

    if (!is_c1(editor->handed) || info->cursor == info->buffer ||
        info->cursor[-1] != editor->handed)
        return;
    el_wdeletestr(editor->el, 1);
    ring(editor);
}

static void mend_end(struct editor *editor)
{
    const LineInfoW *info = el_wline(editor->el);
    size_t n = line_length(info);

    if (n <= LIBEDIT_KEEPS || info->buffer[LIBEDIT_KEEPS] != '\0' || restore_end(editor, info))
        return;
    delete_before(editor, n, n - LIBEDIT_KEEPS);
    ring(editor);
}

static void cut_end(struct editor *editor)
{
    size_t n = line_length(el_wline(editor->el));

    if (n <= EDITOR_LINE_MAX)
        return;
    delete_before(editor, n, n - EDITOR_LINE_MAX);
    ring(editor);
}

/* What was asked may have been "bind -v", which takes our bindings away, or "edit off". */
static void end_question(struct editor *editor)
{
    editor->has_asked = false;
    bind_keys(editor);
    if (line_length(el_wline(editor->el)) == 0)
        restore_line(editor);
}

static void use_history(struct editor *editor, bool is_searching)
{
    if (is_searching == editor->is_searching)
        return;
    editor->is_searching = is_searching;
    if (is_searching)
        el_wset(editor->el, EL_HIST, search_history, editor->lines);
    else
        el_wset(editor->el, EL_HIST, history_w, editor->lines);
}

static enum prompt settle(struct editor *editor)
{
    const wchar_t *at;
    const LineInfoW *info = el_wline(editor->el);
    enum prompt prompt = find_prompt(info, &at);

    if (prompt == PROMPT_QUESTION)
        editor->has_asked = true;
    use_history(editor, prompt != PROMPT_NONE);
    if (prompt != PROMPT_NONE)
        return prompt;
    editor->search_keys = 0;
    if (editor->has_asked)
        end_question(editor);
    remove_stray(editor);
    mend_end(editor);
    cut_end(editor);
    return prompt;
}

/* ---- the queue ---- */

static wchar_t queue_peek(const struct editor *editor)
{
    wchar_t key;

    memcpy(&key, buf_peek(&editor->keys), sizeof key);
    return key;
}

static void queue_take(struct editor *editor)
{
    wchar_t key = queue_peek(editor);
    struct paste *paste = editor->pastes;

    buf_take(&editor->keys, sizeof key);
    editor->tries = 0;
    if (key != KEY_PASTE)
        return;
    editor->pastes = paste->next;
    free(paste);
}

static bool queue_has(const struct editor *editor, wchar_t key)
{
    return !buf_is_empty(&editor->keys) && queue_peek(editor) == key;
}

static bool queue_add(struct editor *editor, wchar_t key)
{
    return buf_add(&editor->keys, &key, sizeof key) == 0;
}

/* ---- handing out keys: each returns whether KEY is one ---- */

/* An event is handed out until its function has taken it from the queue. */
static bool give_event(struct editor *editor, wchar_t *key)
{
    *key = queue_peek(editor);
    if (++editor->tries <= TRIES)
        return true;
    queue_take(editor);
    ring(editor);
    return false;
}

static bool give_or_drop(struct editor *editor, wchar_t *key, bool has_room)
{
    *key = queue_peek(editor);
    queue_take(editor);
    if (!has_room)
        ring(editor);
    return has_room;
}

/* Whether libedit's search takes KEY for a control: it looks at its last eight bits. */
static bool is_taken_for_control(wchar_t key)
{
    wchar_t low = key & 0xff;

    return key > 0xff && (low < ' ' || (low >= DELETE && low <= C1_LAST));
}

/* ESC ends the search, and then the key is looked at again. */
static bool give_to_search(struct editor *editor, wchar_t *key)
{
    const wchar_t *at;
    const LineInfoW *info = el_wline(editor->el);
    wchar_t next = queue_peek(editor);
    size_t pattern;
    size_t line;
    bool has_room;

    find_prompt(info, &at);
    pattern = (size_t)(info->lastchar - at);
    line = (size_t)(at - info->buffer);
    if (editor->search_keys == SEARCH_KEYS || is_taken_for_control(next)) {
        *key = ESC;
        return true;
    }
    if (is_event(next)) {
        editor->has_searched = next == KEY_CLEAR;
        return give_event(editor, key);
    }
    has_room = pattern <= PATTERN_MAX && line <= SEARCH_LINE;
    has_room |= !is_printable(next) && next != CTRL_W;
    editor->search_keys += has_room;
    return give_or_drop(editor, key, has_room);
}

/* Deleting what is not there leaves a question. ESC and events do that, character by character. */
static bool give_to_question(struct editor *editor, wchar_t *key)
{
    const LineInfoW *info = el_wline(editor->el);
    size_t prompt = info->buffer[1] == ':' ? 3 : 2;
    size_t answer = (size_t)(info->cursor - info->buffer) - prompt;
    wchar_t next = queue_peek(editor);

    if (next == ESC || is_event(next)) {
        if (next == ESC && answer == 0)
            queue_take(editor);
        editor->has_searched = next == KEY_CLEAR;
        *key = DELETE;
        return true;
    }
    return give_or_drop(editor, key, !is_c1(next) && (answer < PATTERN_MAX || !is_printable(next)));
}

static bool is_digit(wchar_t key)
{
    return key >= '0' && key <= '9';
}

/* Whether NEXT would make a count too long. The digits of one are those that change nothing. */
static bool is_count_full(struct editor *editor, wchar_t next)
{
    const LineInfoW *info = el_wline(editor->el);
    size_t cursor = (size_t)(info->cursor - info->buffer);
    bool goes_on = is_digit(next) && is_digit(editor->handed) && cursor == editor->digits_at;

    editor->digits = goes_on ? editor->digits + 1 : 0;
    editor->digits_at = cursor;
    return editor->digits >= COUNT_MAX;
}

static bool give_to_line(struct editor *editor, wchar_t *key)
{
    wchar_t next = queue_peek(editor);

    if (editor->is_vi || !is_printable(next))
        keep_line(editor);
    if (is_event(next))
        return give_event(editor, key);
    return give_or_drop(editor, key, !is_count_full(editor, next));
}

static bool give_next(struct editor *editor, wchar_t *key)
{
    enum prompt prompt = settle(editor);

    if (prompt == PROMPT_SEARCH)
        return give_to_search(editor, key);
    if (prompt == PROMPT_QUESTION)
        return give_to_question(editor, key);
    return give_to_line(editor, key);
}

static void pump(struct editor *editor)
{
    if (!editor->options.pump(editor->options.owner, buf_is_empty(&editor->keys)))
        editor->has_quit = true;
    editor->pumped = clock_now();
}

/* libedit's getter. While keys wait, the loop has its turn all the same. What is handed out may
 * change what is drawn; so it is said here, and not when a key came: a frame painted in between
 * would be the last one without it. */
static int give_key(EditLine *el, wchar_t *key)
{
    struct editor *editor = editor_of(el);

    while (!editor->has_quit) {
        if (buf_is_empty(&editor->keys) || clock_now() - editor->pumped >= pump_ns) {
            settle(editor);
            pump(editor);
        } else if (give_next(editor, key)) {
            editor->handed = *key;
            editor->has_changed = true;
            return 1;
        }
    }
    return 0;
}

/* ---- functions of our own in libedit's maps ---- */

static unsigned char run_paste(EditLine *el, int key)
{
    struct editor *editor = editor_of(el);
    size_t n = line_length(el_wline(el));
    size_t room = n < EDITOR_LINE_MAX ? EDITOR_LINE_MAX - n : 0;
    struct paste *paste = editor->pastes;

    if (!queue_has(editor, (wchar_t)key))
        return CC_ERROR;
    if (paste->is_cut || paste->length > room)
        ring(editor);
    if (paste->length > room)
        paste->text[room] = '\0';
    if (el_winsertstr(el, paste->text) < 0 && paste->text[0] != '\0')
        ring(editor);
    queue_take(editor);
    return CC_REFRESH;
}

/* What libedit calls fatal makes it begin the line anew: mode, history and all. */
static unsigned char run_clear(EditLine *el, int key)
{
    struct editor *editor = editor_of(el);

    if (!queue_has(editor, (wchar_t)key))
        return CC_ERROR;
    queue_take(editor);
    if (line_length(el_wline(el)) == 0 && !editor->has_searched)
        editor_quit(editor);
    editor->has_searched = false;
    return CC_FATAL;
}

static unsigned char insert_completion(EditLine *el, const char *insert)
{
    size_t n = strlen(insert);
    wchar_t text[INSERT_SIZE];

    text[widen(insert, n, text)] = '\0';
    return n > 0 && el_winsertstr(el, text) < 0 ? CC_ERROR : CC_REFRESH;
}

static unsigned char run_complete(EditLine *el, int key)
{
    struct editor *editor = editor_of(el);
    const LineInfoW *info = el_wline(el);
    char insert[INSERT_SIZE] = "";
    size_t length;
    size_t cursor;
    size_t count = 0;
    char *before = narrow(info->buffer, (size_t)(info->cursor - info->buffer), &cursor);
    char *line = narrow(info->buffer, line_length(info), &length);

    (void)key;
    if (before && line)
        count =
            editor->options.complete(editor->options.owner, line, cursor, insert, sizeof insert);
    free(before);
    free(line);
    insert[sizeof insert - 1] = '\0';
    return count == 0 ? CC_ERROR : insert_completion(el, insert);
}

/* libedit's own end the input on an empty line, or delete backwards at the end of it. */
static unsigned char run_delete(EditLine *el, int key)
{
    const LineInfoW *info = el_wline(el);

    if (line_length(info) == 0 && key == CTRL_D) {
        editor_quit(editor_of(el));
        return CC_FATAL;
    }
    if (info->cursor == info->lastchar)
        return CC_ERROR;
    el_cursor(el, 1);
    el_wdeletestr(el, 1);
    return CC_REFRESH;
}

/* In vi's modes libedit's own stop before the last character, also where one inserts. */
static unsigned char run_end(EditLine *el, int key)
{
    const LineInfoW *info = el_wline(el);

    (void)key;
    el_cursor(el, (int)(info->lastchar - info->cursor));
    return CC_CURSOR;
}

static unsigned char run_right(EditLine *el, int key)
{
    const LineInfoW *info = el_wline(el);

    (void)key;
    if (info->cursor == info->lastchar)
        return CC_ERROR;
    el_cursor(el, 1);
    return CC_CURSOR;
}

/* ---- bindings ---- */

static const wchar_t nothing[] = L"ed-unassigned"; /* rings */
static const wchar_t ignored[] = L"ed-ignore";

static const struct function {
    const wchar_t *name;
    const wchar_t *help;
    unsigned char (*run)(EditLine *el, int key);
} functions[] = {
    {L"pollspin-paste", L"Insert what was pasted", run_paste},
    {L"pollspin-clear", L"Empty the line", run_clear},
    {L"pollspin-complete", L"Complete the word", run_complete},
    {L"pollspin-delete", L"Delete the character under the cursor", run_delete},
    {L"pollspin-right", L"Go right, behind the last character at most", run_right},
    {L"pollspin-end", L"Go behind the last character", run_end},
};

/* What the character of a key does: in emacs mode what its sequence is bound to, or, where that is
 * nothing, what stands here; in vi's modes always what stands here. */
static const struct key {
    const char *bytes; /* as in keys.h */
    const wchar_t *emacs;
    const wchar_t *insert;
    const wchar_t *command;
} key_table[] = {
    {"\033[A", L"ed-prev-history", L"ed-prev-history", L"ed-prev-history"},
    {"\033[B", L"ed-next-history", L"ed-next-history", L"ed-next-history"},
    {"\033[C", L"ed-next-char", L"pollspin-right", L"ed-next-char"},
    {"\033[D", L"ed-prev-char", L"ed-prev-char", L"ed-prev-char"},
    {"\033[H", L"ed-move-to-beg", L"ed-move-to-beg", L"ed-move-to-beg"},
    {"\033[F", L"ed-move-to-end", L"pollspin-end", L"ed-move-to-end"},
    {"\033[1;5D", L"ed-prev-word", L"ed-prev-word", L"vi-prev-word"},
    {"\033[1;5C", L"em-next-word", L"em-next-word", L"vi-next-word"},
    {"\033[3~", L"pollspin-delete", L"pollspin-delete", L"ed-delete-next-char"},
    {"\033[2~", nothing, nothing, nothing},
    {"\033[5~", nothing, nothing, nothing},
    {"\033[6~", nothing, nothing, nothing},
    {"\033[1;5H", nothing, nothing, nothing},
    {"\033[1;5F", nothing, nothing, nothing},
    {"\033[Z", nothing, nothing, nothing},
    {"\033OP", nothing, nothing, nothing},
    {"\033OQ", nothing, nothing, nothing},
    {"\033OR", nothing, nothing, nothing},
    {"\033OS", nothing, nothing, nothing},
    {"\033[15~", nothing, nothing, nothing},
    {"\033[17~", nothing, nothing, nothing},
    {"\033[18~", nothing, nothing, nothing},
    {"\033[19~", nothing, nothing, nothing},
    {"\033[20~", nothing, nothing, nothing},
    {"\033[21~", nothing, nothing, nothing},
    {"\033[23~", nothing, nothing, nothing},
    {"\033[24~", nothing, nothing, nothing},
};

enum { KEYS_BOUND = sizeof key_table / sizeof *key_table };

_Static_assert(KEY_FIRST + KEYS_BOUND <= KEY_CLEAR, "a character for each key");

/* In every mode. Ctrl-C, Ctrl-Q, Ctrl-S and Ctrl-Z have a meaning outside of the line. */
static const struct binding {
    const wchar_t *key;
    const wchar_t *function;
} bindings[] = {
    {L"\x9f", L"pollspin-paste"},
    {L"\x9e", L"pollspin-clear"},
    {L"\t", L"pollspin-complete"},
    {L"\x04", L"pollspin-delete"},
    {L"\x03", ignored},
    {L"\x11", ignored},
    {L"\x13", ignored},
    {L"\x1a", ignored},
};

static void bind_insert(struct editor *editor, const wchar_t *key, const wchar_t *function)
{
    el_wset(editor->el, EL_BIND, key, function, NULL);
}

static void bind_command(struct editor *editor, const wchar_t *key, const wchar_t *function)
{
    el_wset(editor->el, EL_BIND, L"-a", key, function, NULL);
}

/* Asks libedit what SEQUENCE is bound to: where it is nothing, it complains. */
static bool is_bound(struct editor *editor, const wchar_t *sequence)
{
    editor->has_complained = false;
    el_wset(editor->el, EL_BIND, sequence, NULL);
    fflush(editor->err);
    return !editor->has_complained;
}

/* The character types the sequence, so that ~/.editrc has its say; behind an ESC that was typed
 * for itself, too. */
static void bind_emacs_key(struct editor *editor, const struct key *key, const wchar_t *name)
{
    wchar_t sequence[16];
    wchar_t meta[3] = {ESC, name[0], '\0'};

    sequence[widen(key->bytes, strlen(key->bytes), sequence)] = '\0';
    if (is_bound(editor, sequence)) {
        el_wset(editor->el, EL_BIND, L"-s", name, sequence, NULL);
        el_wset(editor->el, EL_BIND, L"-s", meta, sequence, NULL);
    } else {
        bind_insert(editor, name, key->emacs);
        bind_insert(editor, meta, key->emacs);
    }
}

/* No sequence is bound in vi's modes, for ESC would then be the beginning of one. "v" would start
 * $EDITOR on the real terminal, and wait for it. */
static void bind_vi(struct editor *editor)
{
    for (size_t i = 0; i < KEYS_BOUND; i++) {
        wchar_t name[2] = {(wchar_t)(KEY_FIRST + i), '\0'};

        bind_insert(editor, name, key_table[i].insert);
        bind_command(editor, name, key_table[i].command);
    }
    bind_command(editor, L"\033", ignored);
    bind_command(editor, L"v", nothing);
}

static void bind_emacs(struct editor *editor)
{
    for (size_t i = 0; i < KEYS_BOUND; i++) {
        wchar_t name[2] = {(wchar_t)(KEY_FIRST + i), '\0'};

        bind_emacs_key(editor, &key_table[i], name);
    }
}

/* Whatever ~/.editrc or a question did, "edit off" among it. */
static void bind_keys(struct editor *editor)
{
    const wchar_t *mode = L"emacs";

    el_wset(editor->el, EL_EDITMODE, 1);
    el_wget(editor->el, EL_EDITOR, &mode);
    editor->is_vi = wcscmp(mode, L"vi") == 0;
    for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++) {
        bind_insert(editor, bindings[i].key, bindings[i].function);
        bind_command(editor, bindings[i].key, bindings[i].function);
    }
    if (editor->is_vi)
        bind_vi(editor);
    else
        bind_emacs(editor);
}

/* ---- making and ending ---- */

/* Cookies of fopencookie(3): libedit wants a FILE, and nothing of it is shown. */
static ssize_t hear_bells(void *cookie, const char *bytes, size_t n)
{
    struct editor *editor = cookie;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] == '\a')
            ring(editor);
    return (ssize_t)n;
}

static ssize_t hear_complaints(void *cookie, const char *bytes, size_t n)
{
    struct editor *editor = cookie;

    (void)bytes;
    editor->has_complained = true;
    return (ssize_t)n;
}

static int open_files(struct editor *editor)
{
    cookie_io_functions_t out = {.write = hear_bells};
    cookie_io_functions_t err = {.write = hear_complaints};

    editor->out = fopencookie(editor, "w", out);
    editor->err = fopencookie(editor, "w", err);
    return editor->out && editor->err ? 0 : -1;
}

/* Any size does: what libedit draws goes nowhere. */
static int open_terminal(struct editor *editor)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char name[128];

    editor->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (editor->master < 0 || grantpt(editor->master) < 0 || unlockpt(editor->master) < 0)
        return -1;
    errno = ptsname_r(editor->master, name, sizeof name);
    if (errno != 0)
        return -1;
    editor->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return editor->slave < 0 ? -1 : ioctl(editor->slave, TIOCSWINSZ, &size);
}

static void set_history_size(struct editor *editor, int lines)
{
    HistEventW event;

    history_w(editor->lines, &event, H_SETSIZE, lines);
}

static int open_libedit(struct editor *editor)
{
    HistEventW event;

    editor->lines = history_winit();
    editor->el = el_init_fd(editor->options.program, editor->out, editor->out, editor->err,
                            editor->slave, editor->slave, editor->slave);
    if (!editor->lines || !editor->el) {
        errno = ENOMEM;
        return -1;
    }
    set_history_size(editor, HISTORY_LINES);
    history_w(editor->lines, &event, H_SETUNIQUE, 1);
    el_wset(editor->el, EL_CLIENTDATA, editor);
    el_wset(editor->el, EL_GETCFN, give_key);
    el_wset(editor->el, EL_HIST, history_w, editor->lines);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        el_wset(editor->el, EL_ADDFN, functions[i].name, functions[i].help, functions[i].run);
    el_wset(editor->el, EL_EDITOR, L"emacs"); /* libedit's own default depends on who built it */
    el_source(editor->el, NULL);
    bind_keys(editor);
    return 0;
}

/* Lets libedit keep the newest lines, three quarters of what is not too much to search. */
static void limit_history(struct editor *editor)
{
    HistEventW event;
    int count = 0;
    size_t text = 0;

    for (int found = history_w(editor->lines, &event, H_FIRST); found == 0;
         found = history_w(editor->lines, &event, H_NEXT)) {
        size_t n = wcslen(event.str);

        if (4 * (text + n) > 3 * (size_t)HISTORY_TEXT)
            break;
        text += n;
        count++;
    }
    editor->history_text = text;
    set_history_size(editor, count + 1);
}

static void remember(void *owner, const char *line)
{
    struct editor *editor = owner;
    size_t n = strlen(line);
    wchar_t *text = malloc((n + 1) * sizeof *text);
    HistEventW event;

    if (!text)
        return;
    n = widen(line, n, text);
    text[n] = '\0';
    if (editor->history_text + n > HISTORY_TEXT)
        limit_history(editor);
    editor->history_text += n;
    history_w(editor->lines, &event, H_ENTER, text);
    set_history_size(editor, HISTORY_LINES);
    free(text);
}

static void open_history(struct editor *editor)
{
    if (editor->options.history_path &&
        history_open(&editor->history, editor->options.history_path, remember, editor) < 0)
        editor->history_error = errno;
}

struct editor *editor_new(const struct editor_options *options)
{
    struct editor *editor = calloc(1, sizeof *editor);

    if (!editor)
        return NULL;
    editor->options = *options;
    editor->master = editor->slave = editor->history.fd = -1;
    buf_init(&editor->keys, QUEUE_MAX);
    if (open_files(editor) < 0 || open_terminal(editor) < 0 || open_libedit(editor) < 0) {
        int error = errno;

        editor_free(editor);
        errno = error;
        return NULL;
    }
    open_history(editor);
    return editor;
}

static void close_files(struct editor *editor)
{
    if (editor->out)
        fclose(editor->out);
    if (editor->err)
        fclose(editor->err);
    if (editor->slave >= 0)
        close(editor->slave);
    if (editor->master >= 0)
        close(editor->master);
}

void editor_free(struct editor *editor)
{
    if (!editor)
        return;
    assert(!editor->is_reading);
    if (editor->el) {
        el_wset(editor->el, EL_EDITOR, L"emacs"); /* frees what is bound, as el_end does not */
        el_end(editor->el);
    }
    if (editor->lines)
        history_wend(editor->lines);
    close_files(editor);
    history_close(&editor->history);
    while (!buf_is_empty(&editor->keys))
        queue_take(editor);
    free(editor->before.text);
    free(editor->draft.text);
    free(editor->line);
    free(editor);
}

/* ---- lines ---- */

/* Returns the next line of N characters with its newline, or NULL where it is over. What ends the
 * input for libedit only (a key that somebody bound to that) does not end it here. */
static const wchar_t *get_line(struct editor *editor, size_t *n)
{
    const wchar_t *line = NULL;
    int length = 0;

    editor->is_reading = true;
    while (!line && !editor->has_quit) {
        editor->has_asked = false;
        bind_keys(editor);
        line = el_wgets(editor->el, &length);
        editor->has_changed = true;
    }
    editor->is_reading = false;
    *n = line ? (size_t)length : 0;
    return editor->has_quit ? NULL : line;
}

static void add_to_history(struct editor *editor, const char *line)
{
    if (!history_takes(line))
        return;
    remember(editor, line);
    if (editor->history.fd >= 0 && history_add(&editor->history, line) < 0)
        editor->history_error = errno;
}

const char *editor_read(struct editor *editor)
{
    const wchar_t *text;
    size_t n;

    assert(!editor->is_reading);
    free(editor->line);
    editor->line = NULL;
    while (!editor->line && (text = get_line(editor, &n))) {
        n -= text[n - 1] == '\n';
        editor->line = narrow(text, n, &n);
        if (!editor->line)
            ring(editor);
    }
    if (editor->line)
        add_to_history(editor, editor->line);
    return editor->line;
}

void editor_quit(struct editor *editor)
{
    editor->has_quit = true;
}

/* ---- what handlers put ---- */

bool editor_put(struct editor *editor, wchar_t key)
{
    return is_c1(key) || queue_add(editor, key);
}

bool editor_put_bytes(struct editor *editor, const char *bytes, size_t n)
{
    for (size_t i = 0; i < KEYS_BOUND; i++)
        if (strlen(key_table[i].bytes) == n && memcmp(key_table[i].bytes, bytes, n) == 0)
            return queue_add(editor, (wchar_t)(KEY_FIRST + i));
    for (size_t i = 0; i < n; i++)
        if (!editor_put(editor, (unsigned char)bytes[i]))
            return false;
    return true;
}

bool editor_clear(struct editor *editor)
{
    return queue_add(editor, KEY_CLEAR);
}

/* Turns N characters into those of one line. Returns how many there are. */
static size_t tidy(wchar_t *text, size_t n)
{
    size_t kept = 0;

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')
            continue;
        else if (text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
            text[kept++] = ' ';
        else if (!iswcntrl((wint_t)text[i]) && !is_c1(text[i]))
            text[kept++] = text[i];
    return kept;
}

bool editor_paste(struct editor *editor, const char *bytes, size_t n)
{
    struct paste *paste = calloc(1, sizeof *paste + (n + 1) * sizeof *paste->text);
    struct paste **last = &editor->pastes;

    if (!paste || !queue_add(editor, KEY_PASTE)) {
        free(paste);
        return false;
    }
    paste->length = tidy(paste->text, widen(bytes, n, paste->text));
    if (paste->length > EDITOR_LINE_MAX) {
        paste->length = EDITOR_LINE_MAX;
        paste->is_cut = true;
    }
    paste->text[paste->length] = '\0';
    while (*last)
        last = &(*last)->next;
    *last = paste;
    return true;
}

/* ---- what is to be drawn ---- */

void editor_view(const struct editor *editor, struct editor_view *view)
{
    const LineInfoW *info = el_wline(editor->el);
    const wchar_t *at;

    *view = (struct editor_view){.line = L""};
    if (!editor->is_reading)
        return;
    view->line = info->buffer;
    if (find_prompt(info, &at) != PROMPT_NONE) {
        view->search = at + 1;
        view->search_length = (size_t)(info->lastchar - at) - 1;
    }
    view->length = (size_t)(at - info->buffer);
    view->cursor = (size_t)(info->cursor - info->buffer);
    if (view->cursor > view->length) { /* in a question, which has a space at its end */
        view->cursor = view->length;
        view->search_length--;
    }
}

bool editor_is_empty(const struct editor *editor)
{
    struct editor_view view;

    editor_view(editor, &view);
    return view.length == 0 && !view.search && buf_is_empty(&editor->keys);
}

bool editor_take_change(struct editor *editor)
{
    bool has_changed = editor->has_changed;

    editor->has_changed = false;
    return has_changed;
}

int editor_take_bells(struct editor *editor)
{
    int bells = editor->bells;

    editor->bells = 0;
    return bells;
}

int editor_history_error(const struct editor *editor)
{
    return editor->history_error;
}
