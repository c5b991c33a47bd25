# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock proxies in front of the listeners: nginx, HAProxy and Caddy speak TLS to us, plain HTTP to a socket of ours in the file system, or pass TCP
on behind PROXY v2. A person behind each is served as at our own door, has the address it came from, and nobody gets another one's answer."""
import contextlib
import functools
import hashlib
import http.client
import json
import os
import re
import socket
import ssl

import tap
from lab import ws
from lab.front import LOGIN, NAME, PASSWORD, FrontCase
from lab.stock import file, program
from lab.wait import free_port, wait_until

BULK = 64 << 20
NEAR, FAR = "127.0.0.77", "127.0.0.78"  # alice may see the node from the first only
V2 = bytes.fromhex("0d0a0d0a000d0a515549540a")
INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n"


def post(*fields, body=INNER, path="/api/login", version="1.1"):
    head = "\r\n".join([f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *fields])
    return head.encode("latin-1") + b"\r\n\r\n" + body


SIZE, CHUNKED_SIZE = f"Content-Length: {len(INNER)}", f"Content-Length: {len(CHUNKED)}"
TE = "Transfer-Encoding: chunked"
SMUGGLED = {  # each is one request to every reading of its framing, with another inside that nobody may answer
    "both lengths": post(TE, CHUNKED_SIZE, body=CHUNKED),
    "both, the other way round": post(CHUNKED_SIZE, TE, body=CHUNKED),
    "space before the colon": post("Transfer-Encoding : chunked", CHUNKED_SIZE, body=CHUNKED),
    "length with a space before its colon": post(f"Content-Length : {len(INNER)}"),
    "unknown coding": post("Transfer-Encoding: xchunked", CHUNKED_SIZE, body=CHUNKED),
    "coding with a tab": post("Transfer-Encoding:\tchunked", CHUNKED_SIZE, body=CHUNKED),
    "coding with a vertical tab": post("Transfer-Encoding:\x0bchunked", CHUNKED_SIZE, body=CHUNKED),
    "coding twice": post(TE, "Transfer-Encoding: identity", CHUNKED_SIZE, body=CHUNKED),
    "coding not last": post("Transfer-Encoding: chunked, identity", CHUNKED_SIZE, body=CHUNKED),
    "coding folded": post("Transfer-Encoding:\r\n chunked", CHUNKED_SIZE, body=CHUNKED),
    "coding behind a bare line feed": post("X: a\nTransfer-Encoding: chunked", CHUNKED_SIZE, body=CHUNKED),
    "coding behind a bare carriage return": post("X: a\rTransfer-Encoding: chunked", CHUNKED_SIZE, body=CHUNKED),
    "chunked": post(TE, body=CHUNKED),
    "chunked in HTTP/1.0": post(TE, CHUNKED_SIZE, body=CHUNKED, version="1.0"),
    "two lengths": post("Content-Length: 0", SIZE),
    "two lengths in one": post(f"Content-Length: 0, {len(INNER)}"),
    "the same length twice": post(SIZE, SIZE),
    "length with a sign": post(f"Content-Length: +{len(INNER)}"),
    "length in another base": post(f"Content-Length: 0x{len(INNER):x}"),
    "length named as a connection's own": post("Connection: keep-alive, Content-Length", SIZE),
    "coding named as a connection's own": post("Connection: keep-alive, Transfer-Encoding", TE, body=CHUNKED),
    "a body that is refused": post(SIZE, path="/nothing"),
    "a body that is too long": post("Content-Length: 40000", body=(INNER * 1000)[:40000]),
    "a body that is too long, after asking": post("Content-Length: 40000", "Expect: 100-continue", body=(INNER * 1000)[:40000]),
    "a body behind GET": post(SIZE, path="/").replace(b"POST", b"GET", 1),
    "a body behind HEAD": post(SIZE, path="/").replace(b"POST", b"HEAD", 1),
    "a body behind an upgrade": post(SIZE, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", path="/link").replace(b"POST", b"GET", 1),
}
AMBIGUOUS = {  # two requests to one reading, one to another: whichever the proxy has, ours must be the same
    "length over chunks": post(f"Content-Length: {5 + len(INNER)}", TE, body=b"0\r\n\r\n" + INNER),
    "chunks over length": post("Content-Length: 4", TE, body=CHUNKED),
    "no length": post(),
    "an upgrade that is refused": INNER.replace(b"/smuggled", b"/link").replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  b"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n") + INNER,
    "HEAD and another": b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + INNER,
}


