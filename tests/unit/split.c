/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pipe into many: each outlet gets every byte of the source, or is told exactly what it missed,
 * however the others behave. What is written are counters of eight bytes, so that a reader sees
 * what it did not get.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy/kernel.h"
#include "copy/split.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { MOST = 5, QUEUE = 64 * 1024, WORD = sizeof(uint64_t), CHUNK = 64 * 1024 };

/* Who reads a queue, and what it has seen. */
struct reader {
    struct outlet outlet;
    bool is_open;
    bool at_end;
    unsigned char part[WORD]; /* of a counter */
    size_t parts;
    uint64_t next; /* the counter that follows the last one */
    uint64_t words;
    uint64_t gaps;
    int times_late;
    bool leaves_when_late;
};

struct fixture {
    struct loop *loop;
    struct split split;
    struct end source;
    int write_fd; /* -1: closed */
    uint64_t written;
    size_t count;
    struct reader readers[MOST];
    bool is_over;
    int error;
    int descriptors;
};

/* ---- the kernel, where it refuses ---- */

static int tee_error, splice_error;

ssize_t __real_kernel_tee(int in, int out, size_t n);
ssize_t __wrap_kernel_tee(int in, int out, size_t n);
ssize_t __real_kernel_splice(int in, int64_t *offset, int out, size_t n);
ssize_t __wrap_kernel_splice(int in, int64_t *offset, int out, size_t n);

ssize_t __wrap_kernel_tee(int in, int out, size_t n)
{
    errno = tee_error;
    return tee_error ? -1 : __real_kernel_tee(in, out, n);
}

ssize_t __wrap_kernel_splice(int in, int64_t *offset, int out, size_t n)
{
    errno = splice_error;
    return splice_error ? -1 : __real_kernel_splice(in, offset, out, n);
}

/* ---- the fixture ---- */

static void on_end(void *owner, int error)
{
    struct fixture *fixture = owner;

    assert_false(fixture->is_over);
    fixture->is_over = true;
    fixture->error = error;
}

static void on_late(void *owner)
{
    struct reader *reader = owner;

    reader->times_late++;
    if (reader->leaves_when_late)
        split_remove(&reader->outlet);
}

static void begin_with(struct fixture *fixture, int read_fd, int write_fd, int descriptors)
{
    *fixture = (struct fixture){.write_fd = write_fd, .descriptors = descriptors};
    fixture->loop = loop_new(NULL);
    assert_non_null(fixture->loop);
    fixture->source = (struct end){.kind = END_PIPE, .fd = read_fd, .is_source = true};
    split_init(&fixture->split, fixture->loop, on_end, fixture);
}

static void begin(struct fixture *fixture)
{
    int descriptors = kit_descriptors(getpid());
    int ends[2];

    assert_int_equal(kernel_pipe(ends), 0);
    begin_with(fixture, ends[0], ends[1], descriptors);
}

static struct reader *add(struct fixture *fixture, size_t size, enum split_policy policy)
{
    struct reader *reader = &fixture->readers[fixture->count++];

    assert_true(fixture->count <= MOST);
    assert_int_equal(split_add(&fixture->split, &reader->outlet, size, policy, on_late, reader), 0);
    reader->is_open = true;
    return reader;
}

static void start(struct fixture *fixture)
{
    assert_int_equal(split_start(&fixture->split, &fixture->source), 0);
}

static void close_reader(struct reader *reader)
{
    if (reader->is_open)
        close(reader->outlet.read_fd);
    reader->is_open = false;
}

static void close_writer(struct fixture *fixture)
{
    if (fixture->write_fd >= 0)
        close(fixture->write_fd);
    fixture->write_fd = -1;
}

static void end(struct fixture *fixture)
{
    split_stop(&fixture->split);
    for (size_t i = 0; i < fixture->count; i++) {
        assert_null(fixture->readers[i].outlet.split);
        close_reader(&fixture->readers[i]);
    }
    close_writer(fixture);
    close(fixture->source.fd);
    loop_free(fixture->loop);
    assert_int_equal(kit_descriptors(getpid()), fixture->descriptors);
}

