/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is shown of how far the streams are, whole frames at a time, at the sizes of a usual
 * terminal, a small one and one that is hardly there. The views and the times are made up here.
 */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sanitize.h"
#include "copy/progress.h"
#include "kit/kit.h"

enum { STREAMS_MAX = 12, MIB = 1024 * 1024 };

static struct {
    struct progress progress;
    struct copy_view views[STREAMS_MAX];
    char names[2 * STREAMS_MAX][32];
    uint64_t total;
    int64_t now;
    char frame[16384];
} t;

static void begin(size_t streams)
{
    memset(&t, 0, sizeof t);
    t.now = 77 * CLOCK_SECOND;
    for (size_t i = 0; i < streams; i++) {
        snprintf(t.names[2 * i], sizeof t.names[0], "in%zu", i);
        snprintf(t.names[2 * i + 1], sizeof t.names[0], "out%zu", i);
        t.views[i] = (struct copy_view){.source = t.names[2 * i],
                                        .dest = t.names[2 * i + 1],
                                        .state = COPY_RUNNING,
                                        .size = -1};
    }
    assert_int_equal(progress_init(&t.progress, streams, t.now), 0);
}

/* Lets MS pass and looks. */
static void pass(int64_t ms)
{
    t.now += ms * CLOCK_MILLISECOND;
    t.total = 0;
    for (size_t i = 0; i < t.progress.count; i++)
        t.total += t.views[i].copied;
    progress_note(&t.progress, t.views, t.total, t.now);
}

/* Lets MS pass, in which stream I gets BYTES, look by look of STEP ms. */
static void run(size_t i, uint64_t bytes, int64_t ms, int64_t step)
{
    uint64_t before = t.views[i].copied;

    for (int64_t at = step; at <= ms; at += step) {
        t.views[i].copied = before + (uint64_t)((double)bytes * (double)at / (double)ms);
        pass(step);
    }
}

static size_t make(size_t rows, size_t columns)
{
    struct text text;
    size_t lines;

    text_init(&text, t.frame, sizeof t.frame);
    lines = progress_text(&t.progress, t.views, t.total, t.now, rows, columns, &text);
    assert_false(text_is_cut(&text));
    return lines;
}

static void expect(size_t rows, size_t columns, size_t lines, const char *frame)
{
    assert_int_equal(make(rows, columns), lines);
    assert_string_equal(t.frame, frame);
}

static int end(void **state)
{
    progress_fini(&t.progress);
    return kit_cleanup(state);
}

/* ---- numbers ---- */

static const char *bytes(uint64_t n)
{
    static char text[32];

    progress_bytes(n, text, sizeof text);
    assert_true(strlen(text) <= 8);
    return text;
}

static void numbers_of_bytes(void **state)
{
    (void)state;
    assert_string_equal(bytes(0), "0 B");
    assert_string_equal(bytes(1023), "1023 B");
    assert_string_equal(bytes(1024), "1.00 KiB");
    assert_string_equal(bytes(1299227607), "1.21 GiB");
    assert_string_equal(bytes(10 * 1024 - 1), "10.0 KiB");
    assert_string_equal(bytes(100 * 1024 - 1), "100 KiB");
    assert_string_equal(bytes(1023 * 1024), "1023 KiB");
    assert_string_equal(bytes(MIB - 1), "1.00 MiB");
    assert_string_equal(bytes(UINT64_MAX), "16.0 EiB");
}

static const char *time_of(int64_t s)
{
    static char text[32];

    progress_time(s * CLOCK_SECOND, text, sizeof text);
    return text;
}

static void times(void **state)
{
    (void)state;
    assert_string_equal(time_of(0), "0:00");
    assert_string_equal(time_of(5), "0:05");
    assert_string_equal(time_of(3599), "59:59");
    assert_string_equal(time_of(3 * 3600 + 7 * 60 + 12), "3:07:12");
}

/* ---- rates ---- */

static double rate_of(size_t i)
{
    return t.progress.rates[i].rate / MIB;
}

static void assert_about(double is, double expected)
{
    if (is < expected * 0.99 - 0.01 || is > expected * 1.01 + 0.01)
        fail_msg("%g, but %g was expected", is, expected);
}

