# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/sensor-exec/README.md

if PLUGIN_SENSOR_EXEC
plugin_LTLIBRARIES += plugins/sensor-exec/sensor-exec.la
plugins_sensor_exec_sensor_exec_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_sensor_exec_sensor_exec_la_CFLAGS = $(PLUGIN_CC) $(SENSOR_EXEC_CFLAGS)
plugins_sensor_exec_sensor_exec_la_LDFLAGS = $(PLUGIN_LD)
plugins_sensor_exec_sensor_exec_la_LIBADD = $(PLUGIN_LINK) $(SENSOR_EXEC_LIBS)
plugins_sensor_exec_sensor_exec_la_SOURCES = \
	plugins/sensor-exec/perfdata.c \
	plugins/sensor-exec/perfdata.h \
	plugins/sensor-exec/run.c \
	plugins/sensor-exec/run.h \
	plugins/sensor-exec/sensor-exec.c
endif
