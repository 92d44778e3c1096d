/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines in strace's grammar in plain words: those that strace(1) 6.1 itself has written, and those
 * that our backends write of real calls. And any other bytes, which explain nothing and break
 * nothing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit/kit.h"
#include "kit/random.h"
#include "poller/names.h"
#include "pollspin/poller.h"
#include "trace/strace.h"
#include "ui/explain.h"

enum { TEXT_SIZE = 8192 };

static const char unknown[] = "This line is no call that is known here.";

static const char *name_of(void *owner, int fd)
{
    (void)owner;
    return fd == 3 ? "signals" : fd == 7 ? "tcp localhost:51423" : NULL;
}

static void expect(const char *line, const char *expected)
{
    char text[TEXT_SIZE];
    int length = explain_call(line, strlen(line), name_of, NULL, text, sizeof text);

    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void a_poll(void **state)
{
    (void)state;
    expect("poll([{fd=5, events=POLLIN}], 1, 50) = 0 (Timeout) <0.050110>",
           "poll asked about 1 descriptor, 5 for POLLIN, and was to wait at most 50 ms. POLLIN: "
           "reading would not block. It came back after 50.1 ms: nothing was ready, and the time "
           "limit was over.");
    expect("poll([{fd=3, events=POLLIN}, {fd=7, events=POLLIN|POLLOUT}], 2, -1) = 1 ([{fd=7, "
           "revents=POLLIN|POLLHUP}]) <2.500000>\n",
           "poll asked about 2 descriptors, 3 (signals) for POLLIN and 7 (tcp localhost:51423) for "
           "POLLIN|POLLOUT, and was to wait without a time limit. POLLIN: reading would not block. "
           "POLLOUT: writing would not block, as long as there is room. It came back after 2.5 s: "
           "1 of 2 was ready, 7 (tcp localhost:51423) with POLLIN|POLLHUP. POLLHUP: the other end "
           "has hung up; what it sent before can still be read; told without being asked. Data and "
           "hang-up at once: read first, then close.");
    expect("poll(NULL, 0, 0) = 0 (Timeout)",
           "poll asked about no descriptor and was only to look, not to wait. It came back: "
           "nothing was ready.");
    expect("poll([{fd=5, events=0}], 1, 1500)       = ? ERESTART_RESTARTBLOCK (Interrupted by "
           "signal) <0.020102>",
           "poll asked about 1 descriptor, 5 for 0, and was to wait at most 1.5 s. 0: nothing but "
           "errors and hang-ups, which are always told. It failed after 20.1 ms with "
           "ERESTART_RESTARTBLOCK: a signal came first; the call is to be made again.");
}

static void a_ppoll(void **state)
{
    (void)state;
    expect("ppoll([{fd=5, events=POLLIN}, {fd=-1}], 2, {tv_sec=0, tv_nsec=50000000}, [INT], 8) = 1 "
           "([{fd=5, revents=POLLIN}], left {tv_sec=0, tv_nsec=49999369}) <0.000008>",
           "ppoll asked about 2 descriptors, 5 for POLLIN and -1, which is passed over, and was to "
           "wait at most 50 ms. While it waited the blocked signals were [INT]. POLLIN: reading "
           "would not block. It came back at once (0.008 ms): 1 of 2 was ready, 5 with POLLIN. Of "
           "the time limit 50.0 ms were left.");
    expect("ppoll([], 0, NULL, NULL, 0) = -1 EINTR (Interrupted system call)",
           "ppoll asked about no descriptor and was to wait without a time limit. It failed with "
           "EINTR: a signal came first; the call is to be made again.");
}

static void a_select(void **state)
{
    (void)state;
    expect("select(8, [3 7], [7], NULL, {tv_sec=0, tv_usec=1501}) = 2 (in [7], out [7], left "
           "{tv_sec=0, tv_usec=1000}) <0.000500>",
           "select asked about descriptors below 8, 3 (signals) for reading, 7 (tcp "
           "localhost:51423) for reading and 7 (tcp localhost:51423) for writing, and was to wait "
           "at most 1.501 ms. It came back after 0.500 ms with 2 bits set: 7 (tcp localhost:51423) "
           "for reading and 7 (tcp localhost:51423) for writing. Of the time limit 1.0 ms were "
           "left. It has no word for a hang-up or an error: either shows as ready.");
    expect("pselect6(6, NULL, NULL, [5], NULL, {sigmask=~[INT TERM], sigsetsize=8}) = 1 (except "
           "[5])",
           "pselect6 asked about descriptors below 6, 5 for exceptions, and was to wait without a "
           "time limit. While it waited the blocked signals were ~[INT TERM]. It came back with 1 "
           "bit set: 5 for exceptions. It has no word for a hang-up or an error: either shows as "
           "ready.");
    expect("pselect6(6, [5], NULL, NULL, {tv_sec=1, tv_nsec=0}, NULL) = 0 (Timeout) <1.000100>",
           "pselect6 asked about descriptors below 6, 5 for reading, and was to wait at most 1 s. "
           "It came back after 1.0 s: nothing was ready, and the time limit was over.");
    expect("select(6, [5], NULL, NULL, NULL) = -1 EBADF (Bad file descriptor)",
           "select asked about descriptors below 6, 5 for reading, and was to wait without a time "
           "limit. It failed with EBADF: a descriptor in the sets is not open, and the call does "
           "not say which.");
}

static void an_epoll_wait(void **state)
{
    (void)state;
    expect("epoll_wait(4, [{events=EPOLLIN|EPOLLHUP, data={u32=7, u64=30064771079}}], 512, 37) = 1 "
           "<0.012300>",
           "epoll_wait asked the epoll instance 4 what is ready, 512 events at most, and was to "
           "wait at most 37 ms. It came back after 12.3 ms: 1 was ready, 7 (tcp localhost:51423) "
           "with EPOLLIN|EPOLLHUP. EPOLLIN: reading would not block. EPOLLHUP: the other end has "
           "hung up; what it sent before can still be read; told without being asked. Data and "
           "hang-up at once: read first, then close.");
    expect("epoll_pwait(4, [], 1, 0, NULL, 8) = 0 <0.000004>",
           "epoll_pwait asked the epoll instance 4 what is ready, 1 event at most, and was only to "
           "look, not to wait. It came back at once (0.004 ms): nothing was ready.");
    expect("epoll_wait(4, 0x7fffb276b3d0, 4, 200)   = -1 EINTR (Interrupted system call) "
           "<0.020059>",
           "epoll_wait asked the epoll instance 4 what is ready, 4 events at most, and was to wait "
           "at most 200 ms. It failed after 20.1 ms with EINTR: a signal came first; the call is "
           "to be made again.");
    expect("epoll_pwait2(4, [], 4, {tv_sec=0, tv_nsec=1000}, NULL, 8) = 0 <0.000208>",
           "epoll_pwait2 asked the epoll instance 4 what is ready, 4 events at most, and was to "
           "wait at most 0.001 ms. It came back after 0.208 ms: nothing was ready, and the time "
           "limit was over.");
}

static void an_epoll_ctl(void **state)
{
    (void)state;
    expect("epoll_ctl(4, EPOLL_CTL_ADD, 7, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0 "
           "<0.000010>",
           "epoll_ctl asked the epoll instance 4 to watch 7 (tcp localhost:51423) for "
           "EPOLLIN|EPOLLET (EPOLL_CTL_ADD). EPOLLIN: reading would not block. EPOLLET: "
           "edge-triggered: told when it changes, not as long as it is so. The data will come back "
           "with each event. It was done at once (0.010 ms).");
    expect("epoll_ctl(4, EPOLL_CTL_MOD, 5, {events=EPOLLOUT, data={u32=5, u64=5}}) = -1 ENOENT (No "
           "such file or directory)",
           "epoll_ctl asked the epoll instance 4 to watch 5 for EPOLLOUT from now on, in place of "
           "what was asked for before (EPOLL_CTL_MOD). EPOLLOUT: writing would not block, as long "
           "as there is room. The data will come back with each event. It failed with ENOENT: the "
           "descriptor is not watched; EPOLL_CTL_ADD comes first.");
    expect("epoll_ctl(4, EPOLL_CTL_DEL, 7, 0x7fffb276b404) = 0 <0.000013>",
           "epoll_ctl asked the epoll instance 4 not to watch 7 (tcp localhost:51423) any longer "
           "(EPOLL_CTL_DEL). It was done at once (0.013 ms).");
    expect("epoll_create1(EPOLL_CLOEXEC)            = 5 <0.000016>",
           "epoll_create1 asked for a new epoll instance: a list, kept by the kernel, of what to "
           "watch. EPOLL_CLOEXEC: it is closed when the process executes another program. It was "
           "made at once (0.016 ms): descriptor 5.");
    expect("epoll_create1(0) = 7",
           "epoll_create1 asked for a new epoll instance: a list, kept by the kernel, of what to "
           "watch. It was made: descriptor 7.");
}

static void a_kevent(void **state)
{
    (void)state;
    expect("kqueue() = 5 <0.000016>",
           "kqueue asked for a new kqueue: a list, kept by the kernel, of what to watch. It was "
           "made at once (0.016 ms): descriptor 5.");
    expect("kevent(5, [{ident=7, filter=EVFILT_READ, flags=EV_ADD|EV_CLEAR, fflags=0, data=0, "
           "udata=0x5}], 1, [], 0, NULL) = 0 <0.000010>",
           "kevent asked the kqueue 5 for 1 change, 7 (tcp localhost:51423) for EVFILT_READ "
           "(EV_ADD|EV_CLEAR). EVFILT_READ: there is something to read, or the end. EV_ADD: the "
           "filter is put into the kqueue, or changed there. EV_CLEAR: edge-triggered: told when "
           "it changes, not as long as it is so. It was done at once (0.010 ms).");
    expect("kevent(5, [], 0, [{ident=7, filter=EVFILT_READ, flags=EV_ADD|EV_EOF, fflags=ECONNRESET,"
           " data=0, udata=0}, {ident=8, filter=EVFILT_VNODE, flags=EV_CLEAR, fflags=NOTE_WRITE, "
           "data=-1, udata=0}], 512, {tv_sec=0, tv_nsec=50000000}) = 2 <0.012300>",
           "kevent asked the kqueue 5 what is ready, 512 events at most, and was to wait at most "
           "50 ms. It came back after 12.3 ms: 2 were ready, 7 (tcp localhost:51423) with "
           "EVFILT_READ (EV_ADD|EV_EOF, ECONNRESET) and 8 with EVFILT_VNODE (EV_CLEAR, NOTE_WRITE)."
           " EVFILT_READ: there is something to read, or the end. EV_ADD: the filter is put into "
           "the kqueue, or changed there. EV_EOF: the end: the other side sends no more, or has "
           "gone; fflags may hold an errno. ECONNRESET: the error that the socket had. "
           "EVFILT_VNODE: something was done to a file or a folder. EV_CLEAR: edge-triggered: told "
           "when it changes, not as long as it is so. NOTE_WRITE: the file was written to.");
    expect("kevent(5, [{ident=9, filter=EVFILT_WRITE, flags=EV_DELETE, fflags=0, data=0, udata=0}],"
           " 1, [], 0, NULL) = -1 ENOENT (No such file or directory)",
           "kevent asked the kqueue 5 for 1 change, 9 for EVFILT_WRITE (EV_DELETE). EVFILT_WRITE: "
           "there is room to write, or nobody reads any more. EV_DELETE: the filter is taken out "
           "of the kqueue. It failed with ENOENT: that filter is not in the kqueue; EV_ADD comes "
           "first.");
}

static void an_io_uring(void **state)
{
    (void)state;
    expect("io_uring_setup(64, {flags=IORING_SETUP_CLAMP, sq_thread_cpu=0, sq_off={head=0}}) = 4",
           "io_uring_setup asked for a new ring: memory shared with the kernel, one part for "
           "requests and one for completions; with room for 64 requests. IORING_SETUP_CLAMP: a "
           "ring that is too large is made as large as may be. It was made: descriptor 4.");
    expect("io_uring_enter(4, 1, 1, IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG, {sigmask=NULL, "
           "sigmask_sz=8, min_wait_usec=0, ts={tv_sec=0, tv_nsec=50000000}}, 24) = 1 /* SQ [{fd=7, "
           "events=POLLIN|IORING_POLL_ADD_MULTI}], CQ [{fd=7, revents=POLLIN}] */ <0.012300>",
           "io_uring_enter handed the ring 4 1 request, 7 (tcp localhost:51423) for "
           "POLLIN|IORING_POLL_ADD_MULTI, asked for 1 completion and was to wait at most 50 ms. "
           "IORING_ENTER_GETEVENTS: it waits for completions. IORING_ENTER_EXT_ARG: a time limit "
           "for the wait is given. POLLIN: reading would not block. IORING_POLL_ADD_MULTI: the "
           "request stays and is answered again and again. It came back after 12.3 ms, having "
           "taken 1 request: 1 was ready, 7 (tcp localhost:51423) with POLLIN.");
    expect("io_uring_enter(4, 0, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 0 <0.012300>",
           "io_uring_enter handed the ring 4 0 requests, asked for 1 completion and was to wait "
           "without a time limit. IORING_ENTER_GETEVENTS: it waits for completions. It came back "
           "after 12.3 ms.");
    expect("io_uring_enter(4, 2, 0, 0, NULL, 8) = -1 EBUSY (Device or resource busy) /* SQ [], CQ "
           "[] */",
           "io_uring_enter handed the ring 4 2 requests. It failed with EBUSY: completions have to "
           "be taken out of the ring first.");
}

static void a_signal(void **state)
{
    (void)state;
    expect("rt_sigtimedwait([IO RT_2], {si_signo=SIGRT_2, si_code=POLL_IN, si_band=65, si_fd=7}, "
           "{tv_sec=0, tv_nsec=50000000}, 8) = 34 (SIGRT_2) <0.012300>",
           "rt_sigtimedwait asked for one of the signals [IO RT_2] and was to wait at most 50 ms. "
           "It came back after 12.3 ms with SIGRT_2, about 7 (tcp localhost:51423): POLL_IN. "
           "POLL_IN: there is something to read, or the end.");
    expect("rt_sigtimedwait([IO], {si_signo=SIGIO, si_code=SI_USER, si_pid=1, si_uid=0}, NULL, 8) "
           "= 29 (SIGIO)",
           "rt_sigtimedwait asked for one of the signals [IO] and was to wait without a time limit."
           " It came back with SIGIO: SI_USER. SI_USER: a process has sent it by kill.");
    expect("rt_sigtimedwait([IO RT_2], 0x7ffd1c, {tv_sec=0, tv_nsec=0}, 8) = -1 EAGAIN (Resource "
           "temporarily unavailable)",
           "rt_sigtimedwait asked for one of the signals [IO RT_2] and was only to look, not to "
           "wait. It failed with EAGAIN: none of the signals came within the time limit.");
}

static void an_fcntl(void **state)
{
    (void)state;
    expect("fcntl(7, F_SETFL, O_RDWR|O_ASYNC) = 0 <0.000002>",
           "fcntl changed something about 7 (tcp localhost:51423): F_SETFL to O_RDWR|O_ASYNC. "
           "F_SETFL: the flags of the open file are set, which all its descriptors share. O_RDWR: "
           "it can be read and written. O_ASYNC: a signal is sent when reading or writing becomes "
           "possible. It was done at once (0.002 ms).");
    expect("fcntl(8, F_SETSIG, SIGRT_2) = 0",
           "fcntl changed something about 8: F_SETSIG to SIGRT_2. F_SETSIG: this signal is sent in "
           "place of SIGIO, and says which descriptor it is about. It was done.");
    expect("fcntl(8, F_SETOWN_EX, {type=F_OWNER_TID, pid=123}) = -1 EBADF (Bad file descriptor)",
           "fcntl changed something about 8: F_SETOWN_EX to F_OWNER_TID 123. F_SETOWN_EX: this is "
           "who gets the signals. F_OWNER_TID: one thread. It failed with EBADF: the descriptor is "
           "not open.");
}

static void the_errors(void **state)
{
    static const char *const rows[][2] = {
        {"epoll_ctl(4, EPOLL_CTL_ADD, 9, NULL) = -1 EBADF (x)", "EBADF: the descriptor, or that"},
        {"epoll_ctl(4, EPOLL_CTL_ADD, 9, NULL) = -1 EEXIST (x)", "EEXIST: the descriptor is watch"},
        {"epoll_ctl(4, EPOLL_CTL_MOD, 9, NULL) = -1 ENOENT (x)", "ENOENT: the descriptor is not w"},
        {"epoll_ctl(4, EPOLL_CTL_ADD, 9, NULL) = -1 EPERM (x)", "EPERM: epoll does not take this"},
        {"epoll_ctl(4, EPOLL_CTL_ADD, 9, NULL) = -1 ENOMEM (x)", "ENOMEM: the kernel had not"},
        {"epoll_ctl(4, EPOLL_CTL_ADD, 9, NULL) = -1 EINVAL (x)", "EINVAL: that is no epoll instan"},
        {"epoll_wait(4, [], 0, 9) = -1 EINVAL (x)", "there was to be room for no event"},
        {"epoll_wait(4, [], 1, 9) = -1 EBADF (x)", "the descriptor of the epoll instance"},
        {"poll([], 99999, 9) = -1 EINVAL (x)", "there are more descriptors than allowed"},
        {"kevent(4, [], 0, [], 0, NULL) = -1 EPIPE (x)", "EPIPE: nobody reads this pipe any"},
        {"io_uring_enter(4, 0, 1, 0, NULL, 8) = -1 ETIME (x)", "ETIME: the time limit was over"},
        {"poll([], 1, 9) = -1 EOTHER (Some words)", "It failed with EOTHER: Some words."},
        {"poll([], 1, 9) = -1 errno 95 (Some words)", "It failed with errno 95: Some words."},
    };
    char text[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        explain_call(rows[i][0], strlen(rows[i][0]), NULL, NULL, text, sizeof text);
        if (!strstr(text, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], text);
    }
}

static void assert_has_a_meaning(const struct name *name)
{
    if (!explain_flag(name->name, strlen(name->name)))
        fail_msg("%s has none", name->name);
}

static void every_flag_has_a_meaning(void **state)
{
    static const struct name *const tables[] = {names_poll, names_epoll, names_epoll_create,
                                                names_kqueue, names_filter};

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct name *name = tables[i]; name->name; name++)
            assert_has_a_meaning(name);
    for (const struct name_of_note *note = names_note; note->bit.name; note++)
        assert_has_a_meaning(&note->bit);
    assert_string_equal(explain_flag("POLLINX", 6), "reading would not block");
    assert_null(explain_flag("POLLINX", 7));
    assert_null(explain_flag("POLLI", 5));
    assert_null(explain_flag("", 0));
}

