/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A long row of random operations, after each of which a look (a wait of 0) must report what a
 * plain poll(2) of the same descriptors does: the naive model is one array.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/contract.h"
#include "kit/random.h"

/* The long row is for the sanitizers, which see what goes wrong in it. */
#ifdef __SANITIZE_ADDRESS__
enum { STEPS = 1000000 };
#else
enum { STEPS = 20000 };
#endif
enum { THINGS = 12, SEED = 20261121 };

/* One end of a pipe or a pair, or a file, which may be in the poller; OTHER is for making it ready.
 */
struct thing {
    int fd;    /* -1: nothing here */
    int other; /* -1: closed */
    bool is_in;
    bool has_fired; /* a one-shot that is silent now */
    unsigned want;
    char data; /* its address is the data */
};

struct model {
    struct subject *subject;
    struct thing things[THINGS];
    int file; /* a regular one that can only be read, or filling it would have no end */
    uint32_t seed;
};

static unsigned pick_want(struct model *model)
{
    static const unsigned sets[] = {0,
                                    POLLER_IN,
                                    POLLER_OUT,
                                    POLLER_IN | POLLER_OUT,
                                    POLLER_IN | POLLER_PRI,
                                    POLLER_IN | POLLER_RDHUP};
    unsigned want = sets[kit_random(&model->seed, sizeof sets / sizeof *sets)];

    want &= model->subject->info.supports;
    return kit_random(&model->seed, 4) == 0 ? want | POLLER_ONESHOT : want;
}

static void thing_open(struct model *model, struct thing *thing)
{
    int ends[2];
    uint32_t kind = kit_random(&model->seed, 7);
    int mine = kind > 3; /* the writing end of a pipe, or any of a pair */

    if (kind == 0) {
        *thing = (struct thing){.fd = dup(model->file), .other = -1};
        assert_true(thing->fd >= 0);
        return;
    }
    if (kind == 1 || kind == 4)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    else
        assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    *thing = (struct thing){.fd = ends[mine], .other = ends[!mine]};
}

static void thing_close(struct model *model, struct thing *thing)
{
    if (thing->is_in)
        assert_int_equal(poller_remove(model->subject->poller, thing->fd), 0);
    close(thing->fd);
    if (thing->other >= 0)
        close(thing->other);
    *thing = (struct thing){.fd = -1, .other = -1};
}

static void thing_close_other(struct thing *thing)
{
    if (thing->other >= 0)
        close(thing->other);
    thing->other = -1;
}

/* Fills or empties FD; whether that works depends on what FD is. */
static void stir(int fd, bool fill)
{
    static char bytes[4096];
    ssize_t n = 1;

    while (fd >= 0 && n > 0)
        n = fill ? write(fd, bytes, sizeof bytes) : read(fd, bytes, sizeof bytes);
}

static void thing_register(struct model *model, struct thing *thing)
{
    struct poller *poller = model->subject->poller;

    if (thing->is_in && kit_random(&model->seed, 3) == 0) {
        assert_int_equal(poller_remove(poller, thing->fd), 0);
        thing->is_in = false;
        return;
    }
    thing->want = pick_want(model);
    if (thing->is_in)
        assert_int_equal(poller_modify(poller, thing->fd, thing->want, &thing->data), 0);
    else
        assert_int_equal(poller_add(poller, thing->fd, thing->want, &thing->data), 0);
    thing->is_in = true;
    thing->has_fired = false;
}

static void step(struct model *model)
{
    struct thing *thing = &model->things[kit_random(&model->seed, THINGS)];

    if (thing->fd < 0) {
        thing_open(model, thing);
        return;
    }
    switch (kit_random(&model->seed, 12)) {
    case 0:
        thing_close(model, thing);
        break;
    case 1:
        thing_close_other(thing);
        break;
    case 2:
    case 3:
        stir(thing->other, true);
        break;
    case 4:
    case 5:
        stir(thing->fd, false);
        break;
    case 6:
        stir(thing->fd, true);
        break;
    case 7:
        stir(thing->other, false);
        break;
    default:
        thing_register(model, thing);
    }
}

