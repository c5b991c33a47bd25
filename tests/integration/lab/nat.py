# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small Internet of network namespaces (root only): cloud and person in public nets, a terminal behind a customer's NAT router.

    cloud 198.51.100.10 ─┐                     ┌─ 203.0.113.2 router 192.168.77.1 ── 192.168.77.10 terminal (and its devices)
                        net (routes, no NAT) ──┤
    person 198.51.101.10 ┘                     └─ (nothing else: the router masquerades and lets nobody in)

No bridge, no default route out of it: nothing leaves the machine. The names carry this process's id; close() removes what it made."""
import contextlib
import ctypes
import os
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(netns):
    """The calling thread is in the namespace meanwhile: sockets made there stay there. None: nothing changes."""
    if netns is None:
        yield
        return
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{netns}", "rb") as there:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)


def _enter(file):
    if _libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


RULES = """
table ip customer {
  chain out {
    type nat hook postrouting priority 100
    oifname "wan" masquerade
  }
  chain through {
    type filter hook forward priority 0; policy drop
    iifname "lan" accept
    ct state established,related accept
  }
  chain local {
    type filter hook input priority 0; policy drop
    iifname { "lo", "lan" } accept
    ct state established,related accept
  }
}
"""


class Nat:
    CLOUD, PERSON, OUTSIDE, INSIDE, TERMINAL = "198.51.100.10", "198.51.101.10", "203.0.113.2", "192.168.77.1", "192.168.77.10"
    _serial = 0

    def __init__(self):
        Nat._serial += 1
        self._made = []
        tag = f"far{os.getpid()}-{Nat._serial}"
        self.cloud, self.person, self.net, self.router, self.terminal = (
            f"{tag}-{name}" for name in ("cloud", "person", "net", "router", "terminal"))
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        for name in (self.net, self.cloud, self.person, self.router, self.terminal):
            self._ip("netns", "add", name)
            self._made.append(name)
            self._ip("-n", name, "link", "set", "lo", "up")
        self._join(self.cloud, "eth0", self.CLOUD, self.net, "cloud", "198.51.100.1")
        self._join(self.person, "eth0", self.PERSON, self.net, "person", "198.51.101.1")
        self._join(self.router, "wan", self.OUTSIDE, self.net, "customer", "203.0.113.1")
        self._join(self.terminal, "eth0", self.TERMINAL, self.router, "lan", self.INSIDE)
        for name, via in ((self.cloud, "198.51.100.1"), (self.person, "198.51.101.1"), (self.router, "203.0.113.1"), (self.terminal, self.INSIDE)):
            self._ip("-n", name, "route", "add", "default", "via", via)
        for name in (self.net, self.router):
            self.run(name, ["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
        self.run(self.router, ["nft", "-f", "-"], input=RULES)

    def _join(self, a, a_link, a_address, b, b_link, b_address):
        self._ip("link", "add", a_link, "netns", a, "type", "veth", "peer", "name", b_link, "netns", b)
        for name, link, address in ((a, a_link, a_address), (b, b_link, b_address)):
            self._ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            self._ip("-n", name, "link", "set", link, "up")

    @staticmethod
    def _ip(*words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20)
        if done.returncode:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def run(self, netns, argv, input=None, check=True, timeout=30):
        done = subprocess.run(["ip", "netns", "exec", netns, *argv], input=input, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode:
            raise OSError(f"{' '.join(argv)} in {netns}: {done.stderr.strip()}")
        return done

    def cable(self, plugged):
        """Pulls or plugs the customer's line to the Internet."""
        self._ip("-n", self.router, "link", "set", "wan", "up" if plugged else "down")
        if plugged:  # the kernel took the route away with the link
            self._ip("-n", self.router, "route", "replace", "default", "via", "203.0.113.1")

    def own_cable(self, plugged):
        """The terminal's own."""
        self._ip("-n", self.terminal, "link", "set", "eth0", "up" if plugged else "down")
        if plugged:
            self._ip("-n", self.terminal, "route", "replace", "default", "via", self.INSIDE)

    def new_address(self):
        """The provider gives the customer another address: what was open is dead without a word on either side, new connections work."""
        self.run(self.router, ["sh", "-c", "ip address flush dev wan && ip address add 203.0.113.77/24 dev wan && ip route replace default via 203.0.113.1"])

    def bytes(self, netns, link):
        """(received, sent) on a link so far, with Ethernet's 14 bytes a packet taken off: IP bytes; and packets likewise."""
        values = []
        out = self.run(netns, ["cat", "/proc/net/dev"]).stdout
        fields = next(line for line in out.splitlines() if line.strip().startswith(link + ":")).split(":")[1].split()
        for at in (0, 8):
            values.append(int(fields[at]) - 14 * int(fields[at + 1]))
        return tuple(values)

    def close(self):
        for name in reversed(self._made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)
        self._made = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
