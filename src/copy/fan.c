/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wiring of a fan. A stream and its outlet live and die together: when a stream ends, whatever
 * the reason, its outlet is taken out of the split, so that no one waits for a queue that nobody
 * empties; when the intake fails, the streams are told that what they get is not all.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "copy/fan.h"
#include "copy/kernel.h"

enum { QUEUE_LEAST = 4096 };

/* ---- what ends ---- */

static void outlet_ended(struct stream *stream, enum stream_end how, int error, const char *why)
{
    struct fan *fan = stream->owner;
    struct fan_outlet *outlet = &fan->outlets[stream - fan->streams];

    timer_stop(&outlet->patience);
    split_remove(&outlet->outlet);
    fan->options.on_outlet_end(stream, how, error, why);
}

/* What is in the queue goes with it: a destination that misses the rest is not to be complete. */
static void detach(struct fan_outlet *outlet, int error, const char *why)
{
    stream_detach(outlet->stream);
    outlet_ended(outlet->stream, STREAM_DETACHED, error, why);
}

static void lose_patience(void *owner)
{
    struct fan_outlet *outlet = owner;

    detach(outlet, ETIMEDOUT, "it was not open when its queue was full");
}

/* A destination that is open and takes nothing is its pump's to notice. */
static void outlet_full(void *owner)
{
    struct fan_outlet *outlet = owner;
    struct fan *fan = outlet->stream->owner;
    int64_t patience = fan->options.copy->detach_ns;

    if (fan->options.copy->slow != SPLIT_DETACH)
        return;
    if (patience == 0)
        detach(outlet, ENOBUFS, "it kept the others waiting");
    else if (stream_state(outlet->stream) == COPY_OPENING)
        timer_after(&outlet->patience, patience);
}

static void outlet_news(struct stream *stream, enum copy_event_kind kind)
{
    struct fan *fan = stream->owner;

    timer_stop(&fan->outlets[stream - fan->streams].patience);
    fan->options.on_outlet_news(stream, kind);
}

static void intake_news(struct stream *intake, enum copy_event_kind kind)
{
    struct fan *fan = intake->owner;

    fan->options.on_intake_news(intake, kind);
}

static void doom(struct fan *fan)
{
    for (size_t i = 0; i < fan->count; i++)
        stream_doom(&fan->streams[i]);
}

static void intake_ended(struct stream *intake, enum stream_end how, int error, const char *why)
{
    struct fan *fan = intake->owner;

    if (how != STREAM_DONE)
        doom(fan);
    fan->options.on_intake_end(intake, how, error, why);
}

static void split_ended(void *owner, int error)
{
    struct fan *fan = owner;

    end_close(&fan->stage, -1);
    if (error == 0)
        return;
    doom(fan);
    split_stop(&fan->split); /* now that nobody takes it for the end */
    stream_stop(&fan->intake);
    if (error != ECANCELED)
        fan->options.on_intake_end(&fan->intake, STREAM_SOURCE_FAILED, error, strerror(error));
}

/* ---- beginning ---- */

static void stage_opened(void *owner, int error, const char *why)
{
    (void)owner, (void)error, (void)why; /* it is adopted */
}

static void init_streams(struct fan *fan, size_t first)
{
    const struct copy_options *copy = fan->options.copy;
    struct stream_options options = {
        .pump = {.buffer = copy->buffer, .stall_ns = copy_patience(copy)},
        .flags = copy->flags,
        .pipe_size = fan->options.pipe_size,
        .on_end = outlet_ended,
        .on_news = outlet_news,
    };

    for (size_t i = 0; i < fan->count; i++) {
        fan->outlets[i].stream = &fan->streams[i];
        fan->outlets[i].outlet.read_fd = -1;
        timer_init(&fan->outlets[i].patience, fan->loop, lose_patience, &fan->outlets[i]);
        stream_init(&fan->streams[i], fan->loop, fan->options.crew, &options, fan);
        fan->streams[i].index = first + i;
    }
}

int fan_init(struct fan *fan, struct loop *loop, const struct fan_options *options,
             struct stream *streams, size_t count, size_t first)
{
    struct stream_options intake = {
        .pump = {.buffer = options->copy->buffer,
                 .rate = options->copy->rate,
                 .total = options->total,
                 .stall_ns = -1},
        .pipe_size = options->pipe_size,
        .follows = options->copy->follows,
        .on_end = intake_ended,
        .on_news = intake_news,
    };

    memset(fan, 0, sizeof *fan);
    fan->loop = loop;
    fan->options = *options;
    fan->streams = streams;
    fan->count = count;
    fan->outlets = calloc(count, sizeof *fan->outlets);
    if (!fan->outlets)
        return -1;
    stream_init(&fan->intake, loop, options->crew, &intake, fan);
    end_init(&fan->stage, loop, true, stage_opened, fan);
    split_init(&fan->split, loop, split_ended, fan);
    init_streams(fan, first);
    return 0;
}

/* A user may have so many pages in pipes and no more (pipe(7)): many queues are shorter then. */
static int add_outlet(struct fan *fan, struct fan_outlet *outlet)
{
    const struct copy_options *copy = fan->options.copy;
    size_t size = fan->options.queue;

    while (split_add(&fan->split, &outlet->outlet, size, copy->slow, outlet_full, outlet) < 0) {
        if (errno != EPERM || copy->buffer != 0 || size <= QUEUE_LEAST)
            return -1;
        size /= 2;
    }
    stream_from_queue(outlet->stream, outlet->outlet.read_fd);
    return 0;
}

static int make_stage(struct fan *fan)
{
    int ends[2];

    if (kernel_pipe(ends) < 0)
        return -1;
    kernel_pipe_size(ends[1], fan->options.queue); /* as it is will do */
    end_adopt(&fan->stage, ends[0], END_PIPE);
    stream_to_queue(&fan->intake, ends[1]);
    return 0;
}

static int make_pipes(struct fan *fan)
{
    for (size_t i = 0; i < fan->count; i++)
        if (add_outlet(fan, &fan->outlets[i]) < 0)
            return -1;
    if (make_stage(fan) < 0)
        return -1;
    return split_start(&fan->split, &fan->stage);
}

static void stop(struct fan *fan)
{
    for (size_t i = 0; i < fan->count; i++) {
        timer_stop(&fan->outlets[i].patience);
        stream_stop(&fan->streams[i]);
        split_remove(&fan->outlets[i].outlet);
    }
    split_stop(&fan->split);
    stream_stop(&fan->intake);
    end_close(&fan->stage, -1);
}

int fan_start(struct fan *fan, const struct place *source, const struct place *dests)
{
    int error;

    if (make_pipes(fan) < 0) {
        error = errno;
        stop(fan);
        errno = error;
        return -1;
    }
    stream_start(&fan->intake, source, NULL);
    for (size_t i = 0; i < fan->count; i++)
        stream_start(&fan->streams[i], NULL, &dests[i]);
    return 0;
}

const struct outlet *fan_outlet(const struct fan *fan, size_t i)
{
    return &fan->outlets[i].outlet;
}

void fan_fini(struct fan *fan)
{
    if (fan->outlets)
        stop(fan);
    free(fan->outlets);
    fan->outlets = NULL;
}
