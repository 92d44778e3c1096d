/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a descriptor is has to be known as it was at the call, for a number is used again soon. So
 * each call that is kept with its text holds the names of that moment; calls between which nothing
 * changed share them. One surprise: at its EPOLL_CTL_ADD a descriptor has no name yet, and at its
 * EPOLL_CTL_DEL it may have none any more, hence the look at the calls before and after.
 *
 * A text takes as much memory as the longest one that stood in its place.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "poller/names.h"
#include "ui/ring.h"

enum { WATCHED_NAME = 96 /* bytes of one descriptor's name */ };

/* The descriptors at one moment: for each its number as an int, and its name with a NUL. */
struct ring_names {
    unsigned users;
    size_t length;
    char bytes[];
};

static void names_release(struct ring_names *names)
{
    if (names && --names->users == 0)
        free(names);
}

void ring_init(struct ring *ring, const struct loop *loop)
{
    ring->loop = loop;
}

void ring_fini(struct ring *ring)
{
    for (size_t i = 0; i < RING_CALLS; i++) {
        names_release(ring->calls[i].names);
        free(ring->calls[i].text);
    }
}

uint64_t ring_oldest(const struct ring *ring)
{
    return ring->count > RING_CALLS ? ring->count - RING_CALLS : 0;
}

const struct ring_call *ring_get(const struct ring *ring, uint64_t number)
{
    if (number < ring_oldest(ring) || number >= ring->count)
        return NULL;
    return &ring->calls[number % RING_CALLS];
}

/* ---- names of descriptors ---- */

/* What is gathered of the watches. */
struct gathering {
    char *bytes;
    size_t length;
};

static void gather_name(void *context, const struct watch *watch)
{
    struct gathering *gathering = context;
    const char *name = watch->name ? watch->name : "";
    size_t n = strnlen(name, WATCHED_NAME - 1);

    if (gathering->length + sizeof watch->fd + n + 1 > RING_NAMES)
        return;
    memcpy(gathering->bytes + gathering->length, &watch->fd, sizeof watch->fd);
    gathering->length += sizeof watch->fd;
    memcpy(gathering->bytes + gathering->length, name, n);
    gathering->length += n;
    gathering->bytes[gathering->length++] = '\0';
}

/* Returns the names of this moment, for one user: those of BEFORE where they are the same. NULL
 * where memory is out. */
static struct ring_names *names_take(struct ring *ring, struct ring_names *before)
{
    struct gathering gathering = {.bytes = ring->scratch};
    struct ring_names *names = before;

    loop_each_watch(ring->loop, gather_name, &gathering);
    if (!before || before->length != gathering.length ||
        memcmp(before->bytes, gathering.bytes, gathering.length) != 0) {
        names = malloc(sizeof *names + gathering.length);
        if (!names)
            return NULL;
        names->users = 0;
        names->length = gathering.length;
        memcpy(names->bytes, gathering.bytes, gathering.length);
    }
    names->users++;
    return names;
}

/* Returns the name of FD, "" where it was there without one, NULL where it was not. */
static const char *names_find(const struct ring_names *names, int fd)
{
    size_t at = 0;
    int found;

    while (names && at < names->length) {
        memcpy(&found, names->bytes + at, sizeof found);
        at += sizeof found;
        if (found == fd)
            return names->bytes + at;
        at += strlen(names->bytes + at) + 1;
    }
    return NULL;
}

/* Who is looked for among the watches, and its name. */
struct match {
    int fd;
    const char *name;
};

static void match_name(void *context, const struct watch *watch)
{
    struct match *match = context;

    if (watch->fd == match->fd)
        match->name = watch->name;
}

/* Returns the name that FD got after the call NUMBER, before it was gone again; that may be only
 * now, when nobody has waited since. NULL for none. */
static const char *name_after(const struct ring *ring, uint64_t number, int fd)
{
    struct match match = {.fd = fd};
    bool was_there = false;
    bool has_waited = false;

    for (; number < ring->count; number++) {
        const struct ring_call *call = ring_get(ring, number);
        const char *name = call ? names_find(call->names, fd) : NULL;

        if (name && *name != '\0')
            return name;
        if (was_there && !name)
            return NULL;
        was_there = was_there || name;
        has_waited = has_waited || (call && call->is_wait);
    }
    if (!has_waited)
        loop_each_watch(ring->loop, match_name, &match);
    return match.name;
}

