# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/store-file/README.md

## Drop the hashes once there is a source; one file per line, sorted, headers too.
## if PLUGIN_STORE_FILE
## plugin_LTLIBRARIES += plugins/store-file/store-file.la
## plugins_store_file_store_file_la_CPPFLAGS = $(PLUGIN_CPP)
## plugins_store_file_store_file_la_CFLAGS = $(PLUGIN_CC) $(STORE_FILE_CFLAGS)
## plugins_store_file_store_file_la_LDFLAGS = $(PLUGIN_LD)
## plugins_store_file_store_file_la_LIBADD = $(PLUGIN_LINK) $(STORE_FILE_LIBS)
## plugins_store_file_store_file_la_SOURCES = plugins/store-file/store-file.c
## endif
