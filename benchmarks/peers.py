"""Training speed beside Stable-Baselines3's A2C, like for like, in alternating slices of one run.

Two rows: SB3 with this project's small network against our ``paper`` network, and SB3's own CnnPolicy
against our ``nature``. SB3 plays 8 environments, in processes of their own (SubprocVecEnv), which is
its faster way. The script makes a virtual environment for it.
"""

import argparse
import os
import struct
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe_machine, write_result
from benchmarks.slices import Contender, run_rounds, started, training
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context, process_context

HERE = Path(__file__).parent
SB3 = "stable-baselines3==2.7.0"
# numba and safetensors are for sb3_evaluate_policy.py, which loads a model of this project.
SB3_NEEDS = ["torch==2.13.0", "gymnasium[atari]", "opencv-python", "numba", "safetensors", SB3]
SB3_ENVIRONMENTS = 8


def make_sb3_python(folder: Path) -> Path:
    """Make a virtual environment with SB3 on the torch that this project pins; return its Python."""
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_text() != " ".join(SB3_NEEDS):
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *SB3_NEEDS], check=True)
        installed.write_text(" ".join(SB3_NEEDS))
    return python


def sb3(python: Path, name: str, network: str, folder: Path) -> Contender:
    """Start SB3's A2C, which writes its number of steps to a file."""
    counter = folder / f"{name.replace(' ', '-')}.steps"
    counter.write_bytes(struct.pack("q", 0))
    command = [python, HERE / "sb3_a2c.py", network, str(SB3_ENVIRONMENTS), counter]
    # Not our setting of one thread: SB3 runs as its own users run it.
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    main = psutil.Process(subprocess.Popen(command, env=environment).pid)
    contender = Contender(name, [main], lambda: int(struct.unpack("q", counter.read_bytes())[0]))
    started(contender, minimum=500)
    contender.processes += main.children(recursive=True)
    return contender


def make_contenders(context: Context, python: Path, folder: Path) -> list[Contender]:
    """Start both programs with both networks."""
    ours = PRESETS["breakout"].replace(threads=8)
    return [
        sb3(python, "SB3 A2C 16-32-256", "paper", folder),
        training(context, "ours paper", ours, None),
        sb3(python, "SB3 A2C CnnPolicy", "nature", folder),
        training(context, "ours nature", ours.replace(network="nature"), None),
    ]


def compare(ours: Contender, peer: Contender) -> dict[str, Any]:
    """Return one row: the medians of both, and of the ratio of their slices in the same rounds."""
    rows = [contender.summary(peer) for contender in (peer, ours)]
    return {
        "peer": rows[0],
        "ours": rows[1],
        "times_as_fast": rows[1]["share_of_reference"],
    }


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice-seconds", type=float, default=8.0)
    parser.add_argument("--venv", type=Path, default=HERE / ".venv-sb3", help="made when it is missing")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "peers.json")
    options = parser.parse_args()
    python = make_sb3_python(options.venv)
    contenders = make_contenders(process_context("forkserver"), python, options.venv)
    run_rounds(contenders, options.rounds, options.slice_seconds)
    rows = [compare(contenders[1], contenders[0]), compare(contenders[3], contenders[2])]
    print("\n| network | SB3 A2C, steps/s | ours, steps/s | ours is |\n|---|---|---|---|")
    for network, row in zip(("16-32-256", "32-64-64-512"), rows, strict=True):
        speeds = f"{row['peer']['steps_per_second']:,} | {row['ours']['steps_per_second']:,}"
        print(f"| {network} | {speeds} | {row['times_as_fast']:.1f} times as fast |")
    result = {"command": " ".join(sys.argv), "sb3": SB3, "machine": describe_machine(), "rows": rows}
    write_result(result, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
