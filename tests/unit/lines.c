/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines against a model that looks at the whole stream at once: however the stream is cut, the
 * pieces are the same, nothing is lost, and no more than the bound is kept.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/kit.h"
#include "net/lines.h"

enum { STREAM = 4000, PIECES = 2 * STREAM };

/* Pieces, one behind the other, each as its length and whether it is an end. */
struct record {
    size_t count;
    size_t lengths[PIECES];
    bool ends[PIECES];
    char bytes[STREAM];
    size_t total;
};

static void record_piece(void *owner, const char *bytes, size_t n, bool is_end)
{
    struct record *record = owner;

    assert_true(record->count < PIECES && record->total + n <= STREAM);
    record->lengths[record->count] = n;
    record->ends[record->count++] = is_end;
    if (n > 0)
        memcpy(record->bytes + record->total, bytes, n);
    record->total += n;
}

/* The model: lines are what stands between newlines, in pieces of MAX. */
static void cut_naively(struct record *record, const char *bytes, size_t n, size_t max)
{
    for (size_t i = 0, start = 0; i <= n; i++) {
        bool is_end = i < n && bytes[i] == '\n';

        if (i == n && start == n)
            break;
        if (is_end || i == n || i - start == max) {
            record_piece(record, bytes + start, i - start, is_end);
            start = is_end ? i + 1 : i;
        }
    }
}

static void assert_same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->lengths, b->lengths, a->count * sizeof *a->lengths);
    assert_memory_equal(a->ends, b->ends, a->count * sizeof *a->ends);
    assert_int_equal(a->total, b->total);
    assert_memory_equal(a->bytes, b->bytes, a->total);
}

static void feed_in_random_cuts(struct lines *lines, const char *bytes, size_t n)
{
    while (n > 0) {
        size_t part = (size_t)rand() % 40;
        const char *partial;
        size_t kept;

        if (part > n)
            part = n;
        assert_int_equal(lines_feed(lines, bytes, part), 0);
        bytes += part;
        n -= part;
        partial = lines_partial(lines, &kept);
        assert_int_equal(partial == NULL, kept == 0);
        assert_true(kept <= lines->partial.max);
    }
}

static void pieces_do_not_depend_on_the_cuts(void **state)
{
    static struct record seen;
    static struct record expected;
    static char stream[STREAM];

    (void)state;
    srand(20261121);
    for (int round = 0; round < 300; round++) {
        size_t max = 1 + (size_t)rand() % 30;
        size_t n = (size_t)rand() % STREAM;
        int newlines = 1 + rand() % 60;
        struct lines lines;

        for (size_t i = 0; i < n; i++)
            stream[i] = (char)(rand() % newlines == 0 ? '\n' : rand() % 256);
        seen.count = seen.total = expected.count = expected.total = 0;
        cut_naively(&expected, stream, n, max);
        lines_init(&lines, max, record_piece, &seen);
        feed_in_random_cuts(&lines, stream, n);
        lines_flush(&lines);
        lines_flush(&lines); /* the second has nothing left */
        assert_same(&seen, &expected);
        lines_fini(&lines);
    }
}

static void count_bytes(void *owner, const char *bytes, size_t n, bool is_end)
{
    (void)bytes;
    assert_false(is_end);
    *(size_t *)owner += n;
}

static void a_line_without_an_end_passes_in_bounded_memory(void **state)
{
    enum { MAX = 4096, CHUNK = 60000, CHUNKS = 64 * 1024 * 1024 / CHUNK };
    char *chunk = calloc(1, CHUNK);
    size_t passed = 0;
    size_t kept;
    struct lines lines;

    (void)state;
    assert_non_null(chunk);
    lines_init(&lines, MAX, count_bytes, &passed);
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(lines_feed(&lines, chunk, CHUNK), 0);
        assert_true(lines.partial.capacity <= 4 * MAX);
    }
    assert_non_null(lines_partial(&lines, &kept));
    assert_int_equal(passed + kept, (size_t)CHUNKS * CHUNK);
    lines_fini(&lines);
    free(chunk);
}

static void the_partial_line_can_be_looked_at(void **state)
{
    static struct record seen;
    struct lines lines;
    size_t n;

    (void)state;
    lines_init(&lines, 100, record_piece, &seen);
    assert_null(lines_partial(&lines, &n));
    assert_int_equal(lines_feed(&lines, "one\ntw", 6), 0);
    assert_memory_equal(lines_partial(&lines, &n), "tw", 2);
    assert_int_equal(n, 2);
    assert_int_equal(lines_feed(&lines, "o\n", 2), 0);
    assert_null(lines_partial(&lines, &n));
    assert_int_equal(seen.count, 2);
    assert_memory_equal(seen.bytes, "onetwo", 6);
    lines_fini(&lines);
}

static void end_in_the_piece(void *owner, const char *bytes, size_t n, bool is_end)
{
    (void)bytes;
    (void)n;
    (void)is_end;
    lines_fini(owner);
}

static void whoever_is_called_may_end_it(void **state)
{
    struct lines lines;

    (void)state;
    lines_init(&lines, 4, end_in_the_piece, &lines);
    assert_int_equal(lines_feed(&lines, "ab", 2), 0);
    assert_int_equal(lines_feed(&lines, "cdef", 4), 0);
    lines_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_depend_on_the_cuts),
        cmocka_unit_test(a_line_without_an_end_passes_in_bounded_memory),
        cmocka_unit_test(the_partial_line_can_be_looked_at),
        cmocka_unit_test(whoever_is_called_may_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
