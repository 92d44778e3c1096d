/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding two of the same among thousands: everything gets a key, the keys are sorted, and what is
 * the same lies side by side. Among equals sources come first, then all is as it was given: so
 * each has only to be compared with the one before it.
 *
 * Two device files may be one block device: it is the device's own number that tells (stat(2),
 * st_rdev). A socket has a number of its own on Linux (stat(2), st_ino); where it has not it is 0,
 * and tells nothing.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "copy/replace.h"
#include "copy/same.h"

enum same_kind { SAME_FILE, SAME_PIPE, SAME_BLOCK, SAME_NAME, SAME_SOCKET };

struct same_key {
    const struct place *place;
    size_t index; /* sources first */
    bool is_dest;
    enum same_kind kind;
    dev_t device; /* SAME_NAME: of its folder */
    ino_t inode;
    const char *name; /* within resolved; "" but for SAME_NAME */
    char *resolved;   /* owned; NULL but for SAME_NAME */
};

struct same_keys {
    struct same_key *keys;
    size_t count;
};

/* Returns whether it matters that what STATUS is of is given twice. A socket that is named by its
 * path is connected to anew each time. */
static bool same_key_of_file(struct same_key *key, const struct stat *status)
{
    key->device = status->st_dev;
    key->inode = status->st_ino;
    switch (status->st_mode & S_IFMT) {
    case S_IFREG:
        key->kind = SAME_FILE;
        return true;
    case S_IFIFO:
        key->kind = SAME_PIPE;
        return true;
    case S_IFBLK:
        key->kind = SAME_BLOCK;
        key->device = status->st_rdev;
        key->inode = 0;
        return true;
    case S_IFSOCK:
        key->kind = SAME_SOCKET;
        return key->place->kind == PLACE_FD && status->st_ino != 0;
    default: /* folders too: they cannot be opened */
        return false;
    }
}

/* Looks at the folder of the resolved name. Returns 1, 0: it is none; or -1 with ENOMEM. */
static int same_key_of_folder(struct same_key *key)
{
    size_t length = (size_t)(key->name - key->resolved);
    char *folder = length > 0 ? strndup(key->resolved, length) : strdup(".");
    struct stat status = {0};
    bool found;

    if (!folder)
        return -1;
    found = stat(folder, &status) == 0;
    free(folder);
    key->kind = SAME_NAME;
    key->device = status.st_dev;
    key->inode = status.st_ino;
    return found;
}

/* The same for a name that nothing has yet. */
static int same_key_of_name(struct same_key *key, const char *path)
{
    int found;

    key->resolved = replace_resolve(path);
    if (!key->resolved)
        return errno == ENOMEM ? -1 : 0;
    key->name = replace_last_part(key->resolved);
    found = same_key_of_folder(key);
    if (found > 0)
        return 1;
    free(key->resolved);
    return found;
}

/* Returns 1, 0: it is the same as no other; or -1 with ENOMEM. */
static int same_key_of(struct same_key *key, const struct place *place)
{
    struct stat status;

    if (place->kind == PLACE_FD)
        return fstat(place->fd, &status) == 0 && same_key_of_file(key, &status);
    if (place->kind != PLACE_PATH)
        return 0;
    if (stat(place->path, &status) == 0)
        return same_key_of_file(key, &status);
    return errno == ENOENT ? same_key_of_name(key, place->path) : 0;
}

static int same_add(struct same_keys *all, const struct place *places, size_t count, bool is_dest)
{
    for (size_t i = 0; i < count; i++) {
        struct same_key key = {
            .place = &places[i], .index = all->count, .is_dest = is_dest, .name = ""};
        int found = same_key_of(&key, &places[i]);

        if (found < 0)
            return -1;
        if (found > 0)
            all->keys[all->count++] = key;
    }
    return 0;
}

static int same_compare(const struct same_key *a, const struct same_key *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int same_order(const void *left, const void *right)
{
    const struct same_key *a = left;
    const struct same_key *b = right;
    int order = same_compare(a, b);

    if (order != 0)
        return order;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* B comes behind A. What goes into a socket does not come out of it again. */
static bool same_is_wrong(const struct same_key *a, const struct same_key *b)
{
    if (same_compare(a, b) != 0)
        return false;
    if (b->kind == SAME_SOCKET)
        return a->is_dest == b->is_dest;
    return b->is_dest || b->kind == SAME_PIPE;
}

/* Returns the second of the two that are the same, the first is before it: of those that are wrong
 * the one that was given first. NULL where none is. */
static const struct same_key *same_find(const struct same_keys *all)
{
    const struct same_key *found = NULL;

    for (size_t i = 1; i < all->count; i++) {
        const struct same_key *key = &all->keys[i];

        if (same_is_wrong(key - 1, key) && (!found || key->index < found->index))
            found = key;
    }
    return found;
}

static const char *same_name(const struct same_key *key)
{
    if (strcmp(key->place->text, "-") == 0)
        return key->is_dest ? "standard output" : "standard input";
    return key->place->text;
}

static const char *same_why(const struct same_key *a, const struct same_key *b)
{
    if (a->is_dest)
        return "each destination can be given once";
    if (!b->is_dest)
        return "each of them would get a part of what is in it";
    return b->kind == SAME_PIPE ? "what is written would be read again"
                                : "what is to be read would be overwritten";
}

static void same_tell(const struct same_key *a, const struct same_key *b, char *text, size_t size)
{
    static const char *const nouns[] = {"file", "pipe", "device", "file", "socket"};

    snprintf(text, size, "%s and %s are the same %s; %s", same_name(a), same_name(b),
             nouns[b->kind], same_why(a, b));
}

static void same_free(struct same_keys *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->keys[i].resolved);
    free(all->keys);
}

int same_check(const struct place *sources, size_t source_count, const struct place *dests,
               size_t dest_count, char *text, size_t size)
{
    struct same_keys all = {.keys = calloc(source_count + dest_count + 1, sizeof *all.keys)};
    const struct same_key *found = NULL;
    int error = ENOMEM;

    if (all.keys && same_add(&all, sources, source_count, false) == 0 &&
        same_add(&all, dests, dest_count, true) == 0) {
        qsort(all.keys, all.count, sizeof *all.keys, same_order);
        found = same_find(&all);
        error = 0;
    }
    if (found)
        same_tell(found - 1, found, text, size);
    same_free(&all);
    errno = error;
    return found || error ? -1 : 0;
}
