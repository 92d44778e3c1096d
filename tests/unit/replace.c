/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Until the new file is complete the old one stands as it was, byte for byte, with its mode and its
 * owner; and whatever fails leaves nothing else behind. The linker puts the functions below between
 * the module and libc (ld(1), --wrap), so that each call can fail.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy/kernel.h"
#include "copy/replace.h"
#include "kit/kit.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OLD          "what was there before\n"
#define NEW          "new"

/* ---- what stands in between ---- */

static struct {
    const char *call; /* NULL: nothing fails */
    int after;        /* so many of them go well first */
    int error;
    int count;
} fault;

static bool cannot_give; /* fchown(2), ever */
static uid_t user;       /* who we are said to be; (uid_t)-1: who we are */

static struct {
    const char *path; /* NULL: it is as it is */
    unsigned marks;
} marked;

static bool fails(const char *call)
{
    if (!fault.call || strcmp(fault.call, call) != 0 || fault.count++ != fault.after)
        return false;
    errno = fault.error;
    return true;
}

#define WRAP(type, call, parameters, arguments, failed)                                            \
    type __real_##call parameters;                                                                 \
    type __wrap_##call parameters;                                                                 \
    type __wrap_##call parameters                                                                  \
    {                                                                                              \
        return fails(#call) ? (failed) : __real_##call arguments;                                  \
    }

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(ssize_t, readlink, (const char *path, char *bytes, size_t size), (path, bytes, size), -1)
WRAP(int, stat, (const char *path, struct stat *status), (path, status), -1)
WRAP(int, lstat, (const char *path, struct stat *status), (path, status), -1)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP(int, access, (const char *path, int mode), (path, mode), -1)
WRAP(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(int, rename, (const char *old, const char *new), (old, new), -1)
WRAP(int, link, (const char *old, const char *new), (old, new), -1)
WRAP(int, unlink, (const char *path), (path), -1)
WRAP(ssize_t, kernel_acl_get, (const char *path, void *acl, size_t size), (path, acl, size), -1)
WRAP(int, kernel_acl_set, (int fd, const void *acl, size_t n), (fd, acl, n), -1)

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
unsigned __real_kernel_marks(const char *path);
unsigned __wrap_kernel_marks(const char *path);

uid_t __wrap_geteuid(void)
{
    return user == (uid_t)-1 ? __real_geteuid() : user;
}

unsigned __wrap_kernel_marks(const char *path)
{
    if (marked.path && strcmp(marked.path, path) == 0)
        return marked.marks;
    return __real_kernel_marks(path);
}

int __real_fchown(int fd, uid_t uid, gid_t gid);
int __wrap_fchown(int fd, uid_t uid, gid_t gid);
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_fchown(int fd, uid_t uid, gid_t gid)
{
    if (fails("fchown"))
        return -1;
    if (!cannot_give)
        return __real_fchown(fd, uid, gid);
    errno = EPERM;
    return -1;
}

/* It lets go of the descriptor all the same. */
int __wrap_close(int fd)
{
    int result = __real_close(fd);

    return fails("close") ? -1 : result;
}

static void set_fault(const char *call, int after, int error)
{
    fault.call = call;
    fault.after = after;
    fault.error = error;
    fault.count = 0;
}

/* ---- what the tests have in common ---- */

static char before[PATH_MAX];

static int begin(void **state)
{
    (void)state;
    umask(022);
    user = (uid_t)-1;
    marked.path = NULL;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(kit_folder()), 0);
    return 0;
}

static int end(void **state)
{
    set_fault(NULL, 0, 0);
    cannot_give = false;
    if (chdir(before) < 0)
        return -1;
    return kit_cleanup(state);
}

static void write_to(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void make(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    write_to(fd, text);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void assert_holds(const char *path, const char *text)
{
    char bytes[200] = "";
    int fd = open(path, O_RDONLY, 0);

    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof bytes - 1) >= 0);
    close(fd);
    assert_string_equal(bytes, text);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static ino_t inode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_ino;
}

/* How many names are in PATH. */
static int names_in(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

/* Writes NEW to PATH, all of it. Returns 0, or -1 with errno. */
static int replace_with(const char *path, unsigned flags)
{
    struct replace replace;

    replace_init(&replace);
    if (replace_open(&replace, path, flags) < 0)
        return -1;
    write_to(replace.fd, NEW);
    return replace_commit(&replace);
}

static void assert_refused(const char *path, unsigned flags, int error)
{
    struct replace replace;

    replace_init(&replace);
    errno = 0;
    if (replace_open(&replace, path, flags) == 0)
        fail_msg("%s was opened", path);
    assert_int_equal(errno, error);
    assert_int_equal(replace.fd, -1);
    assert_null(replace.path);
    replace_abort(&replace);
    assert_int_equal(errno, error);
}

/* ---- the name ---- */

static void a_file_has_its_name_when_it_is_complete(void **state)
{
    struct replace replace;

    (void)state;
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    assert_true(replace.is_new);
    assert_memory_equal(replace.temporary, ".out.", strlen(".out."));
    assert_int_equal(strlen(replace.temporary), strlen(".out.XXXXXX"));
    write_to(replace.fd, NEW);
    assert_int_equal(access("out", F_OK), -1);
    assert_int_equal(replace_commit(&replace), 0);
    assert_int_equal(replace.fd, -1);
    assert_null(replace.path);
    assert_holds("out", NEW);
    assert_int_equal(mode_of("out"), 0644);
    assert_int_equal(names_in("."), 1);
}

static void an_old_file_stands_until_then(void **state)
{
    struct replace replace;

    (void)state;
    make("out", OLD, 0640);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "./out", 0), 0);
    assert_false(replace.is_new);
    assert_int_equal(mode_of(replace.temporary), 0600);
    write_to(replace.fd, NEW);
    assert_holds("out", OLD);
    assert_int_equal(replace_commit(&replace), 0);
    assert_holds("out", NEW);
    assert_int_equal(mode_of("out"), 0640);
    assert_int_equal(names_in("."), 1);
}

