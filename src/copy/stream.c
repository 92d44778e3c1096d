/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a stream: opening the source, opening the destination, pumping, ending the
 * destination. Each step is begun by the end of the one before, which comes from the loop, so no
 * step is deeper in the stack than the first.
 *
 * Whatever ends it, close_all is where it comes through, and on_end is the last that is done with
 * it: the owner may free it there.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "copy/kernel.h"
#include "copy/stream.h"

static const int64_t retry_ns = CLOCK_SECOND;
static const int64_t waits_ns = CLOCK_SECOND; /* opening for so long is worth a word */

static struct end *source_of(struct stream *stream)
{
    return &stream->sources[stream->reading];
}

static struct end *next_source_of(struct stream *stream)
{
    return &stream->sources[!stream->reading];
}

/* ---- the end ---- */

static void stop_waiting(struct stream *stream)
{
    timer_stop(&stream->waits);
    timer_stop(&stream->patience);
}

static void close_all(struct stream *stream)
{
    bool has_read = stream->state != COPY_OPENING && source_of(stream)->kind == END_FILE;

    stop_waiting(stream);
    timer_stop(&stream->retry);
    follow_stop(&stream->follow);
    pump_stop(&stream->pump);
    stream->before = stream_copied(stream);
    end_close(source_of(stream), has_read ? stream->pump.move.offset : -1);
    end_close(next_source_of(stream), -1);
    end_close(&stream->dest, -1);
}

static void end_with(struct stream *stream, enum stream_end how, int error, const char *why)
{
    close_all(stream);
    stream->state = how == STREAM_DONE ? COPY_COMPLETE : COPY_FAILED;
    stream->options.on_end(stream, how, error, why ? why : strerror(error));
}

static bool is_starved(const struct stream *stream, int error)
{
    return (error == EMFILE || error == ENFILE) && stream->source_place && stream->dest_place;
}

/* A file of its own is closed, so that others can have its descriptor. Anything else stays open: a
 * writer would see a fifo close, and the offset of a file that is shared is measured once. */
static void starve(struct stream *stream, int error, const char *why)
{
    stop_waiting(stream);
    end_close(&stream->dest, -1);
    if (source_of(stream)->kind == END_FILE && stream->source_place->kind == PLACE_PATH)
        end_close(source_of(stream), -1);
    stream->options.on_end(stream, STREAM_STARVED, error, why);
}

static void fail_to_open(struct stream *stream, enum stream_end how, int error, const char *why)
{
    char copy[sizeof stream->dest.why]; /* WHY is the end's own, and that is closed */

    strncpy(copy, why, sizeof copy - 1);
    copy[sizeof copy - 1] = '\0';
    if (is_starved(stream, error))
        starve(stream, error, copy);
    else
        end_with(stream, how, error, copy);
}

static void finish_dest(void *owner)
{
    struct stream *stream = owner;

    stream->finish_error = end_finish(&stream->dest) < 0 ? errno : 0;
    stream->is_finished = true;
}

static void fail_dest(struct stream *stream, int error)
{
    if (error == ETIMEDOUT && stream->options.pump.stall_ns > 0)
        end_with(stream, STREAM_DETACHED, error, "it took nothing for too long");
    else
        end_with(stream, STREAM_DEST_FAILED, error, NULL);
}

static void dest_finished(void *owner)
{
    struct stream *stream = owner;

    if (stream->finish_error != 0)
        fail_dest(stream, stream->finish_error);
    else
        end_with(stream, STREAM_DONE, 0, NULL);
}

static void dest_lingered(void *owner, int error, const char *why)
{
    struct stream *stream = owner;

    (void)why;
    stream->finish_error = error;
    stream->is_finished = true;
    dest_finished(stream);
}

/* A file is given its name, and may be synced, by the crew; a socket's peer takes its time. */
static void finish(struct stream *stream)
{
    stream->state = COPY_FINISHING;
    if (stream->is_doomed) {
        end_with(stream, STREAM_SOURCE_FAILED, ECANCELED, NULL);
        return;
    }
    if (stream->dest.kind == END_FILE && crew_give(stream->crew, &stream->finish) == 0)
        return;
    if (end_linger(&stream->dest, stream->options.pump.stall_ns, dest_lingered))
        return;
    finish_dest(stream);
    dest_finished(stream);
}

/* ---- pumping ---- */

static void rest(struct stream *stream)
{
    follow_start(&stream->follow, stream->source_place->path, source_of(stream)->fd,
                 stream->pump.move.offset);
}

