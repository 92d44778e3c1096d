/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of the command line is read, and refused where it is wrong, before anything is opened.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/parse.h"
#include "copy/replace.h"
#include "main_common.h"
#include "main_copy_options.h"

#define OPTIONS_BUFFER_MIN (UINT64_C(4) << 10)
#define OPTIONS_BUFFER_MAX (UINT64_C(1) << 30)
#define OPTIONS_RATE_MAX   (UINT64_C(1) << 50)

enum {
    OPTION_BUFFER = 256,
    OPTION_FAN,
    OPTION_FSYNC,
    OPTION_IN_PLACE,
    OPTION_JSON,
    OPTION_LABELS,
    OPTION_LIMIT,
    OPTION_LIMIT_TOTAL,
    OPTION_LIST_BACKENDS,
    OPTION_MERGE,
    OPTION_PROGRESS,
    OPTION_SLOW,
    OPTION_STOP_ON_ERROR
};

static const char short_options[] = ":ab:fhnqV";

static const struct option long_options[] = {
    {"append", no_argument, NULL, 'a'},
    {"backend", required_argument, NULL, 'b'},
    {"buffer", required_argument, NULL, OPTION_BUFFER},
    {"fan", no_argument, NULL, OPTION_FAN},
    {"follow", no_argument, NULL, 'f'},
    {"fsync", no_argument, NULL, OPTION_FSYNC},
    {"help", no_argument, NULL, 'h'},
    {"in-place", no_argument, NULL, OPTION_IN_PLACE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"labels", no_argument, NULL, OPTION_LABELS},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"limit-total", required_argument, NULL, OPTION_LIMIT_TOTAL},
    {"list-backends", no_argument, NULL, OPTION_LIST_BACKENDS},
    {"merge", no_argument, NULL, OPTION_MERGE},
    {"no-clobber", no_argument, NULL, 'n'},
    {"progress", optional_argument, NULL, OPTION_PROGRESS},
    {"quiet", no_argument, NULL, 'q'},
    {"slow", required_argument, NULL, OPTION_SLOW},
    {"stop-on-error", no_argument, NULL, OPTION_STOP_ON_ERROR},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: pollcopy [OPTION]... SOURCE DEST [SOURCE DEST]...\n"
    "       pollcopy [OPTION]... --fan SOURCE DEST...\n"
    "       pollcopy [OPTION]... --merge DEST SOURCE...\n"
    "Copies several sources to several destinations at once; none waits for another.\n"
    "\n"
    "SOURCE and DEST are paths, - for standard input and output, fd:N,\n"
    "tcp:HOST:PORT, tcp-listen:[HOST:]PORT or unix:PATH.\n"
    "\n"
    "      --fan                one source to each destination\n"
    "      --merge              whole lines of all sources to one destination\n"
    "      --labels             ... each with the name of its source in front\n"
    "      --slow=POLICY        of a destination that does not take what there is:\n"
    "                           block (wait for it), drop what it misses, or\n"
    "                           detach=SECONDS (give it up after so long)\n"
    "\n"
    "  -a, --append             write behind the end of files that are there\n"
    "      --in-place           write files themselves, not new ones that take their\n"
    "                           names when they are complete\n"
    "  -n, --no-clobber         replace no file\n"
    "      --fsync              have files on the disk before they count as copied\n"
    "  -f, --follow             wait for files to grow, as tail -F does\n"
    "      --stop-on-error      when one copy fails, give up the others\n"
    "\n"
    "      --limit=RATE         bytes a second, for each pair\n"
    "      --limit-total=RATE   ... for all together\n"
    "      --buffer=SIZE        of buffers (256K) and of queues (1M)\n"
    "  -b, --backend=NAME       wait with this; see --list-backends\n"
    "      --list-backends      print the ways to wait\n"
    "\n"
    "      --progress[=WHEN]    auto (on a terminal), always or never\n"
    "      --json               what happens as JSON, on standard error\n"
    "  -q, --quiet              no total, and no progress unless --progress is given\n"
    "  -h, --help               print this\n"
    "  -V, --version            print the version\n"
    "\n"
    "SIZE is bytes, or such as 64K or 1M; RATE is that a second. SIGUSR1 tells once\n"
    "how far all copies are.\n"
    "\n"
    "Exit status: 0 all was copied; else the sum of 1 other failure, 2 usage,\n"
    "4 a source failed, 8 a destination failed, 16 data was dropped, 32 interrupted.\n"
    "Manual: pollcopy(1).\n";

