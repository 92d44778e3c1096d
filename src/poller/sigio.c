/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lesson: signal-driven I/O, the fourth of Stevens' five models. O_ASYNC makes an open file send
 * a signal when something about it changes; the program sleeps in rt_sigtimedwait, and the signal
 * tells where to look. fcntl(2), signal(7), sigtimedwait(2), socket(7).
 *
 * A signal is an edge and no more than a hint: it may be out of date, come twice, or be of a file
 * whose number is another's by now. So it wakes an entry of the array that poll(2) takes, and the
 * answer is that of one poll(2) without time over those awake. What is ready stays awake, which
 * makes it level-triggered; what is not goes to sleep again, and on a full socket poll(2) has armed
 * the signal for when there is room.
 *
 * Invariant: fds[0] to fds[awake - 1] are looked at in each wait. Whoever is behind them was not
 * ready when last looked at, and its file sends a signal when that changes.
 *
 * The kernel's surprises, and what is done here about each. They are why nobody uses this model:
 *
 * Many files send nothing: regular ones, an eventfd, a timerfd, an epoll instance. O_ASYNC is then
 * simply not there after F_SETFL. An open file has one owner, one signal and one number, so a copy
 * made by dup(2) sends nothing either, nor does what another poller has. They never sleep: a wait
 * is cut into slices of 10 ms. A terminal is silent on a hang-up, and a Unix socket on room unless
 * a write has failed before: slices of 50 ms. And nothing tells of one's own shutdown(2) or
 * close(2): everything is looked at once a second.
 *
 * Where the queue of signals is full (RLIMIT_SIGPENDING), the kernel sends SIGIO in place of the
 * real-time signal, and does not say for which file: everything is looked at. The queue grows with
 * each write at the other end, also while nobody waits, and a long one is slow: the kernel walks
 * all of it for every other signal that it delivers.
 *
 * What a signal does by default is to end the process. So both are blocked from open to close in
 * the thread that waits, and the real-time one is ignored besides: a blocked signal is queued all
 * the same, and sigaction(2) throws away what is pending. It stays ignored after the close where a
 * file was closed before it was removed: a copy may send for ever. A program started by exec
 * inherits both the mask and what is ignored.
 *
 * Signals go to one thread. Where another one uses the poller, or a child after fork(2), all files
 * are told to send there; the thread that was left keeps both blocked. A child that only closes the
 * poller leaves the files alone: it shares them.
 *
 * A poller needs a real-time signal from SIGRTMIN + 1 up that the program does nothing with; open
 * fails with EAGAIN where there is none. A SIGIO that the program means for itself is taken.
 */
#include "config.h"

#include "base/clock.h"
#include "poller/names.h"
#include "poller/pollset.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Signals are taken until there is none; but somebody may send them as fast. */
enum { SIO_BATCH = 256 };

/* How long a file may go without a look: one that sends nothing, one that does not send all that
 * is wanted, and one that sends everything that the kernel has a signal for. */
#define SIO_MUTE  (10 * CLOCK_MILLISECOND)
#define SIO_VAGUE (50 * CLOCK_MILLISECOND)
#define SIO_TOLD  CLOCK_SECOND

/* What F_SETFL can change, and the access mode, which it passes over and strace(1) prints. */
enum { SIO_FLAGS = O_ACCMODE | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK };

/* In strace's order, and by its names. */
static const struct name sio_flag_names[] = {
    {O_APPEND, "O_APPEND"},   {O_NONBLOCK, "O_NONBLOCK"}, {O_DIRECT, "O_DIRECT"},
    {O_NOATIME, "O_NOATIME"}, {O_ASYNC, "FASYNC"},        {0, NULL},
};

/* By descriptor number: what is known of its file. */
struct sio_file {
    bool is_armed;
    unsigned told;           /* what it sends signals for */
    struct f_owner_ex owner; /* as it was before */
    int signo;
};

