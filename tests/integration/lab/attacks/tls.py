# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS 1.2 and 1.3 (RFC 5246, 8446) as seen by a server. Three kinds of rows: bytes on a fresh connection ("raw"), a handshake of which a flight is
replaced ("live"), and bytes after a good handshake ("post").

Words: "alert:NAME" (fatal; then the connection ended), "ended" (without an alert), "notify" (an orderly end), "hello" (the handshake went on),
"served" (an HTTP request was answered)."""
import struct

from . import Row
from .record import ALERT, CCS, DATA, HANDSHAKE, HEARTBEAT, handshake, plain, records

ALERTS = {0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure", 42: "bad_certificate", 43: "unsupported_certificate",
          44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
          51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
          109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name", 115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol"}
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANY = "alert-any | ended"         # refused, the RFC leaves open how
GONE = "ended | notify | alert-any"


def vector(width, body):
    return len(body).to_bytes(width, "big") + body


def ext(kind, body=b""):
    return struct.pack(">H", kind) + vector(2, body)


def sni(*names, kind=0):
    return ext(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))


def alpn(*names):
    return ext(16, vector(2, b"".join(vector(1, name) for name in names)))


def share(group=29, key=bytes(range(1, 33))):
    return struct.pack(">H", group) + vector(2, key)


GROUPS, SIGNATURES = ext(10, vector(2, b"\0\x1d\0\x17")), ext(13, vector(2, b"\4\3\5\3\x08\7\x08\4\x08\5"))
VERSIONS, SHARE, MODES = ext(43, vector(1, b"\3\4")), ext(51, vector(2, share())), ext(45, b"\1\1")
POINTS, EMS, RENEGOTIATION = ext(11, b"\1\0"), ext(23), ext(0xff01, b"\0")
SUITES13, SUITES12 = b"\x13\2\x13\1\x13\3", b"\xc0\x2b\xc0\x2c\xcc\xa9"
BASE13 = [sni(b"localhost"), GROUPS, SIGNATURES, VERSIONS, SHARE, MODES]
BASE12 = [sni(b"localhost"), GROUPS, SIGNATURES, POINTS, EMS, RENEGOTIATION]


def hello(extensions=None, *, version=0x0303, session=b"s" * 32, suites=SUITES13, compression=b"\0", more=b"", drop=(), ext_size=None):
    """A ClientHello message. more: extensions behind the usual ones; drop: those that are left out."""
    extensions = [one for one in (BASE13 if extensions is None else extensions) if one not in drop]
    block = b"".join(extensions) + more
    return handshake(1, struct.pack(">H", version) + bytes(range(32)) + vector(1, session) + vector(2, suites) + vector(1, compression) +
                     ((ext_size if ext_size is not None else len(block)).to_bytes(2, "big") + block if block or ext_size is not None else b""))


def hello12(extensions=None, **how):
    how.setdefault("suites", SUITES12)
    return hello(BASE12 if extensions is None else extensions, **how)


def raw(name, data, answer, **more):
    return Row(name, data, answer, kind="raw", **more)


def hi(message, version=0x0301):
    return plain(HANDSHAKE, message, version)


def flipped(data):
    """Its last bit is another."""
    return data[:-1] + bytes([data[-1] ^ 1])


def each(message, size):
    return b"".join(hi(message[at:at + size]) for at in range(0, len(message), size))


def _strangers():
    yield raw("HTTP", GET, ANY)
    yield raw("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n", ANY)
    yield raw("SSL 2 hello", bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + b"c" * 16, ANY)
    yield raw("SSL 2 hello that offers TLS 1.2", bytes.fromhex("802b01030300120000001000c02b") + b"\0\0\x2f" * 5 + b"c" * 16, ANY)
    yield raw("noughts", b"\0" * 100, ANY)
    yield raw("ones", b"\xff" * 100, ANY)
    yield raw("garbage", bytes((at * 73 + 41) % 256 for at in range(300)), ANY)
    yield raw("the PROXY line of another listener", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n" + hi(hello()), ANY)
    for version, name in ((0x0300, "SSL 3"), (0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")):
        yield raw(f"{name} hello", hi(hello12(version=version), version), "alert:protocol_version | alert:handshake_failure | alert:insufficient_security")
    yield raw("hello of version 0", hi(hello12(version=0)), "alert:protocol_version | alert:illegal_parameter | alert:decode_error")
    yield raw("hello of version 0x0200", hi(hello12(version=0x0200)), "alert:protocol_version | alert:illegal_parameter")
    yield raw("hello of version 0xffff is TLS 1.2 or newer", hi(hello12(version=0xffff)), "hello | alert:protocol_version")


def _records():
    good = hello()
    for version in (0x0300, 0x0301, 0x0303, 0x0304):
        yield raw(f"record version {version:#06x}", hi(good, version), "hello")
    yield raw("record version 0x0000", hi(good, 0), "hello | " + ANY)
    yield raw("record version 0x0400", hi(good, 0x0400), "hello | " + ANY)
    for kind in (0, 19, HEARTBEAT, 25, 63, 255):
        yield raw(f"record of type {kind} first", plain(kind, b"x" * 20), ANY)
    yield raw("heartbleed", plain(HEARTBEAT, b"\1\x40\0"), "alert:unexpected_message | ended")
    yield raw("data first", plain(DATA, GET), "alert:unexpected_message | alert:bad_record_mac")
    yield raw("empty data first", plain(DATA, b""), ANY)
    yield raw("change cipher spec first", plain(CCS, b"\1"), ANY, after="end")
    yield raw("change cipher spec first, then a hello", plain(CCS, b"\1") + hi(good), "alert:unexpected_message | hello")  # GnuTLS lets it pass
    yield raw("change cipher spec of two bytes", plain(CCS, b"\1\1") + hi(good), "alert:unexpected_message")
    yield raw("change cipher specs without end", plain(CCS, b"\1") * 5000, ANY, whole=True)
    for name, body in {"close_notify": b"\1\0", "fatal": b"\2\x28", "fatal of an unknown kind": b"\2\xfe"}.items():
        yield raw(f"alert first: {name}", plain(ALERT, body), GONE)
    for name, body in {"empty": b"", "of one byte": b"\1", "of three bytes": b"\1\0\0", "of level 3": b"\3\x28"}.items():
        yield raw(f"alert first: {name}", plain(ALERT, body) + hi(good), "alert-any | ended", after="end")
    yield raw("a warning, then a hello", plain(ALERT, b"\1\x5a") + hi(good), "hello | alert:unexpected_message | ended")
    yield raw("warnings without end", plain(ALERT, b"\1\x5a") * 5000, GONE, whole=True)
    yield raw("warnings without end inside a hello", hi(good[:20]) + plain(ALERT, b"\1\x5a") * 5000, GONE, whole=True)
    yield raw("record of nothing", hi(b"") + hi(good), "alert:unexpected_message | alert:decode_error | hello")
    yield raw("records of nothing without end", hi(b"") * 20000, GONE, whole=True)
    yield raw("record of nothing inside a hello", hi(good[:50]) + hi(b"") + hi(good[50:]), "alert:unexpected_message | alert:decode_error | hello")
    yield raw("record a byte too long", hi(good + b"\0" * (16385 - len(good))), "alert:record_overflow")
    yield raw("record of 65535", struct.pack(">BHH", HANDSHAKE, 0x0301, 65535) + good, "alert:record_overflow")
    yield raw("record longer than what comes", struct.pack(">BHH", HANDSHAKE, 0x0301, len(good) + 9) + good, GONE, after="end")
    for at in (1, 4, 5, 6, 9, 10, 11, 44, 100, -1):
        yield raw(f"hello cut at {at}, then the end", hi(good)[:at], GONE, after="end")
    yield raw("nothing, then the end", b"", GONE, after="end")
    for at in (0, 3, 5, 40, -1):
        yield raw(f"hello cut at {at}, then a reset", hi(good)[:at] if at else b"", "reset", after="reset")
    yield raw("hello, then a reset", hi(good), "reset", after="reset")
    yield raw("hello in records of one byte", each(good, 1), "hello")
    yield raw("hello in records of two bytes", each(good, 2), "hello")
    yield raw("hello in two records", each(good, 100), "hello")
    yield raw("hello with data inside", hi(good[:50]) + plain(DATA, b"x") + hi(good[50:]), "alert:unexpected_message")
    yield raw("hello with a change cipher spec inside", hi(good[:50]) + plain(CCS, b"\1") + hi(good[50:]), "alert:unexpected_message | hello")
    yield raw("hello with a heartbeat inside", hi(good[:50]) + plain(HEARTBEAT, b"\1\0\0") + hi(good[50:]), "alert:unexpected_message")
    yield raw("hello, then plain data", hi(good) + plain(DATA, GET), "hello ended | hello alert-any")
    yield raw("hello twice", hi(good) * 2, "hello ended | hello alert-any | alert:unexpected_message")
    yield raw("hello twice in one record", hi(good * 2), "hello ended | hello alert-any | alert:unexpected_message")
    yield raw("hello, then a plain Finished", hi(good) + hi(handshake(20, b"x" * 48)), "hello ended | hello alert-any")
    yield raw("hello, then garbage", hi(good) + b"\xff" * 40, "hello ended | hello alert-any")
    yield raw("hello, then warnings without end", hi(good) + plain(ALERT, b"\1\x5a") * 5000, "hello ended | hello alert-any | hello notify", whole=True)
    yield raw("hello, then the end", hi(good), "hello ended | hello alert-any", after="end")
    yield raw("two versions of records", hi(good[:50], 0x0301) + hi(good[50:], 0x0303), "hello")


def _messages():
    good = hello()
    for kind, name in ((0, "hello request"), (2, "server hello"), (4, "ticket"), (5, "end of early data"), (11, "certificate"), (15, "certificate verify"), (16, "key exchange"),
                       (20, "finished"), (24, "key update"), (254, "message hash"), (255, "unknown")):
        yield raw(f"first message: {name}", hi(handshake(kind, good[4:])), "alert:unexpected_message | alert:decode_error")
    yield raw("message of 16 MiB announced", hi(b"\1\xff\xff\xff" + b"x" * 1000), "alert-any | ended", after="end")
    yield raw("message of 64 KiB", each(handshake(1, b"\3\3" + b"x" * 65000), 16000), "alert-any | ended", whole=True)
    yield raw("message of 200 KiB in one piece", each(handshake(1, good[4:] + b"x" * 200000), 16000), "alert-any | ended", whole=True)
    yield raw("message of 20 MiB", each(b"\1\xff\xff\xff" + b"x" * 4000000, 16000), "alert-any | ended", whole=True)
    yield raw("message a byte too short", hi(b"\1" + (len(good) - 5).to_bytes(3, "big") + good[4:]), "alert-any")
    yield raw("message of nothing", hi(b"\1\0\0\0"), "alert:decode_error | alert:unexpected_message")
    yield raw("message a byte longer than its fields", hi(handshake(1, good[4:] + b"x")), "alert:decode_error")


def _hellos():
    p256 = share(23, b"\4" + b"\1" * 64)
    psk = ext(41, vector(2, vector(2, b"identity") + b"\0\0\0\0") + vector(2, vector(1, b"b" * 32)))
    wrong = {
        "session id of 33 bytes": dict(session=b"s" * 33), "session id of 255 bytes": dict(session=b"s" * 255), "odd number of suite bytes": dict(suites=SUITES13 + b"\0"),
        "no suites": dict(suites=b""), "no compression": dict(compression=b""), "only another compression": dict(compression=b"\1"),
        "extensions longer than the hello": dict(ext_size=5000), "extensions shorter than they are": dict(ext_size=20),
        "half an extension": dict(more=b"\0\x23"), "an extension longer than the rest": dict(more=b"\x7a\x7a\0\x20x"), "one extension twice": dict(more=VERSIONS),
        "no signatures": dict(drop=(SIGNATURES,)), "no groups": dict(drop=(GROUPS,)), "no share": dict(drop=(SHARE,)),
        "empty versions": dict(drop=(VERSIONS,), more=ext(43, b"\0")), "odd versions": dict(drop=(VERSIONS,), more=ext(43, b"\3\3\4\3")), "only SSL 3": dict(drop=(VERSIONS,), more=ext(43, b"\2\3\0")),
        "only TLS 1.1": dict(drop=(VERSIONS,), more=ext(43, b"\2\3\2")), "only TLS 1.4": dict(drop=(VERSIONS,), more=ext(43, b"\2\3\5")), "versions too long": dict(drop=(VERSIONS,), more=ext(43, b"\xff\3\4")),
        "only unknown versions": dict(drop=(VERSIONS,), more=ext(43, b"\2\x0a\x0a")),
        "share of half a key": dict(drop=(SHARE,), more=ext(51, vector(2, share(key=b"x" * 16)))), "share of noughts": dict(drop=(SHARE,), more=ext(51, vector(2, share(key=b"\0" * 32)))),
        "share off the curve": dict(drop=(GROUPS, SHARE), more=ext(10, b"\0\2\0\x17") + ext(51, vector(2, p256))), "share of a point cut short": dict(drop=(GROUPS, SHARE), more=ext(10, b"\0\2\0\x17") + ext(51, vector(2, share(23, b"\4" + b"\1" * 20)))),
        "share longer than it is": dict(drop=(SHARE,), more=ext(51, b"\xff\xff" + share())), "two shares of a group": dict(drop=(SHARE,), more=ext(51, vector(2, share() * 2))),
        "only weak signatures": dict(drop=(SIGNATURES,), more=ext(13, vector(2, b"\2\1\2\3"))), "empty signatures": dict(drop=(SIGNATURES,), more=ext(13, vector(2, b""))),
        "odd signatures": dict(drop=(SIGNATURES,), more=ext(13, vector(2, b"\4\3\4"))), "empty groups": dict(drop=(GROUPS, SHARE), more=ext(10, vector(2, b"")) + SHARE),
        "only unknown groups": dict(drop=(GROUPS, SHARE), more=ext(10, vector(2, b"\x7a\x7a")) + ext(51, vector(2, share(0x7a7a)))),
        "only unknown suites": dict(suites=b"\x7a\x7a"), "only a key without modes": dict(drop=(MODES,), more=psk), "key not last": dict(more=psk + ext(0x7a7a)),
        "key without binders": dict(more=ext(41, vector(2, vector(2, b"identity") + b"\0\0\0\0") + b"\0\0")), "key without identities": dict(more=ext(41, b"\0\0" + vector(2, vector(1, b"b" * 32)))),
        "name list empty": dict(drop=BASE13[:1], more=ext(0, b"\0\0")), "name empty": dict(drop=BASE13[:1], more=sni(b"")), "name longer than it is": dict(drop=BASE13[:1], more=ext(0, b"\0\x10\0\0\xffabc")),
        "record size limit of 63": dict(more=ext(28, b"\0\x3f")), "empty protocols": dict(more=ext(16, b"\0\0")), "a protocol without a name": dict(more=alpn(b"")),
        "protocols longer than they are": dict(more=ext(16, b"\0\x10\x02h2")), "fragments of an unknown size": dict(more=ext(1, b"\x09")), "a cookie nobody gave": dict(more=ext(44, vector(2, b"cookie"))),
    }
    free = ("a cookie nobody gave", "only a key without modes", "record size limit of 63", "name list empty", "name empty", "name longer than it is", "empty protocols", "a protocol without a name",
            "protocols longer than they are", "fragments of an unknown size", "two shares of a group", "key without binders", "key without identities", "key not last", "one extension twice",
            "odd versions", "only another compression", "odd signatures")
    for name, how in wrong.items():
        yield raw(f"hello: {name}", hi(hello(**how)), "alert-any | hello" if name in free and name not in ("one extension twice", "key not last", "only another compression") else
                  "alert-any | hello" if name == "no share" else "alert-any")
    fine = {
        "no name": dict(drop=BASE13[:1]), "another name": dict(drop=BASE13[:1], more=sni(b"other.example")), "an address as name": dict(drop=BASE13[:1], more=sni(b"127.0.0.1")),
        "a name with NUL": dict(drop=BASE13[:1], more=sni(b"local\0host")), "a name of 300": dict(drop=BASE13[:1], more=sni(b"a" * 300)), "a name in UTF-8": dict(drop=BASE13[:1], more=sni("bücher".encode())),
        "two names": dict(drop=BASE13[:1], more=sni(b"localhost", b"other")), "a name of an unknown kind": dict(drop=BASE13[:1], more=sni(b"x", kind=7)),
        "HTTP/1.1 wished for": dict(more=alpn(b"http/1.1")), "HTTP/2 or 1.1 wished for": dict(more=alpn(b"h2", b"http/1.1")), "early data": dict(more=ext(42)), "a key of nobody": dict(more=psk),
        "unknown extensions": dict(more=b"".join(ext(0x7a00 + at, b"x") for at in range(50))), "grease": dict(suites=b"\x7a\x7a" + SUITES13, more=ext(0x7a7a)), "no session id": dict(session=b""),
        "heartbeats wished for": dict(more=ext(15, b"\1")), "padding of 10 KiB": dict(more=ext(21, b"\0" * 10000)), "status wished for": dict(more=ext(5, b"\1\0\0\0\0")),
        "1.2 and 1.3": dict(drop=(VERSIONS,), more=ext(43, b"\4\3\3\3\4")), "P-256 only": dict(drop=(SHARE,), more=ext(51, b"\0\0")), "certificates compressed": dict(more=ext(27, b"\2\0\2")),
        "post-handshake authentication": dict(more=ext(49)), "all suites there are": dict(suites=SUITES13 + b"".join(struct.pack(">H", at) for at in range(1, 200))),
    }
    free = ("a name with NUL", "a name of 300", "a name in UTF-8", "two names", "a name of an unknown kind", "an address as name", "another name", "all suites there are")
    for name, how in fine.items():
        yield raw(f"hello, good: {name}", hi(hello(**how)), "hello | alert-any" if name in free else "hello")
    yield raw("hello: only HTTP/2 wished for", hi(hello(more=alpn(b"h2"))), "alert:no_application_protocol | hello")
    yield raw("hello: a thousand extensions", hi(hello(more=b"".join(ext(0x4000 + at) for at in range(1000)))), "hello | alert-any")
    yield raw("early data behind the hello", hi(hello(more=ext(42))) + plain(DATA, b"e" * 300) * 3, "hello | alert-any", whole=True)
    yield raw("early data without end", hi(hello(more=ext(42))) + plain(DATA, b"e" * 16000) * 300, "hello ended | hello alert-any | alert-any", whole=True)
    for name, how in {"good": {}, "without extensions": dict(extensions=[]), "without session id": dict(session=b"")}.items():
        yield raw(f"TLS 1.2 hello: {name}", hi(hello12(**how)), "hello" if name != "without extensions" else "hello | alert-any")
    for name, how in {"only RSA": dict(suites=b"\0\x9c\0\x9d"), "only CBC": dict(suites=b"\xc0\x23\xc0\x09\xc0\x0a"), "only NULL": dict(suites=b"\xc0\x06\0\x3b"), "only RC4": dict(suites=b"\xc0\x07"),
                      "only anonymous": dict(suites=b"\xc0\x18\0\xa6"), "only export": dict(suites=b"\0\x03\0\x06"), "only static keys": dict(suites=b"\xc0\x2d\xc0\x2e"),
                      "suites of 1.3 alone": dict(suites=SUITES13), "secret of an older handshake": dict(extensions=[*BASE12[:-1], ext(0xff01, b"\x0c" + b"x" * 12)]),
                      "compression only": dict(compression=b"\1"), "no group": dict(extensions=[BASE12[0], ext(10, vector(2, b"\0\x01")), *BASE12[2:]])}.items():
        yield raw(f"TLS 1.2 hello: {name}", hi(hello12(**how)), "alert-any")
    yield raw("TLS 1.2 hello: a downgrade that says so", hi(hello12(suites=SUITES12 + b"\x56\0")), "alert:inappropriate_fallback")


# ---- a flight of a running handshake, replaced ----

def live(name, rewrite, answer, *, flight=1, context="13", **more):
    more.setdefault("doors", ("people",))
    return Row(name, rewrite, answer, kind="live", flight=flight, context=context, **more)


def sealed13(change):
    """change (tools, messages) → bytes behind the change cipher spec; messages are (type, text) of the client's flight, opened."""
    return lambda tools, data: b"".join(plain(*record[::2]) for record in records(data) if record[0] == CCS) + change(tools, tools.opened(data))


