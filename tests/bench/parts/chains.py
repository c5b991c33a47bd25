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


class PlainHops(Chain):
    """Plain relays, as many as stand in a way of ours: the limit without cryptography."""

    def __init__(self, folder, name, hops):
        super().__init__(folder, name)
        self.hops = hops

    def start(self, device_port):
        ports = [*(free_port() for _ in range(self.hops)), device_port]
        self.port = ports[0]
        for number, (listen, to) in enumerate(zip(ports, ports[1:])):
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


class TlsThenSsh(OpenSsh):
    """ssh -R with TLS before it, as a person's byte stream has it: haproxy at the person's machine and at the cloud's."""

    def proxy(self, place, bind, server):
        path = os.path.join(self.folder, f"haproxy-{place}.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("global\n nbthread 1\n maxconn 512\n tune.bufsize 65536\n\ndefaults\n mode tcp\n timeout connect 10s\n timeout client 600s\n timeout server 600s\n"
                       f" option tcp-smart-connect\n\nlisten {place}\n bind 127.0.0.1:{bind}\n server next 127.0.0.1:{server}\n")
        return self.run(f"haproxy-{place}", ["/usr/sbin/haproxy", "-db", "-f", path])

    def start(self, device_port):
        super().start(device_port)
        both = os.path.join(self.folder, "both.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", both, "-out", both + ".crt"], check=True, timeout=30, capture_output=True)
        with open(both + ".crt", encoding="ascii") as crt, open(both, "a", encoding="ascii") as file:
            file.write(crt.read())
        tls = "ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256"
        middle, person = free_port(), free_port()
        wait_port(middle, self.proxy("cloud", f"{middle} ssl crt {both} {tls}", self.port))
        wait_port(person, self.proxy("person", person, f"{middle} ssl verify none {tls}"))
        self.port = person
        return self
