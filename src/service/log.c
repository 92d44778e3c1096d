/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sanitize.h"
#include "base/text.h"
#include "service/log.h"

/* The three shares of the queue, each reaching up to this fill. */
enum { LOG_LINES = 64 * 1024, LOG_PRINTS = 192 * 1024, LOG_ALL = 256 * 1024 };

enum { LOG_LINE = 512 };

int log_init(struct log *log, struct loop *loop, int fd, loop_fn *on_change, void *owner)
{
    *log = (struct log){.is_open = fd >= 0};
    if (!log->is_open)
        return 0;
    return output_init(&log->output, loop, fd, LOG_ALL, on_change, owner);
}

void log_fini(struct log *log)
{
    if (log->is_open)
        output_fini(&log->output);
    log->is_open = false;
}

/* Makes LINE fit for a terminal: a client's unix socket may be called anything. Returns the length
 * of SHOWN. */
static size_t log_show(const char *line, char *shown)
{
    struct sanitize sanitize;
    size_t length;

    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, line, strlen(line), shown);
    length += sanitize_end(&sanitize, shown + length);
    shown[length++] = '\n';
    return length;
}

/* Writes the line unless the queue is filled beyond SHARE. Returns whether it did. */
static bool log_write(struct log *log, size_t share, const char *format, va_list args)
{
    char line[LOG_LINE];
    char shown[SANITIZE_GROWTH * (LOG_LINE + 2 * sizeof((struct sanitize *)0)->pending) + 1];
    struct text text;
    size_t length;

    if (!log->is_open)
        return true;
    text_init(&text, line, sizeof line);
    text_vadd(&text, format, args);
    length = log_show(line, shown);
    if (log->output.queue.length + length > share)
        return false;
    return output_write(&log->output, shown, length) == 0;
}

void log_announce(struct log *log, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_write(log, LOG_ALL, format, args);
    va_end(args);
}

/* A gap in the log is shown where it is. */
static void log_note_gap(struct log *log)
{
    if (log->dropped == 0 || log->output.queue.length > LOG_LINES / 2)
        return;
    log_announce(log, "(%" PRIu64 " lines of the log were dropped here)", log->dropped);
    log->dropped = 0;
}

void log_line(struct log *log, const char *format, ...)
{
    va_list args;
    bool is_written = false;

    log_note_gap(log);
    va_start(args, format);
    if (log->dropped == 0)
        is_written = log_write(log, LOG_LINES, format, args);
    va_end(args);
    if (is_written)
        return;
    log->dropped++;
    log->dropped_ever++;
}

size_t log_print_room(const struct log *log)
{
    if (!log->is_open)
        return SIZE_MAX;
    return log->output.queue.length < LOG_PRINTS ? LOG_PRINTS - log->output.queue.length : 0;
}

void log_print(struct log *log, const char *bytes, size_t n)
{
    if (log->is_open)
        output_write(&log->output, bytes, n);
}

bool log_is_drained(const struct log *log)
{
    return !log->is_open || log_error(log) || output_is_drained(&log->output);
}

int log_error(const struct log *log)
{
    return log->is_open ? log->output.error : 0;
}
