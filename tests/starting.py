"""How the processes of the tests start: ``make test START_METHOD=spawn`` tries the other way."""

import os
from typing import cast

from breakout_a3c.config import StartMethod
from breakout_a3c.processes.start import Context, process_context
from breakout_a3c.training.contexts import PRELOAD

START_METHOD = cast(StartMethod, os.environ.get("START_METHOD", "forkserver"))
SPAWN = START_METHOD == "spawn"
IMPORTS_CPU_SECONDS = 4.0 if SPAWN else 0.0  # of a new process, before it begins its work
IMPORTS_SECONDS = 15.0 if SPAWN else 0.0  # the same by the clock, of several that start beside each other


def training_context() -> Context:
    """Return what starts processes as train.py does: a forkserver has imported what they run."""
    return process_context(START_METHOD, PRELOAD)
