/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many into one: each line comes out whole, each source's lines in order, and what does not come
 * out is counted. A line of the random test says whose it is and which, so that one that is torn,
 * mixed or missing is seen.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy/kernel.h"
#include "copy/merge.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { MOST = 5, QUEUE = 4096, BUFFER = 1000, KEPT = 4 << 20 };

struct feeder {
    struct merge_source source;
    struct end end;
    int write_fd; /* -1: closed */
    bool is_over;
    int error;
};

struct fixture {
    struct loop *loop;
    struct merge merge;
    struct feeder feeders[MOST];
    size_t count;
    int read_fd; /* -1: closed */
    char *got;
    size_t length;
    bool at_end;
    bool is_over;
    int error;
    int descriptors;
};

/* ---- the fixture ---- */

static void on_end(void *owner, int error)
{
    struct fixture *fixture = owner;

    assert_false(fixture->is_over);
    fixture->is_over = true;
    fixture->error = error;
}

static void on_source_end(void *owner, int error)
{
    struct feeder *feeder = owner;

    assert_false(feeder->is_over);
    assert_null(feeder->source.merge);
    feeder->is_over = true;
    feeder->error = error;
}

static void begin(struct fixture *fixture, enum split_policy policy, size_t buffer)
{
    *fixture = (struct fixture){.descriptors = kit_descriptors(getpid())};
    fixture->loop = loop_new(NULL);
    assert_non_null(fixture->loop);
    fixture->got = malloc(KEPT);
    assert_non_null(fixture->got);
    merge_init(&fixture->merge, fixture->loop, on_end, fixture);
    assert_int_equal(merge_start(&fixture->merge, QUEUE, buffer, policy, &fixture->read_fd), 0);
}

static struct feeder *add_end(struct fixture *fixture, int read_fd, int write_fd,
                              enum end_kind kind, const char *label)
{
    struct feeder *feeder = &fixture->feeders[fixture->count++];

    assert_true(fixture->count <= MOST);
    feeder->end = (struct end){.kind = kind, .fd = read_fd, .is_source = true, .size = -1};
    feeder->write_fd = write_fd;
    assert_int_equal(
        merge_add(&fixture->merge, &feeder->source, &feeder->end, label, on_source_end, feeder), 0);
    return feeder;
}

static struct feeder *add(struct fixture *fixture, const char *label)
{
    int ends[2];

    assert_int_equal(kernel_pipe(ends), 0);
    return add_end(fixture, ends[0], ends[1], END_PIPE, label);
}

static void close_feeder(struct feeder *feeder)
{
    if (feeder->write_fd >= 0)
        close(feeder->write_fd);
    feeder->write_fd = -1;
}

static void close_reader(struct fixture *fixture)
{
    if (fixture->read_fd >= 0)
        close(fixture->read_fd);
    fixture->read_fd = -1;
}

static void end(struct fixture *fixture)
{
    merge_stop(&fixture->merge);
    for (size_t i = 0; i < fixture->count; i++) {
        assert_null(fixture->feeders[i].source.merge);
        close_feeder(&fixture->feeders[i]);
        close(fixture->feeders[i].end.fd);
    }
    close_reader(fixture);
    loop_free(fixture->loop);
    free(fixture->got);
    assert_int_equal(kit_descriptors(getpid()), fixture->descriptors);
}

/* ---- writing and reading ---- */

static void put(const struct feeder *feeder, const char *text)
{
    assert_int_equal(write(feeder->write_fd, text, strlen(text)), strlen(text));
}

static void get(struct fixture *fixture, size_t size)
{
    size_t room = KEPT - fixture->length;
    ssize_t n = read(fixture->read_fd, fixture->got + fixture->length, size < room ? size : room);

    assert_true(room > 0);
    assert_true(n >= 0 || errno == EAGAIN);
    fixture->at_end = fixture->at_end || n == 0;
    fixture->length += n < 0 ? 0 : (size_t)n;
}

static bool has(struct fixture *fixture, size_t length)
{
    get(fixture, KEPT);
    return fixture->length >= length;
}

static void expect(struct fixture *fixture, const char *text)
{
    turns_until(fixture->loop, has(fixture, strlen(text)));
    assert_int_equal(fixture->length, strlen(text));
    assert_memory_equal(fixture->got, text, strlen(text));
    fixture->length = 0;
}

static bool is_at_end(struct fixture *fixture)
{
    get(fixture, KEPT);
    return fixture->at_end;
}

