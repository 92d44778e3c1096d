/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What somebody has who installs the package and has nothing else of it: all files are there; the
 * examples compile with what pkg-config says and the strictest options, with the shared library and
 * with the static one, and do what they promise; both libraries show the names of the interface and
 * no others.
 *
 * `make install` is run once, into a folder, and with nothing left to be built: other tests use the
 * programs meanwhile.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/kit.h"

/* Where all of it is; the scripts have these as variables, too. */
static struct {
    const char *folder; /* $DEST: the root of the installation */
    char work[512];     /* $WORK: for what is made of it */
    bool is_installed;
} here;

/* Runs a script of sh, with a $1 unless that is NULL, and fails, with all that it said, unless it
 * ends with 0. */
static struct kit_process *script_of(const char *text, const char *argument)
{
    struct kit_process *process = kit_run("sh", "-euc", text, "sh", argument, NULL);
    int status = kit_end(process);

    if (status != 0) {
        print_error("%s\n%s\n%s\n", text, kit_stdout(process, NULL), kit_stderr(process));
        fail_msg("a script ended with %d", status);
    }
    return process;
}

static struct kit_process *script(const char *text)
{
    return script_of(text, NULL);
}

/* Sets NAME, for all that is started, to what the script prints, up to the newline. */
static void set(const char *name, const char *text)
{
    struct kit_process *process = script(text);
    char *value = strdup(kit_stdout(process, NULL));

    value[strcspn(value, "\n")] = '\0';
    kit_env(name, value);
    free(value);
}

/* The make that runs the tests must not be mixed up with the one in here. */
static void install(void)
{
    here.folder = kit_folder();
    snprintf(here.work, sizeof here.work, "%s", kit_folder());
    kit_env("DEST", here.folder);
    kit_env("WORK", here.work);
    kit_env("MAKEFLAGS", NULL);
    kit_env("MFLAGS", NULL);
    kit_env("MAKELEVEL", NULL);
    kit_env("POLLSPIN_BACKEND", NULL);
    script("cd \"$TEST_BUILDDIR\"\n"
           "built='pollspin delayserver pollcopy libpollspin.la libpollspin.a'\n"
           "before=$(ls -il $built)\n"
           "make -s install DESTDIR=\"$DEST\"\n"
           "[ \"$before\" = \"$(ls -il $built)\" ] || { echo it built something; exit 1; }");
    set("LIB", "cd \"$(dirname \"$(find \"$DEST\" -name pollspin.pc)\")/..\" && pwd");
    set("MAN", "cd \"$(dirname \"$(find \"$DEST\" -name poller.3)\")/..\" && pwd");
    set("PKG_CONFIG_PATH", "echo \"$LIB/pkgconfig\"");
    set("LD_LIBRARY_PATH", "echo \"$LIB\"");
    script("cp \"$(dirname \"$(find \"$DEST\" -name time-client.c)\")\"/*.c \"$WORK\"");
    kit_env("PKG_CONFIG_SYSROOT_DIR", here.folder);
    kit_env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1"); /* where the prefix is /usr */
    kit_env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1");
    here.is_installed = true;
}

/* Each test begins with one of these two. */
static void begin(void)
{
    if (!getenv("TEST_CC") || !getenv("TEST_SRCDIR"))
        kit_skip("`make check` says where the sources are and which compiler it is");
    if (!here.folder)
        install();
    assert_true(here.is_installed); /* the first test that wanted it says why it is not */
}

static void begin_without_wrapper(void)
{
    const char *wrapper = getenv("TEST_WRAPPER");

    if (wrapper && *wrapper)
        kit_skip("none of our programs runs in it, so there is nothing to be wrapped");
    begin();
}

/* ---- what is there ---- */

