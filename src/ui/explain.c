/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/call.c takes the line apart; here sentences are made of that. Each kind of call has two
 * functions: one that tells what was asked, one that tells what came back. What the line does not
 * say is left out, never guessed.
 *
 * The tables of meanings stand at the beginning: they are what a reader learns from.
 */
#include "config.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "trace/call.h"
#include "ui/explain.h"

enum {
    LISTED = 8, /* descriptors that are listed; the others are counted */
    FLAGS = 32  /* flags that are explained */
};

static const int64_t at_once_ns = 100 * CLOCK_MICROSECOND;

/* ---- the meanings ---- */

struct meaning {
    const char *word;
    const char *meaning;
};

static const struct meaning flag_meanings[] = {
    {"0", "nothing but errors and hang-ups, which are always told"},
    {"POLLIN", "reading would not block"},
    {"POLLPRI", "there is something exceptional, such as urgent data of TCP"},
    {"POLLOUT", "writing would not block, as long as there is room"},
    {"POLLRDNORM", "ordinary data can be read, as POLLIN"},
    {"POLLRDBAND", "priority data can be read"},
    {"POLLWRNORM", "ordinary data can be written, as POLLOUT"},
    {"POLLWRBAND", "priority data can be written"},
    {"POLLERR", "there is an error, or nobody reads this pipe any more; told without being asked"},
    {"POLLHUP", "the other end has hung up; what it sent before can still be read; told without "
                "being asked"},
    {"POLLNVAL", "this is not an open descriptor; told without being asked"},
    {"POLLMSG", "Linux knows this flag and does not use it"},
    {"POLLRDHUP", "the peer will send no more: it has closed the connection or its sending half"},
    {"EPOLLIN", "reading would not block"},
    {"EPOLLPRI", "there is something exceptional, such as urgent data of TCP"},
    {"EPOLLOUT", "writing would not block, as long as there is room"},
    {"EPOLLRDNORM", "ordinary data can be read, as EPOLLIN"},
    {"EPOLLRDBAND", "priority data can be read"},
    {"EPOLLWRNORM", "ordinary data can be written, as EPOLLOUT"},
    {"EPOLLWRBAND", "priority data can be written"},
    {"EPOLLMSG", "Linux knows this flag and does not use it"},
    {"EPOLLERR", "there is an error, or nobody reads this pipe any more; told without being asked"},
    {"EPOLLHUP", "the other end has hung up; what it sent before can still be read; told without "
                 "being asked"},
    {"EPOLLRDHUP", "the peer will send no more: it has closed the connection or its sending half"},
    {"EPOLLEXCLUSIVE", "of several epoll instances that watch the same file not all are woken"},
    {"EPOLLWAKEUP", "the system does not go to sleep while this event is being dealt with"},
    {"EPOLLONESHOT", "told once, then silent until EPOLL_CTL_MOD asks anew"},
    {"EPOLLET", "edge-triggered: told when it changes, not as long as it is so"},
    {"EPOLL_CLOEXEC", "it is closed when the process executes another program"},
    {"EVFILT_READ", "there is something to read, or the end"},
    {"EVFILT_WRITE", "there is room to write, or nobody reads any more"},
    {"EVFILT_EXCEPT", "there is something exceptional, such as urgent data of TCP"},
    {"EVFILT_AIO", "reading or writing that was begun by aio_read or aio_write has ended"},
    {"EVFILT_VNODE", "something was done to a file or a folder"},
    {"EVFILT_PROC", "something became of a process"},
    {"EVFILT_SIGNAL", "a signal came, whether it is ignored or not"},
    {"EVFILT_TIMER", "a time is over, once or again and again"},
    {"EVFILT_NETDEV", "the state of a network interface has changed"},
    {"EVFILT_USER", "the program itself has triggered it"},
    {"EV_ADD", "the filter is put into the kqueue, or changed there"},
    {"EV_DELETE", "the filter is taken out of the kqueue"},
    {"EV_ENABLE", "the filter is told of again"},
    {"EV_DISABLE", "the filter stays in the kqueue and is not told of"},
    {"EV_ONESHOT", "told once, then taken out of the kqueue"},
    {"EV_CLEAR", "edge-triggered: told when it changes, not as long as it is so"},
    {"EV_RECEIPT", "each change is answered with an EV_ERROR, whose data is 0 where it was done"},
    {"EV_DISPATCH", "told once, then disabled until EV_ENABLE"},
    {"EV_SYSFLAGS", "all the bits that are the system's own"},
    {"EV_FLAG1", "the filter's own; it means something else for each"},
    {"EV_ERROR", "this change failed; data holds the errno"},
    {"EV_EOF", "the end: the other side sends no more, or has gone; fflags may hold an errno"},
    {"NOTE_LOWAT", "not told before there is as much as data says"},
    {"NOTE_OOB", "there is a byte out of band"},
    {"NOTE_DELETE", "the file was deleted"},
    {"NOTE_WRITE", "the file was written to"},
    {"NOTE_EXTEND", "the file has grown"},
    {"NOTE_ATTRIB", "the file's attributes have changed"},
    {"NOTE_LINK", "the number of the file's names has changed"},
    {"NOTE_RENAME", "the file was renamed"},
    {"NOTE_REVOKE", "access to the file was revoked, or its file system is gone"},
    {"NOTE_EXIT", "the process has ended"},
    {"NOTE_FORK", "the process has made another by fork"},
    {"NOTE_EXEC", "the process has executed another program"},
    {"NOTE_PCTRLMASK", "all the bits that say what a process did"},
    {"NOTE_PDATAMASK", "all the bits that hold the data of a process"},
    {"NOTE_TRACK", "the children of the process are watched as well"},
    {"NOTE_TRACKERR", "a child of the process could not be watched"},
    {"NOTE_CHILD", "this is a child of the process that is watched"},
    {"NOTE_LINKUP", "the network link is up"},
    {"NOTE_LINKDOWN", "the network link is down"},
    {"NOTE_LINKINV", "the state of the network link is not known"},
    {"IORING_ENTER_GETEVENTS", "it waits for completions"},
    {"IORING_ENTER_EXT_ARG", "a time limit for the wait is given"},
    {"IORING_POLL_ADD_MULTI", "the request stays and is answered again and again"},
    {"IORING_OP_ASYNC_CANCEL", "the request that is there is withdrawn"},
    {"IORING_SETUP_CLAMP", "a ring that is too large is made as large as may be"},
    {"IORING_SETUP_CQSIZE", "the room for completions is given too"},
    {"IORING_SETUP_SUBMIT_ALL", "a request that is wrong does not hold up the others"},
    {"IORING_SETUP_COOP_TASKRUN",
     "the kernel does not interrupt the process to complete a request"},
    {"IORING_SETUP_TASKRUN_FLAG", "a flag in the ring says that completions are to be fetched"},
    {"IORING_SETUP_SINGLE_ISSUER", "one thread alone hands requests over"},
    {"IORING_SETUP_DEFER_TASKRUN", "requests are completed when they are asked for, not before"},
    {"EBADF", "the descriptor is not open"},
    {"ECANCELED", "the request was withdrawn"},
    {"F_SETFL", "the flags of the open file are set, which all its descriptors share"},
    {"F_SETSIG", "this signal is sent in place of SIGIO, and says which descriptor it is about"},
    {"F_SETOWN_EX", "this is who gets the signals"},
    {"F_OWNER_TID", "one thread"},
    {"F_OWNER_PID", "one process, in whichever of its threads"},
    {"F_OWNER_PGRP", "all the processes of a group"},
    {"O_ASYNC", "a signal is sent when reading or writing becomes possible"},
    {"FASYNC", "a signal is sent when reading or writing becomes possible, as O_ASYNC"},
    {"O_NONBLOCK", "reading and writing do not wait"},
    {"O_APPEND", "what is written goes to the end"},
    {"O_DIRECT", "reading and writing pass the cache by; of a pipe: in packets"},
    {"O_NOATIME", "reading does not change the time of the last access"},
    {"O_RDONLY", "it can be read"},
    {"O_WRONLY", "it can be written"},
    {"O_RDWR", "it can be read and written"},
    {"POLL_IN", "there is something to read, or the end"},
    {"POLL_OUT", "there is room to write"},
    {"POLL_MSG", "there is a message to read"},
    {"POLL_ERR", "there is an error"},
    {"POLL_PRI", "there is something exceptional, such as urgent data of TCP"},
    {"POLL_HUP", "the other end has hung up"},
    {"SI_KERNEL", "the kernel had no room for another real-time signal: which descriptor it was is "
                  "lost, and all have to be looked at"},
    {"SI_USER", "a process has sent it by kill"},
};