struct sio_state {
    struct pollset set; /* the first member: pollset.c takes poller->state for it */
    int awake;
    bool is_fresh;    /* one of those awake may be ready: do not sleep */
    int64_t slice_ns; /* how long to sleep at most, while not fresh */
    int64_t due_ns;   /* when everything is to be looked at */
    struct sio_file *files;
    int size; /* of files */
    int signo;
    sigset_t signals; /* SIGNO and SIGIO */
    siginfo_t info;
    pid_t process; /* where the signals go */
    pid_t thread;
    unsigned overflows; /* of sio_overflows, how many it knows */
    bool has_lost;      /* a file that cannot be reached may go on sending */
};

struct sio_args {
    struct poller_call_args base;
    int fd; /* fcntl */
    int operation;
    int number;
    const struct f_owner_ex *owner;
    const struct sio_state *state; /* rt_sigtimedwait */
    const struct timespec *timeout;
};

/* ---- what belongs to the process, as signals do ---- */

enum sio_use { SIO_FREE, SIO_LEFT_IGNORED, SIO_TAKEN };

static _Atomic enum sio_use sio_uses[_NSIG];

/* SIGIO tells one of a thread's pollers, and means all of them. */
static atomic_uint sio_overflows;

static _Thread_local struct {
    sigset_t pollers; /* the signals of the pollers that wait here */
    sigset_t blocked; /* what was not blocked before they came */
} sio_thread;

static bool sio_claim(int signo)
{
    enum sio_use use = sio_uses[signo];
    struct sigaction action;

    if (use == SIO_TAKEN || sigaction(signo, NULL, &action) < 0)
        return false;
    return action.sa_handler == (use == SIO_FREE ? SIG_DFL : SIG_IGN) &&
           atomic_compare_exchange_strong(&sio_uses[signo], &use, SIO_TAKEN);
}

static int sio_claim_any(void)
{
    for (int signo = SIGRTMIN + 1; signo <= SIGRTMAX; signo++)
        if (sio_claim(signo))
            return signo;
    errno = EAGAIN;
    return -1;
}

static void sio_block(const struct sio_state *state)
{
    sigset_t before;

    sigemptyset(&before);
    pthread_sigmask(SIG_BLOCK, &state->signals, &before);
    sigaddset(&sio_thread.pollers, state->signo);
    if (!sigismember(&before, state->signo))
        sigaddset(&sio_thread.blocked, state->signo);
    if (!sigismember(&before, SIGIO))
        sigaddset(&sio_thread.blocked, SIGIO);
}

/* Also one that is pending: it must not end the process now. */
static void sio_unblock(int signo)
{
    const struct timespec now = {0};
    sigset_t set;

    if (!sigismember(&sio_thread.blocked, signo))
        return;
    sigemptyset(&set);
    sigaddset(&set, signo);
    while (sigtimedwait(&set, NULL, &now) >= 0)
        continue;
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sigdelset(&sio_thread.blocked, signo);
}

/* glibc's sigisemptyset(3) does not see the upper half of a set. */
static bool sio_is_needed_here(void)
{
    for (int signo = SIGRTMIN + 1; signo <= SIGRTMAX; signo++)
        if (sigismember(&sio_thread.pollers, signo))
            return true;
    return false;
}

/* Whoever waits here besides needs SIGIO still. */
static void sio_leave(int signo)
{
    if (!sigismember(&sio_thread.pollers, signo))
        return;
    sigdelset(&sio_thread.pollers, signo);
    sio_unblock(signo);
    if (!sio_is_needed_here())
        sio_unblock(SIGIO);
}

/* ---- the files ---- */

static void sio_print_signo(struct text *text, int signo)
{
    if (signo == SIGIO)
        text_add(text, "SIGIO");
    else if (signo >= 32) /* the kernel's first; libc keeps some for itself */
        text_add(text, "SIGRT_%d", signo - 32);
    else
        text_add(text, "%d", signo);
}

static void sio_print_flags(struct text *text, int flags)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    int rest = flags & ~O_ACCMODE;

    text_add(text, "F_SETFL, %s", modes[flags & O_ACCMODE]);
    if (rest != 0) {
        text_add(text, "|");
        names_add_flags(text, sio_flag_names, (unsigned)rest);
    }
}

