# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many connections at once, each a generator that says what it waits for; TLS is kept apart from the socket, so that its bytes can be cut."""
import collections
import errno
import select
import socket
import ssl
import time

READ, WRITE, TURN, BARRIER = 1, 2, 0, -1
RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER of no seconds: close() sends a reset


class Late(Exception):
    """The deadline of a job has passed."""


class Peer:
    """One connection. feed(): what came is taken in; `plain` what TLS made of it, `raw` what came before TLS was there."""

    def __init__(self, address, source=None):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.sock.bind(source)
        self.address = address
        self.raw, self.plain = bytearray(), bytearray()
        self.ended = False     # no more bytes come
        self.reset = False     # and it was not an orderly end
        self.alert = None      # why TLS gave up
        self.notified = False  # TLS said its end
        self.tls = self.inward = self.outward = None
        self.flights = 0
        self.filter = None     # what becomes of the bytes that TLS wants to send: filter (peer, data) → list of writes
        self.closed = False

    # ---- bytes ----

    def connect(self):
        code = self.sock.connect_ex(self.address)
        while code == errno.EINPROGRESS:
            yield WRITE
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")

    def feed(self):
        """Takes what the socket has."""
        while not self.ended:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                self.ended = self.reset = True
                return
            if not data:
                self.ended = True
            if self.tls:
                if data:
                    self.inward.write(data)
                else:
                    self.inward.write_eof()
                self._decrypt()
            self.raw += data

    def _decrypt(self):
        if self.handshaken and not self.alert:
            try:
                while True:
                    data = self.tls.read(65536)
                    if not data:
                        self.notified = True
                        return
                    self.plain += data
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                self.alert = reason_of(error)

    def put(self, data):
        """Writes bytes as they are; what the other side sends meanwhile is taken in."""
        view = memoryview(data)
        while view and not self.ended:
            try:
                view = view[self.sock.send(view):]
            except BlockingIOError:
                yield READ | WRITE
                self.feed()
            except OSError:
                self.feed()
                self.ended = self.reset = True
                return

    # ---- TLS ----

    handshaken = False

    def start_tls(self, context, session=None, host="localhost"):
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname=host, session=session)

    def flush(self):
        data = self.outward.read()
        if not data:
            return
        writes = self.filter(self, data) if self.filter else [data]
        self.flights += 1
        for number, piece in enumerate(writes):
            if number:
                yield TURN
                self.feed()
            yield from self.put(piece)

    def handshake(self):
        """Until TLS stands or has failed; then .alert says why."""
        while not self.handshaken:
            try:
                self.tls.do_handshake()
                self.handshaken = True
            except ssl.SSLWantReadError:
                if self.ended:
                    return
                yield from self.flush()
                if not self.ended:  # else once more: an alert may have come before the end
                    yield READ
                    self.feed()
            except ssl.SSLError as error:
                self.alert = reason_of(error)
                yield from self.flush()
                return
        yield from self.flush()
        self._decrypt()

    def write(self, data):
        """One TLS record for each 16 KiB."""
        try:
            while data:
                self.tls.write(data[:16384])
                data = data[16384:]
                yield from self.flush()
        except ssl.SSLError as error:
            self.alert = self.alert or reason_of(error)

    def finish(self, how):
        """"end": close_notify and the end of the stream; "reset"; "fin": the end without a word of TLS."""
        if how == "end" and self.tls and self.handshaken:
            try:
                self.tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass
            yield from self.flush()
        if how in ("end", "fin"):
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close()
            self.ended = True

    def more(self):
        """Waits until something comes."""
        if not self.over:
            yield READ
            self.feed()

    @property
    def over(self):
        return self.ended or self.notified or self.alert is not None

    def close(self):
        self.closed = True
        self.sock.close()


def reason_of(error):
    """"unknown_ca" of "[SSL: TLSV1_ALERT_UNKNOWN_CA] …": an alert that came; "local-…" what our side would not take."""
    name = (error.reason or str(error)).lower()
    if "alert_" in name:
        return name.split("alert_", 1)[1]
    if "eof" in name or "zero return" in str(error).lower():
        return None
    return "local-" + name


class Job:
    def __init__(self, make, limit):
        self.peers = []
        self.flow = make(self)
        self.limit, self.deadline = limit, None
        self.waits, self.fd = TURN, None
        self.keep = False  # its peers outlive it

    def peer(self, *args, **how):
        peer = Peer(*args, **how)
        self.peers.append(peer)
        return peer

    def close(self):
        self.flow.close()
        for peer in self.peers:
            if not peer.closed and not self.keep:
                peer.close()


class Loop:
    """Runs jobs; barrier: called when all that run have come to theirs. tick: called every 20 ms from then on, until they are done."""

    def __init__(self, parallel=64, barrier=None, tick=None):
        self.parallel, self.barrier, self.tick = parallel, barrier, tick
        self.poll = select.epoll()
        self.by_fd = {}

    def run(self, jobs):
        """jobs: an iterator of Job, or a list: then a list is one batch and its barrier is one for all."""
        jobs = iter(jobs)
        turn, waiting, at_barrier, exhausted = collections.deque(), set(), set(), False
        looked = ticked = time.monotonic()
        beyond = False
        while True:
            while not exhausted and len(turn) + len(waiting) + len(at_barrier) < self.parallel:
                job = next(jobs, None)
                if job is None:
                    exhausted = True
                    break
                job.deadline = time.monotonic() + job.limit
                turn.append(job)
            if not turn and not waiting and not at_barrier:
                return
            for _ in range(len(turn)):
                self._step(turn.popleft(), turn, waiting, at_barrier)
            if at_barrier and not turn and not waiting:
                if self.barrier:
                    self.barrier()
                for job in at_barrier:
                    job.deadline = time.monotonic() + job.limit
                turn.extend(at_barrier)
                at_barrier.clear()
                beyond = True
            for fd, _ in self.poll.poll(0 if turn else 0.02):
                job = self.by_fd.get(fd)
                if job in waiting:
                    waiting.discard(job)
                    turn.append(job)
            now = time.monotonic()
            if self.tick and beyond and now - ticked > 0.02:
                ticked = now
                self.tick()
            if now - looked > 0.2:
                looked = now
                for job in [job for job in waiting if job.deadline < now]:
                    waiting.discard(job)
                    self._step(job, turn, waiting, at_barrier, Late())

    def _step(self, job, turn, waiting, at_barrier, error=None):
        try:
            wants = job.flow.throw(error) if error else job.flow.send(None)
        except StopIteration:
            self._forget(job)
            job.close()
            return
        if wants == TURN:
            turn.append(job)
        elif wants == BARRIER:
            self._forget(job)
            at_barrier.add(job)
        else:
            self._watch(job, wants)
            waiting.add(job)

    def _watch(self, job, wants):
        peer = job.peers[-1]
        mask = (select.EPOLLIN | select.EPOLLRDHUP if wants & READ else 0) | (select.EPOLLOUT if wants & WRITE else 0)
        fd = peer.sock.fileno()
        if job.fd == fd:
            if job.waits != mask:
                self.poll.modify(fd, mask)
        else:
            self._forget(job)
            self.poll.register(fd, mask)
            self.by_fd[fd] = job
            job.fd = fd
        job.waits = mask

    def _forget(self, job):
        if job.fd is not None:
            if self.by_fd.get(job.fd) is job:
                del self.by_fd[job.fd]
                try:
                    self.poll.unregister(job.fd)
                except (OSError, ValueError):  # closed meanwhile
                    pass
            job.fd = None
