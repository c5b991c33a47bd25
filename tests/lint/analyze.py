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
ROW = "core/low/a.c analyzer-malloc-leak leak 1 # a reason\n"
TWICE = LEAK.replace("  return p[0];\n", "  p = malloc (9);\n  if (!p)\n    return 1;\n  p[0] = 'b';\n  return p[0];\n")
CLEANUP = """#include <stdlib.h>
struct t { int a, b; };
int cut (const struct t *t);
int get (char **);
static inline void done (void *p) { free (*(void **) p); }
int cut (const struct t *t)
{
  __attribute__ ((cleanup (done))) char *p = NULL;
  if (t->a == 0)
    return 1;
  if (!t->b)
    return 0;
  return get (&p);
}
"""


class Analyze(unittest.TestCase):
    def run_on(self, code, baseline=""):
        with tempfile.TemporaryDirectory() as top:
            for folder in ("core/low", "build-aux", "build"):
                os.makedirs(os.path.join(top, folder))
            for path, text in {"core/low/a.c": code, "build-aux/analyze.baseline": baseline, "build/Makefile": "DEFS = -DVALUE=1\n"}.items():
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            run = subprocess.run([sys.executable, ANALYZE, top, os.path.join(top, "build")], capture_output=True, text=True, timeout=60)
            return run.returncode, run.stdout, run.stderr

    def test_clean(self):
        self.assertEqual(self.run_on(CLEAN), (0, "analyze: 0 new, 0 gone, 0 known\n", ""))

    def test_new(self):
        status, output, _ = self.run_on(LEAK)
        self.assertEqual((status, "leak(): " in output, "analyze: 1 new, 0 gone, 0 known" in output), (1, True, True), output)

    def test_known(self):
        self.assertEqual(self.run_on(LEAK, "# why\n" + ROW), (0, "analyze: 0 new, 0 gone, 1 known\n", ""))

    def test_second_of_a_kind_in_a_function(self):
        status, output, _ = self.run_on(TWICE, ROW)
        self.assertEqual((status, output.count("leak(): ") > 1, "; 1 of " in output), (1, True, True), output)

    def test_another_kind_in_a_function(self):
        status, output, _ = self.run_on(LEAK, ROW.replace("malloc-leak", "double-free"))
        self.assertEqual((status, "analyze: 1 new, 1 gone, 0 known" in output), (1, True), output)

    def test_a_variable_that_is_cleaned_up(self):
        self.assertEqual(self.run_on(CLEANUP), (0, "analyze: 0 new, 0 gone, 0 known\n", ""))

    def test_without_a_reason(self):
        for row in (ROW.split("#", maxsplit=1)[0], ROW.replace("a reason", "")):
            status, output, _ = self.run_on(LEAK, row + "\n")
            self.assertEqual((status, "baseline:1: is not FILE WARNING" in output), (1, True), output)

    def test_gone(self):
        for code, row, words in ((CLEAN, ROW, "leak: 0 instead of 1"), (LEAK, ROW.replace("leak 1", "leak 2"), "leak: 1 instead of 2")):
            status, output, _ = self.run_on(code, row)
            self.assertEqual((status, words in output), (1, True), output)

    def test_what_does_not_compile(self):
        status, _, error = self.run_on("int x\n")
        self.assertEqual((status != 0, "does not compile" in error), (True, True), error)


tap.main()
