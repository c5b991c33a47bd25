# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP answers as words."""
import json
import re

STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.I)
CLOSE = re.compile(rb"\r\nConnection: *[^\r\n]*close", re.I)
HEAD = re.compile(rb"([A-Z]+) [^\r\n]*\r\n")


def heads_of(data):
    """Which of the requests in data are HEAD: their answers have no body."""
    found, at = [], 0
    while True:
        line, end = HEAD.match(data, at), data.find(b"\r\n\r\n", at)
        if line is None or end < 0:
            return found
        found.append(line.group(1) == b"HEAD")
        length = LENGTH.search(data, at, end + 2)
        at = end + 4 + (int(length.group(1)) if length and len(length.group(1)) < 9 else 0)


class Answers:
    """status is "401", "401h" to HEAD; "garbage" is what is no answer; "-nojson" stands behind a refusal whose body is no JSON."""

    def __init__(self, heads):
        self.heads, self.words, self.buffer, self.final, self.said, self.upgraded = heads, [], bytearray(), 0, False, False

    def feed(self, data):
        self.buffer += data
        while self.buffer and not self.upgraded and self._one():
            pass

    def _one(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if not self.buffer.startswith(b"HTTP/1.1 "[:len(self.buffer)]):
                self._garbage()
            return False
        head = bytes(self.buffer[:end + 4])
        status = STATUS.match(head)
        if not status:
            return self._garbage()
        status, length = status.group(1).decode(), LENGTH.search(head)
        interim = status[0] == "1"
        bare = not interim and self.final < len(self.heads) and self.heads[self.final]
        size = 0 if interim or bare or not length else int(length.group(1))
        if len(self.buffer) < end + 4 + size:
            return False
        body = bytes(self.buffer[end + 4:end + 4 + size])
        del self.buffer[:end + 4 + size]
        self.final += not interim
        self.said, self.upgraded = CLOSE.search(head) is not None, status == "101"
        if self.upgraded and b"sec-websocket-extensions" in head.lower():
            status += "-extended"
        self.words.append(status + ("h" if bare else "-nojson" if not bare and status[0] in "45" and not _is_json(body) else ""))
        return True

    def _garbage(self):
        self.words.append(f"garbage:{bytes(self.buffer[:40])!r}")
        self.buffer.clear()
        return False


def _is_json(body):
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
