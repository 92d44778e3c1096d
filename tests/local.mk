# SPDX-License-Identifier: BSD-2-Clause
# Every test is a cmocka program of its own. Adding one is a line in MOST_TESTS: its source has
# the same name with .c, and all link the kit.
if HAVE_TESTS
AM_CPPFLAGS += -I$(top_srcdir)/tests $(CMOCKA_CFLAGS) $(VTERM_CFLAGS)
LDADD = libtestkit.a $(POLLSPIN_LIBS) $(CMOCKA_LIBS) $(VTERM_LIBS) $(TEST_LIBS)

check_LIBRARIES = libtestkit.a
libtestkit_a_SOURCES = \
	tests/kit/child.c tests/kit/inside.h \
	tests/kit/client.c tests/kit/client.h \
	tests/kit/counted.c \
	tests/kit/fake.c tests/kit/fake.h \
	tests/kit/kit.c tests/kit/kit.h \
	tests/kit/peer.c tests/kit/peer.h \
	tests/kit/process.c tests/kit/process.h \
	tests/kit/random.c tests/kit/random.h \
	tests/kit/stream.c \
	tests/kit/terminal.c tests/kit/terminal.h

check_PROGRAMS = $(MOST_TESTS) $(LONG_TESTS)

MOST_TESTS = \
	tests/contract/contract \
	tests/e2e/delay-ticks-without-drift \
	tests/e2e/delayserver-announces-and-summarises \
	tests/e2e/delayserver-arguments \
	tests/e2e/delayserver-max-clients \
	tests/e2e/delayserver-peers \
	tests/e2e/delayserver-stalled-output \
	tests/e2e/delayserver-unix-sockets \
	tests/e2e/inspect-equals-strace \
	tests/e2e/installed-library \
	tests/e2e/pollcopy-follows \
	tests/e2e/pollcopy-survives-faults \
	tests/e2e/pollspin-demo \
	tests/e2e/pollspin-keeps-turning \
	tests/e2e/pollspin-leaves-the-terminal-as-it-was \
	tests/e2e/pollspin-passes-bytes-exactly \
	tests/e2e/pollspin-reconnects \
	tests/e2e/pollspin-refuses-bad-arguments \
	tests/e2e/pollspin-says-which-end-it-was \
	tests/e2e/pollspin-several-targets \
	tests/e2e/pollspin-shows-other-servers \
	tests/e2e/pollspin-survives-a-hostile-server \
	tests/e2e/selftest \
	tests/e2e/sixty-clients-one-stalled \
	tests/ui/display \
	tests/ui/does-what-is-asked \
	tests/ui/holds-several-targets \
	tests/ui/plain \
	tests/ui/pollcopy-shows-progress \
	tests/ui/screen \
	tests/unit/address \
	tests/unit/adopt \
	tests/unit/base \
	tests/unit/buf \
	tests/unit/call-lengths \
	tests/unit/call-text \
	tests/unit/channel \
	tests/unit/commands \
	tests/unit/conn \
	tests/unit/connect \
	tests/unit/copy \
	tests/unit/copy-faults \
	tests/unit/crew \
	tests/unit/delay \
	tests/unit/editor \
	tests/unit/end \
	tests/unit/explain \
	tests/unit/faults \
	tests/unit/file-watch \
	tests/unit/follow \
	tests/unit/heap \
	tests/unit/history \
	tests/unit/inspector \
	tests/unit/keys \
	tests/unit/kit \
	tests/unit/kqueue \
	tests/unit/limit \
	tests/unit/lines \
	tests/unit/listen \
	tests/unit/loop \
	tests/unit/merge \
	tests/unit/move \
	tests/unit/names \
	tests/unit/output \
	tests/unit/pane \
	tests/unit/place \
	tests/unit/progress \
	tests/unit/pump \
	tests/unit/rare-loop \
	tests/unit/rare-poller \
	tests/unit/replace \
	tests/unit/report \
	tests/unit/resolve \
	tests/unit/row \
	tests/unit/same \
	tests/unit/sanitize \
	tests/unit/scrollback \
	tests/unit/server \
	tests/unit/session \
	tests/unit/signal \
	tests/unit/spinner \
	tests/unit/split \
	tests/unit/timer \
	tests/unit/tty \
	tests/unit/uring \
	tests/unit/uring-calls \
	tests/unit/wakeup