static void sio_print_owner(struct text *text, const struct f_owner_ex *owner)
{
    static const char *const types[] = {
        [F_OWNER_TID] = "TID", [F_OWNER_PID] = "PID", [F_OWNER_PGRP] = "PGRP"};

    text_add(text, "F_SETOWN_EX, {type=F_OWNER_%s, pid=%d}", types[owner->type], (int)owner->pid);
}

static void sio_print_fcntl(struct text *text, const struct poller_call *call)
{
    const struct sio_args *args = (const struct sio_args *)call->args;

    text_add(text, "%s(%d, ", call->name, args->fd);
    if (args->operation == F_SETFL) {
        sio_print_flags(text, args->number);
    } else if (args->operation == F_SETOWN_EX) {
        sio_print_owner(text, args->owner);
    } else {
        text_add(text, "F_SETSIG, ");
        sio_print_signo(text, args->number);
    }
    text_add(text, ")");
    names_add_result(text, call->result, call->error);
}

/* Makes one that changes something: as elsewhere, what only asks is not shown. */
static int sio_fcntl(struct poller *poller, struct sio_args args)
{
    struct poller_call call = {.name = "fcntl", .args = &args.base};
    int64_t begin = backend_begin(poller);

    args.base.print = sio_print_fcntl;
    if (args.owner)
        call.result = fcntl(args.fd, args.operation, args.owner);
    else
        call.result = fcntl(args.fd, args.operation, args.number);
    backend_end(poller, begin, &call);
    return (int)call.result;
}

static int sio_set_flags(struct poller *poller, int fd, int flags)
{
    return sio_fcntl(
        poller, (struct sio_args){.fd = fd, .operation = F_SETFL, .number = flags & SIO_FLAGS});
}

static int sio_set_owner(struct poller *poller, int fd, const struct f_owner_ex *owner)
{
    return sio_fcntl(poller, (struct sio_args){.fd = fd, .operation = F_SETOWN_EX, .owner = owner});
}

static int sio_set_signal(struct poller *poller, int fd, int signo)
{
    return sio_fcntl(poller, (struct sio_args){.fd = fd, .operation = F_SETSIG, .number = signo});
}

/* What the kernel sends a signal for. */
static unsigned sio_told(int fd)
{
    const unsigned all = ~0u;
    struct stat status;
    int domain = AF_UNSPEC;
    socklen_t length = sizeof domain;

    if (fstat(fd, &status) < 0)
        return 0;
    if (S_ISFIFO(status.st_mode))
        return all;
    if (!S_ISSOCK(status.st_mode) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
        return 0;
    if (domain == AF_INET || domain == AF_INET6)
        return all;
    return domain == AF_UNIX ? all & ~(unsigned)POLLER_OUT : 0;
}

static int64_t sio_patience(const struct sio_state *state, int fd, unsigned want)
{
    const struct sio_file *file = &state->files[fd];

    if (!file->is_armed)
        return SIO_MUTE;
    return want & ~file->told ? SIO_VAGUE : SIO_TOLD;
}

/* Whether what is under the number FD still is the file that was armed. */
static bool sio_is_ours(const struct sio_state *state, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ASYNC) && fcntl(fd, F_GETSIG) == state->signo;
}

static void sio_disarm(struct poller *poller, int fd)
{
    struct sio_state *state = poller->state;
    struct sio_file *file = &state->files[fd];

    if (!file->is_armed)
        return;
    file->is_armed = false;
    if (getpid() != state->process)
        return;
    if (!sio_is_ours(state, fd)) {
        state->has_lost = true;
        return;
    }
    sio_set_flags(poller, fd, fcntl(fd, F_GETFL) & ~O_ASYNC);
    sio_set_signal(poller, fd, file->signo);
    sio_set_owner(poller, fd, &file->owner);
}

