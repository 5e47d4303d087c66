"""As many actor-learners run at a time as there are cores; the others wait for their turn.

If more of them ran than there are cores, the kernel would stop each in the middle of its rollouts. By its push, all
others would have updated what it had pulled: with 8 on two cores, gradients are 7 updates late, and one by turns.
"""

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.reduction import DupFd
from typing import Any

from breakout_a3c.processes.resources import usable_cores

GIVE_WAY_SECONDS = 0.001


class Turns:
    """A lock for each core, on which the processes that share it take turns.

    Passing it to a process as it starts passes the locks on. They are locks of bytes of a file: the kernel
    releases those of a process that dies, so that no process waits for a dead one.

    Args:
        processes: How many there are.
    """

    def __init__(self, processes: int) -> None:
        self._cores = min(processes, usable_cores())
        self._cores_are_shared = processes > self._cores
        self._file = file_without_name()

    def __del__(self) -> None:
        os.close(self._file)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": DupFd(self._file)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {"_file": state["_file"].detach()}

    @contextmanager
    def wait(self, index: int) -> Iterator[None]:
        """Wait for a turn of the process ``index``, which lasts for the ``with`` block."""
        if not self._cores_are_shared:
            yield
            return
        core = index % self._cores
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, core)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, core)
            time.sleep(GIVE_WAY_SECONDS)  # otherwise this process would ask again before another is awake


def file_without_name() -> int:
    """Return the descriptor of an empty file that is gone with the last process that has it.

    It is in memory where that can be: a disk may be full, and a network's file system may have no locks.
    """
    if sys.platform == "linux":
        # AttributeError: of a Python that was built for an old system, such as conda's. OSError: of WSL 1.
        with suppress(AttributeError, OSError):
            return os.memfd_create("turns")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