static void pump_ended(void *owner, enum move_result result, int error)
{
    struct stream *stream = owner;

    if (result == MOVE_ENDED && stream->pump.state == PUMP_RESTS)
        rest(stream);
    else if (result == MOVE_ENDED)
        finish(stream);
    else if (result == MOVE_SOURCE_FAILED)
        end_with(stream, STREAM_SOURCE_FAILED, error, NULL);
    else
        fail_dest(stream, error);
}

static void start_pump(struct stream *stream)
{
    struct end *source = source_of(stream);
    int refused = -1;
    char why[256];
    int error;

    stream->size = source->size;
    stream->state = COPY_RUNNING;
    if (pump_start(&stream->pump, source, &stream->dest, &stream->options.pump, &refused) == 0)
        return;
    error = errno;
    poller_explain(loop_poller(stream->loop), refused, error, why, sizeof why);
    end_with(stream, refused == source->fd ? STREAM_SOURCE_FAILED : STREAM_DEST_FAILED, error, why);
}

/* ---- opening ---- */

static void tell(struct stream *stream, enum copy_event_kind kind)
{
    if (stream->options.on_news)
        stream->options.on_news(stream, kind);
}

/* Where a client is to come its port is of interest at once: the kernel may have picked it. */
static void expect_to_wait(struct stream *stream, const struct place *place)
{
    timer_after(&stream->waits, place->kind == PLACE_LISTEN ? 0 : waits_ns);
}

static void lose_patience(void *owner)
{
    end_with(owner, STREAM_DETACHED, ETIMEDOUT, "it was not open in time");
}

/* What has failed already does not wait. */
static void tell_waits(void *owner)
{
    char what[256];

    stream_describe(owner, what, sizeof what);
    if (*what != '\0')
        tell(owner, COPY_WAITS);
}

static void dest_opened(void *owner, int error, const char *why)
{
    struct stream *stream = owner;

    stop_waiting(stream);
    if (error != 0) {
        fail_to_open(stream, STREAM_DEST_FAILED, error, why);
        return;
    }
    tell(stream, COPY_OPENED);
    start_pump(stream);
}

static void open_dest(struct stream *stream)
{
    if (!stream->dest_place) {
        dest_opened(stream, 0, NULL);
        return;
    }
    end_open(&stream->dest, stream->dest_place, stream->options.flags);
    expect_to_wait(stream, stream->dest_place);
    if (stream->source_place && stream->options.pump.stall_ns > 0)
        timer_after(&stream->patience, stream->options.pump.stall_ns);
}

/* A file that is followed may come later, and does not fail by not being there. */
static bool comes_later(const struct stream *stream, int error)
{
    return stream->options.follows && error == ENOENT;
}

static void wait_for_file(struct stream *stream)
{
    if (!stream->is_gone_told)
        tell(stream, COPY_FILE_GONE);
    stream->is_gone_told = true;
    timer_after(&stream->retry, retry_ns);
}

static bool can_be_followed(const struct stream *stream)
{
    return stream->source_place->kind == PLACE_PATH &&
           stream->sources[stream->reading].kind == END_FILE;
}

static void source_opened(struct stream *stream, int error, const char *why)
{
    stop_waiting(stream);
    if (comes_later(stream, error)) {
        end_close(source_of(stream), -1);
        wait_for_file(stream);
    } else if (error != 0) {
        fail_to_open(stream, STREAM_SOURCE_FAILED, error, why);
    } else if (stream->options.follows && !can_be_followed(stream)) {
        end_with(stream, STREAM_SOURCE_FAILED, EINVAL,
                 "only a regular file that is named by its path can be followed");
    } else {
        stream->is_gone_told = false;
        open_dest(stream);
    }
}

/* ---- following ---- */

/* The old file is read to its end: the new one takes its place. */
static void next_source_opened(struct stream *stream, int error)
{
    if (error != 0) {
        end_close(next_source_of(stream), -1);
        timer_after(&stream->retry, retry_ns);
        return;
    }
    pump_stop(&stream->pump);
    stream->before = stream_copied(stream);
    pump_init(&stream->pump, stream->loop, stream->crew, pump_ended, stream);
    end_close(source_of(stream), -1);
    stream->reading = !stream->reading;
    stream->is_gone_told = false;
    tell(stream, COPY_FILE_REPLACED);
    start_pump(stream);
}

static void any_source_opened(void *owner, int error, const char *why)
{
    struct stream *stream = owner;

    if (stream->state == COPY_OPENING)
        source_opened(stream, error, why);
    else
        next_source_opened(stream, error);
}

static void try_again(void *owner)
{
    struct stream *stream = owner;

    if (source_of(stream)->kind == END_NONE)
        end_open(source_of(stream), stream->source_place, 0);
    else
        rest(stream);
}

