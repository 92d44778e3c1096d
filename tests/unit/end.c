/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends: what each kind of place becomes, what is said when it becomes nothing, what a peer sees of
 * the end, and that what is shared with others is left to them as it was.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined __APPLE__ || defined __OpenBSD__ || defined __NetBSD__
#include <util.h>
#elif defined __FreeBSD__
#include <libutil.h>
#else
#include <pty.h>
#endif

#include "copy/end.h"
#include "copy/kernel.h"
#include "kit/kit.h"
#include "unit/turns.h"

enum { MANY = 3 * 1024 * 1024, PIPE = 1024 * 1024 };

/* ---- a system that does what ours cannot be made to do ---- */

static struct {
    void (*before_open)(void);
    mode_t kind;     /* what a regular file is said to be */
    int close_error; /* of the next close */
    int syncs;       /* calls of fsync */
    int binds;       /* calls of bind until the one that fails ... */
    int bind_error;  /* ... with this */
} fake;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);
int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    void (*before)(void) = fake.before_open;

    fake.before_open = NULL;
    if (before)
        before();
    return __real_open(path, flags, mode);
}

static int disguise(int result, struct stat *status)
{
    if (result == 0 && fake.kind && S_ISREG(status->st_mode)) {
        status->st_mode = (status->st_mode & 07777) | fake.kind;
        status->st_size = 0;
    }
    return result;
}

int __wrap_stat(const char *path, struct stat *status)
{
    return disguise(__real_stat(path, status), status);
}

int __wrap_fstat(int fd, struct stat *status)
{
    return disguise(__real_fstat(fd, status), status);
}

int __wrap_close(int fd)
{
    int error = fake.close_error;
    int result = __real_close(fd);

    fake.close_error = 0;
    if (error == 0 || result < 0)
        return result;
    errno = error;
    return -1;
}

int __wrap_fsync(int fd)
{
    fake.syncs++;
    return __real_fsync(fd);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    if (fake.binds == 0 || --fake.binds > 0)
        return __real_bind(fd, address, length);
    errno = fake.bind_error;
    return -1;
}

/* ---- an end, and what it told ---- */

struct opening {
    struct loop *loop;
    struct end end;
    struct place place;
    char text[600];
    int descriptors; /* that were open before */
    int told;
    int finished;
    int error;
    char why[sizeof((struct end *)0)->why];
};

static void on_open(void *owner, int error, const char *why)
{
    struct opening *opening = owner;

    opening->told++;
    opening->error = error;
    assert_int_equal(why != NULL, error != 0);
    snprintf(opening->why, sizeof opening->why, "%s", why ? why : "");
    if (error) {
        assert_int_equal(opening->end.kind, END_NONE);
        assert_int_equal(opening->end.fd, -1);
    }
}

static void begin(struct opening *opening, bool is_source)
{
    *opening = (struct opening){.descriptors = kit_descriptors(getpid())};
    opening->loop = turns_new(NULL);
    end_init(&opening->end, opening->loop, is_source, on_open, opening);
}

/* Closes, and looks whether everything is. */
static void finish(struct opening *opening)
{
    end_close(&opening->end, -1);
    end_close(&opening->end, -1); /* the second does nothing */
    assert_int_equal(opening->end.kind, END_NONE);
    loop_free(opening->loop);
    if (opening->descriptors > 0)
        assert_int_equal(kit_descriptors(getpid()), opening->descriptors);
}

static const char *describe(const struct opening *opening)
{
    static char text[300];

    end_describe(&opening->end, text, sizeof text);
    return text;
}

static void start(struct opening *opening, const char *text, unsigned flags)
{
    const char *why = "";

    snprintf(opening->text, sizeof opening->text, "%s", text);
    if (place_parse(&opening->place, opening->text, opening->end.is_source, &why) < 0)
        fail_msg("%s: %s", text, why);
    opening->told = 0;
    end_open(&opening->end, &opening->place, flags);
    assert_int_equal(opening->told, 0);
}

static void await(struct opening *opening)
{
    turns_until(opening->loop, opening->told > 0);
    assert_int_equal(opening->told, 1);
    if (opening->error == 0)
        assert_true(opening->end.fd >= 0);
}

static void open_well(struct opening *opening, const char *text, unsigned flags)
{
    start(opening, text, flags);
    await(opening);
    if (opening->error)
        fail_msg("%s: %s", text, opening->why);
}

static void open_in_vain(struct opening *opening, const char *text, unsigned flags, int error,
                         const char *why)
{
    start(opening, text, flags);
    await(opening);
    assert_int_equal(opening->error, error);
    if (!strstr(opening->why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, opening->why);
    assert_string_equal(describe(opening), ""); /* nothing is waited for */
}

static void open_fd(struct opening *opening, int fd)
{
    char text[32];

    snprintf(text, sizeof text, "fd:%d", fd);
    open_well(opening, text, 0);
}

/* ---- files to work with ---- */

static const char *folder;

static const char *name(const char *file)
{
    static char paths[4][600];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, file);
    return path;
}

