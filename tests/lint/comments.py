# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/comments finds comments that are no whole sentences, and nothing else; it mends what a program can; the project's own files are clean."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
LOOK = os.path.join(SOURCE, "build-aux", "comments")


class Comments(unittest.TestCase):
    def run_on(self, code, *options):
        """Exit status, output, and the file afterwards."""
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "core/low"))
            path = os.path.join(top, "core/low/a.c")
            with open(path, "w", encoding="utf-8") as file:
                file.write(code)
            run = subprocess.run([sys.executable, LOOK, *options, top], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            with open(path, encoding="utf-8") as file:
                return run.returncode, run.stdout, file.read()

    def finds(self, comment, *expected):
        status, output, _ = self.run_on(f"int x;\n  {comment}\n")
        for words in expected:
            self.assertIn(f"core/low/a.c:2: the comment {words}: ", output)
        self.assertEqual((status, output.splitlines()[-1]), (1, f"comments: {len(expected)} findings"))

    def test_clean(self):
        for comment in ("/* It holds what is needed. */", "/* All of it\n * on two lines. */", "/* Why so long? (It has to be.) */", "/* of three words */", "/* `made`, if it is there at all. */",
                        "/* size: in bytes, of all parts. */", "/* id → row: all that there are. */", "/* apply() runs at the writer. */", "/* libssh reads by itself. */",
                        "/* ---- a heading of its own ---- */", "/* lint: allow silent, there is nobody */", "/* Where the timers are set. [loop] */"):
            self.assertEqual(self.run_on(comment + "\nint x;\n")[:2], (0, "comments: 0 findings\n"), comment)

    def test_notes_and_texts(self):
        self.assertEqual(self.run_on('int x; /* which is what it is */\nconst char *t = "/* not a comment at all */";\n')[0], 0)

    def test_lower_case(self):
        for comment in ("/* it holds what is needed. */", "/* slow, but the answer arrives. */", "/* people's listener takes anybody. */"):
            self.finds(comment, "begins in lower case")

    def test_no_end(self):
        self.finds("/* It holds what is needed */", "ends without a full stop")

    def test_both(self):
        self.finds("/* it holds what\n   * is needed */", "begins in lower case", "ends without a full stop")

    def test_mended(self):
        self.assertEqual(self.run_on("/* it holds what\n * is needed */\nint x;\n", "--write")[2], "/* It holds what\n * is needed. */\nint x;\n")

    def test_this_tree(self):
        run = subprocess.run([sys.executable, LOOK, SOURCE], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "comments: 0 findings\n", ""))


tap.main()
