# SPDX-License-Identifier: LGPL-2.1-or-later
# One target per parser: tests/fuzz/fuzz-NAME.c with its seeds in tests/fuzz/corpus/NAME/ (see fuzz.h).
# Programs one per line, sorted; below, one block for each:
##tests_fuzz_fuzz_NAME_SOURCES = tests/fuzz/fuzz-NAME.c $(fuzz_main)
##tests_fuzz_fuzz_NAME_CPPFLAGS = $(FUZZ_CPP)
##tests_fuzz_fuzz_NAME_CFLAGS = $(TEST_CC)
##tests_fuzz_fuzz_NAME_LDFLAGS = $(FUZZ_LD)
##tests_fuzz_fuzz_NAME_LDADD = $(TEST_LINK)
fuzz_programs = \
	tests/fuzz/fuzz-backup \
	tests/fuzz/fuzz-batch \
	tests/fuzz/fuzz-control \
	tests/fuzz/fuzz-message \
	tests/fuzz/fuzz-note \
	tests/fuzz/fuzz-perfdata \
	tests/fuzz/fuzz-profile \
	tests/fuzz/fuzz-sealed-box \
	tests/fuzz/fuzz-sip-text \
	tests/fuzz/fuzz-tls \
	tests/fuzz/fuzz-ws-frame \
	tests/fuzz/fuzz-ws-payload

# Links what the plugin alone needs.
if PLUGIN_TRANSPORT_WEBSOCKET
fuzz_programs += tests/fuzz/fuzz-front tests/fuzz/fuzz-http-head
endif

fuzz_main = tests/fuzz/main.c tests/fuzz/fuzz.h
fuzz_memory = tests/fuzz/memory-stream.c tests/fuzz/memory-stream.h
FUZZ_LD = $(TEST_LD) $(FUZZ_LDFLAGS)
EXTRA_DIST += $(fuzz_main) $(fuzz_memory) tests/fuzz/coverage.py
TESTS += tests/fuzz/coverage.py

# libFuzzer's programs run until they are stopped: not among the tests
if FUZZERS
FUZZ_CPP = $(TEST_CPP) -DFAR_LIBFUZZER
noinst_PROGRAMS += $(fuzz_programs)
else
FUZZ_CPP = $(TEST_CPP)
check_PROGRAMS += $(fuzz_programs)
endif

tests_fuzz_fuzz_backup_SOURCES = tests/fuzz/fuzz-backup.c $(fuzz_main)
tests_fuzz_fuzz_backup_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_backup_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_backup_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_backup_LDADD = libctl-support.la $(TEST_LINK) -lsodium

tests_fuzz_fuzz_batch_SOURCES = tests/fuzz/fuzz-batch.c $(fuzz_main)
tests_fuzz_fuzz_batch_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_batch_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_batch_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_batch_LDADD = $(TEST_LINK)

# the plugin's server half; its own door stands in place of core's
tests_fuzz_fuzz_front_SOURCES = tests/fuzz/fuzz-front.c tests/fuzz/front-owner.c tests/fuzz/front-owner.h \
	plugins/transport-websocket/conn.c plugins/transport-websocket/frame.c plugins/transport-websocket/http.c plugins/transport-websocket/http-out.c \
	plugins/transport-websocket/hub.c plugins/transport-websocket/in.c plugins/transport-websocket/link.c plugins/transport-websocket/listener.c \
	plugins/transport-websocket/stream.c $(HTTP_HEAD) $(fuzz_memory) $(fuzz_main)
tests_fuzz_fuzz_front_CPPFLAGS = $(FUZZ_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_fuzz_fuzz_front_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_front_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_front_LDADD = $(TEST_LINK) -lhttp_parser

tests_fuzz_fuzz_http_head_SOURCES = tests/fuzz/fuzz-http-head.c $(HTTP_HEAD) $(fuzz_main)
tests_fuzz_fuzz_http_head_CPPFLAGS = $(FUZZ_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_fuzz_fuzz_http_head_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_http_head_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_http_head_LDADD = $(TEST_LINK) -lhttp_parser

tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz-message.c $(fuzz_main)
tests_fuzz_fuzz_message_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_message_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_message_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_message_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_note_SOURCES = tests/fuzz/fuzz-note.c $(fuzz_main)
tests_fuzz_fuzz_note_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_note_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_note_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_note_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_perfdata_SOURCES = tests/fuzz/fuzz-perfdata.c plugins/sensor-exec/perfdata.c plugins/sensor-exec/perfdata.h $(fuzz_main)
tests_fuzz_fuzz_perfdata_CPPFLAGS = $(FUZZ_CPP) -I$(top_srcdir)/plugins/sensor-exec
tests_fuzz_fuzz_perfdata_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_perfdata_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_perfdata_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz-profile.c $(fuzz_main)
tests_fuzz_fuzz_profile_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_profile_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_profile_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_profile_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_sealed_box_SOURCES = tests/fuzz/fuzz-sealed-box.c $(fuzz_main)
tests_fuzz_fuzz_sealed_box_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_sealed_box_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_sealed_box_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_sealed_box_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_sip_text_SOURCES = tests/fuzz/fuzz-sip-text.c plugins/transport-sip/sip-text.c plugins/transport-sip/sip-text.h $(fuzz_main)
tests_fuzz_fuzz_sip_text_CPPFLAGS = $(FUZZ_CPP) -I$(top_srcdir)/plugins/transport-sip
tests_fuzz_fuzz_sip_text_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_sip_text_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_sip_text_LDADD = $(TEST_LINK) -lsodium

# a run has a TLS handshake or two
tests_fuzz_fuzz_tls_SOURCES = tests/fuzz/fuzz-tls.c tests/fuzz/tls-peer.c tests/fuzz/tls-peer.h $(fuzz_memory) $(fuzz_main)
tests_fuzz_fuzz_tls_CPPFLAGS = $(FUZZ_CPP) -DRUNS_PER_SEED=20
tests_fuzz_fuzz_tls_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_tls_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_tls_LDADD = $(TEST_LINK)

# with libwslay it compares with it
if HAVE_WSLAY
fuzz_wslay_cpp = -DFAR_WSLAY
fuzz_wslay_libs = -lwslay
endif
tests_fuzz_fuzz_ws_frame_SOURCES = tests/fuzz/fuzz-ws-frame.c plugins/transport-websocket/frame.c $(fuzz_main)
tests_fuzz_fuzz_ws_frame_CPPFLAGS = $(FUZZ_CPP) $(fuzz_wslay_cpp)
tests_fuzz_fuzz_ws_frame_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_ws_frame_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_ws_frame_LDADD = $(TEST_LINK) $(fuzz_wslay_libs)

tests_fuzz_fuzz_ws_payload_SOURCES = tests/fuzz/fuzz-ws-payload.c plugins/transport-websocket/in.c $(fuzz_main)
tests_fuzz_fuzz_ws_payload_CPPFLAGS = $(FUZZ_CPP) -I$(top_srcdir)/plugins/transport-websocket
tests_fuzz_fuzz_ws_payload_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_ws_payload_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_ws_payload_LDADD = $(TEST_LINK)

tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz-control.c $(fuzz_main)
tests_fuzz_fuzz_control_CPPFLAGS = $(FUZZ_CPP)
tests_fuzz_fuzz_control_CFLAGS = $(TEST_CC)
tests_fuzz_fuzz_control_LDFLAGS = $(FUZZ_LD)
tests_fuzz_fuzz_control_LDADD = $(TEST_LINK)
