/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollspin: wiring and exit status. What it does stands in client/app.c, the full screen, and in
 * client/oneline.c, the form for everywhere else.
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
#include "client/app.h"
#include "client/oneline.h"
#include "main_common.h"
#include "main_demo.h"
#include "main_options.h"
#include "trace/strace.h"
#include "ui/tty.h"

enum { CLIENT_UNREACHABLE = 3, CLIENT_TIMED_OUT = 4, CLIENT_RESET = 5 };

enum { CLIENT_PATIENCE_MS = 100 /* with who reads the calls, while keys are no signals */ };

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
    char demo_target[sizeof "127.0.0.1:65535"];
    struct loop *loop;
    struct oneline *oneline;
    struct strace strace;
    struct strace_file inspect;
    struct oneline_result result; /* of either form */
};

/* ---- before ---- */

static void client_start_demo(struct client *client)
{
    int family = client->options.session.connect.family;

    if (demo_start(&client->demo, family, client->options.demo_interval_ns) < 0)
        die(MAIN_FAILED, "demo: %s", strerror(errno));
    snprintf(client->demo_target, sizeof client->demo_target, "%s:%u",
             family == AF_INET6 ? "[::1]" : "127.0.0.1", client->demo.port);
    client->options.targets[0] = client->demo_target;
}

static void client_open_loop(struct client *client)
{
    struct poller *poller = poller_open(client->options.backend);

    if (!poller)
        main_refuse_backend(client->options.backend, errno);
    client->loop = loop_new(poller);
    if (!client->loop)
        die(MAIN_FAILED, "%s", strerror(errno));
}

static void client_open_inspect(struct client *client)
{
    const char *file = client->options.inspect_file;

    client->inspect.fd = STDERR_FILENO;
    if (file)
        client->inspect.fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (client->inspect.fd < 0)
        die(MAIN_FAILED, "%s: %s", file, strerror(errno));
}

/* ---- the full screen ---- */

static void client_fill_app_options(const struct client *client, struct app_options *options)
{
    const struct client_options *from = &client->options;

    *options = (struct app_options){
        .loop = client->loop,
        .session = from->session,
        .targets = from->targets,
        .target_count = from->target_count,
        .default_port = OPTIONS_PORT,
        .spinner = from->plain.spinner,
        .tick_ns = from->plain.tick_ns,
        .timestamp_format = from->plain.timestamp_format,
        .default_format = options_timestamps,
        .line_limit = from->plain.line_limit,
        .scrollback_lines = from->scrollback_lines,
        .has_colour = options_has_colour(),
        .is_animated = !from->plain.shows_word,
        .keeps_open = from->keeps_open,
        .shows_inspector = from->has_inspect && !from->inspect_file,
        .is_stepping = from->is_stepping,
    };
}

/* A reader of the calls that sleeps must not hold up the screen: Ctrl-C would not help there. The
 * open file is our own. */
static void client_share_calls(struct client *client, struct app_options *options)
{
    int fd = client->inspect.fd;

    if (!client->options.inspect_file)
        return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    client->inspect.patience_ms = CLIENT_PATIENCE_MS;
    options->on_call = strace_to_file;
    options->owner = &client->inspect;
}

/* Returns false where it cannot start, having said why. */
static bool client_run_app(struct client *client)
{
    struct app_options options;
    struct app_result result;
    struct app *app;
    const char *what;

    client_fill_app_options(client, &options);
    client_share_calls(client, &options);
    app = app_new(&options, &what);
    if (!app) {
        die_warn("no full screen, going on without: %s: %s", what, strerror(errno));
        return false;
    }
    app_run(app, &result);
    app_free(app);
    client->result.signo = result.signo;
    client->result.end = result.is_left ? SESSION_LEFT : result.end;
    snprintf(client->result.why, sizeof client->result.why, "%s", result.is_left ? "" : result.why);
    return true;
}

/* ---- the one-line form ---- */

static bool client_has_motion(const struct client *client)
{
    return client->options.plain.mode == PLAIN_MOTION && tty_is_same(STDOUT_FILENO, STDERR_FILENO);
}