static const char *make_file(const char *file, const char *content)
{
    const char *path = name(file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(close(fd), 0);
    return path;
}

static const char *make_fifo(const char *file)
{
    const char *path = name(file);

    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

static void assert_holds(const char *file, const char *content)
{
    char bytes[100] = "";
    int fd = open(name(file), O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof bytes - 1) >= 0);
    assert_string_equal(bytes, content);
    close(fd);
}

static void put(int fd, const char *bytes)
{
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
}

static void assert_is_shared_as_it_was(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    assert_false(flags & O_NONBLOCK);
}

static void assert_is_our_own(const struct end *end)
{
    assert_true(fcntl(end->fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(end->fd, F_GETFD) & FD_CLOEXEC);
    assert_true(end->is_ours);
}

/* ---- files ---- */

static void a_file_is_read(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, true);
    open_well(&opening, make_file("a", "hello"), 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.start, 0);
    assert_int_equal(opening.end.size, 5);
    assert_is_our_own(&opening.end);
    finish(&opening);
}

static void of_a_file_of_proc_the_size_is_not_known(void **state)
{
    struct opening opening;

    (void)state;
    if (access("/proc/version", R_OK) < 0)
        kit_skip("there is no /proc/version");
    begin(&opening, true);
    open_well(&opening, "/proc/version", 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.size, -1);
    finish(&opening);
}

static void what_is_no_source(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, true);
    open_in_vain(&opening, name("none"), 0, ENOENT, strerror(ENOENT));
    open_in_vain(&opening, folder, 0, EISDIR, strerror(EISDIR));
    open_in_vain(&opening, name("none/a"), 0, ENOENT, strerror(ENOENT));
    make_file("a", "");
    open_in_vain(&opening, name("a/b"), 0, ENOTDIR, strerror(ENOTDIR));
    finish(&opening);
}

static void what_is_no_destination(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, false);
    open_in_vain(&opening, folder, 0, EISDIR, "Is a directory: write DIR/NAME");
    open_in_vain(&opening, name("none/a"), 0, ENOENT, strerror(ENOENT));
    make_file("a", "old");
    open_in_vain(&opening, name("a"), REPLACE_NO_CLOBBER, EEXIST, strerror(EEXIST));
    assert_holds("a", "old");
    finish(&opening);
}

/* Root can write everywhere, but not as somebody else. */
static void a_folder_that_cannot_be_written(void **state)
{
    struct opening opening;
    uid_t user = geteuid();

    (void)state;
    begin(&opening, false);
    assert_int_equal(chmod(make_file("a", "old"), 0666), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    if (user == 0 && seteuid(65534) < 0)
        kit_skip("root may write everywhere");
    open_in_vain(&opening, name("a"), 0, EACCES, "its folder cannot be written");
    open_well(&opening, name("a"), REPLACE_IN_PLACE);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(folder, 0700), 0);
    finish(&opening);
}

static void a_new_file_has_its_name_when_it_is_finished(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, false);
    open_well(&opening, name("a"), 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.start, 0);
    put(opening.end.fd, "new");
    assert_int_equal(access(name("a"), F_OK), -1);
    assert_int_equal(end_finish(&opening.end), 0);
    assert_int_equal(opening.end.kind, END_NONE);
    assert_holds("a", "new");
    assert_int_equal(end_finish(&opening.end), 0);
    finish(&opening);
}

static void a_file_that_is_given_up_stands_as_it_was(void **state)
{
    struct opening opening;

    (void)state;
    make_file("a", "old");
    begin(&opening, false);
    open_well(&opening, name("a"), 0);
    put(opening.end.fd, "new");
    finish(&opening);
    assert_holds("a", "old");
}

static void a_file_is_appended_to(void **state)
{
    struct opening opening;

    (void)state;
    make_file("a", "old ");
    begin(&opening, false);
    open_well(&opening, name("a"), REPLACE_APPEND);
    assert_true(opening.end.is_append);
    assert_int_equal(opening.end.start, 4);
    put(opening.end.fd, "new");
    assert_int_equal(end_finish(&opening.end), 0);
    assert_holds("a", "old new");
    open_well(&opening, name("b"), 0);
    assert_false(opening.end.is_append);
    finish(&opening);
}

static void a_disk_is_read(void **state)
{
    struct opening opening;

    (void)state;
    make_file("disk", "0123456789");
    begin(&opening, true);
    fake.kind = S_IFBLK;
    open_well(&opening, name("disk"), 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.size, 10);
    assert_int_equal(lseek(opening.end.fd, 0, SEEK_CUR), 0);
    finish(&opening);
}

static void a_disk_is_written_in_place(void **state)
{
    struct opening opening;

    (void)state;
    make_file("disk", "0123456789");
    begin(&opening, false);
    fake.kind = S_IFBLK;
    open_in_vain(&opening, name("disk"), REPLACE_NO_CLOBBER, EEXIST, "");
    open_well(&opening, name("disk"), REPLACE_SYNC);
    assert_int_equal(opening.end.kind, END_FILE);
    put(opening.end.fd, "new");
    assert_int_equal(end_finish(&opening.end), 0);
    assert_int_equal(fake.syncs, 1);
    fake.kind = 0;
    assert_holds("disk", "new3456789");
    finish(&opening);
}

static void a_disk_has_no_end(void **state)
{
    struct opening opening;

    (void)state;
    make_file("disk", "0123456789");
    begin(&opening, false);
    fake.kind = S_IFBLK;
    open_in_vain(&opening, name("disk"), REPLACE_APPEND, EINVAL,
                 "a device has no end to write behind");
    finish(&opening);
}

static void a_disk_that_complains_when_it_is_closed(void **state)
{
    static const int errors[][2] = {{EIO, -1}, {EINTR, 0}};
    struct opening opening;

    (void)state;
    make_file("disk", "0123456789");
    begin(&opening, false);
    fake.kind = S_IFBLK;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        open_well(&opening, name("disk"), 0);
        fake.close_error = errors[i][0];
        assert_int_equal(end_finish(&opening.end), errors[i][1]);
        assert_int_equal(errno, errors[i][1] ? EIO : errno);
    }
    finish(&opening);
}

/* ---- fifos ---- */

static void a_fifo_is_read(void **state)
{
    struct opening opening;
    char byte;

    (void)state;
    begin(&opening, true);
    open_well(&opening, make_fifo("fifo"), 0);
    assert_int_equal(opening.end.kind, END_PIPE);
    assert_int_equal(opening.end.size, -1);
    assert_is_our_own(&opening.end);
    assert_int_equal(read(opening.end.fd, &byte, 1), 0); /* nobody has written yet */
    finish(&opening);
}