/* ---- writing and reading ---- */

/* Writes at most WORDS counters; returns how many the source took. */
static size_t put(struct fixture *fixture, size_t words)
{
    static uint64_t bytes[CHUNK / WORD];
    ssize_t n;

    assert_true(words <= CHUNK / WORD);
    for (size_t i = 0; i < words; i++)
        bytes[i] = fixture->written + i;
    n = write(fixture->write_fd, bytes, words * WORD);
    if (n < 0)
        assert_int_equal(errno, EAGAIN);
    n = n < 0 ? 0 : n;
    assert_int_equal(n % WORD, 0);
    fixture->written += (size_t)n / WORD;
    return (size_t)n / WORD;
}

static void see(struct reader *reader, uint64_t counter)
{
    assert_true(counter >= reader->next);
    reader->gaps += counter > reader->next;
    reader->next = counter + 1;
    reader->words++;
}

static void see_byte(struct reader *reader, unsigned char byte)
{
    uint64_t counter;

    reader->part[reader->parts++] = byte;
    if (reader->parts < WORD)
        return;
    memcpy(&counter, reader->part, WORD);
    see(reader, counter);
    reader->parts = 0;
}

/* Reads at most SIZE bytes; returns how many there were. */
static size_t get(struct reader *reader, size_t size)
{
    static unsigned char bytes[CHUNK];
    ssize_t n = read(reader->outlet.read_fd, bytes, size < CHUNK ? size : CHUNK);

    assert_true(n >= 0 || errno == EAGAIN);
    reader->at_end = reader->at_end || n == 0;
    for (ssize_t i = 0; i < n; i++)
        see_byte(reader, bytes[i]);
    return n < 0 ? 0 : (size_t)n;
}

static void get_all(struct reader *reader)
{
    while (get(reader, CHUNK) > 0)
        continue;
}

static bool has(struct reader *reader, uint64_t words)
{
    get_all(reader);
    return reader->words >= words;
}

static bool is_at_end(struct reader *reader)
{
    get_all(reader);
    return reader->at_end;
}

static bool all_are_at_end(struct fixture *fixture)
{
    bool are = true;

    for (size_t i = 0; i < fixture->count; i++)
        if (fixture->readers[i].is_open)
            are = is_at_end(&fixture->readers[i]) && are;
    return are;
}

/* It has got all but what it was told to have missed. */
static void assert_exact(const struct fixture *fixture, const struct reader *reader)
{
    uint64_t gaps = reader->gaps + (reader->next < fixture->written);

    assert_true(reader->at_end);
    assert_int_equal(reader->parts, 0);
    assert_int_equal(reader->words * WORD + reader->outlet.dropped, fixture->written * WORD);
    assert_int_equal(gaps, reader->outlet.gaps);
}

static void assert_complete(const struct fixture *fixture, const struct reader *reader)
{
    assert_exact(fixture, reader);
    assert_int_equal(reader->outlet.dropped, 0);
}

/* Writes until nothing more is taken, with others reading what they get. */
static void pour(struct fixture *fixture, uint64_t words, const struct reader *stalled)
{
    struct turns turns;
    uint64_t aim = fixture->written + words;

    turns_begin(&turns, fixture->loop, "the source is taken");
    while (fixture->written < aim) {
        uint64_t left = aim - fixture->written;

        put(fixture, left < CHUNK / WORD ? left : CHUNK / WORD);
        assert_int_equal(loop_turn(fixture->loop), 0);
        for (size_t i = 0; i < fixture->count; i++)
            if (&fixture->readers[i] != stalled && fixture->readers[i].is_open)
                get_all(&fixture->readers[i]);
    }
    timer_stop(&turns.timer);
}

/* Writes and turns until neither goes on. */
static void fill(struct fixture *fixture, const struct reader *reads)
{
    for (int idle = 0; idle < 10;) {
        uint64_t taken = fixture->split.taken;
        size_t put_now = put(fixture, CHUNK / WORD);

        assert_int_equal(loop_look(fixture->loop), 0);
        if (reads)
            get_all((struct reader *)reads);
        idle = put_now > 0 || fixture->split.taken > taken ? 0 : idle + 1;
    }
}

