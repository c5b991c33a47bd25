# SPDX-License-Identifier: LGPL-2.1-or-later
"""hold.py TREE: starts the product of TREE and its ways to one device, says where they are in one line of JSON, and holds them until its
standard input ends. The build is FARWATCH_TEST_BUILDDIR's. ../against measures two of them at the same time in turns."""
import contextlib
import json
import os
import sys
import tempfile

TREE = sys.argv[1]
sys.path[:0] = [os.path.join(TREE, folder) for folder in ("tests/bench", "tests/integration", "tests")]

from parts import product  # noqa: E402
from parts.load import Device  # noqa: E402

WAYS = {"port Y": product.Raw, "stream": product.Stream, "local stream": product.LocalStream, "in band": product.InBand}


def place(folder, name):
    path = os.path.join(folder, name)
    os.mkdir(path)
    return path


def main():
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="farwatch-hold-"))
        device = Device(folder)
        stack.callback(device.stop)
        names = [name.replace(" ", "-").lower() for name in WAYS]
        found = product.fleet(stack, {name: f"127.0.0.1:{device.port}" for name in names})
        who = product.person(found)
        ways = {"direct": {"port": device.port, "pids": []}}
        for (way, make), name in zip(WAYS.items(), names):
            chain = make(place(folder, name), way, found, who, name)
            stack.callback(chain.stop)
            chain.start(device.port)
            ways[way] = {"port": chain.port, "pids": chain.pids}
        print(json.dumps(ways), flush=True)
        sys.stdin.read()


main()
