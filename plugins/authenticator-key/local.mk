# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/authenticator-key/README.md

if PLUGIN_AUTHENTICATOR_KEY
plugin_LTLIBRARIES += plugins/authenticator-key/authenticator-key.la
plugins_authenticator_key_authenticator_key_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_authenticator_key_authenticator_key_la_CFLAGS = $(PLUGIN_CC) $(AUTHENTICATOR_KEY_CFLAGS)
plugins_authenticator_key_authenticator_key_la_LDFLAGS = $(PLUGIN_LD)
plugins_authenticator_key_authenticator_key_la_LIBADD = $(PLUGIN_LINK) $(AUTHENTICATOR_KEY_LIBS)
plugins_authenticator_key_authenticator_key_la_SOURCES = \
	plugins/authenticator-key/authenticator-key.c \
	plugins/authenticator-key/keys.c \
	plugins/authenticator-key/keys.h
endif
