/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loop keeps inside its owners' structs: a place in a list, and a place in a heap. They
 * are here so that a struct watch has a size; what is in them is the library's own.
 */
#ifndef POLLSPIN_LINK_H
#define POLLSPIN_LINK_H

#include <stddef.h>
#include <stdint.h>

struct loop_link {
    struct loop_link *next;
    struct loop_link *prev;
    void *owner; /* the thing that this link is a member of; NULL in a head */
};

struct loop_node {
    int64_t due;    /* the key */
    uint64_t order; /* which setting it was: breaks ties */
    size_t index;   /* its place, or SIZE_MAX where it is in no heap */
    void *owner;    /* the thing that this node is a member of */
};

#endif
