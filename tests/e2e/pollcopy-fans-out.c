/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One source to four destinations, one of which takes nothing, dies, or is not there: what the
 * other three get, what is said, and the exit status.
 *
 * The destinations are fifos that the test reads. Where a destination that does not keep up would
 * lose something, what the source brings goes no further ahead of the three than their queues hold:
 * so nothing depends on who is how fast.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif

#include "base/clock.h"
#include "e2e/backends.h"
#include "kit/random.h"

enum { CONTENT = 4 << 20, LEAD = 512 << 10, SINKS = 4, STALLED = 2, PATH = 600 };

static char content[CONTENT];
static const char *folder;

/* One who reads a destination. */
struct sink {
    int fd; /* -1: closed */
    bool is_stalled;
    bool at_end;
    size_t length; /* of the content, from its beginning */
};

struct fan {
    struct sink sinks[SINKS];
    struct kit_process *process;
    int feed; /* the source's other end; -1: none, or all is written */
    size_t size;
    size_t fed;
    size_t lead; /* what is fed goes no further ahead of those who are not stalled */
};

/* ---- places ---- */

static const char *name(const char *file)
{
    static char paths[16][PATH];
    static unsigned turn;
    char *path = paths[turn++ % 16];

    snprintf(path, PATH, "%s/%s", folder, file);
    return path;
}

static const char *sink_name(int i)
{
    static const char *const names[SINKS] = {"a", "b", "stalled", "c"};

    return name(names[i]);
}

