/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "loop/inside.h"
#include "loop/signal.h"

/* Signal numbers below this one: the standard ones. The real-time ones are not for the loop. */
enum { SIGNAL_LIMIT = 32 };

struct signal_slot {
    signal_fn *on_signal; /* NULL: not ours */
    void *owner;
    struct sigaction before;
};

/* Signal dispositions belong to the process, and so does this. */
static struct {
    struct signal_slot slots[SIGNAL_LIMIT];
    volatile sig_atomic_t came[SIGNAL_LIMIT];
    int write_fd;
    struct watch watch; /* the read end */
} signals = {.write_fd = -1};

/* The pipe is full only when the loop has a byte to come anyway, so a failed write loses nothing.
 */
static void signal_handler(int signo)
{
    int error = errno;

    signals.came[signo] = 1;
    if (write(signals.write_fd, "", 1) < 0)
        errno = error;
    errno = error;
}

static void signal_drain(int fd)
{
    char bytes[64];

    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

void loop_signals_tell(void)
{
    if (signals.write_fd < 0)
        return;
    signal_drain(signals.watch.fd);
    for (int signo = 1; signo < SIGNAL_LIMIT; signo++)
        if (signals.came[signo]) {
            signals.came[signo] = 0;
            if (signals.slots[signo].on_signal)
                signals.slots[signo].on_signal(signals.slots[signo].owner, signo);
        }
}

void loop_signal_forget(int signo)
{
    signals.came[signo] = 0;
}

int loop_signals_fd(void)
{
    return signals.write_fd < 0 ? -1 : signals.watch.fd;
}

static void signal_on_ready(void *owner, unsigned ready)
{
    (void)owner;
    (void)ready;
    loop_signals_tell();
}

static int signal_set_flags(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int signal_open_pipe(struct loop *loop)
{
    int ends[2];

    if (pipe(ends) < 0)
        return -1;
    watch_init(&signals.watch, signal_on_ready, NULL);
    watch_name(&signals.watch, "signals");
    if (signal_set_flags(ends[0]) < 0 || signal_set_flags(ends[1]) < 0 ||
        watch_start(&signals.watch, loop, ends[0], POLLER_IN) < 0) {
        int error = errno;

        close(ends[0]);
        close(ends[1]);
        errno = error;
        return -1;
    }
    signals.write_fd = ends[1];
    return 0;
}

bool signal_is_ignored(int signo)
{
    struct sigaction action;

    return sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int loop_signal(struct loop *loop, int signo, signal_fn *on_signal, void *owner)
{
    struct sigaction action = {.sa_handler = signal_handler};
    struct signal_slot *slot;

    if (signo < 1 || signo >= SIGNAL_LIMIT) {
        errno = EINVAL;
        return -1;
    }
    if (signals.write_fd < 0 && signal_open_pipe(loop) < 0)
        return -1;
    slot = &signals.slots[signo];
    sigfillset(&action.sa_mask);
    if (!slot->on_signal && sigaction(signo, NULL, &slot->before) < 0)
        return -1;
    slot->owner = owner;
    slot->on_signal = on_signal;
    return sigaction(signo, &action, NULL);
}

void loop_signals_fini(void)
{
    int read_fd = signals.watch.fd;

    if (signals.write_fd < 0)
        return;
    for (int signo = 1; signo < SIGNAL_LIMIT; signo++)
        if (signals.slots[signo].on_signal) {
            sigaction(signo, &signals.slots[signo].before, NULL);
            signals.slots[signo].on_signal = NULL;
            signals.came[signo] = 0;
        }
    watch_stop(&signals.watch);
    close(read_fd);
    close(signals.write_fd);
    signals.write_fd = -1;
}

void signal_die(int signo)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t mask;

    sigaction(signo, &action, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, signo);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    raise(signo);
}

void loop_signals_free(struct loop *loop)
{
    (void)loop;
}
