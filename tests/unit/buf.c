/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue against a naive one: an array that is moved with each take.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "kit/kit.h"
#include "kit/random.h"

enum { MAX = 20000, STEPS = 20000, SEED = 4711 };

struct model {
    char bytes[MAX];
    size_t length;
};

static void check(const struct buf *buf, const struct model *model)
{
    assert_int_equal(buf->length, model->length);
    assert_int_equal(buf_room(buf), MAX - model->length);
    assert_int_equal(buf_is_empty(buf), model->length == 0);
    assert_true(buf->start + buf->length <= buf->capacity);
    assert_int_equal(buf->bytes == NULL,
                     model->length == 0); /* memory only while there are bytes */
    assert_true(buf->capacity <= (size_t)4 * MAX);
    if (model->length > 0)
        assert_memory_equal(buf_peek(buf), model->bytes, model->length);
    else
        assert_null(buf_peek(buf));
}

static void add(struct buf *buf, struct model *model, uint32_t *seed)
{
    char bytes[3000];
    size_t n = kit_random(seed, sizeof bytes);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)kit_random(seed, 256);
    if (n > MAX - model->length) {
        assert_int_equal(buf_add(buf, bytes, n), -1);
        assert_int_equal(errno, ENOBUFS);
        return;
    }
    assert_int_equal(buf_add(buf, bytes, n), 0);
    memcpy(model->bytes + model->length, bytes, n);
    model->length += n;
}

static void take(struct buf *buf, struct model *model, uint32_t *seed)
{
    size_t n = kit_random(seed, (uint32_t)model->length + 1);

    if (kit_random(seed, 8) == 0)
        n = model->length;
    buf_take(buf, n);
    memmove(model->bytes, model->bytes + n, model->length - n);
    model->length -= n;
}

static void random_operations(void **state)
{
    static struct model model;
    uint32_t seed = SEED;
    struct buf buf;

    (void)state;
    print_message("seed %d\n", SEED);
    buf_init(&buf, MAX);
    for (int i = 0; i < STEPS; i++) {
        if (kit_random(&seed, 2) == 0)
            add(&buf, &model, &seed);
        else
            take(&buf, &model, &seed);
        check(&buf, &model);
    }
    buf_fini(&buf);
}

static void the_bound_is_exact(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 3);
    assert_int_equal(buf_add(&buf, "abc", 3), 0);
    assert_int_equal(buf_add(&buf, "d", 1), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(buf_add(&buf, NULL, 0), 0);
    assert_int_equal(buf_add(&buf, "", SIZE_MAX), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_memory_equal(buf_peek(&buf), "abc", 3);
    buf_take(&buf, 1);
    assert_int_equal(buf_add(&buf, "d", 1), 0);
    assert_memory_equal(buf_peek(&buf), "bcd", 3);
    buf_fini(&buf);
    assert_int_equal(buf_room(&buf), 3);
    assert_int_equal(buf_add(&buf, "e", 1), 0);
    buf_fini(&buf);
}

/* A byte in and a byte out, for ever, in a queue that is never empty: memory must not grow. */
static void a_steady_flow_needs_no_more(void **state)
{
    struct buf buf;
    size_t capacity;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_add(&buf, "0123456789", 10), 0);
    capacity = buf.capacity;
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf_add(&buf, "x", 1), 0);
        buf_take(&buf, 1);
    }
    assert_int_equal(buf.capacity, capacity);
    buf_fini(&buf);
}

/* A queue is slid to the front only when that frees as much as it moves: else a nearly full one
 * would be moved as a whole for every few bytes. */
static void a_byte_is_moved_a_few_times_only(void **state)
{
    enum { QUEUED = 2000, FLOW = 100000 };
    struct buf buf;
    int slides = 0;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(buf_add(&buf, "x", 1), 0);
    for (int i = 0; i < FLOW; i++) {
        buf_take(&buf, 1);
        assert_int_equal(buf_add(&buf, "x", 1), 0);
        slides += buf.start == 0;
    }
    assert_in_range(slides, 1, 2 * FLOW / QUEUED);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(a_steady_flow_needs_no_more),
        cmocka_unit_test(a_byte_is_moved_a_few_times_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