/* select(2) counts a hang-up and an error as readable, and an error as writable. */
static unsigned expect_select(unsigned want, int revents)
{
    unsigned ready = 0;

    if (revents & (POLLIN | POLLHUP | POLLERR))
        ready |= want & POLLER_IN;
    if (revents & (POLLOUT | POLLERR))
        ready |= want & POLLER_OUT;
    if (revents & POLLPRI)
        ready |= want & POLLER_PRI;
    return ready;
}

static unsigned expect_all(int revents)
{
    return (revents & POLLIN ? POLLER_IN : 0u) | (revents & POLLOUT ? POLLER_OUT : 0u) |
           (revents & POLLPRI ? POLLER_PRI : 0u) | (revents & POLLERR ? POLLER_ERR : 0u) |
           (revents & POLLHUP ? POLLER_HUP : 0u) | (revents & POLLRDHUP ? POLLER_RDHUP : 0u);
}

/* What poll(2) is to be asked of a thing; a negative descriptor is left out. */
static struct pollfd question(const struct thing *thing)
{
    struct pollfd pfd = {.fd = thing->is_in && !thing->has_fired ? thing->fd : -1};

    pfd.events =
        (short)((thing->want & POLLER_IN ? POLLIN : 0) | (thing->want & POLLER_OUT ? POLLOUT : 0) |
                (thing->want & POLLER_PRI ? POLLPRI : 0) |
                (thing->want & POLLER_RDHUP ? POLLRDHUP : 0));
    return pfd;
}

/* Sets EXPECTED to what the model says of each thing; returns how many are ready. */
static int expect(const struct model *model, unsigned *expected)
{
    struct pollfd pfds[THINGS];
    int count = 0;

    for (int i = 0; i < THINGS; i++)
        pfds[i] = question(&model->things[i]);
    assert_true(poll(pfds, THINGS, 0) >= 0);
    for (int i = 0; i < THINGS; i++) {
        expected[i] = subject_is(model->subject, "select")
                          ? expect_select(model->things[i].want, pfds[i].revents)
                          : expect_all(pfds[i].revents);
        count += expected[i] != 0;
    }
    return count;
}

static struct thing *find(struct model *model, const struct poller_event *event)
{
    for (int i = 0; i < THINGS; i++)
        if (model->things[i].fd == event->fd) {
            assert_ptr_equal(event->data, &model->things[i].data);
            return &model->things[i];
        }
    fail_msg("descriptor %d is reported and is not there", event->fd);
    return NULL;
}

/* Each reported one is as the model says, none twice, and as many as there are or as fit. */
static void look(struct model *model)
{
    struct poller_event events[THINGS];
    unsigned expected[THINGS];
    int max = 1 + (int)kit_random(&model->seed, THINGS);
    int count = expect(model, expected);
    int n;

    n = poller_wait(model->subject->poller, events, max, 0);
    assert_int_equal(n, count < max ? count : max);
    for (int i = 0; i < n; i++) {
        struct thing *thing = find(model, &events[i]);
        int place = (int)(thing - model->things);

        assert_int_equal(events[i].ready, expected[place]);
        expected[place] = 0;
        thing->has_fired = thing->want & POLLER_ONESHOT;
    }
}

static int open_file(struct subject *subject)
{
    char path[256];

    snprintf(path, sizeof path, "%s/file", kit_folder());
    return subject_keep(subject, open(path, O_CREAT | O_RDONLY, 0600));
}

static void random_operations(struct subject *subject)
{
    struct model model = {.subject = subject, .seed = SEED, .file = open_file(subject)};

    print_message("seed %u, %d steps\n", model.seed, STEPS);
    for (int i = 0; i < THINGS; i++)
        model.things[i] = (struct thing){.fd = -1, .other = -1};
    for (int i = 0; i < STEPS; i++) {
        step(&model);
        look(&model);
    }
    for (int i = 0; i < THINGS; i++)
        if (model.things[i].fd >= 0)
            thing_close(&model, &model.things[i]);
}

const struct contract_case contract_random[] = {
    {"random operations as poll(2) sees them", random_operations, 0},
    {0},
};
