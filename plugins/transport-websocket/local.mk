# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-websocket/README.md

if PLUGIN_TRANSPORT_WEBSOCKET
plugin_LTLIBRARIES += plugins/transport-websocket/transport-websocket.la
plugins_transport_websocket_transport_websocket_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_transport_websocket_transport_websocket_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_WEBSOCKET_CFLAGS)
plugins_transport_websocket_transport_websocket_la_LDFLAGS = $(PLUGIN_LD)
plugins_transport_websocket_transport_websocket_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_WEBSOCKET_LIBS)
plugins_transport_websocket_transport_websocket_la_SOURCES = \
	plugins/transport-websocket/client.c \
	plugins/transport-websocket/conn.c \
	plugins/transport-websocket/conn.h \
	plugins/transport-websocket/dial.c \
	plugins/transport-websocket/frame.c \
	plugins/transport-websocket/frame.h \
	plugins/transport-websocket/http-form.c \
	plugins/transport-websocket/http-form.h \
	plugins/transport-websocket/http-head.c \
	plugins/transport-websocket/http-head.h \
	plugins/transport-websocket/http-other.c \
	plugins/transport-websocket/http-other.h \
	plugins/transport-websocket/http-out.c \
	plugins/transport-websocket/http-out.h \
	plugins/transport-websocket/http-target.c \
	plugins/transport-websocket/http-target.h \
	plugins/transport-websocket/http.c \
	plugins/transport-websocket/http.h \
	plugins/transport-websocket/hub.c \
	plugins/transport-websocket/in.c \
	plugins/transport-websocket/in.h \
	plugins/transport-websocket/link.c \
	plugins/transport-websocket/link.h \
	plugins/transport-websocket/listener.c \
	plugins/transport-websocket/listener.h \
	plugins/transport-websocket/node.c \
	plugins/transport-websocket/node.h \
	plugins/transport-websocket/people-http.c \
	plugins/transport-websocket/people.c \
	plugins/transport-websocket/people.h \
	plugins/transport-websocket/stream.c \
	plugins/transport-websocket/stream.h \
	plugins/transport-websocket/transport-websocket.c \
	plugins/transport-websocket/types.h \
	plugins/transport-websocket/upgrade.c \
	plugins/transport-websocket/upgrade.h \
	plugins/transport-websocket/url.c \
	plugins/transport-websocket/url.h
endif
