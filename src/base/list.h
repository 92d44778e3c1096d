/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An intrusive list: the link is a member of the thing listed, so that joining and leaving a
 * list allocates nothing and cannot fail. A list is a ring through its head; a link that is in no
 * list points at itself, so leaving twice does no harm.
 *
 * All of it is inline: the loop asks several lists in each turn, most often in vain.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>

#include "pollspin/link.h"

/* Makes an empty head (OWNER NULL) or a link of OWNER that is in no list. */
static inline void list_init(struct loop_link *link, void *owner)
{
    link->next = link;
    link->prev = link;
    link->owner = owner;
}

/* Also says whether a link is in no list. */
static inline bool list_is_empty(const struct loop_link *head)
{
    return head->next == head;
}

/* Puts LINK, which is in no list, at the end of HEAD; before HEAD, where that is a link. */
static inline void list_append(struct loop_link *head, struct loop_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Takes LINK out of whatever list it is in. */
static inline void list_remove(struct loop_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link;
    link->prev = link;
}

/* Returns the owner of the first link, or NULL where the list is empty. */
static inline void *list_first(const struct loop_link *head)
{
    return head->next->owner;
}

/* Returns the owner of the last link, or NULL where the list is empty. */
static inline void *list_last(const struct loop_link *head)
{
    return head->prev->owner;
}

/* Takes the first link out and returns its owner, or NULL where the list is empty. */
static inline void *list_take_first(struct loop_link *head)
{
    struct loop_link *first = head->next;

    list_remove(first);
    return first->owner;
}

/* Makes HEAD the head of all that is in FROM, which is empty afterwards. */
static inline void list_take_all(struct loop_link *head, struct loop_link *from)
{
    list_init(head, NULL);
    list_append(from, head);
    list_remove(from);
}

#endif
