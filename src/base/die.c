/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/sanitize.h"
#include "base/text.h"

enum { DIE_USAGE = 2, DIE_LINE = 1024 };

static const char *die_program = "pollspin";

void die_name(const char *program)
{
    die_program = program;
}

/* A message is one write(2), so that lines of several processes do not mix; an option or a name in
 * it may hold what a terminal would obey. */
static void die_print(const char *format, va_list args, const char *hint)
{
    char line[DIE_LINE];
    char shown[SANITIZE_GROWTH * (DIE_LINE + 2 * sizeof((struct sanitize *)NULL)->pending) + 1];
    struct sanitize sanitize;
    struct text text;
    size_t length;

    text_init(&text, line, sizeof line);
    text_add(&text, "%s: ", die_program);
    text_vadd(&text, format, args);
    text_add(&text, "%s", hint);
    sanitize_init(&sanitize);
    length = sanitize_bytes(&sanitize, line, strlen(line), shown);
    length += sanitize_end(&sanitize, shown + length);
    shown[length++] = '\n';
    if (write(STDERR_FILENO, shown, length) < 0)
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
