/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of backends, and the part of the contract that is the same for all of them: who is
 * in, which arguments are refused, how long a wait lasts, and one-shot where the kernel has none.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "poller/backend.h"
#include "poller/names.h"
#include "pollspin/poller.h"

enum {
    POLLER_EVENTS = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_RDHUP,
    POLLER_TRIGGERS = POLLER_EDGE | POLLER_ONESHOT
};

/* The best first: "auto" takes the first that opens and is no lesson. */
static const struct poller_backend *const poller_backends[] = {
    &backend_epoll,  &backend_kqueue, &backend_uring, &backend_poll,
    &backend_select, &backend_sigio,  &backend_busy,  &backend_blocking,
};

enum { POLLER_BACKENDS = sizeof poller_backends / sizeof *poller_backends };

/* As poller_open_backend, with the kernel object FD unless that is -1. */
static struct poller *poller_begin(const struct poller_backend *backend, int fd)
{
    struct poller *poller;

    if (backend->missing) {
        errno = ENOTSUP;
        return NULL;
    }
    poller = calloc(1, sizeof *poller);
    if (!poller)
        return NULL;
    poller->backend = backend;
    if ((fd < 0 ? backend->open(poller) : backend->adopt(poller, fd)) < 0) {
        free(poller->entries);
        free(poller);
        return NULL;
    }
    return poller;
}

struct poller *poller_open_backend(const struct poller_backend *backend)
{
    return poller_begin(backend, -1);
}

static struct poller *poller_open_best(void)
{
    struct poller *poller = NULL;

    for (size_t i = 0; i < POLLER_BACKENDS && !poller; i++)
        if (!poller_backends[i]->is_lesson)
            poller = poller_open_backend(poller_backends[i]);
    return poller;
}

static const struct poller_backend *poller_named(const char *name)
{
    for (size_t i = 0; i < POLLER_BACKENDS; i++)
        if (strcmp(poller_backends[i]->name, name) == 0)
            return poller_backends[i];
    errno = EINVAL;
    return NULL;
}

struct poller *poller_open(const char *name)
{
    const struct poller_backend *backend;

    if (!name || strcmp(name, "auto") == 0) {
        name = getenv("POLLSPIN_BACKEND");
        if (!name || *name == '\0' || strcmp(name, "auto") == 0)
            return poller_open_best();
    }
    backend = poller_named(name);
    return backend ? poller_open_backend(backend) : NULL;
}

struct poller *poller_from_fd(const char *name, int fd)
{
    const struct poller_backend *backend = poller_named(name);

    if (!backend)
        return NULL;
    if (!backend->adopt) {
        errno = ENOTSUP;
        return NULL;
    }
    if (fd < 0) {
        errno = EBADF;
        return NULL;
    }
    return poller_begin(backend, fd);
}

void poller_close(struct poller *poller)
{
    if (!poller)
        return;
    poller->observer = NULL; /* may be gone by now */
    poller->backend->close(poller);
    free(poller->entries);
    free(poller);
}

const char *poller_name(const struct poller *poller)
{
    return poller->backend->name;
}

int poller_fd(const struct poller *poller)
{
    if (poller->backend->fd)
        return poller->backend->fd(poller);
    errno = ENOTSUP;
    return -1;
}

int poller_supports(const struct poller *poller, unsigned flags)
{
    return (flags & ~poller->backend->supports) == 0;
}

int poller_can_hold(const struct poller *poller, int fd)
{
    int limit = poller->backend->limit;

    return limit <= 0 || fd < limit;
}

/* Makes entries[FD] exist. A number that is no descriptor must not make the table huge. */
static int poller_reach(struct poller *poller, int fd)
{
    int size = poller->size ? poller->size : 64;
    struct poller_entry *entries;

    if (fd < poller->size)
        return 0;
    if (fd >= size && !backend_is_open(fd))
        return -1; /* EBADF */
    while (size <= fd)
        size = size <= INT_MAX / 2 ? 2 * size : INT_MAX;
    entries = realloc(poller->entries, (size_t)size * sizeof *entries);
    if (!entries)
        return -1;
    memset(entries + poller->size, 0, (size_t)(size - poller->size) * sizeof *entries);
    poller->entries = entries;
    poller->size = size;
    return 0;
}

static int poller_check(const struct poller *poller, int fd, unsigned want)
{
    errno = 0;
    if (fd < 0 || fd == INT_MAX)
        errno = EBADF;
    else if (want & ~(unsigned)(POLLER_EVENTS | POLLER_TRIGGERS))
        errno = EINVAL;
    else if (!poller_supports(poller, want))
        errno = ENOTSUP;
    else if (!poller_can_hold(poller, fd))
        errno = ERANGE;
    return errno == 0 ? 0 : -1;
}

/* From now on FD is watched for WANT, and the kernel knows. */
static void poller_note(struct poller *poller, int fd, unsigned want, void *data)
{
    struct poller_entry *entry = &poller->entries[fd];

    entry->is_in = true;
    entry->want = want | BACKEND_ALWAYS;
    entry->data = data;
}

int backend_take_in(struct poller *poller, int fd, unsigned want)
{
    want &= ~(unsigned)BACKEND_ALWAYS;
    if (poller_check(poller, fd, want) < 0 || poller_reach(poller, fd) < 0)
        return -1;
    poller_note(poller, fd, want, NULL);
    return 0;
}

int poller_add(struct poller *poller, int fd, unsigned want, void *data)
{
    struct poller_entry *entry;

    if (poller_check(poller, fd, want) < 0 || poller_reach(poller, fd) < 0)
        return -1;
    entry = &poller->entries[fd];
    if (entry->is_in) {
        errno = EEXIST;
        return -1;
    }
    if (poller->backend->set(poller, fd, 0, want | BACKEND_ALWAYS) < 0)
        return -1;
    poller_note(poller, fd, want, data);
    return 0;
}

