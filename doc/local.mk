# SPDX-License-Identifier: LGPL-2.1-or-later
# Every page of this folder and every piece of news goes into the tarball by itself (dist-hook); folders of pages are named below.
dist_man_MANS = \
	doc/man/farctl.1 \
	doc/man/farwatch-profile.5 \
	doc/man/farwatchd.8

# The examples are built outside the tree: tests/integration/examples.py. What somebody has built inside stays out of the tarball (dist-hook).
EXTRA_DIST += doc/examples doc/spec
