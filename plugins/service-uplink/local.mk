# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-uplink/README.md

if PLUGIN_SERVICE_UPLINK
plugin_LTLIBRARIES += plugins/service-uplink/service-uplink.la
plugins_service_uplink_service_uplink_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_uplink_service_uplink_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_UPLINK_CFLAGS)
plugins_service_uplink_service_uplink_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_uplink_service_uplink_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_UPLINK_LIBS)
plugins_service_uplink_service_uplink_la_SOURCES = \
	plugins/service-uplink/batch.c \
	plugins/service-uplink/disk.c \
	plugins/service-uplink/disk.h \
	plugins/service-uplink/gather.c \
	plugins/service-uplink/head.c \
	plugins/service-uplink/record.c \
	plugins/service-uplink/rows.c \
	plugins/service-uplink/send.c \
	plugins/service-uplink/service-uplink.c \
	plugins/service-uplink/stamp.c \
	plugins/service-uplink/state.c \
	plugins/service-uplink/uplink.h \
	plugins/service-uplink/write.c
endif
