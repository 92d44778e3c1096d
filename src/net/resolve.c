/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * c-ares in our loop. It says which of its sockets wants what (a watch each) and when it wants to
 * be called again (a timer); it is called from those and from nowhere else.
 *
 * c-ares may answer in the middle of any call to it, and must not be destroyed inside one of its
 * callbacks. So a callback only stores the answer, and a timer that is due at once hands it over:
 * whoever is called then may free everything.
 *
 * localhost and the names below it are answered here (RFC 6761 section 6.3): they have to work
 * where there is neither an /etc/hosts nor a name server.
 */
#include "config.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/list.h"
#include "net/resolve.h"

/* More addresses than this in one answer are left out: nobody would wait for so many attempts. */
enum { RESOLVE_MAX = 16 };

enum { RESOLVE_DNS_PORT = 53 };

/* While an answer may come, the timer that tells it is in the heap, due at no time that will ever
 * be: moving it needs no memory, so an answer cannot be lost for want of any. */
#define RESOLVE_NEVER (INT64_MAX / 2)

struct question {
    struct resolve *resolve;
    int family; /* 0: not asked */
    bool is_answered;
    bool is_told;
    struct address addresses[RESOLVE_MAX];
    size_t count;
    const char *why;
};

/* A socket of c-ares. */
struct resolve_socket {
    struct resolve *resolve;
    struct watch watch;
    struct loop_link link;
};

struct resolve {
    struct loop *loop;
    uint16_t port;
    resolve_fn *on_answer;
    void *owner;
    ares_channel channel; /* NULL where nobody has to be asked */
    bool is_broken;       /* a socket could not be watched: waiting for it makes no sense */
    struct loop_link sockets;
    struct timer timeout;         /* when c-ares wants to be called again */
    struct timer tell;            /* set while an answer may come; due where one is there */
    struct question questions[2]; /* IPv6, IPv4 */
};

/* ---- answers ---- */

static void question_set_answer(struct question *question, const char *why)
{
    question->is_answered = true;
    question->why = question->count > 0 ? NULL : why;
    timer_set(&question->resolve->tell, loop_now(question->resolve->loop));
}

static void question_add(struct question *question, const struct sockaddr *any, size_t length)
{
    struct address *address = &question->addresses[question->count];

    if (question->count == RESOLVE_MAX || length > sizeof address->sock)
        return;
    *address = (struct address){.length = (socklen_t)length};
    memcpy(&address->sock, any, length);
    address_set_port(address, question->resolve->port);
    question->count++;
}

/* Returns a question that was asked, was answered or not, and whose answer was not handed over. */
static struct question *resolve_untold(struct resolve *resolve, bool is_answered)
{
    for (int i = 0; i < 2; i++) {
        struct question *question = &resolve->questions[i];

        if (question->family != 0 && !question->is_told && question->is_answered == is_answered)
            return question;
    }
    return NULL;
}

/* Hands over one answer a turn, as the last thing it does: the resolve may be gone then. So the
 * answer is a copy. */
static void resolve_on_tell(void *owner)
{
    struct resolve *resolve = owner;
    struct question *question = resolve_untold(resolve, true);
    struct question answer;

    if (!question)
        return;
    question->is_told = true;
    answer = *question;
    if (resolve_untold(resolve, true))
        timer_set(&resolve->tell, loop_now(resolve->loop));
    else if (resolve_untold(resolve, false))
        timer_set(&resolve->tell, RESOLVE_NEVER);
    resolve->on_answer(resolve->owner, answer.family, answer.addresses, answer.count, answer.why);
}

/* ---- c-ares ---- */

static const char *resolve_why(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
        return "no address of this family";
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
        return "no such host";
    case ARES_ETIMEOUT:
        return "the name server does not answer";
    case ARES_ECONNREFUSED:
        return "no name server can be reached";
    case ARES_ESERVFAIL:
        return "the name server failed";
    case ARES_ECANCELLED:
        return "the name server's socket cannot be watched";
    case ARES_EBADNAME:
        return "not a name that can be looked up";
    default:
        return ares_strerror(status);
    }
}

