/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /log: what is received goes to a file too. It is written once for each read of a connection, not
 * once a line, and never waited for: a log that cannot take more (a fifo that nobody reads, a full
 * disk) ends, and says so.
 *
 * The file is for people, so what is in it is made visible as on the screen: safe to be shown on
 * any terminal.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "client/inside.h"
#include "ui/stamp.h"

enum {
    LOG_QUEUE = 1024 * 1024, /* bytes that a slow log may be behind */
    LOG_SHOWN = SANITIZE_GROWTH * (SCROLLBACK_LINE + sizeof((struct sanitize *)NULL)->pending)
};

/* A line that has begun is on the screen too. Should it go on, a later log has all of it. */
static void keep_add_partials(struct app *app)
{
    struct pane_partial partial;

    for (size_t i = 0; i < app->channel_count; i++) {
        struct scrollback_line line = {0};

        if (!channel_partial(app->channels[i], INT64_MAX, &partial))
            continue;
        line.bytes = partial.bytes;
        line.length = partial.length;
        keep_line(app, app->channels[i], &line);
    }
}

static void keep_close(struct app *app)
{
    output_fini(&app->log);
    close(app->log_fd);
    buf_fini(&app->log_pending);
    app->log_fd = -1;
    app_touch(app, FACE_TITLE);
}

static void keep_fail(struct app *app, int error)
{
    keep_close(app);
    app_note(app, "/log: %s; the log has ended here", strerror(error));
}

void keep_end(struct app *app)
{
    size_t lost;

    if (app->log_fd < 0)
        return;
    keep_add_partials(app);
    keep_flush(app);
    if (app->log_fd < 0)
        return;
    lost = app->log.queue.length;
    keep_close(app);
    if (lost > 0)
        app_note(app, "/log: the last %zu bytes were not taken", lost);
}

static void keep_on_change(void *owner)
{
    struct app *app = owner;

    if (app->log.error)
        keep_fail(app, app->log.error);
}

static void keep_open(struct app *app, const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);

    if (fd >= 0 && output_init(&app->log, app->loop, fd, LOG_QUEUE, keep_on_change, app) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        fd = -1;
    }
    if (fd < 0) {
        app_note(app, "/log: %s: %s", file, strerror(errno));
        return;
    }
    watch_name(&app->log.watch, "log");
    buf_init(&app->log_pending, LOG_QUEUE);
    app->log_fd = fd;
    app_note(app, "what is received goes to %s too, until /log", file);
}

void app_log(struct app *app, const char *file)
{
    bool was_open = app->log_fd >= 0;

    keep_end(app);
    if (file)
        keep_open(app, file);
    else if (was_open)
        app_note(app, "the log has ended");
    else
        app_note(app, "/log FILE keeps what is received in a file");
}

void keep_flush(struct app *app)
{
    if (app->log_fd < 0 || buf_is_empty(&app->log_pending))
        return;
    if (output_write(&app->log, buf_peek(&app->log_pending), app->log_pending.length) < 0)
        keep_fail(app, errno == ENOBUFS ? EAGAIN : errno);
    else
        buf_take(&app->log_pending, app->log_pending.length);
}

/* Adds N bytes, made visible, and END behind them. */
static int keep_add(struct app *app, const char *bytes, size_t n, const char *end)
{
    char shown[LOG_SHOWN];
    struct sanitize sanitize;

    sanitize_init(&sanitize);
    n = sanitize_bytes(&sanitize, bytes, n, shown);
    n += sanitize_end(&sanitize, shown + n);
    if (buf_add(&app->log_pending, shown, n) < 0)
        return -1;
    return buf_add(&app->log_pending, end, strlen(end));
}

/* The time is in front of it where it is on the screen, and the label too. */
static int keep_add_line(struct app *app, const struct channel *channel,
                         const struct scrollback_line *line)
{
    const char *label = face_label(app, channel_number(channel));
    char stamp[STAMP_BYTES];
    size_t n = 0;

    if (app->pane.stamp_format)
        n = stamp_write(app->pane.stamp_format, line->second, stamp);
    if (n > 0 && keep_add(app, stamp, n, " ") < 0)
        return -1;
    if (label && keep_add(app, label, strlen(label), ": ") < 0)
        return -1;
    return keep_add(app, line->bytes, line->length, "\n");
}

/* A piece of a line that is too long is a line there: one of another connection may come before the
 * next piece. */
void keep_line(struct app *app, const struct channel *channel, const struct scrollback_line *line)
{
    if (app->log_fd >= 0 && buf_room(&app->log_pending) < (size_t)2 * LOG_SHOWN)
        keep_flush(app);
    if (app->log_fd >= 0 && keep_add_line(app, channel, line) < 0)
        keep_fail(app, errno);
}
