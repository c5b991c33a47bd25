# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock clients at the two public listeners: curl, openssl, gnutls-cli, python3-websockets, node-ws, Chromium. Who has a peer of its own
scripts it in tests/integration/peers."""
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading

import tap
from lab import ws
from lab.front import LOGIN, NAME, PASSWORD, FrontCase
from lab.process import Process
from lab.stock import file, program, run
from lab.wait import free_port

PEERS = os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "tests", "integration", "peers")
STREAM_BYTES = 16 << 20
GET = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
BODY_MAX = 32768  # README of transport-websocket


class Curl(FrontCase):
    def curl(self, *words, path="/", door="people", ca=None, status=0, input=None, urls=None):
        """(what curl says of each transfer, the bodies, the run)"""
        argv = [program("curl", "curl"), "-sS", "-4", "-v", "--max-time", "20", "--cacert", ca or self.ca, "-w", "\n%{json}\n", *words]
        done = run([*argv, *(urls or [self.url(path, door)])], input=input)
        self.assertEqual(done.status, status, done)
        facts = [json.loads(line) for line in done.out.splitlines() if line.startswith('{"') and '"num_connects":' in line]
        return facts, [line for line in done.out.splitlines() if '"num_connects":' not in line], done

    def one(self, *words, **how):
        facts, lines, done = self.curl(*words, **how)
        self.assertEqual(len(facts), 1, done)
        return facts[0], "\n".join(lines), done

    def post(self, *words, body=LOGIN, **how):
        return self.one("-H", "Content-Type: application/json", "--data-binary", "@-", *words, path="/api/login", input=body, **how)

    def test_get_and_head(self):
        got, text, _ = self.one()
        head, lines, done = self.one("-I")
        self.assertEqual((got["http_code"], head["http_code"]), (200, 200))
        self.assertTrue(text.strip())
        self.assertRegex(lines, rf"(?im)^content-length: {got['size_download']}\r?$")
        self.assertEqual(head["size_download"], 0, done)

    def test_login_and_bearer(self):
        fact, text, done = self.post()
        self.assertEqual(fact["http_code"], 200, done)
        bearer = ("-H", f"Authorization: Bearer {json.loads(text)['ticket']}")
        self.assertEqual(json.loads(self.one(*bearer, path="/api/login")[1])["principal"], f"person:{NAME}")
        self.assertEqual(self.one(path="/api/login")[0]["http_code"], 401)
        self.assertEqual(self.one("-X", "DELETE", *bearer, path="/api/login")[0]["http_code"], 200)
        self.assertEqual(self.one(*bearer, path="/api/login")[0]["http_code"], 401)

    def test_expect_100(self):
        """The body is asked for at once: curl would send it unasked after the time that is given here."""
        fact, _, done = self.post("-H", "Expect: 100-continue", "--expect100-timeout", "15")
        self.assertEqual(fact["http_code"], 200, done)
        self.assertRegex(done.err, r"< HTTP/1\.1 100 ")
        self.assertLess(fact["time_total"], 10)
        self.assertNotIn("HTTP/1.1 100", self.post("-H", "Expect:")[2].err)

    def test_expect_100_of_a_body_that_is_refused(self):
        """The refusal comes instead of 100, and the body stays at home."""
        fact, _, done = self.post("-H", "Expect: 100-continue", "--expect100-timeout", "15", body="x" * (BODY_MAX + 1))
        self.assertEqual(fact["http_code"], 413, done)
        self.assertNotIn("HTTP/1.1 100", done.err)
        self.assertEqual(fact["size_upload"], 0, done)

    def test_body_of_just_the_limit(self):
        self.assertEqual(self.post(body=LOGIN.ljust(BODY_MAX))[0]["http_code"], 200)
        self.assertEqual(self.post("-H", "Expect:", body=LOGIN.ljust(BODY_MAX + 1))[0]["http_code"], 413)

    def test_keep_alive(self):
        urls = [self.url(path) for path in ("/", "/api/login", "/nothing", "/")]
        facts, _, done = self.curl(urls=urls)
        self.assertEqual([fact["http_code"] for fact in facts], [200, 401, 404, 200], done)
        self.assertEqual([fact["num_connects"] for fact in facts], [1, 0, 0, 0], done)

    def test_http_1_0(self):
        """Answered, and each on a connection of its own."""
        facts, _, done = self.curl("--http1.0", urls=[self.url(), self.url("/api/login")])
        self.assertEqual([(fact["http_code"], fact["num_connects"]) for fact in facts], [(200, 1), (401, 1)], done)
        self.assertEqual(self.post("--http1.0")[0]["http_code"], 200)

    def test_http_2_falls_back(self):
        fact, _, done = self.one("--http2")
        self.assertEqual((fact["http_code"], fact["http_version"]), (200, "1.1"), done)
        self.assertRegex(done.err, r"ALPN: offers h2,http/1\.1")
        self.assertRegex(done.err, r"ALPN: server accepted http/1\.1")

    def test_chunked_upload_is_refused(self):
        fact, text, done = self.post("-H", "Transfer-Encoding: chunked", "-H", "Expect:")
        self.assertEqual(fact["http_code"], 501, done)
        self.assertIn("message", json.loads(text))
        self.assertRegex(done.err, r"(?i)< connection: close")

    def test_authority(self):
        _, _, done = self.curl(ca=self.foreign_ca, status=60)
        self.assertIn("certificate", done.err)

    def test_versions_of_tls(self):
        weak = ("--ciphers", "DEFAULT@SECLEVEL=0")
        for words, version in ((("--tlsv1.2", "--tls-max", "1.2"), "TLSv1.2"), (("--tlsv1.3",), "TLSv1.3")):
            fact, _, done = self.one(*words)
            self.assertEqual(fact["http_code"], 200, done)
            self.assertIn(f"SSL connection using {version}", done.err)
        for door in self.ports:
            for version in ("1.0", "1.1"):
                _, _, done = self.curl(f"--tlsv{version}", "--tls-max", version, *weak, door=door, status=35)
                self.assertRegex(done.err, "alert protocol version")

    def test_certificate_of_a_node(self):
        """The nodes' listener: for WebSocket only, and the certificate is judged within the handshake."""
        def own(*where):
            keys = self.keys("t1", *where)
            return "--cert", f"{keys}/node.crt", "--key", f"{keys}/node.key"
        for versions in (("--tls-max", "1.2"), ("--tlsv1.3",)):
            with self.subTest(versions):
                fact, _, done = self.one(*versions, *own(), path="/link", door="nodes")
                self.assertEqual(fact["http_code"], 426, done)
                self.assertRegex(done.err, "(?i)< upgrade: websocket")
                foreign = run([program("curl", "curl"), "-sS", "-4", "--max-time", "20", "--cacert", self.ca, *versions, *own("foreign"),
                               self.url("/link", "nodes")])
                self.assertIn(foreign.status, (35, 56), foreign)
                self.assertRegex(foreign.err, "alert (unknown ca|bad certificate)")


