/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever pollcopy is asked to do and whatever fails, no file is lost: a source is never written,
 * an old destination stands until the new one is complete, and nothing half done is left behind.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OLD          "what was there before\n"

/* The exit status, as the manual page has it. */
enum { USAGE = 2, SOURCE = 4, DEST = 8, INTERRUPTED = 32 };

enum { BIG = 300000, WORDS = 8 };

/* ---- what the tests have in common ---- */

static char before[PATH_MAX];
static unsigned char content[BIG];

static void write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* In a folder with big, the source, and out, an old file. */
static int begin(void **state)
{
    (void)state;
    umask(022);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(kit_folder()), 0);
    assert_int_equal(chmod(".", 0755), 0);
    for (size_t i = 0; i < BIG; i++)
        content[i] = (unsigned char)(i * 31 + i / 251);
    write_file("big", content, BIG, 0644);
    write_file("out", OLD, strlen(OLD), 0640);
    return 0;
}

/* Who is not root cannot empty a folder that may not be written. */
static int end(void **state)
{
    (void)!chmod("d", 0755);
    if (chdir(before) < 0)
        return -1;
    return kit_cleanup(state);
}

static void assert_file(const char *path, const void *bytes, size_t n)
{
    unsigned char *found = malloc(n + 1);
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(read(fd, found, n + 1), n);
    assert_memory_equal(found, bytes, n);
    close(fd);
    free(found);
}

static void assert_big(const char *path)
{
    assert_file(path, content, BIG);
}

static void assert_old(const char *path)
{
    assert_file(path, OLD, strlen(OLD));
}

/* How many names are in PATH: temporary ones would be. */
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

static struct stat status_of(const char *path)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return status;
}

static mode_t mode_of(const char *path)
{
    return status_of(path).st_mode & 07777;
}

/* Starts pollcopy --quiet with WORDS, separated by single spaces. */
static struct kit_process *start(const char *words)
{
    char copy[256];
    const char *argv[WORDS + 3] = {"pollcopy", "--quiet"};
    size_t count = 2;

    assert_true(strlen(words) < sizeof copy);
    strcpy(copy, words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < COUNT(argv) - 1);
        argv[count++] = word;
    }
    return kit_start(argv);
}

/* Runs it to its end: PROBLEM is in the one line on standard error; NULL: there is none. */
static void assert_ends(struct kit_process *process, int status, const char *problem)
{
    const char *newline;
    int ended = kit_end(process);
    const char *said = kit_stderr(process);

    if (ended != status)
        fail_msg("status %d, not %d: %s", ended, status, said);
    if (!problem) {
        assert_string_equal(said, "");
        return;
    }
    newline = strchr(said, '\n');
    if (!newline || newline[1] != '\0' || strncmp(said, "pollcopy: ", 10) != 0 ||
        !strstr(said, problem))
        fail_msg("is to tell of \"%s\": %s", problem, said);
}

static void assert_run(const char *words, int status, const char *problem)
{
    assert_ends(start(words), status, problem);
}

/* Runs a SCRIPT of the shell, in which $0 is pollcopy. */
static struct kit_process *shell(const char *script)
{
    return kit_run("sh", "-c", script, kit_program("pollcopy"), NULL);
}

/* ---- source and destination are the same ---- */

static void what_is_read_is_not_written(void **state)
{
    static const char *const cases[] = {
        "big big",
        "big ./big",
        "big d/../big",
        "big hard",
        "hard big",
        "d/chain big",
        "out new big soft new2 new3",
        "--in-place big hard",
        "--append big soft",
        "--fsync big big",
        "--fan big new soft",
        "--merge hard out big",
        "fifo fifo",
    };

    (void)state;
    assert_int_equal(link("big", "hard"), 0);
    assert_int_equal(symlink("big", "soft"), 0);
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("../soft", "d/chain"), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_run(cases[i], USAGE, "are the same");
        assert_big("big");
        assert_old("out");
        assert_int_equal(names_in("."), 6);
    }
}

