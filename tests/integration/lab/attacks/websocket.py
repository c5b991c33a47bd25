# SPDX-License-Identifier: LGPL-2.1-or-later
"""WebSocket (RFC 6455) after a good upgrade: bytes and what comes back.

Words: "pong:HEX", "data:HEX" (binary messages of a stream, put together), "text:WORDS", "ask" (the answer to a message of ours, whatever its status),
"close:CODE" (and then the connection ended; 1005: a close frame without a code), "ended" (without a close frame), "open" (a ping is answered next).
A row that says `before` has another answer for who has not logged in."""
import json
import struct

from lab import ws
from . import Row

TEXT, BINARY, CLOSE, PING, PONG = ws.TEXT, ws.BINARY, ws.CLOSE, ws.PING, ws.PONG
ASK = ws.message("GET", "nothing", ident="a")


def masked(payload=b"", opcode=BINARY, *, fin=True, rsv=0, key=b"\x37\xfa\x21\x3d", form=None, mask=True):
    """form: 0, 2 or 8 bytes of length whatever the size is."""
    size = len(payload)
    form = form if form is not None else 0 if size < 126 else 2 if size < 65536 else 8
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    head += bytes([bit | size]) if form == 0 else bytes([bit | 126]) + struct.pack(">H", size) if form == 2 else bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    pad = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def announced(size, opcode=BINARY, fin=True):
    """A head that says `size`, and nothing behind it but its mask."""
    length = bytes([0xfe]) + struct.pack(">H", size) if size < 65536 else bytes([0xff]) + struct.pack(">Q", size)
    return bytes([(0x80 if fin else 0) | opcode]) + length + b"\0\0\0\0"


def close(code=None, reason=b""):
    return masked((struct.pack(">H", code) if code is not None else b"") + reason, CLOSE)


def asked(**head):
    text = json.dumps(head).encode()
    return struct.pack(">I", len(text)) + text