class Unix(FrontCase):
    """A listener at a path, for a proxy on the same machine: no TLS of ours, and what it says of addresses is believed."""

    @classmethod
    def transports(cls):
        return {**super().transports(), "plain": cls.https(f"unix:{cls.path('front.sock')}")}

    def curl(self, *words, input=None):
        return run([program("curl", "curl"), "-sS", "-i", "--max-time", "20", "--unix-socket", self.path("front.sock"), *words], input=input)

    def test_requests(self):
        self.assertRegex(self.curl("http://localhost/").out, "^HTTP/1.1 200 ")
        self.assertRegex(self.curl("http://localhost/", "http://localhost/nothing").out, "(?s)^HTTP/1.1 200 .*HTTP/1.1 404 ")
        self.assertRegex(self.curl("--json", LOGIN, "http://localhost/api/login").out, "^HTTP/1.1 200 ")

    def test_address(self):
        mark, wrong = self.cloud.mark(), json.dumps({"name": NAME, "password": "wrong by intent"})
        done = self.curl("--json", wrong, "-H", "X-Forwarded-For: 192.0.2.1", "-H", "X-Forwarded-For: 192.0.2.2, 192.0.2.3", "http://localhost/api/login")
        self.assertRegex(done.out, "^HTTP/1.1 403 ")
        self.cloud.wait_line(rf"login refused: {NAME} from 192\.0\.2\.3 ", since=mark)

    def test_tls_is_not_spoken(self):
        done = self.curl("-k", "https://localhost/")
        self.assertIn(done.status, (35, 56), done)
        self.assertRegex(self.curl("http://localhost/").out, "^HTTP/1.1 200 ")

    def test_not_for_everybody(self):
        self.assertEqual(os.stat(self.path("front.sock")).st_mode & 0o007, 0)