static void a_rate_is_right_from_the_first_look(void **state)
{
    (void)state;
    begin(1);
    pass(60000); /* for a source that says nothing */
    run(0, 1 * MIB, 100, 50);
    assert_about(rate_of(0), 10);
    run(0, 99 * MIB, 9900, 50);
    assert_about(rate_of(0), 10);
}

/* Two thirds of the way in three seconds, near the end in fifteen, however often there is a look.
 */
static void a_rate_follows_in_seconds_not_in_frames(void **state)
{
    static const int64_t steps[] = {10, 50, 200};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        begin(1);
        run(0, 100 * MIB, 10000, steps[i]);
        run(0, 60 * MIB, 3000, steps[i]);
        assert_true(rate_of(0) > 16 && rate_of(0) < 17);
        run(0, 240 * MIB, 12000, steps[i]);
        assert_true(rate_of(0) > 19.8 && rate_of(0) < 20.01);
        progress_fini(&t.progress);
    }
    begin(0);
}

/* As after a stop: what came meanwhile took all that time. */
static void a_long_gap_is_one_look(void **state)
{
    (void)state;
    begin(1);
    run(0, 100 * MIB, 10000, 50);
    run(0, 60 * MIB, 60000, 60000);
    assert_about(rate_of(0), 1);
    pass(0);
    assert_about(rate_of(0), 1);
}

static void time_left_only_when_it_is_known(void **state)
{
    (void)state;
    begin(1);
    t.views[0].size = 100 * MIB;
    run(0, 10 * MIB, 1000, 50);
    make(24, 79);
    assert_null(strstr(t.frame, "left"));
    run(0, 10 * MIB, 1000, 50);
    make(24, 79);
    assert_non_null(strstr(t.frame, "  0:08 left"));
    t.views[0].size = INT64_MAX;
    make(24, 79);
    assert_null(strstr(t.frame, "left"));
    t.views[0].size = -1;
    make(24, 79);
    assert_null(strstr(t.frame, "left"));
}

static void a_stall_is_told_after_a_second(void **state)
{
    (void)state;
    begin(1);
    t.views[0].size = 100 * MIB;
    run(0, 30 * MIB, 3000, 50);
    t.views[0].state = COPY_WAITING;
    pass(900);
    make(24, 79);
    assert_null(strstr(t.frame, "stalled"));
    assert_non_null(strstr(t.frame, "MiB/s"));
    pass(100);
    expect(24, 79, 1,
           "in0 -> out0  [========>                       ]   30 %  30.0 MiB     stalled");
    run(0, MIB, 50, 50);
    make(24, 79);
    assert_null(strstr(t.frame, "stalled"));
}

/* ---- frames ---- */

static void one_stream_has_no_total(void **state)
{
    (void)state;
    begin(1);
    t.views[0].size = 100 * MIB;
    run(0, 34 * MIB, 3400, 50);
    expect(24, 79, 1,
           "in0 -> out0  [======>               ]   34 %  34.0 MiB  10.0 MiB/s  0:07 left");
    expect(24, 19, 1, "in0...ut0      34 %");
    expect(1, 7, 1, "   34 %");
    t.views[0].size = -1;
    expect(24, 79, 1, "in0 -> out0  34.0 MiB  10.0 MiB/s");
    expect(24, 19, 1, "in0...ut0  34.0 MiB");
}

static void an_empty_file_is_complete(void **state)
{
    (void)state;
    begin(1);
    t.views[0].size = 0;
    t.views[0].state = COPY_COMPLETE;
    expect(24, 79, 1,
           "in0 -> out0  [================================]  100 %       0 B        done");
}

/* A file that grows meanwhile, and one that is all but complete. */
static void percent_is_of_what_is_there(void **state)
{
    (void)state;
    begin(1);
    t.views[0].size = 1000000;
    t.views[0].copied = 999999;
    make(24, 60);
    assert_non_null(strstr(t.frame, "> ]   99 %"));
    t.views[0].copied = 1500000;
    make(24, 60);
    assert_non_null(strstr(t.frame, "==]  100 %"));
    t.views[0].size = INT64_MAX;
    t.views[0].copied = INT64_MAX - 1;
    make(24, 60);
    assert_non_null(strstr(t.frame, "   99 %"));
}

