/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pumps between real pipes, sockets and files, on every backend. Where time matters the loop has
 * the kit's fake for a backend: the descriptors are real, but when they are ready, and what time it
 * is, is in the script. pthread_create(3) is wrapped, to fail.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy/kernel.h"
#include "copy/pump.h"
#include "kit/fake.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner);

static int create_error;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *owner)
{
    return create_error ? create_error : __real_pthread_create(thread, attr, run, owner);
}

/* ---- a pump and what is at its ends ---- */

struct fixture {
    struct loop *loop;
    struct crew *crew;
    struct end source;
    struct end dest;
    struct pump pump;
    struct pump_options options;
    int feed;  /* what the source is read from; -1: closed */
    int drain; /* where the destination's bytes come out */
    int64_t fed;
    int64_t drained;
    int ends; /* how often on_end was called */
    enum move_result result;
    int error;
};

/* The byte that belongs to OFFSET; its period is no power of two. */
static char byte_at(int64_t offset)
{
    return (char)(offset % 251);
}

static void on_end(void *owner, enum move_result result, int error)
{
    struct fixture *fixture = owner;

    fixture->ends++;
    fixture->result = result;
    fixture->error = error;
}

static void set_end(struct end *end, int fd, enum end_kind kind)
{
    memset(end, 0, sizeof *end);
    end->fd = fd;
    end->kind = kind;
    end->size = -1;
    if (kind != END_FILE && fd >= 0)
        assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Takes LOOP. */
static void begin_in(struct fixture *fixture, struct loop *loop)
{
    *fixture = (struct fixture){.loop = loop, .feed = -1, .drain = -1};
    fixture->options.stall_ns = -1;
    fixture->crew = crew_new(loop, 2);
    assert_non_null(fixture->crew);
    set_end(&fixture->source, -1, END_NONE);
    set_end(&fixture->dest, -1, END_NONE);
    pump_init(&fixture->pump, loop, fixture->crew, on_end, fixture);
}

static bool is_in_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload");
}

