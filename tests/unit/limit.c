/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token bucket, with moments that the test makes up.
 */
#include "config.h"

#include "base/clock.h"
#include "base/list.h"
#include "copy/limit.h"
#include "kit/kit.h"

#define YEAR (INT64_C(366) * 86400 * CLOCK_SECOND)

static const uint64_t everything = UINT64_MAX;

/* Takes all that may go at each limit_due from START to END. Returns how much it was. */
static uint64_t run(struct limit *limit, int64_t start, int64_t end)
{
    uint64_t gone = 0;
    int64_t now = start;

    for (; now <= end; now = limit_due(limit, now)) {
        uint64_t n = limit_allow(limit, everything, now);

        assert_true(n > 0 || now == start);
        limit_take(limit, n);
        gone += n;
        assert_true(limit_due(limit, now) > now);
    }
    return gone;
}

static void no_limit_lets_all_go(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 0, 5);
    assert_true(limit_allow(&limit, everything, 5) == everything);
    limit_take(&limit, everything);
    limit_give_back(&limit, 7);
    assert_true(limit_allow(&limit, 3, 5) == 3);
    assert_true(limit_due(&limit, 9) == 9);
}

static void it_begins_empty(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1000, 77);
    assert_int_equal(limit_allow(&limit, everything, 77), 0);
    assert_int_equal(limit_due(&limit, 77), 77 + 10 * CLOCK_MILLISECOND);
}

static void a_second_has_a_second_s_worth(void **state)
{
    static const uint64_t rates[] = {1,
                                     2,
                                     3,
                                     7,
                                     9,
                                     10,
                                     99,
                                     100,
                                     101,
                                     1000,
                                     123457,
                                     1000000000,
                                     999999999,
                                     UINT32_MAX,
                                     UINT64_C(1) << 33,
                                     1000003,
                                     UINT64_C(1) << 60};

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct limit limit;
        uint64_t gone;

        limit_init(&limit, rates[i], 12345);
        gone = run(&limit, 12345, 12345 + 10 * CLOCK_SECOND);
        assert_true(gone <= 10 * rates[i]);
        assert_true(gone + rates[i] / 50 + 1 >= 10 * rates[i]);
    }
}

static void what_is_late_is_made_good_up_to_a_tenth(void **state)
{
    struct limit limit;
    const int64_t late = 95 * CLOCK_MILLISECOND;

    (void)state;
    limit_init(&limit, 1000, 0);
    for (int64_t now = late; now <= 20 * late; now += late) {
        assert_int_equal(limit_allow(&limit, everything, now), 95);
        limit_take(&limit, 95);
    }
    assert_int_equal(limit_allow(&limit, everything, 20 * late + 3 * CLOCK_SECOND), 100);
}

static void a_pause_of_years_is_a_tenth_of_a_second(void **state)
{
    static const int64_t pauses[] = {CLOCK_SECOND - 1, CLOCK_SECOND, YEAR, 200 * YEAR, INT64_MAX};
    static const uint64_t rates[] = {1, 1000, UINT64_C(1) << 60, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++)
        for (size_t j = 1; j < sizeof rates / sizeof rates[0]; j++) {
            struct limit limit;

            limit_init(&limit, rates[j], 0);
            assert_true(limit_allow(&limit, everything, pauses[i]) == rates[j] / 10);
        }
}

static void one_byte_a_second(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1, 0);
    assert_int_equal(limit_due(&limit, 0), CLOCK_SECOND);
    assert_int_equal(limit_allow(&limit, 10, CLOCK_SECOND - 1), 0);
    assert_int_equal(limit_due(&limit, CLOCK_SECOND - 1), CLOCK_SECOND);
    assert_int_equal(limit_allow(&limit, 10, CLOCK_SECOND), 1);
    assert_int_equal(limit_allow(&limit, 10, 100 * CLOCK_SECOND), 1);
}

/* However often it is asked in between, no part of a byte is lost or won. */
static void parts_of_a_byte_are_carried_over(void **state)
{
    struct limit limit;
    uint64_t gone = 0;

    (void)state;
    limit_init(&limit, 999, 0);
    for (int64_t now = 0; now <= 10 * CLOCK_SECOND; now += 100 * CLOCK_MICROSECOND) {
        uint64_t n = limit_allow(&limit, 20, now);

        limit_take(&limit, n);
        gone += n;
    }
    assert_in_range(gone, 9980, 9990);
}

static void little_is_not_worth_it_unless_less_is_wanted(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 10000, 0);
    assert_int_equal(limit_allow(&limit, 1000, 5 * CLOCK_MILLISECOND), 0);
    assert_int_equal(limit_allow(&limit, 30, 5 * CLOCK_MILLISECOND), 30);
    assert_int_equal(limit_due(&limit, 5 * CLOCK_MILLISECOND), 10 * CLOCK_MILLISECOND);
    assert_int_equal(limit_allow(&limit, 1000, 10 * CLOCK_MILLISECOND), 100);
    assert_int_equal(limit_due(&limit, 10 * CLOCK_MILLISECOND), 10 * CLOCK_MILLISECOND);
}

static void what_did_not_go_can_go_later(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 10000, 0);
    assert_int_equal(limit_allow(&limit, 1000, CLOCK_SECOND), 1000);
    limit_take(&limit, 1000);
    limit_give_back(&limit, 400);
    assert_int_equal(limit_allow(&limit, 1000, CLOCK_SECOND), 400);
    limit_give_back(&limit, 5000);
    assert_int_equal(limit_allow(&limit, 9000, CLOCK_SECOND), 1000);
}

static void a_clock_that_stands_gives_nothing(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1000, CLOCK_SECOND);
    assert_int_equal(limit_allow(&limit, 1000, 0), 0);
    assert_int_equal(limit_allow(&limit, 1000, CLOCK_SECOND), 0);
    assert_int_equal(limit_allow(&limit, 1000, CLOCK_SECOND + 10 * CLOCK_MILLISECOND), 10);
}

static void nobody_waits_for_it_at_first(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1, 0);
    assert_true(list_is_empty(&limit.queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_lets_all_go),
        cmocka_unit_test(it_begins_empty),
        cmocka_unit_test(a_second_has_a_second_s_worth),
        cmocka_unit_test(what_is_late_is_made_good_up_to_a_tenth),
        cmocka_unit_test(a_pause_of_years_is_a_tenth_of_a_second),
        cmocka_unit_test(one_byte_a_second),
        cmocka_unit_test(parts_of_a_byte_are_carried_over),
        cmocka_unit_test(little_is_not_worth_it_unless_less_is_wanted),
        cmocka_unit_test(what_did_not_go_can_go_later),
        cmocka_unit_test(a_clock_that_stands_gives_nothing),
        cmocka_unit_test(nobody_waits_for_it_at_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
