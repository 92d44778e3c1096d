/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what happens to a file, until it is deleted or a signal says that it is enough.
 *
 *     cc watch-file.c $(pkg-config --cflags --libs pollspin) -o watch-file
 *     ./watch-file notes & date >>notes; mv notes kept; rm kept
 *
 * It is the file that is watched and not its name: an editor that writes a new file and renames it
 * over the old one is seen as a deletion.
 */
#define _POSIX_C_SOURCE 200809L

#include <pollspin/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANYTHING = (FILE_REVOKE << 1) - 1 };

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void print_changes(void *owner, unsigned changes)
{
    static const char *const names[] = {"delete", "write",  "extend", "attrib",
                                        "link",   "rename", "revoke"};
    struct loop *loop = owner;

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (changes & 1u << i)
            printf("%s ", names[i]);
    if (printf("\n") < 0 || fflush(stdout) == EOF)
        fail("standard output");
    if (changes & (FILE_DELETE | FILE_REVOKE))
        loop_stop(loop);
}

static void stop(void *owner, int signo)
{
    struct loop *loop = owner;

    (void)signo;
    loop_stop(loop);
}

int main(int argc, char **argv)
{
    struct loop *loop = loop_new(NULL);
    struct file_watch file;

    if (argc != 2) {
        fprintf(stderr, "usage: watch-file FILE\n");
        return EXIT_FAILURE;
    }
    if (!loop)
        fail("loop_new");
    if (loop_signal(loop, SIGINT, stop, loop) < 0 || loop_signal(loop, SIGTERM, stop, loop) < 0)
        fail("loop_signal");
    file_watch_init(&file, print_changes, loop);
    if (file_watch_start(&file, loop, argv[1], ANYTHING) < 0)
        fail(argv[1]);
    printf("watching\n");
    if (fflush(stdout) == EOF || loop_run(loop) < 0)
        fail("loop_run");
    file_watch_stop(&file);
    loop_free(loop);
    return EXIT_SUCCESS;
}
