/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/inside.h"
#include "kit/kit.h"

enum { KIT_SHOWN = 4096 };

struct folder {
    char path[256];
    struct folder *next;
};

static struct folder *folders;

/* cmocka's own messages are cut, so what was seen goes around them. */
void kit_show(const char *label, const char *bytes, size_t n)
{
    size_t from = n > KIT_SHOWN ? n - KIT_SHOWN : 0;

    printf("%s (%zu bytes%s):\n", label, n, from > 0 ? ", the last of them" : "");
    for (size_t i = from; i < n; i++)
        if ((unsigned char)bytes[i] >= ' ' && (unsigned char)bytes[i] < 0x7f)
            putchar(bytes[i]);
        else
            printf(bytes[i] == '\n' ? "\\n\n" : "\\x%02x", (unsigned char)bytes[i]);
    putchar('\n');
    fflush(stdout);
}

void kit_fail(const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fail_msg("%s", message);
    abort(); /* not reached; cmocka does not say so to the compiler */
}

const char *kit_folder(void)
{
    const char *parent = getenv("TMPDIR");
    struct folder *folder = calloc(1, sizeof *folder);

    snprintf(folder->path, sizeof folder->path, "%s/pollspin-XXXXXX",
             parent && *parent ? parent : "/tmp");
    folder->next = folders;
    folders = folder;
    if (!mkdtemp(folder->path))
        kit_fail("mkdtemp: %s", strerror(errno));
    return folder->path;
}

static int folder_delete(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void folder_cleanup(void)
{
    const int descriptors = 16;

    while (folders) {
        struct folder *folder = folders;

        folders = folder->next;
        nftw(folder->path, folder_delete, descriptors, FTW_DEPTH | FTW_PHYS);
        free(folder);
    }
}

bool kit_has(const char *program)
{
    char *path = strdup(getenv("PATH") ? getenv("PATH") : "");
    char *rest = path;
    char *folder;
    char file[4096];
    bool found = false;

    while (!found && (folder = strsep(&rest, ":"))) {
        snprintf(file, sizeof file, "%s/%s", folder, program);
        found = access(file, X_OK) == 0;
    }
    free(path);
    return found;
}

/* Reads a short file of /proc/PID, and fails where there is none. */
static void kit_read_proc(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    if (!file)
        kit_fail("%s: %s", path, strerror(errno));
    n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
}

size_t kit_memory(pid_t pid)
{
    char text[256];
    size_t total;
    size_t resident;

    kit_read_proc(pid, "statm", text, sizeof text);
    if (sscanf(text, "%zu %zu", &total, &resident) != 2)
        kit_fail("statm says %.100s", text);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

int kit_descriptors(pid_t pid)
{
    char path[64];
    struct dirent *entry;
    int count = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    if (!folder)
        kit_fail("%s: %s", path, strerror(errno));
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* The name in parentheses, the second field, may hold anything; utime and stime are the 14th and
 * 15th. Source: proc(5). */
int64_t kit_cpu(pid_t pid)
{
    char text[1024];
    long long user;
    long long system;
    const char *rest;

    kit_read_proc(pid, "stat", text, sizeof text);
    rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user,
                        &system) != 2)
        kit_fail("stat says %.100s", text);
    return (user + system) * (CLOCK_SECOND / sysconf(_SC_CLK_TCK));
}

#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define KIT_IS_SANITIZED 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define KIT_IS_SANITIZED 1
#endif
#ifndef KIT_IS_SANITIZED
#define KIT_IS_SANITIZED 0
#endif

/* valgrind preloads a library of its own into what it runs. */
bool kit_is_instrumented(void)
{
    const char *wrapper = getenv("TEST_WRAPPER");
    const char *preload = getenv("LD_PRELOAD");

    return KIT_IS_SANITIZED || (wrapper && *wrapper) || (preload && strstr(preload, "vgpreload"));
}

int kit_cleanup(void **state)
{
    (void)state;
    terminal_cleanup();
    process_cleanup();
    peer_cleanup();
    folder_cleanup();
    child_forget_env();
    return 0;
}