static void finish(struct fixture *fixture)
{
    close_writer(fixture);
    turns_until(fixture->loop, all_are_at_end(fixture));
    turns_until(fixture->loop, fixture->is_over);
    assert_int_equal(fixture->error, 0);
}

/* ---- the tests ---- */

static void each_gets_everything(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    for (int i = 0; i < 4; i++)
        add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    pour(&fixture, 100000, NULL);
    finish(&fixture);
    for (int i = 0; i < 4; i++)
        assert_complete(&fixture, &fixture.readers[i]);
    end(&fixture);
}

static void an_empty_source(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    finish(&fixture);
    assert_complete(&fixture, &fixture.readers[0]);
    end(&fixture);
}

/* Under BLOCK the others get as much as fits into the queue of one that stalls, and no more. */
static void all_wait_for_one(void **state)
{
    struct fixture fixture;
    struct reader *stalled, *other;

    (void)state;
    begin(&fixture);
    stalled = add(&fixture, QUEUE, SPLIT_BLOCK);
    other = add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    fill(&fixture, other);
    assert_int_equal(outlet_queued(&stalled->outlet), QUEUE);
    assert_true(other->words * WORD >= QUEUE);
    assert_true(turns_for(fixture.loop, 2 * SPLIT_STALL) <= 3);
    assert_int_equal(stalled->times_late, 0);
    finish(&fixture);
    assert_complete(&fixture, stalled);
    assert_complete(&fixture, other);
    end(&fixture);
}

/* One that takes a page at a time makes the others wait, but not go in such steps. */
static void one_that_goes_in_pages(void **state)
{
    struct fixture fixture;
    struct reader *slow, *other;
    uint64_t times = 0;

    (void)state;
    begin(&fixture);
    slow = add(&fixture, QUEUE, SPLIT_BLOCK);
    other = add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    fill(&fixture, other);
    for (int i = 0; i < 256; i++) {
        get(slow, 4096);
        put(&fixture, CHUNK / WORD);
        assert_int_equal(loop_look(fixture.loop), 0);
        times += get(other, CHUNK) > 0;
    }
    assert_true(times <= 256 / 8);
    finish(&fixture);
    assert_complete(&fixture, slow);
    assert_complete(&fixture, other);
    end(&fixture);
}

static void one_that_stalls_misses(void **state)
{
    struct fixture fixture;
    struct reader *stalled;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_DROP);
    stalled = add(&fixture, QUEUE, SPLIT_DROP);
    add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    pour(&fixture, 100000, stalled);
    get_all(&fixture.readers[0]);
    finish(&fixture);
    assert_complete(&fixture, &fixture.readers[0]);
    assert_complete(&fixture, &fixture.readers[2]);
    assert_exact(&fixture, stalled);
    assert_int_equal(stalled->words * WORD, QUEUE);
    assert_int_equal(stalled->outlet.gaps, 1);
    assert_int_equal(stalled->times_late, 1);
    assert_int_equal(stalled->outlet.share, 4); /* it is forgiven less from now on */
    end(&fixture);
}

/* The source is not held back for those who take nothing. */
static void all_that_stall_miss(void **state)
{
    struct fixture fixture;
    struct turns turns;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_DROP);
    add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    turns_begin(&turns, fixture.loop, "the source is read");
    while (fixture.written < 100000) {
        put(&fixture, CHUNK / WORD);
        assert_int_equal(loop_turn(fixture.loop), 0);
    }
    timer_stop(&turns.timer);
    finish(&fixture);
    for (int i = 0; i < 2; i++) {
        assert_exact(&fixture, &fixture.readers[i]);
        assert_int_equal(fixture.readers[i].words * WORD, QUEUE);
    }
    end(&fixture);
}