class Openssl(FrontCase):
    def s_client(self, *words, door="people", node=None, input=GET, name="localhost"):
        keys = ["-cert", f"{self.keys(node)}/node.crt", "-key", f"{self.keys(node)}/node.key"] if node else []
        return run([program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{self.ports[door]}", "-servername", name, "-CAfile", self.ca,
                    "-verify_return_error", "-ign_eof", *keys, *words], input=input)

    def status(self, done):
        found = re.search(r"HTTP/1\.1 (\d+) ", done.out)
        return int(found[1]) if found else None

    def open(self, *words, door="people"):
        """One that is talked to: letters alone on a line are its commands."""
        argv = [program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{self.ports[door]}", "-servername", "localhost", "-CAfile", self.ca,
                "-verify_return_error", "-msg", *words]
        process = Process(argv, self.path(f"s_client-{len(os.listdir(self.dir))}.log"), stdin=subprocess.PIPE)
        self.addCleanup(process.kill)
        process.wait_line(r"^(SSL handshake has read|    Verify return code: 0)", 20)
        return process

    def say(self, process, text):
        process.stdin.write(text.encode())
        process.stdin.flush()

    def test_resumption(self):
        for version, text in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            for door, node, status in (("people", None, 200), ("nodes", None, 426), ("nodes", "t1", 426)):
                with self.subTest((version, door, node)):
                    kept, how = self.path("session"), {"door": door, "node": node, "input": GET.replace("/ ", "/ " if door == "people" else "/link ", 1)}
                    first = self.s_client(version, "-sess_out", kept, **how)
                    self.assertIn(f"New, {text}", first.out, first)
                    self.assertEqual(self.status(first), status, first)
                    again = self.s_client(version, "-sess_in", kept, **how)
                    self.assertIn(f"Reused, {text}", again.out, again)
                    self.assertEqual(self.status(again), status, again)

    def test_without_tickets(self):
        for version in ("-tls1_2", "-tls1_3"):
            kept = self.path("no-ticket")
            first = self.s_client(version, "-no_ticket", "-sess_out", kept)
            self.assertEqual(self.status(first), 200, first)
            again = self.s_client(version, "-no_ticket", *(("-sess_in", kept) if os.path.exists(kept) else ()))
            self.assertEqual(self.status(again), 200, again)

    def test_alpn(self):
        done = self.s_client("-alpn", "h2,http/1.1")
        self.assertIn("ALPN protocol: http/1.1", done.out, done)
        self.assertEqual(self.status(done), 200)
        for door in self.ports:
            self.assertNotIn("ALPN protocol: h2", self.s_client("-alpn", "h2", door=door).out)

    def test_http_2_without_agreement(self):
        self.assertEqual(self.status(self.s_client(input=GET.replace("1.1", "2.0"))), 505)
        done = self.s_client(input="PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4" + "\0" * 5)
        self.assertIn(self.status(done), (400, 405, 505), done)

    def test_odd_server_names(self):
        """Whoever asks for what it is called is shown the one certificate there is; whether that fits is the client's to say."""
        for name in ("nothing.example", "127.0.0.1", "x", "a." * 100 + "example", "LOCALHOST"):
            for door, status in (("people", 200), ("nodes", 426)):
                done = self.s_client(name=name, door=door, input=GET if door == "people" else GET.replace("/ ", "/link ", 1))
                self.assertEqual(self.status(done), status, done)

    def test_old_versions_are_refused(self):
        for version in ("-tls1", "-tls1_1"):
            for door in self.ports:
                done = self.s_client(version, "-cipher", "ALL@SECLEVEL=0", door=door)
                self.assertNotEqual(done.status, 0)
                self.assertIn("alert protocol version", done.err, done)

    def test_weak_ciphers_are_refused(self):
        for cipher in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES256-GCM-SHA384", "AES128-SHA", "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA",
                       "ECDHE-ECDSA-CAMELLIA128-SHA256"):
            for door in self.ports:
                with self.subTest((cipher, door)):
                    done = self.s_client("-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0", door=door)
                    self.assertRegex(done.err, "alert (handshake failure|insufficient security)", done)
                    self.assertIsNone(self.status(done), done)
        for suite in ("TLS_AES_128_CCM_8_SHA256",):
            self.assertIsNone(self.status(self.s_client("-tls1_3", "-ciphersuites", suite)))

    def test_weak_curves_are_refused(self):
        for curve in ("secp224r1", "prime192v1"):
            self.assertIsNone(self.status(self.s_client("-tls1_2", "-curves", curve, "-cipher", "ALL@SECLEVEL=0")))

    def test_renegotiation_is_refused(self):
        for door in self.ports:
            with self.subTest(door):
                process = self.open("-tls1_2", door=door)
                self.say(process, "R\n")
                process.wait_line("^RENEGOTIATING")
                process.wait(20)  # refused by an alert, or cut; s_client ends with either
                text = "\n".join(process.lines)
                self.assertEqual(len(re.findall(r"<<< .*ServerHello$", text, re.M)), 1, text)
                self.assertEqual(len(re.findall(r"<<< .*Finished$", text, re.M)), 1, text)
        self.assert_served()

    def test_key_updates(self):
        """One of its own, one that asks for ours in turn; the bytes after it are read and answered."""
        for letter, ours in (("k", 0), ("K", 1)):
            with self.subTest(letter):
                process = self.open("-tls1_3")
                for _ in range(3):
                    mark = process.mark()
                    self.say(process, f"{letter}\n")
                    process.wait_line("^KEYUPDATE", since=mark)
                    self.say(process, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    process.wait_line("HTTP/1.1 200 ", since=mark)
                text = "\n".join(process.lines)
                self.assertEqual(len(re.findall(r">>> .*KeyUpdate$", text, re.M)), 3, text)
                self.assertEqual(len(re.findall(r"<<< .*KeyUpdate$", text, re.M)), 3 * ours, text)

    def test_early_data_is_not_taken(self):
        kept, early = self.path("early-session"), self.path("early")
        with open(early, "w", encoding="ascii") as out:
            out.write(GET)
        first = self.s_client("-tls1_3", "-sess_out", kept)
        self.assertIn("Max Early Data: 0", first.out, first)
        again = self.s_client("-tls1_3", "-sess_in", kept, "-early_data", early)
        self.assertNotIn("Early data was accepted", again.out)

    def test_compression_is_not_agreed(self):
        done = self.s_client("-tls1_2", "-comp", "-cipher", "ALL@SECLEVEL=0")
        self.assertIn("Compression: NONE", done.out, done)
        self.assertIn("Secure Renegotiation IS supported", done.out, done)


class Gnutls(FrontCase):
    def cli(self, *words, door="people", node=None, input=GET):
        keys = ["--x509certfile", f"{self.keys(node)}/node.crt", "--x509keyfile", f"{self.keys(node)}/node.key"] if node else []
        return run([program("gnutls-cli", "gnutls-bin"), "--x509cafile", self.ca, "--port", str(self.ports[door]), "--sni-hostname", "localhost",
                    "--verify-hostname", "localhost", *keys, *words, "127.0.0.1"], input=input)

    def test_resume(self):
        for version in ("1.2", "1.3"):
            for door, node, status in (("people", None, 200), ("nodes", "t1", 426)):
                with self.subTest((version, door)):
                    text = GET if door == "people" else GET.replace("/ ", "/link ", 1)
                    done = self.cli("--resume", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", door=door, node=node, input=text)
                    self.assertIn("*** This is a resumed session", done.out, done)
                    self.assertRegex(done.out, rf"(?m)^HTTP/1\.1 {status} ", done)

    def test_versions(self):
        for version, taken in (("1.3", True), ("1.2", True), ("1.1", False), ("1.0", False)):
            done = self.cli("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}:%VERIFY_ALLOW_SIGN_WITH_SHA1")
            self.assertEqual("Handshake was completed" in done.out, taken, done)

    def test_rehandshake_is_refused(self):
        done = self.cli("--rehandshake", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2")
        self.assertNotIn("ReHandshake was completed", done.out)
        self.assertRegex(done.out + done.err, "No renegotiation is allowed|non-properly terminated|closed the connection")
        self.assert_served()

    def test_foreign_authority(self):
        done = run([program("gnutls-cli", "gnutls-bin"), "--x509cafile", self.foreign_ca, "--port", str(self.ports["people"]), "--verify-hostname", "localhost",
                    "127.0.0.1"], input=GET)
        self.assertNotEqual(done.status, 0)
        self.assertIn("issuer is unknown", done.out, done)


class Libraries(FrontCase):
    """WebSocket libraries of others: a login by message, pings, close codes, a stream that echoes."""

    def check(self, argv, env=None):
        order = {"url": self.url("", scheme="wss"), "ca": self.ca, "name": NAME, "password": PASSWORD, "ticket": self.stream_ticket(), "bytes": STREAM_BYTES}
        done = run([*argv, json.dumps(order)], timeout=60, env=env)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(json.loads(done.out), {
            "before": 401, "login": 200, "principal": f"person:{NAME}", "pong": True, "own-close": 1000, "text-close": 1003, "utf8-close": 1007,
            "huge-close": 1009, "extensions": "", "ticket-twice": 1008, "echoed": STREAM_BYTES, "same": True, "stream-close": 1000,
        })
        self.assert_served()

    def test_python_websockets(self):
        file("/usr/lib/python3/dist-packages/websockets/__init__.py", "python3-websockets")
        self.check(["/usr/bin/python3", os.path.join(PEERS, "websockets-peer.py")], {"PYTHONPATH": os.path.dirname(PEERS)})

    def test_node_ws(self):
        file("/usr/share/nodejs/ws/package.json", "node-ws")
        self.check([program("node", "nodejs"), os.path.join(PEERS, "ws-peer.js")], {"NODE_PATH": "/usr/share/nodejs", "NODE_EXTRA_CA_CERTS": self.ca})


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves the one page and takes what it reports."""

    def do_GET(self):
        wanted = self.path.split("?")[0] == "/page.html"
        with open(os.path.join(PEERS, "page.html"), "rb") as page:
            text = page.read() if wanted else b""
        self.send_response(200 if wanted else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        self.server.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format, *args):
        pass


class Chromium(FrontCase):
    """A page of a test's own server in the browser that most people use."""
    page_port, other_port = free_port(), free_port()

    @classmethod
    def https(cls, listen, **more):
        return super().https(listen, origins=[f"http://localhost:{cls.page_port}"], **more)

    def serve(self, port):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Pages)
        server.daemon_threads, server.reports = True, queue.Queue()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def browse(self, port, ticket):
        """What the page reports."""
        server, home = self.serve(port), tempfile.mkdtemp(prefix="fwi-chromium-")
        self.addCleanup(shutil.rmtree, home, ignore_errors=True)
        order = json.dumps({"door": f"localhost:{self.ports['people']}", "name": NAME, "password": PASSWORD, "ticket": ticket})
        argv = [program("chromium", "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", f"--user-data-dir={home}",
                f"--ignore-certificate-errors-spki-list={self.spki()}", f"http://localhost:{port}/page.html?{order.encode().hex()}"]
        chromium = Process(argv, self.path(f"chromium-{port}.log"), env={"HOME": home})
        try:
            return server.reports.get(timeout=60)
        except queue.Empty:
            self.fail("the page reported nothing; the browser said:\n" + "\n".join(chromium.lines[-20:]))
        finally:
            chromium.kill()

    def looked_at(self, mark):
        """Logins with a wrong password that came as far as the password."""
        return [line for line in self.cloud.lines[mark:] if "login refused" in line]

    def test_pages(self):
        """Of a foreign origin neither a link, nor a stream, nor a request is taken; of an allowed one all three. (The door sends no CORS headers:
        a page may have a request sent, and works through its link.)"""
        mark = self.cloud.mark()
        self.assertEqual(self.browse(self.other_port, "a" * 32), {"linkRefused": 1006, "streamRefused": 1006, "fetch": "opaque"})
        self.assertEqual(self.looked_at(mark), [])
        self.assertEqual(self.browse(self.page_port, self.stream_ticket()), {
            "before": 401, "login": 200, "principal": f"person:{NAME}", "linkClose": 1000, "echoed": 1 << 20, "same": True, "streamClose": 1000,
            "fetch": "opaque",
        })
        self.assertEqual(len(self.looked_at(mark)), 1)


tap.main()
