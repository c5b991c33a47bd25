# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the registrar does with bad input from a relay that has a certificate, and from who has none: the torture messages of RFC 4475 and RFC 5118,
duplicates of each header that may stand once, pieces of messages, silence. Behind each of them somebody else is served (a liveness probe)."""
import glob
import os
import re
import socket
import ssl
import time

import tap
from lab.sip import DOMAIN, SipCase
from lab.wait import wait_until

DATA = os.path.join(os.environ.get("FARWATCH_TEST_SRCDIR", "."), "tests", "data", "sip-torture")

# What RFC 4475 wants of a proxy or registrar, as far as this one comes to it: everything it lets through so far is from a sender who has not
# proved to be in From (403), which is asked behind the form, the scheme, the hops and the extensions.
CODES = {"badvers": 505, "bext01": 420, "unkscm": 416, "novelsc": 416, "unksm2": 403, "zeromf": 483, "ltgtruri": 400, "lwsruri": 400, "lwsstart": 400,
         "trws": 400, "mismatch01": 400, "mismatch02": 400, "insuf": 400, "ncl": 400, "mcl01": 400, "clerr": None, "scalar02": 400, "multi01": 400,
         "escnull": 403, "bigcode": None, "scalarlg": None, "unreason": None, "noreason": None, "cparam01": 403, "cparam02": 403, "regescrt": 403,
         "regaut01": 403, "inv2543": None}

SINGLE = [b"From: <sip:R1@sip.example.net>;tag=2", b"f: <sip:R1@sip.example.net>;tag=2", b"To: <sip:R2@sip.example.net>", b"t: <sip:R2@sip.example.net>",
          b"Call-ID: other", b"i: other", b"CSeq: 9 ACCESS", b"Content-Length: 0", b"l: 0", b"Max-Forwards: 3"]
TWICE = [b"Subject: a", b"s: a", b"Date: Sat, 13 Nov 2010 23:29:00 GMT", b"Expires: 3", b"Min-Expires: 3", b"Content-Type: text/plain", b"c: text/plain",
         b"Content-Disposition: render", b"MIME-Version: 1.0", b"Organization: x", b"Priority: urgent", b"Reply-To: <sip:a@b>", b"Server: x",
         b"User-Agent: x", b"Timestamp: 1", b"Event: x", b"o: x", b"Retry-After: 3", b"Refer-To: <sip:a@b>", b"r: <sip:a@b>", b"Referred-By: <sip:a@b>",
         b"b: <sip:a@b>", b"Replaces: a;to-tag=1;from-tag=2", b"Session-Expires: 90", b"x: 90", b"Min-SE: 90", b"RSeq: 1", b"RAck: 1 1 INVITE",
         b"SIP-ETag: x", b"SIP-If-Match: x", b"Subscription-State: active", b"Target-Dialog: a;local-tag=1;remote-tag=2", b"Identity: x", b"y: x"]
LISTS = [b"Supported: a", b"Require: a", b"Allow: INVITE", b"Accept: text/plain", b"Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKq", b"Contact: <sip:a@b>",
         b"Record-Route: <sip:a;lr>", b"Warning: 399 a \"b\"", b"P-Asserted-Identity: <sip:a@b>", b"Privacy: id", b"Unsupported: a", b"Reason: SIP;cause=1",
         b"Call-Info: <http://a>", b"Alert-Info: <http://a>", b"Error-Info: <sip:a>", b"In-Reply-To: a", b"Content-Language: en", b"Content-Encoding: x",
         b"Accept-Contact: *", b"Reject-Contact: *", b"Request-Disposition: proxy", b"Join: a;to-tag=1;from-tag=2", b"Path: <sip:a;lr>",
         b"Service-Route: <sip:a;lr>", b"Security-Client: tls", b"History-Info: <sip:a>", b"Authorization: Digest realm=\"x\"",
         b"Proxy-Authorization: Digest realm=\"x\"", b"WWW-Authenticate: Digest realm=\"x\"", b"Proxy-Authenticate: Digest realm=\"x\"",
         b"Authentication-Info: nextnonce=\"a\"", b"Allow-Events: x", b"Feature-Caps: *", b"Geolocation: <cid:a>", b"Remote-Party-ID: <sip:a@b>"]


class Hostile(SipCase):
    OPTIONS = {"trusted": ["127.0.0.0/8"], "answer": "1s"}

    def setUp(self):
        super().setUp()
        self.two = self.site.registered("R2")

    def probe(self):
        """Somebody else's request and its answer."""
        self.two.ask("ACCESS", "R2")
        self.two.reply(self.two.expect("ACCESS"), 200)
        self.assertEqual(self.two.final().code, 200)

    def attack(self, data, wait=0.3):
        """Sends it by a connection of R1 of its own. Returns the codes of what came back, and whether the connection has ended."""
        bad, codes = self.site.registered("R1"), []
        try:
            bad.send(data)
            while True:
                message = bad.next(wait)
                if message is None:
                    return codes, True
                codes.append(message.code)
        except (TimeoutError, ssl.SSLWantReadError):
            return codes, False
        except OSError:
            return codes, True
        finally:
            bad.close()

    def torture(self, kind, wire):
        for path in sorted(glob.glob(os.path.join(DATA, kind))):
            name = os.path.basename(path).removesuffix(".dat")
            with open(path, "rb") as file:
                data = file.read()
            with self.subTest(name):
                codes, _ = self.attack(wire(data))
                self.probe()
                if CODES.get(name) is not None:
                    self.assertIn(CODES[name], codes, name)
                self.attack(data)
                self.probe()
                self.two.silent(0.01)

    # ---- torture ----

    def test_rfc_4475(self):
        self.assertEqual(len(glob.glob(os.path.join(DATA, "*.dat"))), 49)
        self.torture("*.dat", lambda data: data)

    def test_rfc_5118(self):
        """The archive's lines end in LF, and its lengths are not those of the bodies."""
        def wire(data):
            head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
            body = body.replace(b"\n", b"\r\n")
            head = re.sub(rb"(?im)^(Content-Length): *\d+", rb"\1: %d" % len(body), head)
            return head.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
        self.assertEqual(len(glob.glob(os.path.join(DATA, "rfc5118", "*"))), 12)
        self.torture("rfc5118/*", wire)

    # ---- headers ----

    def text(self, more, cseq=1):
        head = self.two.head("ACCESS", "R2", account="R1", cseq=cseq, call=f"dup-{time.monotonic_ns()}")
        return head.encode().replace(b"\r\n\r\n", b"\r\n" + b"".join(line + b"\r\n" for line in more) + b"\r\n")

    def test_requests_with_headers_twice(self):
        for line in SINGLE + TWICE:
            with self.subTest(line):
                more = [line] if line in SINGLE else [line, line]
                codes, _ = self.attack(self.text(more), wait=0.2)
                self.two.silent(0.01)
                self.assertEqual(codes, [400], line)
        self.probe()

    def test_lists_twice(self):
        """What may stand several times, in a request and in its answer: whatever becomes of it, it goes on."""
        one = self.site.registered("R3")
        for line in LISTS:
            with self.subTest(line):
                one.ask("ACCESS", "R2", headers=[line.decode()] * 2)
                try:
                    came = self.two.next(0.3)
                except TimeoutError:
                    came = None
                if came:
                    self.two.reply(came, 200, headers=[line.decode()] * 2)
                try:
                    one.final()
                except (ConnectionError, TimeoutError):
                    one = self.site.registered("R3")
        self.probe()

    def test_answers_with_headers_twice(self):
        """A relay's answer that has one twice is none; the caller hears 504."""
        one = self.site.registered("R3")
        for number, line in enumerate(SINGLE + TWICE):
            if number % 10 == 9:  # too many of them end a connection
                self.two = self.site.registered("R2")
            one.ask("ACCESS", "R2")
            came = self.two.expect("ACCESS")
            self.two.reply(came, 200, headers=[line.decode()] if line in SINGLE[:-1] else [line.decode()] * 2)
            if self.two.sock.fileno() < 0 or b"ontent-Length" in line or line.startswith(b"l:"):
                self.assertTrue(self.two.ended())
                self.two = self.site.registered("R2")
                self.assertIn(one.final().code, (430,))
                continue
            self.site.node.advance(2)
            self.assertEqual(one.final().code, 504, line)
            if "R2" not in self.site.registrations() or self.two.ended(0.01):
                self.two = self.site.registered("R2")
        self.probe()

    # ---- where names might be looked up ----

    def test_names_in_via(self):
        """A request that is wrong, and behind it one whose Via names another host: nobody looks it up, nothing stands still."""
        began = time.monotonic()
        for via in ("SIP/2.0/TLS slow.invalid;maddr=slow.invalid", "SIP/2.0/UDP slow.invalid", "SIP/2.0/TLS slow.invalid:9"):
            texts = [self.text([]).replace(b"SIP/2.0/TLS 192.0.2.1:5061", via.encode()) for _ in range(3)]
            texts[0] = texts[0].replace(b"CSeq: 1 ACCESS", b"CSeq: 1 OTHER")
            texts[1] = texts[1].replace(b"Max-Forwards: 70", b"Max-Forwards: x")
            texts[2] = texts[2].replace(b"sip:R1@", b"sip:R3@")
            self.attack(b"".join(texts), wait=0.1)
            self.probe()
        self.assertLess(time.monotonic() - began, 8)

    # ---- pieces, silence ----

    def test_half_a_message(self):
        slow = self.site.registered("R3")
        slow.send("ACCESS sip:R2@" + DOMAIN + " SIP/2.0\r\nVia")
        self.probe()
        self.site.node.advance(11)
        self.assertTrue(slow.ended())
        self.probe()

    def test_slow_loris(self):
        """A byte now and then does not make the time longer."""
        slow = self.site.registered("R3")
        for byte in "ACCESS ":
            slow.send(byte)
            self.site.node.advance(2)
        self.assertTrue(slow.ended())
        self.probe()

    def test_too_large(self):
        head = self.text([b"X: " + b"x" * 20000])
        self.assertEqual(self.attack(head), ([], True))
        body = self.text([]).replace(b"Content-Length: 0", b"Content-Length: 70000")
        self.assertEqual(self.attack(body), ([413], True))
        self.probe()

    def test_many_bad_ones(self):
        """Sixteen are answered, then it is over."""
        codes, over = self.attack(self.text([b"Subject: a", b"Subject: b"]) * 40, wait=2)
        self.assertEqual((len(codes), set(codes), over), (17, {400}, True))
        self.probe()

    def test_silent_connections(self):
        """No TLS at all, and half a handshake: each is closed in time, the others are served meanwhile."""
        socks = [socket.create_connection(("127.0.0.1", self.site.port), 20) for _ in range(40)]
        for sock in socks[:20]:
            sock.send(b"\x16\x03\x01\x02\x00\x01")
        self.probe()
        self.site.node.advance(11)
        for sock in socks:
            with sock:
                try:
                    self.assertEqual(sock.recv(100)[7:], b"")
                except ConnectionError:
                    pass
        self.probe()

    def test_the_stacks_own_port(self):
        """Who dials it without a fence is not answered for, and is thrown out."""
        with open(f"/proc/{self.site.node.pid}/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        inodes = {os.readlink(path)[8:-1] for path in glob.glob(f"/proc/{self.site.node.pid}/fd/*") if os.path.exists(path)
                  and os.readlink(path).startswith("socket:")}
        port, = [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes and int(row[1].split(":")[1], 16) != self.site.port]
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            sock.send(self.text([]).replace(b"SIP/2.0/TLS", b"SIP/2.0/TLS"))
            sock.settimeout(10)
            while sock.recv(4096):
                pass
        self.two.silent()
        self.probe()


class Many(SipCase):
    OPTIONS = {"trusted": ["127.0.0.0/8"], "unverified": 256, "registrations": 3000}
    NUMBER = 2000

    def prepare(self):
        self.site.more([f"m{n}" for n in range(self.NUMBER)])

    def test_registrations_held(self):
        """2,000 of them, each with its connection; all are listed, and reached."""
        agents = [self.site.registered(f"m{n}", timeout=60) for n in range(self.NUMBER)]
        self.assertEqual(len(self.site.registrations()), self.NUMBER)
        for agent in agents[::100]:
            agents[0].ask("ACCESS", agent.account)
            agent.reply(agent.expect("ACCESS"), 200)
            self.assertEqual(agents[0].final().code, 200)
        for agent in agents:
            agent.close()
        wait_until(lambda: self.site.registrations() == {}, 30, "all of them to be gone")


tap.main()