static void no_destination_is_written_twice(void **state)
{
    static const char *const cases[] = {
        "big out big out",        "big out big ./out",          "big new big out big new",
        "big new big d/../new",   "big dangling big new",       "--fan big out out",
        "--fan big new dangling", "--append big out big ./out", "--fan big fifo fifo",
    };

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("new", "dangling"), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_run(cases[i], USAGE, "each destination can be given once");
        assert_big("big");
        assert_old("out");
        assert_int_equal(names_in("."), 5);
    }
}

/* The shell opens them: cat f >> f. */
static void standard_input_and_output_are_the_same_file(void **state)
{
    static const char *const scripts[] = {
        "exec \"$0\" - - <big >>big",
        "exec \"$0\" - - <big 1<>big",
        "exec \"$0\" big - >>big",
        "exec \"$0\" - big <big",
        "exec \"$0\" big - 1<>soft",
        "exec \"$0\" - soft <big",
        "exec \"$0\" fd:3 big 3<big",
        "exec \"$0\" big fd:3 3>>big",
        "exec \"$0\" fd:3 fd:4 3<big 4>>soft",
    };

    (void)state;
    assert_int_equal(symlink("big", "soft"), 0);
    for (size_t i = 0; i < COUNT(scripts); i++) {
        assert_ends(shell(scripts[i]), USAGE, "are the same file");
        assert_big("big");
        assert_int_equal(names_in("."), 3);
    }
}

static void a_source_that_is_not_there_leaves_no_destination(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_run("none out", SOURCE, "none: No such file or directory");
    assert_run("none new", SOURCE, "none: No such file or directory");
    assert_run("--in-place none out", SOURCE, "none: No such file or directory");
    assert_run("d out", SOURCE, "d: Is a directory");
    assert_old("out");
    assert_int_equal(names_in("."), 3);
}

/* ---- there is no room ---- */

/* Runs SCRIPT with a file system of 1 MiB at m, which holds the old file m/out. */
static struct kit_process *in_little_room(const char *script)
{
    char text[1024];

    snprintf(text, sizeof text,
             "mount -t tmpfs -o size=1m none m || exit 99\n"
             "cp out m/out\n"
             "%s\n"
             "echo \"status $?\"; ls -A m; cat m/out",
             script);
    return kit_run("unshare", "-rm", "sh", "-c", text, kit_program("pollcopy"), NULL);
}

static void write_too_much(void)
{
    int fd = open("more", O_WRONLY | O_CREAT | O_EXCL, 0644);

    assert_true(fd >= 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(write(fd, content, BIG), BIG);
    close(fd);
}

static bool can_mount(void)
{
    return kit_has("unshare") &&
           kit_end(kit_run("unshare", "-rm", "mount", "-t", "tmpfs", "none", "m", NULL)) == 0;
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    static const char *const scripts[] = {
        "\"$0\" -q more m/out",
        "\"$0\" -q more m/new",
        "\"$0\" -q --fsync more m/out",
        "cat more | \"$0\" -q - m/out",
        "\"$0\" -q --fan more m/out m/new",
    };
    static const char left[] = "status 8\nout\n" OLD;

    (void)state;
    assert_int_equal(mkdir("m", 0755), 0);
    if (!can_mount())
        kit_skip("no file system can be mounted here");
    write_too_much();
    for (size_t i = 0; i < COUNT(scripts); i++) {
        struct kit_process *process = in_little_room(scripts[i]);
        size_t length;

        assert_int_equal(kit_end(process), 0);
        assert_string_equal(kit_stdout(process, &length), left);
        assert_non_null(strstr(kit_stderr(process), "No space left on device"));
    }
}

/* The others go on. */
static void a_full_disk_stops_no_other(void **state)
{
    struct kit_process *process;
    size_t length;

    (void)state;
    assert_int_equal(mkdir("m", 0755), 0);
    if (!can_mount())
        kit_skip("no file system can be mounted here");
    write_too_much();
    process = in_little_room("\"$0\" -q more m/out big out");
    assert_int_equal(kit_end(process), 0);
    assert_string_equal(kit_stdout(process, &length), "status 8\nout\n" OLD);
    assert_big("out");
}

static void a_file_that_may_not_grow_so_large(void **state)
{
    static const char *const scripts[] = {
        "ulimit -f 8; exec \"$0\" -q big out",
        "ulimit -f 8; exec \"$0\" -q big new",
        "cat big | (ulimit -f 8; exec \"$0\" -q - out)",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        assert_ends(shell(scripts[i]), DEST, "File too large");
        assert_old("out");
        assert_int_equal(names_in("."), 2);
    }
}

/* ---- who may not ---- */

/* SCRIPT as a user who is not root. */
static struct kit_process *as_nobody(const char *script)
{
    if (geteuid() != 0)
        return shell(script);
    return kit_run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
                   script, kit_program("pollcopy"), NULL);
}

