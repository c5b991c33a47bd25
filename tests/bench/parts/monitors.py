# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's collectd and zabbix-agent2 with the same six readings at the same cycle, each sending its values to a receiver on loopback."""
import os
import socket
import threading

from fakes.zabbix import ZabbixServer
from lab import Process, free_port, wait_until

CYCLE_S = 10


class Datagrams:
    """Takes collectd's values and counts them."""

    def __init__(self):
        self.packets = 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                self._sock.recv(65536)
            except OSError:
                return
            self.packets += 1

    def close(self):
        self._sock.close()


class Collectd:
    name = "collectd"

    def start(self, folder):
        self.receiver = Datagrams()
        config = os.path.join(folder, "collectd.conf")
        plugins = ("cpu", "load", "memory", "df", "interface", "uptime", "network")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'Hostname "bench"\nFQDNLookup false\nBaseDir "{folder}"\nPIDFile "{folder}/collectd.pid"\nInterval {CYCLE_S}\n'
                       + "".join(f"LoadPlugin {plugin}\n" for plugin in plugins)
                       + '<Plugin cpu>\n ReportByCpu false\n</Plugin>\n<Plugin df>\n MountPoint "/"\n</Plugin>\n'
                       + f'<Plugin network>\n Server "127.0.0.1" "{self.receiver.port}"\n</Plugin>\n')
        self.process = Process(["/usr/sbin/collectd", "-f", "-C", config], os.path.join(folder, "collectd.log"))
        self.process.expect_end = True
        wait_until(lambda: self.receiver.packets, 3 * CYCLE_S + 10, "values of collectd", every=0.2)
        return self

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.stop()
        self.receiver.close()


class Zabbix:
    name = "zabbix-agent2"
    KEYS = ("system.cpu.util", "system.cpu.load[all,avg1]", "vm.memory.size[available]", "vfs.fs.size[/,used]", "net.if.in[lo]", "system.uptime")

    def start(self, folder):
        self.server = ZabbixServer([(key, CYCLE_S) for key in self.KEYS])
        config = os.path.join(folder, "zabbix.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"PidFile={folder}/zabbix.pid\nLogType=console\nServer=127.0.0.1\nListenIP=127.0.0.1\nListenPort={free_port()}\n"
                       f"ServerActive=127.0.0.1:{self.server.port}\nHostname=bench\nControlSocket={folder}/zabbix.sock\n")
        self.process = Process(["/usr/sbin/zabbix_agent2", "-f", "-c", config], os.path.join(folder, "zabbix.log"))
        self.process.expect_end = True
        wait_until(lambda: len(self.server.last) == len(self.KEYS), 6 * CYCLE_S, "values of zabbix-agent2", every=0.2)
        return self

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.stop()
        self.server.close()
