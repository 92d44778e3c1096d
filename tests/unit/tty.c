/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal as a device: standard input and output are a pty while a test runs. What kills a
 * program is tried on children, and judged by what is left behind on the pty.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "ui/tty.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { TYPED_MAX = 256, PIECE = 64 * 1024, CHILD_SECONDS = 60 };

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
static const char guard[] = "\033[rescued";

static struct {
    struct loop *loop;
    struct tty tty;
    int saved[2]; /* what 0 and 1 were */
    int master;
    int slave;
    struct termios before;
    char typed[TYPED_MAX];
    size_t typed_length;
    int ends;   /* calls of on_input that said so */
    int drains; /* calls of on_output */
} t;

static void on_input(void *owner, const char *bytes, size_t n)
{
    assert_ptr_equal(owner, &t);
    if (n == 0) {
        assert_null(bytes);
        t.ends++;
        return;
    }
    assert_true(t.typed_length + n < TYPED_MAX);
    memcpy(t.typed + t.typed_length, bytes, n);
    t.typed_length += n;
}

static void on_output(void *owner)
{
    assert_ptr_equal(owner, &t);
    t.drains++;
}

/* Modes that no program would choose, so that "as they were" says something. */
static void set_odd_modes(void)
{
    assert_int_equal(tcgetattr(t.slave, &t.before), 0);
    t.before.c_iflag |= IXON | ICRNL | IXANY;
    t.before.c_oflag |= OPOST | ONLCR;
    t.before.c_lflag |= ISIG | ICANON | ECHO | IEXTEN | NOFLSH;
    t.before.c_cc[VINTR] = 'x';
    t.before.c_cc[VMIN] = 7;
    t.before.c_cc[VTIME] = 9;
    assert_int_equal(tcsetattr(t.slave, TCSANOW, &t.before), 0);
    assert_int_equal(tcgetattr(t.slave, &t.before), 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.tty.fd = -1;
    assert_int_equal(openpty(&t.master, &t.slave, NULL, NULL, NULL), 0);
    assert_int_equal(fcntl(t.master, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(t.master, F_SETFD, FD_CLOEXEC), 0);
    set_odd_modes();
    for (int fd = 0; fd < 2; fd++) {
        t.saved[fd] = dup(fd);
        assert_int_equal(dup2(t.slave, fd), fd);
    }
    t.loop = loop_new(poller_open("poll"));
    assert_non_null(t.loop);
    return 0;
}

static int teardown(void **state)
{
    tty_close(&t.tty);
    loop_free(t.loop);
    for (int fd = 0; fd < 2; fd++) {
        dup2(t.saved[fd], fd);
        close(t.saved[fd]);
    }
    if (t.master >= 0)
        close(t.master);
    close(t.slave);
    return kit_cleanup(state);
}

static void open_terminal(void)
{
    assert_int_equal(tty_open(&t.tty, t.loop, on_input, on_output, &t), 0);
}

static void begin(void)
{
    open_terminal();
    assert_int_equal(tty_begin(&t.tty, guard, sizeof guard - 1), 0);
}

static void turn(void)
{
    assert_int_equal(loop_turn(t.loop), 0);
}

static void expect_modes_of_before(void)
{
    struct termios after;

    memset(&after, 0, sizeof after); /* it has gaps */
    assert_int_equal(tcgetattr(t.slave, &after), 0);
    assert_memory_equal(&after, &t.before, sizeof after);
}

static bool is_raw_now(void)
{
    struct termios modes;

    return tcgetattr(t.slave, &modes) == 0 && !(modes.c_lflag & (ICANON | ECHO));
}

static void type(const char *bytes, size_t n)
{
    assert_int_equal(write(t.master, bytes, n), n);
}

/* Reads what the terminal was sent until TEXT is its end. */
static void await_sent(const char *text)
{
    char sent[4096];
    size_t length = 0;
    struct pollfd master = {.fd = t.master, .events = POLLIN};

    while (length < strlen(text) || memcmp(sent + length - strlen(text), text, strlen(text)) != 0) {
        ssize_t n;

        assert_int_equal(poll(&master, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
        if (length > sizeof sent / 2) {
            memmove(sent, sent + length - sizeof sent / 4, sizeof sent / 4);
            length = sizeof sent / 4;
        }
        n = read(t.master, sent + length, sizeof sent - length);
        assert_true(n > 0);
        length += (size_t)n;
    }
}

/* ---- modes ---- */

static void modes_are_taken_and_given_back(void **state)
{
    struct termios modes;

    (void)state;
    open_terminal();
    expect_modes_of_before();
    for (int round = 0; round < 3; round++) {
        assert_int_equal(tty_begin(&t.tty, guard, sizeof guard - 1), 0);
        assert_int_equal(tcgetattr(t.slave, &modes), 0);
        assert_int_equal(modes.c_lflag & (ISIG | ICANON | ECHO | IEXTEN), 0);
        assert_int_equal(modes.c_iflag & (IXON | ICRNL | INLCR), 0);
        assert_int_equal(modes.c_oflag & OPOST, 0);
        assert_int_equal(modes.c_cc[VMIN], 1);
        assert_int_equal(modes.c_cc[VTIME], 0);
        assert_int_equal(modes.c_cflag, t.before.c_cflag);
        assert_int_equal(modes.c_lflag & NOFLSH, NOFLSH);
        tty_end(&t.tty);
        expect_modes_of_before();
        t.before.c_cc[VINTR]++; /* the shell may change them while we are stopped */
        assert_int_equal(tcsetattr(t.slave, TCSANOW, &t.before), 0);
    }
    tty_end(&t.tty);
    expect_modes_of_before();
}

/* The shell does that with a program that was stopped by SIGSTOP; or it does not. */
static void modes_are_taken_again(void **state)
{
    struct termios raw;
    struct termios is;

    (void)state;
    memset(&raw, 0, sizeof raw); /* they have gaps */
    memset(&is, 0, sizeof is);
    begin();
    assert_int_equal(tcgetattr(t.slave, &raw), 0);
    assert_int_equal(tty_begin_again(&t.tty), 0);
    assert_int_equal(tcgetattr(t.slave, &is), 0);
    assert_memory_equal(&is, &raw, sizeof is);
    tty_end(&t.tty);
    expect_modes_of_before();
    assert_int_equal(tty_begin(&t.tty, guard, sizeof guard - 1), 0);
    t.before.c_cc[VINTR] = 'y';
    assert_int_equal(tcsetattr(t.slave, TCSANOW, &t.before), 0);
    assert_int_equal(tty_begin_again(&t.tty), 0);
    assert_true(is_raw_now());
    tty_end(&t.tty);
    expect_modes_of_before();
}

static void closing_gives_them_back_too(void **state)
{
    (void)state;
    begin();
    tty_close(&t.tty);
    expect_modes_of_before();
    tty_close(&t.tty);
}

static void what_is_shared_stays_blocking(void **state)
{
    (void)state;
    begin();
    for (int fd = 0; fd < 3; fd++)
        assert_int_equal(fcntl(fd < 2 ? fd : t.slave, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(t.tty.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(t.tty.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(t.tty.output.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void expect_no_terminal(void)
{
    errno = 0;
    assert_int_equal(tty_open(&t.tty, t.loop, on_input, on_output, &t), -1);
    assert_int_equal(errno, ENOTTY);
    tty_close(&t.tty);
}

static void input_and_output_are_one_terminal(void **state)
{
    int other_master;
    int other_slave;
    int ends[2];

    (void)state;
    assert_int_equal(openpty(&other_master, &other_slave, NULL, NULL, NULL), 0);
    assert_int_equal(pipe(ends), 0);
    dup2(other_slave, 1);
    expect_no_terminal();
    dup2(ends[1], 1);
    expect_no_terminal();
    dup2(t.slave, 1);
    dup2(ends[0], 0);
    expect_no_terminal();
    dup2(t.slave, 0);
    begin();
    close(other_master);
    close(other_slave);
    close(ends[0]);
    close(ends[1]);
}

static void signals_that_are_not_fatal_any_more(void **state)
{
    struct sigaction before;
    struct sigaction during;
    struct sigaction after;
    stack_t stack;

    (void)state;
    open_terminal();
    sigaction(SIGSEGV, NULL, &before);
    assert_int_equal(tty_begin(&t.tty, guard, sizeof guard - 1), 0);
    sigaction(SIGSEGV, NULL, &during);
    assert_ptr_not_equal(during.sa_handler, before.sa_handler);
    assert_int_equal(during.sa_flags & SA_ONSTACK, SA_ONSTACK);
    tty_end(&t.tty);
    sigaction(SIGSEGV, NULL, &after);
    assert_ptr_equal(after.sa_handler, before.sa_handler);
    assert_int_equal(sigaltstack(NULL, &stack), 0);
    assert_true(kit_is_instrumented() || (stack.ss_flags & SS_DISABLE));
}

/* ---- bytes ---- */

static void bytes_come_as_they_were_typed(void **state)
{
    static const char typed[] = "a\003\r\n\032\023\021\026\004\377\033[A";

    (void)state;
    begin();
    assert_string_equal(t.tty.watch.name, "terminal");
    type(typed, sizeof typed);
    while (t.typed_length < sizeof typed)
        turn();
    assert_memory_equal(t.typed, typed, sizeof typed);
    assert_int_equal(t.ends, 0);
}

static void nothing_is_read_after_the_end(void **state)
{
    (void)state;
    begin();
    tty_end(&t.tty);
    assert_false(watch_is_started(&t.tty.watch));
    type("line\n", 5);
    tty_await_input(&t.tty, -1, -1);
    assert_int_equal(t.typed_length, 0);
    assert_int_equal(t.ends, 0);
}

static void bytes_go_out_untranslated(void **state)
{
    char sent[16];

    (void)state;
    begin();
    assert_string_equal(t.tty.output.watch.name, "terminal (output)");
    assert_int_equal(tty_write(&t.tty, "a\nb\tc", 5), 0);
    assert_true(tty_is_drained(&t.tty));
    assert_int_equal(read(t.master, sent, sizeof sent), 5);
    assert_memory_equal(sent, "a\nb\tc", 5);
    assert_int_equal(t.drains, 0);
}

/* ---- a terminal that nobody reads ---- */

/* Returns how many bytes were written and queued until N more would not have been taken. */
static size_t fill(size_t n)
{
    static char bytes[PIECE];
    size_t total = 0;

    memset(bytes, '.', sizeof bytes);
    while (output_room(&t.tty.output) >= n && total < n) {
        assert_int_equal(tty_write(&t.tty, bytes, sizeof bytes), 0);
        total += sizeof bytes;
    }
    return total;
}

static void writing_never_blocks(void **state)
{
    static char bytes[PIECE];
    int tries = 0;

    (void)state;
    begin();
    while (tty_write(&t.tty, bytes, sizeof bytes) == 0)
        assert_true(++tries < 1000);
    assert_int_equal(errno, ENOBUFS);
    assert_false(tty_is_drained(&t.tty));
    assert_false(tty_drain(&t.tty, clock_now()));
    assert_int_equal(t.drains, 0);
}

/* Reads what the terminal was sent, and lets the loop write more. */
static size_t read_some(void)
{
    struct pollfd master = {.fd = t.master, .events = POLLIN};
    char sent[4096];
    ssize_t n;

    assert_int_equal(poll(&master, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND)), 1);
    n = read(t.master, sent, sizeof sent);
    assert_true(n > 0);
    assert_int_equal(loop_look(t.loop), 0);
    return (size_t)n;
}

/* A wait of 200 ms, and then all that is dropped stays dropped. */
static void the_end_does_not_wait_for_ever(void **state)
{
    int64_t start;

    (void)state;
    begin();
    fill(8 * PIECE);
    start = clock_now();
    tty_end(&t.tty);
    assert_in_range(clock_now() - start, 200 * CLOCK_MILLISECOND, KIT_DEADLINE_NS);
    expect_modes_of_before();
    assert_true(tty_is_drained(&t.tty));
    assert_int_equal(tty_begin(&t.tty, guard, sizeof guard - 1), 0);
    assert_int_equal(tty_write(&t.tty, "again", 5), 0);
    while (!tty_is_drained(&t.tty))
        read_some();
    assert_int_equal(t.drains, 1);
}

/* /dev/full takes nothing; the terminal itself does. */
static void a_failure_leaves_the_terminal_right(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    begin();
    assert_true(full >= 0);
    assert_int_equal(dup2(full, t.tty.output.fd), t.tty.output.fd);
    close(full);
    assert_int_equal(tty_write(&t.tty, "text", 4), -1);
    assert_int_equal(errno, ENOSPC);
    tty_end(&t.tty);
    await_sent(guard);
    expect_modes_of_before();
}

static void it_is_told_when_all_is_written(void **state)
{
    size_t left;

    (void)state;
    begin();
    for (left = fill(4 * PIECE); left > 0;)
        left -= read_some();
    assert_true(tty_is_drained(&t.tty));
    assert_int_equal(t.drains, 1);
}

/* ---- children ---- */

typedef void run_fn(void);

/* Waits until nobody has the other end of ALIVE, and returns the wait status of PID. */
static int await_end(pid_t pid, int alive)
{
    struct pollfd gone = {.fd = alive};
    int status;
    int n = poll(&gone, 1, (int)(KIT_DEADLINE_NS / CLOCK_MILLISECOND));

    close(alive);
    if (n != 1)
        kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(n, 1);
    return status;
}

/* Runs FN in a child, without the handlers that cmocka and the sanitizers have. Returns its wait
 * status. */
static int run_child(run_fn *fn)
{
    struct rlimit none = {0, 0};
    int alive[2];
    pid_t pid;

    assert_int_equal(pipe(alive), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(alive[0]);
        setrlimit(RLIMIT_CORE, &none);
        for (size_t i = 0; i < COUNT(fatal); i++)
            signal(fatal[i], SIG_DFL);
        fn();
        _exit(0);
    }
    close(alive[1]);
    return await_end(pid, alive[0]);
}

/* For children: says no by the exit status, since the parent has cmocka. */
static void insist(bool condition)
{
    if (!condition)
        _exit(3);
}

static void expect_exit_0(run_fn *fn)
{
    int status = run_child(fn);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void begin_in_child(void)
{
    insist(tty_open(&t.tty, t.loop, on_input, on_output, &t) == 0);
    insist(tty_begin(&t.tty, guard, sizeof guard - 1) == 0);
    insist(is_raw_now());
}

static void read_for_ever(void)
{
    struct pollfd master = {.fd = t.master, .events = POLLIN};
    char sent[65536];

    while (poll(&master, 1, -1) > 0 && read(t.master, sent, sizeof sent) != 0)
        continue;
    _exit(0);
}

static void draining_waits_for_the_reader(void **state)
{
    pid_t reader;

    (void)state;
    begin();
    fill(16 * PIECE);
    reader = fork();
    if (reader == 0) {
        alarm(CHILD_SECONDS);
        read_for_ever();
    }
    assert_true(tty_drain(&t.tty, clock_now() + KIT_DEADLINE_NS));
    assert_true(tty_is_drained(&t.tty));
    kill(reader, SIGKILL);
    assert_int_equal(waitpid(reader, NULL, 0), reader);
}

/* ---- fatal signals ---- */

static void fault(void)
{
    volatile int *page = mmap(NULL, sizeof *page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    begin_in_child();
    *page = 0;
}

static void give_up(void)
{
    begin_in_child();
    abort();
}

static int descend(volatile char *above)
{
    volatile char here[4096];

    here[0] = 1;
    return above && above[0] == 0 ? 0 : descend(here) + here[0];
}

static void overflow(void)
{
    begin_in_child();
    _exit(descend(NULL));
}

static int signal_to_raise;

static void raise_signal(void)
{
    begin_in_child();
    raise(signal_to_raise);
}

static void expect_death(run_fn *fn, int signo)
{
    int status = run_child(fn);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signo);
    await_sent(guard);
    expect_modes_of_before();
}

static void fatal_signals_leave_the_terminal_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fatal); i++) {
        signal_to_raise = fatal[i];
        expect_death(raise_signal, fatal[i]);
    }
}

static void faults_leave_the_terminal_right(void **state)
{
    (void)state;
    expect_death(fault, SIGSEGV);
    expect_death(give_up, SIGABRT);
    expect_death(overflow, SIGSEGV);
}

static void raise_ignored(void)
{
    signal(SIGTRAP, SIG_IGN);
    begin_in_child();
    raise(SIGTRAP);
}

static void what_was_ignored_is_fatal_too(void **state)
{
    (void)state;
    expect_death(raise_ignored, SIGTRAP);
}

static void exit_with_number(int signo)
{
    _exit(signo);
}

static void raise_handled(void)
{
    signal(SIGTRAP, exit_with_number);
    begin_in_child();
    raise(SIGTRAP);
}

static void what_was_handled_is_handled_afterwards(void **state)
{
    int status;

    (void)state;
    status = run_child(raise_handled);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SIGTRAP);
    expect_modes_of_before();
}

static void die_stalled(void)
{
    begin_in_child();
    fill(4 * PIECE);
    abort();
}

static void a_fatal_signal_does_not_wait_for_a_reader(void **state)
{
    int status;

    (void)state;
    status = run_child(die_stalled);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    expect_modes_of_before();
}

static void lose_a_child(void)
{
    pid_t pid;

    begin_in_child();
    pid = fork();
    if (pid == 0)
        abort();
    insist(waitpid(pid, NULL, 0) == pid);
    insist(is_raw_now());
    insist(poll(&(struct pollfd){.fd = t.master, .events = POLLIN}, 1, 0) == 0);
}

static void a_child_that_dies_leaves_the_terminal_alone(void **state)
{
    (void)state;
    expect_exit_0(lose_a_child);
}

/* ---- job control ---- */

static void take_terminal(pid_t group)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTTOU);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    insist(tcsetpgrp(t.slave, group) == 0);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

static pid_t start_in_background(run_fn *fn)
{
    pid_t pid;

    insist(setsid() >= 0 && ioctl(t.slave, TIOCSCTTY, 0) == 0);
    pid = fork();
    insist(pid >= 0);
    setpgid(pid, pid); /* in both, since either may be first */
    if (pid == 0) {
        alarm(CHILD_SECONDS);
        fn();
        _exit(0);
    }
    return pid;
}

static void await_stop(pid_t pid, int signo)
{
    int status;

    insist(waitpid(pid, &status, WUNTRACED) == pid);
    insist(WIFSTOPPED(status) && WSTOPSIG(status) == signo);
}

static void begin_and_stop(void)
{
    begin_in_child();
    raise(SIGSTOP);
    tty_end(&t.tty);
}

static void behave_as_a_shell(void)
{
    pid_t pid = start_in_background(begin_and_stop);
    int status;

    await_stop(pid, SIGTTOU);
    insist(!is_raw_now());
    take_terminal(pid);
    insist(kill(pid, SIGCONT) == 0);
    await_stop(pid, SIGSTOP);
    insist(is_raw_now());
    take_terminal(getpid());
    insist(kill(pid, SIGABRT) == 0 && kill(pid, SIGCONT) == 0);
    insist(waitpid(pid, &status, WUNTRACED) == pid);
    insist(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    insist(!is_raw_now());
}

/* valgrind preloads a library of its own. */
static bool is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload");
}

static void the_background_waits_but_not_when_it_dies(void **state)
{
    (void)state;
    if (is_under_valgrind()) {
        dup2(t.saved[1], 1); /* for the reason to be read */
        kit_skip("valgrind does not stop a process by SIGTTOU in the middle of a call");
    }
    expect_exit_0(behave_as_a_shell);
    expect_modes_of_before();
}

/* ---- hang-up ---- */

static void hang_up(void)
{
    close(t.master);
    t.master = -1;
}

static void a_hang_up_is_told_once(void **state)
{
    (void)state;
    begin();
    type("last", 4);
    while (t.typed_length == 0)
        turn();
    hang_up();
    turn();
    assert_int_equal(t.ends, 1);
    assert_false(watch_is_started(&t.tty.watch));
    tty_await_input(&t.tty, -1, -1);
    assert_int_equal(t.ends, 1);
    assert_int_equal(tty_write(&t.tty, "x", 1), -1);
    assert_int_equal(errno, EIO);
    assert_false(tty_drain(&t.tty, -1));
    tty_end(&t.tty);
    assert_int_equal(t.ends, 1);
}

static void a_hang_up_ends_what_is_queued(void **state)
{
    (void)state;
    begin();
    fill(4 * PIECE);
    hang_up();
    assert_false(tty_drain(&t.tty, -1));
    assert_int_equal(t.drains, 1);
    turn();
    assert_int_equal(t.ends, 1);
    tty_end(&t.tty);
}

static void a_hang_up_outside_of_the_loop(void **state)
{
    (void)state;
    begin();
    hang_up();
    tty_await_input(&t.tty, -1, -1);
    assert_int_equal(t.ends, 1);
    tty_await_input(&t.tty, -1, -1);
    assert_int_equal(t.ends, 1);
}

/* ---- outside of the loop ---- */

static void input_is_awaited_outside_of_the_loop(void **state)
{
    int ends[2];

    (void)state;
    begin();
    assert_int_equal(pipe(ends), 0);
    tty_await_input(&t.tty, ends[0], clock_now() + 5 * CLOCK_MILLISECOND);
    assert_int_equal(t.typed_length, 0);
    assert_int_equal(write(ends[1], "", 1), 1);
    tty_await_input(&t.tty, ends[0], -1);
    assert_int_equal(t.typed_length, 0);
    type("key", 3);
    tty_await_input(&t.tty, ends[0], -1);
    while (t.typed_length < 3)
        tty_await_input(&t.tty, -1, -1);
    assert_memory_equal(t.typed, "key", 3);
    close(ends[0]);
    close(ends[1]);
}

static void what_is_queued_goes_out_meanwhile(void **state)
{
    char sent[65536];

    (void)state;
    begin();
    fill(4 * PIECE);
    while (!tty_is_drained(&t.tty)) {
        while (read(t.master, sent, sizeof sent) > 0)
            continue;
        tty_await_input(&t.tty, -1, clock_now() + CLOCK_MILLISECOND);
    }
    assert_int_equal(t.drains, 1);
    assert_int_equal(t.typed_length, 0);
}

static void do_nothing(int signo)
{
    (void)signo;
}

/* It comes again and again, so it does not matter when the wait begins. */
static void a_signal_ends_the_wait(void **state)
{
    struct sigaction action = {.sa_handler = do_nothing};
    struct itimerval often = {{0, 10000}, {0, 10000}};
    struct itimerval never = {{0, 0}, {0, 0}};

    (void)state;
    begin();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    tty_await_input(&t.tty, -1, -1);
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_DFL);
    assert_int_equal(t.typed_length + (size_t)t.ends, 0);
}

/* poll(2) refuses more descriptors than a process may have. */
static void a_wait_that_fails_ends_the_input(void **state)
{
    struct rlimit before, few;

    (void)state;
    if (kit_is_instrumented())
        kit_skip("valgrind keeps the limit to itself");
    begin();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    tty_await_input(&t.tty, -1, -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(t.ends, 1);
}

/* ---- size ---- */

static void expect_size(unsigned short rows, unsigned short columns, int want_rows,
                        int want_columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    int got_rows;
    int got_columns;

    assert_int_equal(ioctl(t.master, TIOCSWINSZ, &size), 0);
    tty_size(&t.tty, &got_rows, &got_columns);
    assert_int_equal(got_rows, want_rows);
    assert_int_equal(got_columns, want_columns);
}

static void the_size_is_within_bounds(void **state)
{
    (void)state;
    open_terminal();
    expect_size(30, 100, 30, 100);
    expect_size(0, 0, 24, 80);
    expect_size(1, 1, 1, 1);
    expect_size(65535, 1001, 1000, 1000);
    expect_size(1000, 0, 1000, 80);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(modes_are_taken_and_given_back),
        CASE(modes_are_taken_again),
        CASE(closing_gives_them_back_too),
        CASE(what_is_shared_stays_blocking),
        CASE(input_and_output_are_one_terminal),
        CASE(signals_that_are_not_fatal_any_more),
        CASE(bytes_come_as_they_were_typed),
        CASE(nothing_is_read_after_the_end),
        CASE(bytes_go_out_untranslated),
        CASE(writing_never_blocks),
        CASE(the_end_does_not_wait_for_ever),
        CASE(a_failure_leaves_the_terminal_right),
        CASE(it_is_told_when_all_is_written),
        CASE(draining_waits_for_the_reader),
        CASE(fatal_signals_leave_the_terminal_right),
        CASE(faults_leave_the_terminal_right),
        CASE(what_was_ignored_is_fatal_too),
        CASE(what_was_handled_is_handled_afterwards),
        CASE(a_fatal_signal_does_not_wait_for_a_reader),
        CASE(a_child_that_dies_leaves_the_terminal_alone),
        CASE(the_background_waits_but_not_when_it_dies),
        CASE(a_hang_up_is_told_once),
        CASE(a_hang_up_ends_what_is_queued),
        CASE(a_hang_up_outside_of_the_loop),
        CASE(input_is_awaited_outside_of_the_loop),
        CASE(what_is_queued_goes_out_meanwhile),
        CASE(a_signal_ends_the_wait),
        CASE(a_wait_that_fails_ends_the_input),
        CASE(the_size_is_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
