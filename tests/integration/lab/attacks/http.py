# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP/1.1 (RFC 9112, 9110): bytes and the answers to all of them, in order.

Words of an answer: a status ("200h": to HEAD, so without a body; "4xx": any of these), then "open" (a good request is answered next) or "closed" (the
answer said so and the connection ended); neither: both are right. After "101" the words of websocket.py. "reset": the peer cut, nothing is expected."""
import itertools

from . import Row

HOST = b"Host: localhost\r\n"
UPGRADE = HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
VERSION, KEY = b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
JSON = b'{"a": "b c"}\n'


def request(method=b"GET", target=b"/", fields=b"", body=b"", version=b"HTTP/1.1", host=HOST):
    return method + b" " + target + b" " + version + b"\r\n" + host + fields + b"\r\n" + body


def post(fields=b"", body=JSON, method=b"POST", target=b"/api/nothing"):
    return request(method, target, fields or b"Content-Length: %d\r\n" % len(body), body)


GET, HEAD, POST, PUT = request(), request(b"HEAD"), post(), post(method=b"PUT")
LINK = request(b"GET", b"/link", UPGRADE[len(HOST):] + VERSION + KEY)
PING = b"\x89\x82\0\0\0\0hi"


def _nodes(count):
    """What the door of nodes, which has no HTTP but its upgrade, says to requests that are good elsewhere."""
    return " | ".join([" ".join(["4xx"] * count)] + [" ".join(["4xx"] * some) + " closed" for some in range(1, min(count, 9) + 1)])


def good(name, data, answer, count=1, **more):
    return Row(name, data, answer, nodes=more.pop("nodes", None) or _nodes(count), **more)


def bad(name, data, answer="400 closed", **more):
    return Row(name, data, answer, **more)


def _pipelined():
    kinds = {"POST": (POST, "401"), "GET": (GET, "200"), "HEAD": (HEAD, "200h"), "PUT": (PUT, "401")}
    for pair in itertools.product(kinds, repeat=2):  # POST, POST first: it once killed the door
        yield good("pipelined " + " ".join(pair), b"".join(kinds[kind][0] for kind in pair), " ".join(kinds[kind][1] for kind in pair) + " open", 2)
    for triple in (("GET", "POST", "POST"), ("POST", "GET", "PUT"), ("HEAD", "PUT", "POST"), ("PUT", "PUT", "GET")):
        yield good("pipelined " + " ".join(triple), b"".join(kinds[kind][0] for kind in triple), " ".join(kinds[kind][1] for kind in triple) + " open", 3)
    yield good("pipelined GET thirty times", GET * 30, " ".join(["200"] * 30) + " open", 30)
    yield good("pipelined POST thirty times", POST * 30, " ".join(["401"] * 30) + " open", 30)
    yield good("a thousand requests are one too many after that", GET * 1001, " ".join(["200"] * 1000) + " closed", whole=True, doors=("people",), only="before")
    yield good("a hundred requests are one too many after that at the nodes", GET * 101, "", nodes=" ".join(["4xx"] * 100) + " closed", whole=True, doors=("nodes",), only="before")
    yield good("POST then CRLF then GET", POST + b"\r\n" + GET, "401 200 open | 401 400 closed", 2)
    yield bad("POST then one byte more", POST + b"X", "401 closed | 401 400 closed | 401 408 closed", nodes="4xx-any closed | 4xx 400 closed", after="end")
    yield bad("GET then garbage", GET + b"\0\1\2\3\r\n\r\n", "200 400 closed", nodes="4xx 400 closed | 4xx closed")
    yield bad("GET then a bad request then GET", GET + request(host=b"") + GET, "200 400 closed", nodes="4xx 400 closed | 4xx closed")
    yield good("GET with close then GET", request(fields=b"Connection: close\r\n") + GET, "200 closed", nodes="4xx closed")
    yield good("GET with close in a list then GET", request(fields=b"Connection: foo, close\r\n") + GET, "200 closed", nodes="4xx closed")
    yield good("GET with keep-alive", request(fields=b"Connection: keep-alive\r\n") + GET, "200 200 open", 2)


def _request_lines():
    for name, line in {
            "two spaces": b"GET  / HTTP/1.1", "leading space": b" GET / HTTP/1.1", "trailing space": b"GET / HTTP/1.1 ", "tabs": b"GET\t/\tHTTP/1.1",
            "small http": b"GET / http/1.1", "letters after": b"GET / HTTP/1.1x", "no dot": b"GET / HTTP/11", "no minor": b"GET / HTTP/1.",
            "no major": b"GET / HTTP/.1", "long minor": b"GET / HTTP/1.10", "comma": b"GET / HTTP/1,1", "no version": b"GET /", "no version but a space": b"GET / ",
            "no target": b"GET  HTTP/1.1", "only a method": b"GET", "other protocol": b"GET / ICAP/1.0", "space in target": b"GET /a b HTTP/1.1",
            "NUL in target": b"GET /\0 HTTP/1.1", "control in target": b"GET /\x01 HTTP/1.1", "DEL in target": b"GET /\x7f HTTP/1.1",
            "tab in target": b"GET /\t HTTP/1.1", "byte 0x80 in target": b"GET /\x80 HTTP/1.1", "fragment in target": b"GET /#a HTTP/1.1",
            "bare CR in target": b"GET /\rX HTTP/1.1", "authority as target": b"GET localhost:80 HTTP/1.1", "asterisk for GET": b"GET * HTTP/1.1",
            "no slash": b"GET api/nothing HTTP/1.1", "no method": b" / HTTP/1.1", "method with a colon": b"GE:T / HTTP/1.1", "method with NUL": b"G\0T / HTTP/1.1",
            "method with 0xff": b"\xffGET / HTTP/1.1", "absolute without host": b"GET http:/// HTTP/1.1", "absolute of another host": b"GET https://other.example/ HTTP/1.1",
            "absolute with a person": b"GET https://me@localhost/ HTTP/1.1", "a header": b"Host: localhost", "a status line": b"HTTP/1.1 200 OK"}.items():
        yield bad(f"request line: {name}", line + b"\r\n" + HOST + b"\r\n")
    for version in (b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9"):
        yield bad(f"version {version.decode()}", request(version=version), "505 closed")
    yield bad("version HTTP/0.9", request(version=b"HTTP/0.9"), "505 closed | 400 closed")
    yield bad("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 closed | 400 closed")
    for version in (b"HTTP/1.2", b"HTTP/1.9"):
        yield good(f"version {version.decode()} is 1.1 to us", request(version=version), "200 open")
    yield good("version HTTP/1.0", request(version=b"HTTP/1.0") + GET, "200 closed", nodes="4xx closed")
    yield good("version HTTP/1.0 wants to stay", request(version=b"HTTP/1.0", fields=b"Connection: keep-alive\r\n") + GET, "200 closed", nodes="4xx closed")
    yield good("version HTTP/1.0 without Host", request(version=b"HTTP/1.0", host=b""), "200 closed | 400 closed", nodes="4xx closed")
    yield good("an empty line first", b"\r\n" + GET, "200 open | 400 closed")
    yield bad("a bare LF first", b"\n" + GET)
    yield good("absolute target of this host", request(target=b"https://localhost/"), "200 open")
    yield good("absolute target, host in capitals", request(target=b"HTTPS://LOCALHOST/"), "200 open")
    yield good("target with a question", request(target=b"/?a=b"), "200 | 404")
    for target in (b"/other", b"//", b"/api", b"/index.html", b"/Link"):
        yield good(f"target {target.decode()}", request(target=target), "404")
    for target in (b"/api/%00", b"/api/%zz", b"/api/%", b"/api/%2e%2e/x", b"/api/../x", b"/api//x", b"/api/", b"/%6cink", b"/api/a%0d%0aX:y", b"/<x>", b"/api/x?%00=%ff&&=",
                   b"/api/" + b"a/" * 20):
        yield good(f"target {target.decode()}", request(target=target), "400 | 401 | 404 | 426")
    yield bad("garbage", bytes(range(256)))
    yield bad("zeros", b"\0" * 64)
    yield bad("TLS in TLS", bytes.fromhex("160301002f0100002b0303") + b"r" * 36)
    yield bad("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", "400 closed", after=None)
    yield bad("SIP", b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n", "400 closed | 505 closed | 405 closed")


def _methods():
    for method in (b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"FOO", b"get", b"Get", b"GETT", b"GE", b"M-SEARCH", b"!#$%&'*+-.^_`|~"):
        yield good(f"method {method.decode()}", request(method, b"/api/nothing"), "405", nodes="405 | 404 | 426")
    yield bad("method CONNECT", request(b"CONNECT", b"localhost:80"), "405 | 400 closed", nodes="4xx")
    yield bad("OPTIONS *", request(b"OPTIONS", b"*"), "405 | 400 closed", nodes="4xx")
    yield bad("a method without end", b"A" * 20000, "400 closed | 405 closed | 414 closed | 431 closed | 501 closed")
    yield good("POST /", post(target=b"/"), "405", nodes="405 | 404 | 426")
    yield good("PUT /", post(target=b"/", method=b"PUT"), "405", nodes="405 | 404 | 426")
    yield good("DELETE /", request(b"DELETE"), "405", nodes="405 | 404 | 426")
    yield good("HEAD /other", request(b"HEAD", b"/other"), "404h", nodes="404h | 426h")
    yield good("HEAD /api/nothing", request(b"HEAD", b"/api/nothing"), "401h", nodes="404h | 426h")
    yield good("HEAD /link", request(b"HEAD", b"/link"), "426h", nodes="426h")
    yield good("GET /api/nothing", request(target=b"/api/nothing"), "401 open")
    yield good("DELETE /api/nothing", request(b"DELETE", b"/api/nothing"), "401 open", nodes="405 | 404 | 426")


def _hosts():
    for name, host in {
            "none": b"", "twice the same": HOST * 2, "twice": HOST + b"Host: other\r\n", "twice in other letters": HOST + b"hOST: localhost\r\n", "empty": b"Host:\r\n",
            "with a space": b"Host: a b\r\n", "with a slash": b"Host: a/b\r\n", "with a person": b"Host: me@localhost\r\n", "two ports": b"Host: a:1:2\r\n",
            "port of letters": b"Host: a:http\r\n", "open bracket": b"Host: [::1\r\n", "bracket of letters": b"Host: [hello]\r\n", "byte 0x80": b"Host: \x80\r\n",
            "NUL": b"Host: a\0b\r\n", "only a port": b"Host: :80\r\n", "with a question": b"Host: a?b\r\n", "with a fragment": b"Host: a#b\r\n", "a URL": b"Host: http://a/\r\n",
            "name with a space": b"Host : localhost\r\n", "folded": b"Host:\r\n localhost\r\n", "two in one": b"Host: a, b\r\n"}.items():
        yield bad(f"Host: {name}", request(host=host))
    for host in (b"[::1]:443", b"LOCALHOST", b"127.0.0.1:1", b"a.example."):
        yield good(f"Host: {host.decode()}", request(host=b"Host: " + host + b"\r\n"), "200 open")
    yield good("Host: no space, trailing tab", request(host=b"Host:localhost\t\r\n"), "200 open")


def _fields():
    for name, field in {
            "space before the colon": b"X : y\r\n", "tab before the colon": b"X\t: y\r\n", "folded by a space": b"X: y\r\n z\r\n", "folded by a tab": b"X: y\r\n\tz\r\n",
            "no name": b": y\r\n", "only a colon": b":\r\n", "no colon": b"X\r\n", "NUL in the value": b"X: a\0b\r\n", "NUL in the name": b"X\0: y\r\n",
            "control in the value": b"X: a\x01b\r\n", "escape in the value": b"X: \x1b[0m\r\n", "DEL in the value": b"X: a\x7fb\r\n", "bare CR in the value": b"X: a\rb\r\n",
            "bare CR at the end": b"X: a\r", "two CR": b"X: a\r\r\n", "bare LF": b"X: a\n", "bracket in the name": b"X(y): z\r\n", "slash in the name": b"X/Y: z\r\n",
            "at in the name": b"X@Y: z\r\n", "quote in the name": b'X"Y": z\r\n', "byte 0x80 in the name": b"X\x80: y\r\n", "space in the name": b"X Y: z\r\n",
            "leading space": b" X: y\r\n", "leading tab": b"\tX: y\r\n", "vertical tab before the value": b"X:\x0by\r\n", "form feed": b"X: a\x0cb\r\n", "a request line": GET[:16]}.items():
        yield bad(f"field: {name}", request(fields=field))
    yield bad("fields: the first is folded", b"GET / HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n")
    yield bad("fields: all lines end in LF", GET.replace(b"\r\n", b"\n"))
    yield bad("fields: all lines end in CR", GET.replace(b"\r\n", b"\r"), "400 closed", after="end")
    yield bad("fields: the last line ends in LF", GET[:-2] + b"\n")
    yield bad("fields: LF CR", GET.replace(b"\r\n", b"\n\r"))
    for name, field in {"tab in the value": b"X: a\tb\r\n", "bytes over 0x80 in the value": b"X: \xc3\xa4\xff\r\n", "no value": b"X:\r\n", "only spaces": b"X:   \t \r\n",
                        "underscore": b"X_Y: z\r\n", "all that a token may hold": b"!#$%&'*+-.^_`|~09Az: y\r\n", "name of 200 letters": b"x" * 200 + b": y\r\n",
                        "X-Forwarded-For": b"X-Forwarded-For: 192.0.2.1, nonsense\r\n", "X-Request-Id": b"X-Request-Id: " + b"x" * 300 + b"\r\n", "TE": b"TE: trailers\r\n",
                        "Trailer": b"Trailer: X\r\n", "Keep-Alive": b"Keep-Alive: timeout=9999\r\n", "the same ten times": b"X: y\r\n" * 10}.items():
        yield good(f"field, good: {name}", request(fields=field), "200 open")
    yield good("Authorization of nobody", request(target=b"/api/login", fields=b"Authorization: Bearer " + b"x" * 43 + b"\r\n"), "401")
    yield good("Authorization without end", request(target=b"/api/login", fields=b"Authorization: Bearer " + b"x" * 4000 + b"\r\n"), "401 | 400 closed | 431 closed")
    yield good("Authorization twice", request(target=b"/api/login", fields=b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), "401 | 400 closed")
    yield good("Authorization of another kind", request(target=b"/api/login", fields=b"Authorization: Basic YTpi\r\n"), "401")
    yield good("Origin of a stranger", request(fields=b"Origin: https://evil.example\r\n"), "403")
    yield good("Origin null", request(target=b"/api/login", fields=b"Origin: null\r\n"), "403")
    yield good("Origin without end", request(target=b"/api/login", fields=b"Origin: " + b"x" * 4000 + b"\r\n"), "403")
    yield good("Origin twice", request(target=b"/api/login", fields=b"Origin: https://console.example\r\nOrigin: https://evil.example\r\n"), "403 | 400 closed")
    yield good("Origin that may", request(fields=b"Origin: https://console.example\r\n"), "200 open")


def _sizes():
    def many(count):
        return b"".join(b"X-%d: y\r\n" % number for number in range(count))
    yield good("64 fields", request(fields=many(63)), "200 open")
    yield bad("65 fields", request(fields=many(64)), "431 closed")
    yield bad("900 fields", request(fields=many(900)), "431 closed")
    yield good("a line of 7000", request(fields=b"X: " + b"y" * 7000 + b"\r\n"), "200 open")
    yield bad("a line of 8300", request(fields=b"X: " + b"y" * 8300 + b"\r\n"), "431 closed")
    yield bad("a line of 20000", request(fields=b"X: " + b"y" * 20000 + b"\r\n"), "431 closed")
    yield bad("a line without end", b"GET / HTTP/1.1\r\nX: " + b"y" * 20000, "431 closed")
    yield bad("a name without end", b"GET / HTTP/1.1\r\n" + b"y" * 20000, "431 closed | 400 closed")
    yield good("a head of 12 KiB", request(fields=(b"X: " + b"y" * 3990 + b"\r\n") * 3), "200 open", nodes="431 closed")
    yield bad("a head of 17 KiB", request(fields=(b"X: " + b"y" * 3400 + b"\r\n") * 5), "431 closed")
    yield bad("a head without end", b"GET / HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 400, "431 closed")
    yield bad("empty lines without end", b"\r\n" * 9000, "400 closed | 431 closed")
    yield good("a target of 7000", request(target=b"/" + b"a" * 7000), "404")
    yield bad("a target of 8300", request(target=b"/" + b"a" * 8300), "414 closed", nodes="414 closed | 431 closed")
    yield bad("a target without end", b"GET /" + b"a" * 20000, "414 closed", nodes="414 closed | 431 closed")
    yield good("a body of 32 KiB", post(body=b"[" + b" " * 32766 + b"]"), "401")
    yield bad("a body of a byte more", request(b"POST", b"/api/nothing", b"Content-Length: 32769\r\n", b"x" * 32769), "413 closed", nodes="4xx-any closed | 413 closed | 4xx")


def _lengths():
    for name, value in {"plus": b"+13", "minus": b"-13", "hexadecimal": b"0x0d", "exponent": b"1e1", "two": b"13 13", "list": b"13,13", "list with a space": b"13, 13",
                        "none": b"", "spaces": b"  ", "semicolon": b"13;", "wide digits": "１３".encode(), "underscore": b"1_3", "letter": b"13a", "dot": b"13.0", "quoted": b'"13"',
                        "minus nought": b"-0", "vertical tab": b"\x0b13", "NUL": b"13\0"}.items():
        yield bad(f"length: {name}", post(b"Content-Length: " + value + b"\r\n"))
    for name, value in {"2^64 and 13": b"18446744073709551629", "ten to the twentieth": b"1" + b"0" * 20, "400 digits": b"9" * 400}.items():
        yield bad(f"length: {name}", post(b"Content-Length: " + value + b"\r\n"), "413 closed | 400 closed")
    yield bad("length: twice the same", post(b"Content-Length: 13\r\n" * 2))
    yield bad("length: twice", post(b"Content-Length: 13\r\nContent-Length: 14\r\n"))
    yield bad("length: twice, nought first", post(b"Content-Length: 0\r\ncontent-length: 13\r\n"))
    yield bad("length: space before the colon", post(b"Content-Length : 13\r\n"))
    yield bad("length: folded", post(b"Content-Length:\r\n 13\r\n"))
    yield bad("length: behind a bare CR", post(b"X: y\rContent-Length: 13\r\n"))
    yield good("length: with spaces", post(b"Content-Length:   13  \r\n"), "401 open")
    yield good("length: with tabs, which one of the two readers does not like", post(b"Content-Length: \t13 \t\r\n"), "401 open | 400 closed")
    yield good("length: leading noughts", post(b"Content-Length: 0000013\r\n"), "401 open | 400 closed")
    yield good("length: nought, then a request", post(b"Content-Length: 0\r\n", GET), "401 200 open", 2)
    for number in (32769, 2 ** 31, 2 ** 32 + 13, 2 ** 63 - 1, 2 ** 63):
        yield bad(f"length: {number}", request(b"POST", b"/api/nothing", b"Content-Length: %d\r\n" % number), "413 closed | 400 closed" if number >= 2 ** 63 else "413 closed",
                  nodes="4xx-any | 4xx closed")
    for method in (b"POST", b"PUT"):
        yield good(f"length: missing, {method.decode()}", request(method, b"/api/nothing"), "411")
        yield good(f"length: by another name, {method.decode()}", request(method, b"/api/nothing", b"Content_Length: 0\r\nXContent-Length: 0\r\n"), "411")
    for method, status in ((b"GET", "200"), (b"HEAD", "200h")):
        yield good(f"length: {method.decode()} carries a request", request(method, b"/", b"Content-Length: %d\r\n" % len(GET), GET), f"{status} | 400 closed | 413 closed",
                   nodes="4xx | 4xxh" if method == b"HEAD" else None)
    yield good("length: DELETE carries a request", request(b"DELETE", b"/api/nothing", b"Content-Length: %d\r\n" % len(GET), GET), "401 | 400 closed")
    yield good("length: a refused POST carries a request", request(b"POST", b"/other", b"Content-Length: %d\r\n" % len(GET), GET), "404 | 405")
    yield good("length: a stranger's POST carries a request", request(b"POST", b"/api/login", b"Origin: null\r\nContent-Length: %d\r\n" % len(GET), GET), "403")


def _encodings():
    chunked = b"Transfer-Encoding: chunked\r\n"
    for name, body in {"empty": b"0\r\n\r\n", "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n", "bare LF": b"5\nhello\n0\n\n", "too long a number": b"f" * 17 + b"\r\n", "minus": b"-1\r\n",
                       "0x": b"0x5\r\nhello\r\n0\r\n\r\n", "no end of a chunk": b"5\r\nhello0\r\n\r\n", "trailer": b"0\r\nHost: evil\r\n\r\n", "nothing": b"\r\n",
                       "a request behind": b"0\r\n\r\n" + GET, "a request inside": b"%x\r\n" % len(GET) + GET + b"\r\n0\r\n\r\n", "spaces": b"5  \r\nhello\r\n0\r\n\r\n"}.items():
        yield bad(f"chunked: {name}", request(b"POST", b"/api/nothing", chunked, body), "501 closed")
    for name, fields in {"CL.TE": b"Content-Length: 13\r\n" + chunked, "TE.CL": chunked + b"Content-Length: 13\r\n", "TE.CL of nought": chunked + b"Content-Length: 0\r\n",
                         "space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 13\r\n", "tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
                         "vertical tab": b"Transfer-Encoding:\x0bchunked\r\n", "folded name": b"Transfer-Encoding\r\n : chunked\r\n", "folded": b"Transfer-Encoding:\r\n chunked\r\n",
                         "behind a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n", "behind a bare CR": b"X: y\rTransfer-Encoding: chunked\r\n", "NUL": b"Transfer-Encoding: chunked\0\r\n"}.items():
        yield bad(f"encoding: {name}", post(fields))
    for name, value in {"identity": b"identity", "xchunked": b"xchunked", "gzip": b"gzip, chunked", "twice in one": b"chunked, chunked", "capitals": b"CHUNKED",
                        "parameter": b"chunked;a=b", "quoted": b'"chunked"', "cow": b"cow"}.items():
        yield bad(f"encoding: {name}", post(b"Transfer-Encoding: " + value + b"\r\n"), "501 closed")
    yield bad("encoding: empty", post(b"Transfer-Encoding:\r\n"), "501 closed | 400 closed")
    yield bad("encoding: twice", post(chunked * 2), "501 closed | 400 closed")
    yield bad("encoding: TE.TE", post(chunked + b"Transfer-encoding: cow\r\n"), "501 closed | 400 closed")
    yield bad("encoding: of a GET", request(fields=chunked, body=b"0\r\n\r\n"), "501 closed")
    yield bad("encoding: in HTTP/1.0", request(b"POST", b"/api/nothing", chunked, b"0\r\n\r\n", b"HTTP/1.0"), "501 closed | 400 closed")
    yield good("encoding: by another name", post(b"Transfer_Encoding: chunked\r\nContent-Length: 13\r\n"), "401 open")
    yield good("expect: 100-continue", post(b"Expect: 100-continue\r\nContent-Length: 13\r\n"), "100 401 open | 401 open")
    yield good("expect: 100-Continue", post(b"Expect: 100-Continue\r\nContent-Length: 13\r\n"), "100 401 open | 401 open")
    yield good("expect: without a body", request(fields=b"Expect: 100-continue\r\n"), "200 open | 100 200 open")
    yield good("expect: something else", post(b"Expect: 200-ok\r\nContent-Length: 13\r\n"), "417 closed", nodes="417 closed | 4xx")
    yield good("expect: a list", post(b"Expect: 100-continue, x\r\nContent-Length: 13\r\n"), "417 closed", nodes="417 closed | 4xx")
    yield good("expect: too much", request(b"POST", b"/api/nothing", b"Expect: 100-continue\r\nContent-Length: 99999\r\n"), "413 closed", nodes="4xx | 413 closed")
    yield good("expect: HTTP/1.0", request(b"POST", b"/api/nothing", b"Expect: 100-continue\r\nContent-Length: 13\r\n", JSON, b"HTTP/1.0"), "401 closed", nodes="4xx closed")


def _upgrades():
    def link(fields, method=b"GET", target=b"/link", version=b"HTTP/1.1", body=b""):
        return request(method, target, fields, body, version)
    hop = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    yield good("upgrade", LINK, "101 open", nodes="101 open")
    yield good("upgrade behind a GET", GET + LINK, "200 101 open", nodes="4xx 101 open | 4xx closed")
    yield good("upgrade behind a POST", POST + LINK, "401 101 open", nodes="4xx 101 open | 4xx closed")
    yield good("upgrade, then a ping", LINK + PING, "101 pong:6869 open", nodes="101 pong:6869 open")
    yield good("upgrade, then two pings and half of one", LINK + PING + PING + PING[:4], "101 pong:6869 pong:6869 closed", nodes="101 pong:6869 pong:6869 closed", after="end")
    yield good("upgrade, then a GET", LINK + GET, "101 close:1002", nodes="101 close:1002")
    yield good("upgrade, then an unmasked frame", LINK + b"\x82\x01x", "101 close:1002", nodes="101 close:1002")
    yield good("upgrade, then a close", LINK + b"\x88\x82\0\0\0\0\x03\xe8", "101 close:1000", nodes="101 close:1000")
    for name, fields in {"list": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n", "other letters": b"upgrade: WebSocket\r\nconnection: uPGRADE\r\n",
                         "two Connection fields": b"Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n",
                         "extension offered": hop + b"Sec-WebSocket-Extensions: permessage-deflate\r\n", "subprotocol": hop + b"Sec-WebSocket-Protocol: farwatch\r\n"}.items():
        yield good(f"upgrade: {name}", link(fields + VERSION + KEY), "101 open", nodes="101 open")
    yield good("upgrade: with a question", link(hop + VERSION + KEY, target=b"/link?a=b"), "101 open | 404", nodes="101 open | 404")
    yield good("upgrade: unknown subprotocol", link(hop + VERSION + KEY + b"Sec-WebSocket-Protocol: chat\r\n"), "101 open | 400", nodes="101 open | 400")
    for name, fields in {"none": b"", "no Connection": b"Upgrade: websocket\r\n" + VERSION + KEY, "Connection of another kind": b"Upgrade: websocket\r\nConnection: keep-alive\r\n" + VERSION + KEY,
                         "only Connection": b"Connection: Upgrade\r\n" + VERSION + KEY, "h2c": b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
                         "TLS": b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n", "websockets": b"Upgrade: websockets\r\nConnection: Upgrade\r\n" + VERSION + KEY,
                         "version 8": hop + b"Sec-WebSocket-Version: 8\r\n" + KEY, "version 130": hop + b"Sec-WebSocket-Version: 130\r\n" + KEY, "version 14": hop + b"Sec-WebSocket-Version: 14\r\n" + KEY}.items():
        yield bad(f"upgrade, not: {name}", link(fields), "426")
    for name, fields in {"no version": KEY, "version twice": VERSION * 2 + KEY, "version list": b"Sec-WebSocket-Version: 13, 8\r\n" + KEY, "version 013": b"Sec-WebSocket-Version: 013\r\n" + KEY}.items():
        yield bad(f"upgrade, not: {name}", link(hop + fields), "426 | 400 | 101 open" if name == "version twice" else "426 | 400")
    for name, key in {"none": b"", "short": b"Sec-WebSocket-Key: short\r\n", "long": KEY[:-2] + b"A\r\n", "empty": b"Sec-WebSocket-Key:\r\n", "not base64": b"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n",
                      "no padding": b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA\r\n", "twice": KEY * 2, "15 bytes": b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n"}.items():
        yield bad(f"upgrade, key: {name}", link(hop + VERSION + key), "400")
    yield bad("upgrade by POST", link(hop + VERSION + KEY + b"Content-Length: 0\r\n", b"POST"), "405 | 400 | 426")
    yield bad("upgrade by HTTP/1.0", link(hop + VERSION + KEY, version=b"HTTP/1.0"), "426 closed | 400 closed")
    yield bad("upgrade with a body", link(hop + VERSION + KEY + b"Content-Length: 8\r\n", body=PING), "400 closed | 400 | 413 closed")
    yield bad("upgrade with an encoding", link(hop + VERSION + KEY + b"Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), "501 closed")
    yield bad("upgrade without Host", LINK.replace(HOST, b""), "400 closed")
    for target in (b"/elsewhere", b"/link/", b"/link/x", b"/LINK", b"/", b"/api/link", b"/stream/" + b"a" * 65):
        yield bad(f"upgrade at {target.decode()[:12]}", link(hop + VERSION + KEY, target=target), "404" if target != b"/" else "404 | 426 | 200 | 400")
    yield bad("upgrade at a stream of nobody", link(hop + VERSION + KEY, target=b"/stream/" + b"a" * 32), "101 close:1008", nodes="404")
    yield bad("upgrade at a stream without a name", link(hop + VERSION + KEY, target=b"/stream/"), "101 close:1008 | 404", nodes="404")
    yield bad("upgrade, Origin of a stranger", link(hop + VERSION + KEY + b"Origin: https://evil.example\r\n"), "403")
    yield bad("upgrade, Origin null", link(hop + VERSION + KEY + b"Origin: null\r\n"), "403")
    yield bad("upgrade refused, then a GET", link(hop + VERSION + KEY, target=b"/elsewhere") + GET, "404 200 open | 404 closed", nodes="404 4xx | 404 closed")


def _events():
    """GET of a stream of events is a WATCH, which nobody may who has not logged in."""
    events = b"Accept: text/event-stream\r\n"
    yield good("events of nothing", request(target=b"/api/nothing", fields=events), "401 open")
    yield good("events of nothing, then GET", request(target=b"/api/nothing", fields=events) + GET, "401 200 open", 2)
    yield good("events at the front page", request(fields=events), "200 open")
    yield good("events by HTTP/1.0", request(target=b"/api/nothing", fields=events, version=b"HTTP/1.0"), "401 closed", nodes="4xx closed")
    yield good("events by POST", post(events + b"Content-Length: 13\r\n"), "401 open")
    yield good("events with a length", request(target=b"/api/nothing", fields=events + b"Content-Length: 13\r\n", body=JSON), "401 | 400 closed")
    yield good("events, then the end", request(target=b"/api/nothing", fields=events), "401 closed", nodes="4xx closed", after="end")
    yield bad("events, then a reset", request(target=b"/api/nothing", fields=events), "reset", after="reset")


def _ends():
    yield good("GET, then the end", GET, "200 closed", nodes="4xx closed", after="end")
    yield good("GET twice, then the end", GET * 2, "200 200 closed", nodes="4xx 4xx closed | 4xx closed", after="end")
    yield good("POST, then the end", POST, "401 closed", nodes="4xx closed", after="end")
    yield good("GET, then the end without a word of TLS", GET, "200 closed | 200 alert-any | closed | alert-any", nodes="4xx closed | 4xx alert-any | closed | alert-any", after="fin")
    cut = "closed | 400 closed | 408 closed"
    for name, data in {"nothing": b"", "a letter": b"G", "half a line": GET[:10], "a line": GET[:16], "half a field": GET[:22], "all but a byte": GET[:-1]}.items():
        yield bad(f"{name}, then the end", data, cut, after="end")
    yield bad("half a body, then the end", POST[:-5], cut, nodes=cut + " | 4xx closed", after="end")
    yield bad("no body, then the end", POST[:-13], cut, nodes=cut + " | 4xx closed", after="end")
    for name, data in {"nothing": b"", "a letter": b"G", "half a head": GET[:22], "a GET": GET, "two GETs": GET * 2, "a POST": POST, "half a body": POST[:-5], "two POSTs": POST * 2,
                       "an upgrade": LINK, "an upgrade and half a frame": LINK + PING[:3], "thirty GETs": GET * 30}.items():
        yield bad(f"{name}, then a reset", data, "reset", after="reset")


def rows():
    return [*_pipelined(), *_request_lines(), *_methods(), *_hosts(), *_fields(), *_sizes(), *_lengths(), *_encodings(), *_upgrades(), *_events(), *_ends()]
