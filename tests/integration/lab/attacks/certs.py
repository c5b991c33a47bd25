# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates that no program of ours would sign: DER and ECDSA (P-256, SHA-256) by hand, with the fleet's own authority or another one."""
import base64
import datetime
import hashlib
import os
import re

P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def _add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(number, point=G):
    sum_ = None
    while number:
        if number & 1:
            sum_ = _add(sum_, point)
        point, number = _add(point, point), number >> 1
    return sum_


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    length = bytes([size]) if size < 128 else (lambda raw: bytes([0x80 | len(raw)]) + raw)(size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + body


def integer(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([first * 40 + second])
    for value in rest:
        piece = [value & 127]
        while value := value >> 7:
            piece.append(value & 127 | 128)
        out += bytes(reversed(piece))
    return der(6, out)


def name(*cns):
    return der(0x30, *(der(0x31, der(0x30, oid("2.5.4.3"), der(0x0c, cn))) for cn in cns))


ECDSA = der(0x30, oid("1.2.840.10045.4.3.2"))
CLIENT, SERVER, ANY = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"


class Key:
    def __init__(self, secret=None):
        self.secret = secret or int.from_bytes(os.urandom(40), "big") % (N - 1) + 1
        x, y = multiply(self.secret)
        self.point = b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        self.spki = der(0x30, der(0x30, oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), der(3, b"\0", self.point))

    def sign(self, data):
        number = int.from_bytes(os.urandom(40), "big") % (N - 1) + 1
        r = multiply(number)[0] % N
        s = pow(number, -1, N) * (int.from_bytes(hashlib.sha256(data).digest(), "big") + r * self.secret) % N
        return der(0x30, integer(r), integer(s))

    def pem(self):
        body = der(0x30, integer(1), der(4, self.secret.to_bytes(32, "big")), der(0xa0, oid("1.2.840.10045.3.1.7")), der(0xa1, der(3, b"\0", self.point)))
        return pem("EC PRIVATE KEY", body)


def pem(label, body):
    text = base64.encodebytes(body).decode().replace("\n", "")
    return f"-----BEGIN {label}-----\n" + "\n".join(re.findall(".{1,64}", text)) + f"\n-----END {label}-----\n"


def unpem(text):
    return [base64.b64decode(body) for body in re.findall(r"-----BEGIN [^-]*-----(.*?)-----END", text, re.S)]


def _content(data, at=0):
    """(begin, end) of what is inside the element at `at`."""
    size, begin = data[at + 1], at + 2
    if size & 128:
        size, begin = int.from_bytes(data[begin:begin + (size & 127)], "big"), begin + (size & 127)
    return begin, begin + size


def _children(data):
    """The elements inside an element, each with its head."""
    at, end = _content(data)
    found = []
    while at < end:
        after = _content(data, at)[1]
        found.append(data[at:after])
        at = after
    return found


def key_of(text):
    """The key of a PEM file, in SEC 1 or PKCS 8."""
    parts = _children(unpem(text)[0])
    if parts[1][0] == 0x30:
        parts = _children(parts[2][slice(*_content(parts[2]))])
    return Key(int.from_bytes(parts[1][slice(*_content(parts[1]))], "big"))


class Authority:
    """The fleet's (folder of ca.crt and ca.key), or one that calls itself the same."""

    def __init__(self, folder, key=None):
        with open(os.path.join(folder, "ca.crt"), encoding="ascii") as file:
            self.cert = unpem(file.read())[0]
        fields = [field for field in _children(_children(self.cert)[0]) if field[0] != 0xa0]
        self.subject = fields[4]
        if key is None:
            with open(os.path.join(folder, "ca.key"), encoding="ascii") as file:
                key = key_of(file.read())
        self.key = key


def certificate(key, issuer_key, issuer, *, cns=(b"t1",), days=(-1, 30), purposes=(CLIENT,), authority=False, san=(b"t1",), serial=None):
    def moment(offset):
        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)
        return der(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())
    extensions = [der(0x30, oid("2.5.29.19"), der(1, b"\xff"), der(4, der(0x30, der(1, b"\xff") if authority else b"")))]
    if purposes:
        extensions.append(der(0x30, oid("2.5.29.37"), der(4, der(0x30, *map(oid, purposes)))))
    if san:
        extensions.append(der(0x30, oid("2.5.29.17"), der(4, der(0x30, *(der(0x82, one) for one in san)))))
    body = der(0x30, der(0xa0, integer(2)), integer(serial or int.from_bytes(os.urandom(15), "big")), ECDSA, issuer, der(0x30, moment(days[0]), moment(days[1])),
               name(*cns), key.spki, der(0xa3, der(0x30, *extensions)))
    return der(0x30, body, ECDSA, der(3, b"\0", issuer_key.sign(body)))