static void make_content_file(size_t size)
{
    int fd = open(name("source"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    assert_int_equal(close(fd), 0);
}

static void open_sink(struct fan *fan, int i)
{
    unlink(sink_name(i));
    assert_int_equal(mkfifo(sink_name(i), 0600), 0);
    fan->sinks[i].fd = open(sink_name(i), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fan->sinks[i].fd >= 0);
}

static void close_sink(struct sink *sink)
{
    if (sink->fd >= 0)
        close(sink->fd);
    sink->fd = -1;
}

static void begin(struct fan *fan, size_t size)
{
    folder = kit_folder();
    *fan = (struct fan){.feed = -1, .size = size, .lead = SIZE_MAX};
    for (int i = 0; i < SINKS; i++)
        open_sink(fan, i);
}

static void start(struct fan *fan, const char *backend, const char *slow, const char *source)
{
    char option[32];

    snprintf(option, sizeof option, "--slow=%s", slow);
    fan->process = kit_run("pollcopy", "-b", backend, option, "--fan", source, sink_name(0),
                           sink_name(1), sink_name(2), sink_name(3), NULL);
}

/* Feeds through FD from now on. */
static void feed(struct fan *fan, int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
    fan->feed = fd;
}

/* Makes a fifo the source; the reading end that is opened here lets the test open the other. */
static const char *feed_fifo(struct fan *fan)
{
    int reader;

    unlink(name("source"));
    assert_int_equal(mkfifo(name("source"), 0600), 0);
    reader = open(name("source"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    feed(fan, open(name("source"), O_WRONLY | O_NONBLOCK));
    close(reader);
    return name("source");
}

/* ---- what flows ---- */

static void sink_read(struct sink *sink)
{
    static char bytes[64 << 10];
    ssize_t n = read(sink->fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    assert_true(n >= 0);
    assert_true(sink->length + (size_t)n <= CONTENT);
    assert_memory_equal(bytes, content + sink->length, (size_t)n);
    sink->length += (size_t)n;
    sink->at_end = n == 0;
}

static bool sink_is_over(const struct sink *sink)
{
    return sink->fd < 0 || sink->is_stalled || sink->at_end;
}

/* Returns how far all have come who are to get everything. */
static size_t fan_least(const struct fan *fan)
{
    size_t least = SIZE_MAX;

    for (int i = 0; i < SINKS; i++)
        if (!sink_is_over(&fan->sinks[i]) && fan->sinks[i].length < least)
            least = fan->sinks[i].length;
    return least;
}

static size_t fan_feedable(const struct fan *fan)
{
    size_t least = fan_least(fan);
    size_t limit = least < SIZE_MAX && fan->lead < SIZE_MAX - least ? least + fan->lead : SIZE_MAX;

    limit = limit < fan->size ? limit : fan->size;
    return limit > fan->fed ? limit - fan->fed : 0;
}

/* A fifo breaks as long as the program has not opened it. */
static void fan_feed(struct fan *fan)
{
    ssize_t n = write(fan->feed, content + fan->fed, fan_feedable(fan));

    if (n < 0 && errno == EPIPE && fan->fed == 0) {
        poll(NULL, 0, 1);
        return;
    }
    assert_true(n >= 0 || errno == EAGAIN || errno == EINTR);
    fan->fed += n < 0 ? 0 : (size_t)n;
    if (fan->fed < fan->size)
        return;
    close(fan->feed);
    fan->feed = -1;
}

/* Fills ASKED with who can go on; returns whether there is anybody. */
static bool fan_ask(const struct fan *fan, struct pollfd asked[SINKS + 1])
{
    bool is_flowing = fan->feed >= 0;

    for (int i = 0; i < SINKS; i++) {
        const struct sink *sink = &fan->sinks[i];

        asked[i] = (struct pollfd){.fd = sink_is_over(sink) ? -1 : sink->fd, .events = POLLIN};
        is_flowing = is_flowing || !sink_is_over(sink);
    }
    asked[SINKS] = (struct pollfd){.fd = fan->feed >= 0 && fan_feedable(fan) > 0 ? fan->feed : -1,
                                   .events = POLLOUT};
    return is_flowing;
}

/* Makes all flow until all who read are at their ends, or have SIZE bytes. */
static void flow(struct fan *fan, size_t size)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct pollfd asked[SINKS + 1];

    while (fan_ask(fan, asked) && fan_least(fan) < size) {
        assert_true(poll(asked, SINKS + 1, 1000) >= 0);
        for (int i = 0; i < SINKS; i++)
            if (asked[i].fd >= 0 && asked[i].revents)
                sink_read(&fan->sinks[i]);
        if (asked[SINKS].fd >= 0 && asked[SINKS].revents)
            fan_feed(fan);
        if (clock_now() > deadline)
            fail_msg("the destinations get nothing more: %s", kit_stderr(fan->process));
    }
}

static void assert_complete(const struct fan *fan, int i)
{
    assert_true(fan->sinks[i].at_end);
    assert_int_equal(fan->sinks[i].length, fan->size);
}

static void assert_three_complete(const struct fan *fan)
{
    for (int i = 0; i < SINKS; i++)
        if (i != STALLED)
            assert_complete(fan, i);
}

/* What it has is the beginning of the content, and what it has not was told. */
static void assert_dropped(struct fan *fan, int i)
{
    char said[PATH + 100];

    snprintf(said, sizeof said, "pollcopy: %s: dropped %zu bytes: the destination was too slow\n",
             sink_name(i), fan->size - fan->sinks[i].length);
    assert_string_equal(kit_stderr(fan->process), said);
}

static void assert_says(struct fan *fan, int i, const char *text)
{
    char said[PATH + 100];

    snprintf(said, sizeof said, "pollcopy: %s: %s\n", sink_name(i), text);
    assert_string_equal(kit_stderr(fan->process), said);
}

/* By its own stream or by the split, whoever looks first. */
static void assert_detached(struct fan *fan, int i)
{
    const char *text = kit_stderr(fan->process);
    char said[PATH + 100];

    snprintf(said, sizeof said, "pollcopy: %s: detached: it", sink_name(i));
    assert_memory_equal(text, said, strlen(said));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void end(struct fan *fan)
{
    char total[64];
    size_t sum = 0;

    for (int i = 0; i < SINKS; i++) {
        sum += fan->sinks[i].length;
        close_sink(&fan->sinks[i]);
    }
    snprintf(total, sizeof total, "Number of bytes copied %zu\n", sum);
    assert_string_equal(kit_stdout(fan->process, NULL), total);
}

/* ---- one that takes nothing ---- */

/* Three are complete while it stands; then it goes on. */
static void stand_and_go_on(struct fan *fan)
{
    fan->sinks[STALLED].is_stalled = true;
    flow(fan, SIZE_MAX);
    assert_three_complete(fan);
    fan->sinks[STALLED].is_stalled = false;
    flow(fan, SIZE_MAX);
    assert_true(fan->sinks[STALLED].at_end);
}

/* Three are complete, and the whole ends while it stands. */
static void stand_and_be_detached(struct fan *fan)
{
    fan->sinks[STALLED].is_stalled = true;
    flow(fan, SIZE_MAX);
    assert_three_complete(fan);
    assert_int_equal(kit_end(fan->process), 16);
    assert_detached(fan, STALLED);
    fan->sinks[STALLED].is_stalled = false;
    flow(fan, SIZE_MAX);
    assert_true(fan->sinks[STALLED].length < fan->size);
    end(fan);
}

static void of_a_file(void **state)
{
    static const char *const policies[] = {"block", "drop"};
    const char *backend = backend_of(state);

    for (int i = 0; i < 2; i++) {
        struct fan fan;

        begin(&fan, CONTENT);
        make_content_file(CONTENT);
        start(&fan, backend, policies[i], name("source"));
        stand_and_go_on(&fan);
        assert_complete(&fan, STALLED); /* it has a pace of its own */
        assert_int_equal(kit_end(fan.process), 0);
        assert_string_equal(kit_stderr(fan.process), "");
        end(&fan);
    }
}

static void of_a_file_detached(void **state)
{
    const char *backend = backend_of(state);
    struct fan fan;

    begin(&fan, CONTENT);
    make_content_file(CONTENT);
    start(&fan, backend, "detach=0.2", name("source"));
    stand_and_be_detached(&fan);
}

static void of_a_pipe_that_drops(void **state)
{
    const char *backend = backend_of(state);
    struct fan fan;

    begin(&fan, CONTENT);
    fan.lead = LEAD;
    start(&fan, backend, "drop", feed_fifo(&fan));
    stand_and_go_on(&fan);
    assert_true(fan.sinks[STALLED].length < CONTENT);
    assert_int_equal(kit_end(fan.process), 16);
    assert_dropped(&fan, STALLED);
    end(&fan);
}

static void of_a_pipe_detached(void **state)
{
    const char *backend = backend_of(state);
    struct fan fan;

    begin(&fan, CONTENT);
    fan.lead = LEAD;
    start(&fan, backend, "detach=0", feed_fifo(&fan));
    stand_and_be_detached(&fan);
    begin(&fan, CONTENT);
    fan.lead = LEAD;
    start(&fan, backend, "detach=0.2", feed_fifo(&fan));
    stand_and_be_detached(&fan);
}

/* The others wait when its queue is full, and nothing is lost. */
static void of_a_pipe_that_blocks(void **state)
{
    const char *backend = backend_of(state);
    struct fan fan;

    begin(&fan, CONTENT);
    start(&fan, backend, "block", feed_fifo(&fan));
    fan.sinks[STALLED].is_stalled = true;
    flow(&fan, LEAD);
    assert_true(fan.sinks[0].length >= LEAD);
    fan.sinks[STALLED].is_stalled = false;
    flow(&fan, SIZE_MAX);
    assert_three_complete(&fan);
    assert_complete(&fan, STALLED);
    assert_int_equal(kit_end(fan.process), 0);
    assert_string_equal(kit_stderr(fan.process), "");
    end(&fan);
}

/* ---- other sources ---- */

static void of_a_socket(void **state)
{
    struct fan fan;
    char place[PATH + 10];
    int listener;

    (void)state;
    begin(&fan, CONTENT);
    fan.lead = LEAD;
    listener = kit_listen_unix(name("socket"));
    snprintf(place, sizeof place, "unix:%s", name("socket"));
    start(&fan, "auto", "drop", place);
    feed(&fan, kit_accept(listener));
    stand_and_go_on(&fan);
    if (fan.sinks[STALLED].length < CONTENT) { /* a queue may hold many times its size of these */
        assert_int_equal(kit_end(fan.process), 16);
        assert_dropped(&fan, STALLED);
    } else {
        assert_int_equal(kit_end(fan.process), 0);
    }
    end(&fan);
}

/* Lines, and the character that ends a file on a terminal (termios(3), VEOF). */
static void of_a_terminal(void **state)
{
    struct fan fan;
    int master, slave;
    char path[PATH];

    (void)state;
    begin(&fan, 0);
    memset(content, 'x', 1000);
    for (int i = 99; i < 1000; i += 100)
        content[i] = '\n';
    assert_int_equal(openpty(&master, &slave, path, NULL, NULL), 0);
    start(&fan, "auto", "drop", path);
    assert_int_equal(write(master, content, 1000), 1000);
    flow(&fan, 1000);
    assert_int_equal(write(master, "\004", 1), 1);
    flow(&fan, SIZE_MAX);
    fan.size = 1000;
    for (int i = 0; i < SINKS; i++)
        assert_complete(&fan, i);
    assert_int_equal(kit_end(fan.process), 0);
    end(&fan);
    close(master);
    close(slave);
}

/* ---- one that dies, and one that is not there ---- */

static void one_that_dies_hurts_nobody(void **state)
{
    static const char *const policies[] = {"block", "drop", "detach=0", "detach=0.2"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fan fan;

        begin(&fan, CONTENT);
        fan.lead = LEAD / 2;
        start(&fan, "auto", policies[i], feed_fifo(&fan));
        flow(&fan, 1000);
        close_sink(&fan.sinks[STALLED]);
        flow(&fan, SIZE_MAX);
        assert_three_complete(&fan);
        assert_int_equal(kit_end(fan.process), 8);
        assert_says(&fan, STALLED, strerror(EPIPE));
    }
}

static void one_that_is_not_there_hurts_nobody(void **state)
{
    static const char *const policies[] = {"block", "drop", "detach=0", "detach=0.2"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fan fan;

        begin(&fan, CONTENT);
        fan.lead = LEAD;
        close_sink(&fan.sinks[STALLED]);
        assert_int_equal(unlink(sink_name(STALLED)), 0);
        assert_int_equal(mkdir(sink_name(STALLED), 0700), 0);
        start(&fan, "auto", policies[i], feed_fifo(&fan));
        flow(&fan, SIZE_MAX);
        assert_three_complete(&fan);
        assert_int_equal(kit_end(fan.process), 8);
        assert_says(&fan, STALLED, "Is a directory: write DIR/NAME");
        end(&fan);
        assert_int_equal(rmdir(sink_name(STALLED)), 0);
    }
}

static void all_that_die_end_it(void **state)
{
    struct fan fan;

    (void)state;
    begin(&fan, CONTENT);
    start(&fan, "auto", "block", feed_fifo(&fan));
    flow(&fan, 1000);
    for (int i = 0; i < SINKS; i++)
        close_sink(&fan.sinks[i]);
    while (fan.feed >= 0) {
        ssize_t n = write(fan.feed, content, 1000);

        if (n < 0 && errno == EPIPE)
            break;
        assert_true(n > 0 || errno == EAGAIN);
        poll(NULL, 0, 1);
    }
    close(fan.feed);
    assert_int_equal(kit_end(fan.process), 8);
}

static int prepare(void **state)
{
    uint32_t seed = 20051122;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < CONTENT; i++)
        content[i] = (char)kit_random(&seed, 256);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(of_a_file),
        ON_EVERY_BACKEND(of_a_file_detached),
        ON_EVERY_BACKEND(of_a_pipe_that_drops),
        ON_EVERY_BACKEND(of_a_pipe_detached),
        ON_EVERY_BACKEND(of_a_pipe_that_blocks),
        cmocka_unit_test_teardown(of_a_socket, kit_cleanup),
        cmocka_unit_test_teardown(one_that_dies_hurts_nobody, kit_cleanup),
        cmocka_unit_test_teardown(one_that_is_not_there_hurts_nobody, kit_cleanup),
        cmocka_unit_test_teardown(all_that_die_end_it, kit_cleanup),
        cmocka_unit_test_teardown(of_a_terminal, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