static void begin(struct fixture *fixture, void **state)
{
    const char *name = *state;
    struct poller *poller;

    if (strcmp(name, "uring") == 0 && is_in_valgrind())
        kit_skip("in valgrind no other thread runs during io_uring_enter");
    poller = poller_open(name);
    if (!poller)
        kit_skip(strerror(errno));
    begin_in(fixture, loop_new(poller));
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void end(struct fixture *fixture)
{
    pump_stop(&fixture->pump);
    crew_free(fixture->crew);
    loop_free(fixture->loop);
    shut(&fixture->source.fd);
    shut(&fixture->dest.fd);
    shut(&fixture->feed);
    shut(&fixture->drain);
}

static void from_pipe(struct fixture *fixture)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    set_end(&fixture->source, ends[0], END_PIPE);
    fixture->feed = ends[1];
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

static void to_pipe(struct fixture *fixture)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    set_end(&fixture->dest, ends[1], END_PIPE);
    fixture->drain = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void from_socket(struct fixture *fixture)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    set_end(&fixture->source, ends[0], END_SOCKET);
    fixture->feed = ends[1];
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

static void to_socket(struct fixture *fixture)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    set_end(&fixture->dest, ends[1], END_SOCKET);
    fixture->drain = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static void to_null(struct fixture *fixture)
{
    set_end(&fixture->dest, open("/dev/null", O_WRONLY), END_STREAM);
}

static const char *folder;

static int open_file(const char *name, int flags)
{
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void write_all(int fd, int64_t *offset, int64_t n)
{
    char bytes[4096];

    while (n > 0) {
        size_t part = n < (int64_t)sizeof bytes ? (size_t)n : sizeof bytes;

        for (size_t i = 0; i < part; i++)
            bytes[i] = byte_at(*offset + (int64_t)i);
        assert_int_equal(write(fd, bytes, part), part);
        *offset += (int64_t)part;
        n -= (int64_t)part;
    }
}

static void from_file(struct fixture *fixture, int64_t size)
{
    fixture->feed = open_file("source", O_WRONLY | O_CREAT | O_TRUNC);
    write_all(fixture->feed, &fixture->fed, size);
    set_end(&fixture->source, open_file("source", O_RDONLY), END_FILE);
}

static void to_file(struct fixture *fixture)
{
    set_end(&fixture->dest, open_file("dest", O_WRONLY | O_CREAT | O_TRUNC), END_FILE);
    fixture->drain = open_file("dest", O_RDONLY);
}

static void start(struct fixture *fixture)
{
    int refused = -1;

    assert_int_equal(
        pump_start(&fixture->pump, &fixture->source, &fixture->dest, &fixture->options, &refused),
        0);
    assert_int_equal(fixture->ends, 0);
}

/* Gives the source what it takes now, up to END in all, and then closes it. */
static void feed(struct fixture *fixture, int64_t end)
{
    char bytes[5000];
    size_t n = sizeof bytes;
    ssize_t written;

    if (fixture->feed < 0)
        return;
    if (end - fixture->fed < (int64_t)n)
        n = (size_t)(end - fixture->fed);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(fixture->fed + (int64_t)i);
    written = write(fixture->feed, bytes, n);
    if (written > 0)
        fixture->fed += written;
    if (fixture->fed == end)
        shut(&fixture->feed);
}

/* Takes what has come out, and looks at it. Returns whether there was something. */
static bool drain(struct fixture *fixture)
{
    static char bytes[64 * KIB];
    ssize_t got = read(fixture->drain, bytes, sizeof bytes);

    for (ssize_t i = 0; i < got; i++)
        if (bytes[i] != byte_at(fixture->drained + i))
            fail_msg("byte %lld is wrong", (long long)(fixture->drained + i));
    if (got > 0)
        fixture->drained += got;
    return got > 0;
}

/* The turns only look, since the test itself does the rest, but where a thread is waited for. */
static void turn(struct fixture *fixture)
{
    if (fixture->pump.state == PUMP_IN_CREW)
        assert_int_equal(loop_turn(fixture->loop), 0);
    else
        assert_int_equal(loop_look(fixture->loop), 0);
}

/* Feeds the pump up to END bytes, until it has ended. */
static void run(struct fixture *fixture, int64_t end)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (fixture->ends == 0) {
        feed(fixture, end);
        turn(fixture);
        drain(fixture);
        assert_true(clock_now() < deadline);
    }
    while (drain(fixture))
        continue;
}

static void assert_copied(struct fixture *fixture, int64_t n)
{
    assert_int_equal(fixture->ends, 1);
    assert_int_equal(fixture->result, MOVE_ENDED);
    assert_int_equal(fixture->error, 0);
    assert_int_equal(fixture->pump.state, PUMP_ENDED);
    assert_int_equal(fixture->drained, n);
    assert_int_equal(pump_copied(&fixture->pump), n);
}

static void pump_until(struct fixture *fixture, enum pump_state wanted)
{
    turns_until(fixture->loop, fixture->pump.state == wanted);
}

/* Fills what the destination has room for. */
static void fill(const struct fixture *fixture)
{
    static const char bytes[4096];

    while (write(fixture->dest.fd, bytes, sizeof bytes) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
}

/* ---- on every backend ---- */

static void pipe_to_pipe(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    start(&fixture);
    run(&fixture, 1500001);
    assert_copied(&fixture, 1500001);
    end(&fixture);
}

static void socket_to_socket(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_socket(&fixture);
    to_socket(&fixture);
    start(&fixture);
    run(&fixture, 700001);
    assert_copied(&fixture, 700001);
    end(&fixture);
}

static void file_to_pipe(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 700001);
    to_pipe(&fixture);
    start(&fixture);
    run(&fixture, 700001);
    assert_copied(&fixture, 700001);
    end(&fixture);
}

static void socket_to_file(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_socket(&fixture);
    to_file(&fixture);
    start(&fixture);
    run(&fixture, 700001);
    assert_copied(&fixture, 700001);
    end(&fixture);
}

static void file_to_file(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 700001);
    to_file(&fixture);
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    while (drain(&fixture))
        continue;
    assert_copied(&fixture, 700001);
    end(&fixture);
}

/* It is neither copied nor limited, however large. */
static void a_hole_costs_nothing(void **state)
{
    static const int64_t hole = INT64_C(1) << 40;
    static const uint64_t rate = 100000;
    struct fixture fixture;
    char last;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    if (ftruncate(fixture.feed, hole) < 0)
        kit_skip("this file system has no files of that size");
    if (kernel_seek(fixture.source.fd, hole / 2, 1) != hole / 2)
        kit_skip("this file system has no holes");
    assert_int_equal(pwrite(fixture.feed, "x", 1, hole), 1);
    to_file(&fixture);
    fixture.options.rate = rate;
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_int_equal(fixture.result, MOVE_ENDED);
    assert_true(pump_copied(&fixture.pump) == (uint64_t)hole + 1);
    assert_true(fixture.pump.limit.room <= rate);
    assert_int_equal(pread(fixture.drain, &last, 1, hole), 1);
    assert_int_equal(last, 'x');
    end(&fixture);
}

static void nothing_at_all(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    shut(&fixture.feed);
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_copied(&fixture, 0);
    end(&fixture);
}

