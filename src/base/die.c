/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/text.h"

enum { DIE_USAGE = 2 };

static const char *die_program = "pollspin";

void die_name(const char *program)
{
    die_program = program;
}

/* A message is one write(2), so that lines of several processes do not mix; an option or a name
 * in it may hold control bytes, which must not reach the terminal as such. */
static void die_print(const char *format, va_list args, const char *hint)
{
    char line[1024];
    struct text text;
    size_t length;

    text_init(&text, line, sizeof line - 1);
    text_add(&text, "%s: ", die_program);
    text_vadd(&text, format, args);
    text_add(&text, "%s", hint);
    length = text_is_cut(&text) ? text.size - 1 : text.length;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return; /* nobody is left to be told */
}

void die_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    die_print(format, args, "");
    va_end(args);
}

void die(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    die_print(format, args, "");
    va_end(args);
    exit(status);
}

void die_usage(const char *format, ...)
{
    char hint[64];
    va_list args;

    snprintf(hint, sizeof hint, "; try '%s --help'", die_program);
    va_start(args, format);
    die_print(format, args, hint);
    va_end(args);
    exit(DIE_USAGE);
}
