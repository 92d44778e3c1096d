/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>

#include "base/text.h"

void text_init(struct text *text, char *bytes, size_t size)
{
    *text = (struct text){.bytes = bytes, .size = size};
    bytes[0] = '\0';
}

bool text_is_cut(const struct text *text)
{
    return text->length >= text->size;
}

void text_vadd(struct text *text, const char *format, va_list args)
{
    size_t used = text_is_cut(text) ? text->size - 1 : text->length;
    int n = vsnprintf(text->bytes + used, text->size - used, format, args);

    if (n > 0)
        text->length += (size_t)n;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vadd(text, format, args);
    va_end(args);
}
