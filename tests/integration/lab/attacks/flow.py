# SPDX-License-Identifier: LGPL-2.1-or-later
"""How one row is tried over one connection, cut so and so, in one situation: generators for engine.Loop, a word list as the result.

A `world` gives what they need: address (door), context (key), session (key), ticket, stream ticket, and the situation's name."""
from . import begins, choices, http, matches, parts_of, record, tls, websocket
from .answers import Answers, heads_of
from .engine import BARRIER, READ, TURN, Late

PROBE_PING, PROBE_PONG = websocket.masked(b"probe", websocket.PING), "pong:" + b"probe".hex()


def _with_peer(job, world, door, run):
    """Runs run (peer, words); whatever goes wrong becomes a word."""
    words = []
    peer = job.peer(world.address(door))
    try:
        yield from peer.connect()
        yield from run(peer, words)
    except Late:
        words.append("hangs")
    except OSError as error:
        words.append(f"error:{error.errno}")
    return words


def _secured(peer, world, key, words):
    peer.start_tls(world.context(key), world.session(key))
    yield from peer.handshake()
    if not peer.handshaken:
        words.append(f"no-tls:{peer.alert}")
        return False
    return True


def _parts(peer, world, row, data, cuts, put):
    """The parts of a row, a turn of the loop between them, the situation's barrier after the first or the last."""
    parts = parts_of(data, cuts)
    for number, part in enumerate(parts):
        if number:
            yield TURN
            peer.feed()
        if part and not peer.over:
            yield from put(part)
        if number == 0 and world.situation == "reload":
            yield BARRIER
            peer.feed()
    if world.situation == "answer":
        yield BARRIER
        peer.feed()
    if row.after:
        yield from peer.finish(row.after)


def _upright(peer):
    """How the peer's end looks: nothing wrong when an alert did not cut it short."""
    return f"alert:{peer.alert}" if peer.alert else None


# ---- HTTP ----

def http_row(job, world, row, door, cuts, key):
    def run(peer, words):
        if not (yield from _secured(peer, world, key, words)):
            return
        before = world.http_preamble(door)
        heads = heads_of(row.data)
        if before:
            yield from peer.write(before)
            if world.situation == "answer":
                heads = [False, *heads]
            else:
                first = Answers([])
                while not first.words and not peer.over:
                    yield from peer.more()
                    first.feed(peer.plain)
                    peer.plain.clear()
                if first.words != ["200"]:
                    words.append(f"preamble:{first.words}")
                    return
        answers = Answers(heads)
        yield from _parts(peer, world, row, row.data, cuts, peer.write)
        if row.after == "reset":
            words.append("reset")
            return
        expected = world.expected(row, door)
        try:
            yield from _http_answers(peer, answers, row, door, expected)
        finally:
            words.extend(answers.words)
            world.keep(key, peer)
    return (yield from _with_peer(job, world, door, run))


def _http_answers(peer, answers, row, door, expected):
    frames = None
    while True:
        answers.feed(peer.plain)
        peer.plain.clear()
        if answers.upgraded and frames is None:
            frames = websocket.Answers()
            frames.feed(answers.buffer)
            base = list(answers.words)
        elif frames:
            frames.feed(answers.buffer)
        if frames:
            answers.buffer.clear()
            answers.words[:] = base + frames.words
        if peer.over:
            answers.words += [_upright(peer)] if peer.alert else ["closed" if row.after or answers.said or not answers.words or b"HTTP/1.0" in row.data else "closed-unsaid"] \
                if not (frames and frames.closed) else []
            return
        if _may_be_open(answers.words, expected):
            yield from _probe(peer, answers, frames, door)
            return
        yield from peer.more()


def _may_be_open(words, expected):
    for choice in choices(expected):
        if choice and choice[-1] == "open":
            choice = choice[:-1]
        elif not choice or choice[-1] in ("closed", "ended", "reset", "hangs") or choice[-1].startswith(("close", "alert")):
            continue
        if len(words) == len(choice) and begins(words, choice):
            return True
    return False