static void begin_mixed(void)
{
    begin(6);
    for (int i = 0; i < 6; i++)
        t.views[i].size = i % 2 ? 200 * MIB : -1;
    for (int look = 0; look < 80; look++) {
        t.views[0].copied += MIB;
        t.views[1].copied += MIB / 2;
        t.views[3].copied += MIB / 4;
        pass(50);
    }
    t.views[1].state = COPY_COMPLETE;
    t.views[1].copied = 200 * MIB;
    t.views[2].state = COPY_WAITING;
    t.views[2].bound = MIB;
    t.views[2].queued = MIB / 8;
    t.views[2].dropped = 3 * MIB / 2;
    t.views[3].state = COPY_FAILED;
    t.views[4].state = COPY_OPENING;
    t.views[5].state = COPY_FINISHING;
}

static void columns_are_those_of_all_lines(void **state)
{
    (void)state;
    begin_mixed();
    expect(
        24, 99, 7,
        "in0 -> out0                                      80.0 MiB  20.0 MiB/s\n"
        "in1 -> out1  [=========================]  100 %   200 MiB        done\n"
        "in2 -> out2                                           0 B     stalled"
        "  queue 12 %  dropped 1.50 MiB\n"
        "in3 -> out3  [=>                       ]   10 %  20.0 MiB      failed\n"
        "in4 -> out4                                           0 B     opening\n"
        "in5 -> out5  [                         ]    0 %       0 B      ending\n"
        "total                                             140 MiB  35.0 MiB/s  dropped 1.50 MiB");
}

static void what_does_not_fit_is_left_out_of_all_lines(void **state)
{
    (void)state;
    begin_mixed();
    expect(24, 79, 7,
           "in0 -> out0         80.0 MiB  20.0 MiB/s\n"
           "in1 -> out1  100 %   200 MiB        done\n"
           "in2 -> out2              0 B     stalled  queue 12 %  dropped 1.50 MiB\n"
           "in3 -> out3   10 %  20.0 MiB      failed\n"
           "in4 -> out4              0 B     opening\n"
           "in5 -> out5    0 %       0 B      ending\n"
           "total                140 MiB  35.0 MiB/s  dropped 1.50 MiB");
    expect(24, 50, 7,
           "in0 -> out0           80.0 MiB\n"
           "in1 -> out1     done   200 MiB\n"
           "in2 -> out2  stalled       0 B  dropped 1.50 MiB\n"
           "in3 -> out3   failed  20.0 MiB\n"
           "in4 -> out4  opening       0 B\n"
           "in5 -> out5   ending       0 B\n"
           "total                  140 MiB  dropped 1.50 MiB");
    expect(24, 19, 7,
           "in0...ut0  80.0 MiB\n"
           "in1...ut1      done\n"
           "in2...ut2   stalled\n"
           "in3...ut3    failed\n"
           "in4...ut4   opening\n"
           "in5...ut5    ending\n"
           "total       140 MiB");
}

static void those_that_run_are_shown_first(void **state)
{
    (void)state;
    begin_mixed();
    expect(5, 19, 5,
           "in0...ut0  80.0 MiB\n"
           "in2...ut2   stalled\n"
           "in4...ut4   opening\n"
           "3 more, 1 failed\n"
           "total       140 MiB");
}

static void hardly_a_terminal(void **state)
{
    (void)state;
    begin_mixed();
    expect(2, 7, 2, "80.0 Mi\n140 MiB");
    expect(1, 7, 1, "140 MiB");
}

/* It is not at 100 %: what was stopped has not been copied. */
static void the_total_of_what_was_stopped(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 2; i++) {
        t.views[i].state = i == 1 ? COPY_COMPLETE : COPY_STOPPED;
        t.views[i].copied = MIB;
        t.views[i].size = i == 1 ? MIB : 4 * MIB;
    }
    pass(50);
    expect(3, 50, 3,
           "in0 -> out0   25 %  1.00 MiB     stopped\n"
           "in1 -> out1  100 %  1.00 MiB        done\n"
           "total         40 %  2.00 MiB     stopped");
}

