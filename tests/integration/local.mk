# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that start real daemons. One per line, sorted; the list ends in a line of its own.
#   NAME.py  unittest cases, `import tap` and `tap.main ()` at the end (tests/tap.py): each case counts
#   NAME.sh  one case: exit status 0 passed, 77 skipped, else failed
# They find the programs in $FARWATCH_TEST_BUILDDIR and their data in $FARWATCH_TEST_SRCDIR.
# Several run at once: take free ports (bind 0) and a directory of your own.

integration_tests = \
	tests/integration/bench-tools.py \
	tests/integration/carrier.py \
	tests/integration/clocks.py \
	tests/integration/completion.py \
	tests/integration/daemon.py \
	tests/integration/doors.py \
	tests/integration/enrolment.py \
	tests/integration/entry.py \
	tests/integration/examples.py \
	tests/integration/farctl-fleet.py \
	tests/integration/farctl.py \
	tests/integration/faults-calls.py \
	tests/integration/faults-disk.py \
	tests/integration/faults.py \
	tests/integration/first-fleet.py \
	tests/integration/front-attacks.py \
	tests/integration/front-clients.py \
	tests/integration/front-proxies.py \
	tests/integration/front-scanners.py \
	tests/integration/front.py \
	tests/integration/hints.py \
	tests/integration/hostile.py \
	tests/integration/lab-selftest.py \
	tests/integration/lifetimes.py \
	tests/integration/links.py \
	tests/integration/man.py \
	tests/integration/many.py \
	tests/integration/mistakes.py \
	tests/integration/network.py \
	tests/integration/outside-plugin.sh \
	tests/integration/programs.py \
	tests/integration/refusals.py \
	tests/integration/reload.py \
	tests/integration/restore.py \
	tests/integration/revocation.py \
	tests/integration/sequence.py \
	tests/integration/sip-hostile.py \
	tests/integration/sip-proxy.py \
	tests/integration/sip-registrar.py \
	tests/integration/stock-terminal.py \
	tests/integration/stock.py \
	tests/integration/unit.sh \
	tests/integration/words.py

TESTS += $(integration_tests)
EXTRA_DIST += $(integration_tests) tests/integration/lab tests/integration/peers tests/fakes
