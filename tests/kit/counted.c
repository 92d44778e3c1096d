/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For `make coverage`, which links with --wrap=_exit (ld(1)): what ran is written down at exit(3),
 * to which a child of fork(2) does not come.
 */
#include "config.h"

#include <unistd.h>

#ifdef KIT_COUNTED
void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
#endif
