/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole runs in this process: pairs, fans and merges, and what becomes of the rest when one part of
 * them fails, stalls, or is stopped. What is copied is checked byte by byte, what is told event by
 * event.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "copy/copy.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { PLACES = 64, EVENTS = 256, TEXT = 4096, BIG = 3 << 20, LINGERS = 300000 };

static struct {
    const char *folder;
    char texts[PLACES][TEXT];
    struct place places[PLACES];
    size_t count;
    struct loop *loop;
    struct copy *copy;
    struct copy_options options;
    struct {
        enum copy_event_kind kind;
        size_t stream;
        char name[TEXT];
        char why[TEXT];
        int error;
        uint64_t bytes;
        uint64_t lines;
    } events[EVENTS];
    size_t event_count;
    bool is_over;
    int descriptors;
} run;

/* ---- a run ---- */

static void on_event(void *owner, const struct copy_event *event)
{
    size_t i = run.event_count++;

    (void)owner;
    assert_true(i < EVENTS);
    assert_false(run.is_over);
    run.events[i].kind = event->kind;
    run.events[i].stream = event->stream;
    snprintf(run.events[i].name, TEXT, "%s", event->name ? event->name : "");
    snprintf(run.events[i].why, TEXT, "%s", event->why ? event->why : "");
    run.events[i].error = event->error;
    run.events[i].bytes = event->bytes;
    run.events[i].lines = event->lines;
    run.is_over = event->kind == COPY_ENDED;
}

static int begin(void **state)
{
    (void)state;
    memset(&run, 0, sizeof run);
    signal(SIGPIPE, SIG_IGN);
    run.folder = kit_folder();
    run.descriptors = kit_descriptors(getpid());
    run.loop = loop_new(NULL);
    return run.loop ? 0 : -1;
}

static int finish(void **state)
{
    copy_free(run.copy);
    loop_free(run.loop);
    return kit_cleanup(state);
}

/* Every test ends with it: nothing is left open. */
static void close_run(void)
{
    copy_free(run.copy);
    run.copy = NULL;
    loop_free(run.loop);
    run.loop = NULL;
    assert_int_equal(kit_descriptors(getpid()), run.descriptors);
}

/* Returns the path of NAME in the test's folder, valid until the run ends. */
static const char *path_of(const char *name)
{
    static char paths[8][TEXT];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, TEXT, "%s/%s", run.folder, name);
    return path;
}

static void add_place(const char *text, bool is_source)
{
    const char *why = "";

    assert_true(run.count < PLACES);
    snprintf(run.texts[run.count], TEXT, "%s", text);
    if (place_parse(&run.places[run.count], run.texts[run.count], is_source, &why) < 0)
        fail_msg("%s: %s", text, why);
    run.count++;
}

static void add_file(const char *name, bool is_source)
{
    add_place(path_of(name), is_source);
}

static void new_copy(void)
{
    run.copy = copy_new(run.loop, &run.options, on_event, &run);
    assert_non_null(run.copy);
}

/* The places are pairs. */
static void start_pairs(void)
{
    new_copy();
    for (size_t i = 0; i + 1 < run.count; i += 2)
        assert_int_equal(copy_add_pair(run.copy, &run.places[i], &run.places[i + 1]), 0);
    assert_int_equal(copy_start(run.copy), 0);
}

static void start_fan(void)
{
    new_copy();
    assert_int_equal(copy_add_fan(run.copy, &run.places[0], &run.places[1], run.count - 1), 0);
    assert_int_equal(copy_start(run.copy), 0);
}

/* The destination is the last place. */
static void start_merge(void)
{
    new_copy();
    assert_int_equal(
        copy_add_merge(run.copy, &run.places[run.count - 1], run.places, run.count - 1), 0);
    assert_int_equal(copy_start(run.copy), 0);
}

static void await_end(unsigned status)
{
    turns_until(run.loop, run.is_over);
    assert_int_equal(copy_status(run.copy), status);
}

/* ---- what was told ---- */

