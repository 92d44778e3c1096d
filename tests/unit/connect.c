/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connecting, on loopback only: which address comes first, what a failure does, what is said. Where
 * a delay must not run out the clock is slowed down, where it must the test waits for what follows
 * it: no test depends on this machine's speed.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "kit/kit.h"
#include "net/connect.h"
#include "unit/nameserver.h"
#include "unit/turns.h"

enum { FILLERS = 4 };

struct seeker {
    struct loop *loop;
    struct nameserver server;
    struct connector *connector;
    struct connect_options options;
    int done;
    struct connect_outcome outcome;
    char where[ADDRESS_TEXT]; /* it is connected to */
    int64_t begun;
    int64_t ended;
    char doing[256]; /* as on_progress saw it last */
    int listener;    /* for what a test does in the midst of a turn */
    bool with_data;
};

/* Remembers what it is doing, as a program that shows it would. */
static void seeker_on_progress(void *owner)
{
    struct seeker *seeker = owner;

    assert_int_equal(seeker->done, 0);
    connect_describe(seeker->connector, seeker->doing, sizeof seeker->doing);
}

static void seeker_on_done(void *owner, const struct connect_outcome *outcome)
{
    struct seeker *seeker = owner;

    seeker->done++;
    seeker->outcome = *outcome;
    seeker->connector = NULL;
    seeker->ended = clock_now();
    if (outcome->result == CONNECT_DONE) {
        address_format(&outcome->address, seeker->where);
        assert_string_equal(outcome->why, "");
        assert_true(fcntl(outcome->fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(outcome->fd, F_GETFD) & FD_CLOEXEC);
    } else {
        assert_int_equal(outcome->fd, -1);
        assert_true(strlen(outcome->why) > 0);
    }
}

static void seeker_start(struct seeker *seeker, void **state)
{
    *seeker = (struct seeker){.loop = turns_new(*state)};
    nameserver_start(&seeker->server, seeker->loop);
    seeker->options.name_server = seeker->server.where;
    seeker->options.on_progress = seeker_on_progress;
}

static void seeker_begin(struct seeker *seeker, const char *where)
{
    struct target target;
    const char *why;

    assert_int_equal(target_parse(&target, where, 0, &why), 0);
    seeker->begun = clock_now();
    seeker->connector =
        connect_new(seeker->loop, &target, &seeker->options, seeker_on_done, seeker);
    assert_non_null(seeker->connector);
    assert_int_equal(seeker->done, 0);
}

static void seeker_go(struct seeker *seeker, const char *where)
{
    seeker_begin(seeker, where);
    turns_until(seeker->loop, seeker->done == 1);
}

/* The name "time.example" with PORT. */
static const char *name_with(uint16_t port)
{
    static char text[40];

    snprintf(text, sizeof text, "time.example:%u", port);
    return text;
}

static void seeker_stop(struct seeker *seeker)
{
    clock_use(NULL);
    if (seeker->done == 1 && seeker->outcome.result == CONNECT_DONE)
        close(seeker->outcome.fd);
    connect_free(seeker->connector);
    nameserver_stop(&seeker->server);
    loop_free(seeker->loop);
}

static void assert_result(const struct seeker *seeker, enum connect_result result, const char *text)
{
    if (seeker->outcome.result != result)
        fail_msg("result %d: %s", (int)seeker->outcome.result, seeker->outcome.why);
    assert_string_equal(result == CONNECT_DONE ? seeker->where : seeker->outcome.why, text);
}

static void assert_doing(const struct seeker *seeker, const char *expected)
{
    char text[256];

    connect_describe(seeker->connector, text, sizeof text);
    assert_string_equal(text, expected);
}

/* A hundred times slower than the real one. */
static int64_t slow_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (time.tv_sec * CLOCK_SECOND + time.tv_nsec) / 100;
}

/* ---- places to connect to ---- */

/* Binds to NUMERIC, at PORT or, for 0, at a free one. Returns the socket and sets TEXT; -1 where
 * somebody else has that port. */
