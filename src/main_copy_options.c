/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "main_copy_options.h"

void copy_options_read(int argc, char **argv, struct copy_command *command)
{
    (void)argc, (void)argv;
    memset(command, 0, sizeof *command);
}
