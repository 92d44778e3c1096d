# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS = \
	doc/delayserver.1 \
	doc/loop.3 \
	doc/pollcopy.1 \
	doc/poller.3 \
	doc/pollspin.1 \
	doc/pollspin.7

# Each is a whole program, and is installed to be read and compiled.
examplesdir = $(docdir)/examples
dist_examples_DATA = \
	doc/examples/echo-server.c \
	doc/examples/edge-drain.c \
	doc/examples/oneshot-worker.c \
	doc/examples/poll-by-hand.c \
	doc/examples/poll-by-library.c \
	doc/examples/time-client.c \
	doc/examples/watch-file.c

# Each public function has a page under its own name, which leads to the one that describes it.
install-data-local:
	@$(MKDIR_P) '$(DESTDIR)$(man3dir)'
	@umask 022; while read -r name; do \
		case $$name in poller_*) page=poller ;; *) page=loop ;; esac; \
		echo ".so man3/$$page.3" >'$(DESTDIR)$(man3dir)'/$$name.3 || exit; \
	done <$(srcdir)/src/pollspin.sym
uninstall-local:
	@while read -r name; do \
		rm -f '$(DESTDIR)$(man3dir)'/$$name.3; \
	done <$(srcdir)/src/pollspin.sym