static int bind_to(const char *numeric, uint16_t port, char text[ADDRESS_TEXT])
{
    struct address address;
    int on = 1;
    int fd;

    assert_int_equal(address_from_numeric(&address, numeric, port), 0);
    fd = address_open(&address);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &address.sock.any, address.length) < 0) {
        if (errno == EADDRNOTAVAIL)
            kit_skip("this system has no IPv6 loopback address");
        assert_int_equal(errno, EADDRINUSE);
        close(fd);
        return -1;
    }
    assert_int_equal(address_of_socket(&address, fd, false), 0);
    address_format(&address, text);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct address address;

    assert_int_equal(address_of_socket(&address, fd, false), 0);
    return address_port(&address);
}

/* Makes a listener a place that swallows every SYN: nobody accepts, and its backlog is full. */
static void fill_backlog(int listener, int fillers[FILLERS])
{
    struct address address;

    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(address_of_socket(&address, listener, false), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = address_open(&address);
        connect(fillers[i], &address.sock.any, address.length);
    }
}

static void close_all(const int fds[FILLERS])
{
    for (int i = 0; i < FILLERS; i++)
        close(fds[i]);
}

/* ---- one address ---- */

static void a_numeric_address_needs_no_look_up(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    int fd = bind_to("127.0.0.1", 0, where);

    listen(fd, 5);
    seeker_start(&seeker, state);
    seeker_go(&seeker, where);
    assert_result(&seeker, CONNECT_DONE, where);
    assert_int_equal(seeker.server.ipv4.asked + seeker.server.ipv6.asked, 0);
    seeker_stop(&seeker);
    close(fd);
}

static void a_refusal_is_told_with_the_address(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char why[ADDRESS_TEXT + 40];
    int fd = bind_to("127.0.0.1", 0, where); /* bound, but it does not listen */

    seeker_start(&seeker, state);
    seeker_go(&seeker, where);
    snprintf(why, sizeof why, "%s: Connection refused", where);
    assert_result(&seeker, CONNECT_FAILED, why);
    assert_int_equal(seeker.outcome.error, ECONNREFUSED);
    seeker_stop(&seeker);
    close(fd);
}

static void a_black_hole_ends_with_the_time_limit(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char text[ADDRESS_TEXT + 60];
    int fillers[FILLERS];
    int fd = bind_to("127.0.0.1", 0, where);

    fill_backlog(fd, fillers);
    seeker_start(&seeker, state);
    seeker.options.timeout_ns = 2 * CLOCK_SECOND; /* it must not be over before the looks */
    seeker_begin(&seeker, where);
    assert_true(turns_for(seeker.loop, 30 * CLOCK_MILLISECOND) < 8);
    snprintf(text, sizeof text, "connecting to %s", where);
    assert_doing(&seeker, text);
    assert_int_equal(turns_watches(seeker.loop, text), 1);
    turns_until(seeker.loop, seeker.done == 1);
    assert_int_equal(turns_watches(seeker.loop, text), 0);
    snprintf(text, sizeof text, "timed out after 2 s while connecting to %s", where);
    assert_result(&seeker, CONNECT_TIMEOUT, text);
    assert_true(seeker.ended - seeker.begun >= seeker.options.timeout_ns);
    seeker_stop(&seeker);
    close_all(fillers);
    close(fd);
}

static void the_wrong_family_is_told(void **state)
{
    struct seeker seeker;

    seeker_start(&seeker, state);
    seeker.options.family = AF_INET6;
    seeker_go(&seeker, "127.0.0.1:7");
    assert_result(&seeker, CONNECT_FAILED, "127.0.0.1: not an IPv6 address");
    seeker_stop(&seeker);
}

