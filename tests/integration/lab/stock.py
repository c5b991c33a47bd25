# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock programs as peers: found by the Debian package that brings them, run with an end."""
import os
import shutil
import subprocess

SBIN = "/usr/sbin"


def program(name, package):
    """Its path. It stands in build-aux/packages.txt, so a test without it fails and says which package it wants."""
    path = shutil.which(name) or shutil.which(name, path=SBIN)
    if path is None:
        raise AssertionError(f"no '{name}' here; install the Debian package {package} (./bootstrap check does)")
    return path


def file(path, package):
    """The same for a file that a package brings."""
    if not os.path.exists(path):
        raise AssertionError(f"no {path} here; install the Debian package {package} (./bootstrap check does)")
    return path


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def __str__(self):
        return f"{' '.join(self.argv)}: status {self.status}\nout: {self.out[-3000:]}\nerr: {self.err[-3000:]}"


def run(argv, *, input=None, timeout=30, env=None):
    """Runs it to its end; AssertionError with what it had printed when that does not come."""
    data = input.encode() if isinstance(input, str) else input
    where = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})}, check=False, **where)
    except subprocess.TimeoutExpired as late:
        out, err = ((text or b"").decode(errors="replace") for text in (late.stdout, late.stderr))
        raise AssertionError(f"not within {timeout} s: {Result(argv, None, out, err)}") from late
    return Result(argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