static void the_total_says_how_many_have_failed(void **state)
{
    (void)state;
    begin(3);
    for (int i = 0; i < 3; i++) {
        t.views[i].state = i == 1 ? COPY_COMPLETE : COPY_FAILED;
        t.views[i].copied = MIB;
    }
    pass(50);
    expect(4, 79, 4,
           "in0 -> out0  1.00 MiB      failed\n"
           "in1 -> out1  1.00 MiB        done\n"
           "in2 -> out2  1.00 MiB      failed\n"
           "total        3.00 MiB    2 failed");
}

static void what_all_share_is_not_repeated(void **state)
{
    (void)state;
    begin(2);
    t.views[1].source = "in0"; /* a fan */
    expect(24, 79, 3,
           "out0        0 B       0 B/s\n"
           "out1        0 B       0 B/s\n"
           "total       0 B       0 B/s");
    t.views[1].source = "in1"; /* a merge */
    t.views[1].dest = "out0";
    expect(24, 79, 3,
           "in0         0 B       0 B/s\n"
           "in1         0 B       0 B/s\n"
           "total       0 B       0 B/s");
}

/* ---- names ---- */

static void names_are_cut_by_characters(void **state)
{
    (void)state;
    begin(1);
    t.views[0].source = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e";
    t.views[0].dest = "o\xcc\x88\xc3\xa4";
    expect(1, 79, 1,
           "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
           " -> o\xcc\x88\xc3\xa4       0 B       0 B/s");
    expect(1, 19, 1, "\xe6\x97\xa5... o\xcc\x88\xc3\xa4        0 B");
    t.views[0].dest = t.views[0].source;
    t.views[0].source = "a";
    expect(1, 19, 1, "a -...\xe8\xaa\x9e        0 B"); /* half a character is none */
}

/* Whatever the size, no line is wider, and nothing in it is obeyed. */
static void no_name_does_harm_at_any_size(void **state)
{
    static char wide[5000];

    (void)state;
    begin(4);
    memset(wide, 'w', sizeof wide - 1);
    t.views[0].source = "\033[2J\033]0;title\007\n\r\t\x9b"
                        "1A";
    t.views[1].dest = "\xff\xfe\xe2\x80\xae\xc2\x9b\xe6\x97\xa5\xe6\x9c";
    t.views[2].source = wide;
    t.views[2].dest = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
                      "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e";
    t.views[3].dest = "";
    t.views[3].size = 10;
    pass(3000);
    for (size_t columns = 1; columns < 200; columns++)
        for (size_t rows = 1; rows < 7; rows++) {
            size_t lines = make(rows, columns);

            assert_true(lines <= rows && lines <= 5);
            for (char *line = strtok(t.frame, "\n"); line; line = strtok(NULL, "\n")) {
                assert_true(sanitize_width(line, strlen(line)) <= columns);
                for (const char *c = line; *c; c++)
                    assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
                assert_null(strstr(line, "\xc2\x9b"));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(numbers_of_bytes, end),
        cmocka_unit_test_teardown(times, end),
        cmocka_unit_test_teardown(a_rate_is_right_from_the_first_look, end),
        cmocka_unit_test_teardown(a_rate_follows_in_seconds_not_in_frames, end),
        cmocka_unit_test_teardown(a_long_gap_is_one_look, end),
        cmocka_unit_test_teardown(time_left_only_when_it_is_known, end),
        cmocka_unit_test_teardown(a_stall_is_told_after_a_second, end),
        cmocka_unit_test_teardown(one_stream_has_no_total, end),
        cmocka_unit_test_teardown(an_empty_file_is_complete, end),
        cmocka_unit_test_teardown(percent_is_of_what_is_there, end),
        cmocka_unit_test_teardown(columns_are_those_of_all_lines, end),
        cmocka_unit_test_teardown(what_does_not_fit_is_left_out_of_all_lines, end),
        cmocka_unit_test_teardown(those_that_run_are_shown_first, end),
        cmocka_unit_test_teardown(hardly_a_terminal, end),
        cmocka_unit_test_teardown(the_total_of_what_was_stopped, end),
        cmocka_unit_test_teardown(the_total_says_how_many_have_failed, end),
        cmocka_unit_test_teardown(what_all_share_is_not_repeated, end),
        cmocka_unit_test_teardown(names_are_cut_by_characters, end),
        cmocka_unit_test_teardown(no_name_does_harm_at_any_size, end),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
