/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>

#include "base/heap.h"

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_fini(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap);
}

void heap_node_init(struct loop_node *node, void *owner)
{
    *node = (struct loop_node){.index = HEAP_NOWHERE, .owner = owner};
}

bool heap_node_is_in(const struct loop_node *node)
{
    return node->index != HEAP_NOWHERE;
}

static void heap_place(struct heap *heap, size_t index, struct loop_node *node)
{
    heap->nodes[index] = node;
    node->index = index;
}

/* Moves NODE, which belongs at INDEX or above, to where it belongs. */
static void heap_rise(struct heap *heap, size_t index, struct loop_node *node)
{
    while (index > 0 && heap_before(node, heap->nodes[(index - 1) / 2])) {
        heap_place(heap, index, heap->nodes[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_place(heap, index, node);
}

/* Moves NODE, which belongs at INDEX or below, to where it belongs. */
static void heap_sink(struct heap *heap, size_t index, struct loop_node *node)
{
    size_t child;

    while ((child = 2 * index + 1) < heap->count) {
        if (child + 1 < heap->count && heap_before(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!heap_before(heap->nodes[child], node))
            break;
        heap_place(heap, index, heap->nodes[child]);
        index = child;
    }
    heap_place(heap, index, node);
}

static void heap_settle(struct heap *heap, size_t index, struct loop_node *node)
{
    if (index > 0 && heap_before(node, heap->nodes[(index - 1) / 2]))
        heap_rise(heap, index, node);
    else
        heap_sink(heap, index, node);
}

static int heap_grow(struct heap *heap)
{
    size_t capacity = heap->capacity ? 2 * heap->capacity : 16;
    struct loop_node **nodes = realloc(heap->nodes, capacity * sizeof *nodes);

    if (!nodes)
        return -1;
    heap->nodes = nodes;
    heap->capacity = capacity;
    return 0;
}

int heap_insert(struct heap *heap, struct loop_node *node, int64_t due, uint64_t order)
{
    if (!heap_node_is_in(node)) {
        if (heap->count == heap->capacity && heap_grow(heap) < 0)
            return -1;
        node->index = heap->count++;
    }
    node->due = due;
    node->order = order;
    heap_settle(heap, node->index, node);
    return 0;
}

void heap_remove(struct heap *heap, struct loop_node *node)
{
    struct loop_node *last;
    size_t hole = node->index;

    if (!heap_node_is_in(node))
        return;
    node->index = HEAP_NOWHERE;
    last = heap->nodes[--heap->count];
    if (last != node)
        heap_settle(heap, hole, last);
}

struct loop_node *heap_top(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}
