/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of names: that each constant is in them which Python's module select documents, with
 * the number that the system's header gives it, and how masks and filters are decoded.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
#ifdef HAVE_KQUEUE_BACKEND
#include <sys/types.h>

#include <sys/event.h>
#endif

#include "kit/kit.h"
#include "poller/names.h"

struct row {
    const char *name;
    unsigned value;
};

/* What the system's header calls so. */
#define SYSTEM(constant)                                                                           \
    {                                                                                              \
#constant, (unsigned)constant                                                              \
    }

#define ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)

static const struct name *find(const struct name *names, const char *name)
{
    for (; names->name; names++)
        if (strcmp(names->name, name) == 0)
            return names;
    return NULL;
}

static void assert_table(const struct name *names, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct name *name = find(names, rows[i].name);

        if (!name)
            fail_msg("%s is missing", rows[i].name);
        if (name->value != rows[i].value)
            fail_msg("%s is %#x, not %#x", rows[i].name, name->value, rows[i].value);
    }
}

static unsigned filter_number(const char *name)
{
    const struct name *filter = find(names_filter, name);

    assert_non_null(filter);
    return filter->value;
}

static void assert_note(const char *filter, const char *name, unsigned value)
{
    for (const struct name_of_note *note = names_note; note->bit.name; note++)
        if (strcmp(note->bit.name, name) == 0 && (unsigned)note->filter == filter_number(filter)) {
            assert_int_equal(note->bit.value, value);
            return;
        }
    fail_msg("%s of %s is missing", name, filter);
}

static void assert_text(struct text *text, const char *expected)
{
    assert_string_equal(text->bytes, expected);
    text->length = 0;
    text->bytes[0] = '\0';
}

static void poll_has_its_numbers(void **state)
{
    static const struct row rows[] = {SYSTEM(POLLIN),    SYSTEM(POLLPRI), SYSTEM(POLLOUT),
#ifdef POLLRDHUP
                                      SYSTEM(POLLRDHUP),
#endif
                                      SYSTEM(POLLERR),   SYSTEM(POLLHUP), SYSTEM(POLLNVAL)};

    (void)state;
    assert_table(names_poll, ROWS(rows));
}

static void epoll_has_the_numbers_of_its_kernel(void **state)
{
#ifdef __linux__
    static const struct row rows[] = {
        SYSTEM(EPOLLIN),     SYSTEM(EPOLLOUT),    SYSTEM(EPOLLPRI),     SYSTEM(EPOLLERR),
        SYSTEM(EPOLLHUP),    SYSTEM(EPOLLET),     SYSTEM(EPOLLONESHOT), SYSTEM(EPOLLEXCLUSIVE),
        SYSTEM(EPOLLRDHUP),  SYSTEM(EPOLLRDNORM), SYSTEM(EPOLLRDBAND),  SYSTEM(EPOLLWRNORM),
        SYSTEM(EPOLLWRBAND), SYSTEM(EPOLLMSG),    SYSTEM(EPOLLWAKEUP)};
    static const struct row create[] = {SYSTEM(EPOLL_CLOEXEC)};

    (void)state;
    assert_table(names_epoll, ROWS(rows));
    assert_table(names_epoll_create, ROWS(create));
#else
    (void)state;
    kit_skip("epoll is Linux's own");
#endif
}

