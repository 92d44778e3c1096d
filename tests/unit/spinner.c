/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <locale.h>
#include <string.h>

#include "base/sanitize.h"
#include "kit/kit.h"
#include "ui/spinner.h"

static void use_locale(const char *name)
{
    if (!setlocale(LC_CTYPE, name))
        kit_skip("this system has no such locale");
}

static void the_classic_bar_walks_to_and_fro(void **state)
{
    const struct spinner *classic = spinner_list(0);

    (void)state;
    assert_string_equal(classic->name, "classic");
    assert_int_equal(classic->count, 18);
    assert_string_equal(spinner_frame(classic, 4), "....|.....");
    for (uint64_t i = 0; i < 40; i++) {
        const char *frame = spinner_frame(classic, i);
        size_t place = i % 18 < 10 ? i % 18 : 18 - i % 18;

        assert_int_equal(strlen(frame), 10);
        assert_int_equal(strchr(frame, '|') - frame, place);
        assert_int_equal(strspn(frame, ".") + strspn(strchr(frame, '|') + 1, "."), 9);
    }
}

static void frames_of_one_spinner_are_equally_wide(void **state)
{
    const struct spinner *spinner;

    (void)state;
    use_locale("C.UTF-8");
    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        for (size_t k = 0; k < spinner->count; k++) {
            const char *frame = spinner_frame(spinner, k);

            assert_int_equal(sanitize_width(frame, strlen(frame)), spinner->columns);
        }
}

/* What is sanitized and stays as it is holds no control and no invisible character. */
static void frames_are_plain_text(void **state)
{
    const struct spinner *spinner;

    (void)state;
    use_locale("C.UTF-8");
    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        for (size_t k = 0; k < spinner->count; k++) {
            const char *frame = spinner_frame(spinner, k);
            size_t n = strlen(frame);
            char out[SANITIZE_GROWTH * 64];
            struct sanitize sanitize;

            sanitize_init(&sanitize);
            assert_true(n < 32);
            assert_int_equal(sanitize_bytes(&sanitize, frame, n, out), n);
            assert_memory_equal(out, frame, n);
        }
}

static bool is_ascii(const struct spinner *spinner)
{
    for (size_t k = 0; k < spinner->count; k++)
        for (const char *c = spinner_frame(spinner, k); *c; c++)
            if ((unsigned char)*c >= 0x80)
                return false;
    return true;
}

static void the_table_is_complete_and_found_by_name(void **state)
{
    const struct spinner *spinner;
    size_t i;

    (void)state;
    for (i = 0; (spinner = spinner_list(i)); i++) {
        assert_ptr_equal(spinner_find(spinner->name), spinner);
        assert_true(strlen(spinner->summary) > 0);
        assert_true(spinner->count > 1);
        assert_int_equal(spinner->is_unicode, !is_ascii(spinner));
    }
    assert_true(i >= 14);
    assert_null(spinner_list(i + 1));
    assert_null(spinner_find("no such spinner"));
    assert_null(spinner_find(""));
}

static void another_locale_gets_the_classic_one(void **state)
{
    const struct spinner *spinner;

    (void)state;
    use_locale("C");
    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        assert_ptr_equal(spinner_for_locale(spinner),
                         spinner->is_unicode ? spinner_list(0) : spinner);
    use_locale("C.UTF-8");
    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        assert_ptr_equal(spinner_for_locale(spinner), spinner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classic_bar_walks_to_and_fro),
        cmocka_unit_test(frames_of_one_spinner_are_equally_wide),
        cmocka_unit_test(frames_are_plain_text),
        cmocka_unit_test(the_table_is_complete_and_found_by_name),
        cmocka_unit_test(another_locale_gets_the_classic_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
