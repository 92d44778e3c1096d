/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places as people write them: what each form means, and that each mistake is told by a sentence of
 * its own.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"
#include "net/address.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void each_form_is_understood(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
        const char *written;
    } cases[] = {
        {"localhost", "localhost", 7, "localhost:7"},
        {"time.example:51423", "time.example", 51423, "time.example:51423"},
        {"127.0.0.1", "127.0.0.1", 7, "127.0.0.1:7"},
        {"127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"},
        {"[::1]", "::1", 7, "[::1]:7"},
        {"[::1]:65535", "::1", 65535, "[::1]:65535"},
        {"::1", "::1", 7, "[::1]:7"},
        {"::", "::", 7, "[::]:7"},
        {"2001:db8::1", "2001:db8::1", 7, "[2001:db8::1]:7"},
        {"fe80::1%1", "fe80::1%1", 7, "[fe80::1%1]:7"},
        {"[fe80::1%1]:9", "fe80::1%1", 9, "[fe80::1%1]:9"},
        {":9", "", 9, ":9"},
        {"host:00080", "host", 80, "host:80"},
        {"unix", "unix", 7, "unix:7"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct target target;
        const char *why = NULL;
        char text[ADDRESS_TEXT];

        if (target_parse(&target, cases[i].text, 7, &why) < 0)
            fail_msg("%s: %s", cases[i].text, why);
        assert_false(target.is_unix);
        assert_string_equal(target.host, cases[i].host);
        assert_int_equal(target.port, cases[i].port);
        target_format(&target, text);
        assert_string_equal(text, cases[i].written);
    }
}

static void a_service_name_is_a_port(void **state)
{
    struct target target;
    const char *why = NULL;

    (void)state;
    if (!getservbyname("daytime", "tcp"))
        kit_skip("this system's services(5) has no daytime");
    assert_int_equal(target_parse(&target, "host:daytime", 7, &why), 0);
    assert_int_equal(target.port, 13);
}

static void a_unix_path_is_taken_as_it_is(void **state)
{
    static const char *const texts[] = {"unix:/run/x", "unix:a:b", "unix:@name", "unix:x y",
                                        "unix:80"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct target target;
        const char *why;
        char text[ADDRESS_TEXT];

        assert_int_equal(target_parse(&target, texts[i], 7, &why), 0);
        assert_true(target.is_unix);
        target_format(&target, text);
        assert_string_equal(text, texts[i]);
    }
}

static const char *refuse(const char *text)
{
    struct target target;
    const char *why = NULL;

    errno = 0;
    if (target_parse(&target, text, 7, &why) == 0)
        fail_msg("\"%s\" was taken", text);
    assert_int_equal(errno, EINVAL);
    assert_non_null(why);
    return why;
}

