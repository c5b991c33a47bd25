# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-ssh/README.md

## Drop the hashes once there is a source; one file per line, sorted, headers too.
## if PLUGIN_TRANSPORT_SSH
## plugin_LTLIBRARIES += plugins/transport-ssh/transport-ssh.la
## plugins_transport_ssh_transport_ssh_la_CPPFLAGS = $(PLUGIN_CPP)
## plugins_transport_ssh_transport_ssh_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_SSH_CFLAGS)
## plugins_transport_ssh_transport_ssh_la_LDFLAGS = $(PLUGIN_LD)
## plugins_transport_ssh_transport_ssh_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_SSH_LIBS)
## plugins_transport_ssh_transport_ssh_la_SOURCES = plugins/transport-ssh/transport-ssh.c
## endif
