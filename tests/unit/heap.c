/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap against a naive one: all that is in, searched for the earliest.
 */
#include "config.h"

#include "base/heap.h"
#include "kit/kit.h"
#include "kit/random.h"

enum { THINGS = 200, STEPS = 50000, SEED = 1848 };

struct thing {
    struct loop_node node;
    bool is_in;
    int64_t due;
    uint64_t order;
};

struct model {
    struct heap heap;
    struct thing things[THINGS];
    uint64_t orders;
    uint32_t seed;
};

/* Nobody is before its parent, and each knows its place. */
static void check(const struct model *model)
{
    const struct heap *heap = &model->heap;
    size_t count = 0;

    for (size_t i = 0; i < heap->count; i++) {
        const struct loop_node *node = heap->nodes[i];
        const struct loop_node *parent = heap->nodes[i > 0 ? (i - 1) / 2 : 0];

        assert_int_equal(node->index, i);
        assert_false(heap_before(node, parent));
    }
    for (int i = 0; i < THINGS; i++) {
        assert_int_equal(heap_node_is_in(&model->things[i].node), model->things[i].is_in);
        count += model->things[i].is_in;
    }
    assert_int_equal(heap->count, count);
}

static struct thing *earliest(struct model *model)
{
    struct thing *first = NULL;

    for (int i = 0; i < THINGS; i++) {
        struct thing *thing = &model->things[i];

        if (thing->is_in && (!first || thing->due < first->due ||
                             (thing->due == first->due && thing->order < first->order)))
            first = thing;
    }
    return first;
}

static void insert(struct model *model, struct thing *thing)
{
    thing->due = (int64_t)kit_random(&model->seed, 50) - 10; /* few, so that many are equal */
    thing->order = model->orders++;
    thing->is_in = true;
    assert_int_equal(heap_insert(&model->heap, &thing->node, thing->due, thing->order), 0);
    assert_int_equal(thing->node.due, thing->due);
    assert_int_equal(thing->node.order, thing->order);
}

static void step(struct model *model)
{
    struct thing *thing = &model->things[kit_random(&model->seed, THINGS)];

    switch (kit_random(&model->seed, 4)) {
    case 0:
        heap_remove(&model->heap, &thing->node);
        thing->is_in = false;
        break;
    case 1:
        thing = earliest(model);
        assert_ptr_equal(heap_top(&model->heap), thing ? &thing->node : NULL);
        if (thing) {
            heap_remove(&model->heap, &thing->node);
            thing->is_in = false;
        }
        break;
    default:
        insert(model, thing);
    }
}

static void random_operations(void **state)
{
    static struct model model = {.seed = SEED};
    struct thing *thing;

    (void)state;
    print_message("seed %d\n", SEED);
    heap_init(&model.heap);
    for (int i = 0; i < THINGS; i++)
        heap_node_init(&model.things[i].node, &model.things[i]);
    for (int i = 0; i < STEPS; i++) {
        step(&model);
        if (i % 16 == 0)
            check(&model);
    }
    while ((thing = earliest(&model))) { /* and all of it in order */
        assert_ptr_equal(heap_top(&model.heap)->owner, thing);
        heap_remove(&model.heap, &thing->node);
        thing->is_in = false;
    }
    assert_null(heap_top(&model.heap));
    heap_fini(&model.heap);
}

static void the_extremes_of_time(void **state)
{
    struct heap heap;
    struct loop_node late, early, middle;

    (void)state;
    heap_init(&heap);
    heap_node_init(&late, NULL);
    heap_node_init(&early, NULL);
    heap_node_init(&middle, NULL);
    heap_insert(&heap, &late, INT64_MAX, 0);
    heap_insert(&heap, &early, INT64_MIN, 1);
    heap_insert(&heap, &middle, 0, 2);
    assert_ptr_equal(heap_top(&heap), &early);
    heap_insert(&heap, &early, INT64_MAX, 3); /* moved behind its equal */
    assert_ptr_equal(heap_top(&heap), &middle);
    heap_remove(&heap, &middle);
    assert_ptr_equal(heap_top(&heap), &late);
    heap_insert(&heap, &early, INT64_MAX, UINT64_MAX);
    heap_insert(&heap, &late, INT64_MAX, UINT64_MAX - 1);
    assert_ptr_equal(heap_top(&heap), &late);
    heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(the_extremes_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
