# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tools of the bench work, and doc/performance.md says what tests/bench/results.json holds."""
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import lab
import tap

BUILD, SOURCE = os.environ["FARWATCH_TEST_BUILDDIR"], os.environ["FARWATCH_TEST_SRCDIR"]
LOAD, BENCH = os.path.join(BUILD, "tests/bench/load"), os.path.join(SOURCE, "tests/bench")
sys.path.append(BENCH)

from parts import judge, rows, rows_front, rows_storm  # noqa: E402


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.device = subprocess.Popen([LOAD, "serve", "127.0.0.1", "0"], stdout=subprocess.PIPE, text=True)
        cls.port = cls.device.stdout.readline().split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.device.terminate()
        cls.device.wait()
        cls.device.stdout.close()

    def run_load(self, *words):
        done = subprocess.run([LOAD, words[0], "127.0.0.1", self.port, *words[1:]], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_bulk_both_ways(self):
        for direction in ("up", "down"):
            result = self.run_load("bulk", direction, "2", "0.5")
            self.assertGreater(result["gbit_s"], 0)
            self.assertEqual(result["failed"], 0)

    def test_ping(self):
        result = self.run_load("ping", "64", "300")
        self.assertLessEqual(result["p50_us"], result["p99_us"])
        self.assertLessEqual(result["p99_us"], result["max_us"])

    def test_rate(self):
        self.assertGreater(self.run_load("rate", "0.3", "2")["per_s"], 1)

    def test_hold(self):
        self.assertEqual(self.run_load("hold", "5")["open"], 5)

    def test_a_dead_port_is_told(self):
        done = subprocess.run([LOAD, "ping", "127.0.0.1", "1", "64", "10"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("load: ping", done.stderr)


class Tickets(threading.Thread):
    """A TLS server with so many tickets a handshake, which answers one GET of each connection."""

    def __init__(self, keys, tickets):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(keys, "node.crt"), os.path.join(keys, "node.key"))
        self.context.num_tickets = tickets
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                plain = self.listener.accept()[0]
            except OSError:
                return
            with self.context.wrap_socket(plain, server_side=True) as sock:
                while b"\r\n\r\n" not in sock.recv(4096):
                    pass
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Cloud(unittest.TestCase):
    """The tools that need one: a fleet without terminals of its own."""

    @classmethod
    def setUpClass(cls):
        cls.fleet = lab.Fleet(terminals=(), test_clock=False)
        cls.fleet.cloud.profile["transports"]["people"]["trusted"] = ["127.0.0.0/8"]
        cls.fleet.start()

    @classmethod
    def tearDownClass(cls):
        cls.fleet.end()

    @property
    def keys(self):
        return os.path.join(self.fleet.cloud.state, "keys")

    def front_load(self, mode, port, count, parallel=4):
        return subprocess.run([rows_front.FRONT_LOAD, mode, "127.0.0.1", str(port), str(count), str(parallel), "20"], input="\n", capture_output=True, text=True,
                              timeout=60)

    def test_front_load_does_what_was_asked(self):
        for mode, resumed in (("full", 0), ("resume", 12), ("keep", 0)):
            with self.subTest(mode):
                done = self.front_load(mode, self.fleet.ports["people"], 12)
                self.assertEqual(done.returncode, 0, done.stderr)
                ready, result = map(json.loads, done.stdout.splitlines())
                self.assertEqual((ready["ready"], result["done"], result["failed"], result["resumed"]), (4, 12, 0, resumed))

    def test_front_load_wants_to_be_resumed(self):
        for tickets, status in ((2, 0), (0, 1)):
            server = Tickets(self.keys, tickets)
            self.addCleanup(server.close)
            done = self.front_load("resume", server.port, 5, parallel=1)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn("only 0 of 5 were resumed", done.stderr)

    def test_front_load_tells_a_dead_port(self):
        done = self.front_load("keep", lab.free_port(), 10)
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not be prepared", done.stderr)

    def test_terminals_come_back(self):
        folder = os.path.join(self.fleet.folder, "storm")
        os.makedirs(folder, mode=0o700)
        crowd = rows_storm.Storm(folder, os.path.join(self.fleet.cloud.state, "ca"), self.fleet.host, self.fleet.ports["nodes"], 5, prefix="storm", reconnect_s=0.2)
        crowd.make_keys()
        for name in crowd.names:
            self.fleet.cloud.call("PUT", f"terminals/{name}", {})
        crowd.begin()
        self.addCleanup(crowd.process.stop)
        self.whole(crowd, 0, ended=0)
        mark = crowd.process.mark()
        self.assertIn('"connected": 0', crowd.say("cut").group(0))
        self.whole(crowd, mark, ended=5)
        mark = crowd.process.mark()
        self.fleet.cloud.restart()
        self.whole(crowd, mark, ended=10)
        self.assertEqual(crowd.end()["connected"], 5)

    def whole(self, crowd, mark, ended):
        state = crowd.whole(time.monotonic(), mark)[1]
        self.assertEqual((state["connected"], state["lost"], state["ended"]), (5, 0, ended))


class Judge(unittest.TestCase):
    def test_reaches_name_rows_that_there_are(self):
        """A reach that picks nothing is never missed."""
        self.assertLessEqual({reach.row for reach in judge.REACHES}, set(rows.ROWS))

    def test_ratios_are_taken_within_a_round(self):
        values = {judge.FARWATCH: {"keep": [2.0, 9.0, None]}, judge.NGINX: {"keep": [1.0, 3.0, 5.0]}}
        reach = next(reach for reach in judge.REACHES if reach.row == "front" and reach.compared == judge.NGINX and "open connections" in reach.work)
        self.assertEqual(reach.pick(values), [2.0, 3.0])
        self.assertEqual(reach.judge({"front": {"values": values}}), ("2.5 × (2–3)", True))


class Report(unittest.TestCase):
    def test_page_is_what_the_results_say(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "page.md")
            subprocess.run([sys.executable, os.path.join(BENCH, "report"), os.path.join(BENCH, "results.json"), page], check=True, timeout=60)
            with open(page, encoding="utf-8") as new, open(os.path.join(SOURCE, "doc/performance.md"), encoding="utf-8") as kept:
                self.assertEqual(new.read(), kept.read(), "run tests/bench/report")

    def test_results_say_how_they_came(self):
        with open(os.path.join(BENCH, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        self.assertLessEqual({"rounds", "peers", "commit", "machine", "rows"}, set(results))
        self.assertNotRegex(json.dumps(results["machine"]), r"(?<!\w)/\w")  # no path of the machine; "GNU/Linux" may be


tap.main()