/* Asks FD for signals; where it turns out to have none, it is left as it was. */
static bool sio_ask_for_signals(struct poller *poller, int fd, int flags)
{
    const struct sio_state *state = poller->state;
    const struct sio_file *file = &state->files[fd];
    const struct f_owner_ex here = {F_OWNER_TID, state->thread};

    if (sio_set_owner(poller, fd, &here) < 0)
        return false;
    if (sio_set_signal(poller, fd, state->signo) == 0 &&
        sio_set_flags(poller, fd, flags | O_ASYNC) == 0 && (fcntl(fd, F_GETFL) & O_ASYNC))
        return true;
    sio_set_signal(poller, fd, file->signo);
    sio_set_owner(poller, fd, &file->owner);
    return false;
}

/* Somebody who died may have left O_ASYNC behind, on a terminal for example. The kernel notes the
 * number FD only where the flag is new. */
static void sio_arm(struct poller *poller, int fd)
{
    struct sio_state *state = poller->state;
    struct sio_file *file = &state->files[fd];
    int flags = fcntl(fd, F_GETFL);

    if (file->is_armed && sio_is_ours(state, fd))
        return;
    state->has_lost = state->has_lost || file->is_armed;
    *file = (struct sio_file){.told = sio_told(fd), .signo = fcntl(fd, F_GETSIG)};
    if (flags < 0 || file->signo < 0 || fcntl(fd, F_GETOWN_EX, &file->owner) < 0)
        return;
    if (flags & O_ASYNC) {
        if (file->owner.pid != 0 || sio_set_flags(poller, fd, flags & ~O_ASYNC) < 0)
            return;
    }
    file->is_armed = sio_ask_for_signals(poller, fd, flags);
}

/* ---- open and close ---- */

static void sio_look_at_all(struct sio_state *state)
{
    state->overflows = sio_overflows;
    state->due_ns = clock_now() + SIO_TOLD;
    state->awake = state->set.count;
    state->is_fresh = true;
}

static int sio_open(struct poller *poller)
{
    struct sio_state *state = calloc(1, sizeof *state);

    if (!state)
        return -1;
    state->signo = sio_claim_any();
    if (state->signo < 0) {
        free(state);
        errno = EAGAIN;
        return -1;
    }
    sigemptyset(&state->signals);
    sigaddset(&state->signals, SIGIO);
    sigaddset(&state->signals, state->signo);
    sio_block(state);
    state->has_lost = signal(state->signo, SIG_IGN) == SIG_IGN; /* another poller has */
    state->process = getpid();
    state->thread = gettid();
    sio_look_at_all(state);
    poller->state = state;
    return 0;
}

static void sio_close(struct poller *poller)
{
    struct sio_state *state = poller->state;
    int signo = state->signo;

    for (int i = 0; i < state->set.count; i++)
        sio_disarm(poller, state->set.fds[i].fd);
    signal(signo, SIG_IGN); /* what is pending in any thread goes by this */
    sio_leave(signo);
    if (!state->has_lost)
        signal(signo, SIG_DFL);
    sio_uses[signo] = state->has_lost ? SIO_LEFT_IGNORED : SIO_FREE;
    free(state->files);
    pollset_close(poller);
}

/* ---- awake and asleep ---- */

/* Makes the calling thread the one that gets the signals. */
static void sio_come_here(struct poller *poller)
{
    struct sio_state *state = poller->state;
    const struct f_owner_ex here = {F_OWNER_TID, gettid()};

    if (state->thread == here.pid)
        return;
    sio_block(state);
    state->process = getpid();
    state->thread = here.pid;
    for (int i = 0; i < state->set.count; i++) {
        int fd = state->set.fds[i].fd;

        if (state->files[fd].is_armed && sio_is_ours(state, fd))
            sio_set_owner(poller, fd, &here);
    }
    sio_look_at_all(state);
}

static void sio_swap(struct poller *poller, int one, int other)
{
    struct pollfd *fds = ((struct sio_state *)poller->state)->set.fds;
    struct pollfd kept = fds[one];

    fds[one] = fds[other];
    fds[other] = kept;
    poller->entries[fds[one].fd].slot = one;
    poller->entries[fds[other].fd].slot = other;
}

