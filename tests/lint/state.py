# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/state finds a writable object that no node owns and nobody gave a reason for, in a small build made for it; and the project's own has none."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
STATE = os.path.join(SOURCE, "build-aux", "state")
PAGE = "# A node\n\n| file | objects | why |\n|---|---|---|\n| `core/low/a.c` | `pool`, `once` | the workers are the process's |\n"
CLEAN = "static int *pool;\nstatic const char *const names[] = { \"a\" };\nint *a (void);\nint *\na (void)\n{\n  static int once;\n" \
        "  return names[0] ? pool : &once;\n}\n"
MORE = {
    "a list": ("static int *others;\nint **b (void);\nint **\nb (void)\n{\n  return &others;\n}\n", "others"),
    "with a value": ("static int n = 7;\nint *b (void);\nint *\nb (void)\n{\n  return &n;\n}\n", "n"),
    "in a function": ("int *b (void);\nint *\nb (void)\n{\n  static int count;\n  return &count;\n}\n", "count"),
    "seen by all": ("int everywhere;\n", "everywhere"),
    "of a thread": ("static __thread int mine;\nint *b (void);\nint *\nb (void)\n{\n  return &mine;\n}\n", "mine"),
}


class State(unittest.TestCase):
    def run_on(self, page=PAGE, code="", built=True):
        with tempfile.TemporaryDirectory() as top:
            for folder in ("doc", "core/low/.libs", "core/farctl"):
                os.makedirs(os.path.join(top, folder))
            for path, text in {"doc/node.md": page, "core/low/a.c": CLEAN + code, "core/farctl/tool.c": "int tool;\n"}.items():
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            for made, source in (("core/low/.libs/x_la-a.o", "core/low/a.c"), ("core/farctl/farctl-tool.o", "core/farctl/tool.c")):
                if built:
                    subprocess.run(["gcc", "-fPIC", "-c", "-o", os.path.join(top, made), os.path.join(top, source)], check=True)
            run = subprocess.run([sys.executable, STATE, top, top], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def test_clean(self):
        self.assertEqual(self.run_on(), (0, "state: 0 findings\n"))

    def test_more(self):
        for what, (code, name) in MORE.items():
            with self.subTest(what):
                status, said = self.run_on(code=code)
                self.assertEqual(status, 1, said)
                self.assertIn(f"core/low/a.c: '{name}' is writable and belongs to no node", said)
                self.assertIn("state: 1 findings", said)

    def test_a_row_without_its_object(self):
        self.assertIn("doc/node.md: core/low/a.c has no writable 'gone'", self.run_on(page=PAGE.replace("`once`", "`once`, `gone`"))[1])

    def test_a_row_without_a_reason(self):
        self.assertIn("'pool' is writable", self.run_on(page=PAGE.replace("the workers are the process's", ""))[1])

    def test_no_build(self):
        self.assertIn("build first", self.run_on(built=False)[1])

    def test_this_tree(self):
        run = subprocess.run([sys.executable, STATE, SOURCE, BUILD], capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "state: 0 findings\n", ""))


tap.main()
