/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is read into a struct call, from the left, one argument after another; then sentences are
 * made of that. Nothing is copied: all parts are parts of the line.
 *
 * The time that the call took stands at the very end and is taken off first, together with the mark
 * of a line that was cut. In a cut line the reading stops somewhere; what is known by then is told,
 * and a list gives its whole entries only.
 *
 * What the calls print differs in small things: our own backends leave out what strace(1) adds
 * ("left", a signal mask, the address of an array that was not filled), and strace has words of its
 * own for an interrupted call ("= ? ERESTART_RESTARTBLOCK (Interrupted by signal)").
 */
#include "config.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "ui/explain.h"

enum {
    LISTED = 8, /* descriptors that are listed; the others are counted */
    FLAGS = 32  /* flags that are explained */
};

static const int64_t at_once_ns = 100 * CLOCK_MICROSECOND;
static const char digits[] = "0123456789";

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
    {"EBADF", "", "a descriptor in the sets is not open, and the call does not say which"},
    {"EEXIST", "", "the descriptor is watched already; EPOLL_CTL_MOD changes for what"},
    {"ENOENT", "", "the descriptor is not watched; EPOLL_CTL_ADD comes first"},
    {"EPERM", "",
     "epoll does not take this kind of file, such as a regular one: reading and writing it never "
     "wait"},
    {"ENOMEM", "", "the kernel had not enough memory for it"},
    {"EINVAL", "epoll_ctl",
     "that is no epoll instance, or it was to watch itself, or the flags do not go together"},
    {"EINVAL", "epoll_create", "a flag is not known"},
    {"EINVAL", "epoll", "that is no epoll instance, or there was to be room for no event"},
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

/* ---- reading ---- */

/* A part of the line, or what is left of it. */
struct part {
    const char *at;
    const char *end;
};

static size_t length_of(struct part part)
{
    return (size_t)(part.end - part.at);
}

static bool begins_with(struct part part, const char *word)
{
    size_t n = strlen(word);

    return length_of(part) >= n && memcmp(part.at, word, n) == 0;
}

static bool is_word(struct part part, const char *word)
{
    return length_of(part) == strlen(word) && begins_with(part, word);
}

static bool take(struct part *rest, const char *word)
{
    if (!begins_with(*rest, word))
        return false;
    rest->at += strlen(word);
    return true;
}

/* Takes bytes that are in SET, at least one. */
static bool take_set(struct part *rest, const char *set, struct part *taken)
{
    size_t n = strlen(set);

    taken->at = rest->at;
    while (rest->at < rest->end && memchr(set, *rest->at, n))
        rest->at++;
    taken->end = rest->at;
    return taken->at < taken->end;
}

static bool take_word(struct part *rest, struct part *word)
{
    return take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", word);
}

static bool take_flags(struct part *rest, struct part *flags)
{
    return take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_|0123456789abcdefx", flags);
}

/* Takes a decimal number; one that is too large counts as the largest. */
static bool take_number(struct part *rest, int64_t *number)
{
    bool is_negative = take(rest, "-");
    struct part figures;

    *number = 0;
    if (!take_set(rest, digits, &figures))
        return false;
    for (; figures.at < figures.end; figures.at++)
        *number = *number < INT64_MAX / 10 ? *number * 10 + (*figures.at - '0') : INT64_MAX;
    if (is_negative)
        *number = -*number;
    return true;
}

/* Takes all up to the first STOP, and that too. */
static bool take_until(struct part *rest, char stop, struct part *taken)
{
    const char *found = memchr(rest->at, stop, length_of(*rest));

    *taken = (struct part){rest->at, found ? found : rest->end};
    rest->at = found ? found + 1 : rest->end;
    return found != NULL;
}

/* CALL is the name of the one that failed with ERROR. NULL: unknown. */
static const char *meaning_of_error(struct part error, const char *call)
{
    struct part name = {call, call + strlen(call)};

    for (size_t i = 0; i < sizeof error_meanings / sizeof *error_meanings; i++)
        if (is_word(error, error_meanings[i].error) && begins_with(name, error_meanings[i].call))
            return error_meanings[i].meaning;
    return NULL;
}