/* A fifo that nobody has written to yet reads as ended. */
static void a_fifo_without_a_writer_is_waited_for(void **state)
{
    struct fixture fixture;
    char path[512];

    begin(&fixture, state);
    to_pipe(&fixture);
    snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    set_end(&fixture.source, open(path, O_RDONLY | O_NONBLOCK), END_PIPE);
    start(&fixture);
    turns_for(fixture.loop, 5 * CLOCK_MILLISECOND);
    assert_int_equal(fixture.ends, 0);
    fixture.feed = open(path, O_WRONLY | O_NONBLOCK);
    run(&fixture, 3000);
    assert_copied(&fixture, 3000);
    end(&fixture);
}

/* What comes in at a descriptor goes out at the same one. */
static void one_descriptor_is_both_ends(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_socket(&fixture);
    set_end(&fixture.dest, fixture.source.fd, END_SOCKET);
    fixture.drain = fixture.feed;
    start(&fixture);
    while (fixture.drained < 300000) {
        if (fixture.fed < 300000)
            feed(&fixture, 400000);
        assert_int_equal(loop_look(fixture.loop), 0);
        drain(&fixture);
    }
    fixture.dest.fd = -1;
    fixture.drain = -1;
    end(&fixture);
}

/* The source of one pump and the destination of another, and both are waited for. */
static void one_descriptor_is_in_two_pumps(void **state)
{
    struct fixture in, out;
    int descriptors;

    begin(&in, state);
    from_socket(&in);
    to_pipe(&in);
    begin_in(&out, in.loop);
    from_pipe(&out);
    set_end(&out.dest, in.source.fd, END_SOCKET);
    descriptors = kit_descriptors(getpid());
    fill(&out);
    start(&in);
    start(&out);
    feed(&out, 1 * MIB);
    pump_until(&out, PUMP_WAITS_DEST);
    turns_for(in.loop, 5 * CLOCK_MILLISECOND);
    assert_int_equal(out.ends + in.ends, 0);
    feed(&in, 1 * MIB);
    shutdown(in.feed, SHUT_WR);
    turns_until(in.loop, in.ends > 0);
    drain(&in);
    assert_copied(&in, 5000);
    pump_stop(&out.pump);
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    out.dest.fd = -1;
    crew_free(out.crew);
    shut(&out.source.fd);
    shut(&out.feed);
    end(&in);
}

static void the_reader_goes_away(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    start(&fixture);
    feed(&fixture, 5000000);
    pump_until(&fixture, PUMP_WAITS_DEST);
    shut(&fixture.drain);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_int_equal(fixture.result, MOVE_DEST_FAILED);
    assert_int_equal(fixture.error, EPIPE);
    assert_int_equal(pump_copied(&fixture.pump), 0);
    end(&fixture);
}

static void the_reader_is_gone_from_the_first(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    to_pipe(&fixture);
    shut(&fixture.drain);
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_int_equal(fixture.result, MOVE_DEST_FAILED);
    assert_int_equal(fixture.error, EPIPE);
    end(&fixture);
}

/* They never wait, and the others have their turns all the same. */
static void devices(void **state)
{
    struct fixture endless, other;

    begin(&endless, state);
    set_end(&endless.source, open("/dev/zero", O_RDONLY), END_STREAM);
    to_null(&endless);
    begin_in(&other, endless.loop);
    from_pipe(&other);
    to_pipe(&other);
    start(&endless);
    start(&other);
    run(&other, 100000);
    assert_copied(&other, 100000);
    assert_int_equal(endless.ends, 0);
    assert_true(pump_copied(&endless.pump) >= MIB);
    pump_stop(&endless.pump);
    shut(&endless.source.fd);
    shut(&endless.dest.fd);
    crew_free(endless.crew);
    end(&other);
}

static void a_waiting_pump_does_not_spin(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    start(&fixture);
    feed(&fixture, 1 * MIB);
    turns_until(fixture.loop, drain(&fixture));
    assert_in_range(turns_for(fixture.loop, 3 * CLOCK_MILLISECOND), 1, 5);
    fill(&fixture);
    feed(&fixture, 1 * MIB);
    pump_until(&fixture, PUMP_WAITS_DEST);
    assert_in_range(turns_for(fixture.loop, 3 * CLOCK_MILLISECOND), 1, 5);
    assert_int_equal(fixture.ends, 0);
    end(&fixture);
}

enum { MANY = 200 };

