# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is refused, while somebody else works: the words, the history with the true cause, the log, the count; and that the open session, whose numbers
run through the tunnel all the time, does not notice."""
import http.client
import re
import subprocess
import threading
import time
import unittest

import lab
import tap
from lab import secrets
from lab.case import FleetCase
from lab.flow import Numbers
from lab.ssh import Stock
from lab.wait import wait_until

HOUR = 3600


class Refusals(FleetCase):
    @classmethod
    def setUpClass(cls):
        cls.case = case = cls("setUp")
        case.start_fleet(terminals=("t1", "t2"), change=lambda fleet: fleet.device("meter", lab.Echo()))
        cls.fleet, cls.alice = case.fleet, case.alice
        cls.row = case.open()
        sock = case.dial(cls.row)
        cls.flow = Numbers(sock.sendall, sock.recv)
        cls.fleet.terminals["t2"].stop()
        wait_until(lambda: not cls.fleet.connected("t2"), 20, "t2 is offline")
        cls.bob = lab.Person(cls.fleet, "bob", ("connect",)).login().at(cls.fleet.terminal)
        cls.mallory = lab.Person(cls.fleet, "mallory", ()).login()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.flow.finish()
        finally:
            cls.case.doCleanups()

    def setUp(self):
        self.before = self.counts()

    def tearDown(self):
        self.flow.moved_on(self.id())
        self.assertEqual(self.fleet.session(self.row["session"])["state"], "open")

    def counts(self, node=None):
        return (node or self.fleet.cloud).call("GET", "status")["refused"]

    def assert_counted(self, what, more=1, before=None, node=None):
        wait_until(lambda: self.counts(node).get(what, 0) >= (self.before if before is None else before).get(what, 0) + more, 10,
                   f"{more} more {what} counted: {self.counts(node)}")

    def refused(self, person, wish, status, words, cause):
        """The answer, and the newest refusal of the history."""
        before = self.counts()
        got, answer = person.ask("POST", "sessions", {"reason": "test", "entry": "ports", "for_us": 60 * 10**6, **wish})
        self.assertEqual(got, status, answer)
        self.assertRegex(answer["message"], words)
        row = self.fleet.cloud.call("GET", "history?kind=refused")["history"][0]
        self.assertEqual((row["person"], row["terminal"]), (f"person:{person.name}", wish["terminal"]))
        self.assertRegex(row["cause"], cause)
        self.assert_counted("requests", before=before)
        self.fleet.cloud.process.wait_line(f"access refused: person:{person.name} to {wish['terminal']}", 10)
        return answer["message"]

    def test_requests(self):
        self.refused(self.alice, {"terminal": "t9"}, 404, "no terminal 't9'", "unknown terminal")
        self.refused(self.alice, {"terminal": "t1", "device": "safe"}, 404, "no device 'safe'", "unknown device")
        self.refused(self.alice, {"terminal": "t1", "for_us": 3 * HOUR * 10**6}, 403, "longest connection time.*2h", "too long")
        self.refused(self.alice, {"terminal": "t2"}, 503, "t2.*offline", "terminal offline")
        self.refused(self.bob, {"terminal": "t1", "device": "echo"}, 409, "in use by person:alice", "in use by person:alice")

    def test_who_may_not_see_hears_the_same_words(self):
        unknown = self.refused(self.mallory, {"terminal": "t9"}, 404, "t9", "unknown terminal")
        no_right = self.refused(self.mallory, {"terminal": "t1"}, 404, "t1", "no right")
        offline = self.refused(self.mallory, {"terminal": "t2"}, 404, "t2", "no right")
        self.assertEqual({re.sub("t[129]", "?", words) for words in (unknown, no_right, offline)}, {unknown.replace("t9", "?")})

    def test_x_and_y(self):
        """Another local process at X; somebody at Y from an address that is not the asker's."""
        turned = self.fleet.session(self.row["session"])["turned_away"]
        for port, source in ((self.row["x"], "127.0.0.1"), (self.row["y"], "127.0.0.2")):
            for _ in range(4):
                self.assertEqual(self.first_byte(port, source), b"")
        self.assert_counted("connections to a session's ports", 8)
        wait_until(lambda: self.fleet.session(self.row["session"])["turned_away"] >= turned + 8, 10, "counted in the session")
        self.fleet.cloud.process.wait_line("turned away from session " + self.row["session"], 10)
        self.assertEqual(len(self.case.echo.connections), 1)

    @staticmethod
    def first_byte(port, source):
        import socket
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as sock:
                sock.sendall(b"hello")
                return sock.recv(1)
        except ConnectionError:
            return b""

    def test_guessed_tokens(self):
        """Somebody who calls himself t1 dials the tunnel end with words of his own."""
        port = self.fleet.ports["ssh"]
        scanned = subprocess.run(["ssh-keyscan", "-p", str(port), "-t", "ed25519", self.fleet.host], capture_output=True, text=True, timeout=30).stdout
        stock = Stock(f"{self.fleet.folder}/guesser", self.fleet, "t1")
        stock.trust(" ".join(scanned.split()[1:3]))
        for name in ("t1", "t2"):
            stock.name = name
            done = stock.run(port, "-N", "-R", f"{self.row['x']}:127.0.0.1:9", password=secrets.new("a guessed token", 32), timeout=60)
            self.assertEqual(done.returncode, 255, done.stderr)
        self.assert_counted("logins", 2)
        self.fleet.cloud.process.wait_line("login refused: t1 from 127.0.0.1", 10)

    def ask_with_box(self, wish, box):
        """The session's last row."""
        wish = {"terminal": "t1", "reason": "test", "login": "in-advance", "login_box": box, **wish}
        return self.fleet.wait_over(self.alice.call("POST", "sessions", wish)["session"])

    def test_login_boxes(self):
        """Replayed, for another request, device, time, person or entry, of another terminal's, with a wrong password: the terminal refuses each."""
        wish = {"entry": "stream", "for_us": 60 * 10**6, "device": "meter"}
        good = self.alice.box("t1", "first", "meter", wish["for_us"], "stream")
        row = self.alice.call("POST", "sessions", {"terminal": "t1", "reason": "test", "login": "in-advance", "id": "first", "login_box": good, **wish})
        self.fleet.wait_session(row["session"], "open")
        self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        before = self.counts(self.fleet.terminal)

        def box(request, device="meter", for_us=wish["for_us"], entry="stream", **changes):
            return lambda: self.alice.box("t1", request, device, for_us, entry, **changes)
        boxes = {"replayed": ({"id": "first2"}, good), "request": ({"id": "r-1"}, box("r-2")), "device": ({"id": "r-3"}, box("r-3", "echo")),
                 "time": ({"id": "r-4"}, box("r-4", for_us=10**6)), "entry": ({"id": "r-5"}, box("r-5", entry="ports")),
                 "person": ({"id": "r-6"}, box("r-6", person="bob")), "nonce": ({"id": "r-7"}, box("r-7", nonce="x" * 32)),
                 "password": ({"id": "r-8"}, box("r-8", password=self.bob.password)), "garbage": ({"id": "r-9"}, "Z" * 200)}
        for name, (more, sealed) in boxes.items():
            with self.subTest(name):
                row = self.ask_with_box({**wish, **more}, sealed() if callable(sealed) else sealed)
                self.assertEqual(row["state"], "closed")
                self.assertRegex(row["cause"], "refused")
                self.assertIsNone(row.get("opened"))
                recorded = self.case.assert_recorded(row["session"], "refused by the terminal")
                self.assertRegex(recorded["cause"], "login")
        self.assert_counted("offers", len(boxes), before, self.fleet.terminal)
        self.fleet.terminal.process.wait_line("offer refused: ", 10)


