# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-tls/README.md

if PLUGIN_TRANSPORT_TLS
plugin_LTLIBRARIES += plugins/transport-tls/transport-tls.la
plugins_transport_tls_transport_tls_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_transport_tls_transport_tls_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_TLS_CFLAGS)
plugins_transport_tls_transport_tls_la_LDFLAGS = $(PLUGIN_LD)
plugins_transport_tls_transport_tls_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_TLS_LIBS)
plugins_transport_tls_transport_tls_la_SOURCES = \
	plugins/transport-tls/client.c \
	plugins/transport-tls/conn.c \
	plugins/transport-tls/dial.c \
	plugins/transport-tls/direct.h \
	plugins/transport-tls/link.c \
	plugins/transport-tls/options.c \
	plugins/transport-tls/server.c \
	plugins/transport-tls/session.c \
	plugins/transport-tls/transport-tls.c \
	plugins/transport-tls/words.c
endif
