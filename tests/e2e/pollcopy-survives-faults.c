/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any call to the system of the whole program fails, from the beginning of main to its end, in the
 * loop, the poller and the threads: strace(1) has it fail. All is copied then, or an error is told
 * and each file is as it was; no source changes, nothing is left behind, and nothing hangs.
 *
 * A first run without a fault tells which calls there are, so none of them is named that this
 * system has not, and how many of them are the dynamic linker's, which are left alone. strace
 * counts the calls of each thread by themselves.
 *
 * A call that fails is not made at all. So close is left out where somebody waits for the other
 * end, and of a write, which may be the byte that wakes the loop, only the file's own.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/kit.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OLD          "what was there before\n"
#define LINE         "a line that both sources have\n"

/* The exit status, as the manual page has it. */
enum { DEST = 8, ALL_STATUS = 63 };

enum { SIZE = 30000, LINES = 200, WORDS = 40, CALLS = 80, NAME = 24, TEXT = 160 };

/* ---- calls, and what they may say ---- */

struct call {
    char name[NAME];
    int before;  /* so many are made before main, by the first thread */
    int first;   /* ... and so many in all */
    int another; /* so many are made by any one of the other threads */
};

static struct {
    struct call calls[CALLS];
    size_t count;
} program;

/* Names of errnos, one of which is taken each time. */
static const struct mishap {
    const char *calls;
    const char *errors[4];
} mishaps[] = {
    {" openat open ", {"EMFILE", "EACCES", "ENFILE", "EINTR"}},
    {" newfstatat fstat fstatat64 statx stat lstat ", {"EIO", "ENOMEM", "EACCES"}},
    {" access faccessat faccessat2 readlink readlinkat ", {"EACCES", "EIO"}},
    {" lseek _llseek ", {"EINVAL", "EIO"}},
    {" fcntl fcntl64 ", {"EPERM", "EMFILE"}},
    {" ioctl ", {"ENOTTY", "EIO"}},
    {" pipe pipe2 ", {"EMFILE", "ENFILE"}},
    {" epoll_create1 eventfd2 ", {"EMFILE", "ENOMEM"}},
    {" epoll_ctl ", {"ENOMEM", "ENOSPC"}},
    {" epoll_wait epoll_pwait poll ppoll ", {"EINTR", "ENOMEM"}},
    {" read ", {"EIO", "EINTR", "EAGAIN"}},
    {" pread64 ", {"EIO", "EISDIR", "EINTR"}},
    {" splice sendfile sendfile64 ", {"EINVAL", "EIO", "ENOSYS", "EAGAIN"}},
    {" copy_file_range ", {"EXDEV", "EIO", "EOPNOTSUPP", "ENOSPC"}},
    {" tee ", {"ENOMEM", "EINVAL", "EAGAIN"}},
    {" socket ", {"EMFILE", "EACCES"}},
    {" connect ", {"ECONNREFUSED", "ENETUNREACH", "EACCES"}},
    {" getsockopt setsockopt ", {"ENOBUFS", "ENOPROTOOPT"}},
    {" getsockname getpeername ", {"ENOBUFS"}},
    {" recvfrom recv ", {"ECONNRESET", "EAGAIN", "EINTR"}},
    {" sendto send ", {"ECONNRESET", "EPIPE", "EAGAIN"}},
    {" shutdown ", {"ENOTCONN", "ENOBUFS"}},
    {" ftruncate fsync fdatasync ", {"EIO", "ENOSPC", "EINTR"}},
    {" fchmod fchmodat fchown ", {"EPERM", "EIO"}},
    {" rename renameat renameat2 ", {"EIO", "ENOSPC", "EXDEV"}},
    {" mmap mmap2 mprotect munmap ", {"ENOMEM"}},
    {" clone clone3 ", {"EAGAIN", "ENOMEM"}},
    {" prlimit64 getrlimit setrlimit getrandom ", {"EPERM", "ENOSYS"}},
};

/* What is called on a file by its name, or on a descriptor of one. */
static const struct mishap file_mishaps[] = {
    {" write pwrite64 ", {"ENOSPC", "EIO", "EFBIG", "EINTR"}},
    {" close ", {"EIO", "ENOSPC"}},
};

