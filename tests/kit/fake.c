/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "kit/fake.h"
#include "kit/inside.h"
#include "kit/kit.h"
#include "poller/backend.h"

enum { FAKE_STEPS = 256, FAKE_FDS = 64, FAKE_JOURNAL = 16384 };

struct fake_step {
    int64_t at;
    int fd;
    unsigned ready;
};

/* clock_now takes a function without an argument, so there is one fake. */
static struct {
    int64_t now;
    struct fake_step steps[FAKE_STEPS]; /* in order of time */
    int step_count;
    int step_next;
    unsigned ready[FAKE_FDS];
    int refused_fd;
    int refused_error; /* 0: nothing is refused */
    char journal[FAKE_JOURNAL];
    struct text text;
} fake;

static int64_t fake_now(void)
{
    return fake.now;
}

static void fake_clear_journal(void)
{
    text_init(&fake.text, fake.journal, sizeof fake.journal);
}

void fake_note(const char *format, ...)
{
    va_list args;

    text_add(&fake.text, "%s", fake.text.length > 0 ? "; " : "");
    va_start(args, format);
    text_vadd(&fake.text, format, args);
    va_end(args);
}

void fake_expect(const char *journal)
{
    if (text_is_cut(&fake.text))
        kit_fail("the journal is full");
    assert_string_equal(fake.journal, journal);
    fake_clear_journal();
}

void fake_advance(int64_t ns)
{
    fake.now += ns;
}

void fake_at(int64_t at, int fd, unsigned ready)
{
    int i = fake.step_count++;

    assert_in_range(fd, 0, FAKE_FDS - 1);
    assert_in_range(fake.step_count, 1, FAKE_STEPS);
    for (; i > fake.step_next && fake.steps[i - 1].at > at; i--)
        fake.steps[i] = fake.steps[i - 1];
    fake.steps[i] = (struct fake_step){.at = at, .fd = fd, .ready = ready};
}

void fake_refuse(int fd, int error)
{
    fake.refused_fd = fd;
    fake.refused_error = error;
}

static int fake_backend_open(struct poller *poller)
{
    (void)poller;
    return 0;
}

static void fake_backend_close(struct poller *poller)
{
    (void)poller;
}

static void fake_name(char name[64], unsigned want)
{
    if (want == 0)
        memcpy(name, "-", sizeof "-");
    else
        poller_event_names(name, 64, want & ~(unsigned)BACKEND_ALWAYS);
}

static int fake_backend_set(struct poller *poller, int fd, unsigned was, unsigned want)
{
    char from[64];
    char to[64];

    (void)poller;
    fake_name(from, was);
    fake_name(to, want);
    fake_note("set %d %s %s", fd, from, to);
    if (want == 0 || fd != fake.refused_fd || fake.refused_error == 0)
        return 0;
    errno = fake.refused_error;
    fake.refused_error = 0;
    return -1;
}

static void fake_note_wait(int64_t timeout_ns)
{
    if (timeout_ns < 0)
        fake_note("wait ever");
    else if (timeout_ns % CLOCK_MILLISECOND != 0)
        fake_note("wait %lldns", (long long)timeout_ns);
    else if (timeout_ns > 0)
        fake_note("wait %lldms", (long long)(timeout_ns / CLOCK_MILLISECOND));
    else
        fake_note("wait 0");
}

static void fake_play(void)
{
    while (fake.step_next < fake.step_count && fake.steps[fake.step_next].at <= fake.now) {
        fake.ready[fake.steps[fake.step_next].fd] = fake.steps[fake.step_next].ready;
        fake.step_next++;
    }
}

static int fake_collect(const struct poller *poller, struct poller_event *events, int max)
{
    int stored = 0;

    for (int fd = 0; fd < FAKE_FDS && fd < poller->size && stored < max; fd++) {
        unsigned want = poller->entries[fd].want;
        unsigned ready = want ? fake.ready[fd] & (want | POLLER_INVALID) : 0;

        if (ready)
            events[stored++] = (struct poller_event){.fd = fd, .ready = ready, .raw = ready};
    }
    return stored;
}

/* A wait that nothing could ever end is EDEADLK. */
static int fake_backend_wait(struct poller *poller, int64_t timeout_ns, struct poller_event *events,
                             int max)
{
    int64_t deadline = timeout_ns < 0 ? INT64_MAX : fake.now + timeout_ns;
    int n;

    fake_note_wait(timeout_ns);
    for (;;) {
        int64_t next = deadline;

        fake_play();
        n = fake_collect(poller, events, max);
        if (n > 0 || fake.now >= deadline)
            return n;
        if (fake.step_next < fake.step_count && fake.steps[fake.step_next].at < deadline)
            next = fake.steps[fake.step_next].at;
        if (next == INT64_MAX) {
            errno = EDEADLK;
            return -1;
        }
        fake.now = next;
    }
}

static const struct poller_backend fake_backend = {
    .name = "fake",
    .summary = "a script",
    .supports = POLLER_IN | POLLER_OUT | POLLER_PRI | POLLER_ONESHOT,
    .unit_ns = 1,
    .open = fake_backend_open,
    .close = fake_backend_close,
    .set = fake_backend_set,
    .wait = fake_backend_wait,
};

struct poller *fake_open(void)
{
    memset(&fake, 0, sizeof fake);
    fake.now = CLOCK_SECOND; /* not 0: what was never set shows */
    fake_clear_journal();
    clock_use(fake_now);
    return poller_open_backend(&fake_backend);
}

int fake_stop(void **state)
{
    (void)state;
    clock_use(NULL);
    return 0;
}
