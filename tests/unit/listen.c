/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners: where they listen, which files they may remove, and that running out of descriptors
 * neither makes the loop spin nor loses a client.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/kit.h"
#include "net/listen.h"
#include "unit/turns.h"

enum { CLIENTS = 200 };

/* A listener and what it told. */
struct place {
    struct loop *loop;
    struct listener listener;
    int fds[CLIENTS];
    int accepted;
    int in_turn; /* accepted since the test last looked */
    struct address peer;
    int pauses;
    int resumes;
    int error;
    int hold_at;
    bool close_at_accept;
};

static void place_on_accept(void *owner, int fd, const struct address *peer)
{
    struct place *place = owner;

    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(place->accepted < CLIENTS);
    place->fds[place->accepted++] = fd;
    place->in_turn++;
    place->peer = *peer;
    if (place->accepted == place->hold_at)
        listener_hold(&place->listener);
    if (place->close_at_accept)
        listener_close(&place->listener);
}

static void place_on_pause(void *owner, int error)
{
    struct place *place = owner;

    if (error == 0)
        place->resumes++;
    else
        place->pauses++;
    if (error != 0)
        place->error = error;
}

static int place_try(struct place *place, void **state, const char *where)
{
    struct target target;
    struct address address;
    const char *why;

    *place = (struct place){.loop = turns_new(*state)};
    assert_int_equal(target_parse(&target, where, 0, &why), 0);
    assert_int_equal(address_from_target(&address, &target, AF_UNSPEC), 0);
    errno = 0;
    return listener_start(&place->listener, place->loop, &address, place_on_accept, place_on_pause,
                          place);
}

static void place_start(struct place *place, void **state, const char *where)
{
    if (place_try(place, state, where) < 0)
        fail_msg("%s: %s", where, strerror(errno));
}

static void place_refused(void **state, const char *where, int error)
{
    struct place place;

    assert_int_equal(place_try(&place, state, where), -1);
    assert_int_equal(errno, error);
    loop_free(place.loop);
}

static void place_drop_clients(struct place *place)
{
    while (place->accepted > 0)
        close(place->fds[--place->accepted]);
}

static void place_stop(struct place *place)
{
    place_drop_clients(place);
    listener_close(&place->listener);
    listener_close(&place->listener); /* the second does nothing */
    loop_free(place->loop);
}

