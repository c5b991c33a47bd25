# SPDX-License-Identifier: LGPL-2.1-or-later
"""The direct carrier in a real fleet: sessions with the entry `stream` go over TLS from the terminal to the cloud, others by SSH, and what comes
to its listener and is no terminal's business gets nothing."""
import contextlib
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import threading

import tap
from fakes.impair import Impair
from lab import ws
from lab.case import FleetCase
from lab.wait import free_port, wait_until


def word(**fields):
    text = json.dumps(fields).encode()
    return struct.pack(">H", len(text)) + text


@contextlib.contextmanager
def listening(port, keys):
    """A TLS server that is none of the cloud's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{keys}/node.crt", f"{keys}/node.key")

    def serve():
        while True:
            try:
                sock = server.accept()[0]
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as shaken:
                shaken.recv(1)
    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


class Direct(FleetCase):
    def start_direct(self, advertise=None, **how):
        self.port = free_port()

        def change(fleet):
            fleet.cloud.profile["transports"]["direct"] = {"type": "tls", "listen": f"{fleet.host}:{self.port}", "login": ["tokens"],
                                                           "advertise": advertise}
            fleet.cloud.profile["services"]["access"]["tunnels"] = ["tunnels", "direct"]
            node = fleet.terminal
            node.profile["transports"]["direct"] = {"type": "tls"}
            node.profile["services"]["agent"]["carriers"] = ["direct"]
        return self.start_fleet(change=change, **how)

    def stream(self, row):
        """A person's stream of this session, by a ticket."""
        ticket = self.alice.call("POST", f"sessions/{row['session']}/stream")["ticket"]
        sock = ws.tls((self.fleet.host, self.fleet.ports["people"]), self.fleet.ca, host=self.fleet.host)
        self.addCleanup(sock.close)
        return ws.WebSocket(sock, f"/stream/{ticket}")

    def exchange_by(self, stream, data=b"are you there?"):
        stream.send(data)
        got = b""
        while len(got) < len(data):
            got += stream.receive()[1]
        self.assertEqual(got, data)

    def established(self, port):
        with open(f"/proc/{self.fleet.cloud.pid}/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return len([row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"])

    def open_direct(self):
        row = self.alice.open("t1", "echo", entry="stream", in_advance=True)
        self.assertEqual(row["tunnel"], "direct")
        return row

    def test_a_session(self):
        """From the request to the last byte, and both ways out: closed by the person, and by time at both ends."""
        self.start_direct()
        row = self.open_direct()
        self.assertEqual((self.established(self.port), self.established(self.fleet.ports["ssh"])), (1, 0))
        one, two = self.stream(row), self.stream(row)
        self.exchange_by(one)
        self.exchange_by(two, bytes(range(256)) * 1000)
        self.assertEqual(self.established(self.port), 3)
        self.alice.close(row["session"])
        self.echo.wait(lambda device: device.open_count() == 0, 5, "the device's connections ended")
        over = self.fleet.wait_over(row["session"])
        wait_until(lambda: self.established(self.port) == 0, 5, "its connections are gone")
        history = wait_until(lambda: next((one for one in self.fleet.history(row["session"]) if one.get("cause")), None), 10, "a history row")
        self.assertEqual((history["cause"], history["bytes_up"]), ("closed by the user", 256014), over)
        row = self.open_direct()
        self.exchange_by(self.stream(row))
        self.fleet.advance(601)
        self.echo.wait(lambda device: device.open_count() == 0, 2, "the device's connection cut at the deadline")
        self.fleet.wait_over(row["session"])

    def test_others_go_by_ssh(self):
        """The entry `ports`, and a terminal that has no such carrier."""
        self.start_direct(terminals=("t1", "t2"))
        row = self.open()
        self.assertEqual(row["tunnel"], "tunnels")
        self.dial(row)
        bob = self.person("bob").at(self.fleet.terminals["t2"])
        self.assertEqual(bob.open("t2", entry="stream")["tunnel"], "tunnels")

    def test_a_lost_link_resumes(self):
        """All connections of the carrier die: the person's stream is cut, and the next generation comes by the same carrier."""
        proxy = self.enterContext(Impair(("127.0.0.1", 1)))
        self.start_direct(advertise=proxy.address)
        proxy.target = (self.fleet.host, self.port)
        row = self.open_direct()
        stream = self.stream(row)
        self.exchange_by(stream)
        proxy.command("cut")
        with self.assertRaises((ConnectionError, ssl.SSLError, TimeoutError)):
            while True:
                stream.receive()

        def again():
            now = self.fleet.session(row["session"])
            return now if now["state"] == "open" and now["generation"] == 2 else None
        now = wait_until(again, 20, "the next generation")
        self.assertEqual(now["tunnel"], "direct")
        self.exchange_by(self.stream(row))

    def test_a_reload_leaves_it_alone(self):
        """Both ends get new instances while it is open; it goes on by the old ones, and the next session by the new."""
        self.start_direct()
        row = self.open_direct()
        stream = self.stream(row)
        self.exchange_by(stream)
        for node in (self.fleet.cloud, self.fleet.terminal):
            node.profile["transports"]["direct"]["connections"] = 99
            node.write()
            self.assertIn("replaced", [row["action"] for row in node.call("POST", "reload")["changes"]])
        self.exchange_by(stream)
        self.exchange_by(self.stream(row))
        self.assertEqual(self.fleet.session(row["session"])["generation"], 1)
        self.alice.close(row["session"])
        self.fleet.wait_over(row["session"])
        self.exchange_by(self.stream(self.open_direct()))

    def test_a_reload_that_renames_it(self):
        """The terminal's transport gets another name while a session is open by it: the link is lost, and the session resumes."""
        proxy = self.enterContext(Impair(("127.0.0.1", 1)))
        self.start_direct(advertise=proxy.address)
        proxy.target = (self.fleet.host, self.port)
        row = self.open_direct()
        self.exchange_by(self.stream(row))
        profile = self.fleet.terminal.profile
        profile["transports"]["straight"] = profile["transports"].pop("direct")
        profile["services"]["agent"]["carriers"] = ["straight"]
        self.fleet.terminal.write()
        self.fleet.terminal.call("POST", "reload")
        proxy.command("cut")
        now = self.wait_generation(row, 2)
        self.assertEqual(now["tunnel"], "direct")
        self.exchange_by(self.stream(row))

    def wait_generation(self, row, generation):
        def again():
            now = self.fleet.session(row["session"])
            return now if now["state"] == "open" and now["generation"] == generation else None
        return wait_until(again, 20, f"generation {generation}")

    # ---- where it is not reached ----

    def open_by(self, tunnel, generation):
        row = self.alice.open("t1", "echo", entry="stream", in_advance=True)
        self.assertEqual((row["tunnel"], row["generation"]), (tunnel, generation))
        self.exchange_by(self.stream(row))
        return row

    def test_a_port_that_is_shut(self):
        """Two sessions come by SSH in their second generation, the next ones at once; after a minute the direct one is tried again, and is as
        good as ever."""
        closed = free_port()
        self.start_direct(advertise=f"127.0.0.1:{closed}")
        self.open_by("tunnels", 2)
        self.fleet.advance(11)
        self.open_by("tunnels", 2)
        self.open_by("tunnels", 1)
        self.assertEqual("".join(self.fleet.cloud.last_lines(10000)).count("does not reach the carrier 'tls'"), 1)
        self.assertIn("not reached  tls (not offered until ", self.fleet.farctl("terminals", "t1"))
        with Impair((self.fleet.host, self.port), listen=("127.0.0.1", closed)):  # the port is open by now
            self.fleet.advance(50)
            self.open_by("tunnels", 1)
            self.fleet.advance(11)
            self.open_by("direct", 1)
            self.assertNotIn("not reached", self.fleet.farctl("terminals", "t1"))

    def test_a_firewall_that_drops(self):
        """Something takes the connection and says nothing: after three seconds the session comes by SSH."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        silent.settimeout(10)
        self.start_direct(advertise=f"127.0.0.1:{silent.getsockname()[1]}")
        row = self.alice.request("t1", "echo", entry="stream", in_advance=True)
        taken = silent.accept()[0]
        self.addCleanup(taken.close)
        self.fleet.terminal.advance(2)
        self.assertNotEqual(self.fleet.session(row["session"])["state"], "open")
        self.fleet.terminal.advance(1.1)
        self.assertEqual(self.wait_generation(row, 2)["tunnel"], "tunnels")

    def test_somebody_else_is_there(self):
        """Another node of the fleet, and whoever has no certificate of the fleet, listen at the direct port: sessions come by SSH, which knows its
        other end by itself, and an event names who was found there."""
        port = free_port()
        self.start_direct(advertise=f"127.0.0.1:{port}", terminals=("t1", "t2"))
        own = f"{self.fleet.terminals['t2'].state}/keys"
        strange = f"{self.fleet.terminal.state}/strange"
        os.mkdir(strange)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=cloud",
                        "-keyout", f"{strange}/node.key", "-out", f"{strange}/node.crt"], check=True, capture_output=True)
        for keys in (own, strange):
            with self.subTest(keys=keys), listening(port, keys):
                self.open_by("tunnels", 2)
            self.fleet.advance(11)
        said = "".join(self.fleet.terminal.last_lines(10000))
        line = next(line for line in said.splitlines() if "somebody else answers" in line)
        self.assertIn("warning", line)
        self.assertIn("node 'cloud'", line)
        self.assertEqual(len(set(re.findall("sha256:[0-9a-f]{64}", line))), 2, line)

    def test_a_session_that_is_open_when_the_port_is_shut(self):
        """The link is lost, what it would come back by is not reached: the next generation is by SSH, until the same deadline."""
        with Impair(("127.0.0.1", 1)) as proxy:
            self.start_direct(advertise=proxy.address)
            proxy.target = (self.fleet.host, self.port)
            row = self.open_direct()
            self.exchange_by(self.stream(row), b"x" * 1000)
            self.fleet.advance(300)
        now = self.wait_generation(row, 3)
        self.assertEqual(now["tunnel"], "tunnels")
        self.exchange_by(self.stream(row), b"y" * 500)
        self.assertEqual(now["deadline"], row["deadline"])
        self.fleet.advance(301)
        self.echo.wait(lambda device: device.open_count() == 0, 2, "the device's connection cut at the deadline")
        over = self.fleet.wait_over(row["session"])
        self.assertEqual((over["cause"], over["bytes_up"]), ("deadline", 1500))

    def test_a_profile_that_lets_it_not_dial_there(self):
        """`tunnel-ends` that name the SSH port alone were written before the direct carrier: sessions come by SSH, as they did."""
        self.start_direct()
        agent = self.fleet.terminal.profile["services"]["agent"]
        agent["tunnel-ends"] = [f"{self.fleet.host}:{self.fleet.ports['ssh']}"]
        self.fleet.terminal.write()
        self.fleet.terminal.call("POST", "reload")
        self.open_by("tunnels", 2)
        self.fleet.advance(11)
        self.open_by("tunnels", 2)
        self.open_by("tunnels", 1)
        self.assertEqual(self.established(self.port), 0)

    def test_a_profile_that_lets_it_not_dial_there_and_nothing_else(self):
        """The cloud has the direct carrier alone: it is offered a few times, and the person hears why nothing comes of it."""
        self.start_direct()
        self.fleet.cloud.profile["services"]["access"]["tunnels"] = ["direct"]
        self.fleet.terminal.profile["services"]["agent"]["tunnel-ends"] = [f"{self.fleet.host}:{self.fleet.ports['ssh']}"]
        for node in (self.fleet.cloud, self.fleet.terminal):
            node.write()
            node.call("POST", "reload")
        row = self.alice.request("t1", "echo", entry="stream", in_advance=True)
        over = wait_until(lambda: (self.fleet.advance(1), self.fleet.session(row["session"]))[1]["state"] == "closed", 20, "given up")
        self.assertTrue(over)
        row = self.fleet.session(row["session"])
        self.assertLess(row["generation"], 10, row)
        self.assertIn("cannot reach", row["cause"])

    def test_a_reload_forgets(self):
        """Whoever has opened the port reloads, and need not wait."""
        self.start_direct(advertise=f"127.0.0.1:{free_port()}")
        self.open_by("tunnels", 2)
        self.fleet.advance(11)
        self.open_by("tunnels", 2)
        self.open_by("tunnels", 1)
        access = self.fleet.cloud.profile["services"]["access"]
        self.fleet.cloud.profile["transports"]["direct"]["advertise"] = None
        access["grace"] = "9s"
        self.fleet.cloud.write()
        self.fleet.cloud.call("POST", "reload")
        self.open_by("direct", 1)

    def test_no_other_way(self):
        """Where there is none the direct one is tried for as long as any."""
        closed = free_port()
        self.start_direct(advertise=f"127.0.0.1:{closed}")
        self.fleet.cloud.profile["services"]["access"]["tunnels"] = ["direct"]
        self.fleet.cloud.write()
        self.fleet.cloud.call("POST", "reload")
        row = self.alice.request("t1", "echo", entry="stream", in_advance=True)
        wait_until(lambda: self.fleet.session(row["session"])["generation"] >= 2, 10, "another try")
        with Impair((self.fleet.host, self.port), listen=("127.0.0.1", closed)):
            now = wait_until(lambda: (self.fleet.advance(1), self.fleet.session(row["session"]))[1]["state"] == "open", 20, "open")
            self.assertTrue(now)

    # ---- what else may come ----

    def connect(self, keys=None):
        context = ssl.create_default_context(cafile=self.fleet.ca)
        context.check_hostname = False
        if keys:
            context.load_cert_chain(f"{keys}/node.crt", f"{keys}/node.key")
        sock = socket.create_connection((self.fleet.host, self.port), timeout=10)
        self.addCleanup(sock.close)
        return context.wrap_socket(sock)

    def gets(self, data, keys=None):
        """What is answered before the end; the certificate may be refused after the client's own end of the handshake."""
        got = b""
        try:
            sock = self.connect(keys)
            sock.sendall(data)
            while part := sock.recv(4096):
                got += part
        except (ConnectionError, ssl.SSLError):
            pass
        return got

    def test_hostile(self):
        self.start_direct()
        row = self.open_direct()
        stream = self.stream(row)
        self.exchange_by(stream)
        session, keys = row["session"], f"{self.fleet.terminal.state}/keys"
        refused = word(no="refused").replace(b": ", b":")
        refused = struct.pack(">H", len(refused) - 2) + refused[2:]
        hello = word(v=1, session=session, token="x" * 40)
        for data, cert, wanted in (
                (hello, None, b""),  # nobody's certificate
                (hello, keys, refused),  # a token that is none
                (word(v=1, session="nosuch", token="x" * 40), keys, refused),
                (word(v=2, session=session, token="x" * 40), keys, refused),
                (word(v=1, session=session), keys, refused),
                (word(v=1, session=7, token="x"), keys, refused),
                (word(v=1, session=session, stream=1, word="guess"), keys, b""),
                (word(v=1, session=session, stream=-1, word=None), keys, b""),
                (word(v=1, session=session, stream=2 ** 62, word="w" * 500), keys, b""),
                (b"\x00\x00", keys, b""), (b"\xff\xff" + b"x" * 70000, keys, b""), (b"\x04\x01" + b"{", keys, b""),
                (b"\x00\x02[]", keys, b""), (b"\x00\x08{\"a\":1,,", keys, b""), (b"\x00\x0e{\"v\":1,\"v\":1}", keys, b""),
                (b"GET / HTTP/1.1\r\n\r\n", keys, b"")):
            with self.subTest(data=data[:60], cert=bool(cert)):
                self.assertEqual(self.gets(data, cert), wanted)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 60000, b"\0" * 100):
            with socket.create_connection((self.fleet.host, self.port), timeout=10) as plain:
                try:
                    plain.sendall(data)
                    while plain.recv(4096):
                        pass
                except ConnectionError:
                    pass
        silent = socket.create_connection((self.fleet.host, self.port), timeout=10)
        self.addCleanup(silent.close)
        quiet = self.connect(keys)
        wait_until(lambda: self.established(self.port) >= 4, 5, "both are in")
        self.fleet.cloud.advance(11)
        for sock in (silent, quiet):
            try:
                self.assertEqual(sock.recv(1), b"")
            except (ConnectionError, ssl.SSLError):
                pass
        self.exchange_by(stream, b"still here")  # nothing of this has touched the session


if __name__ == "__main__":
    tap.main()
