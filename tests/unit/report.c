/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of each event, to a person and as JSON. Where there is python3 the JSON of hostile
 * names is read by that as well.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "copy/report.h"
#include "kit/kit.h"

static const struct copy_view view = {.source = "a",
                                      .dest = "b",
                                      .state = COPY_RUNNING,
                                      .copied = 1048576,
                                      .size = -1,
                                      .queued = 3,
                                      .bound = 65536};

static char bytes[4096];

static const char *text_of(const struct copy_event *event)
{
    struct text text;

    text_init(&text, bytes, sizeof bytes);
    report_text(event, &text);
    return bytes;
}

static const char *json_of(const struct copy_event *event, const struct copy_view *of)
{
    struct text text;

    text_init(&text, bytes, sizeof bytes);
    report_json(event, of, 1204567890, &text);
    assert_false(text_is_cut(&text));
    return bytes;
}

/* ---- for a person ---- */

static void what_is_no_news_is_not_told(void **state)
{
    static const enum copy_event_kind kinds[] = {COPY_OPENED, COPY_DONE, COPY_ENDED};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_string_equal(text_of(&(struct copy_event){.kind = kinds[i]}), "");
}

static void failures_name_the_file_and_the_reason(void **state)
{
    struct copy_event event = {.kind = COPY_DEST_FAILED, .name = "out", .error = ENOSPC};

    (void)state;
    assert_string_equal(text_of(&event), "out: No space left on device");
    event.why = "No space left on device; the file that was there is untouched";
    assert_string_equal(text_of(&event),
                        "out: No space left on device; the file that was there is untouched");
    event = (struct copy_event){.kind = COPY_SOURCE_FAILED, .name = "in", .error = EISDIR};
    assert_string_equal(text_of(&event), "in: Is a directory");
    event.name = NULL;
    assert_string_equal(text_of(&event), "Is a directory");
}

static void losses_are_counted(void **state)
{
    struct copy_event event = {.kind = COPY_DROPPED, .name = "out", .bytes = 5000000000};

    (void)state;
    assert_string_equal(text_of(&event),
                        "out: dropped 5000000000 bytes: the destination was too slow");
    event.bytes = event.lines = 1;
    assert_string_equal(text_of(&event),
                        "out: dropped 1 byte in 1 line: the destination was too slow");
    event = (struct copy_event){.kind = COPY_CUT, .name = "in", .lines = 2};
    assert_string_equal(text_of(&event), "in: cut 2 lines longer than the buffer");
    event = (struct copy_event){.kind = COPY_DETACHED, .name = "out"};
    assert_string_equal(text_of(&event), "out: detached: it took nothing for too long");
    event.why = "its queue was full";
    assert_string_equal(text_of(&event), "out: detached: its queue was full");
    event = (struct copy_event){.kind = COPY_SOURCE_FAILED, .name = "in", .error = ECANCELED};
    assert_string_equal(text_of(&event), ""); /* of each destination of a source that failed */
    event = (struct copy_event){.kind = COPY_WAITS, .name = "fifo", .why = "waiting for a reader"};
    assert_string_equal(text_of(&event), "fifo: waiting for a reader");
}

static void files_that_are_followed(void **state)
{
    struct copy_event event = {.kind = COPY_FILE_CUT, .name = "log"};

    (void)state;
    assert_string_equal(text_of(&event), "log: has become shorter; reading it from its beginning");
    event.kind = COPY_FILE_REPLACED;
    assert_string_equal(text_of(&event), "log: has been replaced; reading the new file");
    event.kind = COPY_FILE_GONE;
    assert_string_equal(text_of(&event), "log: no file has that name; waiting for one");
}

/* ---- JSON ---- */

static void events_as_json(void **state)
{
    struct copy_event event = {.kind = COPY_OPENED, .stream = 3};

    (void)state;
    assert_string_equal(json_of(&event, &view), "{\"event\":\"opened\",\"time\":1.204,\"stream\":3,"
                                                "\"source\":\"a\",\"dest\":\"b\"}");
    event = (struct copy_event){.kind = COPY_DEST_FAILED, .name = "b", .error = ENOSPC};
    assert_string_equal(json_of(&event, &view),
                        "{\"event\":\"dest-failed\",\"time\":1.204,\"stream\":0,\"name\":\"b\","
                        "\"error\":\"ENOSPC\",\"why\":\"No space left on device\","
                        "\"copied\":1048576}");
    event = (struct copy_event){.kind = COPY_DROPPED, .name = "b", .bytes = 7, .lines = 2};
    assert_string_equal(json_of(&event, &view),
                        "{\"event\":\"dropped\",\"time\":1.204,\"stream\":0,\"name\":\"b\","
                        "\"bytes\":7,\"lines\":2}");
    event = (struct copy_event){.kind = COPY_ENDED, .stream = SIZE_MAX, .bytes = UINT64_MAX};
    assert_string_equal(json_of(&event, NULL),
                        "{\"event\":\"ended\",\"time\":1.204,\"bytes\":18446744073709551615}");
}

