# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/endpoint-shell/README.md

if PLUGIN_ENDPOINT_SHELL
plugin_LTLIBRARIES += plugins/endpoint-shell/endpoint-shell.la
plugins_endpoint_shell_endpoint_shell_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_endpoint_shell_endpoint_shell_la_CFLAGS = $(PLUGIN_CC) $(ENDPOINT_SHELL_CFLAGS)
plugins_endpoint_shell_endpoint_shell_la_LDFLAGS = $(PLUGIN_LD)
plugins_endpoint_shell_endpoint_shell_la_LIBADD = $(PLUGIN_LINK) $(ENDPOINT_SHELL_LIBS)
plugins_endpoint_shell_endpoint_shell_la_SOURCES = \
	plugins/endpoint-shell/command.c \
	plugins/endpoint-shell/endpoint-shell.c \
	plugins/endpoint-shell/latest.c \
	plugins/endpoint-shell/line.c \
	plugins/endpoint-shell/outer.c \
	plugins/endpoint-shell/say.c \
	plugins/endpoint-shell/shell.h \
	plugins/endpoint-shell/talk.c
endif
