/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other people's clients get the ticks: nc, socat, telnet and a plain Python socket.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "e2e/backends.h"

enum { TICKS = 3, LINE = 25 };

static const char *start(char port[10])
{
    uint16_t number;

    kit_server(&number, "-i", "0.05", "delay@0", NULL);
    snprintf(port, 10, "%u", number);
    return port;
}

/* The line that ends at END is what asctime(3) writes. */
static void assert_is_asctime(const char *end)
{
    char line[LINE + 1];
    struct tm parts = {0};

    memcpy(line, end - (LINE - 1), LINE - 1);
    line[LINE - 1] = '\0';
    if (!strptime(line, "%a %b %d %H:%M:%S %Y", &parts) || strncmp(asctime(&parts), line, LINE - 1))
        fail_msg("not asctime text: %s", line);
}

/* SKIPPED lines are the peer's own. Its input stays open meanwhile. */
static void assert_gets_ticks(struct kit_process *peer, int skipped)
{
    const char *at;

    kit_await_lines(peer, skipped + TICKS);
    at = kit_stdout(peer, NULL);
    for (int i = 0; i < skipped + TICKS; i++) {
        at = strchr(at, '\n');
        if (i >= skipped)
            assert_is_asctime(at[-1] == '\r' ? at - 1 : at);
        at++;
    }
    kit_signal(peer, SIGKILL);
    kit_end(peer);
}

static void nc(void **state)
{
    char port[10];

    (void)state;
    if (!kit_has("nc"))
        kit_skip("nc is not here");
    assert_gets_ticks(kit_run("nc", "127.0.0.1", start(port), NULL), 0);
}

/* An input that has ended does not end the ticks. */
static void nc_without_input(void **state)
{
    char port[10];
    struct kit_process *peer;

    (void)state;
    if (!kit_has("nc"))
        kit_skip("nc is not here");
    peer = kit_run("nc", "-N", "127.0.0.1", start(port), NULL);
    kit_type_end(peer);
    assert_gets_ticks(peer, 0);
}

static void socat(void **state)
{
    char port[10];
    char address[40];

    (void)state;
    if (!kit_has("socat"))
        kit_skip("socat is not here");
    snprintf(address, sizeof address, "TCP:127.0.0.1:%s", start(port));
    assert_gets_ticks(kit_run("socat", "-", address, NULL), 0);
}

static void telnet(void **state)
{
    enum { OWN_LINES = 3 }; /* Trying, Connected, Escape character */
    char port[10];

    (void)state;
    if (!kit_has("telnet"))
        kit_skip("telnet is not here");
    assert_gets_ticks(kit_run("telnet", "127.0.0.1", start(port), NULL), OWN_LINES);
}

static void python(void **state)
{
    static const char script[] = "import socket, sys\n"
                                 "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                                 "for line in s.makefile():\n"
                                 "    print(line, end='', flush=True)\n";
    char port[10];

    (void)state;
    if (!kit_has("python3"))
        kit_skip("python3 is not here");
    assert_gets_ticks(kit_run("python3", "-c", script, start(port), NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nc, kit_cleanup),
        cmocka_unit_test_teardown(nc_without_input, kit_cleanup),
        cmocka_unit_test_teardown(socat, kit_cleanup),
        cmocka_unit_test_teardown(telnet, kit_cleanup),
        cmocka_unit_test_teardown(python, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
