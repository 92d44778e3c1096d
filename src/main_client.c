/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin: wiring and exit status. What it does stands in client/session.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "main_common.h"
#include "main_demo.h"
#include "main_options.h"
#include "trace/strace.h"
#include "ui/plain.h"

enum { CLIENT_UNREACHABLE = 3, CLIENT_TIMED_OUT = 4, CLIENT_RESET = 5 };

static const int client_exit_of[] = {
    [SESSION_CLOSED] = MAIN_OK,
    [SESSION_SHOWN] = MAIN_OK,
    [SESSION_LEFT] = MAIN_OK,
    [SESSION_UNREACHABLE] = CLIENT_UNREACHABLE,
    [SESSION_TIMED_OUT] = CLIENT_TIMED_OUT,
    [SESSION_RESET] = CLIENT_RESET,
    [SESSION_BROKEN] = MAIN_FAILED,
};

struct client {
    struct client_options options;
    struct demo demo;
    struct loop *loop;
    struct plain plain;
    struct session *session;
    struct strace strace;
    struct strace_file inspect;
    int signo; /* the signal that ended it, or 0 */
    enum session_end end;
    char why[600];
};

/* The lines share the terminal with the spinner, so they go the way of the lines received. */
static void client_inspect_on_screen(void *owner, const char *line, size_t n)
{
    struct client *client = owner;

    plain_note(&client->plain, line, n);
}

static void client_start_inspector(struct client *client)
{
    const char *file = client->options.inspect_file;
    struct poller *poller = loop_poller(client->loop);

    if (!client->options.has_inspect)
        return;
    if (!file && client->options.plain.mode == PLAIN_MOTION &&
        options_is_same_terminal(STDOUT_FILENO, STDERR_FILENO)) {
        strace_start(&client->strace, poller, client_inspect_on_screen, client);
        return;
    }
    client->inspect.fd = STDERR_FILENO;
    if (file)
        client->inspect.fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (client->inspect.fd < 0)
        die(MAIN_FAILED, "%s: %s", file, strerror(errno));
    strace_start(&client->strace, poller, strace_to_file, &client->inspect);
}

static void client_on_signal(void *owner, int signo)
{
    struct client *client = owner;

    client->signo = signo;
    session_cancel(client->session);
    plain_end(&client->plain);
    loop_stop(client->loop);
}

static void client_on_resize(void *owner, int signo)
{
    struct client *client = owner;

    (void)signo;
    plain_resize(&client->plain);
}

static void client_catch_signals(struct client *client)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static const int resizes[] = {SIGCONT, SIGWINCH};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        main_catch(client->loop, ends[i], client_on_signal, client);
    for (size_t i = 0; i < sizeof resizes / sizeof *resizes; i++)
        main_catch(client->loop, resizes[i], client_on_resize, client);
}

static void client_on_output(void *owner)
{
    struct client *client = owner;

    if (client->session)
        session_on_output(client->session);
}

static bool client_has_room(void *owner)
{
    struct client *client = owner;

    return plain_room(&client->plain) > 0;
}

static int client_on_data(void *owner, const char *bytes, size_t n)
{
    struct client *client = owner;

    return plain_show(&client->plain, bytes, n);
}

static void client_on_break(void *owner)
{
    struct client *client = owner;

    plain_end(&client->plain);
}

static void client_on_state(void *owner)
{
    struct client *client = owner;
    struct session_view view;
    char text[600];

    session_look(client->session, &view);
    if (view.state == SESSION_ENDED)
        return;
    session_describe(client->session, text, sizeof text);
    plain_wake(&client->plain);
    plain_status(&client->plain, text);
}

static int client_is_settled(void *owner)
{
    struct client *client = owner;
    int error = plain_error(&client->plain);

    if (error != 0)
        return error;
    return plain_is_drained(&client->plain) ? 0 : EAGAIN;
}

/* Where the spinner turns, the bottom line says it. */
static void client_on_retry(void *owner, const char *why)
{
    struct client *client = owner;

    if (client->options.plain.mode != PLAIN_MOTION)
        die_warn("%s", why);
}

