# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two programs start and say who they are; what was built needs one kind of cryptography."""
import glob
import os
import re
import subprocess
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
            needed = self.needed(path)
            self.assertIn("libc.so.6", needed)
            self.assertEqual([name for name in needed if re.match(r"lib(ssl|crypto)\.so", name)], [], path)


tap.main()
