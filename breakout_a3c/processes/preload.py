"""What the forkserver imports first: it ends with the trainer, though it may still be importing torch.

A forkserver looks for its end only when all its imports are done, seconds after a trainer that was killed.
"""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # its own children do not inherit that
