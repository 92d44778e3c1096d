/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariant: while it has begun, rescue holds all that is needed to put the terminal right, and the
 * handler of fatal signals is in place; before and after it is not.
 *
 * That handler runs at any moment, on a stack of its own, since the usual one may be what has
 * overflowed (sigaltstack(2)). It may call only what signal-safety(7) lists. It sets the modes
 * first and then writes, because a terminal that nobody reads takes the modes at once and the bytes
 * perhaps never: it waits for a moment and goes on. Then the signal does what it would have done.
 *
 * A process in the background that sets modes is stopped (SIGTTOU); that is job control, and right.
 * Only the handler, which must come to its end, has the signal blocked.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ui/tty.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    TTY_QUEUE = 16 << 20, /* bytes: more than the largest frame */
    TTY_READ = 4096,
    TTY_SIZE_MAX = 1000,
    RESCUE_STACK = 64 * 1024,
    RESCUE_TRIES = 10, /* to write, each after a wait of so many milliseconds */
    RESCUE_WAIT_MS = 20
};

static const int64_t end_ns = 200 * CLOCK_MILLISECOND;

/* ---- when all else has failed ---- */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

/* Signals belong to the process, and so does this. */
static struct {
    int fd;
    pid_t process; /* a child that has not become another program has our handlers too */
    struct termios modes;
    const char *bytes;
    size_t length;
    struct sigaction before[COUNT(fatal)];
    stack_t stack_before;
    char stack[RESCUE_STACK];
} rescue;

static void rescue_write(void)
{
    struct pollfd terminal = {.fd = rescue.fd, .events = POLLOUT};
    const char *bytes = rescue.bytes;
    size_t left = rescue.length;

    for (int tries = 0; left > 0 && tries < RESCUE_TRIES;) {
        ssize_t written = write(rescue.fd, bytes, left);

        if (written < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (written <= 0) {
            tries++;
            poll(&terminal, 1, RESCUE_WAIT_MS);
            continue;
        }
        bytes += written;
        left -= (size_t)written;
    }
}

/* Gives SIGNO back what it did before, but what was ignored would leave us running on after it. */
static void rescue_restore_action(int signo)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};

    for (size_t i = 0; i < COUNT(fatal); i++)
        if (fatal[i] == signo && rescue.before[i].sa_handler != SIG_IGN)
            usual = rescue.before[i];
    sigaction(signo, &usual, NULL);
}

static void rescue_handler(int signo)
{
    if (getpid() == rescue.process) {
        tcsetattr(rescue.fd, TCSANOW, &rescue.modes);
        rescue_write();
    }
    rescue_restore_action(signo);
    raise(signo); /* it comes when the handler returns */
}

static int rescue_arm_stack(void)
{
    stack_t stack = {.ss_sp = rescue.stack, .ss_size = sizeof rescue.stack};

    return sigaltstack(&stack, &rescue.stack_before);
}

static void rescue_disarm(size_t count)
{
    for (size_t i = 0; i < count; i++)
        sigaction(fatal[i], &rescue.before[i], NULL);
    sigaltstack(&rescue.stack_before, NULL);
}

/* All signals are blocked while it runs, SIGTTOU among them. */
static int rescue_arm(const struct tty *tty, const char *bytes, size_t n)
{
    struct sigaction action = {.sa_handler = rescue_handler, .sa_flags = SA_ONSTACK};

    rescue.fd = tty->fd;
    rescue.process = getpid();
    rescue.modes = tty->before;
    rescue.bytes = bytes;
    rescue.length = n;
    sigfillset(&action.sa_mask);
    if (rescue_arm_stack() < 0)
        return -1;
    for (size_t i = 0; i < COUNT(fatal); i++)
        if (sigaction(fatal[i], &action, &rescue.before[i]) < 0) {
            int error = errno;

            rescue_disarm(i);
            errno = error;
            return -1;
        }
    return 0;
}

/* ---- modes ---- */

static int set_modes(int fd, const struct termios *modes)
{
    int result;

    do
        result = tcsetattr(fd, TCSANOW, modes);
    while (result < 0 && errno == EINTR);
    return result;
}

static struct termios raw_modes(const struct termios *before)
{
    struct termios modes = *before;

