"""How the processes of the tests start: ``make test START_METHOD=spawn`` tries the other way."""

import os
from typing import cast

from breakout_a3c.config import StartMethod

START_METHOD = cast(StartMethod, os.environ.get("START_METHOD", "forkserver"))
SPAWN = START_METHOD == "spawn"
IMPORTS_CPU_SECONDS = 4.0 if SPAWN else 0.0  # of a new process, before it begins its work
IMPORTS_SECONDS = 15.0 if SPAWN else 0.0  # the same by the clock, of several that start beside each other
