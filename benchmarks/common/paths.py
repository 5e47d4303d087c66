"""Where benchmarks read and write."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "current"  # a folder a program
WORK = ROOT / "benchmarks" / "work"  # snapshots and curves of trainings, which git ignores
MODELS = ROOT / "models"
# Of the default network, after five million steps: games from it are those of most of a run.
LEARNED = ROOT / "benchmarks" / "results" / "history" / "study" / "lstm" / "lstm-d913b91-seed-1.safetensors"


def from_root(path: Path) -> str:
    """Return a path as it is seen from the repository's root: what is kept is to name no folder of this machine."""
    return os.path.relpath(path, ROOT)