/* Connects with a blocking call: the backlog answers. */
static int knock(const struct address *address)
{
    int fd = socket(address->sock.any.sa_family, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    if (connect(fd, &address->sock.any, address->length) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static const char *in_folder(const char *name)
{
    static char where[200];

    snprintf(where, sizeof where, "unix:%s/%s", kit_folder(), name);
    return where;
}

/* ---- where ---- */

static void check_place(void **state, const char *where)
{
    struct place place;
    struct address own;
    int fd;

    place_start(&place, state, where);
    fd = knock(&place.listener.address);
    turns_until(place.loop, place.accepted == 1);
    assert_int_equal(address_of_socket(&own, fd, false), 0);
    assert_int_equal(place.peer.length, own.length);
    assert_memory_equal(&place.peer.sock, &own.sock, own.length);
    close(fd);
    place_stop(&place);
}

static void port_0_gets_a_real_port(void **state)
{
    struct place place;

    place_start(&place, state, "127.0.0.1:0");
    assert_int_not_equal(address_port(&place.listener.address), 0);
    assert_int_equal(turns_watches(place.loop, "listener"), 1);
    listener_close(&place.listener);
    assert_int_equal(turns_watches(place.loop, "listener"), 0);
    place_stop(&place);
    check_place(state, "127.0.0.1:0");
}

static bool has_ipv6(void)
{
    struct address address;
    int fd;
    bool is_bound;

    address_from_numeric(&address, "::1", 0);
    fd = address_open(&address);
    is_bound = fd >= 0 && bind(fd, &address.sock.any, address.length) == 0;
    if (fd >= 0)
        close(fd);
    return is_bound;
}

/* Whether nobody listens at the same port of 127.0.0.1, and we can. */
static bool is_free_for_ipv4(void **state, const struct place *six)
{
    struct address address;
    struct place four;
    char where[40];
    bool is_free;
    int fd;

    address_from_numeric(&address, "127.0.0.1", address_port(&six->listener.address));
    fd = knock(&address);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || errno != ECONNREFUSED)
        return false;
    snprintf(where, sizeof where, "127.0.0.1:%u", address_port(&address));
    is_free = place_try(&four, state, where) == 0;
    if (!is_free)
        assert_int_equal(errno, EADDRINUSE);
    else
        listener_close(&four.listener);
    loop_free(four.loop);
    return is_free;
}

/* Another program may have that port, but not each time. */
static void ipv6_listens_for_ipv6_alone(void **state)
{
    struct place six;
    bool is_free = false;

    if (!has_ipv6())
        kit_skip("this system has no ::1");
    check_place(state, "[::1]:0");
    for (int i = 0; i < 20 && !is_free; i++) {
        place_start(&six, state, "[::]:0");
        is_free = is_free_for_ipv4(state, &six);
        place_stop(&six);
    }
    assert_true(is_free);
}

static void a_port_that_is_taken_is_refused(void **state)
{
    struct place place;
    char where[ADDRESS_TEXT];

    place_start(&place, state, "127.0.0.1:0");
    address_format(&place.listener.address, where);
    place_refused(state, where, EADDRINUSE);
    place_stop(&place);
    place_start(&place, state, where);
    place_stop(&place);
}

static void an_abstract_name_works(void **state)
{
    char where[60];

    snprintf(where, sizeof where, "unix:@pollspin-test-%ld", (long)getpid());
    check_place(state, where);
}

static void a_socket_that_listens_is_adopted(void **state)
{
    struct place place = {.loop = turns_new(*state)};
    uint16_t port;
    int fd;

    fd = kit_listen(&port);
    assert_int_equal(
        listener_adopt(&place.listener, place.loop, fd, place_on_accept, place_on_pause, &place),
        0);
    assert_int_equal(address_port(&place.listener.address), port);
    fd = kit_connect(port);
    turns_until(place.loop, place.accepted == 1);
    close(fd);
    place_stop(&place);
}

static void a_socket_that_does_not_listen_is_not_adopted(void **state)
{
    struct place place = {.loop = turns_new(*state)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    errno = 0;
    assert_int_equal(
        listener_adopt(&place.listener, place.loop, fd, place_on_accept, place_on_pause, &place),
        -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    loop_free(place.loop);
}

/* ---- files ---- */

static void a_unix_socket_is_removed_at_the_end(void **state)
{
    const char *where = in_folder("socket");
    const char *path = where + strlen("unix:");
    struct place place;
    struct stat status;

    check_place(state, where);
    assert_int_equal(lstat(path, &status), -1);
    place_start(&place, state, where);
    assert_int_equal(lstat(path, &status), 0);
    place_stop(&place);
    assert_int_equal(lstat(path, &status), -1);
}

static void a_live_unix_socket_is_left_alone(void **state)
{
    const char *where = in_folder("socket");
    struct place place;
    int fd;

    place_start(&place, state, where);
    place_refused(state, where, EADDRINUSE);
    fd = knock(&place.listener.address);
    turns_until(place.loop, place.accepted >= 1);
    close(fd);
    place_stop(&place);
}

static void a_left_over_unix_socket_is_replaced(void **state)
{
    const char *where = in_folder("socket");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(un.sun_path, where + strlen("unix:"));
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd);
    check_place(state, where);
}

static void what_is_no_socket_is_never_removed(void **state)
{
    const char *where = in_folder("file");
    const char *path = where + strlen("unix:");
    struct stat status;
    char link[220];

    close(open(path, O_CREAT | O_WRONLY, 0600));
    place_refused(state, where, EADDRINUSE);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    snprintf(link, sizeof link, "%s.link", where);
    assert_int_equal(symlink("nowhere", link + strlen("unix:")), 0);
    place_refused(state, link, EADDRINUSE);
    assert_int_equal(lstat(link + strlen("unix:"), &status), 0);
}

static void a_socket_of_another_kind_is_never_removed(void **state)
{
    const char *where = in_folder("datagrams");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct stat status;

    strcpy(un.sun_path, where + strlen("unix:"));
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    place_refused(state, where, EADDRINUSE);
    assert_int_equal(lstat(un.sun_path, &status), 0);
    close(fd);
}

static void the_file_of_another_server_is_not_removed(void **state)
{
    const char *where = in_folder("socket");
    struct place first;
    struct place second;
    struct stat status;

    place_start(&first, state, where);
    assert_int_equal(unlink(where + strlen("unix:")), 0);
    place_start(&second, state, where);
    place_stop(&first);
    assert_int_equal(lstat(where + strlen("unix:"), &status), 0);
    place_stop(&second);
    assert_int_equal(lstat(where + strlen("unix:"), &status), -1);
}

/* ---- out of descriptors ---- */

/* Lets the process have no more descriptors than it has now. Returns what the limit was. */
static struct rlimit forbid_descriptors(void)
{
    struct rlimit limit;
    struct rlimit none;
    int next = dup(STDIN_FILENO);

    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return limit;
}

/* Whether the limit on descriptors holds here, and leaves a client that it refused in the backlog:
 * under valgrind, which pretends, that client is lost. */
static bool can_forbid_descriptors(void)
{
    uint16_t port;
    int listener = kit_listen(&port);
    int client = kit_connect(port);
    struct rlimit limit;
    int refused;
    int kept;

    address_prepare(listener);
    limit = forbid_descriptors();
    refused = accept(listener, NULL, NULL);
    setrlimit(RLIMIT_NOFILE, &limit);
    kept = accept(listener, NULL, NULL);
    close(listener);
    close(client);
    close(refused >= 0 ? refused : kept);
    return refused < 0 && kept >= 0;
}

static void running_out_of_descriptors_pauses_without_spinning(void **state)
{
    struct place place;
    struct rlimit limit;
    int clients[3];

    if (!can_forbid_descriptors())
        kit_skip("no real limit on descriptors can be set here");
    place_start(&place, state, "127.0.0.1:0");
    for (int i = 0; i < 3; i++)
        clients[i] = knock(&place.listener.address);
    limit = forbid_descriptors();
    turns_until(place.loop, place.pauses == 1);
    assert_int_equal(place.error, EMFILE);
    assert_true(turns_for(place.loop, 1200 * CLOCK_MILLISECOND) < 10); /* one retry is in it */
    assert_int_equal(place.pauses, 1);
    assert_int_equal(place.resumes, 0);
    assert_int_equal(place.accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    turns_until(place.loop, place.accepted == 3); /* by itself */
    turns_until(place.loop, place.resumes == 1);
    assert_int_equal(place.pauses, 1);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    place_stop(&place);
}

static void resuming_goes_on_at_once_and_tells_one_pause(void **state)
{
    struct place place;
    struct rlimit limit;
    int clients[3];

    if (!can_forbid_descriptors())
        kit_skip("no real limit on descriptors can be set here");
    place_start(&place, state, "127.0.0.1:0");
    for (int i = 0; i < 3; i++)
        clients[i] = knock(&place.listener.address);
    limit = forbid_descriptors();
    turns_until(place.loop, place.pauses == 1);
    close(clients[0]); /* a descriptor becomes free, and one client can be taken */
    listener_resume(&place.listener);
    turns_until(place.loop, place.accepted == 1);
    turns_for(place.loop, 20 * CLOCK_MILLISECOND);
    assert_int_equal(place.pauses, 1);
    assert_int_equal(place.resumes, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    listener_resume(&place.listener);
    turns_until(place.loop, place.resumes == 1);
    assert_int_equal(place.accepted, 3);
    assert_int_equal(place.pauses, 1);
    close(clients[1]);
    close(clients[2]);
    place_stop(&place);
}

static void a_held_listener_takes_nobody(void **state)
{
    struct place place;
    int clients[3];

    place_start(&place, state, "127.0.0.1:0");
    place.hold_at = 2;
    for (int i = 0; i < 3; i++)
        clients[i] = knock(&place.listener.address);
    turns_until(place.loop, place.accepted == 2);
    assert_true(turns_for(place.loop, 20 * CLOCK_MILLISECOND) < 5);
    assert_int_equal(place.accepted, 2);
    listener_resume(&place.listener);
    turns_until(place.loop, place.accepted == 3);
    assert_int_equal(place.pauses + place.resumes, 0);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    place_stop(&place);
}

/* ---- clients ---- */

static void a_storm_is_taken_in_portions(void **state)
{
    struct place place;
    int clients[CLIENTS];
    int turns = 0;

    place_start(&place, state, "127.0.0.1:0");
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = knock(&place.listener.address);
    for (; place.accepted < CLIENTS; turns++) {
        place.in_turn = 0;
        assert_int_equal(loop_turn(place.loop), 0);
        assert_true(place.in_turn > 0 && place.in_turn < CLIENTS);
    }
    assert_true(turns > 1);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    place_stop(&place);
}

static void clients_that_are_gone_do_no_harm(void **state)
{
    struct place place;
    struct address own;
    int last;

    place_start(&place, state, "127.0.0.1:0");
    for (int i = 0; i < 20; i++)
        kit_reset(knock(&place.listener.address));
    last = knock(&place.listener.address);
    assert_int_equal(address_of_socket(&own, last, false), 0);
    turns_until(place.loop, place.accepted > 0 && address_port(&place.peer) == address_port(&own));
    assert_int_equal(place.pauses, 0);
    close(last);
    place_stop(&place);
}

static void it_may_be_closed_while_it_accepts(void **state)
{
    struct place place;
    int clients[2];

    place_start(&place, state, "127.0.0.1:0");
    place.close_at_accept = true;
    for (int i = 0; i < 2; i++)
        clients[i] = knock(&place.listener.address);
    turns_until(place.loop, place.accepted == 1);
    turns_for(place.loop, CLOCK_MILLISECOND);
    assert_int_equal(place.accepted, 1);
    for (int i = 0; i < 2; i++)
        close(clients[i]);
    place_stop(&place);
}

#define CASE(function)                                                                             \
    {                                                                                              \
#function, function, NULL, kit_cleanup, backend                                            \
    }

int main(void)
{
    static char backend[] = "auto";
    const struct CMUnitTest tests[] = {
        CASE(port_0_gets_a_real_port),
        CASE(ipv6_listens_for_ipv6_alone),
        CASE(a_port_that_is_taken_is_refused),
        CASE(an_abstract_name_works),
        CASE(a_socket_that_listens_is_adopted),
        CASE(a_socket_that_does_not_listen_is_not_adopted),
        CASE(a_unix_socket_is_removed_at_the_end),
        CASE(a_live_unix_socket_is_left_alone),
        CASE(a_left_over_unix_socket_is_replaced),
        CASE(what_is_no_socket_is_never_removed),
        CASE(a_socket_of_another_kind_is_never_removed),
        CASE(the_file_of_another_server_is_not_removed),
        CASE(running_out_of_descriptors_pauses_without_spinning),
        CASE(resuming_goes_on_at_once_and_tells_one_pause),
        CASE(a_held_listener_takes_nobody),
        CASE(a_storm_is_taken_in_portions),
        CASE(clients_that_are_gone_do_no_harm),
        CASE(it_may_be_closed_while_it_accepts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
