# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab: real daemons, real devices, real networks for the integration tests. Python's standard library only.

    import lab, tap

    class Reach(unittest.TestCase):
        def test_it(self):
            with lab.Fleet() as fleet:                    # cloud + one terminal "t1", enrolled and connected
                http = fleet.device("boiler", lab.Http(b"42"))
                fleet.start()
                print(fleet.farctl("terminals", json=True))
    tap.main()

What a test reads comes from outside: farctl --json, /proc/net, the bytes at the device. Nothing sleeps for a fixed time:
every wait is for an event and has an end. Leaving the `with` ends the processes the fleet started, then fails the test if a daemon died,
a sanitizer complained, or one of the secrets (lab.secrets) shows in a log, in farctl's output or in a capture.
"""
import os
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from fakes.impair import Impair
from lab import secrets
from lab.capture import Capture
from lab.control import Control
from lab.device import Echo, Http, Sink, Source
from lab.disk import Disk
from lab.fleet import Fleet
from lab.nat import Nat, inside
from lab.node import Node
from lab.person import Person, Refused, Stranger
from lab.process import FarctlError, Process
from lab.wait import dial, free_port, listening, read_exactly, wait_until

__all__ = ["Capture", "Control", "Disk", "Echo", "FarctlError", "Fleet", "Http", "Impair", "Nat", "Node", "Person", "Process", "Refused", "Sink",
           "Source", "Stranger", "dial", "free_port", "inside", "listening", "read_exactly", "secrets", "wait_until"]
