# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/sensor-system/README.md

if PLUGIN_SENSOR_SYSTEM
plugin_LTLIBRARIES += plugins/sensor-system/sensor-system.la
plugins_sensor_system_sensor_system_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_sensor_system_sensor_system_la_CFLAGS = $(PLUGIN_CC) $(SENSOR_SYSTEM_CFLAGS)
plugins_sensor_system_sensor_system_la_LDFLAGS = $(PLUGIN_LD)
plugins_sensor_system_sensor_system_la_LIBADD = $(PLUGIN_LINK) $(SENSOR_SYSTEM_LIBS)
plugins_sensor_system_sensor_system_la_SOURCES = \
	plugins/sensor-system/disks.c \
	plugins/sensor-system/disks.h \
	plugins/sensor-system/parse.c \
	plugins/sensor-system/parse.h \
	plugins/sensor-system/sensor-system.c
endif
