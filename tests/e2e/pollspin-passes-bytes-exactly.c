/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where it is not on a terminal pollspin is a pipe: what the server sends comes out byte by byte,
 * what goes in reaches the server, as fast as the slower one of the two takes it and in bounded
 * memory. And without motion it writes the lines alone on a terminal too.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "kit/random.h"

enum { MEGABYTE = 1 << 20 };

static const char *const backends[] = {"select", "poll", "epoll"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Bytes that look random, all values among them, the same every time; the caller's to free. */
static char *random_bytes(size_t n)
{
    uint32_t seed = 51423;
    char *bytes = malloc(n);

    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = i < 256 ? (char)i : (char)kit_random(&seed, 256);
    return bytes;
}

static void assert_stdout(struct kit_process *client, const char *bytes, size_t n)
{
    size_t length;
    const char *shown = kit_stdout(client, &length);

    assert_int_equal(length, n);
    assert_true(memcmp(shown, bytes, n) == 0); /* cmocka would print every byte that differs */
}

static void every_byte_comes_out(void **state)
{
    size_t size = kit_is_instrumented() ? MEGABYTE : 8 * MEGABYTE;
    char *bytes = random_bytes(size);
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    bytes[size - 1] = 'x'; /* the last line has no end */
    kit_send(server, bytes, size);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_stdout(client, bytes, size);
    free(bytes);
}

static void a_partial_line_comes_out_at_once(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    kit_send(server, "name? ", 6);
    kit_await_stdout(client, "name? ");
    close(server);
    kit_end_saying(client, 0, "closed by the server after 0 lines, 6 bytes");
    assert_stdout(client, "name? ", 6);
}

static void input_goes_to_the_server_as_it_comes(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);
    char bytes[6];

    (void)state;
    kit_type(client, "hel");
    kit_receive_all(server, bytes, 3);
    kit_type_bytes(client, "lo\0\n", 4);
    kit_receive_all(server, bytes, 4);
    assert_memory_equal(bytes, "lo\0\n", 4);
    kit_type_end(client);
    assert_int_equal(kit_receive(server, bytes, sizeof bytes), 0);
    kit_send(server, "reply\n", 6);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_stdout(client, "reply\n", 6);
}

static void input_that_is_empty_half_closes(void **state)
{
    static const char *const scripts[] = {"exec \"$0\" \"$@\" </dev/null",
                                          "exec \"$0\" \"$@\" <&-"};

    for (size_t i = 0; i < COUNT(scripts) * COUNT(backends); i++) {
        int server;
        struct kit_process *client =
            kit_client_in_shell(&server, scripts[i / COUNT(backends)], "--backend",
                                backends[i % COUNT(backends)], NULL);
        char byte;

        assert_int_equal(kit_receive(server, &byte, 1), 0);
        kit_send(server, "reply\n", 6);
        close(server);
        kit_end_saying(client, 0, "closed by the server");
        assert_stdout(client, "reply\n", 6);
        kit_cleanup(state);
    }
}

/* A line goes there and back after the input came, so that it would have been read. */
static void no_stdin_leaves_the_input_alone(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, "--no-stdin", NULL);
    char byte;

    (void)state;
    kit_type(client, "secret\n");
    kit_type_end(client);
    kit_send(server, "one\n", 4);
    kit_await_stdout(client, "one\n");
    kit_send(server, "two\n", 4);
    kit_await_stdout(client, "two\n");
    assert_int_equal(recv(server, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    shutdown(server, SHUT_WR);
    assert_int_equal(kit_receive(server, &byte, 1), 0);
    kit_end_saying(client, 0, "closed by the server");
}

static void megabytes_go_there_and_back(void **state)
{
    size_t size = kit_is_instrumented() ? MEGABYTE : 4 * MEGABYTE;
    char *bytes = random_bytes(size);

    for (size_t i = 0; i < COUNT(backends); i++) {
        struct kit_process *client;
        uint16_t port;

        kit_server(&port, "echo@127.0.0.1:0", NULL);
        client = kit_run("pollspin", "--backend", backends[i], kit_target(port), NULL);
        kit_type_bytes(client, bytes, size);
        kit_type_end(client);
        kit_end_saying(client, 0, "closed by the server");
        assert_stdout(client, bytes, size);
        kit_cleanup(state);
    }
    free(bytes);
}

/* Waits until no more comes, that is, until all that can be sent to a server that does not read has
 * been. */
static void await_stuck(int server)
{
    const useconds_t while_us = 200000;
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;
    int before = 0;
    int now = 0;

    do {
        assert_true(clock_now() < deadline);
        before = now;
        usleep(while_us);
        assert_int_equal(ioctl(server, FIONREAD, &now), 0);
    } while (now == 0 || now != before);
}

static struct kit_process *send_file(int *server, const char *bytes, size_t n, const char *backend)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/file", kit_folder());
    file = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    kit_env("FILE", path);
    return kit_client_in_shell(server, "exec \"$0\" \"$@\" <\"$FILE\"", "--backend", backend, NULL);
}