static bool can_be_nobody(void)
{
    return (geteuid() != 0 || kit_has("setpriv")) &&
           kit_end(as_nobody("exec \"$0\" --version")) == 0;
}

static void a_folder_that_may_not_be_written(void **state)
{
    (void)state;
    if (!can_be_nobody())
        kit_skip("the program cannot be run as another user");
    assert_int_equal(mkdir("d", 0755), 0);
    write_file("d/out", OLD, strlen(OLD), 0666);
    assert_int_equal(chmod("d", 0555), 0);
    assert_ends(as_nobody("exec \"$0\" -q big d/out"), DEST, "d/out: ");
    assert_ends(as_nobody("exec \"$0\" -q big d/new"), DEST, "d/new: Permission denied");
    assert_old("d/out");
    assert_ends(as_nobody("exec \"$0\" -q --in-place big d/out"), 0, NULL);
    assert_big("d/out");
    assert_int_equal(names_in("d"), 1);
}

/* Its folder would let it be replaced. */
static void a_file_that_may_not_be_written(void **state)
{
    (void)state;
    if (!can_be_nobody())
        kit_skip("the program cannot be run as another user");
    assert_int_equal(mkdir("d", 0755), 0);
    write_file("d/out", OLD, strlen(OLD), 0444);
    assert_int_equal(chmod("d", 0777), 0);
    assert_ends(as_nobody("exec \"$0\" -q big d/out"), DEST, "d/out: Permission denied");
    assert_ends(as_nobody("exec \"$0\" -q --in-place big d/out"), DEST, "Permission denied");
    assert_ends(as_nobody("exec \"$0\" -q --append big d/out"), DEST, "Permission denied");
    assert_old("d/out");
    assert_int_equal(names_in("d"), 1);
}

/* These three would be noticed in the end, when rename(2) fails: they are told at the beginning,
 * and what can be done. */
static const char no_name[] = ": no new file can take its name; the file itself can be written";

static void a_name_of_another_in_a_sticky_folder(void **state)
{
    (void)state;
    if (geteuid() != 0 || !can_be_nobody())
        kit_skip("only root can set this up");
    assert_int_equal(mkdir("d", 0755), 0);
    write_file("d/out", OLD, strlen(OLD), 0666);
    assert_int_equal(chmod("d", 01777), 0);
    assert_ends(as_nobody("exec \"$0\" -q big d/out"), DEST, no_name);
    assert_old("d/out");
    assert_int_equal(names_in("d"), 1);
    assert_ends(as_nobody("exec \"$0\" -q --append big d/new"), 0, NULL);
    assert_big("d/new");
}