static int listen_at_path(char where[ADDRESS_TEXT], int backlog)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "%s/socket", kit_folder());
    snprintf(where, ADDRESS_TEXT, "unix:%s", un.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void a_unix_socket_is_connected_to(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char why[ADDRESS_TEXT + 40];
    int fd = listen_at_path(where, 5);

    seeker_start(&seeker, state);
    seeker_go(&seeker, where);
    assert_result(&seeker, CONNECT_DONE, where);
    seeker_stop(&seeker);
    close(fd);
    unlink(where + strlen("unix:"));
    seeker_start(&seeker, state);
    seeker_go(&seeker, where);
    snprintf(why, sizeof why, "%s: No such file or directory", where);
    assert_result(&seeker, CONNECT_FAILED, why);
    seeker_stop(&seeker);
}

static void a_busy_unix_socket_is_tried_again(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char text[ADDRESS_TEXT + 40];
    struct address address;
    int fd = listen_at_path(where, 0);
    int filler;

    assert_int_equal(address_of_socket(&address, fd, false), 0);
    filler = address_open(&address);
    assert_int_equal(connect(filler, &address.sock.any, address.length), 0);
    seeker_start(&seeker, state);
    seeker_begin(&seeker, where);
    assert_true(turns_for(seeker.loop, 100 * CLOCK_MILLISECOND) < 20);
    assert_int_equal(seeker.done, 0);
    snprintf(text, sizeof text, "connecting to %s", where);
    assert_doing(&seeker, text);
    close(kit_accept(fd));
    turns_until(seeker.loop, seeker.done == 1);
    assert_result(&seeker, CONNECT_DONE, where);
    seeker_stop(&seeker);
    close(filler);
    close(fd);
}

/* Runs between the start of an attempt and the wait for its end. */
static void accept_and_reset(void *owner)
{
    struct seeker *seeker = owner;
    int fd = kit_accept(seeker->listener);

    if (seeker->with_data)
        kit_send(fd, "last words", 10);
    kit_reset(fd);
}

static void seeker_meets_a_reset(struct seeker *seeker, const char *where)
{
    loop_on_paint(seeker->loop, accept_and_reset, seeker);
    seeker_begin(seeker, where);
    loop_mark_dirty(seeker->loop);
    turns_until(seeker->loop, seeker->done == 1);
}

static void a_reset_before_we_looked_is_told_as_one(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    int fd = bind_to("127.0.0.1", 0, where);

    listen(fd, 5);
    seeker_start(&seeker, state);
    seeker.listener = fd;
    seeker_meets_a_reset(&seeker, where);
    assert_int_equal(seeker.outcome.result, CONNECT_FAILED);
    assert_int_equal(seeker.outcome.error, ECONNRESET);
    seeker_stop(&seeker);
    close(fd);
}

static void data_before_such_a_reset_is_left_to_be_read(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char bytes[20];
    int fd = bind_to("127.0.0.1", 0, where);

    listen(fd, 5);
    seeker_start(&seeker, state);
    seeker.listener = fd;
    seeker.with_data = true;
    seeker_meets_a_reset(&seeker, where);
    assert_result(&seeker, CONNECT_DONE, where);
    assert_int_equal(recv(seeker.outcome.fd, bytes, sizeof bytes, 0), 10);
    assert_int_equal(recv(seeker.outcome.fd, bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    seeker_stop(&seeker);
    close(fd);
}

/* ---- names ---- */

static void a_name_without_address_is_told(void **state)
{
    struct seeker seeker;

    seeker_start(&seeker, state);
    seeker.server.ipv4.code = seeker.server.ipv6.code = NAMESERVER_NO_SUCH_NAME;
    seeker_go(&seeker, "time.example:7");
    assert_result(&seeker, CONNECT_FAILED, "time.example: no such host");
    assert_int_equal(seeker.outcome.error, 0);
    seeker_stop(&seeker);

    seeker_start(&seeker, state);
    seeker.server.ipv4.code = NAMESERVER_NO_SUCH_NAME;
    seeker_go(&seeker, "time.example:7");
    assert_result(&seeker, CONNECT_FAILED,
                  "time.example: IPv6: no address of this family; IPv4: no such host");
    seeker_stop(&seeker);
}

static void a_silent_name_server_ends_with_the_time_limit(void **state)
{
    struct seeker seeker;

    seeker_start(&seeker, state);
    seeker.server.ipv4.is_held = seeker.server.ipv6.is_held = true;
    seeker.options.timeout_ns = 200 * CLOCK_MILLISECOND;
    seeker_begin(&seeker, "time.example:7");
    turns_until(seeker.loop, seeker.server.ipv4.asked > 0);
    assert_doing(&seeker, "looking up time.example");
    turns_until(seeker.loop, seeker.done == 1);
    assert_result(&seeker, CONNECT_TIMEOUT, "timed out after 0.2 s while looking up time.example");
    seeker_stop(&seeker);
}

static void a_bad_name_server_is_refused(void **state)
{
    struct seeker seeker;
    struct target target = {.host = "time.example"};

    seeker_start(&seeker, state);
    seeker.options.name_server = "nonsense";
    seeker.options.timeout_ns = CLOCK_SECOND;
    errno = 0;
    assert_null(connect_new(seeker.loop, &target, &seeker.options, seeker_on_done, &seeker));
    assert_int_equal(errno, EINVAL);
    seeker_stop(&seeker);
}

/* ---- happy eyeballs ---- */

/* One port on both loopback addresses, which the name server knows as time.example. */
struct pair {
    struct seeker seeker;
    int six;
    int four;
    char where6[ADDRESS_TEXT];
    char where4[ADDRESS_TEXT];
    const char *name;
};

static void pair_start(struct pair *pair, void **state)
{
    for (;;) {
        pair->six = bind_to("::1", 0, pair->where6);
        pair->four = bind_to("127.0.0.1", port_of(pair->six), pair->where4);
        if (pair->four >= 0)
            break;
        close(pair->six);
    }
    pair->name = name_with(port_of(pair->six));
    seeker_start(&pair->seeker, state);
    pair->seeker.server.ipv6.addresses = "::1";
    pair->seeker.server.ipv4.addresses = "127.0.0.1";
}

static void pair_stop(struct pair *pair)
{
    seeker_stop(&pair->seeker);
    close(pair->six);
    close(pair->four);
}

static void ipv6_does_not_wait_for_ipv4(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.six, 5);
    pair.seeker.server.ipv4.is_held = true;
    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where6);
    pair_stop(&pair);
}

static void ipv4_waits_a_moment_for_ipv6(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.six, 5);
    listen(pair.four, 5);
    pair.seeker.server.ipv6.is_held = true;
    clock_use(slow_clock);
    seeker_begin(&pair.seeker, pair.name);
    turns_until(pair.seeker.loop, pair.seeker.server.ipv4.asked && pair.seeker.server.ipv6.asked);
    turns_for(pair.seeker.loop, CLOCK_MILLISECOND); /* a tenth of a second: the answer is there */
    assert_doing(&pair.seeker, "looking up time.example");
    nameserver_answer(&pair.seeker.server, &pair.seeker.server.ipv6);
    turns_until(pair.seeker.loop, pair.seeker.done == 1);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where6);
    pair_stop(&pair);
}

