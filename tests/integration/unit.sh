#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The systemd unit is well formed and stays as closed as it is: exposure at most 1.5 of 10 (ports below 1024 cost 0.2).
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd/system"
cp "$FARWATCH_TEST_BUILDDIR/etc/farwatchd@.service" "$root/usr/lib/systemd/system/"
systemd-analyze --version >/dev/null
result=$(systemd-analyze security --offline=true --root="$root" --threshold=15 farwatchd@test.service 2>&1) || status=$?
echo "$result"
# an unknown directive or value is reported there and ignored
if grep -q "farwatchd@.service:[0-9]*:" <<<"$result"; then exit 1; fi
# without the profile it fails and says so, and it asks for the file that it reads
profile=$(sed -n 's/^ExecStart=.* --profile //p' "$FARWATCH_TEST_BUILDDIR/etc/farwatchd@.service")
grep -qxF "AssertPathExists=$profile" "$FARWATCH_TEST_BUILDDIR/etc/farwatchd@.service"
exit "${status:-0}"