def _probe(peer, answers, frames, door):
    """Is the connection in step? A request that gets another answer than those in the tables."""
    count = len(frames.words if frames else answers.words)
    yield from peer.write(PROBE_PING if frames else http.request(target=b"/api/nothing") if door == "people" else http.request(target=b"/link"))
    right = PROBE_PONG if frames else "401" if door == "people" else "426"
    reader = frames or answers
    while len(reader.words) == count and not peer.over:
        yield from peer.more()
        reader.feed(peer.plain)
        peer.plain.clear()
    if len(reader.words) == count:
        answers.words.append("closed")
        return
    got = reader.words[count:]
    del reader.words[count:]
    if frames:
        answers.words += ["open"] if got[0] == right else got
    else:
        answers.words.append("open" if got and got[0].startswith(right) and len(got) == 1 else f"probe:{got}")


# ---- WebSocket ----

def websocket_row(job, world, row, door, cuts, key):
    def run(peer, words):
        if not (yield from _secured(peer, world, key, words)):
            return
        target = b"/stream/" + world.stream_ticket().encode() if door == "stream" else b"/link"
        yield from peer.write(http.LINK.replace(b"/link", target, 1))
        answers = Answers([])
        while not answers.words and not peer.over:
            yield from peer.more()
            answers.feed(peer.plain)
            peer.plain.clear()
        if answers.words != ["101"]:
            words.append(f"no-101:{answers.words}")
            return
        frames = websocket.Answers(row.more.get("pongs", True), row.more.get("asks", True))
        frames.feed(answers.buffer)
        for message in world.link_preamble(door):
            yield from peer.write(websocket.masked(message))
            while b'"login-' in message and "login" not in frames.words and not peer.over:
                yield from peer.more()
                frames.feed(peer.plain)
                peer.plain.clear()
            frames.words.clear()
        yield from _parts(peer, world, row, row.data, cuts, peer.write)
        if row.after == "reset":
            words.append("reset")
            return
        try:
            yield from _frames(peer, frames, world.expected(row, door))
        finally:
            words.extend(frames.words)
            world.keep(key, peer)
    return (yield from _with_peer(job, world, door, run))


def _frames(peer, frames, expected):
    probed = answered = False
    while True:
        frames.feed(peer.plain)
        peer.plain.clear()
        frames.words[:] = [word for word in frames.words if word not in ("held", "login")]
        if probed and PROBE_PONG in frames.words:
            frames.words[frames.words.index(PROBE_PONG)] = "open"
            return
        if peer.over:
            if not frames.closed:
                frames.words.append(_upright(peer) or "ended")
            return
        if frames.closed and not answered and frames.words[-1] in ("close:1000", "close:1001"):
            answered = True
            yield from peer.write(websocket.close(int(frames.words[-1][6:])))
        if not probed and not frames.closed and _may_be_open(frames.words, expected):
            probed = True
            yield from peer.write(PROBE_PING)
        yield from peer.more()


# ---- TLS ----

class Tools:
    """What a row needs to make records of its own."""

    def __init__(self, peer, world, key):
        self.peer, self.log, self.random = peer, world.key_log(key), peer.hello[11:43]
        self.suite = peer.tls.cipher()[0]
        self.sender = self.twelve = None

    def for_handshake(self):
        secret = self.log.get("CLIENT_HANDSHAKE_TRAFFIC_SECRET", self.random)
        if secret:
            self.sender, self.opener = record.Sender13(self.suite, secret), record.Sender13(self.suite, secret)
        return self

    def for_data(self):
        secret = self.log.get("CLIENT_TRAFFIC_SECRET_0", self.random)
        if secret:
            self.sender = record.Sender13(self.suite, secret)
        else:
            master = self.log.get("CLIENT_RANDOM", self.random)
            server = next(body[6:38] for kind, _, body in record.records(self.peer.raw) if kind == record.HANDSHAKE)
            self.sender = record.Sender12(self.suite, master, self.random, server)
            self.sender.seq = 1  # Finished was the first
        return self

    def opened(self, data):
        """(type, text) of each handshake message of our own flight."""
        text = b"".join(self.opener.open(body)[1] for kind, _, body in record.records(data) if kind == record.DATA)
        found = []
        while text:
            size = 4 + int.from_bytes(text[1:4], "big")
            found.append((record.HANDSHAKE, text[:size]))
            text = text[size:]
        return found

    def seal(self, kind, data, **how):
        return self.sender.seal(kind, data, **how)

    def inner(self, content, *more, **how):
        return self.sender.inner(content, *more, **how)

    def key_update(self, ask, split=False):
        message = record.handshake(24, bytes([ask]))
        parts = [message[:2], message[2:]] if split else [message]
        data = b"".join(self.seal(record.HANDSHAKE, part) for part in parts)
        self.sender.update()
        return data


