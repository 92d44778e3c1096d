/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Look-ups with a name server that the test drives, in the same loop: each family is answered by
 * itself, never from within resolve_new, and whoever is answered may free everything.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kit/kit.h"
#include "net/resolve.h"
#include "unit/nameserver.h"
#include "unit/turns.h"

/* What was answered for one family. */
struct answer {
    int times;
    size_t count;
    struct address first;
    const char *why;
};

struct asker {
    struct loop *loop;
    struct nameserver server;
    struct resolve *resolve;
    struct answer ipv6;
    struct answer ipv4;
    bool free_at_answer;
};

static void asker_on_answer(void *owner, int family, const struct address *addresses, size_t count,
                            const char *why)
{
    struct asker *asker = owner;
    struct answer *answer = family == AF_INET6 ? &asker->ipv6 : &asker->ipv4;

    assert_true(family == AF_INET6 || family == AF_INET);
    assert_int_equal(why == NULL, count > 0);
    answer->times++;
    answer->count = count;
    answer->why = why;
    if (asker->free_at_answer) {
        resolve_free(asker->resolve);
        asker->resolve = NULL;
    }
    for (size_t i = 0; i < count; i++) { /* still there */
        assert_int_equal(addresses[i].sock.any.sa_family, family);
        assert_int_equal(address_port(&addresses[i]), 7);
    }
    if (count > 0)
        answer->first = addresses[0];
}

static void asker_start(struct asker *asker, void **state)
{
    *asker = (struct asker){.loop = turns_new(*state)};
    nameserver_start(&asker->server, asker->loop);
}

static void asker_ask(struct asker *asker, const char *host, int family)
{
    asker->ipv6 = asker->ipv4 = (struct answer){.times = 0};
    asker->resolve =
        resolve_new(asker->loop, host, 7, family, asker->server.where, asker_on_answer, asker);
    assert_non_null(asker->resolve);
    assert_int_equal(asker->ipv6.times + asker->ipv4.times, 0);
}

static void asker_stop(struct asker *asker)
{
    resolve_free(asker->resolve);
    nameserver_stop(&asker->server);
    loop_free(asker->loop);
}

static void assert_answer(const struct answer *answer, const char *expected)
{
    char text[ADDRESS_TEXT];

    assert_int_equal(answer->times, 1);
    assert_true(answer->count > 0);
    address_format(&answer->first, text);
    assert_string_equal(text, expected);
}

static void each_family_is_answered_by_itself(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv6 = (struct nameserver_side){.addresses = "2001:db8::1", .is_held = true};
    asker.server.ipv4.addresses = "192.0.2.1";
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.ipv4.times > 0 && asker.server.ipv6.asked > 0);
    assert_answer(&asker.ipv4, "192.0.2.1:7");
    assert_int_equal(asker.ipv6.times, 0);
    assert_true(turns_watches(asker.loop, "name server") > 0);
    nameserver_answer(&asker.server, &asker.server.ipv6);
    turns_until(asker.loop, asker.ipv6.times > 0);
    assert_answer(&asker.ipv6, "[2001:db8::1]:7");
    assert_true(turns_for(asker.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(asker.ipv6.times + asker.ipv4.times, 2);
    asker_stop(&asker);
}

static void one_family_is_asked_for_alone(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv4.addresses = "192.0.2.1";
    asker_ask(&asker, "time.example", AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_answer(&asker.ipv4, "192.0.2.1:7");
    assert_int_equal(asker.server.ipv6.asked, 0);
    asker_stop(&asker);
}

static void what_is_not_there_is_told(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv6.code = NAMESERVER_NO_SUCH_NAME;
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.ipv6.times > 0 && asker.ipv4.times > 0);
    assert_string_equal(asker.ipv6.why, "no such host");
    assert_string_equal(asker.ipv4.why, "no address of this family");
    asker_stop(&asker);
}

static void a_failing_server_is_told(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv4.code = NAMESERVER_FAILS;
    asker_ask(&asker, "time.example", AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_int_equal(asker.ipv4.count, 0);
    asker_stop(&asker);
}

static void a_server_that_is_not_there_is_told_soon(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    nameserver_stop(&asker.server);
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.ipv6.times > 0 && asker.ipv4.times > 0);
    assert_string_equal(asker.ipv4.why, "no name server can be reached");
    resolve_free(asker.resolve);
    loop_free(asker.loop);
}

static void a_silent_server_does_not_make_it_spin(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv6.is_held = asker.server.ipv4.is_held = true;
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.server.ipv6.asked > 0 && asker.server.ipv4.asked > 0);
    assert_true(turns_for(asker.loop, 50 * CLOCK_MILLISECOND) < 10);
    assert_int_equal(asker.ipv6.times + asker.ipv4.times, 0);
    asker_stop(&asker); /* in the midst of it */
}

static void localhost_needs_nobody(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost.", "a.localhost", ""};
    struct asker asker;

    asker_start(&asker, state);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        asker_ask(&asker, names[i], AF_UNSPEC);
        turns_until(asker.loop, asker.ipv6.times > 0 && asker.ipv4.times > 0);
        assert_answer(&asker.ipv6, "[::1]:7");
        assert_answer(&asker.ipv4, "127.0.0.1:7");
        resolve_free(asker.resolve);
    }
    asker_ask(&asker, "localhost", AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_int_equal(asker.ipv6.times, 0);
    assert_int_equal(asker.server.ipv6.asked + asker.server.ipv4.asked, 0);
    asker_stop(&asker);
}

