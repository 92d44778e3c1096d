/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several connections on the full screen: a status row and a spinner each, labels and colours that
 * tell them apart, and no way for one of them to disturb another.
 */
#include "config.h"

#include <fcntl.h>

#include "person.h"
#include "ui/spinner.h"

enum { ROWS = 24, COLUMNS = 100, MANY = 12, STATUS_ROWS = ROWS / 4 };

/* ---- starting ---- */

struct several {
    struct kit_terminal *terminal;
    struct full each[MANY];
    int listeners[MANY];
    int count;
};

/* Names COUNT targets, at which servers listen. */
static void prepare(struct several *several, int count)
{
    *several = (struct several){.count = count};
    for (int i = 0; i < count; i++) {
        struct full *full = &several->each[i];

        several->listeners[i] = kit_listen(&full->port);
        snprintf(full->target, sizeof full->target, "127.0.0.1:%u", full->port);
    }
}

static void start_them(struct several *several, const char *option)
{
    const char *options[FULL_ARGS] = {NULL};
    int n = 0;

    if (option)
        options[n++] = option;
    for (int i = 0; i < several->count; i++)
        options[n++] = several->each[i].target;
    several->terminal = start_alone(ROWS, COLUMNS, options);
    for (int i = 0; i < several->count; i++)
        several->each[i].terminal = several->terminal;
}

static void accept_from(struct several *several, int first)
{
    for (int i = first; i < several->count; i++) {
        several->each[i].server = kit_accept(several->listeners[i]);
        close(several->listeners[i]);
    }
}

/* Starts with COUNT targets and waits until they are open. */
static void start_several(struct several *several, int count)
{
    prepare(several, count);
    start_them(several, NULL);
    accept_from(several, 0);
    for (int i = 0; i < count && i < STATUS_ROWS; i++)
        await_state(&several->each[i], "  open");
}

/* Waits for the end. */
static void expect_end(const struct several *several, int status, const char *said)
{
    assert_int_equal(kit_terminal_end(several->terminal), status);
    kit_await_row(several->terminal, said);
}

static void quit(const struct several *several)
{
    full_type(&several->each[0], "/quit");
    assert_int_equal(kit_terminal_end(several->terminal), 0);
}

/* ---- telling them apart ---- */

struct turning {
    int row;
    unsigned seen;
};

static bool turns(struct kit_terminal *terminal, void *context)
{
    struct turning *turning = context;
    const struct spinner *classic = spinner_list(0);
    const char *row = kit_row(terminal, turning->row);

    for (size_t i = 0; i < classic->count; i++)
        if (strncmp(row, spinner_frame(classic, i), 10) == 0)
            turning->seen |= 1U << i;
    return (turning->seen & (turning->seen - 1)) != 0;
}

static void await_turns(const struct full *full)
{
    struct turning turning = {.row = await_state(full, "  ")};

    kit_await_looks(full->terminal, turns, &turning, "a spinner to turn");
}

/* Waits until LINE is shown behind the label of the connection. */
static int await_labelled(const struct full *full, const char *line)
{
    char row[256];

    snprintf(row, sizeof row, "%.16s %s", full->target, line);
    return kit_await_row(full->terminal, row);
}

/* A path that is short enough for a target here is one from the folder in which it lies. */
static void use_unix_socket(struct several *several, int i)
{
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(before >= 0);
    assert_int_equal(chdir(kit_folder()), 0);
    close(several->listeners[i]);
    several->listeners[i] = kit_listen_unix("c");
    snprintf(several->each[i].target, sizeof several->each[i].target, "unix:c");
    start_them(several, NULL);
    assert_int_equal(fchdir(before), 0);
    close(before);
}

static void each_has_a_row_and_a_spinner(void **state)
{
    struct several several;
    char row[256];

    (void)state;
    prepare(&several, 3);
    use_unix_socket(&several, 2);
    accept_from(&several, 0);
    for (int i = 0; i < 3; i++) {
        snprintf(row, sizeof row, "%c%d %s  open", i == 0 ? '>' : ' ', i + 1,
                 several.each[i].target);
        assert_int_equal(kit_await_row(several.terminal, row), ROWS - 4 + i);
        await_turns(&several.each[i]);
        full_say(&several.each[i], "hello");
        await_labelled(&several.each[i], "hello");
    }
    quit(&several);
}

