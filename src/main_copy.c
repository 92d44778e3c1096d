/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollcopy: wiring and the exit status.
 *
 * A descriptor that was closed from the start must not be taken for one that the program opens
 * later and that gets its number: such a place is marked before anything is opened.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "copy/display.h"
#include "copy/report.h"
#include "copy/same.h"
#include "main_common.h"
#include "main_copy_options.h"

enum { LINE_SIZE = 2048 }; /* bytes of a message */

struct program {
    struct copy_command command;
    struct loop *loop;
    struct copy *copy;
    struct display display;
    bool has_display;
    FILE *total; /* where that is told; NULL: nowhere */
};

static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

static const int64_t twice_ns = CLOCK_SECOND / 2;
static int64_t interrupted_at; /* set before the handler that reads it is there */

/* ---- places ---- */

static void mark_closed(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].kind == PLACE_FD && fcntl(places[i].fd, F_GETFD) < 0)
            places[i].fd = -1;
}

static void refuse_same(const struct copy_command *command)
{
    char text[LINE_SIZE];

    if (same_check(command->sources, command->source_count, command->dests, command->dest_count,
                   text, sizeof text) == 0)
        return;
    if (errno != 0)
        die(COPY_BROKEN, "%s", strerror(errno));
    die(COPY_USAGE, "%s", text);
}

/* Returns 0, or -1 where it has no file that can be looked at. */
static int place_stat(const struct place *place, struct stat *status)
{
    switch (place->kind) {
    case PLACE_PATH:
        return stat(place->path, status);
    case PLACE_FD:
        return fstat(place->fd, status);
    default:
        return -1;
    }
}

static bool is_same_file(const struct place *place, int fd)
{
    struct stat theirs;
    struct stat ours;

    return place_stat(place, &theirs) == 0 && fstat(fd, &ours) == 0 &&
           theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* A path is opened only by the copy, so of those the terminal that is ours is known, no other. */
static bool is_terminal(const struct place *place)
{
    if (place->kind == PLACE_FD)
        return isatty(place->fd);
    return place->kind == PLACE_PATH &&
           (strcmp(place->path, "/dev/tty") == 0 || is_same_file(place, STDERR_FILENO));
}

static bool has_terminal(const struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_terminal(&places[i]))
            return true;
    return false;
}

static bool is_output_dest(const struct copy_command *command)
{
    for (size_t i = 0; i < command->dest_count; i++)
        if (is_same_file(&command->dests[i], STDOUT_FILENO))
            return true;
    return false;
}

/* ---- what is shown ---- */

static bool can_paint(const struct copy_command *command)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && *term != '\0' && strcmp(term, "dumb") != 0 &&
           !getenv("CI") && !has_terminal(command->sources, command->source_count) &&
           !has_terminal(command->dests, command->dest_count);
}

static enum display_mode choose_mode(const struct copy_command *command)
{
    if (command->is_json)
        return DISPLAY_JSON;
    if (command->progress == PROGRESS_ALWAYS)
        return DISPLAY_FRAMES;
    if (command->progress == PROGRESS_AUTO && !command->is_quiet && can_paint(command))
        return DISPLAY_FRAMES;
    return DISPLAY_NONE;
}

/* Never into the middle of what is copied, nor of JSON. */
static FILE *choose_total(const struct copy_command *command)
{
    if (command->is_quiet)
        return NULL;
    if (!is_output_dest(command))
        return stdout;
    return !command->is_json && isatty(STDERR_FILENO) ? stderr : NULL;
}

static void say(const struct copy_event *event)
{
    char line[LINE_SIZE];
    struct text text;

    text_init(&text, line, sizeof line);
    report_text(event, &text);
    if (text.length > 0)
        die_warn("%s", line);
}

static void on_event(void *owner, const struct copy_event *event)
{
    struct program *program = owner;

    if (program->has_display)
        display_event(&program->display, event);
    else
        say(event);
    if (event->kind == COPY_ENDED)
        loop_stop(program->loop);
}

static void open_display(struct program *program)
{
    enum display_mode mode = choose_mode(&program->command);

    program->total = choose_total(&program->command);
    program->has_display =
        display_init(&program->display, program->loop, STDERR_FILENO, mode, program->copy) == 0;
    if (!program->has_display && mode != DISPLAY_NONE)
        die_warn("standard error: no progress is shown: %s", strerror(errno));
}

/* Whoever has closed standard output, before we began (EBADF: see main_fill_descriptors) or by now,
 * does not want to know it; all is copied. Returns the exit status that comes of it. */
