/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever a server does, pollspin shows every byte of text, obeys none of its control bytes, stays
 * small and ends with the right status. A terminal in the test, libvterm, judges what is obeyed.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

enum { MEGABYTE = 1 << 20 };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Fails where anything but text and the ends of lines reached the terminal, or where it did
 * something on behalf of the server. */
static void assert_nothing_obeyed(struct kit_terminal *terminal)
{
    size_t n;
    const char *raw = kit_raw(terminal, &n);

    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)raw[i];
        bool is_c1 = byte == 0xc2 && i + 1 < n && (unsigned char)raw[i + 1] < 0xa0;

        if ((byte < ' ' && byte != '\r' && byte != '\n') || byte == 0x7f || byte == 0x9b || is_c1)
            fail_msg("byte %zu on the terminal is %02x", i, byte);
    }
    assert_string_equal(kit_title(terminal), "");
    assert_int_equal(kit_reply_length(terminal), 0);
    assert_int_equal(kit_bells(terminal), 0);
    assert_true(kit_cursor_is_shown(terminal));
    assert_false(kit_is_other_screen(terminal));
}

/* ---- the connection ---- */

static void send_byte_by_byte(int server, const char *bytes, size_t n)
{
    int on = 1;

    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < n; i++)
        kit_send(server, bytes + i, 1);
}

static void one_byte_at_a_time(void **state)
{
    static const char text[] = "gr\303\274n \346\227\245\nthe end";
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);
    struct kit_process *client;

    (void)state;
    send_byte_by_byte(server, text, strlen(text));
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 0), "gr\303\274n \346\227\245");
    assert_string_equal(kit_row(terminal, 1), "the end");
    assert_nothing_obeyed(terminal);

    client = kit_client(&server, NULL);
    send_byte_by_byte(server, text, strlen(text));
    close(server);
    kit_end_saying(client, 0, "closed by the server after 1 line, 17 bytes");
    assert_string_equal(kit_stdout(client, NULL), text);
}

/* The first half has been on the screen for so long that the bottom line shows it. */
static void a_character_in_two_halves(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, "gr\303", 3);
    kit_await_row(terminal, "partial: gr");
    kit_send(server, "\274n\n", 3);
    kit_await_row(terminal, "gr\303\274n");
    assert_string_equal(kit_row(terminal, 0), "gr\303\274n");
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 0), "gr\303\274n");
}

static void a_character_that_never_ends(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, "a\346\227", 3);
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 0), "a<E6><97>");
}

static void reset_on_a_terminal(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_reset(server);
    assert_int_equal(kit_terminal_end(terminal), 5);
    assert_non_null(strstr(kit_row(terminal, 0), "reset"));
    assert_string_equal(kit_row(terminal, 1), "");
}

static void reset_after_data_on_a_terminal(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

    (void)state;
    kit_send(server, "one\ntw", 6);
    kit_reset(server);
    assert_int_equal(kit_terminal_end(terminal), 5);
    assert_string_equal(kit_row(terminal, 0), "one");
    assert_string_equal(kit_row(terminal, 1), "tw");
    assert_non_null(strstr(kit_row(terminal, 2), "connection reset by the server"));
}

static void await_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&poll_fd, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
}

/* Closing a socket that holds unread bytes sends a RST behind what was sent before: tcp(7). */
static void a_close_that_ignores_what_we_sent(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    kit_type(client, "are you there?\n");
    await_readable(server);
    kit_send(server, "bye\n", 4);
    close(server);
    kit_end_saying(client, 5, "connection reset by the server after 1 line, 4 bytes");
    assert_string_equal(kit_stdout(client, NULL), "bye\n");
}

static void a_half_close_gets_what_is_still_to_be_sent(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);
    char bytes[4];

    (void)state;
    kit_type(client, "ping");
    await_readable(server);
    kit_send(server, "bye\n", 4);
    shutdown(server, SHUT_WR);
    kit_receive_all(server, bytes, 4);
    assert_memory_equal(bytes, "ping", 4);
    assert_int_equal(kit_receive(server, bytes, 1), 0);
    kit_end_saying(client, 0, "closed by the server");
    assert_string_equal(kit_stdout(client, NULL), "bye\n");
}

/* The urgent byte is one of the text. */
static void urgent_data_is_data(void **state)
{
    int server;
    struct kit_process *client = kit_client(&server, NULL);
    struct kit_terminal *terminal;

    (void)state;
    kit_send(server, "ab", 2);
    assert_int_equal(send(server, "c!", 2, MSG_OOB), 2);
    kit_send(server, "d\n", 2);
    close(server);
    kit_end_saying(client, 0, "closed by the server after 1 line, 6 bytes");
    assert_string_equal(kit_stdout(client, NULL), "abc!d\n");

    terminal = kit_client_on_terminal(&server, NULL);
    assert_int_equal(send(server, "!", 1, MSG_OOB), 1);
    kit_send(server, "u\n", 2);
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_string_equal(kit_row(terminal, 0), "!u");
}