/* One that has stalled and goes on gets what comes when it has read half of its queue. */
static void one_that_was_late_returns(void **state)
{
    struct fixture fixture;
    struct reader *late;

    (void)state;
    begin(&fixture);
    late = add(&fixture, QUEUE, SPLIT_DROP);
    add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    pour(&fixture, 100000, late);
    get(late, QUEUE / 2 - 1);
    pour(&fixture, 100, late);
    assert_int_equal(outlet_queued(&late->outlet), QUEUE / 2 + 1);
    get(late, 1);
    pour(&fixture, 100, late);
    finish(&fixture);
    assert_exact(&fixture, late);
    assert_int_equal(late->outlet.gaps, 1);
    assert_int_equal(late->next, fixture.written);
    assert_complete(&fixture, &fixture.readers[1]);
    end(&fixture);
}

/* Those who take what they get in small pieces, and pause, are as fast as others of their kind. */
static void equals_miss_nothing(void **state)
{
    struct fixture fixture;
    struct turns turns;

    (void)state;
    begin(&fixture);
    for (int i = 0; i < 3; i++)
        add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    turns_begin(&turns, fixture.loop, "the source is read");
    for (int turn = 0; fixture.written < 50000; turn++) {
        put(&fixture, CHUNK / WORD);
        assert_int_equal(loop_look(fixture.loop), 0);
        get(&fixture.readers[turn % 3], CHUNK / 2);
    }
    timer_stop(&turns.timer);
    finish(&fixture);
    for (int i = 0; i < 3; i++)
        assert_complete(&fixture, &fixture.readers[i]);
    end(&fixture);
}

/* One that is slow, but never rests, does not hold the others back for long. */
static void one_that_is_slow_misses(void **state)
{
    struct fixture fixture;
    struct reader *slow;
    int64_t begun = clock_now();

    (void)state;
    begin(&fixture);
    slow = add(&fixture, QUEUE, SPLIT_DROP);
    add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    for (int64_t next = begun; slow->outlet.dropped == 0;) {
        put(&fixture, CHUNK / WORD);
        assert_int_equal(loop_look(fixture.loop), 0);
        get_all(&fixture.readers[1]);
        if (clock_now() < next)
            continue;
        get(slow, 4096);
        next = clock_now() + 5 * CLOCK_MILLISECOND;
        assert_true(next < begun + KIT_DEADLINE_NS);
    }
    finish(&fixture);
    assert_exact(&fixture, slow);
    assert_complete(&fixture, &fixture.readers[1]);
    end(&fixture);
}

static void one_that_is_late_is_taken_out(void **state)
{
    struct fixture fixture;
    struct reader *stalled;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_DETACH);
    stalled = add(&fixture, QUEUE, SPLIT_DETACH);
    stalled->leaves_when_late = true;
    start(&fixture);
    pour(&fixture, 100000, stalled);
    finish(&fixture);
    assert_complete(&fixture, &fixture.readers[0]);
    assert_int_equal(stalled->times_late, 1);
    assert_int_equal(stalled->outlet.fd, -1);
    assert_true(is_at_end(stalled));
    assert_int_equal(stalled->words * WORD, QUEUE);
    assert_int_equal(outlet_queued(&stalled->outlet), 0);
    end(&fixture);
}

static void one_that_leaves_hurts_nobody(void **state)
{
    static const enum split_policy policies[] = {SPLIT_BLOCK, SPLIT_DROP, SPLIT_DETACH};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture fixture;
        struct reader *leaver;

        begin(&fixture);
        leaver = add(&fixture, QUEUE, policies[i]);
        add(&fixture, QUEUE, policies[i]);
        start(&fixture);
        fill(&fixture, NULL);
        close_reader(leaver);
        pour(&fixture, 50000, NULL);
        finish(&fixture);
        if (policies[i] != SPLIT_DROP) {
            assert_null(leaver->outlet.split);
            assert_complete(&fixture, &fixture.readers[1]);
        }
        end(&fixture);
    }
}

static void the_last_one_leaves(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    close_reader(&fixture.readers[0]);
    split_remove(&fixture.readers[1].outlet);
    split_remove(&fixture.readers[1].outlet);
    assert_false(fixture.is_over);
    put(&fixture, 1);
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.error, ECANCELED);
    end(&fixture);
}

