# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small disk of its own for a node's state (root only), seen by this test and what it starts, and gone with them."""
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x20000
_libc = ctypes.CDLL(None, use_errno=True)
_own = []


def own_mounts():
    """From here on this thread and its children have mounts of their own; called before the processes that are to see them start."""
    if _own:
        return
    if _libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True, timeout=20)
    _own.append(True)


class Disk:
    """A tmpfs of `size` bytes on folder; what was in the folder is hidden."""

    def __init__(self, folder, size):
        own_mounts()
        self.folder, self._ballast = folder, os.path.join(folder, "ballast")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "farwatch-lab", folder], check=True, timeout=20)

    def free(self):
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_bsize

    def fill(self, leave=0):
        """Until only `leave` bytes are free."""
        with open(self._ballast, "ab") as file:
            while self.free() > leave:
                try:
                    file.write(b"\0" * min(65536, self.free() - leave))
                    file.flush()
                except OSError:
                    return

    def relieve(self):
        if os.path.exists(self._ballast):
            os.unlink(self._ballast)

    def writable(self, yes):
        subprocess.run(["mount", "-o", f"remount,{'rw' if yes else 'ro'}", self.folder], check=True, timeout=20)

    def close(self):
        subprocess.run(["umount", "-l", self.folder], capture_output=True, timeout=20)