static void giving_up_leaves_nothing(void **state)
{
    struct replace replace;

    (void)state;
    make("out", OLD, 0640);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    write_to(replace.fd, NEW);
    errno = EXDEV;
    replace_abort(&replace);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(replace.fd, -1);
    replace_abort(&replace);
    assert_holds("out", OLD);
    assert_int_equal(names_in("."), 1);
}

static void two_at_once(void **state)
{
    struct replace first, second;

    (void)state;
    replace_init(&first);
    replace_init(&second);
    assert_int_equal(replace_open(&first, "out", 0), 0);
    assert_int_equal(replace_open(&second, "out", 0), 0);
    assert_string_not_equal(first.temporary, second.temporary);
    write_to(second.fd, "second");
    write_to(first.fd, "first");
    assert_int_equal(replace_commit(&second), 0);
    assert_int_equal(replace_commit(&first), 0);
    assert_holds("out", "first");
    assert_int_equal(names_in("."), 1);
}

static void a_temporary_name_that_is_taken(void **state)
{
    (void)state;
    set_fault("open", 0, EEXIST);
    assert_int_equal(replace_with("out", 0), 0);
    assert_int_equal(fault.count, 2);
    assert_holds("out", NEW);
}

static void the_longest_names(void **state)
{
    char name[NAME_MAX + 1];
    struct replace replace;

    (void)state;
    for (size_t length = NAME_MAX - 9; length <= NAME_MAX; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        replace_init(&replace);
        assert_int_equal(replace_open(&replace, name, 0), 0);
        assert_true(strlen(replace.temporary) <= NAME_MAX);
        assert_int_equal(replace_commit(&replace), 0);
        assert_int_equal(access(name, F_OK), 0);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(names_in("."), 0);
}

/* It is not cut within a character: each of these has two bytes. */
static void the_longest_names_of_wide_characters(void **state)
{
    char name[NAME_MAX + 1] = "";
    struct replace replace;

    (void)state;
    for (size_t i = 0; i + 2 <= NAME_MAX; i += 2)
        memcpy(name + i, "\xc3\xa9", 3);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, name, 0), 0);
    assert_int_equal(strlen(replace.temporary) % 2, 0);
    assert_true(strlen(replace.temporary) > NAME_MAX - 3);
    assert_int_equal(replace_commit(&replace), 0);
    assert_int_equal(names_in("."), 1);
}

static void a_file_system_of_short_names(void **state)
{
    struct replace replace;

    (void)state;
    replace_init(&replace);
    set_fault("open", 0, ENAMETOOLONG);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    assert_int_equal(strlen(replace.temporary), strlen("..XXXXXX"));
    assert_int_equal(replace_commit(&replace), 0);
    assert_int_equal(access("out", F_OK), 0);
}

static void a_name_with_dots(void **state)
{
    static const char *const names[] = {".hidden", "..", "...x", ".a.b.", "-n", " "};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i], "..") == 0) {
            assert_refused(names[i], 0, EISDIR);
            continue;
        }
        assert_int_equal(replace_with(names[i], 0), 0);
        assert_holds(names[i], NEW);
    }
    assert_int_equal(names_in("."), COUNT(names) - 1);
}

static void what_is_no_file(void **state)
{
    (void)state;
    make("file", OLD, 0644);
    assert_int_equal(mkdir("folder", 0755), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("none/", "slash"), 0);
    for (unsigned flags = 0; flags <= REPLACE_IN_PLACE; flags++) {
        assert_refused("", flags, ENOENT);
        assert_refused("folder", flags, EISDIR);
        assert_refused("folder/", flags, EISDIR);
        assert_refused(".", flags, EISDIR);
        assert_refused("new/", flags, EISDIR);
        assert_refused("slash", flags, EISDIR);
        assert_refused("file/", flags, ENOTDIR);
        assert_refused("file/x", flags, ENOTDIR);
        assert_refused("none/x", flags, ENOENT);
        assert_refused("fifo", flags, EINVAL);
        assert_refused("/dev/null", flags, EINVAL);
    }
    assert_int_equal(names_in("."), 4);
}

/* ---- links ---- */