/* The first row that fits counts. */
struct error_meaning {
    const char *error;
    const char *call; /* how the names of the calls begin that mean this by it */
    const char *meaning;
};

static const struct error_meaning error_meanings[] = {
    {"EINTR", "", "a signal came first; the call is to be made again"},
    {"ERESTART_RESTARTBLOCK", "", "a signal came first; the call is to be made again"},
    {"ERESTARTNOHAND", "", "a signal came first; the call is to be made again"},
    {"ERESTARTSYS", "", "a signal came first; the call is to be made again"},
    {"EBADF", "epoll_ctl", "the descriptor, or that of the epoll instance, is not open"},
    {"EBADF", "epoll", "the descriptor of the epoll instance is not open"},
    {"EBADF", "kevent", "the descriptor, or that of the kqueue, is not open"},
    {"EBADF", "io_uring", "the descriptor of the ring is not open"},
    {"EBADF", "fcntl", "the descriptor is not open"},
    {"EBADF", "", "a descriptor in the sets is not open, and the call does not say which"},
    {"EEXIST", "", "the descriptor is watched already; EPOLL_CTL_MOD changes for what"},
    {"ENOENT", "kevent", "that filter is not in the kqueue; EV_ADD comes first"},
    {"ENOENT", "", "the descriptor is not watched; EPOLL_CTL_ADD comes first"},
    {"EPERM", "kevent", "kqueue has no such filter for this kind of file"},
    {"EPERM", "io_uring", "the system does not let this process have a ring"},
    {"EPERM", "fcntl", "the signals may not go there"},
    {"ENODEV", "kevent", "kqueue has no such filter for this kind of file"},
    {"EPIPE", "kevent", "nobody reads this pipe any more"},
    {"ESRCH", "fcntl", "there is no such process or thread"},
    {"EAGAIN", "rt_sigtimedwait", "none of the signals came within the time limit"},
    {"EAGAIN", "io_uring", "the kernel had not enough of something for it; later it may have"},
    {"EBUSY", "io_uring", "completions have to be taken out of the ring first"},
    {"ETIME", "io_uring", "the time limit was over"},
    {"ENOSYS", "", "this kernel does not have the call"},
    {"EPERM", "",
     "epoll does not take this kind of file, such as a regular one: reading and writing it never "
     "wait"},
    {"ENOMEM", "", "the kernel had not enough memory for it"},
    {"EINVAL", "epoll_ctl",
     "that is no epoll instance, or it was to watch itself, or the flags do not go together"},
    {"EINVAL", "epoll_create", "a flag is not known"},
    {"EINVAL", "epoll", "that is no epoll instance, or there was to be room for no event"},
    {"EINVAL", "kevent", "there is no such filter, or not for this kind of file"},
    {"EINVAL", "io_uring", "a flag or a size is not known"},
    {"EINVAL", "rt_sigtimedwait", "the time limit is no time"},
    {"EINVAL", "fcntl", "that cannot be set"},
    {"EINVAL", "", "there are more descriptors than allowed, or the time limit is no time"},
    {"EFAULT", "", "an argument does not point into the memory of the process"},
    {"ELOOP", "", "epoll instances would watch each other in a circle, or are nested too deep"},
    {"EMFILE", "", "the process has as many descriptors open as it may"},
    {"ENFILE", "", "the system has as many files open as it may"},
    {"ENOSPC", "", "the user watches as many descriptors as /proc/sys/fs/epoll allows"},
};

