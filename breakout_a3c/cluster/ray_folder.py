"""The folder of a Ray that was started here: it goes with its program, and the next one removes what was killed."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from breakout_a3c.processes.resources import folder_for_sockets

PREFIX = "ray-"
LOCK = "in-use"
SOCKET_PATH = "ray-12345678/session_2026-11-30_12-34-56_123456_1234567/sockets/plasma_store"  # as Ray makes them


class RayFolder:
    """A new folder, locked as long as this process lives.

    Raises:
        UserError: If there is no folder for temporary files.
        OSError: If it cannot be made there.
    """

    def __init__(self) -> None:
        parent = Path(folder_for_sockets(SOCKET_PATH))
        remove_left(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        unlocked = self.path / f"{LOCK}.new"
        self._lock = unlocked.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unlocked.rename(self.path / LOCK)  # whoever sees it finds it locked

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_left(parent: Path) -> None:
    """Remove the folders of this user's programs that were killed."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        try:
            if lock.parent.lstat().st_uid != os.getuid():
                continue
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # it is in use, or gone
