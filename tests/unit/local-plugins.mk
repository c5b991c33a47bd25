# SPDX-License-Identifier: LGPL-2.1-or-later
## unit_tests += tests/unit/test-NAME
## tests_unit_test_NAME_CPPFLAGS = $(TEST_CPP)
## tests_unit_test_NAME_CFLAGS = $(TEST_CC)
## tests_unit_test_NAME_LDFLAGS = $(TEST_LD)
## tests_unit_test_NAME_LDADD = $(TEST_LINK)
## (the source tests/unit/test-NAME.c is found by its name)

unit_tests += tests/unit/test-authenticators
tests_unit_test_authenticators_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins
tests_unit_test_authenticators_CFLAGS = $(TEST_CC)
tests_unit_test_authenticators_LDFLAGS = $(TEST_LD) -export-dynamic
tests_unit_test_authenticators_LDADD = $(TEST_LINK)
tests_unit_test_authenticators_SOURCES = tests/unit/test-authenticators.c $(NODE_HELP) plugins/authenticator-key/keys.c plugins/authenticator-key/keys.h

unit_tests += tests/unit/test-sensor-parse
tests_unit_test_sensor_parse_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins
tests_unit_test_sensor_parse_CFLAGS = $(TEST_CC)
tests_unit_test_sensor_parse_LDFLAGS = $(TEST_LD)
tests_unit_test_sensor_parse_LDADD = $(TEST_LINK)
tests_unit_test_sensor_parse_SOURCES = tests/unit/test-sensor-parse.c plugins/sensor-exec/perfdata.c plugins/sensor-exec/perfdata.h \
	plugins/sensor-system/parse.c plugins/sensor-system/parse.h

unit_tests += tests/unit/test-sensors
tests_unit_test_sensors_CPPFLAGS = $(TEST_CPP)
tests_unit_test_sensors_CFLAGS = $(TEST_CC)
tests_unit_test_sensors_LDFLAGS = $(TEST_LD) -export-dynamic
tests_unit_test_sensors_LDADD = $(TEST_LINK)
tests_unit_test_sensors_SOURCES = tests/unit/test-sensors.c $(NODE_HELP)

unit_tests += tests/unit/test-shell
tests_unit_test_shell_CPPFLAGS = $(TEST_CPP)
tests_unit_test_shell_CFLAGS = $(TEST_CC)
tests_unit_test_shell_LDFLAGS = $(TEST_LD)
tests_unit_test_shell_LDADD = $(TEST_LINK)
tests_unit_test_shell_SOURCES = tests/unit/test-shell.c $(NODE_HELP)

UPLINK_HELP = $(NODE_HELP) tests/unit/uplink-help.c tests/unit/uplink-help.h plugins/service-uplink/batch.c plugins/service-uplink/disk.c \
	plugins/service-uplink/disk.h plugins/service-uplink/gather.c plugins/service-uplink/head.c plugins/service-uplink/record.c \
	plugins/service-uplink/rows.c plugins/service-uplink/send.c plugins/service-uplink/service-uplink.c plugins/service-uplink/stamp.c plugins/service-uplink/state.c \
	plugins/service-uplink/uplink.h plugins/service-uplink/write.c

unit_tests += tests/unit/test-uplink
tests_unit_test_uplink_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins
tests_unit_test_uplink_CFLAGS = $(TEST_CC)
tests_unit_test_uplink_LDFLAGS = $(TEST_LD)
tests_unit_test_uplink_LDADD = $(TEST_LINK)
tests_unit_test_uplink_SOURCES = tests/unit/test-uplink.c $(UPLINK_HELP)

unit_tests += tests/unit/test-uplink-disk
tests_unit_test_uplink_disk_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins
tests_unit_test_uplink_disk_CFLAGS = $(TEST_CC)
tests_unit_test_uplink_disk_LDFLAGS = $(TEST_LD)
tests_unit_test_uplink_disk_LDADD = $(TEST_LINK)
tests_unit_test_uplink_disk_SOURCES = tests/unit/test-uplink-disk.c $(UPLINK_HELP)

