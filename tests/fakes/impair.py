#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TCP proxy that harms what passes, in user space: no privileges, no kernel modules.

In a test:      proxy = Impair(("127.0.0.1", 7000)); proxy.command("cut")
As a program:   impair.py --listen 127.0.0.1:7001 --to 127.0.0.1:7000 --control FIFO     (one command a line; "quit" ends it)

commands ("up" is from the one who dialled, "down" back to them):
  cut                 resets every connection (both sides)          eof             ends every connection in order
  refuse | accept     new connections are reset at once | served    hole            new connections are taken and never served
  stall [up|down]     nothing passes, nothing is closed             go              ends stall, delay, rate, hole, refuse
  delay MS            each piece waits so long, order kept          rate BYTES      bytes a second, each direction on its own
  corrupt up|down N   flips a bit of byte N (from 0) of that direction, in each connection from now on ("corrupt off" ends it)
  half up|down        ends only that direction of every connection
"""
import argparse
import collections
import selectors
import socket
import struct
import sys
import threading
import time

LIMIT = 1 << 20  # bytes held a direction; then the sender waits, as on a real line


class Half:
    """One direction of one connection."""

    def __init__(self, name, source, target):
        self.name, self.source, self.target = name, source, target
        self.held = collections.deque()  # (due, bytes)
        self.size = self.seen = self.passed = 0
        self.ended = self.told = False
        self.allowance, self.filled = 0.0, time.monotonic()


class Link:
    def __init__(self, near, far):
        self.near, self.far = near, far
        self.halves = [Half("up", near, far), Half("down", far, near)]


class Impair:
    def __init__(self, target, listen=("127.0.0.1", 0), make_socket=None):
        self.target = target
        self.connections = 0                 # how many came, ever
        self._links = []
        self._lock = threading.Lock()
        self._orders = collections.deque()
        self._stalled, self._mode = set(), "accept"
        self._delay, self._rate, self._corrupt = 0.0, None, {}
        self._holes = []
        self._selector = selectors.DefaultSelector()
        self._listener = make_socket() if make_socket else socket.create_server(listen, backlog=128)
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()[:2]
        self.address = f"{self.host}:{self.port}"
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._wake_in, selectors.EVENT_READ, "wake")
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # ---- for the test ----

    def command(self, line, timeout=5.0):
        """Returns when the command is in force."""
        done = threading.Event()
        order = [line.split(), done, None]
        self._orders.append(order)
        self._wake_out.send(b"x")
        if not done.wait(timeout):
            raise AssertionError(f"the proxy did not take '{line}'")
        if order[2]:
            raise ValueError(order[2])

    def passed(self):
        """(up, down) bytes delivered on the connections that are open now."""
        with self._lock:
            return tuple(sum(link.halves[i].passed for link in self._links) for i in (0, 1))

    def open_count(self):
        with self._lock:
            return len(self._links)

    def close(self):
        if self._running:
            self.command("quit")
            self._thread.join(5)
            for sock in (self._wake_in, self._wake_out):  # not by the proxy's thread: it may obey before it is woken
                sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the proxy's thread ----

    def _run(self):
        while self._running:
            for key, _ in self._selector.select(self._next_due()):
                if key.data == "listener":
                    self._welcome()
                elif key.data == "wake":
                    self._wake_in.recv(4096)
                elif isinstance(key.data, Link):
                    self._read_from(key.data, key.fileobj)
            while self._orders:
                self._obey(self._orders.popleft())
            for link in list(self._links):
                self._move(link)
        for sock in self._holes + [self._listener]:
            sock.close()
        self._selector.close()

    def _next_due(self):
        wait = 5.0
        for link in self._links:
            for half in link.halves:
                if half.held and half.name not in self._stalled:
                    wait = min(wait, max(0.001, half.held[0][0] - time.monotonic()))
        return wait

    def _welcome(self):
        near, _ = self._listener.accept()
        self.connections += 1
        if self._mode == "refuse":
            self._reset(near)
            return
        if self._mode == "hole":
            self._holes.append(near)
            return
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            self._reset(near)
            return
        link = Link(near, far)
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._links.append(link)

    def _half_from(self, link, sock):
        return link.halves[0] if sock is link.near else link.halves[1]

    def _read_from(self, link, sock):
        half = self._half_from(link, sock)
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self._drop(link, reset=True)
            return
        if not data:
            half.ended = True
            return
        data = self._maybe_corrupt(half, data)
        half.seen += len(data)
        half.size += len(data)
        half.held.append((time.monotonic() + self._delay, data))

    def _maybe_corrupt(self, half, data):
        at = self._corrupt.get(half.name)
        if at is None or not half.seen <= at < half.seen + len(data):
            return data
        changed = bytearray(data)
        changed[at - half.seen] ^= 0x20
        return bytes(changed)

    def _quota(self, half):
        if self._rate is None:
            return 1 << 20
        now = time.monotonic()
        half.allowance = min(self._rate / 10, half.allowance + (now - half.filled) * self._rate)
        half.filled = now
        return int(half.allowance)

    def _send(self, link, half):
        """Delivers what is due; FALSE when the connection is gone."""
        while half.held and half.name not in self._stalled:
            due, data = half.held[0]
            quota = self._quota(half)
            if due > time.monotonic():
                break
            if quota < 1:
                half.held[0] = (time.monotonic() + 0.005, data)
                break
            try:
                sent = half.target.send(data[:quota])
            except BlockingIOError:
                break
            except OSError:
                self._drop(link, reset=True)
                return False
            half.passed += sent
            half.size -= sent
            half.allowance -= sent
            half.held.popleft()
            if sent < len(data):
                half.held.appendleft((due, data[sent:]))
        if half.ended and not half.held and not half.told and half.name not in self._stalled:
            half.told = True
            try:
                half.target.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        return True

    def _move(self, link):
        for half in link.halves:
            if not self._send(link, half):
                return
        if all(half.told for half in link.halves):
            self._drop(link, reset=False)
            return
        for sock, out in ((link.near, link.halves[1]), (link.far, link.halves[0])):
            source = self._half_from(link, sock)
            events = 0
            if not source.ended and source.size < LIMIT and source.name not in self._stalled:
                events |= selectors.EVENT_READ
            if out.held and out.name not in self._stalled and out.held[0][0] <= time.monotonic():
                events |= selectors.EVENT_WRITE
            self._watch(sock, events, link)

    def _watch(self, sock, events, link):
        known = self._selector.get_map().get(sock.fileno())
        if known and not events:
            self._selector.unregister(sock)
        elif known and known.events != events:
            self._selector.modify(sock, events, link)
        elif not known and events:
            self._selector.register(sock, events, link)

    @staticmethod
    def _reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def _drop(self, link, reset):
        with self._lock:
            if link not in self._links:
                return
            self._links.remove(link)
        for sock in (link.near, link.far):
            self._watch(sock, 0, link)
            if reset:
                self._reset(sock)
            else:
                sock.close()

    def _obey(self, order):
        words, done, _ = order
        try:
            getattr(self, "_do_" + words[0])(*words[1:])
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            order[2] = f"bad command {' '.join(words)}: {error}"
        done.set()

    def _do_cut(self):
        for link in list(self._links):
            self._drop(link, reset=True)

    def _do_eof(self):
        for link in list(self._links):
            self._drop(link, reset=False)

    def _do_refuse(self):
        self._mode = "refuse"

    def _do_hole(self):
        self._mode = "hole"

    def _do_accept(self):
        self._mode = "accept"

    def _do_stall(self, *directions):
        self._stalled |= set(directions or ("up", "down"))

    def _do_go(self):
        self._stalled.clear()
        self._mode, self._delay, self._rate = "accept", 0.0, None
        for sock in self._holes:
            self._reset(sock)
        self._holes = []

    def _do_delay(self, ms):
        self._delay = float(ms) / 1000

    def _do_rate(self, per_second):
        self._rate = float(per_second)

    def _do_corrupt(self, direction, at=None):
        self._corrupt = {} if direction == "off" else {**self._corrupt, direction: int(at)}
        for link in self._links:  # counted from now on
            for half in link.halves:
                half.seen = 0

    def _do_half(self, direction):
        for link in list(self._links):
            link.halves[0 if direction == "up" else 1].ended = True
            self._move(link)

    def _do_quit(self):
        self._do_cut()
        self._running = False


def split(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def main():
    parser = argparse.ArgumentParser(description="a TCP proxy that harms what passes")
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--to", required=True)
    parser.add_argument("--control", required=True, help="a FIFO to read commands from")
    arguments = parser.parse_args()
    with Impair(split(arguments.to), split(arguments.listen)) as proxy:
        print(f"listening on {proxy.address}", flush=True)
        while True:
            with open(arguments.control, encoding="ascii") as control:
                for line in control:
                    if line.strip() == "quit":
                        return
                    try:
                        proxy.command(line)
                        print(f"done {line.strip()}", flush=True)
                    except ValueError as error:
                        print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