static void a_name_that_only_ends_like_localhost_is_asked_for(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.server.ipv4.addresses = "192.0.2.1";
    asker_ask(&asker, "notlocalhost", AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_true(asker.server.ipv4.asked > 0);
    asker_stop(&asker);
}

/* Finds a line "127.x.x.x NAME" with a name that is not localhost. */
static bool find_own_name(char name[256])
{
    FILE *file = fopen("/etc/hosts", "r");
    char line[1024];
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof line, file))
        is_found = sscanf(line, "127.%*s %255s", name) == 1 && !strstr(name, "localhost");
    if (file)
        fclose(file);
    return is_found;
}

static void the_hosts_file_is_read_first(void **state)
{
    struct asker asker;
    char name[256];

    if (!find_own_name(name))
        kit_skip("/etc/hosts has no name for a loopback address but localhost");
    asker_start(&asker, state);
    asker.server.ipv4.is_held = true;
    asker_ask(&asker, name, AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_true(asker.ipv4.count > 0);
    assert_int_equal(asker.server.ipv4.asked, 0);
    asker_stop(&asker);
}

static void whoever_is_answered_may_free_it(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker.free_at_answer = true;
    asker.server.ipv6.is_held = true;
    asker.server.ipv4.addresses = "192.0.2.1 192.0.2.2";
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_null(asker.resolve);
    asker_ask(&asker, "localhost", AF_UNSPEC); /* two answers at once: the second never comes */
    turns_until(asker.loop, asker.ipv6.times > 0);
    turns_for(asker.loop, CLOCK_MILLISECOND);
    assert_int_equal(asker.ipv4.times, 0);
    asker_stop(&asker);
}

static void too_many_addresses_are_left_out(void **state)
{
    char addresses[1024] = "";
    struct asker asker;

    asker_start(&asker, state);
    for (int i = 1; i <= 25; i++)
        sprintf(addresses + strlen(addresses), "192.0.2.%d ", i);
    asker.server.ipv4.addresses = addresses;
    asker_ask(&asker, "time.example", AF_INET);
    turns_until(asker.loop, asker.ipv4.times > 0);
    assert_int_equal(asker.ipv4.count, 16);
    asker_stop(&asker);
}

static void a_name_that_cannot_be_asked_for_is_told(void **state)
{
    struct asker asker;

    asker_start(&asker, state);
    asker_ask(&asker,
              "a-label-of-more-than-sixty-three-characters-which-no-name-server-can-be-asked-for.x",
              AF_UNSPEC);
    turns_until(asker.loop, asker.ipv6.times > 0 && asker.ipv4.times > 0);
    assert_int_equal(asker.ipv4.count + asker.ipv6.count, 0);
    assert_int_equal(asker.server.ipv6.asked + asker.server.ipv4.asked, 0);
    asker_stop(&asker);
}

static void a_bad_name_server_is_refused(void **state)
{
    static const char *const servers[] = {"",          "ns.example",        "unix:/x",
                                          "1.1.1.1:x", "1.1.1.1:99999",     ":53",
                                          "1.1.1.1,",  "1.1.1.1,127.0.0.1", "localhost"};
    struct asker asker;

    asker_start(&asker, state);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        errno = 0;
        assert_null(
            resolve_new(asker.loop, "x", 7, AF_UNSPEC, servers[i], asker_on_answer, &asker));
        assert_int_equal(errno, EINVAL);
    }
    asker_stop(&asker);
}

/* Takes every descriptor that select(2) can hold. Returns the last one taken, or -1. */
static int take_low_descriptors(int *first)
{
    struct rlimit limit;
    int fd;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < 1100)
        return -1;
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (fd = *first = open("/dev/null", O_RDONLY); fd >= 0 && fd < 1023;)
        fd = dup(*first);
    return fd;
}

static void a_socket_that_cannot_be_watched_is_told_at_once(void **state)
{
    static char select_name[] = "select";
    struct asker asker;
    int first = -1;
    int last;

    *state = select_name;
    asker_start(&asker, state);
    last = take_low_descriptors(&first);
    if (last < 0)
        kit_skip("no more than 1023 descriptors may be open here");
    asker_ask(&asker, "time.example", AF_UNSPEC);
    turns_until(asker.loop, asker.ipv6.times > 0 && asker.ipv4.times > 0);
    assert_string_equal(asker.ipv4.why, "the name server's socket cannot be watched");
    for (int fd = first; fd <= last; fd++)
        close(fd);
    asker_stop(&asker);
}

#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, kit_cleanup, backend                                            \
    }

int main(void)
{
    static char backend[] = "auto";
    const struct CMUnitTest tests[] = {
        CASE(each_family_is_answered_by_itself),
        CASE(one_family_is_asked_for_alone),
        CASE(what_is_not_there_is_told),
        CASE(a_failing_server_is_told),
        CASE(a_server_that_is_not_there_is_told_soon),
        CASE(a_silent_server_does_not_make_it_spin),
        CASE(localhost_needs_nobody),
        CASE(a_name_that_only_ends_like_localhost_is_asked_for),
        CASE(the_hosts_file_is_read_first),
        CASE(whoever_is_answered_may_free_it),
        CASE(too_many_addresses_are_left_out),
        CASE(a_name_that_cannot_be_asked_for_is_told),
        CASE(a_bad_name_server_is_refused),
        CASE(a_socket_that_cannot_be_watched_is_told_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