static size_t count_events(enum copy_event_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < run.event_count; i++)
        count += run.events[i].kind == kind;
    return count;
}

static size_t find_event(enum copy_event_kind kind, const char *name)
{
    for (size_t i = 0; i < run.event_count; i++)
        if (run.events[i].kind == kind && strstr(run.events[i].name, name))
            return i;
    fail_msg("no event %d of %s", (int)kind, name);
    return 0;
}

static void expect_event(enum copy_event_kind kind, const char *name, int error)
{
    assert_int_equal(run.events[find_event(kind, name)].error, error);
}

static void await_event(enum copy_event_kind kind)
{
    turns_until(run.loop, count_events(kind) > 0);
}

/* ---- what is copied ---- */

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 131 + i / 257);
}

static void write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t written = write(fd, at, n);

        assert_true(written > 0);
        at += written;
        n -= (size_t)written;
    }
}

static void make_file(const char *name, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_non_null(bytes);
    assert_true(fd >= 0);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i);
    write_all(fd, bytes, size);
    close(fd);
    free(bytes);
}

static void make_text(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    write_all(fd, text, strlen(text));
    close(fd);
}

static size_t size_of(const char *name)
{
    struct stat status;

    assert_int_equal(stat(path_of(name), &status), 0);
    return (size_t)status.st_size;
}

static void expect_file(const char *name, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    FILE *file = fopen(path_of(name), "re");

    assert_non_null(bytes);
    assert_non_null(file);
    assert_int_equal(size_of(name), size);
    assert_int_equal(fread(bytes, 1, size, file), size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(i))
            fail_msg("%s: byte %zu is wrong", name, i);
    fclose(file);
    free(bytes);
}