/* As /etc/hosts in many a container. */
static void a_file_that_is_mounted(void **state)
{
    static const char script[] = "mount --bind real out || exit 99\n"
                                 "\"$0\" -q big out; echo $?; cat out\n"
                                 "\"$0\" -q --in-place big out; echo $?";
    struct kit_process *process;
    size_t length;

    (void)state;
    write_file("real", OLD, strlen(OLD), 0644);
    if (!kit_has("unshare"))
        kit_skip("there is no unshare(1)");
    process = kit_run("unshare", "-rm", "sh", "-c", script, kit_program("pollcopy"), NULL);
    if (kit_end(process) == 99 || *kit_stdout(process, &length) == '\0')
        kit_skip("no file can be mounted here");
    assert_string_equal(kit_stdout(process, &length), "8\n" OLD "0\n");
    assert_non_null(strstr(kit_stderr(process), no_name));
    assert_big("real");
    assert_old("out");
    assert_int_equal(names_in("."), 3);
}

static void a_file_that_can_only_grow(void **state)
{
    static const char script[] =
        "chattr +a out || exit 99\n"
        "\"$0\" -q big out; echo $?; \"$0\" -q --append out2 out; echo $?\n"
        "chattr -a out";
    struct kit_process *process;
    size_t length;

    (void)state;
    if (!kit_has("chattr"))
        kit_skip("there is no chattr(1)");
    write_file("out2", OLD, strlen(OLD), 0644);
    process = shell(script);
    if (kit_end(process) == 99)
        kit_skip("no file can be made one here");
    assert_string_equal(kit_stdout(process, &length), "8\n0\n");
    assert_non_null(strstr(kit_stderr(process), no_name));
    assert_file("out", OLD OLD, 2 * strlen(OLD));
    assert_int_equal(names_in("."), 3);
}

/* Another's file is replaced by one of ours, which is no set-user-ID program any longer. */
static void a_file_of_another_owner(void **state)
{
    (void)state;
    if (geteuid() != 0 || !can_be_nobody())
        kit_skip("only root can set this up");
    assert_int_equal(mkdir("d", 0755), 0);
    write_file("d/out", OLD, strlen(OLD), 06777);
    assert_int_equal(chmod("d", 0777), 0);
    assert_ends(as_nobody("exec \"$0\" -q big d/out"), 0, NULL);
    assert_big("d/out");
    assert_int_equal(status_of("d/out").st_uid, 65534);
    assert_int_equal(mode_of("d/out"), 0777);
}

static void a_disk_that_is_read_only(void **state)
{
    static const char script[] = "mount --bind d d && mount -o remount,ro,bind d || exit 99\n"
                                 "\"$0\" -q big d/out; echo $?; \"$0\" -q big d/new; echo $?";
    struct kit_process *process;
    size_t length;

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    write_file("d/out", OLD, strlen(OLD), 0644);
    if (!kit_has("unshare"))
        kit_skip("there is no unshare(1)");
    process = kit_run("unshare", "-rm", "sh", "-c", script, kit_program("pollcopy"), NULL);
    if (kit_end(process) == 99 || *kit_stdout(process, &length) == '\0')
        kit_skip("no file system can be mounted here");
    assert_string_equal(kit_stdout(process, &length), "8\n8\n");
    assert_non_null(strstr(kit_stderr(process), "d/out: Read-only file system"));
    assert_old("d/out");
    assert_int_equal(names_in("d"), 1);
}

/* ---- it is ended ---- */

/* Starts it, and waits until the destination is open. */
static struct kit_process *start_and_open(const char *words)
{
    struct kit_process *process = start(words);

    kit_await_stderr(process, "\"opened\"");
    return process;
}

static void a_signal_leaves_the_old_file(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < COUNT(signals); i++) {
        struct kit_process *process = start_and_open("--json - out");

        kit_type(process, "the first half");
        assert_int_equal(names_in("."), 3);
        kit_signal(process, signals[i]);
        assert_int_equal(kit_end(process), INTERRUPTED);
        assert_old("out");
        assert_int_equal(names_in("."), 2);
    }
}

