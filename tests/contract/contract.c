/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/contract.h"

static const struct contract_case *const groups[] = {
    contract_arguments, contract_ready,  contract_trigger, contract_closed,
    contract_time,      contract_object, contract_random,
};

enum { GROUPS = sizeof groups / sizeof *groups, TESTS_MAX = 1024 };

/* One case on one backend, as cmocka hands it around. */
struct trial {
    const struct contract_case *test; /* NULL: the backend is missing */
    struct subject subject;
};

bool subject_is(const struct subject *subject, const char *backend)
{
    return strcmp(subject->info.name, backend) == 0;
}

bool subject_tells_hangup(const struct subject *subject)
{
    return !subject_is(subject, "select");
}

bool subject_is_libkqueue(const struct subject *subject)
{
#ifdef __linux__
    return subject_is(subject, "kqueue");
#else
    (void)subject;
    return false;
#endif
}

int subject_keep(struct subject *subject, int fd)
{
    assert_true(fd >= 0);
    assert_true(subject->fd_count < SUBJECT_FDS);
    subject->fds[subject->fd_count++] = fd;
    return fd;
}

void subject_pipe(struct subject *subject, int ends[2])
{
    assert_int_equal(pipe(ends), 0);
    subject_keep(subject, ends[0]);
    subject_keep(subject, ends[1]);
}

void subject_pair(struct subject *subject, int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    subject_keep(subject, ends[0]);
    subject_keep(subject, ends[1]);
}

void subject_tcp(struct subject *subject, int ends[2])
{
    uint16_t port;
    int listener = kit_listen(&port);

    ends[0] = subject_keep(subject, kit_connect(port));
    ends[1] = subject_keep(subject, kit_accept(listener));
    close(listener);
}

int subject_file(struct subject *subject, size_t size)
{
    FILE *file = tmpfile();
    int fd;

    assert_non_null(file);
    fd = subject_keep(subject, dup(fileno(file)));
    fclose(file);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

void subject_close(struct subject *subject, int fd)
{
    for (int i = 0; i < subject->fd_count; i++)
        if (subject->fds[i] == fd) {
            subject->fds[i] = -1;
            close(fd);
            return;
        }
    fail_msg("descriptor %d is not the subject's", fd);
}

void *subject_data(int fd)
{
    static char places[4096];

    return &places[fd];
}

void subject_add(struct subject *subject, int fd, unsigned want)
{
    assert_int_equal(poller_add(subject->poller, fd, want, subject_data(fd)), 0);
}

unsigned subject_ready(struct subject *subject, int fd)
{
    struct poller_event events[SUBJECT_EVENTS];
    int n = poller_wait(subject->poller, events, SUBJECT_EVENTS, KIT_DEADLINE_NS);

    assert_int_equal(n, 1);
    assert_int_equal(events[0].fd, fd);
    assert_ptr_equal(events[0].data, subject_data(fd));
    return events[0].ready;
}

void subject_quiet(struct subject *subject, int64_t timeout_ns)
{
    struct poller_event events[SUBJECT_EVENTS];
    int n = poller_wait(subject->poller, events, SUBJECT_EVENTS, timeout_ns);
    char names[64];

    if (n > 0) {
        poller_event_names(names, sizeof names, events[0].ready);
        fail_msg("descriptor %d is %s", events[0].fd, names);
    }
    assert_int_equal(n, 0);
}

void subject_write(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void subject_read(int fd, const char *text)
{
    char bytes[64];
    ssize_t n = read(fd, bytes, sizeof bytes - 1);

    assert_true(n >= 0);
    bytes[n] = '\0';
    assert_string_equal(bytes, text);
}

pid_t subject_write_later(int fd, int64_t ns)
{
    pid_t child = fork();

    if (child == 0) {
        poll(NULL, 0, (int)(ns / CLOCK_MILLISECOND));
        _exit(write(fd, "x", 1) != 1);
    }
    assert_true(child > 0);
    return child;
}

void subject_end_child(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(status, 0);
}

static void subject_observe(void *context, const struct poller_call *call)
{
    struct subject *subject = context;

    subject->calls++;
    if (!call->is_wait)
        return;
    if (subject->waits++ == 0)
        subject->first_timeout = subject->longest_timeout = call->timeout_ns;
    if (call->timeout_ns < 0 ||
        (subject->longest_timeout >= 0 && call->timeout_ns > subject->longest_timeout))
        subject->longest_timeout = call->timeout_ns;
}

/* Whether the kernel, or whoever rules it, will not have a backend: io_uring can be forbidden. */
static bool is_refused(int error)
{
    return error == ENOSYS || error == EPERM;
}

static int trial_begin(void **state)
{
    struct trial *trial = *state;
    struct subject *subject = &trial->subject;

    if (!trial->test)
        return 0;
    subject->poller = poller_open(subject->info.name);
    if (!subject->poller)
        return is_refused(errno) ? 0 : -1;
    poller_observe(subject->poller, subject_observe, subject);
    return 0;
}

static void trial_run(void **state)
{
    struct trial *trial = *state;

    if (!trial->test)
        kit_skip(trial->subject.info.missing);
    if (!trial->subject.poller)
        kit_skip("the kernel refuses it");
    trial->test->run(&trial->subject);
}

static int trial_end(void **state)
{
    struct trial *trial = *state;
    struct subject *subject = &trial->subject;

    poller_close(subject->poller);
    while (subject->fd_count > 0) {
        int fd = subject->fds[--subject->fd_count];

        if (fd >= 0)
            close(fd);
    }
    return kit_cleanup(state);
}

static struct CMUnitTest trial_new(const struct poller_info *info, const struct contract_case *test)
{
    struct trial *trial = calloc(1, sizeof *trial);
    char *name = malloc(256);

    if (!trial || !name)
        abort();
    trial->test = test;
    trial->subject.info = *info;
    snprintf(name, 256, "%s: %s", info->name, test ? test->name : "every case");
    return (struct CMUnitTest){.name = name,
                               .test_func = trial_run,
                               .setup_func = trial_begin,
                               .teardown_func = trial_end,
                               .initial_state = trial};
}

static size_t trials_of(const struct poller_info *info, struct CMUnitTest *tests)
{
    size_t count = 0;

    if (info->missing) {
        tests[0] = trial_new(info, NULL);
        return 1;
    }
    for (size_t i = 0; i < GROUPS; i++)
        for (const struct contract_case *test = groups[i]; test->name; test++)
            if ((test->needs & ~info->supports) == 0)
                tests[count++] = trial_new(info, test);
    return count;
}

int main(void)
{
    static struct CMUnitTest tests[TESTS_MAX];
    struct poller_info info;
    size_t count = 0;
    int failed;

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; poller_list(i, &info) == 0; i++)
        count += trials_of(&info, tests + count);
    failed = _cmocka_run_group_tests("contract", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        free(tests[i].initial_state);
        free((char *)(uintptr_t)tests[i].name);
    }
    return failed;
}
