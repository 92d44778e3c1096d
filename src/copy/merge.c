/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source is read when all lines that it has brought are in the stage; the stage is written when
 * all that are ready in a turn have put in theirs, so that many small lines make one write. There
 * are only whole lines in the stage, one after another: so a write that takes a part of a line, as
 * those to a pipe may (pipe(7)), needs no thought, for nothing can come in between.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "copy/kernel.h"
#include "copy/merge.h"

enum {
    READ_MOST = 256 * 1024,
    TURN_MOST = 64 * 1024, /* bytes that one source may put in before another's turn */
    NEWLINES = 2           /* beyond the size of a buffer: of a line, and at the end */
};

static const char separator[] = {':', ' '};

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Returns how many of the N bytes are whole lines. */
static size_t whole_lines(const char *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] != '\n')
        n--;
    return n;
}

static uint64_t count_lines(const char *bytes, size_t n)
{
    const char *end = bytes + n;
    uint64_t lines = 0;

    for (; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))); bytes++)
        lines++;
    return lines;
}

/* ---- reading ---- */

static ssize_t source_read(const struct merge_source *source, char *bytes, size_t n)
{
    const struct end *end = source->end;

    switch (end->kind) {
    case END_FILE:
        return pread(end->fd, bytes, n, (off_t)(end->start + (int64_t)source->taken));
    case END_SHARED_SOCKET:
        return recv(end->fd, bytes, n, MSG_DONTWAIT);
    default:
        return read(end->fd, bytes, n);
    }
}

/* What is left of the last line gets its newline, for which there is room always. */
static void source_reach_end(struct merge_source *source, int error)
{
    source->at_end = true;
    source->error = error;
    if (source->end_at > source->lines_end)
        source->buffer[source->end_at++] = '\n';
    source->lines_end = source->end_at;
}

static void source_take(struct merge_source *source, size_t n)
{
    size_t lines = whole_lines(source->buffer + source->end_at, n);

    if (lines > 0)
        source->lines_end = source->end_at + lines;
    source->end_at += n;
    source->taken += n;
}

static void source_make_room(struct merge_source *source)
{
    size_t n = source->end_at - source->begin;

    memmove(source->buffer, source->buffer + source->begin, n);
    source->lines_end -= source->begin;
    source->begin = 0;
    source->end_at = n;
}

