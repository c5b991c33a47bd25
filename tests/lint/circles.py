# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/circles finds files that call each other in a circle in a small build made for it, and passes what is allowed; and so does the project's own build."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
CIRCLES = os.path.join(SOURCE, "build-aux", "circles")


def calls(name, *others):
    """A file with the function NAME, which calls OTHERS."""
    heads = "".join(f"int {other} (void);\n" for other in (name, *others))
    return f"{heads}int\n{name} (void)\n{{\n  return {' + '.join(f'{other} ()' for other in others) or '0'};\n}}\n"


def ring(*names):
    return {name: calls(name, names[(at + 1) % len(names)]) for at, name in enumerate(names)}


class Circles(unittest.TestCase):
    def run_on(self, plugin, core=(), left_over=(), arguments=()):
        """PLUGIN, CORE: {file: text} of one plugin and one room. LEFT_OVER: objects of the plugin whose source is gone."""
        with tempfile.TemporaryDirectory() as top:
            for folder, files in (("plugins/endpoint-x", plugin), ("core/high", dict(core))):
                inside = os.path.join(top, folder, ".libs")
                os.makedirs(inside)
                for name, text in files.items():
                    path = os.path.join(top, folder, name + ".c")
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(text)
                    subprocess.run(["gcc", "-fPIC", "-c", "-o", os.path.join(inside, f"endpoint_x_la-{name}.o"), path], check=True)
                    if name in left_over:
                        os.unlink(path)
            run = subprocess.run([sys.executable, CIRCLES, *arguments, top, top], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def test_a_circle_that_is_too_large(self):
        status, output = self.run_on({**ring("a", "b", "c", "d", "e"), "top": calls("top", "a")})
        self.assertEqual(status, 1)
        self.assertIn("plugins/endpoint-x: 5 files call each other in a circle, 4 may: a b c d e;", output)
        self.assertIn("circles: 1 findings", output)

    def test_two_rings_that_meet_are_one_circle(self):
        files = {**ring("a", "b", "c"), **ring("d", "e", "f")}
        self.assertEqual(self.run_on(files)[0], 0)
        files["b"], files["e"] = calls("b", "c", "d"), calls("e", "f", "a")
        self.assertIn("6 files call each other in a circle, 4 may: a b c d e f;", self.run_on(files)[1])

    def test_what_is_allowed(self):
        status, output = self.run_on(ring("a", "b", "c", "d"))
        self.assertEqual(status, 0, output)
        self.assertEqual(output, "largest circles of plugins: endpoint-x 4\nlargest circles of core: none\ncircles: 0 findings\n")

    def test_calls_that_only_go_down(self):
        status, output = self.run_on({"a": calls("a", "b", "c", "d", "e"), **{name: calls(name, "z") for name in "bcde"}, "z": calls("z")})
        self.assertEqual((status, output), (0, "largest circles of plugins: none\nlargest circles of core: none\ncircles: 0 findings\n"))

    def test_a_table_of_functions_is_a_use(self):
        """Who names another file's function in a table reaches it as well."""
        files = {**ring("a", "b", "c", "d", "e"), "b": "int b (void);\nint c (void);\nint (*const table[]) (void) = { c };\nint\nb (void)\n{\n  return 0;\n}\n"}
        self.assertEqual(self.run_on(files)[0], 1)

    def test_what_is_left_over_from_a_build_before(self):
        self.assertEqual(self.run_on(ring("a", "b", "c", "d", "e"), left_over=("e",))[0], 0)

    def test_rooms_do_not_get_worse(self):
        status, output = self.run_on({}, ring("a", "b"))
        self.assertEqual(status, 1)
        self.assertIn("core/high: the largest circle has 2 files, 1 may be: a b", output)

    def test_list(self):
        output = self.run_on(ring("a", "b"), arguments=("--list",))[1]
        self.assertIn("plugins/endpoint-x: 2 files: a b\n  a → b: b\n  b → a: a\n", output)

    def test_this_tree(self):
        run = subprocess.run([sys.executable, CIRCLES, SOURCE, BUILD], capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        print("".join(f"# {line}\n" for line in run.stdout.splitlines()))

    def test_a_build_alone(self):
        """Whoever names a build means the tree of the program, for each of the lints that read one."""
        for lint in ("circles", "rooms", "state", "symbols"):
            runs = [subprocess.run([sys.executable, os.path.join(SOURCE, "build-aux", lint), *places], capture_output=True, text=True, timeout=120, cwd="/")
                    for places in ((SOURCE, BUILD), (BUILD,))]
            self.assertEqual([(run.returncode, run.stdout, run.stderr) for run in runs], [(0, runs[0].stdout, "")] * 2, lint)

    def test_a_build_is_looked_at(self):
        """The objects are where the check looks for them: a layout that changes does not make it blind."""
        for part, name in (("core/stream", "libfarwatch_la-pump.o"), ("plugins", "*_la-*.o")):
            found = subprocess.run(["find", os.path.join(BUILD, part), "-path", "*/.libs/" + name], capture_output=True, text=True, check=True).stdout
            self.assertTrue(found, part)


tap.main()