static void a_fifo_is_written_when_somebody_reads_it(void **state)
{
    struct opening opening;
    int reader;

    (void)state;
    make_fifo("fifo");
    begin(&opening, false);
    start(&opening, name("fifo"), REPLACE_NO_CLOBBER);
    turns_until(opening.loop, opening.end.retry_ns > CLOCK_MILLISECOND * 16);
    assert_int_equal(opening.told, 0);
    assert_string_equal(describe(&opening), "waiting for a reader");
    reader = open(name("fifo"), O_RDONLY | O_NONBLOCK);
    await(&opening);
    assert_int_equal(opening.end.kind, END_PIPE);
    assert_string_equal(describe(&opening), "");
    assert_is_our_own(&opening.end);
    assert_int_equal(end_finish(&opening.end), 0);
    close(reader);
    finish(&opening);
}

static void a_pipe_is_made_large(void **state)
{
    struct opening opening;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    if (kernel_pipe_size(ends[0], PIPE) < PIPE)
        kit_skip("this system gives no pipe of 1 MiB");
    close(ends[0]);
    close(ends[1]);
    begin(&opening, true);
    opening.end.pipe_size = PIPE;
    open_well(&opening, make_fifo("fifo"), 0);
    assert_true(kernel_pipe_size(opening.end.fd, 1) >= PIPE);
    finish(&opening);
}

/* The name may have become another's while it was waited for. */
static void a_fifo_becomes_a_file(void **state)
{
    struct opening opening;

    (void)state;
    make_fifo("fifo");
    begin(&opening, false);
    start(&opening, name("fifo"), 0);
    assert_int_equal(loop_turn(opening.loop), 0);
    assert_int_equal(unlink(name("fifo")), 0);
    make_file("fifo", "old");
    await(&opening);
    assert_int_equal(opening.error, 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_holds("fifo", "old");
    finish(&opening);
}

static void put_a_file_in_its_place(void)
{
    assert_int_equal(unlink(name("fifo")), 0);
    make_file("fifo", "old");
}

static void put_a_folder_in_its_place(void)
{
    assert_int_equal(unlink(name("fifo")), 0);
    assert_int_equal(mkdir(name("fifo"), 0700), 0);
}

static void what_was_opened_is_what_counts(void **state)
{
    struct opening opening;

    (void)state;
    make_fifo("fifo");
    begin(&opening, false);
    fake.before_open = put_a_file_in_its_place;
    open_in_vain(&opening, name("fifo"), 0, ESTALE, strerror(ESTALE));
    assert_holds("fifo", "old");
    finish(&opening);
    begin(&opening, true);
    assert_int_equal(unlink(name("fifo")), 0);
    make_fifo("fifo");
    fake.before_open = put_a_file_in_its_place;
    open_well(&opening, name("fifo"), 0);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.size, 3);
    end_close(&opening.end, -1);
    fake.before_open = put_a_folder_in_its_place;
    open_in_vain(&opening, name("fifo"), 0, EISDIR, strerror(EISDIR));
    finish(&opening);
}

/* ---- descriptors of others ---- */

static void a_descriptor_that_is_not_open(void **state)
{
    struct opening opening;
    int input = dup(0);

    (void)state;
    begin(&opening, true);
    open_in_vain(&opening, "fd:999", 0, EBADF, "not open");
    assert_null(strstr(opening.why, "fd:999"));
    close(0);
    open_in_vain(&opening, "-", 0, EBADF, "standard input is not open");
    assert_int_equal(dup2(input, 0), 0);
    finish(&opening);
    close(input);
}

static void a_descriptor_of_the_wrong_direction(void **state)
{
    struct opening opening;
    char text[32];
    char why[64];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int is_source = 0; is_source < 2; is_source++) {
        begin(&opening, is_source);
        snprintf(text, sizeof text, "fd:%d", ends[is_source]);
        snprintf(why, sizeof why, "not open for %s", is_source ? "reading" : "writing");
        open_in_vain(&opening, text, 0, EBADF, why);
        assert_string_equal(opening.why, why);
        finish(&opening);
    }
    close(ends[0]);
    close(ends[1]);
}

static void a_shared_folder(void **state)
{
    struct opening opening;
    char text[32];
    int fd = open(folder, O_RDONLY);

    (void)state;
    begin(&opening, true);
    snprintf(text, sizeof text, "fd:%d", fd);
    open_in_vain(&opening, text, 0, EISDIR, strerror(EISDIR));
    finish(&opening);
    close(fd);
}

static void a_shared_file_is_read_from_where_it_stands(void **state)
{
    struct opening opening;
    int fd = open(make_file("a", "0123456789"), O_RDONLY);

    (void)state;
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    begin(&opening, true);
    open_fd(&opening, fd);
    assert_int_equal(opening.end.kind, END_FILE);
    assert_int_equal(opening.end.fd, fd);
    assert_false(opening.end.is_ours);
    assert_int_equal(opening.end.start, 3);
    assert_int_equal(opening.end.size, 7);
    end_close(&opening.end, 8);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 8);
    open_fd(&opening, fd);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1); /* as a search for data would leave it */
    end_close(&opening.end, -1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 8);
    assert_int_equal(lseek(fd, 20, SEEK_SET), 20);
    open_fd(&opening, fd);
    assert_int_equal(opening.end.size, 0);
    assert_is_shared_as_it_was(fd);
    finish(&opening);
    close(fd);
}

static void a_shared_file_is_written_where_it_stands(void **state)
{
    struct opening opening;
    char text[32];
    int fd = open(make_file("a", "0123456789"), O_WRONLY);

    (void)state;
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    begin(&opening, false);
    snprintf(text, sizeof text, "fd:%d", fd);
    open_well(&opening, text, REPLACE_SYNC);
    assert_int_equal(opening.end.start, 3);
    assert_false(opening.end.is_append);
    put(opening.end.fd, "new");
    assert_int_equal(end_finish(&opening.end), 0);
    assert_int_equal(fake.syncs, 1);
    put(fd, "er"); /* it is still open, and stands behind what was written */
    assert_holds("a", "012newer89");
    finish(&opening);
    close(fd);
}

