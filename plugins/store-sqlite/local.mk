# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/store-sqlite/README.md

if PLUGIN_STORE_SQLITE
plugin_LTLIBRARIES += plugins/store-sqlite/store-sqlite.la
plugins_store_sqlite_store_sqlite_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_store_sqlite_store_sqlite_la_CFLAGS = $(PLUGIN_CC) $(STORE_SQLITE_CFLAGS)
plugins_store_sqlite_store_sqlite_la_LDFLAGS = $(PLUGIN_LD)
plugins_store_sqlite_store_sqlite_la_LIBADD = $(PLUGIN_LINK) $(STORE_SQLITE_LIBS)
plugins_store_sqlite_store_sqlite_la_SOURCES = \
	plugins/store-sqlite/maintenance.c \
	plugins/store-sqlite/base.c \
	plugins/store-sqlite/conn.c \
	plugins/store-sqlite/conn.h \
	plugins/store-sqlite/damage.c \
	plugins/store-sqlite/read.c \
	plugins/store-sqlite/reader.c \
	plugins/store-sqlite/schema.c \
	plugins/store-sqlite/schema.h \
	plugins/store-sqlite/store-sqlite.c \
	plugins/store-sqlite/store.h \
	plugins/store-sqlite/store-thread.c \
	plugins/store-sqlite/write-apply.c \
	plugins/store-sqlite/write-other.c \
	plugins/store-sqlite/writer.c
endif
