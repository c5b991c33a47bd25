# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-member/README.md

if PLUGIN_SERVICE_MEMBER
plugin_LTLIBRARIES += plugins/service-member/service-member.la
plugins_service_member_service_member_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_member_service_member_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_MEMBER_CFLAGS)
plugins_service_member_service_member_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_member_service_member_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_MEMBER_LIBS)
plugins_service_member_service_member_la_SOURCES = \
	plugins/service-member/added.c \
	plugins/service-member/device-json.c \
	plugins/service-member/devices.c \
	plugins/service-member/member.h \
	plugins/service-member/renew.c \
	plugins/service-member/service-member.c \
	plugins/service-member/tell.c \
	plugins/service-member/terminal.c
endif
