# SPDX-License-Identifier: LGPL-2.1-or-later
"""The good client beside an attack, a process of its own: it asks all the time and says on request how long the slowest answer took.

python3 -m lab.attacks.good CA KEYS NODES-PORT PEOPLE-PORT — each line on stdin is answered by one of JSON and begins a new count; after
"rest" it asks nothing before the next line."""
import contextlib
import json
import os
import select
import subprocess
import sys
import time

from lab import ws

EVERY_S = 0.01
GIVE_UP_S = 3
NEW_EACH = 10   # requests to a new connection
HELLO = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Client:
    def __init__(self, ca, keys, nodes, people):
        self.ca, self.keys, self.nodes, self.people = ca, keys, ("127.0.0.1", nodes), ("127.0.0.1", people)
        self.sock = self.link = None
        self.clear()

    def clear(self):
        self.slowest, self.count, self.faults = {"keep-alive": 0.0, "new": 0.0, "link": 0.0}, 0, []

    def timed(self, kind, action):
        begin = time.monotonic()
        try:
            action()
        except Exception as error:  # whatever it is, it is what a good client met
            self.faults.append(f"{kind}: {error!r}")
            self.sock = self.link = None
        self.slowest[kind] = max(self.slowest[kind], time.monotonic() - begin)
        self.count += 1

    def get(self, sock):
        sock.sendall(HELLO)
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("ended")
            head += data
        head, _, body = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head)
        lines = head.lower().split(b"\r\n")
        size = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        while len(body) < size:
            body += sock.recv(65536)
        return not any(line.startswith(b"connection:") and b"close" in line for line in lines)

    def kept(self):
        self.sock = self.sock or ws.tls(self.people, self.ca, timeout=GIVE_UP_S)
        if not self.get(self.sock):
            self.sock.close()
            self.sock = None

    def new(self):
        with ws.tls(self.people, self.ca, timeout=GIVE_UP_S) as sock:
            self.get(sock)

    def ask(self):
        self.link = self.link or ws.WebSocket(ws.tls(self.nodes, self.ca, keys=self.keys, timeout=GIVE_UP_S))
        status, _ = self.link.ask("GET", "nothing")
        if status != 404:
            raise ValueError(status)

    def run(self):
        number = 0
        while True:
            if select.select([sys.stdin], [], [], EVERY_S)[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                print(json.dumps({"slowest": self.slowest, "count": self.count, "faults": self.faults[:5]}), flush=True)
                self.clear()
                if line.strip() == "rest":
                    select.select([sys.stdin], [], [])
                    continue
            number += 1
            self.timed("keep-alive", self.kept)
            self.timed("link", self.ask)
            if number % NEW_EACH == 0:
                self.timed("new", self.new)


class Good:
    """The test's side of it."""

    def __init__(self, *args):
        above = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.child = subprocess.Popen([sys.executable, "-m", __name__, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env=dict(os.environ, PYTHONPATH=above))

    def report(self, word=""):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.wait(30)
        self.child.stdout.close()


if __name__ == "__main__":
    Client(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])).run()
