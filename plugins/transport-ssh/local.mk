# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-ssh/README.md

if PLUGIN_TRANSPORT_SSH
plugin_LTLIBRARIES += plugins/transport-ssh/transport-ssh.la
plugins_transport_ssh_transport_ssh_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_transport_ssh_transport_ssh_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_SSH_CFLAGS)
plugins_transport_ssh_transport_ssh_la_LDFLAGS = $(PLUGIN_LD) -Wl,-z,initfirst
plugins_transport_ssh_transport_ssh_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_SSH_LIBS)
plugins_transport_ssh_transport_ssh_la_SOURCES = \
	plugins/transport-ssh/channel.c \
	plugins/transport-ssh/dial.c \
	plugins/transport-ssh/auth.c \
	plugins/transport-ssh/auth.h \
	plugins/transport-ssh/instance.c \
	plugins/transport-ssh/login.c \
	plugins/transport-ssh/ports.c \
	plugins/transport-ssh/server.c \
	plugins/transport-ssh/ssh.h \
	plugins/transport-ssh/transport-ssh.c \
	plugins/transport-ssh/tunnel.c \
	plugins/transport-ssh/user-channel.c \
	plugins/transport-ssh/user-connection.c \
	plugins/transport-ssh/user-connection.h \
	plugins/transport-ssh/connection.c \
	plugins/transport-ssh/connection.h
endif
