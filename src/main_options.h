/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of pollspin, and what follows from it and from where the program runs.
 */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include "client/session.h"
#include "ui/plain.h"

enum options_stdin { OPTIONS_STDIN_AUTO, OPTIONS_STDIN_YES, OPTIONS_STDIN_NO };

/* What the command line said. */
struct client_options {
    const char *backend;
    const char *target;
    bool is_demo;
    int64_t demo_interval_ns;
    bool has_inspect;
    const char *inspect_file; /* NULL: standard error */
    bool no_spinner;
    enum options_stdin input;
    struct plain_options plain;
    struct session_options session;
};

/* Reads the command line, or ends the program: with 2 and a message where it is wrong, with 0 where
 * help, the version or a list was asked for. */
void options_parse(struct client_options *options, int argc, char **argv);

/* Decides whether a spinner turns and whether standard input is read. */
void options_choose_mode(struct client_options *options);

/* Whether both descriptors are the same terminal. */
bool options_is_same_terminal(int a, int b);

#endif