    modes.c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | IEXTEN);
    modes.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
    modes.c_oflag &= ~(tcflag_t)OPOST;
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    return modes;
}

/* Whether the modes are what was asked for: tcsetattr succeeds where it did only a part. */
static bool is_raw(int fd)
{
    struct termios is;
    struct termios raw;

    if (tcgetattr(fd, &is) < 0)
        return false;
    raw = raw_modes(&is);
    return is.c_lflag == raw.c_lflag && is.c_iflag == raw.c_iflag && is.c_oflag == raw.c_oflag &&
           is.c_cc[VMIN] == 1 && is.c_cc[VTIME] == 0;
}

/* EINTR says that nothing was set, and perhaps that we were stopped for trying to. */
static int take_modes(const struct tty *tty)
{
    struct termios modes = raw_modes(&tty->before);

    if (tcsetattr(tty->fd, TCSANOW, &modes) < 0)
        return -1;
    if (is_raw(tty->fd))
        return 0;
    errno = EIO;
    return -1;
}

/* ---- input ---- */

/* Says that no more comes, once. */
static void input_end(struct tty *tty)
{
    watch_stop(&tty->watch);
    tty->on_input(tty->owner, NULL, 0);
}

/* One read: what is left is told again. In these modes an empty one is a hang-up. */
static void input_read(struct tty *tty)
{
    char bytes[TTY_READ];
    ssize_t n = read(tty->fd, bytes, sizeof bytes);

    if (n > 0)
        tty->on_input(tty->owner, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        input_end(tty);
}

static void on_ready(void *owner, unsigned ready)
{
    struct tty *tty = owner;

    if (ready & POLLER_INVALID)
        input_end(tty);
    else
        input_read(tty);
}

/* Returns what poll(2) takes: at least as long as it is to DEADLINE, -1 for ever. */
static int milliseconds_to(int64_t deadline)
{
    int64_t left;

    if (deadline < 0)
        return -1;
    left = (deadline - clock_now() + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND;
    if (left < 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

void tty_await_input(struct tty *tty, int other_fd, int64_t deadline)
{
    struct watch *output = &tty->output.watch;
    struct pollfd fds[] = {{.fd = tty->fd, .events = POLLIN},
                           {.fd = other_fd, .events = POLLIN},
                           {.fd = tty_is_drained(tty) ? -1 : tty->output.fd, .events = POLLOUT}};

    int ready;

    if (!watch_is_started(&tty->watch))
        return;
    ready = poll(fds, COUNT(fds), milliseconds_to(deadline));
    if (ready < 0 && errno != EINTR)
        input_end(tty); /* else whoever waits for a key would ask for ever */
    if (ready <= 0)
        return;
    if (fds[2].revents != 0)
        output->on_ready(output->owner, POLLER_OUT);
    if (fds[0].revents != 0)
        input_read(tty);
}

/* ---- output ---- */

static void on_change(void *owner)
{
    struct tty *tty = owner;

    if (output_is_drained(&tty->output) || tty->output.error)
        tty->on_output(tty->owner);
}

static int output_start(struct tty *tty)
{
    if (output_init(&tty->output, tty->loop, tty->fd, TTY_QUEUE, on_change, tty) < 0)
        return -1;
    watch_name(&tty->output.watch, "terminal (output)");
    return 0;
}

int tty_write(struct tty *tty, const char *bytes, size_t n)
{
    return output_write(&tty->output, bytes, n);
}

bool tty_is_drained(const struct tty *tty)
{
    return output_is_drained(&tty->output);
}

/* Has the output write as the loop would. A terminal that has been hung up is ready at once: then
 * writing fails, and that is the end. */
bool tty_drain(struct tty *tty, int64_t deadline)
{
    struct watch *watch = &tty->output.watch;
    struct pollfd terminal = {.fd = tty->output.fd, .events = POLLOUT};
    int ready;

    while (!tty_is_drained(tty) && !tty->output.error) {
        ready = poll(&terminal, 1, milliseconds_to(deadline));
        if (ready > 0)
            watch->on_ready(watch->owner, POLLER_OUT);
        else if (ready == 0 || errno != EINTR)
            break;
    }
    return tty_is_drained(tty) && !tty->output.error;
}

/* ---- the device ---- */

bool tty_is_same(int a, int b)
{
    struct stat of_a;
    struct stat of_b;

    return isatty(a) && isatty(b) && fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
           of_a.st_rdev == of_b.st_rdev;
}

static int open_device(const char *name)
{
    return open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Opens the terminal by its name, or as the one that controls this process where that is the same:
 * in a container it may have no name. */
static int open_terminal(void)
{
    char name[PATH_MAX];
    int fd = -1;

    if (ttyname_r(STDIN_FILENO, name, sizeof name) == 0)
        fd = open_device(name);
    if (fd >= 0 && !tty_is_same(fd, STDOUT_FILENO)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0 && tcgetsid(STDIN_FILENO) == getsid(0))
        fd = open_device("/dev/tty");
    return fd;
}

int tty_open(struct tty *tty, struct loop *loop, tty_input_fn *on_input, loop_fn *on_output,
             void *owner)
{
    *tty = (struct tty){
        .loop = loop, .fd = -1, .on_input = on_input, .on_output = on_output, .owner = owner};
    watch_init(&tty->watch, on_ready, tty);
    if (!tty_is_same(STDIN_FILENO, STDOUT_FILENO)) {
        errno = ENOTTY;
        return -1;
    }
    tty->fd = open_terminal();
    if (tty->fd < 0)
        return -1;
    if (output_start(tty) < 0) {
        int error = errno;

        output_fini(&tty->output);
        close(tty->fd);
        tty->fd = -1;
        errno = error;
        return -1;
    }
    return 0;
}

void tty_close(struct tty *tty)
{
    if (tty->fd < 0)
        return;
    tty_end(tty);
    output_fini(&tty->output);
    close(tty->fd);
    tty->fd = -1;
}

int tty_begin(struct tty *tty, const char *guard, size_t n)
{
    int error;

    assert(!tty->is_begun);
    if (tcgetattr(tty->fd, &tty->before) < 0 || rescue_arm(tty, guard, n) < 0)
        return -1;
    if (take_modes(tty) < 0 || watch_start(&tty->watch, tty->loop, tty->fd, POLLER_IN) < 0) {
        error = errno;
        if (error != EINTR)
            set_modes(tty->fd, &tty->before);
        rescue_disarm(COUNT(fatal));
        errno = error;
        return -1;
    }
    watch_name(&tty->watch, "terminal");
    tty->is_begun = true;
    return 0;
}

/* Modes like ours are no wish of anybody's, so they are never those of before. */
int tty_begin_again(struct tty *tty)
{
    assert(tty->is_begun);
    if (is_raw(tty->fd))
        return 0;
    if (tcgetattr(tty->fd, &tty->before) < 0)
        return -1;
    rescue.modes = tty->before;
    return take_modes(tty);
}

/* Whether somebody else has the terminal by now, and has set its modes. */
static bool is_taken(const struct tty *tty)
{
    return tcgetpgrp(tty->fd) != getpgrp() && !is_raw(tty->fd);
}

/* What has not been written by then is dropped: it must not come out between what the shell says
 * now. Where writing has failed the terminal may still take the guard, which is in no queue. */
void tty_end(struct tty *tty)
{
    if (!tty->is_begun)
        return;
    tty->is_begun = false;
    watch_stop(&tty->watch);
    if (!tty_drain(tty, clock_now() + end_ns) && !tty->output.error) {
        output_fini(&tty->output);
        output_start(tty);
    }
    if (tty->output.error)
        rescue_write();
    if (!is_taken(tty))
        set_modes(tty->fd, &tty->before);
    rescue_disarm(COUNT(fatal));
}

/* ---- size ---- */

static int clamp(unsigned short value, int unknown)
{
    if (value == 0)
        return unknown;
    return value < TTY_SIZE_MAX ? value : TTY_SIZE_MAX;
}

void tty_size(const struct tty *tty, int *rows, int *columns)
{
    struct winsize size = {.ws_row = 0};

    if (ioctl(tty->fd, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){.ws_row = 0};
    *rows = clamp(size.ws_row, 24);
    *columns = clamp(size.ws_col, 80);
}
