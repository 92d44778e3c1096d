/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings against a naive model: an array of all lines that ever came, of which the last ones
 * that keep within both bounds are there. What a line holds follows from its number.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kit/kit.h"
#include "kit/random.h"
#include "ui/scrollback.h"

enum { SEED = 1618, ALL = 60000 };

struct model {
    struct scrollback_line lines[ALL]; /* their bytes left out */
    uint64_t first;
    uint64_t end;
    size_t used;
    size_t max_lines;
    size_t max_bytes;
};

static struct model model;

static void make_bytes(uint64_t number, char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(number * 7 + number / 256 + i);
}

static void model_init(size_t max_lines, size_t max_bytes)
{
    memset(&model, 0, sizeof model);
    model.max_lines = max_lines;
    model.max_bytes = max_bytes;
}

static void model_add(const struct scrollback_line *line)
{
    struct scrollback_line *added = &model.lines[model.end];

    assert_true(model.end < ALL);
    *added = *line;
    if (model.end > model.first)
        added->is_rest = added[-1].goes_on && added[-1].channel == added->channel &&
                         added[-1].kind == added->kind;
    model.end++;
    model.used += line->length;
    while (model.end - model.first > model.max_lines || model.used > model.max_bytes)
        model.used -= model.lines[model.first++].length;
}

static void check_line(const struct scrollback *scrollback, uint64_t number)
{
    const struct scrollback_line *expected = &model.lines[number];
    struct scrollback_line line;
    char bytes[SCROLLBACK_LINE];

    scrollback_get(scrollback, number, &line);
    assert_int_equal(line.length, expected->length);
    assert_int_equal(line.kind, expected->kind);
    assert_int_equal(line.channel, expected->channel);
    assert_int_equal(line.goes_on, expected->goes_on);
    assert_int_equal(line.is_rest, expected->is_rest);
    assert_int_equal(line.second, expected->second);
    make_bytes(number, bytes, line.length);
    assert_non_null(line.bytes);
    assert_memory_equal(line.bytes, bytes, line.length);
}

static void check_all(const struct scrollback *scrollback)
{
    for (uint64_t number = model.first; number < model.end; number++)
        check_line(scrollback, number);
}

static void check_some(const struct scrollback *scrollback, uint32_t *seed)
{
    assert_int_equal(scrollback_first(scrollback), model.first);
    assert_int_equal(scrollback_end(scrollback), model.end);
    if (model.first == model.end)
        return;
    check_line(scrollback, model.first);
    check_line(scrollback, model.end - 1);
    check_line(scrollback, model.first + kit_random(seed, (uint32_t)(model.end - model.first)));
}

/* Mostly short, mostly long, and of every length, in turns. */
static size_t random_length(uint32_t *seed, unsigned step)
{
    switch (step / 3000 % 4) {
    case 0:
        return kit_random(seed, 40);
    case 1:
        return SCROLLBACK_LINE - kit_random(seed, 100);
    case 2:
        return kit_random(seed, 3);
    default:
        return kit_random(seed, SCROLLBACK_LINE + 1);
    }
}

static void add_random(struct scrollback *scrollback, uint32_t *seed, unsigned step)
{
    char bytes[SCROLLBACK_LINE];
    struct scrollback_line line = {
        .kind = (enum scrollback_kind)kit_random(seed, 3),
        .channel = kit_random(seed, 3) * 1000000,
        .goes_on = kit_random(seed, 3) == 0,
        .second = (time_t)kit_random(seed, 1000) - 10,
        .bytes = bytes,
        .length = random_length(seed, step),
    };

    make_bytes(model.end, bytes, line.length);
    assert_int_equal(scrollback_add(scrollback, &line), 0);
    model_add(&line);
}

