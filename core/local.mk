# SPDX-License-Identifier: LGPL-2.1-or-later
# One file per line, sorted, so that several people can add to the lists.

lib_LTLIBRARIES += libfarwatch.la
libfarwatch_la_CPPFLAGS = $(AM_CPPFLAGS)
libfarwatch_la_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
libfarwatch_la_LDFLAGS = $(AM_LDFLAGS) $(DEFS_LDFLAGS) -version-info 0:0:0 -no-undefined -export-symbols-regex '^far_'
libfarwatch_la_LIBADD = $(CORE_LIBS)

# what a plugin may include, installed
farwatch_include_HEADERS += \
	core/farwatch/version.h

# the library, with the headers that stay inside
libfarwatch_la_SOURCES = \
	core/version.c

# the daemon
sbin_PROGRAMS += farwatchd
farwatchd_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farwatchd_LDADD = libfarwatch.la $(CORE_LIBS)
farwatchd_SOURCES = \
	core/farwatchd.c

# the command
bin_PROGRAMS += farctl
farctl_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
farctl_LDADD = libfarwatch.la $(CORE_LIBS)
farctl_SOURCES = \
	core/farctl/main.c

pkgconfig_DATA += core/farwatch.pc