static unsigned tell_total(const struct program *program)
{
    if (!program->total)
        return 0;
    fprintf(program->total, "Number of bytes copied %llu\n",
            (unsigned long long)copy_total(program->copy));
    if (fflush(program->total) == 0 || program->total != stdout || errno == EPIPE || errno == EBADF)
        return 0;
    die_warn("standard output: %s", strerror(errno));
    return COPY_BROKEN;
}

/* ---- signals ---- */

static void end_at_once(int signo)
{
    int error = errno;

    if (clock_now() - interrupted_at >= twice_ns)
        signal_die(signo);
    errno = error;
}

/* Whoever sends a second one does not want to wait for a disk, which the loop may do now. But
 * timeout(1) and others send each twice, to the process and to its group. */
static void interrupt(void *owner, int signo)
{
    const struct sigaction action = {.sa_handler = end_at_once};
    struct program *program = owner;

    (void)signo;
    interrupted_at = clock_now();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!signal_is_ignored(ends[i])) {
            loop_signal(program->loop, ends[i], NULL, NULL);
            sigaction(ends[i], &action, NULL);
        }
    copy_interrupt(program->copy);
}

static void print_once(void *owner, int signo)
{
    struct program *program = owner;

    (void)signo;
    if (program->has_display)
        display_print(&program->display);
}

/* A shell without job control ignores the keyboard's signals for what it starts with &, and
 * nohup(1) SIGHUP: what is copied there is not to end by a Ctrl-C that is for the foreground.
 * SIGTERM is meant for us whatever was before. */
static bool is_to_end(int signo)
{
    return signo == SIGTERM || !signal_is_ignored(signo);
}

/* A write that cannot be done is an error of one destination, not the end of all. */
static void catch_signals(struct program *program)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (is_to_end(ends[i]))
            main_catch(program->loop, ends[i], interrupt, program);
    main_catch(program->loop, SIGUSR1, print_once, program);
}

/* ---- wiring ---- */

/* It sits in one descriptor until that is ready, and that may be a pipe of our own, which would be
 * filled when it returned. */
static void refuse_to_block(const struct copy_command *command, const char *backend)
{
    if (strcmp(backend, "blocking") != 0 ||
        (command->shape == SHAPE_PAIRS && command->options.slow != SPLIT_DROP))
        return;
    die_usage("the backend blocking waits for one descriptor at a time, and --fan, --merge and "
              "--slow=drop have pipes of their own, so that it would wait for itself: take another "
              "with --backend");
}

static void open_loop(struct program *program)
{
    struct poller *poller = poller_open(program->command.backend);

    if (!poller)
        main_refuse_backend(program->command.backend, errno);
    program->loop = loop_new(poller);
    if (!program->loop)
        die(COPY_BROKEN, "%s", strerror(errno));
    refuse_to_block(&program->command, poller_name(poller));
    main_raise_descriptors(poller_name(poller));
}

static int add_all(struct copy *copy, const struct copy_command *command)
{
    switch (command->shape) {
    case SHAPE_FAN:
        return copy_add_fan(copy, command->sources, command->dests, command->dest_count);
    case SHAPE_MERGE:
        return copy_add_merge(copy, command->dests, command->sources, command->source_count);
    default:
        for (size_t i = 0; i < command->source_count; i++)
            if (copy_add_pair(copy, &command->sources[i], &command->dests[i]) < 0)
                return -1;
        return 0;
    }
}

static void open_copy(struct program *program)
{
    program->copy = copy_new(program->loop, &program->command.options, on_event, program);
    if (!program->copy || add_all(program->copy, &program->command) < 0)
        die(COPY_BROKEN, "%s", strerror(errno));
}

/* Returns the exit status. */
static unsigned run(struct program *program)
{
    unsigned status = 0;

    if (copy_start(program->copy) < 0 || loop_run(program->loop) < 0) {
        die_warn("%s", strerror(errno));
        status = COPY_BROKEN;
    }
    if (program->has_display)
        display_fini(&program->display);
    signal(SIGUSR1, SIG_IGN); /* or it would end the program once the loop has given it back */
    return status | copy_status(program->copy) | tell_total(program);
}

static void close_all(struct program *program)
{
    copy_free(program->copy);
    loop_free(program->loop);
    copy_options_free(&program->command);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct copy_command *command = &program.command;
    unsigned status;

    die_name("pollcopy");
    setlocale(LC_CTYPE, "");
    copy_options_read(argc, argv, command);
    mark_closed(command->sources, command->source_count);
    mark_closed(command->dests, command->dest_count);
    main_fill_descriptors();
    refuse_same(command);
    open_loop(&program);
    catch_signals(&program); /* first: `blocking` sits in what was opened last, not in these */
    open_copy(&program);
    open_display(&program);
    status = run(&program);
    close_all(&program);
    return (int)status;
}
