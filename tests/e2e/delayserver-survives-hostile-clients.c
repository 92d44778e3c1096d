/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients that reset, never read, never speak or send garbage, and more of them than there are
 * descriptors: whoever behaves is served as before, and the server neither spins nor grows.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/backends.h"

enum { LINE = 25 };

static void assert_echoes(int fd)
{
    char answer[6];

    kit_send(fd, "hello\n", 6);
    kit_receive_all(fd, answer, sizeof answer);
    assert_memory_equal(answer, "hello\n", 6);
}

static void end_server(struct kit_process *server)
{
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    assert_string_equal(kit_stderr(server), "");
}

static void storm_of_resets(void **state)
{
    enum { STORM = 600 };
    struct kit_process *server;
    uint16_t echo;
    uint16_t delay;
    int good;

    server = kit_server(NULL, "-b", backend_of(state), "-q", "-i", "0.01", "echo@0", "delay@0",
                        "print@0", NULL);
    echo = kit_port(server, "echo");
    delay = kit_port(server, "delay");
    good = kit_connect(echo);
    for (int i = 0; i < STORM; i++) {
        int fd = kit_connect(i % 3 == 0 ? echo : i % 3 == 1 ? delay : kit_port(server, "print"));

        if (i % 2)
            kit_send(fd, "half a line", 11);
        kit_reset(fd);
        if (i % 50 == 0)
            assert_echoes(good);
    }
    assert_echoes(good);
    end_server(server);
}

/* Sends until the server takes no more, and never reads. */
static int never_reading_client(uint16_t port)
{
    static char garbage[64 * 1024];
    struct pollfd pollfd = {.fd = kit_connect(port), .events = POLLOUT};

    while (poll(&pollfd, 1, 300) > 0)
        if (send(pollfd.fd, garbage, sizeof garbage, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            assert_int_equal(errno, EAGAIN);
    return pollfd.fd;
}

static void idle_costs_no_processor_time(const struct kit_process *server)
{
    int64_t before = kit_cpu(kit_pid(server));

    poll(NULL, 0, 1000);
    if (!kit_is_instrumented())
        assert_true(kit_cpu(kit_pid(server)) - before < 200 * CLOCK_MILLISECOND);
}

static void client_that_never_reads(void **state)
{
    struct kit_process *server;
    uint16_t port;

    server = kit_server(&port, "-b", backend_of(state), "echo@0", NULL);
    never_reading_client(port);
    assert_echoes(kit_connect(port));
    idle_costs_no_processor_time(server);
    assert_echoes(kit_connect(port));
    end_server(server);
}

/* Half-closed at once, or silent for ever: neither is worth a turn of the loop. */
static void half_open_and_silent_clients(void **state)
{
    struct kit_process *server;
    uint16_t port;
    char line[LINE];

    server = kit_server(&port, "-b", backend_of(state), "-i", "3600", "delay@0", NULL);
    for (int i = 0; i < 20; i++) {
        int fd = kit_connect(port);

        kit_receive_all(fd, line, LINE);
        if (i % 2)
            shutdown(fd, SHUT_WR);
    }
    idle_costs_no_processor_time(server);
    end_server(server);
}

static void garbage_is_read_and_forgotten(void **state)
{
    enum { GARBAGE = 64 * 1024, TIMES = 1024, BOUND = 4 * 1024 * 1024 };
    static char garbage[GARBAGE];
    struct kit_process *server;
    uint16_t port;
    size_t before;
    int fd;

    server = kit_server(&port, "-b", backend_of(state), "-i", "3600", "delay@0", NULL);
    before = kit_memory(kit_pid(server));
    fd = kit_connect(port);
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)(i * 7);
    for (int i = 0; i < TIMES; i++)
        kit_send(fd, garbage, sizeof garbage);
    if (!kit_is_instrumented())
        assert_true(kit_memory(kit_pid(server)) < before + BOUND);
    end_server(server);
}

static struct kit_process *limited_server(const char *backend, const char *limit, uint16_t *port)
{
    struct kit_process *server;
    char command[1000];

    snprintf(command, sizeof command, "ulimit -n %s; exec %s -b %s -i 3600 delay@127.0.0.1:0",
             limit, kit_program("delayserver"), backend);
    server = kit_run("sh", "-c", command, NULL);
    *port = kit_port(server, "delay");
    return server;
}

static int count(const char *text, const char *part)
{
    int n = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* More clients than descriptors: the rest wait without a spin, and are let in when others leave. */
static void out_of_descriptors(void **state)
{
    enum { CLIENTS = 40 };
    const char *backend = backend_of(state);
    struct kit_process *server;
    uint16_t port;
    int fds[CLIENTS];
    char line[LINE];

    if (getenv("TEST_WRAPPER"))
        kit_skip("valgrind needs descriptors of its own");
    server = limited_server(backend, "20", &port);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = kit_connect(port);
    kit_receive_all(fds[0], line, LINE);
    kit_await_stdout(server, "new clients wait: Too many open files\n");
    idle_costs_no_processor_time(server);
    for (int i = 0; i < CLIENTS; i++) {
        if (i > 0)
            kit_receive_all(fds[i], line, LINE);
        kit_reset(fds[i]);
    }
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    assert_int_equal(count(kit_stdout(server, NULL), "new clients wait"), 1);
    assert_int_equal(count(kit_stdout(server, NULL), "Got connection from"), CLIENTS);
}

/* Descriptors that select(2) cannot hold: the client is turned away, with the reason. */
static void beyond_what_select_can_hold(void **state)
{
    enum { CLIENTS = 1100 };
    struct kit_process *server;
    uint16_t port;
    char line[LINE];
    static int fds[CLIENTS];
    ssize_t last = 1;

    (void)state;
    if (getenv("TEST_WRAPPER"))
        kit_skip("valgrind needs descriptors of its own");
    if (sysconf(_SC_OPEN_MAX) < CLIENTS + 100)
        kit_skip("the limit on descriptors of this test is too low");
    server = limited_server("select", "2000", &port);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = kit_connect(port);
    last = kit_receive(fds[CLIENTS - 1], line, LINE);
    assert_true(last <= 0);
    kit_await_stdout(server, ": select holds descriptors 0 to 1023 only, not 10");
    kit_receive_all(fds[1000], line, LINE);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    kit_await_stdout(server, " connections refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(storm_of_resets),
        ON_EVERY_BACKEND(client_that_never_reads),
        ON_EVERY_BACKEND(half_open_and_silent_clients),
        ON_EVERY_BACKEND(garbage_is_read_and_forgotten),
        ON_EVERY_BACKEND(out_of_descriptors),
        cmocka_unit_test_teardown(beyond_what_select_can_hold, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
