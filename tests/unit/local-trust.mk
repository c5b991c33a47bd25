# SPDX-License-Identifier: LGPL-2.1-or-later
## unit_tests += tests/unit/test-NAME
## tests_unit_test_NAME_CPPFLAGS = $(TEST_CPP)
## tests_unit_test_NAME_CFLAGS = $(TEST_CC)
## tests_unit_test_NAME_LDFLAGS = $(TEST_LD)
## tests_unit_test_NAME_LDADD = $(TEST_LINK)
## (the source tests/unit/test-NAME.c is found by its name)

unit_tests += tests/unit/test-trust
tests_unit_test_trust_SOURCES = tests/unit/test-trust.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_trust_CPPFLAGS = $(TEST_CPP)
tests_unit_test_trust_CFLAGS = $(TEST_CC)
tests_unit_test_trust_LDFLAGS = $(TEST_LD)
tests_unit_test_trust_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-clearance
tests_unit_test_clearance_CPPFLAGS = $(TEST_CPP)
tests_unit_test_clearance_CFLAGS = $(TEST_CC)
tests_unit_test_clearance_LDFLAGS = $(TEST_LD)
tests_unit_test_clearance_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tls
tests_unit_test_tls_SOURCES = tests/unit/test-tls.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_tls_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tls_CFLAGS = $(TEST_CC)
tests_unit_test_tls_LDFLAGS = $(TEST_LD)
tests_unit_test_tls_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tls-peer
tests_unit_test_tls_peer_SOURCES = tests/unit/test-tls-peer.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_tls_peer_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tls_peer_CFLAGS = $(TEST_CC)
tests_unit_test_tls_peer_LDFLAGS = $(TEST_LD)
tests_unit_test_tls_peer_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tls-clock
tests_unit_test_tls_clock_SOURCES = tests/unit/test-tls-clock.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_tls_clock_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tls_clock_CFLAGS = $(TEST_CC)
tests_unit_test_tls_clock_LDFLAGS = $(TEST_LD)
tests_unit_test_tls_clock_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-seal
tests_unit_test_seal_SOURCES = tests/unit/test-seal.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_seal_CPPFLAGS = $(TEST_CPP)
tests_unit_test_seal_CFLAGS = $(TEST_CC)
tests_unit_test_seal_LDFLAGS = $(TEST_LD)
tests_unit_test_seal_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-statement
tests_unit_test_statement_SOURCES = tests/unit/test-statement.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_statement_CPPFLAGS = $(TEST_CPP)
tests_unit_test_statement_CFLAGS = $(TEST_CC)
tests_unit_test_statement_LDFLAGS = $(TEST_LD)
tests_unit_test_statement_LDADD = $(TEST_LINK)

noinst_PROGRAMS += tests/integration/fleet-keys
tests_integration_fleet_keys_CPPFLAGS = $(TEST_CPP)
tests_integration_fleet_keys_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_integration_fleet_keys_LDFLAGS = $(TEST_LD)
tests_integration_fleet_keys_LDADD = libfarwatch.la $(CORE_LIBS)

unit_tests += tests/unit/test-ws-frame
tests_unit_test_ws_frame_SOURCES = tests/unit/test-ws-frame.c tests/unit/test-ws-frame-rows.h \
	plugins/transport-websocket/frame.c
tests_unit_test_ws_frame_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_unit_test_ws_frame_CFLAGS = $(TEST_CC)
tests_unit_test_ws_frame_LDFLAGS = $(TEST_LD)
tests_unit_test_ws_frame_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-ws-in
tests_unit_test_ws_in_SOURCES = tests/unit/test-ws-in.c \
	plugins/transport-websocket/in.c \
	plugins/transport-websocket/url.c
tests_unit_test_ws_in_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_unit_test_ws_in_CFLAGS = $(TEST_CC)
tests_unit_test_ws_in_LDFLAGS = $(TEST_LD)
tests_unit_test_ws_in_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-ws-stream
tests_unit_test_ws_stream_SOURCES = tests/unit/test-ws-stream.c \
	plugins/transport-websocket/frame.c \
	plugins/transport-websocket/in.c \
	plugins/transport-websocket/stream.c
tests_unit_test_ws_stream_CPPFLAGS = $(TEST_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_unit_test_ws_stream_CFLAGS = $(TEST_CC)
tests_unit_test_ws_stream_LDFLAGS = $(TEST_LD)
tests_unit_test_ws_stream_LDADD = $(TEST_LINK)

check_LTLIBRARIES += tests/fixtures/service-echo.la
tests_fixtures_service_echo_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_service_echo_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_service_echo_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_service_echo_la_SOURCES = tests/fixtures/service-echo.c

check_LTLIBRARIES += tests/fixtures/service-whole.la tests/fixtures/service-part.la
tests_fixtures_service_whole_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_service_whole_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_service_whole_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_service_whole_la_SOURCES = tests/fixtures/service-whole.c
tests_fixtures_service_part_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_service_part_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_service_part_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_service_part_la_SOURCES = tests/fixtures/service-part.c
