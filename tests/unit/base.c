/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small ones of src/base: list, text and clock.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_order),
        cmocka_unit_test(a_text_is_cut_and_counted),
        cmocka_unit_test(a_text_in_no_memory_is_measured),
        cmocka_unit_test(the_clock_only_goes_on),
        cmocka_unit_test(the_time_of_day_is_the_systems),
        cmocka_unit_test(seconds_become_nanoseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