static void silence_can_be_ended(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);
    struct kit_process *client;

    (void)state;
    kit_await_row(terminal, "|.........");
    kit_await_row(terminal, "....|.....");
    kill(kit_terminal_pid(terminal), SIGTERM);
    assert_int_equal(kit_terminal_end(terminal), 128 + SIGTERM);

    client = kit_client_in_shell(&server, "exec \"$0\" \"$@\" </dev/null", NULL);
    await_readable(server); /* the half-close */
    kit_signal(client, SIGTERM);
    kit_end_saying(client, 128 + SIGTERM, "ended by signal");
    assert_string_equal(kit_stdout(client, NULL), "");
}

/* ---- memory ---- */

static size_t endless(void)
{
    return (kit_is_instrumented() ? 16 : 64) * (size_t)MEGABYTE;
}

static size_t memory_allowed(void)
{
    return 12 * (size_t)MEGABYTE;
}

/* AddressSanitizer and valgrind keep what was freed, so that its use would be seen; here a little
 * will do. */
static void keep_little_freed_memory(void)
{
    kit_env("VALGRIND_OPTS", "--freelist-vol=1000000");
    kit_env("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=64");
}

/* Sends N bytes of one endless line, and fails where PID grows by more than a part of that. */
static void send_endless_line(int server, size_t n, pid_t pid)
{
    char *bytes = malloc(MEGABYTE);
    size_t before = kit_memory(pid);
    size_t most = before;

    memset(bytes, 'x', MEGABYTE);
    for (size_t sent = 0; sent < n; sent += MEGABYTE) {
        size_t memory;

        kit_send(server, bytes, MEGABYTE);
        memory = kit_memory(pid);
        most = memory > most ? memory : most;
    }
    free(bytes);
    print_message("%zu bytes of memory at first, %zu at most\n", before, most);
    assert_true(most - before < memory_allowed());
}

static size_t count_bytes(const char *bytes, size_t n, char byte)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += bytes[i] == byte;
    return count;
}

static void a_line_without_end_goes_through(void **state)
{
    size_t size = endless();
    int server;
    struct kit_process *client;
    const char *bytes;
    size_t length;

    (void)state;
    keep_little_freed_memory();
    client = kit_client(&server, NULL);
    send_endless_line(server, size, kit_pid(client));
    close(server);
    kit_end_saying(client, 0, "closed by the server after 0 lines");
    bytes = kit_stdout(client, &length);
    assert_int_equal(length, size);
    assert_int_equal(count_bytes(bytes, length, 'x'), size);
}

static void a_line_without_end_goes_to_a_terminal(void **state)
{
    size_t size = endless();
    int server;
    struct kit_terminal *terminal;
    const char *message = "pollspin: ";
    const char *bytes;
    size_t length;

    (void)state;
    keep_little_freed_memory();
    terminal = kit_client_on_terminal(&server, NULL);
    send_endless_line(server, size, kit_terminal_pid(terminal));
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    bytes = kit_raw(terminal, &length);
    length = (size_t)((char *)memmem(bytes, length, message, strlen(message)) - bytes);
    assert_true(count_bytes(bytes, length, 'x') >= size); /* the bottom line repeats some */
    assert_nothing_obeyed(terminal);
}

/* ---- control bytes ---- */

#define BYTES(text) text, sizeof(text) - 1

static const struct attack {
    const char *bytes;
    size_t length;
    const char *shown; /* the row that it makes */
} attacks[] = {
    {BYTES("nul \0 nul"), "nul ^@ nul"},
    {BYTES("\033]0;owned\007 title"), "^[]0;owned^G title"},
    {BYTES("\033]2;owned\033\\ title too"), "^[]2;owned^[\\ title too"},
    {BYTES("\033]8;;http://e.example\033\\link\033]8;;\033\\"),
     "^[]8;;http://e.example^[\\link^[]8;;^[\\"},
    {BYTES("\033]52;c;cm0gLXJmIC8=\007 clipboard"), "^[]52;c;cm0gLXJmIC8=^G clipboard"},
    {BYTES("\033[2J\033[H\033[31mred"), "^[[2J^[[H^[[31mred"},
    {BYTES("\033[?25l\033[?1049h\033[?1000h modes"), "^[[?25l^[[?1049h^[[?1000h modes"},
    {BYTES("\033P+q544e\033\\ dcs"), "^[P+q544e^[\\ dcs"},
    {BYTES("\033P$qm\033\\ decrqss"), "^[P$qm^[\\ decrqss"},
    {BYTES("\033[c\033[>c\033[=c attributes"), "^[[c^[[>c^[[=c attributes"},
    {BYTES("\033[5n\033[6n\005 status"), "^[[5n^[[6n^E status"},
    {BYTES("\033c\033(0\016\017 reset"), "^[c^[(0^N^O reset"},
    {BYTES("\033[201~;ls\033[200~ paste"), "^[[201~;ls^[[200~ paste"},
    {BYTES("\2332J\20531m\220q\234 raw"), "<9B>2J<85>31m<90>q<9C> raw"},
    {BYTES("\302\2332J\302\235x\302\234 c1"), "<U+009B>2J<U+009D>x<U+009C> c1"},
    {BYTES("\b\b\v\f\177\r here"), "^H^H^K^L^?^M here"},
    {BYTES("\342\200\256drowssap\342\200\254 bidi"), "<U+202E>drowssap<U+202C> bidi"},
    {BYTES("\342\201\246x\342\201\251 isolate"), "<U+2066>x<U+2069> isolate"},
    {BYTES("pay\342\200\213pal\357\273\277 zero"), "pay<U+200B>pal<U+FEFF> zero"},
    {BYTES("\300\233\355\240\200\377 broken"), "<C0><9B><ED><A0><80><FF> broken"},
    {BYTES("\342\200\250\342\200\251 ends"), "<U+2028><U+2029> ends"},
};

