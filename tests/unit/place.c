/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places as people write them: what each form means, and that each mistake is told by a sentence
 * that says what to write instead.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "copy/place.h"
#include "kit/kit.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct place understood(const char *text, bool is_source)
{
    struct place place;
    const char *why = NULL;

    if (place_parse(&place, text, is_source, &why) < 0)
        fail_msg("%s: %s", text, why);
    assert_null(why);
    assert_ptr_equal(place.text, text);
    return place;
}

static void a_path_is_what_looks_like_nothing_else(void **state)
{
    static const char *const texts[] = {
        "a",          "/a/b",           "./tcp:x", "./-",    "--",        "fd", "tcp",  "unix",
        "tcp-listen", "FD:1",           "fd1",     "x/fd:1", " -",        "-x", " ",    "a:b",
        "udp:h:1",    "tcp-listener:1", "\xff",    "a\nb",   "./unix:/x", "/",  "http", "fdx:1",
        "tcp-lis:1"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct place place = understood(texts[i], i % 2 == 0);

        assert_int_equal(place.kind, PLACE_PATH);
        assert_ptr_equal(place.path, texts[i]);
        assert_int_equal(place.fd, -1);
    }
}

static void a_descriptor_is_a_number(void **state)
{
    static const struct {
        const char *text;
        int fd;
    } cases[] = {{"fd:0", 0},
                 {"fd:7", 7},
                 {"fd:007", 7},
                 {"fd:2147483647", INT_MAX},
                 {"/dev/stdin", 0},
                 {"/dev/stdout", 1},
                 {"/dev/stderr", 2},
                 {"/dev/fd/9", 9},
                 {"/proc/self/fd/12", 12}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place place = understood(cases[i].text, false);

        assert_int_equal(place.kind, PLACE_FD);
        assert_int_equal(place.fd, cases[i].fd);
        assert_null(place.path);
    }
}

static void what_is_in_dev_beside_is_a_path(void **state)
{
    static const char *const texts[] = {
        "/dev/null",           "/dev/fd/",    "/dev/fd/x", "/dev/fd/1/",
        "/dev/fd/99999999999", "/dev/stdinx", "dev/stdin"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(understood(texts[i], true).kind, PLACE_PATH);
}

static void a_dash_is_input_or_output(void **state)
{
    (void)state;
    assert_int_equal(understood("-", true).kind, PLACE_FD);
    assert_int_equal(understood("-", true).fd, 0);
    assert_int_equal(understood("-", false).kind, PLACE_FD);
    assert_int_equal(understood("-", false).fd, 1);
}

static void a_place_to_connect_to(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"tcp:localhost:7", "localhost", 7},
        {"tcp:time.example:65535", "time.example", 65535},
        {"tcp:127.0.0.1:1", "127.0.0.1", 1},
        {"tcp:[::1]:51423", "::1", 51423},
        {"tcp::9", "", 9},
        {"tcp:[fe80::1%1]:9", "fe80::1%1", 9},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place place = understood(cases[i].text, true);

        assert_int_equal(place.kind, PLACE_CONNECT);
        assert_false(place.target.is_unix);
        assert_string_equal(place.target.host, cases[i].host);
        assert_int_equal(place.target.port, cases[i].port);
    }
}

static void a_unix_socket(void **state)
{
    static const char *const texts[] = {"unix:/run/x", "unix:@name", "unix:a:b", "unix:fd:1"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct place place = understood(texts[i], false);

        assert_int_equal(place.kind, PLACE_CONNECT);
        assert_true(place.target.is_unix);
        assert_string_equal(place.target.path, texts[i] + strlen("unix:"));
    }
}