const char *explain_flag(const char *flag, size_t n)
{
    for (size_t i = 0; i < sizeof flag_meanings / sizeof *flag_meanings; i++)
        if (strlen(flag_meanings[i].word) == n && memcmp(flag_meanings[i].word, flag, n) == 0)
            return flag_meanings[i].meaning;
    return NULL;
}

/* CALL is the name of the one that failed with ERROR. NULL: unknown. */
static const char *meaning_of_error(struct call_part error, const char *call)
{
    for (size_t i = 0; i < sizeof error_meanings / sizeof *error_meanings; i++) {
        const struct error_meaning *row = &error_meanings[i];

        if (call_is(error, row->error) && strncmp(call, row->call, strlen(row->call)) == 0)
            return row->meaning;
    }
    return NULL;
}

/* ---- words ---- */

struct words {
    struct text text;
    explain_name_fn *name_of;
    void *owner;
    struct call_part seen[FLAGS]; /* flags that are explained already */
    size_t seen_count;
};

void explain_time(struct text *text, int64_t ns)
{
    if (ns < CLOCK_MILLISECOND)
        text_add(text, "%.3f ms", (double)ns / CLOCK_MILLISECOND);
    else if (ns < CLOCK_SECOND)
        text_add(text, "%.1f ms", (double)ns / CLOCK_MILLISECOND);
    else
        text_add(text, "%.1f s", (double)ns / CLOCK_SECOND);
}

