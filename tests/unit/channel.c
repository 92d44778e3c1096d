/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels in a real loop, with the servers in the test's hands. What stands in the scrollback must
 * follow from the bytes alone: it is compared with a naive model that cuts them in one go, wherever
 * the reads cut them.
 */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/channel.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "unit/turns.h"

enum { CHANNELS = 3, LINES = 100000, KEPT_BYTES = 16 << 20 };

/* All channels of a test, and what they told. */
struct world {
    struct channel_world world;
    struct loop *loop;
    struct channel *channels[CHANNELS];
    int servers[CHANNELS];
    size_t count;
    size_t received; /* bytes, as on_data counts them */
    size_t handed;   /* to on_line */
    size_t wanted;
    int64_t due; /* what channel_partial_due said in the last on_data */
    int states;
    int retries;
    int ends;
    enum session_end end;
    char why[512];
};

static void on_data(void *owner, struct channel *channel, size_t n)
{
    struct world *world = owner;

    world->received += n;
    world->due = channel_partial_due(channel);
    assert_int_equal(channel_last(channel), loop_now(world->loop));
}

static bool on_line(void *owner, struct channel *channel, const struct scrollback_line *line)
{
    struct world *world = owner;
    struct scrollback_line kept;

    scrollback_get(world->world.scrollback, scrollback_end(world->world.scrollback) - 1, &kept);
    assert_int_equal(kept.length, line->length);
    assert_memory_equal(kept.bytes, line->bytes, line->length);
    assert_int_equal(line->channel, channel_number(channel));
    return ++world->handed != world->wanted;
}

static void on_state(void *owner, struct channel *channel)
{
    struct world *world = owner;

    (void)channel;
    world->states++;
}

static void on_retry(void *owner, struct channel *channel, const char *why)
{
    struct world *world = owner;

    (void)channel;
    world->retries++;
    snprintf(world->why, sizeof world->why, "%s", why);
}

static void on_end(void *owner, struct channel *channel, enum session_end end, const char *why)
{
    struct world *world = owner;

    (void)channel;
    world->ends++;
    world->end = end;
    snprintf(world->why, sizeof world->why, "%s", why);
}

/* ---- beginning and ending ---- */

static void world_init(struct world *world)
{
    *world = (struct world){.loop = turns_new(NULL)};
    world->world = (struct channel_world){.loop = world->loop,
                                          .scrollback = scrollback_new(LINES, KEPT_BYTES),
                                          .owner = world,
                                          .on_data = on_data,
                                          .on_line = on_line,
                                          .on_state = on_state,
                                          .on_retry = on_retry,
                                          .on_end = on_end};
    assert_non_null(world->world.scrollback);
}

static struct session_options options_for(uint16_t port, bool reconnects)
{
    struct session_options options = {.input_fd = -1, .reconnects = reconnects};
    const char *why;

    assert_int_equal(target_parse(&options.target, kit_target(port), 0, &why), 0);
    return options;
}

static bool is_open(const struct channel *channel)
{
    struct session_view view;

    session_look(channel_session(channel), &view);
    return view.state == SESSION_OPEN;
}

static struct channel *world_add(struct world *world, uint16_t port, bool reconnects)
{
    struct session_options options = options_for(port, reconnects);
    struct channel *channel = channel_new(&world->world, (unsigned)world->count, &options);

    assert_non_null(channel);
    assert_int_equal(channel_last(channel), 0);
    world->servers[world->count] = -1;
    world->channels[world->count++] = channel;
    return channel;
}

/* Adds a channel, and accepts its connection. What is sent leaves at once: tcp(7). */
static void world_connect(struct world *world)
{
    uint16_t port;
    int listener = kit_listen(&port);
    struct channel *channel = world_add(world, port, false);
    int yes = 1;
    int *server = &world->servers[world->count - 1];

    turns_until(world->loop, is_open(channel));
    *server = kit_accept(listener);
    close(listener);
    assert_int_equal(setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), 0);
}

static void world_fini(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        channel_cancel(world->channels[i]);
    turns_for(world->loop, 0);
    for (size_t i = 0; i < world->count; i++) {
        channel_free(world->channels[i]);
        if (world->servers[i] >= 0)
            close(world->servers[i]);
    }
    scrollback_free(world->world.scrollback);
    loop_free(world->loop);
}

