# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting with an end, free ports, and who listens where."""
import contextlib
import os
import random
import socket
import time

_held = []  # locks on ports handed out; the kernel lets go of them when this process ends


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_until(predicate, timeout=10.0, what="", every=0.02):
    """Returns the first true value of predicate(); AssertionError after timeout seconds. For what has no event to wait for."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or predicate}")
        time.sleep(every)  # lint: allow sleep: the one place that polls


def free_port():
    """A loopback port nobody uses, below the ports that the kernel and the cloud draw; no other test gets it while this one runs."""
    for _ in range(2000):
        port = random.randrange(2000, 9999)
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0farwatch-lab-port-{port}")
        except OSError:
            lock.close()
            continue
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
        _held.append(lock)
        return port
    raise AssertionError("no free port between 2000 and 9998")


def _address(text):
    raw = bytes.fromhex(text)
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw[::-1])
    return socket.inet_ntop(socket.AF_INET6, b"".join(raw[i:i + 4][::-1] for i in range(0, 16, 4)))


def _sockets(pid):
    """The inodes of a process's sockets."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            name = os.readlink(f"/proc/{pid}/fd/{fd}")
            if name.startswith("socket:["):
                found.add(name[8:-1])
    return found


def listening(pid="self", own=False):
    """{port: address} of the TCP sockets that listen in the network namespace of a process, as the kernel says; own: those of the process."""
    found, mine = {}, _sockets(pid) if own else ()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{name}", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and (not own or fields[9] in mine):
                    address, port = fields[1].split(":")
                    found[int(port, 16)] = _address(address)
    return found


def dial(host, port, timeout=10.0):
    """A TCP connection without delay; a timeout on every later call too."""
    sock = socket.create_connection((host, port), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise AssertionError(f"the stream ended after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)