/* A time that was asked for, to the last figure: "50 ms", "1.501 ms", "2.5 s". */
static void say_exact_time(struct words *words, int64_t ns)
{
    int64_t unit = ns < CLOCK_SECOND ? CLOCK_MILLISECOND : CLOCK_SECOND;
    int64_t fraction = ns % unit;
    int figures = ns < CLOCK_SECOND ? 6 : 9;

    text_add(&words->text, "%lld", (long long)(ns / unit));
    for (; fraction > 0 && fraction % 10 == 0; figures--)
        fraction /= 10;
    if (fraction > 0)
        text_add(&words->text, ".%0*lld", figures, (long long)fraction);
    text_add(&words->text, ns < CLOCK_SECOND ? " ms" : " s");
}

static void say(struct words *words, const char *plain)
{
    text_add(&words->text, "%s", plain);
}

static void say_part(struct words *words, struct call_part part)
{
    text_add(&words->text, "%.*s", (int)call_length(part), part.at);
}

static void say_descriptor(struct words *words, int64_t fd)
{
    const char *name = NULL;

    if (words->name_of && fd >= 0 && fd <= INT_MAX)
        name = words->name_of(words->owner, (int)fd);
    text_add(&words->text, "%lld", (long long)fd);
    if (name)
        text_add(&words->text, " (%s)", name);
}

/* "1 descriptor", "3 descriptors" */
static void say_count(struct words *words, int64_t count, const char *noun)
{
    text_add(&words->text, "%lld %s%s", (long long)count, noun, count == 1 ? "" : "s");
}

/* Where a list of TOTAL items has come to. */
struct listing {
    int64_t index;
    int64_t total;
};

/* Says what stands between two items. Returns whether the next one is to be listed. */
static bool say_next(struct words *words, struct listing *listing)
{
    int64_t index = listing->index++;

    if (index == LISTED)
        text_add(&words->text, " and %lld more", (long long)(listing->total - LISTED));
    if (index >= LISTED)
        return false;
    if (index > 0)
        say(words, index == listing->total - 1 ? " and " : ", ");
    return true;
}

/* "EVFILT_READ (EV_ADD|EV_CLEAR)"; what the filter adds to it follows the flags. */
static void say_filter(struct words *words, const struct call_entry *entry)
{
    say_part(words, entry->filter);
    say(words, " (");
    say_part(words, entry->flags);
    if (!call_is(entry->fflags, "0")) {
        say(words, ", ");
        say_part(words, entry->fflags);
    }
    say(words, ")");
}

/* Lists TOTAL entries, each HOW (" for ") with its flags. */
static void say_entries(struct words *words, struct call_list list, int64_t total, const char *how)
{
    struct listing listing = {.total = total};
    struct call_entry entry;

    while (call_take_entry(&list, &entry) && say_next(words, &listing)) {
        say_descriptor(words, entry.fd);
        say(words, call_length(entry.flags) > 0 ? how : ", which is passed over");
        if (call_length(entry.filter) > 0)
            say_filter(words, &entry);
        else
            say_part(words, entry.flags);
    }
}

static const char *const sets[CALL_SETS] = {" for reading", " for writing", " for exceptions"};