/* ---- what is sent and what is kept ---- */

/* Sends N bytes to channel NUMBER, and waits until it has them: it cannot read them together with
 * what is sent next. */
static void world_feed(struct world *world, size_t number, const char *bytes, size_t n)
{
    size_t wanted = world->received + n;

    if (n == 0)
        return;
    kit_send(world->servers[number], bytes, n);
    turns_until(world->loop, world->received == wanted);
}

static void world_say(struct world *world, size_t number, const char *text)
{
    world_feed(world, number, text, strlen(text));
}

/* Line INDEX of the scrollback must be TEXT, of N bytes, from channel NUMBER. */
static void expect_line(struct world *world, uint64_t index, unsigned number, const char *text,
                        size_t n, bool goes_on)
{
    struct scrollback_line line;

    assert_true(index < scrollback_end(world->world.scrollback));
    scrollback_get(world->world.scrollback, index, &line);
    assert_int_equal(line.kind, SCROLLBACK_RECEIVED);
    assert_int_equal(line.channel, number);
    assert_int_equal(line.goes_on, goes_on);
    assert_int_equal(line.length, n);
    assert_memory_equal(line.bytes, text, n);
}

/* The whole scrollback must be these lines, "0:text" from channel 0, ended by NULL. */
static void expect_lines(struct world *world, ...)
{
    va_list args;
    const char *text;
    uint64_t index = 0;

    va_start(args, world);
    for (; (text = va_arg(args, const char *)); index++)
        expect_line(world, index, (unsigned)(text[0] - '0'), text + 2, strlen(text + 2), false);
    va_end(args);
    assert_int_equal(scrollback_end(world->world.scrollback), index);
}

/* The model: N bytes cut in one go, from line INDEX on. Returns where the next line will be. */
static uint64_t expect_model(struct world *world, uint64_t index, const char *bytes, size_t n)
{
    const char *end = bytes + n;
    const char *newline;

    for (; (newline = memchr(bytes, '\n', (size_t)(end - bytes))); bytes = newline + 1) {
        size_t left = (size_t)(newline - bytes);

        left -= left > 0 && bytes[left - 1] == '\r';
        while (left > SCROLLBACK_LINE) {
            size_t piece = SCROLLBACK_LINE;

            while (((unsigned char)bytes[piece] & 0xc0) == 0x80)
                piece--;
            expect_line(world, index++, 0, bytes, piece, true);
            bytes += piece;
            left -= piece;
        }
        expect_line(world, index++, 0, bytes, left, false);
    }
    return index;
}

/* ---- lines ---- */

static const char sample[] = "one\r\n\n\r\n\r\r\ntwo\rthree\n\xc3\xa9\xe6\xbc\xa2\n \n";

static void lines_are_cut_at_newlines(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, sample);
    expect_lines(&world, "0:one", "0:", "0:", "0:\r", "0:two\rthree", "0:\xc3\xa9\xe6\xbc\xa2",
                 "0: ", NULL);
    assert_int_equal(channel_lines(world.channels[0]), 7);
    assert_int_equal(world.handed, 7);
    assert_int_equal(channel_partial_due(world.channels[0]), -1);
    world_fini(&world);
}

static void it_does_not_matter_where_reads_cut(void **state)
{
    struct world world;
    size_t n = strlen(sample);
    uint64_t index = 0;

    (void)state;
    world_init(&world);
    world_connect(&world);
    for (size_t cut = 0; cut <= n; cut++) {
        world_feed(&world, 0, sample, cut);
        world_feed(&world, 0, sample + cut, n - cut);
        index = expect_model(&world, index, sample, n);
        assert_int_equal(scrollback_end(world.world.scrollback), index);
    }
    for (size_t i = 0; i < n; i++)
        world_feed(&world, 0, sample + i, 1);
    index = expect_model(&world, index, sample, n);
    assert_int_equal(scrollback_end(world.world.scrollback), index);
    assert_int_equal(channel_lines(world.channels[0]), (n + 2) * 7);
    world_fini(&world);
}

/* Writes a line of N bytes in CHARACTER, which may be of several, with END behind it. */
static size_t write_line(char *bytes, size_t n, const char *character, const char *end)
{
    size_t width = strlen(character);
    size_t i = 0;

    for (; i < n % width; i++)
        bytes[i] = 'x';
    for (; i < n; i += width)
        memcpy(bytes + i, character, width);
    memcpy(bytes + n, end, strlen(end));
    return n + strlen(end);
}

