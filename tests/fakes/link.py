# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cloud that lies: a listener for nodes with the fleet's own certificate, which gives each message that comes over its link the answer a test has in mind."""
import base64
import hashlib
import json
import socket
import ssl
import struct
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


def _take(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def _upgrade(sock):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _take(sock, 1)
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
    fields = {name.lower(): value for name, value in fields.items()}
    accept = base64.b64encode(hashlib.sha1(fields["sec-websocket-key"].encode() + GUID).digest()).decode()
    sock.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                 f"Sec-WebSocket-Protocol: {fields['sec-websocket-protocol']}\r\n\r\n".encode())


def _frame(sock):
    """The payload of the next binary frame of a client."""
    while True:
        first, second = _take(sock, 2)
        size = second & 127
        size = struct.unpack(">H", _take(sock, 2))[0] if size == 126 else struct.unpack(">Q", _take(sock, 8))[0] if size == 127 else size
        mask, data = _take(sock, 4), _take(sock, size)
        if first & 15 == 2:
            return bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        if first & 15 == 8:
            raise ConnectionError


class LyingCloud:
    """answer: (status, body) for each message. asked: their heads."""

    def __init__(self, address, certificate, key, answer):
        self.answer, self.asked = answer, []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(address)
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

    def _serve(self, plain):
        plain.settimeout(20)
        try:
            with self._context.wrap_socket(plain, server_side=True) as sock:
                _upgrade(sock)
                while True:
                    message = _frame(sock)
                    head = json.loads(message[4:4 + struct.unpack(">I", message[:4])[0]])
                    self.asked.append(head)
                    text = json.dumps(self.answer[1]).encode()
                    reply = json.dumps({"id": head["id"], "status": self.answer[0], "type": "application/json", "n": len(text)}).encode()
                    reply = struct.pack(">I", len(reply)) + reply + text
                    size = bytes([len(reply)]) if len(reply) < 126 else bytes([126]) + struct.pack(">H", len(reply))
                    sock.sendall(b"\x82" + size + reply)
        except (OSError, ConnectionError, KeyError):
            pass
