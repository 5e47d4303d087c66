"""Where a result comes from: versions, commit, command."""

import platform
import subprocess
import sys
from pathlib import Path

import torch


def program_versions() -> dict[str, str]:
    """Return the versions of what computes, and the commit of this program, -dirty where its code differs from that."""
    import ale_py
    import numpy

    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    head, changes = [*git, "rev-parse", "--short=12", "HEAD"], [*git, "diff", "--name-only", "HEAD", "--", ":(top)*.py"]
    try:
        commit, changed = (
            subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
            for command in (head, changes)
        )
    except (OSError, subprocess.SubprocessError):
        commit, changed = "", ""
    if changed:
        commit += "-dirty"
    return {
        "commit": commit or "unknown",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "ale-py": ale_py.__version__,
        "numpy": numpy.__version__,
    }


def command_line() -> str:
    """Return the command that started this program."""
    return " ".join(["python", *sys.argv])
