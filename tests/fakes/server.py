# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server, for people or for nodes, that plays one answer: TLS, the upgrade to a WebSocket, and then that answer to every request, so that what farctl does
about it is tested alone."""
import base64
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Server:
    """keys: folder with node.crt and node.key. answer: (status, body). certificate: another file than node.crt, as with the authority behind it.
    asked: the heads of the requests."""

    def __init__(self, keys, answer, address=("127.0.0.1", 0), certificate=None):
        self.answer, self.asked = answer, []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate or os.path.join(keys, "node.crt"), os.path.join(keys, "node.key"))
        self._listener = socket.create_server(address)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(20)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _take(stream, size):
        data = stream.read(size)
        if len(data) < size:
            raise ConnectionError
        return data

    def _serve(self, sock):
        try:
            with self._context.wrap_socket(sock, server_side=True) as tls, tls.makefile("rb") as stream:
                self._upgrade(tls, stream)
                while True:
                    self._answer(tls, self._message(stream))
        except (ConnectionError, OSError):
            pass

    @staticmethod
    def _upgrade(tls, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                raise ConnectionError
            head += line
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head).group(1)
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        protocol = re.search(rb"(?i)sec-websocket-protocol: *(\S+)", head)  # nodes name theirs, and want it back
        chosen = b"Sec-WebSocket-Protocol: " + protocol.group(1) + b"\r\n" if protocol else b""
        tls.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n" + chosen + b"\r\n")

    def _message(self, stream):
        """Payload of a frame, which holds a message; other frames end it."""
        first, size = self._take(stream, 2)
        size &= 127
        if first != 0x82:
            raise ConnectionError
        if size > 125:
            size = int.from_bytes(self._take(stream, 2 if size == 126 else 8), "big")
        mask, data = self._take(stream, 4), self._take(stream, size)
        return bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    def _answer(self, tls, data):
        head = json.loads(data[4:4 + struct.unpack(">I", data[:4])[0]])
        self.asked.append(head)
        status, body = self.answer
        text = json.dumps(body).encode()
        head = json.dumps({"id": head["id"], "status": status, "type": "application/json", "n": len(text)}).encode()
        data = struct.pack(">I", len(head)) + head + text
        tls.sendall(b"\x82" + (bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))) + data)