static void a_shared_file_that_is_appended_to(void **state)
{
    struct opening opening;
    int fd = open(make_file("a", "old "), O_RDWR | O_APPEND);

    (void)state;
    begin(&opening, false);
    open_fd(&opening, fd);
    assert_true(opening.end.is_append);
    assert_int_equal(opening.end.start, 4);
    finish(&opening);
    begin(&opening, true);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    open_fd(&opening, fd);
    assert_false(opening.end.is_append);
    assert_int_equal(opening.end.start, 0);
    finish(&opening);
    close(fd);
}

static void a_shared_pipe_is_opened_anew(void **state)
{
    struct opening opening;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int is_source = 0; is_source < 2; is_source++) {
        int fd = ends[!is_source];

        begin(&opening, is_source);
        open_fd(&opening, fd);
        if (opening.end.kind == END_CAREFUL)
            kit_skip("there is no /proc to open it with");
        assert_int_equal(opening.end.kind, END_PIPE);
        assert_int_not_equal(opening.end.fd, fd);
        assert_is_our_own(&opening.end);
        if (!is_source)
            assert_int_equal(end_finish(&opening.end), 0);
        assert_is_shared_as_it_was(fd);
        finish(&opening);
    }
    put(ends[1], "x");
    close(ends[0]);
    close(ends[1]);
}

static void a_shared_pipe_that_never_blocks_is_used_as_it_is(void **state)
{
    struct opening opening;
    int ends[2];

    (void)state;
    assert_int_equal(kernel_pipe(ends), 0);
    begin(&opening, true);
    open_fd(&opening, ends[0]);
    assert_int_equal(opening.end.kind, END_PIPE);
    assert_int_equal(opening.end.fd, ends[0]);
    assert_false(opening.end.is_ours);
    finish(&opening);
    assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    close(ends[0]);
    close(ends[1]);
}

static void a_shared_pipe_that_cannot_be_opened_anew(void **state)
{
    struct opening opening;
    struct rlimit before, none;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin(&opening, true);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)ends[0] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    open_fd(&opening, ends[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (opening.end.is_ours)
        kit_skip("the pipe was opened anew all the same");
    assert_int_equal(opening.end.kind, END_CAREFUL);
    assert_int_equal(opening.end.fd, ends[0]);
    finish(&opening);
    assert_is_shared_as_it_was(ends[0]);
    close(ends[0]);
    close(ends[1]);
}

/* Opened anew it would wait for a first writer, for ever. */
static void a_shared_fifo_whose_writer_has_gone_is_at_its_end(void **state)
{
    struct opening opening;
    struct pollfd asked = {.events = POLLIN};
    int writer = open(make_fifo("fifo"), O_RDWR);
    int reader = open(name("fifo"), O_RDONLY);

    (void)state;
    close(writer);
    begin(&opening, true);
    open_fd(&opening, reader);
    asked.fd = opening.end.fd;
    assert_int_equal(poll(&asked, 1, 0), 1);
    finish(&opening);
    close(reader);
}

static void a_shared_pipe_whose_writer_has_gone_is_still_a_pipe(void **state)
{
    struct opening opening;
    struct pollfd asked = {.events = POLLIN};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    put(ends[1], "x");
    close(ends[1]);
    begin(&opening, true);
    open_fd(&opening, ends[0]);
    if (access("/proc/self/fd", X_OK) == 0)
        assert_int_equal(opening.end.kind, END_PIPE);
    asked.fd = opening.end.fd;
    assert_int_equal(poll(&asked, 1, 0), 1);
    assert_true(asked.revents & POLLHUP);
    finish(&opening);
    close(ends[0]);
}

static void a_shared_pipe_whose_reader_has_gone(void **state)
{
    struct opening opening;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    begin(&opening, false);
    open_fd(&opening, ends[1]);
    assert_int_equal(write(opening.end.fd, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    finish(&opening);
    close(ends[1]);
}

/* ---- terminals and other devices ---- */

static void a_terminal(void **state)
{
    struct opening opening;
    char path[100];
    int master, slave;

    (void)state;
    assert_int_equal(openpty(&master, &slave, path, NULL, NULL), 0);
    for (int is_source = 0; is_source < 2; is_source++) {
        begin(&opening, is_source);
        open_fd(&opening, slave);
        assert_int_equal(opening.end.kind, END_STREAM);
        assert_int_not_equal(opening.end.fd, slave);
        assert_is_our_own(&opening.end);
        end_close(&opening.end, -1);
        open_well(&opening, path, 0);
        assert_int_equal(opening.end.kind, END_STREAM);
        assert_is_our_own(&opening.end);
        finish(&opening);
    }
    assert_is_shared_as_it_was(slave);
    close(slave);
    close(master);
}

/* Opened anew it would be another terminal's. */
static void the_other_side_of_a_terminal(void **state)
{
    struct opening opening;
    int master, slave;

    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    begin(&opening, true);
    open_fd(&opening, master);
    assert_int_equal(opening.end.kind, END_CAREFUL);
    assert_int_equal(opening.end.fd, master);
    finish(&opening);
    assert_is_shared_as_it_was(master);
    close(slave);
    close(master);
}

static void a_device(void **state)
{
    static const char *const paths[] = {"/dev/null", "/dev/zero"};
    struct opening opening;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int fd = open(paths[i], O_RDWR);

        if (fd < 0)
            kit_skip("not all of /dev may be used");
        begin(&opening, i % 2);
        open_well(&opening, paths[i], REPLACE_NO_CLOBBER);
        assert_int_equal(opening.end.kind, END_STREAM);
        assert_int_equal(opening.end.size, -1);
        assert_is_our_own(&opening.end);
        end_close(&opening.end, -1);
        open_fd(&opening, fd);
        assert_int_equal(opening.end.kind, END_STREAM);
        assert_int_equal(opening.end.fd, fd);
        finish(&opening);
        close(fd);
    }
}

/* ---- sockets ---- */

static void a_shared_socket_is_not_shut(void **state)
{
    struct opening opening;
    char bytes[8];
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    begin(&opening, false);
    open_fd(&opening, ends[0]);
    assert_int_equal(opening.end.kind, END_SHARED_SOCKET);
    assert_int_equal(opening.end.fd, ends[0]);
    assert_int_equal(end_finish(&opening.end), 0);
    assert_is_shared_as_it_was(ends[0]);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    open_fd(&opening, ends[0]);
    assert_int_equal(opening.end.kind, END_SOCKET);
    assert_false(opening.end.is_ours);
    assert_int_equal(end_finish(&opening.end), 0);
    finish(&opening);
    put(ends[0], "more");
    assert_int_equal(recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT), 4);
    close(ends[0]);
    close(ends[1]);
}

static void assert_peer_reads(int peer, const char *text)
{
    char bytes[16];
    size_t length = strlen(text);

    kit_receive_all(peer, bytes, length);
    assert_memory_equal(bytes, text, length);
    assert_int_equal(kit_receive(peer, bytes, sizeof bytes), 0);
}

static void assert_connects(struct opening *opening, const char *text, int listener)
{
    int peer;

    open_well(opening, text, 0);
    assert_int_equal(opening->end.kind, END_SOCKET);
    assert_is_our_own(&opening->end);
    peer = kit_accept(listener);
    put(opening->end.fd, "hello");
    assert_int_equal(end_finish(&opening->end), 0);
    assert_peer_reads(peer, "hello");
    close(peer);
}

static void a_peer_is_connected_to(void **state)
{
    struct opening opening;
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);

    (void)state;
    begin(&opening, false);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    assert_connects(&opening, text, listener);
    finish(&opening);
}