/* It gets what none has got yet, and all that follows. */
static void one_that_comes_later(void **state)
{
    struct fixture fixture;
    struct reader *late;

    (void)state;
    begin(&fixture);
    start(&fixture);
    put(&fixture, 10);
    assert_int_equal(loop_look(fixture.loop), 0);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    turns_until(fixture.loop, has(&fixture.readers[0], 10));
    late = add(&fixture, QUEUE, SPLIT_BLOCK);
    put(&fixture, 10);
    finish(&fixture);
    assert_complete(&fixture, &fixture.readers[0]);
    assert_int_equal(late->words, 10);
    assert_int_equal(late->next, 20);
    end(&fixture);
}

/* A fifo that nobody writes yet looks as if at its end. */
static void a_fifo_waits_for_its_writer(void **state)
{
    int descriptors = kit_descriptors(getpid());
    struct fixture fixture;
    char path[512];
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/fifo", kit_folder());
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    begin_with(&fixture, fd, -1, descriptors);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    assert_true(turns_for(fixture.loop, 20 * CLOCK_MILLISECOND) <= 3);
    assert_false(fixture.is_over);
    fixture.write_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fixture.write_fd >= 0);
    put(&fixture, 100);
    finish(&fixture);
    assert_complete(&fixture, &fixture.readers[0]);
    end(&fixture);
}

/* A queue holds pages: of pieces, as many as it has pages. */
static void small_pieces_fill_a_queue(void **state)
{
    struct fixture fixture;
    struct reader *reader;

    (void)state;
    begin(&fixture);
    reader = add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    for (int i = 0; i < 1000; i++) {
        put(&fixture, 1);
        assert_int_equal(loop_look(fixture.loop), 0);
    }
    assert_true(outlet_queued(&reader->outlet) < QUEUE);
    finish(&fixture);
    assert_complete(&fixture, reader);
    end(&fixture);
}

/* Somebody else reads what was handed out in part: that cannot be made good, nor waited for. */
static void another_reader_of_the_source(void **state)
{
    struct fixture fixture;
    struct reader *full;
    char bytes[CHUNK];

    (void)state;
    begin(&fixture);
    full = add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    fill(&fixture, NULL);
    assert_int_equal(read(fixture.source.fd, bytes, sizeof bytes), CHUNK);
    get(full, CHUNK);
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.error, EIO);
    get_all(full);
    assert_false(full->at_end); /* nobody is to think that this was all */
    end(&fixture);
}

static void a_system_without_tee(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    tee_error = ENOSYS;
    assert_int_equal(split_start(&fixture.split, &fixture.source), -1);
    assert_int_equal(errno, ENOSYS);
    tee_error = 0;
    end(&fixture);
}

static void a_tee_that_fails(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    start(&fixture);
    put(&fixture, 10);
    tee_error = EINVAL;
    turns_until(fixture.loop, fixture.is_over);
    assert_int_equal(fixture.error, EINVAL);
    tee_error = 0;
    end(&fixture);
}

static void a_system_that_splices_nothing_away(void **state)
{
    struct fixture fixture;

    (void)state;
    begin(&fixture);
    add(&fixture, QUEUE, SPLIT_BLOCK);
    add(&fixture, QUEUE, SPLIT_DROP);
    start(&fixture);
    splice_error = EINVAL;
    pour(&fixture, 100000, NULL);
    finish(&fixture);
    splice_error = 0;
    assert_complete(&fixture, &fixture.readers[0]);
    assert_complete(&fixture, &fixture.readers[1]);
    end(&fixture);
}

static void a_queue_that_cannot_be_had(void **state)
{
    struct fixture fixture;
    struct outlet outlet;
    int descriptors;

    (void)state;
    begin(&fixture);
    descriptors = kit_descriptors(getpid());
    assert_int_equal(
        split_add(&fixture.split, &outlet, (size_t)INT_MAX + 1, SPLIT_BLOCK, NULL, NULL), -1);
    assert_int_equal(errno, EPERM);
    assert_null(outlet.split);
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    end(&fixture);
}

/* ---- at random ---- */

static size_t any(size_t below)
{
    return (size_t)rand() % below;
}