static void client_say_why(struct client *client, enum session_end end, const char *why)
{
    unsigned long long lines = plain_lines(&client->plain);
    struct session_view view;

    session_look(client->session, &view);
    if (end == SESSION_SHOWN)
        snprintf(client->why, sizeof client->why, "%s: %llu line%s shown", view.name, lines,
                 lines == 1 ? "" : "s");
    else
        snprintf(client->why, sizeof client->why, "%s", why);
}

static void client_on_end(void *owner, enum session_end end, const char *why)
{
    struct client *client = owner;

    client->end = end;
    client_say_why(client, end, why);
    loop_stop(client->loop);
}

static const struct session_events client_events = {
    .has_room = client_has_room,
    .on_data = client_on_data,
    .on_break = client_on_break,
    .on_state = client_on_state,
    .is_settled = client_is_settled,
    .on_retry = client_on_retry,
    .on_end = client_on_end,
};

static void client_start_demo(struct client *client)
{
    struct target *target = &client->options.session.target;
    int family = client->options.session.connect.family;

    if (demo_start(&client->demo, family, client->options.demo_interval_ns) < 0)
        die(MAIN_FAILED, "demo: %s", strerror(errno));
    snprintf(target->host, sizeof target->host, "%s", family == AF_INET6 ? "::1" : "127.0.0.1");
    target->port = client->demo.port;
}

static void client_start(struct client *client)
{
    struct client_options *options = &client->options;
    struct poller *poller = poller_open(options->backend);

    if (!poller)
        main_refuse_backend(options->backend, errno);
    client->loop = loop_new(poller);
    if (!client->loop)
        die(MAIN_FAILED, "%s", strerror(errno));
    if (plain_init(&client->plain, client->loop, STDOUT_FILENO, &options->plain, client_on_output,
                   client) < 0)
        die(MAIN_FAILED, "standard output: %s", strerror(errno));
    client_start_inspector(client);
    client_catch_signals(client);
    client->session = session_new(client->loop, &options->session, &client_events, client);
    if (!client->session)
        die(MAIN_FAILED, "%s", strerror(errno));
}

/* The loop cannot wait any longer. */
static void client_give_up(struct client *client, int error)
{
    client->end = SESSION_BROKEN;
    snprintf(client->why, sizeof client->why, "waiting: %s", strerror(error));
    session_cancel(client->session);
    plain_end(&client->plain);
}

static void client_stop(struct client *client)
{
    loop_signals_fini();
    session_free(client->session);
    plain_fini(&client->plain);
    loop_free(client->loop);
    if (client->options.is_demo)
        demo_stop(&client->demo);
}

/* A terminal that has been stopped must not keep a signal from ending the program. */
static bool client_may_speak(const struct client *client)
{
    struct pollfd now = {.fd = STDERR_FILENO, .events = POLLOUT};

    return client->signo == 0 || poll(&now, 1, 0) != 0;
}

static void client_say_end(const struct client *client)
{
    const char *file = client->options.inspect_file;

    if (client->signo != 0)
        die_warn("ended by signal %d (%s)", client->signo, strsignal(client->signo));
    else
        die_warn("%s", client->why);
    if (client->inspect.error)
        die_warn("%s: %s", file ? file : "standard error", strerror(client->inspect.error));
}

static int client_result(const struct client *client)
{
    if (client_may_speak(client))
        client_say_end(client);
    if (client->signo != 0)
        signal_die(client->signo);
    return client->inspect.error ? MAIN_FAILED : client_exit_of[client->end];
}

int main(int argc, char **argv)
{
    static struct client client;

    die_name("pollspin");
    setlocale(LC_CTYPE, "");
    setlocale(LC_TIME, "");
    main_fill_descriptors();
    options_parse(&client.options, argc, argv);
    options_choose_mode(&client.options);
    if (client.options.is_demo)
        client_start_demo(&client);
    client_start(&client);
    if (loop_run(client.loop) < 0)
        client_give_up(&client, errno);
    loop_signals_tell(); /* one that came together with another end says more about it */
    client_stop(&client);
    return client_result(&client);
}
