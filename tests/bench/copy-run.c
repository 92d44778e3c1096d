/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting what is measured, and what is at the other ends of fifos.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/copy.h"

enum { ARGUMENTS_MAX = WORDS_MAX + 2 * LANES_MAX, PEER_SIZE = 64 * 1024 };

/* ---- what a copier is called with ---- */

static const char *program_path(const char *name)
{
    static char path[PATH_MAX];

    if (strcmp(name, "pollcopy") != 0)
        return name;
    snprintf(path, sizeof path, "%s/pollcopy", getenv("TEST_BUILDDIR"));
    return path;
}

static bool folder_has(const char *folder, size_t length, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, name);
    return access(path, X_OK) == 0;
}

bool copier_is_here(const struct copier *copier)
{
    const char *name = copier->words[0];
    const char *folder = getenv("PATH");
    size_t length;

    if (copier->bare_all == bare_uring)
        return bare_uring_missing == NULL;
    if (!name || strcmp(name, "pollcopy") == 0)
        return true;
    for (; folder && *folder; folder += length + (folder[length] == ':')) {
        length = strcspn(folder, ":");
        if (folder_has(folder, length, name))
            return true;
    }
    return false;
}

static bool has_word(const struct copier *copier, const char *part)
{
    for (int i = 0; i < WORDS_MAX && copier->words[i]; i++)
        if (strstr(copier->words[i], part))
            return true;
    return false;
}

bool copier_takes_all(const struct copier *copier)
{
    return copier->bare_all || has_word(copier, "PAIRS");
}

/* Returns WORD with MARK, and the digit behind it, replaced by NAME; new where it is another. */
static char *replaced(const char *word, const char *mark, const char *name)
{
    const char *at = strstr(word, mark);
    const char *rest = at + strlen(mark);
    size_t size = strlen(word) + strlen(name) + 1;
    char *text = must_have(size, 1);

    rest += *rest >= '0' && *rest <= '9';
    snprintf(text, size, "%.*s%s%s", (int)(at - word), word, name, rest);
    return text;
}

static const char *word_for(const char *word, const struct lane *lanes)
{
    const char *source = strstr(word, "SOURCE");
    const char *dest = strstr(word, "DEST");
    int i = dest && dest[4] >= '0' && dest[4] < '0' + LANES_MAX ? dest[4] - '0' : 0;

    if (source)
        return replaced(word, "SOURCE", lanes[0].source);
    return dest ? replaced(word, "DEST", lanes[i].dest) : word;
}

static void redirect(int fd, const char *path, int flags)
{
    int opened = open(path, flags | O_CLOEXEC, 0600);

    must(opened >= 0, path);
    must(dup2(opened, fd) == fd, "dup2");
}

/* In the process that becomes the copier, and takes with it what is made here. */
static void run_program(const struct copier *copier, const struct lane *lanes, int count)
{
    const char *argv[ARGUMENTS_MAX + 1] = {NULL};
    int n = 0;

    for (int i = 0; i < WORDS_MAX && copier->words[i]; i++) {
        if (strcmp(copier->words[i], "PAIRS") != 0) {
            argv[n++] = word_for(copier->words[i], lanes);
            continue;
        }
        for (int lane = 0; lane < count; lane++) {
            argv[n++] = lanes[lane].source;
            argv[n++] = lanes[lane].dest;
        }
    }
    redirect(STDERR_FILENO, "/dev/null", O_WRONLY); /* mbuffer misses a terminal, and says so */
    execvp(program_path(argv[0]), (char **)argv);
    must(false, argv[0]);
}

/* ---- starting it ---- */

/* What it is given by name it opens itself. */
static void redirect_both(const struct copier *copier, const struct lane *lane)
{
    bool names_all = copier_takes_all(copier);
    bool names_source = names_all || has_word(copier, "SOURCE");
    bool names_dest = names_all || has_word(copier, "DEST");

    redirect(STDIN_FILENO, names_source ? "/dev/null" : lane->source, O_RDONLY);
    redirect(STDOUT_FILENO, names_dest ? "/dev/null" : lane->dest,
             O_WRONLY | O_CREAT | lane->dest_flags);
}

pid_t copier_start(const struct copier *copier, const struct lane *lanes, int count)
{
    pid_t pid = fork();

    must(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    redirect_both(copier, lanes);
    if (copier->bare)
        copier->bare();
    else if (copier->bare_all)
        copier->bare_all(lanes, count);
    else
        run_program(copier, lanes, count);
    _exit(0);
}

/* ---- the other ends ---- */

static void write_all(const char *path, uint64_t bytes)
{
    static char block[PEER_SIZE];
    int fd = open(path, O_WRONLY);

    must(fd >= 0, path);
    memset(block, 'x', sizeof block);
    for (; bytes > 0; bytes -= bytes < sizeof block ? bytes : sizeof block)
        bare_write(fd, block, bytes < sizeof block ? bytes : sizeof block);
}

static uint64_t read_all(const char *path)
{
    static char block[PEER_SIZE];
    int fd = open(path, O_RDONLY);
    uint64_t bytes = 0;
    ssize_t n;

    must(fd >= 0, path);
    while ((n = read(fd, block, sizeof block)) > 0)
        bytes += (uint64_t)n;
    must(n == 0, path);
    return bytes;
}

pid_t writer_start(const char *path, uint64_t bytes)
{
    pid_t pid = fork();

    must(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    write_all(path, bytes);
    _exit(0);
}

pid_t reader_start(const char *path, uint64_t bytes)
{
    pid_t pid = fork();

    must(pid >= 0, "fork");
    if (pid > 0)
        return pid;
    _exit(read_all(path) == bytes ? 0 : 1);
}

void process_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