static void resolve_on_addrinfo(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = owner;

    (void)timeouts;
    if (status != ARES_EDESTRUCTION) {
        for (struct ares_addrinfo_node *node = found ? found->nodes : NULL; node;
             node = node->ai_next)
            if (node->ai_family == question->family)
                question_add(question, node->ai_addr, (size_t)node->ai_addrlen);
        question_set_answer(question, resolve_why(status));
    }
    if (found)
        ares_freeaddrinfo(found);
}

/* After each call to c-ares. A millisecond is added because it counts in whole ones, rounded down:
 * without it the last of them would be spent spinning. */
static void resolve_settle(struct resolve *resolve)
{
    struct timeval left;

    if (resolve->is_broken)
        ares_cancel(resolve->channel);
    timer_stop(&resolve->timeout);
    if (ares_timeout(resolve->channel, NULL, &left) &&
        timer_set(&resolve->timeout, clock_now() + left.tv_sec * CLOCK_SECOND +
                                         left.tv_usec * CLOCK_MICROSECOND + CLOCK_MILLISECOND) < 0)
        ares_cancel(resolve->channel);
}

static void resolve_on_timeout(void *owner)
{
    struct resolve *resolve = owner;

    ares_process_fd(resolve->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    resolve_settle(resolve);
}

/* The socket may be closed, and its watch freed, by c-ares in here. */
static void resolve_on_ready(void *owner, unsigned ready)
{
    struct resolve_socket *socket = owner;
    struct resolve *resolve = socket->resolve;
    int fd = socket->watch.fd;
    unsigned gone = POLLER_ERR | POLLER_HUP;

    if (ready & POLLER_INVALID)
        resolve->is_broken = true;
    else
        ares_process_fd(resolve->channel, ready & (POLLER_IN | gone) ? fd : ARES_SOCKET_BAD,
                        ready & (POLLER_OUT | gone) ? fd : ARES_SOCKET_BAD);
    resolve_settle(resolve);
}

static struct resolve_socket *resolve_find(struct resolve *resolve, int fd)
{
    for (struct loop_link *link = resolve->sockets.next; link != &resolve->sockets;
         link = link->next) {
        struct resolve_socket *socket = link->owner;

        if (socket->watch.fd == fd)
            return socket;
    }
    return NULL;
}

static void resolve_add(struct resolve *resolve, int fd, unsigned want)
{
    struct resolve_socket *socket = calloc(1, sizeof *socket);

    if (!socket) {
        resolve->is_broken = true;
        return;
    }
    socket->resolve = resolve;
    list_init(&socket->link, socket);
    watch_init(&socket->watch, resolve_on_ready, socket);
    watch_name(&socket->watch, "name server");
    if (watch_start(&socket->watch, resolve->loop, fd, want) < 0) {
        resolve->is_broken = true;
        free(socket);
        return;
    }
    list_append(&resolve->sockets, &socket->link);
}

static void resolve_forget(struct resolve_socket *socket)
{
    watch_stop(&socket->watch);
    list_remove(&socket->link);
    free(socket);
}

/* Wants neither: c-ares is about to close it. */
static void resolve_on_socket(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct resolve *resolve = owner;
    struct resolve_socket *socket = resolve_find(resolve, fd);
    unsigned want = (readable ? POLLER_IN : 0U) | (writable ? POLLER_OUT : 0U);

    if (socket && want == 0)
        resolve_forget(socket);
    else if (socket)
        watch_want(&socket->watch, want);
    else if (want != 0)
        resolve_add(resolve, fd, want);
}

/* ---- beginning and end ---- */

static int resolve_error(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOMEM:
        return ENOMEM;
    case ARES_EBADSTR:
        return EINVAL;
    default:
        return EIO;
    }
}

