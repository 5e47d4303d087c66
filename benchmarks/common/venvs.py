"""Virtual environments for programs that cannot live in this project's own."""

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path


def make_python(folder: Path, needs: Sequence[str]) -> Path:
    """Make a virtual environment with ``needs`` installed, unless it is there; return its Python."""
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != " ".join(needs):
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True)
        installed.write_text(" ".join(needs))
    return python.absolute()
