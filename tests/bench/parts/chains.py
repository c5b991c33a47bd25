# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peers between a person and a device: each takes connections on .port and brings them to the device."""
import os
import subprocess

from lab import Process, free_port, listening, wait_until


def wait_port(port, process=None):
    """Until it is listened on; process: who is to do it, whose end ends the wait."""
    def there():
        if process and not process.running():
            raise AssertionError(f"{process.name} ended before it listened on port {port}; last lines:\n" + "\n".join(process.lines[-5:]))
        return port in listening()
    try:
        wait_until(there, 20, f"port {port} listening", every=0.05)
    except AssertionError as error:
        if process and process.lines:
            raise AssertionError(f"{error}; last lines:\n" + "\n".join(process.lines[-5:])) from None
        raise
    return port


class Chain:
    """name; .port to dial; .pids of the relays (neither person nor device)."""

    def __init__(self, folder, name):
        self.folder, self.name, self.processes, self.port = folder, name, [], None

    def run(self, name, argv, env=None):
        self.processes.append(Process(argv, os.path.join(self.folder, name + ".log"), env=env))
        self.processes[-1].expect_end = True
        return self.processes[-1]

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


class Direct(Chain):
    """No relay at all: what one loopback hop carries here."""
    def start(self, device_port):
        self.port = device_port
        return self


class TwoHops(Chain):
    """Two plain relays, as many as cloud and terminal are: the limit without cryptography."""
    def start(self, device_port):
        self.port, middle = free_port(), free_port()
        for number, (listen, to) in enumerate(((self.port, middle), (middle, device_port))):
            relay = self.run(f"socat-{number}", ["socat", "-b65536", f"TCP-LISTEN:{listen},bind=127.0.0.1,fork,reuseaddr,backlog=1024,nodelay",
                                                 f"TCP:127.0.0.1:{to},nodelay"])
            wait_port(listen, relay)
        return self


class Sshd:
    """An OpenSSH server of the bench's own: keys, configuration and port in its folder."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(folder, key)], check=True, timeout=30)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        config = os.path.join(folder, "sshd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nStrictModes no\n"
                       "UsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nPidFile none\nMaxStartups 1000\nMaxSessions 1000\n")
        self.process = Process(["/usr/sbin/sshd", "-D", "-e", "-f", config], os.path.join(folder, "sshd.log"))
        self.process.expect_end = True
        wait_port(self.port, self.process)

    def client(self, *words):
        """argv of an OpenSSH client that logs in here."""
        return ["ssh", "-N", "-T", "-F", "none", "-i", os.path.join(self.folder, "user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "ExitOnForwardFailure=yes",
                "-o", "LogLevel=ERROR", "-p", str(self.port), *words, "root@127.0.0.1"]

    def stop(self):
        self.process.stop()


class OpenSsh(Chain):
    """ssh -R: the terminal's client, the cloud's server."""

    def __init__(self, folder, name, cipher=None):
        super().__init__(folder, name)
        self.cipher, self.server = cipher, None

    def start(self, device_port):
        self.port, self.server = free_port(), Sshd(self.folder)
        cipher = ["-c", self.cipher] if self.cipher else []
        client = self.run("ssh", self.server.client(*cipher, "-R", f"127.0.0.1:{self.port}:127.0.0.1:{device_port}"))
        wait_port(self.port, client)
        return self

    @property
    def pids(self):
        return super().pids + [self.server.process.pid]

    def stop(self):
        super().stop()
        if self.server:
            self.server.stop()
