# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose language is spoken: a daemon keeps, sends and logs its msgids, whatever language it was started in; farctl translates for who reads."""
import os
import shutil
import subprocess
import tempfile
import unittest

import lab  # noqa: F401 (it sets the path)
import tap
from lab.case import FleetCase
from lab.node import DAEMON, environment

PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"

msgid "no right"
msgstr "kein Recht"

msgid "other object"
msgstr "kein Recht"

msgid "unknown device"
msgstr "Gerät unbekannt"

msgid "terminal '%s' has no device '%s': see farctl terminals %s"
msgstr "Gerät '%2$s' gibt es an '%1$s' nicht: siehe farctl terminals %3$s"

msgid "no device '%s' at '%s'"
msgstr "bei '%2$s' gibt es kein '%1$s'"

msgid "what runs and what does not"
msgstr "was läuft und was nicht"

msgid "runs"
msgstr "läuft"

msgid "%s: good\n"
msgstr "%s: gut\n"
"""


@unittest.skipUnless(shutil.which("msgfmt"), "msgfmt is missing: apt install gettext")
class Words(FleetCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="fww-")
        self.addCleanup(shutil.rmtree, self.dir)
        messages = os.path.join(self.dir, "de", "LC_MESSAGES")
        os.makedirs(messages)
        subprocess.run(["msgfmt", "-o", os.path.join(messages, "farwatch.mo"), "-"], input=PO, text=True, check=True, timeout=30)
        self.german = {"FARWATCH_LOCALE_DIR": self.dir, "LC_ALL": "C.UTF-8", "LANGUAGE": "de"}
        self.start_fleet(start=False)
        before = {name: os.environ.get(name) for name in self.german}
        os.environ.update(self.german)  # both daemons
        try:
            self.fleet.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        self.alice = self.person("alice")

    def refused(self):
        return self.alice.ask("POST", "sessions", {"terminal": "t1", "device": "nothing", "reason": "x", "entry": "ports"})

    def test_daemons_speak_their_msgids(self):
        status, answer = self.refused()
        self.assertEqual((status, answer["message"]), (404, "terminal 't1' has no device 'nothing': see farctl terminals t1"))
        self.assertIn("unknown device", [row["cause"] for row in self.fleet.history()])
        methods = self.fleet.cloud.call("GET", "methods")["methods"]
        self.assertIn("what runs and what does not", [row["summary"] for row in methods])
        with open(self.fleet.cloud.process.log, encoding="utf-8") as log:
            text = log.read()
        self.assertIn("services.access: runs", text)
        self.assertNotIn("läuft", text)

    def test_farctl_speaks_the_persons_language(self):
        self.refused()
        self.assertIn("Gerät unbekannt", self.fleet.cloud.farctl("history", env=self.german))
        self.assertIn("was läuft und was nicht", self.fleet.cloud.farctl("call", "--list", env=self.german))
        done = self.fleet.cloud.farctl("device", "remove", "t1/nothing", check=False, env=self.german)
        self.assertEqual((done.returncode, done.stderr), (3, "farctl: bei 't1' gibt es kein 'nothing'\n"))
        done = self.fleet.cloud.farctl("device", "remove", "t1/nothing", check=False)
        self.assertEqual(done.stderr, "farctl: no device 'nothing' at 't1'\n")
        rows = self.fleet.cloud.farctl("history", json=True, env=self.german)
        self.assertIn("unknown device", str(rows), "what programs read is the same in every language")

    def test_farwatchd_speaks_to_who_checks(self):
        done = subprocess.run([DAEMON, "--check", "--profile", self.fleet.cloud.profile_path], capture_output=True, text=True, timeout=30,
                              env={**os.environ, **environment(), **self.german})
        self.assertTrue(done.stdout.endswith(": gut\n"), done.stdout + done.stderr)


tap.main()
