# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/service-agent/README.md

## Drop the hashes once there is a source; one file per line, sorted, headers too.
## if PLUGIN_SERVICE_AGENT
## plugin_LTLIBRARIES += plugins/service-agent/service-agent.la
## plugins_service_agent_service_agent_la_CPPFLAGS = $(PLUGIN_CPP)
## plugins_service_agent_service_agent_la_CFLAGS = $(PLUGIN_CC) $(SERVICE_AGENT_CFLAGS)
## plugins_service_agent_service_agent_la_LDFLAGS = $(PLUGIN_LD)
## plugins_service_agent_service_agent_la_LIBADD = $(PLUGIN_LINK) $(SERVICE_AGENT_LIBS)
## plugins_service_agent_service_agent_la_SOURCES = plugins/service-agent/service-agent.c
## endif