static void expect_text(const char *name, const char *text)
{
    char bytes[TEXT];
    FILE *file = fopen(path_of(name), "re");

    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

static void expect_nothing(const char *name)
{
    assert_int_equal(access(path_of(name), F_OK), -1);
}

/* Makes a fifo and opens both ends for the test: what it does not read stays in there. */
static int make_fifo(const char *name)
{
    int fd;

    assert_int_equal(mkfifo(path_of(name), 0600), 0);
    fd = open(path_of(name), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* A source that has more than any queue holds: it writes whenever there is room. */
struct feeder {
    struct watch watch;
    size_t sent;
    size_t size;
};

static void feed(void *owner, unsigned ready)
{
    struct feeder *feeder = owner;
    unsigned char bytes[16384];
    size_t n = feeder->size - feeder->sent;
    ssize_t written;

    (void)ready;
    if (n > sizeof bytes)
        n = sizeof bytes;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(feeder->sent + i);
    written = write(feeder->watch.fd, bytes, n);
    if (written > 0)
        feeder->sent += (size_t)written;
    if (feeder->sent == feeder->size)
        watch_close(&feeder->watch, NULL);
}

/* Feeds SIZE bytes into the place fd:N that it adds as the source. */
static void start_feeder(struct feeder *feeder, size_t size)
{
    char text[32];
    int ends[2];

    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    snprintf(text, sizeof text, "fd:%d", ends[0]);
    add_place(text, true);
    *feeder = (struct feeder){.size = size};
    watch_init(&feeder->watch, feed, feeder);
    assert_int_equal(watch_start(&feeder->watch, run.loop, ends[1], POLLER_OUT), 0);
}

/* ---- pairs ---- */

static void pairs_are_copied(void **state)
{
    struct copy_view view;

    (void)state;
    make_file("a", BIG);
    make_file("b", 0);
    make_file("c", 1);
    add_file("a", true);
    add_file("a.copy", false);
    add_file("b", true);
    add_file("b.copy", false);
    add_file("c", true);
    add_file("c.copy", false);
    start_pairs();
    assert_int_equal(copy_stream_count(run.copy), 3);
    await_end(0);
    expect_file("a.copy", BIG);
    expect_file("b.copy", 0);
    expect_file("c.copy", 1);
    assert_int_equal(copy_total(run.copy), BIG + 1);
    assert_int_equal(count_events(COPY_OPENED), 3);
    assert_int_equal(count_events(COPY_DONE), 3);
    copy_look(run.copy, 0, &view);
    assert_int_equal(view.copied, BIG);
    assert_int_equal(view.size, BIG);
    assert_int_equal(view.state, COPY_COMPLETE);
    assert_string_equal(view.source, path_of("a"));
    close_run();
}

static void source_that_is_not_there_makes_no_destination(void **state)
{
    (void)state;
    make_file("b", 1000);
    add_file("missing", true);
    add_file("made", false);
    add_file("b", true);
    add_file("b.copy", false);
    start_pairs();
    await_end(COPY_SOURCE);
    expect_event(COPY_SOURCE_FAILED, "missing", ENOENT);
    expect_nothing("made");
    expect_file("b.copy", 1000);
    close_run();
}

static void destination_that_cannot_be_leaves_the_others(void **state)
{
    (void)state;
    make_file("a", 1000);
    add_file("a", true);
    add_file("no/such/folder", false);
    add_file("a", true);
    add_file("copy", false);
    start_pairs();
    await_end(COPY_DEST);
    expect_event(COPY_DEST_FAILED, "no/such/folder", ENOENT);
    expect_file("copy", 1000);
    close_run();
}

/* One that takes nothing, and one that nobody opens. */
static void pairs_are_detached(void **state)
{
    int fifo;

    (void)state;
    make_file("a", BIG);
    fifo = make_fifo("stalled");
    assert_int_equal(mkfifo(path_of("nobody"), 0600), 0);
    add_file("a", true);
    add_file("stalled", false);
    add_file("a", true);
    add_file("nobody", false);
    add_file("a", true);
    add_file("x", false);
    run.options.slow = SPLIT_DETACH;
    start_pairs();
    await_end(COPY_LOST);
    expect_file("x", BIG);
    expect_event(COPY_DETACHED, "stalled", ETIMEDOUT);
    expect_event(COPY_DETACHED, "nobody", ETIMEDOUT);
    close(fifo);
    close_run();
}

static void stops_on_error_where_it_is_told_to(void **state)
{
    int fifo;

    (void)state;
    fifo = make_fifo("fifo");
    add_file("fifo", true);
    add_file("copy", false);
    add_file("missing", true);
    add_file("made", false);
    run.options.stops_on_error = true;
    start_pairs();
    await_end(COPY_SOURCE);
    expect_nothing("copy");
    expect_nothing("made");
    close(fifo);
    close_run();
}

static void interruption_leaves_the_old_file(void **state)
{
    int fifo;

    (void)state;
    make_text("copy", "old");
    fifo = make_fifo("fifo");
    add_file("fifo", true);
    add_file("copy", false);
    start_pairs();
    await_event(COPY_OPENED);
    write_all(fifo, "new", 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_look(run.loop), 0);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    expect_text("copy", "old");
    close(fifo);
    close_run();
}

/* More pairs than descriptors: they wait for each other, and all are copied. */
static void descriptors_that_are_out_are_waited_for(void **state)
{
    struct rlimit before, limit;
    char name[32];

    (void)state;
    make_file("a", 100000);
    for (int i = 0; i < PLACES / 2; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        add_file("a", true);
        add_file(name, false);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)kit_descriptors(getpid()) + 12;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start_pairs();
    turns_until(run.loop, run.is_over);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(copy_status(run.copy), 0);
    for (int i = 0; i < PLACES / 2; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        expect_file(name, 100000);
    }
    close_run();
}

/* Where each of them reads at is measured once: the offset is not theirs alone. */
static void descriptors_that_are_out_do_not_move_what_is_shared(void **state)
{
    struct rlimit before, limit;
    char name[32];
    int fd;

    (void)state;
    make_file("a", 100000);
    fd = open(path_of("a"), O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof name, "fd:%d", fd);
    add_place(name, true);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        add_file(name, false);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)kit_descriptors(getpid()) + 12;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start_fan();
    turns_until(run.loop, run.is_over);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(copy_status(run.copy), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        expect_file(name, 100000);
    }
    close(fd);
    close_run();
}

/* A writer that has come to a fifo is not sent away, and gets its turn. */
static void fifos_wait_for_descriptors(void **state)
{
    enum { FIFOS = 20 };
    struct rlimit before, limit;
    int fifos[FIFOS];
    char name[32];

    (void)state;
    for (int i = 0; i < FIFOS; i++) {
        snprintf(name, sizeof name, "fifo%d", i);
        fifos[i] = make_fifo(name);
        write_all(fifos[i], "hello", 5);
        add_file(name, true);
        snprintf(name, sizeof name, "copy%d", i);
        add_file(name, false);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)kit_descriptors(getpid()) + FIFOS + 6;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start_pairs();
    for (int i = 0; i < FIFOS; i++) {
        while (copy_total(run.copy) < 5 * (uint64_t)(i + 1) &&
               count_events(COPY_OPENED) <= (size_t)i)
            assert_int_equal(loop_turn(run.loop), 0);
        close(fifos[i]);
    }
    turns_until(run.loop, run.is_over);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(copy_status(run.copy), 0);
    assert_int_equal(copy_total(run.copy), 5 * FIFOS);
    close_run();
}

static void descriptors_that_never_come_are_not_waited_for(void **state)
{
    struct rlimit before, limit;

    (void)state;
    make_file("a", 100);
    add_file("a", true);
    add_file("copy", false);
    add_file("a", true);
    add_file("copy2", false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    new_copy();
    copy_add_pair(run.copy, &run.places[0], &run.places[1]);
    copy_add_pair(run.copy, &run.places[2], &run.places[3]);
    limit.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(copy_start(run.copy), 0);
    turns_until(run.loop, run.is_over);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(copy_status(run.copy), COPY_SOURCE);
    assert_int_equal(count_events(COPY_SOURCE_FAILED), 2);
    expect_event(COPY_SOURCE_FAILED, "a", EMFILE);
    close_run();
}

/* The port that the kernel picked is told at once: nobody could connect otherwise. */
static void who_waits_for_a_client_says_where(void **state)
{
    char bytes[8];
    unsigned port = 0;
    int peer;

    (void)state;
    make_text("a", "hello");
    add_file("a", true);
    add_place("tcp-listen:127.0.0.1:0", false);
    start_pairs();
    await_event(COPY_WAITS);
    assert_string_equal(run.events[0].name, "tcp-listen:127.0.0.1:0");
    assert_int_equal(sscanf(run.events[0].why, "waiting for a client at 127.0.0.1:%u", &port), 1);
    run.descriptors++; /* the client, which kit_cleanup closes */
    peer = kit_connect((uint16_t)port);
    await_end(0);
    kit_receive_all(peer, bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    close_run();
}

/* Copies to a peer that has little room, until all that it has not read is in the kernel. */
static int start_lingering(size_t size)
{
    struct copy_view view = {.state = COPY_OPENING};
    int room = 16384;
    uint16_t port;
    int listener = kit_listen(&port);
    int peer;
    char text[64];

    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    make_file("a", size);
    add_file("a", true);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    add_place(text, false);
    start_pairs();
    await_event(COPY_OPENED);
    peer = kit_accept(listener);
    run.descriptors += 2; /* which kit_cleanup closes */
    turns_until(run.loop, (copy_look(run.copy, 0, &view), view.state >= COPY_FINISHING));
    assert_int_equal(view.state, COPY_FINISHING);
    return peer;
}

/* Returns whether there is no more. */
static bool peer_answers(int peer, size_t *read)
{
    char bytes[4096];
    ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0)
        assert_int_equal(errno, EAGAIN);
    if (n <= 0)
        return n == 0;
    *read += (size_t)n;
    kit_send(peer, "ack\n", 4);
    return false;
}

static void a_peer_that_answers_gets_everything(void **state)
{
    size_t read = 0;
    int peer = start_lingering(LINGERS);

    (void)state;
    turns_until(run.loop, peer_answers(peer, &read));
    assert_int_equal(read, LINGERS);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    await_end(0);
    assert_int_equal(copy_total(run.copy), LINGERS);
    close_run();
}

static void a_peer_that_resets_is_a_failure(void **state)
{
    (void)state;
    kit_reset(start_lingering(LINGERS));
    run.descriptors--;
    await_end(COPY_DEST);
    expect_event(COPY_DEST_FAILED, run.texts[1], ECONNRESET);
    close_run();
}

static void a_peer_that_takes_nothing_is_detached(void **state)
{
    (void)state;
    run.options.slow = SPLIT_DETACH;
    run.options.detach_ns = CLOCK_MILLISECOND;
    start_lingering(LINGERS);
    await_end(COPY_LOST);
    expect_event(COPY_DETACHED, run.texts[1], ETIMEDOUT);
    close_run();
}

static void interruption_waits_for_no_peer(void **state)
{
    (void)state;
    start_lingering(LINGERS);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    close_run();
}

/* ---- fans ---- */

static void fan_of_a_file_goes_at_each_ones_pace(void **state)
{
    int fifo;

    (void)state;
    make_file("a", BIG);
    fifo = make_fifo("stalled");
    add_file("a", true);
    add_file("x", false);
    add_file("stalled", false);
    add_file("y", false);
    start_fan();
    turns_until(run.loop, count_events(COPY_DONE) >= 2);
    expect_file("x", BIG);
    expect_file("y", BIG);
    assert_false(run.is_over);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    close(fifo);
    close_run();
}

static void fan_of_a_pipe_reaches_all(void **state)
{
    struct feeder feeder;

    (void)state;
    start_feeder(&feeder, BIG);
    add_file("x", false);
    add_file("y", false);
    add_file("z", false);
    start_fan();
    await_end(0);
    expect_file("x", BIG);
    expect_file("y", BIG);
    expect_file("z", BIG);
    assert_int_equal(copy_total(run.copy), 3 * BIG);
    close(run.places[0].fd);
    close_run();
}

/* What the stalled one has not got is counted, to the byte. */
static void fan_of_a_pipe_drops(void **state)
{
    struct feeder feeder;
    struct copy_view view;
    int fifo;

    (void)state;
    fifo = make_fifo("stalled");
    start_feeder(&feeder, BIG);
    add_file("x", false);
    add_file("stalled", false);
    run.options.slow = SPLIT_DROP;
    start_fan();
    await_event(COPY_DONE);
    expect_file("x", BIG);
    copy_look(run.copy, 1, &view);
    assert_true(view.dropped > 0);
    assert_int_equal(view.dropped + view.queued + view.copied, BIG);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED | COPY_LOST);
    expect_event(COPY_DROPPED, "stalled", 0);
    close(fifo);
    close(run.places[0].fd);
    close_run();
}

static void fan_of_a_pipe_detaches_at_once(void **state)
{
    struct feeder feeder;
    int fifo;

    (void)state;
    fifo = make_fifo("stalled");
    start_feeder(&feeder, BIG);
    add_file("x", false);
    add_file("stalled", false);
    run.options.slow = SPLIT_DETACH;
    start_fan();
    await_end(COPY_LOST);
    expect_file("x", BIG);
    find_event(COPY_DETACHED, "stalled"); /* by whoever looks first */
    close(fifo);
    close(run.places[0].fd);
    close_run();
}

static void fan_of_a_pipe_detaches_after_a_while(void **state)
{
    struct feeder feeder;
    int fifo;

    (void)state;
    fifo = make_fifo("stalled");
    assert_int_equal(mkfifo(path_of("nobody"), 0600), 0);
    start_feeder(&feeder, BIG);
    add_file("x", false);
    add_file("stalled", false);
    add_file("nobody", false);
    run.options.slow = SPLIT_DETACH;
    run.options.detach_ns = 50 * CLOCK_MILLISECOND;
    start_fan();
    await_end(COPY_LOST);
    expect_file("x", BIG);
    expect_event(COPY_DETACHED, "stalled", ETIMEDOUT);
    expect_event(COPY_DETACHED, "nobody", ETIMEDOUT);
    close(fifo);
    close(run.places[0].fd);
    close_run();
}

/* A connection that is reset is no end: no file appears. */
static void fan_whose_source_fails_completes_nothing(void **state)
{
    struct linger linger = {.l_onoff = 1};
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);
    int peer;

    (void)state;
    run.descriptors++; /* the listener */
    make_text("y", "old");
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    add_place(text, true);
    add_file("x", false);
    add_file("y", false);
    start_fan();
    assert_int_equal(loop_look(run.loop), 0);
    peer = kit_accept(listener);
    write_all(peer, "half", 4);
    turns_until(run.loop, copy_total(run.copy) >= 8);
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(peer);
    await_end(COPY_SOURCE);
    expect_event(COPY_SOURCE_FAILED, text, ECONNRESET);
    expect_nothing("x");
    expect_text("y", "old");
    close_run();
}

/* The failure of its source stops it behind a destination that takes nothing, too. */
static void fan_stops_on_error_of_its_source(void **state)
{
    struct linger linger = {.l_onoff = 1};
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);
    int fifo, peer;

    (void)state;
    fifo = make_fifo("stalled");
    run.descriptors++; /* the listener */
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    add_place(text, true);
    add_file("stalled", false);
    add_file("x", false);
    run.options.stops_on_error = true;
    start_fan();
    assert_int_equal(loop_look(run.loop), 0);
    peer = kit_accept(listener);
    for (int i = 0; i < 64; i++)
        write_all(peer, run.texts, 65536);
    turns_until(run.loop, copy_total(run.copy) >= 65536);
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(peer);
    turns_until(run.loop, run.is_over);
    assert_int_equal(copy_status(run.copy), COPY_SOURCE);
    expect_nothing("x");
    close(fifo);
    close_run();
}