static void random_operations(size_t max_lines, size_t max_bytes)
{
    struct scrollback *scrollback = scrollback_new(max_lines, max_bytes);
    uint32_t seed = SEED;
    unsigned steps = kit_is_instrumented() ? 13000 : 25000;

    print_message("seed %d\n", SEED);
    model_init(max_lines, max_bytes);
    for (unsigned step = 0; step < steps; step++) {
        add_random(scrollback, &seed, step);
        check_some(scrollback, &seed);
        if (step % 1000 == 0)
            check_all(scrollback);
        if (kit_random(&seed, 10000) == 0) {
            scrollback_clear(scrollback);
            model.first = model.end;
            model.used = 0;
            check_some(scrollback, &seed);
        }
    }
    check_all(scrollback);
    assert_true(scrollback_memory(scrollback) < max_bytes + SCROLLBACK_LINE + 64 * max_lines + 512);
    scrollback_free(scrollback);
}

static void bounded_by_lines(void **state)
{
    (void)state;
    random_operations(100, 1000000);
}

static void bounded_by_bytes(void **state)
{
    (void)state;
    random_operations(10000, SCROLLBACK_LINE);
    random_operations(10000, 100000);
    random_operations(5000, 131072);
}

static void bounded_by_both(void **state)
{
    (void)state;
    random_operations(1, SCROLLBACK_LINE);
    random_operations(4000, 8000000);
}

static void bounds_too_small_are_the_least(void **state)
{
    struct scrollback *scrollback = scrollback_new(0, 0);
    char bytes[SCROLLBACK_LINE + 1];
    struct scrollback_line line = {.bytes = bytes, .length = sizeof bytes};

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(scrollback_add(scrollback, &line), 0);
    assert_int_equal(scrollback_add(scrollback, &line), 0);
    assert_int_equal(scrollback_first(scrollback), 1);
    assert_int_equal(scrollback_end(scrollback), 2);
    scrollback_get(scrollback, 1, &line);
    assert_int_equal(line.length, SCROLLBACK_LINE);
    assert_memory_equal(line.bytes, bytes, line.length);
    scrollback_free(scrollback);
    scrollback_free(NULL);
}

static void add_text(struct scrollback *scrollback, const char *text)
{
    struct scrollback_line line = {.bytes = text, .length = strlen(text)};

    assert_int_equal(scrollback_add(scrollback, &line), 0);
}

static void an_empty_line_has_bytes_too(void **state)
{
    struct scrollback *scrollback = scrollback_new(10, 10000);
    struct scrollback_line line = {.length = 0};

    (void)state;
    assert_int_equal(scrollback_add(scrollback, &line), 0);
    scrollback_get(scrollback, 0, &line);
    assert_non_null(line.bytes);
    assert_int_equal(line.length, 0);
    scrollback_free(scrollback);
}

static void memory_is_taken_as_it_fills(void **state)
{
    struct scrollback *scrollback = scrollback_new(SIZE_MAX, SIZE_MAX);
    size_t few;

    (void)state;
    assert_true(scrollback_memory(scrollback) < 1000);
    add_text(scrollback, "one");
    few = scrollback_memory(scrollback);
    assert_true(few < 200000);
    for (int i = 0; i < 50000; i++)
        add_text(scrollback, "0123456789");
    assert_true(scrollback_memory(scrollback) > few);
    scrollback_clear(scrollback);
    assert_true(scrollback_memory(scrollback) < 1000);
    assert_int_equal(scrollback_first(scrollback), 50001);
    scrollback_free(scrollback);
}

static size_t address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The oldest go, and the newest are there, as long as there is memory for a line. */
static void lines_go_earlier_where_memory_is_out(void **state)
{
    struct scrollback *scrollback;
    char bytes[SCROLLBACK_LINE];
    struct scrollback_line line = {.bytes = bytes, .length = sizeof bytes};
    struct rlimit limit;
    struct rlimit low;
    bool is_kept = true;

    (void)state;
    if (kit_is_instrumented())
        kit_skip("what watches the memory needs too much of it");
    scrollback = scrollback_new(SIZE_MAX, SIZE_MAX);
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    low = limit;
    low.rlim_cur = address_space() + 8388608;
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    for (uint64_t number = 0; number < 20000 && is_kept; number++) {
        struct scrollback_line last;

        make_bytes(number, bytes, sizeof bytes);
        is_kept =
            scrollback_add(scrollback, &line) == 0 && scrollback_end(scrollback) == number + 1;
        if (is_kept)
            scrollback_get(scrollback, number, &last);
        is_kept = is_kept && memcmp(last.bytes, bytes, sizeof bytes) == 0;
    }
    setrlimit(RLIMIT_AS, &limit);
    assert_true(is_kept);
    assert_true(scrollback_first(scrollback) > 10000);
    assert_true(scrollback_end(scrollback) - scrollback_first(scrollback) > 100);
    scrollback_free(scrollback);
}

