/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/parse.h"
#include "client/selftest.h"
#include "main_common.h"
#include "main_options.h"
#include "ui/screen.h"
#include "ui/spinner.h"
#include "ui/stamp.h"
#include "ui/tty.h"

enum {
    OPTIONS_SCROLLBACK = 10000,
    OPTIONS_SCROLLBACK_MAX = 10000000,
    OPTIONS_FRAMES = 60 /* columns of frames that --spinner=help shows */
};

const char options_timestamps[] = "%H:%M:%S";

enum {
    OPTION_CONNECT_TIMEOUT = 256,
    OPTION_DEMO,
    OPTION_DEMO_INTERVAL,
    OPTION_INSPECT,
    OPTION_KEEP,
    OPTION_LIST_BACKENDS,
    OPTION_NAME_SERVER,
    OPTION_NO_ANIMATION,
    OPTION_NO_SPINNER,
    OPTION_NO_STDIN,
    OPTION_PLAIN,
    OPTION_RECONNECT,
    OPTION_SCROLLBACK,
    OPTION_SELFTEST,
    OPTION_SPINNER,
    OPTION_STDIN,
    OPTION_STEP,
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
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"lines", required_argument, NULL, 'n'},
    {"list-backends", no_argument, NULL, OPTION_LIST_BACKENDS},
    {"name-server", required_argument, NULL, OPTION_NAME_SERVER},
    {"no-animation", no_argument, NULL, OPTION_NO_ANIMATION},
    {"no-spinner", no_argument, NULL, OPTION_NO_SPINNER},
    {"no-stdin", no_argument, NULL, OPTION_NO_STDIN},
    {"plain", no_argument, NULL, OPTION_PLAIN},
    {"reconnect", no_argument, NULL, OPTION_RECONNECT},
    {"scrollback", required_argument, NULL, OPTION_SCROLLBACK},
    {"selftest", no_argument, NULL, OPTION_SELFTEST},
    {"spinner", required_argument, NULL, OPTION_SPINNER},
    {"stdin", no_argument, NULL, OPTION_STDIN},
    {"step", no_argument, NULL, OPTION_STEP},
    {"tick", required_argument, NULL, 't'},
    {"timestamps", optional_argument, NULL, OPTION_TIMESTAMPS},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char options_help[] =
    "Usage: pollspin [OPTION]... [TARGET]...\n"
    "       pollspin --demo [OPTION]...\n"
    "Shows the lines that servers send, sends what is typed, and turns a spinner in\n"
    "between: on the whole terminal, or where there is none, line by line.\n"
    "\n"
    "TARGET is HOST, HOST:PORT, [V6]:PORT or unix:PATH; without one, localhost:51423.\n"
    "\n"
    "  -4, -6                     use IPv4 or IPv6 only\n"
    "  -b, --backend=NAME         wait with this; see --list-backends\n"
    "      --connect-timeout=S    give up connecting after S seconds (30; 0: never)\n"
    "      --demo                 start a server of its own, and end it at the end\n"
    "      --demo-interval=S      the same, with a line every S seconds (5)\n"
    "  -h, --help                 print this\n"
    "      --inspect[=FILE]       show every call that waits, as strace does: in\n"
    "                             FILE, or else on the screen\n"
    "      --keep                 stay when the last connection has ended\n"
    "      --list-backends        print the ways to wait\n"
    "  -n, --lines=N              end after N lines\n"
    "      --name-server=ADDRESS[:PORT]\n"
    "                             ask this one for names\n"
    "      --no-animation         a word in place of the spinner\n"
    "      --no-spinner           show the lines alone\n"
    "      --no-stdin             leave standard input alone\n"
    "      --plain                one line for the spinner, not the whole terminal\n"
    "      --reconnect            try again when a connection fails or ends\n"
    "      --scrollback=LINES     keep so many lines to be looked at again (10000)\n"
    "      --selftest             print what each way to wait reports, by doing it\n"
    "      --spinner=NAME         turn this one; help shows them\n"
    "      --stdin                send what is typed on the terminal of the spinner\n"
    "      --step                 stop before each wait, and go on by a key\n"
    "  -t, --tick=MS              milliseconds between two frames (50)\n"
    "      --timestamps[=FORMAT]  the time in front of each line (%H:%M:%S)\n"
    "  -V, --version              print the version\n"
    "\n"
    "The whole terminal is taken unless --plain, --no-spinner, --no-stdin or --stdin\n"
    "asks for less; --keep, --scrollback and --step are for it alone.\n"
    "\n"
    "Exit status: 0 closed in order or the lines shown, 1 other failure, 2 usage,\n"
    "3 cannot connect, 4 timed out, 5 connection reset; of several, the first that\n"
    "did not end in order.\n";

