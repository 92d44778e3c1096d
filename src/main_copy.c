/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollcopy: wiring and the exit status.
 */
#include "config.h"

#include "base/die.h"
#include "copy/copy.h"
#include "main_copy_options.h"

int main(int argc, char **argv)
{
    struct copy_command command;

    die_name("pollcopy");
    copy_options_read(argc, argv, &command);
    return COPY_BROKEN;
}
