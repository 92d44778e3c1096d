/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>

#include "poller/always.h"

void always_fini(struct always *always)
{
    free(always->fds);
}

bool always_has(const struct poller *poller, int fd)
{
    int slot = poller->entries[fd].slot;

    return slot > ALWAYS_KERNEL || slot == ALWAYS_SILENT;
}

static int always_insert(struct poller *poller, struct always *always, int fd)
{
    int capacity = always->capacity ? 2 * always->capacity : 4;
    int *fds;

    if (always->count == always->capacity) {
        fds = realloc(always->fds, (size_t)capacity * sizeof *fds);
        if (!fds)
            return -1;
        always->fds = fds;
        always->capacity = capacity;
    }
    always->fds[always->count++] = fd;
    poller->entries[fd].slot = always->count;
    return 0;
}

static void always_delete(struct poller *poller, struct always *always, int fd)
{
    int index = poller->entries[fd].slot - 1;
    int last = always->fds[--always->count];

    always->fds[index] = last;
    poller->entries[last].slot = index + 1;
    poller->entries[fd].slot = ALWAYS_SILENT;
}

/* Where an insertion fails, the slot is as it was: the next file of this number must not be taken
 * for one that is always ready. */
int always_set(struct poller *poller, struct always *always, int fd, unsigned want)
{
    struct poller_entry *entry = &poller->entries[fd];
    bool wanted = (want & (POLLER_IN | POLLER_OUT)) != 0;

    if (entry->slot <= ALWAYS_KERNEL && wanted)
        return always_insert(poller, always, fd);
    if (entry->slot > ALWAYS_KERNEL && !wanted)
        always_delete(poller, always, fd);
    entry->slot = want == 0 ? ALWAYS_KERNEL : wanted ? entry->slot : ALWAYS_SILENT;
    return 0;
}

/* Edge and one-shot report them once, until poller_modify. They are taken out behind the scan: the
 * last one takes the place of one that is, and would be met twice by a scan that has begun behind
 * it. One that was closed is not a file any more, and would be ready for ever. */
static int always_collect(struct poller *poller, struct always *always, struct poller_event *events,
                          int max)
{
    int count = always->count < max ? always->count : max;

    for (int i = 0; i < count; i++) {
        int index = always->next < always->count ? always->next : 0;
        int fd = always->fds[index];
        unsigned want = poller->entries[fd].want;

        events[i] = (struct poller_event){.fd = fd, .ready = POLLER_INVALID};
        if (backend_is_open(fd))
            events[i].ready = want & (POLLER_IN | POLLER_OUT);
        always->next = index + 1;
    }
    for (int i = 0; i < count; i++)
        if (poller->entries[events[i].fd].want & (POLLER_EDGE | POLLER_ONESHOT))
            always_delete(poller, always, events[i].fd);
    return count;
}

int always_wait_both(struct poller *poller, struct always *always, always_wait_fn *ask,
                     struct poller_event *events, int max)
{
    int first = 0;
    int n = 0;

    always->first = !always->first;
    if (always->first)
        first = always_collect(poller, always, events, max);
    if (first < max)
        n = ask(poller, 0, events + first, max - first);
    if (n < 0)
        n = 0; /* the ones always ready are there all the same */
    if (!always->first && n < max)
        n += always_collect(poller, always, events + n, max - n);
    return first + n;
}
