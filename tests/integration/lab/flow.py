# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream of numbers through a tunnel to an echo device and back: what is lost, doubled or out of order shows at once."""
import struct
import threading

from lab.wait import wait_until


class Numbers:
    """Numbers sent through a connection to an echo device and read back: the next one only counts when it is the next one."""

    def __init__(self, send, receive):
        self.send, self.receive = send, receive
        self.sent = self.got = 0
        self.fault, self.ending = None, False
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def _write(self):
        try:
            while not self.ending and self.fault is None:
                if self.sent - self.got > 20000:
                    threading.Event().wait(0.001)
                    continue
                self.send(b"".join(struct.pack(">I", number) for number in range(self.sent, self.sent + 500)))
                self.sent += 500
        except (OSError, ValueError) as error:
            self.fault = self.fault or f"writing ended at number {self.sent}: {error}"

    def _read(self):
        rest = b""
        try:
            while not (self.ending and self.got == self.sent and not self._threads[0].is_alive()):
                rest += self._piece()
                whole = len(rest) // 4
                for number, in struct.iter_unpack(">I", rest[:whole * 4]):
                    if number != self.got:
                        raise ValueError(f"number {number} instead of {self.got}")
                    self.got += 1
                rest = rest[whole * 4:]
        except (OSError, ValueError) as error:
            self.fault = self.fault or f"reading ended at number {self.got}: {error}"

    def _piece(self):
        piece = self.receive(65536)
        if not piece:
            raise ValueError("the stream ended")
        return piece

    def moved_on(self, what, timeout=20):
        """More numbers came back than were under way before."""
        goal = self.sent + 1000
        wait_until(lambda: self.fault or self.got > goal, timeout, f"numbers pass after {what}: {self.got} of {goal}")
        if self.fault:
            raise AssertionError(f"{what}: {self.fault}")

    def finish(self):
        """Everything that was sent has come back."""
        self.ending = True
        self._threads[0].join(20)
        wait_until(lambda: self.fault or self.got == self.sent, 20, f"{self.got} of {self.sent} numbers are back")
        if self.fault:
            raise AssertionError(self.fault)