# Left to the sanitizers, which see the same: under valgrind they take many minutes, or their forked
# children are said to leak what is their parent's.
LONG_TESTS = \
	tests/e2e/delayserver-survives-hostile-clients \
	tests/e2e/echo-returns-everything \
	tests/e2e/pollcopy-arguments \
	tests/e2e/pollcopy-copies-exactly \
	tests/e2e/pollcopy-fans-out \
	tests/e2e/pollcopy-harms-no-file \
	tests/e2e/pollcopy-merges-lines \
	tests/e2e/pollcopy-reports \
	tests/e2e/print-shows-controls \
	tests/ui/changes-the-backend \
	tests/ui/edits-the-line \
	tests/ui/fits-any-size \
	tests/ui/gives-the-terminal-back \
	tests/ui/keeps-its-memory \
	tests/ui/leaves-in-order \
	tests/ui/never-stands-still \
	tests/ui/obeys-no-answer \
	tests/ui/obeys-no-argument \
	tests/ui/obeys-no-server \
	tests/ui/scrolls-the-pane \
	tests/ui/shows-the-calls \
	tests/ui/steps-through-the-loop \
	tests/ui/stops-and-goes-on \
	tests/unit/child \
	tests/unit/sigio

tests_contract_contract_SOURCES = \
	tests/contract/arguments.c \
	tests/contract/closed.c \
	tests/contract/contract.c tests/contract/contract.h \
	tests/contract/object.c \
	tests/contract/random.c \
	tests/contract/ready.c \
	tests/contract/time.c \
	tests/contract/trigger.c

# It reads a manual page.
tests_e2e_selftest_CPPFLAGS = $(AM_CPPFLAGS) -DMANUAL='"$(abs_top_srcdir)/doc/pollspin.7"'

# To be a system that has no thread to give.
tests_unit_crew_LDFLAGS = -Wl,--wrap=pthread_create
tests_unit_pump_LDFLAGS = -Wl,--wrap=pthread_create

# To be a system without pidfd_open(2).
tests_unit_child_LDFLAGS = -Wl,--wrap=syscall,--wrap=waitid

# To be a system without /proc, and one that has too many watches.
tests_unit_file_watch_LDFLAGS = -Wl,--wrap=inotify_add_watch
tests_unit_follow_LDFLAGS = -Wl,--wrap=inotify_add_watch

# To be a network that forbids, and a file that has nothing now.
tests_unit_move_LDFLAGS = -Wl,--wrap=kernel_splice -Wl,--wrap=pread

# To put another file in the place of one that is about to be opened, and to have a disk.
tests_unit_end_LDFLAGS = -Wl,--wrap=open -Wl,--wrap=stat -Wl,--wrap=fstat -Wl,--wrap=close \
	-Wl,--wrap=fsync -Wl,--wrap=bind

# What stands between a copy and libc, so that it can be made to fail.
tests_unit_copy_faults_LDFLAGS = -Wl,--wrap=malloc -Wl,--wrap=posix_memalign -Wl,--wrap=calloc -Wl,--wrap=realloc \
	-Wl,--wrap=pipe -Wl,--wrap=fcntl -Wl,--wrap=ioctl -Wl,--wrap=stat -Wl,--wrap=lstat \
	-Wl,--wrap=fstat -Wl,--wrap=lseek -Wl,--wrap=rename -Wl,--wrap=link -Wl,--wrap=pthread_create \
	-Wl,--wrap=poll -Wl,--wrap=open -Wl,--wrap=ftruncate -Wl,--wrap=fchmod -Wl,--wrap=fchown \
	-Wl,--wrap=read -Wl,--wrap=pread -Wl,--wrap=write -Wl,--wrap=recv -Wl,--wrap=send \
	-Wl,--wrap=splice -Wl,--wrap=tee -Wl,--wrap=copy_file_range -Wl,--wrap=sendfile -Wl,--wrap=fsync \
	-Wl,--wrap=close