static void behind_links_the_file_is_replaced(void **state)
{
    static const char *const links[] = {"relative", "d/absolute", "d/chain", "e/up"};
    char target[PATH_MAX + 10];

    (void)state;
    make("out", OLD, 0640);
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("d", "e"), 0);
    assert_non_null(getcwd(target, PATH_MAX));
    strcat(target, "/out");
    assert_int_equal(symlink("out", "relative"), 0);
    assert_int_equal(symlink(target, "d/absolute"), 0);
    assert_int_equal(symlink("../relative", "d/chain"), 0);
    assert_int_equal(symlink("../out", "d/up"), 0);
    for (size_t i = 0; i < COUNT(links); i++) {
        ino_t old = inode_of("out");
        struct stat status;

        assert_int_equal(replace_with(links[i], 0), 0);
        assert_holds("out", NEW);
        assert_int_not_equal(inode_of("out"), old);
        assert_int_equal(lstat(links[i], &status), 0);
        assert_true(S_ISLNK(status.st_mode));
    }
    assert_int_equal(names_in("."), 4);
    assert_int_equal(names_in("d"), 3);
}

static void a_dangling_link_gets_its_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("d/new", "link"), 0);
    for (unsigned flags = 0; flags <= (REPLACE_NO_CLOBBER | REPLACE_SYNC); flags++) {
        assert_int_equal(replace_with("link", flags), 0);
        assert_holds("d/new", NEW);
        assert_int_equal(unlink("d/new"), 0);
    }
    assert_int_equal(names_in("d"), 0);
}

static void a_loop_of_links(void **state)
{
    (void)state;
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(symlink("a", "b"), 0);
    assert_refused("a", 0, ELOOP);
    assert_refused("a", REPLACE_IN_PLACE, ELOOP);
}

static void names_that_are_resolved(void **state)
{
    static const struct {
        const char *path;
        const char *resolved;
    } cases[] = {{"none", "none"}, {"none/x", "none/x"}, {"d/link", "d/../x"}, {"d", "d"},
                 {"root", "/x"},   {"two", "d/../x"},    {"./two", "./d/../x"}};

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("../x", "d/link"), 0);
    assert_int_equal(symlink("/x", "root"), 0);
    assert_int_equal(symlink("d/link", "two"), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *resolved = replace_resolve(cases[i].path);

        assert_non_null(resolved);
        assert_string_equal(resolved, cases[i].resolved);
        free(resolved);
    }
    assert_string_equal(replace_last_part("a/b"), "b");
    assert_string_equal(replace_last_part("a/"), "");
    assert_string_equal(replace_last_part("a"), "a");
}

/* What the link in /proc says is no name of it: "/x (deleted)". */
static void a_file_without_a_name(void **state)
{
    struct replace replace;
    char path[40], bytes[10] = "";
    int fd;

    (void)state;
    make("gone", OLD, 0644);
    fd = open("gone", O_RDWR, 0);
    assert_int_equal(unlink("gone"), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (access(path, F_OK) < 0)
        kit_skip("there is no /proc here");
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, path, 0), 0);
    assert_null(replace.temporary);
    write_to(replace.fd, NEW);
    assert_int_equal(replace_commit(&replace), 0);
    assert_int_equal(pread(fd, bytes, sizeof bytes - 1, 0), strlen(NEW));
    assert_string_equal(bytes, NEW);
    close(fd);
    assert_int_equal(names_in("."), 0);
}

/* ---- mode and owner ---- */

static void the_umask_counts_for_a_new_file(void **state)
{
    static const mode_t masks[] = {0, 077, 0777, 027};

    (void)state;
    for (size_t i = 0; i < COUNT(masks); i++) {
        umask(masks[i]);
        assert_int_equal(replace_with("out", 0), 0);
        assert_int_equal(mode_of("out"), 0666 & ~masks[i]);
        assert_int_equal(unlink("out"), 0);
    }
}

static void the_mode_of_an_old_file_is_kept(void **state)
{
    static const mode_t modes[] = {0600, 0666, 0755, 0400, 04755, 06711, 01777};

    (void)state;
    umask(077);
    for (size_t i = 0; i < COUNT(modes); i++) {
        make("out", OLD, modes[i]);
        if (mode_of("out") == modes[i] && access("out", W_OK) == 0) {
            assert_int_equal(replace_with("out", 0), 0);
            assert_holds("out", NEW);
            assert_int_equal(mode_of("out"), modes[i]);
        }
        assert_int_equal(unlink("out"), 0);
    }
}

static void the_owner_is_kept(void **state)
{
    struct stat status;

    (void)state;
    make("out", OLD, 0644);
    if (chown("out", 1234, 5678) < 0)
        kit_skip("only root can give a file to another");
    assert_int_equal(chmod("out", 06755), 0);
    assert_int_equal(replace_with("out", 0), 0);
    assert_int_equal(stat("out", &status), 0);
    assert_int_equal(status.st_uid, 1234);
    assert_int_equal(status.st_gid, 5678);
    assert_int_equal(status.st_mode & 07777, 06755);
}

/* The owner cannot be given, the group can. */
static void another_owner_loses_its_bits(void **state)
{
    struct stat status;

    (void)state;
    make("out", OLD, 0644);
    if (chown("out", 1234, 5678) < 0)
        kit_skip("only root can give a file to another");
    assert_int_equal(chmod("out", 06775), 0);
    set_fault("fchown", 0, EPERM);
    assert_int_equal(replace_with("out", 0), 0);
    assert_int_equal(fault.count, 2);
    assert_int_equal(stat("out", &status), 0);
    assert_int_equal(status.st_uid, geteuid());
    assert_int_equal(status.st_gid, 5678);
    assert_int_equal(status.st_mode & 07777, 0775);
}

