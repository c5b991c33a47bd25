# SPDX-License-Identifier: LGPL-2.1-or-later
"""The access sequence, step by step and followed from outside: answers at the doors, the kernel's tables of sockets, the bytes at the device.
Step numbers of the source stand behind each step (S101 …). Push is off, so that every step waits for the terminal's poll; the polls come when
the clocks are moved. One session goes through all steps; a second one ends by its time."""
import unittest

import lab
import tap
from lab.case import root
from lab.ssh import Stock
from lab.wait import boottime, dial, wait_until

CYCLE = 20


class Sequence(unittest.TestCase):
    NAT = False
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.resources = []
        net = cls.enter(lab.Nat()) if cls.NAT else None
        cls.fleet = fleet = cls.enter(lab.Fleet(terminals=("t1",) if net else ("t1", "t2"), net=net))
        fleet.cloud.profile["services"]["access"].update({"push": False, "poll": f"{CYCLE}s", "grace": "60s"})
        for node in fleet.terminals.values():
            node.profile["services"]["agent"]["poll"] = f"{CYCLE}s"
        where = {"host": net.TERMINAL, "netns": net.terminal} if net else {}
        cls.device = fleet.device("echo", lab.Echo(**where))
        fleet.start()
        cls.alice = lab.Person(fleet, "alice", ("see", "connect"), netns=net.person if net else None).login().at(fleet.terminal)
        cls.stock = Stock(f"{fleet.folder}/alice", fleet, "alice", netns=net.person if net else None)
        cls.row = cls.shell = None

    @classmethod
    def enter(cls, thing):
        cls.resources.append(thing)
        return thing.__enter__()

    @classmethod
    def tearDownClass(cls):
        for thing in reversed(cls.resources):
            thing.__exit__(None, None, None)

    # ---- looking ----

    def polled(self, name="t1"):
        return self.fleet.cloud.call("GET", f"terminals/{name}")["polled"]

    def poll(self):
        """Moves all clocks past the cycle and waits for the polls."""
        before = {name: self.polled(name) for name in self.fleet.terminals}
        self.fleet.advance(CYCLE * 1.2)
        wait_until(lambda: all(self.polled(name) != before[name] for name in before), 10, "the terminals' polls")

    def at_terminal(self, name="t1"):
        return {row["session"]: row for row in self.fleet.terminals[name].call("GET", "sessions")["sessions"]}

    def now(self):
        type(self).row = self.alice.call("GET", f"sessions/{self.row['session']}")
        return self.row

    def wait_state(self, *states, timeout=15):
        return wait_until(lambda: self.now() if self.now()["state"] in states else None, timeout, f"{states}, it is {self.row['state']} {self.row.get('cause')}")

    def recorded(self, session):
        """Its history row, once it has a cause."""
        return wait_until(lambda: next((one for one in self.fleet.history(session) if one.get("cause")), None), 10, "a history row with a cause")

    def bound(self):
        return set(self.fleet.cloud.listening())

    # ---- the steps ----

    def test_1_poll_not_needed(self):
        """S101-S104: the terminal asks; not needed; at the cycle again."""
        self.poll()
        self.assertEqual(self.at_terminal(), {})
        self.poll()
        self.assertEqual(self.at_terminal(), {})

    def test_2_access_request(self):
        """S105-S106: the person asks; identified; X and Y reserved, Z picked."""
        cls = type(self)
        before = self.bound()
        cls.row = self.alice.request("t1", "echo", for_s=600, entry="ports", reason="step 2")
        wait_until(lambda: self.now().get("y") and self.row["offer"] == "ready", 10, "ports drawn, offer made")
        x, y = self.row["x"], self.row["y"]
        self.assertEqual((self.row["state"], self.row["spec_state"]), ("permitted", "not connected"))
        self.assertNotEqual(x, y)
        for port in (x, y):
            self.assertTrue(10000 <= port <= 65535, port)
        self.assertEqual(self.bound() - before, {x, y})
        self.assertEqual(self.row["z"], self.fleet.host)
        self.assertEqual(self.row["person"], "person:alice")
        self.assertEqual(self.at_terminal(), {})  # nobody told it yet

    def test_3_poll_needed(self):
        """S107-S108: only the terminal asked for hears *needed*."""
        self.poll()
        wait_until(lambda: self.row["session"] in self.at_terminal(), 10, "the terminal knows the session")
        for name in set(self.fleet.terminals) - {"t1"}:
            self.assertEqual(self.at_terminal(name), {})
        row = self.at_terminal()[self.row["session"]]
        self.assertEqual((row["device"], row["reason"], row["person"]), ("echo", "step 2", "person:alice"))

    def test_4_tunnel_request(self):
        """S109-S112: the terminal dials Z, presents the credential, is permitted."""
        self.wait_state("open")
        with open(f"/proc/{self.fleet.cloud.pid}/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        port = f"{self.fleet.ports['ssh']:04X}"
        self.assertTrue([row for row in rows if row[1].endswith(":" + port) and row[3] == "01"], "no carrier to the tunnel end")

    def test_5_connected(self):
        """S113-S116: acknowledged; both timers run; *connected* at both ends."""
        row, there = self.now(), self.at_terminal()[self.row["session"]]
        self.assertEqual((row["state"], row["spec_state"], row["generation"]), ("open", "connected", 1))
        self.assertEqual((there["state"], there["spec_state"], there["generation"]), ("open", "connected", 1))
        self.assertIsNotNone(row["deadline"])
        self.assertIsNotNone(there["deadline"])
        self.assertTrue(590e6 < row["left_us"] <= 600e6, row["left_us"])

    def test_6_person_comes_in(self):
        """S117-S119, S200: Z and Y are told; the person's connection to Y reaches the terminal, which speaks first."""
        self.assertEqual((self.row["z"], self.row["terminal"]), (self.fleet.host, "t1"))
        with lab.inside(self.alice.netns), dial(self.fleet.host, self.row["y"]) as sock:
            self.assertTrue(sock.recv(64).startswith(b"SSH-2.0-"))
        self.assertEqual(len(self.device.connections), 0)  # nothing reaches the device before the login

    def test_7_login(self):
        """S201-S209: the terminal asks for id and password, and decides; the device is joined before it says allowed."""
        wrong = self.stock.run(self.row["y"], password=self.stock.wrong(), command=("status",))
        self.assertEqual(wrong.returncode, 255, wrong.stderr)
        self.assertEqual(len(self.device.connections), 0)
        cls = type(self)
        cls.shell = self.stock.start(self.row["y"], "-W", self.device.address, password=self.alice.password)
        self.shell.stdin.write(b"first bytes")
        self.shell.stdin.flush()
        self.device.wait(lambda device: device.connections and device.connections[0].bytes_in == 11, 20, "the device's first byte")
        self.assertEqual(self.shell.stdout.read(11), b"first bytes")

    def test_8_work(self):
        """S210-S215: bytes to the device and back; in a session with the terminal itself, work requests and their results."""
        data = bytes(range(256)) * 40
        self.shell.stdin.write(data)
        self.shell.stdin.flush()
        self.assertEqual(self.shell.stdout.read(len(data)), data)
        plain = self.alice.request("t1", for_s=300, entry="ports", reason="step 8")["session"]
        wait_until(lambda: self.alice.call("GET", f"sessions/{plain}")["offer"] == "ready", 10, "offer made")
        self.poll()
        row = self.fleet.wait_session(plain, "open")
        done = self.stock.run(row["y"], password=self.alice.password, command=("devices",))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("echo", done.stdout)
        self.alice.close(plain)
        self.poll()
        self.fleet.wait_over(plain)

    def test_8a_close(self):
        """S301-S312: close, *close requested*; the terminal hears it at its poll, closes at once, reports; X and Y are given back."""
        row = self.now()
        self.poll()  # "close?" no
        self.assertEqual(self.now()["state"], "open")
        self.alice.close(row["session"])
        self.assertEqual(self.now()["spec_state"], "close requested")
        self.assertTrue({row["x"], row["y"]} <= self.bound())
        self.assertIn(self.row["session"], self.at_terminal())
        self.poll()  # "close?" yes
        self.wait_state("closed")
        self.fleet.ports_gone(row)
        self.assertEqual(self.row["cause"], "closed by the user")
        wait_until(lambda: self.at_terminal() == {}, 5, "the terminal has let go")
        self.shell.wait(10)
        for pipe in (self.shell.stdin, self.shell.stdout, self.shell.stderr):
            pipe.close()
        self.device.wait(lambda device: device.open_count() == 0, 5, "the device's connection ended")
        history = self.recorded(row["session"])
        self.assertEqual((history["cause"], history["person"], history["device"]), ("closed by the user", "person:alice", "echo"))
        self.assertGreater(history["bytes_up"], 10000)
        self.assertGreater(history["bytes_down"], 10000)

    def test_8b_deadline(self):
        """S401-S407: the time is over at both ends; the person is cut; reported; released. No byte passes later than 1 s after it."""
        cls = type(self)
        cls.row = self.alice.request("t1", "echo", for_s=600, entry="ports", reason="step 8b")
        wait_until(lambda: self.now().get("y") and self.row["offer"] == "ready", 10, "ports drawn, offer made")
        self.poll()
        row = self.wait_state("open")
        known = len(self.device.connections)
        shell = self.stock.start(row["y"], "-W", self.device.address, password=self.alice.password)
        shell.stdin.write(b"still here")
        shell.stdin.flush()
        self.device.wait(lambda device: len(device.connections) > known and device.connections[-1].bytes_in == 10, 20, "bytes at the device")
        self.fleet.advance(590)
        self.assertEqual(self.now()["state"], "open")
        self.fleet.advance(11)
        over = boottime()
        self.device.wait(lambda device: device.open_count() == 0, 1.0, "the device's connection cut at the deadline")
        self.fleet.ports_gone(row)
        self.wait_state("closed")
        self.assertEqual(self.row["cause"], "deadline")
        shell.communicate(timeout=10)
        self.assertLess(self.device.connections[-1].last_in, over + 1)
        wait_until(lambda: self.at_terminal() == {}, 5, "the terminal has let go")
        self.assertEqual(self.recorded(row["session"])["cause"], "deadline")


@unittest.skipUnless(root(), "network namespaces need root")
class BehindNat(Sequence):
    """The same with the terminal behind a masquerading router."""
    NAT = True


if __name__ == "__main__":
    tap.main()
