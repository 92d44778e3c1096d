/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both forms are derived from the event alone, each from a table by its kind. A number in JSON is
 * written as an integer, or as seconds with three decimals put together from two: the locale's idea
 * of a decimal point must not get in.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "copy/report.h"
#include "poller/names.h"

/* ---- for a person ---- */

static const char *why_of(const struct copy_event *event)
{
    return event->why ? event->why : strerror(event->error);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void add_detached(const struct copy_event *event, struct text *text)
{
    text_add(text, "detached: %s", event->why ? event->why : "it took nothing for too long");
}

static void add_dropped(const struct copy_event *event, struct text *text)
{
    text_add(text, "dropped %" PRIu64 " byte%s", event->bytes, plural(event->bytes));
    if (event->lines > 0)
        text_add(text, " in %" PRIu64 " line%s", event->lines, plural(event->lines));
    text_add(text, ": the destination was too slow");
}

static void add_cut(const struct copy_event *event, struct text *text)
{
    text_add(text, "cut %" PRIu64 " line%s longer than the buffer", event->lines,
             plural(event->lines));
}

static void add_news(const struct copy_event *event, struct text *text)
{
    switch (event->kind) {
    case COPY_DETACHED:
        add_detached(event, text);
        break;
    case COPY_DROPPED:
        add_dropped(event, text);
        break;
    case COPY_CUT:
        add_cut(event, text);
        break;
    case COPY_WAITS:
        text_add(text, "%s", event->why ? event->why : "opening");
        break;
    case COPY_FILE_CUT:
        text_add(text, "has become shorter; reading it from its beginning");
        break;
    case COPY_FILE_REPLACED:
        text_add(text, "has been replaced; reading the new file");
        break;
    case COPY_FILE_GONE:
        text_add(text, "no file has that name; waiting for one");
        break;
    default:
        text_add(text, "%s", why_of(event));
    }
}

void report_text(const struct copy_event *event, struct text *text)
{
    if (event->kind == COPY_OPENED || event->kind == COPY_DONE || event->kind == COPY_ENDED)
        return;
    if (event->error == ECANCELED)
        return; /* why, was told before */
    if (event->name)
        text_add(text, "%s: ", event->name);
    add_news(event, text);
}

/* ---- JSON ---- */

/* Returns the length of the character that TEXT, ended by a NUL, begins with; 0 where that is no
 * UTF-8. RFC 3629: no longer forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_length(const unsigned char *text)
{
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned char lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    if (first > 0xf4 || (length > 1 && (text[1] < lowest || text[1] > highest)))
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool is_plain(unsigned char byte)
{
    return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Adds the first character of NEXT, which is_plain is not, and returns its length. */
static size_t json_add_odd(struct text *text, const unsigned char *next)
{
    size_t length = utf8_length(next);

    if (*next == '"' || *next == '\\')
        text_add(text, "\\%c", *next);
    else if (*next < ' ' || *next == 0x7f)
        text_add(text, "\\u%04x", *next);
    else if (*next == 0xc2 && length == 2 && next[1] < 0xa0)
        text_add(text, "\\u%04x", next[1]);
    else if (length > 0)
        text_add(text, "%.*s", (int)length, (const char *)next);
    else
        text_add(text, "\xef\xbf\xbd");
    return length > 0 ? length : 1;
}

static void json_add_string(struct text *text, const char *string)
{
    const unsigned char *next = (const unsigned char *)string;

    text_add(text, "\"");
    while (*next != '\0') {
        size_t n = 0;

        while (is_plain(next[n]))
            n++;
        text_add(text, "%.*s", (int)n, (const char *)next);
        next += n;
        if (*next != '\0')
            next += json_add_odd(text, next);
    }
    text_add(text, "\"");
}

static void json_add_name(struct text *text, const char *key, const char *name)
{
    if (!name)
        return;
    text_add(text, ",\"%s\":", key);
    json_add_string(text, name);
}

static void json_add_number(struct text *text, const char *key, uint64_t number)
{
    text_add(text, ",\"%s\":%" PRIu64, key, number);
}

static void json_add_error(struct text *text, int error)
{
    char name[32];
    struct text errno_name;

    text_init(&errno_name, name, sizeof name);
    names_add_errno(&errno_name, error);
    text_add(text, name[0] == 'E' ? ",\"error\":\"%s\"" : ",\"error\":%s", name);
}

static void json_begin(struct text *text, const char *event, int64_t time_ns)
{
    text_add(text, "{\"event\":\"%s\",\"time\":%" PRId64 ".%03" PRId64, event,
             time_ns / CLOCK_SECOND, time_ns % CLOCK_SECOND / CLOCK_MILLISECOND);
}

static const char *const event_names[] = {
    [COPY_OPENED] = "opened",
    [COPY_WAITS] = "waits",
    [COPY_DONE] = "done",
    [COPY_SOURCE_FAILED] = "source-failed",
    [COPY_DEST_FAILED] = "dest-failed",
    [COPY_DETACHED] = "detached",
    [COPY_DROPPED] = "dropped",
    [COPY_CUT] = "cut",
    [COPY_FILE_CUT] = "file-cut",
    [COPY_FILE_REPLACED] = "file-replaced",
    [COPY_FILE_GONE] = "file-gone",
    [COPY_CANNOT] = "cannot",
    [COPY_ENDED] = "ended",
};

void report_json(const struct copy_event *event, const struct copy_view *view, int64_t time_ns,
                 struct text *text)
{
    enum copy_event_kind kind = event->kind;

    json_begin(text, event_names[kind], time_ns);
    if (event->stream != SIZE_MAX)
        json_add_number(text, "stream", event->stream);
    json_add_name(text, "name", event->name);
    if (!event->name && view) {
        json_add_name(text, "source", view->source);
        json_add_name(text, "dest", view->dest);
    }
    if (event->error != 0)
        json_add_error(text, event->error);
    if (event->why || event->error != 0)
        json_add_name(text, "why", why_of(event));
    if (kind == COPY_DROPPED || kind == COPY_ENDED)
        json_add_number(text, "bytes", event->bytes);
    if (kind == COPY_DROPPED || kind == COPY_CUT)
        json_add_number(text, "lines", event->lines);
    if (view && kind >= COPY_DONE && kind <= COPY_DETACHED)
        json_add_number(text, "copied", view->copied);
    text_add(text, "}");
}

static void json_add_view(struct text *text, const struct copy_view *view)
{
    static const char *const states[] = {
        [COPY_OPENING] = "opening",     [COPY_RUNNING] = "running",   [COPY_WAITING] = "waiting",
        [COPY_FINISHING] = "finishing", [COPY_COMPLETE] = "complete", [COPY_FAILED] = "failed",
        [COPY_STOPPED] = "stopped",
    };

    text_add(text, "{\"state\":\"%s\"", states[view->state]);
    json_add_name(text, "source", view->source);
    json_add_name(text, "dest", view->dest);
    json_add_number(text, "copied", view->copied);
    if (view->size >= 0)
        json_add_number(text, "size", (uint64_t)view->size);
    else
        text_add(text, ",\"size\":null");
    json_add_number(text, "queued", view->queued);
    json_add_number(text, "bound", view->bound);
    json_add_number(text, "dropped", view->dropped);
    text_add(text, "}");
}

void report_json_progress(const struct copy_view *views, size_t count, uint64_t total,
                          int64_t time_ns, struct text *text)
{
    json_begin(text, "progress", time_ns);
    text_add(text, ",\"streams\":[");
    for (size_t i = 0; i < count; i++) {
        text_add(text, "%s", i > 0 ? "," : "");
        json_add_view(text, &views[i]);
    }
    text_add(text, "],\"total\":%" PRIu64 "}", total);
}