/* Neither can: the new group may no more than all others. */
static void another_group_may_no_more_than_others(void **state)
{
    static const struct {
        mode_t old;
        mode_t new;
    } cases[] = {{0660, 0600}, {0664, 0644}, {06755, 0755}, {0707, 0707}, {02770, 0700}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        make("out", OLD, 0644);
        if (chown("out", 1234, 5678) < 0)
            kit_skip("only root can give a file to another");
        assert_int_equal(chmod("out", cases[i].old), 0);
        cannot_give = true;
        assert_int_equal(replace_with("out", 0), 0);
        cannot_give = false;
        assert_holds("out", NEW);
        assert_int_equal(mode_of("out"), cases[i].new);
        assert_int_equal(unlink("out"), 0);
    }
}

/* ---- a name that cannot be taken ---- */

/* Only then: the file itself can be written, and other names can be taken. */
static void assert_only_replacing_is_refused(int error)
{
    assert_refused("d/out", 0, error);
    assert_refused("d/out", REPLACE_SYNC, error);
    assert_holds("d/out", OLD);
    assert_int_equal(names_in("d"), 1);
    assert_int_equal(replace_with("d/out", REPLACE_APPEND), 0);
    assert_holds("d/out", OLD NEW);
    assert_int_equal(replace_with("d/out", REPLACE_IN_PLACE), 0);
    assert_holds("d/out", NEW);
}

static void make_in_sticky_folder(void)
{
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(chmod("d", 01777), 0);
    make("d/out", OLD, 0666);
}

static void a_name_of_another_in_a_sticky_folder(void **state)
{
    (void)state;
    make_in_sticky_folder();
    user = geteuid() + 1;
    assert_only_replacing_is_refused(EPERM);
    assert_int_equal(replace_with("d/new", 0), 0);
    assert_int_equal(chmod("d", 0777), 0);
    assert_int_equal(replace_with("d/out", 0), 0);
}

static void who_may_in_a_sticky_folder(void **state)
{
    (void)state;
    make_in_sticky_folder();
    assert_int_equal(replace_with("d/out", 0), 0);
    user = 0;
    assert_int_equal(replace_with("d/out", 0), 0);
    user = (uid_t)-1;
    if (chown("d", 1234, 1234) < 0 || chown("d/out", 5678, 5678) < 0)
        kit_skip("only root can give a file to another");
    user = 1234;
    assert_int_equal(replace_with("d/out", 0), 0);
    user = 5678;
    assert_int_equal(replace_with("d/out", 0), 0);
    user = 91011;
    assert_refused("d/out", 0, EPERM);
}

static void a_name_that_is_mounted_or_fixed(void **state)
{
    static const struct {
        const char *path;
        unsigned marks;
        int error;
    } cases[] = {
        {"d/out", KERNEL_MOUNTED, EBUSY},
        {"d/out", KERNEL_FIXED, EPERM},
        {"d/", KERNEL_FIXED, EPERM},
    };

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        make("d/out", OLD, 0644);
        marked.path = cases[i].path;
        marked.marks = cases[i].marks;
        assert_only_replacing_is_refused(cases[i].error);
        assert_int_equal(unlink("d/out"), 0);
    }
    assert_refused("d/new", 0, EPERM);
    marked.marks = KERNEL_MOUNTED;
    assert_int_equal(replace_with("d/new", 0), 0);
}

/* ---- what else is allowed: acl(5) ---- */

enum { ACL_SIZE = 44, ACL_MASK = 30 };

/* As xattr(7) has it: user::rw-, user:12345:rw-, group::---, mask::rw-, other::---. */
static const unsigned char acl[ACL_SIZE] = {
    2,  0,                                     /* the version */
    0,  0, 1, 0, 6,   0,   255, 255, 255, 255, /* the owner */
    2,  0, 6, 0, 57,  48,  0,   0,             /* 12345 */
    4,  0, 0, 0, 255, 255, 255, 255,           /* the group */
    16, 0, 6, 0, 255, 255, 255, 255,           /* the most that all but the owner and others may */
    32, 0, 0, 0, 255, 255, 255, 255,
};

static void set_acl(int fd, const unsigned char bytes[ACL_SIZE])
{
    if (kernel_acl_set(fd, bytes, ACL_SIZE) < 0)
        kit_skip("this file system has no ACLs");
}

static void make_with_acl(const char *path)
{
    int fd;

    make(path, OLD, 0640);
    fd = open(path, O_WRONLY, 0);
    set_acl(fd, acl);
    close(fd);
    assert_int_equal(mode_of(path), 0660);
}

static void assert_no_acl(const char *path)
{
    assert_int_equal(kernel_acl_get(path, NULL, 0), 0);
}

static void assert_acl(const char *path)
{
    unsigned char found[ACL_SIZE + 1];

    assert_int_equal(kernel_acl_get(path, found, sizeof found), ACL_SIZE);
    assert_memory_equal(found, acl, ACL_SIZE);
}

/* The group, which may nothing, is not to get what 12345 may. */
static void the_acl_is_kept(void **state)
{
    (void)state;
    make_with_acl("out");
    assert_int_equal(replace_with("out", 0), 0);
    assert_holds("out", NEW);
    assert_acl("out");
    assert_int_equal(mode_of("out"), 0660);
}