def tls_row(job, world, row, door, cuts, key):
    kind = row.more["kind"]

    def run(peer, words):
        if kind == "raw":
            world.sizes[row.name] = len(row.data)
            yield from _parts(peer, world, row, row.data, cuts, peer.put)
        elif kind == "live":
            if not (yield from _live(peer, world, row, cuts, key)):
                return
        else:
            peer.filter = _remember
            if not (yield from _secured(peer, world, key, words)):
                return
            tools = Tools(peer, world, key).for_data()
            before = world.http_preamble(door)
            if before:
                yield from peer.put(tools.seal(record.DATA, before))
            data = row.data(tools)
            world.sizes[row.name] = len(data)
            yield from _parts(peer, world, row, data, cuts, peer.put)
            if row.more.get("probe"):
                yield from peer.put(tools.seal(record.DATA, tls.GET))
        if row.after == "reset":
            words.append("reset")
            return
        try:
            yield from _tls_answers(peer, words, kind, world.expected(row, door))
        finally:
            if kind == "live":
                world.keep(key, peer)
    return (yield from _with_peer(job, world, door, run))


def _remember(peer, data):
    if peer.flights == 0:
        peer.hello = data
    return [data]


def _live(peer, world, row, cuts, key):
    """A handshake whose flight row.more["flight"] is replaced. FALSE: nothing is to be waited for."""
    flight, writes = row.more["flight"], []

    def change(peer, data):
        if peer.flights == 0:
            peer.hello = data
        if peer.flights != flight:
            return [data]
        tools = Tools(peer, world, key).for_handshake() if flight else None
        changed = row.data(tools, data)
        world.sizes[row.name] = len(changed)
        writes.extend(parts_of(changed, cuts))
        return writes
    peer.filter = change
    peer.start_tls(world.context(key), world.session(key))
    yield from peer.handshake()
    peer.filter = None
    if row.after:
        yield from peer.finish(row.after)
    elif peer.handshaken and not peer.over:
        yield from peer.write(tls.GET)
    return True


def _tls_answers(peer, words, kind, expected):
    """Reads until it is clear how it goes on."""
    while True:
        words[:] = _tls_words(peer, kind)
        if peer.ended or peer.notified or peer.alert:
            if peer.outward:
                yield from peer.flush()  # our own alert, where TLS of this side would not go on
            while not peer.ended:
                yield READ
                peer.feed()
            return
        if words and matches(words, expected) and words[-1] in ("hello", "served"):
            return
        yield from peer.more()


def _tls_words(peer, kind):
    words = []
    if kind == "raw":
        for sort, _, body in record.records(peer.raw):
            if sort == record.HANDSHAKE and "hello" not in words:
                words.append("hello")
            elif sort == record.ALERT and len(body) == 2 and body != b"\1\0":
                words.append(f"alert:{tls.ALERTS.get(body[1], body[1])}")
            elif sort == record.ALERT:
                words.append("notify")
    else:
        words += ["served"] * peer.plain.count(b"HTTP/1.1 ")
    if peer.alert:
        words.append(f"alert:{peer.alert}")
    elif peer.notified:
        words.append("notify")
    elif peer.ended and not (words and words[-1].startswith(("alert", "notify"))):
        words.append("ended")
    return words