static void no_memory_at_all(void **state)
{
    struct scrollback *scrollback;
    struct scrollback_line line = {.bytes = "x", .length = 1};
    struct rlimit limit;
    struct rlimit none;
    void *eaten[4096];
    size_t count = 0;
    int result;
    int error;

    (void)state;
    if (kit_is_instrumented())
        kit_skip("what watches the memory needs too much of it");
    scrollback = scrollback_new(10, 100000);
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    while (count < 4096 && (eaten[count] = malloc(20000)))
        count++;
    result = scrollback_add(scrollback, &line);
    error = errno;
    setrlimit(RLIMIT_AS, &limit);
    while (count > 0)
        free(eaten[--count]);
    assert_int_equal(result, -1);
    assert_int_equal(error, ENOMEM);
    assert_int_equal(scrollback_end(scrollback), 0);
    add_text(scrollback, "y");
    assert_int_equal(scrollback_end(scrollback), 1);
    scrollback_free(scrollback);
}

/* ---- finding ---- */

static bool find(const struct scrollback *scrollback, const char *text, bool is_backward,
                 size_t limit, uint64_t *number)
{
    return scrollback_find(scrollback, text, strlen(text), is_backward, limit, number);
}

static struct scrollback *three_lines_after_two(void)
{
    struct scrollback *scrollback = scrollback_new(3, 100000);

    add_text(scrollback, "gone");
    add_text(scrollback, "Gone, too");
    add_text(scrollback, "Hello, World");
    add_text(scrollback, "");
    add_text(scrollback, "hello again");
    return scrollback;
}

static void finds_in_both_directions(void **state)
{
    struct scrollback *scrollback = three_lines_after_two();
    uint64_t at = 4;

    (void)state;
    assert_true(find(scrollback, "hELLO", true, SIZE_MAX, &at));
    assert_int_equal(at, 4);
    at = 3;
    assert_true(find(scrollback, "hello", true, SIZE_MAX, &at));
    assert_int_equal(at, 2);
    at = 3;
    assert_true(find(scrollback, "hello", false, SIZE_MAX, &at));
    assert_int_equal(at, 4);
    at = 4;
    assert_false(find(scrollback, "gone", true, SIZE_MAX, &at));
    assert_int_equal(at, 1);
    at = 2;
    assert_false(find(scrollback, "gone", false, SIZE_MAX, &at));
    assert_int_equal(at, 5);
    at = 2;
    assert_false(find(scrollback, "hello, world!", false, SIZE_MAX, &at));
    scrollback_free(scrollback);
}

static void a_search_goes_on_where_it_was(void **state)
{
    struct scrollback *scrollback = three_lines_after_two();
    uint64_t at = 4;

    (void)state;
    assert_false(find(scrollback, "world", true, 2, &at));
    assert_int_equal(at, 2);
    assert_true(find(scrollback, "world", true, 2, &at));
    assert_int_equal(at, 2);
    at = 2;
    assert_false(find(scrollback, "again", false, 2, &at));
    assert_int_equal(at, 4);
    at = 4;
    assert_false(find(scrollback, "again", false, 0, &at));
    assert_int_equal(at, 4);
    scrollback_free(scrollback);
}