static void source_on_ready(void *owner, unsigned ready)
{
    struct merge_source *source = owner;
    size_t room;
    ssize_t n;

    deferred_call(&source->merge->again);
    if (ready & POLLER_INVALID) {
        source_reach_end(source, source->watch.error);
        return;
    }
    source_make_room(source);
    room = source->merge->size + 1 - source->end_at;
    n = source_read(source, source->buffer + source->end_at, least_of(room, READ_MOST));
    if (n > 0)
        source_take(source, (size_t)n);
    else if (n == 0)
        source_reach_end(source, 0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        source_reach_end(source, errno);
}

/* ---- from the buffers into the stage ---- */

/* A line of as many bytes as fit, and nothing tells that it ends there. */
static bool source_is_overlong(const struct merge_source *source)
{
    return source->lines_end == source->begin &&
           source->end_at - source->begin > source->merge->size;
}

static bool source_has_lines(const struct merge_source *source)
{
    return source->lines_end > source->begin || source_is_overlong(source);
}

static void source_skip(struct merge_source *source, size_t n)
{
    source->begin += n;
    if (source->lines_end < source->begin)
        source->lines_end = source->begin;
}

static size_t merge_room(const struct merge *merge)
{
    return merge->stage_size - merge->stage_end;
}

static void merge_put(struct merge *merge, const void *bytes, size_t n)
{
    memcpy(merge->stage + merge->stage_end, bytes, n);
    merge->stage_end += n;
}

static size_t source_label_size(const struct merge_source *source)
{
    return source->label ? source->label_length + sizeof separator : 0;
}

static void source_put_label(const struct merge_source *source)
{
    if (!source->label)
        return;
    merge_put(source->merge, source->label, source->label_length);
    merge_put(source->merge, separator, sizeof separator);
}

/* Each of these puts in what it can and returns how many bytes of the buffer that were. */
static size_t source_put_part(struct merge_source *source)
{
    struct merge *merge = source->merge;

    if (source_label_size(source) + merge->size + 1 > merge_room(merge))
        return 0;
    source_put_label(source);
    merge_put(merge, source->buffer + source->begin, merge->size);
    merge_put(merge, "\n", 1);
    return merge->size;
}

static size_t source_put_line(struct merge_source *source)
{
    const char *line = source->buffer + source->begin;
    const char *newline = memchr(line, '\n', source->lines_end - source->begin);
    size_t n = (size_t)(newline + 1 - line);

    if (source_label_size(source) + n > merge_room(source->merge))
        return 0;
    source_put_label(source);
    merge_put(source->merge, line, n);
    return n;
}

static size_t source_put_lines(struct merge_source *source)
{
    const char *lines = source->buffer + source->begin;
    size_t room = least_of(merge_room(source->merge), TURN_MOST);
    size_t n = source->lines_end - source->begin;

    if (n > room)
        n = whole_lines(lines, room);
    if (n == 0)
        return source_put_line(source); /* it may be longer than a turn */
    merge_put(source->merge, lines, n);
    return n;
}

static size_t source_put(struct merge_source *source)
{
    if (source_is_overlong(source))
        return source_put_part(source);
    return source->label ? source_put_line(source) : source_put_lines(source);
}

/* What is taken from the buffer is the beginning of a line that goes on, or the end of one. */
static void source_count_cut(struct merge_source *source)
{
    source->cut_lines += !source->is_cut;
    source->is_cut = true;
}

/* Returns whether there was room for its lines, or for as many as are a turn. */
static bool source_give(struct merge_source *source)
{
    size_t given = 0;

    while (given < TURN_MOST && source_has_lines(source)) {
        bool is_part = source_is_overlong(source);
        size_t n = source_put(source);

        if (n == 0)
            return false;
        if (is_part)
            source_count_cut(source);
        else
            source->is_cut = false;
        source_skip(source, n);
        given += n;
    }
    return true;
}

static void source_drop(struct merge_source *source)
{
    while (source_has_lines(source)) {
        bool is_part = source_is_overlong(source);
        size_t n = is_part ? source->merge->size : source->lines_end - source->begin;

        source->dropped_bytes += n;
        source->dropped_lines += is_part ? 1 : count_lines(source->buffer + source->begin, n);
        if (is_part)
            source_count_cut(source);
        else
            source->is_cut = false;
        source_skip(source, n);
    }
}

/* ---- turns ---- */

/* Gives each source a turn, and returns whether another round makes sense. Who had none for want of
 * room is the first of the next. */
static bool merge_make_round(struct merge *merge)
{
    struct merge_source *last = list_last(&merge->sources);
    struct merge_source *source = NULL;
    bool has_given = false;

    while (source != last) {
        source = list_first(&merge->sources);
        if (source_has_lines(source)) {
            if (!source_give(source))
                return false;
            has_given = true;
        }
        list_remove(&source->link);
        list_append(&merge->sources, &source->link);
    }
    return has_given;
}

static void merge_drop(struct merge *merge)
{
    const struct loop_link *link;

    for (link = merge->sources.next; link->owner; link = link->next)
        source_drop(link->owner);
}

static void source_leave(struct merge_source *source)
{
    watch_stop(&source->watch);
    deferred_stop(&source->tell);
    list_remove(&source->link);
    free(source->buffer);
    source->buffer = NULL;
    source->merge = NULL;
}

/* Lets those go that have nothing more to give; the others are read when they have given all. */
static void merge_tend(struct merge *merge)
{
    const struct loop_link *link;

    for (link = merge->sources.next; link->owner; link = link->next) {
        struct merge_source *source = link->owner;

        watch_want(&source->watch, source->at_end || source_has_lines(source) ? 0 : POLLER_IN);
        if (source->at_end && source->begin == source->end_at)
            deferred_call(&source->tell);
    }
}

/* ---- the queue ---- */

static bool merge_is_running(const struct merge *merge)
{
    return merge->fd >= 0;
}

static void merge_halt(struct merge *merge)
{
    watch_stop(&merge->watch);
    if (merge->fd >= 0)
        close(merge->fd);
    merge->fd = -1;
    free(merge->stage);
    merge->stage = NULL;
    merge->stage_size = 0;
    merge->stage_begin = 0;
    merge->stage_end = 0;
}

/* Nothing is watched any more; on_end follows. */
static void merge_end(struct merge *merge, int error)
{
    const struct loop_link *link;

    merge_halt(merge);
    merge->error = error;
    for (link = merge->sources.next; link->owner; link = link->next) {
        struct merge_source *source = link->owner;

        watch_want(&source->watch, 0);
    }
    deferred_call(&merge->again);
}

static bool merge_is_written(const struct merge *merge)
{
    return merge->stage_begin == merge->stage_end;
}

static void merge_write(struct merge *merge)
{
    ssize_t n;

    if (merge_is_written(merge))
        return;
    n = write(merge->fd, merge->stage + merge->stage_begin, merge->stage_end - merge->stage_begin);
    if (n > 0)
        merge->stage_begin += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        merge_end(merge, errno);
    if (merge_is_written(merge))
        merge->stage_begin = merge->stage_end = 0;
}

/* ---- in the loop ---- */

static bool merge_has_lines(const struct merge *merge)
{
    const struct loop_link *link;

    for (link = merge->sources.next; link->owner; link = link->next)
        if (source_has_lines(link->owner))
            return true;
    return false;
}

static void merge_go_on(struct merge *merge)
{
    if (!merge_is_written(merge) && merge->policy == SPLIT_DROP)
        merge_drop(merge);
    merge_tend(merge);
    watch_want(&merge->watch, merge_is_written(merge) ? 0 : POLLER_OUT);
    if (!merge_is_written(merge))
        return;
    if (merge->is_sealed && list_is_empty(&merge->sources))
        merge_end(merge, 0);
    else if (merge_has_lines(merge))
        deferred_call(&merge->again);
}

static void merge_step(struct merge *merge)
{
    while (!list_is_empty(&merge->sources) && merge_make_round(merge))
        continue;
    merge_write(merge);
    if (merge_is_running(merge))
        merge_go_on(merge);
}

static void merge_on_ready(void *owner, unsigned ready)
{
    struct merge *merge = owner;

    if (ready & POLLER_INVALID)
        merge_end(merge, merge->watch.error);
    else
        merge_step(merge);
}

static void merge_on_again(void *owner)
{
    struct merge *merge = owner;

    if (merge_is_running(merge))
        merge_step(merge);
    else if (merge->on_end)
        merge->on_end(merge->owner, merge->error);
}

static void source_on_tell(void *owner)
{
    struct merge_source *source = owner;
    struct merge *merge = source->merge;

    source_leave(source);
    if (merge_is_running(merge))
        deferred_call(&merge->again); /* it may have been the last */
    if (source->on_end)
        source->on_end(source->owner, source->error);
}

/* ---- for others ---- */

void merge_init(struct merge *merge, struct loop *loop, merge_fn *on_end, void *owner)
{
    *merge = (struct merge){.loop = loop, .fd = -1, .on_end = on_end, .owner = owner};
    list_init(&merge->sources, NULL);
    watch_init(&merge->watch, merge_on_ready, merge);
    deferred_init(&merge->again, loop, merge_on_again, merge);
}

/* Makes the stage hold a line with a label of LABEL bytes. */
static int merge_grow_stage(struct merge *merge, size_t label)
{
    size_t size = label + merge->size + NEWLINES;
    char *stage;

    if (size <= merge->stage_size)
        return 0;
    stage = realloc(merge->stage, size);
    if (!stage)
        return -1;
    merge->stage = stage;
    merge->stage_size = size;
    return 0;
}

/* A system that has no word for the size of a pipe has pipes all the same. */
static int merge_open_queue(struct merge *merge, size_t size, int ends[2])
{
    if (kernel_pipe(ends) < 0)
        return -1;
    if ((kernel_pipe_size(ends[1], size) >= 0 || errno == ENOSYS) &&
        merge_grow_stage(merge, 0) == 0 && watch_start(&merge->watch, merge->loop, ends[1], 0) == 0)
        return 0;
    int error = errno;

    close(ends[0]);
    close(ends[1]);
    merge_halt(merge);
    errno = error;
    return -1;
}

int merge_start(struct merge *merge, size_t queue, size_t buffer, enum split_policy policy,
                int *read_fd)
{
    int ends[2];

    assert(!merge_is_running(merge) && buffer > 0);
    merge->size = buffer;
    merge->policy = policy;
    merge->is_sealed = false;
    if (merge_open_queue(merge, queue, ends) < 0)
        return -1;
    watch_name(&merge->watch, "queue");
    merge->fd = ends[1];
    *read_fd = ends[0];
    return 0;
}

int merge_add(struct merge *merge, struct merge_source *source, struct end *end, const char *label,
              merge_source_fn *on_end, void *owner)
{
    *source = (struct merge_source){.end = end, .label = label, .on_end = on_end, .owner = owner};
    source->label_length = label ? strlen(label) : 0;
    watch_init(&source->watch, source_on_ready, source);
    deferred_init(&source->tell, merge->loop, source_on_tell, source);
    list_init(&source->link, source);
    if (!merge_is_running(merge)) {
        errno = EPIPE;
        return -1;
    }
    if (merge_grow_stage(merge, source->label_length + sizeof separator) < 0)
        return -1;
    source->buffer = malloc(merge->size + NEWLINES);
    if (!source->buffer)
        return -1;
    if (watch_start(&source->watch, merge->loop, end->fd, POLLER_IN) < 0) {
        free(source->buffer);
        source->buffer = NULL;
        return -1;
    }
    watch_name(&source->watch, "source");
    source->merge = merge;
    list_append(&merge->sources, &source->link);
    return 0;
}

void merge_seal(struct merge *merge)
{
    merge->is_sealed = true;
    if (merge_is_running(merge))
        deferred_call(&merge->again);
}

void merge_remove(struct merge_source *source)
{
    struct merge *merge = source->merge;

    if (!merge)
        return;
    source_leave(source);
    if (merge_is_running(merge))
        deferred_call(&merge->again);
}

void merge_stop(struct merge *merge)
{
    struct merge_source *source;

    merge_halt(merge);
    while ((source = list_first(&merge->sources)))
        source_leave(source);
    deferred_stop(&merge->again);
}