/* Only the last folder is looked at, since each of them can be chosen by an option of configure. */
static void all_files_are_there(void **state)
{
    (void)state;
    begin_without_wrapper();
    script("lib=$(basename \"$LIB\")\n"
           "{\n"
           "    printf '%s\\n' bin/delayserver bin/pollcopy bin/pollspin man1/delayserver.1 \\\n"
           "        man1/pollcopy.1 man1/pollspin.1 \\\n"
           "        man3/loop.3 man3/poller.3 man7/pollspin.7 pkgconfig/pollspin.pc \\\n"
           "        pollspin/link.h pollspin/loop.h pollspin/poller.h \\\n"
           "        $lib/libpollspin.a $lib/libpollspin.la $lib/libpollspin.so \\\n"
           "        $lib/libpollspin.so.N $lib/libpollspin.so.N.N.N\n"
           "    sed 's#.*#man3/&.3#' \"$TEST_SRCDIR/src/pollspin.sym\"\n"
           "    cd \"$TEST_SRCDIR/doc\" && ls examples/*.c\n"
           "} | sort >\"$WORK/expected\"\n"
           "find \"$DEST\" ! -type d |\n"
           "    sed 's#.*/\\([^/]*/[^/]*\\)$#\\1#; /\\.so\\./s/[0-9][0-9]*/N/g' |\n"
           "    sort | diff \"$WORK/expected\" -");
}

static void no_file_knows_the_build_folder(void **state)
{
    (void)state;
    begin_without_wrapper();
    script("! grep -F \"$TEST_BUILDDIR/\" \"$LIB\"/*.la \"$LIB\"/pkgconfig/*.pc");
}

static void each_function_has_its_page(void **state)
{
    (void)state;
    begin_without_wrapper();
    script("while read -r name; do\n"
           "    page=$(sed -n 's/^\\.so //p' \"$MAN/man3/$name.3\")\n"
           "    grep -q \"^\\.Nm $name\\( ,\\)*$\" \"$MAN/$page\" &&\n"
           "        grep -q \"^\\.F[no] $name\\( \\|$\\)\" \"$MAN/$page\" ||\n"
           "        { echo \"$name is not in ${page:-any page}\"; exit 1; }\n"
           "done <\"$TEST_SRCDIR/src/pollspin.sym\"");
}

static void headers_declare_the_interface(void **state)
{
    (void)state;
    begin_without_wrapper();
    script("cd \"$(dirname \"$(find \"$DEST\" -name poller.h)\")\"\n"
           "sed -n '/^typedef/d; s/^[a-z].*[ *]\\([a-z_]*\\)(.*/\\1/p' *.h | sort |\n"
           "    diff \"$TEST_SRCDIR/src/pollspin.sym\" -");
}

static void libraries_show_the_interface_alone(void **state)
{
    (void)state;
    if (!kit_has("nm"))
        kit_skip("nm is not here");
    begin_without_wrapper();
    script("nm -D --defined-only \"$LIB/libpollspin.so\" | awk 'NF > 2 { print $3 }' | sort |\n"
           "    diff \"$TEST_SRCDIR/src/pollspin.sym\" -");
    if (!kit_has("objcopy"))
        kit_skip("objcopy is not here: the static library shows all its names");
    script("nm -g --defined-only \"$LIB/libpollspin.a\" | awk 'NF > 2 { print $3 }' | sort |\n"
           "    diff \"$TEST_SRCDIR/src/pollspin.sym\" -");
}

static void headers_are_those_of_cplusplus_too(void **state)
{
    (void)state;
    if (!kit_has("c++") || !kit_has("nm"))
        kit_skip("c++ or nm is not here");
    begin_without_wrapper();
    script("cd \"$WORK\"\n"
           "for header in link loop poller; do\n"
           "    echo \"#include <pollspin/$header.h>\" >alone.cc\n"
           "    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \\\n"
           "        $(pkg-config --cflags pollspin) alone.cc\n"
           "done\n"
           "echo 'int main() { return loop_run(loop_new(poller_open(nullptr))); }' >>alone.cc\n"
           "sed -i.old s/poller.h/loop.h/ alone.cc\n"
           "c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -c $(pkg-config --cflags pollspin) "
           "alone.cc\n"
           "nm alone.o | grep -q 'U _*poller_open$'");
}

