/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small ones of src/base: list, text, clock and parse.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/parse.h"
#include "base/text.h"
#include "kit/kit.h"

static void a_list_keeps_order(void **state)
{
    int owners[3];
    struct loop_link head, links[3];

    (void)state;
    list_init(&head, NULL);
    assert_true(list_is_empty(&head));
    assert_null(list_first(&head));
    assert_null(list_take_first(&head));
    for (int i = 0; i < 3; i++) {
        list_init(&links[i], &owners[i]);
        list_append(&head, &links[i]);
    }
    list_remove(&links[1]);
    list_remove(&links[1]); /* twice does no harm */
    assert_ptr_equal(list_first(&head), &owners[0]);
    list_append(&head, &links[1]);
    assert_ptr_equal(list_take_first(&head), &owners[0]);
    assert_ptr_equal(list_take_first(&head), &owners[2]);
    assert_ptr_equal(list_take_first(&head), &owners[1]);
    assert_true(list_is_empty(&head));
    for (int i = 0; i < 3; i++)
        assert_true(list_is_empty(&links[i]));
}

static void a_text_is_cut_and_counted(void **state)
{
    char bytes[8];
    struct text text;

    (void)state;
    memset(bytes, '#', sizeof bytes);
    text_init(&text, bytes, 6);
    assert_string_equal(bytes, "");
    text_add(&text, "%d", 123);
    text_add(&text, "%s", "");
    text_add(&text, "%c", '4');
    text_add(&text, "5");
    assert_false(text_is_cut(&text)); /* just full */
    assert_string_equal(bytes, "12345");
    text_add(&text, "%s", "6789");
    text_add(&text, "%s", "0");
    assert_true(text_is_cut(&text));
    assert_string_equal(bytes, "12345");
    assert_int_equal(text.length, 10);
    assert_memory_equal(bytes + 6, "##", 2);
}

static void a_text_in_no_memory_is_measured(void **state)
{
    char byte = '#';
    struct text text;

    (void)state;
    text_init(&text, NULL, 0);
    text_add(&text, "%s", "abc");
    assert_int_equal(text.length, 3);
    text_init(&text, &byte, 1);
    text_add(&text, "abc");
    assert_int_equal(text.length, 3);
    assert_int_equal(byte, '\0');
}

static int64_t noon(void)
{
    return 12;
}

static void the_clock_only_goes_on(void **state)
{
    int64_t before = clock_now();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now();

        assert_true(now >= before);
        before = now;
    }
    clock_use(noon);
    assert_int_equal(clock_now(), 12);
    clock_use(NULL);
    assert_true(clock_now() >= before);
}

static void the_time_of_day_is_the_systems(void **state)
{
    time_t before = time(NULL);
    struct timespec wall = clock_wall();

    (void)state;
    /* time(2) may be a tick behind, and the date may be set in between: a day would be a fault */
    assert_true(wall.tv_sec >= before - 86400 && wall.tv_sec <= before + 86400);
    assert_in_range(wall.tv_nsec, 0, CLOCK_SECOND - 1);
}

static void seconds_become_nanoseconds(void **state)
{
    (void)state;
    assert_int_equal(clock_from_seconds(0), 0);
    assert_int_equal(clock_from_seconds(0.25), CLOCK_SECOND / 4);
    assert_int_equal(clock_from_seconds(5), 5 * CLOCK_SECOND);
    assert_true(clock_from_seconds(1e300) > 0);
    assert_true(clock_from_seconds(1e300) < INT64_MAX / 4);
}

static void sizes_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } sizes[] = {
        {"0", 0},
        {"1", 1},
        {"0008", 8},
        {"4k", 4096},
        {"4K", 4096},
        {"4KiB", 4096},
        {"4kib", 4096},
        {"3M", UINT64_C(3) << 20},
        {"3mIB", UINT64_C(3) << 20},
        {"1G", UINT64_C(1) << 30},
        {"2T", UINT64_C(2) << 40},
        {"16777215TiB", UINT64_C(16777215) << 40},
        {"18446744073709551615", UINT64_MAX},
    };
    uint64_t size;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(parse_size(sizes[i].text, 0, UINT64_MAX, &size), 0);
        assert_true(size == sizes[i].size);
    }
}

static void what_is_no_size_is_refused(void **state)
{
    static const char *const bad[] = {"",   "k",     "iB",  "-1",  "+1",  " 1",
                                      "1 ", "1.5M",  "1e3", "1B",  "1kB", "1KiX",
                                      "1P", "1KiB ", "1KM", "0x1", "x"};
    uint64_t size = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_int_equal(parse_size(bad[i], 0, UINT64_MAX, &size), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(size, 7);
}

static void sizes_have_bounds(void **state)
{
    static const char *const outside[] = {"4095",      "3K",
                                          "0",         "65537",
                                          "65K",       "18446744073709551616",
                                          "16777216T", "999999999999999999999999G"};
    uint64_t size = 7;

    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        errno = 0;
        assert_int_equal(parse_size(outside[i], 4096, 65536, &size), -1);
        assert_int_equal(errno, ERANGE);
    }
    assert_int_equal(size, 7);
    assert_int_equal(parse_size("4096", 4096, 65536, &size), 0);
    assert_int_equal(parse_size("64K", 4096, 65536, &size), 0);
    assert_true(size == 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_order),
        cmocka_unit_test(a_text_is_cut_and_counted),
        cmocka_unit_test(a_text_in_no_memory_is_measured),
        cmocka_unit_test(the_clock_only_goes_on),
        cmocka_unit_test(the_time_of_day_is_the_systems),
        cmocka_unit_test(seconds_become_nanoseconds),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(what_is_no_size_is_refused),
        cmocka_unit_test(sizes_have_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
