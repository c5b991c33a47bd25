# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows by name: each a function (wanted, folder, stack, say) → values; what it starts is ended by the stack."""
import os

from parts import judge, rows_bytes
from parts.chains import Direct, OpenSsh, TwoHops
from parts.load import Device


def place(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path, mode=0o700)
    return path


def row_bytes(wanted, folder, stack, say):
    device = Device(place(folder, "device"))
    stack.callback(device.stop)
    chains = [Direct(place(folder, "direct"), "direct"), TwoHops(place(folder, "plain"), judge.PLAIN),
              OpenSsh(place(folder, "gcm"), judge.GCM, "aes128-gcm@openssh.com"), OpenSsh(place(folder, "default"), judge.DEFAULT)]
    for chain in chains:
        stack.callback(chain.stop)
        chain.start(device.port)
    return rows_bytes.measure(chains, wanted.rounds, say, wanted.seconds)


ROWS = {"bytes": row_bytes}