/* Of a target that would push the state out of its row both ends are seen. */
static void a_long_target_leaves_room_for_its_state(void **state)
{
    char target[100] = "unix:";
    const char *const argv[] = {"pollspin", target, NULL};
    const int most = 80 - 11 - 24; /* of a row but for the spinner and the state */
    const int most_of_title = 80 - 1 - 24;
    struct kit_terminal *terminal;
    char shown[100];
    int n;

    (void)state;
    snprintf(target + strlen(target), 90, "%s/%050d.socket", kit_folder(), 0);
    n = (int)strlen(target);
    assert_true(n > most_of_title);
    kit_listen_unix(strchr(target, '/'));
    terminal = kit_terminal(ROWS, 80, argv);
    snprintf(shown, sizeof shown, "%.*s~%s  open", most / 2, target, target + n - most / 2);
    kit_await_row(terminal, shown);
    snprintf(shown, sizeof shown, " %.*s~%s | open | ", most_of_title / 2, target,
             target + n - most_of_title / 2);
    kit_await_row(terminal, shown);
    kit_resize(terminal, ROWS, 20);
    snprintf(shown, sizeof shown, "u~%s  ope", target + n - 2);
    kit_await_row(terminal, shown);
    kit_press(terminal, "/quit\r");
    assert_int_equal(kit_terminal_end(terminal), 0);
}

/* The column of TEXT in a row; all before it are of one column. */
static int column_of(const struct full *full, int row, const char *text)
{
    const char *start = kit_row(full->terminal, row);
    const char *found = strstr(start, text);

    assert_non_null(found);
    return (int)(found - start);
}

static uint32_t colour_at(const struct full *full, int row)
{
    struct kit_cell cell = kit_cell(full->terminal, row, column_of(full, row, full->target));

    assert_true(cell.is_coloured);
    return cell.foreground;
}

static void colours_tell_them_apart(void **state)
{
    struct several several;
    uint32_t colours[6];

    (void)state;
    start_several(&several, 6);
    for (int i = 0; i < 6; i++) {
        const struct full *full = &several.each[i];

        full_say(full, "hello");
        colours[i] = colour_at(full, await_labelled(full, "hello"));
        assert_int_equal(colour_at(full, await_state(full, "  open")), colours[i]);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(colours[i], colours[j]);
    }
    quit(&several);
}

/* ---- they do not disturb each other ---- */

struct flooded {
    int server;
    struct row_wish wish;
};

static const char flood[] = "drop upon drop\ndrop upon drop\ndrop upon drop\ndrop upon drop\n";