/* One descriptor in a list, and its flags: none where poll(2) was told to pass it over. */
struct entry {
    int64_t fd;
    struct part flags;
};

/* The rest of {fd=3, events=POLLIN}; {fd=-1} is strace's way to print one that is passed over. */
static bool take_poll_entry(struct part *rest, struct entry *entry)
{
    if (!take_number(rest, &entry->fd))
        return false;
    if (take(rest, "}"))
        return true;
    return (take(rest, ", events=") || take(rest, ", revents=")) &&
           take_flags(rest, &entry->flags) && take(rest, "}");
}

/* The rest of {events=EPOLLIN, data={u32=3, u64=3}}. */
static bool take_epoll_entry(struct part *rest, struct entry *entry)
{
    int64_t whole;

    return take_flags(rest, &entry->flags) && take(rest, ", data={u32=") &&
           take_number(rest, &entry->fd) && take(rest, ", u64=") && take_number(rest, &whole) &&
           take(rest, "}}");
}

/* Takes the next entry of a list; nothing where it is not whole. */
static bool take_entry(struct part *list, struct entry *entry)
{
    struct part rest = *list;
    bool is_whole = false;

    *entry = (struct entry){.flags = {rest.at, rest.at}};
    if (take(&rest, "{fd="))
        is_whole = take_poll_entry(&rest, entry);
    else if (take(&rest, "{events="))
        is_whole = take_epoll_entry(&rest, entry);
    if (is_whole) {
        take(&rest, ", ");
        *list = rest;
    }
    return is_whole;
}

/* Takes the next number of a set of select(2). */
static bool take_member(struct part *set, bool is_cut, int64_t *fd)
{
    struct part rest = *set;

    if (!take_number(&rest, fd) || (is_cut && rest.at == rest.end))
        return false;
    take(&rest, " ");
    *set = rest;
    return true;
}

/* A list in brackets. It may be cut, by strace too ("..."), and then what follows is not there. */
struct list_part {
    struct part inside;
    bool is_cut;
};

static bool take_list(struct part *rest, struct list_part *list)
{
    if (!take(rest, "["))
        return false;
    list->is_cut = !take_until(rest, ']', &list->inside);
    return !list->is_cut;
}

static bool is_list_of_entries(struct list_part list)
{
    struct part rest = list.inside;
    struct entry entry;

    while (take_entry(&rest, &entry))
        continue;
    return list.is_cut || length_of(rest) == 0 || is_word(rest, "...");
}

static bool is_list_of_members(struct list_part list)
{
    struct part rest = list.inside;
    int64_t fd;

    while (take_member(&rest, list.is_cut, &fd))
        continue;
    return list.is_cut || length_of(rest) == 0;
}

/* ---- the calls ---- */

enum { SETS = 3 };

static const struct {
    const char *label; /* as it is printed in front of what came back */
    const char *words;
} sets[SETS] = {{"in ", " for reading"}, {"out ", " for writing"}, {"except ", " for exceptions"}};

enum limit { LIMIT_UNKNOWN, LIMIT_NONE, LIMIT_TIME };

struct call;
struct words;

/* A system call: its name, how its arguments are read, and how they and its result are told. */
struct kind {
    const char *name;
    bool (*read)(struct part *rest, struct call *call);
    void (*say_asked)(struct words *words, const struct call *call);
    void (*say_told)(struct words *words, const struct call *call);
};