/* ---- programs ---- */

/* Compiles NAME.c as a stranger would, to NAME and NAME-static. */
static void compile(const char *name)
{
    script_of("cd \"$WORK\"\n"
              "build() {\n"
              "    $TEST_CC ${TEST_CFLAGS-} -std=c11 -Wall -Wextra -Wpedantic -Werror \\\n"
              "        $(pkg-config --cflags pollspin) -o \"$@\"\n"
              "}\n"
              "build \"$1\" \"$1.c\" $(pkg-config --libs pollspin)\n"
              "build \"$1-static\" \"$1.c\" $(pkg-config --static --libs pollspin |\n"
              "    sed \"s#-lpollspin#$LIB/libpollspin.a#\")",
              name);
}

/* Starts one that was compiled. The static one must do without the shared library. */
static struct kit_process *start(const char *name, const char *kind, const char *first,
                                 const char *second)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s%s", here.work, name, kind);
    return kit_run("sh", "-c",
                   "case $0 in *-static) unset LD_LIBRARY_PATH ;; esac\n"
                   "exec ${TEST_WRAPPER-} \"$0\" \"$@\"",
                   path, first, second, NULL);
}

typedef void trial_fn(const char *name, const char *kind);

/* Compiles an example and tries it with both libraries; valgrind sees the same in either. */
static void try_example(const char *name, trial_fn *trial)
{
    begin();
    compile(name);
    trial(name, "");
    if (!getenv("TEST_WRAPPER") || !*getenv("TEST_WRAPPER"))
        trial(name, "-static");
}

/* The first N frames of a spinner. */
static char *frames(size_t n)
{
    char *text = calloc(n + 1, 2);

    for (size_t i = 0; i < n; i++)
        sprintf(text + 2 * i, "%c\b", "|/-\\"[i % 4]);
    return text;
}

/* Waits until the spinner has turned on by N frames. */
static void await_frames(struct kit_process *process, size_t n)
{
    char *text = frames(strlen(kit_stderr(process)) / 2 + n);

    kit_await_stderr(process, text);
    free(text);
}

static void trial_time_client(const char *name, const char *kind)
{
    uint16_t port;
    char text[8];
    struct kit_process *server = kit_server(&port, "--interval=0.2", "delay@0", NULL);
    struct kit_process *client;

    snprintf(text, sizeof text, "%u", port);
    client = start(name, kind, text, NULL);
    kit_await_lines(client, 3);
    await_frames(client, 2);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(client), 0);
    assert_int_equal(kit_end(server), 0);
}

static void time_client_prints_lines(void **state)
{
    (void)state;
    try_example("time-client", trial_time_client);
}

/* Sends until the server takes no more; returns how much that was. */
static size_t fill(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    const int stall_ms = 300;
    char bytes[4096];
    size_t sent = 0;

    memset(bytes, 'x', sizeof bytes);
    while (poll(&pollfd, 1, stall_ms) > 0) {
        ssize_t n = send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
    }
    return sent;
}

static void assert_echoes(int fd)
{
    char bytes[8];

    kit_send(fd, "hello\r\n", 7);
    kit_receive_all(fd, bytes, 7);
    assert_memory_equal(bytes, "hello\r\n", 7);
}

