# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's half of a link between nodes: whom it trusts, how it comes back, what it costs at rest."""
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import tap
from lab import control, profile, ws
from lab.attacks import certs
from lab.process import Process
from lab.wait import free_port, wait_until

BUILD = os.environ["FARWATCH_TEST_BUILDDIR"]
KEYS = os.path.join(BUILD, "tests", "integration", "fleet-keys")


class Relay:
    """A TCP relay that can be cut, stopped and held, and that counts."""

    def __init__(self, port):
        self.to, self.pairs, self.bytes, self.connections = ("127.0.0.1", port), [], 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection(self.to)
            except OSError:
                near.close()
                continue
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self.bytes += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for pair in self.pairs:
            for sock in pair:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()

    def close(self):
        self.cut()
        self.listener.close()


class Links(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fwl-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.faults, self.env = [], None
        self.port = free_port()
        self.keys("cloud:server", "t1", "t2")
        self.ca = os.path.join(self.dir, "ca", "ca.crt")

    def tearDown(self):
        self.assertEqual(self.faults, [])

    def keys(self, *nodes):
        subprocess.run([KEYS, self.dir, *nodes], check=True)

    def node(self, name, transports, node=None, **more):
        """name, whose keys are those of node, once it is ready."""
        process = self.spawn(name, transports, node, **more)
        process.wait_notice("READY=1", 30)
        return process

    def spawn(self, name, transports, node=None, **more):
        what = {"farwatch": 1, "node": {"id": name, "state": os.path.join(self.dir, node or name),
                                        "control": os.path.join(self.dir, f"{name}.sock")}, "transports": transports, **more}
        path = os.path.join(self.dir, f"{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile.text(what))
        process = Process([os.path.join(BUILD, "farwatchd"), "--profile", path], os.path.join(self.dir, f"{name}.log"), env=self.env, notify=True)
        self.addCleanup(lambda: self.faults.extend(process.stop(idle=True)))
        return process

    def server(self, **options):
        return self.node("cloud", {"nodes": {"type": "websocket", "listen": f"127.0.0.1:{self.port}", **options}})

    def client(self, name="t1", port=None, host="localhost", **options):
        connect = f"wss://{host}:{port or self.port}"
        return self.node(name, {"cloud": {"type": "websocket", "connect": connect, "reconnect": "100ms", **options}})

    def test_comes_up_and_says_with_whom(self):
        server, client = self.server(), self.client()
        client.wait_line("link to cloud is up")
        server.wait_line("link to t1 is up, 127.0.0.1")

    def test_comes_back_after_the_server(self):
        server, client = self.server(), self.client()
        client.wait_line("link to cloud is up")
        self.assertEqual(server.stop(), [])
        client.wait_line("link to cloud is down")
        mark = client.mark()
        self.server()
        client.wait_line("link to cloud is up", 20, since=mark)

    def test_comes_back_after_a_cut(self):
        relay = Relay(self.port)
        self.addCleanup(relay.close)
        server, client = self.server(), self.client(port=relay.port)
        client.wait_line("link to cloud is up", 20)
        server.wait_line("link to t1 is up", 20)
        for _ in range(5):
            mark, there = client.mark(), server.mark()
            relay.cut()
            client.wait_line("link to cloud is down", 10, since=mark)
            client.wait_line("link to cloud is up", 20, since=mark)
            server.wait_line("link to t1 is up", 10, since=there)

    def test_tries_more_and_more_rarely(self):
        relay = Relay(1)  # nobody answers behind it
        self.addCleanup(relay.close)
        client = self.client(port=relay.port)
        client.wait_line("no link to localhost")
        wait_until(lambda: relay.connections >= 4, 20, "several tries")
        with self.assertRaises(AssertionError):  # doubling from 100 ms: not many in two seconds
            wait_until(lambda: relay.connections >= 40, 2)
        self.assertEqual(sum("no link to" in line for line in client.lines), 1, "complains rarely")

    def test_server_by_its_name_only(self):
        self.server()
        self.client(host="127.0.0.1", name="t2").wait_line("link to cloud is up")
        wrong = self.node("t1", {"cloud": {"type": "websocket", "connect": f"wss://localhost:{self.port}", "reconnect": "100ms",
                                           "name": "other.example"}})
        wrong.wait_line("certificate is not for 'other.example'")
        self.assertFalse(any("is up" in line for line in wrong.lines))

    def test_port_for_people_is_no_server(self):
        """It would take the link and know nobody by it; also when a session could be resumed."""
        self.node("cloud", {"people": {"type": "https", "listen": f"127.0.0.1:{self.port}", "login": ["people"]}},
                  authenticators={"people": {"type": "file", "path": "people"}})
        relay = Relay(self.port)
        self.addCleanup(relay.close)
        client = self.client(port=relay.port)
        client.wait_line("no link to localhost.*is it the port for people?")
        wait_until(lambda: relay.connections >= 3, 20, "several tries")
        self.assertFalse(any("is up" in line for line in client.lines))

    def test_strangers_leave_a_trace(self):
        """A proxy that sends a header nobody expects, a client of another protocol: the server's log names who it was."""
        server = self.server()
        for data in (b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c" + b"\x7f\0\0\1" * 2 + b"\0\1\0\1", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
                sock.sendall(data)
                with contextlib.suppress(ConnectionError):
                    while sock.recv(1000):
                        pass
        server.wait_line("TLS handshake of 127.0.0.1 failed: it does not speak TLS")
        self.assertEqual(sum("TLS handshake of" in line for line in server.lines), 1, "complains rarely")

    def odd_certificates(self):
        """(folder with a certificate that no node may show, what the log says of it)."""
        ours, key = certs.Authority(os.path.join(self.dir, "ca")), certs.Key()
        subprocess.run([KEYS, os.path.join(self.dir, "foreign"), "t1"], check=True)
        yield os.path.join(self.dir, "foreign", "t1", "keys"), "not from this fleet's authority"
        for name, how, said in (("expired", {"days": (-30, -1)}, "expired"), ("server", {"purposes": (certs.SERVER,)}, "not for a TLS client")):
            folder = os.path.join(self.dir, name)
            os.mkdir(folder)
            for file, text in (("node.crt", certs.pem("CERTIFICATE", certs.certificate(key, ours.key, ours.subject, **how))), ("node.key", key.pem())):
                with open(os.path.join(folder, file), "w", encoding="ascii") as out:
                    out.write(text)
            yield folder, said

    def test_refused_certificates_leave_a_trace(self):
        """Of another authority, out of its time, for another purpose: each gets its line with its cause, once, and every one counts."""
        server, times = self.server(), 3
        door = control.Control(os.path.join(self.dir, "cloud.sock"))
        self.addCleanup(door.close)
        for number, (keys, said) in enumerate(self.odd_certificates(), 1):
            with self.subTest(said):
                for _ in range(times):
                    with self.assertRaises(OSError):
                        ws.WebSocket(ws.tls(("127.0.0.1", self.port), self.ca, keys=keys))
                server.wait_line(f"certificate refused, 127.0.0.1: .*{said}")
                self.assertEqual(sum("certificate refused, " in line for line in server.lines), number, "one line for each kind")
                self.assertEqual(door.call("GET", "status")["refused"]["certificates"], number * times)
        self.assertFalse(any("link to" in line for line in server.lines))

    def test_foreign_server(self):
        subprocess.run([KEYS, os.path.join(self.dir, "foreign"), "cloud:server"], check=True)
        shutil.rmtree(os.path.join(self.dir, "cloud"))
        shutil.copytree(os.path.join(self.dir, "foreign", "cloud"), os.path.join(self.dir, "cloud"))
        server = self.server()
        client = self.client()
        client.wait_line("not from this fleet's authority")
        self.assertFalse(any("is up" in line for line in client.lines + server.lines))

    def test_server_from_the_future(self):
        """The TLS library's own check lets such a certificate pass."""
        self.keys("cloud:server:in=3")
        self.server()
        self.client().wait_line("certificate is not valid before")

    def test_terminal_is_no_server(self):
        self.keys("cloud")
        self.server()
        self.client().wait_line("not for a TLS server")

    def test_node_from_the_future_is_refused(self):
        self.keys("t1:in=3")
        sock = ws.tls(("127.0.0.1", self.server() and self.port), self.ca, keys=os.path.join(self.dir, "t1", "keys"))
        self.addCleanup(sock.close)
        with self.assertRaises(OSError):
            ws.WebSocket(sock)

    def test_without_a_certificate_it_comes_as_nobody(self):
        os.unlink(os.path.join(self.dir, "t1", "keys", "node.crt"))
        server = self.server()
        client = self.client()
        client.wait_line("link to cloud is up")
        self.assertFalse(any("link to t1 is up" in line for line in server.lines))
        self.keys("t1")  # enrolled: the next connection shows it
        server.wait_line("link to t1 is up", 40)

    def test_out_of_its_time_it_comes_as_nobody(self):
        """Its clock is three days ahead, its certificate good for one."""
        self.keys("t1:days=1")
        server = self.server()
        self.env = {"FARWATCH_TEST_CLOCK": "1", "FARWATCH_TEST_STEP_S": str(3 * 86400)}
        self.client().wait_line("link to cloud is up")
        self.assertFalse(any("link to t1 is up" in line for line in server.lines))

    def test_authority_by_hash(self):
        with open(self.ca, encoding="ascii") as file:
            name = "sha256:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
        os.unlink(os.path.join(self.dir, "t1", "keys", "ca.crt"))
        self.server()
        self.client(**{"ca-hash": name}).wait_line("link to cloud is up")
        os.unlink(os.path.join(self.dir, "t2", "keys", "ca.crt"))
        wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
        self.client("t2", **{"ca-hash": wrong}).wait_line("does not show the fleet's authority")

    def answered(self, answer):
        """A client whose server, one of the fleet, gives this answer a byte at a time and ends."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.dir, "cloud", "keys", "node.crt"), os.path.join(self.dir, "cloud", "keys", "node.key"))
        listening = socket.create_server(("127.0.0.1", 0))

        def serve():
            with contextlib.suppress(OSError), listening, context.wrap_socket(listening.accept()[0], server_side=True) as sock:
                sock.recv(65536)
                for at in range(len(answer)):
                    sock.sendall(answer[at:at + 1])

        threading.Thread(target=serve, daemon=True).start()
        return self.node("t1", {"cloud": {"type": "websocket", "connect": f"wss://localhost:{listening.getsockname()[1]}"}})

    def test_answers_that_are_none(self):
        """The cause is told whatever comes, in however small pieces."""
        body = b'{"message": "come tomorrow"}'
        for answer, cause in ((b"HTTP/1.1 403 no\r\nContent-Length: %d\r\n\r\n" % len(body) + body, "the server says 403: come tomorrow"),
                              (b"HTTP/1.1 101 yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n",
                               "the answer is not that of a WebSocket server"),
                              (b"HTTP/1.1 200 yes\r\nX: " + b"x" * 9000, "no good HTTP .a line is too long: 4096 bytes at most"),
                              (b"SSH-2.0-other\r\n\r\n", "no good HTTP .*right port"),
                              (b"HTTP/1.1 101", "no link to localhost:[0-9]*: connection lost")):
            with self.subTest(cause=cause):
                client = self.answered(answer)
                client.wait_line(cause, 30)
                self.faults.extend(client.stop())

    def test_silent_link_is_cut(self):
        server = self.server(idle="1s")
        client = self.client()
        client.wait_line("link to cloud is up")
        server.wait_line("link to t1 is down: silent for too long", 10)

    def test_rest_costs_no_bytes(self):
        """A link without messages sends nothing at all: the poll is the keep-alive."""
        relay = Relay(self.port)
        self.addCleanup(relay.close)
        server, client = self.server(), self.client(port=relay.port)
        client.wait_line("link to cloud is up")
        server.wait_line("link to t1 is up")
        with self.assertRaises(AssertionError):  # session tickets may still come; then nothing does
            wait_until(lambda: False, 1)
        before = relay.bytes
        with self.assertRaises(AssertionError):
            wait_until(lambda: relay.bytes != before, 3)

    def test_two_with_the_same_certificate(self):
        """A copied node shows: each new link closes the other, and it is said."""
        server = self.server()
        first = self.client()
        first.wait_line("link to cloud is up")
        shutil.copytree(os.path.join(self.dir, "t1", "keys"), os.path.join(self.dir, "copy", "keys"))
        self.node("t1b", {"cloud": {"type": "websocket", "connect": f"wss://localhost:{self.port}", "reconnect": "100ms"}}, node="copy")
        server.wait_line("t1 came again, from 127.0.0.1")
        first.wait_line("link to cloud is down")

    def test_bad_options(self):
        for options in ({}, {"listen": "127.0.0.1:0", "connect": "wss://a:1"}):
            with self.subTest(options):
                process = self.node("t1", {"cloud": {"type": "websocket", **options}})
                process.wait_line("write either listen")
                self.assertEqual(process.stop(), [])

    def test_no_address_of_a_server(self):
        """The profile is refused: nothing runs."""
        process = self.spawn("t1", {"cloud": {"type": "websocket", "connect": "http://a:1"}})
        process.expect_end = True
        process.wait_line("'http://a:1' is not meant; write wss://host:port")

    def test_missing_and_wrong_keys(self):
        keys = os.path.join(self.dir, "cloud", "keys")
        shutil.copy(os.path.join(self.dir, "t1", "keys", "node.key"), os.path.join(keys, "node.key"))
        process = self.server()
        process.wait_line(r"keys/node\.key: this key does not belong to the certificate")
        self.assertEqual(process.stop(), [])
        os.unlink(os.path.join(keys, "node.crt"))
        process = self.server()
        process.wait_line(r"keys/node\.crt is not there yet: `farctl ca init --profile FILE`")
        self.assertEqual(process.stop(), [])
        self.keys("cloud:server")
        os.unlink(os.path.join(keys, "ca.crt"))
        self.server().wait_line(r"keys/ca\.crt is not there yet")


tap.main()
