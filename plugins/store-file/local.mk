# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/store-file/README.md

if PLUGIN_STORE_FILE
plugin_LTLIBRARIES += plugins/store-file/store-file.la
plugins_store_file_store_file_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_store_file_store_file_la_CFLAGS = $(PLUGIN_CC) $(STORE_FILE_CFLAGS)
plugins_store_file_store_file_la_LDFLAGS = $(PLUGIN_LD)
plugins_store_file_store_file_la_LIBADD = $(PLUGIN_LINK) $(STORE_FILE_LIBS)
plugins_store_file_store_file_la_SOURCES = \
	plugins/store-file/apply.c \
	plugins/store-file/disk.c \
	plugins/store-file/disk.h \
	plugins/store-file/index.c \
	plugins/store-file/index.h \
	plugins/store-file/log.c \
	plugins/store-file/log.h \
	plugins/store-file/other.c \
	plugins/store-file/read.c \
	plugins/store-file/rotate.c \
	plugins/store-file/snapshot.c \
	plugins/store-file/store-file.c \
	plugins/store-file/store.h \
	plugins/store-file/writer.c
endif