int poller_modify(struct poller *poller, int fd, unsigned want, void *data)
{
    struct poller_entry *entry = backend_entry(poller, fd);

    if (!entry || poller_check(poller, fd, want) < 0)
        return -1;
    if (poller->backend->set(poller, fd, entry->want, want | BACKEND_ALWAYS) < 0)
        return -1;
    poller_note(poller, fd, want, data);
    return 0;
}

int poller_remove(struct poller *poller, int fd)
{
    struct poller_entry *entry = backend_entry(poller, fd);

    if (!entry)
        return -1;
    if (entry->want != 0)
        poller->backend->set(poller, fd, entry->want, 0);
    entry->want = 0;
    entry->is_in = false;
    entry->generation++;
    return 0;
}

/* Gives each event its data. What fired for the last time is taken away: a one-shot that the kernel
 * does not silence itself, and a descriptor that is no longer one. */
static int poller_deliver(struct poller *poller, struct poller_event *events, int n)
{
    unsigned once = POLLER_ONESHOT & ~poller->backend->native;

    for (int i = 0; i < n; i++) {
        struct poller_entry *entry = &poller->entries[events[i].fd];

        events[i].data = entry->data;
        if ((entry->want & once) || (events[i].ready & POLLER_INVALID)) {
            poller->backend->set(poller, events[i].fd, entry->want, 0);
            entry->want = 0;
        }
    }
    return n;
}

static int64_t poller_round_up(int64_t ns, int64_t unit)
{
    return ns % unit == 0 ? ns : ns - ns % unit + unit;
}

/* How long a wait that ends at DEADLINE may still last, in the unit of the backend. One that only
 * looks has no deadline. */
static int64_t poller_left(const struct poller *poller, int64_t timeout_ns, int64_t deadline)
{
    int64_t left = timeout_ns > 0 ? deadline - clock_now() : 0;

    return left > 0 ? poller_round_up(left, poller->backend->unit_ns) : 0;
}

int poller_wait(struct poller *poller, struct poller_event *events, int max, int64_t timeout_ns)
{
    int64_t longest = INT64_MAX / 4;
    int64_t deadline = 0;

    if (timeout_ns > longest)
        timeout_ns = longest;
    if (timeout_ns > 0)
        deadline = clock_now() + timeout_ns;
    return backend_wait(poller, events, max, timeout_ns, deadline);
}

int backend_wait(struct poller *poller, struct poller_event *events, int max, int64_t timeout_ns,
                 int64_t deadline)
{
    int64_t left = timeout_ns < 0 ? -1 : poller_round_up(timeout_ns, poller->backend->unit_ns);
    int n;

    if (max < 1) {
        errno = EINVAL;
        return -1;
    }
    for (;;) {
        n = poller->backend->wait(poller, left, events, max);
        if (n > 0)
            return poller_deliver(poller, events, n);
        if (n < 0 && errno != EINTR)
            return -1;
        if (timeout_ns >= 0 && (left = poller_left(poller, timeout_ns, deadline)) == 0 && n == 0)
            return 0;
    }
}

void poller_explain(const struct poller *poller, int fd, int error, char *bytes, size_t size)
{
    const struct poller_backend *backend = poller->backend;
    struct text text;

    text_init(&text, bytes, size);
    if (error == ERANGE && backend->limit > 0)
        text_add(&text, "%s holds descriptors 0 to %d only, not %d", backend->name,
                 backend->limit - 1, fd);
    else if (error == ENOTSUP)
        text_add(&text, "%s cannot be asked for that", backend->name);
    else
        text_add(&text, "%s: descriptor %d: %s", backend->name, fd, strerror(error));
}

int poller_list(size_t index, struct poller_info *info)
{
    const struct poller_backend *backend;

    if (index >= POLLER_BACKENDS) {
        errno = ERANGE;
        return -1;
    }
    backend = poller_backends[index];
    *info = (struct poller_info){.name = backend->name,
                                 .summary = backend->summary,
                                 .missing = backend->missing,
                                 .supports = backend->supports,
                                 .is_lesson = backend->is_lesson};
    return 0;
}

void poller_observe(struct poller *poller, poller_observer *observer, void *context)
{
    poller->observer = observer;
    poller->context = context;
}

int poller_call_text(const struct poller_call *call, char *bytes, size_t size)
{
    struct text text;

    text_init(&text, bytes, size);
    call->args->print(&text, call);
    return (int)text.length;
}

int poller_event_names(char *bytes, size_t size, unsigned mask)
{
    struct text text;

    text_init(&text, bytes, size);
    names_add_flags(&text, names_poller, mask);
    return (int)text.length;
}

void backend_end(const struct poller *poller, int64_t begin, struct poller_call *call)
{
    int error = errno;

    if (!poller->observer)
        return;
    call->begin_ns = begin;
    call->end_ns = clock_now();
    call->error = call->result == -1 ? error : 0;
    if (call->is_wait && !poller->backend->sets_told)
        call->told = (int)call->result;
    poller->observer(poller->context, call);
    errno = error;
}

int backend_milliseconds(int64_t ns)
{
    int64_t ms = ns / CLOCK_MILLISECOND;

    if (ns < 0)
        return -1;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* One that was opened with O_PATH cannot be read or written, and the kernel's waits say EBADF. */
bool backend_is_open(int fd)
{
    int flags = fcntl(fd, F_GETFL);

#ifdef O_PATH
    if (flags >= 0 && (flags & O_PATH)) {
        errno = EBADF;
        return false;
    }
#endif
    return flags >= 0;
}

void backend_close(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
}