/* Lists TOTAL members of the three sets. */
static void say_members(struct words *words, const struct call_list lists[CALL_SETS], int64_t total)
{
    struct listing listing = {.total = total};
    int64_t fd;

    for (int i = 0; i < CALL_SETS; i++) {
        struct call_list rest = lists[i];

        while (call_take_member(&rest, &fd) && say_next(words, &listing)) {
            say_descriptor(words, fd);
            say(words, sets[i]);
        }
    }
}

static int64_t count_members(const struct call_list lists[CALL_SETS])
{
    int64_t count = 0;
    int64_t fd;

    for (int i = 0; i < CALL_SETS; i++) {
        struct call_list rest = lists[i];

        while (call_take_member(&rest, &fd))
            count++;
    }
    return count;
}

static int64_t count_entries(struct call_list list)
{
    struct call_entry entry;
    int64_t count = 0;

    while (call_take_entry(&list, &entry))
        count++;
    return count;
}

static bool was_seen(struct words *words, struct call_part flag)
{
    for (size_t i = 0; i < words->seen_count; i++)
        if (call_length(words->seen[i]) == call_length(flag) &&
            memcmp(words->seen[i].at, flag.at, call_length(flag)) == 0)
            return true;
    if (words->seen_count == FLAGS)
        return true;
    words->seen[words->seen_count++] = flag;
    return false;
}

/* Explains those of FLAGS that were not yet. */
static void say_flags(struct words *words, struct call_part flags)
{
    struct call_part flag;

    while (call_take_flag(&flags, &flag)) {
        if (!was_seen(words, flag)) {
            const char *meaning = explain_flag(flag.at, call_length(flag));

            say(words, " ");
            say_part(words, flag);
            text_add(&words->text, ": %s.", meaning ? meaning : "not known here");
        }
    }
}

/* With EV_EOF it is an errno. */
static void say_fflags(struct words *words, struct call_part fflags)
{
    if (call_length(fflags) > 5 && memcmp(fflags.at, "NOTE_", 5) == 0) {
        say_flags(words, fflags);
    } else if (call_length(fflags) > 0 && *fflags.at == 'E' && !was_seen(words, fflags)) {
        say(words, " ");
        say_part(words, fflags);
        say(words, ": the error that the socket had.");
    }
}

static void say_flags_of(struct words *words, struct call_list list)
{
    struct call_entry entry;

    while (call_take_entry(&list, &entry)) {
        say_flags(words, entry.filter);
        say_flags(words, entry.flags);
        say_fflags(words, entry.fflags);
    }
}

/* ---- what was asked ---- */

static void say_limit(struct words *words, const struct call *call)
{
    if (call->limit == CALL_LIMIT_NONE) {
        say(words, " and was to wait without a time limit");
    } else if (call->limit == CALL_LIMIT_TIME && call->limit_ns == 0) {
        say(words, " and was only to look, not to wait");
    } else if (call->limit == CALL_LIMIT_TIME) {
        say(words, " and was to wait at most ");
        say_exact_time(words, call->limit_ns);
    }
    say(words, ".");
    if (call_length(call->mask) > 0) {
        say(words, " While it waited the blocked signals were ");
        say_part(words, call->mask);
        say(words, ".");
    }
}

static void say_asked_poll(struct words *words, const struct call *call)
{
    int64_t shown = count_entries(call->asked);

    say(words, " asked about ");
    if (call->count == 0)
        say(words, "no descriptor");
    else if (call->count > 0)
        say_count(words, call->count, "descriptor");
    else
        say(words, "descriptors");
    if (shown > 0) {
        say(words, call->count > 0 ? ", " : ", of which the line shows ");
        say_entries(words, call->asked, call->count > 0 ? call->count : shown, " for ");
    }
    say(words, shown > 0 && call->limit != CALL_LIMIT_UNKNOWN ? "," : "");
    say_limit(words, call);
    say_flags_of(words, call->asked);
}

static void say_asked_select(struct words *words, const struct call *call)
{
    int64_t shown = count_members(call->asked_sets);

    say(words, " asked about ");
    if (shown == 0)
        say(words, call->is_cut ? "descriptors" : "no descriptor");
    else if (call->count >= 0)
        text_add(&words->text, "descriptors below %lld, ", (long long)call->count);
    say_members(words, call->asked_sets, shown);
    say(words, shown > 0 && call->limit != CALL_LIMIT_UNKNOWN ? "," : "");
    say_limit(words, call);
}