static void the_acl_and_the_owner_are_kept(void **state)
{
    struct stat status;

    (void)state;
    make_with_acl("out");
    if (chown("out", 1234, 5678) < 0)
        kit_skip("only root can give a file to another");
    assert_int_equal(chmod("out", 06770), 0);
    assert_int_equal(replace_with("out", 0), 0);
    assert_int_equal(stat("out", &status), 0);
    assert_int_equal(status.st_uid, 1234);
    assert_int_equal(status.st_gid, 5678);
    assert_int_equal(status.st_mode & 07777, 06770);
    assert_int_equal(kernel_acl_get("out", NULL, 0), ACL_SIZE);
}

static void an_acl_that_cannot_be_given(void **state)
{
    static const int errors[] = {EOPNOTSUPP, EPERM, EINVAL, ENOSYS};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        make_with_acl("out");
        assert_int_equal(chmod("out", 0665), 0);
        set_fault("kernel_acl_set", 0, errors[i]);
        assert_int_equal(replace_with("out", 0), 0);
        set_fault(NULL, 0, 0);
        assert_holds("out", NEW);
        assert_no_acl("out");
        assert_int_equal(mode_of("out"), 0600);
        assert_int_equal(unlink("out"), 0);
    }
}

/* What it says of the group would be said of another. */
static void the_acl_of_a_group_that_cannot_be_given(void **state)
{
    (void)state;
    make_with_acl("out");
    if (chown("out", 1234, 5678) < 0)
        kit_skip("only root can give a file to another");
    cannot_give = true;
    assert_int_equal(replace_with("out", 0), 0);
    assert_no_acl("out");
    assert_int_equal(mode_of("out"), 0600);
}

/* As open(2) does it in a folder with a default ACL: nobody may anything yet. */
static void inherit(int fd)
{
    unsigned char asleep[ACL_SIZE];

    memcpy(asleep, acl, ACL_SIZE);
    asleep[ACL_MASK] = 0;
    set_acl(fd, asleep);
}

/* ERROR: it cannot be; 0: it can. */
static void assert_inheritance_is_lost(int error, mode_t mode)
{
    struct replace replace;

    make("out", OLD, 0640);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    inherit(replace.fd);
    set_fault(error ? "kernel_acl_set" : NULL, 0, error);
    assert_int_equal(replace_commit(&replace), 0);
    set_fault(NULL, 0, 0);
    assert_int_equal(mode_of("out"), mode);
    assert_int_equal(kernel_acl_get("out", NULL, 0), error ? ACL_SIZE : 0);
    assert_int_equal(unlink("out"), 0);
}

static void nothing_is_inherited_by_an_old_file(void **state)
{
    (void)state;
    assert_inheritance_is_lost(0, 0640);
    assert_inheritance_is_lost(EPERM, 0600);
}

static void a_new_file_inherits(void **state)
{
    struct replace replace;

    (void)state;
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    set_acl(replace.fd, acl);
    assert_int_equal(replace_commit(&replace), 0);
    assert_acl("out");
}

static void in_place_the_acl_stays(void **state)
{
    (void)state;
    make_with_acl("out");
    assert_int_equal(replace_with("out", REPLACE_IN_PLACE), 0);
    assert_acl("out");
}

/* It cannot be known what it would have said. */
static void an_acl_that_cannot_be_read(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        make_with_acl("out");
        set_fault("kernel_acl_get", after, EIO);
        assert_int_equal(replace_with("out", 0), -1);
        assert_int_equal(errno, EIO);
        assert_int_equal(fault.count, after + 1);
        set_fault(NULL, 0, 0);
        assert_holds("out", OLD);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(unlink("out"), 0);
    }
}

/* ---- a mode that cannot be given ---- */

/* As vfat has it, which makes up one for all its files. MADE: that of the new one. */
static int replace_without_modes(mode_t old, mode_t made, int error)
{
    struct replace replace;

    make("out", OLD, old);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", 0), 0);
    write_to(replace.fd, NEW);
    assert_int_equal(fchmod(replace.fd, made), 0);
    set_fault("fchmod", 0, error);
    return replace_commit(&replace);
}

static void a_mode_that_allows_no_more_will_do(void **state)
{
    static const int errors[] = {EPERM, EOPNOTSUPP, ENOSYS};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        assert_int_equal(replace_without_modes(0664, 0644, errors[i]), 0);
        assert_int_equal(fault.count, 1);
        set_fault(NULL, 0, 0);
        assert_holds("out", NEW);
        assert_int_equal(mode_of("out"), 0644);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(unlink("out"), 0);
    }
}

static void a_mode_that_allows_more_will_not_do(void **state)
{
    static const mode_t modes[] = {0755, 0644, 0660, 04600};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_int_equal(replace_without_modes(0640, modes[i], EPERM), -1);
        assert_int_equal(errno, EPERM);
        set_fault(NULL, 0, 0);
        assert_holds("out", OLD);
        assert_int_equal(mode_of("out"), 0640);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(unlink("out"), 0);
    }
}

/* ---- in place, at the end, and not at all ---- */

