# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-websocket/README.md

## Drop the hashes once there is a source; one file per line, sorted, headers too.
## if PLUGIN_TRANSPORT_WEBSOCKET
## plugin_LTLIBRARIES += plugins/transport-websocket/transport-websocket.la
## plugins_transport_websocket_transport_websocket_la_CPPFLAGS = $(PLUGIN_CPP)
## plugins_transport_websocket_transport_websocket_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_WEBSOCKET_CFLAGS)
## plugins_transport_websocket_transport_websocket_la_LDFLAGS = $(PLUGIN_LD)
## plugins_transport_websocket_transport_websocket_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_WEBSOCKET_LIBS)
## plugins_transport_websocket_transport_websocket_la_SOURCES = plugins/transport-websocket/transport-websocket.c
## endif