class Restarted(FleetCase):
    def test_what_a_restart_forgets_is_said(self):
        """When a terminal was seen last, and logins: who logs in hears how long it holds, who meets an offline terminal hears that it is not known."""
        self.start_fleet()
        done = self.fleet.farctl_as("alice", "login", "alice", "--password-stdin", input=self.alice.password + "\n")
        self.assertIn("for 12 hours or until the server is started anew", done)
        self.fleet.terminal.stop()
        self.fleet.cloud.restart()
        wish = {"terminal": "t1", "reason": "test", "entry": "ports", "for_us": 60 * 10**6}
        self.assertEqual(self.alice.ask("POST", "sessions", wish)[0], 401)
        status, answer = self.alice.login().ask("POST", "sessions", wish)
        self.assertEqual(status, 503, answer)
        self.assertIn("not since this server was started", answer["message"])


class Guesses(FleetCase):
    """The people's door and the terminal's own login, when somebody tries passwords."""

    @staticmethod
    def rss_mib(pid):
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096 / 2**20

    def guess(self, names, results):
        stranger = lab.Stranger(self.fleet)
        for name in names:
            try:
                results.append(stranger.ask("POST", "login", {"name": name, "password": "not the password"})[0])
            except (OSError, http.client.HTTPException):
                results.append(0)  # closed

    def test_right_passwords_at_once(self):
        """Of one address, each over a connection of its own, by the shipped limits: all get in, of one person and of many; none counts as a failure."""
        self.start_fleet()
        people = [lab.Person(self.fleet, name, ("see",)) for name in ("bob", "carol", "dave", "erin")]
        for n, names in ((16, people[:1]), (64, people[:1]), (64, people)):
            results, start = [], threading.Barrier(n)

            def log_in(who):
                stranger = lab.Stranger(self.fleet)
                start.wait(30)
                try:
                    results.append(stranger.ask("POST", "login", {"name": who.name, "password": who.password}))
                except (OSError, http.client.HTTPException) as error:
                    results.append((0, str(error)))
            threads = [threading.Thread(target=log_in, args=(names[i % len(names)],)) for i in range(n)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertEqual([status for status, _ in results], [200] * n, [answer for answer in results if answer[0] != 200][:3])
        people[0].login()
        self.assertEqual(self.fleet.cloud.call("GET", "status")["refused"].get("logins", 0), 0)

    def test_a_hundred_at_once(self):
        """Each is answered or made to wait, most at once with 'busy'; memory does not grow with them; others get in; the open session goes on."""
        self.start_fleet(change=lambda fleet: fleet.cloud.profile["transports"]["people"].update({"max-per-address": 400, "trusted": ["127.0.0.0/8"]}))
        bob = lab.Person(self.fleet, "bob", ("see",)).login()
        row = self.open(for_s=7000)
        sock = self.dial(row)
        flow = Numbers(sock.sendall, sock.recv)
        results = []
        self.guess(["alice"], results)
        self.assertEqual(results, [403], "a wrong password")
        before = self.rss_mib(self.fleet.cloud.pid)
        threads = [threading.Thread(target=self.guess, args=([f"nobody{i % 50}" if i % 2 else "alice"], results)) for i in range(100)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        self.assertEqual(self.fleet.cloud.call("GET", "status")["state"], "ok")
        self.assertLess(time.monotonic() - began, 5, "the daemon does not answer while it hashes")
        flow.moved_on("the guesses")
        wait_until(lambda: len(results) > 70, 60, f"most are answered at once: {results}")
        self.fleet.cloud.advance(40)  # the rest is made to wait
        for thread in threads:
            thread.join(60)
        self.assertEqual(len(results), 101)
        self.assertTrue(set(results) <= {0, 403, 429, 503}, results)
        self.assertGreater(results.count(429) + results.count(503), 50, results)
        self.assertLess(self.rss_mib(self.fleet.cloud.pid) - before, 128, "memory grows with the guesses")
        self.assertGreaterEqual(self.fleet.cloud.call("GET", "status")["refused"]["logins"], 1)
        self.fleet.cloud.advance(700)
        bob.login()
        flow.moved_on("the end of the guesses")
        flow.finish()


if __name__ == "__main__":
    tap.main()
