"""The forkserver imports this first, so that it ends with the trainer even while it imports torch.

Otherwise a forkserver looks for its end only after all its imports, seconds after a trainer that was killed.
"""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # its own children do not inherit that