static void each_mistake_is_told_apart(void **state)
{
    static const char *const mistakes[] = {
        "",       "host:",  "host:65536", "host:x-no-service", "a b",   "a\033[2J",
        "m\xc3n", "[::1",   "[::1]7",     "[host]:7",          "ho[st", "1:2:3",
        "unix:",  "unix:@",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(refuse(mistakes[i]), refuse(mistakes[j]));
}

static void variants_of_a_mistake_are_refused_too(void **state)
{
    static const char *const mistakes[] = {
        ":",         "[::1]:",
        "host:-1",   "host:+1",
        "host: 1",   "host:1 ",
        "host:0x50", "[]",
        "[]:7",      "[[::1]]:7",
        "::1]",      "]",
        "host]:7",   "[1.2.3.4]",
        "[::1] :7",  "fe80::1%",
        "::1%",      "a\tb",
        "a\177b",    "[fe80::1%]",
        "host:7\n",  "host:9999999999999999999999",
        "host\n",    "a:b:c",
        " host",     "host:65536",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++)
        refuse(mistakes[i]);
}

static void what_is_too_long_is_refused_and_the_longest_is_not(void **state)
{
    enum { PATH_MOST = sizeof((struct target *)0)->path - 1, HOST_MOST = 255 };
    struct target target;
    struct address address;
    const char *why;
    char text[600] = "unix:";

    (void)state;
    memset(text + 5, 'p', PATH_MOST);
    assert_int_equal(target_parse(&target, text, 7, &why), 0);
    assert_int_equal(strlen(target.path), PATH_MOST);
    assert_int_equal(address_from_target(&address, &target, AF_UNSPEC), 0);
    text[5 + PATH_MOST] = 'p';
    assert_string_equal(refuse(text), "path is too long for a unix socket");

    memset(text, 0, sizeof text);
    memset(text, 'h', HOST_MOST);
    assert_int_equal(target_parse(&target, text, 7, &why), 0);
    assert_int_equal(strlen(target.host), HOST_MOST);
    target_format(&target, text);
    assert_int_equal(strlen(text), HOST_MOST + 2);
    memset(text, 'h', HOST_MOST + 1);
    assert_string_equal(refuse(text), "host is longer than 255 characters");
}

static int from_text(struct address *address, const char *text, int family)
{
    struct target target;
    const char *why;

    assert_int_equal(target_parse(&target, text, 7, &why), 0);
    errno = 0;
    return address_from_target(address, &target, family);
}

static void only_a_name_needs_a_look_up(void **state)
{
    struct address address;

    (void)state;
    assert_int_equal(from_text(&address, "127.0.0.1", AF_UNSPEC), 0);
    assert_int_equal(from_text(&address, "127.0.0.1", AF_INET), 0);
    assert_int_equal(from_text(&address, "::1", AF_INET6), 0);
    assert_int_equal(from_text(&address, "unix:/x", AF_INET6), 0);
    assert_int_equal(from_text(&address, "::1", AF_INET), -1);
    assert_int_equal(errno, EAFNOSUPPORT);
    assert_int_equal(from_text(&address, "127.0.0.1", AF_INET6), -1);
    assert_int_equal(errno, EAFNOSUPPORT);
    assert_int_equal(from_text(&address, "localhost", AF_UNSPEC), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(from_text(&address, ":7", AF_UNSPEC), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(from_text(&address, "127.1", AF_UNSPEC), -1);
    assert_int_equal(errno, EAGAIN);
}

static void an_address_is_written_as_it_is_read(void **state)
{
    static const struct {
        const char *numeric;
        const char *written;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:51423"},
        {"255.255.255.255", "255.255.255.255:51423"},
        {"::1", "[::1]:51423"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:51423"},
        {"::ffff:192.0.2.1", "192.0.2.1:51423"},
        {"fe80::1%4000000000", "[fe80::1%4000000000]:51423"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address;
        char text[ADDRESS_TEXT];

        assert_int_equal(address_from_numeric(&address, cases[i].numeric, 51423), 0);
        assert_int_equal(address_port(&address), 51423);
        address_format(&address, text);
        assert_string_equal(text, cases[i].written);
        address_set_port(&address, 1);
        assert_int_equal(address_port(&address), 1);
    }
}

static void what_is_not_numeric_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "localhost",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "256.1.1.1",
                                        ":::",
                                        "1.2.3.4:7",
                                        "[::1]",
                                        "fe80::1%",
                                        " ::1",
                                        "::1%no-such-interface",
                                        "::1%4294967296"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;

        errno = 0;
        if (address_from_numeric(&address, texts[i], 7) == 0)
            fail_msg("\"%s\" was taken", texts[i]);
        assert_int_equal(errno, EINVAL);
    }
}

static void unix_addresses_of_every_kind_are_written(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT];
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(address_of_socket(&address, ends[0], true), 0);
    address_format(&address, text);
    assert_string_equal(text, "unix:");
    assert_int_equal(address_port(&address), 0);
    close(ends[0]);
    close(ends[1]);

    assert_int_equal(from_text(&address, "unix:@name", AF_UNSPEC), 0);
    assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + strlen("@name"));
    assert_int_equal(address.sock.un.sun_path[0], '\0');
    address_format(&address, text);
    assert_string_equal(text, "unix:@name");

    assert_int_equal(from_text(&address, "unix:/run/x", AF_UNSPEC), 0);
    assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + sizeof "/run/x");
    address_format(&address, text);
    assert_string_equal(text, "unix:/run/x");
}

static void a_hostile_path_is_written_without_controls(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT];

    (void)state;
    assert_int_equal(from_text(&address, "unix:@a\033]0;x\007\xc2\x9b", AF_UNSPEC), 0);
    address_format(&address, text);
    assert_string_equal(text, "unix:@a?]0;x???");

    memset(&address.sock, 'p', sizeof address.sock); /* a path that no NUL ends */
    address.sock.any.sa_family = AF_UNIX;
    address.length = sizeof address.sock;
    address_format(&address, text);
    assert_int_equal(strlen(text), strlen("unix:") + sizeof address.sock.un.sun_path);
}

static void a_socket_tells_both_its_addresses(void **state)
{
    uint16_t port;
    int listener = kit_listen(&port);
    int fd = kit_connect(port);
    struct address own;
    struct address peer;

    (void)state;
    assert_int_equal(address_of_socket(&own, listener, false), 0);
    assert_int_equal(address_of_socket(&peer, fd, true), 0);
    assert_int_equal(address_port(&own), port);
    assert_int_equal(address_port(&peer), port);
    assert_int_equal(address_of_socket(&own, fd, false), 0);
    assert_int_not_equal(address_port(&own), port);
    assert_int_equal(address_of_socket(&peer, listener, true), -1);
    assert_int_equal(errno, ENOTCONN);
    close(fd);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_understood),
        cmocka_unit_test(a_service_name_is_a_port),
        cmocka_unit_test(a_unix_path_is_taken_as_it_is),
        cmocka_unit_test(each_mistake_is_told_apart),
        cmocka_unit_test(variants_of_a_mistake_are_refused_too),
        cmocka_unit_test(what_is_too_long_is_refused_and_the_longest_is_not),
        cmocka_unit_test(only_a_name_needs_a_look_up),
        cmocka_unit_test(an_address_is_written_as_it_is_read),
        cmocka_unit_test(what_is_not_numeric_is_refused),
        cmocka_unit_test(unix_addresses_of_every_kind_are_written),
        cmocka_unit_test(a_hostile_path_is_written_without_controls),
        cmocka_unit_test_teardown(a_socket_tells_both_its_addresses, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