static void say_asked_wait(struct words *words, const struct call *call)
{
    text_add(&words->text, " asked the epoll instance %lld what is ready", (long long)call->epoll);
    if (call->count >= 0) {
        say(words, ", ");
        say_count(words, call->count, "event");
        say(words, " at most,");
    }
    say_limit(words, call);
}

static void say_asked_control(struct words *words, const struct call *call)
{
    bool is_removal = call_is(call->operation, "EPOLL_CTL_DEL");

    text_add(&words->text, " asked the epoll instance %lld ", (long long)call->epoll);
    if (call->fd < 0) {
        say(words, "for something.");
        return;
    }
    say(words, is_removal ? "not to watch " : "to watch ");
    say_descriptor(words, call->fd);
    if (call_length(call->flags) > 0) {
        say(words, " for ");
        say_part(words, call->flags);
    }
    if (is_removal)
        say(words, " any longer");
    else if (call_is(call->operation, "EPOLL_CTL_MOD"))
        say(words, " from now on, in place of what was asked for before");
    say(words, " (");
    say_part(words, call->operation);
    say(words, ").");
    say_flags(words, call->flags);
    if (call_length(call->flags) > 0)
        say(words, " The data will come back with each event.");
}

static void say_asked_create(struct words *words, const struct call *call)
{
    say(words, " asked for a new epoll instance: a list, kept by the kernel, of what to watch.");
    if (!call_is(call->flags, "0"))
        say_flags(words, call->flags);
}

static void say_asked_kqueue(struct words *words, const struct call *call)
{
    (void)call;
    say(words, " asked for a new kqueue: a list, kept by the kernel, of what to watch.");
}

/* Lists the CHANGES that a call hands over, as far as the line shows them. */
static void say_changes(struct words *words, const struct call *call, const char *how)
{
    int64_t shown = count_entries(call->asked);

    if (shown == 0)
        return;
    say(words, call->changes > 0 ? ", " : ", of which the line shows ");
    say_entries(words, call->asked, call->changes > 0 ? call->changes : shown, how);
}

static void say_asked_kevent(struct words *words, const struct call *call)
{
    bool has_changes = call->changes > 0 || count_entries(call->asked) > 0;

    text_add(&words->text, " asked the kqueue %lld", (long long)call->epoll);
    if (has_changes) {
        say(words, call->changes > 0 ? " for " : " for changes");
        if (call->changes > 0)
            say_count(words, call->changes, "change");
        say_changes(words, call, " for ");
    }
    if (call->count > 0) {
        say(words, has_changes ? ", and what is ready, " : " what is ready, ");
        say_count(words, call->count, "event");
        say(words, " at most,");
    }
    if (call->count > 0)
        say_limit(words, call);
    else
        say(words, ".");
    say_flags_of(words, call->asked);
}

static void say_asked_setup(struct words *words, const struct call *call)
{
    say(words, " asked for a new ring: memory shared with the kernel, one part for requests and "
               "one for completions");
    if (call->count >= 0) {
        say(words, "; with room for ");
        say_count(words, call->count, "request");
    }
    say(words, ".");
    if (!call_is(call->flags, "0"))
        say_flags(words, call->flags);
}

static void say_asked_enter(struct words *words, const struct call *call)
{
    text_add(&words->text, " handed the ring %lld ", (long long)call->epoll);
    if (call->changes >= 0)
        say_count(words, call->changes, "request");
    else
        say(words, "requests");
    say_changes(words, call, " for ");
    if (call->count > 0) {
        say(words, ", asked for ");
        say_count(words, call->count, "completion");
        say_limit(words, call);
    } else {
        say(words, ".");
    }
    if (!call_is(call->flags, "0"))
        say_flags(words, call->flags);
    say_flags_of(words, call->asked);
}

static void say_asked_signal(struct words *words, const struct call *call)
{
    struct call without_mask = *call;

    without_mask.mask = (struct call_part){0};
    say(words, " asked for one of the signals ");
    say_part(words, call->mask);
    say_limit(words, &without_mask);
}