static void followed(void *owner, enum follow_news news)
{
    struct stream *stream = owner;

    switch (news) {
    case FOLLOW_GREW:
        pump_resume(&stream->pump, -1);
        break;
    case FOLLOW_CUT:
        tell(stream, COPY_FILE_CUT);
        pump_resume(&stream->pump, 0);
        break;
    case FOLLOW_REPLACED:
        end_open(next_source_of(stream), stream->source_place, 0);
        break;
    case FOLLOW_GONE:
        if (!stream->is_gone_told)
            tell(stream, COPY_FILE_GONE);
        stream->is_gone_told = true;
        break;
    }
}

/* ---- from outside ---- */

void stream_init(struct stream *stream, struct loop *loop, struct crew *crew,
                 const struct stream_options *options, void *owner)
{
    memset(stream, 0, sizeof *stream);
    stream->loop = loop;
    stream->crew = crew;
    stream->options = *options;
    stream->options.pump.rests_at_end = options->follows;
    stream->size = -1;
    stream->owner = owner;
    for (size_t i = 0; i < 2; i++)
        end_init(&stream->sources[i], loop, true, any_source_opened, stream);
    end_init(&stream->dest, loop, false, dest_opened, stream);
    stream->sources[0].pipe_size = stream->sources[1].pipe_size = options->pipe_size;
    stream->dest.pipe_size = options->pipe_size;
    pump_init(&stream->pump, loop, crew, pump_ended, stream);
    follow_init(&stream->follow, loop, followed, stream);
    timer_init(&stream->patience, loop, lose_patience, stream);
    timer_init(&stream->waits, loop, tell_waits, stream);
    timer_init(&stream->retry, loop, try_again, stream);
    job_init(&stream->finish, finish_dest, dest_finished, stream);
}

void stream_from_queue(struct stream *stream, int fd)
{
    end_adopt(source_of(stream), fd, END_PIPE);
}

void stream_to_queue(struct stream *stream, int fd)
{
    end_adopt(&stream->dest, fd, END_PIPE);
}

void stream_start(struct stream *stream, const struct place *source, const struct place *dest)
{
    stream->state = COPY_OPENING;
    stream->source_place = source;
    stream->dest_place = dest;
    if (!source || source_of(stream)->kind != END_NONE) {
        open_dest(stream);
        return;
    }
    end_open(source_of(stream), source, 0);
    expect_to_wait(stream, source);
}

void stream_doom(struct stream *stream)
{
    stream->is_doomed = true;
}

bool stream_has_ended(const struct stream *stream)
{
    return stream->state >= COPY_COMPLETE;
}

/* The crew may have ended the destination before it could be told to leave it. */
static enum copy_state state_of_stopped(const struct stream *stream)
{
    if (!stream->is_finished)
        return COPY_STOPPED;
    return stream->finish_error == 0 ? COPY_COMPLETE : COPY_FAILED;
}

void stream_stop(struct stream *stream)
{
    if (stream_has_ended(stream))
        return;
    if (stream->finish.is_given)
        crew_wait(stream->crew, &stream->finish);
    close_all(stream);
    stream->state = state_of_stopped(stream);
}

void stream_detach(struct stream *stream)
{
    stream_stop(stream);
    stream->state = COPY_FAILED;
}

void stream_end_following(struct stream *stream)
{
    if (stream_has_ended(stream) || stream->dest.kind == END_NONE ||
        stream->state == COPY_FINISHING) {
        stream_stop(stream);
        return;
    }
    pump_stop(&stream->pump);
    finish_dest(stream);
    close_all(stream);
    stream->state = state_of_stopped(stream);
}

uint64_t stream_copied(const struct stream *stream)
{
    return stream->before + (stream_has_ended(stream) ? 0 : pump_copied(&stream->pump));
}

uint64_t stream_queued(const struct stream *stream)
{
    const struct end *source = &stream->sources[stream->reading];
    long n = stream->source_place || source->fd < 0 ? 0 : kernel_readable(source->fd);

    return n > 0 ? (uint64_t)n : 0;
}

enum copy_state stream_state(const struct stream *stream)
{
    if (stream->state == COPY_RUNNING && stream->pump.state == PUMP_WAITS_DEST)
        return COPY_WAITING;
    return stream->state;
}

bool stream_opens_dest(const struct stream *stream)
{
    return stream->state == COPY_OPENING && stream->sources[stream->reading].kind != END_NONE;
}

void stream_describe(const struct stream *stream, char *text, size_t size)
{
    *text = '\0';
    if (stream->state == COPY_OPENING)
        end_describe(stream_opens_dest(stream) ? &stream->dest : &stream->sources[stream->reading],
                     text, size);
}
