"""Stable-Baselines3, in a virtual environment of its own."""

import argparse
import subprocess
import venv
from pathlib import Path

from benchmarks.common.paths import ROOT

SB3 = "stable-baselines3==2.7.0"
# numba and safetensors are for sb3_evaluate_policy.py, which loads a model of this project.
NEEDS = ["torch==2.13.0", "gymnasium[atari]", "opencv-python", "numba", "safetensors", SB3]


def add_venv_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--venv``."""
    default = ROOT / "benchmarks" / ".venv-sb3"
    parser.add_argument("--venv", type=Path, default=default, help="made when it is missing [benchmarks/.venv-sb3]")


def make_sb3_python(folder: Path) -> Path:
    """Make a virtual environment with SB3 on the torch that this project pins; return its Python."""
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != " ".join(NEEDS):
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDS], check=True)
        installed.write_text(" ".join(NEEDS))
    return python.absolute()


def sb3_command(python: Path, program: str, *arguments: str) -> list[str]:
    """Return the command of a program in ``benchmarks/sb3``, which is to start in the repository's root."""
    return [str(python), "-m", f"benchmarks.sb3.{program}", *arguments]
