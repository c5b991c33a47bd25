# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small SIP user agent over TLS, and a node that is a registrar: what tests of the service need, and no more."""
import hashlib
import itertools
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from lab.node import BUILD, Node
from lab.wait import free_port

DOMAIN = "sip.example.net"
SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type"}
serial = itertools.count(1)


class Message:
    """One that came: start line, headers as (name, value) in order, body."""

    def __init__(self, head, body):
        lines = re.sub(rb"\r\n[ \t]+", b" ", head).decode("utf-8", "replace").split("\r\n")
        self.start, self.body, self.raw = lines[0], body, head + b"\r\n\r\n" + body
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((SHORT.get(name, name), value.strip()))

    @property
    def code(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else None

    @property
    def method(self):
        return None if self.start.startswith("SIP/") else self.start.split()[0]

    @property
    def target(self):
        return self.start.split()[1]

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name):
        return next(iter(self.all(name)), None)

    def __repr__(self):
        return self.start


class Agent:
    """A connection to the registrar with the certificate of `name` (None: with none). account: whose messages it sends."""

    def __init__(self, site, name, account=None, timeout=10, port=None):
        self.site, self.account, self.host = site, account or name, DOMAIN
        sock = socket.create_connection(("127.0.0.1", port or site.port), timeout)
        self.sock = site.context(name).wrap_socket(sock, server_hostname="localhost")
        self.sock.settimeout(timeout)
        self.timeout, self.buffer, self.waiting = timeout, b"", []
        self.call, self.cseq = f"call-{next(serial)}-{os.getpid()}", 0
        self.contact = f"sip:{self.account}@127.0.0.1:{self.sock.getsockname()[1]};transport=tls"

    def close(self):
        self.sock.close()

    # ---- messages ----

    def send(self, text, body=b""):
        data = text.encode() if isinstance(text, str) else text
        self.sock.sendall(data + body)

    def head(self, method, to, uri=None, cseq=None, call=None, account=None, via="", branch=None, to_tag=None, headers=(), body=b"", size=True,
             max_forwards="70"):
        """The text of a request to the account `to` (or to the domain itself, None)."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.branch = branch or f"z9hG4bK{next(serial)}x"
        target = f"sip:{to}@{DOMAIN}" if to else f"sip:{DOMAIN}"
        sender = account or self.account
        lines = [f"{method} {uri or target} SIP/2.0", f"Via: SIP/2.0/TLS 192.0.2.1:5061;branch={self.branch};rport{via}",
                 f"From: <sip:{sender}@{DOMAIN}>;tag=f{sender}", f"To: <{target if to else f'sip:{sender}@{DOMAIN}'}>{f';tag={to_tag}' if to_tag else ''}",
                 f"Call-ID: {call or self.call}", f"CSeq: {cseq} {method}"]
        lines += [f"Max-Forwards: {max_forwards}"] if max_forwards is not None else []
        lines += list(headers) + ([f"Content-Length: {len(body)}"] if size else [])
        return "\r\n".join(lines) + "\r\n\r\n"

    def request(self, method, to, **how):
        """Sends one and returns its final answer."""
        self.ask(method, to, **how)
        return self.final()

    def ask(self, method, to, body=b"", **how):
        self.send(self.head(method, to, body=body, **how), body)

    def reply(self, request, code, phrase="OK", tag="t1", headers=(), body=b""):
        lines = [f"SIP/2.0 {code} {phrase}"] + [f"Via: {via}" for via in request.all("via")]
        lines += [f"Record-Route: {route}" for route in request.all("record-route")]
        to = request.get("to")
        lines += [f"From: {request.get('from')}", f"To: {to}{'' if ';tag=' in to or code == 100 else f';tag={tag}'}",
                  f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}", *headers, f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines) + "\r\n\r\n", body)

    def _cut(self):
        self.buffer = self.buffer.lstrip(b"\r\n") if b"\r\n\r\n" not in self.buffer[:4] else self.buffer.lstrip(b"\r\n")
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        size = int(re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head).group(1))
        if len(rest) < size:
            return None
        self.buffer = rest[size:]
        return Message(head, rest[:size])

    def next(self, timeout=None):
        """The next message; None when the connection has ended. TimeoutError: nothing came."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            message = self._cut()
            if message:
                return message
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLEOFError):
                return None
            if not data:
                return None
            self.buffer += data

    def expect(self, method):
        """The next message, which must be this request."""
        message = self.next()
        if message is None or message.method != method:
            raise AssertionError(f"{method} was expected, this came: {message}")
        return message

    def final(self):
        """The next final answer."""
        while True:
            message = self.next()
            if message is None:
                raise ConnectionError("the connection has ended")
            if message.code and message.code >= 200:
                return message

    def silent(self, seconds=0.3):
        """Nothing comes. What came is an AssertionError."""
        try:
            message = self.next(seconds)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        raise AssertionError(f"this came: {message}")

    def ended(self, timeout=5):
        """The connection has ended, whatever came before."""
        try:
            while self.next(timeout):
                pass
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        return True

    def ready(self):
        return bool(self.sock.pending() or select.select([self.sock], [], [], 0)[0])

    # ---- registrations ----

    def register(self, expires=600, contact=None, headers=(), **how):
        contact = self.contact if contact is None else contact
        lines = ([f"Contact: <{contact}>" if contact != "*" else "Contact: *"] if contact else [])
        lines += [f"Expires: {expires}"] if expires is not None else []
        return self.request("REGISTER", None, headers=[*lines, *headers], **how)

    def digest(self, challenge, password, method="REGISTER", uri=None, user=None, nc="00000001"):
        """The value of Authorization that answers a challenge."""
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))
        user, uri, hashed = user or self.account, uri or f"sip:{DOMAIN}", lambda text: hashlib.sha256(text.encode()).hexdigest()
        one, two = hashed(f"{user}:{fields['realm']}:{password}"), hashed(f"{method}:{uri}")
        response = hashed(f"{one}:{fields['nonce']}:{nc}:cn:auth:{two}")
        return (f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", response="{response}", '
                f'algorithm=SHA-256, cnonce="cn", qop=auth, nc={nc}')


