# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal behind a real NAT, the cloud and the person elsewhere; what crosses each line is recorded and read. And the draw of Z, X and Y."""
import os
import socket
import unittest

import lab
import tap
from lab import secrets
from lab.case import FleetCase
from lab.ssh import Stock
from lab.wait import wait_until


class BehindNat(unittest.TestCase):
    def test_reach_through_nat_and_nothing_in_the_clear(self):
        with lab.Nat() as net, lab.Fleet(net=net) as fleet:
            word = secrets.new("the device's page", 40)
            http = fleet.device("boiler", lab.Http(word.encode() + b"\n", host=net.TERMINAL, netns=net.terminal))
            captures = [fleet.adopt(lab.Capture(os.path.join(fleet.captures, f"{name}.pcap"), link, (), netns))
                        for name, link, netns in (("person", "eth0", net.person), ("cloud", "eth0", net.cloud), ("wan", "wan", net.router))]
            fleet.start()
            self.assertNotIn("eth0", net.run(net.terminal, ["cat", "/proc/net/tcp"]).stdout)
            alice = lab.Person(fleet, "alice", netns=net.person).login().at(fleet.terminal)
            stock = Stock(os.path.join(fleet.folder, "home"), fleet, "alice", netns=net.person)
            row = alice.open("t1")
            self.assertIn(row["y"], fleet.cloud.listening())
            done = stock.run(row["y"], "-W", http.address, password=alice.password, input="GET / HTTP/1.0\r\nConnection: close\r\n\r\n")
            self.assertIn(word, done.stdout, done.stderr)
            self.assertEqual(row["from"], net.PERSON)
            alice.close(row["session"])
            fleet.wait_over(row["session"])
            fleet.ports_gone(row)
            with lab.inside(net.person), self.assertRaises(OSError):
                socket.create_connection((net.OUTSIDE, http.port), timeout=1).close()
            for capture in captures:
                self.assertGreater(len(capture.stop()), 5000, "nothing was recorded")
        # the end of the fleet has looked for the password, the page and the tokens in every capture

    def test_terminal_listens_to_nobody_outside(self):
        with lab.Nat() as net, lab.Fleet(net=net) as fleet:
            fleet.start()
            self.assertEqual(set(fleet.terminal.listening().values()) - {"127.0.0.1", "::1"}, set())


class Draw(FleetCase):
    """Z out of those that are up; X and Y random, different, really bound where they say (spec B5)."""

    def drawn(self, times):
        """The tunnel ends of so many requests, each closed before the terminal hears of it."""
        found = set()
        for _ in range(times):
            session = self.alice.request("t1")["session"]
            found.add(wait_until(lambda: self.fleet.session(session).get("tunnel"), 10, "a tunnel end drawn"))
            self.alice.close(session)
            self.fleet.wait_over(session)
        return found

    def test_ports_and_tunnel_ends(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)

        def change(fleet):
            transports = fleet.cloud.profile["transports"]
            for name, port in (("second", lab.free_port()), ("third", lab.free_port()), ("broken", taken.getsockname()[1])):
                transports[name] = {**transports["tunnels"], "listen": f"127.0.0.1:{port}"}
            access = fleet.cloud.profile["services"]["access"]
            access["tunnels"] = ["tunnels", "second", "third", "broken"]
            access["sessions-each"] = 100
        self.start_fleet(change=change)
        self.assertEqual(self.drawn(30), {"tunnels", "second", "third"})  # one of three never in 30: once in 60,000 runs
        del self.fleet.cloud.profile["transports"]["third"]
        self.fleet.cloud.profile["services"]["access"]["tunnels"].remove("third")
        self.fleet.cloud.write()
        self.fleet.cloud.call("POST", "reload")
        rows = [self.alice.open("t1") for _ in range(20)]
        self.assertEqual({row["tunnel"] for row in rows}, {"tunnels", "second"})
        ports = [row[key] for row in rows for key in ("x", "y")]
        self.assertEqual(len(set(ports)), len(ports), "a port was drawn twice")
        self.assertTrue(all(10000 <= port <= 65535 for port in ports))
        listening = self.fleet.cloud.listening()
        for row in rows:
            self.assertEqual(listening[row["x"]], "127.0.0.1")
            self.assertIn(row["y"], listening)
        for row in rows:
            self.alice.close(row["session"])
        for row in rows:
            self.fleet.wait_over(row["session"])
        self.assertFalse(set(ports) & set(self.fleet.cloud.listening()))
        spread = sorted(ports)
        self.assertGreater(spread[-1] - spread[0], 10000, "ports are not drawn over the whole range")

    def test_somebody_else_at_x_is_turned_away(self):
        self.start_fleet()
        row = self.open()
        sock = self.dial(row)
        try:
            with lab.dial("127.0.0.1", row["x"]) as intruder:
                self.assert_dead(intruder)
        except ConnectionError:
            pass  # reset before it could even be set up
        self.exchange(sock)
        self.assertEqual(len(self.echo.connections), 1)
        self.assertGreater(self.fleet.session(row["session"])["turned_away"], 0)


tap.main()