static void fan_survives_a_destination(void **state)
{
    struct feeder feeder;

    (void)state;
    start_feeder(&feeder, BIG);
    add_file("no/such/folder", false);
    add_file("x", false);
    add_place("/dev/full", false);
    start_fan();
    await_end(COPY_DEST);
    expect_file("x", BIG);
    expect_event(COPY_DEST_FAILED, "/dev/full", ENOSPC);
    expect_event(COPY_DEST_FAILED, "no/such/folder", ENOENT);
    close(run.places[0].fd);
    close_run();
}

static void fan_without_destinations_left_ends(void **state)
{
    struct feeder feeder;

    (void)state;
    start_feeder(&feeder, BIG);
    add_place("/dev/full", false);
    add_file("no/such/folder", false);
    start_fan();
    await_end(COPY_DEST);
    watch_close(&feeder.watch, NULL);
    close(run.places[0].fd);
    close_run();
}

/* A pair may drop, too: then it is a fan of one. */
static void pair_drops(void **state)
{
    struct feeder feeder;
    int fifo;

    (void)state;
    fifo = make_fifo("stalled");
    start_feeder(&feeder, 3 * BIG);
    add_file("stalled", false);
    run.options.slow = SPLIT_DROP;
    start_pairs();
    turns_until(run.loop, feeder.sent >= 3 * BIG);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED | COPY_LOST);
    close(fifo);
    close(run.places[0].fd);
    close_run();
}