/* Sends N bytes, in two reads where CUT lies inside, and returns where the next line will be. */
static uint64_t feed_cut(struct world *world, uint64_t index, const char *bytes, size_t n,
                         size_t cut)
{
    if (cut > n)
        cut = n;
    world_feed(world, 0, bytes, cut);
    world_feed(world, 0, bytes + cut, n - cut);
    return expect_model(world, index, bytes, n);
}

/* Around every length at which something changes, in one read and cut around there. */
static void a_long_line_comes_in_pieces(void **state)
{
    static const char *const characters[] = {"a", "\r", "\xc3\xa9", "\xe6\xbc\xa2",
                                             "\xf0\x9f\x98\x80"};
    static const char *const ends[] = {"\n", "\r\n"};
    static char bytes[3 * SCROLLBACK_LINE];
    struct world world;
    uint64_t index = 0;

    (void)state;
    world_init(&world);
    world_connect(&world);
    for (size_t i = 0; i < 5 * 2 * 2 * 9; i++) {
        size_t length = (i / 2 % 2 + 1) * SCROLLBACK_LINE + i / 4 % 9 - 4;
        size_t n = write_line(bytes, length, characters[i / 36], ends[i % 2]);

        index = feed_cut(&world, index, bytes, n, n);
        index = feed_cut(&world, index, bytes, n, n - 1);
        index = feed_cut(&world, index, bytes, n, n - 2);
        for (size_t cut = SCROLLBACK_LINE - 1; cut < SCROLLBACK_LINE + 3; cut++)
            index = feed_cut(&world, index, bytes, n, cut);
        assert_int_equal(scrollback_end(world.world.scrollback), index);
        assert_int_equal(channel_lines(world.channels[0]), 7 * (i + 1));
    }
    assert_int_equal(world.handed, index);
    world_fini(&world);
}

static size_t random_lines(char *bytes, size_t max, uint32_t *seed)
{
    static const char *const ends[] = {"\n", "\r\n", "\n\n", "\r\r\n"};
    size_t n = 0;

    while (n + 9000 < max) {
        size_t most = kit_random(seed, 3) == 0 ? 8500 : 100;

        n += write_line(bytes + n, kit_random(seed, (uint32_t)most),
                        kit_random(seed, 2) ? "b" : "\xe6\xbc\xa2", ends[kit_random(seed, 4)]);
    }
    return n;
}

static void any_lines_in_any_reads(void **state)
{
    static char bytes[1 << 20];
    struct world world;
    uint32_t seed = 7;
    size_t n = random_lines(bytes, sizeof bytes, &seed);

    (void)state;
    world_init(&world);
    world_connect(&world);
    for (size_t i = 0; i < n;) {
        size_t piece = kit_random(&seed, kit_random(&seed, 2) ? 20000 : 20) + 1;

        if (piece > n - i)
            piece = n - i;
        world_feed(&world, 0, bytes + i, piece);
        i += piece;
    }
    assert_int_equal(expect_model(&world, 0, bytes, n), scrollback_end(world.world.scrollback));
    assert_int_equal(world.handed, scrollback_end(world.world.scrollback));
    world_fini(&world);
}

static void a_line_without_end_takes_bounded_memory(void **state)
{
    static char bytes[64 * 1024];
    struct world world;
    struct pane_partial partial;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    world_init(&world);
    world_connect(&world);
    world_feed(&world, 0, bytes, sizeof bytes);
    assert_int_equal(scrollback_end(world.world.scrollback), 15);
    for (uint64_t i = 0; i < 15; i++)
        expect_line(&world, i, 0, bytes, SCROLLBACK_LINE, true);
    assert_int_equal(channel_lines(world.channels[0]), 0);
    assert_true(channel_partial(world.channels[0], INT64_MAX, &partial));
    assert_int_equal(partial.length, SCROLLBACK_LINE);
    world_say(&world, 0, "\r");
    assert_true(channel_partial(world.channels[0], INT64_MAX, &partial));
    assert_int_equal(partial.length, SCROLLBACK_LINE);
    world_say(&world, 0, "\n");
    expect_line(&world, 15, 0, bytes, SCROLLBACK_LINE, false);
    assert_int_equal(scrollback_end(world.world.scrollback), 16);
    assert_int_equal(channel_lines(world.channels[0]), 1);
    world_feed(&world, 0, bytes, SCROLLBACK_LINE + 1);
    assert_true(channel_partial(world.channels[0], INT64_MAX, &partial));
    assert_int_equal(partial.length, SCROLLBACK_LINE);
    world_fini(&world);
}

