# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/symbols finds what a plugin takes that no public header declares, and what is declared and not there; the project's own build has neither."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
SYMBOLS = os.path.join(SOURCE, "build-aux", "symbols")
HEADER = "/* far_in_words (is not meant) */\n#define FAR_TWO(x) \\\n  far_macro (x)\nint far_open (void);\nextern const int far_table[];\n"
LIBRARY = "const int far_table[] = { 1 };\nint\nfar_open (void)\n{\n  return 1;\n}\nint\nfar_inner (void)\n{\n  return 2;\n}\nint\nfar_tested (void)\n{\n  return 3;\n}\n"
PLUGIN = "int far_open (void);\nextern const int far_table[];\nint\nplug (void)\n{\n  return far_open () + far_table[0];\n}\n"
PROGRAM = "int far_inner (void);\nint\nmain (void)\n{\n  return far_inner ();\n}\n"


class Symbols(unittest.TestCase):
    def run_on(self, *options, header=HEADER, plugin=PLUGIN, versions=None):
        with tempfile.TemporaryDirectory() as top:
            for path, text in {"core/farwatch/public.h": header, "library.c": LIBRARY, "plugins/x/x.c": plugin, "core/farwatchd.c": PROGRAM}.items():
                os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            os.mkdir(os.path.join(top, ".libs"))
            if versions is not None:
                with open(os.path.join(top, "map"), "w", encoding="utf-8") as file:
                    file.write(versions)
            for made, source, *how in ((".libs/libfarwatch.so", "library.c", "-shared", *([f"-Wl,--version-script={top}/map"] if versions is not None else [])), ("plugins/x/x.so", "plugins/x/x.c", "-shared"),
                                       ("core/farwatchd.o", "core/farwatchd.c", "-c")):
                subprocess.run(["gcc", "-fPIC", *how, "-o", os.path.join(top, made), os.path.join(top, source)], check=True)
            run = subprocess.run([sys.executable, SYMBOLS, *options, top, top], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def test_clean(self):
        self.assertEqual(self.run_on(), (0, "symbols: 0 findings; 4 shown: 2 public, 1 for farctl and farwatchd, 1 for nobody but tests\n"))

    def test_list(self):
        self.assertIn("a program: far_inner\ntests: far_tested\n", self.run_on("--list")[1])

    def test_a_plugin_that_takes_what_is_inside(self):
        status, said = self.run_on(plugin=PLUGIN.replace("far_open", "far_inner"))
        self.assertEqual(status, 1)
        self.assertIn("plugins/x/x.so: uses far_inner(), which no header in core/farwatch/ declares", said)

    def test_what_is_declared_and_not_there(self):
        status, said = self.run_on(header=HEADER + "int far_none (void);\n")
        self.assertEqual(status, 1)
        self.assertIn("core/farwatch: declares far_none(), which the library has not", said)

    def made_map(self, header):
        with tempfile.NamedTemporaryFile("w", suffix=".h") as file:
            file.write(header)
            file.flush()
            return subprocess.run(["sh", os.path.join(SOURCE, "build-aux", "symbol-map"), file.name], capture_output=True, text=True, check=True).stdout

    def test_the_map_says_what_the_headers_declare(self):
        made = self.made_map(HEADER + "static inline int\nfar_inline (int x)\n{\n  return far_used (x);\n}\nvoid far_after (void); /* far_told (x) */\n")
        self.assertEqual(made.split("global:")[1].split("local:")[0].split(), ["far_after;", "far_open;", "far_table;"])
        self.assertIn("FARWATCH_PRIVATE {\n  global:\n    far_*;", made)

    def test_versions(self):
        self.assertEqual(self.run_on(versions=self.made_map(HEADER))[0], 0)

    def test_a_version_that_the_headers_do_not_give(self):
        status, said = self.run_on(versions=self.made_map(HEADER + "int far_inner (void);\n"))
        self.assertEqual(status, 1)
        self.assertIn("far_inner: has the version FARWATCH_0; build-aux/symbol-map gives", said)
        status, said = self.run_on(versions="FARWATCH_PRIVATE {\n  global: far_*;\n};\n")
        self.assertIn("far_open: has the version FARWATCH_PRIVATE;", said)

    def test_this_build(self):
        run = subprocess.run([sys.executable, SYMBOLS, SOURCE, BUILD], capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        self.assertRegex(run.stdout, r"^symbols: 0 findings; \d{3,} shown: \d{3,} public, ")


tap.main()
