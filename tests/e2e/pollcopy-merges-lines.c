/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several sources to one destination: every line comes out once and whole, those of each source in
 * order, whatever pieces they came in; what is dropped or cut is told.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/backends.h"
#include "kit/random.h"

enum { FEEDS = 4, LINES = 3000, PATH = 600, KEPT = 4 << 20 };

static const char *folder;
static uint32_t seed = 20051122;

/* One who writes lines "WHO NUMBER xxx" to a source. */
struct feed {
    int fd; /* -1: it is done */
    char *bytes;
    size_t length;
    size_t done;
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

static void make_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(close(fd), 0);
}

static void make_text(const char *path, const char *text)
{
    make_file(path, text, strlen(text));
}

static char *slurp(const char *path, size_t *length)
{
    char *bytes = malloc(KEPT + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_non_null(bytes);
    assert_true(fd >= 0);
    for (*length = 0; (n = read(fd, bytes + *length, KEPT - *length)) > 0; *length += (size_t)n)
        continue;
    assert_int_equal(n, 0);
    close(fd);
    bytes[*length] = '\0';
    return bytes;
}

static void assert_holds(const char *path, const char *text)
{
    size_t length;
    char *found = slurp(path, &length);

    assert_string_equal(found, text);
    assert_int_equal(length, strlen(text));
    free(found);
}

/* ---- feeds ---- */

/* Makes its lines; the last one has no newline. */
static void feed_init(struct feed *feed, int who)
{
    feed->bytes = malloc(LINES * 100);
    assert_non_null(feed->bytes);
    feed->fd = -1;
    feed->length = 0;
    feed->done = 0;
    for (int i = 0; i < LINES; i++) {
        feed->length += (size_t)sprintf(
            feed->bytes + feed->length, "%d %d %.*s\n", who, i, (int)kit_random(&seed, 60),
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    feed->length--;
}

/* Opens a fifo for writing when the program has opened it. */
static int fifo_writer(const char *path)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    int fd;

    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        assert_int_equal(errno, ENXIO);
        assert_true(clock_now() < deadline);
        poll(NULL, 0, 1);
    }
    return fd;
}

static void feed_write(struct feed *feed)
{
    size_t left = feed->length - feed->done;
    size_t piece = 1 + kit_random(&seed, kit_random(&seed, 4) ? 100 : 9000);
    ssize_t n = write(feed->fd, feed->bytes + feed->done, piece < left ? piece : left);

    assert_true(n >= 0 || errno == EAGAIN || errno == EINTR);
    feed->done += n < 0 ? 0 : (size_t)n;
    if (feed->done < feed->length)
        return;
    close(feed->fd);
    feed->fd = -1;
}

static void feed_all(struct feed *feeds, size_t count)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct pollfd asked[FEEDS];

    for (;;) {
        size_t left = 0;

        for (size_t i = 0; i < count; i++) {
            asked[i] = (struct pollfd){.fd = feeds[i].fd, .events = POLLOUT};
            left += feeds[i].fd >= 0;
        }
        if (left == 0)
            return;
        assert_true(poll(asked, (nfds_t)count, 1000) >= 0);
        for (size_t i = 0; i < count; i++)
            if (asked[i].fd >= 0 && asked[i].revents)
                feed_write(&feeds[i]);
        assert_true(clock_now() < deadline);
    }
}

/* ---- what came out ---- */

/* Each line is the next one of its source, and the same as was put in. */
static void assert_merged(const char *path, const struct feed *feeds, size_t count, bool has_labels)
{
    size_t places[FEEDS] = {0}, length;
    char *all = slurp(path, &length);
    char *line = all;

    for (char *newline; (newline = strchr(line, '\n')); line = newline + 1) {
        char *text = has_labels ? strstr(line, ": ") + 2 : line;
        size_t n = (size_t)(newline - text), who = (size_t)(*text - '0');
        const char *wanted;

        assert_true(who < count);
        wanted = feeds[who].bytes + places[who];
        assert_true(places[who] + n <= feeds[who].length);
        assert_memory_equal(text, wanted, n);
        assert_true(wanted[n] == '\n');
        places[who] += n + 1;
        if (has_labels)
            assert_memory_equal(line, folder, strlen(folder));
    }
    assert_int_equal(line - all, length);
    for (size_t i = 0; i < count; i++) /* the newline that the last line had not was added */
        assert_int_equal(places[i], feeds[i].length + 1);
    free(all);
}

/* Two fifos, a socket and a file. */
static void merge_all(const char *backend, bool has_labels)
{
    struct feed feeds[FEEDS];
    char socket_place[PATH + 10];
    struct kit_process *process;
    int listener;

    for (int i = 0; i < FEEDS; i++)
        feed_init(&feeds[i], i);
    assert_int_equal(mkfifo(name("fifo0"), 0600), 0);
    assert_int_equal(mkfifo(name("fifo1"), 0600), 0);
    listener = kit_listen_unix(name("socket"));
    snprintf(socket_place, sizeof socket_place, "unix:%s", name("socket"));
    make_file(name("file"), feeds[3].bytes, feeds[3].length);
    process = kit_run("pollcopy", "-b", backend, "--merge", name("out"), name("fifo0"),
                      name("fifo1"), has_labels ? name("socket") : socket_place, name("file"),
                      has_labels ? "--labels" : NULL, NULL);
    feeds[0].fd = fifo_writer(name("fifo0"));
    feeds[1].fd = fifo_writer(name("fifo1"));
    feeds[2].fd = kit_accept(listener);
    assert_int_equal(fcntl(feeds[2].fd, F_SETFL, O_NONBLOCK), 0);
    feed_all(feeds, FEEDS);
    assert_int_equal(kit_end(process), 0);
    assert_string_equal(kit_stderr(process), "");
    assert_merged(name("out"), feeds, FEEDS, has_labels);
    for (int i = 0; i < FEEDS; i++)
        free(feeds[i].bytes);
}

