# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/authenticator-token/README.md

if PLUGIN_AUTHENTICATOR_TOKEN
plugin_LTLIBRARIES += plugins/authenticator-token/authenticator-token.la
plugins_authenticator_token_authenticator_token_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_authenticator_token_authenticator_token_la_CFLAGS = $(PLUGIN_CC) $(AUTHENTICATOR_TOKEN_CFLAGS)
plugins_authenticator_token_authenticator_token_la_LDFLAGS = $(PLUGIN_LD)
plugins_authenticator_token_authenticator_token_la_LIBADD = $(PLUGIN_LINK) $(AUTHENTICATOR_TOKEN_LIBS)
plugins_authenticator_token_authenticator_token_la_SOURCES = \
	plugins/authenticator-token/authenticator-token.c
endif