static void many_at_once(void **state)
{
    static struct fixture many[MANY];
    const char *name = *state;
    struct loop *loop = turns_new(name);
    struct crew *crew = crew_new(loop, 0);
    int ended = 0;

    assert_non_null(crew);
    for (int i = 0; i < MANY; i++) {
        begin_in(&many[i], loop);
        crew_free(many[i].crew);
        many[i].pump.crew = crew;
        from_pipe(&many[i]);
        to_pipe(&many[i]);
        start(&many[i]);
    }
    while (ended < MANY) {
        ended = 0;
        for (int i = 0; i < MANY; i++)
            feed(&many[i], 20000 + i);
        assert_int_equal(loop_look(loop), 0);
        for (int i = 0; i < MANY; i++) {
            drain(&many[i]);
            ended += many[i].ends;
        }
    }
    for (int i = 0; i < MANY; i++) {
        while (drain(&many[i]))
            continue;
        assert_copied(&many[i], 20000 + i);
        shut(&many[i].source.fd);
        shut(&many[i].dest.fd);
        shut(&many[i].drain);
    }
    crew_free(crew);
    loop_free(loop);
}

/* ---- what it costs ---- */

struct calls {
    int waits;
    int registrations;
};

static void count_call(void *context, const struct poller_call *call)
{
    struct calls *calls = context;

    if (call->is_wait)
        calls->waits++;
    else
        calls->registrations++;
}

static void a_burst_costs_one_wait_and_no_registration(void **state)
{
    struct fixture fixture;
    struct calls calls = {0};

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    start(&fixture);
    assert_int_equal(loop_look(fixture.loop), 0);
    poller_observe(loop_poller(fixture.loop), count_call, &calls);
    for (int i = 0; i < 20; i++) {
        feed(&fixture, 1 * MIB);
        assert_int_equal(loop_turn(fixture.loop), 0);
        assert_true(drain(&fixture));
        assert_int_equal(fixture.drained, fixture.fed);
    }
    assert_int_equal(calls.waits, 20);
    assert_int_equal(calls.registrations, 0);
    end(&fixture);
}

/* ---- stopping and ending ---- */

static void a_pump_that_is_idle(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    pump_stop(&fixture.pump);
    assert_int_equal(fixture.pump.state, PUMP_IDLE);
    assert_int_equal(pump_copied(&fixture.pump), 0);
    assert_int_equal(pump_stalled_since(&fixture.pump), -1);
    end(&fixture);
}

static void assert_stopped(struct fixture *fixture)
{
    pump_stop(&fixture->pump);
    assert_int_equal(fixture->pump.state, PUMP_ENDED);
    assert_int_equal(turns_watches(fixture->loop, "source"), 0);
    assert_int_equal(turns_watches(fixture->loop, "destination"), 0);
    turns_for(fixture->loop, CLOCK_MILLISECOND);
    assert_int_equal(fixture->ends, 0);
    pump_stop(&fixture->pump);
    end(fixture);
}

static void stop_while_it_waits_for_the_source(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    start(&fixture);
    feed(&fixture, 10000);
    turns_until(fixture.loop, drain(&fixture));
    assert_int_equal(fixture.pump.state, PUMP_WAITS_SOURCE);
    assert_int_equal(turns_watches(fixture.loop, "source"), 1);
    assert_int_equal(turns_watches(fixture.loop, "destination"), 1);
    pump_stop(&fixture.pump);
    assert_int_equal(pump_copied(&fixture.pump), 5000);
    assert_stopped(&fixture);
}

static void stop_while_it_waits_for_the_destination(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    fixture.options.stall_ns = 3600 * CLOCK_SECOND;
    start(&fixture);
    feed(&fixture, 10000);
    pump_until(&fixture, PUMP_WAITS_DEST);
    assert_stopped(&fixture);
}

static void stop_while_it_waits_for_the_limit(void **state)
{
    struct fixture fixture;
    struct limit total;

    begin(&fixture, state);
    limit_init(&total, 1, clock_now());
    from_pipe(&fixture);
    to_pipe(&fixture);
    fixture.options.total = &total;
    start(&fixture);
    feed(&fixture, 10000);
    pump_until(&fixture, PUMP_WAITS_LIMIT);
    assert_stopped(&fixture);
    assert_ptr_equal(total.queue.next, &total.queue);
}

static void stop_before_the_first_step(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    to_pipe(&fixture);
    start(&fixture);
    assert_int_equal(fixture.pump.state, PUMP_READY);
    assert_stopped(&fixture);
}

static void stop_it(void *owner)
{
    struct fixture *fixture = owner;

    assert_int_equal(fixture->pump.state, PUMP_IN_CREW);
    pump_stop(&fixture->pump);
    assert_false(fixture->pump.job.is_given);
}

/* What is deferred second is called while the crew has what was deferred first. */
static void stop_while_it_is_in_the_crew(void **state)
{
    struct fixture fixture;
    struct deferred stop;

    begin(&fixture, state);
    from_file(&fixture, 3 * MIB);
    to_file(&fixture);
    deferred_init(&stop, fixture.loop, stop_it, &fixture);
    start(&fixture);
    deferred_call(&stop);
    assert_int_equal(loop_look(fixture.loop), 0);
    assert_true(pump_copied(&fixture.pump) <= 3 * MIB);
    while (drain(&fixture))
        continue;
    assert_int_equal(fixture.drained, pump_copied(&fixture.pump));
    assert_stopped(&fixture);
}