static void trial_echo_server(const char *name, const char *kind)
{
    struct kit_process *server = start(name, kind, NULL, NULL);
    uint16_t port = kit_port(server, "echo");
    int stalled = kit_connect(port);
    int good = kit_connect(port);
    char bytes[4096];
    size_t received = 0;
    size_t sent = fill(stalled);
    ssize_t n;

    assert_echoes(good);
    shutdown(stalled, SHUT_WR);
    while ((n = kit_receive(stalled, bytes, sizeof bytes)) > 0)
        received += (size_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(received, sent);
    kit_reset(kit_connect(port));
    assert_echoes(good);
    kit_signal(server, SIGTERM);
    assert_int_equal(kit_end(server), 0);
}

static void echo_server_echoes(void **state)
{
    (void)state;
    try_example("echo-server", trial_echo_server);
}

/* Makes two fifos and stores their paths. */
static void make_fifos(char first[512], char second[512])
{
    const char *folder = kit_folder();

    snprintf(first, 512, "%s/a", folder);
    snprintf(second, 512, "%s/b", folder);
    assert_int_equal(mkfifo(first, 0600), 0);
    assert_int_equal(mkfifo(second, 0600), 0);
}

/* Writes 200000 bytes to the one and five to the other, both open for the whole time. */
static void write_fifos(const char *first, const char *second)
{
    struct kit_process *writer = kit_run("sh", "-c",
                                         "exec 3>\"$0\" 4>\"$1\"; printf hello >&4\n"
                                         "head -c 200000 /dev/zero | tr '\\0' x >&3",
                                         first, second, NULL);

    assert_int_equal(kit_end(writer), 0);
}

static void trial_edge_drain(const char *name, const char *kind)
{
    char first[512];
    char second[512];
    char line[600];
    struct kit_process *process;

    make_fifos(first, second);
    process = start(name, kind, first, second);
    write_fifos(first, second);
    assert_int_equal(kit_end(process), 0);
    snprintf(line, sizeof line, "%s: 200000 bytes\n", first);
    kit_await_stdout(process, line);
    snprintf(line, sizeof line, "%s: 5 bytes\n", second);
    kit_await_stdout(process, line);
}

static void edge_drain_counts(void **state)
{
    struct kit_process *process;

    (void)state;
    try_example("edge-drain", trial_edge_drain);
    kit_env("POLLSPIN_BACKEND", "poll");
    process = start("edge-drain", "", NULL, NULL);
    assert_int_equal(kit_end(process), 1);
    kit_await_stderr(process, "poll knows states only, not edges\n");
    kit_env("POLLSPIN_BACKEND", NULL);
}

static void trial_oneshot_worker(const char *name, const char *kind)
{
    char first[512];
    char second[512];
    struct kit_process *process;
    const char *output;
    size_t length;

    make_fifos(first, second);
    process = start(name, kind, first, second);
    write_fifos(first, second);
    assert_int_equal(kit_end(process), 0);
    output = kit_stdout(process, &length);
    assert_int_equal(length, 200005);
    assert_non_null(strstr(output, "HELLO"));
    assert_int_equal(strspn(output, "HELOX"), length);
}

static void oneshot_worker_loses_nothing(void **state)
{
    (void)state;
    try_example("oneshot-worker", trial_oneshot_worker);
}

/* More than a pipe holds, and less than two of them do. */
enum { COPIED = 100000 };

/* Who turns a spinner and does nothing else sleeps nearly all of the time. */
static void assert_sleeps(struct kit_process *process)
{
    const int64_t most_ns = INT64_C(150000000);
    const size_t half_a_second = 10;
    int64_t before = kit_cpu(kit_pid(process));

    await_frames(process, half_a_second);
    if (!kit_is_instrumented())
        assert_true(kit_cpu(kit_pid(process)) - before < most_ns);
}

static void trial_copy(const char *name, const char *kind)
{
    struct kit_process *process = start(name, kind, NULL, NULL);
    char *bytes = malloc(COPIED);
    const char *output;
    size_t length;

    for (int i = 0; i < COPIED; i++)
        bytes[i] = (char)(i % 251);
    kit_type(process, "one\n");
    kit_await_stdout(process, "one\n");
    assert_sleeps(process);
    kit_stall_stdout(process, true);
    kit_type_bytes(process, bytes, COPIED);
    assert_sleeps(process);
    kit_stall_stdout(process, false);
    kit_type_end(process);
    assert_int_equal(kit_end(process), 0);
    output = kit_stdout(process, &length);
    assert_int_equal(length, 4 + COPIED);
    assert_memory_equal(output + 4, bytes, COPIED);
    free(bytes);
}

static void poll_by_hand_copies(void **state)
{
    (void)state;
    try_example("poll-by-hand", trial_copy);
}

static void poll_by_library_copies(void **state)
{
    (void)state;
    try_example("poll-by-library", trial_copy);
}

static void trial_watch_file(const char *name, const char *kind)
{
    char path[512];
    char moved[512];
    const char *folder = kit_folder();
    struct kit_process *process;
    FILE *file;

    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(moved, sizeof moved, "%s/moved", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    process = start(name, kind, path, NULL);
    kit_await_stdout(process, "watching\n");
    fputs("text", file);
    fclose(file);
    kit_await_stdout(process, "write ");
    assert_int_equal(rename(path, moved), 0);
    kit_await_stdout(process, "rename ");
    unlink(moved);
    assert_int_equal(kit_end(process), 0);
    kit_await_stdout(process, "delete ");
}

static void watch_file_tells(void **state)
{
#ifdef __linux__
    (void)state;
    try_example("watch-file", trial_watch_file);
#else
    (void)state;
    kit_skip("tried with inotify(7) only");
#endif
}

/* A program that has functions of its own under names that the library uses inside. */
static const char own_names[] =
    "#include <pollspin/loop.h>\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "static int calls;\n"
    "void list_append(void); void text_add(void); void clock_now(void); void heap_insert(void);\n"
    "void list_append(void) { calls++; }\n"
    "void text_add(void) { calls++; }\n"
    "void clock_now(void) { calls++; }\n"
    "void heap_insert(void) { calls++; }\n"
    "static void stop(void *loop) { loop_stop((struct loop *)loop); }\n"
    "int main(void)\n"
    "{\n"
    "    struct loop *loop = loop_new(NULL);\n"
    "    struct timer timer;\n"
    "    char names[20];\n"
    "    timer_init(&timer, loop, stop, loop);\n"
    "    if (timer_set(&timer, loop_now(loop) + 1000000) < 0 || loop_run(loop) < 0)\n"
    "        return 1;\n"
    "    poller_event_names(names, sizeof names, POLLER_IN | POLLER_HUP);\n"
    "    loop_free(loop);\n"
    "    list_append(), text_add(), clock_now(), heap_insert();\n"
    "    printf(\"%s, %d calls\\n\", names, calls);\n"
    "    return 0;\n"
    "}\n";

static void trial_own_names(const char *kind)
{
    struct kit_process *process = start("own-names", kind, NULL, NULL);

    assert_int_equal(kit_end(process), 0);
    assert_string_equal(kit_stdout(process, NULL), "IN|HUP, 4 calls\n");
}

static void program_has_names_of_its_own(void **state)
{
    char path[600];
    FILE *file;

    (void)state;
    if (!kit_has("objcopy"))
        kit_skip("objcopy is not here: the static library shows all its names");
    begin_without_wrapper();
    snprintf(path, sizeof path, "%s/own-names.c", here.work);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(own_names, file);
    assert_int_equal(fclose(file), 0);
    compile("own-names");
    trial_own_names("");
    trial_own_names("-static");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files_are_there),
        cmocka_unit_test(no_file_knows_the_build_folder),
        cmocka_unit_test(each_function_has_its_page),
        cmocka_unit_test(headers_declare_the_interface),
        cmocka_unit_test(libraries_show_the_interface_alone),
        cmocka_unit_test(headers_are_those_of_cplusplus_too),
        cmocka_unit_test(time_client_prints_lines),
        cmocka_unit_test(echo_server_echoes),
        cmocka_unit_test(edge_drain_counts),
        cmocka_unit_test(oneshot_worker_loses_nothing),
        cmocka_unit_test(poll_by_hand_copies),
        cmocka_unit_test(poll_by_library_copies),
        cmocka_unit_test(watch_file_tells),
        cmocka_unit_test(program_has_names_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, kit_cleanup); /* one installation for all */
}