/* All frames side by side, or as many of them as there is room for. */
static void options_print_frames(const struct spinner *spinner)
{
    static const char more[] = "...";
    size_t room = OPTIONS_FRAMES;

    printf("%11s", "");
    for (size_t i = 0; i < spinner->count; i++) {
        size_t behind = i + 1 < spinner->count ? 1 + strlen(more) : 0;

        if (spinner->columns + behind > room) {
            fputs(more, stdout);
            break;
        }
        printf("%s ", spinner_frame(spinner, i));
        room -= spinner->columns + 1;
    }
    putchar('\n');
}

static _Noreturn void options_print_spinners(void)
{
    const struct spinner *spinner;

    for (size_t i = 0; (spinner = spinner_list(i)); i++) {
        bool can_show = spinner_for_locale(spinner) == spinner;

        printf("%-10s %s%s\n", spinner->name, spinner->summary,
               can_show ? "" : " (needs a UTF-8 locale)");
        if (can_show)
            options_print_frames(spinner);
    }
    main_end_printing();
}

static _Noreturn void options_print_selftest(void)
{
    char where[128];
    char *table = selftest_table(where, sizeof where);

    if (!table)
        die(MAIN_FAILED, "selftest: %s: %s", where, strerror(errno));
    fputs(table, stdout);
    free(table);
    main_end_printing();
}

/* Ends the program where OPTION asks for text. */
static void options_print(int option)
{
    switch (option) {
    case 'h':
        fputs(options_help, stdout);
        main_end_printing();
    case 'V':
        puts("pollspin (pollspin) " PACKAGE_VERSION);
        main_end_printing();
    case OPTION_LIST_BACKENDS:
        main_print_backends();
    case OPTION_SELFTEST:
        options_print_selftest();
    }
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
    if (!stamp_is_possible(format))
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

/* Returns where an option without an argument is remembered, or NULL. */
static bool *options_flag(struct client_options *options, int option)
{
    switch (option) {
    case OPTION_KEEP:
        return &options->keeps_open;
    case OPTION_NO_ANIMATION:
        return &options->plain.shows_word;
    case OPTION_NO_SPINNER:
        return &options->no_spinner;
    case OPTION_PLAIN:
        return &options->is_plain;
    case OPTION_RECONNECT:
        return &options->session.reconnects;
    case OPTION_STEP:
        return &options->is_stepping;
    default:
        return NULL;
    }
}

static void options_take_option(struct client_options *options, int option)
{
    bool *flag = options_flag(options, option);

    options_print(option);
    if (flag)
        *flag = true;
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
    case 'n':
        options->plain.line_limit = options_number("lines", optarg, UINT64_MAX);
        break;
    case 't':
        options->plain.tick_ns = (int64_t)options_number("tick", optarg, 10000) * CLOCK_MILLISECOND;
        break;
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
    case OPTION_NAME_SERVER:
        options_set_name_server(options, optarg);
        break;
    case OPTION_SCROLLBACK:
        options->scrollback_lines =
            (size_t)options_number("scrollback", optarg, OPTIONS_SCROLLBACK_MAX);
        break;
    case OPTION_SPINNER:
        options_set_spinner(options, optarg);
        break;
    case OPTION_NO_STDIN:
    case OPTION_STDIN:
        options->input = option == OPTION_STDIN ? OPTIONS_STDIN_YES : OPTIONS_STDIN_NO;
        break;
    case OPTION_TIMESTAMPS:
        options_set_timestamps(options, optarg ? optarg : options_timestamps);
        break;
    }
}

