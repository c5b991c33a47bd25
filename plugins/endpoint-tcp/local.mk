# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/endpoint-tcp/README.md

if PLUGIN_ENDPOINT_TCP
plugin_LTLIBRARIES += plugins/endpoint-tcp/endpoint-tcp.la
plugins_endpoint_tcp_endpoint_tcp_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_endpoint_tcp_endpoint_tcp_la_CFLAGS = $(PLUGIN_CC) $(ENDPOINT_TCP_CFLAGS)
plugins_endpoint_tcp_endpoint_tcp_la_LDFLAGS = $(PLUGIN_LD)
plugins_endpoint_tcp_endpoint_tcp_la_LIBADD = $(PLUGIN_LINK) $(ENDPOINT_TCP_LIBS)
plugins_endpoint_tcp_endpoint_tcp_la_SOURCES = plugins/endpoint-tcp/endpoint-tcp.c
endif