static void sio_wake(struct poller *poller, int fd)
{
    struct sio_state *state = poller->state;
    int slot = poller->entries[fd].slot;

    if (slot >= state->awake)
        sio_swap(poller, slot, state->awake++);
}

static void sio_let_sleep(struct poller *poller, int fd)
{
    struct sio_state *state = poller->state;
    int slot = poller->entries[fd].slot;

    if (slot < state->awake)
        sio_swap(poller, slot, --state->awake);
}

/* Makes files[FD] exist. */
static int sio_reach(struct poller *poller, int fd)
{
    struct sio_state *state = poller->state;
    int size = poller->size;
    struct sio_file *files;

    if (fd < state->size)
        return 0;
    files = realloc(state->files, (size_t)size * sizeof *files);
    if (!files)
        return -1;
    for (int i = state->size; i < size; i++)
        files[i] = (struct sio_file){0};
    state->files = files;
    state->size = size;
    return 0;
}

/* A signal that is sent before the first look is not missed: it is armed by then. */
static int sio_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    struct sio_state *state = poller->state;

    if (want == 0) {
        sio_disarm(poller, fd);
        sio_let_sleep(poller, fd);
        return pollset_set(poller, fd, was, want);
    }
    if (sio_reach(poller, fd) < 0 || pollset_set(poller, fd, was, want) < 0)
        return -1;
    sio_come_here(poller);
    sio_arm(poller, fd);
    sio_wake(poller, fd);
    state->is_fresh = true;
    return 0;
}

/* ---- the wait ---- */

/* The kernel's part; a program that sends the signal itself may have others. */
static void sio_print_code(struct text *text, const siginfo_t *info)
{
    static const char *const codes[] = {
        [POLL_IN] = "POLL_IN",   [POLL_OUT] = "POLL_OUT", [POLL_MSG] = "POLL_MSG",
        [POLL_ERR] = "POLL_ERR", [POLL_PRI] = "POLL_PRI", [POLL_HUP] = "POLL_HUP"};

    if (info->si_code >= POLL_IN && info->si_code <= POLL_HUP)
        text_add(text, "%s, si_band=%ld, si_fd=%d", codes[info->si_code], info->si_band,
                 info->si_fd);
    else if (info->si_code == SI_KERNEL)
        text_add(text, "SI_KERNEL");
    else if (info->si_code == SI_USER)
        text_add(text, "SI_USER, si_pid=%d, si_uid=%u", (int)info->si_pid, info->si_uid);
    else
        text_add(text, "%d", info->si_code);
}

static void sio_print_wait(struct text *text, const struct poller_call *call)
{
    const struct sio_args *args = (const struct sio_args *)call->args;
    const siginfo_t *info = &args->state->info;
    int signo = (int)call->result;

    text_add(text, "rt_sigtimedwait([IO RT_%d], ", args->state->signo - 32);
    if (signo < 0) {
        text_add(text, "%p", (const void *)info);
    } else {
        text_add(text, "{si_signo=");
        sio_print_signo(text, info->si_signo);
        text_add(text, ", si_code=");
        sio_print_code(text, info);
        text_add(text, "}");
    }
    if (args->timeout)
        text_add(text, ", {tv_sec=%lld, tv_nsec=%ld}, 8)", (long long)args->timeout->tv_sec,
                 args->timeout->tv_nsec);
    else
        text_add(text, ", NULL, 8)");
    names_add_result(text, signo, call->error);
    if (signo >= 0) {
        text_add(text, " (");
        sio_print_signo(text, signo);
        text_add(text, ")");
    }
}