static void a_line_has_the_second_in_which_it_began(void **state)
{
    struct world world;
    struct scrollback_line line;
    struct pane_partial partial;
    time_t before = clock_wall().tv_sec;
    time_t after;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, "whole\nha");
    after = clock_wall().tv_sec;
    scrollback_get(world.world.scrollback, 0, &line);
    assert_in_range(line.second, before, after);
    assert_true(channel_partial(world.channels[0], INT64_MAX, &partial));
    assert_int_equal(partial.second, line.second);
    turns_until(world.loop, clock_wall().tv_sec > after);
    world_say(&world, 0, "lf\n");
    scrollback_get(world.world.scrollback, 1, &line);
    assert_int_equal(line.second, partial.second);
    world_fini(&world);
}

/* ---- a line that is not whole ---- */

static void a_partial_line_shows_after_a_while(void **state)
{
    struct world world;
    struct pane_partial partial;
    struct channel *channel;
    int64_t due;

    (void)state;
    world_init(&world);
    world_connect(&world);
    channel = world.channels[0];
    assert_false(channel_partial(channel, INT64_MAX, &partial));
    world_say(&world, 0, "line\nlogin");
    due = world.due;
    assert_int_equal(due, channel_last(channel) + 200 * CLOCK_MILLISECOND);
    world_say(&world, 0, ": ");
    assert_false(channel_partial(channel, due - 1, &partial));
    assert_true(channel_partial(channel, due, &partial));
    assert_int_equal(partial.channel, 0);
    assert_int_equal(partial.length, 7);
    assert_memory_equal(partial.bytes, "login: ", 7);
    turns_until(world.loop, channel_partial_due(channel) < 0);
    assert_true(loop_now(world.loop) >= due);
    assert_true(channel_partial(channel, loop_now(world.loop), &partial));
    world_say(&world, 0, "x\n");
    assert_false(channel_partial(channel, INT64_MAX, &partial));
    expect_lines(&world, "0:line", "0:login: x", NULL);
    world_fini(&world);
}

static void a_new_line_waits_anew(void **state)
{
    struct world world;
    struct pane_partial partial;
    int64_t first;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, "a");
    first = world.due;
    turns_until(world.loop, loop_now(world.loop) > first);
    world_say(&world, 0, "\nb");
    assert_int_equal(world.due, channel_last(world.channels[0]) + 200 * CLOCK_MILLISECOND);
    assert_false(channel_partial(world.channels[0], first + 1, &partial));
    world_fini(&world);
}

static void a_cr_alone_is_nothing_to_be_seen(void **state)
{
    struct world world;
    struct pane_partial partial;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, "\r");
    assert_false(channel_partial(world.channels[0], INT64_MAX, &partial));
    world_say(&world, 0, "50 %\r");
    assert_true(channel_partial(world.channels[0], INT64_MAX, &partial));
    assert_int_equal(partial.length, 5);
    assert_memory_equal(partial.bytes, "\r50 %", 5);
    world_fini(&world);
}

/* ---- ends ---- */

static void a_line_broken_off_is_all_there_is(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, "whole\nhalf");
    close(world.servers[0]);
    world.servers[0] = -1;
    turns_until(world.loop, world.ends == 1);
    assert_int_equal(world.end, SESSION_CLOSED);
    expect_lines(&world, "0:whole", "0:half", NULL);
    assert_int_equal(world.handed, 2);
    assert_int_equal(channel_lines(world.channels[0]), 1);
    assert_int_equal(channel_partial_due(world.channels[0]), -1);
    assert_true(world.states > 0);
    world_fini(&world);
}

static void an_end_without_a_line_adds_none(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world_say(&world, 0, "whole\n");
    close(world.servers[0]);
    world.servers[0] = -1;
    turns_until(world.loop, world.ends == 1);
    expect_lines(&world, "0:whole", NULL);
    world_fini(&world);
}

