/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of pollcopy.
 */
#ifndef MAIN_COPY_OPTIONS_H
#define MAIN_COPY_OPTIONS_H

#include "copy/copy.h"

enum copy_shape { SHAPE_PAIRS, SHAPE_FAN, SHAPE_MERGE };
enum copy_progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct copy_command {
    enum copy_shape shape;
    struct copy_options options;
    enum copy_progress progress;
    bool is_json;
    bool is_quiet;
    const char *backend;  /* NULL: the best */
    struct place *places; /* as they were given; a fan's source and a merge's destination first */
    size_t count;
};

/* Reads it. Ends the program for what is only printed, and with a message and COPY_USAGE for a
 * mistake: nothing is opened before all is read. */
void copy_options_read(int argc, char **argv, struct copy_command *command);

/* Frees what is in it. */
void copy_options_free(struct copy_command *command);

#endif