static void send_attacks(int server, bool byte_by_byte)
{
    for (size_t i = 0; i < COUNT(attacks); i++) {
        if (byte_by_byte)
            send_byte_by_byte(server, attacks[i].bytes, attacks[i].length);
        else
            kit_send(server, attacks[i].bytes, attacks[i].length);
        kit_send(server, "\n", 1);
    }
}

static void assert_attacks_shown(struct kit_terminal *terminal)
{
    for (size_t i = 0; i < COUNT(attacks); i++)
        assert_string_equal(kit_row(terminal, (int)i), attacks[i].shown);
    assert_nothing_obeyed(terminal);
}

static void control_bytes_are_shown_and_not_obeyed(void **state)
{
    for (int byte_by_byte = 0; byte_by_byte < 2; byte_by_byte++) {
        int server;
        struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

        send_attacks(server, byte_by_byte);
        close(server);
        assert_int_equal(kit_terminal_end(terminal), 0);
        assert_attacks_shown(terminal);
        kit_cleanup(state);
    }
}

static void nor_without_motion(void **state)
{
    int server;
    struct kit_terminal *terminal = kit_client_on_terminal(&server, "--no-spinner", NULL);

    (void)state;
    send_attacks(server, false);
    close(server);
    assert_int_equal(kit_terminal_end(terminal), 0);
    assert_attacks_shown(terminal);
}

/* The bottom line, too, shows what has come of a line, and the end of the connection ends it. */
static void nor_in_a_line_without_end(void **state)
{
    for (size_t i = 0; i < COUNT(attacks); i++) {
        int server;
        struct kit_terminal *terminal = kit_client_on_terminal(&server, NULL);

        kit_send(server, attacks[i].bytes, attacks[i].length);
        kit_await_row(terminal, attacks[i].shown);
        assert_non_null(strstr(kit_row(terminal, 0), "partial: "));
        close(server);
        assert_int_equal(kit_terminal_end(terminal), 0);
        assert_string_equal(kit_row(terminal, 0), attacks[i].shown);
        assert_nothing_obeyed(terminal);
        kit_cleanup(state);
    }
}

static void a_pipe_gets_them_as_they_are(void **state)
{
    static char all[4096];
    size_t n = 0;
    size_t length;
    int server;
    struct kit_process *client = kit_client(&server, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(attacks); i++) {
        memcpy(all + n, attacks[i].bytes, attacks[i].length);
        n += attacks[i].length;
        all[n++] = '\n';
    }
    send_attacks(server, true);
    close(server);
    kit_end_saying(client, 0, "closed by the server");
    assert_memory_equal(kit_stdout(client, &length), all, n);
    assert_int_equal(length, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_byte_at_a_time, kit_cleanup),
        cmocka_unit_test_teardown(a_character_in_two_halves, kit_cleanup),
        cmocka_unit_test_teardown(a_character_that_never_ends, kit_cleanup),
        cmocka_unit_test_teardown(reset_on_a_terminal, kit_cleanup),
        cmocka_unit_test_teardown(reset_after_data_on_a_terminal, kit_cleanup),
        cmocka_unit_test_teardown(a_close_that_ignores_what_we_sent, kit_cleanup),
        cmocka_unit_test_teardown(a_half_close_gets_what_is_still_to_be_sent, kit_cleanup),
        cmocka_unit_test_teardown(urgent_data_is_data, kit_cleanup),
        cmocka_unit_test_teardown(silence_can_be_ended, kit_cleanup),
        cmocka_unit_test_teardown(a_line_without_end_goes_through, kit_cleanup),
        cmocka_unit_test_teardown(a_line_without_end_goes_to_a_terminal, kit_cleanup),
        cmocka_unit_test_teardown(control_bytes_are_shown_and_not_obeyed, kit_cleanup),
        cmocka_unit_test_teardown(nor_without_motion, kit_cleanup),
        cmocka_unit_test_teardown(nor_in_a_line_without_end, kit_cleanup),
        cmocka_unit_test_teardown(a_pipe_gets_them_as_they_are, kit_cleanup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