struct call {
    const struct kind *kind;
    bool has_arguments;
    bool is_cut;
    struct list_part asked; /* poll: what was asked */
    struct list_part asked_sets[SETS];
    struct list_part told; /* poll, epoll_wait: what came back */
    struct list_part told_sets[SETS];
    int64_t count; /* poll: descriptors; select: they are below it; epoll_wait: room; -1: unknown */
    int64_t epoll; /* the epoll instance; -1: unknown */
    int64_t fd;    /* epoll_ctl: whom it is about; -1: unknown */
    struct part operation;
    struct part flags; /* epoll_ctl, epoll_create1 */
    struct part mask;  /* of signals, as it is printed; empty: none */
    enum limit limit;
    int64_t limit_ns;
    bool has_left;
    int64_t left_ns;
    bool has_result;
    int64_t result;
    struct part error; /* EBADF; empty: none */
    struct part error_words;
    int64_t took_ns; /* -1: unknown */
};

/* Takes a number and the comma behind it: without that it may have lost figures in a cut. */
static bool take_argument(struct part *rest, int64_t *argument)
{
    int64_t number;

    if (!take_number(rest, &number) || !take(rest, ", "))
        return false;
    *argument = number;
    return true;
}

/* Seconds and a FRACTION in units of UNIT as nanoseconds; what is no time counts as very long. */
static int64_t time_of(int64_t seconds, int64_t fraction, int64_t unit)
{
    if (seconds < 0 || seconds > INT64_MAX / CLOCK_SECOND - 1 || fraction < 0 ||
        fraction >= CLOCK_SECOND / unit)
        return INT64_MAX;
    return seconds * CLOCK_SECOND + fraction * unit;
}

/* Takes {tv_sec=0, tv_nsec=50000000}, or with tv_usec. */
static bool take_time(struct part *rest, int64_t *ns)
{
    int64_t seconds, fraction;
    int64_t unit = 1;

    if (!take(rest, "{tv_sec=") || !take_number(rest, &seconds))
        return false;
    if (take(rest, ", tv_usec="))
        unit = CLOCK_MICROSECOND;
    else if (!take(rest, ", tv_nsec="))
        return false;
    if (!take_number(rest, &fraction) || !take(rest, "}"))
        return false;
    *ns = time_of(seconds, fraction, unit);
    return true;
}

/* Takes a time limit: NULL, a struct, or milliseconds. */
static bool take_limit(struct part *rest, struct call *call)
{
    enum limit limit = LIMIT_TIME;
    int64_t ms;

    if (take(rest, "NULL")) {
        limit = LIMIT_NONE;
    } else if (!take_time(rest, &call->limit_ns)) {
        if (!take_number(rest, &ms) || rest->at == rest->end)
            return false;
        limit = ms < 0 ? LIMIT_NONE : LIMIT_TIME;
        call->limit_ns = ms < INT64_MAX / CLOCK_MILLISECOND ? ms * CLOCK_MILLISECOND : INT64_MAX;
    }
    call->limit = limit;
    return true;
}

/* Takes a signal mask and its size, where there are any: NULL, [INT TERM], ~[INT], or both in a
 * struct, as pselect6 has them. */
static bool take_mask(struct part *rest, struct call *call)
{
    struct part mask = {0};
    struct part inside, size;
    bool is_struct;

    if (!take(rest, ", "))
        return true;
    is_struct = take(rest, "{sigmask=");
    if (!take(rest, "NULL")) {
        mask.at = rest->at;
        take(rest, "~");
        if (!take(rest, "[") || !take_until(rest, ']', &inside))
            return false;
        mask.end = rest->at;
    }
    if (take(rest, is_struct ? ", sigsetsize=" : ", ") && !take_set(rest, digits, &size))
        return false;
    call->mask = mask;
    return !is_struct || take(rest, "}");
}

/* Takes NULL or an address in the place of a list or a struct. */
static bool take_address(struct part *rest)
{
    struct part address;

    return take(rest, "NULL") || (begins_with(*rest, "0x") && take_word(rest, &address));
}

