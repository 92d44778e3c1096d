/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line is read from the left, one argument after another. The time that the call took stands at
 * the very end and is taken off first, together with the mark of a line that was cut. In a cut line
 * the reading stops somewhere, and what was whole by then is known.
 *
 * What is printed differs in small things: our own backends leave out what strace(1) adds ("left",
 * a signal mask, the address of an array that was not filled), and strace has words of its own for
 * an interrupted call ("= ? ERESTART_RESTARTBLOCK (Interrupted by signal)"). What lies in the rings
 * of io_uring strace cannot see; our backend adds it as a comment.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "trace/call.h"

static const char digits[] = "0123456789";

/* ---- reading ---- */

size_t call_length(struct call_part part)
{
    return (size_t)(part.end - part.at);
}

static bool begins_with(struct call_part part, const char *word)
{
    size_t n = strlen(word);

    return call_length(part) >= n && memcmp(part.at, word, n) == 0;
}

bool call_is(struct call_part part, const char *word)
{
    return call_length(part) == strlen(word) && begins_with(part, word);
}

static bool take(struct call_part *rest, const char *word)
{
    if (!begins_with(*rest, word))
        return false;
    rest->at += strlen(word);
    return true;
}

/* Takes bytes that are in SET, at least one. */
static bool take_set(struct call_part *rest, const char *set, struct call_part *taken)
{
    size_t n = strlen(set);

    taken->at = rest->at;
    while (rest->at < rest->end && memchr(set, *rest->at, n))
        rest->at++;
    taken->end = rest->at;
    return taken->at < taken->end;
}

static bool take_word(struct call_part *rest, struct call_part *word)
{
    return take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", word);
}

static bool take_flags(struct call_part *rest, struct call_part *flags)
{
    return take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_|0123456789abcdefx", flags);
}

