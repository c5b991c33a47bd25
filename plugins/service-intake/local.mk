# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-intake/README.md

if PLUGIN_SERVICE_INTAKE
plugin_LTLIBRARIES += plugins/service-intake/service-intake.la
plugins_service_intake_service_intake_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_intake_service_intake_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_INTAKE_CFLAGS)
plugins_service_intake_service_intake_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_intake_service_intake_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_INTAKE_LIBS)
plugins_service_intake_service_intake_la_SOURCES = \
	plugins/service-intake/batches.c \
	plugins/service-intake/intake.h \
	plugins/service-intake/record.c \
	plugins/service-intake/samples.c \
	plugins/service-intake/service-intake.c
endif