static bool read_poll(struct part *rest, struct call *call)
{
    return (take_address(rest) || take_list(rest, &call->asked)) && take(rest, ", ") &&
           take_argument(rest, &call->count) && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_select(struct part *rest, struct call *call)
{
    bool is_good = take_argument(rest, &call->count);

    for (int i = 0; i < SETS && is_good; i++)
        is_good = (take_address(rest) || take_list(rest, &call->asked_sets[i])) && take(rest, ", ");
    return is_good && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_wait(struct part *rest, struct call *call)
{
    return take_argument(rest, &call->epoll) &&
           (take_address(rest) || take_list(rest, &call->told)) && take(rest, ", ") &&
           take_argument(rest, &call->count) && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_control(struct part *rest, struct call *call)
{
    struct part operation;
    struct entry entry;

    if (!take_argument(rest, &call->epoll) || !take_word(rest, &operation) || !take(rest, ", "))
        return false;
    call->operation = operation;
    if (!take_argument(rest, &call->fd))
        return false;
    if (take_address(rest))
        return true;
    if (!take_entry(rest, &entry))
        return false;
    call->flags = entry.flags;
    return true;
}

static bool read_create(struct part *rest, struct call *call)
{
    struct part flags;

    if (!take_flags(rest, &flags) || !begins_with(*rest, ")"))
        return false;
    call->flags = flags;
    return true;
}

/* What follows a result that is good: (Timeout), ([{fd=3, revents=POLLIN}], left {...}), or (in
 * [3], left {...}). */
static bool read_told(struct part *rest, struct call *call)
{
    bool is_known;

    if (take(rest, "Timeout"))
        return true;
    do {
        is_known = begins_with(*rest, "[") && take_list(rest, &call->told);
        for (int i = 0; i < SETS && !is_known; i++)
            is_known = take(rest, sets[i].label) && take_list(rest, &call->told_sets[i]);
        if (!is_known && take(rest, "left "))
            is_known = call->has_left = take_time(rest, &call->left_ns);
    } while (is_known && take(rest, ", "));
    return is_known;
}

/* "EBADF (Bad file descriptor)"; our own backends write "errno 95" where they know no name. */
static bool read_error(struct part *rest, struct call *call)
{
    struct part error = {rest->at, rest->at};
    struct part word;

    take(rest, "errno ");
    if (!take_word(rest, &word) || !take(rest, " ("))
        return false;
    error.end = word.end;
    call->error = error;
    return take_until(rest, ')', &call->error_words);
}

/* strace fills up to a column with blanks, and writes "= ?" where the call is to be made again. */
static bool read_result(struct part *rest, struct call *call)
{
    while (take(rest, " "))
        continue;
    call->result = -1;
    if (!take(rest, "= ") || (!take(rest, "?") && !take_number(rest, &call->result)))
        return false;
    if (call->is_cut && rest->at == rest->end)
        return false;
    call->has_result = true;
    if (!take(rest, " "))
        return true;
    if (call->result < 0)
        return read_error(rest, call);
    return take(rest, "(") && read_told(rest, call) && take(rest, ")");
}

/* Takes " <0.050110>" off the end of LINE. Returns nanoseconds, or -1 where it is not there. */
static int64_t take_took(struct part *line)
{
    struct part rest = {line->end, line->end};
    struct part before, figures;
    int64_t seconds, fraction;
    int64_t unit = CLOCK_SECOND;

    while (rest.at > line->at && !begins_with(rest, " <"))
        rest.at--;
    before = (struct part){line->at, rest.at};
    if (!take(&rest, " <") || !take_number(&rest, &seconds) || !take(&rest, "."))
        return -1;
    figures = rest;
    if (!take_number(&rest, &fraction) || !is_word(rest, ">") || rest.at - figures.at > 9)
        return -1;
    for (; figures.at < rest.at; figures.at++)
        unit /= 10;
    *line = before;
    return time_of(seconds, fraction, unit);
}

/* Takes "..." off the end of LINE. */
static bool take_cut(struct part *line)
{
    if (length_of(*line) < 3 || memcmp(line->end - 3, "...", 3) != 0)
        return false;
    line->end -= 3;
    return true;
}

static bool has_good_lists(const struct call *call)
{
    bool is_good = is_list_of_entries(call->asked) && is_list_of_entries(call->told);

    for (int i = 0; i < SETS; i++)
        is_good = is_good && is_list_of_members(call->asked_sets[i]) &&
                  is_list_of_members(call->told_sets[i]);
    return is_good;
}

/* ---- words ---- */

struct words {
    struct text text;
    explain_name_fn *name_of;
    void *owner;
    struct part seen[FLAGS]; /* flags that are explained already */
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

static void say_part(struct words *words, struct part part)
{
    text_add(&words->text, "%.*s", (int)length_of(part), part.at);
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

/* Lists TOTAL entries, each HOW (" for ") with its flags. */
static void say_entries(struct words *words, struct list_part list, int64_t total, const char *how)
{
    struct listing listing = {.total = total};
    struct part rest = list.inside;
    struct entry entry;

    while (take_entry(&rest, &entry) && say_next(words, &listing)) {
        say_descriptor(words, entry.fd);
        say(words, length_of(entry.flags) > 0 ? how : ", which is passed over");
        say_part(words, entry.flags);
    }
}

/* Lists TOTAL members of the three sets. */
static void say_members(struct words *words, const struct list_part lists[SETS], int64_t total)
{
    struct listing listing = {.total = total};
    int64_t fd;

    for (int i = 0; i < SETS; i++) {
        struct part rest = lists[i].inside;

        while (take_member(&rest, lists[i].is_cut, &fd) && say_next(words, &listing)) {
            say_descriptor(words, fd);
            say(words, sets[i].words);
        }
    }
}

static int64_t count_members(const struct list_part lists[SETS])
{
    int64_t count = 0;
    int64_t fd;

    for (int i = 0; i < SETS; i++) {
        struct part rest = lists[i].inside;

        while (take_member(&rest, lists[i].is_cut, &fd))
            count++;
    }
    return count;
}

static int64_t count_entries(struct list_part list)
{
    struct entry entry;
    int64_t count = 0;

    while (take_entry(&list.inside, &entry))
        count++;
    return count;
}

static bool was_seen(struct words *words, struct part flag)
{
    for (size_t i = 0; i < words->seen_count; i++)
        if (length_of(words->seen[i]) == length_of(flag) &&
            memcmp(words->seen[i].at, flag.at, length_of(flag)) == 0)
            return true;
    if (words->seen_count == FLAGS)
        return true;
    words->seen[words->seen_count++] = flag;
    return false;
}

/* Explains those of FLAGS that were not yet. */
static void say_flags(struct words *words, struct part flags)
{
    struct part flag;

    while (length_of(flags) > 0) {
        take_until(&flags, '|', &flag);
        if (!was_seen(words, flag)) {
            const char *meaning = explain_flag(flag.at, length_of(flag));

            say(words, " ");
            say_part(words, flag);
            text_add(&words->text, ": %s.", meaning ? meaning : "not known here");
        }
    }
}

static void say_flags_of(struct words *words, struct list_part list)
{
    struct entry entry;

    while (take_entry(&list.inside, &entry))
        say_flags(words, entry.flags);
}

/* ---- what was asked ---- */

static void say_limit(struct words *words, const struct call *call)
{
    if (call->limit == LIMIT_NONE) {
        say(words, " and was to wait without a time limit");
    } else if (call->limit == LIMIT_TIME && call->limit_ns == 0) {
        say(words, " and was only to look, not to wait");
    } else if (call->limit == LIMIT_TIME) {
        say(words, " and was to wait at most ");
        say_exact_time(words, call->limit_ns);
    }
    say(words, ".");
    if (length_of(call->mask) > 0) {
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
    say(words, shown > 0 && call->limit != LIMIT_UNKNOWN ? "," : "");
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
    say(words, shown > 0 && call->limit != LIMIT_UNKNOWN ? "," : "");
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
    bool is_removal = is_word(call->operation, "EPOLL_CTL_DEL");

    text_add(&words->text, " asked the epoll instance %lld ", (long long)call->epoll);
    if (call->fd < 0) {
        say(words, "for something.");
        return;
    }
    say(words, is_removal ? "not to watch " : "to watch ");
    say_descriptor(words, call->fd);
    if (length_of(call->flags) > 0) {
        say(words, " for ");
        say_part(words, call->flags);
    }
    if (is_removal)
        say(words, " any longer");
    else if (is_word(call->operation, "EPOLL_CTL_MOD"))
        say(words, " from now on, in place of what was asked for before");
    say(words, " (");
    say_part(words, call->operation);
    say(words, ").");
    say_flags(words, call->flags);
    if (length_of(call->flags) > 0)
        say(words, " The data will come back with each event.");
}

static void say_asked_create(struct words *words, const struct call *call)
{
    say(words, " asked for a new epoll instance: a list, kept by the kernel, of what to watch.");
    if (!is_word(call->flags, "0"))
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
    const char *meaning = meaning_of_error(call->error, call->kind->name);

    say_when(words, call, "It failed");
    if (length_of(call->error) > 0) {
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
    if (call->limit == LIMIT_TIME && call->limit_ns > 0)
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

static bool has_flag(struct part flags, const char *word)
{
    struct part flag;

    while (length_of(flags) > 0) {
        take_until(&flags, '|', &flag);
        take(&flag, "E");
        if (is_word(flag, word))
            return true;
    }
    return false;
}

static void say_advice(struct words *words, struct list_part list)
{
    struct entry entry;

    while (take_entry(&list.inside, &entry))
        if (has_flag(entry.flags, "POLLIN") && has_flag(entry.flags, "POLLHUP")) {
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

/* ---- the whole line ---- */

static const struct kind kinds[] = {
    {"poll", read_poll, say_asked_poll, say_told_poll},
    {"ppoll", read_poll, say_asked_poll, say_told_poll},
    {"select", read_select, say_asked_select, say_told_select},
    {"pselect6", read_select, say_asked_select, say_told_select},
    {"epoll_wait", read_wait, say_asked_wait, say_told_wait},
    {"epoll_pwait", read_wait, say_asked_wait, say_told_wait},
    {"epoll_pwait2", read_wait, say_asked_wait, say_told_wait},
    {"epoll_ctl", read_control, say_asked_control, say_told_control},
    {"epoll_create1", read_create, say_asked_create, say_told_create},
};

static const struct kind *find_kind(struct part name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_word(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

/* Takes the arguments; "..." stands for those that nobody has kept. */
static bool read_arguments(struct part *rest, struct call *call)
{
    call->has_arguments = !take(rest, "...)");
    return !call->has_arguments || (call->kind->read(rest, call) && take(rest, ")"));
}

/* Returns whether LINE is a call that is known, whole or cut. */
static bool read_call(struct part line, struct call *call)
{
    struct part name;
    bool is_whole;

    *call = (struct call){.count = -1, .epoll = -1, .fd = -1};
    while (line.at < line.end && line.end[-1] == '\n')
        line.end--;
    call->took_ns = take_took(&line);
    call->is_cut = take_cut(&line);
    if (!take_word(&line, &name) || !take(&line, "("))
        return false;
    call->kind = find_kind(name);
    if (!call->kind)
        return false;
    is_whole = read_arguments(&line, call) && read_result(&line, call) && length_of(line) == 0;
    return (is_whole || call->is_cut) && has_good_lists(call);
}

static void say_asked(struct words *words, const struct call *call)
{
    say(words, call->kind->name);
    if (call->has_arguments)
        call->kind->say_asked(words, call);
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
        call->kind->say_told(words, call);
    if (call->is_cut)
        say(words, " The line was cut.");
}

static int explain(const char *line, size_t n, struct words *words, bool is_result_only)
{
    struct part part = {line, line + n};
    struct call call;

    if (n == 0 || !read_call(part, &call)) {
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