# What stands between the library and libc there, so that it can be made to fail.
tests_unit_faults_LDFLAGS = -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=pipe -Wl,--wrap=read \
	-Wl,--wrap=write -Wl,--wrap=fcntl -Wl,--wrap=open -Wl,--wrap=fstat -Wl,--wrap=fopen \
	-Wl,--wrap=poll -Wl,--wrap=select -Wl,--wrap=sigaction -Wl,--wrap=sigtimedwait \
	-Wl,--wrap=pthread_sigmask -Wl,--wrap=waitpid -Wl,--wrap=syscall -Wl,--wrap=epoll_create1 \
	-Wl,--wrap=epoll_ctl -Wl,--wrap=epoll_wait -Wl,--wrap=dup3 -Wl,--wrap=inotify_init1 \
	-Wl,--wrap=inotify_add_watch -Wl,--wrap=malloc -Wl,--wrap=send -Wl,--wrap=ttyname_r \
	-Wl,--wrap=waitid -Wl,--wrap=getsockopt -Wl,--wrap=io_uring_queue_init_params

# To be a BSD, which refuses a pipe without a reader, and a system without memory.
tests_unit_kqueue_LDFLAGS = -Wl,--wrap=kevent

# To be a system without tee(2), and one whose /dev/null takes no splice(2).
tests_unit_split_LDFLAGS = -Wl,--wrap=kernel_tee -Wl,--wrap=kernel_splice

# To hear what a system says once in a year.
tests_unit_rare_loop_LDFLAGS = -Wl,--wrap=syscall -Wl,--wrap=waitid -Wl,--wrap=write \
	-Wl,--wrap=malloc -Wl,--wrap=realloc -Wl,--wrap=sched_yield
tests_unit_rare_poller_LDFLAGS = -Wl,--wrap=fcntl -Wl,--wrap=realloc -Wl,--wrap=fopen \
	-Wl,--wrap=sigaction
tests_unit_replace_LDFLAGS = -Wl,--wrap=malloc -Wl,--wrap=readlink -Wl,--wrap=stat \
	-Wl,--wrap=lstat -Wl,--wrap=fstat -Wl,--wrap=access -Wl,--wrap=open -Wl,--wrap=fchown \
	-Wl,--wrap=fchmod -Wl,--wrap=fsync -Wl,--wrap=rename -Wl,--wrap=link -Wl,--wrap=unlink \
	-Wl,--wrap=close -Wl,--wrap=kernel_acl_get -Wl,--wrap=kernel_acl_set \
	-Wl,--wrap=kernel_marks -Wl,--wrap=geteuid
tests_unit_uring_LDFLAGS = -Wl,--wrap=syscall -Wl,--wrap=io_uring_queue_init_params

# Measurements, each printing a table: `make bench`.
BENCHES = \
	tests/bench/copy \
	tests/bench/dispatch \
	tests/bench/spinner \
	tests/bench/ticks \
	tests/bench/frames \
	tests/bench/gaps \
	tests/bench/intake
EXTRA_PROGRAMS = $(BENCHES)

tests_bench_copy_SOURCES = \
	tests/bench/copy.c tests/bench/copy.h \
	tests/bench/copy-bare.c \
	tests/bench/copy-run.c \
	tests/bench/copy-stalled.c

# As a program of a user is: with the shared library. libev has functions with names of libevent's,
# so libevent comes first.
tests_bench_dispatch_SOURCES = \
	tests/bench/dispatch.c tests/bench/dispatch.h \
	tests/bench/dispatch-libev.c \
	tests/bench/dispatch-libevent.c \
	tests/bench/dispatch-libuv.c \
	tests/bench/dispatch-ours.c \
	tests/bench/dispatch-raw.c
tests_bench_dispatch_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(LIBUV_CFLAGS)
tests_bench_dispatch_LDADD = libpollspin.la $(LIBEVENT_LIBS) $(LIBEV_LIBS) $(LIBUV_LIBS)

