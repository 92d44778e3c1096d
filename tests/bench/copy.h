/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the copy measurement share.
 *
 * A lane is one source and one destination, by name: fifos with a writer and a reader at their
 * other ends, or files. A copier moves all of it; one that can do only one lane is started once for
 * each. The bare loops are what pollcopy is measured by: the system call and nothing around it, in
 * a process of its own.
 */
#ifndef COPY_BENCH_H
#define COPY_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bench/must.h"

enum { LANES_MAX = 4, WORDS_MAX = 12, NAME_SIZE = 24 };

struct lane {
    char source[NAME_SIZE]; /* in the folder that all is done in */
    char dest[NAME_SIZE];
    int dest_flags; /* O_APPEND, or 0 */
};

/* From standard input to standard output. */
typedef void bare_fn(void);

/* All lanes in one process. */
typedef void bare_all_fn(const struct lane *lanes, int count);

/* Exactly one of the three at the end is set. In WORDS, whose first is looked for in PATH or is
 * "pollcopy", SOURCE and DEST stand for the lane's names, a word PAIRS for those of all lanes, and
 * WORD0 .. WORD3 for one each. What a program is not given the
 * name of is its standard input or output. */
struct copier {
    const char *name;
    const char *words[WORDS_MAX];
    bare_fn *bare;
    bare_all_fn *bare_all;
};

/* ---- copy-bare.c ---- */

enum { BARE_SIZE = 128 * 1024, NAIVE_SIZE = 8 * 1024 };

void bare_splice(void);
void bare_buffer(void); /* read(2) and write(2) of BARE_SIZE */
void bare_naive(void);  /* poll(2), and then those of NAIVE_SIZE */
void bare_range(void);  /* copy_file_range(2) */
void bare_range_threads(const struct lane *lanes, int count);

extern const char *const bare_uring_missing; /* NULL: it is here */
void bare_uring(const struct lane *lanes, int count);

/* Ends the process unless N bytes of FROM are written to FD. */
void bare_write(int fd, const char *from, size_t n);

/* ---- copy-run.c ---- */

/* Whether the program that COPIER is can be found. */
bool copier_is_here(const struct copier *copier);

/* Whether one process copies all lanes. */
bool copier_takes_all(const struct copier *copier);

/* Starts COPIER for COUNT lanes. */
pid_t copier_start(const struct copier *copier, const struct lane *lanes, int count);

/* Starts a process that writes BYTES bytes to the fifo at PATH, 64 KiB at a time, and one that
 * reads from it as many at a time to the end; that one ends with 0 where it got BYTES. */
pid_t writer_start(const char *path, uint64_t bytes);
pid_t reader_start(const char *path, uint64_t bytes);

/* Ends PID, where that has not ended, and reaps it. */
void process_kill(pid_t pid);

/* ---- copy-stalled.c ---- */

/* Prints what the others get when one of four destinations takes nothing. */
void bench_stalled(void);

#endif
