/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Services on unix sockets: announced by path, removed at the end, replaced where a server that is
 * gone left one, and not where one answers.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/backends.h"

enum { LINE = 25 };

/* Stores "delay@unix:PATH" for a path in a new folder; returns the path in it. */
static const char *make_place(char place[400])
{
    snprintf(place, 400, "delay@unix:%s/socket", kit_folder());
    return place + strlen("delay@unix:");
}

static void is_served_and_removed(void **state)
{
    struct kit_process *server;
    char place[400];
    char line[500];
    const char *path = make_place(place);

    server = kit_server(NULL, "-b", backend_of(state), place, NULL);
    snprintf(line, sizeof line, "delay listening on unix:%s\n", path);
    kit_await_stdout(server, line);
    kit_receive_all(kit_connect_unix(path), line, LINE);
    snprintf(line, sizeof line, "Got connection from unix:%s\n", path);
    kit_await_stdout(server, line);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static void left_over_socket_is_replaced(void **state)
{
    struct kit_process *server;
    char place[400];
    char line[LINE];
    const char *path = make_place(place);

    (void)state;
    server = kit_server(NULL, place, NULL);
    kit_await_stdout(server, "listening");
    kit_signal(server, SIGKILL);
    assert_int_equal(kit_end(server), 128 + SIGKILL);
    assert_int_equal(access(path, F_OK), 0);
    server = kit_server(NULL, place, NULL);
    kit_await_stdout(server, "listening");
    kit_receive_all(kit_connect_unix(path), line, LINE);
}

static void socket_that_answers_is_not_replaced(void **state)
{
    struct kit_process *second;
    char place[400];
    char message[500];
    char line[LINE];
    const char *path = make_place(place);

    (void)state;
    kit_await_stdout(kit_server(NULL, place, NULL), "listening");
    second = kit_run("delayserver", place, NULL);
    assert_int_equal(kit_end(second), 1);
    snprintf(message, sizeof message, "delayserver: delay: unix:%s: Address already in use\n",
             path);
    assert_string_equal(kit_stderr(second), message);
    kit_receive_all(kit_connect_unix(path), line, LINE);
}

/* A client may have called its own socket anything: the terminal that shows the log must not obey
 * it. */
static void name_of_a_client_is_made_visible(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1;
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    struct kit_process *server;
    char place[400];
    const char *path = make_place(place);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    server = kit_server(NULL, place, NULL);
    kit_await_stdout(server, "listening");
    length += (socklen_t)snprintf(name.sun_path + 1, 100, "\033[2J%d", (int)getpid());
    strcpy(there.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, length), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    kit_await_stdout(server, "Got connection from unix:@?[2J");
    assert_null(strchr(kit_stdout(server, NULL), '\033'));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_BACKEND(is_served_and_removed),
        cmocka_unit_test_teardown(left_over_socket_is_replaced, kit_cleanup),
        cmocka_unit_test_teardown(socket_that_answers_is_not_replaced, kit_cleanup),
        cmocka_unit_test_teardown(name_of_a_client_is_made_visible, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
