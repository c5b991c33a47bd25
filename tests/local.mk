# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests: one program per file tests/unit/test-NAME.c, added to unit_tests by the fragment of its area. They want the library Check: without it
# all the rest is built and tested.
# They speak TAP (Check does so by itself: no code needed), so each case counts. tests/integration: see its local.mk.

TEST_CPP = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
TEST_CC = $(AM_CFLAGS) $(CORE_CFLAGS) $(CHECK_CFLAGS)
TEST_LD = $(AM_LDFLAGS) -no-install
TEST_LINK = libfarwatch.la $(CORE_LIBS) $(CHECK_LIBS)

unit_tests =
include tests/unit/local-core.mk
include tests/unit/local-message.mk
include tests/unit/local-plugins.mk
include tests/unit/local-session.mk
include tests/unit/local-store.mk
include tests/unit/local-stream.mk
include tests/unit/local-trust.mk
include tests/integration/local.mk
include tests/lint/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/sim/local.mk

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
else
TESTS += tests/no-check.sh
endif
TESTS += $(check_PROGRAMS)
EXTRA_DIST += tests/no-check.sh tests/tap.py

# An installation for the tests that want one, made before any of them runs: libtool takes the plugins out of the build tree while it installs them.
installed = tests/installed/done
check_DATA = $(installed)
$(installed): $(lib_LTLIBRARIES) $(plugin_LTLIBRARIES) $(sbin_PROGRAMS) $(bin_PROGRAMS) $(farwatch_include_HEADERS) core/farwatch.pc
	@rm -rf tests/installed && $(MKDIR_P) tests/installed
	$(AM_V_GEN)$(MAKE) $(AM_MAKEFLAGS) -s install DESTDIR='$(abs_builddir)/tests/installed' >tests/installed/log 2>&1 \
	  || { cat tests/installed/log; exit 1; }
	@echo done >$@

TEST_EXTENSIONS = .sh .py
TAP = env CK_TAP_LOG_FILE_NAME=- AM_TAP_AWK=$(AWK) $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP)
PY_LOG_DRIVER = $(TAP)
PY_LOG_COMPILER = $(PYTHON3)
SH_LOG_COMPILER = $(BASH_PATH)

# quarantine_size_mb: tests of memory limits must not measure the sanitizer's hoard of freed memory.
# intercept_tls_get_addr: its guess at thread-local memory of a library loaded late is wrong where that begins at byte 16 of a page, and the
# leak detector then falls over it ("Tracer caught signal 11"), in one run of some hundred.
asan_options = detect_leaks=1:quarantine_size_mb=16:intercept_tls_get_addr=0

AM_TESTS_ENVIRONMENT = \
	FARWATCH_PLUGIN_DIR='$(abs_top_builddir)/plugins'; \
	FARWATCH_TEST_SRCDIR='$(abs_top_srcdir)'; \
	FARWATCH_TEST_BUILDDIR='$(abs_top_builddir)'; \
	ASAN_OPTIONS=$(asan_options); \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1; \
	PYTHONPATH='$(abs_top_srcdir)/tests'; \
	PYTHONDONTWRITEBYTECODE=1; \
	G_SLICE=always-malloc; \
	export FARWATCH_PLUGIN_DIR FARWATCH_TEST_SRCDIR FARWATCH_TEST_BUILDDIR ASAN_OPTIONS UBSAN_OPTIONS \
	  PYTHONPATH PYTHONDONTWRITEBYTECODE G_SLICE;
