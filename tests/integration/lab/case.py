# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test case with a fleet of its own: one terminal, an echo device, a person who may do all there."""
import os
import unittest

from lab.device import Echo
from lab.fleet import Fleet
from lab.person import Person
from lab.wait import dial, read_exactly, wait_until
from fakes.impair import Impair


class FleetCase(unittest.TestCase):
    FOR_S = 600

    def start_fleet(self, carrier=False, link=False, change=None, start=True, **how):
        """carrier, link: an Impair before the cloud's tunnel end, before its listener for nodes. Sets fleet, echo, carrier, link, alice."""
        self.link = self.enterContext(Impair(("127.0.0.1", 1))) if link else None
        self.fleet = Fleet(server=self.link.address if link else None, **how)
        self.addCleanup(self._end_fleet)
        if link:
            self.link.target = (self.fleet.host, self.fleet.ports["nodes"])
        self.carrier = None
        if carrier:
            self.carrier = self.enterContext(Impair((self.fleet.host, self.fleet.ports["ssh"])))
            self.fleet.cloud.profile["transports"]["tunnels"].update({"advertise": self.carrier.address, "y-host": self.fleet.host})
        self.echo = self.fleet.device("echo", Echo())
        if change:
            change(self.fleet)
        if start:
            self.fleet.start()
            self.alice = self.person("alice")
        return self.fleet

    def _end_fleet(self):
        result = self._outcome.result if self._outcome else None
        self.fleet.end(failed=result is not None and any(test is self for test, _ in result.failures + result.errors))

    def person(self, name):
        return Person(self.fleet, name, ("connect", "connect-raw")).login().at(self.fleet.terminal)

    # ---- a session that carries bytes: raw Y to the echo device ----

    def open(self, **how):
        return self.alice.open(self.fleet.terminal.name, "echo", **{"raw": True, "for_s": self.FOR_S, **how})

    def exchange(self, sock, text=b"are you there?"):
        sock.sendall(text)
        self.assertEqual(read_exactly(sock, len(text)), text)

    def dial(self, row):
        sock = dial(self.fleet.host, row["y"])
        self.addCleanup(sock.close)
        self.exchange(sock)
        return sock

    def answers(self, row):
        """Does Y reach the device now?"""
        try:
            with dial(self.fleet.host, row["y"], timeout=0.5) as sock:
                sock.sendall(b"?")
                return sock.recv(1) == b"?"
        except OSError:
            return False

    def wait_answers(self, row, timeout):
        wait_until(lambda: self.answers(row), timeout, f"port {row['y']} reaches the device", every=0.02)

    def assert_dead(self, sock, timeout=5.0):
        """No byte comes any more: end or reset."""
        sock.settimeout(timeout)
        try:
            data = sock.recv(65536)
        except ConnectionError:
            return
        except TimeoutError:
            self.fail(f"the connection still stands after {timeout} s")
        self.assertEqual(data, b"", "bytes came after the end")

    def assert_recorded(self, session, cause):
        """The history says how it ended. (Who was turned away from it has rows of their own.)"""
        rows = wait_until(lambda: [row for row in self.fleet.history(session) if row["kind"] == "session" and row.get("cause")], 10,
                          f"a history row of {session} with a cause")
        self.assertRegex(rows[0]["cause"], cause)
        return rows[0]

    def assert_works(self):
        """A new session, bytes and all."""
        row = self.open()
        self.dial(row)
        self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        self.fleet.ports_gone(row)


def root():
    return os.getuid() == 0
