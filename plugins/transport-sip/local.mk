# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += plugins/transport-sip/README.md

if PLUGIN_TRANSPORT_SIP
plugin_LTLIBRARIES += plugins/transport-sip/transport-sip.la
plugins_transport_sip_transport_sip_la_CPPFLAGS = $(PLUGIN_CPP)
# as headers of the system: the library's own make warnings that are none of ours
plugins_transport_sip_transport_sip_la_CFLAGS = $(PLUGIN_CC) $(TRANSPORT_SIP_CFLAGS:-I%=-isystem %)
plugins_transport_sip_transport_sip_la_LDFLAGS = $(PLUGIN_LD)
plugins_transport_sip_transport_sip_la_LIBADD = $(PLUGIN_LINK) $(TRANSPORT_SIP_LIBS)
plugins_transport_sip_transport_sip_la_SOURCES = \
	plugins/transport-sip/bindings.c \
	plugins/transport-sip/bindings.h \
	plugins/transport-sip/digest.c \
	plugins/transport-sip/digest.h \
	plugins/transport-sip/domain.c \
	plugins/transport-sip/fence.c \
	plugins/transport-sip/fence.h \
	plugins/transport-sip/options.c \
	plugins/transport-sip/proxy.c \
	plugins/transport-sip/register.c \
	plugins/transport-sip/registrar.c \
	plugins/transport-sip/registrar.h \
	plugins/transport-sip/route.c \
	plugins/transport-sip/route.h \
	plugins/transport-sip/server.c \
	plugins/transport-sip/sip-forward.c \
	plugins/transport-sip/sip-request.c \
	plugins/transport-sip/sip-stack-private.h \
	plugins/transport-sip/sip-stack.c \
	plugins/transport-sip/sip-stack.h \
	plugins/transport-sip/sip-text.c \
	plugins/transport-sip/sip-text.h
endif
