# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock SSH programs as a person uses them: OpenSSH's client, PuTTY's plink. Passwords go in by SSH_ASKPASS or a file, never by argv."""
import os
import subprocess

from lab import secrets


class Stock:
    """One person's programs, with a known_hosts that holds exactly the terminal's key."""

    def __init__(self, folder, fleet, name, terminal="t1", netns=None):
        self.folder, self.fleet, self.name, self.terminal = folder, fleet, name, terminal
        self._place = ["ip", "netns", "exec", netns] if netns else []
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.known = os.path.join(folder, "known_hosts")
        host_key = fleet.cloud.call("GET", f"terminals/{terminal}")["host_key"]
        self.trust(host_key)

    def trust(self, host_key):
        self.host_key = " ".join(host_key.split()[:2])
        with open(self.known, "w", encoding="ascii") as file:
            file.write(f"{self.terminal} {self.host_key}\n")

    def key(self):
        """A key pair of the person's; the public line."""
        path = os.path.join(self.folder, "id")
        if not os.path.exists(path):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", path], check=True, timeout=30)
        with open(path + ".pub", encoding="ascii") as file:
            return file.read().strip()

    def _askpass(self, password):
        answer, script = os.path.join(self.folder, "password"), os.path.join(self.folder, "askpass")
        with open(answer, "w", encoding="utf-8") as file:
            file.write(password + "\n")
        os.chmod(answer, 0o600)
        with open(script, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nexec cat '{answer}'\n")
        os.chmod(script, 0o700)
        return {"SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":none"}

    def argv(self, port, *words, key=False, target=None):
        identity = ["-i", os.path.join(self.folder, "id"), "-o", "PreferredAuthentications=publickey"] if key else [
            "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=keyboard-interactive,password"]
        return [*self._place, "ssh", "-F", "none", "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={self.known}", "-o", f"HostKeyAlias={self.terminal}",
                "-o", "StrictHostKeyChecking=yes", "-o", "NumberOfPasswordPrompts=1", "-o", "ConnectTimeout=15", *identity,
                "-p", str(port), *words, f"{self.name}@{target or self.fleet.host}"]

    def environment(self, password=None):
        return {**os.environ, **(self._askpass(password) if password else {})}

    def start(self, port, *options, command=(), password=None, key=False, **how):
        """The running program (subprocess.Popen with pipes)."""
        return subprocess.Popen([*self.argv(port, *options, key=key), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(password), start_new_session=True, **how)

    def run(self, port, *options, command=(), password=None, key=False, input="", timeout=60):
        """The finished program."""
        return subprocess.run([*self.argv(port, *options, key=key), *command], input=input, capture_output=True, text=True, timeout=timeout,
                              env=self.environment(password), start_new_session=True)

    # ---- PuTTY ----

    def plink(self, port, *options, command=(), password=None, key_file=None, input="", timeout=60):
        fingerprint = subprocess.run(["ssh-keygen", "-lf", "-"], input=self.host_key, capture_output=True, text=True, check=True, timeout=30).stdout.split()[1]
        login = ["-i", key_file] if key_file else []
        if password:
            path = os.path.join(self.folder, "plink-password")
            with open(path, "w", encoding="utf-8") as file:
                file.write(password + "\n")
            os.chmod(path, 0o600)
            login = ["-pwfile", path]
        return subprocess.run([*self._place, "plink", "-batch", "-ssh", "-hostkey", fingerprint, "-P", str(port), "-l", self.name, *login, *options, self.fleet.host,
                               *command], input=input, capture_output=True, text=True, timeout=timeout, env={**os.environ, "HOME": self.folder})

    def putty_key(self):
        """The person's key in PuTTY's form."""
        self.key()
        path = os.path.join(self.folder, "id.ppk")
        subprocess.run(["puttygen", os.path.join(self.folder, "id"), "-o", path], check=True, capture_output=True, timeout=30)
        return path

    def wrong(self):
        return secrets.new("a wrong password")