static void options_add_target(struct client_options *options, const char *text)
{
    struct target target;
    const char *why;

    if (options->is_demo)
        die_usage("--demo has a server of its own and takes no target '%s'", text);
    if (options->target_count == APP_CHANNELS)
        die_usage("no more than %d targets at once, not also '%s'", APP_CHANNELS, text);
    if (target_parse(&target, text, OPTIONS_PORT, &why) < 0)
        die_usage("target '%s': %s", text, why);
    options->targets[options->target_count++] = text;
}

/* ---- what follows from it ---- */

static bool options_is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value != '\0';
}

bool options_has_colour(void)
{
    return !options_is_set("NO_COLOR");
}

static bool options_may_move(const struct client_options *options)
{
    return isatty(STDOUT_FILENO) && !options->no_spinner && !options_is_set("CI") &&
           options_is_set("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}

/* What is typed on the terminal of the spinner would be echoed into it, so there is one or the
 * other: the input by --stdin, or else the spinner. */
void options_choose_oneline(struct client_options *options)
{
    bool moves = options_may_move(options);
    bool is_typed = tty_is_same(STDIN_FILENO, STDOUT_FILENO);
    bool is_read = options->input == OPTIONS_STDIN_YES ||
                   (options->input == OPTIONS_STDIN_AUTO && !(moves && is_typed));

    if (is_read && is_typed)
        moves = false;
    options->form = OPTIONS_ONELINE;
    options->session.input_fd = is_read ? STDIN_FILENO : -1;
    options->plain.mode = moves ? PLAIN_MOTION : isatty(STDOUT_FILENO) ? PLAIN_STILL : PLAIN_RAW;
}

/* Returns what stands against the full screen, NULL where nothing does. */
static const char *options_find_obstacle(const struct client_options *options)
{
    const char *why;

    if (options->is_plain)
        return "--plain is for the other form";
    if (options->no_spinner)
        return "--no-spinner is for the other form";
    if (options->input == OPTIONS_STDIN_YES)
        return "--stdin is for the other form";
    if (options->input == OPTIONS_STDIN_NO)
        return "--no-stdin is for the other form";
    if (!tty_is_same(STDIN_FILENO, STDOUT_FILENO))
        return "standard input and output are not one terminal";
    if (options_is_set("CI"))
        return "CI is set";
    return screen_is_possible(&why) ? NULL : why;
}

static void options_choose_form(struct client_options *options)
{
    const char *obstacle = options_find_obstacle(options);

    options->session.input_fd = -1;
    if (!obstacle)
        return;
    if (options->keeps_open)
        die_usage("--keep needs the full screen: %s", obstacle);
    if (options->is_stepping)
        die_usage("--step needs the full screen: %s", obstacle);
    if (options->input == OPTIONS_STDIN_YES && options->target_count > 1)
        die_usage("--stdin is for one target, not for %zu", options->target_count);
    options_choose_oneline(options);
}

/* Who begins in step mode may stand before any wait for as long as it takes to explain it. */
static void options_choose_timeout(struct client_options *options)
{
    int64_t *timeout_ns = &options->session.connect.timeout_ns;

    if (*timeout_ns < 0)
        *timeout_ns = options->is_stepping ? 0 : 30 * CLOCK_SECOND;
}

void options_parse(struct client_options *options, int argc, char **argv)
{
    int option;

    *options = (struct client_options){
        .demo_interval_ns = 5 * CLOCK_SECOND,
        .scrollback_lines = OPTIONS_SCROLLBACK,
        .plain = {.spinner = spinner_list(0), .tick_ns = 50 * CLOCK_MILLISECOND},
        .session = {.connect = {.family = AF_UNSPEC, .timeout_ns = -1}},
    };
    opterr = 0;
    while ((option = getopt_long(argc, argv, options_letters, options_long_options, NULL)) >= 0) {
        if (option == '?' || option == ':')
            main_refuse_option(option, argv, options_letters);
        options_take_option(options, option);
    }
    for (int i = optind; i < argc; i++)
        options_add_target(options, argv[i]);
    if (options->target_count == 0)
        options->targets[options->target_count++] = "localhost";
    options_choose_form(options);
    options_choose_timeout(options);
}