static void a_search_begins_at_a_line_that_is_gone(void **state)
{
    struct scrollback *scrollback = three_lines_after_two();
    uint64_t at = 0;

    (void)state;
    assert_true(find(scrollback, "hello", false, 1, &at));
    assert_int_equal(at, 2);
    at = 0;
    assert_false(find(scrollback, "hello", true, SIZE_MAX, &at));
    assert_int_equal(at, 1);
    assert_false(find(scrollback, "hello", true, SIZE_MAX, &at));
    assert_int_equal(at, 1);
    at = 17;
    assert_false(find(scrollback, "hello", false, SIZE_MAX, &at));
    assert_int_equal(at, 5);
    at = 17;
    assert_true(find(scrollback, "hello", true, 1, &at));
    assert_int_equal(at, 4);
    scrollback_free(scrollback);
}

static void nothing_is_found_in_nothing(void **state)
{
    struct scrollback *scrollback = scrollback_new(10, 10000);
    uint64_t at = 0;

    (void)state;
    assert_false(find(scrollback, "x", true, SIZE_MAX, &at));
    assert_int_equal(at, UINT64_MAX);
    assert_false(find(scrollback, "x", true, SIZE_MAX, &at));
    assert_int_equal(at, UINT64_MAX);
    assert_false(find(scrollback, "x", false, SIZE_MAX, &at));
    assert_int_equal(at, 0);
    scrollback_free(scrollback);
}

static bool is_same_letter(char a, char b)
{
    return a == b || ((a ^ b) == 0x20 && ((a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z')));
}

static size_t find_naively(const char *bytes, size_t length, const char *text, size_t n)
{
    for (size_t i = 0; i + n <= length; i++) {
        size_t same = 0;

        while (same < n && is_same_letter(bytes[i + same], text[same]))
            same++;
        if (same == n)
            return i;
    }
    return length;
}

/* Letters, and what differs from a letter or from each other in the bit that is the case. */
static void fill(char *bytes, size_t n, uint32_t *seed, uint32_t kinds)
{
    static const char alphabet[] = "aAbBzZ@`[{\xc1\xe1 \0y";

    for (size_t i = 0; i < n; i++)
        bytes[i] = alphabet[kit_random(seed, kinds)];
}

static void finds_whatever_it_is(void **state)
{
    uint32_t seed = SEED;
    size_t found = 0;

    (void)state;
    print_message("seed %d\n", SEED);
    for (int round = 0; round < (kit_is_instrumented() ? 10000 : 100000); round++) {
        char bytes[60];
        char text[8];
        size_t length = kit_random(&seed, sizeof bytes + 1);
        size_t n = 1 + kit_random(&seed, sizeof text);
        uint32_t kinds = 2 + kit_random(&seed, 13);

        fill(bytes, length, &seed, kinds);
        fill(text, n, &seed, kinds);
        assert_int_equal(scrollback_find_in(bytes, length, text, n),
                         find_naively(bytes, length, text, n));
        found += scrollback_find_in(bytes, length, text, n) < length;
    }
    assert_true(found > 1000);
}

static void a_text_may_be_as_long_as_a_line_or_longer(void **state)
{
    char bytes[SCROLLBACK_LINE + 2];

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    bytes[SCROLLBACK_LINE - 1] = 'b';
    assert_int_equal(scrollback_find_in(bytes, SCROLLBACK_LINE, bytes, SCROLLBACK_LINE), 0);
    assert_int_equal(scrollback_find_in(bytes, SCROLLBACK_LINE, bytes, SCROLLBACK_LINE + 2),
                     SCROLLBACK_LINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounded_by_lines),
        cmocka_unit_test(bounded_by_bytes),
        cmocka_unit_test(bounded_by_both),
        cmocka_unit_test(bounds_too_small_are_the_least),
        cmocka_unit_test(an_empty_line_has_bytes_too),
        cmocka_unit_test(memory_is_taken_as_it_fills),
        cmocka_unit_test(lines_go_earlier_where_memory_is_out),
        cmocka_unit_test(no_memory_at_all),
        cmocka_unit_test(finds_in_both_directions),
        cmocka_unit_test(a_search_goes_on_where_it_was),
        cmocka_unit_test(a_search_begins_at_a_line_that_is_gone),
        cmocka_unit_test(nothing_is_found_in_nothing),
        cmocka_unit_test(finds_whatever_it_is),
        cmocka_unit_test(a_text_may_be_as_long_as_a_line_or_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
