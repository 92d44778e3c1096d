/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* Returns how many bits the suffix shifts by, or -1 where it is none. */
static int parse_shift(const char *suffix)
{
    static const char letters[] = "kmgt";
    const char *letter;

    if (*suffix == '\0')
        return 0;
    letter = strchr(letters, *suffix >= 'A' && *suffix <= 'Z' ? *suffix + 'a' - 'A' : *suffix);
    if (!letter || (suffix[1] != '\0' && strcasecmp(suffix + 1, "iB") != 0))
        return -1;
    return 10 * (int)(letter - letters + 1);
}

int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *size)
{
    unsigned long long number;
    int shift = parse_shift(text + strspn(text, "0123456789"));

    if (*text < '0' || *text > '9' || shift < 0) {
        errno = EINVAL;
        return -1;
    }
    errno = 0;
    number = strtoull(text, NULL, 10);
    if (errno == ERANGE || number > UINT64_MAX >> shift || number << shift < min ||
        number << shift > max) {
        errno = ERANGE;
        return -1;
    }
    *size = number << shift;
    return 0;
}
