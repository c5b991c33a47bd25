# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/coverage counts the lines of a small program made for it, and says when there is nothing to count."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

COVERAGE = os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "build-aux", "coverage")
CODE = """int twice (int x);
int never (void);
int
twice (int x)
{
  return 2 * x;
}
int
never (void)
{
  return 1;
}
int
main (void)
{
  return twice (0);
}
"""


class Coverage(unittest.TestCase):
    def run_on(self, top):
        run = subprocess.run([sys.executable, COVERAGE, top, os.path.join(top, "build")], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.stderr, "")
        return run.returncode, run.stdout

    def test_nothing(self):
        with tempfile.TemporaryDirectory() as top:
            status, output = self.run_on(top)
            self.assertEqual((status, "nothing was counted" in output), (1, True))

    def test_lines(self):
        with tempfile.TemporaryDirectory() as top:
            for folder in ("core/low", "build/core/low"):
                os.makedirs(os.path.join(top, folder))
            long = CODE.replace("  return 1;\n", "  int x = 0;\n" + "  x++;\n" * 20 + "  return x;\n")
            for name, code in (("a", CODE), ("b", long)):
                with open(os.path.join(top, f"core/low/{name}.c"), "w", encoding="utf-8") as file:
                    file.write(code)
                subprocess.run(["gcc", "--coverage", "-O0", "-o", name, f"../../../core/low/{name}.c"], cwd=os.path.join(top, "build/core/low"), check=True)
                subprocess.run([f"./{name}"], cwd=os.path.join(top, "build/core/low"), check=True)
            status, output = self.run_on(top)
            self.assertEqual(status, 0)
            self.assertIn(" 66.7 %      4 of     6  core/low/a.c\n", output)
            self.assertIn("lines or more:\n 14.8 %      4 of    27  core/low/b.c\ncoverage: 24.2 % of 33 lines in 2 files\n", output)


tap.main()