static void a_place_to_listen_at(void **state)
{
    static const struct {
        const char *text;
        const char *at[2];
    } cases[] = {
        {"tcp-listen:80", {"127.0.0.1:80", "[::1]:80"}},
        {"tcp-listen:0", {"127.0.0.1:0", "[::1]:0"}},
        {"tcp-listen::80", {"127.0.0.1:80", "[::1]:80"}},
        {"tcp-listen:localhost:0", {"127.0.0.1:0", "[::1]:0"}},
        {"tcp-listen:*:7", {"0.0.0.0:7", "[::]:7"}},
        {"tcp-listen:127.0.0.2:7", {"127.0.0.2:7"}},
        {"tcp-listen:[::1]:7", {"[::1]:7"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place place = understood(cases[i].text, true);
        struct address addresses[2];
        char text[ADDRESS_TEXT];
        int count = place_listen_addresses(&place, addresses);

        assert_int_equal(place.kind, PLACE_LISTEN);
        assert_int_equal(count, cases[i].at[1] ? 2 : 1);
        for (int j = 0; j < count; j++) {
            address_format(&addresses[j], text);
            assert_string_equal(text, cases[i].at[j]);
        }
    }
}

static void a_service_name_is_a_port(void **state)
{
    (void)state;
    if (!getservbyname("daytime", "tcp"))
        kit_skip("this system's services(5) has no daytime");
    assert_int_equal(understood("tcp:host:daytime", true).target.port, 13);
    assert_int_equal(understood("tcp-listen:daytime", true).target.port, 13);
    assert_int_equal(understood("tcp-listen:*:daytime", true).target.port, 13);
}

/* HINT is what the sentence has to hold. */
static void each_mistake_says_what_to_write(void **state)
{
    static const struct {
        const char *text;
        const char *hint;
    } cases[] = {
        {"", "write a path, or -"},
        {"fd:", "such as fd:3"},
        {"fd:x", "such as fd:3"},
        {"fd:-1", "such as fd:3"},
        {"fd: 1", "such as fd:3"},
        {"fd:1x", "./"},
        {"fd:2147483648", "such as fd:3"},
        {"tcp:", "tcp:HOST:PORT"},
        {"tcp:host", "tcp:HOST:PORT"},
        {"tcp:80", "tcp:HOST:PORT"},
        {"tcp:host:0", "tcp:HOST:PORT"},
        {"tcp:host:", "port is empty"},
        {"tcp:host:65536", "port is greater than 65535"},
        {"tcp:host:nonesuch-", "port is not a number"},
        {"tcp:::1", "tcp:[ADDRESS]:PORT"},
        {"tcp:[::1]", "tcp:[ADDRESS]:PORT"},
        {"tcp:[::1", "[ has no ]"},
        {"tcp:a b:1", "space"},
        {"tcp:a\033:1", "control character"},
        {"tcp:unix:/x", "tcp:HOST:PORT"},
        {"tcp-listen:", "tcp-listen:PORT"},
        {"tcp-listen:localhost", "port is not a number"},
        {"tcp-listen:[::1]", "tcp-listen:[ADDRESS]:PORT"},
        {"tcp-listen:::1", "tcp-listen:[ADDRESS]:PORT"},
        {"tcp-listen:65536", "port is greater than 65535"},
        {"tcp-listen:time.example:7", "numeric address, localhost or *"},
        {"tcp-listen:unix:/x", "tcp-listen:HOST:PORT"},
        {"unix:", "unix:PATH"},
        {"unix:@", "name behind @ is empty"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place place;
        const char *why = NULL;

        errno = 0;
        if (place_parse(&place, cases[i].text, true, &why) == 0)
            fail_msg("'%s' is taken", cases[i].text);
        assert_int_equal(errno, EINVAL);
        assert_non_null(why);
        if (!strstr(why, cases[i].hint))
            fail_msg("'%s' is told by \"%s\"", cases[i].text, why);
    }
}

static void a_unix_path_has_a_bound(void **state)
{
    char text[300] = "unix:";
    struct place place;
    const char *why = NULL;

    (void)state;
    memset(text + 5, 'x', sizeof place.target.path - 1);
    assert_int_equal(place_parse(&place, text, true, &why), 0);
    text[strlen(text)] = 'x';
    assert_int_equal(place_parse(&place, text, true, &why), -1);
    assert_non_null(strstr(why, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_what_looks_like_nothing_else),
        cmocka_unit_test(a_descriptor_is_a_number),
        cmocka_unit_test(what_is_in_dev_beside_is_a_path),
        cmocka_unit_test(a_dash_is_input_or_output),
        cmocka_unit_test(a_place_to_connect_to),
        cmocka_unit_test(a_unix_socket),
        cmocka_unit_test(a_place_to_listen_at),
        cmocka_unit_test(a_service_name_is_a_port),
        cmocka_unit_test(each_mistake_says_what_to_write),
        cmocka_unit_test(a_unix_path_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
