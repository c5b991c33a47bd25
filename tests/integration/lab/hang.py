# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads that hang as in a system call that does not come back (a dead disk): the test holds them by ptrace, the rest of the process goes on.

A thread is held only while it sleeps for its next piece of work: a lock that it holds by accident would hang those who are not meant."""
import ctypes
import os

from lab.wait import wait_until

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def threads(pid):
    """{tid: name}"""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as file:
            found[int(tid)] = file.read().strip()
    return found


def _idle(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as file:
        return file.read().split()[0] == str(FUTEX)


class Hung:
    """with Hung(pid, lambda name: …): the threads of these names stand still. One Python thread must begin and end it."""

    def __init__(self, pid, which):
        self.pid, self.which, self.tids = pid, which, []

    def __enter__(self):
        self.tids = [tid for tid, name in threads(self.pid).items() if self.which(name)]
        assert self.tids, f"no such thread among {sorted(threads(self.pid).values())}"
        for tid in self.tids:
            wait_until(lambda tid=tid: _idle(self.pid, tid), 10, "the thread rests")
            self._ask(SEIZE, tid)
            self._ask(INTERRUPT, tid)
            os.waitpid(tid, WALL)
        return self

    def ended(self):
        """The process has ended but for its threads that we hold: as long as nobody looks for them it is not even a zombie."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                return file.read().rpartition(")")[2].split()[0] in "ZX"
        except FileNotFoundError:
            return True

    def __exit__(self, *_):
        for tid in self.tids:
            try:
                self._ask(DETACH, tid)
            except ProcessLookupError:  # it has ended: who held it must look for it, else nobody gets to see the process's end
                os.waitpid(tid, WALL)

    def _ask(self, what, tid):
        if _libc.ptrace(what, tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
