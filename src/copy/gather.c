/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wiring of a gathering. A source is over when its stream has ended and the merge has passed on
 * all that it brought; the last of them seals the queue's end, and the outlet ends when it is
 * empty.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "copy/gather.h"
#include "copy/kernel.h"

/* ---- what ends ---- */

static void source_ended(struct stream *stream, enum stream_end how, int error, const char *why)
{
    struct gather *gather = stream->owner;

    gather->options.on_source_end(stream, how, error, why);
}

/* ERROR is that of a pipe of our own, or of who watches it: what is in there is lost. */
static void source_merged(void *owner, int error)
{
    struct end *stage = owner;
    struct gather *gather = stage->owner;
    size_t index = (size_t)(stage - gather->stages);

    end_close(stage, -1);
    gather->options.on_source_merged(gather->options.owner, index, error);
}

static void outlet_ended(struct stream *outlet, enum stream_end how, int error, const char *why)
{
    struct gather *gather = outlet->owner;

    gather->options.on_outlet_end(outlet, how, error, why);
}

static void outlet_news(struct stream *outlet, enum copy_event_kind kind)
{
    struct gather *gather = outlet->owner;

    gather->options.on_outlet_news(outlet, kind);
}

/* Without a queue there is nothing to merge into; why, the outlet tells. */
static void merge_ended(void *owner, int error)
{
    struct gather *gather = owner;

    if (error == 0)
        return;
    stream_doom(&gather->outlet); /* which would take it for the end */
    for (size_t i = 0; i < gather->count; i++)
        stream_stop(&gather->streams[i]);
}

/* ---- beginning ---- */

static void stage_opened(void *owner, int error, const char *why)
{
    (void)owner, (void)error, (void)why; /* it is adopted */
}

static void init_streams(struct gather *gather)
{
    const struct copy_options *copy = gather->options.copy;
    struct stream_options options = {
        .pump = {.buffer = copy->buffer, .stall_ns = -1},
        .pipe_size = gather->options.pipe_size,
        .follows = copy->follows,
        .on_end = source_ended,
        .on_news = gather->options.on_source_news,
    };

    for (size_t i = 0; i < gather->count; i++) {
        stream_init(&gather->streams[i], gather->loop, gather->options.crew, &options, gather);
        gather->streams[i].index = i;
        end_init(&gather->stages[i], gather->loop, true, stage_opened, gather);
    }
}

int gather_init(struct gather *gather, struct loop *loop, const struct gather_options *options,
                struct stream *streams, size_t count)
{
    struct stream_options outlet = {
        .pump = {.buffer = options->copy->buffer,
                 .rate = options->copy->rate,
                 .total = options->total,
                 .stall_ns = copy_patience(options->copy)},
        .flags = options->copy->flags,
        .pipe_size = options->pipe_size,
        .on_end = outlet_ended,
        .on_news = outlet_news,
    };

    memset(gather, 0, sizeof *gather);
    gather->loop = loop;
    gather->options = *options;
    gather->streams = streams;
    gather->count = count;
    gather->sources = calloc(count, sizeof *gather->sources);
    gather->stages = calloc(count, sizeof *gather->stages);
    if (!gather->sources || !gather->stages) {
        free(gather->sources);
        free(gather->stages);
        return -1;
    }
    merge_init(&gather->merge, loop, merge_ended, gather);
    stream_init(&gather->outlet, loop, options->crew, &outlet, gather);
    init_streams(gather);
    return 0;
}

static int add_source(struct gather *gather, size_t i, const struct place *place)
{
    int ends[2];

    if (kernel_pipe(ends) < 0)
        return -1;
    end_adopt(&gather->stages[i], ends[0], END_PIPE);
    stream_to_queue(&gather->streams[i], ends[1]);
    return merge_add(&gather->merge, &gather->sources[i], &gather->stages[i],
                     gather->options.copy->labels ? place->text : NULL, source_merged,
                     &gather->stages[i]);
}

static int make_pipes(struct gather *gather, const struct place *sources)
{
    int fd;

    if (merge_start(&gather->merge, gather->options.queue, gather->options.buffer,
                    gather->options.copy->slow, &fd) < 0)
        return -1;
    stream_from_queue(&gather->outlet, fd);
    for (size_t i = 0; i < gather->count; i++)
        if (add_source(gather, i, &sources[i]) < 0)
            return -1;
    merge_seal(&gather->merge);
    return 0;
}

static void stop(struct gather *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        stream_stop(&gather->streams[i]);
    merge_stop(&gather->merge);
    for (size_t i = 0; i < gather->count; i++)
        end_close(&gather->stages[i], -1);
    stream_stop(&gather->outlet);
}

int gather_start(struct gather *gather, const struct place *dest, const struct place *sources)
{
    int error;

    if (make_pipes(gather, sources) < 0) {
        error = errno;
        stop(gather);
        errno = error;
        return -1;
    }
    stream_start(&gather->outlet, NULL, dest);
    for (size_t i = 0; i < gather->count; i++)
        stream_start(&gather->streams[i], &sources[i], NULL);
    return 0;
}

const struct merge_source *gather_source(const struct gather *gather, size_t i)
{
    return &gather->sources[i];
}

void gather_fini(struct gather *gather)
{
    if (gather->sources)
        stop(gather);
    free(gather->sources);
    free(gather->stages);
    gather->sources = NULL;
    gather->stages = NULL;
}