/* ---- merges ---- */

static void merge_keeps_lines_whole(void **state)
{
    (void)state;
    make_text("a", "a1\na2\n");
    make_text("b", "b1\nb2");
    add_file("a", true);
    add_file("b", true);
    add_file("out", false);
    start_merge();
    await_end(0);
    assert_int_equal(size_of("out"), 12);
    assert_int_equal(copy_total(run.copy), 12);
    assert_int_equal(count_events(COPY_DONE), 2);
    close_run();
}

static void merge_survives_a_source(void **state)
{
    (void)state;
    make_text("a", "a1\n");
    add_file("missing", true);
    add_file("a", true);
    add_file("out", false);
    start_merge();
    await_end(COPY_SOURCE);
    expect_event(COPY_SOURCE_FAILED, "missing", ENOENT);
    expect_text("out", "a1\n");
    close_run();
}

static void merge_ends_with_its_destination(void **state)
{
    int fifo;

    (void)state;
    fifo = make_fifo("source");
    make_file("big", BIG);
    add_file("source", true);
    add_file("big", true);
    add_place("/dev/full", false);
    start_merge();
    await_end(COPY_DEST);
    expect_event(COPY_DEST_FAILED, "/dev/full", ENOSPC);
    close(fifo);
    close_run();
}

static void merge_cuts_long_lines(void **state)
{
    (void)state;
    make_text("a", "0123456789\n");
    make_file("b", 0);
    add_file("a", true);
    add_file("out", false);
    run.options.buffer = 4096;
    start_merge();
    await_end(0);
    expect_text("out", "0123456789\n");
    close_run();
}