static void ipv4_waits_no_longer_than_that(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.four, 5);
    pair.seeker.server.ipv6.is_held = true;
    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where4);
    assert_true(pair.seeker.ended - pair.seeker.begun >= 50 * CLOCK_MILLISECOND);
    pair_stop(&pair);
}

static void ipv4_does_not_wait_where_there_is_no_ipv6(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.four, 5);
    pair.seeker.server.ipv6.addresses = NULL;
    clock_use(slow_clock);
    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where4);
    assert_true(pair.seeker.ended - pair.seeker.begun < 50 * CLOCK_MILLISECOND);
    pair_stop(&pair);
}

static void a_family_that_is_not_wanted_is_left_out(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.six, 5);
    listen(pair.four, 5);
    pair.seeker.options.family = AF_INET;
    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where4);
    assert_int_equal(pair.seeker.server.ipv6.asked, 0);
    pair_stop(&pair);
}

static void a_refused_address_is_followed_by_the_next_at_once(void **state)
{
    struct pair pair;

    pair_start(&pair, state);
    listen(pair.four, 5); /* but not at ::1 */
    clock_use(slow_clock);
    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where4);
    assert_true(pair.seeker.ended - pair.seeker.begun < 250 * CLOCK_MILLISECOND);
    pair_stop(&pair);
}