static int sio_take(struct poller *poller, int64_t timeout_ns)
{
    struct sio_state *state = poller->state;
    const struct timespec timeout = {timeout_ns / CLOCK_SECOND, timeout_ns % CLOCK_SECOND};
    struct sio_args args = {
        {sio_print_wait}, .state = state, .timeout = timeout_ns < 0 ? NULL : &timeout};
    struct poller_call call = {
        .name = "rt_sigtimedwait", .is_wait = 1, .timeout_ns = timeout_ns, .args = &args.base};
    int64_t begin = backend_begin(poller);

    call.result = sigtimedwait(&state->signals, &state->info, args.timeout);
    call.told = call.result > 0 ? 1 : errno == EAGAIN ? 0 : -1;
    backend_end(poller, begin, &call);
    return (int)call.result;
}

static void sio_hear(struct poller *poller, int signo)
{
    int fd = ((struct sio_state *)poller->state)->info.si_fd;
    const struct poller_entry *entry;

    if (signo == SIGIO) {
        sio_overflows++;
        return;
    }
    entry = backend_entry(poller, fd);
    if (entry && entry->want != 0)
        sio_wake(poller, fd);
}

/* Takes what has come, or comes within TIMEOUT_NS. Where the program's own signals end each wait,
 * those that send none must be looked at all the same. */
static int sio_listen(struct poller *poller, int64_t timeout_ns)
{
    int left = SIO_BATCH;
    int signo;

    do {
        signo = sio_take(poller, timeout_ns);
        if (signo > 0)
            sio_hear(poller, signo);
        timeout_ns = 0;
    } while (signo > 0 && --left > 0);
    return signo > 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* How long to sleep. */
static int64_t sio_cut(const struct sio_state *state, int64_t timeout_ns)
{
    int64_t until_due = state->due_ns - clock_now();
    int64_t slice = state->slice_ns < until_due ? state->slice_ns : until_due;

    if (state->is_fresh || slice < 0)
        return 0;
    if (state->set.count == 0)
        return timeout_ns;
    return timeout_ns >= 0 && timeout_ns < slice ? timeout_ns : slice;
}

/* Lets those sleep that are not ready and send a signal when they are. */
static void sio_settle(struct poller *poller)
{
    struct sio_state *state = poller->state;
    int slot = 0;

    state->is_fresh = false;
    state->slice_ns = SIO_TOLD;
    while (slot < state->awake) {
        struct pollfd *pfd = &state->set.fds[slot];
        int64_t patience = sio_patience(state, pfd->fd, poller->entries[pfd->fd].want);

        if (patience < state->slice_ns)
            state->slice_ns = patience;
        if (pfd->revents != 0)
            state->is_fresh = true;
        if (pfd->revents == 0 && patience == SIO_TOLD)
            sio_let_sleep(poller, pfd->fd);
        else
            slot++;
    }
}

/* Looks at those awake. */
static int sio_look(struct poller *poller, struct poller_event *events, int max)
{
    struct sio_state *state = poller->state;
    struct pollset awake;
    int n = 0;

    if (state->awake > 0)
        n = pollset_ask(poller, state->set.fds, state->awake, 0);
    if (n < 0)
        return -1;
    sio_settle(poller);
    if (n == 0)
        return 0;
    awake = state->set;
    awake.count = state->awake;
    n = pollset_collect(&awake, n, events, max);
    state->set.next = awake.next;
    return n;
}

static int sio_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events, int max)
{
    struct sio_state *state = poller->state;

    sio_come_here(poller);
    if (sio_listen(poller, sio_cut(state, timeout_ns)) < 0)
        return -1;
    if (state->overflows != sio_overflows || clock_now() >= state->due_ns)
        sio_look_at_all(state);
    return sio_look(poller, events, max);
}

const struct poller_backend backend_sigio = {
    .name = "sigio",
    .summary = "a lesson: sleeps until a signal says where to look",
    .supports = POLLSET_SUPPORTS,
    .unit_ns = 1,
    .is_lesson = true,
    .sets_told = true,
    .open = sio_open,
    .close = sio_close,
    .set = sio_set,
    .wait = sio_wait,
};

#else

const struct poller_backend backend_sigio = {
    .name = "sigio",
    .summary = "a lesson: sleeps until a signal says where to look",
    .missing = "signals with a descriptor in them, F_SETSIG, are Linux's own",
};

#endif
