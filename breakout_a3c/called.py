"""How a user calls the programs: by their files, or by the command that an installation puts on the path.

Any Python from 3.6 on can read this file.
"""

import os
import sys

INSTALLED = "breakout-a3c"


def is_installed() -> bool:
    """Return whether this process was started by the installed command."""
    return os.path.basename(sys.argv[0]).split(" ")[0] == INSTALLED  # noqa: PTH119  # as it stands in argv


def called(command: str) -> str:
    """Return how a command is called, such as ``python train.py`` or ``breakout-a3c train``."""
    if is_installed():
        return f"{INSTALLED} {command}"
    return f"python {command}.py" if command in ("train", "play") else f"python -m breakout_a3c {command}"