static void a_silent_address_is_joined_by_the_next_after_a_while(void **state)
{
    struct pair pair;
    char text[ADDRESS_TEXT + 20];
    int fillers[FILLERS];

    pair_start(&pair, state);
    fill_backlog(pair.six, fillers);
    listen(pair.four, 5);
    clock_use(slow_clock);
    seeker_begin(&pair.seeker, pair.name);
    turns_until(pair.seeker.loop, pair.seeker.server.ipv4.asked && pair.seeker.server.ipv6.asked);
    turns_for(pair.seeker.loop, CLOCK_MILLISECOND);
    snprintf(text, sizeof text, "connecting to %s", pair.where6);
    assert_doing(&pair.seeker, text);
    connect_free(pair.seeker.connector);
    clock_use(NULL);

    seeker_go(&pair.seeker, pair.name);
    assert_result(&pair.seeker, CONNECT_DONE, pair.where4);
    assert_true(pair.seeker.ended - pair.seeker.begun >= 250 * CLOCK_MILLISECOND);
    close_all(fillers);
    pair_stop(&pair);
}

static void all_that_is_under_way_is_told_at_the_time_limit(void **state)
{
    struct pair pair;
    char text[2 * ADDRESS_TEXT + 60];
    int fillers6[FILLERS];
    int fillers4[FILLERS];

    pair_start(&pair, state);
    fill_backlog(pair.six, fillers6);
    fill_backlog(pair.four, fillers4);
    pair.seeker.options.timeout_ns = 500 * CLOCK_MILLISECOND;
    seeker_go(&pair.seeker, pair.name);
    snprintf(text, sizeof text, "timed out after 0.5 s while connecting to %s and %s", pair.where6,
             pair.where4);
    assert_result(&pair.seeker, CONNECT_TIMEOUT, text);
    assert_string_equal(pair.seeker.doing, strstr(text, "connecting to"));
    assert_int_equal(pair.seeker.outcome.error, ETIMEDOUT);
    close_all(fillers6);
    close_all(fillers4);
    pair_stop(&pair);
}

/* Where TEXT stands in the list of failures. */
static size_t place_of(const struct seeker *seeker, const char *text)
{
    const char *place = strstr(seeker->outcome.why, text);

    if (!place)
        fail_msg("no %s in: %s", text, seeker->outcome.why);
    return (size_t)(place - seeker->outcome.why);
}

/* Among the answers for IPv6 is an IPv4 address in its mapped form, which is refused here too. */
static void the_families_take_turns(void **state)
{
    struct pair pair;
    size_t one;
    size_t two;
    size_t three;

    pair_start(&pair, state);
    pair.seeker.server.ipv6.addresses = "::1 ::ffff:127.0.0.3";
    pair.seeker.server.ipv4.addresses = "127.0.0.1 127.0.0.2";
    pair.seeker.server.ipv6.is_held = true; /* so that all are known before the first attempt */
    clock_use(slow_clock);
    seeker_begin(&pair.seeker, pair.name);
    turns_until(pair.seeker.loop, pair.seeker.server.ipv4.asked && pair.seeker.server.ipv6.asked);
    turns_for(pair.seeker.loop, CLOCK_MILLISECOND);
    nameserver_answer(&pair.seeker.server, &pair.seeker.server.ipv6);
    turns_until(pair.seeker.loop, pair.seeker.done == 1);
    assert_int_equal(pair.seeker.outcome.result, CONNECT_FAILED);
    one = place_of(&pair.seeker, "127.0.0.1");
    two = place_of(&pair.seeker, "127.0.0.2");
    three = place_of(&pair.seeker, "127.0.0.3");
    assert_int_equal(place_of(&pair.seeker, "[::1]"), 0);
    assert_true((one < three) != (two < three));
    pair_stop(&pair);
}

static void many_failures_are_told_in_bounded_words(void **state)
{
    struct seeker seeker;
    char where[ADDRESS_TEXT];
    char addresses[400] = "";
    int fd = bind_to("127.0.0.1", 0, where);

    seeker_start(&seeker, state);
    for (int i = 1; i <= 20; i++)
        sprintf(addresses + strlen(addresses), "127.0.0.%d ", i);
    seeker.server.ipv4.addresses = addresses;
    seeker_go(&seeker, name_with(port_of(fd)));
    assert_int_equal(seeker.outcome.result, CONNECT_FAILED);
    assert_int_equal(strlen(seeker.outcome.why), sizeof seeker.outcome.why - 1);
    assert_string_equal(seeker.outcome.why + sizeof seeker.outcome.why - 4, "...");
    seeker_stop(&seeker);
    close(fd);
}

/* ---- giving up ---- */

