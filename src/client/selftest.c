/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stddef.h>

#include "client/selftest.h"

char *selftest_table(void)
{
    errno = ENOTSUP;
    return NULL;
}