/* ---- following ---- */

/* Its destination is complete when somebody says so. */
static void followed_file_is_ended_in_order(void **state)
{
    (void)state;
    make_text("log", "one\n");
    add_file("log", true);
    add_file("out", false);
    run.options.follows = true;
    start_pairs();
    turns_until(run.loop, copy_total(run.copy) >= 4);
    make_text("more", "two\n");
    assert_int_equal(rename(path_of("more"), path_of("log")), 0);
    await_event(COPY_FILE_REPLACED);
    turns_until(run.loop, copy_total(run.copy) >= 8);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    expect_text("out", "one\ntwo\n");
    close_run();
}

static void followed_file_may_come_later(void **state)
{
    (void)state;
    add_file("log", true);
    add_file("out", false);
    run.options.follows = true;
    start_pairs();
    await_event(COPY_FILE_GONE);
    make_text("log", "one\n");
    turns_until(run.loop, copy_total(run.copy) >= 4);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    expect_text("out", "one\n");
    close_run();
}

/* What the sources brought before the interruption arrives. */
static void followed_merge_is_ended_in_order(void **state)
{
    (void)state;
    make_text("a", "a1\n");
    make_text("b", "b1\n");
    add_file("a", true);
    add_file("b", true);
    add_file("out", false);
    run.options.follows = true;
    start_merge();
    turns_until(run.loop, copy_total(run.copy) >= 6);
    copy_interrupt(run.copy);
    await_end(COPY_INTERRUPTED);
    assert_int_equal(size_of("out"), 6);
    close_run();
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(pairs_are_copied),
        RUN(source_that_is_not_there_makes_no_destination),
        RUN(destination_that_cannot_be_leaves_the_others),
        RUN(pairs_are_detached),
        RUN(stops_on_error_where_it_is_told_to),
        RUN(interruption_leaves_the_old_file),
        RUN(descriptors_that_are_out_are_waited_for),
        RUN(descriptors_that_are_out_do_not_move_what_is_shared),
        RUN(fifos_wait_for_descriptors),
        RUN(descriptors_that_never_come_are_not_waited_for),
        RUN(who_waits_for_a_client_says_where),
        RUN(a_peer_that_answers_gets_everything),
        RUN(a_peer_that_resets_is_a_failure),
        RUN(a_peer_that_takes_nothing_is_detached),
        RUN(interruption_waits_for_no_peer),
        RUN(fan_of_a_file_goes_at_each_ones_pace),
        RUN(fan_of_a_pipe_reaches_all),
        RUN(fan_of_a_pipe_drops),
        RUN(fan_of_a_pipe_detaches_at_once),
        RUN(fan_of_a_pipe_detaches_after_a_while),
        RUN(fan_whose_source_fails_completes_nothing),
        RUN(fan_stops_on_error_of_its_source),
        RUN(fan_survives_a_destination),
        RUN(fan_without_destinations_left_ends),
        RUN(pair_drops),
        RUN(merge_keeps_lines_whole),
        RUN(merge_survives_a_source),
        RUN(merge_ends_with_its_destination),
        RUN(merge_cuts_long_lines),
        RUN(followed_file_is_ended_in_order),
        RUN(followed_file_may_come_later),
        RUN(followed_merge_is_ended_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
