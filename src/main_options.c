/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/parse.h"
#include "main_common.h"
#include "main_options.h"
#include "ui/spinner.h"

enum { OPTIONS_PORT = 51423 };

enum {
    OPTION_CONNECT_TIMEOUT = 256,
    OPTION_DEMO,
    OPTION_DEMO_INTERVAL,
    OPTION_INSPECT,
    OPTION_LIST_BACKENDS,
    OPTION_NAME_SERVER,
    OPTION_NO_SPINNER,
    OPTION_NO_STDIN,
    OPTION_RECONNECT,
    OPTION_SPINNER,
    OPTION_STDIN,
    OPTION_TIMESTAMPS
};

static const char options_letters[] = ":46b:hn:t:V";

static const struct option options_long_options[] = {
    {"backend", required_argument, NULL, 'b'},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    {"demo", no_argument, NULL, OPTION_DEMO},
    {"demo-interval", required_argument, NULL, OPTION_DEMO_INTERVAL},
    {"help", no_argument, NULL, 'h'},
    {"inspect", optional_argument, NULL, OPTION_INSPECT},
    {"lines", required_argument, NULL, 'n'},
    {"list-backends", no_argument, NULL, OPTION_LIST_BACKENDS},
    {"name-server", required_argument, NULL, OPTION_NAME_SERVER},
    {"no-spinner", no_argument, NULL, OPTION_NO_SPINNER},
    {"no-stdin", no_argument, NULL, OPTION_NO_STDIN},
    {"reconnect", no_argument, NULL, OPTION_RECONNECT},
    {"spinner", required_argument, NULL, OPTION_SPINNER},
    {"stdin", no_argument, NULL, OPTION_STDIN},
    {"tick", required_argument, NULL, 't'},
    {"timestamps", optional_argument, NULL, OPTION_TIMESTAMPS},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char options_help[] =
    "Usage: pollspin [OPTION]... [TARGET]\n"
    "       pollspin --demo [OPTION]...\n"
    "Shows the lines that a server sends, and a spinner that turns in between.\n"
    "\n"
    "TARGET is HOST, HOST:PORT, [V6]:PORT or unix:PATH; without one, localhost:51423.\n"
    "\n"
    "  -4, -6                     use IPv4 or IPv6 only\n"
    "  -b, --backend=NAME         wait with this; see --list-backends\n"
    "      --connect-timeout=S    give up connecting after S seconds (30; 0: never)\n"
    "      --demo                 start a server of its own, and end it at the end\n"
    "      --demo-interval=S      the same, with a line every S seconds (5)\n"
    "  -h, --help                 print this\n"
    "      --inspect[=FILE]       write every call that waits, as strace does\n"
    "      --list-backends        print the ways to wait\n"
    "  -n, --lines=N              end after N lines\n"
    "      --name-server=ADDRESS[:PORT]\n"
    "                             ask this one for names\n"
    "      --no-spinner           show the lines alone\n"
    "      --no-stdin             leave standard input alone\n"
    "      --reconnect            try again when the connection fails or ends\n"
    "      --spinner=NAME         turn this one; help lists them\n"
    "      --stdin                send what is typed on the terminal of the spinner\n"
    "  -t, --tick=MS              milliseconds between two frames (50)\n"
    "      --timestamps[=FORMAT]  the time in front of each line (%H:%M:%S)\n"
    "  -V, --version              print the version\n"
    "\n"
    "Exit status: 0 closed in order or the lines shown, 1 other failure, 2 usage,\n"
    "3 cannot connect, 4 timed out, 5 connection reset.\n";

static _Noreturn void options_print_spinners(void)
{
    const struct spinner *spinner;

    for (size_t i = 0; (spinner = spinner_list(i)); i++)
        printf("%-10s %s%s\n", spinner->name, spinner->summary,
               spinner->is_unicode ? " (UTF-8)" : "");
    main_end_printing();
}

static int64_t options_seconds(const char *option, const char *text, int64_t min_ns)
{
    int64_t ns;

    if (parse_seconds(text, min_ns, &ns) < 0)
        die_usage("--%s: '%s' is not a number of seconds%s", option, text,
                  errno == ERANGE ? " that can be used" : "");
    return ns;
}

static uint64_t options_number(const char *option, const char *text, uint64_t max)
{
    uint64_t number;

    if (parse_number(text, 1, max, &number) < 0)
        die_usage("--%s: '%s' is not a number from 1 to %llu", option, text,
                  (unsigned long long)max);
    return number;
}

static void options_set_spinner(struct client_options *options, const char *name)
{
    if (strcmp(name, "help") == 0)
        options_print_spinners();
    options->plain.spinner = spinner_find(name);
    if (!options->plain.spinner)
        die_usage("--spinner: there is no spinner '%s'; --spinner=help lists them", name);
}

static void options_set_timestamps(struct client_options *options, const char *format)
{
    if (!plain_can_stamp(format))
        die_usage("--timestamps: '%s' makes no text, or too long a one", format);
    options->plain.timestamp_format = format;
}

/* It has to be an address: whom would we ask for its name? */
static void options_set_name_server(struct client_options *options, const char *text)
{
    struct target target;
    struct address address;
    const char *why;

    if (target_parse(&target, text, 0, &why) < 0 || target.is_unix ||
        address_from_target(&address, &target, AF_UNSPEC) < 0)
        die_usage("--name-server: '%s' is not an address", text);
    options->session.connect.name_server = text;
}

static void options_set_demo(struct client_options *options, const char *interval)
{
    options->is_demo = true;
    if (interval)
        options->demo_interval_ns = options_seconds("demo-interval", interval, CLOCK_MILLISECOND);
}

static void options_take_option(struct client_options *options, int option)
{
    switch (option) {
    case '4':
        options->session.connect.family = AF_INET;
        break;
    case '6':
        options->session.connect.family = AF_INET6;
        break;
    case 'b':
        options->backend = optarg;
        break;
    case 'h':
        fputs(options_help, stdout);
        main_end_printing();
    case 'n':
        options->plain.line_limit = options_number("lines", optarg, UINT64_MAX);
        break;
    case 't':
        options->plain.tick_ns = (int64_t)options_number("tick", optarg, 10000) * CLOCK_MILLISECOND;
        break;
    case 'V':
        puts("pollspin (pollspin) " PACKAGE_VERSION);
        main_end_printing();
    case OPTION_CONNECT_TIMEOUT:
        options->session.connect.timeout_ns = options_seconds("connect-timeout", optarg, 0);
        break;
    case OPTION_DEMO:
    case OPTION_DEMO_INTERVAL:
        options_set_demo(options, optarg);
        break;
    case OPTION_INSPECT:
        options->has_inspect = true;
        options->inspect_file = optarg;
        break;
    case OPTION_LIST_BACKENDS:
        main_print_backends();
    case OPTION_NAME_SERVER:
        options_set_name_server(options, optarg);
        break;
    case OPTION_NO_SPINNER:
        options->no_spinner = true;
        break;
    case OPTION_NO_STDIN:
        options->input = OPTIONS_STDIN_NO;
        break;
    case OPTION_RECONNECT:
        options->session.reconnects = true;
        break;
    case OPTION_SPINNER:
        options_set_spinner(options, optarg);
        break;
    case OPTION_STDIN:
        options->input = OPTIONS_STDIN_YES;
        break;
    case OPTION_TIMESTAMPS:
        options_set_timestamps(options, optarg ? optarg : "%H:%M:%S");
        break;
    }
}

void options_parse(struct client_options *options, int argc, char **argv)
{
    const char *why;
    int option;

    *options = (struct client_options){
        .demo_interval_ns = 5 * CLOCK_SECOND,
        .plain = {.tick_ns = 50 * CLOCK_MILLISECOND},
        .session = {.connect = {.family = AF_UNSPEC, .timeout_ns = 30 * CLOCK_SECOND}},
    };
    opterr = 0;
    while ((option = getopt_long(argc, argv, options_letters, options_long_options, NULL)) >= 0) {
        if (option == '?' || option == ':')
            main_refuse_option(option, argv, options_letters);
        options_take_option(options, option);
    }
    if (argc - optind > 1)
        die_usage("one target at a time, not also '%s'", argv[optind + 1]);
    if (options->is_demo && optind < argc)
        die_usage("--demo has a server of its own and takes no target '%s'", argv[optind]);
    options->target = optind < argc ? argv[optind] : "localhost";
    if (target_parse(&options->session.target, options->target, OPTIONS_PORT, &why) < 0)
        die_usage("target '%s': %s", options->target, why);
}

static bool options_is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value != '\0';
}

static bool options_may_move(const struct client_options *options)
{
    return isatty(STDOUT_FILENO) && !options->no_spinner && !options_is_set("CI") &&
           options_is_set("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}

bool options_is_same_terminal(int a, int b)
{
    struct stat first;
    struct stat second;

    return isatty(a) && isatty(b) && fstat(a, &first) == 0 && fstat(b, &second) == 0 &&
           first.st_rdev == second.st_rdev;
}

/* What is typed on the terminal of the spinner would be echoed into it, so there is one or the
 * other: the input by --stdin, or else the spinner. */
void options_choose_mode(struct client_options *options)
{
    bool moves = options_may_move(options);
    bool is_typed = options_is_same_terminal(STDIN_FILENO, STDOUT_FILENO);
    bool is_read = options->input == OPTIONS_STDIN_YES ||
                   (options->input == OPTIONS_STDIN_AUTO && !(moves && is_typed));

    if (is_read && is_typed)
        moves = false;
    options->session.input_fd = is_read ? STDIN_FILENO : -1;
    options->plain.mode = moves ? PLAIN_MOTION : isatty(STDOUT_FILENO) ? PLAIN_STILL : PLAIN_RAW;
}