static void a_unix_socket_is_connected_to(void **state)
{
    struct opening opening;
    char text[620];
    int listener = kit_listen_unix(name("socket"));

    (void)state;
    begin(&opening, false);
    snprintf(text, sizeof text, "unix:%s", name("socket"));
    assert_connects(&opening, text, listener);
    assert_connects(&opening, name("socket"), listener);
    finish(&opening);
}

static void a_socket_whose_name_begins_as_others_do(void **state)
{
    struct opening opening;
    int listener = kit_listen_unix(name("@socket"));
    int here = open(".", O_RDONLY);

    (void)state;
    begin(&opening, true);
    assert_int_equal(chdir(folder), 0);
    assert_connects(&opening, "@socket", listener);
    assert_int_equal(fchdir(here), 0);
    finish(&opening);
    close(here);
}

static void a_socket_whose_name_is_too_long(void **state)
{
    struct opening opening;
    char path[700];
    int length = snprintf(path, sizeof path, "%s", folder);
    int listener;

    (void)state;
    while (length < 120)
        length += snprintf(path + length, sizeof path - (size_t)length, "/.");
    snprintf(path + length, sizeof path - (size_t)length, "/socket");
    listener = kit_listen_unix(name("socket"));
    begin(&opening, true);
    open_in_vain(&opening, path, 0, ENAMETOOLONG, strerror(ENAMETOOLONG));
    finish(&opening);
    close(listener);
}

static void refused(struct opening *opening, const char *text, int error)
{
    open_in_vain(opening, text, 0, error, "");
    assert_string_equal(opening->why, strerror(error));
}

/* The place is named already where this is told. */
static void a_peer_that_refuses(void **state)
{
    struct opening opening;
    char text[620];
    char where[64];
    uint16_t port;

    (void)state;
    close(kit_listen(&port));
    close(kit_listen_unix(name("socket")));
    begin(&opening, true);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    refused(&opening, text, ECONNREFUSED);
    snprintf(text, sizeof text, "unix:%s", name("socket"));
    refused(&opening, text, ECONNREFUSED);
    refused(&opening, name("socket"), ECONNREFUSED);
    snprintf(text, sizeof text, "unix:%s", name("none"));
    refused(&opening, text, ENOENT);
    snprintf(text, sizeof text, "tcp:localhost:%u", port);
    snprintf(where, sizeof where, "127.0.0.1:%u: %s", port, strerror(ECONNREFUSED));
    open_in_vain(&opening, text, 0, ECONNREFUSED, where);
    finish(&opening);
}

static void a_host_that_is_nobodys(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, true);
    start(&opening, "tcp:nobody.onion:7", 0);
    await(&opening);
    assert_int_not_equal(opening.error, 0);
    assert_null(strstr(opening.why, "nobody"));
    finish(&opening);
}