/* Not freed by the teardown: on_end does. */
static void free_it(void *owner, enum move_result result, int error)
{
    (void)result, (void)error;
    free(*(struct pump **)owner);
    *(struct pump **)owner = NULL;
}

static void assert_freed_on_end(struct fixture *fixture)
{
    struct pump *pump = malloc(sizeof *pump);
    int refused;

    assert_non_null(pump);
    pump_init(pump, fixture->loop, fixture->crew, free_it, &pump);
    assert_int_equal(
        pump_start(pump, &fixture->source, &fixture->dest, &fixture->options, &refused), 0);
    turns_until(fixture->loop, !pump);
    turns_for(fixture->loop, CLOCK_MILLISECOND);
    end(fixture);
}

static void on_end_frees_a_pump_of_the_loop(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    feed(&fixture, 1000);
    assert_freed_on_end(&fixture);
}

static void on_end_frees_a_pump_of_the_crew(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    to_file(&fixture);
    assert_freed_on_end(&fixture);
}

static void on_end_frees_a_pump_that_was_stalled(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    feed(&fixture, 1000);
    fixture.options.stall_ns = 1;
    assert_freed_on_end(&fixture);
}

static void a_pump_is_started_again(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    for (int i = 0; i < 3; i++) {
        start(&fixture);
        feed(&fixture, 1 * MIB);
        turns_until(fixture.loop, drain(&fixture));
        assert_int_equal(pump_copied(&fixture.pump), 5000);
        pump_stop(&fixture.pump);
    }
    end(&fixture);
}

static void it_rests_at_an_end_and_goes_on(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    to_pipe(&fixture);
    fixture.options.rests_at_end = true;
    start(&fixture);
    for (int i = 1; i <= 3; i++) {
        turns_until(fixture.loop, fixture.ends == i);
        assert_int_equal(fixture.pump.state, PUMP_RESTS);
        assert_int_equal(fixture.result, MOVE_ENDED);
        assert_true(drain(&fixture));
        assert_int_equal(fixture.drained, 1000 * i);
        write_all(fixture.feed, &fixture.fed, 1000);
        pump_resume(&fixture.pump, -1);
        assert_int_equal(fixture.ends, i);
    }
    end(&fixture);
}

static void it_begins_again_in_a_file_that_was_cut(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 1000);
    to_pipe(&fixture);
    fixture.options.rests_at_end = true;
    start(&fixture);
    turns_until(fixture.loop, fixture.ends == 1);
    assert_true(drain(&fixture));
    assert_int_equal(ftruncate(fixture.feed, 10), 0);
    pump_resume(&fixture.pump, 0);
    turns_until(fixture.loop, fixture.ends == 2);
    assert_int_equal(pump_copied(&fixture.pump), 1010);
    end(&fixture);
}

/* ---- what goes wrong ---- */

static void a_descriptor_that_the_backend_cannot_hold(void **state)
{
    struct fixture fixture;
    struct rlimit before, more;
    int fd = 1500, refused = -1;

    begin(&fixture, state);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    more = before;
    more.rlim_cur = more.rlim_max;
    setrlimit(RLIMIT_NOFILE, &more);
    from_pipe(&fixture);
    to_pipe(&fixture);
    if (dup2(fixture.dest.fd, fd) < 0)
        kit_skip("no more than 1024 descriptors can be had");
    shut(&fixture.dest.fd);
    fixture.dest.fd = fd;
    assert_int_equal(
        pump_start(&fixture.pump, &fixture.source, &fixture.dest, &fixture.options, &refused), -1);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(refused, fd);
    assert_int_equal(turns_watches(fixture.loop, "source"), 0);
    end(&fixture);
    setrlimit(RLIMIT_NOFILE, &before);
}

static void a_source_that_is_closed_behind_its_back(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    start(&fixture);
    shut(&fixture.source.fd);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_int_equal(fixture.result, MOVE_SOURCE_FAILED);
    assert_int_equal(fixture.error, EBADF);
    end(&fixture);
}

static void a_destination_that_is_closed_behind_its_back(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    start(&fixture);
    feed(&fixture, 10000);
    pump_until(&fixture, PUMP_WAITS_DEST);
    turns_for(fixture.loop, CLOCK_MILLISECOND);
    shut(&fixture.dest.fd);
    turns_until(fixture.loop, fixture.ends > 0);
    assert_int_equal(fixture.result, MOVE_DEST_FAILED);
    assert_int_equal(fixture.error, EBADF);
    end(&fixture);
}

