# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/header-comments finds functions of a public header that nobody has described, and threads that are no tag; the project's own headers are clean, and what
is tagged is asserted."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
LOOK = os.path.join(SOURCE, "build-aux", "header-comments")
HEAD = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n/* What it is for. {} */\n#pragma once\n\n"
DEFAULT = "Functions are [main] unless\n * their comment says otherwise."
# lowest room that may look at main: the assertions stand in loop/
BELOW = "core/base"


class HeaderComments(unittest.TestCase):
    def run_on(self, body, head=""):
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "core/farwatch"))
            with open(os.path.join(top, "core/farwatch/a.h"), "w", encoding="utf-8") as file:
                file.write(HEAD.format(head) + body)
            run = subprocess.run([sys.executable, LOOK, top], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def clean(self, body, head=""):
        self.assertEqual(self.run_on(body, head), (0, "header-comments: 0 findings\n"))

    def finds(self, body, expected, head=""):
        status, output = self.run_on(body, head)
        self.assertEqual((status, expected in output), (1, True), output)

    def test_clean(self):
        self.clean("/* Does it. [any thread] */\nint far_a (int x);\n")
        self.clean("/* Both. [loop] */\nint far_a (int x);\nint far_b (void);\n")
        self.clean("int far_a (int x,\n           int y); /* does it [main] */\n")
        self.clean("/* Does it, with a comment over\n * two lines. [any\n * thread] */\nint\nfar_a (int x /* takes */);\n")
        self.clean("/* ---- a heading ---- [blocking] */\n\n/* Does it. */\nint far_a (void);\n")
        self.clean("/* Does it. */\nint far_a (void);\n", DEFAULT)
        self.clean("typedef struct {\n  int (*far_a) (void); /* [main] */\n} A;\nstatic inline int\nfar_b (void)\n{\n  return 1;\n}\n#define far_c() \\\n  far_b ()\n")

    def test_no_comment(self):
        self.finds("int far_a (void);\n", "a.h:6: far_a() has no comment", DEFAULT)
        self.finds("/* Of the first alone. */\nint far_a (void);\n\nint far_b (void);\n", "a.h:9: far_b() has no comment", DEFAULT)

    def test_no_tag(self):
        self.finds("/* Does it. */\nint far_a (void);\n", "a.h:6: far_a() has no thread tag")
        self.finds("/* Does it. [main] */\nint far_a (void);\n\n/* Does it. */\nint far_b (void);\n", "a.h:9: far_b() has no thread tag")

    def test_a_tag_that_is_none(self):
        self.finds("/* Does it. [main thread] */\nint far_a (void);\n", "[main thread] is no thread tag", DEFAULT)

    def test_this_tree(self):
        run = subprocess.run([sys.executable, LOOK, SOURCE], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "header-comments: 0 findings\n", ""))

    def test_main_is_asserted(self):
        """The first statement of each function that is [main], but below the loops, where nobody knows main."""
        listed = subprocess.run([sys.executable, LOOK, "--list", SOURCE], capture_output=True, text=True, timeout=60, check=True).stdout
        wanted = set(re.findall(r": (far_\w+) \[main\]", listed))
        self.assertGreater(len(wanted), 150)
        missing = []
        for where, _, inside in os.walk(os.path.join(SOURCE, "core")):
            for name in [name for name in inside if name.endswith(".c") and not where.endswith(BELOW)]:
                with open(os.path.join(where, name), encoding="utf-8") as file:
                    defined = re.findall(r"^(far_\w+) \([^;{}]*\)\n\{\n\s*(\w*)", file.read(), re.M)
                missing += [f"{name}: {function}" for function, first in defined if function in wanted and first != "FAR_ON_MAIN"]
        self.assertEqual(missing, [])


tap.main()