static void finish(struct fixture *fixture)
{
    merge_seal(&fixture->merge);
    for (size_t i = 0; i < fixture->count; i++)
        close_feeder(&fixture->feeders[i]);
    turns_until(fixture->loop, is_at_end(fixture));
    turns_until(fixture->loop, fixture->is_over);
    assert_int_equal(fixture->error, 0);
    for (size_t i = 0; i < fixture->count; i++)
        assert_true(fixture->feeders[i].is_over);
}

/* ---- the tests ---- */

static void a_line_is_kept_until_it_is_whole(void **state)
{
    struct fixture fixture;
    struct feeder *a, *b;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    a = add(&fixture, NULL);
    b = add(&fixture, NULL);
    put(a, "al");
    assert_int_equal(loop_turn(fixture.loop), 0);
    put(b, "bet\r\nb");
    expect(&fixture, "bet\r\n");
    put(a, "pha\n");
    expect(&fixture, "alpha\n");
    finish(&fixture);
    assert_int_equal(fixture.length, 2);
    assert_memory_equal(fixture.got, "b\n", 2);
    assert_int_equal(b->source.taken, 6);
    assert_int_equal(b->source.cut_lines, 0);
    end(&fixture);
}

static void labels(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    put(add(&fixture, "one"), "1\n\n2\n3");
    expect(&fixture, "one: 1\none: \none: 2\n");
    close_feeder(&fixture.feeders[0]);
    expect(&fixture, "one: 3\n");
    put(add(&fixture, ""), "x\n");
    expect(&fixture, ": x\n");
    finish(&fixture);
    assert_int_equal(fixture.length, 0);
    end(&fixture);
}

static void nothing_at_all(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    finish(&fixture);
    end(&fixture);
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    add(&fixture, "empty");
    finish(&fixture);
    assert_int_equal(fixture.length, 0);
    end(&fixture);
}

static void nul_is_a_byte(void **state)
{
    static const char bytes[] = "a\0b\n\0\n\0";
    struct fixture fixture;
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    feeder = add(&fixture, NULL);
    assert_int_equal(write(feeder->write_fd, bytes, 7), 7);
    finish(&fixture);
    assert_int_equal(fixture.length, 8);
    assert_memory_equal(fixture.got, "a\0b\n\0\n\0\n", 8);
    end(&fixture);
}

/* As long as the buffer is not too long. */
static void long_lines_are_cut(void **state)
{
    struct fixture fixture;
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, 4);
    feeder = add(&fixture, NULL);
    put(feeder, "1234\n12345\n1234567890\n1\n");
    expect(&fixture, "1234\n1234\n5\n1234\n5678\n90\n1\n");
    assert_int_equal(feeder->source.cut_lines, 2);
    put(feeder, "12345678");
    expect(&fixture, "1234\n");
    finish(&fixture);
    assert_int_equal(fixture.length, 5);
    assert_memory_equal(fixture.got, "5678\n", 5);
    assert_int_equal(feeder->source.cut_lines, 3);
    end(&fixture);
}

static void long_lines_are_cut_with_labels(void **state)
{
    struct fixture fixture;
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, 1);
    feeder = add(&fixture, "a long label");
    put(feeder, "12\n");
    expect(&fixture, "a long label: 1\na long label: 2\n");
    assert_int_equal(feeder->source.cut_lines, 1);
    finish(&fixture);
    end(&fixture);
}

/* Opens a new file with TEXT in it so many TIMES. */
static int make_file(const char *text, int times)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/file", kit_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    while (times-- > 0)
        fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- a queue that is full ---- */

static size_t put_many(struct fixture *fixture, const struct feeder *feeder, size_t lines)
{
    size_t done = 0;

    for (size_t i = 0; i < lines; i++) {
        ssize_t n = write(feeder->write_fd, "0123456789abcde\n", 16);

        assert_true(n == 16 || errno == EAGAIN);
        done += n == 16;
        assert_int_equal(loop_look(fixture->loop), 0);
    }
    return done;
}

/* Returns how many bytes of the same lines fill the queue. */
static size_t fill_queue(const struct fixture *fixture)
{
    size_t filled = 0;

    while (write(fixture->merge.fd, "0123456789abcde\n", 16) == 16)
        filled += 16;
    return filled;
}

static void assert_whole(const struct fixture *fixture)
{
    assert_int_equal(fixture->length % 16, 0);
    for (size_t i = 0; i < fixture->length; i += 16)
        assert_memory_equal(fixture->got + i, "0123456789abcde\n", 16);
}

