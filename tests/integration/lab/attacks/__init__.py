# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks as data: rows of bytes and of the answer they get, how a row's bytes are cut into writes, and what drives them.

A row's answer is a text of words, with " | " between answers that are all right; what the words mean stands in the table of the protocol."""
import itertools
import os
import random

LEVEL = os.environ.get("FARWATCH_ATTACKS", "")
ALL, TWOS = LEVEL == "all", LEVEL in ("all", "twos")
SEED = int(os.environ.get("FARWATCH_ATTACKS_SEED", "9112"))
SHORT = 40      # bytes up to which every cut into two is tried
TINY = 16       # and into three
SAMPLE = 10     # cuts into two of a longer row
THREES = 4      # cuts into three


class Row:
    """name: unique in its table. answer: at the door of people; nodes: at that of nodes, if it is another there. after: what the peer does when all
    is written: None waits, "end" sends the end of its stream, "reset" cuts the connection. doors: where it is tried."""

    def __init__(self, name, data, answer, *, nodes=None, after=None, doors=("people", "nodes"), **more):
        self.name, self.data, self.answer, self.after, self.doors = name, data, answer, after, doors
        self.nodes = answer if nodes is None else nodes
        self.more = more

    def expected(self, door):
        return self.nodes if door == "nodes" else self.answer

    def __repr__(self):
        return self.name


def cuts_of(name, size, full=True):
    """The cuts of a row of `size` bytes: tuples of one or two places. full: all that the time of a run allows, else a few of each kind."""
    rng = random.Random(f"{SEED}/{name}/{size}")
    twos = [(at,) for at in range(1, size)]
    if ALL:
        return twos + list(itertools.combinations(range(1, size), 2))
    if not full:
        return rng.sample(twos, min(2, len(twos))) + [pair for pair in [_pair(rng, size)] if pair]
    if size > SHORT and not TWOS:
        twos = rng.sample(twos, min(SAMPLE, len(twos)))
    if size <= TINY:
        return twos + list(itertools.combinations(range(1, size), 2))
    return twos + [_pair(rng, size) for _ in range(THREES)]


def _pair(rng, size):
    return tuple(sorted(rng.sample(range(1, size), 2))) if size > 2 else None


def parts_of(data, cuts):
    edges = [0, *(min(at, len(data)) for at in cuts), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:]) if b > a] or [b""]


ENDS = ("open", "closed")


def choices(expected):
    return [choice.split() for choice in expected.split("|")]


def same(word, have):
    """"x-any" stands for a word that begins with "x", "4xx" for a status."""
    return word == have or word.endswith("-any") and have.startswith(word[:-4]) or word.startswith("4xx") and have[:1] == "4" and have[1:3].isdigit()


def begins(got, words):
    return len(got) <= len(words) and all(same(word, have) for word, have in zip(words, got))


def matches(got, expected):
    """got is a list of words. A choice that does not say how the connection goes on takes either."""
    for words in choices(expected):
        have = got[:-1] if got and got[-1] in ENDS and words[-1:] != [] and words[-1] not in ENDS and len(got) == len(words) + 1 else got
        if len(have) == len(words) and begins(have, words):
            return True
    return False
