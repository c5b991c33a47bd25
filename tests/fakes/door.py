# SPDX-License-Identifier: LGPL-2.1-or-later
"""A door that plays what a test tells it: a unix socket that speaks message frames, so that farctl's part of a session is tested alone."""
import json
import os
import socket
import struct
import threading


class Door:
    """answers: {"METHOD resource": answer or function(door, request, body, connection) → answer}. An answer is (status, body), or None: answered by
    the function itself, with say(). A resource "sessions/*" stands for all below. asked: every request in order, as (method, resource, body)."""

    def __init__(self, folder, answers):
        self.path = os.path.join(folder, "control.sock")
        self.answers, self.asked, self.streams = answers, [], []
        self._lock = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        """The thread ends before the descriptor is free: it would take the connections of the next door, which gets the same number."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(20)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _take(connection, size):
        data = b""
        while len(data) < size:
            piece = connection.recv(size - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    @staticmethod
    def say(connection, id, status, body=None, headers=None):
        text = json.dumps(body).encode() if body is not None else b""
        head = {"id": id, "status": status, **({"headers": headers} if headers else {}),
                **({"type": "application/json", "n": len(text)} if text else {})}
        head = json.dumps(head).encode()
        connection.sendall(struct.pack(">I", len(head)) + head + text)

    def _answer(self, method, resource):
        found = self.answers.get(f"{method} {resource.split('?')[0]}")
        return found if found is not None else self.answers.get(f"{method} {resource.split('/')[0]}/*")

    def _serve(self, connection):
        try:
            while True:
                head = json.loads(self._take(connection, struct.unpack(">I", self._take(connection, 4))[0]))
                body = self._take(connection, head.get("n", 0))
                body = json.loads(body) if body else {}
                with self._lock:
                    self.asked.append((head["method"], head["resource"], body))
                    self._lock.notify_all()
                answer = self._answer(head["method"], head["resource"])
                if callable(answer):
                    answer = answer(self, head, body, connection)
                elif answer is None:
                    answer = (404, {"error": "not-found", "message": f"no {head['resource']}"})
                if head["method"] == "STREAM" and answer and answer[0] == 200:
                    self.say(connection, head["id"], 200)
                    return self._stream(connection)
                if answer:
                    self.say(connection, head["id"], *answer)
        except (ConnectionError, OSError):
            pass
        finally:
            connection.close()

    def _stream(self, connection):
        """Echoes in capitals until its end."""
        self.streams.append(connection)
        while True:
            data = connection.recv(65536)
            if not data:
                return
            connection.sendall(data.upper())

    def wait(self, method, resource, timeout=20):
        """Until this was asked; its body."""
        def found():
            return next((body for m, r, body in self.asked if (m, r) == (method, resource)), None)
        with self._lock:
            if not self._lock.wait_for(lambda: found() is not None, timeout):
                raise AssertionError(f"{method} {resource} was not asked; asked was {[a[:2] for a in self.asked]}")
            return found()
