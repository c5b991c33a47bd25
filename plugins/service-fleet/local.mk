# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-fleet/README.md

if PLUGIN_SERVICE_FLEET
plugin_LTLIBRARIES += plugins/service-fleet/service-fleet.la
plugins_service_fleet_service_fleet_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_fleet_service_fleet_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_FLEET_CFLAGS)
plugins_service_fleet_service_fleet_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_fleet_service_fleet_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_FLEET_LIBS)
plugins_service_fleet_service_fleet_la_SOURCES = \
	plugins/service-fleet/approve.c \
	plugins/service-fleet/calls.c \
	plugins/service-fleet/devices.c \
	plugins/service-fleet/enroll-row.c \
	plugins/service-fleet/enroll.c \
	plugins/service-fleet/fleet.c \
	plugins/service-fleet/fleet.h \
	plugins/service-fleet/join.c \
	plugins/service-fleet/known.c \
	plugins/service-fleet/registry.c \
	plugins/service-fleet/renew.c \
	plugins/service-fleet/revoke.c \
	plugins/service-fleet/rows.c \
	plugins/service-fleet/server-certificate.c \
	plugins/service-fleet/site.c \
	plugins/service-fleet/tables.c \
	plugins/service-fleet/terminal-change.c \
	plugins/service-fleet/terminal-show.c \
	plugins/service-fleet/terminals.c \
	plugins/service-fleet/write.c
endif