static void in_place_the_file_is_the_same(void **state)
{
    ino_t old;

    (void)state;
    make("out", OLD, 0640);
    assert_int_equal(link("out", "other"), 0);
    old = inode_of("out");
    assert_int_equal(replace_with("out", REPLACE_IN_PLACE | REPLACE_SYNC), 0);
    assert_holds("other", NEW);
    assert_int_equal(inode_of("out"), old);
    assert_int_equal(mode_of("out"), 0640);
    assert_int_equal(replace_with("new", REPLACE_IN_PLACE | REPLACE_SYNC), 0);
    assert_holds("new", NEW);
    assert_int_equal(mode_of("new"), 0644);
    assert_int_equal(names_in("."), 3);
}

static void giving_up_in_place_leaves_what_was_written(void **state)
{
    struct replace replace;

    (void)state;
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", REPLACE_IN_PLACE), 0);
    assert_true(replace.is_new);
    write_to(replace.fd, NEW);
    replace_abort(&replace);
    assert_holds("out", NEW);
}

static void at_the_end(void **state)
{
    (void)state;
    make("out", OLD, 0640);
    assert_int_equal(replace_with("out", REPLACE_APPEND), 0);
    assert_holds("out", OLD NEW);
    assert_int_equal(replace_with("out", REPLACE_APPEND | REPLACE_IN_PLACE), 0);
    assert_holds("out", OLD NEW NEW);
    assert_int_equal(replace_with("new", REPLACE_APPEND), 0);
    assert_holds("new", NEW);
    assert_int_equal(names_in("."), 2);
}

static void an_old_file_is_not_clobbered(void **state)
{
    static const unsigned more[] = {0, REPLACE_IN_PLACE, REPLACE_APPEND, REPLACE_SYNC};

    (void)state;
    make("out", OLD, 0644);
    assert_int_equal(symlink("out", "link"), 0);
    for (size_t i = 0; i < COUNT(more); i++) {
        assert_refused("out", REPLACE_NO_CLOBBER | more[i], EEXIST);
        assert_refused("link", REPLACE_NO_CLOBBER | more[i], EEXIST);
        assert_int_equal(replace_with("new", REPLACE_NO_CLOBBER | more[i]), 0);
        assert_holds("new", NEW);
        assert_int_equal(unlink("new"), 0);
    }
    assert_holds("out", OLD);
    assert_int_equal(names_in("."), 2);
}

/* It comes between the look and open(2), where nobody reads it. */
static void a_fifo_that_comes_does_not_block(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("out", 0600), 0);
    set_fault("stat", 0, ENOENT);
    alarm(60);
    assert_int_equal(replace_with("out", REPLACE_IN_PLACE), -1);
    alarm(0);
    assert_int_equal(errno, ENXIO);
}

static void a_file_that_comes_is_not_clobbered_in_place(void **state)
{
    (void)state;
    make("out", OLD, 0644);
    set_fault("stat", 0, ENOENT);
    assert_int_equal(replace_with("out", REPLACE_NO_CLOBBER | REPLACE_IN_PLACE), -1);
    assert_int_equal(errno, EEXIST);
    assert_holds("out", OLD);
}

/* ERROR: link(2) cannot; 0: it can. */
static void assert_careful_at_the_end(int error)
{
    struct replace replace;

    for (int comes = 0; comes < 2; comes++) {
        replace_init(&replace);
        assert_int_equal(replace_open(&replace, "out", REPLACE_NO_CLOBBER), 0);
        write_to(replace.fd, NEW);
        if (comes)
            make("out", OLD, 0644);
        set_fault(error ? "link" : NULL, 0, error);
        assert_int_equal(replace_commit(&replace), comes ? -1 : 0);
        if (comes)
            assert_int_equal(errno, EEXIST);
        assert_holds("out", comes ? OLD : NEW);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(unlink("out"), 0);
    }
}

static void a_file_that_comes_meanwhile_is_not_clobbered(void **state)
{
    static const int errors[] = {0, EPERM, EOPNOTSUPP, ENOSYS, EMLINK};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++)
        assert_careful_at_the_end(errors[i]);
}

static void what_comes_meanwhile_and_is_no_file(void **state)
{
    struct replace replace;

    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        replace_init(&replace);
        assert_int_equal(replace_open(&replace, "out", 0), 0);
        assert_int_equal(folder ? mkdir("out", 0755) : mkfifo("out", 0600), 0);
        assert_int_equal(replace_commit(&replace), -1);
        assert_int_equal(errno, folder ? EISDIR : EEXIST);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(remove("out"), 0);
    }
}

static void a_folder_that_vanishes(void **state)
{
    struct replace replace;

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "d/out", REPLACE_NO_CLOBBER), 0);
    assert_int_equal(unlink(replace.temporary), 0);
    assert_int_equal(rmdir("d"), 0);
    write_to(replace.fd, NEW);
    assert_int_equal(replace_commit(&replace), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(names_in("."), 0);
}

/* ---- every call fails ---- */

struct fault_case {
    const char *call;
    int after;
    int error;
    unsigned flags;
};

static void assert_harmless(const struct fault_case *row, bool has_old)
{
    int descriptors = kit_descriptors(getpid());
    int result, error;

    if (has_old)
        make("out", OLD, 0640);
    set_fault(row->call, row->after, row->error);
    result = replace_with("out", row->flags);
    error = errno;
    fault.call = NULL;
    if (fault.count <= row->after)
        fail_msg("%s is not called", row->call);
    if (result == 0 || error != row->error)
        fail_msg("%s: %s, and %d with %s", row->call, strerror(row->error), result,
                 strerror(error));
    if (has_old)
        assert_holds("out", OLD);
    if (names_in(".") != has_old)
        fail_msg("%s: %s leaves something behind", row->call, strerror(row->error));
    assert_int_equal(kit_descriptors(getpid()), descriptors);
    if (has_old) {
        assert_int_equal(mode_of("out"), 0640);
        assert_int_equal(unlink("out"), 0);
    }
}

