# SPDX-License-Identifier: LGPL-2.1-or-later
"""WebSocket (RFC 6455) spoken by hand over TLS, well or badly, and Farwatch messages in it."""
import base64
import contextlib
import hashlib
import itertools
import json
import os
import select
import socket
import ssl
import struct
import time

_numbers = itertools.count(1)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def tls(address, ca, *, keys=None, host="localhost", timeout=20, source=None, session=None):
    """A TLS connection; keys: directory with node.crt and node.key to show."""
    context = context_of(ca, keys)
    sock = socket.create_connection(address, timeout=timeout, source_address=source)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname=host, session=session)


_contexts = {}


def context_of(ca, keys=None):
    if (ca, keys) not in _contexts:
        context = ssl.create_default_context(cafile=ca)
        if keys:
            context.load_cert_chain(os.path.join(keys, "node.crt"), os.path.join(keys, "node.key"))
        _contexts[ca, keys] = context
    return _contexts[ca, keys]


def forget(ca, keys):
    """There are other keys in that directory from now on."""
    _contexts.pop((ca, keys), None)


def frame(payload=b"", opcode=BINARY, *, fin=True, mask=True, rsv=0):
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if mask else b"") + payload


def message(method, resource, body=None, ident=None, **headers):
    head = {"id": ident or f"m{next(_numbers)}", "method": method, "resource": resource}
    if headers:
        head["headers"] = headers
    data = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        head["type"] = "application/json"
    head["n"] = len(data)
    text = json.dumps(head).encode()
    return struct.pack(">I", len(text)) + text + data


def parse(data):
    size, = struct.unpack(">I", data[:4])
    head = json.loads(data[4:4 + size])
    body = data[4 + size:4 + size + head.get("n", 0)]
    return head, json.loads(body) if body and head.get("type", "application/json") == "application/json" else body


class Refused(Exception):
    """No 101."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class WebSocket:
    def __init__(self, sock, path="/link", origin=None, extra=""):
        self.sock, self.rest, self.closed, self.cause = sock, b"", None, ""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
                 "Sec-WebSocket-Version: 13"]
        if origin:
            lines.append(f"Origin: {origin}")
        sock.sendall(("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode())
        head = self._until(b"\r\n\r\n").decode(errors="replace")
        status = int(head.split(" ", 2)[1]) if head.startswith("HTTP/1.1 ") else 0
        if status != 101:
            raise Refused(status, head + self._rest_of(head))
        self.head = head

    def _rest_of(self, head):
        for line in head.split("\r\n"):
            if line.lower().startswith("content-length:"):
                while len(self.rest) < int(line.split(":")[1]):
                    self.rest += self._read()
        return self.rest.decode(errors="replace")

    def _read(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("ended")
        return data

    def _until(self, mark):
        while mark not in self.rest:
            self.rest += self._read()
        head, self.rest = self.rest.split(mark, 1)
        return head

    def _take(self, size):
        while len(self.rest) < size:
            self.rest += self._read()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def send(self, payload=b"", opcode=BINARY, **how):
        self.sock.sendall(frame(payload, opcode, **how))

    def frame(self):
        """(opcode, fin, payload) of the next frame, whatever it is."""
        first, second = self._take(2)
        size = second & 127
        if size == 126:
            size, = struct.unpack(">H", self._take(2))
        elif size == 127:
            size, = struct.unpack(">Q", self._take(8))
        return first & 15, bool(first & 0x80), self._take(size)

    def receive(self):
        """The next message: (opcode, payload). ConnectionError when it was closed, with .closed the code and .cause the text."""
        opcode, data = None, b""
        while True:
            this, fin, payload = self.frame()
            if this == CLOSE:
                self.closed = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                self.cause = payload[2:].decode(errors="replace")
                raise ConnectionError(f"closed {self.closed}")
            if this == PING:
                self.send(payload, PONG)
                continue
            if this == PONG:
                continue
            opcode, data = opcode or this, data + payload
            if fin:
                return opcode, data

    def ask(self, method, resource, body=None, **headers):
        """(status, body) of the answer; events and other messages that come before it are skipped."""
        data = message(method, resource, body, **headers)
        self.send(data)
        ident = parse(data)[0]["id"]
        while True:
            head, answer = parse(self.receive()[1])
            if head["id"] == ident and "status" in head:
                return head["status"], answer

    def end(self):
        """How it ends: close code, or None when the connection just goes."""
        try:
            while True:
                self.receive()
        except (ConnectionError, ssl.SSLError, OSError):
            return self.closed

    def whole_frame(self):
        """(opcode, payload) when one has come whole, None otherwise. For frames of a server, which have no mask."""
        rest = self.rest
        head = 2 + {126: 2, 127: 8}.get(rest[1] & 127, 0) if len(rest) >= 2 else 0
        if not head or len(rest) < head:
            return None
        size = int.from_bytes(rest[2:head], "big") if head > 2 else rest[1] & 127
        if len(rest) < head + size:
            return None
        self.rest = rest[head + size:]
        return rest[0] & 15, rest[head:head + size]

    def close(self):
        self.sock.close()


def exchange(stream, piece, count, within=60):
    """Sends a frame so many times, then "eof", and reads meanwhile until "eof" comes: (bytes that came, their sha256). One thread does both, since
    a TLS connection is not for two at once."""
    sock, to_send, left = stream.sock, memoryview(piece), count + 1
    got, size, end = hashlib.sha256(), 0, time.monotonic() + within
    sock.setblocking(False)
    while time.monotonic() < end:
        wants = False
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            while left:
                wants = True
                to_send = to_send[sock.send(to_send):]
                if not to_send:
                    left -= 1
                    to_send = memoryview(piece if left > 1 else frame(b"eof", TEXT))
                wants = False
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            stream.rest += stream._read()
        while (whole := stream.whole_frame()) is not None:
            opcode, data = whole
            if opcode == TEXT and data == b"eof":
                sock.settimeout(20)
                return size, got.digest()
            if opcode == CLOSE:
                raise ConnectionError(f"closed {data!r}")
            got.update(data)
            size += len(data)
        if not sock.pending():
            select.select([sock], [sock] if wants else [], [], 1)
    raise AssertionError(f"{size} bytes came within {within} s, {left} pieces were not even sent")