unit_tests += tests/unit/test-endpoint-tcp
tests_unit_test_endpoint_tcp_CPPFLAGS = $(TEST_CPP)
tests_unit_test_endpoint_tcp_CFLAGS = $(TEST_CC)
tests_unit_test_endpoint_tcp_LDFLAGS = $(TEST_LD)
tests_unit_test_endpoint_tcp_LDADD = $(TEST_LINK)
tests_unit_test_endpoint_tcp_SOURCES = tests/unit/test-endpoint-tcp.c $(NODE_HELP)

if PLUGIN_TRANSPORT_WEBSOCKET
unit_tests += tests/unit/test-ws-client
tests_unit_test_ws_client_CPPFLAGS = $(TEST_CPP)
tests_unit_test_ws_client_CFLAGS = $(TEST_CC)
tests_unit_test_ws_client_LDFLAGS = $(TEST_LD)
tests_unit_test_ws_client_LDADD = $(TEST_LINK)
tests_unit_test_ws_client_SOURCES = tests/unit/test-ws-client.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h $(NODE_HELP)
endif

HTTP_HEAD = plugins/transport-websocket/http-form.c plugins/transport-websocket/http-form.h \
	plugins/transport-websocket/http-head.c plugins/transport-websocket/http-head.h \
	plugins/transport-websocket/http-other.c plugins/transport-websocket/http-other.h \
	plugins/transport-websocket/http-target.c plugins/transport-websocket/http-target.h

# Links what the plugin alone needs.
if PLUGIN_TRANSPORT_WEBSOCKET
unit_tests += tests/unit/test-http-head tests/unit/test-http-out
endif
tests_unit_test_http_head_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_unit_test_http_head_CFLAGS = $(TEST_CC)
tests_unit_test_http_head_LDFLAGS = $(TEST_LD)
tests_unit_test_http_head_LDADD = $(TEST_LINK) -lhttp_parser
tests_unit_test_http_head_SOURCES = tests/unit/test-http-head.c tests/unit/http-head-rows.h $(HTTP_HEAD)
tests_unit_test_http_out_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_unit_test_http_out_CFLAGS = $(TEST_CC)
tests_unit_test_http_out_LDFLAGS = $(TEST_LD)
tests_unit_test_http_out_LDADD = $(TEST_LINK) -lhttp_parser
tests_unit_test_http_out_SOURCES = tests/unit/test-http-out.c plugins/transport-websocket/http-out.c plugins/transport-websocket/http-out.h $(HTTP_HEAD)

# They need no SIP library.
SIP_PARTS = plugins/transport-sip/bindings.c plugins/transport-sip/bindings.h plugins/transport-sip/digest.c plugins/transport-sip/digest.h \
	plugins/transport-sip/route.c plugins/transport-sip/route.h
unit_tests += tests/unit/test-sip-parts tests/unit/test-sip-text
tests_unit_test_sip_parts_CPPFLAGS = $(TEST_CPP)
tests_unit_test_sip_parts_CFLAGS = $(TEST_CC)
tests_unit_test_sip_parts_LDFLAGS = $(TEST_LD)
tests_unit_test_sip_parts_LDADD = $(TEST_LINK)
tests_unit_test_sip_parts_SOURCES = tests/unit/test-sip-parts.c $(SIP_PARTS)
tests_unit_test_sip_text_CPPFLAGS = $(TEST_CPP)
tests_unit_test_sip_text_CFLAGS = $(TEST_CC)
tests_unit_test_sip_text_LDFLAGS = $(TEST_LD)
tests_unit_test_sip_text_LDADD = $(TEST_LINK)
tests_unit_test_sip_text_SOURCES = tests/unit/test-sip-text.c plugins/transport-sip/sip-text.c plugins/transport-sip/sip-text.h