static void lines_stay_whole(void **state)
{
    const char *backend = backend_of(state);

    folder = kit_folder();
    merge_all(backend, false);
}

/* The socket is given as a path, so that every label is one. */
static void lines_get_labels(void **state)
{
    const char *backend = backend_of(state);

    folder = kit_folder();
    merge_all(backend, true);
}

/* ---- small ones ---- */

static void labels_are_as_given(void **state)
{
    (void)state;
    folder = kit_folder();
    make_text(name("in"), "1\r\n\n2");
    assert_int_equal(
        kit_end(kit_run("sh", "-c", "cd \"$1\" && exec \"$0\" -q --labels --merge out in ./in",
                        kit_program("pollcopy"), folder, NULL)),
        0);
    /* One source is read before the other where both are files: the order is not fixed. */
    size_t length;
    char *found = slurp(name("out"), &length);

    assert_non_null(strstr(found, "in: 1\r\n"));
    assert_non_null(strstr(found, "./in: 2\n"));
    assert_int_equal(length, 2 * strlen("1\r\n\n2\n") + 3 * strlen("in: ") + 3 * strlen("./in: "));
    free(found);
}

static void nothing_comes_of_nothing(void **state)
{
    (void)state;
    folder = kit_folder();
    make_text(name("empty"), "");
    assert_int_equal(
        kit_end(kit_run("pollcopy", "-q", "--merge", name("out"), name("empty"), NULL)), 0);
    assert_holds(name("out"), "");
}

static void long_lines_are_cut(void **state)
{
    char bytes[10000];
    struct kit_process *process;
    size_t length;
    char *found;

    (void)state;
    folder = kit_folder();
    memset(bytes, 'x', sizeof bytes);
    make_file(name("long"), bytes, sizeof bytes);
    process = kit_run("pollcopy", "--buffer=4K", "--merge", name("out"), name("long"), NULL);
    kit_end_saying(process, 16, "long: cut 1 line longer than the buffer");
    found = slurp(name("out"), &length);
    assert_int_equal(length, sizeof bytes + 3);
    assert_true(found[4096] == '\n' && found[2 * 4097 - 1] == '\n' && found[length - 1] == '\n');
    free(found);
}

static void one_that_is_missing_hurts_nobody(void **state)
{
    (void)state;
    folder = kit_folder();
    make_text(name("in"), "1\n2\n");
    kit_end_saying(
        kit_run("pollcopy", "-q", "--merge", name("out"), name("nobody"), name("in"), NULL), 4,
        "nobody: No such file or directory");
    assert_holds(name("out"), "1\n2\n");
}

/* ---- a destination that takes nothing ---- */

static void read_all(int fd, char *bytes, size_t *length)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;

    for (*length = 0; n != 0;) {
        assert_true(poll(&asked, 1, 1000) >= 0);
        assert_true(clock_now() < deadline);
        n = asked.revents ? read(fd, bytes + *length, KEPT - *length) : -1;
        assert_true(n >= 0 || errno == EAGAIN || asked.revents == 0);
        *length += n < 0 ? 0 : (size_t)n;
    }
}

static void feed_lines(int fd, int count)
{
    size_t size = (size_t)count * 64;
    char *lines = malloc(size + 1);

    assert_non_null(lines);
    for (int i = 0; i < count; i++)
        snprintf(lines + 64 * (size_t)i, 65, "%063d\n", i);
    kit_send(fd, lines, size);
    free(lines);
}

/* Lines of 64 bytes, of which those that are there are whole. Returns how many. */
static unsigned long count_whole(const char *bytes, size_t length)
{
    long last = -1;

    assert_int_equal(length % 64, 0);
    for (size_t i = 0; i < length; i += 64) {
        long number = strtol(bytes + i, NULL, 10);

        assert_true(bytes[i + 63] == '\n' && number > last);
        last = number;
    }
    return length / 64;
}

/* Many times what all queues on the way hold; the source is never held back. */
static void whole_lines_are_dropped(void **state)
{
    enum { MANY = 60000 };
    const char *backend = backend_of(state);
    char place[PATH + 10], said[PATH + 100];
    struct kit_process *process;
    int listener, source, dest;
    unsigned long whole;
    size_t length;
    char *bytes = malloc(KEPT);

    assert_non_null(bytes);
    folder = kit_folder();
    listener = kit_listen_unix(name("socket"));
    snprintf(place, sizeof place, "unix:%s", name("socket"));
    assert_int_equal(mkfifo(name("out"), 0600), 0);
    dest = open(name("out"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    process = kit_run("pollcopy", "-b", backend, "--buffer=64K", "--slow=drop", "--merge",
                      name("out"), place, NULL);
    source = kit_accept(listener);
    feed_lines(source, MANY);
    close(source);
    read_all(dest, bytes, &length);
    whole = count_whole(bytes, length);
    assert_true(whole < MANY);
    snprintf(said, sizeof said, "dropped %lu bytes in %lu lines", (MANY - whole) * 64,
             MANY - whole);
    kit_end_saying(process, 16, said);
    close(dest);
    free(bytes);
}

static int prepare(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(lines_stay_whole),
        ON_EVERY_BACKEND(lines_get_labels),
        ON_EVERY_BACKEND(whole_lines_are_dropped),
        cmocka_unit_test_teardown(labels_are_as_given, kit_cleanup),
        cmocka_unit_test_teardown(nothing_comes_of_nothing, kit_cleanup),
        cmocka_unit_test_teardown(long_lines_are_cut, kit_cleanup),
        cmocka_unit_test_teardown(one_that_is_missing_hurts_nobody, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
