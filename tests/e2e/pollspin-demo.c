/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `pollspin --demo` has a server of its own, and leaves nothing of it behind, however it ends.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

static const char *const backends[] = {"select", "poll", "epoll", "busy", "blocking"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Fails unless the output is COUNT lines as asctime(3) writes them. */
static void assert_times(struct kit_process *client, int count)
{
    const char *line = kit_stdout(client, NULL);

    for (int i = 0; i < count; i++) {
        struct tm time = {0};

        line = strptime(line, "%a %b %e %H:%M:%S %Y", &time);
        assert_non_null(line);
        assert_int_equal(*line++, '\n');
    }
    assert_string_equal(line, "");
}

static void two_lines_and_the_end(void **state)
{
    for (size_t i = 0; i < COUNT(backends); i++) {
        struct kit_process *client = kit_run("pollspin", "--demo-interval", "0.1", "--lines", "2",
                                             "--backend", backends[i], NULL);

        kit_end_saying(client, 0, ": 2 lines shown");
        assert_times(client, 2);
        kit_cleanup(state);
    }
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

static void by_ipv6_too(void **state)
{
    struct kit_process *client;

    (void)state;
    if (!has_ipv6())
        kit_skip("there is no ::1 here");
    client = kit_run("pollspin", "-6", "--demo-interval=0.1", "-n2", NULL);
    kit_end_saying(client, 0, "[::1]:");
    assert_times(client, 2);
}

/* Returns the only child of PID, or -1 where the kernel does not tell: proc(5). */
static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = fopen(path, "r");
    if (!file)
        return -1;
    assert_int_equal(fscanf(file, "%d", &child), 1);
    fclose(file);
    return child;
}

/* Dead is also one that nobody has waited for: there may be no init that does. */
static bool is_alive(pid_t pid)
{
    char path[64], text[512] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    if (!fgets(text, sizeof text, file))
        *text = '\0';
    fclose(file);
    return *text && !strstr(text, ") Z ") && !strstr(text, ") X ");
}

static void assert_ends(pid_t pid)
{
    int64_t deadline = clock_now() + KIT_DEADLINE_NS;

    while (is_alive(pid)) {
        assert_true(clock_now() < deadline);
        usleep(1000);
    }
}

/* The client waits for its server before it ends itself. */
static void a_signal_ends_the_server_too(void **state)
{
    for (size_t i = 0; i < COUNT(backends); i++) {
        struct kit_process *client =
            kit_run("pollspin", "--demo-interval=0.2", "--backend", backends[i], NULL);
        pid_t server;

        kit_await_lines(client, 1);
        server = child_of(kit_pid(client));
        if (server < 0)
            kit_skip("/proc does not tell children");
        kit_signal(client, SIGTERM);
        kit_end_saying(client, 128 + SIGTERM, "ended by signal");
        assert_int_equal(kill(server, 0), -1);
        assert_int_equal(errno, ESRCH);
        kit_cleanup(state);
    }
}

/* Then only the leash is left. */
static void a_client_that_is_killed_leaves_no_server(void **state)
{
    for (size_t i = 0; i < COUNT(backends); i++) {
        struct kit_process *client =
            kit_run("pollspin", "--demo-interval=0.2", "--backend", backends[i], NULL);
        pid_t server;

        kit_await_lines(client, 1);
        server = child_of(kit_pid(client));
        if (server < 0)
            kit_skip("/proc does not tell children");
        kit_signal(client, SIGKILL);
        assert_int_equal(kit_end(client), 128 + SIGKILL);
        assert_ends(server);
        kit_cleanup(state);
    }
}

static void the_interrupt_key_ends_both(void **state)
{
    const char *const argv[] = {"pollspin", "--plain", "--demo-interval=0.2", NULL};
    struct kit_terminal *terminal = kit_terminal(24, 80, argv);
    pid_t server;

    (void)state;
    kit_await_row(terminal, ":");
    kit_await_row(terminal, "..|.......");
    server = child_of(kit_terminal_pid(terminal));
    kit_keys(terminal, "\003", 1);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGINT);
    if (server >= 0)
        assert_ends(server);
}

/* Nothing of a server that is quiet is on its own outputs, and the client has nothing to mix with.
 */
static void the_server_says_nothing(void **state)
{
    struct kit_process *client = kit_run("pollspin", "--demo", "--lines=1", NULL);

    (void)state;
    kit_end_saying(client, 0, "pollspin: 127.0.0.1:");
    assert_times(client, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_lines_and_the_end, kit_cleanup),
        cmocka_unit_test_teardown(by_ipv6_too, kit_cleanup),
        cmocka_unit_test_teardown(a_signal_ends_the_server_too, kit_cleanup),
        cmocka_unit_test_teardown(a_client_that_is_killed_leaves_no_server, kit_cleanup),
        cmocka_unit_test_teardown(the_interrupt_key_ends_both, kit_cleanup),
        cmocka_unit_test_teardown(the_server_says_nothing, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