static void say_asked_fcntl(struct words *words, const struct call *call)
{
    say(words, " changed something about ");
    say_descriptor(words, call->fd);
    if (call_length(call->operation) > 0) {
        say(words, ": ");
        say_part(words, call->operation);
    }
    if (call_length(call->flags) > 0) {
        say(words, " to ");
        say_part(words, call->flags);
    }
    if (call->count >= 0)
        text_add(&words->text, " %lld", (long long)call->count);
    say(words, ".");
    say_flags(words, call->operation);
    if (!call_is(call->operation, "F_SETSIG"))
        say_flags(words, call->flags);
}

/* ---- what came back ---- */

/* "It came back", HOW, and when. */
static void say_when(struct words *words, const struct call *call, const char *how)
{
    say(words, how);
    if (call->took_ns < 0)
        return;
    say(words, call->took_ns < at_once_ns ? " at once (" : " after ");
    explain_time(&words->text, call->took_ns);
    say(words, call->took_ns < at_once_ns ? ")" : "");
}

static void say_error(struct words *words, const struct call *call)
{
    const char *meaning = meaning_of_error(call->error, call->name);

    say_when(words, call, "It failed");
    if (call_length(call->error) > 0) {
        say(words, " with ");
        say_part(words, call->error);
        say(words, ": ");
    }
    if (meaning)
        say(words, meaning);
    else
        say_part(words, call->error_words);
    say(words, ".");
}

static void say_nothing_ready(struct words *words, const struct call *call)
{
    say(words, ": nothing was ready");
    if (call->limit == CALL_LIMIT_TIME && call->limit_ns > 0)
        say(words, ", and the time limit was over");
    say(words, ".");
}

/* TOTAL is how many were asked about; -1: the line does not say. */
static void say_ready(struct words *words, const struct call *call, int64_t total)
{
    text_add(&words->text, ": %lld", (long long)call->result);
    if (total >= call->result)
        text_add(&words->text, " of %lld", (long long)total);
    say(words, call->result == 1 ? " was ready" : " were ready");
    if (count_entries(call->told) > 0) {
        say(words, ", ");
        say_entries(words, call->told, call->result, " with ");
    }
    say(words, ".");
}

static bool has_flag(struct call_part flags, const char *word)
{
    struct call_part flag;

    while (call_take_flag(&flags, &flag))
        if (call_is(flag, word))
            return true;
    return false;
}

static void say_advice(struct words *words, struct call_list list)
{
    struct call_entry entry;

    while (call_take_entry(&list, &entry))
        if ((has_flag(entry.flags, "POLLIN") && has_flag(entry.flags, "POLLHUP")) ||
            (has_flag(entry.flags, "EPOLLIN") && has_flag(entry.flags, "EPOLLHUP"))) {
            say(words, " Data and hang-up at once: read first, then close.");
            return;
        }
}

static void say_left(struct words *words, const struct call *call)
{
    if (!call->has_left)
        return;
    say(words, " Of the time limit ");
    explain_time(&words->text, call->left_ns);
    say(words, " were left.");
}

static void say_told_list(struct words *words, const struct call *call, int64_t total)
{
    say_when(words, call, "It came back");
    if (call->result == 0)
        say_nothing_ready(words, call);
    else
        say_ready(words, call, total);
    say_left(words, call);
    say_flags_of(words, call->told);
    say_advice(words, call->told);
}

static void say_told_poll(struct words *words, const struct call *call)
{
    say_told_list(words, call, call->count);
}

static void say_told_wait(struct words *words, const struct call *call)
{
    say_told_list(words, call, -1);
}

/* select(2) counts a descriptor once for every set that it is in. */
static void say_told_select(struct words *words, const struct call *call)
{
    say_when(words, call, "It came back");
    if (call->result == 0) {
        say_nothing_ready(words, call);
        return;
    }
    say(words, " with ");
    say_count(words, call->result, "bit");
    say(words, " set");
    if (count_members(call->told_sets) > 0) {
        say(words, ": ");
        say_members(words, call->told_sets, call->result);
    }
    say(words, ".");
    say_left(words, call);
    say(words, " It has no word for a hang-up or an error: either shows as ready.");
}

static void say_told_control(struct words *words, const struct call *call)
{
    say_when(words, call, "It was done");
    say(words, ".");
}