/* No copy can be made of the descriptor that is watched already. */
static void a_second_watch_without_a_descriptor_for_it(void **state)
{
    struct fixture first, second;
    struct rlimit before, none;

    begin(&first, state);
    from_pipe(&first);
    to_pipe(&first);
    begin_in(&second, first.loop);
    to_pipe(&second);
    set_end(&second.source, first.source.fd, END_PIPE);
    start(&first);
    assert_int_equal(loop_look(first.loop), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    start(&second);
    while (second.ends == 0)
        assert_int_equal(loop_look(second.loop), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(second.result, MOVE_SOURCE_FAILED);
    assert_true(second.error == EMFILE || second.error == EINVAL);
    second.source.fd = -1;
    shut(&second.dest.fd);
    shut(&second.drain);
    crew_free(second.crew);
    end(&first);
}

static void without_threads_the_loop_works_itself(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_file(&fixture, 100000);
    to_file(&fixture);
    create_error = EAGAIN;
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    create_error = 0;
    while (drain(&fixture))
        continue;
    assert_copied(&fixture, 100000);
    end(&fixture);
}

/* ---- time ---- */

/* A loop in which time passes only where the script says so. What is limited goes to /dev/null: a
 * pipe is full of few bytes where they come in small parts (splice(2) fills a page with each). */
static void begin_fake(struct fixture *fixture)
{
    begin_in(fixture, loop_new(fake_open()));
}

/* In the last turn nothing is left that could end the wait, and the fake says so. */
static void turn_until_end(struct fixture *fixture)
{
    while (fixture->ends == 0)
        assert_true(loop_turn(fixture->loop) == 0 || fixture->ends > 0);
}

static void a_limit_is_kept_to_the_byte(void **state)
{
    struct fixture fixture;
    int64_t begun;

    (void)state;
    begin_fake(&fixture);
    from_pipe(&fixture);
    to_null(&fixture);
    write_all(fixture.feed, &fixture.fed, 40000);
    shut(&fixture.feed);
    fake_at(0, fixture.source.fd, POLLER_IN);
    begun = clock_now();
    fixture.options.rate = 10000;
    start(&fixture);
    turn_until_end(&fixture);
    assert_int_equal(pump_copied(&fixture.pump), 40000);
    assert_in_range(clock_now() - begun, 4 * CLOCK_SECOND, 4 * CLOCK_SECOND + CLOCK_SECOND / 50);
    end(&fixture);
}

static void what_a_step_does_not_use_is_given_back(void **state)
{
    struct fixture fixture;
    struct limit total;

    (void)state;
    begin_fake(&fixture);
    from_pipe(&fixture);
    to_null(&fixture);
    limit_init(&total, 20000, clock_now());
    fixture.options.rate = 10000;
    fixture.options.total = &total;
    start(&fixture);
    write_all(fixture.feed, &fixture.fed, 10);
    fake_at(clock_now() + CLOCK_SECOND, fixture.source.fd, POLLER_IN);
    while (pump_copied(&fixture.pump) == 0)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(fixture.pump.limit.room, 990);
    assert_int_equal(total.room, 1990);
    end(&fixture);
}

enum { SHARERS = 5 };

static void begin_sharers(struct fixture sharers[SHARERS], struct limit *total)
{
    struct loop *loop = loop_new(fake_open());

    limit_init(total, 10000, clock_now());
    for (int i = 0; i < SHARERS; i++) {
        begin_in(&sharers[i], loop);
        from_pipe(&sharers[i]);
        to_null(&sharers[i]);
        write_all(sharers[i].feed, &sharers[i].fed, 30000);
        fake_at(0, sharers[i].source.fd, POLLER_IN);
        sharers[i].options.total = total;
        start(&sharers[i]);
    }
}

static void end_sharers(struct fixture sharers[SHARERS])
{
    for (int i = 0; i < SHARERS; i++) {
        pump_stop(&sharers[i].pump);
        crew_free(sharers[i].crew);
        shut(&sharers[i].source.fd);
        shut(&sharers[i].dest.fd);
        shut(&sharers[i].feed);
    }
    loop_free(sharers[0].loop);
}

static void turn_until_time(struct loop *loop, int64_t time)
{
    while (clock_now() < time)
        assert_int_equal(loop_turn(loop), 0);
}

static void a_shared_limit_is_shared_fairly(void **state)
{
    struct fixture sharers[SHARERS];
    struct limit total;
    uint64_t sum = 0;

    (void)state;
    begin_sharers(sharers, &total);
    turn_until_time(sharers[0].loop, clock_now() + 10 * CLOCK_SECOND);
    for (int i = 0; i < SHARERS; i++) {
        assert_in_range(pump_copied(&sharers[i].pump), 19600, 20400);
        sum += pump_copied(&sharers[i].pump);
    }
    assert_in_range(sum, 99800, 100000);
    end_sharers(sharers);
}

/* Who is first in the queue and goes lets the others have it. */
static void who_stops_leaves_the_rest_to_the_others(void **state)
{
    struct fixture sharers[SHARERS];
    struct limit total;
    uint64_t sum = 0;

    (void)state;
    begin_sharers(sharers, &total);
    while (sharers[0].pump.state != PUMP_WAITS_LIMIT)
        assert_int_equal(loop_turn(sharers[0].loop), 0);
    for (int i = 0; i < SHARERS - 1; i++)
        pump_stop(&sharers[i].pump);
    turn_until_time(sharers[0].loop, clock_now() + 2 * CLOCK_SECOND);
    sum = pump_copied(&sharers[SHARERS - 1].pump);
    assert_in_range(sum, 19700, 20000);
    end_sharers(sharers);
}

/* One that waits for its own limit does not hold the others up. */
static void a_slow_one_keeps_no_other_from_the_shared_limit(void **state)
{
    struct fixture sharers[SHARERS];
    struct limit total;

    (void)state;
    begin_sharers(sharers, &total);
    for (int i = 1; i < SHARERS; i++)
        pump_stop(&sharers[i].pump);
    pump_stop(&sharers[0].pump);
    sharers[0].options.rate = 100;
    start(&sharers[0]);
    start(&sharers[1]);
    turn_until_time(sharers[0].loop, clock_now() + 2 * CLOCK_SECOND);
    assert_in_range(pump_copied(&sharers[0].pump), 190, 200);
    assert_in_range(pump_copied(&sharers[1].pump), 19500, 19810);
    end_sharers(sharers);
}

/* The clock is real here, and a bound from above is all that can be had. */
static void a_limit_for_the_crew(void **state)
{
    struct fixture fixture;
    struct limit total;
    int64_t begun;

    begin(&fixture, state);
    from_file(&fixture, 20000);
    to_file(&fixture);
    begun = clock_now();
    limit_init(&total, 100000, begun);
    fixture.options.rate = 200000;
    fixture.options.total = &total;
    start(&fixture);
    turns_until(fixture.loop, fixture.ends > 0);
    while (drain(&fixture))
        continue;
    assert_copied(&fixture, 20000);
    assert_true(clock_now() - begun >= CLOCK_SECOND / 5);
    end(&fixture);
}

static void a_stalled_destination_is_given_up(void **state)
{
    struct fixture fixture;
    int64_t begun;

    (void)state;
    begin_fake(&fixture);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    feed(&fixture, 10000);
    begun = clock_now();
    fake_at(begun + CLOCK_SECOND, fixture.source.fd, POLLER_IN);
    fixture.options.stall_ns = 5 * CLOCK_SECOND;
    start(&fixture);
    assert_int_equal(pump_stalled_since(&fixture.pump), -1);
    while (fixture.pump.state != PUMP_WAITS_DEST)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(pump_stalled_since(&fixture.pump), begun + CLOCK_SECOND);
    turn_until_end(&fixture);
    assert_int_equal(fixture.result, MOVE_DEST_FAILED);
    assert_int_equal(fixture.error, ETIMEDOUT);
    assert_int_equal(clock_now() - begun, 6 * CLOCK_SECOND);
    end(&fixture);
}

/* Patience begins anew with what is taken, and not with a word of the poller that nothing follows.
 */
static void what_is_taken_is_a_new_start(void **state)
{
    struct fixture fixture;
    char page[4096];
    int64_t begun;

    (void)state;
    begin_fake(&fixture);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    write_all(fixture.feed, &fixture.fed, 40000);
    begun = clock_now();
    fake_at(begun, fixture.source.fd, POLLER_IN);
    fake_at(begun + 3 * CLOCK_SECOND, fixture.dest.fd, POLLER_OUT);
    fixture.options.stall_ns = 5 * CLOCK_SECOND;
    start(&fixture);
    while (fixture.pump.state != PUMP_WAITS_DEST)
        assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(read(fixture.drain, page, sizeof page), sizeof page);
    assert_int_equal(loop_turn(fixture.loop), 0);
    assert_int_equal(pump_copied(&fixture.pump), sizeof page);
    assert_int_equal(pump_stalled_since(&fixture.pump), begun + 3 * CLOCK_SECOND);
    fake_at(clock_now(), fixture.dest.fd, 0);
    fake_at(begun + 5 * CLOCK_SECOND, fixture.dest.fd, POLLER_OUT);
    fake_at(begun + 5 * CLOCK_SECOND + 1, fixture.dest.fd, 0);
    turn_until_time(fixture.loop, begun + 5 * CLOCK_SECOND);
    assert_int_equal(pump_stalled_since(&fixture.pump), begun + 3 * CLOCK_SECOND);
    fake_at(clock_now(), fixture.dest.fd, 0);
    turn_until_end(&fixture);
    assert_int_equal(fixture.error, ETIMEDOUT);
    assert_int_equal(clock_now() - begun, 8 * CLOCK_SECOND);
    end(&fixture);
}

static void no_patience_is_no_time_limit(void **state)
{
    struct fixture fixture;

    begin(&fixture, state);
    from_pipe(&fixture);
    to_pipe(&fixture);
    fill(&fixture);
    feed(&fixture, 10000);
    fixture.options.stall_ns = 0;
    start(&fixture);
    pump_until(&fixture, PUMP_WAITS_DEST);
    turns_for(fixture.loop, CLOCK_MILLISECOND);
    assert_int_equal(fixture.ends, 0);
    assert_true(pump_stalled_since(&fixture.pump) > 0);
    end(&fixture);
}

static void wants_follow_from_the_state(void **state)
{
    (void)state;
    for (int i = PUMP_IDLE; i <= PUMP_ENDED; i++) {
        enum pump_state at = (enum pump_state)i;

        assert_int_equal(pump_want(at, true), at == PUMP_WAITS_SOURCE ? POLLER_IN : 0);
        assert_int_equal(pump_want(at, false), at == PUMP_WAITS_DEST ? POLLER_OUT : 0);
    }
}

static int guard(void **state)
{
    (void)state;
    folder = kit_folder();
    signal(SIGPIPE, SIG_IGN);
    alarm(KIT_DEADLINE_NS / CLOCK_SECOND);
    return 0;
}

static int unguard(void **state)
{
    alarm(0);
    create_error = 0;
    fake_stop(state);
    return kit_cleanup(state);
}

#define ON(test, backend)                                                                          \
    {                                                                                              \
#test " (" backend ")", test, guard, unguard, (void *)backend                              \
    }
#define ON_EVERY(test) ON(test, "select"), ON(test, "poll"), ON(test, "epoll"), ON(test, "uring")

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY(pipe_to_pipe),
        ON(pipe_to_pipe, "busy"),
        ON(pipe_to_pipe, "sigio"),
        ON_EVERY(socket_to_socket),
        ON_EVERY(file_to_pipe),
        ON_EVERY(socket_to_file),
        ON_EVERY(file_to_file),
        ON(a_hole_costs_nothing, "poll"),
        ON_EVERY(nothing_at_all),
        ON_EVERY(a_fifo_without_a_writer_is_waited_for),
        ON_EVERY(one_descriptor_is_both_ends),
        ON_EVERY(one_descriptor_is_in_two_pumps),
        ON_EVERY(the_reader_goes_away),
        ON_EVERY(the_reader_is_gone_from_the_first),
        ON_EVERY(devices),
        ON_EVERY(a_waiting_pump_does_not_spin),
        ON_EVERY(many_at_once),
        ON(a_burst_costs_one_wait_and_no_registration, "epoll"),
        ON(a_pump_that_is_idle, "poll"),
        ON_EVERY(stop_while_it_waits_for_the_source),
        ON_EVERY(stop_while_it_waits_for_the_destination),
        ON(stop_while_it_waits_for_the_limit, "poll"),
        ON(stop_before_the_first_step, "poll"),
        ON_EVERY(stop_while_it_is_in_the_crew),
        ON_EVERY(on_end_frees_a_pump_of_the_loop),
        ON(on_end_frees_a_pump_of_the_crew, "poll"),
        ON(on_end_frees_a_pump_that_was_stalled, "poll"),
        ON(a_pump_is_started_again, "epoll"),
        ON(it_rests_at_an_end_and_goes_on, "epoll"),
        ON(it_begins_again_in_a_file_that_was_cut, "epoll"),
        ON(a_descriptor_that_the_backend_cannot_hold, "select"),
        ON(a_source_that_is_closed_behind_its_back, "poll"),
        ON(a_destination_that_is_closed_behind_its_back, "poll"),
        ON(a_second_watch_without_a_descriptor_for_it, "epoll"),
        ON(without_threads_the_loop_works_itself, "poll"),
        ON(a_limit_is_kept_to_the_byte, "fake"),
        ON(what_a_step_does_not_use_is_given_back, "fake"),
        ON(a_shared_limit_is_shared_fairly, "fake"),
        ON(who_stops_leaves_the_rest_to_the_others, "fake"),
        ON(a_slow_one_keeps_no_other_from_the_shared_limit, "fake"),
        ON(a_limit_for_the_crew, "poll"),
        ON(a_stalled_destination_is_given_up, "fake"),
        ON(what_is_taken_is_a_new_start, "fake"),
        ON(no_patience_is_no_time_limit, "poll"),
        ON(wants_follow_from_the_state, "none"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