static void giving_up_leaves_nothing_behind(void **state)
{
    struct pair pair;
    int fillers[FILLERS];
    int before;

    pair_start(&pair, state);
    fill_backlog(pair.six, fillers);
    before = kit_descriptors(getpid());
    pair.seeker.options.timeout_ns = CLOCK_MILLISECOND;
    seeker_begin(&pair.seeker, pair.name); /* before it began */
    connect_free(pair.seeker.connector);
    pair.seeker.options.timeout_ns = 0;
    seeker_begin(&pair.seeker, pair.name); /* in the look-up and in an attempt */
    pair.seeker.server.ipv4.is_held = true;
    turns_for(pair.seeker.loop, 20 * CLOCK_MILLISECOND);
    connect_free(pair.seeker.connector);
    pair.seeker.connector = NULL;
    turns_for(pair.seeker.loop, 20 * CLOCK_MILLISECOND);
    assert_int_equal(pair.seeker.done, 0);
    assert_int_equal(kit_descriptors(getpid()), before);
    close_all(fillers);
    pair_stop(&pair);
}

/* ---- a connection with itself ---- */

enum { MET_ITSELF = 0, CANNOT_TRY = 77 };

/* Makes a network of our own with two ports to pick from, of which connect(2) takes the one that is
 * connected to sooner or later. */
static bool make_narrow_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;
    bool is_made;

    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    is_made = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY);
    is_made = is_made && write(fd, "40000 40001", 11) == 11;
    close(fd);
    return is_made;
}

/* Whether a plain connect(2) meets itself in that network. */
static bool can_meet_itself(void)
{
    struct address address;
    int fd;
    bool is_met = false;

    address_from_numeric(&address, "127.0.0.1", 40000);
    for (int i = 0; i < 100 && !is_met; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        is_met = connect(fd, &address.sock.any, address.length) == 0;
        kit_reset(fd);
    }
    return is_met;
}

static int run_in_narrow_network(void **state)
{
    struct seeker seeker;

    if (!make_narrow_network() || !can_meet_itself())
        return CANNOT_TRY;
    for (int i = 0; i < 100; i++) {
        seeker_start(&seeker, state);
        seeker_go(&seeker, "127.0.0.1:40000");
        if (seeker.outcome.result != CONNECT_FAILED || seeker.outcome.error != ECONNREFUSED)
            return 1;
        seeker_stop(&seeker);
    }
    return MET_ITSELF;
}

static void meeting_itself_is_a_refusal(void **state)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_in_narrow_network(state));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_TRY)
        kit_skip("no network namespace can be made here");
    assert_int_equal(WEXITSTATUS(status), MET_ITSELF);
}

#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, kit_cleanup, backend                                            \
    }

int main(void)
{
    static char backend[] = "auto";
    const struct CMUnitTest tests[] = {
        CASE(a_numeric_address_needs_no_look_up),
        CASE(a_refusal_is_told_with_the_address),
        CASE(a_black_hole_ends_with_the_time_limit),
        CASE(the_wrong_family_is_told),
        CASE(a_unix_socket_is_connected_to),
        CASE(a_busy_unix_socket_is_tried_again),
        CASE(a_reset_before_we_looked_is_told_as_one),
        CASE(data_before_such_a_reset_is_left_to_be_read),
        CASE(a_name_without_address_is_told),
        CASE(a_silent_name_server_ends_with_the_time_limit),
        CASE(a_bad_name_server_is_refused),
        CASE(ipv6_does_not_wait_for_ipv4),
        CASE(ipv4_waits_a_moment_for_ipv6),
        CASE(ipv4_waits_no_longer_than_that),
        CASE(ipv4_does_not_wait_where_there_is_no_ipv6),
        CASE(a_family_that_is_not_wanted_is_left_out),
        CASE(a_refused_address_is_followed_by_the_next_at_once),
        CASE(a_silent_address_is_joined_by_the_next_after_a_while),
        CASE(all_that_is_under_way_is_told_at_the_time_limit),
        CASE(the_families_take_turns),
        CASE(many_failures_are_told_in_bounded_words),
        CASE(giving_up_leaves_nothing_behind),
        CASE(meeting_itself_is_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