/* What shares the terminal with the spinner goes the way of the lines received. */
static void client_note(void *owner, const char *line, size_t n)
{
    struct client *client = owner;

    oneline_note(client->oneline, line, n);
}

static void client_say(void *owner, const char *text)
{
    struct client *client = owner;
    char line[sizeof client->result.why];
    int n;

    if (client_has_motion(client)) {
        n = snprintf(line, sizeof line, "pollspin: %s", text);
        oneline_note(client->oneline, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
    } else {
        die_warn("%s", text);
    }
}

static void client_start_strace(struct client *client)
{
    struct poller *poller = loop_poller(client->loop);

    if (!client->options.has_inspect)
        return;
    if (!client->options.inspect_file && client_has_motion(client))
        strace_start(&client->strace, poller, client_note, client);
    else
        strace_start(&client->strace, poller, strace_to_file, &client->inspect);
}

static void client_on_signal(void *owner, int signo)
{
    struct client *client = owner;

    oneline_stop(client->oneline, signo);
}

static void client_on_resize(void *owner, int signo)
{
    struct client *client = owner;

    (void)signo;
    oneline_resize(client->oneline);
}

static void client_catch_signals(struct client *client)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static const int resizes[] = {SIGCONT, SIGWINCH};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        main_catch(client->loop, ends[i], client_on_signal, client);
    for (size_t i = 0; i < sizeof resizes / sizeof *resizes; i++)
        main_catch(client->loop, resizes[i], client_on_resize, client);
}

static void client_run_oneline(struct client *client)
{
    struct oneline_options options = {
        .loop = client->loop,
        .session = client->options.session,
        .targets = client->options.targets,
        .target_count = client->options.target_count,
        .default_port = OPTIONS_PORT,
        .out_fd = STDOUT_FILENO,
        .plain = client->options.plain,
        .on_say = client_say,
        .owner = client,
    };
    const char *what;

    client->oneline = oneline_new(&options, &what);
    if (!client->oneline)
        die(MAIN_FAILED, "%s: %s", what, strerror(errno));
    client_start_strace(client);
    client_catch_signals(client);
    oneline_run(client->oneline, &client->result);
    loop_signals_fini(client->loop);
    oneline_free(client->oneline);
}

/* ---- behind ---- */

/* A terminal that has been stopped must not keep a signal from ending the program. */
static bool client_may_speak(const struct client *client)
{
    struct pollfd now = {.fd = STDERR_FILENO, .events = POLLOUT};

    return client->result.signo == 0 || poll(&now, 1, 0) != 0;
}

static void client_say_end(const struct client *client)
{
    const char *file = client->options.inspect_file;
    int signo = client->result.signo;

    if (signo != 0)
        die_warn("ended by signal %d (%s)", signo, strsignal(signo));
    else if (*client->result.why != '\0')
        die_warn("%s", client->result.why);
    if (client->inspect.error)
        die_warn("%s: %s", file ? file : "standard error", strerror(client->inspect.error));
}

static int client_result(const struct client *client)
{
    if (client_may_speak(client))
        client_say_end(client);
    if (client->result.signo != 0)
        signal_die(client->result.signo);
    return client->inspect.error ? MAIN_FAILED : client_exit_of[client->result.end];
}

int main(int argc, char **argv)
{
    static struct client client;

    die_name("pollspin");
    setlocale(LC_CTYPE, "");
    setlocale(LC_TIME, "");
    main_fill_descriptors();
    options_parse(&client.options, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (client.options.is_demo)
        client_start_demo(&client);
    client_open_loop(&client);
    client_open_inspect(&client);
    if (client.options.form == OPTIONS_FULL && !client_run_app(&client))
        options_choose_oneline(&client.options);
    if (client.options.form == OPTIONS_ONELINE)
        client_run_oneline(&client);
    loop_free(client.loop);
    if (client.options.is_demo)
        demo_stop(&client.demo);
    return client_result(&client);
}