static void a_signal_while_a_file_is_read(void **state)
{
    struct kit_process *process;

    (void)state;
    process = start_and_open("--json --limit=1000 big out big new");
    kit_signal(process, SIGTERM);
    assert_int_equal(kit_end(process), INTERRUPTED);
    assert_old("out");
    assert_int_equal(names_in("."), 2);
}

/* As timeout(1) sends it, to the process and to its group: the second may come at any moment of the
 * end. Where it comes half a second later it is meant, and shows nothing here. */
static void a_signal_that_comes_twice(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct kit_process *process = start_and_open("--json --limit=1000 big out");
        int64_t begun = clock_now();
        int status;

        kit_signal(process, SIGTERM);
        kit_await_stderr(process, "\"ended\"");
        kit_signal(process, SIGTERM);
        status = kit_end(process);
        if (clock_now() - begun < CLOCK_SECOND / 2)
            assert_int_equal(status, INTERRUPTED);
        assert_int_equal(names_in("."), 2);
    }
}

/* Nothing can take the temporary file away then. */
static void even_sigkill_leaves_the_old_file(void **state)
{
    struct kit_process *process;

    (void)state;
    if (getenv("TEST_WRAPPER"))
        kit_skip("it is the wrapper that would be killed");
    process = start_and_open("--json - out");
    kit_type(process, "the first half");
    kit_signal(process, SIGKILL);
    assert_int_equal(kit_end(process), 128 + SIGKILL);
    assert_old("out");
}

/* ---- what is asked for ---- */

static void a_new_file(void **state)
{
    (void)state;
    assert_run("big new", 0, NULL);
    assert_big("new");
    assert_int_equal(mode_of("new"), 0644);
    assert_int_equal(names_in("."), 3);
}

static void the_mode_is_kept(void **state)
{
    static const mode_t modes[] = {0751, 04755};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        write_file("out", OLD, strlen(OLD), modes[i]);
        assert_run("big out", 0, NULL);
        assert_big("out");
        assert_int_equal(mode_of("out"), modes[i]);
    }
    assert_int_equal(names_in("."), 2);
}

static void links_are_kept(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(symlink("../out", "d/soft"), 0);
    assert_int_equal(symlink("../new", "d/dangling"), 0);
    assert_run("big d/soft big d/dangling", 0, NULL);
    assert_big("out");
    assert_big("new");
    assert_true(S_ISLNK(status_of("d/soft").st_mode));
    assert_true(S_ISLNK(status_of("d/dangling").st_mode));
    assert_int_equal(names_in("."), 4);
    assert_int_equal(names_in("d"), 2);
}

/* The name gets another file; who has the old one, by another name or open, keeps that. */
static void the_old_file_is_replaced(void **state)
{
    char bytes[sizeof OLD] = "";
    int fd = open("out", O_RDONLY);

    (void)state;
    assert_int_equal(link("out", "hard"), 0);
    assert_run("big out", 0, NULL);
    assert_big("out");
    assert_old("hard");
    assert_int_equal(read(fd, bytes, sizeof bytes), strlen(OLD));
    close(fd);
}

static void in_place(void **state)
{
    ino_t inode = status_of("out").st_ino;

    (void)state;
    assert_int_equal(link("out", "hard"), 0);
    assert_run("--in-place big out", 0, NULL);
    assert_big("hard");
    assert_int_equal(status_of("out").st_ino, inode);
    assert_int_equal(mode_of("out"), 0640);
    assert_run("--in-place big new", 0, NULL);
    assert_big("new");
    write_file("small", OLD, strlen(OLD), 0644);
    assert_run("--in-place small out", 0, NULL);
    assert_old("hard");
}