static void say_told_create(struct words *words, const struct call *call)
{
    say_when(words, call, "It was made");
    text_add(&words->text, ": descriptor %lld.", (long long)call->result);
}

/* What it does to a kqueue is done; events are there only where there was room for any. */
static void say_told_kevent(struct words *words, const struct call *call)
{
    if (call->count == 0)
        say_told_control(words, call);
    else
        say_told_list(words, call, -1);
}

/* The result is how many requests were taken; what is ready stands in the ring. */
static void say_told_enter(struct words *words, const struct call *call)
{
    struct call ready = *call;

    ready.result = count_entries(call->told);
    say_when(words, call, "It came back");
    if (call->result > 0) {
        say(words, ", having taken ");
        say_count(words, call->result, "request");
    }
    if (ready.result > 0)
        say_ready(words, &ready, -1);
    else
        say(words, ".");
    say_flags_of(words, call->told);
    say_advice(words, call->told);
}

static void say_told_signal(struct words *words, const struct call *call)
{
    say_when(words, call, "It came back");
    if (call_length(call->flags) == 0) {
        text_add(&words->text, " with signal %lld.", (long long)call->result);
        return;
    }
    say(words, " with ");
    say_part(words, call->flags);
    if (call->fd >= 0) {
        say(words, ", about ");
        say_descriptor(words, call->fd);
    }
    say(words, ": ");
    say_part(words, call->operation);
    say(words, ".");
    say_flags(words, call->operation);
}

/* ---- the whole line ---- */

static const struct {
    void (*say_asked)(struct words *words, const struct call *call);
    void (*say_told)(struct words *words, const struct call *call);
} kinds[] = {
    [CALL_POLL] = {say_asked_poll, say_told_poll},
    [CALL_SELECT] = {say_asked_select, say_told_select},
    [CALL_WAIT] = {say_asked_wait, say_told_wait},
    [CALL_CONTROL] = {say_asked_control, say_told_control},
    [CALL_CREATE] = {say_asked_create, say_told_create},
    [CALL_KQUEUE] = {say_asked_kqueue, say_told_create},
    [CALL_KEVENT] = {say_asked_kevent, say_told_kevent},
    [CALL_SETUP] = {say_asked_setup, say_told_create},
    [CALL_ENTER] = {say_asked_enter, say_told_enter},
    [CALL_SIGNAL] = {say_asked_signal, say_told_signal},
    [CALL_FCNTL] = {say_asked_fcntl, say_told_control},
};

static void say_asked(struct words *words, const struct call *call)
{
    say(words, call->name);
    if (call->has_arguments)
        kinds[call->kind].say_asked(words, call);
    else
        say(words, " was called; its arguments were not kept.");
    say(words, " ");
}

/* A cut line may have lost how many were ready, and not all of those that were. */
static void say_told_part(struct words *words, const struct call *call)
{
    int64_t shown = count_entries(call->told);

    say_when(words, call, "It came back");
    if (shown > 0) {
        say(words, ": among others these were ready, ");
        say_entries(words, call->told, shown, " with ");
    }
    say(words, ".");
    say_flags_of(words, call->told);
}

static void say_told(struct words *words, const struct call *call)
{
    if (!call->has_result)
        say_told_part(words, call);
    else if (call->result < 0)
        say_error(words, call);
    else
        kinds[call->kind].say_told(words, call);
    if (call->is_cut)
        say(words, " The line was cut.");
}

static int explain(const char *line, size_t n, struct words *words, bool is_result_only)
{
    struct call call;

    if (n == 0 || !call_read(&call, line, n)) {
        say(words, "This line is no call that is known here.");
        return (int)words->text.length;
    }
    if (!is_result_only)
        say_asked(words, &call);
    say_told(words, &call);
    return (int)words->text.length;
}

int explain_call(const char *line, size_t n, explain_name_fn *name_of, void *owner, char *text,
                 size_t size)
{
    struct words words = {.name_of = name_of, .owner = owner};

    text_init(&words.text, text, size);
    return explain(line, n, &words, false);
}

int explain_result(const char *line, size_t n, explain_name_fn *name_of, void *owner, char *text,
                   size_t size)
{
    struct words words = {.name_of = name_of, .owner = owner};

    text_init(&words.text, text, size);
    return explain(line, n, &words, true);
}