const char *ring_name(const struct ring *ring, uint64_t number, int fd)
{
    const struct ring_call *call = ring_get(ring, number);
    const struct ring_call *before = ring_get(ring, number - 1);
    const char *name = call ? names_find(call->names, fd) : NULL;

    if ((!name || *name == '\0') && before)
        name = names_find(before->names, fd);
    return name && *name != '\0' ? name : name_after(ring, number, fd);
}

/* ---- keeping a call ---- */

/* Returns how many bytes of the end of a call's text are the time that it took: " <0.050110>". */
static size_t tail_length(const char *text, size_t n)
{
    enum { LONGEST = 32 };

    for (size_t length = 2; length <= n && length <= LONGEST; length++)
        if (memcmp(text + n - length, " <", 2) == 0)
            return length;
    return 0;
}

static void call_keep_text(struct ring_call *call, const char *text, size_t n)
{
    size_t tail = 0;
    size_t whole = n;

    if (n >= RING_TEXT) {
        tail = tail_length(text, n);
        n = RING_TEXT - 1;
    }
    if (n > call->capacity) {
        char *bigger = realloc(call->text, n);

        if (!bigger)
            return;
        call->text = bigger;
        call->capacity = n;
    }
    memcpy(call->text, text, n);
    call->length = n;
    if (whole > n) {
        memcpy(call->text + n - tail - 3, "...", 3);
        memcpy(call->text + n - tail, text + whole - tail, tail);
    }
}

/* Takes the place of the oldest call. */
static struct ring_call *ring_next(struct ring *ring)
{
    struct ring_call *call = &ring->calls[ring->count++ % RING_CALLS];

    names_release(call->names);
    call->names = NULL;
    call->length = 0;
    call->did.count = 0;
    call->did.used = 0;
    call->did.is_cut = false;
    return call;
}

void ring_add(struct ring *ring, const struct poller_call *call, const char *text, size_t n)
{
    const struct ring_call *before = ring_get(ring, ring->count - 1);
    struct ring_names *names = before ? before->names : NULL;
    struct ring_call *next = ring_next(ring);

    strncpy(next->name, call->name, sizeof next->name - 1);
    next->is_wait = call->is_wait;
    next->result = call->result;
    next->error = call->error;
    next->told = call->told;
    next->took_ns = call->end_ns - call->begin_ns;
    if (!text)
        return;
    next->names = names_take(ring, names);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0)
        call_keep_text(next, text, n);
}

void ring_add_line(const struct ring_call *call, struct text *text)
{
    long long took = call->took_ns / CLOCK_MICROSECOND;

    if (call->length > 0) {
        text_add(text, "%.*s", (int)call->length, call->text);
        return;
    }
    text_add(text, "%s(...)", call->name);
    names_add_result(text, call->result, call->error);
    text_add(text, " <%lld.%06lld>", took / 1000000, took % 1000000);
}

/* ---- what was done ---- */

/* Returns whether CLAUSE was done already, and counts it then. */
static bool did_again(struct ring_did *did, const char *clause)
{
    for (unsigned i = 0; i < did->count; i++)
        if (strcmp(did->text + did->at[i], clause) == 0) {
            did->times[i]++;
            return true;
        }
    return false;
}

static void did_add(struct ring_did *did, const char *clause, size_t n)
{
    size_t room = sizeof did->text - did->used;

    if (did->count == RING_CLAUSES || n >= room) {
        did->is_cut = true;
        return;
    }
    memcpy(did->text + did->used, clause, n + 1);
    did->at[did->count] = (uint16_t)did->used;
    did->times[did->count++] = 1;
    did->used += n + 1;
}

void ring_did(struct ring *ring, uint64_t number, const char *clause)
{
    struct ring_did *did = &ring->calls[number % RING_CALLS].did;

    if (ring_get(ring, number) && !did_again(did, clause))
        did_add(did, clause, strlen(clause));
}

void ring_add_did(const struct ring_call *call, struct text *text)
{
    const struct ring_did *did = &call->did;

    if (did->count == 0)
        return;
    text_add(text, " The program");
    for (unsigned i = 0; i < did->count; i++) {
        text_add(text, "%s %s", i > 0 ? ";" : "", did->text + did->at[i]);
        if (did->times[i] > 1)
            text_add(text, " (%u times)", did->times[i]);
    }
    text_add(text, "%s.", did->is_cut ? "; and more" : "");
}