static void whatever_fails_harms_nothing(void **state)
{
    static const struct fault_case cases[] = {
        {"malloc", 0, ENOMEM, 0},
        {"readlink", 0, EACCES, 0},
        {"readlink", 0, EIO, REPLACE_IN_PLACE},
        {"stat", 0, EACCES, 0},
        {"stat", 1, EIO, 0},
        {"access", 0, EROFS, 0},
        {"open", 0, EACCES, 0},
        {"open", 0, ENOSPC, 0},
        {"open", 0, EMFILE, REPLACE_IN_PLACE},
        {"open", 0, EDQUOT, REPLACE_APPEND},
        {"open", 0, EACCES, REPLACE_SYNC},
        {"open", 1, EMFILE, REPLACE_SYNC},
        {"fstat", 0, EIO, 0},
        {"fstat", 1, EIO, 0},
        {"kernel_acl_get", 0, EIO, 0},
        {"kernel_acl_set", 0, ENOSPC, 0},
        {"fchmod", 0, EIO, 0},
        {"fchmod", 0, EROFS, 0},
        {"fsync", 0, EIO, REPLACE_SYNC},
        {"fsync", 0, ENOSPC, REPLACE_SYNC},
        {"close", 0, EDQUOT, 0},
        {"close", 0, EIO, REPLACE_SYNC},
        {"close", 0, EINTR, 0},
        {"rename", 0, EPERM, 0},
        {"rename", 0, EBUSY, REPLACE_SYNC},
        {"rename", 0, ENOSPC, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_harmless(&cases[i], true);
}

static void whatever_fails_leaves_no_new_file(void **state)
{
    static const struct fault_case cases[] = {
        {"open", 0, EROFS, REPLACE_NO_CLOBBER},
        {"open", 0, EMFILE, REPLACE_SYNC | REPLACE_IN_PLACE},
        {"link", 0, EIO, REPLACE_NO_CLOBBER},
        {"link", 0, ENOSPC, REPLACE_NO_CLOBBER | REPLACE_SYNC},
        {"close", 0, EDQUOT, REPLACE_NO_CLOBBER},
        {"fsync", 0, EIO, REPLACE_NO_CLOBBER | REPLACE_SYNC},
        {"rename", 0, ENOSPC, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_harmless(&cases[i], false);
}

static void an_owner_that_cannot_be_given_for_another_reason(void **state)
{
    struct stat status;

    (void)state;
    make("out", OLD, 0644);
    if (chown("out", 1234, 5678) < 0)
        kit_skip("only root can give a file to another");
    set_fault("fchown", 0, EIO);
    assert_int_equal(replace_with("out", 0), -1);
    assert_int_equal(errno, EIO);
    assert_holds("out", OLD);
    assert_int_equal(stat("out", &status), 0);
    assert_int_equal(status.st_uid, 1234);
    assert_int_equal(names_in("."), 1);
}

static void an_interrupted_call_is_made_again(void **state)
{
    static const struct fault_case cases[] = {
        {"open", 0, EINTR, 0},
        {"open", 0, EINTR, REPLACE_IN_PLACE},
        {"open", 1, EINTR, REPLACE_SYNC},
        {"fchmod", 0, EINTR, 0},
        {"fsync", 0, EINTR, REPLACE_SYNC},
        {"fsync", 1, EINTR, REPLACE_SYNC},
        {"fsync", 1, EINVAL, REPLACE_SYNC}, /* a file system that syncs no folders */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        make("out", OLD, 0640);
        set_fault(cases[i].call, cases[i].after, cases[i].error);
        if (replace_with("out", cases[i].flags) < 0)
            fail_msg("%s: %s", cases[i].call, strerror(errno));
        assert_true(fault.count > cases[i].after);
        fault.call = NULL;
        assert_holds("out", NEW);
        assert_int_equal(names_in("."), 1);
        assert_int_equal(unlink("out"), 0);
    }
}

/* Who waits for descriptors can be started later; who has copied all cannot. */
static void no_descriptor_is_needed_at_the_end(void **state)
{
    static const unsigned more[] = {0, REPLACE_NO_CLOBBER, REPLACE_IN_PLACE, REPLACE_APPEND};
    int descriptors = kit_descriptors(getpid());
    struct replace replace;

    (void)state;
    for (size_t i = 0; i < COUNT(more); i++) {
        replace_init(&replace);
        assert_int_equal(replace_open(&replace, "out", REPLACE_SYNC | more[i]), 0);
        write_to(replace.fd, NEW);
        set_fault("open", 0, EMFILE);
        assert_int_equal(replace_commit(&replace), 0);
        assert_int_equal(fault.count, 0);
        set_fault(NULL, 0, 0);
        assert_holds("out", NEW);
        assert_int_equal(kit_descriptors(getpid()), descriptors);
        assert_int_equal(unlink("out"), 0);
    }
}

/* Only a new name needs the folder, which may be one that nobody may read. */
static void a_file_of_old_needs_no_folder(void **state)
{
    struct replace replace;

    (void)state;
    make("out", OLD, 0640);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", REPLACE_SYNC | REPLACE_IN_PLACE), 0);
    assert_int_equal(replace.folder, -1);
    replace_abort(&replace);
    replace_init(&replace);
    assert_int_equal(replace_open(&replace, "out", REPLACE_SYNC), 0);
    assert_true(replace.folder >= 0);
    replace_abort(&replace);
    assert_int_equal(replace.folder, -1);
}

/* Too late to be undone: the file is there, whole, and the error is told. */
static void a_folder_that_cannot_be_synced(void **state)
{
    (void)state;
    make("out", OLD, 0640);
    set_fault("fsync", 1, EIO);
    assert_int_equal(replace_with("out", REPLACE_SYNC), -1);
    assert_int_equal(errno, EIO);
    assert_holds("out", NEW);
    assert_int_equal(names_in("."), 1);
}

static void a_temporary_name_that_cannot_be_removed(void **state)
{
    (void)state;
    set_fault("unlink", 0, EIO);
    assert_int_equal(replace_with("out", REPLACE_NO_CLOBBER), -1);
    assert_int_equal(errno, EIO);
    assert_holds("out", NEW);
    assert_int_equal(names_in("."), 1); /* it is tried again */
}

/* A look at the file that fails must not make it one without a name, to be truncated. */
static void a_link_that_cannot_be_looked_behind(void **state)
{
    (void)state;
    make("out", OLD, 0640);
    assert_int_equal(symlink("out", "link"), 0);
    for (int after = 0; after < 3; after++) {
        set_fault("stat", after, EIO);
        (void)replace_with("link", after < 2 ? REPLACE_NO_CLOBBER : 0);
        assert_holds("out", OLD);
        assert_int_equal(names_in("."), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_has_its_name_when_it_is_complete, begin, end),
        cmocka_unit_test_setup_teardown(an_old_file_stands_until_then, begin, end),
        cmocka_unit_test_setup_teardown(giving_up_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(two_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_temporary_name_that_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_names, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_names_of_wide_characters, begin, end),
        cmocka_unit_test_setup_teardown(a_file_system_of_short_names, begin, end),
        cmocka_unit_test_setup_teardown(a_name_with_dots, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_file, begin, end),
        cmocka_unit_test_setup_teardown(behind_links_the_file_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(a_dangling_link_gets_its_file, begin, end),
        cmocka_unit_test_setup_teardown(a_loop_of_links, begin, end),
        cmocka_unit_test_setup_teardown(names_that_are_resolved, begin, end),
        cmocka_unit_test_setup_teardown(a_file_without_a_name, begin, end),
        cmocka_unit_test_setup_teardown(the_umask_counts_for_a_new_file, begin, end),
        cmocka_unit_test_setup_teardown(the_mode_of_an_old_file_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(the_owner_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(another_owner_loses_its_bits, begin, end),
        cmocka_unit_test_setup_teardown(another_group_may_no_more_than_others, begin, end),
        cmocka_unit_test_setup_teardown(a_name_of_another_in_a_sticky_folder, begin, end),
        cmocka_unit_test_setup_teardown(who_may_in_a_sticky_folder, begin, end),
        cmocka_unit_test_setup_teardown(a_name_that_is_mounted_or_fixed, begin, end),
        cmocka_unit_test_setup_teardown(the_acl_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(the_acl_and_the_owner_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(an_acl_that_cannot_be_given, begin, end),
        cmocka_unit_test_setup_teardown(the_acl_of_a_group_that_cannot_be_given, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_inherited_by_an_old_file, begin, end),
        cmocka_unit_test_setup_teardown(a_new_file_inherits, begin, end),
        cmocka_unit_test_setup_teardown(in_place_the_acl_stays, begin, end),
        cmocka_unit_test_setup_teardown(an_acl_that_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(a_mode_that_allows_no_more_will_do, begin, end),
        cmocka_unit_test_setup_teardown(a_mode_that_allows_more_will_not_do, begin, end),
        cmocka_unit_test_setup_teardown(in_place_the_file_is_the_same, begin, end),
        cmocka_unit_test_setup_teardown(giving_up_in_place_leaves_what_was_written, begin, end),
        cmocka_unit_test_setup_teardown(at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(an_old_file_is_not_clobbered, begin, end),
        cmocka_unit_test_setup_teardown(a_fifo_that_comes_does_not_block, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_comes_is_not_clobbered_in_place, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_comes_meanwhile_is_not_clobbered, begin, end),
        cmocka_unit_test_setup_teardown(what_comes_meanwhile_and_is_no_file, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_vanishes, begin, end),
        cmocka_unit_test_setup_teardown(whatever_fails_harms_nothing, begin, end),
        cmocka_unit_test_setup_teardown(whatever_fails_leaves_no_new_file, begin, end),
        cmocka_unit_test_setup_teardown(an_owner_that_cannot_be_given_for_another_reason, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_interrupted_call_is_made_again, begin, end),
        cmocka_unit_test_setup_teardown(no_descriptor_is_needed_at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_old_needs_no_folder, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_synced, begin, end),
        cmocka_unit_test_setup_teardown(a_temporary_name_that_cannot_be_removed, begin, end),
        cmocka_unit_test_setup_teardown(a_link_that_cannot_be_looked_behind, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
