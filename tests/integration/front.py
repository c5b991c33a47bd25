# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two public listeners against hostile peers, with a good one beside them: others are unharmed, memory stays bounded."""
import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import tap
from lab import control, profile, ws
from lab.process import Process
from lab.wait import free_port, wait_until

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")
SANITIZED = "FAR_SANITIZED 1" in open(os.path.join(BUILD, "config.h"), encoding="utf-8").read()
ROOM_MIB = 60 if SANITIZED else 24  # what a run may grow while it is attacked
SLOW_S = 14                         # the limit is 10 s, looked at each second
ORIGIN = "https://console.example"


def rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Front(unittest.TestCase):
    """A cloud with both listeners; terminals t1, t2 have certificates."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="fwf-")
        subprocess.run([KEYS, cls.dir, "cloud:server", "t1", "t2", "t3"], check=True)
        subprocess.run([KEYS, os.path.join(cls.dir, "foreign"), "t1"], check=True)
        cls.ca = os.path.join(cls.dir, "ca", "ca.crt")
        cls.ports = {"nodes": free_port(), "people": free_port()}
        cls.plugins = os.path.join(cls.dir, "plugins")
        os.mkdir(cls.plugins)
        os.symlink(os.path.join(BUILD, "tests", "fixtures", ".libs", "service-echo.so"), os.path.join(cls.plugins, "service-echo.so"))
        cls.control = os.path.join(cls.dir, "cloud", "control.sock")
        cls.cloud = cls.start("cloud", cls.profile())
        cls.door = control.Control(cls.control)
        cls.door.call("PUT", "users/alice", {"password": "correct horse"})

    @classmethod
    def tearDownClass(cls):
        faults = cls.cloud.stop(idle=True)
        shutil.rmtree(cls.dir)
        assert not faults, faults

    @classmethod
    def profile(cls):
        listen = {name: f"127.0.0.1:{port}" for name, port in cls.ports.items()}
        limits = {"max-per-address": 2000, "trusted": ["127.0.0.0/8"]}
        return {
            "farwatch": 1, "node": {"id": "cloud", "state": os.path.join(cls.dir, "cloud"), "control": cls.control},
            "authenticators": {"people": {"type": "file", "path": "people"}},
            "transports": {"nodes": {"type": "websocket", "listen": listen["nodes"], "idle": "400s", **limits},
                           "people": {"type": "https", "listen": listen["people"], "login": ["people"], "origins": [ORIGIN],
                                      "max-connections": 2000, **limits}},
            "services": {"echo": {"type": "echo"}},
            "rights": [{"id": "near", "who": "alice", "action": "see", "object": "node", "from": "192.0.2.1"}],
        }

    @classmethod
    def start(cls, name, what, **env):
        path = os.path.join(cls.dir, f"{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(what))
        env["FARWATCH_PLUGIN_DIR"] = f"{os.environ['FARWATCH_PLUGIN_DIR']}:{cls.plugins}"
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        process = Process([os.path.join(BUILD, "farwatchd"), "--profile", path], os.path.join(cls.dir, f"{name}.log"), notify=True, env=env)
        process.wait_notice("READY=1", 30)
        return process

    # ---- who comes ----

    def at(self, door):
        return "127.0.0.1", self.ports[door]

    def keys(self, node, where=""):
        return os.path.join(self.dir, where, node, "keys")

    def tls(self, door="people", **how):
        sock = ws.tls(self.at(door), self.ca, **how)
        self.addCleanup(sock.close)
        return sock

    def link(self, door="people", path="/link", **how):
        keys = {"keys": how.pop("keys")} if "keys" in how else {}
        return ws.WebSocket(self.tls(door, **keys), path, **how)

    def silent(self, door, count):
        socks = [socket.create_connection(self.at(door)) for _ in range(count)]
        for sock in socks:
            self.addCleanup(sock.close)
        return socks

    def request(self, method, path, body=None, headers=None, sock=None):
        connection = http.client.HTTPSConnection("localhost", self.ports["people"], context=ws.context_of(self.ca), timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith(b"{") else text

    def good(self, within=2.0):
        """A good client of either door is served at once."""
        begin = time.monotonic()
        self.assertEqual(self.request("GET", "/")[0], 200)
        link = self.link("nodes", keys=self.keys("t2"))
        self.assertEqual(link.ask("GET", "nothing")[0], 404)
        link.close()
        self.assertLess(time.monotonic() - begin, within * (4 if SANITIZED else 1))

    @contextlib.contextmanager
    def unharmed(self, room=ROOM_MIB):
        """A good link lives through it, new ones are served, memory and descriptors come back."""
        link = self.link("nodes", keys=self.keys("t1"))
        self.assertEqual(link.ask("GET", "nothing")[0], 404)
        memory, files = rss_mib(self.cloud.pid), descriptors(self.cloud.pid)
        yield memory
        self.good()
        self.assertEqual(link.ask("GET", "nothing")[0], 404)
        self.assertLess(rss_mib(self.cloud.pid) - memory, room)
        link.close()
        wait_until(lambda: descriptors(self.cloud.pid) <= files + 4, 10, "descriptors given back")
        self.assertTrue(self.cloud.running())

    def all_closed(self, socks, within):
        """The other side has closed all of them."""
        left, end = set(socks), time.monotonic() + within
        poll = select.poll()
        by_fd = {sock.fileno(): sock for sock in socks}
        for fd in by_fd:
            poll.register(fd, select.POLLIN | select.POLLHUP | select.POLLERR)
        while left and time.monotonic() < end:
            for fd, _ in poll.poll(200):
                sock = by_fd[fd]
                try:
                    gone = not sock.recv(65536)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                except OSError:
                    gone = True
                if gone:
                    poll.unregister(fd)
                    left.discard(sock)
        self.assertEqual(len(left), 0, f"{len(left)} of {len(socks)} still open after {within} s")

    # ---- who may ----

    def test_tls_1_1_is_refused(self):
        hello = bytes.fromhex("16030100") + b"\x2f" + bytes.fromhex("0100002b0302") + os.urandom(32) + bytes.fromhex("000004c014c00a0100")
        for door in self.ports:
            with socket.create_connection(self.at(door), timeout=10) as sock:
                sock.sendall(hello)
                answer = sock.recv(100)
                self.assertEqual(answer[:1], b"\x15" if answer else b"", "an alert or nothing, no ServerHello")

    def test_a_node_is_known_by_its_certificate(self):
        link = self.link("nodes", keys=self.keys("t1"))
        status, body = link.ask("GET", "status")
        self.assertNotEqual(status, 401, body)

    def test_without_a_certificate_nothing_but_enrolment(self):
        link = self.link("nodes")
        for method, resource in (("GET", "status"), ("POST", "poll"), ("PUT", "terminals/t1/devices"), ("GET", "terminals")):
            self.assertEqual(link.ask(method, resource)[0], 401)
        self.all_closed([link.sock], SLOW_S)

    def test_without_a_certificate_bytes_are_counted(self):
        link = self.link("nodes")
        with self.assertRaises((OSError, ssl.SSLError)):
            for _ in range(400):
                link.ask("GET", "status", {"x": "y" * 1000})

    def test_a_foreign_certificate_is_refused(self):
        sock = ws.tls(self.at("nodes"), self.ca, keys=self.keys("t1", "foreign"))
        with self.assertRaises((OSError, ssl.SSLError, ConnectionError)):
            ws.WebSocket(sock)
        sock.close()

    def test_browsers_are_sent_away_from_the_nodes(self):
        with self.assertRaises(ws.Refused) as refused:
            self.link("nodes", origin=ORIGIN)
        self.assertEqual(refused.exception.status, 403)

    def test_second_link_of_a_node_replaces_the_first(self):
        first = self.link("nodes", keys=self.keys("t1"))
        self.assertEqual(first.ask("GET", "nothing")[0], 404)
        second = self.link("nodes", keys=self.keys("t1"))
        self.assertEqual(second.ask("GET", "nothing")[0], 404)
        self.assertEqual(first.end(), 1008)
        self.assertEqual(second.ask("GET", "nothing")[0], 404)

    def test_resumed_session_is_known_too(self):
        sock = self.tls("nodes", keys=self.keys("t1"))
        first = ws.WebSocket(sock)
        self.assertEqual(first.ask("GET", "nothing")[0], 404)
        again = ws.tls(self.at("nodes"), self.ca, keys=self.keys("t1"), session=sock.session)
        self.addCleanup(again.close)
        self.assertTrue(again.session_reused)
        self.assertEqual(ws.WebSocket(again).ask("GET", "nothing")[0], 404)

    def test_revoked_node(self):
        """Its link ends within two seconds, also when it does not listen; it does not come back, by a resumed session neither."""
        sock = self.tls("nodes", keys=self.keys("t3"))
        link = ws.WebSocket(sock)
        self.assertEqual(link.ask("GET", "nothing")[0], 404)
        session, begin = sock.session, time.monotonic()
        self.door.call("POST", "revoke", {"node": "t3"})
        link.send(ws.message("GET", "nothing"))
        self.all_closed([link.sock], 2)
        self.assertLess(time.monotonic() - begin, 2)
        again = ws.tls(self.at("nodes"), self.ca, keys=self.keys("t3"), session=session)
        self.addCleanup(again.close)
        self.assertTrue(again.session_reused)
        with self.assertRaises(ssl.SSLError) as refused:
            ws.WebSocket(again)
        self.assertIn("REVOKED", str(refused.exception))
        self.cloud.wait_line("certificate refused, 127.0.0.1: .*revoked")
        with self.assertRaises(OSError):
            ws.WebSocket(self.tls("nodes", keys=self.keys("t3")))
        self.good()

    # ---- people ----

    def test_login_and_ticket(self):
        self.assertEqual(self.request("GET", "/api/login")[0], 401)
        body = json.dumps({"name": "alice", "password": "correct horse"})
        status, answer = self.request("POST", "/api/login", body, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, answer)
        bearer = {"Authorization": f"Bearer {answer['ticket']}"}
        status, who = self.request("GET", "/api/login", headers=bearer)
        self.assertEqual((status, who["principal"]), (200, "person:alice"))
        link = self.link()
        self.assertEqual(link.ask("GET", "login")[0], 401)
        self.assertEqual(link.ask("GET", "login", ticket=answer["ticket"])[1]["principal"], "person:alice")
        self.assertEqual(link.ask("GET", "login")[1]["principal"], "person:alice")
        self.assertEqual(self.request("DELETE", "/api/login", headers=bearer)[0], 200)
        self.assertEqual(link.ask("GET", "login")[0], 401, "a revoked ticket ends a live link's rights")
        self.assertEqual(self.request("GET", "/api/login", headers=bearer)[0], 401)

    def test_login_on_a_link(self):
        link = self.link()
        self.assertEqual(link.ask("POST", "login", {"name": "alice", "password": "wrong"})[0], 403)
        self.assertEqual(link.ask("GET", "login")[0], 401)
        self.assertEqual(link.ask("POST", "login", {"name": "alice", "password": "correct horse"})[0], 200)
        self.assertEqual(link.ask("GET", "login")[1]["principal"], "person:alice")

    def test_keep_alive(self):
        connection = http.client.HTTPSConnection("localhost", self.ports["people"], context=ws.context_of(self.ca), timeout=30)
        with contextlib.closing(connection):
            for _ in range(20):
                connection.request("GET", "/api/login")
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, 401)

    def test_origin(self):
        status, body = self.request("GET", "/api/login", headers={"Origin": "https://evil.example"})
        self.assertEqual(status, 403)
        self.assertIn("https://evil.example", body["message"])
        self.assertIn("origins", body["message"])
        self.assertEqual(self.request("GET", "/api/login", headers={"Origin": ORIGIN})[0], 401)
        for path in ("/link", "/stream/abc"):
            with self.assertRaises(ws.Refused) as refused:
                self.link(path=path, origin="null")
            self.assertEqual(refused.exception.status, 403)
        self.link(origin=ORIGIN)

    def test_unknown_ticket_opens_no_stream(self):
        link = self.link(path="/stream/" + "a" * 32)
        self.assertEqual(link.end(), 1008)

    def test_http_table(self):
        rows = [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
            ("GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
            ("PATCH /api/status HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\n\r\n", 411),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 32769\r\n\r\n", 413),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
            ("POST /api/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
            ("GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 426),
            ("GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: short\r\n\r\n", 400),
            ("GET /elsewhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 404),
            ("GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 426),
            ("CONNECT a.example:80 HTTP/1.1\r\nHost: x\r\n\r\n", None),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nHost: x\r\nX: " + "y" * 20000 + "\r\n\r\n", 431),
            ("\0\xff\0\xff\r\n\r\n", None),
        ]
        for text, status in rows:
            with self.subTest(text[:60]):
                self.assertEqual(self.status_of(text), status)
        self.good()

    def status_of(self, text):
        """None: closed without an answer (or with something that is no success)."""
        sock = self.tls()
        sock.settimeout(5)
        try:
            sock.sendall(text.encode("latin-1"))
            answer = sock.recv(4096)
        except OSError:
            return None
        status = int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else None
        return None if status in (400, 403, 404, 405, 431) and text.startswith(("CONNECT", "PRI", "\0")) else status

    def test_second_request_in_the_body_is_not_run(self):
        """What a refused request carries is not taken for the next one."""
        inner = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for head in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 40000\r\n"):
            sock = self.tls()
            sock.settimeout(5)
            sock.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + inner * 3)
            data = b""
            with contextlib.suppress(OSError):
                while True:
                    more = sock.recv(65536)
                    if not more:
                        break
                    data += more
            self.assertEqual(data.count(b"HTTP/1.1 "), 1, data)
            self.assertNotIn(b" 200 ", data)

    # ---- streams ----

    def ticket(self, what, body=None):
        return self.door.call("POST", what, body or {})["ticket"]

    def stream(self, what, body=None):
        return self.link(path="/stream/" + self.ticket(what, body))

    def read_all(self, stream):
        """What comes until "eof"; then the connection must end in order."""
        data = bytearray()
        while True:
            opcode, payload = stream.receive()
            if opcode == ws.TEXT:
                self.assertEqual(payload, b"eof")
                return bytes(data)
            data += payload

    def test_stream_echoes_and_half_closes(self):
        stream = self.stream("echo")
        sent = os.urandom(300000)
        for at in range(0, len(sent), 1 << 14):
            stream.send(sent[at:at + (1 << 14)])
        stream.send(b"eof", ws.TEXT)
        self.assertEqual(self.read_all(stream), sent)
        self.assertEqual(stream.end(), 1000)

    def test_stream_of_single_bytes(self):
        stream = self.stream("echo")
        for number in range(500):
            stream.send(bytes([number % 256]))
        stream.send(b"eof", ws.TEXT)
        self.assertEqual(self.read_all(stream), bytes(n % 256 for n in range(500)))

    def test_ticket_works_once(self):
        ticket = self.ticket("echo")
        first = self.link(path="/stream/" + ticket)
        first.send(b"x")
        self.assertEqual(first.receive(), (ws.BINARY, b"x"))
        self.assertEqual(self.link(path="/stream/" + ticket).end(), 1008)

    def test_stream_back_pressure(self):
        """Who does not read stops the sender; memory stays; then everything arrives."""
        with self.unharmed() as before:
            size = 64 << 20
            stream = self.stream("pour", {"bytes": size})
            wait_until(lambda: select.select([stream.sock], [], [], 0)[0], 5, "first bytes")
            begin = time.monotonic()
            while time.monotonic() - begin < 1:
                self.good()
            self.assertLess(rss_mib(self.cloud.pid) - before, ROOM_MIB)
            self.assertEqual(len(self.read_all(stream)), size)

    def test_stream_takes_much(self):
        with self.unharmed():
            stream = self.stream("drain")
            block = ws.frame(b"x" * (1 << 16))
            for _ in range(512):
                stream.sock.sendall(block)
            stream.send(b"eof", ws.TEXT)
            self.assertEqual(int(self.read_all(stream)), 512 << 16)

    def test_stream_that_echoes_to_one_who_never_reads(self):
        with self.unharmed() as before:
            stream = self.stream("echo")
            stream.sock.settimeout(1)
            with self.assertRaises(OSError):
                while True:
                    stream.send(b"x" * 60000)
            self.assertLess(rss_mib(self.cloud.pid) - before, ROOM_MIB)

    def test_stream_refuses_text_and_more_after_the_end(self):
        for data in ((b"hello", ws.TEXT), (b"", ws.TEXT)):
            stream = self.stream("echo")
            stream.send(*data)
            self.assertEqual(stream.end(), 1003)
        stream = self.stream("pour", {"bytes": 1 << 30})  # more than the kernel's buffers hold: the other side has not ended yet
        stream.send(b"eof", ws.TEXT)
        stream.send(b"more")
        self.assertEqual(stream.end(), 1002)

    def test_stream_ends_with_a_plain_close(self):
        """A browser's close(): what came before is still taken, then it is over."""
        with self.unharmed():
            for _ in range(20):
                stream = self.stream("drain")
                stream.send(b"x" * 1000)
                stream.send(b"\x03\xe8", ws.CLOSE)
                self.assertEqual(stream.end(), 1000)

    # ---- floods ----

    def test_fragments_without_end(self):
        with self.unharmed():
            for door, keys in (("people", None), ("nodes", self.keys("t2"))):
                link = self.link(door, keys=keys)
                with contextlib.suppress(OSError):
                    for number in range(2000):
                        link.send(b"x" * 1000, BINARY_FIRST if number == 0 else 0, fin=False)
                self.assertIn(link.end(), (1002, 1008, 1009, None))

    def test_empty_fragments(self):
        with self.unharmed():
            link = self.link("nodes", keys=self.keys("t2"))
            with contextlib.suppress(OSError):
                link.send(b"", BINARY_FIRST, fin=False)
                for _ in range(100):
                    link.sock.sendall(ws.frame(b"", 0, fin=False) * 1000)
            self.assertIn(link.end(), (1008, None))

    def test_huge_message(self):
        with self.unharmed():
            for door, keys, size in (("people", None, 1 << 20), ("nodes", self.keys("t2"), 16 << 20)):
                link = self.link(door, keys=keys)
                head = b"\0\0\0\x40" + json.dumps({"id": "a", "method": "PUT", "resource": "x", "n": size}).encode().ljust(64)
                with contextlib.suppress(OSError):
                    link.send(head + b"x" * size)
                self.assertIn(link.end(), (1002, 1008, 1009, None))

    def test_length_that_is_a_lie(self):
        with self.unharmed():
            for size in (b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"\xff" * 8, b"\0\0\0\1\0\0\0\0"):
                link = self.link("nodes", keys=self.keys("t2"))
                with contextlib.suppress(OSError):
                    link.sock.sendall(b"\x82\xff" + size + b"\0\0\0\0" + b"x" * 600000)
                self.assertIn(link.end(), (1002, 1009, None))

    def test_bytes_that_are_no_message(self):
        with self.unharmed():
            for data in (b"\xff\xff\xff\xff", b"\0\0\0\2{]", b"\0\0\0\2{}", os.urandom(500), ws.message("GET", "x")[:-1] + b"}}"):
                link = self.link("nodes", keys=self.keys("t2"))
                link.send(data + b"\0" * 9000)
                self.assertIn(link.end(), (1002, 1009))

    def test_answers_nobody_asked_for(self):
        head = json.dumps({"id": "x", "status": 200}).encode()
        with self.unharmed():
            for door in ("people", "nodes"):
                link = self.link(door)
                link.send((len(head).to_bytes(4, "big") + head) * 1000)
                self.assertEqual(link.end(), 1008)

    def test_text_and_bad_utf8(self):
        with self.unharmed():
            for data in (b"hello", b"\xff\xfe\xfd", "ä".encode()[:1]):
                link = self.link()
                link.send(data, ws.TEXT)
                self.assertIn(link.end(), (1003, 1007, None))

    def test_rules_of_framing(self):
        bad = [ws.frame(b"x", 3), ws.frame(b"x", 11), ws.frame(b"x", rsv=4), ws.frame(b"x", 0), ws.frame(b"x", PING, fin=False), b"\x89\xfe\0\x80" + b"\0" * 132,
               ws.frame(b"a", BINARY_FIRST, fin=False) + ws.frame(b"b", BINARY_FIRST)]
        with self.unharmed():
            for data in bad:
                link = self.link("nodes", keys=self.keys("t2"))
                with contextlib.suppress(OSError):
                    link.sock.sendall(data)
                self.assertIn(link.end(), (1002, None), data[:8])

    def test_unmasked_frames_are_refused(self):
        with self.unharmed():
            link = self.link()
            link.sock.sendall(ws.frame(ws.message("GET", "login"), mask=False))
            self.assertEqual(link.end(), 1002)

    def test_floods_of_control_frames(self):
        with self.unharmed():
            for opcode in (PING, PONG):
                link = self.link("nodes", keys=self.keys("t2"))
                link.sock.sendall(ws.frame(b"", opcode) * 100)
                self.assertEqual(link.ask("GET", "nothing")[0], 404, "some at once are in order")
                link.sock.sendall(ws.frame(b"", opcode) * 400)
                self.assertEqual(link.end(), 1008)
                flood = self.link("nodes", keys=self.keys("t2"))
                with contextlib.suppress(OSError):
                    for _ in range(400):
                        flood.sock.sendall(ws.frame(b"", opcode) * 2000)
                self.assertIn(flood.end(), (1008, None))

    def test_pings_are_answered(self):
        link = self.link("nodes", keys=self.keys("t2"))
        link.send(b"hi", PING)
        self.assertEqual(link.frame(), (PONG, True, b"hi"))

    def test_message_in_pieces(self):
        """Cut anywhere, several in one, one in several messages: the same."""
        link = self.link("nodes", keys=self.keys("t2"))
        one = ws.message("GET", "nothing")
        for size in (1, 3, 50):
            for at in range(0, len(one), size):
                link.send(one[at:at + size])
            self.assertEqual(ws.parse(link.receive()[1])[0]["status"], 404)
        link.send(one * 1 + ws.message("GET", "nothing"))
        for _ in range(2):
            self.assertEqual(ws.parse(link.receive()[1])[0]["status"], 404)
        parts = [one[at:at + 8] for at in range(0, len(one), 8)]
        for number, part in enumerate(parts):
            link.send(part, BINARY_FIRST if number == 0 else 0, fin=number == len(parts) - 1)
        self.assertEqual(ws.parse(link.receive()[1])[0]["status"], 404)

    def test_slow_readers(self):
        with self.unharmed() as before:
            links = [self.link("nodes", keys=self.keys("t2")) for _ in range(1)] + [self.link() for _ in range(20)]
            for link in links:
                link.sock.settimeout(0.2)
                with contextlib.suppress(OSError):
                    for _ in range(20000):
                        link.send(ws.message("GET", "methods"))
            self.assertLess(rss_mib(self.cloud.pid) - before, ROOM_MIB)
            self.good()

    def test_bodies_without_end(self):
        with self.unharmed() as before:
            for head in (b"Content-Length: 314572800\r\n", b"Transfer-Encoding: chunked\r\n"):
                sock = self.tls()
                sock.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
                with contextlib.suppress(OSError):
                    for _ in range(300):
                        sock.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
                self.assertLess(rss_mib(self.cloud.pid) - before, ROOM_MIB)

    def test_slow_things_while_a_good_client_works(self):
        """Half headers, silent TLS, half TLS, half bodies, links that say nothing: all at once, all gone in time."""
        with self.unharmed(room=3 * ROOM_MIB):  # 1200 connections with their TLS and header buffers
            silent = self.silent("people", 300) + self.silent("nodes", 300)
            halves = []
            for number in range(600):
                sock = self.tls("people" if number % 2 else "nodes")
                sock.sendall(b"GET /api/login HTTP/1.1\r\nHost: local")
                sock.setblocking(False)
                halves.append(sock)
            body = self.tls()
            body.sendall(b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            mute = [self.link().sock, self.link("nodes").sock]
            for sock in [body] + mute + silent:
                sock.setblocking(False)
            begin = time.monotonic()
            while time.monotonic() - begin < 4:  # a byte now and then does not help
                self.good(3)
                for sock in halves + [body]:
                    with contextlib.suppress(OSError):
                        sock.send(b"a")
            self.all_closed(halves + silent + mute + [body], SLOW_S)

    def test_half_requests_then_reset(self):
        with self.unharmed():
            for number in range(100):
                sock = self.tls("people" if number % 2 else "nodes")
                sock.sendall(b"GET /link HTTP/1.1\r\nHost: x\r\nUpgr"[:number % 34 + 1])
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()

    def test_reset_while_an_answer_is_due(self):
        """Once the daemon kept these connections, and its loop turned for them for ever."""
        def descriptors():
            return len(os.listdir(f"/proc/{self.cloud.pid}/fd"))
        with self.unharmed():
            before = descriptors()
            for number in range(40):
                sock = self.tls()
                sock.sendall(b"GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n" * (1 + number % 2))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0" if number % 4 < 2 else b"\0" * 8)
                sock.close()
            wait_until(lambda: descriptors() <= before, 10, "the connections are gone")

    def test_readers_of_a_watch_that_go_are_noticed(self):
        """Nothing is ever sent there again that could tell."""
        body = json.dumps({"name": "alice", "password": "correct horse"})
        ticket = self.request("POST", "/api/login", body, {"Content-Type": "application/json"})[1]["ticket"]
        ask = f"GET /api/hold HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer {ticket}\r\n\r\n".encode()
        with self.unharmed():
            before = descriptors(self.cloud.pid)
            for number in range(6):
                sock = self.tls()
                sock.sendall(ask)
                seen = b""
                while b"data: {}" not in seen:
                    part = sock.recv(4096)
                    self.assertTrue(part, seen)
                    seen += part
                if number % 2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.close()
            wait_until(lambda: descriptors(self.cloud.pid) <= before, 10, "the connections are gone")

    def test_post_with_an_empty_body(self):
        self.assertEqual(self.request("POST", "/api/nothing", b"")[0], 401)

    # ---- reload ----

    @contextlib.contextmanager
    def profile_changed(self, change):
        path = os.path.join(self.dir, "cloud.yaml")
        what = self.profile()
        change(what["transports"])
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(what))
        said = self.door.call("POST", "reload", {})
        yield {entry["path"]: entry["action"] for entry in said["changes"]}
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(self.profile()))
        self.door.call("POST", "reload", {})

    def test_reload_in_place(self):
        """Origins, limits and the like: nobody notices."""
        stream, link = self.stream("echo"), self.link()

        def change(transports):
            transports["people"]["origins"] = [ORIGIN, "https://new.example"]
            transports["people"]["max-connections"] = 1500
            transports["nodes"]["idle"] = "500s"
        node = self.link("nodes", keys=self.keys("t1"))
        with self.profile_changed(change) as changes:
            self.assertEqual((changes["transports.people"], changes["transports.nodes"]), ("reloaded", "reloaded"))
            wait_until(lambda: self.request("GET", "/api/login", headers={"Origin": "https://new.example"})[0] == 401, 5, "new origin")
            self.assertEqual(link.ask("GET", "login")[0], 401)
            self.assertEqual(node.ask("GET", "nothing")[0], 404)
            stream.send(b"still here")
            self.assertEqual(stream.receive(), (ws.BINARY, b"still here"))
        wait_until(lambda: self.request("GET", "/api/login", headers={"Origin": "https://new.example"})[0] == 403, 5, "old origins")

    def ask_behind_proxy(self, connection, address, ticket):
        connection.request("GET", "/api/status", headers={"X-Forwarded-For": f"203.0.113.7, {address}", "Authorization": f"Bearer {ticket}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def test_people_who_share_a_proxys_connection(self):
        """Each request has the address of its own asker, whoever used the connection before."""
        body = json.dumps({"name": "alice", "password": "correct horse"})
        ticket = self.request("POST", "/api/login", body, {"Content-Type": "application/json"})[1]["ticket"]
        with self.profile_changed(lambda transports: transports["people"].update({"proxies": ["127.0.0.0/8"]})):
            connection = http.client.HTTPSConnection("localhost", self.ports["people"], context=ws.context_of(self.ca), timeout=30)
            with contextlib.closing(connection):
                addresses = ("192.0.2.1", "192.0.2.9", "192.0.2.1", "nonsense")
                self.assertEqual([self.ask_behind_proxy(connection, address, ticket) for address in addresses], [200, 404, 200, 404])

    def test_reload_that_moves_the_door(self):
        """Replaced: its streams go on until they end."""
        stream, link, other = self.stream("echo"), self.link(), free_port()
        with self.profile_changed(lambda transports: transports["people"].update({"listen": f"127.0.0.1:{other}"})) as changes:
            self.assertEqual(changes["transports.people"], "replaced")
            self.assertEqual(link.end(), 1001)
            wait_until(lambda: ws.tls(("127.0.0.1", other), self.ca), 5, "new door").close()
            for _ in range(20):
                stream.send(b"x" * 10000)
                self.assertEqual(len(b"".join(self.some(stream, 10000))), 10000)
            with self.assertRaises(OSError):
                self.tls()
            stream.send(b"eof", ws.TEXT)
            self.assertEqual(self.read_all(stream), b"")
            self.assertEqual(stream.end(), 1000)
        wait_until(self.opens, 5, "old door again")
        self.good()

    def held(self, count):
        """Connections on which a request of alice's waits for its answer, until somebody POSTs release."""
        body = json.dumps({"name": "alice", "password": "correct horse"})
        ticket = self.request("POST", "/api/login", body, {"Content-Type": "application/json"})[1]["ticket"]
        connections = [http.client.HTTPSConnection("localhost", self.ports["people"], context=ws.context_of(self.ca), timeout=30) for _ in range(count)]
        for connection in connections:
            self.addCleanup(connection.close)
            connection.request("POST", "/api/hold", b"", {"Authorization": f"Bearer {ticket}"})
        return connections

    @staticmethod
    def status_that_came(connection):
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def test_a_door_that_goes_while_answers_are_due(self):
        """Removed, and replaced: who waits gets the answer when it comes, at a listener that takes nobody any more; who has gone is not looked for."""
        changes = (("removed", lambda transports: transports.pop("people")), ("replaced", lambda transports: transports["people"].update({"listen": f"127.0.0.1:{free_port()}"})))
        for action, change in changes:
            with self.subTest(action):
                self.door.call("POST", "release", {})
                waiting, gone = self.held(20), self.held(10)
                link = self.link("nodes", keys=self.keys("t1"))
                self.assertEqual(link.ask("GET", "nothing")[0], 404)
                with self.profile_changed(change) as said:
                    self.assertEqual(said["transports.people"], action)
                    for connection in gone:
                        connection.close()
                    with self.assertRaises(OSError):
                        self.tls()
                    self.assertEqual(link.ask("GET", "nothing")[0], 404)
                    self.assertGreaterEqual(self.door.call("POST", "release", {})["released"], 20)
                    self.assertEqual([self.status_that_came(connection) for connection in waiting], [200] * 20)
                    self.assertEqual(link.ask("GET", "nothing")[0], 404)
                wait_until(self.opens, 5, "the door is there again")
                self.good()

    def some(self, stream, size):
        while size > 0:
            data = stream.receive()[1]
            size -= len(data)
            yield data

    def opens(self):
        try:
            self.tls()
        except OSError:
            return False
        return True

    # ---- certificates ----

    def serial(self, door):
        with contextlib.closing(ws.tls(self.at(door), self.ca)) as sock:
            return sock.getpeercert()["serialNumber"]

    def test_new_certificate_without_a_restart(self):
        link = self.link("nodes", keys=self.keys("t1"))  # who is known: others have 10 s, and a file is looked at every 10 s
        before = self.serial("people")
        subprocess.run([KEYS, self.dir, "cloud:server"], check=True)
        for door in self.ports:
            wait_until(lambda: self.serial(door) != before, 60, f"new certificate in use at {door}", every=0.5)
        self.assertEqual(link.ask("GET", "nothing")[0], 404)
        self.good()


BINARY_FIRST, PING, PONG = ws.BINARY, ws.PING, ws.PONG

tap.main()
