/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stddef.h>

#include "base/list.h"

void list_init(struct loop_link *link, void *owner)
{
    link->next = link;
    link->prev = link;
    link->owner = owner;
}

bool list_is_empty(const struct loop_link *head)
{
    return head->next == head;
}

void list_append(struct loop_link *head, struct loop_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

void list_remove(struct loop_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link;
    link->prev = link;
}

void *list_first(const struct loop_link *head)
{
    return head->next->owner;
}

void *list_take_first(struct loop_link *head)
{
    struct loop_link *first = head->next;

    list_remove(first);
    return first->owner;
}
