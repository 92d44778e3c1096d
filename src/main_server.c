/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delayserver: options, wiring and the exit status.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/parse.h"
#include "main_common.h"
#include "service/server.h"

/* A service and where it listens: one address, or both families of the same place. */
struct place {
    const struct service *service;
    struct address addresses[2];
    size_t count;
};

enum { OPTION_LIST_BACKENDS = 256, OPTION_MAX_CLIENTS };

static const char short_options[] = ":b:hi:qV";

static const struct option long_options[] = {
    {"backend", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {"interval", required_argument, NULL, 'i'},
    {"list-backends", no_argument, NULL, OPTION_LIST_BACKENDS},
    {"max-clients", required_argument, NULL, OPTION_MAX_CLIENTS},
    {"quiet", no_argument, NULL, 'q'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* ---- what is only printed ---- */

static _Noreturn void print_help(void)
{
    const struct service *service;

    printf("Usage: delayserver [OPTION]... [SERVICE[@WHERE]]...\n"
           "Serve small text services over TCP and unix sockets; delay where none is named.\n"
           "\n"
           "Services:\n");
    for (size_t i = 0; (service = service_at(i)); i++)
        printf("  %-8s %s (port %u)\n", service->name, service->summary, service->port);
    printf("\n"
           "WHERE is PORT, HOST, HOST:PORT, [V6]:PORT or unix:PATH. HOST is a numeric address, "
           "localhost\n"
           "or * for all interfaces; without it: localhost, which is 127.0.0.1 and ::1. "
           "Port 0: any free one.\n"
           "\n"
           "  -i, --interval=SECONDS  time between two lines of delay: 5; may have a fraction\n"
           "  -b, --backend=NAME      wait with NAME: epoll, poll, select ...\n"
           "      --list-backends     tell which backends there are\n"
           "      --max-clients=N     let more than N clients wait until one leaves\n"
           "  -q, --quiet             do not log connections\n"
           "  -h, --help              show this text\n"
           "  -V, --version           show the version\n"
           "\n"
           "SIGTERM, SIGINT and SIGHUP end it in order, with a summary. Manual: delayserver(1).\n");
    main_end_printing();
}

static _Noreturn void print_version(void)
{
    printf("delayserver (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
    main_end_printing();
}

/* ---- options ---- */

static int64_t read_interval(const char *text)
{
    int64_t ns;

    if (parse_seconds(text, CLOCK_MILLISECOND, &ns) < 0)
        die_usage("--interval: '%s' is not a number of seconds from 0.001 to 1000000000", text);
    return ns;
}

static size_t read_max_clients(const char *text)
{
    uint64_t number;

    if (parse_number(text, 1, INT32_MAX, &number) < 0)
        die_usage("--max-clients: '%s' is not a number from 1 to %d", text, INT32_MAX);
    return (size_t)number;
}

static void read_options(int argc, char **argv, struct server_options *options)
{
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
        switch (c) {
        case 'b':
            options->backend = optarg;
            break;
        case 'h':
            print_help();
        case 'i':
            options->interval_ns = read_interval(optarg);
            break;
        case OPTION_LIST_BACKENDS:
            main_print_backends();
        case OPTION_MAX_CLIENTS:
            options->max_clients = read_max_clients(optarg);
            break;
        case 'q':
            options->is_quiet = true;
            break;
        case 'V':
            print_version();
        default:
            main_refuse_option(c, argv, short_options);
        }
}

/* ---- SERVICE[@WHERE] ---- */

static const struct service *read_service(const char *argument, size_t length)
{
    const struct service *service;

    for (size_t i = 0; (service = service_at(i)); i++)
        if (strlen(service->name) == length && strncmp(service->name, argument, length) == 0)
            return service;
    die_usage("there is no service '%.*s'", (int)length, argument);
}

/* Both families of one place. */
static void place_set_both(struct place *place, const char *v4, const char *v6, uint16_t port)
{
    address_from_numeric(&place->addresses[0], v4, port);
    address_from_numeric(&place->addresses[1], v6, port);
    place->count = 2;
}

static void place_set_target(struct place *place, const struct target *target, const char *argument)
{
    if (!target->is_unix && (target->host[0] == '\0' || strcmp(target->host, "localhost") == 0))
        place_set_both(place, "127.0.0.1", "::1", target->port);
    else if (!target->is_unix && strcmp(target->host, "*") == 0)
        place_set_both(place, "0.0.0.0", "::", target->port);
    else if (address_from_target(&place->addresses[0], target, AF_UNSPEC) == 0)
        place->count = 1;
    else
        die_usage("'%s': HOST must be a numeric address, localhost or *", argument);
}

/* A number alone is a port. */
static void read_where(struct place *place, const char *where, const char *argument)
{
    struct target target;
    char port[16];
    const char *why;

    if (*where == '\0')
        die_usage("'%s': nothing behind the @", argument);
    if (strlen(where) < sizeof port - 1 && where[strspn(where, "0123456789")] == '\0') {
        snprintf(port, sizeof port, ":%s", where);
        where = port;
    }
    if (target_parse(&target, where, place->service->port, &why) < 0)
        die_usage("'%s': %s", argument, why);
    place_set_target(place, &target, argument);
}

static void read_place(struct place *place, const char *argument)
{
    size_t length = strcspn(argument, "@");

    place->service = read_service(argument, length);
    if (argument[length] == '@')
        read_where(place, argument + length + 1, argument);
    else
        place_set_both(place, "127.0.0.1", "::1", place->service->port);
}

/* Reads all of them before any is bound: a mistake in the last one must not leave a socket of the
 * first behind. Returns how many; the caller frees them. */
static size_t read_places(int count, char **arguments, struct place **places)
{
    size_t n = count > 0 ? (size_t)count : 1;

    *places = calloc(n, sizeof **places);
    if (!*places)
        die(MAIN_FAILED, "%s", strerror(errno));
    if (count == 0)
        read_place(&(*places)[0], service_at(0)->name);
    for (int i = 0; i < count; i++)
        read_place(&(*places)[i], arguments[i]);
    return n;
}

/* ---- wiring ---- */

static void warn_output_lost(int error)
{
    die_warn("standard output: %s", strerror(error));
}

static void listen_at(struct server *server, const struct place *place)
{
    struct address failed;
    char where[ADDRESS_TEXT];
    int error;

    if (server_listen(server, place->service, place->addresses, place->count, &failed) == 0)
        return;
    error = errno;
    address_format(&failed, where);
    server_free(server);
    die(MAIN_FAILED, "%s: %s: %s", place->service->name, where, strerror(error));
}

static void end_on_signal(void *owner, int signo)
{
    (void)signo;
    server_stop(owner);
}

static void catch_signals(struct server *server)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        main_catch(server_loop(server), ends[i], end_on_signal, server);
}

/* Returns the exit status. */
static int serve(struct server *server)
{
    int result = server_run(server);

    if (result < 0)
        die_warn("%s", strerror(errno));
    if (server_output_error(server) != 0)
        result = -1;
    loop_signals_fini(server_loop(server));
    server_free(server);
    return result == 0 ? MAIN_OK : MAIN_FAILED;
}

int main(int argc, char **argv)
{
    struct server_options options = {
        .out_fd = STDOUT_FILENO, .leash_fd = -1, .on_output_lost = warn_output_lost};
    struct server *server;
    struct place *places;
    size_t count;

    die_name("delayserver");
    setlocale(LC_CTYPE, "");
    main_fill_descriptors();
    read_options(argc, argv, &options);
    count = read_places(argc - optind, argv + optind, &places);
    server = server_new(&options);
    if (!server)
        main_refuse_backend(options.backend, errno);
    main_raise_descriptors(poller_name(loop_poller(server_loop(server))));
    catch_signals(server);
    for (size_t i = 0; i < count; i++)
        listen_at(server, &places[i]);
    free(places);
    return serve(server);
}