/* Sends as much as can be sent without waiting, a bounded part of it at a time. */
static void pour(int server)
{
    for (int i = 0; i < 1000; i++)
        if (send(server, flood, sizeof flood - 1, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof flood - 1)
            break;
}

static bool shows_in_flood(struct kit_terminal *terminal, void *context)
{
    struct flooded *flooded = context;

    pour(flooded->server);
    return row_holds(terminal, &flooded->wish);
}

/* Waits until ROW holds TEXT, while SERVER sends all that it can. */
static void await_in_flood(const struct several *several, int server, int row, const char *text)
{
    struct flooded flooded = {.server = server, .wish = {.row = row, .text = text}};

    kit_await_looks(several->terminal, shows_in_flood, &flooded, text);
}

/* One floods, one says little, one was refused. */
static void one_that_floods_leaves_the_others_alone(void **state)
{
    struct several several;
    struct full *loud = &several.each[0];
    struct full *quiet = &several.each[1];
    char prompt[64];

    (void)state;
    prepare(&several, 3);
    close(several.listeners[2]);
    several.listeners[2] = reserve(&several.each[2]);
    start_them(&several, NULL);
    several.count = 2;
    accept_from(&several, 0);
    await_state(&several.each[2], "  ended");
    full_type(loud, "/focus 2");
    full_await_input(quiet, "");
    await_in_flood(&several, loud->server, 2, "drop upon drop");
    full_say(quiet, "a word");
    await_in_flood(&several, loud->server, 0, " | 1 line | 7 bytes");
    kit_press(several.terminal, "typed into the flood");
    snprintf(prompt, sizeof prompt, "%s> typed into the flood", quiet->target);
    await_in_flood(&several, loud->server, ROWS - 1, prompt);
    kit_press(several.terminal, KEY_ENTER);
    assert_string_equal(full_hear(quiet), "typed into the flood");
    await_turns(quiet);
    close(loud->server);
    await_state(loud, "  ended");
    full_say(quiet, "after it");
    await_labelled(quiet, "after it");
    close(quiet->server);
    expect_end(&several, 3, "Connection refused");
}

static void one_that_is_tried_again_leaves_the_others_alone(void **state)
{
    struct several several;
    struct full *open = &several.each[0];
    int listener;

    (void)state;
    prepare(&several, 2);
    close(several.listeners[1]);
    listener = reserve(&several.each[1]);
    start_them(&several, "--reconnect");
    several.count = 1;
    accept_from(&several, 0);
    await_state(open, "  open");
    await_state(&several.each[1], "  trying again in ");
    say_and_see(open, "one");
    type_and_hear(open, "two");
    await_turns(open);
    await_turns(&several.each[1]);
    assert_int_equal(listen(listener, 1), 0);
    several.each[1].server = kit_accept(listener);
    await_state(&several.each[1], "  open");
    full_say(&several.each[1], "three");
    await_labelled(&several.each[1], "three");
    quit(&several);
}

static void one_that_is_paused_leaves_the_others_alone(void **state)
{
    struct several several;

    (void)state;
    start_several(&several, 2);
    full_type(&several.each[0], "/pause");
    await_state(&several.each[0], "  open, paused");
    full_say(&several.each[0], "later");
    full_say(&several.each[1], "now");
    await_labelled(&several.each[1], "now");
    assert_int_equal(count_rows(several.terminal, ROWS, "later"), 0);
    full_type(&several.each[0], "/pause");
    await_labelled(&several.each[0], "later");
    quit(&several);
}

/* Unfinished lines of two stand below the others, and each is completed in its own place. */
static void two_unfinished_lines_stand_side_by_side(void **state)
{
    struct several several;

    (void)state;
    start_several(&several, 2);
    kit_send(several.each[0].server, "half", 4);
    kit_send(several.each[1].server, "HALF", 4);
    await_labelled(&several.each[0], "half");
    await_labelled(&several.each[1], "HALF");
    full_say(&several.each[1], " AND HALF");
    assert_int_equal(await_labelled(&several.each[1], "HALF AND HALF"), 1);
    assert_int_equal(await_labelled(&several.each[0], "half"), 2);
    full_say(&several.each[0], " and half");
    await_labelled(&several.each[0], "half and half");
    quit(&several);
}

/* ---- how it ends ---- */

static void the_end_is_the_first_that_was_not_in_order(void **state)
{
    struct several several;
    char said[64];

    (void)state;
    start_several(&several, 3);
    close(several.each[0].server);
    await_state(&several.each[0], "  ended");
    kit_reset(several.each[1].server);
    await_state(&several.each[1], "  ended");
    say_and_see(&several.each[2], "the last one");
    close(several.each[2].server);
    snprintf(said, sizeof said, "pollspin: %s: connection reset by", several.each[1].target);
    expect_end(&several, 5, said);
}

static void the_end_is_in_order_where_all_were(void **state)
{
    struct several several;
    char said[64];

    (void)state;
    start_several(&several, 2);
    close(several.each[1].server);
    await_state(&several.each[1], "  ended");
    close(several.each[0].server);
    snprintf(said, sizeof said, "pollspin: %s: closed by the server", several.each[0].target);
    expect_end(&several, 0, said);
}

/* /close is no end of the program, but the rest may be. */
static void what_the_person_closed_does_not_count(void **state)
{
    struct several several;

    (void)state;
    start_several(&several, 2);
    full_type(&several.each[0], "/close");
    full_await_input(&several.each[1], "");
    kit_reset(several.each[1].server);
    expect_end(&several, 5, "connection reset by the server");
}

/* ---- focus, and many of them ---- */

static void expect_focus(const struct full *full, const char *typed)
{
    await_title(full->terminal, full->target);
    full_await_input(full, "");
    type_and_hear(full, typed);
}

static void focus_stays_sane_when_one_is_closed(void **state)
{
    struct several several;
    struct full *each = several.each;

    (void)state;
    start_several(&several, 4);
    full_type(each, "/focus 3");
    expect_focus(&each[2], "third");
    close(each[0].server);
    await_state(&each[0], "  ended");
    expect_focus(&each[2], "still the third");
    full_type(each, "/focus 1");
    full_await_input(&each[0], "");
    full_type(each, "/close"); /* it goes, and the second is the first */
    expect_focus(&each[1], "second");
    full_type(each, "/focus 3");
    expect_focus(&each[3], "fourth");
    full_type(each, "/close"); /* behind the last there is none */
    expect_focus(&each[2], "third");
    kit_press(several.terminal, KEY_F2);
    expect_focus(&each[1], "second");
    full_type(each, "/close");
    expect_focus(&each[2], "third");
    kit_press(several.terminal, KEY_F2);
    expect_focus(&each[2], "third");
    quit(&several);
}

/* The rows are those around the focus; the title says where it is. */
static void more_of_them_than_rows(void **state)
{
    struct several several;
    char text[64];

    (void)state;
    start_several(&several, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, " | %d of %d | ", i + 1, MANY);
        await_title(several.terminal, text);
        snprintf(text, sizeof text, ">%d %s  open", i + 1, several.each[i].target);
        kit_await_row(several.terminal, text);
        expect_focus(&several.each[i], "hello");
        kit_press(several.terminal, KEY_F2);
    }
    expect_focus(&several.each[0], "around");
    assert_int_equal(count_rows(several.terminal, ROWS, "  open"), STATUS_ROWS);
    full_say(&several.each[MANY - 1], "from one that is hidden");
    await_labelled(&several.each[MANY - 1], "from one that is hidden");
    quit(&several);
}

