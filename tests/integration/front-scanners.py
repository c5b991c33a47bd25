# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two scanners of TLS, testssl.sh and sslscan, find nothing at the two public listeners."""
import json
import subprocess
import xml.etree.ElementTree

import tap
from lab.front import KEYS, FrontCase
from lab.stock import program, run

FINE = {"OK", "INFO", "LOW"}
EXCUSED = {  # why a finding is none here
    "cert_revocation": "the fleet's own authority: each end has the list of revoked nodes itself, no server on the net is asked",
    "engine_problem": "of the machine that scans: its OpenSSL has no GOST",
    "sessionresumption_ticket": "openssl s_client </dev/null leaves before the ticket is there when the machine is busy; front-clients.py resumes",
}
NOT_VULNERABLE = ("heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_client_renego", "CRIME_TLS", "BREACH", "POODLE_SSL", "SWEET32", "FREAK", "DROWN",
                  "LOGJAM", "BEAST", "LUCKY13", "RC4")
NOT_OFFERED = ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_3DES_IDEA",
               "cipherlist_AVERAGE")
WITHIN_S = 130  # a quarter of that on a quiet machine: it is a shell script of some thousand processes
CIPHERS = {
    "TLSv1.3": {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256"},
    "TLSv1.2": {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM",
                "ECDHE-ECDSA-AES256-CCM"},
}
GROUPS = {"x25519", "x448", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)", "secp521r1 (NIST P-521)", "ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144",
          "ffdhe8192"}


class Scanners(FrontCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([KEYS, cls.dir, "cloud:server:days=300"], check=True)

    def test_testssl(self):
        """Both listeners at once."""
        scans = {door: self.scan(door) for door in self.ports}
        for door, (process, path) in scans.items():
            with self.subTest(door):
                try:
                    process.wait(WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    self.fail(f"the scan was not over within {WITHIN_S} s")
                with open(path, encoding="utf-8") as file:
                    self.judge({row["id"]: row for row in json.load(file)})
        self.assert_served()

    def scan(self, door):
        path = self.path(f"{door}.json")
        argv = [program("testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", self.ca,
                "--connect-timeout", "5", "--openssl-timeout", "5", "--jsonfile", path, "-p", "-s", "-S", "-U", self.url(door=door)]
        with open(self.path(f"{door}.testssl"), "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, path

    def judge(self, rows):
        bad = [f"{row['severity']} {name}: {row['finding']}" for name, row in rows.items() if row["severity"] not in FINE and name not in EXCUSED]
        self.assertEqual(bad, [])
        for names, words in ((NOT_VULNERABLE, "not vulnerable|no protocol"), (NOT_OFFERED, "not offered")):
            for name in names:
                self.assertRegex(rows[name]["finding"], words, name)
        for name, words in (("TLS1_2", "^offered"), ("TLS1_3", "^offered"), ("cipherlist_STRONG", "^offered"), ("secure_renego", "^supported"),
                            ("cert_chain_of_trust", "^passed"), ("cert_trust", "^Ok"), ("TLS_timestamp", "random")):
            self.assertRegex(rows[name]["finding"], words, name)

    def test_sslscan(self):
        for door, port in self.ports.items():
            with self.subTest(door):
                done = run([program("sslscan", "sslscan"), "--no-colour", "--show-sigs", "--xml=-", f"localhost:{port}"], timeout=60)
                self.assertEqual(done.status, 0, done)
                self.look(xml.etree.ElementTree.fromstring(done.out).find("ssltest"))
        self.assert_served()

    def look(self, test):
        """As precisely as it can be said: what is on, not only that nothing bad is."""
        on = {f"{row.get('type')}{row.get('version')}" for row in test.findall("protocol") if row.get("enabled") == "1"}
        self.assertEqual(on, {"tls1.2", "tls1.3"})
        self.assertEqual([row.get("vulnerable") for row in test.findall("heartbleed")], ["0", "0"])
        self.assertEqual([row.get("supported") for row in test.findall("renegotiation")], ["0"])
        for version, fine in CIPHERS.items():
            taken = {row.get("cipher") for row in test.findall("cipher") if row.get("sslversion") == version}
            self.assertTrue(taken, version)
            self.assertLessEqual(taken, fine)
        self.assertLessEqual({row.get("name") for row in test.findall("group")}, GROUPS)
        self.assertEqual([row.get("name") for row in test.iter("signature-algorithm") if "sha1" in (row.get("name") or "").lower()], [])


tap.main()
