# SPDX-License-Identifier: LGPL-2.1-or-later
"""The load generator and its device."""
import json
import os
import subprocess

from lab import Process

BUILD = os.environ.get("FARWATCH_TEST_BUILDDIR", "build")
LOAD = os.path.join(BUILD, "tests/bench/load")


class Device(Process):
    def __init__(self, folder):
        super().__init__([LOAD, "serve", "127.0.0.1", "0"], os.path.join(folder, "device.log"))
        self.expect_end = True
        self.port = int(self.wait_line(r"listening on (\d+)").group(1))


def load(mode, port, *words, timeout=60):
    """One run; None when it failed: a peer that breaks is a result too."""
    try:
        done = subprocess.run([LOAD, mode, "127.0.0.1", str(port), *map(str, words)], capture_output=True, text=True, timeout=timeout)
        return json.loads(done.stdout) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return None
