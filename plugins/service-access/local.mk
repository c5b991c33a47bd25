# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-access/README.md

if PLUGIN_SERVICE_ACCESS
plugin_LTLIBRARIES += plugins/service-access/service-access.la
plugins_service_access_service_access_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_access_service_access_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_ACCESS_CFLAGS)
plugins_service_access_service_access_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_access_service_access_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_ACCESS_LIBS)
plugins_service_access_service_access_la_SOURCES = \
	plugins/service-access/access.c \
	plugins/service-access/access.h \
	plugins/service-access/session-create.c \
	plugins/service-access/calls.c \
	plugins/service-access/close.c \
	plugins/service-access/allocate.c \
	plugins/service-access/entry.c \
	plugins/service-access/history.c \
	plugins/service-access/nodes.c \
	plugins/service-access/offer.c \
	plugins/service-access/poll.c \
	plugins/service-access/recheck.c \
	plugins/service-access/refusal.c \
	plugins/service-access/session.c \
	plugins/service-access/session-json.c \
	plugins/service-access/rejected.c \
	plugins/service-access/tunnels.c \
	plugins/service-access/unreached.c
endif
