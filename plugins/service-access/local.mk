# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-access/README.md

## Drop the hashes once there is a source; one file per line, sorted, headers too.
## if PLUGIN_SERVICE_ACCESS
## plugin_LTLIBRARIES += plugins/service-access/service-access.la
## plugins_service_access_service_access_la_CPPFLAGS = $(PLUGIN_CPP)
## plugins_service_access_service_access_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_ACCESS_CFLAGS)
## plugins_service_access_service_access_la_LDFLAGS = $(PLUGIN_LD)
## plugins_service_access_service_access_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_ACCESS_LIBS)
## plugins_service_access_service_access_la_SOURCES = plugins/service-access/service-access.c
## endif