static void a_full_queue_holds_the_sources(void **state)
{
    struct fixture fixture;
    size_t lines, before;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    add(&fixture, NULL);
    before = fill_queue(&fixture);
    lines = put_many(&fixture, &fixture.feeders[0], 5000);
    assert_true(lines < 5000);
    assert_true(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND) <= 3);
    finish(&fixture);
    assert_int_equal(fixture.length, before + lines * 16);
    assert_whole(&fixture);
    end(&fixture);
}

static void a_full_queue_drops_lines(void **state)
{
    struct fixture fixture;
    const struct merge_source *source;
    size_t lines, before;

    (void)state;
    begin(&fixture, SPLIT_DROP, BUFFER);
    source = &add(&fixture, NULL)->source;
    before = fill_queue(&fixture);
    lines = put_many(&fixture, &fixture.feeders[0], 5000);
    assert_int_equal(lines, 5000);
    assert_true(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND) <= 3);
    assert_true(source->dropped_lines > 0);
    finish(&fixture);
    assert_int_equal(fixture.length, before + (lines - source->dropped_lines) * 16);
    assert_int_equal(source->dropped_bytes, source->dropped_lines * 16);
    assert_whole(&fixture);
    end(&fixture);
}

static void long_lines_are_dropped(void **state)
{
    struct fixture fixture;
    const struct merge_source *source;
    size_t before, lines, parts; /* parts that were dropped */

    (void)state;
    begin(&fixture, SPLIT_DROP, 10);
    source = &add(&fixture, NULL)->source;
    before = fill_queue(&fixture);
    lines = put_many(&fixture, &fixture.feeders[0], 1000);
    get(&fixture, BUFFER);
    lines += put_many(&fixture, &fixture.feeders[0], 1000);
    assert_true(source->dropped_lines > 0);
    finish(&fixture);
    assert_int_equal(source->cut_lines, lines);
    /* Each line comes as a part with a newline that it had not, and a rest with its own. */
    parts = lines;
    for (size_t i = 0; i + 10 < fixture.length; i++)
        parts -= memcmp(fixture.got + i, "0123456789\n", 11) == 0;
    assert_int_equal(fixture.length + source->dropped_bytes, before + 17 * lines - parts);
    end(&fixture);
}

/* Nobody waits longer than a turn of each of the others. */
static void a_flood_leaves_room_for_others(void **state)
{
    enum { FLOOD = 1 << 20, TURN = 64 * 1024 };
    struct fixture fixture;
    const char *found;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, FLOOD);
    fixture.descriptors += 2;
    for (int i = 0; i < 2; i++)
        add_end(&fixture, make_file("\n", FLOOD), -1, END_FILE, NULL);
    fixture.descriptors -= 2;
    put(add(&fixture, NULL), "me, too\n");
    finish(&fixture);
    assert_int_equal(fixture.length, 2 * FLOOD + strlen("me, too\n"));
    found = memchr(fixture.got, 'm', fixture.length);
    assert_non_null(found);
    assert_true(found - fixture.got <= 2 * TURN);
    end(&fixture);
}

/* ---- ends ---- */

static void the_reader_leaves(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    add(&fixture, NULL);
    put(&fixture.feeders[0], "x\n");
    close_reader(&fixture);
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.error, EPIPE);
    put(&fixture.feeders[0], "y\n");
    assert_true(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND) <= 3);
    end(&fixture);
}

static void the_reader_of_a_full_queue_leaves(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    add(&fixture, NULL);
    put_many(&fixture, &fixture.feeders[0], 5000);
    close_reader(&fixture);
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.error, EPIPE);
    end(&fixture);
}

static void a_source_that_fails(void **state)
{
    struct fixture fixture;
    int folder = open(kit_folder(), O_RDONLY | O_CLOEXEC);
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    fixture.descriptors--;
    feeder = add_end(&fixture, folder, -1, END_FILE, NULL);
    put(add(&fixture, NULL), "x\n");
    finish(&fixture);
    assert_int_equal(feeder->error, EISDIR);
    assert_int_equal(fixture.length, 2);
    end(&fixture);
}

static void one_is_taken_out(void **state)
{
    struct fixture fixture;
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    feeder = add(&fixture, NULL);
    put(feeder, "x");
    assert_int_equal(loop_turn(fixture.loop), 0);
    merge_remove(&feeder->source);
    merge_remove(&feeder->source);
    merge_seal(&fixture.merge);
    turns_until(fixture.loop, is_at_end(&fixture));
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.length, 0);
    assert_false(feeder->is_over);
    assert_int_equal(merge_add(&fixture.merge, &feeder->source, &feeder->end, NULL, NULL, NULL),
                     -1);
    assert_int_equal(errno, EPIPE);
    end(&fixture);
}