static bool is_among(const char *name, const char *list)
{
    char word[NAME + 2];

    snprintf(word, sizeof word, " %s ", name);
    return strstr(list, word);
}

static const struct mishap *mishap_in(const struct mishap *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (is_among(name, all[i].calls))
            return &all[i];
    return NULL;
}

/* ---- files ---- */

static char home[PATH_MAX];
static const char *log_path;
static char content[SIZE];
static char lines[2 * LINES * sizeof LINE];

static void write_file(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* Returns all that FD gives now, with a NUL behind it. */
static char *read_all(int fd, size_t *length)
{
    const size_t most = 2 * SIZE;
    char *bytes = malloc(most + 1);
    ssize_t n;

    *length = 0;
    while ((n = read(fd, bytes + *length, most - *length)) > 0)
        *length += (size_t)n;
    bytes[*length] = '\0';
    return bytes;
}

static char *read_file(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes;

    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    bytes = read_all(fd, length);
    close(fd);
    return bytes;
}

static bool file_has(const char *path, const void *bytes, size_t n)
{
    size_t length;
    char *found = read_file(path, &length);
    bool is_it = length == n && memcmp(found, bytes, n) == 0;

    free(found);
    return is_it;
}

/* How many names are in the folder: temporary ones would be. */
static int count_names(void)
{
    DIR *folder = opendir(".");
    int count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* ---- scenes: what is copied, and how that is judged ---- */

struct scene {
    const char *name;
    const char *words;   /* of the command line */
    const char *watched; /* the calls that these files are in, no others; NULL: all */
    void (*prepare)(void);
    void (*judge)(int status); /* of a run that came to its end */
};

static int in = -1;  /* the descriptor that is read, where the words say fd:IN */
static int out = -1; /* ours, on which arrives what is written to no file */
static char place[TEXT];

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* All is in it from the beginning: it has room for that. */
static void fill_input(int reader, int writer)
{
    assert_int_equal(write(writer, content, SIZE), SIZE);
    close(writer);
    in = reader;
}

static void prepare_files(void)
{
    drop(&in);
    drop(&out);
    write_file("one", OLD, strlen(OLD));
    write_file("two", OLD, strlen(OLD));
}

static void prepare_pipe(void)
{
    int ends[2];

    prepare_files();
    assert_int_equal(pipe(ends), 0);
    fill_input(ends[0], ends[1]);
}

static void prepare_fifo(void)
{
    prepare_pipe();
    unlink("fifo");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    out = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(out >= 0);
}

static void prepare_sockets(void)
{
    int ends[2];
    uint16_t port;

    prepare_files();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fill_input(ends[0], ends[1]);
    out = kit_listen(&port);
    snprintf(place, sizeof place, "tcp:127.0.0.1:%u", (unsigned)port);
}

/* Whether PATH has what it is to have, or, of what has failed, what it had. */
static bool is_fit(const char *path, int status)
{
    return file_has(path, content, SIZE) || (status != 0 && file_has(path, OLD, strlen(OLD)));
}

static void judge_files(int status)
{
    assert_true(is_fit("one", status));
    assert_true(is_fit("two", status));
}

static void judge_one(int status)
{
    assert_true(is_fit("one", status));
}

/* What was there stays, whatever comes behind it. */
static void judge_appended(int status)
{
    const size_t old = strlen(OLD);
    size_t length;
    char *found = read_file("one", &length);

    assert_true(length >= old && length <= old + SIZE);
    assert_true(status != 0 || length == old + SIZE);
    assert_memory_equal(found, OLD, old);
    assert_memory_equal(found + old, content, length - old);
    free(found);
}

/* Where a source has failed, whole lines of it may be there and others not. */
static void judge_merged(int status)
{
    const size_t line = strlen(LINE);
    size_t length;
    char *found = read_file("one", &length);

    if (status == 0 || strcmp(found, OLD) != 0) {
        assert_true(length % line == 0 && length <= 2 * LINES * line);
        assert_true(status != 0 || length == 2 * LINES * line);
        assert_memory_equal(found, lines, length);
    }
    free(found);
}

static void judge_arrived(int fd, int status)
{
    size_t length;
    char *found = read_all(fd, &length);

    assert_true(length <= SIZE);
    assert_true(status != 0 || length == SIZE);
    assert_memory_equal(found, content, length);
    free(found);
}

static void judge_fifo(int status)
{
    judge_arrived(out, status);
}

/* What has failed may not have connected. */
static void judge_client(int status)
{
    int client;

    assert_int_equal(fcntl(out, F_SETFL, O_NONBLOCK), 0);
    client = accept(out, NULL, NULL);
    assert_true(client >= 0 || status != 0);
    if (client < 0)
        return;
    judge_arrived(client, status);
    close(client);
}

static const struct scene pairs = {"pairs", "--fsync a one b two", NULL, prepare_files,
                                   judge_files};
static const struct scene fan = {"fan", "--fan fd:IN one two", NULL, prepare_pipe, judge_files};
static const struct scene merge = {"merge", "--merge one l1 l2", NULL, prepare_files, judge_merged};
static const struct scene fifos = {"fifo", "fd:IN fifo", NULL, prepare_fifo, judge_fifo};
static const struct scene sockets = {"sockets", "fd:IN PLACE", NULL, prepare_sockets, judge_client};
static const struct scene poll_pairs = {"poll", "--backend=poll a one b two", NULL, prepare_files,
                                        judge_files};
static const struct scene shown = {"shown", "--progress=always --limit=1M --fan fd:IN one two",
                                   NULL, prepare_pipe, judge_files};
static const struct scene named = {"named", "--fsync a one", "a one", prepare_files, judge_one};
static const struct scene appended = {"appended", "--append --fsync a one", "a one", prepare_files,
                                      judge_appended};

/* ---- a run ---- */

static int runs;
static int made;        /* ... in which a fault came to be */
static int last_status; /* of the last one */
static bool is_quiet;   /* there is no total */
static char doing[256]; /* what is being judged; empty: nothing */

/* A row of arguments, and the words that they stand in. */
struct row {
    const char *argv[WORDS + 1];
    size_t count;
    char words[2][256];
};

static void add(struct row *row, const char *word)
{
    assert_true(row->count < WORDS);
    row->argv[row->count++] = word;
}

static void add_place(struct row *row, char *word)
{
    static char input[NAME];

    snprintf(input, sizeof input, "fd:%d", in);
    if (strcmp(word, "fd:IN") == 0)
        add(row, input);
    else
        add(row, strcmp(word, "PLACE") == 0 ? place : word);
}

static void add_words(struct row *row, const struct scene *scene)
{
    char *rest;

    snprintf(row->words[0], sizeof row->words[0], "%s", scene->watched ? scene->watched : "");
    for (char *word = strtok_r(row->words[0], " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        add(row, "-P");
        add(row, word);
    }
    add(row, kit_program("pollcopy"));
    if (is_quiet)
        add(row, "--quiet");
    snprintf(row->words[1], sizeof row->words[1], "%s", scene->words);
    for (char *word = strtok_r(row->words[1], " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        add_place(row, word);
}

/* Runs SCENE with FAULTS, the options of strace that make them. Returns its end. */
static struct kit_process *run(const struct scene *scene, const char *const faults[])
{
    struct row row = {.count = 0};
    struct kit_process *process;

    scene->prepare();
    add(&row, "strace");
    add(&row, "-f");
    add(&row, "-qq");
    add(&row, "-o");
    add(&row, log_path);
    for (size_t i = 0; faults[i]; i++)
        add(&row, faults[i]);
    add_words(&row, scene);
    process = kit_start(row.argv);
    drop(&in);
    kit_end(process);
    return process;
}

static void judge(const struct scene *scene, struct kit_process *process, int names)
{
    int status = kit_end(process);

    last_status = status;
    if (status > ALL_STATUS)
        fail_msg("status %d", status);
    if (status != 0 && !strstr(kit_stderr(process), "pollcopy: "))
        fail_msg("status %d, and nothing is said of it", status);
    scene->judge(status);
    assert_true(file_has("a", content, SIZE));
    assert_true(file_has("b", content, SIZE));
    if (count_names() != names)
        fail_msg("%d names are left behind", count_names() - names);
}

/* ---- a run without a fault ---- */

static bool can_inject(void)
{
    return kit_has("strace") &&
           kit_end(kit_run("strace", "-f", "-qq", "--seccomp-bpf", "-o", log_path, "-e",
                           "inject=?rename:error=EIO:when=1", "true", NULL)) == 0;
}

static void need_faults(void)
{
    if (kit_is_instrumented())
        kit_skip("valgrind and the sanitizers need system calls of their own, which would fail");
    if (!can_inject())
        kit_skip("there is no strace here that has calls fail");
}

static struct call *find_call(const char *name)
{
    for (size_t i = 0; i < program.count; i++)
        if (strcmp(program.calls[i].name, name) == 0)
            return &program.calls[i];
    assert_true(program.count < CALLS);
    snprintf(program.calls[program.count].name, NAME, "%s", name);
    return &program.calls[program.count++];
}

/* Takes down what LINE of the log says: "PID CALL(ARGUMENTS...". */
static void note_line(const char *line, long first, long *thread, int *of_thread)
{
    char name[NAME];
    struct call *call;
    long pid;

    if (sscanf(line, "%ld %23[a-z0-9_](", &pid, name) != 2)
        return;
    call = find_call(name);
    if (pid == first) {
        call->first++;
        return;
    }
    if (pid != *thread)
        memset(of_thread, 0, CALLS * sizeof *of_thread);
    *thread = pid;
    of_thread[call - program.calls]++;
    if (call->another < of_thread[call - program.calls])
        call->another = of_thread[call - program.calls];
}

/* main begins where it takes the descriptors that are free; of what is WATCHED the dynamic linker
 * has none. */
static void read_log(bool is_watched)
{
    FILE *file = fopen(log_path, "re");
    bool is_main = is_watched;
    int of_thread[CALLS] = {0};
    char line[1024];
    long thread = 0;
    long first = 0;

    assert_non_null(file);
    program.count = 0;
    memset(program.calls, 0, sizeof program.calls);
    while (fgets(line, sizeof line, file)) {
        if (first == 0)
            first = strtol(line, NULL, 10);
        if (!is_main && strstr(line, "\"/dev/null\"")) {
            is_main = true;
            for (size_t i = 0; i < program.count; i++)
                program.calls[i].before = program.calls[i].first;
        }
        note_line(line, first, &thread, of_thread);
    }
    fclose(file);
    assert_true(is_main);
}

static void learn(const struct scene *scene)
{
    static const char *const none[] = {NULL};
    struct kit_process *process = run(scene, none);

    if (kit_end(process) != 0)
        fail_msg("%s without a fault: %s", scene->name, kit_stderr(process));
    scene->judge(0);
    read_log(scene->watched);
}

/* ---- runs with a fault each ---- */

static int count_made(void)
{
    FILE *file = fopen(log_path, "re");
    char line[1024];
    int count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, "(INJECTED)") != NULL;
    fclose(file);
    return count;
}

static void run_with(const struct scene *scene, const char *const faults[])
{
    int names = count_names();
    struct kit_process *process;

    snprintf(doing, sizeof doing, "%s, %s", scene->name, faults[1]);
    process = run(scene, faults);
    judge(scene, process, names);
    *doing = '\0';
    made += count_made() > 0;
    runs++;
}

/* Only calls of that name stop for strace, so that a run takes little longer than without it. */
static void fail_once(const struct scene *scene, const char *name, int at, const char *error)
{
    char trace[TEXT], inject[TEXT];
    const char *const faults[] = {"-e", inject, "-e", trace, "--seccomp-bpf", NULL};

    snprintf(trace, sizeof trace, "trace=%s", name);
    snprintf(inject, sizeof inject, "inject=%s:error=%s:when=%d", name, error, at);
    run_with(scene, faults);
}

/* How many of them can be failed, behind those before main. */
static int reach_of(const struct call *call)
{
    int ours = call->first - call->before;

    return call->before == 0 && call->another > ours ? call->another : ours;
}

static void fail_call(const struct scene *scene, const struct call *call,
                      const char *const errors[4])
{
    const int reach = reach_of(call);
    const int at[] = {1, 2, 3, 5, reach};
    size_t next = 0;

    for (size_t i = 0; i < COUNT(at); i++) {
        if (at[i] > reach || reach == 0 || (i + 1 < COUNT(at) && at[i] == reach))
            continue;
        if (next == 4 || !errors[next])
            next = 0;
        fail_once(scene, call->name, call->before + at[i], errors[next++]);
    }
}

/* Not all calls are made again in the same thread, but most. */
static void fail_each(const struct scene *scene)
{
    made = runs = 0;
    learn(scene);
    for (size_t i = 0; i < program.count; i++) {
        const struct call *call = &program.calls[i];
        const struct mishap *mishap = mishap_in(mishaps, COUNT(mishaps), call->name);

        if (!mishap && scene->watched)
            mishap = mishap_in(file_mishaps, COUNT(file_mishaps), call->name);
        if (mishap)
            fail_call(scene, call, mishap->errors);
    }
    print_message("%s: %d faults in %d runs\n", scene->name, made, runs);
    assert_true(made * 4 > runs * 3);
}

static void pairs_of_files(void **state)
{
    (void)state;
    need_faults();
    fail_each(&pairs);
}

static void calls_on_the_files_themselves(void **state)
{
    (void)state;
    need_faults();
    fail_each(&named);
    fail_each(&appended);
}

static void a_fan_of_a_pipe(void **state)
{
    (void)state;
    need_faults();
    fail_each(&fan);
}

static void a_merge(void **state)
{
    (void)state;
    need_faults();
    fail_each(&merge);
}

static void a_pipe_to_a_fifo(void **state)
{
    (void)state;
    need_faults();
    fail_each(&fifos);
}

static void a_socket_to_another(void **state)
{
    (void)state;
    need_faults();
    fail_each(&sockets);
}

static void another_poller(void **state)
{
    (void)state;
    need_faults();
    fail_each(&poll_pairs);
}

static void what_is_shown(void **state)
{
    (void)state;
    need_faults();
    fail_each(&shown);
}

/* ---- every second call is interrupted ---- */

static const char interruptible[] =
    " read pread64 write pwrite64 splice tee copy_file_range sendfile sendfile64 recvfrom sendto "
    "epoll_wait epoll_pwait poll ppoll openat open ftruncate fsync accept4 ";

/* The first is one behind main's beginning. What is written of the total no signal interrupts but
 * one that is to end the program. */
static void interrupt_each(const struct scene *scene)
{
    char texts[CALLS][TEXT];
    const char *faults[WORDS] = {NULL};
    size_t n = 0;

    learn(scene);
    for (size_t i = 0; i < program.count; i++) {
        const struct call *call = &program.calls[i];

        if (!is_among(call->name, interruptible))
            continue;
        assert_true(n + 2 < WORDS - 20);
        snprintf(texts[i], TEXT, "inject=%s:error=EINTR:when=%d+2", call->name, call->before + 1);
        faults[n++] = "-e";
        faults[n++] = texts[i];
    }
    is_quiet = true;
    run_with(scene, faults);
    assert_true(count_made() > 2);
    if (last_status != 0)
        fail_msg("%s: status %d", scene->name, last_status);
}

static void interrupted_calls_are_made_again(void **state)
{
    static const struct scene *const scenes[] = {&pairs, &fan,     &merge,     &fifos,
                                                 &shown, &sockets, &poll_pairs};

    (void)state;
    need_faults();
    for (size_t i = 0; i < COUNT(scenes); i++)
        interrupt_each(scenes[i]);
}

/* ---- a signal that comes late ---- */

/* One comes with each close, up to the last, when the loop has given the signals back; but not with
 * that before there is a loop. */
static void who_asks_too_late_ends_nothing(void **state)
{
    char inject[TEXT];
    const char *const faults[] = {"-e", inject, "-e", "trace=close", NULL};

    (void)state;
    need_faults();
    learn(&pairs);
    snprintf(inject, sizeof inject, "inject=close:signal=SIGUSR1:when=%d+",
             find_call("close")->before + 2);
    run_with(&pairs, faults);
    assert_int_equal(last_status, 0);
}

/* ---- there is no room ---- */

/* FAULT is of calls that are made on the file, one. */
static void expect_no_room(const struct scene *scene, const char *refused)
{
    char refuse[TEXT];
    const char *const faults[] = {"-e", "inject=write:error=ENOSPC:when=1",
                                  "-e", refuse,
                                  "-e", "trace=?write,?splice,?copy_file_range,?sendfile",
                                  NULL};

    snprintf(refuse, sizeof refuse, "inject=?splice,?copy_file_range,?sendfile:error=%s", refused);
    run_with(scene, faults);
    assert_int_equal(last_status, DEST);
}

/* A way that is refused is not the end: write says whether there is room. */
static void a_full_disk_is_told(void **state)
{
    static const char *const full[] = {
        "-e", "inject=?splice,?copy_file_range,?sendfile:error=ENOSPC:when=1", NULL};

    (void)state;
    need_faults();
    expect_no_room(&appended, "ENOSPC");
    expect_no_room(&appended, "ENOSYS");
    run_with(&pairs, full);
    run_with(&fan, full);
    run_with(&merge, full);
}

/* ---- a client that cannot be accepted ---- */

static uint16_t port_of_listener(struct kit_process *process)
{
    static const char says[] = "waiting for a client at 127.0.0.1:";

    kit_await_stderr(process, says);
    return (uint16_t)atoi(strstr(kit_stderr(process), says) + strlen(says));
}

static void accept_fails(const char *error)
{
    char inject[TEXT];
    struct kit_process *process;
    int client;

    prepare_files();
    snprintf(inject, sizeof inject, "inject=?accept,?accept4:error=%s:when=1", error);
    snprintf(doing, sizeof doing, "%s", inject);
    process = kit_run("strace", "-f", "-qq", "-o", log_path, "-e", inject, kit_program("pollcopy"),
                      "--json", "tcp-listen:127.0.0.1:0", "one", NULL);
    client = kit_connect(port_of_listener(process));
    kit_send(client, content, SIZE);
    close(client);
    judge(&named, process, count_names());
    assert_int_equal(last_status, 0);
    assert_true(count_made() > 0);
    *doing = '\0';
}

static void a_client_is_accepted_later(void **state)
{
    static const char *const errors[] = {"ECONNABORTED", "EINTR", "EAGAIN", "EMFILE", "ENOMEM"};

    (void)state;
    need_faults();
    for (size_t i = 0; i < COUNT(errors); i++)
        accept_fails(errors[i]);
}

/* ---- begin and end ---- */

static void write_sources(void)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 31 + i / 251);
    for (size_t i = 0; i < 2 * LINES; i++)
        memcpy(lines + i * strlen(LINE), LINE, strlen(LINE));
    write_file("a", content, SIZE);
    write_file("b", content, SIZE);
    write_file("l1", lines, LINES * strlen(LINE));
    write_file("l2", lines, LINES * strlen(LINE));
}

static int begin(void **state)
{
    static char path[PATH_MAX];

    (void)state;
    *doing = '\0';
    is_quiet = false;
    snprintf(path, sizeof path, "%s/log", kit_folder());
    log_path = path;
    assert_non_null(getcwd(home, sizeof home));
    assert_int_equal(chdir(kit_folder()), 0);
    write_sources();
    prepare_files();
    return 0;
}

static int end(void **state)
{
    if (*doing)
        print_message("with %s\n", doing);
    drop(&in);
    drop(&out);
    if (chdir(home) < 0)
        return -1;
    return kit_cleanup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pairs_of_files, begin, end),
        cmocka_unit_test_setup_teardown(calls_on_the_files_themselves, begin, end),
        cmocka_unit_test_setup_teardown(a_fan_of_a_pipe, begin, end),
        cmocka_unit_test_setup_teardown(a_merge, begin, end),
        cmocka_unit_test_setup_teardown(a_pipe_to_a_fifo, begin, end),
        cmocka_unit_test_setup_teardown(a_socket_to_another, begin, end),
        cmocka_unit_test_setup_teardown(another_poller, begin, end),
        cmocka_unit_test_setup_teardown(what_is_shown, begin, end),
        cmocka_unit_test_setup_teardown(interrupted_calls_are_made_again, begin, end),
        cmocka_unit_test_setup_teardown(who_asks_too_late_ends_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_client_is_accepted_later, begin, end),
    };

    return cmocka_run_group_tests_name("pollcopy-survives-faults", tests, NULL, NULL);
}
