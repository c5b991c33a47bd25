# SPDX-License-Identifier: LGPL-2.1-or-later
# Built with everything else so that they cannot rot; run by ./bootstrap bench, not by check.

noinst_PROGRAMS += tests/bench/load
tests_bench_load_SOURCES = tests/bench/load.c tests/bench/load-net.c tests/bench/load.h
tests_bench_load_CPPFLAGS = $(AM_CPPFLAGS)
tests_bench_load_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_bench_load_LDFLAGS = $(AM_LDFLAGS)
tests_bench_load_LDADD = $(CORE_LIBS)

noinst_PROGRAMS += tests/bench/front-load
tests_bench_front_load_SOURCES = tests/bench/front-load.c tests/bench/front-load-slot.c tests/bench/front-load.h
tests_bench_front_load_CPPFLAGS = $(AM_CPPFLAGS)
tests_bench_front_load_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_bench_front_load_LDFLAGS = $(AM_LDFLAGS)
tests_bench_front_load_LDADD = $(CORE_LIBS)

noinst_PROGRAMS += tests/bench/terminals
tests_bench_terminals_SOURCES = tests/bench/terminals.c tests/bench/terminals-link.c tests/bench/terminals.h
tests_bench_terminals_CPPFLAGS = $(AM_CPPFLAGS)
tests_bench_terminals_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_bench_terminals_LDFLAGS = $(AM_LDFLAGS)
tests_bench_terminals_LDADD = libfarwatch.la $(CORE_LIBS)

noinst_PROGRAMS += tests/bench/tap
tests_bench_tap_SOURCES = tests/bench/tap.c
tests_bench_tap_CPPFLAGS = $(AM_CPPFLAGS)
tests_bench_tap_CFLAGS = $(AM_CFLAGS) $(CORE_CFLAGS)
tests_bench_tap_LDFLAGS = $(AM_LDFLAGS)
tests_bench_tap_LDADD = libfarwatch.la $(CORE_LIBS)

# one by one: make dist would also take what a build leaves in the folder of that name
EXTRA_DIST += \
	tests/bench/against \
	tests/bench/before-after.json \
	tests/bench/parts \
	tests/bench/report \
	tests/bench/results.json \
	tests/bench/run \
	tests/bench/soak