static void it_stops_before_an_end_is_told(void **state)
{
    struct fixture fixture;
    struct feeder *feeder;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    feeder = add(&fixture, NULL);
    close_feeder(feeder);
    while (!feeder->source.at_end)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(loop_look(fixture.loop), 0); /* it is to be told in the next turn */
    merge_stop(&fixture.merge);
    assert_true(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND) <= 3);
    assert_false(feeder->is_over);
    assert_false(fixture.is_over);
    end(&fixture);
}

/* ---- kinds of sources ---- */

static void a_file(void **state)
{
    struct fixture fixture;
    int fd;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, 1 << 20);
    fixture.descriptors++;
    fd = make_file("0123456789abcde\n", 50000);
    add_end(&fixture, fd, -1, END_FILE, NULL);
    fixture.feeders[0].end.start = 16;
    fixture.descriptors--;
    finish(&fixture);
    assert_int_equal(fixture.length, 49999 * 16);
    assert_whole(&fixture);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    end(&fixture);
}

/* Blocking ones, of which SIGALRM would end the program. */
static void what_is_shared_does_not_block(void **state)
{
    struct fixture fixture;
    int sockets[2], pipes[2];

    (void)state;
    alarm(60);
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_int_equal(pipe(pipes), 0);
    add_end(&fixture, sockets[0], sockets[1], END_SHARED_SOCKET, "s");
    add_end(&fixture, pipes[0], pipes[1], END_CAREFUL, "p");
    put(&fixture.feeders[0], "1\n");
    expect(&fixture, "s: 1\n");
    put(&fixture.feeders[1], "2\n");
    expect(&fixture, "p: 2\n");
    finish(&fixture);
    alarm(0);
    end(&fixture);
}

static void what_cannot_be_had(void **state)
{
    struct fixture fixture;
    struct merge merge;
    int fd, descriptors;

    (void)state;
    begin(&fixture, SPLIT_BLOCK, BUFFER);
    descriptors = kit_descriptors(getpid());
    merge_init(&merge, fixture.loop, NULL, NULL);
    assert_int_equal(merge_start(&merge, (size_t)INT_MAX + 1, BUFFER, SPLIT_BLOCK, &fd), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    merge_stop(&merge);
    end(&fixture);
}

/* ---- at random ---- */

struct writer {
    char bytes[8000]; /* of a line: "WHO NUMBER rubbish" */
    size_t begin;
    size_t end;
    int number;
    uint64_t bytes_written;
    uint64_t lines_seen;
    int last_seen;
};

static size_t any(size_t below)
{
    return (size_t)rand() % below;
}

static void make_line(struct writer *writer, size_t who, size_t longest)
{
    size_t n =
        (size_t)snprintf(writer->bytes, sizeof writer->bytes, "%zu %d ", who, writer->number++);
    size_t rubbish = any(4) ? any(40) : any(longest - 20);

    for (size_t i = 0; i < rubbish; i++)
        writer->bytes[n++] = (char)(any(10) ? (size_t)writer->number % 26 + 'a' : any(10));
    writer->bytes[n++] = '\n';
    writer->begin = 0;
    writer->end = n;
}

static void write_some(struct feeder *feeder, struct writer *writer, size_t who, size_t longest)
{
    ssize_t n;

    if (writer->begin == writer->end)
        make_line(writer, who, longest);
    n = write(feeder->write_fd, writer->bytes + writer->begin,
              1 + any(writer->end - writer->begin));
    assert_true(n > 0 || errno == EAGAIN);
    writer->begin += n < 0 ? 0 : (size_t)n;
    writer->bytes_written += n < 0 ? 0 : (size_t)n;
}

static void see_line(struct writer *writers, const char *line, size_t n, bool has_labels)
{
    char text[40] = "";
    size_t who;
    int number, label;

    memcpy(text, line, n < sizeof text - 1 ? n : sizeof text - 1);
    if (has_labels)
        assert_int_equal(sscanf(text, "L%d: %zu %d ", &label, &who, &number), 3);
    else
        assert_int_equal(sscanf(text, "%zu %d ", &who, &number), 2);
    assert_true(who < MOST);
    if (has_labels)
        assert_int_equal(label, who);
    assert_true(number > writers[who].last_seen);
    writers[who].last_seen = number;
    writers[who].lines_seen++;
}

static void see_lines(struct writer *writers, const struct fixture *fixture, bool has_labels)
{
    const char *line = fixture->got, *end_at = fixture->got + fixture->length;

    while (line < end_at) {
        const char *newline = memchr(line, '\n', (size_t)(end_at - line));

        assert_non_null(newline);
        see_line(writers, line, (size_t)(newline - line), has_labels);
        line = newline + 1;
    }
}

/* The newline of what was written in part comes with it. */
static void finish_lines(struct fixture *fixture, struct writer *writers)
{
    for (size_t i = 0; i < fixture->count; i++) {
        struct writer *writer = &writers[i];

        while (writer->begin > 0 && writer->begin < writer->end) {
            ssize_t n = write(fixture->feeders[i].write_fd, writer->bytes + writer->begin,
                              writer->end - writer->begin);

            writer->begin += n < 0 ? 0 : (size_t)n;
            writer->bytes_written += n < 0 ? 0 : (size_t)n;
            assert_int_equal(loop_look(fixture->loop), 0);
            get(fixture, KEPT);
        }
        if (writer->begin == 0 && writer->end > 0)
            writer->number--; /* it was made, and never written */
    }
}

static void assert_all_is_there(const struct fixture *fixture, const struct writer *writers,
                                bool has_labels)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < fixture->count; i++) {
        const struct merge_source *source = &fixture->feeders[i].source;

        assert_int_equal(source->taken, writers[i].bytes_written);
        assert_int_equal(source->cut_lines, 0);
        assert_int_equal(writers[i].lines_seen + source->dropped_lines, writers[i].number);
        bytes += source->taken - source->dropped_bytes;
        bytes += has_labels ? writers[i].lines_seen * strlen("L0: ") : 0;
        if (fixture->merge.policy != SPLIT_DROP)
            assert_int_equal(source->dropped_lines, 0);
    }
    assert_int_equal(fixture->length, bytes);
}

