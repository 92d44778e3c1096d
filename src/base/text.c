/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>

#include "base/text.h"

void text_init(struct text *text, char *bytes, size_t size)
{
    *text = (struct text){.bytes = bytes, .size = size};
    if (size > 0)
        bytes[0] = '\0';
}

bool text_is_cut(const struct text *text)
{
    return text->length >= text->size;
}

void text_vadd(struct text *text, const char *format, va_list args)
{
    size_t used = text->length;
    int n;

    if (text_is_cut(text))
        used = text->size > 0 ? text->size - 1 : 0;
    n = vsnprintf(text->size > 0 ? text->bytes + used : NULL, text->size - used, format, args);

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