def _frames():
    for rsv in range(1, 8):
        yield Row(f"reserved bits {rsv}", masked(b"x", rsv=rsv), "close:1002")
    for opcode, name in ((TEXT, "text"), (PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        yield Row(f"reserved bit in a {name}", masked(b"", opcode, rsv=4), "close:1002")
    yield Row("reserved bit in a continuation", masked(b"x", fin=False) + masked(b"y", 0, rsv=4), "close:1002")
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield Row(f"opcode {opcode}", masked(b"x", opcode), "close:1002")
    for opcode in (3, 11):
        yield Row(f"opcode {opcode}, empty", masked(b"", opcode), "close:1002")
        yield Row(f"opcode {opcode}, not final", masked(b"x", opcode, fin=False), "close:1002")
    for opcode, name in ((BINARY, "binary"), (TEXT, "text"), (PING, "ping"), (PONG, "pong"), (CLOSE, "close"), (0, "continuation")):
        yield Row(f"unmasked {name}", masked(b"\x03\xe8" if opcode == CLOSE else b"x", opcode, mask=False), "close:1002")
    yield Row("unmasked, empty", masked(mask=False), "close:1002")
    yield Row("unmasked after masked", masked(b"a", PING) + masked(b"b", PING, mask=False), "pong:61 close:1002")
    yield Row("unmasked continuation of a message", masked(b"x", fin=False) + masked(b"y", 0, mask=False), "close:1002")
    yield Row("mask of noughts", masked(b"hi", PING, key=b"\0\0\0\0"), "pong:6869 open")
    yield Row("mask of ones", masked(b"hi", PING, key=b"\xff\xff\xff\xff"), "pong:6869 open")
    for size, form in ((0, 2), (5, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
        yield Row(f"{size} bytes with a length of {form}", masked(b"x" * size, form=form), "close:1002")
    for size in (1 << 63, (1 << 64) - 1, (1 << 63) | 5):
        yield Row(f"length {size:#x}", announced(size), "close:1002")
    for size in (1 << 20, 1 << 30, 1 << 32, (1 << 32) + 5, 1 << 62, (1 << 63) - 1):
        yield Row(f"length {size:#x}", announced(size), "close:1009")
    yield Row("length over the limit of people", announced(66000), "close:1009", nodes="ended | close-any", before="close:1009", after="end")
    yield Row("length over the limit before login", announced(40000), "ended | close-any", before="close:1009", after="end")
    yield Row("length over the limit of nodes", announced((264 << 10) + 64), "close:1009")
    for opcode, name in ((PING, "ping"), (PONG, "pong"), (CLOSE, "close")):
        yield Row(f"{name} of 126 bytes", masked(b"\x03\xe8" + b"x" * 124, opcode), "close:1002")
        yield Row(f"{name} of 65536 bytes, its head", bytes([0x80 | opcode, 0xff]) + struct.pack(">Q", 65536), "close:1002")
        yield Row(f"{name}, fragmented", masked(b"\x03\xe8", opcode, fin=False), "close:1002")
    yield Row("ping with a length of two bytes", masked(b"x", PING, form=2), "close:1002")
    yield Row("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "close:1002")
    yield Row("TLS", bytes.fromhex("16030100050100000100"), "close:1002")
    yield Row("noughts", b"\0" * 20, "close:1002")
    yield Row("ones", b"\xff" * 20, "close:1002")
    yield Row("garbage", bytes(range(0xc0, 0x100)), "close:1002")


def _fragments():
    yield Row("continuation of nothing", masked(b"x", 0), "close:1002")
    yield Row("continuation of nothing, empty", masked(b"", 0), "close:1002")
    yield Row("continuation of nothing, not final", masked(b"x", 0, fin=False), "close:1002")
    yield Row("continuation after a message", masked(ASK) + masked(b"x", 0), "ask close:1002 | close:1002")
    for first, second in ((BINARY, BINARY), (BINARY, TEXT)):
        yield Row(f"message {second} inside a message {first}", masked(b"a", first, fin=False) + masked(b"b", second), "close:1002")
    yield Row("message 2 inside a message 1", masked(b"a", TEXT, fin=False) + masked(b"b"), "close:1002 | close:1003")
    yield Row("ping and pong are answered inside a message", masked(ASK[:9], fin=False) + masked(b"p", PING) + masked(b"q", PONG) + masked(ASK[9:], 0), "pong:70 ask open")
    yield Row("close inside a message", masked(ASK[:9], fin=False) + close(1000), "close:1000")
    for count in (2, 3, 64):
        step = -(-len(ASK) // count)
        pieces = [ASK[at * step:(at + 1) * step] for at in range(count)]
        yield Row(f"message of {count} fragments", b"".join(masked(piece, 0 if n else BINARY, fin=n == count - 1) for n, piece in enumerate(pieces)), "ask open")
    yield Row("message of 65 fragments", masked(b"", fin=False) + masked(b"", 0, fin=False) * 64 + masked(b"", 0), "close:1008")
    yield Row("fragments without end", masked(b"", fin=False) + b"".join(masked(ASK[at % len(ASK):at % len(ASK) + 1], 0, fin=False) for at in range(20000)), "close:1008", whole=True)
    yield Row("empty fragments without end", masked(b"", fin=False) + masked(b"", 0, fin=False) * 20000, "close:1008", whole=True)
    much = asked(id="a", method="PUT", resource="x", type="application/vnd.farwatch.batch", n=262144)
    yield Row("large fragments without end", masked(much + b"x" * 30000, fin=False) + masked(b"x" * 30000, 0, fin=False) * 15, "close:1009 | ask close:1009 | close:1002 | ask close:1002",
              before="close:1008 | close:1009", whole=True)
    yield Row("empty fragments around", masked(b"", fin=False) + masked(ASK, 0, fin=False) + masked(b"", 0), "ask open")
    yield Row("message in two messages", masked(ASK[:7]) + masked(ASK[7:]), "ask open")
    yield Row("message byte by byte", b"".join(masked(ASK[at:at + 1]) for at in range(len(ASK))), "ask open", whole=True)
    yield Row("two messages in one", masked(ASK + ASK), "ask ask open")
    yield Row("one and a half, and the rest", masked(ASK + ASK[:10]) + masked(ASK[10:]), "ask ask open")
    yield Row("empty messages", masked() * 20, "open")
    yield Row("empty messages without end", masked() * 30000, "open | close:1008", whole=True)


def _texts():
    for name, text in {"hello": b"hello", "nothing": b"", "NUL": b"\0", "eof": b"eof", "two bytes": "ä".encode(), "three": "€".encode(), "four": "𝄞".encode(), "the last": b"\xf4\x8f\xbf\xbf",
                       "no character": b"\xef\xbf\xbf"}.items():
        yield Row(f"text: {name}", masked(text, TEXT), "close:1003 | close:1000" if text == b"eof" else "close:1003")
    for name, text in {"0xff": b"\xff", "0x80": b"\x80", "overlong nought": b"\xc0\x80", "overlong slash": b"\xc1\xaf", "overlong of three": b"\xe0\x80\xaf", "overlong of four": b"\xf0\x80\x80\xaf",
                       "surrogate": b"\xed\xa0\x80", "pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80", "over the last": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
                       "cut after one": b"\xc3", "cut after three": b"\xf0\x9d\x84", "good, then bad": b"good \xff", "bad in the middle": b"a\xc3b", "0xfe": b"\xfe"}.items():
        yield Row(f"text that is none: {name}", masked(text, TEXT), "close:1007")
    yield Row("text: a character over two fragments", masked(b"\xe2\x82", TEXT, fin=False) + masked(b"\xac", 0), "close:1003")
    yield Row("text that is none: over two fragments", masked(b"\xe2\x82", TEXT, fin=False) + masked(b"\x28", 0), "close:1007 | close:1003")
    yield Row("text that is none: cut by the last fragment", masked(b"\xe2", TEXT, fin=False) + masked(b"", 0), "close:1007 | close:1003")
    yield Row("text that is none: first fragment, and no more", masked(b"\xff", TEXT, fin=False), "close:1007 | close:1003 | ended", after="end")


def _closes():
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Row(f"close {code}", close(code), f"close:{code} | close:1000")
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535):
        yield Row(f"close {code}, which is not sent", close(code), "close:1002")
    for code in (1012, 1013, 1014):
        yield Row(f"close {code}", close(code), f"close:{code} | close:1000 | close:1002")
    yield Row("close without a code", close(), "close:1005 | close:1000")
    yield Row("close of one byte", masked(b"\x03", CLOSE), "close:1002")
    yield Row("close with a reason", close(1000, "bis später".encode()), "close:1000")
    yield Row("close with a reason of 123", close(1000, b"x" * 123), "close:1000")
    for name, reason in {"0xff": b"\xff", "surrogate": b"\xed\xa0\x80", "cut": b"good \xc3", "overlong": b"\xc0\xaf"}.items():
        yield Row(f"close with a reason that is no text: {name}", close(1000, reason), "close:1007")
    yield Row("close, then a ping", close(1000) + masked(b"x", PING), "close:1000")
    yield Row("close, then a message", close(1000) + masked(ASK), "close:1000")
    yield Row("close twice", close(1000) * 2, "close:1000")
    yield Row("close, then what is wrong", close(1000) + b"\xff" * 10, "close:1000")
    yield Row("close, then much", close(1000) + masked(b"x" * 50000) * 4, "close:1000", whole=True)
    yield Row("ping, then close", masked(b"x", PING) + close(1000), "pong:78 close:1000")
    yield Row("message, then close", masked(ASK) + close(1000), "ask close:1000 | close:1000")


def _controls():
    for name, payload in {"empty": b"", "of two": b"hi", "of 125": b"x" * 125, "of all bytes": bytes(range(120))}.items():
        yield Row(f"ping {name}", masked(payload, PING), f"pong:{payload.hex()} open")
    yield Row("pong nobody asked for", masked(b"x", PONG), "open")
    yield Row("five pings", b"".join(masked(bytes([at]), PING) for at in range(5)), "pong:00 pong:01 pong:02 pong:03 pong:04 open")
    yield Row("140 pings", masked(b"", PING) * 140, " ".join(["pong:"] * 140) + " open", whole=True)
    for name, opcode in (("pings", PING), ("pongs", PONG)):
        yield Row(f"30000 {name}", masked(b"", opcode) * 30000, "close:1008", whole=True, pongs=False)
        yield Row(f"30000 {name} of 125", masked(b"x" * 125, opcode) * 30000, "close:1008", whole=True, pongs=False)
    yield Row("30000 pings inside a message", masked(b"", fin=False) + masked(b"", PING) * 30000, "close:1008", whole=True, pongs=False)
    for at in range(1, 8):
        yield Row(f"a ping cut after {at}, then the end", masked(b"hi", PING)[:at], "ended | close-any", after="end")
    yield Row("half a message, then the end", masked(ASK)[:20], "ended | close-any", after="end")
    yield Row("half a fragmented message, then the end", masked(ASK[:9], fin=False), "ended | close-any", after="end")
    yield Row("nothing, then the end", b"", "ended | close-any", after="end")
    yield Row("nothing, then the end without a word of TLS", b"", "ended | close-any", after="fin")
    yield Row("a message, then the end", masked(ASK), "ask ended | ask close-any | ended | close-any", after="end")
    for at in (0, 1, 2, 5, 7):
        yield Row(f"a ping cut after {at}, then a reset", masked(b"hi", PING)[:at], "reset", after="reset")
    yield Row("a message, then a reset", masked(ASK), "reset", after="reset")
    yield Row("1000 messages, then a reset", masked(ASK) * 700, "reset", after="reset", whole=True)


def _messages():
    wrong = "close:1002 | ask close:1002"
    for name, data in {"garbage": b"\xff" * 12, "length nought": b"\0\0\0\0", "length one": b"\0\0\0\1{", "length of 9000": struct.pack(">I", 9000) + b"{", "no JSON": b"\0\0\0\2{]",
                       "empty object": b"\0\0\0\2{}", "not an object": b"\0\0\0\2[]", "method and status": asked(id="a", method="GET", resource="x", status=200),
                       "unknown key": asked(id="a", method="GET", resource="x", evil=1), "bad id": asked(id="a b", method="GET", resource="x"),
                       "unknown method": asked(id="a", method="EVIL", resource="x"), "key twice": struct.pack(">I", 49) + b'{"id":"a","id":"b","method":"GET","resource":"x"}',
                       "negative n": asked(id="a", method="GET", resource="x", n=-1), "huge n": asked(id="a", method="PUT", resource="x", type="application/json", n=1 << 40),
                       "n without type": asked(id="a", method="PUT", resource="x", n=4) + b"null", "deep": struct.pack(">I", 200) + b"[" * 200,
                       "not UTF-8": struct.pack(">I", 4) + b'"\xff"\n', "trailing": asked(id="a", method="GET", resource="x") + b"\xff\xff\xff\xff"}.items():
        yield Row(f"message: {name}", masked(data), wrong + " | close:1009 | ask close:1009")
    yield Row("message: answers to nothing", masked(asked(id="x", status=200) * 200), "close:1008", nodes="open", before="close:1008")
    yield Row("message: a body of 32 KiB", masked(asked(id="a", method="PUT", resource="nothing", type="application/json", n=32768) + b"[" + b" " * 32766 + b"]"), "ask open",
              before="close:1009", whole=True)
    yield Row("messages of more than 48 KiB", masked(ASK) * 900, "open", before="close:1008", whole=True, asks=False)


def _streams():
    def row(name, data, answer, **more):
        return Row("stream: " + name, data, answer, doors=("stream",), **more)
    yield row("bytes", masked(b"hi"), "data:6869 open")
    yield row("nothing", masked(), "open")
    yield row("fragments", masked(b"a", fin=False) + masked(b"b", 0, fin=False) + masked(b"c", 0), "data:616263 open")
    yield row("a ping between", masked(b"a") + masked(b"p", PING) + masked(b"b"), "data:6162 pong:70 open | pong:70 data:6162 open | data:61 pong:70 data:62 open")
    yield row("the end", masked(b"eof", TEXT), "text:eof close:1000")
    yield row("bytes and the end", masked(b"hi") + masked(b"eof", TEXT), "data:6869 text:eof close:1000")
    yield row("the end in fragments", masked(b"e", TEXT, fin=False) + masked(b"of", 0), "text:eof close:1000")
    yield row("bytes after the end", masked(b"eof", TEXT) + masked(b"more"), "close:1002 | text:eof close:1002 | text:eof close:1000")
    for text in (b"", b"eo", b"eof\n", b"EOF", b"hello"):
        yield row(f"text {text!r}", masked(text, TEXT), "close:1003")
    yield row("text that is none", masked(b"\xff", TEXT), "close:1007")
    for code in (1000, 1001):
        yield row(f"close {code}", close(code), f"close:{code} | close:1000")
    yield row("bytes, then close", masked(b"hi") + close(1000), "data-any close:1000 | close:1000")
    yield row("close 1005", close(1005), "close:1002")
    yield row("reserved bit", masked(b"x", rsv=4), "close:1002")
    yield row("unmasked", masked(b"x", mask=False), "close:1002")
    yield row("opcode 3", masked(b"x", 3), "close:1002")
    yield row("continuation of nothing", masked(b"x", 0), "close:1002")
    yield row("message inside a message", masked(b"a", fin=False) + masked(b"b"), "close:1002 | data:61 close:1002")
    yield row("length 2^63", announced(1 << 63), "close:1002")
    yield row("length 2^62, then the end", announced(1 << 62), "ended | close-any", after="end")
    yield row("long form of a length", masked(b"hello", form=2), "close:1002")
    yield row("30000 pings", masked(b"", PING) * 30000, "close:1008", whole=True, pongs=False)
    yield row("half a frame, then the end", masked(b"hello")[:8], "ended | close-any | data-any ended | data-any close-any", after="end")
    yield row("half a frame, then a reset", masked(b"hello")[:8], "reset", after="reset")


def rows():
    return [*_frames(), *_fragments(), *_texts(), *_closes(), *_controls(), *_messages(), *_streams()]


# ---- what comes back ----

class Answers:
    """Frames of a server as words."""

    def __init__(self, pongs=True, asks=True):
        self.words, self.buffer, self.pongs, self.asks, self.closed = [], bytearray(), pongs, asks, False

    def feed(self, data):
        self.buffer += data
        while not self.closed:
            frame = self._frame()
            if frame is None:
                return
            self._take(*frame)

    def _frame(self):
        if len(self.buffer) < 2:
            return None
        size, at = self.buffer[1] & 127, 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(self.buffer[2:2 + wide], "big"), 2 + wide
        if self.buffer[1] & 128:
            self.words.append("masked!")
        if len(self.buffer) < at + size:
            return None
        first, payload = self.buffer[0], bytes(self.buffer[at:at + size])
        del self.buffer[:at + size]
        return first, payload

    def _take(self, first, payload):
        opcode = first & 15
        if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            self.words.append(f"frame:{first:02x}")
        elif opcode == CLOSE:
            self.words.append(f"close:{int.from_bytes(payload[:2], 'big') if len(payload) >= 2 else 1005}")
            self.closed = True
        elif opcode == PONG:
            if self.pongs:
                self.words.append(f"pong:{payload.hex()}")
        elif opcode == TEXT:
            self.words.append("text:" + payload.decode("utf-8", "replace"))
        elif opcode in (0, BINARY):
            self._message(payload)

    def _message(self, payload):
        if len(payload) > 8 and payload[:2] == b"\0\0" and payload[4:5] == b"{":
            own = next((word for word in ("login", "held") if b'"%s-' % word.encode() in payload[:200]), None)
            if own or self.asks:
                self.words.append(own or "ask")
        elif self.words and self.words[-1].startswith("data:"):
            self.words[-1] += payload.hex()
        else:
            self.words.append("data:" + payload.hex())
