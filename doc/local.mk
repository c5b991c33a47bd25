# SPDX-License-Identifier: LGPL-2.1-or-later
dist_man_MANS =
EXTRA_DIST += \
	doc/news/README \
	doc/shape-messages.md \
	doc/shape.md
