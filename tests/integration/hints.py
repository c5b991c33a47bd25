# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command that a message of the programs or plugins names, typed as it stands there: farctl understands it. Whether it helps is judged where the message
is tested; one that is answered with the usage helps nobody."""
import glob
import os
import re
import subprocess
import tempfile
import unittest

import lab  # noqa: F401 (it sets the path)
import tap
from lab.node import FARCTL, environment

SOURCE = os.environ["FARWATCH_TEST_SRCDIR"]
STRING = r'"((?:[^"\\\n]|\\.)*)"'
ONE = re.compile(rf"(?:{STRING}\s*)+")
TOKEN = "x." + "0" * 64 + ".x\n"
# as a person fills them in; a command of a node's own begins with far_node_words()
FILL = [(r"(restore(?: --[a-z-]+)?) %s", r"\1 --profile FILE"), (r" …", ""), (r"--server %s|--server HOST:PORT", "--server 127.0.0.1:1"), (r"--name HOST", "--name cloud.example"),
        (r"%s|…|NAME|SESSION|NUMBER|TERMINAL", "x"), (r"\b(DIR|CA)\b", "dir"), (r"FILE", "p.yaml"), (r"^(.*\b(user add|user password|login)\b.*)", r"\1 --password-stdin")]


def strings():
    """(file, text) of all that the sources hold, literals that stand beside each other as one."""
    for path in sorted(glob.glob(f"{SOURCE}/core/**/*.c", recursive=True) + glob.glob(f"{SOURCE}/plugins/**/*.c", recursive=True)):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        for match in ONE.finditer(text):
            yield os.path.relpath(path, SOURCE), "".join(re.findall(STRING, match[0]))


def typed(text, first):
    """The commands in a text: between backquotes, else as far as words are those of a command, options or what is filled in."""
    for rest in re.findall(r"`farctl ([^`]+)`", text):
        if rest != "%s":
            yield rest
    for rest in re.findall(r"farctl ([a-z-][^`]*)", re.sub(r"`[^`]*`", "", text)):
        words = re.split(r" ", re.split(r"[;,()'\n]|[:.](?= |$)", rest)[0])
        if words[0] not in first and words[0] != "--server":
            continue
        size = next(size for size in (2, 1) if size == 1 or " ".join(words[:2]) in first)
        while size < len(words) and re.match(r"--[a-z]|%s|[A-Z]{2}" + ("|(login|logout)$" if words[0] == "--server" else ""), words[size]):
            size += 1
        yield " ".join(words[:size])


class Hints(unittest.TestCase):
    def farctl(self, *words, folder):
        env = {**os.environ, **environment(), "HOME": folder, "XDG_CONFIG_HOME": folder, "LC_ALL": "C.UTF-8", "FARWATCH_SOCKET": f"{folder}/none"}
        return subprocess.run([FARCTL, *words], cwd=folder, env=env, input=TOKEN, capture_output=True, text=True, timeout=60)

    def test_each_is_understood(self):
        with tempfile.TemporaryDirectory(prefix="fwh-") as folder:
            with open(f"{folder}/p.yaml", "w", encoding="utf-8") as file:
                file.write(f"farwatch: 1\nnode: {{id: t1, state: {folder}/state}}\n")
            help_text = self.farctl("--help", folder=folder).stdout
            commands = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  +\S", help_text, re.M)
            first = set(commands) | {command.split()[0] for command in commands}
            found = 0
            for path, text in strings():
                for command in typed(text, first):
                    found += 1
                    line = command
                    for pattern, value in FILL:
                        line = re.sub(pattern, value, line)
                    with self.subTest(path=path, command=command):
                        done = self.farctl(*line.split(), folder=folder)
                        self.assertFalse("usage: " in done.stderr or "no command" in done.stderr, f"farctl {line}\n{done.stderr}")
            self.assertGreater(found, 50)


tap.main()