class Proxied(FrontCase):
    """The cloud behind the proxy of a subclass. ways: {name: port of the proxy}."""
    ways = {}

    @classmethod
    def setUpClass(cls):
        cls.more = {name: free_port() for name in ("passed", "ssh")}
        super().setUpClass()
        cls.begin()
        for port in cls.ways.values():
            wait_until(lambda: cls.listens(port), 20, "the proxy listens")

    @classmethod
    def listens(cls, port):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return False

    @classmethod
    def begin(cls):
        raise NotImplementedError

    @classmethod
    def socket_path(cls):
        return cls.path("front.sock")

    @classmethod
    def transports(cls):
        found, trusts = super().transports(), ["127.0.0.0/8"]
        found["people"]["proxies"] = trusts
        found["nodes"]["proxy-protocol"] = trusts
        found["plain"] = cls.https(f"unix:{cls.socket_path()}")
        found["passed"] = cls.https(f"127.0.0.1:{cls.more['passed']}", **{"proxy-protocol": trusts})
        found["tunnels"] = {"type": "ssh", "listen": f"127.0.0.1:{cls.more['ssh']}", "y-listen": "127.0.0.1", "login": ["tokens"]}
        return found

    @classmethod
    def profile(cls):
        found = super().profile()
        found["stores"] = {"main": {"type": "sqlite", "path": "main.db"}}
        found["authenticators"]["tokens"] = {"type": "token", "store": "main"}
        found["services"]["fleet"] = {"type": "fleet", "store": "main", "nodes": "nodes"}
        found["services"]["access"] = {"type": "access", "store": "main", "nodes": "nodes", "tunnels": ["tunnels"], "tokens": "tokens"}
        return found

    @classmethod
    def rights(cls):
        return [{"id": "near", "who": NAME, "action": "see", "object": "node", "from": NEAR}]

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return cls.path(name)

    # ---- a client of the proxy ----

    @contextlib.contextmanager
    def client(self, way, source="127.0.0.1"):
        connection = http.client.HTTPSConnection("localhost", self.ways[way], context=ws.context_of(self.ca), timeout=20, source_address=(source, 0))
        with contextlib.closing(connection):
            yield connection

    def ask(self, connection, method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else text

    def login(self, way):
        with self.client(way) as connection:
            status, body = self.ask(connection, "POST", "/api/login", LOGIN, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, body)
        return body["ticket"]

    def link(self, way, path="/link", source="127.0.0.1", **how):
        sock = ws.tls(("127.0.0.1", self.ways[way]), self.ca, source=(source, 0))
        self.addCleanup(sock.close)
        return ws.WebSocket(sock, path, **how)


def each_way(test):
    """The test once through each way of the proxy."""
    @functools.wraps(test)
    def run(self):
        for way in self.ways:
            with self.subTest(way):
                test(self, way)
    return run


class Http:
    """What is the same through every proxy."""

    @each_way
    def test_requests_on_one_connection(self, way):
        with self.client(way) as connection:
            self.assertEqual(self.ask(connection, "GET", "/")[0], 200)
            sock = connection.sock
            status, body = self.ask(connection, "POST", "/api/login", LOGIN, {"Content-Type": "application/json"})
            self.assertEqual(status, 200, body)
            bearer = {"Authorization": f"Bearer {body['ticket']}"}
            self.assertEqual(self.ask(connection, "POST", "/api/login", LOGIN.ljust(32768), {"Content-Type": "application/json"})[0], 200)
            self.assertEqual(self.ask(connection, "HEAD", "/"), (200, b""))
            for _ in range(5):
                status, body = self.ask(connection, "GET", "/api/login", headers=bearer)
                self.assertEqual((status, body["principal"]), (200, f"person:{NAME}"))
            self.assertIs(connection.sock, sock, "one connection did for all")

    @each_way
    def test_link(self, way):
        link = self.link(way)
        self.assertEqual(link.ask("GET", "login")[0], 401)
        self.assertEqual(link.ask("POST", "login", {"name": NAME, "password": PASSWORD})[0], 200)
        for _ in range(50):
            self.assertEqual(link.ask("GET", "login")[1]["principal"], f"person:{NAME}")
        link.send(b"there?", ws.PING)
        self.assertEqual(link.frame(), (ws.PONG, True, b"there?"))
        link.send(b"what has no meaning", ws.TEXT)
        self.assertEqual(link.end(), 1003)
        with self.assertRaises(ws.Refused) as refused:
            self.link(way, origin="https://evil.example")
        self.assertEqual(refused.exception.status, 403)

    @each_way
    def test_bulk(self, way):
        """Both ways at once, every byte where it was."""
        block = os.urandom(1 << 16)
        stream, wanted = self.link(way, "/stream/" + self.stream_ticket()), hashlib.sha256()
        for _ in range(BULK // len(block)):
            wanted.update(block)
        size, got = ws.exchange(stream, ws.frame(block), BULK // len(block))
        self.assertEqual((size, got), (BULK, wanted.digest()))
        self.assertEqual(stream.end(), 1000)

    # ---- who comes ----

    def status_from(self, way, source, bearer, **headers):
        with self.client(way, source) as connection:
            return self.ask(connection, "GET", "/api/status", headers={**bearer, **headers})[0]

    @each_way
    def test_address_of_a_request(self, way):
        """Ours is the client's, whatever it claims."""
        bearer = {"Authorization": f"Bearer {self.login(way)}"}
        self.assertEqual(self.status_from(way, NEAR, bearer), 200)
        self.assertEqual(self.status_from(way, FAR, bearer), 404)
        self.assertEqual(self.status_from(way, FAR, bearer, **{"X-Forwarded-For": NEAR}), 404)
        self.assertEqual(self.status_from(way, FAR, bearer, **{"X-Forwarded-For": NEAR, "Connection": "keep-alive, X-Forwarded-For"}), 404)
        self.assertEqual(self.status_from(way, NEAR, bearer, **{"X-Forwarded-For": FAR}), 200)

    @each_way
    def test_address_of_a_link(self, way):
        for source, status in ((NEAR, 200), (FAR, 404)):
            link = self.link(way, source=source, extra=f"X-Forwarded-For: {NEAR}\r\n")
            self.assertEqual(link.ask("POST", "login", {"name": NAME, "password": PASSWORD})[0], 200)
            self.assertEqual(link.ask("GET", "status")[0], status)

    @each_way
    def test_address_of_a_login(self, way):
        source, mark = f"127.0.0.{100 + list(self.ways).index(way)}", self.cloud.mark()
        with self.client(way, source) as connection:
            body = json.dumps({"name": NAME, "password": "wrong by intent"})
            self.assertEqual(self.ask(connection, "POST", "/api/login", body, {"Content-Type": "application/json"})[0], 403)
        self.cloud.wait_line(rf"login refused: {NAME} from {re.escape(source)} ", since=mark)

    # ---- one request, one answer ----

    def answers(self, way, data):
        """How many answers (without 100) come for it until the end, or until nothing comes for a while."""
        with contextlib.closing(ws.tls(("127.0.0.1", self.ways[way]), self.ca)) as sock:
            got = b""
            with contextlib.suppress(OSError, ssl.SSLError):
                sock.sendall(data)
                sock.settimeout(5)
                while piece := sock.recv(65536):
                    got += piece
                    sock.settimeout(0.4)
        self.assertNotIn(b"HTTP/1.1 101", got)
        return len(re.findall(rb"HTTP/1\.[01] (?!100)\d{3}", got)), got

    def assert_others_get_their_own(self, way):
        for _ in range(3):
            with self.client(way) as connection:
                status, body = self.ask(connection, "GET", "/")
                self.assertEqual(status, 200)
                self.assertIn(b"Farwatch", body)

    def test_no_second_answer(self):
        for way in self.ways:
            for name, data in SMUGGLED.items():
                with self.subTest((way, name)):
                    count, got = self.answers(way, data)
                    self.assertLessEqual(count, 1, got)
                    self.assert_others_get_their_own(way)

    def test_nobody_gets_anothers_answer(self):
        for way in self.ways:
            for name, data in AMBIGUOUS.items():
                with self.subTest((way, name)):
                    count, got = self.answers(way, data)
                    self.assertLessEqual(count, 2, got)
                    self.assert_others_get_their_own(way)


class Nginx(Http, Proxied):
    ways = {"tls": free_port(), "unix": free_port()}
    version_1 = free_port()

    @classmethod
    def begin(cls):
        module = file("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream")
        folders = "\n".join(f"  {name}_temp_path {cls.path('nginx-' + name)};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        keys = cls.keys("cloud")
        conf = cls.write("nginx.conf", f"""
daemon off;
{"user root;" if os.getuid() == 0 else ""}
pid {cls.path('nginx.pid')};
error_log stderr warn;
worker_processes 1;
load_module {module};
events {{ }}
http {{
  access_log off;
{folders}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream tls {{ server 127.0.0.1:{cls.ports['people']}; keepalive 4; }}
  upstream plain {{ server unix:{cls.socket_path()}; keepalive 4; }}
  ssl_certificate {keys}/node.crt;
  ssl_certificate_key {keys}/node.key;
  proxy_http_version 1.1;
  proxy_set_header Host $host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_ssl_trusted_certificate {cls.ca};
  proxy_ssl_verify on;
  proxy_ssl_name localhost;
  server {{ listen 127.0.0.1:{cls.ways['tls']} ssl; location / {{ proxy_pass https://tls; }} }}
  server {{ listen 127.0.0.1:{cls.ways['unix']} ssl; location / {{ proxy_pass http://plain; }} }}
}}
stream {{
  server {{ listen 127.0.0.1:{cls.version_1}; proxy_pass 127.0.0.1:{cls.more['passed']}; proxy_protocol on; }}
}}
""")
        cls.peer([program("nginx", "nginx"), "-e", "stderr", "-p", cls.dir, "-c", conf])

    def test_proxy_protocol_version_1_is_refused(self):
        """All that its stream module can: the text form. Nobody is served with the proxy's own address instead."""
        with self.assertRaises(OSError):
            ws.tls(("127.0.0.1", self.version_1), self.ca)
        self.assert_others_get_their_own("tls")


class Haproxy(Http, Proxied):
    ways = {"tls": free_port(), "unix": free_port(), "tcp": free_port()}
    nodes_port = free_port()

    @classmethod
    def begin(cls):
        keys = cls.keys("cloud")
        for name in ("node.crt", "node.key"):
            with open(f"{keys}/{name}", encoding="ascii") as part, open(cls.path("both.pem"), "a", encoding="ascii") as both:
                both.write(part.read())
        own, to_us = f"ssl crt {cls.path('both.pem')} alpn http/1.1", "send-proxy-v2 proxy-v2-options crc32c check inter 300ms"
        conf = cls.write("haproxy.cfg", f"""
global
  maxconn 500
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend tls
  bind 127.0.0.1:{cls.ways['tls']} {own}
  option forwardfor
  default_backend tls
backend tls
  http-reuse always
  server us 127.0.0.1:{cls.ports['people']} ssl verify required ca-file {cls.ca} verifyhost localhost sni str(localhost)
frontend plain
  bind 127.0.0.1:{cls.ways['unix']} {own}
  option forwardfor
  default_backend plain
backend plain
  http-reuse always
  server us unix@{cls.socket_path()}
listen tcp
  mode tcp
  bind 127.0.0.1:{cls.ways['tcp']}
  server us 127.0.0.1:{cls.more['passed']} {to_us}
listen nodes
  mode tcp
  bind 127.0.0.1:{cls.nodes_port}
  server us 127.0.0.1:{cls.ports['nodes']} {to_us}
""")
        cls.proxy = cls.peer([program("haproxy", "haproxy"), "-db", "-f", conf])

    def node(self, source, *where, **how):
        sock = ws.tls(("127.0.0.1", self.nodes_port), self.ca, keys=self.keys("t1", *where), source=(source, 0), **how)
        self.addCleanup(sock.close)
        return sock

    def test_nodes(self):
        """The certificate ends at us, the address is the node's own."""
        self.door.call("PUT", "terminals/t1", {})
        for source in (NEAR, FAR):
            link = ws.WebSocket(self.node(source))
            self.assertEqual(link.ask("GET", "nothing")[0], 404)
            row = self.door.call("GET", "terminals/t1")
            self.assertEqual((row["connected"], row["from"]), (True, source))
        with self.assertRaises(OSError):
            ws.WebSocket(self.node(NEAR, "foreign"))
        first = self.node(NEAR)
        self.assertEqual(ws.WebSocket(first).ask("GET", "nothing")[0], 404)
        again = self.node(FAR, session=first.session)
        self.assertTrue(again.session_reused)
        self.assertEqual(ws.WebSocket(again).ask("GET", "nothing")[0], 404)
        self.assertEqual(self.door.call("GET", "terminals/t1")["from"], FAR)

    def test_who_says_nothing_of_a_proxy(self):
        """At a door of proxies only, TLS at once is refused, and so is a header that is cut, of version 1, or that lies about its length."""
        for port in (self.more["passed"], self.ports["nodes"]):
            with self.assertRaises(OSError):
                ws.tls(("127.0.0.1", port), self.ca)
            for data in (b"PROXY TCP4 127.0.0.77 127.0.0.1 1000 443\r\n", V2 + b"\x11\x11\x00\x0c" + b"\0" * 12, V2 + b"\x21\x11\x00\x03" + b"\0" * 3,
                         V2 + b"\x21\x11\xff\xff" + b"\0" * 1000, V2[:-1] + b"\0"):
                with self.subTest(data), socket.create_connection(("127.0.0.1", port), timeout=15) as sock:
                    sock.sendall(data)
                    with contextlib.suppress(ConnectionError):
                        self.assertEqual(sock.recv(100), b"")

    def test_health_checks(self):
        """HAProxy looks three times a second whether we are there (PROXY v2 LOCAL, then the end): we are, and have nothing to say about it."""
        mark = self.cloud.mark()
        for _ in range(20):
            self.assert_others_get_their_own("tcp")
        self.assertEqual([line for line in self.proxy.lines if re.search(r"\bDOWN\b", line)], [])
        self.assertEqual(self.cloud.lines[mark:], [])


class Caddy(Http, Proxied):
    ways = {"tls": free_port(), "unix": free_port()}

    @classmethod
    def begin(cls):
        own = f"tls {cls.keys('cloud')}/node.crt {cls.keys('cloud')}/node.key"
        conf = cls.write("Caddyfile", f"""
{{
  admin off
  auto_https off
  default_bind 127.0.0.1
  servers {{
    protocols h1
  }}
}}
https://localhost:{cls.ways['tls']} {{
  {own}
  reverse_proxy https://127.0.0.1:{cls.ports['people']} {{
    transport http {{
      tls_trusted_ca_certs {cls.ca}
      tls_server_name localhost
    }}
  }}
}}
https://localhost:{cls.ways['unix']} {{
  {own}
  reverse_proxy unix/{cls.socket_path()}
}}
""")
        home = {name: cls.dir for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        cls.peer([program("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", conf], env=home)


tap.main()
