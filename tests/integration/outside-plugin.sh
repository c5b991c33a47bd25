#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The sensor of doc/writing-a-plugin.md, at most 90 lines, is built outside the tree by that page's own commands against the installed
# headers and runs in the installed daemon with that page's profile; its value is shown by that page's command. (The other kinds: examples.py.)
set -euo pipefail
page=$FARWATCH_TEST_SRCDIR/doc/writing-a-plugin.md
work=$(mktemp -d) pid=
end() {
  if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" || true; fi
  rm -rf "$work"
}
trap end EXIT
die() { echo "$*" >&2; [ ! -s log ] || cat log >&2; exit 1; }
block() { awk -v want="\`\`\`$1" '$0 == want { on = 1; next } /^```/ { on = 0 } on' "$page"; }

root=$FARWATCH_TEST_BUILDDIR/tests/installed
pc=$(find "$root" -name farwatch.pc)
prefix=${pc%/lib*/pkgconfig/farwatch.pc}
cd "$work"
sed "s#^prefix=.*#prefix=$prefix#" "$pc" >farwatch.pc # it was not installed where it will be
export PKG_CONFIG_PATH=$work LD_LIBRARY_PATH=${pc%/pkgconfig/farwatch.pc}
plugindir=$(pkg-config --variable=plugindir farwatch)
[ -z "$(find "$plugindir" -name '*.la')" ] || die "libtool's files were installed among the plugins"

block c >sensor-number.c
lines=$(wc -l <sensor-number.c)
if [ "$lines" -le 10 ] || [ "$lines" -gt 90 ]; then die "the sensor has $lines lines"; fi
mkdir plugins
# shellcheck disable=SC2016 # the page has it so
block sh | sed 's#"$(pkg-config --variable=plugindir farwatch)"#plugins#; s/^cc /cc -Wall -Wextra -Werror /' >commands
grep -q '^cc ' commands || die "the page has no command to build it"
bash -e commands
block yaml >profile.yaml
export FARWATCH_PLUGIN_DIR=$work/plugins:$plugindir
"$prefix/sbin/farwatchd" --profile profile.yaml --state "$work/state" >log 2>&1 &
pid=$!
for _ in $(seq 300); do
  grep -q '^.*ready$' log && break
  kill -0 "$pid" 2>/dev/null || die "the daemon ended"
  sleep 0.1
done
grep -q 'sensors.load: runs' log || die "the sensor does not run"
read -ra see <<<"$(block 'sh see' | grep '^farctl ')"
for _ in $(seq 100); do
  samples=$("$prefix/bin/farctl" --socket state/control.sock "${see[@]:1}" 2>&1) || true
  [[ $samples =~ [0-9]\.[0-9] ]] && break
  sleep 0.1
done
echo "$samples"
[[ $samples =~ [0-9]\.[0-9] ]] || die "no value of the sensor arrives"
kill "$pid"
status=0
wait "$pid" || status=$?
pid=
[ "$status" -eq 0 ] || die "the daemon ended with status $status"
