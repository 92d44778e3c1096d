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
    const char *backend;   /* NULL: the best */
    struct place *sources; /* one of a fan; as many as destinations of pairs */
    size_t source_count;
    struct place *dests; /* one of a merge */
    size_t dest_count;
};

/* Reads it. Ends the program for what is only printed, and with a message and COPY_USAGE for a
 * mistake. Opens nothing. */
void copy_options_read(int argc, char **argv, struct copy_command *command);

/* Frees what is in it. */
void copy_options_free(struct copy_command *command);

#endif
