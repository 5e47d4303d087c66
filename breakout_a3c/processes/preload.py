"""The forkserver imports this first, so that it ends with the trainer even while it imports torch.

Otherwise a forkserver looks for its end only after all its imports, seconds after a trainer that was killed. It is
silent about a package that is broken: the program that has started it imports the same, and says so in a sentence.
"""

import ctypes
import gc
import os
import signal
import sys
from types import TracebackType

from breakout_a3c.dependencies import dependency_trouble
from breakout_a3c.launch import GARBAGE_THRESHOLD

PR_SET_PDEATHSIG = 1

gc.set_threshold(GARBAGE_THRESHOLD)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # its own children do not inherit that
    if os.environ["FORKSERVER_PARENT"] != str(os.getppid()):  # that was too late: the trainer was killed before
        os._exit(1)


def tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print the traceback of an error, unless it comes from importing a package."""
    if dependency_trouble(error) is None:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = tell
