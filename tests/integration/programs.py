# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two programs start and say who they are; what was built needs one kind of cryptography."""
import glob
import os
import re
import subprocess
import tempfile
import unittest

import tap

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]


class Programs(unittest.TestCase):
    def version(self, name):
        run = subprocess.run([os.path.join(BUILD, name), "--version"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, rf"^{name} \d+\.\d+\.\d+\n$")

    def test_daemon(self):
        self.version("farwatchd")

    def test_command(self):
        self.version("farctl")


class Libraries(unittest.TestCase):
    """OpenSSL comes with other libraries, and in one of two libraries of the same name: all that the loader would bring is looked at."""

    def needed(self, path):
        env = {**os.environ, "LD_LIBRARY_PATH": os.path.join(BUILD, ".libs")}  # the programs look where libfarwatch will be installed
        run = subprocess.run(["ldd", path], capture_output=True, text=True, env=env, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertNotIn("not found", run.stdout, path)
        return re.findall(r"^\s*(\S+)", run.stdout, re.M)

    def test_nothing_needs_openssl(self):
        plugins = glob.glob(os.path.join(BUILD, "plugins", "*", ".libs", "*.so"))
        self.assertGreater(len(plugins), 0)
        for path in [os.path.join(BUILD, ".libs", name) for name in ("farwatchd", "farctl", "libfarwatch.so.0")] + plugins:
            # sofia-sip is linked with OpenSSL, and the plugin is not: its TLS is core's
            needed = self.direct(path) if os.path.basename(path) == "transport-sip.so" else self.needed(path)
            self.assertIn("libc.so.6", needed)
            self.assertEqual([name for name in needed if re.match(r"lib(ssl|crypto)\.so", name)], [], path)

    def direct(self, path):
        """What the file itself asks the loader for."""
        run = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True, timeout=60)
        return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run.stdout))

    def test_notes_say_what_is_needed(self):
        """A note's `libs=` is what a plugin needs beyond what the core has brought; a missing one could not be named from it else."""
        core = self.direct(os.path.join(BUILD, ".libs", "libfarwatch.so.0"))
        plugins = glob.glob(os.path.join(BUILD, "plugins", "**", ".libs", "*-*.so"), recursive=True)
        self.assertGreater(len(plugins), 5)
        for path in plugins:
            with open(path, "rb") as file:
                note = re.search(rb"abi=\d+\nname=[^\n\0]*\ntypes=[^\n\0]*\nlibs=([^\0]*)\0", file.read())
            with self.subTest(os.path.basename(path)):
                told, needed = set(note.group(1).decode().split()), self.direct(path)
                self.assertLessEqual(told, needed)
                self.assertEqual({name for name in needed - core - told if not re.match(r"lib(farwatch|c|m|gcc_s|asan|ubsan|gobject-2\.0|pthread|dl)\.so|ld-linux", name)}, set())


class Configure(unittest.TestCase):
    def test_the_folder_core_is_no_core_file(self):
        """autoconf's `rm -f core …` after each test says nothing in a build tree, and removes the rest."""
        with open(os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "configure.ac"), encoding="utf-8") as file:
            function = re.search(r"(?ms)^rm \(\)\n\{.*?^\}", file.read()).group()
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "core"))
            open(os.path.join(folder, "conftest.err"), "w", encoding="utf-8").close()
            done = subprocess.run(["sh", "-c", function + "\nrm -f core conftest.err && rm -f -r nothing"], cwd=folder, capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stderr, os.listdir(folder)), (0, "", ["core"]))


tap.main()
