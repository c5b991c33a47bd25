# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person at the people's door (HTTPS), with a login of its own: what a browser or farctl --server does, spoken directly."""
import base64
import ctypes
import ctypes.util
import http.client
import itertools
import json
import os
import ssl
import threading

from lab import secrets
from lab.nat import inside
from lab.wait import wait_until

_numbers = itertools.count(1)
SEAL_BYTES = 48


def seal(box_b64, plain):
    """crypto_box_seal of compact JSON, in base64, as core/farwatch/trust.h has it."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    text = json.dumps(plain, separators=(",", ":")).encode()
    out = ctypes.create_string_buffer(len(text) + SEAL_BYTES)
    if sodium.sodium_init() < 0 or sodium.crypto_box_seal(out, text, ctypes.c_ulonglong(len(text)), base64.b64decode(box_b64)) != 0:
        raise AssertionError("sealing failed")
    return base64.b64encode(out.raw).decode()


class Refused(Exception):
    """The door said no."""

    def __init__(self, what, status, body):
        super().__init__(f"{what}: {status} {body}")
        self.status, self.body = status, body


class Stranger:
    """Nobody in particular at the people's door."""

    def __init__(self, fleet, netns=None):
        self.fleet, self.netns = fleet, netns
        self.ticket = self._connection = None

    # ---- the door ----

    def _connect(self):
        context = ssl.create_default_context(cafile=self.fleet.ca)
        with inside(self.netns):
            self._connection = http.client.HTTPSConnection(self.fleet.host, self.fleet.ports["people"], context=context, timeout=30)
            self._connection.connect()

    def _exchange(self, method, resource, body):
        headers = {"Authorization": f"Bearer {self.ticket}"} if self.ticket else {}
        if body is not None:
            headers["Content-Type"] = "application/vnd.farwatch.batch" if isinstance(body, bytes) else "application/json"
        text = body if isinstance(body, bytes) or body is None else json.dumps(body)
        self._connection.request(method, "/api/" + resource, text, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}

    def ask(self, method, resource, body=None):
        """body: JSON, or the bytes of a batch. (status, parsed body), over a connection that is kept; once more over a new one when the door had closed it."""
        if self._connection is not None:
            try:
                return self._exchange(method, resource, body)
            except (http.client.HTTPException, OSError):
                self._connection.close()
        self._connect()
        return self._exchange(method, resource, body)

    def call(self, method, resource, body=None):
        status, answer = self.ask(method, resource, body)
        if not 200 <= status < 300:
            raise Refused(f"{method} {resource}", status, answer)
        return answer


class Person(Stranger):
    """name with a password that is registered at the cloud's `people` and, by at(), at a terminal's."""

    def __init__(self, fleet, name, rights=("connect",), objects=("terminals/*",), netns=None):
        super().__init__(fleet, netns)
        self.name = name
        self.password = secrets.new(f"the password of {name}")
        fleet.cloud.put_user(name, self.password)
        for right in rights:
            for at in objects:
                fleet.cloud.call("POST", "rights", {"who": name, "action": right, "object": at})

    def at(self, terminal):
        """May log in at the terminal with the same password."""
        terminal.put_user(self.name, self.password)
        return self

    def login(self):
        self.ticket = None
        answer = self.call("POST", "login", {"name": self.name, "password": self.password})
        self.ticket = secrets.remember(answer["ticket"], f"the ticket of {self.name}")
        return self

    # ---- access ----

    def _statement(self, terminal):
        """The terminal gives a nonce with its poll; one that has just been spent, or a cloud that has just started, has none for a moment."""
        answer = self.call("GET", f"terminals/{terminal}/statement")
        return answer if answer.get("nonce") else None

    def box(self, terminal, request, device, for_us, entry, password=None, **changes):
        """A login in advance, sealed to the terminal."""
        answer = wait_until(lambda: self._statement(terminal), 15, f"a nonce of {terminal}", every=0.05)
        plain = {"nonce": answer["nonce"], "request": request, "person": self.name, "password": password or self.password, "device": device,
                 "longest_us": for_us, "entry": entry}
        plain.update(changes)
        return seal(answer["statement"]["box"], plain)

    def request(self, terminal="t1", device=None, for_s=600, entry="ports", raw=False, in_advance=False, reason="test"):
        """Asks; the session's first row. raw needs a login in advance."""
        wish = {"terminal": terminal, "for_us": int(for_s * 1e6), "reason": reason, "entry": entry}
        if device:
            wish["device"] = device
        if raw or in_advance:
            wish["id"] = f"{self.name}-{os.getpid()}-{threading.get_ident() % 10000}-{next(_numbers)}"
            wish["login_box"] = self.box(terminal, wish["id"], device, wish["for_us"], entry)
            wish["login"] = "in-advance"
        if raw:
            wish["raw"] = True
        return self.call("POST", "sessions", wish)

    def open(self, *args, timeout=20, **how):
        """Asks and waits until it is open; its row."""
        session = self.request(*args, **how)["session"]

        def opened():
            row = self.call("GET", f"sessions/{session}")
            if row["state"] == "closed":
                raise AssertionError(f"session {session}: {row.get('cause')}")
            return row if row["state"] == "open" else None
        return wait_until(opened, timeout, f"session {session} open", every=0.01)

    def close(self, session):
        self.call("DELETE", f"sessions/{session}")