def _again(tools, messages):
    return b"".join(tools.seal(*message) for message in messages)


def _flights():
    ccs = plain(CCS, b"\1")
    fine = {
        "as it is": _again, "padded": lambda t, m: b"".join(t.seal(*one, pad=1000) for one in m), "padded to the limit": lambda t, m: b"".join(t.seal(kind, text, pad=16384 - len(text)) for kind, text in m),
        "in records of one byte": lambda t, m: b"".join(t.seal(kind, text[at:at + 1]) for kind, text in m for at in range(len(text))),
        "in two records": lambda t, m: b"".join(t.seal(kind, part) for kind, text in m for part in (text[:7], text[7:])),
        "with another change cipher spec": lambda t, m: ccs + _again(t, m), "with a change cipher spec inside": lambda t, m: t.seal(m[0][0], m[0][1][:9]) + ccs + t.seal(m[0][0], m[0][1][9:]),
    }
    for name, change in fine.items():
        yield live(f"1.3, Finished {name}", sealed13(change), "served" if name != "with a change cipher spec inside" else "served | alert:unexpected_message")
    yield live("1.3, no change cipher spec", lambda t, data: _again(t, t.opened(data)), "served")
    wrong = {
        "a bit wrong": (lambda t, m: t.seal(22, flipped(m[0][1])), "alert:decrypt_error"),
        "a byte short": (lambda t, m: t.seal(22, handshake(20, m[0][1][4:-1])), "alert:decode_error | alert:decrypt_error"),
        "a byte long": (lambda t, m: t.seal(22, handshake(20, m[0][1][4:] + b"x")), "alert:decode_error | alert:decrypt_error"),
        "empty": (lambda t, m: t.seal(22, handshake(20, b"")), "alert:decode_error | alert:decrypt_error"),
        "of 16 MiB announced": (lambda t, m: t.seal(22, b"\x14\xff\xff\xff" + b"x" * 100), "alert-any | ended"),
        "in the clear": (lambda t, m: hi(m[0][1]), "alert-any"),
        "as data": (lambda t, m: t.seal(23, m[0][1]), "alert:unexpected_message"),
        "with data behind it in the message": (lambda t, m: t.seal(22, m[0][1] + b"\0"), "alert:unexpected_message | alert:decode_error"),
        "after data": (lambda t, m: t.seal(23, GET) + _again(t, m), "alert:unexpected_message"),
        "after a key update": (lambda t, m: t.seal(22, handshake(24, b"\0")) + _again(t, m), "alert:unexpected_message"),
        "after a hello": (lambda t, m: t.seal(22, hello()) + _again(t, m), "alert:unexpected_message"),
        "after an empty record": (lambda t, m: t.seal(22, b"") + _again(t, m), "alert:unexpected_message"),
        "after a certificate nobody asked for": (lambda t, m: t.seal(22, handshake(11, b"\0\0\0\0")) + _again(t, m), "alert:unexpected_message"),
        "after an unknown message": (lambda t, m: t.seal(22, handshake(77, b"")) + _again(t, m), "alert:unexpected_message"),
        "after a record of padding": (lambda t, m: t.inner(b"\0" * 40) + _again(t, m), "alert-any"),
        "after a record of an unknown type": (lambda t, m: t.seal(77, b"x") + _again(t, m), "alert:unexpected_message"),
        "after a heartbeat": (lambda t, m: t.seal(HEARTBEAT, b"\1\0\0") + _again(t, m), "alert:unexpected_message"),
        "after a change cipher spec of 2": (lambda t, m: plain(CCS, b"\2") + _again(t, m), "alert:unexpected_message"),
        "after a sealed change cipher spec": (lambda t, m: t.seal(CCS, b"\1") + _again(t, m), "alert:unexpected_message"),
        "after change cipher specs without end": (lambda t, m: ccs * 5000, ANY),
        "after a plain alert": (lambda t, m: plain(ALERT, b"\2\x28"), GONE),
        "after an alert": (lambda t, m: t.seal(ALERT, b"\2\x28"), GONE),
        "after a close": (lambda t, m: t.seal(ALERT, b"\1\0"), GONE),
        "with a wrong tag": (lambda t, m: flipped(_again(t, m)), "alert:bad_record_mac"),
        "under the next number": (lambda t, m: (t.seal(22, b"x"), _again(t, m))[1], "alert:bad_record_mac"),
        "in a record of 15 bytes": (lambda t, m: plain(DATA, b"x" * 15), "alert:bad_record_mac | alert:decode_error | alert:unexpected_message"),
        "in a record of nothing": (lambda t, m: plain(DATA, b""), "alert:bad_record_mac | alert:decode_error | alert:unexpected_message"),
        "in a record too long": (lambda t, m: struct.pack(">BHH", DATA, 0x0303, 16641) + b"x" * 100, "alert:record_overflow"),
        "garbage": (lambda t, m: b"\xff" * 60, "alert-any | ended"),
    }
    for name, (change, answer) in wrong.items():
        yield live(f"1.3, Finished {name}", sealed13(change), answer, whole="without end" in name)
    yield live("1.3, hello in records of one byte", lambda t, data: each(data[5:], 1), "served", flight=0)
    yield live("1.3, hello as it is", lambda t, data: data, "served", flight=0)
    yield live("1.3, Finished, cut, then the end", lambda t, data: data[:-5], GONE, after="fin")
    yield live("1.3, Finished, then the end", lambda t, data: data, "served | " + GONE, after="fin")
    yield live("1.3, Finished, then a reset", lambda t, data: data, "reset", after="reset")
    yield live("1.3, Finished cut, then a reset", lambda t, data: data[:-5], "reset", after="reset")
    yield live("1.2, as it is", lambda t, data: data, "served", context="12")
    parts = records
    wrong12 = {
        "no change cipher spec": (lambda r: [r[0], r[2]], "alert-any"), "change cipher spec first": (lambda r: [r[1], r[0], r[2]], "alert:unexpected_message"),
        "change cipher spec twice": (lambda r: [r[0], r[1], r[1], r[2]], "alert-any"), "Finished before change cipher spec": (lambda r: [r[0], r[2], r[1]], "alert-any"),
        "key exchange twice": (lambda r: [r[0], r[0], r[1], r[2]], "alert:unexpected_message"), "no key exchange": (lambda r: [r[1], r[2]], "alert:unexpected_message"),
        "a Finished that is wrong": (lambda r: [r[0], r[1], (22, 0x0303, flipped(r[2][2]))], "alert:bad_record_mac | alert:decrypt_error"),
        "a point off the curve": (lambda r: [(22, 0x0303, handshake(16, vector(1, b"\4" + b"\1" * 64))), r[1], r[2]], "alert-any"),
        "a point of noughts": (lambda r: [(22, 0x0303, handshake(16, vector(1, b"\0" * 32))), r[1], r[2]], "alert-any"),
        "no point": (lambda r: [(22, 0x0303, handshake(16, b"\0")), r[1], r[2]], "alert-any"),
        "a point longer than it is": (lambda r: [(22, 0x0303, handshake(16, b"\xff" + b"x" * 32)), r[1], r[2]], "alert-any"),
        "a certificate nobody asked for": (lambda r: [(22, 0x0303, handshake(11, b"\0\0\0")), *r], "alert:unexpected_message"),
        "a certificate verify nobody asked for": (lambda r: [r[0], (22, 0x0303, handshake(15, b"\4\3\0\0")), *r[1:]], "alert:unexpected_message"),
        "data in the clear": (lambda r: [r[0], (23, 0x0303, GET), *r[1:]], "alert:unexpected_message"), "a hello again": (lambda r: [(22, 0x0303, hello12()), *r], "alert:unexpected_message"),
        "another change cipher spec": (lambda r: [r[0], (20, 0x0303, b"\2"), r[2]], "alert-any | served"), "a heartbeat": (lambda r: [r[0], (24, 0x0303, b"\1\0\0"), *r[1:]], "alert:unexpected_message"),
    }
    for name, (change, answer) in wrong12.items():
        yield live(f"1.2, {name}", lambda t, data, change=change: b"".join(plain(kind, body) for kind, _, body in change(parts(data))), answer, context="12")
    yield live("1.2, key exchange in records of one byte", lambda t, data: b"".join(plain(22, bytes([one])) for one in parts(data)[0][2]) + b"".join(plain(k, b) for k, _, b in parts(data)[1:]), "served",
               context="12")