static void the_limit_ends_it_and_drops_the_rest(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    world_connect(&world);
    world.wanted = 3;
    world_say(&world, 0, "one\n");
    world_say(&world, 0, "two\nth");
    kit_send(world.servers[0], "ree\nfour\nfive", 13);
    turns_until(world.loop, world.ends == 1);
    assert_int_equal(world.end, SESSION_SHOWN);
    expect_lines(&world, "0:one", "0:two", "0:three", NULL);
    assert_int_equal(channel_lines(world.channels[0]), 3);
    world_fini(&world);
}

static void the_limit_does_not_cut_a_line(void **state)
{
    static char bytes[2 * SCROLLBACK_LINE];
    struct world world;
    size_t n = write_line(bytes, SCROLLBACK_LINE + 2, "x", "\nnext\n");

    (void)state;
    world_init(&world);
    world_connect(&world);
    world.wanted = 1;
    world_feed(&world, 0, bytes, n);
    expect_model(&world, 0, bytes, n);
    assert_int_equal(channel_lines(world.channels[0]), 2);
    assert_int_equal(world.ends, 0);
    world_fini(&world);
}

static void a_failure_is_passed_on(void **state)
{
    struct world world;
    uint16_t port;
    int unheard = kit_bind(SOCK_STREAM, &port);

    (void)state;
    world_init(&world);
    world_add(&world, port, false);
    turns_until(world.loop, world.ends == 1);
    assert_int_equal(world.end, SESSION_UNREACHABLE);
    assert_non_null(strstr(world.why, "Connection refused"));
    assert_int_equal(world.retries, 0);
    world_fini(&world);
    close(unheard);
}

static void a_retry_is_passed_on(void **state)
{
    struct world world;
    uint16_t port;
    int unheard = kit_bind(SOCK_STREAM, &port);

    (void)state;
    world_init(&world);
    world_add(&world, port, true);
    turns_until(world.loop, world.retries == 2);
    assert_int_equal(world.ends, 0);
    assert_non_null(strstr(world.why, "trying again in"));
    world_fini(&world);
    close(unheard);
}

/* ---- several ---- */

static void several_share_one_scrollback(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    for (size_t i = 0; i < CHANNELS; i++)
        world_connect(&world);
    world_say(&world, 0, "a\nb");
    world_say(&world, 1, "c\nd");
    world_say(&world, 2, "e\n");
    world_say(&world, 1, "d\n");
    world_say(&world, 0, "b\n");
    expect_lines(&world, "0:a", "1:c", "2:e", "1:dd", "0:bb", NULL);
    assert_int_equal(channel_lines(world.channels[1]), 2);
    assert_int_equal(channel_number(world.channels[2]), 2);
    close(world.servers[1]);
    world.servers[1] = -1;
    turns_until(world.loop, world.ends == 1);
    world_say(&world, 2, "f\n");
    assert_int_equal(scrollback_end(world.world.scrollback), 6);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_are_cut_at_newlines, kit_cleanup),
        cmocka_unit_test_teardown(it_does_not_matter_where_reads_cut, kit_cleanup),
        cmocka_unit_test_teardown(a_long_line_comes_in_pieces, kit_cleanup),
        cmocka_unit_test_teardown(any_lines_in_any_reads, kit_cleanup),
        cmocka_unit_test_teardown(a_line_without_end_takes_bounded_memory, kit_cleanup),
        cmocka_unit_test_teardown(a_line_has_the_second_in_which_it_began, kit_cleanup),
        cmocka_unit_test_teardown(a_partial_line_shows_after_a_while, kit_cleanup),
        cmocka_unit_test_teardown(a_new_line_waits_anew, kit_cleanup),
        cmocka_unit_test_teardown(a_cr_alone_is_nothing_to_be_seen, kit_cleanup),
        cmocka_unit_test_teardown(a_line_broken_off_is_all_there_is, kit_cleanup),
        cmocka_unit_test_teardown(an_end_without_a_line_adds_none, kit_cleanup),
        cmocka_unit_test_teardown(the_limit_ends_it_and_drops_the_rest, kit_cleanup),
        cmocka_unit_test_teardown(the_limit_does_not_cut_a_line, kit_cleanup),
        cmocka_unit_test_teardown(a_failure_is_passed_on, kit_cleanup),
        cmocka_unit_test_teardown(a_retry_is_passed_on, kit_cleanup),
        cmocka_unit_test_teardown(several_share_one_scrollback, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