static void at_the_end(void **state)
{
    (void)state;
    write_file("small", OLD, strlen(OLD), 0644);
    assert_run("--append small out small new", 0, NULL);
    assert_file("out", OLD OLD, 2 * strlen(OLD));
    assert_old("new");
    assert_int_equal(mode_of("out"), 0640);
    assert_int_equal(names_in("."), 4);
}

static void nothing_is_clobbered(void **state)
{
    (void)state;
    assert_int_equal(symlink("out", "soft"), 0);
    assert_run("--no-clobber big out", DEST, "out: File exists");
    assert_run("--no-clobber big soft", DEST, "soft: File exists");
    assert_run("--no-clobber --in-place big out", DEST, "out: File exists");
    assert_run("--no-clobber big new big out", DEST, "out: File exists");
    assert_old("out");
    assert_big("new");
    assert_int_equal(names_in("."), 4);
}

static void nothing_that_comes_meanwhile_is_clobbered(void **state)
{
    struct kit_process *process;

    (void)state;
    process = start_and_open("--json --no-clobber - new");
    kit_type(process, "ours");
    write_file("new", OLD, strlen(OLD), 0644);
    kit_type_end(process);
    assert_int_equal(kit_end(process), DEST);
    assert_old("new");
    assert_int_equal(names_in("."), 3);
}

static void on_the_disk(void **state)
{
    (void)state;
    assert_run("--fsync big out big new", 0, NULL);
    assert_run("--fsync --in-place big out", 0, NULL);
    assert_big("out");
    assert_big("new");
    assert_int_equal(names_in("."), 3);
}

/* A name so long that a temporary one must be shorter. */
static void the_longest_name(void **state)
{
    char name[NAME_MAX + 1];

    (void)state;
    memset(name, 'x', NAME_MAX);
    name[NAME_MAX] = '\0';
    assert_ends(kit_run("pollcopy", "--quiet", "out", name, NULL), 0, NULL);
    assert_old(name);
    assert_int_equal(names_in("."), 3);
}

/* A rename would put a file in the place of the device. Never try that with the system's own. */
static void a_device_stays_one(void **state)
{
    (void)state;
    if (mknod("null", S_IFCHR | 0666, status_of("/dev/null").st_rdev) < 0)
        kit_skip("only root can make device files");
    assert_run("big null", 0, NULL);
    assert_true(S_ISCHR(status_of("null").st_mode));
    assert_int_equal(names_in("."), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_read_is_not_written, begin, end),
        cmocka_unit_test_setup_teardown(no_destination_is_written_twice, begin, end),
        cmocka_unit_test_setup_teardown(standard_input_and_output_are_the_same_file, begin, end),
        cmocka_unit_test_setup_teardown(a_source_that_is_not_there_leaves_no_destination, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_the_old_file, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_stops_no_other, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_may_not_grow_so_large, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_may_not_be_written, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_may_not_be_written, begin, end),
        cmocka_unit_test_setup_teardown(a_file_of_another_owner, begin, end),
        cmocka_unit_test_setup_teardown(a_name_of_another_in_a_sticky_folder, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_is_mounted, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_can_only_grow, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_is_read_only, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_leaves_the_old_file, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_while_a_file_is_read, begin, end),
        cmocka_unit_test_setup_teardown(a_signal_that_comes_twice, begin, end),
        cmocka_unit_test_setup_teardown(even_sigkill_leaves_the_old_file, begin, end),
        cmocka_unit_test_setup_teardown(a_new_file, begin, end),
        cmocka_unit_test_setup_teardown(the_mode_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(links_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(the_old_file_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(in_place, begin, end),
        cmocka_unit_test_setup_teardown(at_the_end, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_clobbered, begin, end),
        cmocka_unit_test_setup_teardown(nothing_that_comes_meanwhile_is_clobbered, begin, end),
        cmocka_unit_test_setup_teardown(on_the_disk, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_name, begin, end),
        cmocka_unit_test_setup_teardown(a_device_stays_one, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
