/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/die.h"
#include "main_common.h"

void main_fill_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void main_raise_descriptors(const char *backend)
{
    struct rlimit limit;
    rlim_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    most = limit.rlim_max;
    if (strcmp(backend, "select") == 0 && (most == RLIM_INFINITY || most > FD_SETSIZE))
        most = FD_SETSIZE;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= most)
        return;
    limit.rlim_cur = most;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void main_end_printing(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        die(MAIN_FAILED, "standard output: %s", strerror(errno));
    exit(MAIN_OK);
}

void main_print_backends(void)
{
    struct poller_info info;

    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        printf("%-10s%s%s%s\n", info.name, info.summary, info.missing ? "; not here: " : "",
               info.missing ? info.missing : "");
    main_end_printing();
}

/* A letter that is known is refused only as the long form of it, with an argument that it does not
 * take. The word alone does not tell: inside of "-xy" it is still the one before. */
void main_refuse_option(int result, char **argv, const char *letters)
{
    const char *word = argv[optind - 1];

    if (result == ':')
        die_usage("option '%s' needs an argument", word);
    if (optopt >= 256 || (optopt > 0 && optopt != ':' && strchr(letters, optopt)))
        die_usage("option '%s' takes no argument", word);
    if (optopt > 0)
        die_usage("there is no option '-%c'", optopt);
    die_usage("there is no option '%s'", word);
}

void main_refuse_backend(const char *name, int error)
{
    const char *variable = getenv("POLLSPIN_BACKEND");

    if (!name || strcmp(name, "auto") == 0)
        name = variable && *variable != '\0' ? variable : "auto";
    if (error == EINVAL)
        die_usage("there is no backend '%s'; --list-backends lists them", name);
    if (error == ENOTSUP)
        die(MAIN_FAILED, "backend %s: this system lacks it; see --list-backends", name);
    die(MAIN_FAILED, "backend %s: %s", name, strerror(error));
}

void main_catch(struct loop *loop, int signo, signal_fn *on_signal, void *owner)
{
    if (signo == SIGHUP && signal_is_ignored(SIGHUP))
        return;
    if (loop_signal(loop, signo, on_signal, owner) < 0)
        die(MAIN_FAILED, "signals: %s", strerror(errno));
}
