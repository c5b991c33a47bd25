# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/authenticator-file/README.md

if PLUGIN_AUTHENTICATOR_FILE
plugin_LTLIBRARIES += plugins/authenticator-file/authenticator-file.la
plugins_authenticator_file_authenticator_file_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_authenticator_file_authenticator_file_la_CFLAGS = $(PLUGIN_CC) $(AUTHENTICATOR_FILE_CFLAGS)
plugins_authenticator_file_authenticator_file_la_LDFLAGS = $(PLUGIN_LD)
plugins_authenticator_file_authenticator_file_la_LIBADD = $(PLUGIN_LINK) $(AUTHENTICATOR_FILE_LIBS)
plugins_authenticator_file_authenticator_file_la_SOURCES = \
	plugins/authenticator-file/authenticator-file.c \
	plugins/authenticator-file/user-file-text.c \
	plugins/authenticator-file/user-file.c \
	plugins/authenticator-file/user-file.h
endif