/* Takes "ADDRESS[:PORT]" apart, so that c-ares is given one plain server and no list. */
static int resolve_set_server(struct resolve *resolve, const char *name_server)
{
    struct target target;
    struct address address;
    const char *why;
    char text[ADDRESS_TEXT];

    if (target_parse(&target, name_server, RESOLVE_DNS_PORT, &why) < 0 || target.is_unix ||
        address_from_target(&address, &target, AF_UNSPEC) < 0)
        return EINVAL;
    address_format(&address, text);
    return resolve_error(ares_set_servers_ports_csv(resolve->channel, text));
}

/* Returns 0 or an errno. */
static int resolve_open(struct resolve *resolve, const char *name_server)
{
    struct ares_options options = {.lookups = (char[]){"fb"}, /* the file, then the name server */
                                   .sock_state_cb = resolve_on_socket,
                                   .sock_state_cb_data = resolve};
    int status = ares_library_init(ARES_LIB_INIT_ALL);

    if (status != ARES_SUCCESS)
        return resolve_error(status);
    status =
        ares_init_options(&resolve->channel, &options, ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        resolve->channel = NULL;
        ares_library_cleanup();
        return resolve_error(status);
    }
    return name_server ? resolve_set_server(resolve, name_server) : 0;
}

static bool host_is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen(host);
    size_t tail = sizeof name - 1;

    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length < tail)
        return *host == '\0';
    if (strncasecmp(host + length - tail, name, tail) != 0)
        return false;
    return length == tail || host[length - tail - 1] == '.';
}

static void question_ask(struct question *question, const char *host)
{
    struct ares_addrinfo_hints hints = {.ai_family = question->family, .ai_socktype = SOCK_STREAM};
    struct address address;

    if (question->resolve->channel) {
        ares_getaddrinfo(question->resolve->channel, host, NULL, &hints, resolve_on_addrinfo,
                         question);
        return;
    }
    address_from_numeric(&address, question->family == AF_INET6 ? "::1" : "127.0.0.1", 0);
    question_add(question, &address.sock.any, address.length);
    question_set_answer(question, NULL);
}

static struct resolve *resolve_alloc(struct loop *loop, uint16_t port, resolve_fn *on_answer,
                                     void *owner)
{
    struct resolve *resolve = calloc(1, sizeof *resolve);

    if (!resolve)
        return NULL;
    *resolve = (struct resolve){.loop = loop, .port = port, .on_answer = on_answer, .owner = owner};
    list_init(&resolve->sockets, NULL);
    timer_init(&resolve->timeout, loop, resolve_on_timeout, resolve);
    timer_init(&resolve->tell, loop, resolve_on_tell, resolve);
    if (timer_set(&resolve->tell, RESOLVE_NEVER) < 0) {
        free(resolve);
        return NULL;
    }
    return resolve;
}

struct resolve *resolve_new(struct loop *loop, const char *host, uint16_t port, int family,
                            const char *name_server, resolve_fn *on_answer, void *owner)
{
    static const int families[2] = {AF_INET6, AF_INET};
    struct resolve *resolve = resolve_alloc(loop, port, on_answer, owner);
    int error = 0;

    if (!resolve)
        return NULL;
    if (!host_is_localhost(host))
        error = resolve_open(resolve, name_server);
    for (int i = 0; i < 2 && error == 0; i++)
        if (family == AF_UNSPEC || family == families[i]) {
            resolve->questions[i].resolve = resolve;
            resolve->questions[i].family = families[i];
            question_ask(&resolve->questions[i], host);
        }
    if (error != 0) {
        resolve_free(resolve);
        errno = error;
        return NULL;
    }
    if (resolve->channel)
        resolve_settle(resolve);
    return resolve;
}

void resolve_free(struct resolve *resolve)
{
    if (!resolve)
        return;
    if (resolve->channel) {
        ares_destroy(resolve->channel);
        ares_library_cleanup();
    }
    assert(list_is_empty(&resolve->sockets));
    timer_stop(&resolve->timeout);
    timer_stop(&resolve->tell);
    free(resolve);
}
