# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/rooms finds what points upward in a small tree made for it, and nothing in a clean one; and the project's own tree is clean."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
ROOMS = os.path.join(SOURCE, "build-aux", "rooms")
HEAD = '#include "config.h"\n\n'
CLEAN = {
    "core/README.md": "## `low/`: below\n\n| file |\n|---|\n| `a` | one |\n| `b` | two |\n\n## `high/`: above\n\n| file |\n|---|\n| `c` | three |\n\n## Not a room\n\n| `x` | y |\n",
    "core/low/a.c": HEAD + '#include "low/b.h"\nint a (void);\nint\na (void)\n{\n  return 1;\n}\n',
    "core/low/b.h": "#pragma once\n",
    "core/high/c.c": HEAD + '#include "low/b.h"\nint a (void);\nint c (void);\nint\nc (void)\n{\n  return a ();\n}\n',
    "core/farwatch/public.h": "#pragma once\nint far_open (void);\n",
    "core/ctl-support/symbols": "# one\nfar_known # why\n",
    "core/ctl-support/s.c": HEAD + "int far_own (void);\nint\nfar_own (void)\n{\n  return 1;\n}\n",
    "core/ctl-support/shared.h": '#include "low/b.h"\n',
    "core/farctl/t.c": HEAD + '#include "t.h"\n#include "ctl-support/shared.h"\n#include <farwatch/public.h>\nint far_known (void), far_own (void), t (void);\n'
                       "int\nt (void)\n{\n  return far_known () + far_own () + far_open ();\n}\n",
    "core/farctl/t.h": "#pragma once\n",
}


class Rooms(unittest.TestCase):
    def run_on(self, changes, build=False):
        with tempfile.TemporaryDirectory() as top:
            for path, text in {**CLEAN, **changes}.items():
                if text is not None:
                    os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
                    with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                        file.write(text)
            if build:
                self.compile(top)
            run = subprocess.run([sys.executable, ROOMS, top, *([top] if build else [])], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def compile(self, top):
        open(os.path.join(top, "config.h"), "w", encoding="utf-8").close()
        for room, form in (("low", ".libs/x_la-{}.o"), ("high", ".libs/x_la-{}.o"), ("ctl-support", "x_la-{}.o"), ("farctl", "farctl-{}.o")):
            folder = os.path.join(top, "core", room)
            os.makedirs(os.path.join(folder, ".libs"))
            for name in [name for name in os.listdir(folder) if name.endswith(".c")]:
                subprocess.run(["gcc", "-fPIC", f"-I{top}", f"-I{top}/core", "-c", "-o", os.path.join(folder, form.format(name[:-2])), os.path.join(folder, name)], check=True)

    def finds(self, changes, *expected, build=False):
        status, output = self.run_on(changes, build)
        self.assertEqual(status, 1, output)
        for text in expected:
            self.assertIn(text, output)
        self.assertIn(f"rooms: {len(expected)} findings", output)

    def test_clean(self):
        self.assertEqual(self.run_on({}, build=True), (0, "rooms: 0 findings\n"))

    def test_includes(self):
        self.finds({"core/high/d.h": "#pragma once\n", "core/README.md": CLEAN["core/README.md"].replace("| `c` | three |", "| `c` | three |\n| `d` | four |"),
                    "core/low/a.c": HEAD + '#include "high/d.h"\n'}, "core/low/a.c:3: high/ is above low/")
        self.finds({"core/low/a.c": HEAD + '#include "b.h"\n'}, 'core/low/a.c:3: name the room of "b.h"')
        self.finds({"core/low/a.c": HEAD + '#include "other/e.h"\n'}, "core/low/a.c:3: other/ is above low/")

    def test_symbols(self):
        self.finds({"core/low/a.c": HEAD + "int a (void);\nint c (void);\nint\na (void)\n{\n  return c ();\n}\n"}, "core/low/a.c: calls c() of high/c.c", build=True)

    def test_the_command(self):
        self.finds({"core/farctl/t.c": HEAD + '#include "low/b.h"\n'}, "core/farctl/t.c:3: low/ is the daemon's")
        self.finds({"core/ctl-support/symbols": ""}, "core/farctl/t.c: calls far_known(), which is the daemon's", build=True)
        self.finds({"core/ctl-support/symbols": "far_known\nfar_gone\n"}, "core/ctl-support/symbols: names far_gone, which farctl does not call", build=True)

    def test_map(self):
        self.finds({"core/low/new.c": HEAD}, "core/low/new: stands in no row")
        self.finds({"core/low/a.c": None}, "names low/a, which is not there")
        self.finds({"core/README.md": CLEAN["core/README.md"].replace("| `a` | one |", "| `a` | one |\n| `a` | again |")}, "names low/a twice")
        self.finds({"core/attic/z.c": HEAD}, "core/attic: is no room")

    def test_this_tree(self):
        run = subprocess.run([sys.executable, ROOMS, SOURCE, BUILD], capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "rooms: 0 findings\n", ""))

    def test_a_build_is_looked_at(self):
        """The objects are where the check looks for them: a layout that changes does not make it blind."""
        found = subprocess.run(["find", os.path.join(BUILD, "core", "node"), "-name", "*.o"], capture_output=True, text=True, check=True).stdout
        self.assertIn("/core/node/.libs/libfarwatch_la-doctor.o", found)


tap.main()
