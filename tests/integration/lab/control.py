# SPDX-License-Identifier: LGPL-2.1-or-later
"""The control socket spoken directly: for what must be fast, concurrent or malformed. A frame is u32 big-endian length of the header JSON, the
header ("n": bytes of the body), the body."""
import itertools
import json
import os
import socket
import struct

_numbers = itertools.count(1)


def frame(head, body=b""):
    head = json.dumps({**head, **({"n": len(body)} if body else {})}).encode()
    return struct.pack(">I", len(head)) + head + body


class Answer:
    def __init__(self, head, body):
        self.id, self.status, self.headers = head.get("id"), head.get("status"), head.get("headers", {})
        self.body = json.loads(body) if body else {}

    def __repr__(self):
        return f"{self.status} {self.body}"


class Control:
    """One connection to a node's control socket."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self._buffer = b""

    def _take(self, size):
        while len(self._buffer) < size:
            piece = self.sock.recv(65536)
            if not piece:
                raise ConnectionError("the control socket was closed")
            self._buffer += piece
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def read(self):
        head = json.loads(self._take(struct.unpack(">I", self._take(4))[0]))
        return Answer(head, self._take(head.get("n", 0)))

    def send(self, method, resource, body=None, id=None, headers=None):
        id = id or f"lab-{os.getpid()}-{next(_numbers)}"
        head = {"id": id, "method": method, "resource": resource, **({"headers": headers} if headers else {})}
        if body is not None:
            head["type"] = "application/json"
        self.sock.sendall(frame(head, json.dumps(body).encode() if body is not None else b""))
        return id

    def call(self, method, resource, body=None, **more):
        """The answer; AssertionError unless it is 2xx."""
        answer = self.ask(method, resource, body, **more)
        if not 200 <= answer.status < 300:
            raise AssertionError(f"{method} {resource}: {answer}")
        return answer.body

    def ask(self, method, resource, body=None, **more):
        id = self.send(method, resource, body, **more)
        while True:
            answer = self.read()
            if answer.id in (id, "0"):
                return answer

    def watch(self, resource):
        """Yields the bodies of the events until the last one; a caller that has seen enough closes the connection."""
        id = self.send("WATCH", resource)
        while True:
            answer = self.read()
            if answer.id != id or answer.status >= 300:
                raise AssertionError(f"WATCH {resource}: {answer}")
            if answer.status == 204:
                return
            yield answer.body
            if "more" not in answer.headers:
                return

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