/* A file is always ready, and epoll(7) does not take it: what holds it up is the server alone. */
static void a_file_waits_for_a_server_that_is_slow(void **state)
{
    size_t size = 16 * MEGABYTE;
    char *bytes = random_bytes(size);
    char *received = malloc(size);

    for (size_t i = 0; i < COUNT(backends); i++) {
        int server;
        struct kit_process *client = send_file(&server, bytes, size, backends[i]);

        await_stuck(server);
        kit_receive_all(server, received, size);
        assert_true(memcmp(received, bytes, size) == 0);
        assert_int_equal(kit_receive(server, received, 1), 0);
        kit_send(server, "done\n", 5);
        close(server);
        kit_end_saying(client, 0, "closed by the server");
        assert_stdout(client, "done\n", 5);
        kit_cleanup(state);
    }
    free(bytes);
    free(received);
}

/* Sends until nothing has been taken for a while, but no more than N bytes. */
static size_t send_until_stuck(int server, const char *bytes, size_t n)
{
    const int while_ms = 300;
    struct pollfd room = {.fd = server, .events = POLLOUT};
    size_t done = 0;

    while (done < n && poll(&room, 1, while_ms) == 1) {
        ssize_t sent = send(server, bytes + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        assert_true(sent >= 0 || errno == EAGAIN);
        if (sent > 0)
            done += (size_t)sent;
    }
    return done;
}

static void a_slow_reader_slows_the_server(void **state)
{
    const size_t size = 64 * MEGABYTE;
    const size_t most = (kit_is_instrumented() ? 512 : 16) * (size_t)MEGABYTE;
    char *bytes = random_bytes(size);
    int server;
    struct kit_process *client = kit_client(&server, NULL);
    size_t sent;

    (void)state;
    kit_stall_stdout(client, 1);
    sent = send_until_stuck(server, bytes, size);
    print_message("%zu bytes were taken from the server, in %zu bytes of memory\n", sent,
                  kit_memory(kit_pid(client)));
    assert_true(sent < size);
    assert_true(kit_memory(kit_pid(client)) < most);
    kit_stall_stdout(client, 0);
    kit_send(server, bytes + sent, MEGABYTE);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_stdout(client, bytes, sent + MEGABYTE);
    free(bytes);
}

static void a_timestamp_stands_before_each_line(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, "--timestamps", NULL);
    unsigned hour, minute, second;
    int length = 0;

    (void)state;
    kit_send(server, "a line\n", 7);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_int_equal(
        sscanf(kit_stdout(client, NULL), "%2u:%2u:%2u a line%n", &hour, &minute, &second, &length),
        3);
    assert_int_equal(length, strlen("12:34:56 a line"));
}

static void a_timestamp_changes_nothing_else(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, "--timestamps=at", NULL);

    (void)state;
    kit_send(server, "a\0b\r\n\n\033[mc", 10);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_stdout(client, "at a\0b\r\nat \nat \033[mc", 19);
}

/* The one line of our own comes after all that the server sent. */
static void assert_shows_only(struct kit_terminal *terminal, const char *text)
{
    const char *raw = kit_raw(terminal, NULL);

    assert_memory_equal(raw, text, strlen(text));
    raw += strlen(text);
    assert_memory_equal(raw, "pollspin: ", strlen("pollspin: "));
    assert_string_equal(strchr(raw, '\r'), "\r\n");
}

