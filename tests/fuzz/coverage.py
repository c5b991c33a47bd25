# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seeds of each fuzz target alone, without mutations, reach at least 80 % of the lines of what it fuzzes.

A target names that in a comment: `parses: core/a.c core/b.c`; with `functions: a b` only these count, where a file does more than parse;
with `modules: libssh` it names the libraries these files need beyond core's, with `libraries: http_parser` those that pkg-config does not know, and
with `with: tests/fuzz/a.c` what else the target is made of.
The files are compiled once more with line counts and put in front of the library's."""
import glob
import gzip
import json
import os
import re
import subprocess
import tempfile
import unittest

import tap

SOURCE, BUILD = os.environ["FARWATCH_TEST_SRCDIR"], os.environ["FARWATCH_TEST_BUILDDIR"]
MODULES = ["glib-2.0", "gmodule-no-export-2.0", "gnutls", "yaml-0.1", "jansson", "libsodium"]
DEFINES = [f'-D{name}="/nowhere"' for name in ("FAR_STATE_DIR", "FAR_RUN_DIR", "FAR_PLUGIN_DIR", "FAR_PROFILE_DIR", "FAR_SYSCONF_DIR", "FAR_LOCALE_DIR")]
ENOUGH = 80


def named(text, word):
    match = re.search(rf"\b{word}:((?:[\s*]+[a-z][\w./+-]*(?![\w:./+-]))+)", text)
    return re.findall(r"[a-z][\w./+-]*", match.group(1)) if match else []


def compile_target(target, parses, more, modules, libraries, folder):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *MODULES, *modules], check=True, capture_output=True, text=True).stdout
    with open(os.path.join(BUILD, "config.h"), encoding="utf-8") as file:
        sanitizers = ["-fsanitize=address,undefined"] if "#define FAR_SANITIZED 1" in file.read() else []
    program = os.path.join(folder, os.path.basename(target)[:-2])
    sources = [target, "tests/fuzz/main.c", *parses, *more]
    run = subprocess.run(
        ["gcc", "-std=gnu11", *DEFINES, "-O0", "-g", "--coverage", *sanitizers, "-pthread", "-o", program,
         *[f"-I{os.path.join(SOURCE, where)}" for where in sorted({"core", "tests", *map(os.path.dirname, parses)})], f"-I{BUILD}", f"-I{BUILD}/core",
         *[os.path.join(SOURCE, path) for path in sources],
         f"-L{BUILD}/.libs", "-lfarwatch", f"-Wl,-rpath,{BUILD}/.libs", *flags.split(), *[f"-l{name}" for name in libraries]],
        cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return program


def lines_reached(folder, parses, functions):
    """(reached, all) over the lines of the files that hold code."""
    subprocess.run(["gcov", "-j", *glob.glob(os.path.join(folder, "*.gcda"))], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    counts = {}
    for path in glob.glob(os.path.join(folder, "*.gcov.json.gz")):
        with gzip.open(path) as file:
            for part in json.load(file)["files"]:
                if any(part["file"].endswith(name) for name in parses):
                    for line in part["lines"]:
                        if functions and line.get("function_name") not in functions:
                            continue
                        key = (part["file"], line["line_number"])
                        counts[key] = counts.get(key, 0) + line["count"]
    return sum(count > 0 for count in counts.values()), len(counts)


class Coverage(unittest.TestCase):
    def check(self, target):
        with open(os.path.join(SOURCE, target), encoding="utf-8") as file:
            text = file.read()
        parses = named(text, "parses")
        self.assertTrue(parses, f"{target} does not say what it parses: core/FILE.c")
        with tempfile.TemporaryDirectory() as folder:
            program = compile_target(target, parses, named(text, "with"), named(text, "modules"), named(text, "libraries"), folder)
            run = subprocess.run([program], env={**os.environ, "FARWATCH_FUZZ_RUNS": "0"}, capture_output=True, text=True, timeout=300)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            reached, every = lines_reached(folder, parses, named(text, "functions"))
        self.assertGreater(every, 0)
        print(f"# {target}: {reached} of {every} lines, {100 * reached / every:.0f} %")
        self.assertGreaterEqual(100 * reached / every, ENOUGH, f"{target}: its seeds leave too much of {parses} unread")


def case(target):
    return lambda self: self.check(target)


for path in sorted(glob.glob(os.path.join(SOURCE, "tests/fuzz/fuzz-*.c"))):
    name = os.path.relpath(path, SOURCE)
    setattr(Coverage, "test_" + os.path.basename(name)[5:-2].replace("-", "_"), case(name))

tap.main()