def _after():
    def post(name, build, answer, context="13", **more):
        more.setdefault("doors", ("people",))
        return Row(name, build, answer, kind="post", context=context, **more)
    wrong = "alert:unexpected_message"
    yield post("after: a request", lambda t: t.seal(DATA, GET), "served")
    yield post("after: a request in records of one byte", lambda t: b"".join(t.seal(DATA, bytes([one])) for one in GET), "served")
    yield post("after: a padded request", lambda t: t.seal(DATA, GET, pad=3000), "served")
    yield post("after: empty records between", lambda t: t.seal(DATA, b"") * 1 + t.seal(DATA, GET[:5]) + t.seal(DATA, b"") + t.seal(DATA, GET[5:]), "served")
    yield post("after: empty records without end", lambda t: b"".join(t.seal(DATA, b"") for _ in range(3000)), "served | " + GONE, whole=True, probe=True)
    yield post("after: key update", lambda t: t.key_update(0), "served", probe=True)
    yield post("after: key update with an answer", lambda t: t.key_update(1), "served", probe=True)
    yield post("after: key update in two records", lambda t: t.key_update(0, split=True), "served", probe=True)
    yield post("after: five key updates", lambda t: b"".join(t.key_update(0) for _ in range(5)), "served", probe=True)
    yield post("after: key updates without end", lambda t: b"".join(t.key_update(at % 2) for at in range(2000)), "served | " + GONE, whole=True, probe=True)
    yield post("after: key update of 2", lambda t: t.seal(22, handshake(24, b"\2")), "alert:illegal_parameter | alert:decode_error")
    yield post("after: key update of nothing", lambda t: t.seal(22, handshake(24, b"")), "alert:decode_error | alert:illegal_parameter")
    yield post("after: key update with something behind", lambda t: t.seal(22, handshake(24, b"\0") + b"\0"), GONE, after="fin")
    yield post("after: half a key update, then data", lambda t: t.seal(22, handshake(24, b"\0")[:3]) + t.seal(DATA, GET), wrong)
    for kind, name in ((0, "hello request"), (1, "hello"), (2, "server hello"), (4, "ticket"), (8, "extensions"), (11, "certificate"), (13, "certificate request"), (15, "certificate verify"),
                       (20, "Finished"), (99, "unknown message")):
        yield post(f"after: {name}", lambda t, kind=kind: t.seal(22, handshake(kind, b"x" * 40)), wrong)
    yield post("after: message of 16 MiB announced, then the end", lambda t: t.seal(22, b"\x18\xff\xff\xff" + b"x" * 1000), GONE, after="fin")
    yield post("after: message of 16 MiB, a good part of it", lambda t: t.seal(22, b"\x18\xff\xff\xff") + b"".join(t.seal(22, b"x" * 16000) for _ in range(40)), GONE, whole=True)
    yield post("after: handshakes of nothing without end", lambda t: b"".join(t.seal(22, b"") for _ in range(8000)), GONE, whole=True)
    yield post("after: handshake of nothing", lambda t: t.seal(22, b""), wrong + " | served", probe=True)
    yield post("after: change cipher spec", lambda t: plain(CCS, b"\1"), wrong)
    yield post("after: sealed change cipher spec", lambda t: t.seal(CCS, b"\1"), wrong)
    yield post("after: heartbeat", lambda t: t.seal(HEARTBEAT, b"\1\x40\0"), wrong)
    yield post("after: record of an unknown type", lambda t: t.seal(99, b"x"), wrong)
    yield post("after: record of padding", lambda t: t.inner(b"\0" * 50), "alert-any")
    yield post("after: record of no inner byte", lambda t: t.inner(b""), "alert-any")
    yield post("after: data in the clear", lambda t: plain(DATA, GET), "alert:bad_record_mac")
    yield post("after: handshake in the clear", lambda t: hi(hello()), "alert-any")
    yield post("after: alert in the clear", lambda t: plain(ALERT, b"\2\x28"), GONE)
    yield post("after: close in the clear", lambda t: plain(ALERT, b"\1\0"), GONE)
    yield post("after: garbage", lambda t: b"\xff" * 50, "alert-any | ended")
    yield post("after: HTTP in the clear", lambda t: GET, "alert-any | ended")
    yield post("after: record too long", lambda t: struct.pack(">BHH", DATA, 0x0303, 16641) + b"x" * 100, "alert:record_overflow")
    yield post("after: content too long", lambda t: t.seal(DATA, b"x" * 16385), "alert:record_overflow", whole=True)
    yield post("after: wrong tag", lambda t: flipped(t.seal(DATA, GET)), "alert:bad_record_mac")
    yield post("after: a number left out", lambda t: (t.seal(DATA, b"x"), t.seal(DATA, GET))[1], "alert:bad_record_mac")
    yield post("after: a record twice", lambda t: t.seal(DATA, GET) * 2, "served alert:bad_record_mac | alert:bad_record_mac")
    yield post("after: another record version", lambda t: t.inner(GET + bytes([DATA]), 0x0301), "alert-any | served")
    yield post("after: another record type", lambda t: t.inner(GET + bytes([DATA]), kind=22), "alert-any")
    yield post("after: user_canceled", lambda t: t.seal(ALERT, b"\1\x5a"), "served | " + GONE, probe=True)
    yield post("after: warnings without end", lambda t: b"".join(t.seal(ALERT, b"\1\x5a") for _ in range(3000)), GONE, whole=True)
    yield post("after: fatal alert", lambda t: t.seal(ALERT, b"\2\x28"), GONE)
    yield post("after: alert of one byte", lambda t: t.seal(ALERT, b"\1"), "alert-any | ended")
    yield post("after: alert of nothing", lambda t: t.seal(ALERT, b""), "alert-any | ended")
    yield post("after: close", lambda t: t.seal(ALERT, b"\1\0"), GONE)
    yield post("after: request, then close", lambda t: t.seal(DATA, GET) + t.seal(ALERT, b"\1\0"), "served notify | served ended")
    yield post("after: close, then a request", lambda t: t.seal(ALERT, b"\1\0") + t.seal(DATA, GET), "notify | ended")
    yield post("after: close, then garbage", lambda t: t.seal(ALERT, b"\1\0") + b"\xff" * 100, "notify | ended | alert-any")
    yield post("after: nothing, then the end", lambda t: b"", GONE, after="fin")
    yield post("after: half a record, then the end", lambda t: t.seal(DATA, GET)[:20], GONE, after="fin")
    yield post("after: request, then the end", lambda t: t.seal(DATA, GET), "served ended | served notify | served alert-any | ended", after="fin")
    yield post("after: half a record, then a reset", lambda t: t.seal(DATA, GET)[:20], "reset", after="reset")
    yield post("after: request, then a reset", lambda t: t.seal(DATA, GET), "reset", after="reset")
    twelve = dict(context="12")
    yield post("1.2, after: a request", lambda t: t.seal(DATA, GET), "served", **twelve)
    yield post("1.2, after: renegotiation", lambda t: t.seal(HANDSHAKE, hello12()), "served | alert-any | ended | notify", probe=True, never="hello", **twelve)
    yield post("1.2, after: renegotiations without end", lambda t: b"".join(t.seal(HANDSHAKE, hello12()) for _ in range(300)), GONE, whole=True, **twelve)
    yield post("1.2, after: hello request", lambda t: t.seal(HANDSHAKE, handshake(0, b"")), "alert-any | ended | served", probe=True, **twelve)
    yield post("1.2, after: Finished", lambda t: t.seal(HANDSHAKE, handshake(20, b"x" * 12)), "alert-any | ended", **twelve)
    yield post("1.2, after: handshake of nothing", lambda t: t.seal(HANDSHAKE, b""), "alert-any | ended | served", probe=True, **twelve)
    yield post("1.2, after: change cipher spec", lambda t: t.seal(CCS, b"\1"), "alert-any | ended", **twelve)
    yield post("1.2, after: heartbeat", lambda t: t.seal(HEARTBEAT, b"\1\x40\0"), wrong, **twelve)
    yield post("1.2, after: data in the clear", lambda t: plain(DATA, GET), "alert:bad_record_mac | alert:decode_error | alert:unexpected_message", **twelve)
    yield post("1.2, after: wrong tag", lambda t: flipped(t.seal(DATA, GET)), "alert:bad_record_mac", **twelve)
    yield post("1.2, after: a record twice", lambda t: t.seal(DATA, GET) * 2, "served alert:bad_record_mac | alert:bad_record_mac", **twelve)
    yield post("1.2, after: warnings without end", lambda t: b"".join(t.seal(ALERT, b"\1\x64") for _ in range(8000)), GONE, whole=True, **twelve)
    yield post("1.2, after: close", lambda t: t.seal(ALERT, b"\1\0"), GONE, **twelve)