/* Without a header: those of FreeBSD. Some have given the number of NETDEV to another. */
#ifndef HAVE_KQUEUE_BACKEND
static void kqueue_has_the_numbers(void **state)
{
    static const struct row filters[] = {
        {"EVFILT_READ", -1u},  {"EVFILT_WRITE", -2u},  {"EVFILT_AIO", -3u},
        {"EVFILT_VNODE", -4u}, {"EVFILT_PROC", -5u},   {"EVFILT_SIGNAL", -6u},
        {"EVFILT_TIMER", -7u}, {"EVFILT_NETDEV", -8u}, {"EVFILT_USER", -11u}};
    static const struct row flags[] = {
        {"EV_ADD", 0x1},      {"EV_DELETE", 0x2},   {"EV_ENABLE", 0x4},      {"EV_DISABLE", 0x8},
        {"EV_ONESHOT", 0x10}, {"EV_CLEAR", 0x20},   {"EV_RECEIPT", 0x40},    {"EV_DISPATCH", 0x80},
        {"EV_FLAG1", 0x2000}, {"EV_ERROR", 0x4000}, {"EV_SYSFLAGS", 0xf000}, {"EV_EOF", 0x8000}};

    (void)state;
    assert_table(names_filter, ROWS(filters));
    assert_table(names_kqueue, ROWS(flags));
    assert_note("EVFILT_PROC", "NOTE_EXIT", 0x80000000);
    assert_note("EVFILT_PROC", "NOTE_PDATAMASK", 0xfffff);
    assert_note("EVFILT_VNODE", "NOTE_REVOKE", 0x40);
}
#else
static void kqueue_has_the_numbers(void **state)
{
    static const struct row filters[] = {SYSTEM(EVFILT_READ),   SYSTEM(EVFILT_WRITE),
                                         SYSTEM(EVFILT_VNODE),  SYSTEM(EVFILT_PROC),
                                         SYSTEM(EVFILT_SIGNAL), SYSTEM(EVFILT_TIMER)};
    static const struct row flags[] = {SYSTEM(EV_ADD),     SYSTEM(EV_DELETE),  SYSTEM(EV_ENABLE),
                                       SYSTEM(EV_DISABLE), SYSTEM(EV_ONESHOT), SYSTEM(EV_CLEAR),
                                       SYSTEM(EV_EOF),     SYSTEM(EV_ERROR),   SYSTEM(EV_FLAG1),
                                       SYSTEM(EV_SYSFLAGS)};

    (void)state;
    assert_table(names_filter, ROWS(filters));
    assert_table(names_kqueue, ROWS(flags));
    assert_note("EVFILT_PROC", "NOTE_EXIT", NOTE_EXIT);
    assert_note("EVFILT_PROC", "NOTE_FORK", NOTE_FORK);
    assert_note("EVFILT_PROC", "NOTE_EXEC", NOTE_EXEC);
    assert_note("EVFILT_VNODE", "NOTE_DELETE", NOTE_DELETE);
    assert_note("EVFILT_VNODE", "NOTE_ATTRIB", NOTE_ATTRIB);
}
#endif

/* As Python's documentation lists them, with the names of C. */
static void every_constant_of_kqueue_is_there(void **state)
{
    static const char *const filters[] = {"EVFILT_READ",   "EVFILT_WRITE", "EVFILT_AIO",
                                          "EVFILT_VNODE",  "EVFILT_PROC",  "EVFILT_NETDEV",
                                          "EVFILT_SIGNAL", "EVFILT_TIMER"};
    static const char *const flags[] = {"EV_ADD",     "EV_DELETE", "EV_ENABLE",  "EV_DISABLE",
                                        "EV_ONESHOT", "EV_CLEAR",  "EV_FLAG1",   "EV_SYSFLAGS",
                                        "EV_EOF",     "EV_ERROR",  "EV_RECEIPT", "EV_DISPATCH"};
    static const char *const notes[] = {
        "NOTE_LOWAT",    "NOTE_DELETE",    "NOTE_WRITE",     "NOTE_EXTEND", "NOTE_ATTRIB",
        "NOTE_LINK",     "NOTE_RENAME",    "NOTE_REVOKE",    "NOTE_EXIT",   "NOTE_FORK",
        "NOTE_EXEC",     "NOTE_PCTRLMASK", "NOTE_PDATAMASK", "NOTE_TRACK",  "NOTE_CHILD",
        "NOTE_TRACKERR", "NOTE_LINKUP",    "NOTE_LINKDOWN",  "NOTE_LINKINV"};

    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        assert_non_null(find(names_filter, filters[i]));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        assert_non_null(find(names_kqueue, flags[i]));
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        const struct name_of_note *note = names_note;

        while (note->bit.name && strcmp(note->bit.name, notes[i]) != 0)
            note++;
        if (!note->bit.name)
            fail_msg("%s is missing", notes[i]);
    }
}

