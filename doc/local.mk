# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS = doc/pollspin.1 doc/delayserver.1 doc/pollspin.7
