"""Training speed beside Stable-Baselines3's A2C, like for like, in alternating slices of one run.

Two rows: SB3 with this project's small network against our ``paper`` network, and SB3's own CnnPolicy
against our ``nature``. SB3 plays 8 environments, in processes of their own (SubprocVecEnv), which is
its faster way. This program makes a virtual environment for it.
"""

import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.contenders import Contender, run_rounds, started, training
from benchmarks.common.machine import describe_machine
from benchmarks.common.paths import RESULTS, ROOT, from_root
from benchmarks.common.processes import benchmark_context
from benchmarks.common.programs import command_line, make_parser
from benchmarks.common.runs import write_result
from benchmarks.common.sb3_venv import SB3, add_venv_option, make_sb3_python, sb3_command
from breakout_a3c.presets import PRESETS
from breakout_a3c.processes.start import Context

OUTPUT = RESULTS / "sb3_training" / "peers.json"
SB3_ENVIRONMENTS = 8
NETWORKS = ("16-32-256", "32-64-64-512")  # of the rows


def sb3(python: Path, name: str, network: str, folder: Path) -> Contender:
    """Start SB3's A2C, which writes its number of steps to a file."""
    counter = folder.absolute() / f"{name.replace(' ', '-')}.steps"
    counter.write_bytes(struct.pack("q", 0))
    command = sb3_command(python, "sb3_a2c", network, str(SB3_ENVIRONMENTS), str(counter))
    # Not our setting of one thread: SB3 runs as its own users run it.
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    main = psutil.Process(subprocess.Popen(command, cwd=ROOT, env=environment).pid)
    contender = Contender(name, [main], lambda: int(struct.unpack("q", counter.read_bytes())[0]))
    started(contender)
    contender.processes += main.children(recursive=True)
    return contender


def make_contenders(context: Context, python: Path, folder: Path) -> list[Contender]:
    """Start both programs with both networks."""
    ours = PRESETS["breakout"].replace(threads=8, network="paper")
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


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the result as a Markdown table."""
    print("\n| network | SB3 A2C, steps/s | ours, steps/s | ours is |\n|---|---|---|---|")
    for network, row in zip(NETWORKS, rows, strict=True):
        speeds = f"{row['peer']['steps_per_second']:,} | {row['ours']['steps_per_second']:,}"
        print(f"| {network} | {speeds} | {row['times_as_fast']:.1f} times as fast |")


def main() -> None:
    """Run the rounds, print the table, save the result."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice-seconds", type=float, default=8.0)
    add_venv_option(parser)
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"[{from_root(OUTPUT)}]")
    options = parser.parse_args()
    python = make_sb3_python(options.venv)
    contenders = make_contenders(benchmark_context(), python, options.venv)
    run_rounds(contenders, options.rounds, options.slice_seconds)
    rows = [compare(contenders[1], contenders[0]), compare(contenders[3], contenders[2])]
    print_table(rows)
    result = {"command": command_line(), "sb3": SB3, "machine": describe_machine(), "rows": rows}
    write_result(result, options.output)
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
