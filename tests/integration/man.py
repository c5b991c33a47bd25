# SPDX-License-Identifier: LGPL-2.1-or-later
"""The man pages name every command and option that the programs name, and no other, and say of them what --help says."""
import os
import re
import subprocess
import unittest

import tap

BUILD, SOURCE = os.environ["FARWATCH_TEST_BUILDDIR"], os.environ["FARWATCH_TEST_SRCDIR"]


def help_of(*words):
    run = subprocess.run([os.path.join(BUILD, words[0]), *words[1:], "--help"], capture_output=True, text=True, timeout=60)
    return run.stdout + run.stderr


def page(name):
    with open(os.path.join(SOURCE, "doc/man", name), encoding="utf-8") as file:
        return file.read().replace("\\-", "-")


def words(text):
    return set(re.findall(r"[a-z]{5,}", text.lower()))


def commands(text):
    return re.findall(r"^  ([a-z]+(?: [a-z]+)*)  +\S", text, re.M)


class Man(unittest.TestCase):
    def test_farctl(self):
        text = page("farctl.1")
        section = text.split(".SH COMMANDS")[1].split(".SH EXIT")[0]
        said = {re.sub(r'[".]', "", line).split("[")[0].strip() for line in re.findall(r'^\.TP\n\.BR? "?([a-z]+(?: [a-z]+)*)"?', section, re.M)}
        real = commands(help_of("farctl"))
        self.assertGreater(len(real), 30)
        self.assertEqual(said, set(real))

    def test_farctl_options(self):
        section = page("farctl.1").split(".SH COMMANDS")[1].split(".SH EXIT")[0]
        for command in commands(help_of("farctl")):
            own = help_of("farctl", *command.split()).split("options of every command")[0]
            block = re.search(rf'^\.TP\n\.BR? "?{command}"?(?: .*)?\n((?:.*\n)*?)(?=\.TP\n\.BR? "?[a-z]|\.SS|\Z)', section, re.M)
            self.assertIsNotNone(block, command)
            for option in re.findall(r"^  (--[a-z-]+)", own, re.M):
                self.assertIn(option + " ", re.sub(r"$", " ", block.group(), flags=re.M), f"farctl.1: {command} {option}")

    def test_farctl_says_what_help_says(self):
        """Not word by word; but of the words of --help nearly all are in the page, so that a change of one is one of the other."""
        section = page("farctl.1").replace("\\(aq", "'").split(".SH COMMANDS")[1].split(".SH EXIT")[0]
        looked = 0
        for command, summary in re.findall(r"^  ([a-z]+(?: [a-z]+)*)  +(\S.*)$", help_of("farctl"), re.M):
            block = re.search(rf'^\.TP\n\.BR? "?{command}"?(?: .*)?\n((?:.*\n)*?)(?=\.TP\n\.BR? "?[a-z]|\.SS|\Z)', section, re.M).group(1)
            own = help_of("farctl", *command.split()).split("options of every command")[0]
            told = [(command, summary, block.split(".RS")[0])]
            for option, text in re.findall(r"^  (--[a-z-]+)\S*(?: [A-Z]\S*)? +(\S.*)$", own, re.M):
                entry = re.search(rf'^\.TP\n\.B[IR]? "?{option}\b.*\n((?:.*\n)*?)(?=\.TP|\.RE|\Z)', block, re.M)
                told.append((f"{command} {option}", text, entry.group(1) if entry else ""))
            for what, text, said in told:
                looked += 1
                missing = words(text) - words(said)
                with self.subTest(what):
                    self.assertLessEqual(len(missing), 0.15 * len(words(text)), f"farctl.1: {what}: {text}\n{said}{missing}")
        self.assertGreater(looked, 100)

    def test_farwatchd(self):
        text = page("farwatchd.8")
        for option in re.findall(r"(--[a-z]+)", help_of("farwatchd")):
            if option != "--help":
                self.assertIn(option, text, "farwatchd.8")


tap.main()