class Site:
    """An authority, a registrar and the certificates of relays."""

    def __init__(self, relays=("R1", "R2", "R3"), **options):
        self.folder = tempfile.mkdtemp(prefix="farwatch-sip-")
        keys = os.path.join(BUILD, "tests", "integration", "fleet-keys")
        subprocess.run([keys, self.folder, "out:server", *relays], check=True, capture_output=True)
        self.port = free_port()
        self.node = Node("out", os.path.join(self.folder, "node"))
        os.rmdir(self.node.state)
        os.rename(os.path.join(self.folder, "out"), self.node.state)
        self.node.profile = {"farwatch": 1, "node": {"id": "out", "state": self.node.state, "control": self.node.control},
                             "services": {"registrar": {"type": "registrar", "listen": f"127.0.0.1:{self.port}", "domain": DOMAIN, **options}}}
        self.agents = []

    def context(self, name):
        context = ssl.create_default_context(cafile=os.path.join(self.folder, "ca", "ca.crt"))
        if name:
            keys = os.path.join(self.folder, name, "keys")
            context.load_cert_chain(os.path.join(keys, "node.crt"), os.path.join(keys, "node.key"))
        return context

    def agent(self, name, account=None, **how):
        self.agents.append(Agent(self, name, account, **how))
        return self.agents[-1]

    def secret(self, name, users):
        """A credential with the digests of these users."""
        folder = os.path.join(self.node.state, "credentials")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            for user, password in users.items():
                file.write(f"{user}:{DOMAIN}:{hashlib.sha256(f'{user}:{DOMAIN}:{password}'.encode()).hexdigest()}\n")

    def renew(self):
        """Another certificate of the same key for the registrar, as a renewal writes it."""
        keys = os.path.join(BUILD, "tests", "integration", "fleet-keys")
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(self.folder, "ca"), os.path.join(folder, "ca"))
            done = subprocess.run([keys, folder, "out:server"], check=False, capture_output=True)
            for name in ("node.key", "node.crt"):
                os.replace(os.path.join(folder, "out", "keys", name), os.path.join(self.node.state, "keys", name))
        return done.returncode

    def registered(self, name, **how):
        agent = self.agent(name, **how)
        answer = agent.register()
        if answer.code != 200:
            raise AssertionError(f"{name}: {answer}")
        return agent

    def more(self, names):
        """Certificates for further relays."""
        keys = os.path.join(BUILD, "tests", "integration", "fleet-keys")
        for at in range(0, len(names), 500):
            subprocess.run([keys, self.folder, *names[at:at + 500]], check=True, capture_output=True)

    def registrations(self):
        """By account, from all pages."""
        found, after = {}, ""
        while True:
            page = self.node.call("GET", "registrations" + (f"?after={after}" if after else ""))
            found.update((row["account"], row) for row in page["registrations"])
            after = page.get("next")
            if not after:
                return found

    def end(self):
        for agent in self.agents:
            agent.close()
        return self.node.faults()


class SipCase(unittest.TestCase):
    """A site of its own for each case; prepare() may change it before its registrar starts."""
    OPTIONS = {}

    def setUp(self):
        self.site = Site(**self.OPTIONS)
        self.addCleanup(self._end)
        self.prepare()
        self.site.node.start()

    def prepare(self):
        pass

    def _end(self):
        faults = self.site.end()
        shutil.rmtree(self.site.folder)
        self.assertEqual(faults, [])
