/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    unsigned long long value;

    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') {
        errno = EINVAL; /* strtoull(3) itself would take " +5" and make 2^64-5 of "-5" */
        return -1;
    }
    errno = 0;
    value = strtoull(text, NULL, 10);
    if (errno == ERANGE || value < min || value > max) {
        errno = ERANGE;
        return -1;
    }
    *number = value;
    return 0;
}

int parse_seconds(const char *text, int64_t min_ns, int64_t *ns)
{
    double seconds;
    char *end;

    if (text[strspn(text, "0123456789.")] != '\0' || !strpbrk(text, "0123456789")) {
        errno = EINVAL; /* strtod(3) would take "inf", "nan", "0x1p3" and "-1" */
        return -1;
    }
    seconds = strtod(text, &end);
    if (*end != '\0') {
        errno = EINVAL;
        return -1;
    }
    if (seconds > 1e9 || clock_from_seconds(seconds) < min_ns ||
        (seconds > 0 && clock_from_seconds(seconds) == 0)) {
        errno = ERANGE;
        return -1;
    }
    *ns = clock_from_seconds(seconds);
    return 0;
}