/* Writes as much as is taken. Returns how much that was. */
static size_t fill(int fd)
{
    static const char bytes[65536];
    size_t total = 0;
    ssize_t n;

    while (total < MANY && (n = send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
        total += (size_t)n;
    return total;
}

/* With what it sent still unread, closing would throw away what it has not taken yet. */
static void a_peer_that_talks_back_loses_nothing(void **state)
{
    static char bytes[65536];
    struct opening opening;
    size_t sent;
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);
    int peer;
    ssize_t n;

    (void)state;
    begin(&opening, false);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    open_well(&opening, text, 0);
    peer = kit_accept(listener);
    sent = fill(opening.end.fd);
    kit_send(peer, bytes, sizeof bytes);
    assert_int_equal(end_finish(&opening.end), 0);
    while ((n = kit_receive(peer, bytes, sizeof bytes)) > 0)
        sent -= (size_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(sent, 0);
    close(peer);
    finish(&opening);
}

static void a_peer_that_has_reset_has_not_got_it(void **state)
{
    struct opening opening;
    struct pollfd asked = {.events = POLLIN};
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);

    (void)state;
    begin(&opening, false);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    open_well(&opening, text, 0);
    put(opening.end.fd, "hello");
    kit_reset(kit_accept(listener));
    asked.fd = opening.end.fd;
    assert_int_equal(poll(&asked, 1, -1), 1);
    assert_int_equal(end_finish(&opening.end), -1);
    assert_int_equal(errno, ECONNRESET);
    finish(&opening);
}

/* ---- peers that take their time ---- */

enum { SMALL = 16384 };

static void on_finished(void *owner, int error, const char *why)
{
    struct opening *opening = owner;

    opening->finished++;
    opening->error = error;
    assert_int_equal(why != NULL, error != 0);
    assert_int_equal(opening->end.kind, END_NONE);
    assert_int_equal(opening->end.fd, -1);
}

struct talk {
    int peer;
    size_t left;        /* it has still to read */
    const char *answer; /* to each block; NULL: none */
};

/* Connects to a peer with little room, and writes to it what is taken. */
static void begin_talk(struct opening *opening, struct talk *talk, const char *answer)
{
    char text[64];
    uint16_t port;
    int listener = kit_listen(&port);
    int size = SMALL;

    begin(opening, false);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    open_well(opening, text, 0);
    assert_int_equal(setsockopt(opening->end.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    *talk = (struct talk){.peer = kit_accept(listener), .answer = answer};
    talk->left = fill(opening->end.fd);
    assert_true(talk->left > SMALL);
    opening->told = 0;
}

static void linger(struct opening *opening, int64_t patience_ns)
{
    if (!end_linger(&opening->end, patience_ns, on_finished))
        kit_skip("this system does not say what was acknowledged");
    assert_int_equal(opening->finished, 0);
}

/* Returns whether that was the end. */
static bool peer_reads_block(struct talk *talk)
{
    char bytes[SMALL / 4];
    ssize_t n = recv(talk->peer, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0)
        assert_int_equal(errno, EAGAIN);
    if (n <= 0)
        return n == 0;
    talk->left -= (size_t)n;
    if (talk->answer)
        kit_send(talk->peer, talk->answer, strlen(talk->answer));
    return false;
}

static void end_talk(struct opening *opening, struct talk *talk, int error)
{
    turns_until(opening->loop, opening->finished > 0);
    assert_int_equal(opening->error, error);
    turns_for(opening->loop, 5 * CLOCK_MILLISECOND);
    assert_int_equal(opening->finished, 1);
    if (talk->peer >= 0)
        close(talk->peer);
    finish(opening);
}

static void a_peer_that_answers_slowly_loses_nothing(void **state)
{
    struct opening opening;
    struct talk talk;

    (void)state;
    begin_talk(&opening, &talk, "ack\n");
    linger(&opening, 0);
    turns_until(opening.loop, peer_reads_block(&talk));
    assert_int_equal(talk.left, 0);
    assert_int_equal(opening.finished, 0); /* it could still answer */
    close(talk.peer);
    talk.peer = -1;
    end_talk(&opening, &talk, 0);
}

/* It need not end: it may have other things to do. */
static void a_silent_peer_is_left_when_it_has_everything(void **state)
{
    struct opening opening;
    struct talk talk;

    (void)state;
    begin_talk(&opening, &talk, NULL);
    linger(&opening, KIT_DEADLINE_NS);
    turns_for(opening.loop, 20 * CLOCK_MILLISECOND);
    assert_int_equal(opening.finished, 0);
    turns_until(opening.loop, peer_reads_block(&talk));
    assert_int_equal(talk.left, 0);
    end_talk(&opening, &talk, 0);
}

static void a_peer_that_falls_silent_is_left(void **state)
{
    struct opening opening;
    struct talk talk;
    int64_t begun = clock_now();

    (void)state;
    begin_talk(&opening, &talk, NULL);
    kit_send(talk.peer, "welcome", 7);
    linger(&opening, 0);
    turns_until(opening.loop, peer_reads_block(&talk));
    assert_int_equal(talk.left, 0);
    end_talk(&opening, &talk, 0);
    assert_true(clock_now() - begun >= CLOCK_SECOND);
}

static void a_peer_that_has_nothing_to_say_may_read_late(void **state)
{
    struct opening opening;
    struct talk talk;

    (void)state;
    begin_talk(&opening, &talk, NULL);
    assert_int_equal(shutdown(talk.peer, SHUT_WR), 0);
    linger(&opening, 0);
    assert_true(turns_for(opening.loop, 20 * CLOCK_MILLISECOND) < 50); /* it does not spin */
    assert_int_equal(opening.finished, 0);
    turns_until(opening.loop, peer_reads_block(&talk));
    assert_int_equal(talk.left, 0);
    end_talk(&opening, &talk, 0);
}

static void a_peer_that_resets_before_it_has_everything(void **state)
{
    (void)state;
    for (int has_ended = 0; has_ended < 2; has_ended++) {
        struct opening opening;
        struct talk talk;

        begin_talk(&opening, &talk, NULL);
        if (has_ended)
            assert_int_equal(shutdown(talk.peer, SHUT_WR), 0);
        linger(&opening, 0);
        turns_for(opening.loop, 5 * CLOCK_MILLISECOND);
        assert_int_equal(opening.finished, 0);
        kit_reset(talk.peer);
        talk.peer = -1;
        end_talk(&opening, &talk, ECONNRESET);
    }
}

static void a_peer_that_takes_nothing_for_too_long(void **state)
{
    struct opening opening;
    struct talk talk;

    (void)state;
    begin_talk(&opening, &talk, NULL);
    linger(&opening, 20 * CLOCK_MILLISECOND);
    end_talk(&opening, &talk, ETIMEDOUT);
}

static void a_peer_is_given_up(void **state)
{
    struct opening opening;
    struct talk talk;

    (void)state;
    begin_talk(&opening, &talk, NULL);
    linger(&opening, 20 * CLOCK_MILLISECOND);
    turns_for(opening.loop, 5 * CLOCK_MILLISECOND);
    end_close(&opening.end, -1);
    turns_for(opening.loop, 40 * CLOCK_MILLISECOND);
    assert_int_equal(opening.finished, 0);
    close(talk.peer);
    finish(&opening);
}

static void assert_ends_at_once(struct opening *opening)
{
    assert_false(end_linger(&opening->end, 0, on_finished));
    assert_int_equal(end_finish(&opening->end), 0);
    turns_for(opening->loop, 5 * CLOCK_MILLISECOND);
    assert_int_equal(opening->finished, 0);
    finish(opening);
}

static void what_ends_at_once(void **state)
{
    struct opening opening;
    int listener = kit_listen_unix(name("socket"));
    uint16_t port;
    int shared, peer;

    (void)state;
    begin(&opening, false);
    open_well(&opening, name("socket"), 0);
    assert_ends_at_once(&opening);
    close(listener);
    listener = kit_listen(&port);
    shared = kit_connect(port);
    peer = kit_accept(listener);
    assert_int_equal(fcntl(shared, F_SETFL, O_NONBLOCK), 0);
    begin(&opening, false);
    open_fd(&opening, shared);
    assert_int_equal(opening.end.kind, END_SOCKET);
    assert_ends_at_once(&opening);
    begin(&opening, false);
    open_well(&opening, name("file"), 0);
    assert_ends_at_once(&opening);
    close(peer);
    close(shared);
}

/* ---- listening ---- */

static uint16_t port_of(const struct opening *opening)
{
    return address_port(&opening->end.listeners[0].address);
}

static void a_client_is_waited_for(void **state)
{
    struct opening opening;
    char said[100];
    uint16_t port;
    int client;

    (void)state;
    begin(&opening, false);
    start(&opening, "tcp-listen:127.0.0.1:0", 0);
    port = port_of(&opening);
    snprintf(said, sizeof said, "waiting for a client at 127.0.0.1:%u", port);
    assert_string_equal(describe(&opening), said);
    client = kit_connect(port);
    await(&opening);
    assert_int_equal(opening.end.kind, END_SOCKET);
    assert_is_our_own(&opening.end);
    assert_string_equal(describe(&opening), "");
    put(opening.end.fd, "hello");
    assert_int_equal(end_finish(&opening.end), 0);
    assert_peer_reads(client, "hello");
    close(client);
    finish(&opening);
}

static void one_port_for_both_families(void **state)
{
    struct opening opening;
    char v4[ADDRESS_TEXT], v6[ADDRESS_TEXT], said[2 * ADDRESS_TEXT + 40], other[sizeof said];
    const struct listener *listeners = opening.end.listeners;

    (void)state;
    begin(&opening, true);
    start(&opening, "tcp-listen:0", 0);
    if (!watch_is_started(&listeners[0].watch) || !watch_is_started(&listeners[1].watch))
        kit_skip("this machine has one family only");
    assert_int_equal(address_port(&listeners[0].address), address_port(&listeners[1].address));
    snprintf(v4, sizeof v4, "127.0.0.1:%u", port_of(&opening));
    snprintf(v6, sizeof v6, "[::1]:%u", port_of(&opening));
    snprintf(said, sizeof said, "waiting for a client at %s and %s", v4, v6);
    snprintf(other, sizeof other, "waiting for a client at %s and %s", v6, v4);
    if (strcmp(describe(&opening), other) != 0)
        assert_string_equal(describe(&opening), said);
    finish(&opening);
}

/* The second is told so, be it that it waited already. */
static void of_two_clients_one_is_taken(void **state)
{
    struct opening opening;
    char byte;
    int clients[2];

    (void)state;
    begin(&opening, true);
    start(&opening, "tcp-listen:127.0.0.1:0", 0);
    clients[0] = kit_connect(port_of(&opening));
    clients[1] = kit_connect(port_of(&opening));
    await(&opening);
    assert_int_equal(kit_receive(clients[1], &byte, 1), -1);
    kit_send(clients[0], "x", 1);
    turns_until(opening.loop, recv(opening.end.fd, &byte, 1, MSG_DONTWAIT) == 1);
    close(clients[0]);
    close(clients[1]);
    finish(&opening);
}

static void a_port_that_is_taken(void **state)
{
    struct opening opening;
    char text[64], why[100];
    uint16_t port;
    int listener = kit_listen(&port);

    (void)state;
    begin(&opening, true);
    snprintf(text, sizeof text, "tcp-listen:127.0.0.1:%u", port);
    snprintf(why, sizeof why, "127.0.0.1:%u: %s", port, strerror(EADDRINUSE));
    refused(&opening, text, EADDRINUSE);
    snprintf(text, sizeof text, "tcp-listen:%u", port); /* of both, one is free */
    open_in_vain(&opening, text, 0, EADDRINUSE, why);
    finish(&opening);
    close(listener);
}

/* What the kernel picks for one family may be another's in the other; and what else is wrong with
 * the second address is said. */
static void a_port_that_is_taken_in_one_family(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, true);
    fake.bind_error = EADDRINUSE;
    fake.binds = 2;
    start(&opening, "tcp-listen:0", 0);
    assert_int_equal(strncmp(describe(&opening), "waiting for a client at ", 24), 0);
    assert_int_equal(fake.binds, 0);
    end_close(&opening.end, -1);
    fake.bind_error = EACCES;
    fake.binds = 2;
    open_in_vain(&opening, "tcp-listen:0", 0, EACCES, strerror(EACCES));
    fake.bind_error = EADDRNOTAVAIL;
    fake.binds = 2;
    start(&opening, "tcp-listen:0", 0);
    assert_null(strstr(describe(&opening), " and "));
    finish(&opening);
}

static void an_address_that_is_not_ours(void **state)
{
    struct opening opening;

    (void)state;
    begin(&opening, true);
    open_in_vain(&opening, "tcp-listen:192.0.2.1:0", 0, EADDRNOTAVAIL, strerror(EADDRNOTAVAIL));
    finish(&opening);
}

/* ---- all of them ---- */

static void no_descriptor_is_left(void **state)
{
    struct opening opening;
    struct rlimit before, none;
    int next;

    (void)state;
    make_file("a", "");
    begin(&opening, true);
    next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    open_in_vain(&opening, name("a"), 0, EMFILE, strerror(EMFILE));
    open_in_vain(&opening, "tcp:127.0.0.1:1", 0, EMFILE, strerror(EMFILE));
    open_in_vain(&opening, "tcp-listen:0", 0, EMFILE, strerror(EMFILE));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    open_well(&opening, name("a"), 0);
    finish(&opening);
}

static void assert_given_up_in_silence(const char *text, bool is_source)
{
    struct opening opening;

    begin(&opening, is_source);
    start(&opening, text, 0);
    end_close(&opening.end, -1);
    assert_false(timer_is_set(&opening.end.retry));
    turns_for(opening.loop, 5 * CLOCK_MILLISECOND);
    assert_int_equal(opening.told, 0);
    start(&opening, text, 0);
    assert_int_equal(loop_look(opening.loop), 0);
    end_close(&opening.end, -1);
    turns_for(opening.loop, 5 * CLOCK_MILLISECOND);
    assert_true(opening.told <= 1);
    finish(&opening);
}

static void given_up_while_it_opens(void **state)
{
    char text[64];
    uint16_t port;

    (void)state;
    kit_listen(&port);
    assert_given_up_in_silence(make_fifo("fifo"), false);
    assert_given_up_in_silence(name("fifo"), true);
    assert_given_up_in_silence(name("file"), false);
    assert_int_equal(access(name("file"), F_OK), -1);
    assert_given_up_in_silence("tcp-listen:0", true);
    assert_given_up_in_silence(name("none"), true);
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", port);
    assert_given_up_in_silence(text, true);
}

static void a_pipe_of_our_own(void **state)
{
    struct opening opening;
    int ends[2];

    (void)state;
    begin(&opening, false);
    assert_int_equal(kernel_pipe(ends), 0);
    end_adopt(&opening.end, ends[1], END_PIPE);
    assert_int_equal(opening.end.fd, ends[1]);
    assert_int_equal(end_finish(&opening.end), 0);
    close(ends[0]);
    assert_int_equal(opening.told, 0);
    finish(&opening);
}

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    memset(&fake, 0, sizeof fake);
    folder = kit_folder();
    return 0;
}

static int teardown(void **state)
{
    memset(&fake, 0, sizeof fake);
    return kit_cleanup(state);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const struct CMUnitTest tests[] = {
    ONE(a_file_is_read),
    ONE(of_a_file_of_proc_the_size_is_not_known),
    ONE(what_is_no_source),
    ONE(what_is_no_destination),
    ONE(a_folder_that_cannot_be_written),
    ONE(a_new_file_has_its_name_when_it_is_finished),
    ONE(a_file_that_is_given_up_stands_as_it_was),
    ONE(a_file_is_appended_to),
    ONE(a_disk_is_read),
    ONE(a_disk_is_written_in_place),
    ONE(a_disk_has_no_end),
    ONE(a_disk_that_complains_when_it_is_closed),
    ONE(a_fifo_is_read),
    ONE(a_fifo_is_written_when_somebody_reads_it),
    ONE(a_pipe_is_made_large),
    ONE(a_fifo_becomes_a_file),
    ONE(what_was_opened_is_what_counts),
    ONE(a_descriptor_that_is_not_open),
    ONE(a_descriptor_of_the_wrong_direction),
    ONE(a_shared_folder),
    ONE(a_shared_file_is_read_from_where_it_stands),
    ONE(a_shared_file_is_written_where_it_stands),
    ONE(a_shared_file_that_is_appended_to),
    ONE(a_shared_pipe_is_opened_anew),
    ONE(a_shared_pipe_that_never_blocks_is_used_as_it_is),
    ONE(a_shared_pipe_that_cannot_be_opened_anew),
    ONE(a_shared_fifo_whose_writer_has_gone_is_at_its_end),
    ONE(a_shared_pipe_whose_writer_has_gone_is_still_a_pipe),
    ONE(a_shared_pipe_whose_reader_has_gone),
    ONE(a_terminal),
    ONE(the_other_side_of_a_terminal),
    ONE(a_device),
    ONE(a_shared_socket_is_not_shut),
    ONE(a_peer_is_connected_to),
    ONE(a_unix_socket_is_connected_to),
    ONE(a_socket_whose_name_begins_as_others_do),
    ONE(a_socket_whose_name_is_too_long),
    ONE(a_peer_that_refuses),
    ONE(a_host_that_is_nobodys),
    ONE(a_peer_that_talks_back_loses_nothing),
    ONE(a_peer_that_has_reset_has_not_got_it),
    ONE(a_peer_that_answers_slowly_loses_nothing),
    ONE(a_silent_peer_is_left_when_it_has_everything),
    ONE(a_peer_that_falls_silent_is_left),
    ONE(a_peer_that_has_nothing_to_say_may_read_late),
    ONE(a_peer_that_resets_before_it_has_everything),
    ONE(a_peer_that_takes_nothing_for_too_long),
    ONE(a_peer_is_given_up),
    ONE(what_ends_at_once),
    ONE(a_client_is_waited_for),
    ONE(one_port_for_both_families),
    ONE(of_two_clients_one_is_taken),
    ONE(a_port_that_is_taken),
    ONE(a_port_that_is_taken_in_one_family),
    ONE(an_address_that_is_not_ours),
    ONE(no_descriptor_is_left),
    ONE(given_up_while_it_opens),
    ONE(a_pipe_of_our_own),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
