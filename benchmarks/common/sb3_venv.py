"""Stable-Baselines3, in a virtual environment of its own."""

import argparse
from pathlib import Path

from benchmarks.common.paths import ROOT
from benchmarks.common.venvs import make_python

SB3 = "stable-baselines3==2.7.0"
# numba and safetensors are for sb3_evaluate_policy.py, which loads a model of this project.
NEEDS = ["torch==2.13.0", "gymnasium[atari]", "opencv-python", "numba", "safetensors", SB3]


def add_venv_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--venv``."""
    default = ROOT / "benchmarks" / ".venv-sb3"
    parser.add_argument("--venv", type=Path, default=default, help="made when it is missing [benchmarks/.venv-sb3]")


def make_sb3_python(folder: Path) -> Path:
    """Make a virtual environment with SB3 on the torch that this project pins; return its Python."""
    return make_python(folder, NEEDS)


def sb3_command(python: Path, program: str, *arguments: str) -> list[str]:
    """Return the command of a program in ``benchmarks/sb3``, which is to start in the repository's root."""
    return [str(python), "-m", f"benchmarks.sb3.{program}", *arguments]
