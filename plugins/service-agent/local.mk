# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-agent/README.md

if PLUGIN_SERVICE_AGENT
plugin_LTLIBRARIES += plugins/service-agent/service-agent.la
plugins_service_agent_service_agent_la_CPPFLAGS = $(PLUGIN_CPP)
plugins_service_agent_service_agent_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_AGENT_CFLAGS)
plugins_service_agent_service_agent_la_LDFLAGS = $(PLUGIN_LD)
plugins_service_agent_service_agent_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_AGENT_LIBS)
plugins_service_agent_service_agent_la_SOURCES = \
	plugins/service-agent/agent.c \
	plugins/service-agent/agent.h \
	plugins/service-agent/check.c \
	plugins/service-agent/ends.c \
	plugins/service-agent/local.c \
	plugins/service-agent/offer.c \
	plugins/service-agent/poll.c \
	plugins/service-agent/push.c \
	plugins/service-agent/report.c \
	plugins/service-agent/session.c \
	plugins/service-agent/tunnel.c
endif