def _certificates():
    def node(name, context, answer, **more):
        return live(f"certificate: {name}", lambda t, data: data, answer, context=context, doors=("nodes",), **more)
    bad = "alert:bad_certificate | alert:unsupported_certificate"
    yield node("none", "13", "served")
    yield node("good", "cert-good", "served")
    yield node("good, by TLS 1.2", "cert-good-12", "served")
    yield node("of a foreign authority", "cert-foreign", "alert:unknown_ca")
    yield node("of a foreign authority of the same name", "cert-namesake", "alert:unknown_ca | " + bad)
    yield node("of a foreign authority, by TLS 1.2", "cert-foreign-12", "alert:unknown_ca")
    yield node("expired", "cert-expired", "alert:certificate_expired")
    yield node("expired, by TLS 1.2", "cert-expired-12", "alert:certificate_expired")
    yield node("from the future", "cert-future", "alert:certificate_expired | " + bad)
    yield node("the authority as a node", "cert-authority", bad + " | alert:unknown_ca")
    yield node("an authority made by the authority", "cert-subauthority", bad + " | alert:unknown_ca")
    yield node("for a server only", "cert-server", bad)
    yield node("for nothing", "cert-purposeless", bad)
    yield node("for anything", "cert-anything", bad)
    yield node("signed by itself", "cert-self", "alert:unknown_ca | " + bad)
    yield node("signed by a node", "cert-by-node", "alert:unknown_ca | " + bad)
    yield node("two names", "cert-two-names", bad)
    yield node("a name with a slash", "cert-slash", bad)
    yield node("a name with NUL", "cert-nul", bad)
    yield node("no name", "cert-nameless", bad)
    yield node("a name of 70", "cert-long", bad)
    yield node("chain of 8 strangers behind a good one", "cert-chain", "served | alert-any")
    yield node("chain of 200", "cert-huge", "alert-any | ended", whole=True)
    yield node("revoked", "cert-revoked", "alert:certificate_revoked")
    yield node("revoked, by TLS 1.2", "cert-revoked-12", "alert:certificate_revoked")
    yield node("revoked, resumed", "cert-revoked-resumed", "alert:certificate_revoked")
    yield node("resumed", "cert-good-resumed", "served")
    for name, change, answer in (
            ("reordered", lambda t, m: b"".join(t.seal(*one) for one in reversed(m)), "alert-any"),
            ("not proven", lambda t, m: t.seal(*m[0]) + t.seal(*m[-1]), "alert:unexpected_message"),
            ("proven wrongly", lambda t, m: t.seal(*m[0]) + t.seal(22, flipped(m[1][1])) + t.seal(*m[-1]), "alert:decrypt_error | alert:illegal_parameter | alert:bad_certificate"),
            ("twice", lambda t, m: t.seal(*m[0]) * 1 + t.seal(*m[0]) + t.seal(*m[1]) + t.seal(*m[-1]), "alert:unexpected_message"),
            ("of garbage", lambda t, m: t.seal(22, handshake(11, b"\0" + vector(3, vector(3, b"\xff" * 50) + b"\0\0"))) + t.seal(*m[1]) + t.seal(*m[-1]), "alert-any"),
            ("of nothing in the list", lambda t, m: t.seal(22, handshake(11, b"\0" + vector(3, b"\0\0\0\0\0"))) + t.seal(*m[1]) + t.seal(*m[-1]), "alert-any"),
            ("longer than it is", lambda t, m: t.seal(22, handshake(11, b"\0\xff\xff\xff" + b"x" * 40)) + t.seal(*m[1]), "alert-any"),
            ("empty list, then a proof", lambda t, m: t.seal(22, handshake(11, b"\0\0\0\0")) + t.seal(*m[1]) + t.seal(*m[-1]), "alert-any")):
        yield live(f"certificate {name}", sealed13(change), answer, context="cert-good", doors=("nodes",))


def rows():
    return [*_strangers(), *_records(), *_messages(), *_hellos(), *_flights(), *_after(), *_certificates()]
