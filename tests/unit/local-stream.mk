# SPDX-License-Identifier: LGPL-2.1-or-later
EXTRA_DIST += tests/unit/carrier-conform.h tests/unit/datagram-conform.h tests/unit/datagram-pair.h tests/unit/dial-help.h tests/unit/gate-help.h tests/unit/memory-pair.h tests/unit/spool-conform.h tests/unit/spool-help.h tests/unit/ssh-both-ends.h tests/unit/ssh-help.h tests/unit/ssh-person.h tests/unit/stream-help.h tests/unit/stream-pair.h tests/unit/tap-conform.h tests/unit/tap-help.h

unit_tests += tests/unit/test-loop
tests_unit_test_loop_CPPFLAGS = $(TEST_CPP)
tests_unit_test_loop_CFLAGS = $(TEST_CC)
tests_unit_test_loop_LDFLAGS = $(TEST_LD)
tests_unit_test_loop_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-stream
tests_unit_test_stream_SOURCES = tests/unit/test-stream.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_stream_CPPFLAGS = $(TEST_CPP)
tests_unit_test_stream_CFLAGS = $(TEST_CC)
tests_unit_test_stream_LDFLAGS = $(TEST_LD)
tests_unit_test_stream_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-datagram
tests_unit_test_datagram_SOURCES = tests/unit/test-datagram.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_datagram_CPPFLAGS = $(TEST_CPP)
tests_unit_test_datagram_CFLAGS = $(TEST_CC)
tests_unit_test_datagram_LDFLAGS = $(TEST_LD)
tests_unit_test_datagram_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tap
tests_unit_test_tap_SOURCES = tests/unit/test-tap.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_tap_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tap_CFLAGS = $(TEST_CC)
tests_unit_test_tap_LDFLAGS = $(TEST_LD)
tests_unit_test_tap_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-spool
tests_unit_test_spool_SOURCES = tests/unit/test-spool.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_spool_CPPFLAGS = $(TEST_CPP)
tests_unit_test_spool_CFLAGS = $(TEST_CC)
tests_unit_test_spool_LDFLAGS = $(TEST_LD)
tests_unit_test_spool_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-acceptor
tests_unit_test_acceptor_CPPFLAGS = $(TEST_CPP)
tests_unit_test_acceptor_CFLAGS = $(TEST_CC)
tests_unit_test_acceptor_LDFLAGS = $(TEST_LD)
tests_unit_test_acceptor_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-dial
tests_unit_test_dial_CPPFLAGS = $(TEST_CPP)
tests_unit_test_dial_CFLAGS = $(TEST_CC)
tests_unit_test_dial_LDFLAGS = $(TEST_LD)
tests_unit_test_dial_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-linger
tests_unit_test_linger_CPPFLAGS = $(TEST_CPP)
tests_unit_test_linger_CFLAGS = $(TEST_CC)
tests_unit_test_linger_LDFLAGS = $(TEST_LD)
tests_unit_test_linger_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-gate
tests_unit_test_gate_CPPFLAGS = $(TEST_CPP)
tests_unit_test_gate_CFLAGS = $(TEST_CC)
tests_unit_test_gate_LDFLAGS = $(TEST_LD)
tests_unit_test_gate_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-gate-flood
tests_unit_test_gate_flood_CPPFLAGS = $(TEST_CPP)
tests_unit_test_gate_flood_CFLAGS = $(TEST_CC)
tests_unit_test_gate_flood_LDFLAGS = $(TEST_LD)
tests_unit_test_gate_flood_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-pump
tests_unit_test_pump_SOURCES = tests/unit/test-pump.c tests/unit/trust-fixture.c tests/unit/trust-fixture.h
tests_unit_test_pump_CPPFLAGS = $(TEST_CPP)
tests_unit_test_pump_CFLAGS = $(TEST_CC)
tests_unit_test_pump_LDFLAGS = $(TEST_LD)
tests_unit_test_pump_LDADD = $(TEST_LINK)

if PLUGIN_TRANSPORT_SSH
check_LTLIBRARIES += tests/fixtures/authenticator-wax.la
tests_fixtures_authenticator_wax_la_CPPFLAGS = $(TEST_CPP)
tests_fixtures_authenticator_wax_la_CFLAGS = $(PLUGIN_CC)
tests_fixtures_authenticator_wax_la_LDFLAGS = $(FIXTURE_LD)
tests_fixtures_authenticator_wax_la_LIBADD = $(PLUGIN_LINK)
tests_fixtures_authenticator_wax_la_SOURCES = tests/fixtures/authenticator-wax.c

unit_tests += tests/unit/test-ports
tests_unit_test_ports_CPPFLAGS = $(TEST_CPP)
tests_unit_test_ports_CFLAGS = $(TEST_CC)
tests_unit_test_ports_LDFLAGS = $(TEST_LD)
tests_unit_test_ports_LDADD = $(TEST_LINK)
unit_tests += tests/unit/test-carrier
tests_unit_test_carrier_CPPFLAGS = $(TEST_CPP)
tests_unit_test_carrier_CFLAGS = $(TEST_CC)
tests_unit_test_carrier_LDFLAGS = $(TEST_LD)
tests_unit_test_carrier_LDADD = $(TEST_LINK)
unit_tests += tests/unit/test-direct-words
tests_unit_test_direct_words_CPPFLAGS = $(TEST_CPP)
tests_unit_test_direct_words_CFLAGS = $(TEST_CC)
tests_unit_test_direct_words_LDFLAGS = $(TEST_LD)
tests_unit_test_direct_words_LDADD = $(TEST_LINK)
tests_unit_test_direct_words_SOURCES = tests/unit/test-direct-words.c plugins/transport-tls/words.c plugins/transport-tls/direct.h
unit_tests += tests/unit/test-tunnel
tests_unit_test_tunnel_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tunnel_CFLAGS = $(TEST_CC)
tests_unit_test_tunnel_LDFLAGS = $(TEST_LD)
tests_unit_test_tunnel_LDADD = $(TEST_LINK)
unit_tests += tests/unit/test-tunnel-dial
tests_unit_test_tunnel_dial_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tunnel_dial_CFLAGS = $(TEST_CC)
tests_unit_test_tunnel_dial_LDFLAGS = $(TEST_LD)
tests_unit_test_tunnel_dial_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-tunnel-ends
tests_unit_test_tunnel_ends_CPPFLAGS = $(TEST_CPP)
tests_unit_test_tunnel_ends_CFLAGS = $(TEST_CC)
tests_unit_test_tunnel_ends_LDFLAGS = $(TEST_LD)
tests_unit_test_tunnel_ends_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-visit
tests_unit_test_visit_CPPFLAGS = $(TEST_CPP)
tests_unit_test_visit_CFLAGS = $(TEST_CC)
tests_unit_test_visit_LDFLAGS = $(TEST_LD)
tests_unit_test_visit_LDADD = $(TEST_LINK)

unit_tests += tests/unit/test-stock
tests_unit_test_stock_CPPFLAGS = $(TEST_CPP)
tests_unit_test_stock_CFLAGS = $(TEST_CC)
tests_unit_test_stock_LDFLAGS = $(TEST_LD)
tests_unit_test_stock_LDADD = $(TEST_LINK)
endif
