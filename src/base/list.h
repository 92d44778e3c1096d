/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An intrusive list: the link is a member of the thing listed, so that joining and leaving a
 * list allocates nothing and cannot fail. A list is a ring through its head; a link that is in no
 * list points at itself, so leaving twice does no harm.
 */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>

#include "pollspin/link.h"

/* Makes an empty head (OWNER NULL) or a link of OWNER that is in no list. */
void list_init(struct loop_link *link, void *owner);

bool list_is_empty(const struct loop_link *head);

/* Puts LINK, which is in no list, at the end of HEAD. */
void list_append(struct loop_link *head, struct loop_link *link);

/* Takes LINK out of whatever list it is in. */
void list_remove(struct loop_link *link);

/* Returns the owner of the first link, or NULL where the list is empty. */
void *list_first(const struct loop_link *head);

/* Takes the first link out and returns its owner, or NULL where the list is empty. */
void *list_take_first(struct loop_link *head);

#endif
