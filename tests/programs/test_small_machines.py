"""Whole programs in a small corner of a large machine: one core, few open files, a long temporary folder."""

import json
import os
import sys
from pathlib import Path

from tests.running import run
from tests.starting import START_METHOD

PROGRAMS = Path(__file__).parents[2]
CORNER = 'ulimit -n 40 && exec taskset -c "$(taskset -cp $$ | grep -o \'[0-9]*$\')" "$@"'  # its last core


def in_corner(folder: Path, program: str, *options: str) -> str:
    """Run a program to its end; return what it printed."""
    temporary = folder / ("x" * 96)  # as SLURM makes them
    temporary.mkdir(exist_ok=True)
    command = ["sh", "-c", CORNER, "sh", sys.executable, str(PROGRAMS / program), *options]
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert not list(temporary.iterdir())
    return str(done.stdout)


def test_a_training_and_an_evaluation_take_what_there_is(tmp_path: Path) -> None:
    options = ["--preset", "cartpole", "--threads", "3", "--total-steps", "2000", "--eval-minutes", "0"]
    printed = in_corner(tmp_path, "train.py", *options, "--start-method", START_METHOD)
    assert "died" not in printed
    facts = json.loads(in_corner(tmp_path, "play.py", "checkpoints/latest.pt", "--episodes", "3", "--json"))
    assert facts["episodes"] == 3