static void live(struct fixture *fixture)
{
    put(fixture, 1 + any(any(4) ? 300 : CHUNK / WORD));
    for (size_t i = 0; i < fixture->count; i++) {
        struct reader *reader = &fixture->readers[i];

        if (reader->is_open && any(i + 2) == 0)
            get(reader, 1 + any(any(3) ? 5000 : CHUNK));
        if (reader->is_open && any(2000) == 0)
            close_reader(reader);
    }
    assert_int_equal(loop_look(fixture->loop), 0);
}

static void live_to_the_end(struct fixture *fixture)
{
    struct turns turns;

    close_writer(fixture);
    turns_begin(&turns, fixture->loop, "the end");
    while (!fixture->is_over) {
        assert_int_equal(loop_turn(fixture->loop), 0);
        for (size_t i = 0; i < fixture->count; i++)
            if (fixture->readers[i].is_open)
                get(&fixture->readers[i], 1 + any(CHUNK));
    }
    timer_stop(&turns.timer);
}

static void live_once(void)
{
    struct fixture fixture;

    begin(&fixture);
    for (size_t i = 1 + any(MOST); i > 0; i--) {
        struct reader *reader = add(&fixture, 4096u << any(6), (enum split_policy)any(3));

        reader->leaves_when_late = reader->outlet.policy == SPLIT_DETACH && any(2) == 0;
    }
    start(&fixture);
    for (int i = 0; i < 400; i++)
        live(&fixture);
    live_to_the_end(&fixture);
    assert_true(fixture.error == 0 || fixture.error == ECANCELED);
    for (size_t i = 0; i < fixture.count && fixture.error == 0; i++) {
        struct reader *reader = &fixture.readers[i];

        if (!reader->is_open || (reader->leaves_when_late && reader->times_late > 0))
            continue;
        turns_until(fixture.loop, is_at_end(reader));
        assert_exact(&fixture, reader);
        if (reader->outlet.policy != SPLIT_DROP)
            assert_complete(&fixture, reader);
    }
    end(&fixture);
}

static void any_readers(void **state)
{
    unsigned seed = (unsigned)clock_now();

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < (kit_is_instrumented() ? 6 : 60); i++)
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
        cmocka_unit_test_teardown(each_gets_everything, kit_cleanup),
        cmocka_unit_test_teardown(an_empty_source, kit_cleanup),
        cmocka_unit_test_teardown(all_wait_for_one, kit_cleanup),
        cmocka_unit_test_teardown(one_that_goes_in_pages, kit_cleanup),
        cmocka_unit_test_teardown(one_that_stalls_misses, kit_cleanup),
        cmocka_unit_test_teardown(all_that_stall_miss, kit_cleanup),
        cmocka_unit_test_teardown(one_that_was_late_returns, kit_cleanup),
        cmocka_unit_test_teardown(equals_miss_nothing, kit_cleanup),
        cmocka_unit_test_teardown(one_that_is_slow_misses, kit_cleanup),
        cmocka_unit_test_teardown(one_that_is_late_is_taken_out, kit_cleanup),
        cmocka_unit_test_teardown(one_that_leaves_hurts_nobody, kit_cleanup),
        cmocka_unit_test_teardown(the_last_one_leaves, kit_cleanup),
        cmocka_unit_test_teardown(one_that_comes_later, kit_cleanup),
        cmocka_unit_test_teardown(a_fifo_waits_for_its_writer, kit_cleanup),
        cmocka_unit_test_teardown(small_pieces_fill_a_queue, kit_cleanup),
        cmocka_unit_test_teardown(another_reader_of_the_source, kit_cleanup),
        cmocka_unit_test_teardown(a_system_without_tee, kit_cleanup),
        cmocka_unit_test_teardown(a_tee_that_fails, kit_cleanup),
        cmocka_unit_test_teardown(a_system_that_splices_nothing_away, kit_cleanup),
        cmocka_unit_test_teardown(a_queue_that_cannot_be_had, kit_cleanup),
        cmocka_unit_test_teardown(any_readers, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, guard, NULL);
}
