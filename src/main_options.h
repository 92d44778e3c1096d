/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of pollspin, and what follows from it and from where the program runs.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "client/app.h"
#include "client/session.h"
#include "ui/plain.h"

enum { OPTIONS_PORT = 51423 };

/* How it shows itself: on the whole terminal, or as lines with at most one spinner under them. */
enum options_form { OPTIONS_FULL, OPTIONS_ONELINE };

enum options_stdin { OPTIONS_STDIN_AUTO, OPTIONS_STDIN_YES, OPTIONS_STDIN_NO };

/* What the command line said. */
struct client_options {
    const char *backend;
    const char *targets[APP_CHANNELS]; /* as they were typed, checked */
    size_t target_count;
    bool is_demo;
    int64_t demo_interval_ns;
    bool has_inspect;
    const char *inspect_file; /* NULL: none was named */
    bool is_plain;
    bool keeps_open;
    bool is_stepping;
    bool no_spinner;
    enum options_stdin input;
    size_t scrollback_lines;
    struct plain_options plain;
    struct session_options session; /* for every target but its name */
    enum options_form form;
};

/* What --timestamps without a format means. */
extern const char options_timestamps[];

/* Reads the command line and chooses the form, or ends the program: with 2 and a message where it
 * is wrong, with 0 where help, the version or a list was asked for. */
void options_parse(struct client_options *options, int argc, char **argv);

/* Chooses the one-line form, and by the terminal whether a spinner turns and whether standard input
 * is read. */
void options_choose_oneline(struct client_options *options);

/* Whether colours may be used: NO_COLOR does not forbid them (no-color.org). */
bool options_has_colour(void);

#endif