static void each_flag_is_explained_once(void **state)
{
    static const char line[] = "poll([{fd=1, events=POLLIN|POLLPRI}, {fd=2, events=POLLPRI|POLLIN}"
                               ", {fd=8, events=POLLIN|0x4000}], 3, 0) = 1 ([{fd=1, "
                               "revents=POLLIN}])";
    char text[TEXT_SIZE];
    const char *first;

    (void)state;
    explain_call(line, strlen(line), NULL, NULL, text, sizeof text);
    first = strstr(text, "POLLIN: ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "POLLIN: "));
    first = strstr(text, "POLLPRI: ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "POLLPRI: "));
    assert_non_null(strstr(text, " 0x4000: not known here."));
}

static void a_long_list_is_counted(void **state)
{
    char line[TEXT_SIZE] = "poll([";
    char text[TEXT_SIZE];

    (void)state;
    for (int fd = 10; fd < 42; fd++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "{fd=%d, events=POLLIN}, ", fd);
    strcat(line, "...], 40, 0) = 2 ([{fd=10, revents=POLLIN}, {fd=49, revents=POLLIN}])");
    explain_call(line, strlen(line), NULL, NULL, text, sizeof text);
    assert_non_null(
        strstr(text, "poll asked about 40 descriptors, 10 for POLLIN, 11 for POLLIN, "));
    assert_non_null(strstr(text, " 17 for POLLIN and 32 more, and was only to look"));
    assert_non_null(strstr(text, "2 of 40 were ready, 10 with POLLIN and 49 with POLLIN."));
}

static void a_cut_line_is_explained_as_far_as_it_goes(void **state)
{
    (void)state;
    expect("poll([{fd=3, events=POLLIN}, {fd=12, events=POLLO... <0.012300>",
           "poll asked about descriptors, of which the line shows 3 (signals) for POLLIN. POLLIN: "
           "reading would not block. It came back after 12.3 ms. The line was cut.");
    expect("poll([{fd=3, events=POLLIN}], 12...",
           "poll asked about descriptors, of which the line shows 3 (signals) for POLLIN. POLLIN: "
           "reading would not block. It came back. The line was cut.");
    expect("epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}, {events=EPO... <0.000001>",
           "epoll_wait asked the epoll instance 4 what is ready. It came back at once (0.001 ms): "
           "among others these were ready, 7 (tcp localhost:51423) with EPOLLIN. EPOLLIN: reading "
           "would not block. The line was cut.");
    expect("select(99, [3 12...",
           "select asked about descriptors below 99, 3 (signals) for reading. It came back. The "
           "line was cut.");
    expect("epoll_ctl(4, EPOLL_CTL_A...",
           "epoll_ctl asked the epoll instance 4 for something. It came back. The line was cut.");
    expect("epoll_wait(...) = 1 <0.012300>",
           "epoll_wait was called; its arguments were not kept. It came back after 12.3 ms: 1 was "
           "ready.");
}

static void the_result_alone(void **state)
{
    static const char line[] = "epoll_wait(4, [{events=EPOLLIN, data={u32=7, u64=7}}], 512, 37) = "
                               "1 <0.012300>";
    char text[TEXT_SIZE];

    (void)state;
    explain_result(line, strlen(line), name_of, NULL, text, sizeof text);
    assert_string_equal(text, "It came back after 12.3 ms: 1 was ready, 7 (tcp localhost:51423) "
                              "with EPOLLIN. EPOLLIN: reading would not block.");
}

static void other_lines_are_no_calls(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        "poll",
        "poll(",
        "poll()",
        "read(3, \"x\", 1) = 1",
        "+++ exited with 0 +++",
        "--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---",
        "poll([{fd=3, events=POLLIN}], 1, 50 <unfinished ...>",
        "poll([{fd=3, events=POLLIN}], 1, 50) = 0 (Timeout) or so",
        "poll([{fd=3, events=POLLIN} nonsense], 1, 50) = 0 (Timeout)",
        "poll([{fd=3, events=POLLIN}, 1, 50) = 0 (Timeout)",
        "select(4, [3 x], NULL, NULL, NULL) = 1 (in [3])",
        "pollution([], 0, 0) = 0 (Timeout)",
        " <0.000001>",
        "... <0.000001>",
        "poll... <0.000001>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect(lines[i], unknown);
    expect("epoll_create1(0) = 99999999999999999999999",
           "epoll_create1 asked for a new epoll instance: a list, kept by the kernel, of what to "
           "watch. It was made: descriptor 9223372036854775807.");
}

static void it_is_cut_to_its_size(void **state)
{
    static const char line[] = "poll([{fd=5, events=POLLIN}], 1, 50) = 0 (Timeout) <0.050110>";
    char text[TEXT_SIZE];
    char piece[8];
    int length = explain_call(line, strlen(line), NULL, NULL, text, sizeof text);

    (void)state;
    assert_int_equal(explain_call(line, strlen(line), NULL, NULL, NULL, 0), length);
    assert_int_equal(explain_call(line, strlen(line), NULL, NULL, piece, sizeof piece), length);
    assert_string_equal(piece, "poll as");
}

/* A copy of its own, so that a read beyond its end is seen. */
static void explain_copy(const char *bytes, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    char text[TEXT_SIZE];

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    assert_true(explain_call(copy, n, name_of, NULL, text, sizeof text) > 0);
    assert_true(explain_result(copy, n, name_of, NULL, text, sizeof text) > 0);
    free(copy);
}

static const char *const samples[] = {
    "poll([{fd=3, events=POLLIN}, {fd=7, events=POLLIN|POLLOUT}], 2, -1) = 1 ([{fd=7, "
    "revents=POLLIN|POLLHUP}], left {tv_sec=0, tv_nsec=49999369}) <2.500000>",
    "pselect6(6, [3 5], [5], NULL, {tv_sec=1, tv_nsec=0}, {sigmask=[INT], sigsetsize=8}) = 3 (in "
    "[3 5], out [5], left {tv_sec=0, tv_nsec=5}) <0.000100>",
    "epoll_pwait(4, [{events=EPOLLIN|EPOLLHUP, data={u32=7, u64=30064771079}}], 512, 37, [INT], 8) "
    "= 1 <0.012300>",
    "epoll_ctl(4, EPOLL_CTL_ADD, 9, {events=EPOLLIN|EPOLLET, data={u32=9, u64=9}}) = -1 EEXIST "
    "(File exists) <0.000010>",
    "epoll_create1(EPOLL_CLOEXEC)            = 5 <0.000016>",
    "kevent(5, [{ident=7, filter=EVFILT_READ, flags=EV_ADD, fflags=0, data=0, udata=0x5}], 1, "
    "[{ident=8, filter=EVFILT_VNODE, flags=EV_CLEAR, fflags=NOTE_WRITE, data=-1, udata=0}], 512, "
    "{tv_sec=0, tv_nsec=50000000}) = 1 <0.012300>",
    "io_uring_enter(4, 1, 1, IORING_ENTER_EXT_ARG, {sigmask=NULL, sigmask_sz=8, ts={tv_sec=0, "
    "tv_nsec=50000000}}, 24) = 1 /* SQ [{fd=7, events=POLLIN}], CQ [{fd=7, revents=POLLIN}] */ "
    "<0.012300>",
    "io_uring_setup(64, {flags=IORING_SETUP_CLAMP, sq_off={head=0}}) = 4 <0.000016>",
    "rt_sigtimedwait([IO RT_2], {si_signo=SIGRT_2, si_code=POLL_IN, si_band=65, si_fd=7}, "
    "{tv_sec=0, tv_nsec=50000000}, 8) = 34 (SIGRT_2) <0.012300>",
    "fcntl(8, F_SETOWN_EX, {type=F_OWNER_TID, pid=123}) = 0 <0.000016>",
};

enum { SAMPLES = sizeof samples / sizeof *samples };

static void lines_cut_anywhere(void **state)
{
    char line[TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        for (size_t n = 0; n <= strlen(samples[i]); n++) {
            explain_copy(samples[i], n);
            explain_copy(samples[i] + n, strlen(samples[i]) - n);
            snprintf(line, sizeof line, "%.*s... <0.000001>", (int)n, samples[i]);
            explain_copy(line, strlen(line));
        }
}

static void lines_with_any_bytes(void **state)
{
    static const char likely[] = "[]{}(),.=|<> 0123456789-NULLPOLLINfdx\n";
    char line[TEXT_SIZE];
    uint32_t seed = 3;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n;

        strcpy(line, samples[kit_random(&seed, SAMPLES)]);
        n = strlen(line);
        for (uint32_t i = kit_random(&seed, 6); i > 0; i--)
            line[kit_random(&seed, (uint32_t)n)] =
                kit_random(&seed, 4) == 0 ? (char)kit_random(&seed, 256)
                                          : likely[kit_random(&seed, sizeof likely - 1)];
        explain_copy(line, n);
    }
}

static void keep_line(void *owner, const struct poller_call *call)
{
    char line[STRACE_LINE];
    char text[TEXT_SIZE];
    size_t n = strace_format(call, line, sizeof line);

    explain_call(line, n, NULL, NULL, text, sizeof text);
    if (strcmp(text, unknown) == 0)
        fail_msg("unknown: %s", line);
    ++*(int *)owner;
}

/* One that is ready, one that is not, none, and one that was closed: whatever a backend prints of
 * them is explained. */
static void every_backend_is_understood(void **state)
{
    struct poller_info info;
    struct poller_event event;

    (void)state;
    for (size_t i = 0; poller_list(i, &info) == 0; i++) {
        struct poller *poller = info.missing ? NULL : poller_open(info.name);
        int count = 0;
        int ends[2];

        if (!poller)
            continue;
        assert_int_equal(pipe(ends), 0);
        poller_observe(poller, keep_line, &count);
        poller_wait(poller, &event, 1, CLOCK_MILLISECOND);
        poller_add(poller, ends[0], POLLER_IN | POLLER_PRI, NULL);
        poller_wait(poller, &event, 1, 0);
        poller_add(poller, ends[1], POLLER_OUT, NULL);
        poller_wait(poller, &event, 1, CLOCK_SECOND);
        close(ends[0]);
        poller_wait(poller, &event, 1, CLOCK_SECOND);
        poller_modify(poller, ends[1], POLLER_IN | POLLER_OUT, NULL);
        poller_remove(poller, ends[0]);
        assert_true(count >= 4);
        close(ends[1]);
        poller_close(poller);
    }
}

static void times(void **state)
{
    struct text text;
    char bytes[64];

    (void)state;
    text_init(&text, bytes, sizeof bytes);
    explain_time(&text, 12345);
    text_add(&text, ", ");
    explain_time(&text, 50110 * CLOCK_MICROSECOND);
    text_add(&text, ", ");
    explain_time(&text, 2500 * CLOCK_MILLISECOND);
    assert_string_equal(bytes, "0.012 ms, 50.1 ms, 2.5 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll),
        cmocka_unit_test(a_ppoll),
        cmocka_unit_test(a_select),
        cmocka_unit_test(an_epoll_wait),
        cmocka_unit_test(an_epoll_ctl),
        cmocka_unit_test(a_kevent),
        cmocka_unit_test(an_io_uring),
        cmocka_unit_test(a_signal),
        cmocka_unit_test(an_fcntl),
        cmocka_unit_test(the_errors),
        cmocka_unit_test(every_flag_has_a_meaning),
        cmocka_unit_test(each_flag_is_explained_once),
        cmocka_unit_test(a_long_list_is_counted),
        cmocka_unit_test(a_cut_line_is_explained_as_far_as_it_goes),
        cmocka_unit_test(the_result_alone),
        cmocka_unit_test(other_lines_are_no_calls),
        cmocka_unit_test(it_is_cut_to_its_size),
        cmocka_unit_test(lines_cut_anywhere),
        cmocka_unit_test(lines_with_any_bytes),
        cmocka_unit_test(every_backend_is_understood),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, kit_cleanup);
}
