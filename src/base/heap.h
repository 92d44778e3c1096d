/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary heap of things that are due, the earliest on top; things due at the same time come out
 * by their order, a number from whoever puts them in. Intrusive: the node is a member of the thing.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollspin/link.h"

struct heap {
    struct loop_node **nodes;
    size_t count;
    size_t capacity;
};

#define HEAP_NOWHERE SIZE_MAX

void heap_init(struct heap *heap);

/* Frees the heap's own memory; the nodes are their owners'. */
void heap_fini(struct heap *heap);

/* Makes a node of OWNER that is in no heap. */
void heap_node_init(struct loop_node *node, void *owner);

bool heap_node_is_in(const struct loop_node *node);

/* Whether A comes out before B; in a heap or not, all that counts is due and order. */
static inline bool heap_before(const struct loop_node *a, const struct loop_node *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* Puts NODE in, or moves it, so that it comes out at DUE, and by ORDER among those of that moment.
 * Returns 0, or -1 with ENOMEM; moving a node that is in never fails. */
int heap_insert(struct heap *heap, struct loop_node *node, int64_t due, uint64_t order);

/* Takes NODE out; does nothing where it is not in. */
void heap_remove(struct heap *heap, struct loop_node *node);

/* Returns the earliest node, or NULL. */
struct loop_node *heap_top(const struct heap *heap);

#endif
