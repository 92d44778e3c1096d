/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/clock.h"
#include "ui/stamp.h"

/* The format is the user's own, and strftime reads nothing but the time whatever it says. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
size_t stamp_write(const char *format, time_t second, char stamp[STAMP_BYTES])
{
    struct tm local;

    if (!localtime_r(&second, &local))
        return 0;
    return strftime(stamp, STAMP_BYTES, format, &local);
}
#pragma GCC diagnostic pop

bool stamp_is_possible(const char *format)
{
    char stamp[STAMP_BYTES];

    return stamp_write(format, clock_wall().tv_sec, stamp) > 0;
}