/* Takes a decimal number; one that is too large counts as the largest. */
static bool take_number(struct call_part *rest, int64_t *number)
{
    bool is_negative = take(rest, "-");
    struct call_part figures;

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
static bool take_until(struct call_part *rest, char stop, struct call_part *taken)
{
    const char *found = memchr(rest->at, stop, call_length(*rest));

    *taken = (struct call_part){rest->at, found ? found : rest->end};
    rest->at = found ? found + 1 : rest->end;
    return found != NULL;
}

/* The rest of {fd=3, events=POLLIN}; {fd=-1} is strace's way to print one that is passed over. */
static bool take_poll_entry(struct call_part *rest, struct call_entry *entry)
{
    if (!take_number(rest, &entry->fd))
        return false;
    if (take(rest, "}"))
        return true;
    return (take(rest, ", events=") || take(rest, ", revents=")) &&
           take_flags(rest, &entry->flags) && take(rest, "}");
}

/* The rest of {events=EPOLLIN, data={u32=3, u64=3}}. */
static bool take_epoll_entry(struct call_part *rest, struct call_entry *entry)
{
    int64_t whole;

    return take_flags(rest, &entry->flags) && take(rest, ", data={u32=") &&
           take_number(rest, &entry->fd) && take(rest, ", u64=") && take_number(rest, &whole) &&
           take(rest, "}}");
}

/* The rest of {ident=4, filter=EVFILT_READ, flags=EV_ADD, fflags=0, data=0, udata=0x5}. */
static bool take_kevent_entry(struct call_part *rest, struct call_entry *entry)
{
    struct call_part udata;
    int64_t data;

    return take_number(rest, &entry->fd) && take(rest, ", filter=") &&
           take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789", &entry->filter) &&
           take(rest, ", flags=") && take_flags(rest, &entry->flags) && take(rest, ", fflags=") &&
           take_flags(rest, &entry->fflags) && take(rest, ", data=") && take_number(rest, &data) &&
           take(rest, ", udata=") && take_word(rest, &udata) && take(rest, "}");
}

bool call_take_entry(struct call_list *list, struct call_entry *entry)
{
    struct call_part rest = list->inside;
    bool is_whole = false;

    *entry = (struct call_entry){
        .flags = {rest.at, rest.at}, .filter = {rest.at, rest.at}, .fflags = {rest.at, rest.at}};
    if (take(&rest, "{fd="))
        is_whole = take_poll_entry(&rest, entry);
    else if (take(&rest, "{events="))
        is_whole = take_epoll_entry(&rest, entry);
    else if (take(&rest, "{ident="))
        is_whole = take_kevent_entry(&rest, entry);
    if (is_whole) {
        take(&rest, ", ");
        list->inside = rest;
    }
    return is_whole;
}

/* A number at the cut may have lost figures. */
bool call_take_member(struct call_list *set, int64_t *fd)
{
    struct call_part rest = set->inside;

    if (!take_number(&rest, fd) || (set->is_cut && rest.at == rest.end))
        return false;
    take(&rest, " ");
    set->inside = rest;
    return true;
}

bool call_take_flag(struct call_part *flags, struct call_part *flag)
{
    if (call_length(*flags) == 0)
        return false;
    take_until(flags, '|', flag);
    return true;
}

static bool take_list(struct call_part *rest, struct call_list *list)
{
    if (!take(rest, "["))
        return false;
    list->is_cut = !take_until(rest, ']', &list->inside);
    return !list->is_cut;
}

static bool is_list_of_entries(struct call_list list)
{
    struct call_entry entry;

    while (call_take_entry(&list, &entry))
        continue;
    return list.is_cut || call_length(list.inside) == 0 || call_is(list.inside, "...");
}

static bool is_list_of_members(struct call_list list)
{
    int64_t fd;

    while (call_take_member(&list, &fd))
        continue;
    return list.is_cut || call_length(list.inside) == 0;
}

/* ---- arguments ---- */

/* Takes a number and the comma behind it: without that it may have lost figures in a cut. */
static bool take_argument(struct call_part *rest, int64_t *argument)
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
static bool take_time(struct call_part *rest, int64_t *ns)
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
static bool take_limit(struct call_part *rest, struct call *call)
{
    enum call_limit limit = CALL_LIMIT_TIME;
    int64_t ms;

    if (take(rest, "NULL")) {
        limit = CALL_LIMIT_NONE;
    } else if (!take_time(rest, &call->limit_ns)) {
        if (!take_number(rest, &ms) || rest->at == rest->end)
            return false;
        limit = ms < 0 ? CALL_LIMIT_NONE : CALL_LIMIT_TIME;
        call->limit_ns = ms < INT64_MAX / CLOCK_MILLISECOND ? ms * CLOCK_MILLISECOND : INT64_MAX;
    }
    call->limit = limit;
    return true;
}

/* Takes a signal mask and its size, where there are any: NULL, [INT TERM], ~[INT], or both in a
 * struct, as pselect6 has them. */
static bool take_mask(struct call_part *rest, struct call *call)
{
    struct call_part mask = {0};
    struct call_part inside, size;
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
static bool take_address(struct call_part *rest)
{
    struct call_part address;

    return take(rest, "NULL") || (begins_with(*rest, "0x") && take_word(rest, &address));
}

static bool read_poll(struct call_part *rest, struct call *call)
{
    return (take_address(rest) || take_list(rest, &call->asked)) && take(rest, ", ") &&
           take_argument(rest, &call->count) && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_select(struct call_part *rest, struct call *call)
{
    bool is_good = take_argument(rest, &call->count);

    for (int i = 0; i < CALL_SETS && is_good; i++)
        is_good = (take_address(rest) || take_list(rest, &call->asked_sets[i])) && take(rest, ", ");
    return is_good && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_wait(struct call_part *rest, struct call *call)
{
    return take_argument(rest, &call->epoll) &&
           (take_address(rest) || take_list(rest, &call->told)) && take(rest, ", ") &&
           take_argument(rest, &call->count) && take_limit(rest, call) && take_mask(rest, call);
}

static bool read_control(struct call_part *rest, struct call *call)
{
    struct call_part operation;
    struct call_entry entry = {0};

    if (!take_argument(rest, &call->epoll) || !take_word(rest, &operation) || !take(rest, ", "))
        return false;
    call->operation = operation;
    if (!take_argument(rest, &call->fd))
        return false;
    if (take_address(rest))
        return true;
    if (!take(rest, "{events=") || !take_epoll_entry(rest, &entry))
        return false;
    call->flags = entry.flags;
    return true;
}

static bool read_create(struct call_part *rest, struct call *call)
{
    struct call_part flags;

    if (!take_flags(rest, &flags) || !begins_with(*rest, ")"))
        return false;
    call->flags = flags;
    return true;
}

static bool read_nothing(struct call_part *rest, struct call *call)
{
    (void)call;
    return begins_with(*rest, ")");
}

static bool read_kevent(struct call_part *rest, struct call *call)
{
    return take_argument(rest, &call->epoll) && take_list(rest, &call->asked) && take(rest, ", ") &&
           take_argument(rest, &call->changes) && take_list(rest, &call->told) &&
           take(rest, ", ") && take_argument(rest, &call->count) && take_limit(rest, call);
}

/* Of the ring's parameters the flags alone: what follows them is where it lies in memory. */
static bool read_setup(struct call_part *rest, struct call *call)
{
    struct call_part flags, inside;

    if (!take_argument(rest, &call->count) || !take(rest, "{flags=") || !take_flags(rest, &flags))
        return false;
    call->flags = flags;
    if (!take_until(rest, ')', &inside))
        return false;
    rest->at--;
    return true;
}

/* Takes {sigmask=NULL, sigmask_sz=8, min_wait_usec=0, ts={tv_sec=0, tv_nsec=50000000}}. Versions of
 * strace differ in what stands between the mask and the time. */
static bool take_extended(struct call_part *rest, struct call *call)
{
    struct call_part between;

    if (!take(rest, "{sigmask="))
        return false;
    while (rest->at < rest->end && !begins_with(*rest, "ts=") && !begins_with(*rest, ")"))
        rest->at++;
    if (!take(rest, "ts="))
        return false;
    if (begins_with(*rest, "0x"))
        return take_word(rest, &between) && take(rest, "}");
    return take_limit(rest, call) && take(rest, "}");
}

static bool read_enter(struct call_part *rest, struct call *call)
{
    struct call_part flags, size;

    if (!take_argument(rest, &call->epoll) || !take_argument(rest, &call->changes) ||
        !take_argument(rest, &call->count) || !take_flags(rest, &flags) || !take(rest, ", "))
        return false;
    call->flags = flags;
    if (take(rest, "NULL"))
        call->limit = CALL_LIMIT_NONE;
    else if (!take_extended(rest, call))
        return false;
    return take(rest, ", ") && take_set(rest, digits, &size);
}

/* The rest of {si_signo=SIGRT_2, si_code=POLL_IN, si_band=65, si_fd=5}; what else can be in it is
 * passed over. */
static bool take_siginfo(struct call_part *rest, struct call *call)
{
    struct call_part signo, code, others;
    int64_t fd;

    if (!take(rest, "si_signo=") || !take_word(rest, &signo) || !take(rest, ", si_code=") ||
        !take_set(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789", &code))
        return false;
    call->flags = signo;
    call->operation = code;
    if (take(rest, ", si_band=") && take_set(rest, "-0123456789", &others) &&
        take(rest, ", si_fd=") && take_number(rest, &fd) && begins_with(*rest, "}"))
        call->fd = fd;
    return take_until(rest, '}', &others);
}

static bool read_signal(struct call_part *rest, struct call *call)
{
    struct call_part inside, size;
    struct call_part mask = {rest->at, rest->at};

    if (!take(rest, "[") || !take_until(rest, ']', &inside))
        return false;
    mask.end = rest->at;
    call->mask = mask;
    return take(rest, ", ") && (take(rest, "{") ? take_siginfo(rest, call) : take_address(rest)) &&
           take(rest, ", ") && take_limit(rest, call) && take(rest, ", ") &&
           take_set(rest, digits, &size);
}

/* Takes {type=F_OWNER_TID, pid=12}. */
static bool take_owner(struct call_part *rest, struct call *call)
{
    struct call_part type;
    int64_t pid;

    if (!take(rest, "{type=") || !take_word(rest, &type) || !take(rest, ", pid=") ||
        !take_number(rest, &pid) || !take(rest, "}"))
        return false;
    call->flags = type;
    call->count = pid;
    return true;
}

/* Behind the operation: O_RDWR|O_ASYNC, SIGRT_2, or an owner. */
static bool read_fcntl(struct call_part *rest, struct call *call)
{
    struct call_part operation, flags;

    if (!take_argument(rest, &call->fd) || !take_word(rest, &operation) || rest->at == rest->end)
        return false;
    call->operation = operation;
    if (!take(rest, ", "))
        return true;
    if (begins_with(*rest, "{"))
        return take_owner(rest, call);
    if (!take_flags(rest, &flags) || !begins_with(*rest, ")"))
        return false;
    call->flags = flags;
    return true;
}

/* What follows a result that is good: (Timeout), (SIGIO), ([{fd=3, revents=POLLIN}], left {...}),
 * or (in [3], left {...}). */
static bool read_told(struct call_part *rest, struct call *call)
{
    static const char *const labels[CALL_SETS] = {"in ", "out ", "except "};
    struct call_part signo;
    bool is_known;

    if (take(rest, "Timeout"))
        return true;
    if (begins_with(*rest, "SIG"))
        return take_word(rest, &signo);
    do {
        is_known = begins_with(*rest, "[") && take_list(rest, &call->told);
        for (int i = 0; i < CALL_SETS && !is_known; i++)
            is_known = take(rest, labels[i]) && take_list(rest, &call->told_sets[i]);
        if (!is_known && take(rest, "left "))
            is_known = call->has_left = take_time(rest, &call->left_ns);
    } while (is_known && take(rest, ", "));
    return is_known;
}

/* "EBADF (Bad file descriptor)"; our own backends write "errno 95" where they know no name. */
static bool read_error(struct call_part *rest, struct call *call)
{
    struct call_part error = {rest->at, rest->at};
    struct call_part word;

    take(rest, "errno ");
    if (!take_word(rest, &word) || !take(rest, " ("))
        return false;
    error.end = word.end;
    call->error = error;
    return take_until(rest, ')', &call->error_words);
}

/* How our own comment on what was in the rings of io_uring begins. */
static const char rings[] = " /* SQ ";

static bool read_rings(struct call_part *rest, struct call *call)
{
    if (!take(rest, rings))
        return true;
    return take_list(rest, &call->asked) && take(rest, ", CQ ") && take_list(rest, &call->told) &&
           take(rest, " */");
}

/* strace fills up to a column with blanks, and writes "= ?" where the call is to be made again. */
static bool read_result(struct call_part *rest, struct call *call)
{
    while (take(rest, " "))
        continue;
    call->result = -1;
    if (!take(rest, "= ") || (!take(rest, "?") && !take_number(rest, &call->result)))
        return false;
    if (call->is_cut && rest->at == rest->end)
        return false;
    call->has_result = true;
    if (begins_with(*rest, rings) || !take(rest, " "))
        return true;
    if (call->result < 0)
        return read_error(rest, call);
    return take(rest, "(") && read_told(rest, call) && take(rest, ")");
}

/* Takes " <0.050110>" off the end of LINE. Returns nanoseconds, or -1 where it is not there. */
static int64_t take_took(struct call_part *line)
{
    struct call_part rest = {line->end, line->end};
    struct call_part before, figures;
    int64_t seconds, fraction;
    int64_t unit = CLOCK_SECOND;

    while (rest.at > line->at && !begins_with(rest, " <"))
        rest.at--;
    before = (struct call_part){line->at, rest.at};
    if (!take(&rest, " <") || !take_number(&rest, &seconds) || !take(&rest, "."))
        return -1;
    figures = rest;
    if (!take_number(&rest, &fraction) || !call_is(rest, ">") || rest.at - figures.at > 9)
        return -1;
    for (; figures.at < rest.at; figures.at++)
        unit /= 10;
    *line = before;
    return time_of(seconds, fraction, unit);
}

/* Takes "..." off the end of LINE. */
static bool take_cut(struct call_part *line)
{
    if (call_length(*line) < 3 || memcmp(line->end - 3, "...", 3) != 0)
        return false;
    line->end -= 3;
    return true;
}

static bool has_good_lists(const struct call *call)
{
    bool is_good = is_list_of_entries(call->asked) && is_list_of_entries(call->told);

    for (int i = 0; i < CALL_SETS; i++)
        is_good = is_good && is_list_of_members(call->asked_sets[i]) &&
                  is_list_of_members(call->told_sets[i]);
    return is_good;
}

/* ---- the whole line ---- */

static const struct kind {
    const char *name;
    enum call_kind kind;
    bool (*read)(struct call_part *rest, struct call *call);
} kinds[] = {
    {"poll", CALL_POLL, read_poll},
    {"ppoll", CALL_POLL, read_poll},
    {"select", CALL_SELECT, read_select},
    {"pselect6", CALL_SELECT, read_select},
    {"epoll_wait", CALL_WAIT, read_wait},
    {"epoll_pwait", CALL_WAIT, read_wait},
    {"epoll_pwait2", CALL_WAIT, read_wait},
    {"epoll_ctl", CALL_CONTROL, read_control},
    {"epoll_create1", CALL_CREATE, read_create},
    {"kqueue", CALL_KQUEUE, read_nothing},
    {"kevent", CALL_KEVENT, read_kevent},
    {"io_uring_setup", CALL_SETUP, read_setup},
    {"io_uring_enter", CALL_ENTER, read_enter},
    {"rt_sigtimedwait", CALL_SIGNAL, read_signal},
    {"fcntl", CALL_FCNTL, read_fcntl},
};

static const struct kind *find_kind(struct call_part name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (call_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

/* Takes the arguments; "..." stands for those that nobody has kept. */
static bool read_arguments(struct call_part *rest, struct call *call, const struct kind *kind)
{
    call->has_arguments = !take(rest, "...)");
    return !call->has_arguments || (kind->read(rest, call) && take(rest, ")"));
}

bool call_read(struct call *call, const char *line, size_t n)
{
    struct call_part rest = {line, line + n};
    const struct kind *kind;
    struct call_part name;
    bool is_whole;

    *call = (struct call){.count = -1, .changes = -1, .epoll = -1, .fd = -1};
    while (rest.at < rest.end && rest.end[-1] == '\n')
        rest.end--;
    call->took_ns = take_took(&rest);
    call->is_cut = take_cut(&rest);
    kind = take_word(&rest, &name) && take(&rest, "(") ? find_kind(name) : NULL;
    if (!kind)
        return false;
    call->kind = kind->kind;
    call->name = kind->name;
    is_whole = read_arguments(&rest, call, kind) && read_result(&rest, call) &&
               read_rings(&rest, call) && call_length(rest) == 0;
    return (is_whole || call->is_cut) && has_good_lists(call);
}