static void an_error_without_a_name_is_a_number(void **state)
{
    const struct copy_event event = {.kind = COPY_SOURCE_FAILED, .error = 4095, .why = "odd"};

    (void)state;
    assert_non_null(strstr(json_of(&event, NULL), ",\"error\":4095,\"why\":\"odd\"}"));
}

static void progress_as_json(void **state)
{
    struct copy_view views[2] = {view, view};
    struct text text;

    (void)state;
    views[1].size = 5;
    views[1].state = COPY_COMPLETE;
    text_init(&text, bytes, sizeof bytes);
    report_json_progress(views, 2, 2097152, 61 * CLOCK_SECOND + 5 * CLOCK_MILLISECOND, &text);
    assert_string_equal(
        bytes,
        "{\"event\":\"progress\",\"time\":61.005,\"streams\":["
        "{\"state\":\"running\",\"source\":\"a\",\"dest\":\"b\",\"copied\":1048576,\"size\":null,"
        "\"queued\":3,\"bound\":65536,\"dropped\":0},"
        "{\"state\":\"complete\",\"source\":\"a\",\"dest\":\"b\",\"copied\":1048576,\"size\":5,"
        "\"queued\":3,\"bound\":65536,\"dropped\":0}],\"total\":2097152}");
    text_init(&text, bytes, sizeof bytes);
    report_json_progress(NULL, 0, 0, 0, &text);
    assert_string_equal(bytes,
                        "{\"event\":\"progress\",\"time\":0.000,\"streams\":[],\"total\":0}");
}

/* ---- names that are no text ---- */

static void expect_name(const char *name, const char *json)
{
    const struct copy_event event = {.kind = COPY_FILE_GONE, .stream = SIZE_MAX, .name = name};
    char expected[256];

    snprintf(expected, sizeof expected, "{\"event\":\"file-gone\",\"time\":1.204,\"name\":\"%s\"}",
             json);
    assert_string_equal(json_of(&event, NULL), expected);
}

#define BAD "\xef\xbf\xbd"

static void hostile_names(void **state)
{
    (void)state;
    expect_name("", "");
    expect_name("a\"b\\c/d", "a\\\"b\\\\c/d");
    expect_name("\n\t\x01\x1b[2J\x7f", "\\u000a\\u0009\\u0001\\u001b[2J\\u007f");
    expect_name("\xc2\x9b"
                "1A",
                "\\u009b1A");
    expect_name("\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80");
    expect_name("\xff\x80x", BAD BAD "x");
    expect_name("\xc0\xaf", BAD BAD);                 /* longer than need be */
    expect_name("\xe0\x9f\xbf", BAD BAD BAD);         /* the same */
    expect_name("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD); /* the same */
    expect_name("\xed\xa0\x80", BAD BAD BAD);         /* a surrogate */
    expect_name("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* above U+10FFFF */
    expect_name("\xe6\x97", BAD BAD);                 /* cut by the end */
    expect_name("\xc3\"", BAD "\\\"");
    expect_name("\xf0\x9f\x98", BAD BAD BAD);
}

/* All bytes, each followed by some that might be taken for part of it. */
static void others_can_read_it(void **state)
{
    static const char program[] = "import json,sys\n"
                                  "for line in sys.stdin.buffer:\n"
                                  "    print(json.loads(line.decode('utf-8'))['event'])\n";
    const char *const argv[] = {"python3", "-c", program, NULL};
    struct kit_process *python;

    (void)state;
    if (!kit_has("python3"))
        kit_skip("there is no python3");
    python = kit_start(argv);
    for (int byte = 1; byte < 256; byte++) {
        const char name[] = {'x', (char)byte, '\x80', (char)byte, 'y', (char)byte, '\0'};

        kit_type(python, json_of(&(struct copy_event){.kind = COPY_CUT, .name = name}, &view));
        kit_type(python, "\n");
    }
    kit_type_end(python);
    assert_int_equal(kit_end(python), 0);
    kit_await_lines(python, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_news_is_not_told),
        cmocka_unit_test(failures_name_the_file_and_the_reason),
        cmocka_unit_test(losses_are_counted),
        cmocka_unit_test(files_that_are_followed),
        cmocka_unit_test(events_as_json),
        cmocka_unit_test(an_error_without_a_name_is_a_number),
        cmocka_unit_test(progress_as_json),
        cmocka_unit_test(hostile_names),
        cmocka_unit_test_teardown(others_can_read_it, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