/* ---- what is only printed ---- */

static _Noreturn void print_help(void)
{
    fputs(help, stdout);
    main_end_printing();
}

static _Noreturn void print_version(void)
{
    printf("pollcopy (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
    main_end_printing();
}

/* ---- options ---- */

static void set_shape(struct copy_command *command, enum copy_shape shape)
{
    if (command->shape != SHAPE_PAIRS && command->shape != shape)
        die_usage("--fan and --merge are two shapes: choose one");
    command->shape = shape;
}

/* Sets what takes no argument. Returns whether C is such a one. */
static bool set_switch(struct copy_command *command, int c)
{
    struct copy_options *options = &command->options;

    switch (c) {
    case 'a':
        options->flags |= REPLACE_APPEND;
        return true;
    case 'f':
        options->follows = true;
        return true;
    case 'n':
        options->flags |= REPLACE_NO_CLOBBER;
        return true;
    case 'q':
        command->is_quiet = true;
        return true;
    case OPTION_FAN:
        set_shape(command, SHAPE_FAN);
        return true;
    case OPTION_FSYNC:
        options->flags |= REPLACE_SYNC;
        return true;
    case OPTION_IN_PLACE:
        options->flags |= REPLACE_IN_PLACE;
        return true;
    case OPTION_JSON:
        command->is_json = true;
        return true;
    case OPTION_LABELS:
        options->labels = true;
        return true;
    case OPTION_MERGE:
        set_shape(command, SHAPE_MERGE);
        return true;
    case OPTION_STOP_ON_ERROR:
        options->stops_on_error = true;
        return true;
    default:
        return false;
    }
}

static enum copy_progress read_progress(const char *when)
{
    if (!when || strcmp(when, "always") == 0)
        return PROGRESS_ALWAYS;
    if (strcmp(when, "never") == 0)
        return PROGRESS_NEVER;
    if (strcmp(when, "auto") != 0)
        die_usage("--progress: '%s' is not auto, always or never", when);
    return PROGRESS_AUTO;
}

static size_t read_buffer(const char *text)
{
    uint64_t size;

    if (parse_size(text, OPTIONS_BUFFER_MIN, OPTIONS_BUFFER_MAX, &size) < 0)
        die_usage("--buffer: '%s' is not a size from 4K to 1G, such as 65536 or 1M", text);
    return (size_t)size;
}

static uint64_t read_rate(const char *option, const char *text)
{
    size_t length = strlen(text);
    char *size = strdup(text);
    uint64_t rate;

    if (!size)
        die(COPY_BROKEN, "%s", strerror(errno));
    if (length > 2 && strcmp(text + length - 2, "/s") == 0)
        size[length - 2] = '\0';
    if (parse_size(size, 1, OPTIONS_RATE_MAX, &rate) < 0)
        die_usage("%s: '%s' is not a number of bytes a second up to 1024T, such as 500K or 2M",
                  option, text);
    free(size);
    return rate;
}

static void read_slow(const char *text, struct copy_options *options)
{
    static const char detach[] = "detach=";

    if (strcmp(text, "block") == 0)
        options->slow = SPLIT_BLOCK;
    else if (strcmp(text, "drop") == 0)
        options->slow = SPLIT_DROP;
    else if (strcmp(text, "detach") == 0)
        die_usage("--slow: detach needs to know when: detach=SECONDS");
    else if (strncmp(text, detach, strlen(detach)) != 0)
        die_usage("--slow: '%s' is not block, drop or detach=SECONDS", text);
    else if (parse_seconds(text + strlen(detach), 0, &options->detach_ns) < 0)
        die_usage("--slow: '%s' is not a number of seconds up to 1000000000",
                  text + strlen(detach));
    else
        options->slow = SPLIT_DETACH;
}

/* Sets what may take an argument. Returns whether C is such a one. */
static bool set_value(struct copy_command *command, int c)
{
    switch (c) {
    case 'b':
        command->backend = optarg;
        return true;
    case OPTION_BUFFER:
        command->options.buffer = read_buffer(optarg);
        return true;
    case OPTION_LIMIT:
        command->options.rate = read_rate("--limit", optarg);
        return true;
    case OPTION_LIMIT_TOTAL:
        command->options.total_rate = read_rate("--limit-total", optarg);
        return true;
    case OPTION_PROGRESS:
        command->progress = read_progress(optarg);
        return true;
    case OPTION_SLOW:
        read_slow(optarg, &command->options);
        return true;
    default:
        return false;
    }
}

static void read_options(int argc, char **argv, struct copy_command *command)
{
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
        if (c == 'h')
            print_help();
        else if (c == 'V')
            print_version();
        else if (c == OPTION_LIST_BACKENDS)
            main_print_backends();
        else if (!set_switch(command, c) && !set_value(command, c))
            main_refuse_option(c, argv, short_options);
}

static void refuse_contradictions(const struct copy_command *command)
{
    unsigned flags = command->options.flags;

    if ((flags & REPLACE_APPEND) && (flags & REPLACE_IN_PLACE))
        die_usage("--append keeps what --in-place truncates: choose one");
    if ((flags & REPLACE_APPEND) && (flags & REPLACE_NO_CLOBBER))
        die_usage("--append writes to the files that --no-clobber leaves alone: choose one");
    if (command->options.labels && command->shape != SHAPE_MERGE)
        die_usage("--labels is for --merge only");
}

/* ---- places ---- */

static void refuse_count(const struct copy_command *command, int count, char **words)
{
    if (command->shape == SHAPE_FAN && count < 2)
        die_usage("--fan needs a source and a destination at least");
    if (command->shape == SHAPE_MERGE && count < 2)
        die_usage("--merge needs a destination and a source at least");
    if (command->shape == SHAPE_PAIRS && count == 0)
        die_usage("what is to be copied, and where to?");
    if (command->shape == SHAPE_PAIRS && count % 2 != 0)
        die_usage("each source needs a destination behind it: '%s' has none", words[count - 1]);
}

static bool is_source(enum copy_shape shape, int index)
{
    switch (shape) {
    case SHAPE_FAN:
        return index == 0;
    case SHAPE_MERGE:
        return index > 0;
    default:
        return index % 2 == 0;
    }
}

static void read_place(struct copy_command *command, const char *word, bool source)
{
    struct place *place = source ? &command->sources[command->source_count++]
                                 : &command->dests[command->dest_count++];
    const char *why;

    if (place_parse(place, word, source, &why) < 0)
        die_usage("'%s': %s", word, why);
}

static void read_places(struct copy_command *command, int count, char **words)
{
    refuse_count(command, count, words);
    command->sources = calloc((size_t)count, sizeof *command->sources);
    command->dests = calloc((size_t)count, sizeof *command->dests);
    if (!command->sources || !command->dests)
        die(COPY_BROKEN, "%s", strerror(errno));
    for (int i = 0; i < count; i++)
        read_place(command, words[i], is_source(command->shape, i));
}

void copy_options_read(int argc, char **argv, struct copy_command *command)
{
    memset(command, 0, sizeof *command);
    read_options(argc, argv, command);
    refuse_contradictions(command);
    read_places(command, argc - optind, argv + optind);
}

void copy_options_free(struct copy_command *command)
{
    free(command->sources);
    free(command->dests);
}
