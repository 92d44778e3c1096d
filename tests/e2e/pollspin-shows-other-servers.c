/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin shows the lines of servers that others wrote: nc(1), socat(1), and what is built into
 * xinetd(8), the daytime of RFC 867 and the chargen of RFC 864.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit/kit.h"

enum { PORT_DIGITS = 8 };

/* Returns a port that is free now, for programs that cannot say which one the kernel picked. */
static uint16_t free_port(void)
{
    uint16_t port;

    close(kit_listen(&port));
    return port;
}

static bool is_openbsd_nc(void)
{
    struct kit_process *nc;

    if (!kit_has("nc"))
        return false;
    nc = kit_run("nc", "-h", NULL);
    kit_end(nc);
    return strstr(kit_stderr(nc), "OpenBSD") || strstr(kit_stdout(nc, NULL), "OpenBSD");
}

/* Nobody says when nc listens; until then the client is refused, and tries again. */
static void nc(void **state)
{
    char port[PORT_DIGITS];
    struct kit_process *server;
    struct kit_process *client;
    uint16_t number;

    (void)state;
    if (!is_openbsd_nc())
        kit_skip("the nc of OpenBSD is not installed");
    number = free_port();
    snprintf(port, sizeof port, "%u", number);
    server = kit_run("nc", "-l", "127.0.0.1", port, NULL);
    client = kit_run("pollspin", "--reconnect", "--lines=2", kit_target(number), NULL);
    kit_type(client, "and back\n");
    kit_await_stdout(server, "and back\n");
    kit_type(server, "one\ntwo\n");
    assert_int_equal(kit_end(client), 0);
    assert_string_equal(kit_stdout(client, NULL), "one\ntwo\n");
    assert_int_equal(kit_end(server), 0);
}

static void nc_on_a_unix_socket(void **state)
{
    char path[300];
    char target[310];
    struct kit_process *server;
    struct kit_process *client;

    (void)state;
    if (!is_openbsd_nc())
        kit_skip("the nc of OpenBSD is not installed");
    snprintf(path, sizeof path, "%s/socket", kit_folder());
    snprintf(target, sizeof target, "unix:%s", path);
    server = kit_run("nc", "-lU", path, NULL);
    client = kit_run("pollspin", "--reconnect", "--lines=2", target, NULL);
    kit_type(server, "one\ntwo\n");
    assert_int_equal(kit_end(client), 0);
    assert_string_equal(kit_stdout(client, NULL), "one\ntwo\n");
}

/* Returns the port in the line of socat that ends in "listening on AF=2 127.0.0.1:PORT". */
static uint16_t port_of_socat(struct kit_process *socat)
{
    const char *line;

    kit_await_stderr(socat, "listening on");
    kit_await_stderr(socat, "127.0.0.1:");
    line = strstr(kit_stderr(socat), "listening on");
    return (uint16_t)strtoul(strstr(line, "127.0.0.1:") + strlen("127.0.0.1:"), NULL, 10);
}

static void socat(void **state)
{
    struct kit_process *server;
    struct kit_process *client;

    (void)state;
    if (!kit_has("socat"))
        kit_skip("socat is not installed");
    server = kit_run("socat", "-d", "-d", "-", "TCP-LISTEN:0,bind=127.0.0.1", NULL);
    client = kit_run("pollspin", kit_target(port_of_socat(server)), NULL);
    kit_type(server, "one\ntwo");
    kit_await_stdout(client, "one\ntwo");
    kit_type(client, "and back\n");
    kit_await_stdout(server, "and back\n");
    kit_type_end(client);
    kit_type_end(server);
    kit_end_saying(client, 0, "closed by the server after 1 line, 7 bytes");
    assert_int_equal(kit_end(server), 0);
}

static void write_service(FILE *file, const char *name, uint16_t port)
{
    fprintf(file,
            "service %s\n{\n"
            "    type = INTERNAL UNLISTED\n"
            "    id = %s-stream\n"
            "    socket_type = stream\n"
            "    protocol = tcp\n"
            "    wait = no\n"
            "    port = %u\n"
            "    bind = 127.0.0.1\n"
            "}\n",
            name, name, port);
}

/* Starts an xinetd of our own with the one service, and returns its target. */
static const char *start_xinetd(const char *service)
{
    char config[300], pid[300];
    const char *folder = kit_folder();
    uint16_t port = free_port();
    FILE *file;

    snprintf(config, sizeof config, "%s/config", folder);
    snprintf(pid, sizeof pid, "%s/pid", folder);
    file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file, "defaults\n{\n    log_type = FILE %s/log\n}\n", folder);
    write_service(file, service, port);
    assert_int_equal(fclose(file), 0);
    kit_run("xinetd", "-dontfork", "-f", config, "-pidfile", pid, NULL);
    return kit_target(port);
}

/* 21 NOV 2026 20:22:55 UTC, and CR LF; the form is each server's own. */
static void xinetd_daytime(void **state)
{
    struct kit_process *client;
    const char *line;

    (void)state;
    if (!kit_has("xinetd"))
        kit_skip("xinetd is not installed");
    client = kit_run("pollspin", "--reconnect", "--lines=1", start_xinetd("daytime"), NULL);
    assert_int_equal(kit_end(client), 0);
    line = kit_stdout(client, NULL);
    assert_non_null(strstr(line, " 20"));
    assert_int_equal(strcspn(line, "\n"), strlen(line) - 1);
}

/* Each line has 72 characters of a ring, and begins one further on than the line before, until the
 * ring comes round: then each server does it in its own way. */
static void xinetd_chargen(void **state)
{
    enum { LINES_WANTED = 90, WIDTH = 72 };
    struct kit_process *client;
    const char *line;

    (void)state;
    if (!kit_has("xinetd"))
        kit_skip("xinetd is not installed");
    client = kit_run("pollspin", "--reconnect", "--lines=90", start_xinetd("chargen"), NULL);
    assert_int_equal(kit_end(client), 0);
    line = kit_stdout(client, NULL);
    for (int i = 0; i < LINES_WANTED; i++, line += WIDTH + 2) {
        assert_memory_equal(line + WIDTH, "\r\n", 2);
        if (i + 1 < LINES_WANTED)
            assert_memory_equal(line + WIDTH + 2, line + 1, WIDTH - 1);
    }
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nc, kit_cleanup),
        cmocka_unit_test_teardown(nc_on_a_unix_socket, kit_cleanup),
        cmocka_unit_test_teardown(socat, kit_cleanup),
        cmocka_unit_test_teardown(xinetd_daytime, kit_cleanup),
        cmocka_unit_test_teardown(xinetd_chargen, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