static void live_once(void)
{
    static const char *const names[] = {"L0", "L1", "L2", "L3", "L4"};
    static struct writer writers[MOST];
    struct fixture fixture;
    size_t buffer = 200 + any(7000);
    bool has_labels = any(2);

    memset(writers, 0, sizeof writers);
    begin(&fixture, any(2) ? SPLIT_DROP : SPLIT_BLOCK, buffer);
    for (size_t i = 0; i < 1 + any(MOST - 1); i++)
        add(&fixture, has_labels ? names[i] : NULL);
    for (size_t i = 0; i < fixture.count; i++)
        writers[i].last_seen = -1;
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 0; k < fixture.count; k++)
            if (any(k + 2) == 0)
                write_some(&fixture.feeders[k], &writers[k], k, buffer);
        if (any(3) == 0)
            assert_int_equal(loop_look(fixture.loop), 0);
        if (any(6) == 0)
            get(&fixture, 1 + any(3000));
    }
    finish_lines(&fixture, writers);
    finish(&fixture);
    see_lines(writers, &fixture, has_labels);
    assert_all_is_there(&fixture, writers, has_labels);
    end(&fixture);
}

static void any_lines(void **state)
{
    unsigned seed = (unsigned)clock_now();

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < (kit_is_instrumented() ? 3 : 60); i++)
        live_once();
}

static int guard(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_line_is_kept_until_it_is_whole, kit_cleanup),
        cmocka_unit_test_teardown(labels, kit_cleanup),
        cmocka_unit_test_teardown(nothing_at_all, kit_cleanup),
        cmocka_unit_test_teardown(nul_is_a_byte, kit_cleanup),
        cmocka_unit_test_teardown(long_lines_are_cut, kit_cleanup),
        cmocka_unit_test_teardown(long_lines_are_cut_with_labels, kit_cleanup),
        cmocka_unit_test_teardown(a_full_queue_holds_the_sources, kit_cleanup),
        cmocka_unit_test_teardown(a_full_queue_drops_lines, kit_cleanup),
        cmocka_unit_test_teardown(long_lines_are_dropped, kit_cleanup),
        cmocka_unit_test_teardown(a_flood_leaves_room_for_others, kit_cleanup),
        cmocka_unit_test_teardown(the_reader_leaves, kit_cleanup),
        cmocka_unit_test_teardown(the_reader_of_a_full_queue_leaves, kit_cleanup),
        cmocka_unit_test_teardown(a_source_that_fails, kit_cleanup),
        cmocka_unit_test_teardown(one_is_taken_out, kit_cleanup),
        cmocka_unit_test_teardown(it_stops_before_an_end_is_told, kit_cleanup),
        cmocka_unit_test_teardown(a_file, kit_cleanup),
        cmocka_unit_test_teardown(what_is_shared_does_not_block, kit_cleanup),
        cmocka_unit_test_teardown(what_cannot_be_had, kit_cleanup),
        cmocka_unit_test_teardown(any_lines, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, guard, NULL);
}
