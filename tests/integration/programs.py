# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two programs start and say who they are."""
import os
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


tap.main()
