# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every secret a test uses is remembered here and looked for afterwards where none may be."""
import base64
import os
import random
import string

_known = {}


def remember(text, what="a secret"):
    """Keeps a secret in mind; returns it. Short ones would be found by chance."""
    if len(text) < 8:
        raise ValueError("a secret of a test has at least 8 characters")
    _known[text] = what
    return text


def new(what="a password", size=16):
    return remember("".join(random.SystemRandom().choices(string.ascii_letters + string.digits, k=size)), what)


def _forms(text):
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    for pad in range(3):  # base64 of the secret at each alignment, without the ends that depend on the neighbours
        code = base64.b64encode(b"\0" * pad + raw)
        yield code[(0, 2, 3)[pad]:-4]


def search(data, where):
    """Findings, each one line; never the secret itself."""
    return [f"{what} shows in {where}" for text, what in _known.items() if any(form in data for form in _forms(text))]


def search_tree(folder):
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                found += search(file.read(), os.path.relpath(path, folder))
    return found


def search_arguments(pid):
    """The command line of a running process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return search(file.read(), f"the arguments of process {pid}")
    except OSError:
        return []