static void there_is_a_limit_of_64(void **state)
{
    enum { LIMIT = 64 };
    char keys[LIMIT * 64];
    struct several several;
    size_t n = 0;

    (void)state;
    prepare(&several, 1);
    start_them(&several, NULL);
    several.each[0].server = kit_accept(several.listeners[0]);
    for (int i = 0; i < LIMIT; i++)
        n += (size_t)snprintf(keys + n, sizeof keys - n, "/connect %s\r", several.each[0].target);
    kit_press(several.terminal, keys);
    for (int i = 1; i < LIMIT; i++)
        kit_accept(several.listeners[0]);
    kit_await_row(several.terminal, ": there are as many connections as can be");
    await_title(several.terminal, " | 64 of 64 | ");
    full_type(&several.each[0], "/focus 1");
    expect_focus(&several.each[0], "hello");
    quit(&several);
}

#define test(name) cmocka_unit_test_teardown(name, kit_cleanup)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(each_has_a_row_and_a_spinner),
        test(a_long_target_leaves_room_for_its_state),
        test(colours_tell_them_apart),
        test(one_that_floods_leaves_the_others_alone),
        test(one_that_is_tried_again_leaves_the_others_alone),
        test(one_that_is_paused_leaves_the_others_alone),
        test(two_unfinished_lines_stand_side_by_side),
        test(the_end_is_the_first_that_was_not_in_order),
        test(the_end_is_in_order_where_all_were),
        test(what_the_person_closed_does_not_count),
        test(focus_stays_sane_when_one_is_closed),
        test(more_of_them_than_rows),
        test(there_is_a_limit_of_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
