# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records what really crosses a link (root only), as a pcap file that the secrets are looked for in and any reader opens."""
import os
import select
import socket
import struct
import threading
import time

from lab.nat import inside

ETH_P_ALL = 3


class Capture:
    """Packets of TCP ports (empty: all) on a link of a namespace, from now until stop()."""

    def __init__(self, path, link="lo", ports=(), netns=None):
        self.path, self.ports, self.packets = path, set(ports), 0
        self._twice = link == "lo"
        with inside(netns):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            self._sock.bind((link, ETH_P_ALL))
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, *ports):
        self.ports |= set(ports)

    def _wanted(self, frame):
        if not self.ports:
            return True
        kind = frame[12:14]
        if kind == b"\x08\x00":
            at = 14 + (frame[14] & 15) * 4
        elif kind == b"\x86\xdd":
            at = 54
        else:
            return False
        if len(frame) < at + 4:
            return False
        return bool(self.ports & set(struct.unpack("!HH", frame[at:at + 4])))

    def _run(self):
        with open(self.path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            stopping = False
            while True:
                ready = select.select([self._sock, self._wake[0]], [], [], 0 if stopping else None)[0]
                stopping = stopping or self._wake[0] in ready
                if self._sock not in ready:
                    if stopping:
                        break
                    continue
                frame, where = self._sock.recvfrom(262144)
                if not (self._twice and where[2] == socket.PACKET_OUTGOING) and self._wanted(frame):  # lo shows each packet twice
                    now = time.time()
                    file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)
                    self.packets += 1

    def stop(self):
        """Ends the recording once all that was sent so far is in the file; returns its bytes."""
        if self._thread.is_alive():
            os.write(self._wake[1], b"x")
            self._thread.join(20)
            self._sock.close()
            for end in self._wake:
                os.close(end)
        with open(self.path, "rb") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