static void motion_is_left_out(void **state)
{
    static const struct {
        const char *option;
        const char *name;
        const char *value;
    } cases[] = {
        {"--no-stdin", "TERM", "dumb"}, {"--no-stdin", "TERM", NULL}, {"--no-stdin", "CI", "1"},
        {"--no-spinner", "X", "1"},     {"--stdin", "X", "1"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int server;
        struct kit_terminal *terminal;

        kit_env(cases[i].name, cases[i].value);
        terminal = kit_client_on_terminal(&server, cases[i].option, NULL);
        kit_send(server, "one\n", 4);
        kit_await_row(terminal, "one");
        kit_watch(terminal, 200 * CLOCK_MILLISECOND);
        kit_send(server, "two\n", 4);
        close(server);
        assert_int_equal(kit_terminal_end(terminal), 0);
        assert_shows_only(terminal, "one\r\ntwo\r\n");
        kit_cleanup(state);
    }
}

static void what_is_typed_is_sent_where_nothing_turns(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, "--stdin", NULL);
    char bytes[6];

    (void)state;
    kit_keys(terminal, "hello\n", 6);
    kit_receive_all(server, bytes, 6);
    assert_memory_equal(bytes, "hello\n", 6);
    kit_keys(terminal, "\004", 1); /* the end of file */
    assert_int_equal(kit_receive(server, bytes, 1), 0);
    kit_send(server, "reply\n", 6);
    close(server);
    kit_await_row(terminal, "reply");
    assert_int_equal(kit_terminal_end(terminal), 0);
}

/* Whether the open file behind a descriptor of a process is non-blocking: proc(5). */
static bool is_nonblocking(pid_t pid, int fd)
{
    char path[64], line[128];
    unsigned flags = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "flags: %o", &flags) != 1)
        continue;
    fclose(file);
    assert_true(flags != 0 || fd == 0); /* a pipe to read that blocks has none */
    return flags & O_NONBLOCK;
}

static void shared_files_stay_blocking(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    kit_type(client, "x");
    kit_send(server, "one\n", 4);
    kit_await_stdout(client, "one\n");
    for (int fd = 0; fd <= 2; fd++)
        assert_false(is_nonblocking(kit_pid(client), fd));
}

static void a_shared_terminal_stays_blocking(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, "one\n", 4);
    kit_await_row(terminal, "one");
    for (int fd = 0; fd <= 2; fd++)
        assert_false(is_nonblocking(kit_terminal_pid(terminal), fd));
}

/* The shell has the same open files as the client, and shows how that left them. */
static void shared_files_are_left_blocking(void **state)
{
    int server;
    struct kit_process *client = kit_client_in_shell(
        &server, "\"$0\" \"$@\"; cat /proc/self/fdinfo/0 /proc/self/fdinfo/1 >&2", NULL);
    unsigned flags;
    const char *line;
    int count = 0;

    (void)state;
    kit_send(server, "one\n", 4);
    close(server);
    assert_int_equal(kit_end(client), 0);
    for (line = kit_stderr(client); (line = strstr(line, "flags:")); line++, count++) {
        assert_int_equal(sscanf(line, "flags: %o", &flags), 1);
        assert_false(flags & O_NONBLOCK);
    }
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_byte_comes_out, kit_cleanup),
        cmocka_unit_test_teardown(a_partial_line_comes_out_at_once, kit_cleanup),
        cmocka_unit_test_teardown(input_goes_to_the_server_as_it_comes, kit_cleanup),
        cmocka_unit_test_teardown(input_that_is_empty_half_closes, kit_cleanup),
        cmocka_unit_test_teardown(no_stdin_leaves_the_input_alone, kit_cleanup),
        cmocka_unit_test_teardown(megabytes_go_there_and_back, kit_cleanup),
        cmocka_unit_test_teardown(a_file_waits_for_a_server_that_is_slow, kit_cleanup),
        cmocka_unit_test_teardown(a_slow_reader_slows_the_server, kit_cleanup),
        cmocka_unit_test_teardown(a_timestamp_stands_before_each_line, kit_cleanup),
        cmocka_unit_test_teardown(a_timestamp_changes_nothing_else, kit_cleanup),
        cmocka_unit_test_teardown(motion_is_left_out, kit_cleanup),
        cmocka_unit_test_teardown(what_is_typed_is_sent_where_nothing_turns, kit_cleanup),
        cmocka_unit_test_teardown(shared_files_stay_blocking, kit_cleanup),
        cmocka_unit_test_teardown(a_shared_terminal_stays_blocking, kit_cleanup),
        cmocka_unit_test_teardown(shared_files_are_left_blocking, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
