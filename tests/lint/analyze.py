# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/analyze finds what gcc's analyzer finds in a small tree made for it, is silent about what its baseline knows, and tells what is not found any more."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

ANALYZE = os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "build-aux", "analyze")
LEAK = "#include <stdlib.h>\nint leak (void);\nint\nleak (void)\n{\n  char *p = malloc (7);\n  if (!p)\n    return 0;\n  p[0] = 'a';\n  return p[0];\n}\n"
CLEAN = "int leak (void);\nint\nleak (void)\n{\n  return VALUE;\n}\n"
ROW = "core/low/a.c analyzer-malloc-leak leak\n"


class Analyze(unittest.TestCase):
    def run_on(self, code, baseline="", *options):
        with tempfile.TemporaryDirectory() as top:
            for folder in ("core/low", "build-aux", "build"):
                os.makedirs(os.path.join(top, folder))
            for path, text in {"core/low/a.c": code, "build-aux/analyze.baseline": baseline, "build/Makefile": "DEFS = -DVALUE=1\n"}.items():
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            run = subprocess.run([sys.executable, ANALYZE, *options, top, os.path.join(top, "build")], capture_output=True, text=True, timeout=60)
            with open(os.path.join(top, "build-aux/analyze.baseline"), encoding="utf-8") as file:
                return run.returncode, run.stdout, run.stderr, file.read()

    def test_clean(self):
        self.assertEqual(self.run_on(CLEAN)[:3], (0, "analyze: 0 new, 0 gone, 0 known\n", ""))

    def test_new(self):
        status, output, _, _ = self.run_on(LEAK)
        self.assertEqual((status, "leak(): " in output, "analyze: 1 new, 0 gone, 0 known" in output), (1, True, True), output)

    def test_known(self):
        self.assertEqual(self.run_on(LEAK, "# why\n" + ROW)[:3], (0, "analyze: 0 new, 0 gone, 1 known\n", ""))

    def test_gone(self):
        status, output, _, _ = self.run_on(CLEAN, ROW)
        self.assertEqual((status, "is not found any more" in output), (1, True), output)

    def test_write(self):
        status, _, _, baseline = self.run_on(LEAK, "", "--write")
        self.assertEqual((status, baseline.endswith("\n" + ROW)), (0, True), baseline)

    def test_what_does_not_compile(self):
        status, _, error, _ = self.run_on("int x\n")
        self.assertEqual((status != 0, "does not compile" in error), (True, True), error)


tap.main()