/* No two of the same table, and of the same filter, may be called alike or have one number. */
static void no_name_is_there_twice(void **state)
{
    static const struct name *const tables[] = {names_poller, names_poll, names_epoll, names_kqueue,
                                                names_filter};

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct name *name = tables[i]; name->name; name++) {
            assert_ptr_equal(find(tables[i], name->name), name);
            for (const struct name *other = tables[i]; other < name; other++)
                assert_int_not_equal(other->value, name->value);
        }
    for (const struct name_of_note *note = names_note; note->bit.name; note++)
        for (const struct name_of_note *other = names_note; other < note; other++)
            assert_true(other->filter != note->filter || other->bit.value != note->bit.value);
}

static void flags_are_joined(void **state)
{
    const unsigned eof = find(names_kqueue, "EV_EOF")->value;
    const unsigned all = find(names_kqueue, "EV_SYSFLAGS")->value;
    char bytes[128];
    struct text text;

    (void)state;
    text_init(&text, bytes, sizeof bytes);
    names_add_flags(&text, names_kqueue, 0);
    assert_text(&text, "0");
    names_add_flags(&text, names_kqueue, eof | 1);
    assert_text(&text, "EV_ADD|EV_EOF");
    names_add_flags(&text, names_kqueue, all | 1);
    assert_text(&text, "EV_SYSFLAGS|EV_ADD");
    names_add_flags(&text, names_epoll, 1u << 31 | 1 | 0x10000);
    assert_text(&text, "EPOLLIN|EPOLLET|0x10000");
}

static void a_note_depends_on_its_filter(void **state)
{
    const int vnode = (int)filter_number("EVFILT_VNODE");
    const int proc = (int)filter_number("EVFILT_PROC");
    char bytes[128];
    struct text text;

    (void)state;
    text_init(&text, bytes, sizeof bytes);
    names_add_notes(&text, (int)filter_number("EVFILT_READ"), 1);
    assert_text(&text, "NOTE_LOWAT");
    names_add_notes(&text, vnode, 3);
    assert_text(&text, "NOTE_DELETE|NOTE_WRITE");
    names_add_notes(&text, proc, 0x80000000u | 0x1);
    assert_text(&text, "NOTE_EXIT|NOTE_TRACK");
    names_add_notes(&text, proc, 0xf0000000u | 0x80);
    assert_text(&text, "NOTE_PCTRLMASK|0x80");
    names_add_notes(&text, proc, 0);
    assert_text(&text, "0");
    names_add_notes(&text, 12345, 1);
    assert_text(&text, "0x1");
}

static void numbers_without_a_name(void **state)
{
    char bytes[128];
    struct text text;

    (void)state;
    text_init(&text, bytes, sizeof bytes);
    names_add_filter(&text, (int)filter_number("EVFILT_WRITE"));
    assert_text(&text, "EVFILT_WRITE");
    names_add_filter(&text, -99);
    assert_text(&text, "-99");
    names_add_errno(&text, ECONNRESET);
    assert_text(&text, "ECONNRESET");
    names_add_errno(&text, 98765);
    assert_text(&text, "98765");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_has_its_numbers),
        cmocka_unit_test(epoll_has_the_numbers_of_its_kernel),
        cmocka_unit_test(kqueue_has_the_numbers),
        cmocka_unit_test(every_constant_of_kqueue_is_there),
        cmocka_unit_test(no_name_is_there_twice),
        cmocka_unit_test(flags_are_joined),
        cmocka_unit_test(a_note_depends_on_its_filter),
        cmocka_unit_test(numbers_without_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, kit_cleanup);
}