EXTRA_DIST += tests/bench/bench.h tests/bench/must.h \
	tests/e2e/backends.h tests/ui/around.h tests/ui/calls.h tests/ui/corpus.h tests/ui/full.h \
	tests/ui/harmless.h tests/ui/person.h tests/ui/typing.h tests/unit/nameserver.h \
	tests/unit/turns.h
endif

# ---- running them: tests/run makes logs and tests/tally counts; one test is run by
#      make check TESTS=tests/unit/heap ----
CHECKS = tests/style $(check_PROGRAMS)
RUN_TESTS = TEST_BUILDDIR='$(abs_top_builddir)' TEST_SRCDIR='$(abs_top_srcdir)' \
	TEST_CC='$(CC)' TEST_CFLAGS='$(CFLAGS)' $(srcdir)/tests/run
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
	--trace-children=no
EXTRA_DIST += tests/run tests/style tests/tally

# None of these may need `all`: that is a make of its own, and with -j both would build the library.
.PHONY: bench check-covered check-programs check-valgrind coverage style tidy
check-programs: $(check_PROGRAMS)

check-local: check-programs
if !HAVE_TESTS
	@echo "Left out: every test but tests/style. They need cmocka and libvterm, which" \
		"./bootstrap check installs."
endif
	@$(RUN_TESTS) $${TESTS:-$(CHECKS)}

check-valgrind: $(bin_PROGRAMS) $(lib_LTLIBRARIES) libpollspin.a check-programs
	@LIMIT=600 WRAPPER='$(VALGRIND)' TEST_WRAPPER='$(VALGRIND)' \
		$(RUN_TESTS) $${TESTS:-$(MOST_TESTS)}

# One after the other, and nothing else meanwhile.
bench: $(bin_PROGRAMS) $(BENCHES)
	@for bench in $(BENCHES); do TEST_BUILDDIR='$(abs_top_builddir)' ./$$bench || exit; done

style:
	@$(RUN_TESTS) tests/style

tidy:
	@cd $(srcdir) && find src -name '*.c' | xargs -n 4 -P 2 sh -c \
		'clang-tidy --quiet "$$@" -- $(DEFS) -I$(abs_top_builddir) -Isrc $(CARES_CFLAGS) $(NCURSESW_CFLAGS) $(LIBEDIT_CFLAGS) -std=gnu11' tidy

# How much of the library the tests run, branch by branch, in a build of its own with the options of
# this one. Without assert: a test cannot take the branch of a broken contract. COVERED are the tests
# that are run for it; it fails where one of them does, or where they leave out too many branches.
COVERED = tests/contract/contract tests/unit/adopt tests/unit/call-lengths tests/unit/call-text \
	tests/unit/child tests/unit/faults tests/unit/file-watch tests/unit/heap tests/unit/loop \
	tests/unit/names tests/unit/output tests/unit/rare-loop tests/unit/rare-poller \
	tests/unit/sigio tests/unit/signal tests/unit/timer tests/unit/uring tests/unit/wakeup
coverage:
	@command -v gcovr >/dev/null || \
		{ echo "make coverage needs gcovr; ./bootstrap check installs it" >&2; exit 1; }
	@rm -rf coverage && mkdir coverage && options=`./config.status --config` && cd coverage && \
		eval "'$(abs_srcdir)/configure' -q $$options --disable-shared" \
			"CFLAGS='-g -O0 --coverage' CPPFLAGS='$(CPPFLAGS) -DNDEBUG -DKIT_COUNTED'" \
			"LDFLAGS='$(LDFLAGS) -Wl,--wrap=_exit'" && \
		$(MAKE) -s $(COVERED) && \
		{ $(MAKE) -s check-covered >check.log || { cat check.log; exit 1; }; } && tail -n 1 check.log
	@cd $(srcdir) && gcovr --branches --print-summary --fail-under-branch 95 --root . \
		--filter 'src/(poller|loop)/' --object-directory '$(abs_builddir)/coverage' \
		'$(abs_builddir)/coverage/src'
check-covered:
	@$(RUN_TESTS) $(COVERED)

clean-local:
	rm -rf test-logs coverage
